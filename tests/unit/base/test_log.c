/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

static void hostile_bytes_cannot_forge_a_line_or_a_fact(void **state)
{
	(void)state;
	char out[LOG_QUOTE_BYTES];
	assert_string_equal(log_quote(SLICE("plain@example.org"), out, sizeof out), "plain@example.org");
	assert_string_equal(log_quote(SLICE("a b"), out, sizeof out), "\"a b\"");
	assert_string_equal(log_quote(SLICE("a\nquelld: x"), out, sizeof out), "\"a\\x0aquelld: x\"");
	assert_string_equal(log_quote(SLICE("\x1b[31m"), out, sizeof out), "\"\\x1b[31m\"");
	assert_string_equal(log_quote(SLICE("v=\"1\""), out, sizeof out), "\"v=\\\"1\\\"\"");
	assert_string_equal(log_quote(SLICE(""), out, sizeof out), "\"\"");
}

static void a_long_value_is_cut_and_still_closed(void **state)
{
	(void)state;
	char out[16], in[100];
	memset(in, '\n', sizeof in);
	log_quote(slice_make(in, sizeof in), out, sizeof out);
	assert_true(strlen(out) < sizeof out);
	assert_int_equal(out[strlen(out) - 1], '"');
}

static void a_throttle_lets_the_burst_through_and_counts_the_rest(void **state)
{
	(void)state;
	struct log_throttle t = { .burst = 2, .window_ms = 1000 };
	unsigned dropped;
	assert_true(log_may(&t, 1000, &dropped));
	assert_true(log_may(&t, 1001, &dropped));
	assert_false(log_may(&t, 1002, &dropped));
	assert_false(log_may(&t, 1003, &dropped));
	assert_true(log_may(&t, 2000, &dropped));
	assert_int_equal(dropped, 2);
}

static void times_are_written_as_the_rfcs_want_them(void **state)
{
	(void)state;
	char out[40];
	assert_string_equal(clock_rfc3339(1133860803000, out, sizeof out), "2005-12-06T09:20:03Z");
	assert_string_equal(clock_rfc3339(-1, out, sizeof out), "1969-12-31T23:59:59Z");
	assert_string_equal(clock_rfc5322(1133860803000, out, sizeof out), "Tue, 06 Dec 2005 09:20:03 +0000");
	assert_string_equal(clock_rfc3339(INT64_MAX, out, sizeof out), "invalid-time");
}

static void digests_keep_fields_apart_and_keys_matter(void **state)
{
	(void)state;
	uint8_t key[HASH_KEY_BYTES] = { 1 }, a[32], b[32];
	struct digest d;
	assert_true(hash_start());
	digest_init(&d, NULL, 32);
	digest_add_field(&d, SLICE("ab"));
	digest_add_field(&d, SLICE("c"));
	digest_end(&d, a);
	digest_init(&d, NULL, 32);
	digest_add_field(&d, SLICE("a"));
	digest_add_field(&d, SLICE("bc"));
	digest_end(&d, b);
	assert_memory_not_equal(a, b, 32);
	digest_init(&d, key, 32);
	digest_add_field(&d, SLICE("a"));
	digest_add_field(&d, SLICE("bc"));
	digest_end(&d, a);
	assert_memory_not_equal(a, b, 32);
	char hex[65];
	hash_to_hex(a, 32, hex);
	assert_true(hash_from_hex(slice_from_str(hex), b, 32));
	assert_memory_equal(a, b, 32);
	assert_false(hash_from_hex(SLICE("zz"), b, 1));
	assert_false(hash_from_hex(SLICE("a"), b, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_bytes_cannot_forge_a_line_or_a_fact),
		cmocka_unit_test(a_long_value_is_cut_and_still_closed),
		cmocka_unit_test(a_throttle_lets_the_burst_through_and_counts_the_rest),
		cmocka_unit_test(times_are_written_as_the_rfcs_want_them),
		cmocka_unit_test(digests_keep_fields_apart_and_keys_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
