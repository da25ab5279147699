/* SPDX-License-Identifier: Apache-2.0
 *
 * base64: three bytes to four letters and back.
 */
#include "wire/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_add(struct buf *b, struct slice s)
{
	if (s.len == 0)
		return !b->is_over;
	char *to = buf_reserve(b, base64_len(s.len));
	if (!to)
		return false;
	const unsigned char *from = (const unsigned char *)s.ptr;
	for (size_t i = 0; i < s.len; i += 3, to += 4) {
		size_t left = s.len - i;
		uint32_t three = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
				 (left > 2 ? from[i + 2] : 0u);
		to[0] = letters[three >> 18];
		to[1] = letters[three >> 12 & 63];
		to[2] = left > 1 ? letters[three >> 6 & 63] : '=';
		to[3] = left > 2 ? letters[three & 63] : '=';
	}
	buf_commit(b, base64_len(s.len));
	return true;
}

static int letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four letters, the last pads of them "=", as 24 bits; false when they are none. */
static bool read_four(const char *four, size_t pads, uint32_t *bits_out)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i >= 4 - pads ? 0 : letter_value(four[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
	}
	*bits_out = bits;
	return (bits & ((1u << 8 * pads) - 1)) == 0;
}

static size_t count_pads(struct slice text)
{
	size_t pads = 0;
	while (pads < 2 && pads < text.len && text.ptr[text.len - 1 - pads] == '=')
		pads++;
	return pads;
}

bool base64_read(struct slice text, uint8_t *out, size_t out_max, size_t *bytes_out)
{
	size_t pads = count_pads(text), n = 0;
	if (text.len % 4 != 0 || text.len / 4 * 3 - pads > out_max)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t pads_here = i + 4 == text.len ? pads : 0;
		uint32_t bits;
		if (!read_four(text.ptr + i, pads_here, &bits))
			return false;
		for (size_t k = 0; k < 3 - pads_here; k++)
			out[n++] = (uint8_t)(bits >> (16 - 8 * k));
	}
	*bytes_out = n;
	return true;
}
