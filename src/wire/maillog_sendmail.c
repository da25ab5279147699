/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_sendmail: what Sendmail writes behind "time host sm-mta[pid]: ".
 *
 * Nearly all of it is "queue-id: name=value, name=value, ...". The last value (stat, reject)
 * quotes the next server and is taken whole; the addresses in front may hold commas and
 * equal signs in quotes, so they are passed as addresses, never searched through.
 */
#include "wire/maillog_inside.h"
#include "wire/maillog_reply.h"

enum { ID_MIN = 8, ID_MAX = 24, ID_END_DIGITS = 5 };

/* "s1GNXHYB005133: ": letters and digits, the last five of the process. */
static bool take_queue_id(struct slice *text, struct maillog_event *ev)
{
	size_t n = 0, digits = 0;
	for (; n < text->len && n <= ID_MAX && (ascii_is_digit(text->ptr[n]) || ascii_is_alpha(text->ptr[n])); n++)
		digits = ascii_is_digit(text->ptr[n]) ? digits + 1 : 0;
	bool is_id = (n >= ID_MIN && n <= ID_MAX && digits >= ID_END_DIGITS) ||
		     slice_equal(slice_first(*text, n), SLICE("NOQUEUE"));
	if (!is_id || n + 1 >= text->len || text->ptr[n] != ':' || text->ptr[n + 1] != ' ')
		return false;
	ev->queue_id = slice_make(text->ptr, n);
	*text = maillog_from(*text, n + 2);
	return true;
}

/* Where one item of a list ends: at a comma outside of quotes and brackets. */
static size_t item_end(struct slice s)
{
	bool is_quoted = false, is_path = false;
	size_t i = 0;
	for (; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '\\')
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (c == '<' || c == '>')
			is_path = is_quoted ? is_path : c == '<';
		else if (c == ',' && !is_quoted && !is_path)
			break;
	}
	return i < s.len ? i : s.len;
}

/* "a,<b>, ": the list of to=, one or more; its end is a comma and a blank. */
static struct slice take_list(struct slice *rest, size_t *count_out)
{
	size_t n = 0;
	*count_out = 0;
	do {
		n += *count_out > 0;
		n += item_end(maillog_from(*rest, n));
		(*count_out)++;
	} while (n + 1 < rest->len && rest->ptr[n + 1] != ' ');
	struct slice list = slice_first(*rest, n);
	*rest = maillog_from(*rest, n);
	return list;
}

/* ", name=" or "name=" at the start; the value stays in *rest. */
static bool take_name(struct slice *rest, struct slice *name_out)
{
	struct slice text = *rest;
	maillog_skip(&text, SLICE(", "));
	size_t n = 0;
	while (n < text.len && (ascii_is_alpha(text.ptr[n]) || ascii_is_digit(text.ptr[n]) || text.ptr[n] == '_'))
		n++;
	if (n == 0 || n >= text.len || text.ptr[n] != '=')
		return false;
	*name_out = slice_first(text, n);
	*rest = maillog_from(text, n + 1);
	return true;
}

static struct slice take_value(struct slice *rest)
{
	size_t n = 0;
	for (;;) {
		n += item_end(maillog_from(*rest, n));
		if (n + 1 >= rest->len || rest->ptr[n + 1] == ' ')
			break;
		n++;
	}
	struct slice value = slice_first(*rest, n);
	*rest = maillog_from(*rest, n);
	return value;
}

/* "host [ip] (may be forged)" up to the bracket. */
static struct slice client_of(struct slice value)
{
	size_t end = slice_find_byte(value, 0, ']');
	return slice_first(value, end + 1);
}

