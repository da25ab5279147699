/* SPDX-License-Identifier: Apache-2.0
 *
 * release: jobs, pace, and one SMTP or LMTP talk with the relay.
 *
 * A step is due when the pace allows it. It picks the first job that has a row,
 * marks the row, and sends it over the link, which is opened when needed and
 * kept for the next row. The state is what the link waits for.
 */
#include "act/release.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/stream.h"

#include <stdio.h>

enum {
	RELEASE_STEP_MS = 100,
	RELEASE_JOBS_MAX = 64,
	RELEASE_MAIL_BYTES_MAX = 128 * 1024 * 1024,
	RELEASE_PAUSE_FIRST_MS = 2000,
	RELEASE_PAUSE_MAX_MS = 10 * 60 * 1000,
	RELEASE_IDLE_MS = 10 * 1000,     /* then the link is given up */
	RELEASE_TOKEN_HEX = 32,
};

#define RELEASE_PAIR_PREFIX "pair:"

enum release_state {
	RELEASE_CLOSED,   /* no link */
	RELEASE_DIALING,
	RELEASE_GREETING, /* linked, not READY yet */
	RELEASE_READY,
	RELEASE_SENDING,  /* a row is under way */
	RELEASE_ENDING,   /* it is settled; the talk about it is not over yet */
};

struct release {
	struct release_setup setup;
	struct loop_timer *timer;
	enum release_state state;
	struct dial *dial;
	struct stream *stream;
	struct smtp *smtp;
	struct release_job jobs[RELEASE_JOBS_MAX];
	size_t job_count;
	struct release_job *job;      /* of the row under way */
	struct hold_row row;
	struct buf mail;              /* of the row, with our trace fields */
	size_t mail_sent;
	bool is_body_open;            /* the relay waits for the mail's bytes */
	char token[RELEASE_TOKEN_HEX + 1];
	bool is_token_out;
	int64_t due_ms, deadline_ms, pause_ms;
	struct release_status status;
};

/* --- jobs ------------------------------------------------------------------ */

static void release_reload_jobs(struct release *r)
{
	r->job_count = store_job_list(r->setup.store, r->jobs, RELEASE_JOBS_MAX);
}

static bool release_add_job(struct release *r, const struct release_job *job, struct error *error)
{
	if (!store_job_add(r->setup.store, job))
		return error_set(error, EXIT_TRY_AGAIN, "the job could not be stored");
	/* Not while a row is under way: r->job points into the list. */
	if (r->state != RELEASE_SENDING)
		release_reload_jobs(r);
	return true;
}

bool release_incident(struct release *r, const char *incident, int64_t per_minute, struct error *error)
{
	struct release_job job = { .is_incident = true, .asked_ms = loop_now_ms(r->setup.loop) };
	job.per_minute = (unsigned)(per_minute < 0 ? r->setup.per_minute : per_minute);
	snprintf(job.what, sizeof job.what, "%s", incident);
	return release_add_job(r, &job, error);
}

bool release_hold(struct release *r, const char *hold_id, struct error *error)
{
	struct release_job job = { .asked_ms = loop_now_ms(r->setup.loop) };
	snprintf(job.what, sizeof job.what, "%s", hold_id);
	return release_add_job(r, &job, error);
}

void release_pair(struct release *r, const uint8_t pair[12], const char *why)
{
	struct error error = { .text = "" };
	struct release_job job = { .asked_ms = loop_now_ms(r->setup.loop) };
	memcpy(job.what, RELEASE_PAIR_PREFIX, sizeof RELEASE_PAIR_PREFIX - 1);
	hash_to_hex(pair, 12, job.what + sizeof RELEASE_PAIR_PREFIX - 1);
	log_info("release", "what=%s why=\"%s\"", job.what, why);
	if (!release_add_job(r, &job, &error))
		log_error("release", "what=%s trouble=\"%s\"", job.what, error.text);
}

static bool job_is_pair(const struct release_job *job)
{
	return strncmp(job->what, RELEASE_PAIR_PREFIX, sizeof RELEASE_PAIR_PREFIX - 1) == 0;
}

