/* SPDX-License-Identifier: Apache-2.0
 *
 * post: what the loop thread hands to the writer.
 *
 * Everything is copied here, so that the caller's slices may die at once.
 */
#include "store/inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <unistd.h>

/* Answers a hold that will not be tried. Through the list of the done ones when
 * there is a job to put there, else at once. */
static void post_refuse(struct store *store, struct hold_job *job, enum store_result result)
{
	uint64_t one = 1;
	job->result = result;
	job->job.next = NULL;
	pthread_mutex_lock(&store->lock);
	*store->done_last = &job->job;
	store->done_last = &job->job.next;
	if (result == STORE_FULL && !store->health.is_full)
		store->health.full_since_ms = store->now_ms;
	store->health.is_full |= result == STORE_FULL;
	pthread_mutex_unlock(&store->lock);
	if (write(store->event_fd, &one, sizeof one) < 0)
		return; /* it is readable already */
}

static bool post_copy_rcpts(struct held *held, const struct hold_mail *mail)
{
	if (mail->rcpt_count == 0 || mail->rcpt_count > HELD_RCPTS_MAX)
		return false;
	held->rcpts = mem_alloc_array(mail->rcpt_count, sizeof *held->rcpts);
	if (!held->rcpts)
		return false;
	held->rcpt_count = mail->rcpt_count;
	for (size_t i = 0; i < mail->rcpt_count; i++) {
		struct held_rcpt *to = &held->rcpts[i];
		to->deed = mail->rcpts[i].deed == DEED_SUPPRESS ? DEED_SUPPRESS : DEED_HOLD;
		to->is_first = mail->rcpts[i].is_first;
		memcpy(to->pair, mail->rcpts[i].pair, sizeof to->pair);
		if (!held_address(to->address, mail->rcpts[i].address))
			return false;
	}
	return true;
}

static bool post_copy_mail(struct held *held, const struct hold_mail *mail)
{
	held->time_ms = mail->time_ms > 0 ? mail->time_ms : 0;
	held_text(held->incident, sizeof held->incident, slice_from_str(mail->incident));
	held_text(held->queue_id, sizeof held->queue_id, mail->queue_id);
	held_text(held->client, sizeof held->client, mail->client);
	held_text(held->helo, sizeof held->helo, mail->helo);
	held_text(held->rule, sizeof held->rule, slice_from_str(mail->rule));
	held_text(held->reason, sizeof held->reason, slice_from_str(mail->reason));
	memcpy(held->instance, mail->instance, sizeof held->instance);
	return held_address(held->mail_from, mail->mail_from) && post_copy_rcpts(held, mail);
}

/* The spool's memory and file become the job's. */
static void post_take_spool(struct hold_job *job, struct spool *spool)
{
	size_t memory_bytes = spool->body.cap_max;
	int dir_fd = spool->dir_fd;
	uint64_t max = spool->body_bytes_max;
	job->head = spool->head;
	job->body = spool->body;
	job->body_fd = spool->body_fd;
	job->held.body_bytes = spool->body_bytes;
	job->held.header_bytes = spool->head.len;
	job->job.bytes = sizeof *job + job->head.cap + job->body.cap +
			 job->held.rcpt_count * sizeof *job->held.rcpts;
	spool_init(spool, dir_fd, memory_bytes, max);
}

void store_hold(struct store *store, const struct hold_mail *mail, struct spool *spool,
		store_done_fn *done, void *ctx)
{
	struct hold_job *job = mem_alloc(sizeof *job);
	if (!job) {
		spool_reset(spool);
		if (done)
			done(ctx, STORE_FAILED, "");
		return;
	}
	*job = (struct hold_job){ .job = { .kind = JOB_HOLD }, .body_fd = -1, .done = done, .ctx = ctx,
				  .mail_fd = -1, .body_slot = -1 };
	queue_saw_time(store, mail->time_ms);
	held_make_id(mail->time_ms, job->held.id);
	if (spool->is_broken || !post_copy_mail(&job->held, mail)) {
		spool_reset(spool);
		post_refuse(store, job, STORE_FAILED);
		return;
	}
	post_take_spool(job, spool);
	if (!queue_put(store, &job->job, false))
		post_refuse(store, job, STORE_FULL);
}

