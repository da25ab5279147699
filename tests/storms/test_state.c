/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's memory: acceptance cases 43 and 48, the cap, want of memory, the
 * journal and the snapshot.
 */
#include "scenario.h"

#include "base/mem.h"
#include "mail/facts.h"

#include <stdlib.h>

static const char anna[] = "anna@ours.example";
static const struct handing to_anna = { .rcpts = { "anna@ours.example" } };
static const struct handing from_partner = { .ip = "192.0.2.50", .name = "mail.partner.example",
					     .rcpts = { "anna@ours.example" } };

static void case_43_ten_tables_of_other_mail_do_not_let_the_storm_out(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .memory_bytes = 4 * 1024 * 1024 });
	struct letter storm, other;
	struct storm_counters c;
	char names[64][64], label[64], body[64];
	unsigned withheld = 0, serial = 0;
	letter_write(s, &storm, "storm", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	scene_send(s, &storm, &to_anna);
	for (unsigned i = 0; i < 5; i++) {
		scene_wait(s, MINUTE);
		scene_send(s, &storm, &from_partner);
	}
	/* 4 MiB hold 128 Ki pair slots: 1.3 million pairs, 64 a mail. */
	for (unsigned i = 0; i < 20480; i++) {
		struct handing h = { .ip = "192.0.2.200", .name = "mail.other.example" };
		snprintf(label, sizeof label, "other %u", i % 100);
		snprintf(body, sizeof body, "Other text %u.\r\n", ++serial);
		letter_write(s, &other, label, "x@other.example", "all@ours.example", "Other", body);
		for (unsigned n = 0; n < 64; n++) {
			snprintf(names[n], sizeof names[n], "user%u@ours.example", n);
			h.rcpts[n] = names[n];
		}
		scene_send(s, &other, &h);
		if (i % 100 == 0)
			scene_wait(s, 1000);
		if (i % 1024 == 0) {
			struct answer a = scene_send(s, &storm, &from_partner);
			withheld += a.deed >= DEED_HOLD;
		}
	}
	assert_int_equal(withheld, 20);
	storm_counters(scene_storm(s), &c);
	assert_true(c.pairs_evicted > 500000);
	assert_true(c.memory_bytes <= 4 * 1024 * 1024);
	assert_int_equal(scene_delivered(s, "storm", anna), 3);
	scene_end(s);
}

struct text {
	char *bytes;
	size_t len, cap;
};

static void add_many(struct text *t, const char *piece, size_t len, unsigned times)
{
	if (t->len + len * times + 1 > t->cap) {
		t->cap = 2 * (t->len + len * times + 1);
		t->bytes = mem_resize(t->bytes, t->cap);
		assert_non_null(t->bytes);
	}
	for (unsigned i = 0; i < times; i++) {
		memcpy(t->bytes + t->len, piece, len);
		t->len += len;
	}
}
#define ADD(t, piece, times) add_many((t), (piece), sizeof(piece) - 1, (times))

static void send_monster(const char *name, const struct text *t)
{
	struct scene *s = scene_new(NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct answer a = scene_send_text(s, name, t->bytes, t->len, &to_anna);
		if (a.deed > DEED_TAG)
			fail_msg("%s: %s", name, a.reason);
		scene_wait(s, MINUTE);
	}
	scene_end(s);
	mem_free(t->bytes);
}

