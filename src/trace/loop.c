/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: one mail that went round, told from its own chain.
 *
 * Ordinary mail has the same host several times: content filters, lists, relays in a
 * pair (4 visits at most in 41,648 mails; 65 % have some host twice). So only visits
 * with others in between count, and six of them; lines that name this very machine
 * (localhost) are no visits. The ring is what lies between two visits of the host that
 * comes most often.
 */
#include "trace/inner.h"


#include <stdio.h>

enum { LOOP_HOSTS_MAX = FACTS_HOPS_MAX };

struct loop_host {
	struct slice name;
	unsigned visits;
	size_t hop;           /* its topmost line */
};

struct loop {
	const struct facts *facts;
	struct loop_host hosts[LOOP_HOSTS_MAX];
	size_t host_count;
	size_t way[FACTS_HOPS_MAX]; /* hosts in the order of the visits, first to last */
	size_t way_len;
	size_t turning;       /* the host with the most visits */
};

static bool is_this_machine(struct slice name)
{
	struct ip ip;
	return name.len == 0 || slice_starts_nocase(name, SLICE("localhost")) ||
	       (ip_parse(name, &ip) && ip_is_loopback(ip));
}

static size_t loop_host_get(struct loop *loop, struct slice name)
{
	for (size_t i = 0; i < loop->host_count; i++)
		if (slice_equal_nocase(loop->hosts[i].name, name))
			return i;
	loop->hosts[loop->host_count] = (struct loop_host){ .name = name };
	return loop->host_count++;
}

static void loop_read(struct loop *loop, const struct facts *facts)
{
	*loop = (struct loop){ .facts = facts };
	for (size_t k = facts->hop_count; k > 0; k--) {
		struct slice by = facts->hops[k - 1].by;
		if (is_this_machine(by))
			continue;
		size_t at = loop_host_get(loop, by);
		loop->hosts[at].hop = k - 1;
		if (loop->way_len > 0 && loop->way[loop->way_len - 1] == at)
			continue;
		loop->hosts[at].visits++;
		loop->way[loop->way_len++] = at;
		if (loop->hosts[at].visits > loop->hosts[loop->turning].visits)
			loop->turning = at;
	}
}

/* The ring between the last two visits of the turning host; its length. */
static size_t loop_ring(const struct loop *loop, size_t ring[TRACE_CYCLE_MAX])
{
	size_t end = loop->way_len, count = 0;
	while (end > 0 && loop->way[end - 1] != loop->turning)
		end--;
	for (size_t i = end; i > 0 && count < TRACE_CYCLE_MAX; i--) {
		size_t host = loop->way[i - 1];
		if (count > 0 && host == loop->turning)
			break;
		bool is_new = true;
		for (size_t r = 0; r < count; r++)
			is_new &= ring[r] != host;
		if (is_new)
			ring[count++] = host;
	}
	for (size_t i = 0; i < count / 2; i++) { /* walked back; tell it in the mail's order */
		size_t swap = ring[i];
		ring[i] = ring[count - 1 - i];
		ring[count - 1 - i] = swap;
	}
	return count;
}

/* Who wrote line k, as the line above saw it: only when names agree that it was so. */
static const struct culprit_step *writer_of(const struct culprit_step *steps, size_t first, size_t k)
{
	if (k < first || !steps[k - first].is_joined || !culprit_is_believed(&steps[k - first].from))
		return NULL;
	return &steps[k - first];
}

/* Being in the ring is no guilt: most often a relay only follows the route that another
 * gave it. Guilty is who fetches the mail and sends it again. */
static void ring_party(const struct loop *loop, size_t host, const struct culprit_step *step, bool is_ours,
		       struct party *p)
{
	const struct handover *writer = step ? &step->from : NULL;
	const struct loop_host *h = &loop->hosts[host];
	struct party_track t = { .is_reinjector = true };
	*p = (struct party){ .role = PARTY_SUSPECT };
	party_copy_name(p->host, h->name);
	p->copies = p->surplus = h->visits;
	p->blame = h->visits > 1 ? h->visits - 1 : 1;
	party_add_evidence(p, &t, 1 << 8, "the mail came to it %u times, with other servers in between", h->visits);
	for (unsigned i = 0; writer && i < h->visits; i++)
		party_note_witness(&t, 1, writer->trust);
	if (writer) {
		char ip[IP_TEXT_BYTES];
		party_add_address(p, writer->ip);
		party_add_evidence(p, &t, 1 << 9, "%s saw it come from %s",
				   writer->written_by.len ? "the next server" : "our server", ip_text(writer->ip, ip));
	}
	if (is_ours)
		party_add_evidence(p, &t, 1 << 10, "it is one of our own servers");
	p->confidence = writer ? party_confidence(&t) : 0;
	if (!is_ours && step && step->kind == CULPRIT_FETCH && party_is_guilty(p, &t))
		p->role = PARTY_GUILTY;
}