/* "1+02:03:04" or "02:03:04" */
static int64_t delay_ms(struct slice value)
{
	static const int64_t units_ms[] = { 3600000, 60000, 1000 };
	uint64_t number;
	int64_t ms = 0;
	size_t plus = slice_find_byte(value, 0, '+');
	if (plus < value.len) {
		if (!slice_to_u64(slice_first(value, plus), &number) || number > 10000)
			return -1;
		ms = (int64_t)number * 86400000;
		value = maillog_from(value, plus + 1);
	}
	for (size_t i = 0; i < sizeof units_ms / sizeof units_ms[0]; i++) {
		if (!slice_to_u64(maillog_take_until(&value, ':'), &number) || number > 10000)
			return -1;
		ms += (int64_t)number * units_ms[i];
	}
	return ms;
}

/* ---- "from=<a>, size=9, class=0, nrcpts=2, msgid=<x>, proto=ESMTP, daemon=MTA, relay=h [ip]" ---- */

static void read_received(struct slice rest, struct maillog_event *ev)
{
	struct slice name, value;
	ev->has_from = true;
	ev->from = maillog_unwrap(take_value(&rest), '<', '>');
	while (rest.len > 0 && take_name(&rest, &name)) {
		value = take_value(&rest);
		if (slice_equal(name, SLICE("size")))
			slice_to_u64(value, &ev->size_bytes);
		else if (slice_equal(name, SLICE("nrcpts")))
			slice_to_u64(value, &ev->nrcpt);
		else if (slice_equal(name, SLICE("msgid")))
			ev->message_id = maillog_unwrap(value, '<', '>');
		else if (slice_equal(name, SLICE("relay")))
			ev->client = client_of(value);
	}
	if (ev->nrcpt > 0) /* else all were refused: no mail came of it */
		ev->kind = MAILLOG_RECEIVED;
}

/* ---- "to=<a>,<b>, ctladdr=c (0/0), delay=00:00:01, ..., dsn=2.0.0, stat=Sent (text)" ---- */

static void set_stat(struct slice stat, struct maillog_event *ev)
{
	char class = ev->dsn.len > 0 ? ev->dsn.ptr[0] : '\0';
	ev->text = stat;
	if (maillog_skip(&stat, SLICE("Sent"))) {
		ev->kind = MAILLOG_SENT;
		ev->text = maillog_unwrap(slice_trim(stat), '(', ')');
		ev->other_id = maillog_reply_id(ev->text);
	} else if (maillog_starts(stat, SLICE("Deferred")) || class == '4') {
		ev->kind = MAILLOG_DEFERRED;
	} else if (class == '5') {
		ev->kind = MAILLOG_BOUNCED;
	}
}

static void read_delivery(struct slice rest, struct maillog_event *ev)
{
	struct slice name, value;
	size_t count;
	struct slice list = take_list(&rest, &count);
	maillog_skip(&rest, SLICE(", [more]")); /* too long for one line: each has its own outcome */
	if (count == 1) {
		ev->rcpt = maillog_unwrap(list, '<', '>');
	} else {
		ev->rcpts = list;
		ev->rcpts_separator = ',';
	}
	while (rest.len > 0 && take_name(&rest, &name)) {
		if (slice_equal(name, SLICE("stat"))) {
			set_stat(rest, ev);
			return;
		}
		value = take_value(&rest);
		if (slice_equal(name, SLICE("delay")))
			ev->delay_ms = delay_ms(value);
		else if (slice_equal(name, SLICE("relay")))
			ev->relay = value;
		else if (slice_equal(name, SLICE("dsn")))
			ev->dsn = value;
	}
}

/* ---- refusals ---- */

/* "ruleset=check_rcpt, arg1=<a>, relay=h [ip], reject=550 5.7.1 text" */
static void read_ruleset(struct slice rest, struct maillog_event *ev)
{
	struct slice name, value, ruleset = take_value(&rest);
	while (rest.len > 0 && take_name(&rest, &name)) {
		if (slice_equal(name, SLICE("reject"))) {
			ev->text = rest;
			ev->kind = MAILLOG_REJECTED;
			return;
		}
		value = take_value(&rest);
		if (slice_equal(name, SLICE("relay")))
			ev->client = client_of(value);
		else if (slice_equal(name, SLICE("arg1")) && slice_equal(ruleset, SLICE("check_rcpt")))
			ev->rcpt = maillog_unwrap(value, '<', '>');
		else if (slice_equal(name, SLICE("arg1")) && slice_equal(ruleset, SLICE("check_mail"))) {
			ev->from = maillog_unwrap(value, '<', '>');
			ev->has_from = true;
		}
	}
}

