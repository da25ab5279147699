/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: the index tells the order of the mails; each is read whole, judged and, since
 * it lies in a mailbox, confirmed.
 */
#include "flow/replay.h"

#include "base/clock.h"
#include "base/mem.h"
#include "flow/index.h"
#include "flow/tally.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	REPLAY_TICK_MS = 60 * 1000,
	REPLAY_TICKS_MAX = 200,      /* in one gap between two mails: a quiet year is no work */
};

static const uint8_t replay_key[HASH_KEY_BYTES] = "quell replay";

struct player {
	const struct replay_setup *setup;
	struct replay_counts *counts;
	struct facts_setup facts;
	const char *our_hosts[SURVEY_OUR_HOSTS_MAX];
	char guessed[SURVEY_OUR_HOSTS_MAX][SURVEY_HOST_BYTES];
	struct index *index;
	uint32_t *order;
	struct storm *storm;
	struct arena arena;
	struct incident **incidents; /* as last handed out */
	size_t incident_count;
	struct tally pairs;          /* what became of each */
	int64_t ticked_ms;
	bool is_out_of_memory;
};

enum { REPLAY_INCIDENTS_MAX = 1000 };

/* What became of a pair: bits of its counter. */
enum { PAIR_PASSED = 1, PAIR_WITHHELD = 2 };

static void note_pair(struct player *p, const struct rcpt_verdict *v)
{
	uint64_t tag;
	memcpy(&tag, v->pair, sizeof tag);
	*tally_at(&p->pairs, tag | 1) |= v->deed <= DEED_TAG ? PAIR_PASSED : PAIR_WITHHELD;
}

/* Withheld, and no copy passed, before or after: that must not be. */
static uint64_t count_lost(const struct player *p)
{
	uint64_t lost = 0;
	for (size_t i = 0; i < p->pairs.slots; i++)
		lost += p->pairs.counts[i] == PAIR_WITHHELD;
	return lost;
}

static void on_incident(void *ctx, const struct incident *incident, bool is_change)
{
	struct player *p = ctx;
	(void)is_change;
	size_t at = 0;
	while (at < p->incident_count && strcmp(p->incidents[at]->id, incident->id) != 0)
		at++;
	if (at == REPLAY_INCIDENTS_MAX)
		return; /* the counters of replay still tell of it */
	if (at == p->incident_count) {
		p->incidents[at] = mem_alloc(sizeof **p->incidents);
		if (!p->incidents[at])
			return;
		p->incident_count++;
	}
	*p->incidents[at] = *incident;
}

static bool make_storm(struct player *p, struct error *error)
{
	const struct replay_setup *r = p->setup;
	struct storm_setup setup = {
		.policy = r->policy,
		.seed = 1,
		.is_guard = r->is_guard,
		.has_confirmation = r->has_confirmation,
		.relays = r->relays,
		.relay_count = r->relay_count,
		.effects = { .ctx = p, .incident = on_incident },
	};
	memcpy(setup.site_key, replay_key, sizeof replay_key);
	p->storm = storm_new(&setup, error);
	return p->storm != NULL;
}

static void adopt_hosts(struct player *p)
{
	p->facts = p->setup->facts;
	p->facts.site_key = replay_key;
	p->counts->is_guessed = p->facts.our_host_count == 0;
	if (!p->counts->is_guessed)
		return;
	p->facts.our_host_count = index_guess_hosts(p->index, p->guessed, SURVEY_OUR_HOSTS_MAX);
	for (size_t i = 0; i < p->facts.our_host_count; i++)
		p->our_hosts[i] = p->guessed[i];
	p->facts.our_hosts = p->our_hosts;
}

/* A mail without a time came after the one before it in its file. */
static void fill_times(struct index *index)
{
	int64_t before_ms = index->first_ms;
	uint32_t file = UINT32_MAX;
	for (uint32_t i = 0; i < index->mails; i++) {
		struct index_record *r = index_at(index, i);
		if (r->place.file != file)
			before_ms = index->first_ms;
		file = r->place.file;
		if (r->time_ms <= 0)
			r->time_ms = before_ms > 0 ? before_ms : CLOCK_SECOND_MS;
		before_ms = r->time_ms;
	}
}

static int time_order(const void *a, const void *b, void *ctx)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int64_t tx = index_at(ctx, x)->time_ms, ty = index_at(ctx, y)->time_ms;
	if (tx != ty)
		return tx < ty ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void on_bytes(void *ctx, struct slice bytes)
{
	facts_raw(ctx, bytes);
}

/* The engine's clock: ticks between two mails, as the daemon would have had. */
static void advance(struct player *p, int64_t to_ms)
{
	int64_t step_ms = (to_ms - p->ticked_ms) / REPLAY_TICKS_MAX;
	if (step_ms < REPLAY_TICK_MS)
		step_ms = REPLAY_TICK_MS;
	if (p->ticked_ms == 0)
		p->ticked_ms = to_ms;
	while (p->ticked_ms + step_ms <= to_ms) {
		p->ticked_ms += step_ms;
		storm_tick(p->storm, p->ticked_ms);
	}
}

