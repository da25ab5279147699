/* SPDX-License-Identifier: Apache-2.0
 *
 * writer: the one thread that writes.
 *
 * A round takes what waits (up to a batch), writes the journal first, stages the
 * held mails, commits one transaction, then answers. Between rounds it does what
 * has time: the journal's fdatasync, the child of a snapshot, mending, retention.
 */
#include "store/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_MS = 10 * 1000, BUSY_MS = 100, REOPEN_US = 5 * 1000 * 1000 };

static void writer_wait(struct store *store, int wait_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!store->first && !store->is_closing && !store->is_nudged &&
	       pthread_cond_timedwait(&store->wake, &store->lock, &until) == 0)
		;
	store->is_nudged = false;
}

static bool writer_job_fits(const struct batch *batch, const struct job *job, size_t taken)
{
	return taken < STORE_BATCH_JOBS &&
	       (job->kind != JOB_HOLD || batch->hold_count < STORE_BATCH_HOLDS);
}

/* Takes the first jobs off the queue, in order; false: closing and nothing left. */
static bool writer_take(struct store *store, int wait_ms)
{
	struct batch *batch = &store->batch;
	struct job **end = &batch->jobs;
	size_t taken = 0;
	batch->jobs = NULL;
	batch->hold_count = batch->body_count = 0;
	batch->want_durable = false;
	pthread_mutex_lock(&store->lock);
	writer_wait(store, wait_ms);
	bool is_over = store->is_closing && !store->first;
	while (store->first && writer_job_fits(batch, store->first, taken)) {
		struct job *job = store->first;
		store->first = job->next;
		store->job_count--;
		store->job_bytes -= job->bytes;
		if (job->kind == JOB_HOLD)
			batch->holds[batch->hold_count++] = (struct hold_job *)(void *)job;
		batch->want_durable |= job->kind == JOB_CALL;
		job->next = NULL;
		*end = job;
		end = &job->next;
		taken++;
	}
	if (!store->first)
		store->last = &store->first;
	store->writer_limits = store->limits;
	store->writer_now_ms = store->now_ms;
	pthread_mutex_unlock(&store->lock);
	return !is_over;
}

static void writer_journal(struct store *store)
{
	bool is_urgent = false;
	for (struct job *job = store->batch.jobs; job; job = job->next) {
		if (job->kind == JOB_JOURNAL) {
			struct journal_job *journal = (struct journal_job *)(void *)job;
			journal_file_append(store, journal);
			is_urgent |= journal->is_urgent;
		} else if (job->kind == JOB_JOURNAL_FILE) {
			journal_file_take(store, (struct journal_file_job *)(void *)job);
		}
	}
	journal_file_sync(store, is_urgent);
}

static bool writer_decision(struct store *store, const struct text_job *t)
{
	enum { DECISIONS_BETWEEN_TRIMS = 256 };
	const struct slice *s = t->texts;
	if (!db_run(&store->db, DB_DECISION_ADD, "isssssissss", t->numbers[0], s[0], s[1], s[2], s[3],
		    s[4], t->numbers[1], s[5], s[6], s[7], s[8]))
		return false;
	if (++store->decisions_since_trim < DECISIONS_BETWEEN_TRIMS)
		return true;
	store->decisions_since_trim = 0;
	return db_run(&store->db, DB_DECISION_TRIM, "i", store->writer_limits.decisions_max);
}

static bool writer_incident(struct store *store, const struct text_job *t)
{
	return db_run(&store->db, DB_INCIDENT_SET, "siiiib", t->texts[0], t->numbers[0], t->numbers[1],
		      t->numbers[2], t->numbers[3], t->texts[1]);
}

/* texts[0]: name, NUL, value in the machine's own order, again and again. */
static bool writer_counters(struct store *store, const struct text_job *t)
{
	struct slice rest = t->texts[0], name;
	if (!db_run(&store->db, DB_COUNTERS_CLEAR, ""))
		return false;
	while (slice_next(&rest, '\0', &name)) {
		int64_t value = 0;
		memcpy(&value, rest.ptr, sizeof value);
		rest = slice_from(rest, sizeof value);
		if (!db_run(&store->db, DB_COUNTER_SET, "sii", name, value, t->numbers[0]))
			return false;
	}
	return true;
}

static bool writer_apply(struct store *store, struct job *job)
{
	struct text_job *text = (struct text_job *)(void *)job;
	struct call_job *call = (struct call_job *)(void *)job;
	switch (job->kind) {
	case JOB_HOLD:
		return holder_add(store, (struct hold_job *)(void *)job);
	case JOB_DECISION:
		return writer_decision(store, text);
	case JOB_INCIDENT:
		return writer_incident(store, text);
	case JOB_COUNTERS:
		return writer_counters(store, text);
	case JOB_NOTE:
		return db_run(&store->db, DB_NOTE_SET, "sb", text->texts[0], text->texts[1]);
	case JOB_CALL:
		call->is_ok = call->fn(store, call->arg);
		return true; /* a call that says no has changed nothing */
	case JOB_JOURNAL:
	case JOB_JOURNAL_FILE:
		return true;
	}
	return true;
}

