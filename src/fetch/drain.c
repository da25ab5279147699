/* SPDX-License-Identifier: Apache-2.0
 *
 * drain: from the spool to the local server, a few links at a time, exactly once.
 *
 * A lane is one link and the mail it carries. At the end of each loop round all lanes
 * meet in one commit: what the server said since is stored, and what is to go out next
 * becomes SENDING; only then do its bytes leave. So a crash leaves at most one mail in
 * doubt for each lane, and a sync is shared by all of them.
 *
 * Before it goes, a mail walks through flow like any other; what flow withholds is in
 * the hold when it answers. The server's 250 is the confirmation that flow counts by.
 *
 * 4yz: that mail waits, longer each time, and past keep_trying goes to quarantine; 5yz:
 * quarantine at once (hazard 32). Nothing is bounced, nothing deleted. A server that is
 * away costs no try.
 */
#include "fetch/check.h"
#include "fetch/drain_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

enum {
	DRAIN_AWAY_FIRST_MS = 1000,
	DRAIN_AWAY_MAX_MS = 5 * 60 * 1000,
	DRAIN_IDLE_MS = 10 * 1000,
	DRAIN_PROBE_EVERY_MS = 24 * 60 * 60 * 1000,
	DRAIN_RETRY_FIRST_MS = 60 * 1000,
	DRAIN_RETRY_MAX_MS = 4 * 60 * 60 * 1000,
};

/* --- what became of a mail ------------------------------------------------------ */

static void drain_go_on(struct drain *d);

static void lane_free_mail(struct lane *lane)
{
	lane->state = LANE_IDLE;
	if (lane->intake)
		intake_begin(lane->intake);
}

static void lane_settle(struct lane *lane, enum ledger_state state, const char *why)
{
	struct ledger_row *done = &lane->done[lane->done_count++];
	*done = lane->row;
	done->state = state;
	done->settled_ms = state == LEDGER_WAITING ? 0 : drain_now_ms(lane->drain);
	snprintf(done->why, sizeof done->why, "%s", why);
	lane_free_mail(lane);
	drain_go_on(lane->drain);
}

static void lane_name(const struct lane *lane, char out[32])
{
	snprintf(out, 32, "fetch-%lld", (long long)lane->row.id);
}

static void lane_confirm(struct lane *lane)
{
	struct fetch *f = lane->drain->fetch;
	char id[32];
	int64_t now_ms = drain_now_ms(lane->drain);
	lane_name(lane, id);
	if (!f->setup.flow)
		return;
	flow_queued(f->setup.flow, slice_from_str(id), now_ms);
	flow_delivered(f->setup.flow, slice_from_str(id), slice_from_str(lane->row.mailbox), now_ms);
}

static int64_t retry_ms(unsigned tries)
{
	int64_t wait_ms = DRAIN_RETRY_FIRST_MS;
	for (unsigned i = 1; i < tries && wait_ms < DRAIN_RETRY_MAX_MS; i++)
		wait_ms *= 2;
	return wait_ms < DRAIN_RETRY_MAX_MS ? wait_ms : DRAIN_RETRY_MAX_MS;
}

static void lane_put_off(struct lane *lane, const char *why)
{
	struct drain *d = lane->drain;
	int64_t now_ms = drain_now_ms(d);
	if (now_ms - lane->row.fetched_ms >= d->fetch->setup.settings->keep_trying_ms) {
		char text[LEDGER_WHY_BYTES];
		snprintf(text, sizeof text, "not taken for longer than keep_trying: %.120s", why);
		lane_settle(lane, LEDGER_QUARANTINE, text);
		return;
	}
	lane->row.tries++;
	lane->row.due_ms = now_ms + retry_ms(lane->row.tries);
	lane_settle(lane, LEDGER_WAITING, why);
}

