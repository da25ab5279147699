/* SPDX-License-Identifier: Apache-2.0
 *
 * graph: which host gave mail to which, for people to look at. A host is one that
 * wrote a line, or one that a line says handed the mail over; when names tell that
 * both are the same server they are one. Only a picture: nobody is blamed from it.
 */
#include "trace/inner.h"

#include <stdio.h>

enum { HOST_MORE = TRACE_HOSTS_MAX - 1 }; /* the place for all that have no room */

static unsigned host_new(struct trace *trace, uint64_t key, struct slice name, unsigned layer)
{
	if (trace->host_count == HOST_MORE) {
		struct trace_host *more = &trace->hosts[HOST_MORE];
		*more = (struct trace_host){ .role = TRACE_MORE, .party = UINT_MAX, .layer = layer };
		snprintf(more->name, sizeof more->name, "other hosts");
		trace->host_count++;
	}
	if (trace->host_count > HOST_MORE)
		return HOST_MORE;
	unsigned at = trace->host_count++;
	trace->hosts[at] = (struct trace_host){ .party = UINT_MAX, .layer = layer };
	trace->host_keys[at] = key;
	party_copy_name(trace->hosts[at].name, name);
	return at;
}

static unsigned host_by_name(struct trace *trace, struct slice name, unsigned layer)
{
	uint64_t key = hash_mix_nocase(0, name);
	for (unsigned i = 0; i < trace->host_count; i++)
		if (trace->host_keys[i] == key)
			return i;
	return host_new(trace, key, name, layer);
}

/* The host that handed over: by its address, else by its name. */
static unsigned host_of_sender(struct trace *trace, const struct link *link, unsigned layer)
{
	struct emitter *e = emitter_at(trace, link->emitter);
	if (e && e->host != UINT_MAX)
		return e->host;
	struct slice name = link->from;
	if (e && (name.len == 0 || !link->is_from_attested))
		name = slice_from_str(e->party.host);
	if (name.len == 0)
		return UINT_MAX;
	unsigned at = host_by_name(trace, name, layer);
	if (e)
		e->host = at;
	if (!e && !link->is_from_attested)
		trace->hosts[at].is_claim = true;
	return at;
}

static unsigned edge_get(struct trace *trace, unsigned from, unsigned to)
{
	for (unsigned i = 0; i < trace->edge_count; i++)
		if (trace->edges[i].from == from && trace->edges[i].to == to)
			return i;
	if (trace->edge_count == TRACE_EDGES_MAX) {
		trace->is_cut = true;
		return UINT_MAX;
	}
	trace->edges[trace->edge_count] = (struct trace_edge){ .from = from, .to = to };
	return trace->edge_count++;
}

static void edge_count(struct trace *trace, unsigned from, unsigned to, bool is_new, bool is_surplus)
{
	if (from == to || from == UINT_MAX || to == UINT_MAX)
		return;
	unsigned at = edge_get(trace, from, to);
	if (at == UINT_MAX || !is_new)
		return;
	trace->edges[at].passages++;
	trace->edges[at].surplus += is_surplus;
}

static void host_touch(struct trace *trace, unsigned at, int64_t when_ms, bool is_new)
{
	if (at == UINT_MAX)
		return;
	struct trace_host *host = &trace->hosts[at];
	host->passages += is_new;
	if (when_ms > 0 && (host->first_ms == 0 || when_ms < host->first_ms))
		host->first_ms = when_ms;
}

static unsigned layer_after(const struct trace *trace, unsigned host)
{
	return host == UINT_MAX ? 0 : trace->hosts[host].layer + 1;
}

/* Does this link's sender have a line of its own just below? Then that writer is it. */
static void sender_is_writer(struct trace *trace, const struct link *link, unsigned writer)
{
	struct emitter *e = emitter_at(trace, link->emitter);
	if (e && e->host == UINT_MAX)
		e->host = writer;
	if (writer != UINT_MAX && link->is_from_attested && trace->hosts[writer].is_claim)
		trace->hosts[writer].is_claim = false;
}

