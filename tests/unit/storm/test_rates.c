/* SPDX-License-Identifier: Apache-2.0 */
#include "rates_world.h"

#include "storm/rates_inner.h"

#include <stdlib.h>

enum { BYTES = 1 << 20 };

/* count mails a bin for so many bins. */
static void steady(struct world *w, enum rate_kind kind, const char *name, uint32_t count, int64_t bins)
{
	for (int64_t end = w->bin + bins; w->bin < end; world_next(w))
		rates_note(w->rates, kind, slice_from_str(name), count, world_ms(w));
}

static size_t alarms_of(const struct world *w)
{
	struct rates_counts counts;
	rates_counts(w->rates, &counts);
	return counts.alarms;
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	static const char *const names[] = { "client", "sender", "user", "recipient", "destination", "server" };
	for (unsigned i = 0; i < RATE_KIND_COUNT; i++)
		assert_string_equal(rate_kind_name(i), names[i]);
	assert_string_equal(rate_kind_name(RATE_KIND_COUNT), "key");
}

static void an_alarm_begins_goes_on_and_ends_in_words(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_CLIENT, "mx.firm.example", 6, 3 * BINS_WEEK);
	assert_int_equal(w.begun, 0);
	world_mails(&w, RATE_CLIENT, "mx.firm.example", 1403);
	world_tick(&w, world_ms(&w) + 60000);
	assert_int_equal(w.begun, 1);
	assert_int_equal(w.last.kind, RATE_CLIENT);
	assert_false(w.last.is_over || w.last.is_cold);
	assert_int_equal(w.last.since_ms, world_ms(&w));
	assert_true(fabs(w.last.per_hour - 6 * 1403) < 1);
	assert_true(fabs(w.last.usual_per_hour - 36) < 2);
	assert_non_null(strstr(w.last.why, "mx.firm.example handed over 1,403 mails in the last 10 minutes; usual "
					   "at this hour of the week: 3"));
	assert_non_null(strstr(w.last.why, " an hour; 8,418 an hour; since 00:00 on 2005-01-24 (UTC)"));
	steady(&w, RATE_CLIENT, "mx.firm.example", 1403, 37); /* told again after six hours */
	assert_int_equal(w.begun, 2);
	assert_int_equal(w.over, 0);
	assert_non_null(strstr(w.last.why, "in the last 6 hours"));
	steady(&w, RATE_CLIENT, "mx.firm.example", 6, 5);
	assert_int_equal(w.over, 0);
	steady(&w, RATE_CLIENT, "mx.firm.example", 6, 3);
	assert_int_equal(w.over, 1);
	assert_true(w.last.is_over);
	assert_non_null(strstr(w.last.why, "back under twice its usual for an hour"));
	assert_int_equal(alarms_of(&w), 0);
	steady(&w, RATE_CLIENT, "mx.firm.example", 6, 2 * BINS_WEEK);
	assert_int_equal(w.begun, 2);
	assert_int_equal(w.over, 1);
	rates_free(w.rates);
}

static void an_alarm_ends_in_silence_too(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_SENDER, "a@b.example", 6, 3 * BINS_WEEK);
	world_mails(&w, RATE_SENDER, "a@b.example", 900);
	for (int i = 0; i < 8; i++)
		world_next(&w);
	assert_int_equal(w.begun, 1);
	assert_int_equal(w.over, 1);
	rates_free(w.rates);
}

static void a_storm_does_not_become_usual(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_RCPT, "r@b.example", 6, 3 * BINS_WEEK);
	steady(&w, RATE_RCPT, "r@b.example", 6000, 3 * BINS_DAY);
	steady(&w, RATE_RCPT, "r@b.example", 6, 4 * BINS_DAY);
	unsigned before = w.begun;
	steady(&w, RATE_RCPT, "r@b.example", 6000, 2); /* at an hour the storm had */
	assert_int_equal(w.begun, before + 1);
	assert_true(w.last.usual_per_hour < 80);
	rates_free(w.rates);
}

static void a_lasting_level_is_the_new_measure_after_14_days(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_SOURCE, "mail1", 6, 3 * BINS_WEEK);
	steady(&w, RATE_SOURCE, "mail1", 300, 13 * BINS_DAY);
	assert_int_equal(w.over, 0);
	assert_int_equal(alarms_of(&w), 1);
	assert_true(w.begun > 40 && w.begun <= 53); /* every six hours */
	steady(&w, RATE_SOURCE, "mail1", 300, 2 * BINS_DAY);
	assert_int_equal(w.over, 1);
	assert_non_null(strstr(w.last.why, "for 14 days now: this is the new measure"));
	unsigned before = w.begun;
	steady(&w, RATE_SOURCE, "mail1", 300, 30 * BINS_DAY);
	assert_int_equal(w.begun, before);
	rates_free(w.rates);
}

