/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch: accounts in their seats, who is polled when, and who waits.
 *
 * One timer looks at all seats. A poll never overlaps itself; polls of one host are few
 * at a time, and a host that fails holds up nobody else (hazard 46). Intervals have a
 * jitter of a tenth, and the first polls are spread over an interval by the account's
 * name, so that a restart does not knock at all doors at once (hazard 45).
 */
#include "fetch/check.h"
#include "fetch/inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
	FETCH_TICK_MS = 100, FETCH_TICK_ONCE_MS = 20,
	FETCH_SWEEP_MS = 60 * 1000,
	FETCH_INTERVAL_MIN_MS = 60 * 1000,
	FETCH_BUSY_FIRST_MS = 60 * 1000,
	FETCH_BUSY_MAX_MS = 15 * 60 * 1000,
	FETCH_REFUSED_MS = 60 * 60 * 1000,
	FETCH_FAILED_MAX_MS = 60 * 60 * 1000,
	FETCH_IDLE_WITHIN_MS = 500,      /* ONCE: mail due so soon is waited for */
};

static int64_t now_of(const struct fetch *f)
{
	return loop_now_ms(f->setup.loop);
}

struct seat *fetch_seat(struct fetch *f, const char *label)
{
	for (size_t i = 0; i < f->seat_count; i++)
		if (strcmp(f->seats[i].entry->label, label) == 0)
			return &f->seats[i];
	return NULL;
}

void fetch_say(struct fetch *f, const char *kind, const char *label, const char *format, ...)
{
	char text[1024];
	va_list args;
	if (!f->setup.say)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	f->setup.say(f->setup.ctx, kind, label, text);
}

/* --- when ------------------------------------------------------------------------- */

/* x +- a tenth. */
static int64_t with_jitter(int64_t span_ms)
{
	uint32_t random;
	hash_random(&random, sizeof random);
	return span_ms - span_ms / 10 + (int64_t)(random % 1000) * (span_ms / 5) / 1000;
}

static int64_t doubled(int64_t first_ms, unsigned failures, int64_t max_ms)
{
	int64_t span_ms = first_ms;
	for (unsigned i = 1; i < failures && span_ms < max_ms; i++)
		span_ms *= 2;
	return span_ms < max_ms ? span_ms : max_ms;
}

static int64_t seat_interval_ms(const struct seat *seat)
{
	int64_t every_ms = seat->every_ms > seat->login_delay_ms ? seat->every_ms : seat->login_delay_ms;
	return every_ms > FETCH_INTERVAL_MIN_MS ? every_ms : FETCH_INTERVAL_MIN_MS;
}

/* How long until the next poll, by how this one ended. */
static int64_t seat_wait_ms(const struct seat *seat, enum poll_end end)
{
	int64_t every_ms = seat_interval_ms(seat);
	switch (end) {
	case POLL_BUSY:
		return doubled(FETCH_BUSY_FIRST_MS, seat->failures, FETCH_BUSY_MAX_MS);
	case POLL_REFUSED:
		return FETCH_REFUSED_MS;
	case POLL_NETWORK:
	case POLL_TLS:
	case POLL_SERVER:
	case POLL_SECRET:
	case POLL_DISK:
		return doubled(every_ms, seat->failures, FETCH_FAILED_MAX_MS);
	default:
		return every_ms;
	}
}

/* --- one poll ------------------------------------------------------------------------ */

static void seat_log(const struct seat *seat, enum poll_end former)
{
	const struct fetch_report *r = &seat->report;
	char why[400];
	if (r->end == POLL_WELL) {
		log_info("fetch-poll", "account=%s end=well listed=%llu collected=%llu twins=%llu left=%llu "
			 "deleted=%llu",
			 r->label, (unsigned long long)r->listed, (unsigned long long)r->collected,
			 (unsigned long long)r->twins, (unsigned long long)r->left, (unsigned long long)r->deleted);
		return;
	}
	log_quote(slice_from_str(r->why), why, sizeof why);
	/* The same trouble at each poll is one line an hour at most: seat_wait_ms sees to it. */
	log_line(former == r->end ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "fetch-poll", "account=%s end=%s why=%s", r->label,
		 poll_end_name(r->end), why);
}

