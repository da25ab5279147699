/* SPDX-License-Identifier: Apache-2.0
 *
 * transactions: see transactions.h.
 */
#include "watch/transactions.h"

#include "base/hash.h"
#include "base/mem.h"
#include "watch/servers.h"

#include <assert.h>

enum { TXN_BLOCKS_MIN = 8, TXN_ALIGN = 8 };

struct txn_block {
	struct txn_block *next;
	char bytes[TXN_BLOCK_BYTES - sizeof(struct txn_block *)];
};
static_assert(sizeof(struct txn) <= TXN_BLOCK_BYTES - sizeof(struct txn_block *), "a mail begins in one block");
static_assert(sizeof(struct txn_rcpt) <= TXN_BLOCK_BYTES / 2, "a recipient fits beside others");

struct roll {
	struct txn_block *blocks, *free;
	size_t block_count, fresh, used; /* fresh: never used from here on */
	struct txn **buckets;
	size_t bucket_count, bucket_max; /* powers of two; few in use while few mails are open, so that
					    they stay near the processor */
	struct list by_age[TXN_STAGE_COUNT];
	roll_evict_fn *evict;
	void *ctx;
	struct txn *newest;              /* touched as last: the next line is of it as a rule */
	size_t open;
	uint64_t evicted;
};

struct roll *roll_new(size_t bytes, roll_evict_fn *evict, void *ctx)
{
	struct roll *t = mem_alloc(sizeof *t);
	size_t each = sizeof(struct txn_block) + sizeof(struct txn *);
	if (!t)
		return NULL;
	t->block_count = bytes > sizeof *t + TXN_BLOCKS_MIN * each ? (bytes - sizeof *t) / each : TXN_BLOCKS_MIN;
	t->bucket_count = TXN_BLOCKS_MIN / 2;
	for (t->bucket_max = t->bucket_count; t->bucket_max * 2 <= t->block_count;)
		t->bucket_max *= 2;
	t->blocks = mem_alloc_array(t->block_count, sizeof *t->blocks);
	t->buckets = mem_alloc_array(t->bucket_max, sizeof(struct txn *));
	t->evict = evict;
	t->ctx = ctx;
	for (int i = 0; i < TXN_STAGE_COUNT; i++)
		list_init(&t->by_age[i]);
	if (t->blocks && t->buckets)
		return t;
	roll_free(t);
	return NULL;
}

void roll_free(struct roll *t)
{
	if (!t)
		return;
	mem_free(t->blocks);
	mem_free(t->buckets);
	mem_free(t);
}

/* ---- blocks ---- */

static struct txn *roll_victim(const struct roll *t, const struct txn *keep)
{
	for (int stage = 0; stage < TXN_STAGE_COUNT; stage++) {
		const struct list *head = &t->by_age[stage];
		for (struct list *at = head->next; at != head; at = at->next) {
			struct txn *txn = LIST_OWNER(at, struct txn, by_age);
			if (txn != keep)
				return txn;
		}
	}
	return NULL;
}

/* keep: must not give way. */
static struct txn_block *roll_take_block(struct roll *t, const struct txn *keep)
{
	while (!t->free && t->fresh == t->block_count) {
		struct txn *victim = roll_victim(t, keep);
		if (!victim)
			return NULL;
		t->evicted += victim->stage != TXN_SETTLED;
		t->evict(t->ctx, victim);
		roll_remove(t, victim);
	}
	struct txn_block *block = t->free;
	if (block)
		t->free = block->next;
	else
		block = &t->blocks[t->fresh++];
	t->used++;
	return block;
}

/* Of this mail; never more than a block has. NULL: no room. */
static char *txn_take(struct roll *t, struct txn *txn, size_t bytes, bool is_struct)
{
	size_t skip = is_struct ? (size_t)(-(uintptr_t)txn->free % TXN_ALIGN) : 0;
	if (skip + bytes > txn->free_bytes) {
		struct txn_block *block = roll_take_block(t, txn);
		if (!block)
			return NULL;
		block->next = txn->blocks;
		txn->blocks = block;
		txn->free = block->bytes;
		txn->free_bytes = sizeof block->bytes;
		skip = 0;
	}
	char *at = txn->free + skip;
	txn->free = at + bytes;
	txn->free_bytes -= skip + bytes;
	return at;
}

/* ---- mails ---- */

