/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "rig.h"

#include <unistd.h>

enum { ROWS = 50 };

static size_t next_of(struct rig *rig, const char *incident, struct hold_row *rows)
{
	return store_hold_next(rig->store, &(struct hold_query){ .incident = incident }, rows, ROWS);
}

static void rows_come_oldest_first_by_incident_by_id_and_newest_by_pair(void **state)
{
	(void)state;
	struct rig rig;
	struct hold_row rows[ROWS];
	char id[4][HOLD_ID_BYTES];
	uint8_t pair[12] = { 7 };
	static const int64_t times[] = { 4000, 1000, 3000, 2000 };
	rig_start(&rig);
	int64_t start_ms = rig.now_ms;
	rig_open(&rig);
	for (size_t i = 0; i < 4; i++)
		rig_hold(&rig, &(struct rig_mail){ .time_ms = start_ms + times[i], .pair = 7, .reason = "why" }, id[i]);
	rig_hold(&rig, &(struct rig_mail){ .incident = "DOTHER", .pair = 8 }, NULL);
	assert_int_equal(next_of(&rig, "DTEST", rows), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(rows[i].time_ms, start_ms + (int64_t)(i + 1) * 1000);
	assert_string_equal(rows[0].id, id[1]);
	assert_string_equal(rows[0].incident, "DTEST");
	assert_string_equal(rows[0].rcpt, "r@example.net");
	assert_string_equal(rows[0].mail_from, "sender@example.org");
	assert_string_equal(rows[0].reason, "why");
	assert_string_equal(rows[0].rule, "pair");
	assert_string_equal(rows[0].queue_id, "4XYZ");
	assert_memory_equal(rows[0].pair, pair, sizeof pair);
	assert_true(rows[0].bytes > 0);
	assert_int_equal(store_hold_next(rig.store, &(struct hold_query){ .hold_id = id[2] }, rows, ROWS), 1);
	assert_string_equal(rows[0].id, id[2]);
	assert_int_equal(store_hold_next(rig.store, &(struct hold_query){ .pair = pair }, rows, ROWS), 1);
	assert_string_equal(rows[0].id, id[0]);
	assert_int_equal(store_hold_next(rig.store, &(struct hold_query){ 0 }, rows, ROWS), 0);
	assert_int_equal(next_of(&rig, "DNONE", rows), 0);
	rig_end(&rig);
}

static void a_mail_is_freed_only_when_its_last_recipient_is_released(void **state)
{
	(void)state;
	struct rig rig;
	struct hold_row rows[ROWS];
	struct store_health health;
	char id[HOLD_ID_BYTES];
	const struct rig_mail mail = { .rcpt_count = 3, .body = SLICE("body") };
	rig_start(&rig);
	rig_open(&rig);
	rig_hold(&rig, &mail, id);
	assert_int_equal(next_of(&rig, "DTEST", rows), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(rig_loads(&rig, id, &mail));
		assert_true(store_hold_mark(rig.store, id, rows[i].rcpt, HOLD_RELEASING, 1));
		assert_true(rig_loads(&rig, id, &mail));
		assert_true(store_hold_mark(rig.store, id, rows[i].rcpt, HOLD_RELEASED, 2));
		assert_true(store_hold_mark(rig.store, id, rows[i].rcpt, HOLD_RELEASED, 3));
		assert_false(store_hold_mark(rig.store, id, rows[i].rcpt, HOLD_KEPT, 4));
	}
	assert_int_equal(rig_files(&rig, "hold/mails", ""), 0);
	assert_int_equal(rig_files(&rig, "hold/bodies", ""), 0);
	assert_int_equal(rig_rows(&rig, "DTEST", HOLD_RELEASED), 3);
	store_health(rig.store, &health);
	assert_int_equal(health.hold_bytes, 0);
	rig_hold(&rig, &(struct rig_mail){ 0 }, NULL);
	store_health(rig.store, &health);
	assert_int_equal(health.hold_copies, 1);
	rig_end(&rig);
}

static void a_body_freed_by_one_mail_while_another_brings_it_again_stays(void **state)
{
	(void)state;
	struct rig rig;
	const struct rig_mail mail = { .body = SLICE("shared") };
	char id[HOLD_ID_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	rig_hold(&rig, &mail, id);
	for (int i = 0; i < 30; i++) {
		struct rig_answer answer;
		/* The writer may take both as one batch, in either order. */
		rig_send(&rig, &mail, &answer);
		assert_true(store_hold_mark(rig.store, id, "r@example.net", HOLD_RELEASED, 1));
		rig_wait(&rig, &answer, 1);
		assert_int_equal(answer.result, STORE_DONE);
		assert_true(rig_loads(&rig, answer.id, &mail));
		memcpy(id, answer.id, sizeof id);
	}
	rig_end(&rig);
}

static void what_was_being_released_comes_first_in_the_next_life_and_not_in_this(void **state)
{
	(void)state;
	struct rig rig;
	struct hold_row rows[ROWS];
	char id[3][HOLD_ID_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	for (int i = 0; i < 3; i++)
		rig_hold(&rig, &(struct rig_mail){ 0 }, id[i]);
	assert_true(store_hold_mark(rig.store, id[2], "r@example.net", HOLD_RELEASING, 1));
	assert_int_equal(next_of(&rig, "DTEST", rows), 2);
	assert_string_equal(rows[0].id, id[0]);
	rig_reopen(&rig);
	assert_int_equal(next_of(&rig, "DTEST", rows), 3);
	assert_string_equal(rows[0].id, id[2]);
	assert_int_equal(rows[0].state, HOLD_RELEASING);
	assert_true(store_hold_mark(rig.store, id[2], "r@example.net", HOLD_KEPT, 1));
	assert_int_equal(next_of(&rig, "DTEST", rows), 3);
	assert_string_equal(rows[0].id, id[0]);
	rig_end(&rig);
}

static void what_a_relay_refused_is_kept_and_given_again_only_by_its_id(void **state)
{
	(void)state;
	struct rig rig;
	struct hold_row rows[ROWS];
	char id[HOLD_ID_BYTES];
	uint8_t pair[12] = { 7 };
	rig_start(&rig);
	rig_open(&rig);
	rig_hold(&rig, &(struct rig_mail){ .pair = 7 }, id);
	assert_true(store_hold_mark(rig.store, id, "r@example.net", HOLD_RELEASING, 1));
	assert_true(store_hold_mark(rig.store, id, "r@example.net", HOLD_REFUSED, 2));
	assert_int_equal(next_of(&rig, "DTEST", rows), 0);
	assert_int_equal(store_hold_next(rig.store, &(struct hold_query){ .pair = pair }, rows, ROWS), 0);
	assert_int_equal(store_hold_next(rig.store, &(struct hold_query){ .hold_id = id }, rows, ROWS), 1);
	assert_int_equal(rows[0].state, HOLD_REFUSED);
	rig_reopen(&rig);
	assert_true(rig_loads(&rig, id, &(struct rig_mail){ 0 }));
	assert_true(store_hold_mark(rig.store, id, "r@example.net", HOLD_RELEASED, 3));
	assert_int_equal(rig_files(&rig, "hold/mails", ""), 0);
	rig_end(&rig);
}

static void marks_of_rows_that_are_not_there_are_refused(void **state)
{
	(void)state;
	struct rig rig;
	struct buf out;
	char id[HOLD_ID_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	buf_init(&out, 1 << 20);
	rig_hold(&rig, &(struct rig_mail){ 0 }, id);
	assert_false(store_hold_mark(rig.store, id, "nobody@example.net", HOLD_RELEASED, 1));
	assert_false(store_hold_mark(rig.store, "Hnone", "r@example.net", HOLD_RELEASED, 1));
	assert_false(store_hold_load(rig.store, "../../key", &out, NULL));
	assert_false(store_hold_load(rig.store, "Hnone", &out, NULL));
	assert_int_equal(out.len, 0);
	buf_free(&out);
	rig_end(&rig);
}

static void release_jobs_survive_a_restart(void **state)
{
	(void)state;
	struct rig rig;
	struct release_job jobs[4] = { { "DABC", true, 60, 1000, 0, 0 }, { "H123", false, 0, 500, 0, 0 } };
	rig_start(&rig);
	rig_open(&rig);
	assert_true(store_job_add(rig.store, &jobs[0]));
	assert_true(store_job_add(rig.store, &jobs[1]));
	jobs[0].done = 7;
	jobs[0].failed = 2;
	assert_true(store_job_update(rig.store, &jobs[0], false));
	rig_reopen(&rig);
	struct release_job back[4];
	assert_int_equal(store_job_list(rig.store, back, 4), 2);
	assert_string_equal(back[0].what, "H123");
	assert_false(back[0].is_incident);
	assert_string_equal(back[1].what, "DABC");
	assert_true(back[1].is_incident);
	assert_int_equal(back[1].per_minute, 60);
	assert_int_equal(back[1].done, 7);
	assert_int_equal(back[1].failed, 2);
	assert_true(store_job_update(rig.store, &back[0], true));
	assert_int_equal(store_job_list(rig.store, back, 4), 1);
	rig_end(&rig);
}

static bool nothing_is_kept(struct rig *rig)
{
	store_note(rig->store, "wake", SLICE("up"));
	return rig_rows(rig, NULL, HOLD_KEPT) == 0;
}

static int remove_index(struct rig *rig)
{
	char path[RIG_PATH_BYTES];
	rig_close(rig);
	rig_path(rig, "quell.db-wal", path);
	unlink(path);
	rig_path(rig, "quell.db-shm", path);
	unlink(path);
	rig_path(rig, "quell.db", path);
	return unlink(path);
}

static void past_its_days_a_copy_goes_and_is_counted_as_expired(void **state)
{
	(void)state;
	struct rig rig;
	struct store_health health;
	char id[HOLD_ID_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	rig_hold(&rig, &(struct rig_mail){ .rcpt_count = 2, .body = SLICE("x") }, id);
	rig_hold(&rig, &(struct rig_mail){ .incident = "DBUSY", .rcpt = "busy@example.net" }, id);
	assert_true(store_hold_mark(rig.store, id, "busy@example.net", HOLD_RELEASING, rig.now_ms));
	rig.now_ms += rig.limits.hold_keep_ms + 1000;
	store_flush(rig.store, rig.now_ms);
	assert_true(rig_until(&rig, nothing_is_kept));
	assert_int_equal(rig_rows(&rig, "DTEST", HOLD_EXPIRED), 2);
	assert_int_equal(rig_rows(&rig, "DBUSY", HOLD_RELEASING), 1);
	rig_reopen(&rig);
	store_health(rig.store, &health);
	assert_int_equal(health.expired, 2);
	assert_int_equal(health.hold_copies, 1);
	assert_int_equal(rig_files(&rig, "hold/mails", ""), 1);
	rig_end(&rig);
}

static void a_first_copy_never_expires_and_is_never_only_counted(void **state)
{
	(void)state;
	struct rig rig;
	const struct rig_mail mail = { .incident = "BFLOOD", .rcpt = "victim@example.net", .body = SLICE("x"),
			.pair = 1,
				       .is_first = true };
	char id[HOLD_ID_BYTES];
	rig_start(&rig);
	rig.limits.incident_copies_full = 1;
	rig_open(&rig);
	for (unsigned i = 0; i < 8; i++)
		rig_hold(&rig, &mail, id);
	rig_hold(&rig, &(struct rig_mail){ .rcpt_count = 2, .body = SLICE("y"), .pair = 9 }, id);
	rig.now_ms += rig.limits.hold_keep_ms + 1000;
	store_flush(rig.store, rig.now_ms);
	for (unsigned i = 0; i < 200 && rig_rows(&rig, "DTEST", HOLD_EXPIRED) < 2; i++)
		nothing_is_kept(&rig);
	assert_int_equal(rig_rows(&rig, "BFLOOD", HOLD_KEPT), 8);
	assert_int_equal(remove_index(&rig), 0); /* made again from the files it is the same */
	rig_open(&rig);
	assert_int_equal(rig_rows(&rig, "BFLOOD", HOLD_KEPT), 8);
	store_flush(rig.store, rig.now_ms);
	nothing_is_kept(&rig);
	assert_int_equal(rig_rows(&rig, "BFLOOD", HOLD_EXPIRED), 0);
	rig_end(&rig);
}

static void beyond_its_share_an_incident_keeps_the_newest_three_of_each_pair_whole(void **state)
{
	(void)state;
	struct rig rig;
	struct hold_row rows[ROWS];
	struct store_health health;
	char id[40][HOLD_ID_BYTES];
	const struct rig_mail first = { .pair = 1, .body = SLICE("one"), .rcpt = "one@x" };
	const struct rig_mail second = { .pair = 2, .body = SLICE("two"), .rcpt = "two@x" };
	rig_start(&rig);
	rig.limits.incident_copies_full = 8;
	rig_open(&rig);
	/* One copy of the second pair, then a flood of the first. */
	rig_hold(&rig, &second, id[0]);
	for (int i = 1; i < 40; i++)
		assert_int_equal(rig_hold(&rig, &first, id[i]), STORE_DONE);
	size_t kept = next_of(&rig, "DTEST", rows);
	assert_true(kept >= 4 && kept <= 8);
	assert_true(rig_loads(&rig, id[0], &second));
	for (int i = 37; i < 40; i++)
		assert_true(rig_loads(&rig, id[i], &first));
	assert_int_equal(rig_rows(&rig, NULL, HOLD_COUNTED), 40 - kept);
	assert_int_equal(rig_files(&rig, "hold/mails", ""), kept);
	store_health(rig.store, &health);
	assert_int_equal(health.hold_copies, kept);
	assert_false(store_hold_mark(rig.store, id[1], "one@x", HOLD_RELEASED, 1));
	rig_reopen(&rig);
	assert_int_equal(rig_files(&rig, "hold/mails", ""), kept);
	assert_int_equal(rig_rows(&rig, NULL, HOLD_COUNTED), 40 - kept);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_oldest_first_by_incident_by_id_and_newest_by_pair),
		cmocka_unit_test(a_mail_is_freed_only_when_its_last_recipient_is_released),
		cmocka_unit_test(a_body_freed_by_one_mail_while_another_brings_it_again_stays),
		cmocka_unit_test(what_was_being_released_comes_first_in_the_next_life_and_not_in_this),
		cmocka_unit_test(what_a_relay_refused_is_kept_and_given_again_only_by_its_id),
		cmocka_unit_test(marks_of_rows_that_are_not_there_are_refused),
		cmocka_unit_test(release_jobs_survive_a_restart),
		cmocka_unit_test(past_its_days_a_copy_goes_and_is_counted_as_expired),
		cmocka_unit_test(a_first_copy_never_expires_and_is_never_only_counted),
		cmocka_unit_test(beyond_its_share_an_incident_keeps_the_newest_three_of_each_pair_whole),
	};
	return cmocka_run_group_tests_name("release", tests, NULL, NULL);
}
