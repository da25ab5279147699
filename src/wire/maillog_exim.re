/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_exim: Exim's main log, after chapter "Log files" of its specification.
 *
 *	time [zone] [pid] id flag address [<original>] KEY=value ...
 *
 * The flags: <= came in, => -> >> sent (first, further, and cut-through recipients of one
 * delivery), == put off, ** given up, *> not sent because of -N, Completed. The words
 * behind them are read from left to right; an address, an id, a subject and an answer may
 * hold blanks inside quotes. What a host says of itself stands in round brackets before its
 * address and may look like one: so client is "name [address]" only when nothing stands
 * between the two, else "[address]". The recipients (" for a b") are the line's end, after
 * the size: so no SNI can pass for them.
 *
 * A delivery to a mailbox, pipe or file is written as "userx <userx@dom>" or
 * "|/bin/prog <userx@dom>": then rcpt is the address in brackets, and relay is the pipe or
 * file, or else the transport. T= and C= keep Exim's own escapes (\", \\, \ooo): this room
 * has no memory for one line of syslog.
 *
 * A line that is cut short within its first words confirms nothing: a delivery without
 * its router or transport, a failure without its reason is OTHER.
 */
#include "wire/maillog_exim.h"
#include "wire/maillog_reply.h"

enum {
	ID_OLD_BYTES = 16, /* 6-6-2 */
	ID_LONG_BYTES = 23,/* 6-11-4, since 4.97 */
};

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

	digit = [0-9];
	two = digit digit;
	time = two two "-" two "-" two " " two ":" two ":" two ("." digit+)?;
	zone = " " [+-] two two;
	word = [^ \x00]+;
*/

/* ---- <= ---- */

/* What one word of an arrival says; H=, S= and "for" are the caller's. */
static void note_arrival(struct slice word, struct slice *local_user, struct maillog_event *ev)
{
	if (exim_is_key(word, 'A'))
		ev->sasl_user = exim_user(exim_value(word));
	else if (exim_is_key(word, 'U'))
		*local_user = exim_value(word);
	else if (exim_is_key(word, 'R'))
		ev->notice_of = exim_value(word);
	else if (exim_is_key(word, 'T'))
		ev->subject = exim_unquote(exim_value(word));
	else if (maillog_starts(word, SLICE("id=")))
		ev->message_id = exim_value(word);
}

/* The login name of a local sender is what Exim itself takes for authenticated. */
static void read_arrival(struct slice rest, struct maillog_event *ev)
{
	struct slice local_user = { NULL, 0 };
	bool has_size = false;
	struct slice word = exim_take_word(&rest);
	if (word.len == 0)
		return;
	ev->kind = MAILLOG_RECEIVED;
	exim_set_from(ev, word);
	while (rest.len > 0) {
		word = exim_take_word(&rest);
		if (exim_is_key(word, 'H')) {
			struct exim_host host;
			exim_take_host_value(word, &rest, &host);
			ev->client = host.client;
			ev->helo = host.helo;
		} else if (exim_is_key(word, 'S')) {
			has_size = true;
			slice_to_u64(exim_value(word), &ev->size_bytes);
		} else if (has_size && slice_equal(word, SLICE("for"))) {
			ev->rcpts = slice_trim(rest);
			ev->rcpts_separator = ' ';
			break;
		} else {
			note_arrival(word, &local_user, ev);
		}
	}
	if (ev->client.len == 0 && ev->sasl_user.len == 0)
		ev->sasl_user = local_user;
}

/* ---- rejected ---- */

/* "<address>" or a bare address up to ":" or a blank. */
static struct slice take_refused(struct slice rest)
{
	struct slice path;
	if (maillog_take_path(&rest, &path))
		return path;
	struct slice word = exim_take_word(&rest);
	word.len -= word.len > 0 && word.ptr[word.len - 1] == ':';
	return word;
}

/* What was refused: rest begins behind "rejected ". */
static void note_refused(struct slice rest, struct maillog_event *ev)
{
	const char *c = exim_begin(rest), *e = exim_end(rest), *m = c;
	/*!re2c:refused
	"RCPT " ("TO:")? { ev->rcpt = take_refused(maillog_span(c, e)); return; }
	"MAIL <" | "MAIL FROM:<" | "from <" { exim_set_from(ev, take_refused(maillog_span(c - 1, e))); return; }
	* { return; }
	*/
}

/* text begins with "rejected " or "temporarily rejected ". */
static bool read_refusal(struct slice text, struct maillog_event *ev)
{
	struct slice rest = text;
	maillog_skip(&rest, SLICE("temporarily "));
	if (!maillog_skip(&rest, SLICE("rejected ")))
		return false;
	ev->kind = MAILLOG_REJECTED;
	ev->text = slice_trim(text);
	ev->dsn = maillog_reply_dsn(ev->text);
	note_refused(rest, ev);
	return true;
}

