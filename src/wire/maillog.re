/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog: the prefix of a log line (time, host, program), and which server wrote the rest.
 *
 * A log line is written by strangers in part: mail addresses, the next server's answer,
 * HELO names. So all grammars go from left to right, know quoted local parts, and take
 * what is a stranger's as it is. The prefix is one automaton that never goes back; the
 * program's name chooses the one grammar that is asked.
 *
 * What it cannot do: addresses with unbalanced quotes or a bare > (Postfix before
 * 3.5 logs them raw) make the line OTHER, which confirms nothing: the safe side.
 * Counted repetitions are avoided: they blow re2c's output up.
 */
#include "wire/maillog_inside.h"

#define SPAN(from, to) maillog_span((from), (to))

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
	clock = two ":" two ":" two ([.,] digit+)?;
	month = "Jan" | "Feb" | "Mar" | "Apr" | "May" | "Jun" | "Jul" | "Aug" | "Sep" | "Oct" | "Nov" | "Dec";
	weekday = "Mon" | "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun";
	year = two two;
	syslog_time = month " "+ digit digit? (" " year)? " " clock;
	zone = [Zz] | [+-] two ":"? two;
	rfc_time = year "-" two "-" two [Tt ] clock zone?;
	unix_time = digit+ "." digit+;
	pri = "<" digit+ ">";
	word = [^ \x00]+;
	quoted = "\"" ([^"\\\x00] | "\\" [^\x00])* "\"";
*/

static const char *const kind_names[MAILLOG_KIND_COUNT] = {
	[MAILLOG_OTHER] = "other", [MAILLOG_QUEUED] = "queued", [MAILLOG_SENT] = "sent",
	[MAILLOG_DEFERRED] = "deferred", [MAILLOG_BOUNCED] = "bounced", [MAILLOG_EXPIRED] = "expired",
	[MAILLOG_MESSAGE_ID] = "message-id", [MAILLOG_CLIENT] = "client", [MAILLOG_REJECTED] = "rejected",
	[MAILLOG_MILTER_REJECT] = "milter-reject", [MAILLOG_MILTER_DISCARD] = "milter-discard",
	[MAILLOG_MILTER_HOLD] = "milter-hold", [MAILLOG_NOTICE] = "notice", [MAILLOG_REMOVED] = "removed",
	[MAILLOG_RECEIVED] = "received", [MAILLOG_CONNECT] = "connect", [MAILLOG_DISCONNECT] = "disconnect",
	[MAILLOG_LOGIN] = "login", [MAILLOG_HEADER] = "header",
};

const char *maillog_kind_name(enum maillog_kind kind)
{
	unsigned row = (unsigned)kind;
	return row < MAILLOG_KIND_COUNT ? kind_names[row] : "other";
}

static const char *const format_names[MAILLOG_FORMAT_COUNT] = {
	[MAILLOG_UNKNOWN] = "unknown", [MAILLOG_POSTFIX] = "postfix", [MAILLOG_EXIM] = "exim",
	[MAILLOG_SENDMAIL] = "sendmail", [MAILLOG_OPENSMTPD] = "opensmtpd", [MAILLOG_DOVECOT] = "dovecot",
	[MAILLOG_EXCHANGE] = "exchange", [MAILLOG_ZEEK_TSV] = "zeek", [MAILLOG_ZEEK_JSON] = "zeek",
};

const char *maillog_format_name(enum maillog_format format)
{
	unsigned row = (unsigned)format;
	return row < MAILLOG_FORMAT_COUNT ? format_names[row] : "unknown";
}

/* ---- prefix ---- */

static void split_program(struct slice tag, struct maillog_event *ev)
{
	const char *slash = memrchr(tag.ptr, '/', tag.len);
	ev->program = slash ? SPAN(tag.ptr, slash) : tag;
	ev->service = slash ? SPAN(slash + 1, tag.ptr + tag.len) : slice_make(NULL, 0);
}

static void pass_blanks(struct slice *rest)
{
	while (rest->len > 0 && rest->ptr[0] == ' ')
		*rest = maillog_from(*rest, 1);
}

/* "program[pid]: " or "postfix/service[pid]: "; what follows, or an empty slice. */
static struct slice read_tag(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len;
	while (c < e && *c != ':' && *c != '[' && *c != ' ' && *c != '\0')
		c++;
	struct slice tag = SPAN(text.ptr, c);
	if (tag.len > 0 && c < e && *c == '[') {
		while (c < e && *c != ']' && *c != ' ')
			c++;
		c += c < e && *c == ']';
	}
	if (tag.len == 0 || e - c < 3 || c[0] != ':' || c[1] != ' ')
		return slice_make(NULL, 0);
	split_program(tag, ev);
	struct slice rest = SPAN(c + 2, e);
	pass_blanks(&rest);
	if (maillog_skip(&rest, SLICE("[ID "))) /* Solaris */
		maillog_take_until(&rest, ']');
	pass_blanks(&rest);
	return rest;
}

/* RFC 5424 behind the host: "app procid msgid [data] text". */
static struct slice read_rfc5424(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len, *m = c;
	const char *p2;
	/*!stags:re2c:rfc5424 format = "const char *@@ = NULL;\n"; */
	/*!re2c:rfc5424
	word @p2 " " word " " word " " ("-" | ("[" (quoted | [^\]"\x00])* "]")+) " "* "\uFEFF"? {
		split_program(SPAN(text.ptr, p2), ev);
		return SPAN(c, e);
	}
	* { return slice_make(NULL, 0); }
	*/
}

/* "host program[pid]: text"; a program that writes its own file names no host: "imap-login:
 * Info: text". */
static struct slice read_host(struct slice rest, struct maillog_event *ev)
{
	if (rest.len > 0 && rest.ptr[0] == '<') /* "<mail.info> ", FreeBSD's syslogd -v */
		maillog_take_until(&rest, ' ');
	ev->host = maillog_take_until(&rest, ' ');
	pass_blanks(&rest);
	if (ev->host.len == 0 || ev->host.ptr[ev->host.len - 1] != ':')
		return read_tag(rest, ev);
	ev->program = slice_make(ev->host.ptr, ev->host.len - 1);
	ev->host = slice_make(NULL, 0);
	return rest;
}

/* "Dec  6 09:20:03 ", as most logs have it, by its shape; the automaton below knows it too. */
enum { TRADITIONAL_BYTES = 16 };

static bool is_traditional(const char *c)
{
	return c[3] == ' ' && c[6] == ' ' && c[9] == ':' && c[12] == ':' && c[15] == ' ' && ascii_is_alpha(c[0]) &&
	       ascii_is_alpha(c[1]) && ascii_is_alpha(c[2]) && (c[4] == ' ' || ascii_is_digit(c[4])) &&
	       ascii_is_digit(c[5]) && ascii_is_digit(c[7]) && ascii_is_digit(c[8]) && ascii_is_digit(c[10]) &&
	       ascii_is_digit(c[11]) && ascii_is_digit(c[13]) && ascii_is_digit(c[14]);
}

static struct slice read_other_times(struct slice line, struct maillog_event *ev)
{
	const char *c = line.ptr, *e = line.ptr + line.len, *m = c;
	const char *t1, *t2;
	/*!stags:re2c:prefix format = "const char *@@ = NULL;\n"; */
	/*!re2c:prefix
	pri? @t1 (syslog_time | rfc_time | unix_time) @t2 " "+ {
		ev->time = SPAN(t1, t2);
		return read_host(SPAN(c, e), ev);
	}
	weekday " " @t1 rfc_time @t2 " " [A-Z]+ " " { // journalctl -o short-full
		ev->time = SPAN(t1, t2);
		return read_host(SPAN(c, e), ev);
	}
	pri digit " " @t1 (rfc_time | "-") @t2 " " {
		ev->time = SPAN(t1, t2);
		struct slice rest = SPAN(c, e);
		ev->host = maillog_take_until(&rest, ' ');
		return read_rfc5424(rest, ev);
	}
	* { return slice_make(NULL, 0); }
	*/
}

/* The rest of the line behind "time host program[pid]: "; empty when it has none. */
static struct slice read_prefix(struct slice line, struct maillog_event *ev)
{
	if (line.len <= TRADITIONAL_BYTES || !is_traditional(line.ptr))
		return read_other_times(line, ev);
	ev->time = slice_make(line.ptr, TRADITIONAL_BYTES - 1);
	return read_host(SPAN(line.ptr + TRADITIONAL_BYTES, line.ptr + line.len), ev);
}

/* ---- the servers known ---- */

static const struct maillog_server {
	struct slice program; /* begins so */
	bool (*read)(struct slice text, struct maillog_event *ev);
	enum maillog_format format;
} servers[] = {
	{ { "sm-", 3 }, maillog_sendmail, MAILLOG_SENDMAIL },
	{ { "sendmail", 8 }, maillog_sendmail, MAILLOG_SENDMAIL },
	{ { "smtpd", 5 }, maillog_opensmtpd, MAILLOG_OPENSMTPD },
	{ { "opensmtpd", 9 }, maillog_opensmtpd, MAILLOG_OPENSMTPD },
	{ { "exim", 4 }, maillog_exim, MAILLOG_EXIM },
	{ { "dovecot", 7 }, maillog_dovecot, MAILLOG_DOVECOT },
	{ { NULL, 0 }, maillog_dovecot, MAILLOG_DOVECOT }, /* its own file: no common name */
};

static void read_by_program(struct slice text, struct maillog_event *ev)
{
	if (ev->service.len > 0) {
		if (maillog_postfix(text, ev))
			ev->format = MAILLOG_POSTFIX;
		return;
	}
	for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
		if (maillog_starts(ev->program, servers[i].program) && servers[i].read(text, ev)) {
			ev->format = servers[i].format;
			return;
		}
	}
}

/* syslogd says so of the line before; rsyslog repeats its text in brackets. */
static struct slice pass_repeated(struct slice text)
{
	struct slice rest = text;
	if (!maillog_skip(&rest, SLICE("message repeated ")))
		return text;
	maillog_take_until(&rest, '[');
	if (rest.len < 2 || rest.ptr[rest.len - 1] != ']')
		return text;
	return maillog_from(slice_make(rest.ptr, rest.len - 1), rest.ptr[0] == ' ');
}

enum { CLEAR_BYTES = 64 };

static void clear_event(struct maillog_event *ev)
{
	/* OTHER, UNKNOWN, no slices. In small pieces: for the whole of it compilers choose an
	 * instruction that takes as long as the rest of a short line. */
	char *c = (char *)ev;
	size_t left = sizeof *ev;
	for (; left >= CLEAR_BYTES; left -= CLEAR_BYTES, c += CLEAR_BYTES)
		memset(c, 0, CLEAR_BYTES);
	memset(c, 0, sizeof *ev % CLEAR_BYTES);
	ev->delay_ms = -1;
	for (size_t i = 0; i < sizeof ev->delays_ms / sizeof ev->delays_ms[0]; i++)
		ev->delays_ms[i] = -1;
}

/* Exim's mainlog has a blank where the others have none, and no host behind the time. */
static bool is_mainlog_time(struct slice line)
{
	return line.len > 19 && ascii_is_digit(line.ptr[0]) && line.ptr[4] == '-' && line.ptr[10] == ' ';
}

static void read_line(struct slice line, struct maillog_event *ev)
{
	if (is_mainlog_time(line) && maillog_exim(line, ev)) {
		ev->format = MAILLOG_EXIM;
		return;
	}
	struct slice text = read_prefix(line, ev);
	if (text.len > 0)
		read_by_program(pass_repeated(text), ev);
}

void maillog_read(struct slice line, struct maillog_event *event_out)
{
	clear_event(event_out);
	if (line.len > 0)
		read_line(line, event_out);
}

/* Up to the separator, one in a quoted local part is none; it is passed over. */
static struct slice take_listed(struct slice *rest, char separator)
{
	bool is_quoted = false;
	size_t n = 0;
	for (; n < rest->len && (is_quoted || rest->ptr[n] != separator); n++) {
		if (rest->ptr[n] == '"')
			is_quoted = !is_quoted;
		else if (rest->ptr[n] == '\\' && is_quoted)
			n++;
	}
	/* A quote without its end is no quote. */
	if (is_quoted)
		return maillog_take_until(rest, separator);
	struct slice listed = slice_first(*rest, n);
	*rest = maillog_from(*rest, n + 1);
	return listed;
}

bool maillog_next_rcpt(struct maillog_event *event, struct slice *rcpt_out)
{
	struct slice rest = event->rcpts;
	while (rest.len > 0 && (rest.ptr[0] == event->rcpts_separator || rest.ptr[0] == ' '))
		rest = maillog_from(rest, 1);
	if (rest.len == 0)
		return false;
	if (!maillog_take_path(&rest, rcpt_out))
		*rcpt_out = slice_trim(take_listed(&rest, event->rcpts_separator));
	event->rcpts = rest;
	return true;
}

/* ---- one file ---- */

void maillog_reader_begin(struct maillog_reader *reader)
{
	/* Not the scratch: what is used of it is written before it is read. */
	reader->format = MAILLOG_UNKNOWN;
	reader->column_count = 0;
	reader->separator = '\0';
	reader->scratch_used = 0;
}

static bool is_header(struct slice line)
{
	return line.ptr[0] == '#' || (unsigned char)line.ptr[0] == 0xEF;
}

/* The formats that name their columns, or are objects. */
static bool read_columns(struct maillog_reader *r, struct slice line, struct maillog_event *ev)
{
	bool is_any = r->format == MAILLOG_UNKNOWN || is_header(line);
	if (line.ptr[0] == '{' && maillog_zeek_json(r, line, ev))
		ev->format = MAILLOG_ZEEK_JSON;
	else if ((is_any || (r->column_count > 0 && r->separator == ',')) && maillog_exchange(r, line, ev))
		ev->format = MAILLOG_EXCHANGE;
	else if ((is_any || (r->column_count > 0 && r->separator != ',')) && maillog_zeek_tsv(r, line, ev))
		ev->format = MAILLOG_ZEEK_TSV;
	return ev->format != MAILLOG_UNKNOWN;
}

static void read_file_line(struct maillog_reader *r, struct slice line, struct maillog_event *ev)
{
	bool may_be_columns = r->column_count > 0 || r->format == MAILLOG_UNKNOWN || line.ptr[0] == '{' ||
			      is_header(line);
	if (!may_be_columns || !read_columns(r, line, ev))
		read_line(line, ev);
}

void maillog_reader_line(struct maillog_reader *reader, struct slice line, struct maillog_event *event_out)
{
	clear_event(event_out);
	reader->scratch_used = 0;
	if (reader->column_count == 0 && (reader->separator == '=' || (line.len > 0 && line.ptr[0] == '_')) &&
	    maillog_export(reader, line, &line) && line.len > 0) {
		read_line(line, event_out);
	} else if (line.len > 0) {
		read_file_line(reader, line, event_out);
	}
	if (event_out->format != MAILLOG_UNKNOWN)
		reader->format = event_out->format;
}
