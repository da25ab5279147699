/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_zeek: Zeek's smtp.log, what a sensor on the wire saw: one line is one mail of one
 * connection (docs.zeek.org, SMTP::Info). As TSV, whose columns the line "#fields" names,
 * or as JSON, one object a line.
 *
 * A mail is RECEIVED by the server that the sensor saw; text is the last reply. A reply of
 * 4xx or 5xx makes it REJECTED. A connection without a mail (no mailfrom, no rcptto: only
 * EHLO, or gone dark behind STARTTLS) is OTHER. queue_id is the connection's uid: several
 * mails of one connection share it, each line begins a new one. client is the bare address.
 *
 * TSV: values hold \xHH for what would break the line; a set's elements are separated by
 * ',', "-" is unset, "(empty)" is empty (Zeek's defaults; other #set_separator, ... are
 * not followed). Lines of too few columns and lines that are no whole JSON object were cut:
 * OTHER. Where the reader's memory is full, recipients are left out, but counted (nrcpt).
 */
#include "wire/maillog_inside.h"
#include "wire/maillog_json.h"
#include "wire/maillog_reply.h"

enum zeek_column {
	COLUMN_NONE, /* of no interest */
	COLUMN_TIME, COLUMN_UID, COLUMN_CLIENT, COLUMN_SERVER, COLUMN_HELO, COLUMN_FROM, COLUMN_RCPTS,
	COLUMN_MESSAGE_ID, COLUMN_IN_REPLY_TO, COLUMN_SUBJECT, COLUMN_REPLY,
	COLUMN_COUNT
};

static const struct slice column_names[COLUMN_COUNT] = {
	[COLUMN_TIME] = { "ts", 2 },
	[COLUMN_UID] = { "uid", 3 },
	[COLUMN_CLIENT] = { "id.orig_h", 9 },
	[COLUMN_SERVER] = { "id.resp_h", 9 },
	[COLUMN_HELO] = { "helo", 4 },
	[COLUMN_FROM] = { "mailfrom", 8 },
	[COLUMN_RCPTS] = { "rcptto", 6 },
	[COLUMN_MESSAGE_ID] = { "msg_id", 6 },
	[COLUMN_IN_REPLY_TO] = { "in_reply_to", 11 },
	[COLUMN_SUBJECT] = { "subject", 7 },
	[COLUMN_REPLY] = { "last_reply", 10 },
};

struct zeek_line {
	struct slice value[COLUMN_COUNT];
	unsigned has;    /* bits: this value is set (it may be empty) */
	uint64_t rcpts;  /* how many there were */
};

static uint8_t column_of(struct slice name)
{
	for (unsigned i = COLUMN_NONE + 1; i < COLUMN_COUNT; i++)
		if (slice_equal(name, column_names[i]))
			return (uint8_t)i;
	return COLUMN_NONE;
}

static bool has_column(unsigned has, enum zeek_column column)
{
	return (has & 1u << column) != 0;
}

/* ---- what both say ---- */

/* The first "<id>" of the references; without brackets when it has them. */
static struct slice first_id(struct slice ids)
{
	size_t open = slice_find_byte(ids, 0, '<');
	size_t close = slice_find_byte(ids, open, '>');
	return close < ids.len ? slice_between(ids, open + 1, close) : slice_trim(ids);
}

static bool is_refusal(struct slice reply)
{
	return reply.len >= 3 && (reply.ptr[0] == '4' || reply.ptr[0] == '5') && ascii_is_digit(reply.ptr[1]) &&
	       ascii_is_digit(reply.ptr[2]);
}

