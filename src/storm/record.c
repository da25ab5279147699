/* SPDX-License-Identifier: Apache-2.0
 *
 * record: the bytes of each kind.
 *
 * Written and read by the same pair of cursor functions per width, so that the
 * two sides cannot drift apart: every kind has one "walk" that either puts or
 * gets each field in turn.
 */
#include "storm/record.h"

enum { HEAD_BYTES = 2, SLOT_BYTES = 16 };

/* Puts into out when out is set, else takes from in; is_bad once in is short. */
struct walk {
	struct record_out *out;
	struct slice in;
	bool is_bad;
};

static void walk_bytes(struct walk *w, void *field, size_t n)
{
	if (w->out) {
		memcpy(w->out->bytes + w->out->len, field, n);
		w->out->len += n;
	} else if (w->in.len < n) {
		w->is_bad = true;
		memset(field, 0, n);
	} else {
		memcpy(field, w->in.ptr, n);
		w->in = slice_from(w->in, n);
	}
}

/* The low n bytes of a value, least first. */
static uint64_t walk_int(struct walk *w, uint64_t value, size_t n)
{
	uint8_t bytes[8] = { 0 };
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	walk_bytes(w, bytes, n);
	value = 0;
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

#define WALK(w, field) ((field) = (__typeof__(field))walk_int((w), (uint64_t)(field), sizeof(field)))

static struct walk walk_put(struct record_out *r, enum record_kind kind)
{
	r->len = HEAD_BYTES;
	r->bytes[0] = RECORD_VERSION;
	r->bytes[1] = (uint8_t)kind;
	return (struct walk){ .out = r };
}

static struct walk walk_get(struct slice record)
{
	return (struct walk){ .in = slice_from(record, HEAD_BYTES) };
}

static bool walk_is_fine(const struct walk *w)
{
	return !w->is_bad && w->in.len == 0;
}

struct slice record_slice(const struct record_out *r)
{
	return slice_make(r->bytes, r->len);
}

enum record_kind record_kind_of(struct slice record)
{
	if (record.len < HEAD_BYTES || (uint8_t)record.ptr[0] != RECORD_VERSION)
		return 0;
	unsigned kind = (uint8_t)record.ptr[1];
	return kind >= RECORD_CLOCK && kind <= RECORD_RATE ? kind : 0;
}

void record_put_clock(struct record_out *r, int64_t now_ms)
{
	struct walk w = walk_put(r, RECORD_CLOCK);
	WALK(&w, now_ms);
}

bool record_get_clock(struct slice record, int64_t *now_ms_out)
{
	struct walk w = walk_get(record);
	WALK(&w, *now_ms_out);
	return walk_is_fine(&w);
}

static void walk_passage_head(struct walk *w, struct record_passage *p)
{
	uint8_t flags = p->is_believed;
	uint16_t count = (uint16_t)p->count;
	WALK(w, p->nonce);
	WALK(w, p->queue);
	walk_bytes(w, p->instance, sizeof p->instance);
	WALK(w, p->base);
	WALK(w, p->message_id);
	WALK(w, p->time_s);
	WALK(w, flags);
	WALK(w, count);
	p->is_believed = flags & 1;
	p->count = count;
}

void record_put_passage(struct record_out *r, enum record_kind kind, const struct txn *txn,
			uint32_t from, uint32_t n, uint32_t time_s, bool is_believed)
{
	struct record_passage p = { .nonce = txn->nonce, .queue = txn->queue, .base = txn->base,
				    .message_id = txn->message_id, .time_s = time_s,
				    .is_believed = is_believed, .count = n };
	memcpy(p.instance, txn->instance, sizeof p.instance);
	struct walk w = walk_put(r, kind);
	walk_passage_head(&w, &p);
	for (uint32_t i = from; i < from + n; i++) {
		struct txn_rcpt rcpt = txn->rcpts[i];
		walk_bytes(&w, rcpt.pair, PAIR_BYTES);
		WALK(&w, rcpt.state);
	}
}

bool record_get_passage(struct slice record, struct record_passage *passage_out)
{
	struct walk w = walk_get(record);
	*passage_out = (struct record_passage){ 0 };
	walk_passage_head(&w, passage_out);
	passage_out->rcpts = (const uint8_t *)w.in.ptr;
	return !w.is_bad && passage_out->nonce != 0 && passage_out->count <= RECORD_RCPTS_MAX &&
	       w.in.len == (size_t)passage_out->count * RECORD_RCPT_BYTES;
}

static void put_pair(struct record_out *r, enum record_kind kind, const uint8_t *pair,
		     unsigned set, unsigned clear, int64_t due_ms)
{
	uint8_t copy[PAIR_BYTES], flags[2] = { (uint8_t)set, (uint8_t)clear };
	struct walk w = walk_put(r, kind);
	memcpy(copy, pair, PAIR_BYTES);
	walk_bytes(&w, copy, PAIR_BYTES);
	walk_bytes(&w, flags, sizeof flags);
	WALK(&w, due_ms);
}

void record_put_forget(struct record_out *r, const uint8_t pair[PAIR_BYTES])
{
	put_pair(r, RECORD_FORGET, pair, 0, 0, 0);
}

void record_put_mark(struct record_out *r, const uint8_t pair[PAIR_BYTES], unsigned set,
		     unsigned clear)
{
	put_pair(r, RECORD_MARK, pair, set, clear, 0);
}

void record_put_release(struct record_out *r, const uint8_t pair[PAIR_BYTES], int64_t due_ms)
{
	put_pair(r, RECORD_RELEASE, pair, 0, 0, due_ms);
}

bool record_get_pair(struct slice record, uint8_t pair_out[PAIR_BYTES], unsigned *set_out,
		     unsigned *clear_out, int64_t *due_ms_out)
{
	uint8_t flags[2];
	struct walk w = walk_get(record);
	walk_bytes(&w, pair_out, PAIR_BYTES);
	walk_bytes(&w, flags, sizeof flags);
	WALK(&w, *due_ms_out);
	*set_out = flags[0];
	*clear_out = flags[1];
	return walk_is_fine(&w);
}

static void walk_fuse(struct walk *w, struct fuse *f)
{
	WALK(w, f->last_s);
	WALK(w, f->changed_s);
	WALK(w, f->probe_s);
	for (unsigned i = 0; i < FUSE_GAPS; i++)
		WALK(w, f->gaps_s[i]);
	WALK(w, f->gap_at);
	WALK(w, f->state);
	f->gap_at %= FUSE_GAPS;
	if (f->state > BREAKER_HALF_OPEN)
		w->is_bad = true;
}

static void walk_instance(struct walk *w, struct instance *inst)
{
	walk_bytes(w, inst->key, sizeof inst->key);
	for (unsigned i = 0; i < NONCE_KINDS; i++)
		WALK(w, inst->nonces[i]);
	walk_fuse(w, &inst->fuse);
	WALK(w, inst->first_s);
	WALK(w, inst->last_s);
	WALK(w, inst->first_door);
	WALK(w, inst->foreign_door);
	for (unsigned i = 0; i < INSTANCE_EMITTERS; i++)
		WALK(w, inst->emitters[i]);
	WALK(w, inst->bin_at);
	for (unsigned i = 0; i < INSTANCE_BINS; i++)
		WALK(w, inst->bins[i]);
	WALK(w, inst->sightings);
	WALK(w, inst->emitter_count);
	WALK(w, inst->proofs);
	WALK(w, inst->repeats);
}

void record_put_instance(struct record_out *r, const struct instance *inst)
{
	struct instance copy = *inst;
	struct walk w = walk_put(r, RECORD_INSTANCE);
	walk_instance(&w, &copy);
}

bool record_get_instance(struct slice record, struct instance *inst_out)
{
	struct walk w = walk_get(record);
	*inst_out = (struct instance){ 0 };
	walk_instance(&w, inst_out);
	return walk_is_fine(&w);
}

static void walk_emitter(struct walk *w, struct emitter *e)
{
	WALK(w, e->key);
	walk_fuse(w, &e->fuse);
	WALK(w, e->last_s);
	WALK(w, e->out_weak);
	WALK(w, e->out_strong);
	WALK(w, e->in_weak);
	WALK(w, e->in_strong);
	WALK(w, e->handed);
}

void record_put_emitter(struct record_out *r, const struct emitter *e)
{
	struct emitter copy = *e;
	struct walk w = walk_put(r, RECORD_EMITTER);
	walk_emitter(&w, &copy);
}

bool record_get_emitter(struct slice record, struct emitter *e_out)
{
	struct walk w = walk_get(record);
	*e_out = (struct emitter){ 0 };
	walk_emitter(&w, e_out);
	return walk_is_fine(&w) && e_out->key != 0;
}

/* Slots are many: each word is one load or store where the compiler can. */
static void put_word(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_word(const uint8_t *from)
{
	return (uint64_t)from[0] | (uint64_t)from[1] << 8 | (uint64_t)from[2] << 16 |
	       (uint64_t)from[3] << 24 | (uint64_t)from[4] << 32 | (uint64_t)from[5] << 40 |
	       (uint64_t)from[6] << 48 | (uint64_t)from[7] << 56;
}

void record_begin_slots(struct record_out *r)
{
	walk_put(r, RECORD_SLOTS);
}

void record_add_slot(struct record_out *r, struct pair_slot slot)
{
	put_word(r->bytes + r->len, slot.tag);
	put_word(r->bytes + r->len + 8, slot.rest);
	r->len += SLOT_BYTES;
}

bool record_get_slot(struct slice record, size_t n, struct pair_slot *slot_out)
{
	size_t body = record.len - HEAD_BYTES;
	if (record.len < HEAD_BYTES || body % SLOT_BYTES != 0 || n >= body / SLOT_BYTES)
		return false;
	const uint8_t *at = (const uint8_t *)record.ptr + HEAD_BYTES + n * SLOT_BYTES;
	*slot_out = (struct pair_slot){ get_word(at), get_word(at + 8) };
	return true;
}

static void walk_force(struct walk *w, struct record_force *f)
{
	uint8_t is_on = f->is_on;
	walk_bytes(w, f->content, sizeof f->content);
	WALK(w, f->cls);
	WALK(w, f->state);
	WALK(w, is_on);
	f->is_on = is_on & 1;
	if (f->state > BREAKER_HALF_OPEN)
		w->is_bad = true;
}

void record_put_force(struct record_out *r, const struct record_force *force)
{
	struct record_force copy = *force;
	struct walk w = walk_put(r, RECORD_FORCE);
	walk_force(&w, &copy);
}

bool record_get_force(struct slice record, struct record_force *force_out)
{
	struct walk w = walk_get(record);
	*force_out = (struct record_force){ 0 };
	walk_force(&w, force_out);
	return walk_is_fine(&w);
}

/* --- topics ---------------------------------------------------------------------------- */

static void walk_float(struct walk *w, float *value)
{
	uint32_t bits;
	memcpy(&bits, value, sizeof bits);
	WALK(w, bits);
	memcpy(value, &bits, sizeof bits);
	if (!(*value >= 0 && *value < 1e9f)) /* also when it is no number */
		*value = 0;
}

static void walk_thread(struct walk *w, struct thread *t)
{
	WALK(w, t->root_author);
	WALK(w, t->audience);
	WALK(w, t->sketch_count);
	WALK(w, t->reply_at);
	WALK(w, t->delay_step);
	WALK(w, t->drip_s);
	for (unsigned i = 0; i < TOPIC_SKETCH; i++)
		WALK(w, t->sketch[i]);
	for (unsigned i = 0; i < TOPIC_AUTHORS; i++) {
		struct reply_seen *seen = &t->replies[i];
		uint8_t is_passed = seen->is_passed;
		WALK(w, seen->author);
		WALK(w, seen->mail);
		WALK(w, seen->at_s);
		WALK(w, is_passed);
		seen->is_passed = is_passed & 1;
	}
	if (t->sketch_count > TOPIC_SKETCH || t->reply_at >= TOPIC_AUTHORS || t->delay_step > 16)
		w->is_bad = true;
}

static void walk_exchange(struct walk *w, struct exchange *x)
{
	WALK(w, x->turn_at);
	WALK(w, x->turn_count);
	WALK(w, x->delay_step);
	WALK(w, x->alternations);
	WALK(w, x->next_s);
	for (unsigned i = 0; i < 2; i++) {
		WALK(w, x->mails[i]);
		WALK(w, x->near[i]);
	}
	for (unsigned i = 0; i < TOPIC_TURNS; i++) {
		WALK(w, x->turns[i].at_s);
		WALK(w, x->turns[i].side);
		WALK(w, x->turns[i].flags);
		x->turns[i].side &= 1;
	}
	if (x->turn_at >= TOPIC_TURNS || x->turn_count > TOPIC_TURNS || x->delay_step > 16)
		w->is_bad = true;
}

static void walk_target(struct walk *w, struct bounce_target *b)
{
	WALK(w, b->bin_at);
	WALK(w, b->hour_at);
	WALK(w, b->first_s);
	WALK(w, b->token_s);
	walk_float(w, &b->usual_per_hour);
	walk_float(w, &b->tokens);
	for (unsigned i = 0; i < TOPIC_BINS; i++) {
		WALK(w, b->bins[i]);
		WALK(w, b->known[i]);
	}
	/* Answers and equal reports of the last minutes are not worth keeping. */
}

static enum storm_class walk_topic(struct walk *w, uint8_t cls, union any_topic *any)
{
	struct topic *t = &any->topic;
	WALK(w, cls);
	WALK(w, t->key);
	WALK(w, t->last_s);
	WALK(w, t->changed_s);
	WALK(w, t->state);
	walk_bytes(w, t->digest, sizeof t->digest);
	if (t->state > BREAKER_HALF_OPEN || t->key == 0)
		w->is_bad = true;
	switch (cls) {
	case STORM_REPLY_ALL: walk_thread(w, &any->thread); break;
	case STORM_PING_PONG: walk_exchange(w, &any->exchange); break;
	case STORM_BOUNCE: walk_target(w, &any->target); break;
	default: return STORM_NONE;
	}
	return (enum storm_class)cls;
}

static size_t topic_bytes(enum storm_class cls)
{
	return cls == STORM_REPLY_ALL   ? sizeof(struct thread)
	       : cls == STORM_PING_PONG ? sizeof(struct exchange)
					 : sizeof(struct bounce_target);
}

void record_put_topic(struct record_out *r, enum storm_class cls, const struct topic *topic)
{
	union any_topic copy = { .topic.key = 0 };
	struct walk w = walk_put(r, RECORD_TOPIC);
	memcpy(&copy, topic, topic_bytes(cls));
	walk_topic(&w, (uint8_t)cls, &copy);
}

enum storm_class record_get_topic(struct slice record, union any_topic *topic_out)
{
	struct walk w = walk_get(record);
	*topic_out = (union any_topic){ .topic.key = 0 };
	memset(topic_out, 0, sizeof *topic_out);
	enum storm_class cls = walk_topic(&w, 0, topic_out);
	return walk_is_fine(&w) ? cls : STORM_NONE;
}

void record_put_rate(struct record_out *r, struct slice block)
{
	struct walk w = walk_put(r, RECORD_RATE);
	char copy[RECORD_RATE_BYTES_MAX];
	block = slice_first(block, sizeof copy);
	if (block.len)
		memcpy(copy, block.ptr, block.len);
	walk_bytes(&w, copy, block.len);
}

struct slice record_get_rate(struct slice record)
{
	return slice_from(record, HEAD_BYTES);
}
