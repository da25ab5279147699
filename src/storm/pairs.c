/* SPDX-License-Identifier: Apache-2.0
 *
 * pairs: the slot's 40 bits, the look-up, and who gives way.
 *
 * Bits of rest, from 24: last 14 (minute modulo 2^14), gap2 6 and gap3 6 (minutes
 * from the newest to the second, from the second to the third; 63 = an hour or
 * more, or none), day 4 (copies in the running day), start 7 (how many 16-minute
 * steps before last the running day began), flags 3.
 */
#include "storm/pairs.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	MINUTE_MS = 60 * 1000,
	MINUTE_MASK = 0x3fff,
	MINUTES_AHEAD = 2 * 1440, /* a slot this far in the future: the clock went back */
	GAP_NONE = 63,
	HOUR_MIN = 60,
	DAY_STEPS = 90,           /* of 16 minutes */
	BUCKET_BYTES = 128,
};

struct slot_state {
	unsigned last, gap2, gap3, day, start, flags;
};

static const uint64_t TAG_MASK = 0xffffff;

static struct slot_state state_unpack(uint64_t rest)
{
	return (struct slot_state){
		.last = (unsigned)(rest >> 24) & MINUTE_MASK,
		.gap2 = (unsigned)(rest >> 38) & 63,
		.gap3 = (unsigned)(rest >> 44) & 63,
		.day = (unsigned)(rest >> 50) & 15,
		.start = (unsigned)(rest >> 54) & 127,
		.flags = (unsigned)(rest >> 61) & 7,
	};
}

static uint64_t state_pack(struct slot_state s)
{
	return (uint64_t)s.last << 24 | (uint64_t)s.gap2 << 38 | (uint64_t)s.gap3 << 44 |
	       (uint64_t)s.day << 50 | (uint64_t)s.start << 54 | (uint64_t)s.flags << 61;
}

static unsigned minute_of(int64_t now_ms)
{
	return (unsigned)((uint64_t)(now_ms / MINUTE_MS) & MINUTE_MASK);
}

/* Minutes since the slot's newest copy; 0 when the clock stepped back. */
static unsigned age_of(unsigned now_min, unsigned last)
{
	unsigned age = (now_min - last) & MINUTE_MASK;
	return age > MINUTE_MASK - MINUTES_AHEAD ? 0 : age;
}

bool pairs_init(struct pairs *p, size_t bytes, uint32_t memory_s)
{
	*p = (struct pairs){ .memory_min = memory_s / 60 };
	size_t buckets = bytes > 2 * BUCKET_BYTES ? bytes / BUCKET_BYTES - 1 : 1;
	if (buckets > UINT32_MAX / 2)
		buckets = UINT32_MAX / 2;
	p->block = mem_alloc((buckets + 1) * BUCKET_BYTES);
	if (!p->block)
		return false;
	uintptr_t at = ((uintptr_t)p->block + BUCKET_BYTES - 1) & ~(uintptr_t)(BUCKET_BYTES - 1);
	p->slots = (struct pair_slot *)at; /* NOLINT: the block is large enough */
	p->bucket_count = (uint32_t)buckets;
	return true;
}

void pairs_free(struct pairs *p)
{
	mem_free(p->block);
	*p = (struct pairs){ 0 };
}

size_t pairs_bytes(const struct pairs *p)
{
	return p->block ? ((size_t)p->bucket_count + 1) * BUCKET_BYTES : 0;
}

static size_t address_lower_domain(struct slice rcpt, uint8_t *out)
{
	size_t at = rcpt.len;
	for (size_t i = 0; i < rcpt.len; i++)
		if (rcpt.ptr[i] == '@')
			at = i;
	for (size_t i = 0; i < rcpt.len; i++)
		out[i] = (uint8_t)(i > at ? ascii_lower(rcpt.ptr[i]) : rcpt.ptr[i]);
	return rcpt.len;
}

