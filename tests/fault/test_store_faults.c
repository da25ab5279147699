/* SPDX-License-Identifier: Apache-2.0
 *
 * The n-th allocation, the n-th disk operation fails, once or from then on, for n = 1
 * until nothing is left to fail.
 */
#include "../unit/unit.h"

#include "base/mem.h"
#include "scene.h"
#include "store/disk.h"

#include <errno.h>

enum { ROUNDS_MAX = 3000 };

static void disk_arm(enum disk_op op, long n, int error, bool is_lasting)
{
	disk_fault.ops = op;
	disk_fault.error = error;
	disk_fault.is_lasting = is_lasting;
	disk_fault.fail_after = n;
}

static void the_nth_disk_operation_fails(enum disk_op op, int error, bool is_lasting)
{
	size_t refused = 0, round = 0;
	for (; round < ROUNDS_MAX; round++) {
		struct scene scene;
		scene_start(&scene);
		disk_arm(op, (long)round, error, is_lasting);
		bool is_born = scene_live(&scene);
		bool has_failed = is_lasting ? disk_fault.fail_after == 0 : disk_fault.fail_after < 0;
		disk_arm(DISK_ANY, -1, ENOSPC, false);
		refused += is_born && scene.done < SCENE_MAILS;
		scene_check(&scene);
		scene_end(&scene);
		if (!has_failed)
			break;
	}
	assert_true(round < ROUNDS_MAX);
	/* Otherwise the faults were never met and nothing was tested. */
	assert_true(op == DISK_UNLINK || refused > 0);
	printf("# %zu rounds, %zu of them with a refused mail\n", round, refused);
}

static void when_the_nth_write_fails_once_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_WRITE, ENOSPC, false);
}

static void when_all_writes_fail_from_the_nth_on_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_WRITE, EIO, true);
}

static void when_the_nth_sync_fails_once_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_SYNC, EIO, false);
}

static void when_all_syncs_fail_from_the_nth_on_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_SYNC, EIO, true);
}

static void when_the_nth_rename_fails_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_RENAME, ENOSPC, false);
	the_nth_disk_operation_fails(DISK_RENAME, EIO, true);
}

static void when_the_nth_file_cannot_be_made_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_OPEN, ENOSPC, false);
	the_nth_disk_operation_fails(DISK_OPEN, EMFILE, true);
}

static void when_the_nth_file_cannot_be_removed_nothing_is_worse_than_untidy(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_UNLINK, EIO, false);
	the_nth_disk_operation_fails(DISK_UNLINK, EIO, true);
}

static void when_any_nth_operation_fails_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_disk_operation_fails(DISK_ANY, ENOSPC, true);
}

static void when_memory_ends_at_the_nth_allocation_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	size_t round = 0, refused = 0;
	for (; round < ROUNDS_MAX; round++) {
		struct scene scene;
		scene_start(&scene);
		mem_fail_after = (long)round;
		bool is_born = scene_live(&scene);
		bool has_failed = mem_fail_after == 0;
		mem_fail_after = -1;
		refused += is_born && scene.done < SCENE_MAILS;
		scene_check(&scene);
		scene_end(&scene);
		if (!has_failed)
			break;
	}
	assert_true(round > 30 && round < ROUNDS_MAX);
	assert_true(refused > 0);
	printf("# %zu rounds, %zu of them with a refused mail\n", round, refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_the_nth_write_fails_once_nothing_reported_done_is_missing),
		cmocka_unit_test(when_all_writes_fail_from_the_nth_on_nothing_reported_done_is_missing),
		cmocka_unit_test(when_the_nth_sync_fails_once_nothing_reported_done_is_missing),
		cmocka_unit_test(when_all_syncs_fail_from_the_nth_on_nothing_reported_done_is_missing),
		cmocka_unit_test(when_the_nth_rename_fails_nothing_reported_done_is_missing),
		cmocka_unit_test(when_the_nth_file_cannot_be_made_nothing_reported_done_is_missing),
		cmocka_unit_test(when_the_nth_file_cannot_be_removed_nothing_is_worse_than_untidy),
		cmocka_unit_test(when_any_nth_operation_fails_nothing_reported_done_is_missing),
		cmocka_unit_test(when_memory_ends_at_the_nth_allocation_nothing_reported_done_is_missing),
	};
	return cmocka_run_group_tests_name("store faults", tests, NULL, NULL);
}
