/* SPDX-License-Identifier: Apache-2.0
 *
 * Half a year of ordinary mail over 500 keys, steady and bursty, with nights and weekends;
 * newsletters; and what is seen of a spike afterwards. Seeds are fixed.
 */
#include "rates_world.h"

#include <stdlib.h>

enum { KEYS = 500, WEEKS = 26, LETTERS = 20 };

struct source {
	char name[32];
	double level, size; /* mails a bin by day; 0: Poisson */
	bool is_office;     /* nights and weekends are quiet */
	double now, none;   /* at this hour: mails a bin, the chance of none */
};

static void make_sources(struct source *sources)
{
	static const double levels[] = { 0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20 }, sizes[] = { 0, 0.3, 1, 2, 5 };
	for (unsigned i = 0; i < KEYS; i++) {
		struct source *s = &sources[i];
		snprintf(s->name, sizeof s->name, "k%u.example", i);
		s->level = levels[i % 10];
		s->size = sizes[i / 10 % 5];
		s->is_office = i % 3 != 0;
	}
}

static double level_at(const struct source *s, int64_t bin)
{
	unsigned hour = (unsigned)(bin / BINS_HOUR % 24), day = (unsigned)(bin / BINS_DAY % 7);
	double share = hour >= 8 && hour < 18 ? 1 : hour >= 6 && hour < 22 ? 0.3 : 0.05;
	return s->is_office ? s->level * share * (day >= 5 ? 0.2 : 1) : s->level;
}

static void play_bin(struct world *w, struct source *sources)
{
	for (unsigned i = 0; i < KEYS; i++) {
		struct source *s = &sources[i];
		if (w->bin % BINS_HOUR == 0) {
			s->now = level_at(s, w->bin);
			s->none = world_none(s->now, s->size);
		}
		uint32_t count = world_draw(w, s->now, s->size, s->none);
		rates_note(w->rates, i % RATE_KIND_COUNT, slice_from_str(s->name), count, world_ms(w) + i);
	}
}

/* How many bins until the key's alarm is told; 0: in the bin in which it began. */
static int bins_until_seen(struct world *w, const char *name, uint32_t count)
{
	unsigned before = w->begun;
	for (int i = 0; i < 20; i++) {
		world_mails(w, RATE_CLIENT, name, count);
		world_tick(w, world_ms(w) + RATE_BIN_MS - 1);
		if (w->begun > before) {
			assert_string_equal(w->last.name, name);
			return i;
		}
		world_next(w);
	}
	return 20;
}

static void half_a_year_over_500_keys_raises_at_most_an_alarm_a_week(void **state)
{
	(void)state;
	static struct source sources[KEYS];
	struct world w = world_new(4 << 20);
	make_sources(sources);
	for (; w.bin < WEEKS * BINS_WEEK; world_next(&w))
		play_bin(&w, sources);
	print_message("# %u alarms in %d weeks over %d keys\n", w.begun, WEEKS, KEYS);
	assert_true(w.begun <= WEEKS);
	struct rates_counts counts;
	rates_counts(w.rates, &counts);
	assert_int_equal(counts.keys, KEYS);
	assert_int_equal(counts.evicted, 0);
	rates_free(w.rates);
}

struct spike {
	double level, size;
	unsigned times;
	int bins_max; /* 0: in its first bin */
};

static void a_spike_is_seen(void **state)
{
	(void)state;
	static const struct spike spikes[] = {
		{ 10, 0, 10, 0 }, { 10, 2, 10, 1 }, { 30, 5, 10, 0 }, { 30, 2, 10, 1 },
		{ 2, 2, 10, 4 },  { 2, 2, 40, 0 },  { 100, 0, 10, 0 }, { 0.2, 2, 400, 0 },
		{ 0.2, 2, 40, 11 }, /* fifty too many are needed */
	};
	for (size_t i = 0; i < sizeof spikes / sizeof spikes[0]; i++) {
		const struct spike *s = &spikes[i];
		struct world w = world_new(1 << 20);
		for (; w.bin < 5 * BINS_WEEK; world_next(&w))
			rates_note(w.rates, RATE_CLIENT, SLICE("steady.example"), world_count(&w, s->level, s->size),
				   world_ms(&w));
		assert_int_equal(w.begun, 0);
		int bins = bins_until_seen(&w, "steady.example", (uint32_t)(s->level * s->times));
		print_message("# level %g, size %g, %u times: seen in bin %d\n", s->level, s->size, s->times, bins + 1);
		assert_true(bins <= s->bins_max);
		assert_false(w.last.is_cold);
		assert_true(fabs(w.last.usual_per_hour / (6 * s->level) - 1) < 1);
		rates_free(w.rates);
	}
}

/* Inside the running bin: 10 times the usual within five minutes, 40 times within one. */
static void a_busy_key_is_seen_before_its_bin_ends(void **state)
{
	(void)state;
	static const struct {
		uint32_t times;
		int seconds_max;
	} rows[] = { { 10, 300 }, { 40, 60 } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct world w = world_new(1 << 20);
		int seconds = 0;
		for (; w.bin < 4 * BINS_WEEK; world_next(&w))
			rates_note(w.rates, RATE_SOURCE, SLICE("mail1"), world_count(&w, 100, 20), world_ms(&w));
		for (; w.begun == 0 && seconds < 600; seconds++) {
			uint32_t before = 100 * rows[i].times * (uint32_t)seconds / 600;
			uint32_t count = 100 * rows[i].times * (uint32_t)(seconds + 1) / 600 - before;
			rates_note(w.rates, RATE_SOURCE, SLICE("mail1"), count, world_ms(&w) + seconds * 1000);
			world_tick(&w, world_ms(&w) + seconds * 1000);
		}
		print_message("# 600 an hour, %u times: seen after %d seconds\n", rows[i].times, seconds);
		assert_true(seconds <= rows[i].seconds_max);
		rates_free(w.rates);
	}
}

/* Each at its own hour of the week, up to half an hour early or late, 2,000 to 8,000 mails. */
static void a_weekly_newsletter_raises_none_once_it_is_learnt(void **state)
{
	(void)state;
	struct world w = world_new(1 << 20);
	unsigned learnt = 0;
	for (; w.bin < WEEKS * BINS_WEEK; world_next(&w)) {
		learnt = w.bin == 2 * BINS_WEEK + BINS_DAY ? w.begun : learnt;
		for (int i = 0; i < LETTERS; i++) {
			char name[32];
			snprintf(name, sizeof name, "news%d@list.example", i);
			int64_t week = w.bin / BINS_WEEK, at = (200 + i * 37 + (week * 7 + i) % 7 - 3) % BINS_WEEK;
			if (w.bin % BINS_WEEK == at)
				rates_note(w.rates, RATE_SENDER, slice_from_str(name),
					   2000 + (uint32_t)(week * i % 7) * 1000, world_ms(&w));
			if (w.bin % 97 == i) /* and a mail now and then */
				rates_note(w.rates, RATE_SENDER, slice_from_str(name), 1, world_ms(&w));
		}
	}
	print_message("# newsletters: %u alarms while they were learnt, %u in all\n", learnt, w.begun);
	assert_int_equal(w.begun, learnt);
	rates_free(w.rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_a_year_over_500_keys_raises_at_most_an_alarm_a_week),
		cmocka_unit_test(a_spike_is_seen),
		cmocka_unit_test(a_busy_key_is_seen_before_its_bin_ends),
		cmocka_unit_test(a_weekly_newsletter_raises_none_once_it_is_learnt),
	};
	return cmocka_run_group_tests_name("storm rates model", tests, NULL, NULL);
}
