/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_text: an alarm in words, with the number, the usual number, and since when.
 *
 * A name comes from outside: whatever is not plain ASCII is shown as a question mark, so
 * that nothing of it moves a terminal.
 */
#include "storm/rates_inner.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { NUMBER_BYTES = 28, SPAN_BYTES = 40, DATE_BYTES = 48 };

void rate_name_show(const struct rate_cold *c, char out[RATE_NAME_BYTES])
{
	size_t i = 0;
	for (; i < RATE_NAME_BYTES - 1 && c->name[i]; i++)
		out[i] = c->name[i] > ' ' && c->name[i] < 0x7f ? c->name[i] : '?';
	out[i] = '\0';
}

/* 1234567 is 1,234,567. */
static const char *show_count(uint64_t n, char out[NUMBER_BYTES])
{
	char digits[NUMBER_BYTES];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n), to = 0;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = digits[i];
	}
	out[to] = '\0';
	return out;
}

static const char *show_rate(double per_hour, char out[NUMBER_BYTES])
{
	if (per_hour >= 9.95)
		return show_count(per_hour < 1e15 ? (uint64_t)(per_hour + 0.5) : (uint64_t)1e15, out);
	snprintf(out, NUMBER_BYTES, "%.1f", per_hour < 0 ? 0 : per_hour);
	return out;
}

static const char *show_span(int64_t ms, char out[SPAN_BYTES])
{
	char number[NUMBER_BYTES];
	int64_t minutes = ms < RATE_BIN_MS ? RATE_BIN_MS / CLOCK_MINUTE_MS : ms / CLOCK_MINUTE_MS;
	bool is_hours = minutes >= 120, is_days = minutes >= 48 * 60;
	show_count((uint64_t)(is_days ? minutes / 1440 : is_hours ? minutes / 60 : minutes), number);
	snprintf(out, SPAN_BYTES, "%s %s", number, is_days ? "days" : is_hours ? "hours" : "minutes");
	return out;
}

/* "09:20 on 2005-12-06" */
static const char *show_date(int64_t ms, char out[DATE_BYTES])
{
	char text[32] = "";
	clock_rfc3339(ms, text, sizeof text);
	const char *t = strchr(text, 'T');
	if (t)
		snprintf(out, DATE_BYTES, "%.5s on %.*s", t + 1, (int)(t - text), text);
	else
		snprintf(out, DATE_BYTES, "%s", text);
	return out;
}

void rate_alarm_words(const struct rate_cold *c, uint64_t mails, bool is_adopted, struct rate_alarm *a)
{
	static const char *const verbs[RATE_KIND_COUNT] = { "handed over", "sent", "sent", "got", "was sent", "saw" };
	char count[NUMBER_BYTES], usual[NUMBER_BYTES], now[NUMBER_BYTES], peak[NUMBER_BYTES], span[SPAN_BYTES],
		since[DATE_BYTES], tail[64];
	const char *verb = verbs[a->kind];
	show_count(mails, count);
	show_count(c->peak, peak);
	show_span(a->now_ms - a->since_ms, span);
	show_date(a->since_ms, since);
	show_rate(a->usual_per_hour, usual);
	show_rate(a->per_hour, now);
	if (is_adopted)
		snprintf(tail, sizeof tail, "for 14 days now: this is the new measure");
	else if (a->is_over)
		snprintf(tail, sizeof tail, "back under twice its %s for an hour",
			 a->is_cold ? "busiest bin" : "usual");
	else
		snprintf(tail, sizeof tail, "%s an hour", now);
	if (a->is_cold)
		snprintf(a->why, sizeof a->why,
			 "%s %s %s mails in the last %s; no usual measure yet: before, %s an hour, at most "
			 "%s in 10 minutes; %s; since %s (UTC)",
			 a->name, verb, count, span, usual, peak, tail, since);
	else
		snprintf(a->why, sizeof a->why,
			 "%s %s %s mails in the last %s; usual at this hour of the week: %s an hour; %s; "
			 "since %s (UTC)",
			 a->name, verb, count, span, usual, tail, since);
}
