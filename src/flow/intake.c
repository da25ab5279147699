/* SPDX-License-Identifier: Apache-2.0
 *
 * intake: one mail, from its first header field to the answer.
 *
 * The mail goes two ways as it streams in: into the facts builder, which keeps
 * digests, and into a spool, because a verdict comes only at the end and a
 * withheld mail must be kept whole. Most mails pass and the spool is thrown away
 * without having touched the disk.
 *
 * While the hold writes, the intake waits in flow->waiting. What the writer
 * calls back with is a struct pending that outlives an intake whose peer left.
 */
#include "base/log.h"
#include "base/mem.h"
#include "flow/internal.h"

#include <stdio.h>

enum {
	INTAKE_SPOOL_MEMORY_BYTES = 64 * 1024,
	INTAKE_HEADER_BYTES = 512, /* stamp, and verdict field */
};

struct pending {
	struct intake *intake; /* NULL: nobody waits any more */
};

struct intake {
	struct flow *flow;
	struct arena arena;
	struct spool spool;
	struct facts_builder *builder;
	const struct facts *facts;
	struct verdict verdict;
	struct answer answer;
	struct buf stamp, tag;
	struct slice release_token, alert_token;
	struct pending *pending;
	struct list waiting;
	int64_t deadline_ms;
	intake_done_fn *done;
	void *ctx;
	bool may_drop;
};

struct intake *intake_new(struct flow *flow, bool may_drop)
{
	struct intake *in = mem_alloc(sizeof *in);
	if (!in)
		return NULL;
	in->flow = flow;
	in->may_drop = may_drop;
	arena_init(&in->arena, FACTS_ARENA_BYTES_MAX);
	spool_init(&in->spool, store_dir_fd(flow->setup.store), INTAKE_SPOOL_MEMORY_BYTES,
		   flow->setup.body_bytes_max);
	buf_init(&in->stamp, INTAKE_HEADER_BYTES);
	buf_init(&in->tag, INTAKE_HEADER_BYTES);
	list_init(&in->waiting);
	return in;
}

static void intake_unwait(struct intake *in)
{
	if (in->pending)
		in->pending->intake = NULL;
	in->pending = NULL;
	list_remove(&in->waiting);
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	intake_begin(in);
	spool_free(&in->spool);
	arena_free(&in->arena);
	buf_free(&in->stamp);
	buf_free(&in->tag);
	mem_free(in);
}

void intake_begin(struct intake *in)
{
	/* The peer left before it heard the answer: whatever it does with the mail
	 * now, we did not promise anything, so nothing of it counts. */
	if (in->pending)
		storm_withdraw(in->flow->storm, in->verdict.txn, in->facts->time_ms);
	intake_unwait(in);
	arena_reset(&in->arena);
	spool_reset(&in->spool);
	buf_reset(&in->stamp);
	buf_reset(&in->tag);
	in->builder = NULL;
	in->facts = NULL;
	in->release_token = in->alert_token = slice_make(NULL, 0);
	in->verdict = (struct verdict){ .rule = "none" };
}

struct arena *intake_arena(struct intake *in)
{
	return &in->arena;
}

static bool intake_is_building(struct intake *in)
{
	if (!in->builder)
		in->builder = facts_begin(&in->arena, &in->flow->setup.facts);
	return in->builder != NULL;
}

void intake_header(struct intake *in, struct slice name, struct slice value)
{
	if (in->release_token.len == 0 && slice_equal_nocase(name, SLICE("X-Quell-Release")))
		in->release_token = arena_copy(&in->arena, slice_trim(value));
	if (in->alert_token.len == 0 && slice_equal_nocase(name, SLICE("X-Quell-Alert")))
		in->alert_token = arena_copy(&in->arena, slice_trim(value));
	spool_header(&in->spool, name, value);
	if (intake_is_building(in))
		facts_header(in->builder, name, value);
}

void intake_body(struct intake *in, struct slice chunk)
{
	spool_body(&in->spool, chunk);
	if (intake_is_building(in))
		facts_body(in->builder, chunk);
}

