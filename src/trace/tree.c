/* SPDX-License-Identifier: Apache-2.0
 *
 * tree: the chains of all copies for one recipient, bottom first. Copies that share
 * history share nodes; where they part, a copy was made.
 */
#include "trace/inner.h"

static uint32_t node_new(struct trace *trace)
{
	if (trace->node_count == 0)
		trace->node_count = 1; /* [0] means none */
	if (trace->node_count == TREE_NODES_MAX) {
		trace->is_cut = true;
		return 0;
	}
	uint32_t at = trace->node_count++;
	trace->nodes[at] = (struct node){ .emitter = EMITTER_NONE };
	return at;
}

struct root *tree_root(struct trace *trace, uint32_t rcpt, uint64_t key, bool *is_new_out)
{
	*is_new_out = false;
	for (unsigned i = 0; i < trace->root_count; i++)
		if (trace->roots[i].key == key)
			return &trace->roots[i];
	uint32_t node = trace->root_count < TREE_ROOTS_MAX ? node_new(trace) : 0;
	if (node == 0) {
		trace->is_cut = true;
		return NULL;
	}
	struct root *root = &trace->roots[trace->root_count++];
	*root = (struct root){ .key = key, .rcpt = rcpt, .node = node };
	*is_new_out = true;
	return root;
}

static uint32_t node_find(const struct trace *trace, uint32_t parent, uint64_t key)
{
	for (uint32_t at = trace->nodes[parent].child; at; at = trace->nodes[at].next)
		if (trace->nodes[at].key == key)
			return at;
	return 0;
}

static uint32_t node_child(struct trace *trace, uint32_t parent, const struct link *link,
			   const struct chain *chain)
{
	uint32_t at = node_find(trace, parent, link->key);
	if (at)
		return at;
	at = node_new(trace);
	if (at == 0)
		return 0;
	struct node *node = &trace->nodes[at];
	node->key = link->key;
	node->by = (uint32_t)hash_mix_nocase(0, link->by);
	node->is_by_ours = link->is_by_ours;
	node->parent = parent;
	node->next = trace->nodes[parent].child;
	node->first_ms = chain->arrival_ms;
	node->peer = chain->peer;
	trace->nodes[parent].child = at;
	return at;
}

/* What this copy's hops above say of the passage; the best attested is kept. */
static void node_attest(struct node *node, const struct link *link)
{
	if (link->emitter == EMITTER_NONE || (node->emitter != EMITTER_NONE && link->trust <= node->trust))
		return;
	node->emitter = link->emitter;
	node->kind = link->kind;
	node->is_conduit = link->is_conduit;
	node->trust = (float)link->trust;
}

void tree_insert(struct trace *trace, struct root *root, const struct chain *chain)
{
	uint32_t at = root->node;
	for (size_t i = 0; i < chain->count; i++) {
		at = node_child(trace, at, &chain->links[i], chain);
		if (at == 0)
			return; /* full: what is there stays right */
		node_attest(&trace->nodes[at], &chain->links[i]);
		trace->nodes[at].is_remade |= chain->is_remade;
	}
	trace->nodes[at].ends++;
}
