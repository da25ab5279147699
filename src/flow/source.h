/* SPDX-License-Identifier: Apache-2.0
 *
 * source: mail that lies in files, as flow wants it: looked over once, then read
 * again mail by mail. door/mailbox implements it, main hands it in.
 *
 * Both calls may run several threads; what they call back is told the number of
 * the worker, 0 to worker_count - 1, and never runs twice at once for one worker.
 */
#ifndef QUELL_FLOW_SOURCE_H
#define QUELL_FLOW_SOURCE_H

#include "base/slice.h"

#include <stdint.h>

/* Where a mail lies. offset and bytes count in the file as unpacked, without the
 * mailbox's separator; still with the mailbox's quoting. */
struct source_place {
	uint32_t file;
	uint32_t header_bytes;  /* with the empty line; cut at SOURCE_HEADER_BYTES_MAX */
	uint64_t offset, bytes;
};

enum {
	SOURCE_WORKERS_MAX = 64,
	SOURCE_HEADER_BYTES_MAX = 1024 * 1024, /* what is past it is not shown in the look-over */
};

/* header: from the first byte of the mail to its empty line, in one piece; lives for
 * the call. False ends the look-over. */
typedef bool source_mail_fn(void *ctx, unsigned worker, const struct source_place *place,
			    struct slice header);
/* A piece of one mail, unquoted, in order. */
typedef void source_bytes_fn(void *ctx, struct slice bytes);

struct source {
	void *ctx;
	unsigned worker_count;
	/* Every mail of every file, in no order. Files that cannot be read have been told
	 * of by then. False only when fn said so. */
	bool (*look_over)(void *ctx, source_mail_fn *fn, void *fn_ctx);
	/* One mail again. False when it can no longer be read as it was (told). May be
	 * called from any of the workers, with its number. */
	bool (*read)(void *ctx, unsigned worker, const struct source_place *place, source_bytes_fn *fn,
		     void *fn_ctx);
	/* As given, or folder/name below it; "-" for standard input. Lives as long as ctx. */
	const char *(*file_name)(void *ctx, uint32_t file);
	/* Who gets the mail of this file when its header does not say: "anna" for
	 * /var/mail/anna and anna/Maildir; never NULL. */
	const char *(*mailbox_name)(void *ctx, uint32_t file);
	/* Bytes looked over so far and in all (0: not known yet), for a progress bar. */
	void (*progress)(void *ctx, uint64_t *done_out, uint64_t *all_out);
};

#endif
