/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_bounce: bounces that flood one address (class 5), and bursts of automatic answers.
 *
 * Bounces of mail that we saw leave (its Message-ID is known) are what a campaign earns;
 * they are told, and pass. Of mail that was never sent they are backscatter or a loop's
 * refusals: from 50 an hour and ten times the usual on, they pass at a pace, and the
 * others wait in the hold, out of which they follow at the same pace. Nothing is thrown
 * away; a bounce that says what three before it have said waits at once.
 *
 * Answers that people's programs give to one mail (eight and more within a minute, from
 * different senders) are told only.
 */
#include "storm/rules.h"

#include "mail/gist.h"
#include "mail/subject.h"

#include <inttypes.h>
#include <math.h>

enum {
	BOUNCE_BIN_S = 600,
	BOUNCE_TIMES_USUAL = 10,
	BOUNCE_QUIET_FACTOR = 2,      /* over when less than so many times the usual, for an hour */
	BOUNCE_SAME_MAX = 3,          /* that say the same */
	BOUNCE_HALF_LIFE_HOURS = 14 * 24,
	ANSWERS_SPAN_S = 60, ANSWERS_TELL = 8,
	HOUR_S = 3600,
};

/* With its +detail: a mailing whose bounces come back each to an address of its own (VERP)
 * is many targets, and none of them is flooded. */
static uint64_t target_key(const struct judge *j, struct slice rcpt)
{
	uint64_t seed;
	memcpy(&seed, j->storm->setup.site_key, sizeof seed);
	return hash_mix_nocase(seed, rcpt) * UINT64_C(0x94d049bb133111eb) | 1;
}

/* --- how many, how many usually ----------------------------------------------------------- */

static void turn_bins(struct bounce_target *b, uint32_t now_s)
{
	uint32_t bin = now_s / BOUNCE_BIN_S;
	uint32_t steps = bin > b->bin_at ? bin - b->bin_at : 0;
	if (steps > TOPIC_BINS)
		steps = TOPIC_BINS;
	for (uint32_t i = 1; i <= steps; i++) {
		uint32_t at = (bin - steps + i) % TOPIC_BINS;
		b->bins[at] = b->known[at] = 0;
	}
	if (bin > b->bin_at)
		b->bin_at = bin;
}

static unsigned sum_bins(const uint16_t bins[TOPIC_BINS])
{
	unsigned sum = 0;
	for (unsigned i = 0; i < TOPIC_BINS; i++)
		sum += bins[i];
	return sum;
}

/* The hours since the last look enter the mean; during a storm nothing is learnt. */
static void learn_usual(struct bounce_target *b, uint32_t now_s)
{
	uint32_t hour = now_s / HOUR_S;
	if (b->hour_at == 0 || hour <= b->hour_at) {
		b->hour_at = b->hour_at ? b->hour_at : hour;
		return;
	}
	double keep = pow(.5, (double)(hour - b->hour_at) / BOUNCE_HALF_LIFE_HOURS);
	double one = 1 - pow(.5, 1.0 / BOUNCE_HALF_LIFE_HOURS);
	if (b->topic.state < BREAKER_OPEN)
		b->usual_per_hour = (float)(b->usual_per_hour * keep + one * sum_bins(b->bins));
	b->hour_at = hour;
}

bool bounce_settle(struct bounce_target *b, uint32_t now_s)
{
	struct topic *topic = &b->topic;
	learn_usual(b, now_s);
	turn_bins(b, now_s);
	uint32_t age_s = now_s > topic->changed_s ? now_s - topic->changed_s : 0;
	double quiet = BOUNCE_QUIET_FACTOR * (double)b->usual_per_hour;
	if (topic->state == BREAKER_CLOSED || age_s < HOUR_S || sum_bins(b->bins) > quiet)
		return false;
	topic->state = BREAKER_CLOSED;
	topic->changed_s = now_s;
	return true;
}

/* --- the two kinds of mail ------------------------------------------------------------------ */

static bool is_known(const struct judge *j)
{
	const struct facts *f = j->facts;
	const uint8_t *key = j->storm->setup.site_key;
	bool is_it = sent_holds(&j->storm->sent, gist_message_id(key, f->in_reply_to)) ||
		     sent_holds(&j->storm->sent, gist_message_id(key, f->references_last));
	for (unsigned i = 0; i < f->report_id_count; i++)
		is_it |= sent_holds(&j->storm->sent, f->report_ids[i]);
	return is_it;
}

/* How many bounces before this one said the same to this address. */
static unsigned note_report(const struct judge *j, struct bounce_target *b)
{
	uint32_t key = (uint32_t)j->facts->report_key | 1;
	if (!j->facts->has_report)
		return 0;
	for (unsigned i = 0; i < TOPIC_REPORTS; i++)
		if (b->reports[i].key == key)
			return b->reports[i].count++;
	b->reports[b->report_at].key = key;
	b->reports[b->report_at].count = 1;
	b->report_at = (uint8_t)((b->report_at + 1) % TOPIC_REPORTS);
	return 0;
}

