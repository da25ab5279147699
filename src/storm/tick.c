/* SPDX-License-Identifier: Apache-2.0
 *
 * tick: what time alone brings about, a bounded piece at a time: releases that
 * are due, breakers that recover, incidents whose counters changed, old slots.
 */
#include "storm/inner.h"

#include "base/clock.h"

enum {
	RELEASES_A_TICK = 256,
	INCIDENTS_A_TICK = 64,
	SHOW_EVERY_MS = 5 * CLOCK_SECOND_MS,
	SWEEP_SECONDS = 6 * 3600, /* ticks, one a second, for one sweep of all pairs */
	DRIP_EVERY_MS = CLOCK_MINUTE_MS,
	DRIP_PER_MINUTE = 1,
	SLOT_DAYS = 9, /* how old a slot may get before its time is mistaken */
};

void incident_show(struct storm *storm, struct track *track, int64_t now_ms, bool is_change)
{
	track->is_dirty = false;
	track->shown_ms = now_ms;
	if (storm->setup.effects.incident)
		storm->setup.effects.incident(storm->setup.effects.ctx, &track->pub, is_change);
}

/* What stands behind an incident in the table; SUSPECT when nothing does. */
static enum breaker harshest_state(const struct storm *storm, struct track *track, int64_t now_ms,
				   bool *is_found_out)
{
	static const uint8_t harshness[] = { [BREAKER_CLOSED] = 0, [BREAKER_SUSPECT] = 1,
					     [BREAKER_HALF_OPEN] = 2, [BREAKER_OPEN] = 3 };
	enum breaker state = BREAKER_CLOSED;
	*is_found_out = false;
	for (unsigned i = 0; i < track->instance_count; i++) {
		uint32_t now_s = storm_seconds(now_ms);
		struct instance *inst = instances_find(&storm->instances, track->instances[i], now_s);
		if (!inst)
			continue;
		*is_found_out = true;
		if (fuse_settle(&inst->fuse, &storm->setup.policy, now_s))
			state_record_instance(storm, inst, true);
		if (harshness[inst->fuse.state] > harshness[state])
			state = (enum breaker)inst->fuse.state;
	}
	return state;
}

/* An incident without a breaker (an alert, a changed loop) rests after a day. */
static bool is_resting(const struct track *track, int64_t now_ms)
{
	return now_ms - track->pub.last_ms >= CLOCK_DAY_MS;
}

/* Its topic's state; when that is forgotten, it rests after a day. */
static enum breaker topic_state(struct storm *storm, struct track *track, int64_t now_ms)
{
	const struct topic *topic = topic_settled(storm, track, storm_seconds(now_ms));
	if (topic)
		return (enum breaker)topic->state;
	return is_resting(track, now_ms) ? BREAKER_CLOSED : track->pub.state;
}

void incident_settle(struct storm *storm, struct track *track, int64_t now_ms)
{
	struct incident *inc = &track->pub;
	bool is_found = false;
	const struct record_force *force = force_find(storm, inc->cls, inc->content_public);
	enum breaker before = inc->state;
	enum breaker state = track->is_topic ? topic_state(storm, track, now_ms)
					     : harshest_state(storm, track, now_ms, &is_found);
	if (!track->is_topic && (!is_found || state == BREAKER_CLOSED))
		state = is_resting(track, now_ms) ? BREAKER_CLOSED
			: is_found && before >= BREAKER_OPEN ? BREAKER_CLOSED : before;
	if (force)
		state = (enum breaker)force->state;
	if (state == before)
		return;
	inc->state = state;
	if (state == BREAKER_OPEN)
		inc->opened_ms = now_ms;
	if (state == BREAKER_CLOSED)
		inc->closed_ms = now_ms;
}

/* First copies in the hold go out by themselves: bounces at their pace from the start, a
 * ping-pong's mails a day after it began, or once it is over. Said again while there may
 * be more: whoever releases keeps no list of what is still to come. */