static void seat_on_done(struct seat *seat, const struct poll_result *result)
{
	struct fetch *f = seat->fetch;
	enum poll_end former = seat->report.end;
	int64_t now_ms = now_of(f);
	seat->poll = NULL;
	f->polling--;
	seat->report.end = result->end;
	snprintf(seat->report.why, sizeof seat->report.why, "%s", result->why);
	seat->login_delay_ms = result->login_delay_ms;
	seat->failures = result->end == POLL_WELL ? 0 : seat->failures + 1;
	/* A session that broke is waited after like any other; a refused token asks once more. */
	bool comes_again = result->has_more && (result->end == POLL_WELL || result->end == POLL_REFUSED);
	seat->is_continued = comes_again && result->end == POLL_WELL;
	if (!seat->is_continued)
		seat_log(seat, former);
	if (comes_again) {
		seat->due_ms = now_ms;
		return;
	}
	seat->is_backlog = false;
	seat->is_done = f->setup.mode != FETCH_RUN;
	seat->due_ms = seat->is_done ? INT64_MAX : now_ms + with_jitter(seat_wait_ms(seat, result->end));
}

/* A ledger that knows nothing of an account that was polled before is a lost one
 * (hazard 19): everything would come again. */
static bool seat_may_poll(struct seat *seat)
{
	struct fetch *f = seat->fetch;
	struct ledger_account account;
	if (fetch_is_looking(f) || !fetch_was_known(f, seat->entry->label) ||
	    !ledger_account(f->ledger, seat->entry->label, &account) || account.first_ms != 0 || account.order[0])
		return true;
	seat->report.end = POLL_STOPPED;
	snprintf(seat->report.why, sizeof seat->report.why, "its ledger is lost (it was polled before): say quell "
		 "fetch adopt %s --mark-seen to collect only what comes from now on, or --deliver to collect all again",
		 seat->entry->label);
	log_error("fetch-poll", "account=%s end=stopped why=\"%s\"", seat->entry->label, seat->report.why);
	return false;
}

static void seat_poll(struct seat *seat)
{
	struct fetch *f = seat->fetch;
	if (!seat_may_poll(seat)) {
		struct poll_result result = { .end = POLL_STOPPED };
		snprintf(result.why, sizeof result.why, "%s", seat->report.why);
		f->polling++;
		seat_on_done(seat, &result);
		return;
	}
	seat->poll = poll_start(seat, seat_on_done);
	if (seat->poll)
		f->polling++;
	else
		seat->due_ms = now_of(f) + FETCH_INTERVAL_MIN_MS;
}

static size_t fetch_polling_host(const struct fetch *f, const char *host)
{
	size_t count = 0;
	for (size_t i = 0; i < f->seat_count; i++)
		count += f->seats[i].poll && strcmp(f->seats[i].entry->settings.host, host) == 0;
	return count;
}

/* Nothing is collected for a local server that relays (R3). */
static bool fetch_may_collect(struct fetch *f)
{
	if (!f->drain || drain_may_collect(f->drain))
		return true;
	bool is_refused = f->setup.mode == FETCH_ONCE && drain_trouble(f->drain)[0];
	for (size_t i = 0; is_refused && i < f->seat_count; i++)
		f->seats[i].is_done |= !f->seats[i].poll;
	return false;
}

static void fetch_poll_due(struct fetch *f)
{
	const struct fetch_settings *s = f->setup.settings;
	int64_t now_ms = now_of(f);
	if (!fetch_may_collect(f))
		return;
	for (size_t i = 0; i < f->seat_count && f->polling < (size_t)s->accounts_max; i++) {
		struct seat *seat = &f->seats[i];
		if (seat->poll || now_ms < seat->due_ms ||
		    fetch_polling_host(f, seat->entry->settings.host) >= (size_t)s->per_host_max)
			continue;
		seat_poll(seat);
	}
}

/* --- now and then ----------------------------------------------------------------------- */

