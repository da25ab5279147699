/* SPDX-License-Identifier: Apache-2.0
 *
 * queue: jobs on their way to the writer thread.
 *
 * Ordered and bounded by number and bytes. What must not be lost without a word
 * (a hold, a call that somebody waits for) has its answer either way; the rest is
 * counted when there is no room for it.
 */
#include "store/inside.h"

#include "base/mem.h"

#include <unistd.h>

void queue_job_free(struct job *job)
{
	if (job->kind == JOB_HOLD) {
		struct hold_job *hold = (struct hold_job *)(void *)job;
		held_free(&hold->held);
		buf_free(&hold->head);
		buf_free(&hold->body);
		if (hold->body_fd >= 0)
			close(hold->body_fd);
	} else if (job->kind == JOB_JOURNAL) {
		buf_free(&((struct journal_job *)(void *)job)->blocks);
	} else if (job->kind == JOB_CALL) {
		return; /* on the stack of whoever waits */
	}
	mem_free(job);
}

bool queue_put(struct store *store, struct job *job, bool may_overflow)
{
	pthread_mutex_lock(&store->lock);
	bool is_room = store->job_count < STORE_JOBS_MAX &&
		       job->bytes <= STORE_JOB_BYTES_MAX - store->job_bytes;
	bool is_put = !store->is_closing && (is_room || may_overflow);
	if (is_put) {
		job->next = NULL;
		*store->last = job;
		store->last = &job->next;
		store->job_count++;
		store->job_bytes += job->bytes;
		pthread_cond_signal(&store->wake);
	} else if (job->kind != JOB_HOLD && job->kind != JOB_JOURNAL) {
		store->health.jobs_dropped++;
	}
	pthread_mutex_unlock(&store->lock);
	return is_put;
}

bool queue_call(struct store *store, bool (*fn)(struct store *store, void *arg), void *arg)
{
	struct call_job call = { .job = { .kind = JOB_CALL }, .fn = fn, .arg = arg };
	if (!queue_put(store, &call.job, true))
		return false;
	pthread_mutex_lock(&store->lock);
	while (!call.is_done)
		pthread_cond_wait(&store->answered, &store->lock);
	pthread_mutex_unlock(&store->lock);
	return call.is_ok;
}

void queue_saw_time(struct store *store, int64_t now_ms)
{
	pthread_mutex_lock(&store->lock);
	if (now_ms > store->now_ms)
		store->now_ms = now_ms;
	pthread_mutex_unlock(&store->lock);
}