static bool writer_needs_database(const struct batch *batch)
{
	for (const struct job *job = batch->jobs; job; job = job->next)
		if (job->kind != JOB_JOURNAL && job->kind != JOB_JOURNAL_FILE)
			return true;
	return false;
}

static bool writer_transaction(struct store *store)
{
	struct batch *batch = &store->batch;
	bool is_good = db_begin(&store->db, batch->want_durable);
	store->pending_bytes = store->pending_copies = 0;
	for (struct job *job = batch->jobs; job && is_good; job = job->next)
		is_good = writer_apply(store, job);
	if (is_good && retain_commit(store))
		return true;
	retain_rollback(store);
	return false;
}

static void writer_count_failure(struct store *store)
{
	const char *why = store->db.sql ? sqlite3_errmsg(store->db.sql) : "no database";
	log_error("store-write-failed", "file=quell.db why=\"%s\"", why);
	pthread_mutex_lock(&store->lock);
	store->health.writes_failed++;
	pthread_mutex_unlock(&store->lock);
}

/* The loop thread fills one buffer while we write another: these two go round. */
static void writer_keep_buffer(struct store *store, struct journal_job *job)
{
	if (store->spare.cap >= job->blocks.cap)
		return;
	struct buf kept = store->spare;
	store->spare = job->blocks;
	buf_reset(&store->spare);
	job->blocks = kept;
}

/* Answers: callers wake up, holds go to the loop thread, the rest is freed. */
static void writer_answer(struct store *store, bool is_committed)
{
	bool want_event = false;
	struct job *job = store->batch.jobs;
	pthread_mutex_lock(&store->lock);
	while (job) {
		struct job *next = job->next;
		job->next = NULL;
		if (job->kind == JOB_CALL) {
			struct call_job *call = (struct call_job *)(void *)job;
			call->is_ok &= is_committed;
			call->is_done = true;
		} else if (job->kind == JOB_HOLD) {
			*store->done_last = job;
			store->done_last = &job->next;
			want_event = true;
		} else {
			if (job->kind == JOB_JOURNAL)
				writer_keep_buffer(store, (struct journal_job *)(void *)job);
			queue_job_free(job);
		}
		job = next;
	}
	store->health.hold_bytes = store->hold_bytes > 0 ? (uint64_t)store->hold_bytes : 0;
	store->health.hold_copies = store->hold_copies > 0 ? (uint64_t)store->hold_copies : 0;
	store->health.expired = (uint64_t)store->expired;
	pthread_cond_broadcast(&store->answered);
	pthread_mutex_unlock(&store->lock);
	uint64_t one = 1;
	if (want_event && write(store->event_fd, &one, sizeof one) < 0)
		return; /* it is readable already */
}

static void writer_run(struct store *store)
{
	struct batch *batch = &store->batch;
	if (!batch->jobs)
		return;
	writer_journal(store);
	bool is_committed = true;
	if (writer_needs_database(batch)) {
		holder_stage(store, batch);
		is_committed = writer_transaction(store);
		holder_settle(store, batch, is_committed);
		if (is_committed) {
			retain_unlink(store);
			retain_trim(store, batch);
		} else {
			writer_count_failure(store);
		}
	}
	writer_answer(store, is_committed);
}

/* A database that turned out damaged while we run, or could not be opened. */
static void writer_mend_database(struct store *store)
{
	struct error error = { 0 };
	bool was_damaged = false;
	int64_t now_us = clock_mono_us();
	if (store->db.sql && !store->db.is_corrupt)
		return;
	if (store->reopened_us && now_us - store->reopened_us < REOPEN_US)
		return;
	store->reopened_us = now_us;
	bool is_open = store->db.sql ? db_replace(&store->db, store->dir, &error)
				     : db_open(&store->db, &store_schema, store->dir, &was_damaged, &error);
	if (!is_open) {
		log_warn("database-away", "why=\"%s\"", error.text);
		return;
	}
	mend_begin(store);
	pthread_mutex_lock(&store->lock);
	store->db_epoch++;
	pthread_mutex_unlock(&store->lock);
}

/* What is done between rounds; how long the next wait may be. */
static int writer_between(struct store *store)
{
	journal_file_sync(store, false);
	bool has_child = snapshot_reap(store);
	writer_mend_database(store);
	bool has_mending = store->db.sql && mend_step(store);
	if (store->db.sql)
		retain_now_and_then(store);
	if (has_mending)
		return 0;
	return has_child || store->journal_is_dirty ? BUSY_MS : IDLE_MS;
}

static void *writer_main(void *arg)
{
	struct store *store = arg;
	int wait_ms = 0;
	while (writer_take(store, wait_ms)) {
		writer_run(store);
		wait_ms = writer_between(store);
	}
	journal_file_sync(store, true);
	return NULL;
}

bool writer_start(struct store *store, struct error *error)
{
	sigset_t all, before;
	/* Signals are the loop thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	store->has_writer = pthread_create(&store->writer, NULL, writer_main, store) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return store->has_writer || error_set(error, EXIT_UNAVAILABLE, "cannot start the writer thread");
}

void writer_stop(struct store *store)
{
	if (!store->has_writer)
		return;
	pthread_mutex_lock(&store->lock);
	store->is_closing = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->writer, NULL);
	store->has_writer = false;
}