static void set_event(const struct zeek_line *line, struct maillog_event *ev)
{
	const struct slice *value = line->value;
	ev->time = value[COLUMN_TIME];
	ev->queue_id = value[COLUMN_UID];
	ev->client = value[COLUMN_CLIENT];
	ev->relay = value[COLUMN_SERVER];
	ev->helo = value[COLUMN_HELO];
	ev->has_from = has_column(line->has, COLUMN_FROM);
	ev->from = maillog_unwrap(slice_trim(value[COLUMN_FROM]), '<', '>');
	ev->rcpts = value[COLUMN_RCPTS];
	ev->rcpts_separator = ',';
	ev->nrcpt = line->rcpts;
	ev->message_id = maillog_unwrap(slice_trim(value[COLUMN_MESSAGE_ID]), '<', '>');
	ev->in_reply_to = first_id(value[COLUMN_IN_REPLY_TO]);
	ev->subject = value[COLUMN_SUBJECT];
	ev->text = value[COLUMN_REPLY];
	ev->dsn = maillog_reply_dsn(ev->text);
	ev->other_id = maillog_reply_id(ev->text);
	if (ev->has_from || line->rcpts > 0)
		ev->kind = is_refusal(ev->text) ? MAILLOG_REJECTED : MAILLOG_RECEIVED;
}

/* ---- TSV ---- */

/* "#separator \x09": the blank is part of the words, the value in hex. */
static void read_separator(struct maillog_reader *r, struct slice value)
{
	uint64_t code;
	if (maillog_skip(&value, SLICE("\\x")) && slice_to_hex64(value, &code) && code > 0 && code < 0x80 &&
	    code != ',')
		r->separator = (char)code;
}

static void read_names(struct maillog_reader *r, struct slice names)
{
	unsigned has = 0;
	struct slice name;
	r->column_count = 0;
	while (r->column_count < MAILLOG_COLUMNS_MAX && slice_next(&names, r->separator, &name)) {
		uint8_t column = column_of(name);
		if (has & 1u << column)
			column = COLUMN_NONE; /* twice: the first one */
		has |= column == COLUMN_NONE ? 0 : 1u << column;
		r->columns[r->column_count++] = column;
	}
	unsigned needed = 1u << COLUMN_UID | 1u << COLUMN_FROM | 1u << COLUMN_RCPTS;
	if ((has & needed) != needed)
		r->column_count = 0; /* of a connection, a file, ...: another log */
}

