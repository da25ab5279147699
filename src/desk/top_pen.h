/* SPDX-License-Identifier: Apache-2.0
 *
 * top_pen: how the files that draw quell top write a line. Private to them.
 *
 * A pen never leaves its columns and never fills more than TOP_LINE_BYTES; whatever it is
 * given is made safe first, but for pen_add.
 */
#ifndef QUELL_DESK_TOP_PEN_H
#define QUELL_DESK_TOP_PEN_H

#include "desk/top.h"

struct pen {
	struct top_line *line;
	size_t used, columns;
};

/* What follows has this look. */
void pen_look(struct pen *pen, enum top_look look);
void pen_blanks(struct pen *pen, size_t count);
/* Safe already, and not too wide. */
void pen_add(struct pen *pen, struct slice safe);
/* Anything, cut to columns; is_filled: blanks behind it up to these. */
void pen_cell(struct pen *pen, enum top_look look, const char *text, size_t columns, bool is_right, bool is_filled);
/* Anything, up to the end of the line. */
void pen_text(struct pen *pen, enum top_look look, const char *text);

/* The lines of a screen, the next free one at at. */
struct page {
	struct top_line *lines;
	size_t at, count, columns;
};

static inline bool page_is_full(const struct page *page)
{
	return page->at >= page->count;
}

/* Needs a page that is not full. */
static inline struct pen page_line(struct page *page)
{
	return (struct pen){ .line = &page->lines[page->at++], .columns = page->columns };
}

/* top_rates.c: rows wanted by the tables that stand side by side, the first one being at
 * this place; then all tables, so many rows for the first ones, the others in what is left. */
size_t top_rate_rows(const struct top_state *state, size_t columns, size_t place);
void top_draw_rates(struct page *page, const struct top_state *state, size_t rows);

#endif
