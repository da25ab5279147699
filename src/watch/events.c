/* SPDX-License-Identifier: Apache-2.0
 *
 * events: what a line says, added to what is known of its mail.
 *
 * Queue ids are used again: short ones within seconds. What begins a mail (a client that
 * opens the queue file, a Message-ID behind the queue manager's line, a second line that
 * says all) ends the one that had its id before.
 *
 * A mail that a content filter hands back (amavis, Zimbra) has a second queue id on the
 * same server: the first one's delivery says which ("queued as"). The engine is told of
 * the first alone, which has the outside client: so a mail from this machine itself waits
 * with being told until it is removed, by when that delivery has been logged.
 */
#include "watch/inner.h"

/* One event, where and when. */
struct scene {
	struct watch *w;
	struct watch_server *server;
	int64_t time_ms;
	struct maillog_event *event;
};

/* ---- beginning and end ---- */

static struct txn *scene_add(const struct scene *s, struct slice queue_id)
{
	struct txn *txn = roll_add(s->w->roll, s->server, queue_id, s->w->now_ms);
	if (txn)
		txn->first_ms = txn->last_ms = s->time_ms;
	return txn;
}

static struct txn *scene_find(const struct scene *s, struct slice queue_id)
{
	return queue_id.len > 0 ? roll_find(s->w->roll, s->server, queue_id) : NULL;
}

static struct txn *scene_find_or_add(const struct scene *s)
{
	struct txn *txn = scene_find(s, s->event->queue_id);
	return txn ? txn : scene_add(s, s->event->queue_id);
}

static bool txn_is_mail(const struct txn *txn)
{
	return txn->is_queued || txn->rcpt_total > 0;
}

void watch_finish(struct watch *w, struct txn *txn)
{
	if (!txn_is_mail(txn))
		return;
	watch_echo_note(w, txn);
	if (!txn->is_told)
		watch_tell_storm(w, txn);
	if (w->setup.mail)
		watch_tell_mail(w, txn);
}

void watch_close(struct watch *w, struct txn *txn)
{
	watch_finish(w, txn);
	roll_remove(w->roll, txn);
}

/* ---- where it stands ---- */

/* Most servers say when they forget a mail. Of OpenSMTPD, Sendmail and Dovecot one that is
 * settled is waited for all the same: an alias has more recipients than were announced. */
static bool txn_is_over(const struct txn *txn, bool is_settled)
{
	return txn->queue_id.len == 0 || txn->format == MAILLOG_ZEEK_TSV || txn->format == MAILLOG_ZEEK_JSON ||
	       (txn->format == MAILLOG_EXCHANGE && is_settled && txn->nrcpt > 0);
}

static bool txn_is_settled(const struct txn *txn)
{
	return txn->rcpt_total > 0 && txn->rcpt_done >= txn->rcpt_total && txn->rcpt_total >= txn->nrcpt;
}

/* It has a queue file: from now on it counts, and the engine is to hear of it. */
static void scene_note_mail(const struct scene *s, struct txn *txn)
{
	if (txn->queued_ms != 0)
		return;
	txn->queued_ms = s->w->now_ms ? s->w->now_ms : 1;
	s->w->counts.mails += !txn->is_held;
	watch_echo_note(s->w, txn);
	if (!txn->is_told)
		list_add(&s->w->untold, &txn->untold);
}

/* After a change of a mail that is one. */
static void scene_settle(const struct scene *s, struct txn *txn)
{
	bool is_settled = txn_is_settled(txn), is_known = txn->nrcpt > 0 && txn->rcpt_total >= txn->nrcpt;
	txn->last_ms = s->time_ms > txn->last_ms ? s->time_ms : txn->last_ms;
	txn->format = (uint8_t)s->event->format;
	if (!txn->is_told && is_known && !ip_is_loopback(txn->client_ip))
		watch_tell_storm(s->w, txn);
	if (txn_is_over(txn, is_settled))
		watch_close(s->w, txn);
	else
		roll_touch(s->w->roll, txn, is_settled ? TXN_SETTLED : TXN_OPEN, s->w->now_ms);
}

/* ---- what lines say ---- */

static void scene_set(const struct scene *s, struct txn *txn, struct txn_text *text, struct slice value)
{
	if (value.len > 0 && !txn_is(*text, value))
		txn_set(s->w->roll, txn, text, value);
}

/* "name[address]", "name [address]" or "name[address]:port"; a bare address too. */
static void scene_client(const struct scene *s, struct txn *txn, struct slice client)
{
	size_t open = slice_find_byte(client, 0, '[');
	struct slice name = slice_trim(slice_first(client, open)), ip = slice_from(client, open + 1);
	ip = slice_first(ip, slice_find_byte(ip, 0, ']'));
	if (open == client.len && ip_parse(client, &txn->client_ip))
		return;
	ip_parse(ip, &txn->client_ip);
	if (!slice_equal(name, SLICE("unknown")))
		scene_set(s, txn, &txn->client_name, name);
}

