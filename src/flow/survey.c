/* SPDX-License-Identifier: Apache-2.0
 *
 * survey: which mails to read again, which of them are copies of one another, and what
 * the tracer makes of each such group.
 */
#include "flow/survey.h"

#include "base/crew.h"
#include "base/mem.h"
#include "flow/patterns.h"
#include "trace/returned.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHAIN_WORTH_A_LOOK = 2 * (TRACE_RETURNS_MIN + 1) - 1 };

static const uint8_t no_key[HASH_KEY_BYTES]; /* no secret: contents are named as everywhere */

struct survey_worker {
	struct arena arena;
	struct trace *trace;
	struct trace_incident *incident; /* room for one */
	struct returned returned;
};

/* Mails of one content: a range of surveyor.order. */
struct group {
	uint32_t from, count;
};

struct surveyor {
	const struct survey_setup *setup;
	struct facts_setup facts;
	struct trace_setup trace;
	const char *our_hosts[SURVEY_OUR_HOSTS_MAX], *learnt[SURVEY_LEARNT_MAX];
	struct index *index;
	struct survey *survey;
	struct survey_worker *workers;
	uint32_t *order;             /* record numbers */
	uint32_t order_count;
	struct tally tally;          /* of what mails may have in common */
	struct group *groups;
	uint32_t group_count;
	uint64_t done;               /* items, of worker 0 alone: for the progress bar */
	pthread_mutex_t lock;        /* of survey */
};

/* --- which mails to read again ------------------------------------------- */

static bool is_worth_reading(const struct index_record *r)
{
	return r->received >= CHAIN_WORTH_A_LOOK || (r->flags & INDEX_REPORT);
}

/* Leaves in order the mails that share their key with another, and those that are worth
 * it by themselves. */
static void choose(struct surveyor *s)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < s->order_count; i++) {
		uint64_t key = index_at(s->index, i)->content_key;
		if (key)
			++*tally_at(&s->tally, key);
	}
	for (uint32_t i = 0; i < s->order_count; i++) {
		const struct index_record *r = index_at(s->index, i);
		bool has_twin = r->content_key && *tally_at(&s->tally, r->content_key) > 1;
		if (has_twin || is_worth_reading(r))
			s->order[kept++] = i;
	}
	s->order_count = kept;
}

/* --- reading again --------------------------------------------------------- */

struct reading {
	struct facts_builder *builder;
	struct returned *returned;  /* NULL: not wanted */
};

static void on_bytes(void *ctx, struct slice bytes)
{
	struct reading *reading = ctx;
	facts_raw(reading->builder, bytes);
	if (reading->returned)
		returned_feed(reading->returned, bytes);
}

/* The whole mail as facts; NULL when it is no longer there. */
static const struct facts *read_mail(struct surveyor *s, unsigned worker, const struct index_record *r,
				     struct returned *returned)
{
	struct survey_worker *w = &s->workers[worker];
	const struct source *source = s->setup->source;
	arena_reset(&w->arena);
	struct reading reading = { .builder = facts_begin(&w->arena, &s->facts), .returned = returned };
	if (!reading.builder || !source->read(source->ctx, worker, &r->place, on_bytes, &reading))
		return NULL;
	/* The header must be whole before it tells whose mail this is. */
	const struct facts *f = facts_end(reading.builder, NULL, 0);
	struct slice *rcpts = arena_alloc(&w->arena, sizeof *rcpts);
	if (!rcpts)
		return f;
	rcpts[0] = index_recipient(source, f, r->place.file);
	facts_address_to(reading.builder, rcpts, 1);
	return f;
}

static void place_text(const struct surveyor *s, const struct index_record *r, char out[INCIDENT_TEXT_BYTES])
{
	const char *name = s->setup->source->file_name(s->setup->source->ctx, r->place.file);
	size_t len = strlen(name), most = INCIDENT_TEXT_BYTES - 32;
	snprintf(out, INCIDENT_TEXT_BYTES, "%s%s at byte %llu", len > most ? "..." : "",
		 len > most ? name + len - most + 3 : name, (unsigned long long)r->place.offset);
}

