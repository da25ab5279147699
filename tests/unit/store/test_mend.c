/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "rig.h"

#include <stdio.h>
#include <unistd.h>

static void remove_database(struct rig *rig)
{
	static const char *const names[] = { "quell.db", "quell.db-wal", "quell.db-shm" };
	char path[RIG_PATH_BYTES];
	for (size_t i = 0; i < 3; i++) {
		rig_path(rig, names[i], path);
		unlink(path);
	}
}

static void remove_file(struct rig *rig, const char *name)
{
	char path[RIG_PATH_BYTES];
	rig_path(rig, name, path);
	assert_int_equal(unlink(path), 0);
}

static void a_lost_database_is_made_again_from_the_hold(void **state)
{
	(void)state;
	struct rig rig;
	struct store_health before, after;
	char id[10][HOLD_ID_BYTES];
	const struct rig_mail mail = { .body = SLICE("the same body"), .rcpt_count = 3, .incident = "DFIRST" };
	const struct rig_mail other = { .body = SLICE("another"), .incident = "DSECOND", .deed = DEED_SUPPRESS };
	rig_start(&rig);
	rig_open(&rig);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rig_hold(&rig, i < 7 ? &mail : &other, id[i]), STORE_DONE);
	store_health(rig.store, &before);
	rig_close(&rig);
	remove_database(&rig);
	rig_open(&rig);
	assert_int_equal(rig_rows(&rig, "DFIRST", HOLD_KEPT), 21);
	assert_int_equal(rig_rows(&rig, "DSECOND", HOLD_KEPT), 3);
	store_health(rig.store, &after);
	assert_int_equal(before.hold_bytes, after.hold_bytes);
	assert_int_equal(before.hold_copies, after.hold_copies);
	for (int i = 0; i < 10; i++)
		assert_true(rig_loads(&rig, id[i], i < 7 ? &mail : &other));
	/* The references were counted again: the body goes with its last mail. */
	for (int i = 7; i < 10; i++)
		assert_true(store_hold_mark(rig.store, id[i], "r@example.net", HOLD_RELEASED, 1));
	assert_int_equal(rig_files(&rig, "hold/bodies", ""), 1);
	rig_end(&rig);
}

static void a_damaged_database_is_moved_aside_and_the_daemon_starts(void **state)
{
	(void)state;
	static const char *const garbage[] = { "not a database", "SQLite format 3" };
	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		char id[HOLD_ID_BYTES];
		rig_start(&rig);
		rig_open(&rig);
		assert_int_equal(rig_hold(&rig, &(struct rig_mail){ 0 }, id), STORE_DONE);
		rig_close(&rig);
		rig_write(&rig, "quell.db", slice_from_str(garbage[i]));
		rig_open(&rig);
		assert_int_equal(rig_files(&rig, "", "quell.db.damaged"), 1);
		assert_true(rig_loads(&rig, id, &(struct rig_mail){ 0 }));
		assert_int_equal(rig_rows(&rig, NULL, HOLD_KEPT), 1);
		assert_int_equal(rig_hold(&rig, &(struct rig_mail){ 0 }, NULL), STORE_DONE);
		rig_end(&rig);
	}
}

static void what_a_crash_left_half_is_removed_and_what_it_left_whole_is_indexed(void **state)
{
	(void)state;
	struct rig rig;
	rig_start(&rig);
	rig_open(&rig);
	assert_int_equal(rig_hold(&rig, &(struct rig_mail){ .body = SLICE("x") }, NULL), STORE_DONE);
	rig_close(&rig);
	rig_write(&rig, "hold/mails/tmp.H0abc", SLICE("quell-hold: 1\nsum"));
	rig_write(&rig, "hold/bodies/tmp.0123.zst", SLICE("(\xb5/"));
	rig_write(&rig, "hold/bodies/0000000000000000000000000000000000000000000000000000000000000000.zst", SLICE("x"));
	rig_write(&rig, "tmp.snapshot.9", SLICE("x"));
	rig_open(&rig);
	assert_int_equal(rig_files(&rig, "hold/mails", ""), 1);
	assert_int_equal(rig_files(&rig, "hold/bodies", ""), 1);
	assert_int_equal(rig_files(&rig, "", "tmp."), 0);
	rig_end(&rig);
}