static void scene_facts(const struct scene *s, struct txn *txn)
{
	const struct maillog_event *ev = s->event;
	if (ev->client.len > 0)
		scene_client(s, txn, ev->client);
	scene_set(s, txn, &txn->auth_user, ev->sasl_user);
	scene_set(s, txn, &txn->client_name, ev->client_host);
	scene_set(s, txn, &txn->helo, ev->helo);
	scene_set(s, txn, &txn->message_id, ev->message_id);
	scene_set(s, txn, &txn->subject, ev->subject);
	scene_set(s, txn, &txn->in_reply_to, ev->in_reply_to);
	scene_set(s, txn, &txn->notice_of, ev->notice_of);
	if (ev->has_from) {
		txn->has_from = true;
		txn->from.len = 0;
		scene_set(s, txn, &txn->from, ev->from);
	}
	if (ev->size_bytes > 0)
		txn->size_bytes = ev->size_bytes;
	if (ev->nrcpt > 0)
		txn->nrcpt = ev->nrcpt < UINT32_MAX ? (uint32_t)ev->nrcpt : UINT32_MAX;
}

/* ---- sessions, where lines of a mail name one instead of the client (OpenSMTPD) ---- */

/* One waits in the table as what it may become: a mail that has begun, by the session's id. */
static void on_session(const struct scene *s)
{
	if (s->event->other_id.len == 0)
		return;
	struct txn *session = scene_find(s, s->event->other_id);
	session = session ? session : scene_add(s, s->event->other_id);
	/* "local": a program of this machine, no client. */
	if (!session || slice_equal(s->event->client, SLICE("local")))
		return;
	scene_facts(s, session);
	roll_touch(s->w->roll, session, TXN_BEGUN, s->w->now_ms);
}

static void on_session_end(const struct scene *s)
{
	struct txn *session = scene_find(s, s->event->other_id);
	if (session && !txn_is_mail(session))
		watch_close(s->w, session);
}

/* A mail of the event's session has its client. */
static void scene_session(const struct scene *s, struct txn *txn)
{
	const struct txn *session = scene_find(s, s->event->other_id);
	if (!session || session == txn || txn_is_mail(session))
		return;
	/* Room for one text may be what the session had. */
	char name[TXN_TEXT_BYTES_MAX], user[TXN_TEXT_BYTES_MAX];
	size_t name_len = session->client_name.len, user_len = session->auth_user.len;
	txn->client_ip = session->client_ip;
	if (name_len > 0)
		memcpy(name, session->client_name.ptr, name_len);
	if (user_len > 0)
		memcpy(user, session->auth_user.ptr, user_len);
	scene_set(s, txn, &txn->client_name, slice_make(name, name_len));
	scene_set(s, txn, &txn->auth_user, slice_make(user, user_len));
}

/* ---- a mail begins ---- */

static void on_client(const struct scene *s)
{
	struct txn *txn = scene_find(s, s->event->queue_id);
	/* Lines of several processes may change places: a Message-ID can come first. */
	if (txn && (txn->has_client || txn_is_mail(txn))) {
		watch_close(s->w, txn);
		txn = NULL;
	}
	txn = txn ? txn : scene_add(s, s->event->queue_id);
	if (!txn)
		return;
	txn->has_client = true;
	scene_facts(s, txn);
	roll_touch(s->w->roll, txn, TXN_BEGUN, s->w->now_ms);
}

static void on_message_id(const struct scene *s)
{
	struct txn *txn = scene_find(s, s->event->queue_id);
	if (txn && txn_is_mail(txn)) {
		if (txn_is(txn->message_id, s->event->message_id))
			return;
		watch_close(s->w, txn);
		txn = NULL;
	}
	txn = txn ? txn : scene_add(s, s->event->queue_id);
	if (!txn)
		return;
	scene_facts(s, txn);
	roll_touch(s->w->roll, txn, TXN_BEGUN, s->w->now_ms);
}

/* ---- recipients ---- */

void watch_count_status(struct watch_counts *c, enum watch_status status, uint64_t change)
{
	if (status == WATCH_SENT)
		c->sent += change;
	else if (status == WATCH_DEFERRED)
		c->deferred += change;
	else if (status == WATCH_BOUNCED || status == WATCH_EXPIRED)
		c->bounced += change;
}

static void count_status(struct watch *w, const struct txn *txn, enum watch_status status, uint64_t change)
{
	if (!txn->is_held)
		watch_count_status(&w->counts, status, change);
}

static bool status_is_final(enum watch_status status)
{
	return status != WATCH_OPEN && status != WATCH_DEFERRED;
}