static void lane_on_word(void *ctx, const struct smtp_reply *reply)
{
	struct lane *lane = ctx;
	char words[LOG_QUOTE_BYTES], why[LEDGER_WHY_BYTES];
	snprintf(why, sizeof why, "the local server says %d %s%s%.140s", reply->code, reply->enhanced,
		 reply->enhanced[0] ? " " : "", log_quote(slice_first(reply->text, 120), words, sizeof words));
	if (smtp_is_taken(reply)) {
		lane_confirm(lane);
		lane_settle(lane, LEDGER_DONE, "");
	} else if (smtp_is_temporary(reply)) {
		lane_put_off(lane, why);
	} else {
		lane_settle(lane, LEDGER_QUARANTINE, why);
	}
}

static void drain_set_away(struct drain *d, const char *why)
{
	char text[LOG_QUOTE_BYTES];
	int64_t now_ms = drain_now_ms(d);
	/* All links are lost in one moment: that is one time away, not eight. */
	if (now_ms >= d->open_at_ms) {
		d->away_ms = d->away_ms ? d->away_ms * 2 : DRAIN_AWAY_FIRST_MS;
		if (d->away_ms > DRAIN_AWAY_MAX_MS)
			d->away_ms = DRAIN_AWAY_MAX_MS;
		d->open_at_ms = now_ms + d->away_ms;
	}
	if (!d->trouble[0])
		log_warn("fetch-local", "state=away why=%s", log_quote(slice_from_str(why), text, sizeof text));
	snprintf(d->trouble, sizeof d->trouble, "%s", why);
}

static void drain_set_there(struct drain *d)
{
	if (d->trouble[0])
		log_info("fetch-local", "state=there");
	d->trouble[0] = '\0';
	d->away_ms = d->open_at_ms = 0;
}

static void lane_on_lost(void *ctx, bool had_mail, bool is_in_doubt, const char *why)
{
	struct lane *lane = ctx;
	struct drain *d = lane->drain;
	char text[LEDGER_WHY_BYTES];
	bool was_ready = lane->was_ready;
	lane->was_ready = false;
	if (lane->is_probing)
		d->is_probing = lane->is_probing = false;
	/* A link that had nothing to do and is closed by its server is nobody's trouble. */
	if (had_mail || !was_ready)
		drain_set_away(d, why);
	if (!had_mail || lane->state != LANE_SENDING)
		return;
	if (!is_in_doubt) {
		lane->row.due_ms = d->open_at_ms;
		lane_settle(lane, LEDGER_WAITING, why);
		return;
	}
	snprintf(text, sizeof text, "in doubt: the local server had the whole mail and gave no answer (%.100s)", why);
	lane_free_mail(lane);
	drain_doubt(d, &lane->row, text);
}

/* --- the bytes ------------------------------------------------------------------- */

static ssize_t lane_on_want(void *ctx, char *to, size_t room)
{
	struct lane *lane = ctx;
	if (lane->head_sent < lane->head.len) {
		struct slice part = slice_first(slice_from(buf_slice(&lane->head), lane->head_sent), room);
		memcpy(to, part.ptr, part.len);
		lane->head_sent += part.len;
		return (ssize_t)part.len;
	}
	ssize_t n = segment_read(lane->drain->fetch->segments, &lane->row.place, lane->offset, to, room);
	if (n > 0)
		lane->offset += (uint64_t)n;
	return n;
}

