/* SPDX-License-Identifier: Apache-2.0
 *
 * pairs: which (mail, recipient) the MTA has taken over, and how often lately.
 *
 * A bounded open table of 16-byte slots in 128-byte buckets of 8, two buckets
 * to choose from, the emptier first (algorithms.md 3.1). A slot is an 88-bit tag
 * (keyed, so nobody can aim collisions; a wrong match once in 10^19 looks) and
 * 40 bits: the newest copy's minute, the gaps to the two before it, copies in the
 * running day, three flags. So "copies within the last hour" is exact to the
 * minute up to three, and counts to fifteen a day. Bucket numbers come from the
 * tag: slots move to a table of another size without their key.
 *
 * When both buckets are full the oldest pair seen once gives way; pairs seen
 * twice or with a copy in the hold never before these, and then only if older
 * than an hour. Forgetting costs a surplus copy, never a mail (L3).
 *
 * Only confirmed copies (or believed ones, where nothing can confirm) are in
 * here. Memory is touched as it is used; nothing is freed until pairs_free.
 */
#ifndef QUELL_STORM_PAIRS_H
#define QUELL_STORM_PAIRS_H

#include "base/hash.h"
#include "base/slice.h"

enum {
	PAIR_BYTES = 12,        /* of a pair's name outside the table */
	PAIR_BUCKET_SLOTS = 8,
	PAIR_HOUR_MAX = 3,      /* the most copies an hour that a slot can tell */
	PAIR_DAY_MAX = 15,
};

enum pair_flag {
	PAIR_MANY = 1,     /* more than one copy was ever confirmed */
	PAIR_BELIEVED = 2, /* nothing has confirmed it; counted because nothing can */
	PAIR_HELD = 4,     /* a copy for it was withheld */
};

struct pair_slot {
	uint64_t tag;  /* bits 0..63 of the tag */
	uint64_t rest; /* low 24: the rest of the tag; high 40: see pairs.c; 0 = free */
};

struct pair_seen {
	bool is_known;
	unsigned hour, day; /* confirmed copies in the last hour, in the running day */
	unsigned flags;     /* enum pair_flag */
};

struct pairs {
	struct pair_slot *slots; /* bucket_count * 8, aligned to a bucket */
	void *block;
	uint32_t bucket_count;
	uint32_t sweep_at;      /* next bucket that the sweep looks at */
	uint32_t memory_min;    /* older slots are free */
	uint64_t used, evicted;
};

/* bytes: all that the table may take. False without memory; then the table is
 * empty and stays so. memory_s: how long a pair is remembered, at most 7 days. */
bool pairs_init(struct pairs *p, size_t bytes, uint32_t memory_s);
void pairs_free(struct pairs *p);
size_t pairs_bytes(const struct pairs *p);

/* Names the pair: instance, local part as it is, domain in lower case. */
void pair_name(const uint8_t *key, const uint8_t instance[DIGEST_SHORT_BYTES], struct slice rcpt,
	       uint8_t pair_out[PAIR_BYTES]);

/* Starts loading both buckets of a pair; call for all recipients, then look. */
void pairs_prefetch(const struct pairs *p, const uint8_t pair[PAIR_BYTES]);
struct pair_seen pairs_look(const struct pairs *p, const uint8_t pair[PAIR_BYTES], int64_t now_ms);
/* One more copy is owned by the MTA. is_believed: nothing confirmed it. False
 * when there is no room (not remembered). */
bool pairs_confirm(struct pairs *p, const uint8_t pair[PAIR_BYTES], int64_t now_ms,
		   bool is_believed);
/* Sets and clears flags of a known pair; false when it is not known. */
bool pairs_mark(struct pairs *p, const uint8_t pair[PAIR_BYTES], unsigned set, unsigned clear);
void pairs_forget(struct pairs *p, const uint8_t pair[PAIR_BYTES]);
/* Frees what is too old in the next buckets. Every bucket must be visited once a
 * day: slots keep the time modulo 11 days. */
void pairs_sweep(struct pairs *p, int64_t now_ms, uint32_t buckets);
/* Everything. */
void pairs_clear(struct pairs *p);
/* Puts a slot of a snapshot in; what is known already stays. */
bool pairs_insert(struct pairs *p, struct pair_slot slot, int64_t now_ms);

#endif
