/* SPDX-License-Identifier: Apache-2.0
 *
 * rates: the table of keys, the counting, who gives way to whom.
 *
 * Four hot parts for each cold one, in sets of eight: a flood of names that come once or
 * twice moves through the hot parts without a cold one and throws out only its like. A
 * cold part is earned by the third mail; when none is free, the least used of sixteen
 * gives way if it is used less than the newcomer. Keys in alarm stay.
 */
#include "storm/rates_inner.h"

#include "base/mem.h"

#include <math.h>

enum {
	KEYS_MIN = 16,
	KEYS_MAX = 1 << 20,
	SEARCH = 16,
	ALARMS_MAX = 1024,
	IDLE_BINS = 7 * RATE_BINS_DAY,
	KEYS_WATCHED_MIN = 64,   /* for so many keys the thresholds are made at least */
	FALSE_ALARM_MARGIN = 20, /* times rarer than one a week over all keys: the model is not the world */
	TIME_BACK_BINS = 30 * RATE_BINS_DAY, /* so far back: it was the newest bin that lied */
};

const char *rate_kind_name(enum rate_kind kind)
{
	static const char *const names[RATE_KIND_COUNT] = { "client",	 "sender",	"user",
							    "recipient", "destination", "server" };
	return (unsigned)kind < RATE_KIND_COUNT ? names[kind] : "key";
}

static void set_sizes(struct rates *r, size_t bytes)
{
	size_t each = sizeof(struct rate_cold) + RATE_HOT_PER_COLD * sizeof(struct rate_hot) + sizeof(uint32_t);
	size_t keys = bytes > sizeof *r ? (bytes - sizeof *r) / each : 0;
	keys = keys < KEYS_MIN ? KEYS_MIN : keys > KEYS_MAX ? KEYS_MAX : keys;
	r->cold_max = keys;
	r->set_count = keys * RATE_HOT_PER_COLD / RATE_WAYS;
	r->alarm_max = keys < ALARMS_MAX ? keys : ALARMS_MAX;
	r->bytes = sizeof *r + keys * sizeof *r->cold + r->set_count * RATE_WAYS * sizeof *r->hot +
		   r->alarm_max * sizeof *r->alarms;
}

static void set_target(struct rates *r)
{
	size_t keys = r->cold_count > KEYS_WATCHED_MIN ? r->cold_count : KEYS_WATCHED_MIN;
	r->target = (double)keys * RATE_BINS_WEEK * FALSE_ALARM_MARGIN;
}

struct rates *rates_new(size_t bytes, const uint8_t *seed_key)
{
	struct rates *r = mem_alloc(sizeof *r);
	if (!r)
		return NULL;
	set_sizes(r, bytes);
	set_target(r);
	for (unsigned i = 0; i < RATE_KIND_COUNT; i++) {
		memcpy(r->seed[i], seed_key, HASH_KEY_BYTES);
		r->seed[i][0] ^= (uint8_t)i;
	}
	r->hot = mem_alloc_array(r->set_count * RATE_WAYS, sizeof *r->hot);
	r->cold = mem_alloc_array(r->cold_max, sizeof *r->cold);
	r->alarms = mem_alloc_array(r->alarm_max, sizeof *r->alarms);
	if (r->hot && r->cold && r->alarms)
		return r;
	rates_free(r);
	return NULL;
}

void rates_free(struct rates *r)
{
	if (!r)
		return;
	mem_free(r->hot);
	mem_free(r->cold);
	mem_free(r->alarms);
	mem_free(r);
}

uint32_t rate_bin_of(int64_t now_ms)
{
	int64_t bin = now_ms > 0 ? now_ms / RATE_BIN_MS : 0;
	return bin > INT32_MAX ? INT32_MAX : (uint32_t)bin;
}

uint64_t rate_hash(const struct rates *r, enum rate_kind kind, struct slice name)
{
	uint64_t hash = hash_sip128(r->seed[kind], name).lo;
	return hash ? hash : 1;
}

/* Who gives way: free ones, then those without a cold part, the longest silent first.
 * A learnt key only after a week of silence. */