static void case_48_monsters_pass_in_bounded_time_and_memory(void **state)
{
	(void)state;
	struct text parts = { NULL, 0, 0 }, hops = parts, header = parts, nuls = parts, stamps = parts;
	ADD(&parts, "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n", 1);
	ADD(&parts, "--x\r\n\r\na\r\n", 1000000);
	send_monster("a million parts", &parts);
	ADD(&hops, "Received: from a.example by b.example; Tue, 6 Dec 2005 09:31:15 +0000\r\n", 10000);
	ADD(&hops, "From: a@b.example\r\nMessage-ID: <1@b>\r\n\r\nhops\r\n", 1);
	send_monster("ten thousand hops", &hops);
	ADD(&header, "From: a@b.example\r\nSubject: ", 1);
	ADD(&header, "long ", 200000);
	ADD(&header, "\r\nTo: ", 1);
	ADD(&header, "x@y.example, ", 100000);
	ADD(&header, "z@y.example\r\n\r\nbody\r\n", 1);
	send_monster("a megabyte of header", &header);
	ADD(&nuls, "From: \0a@b.example\r\nMessage-ID: <\0\0>\r\nDate: \0\r\n\rX: \r\n\n\0\r\r\0\r\n\r\n", 1);
	ADD(&nuls, "\0\r\0\n\r\r", 10000);
	send_monster("NULs and bare CR", &nuls);
	ADD(&stamps, "X-Quell-Trace: 1; k=1; t=1; n=1; c=1; m=1\r\n", 50000);
	ADD(&stamps, "From: a@b.example\r\n\r\nstamps\r\n", 1);
	send_monster("fifty thousand stamps", &stamps);
}

static void case_48_ten_thousand_recipients_with_many_stamps_are_judged_quickly(void **state)
{
	(void)state;
	enum { RCPTS = 10000 };
	struct scene *s = scene_new(&(struct scene_options){ .memory_bytes = 32 * 1024 * 1024 });
	struct slice *rcpts = mem_must_alloc(RCPTS * sizeof *rcpts);
	char *names = mem_must_alloc(RCPTS * 32);
	const uint8_t key[HASH_KEY_BYTES] = { 7 };
	const struct facts_setup setup = { .site_key = key };
	struct arena arena;
	struct verdict v;
	for (size_t i = 0; i < RCPTS; i++)
		rcpts[i] = slice_make(names + 32 * i,
				      (size_t)snprintf(names + 32 * i, 32, "user%zu@ours.example", i));
	struct envelope e = { .rcpts = rcpts, .rcpt_count = RCPTS, .queue_id = SLICE("BIG") };
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	for (unsigned pass = 0; pass < 3; pass++) {
		struct facts_builder *b = facts_begin(&arena, &setup);
		facts_raw(b, SLICE("From: a@b.example\r\nMessage-ID: <1@b>\r\nDate: now\r\n\r\nto all\r\n"));
		storm_judge(scene_storm(s), facts_end(b, &e, scene_now(s)), scene_now(s), &arena, &v);
		assert_int_equal(v.rcpt_count, RCPTS);
		assert_int_equal(v.harshest, pass == 0 ? DEED_PASS : DEED_SUPPRESS);
		storm_queued(scene_storm(s), e.queue_id, scene_now(s));
		arena_reset(&arena);
	}
	arena_free(&arena);
	mem_free(names);
	mem_free(rcpts);
	scene_end(s);
}

static void without_memory_there_is_no_engine_and_no_leak(void **state)
{
	(void)state;
	struct storm_setup setup = { .is_guard = true };
	storm_policy_default(&setup.policy);
	setup.policy.memory_bytes = 4 * 1024 * 1024;
	unsigned failures = 0;
	for (long n = 0; n < 40; n++) {
		struct error error = { .text = "" };
		mem_fail_after = n;
		struct storm *storm = storm_new(&setup, &error);
		mem_fail_after = -1;
		if (storm) {
			storm_free(storm);
			continue;
		}
		failures++;
		assert_non_null(strstr(error.text, "memory"));
	}
	assert_in_range(failures, 8, 30);
}

/* Whatever allocation fails while a storm is judged: a verdict, and nothing lost. */
static void without_memory_mail_still_gets_a_verdict(void **state)
{
	(void)state;
	static char text[65536];
	for (long n = 0; n < 12; n++) {
		struct scene *s = scene_new(NULL);
		struct letter l;
		letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet?\r\n");
		for (unsigned i = 0; i < 6; i++) {
			struct arena facts_arena, arena;
			struct slice rcpts[1] = { SLICE("anna@ours.example") };
			struct envelope e = { .rcpts = rcpts, .rcpt_count = 1, .queue_id = SLICE("Q") };
			const uint8_t key[HASH_KEY_BYTES] = { 7 };
			const struct facts_setup setup = { .site_key = key };
			struct verdict v;
			size_t len = letter_text(&l, text, sizeof text);
			arena_init(&facts_arena, FACTS_ARENA_BYTES_MAX);
			arena_init(&arena, FACTS_ARENA_BYTES_MAX);
			struct facts_builder *b = facts_begin(&facts_arena, &setup);
			facts_raw(b, slice_make(text, len));
			const struct facts *f = facts_end(b, &e, scene_now(s));
			mem_fail_after = n;
			storm_judge(scene_storm(s), f, scene_now(s), &arena, &v);
			mem_fail_after = -1;
			assert_non_null(v.rule);
			if (!v.rcpts)
				assert_int_equal(v.harshest, DEED_PASS);
			storm_queued(scene_storm(s), e.queue_id, scene_now(s));
			arena_free(&facts_arena);
			arena_free(&arena);
			scene_wait(s, MINUTE);
		}
		scene_end(s);
	}
}

