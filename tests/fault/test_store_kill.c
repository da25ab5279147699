/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -9 at any moment of a child that holds mails, writes the journal and takes
 * snapshots: what it had reported before it died is there afterwards. The child
 * reports through a pipe, whose bytes outlive it.
 */
#include "../unit/unit.h"

#include "rig.h"
#include "store/disk.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 60, START_US_MAX = 100 * 1000, REPORTS_A_LIFE = 40, LAST_US_MAX = 10 * 1000, BATCH = 5 };

struct report {
	char id[HOLD_ID_BYTES];
	uint32_t body;       /* number that the body is made of */
	uint32_t journaled;  /* records flushed before this report, all in all */
};

static void make_body(uint32_t number, char out[64])
{
	snprintf(out, 64, "body %u\r\n", number / 3); /* some are shared */
}

struct life {
	struct rig rig;
	uint32_t count;
};

static bool life_fill(void *ctx, bool (*emit)(void *emit_ctx, struct slice record), void *emit_ctx)
{
	const struct life *life = ctx;
	for (uint32_t i = 0; i < life->count; i++)
		if (!emit(emit_ctx, slice_make(&i, sizeof i)))
			return false;
	return true;
}

static bool life_count(void *ctx, struct slice record)
{
	struct life *life = ctx;
	uint32_t number;
	memcpy(&number, record.ptr, sizeof number);
	assert_true(record.len == sizeof number && number == life->count);
	life->count++;
	return true;
}

static void live(const char *dir, int pipe_fd, uint32_t body)
{
	struct life life = { 0 };
	struct rig_answer answers[BATCH];
	char bodies[BATCH][64];
	rig_start(&life.rig);
	rig_remove(life.rig.dir);
	snprintf(life.rig.dir, sizeof life.rig.dir, "%s", dir);
	life.rig.now_ms = 1133860803000 + (int64_t)body * 1000;
	rig_open(&life.rig);
	store_replay(life.rig.store, life_count, &life, NULL, NULL);
	for (uint32_t round = 0;; round++) {
		uint32_t journaled = life.count;
		for (int i = 0; i < 20; i++, life.count++)
			store_journal(life.rig.store, slice_make(&life.count, sizeof life.count), false);
		store_flush(life.rig.store, life.rig.now_ms);
		for (int i = 0; i < BATCH; i++) {
			make_body(body + (uint32_t)i, bodies[i]);
			rig_send(&life.rig, &(struct rig_mail){ .body = slice_from_str(bodies[i]) }, &answers[i]);
		}
		if (round % 3 == 2)
			store_snapshot(life.rig.store, life.rig.now_ms, life_fill, &life);
		rig_wait(&life.rig, answers, BATCH);
		for (int i = 0; i < BATCH; i++, body++) {
			/* The jobs are in order: records flushed before the hold are written. */
			struct report report = { .body = body, .journaled = journaled + 20 };
			memcpy(report.id, answers[i].id, sizeof report.id);
			if (answers[i].result != STORE_DONE || !disk_write(pipe_fd, slice_make(&report, sizeof report)))
				_exit(3);
		}
	}
}

/* One life that ends by SIGKILL; its reports are added to reports. */
static size_t live_and_die(const char *dir, struct report *reports, size_t count, size_t max, uint32_t body)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		live(dir, fds[1], body);
		_exit(4);
	}
	close(fds[1]);
	/* Every fifth dies while it starts, the others after some reports and a moment:
	 * so each round gets somewhere, however busy the machine is. */
	bool is_young = rand() % 5 == 0;
	size_t until = is_young ? count : count + (size_t)(rand() % REPORTS_A_LIFE);
	while (count < until && count < max &&
	       disk_read(fds[0], &reports[count], sizeof *reports) == sizeof *reports)
		count++;
	usleep((useconds_t)(rand() % (is_young ? START_US_MAX : LAST_US_MAX)));
	kill(pid, SIGKILL);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (count < max && disk_read(fds[0], &reports[count], sizeof *reports) == sizeof *reports)
		count++;
	close(fds[0]);
	return count;
}

static void what_was_reported_before_the_kill_is_there_after_it(void **state)
{
	(void)state;
	enum { REPORTS_MAX = 100000 };
	struct report *reports = calloc(REPORTS_MAX, sizeof *reports);
	struct life life = { 0 };
	size_t count = 0;
	srand(2005);
	rig_start(&life.rig);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		count = live_and_die(life.rig.dir, reports, count, REPORTS_MAX, round * 10000);
		life.count = 0;
		rig_open(&life.rig);
		store_replay(life.rig.store, life_count, &life, NULL, NULL);
		if (count > 0)
			assert_true(life.count >= reports[count - 1].journaled);
		size_t from = round % 10 == 9 ? 0 : count > 50 ? count - 50 : 0;
		for (size_t i = from; i < count; i++) {
			char body[64];
			make_body(reports[i].body, body);
			if (!rig_loads(&life.rig, reports[i].id, &(struct rig_mail){ .body = slice_from_str(body) }))
				fail_msg("round %u: %s: %s", round, reports[i].id, life.rig.error.text);
		}
		assert_true(rig_rows(&life.rig, NULL, HOLD_KEPT) >= count);
		assert_int_equal(rig_files(&life.rig, "hold/mails", "tmp."), 0);
		assert_int_equal(rig_files(&life.rig, "hold/damaged", ""), 0);
		rig_close(&life.rig);
	}
	printf("# %d kills, %zu mails reported and found, %u records\n", ROUNDS, count, life.count);
	assert_true(count > ROUNDS);
	free(reports);
	rig_end(&life.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_reported_before_the_kill_is_there_after_it),
	};
	return cmocka_run_group_tests_name("store kill", tests, NULL, NULL);
}