/* The next row of this job; false when it has none left. */
static bool release_find_row(struct release *r, const struct release_job *job, struct hold_row *row_out)
{
	uint8_t pair[12];
	struct hold_query query = { 0 };
	if (job->is_incident)
		query.incident = job->what;
	else if (!job_is_pair(job))
		query.hold_id = job->what;
	else if (hash_from_hex(slice_from_str(job->what + sizeof RELEASE_PAIR_PREFIX - 1), pair, 12))
		query.pair = pair;
	else
		return false;
	return store_hold_next(r->setup.store, &query, row_out, 1) == 1;
}

static void release_finish_job(struct release *r, struct release_job *job)
{
	log_info("release", "what=%s done=%llu failed=%llu state=finished", job->what,
		 (unsigned long long)job->done, (unsigned long long)job->failed);
	store_job_update(r->setup.store, job, true);
}

/* Picks the job and row to send now. Finished jobs go on the way. */
static bool release_pick(struct release *r)
{
	if (r->job_count == 0)
		return false;
	for (size_t i = 0; i < r->job_count; i++) {
		struct release_job *job = &r->jobs[i];
		/* A pair is one copy, whatever the number of rows. */
		bool is_spent = job_is_pair(job) && job->done + job->failed > 0;
		if (!is_spent && release_find_row(r, job, &r->row)) {
			r->job = job;
			return true;
		}
		release_finish_job(r, job);
	}
	release_reload_jobs(r);
	return false;
}

/* --- one row ---------------------------------------------------------------- */

static void release_pause(struct release *r, int64_t now_ms)
{
	r->pause_ms = r->pause_ms ? r->pause_ms * 2 : RELEASE_PAUSE_FIRST_MS;
	if (r->pause_ms > RELEASE_PAUSE_MAX_MS)
		r->pause_ms = RELEASE_PAUSE_MAX_MS;
	r->due_ms = now_ms + r->pause_ms;
}

/* The row under way is settled: as released, refused, or kept for another try. */
static void release_settle(struct release *r, enum hold_state state)
{
	int64_t now_ms = loop_now_ms(r->setup.loop);
	r->is_token_out = false;
	r->is_body_open = false;
	buf_reset(&r->mail);
	if (!store_hold_mark(r->setup.store, r->row.id, r->row.rcpt, state, now_ms))
		log_error("release", "hold=%s trouble=\"its state could not be stored\"", r->row.id);
	if (state == HOLD_RELEASED) {
		r->job->done++;
		r->status.sent++;
		r->pause_ms = 0;
		r->due_ms = now_ms + (r->job->per_minute ? CLOCK_MINUTE_MS / r->job->per_minute : 0);
	} else if (state == HOLD_REFUSED) {
		r->job->failed++;
		r->status.refused++;
	} else {
		r->status.put_off++;
		release_pause(r, now_ms);
	}
	store_job_update(r->setup.store, r->job, false);
	r->job = NULL;
	release_reload_jobs(r);
}

static bool release_add_trace(struct release *r, struct buf *mail, int64_t now_ms)
{
	uint8_t nonce[RELEASE_TOKEN_HEX / 2];
	char when[64];
	hash_random(nonce, sizeof nonce);
	hash_to_hex(nonce, sizeof nonce, r->token);
	/* RFC 5321 4.4: whoever relays adds its own Received field. */
	return buf_addf(mail, "X-Quell-Release: %s\r\nReceived: by %s (Quell hold) id %s; %s\r\n",
			r->token, r->setup.host_name, r->row.id,
			clock_rfc5322(now_ms, when, sizeof when));
}

/* Loads the row's mail behind our own trace fields. */
static bool release_load(struct release *r, int64_t now_ms)
{
	struct error error = { .text = "" };
	struct buf held;
	buf_init(&held, RELEASE_MAIL_BYTES_MAX);
	buf_reset(&r->mail);
	bool is_loaded = store_hold_load(r->setup.store, r->row.id, &held, &error) &&
			 release_add_trace(r, &r->mail, now_ms) && buf_add(&r->mail, buf_slice(&held));
	buf_free(&held);
	if (!is_loaded)
		log_error("release", "hold=%s trouble=\"%s\"", r->row.id,
			  error.text[0] ? error.text : "the mail is too large");
	return is_loaded;
}