static bool lane_add_head(struct lane *lane, const struct answer *answer)
{
	struct fetch *f = lane->drain->fetch;
	const struct seat *seat = fetch_seat(f, lane->row.account);
	const char *host = seat ? seat->entry->settings.host : "unknown";
	bool is_secure = seat && strcmp(seat->entry->settings.tls, "none") != 0;
	char when[64], stamp[STAMP_BYTES];
	buf_reset(&lane->head);
	for (size_t i = 0; answer && i < answer->header_count; i++)
		buf_addf(&lane->head, "%s: %.*s\r\n", answer->headers[i].name, SLICE_ARG(answer->headers[i].value));
	stamp_make(f->setup.stamp_key, f->instance, &lane->row, stamp);
	buf_addf(&lane->head, "X-Quell-Fetch: %s\r\n", stamp);
	if (f->setup.deliver_kind == SMTP_SMTP && !(link_can(lane->link) & SMTP_CAN_DSN) && lane->row.return_path[0])
		buf_addf(&lane->head, "X-Quell-Return-Path: <%s>\r\n", lane->row.return_path);
	/* RFC 5321 4.4 in form; no "for": what another would read recipients from. */
	return buf_addf(&lane->head, "Received: from %s by %s with %s id %lld\r\n\t(account %s); %s\r\n", host,
			f->setup.host_name, is_secure ? "POP3S" : "POP3", (long long)lane->row.id, lane->row.account,
			clock_rfc5322(lane->row.fetched_ms, when, sizeof when));
}

/* Who hears of it when the store cannot keep it after all? Nobody outside (hazard 36). */
static struct slice lane_sender(const struct lane *lane)
{
	const struct fetch *f = lane->drain->fetch;
	bool may_name = f->setup.deliver_kind == SMTP_LMTP || (link_can(lane->link) & SMTP_CAN_DSN);
	return may_name && !lane->row.is_backlog ? slice_from_str(lane->row.return_path) : slice_make(NULL, 0);
}

static void lane_send(struct lane *lane)
{
	const struct link_mail mail = {
		.from = lane_sender(lane),
		.rcpt = slice_from_str(mailbox_name(lane->mailbox)),
		.size_bytes = lane->row.place.bytes + lane->head.len,
		.is_8bit = lane->row.is_8bit,
		.want_no_dsn = true,
	};
	lane->state = LANE_SENDING;
	if (link_state(lane->link) != LINK_READY) {
		/* Closed since it was picked: nothing of it was said. */
		lane->row.due_ms = drain_now_ms(lane->drain);
		lane_settle(lane, LEDGER_WAITING, "the link closed before the mail began");
		return;
	}
	lane->head_sent = 0;
	lane->offset = 0;
	if (link_send(lane->link, &mail))
		return;
	if (link_state(lane->link) == LINK_READY)
		lane_settle(lane, LEDGER_QUARANTINE, "its sender or mailbox cannot stand in an SMTP command");
	else
		lane_settle(lane, LEDGER_WAITING, "no memory to begin it");
}

/* --- the walk through flow ---------------------------------------------------------- */

static void lane_on_field(void *ctx, struct slice name, struct slice value)
{
	struct lane *lane = ctx;
	intake_header(lane->intake, name, value);
}

/* The mail from the spool, into facts. */
static bool lane_read(struct lane *lane)
{
	const struct header_hooks hooks = { .on_field = lane_on_field, .user = lane };
	struct header_splitter splitter;
	char bytes[32 * 1024];
	uint64_t at = 0;
	ssize_t n;
	arena_reset(&lane->arena);
	header_begin(&splitter, &lane->arena, INSPECT_HEADER_BYTES_MAX, &hooks);
	while ((n = segment_read(lane->drain->fetch->segments, &lane->row.place, at, bytes, sizeof bytes)) > 0) {
		struct slice chunk = slice_make(bytes, (size_t)n);
		at += (uint64_t)n;
		if (!splitter.is_done)
			chunk = slice_from(chunk, header_feed(&splitter, chunk));
		if (chunk.len > 0)
			intake_body(lane->intake, chunk);
	}
	if (!splitter.is_done)
		header_end(&splitter);
	return n == 0;
}

static void lane_on_answer(void *ctx, const struct answer *answer)
{
	struct lane *lane = ctx;
	if (answer->kind == ANSWER_DISCARD) {
		lane_settle(lane, LEDGER_HELD, answer->verdict->reason);
	} else if (answer->kind == ANSWER_DEFER) {
		lane_put_off(lane, answer->text);
	} else if (lane_add_head(lane, answer)) {
		lane->row.is_judged = true;
		lane->state = LANE_JUDGED;
		drain_go_on(lane->drain);
	} else {
		lane_put_off(lane, "no memory");
	}
}

