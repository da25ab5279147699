/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_postfix: what Postfix writes behind "time host postfix/daemon[pid]: ".
 *
 * re2c tells the words of Postfix apart; values are taken by length or separator, each
 * byte once. Who writes counts: a daemon that has no business to say so says nothing.
 */
#include "wire/maillog_inside.h"
#include "wire/maillog_reply.h"

/*!re2c
	re2c:flags:T = 1;
	re2c:flags:s = 1;
	re2c:api = custom;
	re2c:api:style = free-form;
	re2c:define:YYCTYPE = "unsigned char";
	re2c:define:YYPEEK = "(c < e ? (unsigned char)*c : 0)";
	re2c:define:YYSKIP = "c++;";
	re2c:define:YYBACKUP = "m = c;";
	re2c:define:YYRESTORE = "c = m;";
	re2c:define:YYSTAGP = "@@{tag} = c;";
	re2c:define:YYSTAGN = "@@{tag} = NULL;";
	re2c:define:YYSHIFTSTAG = "@@{tag} += @@{shift};";
	re2c:yyfill:enable = 0;

	any = [^\x00];
	digit = [0-9];
	stage = [^ \x00]+ (" (" digit+ " bytes)")?;
*/

/* ---- who may say what ---- */

enum postfix_duty {
	DUTY_NONE = 1,     /* a daemon of Postfix that knows nothing of mails */
	DUTY_DELIVERS = 2, /* may say "to=<...>, status=..." */
	DUTY_OTHER = 4,    /* may say everything else about a mail */
	DUTY_SERVES = 8,   /* speaks with clients */
};

static unsigned postfix_duties(struct slice service)
{
	const char *c = service.ptr, *e = service.ptr + service.len, *m = c;
	/*!re2c:duties
	("smtp" | "lmtp" | "local" | "virtual" | "pipe" | "relay" | "error" | "retry" | "discard") {
		return c == e ? DUTY_DELIVERS : 0;
	}
	("smtpd" | "postscreen") { return c == e ? (DUTY_OTHER | DUTY_SERVES) : 0; }
	("qmgr" | "oqmgr" | "nqmgr" | "cleanup" | "bounce") { return c == e ? (DUTY_DELIVERS | DUTY_OTHER) : 0; }
	// Lightmeter's milter "headers" writes as if it were one of them.
	("pickup" | "qmqpd" | "postsuper" | "headers") { return c == e ? DUTY_OTHER : 0; }
	("anvil" | "master" | "tlsmgr" | "tlsproxy" | "dnsblog" | "scache" | "verify" | "flush" |
	 "proxymap" | "proxywrite" | "trivial-rewrite" | "showq" | "spawn" | "sendmail" | "postdrop" |
	 "postqueue" | "postfix-script" | "postfix-tlspol" | "postmap" | "postalias" | "postlog" | "postlogd" |
	 "post-install" | "postkick" | "postmulti" | "script" | "trace" | "defer") {
		return c == e ? DUTY_NONE : 0;
	}
	* { return 0; }
	*/
}

/* ---- queue ids ---- */

/* Short ids are capital hexadecimal digits, long ones have no vowels; so no word of
 * the log ("warning", "statistics") is taken for one. */
enum { ID_SHORT = 1, ID_LONG = 2, QUEUE_ID_MIN = 5, QUEUE_ID_MAX = 64 };

static const unsigned char id_classes[256] = {
	['0' ... '9'] = ID_SHORT | ID_LONG,
	['A'] = ID_SHORT, ['B' ... 'D'] = ID_SHORT | ID_LONG, ['E'] = ID_SHORT, ['F'] = ID_SHORT | ID_LONG,
	['G' ... 'H'] = ID_LONG, ['J' ... 'N'] = ID_LONG, ['P' ... 'T'] = ID_LONG, ['V' ... 'Z'] = ID_LONG,
	['b' ... 'd'] = ID_LONG, ['f' ... 'h'] = ID_LONG, ['j' ... 'n'] = ID_LONG, ['p' ... 't'] = ID_LONG,
	['v' ... 'z'] = ID_LONG,
};

static bool take_queue_id(struct slice *text, struct maillog_event *ev)
{
	unsigned all = ID_SHORT | ID_LONG, class;
	size_t n = 0;
	if (maillog_starts(*text, SLICE("NOQUEUE: "))) {
		n = 7;
	} else {
		for (; n < text->len && (class = id_classes[(unsigned char)text->ptr[n]]) != 0; n++)
			all &= class;
		if (n < QUEUE_ID_MIN || n > QUEUE_ID_MAX || !all)
			return false;
	}
	if (n + 2 > text->len || text->ptr[n] != ':' || text->ptr[n + 1] != ' ')
		return false;
	ev->queue_id = slice_make(text->ptr, n);
	*text = maillog_from(*text, n + 2);
	return true;
}

