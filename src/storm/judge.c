/* SPDX-License-Identifier: Apache-2.0
 *
 * judge: what is this mail? Its stamps, its tier, its recipients, then the rules.
 *
 * Anything that goes wrong on the way (no memory, content not whole) ends in a
 * plain pass that registers nothing (L3).
 */
#include "storm/judge.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void judge_find_source(struct judge *j)
{
	if (j->has_source)
		return;
	j->has_source = true;
	peer_of(j->facts, &j->peer);
	const struct vouched vouched = { .relays = j->storm->setup.relays,
					 .relay_count = j->storm->setup.relay_count };
	culprit_find(j->facts, &vouched, &j->culprit);
	j->door = tier_door(j->storm->setup.site_key, &j->peer, &j->culprit);
}

static bool is_from_own_network(const struct facts *f)
{
	struct ip client = f->envelope.client_ip;
	return !ip_is_unknown(client) && (ip_is_private(client) || f->peer_hop < f->hop_count);
}

/* A stamp of ours that is still on top, or above it only hops of our own, on a
 * mail from our own network: a content filter or a hub hands the mail on. A
 * re-injected copy fails one of these: it has a new Message-ID, a connector's
 * marks, or foreign hops above the stamp. */
static bool is_inner_stamp(const struct judge *j, const struct judged_stamp *s, size_t above_hop)
{
	const struct facts *f = j->facts;
	size_t own_hops = f->peer_hop < f->hop_count ? f->peer_hop + 1 : 0;
	bool is_same_id = !s->txn || s->txn->message_id ==
				     nonce_message_id(j->storm->setup.site_key, f);
	bool is_same_mail = s->is_same || (s->txn && s->txn->message_id != 0);
	return is_same_mail && is_same_id && above_hop <= own_hops && !culprit_has_marker(f) &&
	       is_from_own_network(f);
}

static bool is_stamp_known(const struct judge *j, uint64_t nonce)
{
	for (unsigned i = 0; i < j->stamp_count; i++)
		if (j->stamps[i].stamp.nonce == nonce)
			return true;
	return false;
}

static void read_stamps(struct judge *j)
{
	const struct facts *f = j->facts;
	const uint8_t *key = j->storm->setup.site_key;
	for (size_t i = 0; i < f->stamp_count && i < FACTS_STAMPS_MAX; i++) {
		struct judged_stamp *s = &j->stamps[j->stamp_count];
		*s = (struct judged_stamp){ 0 };
		if (!stamp_read(j->storm->setup.stamp_key, f->stamps[i].value, &s->stamp) ||
		    is_stamp_known(j, s->stamp.nonce))
			continue;
		s->is_same = memcmp(s->stamp.content, f->content, STAMP_CONTENT_BYTES) == 0;
		s->txn = txns_find(&j->storm->txns, s->stamp.nonce);
		s->is_changed = !s->is_same && s->txn && s->txn->message_id != 0 &&
				s->txn->message_id == nonce_message_id(key, f);
		j->has_changed_return |= s->is_changed;
		j->is_inner |= is_inner_stamp(j, s, f->stamps[i].above_hop);
		j->stamp_count++;
	}
}

static uint32_t base_of(const uint8_t *key)
{
	uint32_t word;
	memcpy(&word, key, sizeof word);
	return word;
}

/* The instance that a stamp speaks of, when it is one of this mail's content and
 * lists; else the mail's own. True when a stamp proves the copy. */
static bool key_by_stamp(struct judge *j)
{
	bool is_stamped = false;
	memcpy(j->key, j->facts->instance, sizeof j->key);
	for (unsigned i = 0; i < j->stamp_count; i++) {
		const struct judged_stamp *s = &j->stamps[i];
		if (!s->is_same)
			continue;
		is_stamped = true;
		if (s->txn && s->txn->base == base_of(j->facts->instance)) {
			memcpy(j->key, s->txn->instance, sizeof j->key);
			break;
		}
	}
	return is_stamped;
}

/* A repetition of the same text is a mail of its own, so that a retry of it can
 * be told from the next repetition: its key mixes in its own id. False when
 * nothing identifies it; then the key is good for this passage only. */
static bool key_of_repetition(const struct judge *j, uint8_t key_out[DIGEST_SHORT_BYTES])
{
	struct {
		uint8_t instance[DIGEST_SHORT_BYTES];
		uint64_t own;
	} text = { .own = j->nonces[NONCE_ID_DATE] ? j->nonces[NONCE_ID_DATE]
						    : j->nonces[NONCE_DKIM] };
	bool has_own = text.own != 0;
	if (!has_own)
		text.own = j->storm->passages;
	memcpy(text.instance, j->facts->instance, sizeof text.instance);
	struct hash128 h = hash_sip128(j->storm->setup.site_key, slice_make(&text, sizeof text));
	memcpy(key_out, &h, DIGEST_SHORT_BYTES);
	return has_own;
}

