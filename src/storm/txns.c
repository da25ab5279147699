/* SPDX-License-Identifier: Apache-2.0
 *
 * txns: the ring of passages and its two indexes.
 *
 * Records lie whole in the ring; where one does not fit before the end, the rest
 * of the ring is skipped (a record with nonce 0). Positions only ever grow, so
 * an index entry is good exactly while its position is less than one ring behind
 * the head. Each index is a cache of four-way sets: a key that is pushed out
 * makes its passage unfindable, no more.
 */
#include "storm/txns.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	WAYS = 4,
	RECORD_ALIGN = 16,
	RING_BYTES_MIN = 4096,
};

bool txns_init(struct txns *t, size_t bytes)
{
	*t = (struct txns){ 0 };
	size_t index_bytes = bytes / 6; /* for each of the two */
	t->ring_bytes = (bytes - 2 * index_bytes) / RECORD_ALIGN * RECORD_ALIGN;
	if (t->ring_bytes < RING_BYTES_MIN)
		t->ring_bytes = RING_BYTES_MIN;
	size_t sets = index_bytes / (WAYS * sizeof(struct txn_key));
	if (sets == 0)
		sets = 1;
	t->set_count = (uint32_t)(sets > UINT32_MAX / 8 ? UINT32_MAX / 8 : sets);
	t->ring = mem_alloc(t->ring_bytes);
	t->by_nonce = mem_alloc_array((size_t)t->set_count * WAYS, sizeof *t->by_nonce);
	t->by_queue = mem_alloc_array((size_t)t->set_count * WAYS, sizeof *t->by_queue);
	if (t->ring && t->by_nonce && t->by_queue)
		return true;
	txns_free(t);
	return false;
}

void txns_free(struct txns *t)
{
	mem_free(t->ring);
	mem_free(t->by_nonce);
	mem_free(t->by_queue);
	*t = (struct txns){ 0 };
}

size_t txns_bytes(const struct txns *t)
{
	return t->ring_bytes + 2 * (size_t)t->set_count * WAYS * sizeof(struct txn_key);
}

void txns_clear(struct txns *t)
{
	if (t->added == 0)
		return;
	memset(t->by_nonce, 0, (size_t)t->set_count * WAYS * sizeof *t->by_nonce);
	memset(t->by_queue, 0, (size_t)t->set_count * WAYS * sizeof *t->by_queue);
	t->head = 0;
	t->added = 0;
}

static struct txn_key *set_of(const struct txns *t, struct txn_key *index, uint64_t key)
{
	return index + (((key >> 32) * t->set_count) >> 32) * WAYS;
}

void txns_prefetch(const struct txns *t, uint64_t nonce, uint64_t queue)
{
	if (!t->ring)
		return;
	__builtin_prefetch(set_of(t, t->by_nonce, nonce));
	__builtin_prefetch(set_of(t, t->by_queue, queue));
}

static bool is_live(const struct txns *t, uint64_t at)
{
	return at < t->head && t->head - at <= t->ring_bytes;
}

static void index_put(const struct txns *t, struct txn_key *index, uint64_t key, uint64_t at)
{
	struct txn_key *set = set_of(t, index, key), *place = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			place = &set[i];
			break;
		}
		uint64_t age = set[i].key == 0 ? UINT64_MAX : t->head - set[i].at;
		uint64_t place_age = place->key == 0 ? UINT64_MAX : t->head - place->at;
		if (age > place_age)
			place = &set[i];
	}
	*place = (struct txn_key){ key, at };
}

static struct txn *record_at(const struct txns *t, uint64_t at)
{
	return (struct txn *)(void *)(t->ring + at % t->ring_bytes);
}

static struct txn *index_get(const struct txns *t, struct txn_key *index, uint64_t key)
{
	if (!t->ring || key == 0)
		return NULL;
	const struct txn_key *set = set_of(t, index, key);
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == key && is_live(t, set[i].at))
			return record_at(t, set[i].at);
	return NULL;
}

