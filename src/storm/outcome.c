/* SPDX-License-Identifier: Apache-2.0
 *
 * outcome: what was decided is written down: the passage in the ring, flags of
 * pairs, the instance, the incident, the verdict.
 *
 * A copy is only withheld when its later release can be promised: where nothing
 * confirms, a full release ring turns a hold into a delivery.
 */
#include "storm/judge.h"
#include "storm/parties.h"
#include "storm/rules.h"

#include <stdio.h>

/* Observe mode: the verdict says what would have been done, and tags. */
static void soften(struct judge *j)
{
	char reason[REASON_BYTES];
	if (j->storm->setup.is_guard || j->verdict->harshest <= DEED_TAG)
		return;
	j->is_drip = false;
	memcpy(reason, j->verdict->reason, sizeof reason);
	snprintf(j->verdict->reason, sizeof j->verdict->reason, "observing only, else \"%s\": %.370s",
		 deed_name(j->verdict->harshest), reason);
	for (size_t i = 0; i < j->rcpt_count; i++)
		if (j->rcpts[i].deed > DEED_TAG)
			j->rcpts[i].deed = DEED_TAG;
}

/* A believed pair's first withheld copy gets a time at which one is let go. */
static bool schedule_release(struct judge *j, struct judged_rcpt *r)
{
	struct storm *storm = j->storm;
	int64_t due_ms = j->now_ms + storm->setup.policy.unconfirmed_release_ms;
	struct record_out record;
	if (!releases_add(&storm->releases, r->pair, due_ms))
		return false;
	record_put_release(&record, r->pair, due_ms);
	state_record(storm, &record, true);
	return true;
}

/* Returns whether a release was scheduled by this passage. */
static bool withhold(struct judge *j, struct judged_rcpt *r)
{
	bool is_believed = r->seen.flags & PAIR_BELIEVED, is_first = !(r->seen.flags & PAIR_HELD);
	bool is_scheduled = false;
	if (!r->is_surplus || r->is_repeat)
		return false;
	if (is_believed && is_first) {
		is_scheduled = schedule_release(j, r);
		if (!is_scheduled) {
			r->deed = DEED_TAG;
			return false;
		}
	}
	if (is_first && pairs_mark(&j->storm->pairs, r->pair, PAIR_HELD, 0))
		state_record_mark(j->storm, r->pair, PAIR_HELD, 0);
	return is_scheduled;
}

/* A mail to one address, that may be a list: if the server makes many of it, replies to
 * all of them are worth watching. */
static void fill_thread(struct judge *j, struct txn *txn)
{
	const struct facts *f = j->facts;
	if (j->rcpt_count != 1 || f->auto_marks)
		return;
	txn->thread = thread_key(f);
	txn->author = judge_address(j, f->from.local, f->from.domain);
	txn->mailbox = judge_mailbox(j, f->envelope.rcpts[0]);
}

static void fill_passage(struct judge *j, struct txn *txn, const bool *is_scheduled)
{
	const uint8_t *key = j->storm->setup.site_key;
	memcpy(txn->instance, j->key, sizeof txn->instance);
	memcpy(&txn->base, j->facts->instance, sizeof txn->base);
	txn->message_id = nonce_message_id(key, j->facts);
	txn->time_s = j->now_s;
	fill_thread(j, txn);
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct txn_rcpt *r = &txn->rcpts[i];
		memcpy(r->pair, j->rcpts[i].pair, PAIR_BYTES);
		r->state = j->rcpts[i].is_repeat	     ? TXN_GONE
			   : j->rcpts[i].deed < DEED_DEFER ? TXN_OFFERED
							   : TXN_WITHHELD;
		r->is_released = is_scheduled && is_scheduled[i];
	}
}

/* With no source of confirmation what we offer is believed to be taken. */
static void believe(struct judge *j, struct txn *txn)
{
	struct storm *storm = j->storm;
	for (size_t i = 0; i < j->rcpt_count; i++)
		if (txn->rcpts[i].state == TXN_OFFERED)
			pairs_confirm(&storm->pairs, txn->rcpts[i].pair, j->now_ms, true);
	for (uint32_t from = 0; from < txn->rcpt_count; from += RECORD_RCPTS_MAX) {
		uint32_t n = txn->rcpt_count - from;
		struct record_out record;
		record_put_passage(&record, RECORD_TAKEN, txn, from,
				   n < RECORD_RCPTS_MAX ? n : RECORD_RCPTS_MAX, j->now_s, true);
		state_record(storm, &record, false);
	}
}

