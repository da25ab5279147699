/* SPDX-License-Identifier: Apache-2.0
 *
 * snapshot: the whole state into a file, by a child, while mail flows.
 *
 * The child sees the state as it was at the fork (copy on write), allocates nothing,
 * takes no lock and logs nothing: memory was reserved before, and it only writes,
 * syncs, renames and ends. Records after the fork go to the next journal, which is
 * opened before it. Whether the child did well is told by the file's being there
 * under its name, whoever reaped it. Killed or failed: the temporary file is removed,
 * all older files are still there, and it is tried again after a while.
 */
#include "store/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SNAPSHOT_BUFFER_BYTES = 1024 * 1024, SNAPSHOT_NICE = 5, SNAPSHOT_DIR_FD = 3 };

typedef bool snapshot_fill_fn(void *ctx, bool (*emit)(void *emit_ctx, struct slice record), void *emit_ctx);

struct snapshot_child {
	struct journal_out out;
	int fd;
	char name[40], temp[48];
};

/* The number is in it: a child that outlives its daemon writes another file. */
static void snapshot_temp(char out[48], uint64_t generation)
{
	snprintf(out, 48, "tmp.snapshot.%llu", (unsigned long long)generation);
}

bool store_snapshot_is_due(struct store *store, int64_t now_ms)
{
	pthread_mutex_lock(&store->lock);
	const struct store_limits *limits = &store->limits;
	bool has_news = store->journal_bytes > JOURNAL_HEAD_BYTES || store->wants_snapshot;
	bool is_due = store->wants_snapshot || store->journal_bytes > (uint64_t)limits->journal_bytes_max ||
		      now_ms - store->snapshot_last_ms >= limits->snapshot_every_ms;
	if (store->snapshot_last_ms == 0) {
		store->snapshot_last_ms = now_ms; /* the first one is due after a whole period */
		is_due = store->wants_snapshot;
	}
	is_due = is_due && has_news && store->snapshot.pid == 0 && now_ms >= store->snapshot_again_ms;
	pthread_mutex_unlock(&store->lock);
	return is_due;
}

/* --- in the child ------------------------------------------------------------ */

static bool child_write(struct snapshot_child *child)
{
	journal_seal(&child->out);
	bool is_written = disk_write(child->fd, buf_slice(&child->out.buf));
	buf_reset(&child->out.buf);
	return is_written;
}

static bool child_emit(void *ctx, struct slice record)
{
	struct snapshot_child *child = ctx;
	/* A full buffer is written; the record must then fit, or is too long for any. */
	return journal_put(&child->out, record) ||
	       (child_write(child) && journal_put(&child->out, record));
}

/* Nothing of the parent's but the folder: not its lock, nor its listening sockets. */
static void child_leave_parent(int dir_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dir_fd != SNAPSHOT_DIR_FD)
		dup2(dir_fd, SNAPSHOT_DIR_FD);
	close_range(SNAPSHOT_DIR_FD + 1, ~0U, 0);
	if (nice(SNAPSHOT_NICE) < 0)
		return; /* then it is not nice */
}

static bool child_run(struct snapshot_child *child, snapshot_fill_fn *fill, void *ctx)
{
	child->fd = disk_open(SNAPSHOT_DIR_FD, child->temp, O_WRONLY | O_CREAT | O_TRUNC);
	return child->fd >= 0 && disk_write(child->fd, journal_magic(JOURNAL_SNAPSHOT)) &&
	       fill(ctx, child_emit, child) && child_write(child) &&
	       journal_put_end(&child->out) && child_write(child) && disk_sync(child->fd) &&
	       disk_rename(SNAPSHOT_DIR_FD, child->temp, SNAPSHOT_DIR_FD, child->name) &&
	       disk_sync(SNAPSHOT_DIR_FD);
}

/* --- in the parent ----------------------------------------------------------- */

static int snapshot_next_log(struct store *store, uint64_t generation)
{
	char name[40];
	generation_name(name, JOURNAL_LOG, generation);
	int fd = disk_open(store->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd >= 0 && disk_write(fd, journal_magic(JOURNAL_LOG)))
		return fd;
	if (fd >= 0)
		close(fd);
	disk_unlink(store->dir_fd, name);
	return -1;
}

/* All records up to now into the old journal, all later ones into the new. */
static bool snapshot_turn_page(struct store *store, uint64_t generation, int64_t now_ms)
{
	store_flush(store, now_ms);
	if (store->out.buf.len > 0)
		return false;
	struct journal_file_job *job = mem_alloc(sizeof *job);
	int fd = job ? snapshot_next_log(store, generation) : -1;
	if (fd < 0) {
		mem_free(job);
		return false;
	}
	*job = (struct journal_file_job){ { .kind = JOB_JOURNAL_FILE }, fd, generation, JOURNAL_HEAD_BYTES };
	if (!queue_put(store, &job->job, true)) {
		close(fd);
		mem_free(job);
		return false;
	}
	store->out.generation = generation;
	pthread_mutex_lock(&store->lock);
	store->generation = generation;
	store->journal_bytes += JOURNAL_HEAD_BYTES;
	pthread_mutex_unlock(&store->lock);
	return true;
}

