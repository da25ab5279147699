/* SPDX-License-Identifier: Apache-2.0
 *
 * milter: frames, what the MTA says, and the negotiation.
 *
 * One row per command says how its payload is read, so that there is one place
 * that looks at lengths: the cursor functions below. They never go past the
 * payload, and the first thing that does not fit names the trouble.
 */
#include "wire/milter.h"

enum { FRAME_BYTES = 4 };

static const char *const trouble_texts[MILTER_TROUBLE_COUNT] = {
	[MILTER_FINE] = "fine",
	[MILTER_EMPTY_PACKET] = "packet of length 0",
	[MILTER_TOO_LONG] = "packet longer than allowed",
	[MILTER_UNKNOWN_COMMAND] = "unknown command",
	[MILTER_TOO_SHORT] = "payload ends before its last field",
	[MILTER_NO_NUL] = "text without its closing NUL",
	[MILTER_TOO_MUCH] = "bytes after the last field",
	[MILTER_BAD_FAMILY] = "unknown address family in CONNECT",
	[MILTER_BAD_STAGE] = "macros for an unknown command",
	[MILTER_ODD_MACRO] = "macro name without a value",
	[MILTER_OLD_VERSION] = "protocol version below 2",
	[MILTER_LACKS_ACTION] = "the mail server does not offer an action that is needed",
	[MILTER_LACKS_STEP] = "the mail server does not offer a protocol step that is needed",
	[MILTER_NO_ROOM] = "reply buffer at its ceiling",
};

const char *milter_trouble_text(enum milter_trouble trouble)
{
	unsigned row = (unsigned)trouble;
	return row < MILTER_TROUBLE_COUNT ? trouble_texts[row] : "unknown trouble";
}

/* ---- frames ---- */

static uint32_t read_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

enum milter_take milter_take(struct slice *bytes, size_t packet_bytes_max,
			     struct milter_packet *packet_out, enum milter_trouble *trouble_out)
{
	*trouble_out = MILTER_FINE;
	if (bytes->len < FRAME_BYTES)
		return MILTER_MORE;
	size_t len = read_u32(bytes->ptr);
	if (len == 0 || len > packet_bytes_max) {
		*trouble_out = len == 0 ? MILTER_EMPTY_PACKET : MILTER_TOO_LONG;
		return MILTER_BROKEN;
	}
	if (bytes->len - FRAME_BYTES < len)
		return MILTER_MORE;
	packet_out->cmd = bytes->ptr[FRAME_BYTES];
	packet_out->payload = slice_make(bytes->ptr + FRAME_BYTES + 1, len - 1);
	*bytes = slice_make(bytes->ptr + FRAME_BYTES + len, bytes->len - FRAME_BYTES - len);
	return MILTER_GOT;
}

/* ---- a cursor over a payload ---- */

static enum milter_trouble take_text(struct slice *rest, struct slice *text_out)
{
	if (rest->len == 0)
		return MILTER_TOO_SHORT;
	size_t end = slice_find_byte(*rest, 0, '\0');
	if (end == rest->len)
		return MILTER_NO_NUL;
	*text_out = slice_first(*rest, end);
	*rest = slice_from(*rest, end + 1);
	return MILTER_FINE;
}

static enum milter_trouble take_end(struct slice rest)
{
	return rest.len == 0 ? MILTER_FINE : MILTER_TOO_MUCH;
}

bool milter_text_next(struct slice *rest, struct slice *text_out)
{
	return take_text(rest, text_out) == MILTER_FINE;
}

static struct slice without_braces(struct slice name)
{
	if (name.len > 2 && name.ptr[0] == '{' && name.ptr[name.len - 1] == '}')
		return slice_between(name, 1, name.len - 1);
	return name;
}

bool milter_macro_next(struct slice *rest, struct slice *name_out, struct slice *value_out)
{
	if (take_text(rest, name_out) != MILTER_FINE || take_text(rest, value_out) != MILTER_FINE)
		return false;
	*name_out = without_braces(*name_out);
	return true;
}

bool milter_macro_find(const struct milter_macros *macros, struct slice name, struct slice *value_out)
{
	struct slice rest = macros->pairs, got, value;
	while (milter_macro_next(&rest, &got, &value)) {
		if (slice_equal(got, name)) {
			*value_out = value;
			return true;
		}
	}
	return false;
}

/* ---- one reader per shape of payload ---- */

typedef enum milter_trouble shape_fn(struct slice rest, struct milter_event *event_out);

static enum milter_trouble read_nothing(struct slice rest, struct milter_event *event_out)
{
	(void)rest;
	(void)event_out;
	return MILTER_FINE;
}