/* A first copy begins here. */
static void host_began(struct trace *trace, unsigned at)
{
	if (at != UINT_MAX && trace->hosts[at].role == TRACE_RELAY)
		trace->hosts[at].role = TRACE_AUTHOR;
}

void graph_add(struct trace *trace, const struct chain *chain, bool is_surplus)
{
	unsigned previous = UINT_MAX;
	for (size_t i = 0; i < chain->count; i++) {
		const struct link *link = &chain->links[i];
		bool is_new = set_add(trace->passages, PASSAGES_MAX, &trace->passage_count, link->key,
				      &trace->is_cut);
		unsigned sender = previous;
		if (link->has_from && previous != UINT_MAX && link->is_joined)
			sender_is_writer(trace, link, previous);
		else if (link->has_from)
			sender = host_of_sender(trace, link, layer_after(trace, previous));
		edge_count(trace, previous, sender, is_new, is_surplus);
		if (sender != previous)
			host_touch(trace, sender, link->time_ms, is_new);
		unsigned writer = link->by.len > 0
			? host_by_name(trace, link->by, layer_after(trace, sender)) : sender;
		if (!link->has_from)
			sender_is_writer(trace, link, writer);
		edge_count(trace, sender, writer, is_new, is_surplus);
		host_touch(trace, writer, link->time_ms, is_new);
		if (i == 0 && !is_surplus)
			host_began(trace, sender != UINT_MAX ? sender : writer);
		if (writer != UINT_MAX && i + 1 == chain->count)
			trace->hosts[writer].role = TRACE_OURS;
		previous = writer;
	}
}

static void graph_roles(const struct trace *trace, const struct trace_incident *out, struct trace_host *hosts)
{
	static const enum trace_role roles[] = {
		[PARTY_ENTRY] = TRACE_ENTRY, [PARTY_SUSPECT] = TRACE_SUSPECT,
		[PARTY_GUILTY] = TRACE_GUILTY, [PARTY_FORWARDER] = TRACE_FORWARDER,
	};
	for (unsigned i = 0; i < out->incident.party_count; i++) {
		const struct party *p = &out->incident.parties[i];
		uint8_t at = emitter_by_ip(trace, p->addresses[0]);
		if (at == EMITTER_NONE || trace->emitters[at].host == UINT_MAX)
			continue;
		struct trace_host *host = &hosts[trace->emitters[at].host];
		if (host->role == TRACE_OURS)
			continue;
		host->role = roles[p->role];
		host->party = i;
		host->is_claim = false;
		memcpy(host->name, p->host, sizeof host->name);
	}
}

/* Our mailboxes stand at the far end, whatever way the first copy took. */
static void graph_layers(struct trace_incident *out)
{
	unsigned last = 0;
	for (unsigned i = 0; i < out->host_count; i++)
		if (out->hosts[i].role != TRACE_OURS && out->hosts[i].layer > last)
			last = out->hosts[i].layer;
	for (unsigned i = 0; i < out->host_count; i++)
		if (out->hosts[i].role == TRACE_OURS)
			out->hosts[i].layer = last + 1;
	for (unsigned i = 0; i < out->edge_count; i++) {
		struct trace_edge *edge = &out->edges[i];
		const struct trace_host *from = &out->hosts[edge->from];
		edge->is_back = out->hosts[edge->to].layer <= from->layer;
		if (from->role == TRACE_GUILTY && from->party != UINT_MAX)
			edge->amplification = out->parties[from->party].amplification;
	}
}

void graph_finish(struct trace *trace, struct trace_incident *out)
{
	out->host_count = trace->host_count;
	memcpy(out->hosts, trace->hosts, sizeof out->hosts);
	out->edge_count = trace->edge_count;
	memcpy(out->edges, trace->edges, sizeof out->edges);
	graph_roles(trace, out, out->hosts);
	graph_layers(out);
}