static size_t record_bytes(uint32_t rcpt_count)
{
	return sizeof(struct txn) + (size_t)rcpt_count * sizeof(struct txn_rcpt);
}

/* The rest of the ring is too short for the next record. */
static void skip_tail(struct txns *t)
{
	size_t left = t->ring_bytes - t->head % t->ring_bytes;
	memset(record_at(t, t->head), 0, left < sizeof(struct txn) ? left : sizeof(struct txn));
	t->head += left;
}

struct txn *txns_add(struct txns *t, uint64_t nonce, uint64_t queue, uint32_t rcpt_count)
{
	if (!t->ring || rcpt_count > t->ring_bytes / 4 / sizeof(struct txn_rcpt) - 4)
		return NULL;
	size_t bytes = record_bytes(rcpt_count);
	if (t->ring_bytes - t->head % t->ring_bytes < bytes)
		skip_tail(t);
	struct txn *txn = record_at(t, t->head);
	memset(txn, 0, bytes);
	txn->nonce = nonce;
	txn->queue = queue;
	txn->rcpt_count = rcpt_count;
	uint64_t at = t->head;
	t->head += bytes;
	t->added++;
	index_put(t, t->by_nonce, nonce, at);
	if (queue != 0)
		index_put(t, t->by_queue, queue, at);
	return txn;
}

struct txn *txns_find(const struct txns *t, uint64_t nonce)
{
	struct txn *txn = index_get(t, t->by_nonce, nonce);
	return txn && txn->nonce == nonce ? txn : NULL;
}

struct txn *txns_find_queue(const struct txns *t, uint64_t queue)
{
	return index_get(t, t->by_queue, queue);
}

void txns_alias(struct txns *t, uint64_t queue, const struct txn *txn)
{
	if (queue == 0 || !t->ring)
		return;
	size_t offset = (size_t)((const char *)txn - t->ring);
	uint64_t lap = t->head / t->ring_bytes * t->ring_bytes;
	uint64_t at = lap + offset < t->head ? lap + offset : lap + offset - t->ring_bytes;
	index_put(t, t->by_queue, queue, at);
}

struct txn_rcpt *txn_rcpt_find(struct txn *txn, const uint8_t pair[PAIR_BYTES])
{
	for (uint32_t i = 0; i < txn->rcpt_count; i++)
		if (memcmp(txn->rcpts[i].pair, pair, PAIR_BYTES) == 0)
			return &txn->rcpts[i];
	return NULL;
}

/* A lap is walked from the first record that the head has not overwritten. That
 * place is known only where the indexes still point, so the walk begins at the
 * start of the newest lap and, before it, takes the records of the lap before
 * that lie behind the head: found by their index entries being live. */
static bool is_indexed(const struct txns *t, const struct txn *txn, uint64_t at)
{
	if (txn->nonce == 0)
		return false;
	const struct txn_key *set = set_of(t, t->by_nonce, txn->nonce);
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == txn->nonce && set[i].at == at)
			return true;
	return false;
}

const struct txn *txns_next(const struct txns *t, uint64_t *at)
{
	uint64_t oldest = t->head > t->ring_bytes ? t->head - t->ring_bytes : 0;
	if (*at < oldest)
		*at = (oldest + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
	while (t->ring && *at < t->head) {
		size_t left = t->ring_bytes - *at % t->ring_bytes;
		const struct txn *txn = record_at(t, *at);
		if (left < sizeof *txn) {
			*at += left;
			continue;
		}
		if (is_indexed(t, txn, *at) && *at + record_bytes(txn->rcpt_count) <= t->head) {
			*at += record_bytes(txn->rcpt_count);
			return txn;
		}
		*at += RECORD_ALIGN;
	}
	return NULL;
}

uint64_t txn_queue_hash(const uint8_t *key, struct slice queue_id)
{
	return queue_id.len == 0 ? 0 : hash_sip128(key, queue_id).lo | 1;
}
