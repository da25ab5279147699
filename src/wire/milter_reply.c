/* SPDX-License-Identifier: Apache-2.0
 *
 * milter: the packets that are sent, by the filter and by a (test) MTA.
 *
 * A packet is a row of parts, laid down whole or not at all: room for all of it is
 * reserved first. Text that could end a line, a header or a packet early is
 * refused here, so that nothing quoted from a mail can inject a header or a reply.
 */
#include "wire/milter.h"

struct part {
	struct slice bytes;
	bool has_nul; /* a closing NUL is sent behind it */
};

static bool put_parts(struct buf *b, char cmd, const struct part *parts, size_t count)
{
	size_t payload = 0;
	for (size_t i = 0; i < count; i++)
		payload += parts[i].bytes.len + parts[i].has_nul;
	if (payload >= UINT32_MAX || !buf_reserve(b, payload + 5))
		return false;
	buf_add_u32be(b, (uint32_t)payload + 1);
	buf_add_byte(b, cmd);
	for (size_t i = 0; i < count; i++) {
		buf_add(b, parts[i].bytes);
		if (parts[i].has_nul)
			buf_add_byte(b, '\0');
	}
	return !b->is_over;
}

static bool has_byte(struct slice s, char c)
{
	return slice_find_byte(s, 0, c) < s.len;
}

static bool is_one_line(struct slice s)
{
	return !has_byte(s, '\0') && !has_byte(s, '\r') && !has_byte(s, '\n');
}

/* RFC 5322 3.6.8: printable, no colon. */
static bool is_field_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || s.ptr[i] == ':')
			return false;
	return s.len > 0;
}

/* Folded or not: a line end is allowed only before a blank or tab. */
static bool is_field_value(struct slice s)
{
	if (has_byte(s, '\0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char next = i + 1 < s.len ? s.ptr[i + 1] : 'x';
		if (s.ptr[i] == '\r' && next != '\n')
			return false;
		if (s.ptr[i] == '\n' && !ascii_is_blank(next))
			return false;
	}
	return true;
}

/* ---- the filter's replies ---- */

bool milter_put_answer(struct buf *b, enum milter_answer answer)
{
	return put_parts(b, (char)answer, NULL, 0);
}

static bool is_reply_code(struct slice code)
{
	return code.len == 3 && (code.ptr[0] == '4' || code.ptr[0] == '5') &&
	       ascii_is_digit(code.ptr[1]) && ascii_is_digit(code.ptr[2]);
}

/* RFC 3463 2: class "." 1*3digit "." 1*3digit */
static bool is_enhanced_code(struct slice enhanced, char wanted_class)
{
	struct slice cls, subject, detail = enhanced;
	if (!slice_next(&detail, '.', &cls) || !slice_next(&detail, '.', &subject))
		return false;
	uint64_t n;
	return cls.len == 1 && cls.ptr[0] == wanted_class && subject.len <= 3 && detail.len <= 3 &&
	       slice_to_u64(subject, &n) && slice_to_u64(detail, &n);
}

bool milter_put_replycode(struct buf *b, struct slice code, struct slice enhanced, struct slice text)
{
	char line[2 * MILTER_REPLY_TEXT_BYTES_MAX];
	size_t n = 0;
	if (!is_reply_code(code) || !is_enhanced_code(enhanced, code.ptr[0]) || !is_one_line(text) ||
	    text.len == 0 || text.len + enhanced.len + 5 > MILTER_REPLY_TEXT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '%')
			line[n++] = '%';
		line[n++] = text.ptr[i];
	}
	const struct part parts[] = {
		{ code, false }, { SLICE(" "), false }, { enhanced, false },
		{ SLICE(" "), false }, { slice_make(line, n), true },
	};
	return put_parts(b, MILTER_REPLYCODE, parts, 5);
}

bool milter_put_quarantine(struct buf *b, struct slice reason)
{
	const struct part parts[] = { { reason, true } };
	return reason.len > 0 && is_one_line(reason) && put_parts(b, MILTER_QUARANTINE, parts, 1);
}

bool milter_put_addheader(struct buf *b, struct slice name, struct slice value)
{
	const struct part parts[] = { { name, true }, { value, true } };
	return is_field_name(name) && is_field_value(value) && put_parts(b, MILTER_ADDHEADER, parts, 2);
}

