/* SPDX-License-Identifier: Apache-2.0
 *
 * transactions: the mails that a log has begun to tell of, by (server, queue id).
 * Private to watch.
 *
 * All memory is one piece, taken at birth and cut into blocks of TXN_BLOCK_BYTES: a mail
 * is one block and, when it has many recipients, some more. Blocks that are free again
 * are used again first, so a log of any length touches no more of them than it has mails
 * under way at once.
 *
 * Where no block is free the mail that was touched longest ago gives way: of those that
 * are settled first, then of those that were never queued, then of all; its owner is
 * told (evict) while it is still whole. Texts longer than TXN_TEXT_BYTES_MAX are cut.
 */
#ifndef QUELL_WATCH_TRANSACTIONS_H
#define QUELL_WATCH_TRANSACTIONS_H

#include "base/list.h"
#include "watch/watch.h"

enum { TXN_BLOCK_BYTES = 768, TXN_TEXT_BYTES_MAX = 500, TXN_DSN_BYTES = 16 };

struct txn_text {
	char *ptr;
	uint16_t len, cap;
};

struct txn_rcpt {
	struct txn_rcpt *next;
	struct txn_text address, orig, relay;
	int64_t at_ms, delay_ms;
	int32_t delays_ms[4];
	uint32_t hash, tries;
	uint8_t status, dsn_len;
	char dsn[TXN_DSN_BYTES];
};

/* Which list a mail waits in: in this order they give way. */
enum txn_stage {
	TXN_SETTLED,     /* every recipient known is done with */
	TXN_BEGUN,       /* not queued yet */
	TXN_OPEN,
	TXN_STAGE_COUNT
};

struct watch_server;
struct txn_block;

struct txn {
	struct list by_age;      /* in its stage's list, by touched_ms */
	struct list untold;      /* not yet told to the engine */
	struct txn *next;        /* with the same hash bucket */
	uint64_t hash;
	struct watch_server *server;
	struct txn_block *blocks;
	char *free;              /* in the newest block */
	size_t free_bytes;
	struct txn_text queue_id, message_id, from, client_name, helo, auth_user, subject, in_reply_to, notice_of;
	struct ip client_ip;
	uint64_t size_bytes;
	int64_t first_ms, last_ms;
	int64_t touched_ms, queued_ms; /* by the clock of all servers */
	struct txn_rcpt *rcpts, *last_rcpt;
	uint32_t nrcpt, rcpt_count, rcpt_total, rcpt_done; /* done: sent or bounced */
	uint32_t deferred_beyond, named_beyond; /* of the recipients that are not kept */
	uint64_t echo;           /* the Message-ID, hashed (see echo.c); 0: not yet */
	uint8_t format, stage;
	bool has_from, has_client, is_queued, is_told, is_inner, is_removed;
	bool is_by_message_id;   /* its server had no id for it: queue_id is no such */
	bool is_held;            /* not counted: another server's log may tell of the same mail */
};

struct roll;
typedef void roll_evict_fn(void *ctx, struct txn *txn);

/* bytes: of all; at least that for two mails is taken. NULL without memory. */
struct roll *roll_new(size_t bytes, roll_evict_fn *evict, void *ctx);
void roll_free(struct roll *t); /* tells nobody */

struct txn *roll_find(const struct roll *t, const struct watch_server *server, struct slice queue_id);
/* A new one, stage BEGUN. id may be empty: then it is never found. NULL: no room at all. */
struct txn *roll_add(struct roll *t, struct watch_server *server, struct slice queue_id, int64_t now_ms);
void roll_remove(struct roll *t, struct txn *txn);
/* Now the youngest of that stage. */
void roll_touch(struct roll *t, struct txn *txn, enum txn_stage stage, int64_t now_ms);
/* NULL: none of this stage. */
struct txn *roll_oldest(const struct roll *t, enum txn_stage stage);

/* Keeps a copy, cut to TXN_TEXT_BYTES_MAX; what was there stays when there is no room. */
void txn_set(struct roll *t, struct txn *txn, struct txn_text *text, struct slice value);
static inline struct slice txn_get(struct txn_text text)
{
	return slice_make(text.ptr, text.len);
}
/* Is it what txn_set made of value? */
bool txn_is(struct txn_text text, struct slice value);
/* The recipient of this address, given to the mail as orig; orig itself, when it was only
 * named so far, becomes it. NULL when it has none such and can keep no more, or there is no
 * room. */
struct txn_rcpt *txn_rcpt(struct roll *t, struct txn *txn, struct slice address, struct slice orig,
			  bool *is_new_out);

struct roll_counts {
	size_t open, bytes, bytes_max;
	uint64_t evicted;        /* of those not settled */
};
void roll_counts(const struct roll *t, struct roll_counts *counts_out);

#endif
