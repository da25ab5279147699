/* SPDX-License-Identifier: Apache-2.0
 *
 * chain: the Received lines of one copy as links, from the bottom to the trust
 * boundary. What storm/culprit says of each step is kept with the link: who handed
 * the mail over as the receiver saw it, how far the receiver is believed, and
 * whether that party fetches and sends again.
 */
#include "trace/inner.h"


bool set_add(uint64_t *set, size_t size, unsigned *count, uint64_t key, bool *is_cut)
{
	size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) % size;
	key = key ? key : 1;
	while (set[at] != 0 && set[at] != key)
		at = (at + 1) % size;
	if (set[at] == key)
		return false;
	if (*count >= size / 4 * 3) {
		*is_cut = true;
		return false;
	}
	set[at] = key;
	++*count;
	return true;
}

struct emitter *emitter_at(struct trace *trace, uint8_t index)
{
	return index == EMITTER_NONE ? NULL : &trace->emitters[index];
}

uint8_t emitter_by_ip(const struct trace *trace, struct ip ip)
{
	for (unsigned i = 0; i < trace->emitter_count && !ip_is_unknown(ip); i++)
		if (ip_equal(trace->emitters[i].ip, ip))
			return (uint8_t)i;
	return EMITTER_NONE;
}

bool host_is_ours(const struct trace_setup *setup, struct slice name)
{
	for (size_t i = 0; i < setup->our_host_count; i++)
		if (slice_equal_nocase(name, slice_from_str(setup->our_hosts[i])))
			return true;
	return false;
}

static uint8_t emitter_get(struct trace *trace, const struct handover *from)
{
	uint8_t index = emitter_by_ip(trace, from->ip);
	if (index == EMITTER_NONE && !ip_is_unknown(from->ip)) {
		if (trace->emitter_count == EMITTERS_MAX) {
			trace->is_cut = true;
			return EMITTER_NONE;
		}
		index = (uint8_t)trace->emitter_count++;
		struct emitter *e = &trace->emitters[index];
		*e = (struct emitter){ .ip = from->ip, .host = UINT_MAX,
				       .is_ours = ip_is_loopback(from->ip) ||
						  host_is_ours(trace->setup, from->name) };
		party_add_address(&e->party, from->ip);
	}
	if (index != EMITTER_NONE && from->name.len > 0)
		party_name(&trace->emitters[index].party, from->name, from->ip);
	return index;
}

static uint64_t passage_key(const struct hop *hop)
{
	uint64_t key = hash_mix_nocase(0, hop->by);
	key = hash_mix(key, hop->id);
	return hash_mix(key, slice_make((const char *)&hop->time_ms, sizeof hop->time_ms));
}

/* Who caused this passage: the sender of an SMTP hop; of a pickup or fetch the writer,
 * whom the hop above attests. */
static const struct culprit_step *emission_of(const struct culprit_step *steps, size_t first, size_t hop,
					      bool has_from)
{
	size_t at = hop + 1 - first; /* of the step below */
	return &steps[has_from || at == 0 ? at : at - 1];
}

void emitter_note_stamp(struct emitter *e, int64_t stamp_ms, int64_t arrival_ms)
{
	if (e->stamp_count < STAMPS_MAX)
		e->stamps_ms[e->stamp_count++] = stamp_ms;
	if (arrival_ms <= 0)
		return;
	int64_t ahead_ms = stamp_ms - arrival_ms;
	e->clock_ms = e->has_clock && e->clock_ms > ahead_ms ? e->clock_ms : ahead_ms;
	e->has_clock = true;
}

static void chain_add(struct trace *trace, const struct facts *facts, size_t hop_at,
		      const struct culprit_step *steps, size_t first, struct chain *chain)
{
	const struct hop *hop = &facts->hops[hop_at];
	bool has_from = hop_has_from(hop);
	const struct culprit_step *step = emission_of(steps, first, hop_at, has_from);
	const struct culprit_step *below = &steps[hop_at + 1 - first];
	struct link *link = &chain->links[chain->count++];
	*link = (struct link){ .key = passage_key(hop), .by = hop->by, .time_ms = hop->time_ms,
			       .kind = (uint8_t)step->kind, .trust = step->from.trust,
			       .is_joined = !has_from || below->is_joined, .emitter = EMITTER_NONE,
			       .has_from = has_from,
			       .is_by_ours = host_is_ours(trace->setup, hop->by) };
	if (culprit_is_believed(&step->from))
		link->emitter = emitter_get(trace, &step->from);
	if (has_from) {
		link->is_from_attested = hop->from_name.len > 0;
		link->from = hop->from_name.len > 0 ? hop->from_name : hop->from_helo;
	}
	link->is_conduit = step->is_conduit;
	struct emitter *e = emitter_at(trace, link->emitter);
	if (e && step->kind > e->kind)
		e->kind = step->kind;
	if (e)
		e->is_maker |= step->kind != CULPRIT_NONE && !link->is_conduit;
	if (e && e->is_ours)
		link->kind = CULPRIT_NONE;
	if (e && !has_from && step->is_pickup && hop->time_ms)
		emitter_note_stamp(e, hop->time_ms, facts->time_ms);
}

void chain_read(struct trace *trace, const struct facts *facts, struct chain *chain_out)
{
	struct culprit_step steps[CULPRIT_STEPS_MAX];
	struct peer peer;
	size_t first;
	culprit_walk(facts, &trace->setup->vouched, steps, &first);
	size_t border = first > 0 ? first - 1 : 0;
	chain_out->count = 0;
	chain_out->delivery = 0;
	for (size_t k = 0; k <= border && k < facts->hop_count && !chain_out->delivery; k++)
		if (facts->hops[k].id.len > 0)
			chain_out->delivery = passage_key(&facts->hops[k]);
	chain_out->is_remade = false;
	chain_out->arrival_ms = facts->time_ms;
	for (size_t k = facts->hop_count; k > border; k--)
		chain_add(trace, facts, k - 1, steps, first, chain_out);
	peer_of(facts, &peer);
	chain_out->peer = hash_mix(0, slice_make((const char *)peer.ip.bytes, sizeof peer.ip.bytes));
	chain_out->peer_emitter = emitter_by_ip(trace, peer.ip);
}