/* "to=<a>, reject=550 text" or "data, reject=..." behind "Milter: ". */
static void read_milter(struct slice rest, struct maillog_event *ev)
{
	if (maillog_skip(&rest, SLICE("to=")))
		ev->rcpt = maillog_unwrap(take_value(&rest), '<', '>');
	else if (maillog_skip(&rest, SLICE("from=")))
		ev->from = maillog_unwrap(take_value(&rest), '<', '>');
	else
		take_value(&rest);
	if (!maillog_skip(&rest, SLICE(", reject=")))
		return;
	ev->text = rest;
	ev->kind = MAILLOG_MILTER_REJECT;
}

/* "<a>... User unknown" while RCPT was spoken. */
static void read_unknown_user(struct slice text, struct maillog_event *ev)
{
	struct slice rcpt;
	if (!maillog_take_path(&text, &rcpt) || !maillog_skip(&text, SLICE("... ")))
		return;
	ev->rcpt = rcpt;
	ev->text = text;
	ev->kind = MAILLOG_REJECTED;
}

/* ---- the rest ---- */

/* "server, relay=h [ip], authid=u, mech=PLAIN, bits=0" */
static void read_auth(struct slice rest, struct maillog_event *ev)
{
	struct slice name, value;
	if (!slice_equal(take_value(&rest), SLICE("server")))
		return;
	while (rest.len > 0 && take_name(&rest, &name)) {
		value = take_value(&rest);
		if (slice_equal(name, SLICE("relay")))
			ev->client = client_of(value);
		else if (slice_equal(name, SLICE("authid")))
			ev->sasl_user = value;
	}
	/* Most versions say so of the session, before there is a mail. */
	ev->kind = ev->queue_id.len > 0 ? MAILLOG_CLIENT : MAILLOG_LOGIN;
}

/* "OTHERID: DSN: User unknown": a notice was made about this mail. */
static bool read_notice(struct slice text, struct maillog_event *ev)
{
	static const struct slice words[] = {
		{ "DSN: ", 5 }, { "return to sender: ", 18 }, { "postmaster notify: ", 19 },
		{ "sender notify: ", 15 },
	};
	struct maillog_event other = { .kind = MAILLOG_OTHER };
	if (!take_queue_id(&text, &other))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (maillog_skip(&text, words[i])) {
			ev->kind = MAILLOG_NOTICE;
			ev->other_id = other.queue_id;
			ev->text = text;
		}
	}
	return true;
}

static void read_client(struct slice text, struct maillog_event *ev)
{
	if (maillog_skip(&text, SLICE("connect from "))) {
		ev->kind = MAILLOG_CONNECT;
		ev->client = client_of(text);
	}
}

static void read_done(struct slice text, struct maillog_event *ev)
{
	(void)text;
	ev->kind = MAILLOG_REMOVED;
}

bool maillog_sendmail(struct slice text, struct maillog_event *ev)
{
	static const struct {
		struct slice word;
		void (*read)(struct slice rest, struct maillog_event *ev);
		bool wants_id;
	} rows[] = {
		{ { "to=", 3 }, read_delivery, true }, { { "from=", 5 }, read_received, true },
		{ { "ruleset=", 8 }, read_ruleset, false }, { { "Milter: ", 8 }, read_milter, true },
		{ { "AUTH=", 5 }, read_auth, false }, { { "done; ", 6 }, read_done, true },
	};
	bool has_id = take_queue_id(&text, ev);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice rest = text;
		if ((has_id || !rows[i].wants_id) && maillog_skip(&rest, rows[i].word)) {
			rows[i].read(rest, ev);
			return true;
		}
	}
	if (has_id && !read_notice(text, ev)) {
		read_client(text, ev);
		read_unknown_user(text, ev);
	}
	return true;
}
