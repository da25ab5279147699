/* SPDX-License-Identifier: Apache-2.0
 *
 * lines: the lines of a log that is read once: a file, a pipe, "-" for standard input,
 * gzip and zstd of these.
 *
 * Lines end with LF or CRLF, which is not part of them; the last may lack it. They may
 * hold any bytes. One that is longer than LINES_BYTES_MAX is given cut, as such, and its rest
 * left out.
 *
 * How it fails: what was read up to a trouble is given; then the trouble is told by
 * lines_trouble. A file that shrinks while it is read ends there; what it grows by while it
 * is read is read.
 */
#ifndef QUELL_DOOR_LINES_H
#define QUELL_DOOR_LINES_H

#include "base/error.h"
#include "base/slice.h"
#include "door/logs.h"

enum { LINES_BYTES_MAX = LOGS_LINE_BYTES_MAX };

struct lines;

/* NULL and the reason: not there, not readable, a folder, no memory. stop: a signal that
 * finds it set ends the reading; may be NULL. will_follow: a last line without its end is
 * not given where lines_position holds: it is still being written. */
struct lines *lines_open(const char *path, bool will_follow, const volatile int *stop, struct error *error);
void lines_close(struct lines *l); /* NULL is welcome */

/* The next line; false at the end, or when nothing more can be read. It lives until the
 * next call. */
bool lines_next(struct lines *l, struct slice *line_out);
/* Was the line that lines_next gave cut? */
bool lines_is_cut(const struct lines *l);
/* Why it ended, in words; NULL: at its end. */
const char *lines_trouble(const struct lines *l);

/* A plain file on a disk, that can be followed from where lines_next stands. */
bool lines_position(const struct lines *l, struct logs_position *position_out);
/* When the file was written last; 0: not known (a pipe). */
int64_t lines_written_ms(const struct lines *l);
/* For progress: bytes read, as they lie in the file, and its size (0: not known). */
void lines_progress(const struct lines *l, uint64_t *done_out, uint64_t *all_out);

#endif
