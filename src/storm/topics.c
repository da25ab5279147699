/* SPDX-License-Identifier: Apache-2.0
 *
 * topics: the tables.
 */
#include "storm/topics.h"

#include "base/mem.h"

enum {
	TOPIC_WAYS = 8,
	TOPIC_SLOTS_MIN = 64,
	WAIT_WAYS = 8,
	WAIT_OLD_S = 2 * 24 * 3600,
};

bool topics_init(struct topics *t, size_t bytes, size_t slot_bytes)
{
	*t = (struct topics){ .slot_bytes = slot_bytes };
	uint32_t count = TOPIC_SLOTS_MIN;
	while ((size_t)2 * count * (slot_bytes + sizeof *t->prints) <= bytes && count < UINT32_C(1) << 30)
		count *= 2;
	t->slots = mem_alloc_array(count, slot_bytes);
	t->prints = mem_alloc_array(count, sizeof *t->prints);
	if (!t->slots || !t->prints) {
		topics_free(t);
		return false;
	}
	t->slot_count = count;
	return true;
}

void topics_free(struct topics *t)
{
	mem_free(t->slots);
	mem_free(t->prints);
	*t = (struct topics){ .slot_bytes = t->slot_bytes };
}

size_t topics_bytes(const struct topics *t)
{
	return t->slot_count * (t->slot_bytes + sizeof *t->prints);
}

static uint32_t topic_print(uint64_t key)
{
	return (uint32_t)(key >> 32) | 1;
}

static uint32_t topic_bucket(const struct topics *t, uint64_t key)
{
	return (uint32_t)key & (t->slot_count - 1) & ~(uint32_t)(TOPIC_WAYS - 1);
}

struct topic *topics_at(const struct topics *t, uint32_t n)
{
	return (struct topic *)(void *)(t->slots + (size_t)n * t->slot_bytes);
}

void topics_prefetch(const struct topics *t, uint64_t key)
{
	if (t->slot_count > 0)
		__builtin_prefetch(t->prints + topic_bucket(t, key));
}

void *topics_find(const struct topics *t, uint64_t key)
{
	uint32_t print = topic_print(key), at = t->slot_count ? topic_bucket(t, key) : 0;
	for (uint32_t i = at; t->slot_count && i < at + TOPIC_WAYS; i++)
		if (t->prints[i] == print && topics_at(t, i)->key == key)
			return topics_at(t, i);
	return NULL;
}

/* A free slot, else the oldest quiet one; slot_count when all are open. */
static uint32_t topic_victim(const struct topics *t, uint32_t at)
{
	uint32_t best = t->slot_count;
	for (uint32_t i = at; i < at + TOPIC_WAYS; i++) {
		const struct topic *topic = topics_at(t, i);
		if (topic->key == 0)
			return i;
		bool is_older = best == t->slot_count || topic->last_s < topics_at(t, best)->last_s;
		if (topic->state < BREAKER_OPEN && is_older)
			best = i;
	}
	return best;
}

void *topics_get(struct topics *t, uint64_t key, uint32_t now_s)
{
	struct topic *topic = topics_find(t, key);
	if (topic || t->slot_count == 0) {
		if (topic)
			topic->last_s = now_s > topic->last_s ? now_s : topic->last_s;
		return topic;
	}
	uint32_t at = topic_victim(t, topic_bucket(t, key));
	if (at == t->slot_count)
		return NULL;
	topic = topics_at(t, at);
	t->evicted += topic->key != 0;
	t->used += topic->key == 0;
	memset(topic, 0, t->slot_bytes);
	topic->key = key;
	topic->last_s = now_s;
	t->prints[at] = topic_print(key);
	return topic;
}

/* --- waits -------------------------------------------------------------------------- */

bool waits_init(struct waits *w, size_t bytes)
{
	uint32_t count = TOPIC_SLOTS_MIN;
	while ((size_t)2 * count * sizeof *w->slots <= bytes && count < UINT32_C(1) << 30)
		count *= 2;
	*w = (struct waits){ .slots = mem_alloc_array(count, sizeof *w->slots) };
	w->slot_count = w->slots ? count : 0;
	return w->slots != NULL;
}

void waits_free(struct waits *w)
{
	mem_free(w->slots);
	*w = (struct waits){ 0 };
}

size_t waits_bytes(const struct waits *w)
{
	return w->slot_count * sizeof *w->slots;
}

static struct wait *wait_bucket(const struct waits *w, uint64_t key)
{
	return w->slots + ((uint32_t)(key >> 20) & (w->slot_count - 1) & ~(uint32_t)(WAIT_WAYS - 1));
}

struct wait *waits_find(const struct waits *w, uint64_t key)
{
	for (uint32_t i = 0; w->added && i < WAIT_WAYS; i++)
		if (wait_bucket(w, key)[i].key == key)
			return wait_bucket(w, key) + i;
	return NULL;
}

struct wait *waits_add(struct waits *w, uint64_t key, uint32_t now_s, uint32_t due_s)
{
	for (uint32_t i = 0; w->slot_count && i < WAIT_WAYS; i++) {
		struct wait *wait = wait_bucket(w, key) + i;
		bool is_old = wait->key && now_s > wait->first_s && now_s - wait->first_s > WAIT_OLD_S;
		if (wait->key && !is_old)
			continue;
		*wait = (struct wait){ .key = key, .first_s = now_s, .due_s = due_s };
		w->added++;
		return wait;
	}
	return NULL;
}

/* --- sent ----------------------------------------------------------------------------- */

enum { SENT_PROBES = 5, SENT_BITS_EACH = 12 /* of a filter for each id it holds */ };

bool sent_init(struct sent *s, size_t bytes)
{
	uint32_t bits = 1024;
	while ((size_t)2 * bits * 2 / 8 <= bytes && bits < UINT32_C(1) << 30)
		bits *= 2;
	*s = (struct sent){ .bit_count = bits };
	for (unsigned i = 0; i < 2; i++)
		s->bits[i] = mem_alloc_array(bits / 64, sizeof(uint64_t));
	if (s->bits[0] && s->bits[1])
		return true;
	sent_free(s);
	return false;
}

void sent_free(struct sent *s)
{
	mem_free(s->bits[0]);
	mem_free(s->bits[1]);
	*s = (struct sent){ 0 };
}

size_t sent_bytes(const struct sent *s)
{
	return s->bit_count / 8 * 2;
}

static uint32_t sent_bit(const struct sent *s, uint64_t id, unsigned probe)
{
	return ((uint32_t)id + probe * ((uint32_t)(id >> 32) | 1)) & (s->bit_count - 1);
}

void sent_note(struct sent *s, uint64_t id)
{
	if (s->bit_count == 0 || id == 0)
		return;
	if (++s->added > s->bit_count / SENT_BITS_EACH) {
		uint64_t *older = s->bits[1];
		s->bits[1] = s->bits[0];
		s->bits[0] = older;
		memset(older, 0, s->bit_count / 8);
		s->added = 1;
	}
	for (unsigned i = 0; i < SENT_PROBES; i++) {
		uint32_t bit = sent_bit(s, id, i);
		s->bits[0][bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

bool sent_holds(const struct sent *s, uint64_t id)
{
	for (unsigned filter = 0; s->bit_count && id && filter < 2; filter++) {
		unsigned hits = 0;
		for (unsigned i = 0; i < SENT_PROBES; i++) {
			uint32_t bit = sent_bit(s, id, i);
			hits += s->bits[filter][bit / 64] >> bit % 64 & 1;
		}
		if (hits == SENT_PROBES)
			return true;
	}
	return false;
}