void pair_name(const uint8_t *key, const uint8_t instance[DIGEST_SHORT_BYTES], struct slice rcpt,
	       uint8_t pair_out[PAIR_BYTES])
{
	enum { ADDRESS_BYTES_MAX = 496 };
	uint8_t text[DIGEST_SHORT_BYTES + ADDRESS_BYTES_MAX];
	size_t len = DIGEST_SHORT_BYTES;
	memcpy(text, instance, DIGEST_SHORT_BYTES);
	if (rcpt.len <= ADDRESS_BYTES_MAX) {
		len += address_lower_domain(rcpt, text + len);
	} else { /* longer than any lawful address: its digest stands for it */
		struct digest d;
		digest_init(&d, key, DIGEST_BYTES);
		digest_add(&d, rcpt);
		digest_end(&d, text + len);
		len += DIGEST_BYTES;
	}
	struct hash128 h = hash_sip128(key, slice_make(text, len));
	memcpy(pair_out, &h, PAIR_BYTES);
}

struct pair_tag {
	uint64_t lo, hi; /* hi: 24 bits */
};

static struct pair_tag tag_of(const uint8_t pair[PAIR_BYTES])
{
	struct pair_tag t;
	uint32_t high;
	memcpy(&t.lo, pair, 8);
	memcpy(&high, pair + 8, 4);
	t.hi = high & TAG_MASK;
	return t;
}

static struct pair_slot *bucket_of(const struct pairs *p, uint64_t tag, unsigned choice)
{
	uint64_t part = choice ? tag >> 32 : tag & UINT32_MAX;
	return p->slots + ((part * p->bucket_count) >> 32) * PAIR_BUCKET_SLOTS;
}

void pairs_prefetch(const struct pairs *p, const uint8_t pair[PAIR_BYTES])
{
	if (!p->slots)
		return;
	struct pair_tag t = tag_of(pair);
	for (unsigned choice = 0; choice < 2; choice++) {
		const struct pair_slot *bucket = bucket_of(p, t.lo, choice);
		__builtin_prefetch(bucket);
		__builtin_prefetch(bucket + 4);
	}
}

/* One bit per slot of the bucket with this tag. Without a branch, so that the
 * processor can begin with the next recipient's bucket while this one is fetched. */
static unsigned match_bucket(const struct pair_slot *b, uint64_t tag)
{
	return (unsigned)(b[0].tag == tag) << 0 | (unsigned)(b[1].tag == tag) << 1 |
	       (unsigned)(b[2].tag == tag) << 2 | (unsigned)(b[3].tag == tag) << 3 |
	       (unsigned)(b[4].tag == tag) << 4 | (unsigned)(b[5].tag == tag) << 5 |
	       (unsigned)(b[6].tag == tag) << 6 | (unsigned)(b[7].tag == tag) << 7;
}

static struct pair_slot *find(const struct pairs *p, struct pair_tag t)
{
	if (!p->slots)
		return NULL;
	struct pair_slot *first = bucket_of(p, t.lo, 0), *second = bucket_of(p, t.lo, 1);
	unsigned match = match_bucket(first, t.lo) | match_bucket(second, t.lo) << PAIR_BUCKET_SLOTS;
	for (; match; match &= match - 1) {
		size_t at = (size_t)__builtin_ctz(match), in_second = at / PAIR_BUCKET_SLOTS;
		/* Arithmetic and no choice: which bucket it is, is as good as random. */
		struct pair_slot *slot = first + (second - first) * (ptrdiff_t)in_second +
					 at % PAIR_BUCKET_SLOTS;
		if (slot->rest != 0 && (slot->rest & TAG_MASK) == t.hi)
			return slot;
	}
	return NULL;
}

static bool is_old(const struct pairs *p, uint64_t rest, unsigned now_min)
{
	return age_of(now_min, (unsigned)(rest >> 24) & MINUTE_MASK) > p->memory_min;
}

