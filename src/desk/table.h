/* SPDX-License-Identifier: Apache-2.0
 *
 * table: aligned columns that fit the terminal.
 *
 * On a terminal, columns that may shrink do so, then whole columns are left out,
 * the least important first, until a row fits. In a pipe (columns 0) nothing is
 * cut or left out. Rows are laid out in batches of TABLE_BATCH: the first batch
 * fixes the widths, so a hold with a million rows needs little memory.
 */
#ifndef QUELL_DESK_TABLE_H
#define QUELL_DESK_TABLE_H

#include "base/buf.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12, TABLE_BATCH = 500 };

struct table_column {
	const char *title;
	size_t columns_min;  /* it may shrink to this; 0: it may not shrink */
	unsigned importance; /* 0: always there; the highest goes first */
	bool is_number;      /* to the right */
};

struct table {
	FILE *out;
	const struct table_column *columns;
	size_t column_count, total_columns; /* total 0: no limit */
	bool want_colour, has_widths;
	size_t widths[TABLE_COLUMNS_MAX];   /* SIZE_MAX: left out */
	struct buf cells;                   /* safe texts, a NUL after each */
	size_t cell_count;
};

/* columns must outlive the table. */
void table_begin(struct table *t, FILE *out, const struct table_column *columns, size_t column_count,
		 size_t total_columns, bool want_colour);
/* The next cell, in reading order; made safe here. */
void table_cell(struct table *t, struct slice text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints what waits and frees. */
void table_end(struct table *t);

#endif
