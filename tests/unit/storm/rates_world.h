/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_world: seeded counts and a listener, for the tests of rates.
 */
#ifndef QUELL_TESTS_RATES_WORLD_H
#define QUELL_TESTS_RATES_WORLD_H

#include "../unit.h"

#include "base/hash.h"
#include "base/mem.h"
#include "storm/rates.h"

#include <math.h>

enum { BINS_HOUR = 6, BINS_DAY = 144, BINS_WEEK = 1008 };
/* Monday, 3 January 2005, 00:00 UTC, in bins. */
#define WORLD_START (INT64_C(1104710400000) / RATE_BIN_MS)

struct world {
	struct rates *rates;
	uint64_t random;
	int64_t bin;             /* counted from WORLD_START */
	unsigned begun, over;    /* tellings: of an alarm that began or goes on; of an end */
	struct rate_alarm last;
};

static inline struct world world_new(size_t bytes)
{
	static const uint8_t key[HASH_KEY_BYTES] = { 5 };
	struct world w = { .random = 88172645463325252u };
	assert_true(hash_start());
	w.rates = rates_new(bytes, key);
	assert_non_null(w.rates);
	return w;
}

static inline double world_random(struct world *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (double)(w->random >> 11) / 9007199254740992.0;
}

/* The chance of none. Size 0 is Poisson. */
static inline double world_none(double lambda, double size)
{
	return size > 0 ? pow(size / (size + lambda), size) : exp(-lambda);
}

/* Negative binomial by inversion, from the chance of none. */
static inline uint32_t world_draw(struct world *w, double lambda, double size, double p)
{
	double q = size > 0 ? lambda / (size + lambda) : 0, u = world_random(w);
	uint32_t x = 0;
	while (u > p && x < 10000) {
		u -= p;
		x++;
		p *= size > 0 ? q * (size + x - 1) / x : lambda / x;
	}
	return x;
}

static inline uint32_t world_count(struct world *w, double lambda, double size)
{
	return world_draw(w, lambda, size, world_none(lambda, size));
}

static inline int64_t world_ms(const struct world *w)
{
	return (WORLD_START + w->bin) * RATE_BIN_MS;
}

static inline void world_hear(void *ctx, const struct rate_alarm *alarm)
{
	struct world *w = ctx;
	w->last = *alarm;
	w->over += alarm->is_over;
	w->begun += !alarm->is_over;
}

static inline void world_tick(struct world *w, int64_t now_ms)
{
	rates_tick(w->rates, now_ms, world_hear, w);
}

/* count mails spread over the running bin. */
static inline void world_mails(struct world *w, enum rate_kind kind, const char *name, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		rates_note(w->rates, kind, slice_from_str(name), 1, world_ms(w) + (int64_t)i * RATE_BIN_MS / count);
}

static inline void world_next(struct world *w)
{
	w->bin++;
	world_tick(w, world_ms(w));
}

#endif