static enum milter_trouble read_data(struct slice rest, struct milter_event *event_out)
{
	event_out->data = rest;
	return MILTER_FINE;
}

static enum milter_trouble read_text(struct slice rest, struct milter_event *event_out)
{
	enum milter_trouble trouble = take_text(&rest, &event_out->text);
	return trouble ? trouble : take_end(rest);
}

static enum milter_trouble read_offer(struct slice rest, struct milter_event *event_out)
{
	/* More than three words may follow in a later version: they are ignored. */
	if (rest.len < 12)
		return MILTER_TOO_SHORT;
	event_out->offer = (struct milter_offer){ read_u32(rest.ptr), read_u32(rest.ptr + 4),
						  read_u32(rest.ptr + 8) };
	return MILTER_FINE;
}

static enum milter_trouble read_envelope(struct slice rest, struct milter_event *event_out)
{
	enum milter_trouble trouble = take_text(&rest, &event_out->envelope.addr);
	if (trouble)
		return trouble;
	event_out->envelope.args = rest;
	return rest.len == 0 || rest.ptr[rest.len - 1] == '\0' ? MILTER_FINE : MILTER_NO_NUL;
}

static enum milter_trouble read_header(struct slice rest, struct milter_event *event_out)
{
	enum milter_trouble trouble = take_text(&rest, &event_out->header.name);
	if (!trouble)
		trouble = take_text(&rest, &event_out->header.value);
	return trouble ? trouble : take_end(rest);
}

static enum milter_trouble read_connect(struct slice rest, struct milter_event *event_out)
{
	struct milter_connect *c = &event_out->connect;
	*c = (struct milter_connect){ 0 };
	enum milter_trouble trouble = take_text(&rest, &c->host);
	if (trouble)
		return trouble;
	if (rest.len == 0)
		return MILTER_TOO_SHORT;
	c->family = rest.ptr[0];
	rest = slice_from(rest, 1);
	if (c->family == 'U')
		return MILTER_FINE; /* nothing else is defined; some MTAs add bytes */
	if (c->family != '4' && c->family != '6' && c->family != 'L')
		return MILTER_BAD_FAMILY;
	if (rest.len < 2)
		return MILTER_TOO_SHORT;
	c->port = (uint16_t)((unsigned char)rest.ptr[0] << 8 | (unsigned char)rest.ptr[1]);
	rest = slice_from(rest, 2);
	trouble = take_text(&rest, &c->addr);
	if (!trouble && c->family == '6' && slice_starts_nocase(c->addr, SLICE("IPv6:")))
		c->addr = slice_from(c->addr, 5);
	return trouble ? trouble : take_end(rest);
}

static enum milter_trouble read_macros(struct slice rest, struct milter_event *event_out);

/* ---- the commands ---- */

struct cmd_row {
	char cmd;
	const char *name;
	shape_fn *read;
	uint32_t no_reply; /* the step that says that no reply is awaited; ALL: never one */
};

static const struct cmd_row cmd_rows[] = {
	{ MILTER_HEADER, "HEADER", read_header, MILTER_NR_HEADER },
	{ MILTER_MACRO, "MACRO", read_macros, MILTER_STEPS_ALL },
	{ MILTER_BODY, "BODY", read_data, MILTER_NR_BODY },
	{ MILTER_RCPT, "RCPT", read_envelope, MILTER_NR_RCPT },
	{ MILTER_MAIL, "MAIL", read_envelope, MILTER_NR_MAIL },
	{ MILTER_EOM, "EOM", read_data, 0 },
	{ MILTER_DATA, "DATA", read_nothing, MILTER_NR_DATA },
	{ MILTER_EOH, "EOH", read_nothing, MILTER_NR_EOH },
	{ MILTER_CONNECT, "CONNECT", read_connect, MILTER_NR_CONNECT },
	{ MILTER_HELO, "HELO", read_text, MILTER_NR_HELO },
	{ MILTER_OPTNEG, "OPTNEG", read_offer, 0 },
	{ MILTER_ABORT, "ABORT", read_nothing, MILTER_STEPS_ALL },
	{ MILTER_QUIT, "QUIT", read_nothing, MILTER_STEPS_ALL },
	{ MILTER_QUIT_NC, "QUIT_NC", read_nothing, MILTER_STEPS_ALL },
	{ MILTER_UNKNOWN, "UNKNOWN", read_text, MILTER_NR_UNKNOWN },
};

