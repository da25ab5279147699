/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/journal.h"

enum { GENERATION = 7, OUT_BYTES = 4 * 1024 * 1024 };

struct heard {
	uint64_t count, bytes;
	uint32_t next;
	bool is_in_order;
};

static bool hear(void *ctx, struct slice record)
{
	struct heard *h = ctx;
	uint32_t number;
	if (record.len >= sizeof number) {
		memcpy(&number, record.ptr, sizeof number);
		h->is_in_order &= number == h->next++;
	}
	h->count++;
	h->bytes += record.len;
	return true;
}

static void put_numbered(struct journal_out *out, uint32_t from, uint32_t count, size_t bytes)
{
	static char record[JOURNAL_RECORD_BYTES_MAX];
	for (uint32_t i = from; i < from + count; i++) {
		memcpy(record, &i, sizeof i);
		assert_true(journal_put(out, slice_make(record, bytes)));
	}
}

static size_t listen_to(struct heard *h, struct slice bytes, uint64_t generation, bool *is_bad)
{
	*h = (struct heard){ .is_in_order = true };
	struct journal_in in = { .generation = generation, .apply = hear, .ctx = h };
	return journal_read(&in, bytes, is_bad);
}

static void records_of_every_size_come_back_in_order(void **state)
{
	(void)state;
	static const size_t sizes[] = { 4, 24, 127, 128, 129, 16383, 16384, 65535, 65536, JOURNAL_RECORD_BYTES_MAX };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct journal_out out;
		struct heard h;
		bool is_bad;
		journal_out_init(&out, OUT_BYTES, GENERATION);
		put_numbered(&out, 0, 9, sizes[i]);
		journal_seal(&out);
		assert_int_equal(listen_to(&h, buf_slice(&out.buf), GENERATION, &is_bad), out.buf.len);
		assert_false(is_bad);
		assert_int_equal(h.count, 9);
		assert_int_equal(h.bytes, 9 * sizes[i]);
		assert_true(h.is_in_order);
		buf_free(&out.buf);
	}
}

static void empty_records_and_many_blocks_work(void **state)
{
	(void)state;
	struct journal_out out;
	struct heard h;
	bool is_bad;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	for (int i = 0; i < 3; i++)
		assert_true(journal_put(&out, SLICE("")));
	put_numbered(&out, 0, 20000, 24);
	journal_seal(&out);
	journal_seal(&out);
	assert_true(out.buf.len > 7 * JOURNAL_BLOCK_BYTES);
	assert_int_equal(listen_to(&h, buf_slice(&out.buf), GENERATION, &is_bad), out.buf.len);
	assert_int_equal(h.count, 20003);
	assert_true(h.is_in_order);
	buf_free(&out.buf);
}

static void a_record_that_is_too_long_or_has_no_room_is_refused_and_the_rest_stays_good(void **state)
{
	(void)state;
	static char big[JOURNAL_RECORD_BYTES_MAX + 1];
	struct journal_out out;
	struct heard h;
	bool is_bad;
	journal_out_init(&out, 100, GENERATION);
	assert_false(journal_put(&out, slice_make(big, sizeof big)));
	put_numbered(&out, 0, 2, 20);
	assert_false(journal_put(&out, slice_make(big, 60)));
	put_numbered(&out, 2, 1, 8);
	mem_fail_after = 0;
	bool is_put = journal_put(&out, slice_make(big, 60));
	mem_fail_after = -1;
	assert_false(is_put);
	journal_seal(&out);
	assert_int_equal(listen_to(&h, buf_slice(&out.buf), GENERATION, &is_bad), out.buf.len);
	assert_int_equal(h.count, 3);
	buf_free(&out.buf);
}

