/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_reply: people who reply to all (class 3).
 *
 * A thread counts when it reaches a large audience, by the addresses it names, by its
 * recipients, or by what the server made of a list's address (storm_expanded). A reply
 * counts when it reaches half of that audience at least; the thread's own author may
 * always write. Told at three authors within half an hour; from five on, or from two
 * whose replies together cost more deliveries than the budget, further replies are asked
 * to come again: after 5 minutes, 10, 20, at most 4 hours. So a list of a hundred and one
 * of a million both stop early, and every reply is delivered in the end.
 *
 * It cannot count the audience of a list that another house expands.
 */
#include "storm/rules.h"

#include "mail/subject.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	REPLY_WINDOW_S = 30 * 60,
	REPLY_QUIET_S = 60 * 60,
	REPLY_QUIET_MAX = 1,         /* replies within it that are still quiet */
	REPLY_DELAY_FIRST_S = 5 * 60, REPLY_DELAY_MAX_S = 4 * 3600, REPLY_STEPS = 6,
	REPLY_DRIP_S = 60,           /* between two that had waited */
	REPLY_LIST_FACTOR = 5,       /* on a mailing list all limits are so many times as high */
	REPLY_TELL_PERCENT = 60,     /* of the authors at which it opens: told */
	REPLY_ADDRESSES_MAX = 20000, /* looked at in one mail */
	THREAD_INDEX_CHARS = 29,     /* base64 of the 22 bytes that a whole thread shares */
};

struct reply {
	uint64_t key;
	bool is_reply;
	uint32_t author, mail, audience;
	unsigned factor;
};

struct window {
	unsigned authors, replies;
	uint64_t passed;             /* replies of it that were let through */
};

/* --- which thread, and does it reach it? -------------------------------------------- */

static bool is_reply(const struct facts *f)
{
	bool is_prefixed;
	subject_bare(f->subject, &is_prefixed);
	return f->in_reply_to.len > 0 || f->references_last.len > 0 || is_prefixed;
}

uint64_t thread_key(const struct facts *f)
{
	bool is_a_reply = is_reply(f);
	uint64_t key;
	if (f->in_reply_to.len > 0 || f->references_last.len > 0 || !is_a_reply)
		key = hash_mix(31, f->thread_root);
	else if (f->thread_index.len >= THREAD_INDEX_CHARS)
		key = hash_mix(32, slice_first(f->thread_index, THREAD_INDEX_CHARS));
	else
		key = subject_topic(f->subject);
	return key | 1;
}

void thread_expanded(struct storm *storm, const struct txn *txn, uint64_t rcpt_count, uint32_t now_s)
{
	if (rcpt_count < (uint64_t)storm->setup.policy.reply_audience_min || !txn->thread)
		return;
	struct thread *t = topics_get(&storm->threads, txn->thread, now_s);
	if (!t)
		return;
	if (t->sketch_count == 0) {
		t->sketch[t->sketch_count++] = txn->mailbox;
		t->root_author = txn->author;
	}
	if (rcpt_count > t->audience)
		t->audience = rcpt_count < UINT32_MAX ? (uint32_t)rcpt_count : UINT32_MAX;
}

/* All addresses that the mail goes to or names, one after the other. */
static bool next_address(const struct judge *j, size_t *at, uint32_t *hash_out)
{
	const struct facts *f = j->facts;
	size_t n = (*at)++;
	if (n >= REPLY_ADDRESSES_MAX)
		return false;
	if (n < f->audience_count) {
		*hash_out = judge_address(j, f->audience[n].local, f->audience[n].domain);
		return true;
	}
	n -= f->audience_count;
	if (n >= f->envelope.rcpt_count)
		return false;
	*hash_out = judge_mailbox(j, f->envelope.rcpts[n]);
	return true;
}

/* Keeps the smallest hashes of the audience, in order. */
static void sketch_audience(const struct judge *j, struct thread *t)
{
	uint32_t hash;
	t->sketch_count = 0;
	for (size_t at = 0; next_address(j, &at, &hash);) {
		unsigned place = 0;
		while (place < t->sketch_count && t->sketch[place] < hash)
			place++;
		if (place == TOPIC_SKETCH || (place < t->sketch_count && t->sketch[place] == hash))
			continue;
		unsigned last = t->sketch_count < TOPIC_SKETCH ? t->sketch_count++ : TOPIC_SKETCH - 1;
		memmove(t->sketch + place + 1, t->sketch + place, (last - place) * sizeof t->sketch[0]);
		t->sketch[place] = hash;
	}
}

/* At least half of the thread's audience gets this mail too. */
static bool reaches_thread(const struct judge *j, const struct thread *t)
{
	uint32_t hash, found = 0;
	for (size_t at = 0; next_address(j, &at, &hash);)
		for (unsigned i = 0; i < t->sketch_count; i++)
			if (t->sketch[i] == hash)
				found |= UINT32_C(1) << i;
	return 2 * __builtin_popcount(found) >= t->sketch_count;
}

