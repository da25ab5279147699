/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_ping: machines that answer each other (class 4).
 *
 * A pair of addresses is watched, and, for rounds over three parties and more, each
 * address that sends automatic mail by itself. A round is a mail, its answer, and an
 * answer to that. What makes a machine of a side: its mails say so (RFC 3834), or it
 * answers within seconds, again and again, with nearly the same first lines. Subjects and
 * ticket numbers do not matter. People who write quickly do not look like that: their
 * texts differ; and a monitor whose alarms are acknowledged does not either: its alarms
 * answer nothing and come when they come.
 *
 * Only mail of the machine's side is slowed: one in 10 minutes, then 20, at most 2 hours
 * apart; after 20 rounds it goes to the hold, out of which it drips a day later.
 */
#include "storm/rules.h"

#include "mail/gist.h"
#include "mail/subject.h"

#include <inttypes.h>

enum {
	PING_WINDOW_S = 3600,
	PING_QUICK_S = 60,            /* median latency of a machine */
	PING_SURE_FACTOR = 3,         /* without any automatic mark so many times the rounds */
	PING_NODE_FACTOR = 2,         /* one address with several others */
	PING_PAUSE_FIRST_S = 10 * 60, PING_PAUSE_MAX_S = 2 * 3600, PING_STEPS = 4,
	PING_WAIT_MAX_S = 4 * 3600,
	PING_QUIET_S = 6 * 3600,
	AUTO_MACHINE = AUTO_NULL_SENDER | AUTO_REPORT | AUTO_SUBMITTED | AUTO_PRECEDENCE | AUTO_X_LOOP,
};

/* What the mails of one side look like, within the window. */
struct side {
	unsigned mails, automatic, near, answers, quick;
};

struct ping {
	bool is_automatic;
	uint32_t from, to;
	uint8_t side;
};

/* What the turns of the window say. */
struct rally {
	struct side sides[2];
	unsigned rounds;
};

static bool is_majority(unsigned part, unsigned whole)
{
	return whole > 0 && 2 * part >= whole;
}

static const struct turn *turn_at(const struct exchange *x, unsigned n)
{
	return &x->turns[(x->turn_at + TOPIC_TURNS - x->turn_count + n) % TOPIC_TURNS];
}

static struct rally look_back(const struct exchange *x, uint32_t now_s)
{
	struct rally rally = { .rounds = 0 };
	const struct turn *before = NULL;
	unsigned changes = 0;
	for (unsigned n = 0; n < x->turn_count; n++) {
		const struct turn *turn = turn_at(x, n);
		if (turn->at_s < now_s && now_s - turn->at_s > PING_WINDOW_S)
			continue;
		struct side *side = &rally.sides[turn->side];
		side->mails++;
		side->automatic += (turn->flags & TURN_AUTOMATIC) != 0;
		side->near += (turn->flags & TURN_NEAR) != 0;
		side->answers += (turn->flags & TURN_ANSWER) != 0;
		if (before && before->side != turn->side) {
			changes++;
			side->quick += turn->at_s <= before->at_s || turn->at_s - before->at_s < PING_QUICK_S;
		}
		before = turn;
	}
	rally.rounds = changes / 2;
	return rally;
}

static bool is_machine(const struct side *s)
{
	bool is_quick = is_majority(s->quick, s->mails);
	return is_majority(s->automatic, s->mails) ? is_quick || is_majority(s->answers, s->mails)
						    : is_quick && is_majority(s->near, s->mails);
}

/* A side that says it is a machine, opposite one that at least answers as quickly. */
static bool is_marked_rally(const struct rally *r)
{
	bool is_marked = is_majority(r->sides[0].automatic, r->sides[0].mails) ||
			 is_majority(r->sides[1].automatic, r->sides[1].mails);
	for (unsigned i = 0; i < 2; i++) {
		const struct side *s = &r->sides[i];
		bool is_driven = is_machine(s) || is_majority(s->quick, s->mails) ||
				 (!is_majority(s->automatic, s->mails) && is_majority(s->near, s->mails));
		if (!is_driven)
			return false;
	}
	return is_marked;
}

static bool is_rally(const struct judge *j, const struct rally *r, bool is_node)
{
	unsigned limit = (unsigned)j->storm->setup.policy.ping_alternations_max;
	if (is_node) {
		/* What it gets may come from anybody, so its haste alone tells that it is driven; and one
		 * who is driven sends as much as he gets, a mailing that is answered here and there far more. */
		bool is_marked = is_majority(r->sides[0].automatic, r->sides[0].mails);
		return r->rounds >= limit * (is_marked ? PING_NODE_FACTOR : PING_SURE_FACTOR) &&
		       is_machine(&r->sides[0]) && is_machine(&r->sides[1]) &&
		       is_majority(r->sides[0].quick, r->sides[0].mails) &&
		       3 * r->sides[0].mails >= 2 * r->sides[1].mails && 3 * r->sides[1].mails >= 2 * r->sides[0].mails;
	}
	if (r->rounds >= limit && is_marked_rally(r))
		return true;
	return r->rounds >= PING_SURE_FACTOR * limit && is_machine(&r->sides[0]) && is_machine(&r->sides[1]);
}