/* ---- one recipient ---- */

/* "sent (250 ok)" */
static void read_status(struct slice rest, struct maillog_event *ev)
{
	struct slice status = maillog_take_value(&rest);
	ev->text = maillog_unwrap(slice_trim(rest), '(', ')');
	if (slice_equal(status, SLICE("sent"))) {
		ev->kind = MAILLOG_SENT;
		ev->other_id = maillog_reply_id(ev->text);
	} else if (slice_equal(status, SLICE("deferred"))) {
		ev->kind = MAILLOG_DEFERRED;
	} else if (slice_equal(status, SLICE("bounced"))) {
		ev->kind = MAILLOG_BOUNCED;
	}
}

/* "before/queued/connecting/sending" */
static void read_delays(struct slice *rest, struct maillog_event *ev)
{
	int i = 0;
	do
		ev->delays_ms[i++] = maillog_take_seconds(rest);
	while (i < 4 && maillog_skip(rest, SLICE("/")));
}

enum attribute { ATTRIBUTE_OTHER, ATTRIBUTE_RELAY, ATTRIBUTE_DELAY, ATTRIBUTE_DELAYS, ATTRIBUTE_DSN,
		 ATTRIBUTE_STATUS, ATTRIBUTE_NONE };

/* ", name=" */
static enum attribute take_attribute(struct slice *rest)
{
	const char *c = rest->ptr, *e = rest->ptr + rest->len, *m = c;
	enum attribute found;
	/*!re2c:attribute
	", relay=" { found = ATTRIBUTE_RELAY; goto done; }
	", delay=" { found = ATTRIBUTE_DELAY; goto done; }
	", delays=" { found = ATTRIBUTE_DELAYS; goto done; }
	", dsn=" { found = ATTRIBUTE_DSN; goto done; }
	", status=" { found = ATTRIBUTE_STATUS; goto done; }
	", " [a-z_]+ "=" { found = ATTRIBUTE_OTHER; goto done; }
	* { return ATTRIBUTE_NONE; }
	*/
done:
	*rest = maillog_span(c, e);
	return found;
}

/* "<rcpt>, orig_to=<first>, relay=r, ..., dsn=2.0.0, status=sent (250 ok)": one recipient's
 * outcome. status is the last attribute: what follows is the answer. */
static void read_delivery(struct slice rest, struct maillog_event *ev)
{
	if (!maillog_take_address(&rest, &ev->rcpt))
		return;
	if (maillog_skip(&rest, SLICE(", orig_to=")) && !maillog_take_address(&rest, &ev->orig_rcpt))
		return;
	for (;;) {
		switch (take_attribute(&rest)) {
		case ATTRIBUTE_RELAY: ev->relay = maillog_take_value(&rest); break;
		case ATTRIBUTE_DELAY:
			ev->delay_ms = maillog_take_seconds(&rest);
			maillog_take_value(&rest);
			break;
		case ATTRIBUTE_DELAYS:
			read_delays(&rest, ev);
			maillog_take_value(&rest);
			break;
		case ATTRIBUTE_DSN: ev->dsn = maillog_take_value(&rest); break;
		case ATTRIBUTE_OTHER: maillog_take_value(&rest); break;
		case ATTRIBUTE_STATUS: read_status(rest, ev); return;
		case ATTRIBUTE_NONE: return;
		}
	}
}

/* "host relay said: 450 text (in reply to RCPT TO command)": one try of several, no outcome. */
static void read_try(struct slice rest, struct maillog_event *ev)
{
	if (!maillog_skip(&rest, SLICE("host ")) &&
	    !maillog_skip(&rest, SLICE("SASL authentication failed; server ")))
		return;
	struct slice relay = maillog_take_until(&rest, ' ');
	if (maillog_skip(&rest, SLICE("said: ")) || maillog_skip(&rest, SLICE("refused to talk to me: "))) {
		ev->relay = relay;
		ev->text = rest;
	}
}

/* ---- refusals and header checks ---- */

/* "; from=<a> to=<b> proto=ESMTP helo=<c>", postscreen with commas. What stands in front. */
static struct slice take_envelope(struct slice text, struct maillog_event *ev)
{
	size_t at = maillog_find_last(text, SLICE("; from=<"));
	if (at == text.len)
		at = maillog_find_last(text, SLICE("; to=<"));
	struct slice rest = maillog_from(text, at + 1), value;
	while (rest.len > 0) {
		size_t pad = 0;
		while (pad < rest.len && (rest.ptr[pad] == ' ' || rest.ptr[pad] == ','))
			pad++;
		rest = maillog_from(rest, pad);
		if (maillog_skip(&rest, SLICE("from="))) {
			ev->has_from = maillog_take_address(&rest, &ev->from);
		} else if (maillog_skip(&rest, SLICE("to="))) {
			maillog_take_address(&rest, &ev->rcpt);
		} else if (maillog_skip(&rest, SLICE("helo="))) {
			maillog_take_address(&rest, &ev->helo);
			break;
		} else if (maillog_skip(&rest, SLICE("proto="))) {
			value = maillog_take_value(&rest);
			(void)value;
		} else {
			break;
		}
	}
	return slice_first(text, at);
}

