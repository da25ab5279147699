/* SPDX-License-Identifier: Apache-2.0
 *
 * glance: all that quell top shows of a running daemon, gathered in one go.
 *
 * What happens a second is counted over the last 5 to 10 seconds, whoever asks and how
 * often: two snapshots of the counters, the older one 5 seconds before the newer.
 */
#include "main/daemon.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { PACE_US = 5 * 1000 * 1000, PACE_LEAST_US = 1000 * 1000 };

static void pace_take(const struct daemon *d, struct daemon_pace *pace_out)
{
	struct storm_counters c;
	flow_counters(d->flow, &c);
	*pace_out = (struct daemon_pace){
		.at_us = clock_mono_us(),
		.deeds = { c.passed, c.tagged, c.deferred, c.held, c.suppressed },
	};
}

void daemon_pace(struct daemon *d)
{
	if (d->paces[1].at_us && clock_mono_us() - d->paces[1].at_us < PACE_US)
		return;
	d->paces[0] = d->paces[1];
	pace_take(d, &d->paces[1]);
}

static void glance_pace(const struct daemon *d, struct top_numbers *n)
{
	struct daemon_pace now;
	const struct daemon_pace *then = d->paces[0].at_us ? &d->paces[0] : &d->paces[1];
	if (!then->at_us)
		return;
	pace_take(d, &now);
	int64_t span_us = now.at_us - then->at_us;
	double seconds = (double)(span_us > PACE_LEAST_US ? span_us : PACE_LEAST_US) / 1e6;
	for (size_t i = 0; i < DEED_COUNT; i++)
		if (now.deeds[i] > then->deeds[i])
			n->per_second[i] = (double)(now.deeds[i] - then->deeds[i]) / seconds;
}

/* Those that go on; when there is none, the last that were. */
static void glance_incidents(const struct daemon *d, struct top_numbers *n)
{
	const struct incident *incidents[TOP_INCIDENTS_MAX];
	size_t all, count = flow_incidents_top(d->flow, false, incidents, TOP_INCIDENTS_MAX, &all);
	n->incidents_live = all;
	if (count == 0)
		count = flow_incidents_top(d->flow, true, incidents, TOP_CLOSED_MAX, &all);
	for (size_t i = 0; i < count; i++)
		top_add_incident(n, incidents[i]);
}

void daemon_glance(void *ctx, struct top_numbers *numbers)
{
	struct daemon *d = ctx;
	struct top_numbers *n = numbers;
	struct storm_counters storm;
	struct store_health health;
	struct release_status release;
	flow_counters(d->flow, &storm);
	store_health(d->store, &health);
	release_status(d->release, &release);
	*n = (struct top_numbers){
		.time_ms = loop_now_ms(d->loop),
		.uptime_s = (uint64_t)(clock_mono_us() - d->began_us) / 1000000,
		.mails = storm.mails,
		.breakers_open = storm.breakers_open,
		.hold_copies = health.hold_copies,
		.hold_bytes = health.hold_bytes,
		.release_jobs = release.jobs,
		.release_sent = release.sent,
		.is_relay_away = release.is_relay_away,
	};
	const char *confirm = d->plan->is_confirmed ? "by delivery" : d->settings->top.confirm;
	snprintf(n->mode, sizeof n->mode, "%s", d->settings->top.mode);
	/* Of "log:PATH" the first word. */
	snprintf(n->confirm, sizeof n->confirm, "%.*s", (int)strcspn(confirm, ":"), confirm);
	glance_pace(d, n);
	glance_incidents(d, n);
	for (unsigned kind = 0; kind < RATE_KIND_COUNT; kind++)
		n->rates[kind].count =
			flow_rates_top(d->flow, (enum rate_kind)kind, n->rates[kind].rows, TOP_RATES_MAX);
	if (d->plan->top)
		d->plan->top(d, n);
}
