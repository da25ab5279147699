/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_flood: surplus of one mail (class 2). Only surplus is ever touched: the
 * same mail to the same recipient, for whom a copy was already taken over.
 */
#include "storm/rules.h"

#include <inttypes.h>
#include <stdio.h>

/* Is there anything to judge? */
static bool has_surplus(const struct judge *j)
{
	return j->inst && j->surplus > 0 && !judge_is_let_through(j);
}

static void age_text(const struct judge *j, uint32_t since_s, char out[32])
{
	uint32_t age_s = j->now_s > since_s ? j->now_s - since_s : 0;
	if (age_s < 120)
		snprintf(out, 32, "%" PRIu32 " s", age_s);
	else if (age_s < 2 * 3600)
		snprintf(out, 32, "%" PRIu32 " min", age_s / 60);
	else
		snprintf(out, 32, "%" PRIu32 " h", age_s / 3600);
}

/* One surplus copy may be let through to see whether the storm is over. */
static const struct judged_rcpt *take_probe(struct judge *j)
{
	if (j->state != BREAKER_HALF_OPEN || !fuse_take_probe(&j->inst->fuse, j->now_s))
		return NULL;
	j->is_inst_changed = true;
	for (size_t i = 0; i < j->rcpt_count; i++)
		if (j->rcpts[i].is_surplus && j->rcpts[i].deed < DEED_HOLD)
			return &j->rcpts[i];
	return NULL;
}

void rule_breaker(struct judge *j, const struct rule *rule)
{
	char who[RCPT_TEXT_BYTES], age[32];
	if (!has_surplus(j) || j->state < BREAKER_OPEN)
		return;
	age_text(j, j->inst->fuse.changed_s, age);
	const struct judged_rcpt *probe = take_probe(j);
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		if (!r->is_surplus)
			continue;
		if (r == probe) {
			judge_raise(j, r, DEED_TAG, rule,
				    "the storm of this mail was quiet: one surplus copy, for %s, may "
				    "pass; %s", judge_rcpt_text(j, r, who), j->tier.why);
			continue;
		}
		if (j->state == BREAKER_HALF_OPEN)
			judge_open(j, "the storm went on after a quiet time");
		judge_raise(j, r, judge_withheld(j), rule,
			    "the breaker of this mail %s%s: copy for %s, which has %u confirmed within "
			    "24 h; %s", j->force ? "was opened by an operator" : "is open since ",
			    j->force ? "" : age, judge_rcpt_text(j, r, who), r->seen.day, j->tier.why);
	}
}

static bool is_over_hour(const struct judge *j, const struct judged_rcpt *r)
{
	return r->seen.hour >= j->storm->setup.policy.pair_hour_max;
}

void rule_pair(struct judge *j, const struct rule *rule)
{
	const struct storm_policy *policy = &j->storm->setup.policy;
	char who[RCPT_TEXT_BYTES];
	if (!has_surplus(j) || j->state >= BREAKER_OPEN)
		return;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		bool is_hour = is_over_hour(j, r);
		if (!r->is_surplus || (!is_hour && r->seen.day < policy->pair_day_max))
			continue;
		judge_rcpt_text(j, r, who);
		unsigned had = is_hour ? r->seen.hour : r->seen.day;
		int64_t limit = is_hour ? policy->pair_hour_max : policy->pair_day_max;
		judge_open(j, "copy %u for %s: %u copies already confirmed within %s (limit %" PRId64 ")",
			   had + 1, who, had, is_hour ? "1 h" : "24 h", limit);
		judge_raise(j, r, judge_withheld(j), rule,
			    "copy %u for %s: %u copies already confirmed within %s (limit %" PRId64
			    "); %s", had + 1, who, had, is_hour ? "1 h" : "24 h", limit, j->tier.why);
	}
	/* The breaker is open from this recipient on: the rest of the mail too. */
	for (size_t i = 0; j->is_opened && i < j->rcpt_count; i++)
		if (j->rcpts[i].is_surplus)
			judge_raise(j, &j->rcpts[i], judge_withheld(j), rule,
				    "the breaker of this mail is open; %s", j->tier.why);
}

