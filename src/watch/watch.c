/* SPDX-License-Identifier: Apache-2.0
 *
 * watch: sources and their lines, the clock of all servers, counts.
 */
#include "watch/inner.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

static void on_evict(void *ctx, struct txn *txn)
{
	watch_finish(ctx, txn);
}

struct watch *watch_new(const struct watch_setup *setup, struct error *error)
{
	struct watch *w = mem_alloc(sizeof *w);
	if (w) {
		w->setup = *setup;
		list_init(&w->untold);
		w->roll = roll_new(setup->bytes, on_evict, w);
	}
	if (w && w->roll)
		return w;
	watch_free(w);
	error_set(error, EXIT_TRY_AGAIN, "no memory for the table of mails (%zu bytes)", setup->bytes);
	return NULL;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->source_count; i++) {
		for (int k = 0; k < WATCH_SAMPLES; k++)
			mem_free(w->sources[i]->samples[k]);
		mem_free(w->sources[i]->name);
		mem_free(w->sources[i]);
	}
	servers_free(&w->servers);
	roll_free(w->roll);
	mem_free(w);
}

int watch_source(struct watch *w, const char *name, int64_t now_ms)
{
	struct watch_source *s = w->source_count < WATCH_SOURCES_MAX ? mem_alloc(sizeof *s) : NULL;
	if (s)
		s->name = mem_copy_str(name, strlen(name));
	if (!s || !s->name) {
		mem_free(s);
		return -1;
	}
	s->hint_ms = now_ms ? now_ms : w->setup.now_ms;
	maillog_reader_begin(&s->reader);
	w->sources[w->source_count] = s;
	return (int)w->source_count++;
}

/* ---- samples ---- */

/* Logs are written by strangers in part; a sample is for the eye: printable ASCII. */
static char *sample_of(struct slice line)
{
	size_t len = line.len < WATCH_SAMPLE_BYTES ? line.len : WATCH_SAMPLE_BYTES;
	char *copy = mem_copy_str(line.ptr, len);
	for (size_t i = 0; copy && i < len; i++)
		if (copy[i] < ' ' || copy[i] > '~')
			copy[i] = '?';
	return copy;
}

/* The first of each service, so that one talkative service does not hide the others. */
static void source_sample(struct watch_source *s, struct slice line, const struct maillog_event *event)
{
	uint64_t service = hash_mix(hash_mix(1, event->program), event->service);
	int i = 0;
	while (i < WATCH_SAMPLES && s->samples[i] && s->sample_services[i] != service)
		i++;
	if (i == WATCH_SAMPLES || s->samples[i])
		return;
	s->samples[i] = sample_of(line);
	s->sample_services[i] = service;
}

/* ---- the clock ---- */

static void sweep_stage(struct watch *w, enum txn_stage stage, int64_t idle_ms)
{
	struct txn *txn;
	while ((txn = roll_oldest(w->roll, stage)) && w->now_ms - txn->touched_ms > idle_ms)
		watch_close(w, txn);
}

/* Recipients that have not come by now are slow ones. */
static void sweep_untold(struct watch *w)
{
	while (!list_is_empty(&w->untold)) {
		struct txn *txn = LIST_OWNER(w->untold.next, struct txn, untold);
		if (w->now_ms - txn->queued_ms <= WATCH_TELL_MS)
			break;
		watch_tell_storm(w, txn);
	}
}

static void watch_tick(struct watch *w)
{
	w->ticked_ms = w->now_ms;
	sweep_untold(w);
	sweep_stage(w, TXN_SETTLED, WATCH_SETTLED_MS);
	sweep_stage(w, TXN_BEGUN, WATCH_BEGUN_MS);
	sweep_stage(w, TXN_OPEN, WATCH_OPEN_MS);
	if (w->setup.storm)
		storm_tick(w->setup.storm, w->now_ms);
}

static void watch_advance(struct watch *w, struct watch_source *s, struct watch_server *server, int64_t time_ms)
{
	struct watch_source_counts *c = &s->counts;
	bool has_clock = server->now_ms != 0;
	c->backwards += server_advance(server, time_ms);
	if (c->first_ms == 0 || time_ms < c->first_ms)
		c->first_ms = time_ms;
	if (time_ms > c->last_ms && server->leap_ms != time_ms)
		c->last_ms = time_ms;
	/* A server that is new here may be years off; then it must say so twice. */
	bool is_believed = has_clock || w->now_ms == 0 || server->now_ms - w->now_ms < WATCH_OPEN_MS;
	if (server->now_ms > w->now_ms && is_believed)
		w->now_ms = server->now_ms;
	if (w->now_ms - w->ticked_ms >= WATCH_TICK_MS)
		watch_tick(w);
}