bool exchange_settle(struct exchange *x, uint32_t now_s)
{
	uint32_t last_s = x->turn_count ? turn_at(x, x->turn_count - 1u)->at_s : 0;
	if (x->topic.state == BREAKER_CLOSED || now_s < last_s || now_s - last_s < PING_QUIET_S)
		return false;
	x->topic.state = BREAKER_CLOSED;
	x->topic.changed_s = now_s;
	x->delay_step = 0;
	x->alternations = 0;
	x->next_s = 0;
	return true;
}

/* A mail that is not known yet becomes a turn. */
static void take_turn(struct judge *j, struct exchange *x, uint8_t side, bool is_automatic)
{
	const struct facts *f = j->facts;
	uint32_t mail = judge_mail_hash(j);
	uint32_t answered = (uint32_t)gist_message_id(j->storm->setup.site_key, f->in_reply_to);
	unsigned flags = is_automatic ? TURN_AUTOMATIC : 0;
	if (gist_is_near(f->near, x->near[side]))
		flags |= TURN_NEAR;
	if (answered && answered == x->mails[!side])
		flags |= TURN_ANSWER;
	bool is_change = x->turn_count > 0 && turn_at(x, x->turn_count - 1u)->side != side;
	x->turns[x->turn_at] = (struct turn){ .at_s = j->now_s, .side = side, .flags = (uint8_t)flags };
	x->turn_at = (uint8_t)((x->turn_at + 1) % TOPIC_TURNS);
	if (x->turn_count < TOPIC_TURNS)
		x->turn_count++;
	x->alternations += is_change && side == 0;
	x->mails[side] = mail;
	if (f->near)
		x->near[side] = f->near;
	x->topic.last_s = j->now_s;
}

/* Seconds to wait still; 0: it may pass. */
static uint32_t pause_left_s(struct judge *j, struct exchange *x)
{
	struct waits *waits = &j->storm->waits;
	uint64_t key = judge_mail_key(j, x->topic.key);
	struct wait *wait = waits_find(waits, key);
	if (wait)
		return j->now_s < wait->due_s ? wait->due_s - j->now_s : 0;
	bool is_free = j->now_s >= x->next_s;
	uint32_t due_s = is_free ? j->now_s : x->next_s;
	uint32_t pause_s = PING_PAUSE_FIRST_S << x->delay_step;
	if (due_s - j->now_s > PING_WAIT_MAX_S)
		due_s = j->now_s + PING_WAIT_MAX_S;
	x->next_s = due_s + (pause_s < PING_PAUSE_MAX_S ? pause_s : PING_PAUSE_MAX_S);
	if (x->delay_step < PING_STEPS)
		x->delay_step++;
	return is_free || !waits_add(waits, key, j->now_s, due_s) ? 0 : due_s - j->now_s;
}

static void slow_down(struct judge *j, struct exchange *x, const struct rally *r, const struct rule *rule)
{
	int64_t hold_after = j->storm->setup.policy.ping_hold_after;
	bool has_waited = waits_find(&j->storm->waits, judge_mail_key(j, x->topic.key)) != NULL;
	if (!j->is_observed && !has_waited && x->alternations >= hold_after) {
		judge_raise_all(j, DEED_HOLD, rule,
				"two addresses have answered each other %" PRIu32 " times like machines (limit %" PRId64
				"): held, and let go a day after it began", x->alternations, hold_after);
		j->is_drip = true;
		return;
	}
	uint32_t left_s = j->is_observed ? 0 : pause_left_s(j, x);
	if (left_s > 0)
		judge_raise_all(j, DEED_DEFER, rule,
				"two addresses answer each other like machines, %u rounds within an hour: this one "
				"is to come again in %" PRIu32 " minutes", r->rounds, (left_s + 59) / 60);
	else
		judge_raise_all(j, DEED_TAG, rule, "two addresses answer each other like machines, %u rounds within an "
						  "hour", r->rounds);
}

static bool is_after(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return order ? order > 0 : a.len > b.len;
}

/* Of a pair both addresses, smaller first; of a node its own. Only one in many thousands is
 * ever told of, so it gets its name when it is. */
static void name_exchange(const struct judge *j, struct exchange *x, const struct ping *p, bool is_node)
{
	const struct address *from = &j->facts->from;
	struct slice a = judge_address_text(j, from->local, from->domain);
	struct slice b = judge_mailbox_text(j, j->facts->envelope.rcpts[0]);
	if (!digest_is_none(x->topic.digest))
		return;
	if (is_node)
		incident_topic(STORM_PING_PONG, p->side ? a : b, SLICE("and others"), x->topic.digest);
	else if (is_after(a, b))
		incident_topic(STORM_PING_PONG, b, a, x->topic.digest);
	else
		incident_topic(STORM_PING_PONG, a, b, x->topic.digest);
}

