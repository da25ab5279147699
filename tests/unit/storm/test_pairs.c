/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storm/pairs.h"

#define START INT64_C(1133860800000)
enum { MINUTE = CLOCK_MINUTE_MS, HOUR = CLOCK_HOUR_MS, MEMORY_S = 3 * 86400 };

static const uint8_t key[HASH_KEY_BYTES] = { 1, 2, 3 };

static void name_of(unsigned n, uint8_t pair[PAIR_BYTES])
{
	uint8_t instance[DIGEST_SHORT_BYTES] = { 0 };
	memcpy(instance, &n, sizeof n);
	pair_name(key, instance, SLICE("anna@ours.example"), pair);
}

static struct pairs table(size_t bytes)
{
	struct pairs p;
	assert_true(hash_start());
	assert_true(pairs_init(&p, bytes, MEMORY_S));
	assert_true(pairs_bytes(&p) <= bytes);
	return p;
}

static void a_pair_is_named_by_instance_and_address_with_the_domain_in_any_case(void **state)
{
	(void)state;
	uint8_t instance[DIGEST_SHORT_BYTES] = { 9 }, a[PAIR_BYTES], b[PAIR_BYTES];
	static const struct {
		const char *other;
		bool is_same;
	} rows[] = {
		{ "Anna+x@ours.example", true },  { "Anna+x@OURS.Example", true },
		{ "anna+x@ours.example", false }, { "Anna@ours.example", false },
		{ "Anna+x@ours.exampl", false },  { "", false },
	};
	pair_name(key, instance, SLICE("Anna+x@ours.example"), a);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		pair_name(key, instance, slice_from_str(rows[i].other), b);
		assert_int_equal(memcmp(a, b, PAIR_BYTES) == 0, rows[i].is_same);
	}
	instance[0]++;
	pair_name(key, instance, SLICE("Anna+x@ours.example"), b);
	assert_memory_not_equal(a, b, PAIR_BYTES);
	char longest[5000], other[5000];
	memset(longest, 'x', sizeof longest);
	memset(other, 'x', sizeof other);
	other[4999] = 'y';
	pair_name(key, instance, slice_make(longest, sizeof longest), a);
	pair_name(key, instance, slice_make(other, sizeof other), b);
	assert_memory_not_equal(a, b, PAIR_BYTES);
}

static void copies_are_counted_by_the_sliding_hour_and_the_running_day(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int at_min[12];
		int look_min;
		unsigned hour, day;
	} rows[] = {
		{ "one", { 0, -1 }, 0, 1, 1 },
		{ "one, an hour ago", { 0, -1 }, 60, 0, 1 },
		{ "one, 59 minutes ago", { 0, -1 }, 59, 1, 1 },
		{ "every 15 minutes", { 0, 15, 30, -1 }, 45, 3, 3 },
		{ "every 20 minutes", { 0, 20, 40, -1 }, 60, 2, 3 },
		{ "hourly", { 0, 60, 120, 180, 240, 300, 360, -1 }, 420, 0, 7 },
		{ "around a full hour", { 50, 59, 61, -1 }, 62, 3, 3 },
		{ "four at once", { 0, 0, 0, 0, -1 }, 0, 3, 4 },
		{ "two days", { 0, 10, 1500, -1 }, 1501, 1, 1 },
		{ "a day and a bit", { 0, 800, -1 }, 1441, 0, 0 },
		{ "forgotten", { 0, -1 }, 4321, 0, 0 },
		{ "eleven", { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -1 }, 11, 3, 11 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pairs p = table(65536);
		uint8_t pair[PAIR_BYTES];
		name_of(1, pair);
		for (size_t n = 0; rows[i].at_min[n] >= 0; n++)
			assert_true(pairs_confirm(&p, pair, START + rows[i].at_min[n] * MINUTE, false));
		struct pair_seen seen = pairs_look(&p, pair, START + rows[i].look_min * MINUTE);
		if (seen.hour != rows[i].hour || seen.day != rows[i].day)
			fail_msg("%s: %u an hour, %u a day", rows[i].name, seen.hour, seen.day);
		pairs_free(&p);
	}
}

