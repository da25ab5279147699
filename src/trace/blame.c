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
	unsigned rank;          /* of the maker */
};

/* As storm/culprit ranks its steps; 0: no maker. */
static unsigned maker_rank(const struct node *node)
{
	const struct culprit_step step = { .kind = node->kind, .is_conduit = node->is_conduit };
	return node->emitter == EMITTER_NONE ? 0 : culprit_rank(&step);
}

static bool is_branching(const struct node *node, const struct trace *trace)
{
	return node->ends > 0 || !node->child || trace->nodes[node->child].next;
}

static struct segment segment_of(const struct trace *trace, uint32_t at)
{
	struct segment s = { .top = at };
	for (;; at = trace->nodes[at].child) {
		const struct node *node = &trace->nodes[at];
		unsigned rank = maker_rank(node);
		if (rank > 0 && rank >= s.rank) {
			s.maker = at;
			s.rank = rank;
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

/* Did the same receiver get the mail from the same sender twice? Only where they share
 * history below: a relay that takes lines away makes everything look like that. */
static bool has_twin(const struct trace *trace, uint32_t child)
{
	/* One mail to several people whose mail lies in one mailbox comes at once. */
	enum { TWIN_APART_MS = 60 * 1000, TWINS_MANY = 50 };
	const struct node *node = &trace->nodes[child];
	unsigned twins = 0;
	bool is_apart = false;
	if (trace->nodes[node->parent].parent == 0)
		return false;
	for (uint32_t at = trace->nodes[node->parent].child; at; at = trace->nodes[at].next) {
		const struct node *other = &trace->nodes[at];
		if (at == child || other->by != node->by || other->emitter != node->emitter)
			continue;
		twins++;
		is_apart |= node->first_ms - other->first_ms >= TWIN_APART_MS;
	}
	return is_apart || twins >= TWINS_MANY;
}

static void blame_branch(struct trace *trace, uint32_t child)
{
	struct segment s = segment_of(trace, child);
	uint32_t maker = s.maker;
	if (maker == 0 && trace->nodes[child].emitter != EMITTER_NONE && has_twin(trace, child))
		maker = child;
	if (maker == 0) {
		trace->nodes[s.top].is_astray = true;
		return;
	}
	struct node *node = &trace->nodes[maker];
	struct emitter *e = emitter_at(trace, node->emitter);
	if (e->is_ours)
		return;
	node->is_blamed = true;
	e->is_maker |= node->kind == CULPRIT_NONE; /* it pushes one mail again and again */
	e->blame++;
	party_note_witness(&e->track, node->peer, node->trust);
}

/* We delivered it and sent it on to somebody else: our user's forward. What comes back of
 * it is nobody else's fault. (From one of our servers to the next is no sending on.) */
static bool is_sent_by_us(struct trace *trace, uint32_t child)
{
	const struct emitter *e = emitter_at(trace, trace->nodes[child].emitter);
	return e && e->is_ours && !trace->nodes[child].is_by_ours;
}

static void blame_node(struct trace *trace, uint32_t at)
{
	const struct node *node = &trace->nodes[at];
	/* A copy without any line (sent mail that was filed) says nothing of the others. */
	bool has_ended = node->ends > 0 && node->parent;
	uint32_t legit = has_ended || node->is_astray ? 0 : legit_child(trace, at);
	for (uint32_t child = node->child; child; child = trace->nodes[child].next)
		if (child != legit && !(has_ended && is_sent_by_us(trace, child)))
			blame_branch(trace, child);
}

/* --- roles -------------------------------------------------------------- */

/* Does somebody send again here? */
static uint8_t emission_at(const struct node *node)
{
	bool is_emission = (node->kind != CULPRIT_NONE && !node->is_conduit) || node->is_blamed;
	return is_emission ? node->emitter : EMITTER_NONE;
}

static void note_offspring(struct trace *trace, uint8_t of, uint8_t by)
{
	struct emitter *e = &trace->emitters[of];
	e->offspring++;
	e->sends_to[by / 8] |= (uint8_t)(1u << by % 8);
}

/* Copies that have an emitter on their way: walked up, since nodes know their parents. */
static void note_way(struct trace *trace, uint32_t leaf)
{
	uint64_t seen[EMITTERS_MAX / 64] = { 0 };
	for (uint32_t at = leaf; at; at = trace->nodes[at].parent) {
		uint8_t e = trace->nodes[at].is_conduit ? trace->nodes[at].emitter
							: emission_at(&trace->nodes[at]);
		if (e == EMITTER_NONE)
			continue;
		if (!(seen[e / 64] >> e % 64 & 1))
			trace->emitters[e].copies += trace->nodes[leaf].ends;
		seen[e / 64] |= UINT64_C(1) << e % 64;
	}
}

/* What lies below an emission, on the way to the root. */
struct below {
	uint8_t emitter;       /* of the nearest other emission, or its own earlier one */
	uint32_t intake;       /* the passage it took in; 0: not to be seen */
	bool is_going_on;      /* its own emission goes on here: not a new one */
	bool is_anyone_believed;
};

static struct below look_below(const struct trace *trace, uint32_t at)
{
	const struct node *node = &trace->nodes[at];
	struct below b = { .emitter = EMITTER_NONE };
	bool is_gap = false;
	for (uint32_t k = node->parent; k && trace->nodes[k].key; k = trace->nodes[k].parent) {
		const struct node *under = &trace->nodes[k];
		uint8_t e = emission_at(under);
		bool is_own = under->emitter == node->emitter;
		if (b.intake == 0 && !is_own)
			b.intake = k;
		b.is_going_on |= is_own && e != EMITTER_NONE && !is_gap;
		is_gap |= !is_own;
		b.is_anyone_believed |= under->emitter != EMITTER_NONE && !is_own;
		if (b.emitter == EMITTER_NONE && e != EMITTER_NONE && (!is_own || is_gap))
			b.emitter = e;
	}
	return b;
}

static const struct root *root_of(const struct trace *trace, uint32_t at)
{
	while (trace->nodes[at].parent)
		at = trace->nodes[at].parent;
	for (unsigned i = 0; i < trace->root_count; i++)
		if (trace->roots[i].node == at)
			return &trace->roots[i];
	return NULL;
}

static uint32_t rcpt_of(const struct trace *trace, uint32_t at)
{
	const struct root *root = root_of(trace, at);
	return root ? root->rcpt : 0;
}

/* Two sets: what each took in, and what each took in for one recipient. */
struct taken {
	uint64_t once[PASSAGES_MAX], for_rcpt[PASSAGES_MAX];
	unsigned once_count, for_rcpt_count;
	bool is_cut;
};

/* Who forwards gives on one for each it takes in. So what counts against an emitter that
 * nobody went before is what was newly made (and nobody believed is below, who could have
 * made it), and what it gave on a second time. To send again what one had sent oneself is
 * a loop, and counts like another's sending it again. */
static void note_emission(struct trace *trace, uint32_t at, struct taken *taken)
{
	const struct node *node = &trace->nodes[at];
	uint8_t e = emission_at(node);
	if (e == EMITTER_NONE)
		return;
	struct below below = look_below(trace, at);
	if (below.is_going_on) { /* one pickup line (they have no id), and many mails sent */
		trace->emitters[e].again += node->is_blamed;
		return;
	}
	if (below.emitter != EMITTER_NONE)
		note_offspring(trace, below.emitter, e);
	else
		trace->emitters[e].made += node->is_remade && !below.is_anyone_believed;
	if (below.intake == 0)
		return;
	uint64_t key = trace->nodes[below.intake].key + e * UINT64_C(0x9e3779b97f4a7c15);
	trace->emitters[e].intake += set_add(taken->once, PASSAGES_MAX, &taken->once_count, key, &taken->is_cut);
	bool is_first = set_add(taken->for_rcpt, PASSAGES_MAX, &taken->for_rcpt_count, key ^ rcpt_of(trace, at),
				&taken->is_cut);
	trace->emitters[e].again += !is_first && !taken->is_cut;
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
	if (x->emitter != y->emitter)
		return x->emitter < y->emitter ? -1 : 1;
	return x->rcpt < y->rcpt ? -1 : x->rcpt > y->rcpt;
}

static void add_fan(struct trace *trace, struct fan *fans, size_t *count, uint64_t key, uint32_t at)
{
	const struct root *root = root_of(trace, at);
	if (root && root->is_addressed)
		fans[(*count)++] = (struct fan){ key, root->rcpt, trace->nodes[at].emitter };
}

/* Distinct recipients that one emission served: the same passage in several trees, or
 * others that came of the same passage taken in. Only recipients of To and Cc, to whom a
 * connector sends: those behind an alias are not known to it. */
static void note_fans(struct trace *trace)
{
	struct fan fans[2 * TREE_NODES_MAX];
	size_t count = 0;
	for (uint32_t at = 1; at < trace->node_count; at++) {
		const struct node *node = &trace->nodes[at];
		if (emission_at(node) == EMITTER_NONE)
			continue;
		add_fan(trace, fans, &count, node->key, at);
		struct below below = look_below(trace, at);
		if (below.intake && !below.is_going_on)
			add_fan(trace, fans, &count, trace->nodes[below.intake].key ^ node->emitter, at);
	}
	qsort(fans, count, sizeof fans[0], fan_order);
	unsigned rcpts = 0;
	for (size_t i = 0; i < count; i++) {
		bool is_same = i > 0 && fans[i].key == fans[i - 1].key && fans[i].emitter == fans[i - 1].emitter;
		rcpts = !is_same ? 1 : rcpts + (fans[i].rcpt != fans[i - 1].rcpt);
		struct party_track *t = &trace->emitters[fans[i].emitter].track;
		if (rcpts > t->fan)
			t->fan = rcpts;
	}
}

static void settle_role(struct emitter *e)
{
	enum { FORWARDER_COPIES_MIN = 4, MADE_MIN = 2, AGAIN_MIN = 2 };
	e->track.is_reinjector = e->is_maker &&
				 (e->offspring > 0 || e->made >= MADE_MIN || e->again >= AGAIN_MIN ||
				  e->track.fan >= PARTY_FAN_MIN || e->has_marker || e->is_decisive);
	e->party.blame = e->blame + (e->is_decisive && e->blame > 0);
	e->party.confidence = e->blame ? party_confidence(&e->track) : 0;
	if (e->blame == 0)
		e->party.role = PARTY_ENTRY;
	else if (!e->track.is_reinjector && e->copies >= FORWARDER_COPIES_MIN && e->kind != CULPRIT_FETCH)
		e->party.role = PARTY_FORWARDER;
	else
		e->party.role = party_is_guilty(&e->party, &e->track) ? PARTY_GUILTY : PARTY_SUSPECT;
}

void blame_find(struct trace *trace)
{
	struct taken taken = { .is_cut = false };
	for (uint32_t at = 1; at < trace->node_count; at++)
		if (trace->nodes[at].child)
			blame_node(trace, at);
	for (uint32_t at = 1; at < trace->node_count; at++) {
		if (trace->nodes[at].ends > 0)
			note_way(trace, at);
		note_emission(trace, at, &taken);
	}
	note_fans(trace);
	for (unsigned i = 0; i < trace->emitter_count; i++)
		settle_role(&trace->emitters[i]);
}
