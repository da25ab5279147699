/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: settings in, a running guard out.
 */
#include "main/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "main/account.h"
#include "store/hold.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { DAEMON_TICK_MS = 250 };

/* --- what the rooms ask of each other --------------------------------------- */

static void daemon_release_pair(void *ctx, const uint8_t pair[12], const char *why)
{
	struct daemon *d = ctx;
	release_pair(d->release, pair, why);
}

static void daemon_drip(void *ctx, const char *incident_id, unsigned per_minute)
{
	struct daemon *d = ctx;
	release_drip(d->release, incident_id, per_minute);
}

static bool daemon_is_released(void *ctx, struct slice token)
{
	struct daemon *d = ctx;
	return release_expects(d->release, token);
}

static void daemon_told(void *ctx, const struct incident *incident, bool is_change)
{
	struct daemon *d = ctx;
	(void)is_change; /* alert sees for itself what is news */
	if (d->alert)
		alert_incident(d->alert, incident, loop_now_ms(d->loop));
}

static void daemon_rate(void *ctx, const struct rate_alarm *alarm)
{
	struct daemon *d = ctx;
	if (d->alert)
		alert_rate(d->alert, alarm, loop_now_ms(d->loop));
}

static bool daemon_is_alert(void *ctx, struct slice token)
{
	struct daemon *d = ctx;
	return d->alert && alert_expects(d->alert, token);
}

static void daemon_save_position(void *ctx, struct slice position)
{
	struct daemon *d = ctx;
	store_note(d->store, "confirm-position", position);
}

static void daemon_on_tick(void *ctx)
{
	struct daemon *d = ctx;
	flow_tick(d->flow, loop_now_ms(d->loop));
	daemon_pace(d);
	alert_tick(d->alert, loop_now_ms(d->loop));
}

static void daemon_on_round_end(void *ctx)
{
	struct daemon *d = ctx;
	flow_flush(d->flow, loop_now_ms(d->loop));
}

static void daemon_on_stored(int fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	(void)fd;
	(void)what;
	store_poll(d->store);
}

static void daemon_on_stop_signal(void *ctx)
{
	struct daemon *d = ctx;
	loop_stop(d->loop);
}

static void daemon_on_reload_signal(void *ctx)
{
	daemon_reload(ctx);
}

static void daemon_on_watchdog(void *ctx)
{
	(void)ctx;
	sd_notify(0, "WATCHDOG=1");
}

/* --- from settings to set-ups ------------------------------------------------ */

struct flow_setup daemon_flow_setup(struct daemon *d)
{
	const struct settings *s = d->settings;
	struct flow_setup setup = {
		.store = d->store,
		.policy = s->policy,
		.is_guard = s->is.is_guard,
		.has_confirmation = d->plan->is_confirmed || s->is.confirm != CONFIRM_NONE,
		.want_stamp = s->milter.want_stamp,
		.want_tag = s->milter.want_tag_header,
		.facts = {
			.our_hosts = s->top.our_hosts.items,
			.our_host_count = s->top.our_hosts.count,
			.own_nets = s->is.own_nets,
			.own_net_count = s->is.own_net_count,
			.authserv_id = slice_from_str(s->top.authserv_id),
		},
		.relays = s->top.relays.items,
		.relay_count = s->top.relays.count,
		.gate = { s->hold.deadline_ms, s->hold.defer_for_ms },
		.body_bytes_max = (uint64_t)s->hold.mail_bytes_max,
		.release = daemon_release_pair,
		.drip = daemon_drip,
		.is_released = daemon_is_released,
		.release_ctx = d,
		.told = daemon_told,
		.rate = daemon_rate,
		.is_alert = daemon_is_alert,
		.told_ctx = d,
	};
	if (d->plan->tune)
		d->plan->tune(s, &setup);
	return setup;
}

bool daemon_release_setup(struct daemon *d, struct release_setup *setup_out, struct error *error)
{
	const struct settings *s = d->settings;
	const struct settings_relay *relay = d->plan->relay(s);
	*setup_out = (struct release_setup){
		.store = d->store,
		.loop = d->loop,
		.kind = relay->is_lmtp ? SMTP_LMTP : SMTP_SMTP,
		.host_name = d->host_name,
		.timeout_ms = s->release.timeout_ms,
		.per_minute = s->release.per_minute,
	};
	return net_addr_lookup(slice_from_str(relay->address), &setup_out->relay, error);
}

/* --- starting, from the ground up ---------------------------------------------- */

static bool daemon_start_loop(struct daemon *d, struct error *error)
{
	d->loop = loop_new(error);
	return d->loop && loop_signal(d->loop, SIGTERM, daemon_on_stop_signal, d) &&
	       loop_signal(d->loop, SIGINT, daemon_on_stop_signal, d) &&
	       loop_signal(d->loop, SIGHUP, daemon_on_reload_signal, d);
}

