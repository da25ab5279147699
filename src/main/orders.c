/* SPDX-License-Identifier: Apache-2.0
 *
 * orders: what the control socket asks, handed to the room that does it.
 */
#include "main/daemon.h"

#include "main/account.h"

#include <stdio.h>

static bool order_release_incident(void *ctx, const char *incident, int64_t per_minute, struct buf *text,
				   struct error *error)
{
	struct daemon *d = ctx;
	if (!release_incident(d->release, incident, per_minute, error))
		return false;
	return buf_addf(text, "release of %s has begun", incident);
}

static bool order_release_hold(void *ctx, const char *hold_id, struct buf *text, struct error *error)
{
	struct daemon *d = ctx;
	if (!release_hold(d->release, hold_id, error))
		return false;
	return buf_addf(text, "release of %s has begun", hold_id);
}

static void order_status(void *ctx, struct control_status *status)
{
	struct daemon *d = ctx;
	struct storm_counters storm;
	struct store_health health;
	struct release_status release;
	struct alert_counts alerts;
	flow_counters(d->flow, &storm);
	store_health(d->store, &health);
	release_status(d->release, &release);
	alert_counts(d->alert, &alerts);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "mails", storm.mails },
		{ "passed", storm.passed },
		{ "tagged", storm.tagged },
		{ "deferred", storm.deferred },
		{ "held", storm.held },
		{ "suppressed", storm.suppressed },
		{ "breakers_open", storm.breakers_open },
		{ "pairs_known", storm.pairs_known },
		{ "memory_bytes", storm.memory_bytes },
		{ "hold_copies", health.hold_copies },
		{ "hold_bytes", health.hold_bytes },
		{ "jobs_waiting", health.jobs_waiting },
		{ "jobs_dropped", health.jobs_dropped },
		{ "writes_failed", health.writes_failed },
		{ "release_jobs", release.jobs },
		{ "released", release.sent },
		{ "release_refused", release.refused },
		{ "release_put_off", release.put_off },
		{ "alerts_told", alerts.told },
		{ "alerts_failed", alerts.failed },
		{ "alerts_over_budget", alerts.over_budget },
		{ "alerts_waiting", alerts.waiting },
	};
	control_status_text(status, "mode", d->settings->top.mode);
	d->plan->status(d, status);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		control_status_number(status, rows[i].name, rows[i].value);
}

static bool order_force(void *ctx, const char *incident, bool want_open, struct buf *text, struct error *error)
{
	struct daemon *d = ctx;
	enum breaker state = want_open ? BREAKER_OPEN : BREAKER_CLOSED;
	if (!flow_force(d->flow, incident, state, loop_now_ms(d->loop)))
		return error_set(error, EXIT_BAD_INPUT, "no incident %s", incident);
	return buf_addf(text, "the breaker of %s is %s", incident, breaker_name(state));
}

static bool order_reload(void *ctx, struct buf *text, struct error *error)
{
	if (!daemon_reload(ctx))
		return error_set(error, EXIT_BAD_INPUT,
				 "the settings have errors, the old ones stay; see quell config check");
	return buf_addf(text, "settings read again");
}

bool daemon_start_control(struct daemon *d, struct error *error)
{
	const struct settings *s = d->settings;
	const struct control_calls calls = {
		.ctx = d,
		.release_incident = order_release_incident,
		.release_hold = order_release_hold,
		.status = order_status,
		.force = order_force,
		.reload = order_reload,
		.fetch = d->plan->fetch,
		.top = daemon_glance,
	};
	char group[80];
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	snprintf(group, sizeof group, ":%s", s->control.group);
	if (!account_find("control.group", group, &uid, &gid, error))
		return false;
	d->control = control_open(d->loop, d->plan->control_socket(s), gid, &calls, error);
	return d->control != NULL;
}
