/* SPDX-License-Identifier: Apache-2.0
 *
 * txns: the last passages through us, by their nonce and by their queue id.
 *
 * A ring of records: when, which instance, which recipients, what became of each
 * (OFFERED until the MTA owns it). It answers three questions: what did a stamp
 * that comes back stand for, which pairs does a log line with this queue id
 * confirm, which pair has bounced. The newest record with a queue id wins, as
 * MTAs use ids again; an offer older than ten minutes is not confirmed any more,
 * for the same reason. The ring overwrites the oldest; a passage that is gone
 * can no longer be confirmed, which costs a surplus copy and never a mail.
 *
 * Pointers are good until the next txns_add.
 */
#ifndef QUELL_STORM_TXNS_H
#define QUELL_STORM_TXNS_H

#include "storm/pairs.h"

enum { TXN_OFFER_S = 600 };

enum txn_rcpt_state {
	TXN_OFFERED = 1,  /* we said accept */
	TXN_TAKEN = 2,    /* the MTA owns it */
	TXN_WITHHELD = 3, /* we put it into the hold */
	TXN_GONE = 4,     /* withdrawn or bounced */
};

struct txn_rcpt {
	uint8_t pair[PAIR_BYTES];
	uint8_t state;  /* enum txn_rcpt_state */
	uint8_t passes; /* inner passages seen with this stamp */
	uint8_t is_released; /* a release is scheduled for it by this passage */
	uint8_t spare;
};

struct txn {
	uint64_t nonce;      /* never 0 */
	uint64_t queue;      /* hash of the queue id; 0 = none */
	uint8_t instance[DIGEST_SHORT_BYTES]; /* that the pairs were made with */
	uint32_t message_id; /* hash; 0 = none */
	uint32_t time_s;
	uint32_t rcpt_count;
	uint64_t thread;     /* key of its thread (topics.h); 0: none that could grow */
	uint32_t author, mailbox; /* hashes of From and of the one recipient; only with thread */
	uint32_t base;       /* first bytes of the mail's own instance key */
	struct txn_rcpt rcpts[];
};

struct txn_key {
	uint64_t key; /* 0 = free */
	uint64_t at;  /* where the record begins, counted since the ring began */
};

struct txns {
	char *ring;
	size_t ring_bytes;
	uint64_t head;       /* where the next record goes, counted since the beginning */
	struct txn_key *by_nonce, *by_queue;
	uint32_t set_count;  /* sets of four keys, in each index */
	uint64_t added;
};

bool txns_init(struct txns *t, size_t bytes);
void txns_free(struct txns *t);
size_t txns_bytes(const struct txns *t);
void txns_clear(struct txns *t);
void txns_prefetch(const struct txns *t, uint64_t nonce, uint64_t queue);

/* A new record, zeroed but for nonce, queue and rcpt_count, the recipients to be
 * filled in by the caller at once. NULL when it is larger than a quarter of the
 * ring (then the passage cannot be confirmed). */
struct txn *txns_add(struct txns *t, uint64_t nonce, uint64_t queue, uint32_t rcpt_count);
struct txn *txns_find(const struct txns *t, uint64_t nonce);
struct txn *txns_find_queue(const struct txns *t, uint64_t queue);
/* Another queue id of the same passage (after a filter of our own). */
void txns_alias(struct txns *t, uint64_t queue, const struct txn *txn);
/* NULL when the passage had no such recipient. */
struct txn_rcpt *txn_rcpt_find(struct txn *txn, const uint8_t pair[PAIR_BYTES]);
/* Oldest first; begin with *at = 0; NULL at the end. */
const struct txn *txns_next(const struct txns *t, uint64_t *at);

/* 0 for the empty id. */
uint64_t txn_queue_hash(const uint8_t *key, struct slice queue_id);

#endif