struct counting {
	struct scene *scene;
	unsigned count, stop_at;
};

static bool count_record(void *ctx, struct slice record)
{
	struct counting *c = ctx;
	assert_true(record.len > 2);
	return ++c->count != c->stop_at;
}

static void a_snapshot_allocates_nothing_and_stops_when_told(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct counting c = { .scene = s };
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	for (unsigned i = 0; i < 6; i++) {
		scene_send(s, &l, i ? &from_partner : &to_anna);
		scene_wait(s, MINUTE);
	}
	mem_fail_after = 0;
	bool is_whole = storm_snapshot(scene_storm(s), count_record, &c);
	mem_fail_after = -1;
	assert_true(is_whole);
	assert_true(c.count >= 5);
	unsigned all = c.count;
	c = (struct counting){ .scene = s, .stop_at = 2 };
	assert_false(storm_snapshot(scene_storm(s), count_record, &c));
	assert_int_equal(c.count, 2);
	assert_true(all > 2);
	scene_end(s);
}

struct kept {
	char bytes[64][8192];
	size_t len[64];
	unsigned count;
};

static bool keep_record(void *ctx, struct slice record)
{
	struct kept *k = ctx;
	if (k->count < 64) {
		memcpy(k->bytes[k->count], record.ptr, record.len);
		k->len[k->count++] = record.len;
	}
	return true;
}

static void a_spoilt_record_is_refused_or_harmless(void **state)
{
	(void)state;
	static struct kept kept;
	struct scene *s = scene_new(NULL);
	struct letter l;
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	for (unsigned i = 0; i < 6; i++) {
		scene_send(s, &l, i ? &from_partner : &to_anna);
		scene_wait(s, MINUTE);
	}
	assert_true(storm_snapshot(scene_storm(s), keep_record, &kept));
	struct scene *other = scene_new(NULL);
	for (unsigned i = 0; i < kept.count; i++) {
		for (size_t len = 0; len < kept.len[i]; len++)
			if (kept.bytes[i][1] != 9 || (len - 2) % 16 != 0 || len <= 2) /* slots: whole ones do */
				assert_false(storm_apply(scene_storm(other), slice_make(kept.bytes[i], len)));
		for (size_t at = 0; at < kept.len[i]; at++) {
			char spoilt[8192];
			memcpy(spoilt, kept.bytes[i], kept.len[i]);
			spoilt[at] = (char)~spoilt[at];
			storm_apply(scene_storm(other), slice_make(spoilt, kept.len[i]));
		}
	}
	assert_false(storm_apply(scene_storm(other), SLICE("")));
	assert_false(storm_apply(scene_storm(other), SLICE("\x02\x01xxxxxxxx")));
	storm_tick(scene_storm(other), scene_now(other));
	scene_end(other);
	scene_end(s);
}

