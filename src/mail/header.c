/* SPDX-License-Identifier: Apache-2.0
 *
 * header: line by line; a field ends where the next line does not begin with a
 * blank. The pending field is a range of the current chunk until the chunk runs
 * out; only then is it copied to kept.
 */
#include "mail/header.h"

enum { HEADER_KEPT_BYTES_FIRST = 1024 };

void header_begin(struct header_splitter *h, struct arena *arena, size_t field_bytes_max,
		  const struct header_hooks *hooks)
{
	*h = (struct header_splitter){ .hooks = hooks, .arena = arena,
				       .field_bytes_max = field_bytes_max };
}

void header_restart(struct header_splitter *h)
{
	struct header_splitter fresh = { .hooks = h->hooks, .arena = h->arena,
					 .field_bytes_max = h->field_bytes_max,
					 .kept = h->kept, .kept_cap = h->kept_cap };
	*h = fresh;
}

static bool header_grow(struct header_splitter *h, size_t want)
{
	size_t cap = h->kept_cap ? h->kept_cap : HEADER_KEPT_BYTES_FIRST;
	while (cap < want)
		cap *= 2;
	if (cap > h->field_bytes_max)
		cap = h->field_bytes_max;
	if (cap <= h->kept_cap)
		return true;
	char *grown = arena_alloc(h->arena, cap);
	if (!grown) {
		h->is_out_of_memory = true;
		return false;
	}
	if (h->kept_len > 0)
		memcpy(grown, h->kept, h->kept_len);
	h->kept = grown;
	h->kept_cap = cap;
	return true;
}

static void header_keep(struct header_splitter *h, struct slice piece)
{
	if (piece.len > h->kept_cap - h->kept_len)
		header_grow(h, h->kept_len + piece.len);
	struct slice fits = slice_first(piece, h->kept_cap - h->kept_len);
	if (fits.len > 0)
		memcpy(h->kept + h->kept_len, fits.ptr, fits.len);
	h->kept_len += fits.len;
	h->is_line_cut |= fits.len < piece.len;
}

static struct slice header_without_line_end(struct slice s)
{
	if (s.len > 0 && s.ptr[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.ptr[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* The length of the field name, 0 when the text is no field: printable bytes and
 * no blank, but blanks may stand before the colon (RFC 5322 4.5). */
static size_t header_name_len(struct slice field, size_t *colon_out)
{
	size_t len = 0;
	size_t i = 0;
	for (; i < field.len && field.ptr[i] != ':'; i++) {
		unsigned char c = (unsigned char)field.ptr[i];
		if (ascii_is_blank(field.ptr[i]))
			continue;
		if (c < 33 || c == 127 || len < i)
			return 0;
		len = i + 1;
	}
	*colon_out = i;
	return i < field.len ? len : 0;
}

static void header_give(const struct header_splitter *h, struct slice field)
{
	size_t colon = 0;
	field = slice_first(header_without_line_end(field), h->field_bytes_max);
	size_t name_len = header_name_len(field, &colon);
	if (name_len > 0)
		h->hooks->on_field(h->hooks->user, slice_first(field, name_len),
				   slice_from(field, colon + 1));
	else if (h->hooks->on_debris && field.len > 0)
		h->hooks->on_debris(h->hooks->user, field);
}

/* Gives out the pending field: kept, or [from, to) of the chunk. */
static void header_flush(struct header_splitter *h, struct slice chunk_part)
{
	if (h->kept_len > 0)
		header_give(h, slice_make(h->kept, h->kept_len));
	else if (chunk_part.len > 0)
		header_give(h, chunk_part);
	h->kept_len = 0;
	h->is_line_cut = false;
}

/* Is the finished line (kept's unfinished one plus tail, or tail alone) one that
 * on_dashes takes for the end? */
static bool header_is_stop(const struct header_splitter *h, struct slice tail)
{
	struct slice line = tail;
	if (!h->hooks->on_dashes || h->is_line_cut)
		return false;
	if (h->line_len > 0)
		line = slice_make(h->kept + h->line_from, h->kept_len - h->line_from);
	line = header_without_line_end(line);
	return line.len >= 2 && line.ptr[0] == '-' && line.ptr[1] == '-' &&
	       h->hooks->on_dashes(h->hooks->user, line);
}

/* One whole line, or its last part, ends at end of the chunk. True: go on. */
static bool header_take_line(struct header_splitter *h, struct slice chunk, size_t pos,
			     size_t end)
{
	struct slice line = slice_between(chunk, pos, end);
	bool is_empty = h->line_len == 0 ? line.len == 1 || (line.len == 2 && line.ptr[0] == '\r')
					 : h->is_line_cr && line.len == 1;
	if (h->kept_len > 0 || h->line_len > 0)
		header_keep(h, line);
	if (is_empty) {
		h->is_done = true;
		h->kept_len = 0;
	} else if (header_is_stop(h, line)) {
		h->is_stopped = true;
		h->kept_len = 0;
	}
	h->line_len = 0;
	h->is_line_cr = false;
	return !h->is_done && !h->is_stopped;
}

/* The chunk ends inside a line. from: where the pending field begins. */
static void header_park(struct header_splitter *h, struct slice chunk, size_t from, size_t pos)
{
	size_t line_bytes = chunk.len - pos;
	if (h->kept_len == 0 && h->line_len == 0) {
		header_keep(h, slice_between(chunk, from, pos));
		h->line_from = h->kept_len;
		header_keep(h, slice_from(chunk, pos));
	} else {
		if (h->line_len == 0)
			h->line_from = h->kept_len;
		header_keep(h, slice_from(chunk, pos));
	}
	h->is_line_cr = h->line_len == 0 && line_bytes == 1 && chunk.ptr[pos] == '\r';
	h->line_len += line_bytes;
}

size_t header_feed(struct header_splitter *h, struct slice chunk)
{
	size_t pos = 0, from = 0; /* from: the pending field, when not in kept */

	while (pos < chunk.len && !h->is_done && !h->is_stopped) {
		if (h->line_len == 0 && !ascii_is_blank(chunk.ptr[pos])) {
			header_flush(h, slice_between(chunk, from, pos));
			from = pos;
		}
		size_t end = slice_find_byte(chunk, pos, '\n');
		if (end == chunk.len) {
			header_park(h, chunk, from, pos);
			return chunk.len;
		}
		if (!header_take_line(h, chunk, pos, end + 1))
			return end + 1;
		pos = end + 1;
		if (h->kept_len > 0)
			from = pos;
	}
	if (h->kept_len == 0)
		header_keep(h, slice_between(chunk, from, pos));
	return pos;
}

void header_end(struct header_splitter *h)
{
	if (h->is_done || h->is_stopped)
		return;
	if (h->line_len > 0 && header_is_stop(h, (struct slice){ NULL, 0 })) {
		h->is_stopped = true;
		h->kept_len = h->line_from;
	}
	header_flush(h, (struct slice){ NULL, 0 });
	h->line_len = 0;
}