static const struct cmd_row *find_row(char cmd)
{
	for (size_t i = 0; i < sizeof cmd_rows / sizeof cmd_rows[0]; i++)
		if (cmd_rows[i].cmd == cmd)
			return &cmd_rows[i];
	return NULL;
}

static enum milter_trouble read_macros(struct slice rest, struct milter_event *event_out)
{
	if (rest.len == 0)
		return MILTER_TOO_SHORT;
	event_out->macros.cmd = rest.ptr[0];
	event_out->macros.pairs = rest = slice_from(rest, 1);
	if (!find_row(event_out->macros.cmd))
		return MILTER_BAD_STAGE;
	struct slice name, value;
	while (rest.len > 0) {
		enum milter_trouble trouble = take_text(&rest, &name);
		if (trouble)
			return trouble;
		trouble = take_text(&rest, &value);
		if (trouble)
			return trouble == MILTER_TOO_SHORT ? MILTER_ODD_MACRO : trouble;
	}
	return MILTER_FINE;
}

const char *milter_cmd_name(char cmd)
{
	const struct cmd_row *row = find_row(cmd);
	return row ? row->name : "?";
}

enum milter_trouble milter_decode(const struct milter_packet *packet, struct milter_event *event_out)
{
	const struct cmd_row *row = find_row(packet->cmd);
	*event_out = (struct milter_event){ .cmd = packet->cmd };
	return row ? row->read(packet->payload, event_out) : MILTER_UNKNOWN_COMMAND;
}

/* ---- negotiation ---- */

static size_t lists_bytes(const struct milter_wish *wish)
{
	size_t bytes = 0;
	for (size_t i = 0; i < wish->list_count; i++)
		bytes += 4 + strlen(wish->lists[i].names) + 1;
	return bytes;
}

/* The larger packets are an offer with no other bit to say so; only one is taken. */
static uint32_t grant_data_size(uint32_t steps, size_t *bytes_out)
{
	if (steps & MILTER_DATA_1M) {
		*bytes_out = 1024 * 1024 - 1;
		return steps & ~(uint32_t)MILTER_DATA_256K;
	}
	*bytes_out = steps & MILTER_DATA_256K ? 256 * 1024 - 1 : MILTER_CHUNK_BYTES;
	return steps;
}

static enum milter_trouble put_grant(const struct milter_grant *grant, const struct milter_wish *wish,
				     struct buf *reply)
{
	bool has_lists = (grant->actions & MILTER_MAY_SETSYMLIST) != 0;
	size_t payload = 12 + (has_lists ? lists_bytes(wish) : 0);
	if (!buf_reserve(reply, FRAME_BYTES + 1 + payload))
		return MILTER_NO_ROOM;
	buf_add_u32be(reply, (uint32_t)(payload + 1));
	buf_add_byte(reply, MILTER_OPTNEG);
	buf_add_u32be(reply, grant->version);
	buf_add_u32be(reply, grant->actions);
	buf_add_u32be(reply, grant->steps);
	for (size_t i = 0; has_lists && i < wish->list_count; i++) {
		buf_add_u32be(reply, (uint32_t)wish->lists[i].stage);
		buf_add(reply, slice_make(wish->lists[i].names, strlen(wish->lists[i].names) + 1));
	}
	return MILTER_FINE;
}

enum milter_trouble milter_negotiate(const struct milter_offer *offer, const struct milter_wish *wish,
				     struct milter_grant *grant_out, struct buf *reply)
{
	uint32_t actions = wish->actions_needed | wish->actions_liked;
	*grant_out = (struct milter_grant){ 0 };
	if (offer->version < MILTER_VERSION_MIN)
		return MILTER_OLD_VERSION;
	if (wish->actions_needed & ~offer->actions)
		return MILTER_LACKS_ACTION;
	if (wish->steps_needed & ~offer->steps)
		return MILTER_LACKS_STEP;
	if (wish->list_count > 0)
		actions |= MILTER_MAY_SETSYMLIST;
	grant_out->version = offer->version < MILTER_VERSION_MAX ? offer->version : MILTER_VERSION_MAX;
	grant_out->actions = offer->actions & actions;
	grant_out->steps = grant_data_size(offer->steps & (wish->steps_needed | wish->steps_liked),
					   &grant_out->data_bytes_max);
	return put_grant(grant_out, wish, reply);
}

bool milter_wants_reply(const struct milter_grant *grant, char cmd)
{
	const struct cmd_row *row = find_row(cmd);
	if (!row || row->no_reply == MILTER_STEPS_ALL)
		return false;
	return (grant->steps & row->no_reply) == 0;
}