/* --- the answer ------------------------------------------------------- */

static void intake_note_decisions(struct intake *in)
{
	const struct facts *f = in->facts;
	char client[IP_TEXT_BYTES];
	struct decision d = {
		.time_ms = f->time_ms,
		.queue_id = f->envelope.queue_id,
		.mail_from = f->envelope.mail_from,
		.client = slice_from_str(ip_text(f->peer_ip, client)),
		.message_id = f->message_id,
		.tier = tier_name(in->verdict.tier),
		.rule = in->verdict.rule,
		.reason = in->verdict.reason,
		.incident = in->verdict.incident,
	};
	for (size_t i = 0; i < in->verdict.rcpt_count; i++) {
		if (in->verdict.rcpts[i].deed == DEED_PASS)
			continue;
		d.rcpt = f->envelope.rcpts[i];
		d.deed = in->verdict.rcpts[i].deed;
		store_decision(in->flow->setup.store, &d);
	}
}

/* What is done after all to the recipients that were to be withheld, so that the
 * decision that is written down is the one that was carried out. */
static void intake_soften(struct intake *in, enum deed deed, const char *because)
{
	struct verdict *v = &in->verdict;
	char judged[REASON_BYTES];
	memcpy(judged, v->reason, sizeof judged);
	snprintf(v->reason, sizeof v->reason, "%.120s, else \"%s\": %.240s", because, deed_name(v->harshest),
		 judged);
	v->harshest = DEED_PASS;
	for (size_t i = 0; i < v->rcpt_count; i++) {
		if (v->rcpts[i].deed >= DEED_HOLD)
			v->rcpts[i].deed = deed;
		if (v->rcpts[i].deed > v->harshest)
			v->harshest = v->rcpts[i].deed;
	}
}

static void intake_finish(struct intake *in)
{
	intake_done_fn *done = in->done;
	intake_unwait(in);
	in->done = NULL;
	in->answer.verdict = &in->verdict;
	if (in->verdict.harshest > DEED_PASS)
		intake_note_decisions(in);
	done(in->ctx, &in->answer);
}

static void answer_add_header(struct answer *answer, const char *name, struct slice value)
{
	answer->headers[answer->header_count++] = (struct answer_header){ name, value };
}

/* A delivered mail carries the stamp, and when it is marked, the reason. */
static void intake_mark(struct intake *in, int64_t now_ms)
{
	const struct flow_setup *setup = &in->flow->setup;
	if (setup->want_tag && in->verdict.harshest >= DEED_TAG) {
		char reason[REASON_BYTES];
		/* The reason quotes the mail; a header takes printable ASCII only. */
		log_quote(slice_from_str(in->verdict.reason), reason, sizeof reason);
		if (buf_addf(&in->tag, "%s; rule=%s; incident=%s; reason=%s",
			     deed_name(in->verdict.harshest), in->verdict.rule,
			     in->verdict.incident[0] ? in->verdict.incident : "none", reason))
			answer_add_header(&in->answer, "X-Quell-Verdict", buf_slice(&in->tag));
	}
	if (setup->want_stamp &&
	    storm_stamp(in->flow->storm, in->facts, in->verdict.txn, now_ms, &in->stamp))
		answer_add_header(&in->answer, "X-Quell-Trace", buf_slice(&in->stamp));
}

static void intake_accept(struct intake *in, int64_t now_ms)
{
	in->answer = (struct answer){ .kind = ANSWER_ACCEPT, .text = "" };
	intake_mark(in, now_ms);
	intake_finish(in);
}

static size_t intake_withheld(const struct intake *in)
{
	size_t count = 0;
	for (size_t i = 0; i < in->verdict.rcpt_count; i++)
		count += in->verdict.rcpts[i].deed >= DEED_HOLD;
	return count;
}

