/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoded words.
 */
#include "unit.h"

#include "mail/rfc2047.h"

static void words_are_decoded_and_folded(void **state)
{
	static const char *const rows[][2] = {
		{ "plain  text \t here ", "plain text here" },
		{ "=?utf-8?q?caf=C3=A9?=", "caf\xc3\xa9" },
		{ "=?UTF-8?B?Y2Fmw6k=?= now", "caf\xc3\xa9 now" },
		{ "=?iso-8859-1?Q?caf=E9_au_lait?=", "caf\xc3\xa9 au lait" },
		{ "=?windows-1252?q?=80_5?=", "\xe2\x82\xac 5" },
		{ "=?us-ascii*en?q?hello?=", "hello" },
		{ "=?utf-8?q?a?= =?utf-8?q?b?=  c", "ab c" },
		{ "=?utf-8?b?w?= x", "x" },
		{ "x =?utf-8?q?a?= y", "x a y" },
		{ "=?koi8-r?b?8NLJ18XU?=", "koi8-r:\xf0\xd2\xc9\xd7\xc5\xd4" },
		{ "=?koi8-r?b?8NLJ?= =?koi8-r?b?18XU?=", "koi8-r:\xf0\xd2\xc9\xd7\xc5\xd4" },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
		{ "=?utf-8?q?a", "=?utf-8?q?a" },
		{ "=?utf-8?q?=?=", "" },
		{ "=?=?=?=?", "=?=?=?=?" },
		{ "=??q?a?=", "=??q?a?=" },
		{ "=?utf-8?q?=00=0D=0Ax?=", "x" },
		{ "=?utf-8?q?_a__b_?=", "a b" },
		{ "", "" },
	};
	struct arena a;
	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_slice(rfc2047_decode(&a, slice_from_str(rows[i][0])), rows[i][1]);
	arena_free(&a);
}

static void a_word_cut_in_two_says_the_same(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, 1 << 20);
	struct slice whole = rfc2047_decode(&a, SLICE("=?utf-8?q?one_two_three?="));
	struct slice cut = rfc2047_decode(&a, SLICE("=?utf-8?b?b25lIHR3?= =?UTF-8?q?o_three?="));
	assert_true(slice_equal(whole, cut));
	arena_free(&a);
}

static void many_half_words_take_linear_time(void **state)
{
	enum { HALF_WORDS = 20000 };
	static char text[HALF_WORDS * 10];
	struct arena a;
	(void)state;
	for (size_t i = 0; i < HALF_WORDS; i++)
		memcpy(text + 10 * i, "=?utf8?q?x", 10);
	arena_init(&a, 4 << 20);
	struct slice out = rfc2047_decode(&a, slice_make(text, sizeof text));
	assert_int_equal(out.len, sizeof text);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_decoded_and_folded),
		cmocka_unit_test(a_word_cut_in_two_says_the_same),
		cmocka_unit_test(many_half_words_take_linear_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
