/* SPDX-License-Identifier: Apache-2.0 */
#include "rates_world.h"

#include <stdlib.h>

enum { BYTES = 1 << 20, BLOCK_BYTES_MAX = 512 };

struct saved {
	uint8_t bytes[8][BLOCK_BYTES_MAX];
	size_t len[8], count, max;
};

static bool keep(void *ctx, struct slice block)
{
	struct saved *s = ctx;
	if (s->count == s->max)
		return false;
	assert_true(block.len <= BLOCK_BYTES_MAX);
	memcpy(s->bytes[s->count], block.ptr, block.len);
	s->len[s->count++] = block.len;
	return true;
}

static struct slice block_of(const struct saved *s, size_t i)
{
	return slice_make(s->bytes[i], s->len[i]);
}

static void steady(struct world *w, struct slice name, uint32_t count, int64_t bins)
{
	for (int64_t end = w->bin + bins; w->bin < end; world_next(w))
		rates_note(w->rates, RATE_CLIENT, name, count, world_ms(w));
}

static struct saved learn(struct world *w, struct slice name, int64_t bins)
{
	struct saved s = { .max = 8 };
	*w = world_new(BYTES);
	steady(w, name, 6, bins);
	assert_true(rates_save(w->rates, keep, &s));
	assert_int_equal(s.count, 1);
	return s;
}

/* The world with a fresh table, or one under another seed. */
static void restart(struct world *w, uint8_t seed)
{
	const uint8_t key[HASH_KEY_BYTES] = { seed };
	rates_free(w->rates);
	w->rates = rates_new(BYTES, key);
	assert_non_null(w->rates);
	w->begun = w->over = 0;
}

static void what_was_learnt_comes_back(void **state)
{
	(void)state;
	struct world w;
	struct saved s = learn(&w, SLICE("a.example"), 3 * BINS_WEEK);
	struct rate_row before, after;
	assert_int_equal(rates_top(w.rates, RATE_CLIENT, &before, 1), 1);
	restart(&w, 5);
	assert_true(rates_restore(w.rates, block_of(&s, 0)));
	rates_note(w.rates, RATE_CLIENT, SLICE("a.example"), 1, world_ms(&w));
	assert_int_equal(rates_top(w.rates, RATE_CLIENT, &after, 1), 1);
	assert_string_equal(after.name, "a.example");
	assert_true(fabs(after.usual_per_hour - before.usual_per_hour) < 1);
	world_mails(&w, RATE_CLIENT, "a.example", 300);
	world_tick(&w, world_ms(&w));
	assert_int_equal(w.begun, 1);
	assert_false(w.last.is_cold);
	rates_free(w.rates);
}

static void an_alarm_goes_on_behind_a_restart(void **state)
{
	(void)state;
	struct world w;
	struct saved s = learn(&w, SLICE("a.example"), 3 * BINS_WEEK);
	s.count = 0;
	steady(&w, SLICE("a.example"), 900, 3);
	assert_int_equal(w.begun, 1);
	assert_true(rates_save(w.rates, keep, &s));
	restart(&w, 5);
	assert_true(rates_restore(w.rates, block_of(&s, 0)));
	assert_false(rates_restore(w.rates, block_of(&s, 0))); /* not a second time over an alarm */
	steady(&w, SLICE("a.example"), 900, 3);
	assert_int_equal(w.begun, 0); /* was told */
	steady(&w, SLICE("a.example"), 6, 9);
	assert_int_equal(w.over, 1);
	rates_free(w.rates);
}

/* Quell was away for three weeks: nobody knows that there was silence. */
static void time_away_teaches_nothing(void **state)
{
	(void)state;
	struct world w;
	struct rate_row row;
	struct saved s = learn(&w, SLICE("a.example"), 4 * BINS_WEEK);
	restart(&w, 5);
	assert_true(rates_restore(w.rates, block_of(&s, 0)));
	w.bin += 3 * BINS_WEEK;
	steady(&w, SLICE("a.example"), 6, BINS_DAY);
	assert_int_equal(rates_top(w.rates, RATE_CLIENT, &row, 1), 1);
	assert_true(fabs(row.usual_per_hour - 36) < 3);
	assert_int_equal(w.begun, 0);
	rates_free(w.rates);
}

