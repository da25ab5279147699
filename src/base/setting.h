/* SPDX-License-Identifier: Apache-2.0
 *
 * setting: one row per setting, declared once, in the room that obeys it.
 *
 * A room that has settings has a plain struct for them and a table of rows that
 * say where in the struct the value goes. Everything else is made from the rows:
 * the reader and its checks, `quell config sample`, the manual page.
 *
 * Values in memory: BOOL bool; INT int64_t; SPAN int64_t milliseconds; BYTES
 * int64_t; TEXT, PATH, CHOICE const char * (owned by the settings, never NULL,
 * "" when unset); LIST struct setting_list.
 */
#ifndef QUELL_BASE_SETTING_H
#define QUELL_BASE_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
	SETTING_BOOL,   /* true false (yes, no, on, off too) */
	SETTING_INT,    /* decimal, no leading zero */
	SETTING_SPAN,   /* "15m", "6h", "500ms", "30s", "3d" */
	SETTING_BYTES,  /* "1GiB", "256MiB", "64KiB", "4096" */
	SETTING_TEXT,
	SETTING_PATH,   /* absolute */
	SETTING_CHOICE, /* one of the words in choices */
	SETTING_LIST,   /* YAML list of texts */
};

struct setting_list {
	const char *const *items;
	size_t count;
};

struct setting_row {
	const char *name;          /* as written in the file, within its section */
	enum setting_type type;
	size_t offset;             /* of the field in the room's struct */
	const char *default_text;  /* as one would write it in the file */
	int64_t min, max;          /* INT, SPAN (ms), BYTES; both 0: no range. LIST: max items; 0: 256 */
	const char *choices;       /* CHOICE: "observe|guard" */
	const char *unit;          /* for people: "messages", "recipients"; or NULL */
	bool is_reloadable;
	bool is_secret;            /* the value is never shown or logged */
	bool may_map;              /* LIST: may be written as a mapping; "key: value" gives "key = value" */
	const char *help;          /* one or two sentences */
};

/* A table that gathers: the rows of one section of the file ("" is the top). */
struct setting_section {
	const char *name;
	const struct setting_row *rows;
	size_t row_count;
	void *values; /* the room's struct that the rows point into */
};

/* One value from its text, checked against its row. On trouble false and what
 * was expected, in words, in why (never more than why_bytes). TEXT, PATH and
 * CHOICE point into text, which must outlive the struct. LIST is not handled
 * here: each item is taken as it stands. */
bool setting_parse(const struct setting_row *row, const char *text, void *values,
		   char *why, size_t why_bytes);
/* The value as one would write it in the file; SPAN and BYTES in the largest
 * whole unit. is_secret gives "********". */
void setting_print(const struct setting_row *row, const void *values, char *out, size_t out_bytes);

#endif