/* "STAGE from client: reason; from=<a> to=<b> proto=...". The reason quotes strangers;
 * nothing is decided by these fields. */
static void read_refusal(struct slice text, enum maillog_kind kind, struct maillog_event *ev)
{
	ev->kind = kind;
	text = take_envelope(text, ev);
	ev->text = text;
	size_t from = slice_find_byte(text, 0, ' ');
	struct slice rest = maillog_from(text, from);
	if (!maillog_skip(&rest, SLICE(" from ")))
		return;
	size_t end = slice_find_byte(rest, 0, ' ');
	if (end > 0 && end < rest.len && rest.ptr[end - 1] == ':') {
		ev->client = slice_first(rest, end - 1);
		ev->text = maillog_from(rest, end + 1);
	}
}

/* "header Subject: text from client; from=<a> ...": a header check of cleanup. */
static void read_header_check(struct slice text, enum maillog_kind kind, struct maillog_event *ev)
{
	text = take_envelope(text, ev);
	size_t from = maillog_find_last(text, SLICE(" from "));
	if (from == text.len || ev->from.ptr == NULL)
		return;
	ev->client = maillog_from(text, from + 6);
	ev->text = slice_first(text, from);
	ev->kind = kind;
	struct slice value = ev->text;
	if (slice_starts_nocase(value, SLICE("Subject: ")))
		ev->subject = maillog_from(value, 9);
	else if (slice_starts_nocase(value, SLICE("In-Reply-To: ")))
		ev->in_reply_to = maillog_unwrap(slice_trim(maillog_from(value, 13)), '<', '>');
	else if (kind == MAILLOG_HEADER)
		ev->kind = MAILLOG_OTHER;
}

/* "In-Reply-To", value="<a>" */
static void read_named_header(struct slice text, struct maillog_event *ev)
{
	struct slice name = maillog_take_until(&text, '"');
	if (!maillog_skip(&text, SLICE(", value=\"")))
		return;
	text = slice_first(text, text.len - (text.len > 0 && text.ptr[text.len - 1] == '"'));
	if (slice_equal_nocase(name, SLICE("In-Reply-To")))
		ev->in_reply_to = maillog_unwrap(text, '<', '>');
	else if (slice_equal_nocase(name, SLICE("Subject")))
		ev->subject = text;
	else
		return;
	ev->kind = MAILLOG_HEADER;
}

static void read_action(struct slice text, enum maillog_kind kind, struct maillog_event *ev)
{
	if (maillog_skip(&text, SLICE("header ")))
		read_header_check(text, kind == MAILLOG_OTHER ? MAILLOG_HEADER : kind, ev);
	else
		read_refusal(text, kind, ev);
}

/* ---- everything else about a mail ---- */

static uint64_t take_number(struct slice *rest)
{
	uint64_t value = 0;
	size_t n = 0;
	for (; n < rest->len && n < 19 && ascii_is_digit(rest->ptr[n]); n++)
		value = value * 10 + (uint64_t)(rest->ptr[n] - '0');
	*rest = maillog_from(*rest, n);
	return value;
}

/* "<a>, size=5360, nrcpt=1 (queue active)" or "<a>, status=expired, returned to sender" */
static void read_from(struct slice rest, struct maillog_event *ev)
{
	if (!maillog_take_path(&rest, &ev->from))
		return;
	ev->has_from = true;
	if (maillog_skip(&rest, SLICE(", size="))) {
		ev->size_bytes = take_number(&rest);
		if (!maillog_skip(&rest, SLICE(", nrcpt=")))
			return;
		ev->nrcpt = take_number(&rest);
		if (maillog_starts(rest, SLICE(" (queue ")))
			ev->kind = MAILLOG_QUEUED;
	} else if (maillog_starts(rest, SLICE(", status=expired, ")) ||
		   maillog_starts(rest, SLICE(", status=force-expired, "))) {
		ev->kind = MAILLOG_EXPIRED;
	}
}

/* "host[ip], sasl_method=PLAIN, sasl_username=a, orig_queue_id=X, orig_client=host[ip]" */
static void read_client(struct slice rest, struct maillog_event *ev)
{
	ev->kind = MAILLOG_CLIENT;
	ev->client = maillog_take_value(&rest);
	while (maillog_skip(&rest, SLICE(", "))) {
		struct slice value = maillog_take_until(&rest, '=');
		struct slice name = value;
		value = slice_first(rest, slice_find_byte(rest, 0, ','));
		rest = maillog_from(rest, value.len);
		if (slice_equal(name, SLICE("sasl_username")))
			ev->sasl_user = value;
		else if (slice_equal(name, SLICE("orig_queue_id")))
			ev->other_id = value;
	}
}

