/* SPDX-License-Identifier: Apache-2.0
 *
 * top_rates: who sends and gets how much, against what is usual; a table for each kind,
 * as many side by side as fit, and more of them below while there are lines.
 */
#include "desk/top_pen.h"

#include <stdio.h>

enum {
	BLOCK_COLUMNS = 50,      /* least of a table beside another */
	BLOCK_GAP = 3,
	NUMBER_COLUMNS = 8,
};

static const char *const kind_titles[RATE_KIND_COUNT] = { "CLIENT", "SENDER", "USER", "RECIPIENT", "DESTINATION",
							  "SERVER (LOG)" };

static size_t blocks_of(size_t columns)
{
	size_t blocks = (columns + BLOCK_GAP) / (BLOCK_COLUMNS + BLOCK_GAP);
	return blocks < 1 ? 1 : blocks > RATE_KIND_COUNT ? RATE_KIND_COUNT : blocks;
}

static size_t kind_at(const struct top_state *state, size_t place)
{
	return ((size_t)state->kind + place) % RATE_KIND_COUNT;
}

/* The longest of the tables that stand side by side, the first one being at this place; a
 * line that says "nothing yet". */
size_t top_rate_rows(const struct top_state *state, size_t columns, size_t place)
{
	size_t most = 1;
	for (size_t end = place + blocks_of(columns); place < end && place < RATE_KIND_COUNT; place++) {
		size_t count = state->numbers.rates[kind_at(state, place)].count;
		most = count > most ? count : most;
	}
	return most;
}

static void draw_rate_cells(struct pen *pen, enum top_look look, size_t width, const char *name, const char *now,
			    const char *usual)
{
	size_t numbers = 2 * (NUMBER_COLUMNS + 1);
	pen_cell(pen, look, name, width - numbers, false, true);
	pen_blanks(pen, 1);
	pen_cell(pen, look, now, NUMBER_COLUMNS, true, true);
	pen_blanks(pen, 1);
	pen_cell(pen, look, usual, NUMBER_COLUMNS, true, true);
}

/* Without colours an alarm is known by its mark. */
static void draw_rate_row(struct pen *pen, size_t width, const struct rate_row *row)
{
	char now[TOP_WORD_BYTES], usual[TOP_WORD_BYTES], name[RATE_NAME_BYTES + 2];
	snprintf(name, sizeof name, "%s%s", row->is_alarm ? "! " : "", row->name);
	top_rate_text(row->per_hour, now);
	if (row->usual_per_hour >= 0)
		top_rate_text(row->usual_per_hour, usual);
	draw_rate_cells(pen, row->is_alarm ? TOP_ALARM : TOP_PLAIN, width, name, now,
			row->usual_per_hour >= 0 ? usual : "not yet");
}

/* The tables side by side from this place on. */
static void draw_band(struct page *page, const struct top_state *state, size_t place, size_t rows)
{
	size_t blocks = blocks_of(page->columns);
	size_t width = (page->columns - (blocks - 1) * BLOCK_GAP) / blocks;
	for (size_t line = 0; line <= rows && !page_is_full(page); line++) {
		struct pen pen = page_line(page);
		for (size_t block = 0; block < blocks && place + block < RATE_KIND_COUNT; block++) {
			size_t kind = kind_at(state, place + block);
			const struct top_rates *rates = &state->numbers.rates[kind];
			pen_blanks(&pen, block * (width + BLOCK_GAP) - pen.used);
			if (line == 0)
				draw_rate_cells(&pen, TOP_BOLD, width, kind_titles[kind], "AN HOUR", "USUAL");
			else if (line <= rates->count)
				draw_rate_row(&pen, width, &rates->rows[line - 1]);
			else if (line == 1)
				pen_cell(&pen, TOP_PLAIN, "nothing yet", width, false, false);
		}
	}
}

/* The kinds that follow, below the first ones, while there is room. */
static void draw_more(struct page *page, const struct top_state *state)
{
	size_t blocks = blocks_of(page->columns);
	for (size_t place = blocks; place < RATE_KIND_COUNT && page->at + 3 <= page->count; place += blocks) {
		size_t rows = top_rate_rows(state, page->columns, place), room = page->count - page->at - 2;
		page->at++;
		draw_band(page, state, place, rows < room ? rows : room);
	}
}

void top_draw_rates(struct page *page, const struct top_state *state, size_t rows)
{
	draw_band(page, state, 0, rows);
	draw_more(page, state);
}