static uint64_t next_nonce(struct storm *storm)
{
	uint64_t counter[2] = { storm->stamp_nonces, storm->passages };
	uint64_t nonce = hash_sip128(storm->setup.site_key, slice_make(counter, sizeof counter)).lo;
	return nonce ? nonce : 1;
}

static void register_passage(struct judge *j)
{
	struct storm *storm = j->storm;
	uint64_t nonce = next_nonce(storm);
	uint64_t queue = txn_queue_hash(storm->setup.site_key, j->facts->envelope.queue_id);
	bool *is_scheduled = NULL;
	if (j->verdict->harshest >= DEED_DEFER)
		is_scheduled = arena_alloc(j->arena, j->rcpt_count * sizeof *is_scheduled);
	for (size_t i = 0; i < j->rcpt_count; i++) {
		if (j->rcpts[i].deed < DEED_DEFER)
			continue;
		bool is_now = withhold(j, &j->rcpts[i]);
		if (is_scheduled)
			is_scheduled[i] = is_now;
	}
	txns_prefetch(&storm->txns, nonce, queue);
	struct txn *txn = txns_add(&storm->txns, nonce, queue, (uint32_t)j->rcpt_count);
	if (!txn)
		return;
	fill_passage(j, txn, is_scheduled);
	j->verdict->txn = nonce;
	if (!storm->setup.has_confirmation)
		believe(j, txn);
}

static void note_instance(struct judge *j)
{
	struct instance *inst = j->inst;
	if (!inst)
		return;
	instance_note_sighting(inst, j->now_s);
	if (j->surplus > 0)
		instance_add_surplus(inst, j->now_s, j->surplus);
	if (j->is_inst_changed)
		state_record_instance(j->storm, inst, j->is_opened);
}

/* Copies of a stormy mail that pass us to the mailboxes of a known emitter. */
static void note_handed(struct judge *j)
{
	if (!j->inst || j->surplus == 0 || j->storm->emitters.used == 0)
		return;
	for (size_t i = 0; i < j->rcpt_count && i < 64; i++) {
		struct slice rcpt = j->facts->envelope.rcpts[i];
		size_t at = slice_find_byte(rcpt, 0, '@');
		if (j->rcpts[i].deed >= DEED_DEFER || at >= rcpt.len)
			continue;
		struct peer mailbox = { .org = domain_org(slice_from(rcpt, at + 1)) };
		const struct culprit none = { 0 };
		uint32_t key = tier_door(j->storm->setup.site_key, &mailbox, &none);
		struct emitter *e = emitters_find(&j->storm->emitters, key, j->now_s);
		if (e)
			e->handed++;
	}
}

static void settle_verdict(struct judge *j)
{
	struct verdict *v = j->verdict;
	struct storm_counters *c = &j->storm->counters;
	uint64_t *const counts[DEED_COUNT] = { &c->passed, &c->tagged, &c->deferred, &c->held,
					       &c->suppressed };
	v->tier = j->tier.tier;
	v->harshest = DEED_PASS;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		const struct judged_rcpt *r = &j->rcpts[i];
		v->rcpts[i].deed = r->deed;
		v->rcpts[i].is_first = !r->is_surplus;
		memcpy(v->rcpts[i].pair, r->pair, PAIR_BYTES);
		v->rcpts[i].confirmed = r->seen.day;
		if (r->deed > v->harshest)
			v->harshest = r->deed;
		(*counts[r->deed])++;
	}
}

static bool is_worth_an_incident(const struct judge *j)
{
	bool is_second_surplus = false;
	for (size_t i = 0; i < j->rcpt_count; i++)
		is_second_surplus |= j->rcpts[i].is_surplus && j->rcpts[i].seen.day >= 2;
	return j->is_alert || j->is_opened || j->verdict->harshest >= DEED_DEFER ||
	       (j->surplus > 0 && (j->tier.tier == TIER_T2 || j->state >= BREAKER_OPEN)) ||
	       is_second_surplus;
}

