/* SPDX-License-Identifier: Apache-2.0
 *
 * ring: the shortest way from a server back to itself. First among those that send
 * again, each what the one before had sent; else among all hosts of the picture.
 */
#include "trace/inner.h"

enum { RING_NODES_MAX = EMITTERS_MAX };

struct ring {
	unsigned count;                     /* of nodes */
	uint8_t to[RING_NODES_MAX][RING_NODES_MAX / 8];
	unsigned before[RING_NODES_MAX];
	unsigned nodes[TRACE_CYCLE_MAX], length;
};

_Static_assert((int)TRACE_HOSTS_MAX <= (int)RING_NODES_MAX, "both kinds of nodes fit");

static bool ring_has(const struct ring *r, unsigned from, unsigned to)
{
	return r->to[from][to / 8] >> to % 8 & 1;
}

/* Breadth first from start: the nearest node that leads back to it. */
static unsigned ring_last(struct ring *r, unsigned start)
{
	unsigned queue[RING_NODES_MAX], head = 0, tail = 0;
	bool seen[RING_NODES_MAX] = { false };
	queue[tail++] = start;
	seen[start] = true;
	while (head < tail) {
		unsigned at = queue[head++];
		if (at != start && ring_has(r, at, start))
			return at;
		for (unsigned next = 0; next < r->count; next++) {
			if (seen[next] || !ring_has(r, at, next))
				continue;
			seen[next] = true;
			r->before[next] = at;
			queue[tail++] = next;
		}
	}
	return UINT_MAX;
}

static void ring_try(struct ring *r, unsigned start)
{
	unsigned back[TRACE_CYCLE_MAX], length = 0, at = ring_last(r, start);
	while (at != UINT_MAX && length < TRACE_CYCLE_MAX) {
		back[length++] = at;
		if (at == start)
			break;
		at = r->before[at];
	}
	if (at != start || (r->length > 0 && length >= r->length))
		return;
	r->length = length;
	for (unsigned i = 0; i < length; i++)
		r->nodes[i] = back[length - 1 - i];
}

static bool ring_shortest(struct ring *r)
{
	for (unsigned start = 0; start < r->count; start++)
		ring_try(r, start);
	return r->length >= 2;
}

void ring_find(const struct trace *trace, struct trace_incident *out)
{
	struct ring r = { .count = trace->emitter_count };
	for (unsigned i = 0; i < r.count; i++)
		memcpy(r.to[i], trace->emitters[i].sends_to, sizeof r.to[i]);
	bool is_of_emitters = ring_shortest(&r);
	if (!is_of_emitters) {
		r = (struct ring){ .count = out->host_count };
		for (unsigned i = 0; i < out->edge_count; i++)
			r.to[out->edges[i].from][out->edges[i].to / 8] |= (uint8_t)(1u << out->edges[i].to % 8);
		if (!ring_shortest(&r))
			return;
	}
	for (unsigned i = 0; i < r.length; i++) {
		unsigned host = is_of_emitters ? trace->emitters[r.nodes[i]].host : r.nodes[i];
		if (host != UINT_MAX)
			out->cycle[out->cycle_count++] = host;
	}
}