static void tick_drip(struct storm *storm, struct track *track, int64_t now_ms)
{
	const struct incident *inc = &track->pub;
	bool is_bounce = inc->cls == STORM_BOUNCE;
	bool is_time = is_bounce || inc->state == BREAKER_CLOSED || now_ms - inc->opened_ms >= CLOCK_DAY_MS;
	bool was_said = track->drip_ms && now_ms >= track->drip_ms && now_ms - track->drip_ms < DRIP_EVERY_MS;
	if (!track->is_drip_due || !is_time || was_said || !storm->setup.effects.drip)
		return;
	track->is_drip_due = false;
	track->drip_ms = now_ms;
	storm->setup.effects.drip(storm->setup.effects.ctx, inc->id,
				  is_bounce ? (unsigned)storm->setup.policy.bounces_per_minute : DRIP_PER_MINUTE);
}

static void tick_incidents(struct storm *storm, int64_t now_ms)
{
	struct incidents *t = &storm->incidents;
	size_t n = t->count < INCIDENTS_A_TICK ? t->count : INCIDENTS_A_TICK;
	for (; n > 0; n--) {
		t->tick_at = t->tick_at + 1 < t->count ? t->tick_at + 1 : 0;
		struct track *track = t->tracks[t->tick_at];
		enum breaker before = track->pub.state;
		incident_settle(storm, track, now_ms);
		tick_drip(storm, track, now_ms);
		if (track->pub.state != before)
			incident_show(storm, track, now_ms, true);
		else if (track->is_dirty && now_ms - track->shown_ms >= SHOW_EVERY_MS)
			incident_show(storm, track, now_ms, false);
	}
}

static void release_due(struct storm *storm, const struct release *due, int64_t now_ms)
{
	struct pair_seen seen = pairs_look(&storm->pairs, due->pair, now_ms);
	struct record_out record;
	record_put_release(&record, due->pair, 0);
	state_record(storm, &record, true);
	if (seen.is_known && !(seen.flags & PAIR_BELIEVED))
		return; /* confirmed in the meantime */
	if (pairs_mark(&storm->pairs, due->pair, 0, PAIR_BELIEVED))
		state_record_mark(storm, due->pair, 0, PAIR_BELIEVED);
	if (storm->setup.effects.release)
		storm->setup.effects.release(storm->setup.effects.ctx, due->pair,
					     "nothing has confirmed that its first copy was taken over");
}

static void tell_rate(void *ctx, const struct rate_alarm *alarm)
{
	const struct storm *storm = ctx;
	if (storm->setup.effects.rate)
		storm->setup.effects.rate(storm->setup.effects.ctx, alarm);
}

static void sweep(struct storm *storm, int64_t now_ms)
{
	struct pairs *p = &storm->pairs;
	uint32_t piece = p->bucket_count / SWEEP_SECONDS + 1;
	pairs_sweep(p, now_ms, piece);
	if (p->sweep_at < piece)
		storm->swept_ms = now_ms;
}

/* Slots keep their time modulo eleven days: a leap of the clock, or ticks that
 * never came, must not make a forgotten mail look new. */
void storm_advance(struct storm *storm, int64_t now_ms)
{
	if (storm->swept_ms == 0)
		storm->swept_ms = now_ms;
	if (now_ms - storm->clock_ms > storm->setup.policy.pair_memory_ms) {
		pairs_clear(&storm->pairs);
		storm->swept_ms = now_ms;
	} else if (now_ms - storm->swept_ms >
		   SLOT_DAYS * (int64_t)CLOCK_DAY_MS - storm->setup.policy.pair_memory_ms) {
		pairs_sweep(&storm->pairs, now_ms, storm->pairs.bucket_count);
		storm->swept_ms = now_ms;
	}
	if (now_ms > storm->clock_ms)
		storm->clock_ms = now_ms;
}

void storm_tick(struct storm *storm, int64_t now_ms)
{
	struct release due;
	storm_advance(storm, now_ms);
	for (int i = 0; i < RELEASES_A_TICK && releases_take_due(&storm->releases, now_ms, &due); i++)
		release_due(storm, &due, now_ms);
	tick_incidents(storm, now_ms);
	rates_tick(storm->rates, now_ms, tell_rate, storm);
	sweep(storm, now_ms);
}
