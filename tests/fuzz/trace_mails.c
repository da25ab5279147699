/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the tracer with several mails, a form feed between them, as copies of one
 * content for one or two recipients. The report must keep within its own bounds, say
 * the same twice, and name nobody without an address that somebody wrote down.
 */
#include "trace/returned.h"
#include "trace/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[HASH_KEY_BYTES] = { 1 };
static const char *const hosts[] = { "mx.example.org" };
static const char *const relays[] = { "relay.example.net" };
static const struct facts_setup facts_setup = { .site_key = key, .our_hosts = hosts, .our_host_count = 1 };
static const struct trace_setup setup = { .vouched = { .relays = relays, .relay_count = 1 }, .our_hosts = hosts,
					  .our_host_count = 1 };

static void need(bool is_so)
{
	if (!is_so)
		abort();
}

static void check(const struct trace_incident *t)
{
	const struct incident *inc = &t->incident;
	need(inc->party_count <= INCIDENT_PARTIES_MAX && t->host_count <= TRACE_HOSTS_MAX);
	need(t->edge_count <= TRACE_EDGES_MAX && t->sample_count <= TRACE_SAMPLES_MAX);
	need(t->innocent_count <= TRACE_INNOCENT_MAX && t->cycle_count <= TRACE_CYCLE_MAX);
	for (unsigned i = 0; i < inc->party_count; i++) {
		const struct party *p = &inc->parties[i];
		need(p->role != PARTY_GUILTY || (p->address_count > 0 && p->blame >= 2 && p->confidence >= .9));
		need(memchr(p->host, '\0', sizeof p->host) != NULL);
	}
	for (unsigned i = 0; i < t->edge_count; i++)
		need(t->edges[i].from < t->host_count && t->edges[i].to < t->host_count);
	for (unsigned i = 0; i < t->host_count; i++)
		need(t->hosts[i].party == UINT32_MAX || t->hosts[i].party < inc->party_count);
	for (unsigned i = 0; i < t->cycle_count; i++)
		need(t->cycle[i] < t->host_count);
}

/* Not memcmp: what lies between and behind the members is nobody's business. */
static void check_same(const struct trace_incident *a, const struct trace_incident *b)
{
	need(strcmp(a->incident.id, b->incident.id) == 0 && a->incident.surplus == b->incident.surplus);
	need(a->incident.party_count == b->incident.party_count && a->host_count == b->host_count);
	need(a->edge_count == b->edge_count && a->cycle_count == b->cycle_count);
	for (unsigned i = 0; i < a->incident.party_count; i++) {
		const struct party *p = &a->incident.parties[i], *q = &b->incident.parties[i];
		need(strcmp(p->host, q->host) == 0 && p->role == q->role && p->blame == q->blame);
	}
}

static void one_mail(struct trace *trace, struct slice mail, size_t number, struct trace_incident *room)
{
	struct arena arena;
	struct returned returned;
	struct slice rcpts[1] = { number % 3 ? SLICE("anna@example.org") : SLICE("bob") };
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	struct facts_builder *b = facts_begin(&arena, &facts_setup);
	need(b != NULL);
	facts_raw(b, mail);
	const struct facts *f = facts_end(b, NULL, 0);
	facts_address_to(b, rcpts, 1);
	trace_add(trace, f, rcpts[0], "fuzz");
	if (trace_loop(&setup, f, rcpts[0], "fuzz", room))
		check(room);
	returned_begin(&returned);
	for (size_t at = 0; at < mail.len; at += 61)
		returned_feed(&returned, slice_first(slice_from(mail, at), 61));
	if (returned_loop(&returned, &setup, f, rcpts[0], "fuzz", room))
		check(room);
	arena_free(&arena);
}

static void all_mails(struct trace *trace, struct slice mails, struct trace_incident *room)
{
	struct slice mail;
	trace_reset(trace);
	for (size_t number = 0; slice_next(&mails, '\f', &mail); number++)
		one_mail(trace, mail, number, room);
	trace_end(trace, room);
	check(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trace *trace;
	static struct trace_incident *first, *again;
	if (!trace) {
		trace = trace_new(&setup);
		first = malloc(sizeof *first);
		again = malloc(sizeof *again);
	}
	need(trace && first && again);
	all_mails(trace, slice_make(data, size), first);
	all_mails(trace, slice_make(data, size), again);
	check_same(first, again);
	return 0;
}
