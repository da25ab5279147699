/* SPDX-License-Identifier: Apache-2.0
 *
 * top_text: words and numbers of quell top, and the snapshot for a pipe.
 */
#include "base/clock.h"
#include "desk/table.h"
#include "desk/text.h"
#include "desk/top.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *top_rate_text(double value, char out[TOP_WORD_BYTES])
{
	static const char units[] = "kMGTPE";
	char number[TEXT_NUMBER_BYTES];
	value = value > 0 ? value : 0;
	value = value < 2e19 ? value : 2e19;
	if (value < 9.95) {
		snprintf(out, TOP_WORD_BYTES, value == (double)(int)value ? "%.0f" : "%.1f", value);
		return out;
	}
	if (value < 99999.5) {
		snprintf(out, TOP_WORD_BYTES, "%s", text_number((uint64_t)(value + .5), number));
		return out;
	}
	size_t unit = 0;
	for (value /= 1000; value >= 999.5 && unit + 2 < sizeof units; value /= 1000)
		unit++;
	snprintf(out, TOP_WORD_BYTES, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return out;
}

const char *top_span_text(int64_t span_ms, char out[TOP_WORD_BYTES])
{
	static const struct {
		int64_t below_ms, unit_ms;
		const char *unit;
	} rows[] = {
		{ 100 * CLOCK_SECOND_MS, CLOCK_SECOND_MS, "s" },
		{ 100 * CLOCK_MINUTE_MS, CLOCK_MINUTE_MS, "min" },
		{ 48 * CLOCK_HOUR_MS, CLOCK_HOUR_MS, "h" },
		{ INT64_MAX, CLOCK_DAY_MS, "d" },
	};
	size_t i = 0;
	span_ms = span_ms > 0 ? span_ms : 0;
	while (span_ms >= rows[i].below_ms && rows[i].below_ms < INT64_MAX)
		i++;
	snprintf(out, TOP_WORD_BYTES, "%" PRId64 " %s", span_ms / rows[i].unit_ms, rows[i].unit);
	return out;
}

const char *top_class_text(const char *cls, char out[TOP_WORD_BYTES])
{
	static const char *const tails[] = { "-flood", "-storm" };
	size_t len = strlen(cls);
	for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		size_t tail = strlen(tails[i]);
		if (len > tail && strcmp(cls + len - tail, tails[i]) == 0)
			len -= tail;
	}
	snprintf(out, TOP_WORD_BYTES, "%.*s", (int)len, cls);
	return out;
}

/* --- the counters ---------------------------------------------------------------- */

struct fields {
	struct top_field *rows;
	size_t count;
};

__attribute__((format(printf, 3, 4))) static void field(struct fields *f, enum top_look look, const char *format, ...)
{
	va_list args;
	if (f->count == TOP_FIELDS_MAX)
		return;
	va_start(args, format);
	f->rows[f->count].look = look;
	vsnprintf(f->rows[f->count].text, TOP_FIELD_BYTES, format, args);
	va_end(args);
	f->count++;
}

size_t top_fields(const struct top_numbers *n, struct top_field fields_out[TOP_FIELDS_MAX])
{
	static const struct {
		const char *name;
		enum top_look look; /* when there is any */
	} deeds[DEED_COUNT] = { { "passed", TOP_PLAIN }, { "tagged", TOP_WARN }, { "deferred", TOP_WARN },
				{ "held", TOP_WARN }, { "suppressed", TOP_WARN } };
	char number[TEXT_NUMBER_BYTES], size[TEXT_NUMBER_BYTES], rate[TOP_WORD_BYTES], span[TOP_WORD_BYTES];
	struct fields f = { .rows = fields_out };
	field(&f, TOP_PLAIN, "mails %s", text_number(n->mails, number));
	for (size_t i = 0; i < DEED_COUNT; i++)
		field(&f, n->per_second[i] > 0 ? deeds[i].look : TOP_PLAIN, "%s %s/s", deeds[i].name,
		      top_rate_text(n->per_second[i], rate));
	field(&f, n->breakers_open ? TOP_ALARM : TOP_PLAIN, "breakers open %s",
	      text_number(n->breakers_open, number));
	field(&f, TOP_PLAIN, "hold %s, %s", text_number(n->hold_copies, number), text_size(n->hold_bytes, size));
	if (n->release_jobs)
		field(&f, TOP_PLAIN, "releases %s", text_number(n->release_jobs, number));
	field(&f, TOP_PLAIN, "released %s", text_number(n->release_sent, number));
	if (n->is_relay_away)
		field(&f, TOP_ALARM, "relay away");
	if (n->is_connector) {
		field(&f, TOP_PLAIN, "waiting %s", text_number(n->waiting, number));
		field(&f, TOP_PLAIN, "delivered %s", text_number(n->delivered, number));
		field(&f, n->quarantine ? TOP_WARN : TOP_PLAIN, "quarantine %s", text_number(n->quarantine, number));
	}
	uint64_t up_s = n->uptime_s < UINT32_MAX ? n->uptime_s : UINT32_MAX;
	field(&f, TOP_PLAIN, "up %s", top_span_text((int64_t)up_s * CLOCK_SECOND_MS, span));
	return f.count;
}