/* "RCPT <address>: discarded by RCPT ACL": taken, and thrown away. */
static bool read_discarded_rcpt(struct slice rest, struct maillog_event *ev)
{
	struct slice path;
	if (!maillog_skip(&rest, SLICE("RCPT ")) || !maillog_take_path(&rest, &path) ||
	    !maillog_skip(&rest, SLICE(": discarded by ")))
		return false;
	ev->kind = MAILLOG_MILTER_DISCARD;
	ev->rcpt = path;
	ev->text = rest;
	return true;
}

/* KEY=value, or one of the words that stand alone. */
static bool is_attribute(struct slice word)
{
	size_t n = 0;
	while (n < word.len && (ascii_is_alpha(word.ptr[n]) || ascii_is_digit(word.ptr[n])))
		n++;
	return (n > 0 && n < word.len && word.ptr[n] == '=') || slice_equal(word, SLICE("K")) ||
	       slice_equal(word, SLICE("L")) || slice_equal(word, SLICE("PRDR"));
}

static void note_refused_attribute(struct slice word, struct slice *rest, struct maillog_event *ev)
{
	if (exim_is_key(word, 'H')) {
		struct exim_host host;
		exim_take_host_value(word, rest, &host);
		ev->client = host.client;
		ev->helo = host.helo;
	} else if (exim_is_key(word, 'F')) {
		exim_set_from(ev, exim_value(word));
	} else if (exim_is_key(word, 'A')) {
		ev->sasl_user = exim_user(exim_value(word));
	}
}

/* "H=host F=<from> rejected RCPT <to>: reason"; what precedes it are attributes, so that
 * no answer or debugging text is taken for it. Whether there was at least one attribute. */
static bool read_attributes(struct slice text, struct maillog_event *ev)
{
	struct slice rest = text;
	bool is_any = false;
	while (rest.len > 0) {
		struct slice here = slice_from(rest, rest.ptr[0] == ' ');
		if (read_refusal(here, ev) || read_discarded_rcpt(here, ev))
			return true;
		struct slice word = exim_take_word(&rest);
		if (!is_attribute(word))
			break;
		note_refused_attribute(word, &rest, ev);
		is_any = true;
	}
	return is_any;
}

/* "SMTP protocol synchronization error (...): rejected connection from H=host input=...",
 * "Error while reading message ...: rejected by non-SMTP ACL: reason". */
static void read_late_refusal(struct slice text, struct maillog_event *ev)
{
	size_t at = slice_find_nocase(text, 0, SLICE("): rejected "));
	struct slice rest = slice_from(text, at + 3);
	if (rest.len == 0 || !read_refusal(rest, ev))
		return;
	struct exim_host host;
	rest = slice_from(rest, slice_find_nocase(rest, 0, SLICE(" H=")) + 3);
	exim_take_host(&rest, &host);
	ev->client = host.client;
	ev->helo = host.helo;
}

/* ---- connections ---- */

/* "host [address]:port (TCP/IP connection count = 3)", "... closed by QUIT", "... lost". */
static void read_connection(struct slice rest, struct maillog_event *ev)
{
	struct exim_host host;
	exim_take_host(&rest, &host);
	ev->client = host.client;
	ev->helo = host.helo;
	ev->text = slice_trim(rest);
	if (slice_find_nocase(rest, 0, SLICE("(TCP/IP connection count")) < rest.len)
		ev->kind = MAILLOG_CONNECT;
	else if (slice_find_nocase(rest, 0, SLICE(" closed ")) < rest.len ||
		 slice_find_nocase(rest, 0, SLICE(" lost")) < rest.len)
		ev->kind = MAILLOG_DISCONNECT;
}

/* ---- the line ---- */

/* Length of the queue id that text begins with; 0 when there is none. */
static size_t id_bytes(struct slice text)
{
	size_t len = text.len > 13 && text.ptr[13] == '-' ? ID_OLD_BYTES : ID_LONG_BYTES;
	size_t last_dash = len == ID_OLD_BYTES ? 13 : 18;
	if (text.len <= len || text.ptr[len] != ' ')
		return 0;
	for (size_t i = 0; i < len; i++) {
		bool is_dash = i == 6 || i == last_dash;
		char c = text.ptr[i];
		if (is_dash ? c != '-' : !ascii_is_digit(c) && !ascii_is_alpha(c))
			return 0;
	}
	return len;
}

static void set_about(struct maillog_event *ev, enum maillog_kind kind, struct slice text)
{
	ev->kind = kind;
	ev->text = slice_trim(text);
}

