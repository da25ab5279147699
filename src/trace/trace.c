/* SPDX-License-Identifier: Apache-2.0
 *
 * trace: one copy after another. A copy is surplus when its recipient has the mail
 * already and it is the same copy again (Message-ID and Date, or DKIM signature), or
 * was made again by another machine, with proof. The same text newly sent is a
 * repetition: counted, never blamed on anybody.
 */
#include "trace/inner.h"

#include "base/mem.h"

enum { BIN_FIRST_MS = 1000 };

struct trace *trace_new(const struct trace_setup *setup)
{
	struct trace *trace = mem_alloc(sizeof *trace);
	if (trace)
		trace->setup = setup;
	return trace;
}

void trace_free(struct trace *trace)
{
	mem_free(trace);
}

void trace_reset(struct trace *trace)
{
	const struct trace_setup *setup = trace->setup;
	memset(trace, 0, sizeof *trace);
	trace->setup = setup;
}

uint64_t trace_copies(const struct trace *trace)
{
	return trace->track.pub.copies;
}

/* Is key in the set already? When the set is full: no, since that accuses nobody. */
static bool is_seen(uint64_t *set, size_t size, unsigned *count, uint64_t key, bool *is_cut)
{
	bool is_full = false;
	bool is_new = set_add(set, size, count, key, &is_full);
	*is_cut |= is_full;
	return !is_new && !is_full;
}

/* Has a copy with the same id and date, or the same signature, been here? */
static bool copy_is_known(struct trace *trace, const struct facts *f)
{
	bool is_known = false;
	if (f->message_id.len > 0 && f->date.len > 0)
		is_known |= is_seen(trace->ids, IDS_MAX, &trace->id_count,
				    hash_mix(hash_mix(0, f->message_id), f->date), &trace->is_cut);
	if (f->dkim_b.len > 0)
		is_known |= is_seen(trace->ids, IDS_MAX, &trace->id_count, hash_mix(1, f->dkim_b),
				    &trace->is_cut);
	return is_known;
}

/* The author is known to stand behind this copy, and no connector's mark denies it. */
static bool copy_is_fresh(const struct facts *f)
{
	return (f->is_spf_aligned || f->is_dkim_aligned) && !culprit_has_marker(f);
}

static bool copy_is_made_again(const struct facts *f, const struct culprit *culprit)
{
	if (f->is_body_empty || copy_is_fresh(f))
		return false;
	return culprit_has_marker(f) || culprit->kind != CULPRIT_NONE ||
	       (f->reinject_marks & REINJECT_PICKUP_FOREIGN);
}

static enum tier copy_tier(struct trace *trace, const struct facts *f, const struct culprit *culprit)
{
	bool is_first = trace->track.pub.copies == 0;
	if (copy_is_known(trace, f))
		return TIER_T1;
	if (is_first)
		return TIER_FIRST;
	return copy_is_made_again(f, culprit) ? TIER_T2 : TIER_T3;
}

/* Doubles the width of the bins, two into one. */
static void bins_widen(struct trace *trace)
{
	for (unsigned i = 0; i < TRACE_BINS / 2; i++) {
		const struct trace_bin *two = &trace->bins[2 * i];
		trace->bins[i] = (struct trace_bin){ two[0].copies + two[1].copies,
						     two[0].surplus + two[1].surplus };
	}
	memset(&trace->bins[TRACE_BINS / 2], 0, sizeof trace->bins / 2);
	trace->bin_ms *= 2;
}

static void bins_note(struct trace *trace, int64_t when_ms, bool is_surplus)
{
	if (when_ms <= 0)
		return;
	if (trace->bin_ms == 0) {
		trace->bin_ms = BIN_FIRST_MS;
		trace->bins_from_ms = when_ms;
	}
	int64_t since_ms = when_ms > trace->bins_from_ms ? when_ms - trace->bins_from_ms : 0;
	while (since_ms / trace->bin_ms >= TRACE_BINS)
		bins_widen(trace);
	struct trace_bin *bin = &trace->bins[since_ms / trace->bin_ms];
	bin->copies++;
	bin->surplus += is_surplus;
}

/* Is there a sample against this emitter already? Of the first copy: EMITTER_NONE. */
static bool sample_is_there(const struct trace *trace, uint8_t emitter)
{
	for (unsigned i = 0; i < trace->sample_count; i++)
		if (trace->samples[i].emitter == emitter)
			return true;
	return false;
}

static void sample_note(struct trace *trace, const struct facts *f, uint8_t emitter, struct slice recipient,
			const char *place)
{
	if (trace->sample_count == TRACE_SAMPLES_MAX || sample_is_there(trace, emitter))
		return;
	struct sample_note *note = &trace->samples[trace->sample_count++];
	note->emitter = emitter;
	sample_fill(&note->sample, f, recipient, place);
}

static void emitter_note_time(struct emitter *e, int64_t when_ms)
{
	if (when_ms <= 0)
		return;
	e->party.last_ms = when_ms;
	e->party.first_ms = e->party.first_ms ? e->party.first_ms : when_ms;
	party_note_time(&e->party, &e->track, when_ms);
}

