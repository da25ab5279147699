/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch_import: any bytes as an old settings file. What is written is printable, holds
 * no marked password, and unless it says "# OPEN:" it passes the check of the settings.
 */
#include "fetch/import.h"
#include "main/settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef bool import_fn(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
		       struct import_count *count_out);

static void check_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '\n' && (s.ptr[i] < ' ' || s.ptr[i] > '~'))
			abort();
}

static void check_settings(struct slice yaml, unsigned accounts)
{
	static struct settings_report report;
	if (slice_find_nocase(yaml, 0, SLICE("# OPEN: ")) < yaml.len)
		return;
	struct settings *s = settings_read(yaml, "made", &report);
	if (!s || s->account_count != accounts)
		abort();
	settings_free(s);
}

static void check_import(import_fn *fn, struct slice text)
{
	struct buf settings, warnings;
	struct import_count count;
	buf_init(&settings, SETTINGS_FILE_BYTES_MAX);
	buf_init(&warnings, 4 * 1024 * 1024);
	if (fn(text, "old.rc", &settings, &warnings, &count)) {
		check_printable(buf_slice(&settings));
		check_printable(buf_slice(&warnings));
		check_settings(buf_slice(&settings), count.accounts);
	}
	buf_free(&settings);
	buf_free(&warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct slice text = slice_make(bytes ? data : NULL, bytes);
	check_import(import_fetchmailrc, text);
	check_import(import_getmailrc, text);
	return 0;
}
