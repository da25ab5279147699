/* SPDX-License-Identifier: Apache-2.0
 *
 * main_settings: any bytes as a settings file. Either settings or at least one
 * message; every message is one printable line; what was taken can be shown, and
 * what is shown is taken again and says the same.
 */
#include "main/settings.h"

#include "desk/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_messages(const struct settings_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		for (const char *c = report->messages[i].text; *c; c++)
			if (*c < ' ' || *c > '~')
				abort();
}

static void check_shown(const struct settings *s)
{
	static struct settings_report report;
	struct buf shown, differences;
	buf_init(&shown, 16 * 1024 * 1024);
	buf_init(&differences, 64 * 1024);
	if (settings_show(s, &shown) && shown.len < SETTINGS_FILE_BYTES_MAX) {
		struct settings *again = settings_read(buf_slice(&shown), "shown", &report);
		if (!again)
			abort();
		settings_compare(s, again, &differences, &differences);
		if (differences.len > 0)
			abort();
		settings_free(again);
	}
	buf_free(&shown);
	buf_free(&differences);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct settings_report report;
	struct settings *s = settings_read(slice_make(bytes ? data : NULL, bytes), "fuzz.yaml", &report);
	if (!s != (report.errors > 0))
		abort();
	check_messages(&report);
	if (s)
		check_shown(s);
	settings_free(s);
	return 0;
}