/* The copy speaks against its culprit: words, claims, stamps. Blame comes from the tree. */
static void culprit_note(struct trace *trace, const struct facts *f, const struct culprit *culprit,
			 const struct chain *chain)
{
	struct emitter *e = emitter_at(trace, emitter_by_ip(trace, culprit->ip));
	if (!e || e->is_ours)
		return;
	party_note_culprit(&e->party, &e->track, f, culprit, 1);
	e->is_decisive |= culprit->is_decisive;
	e->has_marker |= culprit_has_marker(f) && culprit->kind == CULPRIT_FETCH;
	if (f->ms_id.is_present && (f->reinject_marks & REINJECT_MSID_MINTED) && !culprit->is_pickup)
		emitter_note_stamp(e, f->ms_id.minted_ms, chain->arrival_ms);
	emitter_note_time(e, f->time_ms);
}

static void surplus_note(struct trace *trace, const struct facts *f, const struct culprit *culprit,
			 const struct chain *chain, struct slice recipient, const char *place)
{
	struct peer peer;
	struct emitter *entry = emitter_at(trace, chain->peer_emitter);
	uint8_t against = culprit->kind != CULPRIT_NONE ? emitter_by_ip(trace, culprit->ip)
							: chain->peer_emitter;
	trace->track.pub.surplus++;
	peer_of(f, &peer);
	if (entry) {
		entry->surplus_copies++;
		party_note_peer(&entry->party, &entry->track, &peer);
		if (culprit->kind == CULPRIT_NONE || !ip_equal(culprit->ip, entry->ip))
			emitter_note_time(entry, f->time_ms);
	}
	if (culprit->kind != CULPRIT_NONE)
		culprit_note(trace, f, culprit, chain);
	if (against != EMITTER_NONE)
		sample_note(trace, f, against, recipient, place);
}

static void copy_count(struct trace *trace, const struct facts *f, enum tier tier, uint32_t rcpt)
{
	struct incident *inc = &trace->track.pub;
	if (inc->copies++ == 0) {
		inc->cls = STORM_DUPLICATE;
		memcpy(inc->content_public, f->content_public, DIGEST_BYTES);
		incident_id(STORM_DUPLICATE, f->content_public, inc->id);
	}
	inc->pairs++;
	inc->t1 += tier == TIER_T1;
	inc->t2 += tier == TIER_T2;
	inc->t3 += tier == TIER_T3;
	if (f->time_ms > 0) {
		inc->first_ms = inc->first_ms && inc->first_ms < f->time_ms ? inc->first_ms : f->time_ms;
		inc->last_ms = inc->last_ms > f->time_ms ? inc->last_ms : f->time_ms;
	}
	incident_describe(inc, f);
	track_add_rcpt(&trace->track, rcpt);
}

/* Was this very delivery seen before, in another folder? */
static bool is_filed_again(struct trace *trace, uint64_t root_key, const struct chain *chain)
{
	return chain->delivery && is_seen(trace->deliveries, PASSAGES_MAX, &trace->delivery_count,
					  chain->delivery ^ root_key, &trace->is_cut);
}

/* Does the recipient (an address, or only a mailbox's name) stand in To or Cc? */
static bool is_addressed(const struct facts *f, struct slice recipient)
{
	size_t at = slice_find_byte(recipient, 0, '@');
	struct slice local = slice_first(recipient, at), domain = slice_from(recipient, at + 1);
	for (size_t i = 0; i < f->audience_count; i++) {
		const struct address *a = &f->audience[i];
		if (slice_equal_nocase(a->local, local) &&
		    (at >= recipient.len || slice_equal_nocase(a->domain, domain)))
			return true;
	}
	return false;
}

/* A copy that was told to be surplus or first: into the pictures and the tree. */
static void copy_place(struct trace *trace, struct root *root, const struct chain *chain, bool is_surplus)
{
	graph_add(trace, chain, is_surplus);
	if (!root)
		return;
	root->copies++;
	if (root->copies > trace->worst_pair)
		trace->worst_pair = root->copies;
	tree_insert(trace, root, chain);
}

void trace_add(struct trace *trace, const struct facts *facts, struct slice recipient, const char *place)
{
	struct chain chain;
	struct culprit culprit;
	bool is_first;
	uint64_t rcpt = hash_mix_nocase(0, recipient);
	uint64_t key = hash_mix(rcpt, slice_make((const char *)facts->instance, DIGEST_SHORT_BYTES));
	struct root *root = tree_root(trace, (uint32_t)rcpt, key, &is_first);
	chain_read(trace, facts, &chain);
	if (is_filed_again(trace, key, &chain))
		return;
	culprit_find(facts, &trace->setup->vouched, &culprit);
	enum tier tier = copy_tier(trace, facts, &culprit);
	bool is_surplus = root && !is_first && (tier == TIER_T1 || tier == TIER_T2);
	if (root && is_first)
		root->is_addressed = is_addressed(facts, recipient);
	chain.is_remade = tier == TIER_T2;
	copy_count(trace, facts, tier, (uint32_t)rcpt);
	bins_note(trace, facts->time_ms, is_surplus);
	if (root && !is_first && !is_surplus) {
		trace->repeats++;
		return;
	}
	if (trace->sample_count == 0)
		sample_note(trace, facts, EMITTER_NONE, recipient, place);
	if (is_surplus)
		surplus_note(trace, facts, &culprit, &chain, recipient, place);
	copy_place(trace, root, &chain, is_surplus);
}

bool trace_end(struct trace *trace, struct trace_incident *out)
{
	bool is_storm = trace->worst_pair > TRACE_COPIES_MIN;
	blame_find(trace);
	report_fill(trace, out);
	for (unsigned i = 0; i < out->incident.party_count; i++)
		is_storm |= out->incident.parties[i].role == PARTY_GUILTY;
	return is_storm;
}