static void lane_judge(struct lane *lane)
{
	struct fetch *f = lane->drain->fetch;
	const struct answer pass = { .kind = ANSWER_ACCEPT, .text = "" };
	struct seat *seat = fetch_seat(f, lane->row.account);
	lane->mailbox = seat ? map_find_name(seat->map, slice_from_str(lane->row.mailbox)) : NULL;
	lane->state = LANE_JUDGING;
	if (!lane->mailbox) {
		lane_settle(lane, LEDGER_QUARANTINE, "its mailbox is no longer in the map of its account");
		return;
	}
	/* Judged before and put off: it passed, and is no other mail now. */
	if (!f->setup.flow || lane->row.is_judged) {
		lane_on_answer(lane, &pass);
		return;
	}
	intake_begin(lane->intake);
	if (!lane_read(lane)) {
		lane_settle(lane, LEDGER_QUARANTINE, "its bytes cannot be read from the spool");
		return;
	}
	char id[32];
	struct arena *arena = intake_arena(lane->intake);
	lane_name(lane, id);
	lane->rcpt = arena_copy(arena, slice_from_str(mailbox_name(lane->mailbox)));
	const struct envelope envelope = {
		.mail_from = arena_copy(arena, slice_from_str(lane->row.return_path)),
		.rcpts = &lane->rcpt,
		.rcpt_count = 1,
		.queue_id = arena_copy(arena, slice_from_str(id)),
	};
	intake_end(lane->intake, &envelope, drain_now_ms(lane->drain), lane_on_answer, lane);
}

/* --- rows to deliver ----------------------------------------------------------------- */

bool drain_is_carried(const struct drain *d, int64_t id)
{
	for (size_t i = 0; i < d->lane_count; i++) {
		const struct lane *lane = &d->lanes[i];
		if (lane->state != LANE_IDLE && lane->row.id == id)
			return true;
		for (size_t k = 0; k < lane->done_count; k++)
			if (lane->done[k].id == id)
				return true;
	}
	return false;
}

/* The next rows that are due, without those that are under way: their rows say WAITING
 * until the next commit. What is in the queue then changes only by drain_pick, or by a
 * person (drain_forget). */
static void drain_refill(struct drain *d)
{
	size_t count = ledger_due(d->fetch->ledger, drain_now_ms(d), d->queue, DRAIN_QUEUE);
	d->queue_next = d->queue_count = 0;
	for (size_t i = 0; i < count; i++)
		if (!drain_is_carried(d, d->queue[i].id) && !drain_doubts(d, d->queue[i].id))
			d->queue[d->queue_count++] = d->queue[i];
	d->is_dry = d->queue_count == 0;
}

static bool drain_pick(struct drain *d, struct ledger_row *row_out)
{
	if (d->queue_next == d->queue_count && !d->is_dry)
		drain_refill(d);
	if (d->queue_next == d->queue_count)
		return false;
	*row_out = d->queue[d->queue_next++];
	return true;
}

void drain_forget(struct drain *d)
{
	d->queue_count = d->queue_next = 0;
	drain_wake(d);
}

/* --- the commit of a round -------------------------------------------------------------- */

void drain_report(struct drain *d, const struct ledger_row *row)
{
	struct seat *seat = fetch_seat(d->fetch, row->account);
	char why[LOG_QUOTE_BYTES];
	log_quote(slice_from_str(row->why), why, sizeof why);
	if (row->state == LEDGER_DONE)
		log_debug("fetch-delivered", "id=%lld account=%s mailbox=%s", (long long)row->id, row->account,
			  row->mailbox);
	else
		log_warn("fetch-not-delivered", "id=%lld account=%s state=%s why=%s", (long long)row->id, row->account,
			 ledger_state_name(row->state), why);
	if (!seat)
		return;
	seat->report.delivered += row->state == LEDGER_DONE;
	seat->report.held += row->state == LEDGER_HELD;
	seat->report.quarantined += row->state == LEDGER_QUARANTINE;
}