static void counts_stop_at_fifteen_a_day(void **state)
{
	(void)state;
	struct pairs p = table(65536);
	uint8_t pair[PAIR_BYTES];
	name_of(1, pair);
	for (unsigned i = 0; i < 100; i++)
		pairs_confirm(&p, pair, START + i * MINUTE, false);
	struct pair_seen seen = pairs_look(&p, pair, START + 100 * MINUTE);
	assert_int_equal(seen.day, PAIR_DAY_MAX);
	assert_int_equal(seen.hour, PAIR_HOUR_MAX);
	assert_true(seen.flags & PAIR_MANY);
	pairs_free(&p);
}

static void belief_becomes_confirmation_and_not_the_other_way(void **state)
{
	(void)state;
	struct pairs p = table(65536);
	uint8_t pair[PAIR_BYTES];
	name_of(1, pair);
	pairs_confirm(&p, pair, START, true);
	assert_int_equal(pairs_look(&p, pair, START).flags, PAIR_BELIEVED);
	pairs_confirm(&p, pair, START, true);
	assert_int_equal(pairs_look(&p, pair, START).flags, PAIR_BELIEVED | PAIR_MANY);
	pairs_confirm(&p, pair, START, false);
	assert_int_equal(pairs_look(&p, pair, START).flags, PAIR_MANY);
	pairs_confirm(&p, pair, START, true);
	assert_int_equal(pairs_look(&p, pair, START).flags, PAIR_MANY);
	assert_true(pairs_mark(&p, pair, PAIR_HELD, PAIR_MANY));
	assert_int_equal(pairs_look(&p, pair, START).flags, PAIR_HELD);
	pairs_forget(&p, pair);
	assert_false(pairs_look(&p, pair, START).is_known);
	assert_false(pairs_mark(&p, pair, PAIR_HELD, 0));
	assert_int_equal(p.used, 0);
	pairs_free(&p);
}

static void three_quarters_full_nearly_nothing_is_forgotten(void **state)
{
	(void)state;
	struct pairs p = table(4 * 1024 * 1024);
	uint32_t slots = p.bucket_count * PAIR_BUCKET_SLOTS, known = 0;
	uint8_t pair[PAIR_BYTES];
	for (unsigned i = 0; i < slots / 4 * 3; i++) {
		name_of(i, pair);
		assert_true(pairs_confirm(&p, pair, START + i, false));
	}
	for (unsigned i = 0; i < slots / 4 * 3; i++) {
		name_of(i, pair);
		known += pairs_look(&p, pair, START).is_known;
	}
	assert_int_equal(known + p.evicted, slots / 4 * 3);
	assert_true(p.evicted < 100);
	pairs_free(&p);
}

static void overfilled_the_oldest_singles_go_and_pairs_seen_twice_stay(void **state)
{
	(void)state;
	struct pairs p = table(1024 * 1024);
	uint32_t slots = p.bucket_count * PAIR_BUCKET_SLOTS;
	unsigned many = slots / 10, newest = 0, wanted = 0;
	uint8_t pair[PAIR_BYTES];
	for (unsigned i = 0; i < many; i++) {
		name_of(i, pair);
		pairs_confirm(&p, pair, START, false);
		if (i % 2)
			pairs_confirm(&p, pair, START, false);
		else
			pairs_mark(&p, pair, PAIR_HELD, 0);
	}
	for (unsigned i = 0; i < slots * 10; i++) {
		name_of(many + i, pair);
		pairs_confirm(&p, pair, START + (int64_t)i * 50 + 2 * HOUR, false);
	}
	for (unsigned i = 0; i < many; i++) {
		name_of(i, pair);
		assert_true(pairs_look(&p, pair, START + 3 * HOUR).is_known);
	}
	for (unsigned i = slots * 10 - slots / 2; i < slots * 10; i++, wanted++) {
		name_of(many + i, pair);
		newest += pairs_look(&p, pair, START + (int64_t)slots * 500).is_known;
	}
	assert_true(newest > wanted * 99 / 100);
	pairs_free(&p);
}

static void a_bucket_of_pairs_seen_twice_takes_new_ones_only_after_an_hour(void **state)
{
	(void)state;
	struct pairs p = table(256); /* one bucket */
	uint8_t pair[PAIR_BYTES];
	assert_int_equal(p.bucket_count, 1);
	for (unsigned i = 0; i < 8; i++) {
		name_of(i, pair);
		pairs_confirm(&p, pair, START + i * 1000, false);
		pairs_confirm(&p, pair, START + i * 1000, false);
	}
	name_of(100, pair);
	assert_false(pairs_confirm(&p, pair, START + 30 * MINUTE, false));
	assert_true(pairs_confirm(&p, pair, START + 61 * MINUTE, false));
	pairs_free(&p);
}

