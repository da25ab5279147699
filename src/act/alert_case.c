/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_case: when an incident is worth telling, again, and over.
 *
 * Told at once when something of it is withheld or its breaker is open, or for the classes
 * that only delay (3 to 5); otherwise past on_surplus copies. Over when nothing came for
 * off_quiet, or for ten minutes with its breaker closed: breakers flutter, and "over" in
 * the midst of a storm would send people home. What comes back sooner than twice that is no news: its
 * begin then counts as a reminder, with their growing distances and their ceiling, so an
 * incident that opens and closes all day is told as often as one that stays open.
 *
 * Of an incident that is seen for the first time (also after a restart, and when its case
 * had to give way) only what is recent counts: an old one is not told anew.
 */
#include "act/alert_inner.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum { CASE_REST_FACTOR = 2, CASE_RATE_REST_MS = CLOCK_DAY_MS, CASE_SETTLE_MS = 10 * CLOCK_MINUTE_MS };

static uint64_t incident_withheld(const struct incident *i)
{
	return i->held + i->suppressed + i->deferred;
}

static uint64_t incident_marks(const struct incident *i)
{
	return i->copies + i->pairs + i->surplus + incident_withheld(i) + i->passed;
}

static void case_free(struct alert_case *c)
{
	mem_free(c->copy);
	*c = (struct alert_case){ .id = "" };
}

void alert_cases_free(struct alert *a)
{
	for (size_t i = 0; i < ALERT_CASES_MAX; i++)
		case_free(&a->cases[i]);
}

static struct alert_case *case_find(struct alert *a, const char *id)
{
	if (strcmp(a->cases[a->last_case].id, id) == 0)
		return &a->cases[a->last_case];
	for (size_t i = 0; i < ALERT_CASES_MAX; i++)
		if (strcmp(a->cases[i].id, id) == 0) {
			a->last_case = i;
			return &a->cases[i];
		}
	return NULL;
}

/* Should x give way before y? A free place, then what was not told, then the quietest. */
static bool case_is_lesser(const struct alert_case *x, const struct alert_case *y)
{
	if (!x->id[0] || !y->id[0])
		return !x->id[0] && y->id[0];
	if (x->is_told != y->is_told)
		return !x->is_told;
	return x->active_ms < y->active_ms;
}

static struct alert_case *case_add(struct alert *a, const char *id, int64_t now_ms)
{
	size_t at = 0;
	for (size_t i = 1; i < ALERT_CASES_MAX; i++)
		if (case_is_lesser(&a->cases[i], &a->cases[at]))
			at = i;
	struct alert_case *c = &a->cases[at];
	case_free(c);
	snprintf(c->id, sizeof c->id, "%s", id);
	c->active_ms = now_ms;
	a->last_case = at;
	return c;
}

/* Times ahead of now are of a clock that was set back. */
static void case_mind_clock(struct alert_case *c, int64_t now_ms)
{
	if (now_ms < c->active_ms)
		c->active_ms = now_ms;
	if (now_ms < c->told_ms) {
		c->next_ms -= c->told_ms - now_ms;
		c->told_ms = now_ms;
	}
}

/* May a begin or a reminder be told now? */
static bool case_may_step(const struct alert *a, const struct alert_case *c, int64_t now_ms)
{
	return c->steps == 0 || ((int64_t)c->steps <= a->settings->reminders_max && now_ms >= c->next_ms);
}

static void case_step(const struct alert *a, struct alert_case *c, int64_t now_ms)
{
	int64_t distance_ms = a->settings->remind_ms;
	for (unsigned i = 0; i < c->steps && distance_ms < 7 * CLOCK_DAY_MS; i++)
		distance_ms *= 2;
	c->steps++;
	c->told_ms = now_ms;
	c->next_ms = now_ms + distance_ms;
}

/* Was it quiet for so long that what comes now is news? */
static void case_wake(struct alert_case *c, int64_t rest_ms, int64_t now_ms)
{
	if (!c->is_told && now_ms - c->active_ms >= rest_ms)
		c->steps = 0;
	c->active_ms = now_ms;
}

/* --- incidents ------------------------------------------------------------------- */

static void case_tell(struct alert *a, const struct incident *incident, enum alert_event event, int64_t now_ms)
{
	const struct alert_news news = {
		.event = event, .incident = incident, .id = incident->id, .since_ms = incident->first_ms,
		.now_ms = now_ms,
	};
	alert_tell(a, &news);
}

/* The parties change seldom and are large: copied once a second; the numbers each time. */
static void case_copy(struct alert_case *c, const struct incident *incident, int64_t now_ms)
{
	if (!c->copy && !(c->copy = mem_alloc(sizeof *c->copy)))
		return;
	if (now_ms < c->copied_ms || now_ms - c->copied_ms >= CLOCK_SECOND_MS) {
		*c->copy = *incident;
		c->copied_ms = now_ms;
		return;
	}
	c->copy->state = incident->state;
	c->copy->last_ms = incident->last_ms;
	c->copy->copies = incident->copies;
	c->copy->pairs = incident->pairs;
	c->copy->surplus = incident->surplus;
	c->copy->passed = incident->passed;
	c->copy->held = incident->held;
	c->copy->suppressed = incident->suppressed;
	c->copy->deferred = incident->deferred;
	c->copy->recipients = incident->recipients;
}

