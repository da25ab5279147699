/* SPDX-License-Identifier: Apache-2.0
 *
 * known: which accounts were ever polled, in a file of its own beside the ledger.
 *
 * accounts.known has one label a line. It is there to notice that the ledger was lost
 * (hazard 19): an account that stands here and not there must not be collected anew
 * unasked.
 */
#include "fetch/inner.h"

#include "base/buf.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { KNOWN_BYTES_MAX = 1024 * 1024 };
static const char known_name[] = "accounts.known";

enum known { KNOWN_NOT, KNOWN_YES, KNOWN_UNREADABLE };

/* is_torn_out: the last line has no end: a disk that was full when it was written. */
static enum known known_look(struct fetch *f, const char *label, bool *is_torn_out)
{
	struct buf text;
	struct slice rest, line;
	enum known known = KNOWN_NOT;
	buf_init(&text, KNOWN_BYTES_MAX);
	bool is_read = disk_read_file(f->setup.dir_fd, known_name, &text);
	if (!is_read && errno != ENOENT)
		known = KNOWN_UNREADABLE;
	rest = buf_slice(&text);
	*is_torn_out = rest.len > 0 && rest.ptr[rest.len - 1] != '\n';
	while (known == KNOWN_NOT && slice_next(&rest, '\n', &line))
		if (slice_equal(line, slice_from_str(label)))
			known = KNOWN_YES;
	buf_free(&text);
	return known;
}

bool fetch_was_known(struct fetch *f, const char *label)
{
	bool is_torn;
	return known_look(f, label, &is_torn) != KNOWN_NOT;
}

bool fetch_make_known(struct fetch *f, const char *label)
{
	struct buf line;
	bool is_torn;
	if (known_look(f, label, &is_torn) == KNOWN_YES)
		return true;
	buf_init(&line, 256);
	int fd = disk_open(f->setup.dir_fd, known_name, O_WRONLY | O_CREAT | O_APPEND);
	bool is_made = fd >= 0 && buf_addf(&line, "%s%s\n", is_torn ? "\n" : "", label) &&
		       disk_write(fd, buf_slice(&line)) && disk_sync(fd) && disk_sync(f->setup.dir_fd);
	int cause = errno;
	if (fd >= 0)
		close(fd);
	buf_free(&line);
	errno = cause;
	return is_made;
}
