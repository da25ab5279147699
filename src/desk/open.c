/* SPDX-License-Identifier: Apache-2.0
 *
 * open: the store, for reading, with words for what stands in the way.
 */
#include "desk/desk.h"

#include "base/buf.h"
#include "store/hold.h"

#include <errno.h>
#include <sys/stat.h>

enum exit_status desk_open(struct desk *desk, struct store_reader **reader_out)
{
	struct desk_settings settings;
	struct error error = { .status = EXIT_UNAVAILABLE };
	struct stat info;
	struct buf path;
	*reader_out = NULL;
	if (!desk_settings(desk, &settings))
		return EXIT_BAD_INPUT;
	buf_init(&path, 64 * 1024);
	buf_addf(&path, "%s/quell.db", settings.state);
	bool is_there = stat(buf_str(&path), &info) == 0;
	int why = errno;
	buf_free(&path);
	if (!is_there && (why == ENOENT || why == ENOTDIR))
		return EXIT_FINE;
	if (!is_there || !(*reader_out = store_reader_open(settings.state, &error))) {
		const char *text = is_there ? error.text : strerror(why);
		bool is_denied = !is_there && why == EACCES;
		return desk_fail(desk, is_there && error.status ? error.status : EXIT_UNAVAILABLE,
				 "cannot read what Quell stored in %s: %s%s", settings.state, text,
				 is_denied ? "; run it as root or as Quell's own user" : "");
	}
	return EXIT_FINE;
}
