/* SPDX-License-Identifier: Apache-2.0
 *
 * quell: the command. All it does is to lend the desk the settings and the mailboxes.
 */
#include "main/config.h"
#include "main/mail_files.h"

#include "base/hash.h"

int main(int argc, char **argv)
{
	struct config_host ctx = { .settings = NULL };
	const struct desk_host host = { .version = QUELL_VERSION, .settings = config_host_settings, .ctx = &ctx,
					.open_source = mail_files_open, .close_source = mail_files_close,
					.config = &config_command };
	if (!hash_start())
		return EXIT_UNAVAILABLE;
	enum exit_status status = desk_run(&host, argc, argv, stdout, stderr);
	config_host_free(&ctx);
	return (int)status;
}
