/* SPDX-License-Identifier: Apache-2.0
 *
 * mbox: see mbox.h. What costs time is passing over bodies; there only the pair
 * "LF F" is looked for, 64 bytes at once in a form that compilers turn into vector
 * instructions (1.5 times as fast as a memchr a line, and twice as fast as memmem).
 */
#include "mail/mbox.h"

enum { MBOX_STRIDE = 64 };

static const struct slice mbox_from = { "From ", 5 };

static bool mbox_has_clock(struct slice line)
{
	for (size_t i = 1; i + 1 < line.len; i++)
		if (line.ptr[i] == ':' && ascii_is_digit(line.ptr[i - 1]) &&
		    ascii_is_digit(line.ptr[i + 1]))
			return true;
	return false;
}

static bool mbox_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

bool mbox_is_separator(struct slice line)
{
	return line.len <= MBOX_LINE_BYTES_MAX && mbox_starts(line, mbox_from) && mbox_has_clock(line);
}

static bool mbox_has_pair(const char *at)
{
	unsigned char any = 0;
	for (size_t i = 0; i < MBOX_STRIDE; i++)
		any |= (unsigned char)((at[i] == '\n') & (at[i + 1] == 'F'));
	return any;
}

/* The next F that begins a line, at or after pos; text.len when there is none. */
static size_t mbox_find_f(const struct mbox_text *t, size_t pos)
{
	struct slice text = t->bytes;
	if (pos == 0 && t->is_begin && text.len > 0 && text.ptr[0] == 'F')
		return 0;
	if (pos > 0)
		pos--;
	while (pos + 1 < text.len) {
		while (text.len - pos > MBOX_STRIDE && !mbox_has_pair(text.ptr + pos))
			pos += MBOX_STRIDE;
		size_t left = text.len - 1 - pos, end = pos + (left < MBOX_STRIDE ? left : MBOX_STRIDE);
		for (; pos < end; pos++)
			if (text.ptr[pos] == '\n' && text.ptr[pos + 1] == 'F')
				return pos + 1;
	}
	return text.len;
}

/* Does an empty line (or the beginning of the file) stand before the line at pos? */
static bool mbox_is_after_empty(const struct mbox_text *t, size_t pos, size_t *empty_out)
{
	const char *text = t->bytes.ptr;
	*empty_out = pos;
	if (pos == 0)
		return t->is_begin;
	if (text[pos - 1] != '\n')
		return false;
	size_t at = pos - 1;
	if (at > 0 && text[at - 1] == '\r')
		at--;
	if (at == 0 ? !t->is_begin : text[at - 1] != '\n')
		return false;
	*empty_out = at;
	return true;
}

/* The line at pos with its line end. False when its end is not in the text. */
static bool mbox_line(const struct mbox_text *t, size_t pos, struct slice *line_out)
{
	*line_out = slice_first(slice_from(t->bytes, pos), MBOX_LINE_BYTES_MAX);
	size_t end = slice_find_byte(*line_out, 0, '\n');
	if (end == line_out->len)
		return t->is_end && pos + end == t->bytes.len;
	line_out->len = end + 1;
	return true;
}

bool mbox_find(const struct mbox_text *t, size_t *pos, struct mbox_cut *cut_out)
{
	size_t len = t->bytes.len, empty;
	for (size_t at = *pos; (at = mbox_find_f(t, at)) < len; at++) {
		struct slice line;
		if (!mbox_is_after_empty(t, at, &empty))
			continue;
		if (!mbox_line(t, at, &line)) {
			if (line.len == MBOX_LINE_BYTES_MAX || t->is_end)
				continue;
			*pos = at;
			return false;
		}
		if (!mbox_is_separator(line))
			continue;
		*pos = at + line.len;
		*cut_out = (struct mbox_cut){ empty, at, at + line.len };
		return true;
	}
	if (t->is_end && len > 0 && mbox_is_after_empty(t, len, &empty))
		len = empty;
	*cut_out = (struct mbox_cut){ len, t->bytes.len, t->bytes.len };
	*pos = t->bytes.len;
	return false;
}