/* --- incidents ----------------------------------------------------------------- */

static bool is_worse(const struct trace_incident *a, const struct trace_incident *b)
{
	if (a->incident.surplus != b->incident.surplus)
		return a->incident.surplus > b->incident.surplus;
	return strcmp(a->incident.id, b->incident.id) < 0;
}

/* The same storm told by several mails (a loop's bounces): one incident. */
static bool merge(struct survey *survey, const struct trace_incident *incident)
{
	for (size_t i = 0; i < survey->incident_count; i++) {
		struct trace_incident *there = survey->incidents[i];
		if (strcmp(there->incident.id, incident->incident.id) != 0)
			continue;
		struct incident *into = &there->incident;
		const struct incident *from = &incident->incident;
		into->copies += from->copies;
		into->pairs += from->pairs;
		if (from->first_ms && (into->first_ms == 0 || from->first_ms < into->first_ms))
			into->first_ms = from->first_ms;
		if (from->last_ms > into->last_ms)
			into->last_ms = from->last_ms;
		return true;
	}
	return false;
}

/* Keeps a copy; beyond the ceiling the one with the least surplus gives way. */
static void keep(struct surveyor *s, const struct trace_incident *incident)
{
	struct survey *survey = s->survey;
	pthread_mutex_lock(&s->lock);
	if (!merge(survey, incident)) {
		struct trace_incident *room = NULL;
		if (survey->incident_count < SURVEY_INCIDENTS_MAX)
			room = mem_alloc(sizeof *room);
		if (room)
			survey->incidents[survey->incident_count++] = room;
		else
			survey->incidents_forgotten++;
		for (size_t i = 0; !room && i < survey->incident_count; i++)
			if (is_worse(incident, survey->incidents[i]) &&
			    (!room || is_worse(room, survey->incidents[i])))
				room = survey->incidents[i];
		if (room)
			*room = *incident;
	}
	pthread_mutex_unlock(&s->lock);
}

/* --- first pass: contents, and mails that tell of a loop by themselves ------------- */

static void tell(struct surveyor *s, const char *what, unsigned worker, uint64_t all)
{
	const struct survey_setup *setup = s->setup;
	if (worker != 0 || !setup->progress)
		return;
	uint64_t done = ++s->done * setup->source->worker_count; /* the others are as quick */
	setup->progress(setup->progress_ctx, what, done < all ? done : all, all);
}

static void look_for_loop(struct surveyor *s, struct survey_worker *w, const struct index_record *r,
			  const struct facts *f)
{
	char place[INCIDENT_TEXT_BYTES];
	struct slice recipient = f->envelope.rcpt_count ? f->envelope.rcpts[0] : slice_make(NULL, 0);
	place_text(s, r, place);
	if (trace_loop(&s->trace, f, recipient, place, w->incident))
		keep(s, w->incident);
	else if ((r->flags & INDEX_REPORT) &&
		 returned_loop(&w->returned, &s->trace, f, recipient, place, w->incident))
		keep(s, w->incident);
}

static bool read_again(void *ctx, unsigned worker, size_t item)
{
	struct surveyor *s = ctx;
	struct survey_worker *w = &s->workers[worker];
	struct index_record *r = index_at(s->index, s->order[item]);
	bool is_report = r->flags & INDEX_REPORT;
	if (is_report)
		returned_begin(&w->returned);
	const struct facts *f = read_mail(s, worker, r, is_report ? &w->returned : NULL);
	if (f && f->is_content_whole && r->content_key) {
		memcpy(r->content, f->content_public, sizeof r->content);
		r->flags |= INDEX_READ;
	}
	if (f && is_worth_reading(r))
		look_for_loop(s, w, r, f);
	if (!f)
		__atomic_fetch_add(&s->survey->unreadable, 1, __ATOMIC_RELAXED);
	tell(s, "reading again", worker, s->order_count);
	return true;
}

/* --- second pass: groups of equal content ------------------------------------------- */

