/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables behind classes 3 to 5, and what of them goes to the journal.
 */
#include "../unit.h"

#include "base/hash.h"
#include "base/mem.h"
#include "storm/record.h"
#include "storm/topics.h"

enum { NOW = 1133860800 };

static uint64_t key_of(unsigned n)
{
	static const uint8_t key[HASH_KEY_BYTES] = { 1 };
	return hash_sip128(key, slice_make(&n, sizeof n)).lo | 1;
}

static void a_full_table_forgets_quiet_topics_and_no_open_one(void **state)
{
	(void)state;
	struct topics t;
	assert_true(hash_start());
	assert_true(topics_init(&t, 65536, sizeof(struct exchange)));
	assert_true(topics_bytes(&t) <= 65536);
	struct topic *open = topics_get(&t, key_of(0), NOW);
	open->state = BREAKER_OPEN;
	for (unsigned i = 1; i < 5000; i++)
		topics_get(&t, key_of(i), NOW + i);
	assert_non_null(topics_find(&t, key_of(0)));
	assert_non_null(topics_find(&t, key_of(4999)));
	assert_true(t.evicted > 4000 && t.used <= t.slot_count);
	topics_free(&t);
}

static void where_all_are_open_a_new_topic_finds_no_room(void **state)
{
	(void)state;
	struct topics t;
	unsigned refused = 0;
	assert_true(topics_init(&t, 1, sizeof(struct thread)));
	for (unsigned i = 0; i < 4000; i++) {
		struct topic *topic = topics_get(&t, key_of(i), NOW);
		refused += !topic;
		if (topic)
			topic->state = BREAKER_OPEN;
	}
	assert_int_equal(refused, 4000 - t.slot_count);
	topics_free(&t);
}

static void what_waits_is_known_again_until_it_is_old(void **state)
{
	(void)state;
	struct waits w;
	assert_true(waits_init(&w, 4096));
	assert_null(waits_find(&w, 77));
	assert_non_null(waits_add(&w, 77, NOW, NOW + 300));
	assert_int_equal(waits_find(&w, 77)->due_s, NOW + 300);
	unsigned added = 1;
	for (unsigned i = 1; i < 100000; i++)
		added += waits_add(&w, key_of(i), NOW, NOW) != NULL;
	assert_int_equal(added, w.slot_count); /* full: the rest is not made to wait */
	assert_non_null(waits_add(&w, key_of(1), NOW + 3 * 86400, NOW));
	waits_free(&w);
}

static void ids_that_were_sent_are_known_and_others_nearly_never(void **state)
{
	(void)state;
	struct sent s;
	unsigned false_hits = 0;
	assert_true(sent_init(&s, 64 * 1024));
	for (unsigned i = 0; i < 15000; i++)
		sent_note(&s, key_of(i));
	for (unsigned i = 14000; i < 15000; i++)
		assert_true(sent_holds(&s, key_of(i)));
	for (unsigned i = 100000; i < 110000; i++)
		false_hits += sent_holds(&s, key_of(i));
	assert_true(false_hits < 300);
	assert_false(sent_holds(&s, 0));
	sent_free(&s);
}

static void fill(union any_topic *any, enum storm_class cls)
{
	memset(any, 0, sizeof *any);
	any->topic = (struct topic){ .key = 5, .last_s = NOW, .changed_s = NOW - 60, .state = BREAKER_OPEN,
			.digest = { 1, 2 } };
	if (cls == STORM_REPLY_ALL) {
		any->thread.audience = 850000;
		any->thread.sketch[0] = 9;
		any->thread.sketch_count = 1;
		any->thread.replies[3] = (struct reply_seen){ .author = 1, .mail = 2, .at_s = NOW, .is_passed = true };
	} else if (cls == STORM_PING_PONG) {
		any->exchange.turns[2] = (struct turn){ .at_s = NOW, .side = 1, .flags = TURN_NEAR };
		any->exchange.turn_count = 3;
		any->exchange.near[1] = 77;
	} else {
		any->target.usual_per_hour = 12.5f;
		any->target.bins[2] = 40;
	}
}

static void topics_come_back_as_they_went(void **state)
{
	(void)state;
	static const enum storm_class classes[] = { STORM_REPLY_ALL, STORM_PING_PONG, STORM_BOUNCE };
	for (size_t i = 0; i < 3; i++) {
		union any_topic any, back;
		struct record_out r;
		fill(&any, classes[i]);
		record_put_topic(&r, classes[i], &any.topic);
		assert_int_equal(record_kind_of(record_slice(&r)), RECORD_TOPIC);
		assert_int_equal(record_get_topic(record_slice(&r), &back), classes[i]);
		assert_memory_equal(&back.topic.digest, &any.topic.digest, DIGEST_BYTES);
		assert_int_equal(back.topic.state, BREAKER_OPEN);
		if (classes[i] == STORM_REPLY_ALL)
			assert_true(back.thread.audience == 850000 && back.thread.replies[3].is_passed);
		else if (classes[i] == STORM_PING_PONG)
			assert_true(back.exchange.turns[2].flags == TURN_NEAR && back.exchange.near[1] == 77);
		else
			assert_true(back.target.bins[2] == 40 && back.target.usual_per_hour > 12);
		for (size_t len = 2; len < r.len; len++) /* cut anywhere it is refused whole */
			assert_int_equal(record_get_topic(slice_make(r.bytes, len), &back), STORM_NONE);
	}
}

static void a_topic_that_cannot_be_is_refused(void **state)
{
	(void)state;
	union any_topic any, back;
	struct record_out r;
	fill(&any, STORM_PING_PONG);
	any.exchange.turn_at = TOPIC_TURNS;
	record_put_topic(&r, STORM_PING_PONG, &any.topic);
	assert_int_equal(record_get_topic(record_slice(&r), &back), STORM_NONE);
	fill(&any, STORM_REPLY_ALL);
	any.thread.sketch_count = TOPIC_SKETCH + 1;
	record_put_topic(&r, STORM_REPLY_ALL, &any.topic);
	assert_int_equal(record_get_topic(record_slice(&r), &back), STORM_NONE);
}

static void without_memory_there_is_no_table(void **state)
{
	(void)state;
	for (long n = 0; n < 2; n++) {
		struct topics t;
		struct sent s;
		mem_fail_after = n;
		assert_false(topics_init(&t, 65536, sizeof(struct thread)));
		mem_fail_after = n;
		assert_false(sent_init(&s, 65536));
		mem_fail_after = -1;
		assert_null(topics_get(&t, 1, NOW));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_forgets_quiet_topics_and_no_open_one),
		cmocka_unit_test(where_all_are_open_a_new_topic_finds_no_room),
		cmocka_unit_test(what_waits_is_known_again_until_it_is_old),
		cmocka_unit_test(ids_that_were_sent_are_known_and_others_nearly_never),
		cmocka_unit_test(topics_come_back_as_they_went),
		cmocka_unit_test(a_topic_that_cannot_be_is_refused),
		cmocka_unit_test(without_memory_there_is_no_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
