/* SPDX-License-Identifier: Apache-2.0
 *
 * store: opening, closing, and the loop thread's ear.
 */
#include "store/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool open_state_dir(struct store *store, struct error *error)
{
	struct stat st;
	if (mkdir(store->dir, 0700) != 0 && errno != EEXIST)
		return error_set(error, EXIT_UNAVAILABLE, "cannot make %s: %s", store->dir, strerror(errno));
	store->dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir_fd < 0 || fstat(store->dir_fd, &st) != 0)
		return error_set(error, EXIT_UNAVAILABLE, "%s: %s", store->dir, strerror(errno));
	if (st.st_mode & 022)
		return error_set(error, EXIT_UNAVAILABLE, "%s may be written by others (mode %03o); chmod 700 it",
				 store->dir, (unsigned)st.st_mode & 0777);
	return true;
}

static bool take_lock(struct store *store, struct error *error)
{
	store->lock_fd = disk_open(store->dir_fd, "lock", O_RDWR | O_CREAT);
	if (store->lock_fd < 0)
		return error_set(error, EXIT_UNAVAILABLE, "%s/lock: %s", store->dir, strerror(errno));
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return error_set(error, EXIT_TRY_AGAIN, "%s is in use by another quelld", store->dir);
	return true;
}

static bool open_hold(struct store *store, struct error *error)
{
	int hold_fd = disk_open_dir(store->dir_fd, "hold");
	if (hold_fd >= 0) {
		store->mails_fd = disk_open_dir(hold_fd, "mails");
		store->bodies_fd = disk_open_dir(hold_fd, "bodies");
		store->damaged_fd = disk_open_dir(hold_fd, "damaged");
		disk_sync(hold_fd);
		close(hold_fd);
		disk_sync(store->dir_fd);
	}
	if (store->mails_fd >= 0 && store->bodies_fd >= 0 && store->damaged_fd >= 0)
		return true;
	return error_set(error, EXIT_UNAVAILABLE, "cannot open %s/hold and its folders: %s", store->dir,
			 strerror(errno));
}

/* What an earlier life left half-written in the state folder itself. */
static void drop_temporary(struct store *store)
{
	int fd = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "tmp.", 4) == 0)
			disk_unlink(store->dir_fd, entry->d_name);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

/* A database that cannot be opened just now is no reason not to start: mail flows,
 * holds are refused, the writer tries again. */
static void open_database(struct store *store)
{
	struct error error = { 0 };
	bool was_damaged = false;
	store->db_epoch = 1;
	if (!db_open(&store->db, &store_schema, store->dir, &was_damaged, &error)) {
		log_error("database-away", "why=\"%s\" consequence=\"nothing can be held\"", error.text);
		store->reopened_us = clock_mono_us();
		return;
	}
	int64_t until_us = clock_mono_us() + STORE_MEND_AT_START_US;
	mend_begin(store);
	while (clock_mono_us() < until_us && mend_step(store))
		;
	store->health.hold_bytes = store->hold_bytes > 0 ? (uint64_t)store->hold_bytes : 0;
	store->health.hold_copies = store->hold_copies > 0 ? (uint64_t)store->hold_copies : 0;
	store->health.expired = (uint64_t)store->expired;
}

static bool init_threads(struct store *store)
{
	pthread_condattr_t attr;
	if (pthread_condattr_init(&attr) != 0)
		return false;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	bool is_made = pthread_mutex_init(&store->lock, NULL) == 0 &&
		       pthread_cond_init(&store->wake, &attr) == 0 &&
		       pthread_cond_init(&store->answered, NULL) == 0;
	pthread_condattr_destroy(&attr);
	return is_made;
}

static struct store *store_new(const char *state_dir, const struct store_limits *limits, struct error *error)
{
	struct store *store = mem_alloc(sizeof *store);
	if (!store || !init_threads(store)) {
		mem_free(store);
		error_set(error, EXIT_UNAVAILABLE, "no memory for the store");
		return NULL;
	}
	store->dir_fd = store->lock_fd = store->mails_fd = store->bodies_fd = store->damaged_fd = -1;
	store->journal_fd = -1;
	store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	store->limits = store->writer_limits = *limits;
	store->last = &store->first;
	store->done_last = &store->done_first;
	store->mend.phase = MEND_DONE;
	snprintf(store->dir, sizeof store->dir, "%s", state_dir);
	buf_init(&store->text, HELD_TEXT_BYTES_MAX + 1);
	buf_init(&store->packed, HELD_TEXT_BYTES_MAX + HELD_TEXT_BYTES_MAX / 64);
	journal_out_init(&store->out, STORE_JOURNAL_WAITING_MAX, 0);
	return store;
}

struct store *store_open(const char *state_dir, const struct store_limits *limits, struct error *error)
{
	struct store *store = store_new(state_dir, limits, error);
	if (!store)
		return NULL;
	store->packer = body_packer_new();
	if (!store->packer || store->event_fd < 0)
		error_set(error, EXIT_UNAVAILABLE, "no memory or descriptors for the store");
	else if (open_state_dir(store, error) && take_lock(store, error) && open_hold(store, error)) {
		drop_temporary(store);
		open_database(store);
		if (writer_start(store, error))
			return store;
	}
	store_close(store);
	return NULL;
}

/* Runs the done functions of a list of finished holds, in order. */
static void run_done(struct job *job)
{
	while (job) {
		struct hold_job *hold = (struct hold_job *)(void *)job;
		job = job->next;
		if (hold->done)
			hold->done(hold->ctx, hold->result, hold->held.id);
		queue_job_free(&hold->job);
	}
}

void store_poll(struct store *store)
{
	uint64_t count;
	if (read(store->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&store->lock);
	struct job *done = store->done_first;
	store->done_first = NULL;
	store->done_last = &store->done_first;
	pthread_mutex_unlock(&store->lock);
	run_done(done);
}

static void close_fds(const struct store *store)
{
	const int fds[] = { store->mails_fd, store->bodies_fd, store->damaged_fd, store->event_fd,
			    store->lock_fd, store->dir_fd };
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->has_writer) {
		store_flush(store, store->now_ms);
		writer_stop(store);
		store_poll(store);
	}
	snapshot_kill(store);
	store_reader_close(store->view);
	journal_file_close(store);
	if (store->mend.dir)
		closedir(store->mend.dir);
	db_close(&store->db);
	body_packer_free(store->packer);
	buf_free(&store->text);
	buf_free(&store->packed);
	buf_free(&store->out.buf);
	buf_free(&store->spare);
	close_fds(store);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->wake);
	pthread_cond_destroy(&store->answered);
	mem_free(store);
}

void store_retune(struct store *store, const struct store_limits *limits)
{
	pthread_mutex_lock(&store->lock);
	store->limits = *limits;
	pthread_mutex_unlock(&store->lock);
}

int store_event_fd(const struct store *store)
{
	return store->event_fd;
}

int store_dir_fd(const struct store *store)
{
	return store->dir_fd;
}

void store_health(struct store *store, struct store_health *health_out)
{
	pthread_mutex_lock(&store->lock);
	*health_out = store->health;
	health_out->jobs_waiting = store->job_count;
	pthread_mutex_unlock(&store->lock);
}
