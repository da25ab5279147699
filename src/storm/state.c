/* SPDX-License-Identifier: Apache-2.0
 *
 * state: the engine's memory as records, out and in again.
 *
 * A record put in twice changes little: pairs are not counted twice for one
 * passage that the ring still has, all else is simply set. What cannot be placed
 * (tables smaller than before) is forgotten, the oldest and single ones first.
 */
#include "storm/inner.h"

void state_record(const struct storm *storm, const struct record_out *r, bool is_urgent)
{
	if (storm->setup.effects.record)
		storm->setup.effects.record(storm->setup.effects.ctx, record_slice(r), is_urgent);
}

void state_record_instance(const struct storm *storm, const struct instance *inst, bool is_urgent)
{
	struct record_out r;
	if (!storm->setup.effects.record)
		return;
	record_put_instance(&r, inst);
	state_record(storm, &r, is_urgent);
}

void state_record_topic(const struct storm *storm, enum storm_class cls, const struct topic *topic)
{
	struct record_out r;
	if (!storm->setup.effects.record)
		return;
	record_put_topic(&r, cls, topic);
	state_record(storm, &r, true);
}

void state_record_mark(const struct storm *storm, const uint8_t pair[PAIR_BYTES], unsigned set,
		       unsigned clear)
{
	struct record_out r;
	record_put_mark(&r, pair, set, clear);
	state_record(storm, &r, false);
}

static void note_clock(struct storm *storm, int64_t now_ms)
{
	if (now_ms > storm->clock_ms)
		storm->clock_ms = now_ms;
}

/* Puts the passage into the ring, or finds it there. */
static struct txn *restore_txn(struct storm *storm, const struct record_passage *p, bool *is_new_out)
{
	struct txn *txn = txns_find(&storm->txns, p->nonce);
	*is_new_out = !txn || txn->rcpt_count != p->count ||
		      (p->count > 0 && !txn_rcpt_find(txn, p->rcpts));
	if (!*is_new_out)
		return txn;
	txn = txns_add(&storm->txns, p->nonce, p->queue, p->count);
	if (!txn)
		return NULL;
	memcpy(txn->instance, p->instance, sizeof txn->instance);
	txn->base = p->base;
	txn->message_id = p->message_id;
	txn->time_s = p->time_s;
	for (uint32_t i = 0; i < p->count; i++) {
		memcpy(txn->rcpts[i].pair, p->rcpts + (size_t)i * RECORD_RCPT_BYTES, PAIR_BYTES);
		txn->rcpts[i].state = TXN_GONE;
	}
	return txn;
}

static bool apply_passage(struct storm *storm, struct slice record, bool is_counted)
{
	struct record_passage p;
	bool is_new;
	if (!record_get_passage(record, &p))
		return false;
	int64_t when_ms = (int64_t)p.time_s * 1000;
	struct txn *txn = restore_txn(storm, &p, &is_new);
	note_clock(storm, when_ms);
	for (uint32_t i = 0; i < p.count; i++) {
		const uint8_t *rcpt = p.rcpts + (size_t)i * RECORD_RCPT_BYTES;
		uint8_t state = rcpt[PAIR_BYTES];
		bool is_known = !is_new && txn->rcpts[i].state == state;
		bool is_taken = state == TXN_TAKEN || (p.is_believed && state == TXN_OFFERED);
		if (txn)
			txn->rcpts[i].state = state;
		if (is_counted && is_taken && !is_known)
			pairs_confirm(&storm->pairs, rcpt, when_ms, p.is_believed);
	}
	return true;
}

static bool apply_pair(struct storm *storm, enum record_kind kind, struct slice record)
{
	uint8_t pair[PAIR_BYTES];
	unsigned set, clear;
	int64_t due_ms;
	if (!record_get_pair(record, pair, &set, &clear, &due_ms))
		return false;
	if (kind == RECORD_FORGET)
		pairs_forget(&storm->pairs, pair);
	else if (kind == RECORD_MARK)
		pairs_mark(&storm->pairs, pair, set, clear);
	else if (due_ms == 0)
		releases_cancel(&storm->releases, pair);
	else
		releases_add(&storm->releases, pair, due_ms);
	return true;
}

