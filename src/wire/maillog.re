/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog: log lines by re2c grammars, one table row per kind of server.
 *
 * First the prefix (time, host, program), then the row whose server wrote the line
 * reads the rest. A log line is written by strangers in part: mail addresses, the
 * next server's answer, HELO names. So the grammars go from left to right, know
 * quoted local parts, and take the answer (in brackets, last) as it is.
 *
 * What it cannot do: addresses with unbalanced quotes or a bare > (Postfix before
 * 3.5 logs them raw) make the line OTHER, which confirms nothing: the safe side.
 * Counted repetitions are avoided: they blow re2c's output up.
 */
#include "wire/maillog.h"

#define SPAN(from, to) slice_make((from), (size_t)((to) - (from)))

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
	two = digit digit;
	clock = two ":" two ":" two;
	month = "Jan" | "Feb" | "Mar" | "Apr" | "May" | "Jun" | "Jul" | "Aug" | "Sep" | "Oct" | "Nov" | "Dec";
	syslog_time = month " " [ 0-3] digit " " clock;
	year = two two;
	zone = [Zz] | [+-] two ":"? two;
	rfc_time = year "-" two "-" two [Tt ] clock ([.,] digit+)? zone?;
	word = [^ \x00]+;
	program = [^ :[\x00]+;

	quoted = "\"" ([^"\\\x00] | "\\" any)* "\"";
	path = (quoted | [^"<>\x00])*;
	list_value = [^, \x00]+;
*/

static const char *const kind_names[MAILLOG_KIND_COUNT] = {
	[MAILLOG_OTHER] = "other", [MAILLOG_QUEUED] = "queued", [MAILLOG_SENT] = "sent",
	[MAILLOG_DEFERRED] = "deferred", [MAILLOG_BOUNCED] = "bounced", [MAILLOG_EXPIRED] = "expired",
	[MAILLOG_MESSAGE_ID] = "message-id", [MAILLOG_CLIENT] = "client", [MAILLOG_REJECTED] = "rejected",
	[MAILLOG_MILTER_REJECT] = "milter-reject", [MAILLOG_MILTER_DISCARD] = "milter-discard",
	[MAILLOG_MILTER_HOLD] = "milter-hold", [MAILLOG_NOTICE] = "notice", [MAILLOG_REMOVED] = "removed",
};

const char *maillog_kind_name(enum maillog_kind kind)
{
	unsigned row = (unsigned)kind;
	return row < MAILLOG_KIND_COUNT ? kind_names[row] : "other";
}

/* ---- prefix ---- */

static void split_program(struct slice tag, struct maillog_event *ev)
{
	size_t slash = tag.len;
	while (slash > 0 && tag.ptr[slash - 1] != '/')
		slash--;
	ev->program = slash > 0 ? slice_first(tag, slash - 1) : tag;
	ev->service = slash > 0 ? slice_from(tag, slash) : slice_make(NULL, 0);
}

/* The rest of the line behind "time host program[pid]: "; empty when it has none. */
static struct slice read_prefix(struct slice line, struct maillog_event *ev)
{
	const char *c = line.ptr, *e = line.ptr + line.len, *m = c;
	const char *t1, *t2, *h1, *h2, *p1, *p2;
	/*!stags:re2c:prefix format = "const char *@@ = NULL;\n"; */
	/*!re2c:prefix
	("<" digit+ ">")? @t1 (syslog_time | rfc_time) @t2 " "+ @h1 word @h2 " "+
	@p1 program @p2 ("[" digit+ "]")? ": " ("[ID " digit+ " " word "] ")? {
		ev->time = SPAN(t1, t2);
		ev->host = SPAN(h1, h2);
		split_program(SPAN(p1, p2), ev);
		return SPAN(c, e);
	}
	* { return slice_make(NULL, 0); }
	*/
}

/* ---- Postfix ---- */

/* Short ids are capital hexadecimal digits, long ones have no vowels; so no word of
 * the log ("warning", "statistics") is taken for one. */
static struct slice take_queue_id(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len, *m = c;
	const char *q;
	/*!stags:re2c:queueid format = "const char *@@ = NULL;\n"; */
	/*!re2c:queueid
	([0-9A-F]+ | [0-9BCDFGHJ-NP-TV-Zbcdfghj-np-tv-z]+ | "NOQUEUE") @q ": " {
		ev->queue_id = SPAN(text.ptr, q);
		return SPAN(c, e);
	}
	* { return slice_make(NULL, 0); }
	*/
}

static bool is_queue_id(struct slice id)
{
	return id.len >= 5 && id.len <= 64;
}

static bool is_id_byte(char c)
{
	return ascii_is_digit(c) || ascii_is_alpha(c);
}

/* The id that stands behind word in the next server's answer. */
static struct slice id_behind(struct slice text, struct slice word)
{
	size_t at = slice_find_nocase(text, 0, word);
	struct slice rest = slice_from(text, at + word.len);
	size_t n = 0;
	while (n < rest.len && is_id_byte(rest.ptr[n]))
		n++;
	return at < text.len && is_queue_id(slice_first(rest, n)) ? slice_first(rest, n)
								   : slice_make(NULL, 0);
}

static void set_status(struct slice status, struct maillog_event *ev)
{
	static const struct {
		const char *status;
		enum maillog_kind kind;
	} rows[] = {
		{ "sent", MAILLOG_SENT }, { "deferred", MAILLOG_DEFERRED }, { "bounced", MAILLOG_BOUNCED },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (slice_equal(status, slice_from_str(rows[i].status)))
			ev->kind = rows[i].kind;
	if (ev->kind != MAILLOG_SENT)
		return;
	ev->other_id = id_behind(ev->text, SLICE("queued as "));
	if (ev->other_id.len == 0)
		ev->other_id = id_behind(ev->text, SLICE("forwarded as "));
}

static struct slice without_brackets(struct slice s, char open, char close)
{
	if (s.len >= 2 && s.ptr[0] == open && s.ptr[s.len - 1] == close)
		return slice_between(s, 1, s.len - 1);
	return s;
}

/* "key=<address>" or "key=address"; what stands behind it, or an empty slice. */
static struct slice take_address(struct slice text, struct slice key, struct slice *addr_out)
{
	struct slice rest = slice_from(text, key.len);
	if (!slice_starts_nocase(text, key) || rest.len == 0)
		return slice_make(NULL, 0);
	const char *c = rest.ptr, *e = rest.ptr + rest.len, *m = c;
	const char *a1, *a2;
	/*!stags:re2c:address format = "const char *@@ = NULL;\n"; */
	/*!re2c:address
	"<" @a1 path @a2 ">" { *addr_out = SPAN(a1, a2); return SPAN(c, e); }
	[^<>, \x00]+ { *addr_out = SPAN(rest.ptr, c); return SPAN(c, e); }
	* { return slice_make(NULL, 0); }
	*/
}

/* ", name=value"; false (and *rest untouched) when there is none. */
static bool take_attribute(struct slice *rest, struct slice *name_out, struct slice *value_out)
{
	const char *c = rest->ptr, *e = rest->ptr + rest->len, *m = c;
	const char *n1, *n2, *v1;
	/*!stags:re2c:attribute format = "const char *@@ = NULL;\n"; */
	/*!re2c:attribute
	", " @n1 [a-z_]+ @n2 "=" @v1 list_value {
		*name_out = SPAN(n1, n2);
		*value_out = SPAN(v1, c);
		*rest = SPAN(c, e);
		return true;
	}
	* { return false; }
	*/
}

/* "to=<rcpt>, orig_to=<first>, relay=r, ..., dsn=2.0.0, status=sent (250 ok)": one
 * recipient's outcome. status is the last attribute: what follows is the answer. */
static void read_delivery(struct slice text, struct maillog_event *ev)
{
	struct slice name, value, rest = take_address(text, SLICE("to="), &ev->rcpt);
	struct slice behind = take_address(rest, SLICE(", orig_to="), &ev->orig_rcpt);
	if (behind.len > 0)
		rest = behind;
	while (rest.len > 0 && take_attribute(&rest, &name, &value)) {
		if (slice_equal(name, SLICE("relay")))
			ev->relay = value;
		else if (slice_equal(name, SLICE("dsn")))
			ev->dsn = value;
		else if (slice_equal(name, SLICE("status"))) {
			ev->text = without_brackets(slice_trim(rest), '(', ')');
			set_status(value, ev);
			return;
		}
	}
}

/* "STAGE from client: "; what stands behind it (all of text where it is not there). */
static struct slice take_client(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len, *m = c;
	const char *h1, *h2;
	/*!stags:re2c:client format = "const char *@@ = NULL;\n"; */
	/*!re2c:client
	[A-Z-]+ " "? [A-Z-]* " from " @h1 [^ \x00]+ @h2 ": " {
		ev->client = SPAN(h1, h2);
		return SPAN(c, e);
	}
	* { return text; }
	*/
}

/* "STAGE from client: reason; from=<a> to=<b> proto=...". The reason quotes strangers;
 * nothing is decided by these fields. */
static void read_refusal(struct slice text, enum maillog_kind kind, struct maillog_event *ev)
{
	ev->kind = kind;
	ev->text = take_client(text, ev);
	size_t at = slice_find_nocase(ev->text, 0, SLICE("; from=<"));
	struct slice rest = take_address(slice_from(ev->text, at), SLICE("; from="), &ev->from);
	ev->has_from = at < ev->text.len && rest.len > 0;
	take_address(rest, SLICE(" to="), &ev->rcpt);
	ev->text = slice_first(ev->text, at);
}

static void set_from(struct maillog_event *ev, enum maillog_kind kind, struct slice from)
{
	ev->kind = kind;
	ev->has_from = true;
	ev->from = from;
}

/* Everything else behind "queue-id: ". */
static void read_about_mail(struct slice text, struct maillog_event *ev)
{
	const char *c = text.ptr, *e = text.ptr + text.len, *m = c;
	const char *a1, *a2, *b1, *b2, *n1, *n2, *u1;
	/*!stags:re2c:about format = "const char *@@ = NULL;\n"; */
	/*!re2c:about
	"from=<" @a1 path @a2 ">, size=" @b1 digit+ @b2 ", nrcpt=" @n1 digit+ @n2 " (queue " {
		set_from(ev, MAILLOG_QUEUED, SPAN(a1, a2));
		slice_to_u64(SPAN(b1, b2), &ev->size_bytes);
		slice_to_u64(SPAN(n1, n2), &ev->nrcpt);
		return;
	}
	"from=<" @a1 path @a2 ">, status=" "force-"? "expired, " {
		set_from(ev, MAILLOG_EXPIRED, SPAN(a1, a2));
		return;
	}
	"removed" {
		if (c == e)
			ev->kind = MAILLOG_REMOVED;
		return;
	}
	"message-id=" {
		ev->kind = MAILLOG_MESSAGE_ID;
		ev->message_id = without_brackets(SPAN(c, e), '<', '>');
		return;
	}
	"client=" @a1 list_value @a2 (", sasl_method=" list_value)? (", sasl_username=" @u1)? {
		ev->kind = MAILLOG_CLIENT;
		ev->client = SPAN(a1, a2);
		if (u1)
			ev->sasl_user = slice_first(SPAN(u1, e), slice_find_byte(SPAN(u1, e), 0, ','));
		return;
	}
	"uid=" digit+ " from=<" @a1 path @a2 ">" {
		set_from(ev, MAILLOG_CLIENT, SPAN(a1, a2));
		return;
	}
	("sender" | "postmaster") " " ("non-delivery" | "delay" | "delivery status") " notification: " {
		ev->kind = MAILLOG_NOTICE;
		ev->other_id = SPAN(c, e);
		return;
	}
	"milter-reject: " { read_refusal(SPAN(c, e), MAILLOG_MILTER_REJECT, ev); return; }
	"milter-discard: " { read_refusal(SPAN(c, e), MAILLOG_MILTER_DISCARD, ev); return; }
	"milter-hold: " { read_refusal(SPAN(c, e), MAILLOG_MILTER_HOLD, ev); return; }
	"reject: " { read_refusal(SPAN(c, e), MAILLOG_REJECTED, ev); return; }
	* { return; }
	*/
}

/* Who of Postfix may say what: a line of another program that looks like a delivery
 * confirms nothing. */
enum postfix_duty { DUTY_DELIVERS = 1, DUTY_OTHER = 2 };

static unsigned postfix_duties(struct slice service)
{
	static const struct {
		const char *service;
		unsigned duties;
	} rows[] = {
		{ "smtp", DUTY_DELIVERS }, { "lmtp", DUTY_DELIVERS }, { "local", DUTY_DELIVERS },
		{ "virtual", DUTY_DELIVERS }, { "pipe", DUTY_DELIVERS }, { "relay", DUTY_DELIVERS },
		{ "error", DUTY_DELIVERS }, { "retry", DUTY_DELIVERS }, { "discard", DUTY_DELIVERS },
		{ "qmgr", DUTY_DELIVERS | DUTY_OTHER }, { "cleanup", DUTY_DELIVERS | DUTY_OTHER },
		{ "bounce", DUTY_DELIVERS | DUTY_OTHER }, { "smtpd", DUTY_OTHER },
		{ "pickup", DUTY_OTHER }, { "postscreen", DUTY_OTHER }, { "oqmgr", DUTY_OTHER | DUTY_DELIVERS },
		{ "nqmgr", DUTY_OTHER | DUTY_DELIVERS },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (slice_equal(service, slice_from_str(rows[i].service)))
			return rows[i].duties;
	return 0;
}

static bool is_postfix(const struct maillog_event *ev)
{
	return postfix_duties(ev->service) != 0;
}

static void read_postfix(struct slice text, struct maillog_event *ev)
{
	unsigned duties = postfix_duties(ev->service);
	struct slice rest = take_queue_id(text, ev);
	if (!is_queue_id(ev->queue_id)) {
		ev->queue_id = slice_make(NULL, 0);
		return;
	}
	if (slice_starts_nocase(rest, SLICE("to="))) {
		if (duties & DUTY_DELIVERS)
			read_delivery(rest, ev);
	} else if (duties & DUTY_OTHER) {
		read_about_mail(rest, ev);
	}
}

/* ---- the servers known ---- */

static const struct maillog_format {
	const char *name;
	bool (*is_mine)(const struct maillog_event *ev); /* by program and service */
	void (*read)(struct slice text, struct maillog_event *ev);
} formats[] = {
	{ "postfix", is_postfix, read_postfix },
};

void maillog_read(struct slice line, struct maillog_event *event_out)
{
	*event_out = (struct maillog_event){ .kind = MAILLOG_OTHER };
	if (line.len == 0)
		return;
	struct slice text = read_prefix(line, event_out);
	for (size_t i = 0; text.len > 0 && i < sizeof formats / sizeof formats[0]; i++) {
		if (formats[i].is_mine(event_out)) {
			formats[i].read(text, event_out);
			return;
		}
	}
}

/* ---- time ---- */

static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	/* Years begin in March, so that the leap day is the last one. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t number(struct slice s, size_t pos, size_t digits)
{
	uint64_t n = 0;
	struct slice part = slice_between(s, pos, pos + digits);
	if (part.len > 0 && part.ptr[0] == ' ')
		part = slice_from(part, 1);
	return part.len > 0 && slice_to_u64(part, &n) ? (int64_t)n : -1;
}

static bool clock_of_day(struct slice s, size_t pos, int64_t *ms_out)
{
	int64_t h = number(s, pos, 2), min = number(s, pos + 3, 2), sec = number(s, pos + 6, 2);
	if (h < 0 || h > 23 || min < 0 || min > 59 || sec < 0 || sec > 60)
		return false;
	*ms_out = ((h * 60 + min) * 60 + sec) * 1000;
	return true;
}

static bool zone_of(struct slice s, int zone_offset_s, int64_t *offset_ms_out)
{
	*offset_ms_out = (int64_t)zone_offset_s * 1000;
	if (s.len == 0)
		return true;
	if (s.ptr[0] == 'Z' || s.ptr[0] == 'z') {
		*offset_ms_out = 0;
		return s.len == 1;
	}
	int64_t h = number(s, 1, 2), min = number(s, s.len == 6 ? 4 : 3, 2);
	if (h < 0 || h > 23 || min < 0 || min > 59)
		return false;
	*offset_ms_out = (h * 60 + min) * 60000 * (s.ptr[0] == '-' ? -1 : 1);
	return true;
}

static bool rfc_time_ms(struct slice s, int zone_offset_s, int64_t *time_ms_out)
{
	int64_t year = number(s, 0, 4), month = number(s, 5, 2), day = number(s, 8, 2);
	int64_t of_day_ms, zone_ms;
	size_t pos = 19, digits = 0;
	int64_t ms = 0, scale = 100;
	if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || !clock_of_day(s, 11, &of_day_ms))
		return false;
	if (pos < s.len && (s.ptr[pos] == '.' || s.ptr[pos] == ',')) {
		for (pos++; pos < s.len && ascii_is_digit(s.ptr[pos]); pos++, digits++, scale /= 10)
			ms += digits < 3 ? (s.ptr[pos] - '0') * scale : 0;
	}
	if (!zone_of(slice_from(s, pos), zone_offset_s, &zone_ms))
		return false;
	*time_ms_out = days_since_1970(year, month, day) * 86400000 + of_day_ms + ms - zone_ms;
	return true;
}

static int64_t month_of(struct slice name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (int64_t i = 0; i < 12; i++)
		if (slice_equal(name, slice_make(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

static bool syslog_time_ms(struct slice s, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out)
{
	int64_t month = month_of(slice_first(s, 3)), day = number(s, 4, 2), of_day_ms;
	int64_t year = 1970 + now_ms / 86400000 * 400 / 146097;
	if (month == 0 || day < 1 || day > 31 || !clock_of_day(s, 7, &of_day_ms))
		return false;
	for (int64_t try = year + 1; try >= year - 1; try--) {
		*time_ms_out = days_since_1970(try, month, day) * 86400000 + of_day_ms -
			       (int64_t)zone_offset_s * 1000;
		if (*time_ms_out <= now_ms + 86400000)
			break;
	}
	return true;
}

bool maillog_time(struct slice time, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out)
{
	if (time.len >= 19 && time.ptr[4] == '-')
		return rfc_time_ms(time, zone_offset_s, time_ms_out);
	return time.len == 15 && syslog_time_ms(time, now_ms, zone_offset_s, time_ms_out);
}