/* The hold lane's bucket: may one pass now? */
static bool take_token(struct bounce_target *b, double per_minute, uint32_t now_s)
{
	double gained = now_s > b->token_s ? (now_s - b->token_s) * per_minute / 60 : 0;
	b->tokens = (float)fmin(per_minute, b->tokens + gained);
	b->token_s = now_s;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

static void slow_down(struct judge *j, struct judged_rcpt *r, struct bounce_target *b, unsigned same,
		      const struct rule *rule)
{
	double per_minute = (double)j->storm->setup.policy.bounces_per_minute;
	char who[RCPT_TEXT_BYTES];
	judge_rcpt_text(j, r, who);
	if (j->is_observed || (same < BOUNCE_SAME_MAX && take_token(b, per_minute, j->now_s))) {
		judge_raise(j, r, DEED_TAG, rule, "bounces flood %s; this one passes, as %.0f do a minute", who,
			    per_minute);
		return;
	}
	judge_raise(j, r, DEED_HOLD, rule,
		    "%u bounces to %s within an hour (usual there: %.1f), of mail that was not sent from here: "
		    "held, and let go at %.0f a minute", sum_bins(b->bins), who, (double)b->usual_per_hour, per_minute);
	j->is_drip = true;
}

static void judge_bounce(struct judge *j, struct judged_rcpt *r, struct bounce_target *b, const struct rule *rule)
{
	const struct storm_policy *policy = &j->storm->setup.policy;
	char who[RCPT_TEXT_BYTES];
	unsigned at = b->bin_at % TOPIC_BINS, same = note_report(j, b);
	if (b->bins[at] < UINT16_MAX) {
		b->bins[at]++;
		b->known[at] = (uint16_t)(b->known[at] + is_known(j));
	}
	unsigned hour = sum_bins(b->bins), known = sum_bins(b->known);
	bool is_flood = hour >= policy->bounces_hour_min && hour >= BOUNCE_TIMES_USUAL * (double)b->usual_per_hour;
	bool is_earned = 2 * known >= hour;
	enum breaker state = judge_topic_state(j, STORM_BOUNCE, &b->topic);
	judge_rcpt_text(j, r, who);
	if (is_flood && state < (is_earned ? BREAKER_SUSPECT : BREAKER_OPEN)) {
		j->before = hour - 1;
		judge_enter(j, STORM_BOUNCE, &b->topic, is_earned ? BREAKER_SUSPECT : BREAKER_OPEN,
			    "%u bounces to %s within an hour, %u of them of mail that was seen to leave (usual "
			    "there: %.1f an hour)", hour, who, known, (double)b->usual_per_hour);
		b->token_s = j->now_s;
		state = judge_topic_state(j, STORM_BOUNCE, &b->topic);
	}
	if (state == BREAKER_CLOSED)
		return;
	judge_about(j, STORM_BOUNCE, &b->topic);
	if (state >= BREAKER_OPEN)
		slow_down(j, r, b, same, rule);
}

/* Many programs answer one mail: nothing to stop, but worth knowing. */
static void judge_answer(struct judge *j, const struct judged_rcpt *r, struct bounce_target *b)
{
	char who[RCPT_TEXT_BYTES];
	uint32_t author = judge_address(j, j->facts->from.local, j->facts->from.domain);
	unsigned authors = 0;
	b->answers[b->answer_at].author = author;
	b->answers[b->answer_at].at_s = j->now_s;
	b->answer_at = (uint8_t)((b->answer_at + 1) % TOPIC_SENDERS);
	for (unsigned i = 0; i < TOPIC_SENDERS; i++) {
		uint32_t at_s = b->answers[i].at_s;
		bool is_new = at_s && (at_s >= j->now_s || j->now_s - at_s <= ANSWERS_SPAN_S);
		for (unsigned k = 0; k < i; k++)
			is_new = is_new && b->answers[k].author != b->answers[i].author;
		authors += is_new;
	}
	if (authors >= ANSWERS_TELL && b->topic.state == BREAKER_CLOSED) {
		j->before = authors - 1;
		judge_enter(j, STORM_BOUNCE, &b->topic, BREAKER_SUSPECT,
			    "automatic answers of %u senders to %s within a minute", authors,
			    judge_rcpt_text(j, r, who));
	}
	if (b->topic.state >= BREAKER_SUSPECT)
		judge_about(j, STORM_BOUNCE, &b->topic);
}

/* Mail of our own house that leaves: bounces of it are earned. */
static void note_sent(const struct judge *j)
{
	const struct facts *f = j->facts;
	const struct envelope *e = &f->envelope;
	bool is_ours = e->is_submission || e->auth_user.len > 0 || ip_is_private(e->client_ip);
	if (is_ours && f->message_id.len > 0)
		sent_note(&j->storm->sent, gist_message_id(j->storm->setup.site_key, f->message_id));
}

void rule_bounces(struct judge *j, const struct rule *rule)
{
	const struct facts *f = j->facts;
	/* Servers mark their bounces as automatic answers too; programs that answer for people
	 * write no report. */
	bool is_answer = !(f->auto_marks & AUTO_REPORT) &&
			 ((f->auto_marks & AUTO_SUBMITTED) || subject_is_automatic(f->subject));
	bool is_bounce = !is_answer && (f->auto_marks & (AUTO_NULL_SENDER | AUTO_REPORT));
	struct topics *targets = &j->storm->targets;
	if (!judge_is_of_many(j) || targets->slot_count == 0)
		return;
	if (!is_bounce && !is_answer)
		note_sent(j);
	if ((!is_bounce && !is_answer) || (f->auto_marks & AUTO_LIST))
		return;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct slice rcpt = f->envelope.rcpts[i];
		struct bounce_target *b = topics_get(targets, target_key(j, rcpt), j->now_s);
		if (!b)
			continue;
		if (b->first_s == 0) {
			b->first_s = j->now_s;
			incident_topic(STORM_BOUNCE, judge_mailbox_text(j, rcpt), SLICE(""), b->topic.digest);
		}
		bounce_settle(b, j->now_s);
		if (is_answer)
			judge_answer(j, &j->rcpts[i], b);
		else
			judge_bounce(j, &j->rcpts[i], b, rule);
	}
}
