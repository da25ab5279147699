/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_codec: a key as one block of bytes, and back.
 *
 *   version, kind, flags, name length; the hash and a print of the seed it was made with;
 *   the name; numbers, little-endian, in the order of the two tables below; mean and seen.
 *   The last bins, of which only the end of an alarm is judged, are kept as levels.
 *
 * A name that was cut is found again only under the same seed. Whatever is not exactly
 * understood is refused: a key that starts anew is silent for 14 days, no more.
 */
#include "storm/rates_inner.h"

#include <math.h>

enum {
	VERSION = 1,
	BLOCK_BYTES_MAX = 512,
	KEPT_FLAGS = RATE_IS_ALARM | RATE_IS_COLD_ALARM | RATE_IS_TOLD,
};

static const uint16_t words[] = {
	offsetof(struct rate_cold, first_bin),	offsetof(struct rate_cold, since_bin),
	offsetof(struct rate_cold, peak),
	offsetof(struct rate_cold, alarm_peak), offsetof(struct rate_cold, before_peak),
	offsetof(struct rate_cold, began_bin),	offsetof(struct rate_cold, told_bin),
	offsetof(struct rate_cold, ended_bin),	offsetof(struct rate_cold, episode_first),
	offsetof(struct rate_cold, episode_last),
};
static const uint16_t numbers[] = {
	offsetof(struct rate_cold, hour_taught), offsetof(struct rate_cold, sum),
	offsetof(struct rate_cold, n),		 offsetof(struct rate_cold, mails),
	offsetof(struct rate_cold, square),	 offsetof(struct rate_cold, before),
	offsetof(struct rate_cold, excess), /* the last: the only one that may be below zero */
};
enum { WORDS = sizeof words / sizeof words[0], NUMBERS = sizeof numbers / sizeof numbers[0] };

struct block {
	uint8_t bytes[BLOCK_BYTES_MAX];
	size_t len;
};

static void put(struct block *b, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		b->bytes[b->len++] = (uint8_t)(value >> 8 * i);
}

static uint64_t take(struct slice *s, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)(uint8_t)s->ptr[i] << 8 * i;
	*s = slice_from(*s, bytes);
	return value;
}

static size_t block_bytes(size_t name_len)
{
	return 4 + 8 + 4 + name_len + 3 * 4 + 8 + RATE_BINS_HOUR + 4 * (WORDS + NUMBERS) + 2 * RATE_HOURS_WEEK;
}
_Static_assert(4 + 8 + 4 + RATE_NAME_BYTES - 1 + 3 * 4 + 8 + RATE_BINS_HOUR + 4 * (WORDS + NUMBERS) +
	       2 * RATE_HOURS_WEEK <= BLOCK_BYTES_MAX, "a block is too long");

static uint32_t seed_print(const struct rates *r)
{
	return (uint32_t)hash_sip128(r->seed[0], SLICE("rates")).hi;
}

static void write_key(const struct rates *r, const struct rate_cold *c, struct block *b)
{
	const struct rate_hot *h = &r->hot[c->hot - 1];
	size_t name_len = strnlen(c->name, RATE_NAME_BYTES - 1);
	b->len = 0;
	put(b, VERSION, 1);
	put(b, h->kind, 1);
	put(b, c->flags & KEPT_FLAGS, 1);
	put(b, name_len, 1);
	put(b, h->hash, 8);
	put(b, seed_print(r), 4);
	memcpy(b->bytes + b->len, c->name, name_len);
	b->len += name_len;
	put(b, h->bin, 4);
	put(b, h->count, 4);
	put(b, h->last, 4);
	put(b, c->run_mails, 8);
	for (unsigned i = 0; i < RATE_BINS_HOUR; i++)
		put(b, rate_level_byte(c->recent[i]), 1);
	for (unsigned i = 0; i < WORDS + NUMBERS; i++) {
		uint32_t word;
		memcpy(&word, (const char *)c + (i < WORDS ? words[i] : numbers[i - WORDS]), sizeof word);
		put(b, word, 4);
	}
	memcpy(b->bytes + b->len, c->mean, RATE_HOURS_WEEK);
	memcpy(b->bytes + b->len + RATE_HOURS_WEEK, c->seen, RATE_HOURS_WEEK);
	b->len += 2 * RATE_HOURS_WEEK;
}

bool rates_save(const struct rates *r, bool (*emit)(void *ctx, struct slice block), void *ctx)
{
	struct block b;
	for (size_t i = 0; i < r->cold_max; i++) {
		if (r->cold[i].hot == 0)
			continue;
		write_key(r, &r->cold[i], &b);
		if (!emit(ctx, slice_make(b.bytes, b.len)))
			return false;
	}
	return true;
}

