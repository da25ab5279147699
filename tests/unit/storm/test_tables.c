/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "storm/emitters.h"
#include "storm/nonces.h"
#include "storm/releases.h"
#include "storm/txns.h"

#include <math.h>

enum { NOW = 1133860800, MEMORY_S = 3 * 86400 };

static const uint8_t key[HASH_KEY_BYTES] = { 1 };

static void key_of(unsigned n, uint8_t out[DIGEST_SHORT_BYTES])
{
	struct hash128 h = hash_sip128(key, slice_make(&n, sizeof n));
	memcpy(out, &h, DIGEST_SHORT_BYTES);
}

static struct instances mails(size_t bytes)
{
	struct instances t;
	assert_true(hash_start());
	assert_true(instances_init(&t, bytes, MEMORY_S));
	assert_true(instances_bytes(&t) <= bytes || t.bucket_count == 1);
	return t;
}

static void an_instance_is_found_until_it_is_too_old(void **state)
{
	(void)state;
	struct instances t = mails(65536);
	uint8_t a[DIGEST_SHORT_BYTES], b[DIGEST_SHORT_BYTES];
	key_of(1, a);
	key_of(2, b);
	struct instance *inst = instances_add(&t, a, NOW);
	assert_non_null(inst);
	assert_ptr_equal(instances_find(&t, a, NOW + MEMORY_S), inst);
	assert_null(instances_find(&t, a, NOW + MEMORY_S + 1));
	assert_null(instances_find(&t, b, NOW));
	assert_ptr_equal(instances_add(&t, a, NOW + MEMORY_S + 1), inst);
	assert_int_equal(t.used, 1);
	instances_clear(&t);
	assert_null(instances_find(&t, a, NOW));
	instances_free(&t);
}

static void single_sightings_go_first_and_open_breakers_last(void **state)
{
	(void)state;
	struct instances t = mails(1); /* one bucket of eight, chosen twice */
	uint8_t k[DIGEST_SHORT_BYTES];
	static const enum breaker states[8] = { BREAKER_OPEN,   BREAKER_OPEN,	 BREAKER_OPEN,
						BREAKER_OPEN,   BREAKER_HALF_OPEN, BREAKER_SUSPECT,
						BREAKER_CLOSED, BREAKER_CLOSED };
	for (unsigned i = 0; i < 8; i++) {
		key_of(i, k);
		struct instance *inst = instances_add(&t, k, NOW - 100 + i);
		inst->fuse.state = (uint8_t)states[i];
		inst->sightings = i == 7 ? 1 : 2;
	}
	for (unsigned n = 0; n < 4; n++) { /* 7, 6, 5, 4 give way, in that order */
		key_of(100 + n, k);
		struct instance *inst = instances_add(&t, k, NOW);
		assert_non_null(inst);
		inst->fuse.state = BREAKER_OPEN;
		key_of(7 - n, k);
		assert_null(instances_find(&t, k, NOW));
	}
	key_of(200, k);
	assert_null(instances_add(&t, k, NOW));
	instances_free(&t);
}

static void surplus_is_counted_over_the_last_hour(void **state)
{
	(void)state;
	struct instance inst = { .first_s = NOW };
	assert_int_equal(instance_surplus(&inst, NOW), 0);
	instance_add_surplus(&inst, NOW, 3);
	instance_add_surplus(&inst, NOW + 600, 4);
	assert_int_equal(instance_surplus(&inst, NOW + 1200), 7);
	assert_int_equal(instance_surplus(&inst, NOW + 3600), 4);
	assert_int_equal(instance_surplus(&inst, NOW + 4200), 0);
	instance_add_surplus(&inst, NOW + 36000, 1);
	assert_int_equal(instance_surplus(&inst, NOW + 36000), 1);
	instance_add_surplus(&inst, NOW + 36000, 70000);
	assert_int_equal(instance_surplus(&inst, NOW + 36000), 65535);
	instance_add_surplus(&inst, NOW, 1); /* the clock stepped back: counted now */
	assert_int_equal(instance_surplus(&inst, NOW + 36000), 65535);
}

static void a_value_with_three_contents_is_a_constant(void **state)
{
	(void)state;
	struct nonces t;
	uint8_t content[3][DIGEST_SHORT_BYTES] = { { 1 }, { 2 }, { 3 } };
	assert_true(nonces_init(&t, 4096));
	assert_false(nonces_note(&t, UINT64_C(77) << 32, content[0]));
	assert_false(nonces_note(&t, UINT64_C(77) << 32, content[0]));
	assert_false(nonces_note(&t, UINT64_C(77) << 32, content[1]));
	assert_false(nonces_is_constant(&t, UINT64_C(77) << 32));
	assert_true(nonces_note(&t, UINT64_C(77) << 32, content[2]));
	assert_true(nonces_is_constant(&t, UINT64_C(77) << 32));
	assert_false(nonces_is_constant(&t, UINT64_C(79) << 32));
	assert_false(nonces_note(&t, 0, content[0]));
	nonces_free(&t);
}

