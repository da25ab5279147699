/* SPDX-License-Identifier: Apache-2.0
 *
 * limits: the settings of the store, as rows.
 */
#include "store/store.h"

#include <stddef.h>

#define AT(field) offsetof(struct store_limits, field)
#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (24LL * 3600 * 1000)

const struct setting_row store_limit_rows[] = {
	{ .name = "bytes_max", .type = SETTING_BYTES, .offset = AT(hold_bytes_max),
	  .default_text = "1GiB", .min = MIB, .max = 1024 * GIB, .is_reloadable = true,
	  .help = "Disk space of all held mail. Past it nothing more is held: surplus is deferred, "
		  "then delivered." },
	{ .name = "copies_max", .type = SETTING_INT, .offset = AT(hold_copies_max),
	  .default_text = "1000000", .min = 1, .max = 100000000, .unit = "copies", .is_reloadable = true,
	  .help = "Held copies (mail times recipient) at most; past it as with bytes_max." },
	{ .name = "keep", .type = SETTING_SPAN, .offset = AT(hold_keep_ms), .default_text = "30d",
	  .min = DAY, .max = 3650 * DAY, .is_reloadable = true,
	  .help = "How long a held copy stays releasable. Afterwards its bytes go and a row that says "
		  "so stays; the number is logged and counted." },
	{ .name = "free_bytes_min", .type = SETTING_BYTES, .offset = AT(free_bytes_min),
	  .default_text = "256MiB", .min = 0, .max = 1024 * GIB, .is_reloadable = true,
	  .help = "Stop holding when the disk has less free than this." },
	{ .name = "incident_copies_full", .type = SETTING_INT, .offset = AT(incident_copies_full),
	  .default_text = "10000", .min = 1, .max = 100000000, .unit = "copies", .is_reloadable = true,
	  .help = "Beyond so many held copies of one incident only the newest 3 of each message and "
		  "recipient are kept whole; the others become rows that count." },
	{ .name = "decisions_max", .type = SETTING_INT, .offset = AT(decisions_max),
	  .default_text = "100000", .min = 100, .max = 100000000, .unit = "decisions",
	  .is_reloadable = true, .help = "How many of the newest decisions quell explain can find." },
	{ .name = "journal_bytes_max", .type = SETTING_BYTES, .offset = AT(journal_bytes_max),
	  .default_text = "64MiB", .min = 64 * KIB, .max = 16 * GIB, .is_reloadable = true,
	  .help = "A snapshot of the state is taken when the journal has grown past this." },
	{ .name = "snapshot_every", .type = SETTING_SPAN, .offset = AT(snapshot_every_ms),
	  .default_text = "5m", .min = 1000, .max = DAY, .is_reloadable = true,
	  .help = "A snapshot of the state is taken at least this often while mail flows." },
};
const size_t store_limit_row_count = sizeof store_limit_rows / sizeof store_limit_rows[0];

void store_limits_default(struct store_limits *limits_out)
{
	char why[200];
	*limits_out = (struct store_limits){ 0 };
	for (size_t i = 0; i < store_limit_row_count; i++)
		setting_parse(&store_limit_rows[i], store_limit_rows[i].default_text, limits_out, why,
			      sizeof why);
}
