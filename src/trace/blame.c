/* SPDX-License-Identifier: Apache-2.0
 *
 * blame: which branches of the trees should not be there, and who made them.
 *
 * Under each node one way on is right (none, when a copy ended there). Every other
 * branch is surplus; its maker is the topmost party in its unbranched part of the
 * best kind: one that fetches and sends again, else a host of the audience. A branch
 * without either is put down to the sender only when the same receiver got the mail
 * from it twice: a relay that pushes one mail again and again. Whoever is not
 * believed gives way to the next one above.
 */
#include "trace/inner.h"

#include <stdlib.h>

/* The unbranched part that begins at a node. */
struct segment {
	uint32_t top;           /* its last node */
	uint32_t maker;         /* node; 0: nobody */
	enum culprit_kind kind; /* of the maker */
};

static bool is_branching(const struct node *node, const struct trace *trace)
{
	return node->ends > 0 || !node->child || trace->nodes[node->child].next;
}

static struct segment segment_of(const struct trace *trace, uint32_t at)
{
	struct segment s = { .top = at };
	for (;; at = trace->nodes[at].child) {
		const struct node *node = &trace->nodes[at];
		if (node->emitter != EMITTER_NONE && node->kind != CULPRIT_NONE &&
		    (enum culprit_kind)node->kind >= s.kind) {
			s.maker = at;
			s.kind = node->kind;
		}
		s.top = at;
		if (is_branching(node, trace))
			return s;
	}
}

/* The one that is right: nobody in it who sends again, then the earliest. */
static uint32_t legit_child(const struct trace *trace, uint32_t parent)
{
	uint32_t best = 0;
	bool has_best_maker = false;
	for (uint32_t at = trace->nodes[parent].child; at; at = trace->nodes[at].next) {
		bool has_maker = segment_of(trace, at).maker != 0;
		bool is_earlier = best && trace->nodes[at].first_ms < trace->nodes[best].first_ms;
		if (!best || has_maker < has_best_maker || (has_maker == has_best_maker && is_earlier)) {
			best = at;
			has_best_maker = has_maker;
		}
	}
	return best;
}

static bool has_twin(const struct trace *trace, uint32_t child)
{
	const struct node *node = &trace->nodes[child];
	for (uint32_t at = trace->nodes[node->parent].child; at; at = trace->nodes[at].next)
		if (at != child && trace->nodes[at].by == node->by &&
		    trace->nodes[at].emitter == node->emitter)
			return true;
	return false;
}

static void blame_branch(struct trace *trace, uint32_t child)
{
	struct segment s = segment_of(trace, child);
	uint32_t maker = s.maker;
	if (maker == 0 && trace->nodes[child].emitter != EMITTER_NONE && has_twin(trace, child))
		maker = child;
	if (maker == 0)
		return;
	struct node *node = &trace->nodes[maker];
	struct emitter *e = emitter_at(trace, node->emitter);
	if (e->is_ours)
		return;
	node->is_blamed = true;
	e->blame++;
	party_note_witness(&e->track, node->peer, node->trust);
}

static void blame_node(struct trace *trace, uint32_t at)
{
	const struct node *node = &trace->nodes[at];
	/* A copy without any line (sent mail that was filed) says nothing of the others. */
	bool has_ended = node->ends > 0 && node->parent;
	uint32_t legit = has_ended ? 0 : legit_child(trace, at);
	for (uint32_t child = node->child; child; child = trace->nodes[child].next)
		if (child != legit)
			blame_branch(trace, child);
}

/* --- roles -------------------------------------------------------------- */

/* Does somebody send again here? */
static uint8_t emission_at(const struct node *node)
{
	bool is_emission = node->kind != CULPRIT_NONE || node->is_blamed;
	return is_emission ? node->emitter : EMITTER_NONE;
}

static void note_offspring(struct trace *trace, uint8_t of, uint8_t by)
{
	struct emitter *e = &trace->emitters[of];
	e->offspring++;
	e->sends_to[by / 8] |= (uint8_t)(1u << by % 8);
}

/* What the way from the root to a node says: walked up, since nodes know parents. */
static void note_way(struct trace *trace, uint32_t leaf)
{
	uint8_t lowest = EMITTER_NONE;
	uint64_t seen[EMITTERS_MAX / 64] = { 0 };
	for (uint32_t at = leaf; at; at = trace->nodes[at].parent) {
		uint8_t e = emission_at(&trace->nodes[at]);
		if (e == EMITTER_NONE)
			continue;
		lowest = e;
		if (!(seen[e / 64] >> e % 64 & 1))
			trace->emitters[e].copies += trace->nodes[leaf].ends;
		seen[e / 64] |= UINT64_C(1) << e % 64;
	}
	if (lowest != EMITTER_NONE)
		trace->emitters[lowest].lowest += trace->nodes[leaf].ends;
}