/* "1000 from=<a>" behind "uid=" */
static void read_pickup(struct slice rest, struct maillog_event *ev)
{
	take_number(&rest);
	if (!maillog_skip(&rest, SLICE(" from=")) || !maillog_take_path(&rest, &ev->from))
		return;
	ev->has_from = true;
	ev->kind = MAILLOG_CLIENT;
	if (maillog_skip(&rest, SLICE(" orig_id=")))
		ev->other_id = maillog_take_value(&rest);
}

static void read_message_id(struct slice rest, enum maillog_kind kind, struct maillog_event *ev)
{
	ev->kind = kind;
	ev->message_id = maillog_unwrap(rest, '<', '>');
}

static void read_about_mail(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len, *m = c;
	/*!re2c:about
	"from=" { read_from(maillog_span(c, e), ev); return; }
	"removed" {
		if (c == e)
			ev->kind = MAILLOG_REMOVED;
		return;
	}
	"message-id=" { read_message_id(maillog_span(c, e), MAILLOG_MESSAGE_ID, ev); return; }
	// A mail that somebody sent on as it is keeps its first Message-ID: that one names it.
	"resent-message-id=" { read_message_id(maillog_span(c, e), MAILLOG_OTHER, ev); return; }
	"client=" { read_client(maillog_span(c, e), ev); return; }
	"uid=" { read_pickup(maillog_span(c, e), ev); return; }
	("sender" | "postmaster") " " ("non-delivery" | "delay" | "delivery status") " notification: " {
		ev->kind = MAILLOG_NOTICE;
		text = maillog_span(c, e);
		ev->other_id = maillog_take_value(&text);
		return;
	}
	"milter-reject: " { read_refusal(maillog_span(c, e), MAILLOG_MILTER_REJECT, ev); return; }
	("milter-discard: " | "discard: ") { read_action(maillog_span(c, e), MAILLOG_MILTER_DISCARD, ev); return; }
	("milter-hold: " | "hold: ") { read_action(maillog_span(c, e), MAILLOG_MILTER_HOLD, ev); return; }
	("reject: " | "proxy-reject: ") { read_action(maillog_span(c, e), MAILLOG_REJECTED, ev); return; }
	"header name=\"" { read_named_header(maillog_span(c, e), ev); return; }
	[a-z_-]+ ": " { read_action(maillog_span(c, e), MAILLOG_OTHER, ev); return; }
	* { return; }
	*/
}

/* ---- lines about no mail ---- */

/* What a client does, and what the line says of it. */
static void read_session(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len, *m = c;
	struct slice rest;
	/*!re2c:session
	"connect from " { ev->kind = MAILLOG_CONNECT; goto client; }
	"disconnect from " { ev->kind = MAILLOG_DISCONNECT; goto client; }
	("lost connection" | "timeout" | "improper command pipelining" | "bare <LF> received") " after "
	stage " from " { goto client; }
	("Anonymous" | "Untrusted" | "Trusted" | "Verified") " TLS connection established from " { goto client; }
	"SSL_accept error from " { goto client; }
	("too many errors after " stage | "warning: non-SMTP command") " from " { goto client; }
	"warning: " [^ \x00]+ ": SASL " { // a login that failed
		rest = maillog_span(text.ptr + 9, e);
		ev->client = maillog_take_until(&rest, ' ');
		ev->client.len--;
		return;
	}
	"proxy-reject: " { read_refusal(maillog_span(c, e), MAILLOG_REJECTED, ev); return; }
	"proxy-accept: " { read_refusal(maillog_span(c, e), MAILLOG_OTHER, ev); return; }
	* { return; }
	*/
client:
	rest = maillog_span(c, e);
	ev->client = maillog_take_until(&rest, ' ');
	if (ev->client.len > 0 && ev->client.ptr[ev->client.len - 1] == ':')
		ev->client.len--;
}

bool maillog_postfix(struct slice text, struct maillog_event *ev)
{
	unsigned duties = postfix_duties(ev->service);
	if (!duties)
		return maillog_starts(ev->program, SLICE("postfix"));
	if (duties & DUTY_NONE)
		return true;
	if (!take_queue_id(&text, ev)) {
		if (duties & DUTY_SERVES)
			read_session(text, ev);
		return true;
	}
	if (!maillog_skip(&text, SLICE("to="))) {
		if (duties & DUTY_OTHER)
			read_about_mail(text, ev);
		else
			read_try(text, ev);
	} else if (duties & DUTY_DELIVERS) {
		read_delivery(text, ev);
	}
	return true;
}