static void release_send(struct release *r, int64_t now_ms)
{
	struct slice rcpt = slice_from_str(r->row.rcpt);
	if (!release_load(r, now_ms)) {
		release_settle(r, HOLD_REFUSED);
		return;
	}
	bool is_8bit = false;
	for (size_t i = 0; i < r->mail.len && !is_8bit; i++)
		is_8bit = (r->mail.ptr[i] & 0x80) != 0;
	struct smtp_mail mail = {
		.from = slice_from_str(r->row.mail_from),
		.rcpts = &rcpt,
		.rcpt_count = 1,
		.size_bytes = r->mail.len,
		.is_8bit = is_8bit,
	};
	if (!store_hold_mark(r->setup.store, r->row.id, r->row.rcpt, HOLD_RELEASING, now_ms)) {
		release_pause(r, now_ms);
		return;
	}
	r->state = RELEASE_SENDING;
	r->mail_sent = 0;
	r->deadline_ms = now_ms + r->setup.timeout_ms;
	if (!smtp_mail(r->smtp, &mail)) {
		r->state = RELEASE_READY;
		release_settle(r, HOLD_REFUSED);
		return;
	}
	r->is_token_out = true;
}

/* --- the link ---------------------------------------------------------------- */

static void release_close_link(struct release *r)
{
	dial_cancel(&r->dial);
	stream_close(&r->stream);
	smtp_free(&r->smtp);
	r->state = RELEASE_CLOSED;
}

static void release_link_failed(struct release *r, const char *why)
{
	bool was_sending = r->state == RELEASE_SENDING;
	if (!r->status.is_relay_away)
		log_warn("release", "relay=away why=\"%s\"", why);
	r->status.is_relay_away = true;
	release_close_link(r);
	if (was_sending)
		release_settle(r, HOLD_KEPT);
	else
		release_pause(r, loop_now_ms(r->setup.loop));
}

static void release_give_body(struct release *r)
{
	if (!r->is_body_open)
		return;
	struct slice rest = slice_from(buf_slice(&r->mail), r->mail_sent);
	r->mail_sent += smtp_body(r->smtp, rest);
	if (r->mail_sent == r->mail.len && smtp_body_end(r->smtp))
		r->is_body_open = false;
}

static void release_flush(struct release *r)
{
	struct buf *out = smtp_out(r->smtp);
	if (!r->stream || out->len == 0)
		return;
	if (stream_write(r->stream, buf_slice(out)))
		buf_consume(out, out->len);
}

static void release_on_word(struct release *r, const struct smtp_reply *reply)
{
	char text[LOG_QUOTE_BYTES];
	bool is_taken = smtp_is_taken(reply);
	if (!is_taken)
		log_warn("release", "hold=%s code=%d reply=%s", r->row.id, reply->code,
			 log_quote(reply->text, text, sizeof text));
	r->status.is_relay_away = false;
	r->state = RELEASE_ENDING;
	release_settle(r, is_taken                    ? HOLD_RELEASED
			  : smtp_is_temporary(reply) ? HOLD_KEPT
						     : HOLD_REFUSED);
}

/* False when the link is gone. */
static bool release_on_event(struct release *r, const struct smtp_event *e)
{
	r->deadline_ms = loop_now_ms(r->setup.loop) + r->setup.timeout_ms;
	switch (e->kind) {
	case SMTP_READY:
	case SMTP_MAIL_END:
		r->state = RELEASE_READY;
		r->status.is_relay_away = false;
		return true;
	case SMTP_BODY:
		r->is_body_open = true;
		release_give_body(r);
		return true;
	case SMTP_DONE:
		release_on_word(r, &e->reply);
		return true;
	case SMTP_FAILED:
	case SMTP_CLOSED:
		release_link_failed(r, e->why ? e->why : "the relay closed the link");
		return false;
	case SMTP_NONE:
		break;
	}
	return true;
}

static bool release_run_events(struct release *r)
{
	struct smtp_event event;
	for (;;) {
		smtp_next(r->smtp, &event);
		if (event.kind == SMTP_NONE)
			return true;
		if (!release_on_event(r, &event))
			return false;
	}
}