/* The surplus is safe in the hold: leave the others, or nobody. */
static void intake_withhold(struct intake *in)
{
	size_t count = 0, withheld = intake_withheld(in);
	struct slice *dropped = arena_alloc(&in->arena, withheld * sizeof *dropped);
	in->answer = (struct answer){ .kind = ANSWER_ACCEPT, .text = "" };
	if (withheld == in->verdict.rcpt_count) {
		in->answer.kind = ANSWER_DISCARD;
		intake_finish(in);
		return;
	}
	for (size_t i = 0; dropped && i < in->verdict.rcpt_count; i++)
		if (in->verdict.rcpts[i].deed >= DEED_HOLD)
			dropped[count++] = in->facts->envelope.rcpts[i];
	in->answer.dropped = dropped;
	in->answer.dropped_count = count;
	intake_mark(in, in->facts->time_ms);
	intake_finish(in);
}

static const char *intake_defer_text(enum storm_class cls)
{
	return cls == STORM_REPLY_ALL
		       ? "Quell: many people are replying to all of this thread; this reply will be taken later, a "
			 "reply to the author alone at once"
	       : cls == STORM_PING_PONG ? "Quell: two machines are answering each other; try again later"
					: "Quell: too much mail of this kind at once; try again later";
}

/* Would a recipient be without any copy? */
static bool intake_has_first(const struct intake *in)
{
	for (size_t i = 0; i < in->verdict.rcpt_count; i++)
		if (in->verdict.rcpts[i].is_first || in->verdict.rcpts[i].deed < DEED_HOLD)
			return true;
	return false;
}

/* The engine asks for the whole mail again later: of many different mails that are a storm
 * together. Nothing of it is kept meanwhile. */
static void intake_defer(struct intake *in, int64_t now_ms)
{
	storm_withdraw(in->flow->storm, in->verdict.txn, now_ms);
	for (size_t i = 0; i < in->verdict.rcpt_count; i++)
		in->verdict.rcpts[i].deed = DEED_DEFER;
	in->verdict.harshest = DEED_DEFER;
	in->answer = (struct answer){ .kind = ANSWER_DEFER, .text = intake_defer_text(in->verdict.cls) };
	intake_finish(in);
}

static void intake_refused(struct intake *in, const char *why, int64_t now_ms)
{
	struct flow *flow = in->flow;
	bool has_first = intake_has_first(in);
	if (!gate_on_refused(&flow->gate, has_first, why, now_ms)) {
		flow->gate_delivered++;
		intake_soften(in, DEED_TAG, why);
		intake_accept(in, now_ms);
		return;
	}
	flow->gate_deferred++;
	intake_soften(in, DEED_DEFER, why);
	storm_withdraw(flow->storm, in->verdict.txn, now_ms);
	in->answer = (struct answer){
		.kind = ANSWER_DEFER,
		.text = "Quell: surplus copy, and no room to keep it now; try again later",
	};
	intake_finish(in);
}

static void intake_on_stored(void *ctx, enum store_result result, const char *hold_id)
{
	struct pending *pending = ctx;
	struct intake *in = pending->intake;
	mem_free(pending);
	if (!in)
		return;
	in->pending = NULL;
	if (result == STORE_DONE) {
		log_debug("held", "id=%s incident=%s", hold_id, in->verdict.incident);
		gate_on_kept(&in->flow->gate);
		intake_withhold(in);
		return;
	}
	intake_refused(in, result == STORE_FULL ? "the hold is full" : "the hold cannot be written",
		       in->facts->time_ms);
}

void intake_expire(struct flow *flow, int64_t now_ms)
{
	while (!list_is_empty(&flow->waiting)) {
		struct intake *in = LIST_OWNER(flow->waiting.next, struct intake, waiting);
		if (now_ms < in->deadline_ms)
			return;
		intake_unwait(in);
		intake_refused(in, "the hold is slower than the deadline", now_ms);
	}
}

/* --- the end of a mail ------------------------------------------------- */