static bool apply_instance(struct storm *storm, struct slice record)
{
	struct instance inst;
	if (!record_get_instance(record, &inst))
		return false;
	struct instance *place = instances_find(&storm->instances, inst.key, inst.last_s);
	if (!place)
		place = instances_add(&storm->instances, inst.key, inst.last_s);
	if (place)
		*place = inst;
	note_clock(storm, (int64_t)inst.last_s * 1000);
	return true;
}

static bool apply_emitter(struct storm *storm, struct slice record)
{
	struct emitter e;
	if (!record_get_emitter(record, &e))
		return false;
	struct emitter *place = emitters_get(&storm->emitters, e.key, e.last_s);
	if (place)
		*place = e;
	return true;
}

static bool apply_slots(struct storm *storm, struct slice record)
{
	struct pair_slot slots[RECORD_SLOTS_MAX];
	size_t n = 0;
	while (n < RECORD_SLOTS_MAX && record_get_slot(record, n, &slots[n])) {
		uint8_t pair[PAIR_BYTES] = { 0 };
		memcpy(pair, &slots[n].tag, sizeof slots[n].tag);
		pairs_prefetch(&storm->pairs, pair);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		pairs_insert(&storm->pairs, slots[i], storm->clock_ms);
	return n > 0;
}

static bool apply_clock(struct storm *storm, struct slice record)
{
	int64_t when_ms;
	if (!record_get_clock(record, &when_ms))
		return false;
	note_clock(storm, when_ms);
	if (storm->swept_ms == 0)
		storm->swept_ms = when_ms;
	return true;
}

static bool apply_topic(struct storm *storm, struct slice record)
{
	union any_topic any;
	enum storm_class cls = record_get_topic(record, &any);
	struct topics *t = topics_of(storm, cls);
	struct topic *place = t ? topics_get(t, any.topic.key, any.topic.last_s) : NULL;
	if (place)
		memcpy(place, &any, t->slot_bytes);
	return t != NULL;
}

static bool apply_force(struct storm *storm, struct slice record)
{
	struct record_force force;
	if (!record_get_force(record, &force))
		return false;
	force_apply(storm, &force);
	return true;
}

bool storm_apply(struct storm *storm, struct slice record)
{
	enum record_kind kind = record_kind_of(record);
	switch (kind) {
	case RECORD_CLOCK: return apply_clock(storm, record);
	case RECORD_TAKEN: return apply_passage(storm, record, true);
	case RECORD_PASSAGE: return apply_passage(storm, record, false);
	case RECORD_FORGET:
	case RECORD_MARK:
	case RECORD_RELEASE: return apply_pair(storm, kind, record);
	case RECORD_INSTANCE: return apply_instance(storm, record);
	case RECORD_EMITTER: return apply_emitter(storm, record);
	case RECORD_SLOTS: return apply_slots(storm, record);
	case RECORD_FORCE: return apply_force(storm, record);
	case RECORD_TOPIC: return apply_topic(storm, record);
	case RECORD_RATE: return rates_restore(storm->rates, record_get_rate(record));
	}
	return false;
}

/* Where a snapshot goes; once emit has refused, nothing more is put. */
struct snapshot {
	bool (*emit)(void *ctx, struct slice record);
	void *ctx;
	struct record_out record;
};

static bool put(struct snapshot *s)
{
	return s->emit(s->ctx, record_slice(&s->record));
}

static bool put_slots(const struct storm *storm, struct snapshot *s)
{
	size_t count = (size_t)storm->pairs.bucket_count * PAIR_BUCKET_SLOTS, n = 0;
	record_begin_slots(&s->record);
	for (size_t i = 0; i < count; i++) {
		if (storm->pairs.slots[i].rest == 0)
			continue;
		record_add_slot(&s->record, storm->pairs.slots[i]);
		if (++n < RECORD_SLOTS_MAX)
			continue;
		if (!put(s))
			return false;
		record_begin_slots(&s->record);
		n = 0;
	}
	return n == 0 || put(s);
}

static bool put_instances(const struct storm *storm, struct snapshot *s)
{
	const struct instances *t = &storm->instances;
	for (size_t i = 0; i < (size_t)t->bucket_count * 8; i++) {
		if (t->prints[i] == 0)
			continue;
		record_put_instance(&s->record, &t->entries[i]);
		if (!put(s))
			return false;
	}
	return true;
}

static bool put_txns(const struct storm *storm, struct snapshot *s)
{
	uint64_t at = 0;
	for (const struct txn *txn; (txn = txns_next(&storm->txns, &at));) {
		for (uint32_t from = 0; from < txn->rcpt_count; from += RECORD_RCPTS_MAX) {
			uint32_t n = txn->rcpt_count - from;
			record_put_passage(&s->record, RECORD_PASSAGE, txn, from,
					   n < RECORD_RCPTS_MAX ? n : RECORD_RCPTS_MAX, txn->time_s,
					   !storm->setup.has_confirmation);
			if (!put(s))
				return false;
		}
	}
	return true;
}

static bool put_emitters(const struct storm *storm, struct snapshot *s)
{
	const struct emitters *t = &storm->emitters;
	for (size_t i = 0; i < (size_t)t->bucket_count * 4; i++) {
		if (t->entries[i].key == 0)
			continue;
		record_put_emitter(&s->record, &t->entries[i]);
		if (!put(s))
			return false;
	}
	return true;
}

static bool put_rest(const struct storm *storm, struct snapshot *s)
{
	const struct release *release;
	for (size_t i = 0; (release = releases_at(&storm->releases, i)); i++) {
		if (!release->is_live)
			continue;
		record_put_release(&s->record, release->pair, release->due_ms);
		if (!put(s))
			return false;
	}
	for (unsigned i = 0; i < storm->force_count && i < STORM_FORCES_MAX; i++) {
		record_put_force(&s->record, &storm->forces[i]);
		if (storm->forces[i].is_on && !put(s))
			return false;
	}
	return true;
}

/* What is going on; and of addresses that bounces go to, also what is usual there. */
static bool put_topics(const struct storm *storm, struct snapshot *s)
{
	const struct {
		enum storm_class cls;
		const struct topics *table;
	} rows[] = { { STORM_REPLY_ALL, &storm->threads }, { STORM_PING_PONG, &storm->exchanges },
		     { STORM_BOUNCE, &storm->targets } };
	for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
		for (uint32_t i = 0; i < rows[n].table->slot_count; i++) {
			const struct topic *topic = topics_at(rows[n].table, i);
			if (topic->key == 0 || (topic->state == BREAKER_CLOSED && rows[n].cls != STORM_BOUNCE))
				continue;
			record_put_topic(&s->record, rows[n].cls, topic);
			if (!put(s))
				return false;
		}
	}
	return true;
}

static bool put_rate(void *ctx, struct slice block)
{
	struct snapshot *s = ctx;
	record_put_rate(&s->record, block);
	return put(s);
}

bool storm_snapshot(const struct storm *storm, bool (*emit)(void *ctx, struct slice record), void *ctx)
{
	struct snapshot s = { .emit = emit, .ctx = ctx };
	record_put_clock(&s.record, storm->clock_ms);
	return put(&s) && put_slots(storm, &s) && put_instances(storm, &s) &&
	       put_emitters(storm, &s) && put_txns(storm, &s) && put_topics(storm, &s) &&
	       rates_save(storm->rates, put_rate, &s) && put_rest(storm, &s);
}
