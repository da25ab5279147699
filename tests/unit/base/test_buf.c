/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

static void a_buffer_stops_at_its_ceiling_and_says_so(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 8);
	assert_true(buf_add_str(&b, "12345678"));
	assert_false(buf_add_byte(&b, '9'));
	assert_true(b.is_over);
	assert_false(buf_add_str(&b, ""));
	assert_int_equal(b.len, 8);
	buf_reset(&b);
	assert_true(buf_add_str(&b, "ok"));
	buf_free(&b);
}

static void printing_grows_the_buffer_and_consuming_moves_the_rest(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1024);
	assert_true(buf_addf(&b, "%s=%d", "n", 42));
	assert_true(buf_add_u32be(&b, 0x01020304));
	assert_memory_equal(b.ptr, "n=42\1\2\3\4", 8);
	buf_consume(&b, 2);
	assert_slice(slice_first(buf_slice(&b), 2), "42");
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	buf_free(&b);
}

static void without_memory_a_buffer_is_over_and_keeps_what_it_has(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_true(buf_add_str(&b, "kept"));
	mem_fail_after = 0;
	char *at = buf_reserve(&b, 4096);
	mem_fail_after = -1;
	assert_null(at);
	assert_true(b.is_over);
	assert_slice(buf_slice(&b), "kept");
	buf_free(&b);
}

static void an_arena_zeroes_again_what_it_hands_out_a_second_time(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 64 * 1024);
	char *first = arena_alloc(&a, 100);
	memset(first, 'x', 100);
	assert_non_null(arena_alloc(&a, 20 * 1024));
	arena_reset(&a);
	char *again = arena_alloc(&a, 100);
	assert_ptr_equal(first, again);
	for (int i = 0; i < 100; i++)
		assert_int_equal(again[i], 0);
	arena_free(&a);
}

static void an_arena_refuses_what_is_past_its_ceiling(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1024);
	assert_non_null(arena_alloc(&a, 1000));
	assert_null(arena_alloc(&a, 100));
	assert_true(a.is_over);
	arena_reset(&a);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_slice(arena_copy(&a, SLICE("")), "");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_stops_at_its_ceiling_and_says_so),
		cmocka_unit_test(printing_grows_the_buffer_and_consuming_moves_the_rest),
		cmocka_unit_test(without_memory_a_buffer_is_over_and_keeps_what_it_has),
		cmocka_unit_test(an_arena_zeroes_again_what_it_hands_out_a_second_time),
		cmocka_unit_test(an_arena_refuses_what_is_past_its_ceiling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