static struct hold_rcpt *intake_hold_rcpts(struct intake *in, size_t count)
{
	struct hold_rcpt *rcpts = arena_alloc(&in->arena, count * sizeof *rcpts);
	size_t n = 0;
	for (size_t i = 0; rcpts && i < in->verdict.rcpt_count; i++) {
		const struct rcpt_verdict *v = &in->verdict.rcpts[i];
		if (v->deed < DEED_HOLD)
			continue;
		rcpts[n].address = in->facts->envelope.rcpts[i];
		rcpts[n].deed = v->deed;
		rcpts[n].is_first = v->is_first;
		memcpy(rcpts[n].pair, v->pair, sizeof rcpts[n].pair);
		n++;
	}
	return rcpts;
}

static void intake_hold(struct intake *in, size_t withheld, int64_t now_ms)
{
	struct flow *flow = in->flow;
	const struct facts *f = in->facts;
	char client[IP_TEXT_BYTES];
	struct hold_rcpt *rcpts = intake_hold_rcpts(in, withheld);
	struct pending *pending = rcpts && !in->spool.is_broken ? mem_alloc(sizeof *pending) : NULL;
	if (!pending) {
		intake_refused(in, "the mail could not be spooled", now_ms);
		return;
	}
	struct hold_mail mail = {
		.time_ms = now_ms,
		.incident = in->verdict.incident,
		.queue_id = f->envelope.queue_id,
		.mail_from = f->envelope.mail_from,
		.client = slice_from_str(ip_text(f->envelope.client_ip, client)),
		.helo = f->envelope.helo,
		.rcpts = rcpts,
		.rcpt_count = withheld,
		.rule = in->verdict.rule,
		.reason = in->verdict.reason,
	};
	memcpy(mail.instance, f->instance, sizeof mail.instance);
	pending->intake = in;
	in->pending = pending;
	in->deadline_ms = now_ms + flow->setup.gate.deadline_ms;
	list_add(&flow->waiting, &in->waiting);
	store_hold(flow->setup.store, &mail, &in->spool, intake_on_stored, pending);
}

static bool intake_is_deferred(const struct intake *in)
{
	for (size_t i = 0; i < in->verdict.rcpt_count; i++)
		if (in->verdict.rcpts[i].deed == DEED_DEFER)
			return true;
	return false;
}

static bool intake_is_release(struct intake *in)
{
	const struct flow_setup *setup = &in->flow->setup;
	return in->release_token.len > 0 && setup->is_released &&
	       setup->is_released(setup->release_ctx, in->release_token);
}

/* Our own alert, on its way to somebody whose mail walks through here. */
static bool intake_is_alert(struct intake *in)
{
	const struct flow_setup *setup = &in->flow->setup;
	return in->alert_token.len > 0 && setup->is_alert && setup->is_alert(setup->told_ctx, in->alert_token);
}

void intake_end(struct intake *in, const struct envelope *envelope, int64_t now_ms,
		intake_done_fn *done, void *ctx)
{
	in->done = done;
	in->ctx = ctx;
	in->answer = (struct answer){ .kind = ANSWER_ACCEPT, .text = "" };
	if (!intake_is_building(in)) {
		/* No memory for so much as the facts: mail flows (L3). */
		intake_finish(in);
		return;
	}
	in->facts = facts_end(in->builder, envelope, now_ms);
	if (intake_is_release(in)) {
		in->flow->released += envelope->rcpt_count;
		intake_finish(in);
		return;
	}
	if (intake_is_alert(in)) {
		intake_finish(in);
		return;
	}
	storm_judge(in->flow->storm, in->facts, now_ms, &in->arena, &in->verdict);
	if (intake_is_deferred(in)) {
		intake_defer(in, now_ms);
		return;
	}
	size_t withheld = intake_withheld(in);
	if (withheld > 0 && in->verdict.incident[0] == '\0' && intake_has_first(in)) {
		/* First copies leave the hold by their incident alone. */
		intake_soften(in, DEED_TAG, "no memory for its incident");
		withheld = 0;
	}
	if (withheld > 0 && withheld < in->verdict.rcpt_count && !in->may_drop) {
		intake_soften(in, DEED_TAG, "the mail server cannot drop single recipients");
		withheld = 0;
	}
	if (withheld == 0)
		intake_accept(in, now_ms);
	else
		intake_hold(in, withheld, now_ms);
}