static void a_constant_resists_newcomers_for_a_while_and_not_for_ever(void **state)
{
	(void)state;
	struct nonces t;
	uint8_t content[DIGEST_SHORT_BYTES] = { 0 };
	assert_true(nonces_init(&t, 1)); /* one bucket of two */
	for (uint64_t value = 1; value <= 2; value++)
		for (uint8_t c = 1; c <= 3; c++) {
			content[0] = c;
			nonces_note(&t, value << 40, content);
		}
	assert_true(nonces_is_constant(&t, UINT64_C(1) << 40));
	nonces_note(&t, UINT64_C(9) << 40, content);
	assert_true(nonces_is_constant(&t, UINT64_C(1) << 40));
	for (uint64_t i = 10; i < 30; i++)
		nonces_note(&t, i << 40, content);
	assert_false(nonces_is_constant(&t, UINT64_C(1) << 40) &&
		     nonces_is_constant(&t, UINT64_C(2) << 40));
	nonces_free(&t);
}

static void an_id_without_a_date_is_no_nonce(void **state)
{
	(void)state;
	struct facts a = { .message_id = SLICE("1@x") }, b = a;
	uint64_t x[NONCE_KINDS], y[NONCE_KINDS];
	assert_true(hash_start());
	nonces_of(key, &a, x);
	assert_true(x[NONCE_ID_DATE] == 0);
	a.date = SLICE("Tue, 6 Dec 2005 09:31:15 +0000");
	b.date = SLICE("Tue, 6 Dec 2005 09:31:16 +0000");
	b.dkim_b = a.thread_index = SLICE("same");
	nonces_of(key, &a, x);
	nonces_of(key, &b, y);
	assert_true(x[NONCE_ID_DATE] != 0 && x[NONCE_ID_DATE] != y[NONCE_ID_DATE]);
	assert_true(x[NONCE_THREAD_INDEX] != 0 && x[NONCE_THREAD_INDEX] != y[NONCE_DKIM]);
}