/* --- the snapshot ------------------------------------------------------------------ */

static const struct table_column incident_columns[] = {
	{ "INCIDENT", 0, 0, false }, { "STATE", 0, 0, false },  { "CLASS", 0, 5, false },
	{ "COPIES", 0, 4, true },    { "SURPLUS", 0, 2, true }, { "WITHHELD", 0, 1, true },
	{ "DEFERRED", 0, 6, true },  { "LAST SEEN", 0, 3, false }, { "FROM", 10, 7, false },
	{ "SUBJECT", 8, 0, false },
};

static void print_incidents(struct desk *desk, const struct top_numbers *n)
{
	struct table table;
	char number[TEXT_NUMBER_BYTES], when[TEXT_TIME_BYTES];
	if (n->incident_count == 0) {
		fputs("\nNo incident.\n", desk->out);
		return;
	}
	desk_say(desk, "\nIncidents: %s not closed", text_number(n->incidents_live, number));
	table_begin(&table, desk->out, incident_columns, sizeof incident_columns / sizeof incident_columns[0],
		    desk->columns, desk->want_colour);
	for (size_t i = 0; i < n->incident_count; i++) {
		const struct top_incident *in = &n->incidents[i];
		const uint64_t counts[] = { in->copies, in->surplus, in->held + in->suppressed, in->deferred };
		table_cell(&table, slice_from_str(in->id));
		table_cell(&table, slice_from_str(in->state));
		table_cell(&table, slice_from_str(in->cls));
		for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
			table_cell(&table, slice_from_str(text_number(counts[k], number)));
		table_cell(&table, slice_from_str(text_time(in->last_ms, when)));
		table_cell(&table, slice_from_str(in->from[0] ? in->from : "-"));
		table_cell(&table, slice_from_str(in->subject[0] ? in->subject : "-"));
	}
	table_end(&table);
}

static const struct table_column rate_columns[] = {
	{ "KIND", 0, 1, false },
	{ "NAME", 12, 0, false },
	{ "AN HOUR", 0, 0, true },
	{ "USUAL", 0, 0, true },
	{ "ALARM", 0, 0, false },
};

static void print_rates(struct desk *desk, const struct top_numbers *n)
{
	struct table table;
	char rate[TOP_WORD_BYTES];
	size_t all = 0;
	for (size_t kind = 0; kind < RATE_KIND_COUNT; kind++)
		all += n->rates[kind].count;
	if (all == 0)
		return;
	fputc('\n', desk->out);
	table_begin(&table, desk->out, rate_columns, sizeof rate_columns / sizeof rate_columns[0], desk->columns,
		    desk->want_colour);
	for (size_t kind = 0; kind < RATE_KIND_COUNT; kind++)
		for (size_t i = 0; i < n->rates[kind].count; i++) {
			const struct rate_row *row = &n->rates[kind].rows[i];
			table_cell(&table, slice_from_str(rate_kind_name((enum rate_kind)kind)));
			table_cell(&table, slice_from_str(row->name));
			table_cell(&table, slice_from_str(top_rate_text(row->per_hour, rate)));
			table_cell(&table, slice_from_str(row->usual_per_hour < 0
								  ? "not yet"
								  : top_rate_text(row->usual_per_hour, rate)));
			table_cell(&table, slice_from_str(row->is_alarm ? "alarm" : "-"));
		}
	table_end(&table);
}

void top_print(struct desk *desk, const struct top_numbers *n)
{
	struct top_field fields[TOP_FIELDS_MAX];
	struct buf line;
	char when[TEXT_TIME_BYTES];
	size_t count = top_fields(n, fields);
	buf_init(&line, 8 * 1024);
	buf_addf(&line, "%s, mode %s, confirm: %s\n", text_time(n->time_ms, when), n->mode, n->confirm);
	for (size_t i = 0; i < count; i++)
		buf_addf(&line, "%s%s", i ? ", " : "", fields[i].text);
	desk_wrap(desk, 2, "%s", buf_str(&line));
	buf_free(&line);
	print_incidents(desk, n);
	print_rates(desk, n);
}
