/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

static void cutting_never_leaves_the_slice(void **state)
{
	(void)state;
	struct slice s = SLICE("abc");
	assert_slice(slice_from(s, 1), "bc");
	assert_slice(slice_from(s, 3), "");
	assert_slice(slice_from(s, 99), "");
	assert_slice(slice_first(s, 99), "abc");
	assert_slice(slice_between(s, 1, 2), "b");
	assert_slice(slice_between(s, 2, 1), "");
	assert_slice(slice_between(s, 1, 99), "bc");
}

static void searching_finds_the_first_and_says_the_length_when_there_is_none(void **state)
{
	(void)state;
	struct slice s = SLICE("From: a@B");
	assert_int_equal(slice_find_byte(s, 0, '@'), 7);
	assert_int_equal(slice_find_byte(s, 8, '@'), s.len);
	assert_int_equal(slice_find_nocase(s, 0, SLICE("from")), 0);
	assert_int_equal(slice_find_nocase(s, 0, SLICE("@b")), 7);
	assert_int_equal(slice_find_nocase(s, 0, SLICE("zz")), s.len);
	assert_int_equal(slice_find_nocase(s, 20, SLICE("a")), s.len);
}

static void numbers_with_signs_blanks_or_overflow_are_refused(void **state)
{
	(void)state;
	uint64_t v = 7;
	assert_true(slice_to_u64(SLICE("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
	assert_false(slice_to_u64(SLICE("18446744073709551616"), &v));
	assert_false(slice_to_u64(SLICE(""), &v));
	assert_false(slice_to_u64(SLICE("-1"), &v));
	assert_false(slice_to_u64(SLICE(" 1"), &v));
	assert_true(slice_to_hex64(SLICE("0300a8c0"), &v));
	assert_int_equal(v, 0x0300a8c0);
	assert_false(slice_to_hex64(SLICE("12345678123456781"), &v));
	assert_false(slice_to_hex64(SLICE("12g"), &v));
}

static void parts_are_taken_one_by_one_and_empty_parts_count(void **state)
{
	(void)state;
	struct slice s = SLICE("a,,b"), part;
	assert_true(slice_next(&s, ',', &part));
	assert_slice(part, "a");
	assert_true(slice_next(&s, ',', &part));
	assert_slice(part, "");
	assert_true(slice_next(&s, ',', &part));
	assert_slice(part, "b");
	assert_false(slice_next(&s, ',', &part));
}

static void trimming_and_case_do_not_depend_on_the_locale(void **state)
{
	(void)state;
	assert_slice(slice_trim(SLICE(" \t\r\nx y\n ")), "x y");
	assert_slice(slice_trim(SLICE(" \n ")), "");
	assert_true(slice_equal_nocase(SLICE("Message-ID"), SLICE("message-id")));
	assert_false(slice_equal_nocase(SLICE("\xc4"), SLICE("\xe4")));
	assert_true(slice_ends_nocase(SLICE("mx.Example.ORG"), SLICE(".example.org")));
	assert_false(slice_ends_nocase(SLICE("org"), SLICE(".example.org")));
	assert_true(slice_starts_nocase(SLICE("List-Id"), SLICE("list-")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cutting_never_leaves_the_slice),
		cmocka_unit_test(searching_finds_the_first_and_says_the_length_when_there_is_none),
		cmocka_unit_test(numbers_with_signs_blanks_or_overflow_are_refused),
		cmocka_unit_test(parts_are_taken_one_by_one_and_empty_parts_count),
		cmocka_unit_test(trimming_and_case_do_not_depend_on_the_locale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