/* As evenly spread as the keyed hashes that the engine uses. */
static uint64_t spread(uint64_t n)
{
	return (n + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static struct txn *add_txn(struct txns *t, unsigned n, unsigned rcpts)
{
	struct txn *txn = txns_add(t, spread(n), spread(n + 100000), rcpts);
	for (unsigned i = 0; txn && i < rcpts; i++)
		txn->rcpts[i].state = TXN_OFFERED;
	return txn;
}

static void passages_are_found_by_nonce_and_by_queue_id_until_overwritten(void **state)
{
	(void)state;
	struct txns t;
	assert_true(hash_start());
	assert_true(txns_init(&t, 64 * 1024));
	assert_true(txns_bytes(&t) <= 64 * 1024);
	for (unsigned i = 1; i <= 5000; i++) {
		struct txn *txn = add_txn(&t, i, i % 7);
		assert_non_null(txn);
		assert_ptr_equal(txns_find(&t, spread(i)), txn);
		assert_ptr_equal(txns_find_queue(&t, spread(i + 100000)), txn);
	}
	assert_null(txns_find(&t, spread(1)));
	unsigned found = 0, walked = 0;
	for (unsigned i = 1; i <= 5000; i++) {
		const struct txn *txn = txns_find(&t, spread(i));
		found += txn != NULL;
		if (txn)
			assert_int_equal(txn->rcpt_count, i % 7);
	}
	uint64_t at = 0;
	while (txns_next(&t, &at))
		walked++;
	assert_true(found > 200);
	assert_int_equal(walked, found);
	assert_null(add_txn(&t, 9999, 100000));
	txns_clear(&t);
	assert_null(txns_find(&t, spread(5000)));
	txns_free(&t);
}

static void a_queue_id_used_again_means_the_newest_passage(void **state)
{
	(void)state;
	struct txns t;
	assert_true(hash_start());
	assert_true(txns_init(&t, 64 * 1024));
	uint64_t queue = txn_queue_hash(key, SLICE("4F1A2"));
	txns_add(&t, 1, queue, 1);
	struct txn *second = txns_add(&t, 2, queue, 1);
	assert_ptr_equal(txns_find_queue(&t, queue), second);
	struct txn *first = txns_find(&t, 1);
	txns_alias(&t, 99, first);
	assert_ptr_equal(txns_find_queue(&t, 99), first);
	assert_true(txn_queue_hash(key, SLICE("")) == 0);
	assert_null(txns_find_queue(&t, 0));
	txns_free(&t);
}

static void releases_come_when_due_once_and_in_order(void **state)
{
	(void)state;
	struct releases r;
	struct release due;
	uint8_t pair[3][PAIR_BYTES] = { { 1 }, { 2 }, { 3 } };
	assert_true(releases_init(&r, 3 * sizeof(struct release)));
	for (unsigned i = 0; i < 3; i++)
		assert_true(releases_add(&r, pair[i], 100 + i));
	assert_false(releases_add(&r, pair[0], 200));
	assert_false(releases_take_due(&r, 99, &due));
	releases_cancel(&r, pair[1]);
	assert_true(releases_take_due(&r, 102, &due));
	assert_memory_equal(due.pair, pair[0], PAIR_BYTES);
	assert_true(releases_take_due(&r, 102, &due));
	assert_memory_equal(due.pair, pair[2], PAIR_BYTES);
	assert_false(releases_take_due(&r, 1000, &due));
	assert_true(releases_add(&r, pair[1], 5));
	assert_memory_equal(releases_at(&r, 0)->pair, pair[1], PAIR_BYTES);
	assert_null(releases_at(&r, 1));
	releases_free(&r);
}

static void the_posterior_is_that_of_the_research(void **state)
{
	(void)state;
	static const struct {
		uint32_t out, in;
		double certainty;
	} rows[] = {
		{ 5, 1, .991 }, { 3, 1, .885 }, { 5, 5, .443 }, { 0, 0, .317 }, { 1, 0, .801 },
		{ 26, 1, 1.0 }, { 400, 400, .494 }, { 401, 401, .494 }, { 1000, 1, 1.0 }, { 1, 1000, 0.0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double got = emitter_certainty(rows[i].out, rows[i].in);
		if (fabs(got - rows[i].certainty) > .001)
			fail_msg("%u/%u: %.4f, wanted %.3f", rows[i].out, rows[i].in, got, rows[i].certainty);
	}
	for (uint32_t n = 350; n < 450; n += 10) /* no step where the formula changes */
		assert_true(fabs(emitter_certainty(n, 380) - emitter_certainty(n + 1, 380)) < .03);
}

static void an_emitter_is_remembered_and_open_ones_give_way_last(void **state)
{
	(void)state;
	struct emitters t;
	assert_true(emitters_init(&t, 1, MEMORY_S)); /* four places */
	for (uint64_t i = 1; i <= 4; i++)
		emitters_get(&t, i << 32 | i, (uint32_t)(NOW + i))->fuse.state = BREAKER_OPEN;
	assert_null(emitters_get(&t, 99, NOW));
	emitters_find(&t, UINT64_C(3) << 32 | 3, NOW)->fuse.state = BREAKER_SUSPECT;
	assert_non_null(emitters_get(&t, 99, NOW));
	assert_null(emitters_find(&t, UINT64_C(3) << 32 | 3, NOW));
	assert_null(emitters_find(&t, 99, NOW + MEMORY_S + 1));
	assert_null(emitters_get(&t, 0, NOW));
	struct emitter e = { .out_weak = 3, .out_strong = 4, .in_weak = 2, .in_strong = 1, .handed = 5 };
	assert_int_equal(emitter_out(&e), 7);
	assert_int_equal(emitter_in(&e), 7);
	emitters_free(&t);
}

static void without_memory_no_table_begins(void **state)
{
	(void)state;
	struct instances i;
	struct nonces n;
	struct txns t;
	struct emitters e;
	struct releases r;
	uint8_t k[DIGEST_SHORT_BYTES] = { 1 };
	for (long fail = 0; fail < 3; fail++) {
		mem_fail_after = fail < 2 ? fail : 0;
		bool has_instances = instances_init(&i, 65536, MEMORY_S);
		mem_fail_after = fail;
		bool has_txns = txns_init(&t, 65536);
		mem_fail_after = 0;
		bool has_others = nonces_init(&n, 4096) || emitters_init(&e, 4096, 1) || releases_init(&r, 4096);
		mem_fail_after = -1;
		assert_false(has_instances || has_txns || has_others);
		assert_null(instances_add(&i, k, NOW));
		assert_null(instances_find(&i, k, NOW));
		assert_null(txns_add(&t, 1, 1, 1));
		assert_null(txns_find(&t, 1));
		assert_false(nonces_note(&n, 1, k));
		assert_null(emitters_get(&e, 1, NOW));
		assert_false(releases_add(&r, k, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_is_found_until_it_is_too_old),
		cmocka_unit_test(single_sightings_go_first_and_open_breakers_last),
		cmocka_unit_test(surplus_is_counted_over_the_last_hour),
		cmocka_unit_test(a_value_with_three_contents_is_a_constant),
		cmocka_unit_test(a_constant_resists_newcomers_for_a_while_and_not_for_ever),
		cmocka_unit_test(an_id_without_a_date_is_no_nonce),
		cmocka_unit_test(passages_are_found_by_nonce_and_by_queue_id_until_overwritten),
		cmocka_unit_test(a_queue_id_used_again_means_the_newest_passage),
		cmocka_unit_test(releases_come_when_due_once_and_in_order),
		cmocka_unit_test(the_posterior_is_that_of_the_research),
		cmocka_unit_test(an_emitter_is_remembered_and_open_ones_give_way_last),
		cmocka_unit_test(without_memory_no_table_begins),
	};
	return cmocka_run_group_tests_name("storm tables", tests, NULL, NULL);
}
