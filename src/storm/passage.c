/* SPDX-License-Identifier: Apache-2.0
 *
 * passage: what becomes of a mail after the verdict: taken over, delivered,
 * bounced, or our answer was not accept after all.
 *
 * Only what the MTA owns counts as confirmed (L1). A bounce wipes the pair, also
 * when other copies of it got through: forgetting lets one more surplus copy
 * pass, remembering wrongly would lose a mail (L2).
 */
#include "storm/inner.h"
#include "storm/rules.h"

static void record_taken(const struct storm *storm, const struct txn *txn, int64_t now_ms)
{
	for (uint32_t from = 0; from < txn->rcpt_count; from += RECORD_RCPTS_MAX) {
		uint32_t n = txn->rcpt_count - from;
		struct record_out record;
		record_put_passage(&record, RECORD_TAKEN, txn, from,
				   n < RECORD_RCPTS_MAX ? n : RECORD_RCPTS_MAX,
				   storm_seconds(now_ms), false);
		state_record(storm, &record, false);
	}
}

/* True when the recipient was only offered until now. */
static bool confirm_rcpt(struct storm *storm, struct txn_rcpt *r, int64_t now_ms)
{
	if (r->state != TXN_OFFERED)
		return false;
	r->state = TXN_TAKEN;
	if (storm->setup.has_confirmation) {
		pairs_confirm(&storm->pairs, r->pair, now_ms, false);
		return true;
	}
	/* It was counted when it was offered; now it is more than believed. */
	if (pairs_mark(&storm->pairs, r->pair, 0, PAIR_BELIEVED))
		state_record_mark(storm, r->pair, 0, PAIR_BELIEVED);
	return true;
}

void passage_confirm(struct storm *storm, struct txn *txn, const uint8_t *only, int64_t now_ms)
{
	bool is_any = false;
	for (uint32_t i = 0; i < txn->rcpt_count; i++)
		if (!only || memcmp(txn->rcpts[i].pair, only, PAIR_BYTES) == 0)
			is_any |= confirm_rcpt(storm, &txn->rcpts[i], now_ms);
	if (is_any && storm->setup.has_confirmation)
		record_taken(storm, txn, now_ms);
}

static struct txn *find_queue(const struct storm *storm, struct slice queue_id)
{
	return txns_find_queue(&storm->txns, txn_queue_hash(storm->setup.site_key, queue_id));
}

/* MTAs use queue ids again: an old offer is not what this line is about. */
static bool is_fresh_offer(const struct txn *txn, int64_t now_ms)
{
	uint32_t now_s = storm_seconds(now_ms);
	return now_s <= txn->time_s || now_s - txn->time_s <= TXN_OFFER_S;
}

void storm_queued(struct storm *storm, struct slice queue_id, int64_t now_ms)
{
	storm_advance(storm, now_ms);
	struct txn *txn = find_queue(storm, queue_id);
	if (txn && is_fresh_offer(txn, now_ms))
		passage_confirm(storm, txn, NULL, now_ms);
}

void storm_expanded(struct storm *storm, struct slice queue_id, uint64_t rcpt_count, int64_t now_ms)
{
	storm_advance(storm, now_ms);
	const struct txn *txn = find_queue(storm, queue_id);
	if (txn && is_fresh_offer(txn, now_ms))
		thread_expanded(storm, txn, rcpt_count, storm_seconds(now_ms));
}

/* The passage and its recipient that a log line speaks of; NULL when forgotten. */
static struct txn_rcpt *find_rcpt(const struct storm *storm, struct txn *txn, struct slice rcpt)
{
	uint8_t pair[PAIR_BYTES];
	if (!txn)
		return NULL;
	pair_name(storm->setup.site_key, txn->instance, rcpt, pair);
	return txn_rcpt_find(txn, pair);
}

void storm_delivered(struct storm *storm, struct slice queue_id, struct slice rcpt, int64_t now_ms)
{
	storm_advance(storm, now_ms);
	struct txn *txn = find_queue(storm, queue_id);
	const struct txn_rcpt *r = find_rcpt(storm, txn, rcpt);
	if (r && is_fresh_offer(txn, now_ms))
		passage_confirm(storm, txn, r->pair, now_ms);
}

static void forget_pair(struct storm *storm, const uint8_t pair[PAIR_BYTES])
{
	struct record_out record;
	pairs_forget(&storm->pairs, pair);
	record_put_forget(&record, pair);
	state_record(storm, &record, false);
}

static void cancel_release(struct storm *storm, const uint8_t pair[PAIR_BYTES])
{
	struct record_out record;
	releases_cancel(&storm->releases, pair);
	record_put_release(&record, pair, 0);
	state_record(storm, &record, false);
}

static void release(const struct storm *storm, const uint8_t pair[PAIR_BYTES], const char *why)
{
	if (storm->setup.effects.release)
		storm->setup.effects.release(storm->setup.effects.ctx, pair, why);
}

void storm_bounced(struct storm *storm, struct slice queue_id, struct slice rcpt, int64_t now_ms)
{
	storm_advance(storm, now_ms);
	struct txn *txn = find_queue(storm, queue_id);
	struct txn_rcpt *r = find_rcpt(storm, txn, rcpt);
	if (!r || r->state == TXN_GONE || r->state == TXN_WITHHELD)
		return; /* of an old offer too: to forget is always safe */
	r->state = TXN_GONE;
	struct pair_seen seen = pairs_look(&storm->pairs, r->pair, now_ms);
	uint8_t pair[PAIR_BYTES];
	memcpy(pair, r->pair, PAIR_BYTES);
	forget_pair(storm, pair);
	if (seen.is_known && (seen.flags & PAIR_BELIEVED) && (seen.flags & PAIR_HELD))
		cancel_release(storm, pair); /* it is released right now */
	if (seen.flags & PAIR_HELD)
		release(storm, pair, "the copy that was taken over has bounced");
}

static void withdraw_rcpt(struct storm *storm, struct txn_rcpt *r)
{
	bool was_believed = r->state == TXN_OFFERED && !storm->setup.has_confirmation;
	if (r->state == TXN_WITHHELD && r->is_released) {
		/* The hold failed: nothing is there to release, so a later copy must
		 * be able to schedule it anew. */
		cancel_release(storm, r->pair);
		if (pairs_mark(&storm->pairs, r->pair, 0, PAIR_HELD))
			state_record_mark(storm, r->pair, 0, PAIR_HELD);
	}
	if (r->state != TXN_TAKEN)
		r->state = TXN_GONE;
	if (was_believed)
		forget_pair(storm, r->pair);
}

void storm_withdraw(struct storm *storm, uint64_t nonce, int64_t now_ms)
{
	storm_advance(storm, now_ms);
	struct txn *txn = txns_find(&storm->txns, nonce);
	for (uint32_t i = 0; txn && i < txn->rcpt_count; i++)
		withdraw_rcpt(storm, &txn->rcpts[i]);
}
