/* SPDX-License-Identifier: Apache-2.0
 *
 * release: jobs and pace; the talk with the relay is a link (link.h).
 *
 * A step is due when the pace allows it. It picks the first job that has a row,
 * marks the row, and sends it over the link, which is opened when needed and
 * kept for the next row. A link lost with a row under way, in doubt or not: the row is
 * KEPT and sent again (a copy too many is better than none).
 */
#include "act/release.h"

#include "act/link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

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

struct release {
	struct release_setup setup;
	struct loop_timer *timer;
	struct link *link;
	struct release_job jobs[RELEASE_JOBS_MAX];
	size_t job_count;
	struct release_job *job;      /* of the row under way; else NULL */
	struct hold_row row;
	struct buf mail;              /* of the row, with our trace fields */
	size_t mail_sent;
	char token[RELEASE_TOKEN_HEX + 1];
	bool is_token_out;
	int64_t due_ms, ready_ms, pause_ms; /* ready_ms: since when the link has nothing to do */
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
	if (!r->job)
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

void release_drip(struct release *r, const char *incident, unsigned per_minute)
{
	struct error error = { .text = "" };
	for (size_t i = 0; i < r->job_count; i++)
		if (r->jobs[i].is_incident && strcmp(r->jobs[i].what, incident) == 0)
			return;
	log_info("release", "what=%s rate=%u why=\"its mails only wait\"", incident, per_minute);
	if (!release_incident(r, incident, per_minute, &error))
		log_error("release", "what=%s trouble=\"%s\"", incident, error.text);
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
	if (!release_load(r, now_ms)) {
		release_settle(r, HOLD_REFUSED);
		return;
	}
	bool is_8bit = false;
	for (size_t i = 0; i < r->mail.len && !is_8bit; i++)
		is_8bit = (r->mail.ptr[i] & 0x80) != 0;
	const struct link_mail mail = {
		.from = slice_from_str(r->row.mail_from),
		.rcpt = slice_from_str(r->row.rcpt),
		.size_bytes = r->mail.len,
		.is_8bit = is_8bit,
	};
	if (!store_hold_mark(r->setup.store, r->row.id, r->row.rcpt, HOLD_RELEASING, now_ms)) {
		r->job = NULL;
		release_pause(r, now_ms);
		return;
	}
	r->mail_sent = 0;
	r->is_token_out = link_send(r->link, &mail);
	if (!r->is_token_out)
		release_settle(r, link_state(r->link) == LINK_READY ? HOLD_REFUSED : HOLD_KEPT);
}

/* --- the link ---------------------------------------------------------------- */

static void release_on_ready(void *ctx)
{
	struct release *r = ctx;
	r->ready_ms = loop_now_ms(r->setup.loop);
	r->status.is_relay_away = false;
}

static ssize_t release_on_want(void *ctx, char *to, size_t room)
{
	struct release *r = ctx;
	struct slice part = slice_first(slice_from(buf_slice(&r->mail), r->mail_sent), room);
	if (part.len > 0)
		memcpy(to, part.ptr, part.len);
	r->mail_sent += part.len;
	return (ssize_t)part.len;
}

static void release_on_lost(void *ctx, bool had_mail, bool is_in_doubt, const char *why)
{
	struct release *r = ctx;
	char text[LOG_QUOTE_BYTES];
	(void)is_in_doubt;
	if (!r->status.is_relay_away)
		log_warn("release", "relay=away why=%s", log_quote(slice_from_str(why), text, sizeof text));
	r->status.is_relay_away = true;
	if (had_mail)
		release_settle(r, HOLD_KEPT);
	else
		release_pause(r, loop_now_ms(r->setup.loop));
}

static void release_on_word(void *ctx, const struct smtp_reply *reply)
{
	struct release *r = ctx;
	char text[LOG_QUOTE_BYTES];
	bool is_taken = smtp_is_taken(reply);
	if (!is_taken)
		log_warn("release", "hold=%s code=%d reply=%s", r->row.id, reply->code,
			 log_quote(reply->text, text, sizeof text));
	r->status.is_relay_away = false;
	release_settle(r, is_taken                    ? HOLD_RELEASED
			  : smtp_is_temporary(reply) ? HOLD_KEPT
						     : HOLD_REFUSED);
}

/* --- the pace ----------------------------------------------------------------- */

static void release_step(void *ctx)
{
	struct release *r = ctx;
	int64_t now_ms = loop_now_ms(r->setup.loop);
	enum link_state link = link_state(r->link);
	if (link == LINK_OPENING || link == LINK_BUSY || now_ms < r->due_ms)
		return;
	if (!release_pick(r)) {
		if (link == LINK_READY && now_ms > r->ready_ms + r->setup.timeout_ms + RELEASE_IDLE_MS)
			link_close(r->link);
		return;
	}
	if (link == LINK_CLOSED) {
		r->job = NULL;
		link_open(r->link);
		return;
	}
	release_send(r, now_ms);
}

static bool release_start(struct release *r)
{
	static const struct link_calls calls = { release_on_ready, release_on_want, release_on_word,
						 release_on_lost, NULL };
	const struct link_setup setup = {
		.loop = r->setup.loop, .addr = r->setup.relay, .kind = r->setup.kind, .helo = r->setup.host_name,
		.timeout_ms = r->setup.timeout_ms,
	};
	r->link = link_new(&setup, &calls, r);
	r->timer = loop_timer_start(setup.loop, RELEASE_STEP_MS, RELEASE_STEP_MS, release_step, r);
	return r->link && r->timer;
}

struct release *release_new(const struct release_setup *setup, struct error *error)
{
	struct release *r = mem_alloc(sizeof *r);
	if (r) {
		r->setup = *setup;
		buf_init(&r->mail, RELEASE_MAIL_BYTES_MAX);
	}
	if (!r || !release_start(r)) {
		release_free(&r);
		error_set(error, EXIT_UNAVAILABLE, "no memory for releasing");
		return NULL;
	}
	release_reload_jobs(r);
	return r;
}

void release_free(struct release **release)
{
	struct release *r = *release;
	*release = NULL;
	if (!r)
		return;
	link_free(&r->link);
	loop_timer_stop(&r->timer);
	buf_free(&r->mail);
	mem_free(r);
}

void release_retune(struct release *r, const struct release_setup *setup)
{
	r->setup.per_minute = setup->per_minute;
	r->setup.timeout_ms = setup->timeout_ms;
	link_set_timeout(r->link, setup->timeout_ms);
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