static void a_damaged_mail_file_is_kept_aside_and_its_body_with_it(void **state)
{
	(void)state;
	struct rig rig;
	char name[RIG_PATH_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	assert_int_equal(rig_hold(&rig, &(struct rig_mail){ .body = SLICE("x") }, NULL), STORE_DONE);
	rig_close(&rig);
	remove_database(&rig);
	assert_true(rig_first_file(&rig, "hold/mails", "H", name));
	rig_write(&rig, name, SLICE("garbage"));
	for (int round = 0; round < 2; round++) {
		rig_open(&rig);
		assert_int_equal(rig_files(&rig, "hold/mails", ""), 0);
		assert_int_equal(rig_files(&rig, "hold/damaged", ""), 1);
		assert_int_equal(rig_files(&rig, "hold/bodies", ""), 1);
		assert_int_equal(rig_rows(&rig, NULL, -1), 0);
		rig_close(&rig);
	}
	rig_end(&rig);
}

static void a_mail_file_that_somebody_took_away_is_marked_as_lost(void **state)
{
	(void)state;
	struct rig rig;
	struct store_health health;
	char name[RIG_PATH_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	assert_int_equal(rig_hold(&rig, &(struct rig_mail){ .body = SLICE("x"), .rcpt_count = 2 }, NULL), STORE_DONE);
	rig_close(&rig);
	assert_true(rig_first_file(&rig, "hold/mails", "H", name));
	remove_file(&rig, name);
	rig_open(&rig);
	assert_int_equal(rig_rows(&rig, NULL, HOLD_KEPT), 0);
	assert_int_equal(rig_rows(&rig, NULL, HOLD_EXPIRED), 2);
	store_health(rig.store, &health);
	assert_int_equal(health.hold_copies, 0);
	assert_int_equal(health.hold_bytes, 0);
	rig_end(&rig);
}

static void a_body_that_is_gone_or_damaged_is_said_and_the_next_equal_one_is_stored_again(void **state)
{
	(void)state;
	struct rig rig;
	struct buf out;
	char id[HOLD_ID_BYTES], name[RIG_PATH_BYTES];
	const struct rig_mail mail = { .body = SLICE("a body that repeats") };
	rig_start(&rig);
	rig_open(&rig);
	buf_init(&out, 1 << 20);
	assert_int_equal(rig_hold(&rig, &mail, id), STORE_DONE);
	assert_true(rig_first_file(&rig, "hold/bodies", "", name));
	rig_write(&rig, name, SLICE("garbage"));
	assert_false(rig_loads(&rig, id, &mail));
	assert_non_null(strstr(rig.error.text, "damaged"));
	remove_file(&rig, name);
	assert_false(rig_loads(&rig, id, &mail));
	assert_int_equal(rig_hold(&rig, &mail, NULL), STORE_DONE);
	assert_true(rig_loads(&rig, id, &mail));
	buf_free(&out);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_database_is_made_again_from_the_hold),
		cmocka_unit_test(a_damaged_database_is_moved_aside_and_the_daemon_starts),
		cmocka_unit_test(what_a_crash_left_half_is_removed_and_what_it_left_whole_is_indexed),
		cmocka_unit_test(a_damaged_mail_file_is_kept_aside_and_its_body_with_it),
		cmocka_unit_test(a_mail_file_that_somebody_took_away_is_marked_as_lost),
		cmocka_unit_test(a_body_that_is_gone_or_damaged_is_said_and_the_next_equal_one_is_stored_again),
	};
	return cmocka_run_group_tests_name("mend", tests, NULL, NULL);
}
