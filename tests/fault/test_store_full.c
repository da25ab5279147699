/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that is really full: a tmpfs of a few megabytes in a mount namespace of our
 * own. Needs the right to mount; without it the program says so and exits 77.
 */
#include "../unit/unit.h"

#include "rig.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

static void fill_the_rest(const struct rig *rig, const char *name)
{
	char path[RIG_PATH_BYTES], block[4096];
	memset(block, 'f', sizeof block);
	rig_path(rig, name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	while (write(fd, block, sizeof block) > 0)
		;
	close(fd);
}

static void a_full_disk_refuses_holds_loses_nothing_and_recovers_by_itself(void **state)
{
	(void)state;
	enum { MAILS = 400 };
	static struct rig_answer answers[MAILS];
	static char bodies[MAILS][20000];
	struct rig rig;
	struct store_health health;
	char path[RIG_PATH_BYTES];
	size_t done = 0, full = 0;
	rig_start(&rig);
	assert_int_equal(mount("tmpfs", rig.dir, "tmpfs", 0, "size=4m,mode=0700"), 0);
	rig_open(&rig);
	for (size_t i = 0; i < MAILS; i++) {
		hash_random(bodies[i], sizeof bodies[i]);
		struct rig_mail mail = { .body = { bodies[i], sizeof bodies[i] } };
		enum store_result result = rig_hold(&rig, &mail, answers[i].id);
		answers[i].result = result;
		done += result == STORE_DONE;
		full += result == STORE_FULL;
		uint32_t number = (uint32_t)i;
		store_journal(rig.store, slice_make(&number, sizeof number), i % 16 == 0);
		store_flush(rig.store, rig.now_ms);
	}
	assert_true(done > 50 && full > 50);
	store_health(rig.store, &health);
	assert_true(health.is_full);
	fill_the_rest(&rig, "ballast");
	assert_int_not_equal(rig_hold(&rig, &(struct rig_mail){ 0 }, NULL), STORE_DONE);
	/* A restart on the full disk. */
	rig_close(&rig);
	if (rig_try_open(&rig)) {
		const struct rig_mail mail = { .body = { bodies[0], sizeof bodies[0] } };
		assert_int_not_equal(rig_hold(&rig, &mail, NULL), STORE_DONE);
		rig_close(&rig);
	}
	rig_path(&rig, "ballast", path);
	unlink(path);
	rig_open(&rig);
	for (size_t i = 0; i < MAILS; i++) {
		struct rig_mail mail = { .body = { bodies[i], sizeof bodies[i] } };
		if (answers[i].result == STORE_DONE && !rig_loads(&rig, answers[i].id, &mail))
			fail_msg("mail %zu: %s", i, rig.error.text);
	}
	assert_int_equal(rig_files(&rig, "hold/mails", ""), rig_files(&rig, "hold/bodies", ""));
	rig_close(&rig);
	printf("# %zu held, %zu refused\n", done, full);
	umount2(rig.dir, MNT_DETACH);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_refuses_holds_loses_nothing_and_recovers_by_itself),
	};
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		fprintf(stderr, "store full: not run: no right to mount a small disk here (%s)\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests_name("store full", tests, NULL, NULL);
}
