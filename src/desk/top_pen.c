/* SPDX-License-Identifier: Apache-2.0
 *
 * top_pen: text into lines, column by column. What does not fit is cut.
 */
#include "desk/top_pen.h"

#include "desk/text.h"

enum { CELL_BYTES = 4 * 1024 };

void pen_look(struct pen *pen, enum top_look look)
{
	struct top_line *line = pen->line;
	size_t last = line->mark_count;
	if (last > 0 ? line->marks[last - 1].look == look : look == TOP_PLAIN)
		return;
	if (last == TOP_MARKS_MAX)
		return;
	line->marks[last].at = line->len;
	line->marks[last].look = look;
	line->mark_count++;
}

void pen_blanks(struct pen *pen, size_t count)
{
	struct top_line *line = pen->line;
	for (; count > 0 && pen->used < pen->columns && line->len < TOP_LINE_BYTES - 1; count--, pen->used++)
		line->text[line->len++] = ' ';
	line->text[line->len] = '\0';
}

/* Whole characters only, also when many that take no column fill the line. */
void pen_add(struct pen *pen, struct slice safe)
{
	struct top_line *line = pen->line;
	for (size_t pos = 0; pos < safe.len;) {
		size_t at = pos;
		text_next(safe, &pos);
		if (line->len + pos - at > TOP_LINE_BYTES - 1)
			return;
		memcpy(line->text + line->len, safe.ptr + at, pos - at);
		line->len += pos - at;
		pen->used += text_columns(slice_between(safe, at, pos));
	}
	line->text[line->len] = '\0';
}

/* Anything from outside, made safe and cut to columns; then filled up when is_filled. */
void pen_cell(struct pen *pen, enum top_look look, const char *text, size_t columns, bool is_right,
		     bool is_filled)
{
	struct buf safe, cut;
	size_t room = pen->columns - pen->used;
	columns = columns < room ? columns : room;
	buf_init(&safe, CELL_BYTES);
	buf_init(&cut, CELL_BYTES);
	text_safe(&safe, slice_from_str(text));
	text_cut(&cut, buf_slice(&safe), columns);
	size_t width = text_columns(buf_slice(&cut)), blanks = width < columns ? columns - width : 0;
	if (is_right)
		pen_blanks(pen, blanks);
	pen_look(pen, look);
	pen_add(pen, buf_slice(&cut));
	pen_look(pen, TOP_PLAIN);
	if (!is_right && is_filled)
		pen_blanks(pen, blanks);
	buf_free(&safe);
	buf_free(&cut);
}

void pen_text(struct pen *pen, enum top_look look, const char *text)
{
	pen_cell(pen, look, text, pen->columns - pen->used, false, false);
}