static void loop_parties(const struct trace_setup *setup, const struct loop *loop, const size_t *ring,
			 size_t ring_len, struct trace_incident *out)
{
	struct culprit_step steps[CULPRIT_STEPS_MAX];
	size_t first;
	culprit_walk(loop->facts, &setup->vouched, steps, &first);
	for (size_t i = 0; i < ring_len; i++) {
		const struct loop_host *h = &loop->hosts[ring[i]];
		bool is_ours = host_is_ours(setup, h->name);
		ring_party(loop, ring[i], is_ours ? NULL : writer_of(steps, first, h->hop), is_ours,
			   &out->incident.parties[out->incident.party_count++]);
	}
}

static unsigned picture_host(struct trace_incident *out, const struct loop *loop, size_t host)
{
	char name[INCIDENT_TEXT_BYTES];
	party_copy_name(name, loop->hosts[host].name);
	for (unsigned i = 0; i < out->host_count; i++)
		if (strcmp(out->hosts[i].name, name) == 0)
			return i;
	if (out->host_count == TRACE_HOSTS_MAX)
		return TRACE_HOSTS_MAX - 1;
	struct trace_host *h = &out->hosts[out->host_count];
	*h = (struct trace_host){ .party = UINT_MAX, .layer = out->host_count,
				  .passages = loop->hosts[host].visits,
				  .first_ms = loop->facts->hops[loop->hosts[host].hop].time_ms };
	memcpy(h->name, name, sizeof name);
	for (unsigned i = 0; i < out->incident.party_count; i++)
		if (strcmp(out->incident.parties[i].host, name) == 0) {
			h->party = i;
			h->role = out->incident.parties[i].role == PARTY_GUILTY ? TRACE_GUILTY : TRACE_SUSPECT;
		}
	return out->host_count++;
}

static void picture_edge(struct trace_incident *out, unsigned from, unsigned to)
{
	for (unsigned i = 0; i < out->edge_count; i++)
		if (out->edges[i].from == from && out->edges[i].to == to) {
			out->edges[i].passages++;
			out->edges[i].surplus++;
			return;
		}
	if (out->edge_count == TRACE_EDGES_MAX)
		return;
	out->edges[out->edge_count++] = (struct trace_edge){ .from = from, .to = to, .passages = 1,
		.is_back = out->hosts[to].layer <= out->hosts[from].layer };
}

static void loop_picture(const struct trace_setup *setup, const struct loop *loop, struct trace_incident *out)
{
	unsigned last = UINT_MAX;
	for (size_t i = 0; i < loop->way_len; i++) {
		unsigned host = picture_host(out, loop, loop->way[i]);
		if (last != UINT_MAX)
			picture_edge(out, last, host);
		last = host;
	}
	if (last != UINT_MAX && host_is_ours(setup, loop->hosts[loop->way[loop->way_len - 1]].name))
		out->hosts[last].role = TRACE_OURS;
}

static void loop_head(const struct loop *loop, struct trace_incident *out)
{
	const struct facts *f = loop->facts;
	struct incident *inc = &out->incident;
	incident_describe(inc, f);
	inc->cls = STORM_LOOP;
	memcpy(inc->content_public, f->content_public, DIGEST_BYTES);
	incident_id(STORM_LOOP, f->content_public, inc->id);
	inc->copies = inc->pairs = 1;
	inc->recipients = 1;
	inc->surplus = loop->hosts[loop->turning].visits - 1;
	inc->first_ms = f->hop_count > 0 ? f->hops[f->hop_count - 1].time_ms : 0;
	inc->last_ms = f->time_ms;
	if (inc->first_ms == 0 || inc->first_ms > inc->last_ms)
		inc->first_ms = inc->last_ms;
	snprintf(inc->opener, sizeof inc->opener, "one mail came to the same server %u times, by %u Received lines",
		 loop->hosts[loop->turning].visits, (unsigned)f->hop_total);
}

bool trace_loop(const struct trace_setup *setup, const struct facts *facts, struct slice recipient,
		const char *place, struct trace_incident *out)
{
	struct loop loop;
	size_t ring[TRACE_CYCLE_MAX];
	loop_read(&loop, facts);
	if (loop.host_count < 2 || loop.hosts[loop.turning].visits <= TRACE_RETURNS_MIN)
		return false;
	*out = (struct trace_incident){ .worst_pair = 1 };
	loop_head(&loop, out);
	size_t ring_len = loop_ring(&loop, ring);
	loop_parties(setup, &loop, ring, ring_len, out);
	loop_picture(setup, &loop, out);
	for (size_t i = 0; i < ring_len; i++)
		out->cycle[out->cycle_count++] = picture_host(out, &loop, ring[i]);
	sample_fill(&out->samples[out->sample_count++], facts, recipient, place);
	out->samples[0].party = UINT_MAX;
	if (out->incident.from[0])
		innocent_add(out, out->incident.from, "the author: the mail was sent once");
	return true;
}
