/* SPDX-License-Identifier: Apache-2.0
 *
 * logs: follows a log file, line by line, across rotation.
 *
 * Rotation by rename (the old file is read to its end first), truncation and
 * copytruncate are recognised; so is a file that is not there yet. inotify wakes
 * the follower; a look once a second stands in where inotify cannot (NFS, no
 * watches left) and covers lost events. Lines longer than LOGS_LINE_BYTES_MAX are
 * left out and counted. A line is handed out only when its LF has arrived.
 *
 * How it fails: an unreadable file is logged once and tried again each second. So is one
 * that vanishes; what its writer still writes to it is read. What it cannot do: know a
 * file that was truncated and grew past the old position within one look (copytruncate
 * under load loses those lines, as with any tool).
 */
#ifndef QUELL_DOOR_LOGS_H
#define QUELL_DOOR_LOGS_H

#include "base/slice.h"
#include "net/loop.h"

enum {
	LOGS_LINE_BYTES_MAX = 1024 * 1024,
	LOGS_ROUND_BYTES_MAX = 1024 * 1024, /* read at most in one go; the rest follows at once */
	LOGS_POLL_MS = 1000,
};

/* Where the reader stands; plain data, to be saved as it is. first_hash tells the
 * file from another one in the same inode; all zero: no position. */
struct logs_position {
	uint64_t device, inode;
	uint64_t offset_bytes;  /* behind the last complete line handed out */
	uint64_t first_hash;    /* of the first line (at most 256 bytes of it); 0: none yet */
};

enum logs_start {
	LOGS_FROM_END,       /* only what comes from now on */
	LOGS_FROM_BEGIN,
	LOGS_FROM_POSITION,  /* where the saved position stands; if that file is gone, from
				the beginning of the one that is there */
};

struct logs_calls {
	/* One line without its line end (LF or CRLF); lives during the call. */
	void (*line)(void *ctx, struct slice line);
	/* All that is there now has been handed out (a good moment to save the
	 * position). May be NULL. */
	void (*caught_up)(void *ctx);
};

struct logs;

/* Reading begins in the next round. path is copied; position may be NULL unless
 * start is LOGS_FROM_POSITION. NULL without memory. */
struct logs *logs_open(struct loop *l, const char *path, enum logs_start start,
		       const struct logs_position *position, const struct logs_calls *calls, void *ctx);
/* Not from within a callback. Sets the pointer to NULL; NULL is welcome. */
void logs_close(struct logs **g);

/* After the last line handed out. */
void logs_position(const struct logs *g, struct logs_position *position_out);
/* Lines left out because they were too long. */
uint64_t logs_skipped(const struct logs *g);
/* Is the file open right now? */
bool logs_is_open(const struct logs *g);

#endif