static bool drain_store(struct drain *d)
{
	struct ledger *ledger = d->fetch->ledger;
	bool is_fine = ledger_begin(ledger);
	for (size_t i = 0; is_fine && i < d->lane_count; i++) {
		struct lane *lane = &d->lanes[i];
		for (size_t k = 0; is_fine && k < lane->done_count; k++)
			is_fine = ledger_update(ledger, &lane->done[k]);
		if (is_fine && lane->state == LANE_JUDGED) {
			lane->row.state = LEDGER_SENDING;
			is_fine = ledger_update(ledger, &lane->row);
		}
	}
	d->is_disk_bad = !is_fine || !ledger_commit(ledger);
	if (d->is_disk_bad)
		ledger_rollback(ledger);
	return !d->is_disk_bad;
}

/* Is there something to store, and has it company enough? A sync costs more than all else
 * about a small mail, so lanes that wait for the server are given a moment to join. */
static bool drain_should_commit(struct drain *d)
{
	bool has_work = false, is_waiting = false;
	for (size_t i = 0; i < d->lane_count; i++) {
		has_work |= d->lanes[i].done_count > 0 || d->lanes[i].state == LANE_JUDGED;
		is_waiting |= d->lanes[i].state == LANE_SENDING;
	}
	if (!has_work || !is_waiting || d->is_company_over) {
		d->is_company_over = d->is_company_awaited = false;
		return has_work;
	}
	if (!d->is_company_awaited)
		loop_timer_again(d->company, DRAIN_COMPANY_MS);
	d->is_company_awaited = true;
	return false;
}

static void on_company(void *ctx)
{
	struct drain *d = ctx;
	d->is_company_over = d->is_company_awaited;
	drain_go_on(d);
}

static void drain_commit(struct drain *d)
{
	if (!drain_should_commit(d))
		return;
	if (!drain_store(d)) {
		/* The disk refuses: nothing goes out that is not written down; tried again. */
		drain_set_away(d, "the ledger cannot be written");
		d->commit_at_ms = d->open_at_ms;
		return;
	}
	for (size_t i = 0; i < d->lane_count; i++) {
		struct lane *lane = &d->lanes[i];
		for (size_t k = 0; k < lane->done_count; k++)
			drain_report(d, &lane->done[k]);
		lane->done_count = 0;
	}
	for (size_t i = 0; i < d->lane_count; i++)
		if (d->lanes[i].state == LANE_JUDGED)
			lane_send(&d->lanes[i]);
}

/* --- the links -------------------------------------------------------------------------- */

static bool drain_may_send(const struct drain *d)
{
	bool is_smtp = d->fetch->setup.deliver_kind == SMTP_SMTP;
	return !is_smtp || d->is_probed;
}

static void lane_on_ready(void *ctx)
{
	struct lane *lane = ctx;
	struct drain *d = lane->drain;
	lane->was_ready = true;
	lane->ready_ms = drain_now_ms(d);
	bool want_probe = d->fetch->setup.deliver_kind == SMTP_SMTP && !d->is_probing &&
			  (!d->is_probed || lane->ready_ms - d->probed_ms >= DRAIN_PROBE_EVERY_MS);
	if (want_probe)
		d->is_probing = lane->is_probing = link_probe(lane->link, slice_from_str(check_probe_address));
	else if (drain_may_send(d))
		drain_set_there(d);
	drain_go_on(d);
}

/* Until the server was asked, and when it relays, nothing is collected for it (R3). One that
 * is away, or says neither, is waited for: the spool may fill up to its mark (hazard 35). */
bool drain_may_collect(const struct drain *d)
{
	return drain_may_send(d) || (d->trouble[0] && !d->is_relay);
}

