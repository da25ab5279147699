/* SPDX-License-Identifier: Apache-2.0
 *
 * decode: one small state machine an encoding. base64 takes four letters at a
 * time where it can: attachments are most of the bytes in the world's mail.
 */
#include "mail/decode.h"

static const struct {
	const char *name;
	enum encoding encoding;
} encoding_names[] = {
	{ "7bit", ENCODING_PLAIN },
	{ "8bit", ENCODING_PLAIN },
	{ "binary", ENCODING_BINARY },
	{ "base64", ENCODING_BASE64 },
	{ "quoted-printable", ENCODING_QUOTED },
	{ "uuencode", ENCODING_UU },
	{ "x-uuencode", ENCODING_UU },
	{ "x-uue", ENCODING_UU },
};

enum encoding encoding_parse(struct slice value)
{
	value = slice_trim(value);
	size_t len = 0;
	while (len < value.len && !ascii_is_space(value.ptr[len]))
		len++;
	value = slice_first(value, len);
	for (size_t i = 0; i < sizeof encoding_names / sizeof encoding_names[0]; i++)
		if (slice_equal_nocase(value, slice_from_str(encoding_names[i].name)))
			return encoding_names[i].encoding;
	return ENCODING_PLAIN;
}

enum { B64_NONE = 64, B64_END = 65 };

#define B64_ROW4(a, b, c, d) (a), (b), (c), (d)
#define B64_X4 B64_ROW4(64, 64, 64, 64)
#define B64_X16 B64_X4, B64_X4, B64_X4, B64_X4

static const uint8_t b64_rank[256] = {
	B64_X16, B64_X16,
	B64_X4, B64_X4, 64, 64, 64, 62, 64, 64, 64, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, B64_END, 64, 64,
	64, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
	64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
	B64_X16, B64_X16, B64_X16, B64_X16, B64_X16, B64_X16, B64_X16, B64_X16,
};

static uint8_t b64_at(struct slice in, size_t i)
{
	return b64_rank[(unsigned char)in.ptr[i]];
}

/* The first "=": gives out what the letters before it hold. */
static size_t b64_finish(struct decoder *d, char *out)
{
	size_t len = 0;
	d->is_over = true;
	if (d->count >= 2)
		out[len++] = (char)(d->count == 2 ? d->bits >> 4 : d->bits >> 10);
	if (d->count == 3)
		out[len++] = (char)(d->bits >> 2);
	return len;
}

static size_t b64_feed(struct decoder *d, struct slice in, char *out)
{
	size_t len = 0, i = 0;
	while (i < in.len && !d->is_over) {
		while (d->count == 0 && i + 4 <= in.len) {
			uint8_t a = b64_at(in, i), b = b64_at(in, i + 1);
			uint8_t c = b64_at(in, i + 2), e = b64_at(in, i + 3);
			if ((a | b | c | e) & 64)
				break;
			uint32_t bits = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | e;
			out[len++] = (char)(bits >> 16);
			out[len++] = (char)(bits >> 8);
			out[len++] = (char)bits;
			i += 4;
		}
		if (i == in.len)
			break;
		uint8_t rank = b64_at(in, i++);
		if (rank == B64_END)
			return len + b64_finish(d, out + len);
		if (rank == B64_NONE)
			continue;
		d->bits = d->bits << 6 | rank;
		if (++d->count == 4) {
			out[len++] = (char)(d->bits >> 16);
			out[len++] = (char)(d->bits >> 8);
			out[len++] = (char)d->bits;
			d->count = 0;
			d->bits = 0;
		}
	}
	return len;
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* count 0: text; 1: after "="; 2: after "=" and first. */
static size_t quoted_escape(struct decoder *d, char c, char *out)
{
	if (d->count == 1) {
		d->first = c;
		d->count = c == '\n' ? 0 : 2;
		return 0;
	}
	int high = hex_value(d->first), low = hex_value(c);
	d->count = 0;
	if (high >= 0 && low >= 0) {
		out[0] = (char)(high << 4 | low);
		return 1;
	}
	if (d->first == '\r' && c == '\n')
		return 0;
	out[0] = '=';
	out[1] = d->first;
	out[2] = c;
	return 3;
}

static size_t quoted_feed(struct decoder *d, struct slice in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len;) {
		if (d->count > 0) {
			len += quoted_escape(d, in.ptr[i++], out + len);
			continue;
		}
		size_t end = slice_find_byte(in, i, '=');
		memcpy(out + len, in.ptr + i, end - i);
		len += end - i;
		d->count = end < in.len;
		i = end + 1;
	}
	return len;
}

static void uu_find_begin(struct decoder *d, char c)
{
	static const char begin[] = "begin ";
	if (c == '\n') {
		d->uu_matched = 0;
		d->is_uu_skipping = false;
	} else if (!d->is_uu_skipping && c == begin[d->uu_matched]) {
		if (++d->uu_matched == sizeof begin - 1)
			d->uu = UU_BEGIN_LINE;
	} else {
		d->is_uu_skipping = true;
	}
}

/* One data byte of a line; writes up to three. */
static size_t uu_take(struct decoder *d, char c, char *out)
{
	size_t len = 0;
	d->bits = d->bits << 6 | (uint32_t)((c - ' ') & 63);
	if (++d->count < 4)
		return 0;
	for (int shift = 16; shift >= 0 && d->uu_left > 0; shift -= 8, d->uu_left--)
		out[len++] = (char)(d->bits >> shift);
	d->count = 0;
	d->bits = 0;
	if (d->uu_left == 0)
		d->uu = UU_LINE_REST;
	return len;
}

static void uu_start_line(struct decoder *d, char c)
{
	if (c == '\n' || c == '\r')
		return;
	d->uu_left = (unsigned)((c - ' ') & 63);
	d->count = 0;
	d->bits = 0;
	d->uu = d->uu_left == 0 ? UU_DONE : UU_LINE;
}

static size_t uu_feed(struct decoder *d, struct slice in, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len && d->uu != UU_DONE; i++) {
		char c = in.ptr[i];
		if (d->uu == UU_BEFORE)
			uu_find_begin(d, c);
		else if (c == '\n')
			d->uu = UU_LINE_START;
		else if (d->uu == UU_LINE_START)
			uu_start_line(d, c);
		else if (d->uu == UU_LINE)
			len += uu_take(d, c, out + len);
	}
	return len;
}

void decoder_begin(struct decoder *d, enum encoding encoding)
{
	*d = (struct decoder){ .encoding = encoding };
}

size_t decoder_feed(struct decoder *d, struct slice in, char *out)
{
	if (in.len == 0)
		return 0;
	switch (d->encoding) {
	case ENCODING_BASE64:
		return b64_feed(d, in, out);
	case ENCODING_QUOTED:
		return quoted_feed(d, in, out);
	case ENCODING_UU:
		return uu_feed(d, in, out);
	case ENCODING_PLAIN:
	case ENCODING_BINARY:
		break;
	}
	memcpy(out, in.ptr, in.len);
	return in.len;
}