static struct thread *find_thread(struct judge *j, const struct reply *r)
{
	struct topics *threads = &j->storm->threads;
	struct thread *t = topics_find(threads, r->key);
	bool is_large = r->audience >= (uint64_t)j->storm->setup.policy.reply_audience_min;
	if (!t && is_large)
		t = topics_get(threads, r->key, j->now_s);
	if (t && digest_is_none(t->topic.digest)) {
		struct slice name = j->facts->thread_root;
		incident_topic(STORM_REPLY_ALL, name.len ? name : j->facts->subject, SLICE(""), t->topic.digest);
	}
	return t;
}

/* What this mail teaches of its thread: who began it, whom it reaches. */
static void learn_thread(const struct judge *j, const struct reply *r, struct thread *t)
{
	if (!r->is_reply && t->root_author == 0)
		t->root_author = r->author;
	if (t->sketch_count == 0)
		sketch_audience(j, t);
	if (r->audience > t->audience)
		t->audience = r->audience;
}

/* --- how many, how fast --------------------------------------------------------------- */

static struct reply_seen *find_reply(struct thread *t, const struct reply *r)
{
	for (unsigned i = 0; i < TOPIC_AUTHORS; i++)
		if (t->replies[i].at_s && t->replies[i].mail == r->mail && t->replies[i].author == r->author)
			return &t->replies[i];
	return NULL;
}

static struct reply_seen *add_reply(struct thread *t, const struct reply *r, uint32_t now_s)
{
	struct reply_seen *seen = &t->replies[t->reply_at];
	t->reply_at = (uint8_t)((t->reply_at + 1) % TOPIC_AUTHORS);
	*seen = (struct reply_seen){ .author = r->author, .mail = r->mail, .at_s = now_s };
	return seen;
}

static bool is_within(uint32_t at_s, uint32_t now_s, uint32_t span_s)
{
	return at_s && (at_s >= now_s || now_s - at_s <= span_s);
}

static struct window look_back(const struct thread *t, uint32_t now_s, uint32_t span_s)
{
	struct window w = { 0 };
	for (unsigned i = 0; i < TOPIC_AUTHORS; i++) {
		const struct reply_seen *seen = &t->replies[i];
		unsigned k = 0;
		if (!is_within(seen->at_s, now_s, span_s))
			continue;
		w.replies++;
		w.passed += seen->is_passed;
		while (k < i && !(is_within(t->replies[k].at_s, now_s, span_s) && t->replies[k].author == seen->author))
			k++;
		w.authors += k == i;
	}
	return w;
}

bool thread_settle(struct thread *t, uint32_t now_s)
{
	struct topic *topic = &t->topic;
	uint32_t age_s = now_s > topic->changed_s ? now_s - topic->changed_s : 0;
	bool is_quiet = look_back(t, now_s, REPLY_QUIET_S).replies <= REPLY_QUIET_MAX;
	if (topic->state == BREAKER_CLOSED || age_s < REPLY_QUIET_S || !is_quiet)
		return false;
	topic->state = topic->state == BREAKER_OPEN ? BREAKER_HALF_OPEN : BREAKER_CLOSED;
	topic->changed_s = now_s;
	if (topic->state == BREAKER_CLOSED)
		t->delay_step = 0;
	return true;
}

/* --- the deed --------------------------------------------------------------------------- */

/* May a mail that waited (or a new one in the half-open time) come in now? */
static bool take_drip(struct thread *t, uint32_t now_s)
{
	if (t->drip_s && now_s >= t->drip_s && now_s - t->drip_s < REPLY_DRIP_S)
		return false;
	t->drip_s = now_s;
	return true;
}

/* Seconds that the mail has to wait still; 0: let it in. */
static uint32_t wait_left_s(struct judge *j, struct thread *t)
{
	struct waits *waits = &j->storm->waits;
	uint64_t key = judge_mail_key(j, t->topic.key);
	struct wait *wait = waits_find(waits, key);
	uint32_t delay_s = REPLY_DELAY_FIRST_S << t->delay_step;
	if (delay_s > REPLY_DELAY_MAX_S)
		delay_s = REPLY_DELAY_MAX_S;
	if (wait) {
		if (j->now_s < wait->due_s)
			return wait->due_s - j->now_s;
		bool is_overdue = j->now_s - wait->first_s > REPLY_DELAY_MAX_S;
		return is_overdue || take_drip(t, j->now_s) ? 0 : REPLY_DRIP_S;
	}
	if (t->topic.state == BREAKER_HALF_OPEN && take_drip(t, j->now_s))
		return 0;
	if (!waits_add(waits, key, j->now_s, j->now_s + delay_s))
		return 0;
	if (t->delay_step < REPLY_STEPS)
		t->delay_step++;
	return delay_s;
}

