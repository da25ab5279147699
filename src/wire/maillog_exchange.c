/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_exchange: Exchange's message tracking log, 2007 to 2019 and SE. CSV whose columns
 * the line "#Fields:" names; they differ by version, so each is found by its name.
 *
 * Which event is what (after "Message tracking", section "Event types in the message
 * tracking log", of Microsoft's manual). Wanted: one RECEIVED for each mail that a
 * transport service takes over, and one final outcome for each of its recipients.
 *
 *	RECEIVE          RECEIVED. From 2013 on (network-message-id is a column) not from
 *	                 STOREDRIVER: that is the submission service, whose SUBMIT becomes a
 *	                 RECEIVE of SMTP in the transport service at once.
 *	DSN              RECEIVED: a new mail; in_reply_to is the mail that it is about.
 *	SEND, SENDEXTERNAL, DELIVER        SENT
 *	DUPLICATEDELIVER SENT: the recipient has the mail already, the store keeps one.
 *	FAIL             BOUNCED
 *	DEFER            DEFERRED
 *	BADMAIL          EXPIRED: neither delivered nor returned.
 *	DROP             MILTER_DISCARD: dropped without a notice.
 *	all others       OTHER. EXPAND, RESOLVE, REDIRECT and TRANSFER change or move
 *	                 recipients, whose outcomes follow under their new addresses or ids;
 *	                 AGENTINFO, SUBMIT, HA*, LOAD, ... are steps on the way.
 *
 * Every line says all of its mail, so sender, Message-ID, subject and size are set for all
 * kinds. An outcome of one recipient has rcpt; one of several has rcpts (';'). The envelope
 * sender is return-path, else sender-address. queue_id is internal-message-id.
 *
 * A line of too few columns or with an open quote was cut: OTHER, without any field.
 */
#include "wire/maillog_inside.h"
#include "wire/maillog_reply.h"

enum exchange_column {
	COLUMN_NONE, /* of no interest */
	COLUMN_TIME, COLUMN_CLIENT_IP, COLUMN_CLIENT_NAME, COLUMN_SERVER_IP, COLUMN_SERVER_NAME,
	COLUMN_CONTEXT, COLUMN_SOURCE, COLUMN_EVENT, COLUMN_ID, COLUMN_MESSAGE_ID, COLUMN_NETWORK_ID,
	COLUMN_RCPT, COLUMN_STATUS, COLUMN_BYTES, COLUMN_RCPT_COUNT, COLUMN_REFERENCE, COLUMN_SUBJECT,
	COLUMN_SENDER, COLUMN_RETURN_PATH,
	COLUMN_COUNT
};

static const struct slice column_names[COLUMN_COUNT] = {
	[COLUMN_TIME] = { "date-time", 9 },
	[COLUMN_CLIENT_IP] = { "client-ip", 9 },
	[COLUMN_CLIENT_NAME] = { "client-hostname", 15 },
	[COLUMN_SERVER_IP] = { "server-ip", 9 },
	[COLUMN_SERVER_NAME] = { "server-hostname", 15 },
	[COLUMN_CONTEXT] = { "source-context", 14 },
	[COLUMN_SOURCE] = { "source", 6 },
	[COLUMN_EVENT] = { "event-id", 8 },
	[COLUMN_ID] = { "internal-message-id", 19 },
	[COLUMN_MESSAGE_ID] = { "message-id", 10 },
	[COLUMN_NETWORK_ID] = { "network-message-id", 18 },
	[COLUMN_RCPT] = { "recipient-address", 17 },
	[COLUMN_STATUS] = { "recipient-status", 16 },
	[COLUMN_BYTES] = { "total-bytes", 11 },
	[COLUMN_RCPT_COUNT] = { "recipient-count", 15 },
	[COLUMN_REFERENCE] = { "reference", 9 },
	[COLUMN_SUBJECT] = { "message-subject", 15 },
	[COLUMN_SENDER] = { "sender-address", 14 },
	[COLUMN_RETURN_PATH] = { "return-path", 11 },
};

struct exchange_line {
	struct slice value[COLUMN_COUNT];
	unsigned has; /* bits: the file has this column */
};

static bool has_column(const struct exchange_line *line, enum exchange_column column)
{
	return (line->has & 1u << column) != 0;
}

/* ---- the header ---- */

static uint8_t column_of(struct slice name)
{
	for (unsigned i = COLUMN_NONE + 1; i < COLUMN_COUNT; i++)
		if (slice_equal_nocase(name, column_names[i]))
			return (uint8_t)i;
	return COLUMN_NONE;
}

/* The names behind "#Fields: ". A file of another of Exchange's logs is none of ours. */
static void read_names(struct maillog_reader *r, struct slice names)
{
	unsigned has = 0;
	struct slice name;
	r->column_count = 0;
	while (r->column_count < MAILLOG_COLUMNS_MAX && slice_next(&names, ',', &name)) {
		uint8_t column = column_of(slice_trim(name));
		if (has & 1u << column)
			column = COLUMN_NONE; /* twice: the first one */
		has |= column == COLUMN_NONE ? 0 : 1u << column;
		r->columns[r->column_count++] = column;
	}
	unsigned needed = 1u << COLUMN_TIME | 1u << COLUMN_EVENT | 1u << COLUMN_ID | 1u << COLUMN_MESSAGE_ID;
	r->separator = ',';
	if ((has & needed) != needed)
		r->column_count = 0;
}

/* The separator tells whose the columns are. */
static bool has_columns(const struct maillog_reader *r)
{
	return r->separator == ',' && r->column_count > 0;
}

/* Lines that begin with '#', behind a byte order mark in the first one. */
static bool read_header(struct maillog_reader *r, struct slice line, struct maillog_event *ev)
{
	static const struct slice words[] = {
		{ "#Software: Microsoft Exchange", 29 }, { "#Log-type: Message Tracking", 27 },
	};
	maillog_skip(&line, SLICE("\xEF\xBB\xBF"));
	bool is_mine = maillog_starts(line, SLICE("#Fields: date-time,"));
	if (is_mine)
		read_names(r, slice_from(line, SLICE("#Fields: ").len));
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		is_mine |= maillog_starts(line, words[i]);
	if (r->format == MAILLOG_EXCHANGE || has_columns(r))
		is_mine |= maillog_starts(line, SLICE("#Version: ")) || maillog_starts(line, SLICE("#Date: "));
	if (is_mine)
		ev->format = MAILLOG_EXCHANGE;
	return is_mine;
}

/* ---- one line ---- */

/* The inside of a quoted value with "" made one; as much as the memory holds. */
static struct slice unquote(struct maillog_reader *r, struct slice inside)
{
	char *to = r->scratch + r->scratch_used;
	size_t room = sizeof r->scratch - r->scratch_used, n = 0;
	if (!memchr(inside.ptr, '"', inside.len))
		return inside;
	for (size_t i = 0; i < inside.len && n < room; i++) {
		to[n++] = inside.ptr[i];
		i += inside.ptr[i] == '"';
	}
	r->scratch_used += (unsigned)n;
	return slice_make(to, n);
}

/* One value off *c; false when its quote has no end. Unquoted when it is wanted. */
static bool take_value(const char **c, const char *e, bool is_wanted, struct maillog_reader *r,
		       struct slice *value_out)
{
	const char *from = *c;
	if (from == e || *from != '"') {
		const char *comma = memchr(from, ',', (size_t)(e - from));
		*value_out = maillog_span(from, comma ? comma : e);
		*c = comma ? comma : e;
		return true;
	}
	const char *q = from;
	bool is_pair = false;
	do {
		q = memchr(q + 1, '"', (size_t)(e - q - 1));
		if (!q)
			return false;
		is_pair = q + 1 < e && q[1] == '"';
		q += is_pair;
	} while (is_pair);
	if (q + 1 < e && q[1] != ',')
		return false;
	*value_out = maillog_span(from + 1, q);
	if (is_wanted)
		*value_out = unquote(r, *value_out);
	*c = q + 1;
	return true;
}

/* All columns that the header named, no fewer. */
static bool split_line(struct maillog_reader *r, struct slice line, struct exchange_line *line_out)
{
	const char *c = line.ptr, *e = c + line.len;
	*line_out = (struct exchange_line){ .has = 0 };
	for (unsigned i = 0; i < r->column_count; i++) {
		uint8_t column = r->columns[i];
		struct slice value;
		if (i > 0 && (c == e || *c++ != ','))
			return false;
		if (column >= COLUMN_COUNT || !take_value(&c, e, column != COLUMN_NONE, r, &value))
			return false;
		line_out->value[column] = value;
		line_out->has |= 1u << column;
	}
	return true;
}

static enum maillog_kind kind_of(const struct exchange_line *line)
{
	static const struct {
		struct slice event;
		enum maillog_kind kind;
	} rows[] = {
		{ { "RECEIVE", 7 }, MAILLOG_RECEIVED }, { { "DSN", 3 }, MAILLOG_RECEIVED },
		{ { "SEND", 4 }, MAILLOG_SENT }, { { "SENDEXTERNAL", 12 }, MAILLOG_SENT },
		{ { "DELIVER", 7 }, MAILLOG_SENT }, { { "DUPLICATEDELIVER", 16 }, MAILLOG_SENT },
		{ { "FAIL", 4 }, MAILLOG_BOUNCED }, { { "DEFER", 5 }, MAILLOG_DEFERRED },
		{ { "BADMAIL", 7 }, MAILLOG_EXPIRED }, { { "DROP", 4 }, MAILLOG_MILTER_DISCARD },
	};
	struct slice event = line->value[COLUMN_EVENT];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (slice_equal(event, rows[i].event))
			return rows[i].kind == MAILLOG_RECEIVED && has_column(line, COLUMN_NETWORK_ID) &&
			       slice_equal(line->value[COLUMN_SOURCE], SLICE("STOREDRIVER"))
				       ? MAILLOG_OTHER : rows[i].kind;
	return MAILLOG_OTHER;
}

static struct slice either(struct slice first, struct slice second)
{
	return first.len > 0 ? first : second;
}

/* The sender and what stays the same in all lines of a mail. */
static void set_mail(const struct slice *value, struct maillog_event *ev)
{
	struct slice from = either(value[COLUMN_RETURN_PATH], value[COLUMN_SENDER]);
	ev->has_from = from.len > 0;
	ev->from = maillog_unwrap(from, '<', '>');
	ev->queue_id = value[COLUMN_ID];
	ev->message_id = maillog_unwrap(value[COLUMN_MESSAGE_ID], '<', '>');
	ev->subject = value[COLUMN_SUBJECT];
	slice_to_u64(value[COLUMN_BYTES], &ev->size_bytes);
	slice_to_u64(value[COLUMN_RCPT_COUNT], &ev->nrcpt);
}

static void set_arrival(const struct slice *value, struct maillog_event *ev)
{
	ev->rcpts = value[COLUMN_RCPT];
	ev->rcpts_separator = ';';
	if (!slice_equal(value[COLUMN_EVENT], SLICE("DSN"))) {
		ev->client = either(value[COLUMN_CLIENT_IP], value[COLUMN_CLIENT_NAME]);
		return;
	}
	struct slice about = value[COLUMN_REFERENCE];
	ev->in_reply_to = maillog_unwrap(slice_first(about, slice_find_byte(about, 0, ';')), '<', '>');
}

static void set_outcome(const struct slice *value, struct maillog_event *ev)
{
	struct slice rcpts = value[COLUMN_RCPT];
	if (slice_find_byte(rcpts, 0, ';') < rcpts.len) {
		ev->rcpts = rcpts;
		ev->rcpts_separator = ';';
	} else {
		ev->rcpt = maillog_unwrap(rcpts, '<', '>');
	}
	ev->relay = either(value[COLUMN_SERVER_NAME], value[COLUMN_SERVER_IP]);
	ev->text = either(value[COLUMN_STATUS], value[COLUMN_CONTEXT]);
	ev->dsn = maillog_reply_dsn(ev->text);
	if (ev->kind == MAILLOG_SENT)
		ev->other_id = maillog_reply_id(value[COLUMN_CONTEXT]);
}

bool maillog_exchange(struct maillog_reader *reader, struct slice line, struct maillog_event *ev)
{
	struct exchange_line parts;
	if (line.len > 0 && (line.ptr[0] == '#' || line.ptr[0] == '\xEF'))
		return read_header(reader, line, ev);
	if (!has_columns(reader) || line.len == 0)
		return false;
	ev->format = MAILLOG_EXCHANGE;
	if (!split_line(reader, line, &parts))
		return true;
	const struct slice *value = parts.value;
	bool is_send = maillog_starts(value[COLUMN_EVENT], SLICE("SEND"));
	ev->kind = kind_of(&parts);
	ev->time = value[COLUMN_TIME];
	/* Of a mail that is sent, the server is the next one, and the client this one. */
	ev->host = value[is_send ? COLUMN_CLIENT_NAME : COLUMN_SERVER_NAME];
	set_mail(value, ev);
	if (ev->kind == MAILLOG_RECEIVED)
		set_arrival(value, ev);
	else
		set_outcome(value, ev);
	return true;
}
