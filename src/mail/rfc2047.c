/* SPDX-License-Identifier: Apache-2.0
 *
 * rfc2047: one pass; white space between two encoded words is dropped (6.2).
 */
#include "mail/rfc2047.h"

#include "mail/decode.h"

enum {
	WORD_CHARSET_BYTES_MAX = 64,
	WORD_GROWTH = 3, /* a windows-1252 byte becomes at most 3 of UTF-8 */
};

struct encoded_word {
	struct slice charset, text;
	char encoding; /* 'b' or 'q' */
	size_t end;    /* position after it */
	bool is_endless; /* no "?=" follows: nor will any later word have one */
};

struct word_writer {
	char *out;
	size_t len;
	struct slice charset; /* of the encoded word just written; empty: plain text */
	bool want_blank;
};

/* windows-1252 0x80 to 0x9f; 0 where it has none. */
static const uint16_t word_cp1252[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static bool word_parse(struct slice s, size_t pos, struct encoded_word *w)
{
	w->is_endless = false;
	size_t charset_end = slice_find_byte(s, pos + 2, '?');
	size_t text_from = charset_end + 3;
	if (text_from > s.len || s.ptr[charset_end + 2] != '?')
		return false;
	w->charset = slice_between(s, pos + 2, charset_end);
	w->charset = slice_first(w->charset, slice_find_byte(w->charset, 0, '*')); /* RFC 2231 5 */
	w->encoding = ascii_lower(s.ptr[charset_end + 1]);
	if (w->charset.len == 0 || w->charset.len > WORD_CHARSET_BYTES_MAX ||
	    memchr(w->charset.ptr, ' ', w->charset.len) || (w->encoding != 'b' && w->encoding != 'q'))
		return false;
	for (size_t end = slice_find_byte(s, text_from, '?'); end + 1 < s.len;
	     end = slice_find_byte(s, end + 1, '?'))
		if (s.ptr[end + 1] == '=') {
			w->text = slice_between(s, text_from, end);
			w->end = end + 2;
			return true;
		}
	w->is_endless = true;
	return false;
}

static void word_add_code(struct word_writer *w, uint32_t code)
{
	if (code < 0x80) {
		w->out[w->len++] = (char)code;
	} else if (code < 0x800) {
		w->out[w->len++] = (char)(0xc0 | code >> 6);
		w->out[w->len++] = (char)(0x80 | (code & 63));
	} else {
		w->out[w->len++] = (char)(0xe0 | code >> 12);
		w->out[w->len++] = (char)(0x80 | (code >> 6 & 63));
		w->out[w->len++] = (char)(0x80 | (code & 63));
	}
}

static void word_add_latin(struct word_writer *w, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.ptr[i];
		uint32_t code = c >= 0x80 && c < 0xa0 ? word_cp1252[c - 0x80] : 0;
		word_add_code(w, code ? code : c);
	}
}

/* Decodes 48 bytes at a time, so that no buffer depends on the word's length. */
static void word_add_decoded(struct word_writer *w, const struct encoded_word *e, bool is_latin)
{
	struct decoder d;
	char in[48], out[sizeof in + 2];
	decoder_begin(&d, e->encoding == 'b' ? ENCODING_BASE64 : ENCODING_QUOTED);
	for (size_t pos = 0; pos < e->text.len; pos += sizeof in) {
		struct slice piece = slice_first(slice_from(e->text, pos), sizeof in);
		memcpy(in, piece.ptr, piece.len);
		for (size_t i = 0; i < piece.len && e->encoding == 'q'; i++)
			in[i] = in[i] == '_' ? ' ' : in[i];
		size_t len = decoder_feed(&d, slice_make(in, piece.len), out);
		for (size_t i = 0; i < len; i++)
			out[i] = ascii_is_space(out[i]) || !out[i] ? ' ' : out[i];
		if (is_latin) {
			word_add_latin(w, slice_make(out, len));
		} else {
			memcpy(w->out + w->len, out, len);
			w->len += len;
		}
	}
}

static void word_add_encoded(struct word_writer *w, const struct encoded_word *e)
{
	static const char *const plain[] = { "utf-8", "us-ascii", "utf8", "ascii" };
	static const char *const latin[] = { "iso-8859-1", "windows-1252", "cp1252", "latin1" };
	bool is_plain = false, is_latin = false;
	bool is_run = w->charset.len > 0;

	if (w->want_blank && !is_run && w->len > 0)
		w->out[w->len++] = ' ';
	w->want_blank = false;
	for (size_t i = 0; i < 4; i++) {
		is_plain |= slice_equal_nocase(e->charset, slice_from_str(plain[i]));
		is_latin |= slice_equal_nocase(e->charset, slice_from_str(latin[i]));
	}
	if (!is_plain && !is_latin && !slice_equal_nocase(w->charset, e->charset)) {
		for (size_t i = 0; i < e->charset.len; i++)
			w->out[w->len++] = ascii_lower(e->charset.ptr[i]);
		w->out[w->len++] = ':';
	}
	w->charset = e->charset;
	word_add_decoded(w, e, is_latin);
}

static void word_add_plain(struct word_writer *w, char c)
{
	if (w->want_blank && w->len > 0)
		w->out[w->len++] = ' ';
	w->want_blank = false;
	w->charset.len = 0;
	w->out[w->len++] = c;
}

/* Blanks that decoding brought to the ends or doubled. */
static struct slice word_squeeze(char *out, size_t len)
{
	size_t to = 0;
	for (size_t i = 0; i < len; i++)
		if (out[i] != ' ' || (to > 0 && out[to - 1] != ' '))
			out[to++] = out[i];
	return slice_trim(slice_make(out, to));
}

struct slice rfc2047_decode(struct arena *arena, struct slice text)
{
	bool has_words = text.len > 0 && memmem(text.ptr, text.len, "=?", 2);
	struct word_writer w = { .len = 0 };
	struct encoded_word e = { .is_endless = false };

	w.out = text.len > 0 ? arena_alloc(arena, text.len * (has_words ? WORD_GROWTH : 1)) : NULL;
	if (!w.out)
		return slice_make(NULL, 0);
	for (size_t pos = 0; pos < text.len;) {
		char c = text.ptr[pos];
		bool may_be = c == '=' && has_words && !e.is_endless && pos + 1 < text.len &&
			      text.ptr[pos + 1] == '?';
		if (may_be && word_parse(text, pos, &e)) {
			word_add_encoded(&w, &e);
			pos = e.end;
			continue;
		}
		if (ascii_is_space(c))
			w.want_blank = true;
		else
			word_add_plain(&w, c);
		pos++;
	}
	return word_squeeze(w.out, w.len);
}