static unsigned hour_count(struct slot_state s, unsigned age)
{
	if (age >= HOUR_MIN)
		return 0;
	if (s.gap2 == GAP_NONE || age + s.gap2 >= HOUR_MIN)
		return 1;
	return s.gap3 == GAP_NONE || age + s.gap2 + s.gap3 >= HOUR_MIN ? 2 : 3;
}

/* 16-minute steps from the beginning of the running day to now. */
static unsigned day_steps(struct slot_state s, unsigned age)
{
	return ((s.last + age) >> 4) - (s.last >> 4) + s.start;
}

struct pair_seen pairs_look(const struct pairs *p, const uint8_t pair[PAIR_BYTES], int64_t now_ms)
{
	const struct pair_slot *slot = find(p, tag_of(pair));
	unsigned now_min = minute_of(now_ms);
	if (!slot || is_old(p, slot->rest, now_min))
		return (struct pair_seen){ 0 };
	struct slot_state s = state_unpack(slot->rest);
	unsigned age = age_of(now_min, s.last);
	return (struct pair_seen){
		.is_known = true,
		.hour = hour_count(s, age),
		.day = day_steps(s, age) >= DAY_STEPS ? 0 : s.day,
		.flags = s.flags,
	};
}

/* Lower gives way first: free or too old, seen once, the rest. */
static unsigned eviction_rank(const struct pairs *p, uint64_t rest, unsigned now_min)
{
	if (rest == 0 || is_old(p, rest, now_min))
		return 0;
	return ((rest >> 61) & (PAIR_MANY | PAIR_HELD)) ? 2 : 1;
}

static unsigned bucket_used(const struct pairs *p, const struct pair_slot *bucket, unsigned now_min)
{
	unsigned used = 0;
	for (unsigned i = 0; i < PAIR_BUCKET_SLOTS; i++)
		used += eviction_rank(p, bucket[i].rest, now_min) > 0;
	return used;
}

static struct pair_slot *bucket_free_slot(const struct pairs *p, struct pair_slot *bucket,
					  unsigned now_min)
{
	for (unsigned i = 0; i < PAIR_BUCKET_SLOTS; i++)
		if (eviction_rank(p, bucket[i].rest, now_min) == 0)
			return &bucket[i];
	return NULL;
}

/* Both buckets are full: the oldest of the lowest rank, or NULL. */
static struct pair_slot *victim(const struct pairs *p, struct pair_slot *const buckets[2],
				unsigned now_min)
{
	struct pair_slot *worst = NULL;
	unsigned worst_score = 0;
	for (unsigned i = 0; i < 2 * PAIR_BUCKET_SLOTS; i++) {
		struct pair_slot *slot = &buckets[i / PAIR_BUCKET_SLOTS][i % PAIR_BUCKET_SLOTS];
		unsigned age = age_of(now_min, (unsigned)(slot->rest >> 24) & MINUTE_MASK);
		bool is_single = eviction_rank(p, slot->rest, now_min) < 2;
		if (!is_single && age < HOUR_MIN)
			continue;
		unsigned score = 1 + age + (is_single ? MINUTE_MASK + 1 : 0);
		if (score > worst_score) {
			worst = slot;
			worst_score = score;
		}
	}
	return worst;
}

/* A slot for a pair that is not in the table; NULL when nothing may give way. */
static struct pair_slot *make_room(struct pairs *p, struct pair_tag t, unsigned now_min)
{
	if (!p->slots)
		return NULL;
	struct pair_slot *const buckets[2] = { bucket_of(p, t.lo, 0), bucket_of(p, t.lo, 1) };
	bool is_second_emptier =
		bucket_used(p, buckets[1], now_min) < bucket_used(p, buckets[0], now_min);
	struct pair_slot *slot = bucket_free_slot(p, buckets[is_second_emptier], now_min);
	if (slot) {
		p->used += slot->rest == 0;
		return slot;
	}
	slot = victim(p, buckets, now_min);
	if (slot)
		p->evicted++;
	return slot;
}

