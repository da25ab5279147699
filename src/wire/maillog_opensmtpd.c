/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_opensmtpd: what OpenSMTPD writes behind "time host smtpd[pid]: ", 5.x to 7.x.
 *
 * Its queue id is the msgid, eight hexadecimal digits; an envelope (one recipient) has
 * eight more behind them. What a session says is joined by the session's id: it stands
 * in other_id of CONNECT, DISCONNECT, LOGIN, RECEIVED and QUEUED. A mail's RECEIVED line
 * has its size; each recipient's QUEUED line (older versions: all of it) sender and recipient.
 */
#include "wire/maillog_inside.h"
#include "wire/maillog_reply.h"

enum { MSGID_BYTES = 8, EVPID_BYTES = 16 };

/* <path>, "text" or a bare word; bare ones may have a host in brackets behind them. */
static bool take_pair_value(struct slice *text, struct slice *value_out)
{
	if (text->len > 0 && text->ptr[0] == '<')
		return maillog_take_path(text, value_out);
	if (maillog_skip(text, SLICE("\""))) {
		*value_out = maillog_take_until(text, '"');
		return true;
	}
	*value_out = maillog_take_value(text);
	if (maillog_starts(*text, SLICE(" (")))
		maillog_take_until(text, ')');
	return true;
}

/* "name=value", separated by blanks, before 6.0 by commas. stat is last and takes all. */
static bool take_pair(struct slice *rest, struct slice *name_out, struct slice *value_out)
{
	struct slice text = *rest;
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == ','))
		text = maillog_from(text, 1);
	size_t n = 0;
	while (n < text.len && (ascii_is_alpha(text.ptr[n]) || text.ptr[n] == '-'))
		n++;
	if (n == 0 || n >= text.len || text.ptr[n] != '=')
		return false;
	*name_out = slice_first(text, n);
	*rest = maillog_from(text, n + 1);
	if (!slice_equal(*name_out, SLICE("stat")))
		return take_pair_value(rest, value_out);
	*value_out = maillog_unwrap(*rest, '"', '"');
	*rest = slice_make(NULL, 0);
	return true;
}

static size_t hex_digits(struct slice s)
{
	size_t n = 0;
	while (n < s.len && (ascii_is_digit(s.ptr[n]) || (s.ptr[n] >= 'a' && s.ptr[n] <= 'f')))
		n++;
	return n;
}

/* The msgid of a msgid or an evpid. */
static void set_queue_id(struct slice value, struct maillog_event *ev)
{
	size_t n = hex_digits(value);
	if (n == value.len && (n == MSGID_BYTES || n == EVPID_BYTES))
		ev->queue_id = slice_first(value, MSGID_BYTES);
}

/* "1d2h3m4s" */
static int64_t duration_ms(struct slice s)
{
	int64_t ms = 0, number = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (ascii_is_digit(c) && number < 100000) {
			number = number * 10 + (c - '0');
			continue;
		}
		int64_t unit_s = c == 's' ? 1 : c == 'm' ? 60 : c == 'h' ? 3600 : c == 'd' ? 86400 : 0;
		if (unit_s == 0)
			return -1;
		ms += number * unit_s * 1000;
		number = 0;
	}
	return ms;
}

/* "2.0.0" of "250 2.0.0 Ok" */
static struct slice dsn_of(struct slice stat)
{
	struct slice dsn = maillog_from(stat, 4);
	size_t n = 0, dots = 0;
	for (; n < dsn.len && (ascii_is_digit(dsn.ptr[n]) || dsn.ptr[n] == '.'); n++)
		dots += dsn.ptr[n] == '.';
	return dots == 2 ? slice_first(dsn, n) : slice_make(NULL, 0);
}

enum { FIELD_TEXT, FIELD_ID, FIELD_FROM, FIELD_SIZE, FIELD_NRCPT, FIELD_DELAY, FIELD_RESULT };

