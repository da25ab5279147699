/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: follows the mail facility of the systemd journal, as log lines.
 *
 * Each entry becomes the line that syslog would have written, "RFC3339-time host
 * identifier[pid]: text" with the entry's own time and host, so one grammar
 * (wire/maillog.h) reads both. The journal is looked at a few times a second;
 * systemd itself knows of rotation and lost files.
 */
#ifndef QUELL_DOOR_JOURNAL_H
#define QUELL_DOOR_JOURNAL_H

#include "base/buf.h"
#include "base/error.h"
#include "net/loop.h"

enum {
	JOURNAL_LOOK_MS = 200,
	JOURNAL_ENTRIES_MAX = 2000,  /* handed out in one look; the rest at the next */
	JOURNAL_LINE_BYTES_MAX = 64 * 1024, /* longer entries are cut; its library cuts there too */
};

struct journal;

/* dir: a folder of journal files (for tests), or NULL for this machine's. cursor:
 * as journal_cursor wrote it; empty: from the end. NULL and the reason when the
 * journal cannot be opened. */
struct journal *journal_open(struct loop *l, const char *dir, struct slice cursor,
			     void (*line)(void *ctx, struct slice line), void *ctx, struct error *e);
/* The same of one systemd unit, whatever its facility; "": the mail facility. */
struct journal *journal_open_unit(struct loop *l, const char *dir, const char *unit, struct slice cursor,
				  void (*line)(void *ctx, struct slice line), void *ctx, struct error *e);
/* All entries there are now, the oldest first, and into cursor_out (initialised, may be NULL) where
 * journal_open goes on. stop: ends it when set; may be NULL. False and the reason when the
 * journal cannot be opened. */
bool journal_read_all(const char *dir, const char *unit, const volatile int *stop,
		  void (*line)(void *ctx, struct slice line), void *ctx, struct buf *cursor_out, struct error *e);
void journal_close(struct journal **j);
/* Behind the last entry handed out; empty when there was none yet. */
void journal_cursor(struct journal *j, struct buf *out);

#endif
