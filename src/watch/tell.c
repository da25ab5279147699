/* SPDX-License-Identifier: Apache-2.0
 *
 * tell: a mail of the table as the engine's facts, and as struct watch_mail.
 *
 * What is told points into the table and lives during the call.
 */
#include "watch/inner.h"

static size_t tell_addresses(struct watch *w, const struct txn *txn)
{
	size_t n = 0;
	for (const struct txn_rcpt *r = txn->rcpts; r; r = r->next)
		w->addresses[n++] = txn_get(r->address);
	return n;
}

/* A log has no content; who handed the mail over is what the server saw itself. */
static void facts_of(struct watch *w, const struct txn *txn, struct facts *facts)
{
	facts->envelope = (struct envelope){ .mail_from = txn_get(txn->from),
					     .rcpts = w->addresses,
					     .rcpt_count = tell_addresses(w, txn),
					     .client_ip = txn->client_ip,
					     .client_name = txn_get(txn->client_name),
					     .helo = txn_get(txn->helo),
					     .auth_user = txn_get(txn->auth_user),
					     .queue_id = txn_get(txn->queue_id) };
	facts->envelope.is_submission = txn->auth_user.len > 0;
	facts->time_ms = txn->first_ms;
	facts->message_id = txn_get(txn->message_id);
	facts->subject = txn_get(txn->subject);
	facts->in_reply_to = txn_get(txn->in_reply_to);
	facts->thread_root = txn->in_reply_to.len > 0 ? facts->in_reply_to : facts->message_id;
	facts->peer_ip = txn->client_ip;
	facts->peer_name = facts->envelope.client_name.len > 0 ? facts->envelope.client_name : facts->envelope.helo;
	if (txn->has_from && txn->from.len == 0)
		facts->auto_marks = AUTO_NULL_SENDER;
}

void watch_tell_storm(struct watch *w, struct txn *txn)
{
	struct facts facts = { .time_ms = 0 };
	txn->is_told = true;
	list_remove(&txn->untold);
	if (txn->is_held)
		watch_echo_release(w, txn);
	/* Who sent it is not in Dovecot's log: nothing to learn of him. */
	if (!w->setup.storm || txn->format == MAILLOG_DOVECOT)
		return;
	facts_of(w, txn, &facts);
	uint32_t total = txn->nrcpt > txn->rcpt_total ? txn->nrcpt : txn->rcpt_total;
	const struct observed seen = { .source = txn->server->name,
				       .size_bytes = txn->size_bytes,
				       .rcpt_total = total };
	storm_observe(w->setup.storm, &facts, &seen, txn->server->now_ms ? txn->server->now_ms : w->now_ms);
}

static void rcpt_of(const struct txn_rcpt *r, struct watch_rcpt *out)
{
	*out = (struct watch_rcpt){ .address = txn_get(r->address),
				    .orig_address = txn_get(r->orig),
				    .relay = txn_get(r->relay),
				    .dsn = slice_make(r->dsn, r->dsn_len),
				    .status = (enum watch_status)r->status,
				    .delay_ms = r->delay_ms,
				    .at_ms = r->at_ms ? r->at_ms : -1,
				    .tries = r->tries };
	for (int i = 0; i < 4; i++)
		out->delays_ms[i] = r->delays_ms[i];
}

void watch_tell_mail(struct watch *w, const struct txn *txn)
{
	size_t n = 0;
	for (const struct txn_rcpt *r = txn->rcpts; r; r = r->next)
		rcpt_of(r, &w->rcpts[n++]);
	const struct watch_mail mail = {
		.server = txn->server->name,
		.format = (enum maillog_format)txn->format,
		.queue_id = txn->is_by_message_id ? slice_make(NULL, 0) : txn_get(txn->queue_id),
		.message_id = txn_get(txn->message_id),
		.from = txn_get(txn->from),
		.client_name = txn_get(txn->client_name),
		.helo = txn_get(txn->helo),
		.auth_user = txn_get(txn->auth_user),
		.subject = txn_get(txn->subject),
		.in_reply_to = txn_get(txn->in_reply_to),
		.client_ip = txn->client_ip,
		.has_from = txn->has_from,
		.size_bytes = txn->size_bytes,
		.nrcpt = txn->nrcpt ? txn->nrcpt : txn->rcpt_total,
		.rcpts = w->rcpts,
		.rcpt_count = n,
		.rcpt_total = txn->rcpt_total,
		.notice_of = txn_get(txn->notice_of),
		.first_ms = txn->first_ms,
		.last_ms = txn->last_ms,
		.is_removed = txn->is_removed,
	};
	w->setup.mail(w->setup.ctx, &mail);
}