static int content_order(const void *a, const void *b, void *ctx)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct index_record *p = index_at(ctx, x), *q = index_at(ctx, y);
	int order = memcmp(p->content, q->content, sizeof p->content);
	if (order != 0)
		return order;
	if (p->time_ms != q->time_ms)
		return p->time_ms < q->time_ms ? -1 : 1;
	return x < y ? -1 : x > y;
}

static bool is_same_content(const struct surveyor *s, uint32_t i, uint32_t k)
{
	return memcmp(index_at(s->index, s->order[i])->content, index_at(s->index, s->order[k])->content,
		      DIGEST_SHORT_BYTES) == 0;
}

static void find_groups(struct surveyor *s)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < s->order_count; i++)
		if (index_at(s->index, s->order[i])->flags & INDEX_READ)
			s->order[kept++] = s->order[i];
	s->order_count = kept;
	qsort_r(s->order, kept, sizeof *s->order, content_order, s->index);
	for (uint32_t i = 0, end; i < kept; i = end) {
		for (end = i + 1; end < kept && is_same_content(s, i, end); end++)
			;
		if (end - i > 1)
			s->groups[s->group_count++] = (struct group){ i, end - i };
	}
}

static bool trace_group(void *ctx, unsigned worker, size_t item)
{
	struct surveyor *s = ctx;
	struct survey_worker *w = &s->workers[worker];
	const struct group *group = &s->groups[item];
	char place[INCIDENT_TEXT_BYTES];
	trace_reset(w->trace);
	for (uint32_t i = 0; i < group->count; i++) {
		const struct index_record *r = index_at(s->index, s->order[group->from + i]);
		const struct facts *f = read_mail(s, worker, r, NULL);
		if (!f || f->envelope.rcpt_count == 0)
			continue;
		place_text(s, r, place);
		trace_add(w->trace, f, f->envelope.rcpts[0], place);
	}
	if (trace_end(w->trace, w->incident))
		keep(s, w->incident);
	else
		__atomic_fetch_add(&s->survey->ordinary_copies, trace_copies(w->trace) ? trace_copies(w->trace) - 1 : 0,
				   __ATOMIC_RELAXED);
	tell(s, "tracing", worker, s->group_count);
	return true;
}

/* --- storms of many contents --------------------------------------------------------- */

static void pattern_words(const struct pattern *p, struct incident *inc)
{
	unsigned long long worst = p->worst_count;
	if (p->cls == STORM_REPLY_ALL)
		snprintf(inc->opener, sizeof inc->opener,
			 "%u people answered to everybody within half an hour (%llu mails)", p->authors, worst);
	else if (p->cls == STORM_PING_PONG)
		snprintf(inc->opener, sizeof inc->opener,
			 "two addresses answered each other %u times within an hour, a machine on one side at least",
			 p->alternations);
	else if (p->authors > 0)
		snprintf(inc->opener, sizeof inc->opener,
			 "automatic answers of %u senders to one address within a minute", p->authors);
	else
		snprintf(inc->opener, sizeof inc->opener, "%llu bounces within an hour to one address", worst);
}

static void pattern_name(const struct pattern *p, const struct facts *f, struct incident *inc)
{
	char a[INCIDENT_TEXT_BYTES], b[INCIDENT_TEXT_BYTES] = "";
	const struct address *to = f->audience_count ? &f->audience[0] : &f->from;
	snprintf(a, sizeof a, "%.*s@%.*s", SLICE_ARG(slice_first(to->local, 60)),
		 SLICE_ARG(slice_first(to->domain, 60)));
	if (p->cls == STORM_PING_PONG)
		snprintf(b, sizeof b, "%.*s@%.*s", SLICE_ARG(slice_first(f->from.local, 60)),
			 SLICE_ARG(slice_first(f->from.domain, 60)));
	bool is_swapped = b[0] && strcmp(a, b) > 0;
	struct slice first = slice_from_str(is_swapped ? b : a), second = slice_from_str(is_swapped ? a : b);
	if (p->cls == STORM_REPLY_ALL)
		first = f->thread_root;
	incident_topic(p->cls, first, second, inc->content_public);
	incident_id(p->cls, inc->content_public, inc->id);
}