static void another_seed_finds_whole_names_only(void **state)
{
	(void)state;
	char name[100];
	memset(name, 'x', sizeof name);
	for (size_t len = 62; len <= sizeof name; len += len < 64 ? 1 : 12) {
		struct world w;
		struct saved s = learn(&w, slice_make(name, len), 3 * BINS_WEEK);
		restart(&w, 6);
		assert_int_equal(rates_restore(w.rates, block_of(&s, 0)), len < 63);
		restart(&w, 5);
		assert_true(rates_restore(w.rates, block_of(&s, 0)));
		rates_note(w.rates, RATE_CLIENT, slice_make(name, len), 300, world_ms(&w));
		world_next(&w);
		assert_int_equal(w.begun, 1);
		rates_free(w.rates);
	}
}

static void what_is_not_understood_is_refused(void **state)
{
	(void)state;
	struct world w;
	struct saved s = learn(&w, SLICE("a.example"), 3 * BINS_WEEK);
	struct rates_counts counts;
	uint8_t longer[BLOCK_BYTES_MAX + 1] = { 0 };
	restart(&w, 5);
	for (size_t len = 0; len < s.len[0]; len++)
		assert_false(rates_restore(w.rates, slice_make(s.bytes[0], len)));
	memcpy(longer, s.bytes[0], s.len[0]);
	assert_false(rates_restore(w.rates, slice_make(longer, s.len[0] + 1)));
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = { { 0, 2 }, { 1, RATE_KIND_COUNT }, { 2, 0x80 }, { 2, 4 }, { 3, 64 }, { 3, 8 }, { 17, 0 } };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		uint8_t was = s.bytes[0][wrong[i].at];
		s.bytes[0][wrong[i].at] = wrong[i].value;
		assert_false(rates_restore(w.rates, block_of(&s, 0)));
		s.bytes[0][wrong[i].at] = was;
	}
	rates_counts(w.rates, &counts);
	assert_int_equal(counts.keys, 0);
	assert_true(rates_restore(w.rates, block_of(&s, 0)));
	rates_free(w.rates);
}

/* Whatever is taken can be lived with. */
static void any_byte_may_be_wrong(void **state)
{
	(void)state;
	struct world w;
	struct saved s = learn(&w, SLICE("a.example"), 3 * BINS_WEEK);
	unsigned taken = 0;
	for (size_t i = 0; i < s.len[0]; i++) {
		restart(&w, 5);
		s.bytes[0][i] ^= 0xff;
		taken += rates_restore(w.rates, block_of(&s, 0));
		s.bytes[0][i] ^= 0xff;
		steady(&w, SLICE("a.example"), 6, 8);
	}
	assert_true(taken > 300 && taken < s.len[0]);
	rates_free(w.rates);
}

static void saving_stops_when_told(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	struct saved s = { .max = 2 };
	rates_note(w.rates, RATE_CLIENT, SLICE("a"), 5, world_ms(&w));
	rates_note(w.rates, RATE_CLIENT, SLICE("b"), 5, world_ms(&w));
	rates_note(w.rates, RATE_CLIENT, SLICE("c"), 5, world_ms(&w));
	rates_note(w.rates, RATE_CLIENT, SLICE("rare"), 1, world_ms(&w)); /* has not earned it */
	assert_false(rates_save(w.rates, keep, &s));
	assert_int_equal(s.count, 2);
	s = (struct saved){ .max = 8 };
	assert_true(rates_save(w.rates, keep, &s));
	assert_int_equal(s.count, 3);
	rates_free(w.rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_learnt_comes_back),
		cmocka_unit_test(an_alarm_goes_on_behind_a_restart),
		cmocka_unit_test(time_away_teaches_nothing),
		cmocka_unit_test(another_seed_finds_whole_names_only),
		cmocka_unit_test(what_is_not_understood_is_refused),
		cmocka_unit_test(any_byte_may_be_wrong),
		cmocka_unit_test(saving_stops_when_told),
	};
	return cmocka_run_group_tests_name("storm rates codec", tests, NULL, NULL);
}