void rule_instance(struct judge *j, const struct rule *rule)
{
	const struct storm_policy *policy = &j->storm->setup.policy;
	if (!has_surplus(j) || j->state >= BREAKER_OPEN)
		return;
	unsigned before = instance_surplus(j->inst, j->now_s);
	if (before + j->surplus < policy->instance_surplus_max)
		return;
	judge_open(j, "%u surplus copies of this mail within 1 h (limit %" PRId64
		      "), %u of them in one transaction",
		   before + j->surplus, policy->instance_surplus_max, j->surplus);
	for (size_t i = 0; i < j->rcpt_count; i++)
		if (j->rcpts[i].is_surplus)
			judge_raise(j, &j->rcpts[i], judge_withheld(j), rule,
				    "%u surplus copies of this mail within 1 h (limit %" PRId64
				    "), %u of them in this transaction; %s",
				    before + j->surplus, policy->instance_surplus_max, j->surplus,
				    j->tier.why);
}

/* Opens the emitter's breaker when it is nearly certain that it multiplies. One
 * pair alone is the pair rule's matter: a server that repeats one text to one
 * recipient multiplies nothing. */
static void judge_emitter(struct judge *j, struct emitter *e)
{
	const struct storm_policy *policy = &j->storm->setup.policy;
	uint32_t out = emitter_out(e);
	bool is_single = e->in_weak + e->in_strong <= 1 && j->surplus < 2 && out < 2 * policy->pair_day_max;
	if (e->fuse.state >= BREAKER_OPEN || is_single || out < policy->emitter_surplus_min)
		return;
	double certainty = emitter_certainty(out, emitter_in(e));
	if (certainty * 1000 <= (double)policy->emitter_certainty_permille)
		return;
	fuse_set(&e->fuse, BREAKER_OPEN, j->now_s);
	struct record_out record;
	record_put_emitter(&record, e);
	state_record(j->storm, &record, true);
}

void rule_emitter(struct judge *j, const struct rule *rule)
{
	struct emitter *e = j->emitter;
	if (!has_surplus(j) || !e || j->state >= BREAKER_OPEN || j->is_opened)
		return;
	judge_emitter(j, e);
	bool may_probe = e->fuse.state == BREAKER_HALF_OPEN && fuse_take_probe(&e->fuse, j->now_s);
	if (e->fuse.state < BREAKER_OPEN || may_probe)
		return;
	fuse_set(&e->fuse, BREAKER_OPEN, e->fuse.state == BREAKER_OPEN ? e->fuse.changed_s : j->now_s);
	uint32_t out = emitter_out(e), in = emitter_in(e);
	double certainty = emitter_certainty(out, in);
	judge_open(j, "the server it came from has sent %" PRIu32 " surplus copies for %" PRIu32
		      " mails: it multiplies (certainty %.3f)", out, in, certainty);
	for (size_t i = 0; i < j->rcpt_count; i++)
		if (j->rcpts[i].is_surplus)
			judge_raise(j, &j->rcpts[i], judge_withheld(j), rule,
				    "the server it came from has sent %" PRIu32 " surplus copies for %"
				    PRIu32 " mails: it multiplies (certainty %.3f, limit %.3f); %s",
				    out, in, certainty,
				    (double)j->storm->setup.policy.emitter_certainty_permille / 1000,
				    j->tier.why);
}

void rule_surplus(struct judge *j, const struct rule *rule)
{
	const struct storm_policy *policy = &j->storm->setup.policy;
	char who[RCPT_TEXT_BYTES];
	for (size_t i = 0; j->surplus > 0 && i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		if (r->is_surplus)
			judge_raise(j, r, DEED_TAG, rule,
				    "surplus within the budget: copy for %s, which has %u confirmed "
				    "within 1 h (limit %" PRId64 ") and %u within 24 h (limit %" PRId64
				    "); %s", judge_rcpt_text(j, r, who), r->seen.hour,
				    policy->pair_hour_max, r->seen.day, policy->pair_day_max, j->tier.why);
	}
}