static struct rate_hot *find_place(const struct rates *r, struct rate_hot *set, uint32_t bin)
{
	struct rate_hot *worst = NULL;
	for (unsigned i = 0; i < RATE_WAYS; i++) {
		struct rate_hot *h = &set[i];
		if (h->hash == 0)
			return h;
		bool is_kept = h->cold && ((r->cold[h->cold - 1].flags & RATE_IS_ALARM) || h->bin + IDLE_BINS > bin);
		if (is_kept)
			continue;
		if (!worst || (worst->cold && !h->cold) || (!worst->cold == !h->cold && h->bin < worst->bin))
			worst = h;
	}
	return worst;
}

static void free_cold(struct rates *r, uint32_t number)
{
	r->hot[r->cold[number].hot - 1].cold = 0;
	memset(&r->cold[number], 0, sizeof r->cold[number]);
	r->cold_count--;
	r->evicted++;
}

static struct rate_hot *make_hot(struct rates *r, struct rate_hot *set, enum rate_kind kind, uint64_t hash,
				 uint32_t bin)
{
	struct rate_hot *h = find_place(r, set, bin);
	if (!h)
		return NULL;
	if (h->cold) {
		r->hand = h->cold - 1; /* the next search begins where it is free */
		free_cold(r, h->cold - 1);
	}
	*h = (struct rate_hot){ .hash = hash, .bin = bin, .limit = RATE_EARN_MAILS, .kind = (uint8_t)kind };
	return h;
}

struct rate_hot *rate_hot_get(struct rates *r, enum rate_kind kind, uint64_t hash, uint32_t bin)
{
	struct rate_hot *set = r->hot + (((hash >> 32) * r->set_count) >> 32) * RATE_WAYS;
	for (unsigned i = 0; i < RATE_WAYS; i++)
		if (set[i].hash == hash && set[i].kind == kind)
			return &set[i];
	return make_hot(r, set, kind, hash, bin);
}

/* Mails, faded by half in 14 days. */
static double worth_of(const struct rates *r, const struct rate_cold *c)
{
	uint32_t bin = r->hot[c->hot - 1].bin;
	double idle = r->bin > bin ? r->bin - bin : 0;
	return c->mails * exp2(-idle / RATE_BINS_LEARN) + r->hot[c->hot - 1].count;
}

static struct rate_cold *find_cold(struct rates *r, uint32_t worth)
{
	struct rate_cold *least = NULL;
	double least_worth = worth;
	bool is_full = r->cold_count >= r->cold_max;
	for (size_t i = 0; i < (is_full ? SEARCH : r->cold_max); i++) {
		struct rate_cold *c = &r->cold[r->hand];
		r->hand = r->hand + 1 < r->cold_max ? r->hand + 1 : 0;
		if (c->hot == 0)
			return c;
		if (!is_full || (c->flags & RATE_IS_ALARM))
			continue;
		double its = worth_of(r, c);
		if (its < least_worth) {
			least = c;
			least_worth = its;
		}
	}
	if (least)
		free_cold(r, (uint32_t)(least - r->cold));
	return least;
}

bool rate_cold_earn(struct rates *r, struct rate_hot *h, struct slice name, uint32_t worth)
{
	struct rate_cold *c = find_cold(r, worth);
	if (!c)
		return false;
	r->cold_count++;
	set_target(r);
	name = slice_first(name, RATE_NAME_BYTES - 1);
	if (name.len > 0)
		memcpy(c->name, name.ptr, name.len);
	c->hot = (uint32_t)(h - r->hot) + 1;
	h->cold = (uint32_t)(c - r->cold) + 1;
	rate_key_begin(c, h->bin);
	return true;
}

/* The rare way: the limit was reached. */
static __attribute__((noinline)) void look(struct rates *r, struct rate_hot *h, struct slice name)
{
	if (h->cold == 0) {
		uint32_t worth = h->count > RATE_NO_LIMIT - h->last ? RATE_NO_LIMIT : h->last + h->count;
		if (!rate_cold_earn(r, h, name, worth)) {
			h->limit = h->count > RATE_NO_LIMIT / 2 ? RATE_NO_LIMIT : 2 * h->count;
			return;
		}
		h->last = 0;
		h->limit = rate_key_limit(r, h, &r->cold[h->cold - 1]);
	}
	if (h->count >= h->limit)
		rate_alarm_look(r, h, &r->cold[h->cold - 1]);
}