static void make_instance(struct judge *j)
{
	struct storm *storm = j->storm;
	judge_find_source(j);
	j->inst = instances_add(&storm->instances, j->key, j->now_s);
	if (!j->inst)
		return;
	j->is_new = j->is_inst_changed = true;
	j->inst->first_door = j->door;
	for (unsigned kind = 0; kind < NONCE_KINDS; kind++) {
		if (!nonces_note(&storm->nonces, j->nonces[kind], j->facts->content))
			j->inst->nonces[kind] = j->nonces[kind];
	}
}

/* Counts repetitions through one foreign door in a row, for the alert. */
static void note_repetition(struct judge *j)
{
	struct instance *inst = j->inst;
	if (!j->tier.is_foreign)
		return;
	if (inst->foreign_door != j->door) {
		inst->foreign_door = j->door;
		inst->repeats = 0;
	}
	if (inst->repeats < UINT8_MAX)
		inst->repeats++;
}

/* Not the first copy again. Maybe an earlier repetition again; else made again by
 * another machine, or a new repetition. */
static void classify_again(struct judge *j)
{
	struct storm *storm = j->storm;
	uint8_t key[DIGEST_SHORT_BYTES];
	struct instance *earlier = NULL;
	if (key_of_repetition(j, key))
		earlier = instances_find(&storm->instances, key, j->now_s);
	if (earlier) {
		memcpy(j->key, key, sizeof j->key);
		j->inst = earlier;
		j->tier.why = "same Message-ID and Date as an earlier copy";
		return;
	}
	judge_find_source(j);
	j->tier = tier_made_again(j->facts, j->inst, j->nonces, &storm->nonces, &j->culprit,
				  j->door);
	if (j->tier.tier != TIER_T3)
		return;
	note_repetition(j);
	instance_note_sighting(j->inst, j->now_s);
	unsigned repeats = j->inst->repeats;
	memcpy(j->key, key, sizeof j->key);
	make_instance(j);
	if (j->inst)
		j->inst->repeats = (uint8_t)repeats;
}

static void classify(struct judge *j)
{
	struct storm *storm = j->storm;
	bool is_stamped = key_by_stamp(j);
	j->tier = (struct tier_result){ .tier = TIER_FIRST, .why = "first copy" };
	j->inst = instances_find(&storm->instances, j->key, j->now_s);
	if (!j->inst) {
		make_instance(j);
		return;
	}
	j->tier.why = tier_same_copy(j->inst, j->nonces, &storm->nonces, is_stamped);
	j->tier.tier = TIER_T1;
	if (!j->tier.why)
		classify_again(j);
}

/* A set of row numbers by pair, to find recipients that are named twice. */
static bool mark_repeats(struct judge *j)
{
	size_t size = 4;
	while (size < 2 * j->rcpt_count)
		size *= 2;
	uint32_t *set = arena_alloc(j->arena, size * sizeof *set);
	if (!set)
		return false;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		uint64_t at;
		memcpy(&at, j->rcpts[i].pair, sizeof at);
		for (at &= size - 1; set[at] && !j->rcpts[i].is_repeat; at = (at + 1) & (size - 1))
			j->rcpts[i].is_repeat = memcmp(j->rcpts[set[at] - 1].pair, j->rcpts[i].pair,
						       PAIR_BYTES) == 0;
		if (!j->rcpts[i].is_repeat)
			set[at] = (uint32_t)i + 1;
	}
	return true;
}

static bool look_at_pairs(struct judge *j)
{
	const struct envelope *e = &j->facts->envelope;
	const struct pairs *pairs = &j->storm->pairs;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		pair_name(j->storm->setup.site_key, j->key, e->rcpts[i], j->rcpts[i].pair);
		pairs_prefetch(pairs, j->rcpts[i].pair);
	}
	if (j->rcpt_count > 1 && !mark_repeats(j))
		return false;
	bool may_be_surplus = j->tier.tier == TIER_T1 || j->tier.tier == TIER_T2;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		r->seen = pairs_look(pairs, r->pair, j->now_ms);
		r->is_surplus = r->seen.is_known && may_be_surplus && !j->is_inner;
		j->surplus += r->is_surplus && !r->is_repeat;
	}
	return true;
}

/* For which recipients did the mail carry our stamp before? The work is bounded:
 * stamps times recipients times the passage's recipients. */