static void case_begin(struct alert *a, struct alert_case *c, const struct incident *incident, int64_t now_ms)
{
	c->is_told = true;
	c->copied_ms = 0;
	case_step(a, c, now_ms);
	case_copy(c, incident, now_ms);
	case_tell(a, incident, ALERT_BEGIN, now_ms);
}

static void case_end(struct alert *a, struct alert_case *c, int64_t now_ms)
{
	c->is_told = false;
	c->base_surplus = c->copy->surplus;
	c->base_withheld = incident_withheld(c->copy);
	case_tell(a, c->copy, ALERT_END, now_ms);
	mem_free(c->copy);
	c->copy = NULL;
}

static bool case_is_due(const struct alert *a, const struct alert_case *c, const struct incident *i)
{
	bool only_delays = i->cls == STORM_REPLY_ALL || i->cls == STORM_PING_PONG || i->cls == STORM_BOUNCE;
	if (i->state == BREAKER_CLOSED)
		return false;
	return i->state == BREAKER_OPEN || only_delays || incident_withheld(i) > c->base_withheld ||
	       (i->surplus > c->base_surplus &&
		i->surplus - c->base_surplus >= (uint64_t)a->settings->on_surplus);
}

static struct alert_case *case_meet(struct alert *a, const struct incident *incident, int64_t now_ms)
{
	struct alert_case *c = case_add(a, incident->id, now_ms);
	bool is_young = incident->first_ms > now_ms - a->settings->off_quiet_ms;
	if (!is_young) { /* nobody knows how much of it is of today */
		c->base_surplus = incident->surplus > 0 ? incident->surplus - 1 : 0;
		c->base_withheld = incident_withheld(incident);
	}
	return c;
}

void alert_incident(struct alert *a, const struct incident *incident, int64_t now_ms)
{
	struct alert_case *c = case_find(a, incident->id);
	uint64_t marks = incident_marks(incident);
	if (now_ms - incident->last_ms >= a->settings->off_quiet_ms && (!c || !c->is_told))
		return; /* history: only its state changed */
	if (!c)
		c = case_meet(a, incident, now_ms);
	case_mind_clock(c, now_ms);
	if (c->marks != marks)
		case_wake(c, CASE_REST_FACTOR * a->settings->off_quiet_ms, now_ms);
	c->marks = marks;
	if (c->is_told)
		case_copy(c, incident, now_ms);
	else if (case_is_due(a, c, incident) && case_may_step(a, c, now_ms))
		case_begin(a, c, incident, now_ms);
}

static bool case_is_over(const struct alert *a, const struct alert_case *c, int64_t now_ms)
{
	int64_t quiet_ms = now_ms - c->active_ms;
	return quiet_ms >= a->settings->off_quiet_ms ||
	       (c->copy->state == BREAKER_CLOSED && quiet_ms >= CASE_SETTLE_MS);
}

static void case_tick(struct alert *a, struct alert_case *c, int64_t now_ms)
{
	case_mind_clock(c, now_ms);
	if (!c->copy) /* an alarm, or there was no memory for it: its end is not told */
		c->is_told = c->is_told && now_ms - c->active_ms < CASE_RATE_REST_MS;
	else if (case_is_over(a, c, now_ms))
		case_end(a, c, now_ms);
	else if (c->active_ms >= c->next_ms && case_may_step(a, c, now_ms)) {
		case_step(a, c, now_ms);
		case_tell(a, c->copy, ALERT_REMIND, now_ms);
	}
}

void alert_cases_tick(struct alert *a, int64_t now_ms)
{
	for (size_t i = 0; i < ALERT_CASES_MAX; i++)
		if (a->cases[i].is_told)
			case_tick(a, &a->cases[i], now_ms);
}

/* --- rates ------------------------------------------------------------------------ */

void alert_rate(struct alert *a, const struct rate_alarm *alarm, int64_t now_ms)
{
	char id[INCIDENT_ID_BYTES];
	uint8_t topic[DIGEST_BYTES];
	if (!a->settings->want_rates)
		return;
	incident_topic(STORM_RATE, slice_from_str(rate_kind_name(alarm->kind)), slice_from_str(alarm->name), topic);
	incident_id(STORM_RATE, topic, id);
	struct alert_case *c = case_find(a, id);
	if (!c && alarm->is_over)
		return;
	if (!c)
		c = case_add(a, id, now_ms);
	case_mind_clock(c, now_ms);
	case_wake(c, CASE_RATE_REST_MS, now_ms);
	if (alarm->is_over ? !c->is_told : !case_may_step(a, c, now_ms))
		return;
	if (!alarm->is_over)
		case_step(a, c, now_ms);
	c->is_told = !alarm->is_over;
	const struct alert_news news = {
		.event = ALERT_RATE, .alarm = alarm, .id = id, .since_ms = alarm->since_ms, .now_ms = now_ms,
	};
	alert_tell(a, &news);
}