static bool segment_is_needed(void *ctx, uint32_t segment)
{
	struct fetch *f = ctx;
	return ledger_needs_segment(f->ledger, segment);
}

static void fetch_sweep(struct fetch *f)
{
	int64_t now_ms = now_of(f);
	if (fetch_is_looking(f) || (f->swept_ms && now_ms - f->swept_ms < FETCH_SWEEP_MS && now_ms >= f->swept_ms))
		return;
	f->swept_ms = now_ms;
	segments_sweep(f->segments, segment_is_needed, f);
	if (!ledger_begin(f->ledger))
		return;
	ledger_forget(f->ledger, now_ms - f->setup.settings->remember_ms);
	if (!ledger_commit(f->ledger))
		ledger_rollback(f->ledger);
}

static void fetch_look_idle(struct fetch *f)
{
	if (f->setup.mode == FETCH_RUN || f->is_idle_told)
		return;
	for (size_t i = 0; i < f->seat_count; i++)
		if (!f->seats[i].is_done)
			return;
	if ((f->drain && !drain_is_idle(f->drain, FETCH_IDLE_WITHIN_MS)) || (f->check && !f->is_local_checked))
		return;
	f->is_idle_told = true;
	if (f->setup.on_idle)
		f->setup.on_idle(f->setup.ctx);
}

static void on_tick(void *ctx)
{
	struct fetch *f = ctx;
	fetch_poll_due(f);
	fetch_sweep(f);
	fetch_look_idle(f);
}

/* --- life -------------------------------------------------------------------------------- */

static bool seat_is_asked(const struct fetch_setup *s, const char *label)
{
	for (size_t i = 0; i < s->label_count; i++)
		if (strcmp(s->labels[i], label) == 0)
			return true;
	return s->label_count == 0;
}

static bool seat_take(struct fetch *f, struct seat *seat, const struct account_entry *entry, struct error *error)
{
	const struct account_settings *s = &entry->settings;
	bool is_token = s->token_command.count > 0 || s->token_url[0];
	*seat = (struct seat){ .fetch = f, .entry = entry };
	seat->report.label = entry->label;
	seat->every_ms = s->every_ms ? s->every_ms : f->setup.settings->every_ms;
	seat->map = map_new(s);
	if (strcmp(s->tls, "none") != 0)
		seat->tls = tls_context_new(s->ca_file, error);
	if (s->pin[0])
		seat->has_pin = tls_pin_parse(slice_from_str(s->pin), seat->pin);
	if (is_token)
		seat->token = token_new(f->setup.loop, s, NULL);
	if (!seat->map || (is_token && !seat->token))
		return error_set(error, EXIT_UNAVAILABLE, "no memory for the account %s", entry->label);
	if (strcmp(s->tls, "none") != 0 && !seat->tls)
		return false;
	/* Spread over the first interval, by name: the same at each start. */
	uint64_t spread = hash_mix(1, slice_from_str(entry->label));
	seat->due_ms = now_of(f);
	if (f->setup.mode == FETCH_RUN && f->setup.account_count > 1)
		seat->due_ms += (int64_t)(spread % (uint64_t)seat->every_ms) / 4;
	seat->is_done = false;
	return true;
}

static void seat_leave(struct seat *seat)
{
	poll_cancel(&seat->poll);
	token_free(&seat->token);
	tls_context_free(&seat->tls);
	map_free(&seat->map);
}

/* A paused account, or one that was not asked for, has its seat all the same: its mail in
 * the spool is still delivered. */
static bool fetch_take_seats(struct fetch *f, struct error *error)
{
	const struct fetch_setup *s = &f->setup;
	f->seats = mem_alloc_array(s->account_count + 1, sizeof *f->seats);
	if (!f->seats)
		return error_set(error, EXIT_UNAVAILABLE, "no memory for the accounts");
	for (size_t i = 0; i < s->account_count; i++) {
		struct seat *seat = &f->seats[f->seat_count++];
		if (!seat_take(f, seat, &s->accounts[i], error))
			return false;
		if (s->accounts[i].settings.is_paused || !seat_is_asked(s, s->accounts[i].label)) {
			seat->due_ms = INT64_MAX;
			seat->is_done = true;
		}
	}
	return true;
}