static bool is_sound(const struct rate_hot *h, const struct rate_cold *c)
{
	for (unsigned i = 0; i < NUMBERS; i++) {
		float number;
		memcpy(&number, (const char *)c + numbers[i], sizeof number);
		if (!isfinite(number) || fabsf(number) > 1e30f || (number < 0 && i != NUMBERS - 1))
			return false;
	}
	for (unsigned i = 0; i < WORDS; i++) {
		uint32_t word;
		memcpy(&word, (const char *)c + words[i], sizeof word);
		bool is_bin = words[i] != offsetof(struct rate_cold, peak) &&
			      words[i] != offsetof(struct rate_cold, alarm_peak) &&
			      words[i] != offsetof(struct rate_cold, before_peak);
		if (is_bin && word > h->bin + (words[i] == offsetof(struct rate_cold, since_bin)))
			return false;
	}
	return !(c->flags & RATE_IS_ALARM) == !(c->flags & (RATE_IS_ALARM | RATE_IS_COLD_ALARM | RATE_IS_TOLD));
}

static void read_body(struct slice s, struct rate_hot *h, struct rate_cold *c)
{
	h->bin = (uint32_t)take(&s, 4);
	h->count = (uint32_t)take(&s, 4);
	h->last = (uint32_t)take(&s, 4);
	c->run_mails = take(&s, 8);
	for (unsigned i = 0; i < RATE_BINS_HOUR; i++)
		c->recent[i] = (uint32_t)(rate_level((uint8_t)take(&s, 1)) + 0.5);
	for (unsigned i = 0; i < WORDS + NUMBERS; i++) {
		uint32_t word = (uint32_t)take(&s, 4);
		memcpy((char *)c + (i < WORDS ? words[i] : numbers[i - WORDS]), &word, sizeof word);
	}
	memcpy(c->mean, s.ptr, RATE_HOURS_WEEK);
	memcpy(c->seen, s.ptr + RATE_HOURS_WEEK, RATE_HOURS_WEEK);
	c->hour = h->bin / RATE_BINS_HOUR;
	c->hour_mails = c->hour_taught < 1e9f ? (uint32_t)c->hour_taught : 0;
}

/* The key that was saved takes the place of one of the same name. */
static bool place_key(struct rates *r, const struct rate_hot *was, const struct rate_cold *key, struct slice name)
{
	bool is_alarm = key->flags & RATE_IS_ALARM;
	struct rate_hot *h = rate_hot_get(r, was->kind, was->hash, was->bin);
	if (!h || (h->cold && (r->cold[h->cold - 1].flags & RATE_IS_ALARM)))
		return false;
	if (is_alarm && r->alarm_count >= r->alarm_max)
		return false;
	if (!h->cold && !rate_cold_earn(r, h, name, RATE_NO_LIMIT))
		return false;
	struct rate_cold *c = &r->cold[h->cold - 1];
	uint32_t hot = c->hot, cold = h->cold;
	*c = *key;
	*h = *was;
	c->hot = hot;
	h->cold = cold;
	c->flags |= RATE_IS_RESTORED;
	memset(c->name, 0, sizeof c->name);
	memcpy(c->name, name.ptr, name.len);
	rate_key_measure(r, c);
	h->limit = rate_key_limit(r, h, c);
	if (is_alarm)
		rate_alarm_add(r, cold - 1);
	return true;
}

bool rates_restore(struct rates *r, struct slice block)
{
	struct rate_hot h = { 0 };
	struct rate_cold c = { 0 };
	if (block.len < 4 || take(&block, 1) != VERSION)
		return false;
	h.kind = (uint8_t)take(&block, 1);
	c.flags = (uint8_t)take(&block, 1);
	size_t name_len = (size_t)take(&block, 1);
	if (h.kind >= RATE_KIND_COUNT || (c.flags & ~KEPT_FLAGS) || name_len >= RATE_NAME_BYTES)
		return false;
	if (block.len + 4 != block_bytes(name_len))
		return false;
	h.hash = take(&block, 8);
	bool is_same_seed = take(&block, 4) == seed_print(r);
	struct slice name = slice_first(block, name_len);
	if (memchr(name.ptr, '\0', name_len) || h.hash == 0 || (name_len == RATE_NAME_BYTES - 1 && !is_same_seed))
		return false;
	if (!is_same_seed)
		h.hash = rate_hash(r, h.kind, name);
	read_body(slice_from(block, name_len), &h, &c);
	return h.bin <= INT32_MAX && is_sound(&h, &c) && place_key(r, &h, &c, name);
}
