/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_text: the report of `quell watch` for people, and its lines as it goes on.
 */
#include "desk/table.h"
#include "desk/text.h"
#include "desk/watch_report.h"

enum { WATCH_STORY_BYTES = 256 * 1024 };

/* ---- as it happens ---- */

void watch_text_incident(struct desk *desk, const struct incident *incident)
{
	char when[TEXT_TIME_BYTES], copies[TEXT_NUMBER_BYTES], recipients[TEXT_NUMBER_BYTES];
	desk_say(desk, "%s  %s %s is %s: %s mails, %s recipients, from %s%s%s%s%s%s",
		 text_time(incident->last_ms, when), storm_class_name(incident->cls), incident->id,
		 breaker_name(incident->state), text_number(incident->copies, copies),
		 text_number(incident->recipients, recipients), incident->from[0] ? incident->from : "<>",
		 incident->subject[0] ? ", \"" : "", incident->subject, incident->subject[0] ? "\"" : "",
		 incident->opener[0] ? "; " : "", incident->opener);
	fflush(desk->out);
}

void watch_text_rate(struct desk *desk, const struct rate_alarm *alarm)
{
	char when[TEXT_TIME_BYTES];
	desk_say(desk, "%s  %s: %s %s: %s", text_time(alarm->now_ms, when),
		 alarm->is_over ? "usual again" : "unusual activity", rate_kind_name(alarm->kind), alarm->name,
		 alarm->why);
	fflush(desk->out);
}

/* ---- the report ---- */

static void tell_source(struct desk *desk, const struct watch *watch, int source)
{
	struct watch_source_counts c;
	char lines[TEXT_NUMBER_BYTES], known[TEXT_NUMBER_BYTES], unknown[TEXT_NUMBER_BYTES],
		first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES], number[TEXT_NUMBER_BYTES];
	watch_source_counts(watch, source, &c);
	desk_wrap(desk, 2, "%s: %s, %s lines, %s understood, %s without facts, %s to %s", c.name,
		  c.format == MAILLOG_UNKNOWN ? "format unknown" : maillog_format_name(c.format),
		  text_number(c.lines, lines), text_number(c.understood, known), text_number(c.unknown, unknown),
		  text_time(c.first_ms, first), text_time(c.last_ms, last));
	if (c.too_long > 0)
		desk_wrap(desk, 4, "  %s lines were longer than 1 MiB and were cut", text_number(c.too_long, number));
	if (c.backwards > 0)
		desk_wrap(desk, 4, "  %s lines ran more than a minute backwards", text_number(c.backwards, number));
	for (int i = 0; i < WATCH_SAMPLES && c.samples[i]; i++)
		desk_wrap(desk, 8, "  such as: %s", c.samples[i]);
}

static void tell_counts(struct desk *desk, const struct watch_counts *c)
{
	static const struct table_column columns[] = { { "IN ALL", 0, 0, false },
						       { "COUNT", 0, 0, true },
						       { "MEANING", 12, 1, false } };
	const struct {
		const char *name, *meaning;
		uint64_t value;
		bool is_always;
	} rows[] = {
		{ "mails", "queue files", c->mails, true },
		{ "passes", "of these, again the same mail, back from a filter of its own server", c->passes, false },
		{ "echoes", "besides, the same mails once more, as Dovecot stored them", c->echoes, false },
		{ "sent", "recipients: delivered or handed on", c->sent, true },
		{ "deferred", "recipients: to be tried again, as far as the log goes", c->deferred, true },
		{ "bounced", "recipients: given up", c->bounced, true },
		{ "rejected", "refused before they were queued", c->rejected, true },
		{ "evicted", "mails forgotten before their end, for want of room", c->evicted, false },
	};
	struct table table;
	char number[TEXT_NUMBER_BYTES];
	table_begin(&table, desk->out, columns, sizeof columns / sizeof columns[0], desk->columns,
		    desk->want_colour);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!rows[i].is_always && rows[i].value == 0)
			continue;
		table_cell(&table, slice_from_str(rows[i].name));
		table_cell(&table, slice_from_str(text_number(rows[i].value, number)));
		table_cell(&table, slice_from_str(rows[i].meaning));
	}
	table_end(&table);
}

static void tell_incident(struct desk *desk, const struct incident *incident)
{
	struct buf words;
	buf_init(&words, WATCH_STORY_BYTES);
	incident_explain(incident, &words);
	fputc('\n', desk->out);
	struct buf folded;
	buf_init(&folded, 2 * WATCH_STORY_BYTES);
	text_fold(&folded, buf_slice(&words), desk->columns, 2);
	fputs(buf_str(&folded), desk->out);
	buf_free(&folded);
	buf_free(&words);
}

static void tell_incidents(struct desk *desk, const struct watch_report *report)
{
	const struct watch_news *news = report->news;
	char number[TEXT_NUMBER_BYTES];
	if (news->id_count == 0)
		desk_say(desk, "\nNo storm.");
	for (size_t i = 0; i < news->id_count; i++) {
		const struct incident *incident = storm_incident(report->storm, news->ids[i]);
		if (incident)
			tell_incident(desk, incident);
	}
	if (news->ids_left_out > 0)
		desk_say(desk, "\nMore storms than can be told here: %s.", text_number(news->ids_left_out, number));
}

static void tell_rates(struct desk *desk, const struct watch_news *news)
{
	char since[TEXT_TIME_BYTES], number[TEXT_NUMBER_BYTES];
	desk_say(desk, news->rate_count > 0 ? "\nUnusual activity:" : "\nNo unusual activity.");
	for (size_t i = 0; i < news->rate_count; i++) {
		const struct rate_alarm *alarm = &news->rates[i];
		desk_wrap(desk, 2, "%s %s: %s (since %s%s)", rate_kind_name(alarm->kind), alarm->name, alarm->why,
			  text_time(alarm->since_ms, since), alarm->is_over ? ", over by now" : "");
	}
	if (news->rates_left_out > 0)
		desk_say(desk, "and %s more.", text_number(news->rates_left_out, number));
}

void watch_text_report(struct desk *desk, const struct watch_report *report)
{
	struct watch_counts counts;
	watch_counts(report->watch, &counts);
	for (size_t i = 0; i < counts.source_count; i++)
		tell_source(desk, report->watch, (int)i);
	fputc('\n', desk->out);
	tell_counts(desk, &counts);
	tell_incidents(desk, report);
	tell_rates(desk, report->news);
}
