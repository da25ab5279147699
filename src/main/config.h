/* SPDX-License-Identifier: Apache-2.0
 *
 * config: `quell config check|show|sample`, and the settings the desk asks for.
 *
 * It stands in main and not in desk because only main knows the rows of every
 * room. check: 0 when quelld would start with the file (warnings do not change
 * that), else 65.
 */
#ifndef QUELL_MAIN_CONFIG_H
#define QUELL_MAIN_CONFIG_H

#include "desk/desk.h"

struct settings;
struct settings_report;

extern const struct desk_command config_command;

/* One line each, harmless on a terminal; warnings say so. */
void config_print_report(FILE *out, const struct settings_report *report);

/* A host whose ctx is a struct config_host. */
struct config_host {
	struct settings *settings; /* read once, freed by config_host_free */
};
bool config_host_settings(void *ctx, const char *file, FILE *err, struct desk_settings *settings_out);
void config_host_free(struct config_host *host);

#endif