/* Eight bytes a step: one is made for each line. Nobody gains by a collision. */
static uint64_t txn_hash(const struct watch_server *server, struct slice queue_id)
{
	uint64_t hash = server->hash ^ queue_id.len, word;
	for (size_t at = 0; at < queue_id.len; at += sizeof word) {
		size_t n = queue_id.len - at < sizeof word ? queue_id.len - at : sizeof word;
		word = 0;
		memcpy(&word, queue_id.ptr + at, n);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

static struct txn **roll_bucket(const struct roll *t, uint64_t hash)
{
	return &t->buckets[(hash ^ hash >> 32) & (t->bucket_count - 1)];
}

struct txn *roll_find(const struct roll *t, const struct watch_server *server, struct slice queue_id)
{
	struct txn *txn = t->newest;
	if (txn && txn->server == server && queue_id.len > 0 && txn_is(txn->queue_id, queue_id))
		return txn;
	uint64_t hash = txn_hash(server, queue_id);
	txn = *roll_bucket(t, hash);
	while (txn && (txn->hash != hash || txn->server != server || !txn_is(txn->queue_id, queue_id)))
		txn = txn->next;
	return txn;
}

static void roll_chain(struct roll *t, struct txn *txn)
{
	struct txn **bucket = roll_bucket(t, txn->hash);
	txn->next = *bucket;
	*bucket = txn;
}

static void roll_spread(struct roll *t)
{
	memset(t->buckets, 0, t->bucket_count * sizeof(struct txn *));
	t->bucket_count *= 2;
	for (int stage = 0; stage < TXN_STAGE_COUNT; stage++)
		for (struct list *at = t->by_age[stage].next; at != &t->by_age[stage]; at = at->next) {
			struct txn *txn = LIST_OWNER(at, struct txn, by_age);
			if (txn->queue_id.len > 0)
				roll_chain(t, txn);
		}
}

struct txn *roll_add(struct roll *t, struct watch_server *server, struct slice queue_id, int64_t now_ms)
{
	struct txn_block *block = roll_take_block(t, NULL);
	if (!block)
		return NULL;
	struct txn *txn = (struct txn *)(void *)block->bytes;
	*txn = (struct txn){ .server = server, .blocks = block, .stage = TXN_BEGUN, .touched_ms = now_ms };
	block->next = NULL;
	txn->free = block->bytes + sizeof *txn;
	txn->free_bytes = sizeof block->bytes - sizeof *txn;
	list_init(&txn->untold);
	list_init(&txn->by_age);
	list_add(&t->by_age[TXN_BEGUN], &txn->by_age);
	t->open++;
	if (queue_id.len == 0)
		return txn;
	txn_set(t, txn, &txn->queue_id, queue_id);
	txn->hash = txn_hash(server, queue_id);
	roll_chain(t, txn);
	if (t->open > t->bucket_count && t->bucket_count < t->bucket_max)
		roll_spread(t);
	return txn;
}

void roll_remove(struct roll *t, struct txn *txn)
{
	struct txn **at = roll_bucket(t, txn->hash);
	while (*at && *at != txn)
		at = &(*at)->next;
	if (*at)
		*at = txn->next;
	if (t->newest == txn)
		t->newest = NULL;
	list_remove(&txn->by_age);
	list_remove(&txn->untold);
	t->open--;
	struct txn_block *block = txn->blocks, *next;
	for (; block; block = next) {
		next = block->next;
		block->next = t->free;
		t->free = block;
		t->used--;
	}
}

void roll_touch(struct roll *t, struct txn *txn, enum txn_stage stage, int64_t now_ms)
{
	txn->stage = (uint8_t)stage;
	txn->touched_ms = now_ms;
	t->newest = txn;
	list_remove(&txn->by_age);
	list_add(&t->by_age[stage], &txn->by_age);
}

struct txn *roll_oldest(const struct roll *t, enum txn_stage stage)
{
	const struct list *head = &t->by_age[stage];
	return list_is_empty(head) ? NULL : LIST_OWNER(head->next, struct txn, by_age);
}

/* ---- what is known of one ---- */

void txn_set(struct roll *t, struct txn *txn, struct txn_text *text, struct slice value)
{
	value = slice_first(value, TXN_TEXT_BYTES_MAX);
	if (value.len > text->cap) {
		char *at = txn_take(t, txn, value.len, false);
		if (!at)
			return;
		text->ptr = at;
		text->cap = (uint16_t)value.len;
	}
	if (value.len > 0)
		memcpy(text->ptr, value.ptr, value.len);
	text->len = (uint16_t)value.len;
}

bool txn_is(struct txn_text text, struct slice value)
{
	return slice_equal(txn_get(text), slice_first(value, TXN_TEXT_BYTES_MAX));
}

/* An alias that was named when the mail came: the first address that it stands for has its place. */
static struct txn_rcpt *txn_rcpt_alias(struct roll *t, struct txn *txn, struct slice address, struct slice orig)
{
	struct txn_rcpt *r = txn->rcpts;
	while (r && (r->status != WATCH_OPEN || r->orig.len > 0 || !txn_is(r->address, orig)))
		r = r->next;
	if (!r)
		return NULL;
	r->orig = r->address;
	r->address = (struct txn_text){ .ptr = NULL };
	txn_set(t, txn, &r->address, address);
	return r;
}

struct txn_rcpt *txn_rcpt(struct roll *t, struct txn *txn, struct slice address, struct slice orig, bool *is_new_out)
{
	uint32_t hash = (uint32_t)hash_mix(hash_mix(1, address), orig);
	struct txn_rcpt *r = txn->rcpts;
	*is_new_out = false;
	while (r && (r->hash != hash || !txn_is(r->address, address) || !txn_is(r->orig, orig)))
		r = r->next;
	if (!r && orig.len > 0) {
		r = txn_rcpt_alias(t, txn, address, orig);
		if (r)
			r->hash = hash;
	}
	if (r || txn->rcpt_count == WATCH_RCPTS_MAX)
		return r;
	r = (struct txn_rcpt *)(void *)txn_take(t, txn, sizeof *r, true);
	if (!r)
		return NULL;
	*r = (struct txn_rcpt){ .hash = hash, .status = WATCH_OPEN, .delay_ms = -1, .delays_ms = { -1, -1, -1, -1 } };
	txn_set(t, txn, &r->address, address);
	txn_set(t, txn, &r->orig, orig);
	*(txn->last_rcpt ? &txn->last_rcpt->next : &txn->rcpts) = r;
	txn->last_rcpt = r;
	txn->rcpt_count++;
	*is_new_out = true;
	return r;
}

void roll_counts(const struct roll *t, struct roll_counts *counts_out)
{
	size_t fixed = sizeof *t + t->bucket_max * sizeof(struct txn *);
	*counts_out = (struct roll_counts){ .open = t->open,
					    .bytes = fixed + t->used * sizeof *t->blocks,
					    .bytes_max = fixed + t->block_count * sizeof *t->blocks,
					    .evicted = t->evicted };
}