/* 300 by day where 6 were usual, 6 by night: one row of alarms, and over after 14 days. */
static void a_new_level_by_day_only_is_learnt_as_well(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_USER, "tom", 6, 3 * BINS_WEEK);
	for (int day = 0; day < 15; day++) {
		steady(&w, RATE_USER, "tom", 300, BINS_DAY / 3);
		steady(&w, RATE_USER, "tom", 6, BINS_DAY * 2 / 3);
	}
	assert_true(w.begun <= 2 * 15);
	unsigned before = w.begun;
	for (int day = 0; day < 15; day++) {
		steady(&w, RATE_USER, "tom", 300, BINS_DAY / 3);
		steady(&w, RATE_USER, "tom", 6, BINS_DAY * 2 / 3);
	}
	assert_int_equal(w.begun, before);
	rates_free(w.rates);
}

static void from_few_to_hundreds_is_seen_on_the_first_day(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	for (int i = 0; i < BINS_DAY / 2; i++, world_next(&w)) {
		world_mails(&w, RATE_CLIENT, "sbs.firm.example", 3);
		world_mails(&w, RATE_CLIENT, "relay.isp.example", 20);
	}
	assert_int_equal(w.begun, 0);
	world_mails(&w, RATE_CLIENT, "sbs.firm.example", 130); /* five times twenty-six */
	world_next(&w);
	world_mails(&w, RATE_CLIENT, "sbs.firm.example", 650);
	world_tick(&w, world_ms(&w));
	assert_int_equal(w.begun, 1);
	assert_true(w.last.is_cold);
	assert_string_equal(w.last.name, "sbs.firm.example");
	assert_non_null(strstr(w.last.why, "sbs.firm.example handed over 650 mails in the last 10 minutes; no usual "
					   "measure yet: before, 2"));
	assert_true(w.last.usual_per_hour > 15 && w.last.usual_per_hour < 35);
	for (int i = 0; i < 8; i++) {
		world_next(&w);
		world_mails(&w, RATE_CLIENT, "sbs.firm.example", 3);
	}
	assert_int_equal(w.over, 1);
	assert_true(w.last.is_over && w.last.is_cold);
	world_mails(&w, RATE_CLIENT, "sbs.firm.example", 650); /* as much as that is known now */
	world_next(&w);
	assert_int_equal(w.begun, 1);
	rates_free(w.rates);
}

static void a_first_day_grows_without_an_alarm(void **state)
{
	(void)state;
	static const uint32_t day[] = { 2,   1,	  0,   0,   3,	 10,  40,  90,	160, 300,
					420, 500, 480, 500, 510, 400, 300, 120, 60,  0 };
	struct world w = world_new(BYTES);
	for (uint32_t i = 0; i < (sizeof day / sizeof day[0] - 1) * BINS_HOUR; i++, world_next(&w)) {
		uint32_t from = day[i / BINS_HOUR], to = day[i / BINS_HOUR + 1], part = i % BINS_HOUR;
		world_mails(&w, RATE_SOURCE, "mail1", (from * (BINS_HOUR - part) + to * part) / BINS_HOUR);
	}
	assert_int_equal(w.begun, 0);
	rates_free(w.rates);
}

static void the_first_three_hours_of_all_are_silent(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_CLIENT, "a.example", 2, 10);
	steady(&w, RATE_CLIENT, "a.example", 100000, 7);
	assert_int_equal(w.begun, 0);
	rates_free(w.rates);
}