static void snapshot_note_start(struct store *store, pid_t pid, uint64_t generation, int64_t now_ms)
{
	pthread_mutex_lock(&store->lock);
	store->snapshot_last_ms = now_ms;
	store->snapshot_again_ms = now_ms + STORE_SNAPSHOT_AGAIN_MS;
	if (pid > 0)
		store->snapshot = (struct snapshot_run){ pid, generation, clock_mono_us() };
	else
		store->wants_snapshot = true;
	store->is_nudged = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}

bool store_snapshot(struct store *store, int64_t now_ms, snapshot_fill_fn *fill, void *ctx)
{
	struct snapshot_child child = { .fd = -1 };
	pthread_mutex_lock(&store->lock);
	bool is_running = store->snapshot.pid != 0;
	uint64_t generation = store->generation + 1;
	pthread_mutex_unlock(&store->lock);
	if (is_running)
		return false;
	if (!store->is_replayed)
		store_replay(store, NULL, NULL, NULL, NULL);
	journal_out_init(&child.out, SNAPSHOT_BUFFER_BYTES, generation);
	bool is_ready = buf_reserve(&child.out.buf, SNAPSHOT_BUFFER_BYTES) &&
			snapshot_turn_page(store, generation, now_ms);
	generation_name(child.name, JOURNAL_SNAPSHOT, generation);
	snapshot_temp(child.temp, generation);
	pid_t pid = is_ready ? fork() : -1;
	if (pid == 0) {
		child_leave_parent(store->dir_fd);
		_exit(child_run(&child, fill, ctx) ? 0 : 1);
	}
	buf_free(&child.out.buf);
	snapshot_note_start(store, pid, generation, now_ms);
	if (pid < 0)
		log_warn("snapshot-not-begun", "why=\"%s\"", strerror(errno));
	return pid > 0;
}

static void snapshot_succeeded(struct store *store, uint64_t generation, int64_t took_us)
{
	struct stat st = { 0 };
	char name[40];
	generation_name(name, JOURNAL_LOG, generation);
	fstatat(store->dir_fd, name, &st, 0);
	pthread_mutex_lock(&store->lock);
	store->wants_snapshot = false;
	store->journal_bytes = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	store->health.journal_lost = 0;
	store->health.snapshots++;
	pthread_mutex_unlock(&store->lock);
	generations_drop(store->dir_fd, generation);
	log_info("snapshot", "generation=%llu took_ms=%lld", (unsigned long long)generation,
		 (long long)(took_us / 1000));
}

static void snapshot_failed(struct store *store, uint64_t generation, int status)
{
	char temp[48];
	snapshot_temp(temp, generation);
	disk_unlink(store->dir_fd, temp);
	pthread_mutex_lock(&store->lock);
	store->wants_snapshot = true;
	pthread_mutex_unlock(&store->lock);
	log_warn("snapshot-failed", "status=%d again_in_s=%d", status, STORE_SNAPSHOT_AGAIN_MS / 1000);
}

bool snapshot_reap(struct store *store)
{
	char name[40];
	struct stat st;
	int status = 0;
	pthread_mutex_lock(&store->lock);
	struct snapshot_run run = store->snapshot;
	pthread_mutex_unlock(&store->lock);
	if (run.pid == 0)
		return false;
	int64_t took_us = clock_mono_us() - run.started_us;
	pid_t got = waitpid(run.pid, &status, WNOHANG);
	if (got == 0) {
		if (took_us > STORE_SNAPSHOT_TIMEOUT_US)
			kill(run.pid, SIGKILL);
		return true;
	}
	generation_name(name, JOURNAL_SNAPSHOT, run.generation);
	/* Renamed is done, when the folder is synced; the child may have died before that. */
	if (fstatat(store->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && disk_sync(store->dir_fd))
		snapshot_succeeded(store, run.generation, took_us);
	else
		snapshot_failed(store, run.generation, status);
	pthread_mutex_lock(&store->lock);
	store->snapshot.pid = 0;
	pthread_mutex_unlock(&store->lock);
	return false;
}

void snapshot_kill(struct store *store)
{
	char temp[48];
	if (!snapshot_reap(store))
		return;
	snapshot_temp(temp, store->snapshot.generation);
	kill(store->snapshot.pid, SIGKILL);
	waitpid(store->snapshot.pid, NULL, 0);
	store->snapshot.pid = 0;
	disk_unlink(store->dir_fd, temp);
}