static bool daemon_start_store(struct daemon *d, struct error *error)
{
	d->store = store_open(d->plan->state(d->settings), &d->settings->store, error);
	if (!d->store)
		return false;
	d->store_event = event_new(loop_base(d->loop), store_event_fd(d->store), EV_READ | EV_PERSIST,
				   daemon_on_stored, d);
	return d->store_event && event_add(d->store_event, NULL) == 0;
}

static bool daemon_remember(void *ctx, const struct incident *incident)
{
	struct daemon *d = ctx;
	flow_remember(d->flow, incident);
	return true;
}

static bool daemon_start_flow(struct daemon *d, struct error *error)
{
	struct flow_setup setup = daemon_flow_setup(d);
	d->flow = flow_new(&setup, error);
	if (!d->flow)
		return false;
	struct store_reader *reader = store_reader_open(d->plan->state(d->settings), error);
	bool is_read = reader && store_read_incidents(reader, 0, daemon_remember, d, error);
	store_reader_close(reader);
	if (!is_read)
		return false;
	flow_start(d->flow);
	return true;
}

static bool daemon_start_release(struct daemon *d, struct error *error)
{
	struct release_setup setup;
	if (!daemon_release_setup(d, &setup, error))
		return false;
	d->release = release_new(&setup, error);
	return d->release != NULL;
}

static bool daemon_start_alert(struct daemon *d, struct error *error)
{
	const struct alert_setup setup = {
		.loop = d->loop, .settings = &d->settings->alert, .host_name = d->host_name,
	};
	d->alert = alert_open(&setup, error);
	return d->alert != NULL;
}

static bool daemon_start_confirm(struct daemon *d, struct error *error)
{
	struct buf position;
	if (d->settings->is.confirm == CONFIRM_NONE || d->plan->is_confirmed)
		return true;
	buf_init(&position, 256);
	struct store_reader *reader = store_reader_open(d->settings->top.state, NULL);
	if (reader)
		store_read_note(reader, "confirm-position", &position, NULL);
	store_reader_close(reader);
	const struct confirm_setup setup = {
		.path = d->settings->is.confirm == CONFIRM_LOG ? d->settings->is.confirm_log : NULL,
		.position = buf_slice(&position),
		.save = daemon_save_position,
		.ctx = d,
	};
	d->confirm = confirm_open(d->loop, d->flow, &setup, error);
	buf_free(&position);
	return d->confirm != NULL;
}

static bool daemon_start_timers(struct daemon *d, struct error *error)
{
	uint64_t watchdog_us = 0;
	d->tick = loop_timer_start(d->loop, DAEMON_TICK_MS, DAEMON_TICK_MS, daemon_on_tick, d);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		d->watchdog = loop_timer_start(d->loop, 0, (int64_t)(watchdog_us / 2000), daemon_on_watchdog, d);
	if (!d->tick || !loop_at_round_end(d->loop, daemon_on_round_end, d))
		return error_set(error, EXIT_UNAVAILABLE, "no memory for the timers");
	return true;
}

bool daemon_start(struct daemon *d, const struct daemon_plan *plan, struct settings *settings, const char *file,
		  struct error *error)
{
	*d = (struct daemon){ .plan = plan, .settings = settings, .file = file, .connector = d->connector,
			      .began_us = clock_mono_us() };
	/* The first of our hosts is the name we go by. */
	if (settings->top.our_hosts.count > 0)
		snprintf(d->host_name, sizeof d->host_name, "%s", settings->top.our_hosts.items[0]);
	else if (gethostname(d->host_name, sizeof d->host_name - 1) != 0)
		snprintf(d->host_name, sizeof d->host_name, "localhost");
	return account_become(settings->top.user, plan->state(settings), error) &&
	       daemon_start_loop(d, error) && daemon_start_store(d, error) &&
	       daemon_start_flow(d, error) && daemon_start_release(d, error) &&
	       daemon_start_alert(d, error) && daemon_start_confirm(d, error) && daemon_start_timers(d, error) &&
	       daemon_start_control(d, error) && plan->open_doors(d, error);
}

void daemon_run(struct daemon *d)
{
	sd_notify(0, "READY=1");
	log_info("ready", "daemon=%s mode=%s confirm=%s state=%s", d->plan->name, d->settings->top.mode,
		 d->plan->is_confirmed ? "by delivery" : d->settings->top.confirm, d->plan->state(d->settings));
	loop_run(d->loop);
	sd_notify(0, "STOPPING=1");
	log_info("stopping", "mode=%s", d->settings->top.mode);
}

void daemon_stop(struct daemon *d)
{
	d->plan->close_doors(d);
	control_close(&d->control);
	confirm_close(&d->confirm);
	release_free(&d->release);
	alert_close(&d->alert);
	if (d->flow)
		flow_stop(d->flow, loop_now_ms(d->loop));
	if (d->store)
		store_close(d->store);
	flow_free(d->flow);
	if (d->store_event)
		event_free(d->store_event);
	loop_timer_stop(&d->tick);
	loop_timer_stop(&d->watchdog);
	loop_free(d->loop);
	settings_free(d->settings);
	settings_free(d->former);
}