static void every_flipped_bit_ends_the_reading_before_its_block(void **state)
{
	(void)state;
	struct journal_out out;
	struct heard h;
	bool is_bad;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	put_numbered(&out, 0, 2, 10);
	journal_seal(&out);
	size_t first = out.buf.len;
	put_numbered(&out, 2, 3, 10);
	journal_seal(&out);
	for (size_t bit = 0; bit < out.buf.len * 8; bit++) {
		out.buf.ptr[bit / 8] = (char)(out.buf.ptr[bit / 8] ^ 1 << bit % 8);
		size_t used = listen_to(&h, buf_slice(&out.buf), GENERATION, &is_bad);
		assert_int_equal(used, bit / 8 < first ? 0 : first);
		assert_int_equal(h.count, bit / 8 < first ? 0 : 2);
		out.buf.ptr[bit / 8] = (char)(out.buf.ptr[bit / 8] ^ 1 << bit % 8);
	}
	buf_free(&out.buf);
}

static void every_cut_gives_the_whole_blocks_before_it_and_is_no_damage(void **state)
{
	(void)state;
	struct journal_out out;
	struct heard h;
	bool is_bad;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	put_numbered(&out, 0, 2, 10);
	journal_seal(&out);
	size_t first = out.buf.len;
	put_numbered(&out, 2, 3, 10);
	journal_seal(&out);
	for (size_t cut = 0; cut < out.buf.len; cut++) {
		size_t used = listen_to(&h, slice_first(buf_slice(&out.buf), cut), GENERATION, &is_bad);
		assert_false(is_bad);
		assert_int_equal(used, cut < first ? 0 : first);
	}
	buf_free(&out.buf);
}

static void blocks_of_another_generation_are_foreign(void **state)
{
	(void)state;
	struct journal_out out;
	struct heard h;
	bool is_bad;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	put_numbered(&out, 0, 2, 10);
	journal_seal(&out);
	assert_int_equal(listen_to(&h, buf_slice(&out.buf), GENERATION + 1, &is_bad), 0);
	assert_true(is_bad);
	buf_free(&out.buf);
}

static void a_snapshot_knows_its_end_and_how_many_records_there_must_be(void **state)
{
	(void)state;
	struct journal_out out;
	struct heard h = { .is_in_order = true };
	bool is_bad;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	put_numbered(&out, 0, 5, 10);
	assert_true(journal_put_end(&out));
	struct journal_in in = { .generation = GENERATION, .apply = hear, .ctx = &h };
	journal_read(&in, buf_slice(&out.buf), &is_bad);
	assert_false(is_bad);
	assert_true(in.has_end);
	/* The end mark alone: five records are missing. */
	struct journal_in rest = { .generation = GENERATION, .apply = hear, .ctx = &h };
	journal_read(&rest, slice_from(buf_slice(&out.buf), out.buf.len - 24), &is_bad);
	assert_true(is_bad);
	assert_false(rest.has_end);
	buf_free(&out.buf);
}

static bool refuse(void *ctx, struct slice record)
{
	(void)ctx;
	return record.ptr[0] & 1;
}

static void records_that_are_not_understood_are_counted(void **state)
{
	(void)state;
	struct journal_out out;
	bool is_bad;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	put_numbered(&out, 0, 10, 4);
	journal_seal(&out);
	struct journal_in in = { .generation = GENERATION, .apply = refuse };
	journal_read(&in, buf_slice(&out.buf), &is_bad);
	assert_int_equal(in.applied, 5);
	assert_int_equal(in.refused, 5);
	buf_free(&out.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_every_size_come_back_in_order),
		cmocka_unit_test(empty_records_and_many_blocks_work),
		cmocka_unit_test(a_record_that_is_too_long_or_has_no_room_is_refused_and_the_rest_stays_good),
		cmocka_unit_test(every_flipped_bit_ends_the_reading_before_its_block),
		cmocka_unit_test(every_cut_gives_the_whole_blocks_before_it_and_is_no_damage),
		cmocka_unit_test(blocks_of_another_generation_are_foreign),
		cmocka_unit_test(a_snapshot_knows_its_end_and_how_many_records_there_must_be),
		cmocka_unit_test(records_that_are_not_understood_are_counted),
	};
	hash_start();
	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
