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

/* Its rows' defaults into a section's struct. */
bool settings_default_section(struct settings *settings, const struct setting_section *section);

enum { SETTINGS_NAME_BYTES = 128 };

/* A new account with its defaults; line: of its label. False without memory. */
bool settings_add_account(struct settings *settings, struct slice label, unsigned line);
/* The account's rows as a section "accounts.LABEL"; name holds the name. */
struct setting_section settings_account_section(const struct settings *settings, size_t account,
						char name[SETTINGS_NAME_BYTES]);
struct settings_line *settings_account_line(const struct settings *settings, size_t account, size_t row);
/* Tells what is wrong with section fetch and the accounts as a whole. */
void settings_check_accounts(struct settings *settings, struct settings_report *report);
void settings_compare_accounts(const struct settings *now, const struct settings *fresh, struct buf *changed_out,
			       struct buf *fixed_out);
/* Adds those of a section that differ. */
void settings_compare_section(const struct setting_section *now, const void *fresh_values, struct buf *changed_out,
			      struct buf *fixed_out);
void settings_warn_accounts(const struct settings *settings, const char *file, struct settings_report *report);

/* Turns the texts into settings->is; tells what cannot be understood. */
void settings_understand(struct settings *settings, struct settings_report *report);

/* "section.name", or "name" at the top; returns out. */
const char *settings_name(const struct setting_section *section, const struct setting_row *row,
			  char out[SETTINGS_NAME_BYTES]);

#endif