static bool put_indexed(struct buf *b, enum milter_answer answer, uint32_t index, struct slice name,
			struct slice value)
{
	const char number[4] = { (char)(index >> 24), (char)(index >> 16), (char)(index >> 8), (char)index };
	const struct part parts[] = { { slice_make(number, 4), false }, { name, true }, { value, true } };
	return index <= INT32_MAX && is_field_name(name) && is_field_value(value) &&
	       put_parts(b, (char)answer, parts, 3);
}

bool milter_put_insheader(struct buf *b, uint32_t index, struct slice name, struct slice value)
{
	return put_indexed(b, MILTER_INSHEADER, index, name, value);
}

bool milter_put_chgheader(struct buf *b, uint32_t index, struct slice name, struct slice value)
{
	return index > 0 && put_indexed(b, MILTER_CHGHEADER, index, name, value);
}

static bool put_path(struct buf *b, enum milter_answer answer, struct slice addr, struct slice args)
{
	const struct part parts[] = { { addr, true }, { args, true } };
	return addr.len > 0 && is_one_line(addr) && is_one_line(args) &&
	       put_parts(b, (char)answer, parts, args.len > 0 ? 2 : 1);
}

bool milter_put_addrcpt(struct buf *b, struct slice addr, struct slice args)
{
	return put_path(b, args.len > 0 ? MILTER_ADDRCPT_PAR : MILTER_ADDRCPT, addr, args);
}

bool milter_put_delrcpt(struct buf *b, struct slice addr)
{
	return put_path(b, MILTER_DELRCPT, addr, slice_make(NULL, 0));
}

bool milter_put_chgfrom(struct buf *b, struct slice addr, struct slice args)
{
	return put_path(b, MILTER_CHGFROM, addr, args);
}

bool milter_put_replbody(struct buf *b, struct slice chunk)
{
	const struct part parts[] = { { chunk, false } };
	return put_parts(b, MILTER_REPLBODY, parts, 1);
}

/* ---- the MTA's commands ---- */

bool milter_send(struct buf *b, char cmd, struct slice payload)
{
	const struct part parts[] = { { payload, false } };
	return put_parts(b, cmd, parts, 1);
}

bool milter_send_offer(struct buf *b, const struct milter_offer *offer)
{
	char words[12];
	const uint32_t values[3] = { offer->version, offer->actions, offer->steps };
	for (int i = 0; i < 12; i++)
		words[i] = (char)(values[i / 4] >> (24 - 8 * (i % 4)));
	return milter_send(b, MILTER_OPTNEG, slice_make(words, sizeof words));
}

/* Macros and arguments come in any number: the length is mended at the end. */
static bool end_counted(struct buf *b, size_t begin)
{
	if (b->is_over) {
		b->len = begin;
		return false;
	}
	uint32_t len = (uint32_t)(b->len - begin - 4);
	for (int i = 0; i < 4; i++)
		b->ptr[begin + (size_t)i] = (char)(len >> (24 - 8 * i));
	return true;
}

static void add_text(struct buf *b, struct slice text)
{
	buf_add(b, text);
	buf_add_byte(b, '\0');
}

bool milter_send_macros(struct buf *b, char cmd, const struct milter_pair *pairs, size_t count)
{
	size_t begin = b->len;
	buf_add_u32be(b, 0);
	buf_add_byte(b, MILTER_MACRO);
	buf_add_byte(b, cmd);
	for (size_t i = 0; i < count; i++) {
		add_text(b, pairs[i].name);
		add_text(b, pairs[i].value);
	}
	return end_counted(b, begin);
}

bool milter_send_connect(struct buf *b, const struct milter_connect *connect)
{
	const char family[3] = { connect->family, (char)(connect->port >> 8), (char)connect->port };
	const struct part parts[] = {
		{ connect->host, true },
		{ slice_make(family, connect->family == 'U' ? 1 : 3), false },
		{ connect->addr, true },
	};
	return put_parts(b, MILTER_CONNECT, parts, connect->family == 'U' ? 2 : 3);
}

