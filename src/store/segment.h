/* SPDX-License-Identifier: Apache-2.0
 *
 * segment: collected mail on disk, until the local server has it.
 *
 * A folder of append-only files, NNNNNNNN.seg, each written by one session from its
 * begin to its end and never again. One sync makes all mails that ended before it
 * durable, so the cost of a mail is a share of a sync (measured: a sync for each mail
 * a few hundred a second, one for each 64 tens of thousands). Where a mail lies is in
 * the ledger alone; bytes that no row points to (a crash, a mail cut short) are
 * nobody's and go with their file.
 *
 * A mail is kept as it came over the wire. For the loop thread.
 */
#ifndef QUELL_STORE_SEGMENT_H
#define QUELL_STORE_SEGMENT_H

#include "base/error.h"
#include "base/slice.h"

#include <sys/types.h>

enum {
	SEGMENT_BYTES = 64 * 1024 * 1024,   /* a new file is begun past this, once all is synced */
	SEGMENT_BUFFER_BYTES = 256 * 1024,  /* gathered before a write */
};

struct segments;
struct segment_writer;

struct segment_place {
	uint32_t segment;   /* 1 and up; 0: nowhere */
	uint64_t at, bytes;
};

/* The folder "spool" in dir_fd (stays the caller's), made when missing. */
struct segments *segments_open(int dir_fd, struct error *error);
/* NULL is welcome. */
void segments_close(struct segments *s);
/* Bytes of all files. */
uint64_t segments_bytes(const struct segments *s);
/* Bytes the disk has left. */
uint64_t segments_free_bytes(const struct segments *s);

/* For one session; a file is made with its first byte. NULL: no memory. */
struct segment_writer *segment_writer_new(struct segments *s);
/* What was not synced may be lost. NULL is welcome; sets the pointer to NULL. */
void segment_writer_free(struct segment_writer **w);

/* One mail: begin, add as it comes, end. False: it could not be written (errno; a full
 * disk is ENOSPC); then only segment_abort is left, and this writer writes no more: what it
 * ended and did not sync is nobody's too. An empty mail is one; where it lies does not matter. */
void segment_begin(struct segment_writer *w);
bool segment_add(struct segment_writer *w, struct slice bytes);
/* The mail is no mail: its bytes are nobody's. */
void segment_abort(struct segment_writer *w);
bool segment_end(struct segment_writer *w, struct segment_place *place_out);
/* All ended mails are on disk when this is true. Their rows must be in the ledger before
 * the loop goes on: what no row points to is swept with its file. */
bool segment_sync(struct segment_writer *w);

/* Up to n bytes of a mail from offset on; 0 at its end; -1: it cannot be read (gone,
 * shorter than it should be). */
ssize_t segment_read(struct segments *s, const struct segment_place *place, uint64_t offset, void *to, size_t n);

/* Deletes each file that no session writes and for which is_needed says no. */
void segments_sweep(struct segments *s, bool (*is_needed)(void *ctx, uint32_t segment), void *ctx);

#endif
