/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_loop: mail that comes back (class 1).
 *
 * With our stamp and equal content a return is plain surplus. With changed
 * content (a footer on every pass) no copy is surplus, so it is only held, after
 * several returns to the same recipient, and told; a person decides.
 */
#include "storm/rules.h"

#include <inttypes.h>

static enum storm_class class_of_return(struct judge *j)
{
	judge_find_source(j);
	return j->culprit.kind == CULPRIT_NONE ? STORM_LOOP : STORM_DUPLICATE;
}

void rule_own_stamp(struct judge *j, const struct rule *rule)
{
	char who[RCPT_TEXT_BYTES];
	if (!j->inst || judge_is_let_through(j))
		return;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		if (!r->is_surplus || !r->is_returned)
			continue;
		j->cls = class_of_return(j);
		judge_rcpt_text(j, r, who);
		judge_open(j, "it came back to %s with our own stamp, %u such return%s", who, r->returns,
			   r->returns == 1 ? "" : "s");
		judge_raise(j, r, judge_withheld(j), rule,
			    "it came back to %s with our own stamp (%u return%s), and that copy was "
			    "taken over: %u confirmed within 24 h", who, r->returns,
			    r->returns == 1 ? "" : "s", r->seen.day);
	}
}

static bool is_delivered_to(const struct facts *f, struct slice rcpt)
{
	for (size_t i = 0; i < f->delivered_to_count; i++)
		if (slice_equal_nocase(f->delivered_to[i], rcpt))
			return true;
	return false;
}

static unsigned hops_for(const struct facts *f, struct slice rcpt)
{
	unsigned count = 0;
	for (size_t i = 0; i < f->hop_count; i++)
		count += slice_equal_nocase(f->hops[i].for_addr, rcpt);
	return count;
}

/* How often this recipient has had the mail through us, by stamps or, where they
 * were stripped, by visits in the chain that were for it. */
static unsigned changed_returns(const struct judge *j, const struct judged_rcpt *r)
{
	const struct facts *f = j->facts;
	int64_t limit = j->storm->setup.policy.loop_changed_max;
	struct slice rcpt = f->envelope.rcpts[r - j->rcpts];
	bool is_for_it = f->own_visits >= limit &&
			 (is_delivered_to(f, rcpt) || hops_for(f, rcpt) >= limit);
	unsigned by_chain = is_for_it ? f->own_visits : 0;
	unsigned by_stamp = j->has_changed_return ? r->returns : 0;
	return by_stamp > by_chain ? by_stamp : by_chain;
}

void rule_changed_loop(struct judge *j, const struct rule *rule)
{
	int64_t limit = j->storm->setup.policy.loop_changed_max;
	char who[RCPT_TEXT_BYTES];
	if (j->is_inner || (j->tier.tier != TIER_FIRST && j->tier.tier != TIER_T3))
		return;
	if (!j->has_changed_return && j->facts->own_visits < limit)
		return;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		unsigned returns = changed_returns(j, &j->rcpts[i]);
		if (returns < limit)
			continue;
		j->cls = STORM_LOOP;
		judge_raise(j, &j->rcpts[i], DEED_HOLD, rule,
			    "it has come back to %s %u times, each time with changed content (limit %"
			    PRId64 ")", judge_rcpt_text(j, &j->rcpts[i], who), returns, limit);
	}
}

void rule_inner_loop(struct judge *j, const struct rule *rule)
{
	int64_t limit = j->storm->setup.policy.inner_passes_max;
	char who[RCPT_TEXT_BYTES];
	for (size_t i = 0; j->is_inner && i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		if (r->passes <= limit)
			continue;
		j->cls = STORM_LOOP;
		judge_raise(j, r, DEED_HOLD, rule,
			    "our own filters have passed it on %u times for %s with one stamp (limit %"
			    PRId64 "): it goes round inside", r->passes, judge_rcpt_text(j, r, who),
			    limit);
	}
}

void rule_hops(struct judge *j, const struct rule *rule)
{
	int64_t limit = j->storm->setup.policy.hops_alert;
	if ((int64_t)j->facts->hop_total > limit)
		judge_alert(j, STORM_LOOP, rule, "it has %zu Received fields (alert above %" PRId64 ")",
			    j->facts->hop_total, limit);
}