/* Reads all pairs into the fields of the same meaning; the value of result. */
static struct slice read_pairs(struct slice rest, struct maillog_event *ev)
{
	const struct {
		struct slice name;
		int kind;
		struct slice *field;
	} rows[] = {
		{ SLICE("msgid"), FIELD_ID, NULL }, { SLICE("evpid"), FIELD_ID, NULL },
		{ SLICE("from"), FIELD_FROM, &ev->from }, { SLICE("to"), FIELD_TEXT, &ev->rcpt },
		{ SLICE("rcpt"), FIELD_TEXT, &ev->orig_rcpt }, { SLICE("relay"), FIELD_TEXT, &ev->relay },
		{ SLICE("stat"), FIELD_TEXT, &ev->text }, { SLICE("address"), FIELD_TEXT, &ev->client },
		{ SLICE("host"), FIELD_TEXT, &ev->client_host },
		{ SLICE("user"), FIELD_TEXT, &ev->sasl_user }, { SLICE("size"), FIELD_SIZE, NULL },
		{ SLICE("nrcpt"), FIELD_NRCPT, NULL }, { SLICE("nrcpts"), FIELD_NRCPT, NULL },
		{ SLICE("delay"), FIELD_DELAY, NULL }, { SLICE("result"), FIELD_RESULT, NULL },
	};
	struct slice name, value, result = { NULL, 0 };
	while (take_pair(&rest, &name, &value)) {
		size_t i = 0;
		while (i < sizeof rows / sizeof rows[0] && !slice_equal(rows[i].name, name))
			i++;
		if (i == sizeof rows / sizeof rows[0])
			continue;
		switch (rows[i].kind) {
		case FIELD_ID: set_queue_id(value, ev); break;
		case FIELD_FROM: ev->has_from = true; ev->from = value; break;
		case FIELD_SIZE: slice_to_u64(value, &ev->size_bytes); break;
		case FIELD_NRCPT: slice_to_u64(value, &ev->nrcpt); break;
		case FIELD_DELAY: ev->delay_ms = duration_ms(value); break;
		case FIELD_RESULT: result = value; break;
		default: *rows[i].field = value; break;
		}
	}
	return result;
}

static void read_connected(struct slice rest, struct maillog_event *ev)
{
	read_pairs(rest, ev);
	ev->kind = MAILLOG_CONNECT;
}

static void read_disconnected(struct slice rest, struct maillog_event *ev)
{
	(void)rest;
	ev->kind = MAILLOG_DISCONNECT;
}

static void read_message(struct slice rest, struct maillog_event *ev)
{
	read_pairs(rest, ev);
	if (ev->queue_id.len == 0)
		return;
	ev->kind = ev->rcpt.ptr ? MAILLOG_QUEUED : MAILLOG_RECEIVED;
}

static void read_authentication(struct slice rest, struct maillog_event *ev)
{
	struct slice result = read_pairs(rest, ev);
	ev->kind = slice_equal(result, SLICE("ok")) ? MAILLOG_LOGIN : MAILLOG_OTHER;
}

/* command="RCPT TO:<a>" result="550 text" */
static void read_failed(struct slice rest, struct maillog_event *ev)
{
	struct slice name, value, path;
	if (!take_pair(&rest, &name, &value) || !slice_equal(name, SLICE("command")))
		return;
	struct slice command = value;
	if (!take_pair(&rest, &name, &value) || !slice_equal(name, SLICE("result")))
		return;
	ev->text = value;
	path = maillog_from(command, slice_find_byte(command, 0, '<'));
	if (slice_starts_nocase(command, SLICE("RCPT TO:"))) {
		maillog_take_path(&path, &ev->rcpt);
		ev->kind = MAILLOG_REJECTED;
	} else if (slice_starts_nocase(command, SLICE("MAIL FROM:"))) {
		ev->has_from = maillog_take_path(&path, &ev->from);
		ev->kind = MAILLOG_REJECTED;
	}
}