static bool read_header(struct maillog_reader *r, struct slice line)
{
	static const struct slice others[] = {
		{ "#set_separator", 14 }, { "#empty_field", 12 }, { "#unset_field", 12 }, { "#path", 5 },
		{ "#open", 5 }, { "#close", 6 }, { "#types", 6 },
	};
	struct slice rest = line;
	if (maillog_skip(&rest, SLICE("#separator "))) {
		r->column_count = 0;
		r->separator = '\t';
		read_separator(r, rest);
		return true;
	}
	if (r->separator == '\0')
		r->separator = '\t';
	char separator = r->separator == ',' ? '\t' : r->separator; /* ',' was another format's */
	if (maillog_skip(&rest, SLICE("#fields")) && rest.len > 0 && rest.ptr[0] == separator) {
		r->separator = separator;
		read_names(r, slice_from(rest, 1));
		return true;
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (maillog_starts(line, others[i]) && line.len > others[i].len && line.ptr[others[i].len] == separator)
			return true;
	return false;
}

/* \xHH made a byte again; as much as the memory holds. */
static struct slice unescape(struct maillog_reader *r, struct slice s)
{
	char *to = r->scratch + r->scratch_used;
	size_t room = sizeof r->scratch - r->scratch_used, n = 0;
	for (size_t i = 0; i < s.len && n < room; i++) {
		uint64_t code;
		bool is_escape = s.len - i >= 4 && s.ptr[i] == '\\' && s.ptr[i + 1] == 'x' &&
				 slice_to_hex64(slice_between(s, i + 2, i + 4), &code);
		to[n++] = is_escape ? (char)code : s.ptr[i];
		i += is_escape ? 3 : 0;
	}
	r->scratch_used += (unsigned)n;
	return slice_make(to, n);
}

static void set_value(struct maillog_reader *r, uint8_t column, struct slice value, struct zeek_line *line_out)
{
	if (column == COLUMN_NONE || slice_equal(value, SLICE("-")))
		return;
	line_out->has |= 1u << column;
	if (slice_equal(value, SLICE("(empty)")))
		return;
	/* Elements are unescaped by nobody: a ',' in one would become a separator. */
	if (column == COLUMN_RCPTS)
		for (struct slice rest = value, rcpt; slice_next(&rest, ',', &rcpt);)
			line_out->rcpts++;
	else if (value.len > 0 && memchr(value.ptr, '\\', value.len))
		value = unescape(r, value);
	line_out->value[column] = value;
}

bool maillog_zeek_tsv(struct maillog_reader *reader, struct slice line, struct maillog_event *ev)
{
	struct zeek_line parts = { .has = 0 };
	if (line.len > 0 && line.ptr[0] == '#') {
		bool is_mine = read_header(reader, line);
		if (is_mine)
			ev->format = MAILLOG_ZEEK_TSV;
		return is_mine;
	}
	if (reader->separator == ',' || reader->column_count == 0) /* or they are Exchange's */
		return false;
	ev->format = MAILLOG_ZEEK_TSV;
	struct slice rest = line;
	for (unsigned i = 0; i < reader->column_count; i++) {
		size_t end = slice_find_byte(rest, 0, reader->separator);
		bool is_last = i + 1 == reader->column_count;
		if ((end == rest.len) != is_last || reader->columns[i] >= COLUMN_COUNT)
			return true;
		set_value(reader, reader->columns[i], slice_first(rest, end), &parts);
		rest = slice_from(rest, end + 1);
	}
	set_event(&parts, ev);
	return true;
}

/* ---- JSON ---- */

/* The strings of an array, behind one another in the reader's memory. Unescaped they are
 * never longer than as written. */
static struct slice join_rcpts(struct maillog_reader *r, struct slice array, uint64_t *count_out)
{
	struct maillog_json walk;
	struct maillog_json_value value;
	unsigned from = r->scratch_used;
	bool is_full = false;
	maillog_json_begin_array(&walk, array);
	while (maillog_json_element(&walk, &value)) {
		++*count_out;
		is_full = is_full || value.raw.len + 1 > sizeof r->scratch - r->scratch_used;
		if (is_full || value.type != JSON_STRING)
			continue;
		if (r->scratch_used > from)
			maillog_keep(r, SLICE(","));
		struct slice text = maillog_json_text(r, &value);
		if (!value.has_escapes)
			maillog_keep(r, text);
	}
	return slice_make(r->scratch + from, r->scratch_used - from);
}

static void set_json_value(struct maillog_reader *r, uint8_t column, const struct maillog_json_value *value,
			   struct zeek_line *line_out)
{
	if (column == COLUMN_NONE || has_column(line_out->has, column) || value->type == JSON_WORD)
		return;
	bool is_rcpts = column == COLUMN_RCPTS;
	if (is_rcpts != (value->type == JSON_ARRAY))
		return;
	line_out->has |= 1u << column;
	line_out->value[column] = is_rcpts ? join_rcpts(r, value->raw, &line_out->rcpts) : maillog_json_text(r, value);
}

bool maillog_zeek_json(struct maillog_reader *reader, struct slice line, struct maillog_event *ev)
{
	struct zeek_line parts = { .has = 0 };
	struct maillog_json walk;
	struct maillog_json_value value;
	struct slice key;
	maillog_json_begin(&walk, line);
	while (maillog_json_member(&walk, &key, &value))
		set_json_value(reader, column_of(key), &value, &parts);
	/* Zeek's other logs have the uid too, but none of these. */
	unsigned smtp = 1u << COLUMN_HELO | 1u << COLUMN_FROM | 1u << COLUMN_RCPTS | 1u << COLUMN_REPLY;
	if (walk.is_bad || !has_column(parts.has, COLUMN_UID) || (parts.has & smtp) == 0)
		return false;
	ev->format = MAILLOG_ZEEK_JSON;
	set_event(&parts, ev);
	return true;
}