/* A server that takes mail for a place that cannot exist would relay anything (R3). */
static void lane_on_probed(void *ctx, const struct smtp_reply *reply)
{
	struct lane *lane = ctx;
	struct drain *d = lane->drain;
	char words[LOG_QUOTE_BYTES], why[300];
	d->is_probing = lane->is_probing = false;
	d->is_probed = !smtp_is_taken(reply) && !smtp_is_temporary(reply);
	d->is_relay = smtp_is_taken(reply);
	d->probed_ms = drain_now_ms(d);
	if (d->is_probed)
		return;
	snprintf(why, sizeof why, "%s (it answered %d %s to RCPT TO:<%s>)",
		 smtp_is_taken(reply) ? "the local server relays for anybody, so nothing is given to it"
				      : "the local server does not say whether it relays",
		 reply->code, log_quote(slice_first(reply->text, 100), words, sizeof words), check_probe_address);
	drain_set_away(d, why);
}

static void drain_open_links(struct drain *d)
{
	size_t opening = 0, ready = 0, due = d->queue_count - d->queue_next;
	int64_t now_ms = drain_now_ms(d);
	if (due == 0 && !drain_may_send(d))
		due = 1; /* to be asked whether it relays */
	for (size_t i = 0; i < d->lane_count; i++) {
		opening += link_state(d->lanes[i].link) == LINK_OPENING;
		ready += link_state(d->lanes[i].link) == LINK_READY && d->lanes[i].state == LANE_IDLE;
	}
	/* One link asks whether an absent server is there again. */
	size_t most = d->trouble[0] || !drain_may_send(d) ? 1 : d->lane_count;
	for (size_t i = 0; i < d->lane_count && now_ms >= d->open_at_ms; i++) {
		struct lane *lane = &d->lanes[i];
		if (opening + ready >= most || opening + ready >= due)
			return;
		if (link_state(lane->link) != LINK_CLOSED || lane->state != LANE_IDLE)
			continue;
		link_open(lane->link);
		opening++;
	}
}

static void drain_close_idle(struct drain *d)
{
	int64_t now_ms = drain_now_ms(d);
	for (size_t i = 0; i < d->lane_count; i++) {
		struct lane *lane = &d->lanes[i];
		if (lane->state != LANE_IDLE || link_state(lane->link) != LINK_READY)
			continue;
		if (now_ms - lane->ready_ms >= DRAIN_IDLE_MS || d->trouble[0]) {
			lane->was_ready = false;
			link_close(lane->link);
		}
	}
}

/* Gives each free lane a mail. One that flow holds leaves its lane free at once, as long
 * as what became of it has a place until the commit. */
static void drain_fill(struct drain *d)
{
	struct ledger_row next;
	for (size_t i = 0; i < d->lane_count && drain_may_send(d) && !d->trouble[0]; i++) {
		struct lane *lane = &d->lanes[i];
		while (lane->state == LANE_IDLE && lane->done_count < 2 && link_state(lane->link) == LINK_READY) {
			if (!drain_pick(d, &next))
				return;
			lane->row = next;
			lane_judge(lane);
		}
	}
}

static void drain_round(void *ctx)
{
	struct drain *d = ctx;
	int64_t now_ms = drain_now_ms(d);
	if (now_ms < d->commit_at_ms)
		return;
	d->is_in_round = true;
	d->is_awake = false;
	if (d->queue_next == d->queue_count && !d->is_dry)
		drain_refill(d);
	drain_fill(d);
	drain_open_links(d);
	drain_commit(d);
	d->is_in_round = false;
	if (d->is_awake)
		loop_timer_again(d->soon, 0);
}

void drain_wake(struct drain *d)
{
	if (!d)
		return;
	d->is_dry = false;
	drain_go_on(d);
}

static void drain_go_on(struct drain *d)
{
	d->is_awake = true;
	if (!d->is_in_round)
		loop_flush_soon(d->fetch->setup.loop, &d->flush);
}

static void on_soon(void *ctx)
{
	drain_go_on(ctx);
}