static void set_outcome(struct slice result, struct maillog_event *ev)
{
	static const struct {
		struct slice result;
		enum maillog_kind kind;
	} rows[] = {
		{ { "Ok", 2 }, MAILLOG_SENT }, { { "TempFail", 8 }, MAILLOG_DEFERRED },
		{ { "PermFail", 8 }, MAILLOG_BOUNCED }, { { "Loop", 4 }, MAILLOG_BOUNCED },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (slice_equal(result, rows[i].result) && ev->queue_id.len > 0 && ev->rcpt.ptr)
			ev->kind = rows[i].kind;
	/* "-" is the same address; of a local delivery user is the mailbox, who logged in nobody. */
	if (slice_equal(ev->orig_rcpt, SLICE("-")) || slice_equal(ev->orig_rcpt, ev->rcpt))
		ev->orig_rcpt = slice_make(NULL, 0);
	ev->sasl_user = slice_make(NULL, 0);
	ev->other_id = slice_make(NULL, 0);
	ev->dsn = dsn_of(ev->text);
	if (ev->kind == MAILLOG_SENT)
		ev->other_id = maillog_reply_id(ev->text);
}

static void read_delivery(struct slice rest, struct maillog_event *ev)
{
	struct slice result = read_pairs(rest, ev);
	set_outcome(result, ev);
}

/* "Ok for evpid: session=..., from=<>, to=<>, ..., stat=250 ok", before 6.0. */
static void read_old_delivery(struct slice rest, struct maillog_event *ev)
{
	struct slice result = maillog_take_until(&rest, ' ');
	if (!maillog_skip(&rest, SLICE("for ")))
		return;
	set_queue_id(maillog_take_until(&rest, ':'), ev);
	read_pairs(rest, ev);
	set_outcome(result, ev);
}

/* "msgid on session id: from=<>, to=<>, size=9, ndest=1, proto=ESMTP", before 6.0. */
static void read_old_message(struct slice rest, struct maillog_event *ev)
{
	set_queue_id(maillog_take_until(&rest, ' '), ev);
	if (!maillog_skip(&rest, SLICE("on session ")))
		return;
	ev->other_id = maillog_take_until(&rest, ':');
	read_message(rest, ev);
}

/* "id from host name [ip]", before 6.0. */
static void read_old_session(struct slice rest, struct maillog_event *ev)
{
	ev->other_id = maillog_take_until(&rest, ' ');
	if (!maillog_skip(&rest, SLICE("from host ")))
		return;
	ev->client = slice_first(rest, slice_find_byte(rest, 0, ']') + 1);
	ev->kind = MAILLOG_CONNECT;
}

bool maillog_opensmtpd(struct slice text, struct maillog_event *ev)
{
	static const struct {
		struct slice word;
		void (*read)(struct slice rest, struct maillog_event *ev);
		bool wants_session;
	} rows[] = {
		{ { "mta delivery ", 13 }, read_delivery, true }, { { "mda delivery ", 13 }, read_delivery, true },
		{ { "mta event=delivery ", 19 }, read_delivery, true },
		{ { "mda event=delivery ", 19 }, read_delivery, true },
		{ { "smtp message ", 13 }, read_message, true }, { { "smtp envelope ", 14 }, read_message, true },
		{ { "smtp event=message ", 19 }, read_message, true },
		{ { "smtp connected ", 15 }, read_connected, true },
		{ { "smtp event=connected ", 21 }, read_connected, true },
		{ { "smtp disconnected", 17 }, read_disconnected, true },
		{ { "smtp event=closed", 17 }, read_disconnected, true },
		{ { "smtp authentication ", 20 }, read_authentication, true },
		{ { "smtp event=authentication ", 26 }, read_authentication, true },
		{ { "smtp failed-command ", 20 }, read_failed, true },
		{ { "smtp event=failed-command ", 26 }, read_failed, true },
		{ { "relay: ", 7 }, read_old_delivery, false }, { { "delivery: ", 10 }, read_old_delivery, false },
		{ { "smtp-in: Accepted message ", 26 }, read_old_message, false },
		{ { "smtp-in: New session ", 21 }, read_old_session, false },
	};
	struct slice session = slice_first(text, hex_digits(text));
	bool has_session = session.len == EVPID_BYTES && text.len > EVPID_BYTES && text.ptr[EVPID_BYTES] == ' ';
	if (has_session)
		text = maillog_from(text, EVPID_BYTES + 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].wants_session == has_session && maillog_skip(&text, rows[i].word)) {
			ev->other_id = session;
			rows[i].read(text, ev);
			break;
		}
	}
	return true;
}