/* A storm of many mails is followed under its topic's name. */
static struct track *find_topic_track(struct judge *j)
{
	struct track *track = incidents_get(&j->storm->incidents, j->topic_cls, j->topic->digest, j->now_ms);
	if (track)
		track->topic_key = j->topic->key;
	if (track && !track->is_topic) {
		track->is_topic = true;
		track->pub.copies = j->before;
	}
	return track;
}

/* Begun now, or already followed (then every mail of its content counts). */
static struct track *find_track(struct judge *j)
{
	if (j->topic)
		return find_topic_track(j);
	struct incidents *t = &j->storm->incidents;
	const uint8_t *content = j->facts->content_public;
	struct track *track = NULL;
	if (t->count > 0) {
		track = incidents_find(t, STORM_DUPLICATE, content);
		if (!track)
			track = incidents_find(t, STORM_LOOP, content);
	}
	if (track || !is_worth_an_incident(j))
		return track;
	track = incidents_get(t, j->cls == STORM_NONE ? STORM_DUPLICATE : j->cls, content, j->now_ms);
	if (track && j->inst && j->inst->sightings > 1) {
		track->pub.copies = j->inst->sightings - 1u;
		track->pub.first_ms = (int64_t)j->inst->first_s * 1000;
	}
	return track;
}

static void tally_counts(struct judge *j, struct incident *inc)
{
	inc->copies++;
	inc->t1 += j->tier.tier == TIER_T1;
	inc->t2 += j->tier.tier == TIER_T2;
	inc->t3 += j->tier.tier == TIER_T3;
	inc->surplus += j->surplus;
	inc->last_ms = j->now_ms;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		const struct judged_rcpt *r = &j->rcpts[i];
		if (r->is_repeat)
			continue;
		inc->pairs++;
		inc->held += r->deed == DEED_HOLD;
		inc->suppressed += r->deed == DEED_SUPPRESS;
		inc->deferred += r->deed == DEED_DEFER;
		inc->passed += r->is_surplus && r->deed < DEED_DEFER;
	}
}

static void tally_parties(struct judge *j, struct track *track)
{
	/* Who takes part in a storm of people or of machines that answer is not guilty of it. */
	if (j->topic || (j->surplus == 0 && !j->is_alert && j->verdict->harshest < DEED_DEFER))
		return;
	judge_find_source(j);
	struct hash128 peer = hash_sip128(j->storm->setup.site_key,
					  slice_make(j->peer.ip.bytes, sizeof j->peer.ip.bytes));
	parties_note(track, &(struct sighting){ .facts = j->facts, .peer = &j->peer,
						.culprit = &j->culprit, .surplus = j->surplus,
						.now_ms = j->now_ms, .peer_hash = peer.lo });
}

static void tally(struct judge *j)
{
	struct track *track = find_track(j);
	if (!track)
		return;
	struct incident *inc = &track->pub;
	enum breaker before = inc->state;
	bool is_begun = inc->pairs == 0;
	tally_counts(j, inc);
	incident_describe(inc, j->facts);
	if (j->inst && !j->topic)
		track_add_instance(track, j->key);
	for (size_t i = 0; i < j->rcpt_count; i++) {
		uint32_t hash = (uint32_t)hash_sip128(j->storm->setup.site_key,
						      j->facts->envelope.rcpts[i]).lo;
		track_add_rcpt(track, hash);
	}
	tally_parties(j, track);
	memcpy(j->verdict->incident, inc->id, sizeof j->verdict->incident);
	j->verdict->cls = inc->cls;
	if (j->opener[0] != '\0')
		memcpy(inc->opener, j->opener, sizeof inc->opener);
	if (!j->topic && j->verdict->harshest >= DEED_DEFER && !j->inst) /* no breaker stands behind it */
		inc->state = BREAKER_OPEN;
	if (!j->topic && inc->state == BREAKER_CLOSED)
		inc->state = BREAKER_SUSPECT;
	track->is_drip_due |= j->is_drip;
	incident_settle(j->storm, track, j->now_ms);
	track->is_dirty = true;
	if (is_begun || inc->state != before)
		incident_show(j->storm, track, j->now_ms, true);
}

void judge_tell(struct judge *j)
{
	tally(j);
}

void judge_finish(struct judge *j)
{
	soften(j);
	note_handed(j);
	if (!j->is_inner)
		register_passage(j);
	note_instance(j);
	settle_verdict(j);
	tally(j);
}