/* A key's newest bin lies a month ahead of all that comes: a clock was wrong. */
static void step_back(struct rates *r, struct rate_hot *h, uint32_t bin)
{
	h->bin = bin;
	h->count = h->last = 0;
	if (h->cold == 0)
		return;
	struct rate_cold *c = &r->cold[h->cold - 1];
	c->began_bin = c->told_bin = bin;
	c->ended_bin = c->episode_first = c->episode_last = 0;
	c->first_bin = c->first_bin < bin ? c->first_bin : bin;
	c->hour = bin / RATE_BINS_HOUR;
	c->hour_mails = 0;
	c->hour_taught = 0;
	c->sum = 0;
	c->run_mails = 0;
	c->since_bin = bin;
	rate_key_measure(r, c);
	h->limit = rate_key_limit(r, h, c);
}

static __attribute__((noinline)) void change_bin(struct rates *r, struct rate_hot *h, uint32_t bin)
{
	if (bin > h->bin)
		rate_key_settle(r, h, bin);
	else if (h->bin - bin > TIME_BACK_BINS)
		step_back(r, h, bin);
}

void rates_note(struct rates *r, enum rate_kind kind, struct slice name, uint32_t count, int64_t now_ms)
{
	if ((unsigned)kind >= RATE_KIND_COUNT || count == 0)
		return;
	uint32_t bin = rate_bin_of(now_ms);
	if (now_ms > r->clock_ms || r->first_bin == 0) {
		r->first_bin = r->first_bin == 0 ? (bin ? bin : 1) : r->first_bin;
		r->clock_ms = now_ms;
		r->bin = bin;
	}
	struct rate_hot *h = rate_hot_get(r, kind, rate_hash(r, kind, name), bin);
	if (!h)
		return;
	if (h->bin != bin)
		change_bin(r, h, bin);
	h->count = count > RATE_NO_LIMIT - h->count ? RATE_NO_LIMIT : h->count + count;
	if (h->count >= h->limit)
		look(r, h, name);
}

/* Over the running and the last bin of the newest time. */
static double rate_now(const struct rates *r, const struct rate_hot *h)
{
	uint64_t mails = 0;
	if (h->bin >= r->bin)
		mails = (uint64_t)h->count + (h->cold ? h->last : 0);
	else if (r->bin - h->bin == 1)
		mails = h->count;
	int64_t ran_ms = RATE_BIN_MS + (r->clock_ms > 0 ? r->clock_ms % RATE_BIN_MS : 0);
	return (double)mails * 3600000.0 / (double)ran_ms;
}

static void place_row(const struct rate_cold *c, const struct rate_row *row, struct rate_row *rows, size_t *count,
		      size_t max)
{
	size_t at = *count < max ? (*count)++ : max;
	while (at > 0 && rows[at - 1].per_hour < row->per_hour) {
		if (at < max)
			rows[at] = rows[at - 1];
		at--;
	}
	if (at >= max)
		return;
	rows[at] = *row;
	rate_name_show(c, rows[at].name);
}

size_t rates_top(const struct rates *r, enum rate_kind kind, struct rate_row *rows_out, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < r->cold_max; i++) {
		const struct rate_cold *c = &r->cold[i];
		if (c->hot == 0 || r->hot[c->hot - 1].kind != kind)
			continue;
		const struct rate_hot *h = &r->hot[c->hot - 1];
		struct rate_row row = { .per_hour = rate_now(r, h), .is_alarm = c->flags & RATE_IS_ALARM };
		row.usual_per_hour = rate_key_is_known(c, h->bin) ? RATE_BINS_HOUR * (double)c->usual : -1;
		if (row.per_hour > 0)
			place_row(c, &row, rows_out, &count, max);
	}
	return count;
}

void rates_counts(const struct rates *r, struct rates_counts *counts_out)
{
	*counts_out = (struct rates_counts){
		.keys = r->cold_count,
		.keys_max = r->cold_max,
		.alarms = r->alarm_count,
		.evicted = r->evicted,
		.bytes = r->bytes,
	};
}