static void on_tick(void *ctx)
{
	struct drain *d = ctx;
	drain_close_idle(d);
	drain_settle_doubts(d);
	drain_wake(d);
}

bool drain_is_idle(struct drain *d, int64_t within_ms)
{
	if (d->is_disk_bad) {
		/* What cannot be written down now is as it was before at the next start. */
		for (size_t i = 0; i < d->lane_count; i++)
			if (d->lanes[i].state == LANE_SENDING)
				return false;
		return true;
	}
	for (size_t i = 0; i < d->lane_count; i++)
		if (d->lanes[i].state != LANE_IDLE || d->lanes[i].done_count > 0)
			return false;
	if (d->trouble[0])
		return drain_now_ms(d) < d->open_at_ms && !drain_doubts_soon(d, within_ms);
	/* What is left in doubt still counts as moving in the ledger. */
	return !drain_doubts_soon(d, within_ms) &&
	       ledger_count_moving(d->fetch->ledger, NULL, drain_now_ms(d) + within_ms) <= d->doubt_count;
}

const char *drain_trouble(const struct drain *d)
{
	return d ? d->trouble : "";
}

int64_t drain_now_ms(const struct drain *d)
{
	return loop_now_ms(d->fetch->setup.loop);
}

/* --- life ---------------------------------------------------------------------------------- */

static bool lane_start(struct lane *lane, struct drain *d)
{
	static const struct link_calls calls = { lane_on_ready, lane_on_want, lane_on_word, lane_on_lost,
						 lane_on_probed };
	const struct fetch_setup *s = &d->fetch->setup;
	const struct link_setup setup = {
		.loop = s->loop, .addr = s->deliver, .kind = s->deliver_kind, .helo = s->host_name,
		.timeout_ms = s->settings->deliver_timeout_ms,
	};
	lane->drain = d;
	buf_init(&lane->head, DRAIN_HEAD_BYTES);
	arena_init(&lane->arena, 4 * INSPECT_HEADER_BYTES_MAX);
	lane->link = link_new(&setup, &calls, lane);
	lane->intake = s->flow ? intake_new(s->flow, false) : NULL;
	return lane->link && (lane->intake || !s->flow);
}

struct drain *drain_new(struct fetch *f)
{
	struct drain *d = mem_alloc(sizeof *d);
	if (!d)
		return NULL;
	d->fetch = f;
	size_t count = (size_t)f->setup.settings->links_max;
	d->lanes = mem_alloc_array(count, sizeof *d->lanes);
	bool is_fine = d->lanes != NULL;
	for (; is_fine && d->lane_count < count; d->lane_count++)
		is_fine = lane_start(&d->lanes[d->lane_count], d);
	loop_flush_init(&d->flush, drain_round, d);
	int64_t tick_ms = f->setup.mode == FETCH_RUN ? DRAIN_TICK_MS : DRAIN_TICK_ONCE_MS;
	d->timer = loop_timer_start(f->setup.loop, tick_ms, tick_ms, on_tick, d);
	d->soon = loop_timer_start(f->setup.loop, 0, 0, on_soon, d);
	d->company = loop_timer_start(f->setup.loop, DRAIN_COMPANY_MS, 0, on_company, d);
	if (!is_fine || !d->timer || !d->soon || !d->company || !drain_doubt_old(d))
		drain_free(&d);
	else
		drain_wake(d);
	return d;
}

void drain_free(struct drain **drain)
{
	struct drain *d = *drain;
	*drain = NULL;
	if (!d)
		return;
	for (size_t i = 0; i < d->lane_count; i++) {
		struct lane *lane = &d->lanes[i];
		link_free(&lane->link);
		intake_free(lane->intake);
		buf_free(&lane->head);
		arena_free(&lane->arena);
	}
	drain_free_doubts(d);
	list_remove(&d->flush.link);
	loop_timer_stop(&d->timer);
	loop_timer_stop(&d->soon);
	loop_timer_stop(&d->company);
	mem_free(d->lanes);
	mem_free(d);
}