static void fetch_on_checked(void *ctx, bool is_fine, const char *text)
{
	struct fetch *f = ctx;
	f->is_local_checked = true;
	if (!is_fine)
		snprintf(f->local_trouble, sizeof f->local_trouble, "%s", text);
	fetch_say(f, "server", "local server", "%s", text);
}

/* A look changes nothing: no folder, no file; without a ledger everything is new. */
static bool fetch_open_look(struct fetch *f, struct error *error)
{
	const struct fetch_setup *s = &f->setup;
	const struct link_setup setup = { .loop = s->loop, .addr = s->deliver, .kind = s->deliver_kind,
					  .helo = s->host_name, .timeout_ms = s->settings->deliver_timeout_ms };
	f->ledger = ledger_open_view(s->dir, NULL);
	if (s->mode == FETCH_DRY_RUN)
		return true;
	f->check = check_start(&setup, fetch_on_checked, f);
	return f->check || error_set(error, EXIT_UNAVAILABLE, "no memory to ask the local server");
}

static bool fetch_open_files(struct fetch *f, struct error *error)
{
	f->ledger = ledger_open(f->setup.dir, error);
	f->segments = f->ledger ? segments_open(f->setup.dir_fd, error) : NULL;
	if (!f->segments || !fetch_take_seats(f, error))
		return false;
	f->drain = drain_new(f);
	return f->drain || error_set(error, EXIT_UNAVAILABLE, "no memory for the local server's links");
}

struct fetch *fetch_open(const struct fetch_setup *setup, struct error *error)
{
	struct fetch *f = mem_alloc(sizeof *f);
	if (!f) {
		error_set(error, EXIT_UNAVAILABLE, "no memory for the connector");
		return NULL;
	}
	f->setup = *setup;
	uint64_t who = hash_mix(1, slice_make(setup->stamp_key, HASH_KEY_BYTES));
	snprintf(f->instance, sizeof f->instance, "%.12s-%08x", setup->host_name, (unsigned)(uint32_t)who);
	bool is_open = fetch_is_looking(f) ? fetch_open_look(f, error) && fetch_take_seats(f, error)
					   : fetch_open_files(f, error);
	int64_t tick_ms = setup->mode == FETCH_RUN ? FETCH_TICK_MS : FETCH_TICK_ONCE_MS;
	f->timer = is_open ? loop_timer_start(setup->loop, 1, tick_ms, on_tick, f) : NULL;
	if (!f->timer)
		fetch_close(&f);
	return f;
}

void fetch_close(struct fetch **fetch)
{
	struct fetch *f = *fetch;
	*fetch = NULL;
	if (!f)
		return;
	f->is_closing = true;
	loop_timer_stop(&f->timer);
	for (size_t i = 0; i < f->seat_count; i++)
		seat_leave(&f->seats[i]);
	drain_free(&f->drain);
	check_free(&f->check);
	segments_close(f->segments);
	ledger_close(f->ledger);
	mem_free(f->seats);
	mem_free(f);
}

size_t fetch_reports(struct fetch *f, struct fetch_report *reports_out, size_t max)
{
	size_t count = f->seat_count < max ? f->seat_count : max;
	for (size_t i = 0; i < count; i++)
		reports_out[i] = f->seats[i].report;
	return count;
}

const char *fetch_local_trouble(const struct fetch *f)
{
	return f->drain ? drain_trouble(f->drain) : f->local_trouble;
}

bool fetch_knows(struct fetch *f, const char *label)
{
	return fetch_seat(f, label) != NULL;
}

struct ledger *fetch_ledger(struct fetch *f)
{
	return f->ledger;
}

void fetch_wake(struct fetch *f)
{
	for (size_t i = 0; i < f->seat_count; i++)
		if (f->seats[i].report.end == POLL_STOPPED && !f->seats[i].poll)
			f->seats[i].due_ms = now_of(f);
	if (f->drain)
		drain_forget(f->drain);
}
