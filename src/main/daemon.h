/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: the parts of quelld and of the connector (quell fetch), wired together from
 * settings. No logic. Both have the same inside: store, engine, release, control; a plan
 * says what is different: the folder, how deliveries are confirmed, and the doors.
 *
 * daemon_start builds from the ground up (store, engine, release, doors) and
 * daemon_stop takes down in the opposite order; what is half built when
 * something fails is taken down the same way.
 */
#ifndef QUELL_MAIN_DAEMON_H
#define QUELL_MAIN_DAEMON_H

#include "act/alert.h"
#include "act/release.h"
#include "desk/control.h"
#include "desk/top.h"
#include "door/confirm.h"
#include "door/log_watch.h"
#include "door/milter.h"
#include "flow/flow.h"
#include "main/settings.h"
#include "net/loop.h"
#include "store/store.h"

enum { DAEMON_DOORS_MAX = 16 };

struct daemon;

/* What makes a guard or a connector. The texts point into the settings, so each reload
 * asks anew (read). */
struct daemon_plan {
	const char *name;                /* for the log */
	const char *(*state)(const struct settings *s);
	const char *(*control_socket)(const struct settings *s);
	const struct settings_relay *(*relay)(const struct settings *s); /* where released mail goes */
	void (*tune)(const struct settings *s, struct flow_setup *setup); /* may be NULL */
	bool is_confirmed;               /* deliveries are seen to, whatever settings.confirm says */
	bool (*open_doors)(struct daemon *d, struct error *error);
	void (*close_doors)(struct daemon *d);
	/* After a reload, with the new settings; may be NULL. */
	void (*reload_doors)(struct daemon *d);
	void (*status)(struct daemon *d, struct control_status *status);
	/* Orders that begin with "fetch"; NULL: it is no connector. */
	bool (*fetch)(void *ctx, const struct slice *words, size_t count, struct buf *text, struct error *error);
	/* What only this kind of daemon can tell quell top; may be NULL. */
	void (*top)(struct daemon *d, struct top_numbers *numbers);
};
/* quelld.c's: milter sockets. */
extern const struct daemon_plan guard_plan;

/* The counters at a moment, to tell what happens a second. */
struct daemon_pace {
	int64_t at_us;                /* clock_mono_us; 0: none yet */
	uint64_t deeds[DEED_COUNT];
};

struct daemon {
	const struct daemon_plan *plan;
	struct settings *settings;
	struct settings *former;      /* of before the last reload: mails under way may still
					 read its host names */
	const char *file;             /* as given with -c; NULL: the usual place */
	struct loop *loop;
	struct store *store;
	struct flow *flow;
	struct release *release;
	struct alert *alert;
	struct confirm *confirm;
	struct control *control;
	struct milter_door *doors[DAEMON_DOORS_MAX]; /* the guard's */
	size_t door_count;
	struct log_watch *log_watch;  /* the guard's; NULL: no logs are watched */
	void *connector;              /* the connector's own struct, set before daemon_start */
	struct loop_timer *tick, *watchdog;
	struct event *store_event;
	char host_name[256];
	int64_t began_us;
	struct daemon_pace paces[2];  /* the older first */
};

/* settings: taken over, also on failure. False and the reason in error. */
bool daemon_start(struct daemon *d, const struct daemon_plan *plan, struct settings *settings, const char *file,
		  struct error *error);
/* Until SIGTERM or SIGINT. */
void daemon_run(struct daemon *d);
void daemon_stop(struct daemon *d);
/* The rooms' set-ups as the settings want them now. */
struct flow_setup daemon_flow_setup(struct daemon *d);
/* glance.c: the order "top"; daemon_pace: with each tick. */
void daemon_glance(void *ctx, struct top_numbers *numbers);
void daemon_pace(struct daemon *d);
bool daemon_start_control(struct daemon *d, struct error *error);
bool daemon_release_setup(struct daemon *d, struct release_setup *setup_out, struct error *error);
/* Reads the settings again; with errors in them the old ones stay. */
bool daemon_reload(struct daemon *d);

#endif