/* Copies over time in TRACE_BINS equal parts. */
static void pattern_bins(const struct surveyor *s, const struct pattern *p, struct trace_incident *out)
{
	const struct incident *inc = &out->incident;
	out->bins_from_ms = inc->first_ms;
	out->bin_ms = (inc->last_ms - inc->first_ms) / TRACE_BINS + 1;
	for (uint32_t i = 0; i < p->count; i++) {
		int64_t since_ms = index_at(s->index, p->order[i])->time_ms - inc->first_ms;
		out->bins[since_ms / out->bin_ms].copies++;
	}
}

static void on_pattern(void *ctx, const struct pattern *p)
{
	struct surveyor *s = ctx;
	struct trace_incident *out = s->workers[0].incident;
	const struct index_record *first = index_at(s->index, p->order[0]);
	const struct facts *f = read_mail(s, 0, first, NULL);
	if (!f)
		return;
	*out = (struct trace_incident){ .worst_pair = p->worst_count };
	struct incident *inc = &out->incident;
	incident_describe(inc, f);
	inc->cls = p->cls;
	inc->copies = inc->pairs = p->count;
	inc->recipients = p->cls == STORM_REPLY_ALL ? first->audience : p->cls == STORM_PING_PONG ? 2 : 1;
	inc->first_ms = first->time_ms;
	inc->last_ms = index_at(s->index, p->order[p->count - 1])->time_ms;
	pattern_words(p, inc);
	pattern_name(p, f, inc);
	pattern_bins(s, p, out);
	keep(s, out);
}

/* --- the whole ---------------------------------------------------------------------- */

static void adopt_hosts(struct surveyor *s)
{
	struct survey *survey = s->survey;
	const struct facts_setup *given = &s->setup->facts;
	survey->is_guessed = given->our_host_count == 0;
	if (survey->is_guessed)
		survey->our_host_count = index_guess_hosts(s->index, survey->our_hosts, SURVEY_OUR_HOSTS_MAX);
	for (size_t i = 0; i < given->our_host_count && i < SURVEY_OUR_HOSTS_MAX; i++)
		snprintf(survey->our_hosts[survey->our_host_count++], SURVEY_HOST_BYTES, "%s",
			 given->our_hosts[i]);
	for (unsigned i = 0; i < survey->our_host_count; i++)
		s->our_hosts[i] = survey->our_hosts[i];
	s->facts = *given;
	s->facts.site_key = no_key;
	if (survey->is_guessed) {
		s->facts.our_hosts = s->our_hosts;
		s->facts.our_host_count = survey->our_host_count;
	}
	survey->learnt_count = index_learn_relays(s->index, survey->learnt, SURVEY_LEARNT_MAX);
	for (unsigned i = 0; i < survey->learnt_count; i++)
		s->learnt[i] = survey->learnt[i];
	s->trace = (struct trace_setup){ .vouched = { s->setup->relays, s->setup->relay_count, s->learnt,
						      survey->learnt_count },
					 .our_hosts = s->facts.our_hosts,
					 .our_host_count = s->facts.our_host_count };
}

static bool make_room(struct surveyor *s, struct error *error)
{
	unsigned workers = s->setup->source->worker_count;
	bool is_fine = true;
	s->order_count = (uint32_t)s->index->mails;
	s->order = mem_alloc_array(s->order_count + 1u, sizeof *s->order);
	s->workers = mem_alloc_array(workers, sizeof *s->workers);
	s->survey->incidents = mem_alloc_array(SURVEY_INCIDENTS_MAX, sizeof *s->survey->incidents);
	for (unsigned i = 0; s->workers && i < workers; i++) {
		struct survey_worker *w = &s->workers[i];
		arena_init(&w->arena, FACTS_ARENA_BYTES_MAX);
		w->trace = trace_new(&s->trace);
		w->incident = mem_alloc(sizeof *w->incident);
		is_fine &= w->trace && w->incident;
	}
	is_fine = tally_begin(&s->tally, s->order_count) && is_fine;
	if (!is_fine || !s->order || !s->workers || !s->survey->incidents)
		return error_set(error, EXIT_TRY_AGAIN, "no memory for %u mails", s->order_count);
	return true;
}

