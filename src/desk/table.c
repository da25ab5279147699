/* SPDX-License-Identifier: Apache-2.0
 *
 * table: cells are kept one behind the other in one buffer until a batch is full.
 */
#include "desk/table.h"

#include "desk/text.h"

#include <stdarg.h>

enum { TABLE_CELLS_BYTES_MAX = 16 * 1024 * 1024, TABLE_CELL_BYTES_MAX = 8 * 1024, TABLE_GAP = 2 };

void table_begin(struct table *t, FILE *out, const struct table_column *columns, size_t column_count,
		 size_t total_columns, bool want_colour)
{
	*t = (struct table){ .out = out, .columns = columns, .column_count = column_count,
			     .total_columns = total_columns, .want_colour = want_colour };
	buf_init(&t->cells, TABLE_CELLS_BYTES_MAX);
}

static bool table_has(const struct table *t, size_t column)
{
	return t->widths[column] != SIZE_MAX;
}

static size_t table_width(const struct table *t)
{
	size_t sum = 0;
	for (size_t i = 0; i < t->column_count; i++)
		if (table_has(t, i))
			sum += t->widths[i] + (sum ? TABLE_GAP : 0);
	return sum;
}

/* Takes columns from the widest that may still shrink. False when none may. */
static bool table_shrink(struct table *t)
{
	size_t widest = SIZE_MAX;
	for (size_t i = 0; i < t->column_count; i++) {
		bool may = table_has(t, i) && t->columns[i].columns_min > 0 && t->widths[i] > t->columns[i].columns_min;
		if (may && (widest == SIZE_MAX || t->widths[i] > t->widths[widest]))
			widest = i;
	}
	if (widest == SIZE_MAX)
		return false;
	t->widths[widest]--;
	return true;
}

static bool table_leave_out(struct table *t)
{
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < t->column_count; i++)
		if (table_has(t, i) && t->columns[i].importance > 0 &&
		    (least == SIZE_MAX || t->columns[i].importance > t->columns[least].importance))
			least = i;
	if (least == SIZE_MAX)
		return false;
	t->widths[least] = SIZE_MAX;
	return true;
}

/* Would it fit if all that may shrink had shrunk? */
static bool table_could_fit(const struct table *t)
{
	size_t sum = 0;
	for (size_t i = 0; i < t->column_count; i++) {
		size_t min = t->columns[i].columns_min;
		if (table_has(t, i))
			sum += (min && min < t->widths[i] ? min : t->widths[i]) + (sum ? TABLE_GAP : 0);
	}
	return sum <= t->total_columns;
}

static struct slice table_next_cell(struct slice *rest)
{
	struct slice cell = { 0 };
	if (!slice_next(rest, '\0', &cell))
		return slice_make(NULL, 0);
	return cell;
}

static void table_measure(struct table *t)
{
	struct slice rest = buf_slice(&t->cells);
	for (size_t i = 0; i < t->column_count; i++)
		t->widths[i] = text_columns(slice_from_str(t->columns[i].title));
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t width = text_columns(table_next_cell(&rest)), *max = &t->widths[i % t->column_count];
		*max = width > *max ? width : *max;
	}
	t->has_widths = true;
	if (t->total_columns == 0)
		return;
	while (!table_could_fit(t) && table_leave_out(t))
		;
	while (table_width(t) > t->total_columns && table_shrink(t))
		;
}

static void table_blanks(const struct table *t, size_t count)
{
	fprintf(t->out, "%*s", (int)count, "");
}

/* blanks: what is still to be written before this cell. */
static void table_print_cell(const struct table *t, size_t column, struct slice text, size_t *blanks)
{
	struct buf cut;
	size_t width = t->widths[column];
	buf_init(&cut, TABLE_CELL_BYTES_MAX);
	if (t->total_columns)
		text_cut(&cut, text, width);
	else
		buf_add(&cut, text);
	size_t used = text_columns(buf_slice(&cut)), pad = used < width ? width - used : 0;
	bool is_number = t->columns[column].is_number;
	table_blanks(t, *blanks + (is_number ? pad : 0));
	fwrite(cut.ptr ? cut.ptr : "", 1, cut.len, t->out);
	*blanks = TABLE_GAP + (is_number ? 0 : pad); /* so no line ends in blanks */
	buf_free(&cut);
}

static void table_print_titles(const struct table *t)
{
	size_t blanks = 0;
	fputs(t->want_colour ? "\x1b[1m" : "", t->out);
	for (size_t i = 0; i < t->column_count; i++)
		if (table_has(t, i))
			table_print_cell(t, i, slice_from_str(t->columns[i].title), &blanks);
	fputs(t->want_colour ? "\x1b[0m\n" : "\n", t->out);
}

static void table_print(struct table *t)
{
	struct slice rest = buf_slice(&t->cells);
	if (!t->has_widths) {
		table_measure(t);
		table_print_titles(t);
	}
	size_t blanks = 0;
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t column = i % t->column_count;
		struct slice cell = table_next_cell(&rest);
		if (table_has(t, column))
			table_print_cell(t, column, cell, &blanks);
		if (column + 1 < t->column_count)
			continue;
		fputc('\n', t->out);
		blanks = 0;
	}
	t->cell_count = 0;
	buf_reset(&t->cells);
}

void table_cell(struct table *t, struct slice text)
{
	size_t before = t->cells.len;
	text_safe(&t->cells, slice_first(text, TABLE_CELL_BYTES_MAX / 8));
	if (!buf_add_byte(&t->cells, '\0')) {
		t->cells.is_over = false; /* no room: an empty cell keeps the columns straight */
		t->cells.len = before;
		if (!buf_add_byte(&t->cells, '\0'))
			return;
	}
	t->cell_count++;
	if (t->cell_count == TABLE_BATCH * t->column_count)
		table_print(t);
}

void table_cellf(struct table *t, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	table_cell(t, slice_from_str(text));
}

void table_end(struct table *t)
{
	table_print(t);
	buf_free(&t->cells);
}
