/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "rig.h"
#include "store/disk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A state that is a set of numbers; a record is one number to add. */
enum { STATE_MAX = 4096 };
struct set {
	uint32_t numbers[STATE_MAX];
	size_t count;
	int linger_us;     /* how long the snapshot's child takes */
	bool may_finish;
};

static bool set_add(void *ctx, struct slice record)
{
	struct set *set = ctx;
	uint32_t number;
	if (record.len != sizeof number || set->count == STATE_MAX)
		return false;
	memcpy(&number, record.ptr, sizeof number);
	set->numbers[set->count++] = number;
	return true;
}

static bool set_fill(void *ctx, bool (*emit)(void *emit_ctx, struct slice record), void *emit_ctx)
{
	struct set *set = ctx;
	for (size_t i = 0; i < set->count; i++)
		if (!emit(emit_ctx, slice_make(&set->numbers[i], sizeof set->numbers[i])))
			return false;
	if (set->linger_us)
		usleep((useconds_t)set->linger_us);
	return set->may_finish;
}

static void add(struct rig *rig, struct set *set, uint32_t number, bool is_urgent)
{
	struct slice record = slice_make(&number, sizeof number);
	set_add(set, record);
	store_journal(rig->store, record, is_urgent);
}

static void assert_state(struct rig *rig, size_t count)
{
	struct set set = { 0 };
	uint64_t applied, skipped;
	rig_open(rig);
	store_replay(rig->store, set_add, &set, &applied, &skipped);
	assert_int_equal(set.count, count);
	assert_int_equal(applied, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(set.numbers[i], i);
}

static void records_come_back_in_order_over_many_lives(void **state)
{
	(void)state;
	struct rig rig;
	struct set set = { 0 };
	rig_start(&rig);
	for (uint32_t life = 0; life < 5; life++) {
		assert_state(&rig, life * 100);
		for (uint32_t i = 0; i < 100; i++) {
			add(&rig, &set, life * 100 + i, i % 7 == 0);
			if (i % 10 == 0)
				store_flush(rig.store, rig.now_ms += 10);
		}
		rig_close(&rig);
	}
	assert_state(&rig, 500);
	assert_int_equal(rig_files(&rig, "", "journal."), 1);
	rig_end(&rig);
}

static bool snapshot_is_done(struct rig *rig)
{
	struct store_health health;
	store_health(rig->store, &health);
	return health.snapshots > 0;
}

static bool snapshot_is_not_running(struct rig *rig)
{
	return rig_files(rig, "", "tmp.snapshot") == 0;
}

static bool snapshot_is_due_later(struct rig *rig)
{
	return store_snapshot_is_due(rig->store, rig->now_ms + 31 * 1000);
}

static bool snapshot_has_begun(struct rig *rig)
{
	return rig_files(rig, "", "tmp.snapshot") > 0;
}

static void a_snapshot_takes_the_place_of_the_older_files(void **state)
{
	(void)state;
	struct rig rig;
	struct set set = { .may_finish = true };
	rig_start(&rig);
	assert_state(&rig, 0);
	for (uint32_t i = 0; i < 300; i++) {
		if (i == 100) {
			assert_true(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
			assert_false(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
		}
		add(&rig, &set, i, false);
	}
	store_flush(rig.store, rig.now_ms);
	assert_true(rig_until(&rig, snapshot_is_done));
	assert_int_equal(rig_files(&rig, "", "snapshot.1"), 1);
	assert_int_equal(rig_files(&rig, "", "journal."), 1);
	assert_int_equal(rig_files(&rig, "", "journal.1"), 1);
	rig_close(&rig);
	assert_state(&rig, 300);
	rig_end(&rig);
}

static void while_the_child_works_or_when_it_fails_nothing_is_missing(void **state)
{
	(void)state;
	static const struct {
		int linger_us;
		bool may_finish;
	} ways[] = { { 3000 * 1000, true }, { 0, false } };
	for (size_t w = 0; w < 2; w++) {
		struct rig rig;
		struct set set = { .linger_us = ways[w].linger_us, .may_finish = ways[w].may_finish };
		rig_start(&rig);
		assert_state(&rig, 0);
		for (uint32_t i = 0; i < 200; i++) {
			if (i == 100) {
				assert_true(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
				assert_true(w == 1 || rig_until(&rig, snapshot_has_begun));
			}
			add(&rig, &set, i, false);
		}
		assert_true(w == 0 || rig_until(&rig, snapshot_is_not_running));
		rig_close(&rig); /* ends the child that still works */
		assert_int_equal(rig_files(&rig, "", "snapshot."), 0);
		assert_int_equal(rig_files(&rig, "", "tmp."), 0);
		assert_state(&rig, 200);
		/* The next try works. */
		set.linger_us = 0;
		set.may_finish = true;
		assert_true(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
		assert_true(rig_until(&rig, snapshot_is_done));
		rig_close(&rig);
		assert_int_equal(rig_files(&rig, "", "journal."), 1);
		assert_state(&rig, 200);
		rig_end(&rig);
	}
}

static void a_child_that_was_killed_is_followed_by_another_later(void **state)
{
	(void)state;
	struct rig rig;
	struct set set = { .linger_us = 5000 * 1000, .may_finish = true };
	char children[64] = "", path[128];
	rig_start(&rig);
	assert_state(&rig, 0);
	add(&rig, &set, 0, true);
	assert_true(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
	assert_true(rig_until(&rig, snapshot_has_begun));
	snprintf(path, sizeof path, "/proc/self/task/%ld/children", syscall(SYS_gettid));
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && disk_read(fd, children, sizeof children - 1) > 0);
	close(fd);
	assert_int_equal(kill((pid_t)strtol(children, NULL, 10), SIGKILL), 0);
	assert_true(rig_until(&rig, snapshot_is_due_later)); /* a moment after its file is gone */
	assert_false(store_snapshot_is_due(rig.store, rig.now_ms + 1000));
	set.linger_us = 0;
	assert_true(store_snapshot(rig.store, rig.now_ms + 31 * 1000, set_fill, &set));
	assert_true(rig_until(&rig, snapshot_is_done));
	rig_close(&rig);
	assert_state(&rig, 1);
	rig_end(&rig);
}

static void a_snapshot_is_due_by_time_or_by_bytes_and_only_when_something_happened(void **state)
{
	(void)state;
	struct rig rig;
	struct set set = { .may_finish = true };
	rig_start(&rig);
	rig.limits.journal_bytes_max = 3000;
	assert_state(&rig, 0);
	assert_false(store_snapshot_is_due(rig.store, 1000));
	assert_false(store_snapshot_is_due(rig.store, 1000 + rig.limits.snapshot_every_ms));
	add(&rig, &set, 0, true);
	rig_reopen(&rig);
	store_replay(rig.store, NULL, NULL, NULL, NULL);
	assert_false(store_snapshot_is_due(rig.store, 1000));
	assert_true(store_snapshot_is_due(rig.store, 1000 + rig.limits.snapshot_every_ms));
	for (uint32_t i = 1; i < 1000; i++)
		add(&rig, &set, i, true);
	rig_reopen(&rig);
	store_replay(rig.store, NULL, NULL, NULL, NULL);
	store_snapshot_is_due(rig.store, 1000);
	assert_true(store_snapshot_is_due(rig.store, 1001));
	rig_end(&rig);
}

/* One life that writes three flushes of ten records, the last at the end. */
static uint64_t write_three_flushes(struct rig *rig, struct buf *journal)
{
	struct set set = { 0 };
	rig_start(rig);
	assert_state(rig, 0);
	for (uint32_t i = 0; i < 30; i++) {
		if (i % 10 == 0)
			store_flush(rig->store, rig->now_ms);
		add(rig, &set, i, true);
	}
	rig_close(rig);
	buf_init(journal, 1 << 20);
	assert_true(rig_read(rig, "journal.0", journal));
	return journal->len;
}

static void a_torn_tail_is_cut_and_the_journal_goes_on_behind_the_last_good_block(void **state)
{
	(void)state;
	struct rig rig;
	struct buf journal;
	struct set more = { 0 };
	write_three_flushes(&rig, &journal);
	for (size_t cut = 1; cut <= journal.len; cut++) {
		size_t left = journal.len - cut;
		struct set set = { 0 };
		uint64_t applied, skipped;
		rig_write(&rig, "journal.0", slice_first(buf_slice(&journal), left));
		rig_open(&rig);
		store_replay(rig.store, set_add, &set, &applied, &skipped);
		assert_true(set.count % 10 == 0 && set.count < 30);
		uint32_t base = (uint32_t)set.count;
		for (uint32_t i = base; i < base + 5; i++)
			add(&rig, &more, i, true);
		more.count = 0;
		rig_close(&rig);
		assert_state(&rig, base + 5);
		rig_close(&rig);
	}
	buf_free(&journal);
	rig_end(&rig);
}

static void a_flipped_bit_anywhere_ends_the_replay_with_a_warning_and_never_the_start(void **state)
{
	(void)state;
	struct rig rig;
	struct buf journal;
	write_three_flushes(&rig, &journal);
	for (size_t i = 0; i < journal.len; i++) {
		struct set set = { 0 };
		uint64_t applied, skipped;
		journal.ptr[i] = (char)(journal.ptr[i] ^ 1 << i % 8);
		rig_write(&rig, "journal.0", buf_slice(&journal));
		journal.ptr[i] = (char)(journal.ptr[i] ^ 1 << i % 8);
		rig_open(&rig);
		store_replay(rig.store, set_add, &set, &applied, &skipped);
		assert_true(skipped >= 1);
		assert_true(set.count < 30 && set.count % 10 == 0);
		for (size_t n = 0; n < set.count; n++)
			assert_int_equal(set.numbers[n], n);
		assert_true(store_snapshot_is_due(rig.store, 1));
		rig_close(&rig);
	}
	buf_free(&journal);
	rig_end(&rig);
}

static void a_journal_behind_a_damaged_one_is_not_believed(void **state)
{
	(void)state;
	struct rig rig;
	struct set set = { .may_finish = false };
	struct buf journal;
	rig_start(&rig);
	assert_state(&rig, 0);
	for (uint32_t i = 0; i < 20; i++) {
		if (i == 10) {
			assert_true(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
			assert_true(rig_until(&rig, snapshot_is_not_running));
		}
		add(&rig, &set, i, true);
	}
	rig_close(&rig);
	assert_int_equal(rig_files(&rig, "", "journal."), 2);
	buf_init(&journal, 1 << 20);
	assert_true(rig_read(&rig, "journal.0", &journal));
	rig_write(&rig, "journal.0", slice_first(buf_slice(&journal), journal.len - 1));
	assert_state(&rig, 0);
	assert_int_equal(rig_files(&rig, "", "journal."), 1);
	buf_free(&journal);
	rig_end(&rig);
}

static void a_damaged_snapshot_gives_what_it_has_and_the_journal_after_it(void **state)
{
	(void)state;
	struct rig rig;
	struct set set = { .may_finish = true }, back = { 0 };
	struct buf file;
	uint64_t applied, skipped;
	rig_start(&rig);
	assert_state(&rig, 0);
	for (uint32_t i = 0; i < 10; i++)
		add(&rig, &set, i, true);
	assert_true(store_snapshot(rig.store, rig.now_ms, set_fill, &set));
	assert_true(rig_until(&rig, snapshot_is_done));
	for (uint32_t i = 10; i < 15; i++)
		add(&rig, &set, i, true);
	rig_close(&rig);
	buf_init(&file, 1 << 20);
	assert_true(rig_read(&rig, "snapshot.1", &file));
	file.ptr[20] ^= 1;
	rig_write(&rig, "snapshot.1", buf_slice(&file));
	rig_open(&rig);
	store_replay(rig.store, set_add, &back, &applied, &skipped);
	assert_int_equal(applied, 5);
	assert_int_equal(skipped, 1);
	assert_int_equal(back.numbers[0], 10);
	buf_free(&file);
	rig_end(&rig);
}

static void names_that_look_like_ours_but_are_not_are_left_alone(void **state)
{
	(void)state;
	static const char *const names[] = { "journal.", "journal.x", "journal.01", "journal.-1",
					     "journal.99999999999999999999", "snapshot.1.old" };
	struct rig rig;
	rig_start(&rig);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		rig_write(&rig, names[i], SLICE("x"));
	assert_state(&rig, 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(rig_files(&rig, "", names[i]), i == 0 ? 6 : 1);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_back_in_order_over_many_lives),
		cmocka_unit_test(a_snapshot_takes_the_place_of_the_older_files),
		cmocka_unit_test(while_the_child_works_or_when_it_fails_nothing_is_missing),
		cmocka_unit_test(a_child_that_was_killed_is_followed_by_another_later),
		cmocka_unit_test(a_snapshot_is_due_by_time_or_by_bytes_and_only_when_something_happened),
		cmocka_unit_test(a_torn_tail_is_cut_and_the_journal_goes_on_behind_the_last_good_block),
		cmocka_unit_test(a_flipped_bit_anywhere_ends_the_replay_with_a_warning_and_never_the_start),
		cmocka_unit_test(a_journal_behind_a_damaged_one_is_not_believed),
		cmocka_unit_test(a_damaged_snapshot_gives_what_it_has_and_the_journal_after_it),
		cmocka_unit_test(names_that_look_like_ours_but_are_not_are_left_alone),
	};
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
