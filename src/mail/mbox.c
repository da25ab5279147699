/* SPDX-License-Identifier: Apache-2.0
 *
 * mbox: see mbox.h. Only lines that begin with "F", ">" or are empty are looked
 * at; all others go through in runs.
 */
#include "mail/mbox.h"

void mbox_begin(struct mbox *m, enum mbox_dialect dialect, const struct mbox_hooks *hooks)
{
	*m = (struct mbox){ .hooks = hooks, .dialect = dialect, .is_after_empty = true };
}

/* The empty line held back is the mail's after all. */
static void mbox_release(struct mbox *m)
{
	if (m->is_in_mail && m->held_len > 0)
		m->hooks->on_bytes(m->hooks->user, slice_make(m->held, m->held_len));
	m->held_len = 0;
}

static void mbox_give(struct mbox *m, struct slice s)
{
	mbox_release(m);
	if (m->is_in_mail && s.len > 0)
		m->hooks->on_bytes(m->hooks->user, s);
}

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

static size_t mbox_quotes(struct slice line)
{
	size_t quotes = 0;
	while (quotes < line.len && line.ptr[quotes] == '>')
		quotes++;
	return quotes;
}

/* A line beginning with F, > or nothing is whole (or too long to matter). */
static void mbox_settle_line(struct mbox *m, uint64_t offset)
{
	struct slice line = slice_make(m->line, m->line_len);
	struct slice bare = slice_trim(line);
	bool is_ended = line.ptr[line.len - 1] == '\n';
	size_t quotes = mbox_quotes(line);

	m->line_len = 0;
	m->is_line_inside = !is_ended;
	if (bare.len == 0 && line.len <= 2) {
		mbox_release(m); /* two in a row: the first is text */
		memcpy(m->held, line.ptr, line.len);
		m->held_len = line.len;
		m->is_after_empty = true;
		return;
	}
	if (m->is_after_empty && mbox_starts(line, SLICE("From ")) && mbox_has_clock(line)) {
		if (m->is_in_mail)
			m->hooks->on_end(m->hooks->user);
		m->held_len = 0;
		m->is_in_mail = true;
		m->hooks->on_begin(m->hooks->user, bare, offset);
		m->is_after_empty = false;
		return;
	}
	m->is_after_empty = false;
	bool is_quoted = quotes > 0 && mbox_starts(slice_from(line, quotes), SLICE("From ")) &&
			 (m->dialect == MBOX_RD || (m->dialect == MBOX_O && quotes == 1));
	mbox_give(m, slice_from(line, is_quoted));
}

/* Takes the bytes of a line into m->line; returns how many. */
static size_t mbox_take_line(struct mbox *m, struct slice rest)
{
	size_t end = slice_find_byte(rest, 0, '\n');
	size_t want = end < rest.len ? end + 1 : end;
	size_t room = sizeof m->line - m->line_len;
	size_t take = want < room ? want : room;
	memcpy(m->line + m->line_len, rest.ptr, take);
	m->line_len += take;
	if (m->line[m->line_len - 1] == '\n' || m->line_len == sizeof m->line)
		mbox_settle_line(m, m->offset + take - m->line_len);
	return take;
}

void mbox_feed(struct mbox *m, struct slice chunk)
{
	while (chunk.len > 0) {
		char c = chunk.ptr[0];
		size_t used;
		bool is_telling = c == 'F' || c == '>' || c == '\n' || c == '\r';
		bool is_interesting = m->line_len > 0 || (!m->is_line_inside && is_telling);
		if (is_interesting) {
			used = mbox_take_line(m, chunk);
		} else {
			used = slice_find_byte(chunk, 0, '\n');
			m->is_line_inside = used == chunk.len;
			used += used < chunk.len;
			m->is_after_empty = false;
			mbox_give(m, slice_first(chunk, used));
		}
		m->offset += used;
		chunk = slice_from(chunk, used);
	}
}

void mbox_end(struct mbox *m)
{
	if (m->line_len > 0)
		mbox_settle_line(m, m->offset - m->line_len);
	if (m->is_in_mail)
		m->hooks->on_end(m->hooks->user);
	m->is_in_mail = false;
}
