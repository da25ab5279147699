/* SPDX-License-Identifier: Apache-2.0
 *
 * The n-th write or sync of SQLite fails, once or from then on, for n = 1 until
 * nothing is left to fail.
 */
#include "../unit/unit.h"

#include "scene.h"
#include "vfs.h"

#include <errno.h>

enum { ROUNDS_MAX = 3000 };

static void the_nth_operation_of_sqlite_fails(enum disk_op op, int error, bool is_lasting)
{
	size_t refused = 0, unborn = 0, round = 0;
	vfs_register();
	for (; round < ROUNDS_MAX; round++) {
		struct scene scene;
		scene_start(&scene);
		vfs_arm(op, (long)round, error, is_lasting);
		bool is_born = scene_live(&scene);
		bool has_failed = vfs_has_failed();
		vfs_arm(DISK_ANY, -1, error, false);
		unborn += !is_born;
		refused += is_born && scene.done < SCENE_MAILS;
		scene_check(&scene);
		scene_end(&scene);
		if (!has_failed)
			break;
	}
	vfs_unregister();
	assert_true(round > 2 && round < ROUNDS_MAX);
	assert_true(refused > 0);
	assert_int_equal(unborn, 0); /* a database that is away is no reason not to start */
	printf("# %zu rounds, %zu of them with a refused mail\n", round, refused);
}

static void when_the_nth_write_of_the_database_fails_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_operation_of_sqlite_fails(DISK_WRITE, ENOSPC, false);
	the_nth_operation_of_sqlite_fails(DISK_WRITE, EIO, true);
}

static void when_the_nth_sync_of_the_database_fails_nothing_reported_done_is_missing(void **state)
{
	(void)state;
	the_nth_operation_of_sqlite_fails(DISK_SYNC, EIO, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_the_nth_write_of_the_database_fails_nothing_reported_done_is_missing),
		cmocka_unit_test(when_the_nth_sync_of_the_database_fails_nothing_reported_done_is_missing),
	};
	return cmocka_run_group_tests_name("store database", tests, NULL, NULL);
}