static struct text_job *post_text(struct store *store, enum job_kind kind, const struct slice *texts,
				  size_t count)
{
	size_t bytes = sizeof(struct text_job);
	for (size_t i = 0; i < count; i++)
		bytes += texts[i].len;
	struct text_job *job = mem_alloc(bytes);
	if (!job) {
		pthread_mutex_lock(&store->lock);
		store->health.jobs_dropped++;
		pthread_mutex_unlock(&store->lock);
		return NULL;
	}
	job->job = (struct job){ .kind = kind, .bytes = bytes };
	char *to = job->bytes;
	for (size_t i = 0; i < count; i++) {
		job->texts[i] = slice_make(to, texts[i].len);
		if (texts[i].len > 0)
			memcpy(to, texts[i].ptr, texts[i].len);
		to += texts[i].len;
	}
	return job;
}

static void post_send(struct store *store, struct text_job *job)
{
	if (!queue_put(store, &job->job, false))
		mem_free(job);
}

void store_decision(struct store *store, const struct decision *d)
{
	enum { TEXT_MAX = 512 };
	const struct slice texts[] = {
		slice_first(d->queue_id, TEXT_MAX), slice_first(d->mail_from, TEXT_MAX),
		slice_first(d->rcpt, TEXT_MAX), slice_first(d->client, TEXT_MAX),
		slice_first(d->message_id, TEXT_MAX), slice_from_str(d->tier), slice_from_str(d->rule),
		slice_from_str(d->reason), slice_from_str(d->incident),
	};
	struct text_job *job = post_text(store, JOB_DECISION, texts, sizeof texts / sizeof texts[0]);
	if (!job)
		return;
	job->numbers[0] = d->time_ms;
	job->numbers[1] = d->deed;
	post_send(store, job);
}

void store_incident(struct store *store, const struct incident *incident)
{
	enum { INCIDENT_BYTES_MAX = 256 * 1024 };
	struct buf bytes;
	buf_init(&bytes, INCIDENT_BYTES_MAX);
	bool is_encoded = incident_encode(incident, &bytes);
	const struct slice texts[] = { slice_from_str(incident->id), buf_slice(&bytes) };
	struct text_job *job = is_encoded ? post_text(store, JOB_INCIDENT, texts, 2) : NULL;
	if (job) {
		job->numbers[0] = incident->first_ms;
		job->numbers[1] = incident->last_ms;
		job->numbers[2] = incident->cls;
		job->numbers[3] = incident->state;
		post_send(store, job);
	}
	buf_free(&bytes);
}

void store_counters(struct store *store, const struct store_counter *counters, size_t count, int64_t now_ms)
{
	enum { COUNTERS_BYTES_MAX = 64 * 1024 };
	struct buf packed;
	buf_init(&packed, COUNTERS_BYTES_MAX);
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&packed, counters[i].name);
		buf_add_byte(&packed, '\0');
		buf_add(&packed, slice_make(&counters[i].value, sizeof counters[i].value));
	}
	const struct slice texts[] = { buf_slice(&packed) };
	struct text_job *job = packed.is_over ? NULL : post_text(store, JOB_COUNTERS, texts, 1);
	if (job) {
		job->numbers[0] = now_ms;
		post_send(store, job);
	}
	buf_free(&packed);
}

void store_note(struct store *store, const char *name, struct slice text)
{
	const struct slice texts[] = { slice_from_str(name), slice_first(text, STORE_NOTE_BYTES_MAX) };
	struct text_job *job = post_text(store, JOB_NOTE, texts, 2);
	if (job)
		post_send(store, job);
}

void store_journal(struct store *store, struct slice record, bool is_urgent)
{
	if (journal_put(&store->out, record)) {
		store->out_is_urgent |= is_urgent;
		return;
	}
	pthread_mutex_lock(&store->lock);
	store->health.journal_lost++;
	store->wants_snapshot = true;
	pthread_mutex_unlock(&store->lock);
}

void store_flush(struct store *store, int64_t now_ms)
{
	queue_saw_time(store, now_ms);
	if (store->out.buf.len == 0)
		return;
	if (!store->is_replayed)
		store_replay(store, NULL, NULL, NULL, NULL);
	struct journal_job *job = mem_alloc(sizeof *job);
	if (!job)
		return; /* it stays where it is until the next round */
	journal_seal(&store->out);
	*job = (struct journal_job){ { .kind = JOB_JOURNAL, .bytes = store->out.buf.len },
				     store->out.buf, store->out_is_urgent };
	if (!queue_put(store, &job->job, false)) {
		mem_free(job);
		return;
	}
	uint64_t records = store->out.records;
	journal_out_init(&store->out, STORE_JOURNAL_WAITING_MAX, store->out.generation);
	pthread_mutex_lock(&store->lock);
	if (store->spare.cap > 0) {
		store->out.buf = store->spare;
		buf_init(&store->spare, 0);
	}
	pthread_mutex_unlock(&store->lock);
	store->out.records = records;
	store->out_is_urgent = false;
}
