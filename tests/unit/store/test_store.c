/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "rig.h"
#include "store/disk.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_held_mail_comes_back_byte_for_byte_also_after_a_restart(void **state)
{
	(void)state;
	struct rig rig;
	char id[3][HOLD_ID_BYTES];
	static char big[300 * 1024];
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * i >> 7);
	const struct rig_mail mails[] = {
		{ .body = SLICE("hello\r\n.\r\nworld\0\xff\r\n") }, { .body = SLICE("") },
		{ .body = { big, sizeof big }, .header = "Subject: big\nTo: a@x" },
	};
	rig_start(&rig);
	rig_open(&rig);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rig_hold(&rig, &mails[i], id[i]), STORE_DONE);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 3; i++)
			assert_true(rig_loads(&rig, id[i], &mails[i]));
		assert_int_equal(rig_rows(&rig, "DTEST", HOLD_KEPT), 3);
		rig_reopen(&rig);
	}
	rig_end(&rig);
}

static void equal_bodies_are_stored_once_however_they_arrive(void **state)
{
	(void)state;
	struct rig rig;
	struct rig_answer answers[30];
	struct store_health health;
	static char body[100 * 1024];
	hash_random(body, sizeof body);
	const struct rig_mail mail = { .body = { body, sizeof body } };
	rig_start(&rig);
	rig_open(&rig);
	for (size_t i = 0; i < 30; i++)
		rig_send(&rig, &mail, &answers[i]);
	rig_wait(&rig, answers, 30);
	assert_int_equal(rig_hold(&rig, &mail, NULL), STORE_DONE);
	assert_int_equal(rig_files(&rig, "hold/mails", "H"), 31);
	assert_int_equal(rig_files(&rig, "hold/bodies", ""), 1);
	store_health(rig.store, &health);
	assert_int_equal(health.hold_copies, 31);
	assert_true(health.hold_bytes < 31 * 4096 + 2 * sizeof body);
	for (size_t i = 0; i < 30; i++)
		assert_true(rig_loads(&rig, answers[i].id, &mail));
	rig_end(&rig);
}

static void what_cannot_be_released_exactly_is_not_held(void **state)
{
	(void)state;
	struct rig rig;
	char longest[300];
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	rig_start(&rig);
	rig_open(&rig);
	assert_int_equal(rig_hold(&rig, &(struct rig_mail){ .rcpt = longest }, NULL), STORE_FAILED);
	assert_int_equal(rig_hold(&rig, &(struct rig_mail){ .rcpt = "a\r\nb" }, NULL), STORE_FAILED);
	assert_int_equal(rig_files(&rig, "hold/mails", ""), 0);
	assert_int_equal(rig_files(&rig, "hold/bodies", ""), 0);
	assert_int_equal(rig_rows(&rig, NULL, -1), 0);
	rig_end(&rig);
}

struct quota {
	const char *name;
	int64_t bytes_max, copies_max, free_min;
	size_t fit; /* mails of 4 recipients that must fit, of ten */
};

static void a_quota_refuses_what_is_past_it_and_keeps_what_is_in_it(void **state)
{
	(void)state;
	static const struct quota quotas[] = {
		{ "copies", INT64_MAX / 2, 9, 0, 2 },
		{ "bytes", 3 * 8192, 1000, 0, 3 },
		{ "free", INT64_MAX / 2, 1000, INT64_MAX / 2, 0 },
	};
	char body[] = "body 0";
	for (size_t q = 0; q < sizeof quotas / sizeof quotas[0]; q++) {
		struct rig rig;
		struct store_health health;
		size_t done = 0;
		rig_start(&rig);
		rig.limits.hold_bytes_max = quotas[q].bytes_max;
		rig.limits.hold_copies_max = quotas[q].copies_max;
		rig.limits.free_bytes_min = quotas[q].free_min;
		rig_open(&rig);
		for (int i = 0; i < 10; i++) {
			body[5] = (char)('0' + i);
			struct rig_mail mail = { .body = slice_from_str(body), .rcpt_count = 4 };
			enum store_result result = rig_hold(&rig, &mail, NULL);
			assert_int_equal(result, done < quotas[q].fit ? STORE_DONE : STORE_FULL);
			done += result == STORE_DONE;
		}
		assert_int_equal(done, quotas[q].fit);
		assert_int_equal(rig_files(&rig, "hold/mails", ""), done);
		assert_int_equal(rig_files(&rig, "hold/bodies", ""), done);
		store_health(rig.store, &health);
		assert_true(health.is_full);
		assert_true(health.full_since_ms > 0);
		store_limits_default(&rig.limits);
		rig.limits.free_bytes_min = 0;
		store_retune(rig.store, &rig.limits);
		assert_int_equal(rig_hold(&rig, &(struct rig_mail){ 0 }, NULL), STORE_DONE);
		store_health(rig.store, &health);
		assert_false(health.is_full);
		rig_end(&rig);
	}
}

static void a_second_daemon_is_told_to_try_again_later(void **state)
{
	(void)state;
	struct rig rig, second;
	rig_start(&rig);
	rig_open(&rig);
	second = rig;
	assert_false(rig_try_open(&second));
	assert_int_equal(second.error.status, EXIT_TRY_AGAIN);
	rig_end(&rig);
}

static void a_folder_that_others_may_write_is_refused(void **state)
{
	(void)state;
	struct rig rig;
	rig_start(&rig);
	assert_int_equal(chmod(rig.dir, 0777), 0);
	assert_false(rig_try_open(&rig));
	assert_non_null(strstr(rig.error.text, "may be written by others"));
	assert_int_equal(chmod(rig.dir, 0700), 0);
	rig_open(&rig);
	rig_end(&rig);
}