/* 200,000 names that come twice, and busy keys between them. */
static void a_flood_of_names_leaves_what_is_learnt(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	struct rates_counts counts;
	char name[48];
	for (; w.bin < 2 * BINS_WEEK; world_next(&w))
		for (int i = 0; i < 50; i++) {
			snprintf(name, sizeof name, "busy%d.example", i);
			rates_note(w.rates, RATE_CLIENT, slice_from_str(name), 3, world_ms(&w));
		}
	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof name, "flood%d@spam.example", i);
		rates_note(w.rates, RATE_SENDER, slice_from_str(name), 1 + i % 2, world_ms(&w));
		if (i % 1000 == 0)
			world_next(&w);
	}
	rates_counts(w.rates, &counts);
	assert_int_equal(counts.keys, 50);
	assert_int_equal(counts.evicted, 0);
	for (int i = 0; i < 200000; i++) { /* now they earn a place and give way to each other */
		snprintf(name, sizeof name, "flood%d@spam.example", i);
		rates_note(w.rates, RATE_SENDER, slice_from_str(name), 5, world_ms(&w));
	}
	rates_counts(w.rates, &counts);
	assert_int_equal(counts.keys, counts.keys_max);
	unsigned alarmed = w.begun;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "busy%d.example", i);
		world_mails(&w, RATE_CLIENT, name, 400);
	}
	world_tick(&w, world_ms(&w));
	assert_int_equal(w.begun, alarmed + 50);
	assert_false(w.last.is_cold);
	rates_free(w.rates);
}

static void the_ceiling_of_memory_is_kept(void **state)
{
	(void)state;
	static const size_t sizes[] = { 0, 100, 20000, 1 << 20, 16 << 20 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct world w = world_new(sizes[i]);
		struct rates_counts counts;
		rates_counts(w.rates, &counts);
		assert_true(counts.bytes <= sizes[i] || counts.keys_max == 16);
		assert_true(i < 4 || counts.keys_max >= 16384);
		rates_free(w.rates);
	}
}

static void a_clock_that_runs_back_counts_in_the_newest_bin(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_CLIENT, "a.example", 6, 3 * BINS_WEEK);
	int64_t now_ms = world_ms(&w);
	for (int i = 0; i < 300; i++)
		rates_note(w.rates, RATE_CLIENT, SLICE("a.example"), 1, now_ms - i * INT64_C(60000));
	world_tick(&w, now_ms - 3600000);
	assert_int_equal(w.begun, 1);
	assert_int_equal(w.last.since_ms, now_ms); /* all in the newest bin, though told with an older time */
	assert_int_equal(w.last.now_ms, w.last.since_ms);
	rates_note(w.rates, RATE_CLIENT, SLICE("a.example"), 1, INT64_MIN);
	rates_note(w.rates, RATE_CLIENT, SLICE("a.example"), UINT32_MAX, INT64_MAX);
	rates_note(w.rates, RATE_CLIENT, SLICE("a.example"), UINT32_MAX, now_ms);
	rates_note(w.rates, RATE_KIND_COUNT, SLICE("a.example"), 1, now_ms);
	rates_note(w.rates, RATE_CLIENT, slice_make(NULL, 0), 5, now_ms);
	world_tick(&w, now_ms);
	rates_free(w.rates);
}

/* A month of silence is settled at once and fades what was usual as its hours do. */
static void silence_is_settled_like_its_bins(void **state)
{
	(void)state;
	static const int64_t silences[] = { 1, 5, 6, 7, 100, BINS_WEEK, BINS_WEEK + 3, 4 * BINS_WEEK };
	for (size_t i = 0; i < sizeof silences / sizeof silences[0]; i++) {
		struct world a = world_new(BYTES), b = world_new(BYTES);
		struct rate_row row_a, row_b;
		steady(&a, RATE_CLIENT, "a.example", 60, 4 * BINS_WEEK);
		steady(&b, RATE_CLIENT, "a.example", 60, 4 * BINS_WEEK);
		for (int64_t n = 0; n < silences[i]; n++, b.bin++) {
			struct rate_hot *h = rate_hot_get(b.rates, RATE_CLIENT,
							  rate_hash(b.rates, RATE_CLIENT, SLICE("a.example")), 0);
			rate_key_settle(b.rates, h, rate_bin_of(world_ms(&b)));
		}
		a.bin += silences[i];
		rates_note(a.rates, RATE_CLIENT, SLICE("a.example"), 7, world_ms(&a));
		rates_note(b.rates, RATE_CLIENT, SLICE("a.example"), 7, world_ms(&b));
		assert_int_equal(rates_top(a.rates, RATE_CLIENT, &row_a, 1), 1);
		assert_int_equal(rates_top(b.rates, RATE_CLIENT, &row_b, 1), 1);
		assert_true(row_b.usual_per_hour > 0);
		assert_true(fabs(row_a.usual_per_hour / row_b.usual_per_hour - 1) < 0.2);
		rates_free(a.rates);
		rates_free(b.rates);
	}
}