static void a_snapshot_goes_into_a_table_of_another_size(void **state)
{
	(void)state;
	static struct kept kept;
	struct scene *s = scene_new(&(struct scene_options){ .memory_bytes = 64 * 1024 * 1024 });
	struct letter l;
	struct storm_counters big, small;
	letter_write(s, &l, "news", "news@author.example", "all@ours.example", "News", "All the news.\r\n");
	for (unsigned i = 0; i < 40; i++) {
		char names[50][64];
		struct handing h = { .name = NULL };
		for (unsigned n = 0; n < 50; n++) {
			snprintf(names[n], sizeof names[n], "user%u.%u@ours.example", i, n);
			h.rcpts[n] = names[n];
		}
		scene_send(s, &l, &h);
		scene_wait(s, 1000);
	}
	assert_true(storm_snapshot(scene_storm(s), keep_record, &kept));
	struct scene *other = scene_new(&(struct scene_options){ .memory_bytes = 4 * 1024 * 1024 });
	for (unsigned i = 0; i < kept.count; i++)
		assert_true(storm_apply(scene_storm(other), slice_make(kept.bytes[i], kept.len[i])));
	storm_counters(scene_storm(s), &big);
	storm_counters(scene_storm(other), &small);
	assert_int_equal(big.pairs_known, 2000);
	assert_int_equal(small.pairs_known, 2000);
	scene_end(other);
	scene_end(s);
}

static void a_leap_of_the_clock_forgets_and_never_counts_double(void **state)
{
	(void)state;
	static const int64_t leaps_ms[] = { 4 * 24 * HOUR, 12 * 24 * HOUR, INT64_C(365) * 24 * HOUR,
					    -3 * HOUR, -INT64_C(40) * 24 * HOUR };
	for (unsigned n = 0; n < sizeof leaps_ms / sizeof leaps_ms[0]; n++) {
		struct scene *s = scene_new(NULL);
		struct letter l;
		struct arena arena;
		letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet?\r\n");
		for (unsigned i = 0; i < 2; i++) {
			scene_send(s, &l, &to_anna);
			scene_wait(s, MINUTE);
		}
		struct storm_counters c;
		storm_tick(scene_storm(s), scene_now(s) + leaps_ms[n]);
		storm_counters(scene_storm(s), &c);
		assert_int_equal(c.pairs_known, leaps_ms[n] > 0 ? 0 : 1);
		arena_init(&arena, 4096);
		arena_free(&arena);
		scene_end(s);
	}
}

static void a_policy_that_makes_no_sense_is_refused_in_words(void **state)
{
	(void)state;
	struct storm_setup setup = { .is_guard = true };
	struct error error = { .text = "" };
	storm_policy_default(&setup.policy);
	setup.policy.pair_hour_max = 4;
	assert_null(storm_new(&setup, &error));
	assert_non_null(strstr(error.text, "pair_hour_max is 4"));
	storm_policy_default(&setup.policy);
	setup.policy.pair_day_max = 2;
	error.text[0] = '\0';
	assert_null(storm_new(&setup, &error));
	assert_non_null(strstr(error.text, "more than pair_day_max"));
}

static void a_policy_can_be_changed_in_the_middle_of_a_storm(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct storm_policy policy;
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	scene_send(s, &l, &to_anna);
	scene_wait(s, MINUTE);
	storm_policy_default(&policy);
	policy.pair_hour_max = 1;
	storm_retune(scene_storm(s), &policy, true);
	struct answer a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_SUPPRESS, "limit 1");
	storm_retune(scene_storm(s), &policy, false);
	a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_TAG, "observing");
	assert_non_null(strstr(a.reason, "observing only, else \"suppress\""));
	scene_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_43_ten_tables_of_other_mail_do_not_let_the_storm_out),
		cmocka_unit_test(case_48_monsters_pass_in_bounded_time_and_memory),
		cmocka_unit_test(case_48_ten_thousand_recipients_with_many_stamps_are_judged_quickly),
		cmocka_unit_test(without_memory_there_is_no_engine_and_no_leak),
		cmocka_unit_test(without_memory_mail_still_gets_a_verdict),
		cmocka_unit_test(a_snapshot_allocates_nothing_and_stops_when_told),
		cmocka_unit_test(a_spoilt_record_is_refused_or_harmless),
		cmocka_unit_test(a_snapshot_goes_into_a_table_of_another_size),
		cmocka_unit_test(a_leap_of_the_clock_forgets_and_never_counts_double),
		cmocka_unit_test(a_policy_that_makes_no_sense_is_refused_in_words),
		cmocka_unit_test(a_policy_can_be_changed_in_the_middle_of_a_storm),
	};
	return cmocka_run_group_tests_name("storms state", tests, NULL, NULL);
}
