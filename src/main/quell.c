/* SPDX-License-Identifier: Apache-2.0
 *
 * quell: the command. All it does is to lend the desk the settings and the mailboxes.
 */
#include "main/config.h"
#include "main/fetch_command.h"
#include "main/mail_files.h"
#include "main/watch_command.h"

#include "base/hash.h"

int main(int argc, char **argv)
{
	static const struct desk_command *const own[] = { &config_command, &fetch_command, &watch_command };
	struct config_host ctx = { .settings = NULL };
	const struct desk_host host = { .version = QUELL_VERSION, .settings = config_host_settings, .ctx = &ctx,
					.open_source = mail_files_open, .close_source = mail_files_close,
					.own = own, .own_count = sizeof own / sizeof own[0] };
	if (!hash_start())
		return EXIT_UNAVAILABLE;
	enum exit_status status = desk_run(&host, argc, argv, stdout, stderr);
	config_host_free(&ctx);
	return (int)status;
}
