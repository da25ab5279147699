/* SPDX-License-Identifier: Apache-2.0
 *
 * guard: what makes a daemon the guard beside a mail server: its milter sockets, and the
 * logs of other servers that it watches.
 */
#include "main/daemon.h"

#include "base/log.h"
#include "main/account.h"

static const char *guard_state(const struct settings *s)
{
	return s->top.state;
}

static const char *guard_control(const struct settings *s)
{
	return s->is.control_socket;
}

static const struct settings_relay *guard_relay(const struct settings *s)
{
	return &s->is.relay;
}

static bool guard_watch(struct daemon *d, struct error *error)
{
	const struct settings_watch *watch = &d->settings->watch;
	if (watch->logs.count == 0)
		return true;
	d->log_watch = log_watch_open(d->loop, d->flow, watch->logs.items, watch->logs.count,
				      (size_t)watch->memory_bytes, error);
	for (size_t i = 0; d->log_watch && i < watch->logs.count; i++)
		log_info("watch", "log=%s", watch->logs.items[i]);
	return d->log_watch != NULL;
}

static bool guard_open(struct daemon *d, struct error *error)
{
	const struct settings *s = d->settings;
	for (size_t i = 0; i < s->milter.listen.count; i++) {
		struct milter_door_setup setup = {
			.listen = s->milter.listen.items[i],
			.socket = LISTEN_SETUP_DEFAULT,
			.idle_ms = s->milter.timeout_ms,
			.sessions_max = (size_t)s->milter.sessions_max,
		};
		setup.socket.mode = s->is.milter_socket_mode;
		if (!account_find("milter.socket_owner", s->milter.socket_owner, &setup.socket.owner,
				  &setup.socket.group, error))
			return false;
		if (d->door_count == DAEMON_DOORS_MAX)
			return error_set(error, EXIT_USAGE, "milter.listen: more than %d sockets",
					 DAEMON_DOORS_MAX);
		d->doors[d->door_count] = milter_door_open(d->loop, d->flow, &setup, error);
		if (!d->doors[d->door_count])
			return false;
		d->door_count++;
		log_info("listen", "door=milter on=%s", setup.listen);
	}
	return guard_watch(d, error);
}

static void guard_close(struct daemon *d)
{
	log_watch_close(&d->log_watch);
	for (size_t i = 0; i < d->door_count; i++)
		milter_door_close(&d->doors[i]);
}

static void guard_status(struct daemon *d, struct control_status *status)
{
	size_t sessions = 0;
	for (size_t i = 0; i < d->door_count; i++)
		sessions += milter_door_sessions(d->doors[i]);
	control_status_number(status, "sessions", sessions);
	struct log_watch_counts watched = { .lines = 0 };
	if (d->log_watch)
		log_watch_counts(d->log_watch, &watched);
	control_status_number(status, "watched_lines", watched.lines);
	control_status_number(status, "watched_mails", watched.mails);
}

const struct daemon_plan guard_plan = {
	.name = "guard",
	.state = guard_state,
	.control_socket = guard_control,
	.relay = guard_relay,
	.open_doors = guard_open,
	.close_doors = guard_close,
	.status = guard_status,
};
