/* SPDX-License-Identifier: Apache-2.0
 *
 * drain_inner: what drain.c and doubt.c share. Nobody else includes this.
 */
#ifndef QUELL_FETCH_DRAIN_INNER_H
#define QUELL_FETCH_DRAIN_INNER_H

#include "fetch/inner.h"

#include "act/link.h"
#include "mail/header.h"

enum {
	DRAIN_QUEUE = 128,          /* rows picked at a time */
	DRAIN_HEAD_BYTES = 16 * 1024,
	DRAIN_TICK_MS = 100, DRAIN_TICK_ONCE_MS = 20,
	DRAIN_COMPANY_MS = 1,       /* a commit waits so long for lanes that may join it */
	DRAIN_DOUBTS_MAX = 256,     /* settled at a time; the rest waits as SENDING */
};

enum lane_state {
	LANE_IDLE,
	LANE_JUDGING,               /* flow has it, or its hold */
	LANE_JUDGED,                /* may go, once SENDING is on disk */
	LANE_SENDING,
};

struct lane {
	struct drain *drain;
	struct link *link;
	struct intake *intake;
	struct arena arena;
	enum lane_state state;
	struct ledger_row row;
	const struct mailbox *mailbox;
	struct slice rcpt;
	struct buf head;            /* our own fields, above the mail */
	size_t head_sent;
	uint64_t offset;            /* of the mail */
	struct ledger_row done[2];  /* what is to be stored about the mails before */
	size_t done_count;
	bool was_ready, is_probing;
	int64_t ready_ms;
};

/* One mail that the local server may have or not. */
struct doubt {
	struct ledger_row row;
	int64_t look_at_ms, wait_ms; /* wait: between searches that fail; 0: none failed yet */
	bool is_searching;
	struct secret_run *run;
	struct drain *drain;
	char id[STAMP_BYTES];       /* the text to search for */
};

struct drain {
	struct fetch *fetch;
	struct lane *lanes;
	size_t lane_count;
	struct ledger_row queue[DRAIN_QUEUE];
	size_t queue_count, queue_next;
	struct loop_timer *timer, *soon, *company;
	bool is_company_awaited, is_company_over;
	struct loop_flush flush;
	bool is_disk_bad;           /* the last commit was refused: what is to be stored waits */
	bool is_dry;                /* nothing was due at the last look, and nobody said more since */
	bool is_awake, is_in_round, is_probed, is_probing;
	bool is_relay;              /* the last probe was taken */
	int64_t probed_ms, open_at_ms, away_ms, commit_at_ms;
	char trouble[300];          /* "": the local server is well */
	struct doubt *doubts[DRAIN_DOUBTS_MAX];
	size_t doubt_count;
	bool has_old_doubts;        /* more rows are SENDING than had a place */
};

int64_t drain_now_ms(const struct drain *d);
/* A row's new state, to the log and the account's report. */
void drain_report(struct drain *d, const struct ledger_row *row);

/* doubt.c: a mail in doubt is settled as the settings say: by a search for its stamp in
 * the mailbox, by a person (quarantine), or by sending it again. */
void drain_doubt(struct drain *d, const struct ledger_row *row, const char *why);
/* Rows found SENDING at the start. */
bool drain_doubt_old(struct drain *d);
bool drain_doubts(const struct drain *d, int64_t id);
/* A lane has it, or its outcome is not stored yet (drain.c). */
bool drain_is_carried(const struct drain *d, int64_t id);
/* Is one being settled, or to be within so long? */
bool drain_doubts_soon(const struct drain *d, int64_t within_ms);
void drain_settle_doubts(struct drain *d);
void drain_free_doubts(struct drain *d);

#endif