static void count_returns(struct judge *j)
{
	enum { CHECKS_MAX = 2000000 };
	size_t checks = 0;
	for (unsigned i = 0; i < j->stamp_count; i++) {
		const struct judged_stamp *s = &j->stamps[i];
		if (!s->txn || !(s->is_same || s->is_changed))
			continue;
		for (size_t n = 0; n < j->rcpt_count && checks < CHECKS_MAX; n++) {
			struct judged_rcpt *r = &j->rcpts[n];
			uint8_t pair[PAIR_BYTES];
			pair_name(j->storm->setup.site_key, s->txn->instance,
				  j->facts->envelope.rcpts[n], pair);
			checks += s->txn->rcpt_count + 1;
			struct txn_rcpt *old = txn_rcpt_find(s->txn, pair);
			if (!old)
				continue;
			r->returns++;
			r->is_returned |= s->is_same && memcmp(pair, r->pair, PAIR_BYTES) == 0;
			if (j->is_inner && old->passes < UINT8_MAX)
				old->passes++;
			if (j->is_inner && old->passes > r->passes)
				r->passes = old->passes;
		}
	}
}

/* A stamp that comes back from outside proves that the MTA owned that passage. */
static void confirm_by_stamps(struct judge *j)
{
	for (unsigned i = 0; i < j->stamp_count && !j->is_inner; i++)
		if (j->stamps[i].is_same && j->stamps[i].txn)
			passage_confirm(j->storm, j->stamps[i].txn, NULL, j->now_ms);
}

/* A filter of our own gave the mail a new queue id. */
static void alias_inner(struct judge *j)
{
	uint64_t queue = txn_queue_hash(j->storm->setup.site_key, j->facts->envelope.queue_id);
	for (unsigned i = 0; i < j->stamp_count; i++) {
		if (!j->stamps[i].txn)
			continue;
		txns_alias(&j->storm->txns, queue, j->stamps[i].txn);
		memcpy(j->key, j->stamps[i].txn->instance, sizeof j->key);
		return;
	}
	memcpy(j->key, j->facts->instance, sizeof j->key);
}

static uint64_t emitter_key(struct judge *j)
{
	return j->door; /* tier_door: the culprit's organisation or address, else the peer's */
}

/* Counts what this mail says of its emitter, before anything is decided on it. */
static void note_emitter(struct judge *j)
{
	struct storm *storm = j->storm;
	struct emitter *e = emitters_get(&storm->emitters, emitter_key(j), j->now_s);
	j->emitter = e;
	if (!e)
		return;
	fuse_settle(&e->fuse, &storm->setup.policy, j->now_s);
	fuse_note_surplus(&e->fuse, j->now_s);
	e->last_s = j->now_s;
	bool is_strong = j->tier.tier == TIER_T2 || j->stamp_count > 0;
	bool is_new_here = instance_add_emitter(j->inst, j->door);
	for (size_t i = 0; i < j->rcpt_count; i++) {
		const struct judged_rcpt *r = &j->rcpts[i];
		if (!r->is_surplus || r->is_repeat)
			continue;
		bool is_first = is_new_here || (!(r->seen.flags & PAIR_HELD) &&
						r->seen.day <= j->inst->emitter_count);
		e->out_weak += !is_strong;
		e->out_strong += is_strong;
		e->in_weak += !is_strong && is_first;
	}
	e->in_strong += is_strong && is_new_here;
}

static void note_surplus(struct judge *j)
{
	if (!j->inst || j->surplus == 0)
		return;
	judge_find_source(j);
	j->force = force_find(j->storm, STORM_DUPLICATE, j->facts->content_public);
	if (!j->force)
		j->force = force_find(j->storm, STORM_LOOP, j->facts->content_public);
	j->is_inst_changed |= fuse_settle(&j->inst->fuse, &j->storm->setup.policy, j->now_s);
	j->is_inst_changed |= fuse_note_surplus(&j->inst->fuse, j->now_s);
	j->state = j->force ? (enum breaker)j->force->state : (enum breaker)j->inst->fuse.state;
	note_emitter(j);
	if (j->tier.tier == TIER_T2 && j->state >= BREAKER_OPEN && j->inst->proofs < UINT8_MAX)
		j->inst->proofs++;
}