static void old_slots_are_free_again_and_swept(void **state)
{
	(void)state;
	struct pairs p = table(65536);
	uint8_t pair[PAIR_BYTES];
	for (unsigned i = 0; i < 1000; i++) {
		name_of(i, pair);
		pairs_confirm(&p, pair, START + i, false);
	}
	pairs_sweep(&p, START + 71 * (int64_t)HOUR, p.bucket_count);
	assert_int_equal(p.used, 1000);
	pairs_sweep(&p, START + 73 * (int64_t)HOUR, p.bucket_count);
	assert_int_equal(p.used, 0);
	for (unsigned i = 0; i < 1000; i++) {
		name_of(i, pair);
		pairs_confirm(&p, pair, START + i, false);
	}
	pairs_clear(&p);
	assert_int_equal(p.used, 0);
	pairs_free(&p);
}

static void a_clock_that_steps_back_does_not_make_copies_old(void **state)
{
	(void)state;
	struct pairs p = table(65536);
	uint8_t pair[PAIR_BYTES];
	name_of(1, pair);
	pairs_confirm(&p, pair, START, false);
	struct pair_seen seen = pairs_look(&p, pair, START - 5 * (int64_t)HOUR);
	assert_true(seen.is_known);
	assert_int_equal(seen.hour, 1);
	pairs_confirm(&p, pair, START - 5 * (int64_t)HOUR, false);
	assert_int_equal(pairs_look(&p, pair, START).hour, 2);
	pairs_free(&p);
}

static void slots_move_to_a_table_of_another_size(void **state)
{
	(void)state;
	struct pairs from = table(1024 * 1024), to = table(300 * 1024);
	uint8_t pair[PAIR_BYTES];
	for (unsigned i = 0; i < 10000; i++) {
		name_of(i, pair);
		pairs_confirm(&from, pair, START, false);
		if (i % 3 == 0)
			pairs_confirm(&from, pair, START + MINUTE, false);
	}
	for (size_t i = 0; i < (size_t)from.bucket_count * PAIR_BUCKET_SLOTS; i++)
		if (from.slots[i].rest != 0)
			assert_true(pairs_insert(&to, from.slots[i], START + MINUTE));
	for (unsigned i = 0; i < 10000; i++) {
		name_of(i, pair);
		assert_int_equal(pairs_look(&to, pair, START + 2 * MINUTE).day, i % 3 == 0 ? 2 : 1);
	}
	assert_false(pairs_insert(&to, (struct pair_slot){ 5, 7 }, START)); /* no copies: nonsense */
	pairs_free(&from);
	pairs_free(&to);
}

static void without_memory_the_table_is_empty_and_asks_nothing(void **state)
{
	(void)state;
	struct pairs p;
	uint8_t pair[PAIR_BYTES];
	mem_fail_after = 0;
	assert_false(pairs_init(&p, 65536, MEMORY_S));
	mem_fail_after = -1;
	name_of(1, pair);
	pairs_prefetch(&p, pair);
	assert_false(pairs_confirm(&p, pair, START, false));
	assert_false(pairs_look(&p, pair, START).is_known);
	pairs_sweep(&p, START, 10);
	pairs_clear(&p);
	pairs_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_named_by_instance_and_address_with_the_domain_in_any_case),
		cmocka_unit_test(copies_are_counted_by_the_sliding_hour_and_the_running_day),
		cmocka_unit_test(counts_stop_at_fifteen_a_day),
		cmocka_unit_test(belief_becomes_confirmation_and_not_the_other_way),
		cmocka_unit_test(three_quarters_full_nearly_nothing_is_forgotten),
		cmocka_unit_test(overfilled_the_oldest_singles_go_and_pairs_seen_twice_stay),
		cmocka_unit_test(a_bucket_of_pairs_seen_twice_takes_new_ones_only_after_an_hour),
		cmocka_unit_test(old_slots_are_free_again_and_swept),
		cmocka_unit_test(a_clock_that_steps_back_does_not_make_copies_old),
		cmocka_unit_test(slots_move_to_a_table_of_another_size),
		cmocka_unit_test(without_memory_the_table_is_empty_and_asks_nothing),
	};
	return cmocka_run_group_tests_name("storm pairs", tests, NULL, NULL);
}