/* One of those that are not kept: known by number alone. A recipient is counted as new
 * as long as the server has announced more than have come. */
static void rcpt_beyond(struct watch *w, struct txn *txn, enum watch_status status)
{
	bool was_named = status != WATCH_OPEN && txn->named_beyond > 0;
	bool is_new = !was_named && (txn->rcpt_total < txn->nrcpt || txn->nrcpt == 0);
	txn->rcpt_total += is_new;
	txn->named_beyond += status == WATCH_OPEN;
	txn->named_beyond -= was_named;
	if (!is_new && !was_named && txn->deferred_beyond > 0) {
		txn->deferred_beyond--;
		count_status(w, txn, WATCH_DEFERRED, (uint64_t)-1);
	}
	txn->deferred_beyond += status == WATCH_DEFERRED;
	txn->rcpt_done += status_is_final(status);
	count_status(w, txn, status, 1);
}

static void rcpt_set_status(struct watch *w, struct txn *txn, struct txn_rcpt *r, enum watch_status status)
{
	count_status(w, txn, (enum watch_status)r->status, (uint64_t)-1);
	count_status(w, txn, status, 1);
	txn->rcpt_done += status_is_final(status);
	txn->rcpt_done -= status_is_final(r->status);
	r->status = (uint8_t)status;
}