/* The nearest emission below a node that is not this emitter's. */
static uint8_t emission_below(const struct trace *trace, uint32_t at, uint8_t not_of, uint32_t *intake_out)
{
	uint32_t below = trace->nodes[at].parent;
	*intake_out = below;
	for (; below; below = trace->nodes[below].parent) {
		uint8_t e = emission_at(&trace->nodes[below]);
		if (e == not_of)
			*intake_out = 0; /* its own emission goes on here: not a new one */
		if (e != EMITTER_NONE)
			return e;
	}
	return EMITTER_NONE;
}

/* An emission is new where the one below is somebody else's (or nobody's). The passage
 * under it is what its maker took in: each counts once. */
static void note_emission(struct trace *trace, uint32_t at, uint64_t *taken, unsigned *taken_count)
{
	uint8_t e = emission_at(&trace->nodes[at]);
	uint32_t intake;
	if (e == EMITTER_NONE)
		return;
	uint8_t below = emission_below(trace, at, e, &intake);
	if (below == e)
		return;
	if (below != EMITTER_NONE)
		note_offspring(trace, below, e);
	if (intake == 0 || trace->nodes[intake].key == 0)
		return; /* under the root: what it took in is not to be seen */
	uint64_t key = trace->nodes[intake].key + e * UINT64_C(0x9e3779b97f4a7c15);
	bool is_cut = false;
	if (set_add(taken, PASSAGES_MAX, taken_count, key, &is_cut))
		trace->emitters[e].intake++;
}

struct fan {
	uint64_t key;
	uint32_t rcpt;
	uint8_t emitter;
};

static int fan_order(const void *a, const void *b)
{
	const struct fan *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->rcpt < y->rcpt ? -1 : x->rcpt > y->rcpt;
}

static uint32_t rcpt_of(const struct trace *trace, uint32_t at)
{
	while (trace->nodes[at].parent)
		at = trace->nodes[at].parent;
	for (unsigned i = 0; i < trace->root_count; i++)
		if (trace->roots[i].node == at)
			return trace->roots[i].rcpt;
	return 0;
}

/* Distinct recipients that one emission served: the same passage in several trees. */
static void note_fans(struct trace *trace)
{
	struct fan fans[TREE_NODES_MAX];
	size_t count = 0;
	for (uint32_t at = 1; at < trace->node_count; at++)
		if (emission_at(&trace->nodes[at]) != EMITTER_NONE)
			fans[count++] = (struct fan){ trace->nodes[at].key, rcpt_of(trace, at),
						      trace->nodes[at].emitter };
	qsort(fans, count, sizeof fans[0], fan_order);
	unsigned rcpts = 0;
	for (size_t i = 0; i < count; i++) {
		bool is_same = i > 0 && fans[i].key == fans[i - 1].key;
		rcpts = !is_same ? 1 : rcpts + (fans[i].rcpt != fans[i - 1].rcpt);
		struct party_track *t = &trace->emitters[fans[i].emitter].track;
		if (rcpts > t->fan)
			t->fan = rcpts;
	}
}

static void settle_role(struct emitter *e)
{
	enum { FORWARDER_COPIES_MIN = 4, LOWEST_MIN = 2 };
	e->track.is_reinjector = e->offspring > 0 || e->lowest >= LOWEST_MIN ||
				 e->track.fan >= PARTY_FAN_MIN || e->has_marker || e->is_decisive;
	e->party.blame = e->blame + (e->is_decisive && e->blame > 0);
	e->party.confidence = e->blame ? party_confidence(&e->track) : 0;
	if (e->blame == 0)
		e->party.role = PARTY_ENTRY;
	else if (!e->track.is_reinjector && e->copies >= FORWARDER_COPIES_MIN)
		e->party.role = PARTY_FORWARDER;
	else
		e->party.role = party_is_guilty(&e->party, &e->track) ? PARTY_GUILTY : PARTY_SUSPECT;
}

void blame_find(struct trace *trace)
{
	uint64_t taken[PASSAGES_MAX] = { 0 };
	unsigned taken_count = 0;
	for (uint32_t at = 1; at < trace->node_count; at++)
		if (trace->nodes[at].child)
			blame_node(trace, at);
	for (uint32_t at = 1; at < trace->node_count; at++) {
		if (trace->nodes[at].ends > 0)
			note_way(trace, at);
		note_emission(trace, at, taken, &taken_count);
	}
	note_fans(trace);
	for (unsigned i = 0; i < trace->emitter_count; i++)
		settle_role(&trace->emitters[i]);
}
