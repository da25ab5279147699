/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead: the lines of a log, read and understood ahead of who takes them, by a thread.
 *
 * Reading, unpacking and the grammar (wire/maillog.h) take about half of the time that a
 * log costs; here they run beside the other half. Two batches of AHEAD_TEXT_BYTES go to and fro;
 * a line longer than that makes its batch grow. Lines come in the order of the log, as they
 * would without a thread; of their events only what the watch asks for.
 *
 * Only for files: a thread that waits for a pipe could not be ended.
 */
#ifndef QUELL_DOOR_AHEAD_H
#define QUELL_DOOR_AHEAD_H

#include "door/lines.h"
#include "wire/maillog.h"

enum { AHEAD_TEXT_BYTES = 256 * 1024 };

struct ahead;

/* Both stay the caller's and are the thread's until ahead_free. NULL: no memory or no thread;
 * then nothing has been read. */
struct ahead *ahead_new(struct lines *lines, struct maillog_reader *reader);
/* Ends the thread. NULL is welcome. */
void ahead_free(struct ahead *a);
/* The next line; false at the end. It lives until the next call, with its event. */
bool ahead_next(struct ahead *a, struct slice *line_out, bool *is_cut_out, struct maillog_event *event_out);
/* Bytes of the file that were read for the lines given so far. */
uint64_t ahead_done(const struct ahead *a);

#endif