static void everything_made_is_closed_to_others(void **state)
{
	(void)state;
	static const char *const names[] = { "quell.db", "key", "lock", "hold", "hold/mails", "journal.0" };
	struct rig rig;
	struct store_keys keys;
	char path[RIG_PATH_BYTES];
	struct stat st;
	mode_t before = umask(0);
	rig_start(&rig);
	rig_open(&rig);
	assert_true(store_keys(rig.store, &keys, NULL));
	store_journal(rig.store, SLICE("record"), true);
	rig_reopen(&rig);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		rig_path(&rig, names[i], path);
		if (stat(path, &st) != 0 || (st.st_mode & 077))
			fail_msg("%s has mode %o", names[i], st.st_mode);
	}
	umask(before);
	rig_end(&rig);
}

static void keys_are_made_once_and_a_wrong_key_file_is_never_replaced(void **state)
{
	(void)state;
	struct rig rig;
	struct store_keys keys, again;
	struct error error = { 0 };
	char path[RIG_PATH_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	assert_true(store_keys(rig.store, &keys, NULL));
	rig_reopen(&rig);
	assert_true(store_keys(rig.store, &again, NULL));
	assert_memory_equal(&keys, &again, sizeof keys);
	assert_memory_not_equal(keys.site, keys.stamp, HASH_KEY_BYTES);
	rig_path(&rig, "key", path);
	chmod(path, 0644);
	assert_false(store_keys(rig.store, &again, &error));
	assert_non_null(strstr(error.text, "chmod 600"));
	chmod(path, 0600);
	rig_write(&rig, "key", SLICE("short"));
	assert_false(store_keys(rig.store, &again, NULL));
	char wrong[76] = "of the right length, but not the right magic";
	rig_write(&rig, "key", slice_make(wrong, sizeof wrong));
	assert_false(store_keys(rig.store, &again, NULL));
	rig_end(&rig);
}

static void jobs_past_the_ceiling_are_refused_not_queued(void **state)
{
	(void)state;
	struct rig rig;
	struct rig_answer *answers = calloc(400, sizeof *answers);
	static char body[30 * 1024];
	size_t done = 0, full = 0;
	rig_start(&rig);
	rig_open(&rig);
	for (size_t i = 0; i < 400; i++) {
		/* Distinct, incompressible: the writer is slower than the sender. */
		hash_random(body, sizeof body);
		rig_send(&rig, &(struct rig_mail){ .body = { body, sizeof body } }, &answers[i]);
	}
	rig_wait(&rig, answers, 400);
	for (size_t i = 0; i < 400; i++) {
		done += answers[i].result == STORE_DONE;
		full += answers[i].result == STORE_FULL;
	}
	assert_int_equal(done + full, 400);
	assert_int_equal(rig_rows(&rig, NULL, HOLD_KEPT), done);
	free(answers);
	rig_end(&rig);
}

static void closing_answers_everything_that_waits(void **state)
{
	(void)state;
	struct rig rig;
	struct rig_answer answers[150];
	rig_start(&rig);
	rig_open(&rig);
	for (size_t i = 0; i < 150; i++)
		rig_send(&rig, &(struct rig_mail){ 0 }, &answers[i]);
	rig_close(&rig);
	for (size_t i = 0; i < 150; i++) {
		assert_true(answers[i].is_answered);
		assert_int_equal(answers[i].result, STORE_DONE);
	}
	rig_open(&rig);
	assert_int_equal(rig_rows(&rig, NULL, HOLD_KEPT), 150);
	rig_end(&rig);
}

static void the_defaults_are_those_of_the_rows(void **state)
{
	(void)state;
	struct store_limits limits;
	char why[200];
	store_limits_default(&limits);
	assert_int_equal(limits.hold_bytes_max, 1 << 30);
	assert_int_equal(limits.hold_copies_max, 1000000);
	assert_int_equal(limits.hold_keep_ms, 30LL * 24 * 3600 * 1000);
	assert_int_equal(limits.free_bytes_min, 256 << 20);
	assert_int_equal(limits.incident_copies_full, 10000);
	assert_int_equal(limits.decisions_max, 100000);
	assert_int_equal(limits.journal_bytes_max, 64 << 20);
	assert_int_equal(limits.snapshot_every_ms, 300000);
	for (size_t i = 0; i < store_limit_row_count; i++)
		if (!setting_parse(&store_limit_rows[i], store_limit_rows[i].default_text, &limits, why, sizeof why))
			fail_msg("%s: %s", store_limit_rows[i].name, why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_mail_comes_back_byte_for_byte_also_after_a_restart),
		cmocka_unit_test(equal_bodies_are_stored_once_however_they_arrive),
		cmocka_unit_test(what_cannot_be_released_exactly_is_not_held),
		cmocka_unit_test(a_quota_refuses_what_is_past_it_and_keeps_what_is_in_it),
		cmocka_unit_test(a_second_daemon_is_told_to_try_again_later),
		cmocka_unit_test(a_folder_that_others_may_write_is_refused),
		cmocka_unit_test(everything_made_is_closed_to_others),
		cmocka_unit_test(keys_are_made_once_and_a_wrong_key_file_is_never_replaced),
		cmocka_unit_test(jobs_past_the_ceiling_are_refused_not_queued),
		cmocka_unit_test(closing_answers_everything_that_waits),
		cmocka_unit_test(the_defaults_are_those_of_the_rows),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