bool milter_send_envelope(struct buf *b, char cmd, struct slice addr, const struct slice *args,
			  size_t arg_count)
{
	size_t begin = b->len;
	buf_add_u32be(b, 0);
	buf_add_byte(b, cmd);
	add_text(b, addr);
	for (size_t i = 0; i < arg_count; i++)
		add_text(b, args[i]);
	return end_counted(b, begin);
}

bool milter_send_header(struct buf *b, struct slice name, struct slice value)
{
	const struct part parts[] = { { name, true }, { value, true } };
	return put_parts(b, MILTER_HEADER, parts, 2);
}

bool milter_send_text(struct buf *b, char cmd, struct slice text)
{
	const struct part parts[] = { { text, true } };
	return put_parts(b, cmd, parts, 1);
}

/* ---- what the MTA reads ---- */

/* How the payload of a reply is built: 'n' a number, 't' a text, 'o' a text that
 * may be missing, '*' bytes, 'N' the three numbers of OPTNEG. */
static const struct reply_row {
	char answer;
	const char *shape;
} reply_rows[] = {
	{ MILTER_OPTNEG, "N" }, { MILTER_ADDRCPT, "t" }, { MILTER_DELRCPT, "t" },
	{ MILTER_ADDRCPT_PAR, "to" }, { MILTER_SHUTDOWN, "" }, { MILTER_ACCEPT, "" },
	{ MILTER_REPLBODY, "*" }, { MILTER_CONTINUE, "" }, { MILTER_DISCARD, "" },
	{ MILTER_CHGFROM, "to" }, { MILTER_CONN_FAIL, "" }, { MILTER_ADDHEADER, "tt" },
	{ MILTER_INSHEADER, "ntt" }, { MILTER_CHGHEADER, "ntt" }, { MILTER_PROGRESS, "" },
	{ MILTER_QUARANTINE, "t" }, { MILTER_REJECT, "" }, { MILTER_SKIP, "" },
	{ MILTER_TEMPFAIL, "" }, { MILTER_REPLYCODE, "t" },
};

static bool take_number(struct slice *rest, uint32_t *value_out)
{
	if (rest->len < 4)
		return false;
	const unsigned char *u = (const unsigned char *)rest->ptr;
	*value_out = (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
	*rest = slice_from(*rest, 4);
	return true;
}

static enum milter_trouble take_reply_text(struct slice *rest, struct slice *text_out)
{
	if (milter_text_next(rest, text_out))
		return MILTER_FINE;
	return rest->len == 0 ? MILTER_TOO_SHORT : MILTER_NO_NUL;
}

static enum milter_trouble take_field(char shape, struct slice *rest, struct milter_reply *reply)
{
	struct slice *text = reply->first.ptr ? &reply->second : &reply->first;
	switch (shape) {
	case 'n':
		return take_number(rest, &reply->index) ? MILTER_FINE : MILTER_TOO_SHORT;
	case 'N':
		if (!take_number(rest, &reply->offer.version) ||
		    !take_number(rest, &reply->offer.actions) || !take_number(rest, &reply->offer.steps))
			return MILTER_TOO_SHORT;
		reply->lists = *rest;
		break;
	case 'o':
		return rest->len == 0 ? MILTER_FINE : take_reply_text(rest, text);
	case 't':
		return take_reply_text(rest, text);
	default:
		reply->first = *rest;
		break;
	}
	*rest = slice_make(NULL, 0);
	return MILTER_FINE;
}

enum milter_trouble milter_decode_reply(const struct milter_packet *packet,
					struct milter_reply *reply_out)
{
	struct slice rest = packet->payload;
	*reply_out = (struct milter_reply){ .answer = packet->cmd };
	for (size_t i = 0; i < sizeof reply_rows / sizeof reply_rows[0]; i++) {
		if (reply_rows[i].answer != packet->cmd)
			continue;
		for (const char *shape = reply_rows[i].shape; *shape; shape++) {
			enum milter_trouble trouble = take_field(*shape, &rest, reply_out);
			if (trouble)
				return trouble;
		}
		return rest.len == 0 ? MILTER_FINE : MILTER_TOO_MUCH;
	}
	return MILTER_UNKNOWN_COMMAND;
}

bool milter_list_next(struct slice *rest, uint32_t *stage_out, struct slice *names_out)
{
	return take_number(rest, stage_out) && milter_text_next(rest, names_out);
}
