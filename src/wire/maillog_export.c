/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_export: records of "journalctl -o export", each made the line that syslog would have
 * written. A record is lines "FIELD=value" in any order, and an empty line behind it; the
 * fields that matter wait in the reader's memory, each at its place. Too long ones are cut.
 * Fields with binary values (a message of several lines) are passed over.
 */
#include "wire/maillog_inside.h"

/* Where things stand in the scratch: sizes, fields, and the line made of them. */
enum {
	EXPORT_TIME_AT = 64, EXPORT_HOST_AT = 128, EXPORT_PROGRAM_AT = 384, EXPORT_MESSAGE_AT = 640,
	EXPORT_LINE_AT = MAILLOG_SCRATCH_BYTES / 2,
	EXPORT_LINE_EXTRA = 640, /* all but the message, and what stands in between */
};
enum { EXPORT_LINES_MAX = 200 }; /* of a record; what goes on is none, or has lost its end */
enum { EXPORT_TIME, EXPORT_HOST, EXPORT_PROGRAM, EXPORT_MESSAGE, EXPORT_FIELDS };

static const struct export_field {
	struct slice name;
	unsigned at, bytes;
} fields[EXPORT_FIELDS] = {
	[EXPORT_TIME] = { { "__REALTIME_TIMESTAMP=", 21 }, EXPORT_TIME_AT, EXPORT_HOST_AT - EXPORT_TIME_AT },
	[EXPORT_HOST] = { { "_HOSTNAME=", 10 }, EXPORT_HOST_AT, EXPORT_PROGRAM_AT - EXPORT_HOST_AT },
	[EXPORT_PROGRAM] = { { "SYSLOG_IDENTIFIER=", 18 }, EXPORT_PROGRAM_AT, EXPORT_MESSAGE_AT - EXPORT_PROGRAM_AT },
	[EXPORT_MESSAGE] = { { "MESSAGE=", 8 }, EXPORT_MESSAGE_AT,
			     MAILLOG_SCRATCH_BYTES / 2 - EXPORT_LINE_EXTRA - EXPORT_MESSAGE_AT },
};

static void export_sizes(const struct maillog_reader *r, unsigned *sizes)
{
	memcpy(sizes, r->scratch, EXPORT_FIELDS * sizeof *sizes);
}

static void export_keep(struct maillog_reader *r, unsigned field, struct slice value)
{
	unsigned sizes[EXPORT_FIELDS];
	value = slice_first(value, fields[field].bytes);
	export_sizes(r, sizes);
	sizes[field] = (unsigned)value.len;
	memcpy(r->scratch, sizes, sizeof sizes);
	if (value.len > 0)
		memcpy(r->scratch + fields[field].at, value.ptr, value.len);
}

static struct slice export_value(const struct maillog_reader *r, unsigned field)
{
	unsigned sizes[EXPORT_FIELDS];
	export_sizes(r, sizes);
	return slice_make(r->scratch + fields[field].at, sizes[field]);
}

/* "1133860803.123456 host program: message"; the journal counts microseconds. */
static struct slice export_line(struct maillog_reader *r)
{
	enum { MICROSECOND_DIGITS = 6 };
	struct slice time = export_value(r, EXPORT_TIME);
	if (time.len <= MICROSECOND_DIGITS)
		return slice_make(NULL, 0);
	size_t seconds = time.len - MICROSECOND_DIGITS;
	r->scratch_used = EXPORT_LINE_AT;
	struct slice line = maillog_keep(r, slice_first(time, seconds));
	maillog_keep(r, SLICE("."));
	maillog_keep(r, slice_from(time, seconds));
	maillog_keep(r, SLICE(" "));
	maillog_keep(r, export_value(r, EXPORT_HOST));
	maillog_keep(r, SLICE(" "));
	maillog_keep(r, export_value(r, EXPORT_PROGRAM));
	maillog_keep(r, SLICE(": "));
	maillog_keep(r, export_value(r, EXPORT_MESSAGE));
	return slice_make(line.ptr, r->scratch_used - EXPORT_LINE_AT);
}

bool maillog_export(struct maillog_reader *r, struct slice line, struct slice *line_out)
{
	static const unsigned no_sizes[EXPORT_FIELDS] = { 0 };
	bool is_begin = maillog_starts(line, SLICE("__CURSOR="));
	if (!is_begin && r->separator != '=')
		return false;
	*line_out = slice_make(NULL, 0);
	if (is_begin) {
		r->separator = '=';
		r->columns[0] = EXPORT_LINES_MAX;
		memcpy(r->scratch, no_sizes, sizeof no_sizes);
	} else if (line.len == 0) {
		r->separator = '\0';
		*line_out = export_line(r);
	} else if (--r->columns[0] == 0) {
		r->separator = '\0';
	}
	for (unsigned i = 0; i < EXPORT_FIELDS; i++)
		if (maillog_skip(&line, fields[i].name))
			export_keep(r, i, line);
	return true;
}
