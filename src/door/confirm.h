/* SPDX-License-Identifier: Apache-2.0
 *
 * confirm: the mail server's own word that it took a mail over (L1, L2).
 *
 * Follows the server's log file (door/logs.h) or the systemd journal
 * (door/journal.h) and tells flow of each mail that was queued, delivered or
 * given up. The position in the log is handed to save
 * now and then, so that after a restart no line is missed; lines seen twice do
 * no harm, because a queue id that is not waiting is ignored.
 */
#ifndef QUELL_DOOR_CONFIRM_H
#define QUELL_DOOR_CONFIRM_H

#include "flow/flow.h"
#include "net/loop.h"

struct confirm;

struct confirm_setup {
	const char *path;       /* of the log file; NULL: the journal */
	struct slice position;  /* as save got it in an earlier life; empty: from the end */
	void (*save)(void *ctx, struct slice position);
	void *ctx;
};

/* loop and flow must outlive it. NULL and the reason on trouble. */
struct confirm *confirm_open(struct loop *loop, struct flow *flow, const struct confirm_setup *setup,
			     struct error *error);
/* Saves the position; sets the pointer to NULL; NULL is welcome. */
void confirm_close(struct confirm **confirm);

struct confirm_counts {
	uint64_t lines, queued, delivered, bounced;
};
void confirm_counts(const struct confirm *confirm, struct confirm_counts *counts_out);

#endif
