/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_report: what `quell watch` has to tell, for people and for programs.
 *
 * The command (main) gathers it, the desk says it. Logs are written by strangers: all of
 * it is made harmless here, and nowhere before.
 */
#ifndef QUELL_DESK_WATCH_REPORT_H
#define QUELL_DESK_WATCH_REPORT_H

#include "desk/desk.h"
#include "desk/json.h"
#include "storm/storm.h"
#include "watch/watch.h"

enum { WATCH_FACTS_MAX = 100000, WATCH_REPORT_RATES_MAX = 1000, WATCH_REPORT_IDS_MAX = 1000 };

/* What the engine told in all; what is past a limit is counted. */
struct watch_news {
	char ids[WATCH_REPORT_IDS_MAX][INCIDENT_ID_BYTES]; /* incidents that opened, in their order */
	size_t id_count, ids_left_out;
	struct rate_alarm *rates;      /* the newest of each (kind, name), in the order of the first */
	size_t rate_count, rate_cap, rates_left_out;
};
void watch_news_incident(struct watch_news *news, const struct incident *incident);
void watch_news_rate(struct watch_news *news, const struct rate_alarm *alarm);
void watch_news_free(struct watch_news *news);
/* Is it a storm, or only surplus within its budget? */
bool watch_news_is_storm(const struct incident *incident);

struct watch_report {
	const struct watch *watch;
	const struct storm *storm;
	const struct watch_news *news;
};

/* For people, to desk->out. */
void watch_text_report(struct desk *desk, const struct watch_report *report);
/* One line each, as it happens. */
void watch_text_incident(struct desk *desk, const struct incident *incident);
void watch_text_rate(struct desk *desk, const struct rate_alarm *alarm);

/* The members behind "quell" (and behind "facts") of the one object. */
void watch_json_report(struct json_stream *j, const struct watch_report *report);
json_t *watch_json_mail(const struct watch_mail *mail);

#endif