/* "Completed QT=3s", and nothing else. */
static void read_completed(struct slice rest, struct maillog_event *ev)
{
	struct slice word = exim_take_word(&rest);
	if (maillog_starts(word, SLICE("QT=")))
		ev->delay_ms = exim_duration_ms(exim_value(word));
	if (rest.len == 0)
		ev->kind = MAILLOG_REMOVED;
}

/* Behind the id. */
static void read_about_mail(struct slice text, struct maillog_event *ev)
{
	const char *c = exim_begin(text), *e = exim_end(text), *m = c;
	/*!re2c:about
	"<= " { read_arrival(maillog_span(c, e), ev); return; }
	"=> blackhole " [(*] { set_about(ev, MAILLOG_MILTER_DISCARD, maillog_span(c - 1, e)); return; }
	"** mua_wrapper " { set_about(ev, MAILLOG_EXPIRED, slice_from(text, 3)); return; }
	("=" | "-" | ">") "> " { exim_read_delivery(maillog_span(c, e), MAILLOG_SENT, ev); return; }
	"== " { exim_read_delivery(maillog_span(c, e), MAILLOG_DEFERRED, ev); return; }
	"** " { exim_read_delivery(maillog_span(c, e), MAILLOG_BOUNCED, ev); return; }
	"*> " { exim_read_delivery(maillog_span(c, e), MAILLOG_OTHER, ev); return; }
	"Completed" { read_completed(maillog_span(c, e), ev); return; }
	"cancelled by " | "removed by " { set_about(ev, MAILLOG_EXPIRED, text); return; }
	"SMTP connection from " { read_connection(maillog_span(c, e), ev); return; }
	"local_scan() function " ("timed out" | "crashed") { set_about(ev, MAILLOG_REJECTED, text); return; }
	"Error while reading message" { read_late_refusal(text, ev); return; }
	[A-Z] [A-Za-z0-9]* "=" | "rejected " | "temporarily rejected " { read_attributes(text, ev); return; }
	* { ev->text = text; return; }
	*/
}

/* A line of no mail. Whether it is one that Exim writes. */
static bool read_about_server(struct slice text, struct maillog_event *ev)
{
	const char *c = exim_begin(text), *e = exim_end(text), *m = c;
	/*!re2c:server
	"SMTP connection from " { read_connection(maillog_span(c, e), ev); return true; }
	"SMTP protocol " { read_late_refusal(text, ev); return true; }
	[A-Z] [A-Za-z0-9]* "=" | "rejected " | "temporarily rejected " { return read_attributes(text, ev); }
	"Start queue run: " | "End queue run: " | "exim " word " daemon started: " { return true; }
	"no " ("host name" | "IP address") " found for " | "no MAIL in SMTP connection " { return true; }
	"SMTP " ("call" | "command" | "data" | "syntax" | "connection") " " { return true; }
	"TLS error on connection " | "unexpected disconnection " | "Connection from " { return true; }
	"refused connection from " | "Warning: " | "cwd=" { return true; }
	word " authenticator failed for " { return true; }
	* { return false; }
	*/
}

/* The time off the start; its end in the line, or NULL when there is none. */
static const char *take_time(struct slice line, struct slice *time_out)
{
	const char *c = exim_begin(line), *e = exim_end(line), *m = c;
	const char *end;
	/*!stags:re2c:time format = "const char *@@ = NULL;\n"; */
	/*!re2c:time
	time zone? @end " " { *time_out = maillog_span(line.ptr, end); return c; }
	* { return NULL; }
	*/
}

/* "[pid] " off the start, and "[2\3] " of a line that was too long for syslog: only the
 * first piece says anything. False for a further one. */
static bool take_brackets(struct slice *text)
{
	const char *c = exim_begin(*text), *e = exim_end(*text), *m = c;
	/*!re2c:brackets
	"[" digit+ "] " | "[1" [/\\] digit+ "] " { *text = maillog_span(c, e); return true; }
	"[" digit+ [/\\] digit+ "] " { return false; }
	* { return true; }
	*/
}

bool maillog_exim(struct slice line, struct maillog_event *ev)
{
	struct slice time, text = line;
	bool is_syslog = ev->time.len > 0, is_first = take_brackets(&text);
	const char *behind = take_time(text, &time);
	if (behind)
		text = maillog_span(behind, exim_end(line));
	if (!behind && !is_syslog)
		return false;
	is_first = is_first && take_brackets(&text);
	size_t id = id_bytes(text);
	struct slice queue_id = slice_first(text, id);
	if (!is_first || text.len == 0)
		return is_syslog;
	if (id > 0) {
		ev->queue_id = queue_id;
		read_about_mail(slice_from(text, id + 1), ev);
	} else if (!read_about_server(text, ev) && !is_syslog) {
		return false;
	}
	if (behind)
		ev->time = time;
	ev->format = MAILLOG_EXIM;
	return true;
}