static void a_far_clock_does_not_keep_a_key_for_ever(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	steady(&w, RATE_CLIENT, "a.example", 6, BINS_WEEK);
	rates_note(w.rates, RATE_CLIENT, SLICE("a.example"), 1, INT64_C(4102444800000)); /* 2100 */
	steady(&w, RATE_CLIENT, "a.example", 6, 4 * BINS_WEEK);
	assert_int_equal(w.begun, 0);
	world_mails(&w, RATE_CLIENT, "a.example", 600);
	world_tick(&w, world_ms(&w));
	assert_int_equal(w.begun, 1);
	assert_false(w.last.is_cold);
	rates_free(w.rates);
}

static void the_busiest_come_first(void **state)
{
	(void)state;
	struct world w = world_new(BYTES);
	struct rate_row rows[4];
	steady(&w, RATE_CLIENT, "learnt.example", 30, 3 * BINS_WEEK);
	for (unsigned i = 1; i <= 9; i++) {
		char name[32];
		snprintf(name, sizeof name, "c%u.example", i * 7 % 10);
		rates_note(w.rates, RATE_CLIENT, slice_from_str(name), i * 7 % 10 * 10, world_ms(&w));
	}
	rates_note(w.rates, RATE_CLIENT, SLICE("evil\x1b[2J.example"), 75, world_ms(&w));
	rates_note(w.rates, RATE_SENDER, SLICE("other@kind.example"), 1000, world_ms(&w));
	assert_int_equal(rates_top(w.rates, RATE_CLIENT, rows, 0), 0);
	assert_int_equal(rates_top(w.rates, RATE_CLIENT, rows, 4), 4);
	assert_string_equal(rows[0].name, "c9.example");
	assert_string_equal(rows[1].name, "c8.example");
	assert_string_equal(rows[2].name, "evil?[2J.example");
	assert_string_equal(rows[3].name, "c7.example");
	assert_true(fabs(rows[0].per_hour - 540) < 1 && rows[0].usual_per_hour < 0 && !rows[0].is_alarm);
	rates_note(w.rates, RATE_CLIENT, SLICE("learnt.example"), 3000, world_ms(&w));
	assert_int_equal(rates_top(w.rates, RATE_CLIENT, rows, 4), 4);
	assert_string_equal(rows[0].name, "learnt.example");
	assert_true(rows[0].is_alarm && fabs(rows[0].usual_per_hour - 180) < 18);
	assert_true(rows[1].usual_per_hour < 0 && !rows[1].is_alarm);
	rates_free(w.rates);
}

static void without_memory_there_is_none(void **state)
{
	(void)state;
	static const uint8_t key[HASH_KEY_BYTES] = { 5 };
	for (long n = 0; n < 4; n++) {
		mem_fail_after = n;
		assert_null(rates_new(BYTES, key));
	}
	mem_fail_after = 4;
	struct rates *r = rates_new(BYTES, key);
	assert_non_null(r); /* and what follows allocates nothing */
	for (int i = 0; i < 1000; i++)
		rates_note(r, RATE_CLIENT, slice_make(&i, sizeof i), 5, i * INT64_C(600000));
	mem_fail_after = -1;
	rates_free(r);
	rates_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_a_name),
		cmocka_unit_test(an_alarm_begins_goes_on_and_ends_in_words),
		cmocka_unit_test(an_alarm_ends_in_silence_too),
		cmocka_unit_test(a_storm_does_not_become_usual),
		cmocka_unit_test(a_lasting_level_is_the_new_measure_after_14_days),
		cmocka_unit_test(a_new_level_by_day_only_is_learnt_as_well),
		cmocka_unit_test(from_few_to_hundreds_is_seen_on_the_first_day),
		cmocka_unit_test(a_first_day_grows_without_an_alarm),
		cmocka_unit_test(the_first_three_hours_of_all_are_silent),
		cmocka_unit_test(a_flood_of_names_leaves_what_is_learnt),
		cmocka_unit_test(the_ceiling_of_memory_is_kept),
		cmocka_unit_test(a_clock_that_runs_back_counts_in_the_newest_bin),
		cmocka_unit_test(silence_is_settled_like_its_bins),
		cmocka_unit_test(a_far_clock_does_not_keep_a_key_for_ever),
		cmocka_unit_test(the_busiest_come_first),
		cmocka_unit_test(without_memory_there_is_none),
	};
	return cmocka_run_group_tests_name("storm rates", tests, NULL, NULL);
}