static void tell_decisions(struct player *p, const struct index_record *r, const struct facts *f,
			   const struct verdict *v)
{
	struct replay_counts *c = p->counts;
	uint64_t *const counts[DEED_COUNT] = { &c->passed, &c->tagged, &c->deferred, &c->held, &c->suppressed };
	const struct source *source = p->setup->source;
	for (size_t i = 0; i < v->rcpt_count; i++) {
		++*counts[v->rcpts[i].deed];
		note_pair(p, &v->rcpts[i]);
		if (v->rcpts[i].deed == DEED_PASS || !p->setup->on_decision)
			continue;
		struct replay_decision d = {
			.file = source->file_name(source->ctx, r->place.file),
			.offset = r->place.offset,
			.time_ms = r->time_ms,
			.recipient = f->envelope.rcpts[i],
			.message_id = f->message_id,
			.deed = v->rcpts[i].deed,
			.tier = tier_name(v->tier),
			.rule = v->rule,
			.reason = v->reason,
			.incident = v->incident,
		};
		p->setup->on_decision(p->setup->ctx, &d);
	}
}

static void play(struct player *p, uint32_t number)
{
	const struct source *source = p->setup->source;
	const struct index_record *r = index_at(p->index, number);
	struct verdict verdict;
	char queue_id[24];
	arena_reset(&p->arena);
	struct facts_builder *b = facts_begin(&p->arena, &p->facts);
	struct slice *rcpts = arena_alloc(&p->arena, sizeof *rcpts);
	if (!b || !rcpts) {
		p->is_out_of_memory = true;
		return;
	}
	if (!source->read(source->ctx, 0, &r->place, on_bytes, b)) {
		p->counts->unreadable++;
		return;
	}
	struct envelope envelope = { .queue_id = slice_make(queue_id, 0) };
	envelope.queue_id.len = (size_t)snprintf(queue_id, sizeof queue_id, "R%u", number);
	const struct facts *f = facts_end(b, &envelope, r->time_ms);
	rcpts[0] = index_recipient(source, f, r->place.file);
	facts_address_to(b, rcpts, 1);
	advance(p, r->time_ms);
	storm_judge(p->storm, f, r->time_ms, &p->arena, &verdict);
	tell_decisions(p, r, f, &verdict);
	if (verdict.harshest <= DEED_TAG)
		storm_queued(p->storm, envelope.queue_id, r->time_ms);
}

static int incident_order(const void *a, const void *b)
{
	const struct incident *x = *(struct incident *const *)a, *y = *(struct incident *const *)b;
	if (x->surplus != y->surplus)
		return x->surplus > y->surplus ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void tell_incidents(struct player *p)
{
	for (size_t i = 0; i < p->incident_count; i++) {
		const struct incident *now = storm_incident(p->storm, p->incidents[i]->id);
		if (now) /* with the counters of the very end */
			*p->incidents[i] = *now;
	}
	qsort(p->incidents, p->incident_count, sizeof *p->incidents, incident_order);
	for (size_t i = 0; i < p->incident_count && p->setup->on_incident; i++)
		p->setup->on_incident(p->setup->ctx, p->incidents[i]);
}

static bool play_all(struct player *p, struct error *error)
{
	uint32_t count = (uint32_t)p->index->mails;
	p->order = mem_alloc_array(count + 1u, sizeof *p->order);
	p->incidents = mem_alloc_array(REPLAY_INCIDENTS_MAX, sizeof *p->incidents);
	if (!tally_begin(&p->pairs, count) || !p->order || !p->incidents)
		return error_set(error, EXIT_TRY_AGAIN, "no memory for %u mails", count);
	for (uint32_t i = 0; i < count; i++)
		p->order[i] = i;
	fill_times(p->index);
	qsort_r(p->order, count, sizeof *p->order, time_order, p->index);
	for (uint32_t i = 0; i < count && !p->is_out_of_memory; i++) {
		play(p, p->order[i]);
		if (p->setup->progress)
			p->setup->progress(p->setup->progress_ctx, "replaying", i + 1, count);
	}
	tell_incidents(p);
	p->counts->lost = count_lost(p);
	return !p->is_out_of_memory || error_set(error, EXIT_TRY_AGAIN, "no memory");
}

static void drop_player(struct player *p)
{
	for (size_t i = 0; i < p->incident_count; i++)
		mem_free(p->incidents[i]);
	mem_free(p->incidents);
	mem_free(p->order);
	tally_free(&p->pairs);
	arena_free(&p->arena);
	storm_free(p->storm);
	index_free(p->index);
	mem_free(p);
}

bool replay_run(const struct replay_setup *setup, struct replay_counts *counts_out, struct error *error)
{
	const struct survey_setup look = { .source = setup->source, .facts = setup->facts,
					   .progress = setup->progress, .progress_ctx = setup->progress_ctx };
	struct player *p = mem_alloc(sizeof *p);
	*counts_out = (struct replay_counts){ 0 };
	if (!p)
		return error_set(error, EXIT_TRY_AGAIN, "no memory");
	p->setup = setup;
	p->counts = counts_out;
	arena_init(&p->arena, FACTS_ARENA_BYTES_MAX);
	p->index = index_make(&look, error);
	bool is_fine = p->index && make_storm(p, error);
	if (is_fine) {
		counts_out->messages = p->index->mails;
		counts_out->unparsable = p->index->unparsable;
		counts_out->first_ms = p->index->first_ms;
		counts_out->last_ms = p->index->last_ms;
		adopt_hosts(p);
		is_fine = play_all(p, error);
	}
	drop_player(p);
	return is_fine;
}
