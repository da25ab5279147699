/* SPDX-License-Identifier: Apache-2.0
 *
 * text: UTF-8 decoded by hand, so that overlong forms, surrogates and cut
 * sequences are bytes that are no UTF-8, whatever the C library thinks.
 */
#include "desk/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <wchar.h>

int32_t text_next(struct slice s, size_t *pos)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.ptr[*pos];
	size_t at = (*pos)++;
	size_t len = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
	if (len == 1)
		return first;
	if (len == 0 || first > 0xf4 || s.len - at < len)
		return -1;
	int32_t code = first & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)s.ptr[at + i];
		if ((c & 0xc0) != 0x80)
			return -1;
		code = code << 6 | (c & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return -1;
	*pos = at + len;
	return code;
}

struct code_range {
	int32_t from, to;
};

/* What moves, hides or reverses text, or is for nobody to read. */
static const struct code_range harmful[] = {
	{ 0x00, 0x1f },       { 0x7f, 0x9f },       { 0xad, 0xad },       { 0x34f, 0x34f },
	{ 0x61c, 0x61c },     { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
	{ 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0x3164, 0x3164 },
	{ 0xe000, 0xf8ff },   { 0xfdd0, 0xfdef },   { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },   { 0xfffe, 0xffff },   { 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
};

bool text_is_harmless(int32_t code_point)
{
	if (code_point < 0)
		return false;
	for (size_t i = 0; i < sizeof harmful / sizeof harmful[0]; i++)
		if (code_point >= harmful[i].from && code_point <= harmful[i].to)
			return false;
	return true;
}

bool text_safe(struct buf *out, struct slice s)
{
	for (size_t pos = 0; pos < s.len;) {
		size_t at = pos;
		int32_t code = text_next(s, &pos);
		if (text_is_harmless(code))
			buf_add(out, slice_between(s, at, pos));
		else if (code >= 0x80)
			buf_addf(out, "\\u{%" PRIx32 "}", (uint32_t)code);
		else
			buf_addf(out, "\\x%02x", (unsigned char)s.ptr[at]);
	}
	return !out->is_over;
}

const char *text_safe_str(const char *text, char out[TEXT_SAFE_BYTES])
{
	struct buf safe;
	buf_init(&safe, 64 * 1024);
	text_safe(&safe, slice_from_str(text));
	snprintf(out, TEXT_SAFE_BYTES, "%s", buf_str(&safe));
	buf_free(&safe);
	return out;
}

static size_t text_width(int32_t code)
{
	int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);
	return width < 0 ? 1 : (size_t)width; /* unknown to the C library: most likely one */
}

size_t text_columns(struct slice s)
{
	size_t columns = 0;
	for (size_t pos = 0; pos < s.len;)
		columns += text_width(text_next(s, &pos));
	return columns;
}

void text_cut(struct buf *out, struct slice s, size_t columns)
{
	size_t used = 0, pos = 0;
	if (text_columns(s) <= columns) {
		buf_add(out, s);
		return;
	}
	while (pos < s.len) {
		size_t next = pos, width = text_width(text_next(s, &next));
		if (used + width + 1 > columns)
			break;
		used += width;
		pos = next;
	}
	buf_add(out, slice_first(s, pos));
	if (columns > 0)
		buf_add_str(out, "…");
}

static void text_blanks(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_add_byte(out, ' ');
}

struct fold {
	struct buf *out;
	size_t columns, indent, used; /* indent: from the second line on */
	bool is_begun, may_break;
};

static void fold_line(struct fold *f)
{
	buf_add_byte(f->out, '\n');
	text_blanks(f->out, f->indent);
	f->used = f->indent;
	f->is_begun = false;
}

static void fold_add(struct fold *f, struct slice piece, size_t width)
{
	if (f->is_begun)
		buf_add_byte(f->out, ' ');
	buf_add(f->out, piece);
	f->used += width + (f->is_begun ? 1 : 0);
	f->is_begun = true;
}

/* How much of word fits into columns; at least one character. */
static size_t fold_fit(struct slice word, size_t columns)
{
	size_t pos = 0, used = 0;
	while (pos < word.len) {
		size_t next = pos;
		used += text_width(text_next(word, &next));
		if (used > columns && pos > 0)
			break;
		pos = next;
	}
	return pos;
}

static void fold_word(struct fold *f, struct slice word)
{
	size_t width = text_columns(word);
	if (f->is_begun && f->used + 1 + width > f->columns)
		fold_line(f);
	while (f->may_break && f->used + width > f->columns) {
		size_t fit = fold_fit(word, f->columns > f->used ? f->columns - f->used : 1);
		if (fit == word.len)
			break;
		fold_add(f, slice_first(word, fit), 0);
		fold_line(f);
		word = slice_from(word, fit);
		width = text_columns(word);
	}
	fold_add(f, word, width);
}

static void text_fold_line(struct buf *out, struct slice line, size_t columns, size_t hang, bool may_break)
{
	size_t indent = 0;
	while (indent < line.len && line.ptr[indent] == ' ')
		indent++;
	if (columns == 0 || text_columns(line) <= columns) {
		buf_add(out, line);
		buf_add_byte(out, '\n');
		return;
	}
	struct fold f = { .out = out, .columns = columns, .indent = indent + hang, .used = indent,
			  .may_break = may_break };
	struct slice rest = slice_from(line, indent), word;
	text_blanks(out, indent);
	while (slice_next(&rest, ' ', &word))
		fold_word(&f, word);
	buf_add_byte(out, '\n');
}

static void text_fold_all(struct buf *out, struct slice lines, size_t columns, size_t hang, bool may_break)
{
	struct slice line;
	struct buf safe;
	buf_init(&safe, 256 * 1024);
	while (slice_next(&lines, '\n', &line)) {
		buf_reset(&safe);
		text_safe(&safe, line);
		text_fold_line(out, buf_slice(&safe), columns, hang, may_break);
	}
	buf_free(&safe);
}

/* A word longer than a line stands on a line of its own and is not cut. */
void text_fold(struct buf *out, struct slice lines, size_t columns, size_t hang)
{
	text_fold_all(out, lines, columns, hang, false);
}

void text_wrap(struct buf *out, struct slice lines, size_t columns, size_t hang)
{
	text_fold_all(out, lines, columns, hang, true);
}

const char *text_number(uint64_t value, char out[TEXT_NUMBER_BYTES])
{
	char digits[TEXT_NUMBER_BYTES];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, value);
	int to = 0;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = digits[i];
	}
	out[to] = '\0';
	return out;
}

const char *text_size(uint64_t bytes, char out[TEXT_NUMBER_BYTES])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;
	double value = (double)bytes;
	while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
		value /= 1024;
		unit++;
	}
	snprintf(out, TEXT_NUMBER_BYTES, unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	return out;
}

const char *text_time(int64_t when_ms, char out[TEXT_TIME_BYTES])
{
	time_t when = (time_t)(when_ms / 1000);
	struct tm local;
	snprintf(out, TEXT_TIME_BYTES, "-");
	if (when_ms == 0)
		return out;
	if (!localtime_r(&when, &local) || strftime(out, TEXT_TIME_BYTES, "%Y-%m-%d %H:%M:%S %Z", &local) == 0)
		snprintf(out, TEXT_TIME_BYTES, "invalid time");
	return out;
}
