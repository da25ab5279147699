/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_news: what the engine tells while logs are read, kept for the report.
 */
#include "base/mem.h"
#include "desk/watch_report.h"

bool watch_news_is_storm(const struct incident *incident)
{
	return incident->state == BREAKER_OPEN || incident->state == BREAKER_HALF_OPEN || incident->opened_ms != 0;
}

void watch_news_incident(struct watch_news *news, const struct incident *incident)
{
	if (!watch_news_is_storm(incident))
		return;
	for (size_t i = 0; i < news->id_count; i++)
		if (strcmp(news->ids[i], incident->id) == 0)
			return;
	if (news->id_count == WATCH_REPORT_IDS_MAX)
		news->ids_left_out++;
	else
		memcpy(news->ids[news->id_count++], incident->id, INCIDENT_ID_BYTES);
}

static struct rate_alarm *news_rate_new(struct watch_news *news)
{
	if (news->rate_count == news->rate_cap && news->rate_cap < WATCH_REPORT_RATES_MAX) {
		size_t cap = news->rate_cap ? news->rate_cap * 2 : 16;
		cap = cap < WATCH_REPORT_RATES_MAX ? cap : WATCH_REPORT_RATES_MAX;
		struct rate_alarm *grown = mem_resize(news->rates, cap * sizeof *grown);
		if (!grown)
			return NULL;
		news->rates = grown;
		news->rate_cap = cap;
	}
	return news->rate_count < news->rate_cap ? &news->rates[news->rate_count++] : NULL;
}

void watch_news_rate(struct watch_news *news, const struct rate_alarm *alarm)
{
	struct rate_alarm *row = NULL;
	for (size_t i = 0; i < news->rate_count && !row; i++)
		if (news->rates[i].kind == alarm->kind && strcmp(news->rates[i].name, alarm->name) == 0)
			row = &news->rates[i];
	if (row && alarm->is_over) {
		row->is_over = true; /* its end tells less than its height */
		return;
	}
	row = row ? row : news_rate_new(news);
	if (row)
		*row = *alarm;
	else
		news->rates_left_out++;
}

void watch_news_free(struct watch_news *news)
{
	mem_free(news->rates);
	news->rates = NULL;
}