/* ---- lines ---- */

/* The server of a host name; lines of one come one after the other. */
static struct watch_server *source_server(struct watch *w, struct watch_source *s, struct slice host)
{
	if (host.len == 0 || host.len > WATCH_SERVER_NAME_BYTES) {
		if (!s->own)
			s->own = servers_get(&w->servers, slice_from_str(s->name));
		s->last = s->own;
	} else if (!s->last || !slice_equal(s->last->name, host)) {
		s->last = servers_get(&w->servers, host);
	}
	return s->last ? s->last : &w->anyone;
}

static int64_t source_hint(const struct watch_source *s)
{
	/* Another server of the same file was there already: about its time. */
	return s->counts.last_ms ? s->counts.last_ms + WATCH_OPEN_MS : s->hint_ms;
}

/* A time too far ahead to be believed at once is not waited for. */
static bool server_is_after(const struct watch_server *server, int64_t time_ms, int64_t limit_ms)
{
	bool is_leap = server->now_ms != 0 && server->leap_ms == 0 && time_ms - server->now_ms > CLOCK_DAY_MS;
	return time_ms > limit_ms && !is_leap;
}

struct maillog_reader *watch_reader(struct watch *w, int source)
{
	return &w->sources[source]->reader;
}

bool watch_line_until(struct watch *w, int source, struct slice line, bool is_cut, int64_t limit_ms,
		      int64_t *time_ms_out)
{
	struct maillog_event event;
	maillog_reader_line(watch_reader(w, source), line, &event);
	return watch_event_until(w, source, line, &event, is_cut, limit_ms, time_ms_out);
}

bool watch_event_until(struct watch *w, int source, struct slice line, struct maillog_event *event, bool is_cut,
		       int64_t limit_ms, int64_t *time_ms_out)
{
	struct watch_source *s = w->sources[source];
	struct watch_server *server = source_server(w, s, event->host);
	bool has_time = server_time(server, event->time, source_hint(s), w->setup.zone_offset_s, time_ms_out);
	if (has_time && server_is_after(server, *time_ms_out, limit_ms))
		return false;
	w->counts.lines++;
	s->counts.lines++;
	s->counts.too_long += is_cut;
	if (event->format != MAILLOG_UNKNOWN)
		s->counts.format = event->format;
	if (has_time)
		watch_advance(w, s, server, *time_ms_out);
	if (event->kind != MAILLOG_OTHER) {
		s->counts.understood++;
		watch_event(w, server, *time_ms_out, event);
		return true;
	}
	s->counts.unknown++;
	if (event->format != MAILLOG_UNKNOWN)
		source_sample(s, line, event);
	return true;
}

void watch_line(struct watch *w, int source, struct slice line, bool is_cut)
{
	int64_t time_ms;
	watch_line_until(w, source, line, is_cut, INT64_MAX, &time_ms);
}

int64_t watch_source_ms(const struct watch *w, int source)
{
	return w->sources[source]->counts.last_ms;
}

void watch_end(struct watch *w)
{
	static const enum txn_stage stages[] = { TXN_OPEN, TXN_SETTLED, TXN_BEGUN };
	struct txn *txn;
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
		while ((txn = roll_oldest(w->roll, stages[i])))
			watch_close(w, txn);
	if (w->setup.storm && w->now_ms)
		storm_tick(w->setup.storm, w->now_ms);
}

/* ---- counts ---- */

void watch_counts(const struct watch *w, struct watch_counts *counts_out)
{
	struct roll_counts roll;
	roll_counts(w->roll, &roll);
	*counts_out = w->counts;
	counts_out->evicted = roll.evicted;
	counts_out->open = roll.open;
	counts_out->bytes = roll.bytes;
	counts_out->source_count = w->source_count;
}

void watch_source_counts(const struct watch *w, int source, struct watch_source_counts *counts_out)
{
	const struct watch_source *s = w->sources[source];
	*counts_out = s->counts;
	counts_out->name = s->name;
	for (int i = 0; i < WATCH_SAMPLES; i++)
		counts_out->samples[i] = s->samples[i];
}