/* The bytes of the line end at pos: 2, 1 or 0. */
static size_t mbox_line_end(struct slice text, size_t pos)
{
	struct slice rest = slice_from(text, pos);
	if (rest.len > 0 && rest.ptr[0] == '\n')
		return 1;
	return rest.len > 1 && rest.ptr[0] == '\r' && rest.ptr[1] == '\n' ? 2 : 0;
}

size_t mbox_header_bytes(struct slice text)
{
	for (size_t pos = 0; pos < text.len; pos = slice_find_byte(text, pos, '\n') + 1) {
		size_t end = mbox_line_end(text, pos);
		if (end > 0)
			return pos + end;
	}
	return 0;
}

bool mbox_content_length(struct slice header, uint64_t *bytes_out)
{
	static const struct slice name = { "Content-Length:", 15 };
	struct slice rest = slice_first(header, MBOX_COUNT_BYTES_MAX), line;
	while (slice_next(&rest, '\n', &line))
		if (slice_starts_nocase(line, name))
			return slice_to_u64(slice_trim(slice_from(line, name.len)), bytes_out);
	return false;
}

bool mbox_ends_at(const struct mbox_text *t, size_t pos, struct mbox_cut *cut_out)
{
	struct slice line, text = t->bytes;
	if (pos > text.len || (pos == text.len && !t->is_end))
		return false;
	if (pos > 0 && text.ptr[pos - 1] != '\n' && pos < text.len) {
		size_t end = mbox_line_end(text, pos);
		if (end == 0)
			return false;
		pos += end;
	}
	cut_out->mail_end = pos;
	pos += mbox_line_end(text, pos);
	cut_out->separator = cut_out->next = pos;
	if (pos == text.len)
		return t->is_end;
	if (!mbox_line(t, pos, &line) || !mbox_is_separator(line))
		return false;
	cut_out->next = pos + line.len;
	return true;
}

static void mbox_give(struct slice bytes, mbox_bytes_fn *fn, void *ctx)
{
	if (bytes.len > 0)
		fn(ctx, bytes);
}

/* The line that began with ">" is no quoted one. */
static void mbox_release(struct mbox_unquote *u, mbox_bytes_fn *fn, void *ctx)
{
	fn(ctx, SLICE(">"));
	mbox_give(slice_first(mbox_from, u->matched), fn, ctx);
	u->state = MBOX_LINE_INSIDE;
}

/* One byte or more of a line whose first ">" is held back; returns how many. All ">" are
 * alike, so the others may go through at once. */
static size_t mbox_match(struct mbox_unquote *u, struct slice rest, mbox_bytes_fn *fn, void *ctx)
{
	size_t used = 0;
	while (u->matched == 0 && used < rest.len && rest.ptr[used] == '>')
		used++;
	mbox_give(slice_first(rest, used), fn, ctx);
	for (; used < rest.len && u->state == MBOX_LINE_QUOTED; used++) {
		if (rest.ptr[used] != mbox_from.ptr[u->matched]) {
			mbox_release(u, fn, ctx);
			return used;
		}
		if (++u->matched == mbox_from.len) {
			fn(ctx, mbox_from);
			u->state = MBOX_LINE_INSIDE;
		}
	}
	return used;
}

void mbox_unquote_feed(struct mbox_unquote *u, struct slice chunk, mbox_bytes_fn *fn, void *ctx)
{
	size_t given = 0, pos = 0;
	while (pos < chunk.len) {
		if (u->state == MBOX_LINE_QUOTED) {
			pos += mbox_match(u, slice_from(chunk, pos), fn, ctx);
			given = pos;
		} else if (u->state == MBOX_LINE_BEGIN && chunk.ptr[pos] == '>') {
			mbox_give(slice_between(chunk, given, pos), fn, ctx);
			given = ++pos;
			*u = (struct mbox_unquote){ .state = MBOX_LINE_QUOTED };
		} else {
			pos = slice_find_byte(chunk, pos, '\n');
			u->state = pos < chunk.len ? MBOX_LINE_BEGIN : MBOX_LINE_INSIDE;
			pos += pos < chunk.len;
		}
	}
	mbox_give(slice_between(chunk, given, pos), fn, ctx);
}

void mbox_unquote_end(struct mbox_unquote *u, mbox_bytes_fn *fn, void *ctx)
{
	if (u->state == MBOX_LINE_QUOTED)
		mbox_release(u, fn, ctx);
}
