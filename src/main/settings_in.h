/* SPDX-License-Identifier: Apache-2.0
 *
 * settings_in: what the files of main/settings*.c share, and nobody else.
 */
#ifndef QUELL_MAIN_SETTINGS_IN_H
#define QUELL_MAIN_SETTINGS_IN_H

#include "main/settings.h"

/* An empty settings struct full of defaults; NULL without memory. */
struct settings *settings_new(const char *file);

/* Adds a message; file and line (when not 0) are put before it. */
void settings_tell(struct settings_report *report, bool is_warning, const char *file, unsigned line,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Reads the bytes into settings whose values are defaults so far. */
void settings_read_yaml(struct settings *settings, struct slice yaml, struct settings_report *report);

/* Text such as "[a, b]" from a row's default, into the row's field. */
bool settings_take_list(struct settings *settings, const struct setting_row *row, void *values,
			const struct slice *items, size_t count);

/* Turns the texts into settings->is; tells what cannot be understood. */
void settings_understand(struct settings *settings, struct settings_report *report);

/* "section.name", or "name" at the top; returns out. */
enum { SETTINGS_NAME_BYTES = 128 };
const char *settings_name(const struct setting_section *section, const struct setting_row *row,
			  char out[SETTINGS_NAME_BYTES]);

#endif