static int32_t delay_of(int64_t ms)
{
	return ms < 0 ? -1 : ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

static void rcpt_facts(const struct scene *s, struct txn *txn, struct txn_rcpt *r)
{
	const struct maillog_event *ev = s->event;
	struct slice dsn = slice_first(ev->dsn, TXN_DSN_BYTES);
	r->tries++;
	r->at_ms = s->time_ms;
	r->delay_ms = ev->delay_ms;
	for (int i = 0; i < 4; i++)
		r->delays_ms[i] = delay_of(ev->delays_ms[i]);
	r->dsn_len = (uint8_t)dsn.len;
	if (dsn.len > 0)
		memcpy(r->dsn, dsn.ptr, dsn.len);
	if (!txn_is(r->relay, ev->relay))
		txn_set(s->w->roll, txn, &r->relay, ev->relay);
}

/* status OPEN: only named. */
static void scene_rcpt(const struct scene *s, struct txn *txn, struct slice address, enum watch_status status)
{
	bool is_new;
	struct txn_rcpt *r = txn_rcpt(s->w->roll, txn, address, s->event->orig_rcpt, &is_new);
	if (!r) {
		rcpt_beyond(s->w, txn, status);
		return;
	}
	txn->rcpt_total += is_new;
	if (status == WATCH_OPEN)
		return;
	rcpt_facts(s, txn, r);
	rcpt_set_status(s->w, txn, r, status);
}

static void scene_rcpts(const struct scene *s, struct txn *txn, enum watch_status status)
{
	struct slice address;
	if (s->event->rcpt.len > 0)
		scene_rcpt(s, txn, s->event->rcpt, status);
	while (maillog_next_rcpt(s->event, &address))
		if (address.len > 0)
			scene_rcpt(s, txn, address, status);
}

/* OpenSMTPD has a line for each recipient; one mail has but one sender. */
static void on_queued(const struct scene *s)
{
	struct txn *txn = scene_find_or_add(s);
	if (!txn)
		return;
	if (!txn->is_queued && s->event->other_id.len > 0)
		scene_session(s, txn);
	txn->is_queued = true;
	scene_facts(s, txn);
	if (s->event->rcpt.len > 0)
		scene_rcpts(s, txn, WATCH_OPEN);
	scene_note_mail(s, txn);
	scene_settle(s, txn);
}

/* ---- the same mail again on the same server ---- */

static void scene_link(const struct scene *s, struct txn *txn)
{
	struct txn *next = scene_find(s, s->event->other_id);
	if (!next || next == txn || next->is_inner)
		return;
	/* Dovecot's, by its session: not told of, nor counted. */
	if (next->is_held) {
		next->is_inner = true;
		return;
	}
	/* Another server's id may look like one of ours. */
	if (txn->message_id.len > 0 && next->message_id.len > 0 &&
	    !txn_is(next->message_id, txn_get(txn->message_id)))
		return;
	next->is_inner = true;
	s->w->counts.passes++;
	struct txn *silent = next->is_told && !txn->is_told ? txn : next;
	silent->is_told = true;
	list_remove(&silent->untold);
}

/* Dovecot's: a mail by its session, where one has no id by its Message-ID. */
static void scene_echo(const struct scene *s, enum watch_status status)
{
	struct slice id = s->event->other_id.len > 0 ? s->event->other_id : s->event->message_id;
	if (s->event->format != MAILLOG_DOVECOT)
		return;
	if (slice_equal(id, SLICE("unspecified"))) /* the mail has no Message-ID */
		id = slice_make(NULL, 0);
	struct txn *txn = scene_find(s, id);
	txn = txn ? txn : scene_add(s, id);
	if (!txn)
		return;
	txn->is_by_message_id = s->event->other_id.len == 0;
	txn->is_held |= txn->queued_ms == 0;
	scene_facts(s, txn);
	scene_rcpts(s, txn, status);
	scene_note_mail(s, txn);
	scene_settle(s, txn);
}

static void scene_delivery(const struct scene *s, enum watch_status status)
{
	if (s->event->queue_id.len == 0) {
		scene_echo(s, status);
		return;
	}
	struct txn *txn = scene_find_or_add(s);
	if (!txn)
		return;
	scene_rcpts(s, txn, status);
	scene_note_mail(s, txn);
	if (s->event->other_id.len > 0)
		scene_link(s, txn);
	scene_settle(s, txn);
}

static void on_sent(const struct scene *s)
{
	scene_delivery(s, WATCH_SENT);
}

static void on_deferred(const struct scene *s)
{
	scene_delivery(s, WATCH_DEFERRED);
}

static void on_bounced(const struct scene *s)
{
	scene_delivery(s, WATCH_BOUNCED);
}

static void on_expired(const struct scene *s)
{
	struct txn *txn = scene_find(s, s->event->queue_id);
	if (!txn)
		return;
	for (struct txn_rcpt *r = txn->rcpts; r; r = r->next)
		if (!status_is_final(r->status))
			rcpt_set_status(s->w, txn, r, WATCH_EXPIRED);
	count_status(s->w, txn, WATCH_DEFERRED, -(uint64_t)txn->deferred_beyond);
	count_status(s->w, txn, WATCH_EXPIRED, txn->deferred_beyond);
	txn->rcpt_done += txn->deferred_beyond;
	txn->deferred_beyond = 0;
	scene_settle(s, txn);
}

/* ---- the rest ---- */

static void on_received(const struct scene *s)
{
	struct txn *txn = scene_find(s, s->event->queue_id);
	struct slice id = s->event->message_id;
	if (txn && txn->is_queued && id.len > 0 && txn->message_id.len > 0 && !txn_is(txn->message_id, id)) {
		watch_close(s->w, txn);
		txn = NULL;
	}
	txn = txn ? txn : scene_add(s, s->event->queue_id);
	if (!txn)
		return;
	if (s->event->other_id.len > 0)
		scene_session(s, txn);
	txn->is_queued = true;
	scene_facts(s, txn);
	scene_rcpts(s, txn, WATCH_OPEN);
	scene_note_mail(s, txn);
	scene_settle(s, txn);
}

static void on_notice(const struct scene *s)
{
	struct txn *notice = scene_find(s, s->event->other_id);
	if (!notice && s->event->other_id.len > 0)
		notice = scene_add(s, s->event->other_id);
	if (!notice)
		return;
	scene_set(s, notice, &notice->notice_of, s->event->queue_id);
	/* Sendmail has no other line of its sender, who is nobody. */
	notice->has_from = true;
}

static void on_removed(const struct scene *s)
{
	struct txn *txn = scene_find(s, s->event->queue_id);
	if (!txn)
		return;
	txn->is_removed = true;
	txn->last_ms = s->time_ms > txn->last_ms ? s->time_ms : txn->last_ms;
	watch_close(s->w, txn);
}

static void on_rejected(const struct scene *s)
{
	s->w->counts.rejected++;
}

void watch_event(struct watch *w, struct watch_server *server, int64_t time_ms, struct maillog_event *event)
{
	static void (*const rows[MAILLOG_KIND_COUNT])(const struct scene *s) = {
		[MAILLOG_QUEUED] = on_queued,         [MAILLOG_SENT] = on_sent,
		[MAILLOG_DEFERRED] = on_deferred,     [MAILLOG_BOUNCED] = on_bounced,
		[MAILLOG_EXPIRED] = on_expired,       [MAILLOG_MESSAGE_ID] = on_message_id,
		[MAILLOG_CLIENT] = on_client,         [MAILLOG_REJECTED] = on_rejected,
		[MAILLOG_MILTER_REJECT] = on_rejected, [MAILLOG_MILTER_DISCARD] = on_rejected,
		[MAILLOG_NOTICE] = on_notice,         [MAILLOG_REMOVED] = on_removed,
		[MAILLOG_RECEIVED] = on_received,     [MAILLOG_CONNECT] = on_session,
		[MAILLOG_LOGIN] = on_session,         [MAILLOG_DISCONNECT] = on_session_end,
	};
	const struct scene scene = { w, server, time_ms, event };
	if ((unsigned)event->kind < MAILLOG_KIND_COUNT && rows[event->kind])
		rows[event->kind](&scene);
}