static bool prepare(struct judge *j)
{
	const struct facts *f = j->facts;
	j->rcpt_count = f->envelope.rcpt_count;
	if (!f->is_content_whole || j->rcpt_count == 0 || j->rcpt_count > UINT32_MAX / 4)
		return false;
	j->rcpts = arena_alloc(j->arena, j->rcpt_count * sizeof *j->rcpts);
	if (!j->rcpts)
		return false;
	instances_prefetch(&j->storm->instances, f->instance);
	nonces_of(j->storm->setup.site_key, f, j->nonces);
	for (unsigned kind = 0; kind < NONCE_KINDS; kind++)
		nonces_prefetch(&j->storm->nonces, j->nonces[kind]);
	read_stamps(j);
	if (j->is_inner) {
		alias_inner(j);
		j->tier = (struct tier_result){ .tier = TIER_T1, .why = "an inner passage" };
	} else {
		confirm_by_stamps(j);
		classify(j);
	}
	return look_at_pairs(j);
}

/* The verdict's own recipients, all to pass; without memory there are none, and
 * harshest alone says so. */
static void fill_pass(struct judge *j)
{
	struct verdict *v = j->verdict;
	*v = (struct verdict){ .rule = "pass" };
	size_t n = j->facts->envelope.rcpt_count;
	v->rcpts = n ? arena_alloc(j->arena, n * sizeof *v->rcpts) : NULL;
	v->rcpt_count = v->rcpts ? n : 0;
}

void storm_judge(struct storm *storm, const struct facts *facts, int64_t now_ms,
		 struct arena *arena, struct verdict *verdict_out)
{
	struct judge j = { .storm = storm, .facts = facts, .now_ms = now_ms,
			   .now_s = storm_seconds(now_ms), .arena = arena,
			   .verdict = verdict_out };
	storm_advance(storm, now_ms);
	storm->counters.mails++;
	storm->passages++;
	fill_pass(&j);
	if (verdict_out->rcpts && prepare(&j)) {
		count_returns(&j);
		note_surplus(&j);
		for (size_t i = 0; i < judge_rule_count; i++)
			judge_rules[i].apply(&j, &judge_rules[i]);
		judge_finish(&j);
		storm_note_rates(storm, facts, SLICE(""), now_ms);
	} else {
		storm->counters.passed += facts->envelope.rcpt_count;
	}
}

static __attribute__((format(printf, 3, 0))) void set_reason(struct judge *j, const struct rule *rule,
							      const char *format, va_list args)
{
	j->verdict->rule = rule->name;
	vsnprintf(j->verdict->reason, sizeof j->verdict->reason, format, args);
}

void judge_raise(struct judge *j, struct judged_rcpt *rcpt, enum deed deed, const struct rule *rule,
		 const char *format, ...)
{
	if (deed > rcpt->deed)
		rcpt->deed = deed;
	if (deed <= j->verdict->harshest)
		return;
	j->verdict->harshest = deed;
	va_list args;
	va_start(args, format);
	set_reason(j, rule, format, args);
	va_end(args);
}

void judge_alert(struct judge *j, enum storm_class cls, const struct rule *rule,
		 const char *format, ...)
{
	j->is_alert = true;
	if (j->cls == STORM_NONE)
		j->cls = cls;
	if (j->verdict->harshest > DEED_PASS || j->verdict->reason[0] != '\0')
		return;
	va_list args;
	va_start(args, format);
	set_reason(j, rule, format, args);
	va_end(args);
}

void judge_open(struct judge *j, const char *format, ...)
{
	if (j->inst->fuse.state == BREAKER_OPEN)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(j->opener, sizeof j->opener, format, args);
	va_end(args);
	fuse_set(&j->inst->fuse, BREAKER_OPEN, j->now_s);
	j->inst->proofs = j->tier.tier == TIER_T2;
	j->is_opened = j->is_inst_changed = true;
}

enum deed judge_withheld(const struct judge *j)
{
	const struct storm_setup *setup = &j->storm->setup;
	if (!setup->has_confirmation)
		return DEED_HOLD;
	if (j->tier.tier == TIER_T1)
		return DEED_SUPPRESS;
	bool is_proven = j->inst->proofs >= setup->policy.proofs_to_suppress;
	bool is_from_several = !j->is_opened &&
			       j->inst->emitter_count >= setup->policy.proofs_to_suppress;
	return is_proven || is_from_several ? DEED_SUPPRESS : DEED_HOLD;
}

bool judge_is_let_through(const struct judge *j)
{
	return j->force && j->force->state == BREAKER_CLOSED;
}

const char *judge_rcpt_text(const struct judge *j, const struct judged_rcpt *rcpt,
			    char out[RCPT_TEXT_BYTES])
{
	struct slice address = j->facts->envelope.rcpts[rcpt - j->rcpts];
	return log_quote(address, out, RCPT_TEXT_BYTES);
}