static void judge_exchange(struct judge *j, struct exchange *x, const struct ping *p, bool is_node,
			   const struct rule *rule)
{
	struct rally r = look_back(x, j->now_s);
	enum breaker state = judge_topic_state(j, STORM_PING_PONG, &x->topic);
	if (state < BREAKER_OPEN && is_rally(j, &r, is_node)) {
		x->alternations = r.rounds;
		j->before = r.sides[0].mails + r.sides[1].mails - 1;
		name_exchange(j, x, p, is_node);
		judge_enter(j, STORM_PING_PONG, &x->topic, BREAKER_OPEN,
			    "%s answer each other like machines: %u rounds within an hour, %u and %u automatic mails "
			    "of %u and %u, %u and %u answers within a minute",
			    is_node ? "an address and others" : "two addresses", r.rounds, r.sides[0].automatic,
			    r.sides[1].automatic, r.sides[0].mails, r.sides[1].mails, r.sides[0].quick,
			    r.sides[1].quick);
		state = judge_topic_state(j, STORM_PING_PONG, &x->topic);
	}
	if (state < BREAKER_OPEN)
		return;
	judge_about(j, STORM_PING_PONG, &x->topic);
	bool is_unmarked = r.sides[0].automatic + r.sides[1].automatic == 0;
	if (p->is_automatic || (is_unmarked && is_machine(&r.sides[p->side])))
		slow_down(j, x, &r, rule);
}

static struct exchange *find_exchange(struct judge *j, uint64_t key)
{
	struct exchange *x = topics_get(&j->storm->exchanges, key | 1, j->now_s);
	if (x)
		exchange_settle(x, j->now_s);
	return x;
}

static struct exchange *find_pair(struct judge *j, const struct ping *p)
{
	uint64_t low = p->from < p->to ? p->from : p->to, high = p->from < p->to ? p->to : p->from;
	return find_exchange(j, (low << 32 | high) * UINT64_C(0x9e3779b97f4a7c15));
}

/* An address that sends and gets such mail: a round over three parties passes it as one
 * over two does. */
static void judge_node(struct judge *j, struct ping *p, uint8_t side, const struct rule *rule)
{
	uint32_t address = side ? p->from : p->to;
	struct exchange *x = find_exchange(j, (address | UINT64_C(1) << 40) * UINT64_C(0xbf58476d1ce4e5b9));
	if (!x)
		return;
	p->side = side;
	if (!waits_find(&j->storm->waits, judge_mail_key(j, x->topic.key)) && x->mails[side] != judge_mail_hash(j))
		take_turn(j, x, side, p->is_automatic);
	judge_exchange(j, x, p, true, rule);
}

/* Worth to look at both ends as well? Mail that says it is automatic; or nearly the same
 * words again and again from here to there: a ring of machines that say nothing. */
static bool is_of_machine(const struct judge *j, const struct exchange *x, const struct ping *p)
{
	enum { NEAR_MIN = 3 };
	unsigned marks = j->facts->auto_marks;
	bool is_bounce = (marks & AUTO_REPORT) || ((marks & AUTO_NULL_SENDER) && !(marks & AUTO_SUBMITTED));
	if (is_bounce)
		return false; /* nobody answers a bounce: it ends what it comes from */
	return p->is_automatic || look_back(x, j->now_s).sides[p->side].near >= NEAR_MIN;
}

void rule_ping_pong(struct judge *j, const struct rule *rule)
{
	const struct facts *f = j->facts;
	struct ping p = { .is_automatic = (f->auto_marks & AUTO_MACHINE) || subject_is_automatic(f->subject) };
	bool is_single = j->rcpt_count == 1 && f->audience_total <= 1;
	if (!judge_is_of_many(j) || !is_single || (f->auto_marks & AUTO_LIST) || f->from.domain.len == 0 ||
	    j->storm->exchanges.slot_count == 0)
		return;
	p.from = judge_address(j, f->from.local, f->from.domain);
	p.to = judge_mailbox(j, f->envelope.rcpts[0]);
	if (p.from == p.to)
		return;
	struct exchange *x = find_pair(j, &p);
	if (!x)
		return;
	p.side = p.from > p.to;
	bool is_retry = x->mails[p.side] == judge_mail_hash(j) ||
			waits_find(&j->storm->waits, judge_mail_key(j, x->topic.key));
	if (!is_retry)
		take_turn(j, x, p.side, p.is_automatic);
	judge_exchange(j, x, &p, false, rule);
	if (j->topic || !is_of_machine(j, x, &p))
		return;
	judge_node(j, &p, 1, rule);
	if (!j->topic)
		judge_node(j, &p, 0, rule);
}
