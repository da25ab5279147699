/* SPDX-License-Identifier: Apache-2.0
 *
 * inquest: from copies to facts to the tracer's answer.
 */
#include "inquest.h"

#include "base/mem.h"

#include <strings.h>

enum { ARENA_BYTES_MAX = 512 * 1024 * 1024 };

static const uint8_t site_key[HASH_KEY_BYTES] = { 7 };

void inquest_begin(struct inquest *q, const char *const our_hosts[INQUEST_OURS_MAX])
{
	*q = (struct inquest){ .count = 0 };
	assert_true(hash_start());
	arena_init(&q->arena, ARENA_BYTES_MAX);
	buf_init(&q->text, POST_TEXT_BYTES_MAX);
	q->setup = (struct facts_setup){ .site_key = site_key, .our_hosts = q->our_hosts };
	while (q->setup.our_host_count < INQUEST_OURS_MAX && our_hosts[q->setup.our_host_count]) {
		q->our_hosts[q->setup.our_host_count] = our_hosts[q->setup.our_host_count];
		q->setup.our_host_count++;
	}
}

void inquest_end(struct inquest *q)
{
	arena_free(&q->arena);
	buf_free(&q->text);
	mem_free(q->facts);
	mem_free(q->recipients);
	for (unsigned i = 0; i < q->tracer_count; i++)
		trace_free(q->tracers[i]);
	q->count = 0;
}

static struct trace_setup setup_with(const struct inquest *q, const char *const *relay)
{
	return (struct trace_setup){ .vouched = { .relays = relay, .relay_count = *relay != NULL },
				     .our_hosts = q->our_hosts, .our_host_count = q->setup.our_host_count };
}

void inquest_hire(struct inquest *q, const char *relay, const unsigned points[INQUEST_TRACERS_MAX])
{
	q->relay = relay;
	q->trace_setup = setup_with(q, &q->relay);
	for (unsigned i = 0; i < INQUEST_TRACERS_MAX && points[i] > 0; i++) {
		q->points[i] = points[i];
		q->tracers[i] = trace_new(&q->trace_setup);
		assert_non_null(q->tracers[i]);
		q->tracer_count++;
	}
}

void inquest_learn(struct inquest *q)
{
	struct vouched *vouched = &q->trace_setup.vouched;
	*vouched = (struct vouched){ .learnt = vouched->relays, .learnt_count = vouched->relay_count };
}

void inquest_again(struct inquest *q)
{
	arena_reset(&q->arena);
	q->count = 0;
	for (unsigned i = 0; i < q->tracer_count; i++)
		trace_reset(q->tracers[i]);
}

bool inquest_answer(struct inquest *q, unsigned i, struct trace_incident *out)
{
	return trace_end(q->tracers[i], out);
}

static void make_room(struct inquest *q)
{
	if (q->count < q->cap)
		return;
	q->cap = q->cap ? 2 * q->cap : 128;
	q->facts = mem_resize(q->facts, q->cap * sizeof *q->facts);
	q->recipients = mem_resize(q->recipients, q->cap * sizeof *q->recipients);
	assert_non_null(q->facts);
	assert_non_null(q->recipients);
}

static void tell(struct trace *trace, const struct inquest *q, unsigned copy)
{
	char place[64];
	snprintf(place, sizeof place, "copies:%u", copy);
	trace_add(trace, q->facts[copy], q->recipients[copy], place);
}

void inquest_read_text(struct inquest *q, struct slice mail, const char *recipient, int64_t time_ms)
{
	make_room(q);
	struct slice *rcpt = arena_alloc(&q->arena, sizeof *rcpt);
	assert_non_null(rcpt);
	*rcpt = arena_copy(&q->arena, slice_from_str(recipient));
	struct envelope envelope = { .rcpts = rcpt, .rcpt_count = 1 };
	struct facts_builder *b = facts_begin(&q->arena, &q->setup);
	assert_non_null(b);
	facts_raw(b, arena_copy(&q->arena, mail));
	const struct facts *facts = facts_end(b, &envelope, time_ms);
	assert_false(q->arena.is_over);
	q->facts[q->count] = facts;
	q->recipients[q->count++] = *rcpt;
	for (unsigned i = 0; i < q->tracer_count; i++)
		if (q->count <= q->points[i])
			tell(q->tracers[i], q, q->count - 1);
	if (q->tracer_count > 0)
		arena_reset(&q->arena);
}

void inquest_read(struct inquest *q, const struct post *p, const struct post_copy *copies, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		assert_true(post_text(p, &copies[i].parcel, copies[i].recipient, &q->text));
		inquest_read_text(q, buf_slice(&q->text), copies[i].recipient, copies[i].time_ms);
	}
}

bool inquest_ask(const struct inquest *q, const char *relay, struct trace_incident *out)
{
	struct trace_setup setup = setup_with(q, &relay);
	struct trace *trace = trace_new(&setup);
	assert_non_null(trace);
	for (unsigned i = 0; i < q->count; i++)
		tell(trace, q, i);
	bool is_storm = trace_end(trace, out);
	trace_free(trace);
	return is_storm;
}

static bool has_address(const struct party *p, const char *ip)
{
	char text[IP_TEXT_BYTES];
	for (unsigned i = 0; i < p->address_count; i++)
		if (strcmp(ip_text(p->addresses[i], text), ip) == 0)
			return true;
	return false;
}

const struct party *inquest_party(const struct trace_incident *t, const char *ip)
{
	for (unsigned i = 0; i < t->incident.party_count; i++)
		if (has_address(&t->incident.parties[i], ip))
			return &t->incident.parties[i];
	return NULL;
}

unsigned inquest_count(const struct trace_incident *t, enum party_role role)
{
	unsigned count = 0;
	for (unsigned i = 0; i < t->incident.party_count; i++)
		count += t->incident.parties[i].role == role;
	return count;
}

const struct trace_host *inquest_host(const struct trace_incident *t, const char *name)
{
	for (unsigned i = 0; i < t->host_count; i++)
		if (strcasecmp(t->hosts[i].name, name) == 0)
			return &t->hosts[i];
	return NULL;
}

bool inquest_has_claim(const struct party *p, const char *text)
{
	for (unsigned i = 0; i < p->claim_count; i++)
		if (strstr(p->claims[i], text))
			return true;
	return false;
}

void inquest_print(const struct trace_incident *t)
{
	static const char *const roles[] = { "entry", "suspect", "guilty", "forwarder" };
	for (unsigned i = 0; i < t->incident.party_count; i++) {
		const struct party *p = &t->incident.parties[i];
		char ip[IP_TEXT_BYTES] = "no address";
		if (p->address_count > 0)
			ip_text(p->addresses[0], ip);
		printf("# %-9s %s [%s] (%u addresses) domain %s, blame %u, confidence %.3f, intake %u, "
		       "offspring %u, fan %u\n", roles[p->role], p->host, ip, p->address_count, p->domain,
		       p->blame, p->confidence, t->parties[i].intake, t->parties[i].offspring,
		       t->parties[i].fan);
		for (unsigned c = 0; c < p->claim_count; c++)
			printf("#           claim: %s\n", p->claims[c]);
	}
}