static void give_room_back(struct surveyor *s)
{
	for (unsigned i = 0; s->workers && i < s->setup->source->worker_count; i++) {
		arena_free(&s->workers[i].arena);
		trace_free(s->workers[i].trace);
		mem_free(s->workers[i].incident);
	}
	mem_free(s->workers);
	mem_free(s->groups);
	mem_free(s->order);
	tally_free(&s->tally);
	index_free(s->index);
	pthread_mutex_destroy(&s->lock);
}

static int incident_order(const void *a, const void *b)
{
	const struct trace_incident *x = *(struct trace_incident *const *)a;
	const struct trace_incident *y = *(struct trace_incident *const *)b;
	return is_worse(x, y) ? -1 : is_worse(y, x);
}

static bool has_flood_of(const struct survey *survey, const struct incident *loop)
{
	for (size_t i = 0; i < survey->incident_count; i++) {
		const struct incident *inc = &survey->incidents[i]->incident;
		if (inc->cls == STORM_DUPLICATE &&
		    memcmp(inc->content_public, loop->content_public, DIGEST_BYTES) == 0)
			return true;
	}
	return false;
}

/* In a flood of copies that keep their chain the chains go in circles too: one storm. */
static void drop_loops_of_floods(struct survey *survey)
{
	bool is_told[SURVEY_INCIDENTS_MAX] = { false };
	size_t kept = 0;
	for (size_t i = 0; i < survey->incident_count; i++) {
		const struct incident *inc = &survey->incidents[i]->incident;
		is_told[i] = inc->cls == STORM_LOOP && has_flood_of(survey, inc);
	}
	for (size_t i = 0; i < survey->incident_count; i++) {
		if (is_told[i])
			mem_free(survey->incidents[i]);
		else
			survey->incidents[kept++] = survey->incidents[i];
	}
	survey->incident_count = kept;
}

static bool survey_work(struct surveyor *s, struct error *error)
{
	unsigned workers = s->setup->source->worker_count;
	struct survey *survey = s->survey;
	survey->messages = s->index->mails;
	survey->unparsable = s->index->unparsable;
	survey->bytes = s->index->bytes;
	survey->first_ms = s->index->first_ms;
	survey->last_ms = s->index->last_ms;
	adopt_hosts(s);
	if (!make_room(s, error))
		return false;
	choose(s);
	survey->read_again = s->order_count;
	crew_run(workers, s->order_count, read_again, s);
	s->groups = mem_alloc_array(s->order_count / 2 + 1u, sizeof *s->groups);
	if (!s->groups)
		return error_set(error, EXIT_TRY_AGAIN, "no memory for the groups of copies");
	find_groups(s);
	s->done = 0;
	crew_run(workers, s->group_count, trace_group, s);
	drop_loops_of_floods(survey);
	patterns_find(s->index, s->order, &s->tally, on_pattern, s);
	qsort(survey->incidents, survey->incident_count, sizeof *survey->incidents, incident_order);
	return true;
}

struct survey *survey_run(const struct survey_setup *setup, struct error *error)
{
	struct surveyor s = { .setup = setup, .lock = PTHREAD_MUTEX_INITIALIZER };
	s.index = index_make(setup, error);
	if (!s.index)
		return NULL;
	s.survey = mem_alloc(sizeof *s.survey);
	if (!s.survey)
		error_set(error, EXIT_TRY_AGAIN, "no memory");
	if (s.survey && !survey_work(&s, error)) {
		survey_free(s.survey);
		s.survey = NULL;
	}
	give_room_back(&s);
	return s.survey;
}

void survey_free(struct survey *survey)
{
	if (!survey)
		return;
	for (size_t i = 0; i < survey->incident_count; i++)
		mem_free(survey->incidents[i]);
	mem_free(survey->incidents);
	mem_free(survey);
}
