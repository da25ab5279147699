/* SPDX-License-Identifier: Apache-2.0
 *
 * How often the journal is made to reach the disk (goal S3: not for each message). This
 * program's own fdatasync counts and passes on.
 */
#include "rig.h"

#include "base/clock.h"
#include "../unit.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_uint syncs;

int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

static void ten_thousand_records_a_second_cost_one_sync_a_second(void **state)
{
	(void)state;
	struct rig rig;
	char record[64] = "a record of a confirmed pair";
	int64_t began_us, records = 0;
	rig_start(&rig);
	rig_open(&rig);
	usleep(200 * 1000); /* what opening does is not counted */
	syncs = 0;
	began_us = clock_mono_us();
	while (clock_mono_us() - began_us < 3000 * 1000) {
		for (int i = 0; i < 100; i++, records++)
			store_journal(rig.store, slice_make(record, sizeof record), false);
		store_flush(rig.store, rig.now_ms);
		store_poll(rig.store);
		usleep(5000);
	}
	unsigned counted = syncs;
	print_message("# %lld records in 3 s, %u syncs\n", (long long)records, counted);
	assert_true(records > 1000);
	assert_in_range(counted, 1, 4);
	rig_close(&rig);
	rig_end(&rig);
}

static void a_breakers_change_is_synced_at_once(void **state)
{
	(void)state;
	struct rig rig;
	rig_start(&rig);
	rig_open(&rig);
	usleep(200 * 1000);
	syncs = 0;
	for (unsigned i = 1; i <= 3; i++) {
		store_journal(rig.store, SLICE("a breaker opened"), true);
		store_flush(rig.store, rig.now_ms);
		for (int wait = 0; wait < 400 && syncs < i; wait++)
			usleep(5000);
		assert_true(syncs >= i);
	}
	rig_close(&rig);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_records_a_second_cost_one_sync_a_second),
		cmocka_unit_test(a_breakers_change_is_synced_at_once),
	};
	return cmocka_run_group_tests_name("store sync", tests, NULL, NULL);
}