static size_t release_on_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct release *r = ctx;
	(void)stream;
	smtp_feed(r->smtp, bytes);
	if (release_run_events(r))
		release_flush(r);
	return bytes.len;
}

static void release_on_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct release *r = ctx;
	(void)stream;
	(void)sys_errno;
	smtp_feed_end(r->smtp);
	if (release_run_events(r))
		release_link_failed(r, stream_end_text(end));
}

static void release_on_drain(void *ctx, struct stream *stream)
{
	struct release *r = ctx;
	(void)stream;
	release_give_body(r);
	release_flush(r);
}

static void release_on_dialed(void *ctx, int fd, int sys_errno)
{
	static const struct stream_calls calls = { release_on_data, release_on_end, release_on_drain };
	struct release *r = ctx;
	r->dial = NULL;
	if (fd < 0) {
		release_link_failed(r, strerror(sys_errno));
		return;
	}
	const struct stream_setup setup = {
		.in_bytes_max = 64 * 1024,
		.out_bytes_max = 4 * 1024 * 1024,
		.idle_ms = 0,
	};
	r->smtp = smtp_new(r->setup.kind, slice_from_str(r->setup.host_name));
	r->stream = stream_open(r->setup.loop, fd, &setup, &calls, r);
	if (!r->smtp || !r->stream) {
		release_link_failed(r, "no memory");
		return;
	}
	r->state = RELEASE_GREETING;
	r->deadline_ms = loop_now_ms(r->setup.loop) + r->setup.timeout_ms;
}

static void release_open_link(struct release *r)
{
	r->state = RELEASE_DIALING;
	r->dial = dial_start(r->setup.loop, &r->setup.relay, r->setup.timeout_ms, release_on_dialed, r);
	if (!r->dial)
		release_link_failed(r, "no memory");
}

/* --- the pace ----------------------------------------------------------------- */

static void release_step(void *ctx)
{
	struct release *r = ctx;
	int64_t now_ms = loop_now_ms(r->setup.loop);
	bool is_waiting = r->state == RELEASE_GREETING || r->state == RELEASE_SENDING ||
			  r->state == RELEASE_ENDING;
	if (is_waiting && now_ms > r->deadline_ms) {
		release_link_failed(r, "the relay did not answer in time");
		return;
	}
	if (is_waiting || r->state == RELEASE_DIALING || now_ms < r->due_ms)
		return;
	if (!release_pick(r)) {
		if (r->state == RELEASE_READY && now_ms > r->deadline_ms + RELEASE_IDLE_MS)
			release_close_link(r);
		return;
	}
	if (r->state == RELEASE_CLOSED) {
		r->job = NULL;
		release_open_link(r);
		return;
	}
	release_send(r, now_ms);
	if (r->smtp)
		release_flush(r);
}

struct release *release_new(const struct release_setup *setup, struct error *error)
{
	struct release *r = mem_alloc(sizeof *r);
	if (r)
		r->timer = loop_timer_start(setup->loop, RELEASE_STEP_MS, RELEASE_STEP_MS, release_step, r);
	if (!r || !r->timer) {
		mem_free(r);
		error_set(error, EXIT_UNAVAILABLE, "no memory for releasing");
		return NULL;
	}
	r->setup = *setup;
	buf_init(&r->mail, RELEASE_MAIL_BYTES_MAX);
	release_reload_jobs(r);
	return r;
}

void release_free(struct release **release)
{
	struct release *r = *release;
	*release = NULL;
	if (!r)
		return;
	release_close_link(r);
	loop_timer_stop(&r->timer);
	buf_free(&r->mail);
	mem_free(r);
}

void release_retune(struct release *r, const struct release_setup *setup)
{
	r->setup.per_minute = setup->per_minute;
	r->setup.timeout_ms = setup->timeout_ms;
}

bool release_expects(struct release *r, struct slice token)
{
	bool is_it = r->is_token_out && token.len == RELEASE_TOKEN_HEX &&
		     hash_is_equal((const uint8_t *)token.ptr, (const uint8_t *)r->token, RELEASE_TOKEN_HEX);
	if (is_it)
		r->is_token_out = false;
	return is_it;
}

void release_status(const struct release *r, struct release_status *status_out)
{
	*status_out = r->status;
	status_out->jobs = r->job_count;
}