static void defer_reply(struct judge *j, struct thread *t, struct reply_seen *seen, const struct window *w,
			const struct rule *rule)
{
	uint32_t left_s = j->is_observed ? 0 : wait_left_s(j, t);
	if (left_s == 0) {
		seen->is_passed = true;
		judge_raise_all(j, DEED_TAG, rule, "the reply-all storm of its thread goes on; this reply has waited "
						  "long enough, or cannot be made to wait");
		return;
	}
	judge_raise_all(j, DEED_DEFER, rule,
			"%u people have replied to all of a thread with %" PRIu32 " addresses within 30 minutes: "
			"this reply is to come again in %" PRIu32 " minutes; a reply to the author alone passes",
			w->authors, t->audience, (left_s + 59) / 60);
}

static bool is_over(const struct judge *j, const struct thread *t, const struct reply *r, const struct window *w)
{
	const struct storm_policy *policy = &j->storm->setup.policy;
	uint64_t cost = (w->passed + 1) * t->audience;
	return w->authors >= (uint64_t)policy->reply_authors_max * r->factor ||
	       (w->authors >= 2 && cost > (uint64_t)policy->reply_deliveries_max * r->factor);
}

static void judge_reply(struct judge *j, struct thread *t, const struct reply *r, const struct rule *rule)
{
	struct reply_seen *seen = find_reply(t, r), forgotten = { 0 };
	/* What comes again as it was asked to is no new reply, also when the ring has gone on. */
	bool is_new = !seen && !waits_find(&j->storm->waits, judge_mail_key(j, t->topic.key));
	if (!seen)
		seen = is_new ? add_reply(t, r, j->now_s) : &forgotten;
	const struct window w = look_back(t, j->now_s, REPLY_WINDOW_S);
	unsigned tell = (unsigned)j->storm->setup.policy.reply_authors_max * r->factor * REPLY_TELL_PERCENT / 100;
	enum breaker state = judge_topic_state(j, STORM_REPLY_ALL, &t->topic);
	j->before = w.replies - 1;
	if (state < BREAKER_OPEN && is_new && is_over(j, t, r, &w)) {
		judge_enter(j, STORM_REPLY_ALL, &t->topic, BREAKER_OPEN,
			    "%u people have replied to all of a thread with %" PRIu32 " addresses within 30 minutes "
			    "(%" PRIu64 " replies went through, %" PRIu64 " deliveries)",
			    w.authors, t->audience, w.passed, w.passed * t->audience);
		state = judge_topic_state(j, STORM_REPLY_ALL, &t->topic);
	} else if (state == BREAKER_CLOSED && is_new && w.authors >= tell && w.authors >= 2) {
		judge_enter(j, STORM_REPLY_ALL, &t->topic, BREAKER_SUSPECT,
			    "%u people have replied to all of a thread with %" PRIu32 " addresses within 30 minutes",
			    w.authors, t->audience);
		state = judge_topic_state(j, STORM_REPLY_ALL, &t->topic);
	}
	if (state > BREAKER_CLOSED)
		judge_about(j, STORM_REPLY_ALL, &t->topic);
	if (state >= BREAKER_OPEN)
		defer_reply(j, t, seen, &w, rule);
	else if (is_new)
		seen->is_passed = true;
	if (state == BREAKER_SUSPECT)
		judge_raise_all(j, DEED_TAG, rule, "%u people have replied to all of a thread with %" PRIu32
						  " addresses within 30 minutes", w.authors, t->audience);
}

void rule_reply_all(struct judge *j, const struct rule *rule)
{
	const struct facts *f = j->facts;
	size_t audience = f->audience_total > f->envelope.rcpt_count ? f->audience_total : f->envelope.rcpt_count;
	struct reply r = { .is_reply = is_reply(f), .audience = audience < UINT32_MAX ? (uint32_t)audience : UINT32_MAX,
			   .factor = f->auto_marks & AUTO_LIST ? REPLY_LIST_FACTOR : 1 };
	bool is_large = (int64_t)audience >= j->storm->setup.policy.reply_audience_min;
	bool is_machine = f->auto_marks & (AUTO_NULL_SENDER | AUTO_REPORT | AUTO_SUBMITTED);
	if (!judge_is_of_many(j) || is_machine || !(r.is_reply || is_large) || j->storm->threads.slot_count == 0)
		return;
	r.key = thread_key(f);
	struct thread *t = find_thread(j, &r);
	if (!t)
		return;
	r.author = judge_address(j, f->from.local, f->from.domain);
	r.mail = judge_mail_hash(j);
	thread_settle(t, j->now_s);
	if (r.is_reply && t->sketch_count > 0 && !reaches_thread(j, t))
		return;
	t->topic.last_s = j->now_s;
	learn_thread(j, &r, t);
	if (r.is_reply && r.author != t->root_author &&
	    t->audience >= (uint64_t)j->storm->setup.policy.reply_audience_min)
		judge_reply(j, t, &r, rule);
}