static struct slot_state state_advance(struct slot_state s, unsigned now_min)
{
	unsigned age = age_of(now_min, s.last);
	unsigned steps = day_steps(s, age);
	bool is_new_day = steps >= DAY_STEPS;
	s.gap3 = s.gap2;
	s.gap2 = age < GAP_NONE ? age : GAP_NONE;
	s.last = (s.last + age) & MINUTE_MASK;
	s.day = is_new_day ? 1 : s.day < PAIR_DAY_MAX ? s.day + 1 : PAIR_DAY_MAX;
	s.start = is_new_day ? 0 : steps;
	s.flags |= PAIR_MANY;
	return s;
}

bool pairs_confirm(struct pairs *p, const uint8_t pair[PAIR_BYTES], int64_t now_ms,
		   bool is_believed)
{
	struct pair_tag t = tag_of(pair);
	unsigned now_min = minute_of(now_ms);
	struct pair_slot *slot = find(p, t);
	struct slot_state s = { .last = now_min, .gap2 = GAP_NONE, .gap3 = GAP_NONE, .day = 1,
				.flags = is_believed ? PAIR_BELIEVED : 0 };
	if (slot && !is_old(p, slot->rest, now_min)) {
		s = state_advance(state_unpack(slot->rest), now_min);
		if (!is_believed)
			s.flags &= ~(unsigned)PAIR_BELIEVED;
	} else if (!slot) {
		slot = make_room(p, t, now_min);
	}
	if (!slot)
		return false;
	*slot = (struct pair_slot){ .tag = t.lo, .rest = state_pack(s) | t.hi };
	return true;
}

bool pairs_mark(struct pairs *p, const uint8_t pair[PAIR_BYTES], unsigned set, unsigned clear)
{
	struct pair_slot *slot = find(p, tag_of(pair));
	if (!slot)
		return false;
	slot->rest |= (uint64_t)(set & 7) << 61;
	slot->rest &= ~((uint64_t)(clear & 7) << 61);
	return true;
}

void pairs_forget(struct pairs *p, const uint8_t pair[PAIR_BYTES])
{
	struct pair_slot *slot = find(p, tag_of(pair));
	if (!slot)
		return;
	*slot = (struct pair_slot){ 0 };
	p->used--;
}

void pairs_sweep(struct pairs *p, int64_t now_ms, uint32_t buckets)
{
	unsigned now_min = minute_of(now_ms);
	if (p->used == 0)
		return; /* where only logs are watched no pair is ever kept: its memory stays untouched */
	for (uint32_t n = 0; n < buckets && n < p->bucket_count; n++) {
		struct pair_slot *bucket = p->slots + (size_t)p->sweep_at * PAIR_BUCKET_SLOTS;
		for (unsigned i = 0; i < PAIR_BUCKET_SLOTS; i++) {
			if (bucket[i].rest == 0 || !is_old(p, bucket[i].rest, now_min))
				continue;
			bucket[i] = (struct pair_slot){ 0 };
			p->used--;
		}
		p->sweep_at = p->sweep_at + 1 < p->bucket_count ? p->sweep_at + 1 : 0;
	}
}

void pairs_clear(struct pairs *p)
{
	for (size_t i = 0; p->used > 0 && i < (size_t)p->bucket_count * PAIR_BUCKET_SLOTS; i++) {
		if (p->slots[i].rest == 0)
			continue;
		p->slots[i] = (struct pair_slot){ 0 };
		p->used--;
	}
}

bool pairs_insert(struct pairs *p, struct pair_slot slot, int64_t now_ms)
{
	struct pair_tag t = { slot.tag, slot.rest & TAG_MASK };
	unsigned now_min = minute_of(now_ms);
	if (state_unpack(slot.rest).day == 0)
		return false;
	if (is_old(p, slot.rest, now_min) || find(p, t))
		return true;
	struct pair_slot *room = make_room(p, t, now_min);
	if (!room)
		return false;
	*room = slot;
	return true;
}
