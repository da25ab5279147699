/* SPDX-License-Identifier: Apache-2.0
 *
 * alert: tells people, by roads that the storm does not jam.
 *
 * Ways: a webhook (libcurl, JSON by POST), a program (no shell), syslog and the journal,
 * mail by a second relay. Each is optional; the log is always written. One incident is one
 * alert at its begin, one at its end (thresholds on and off apart, so that it does not
 * flutter), and reminders within a repeat budget; all alerts together have an hourly
 * budget, past which they are counted and told in one line later. Own mail: null
 * sender, Auto-Submitted: auto-generated, own trace token, one a mail; it cannot be
 * answered and cannot start a storm (DESIGN 2.8), even when its address lies in the storm.
 *
 * How it fails: a way that fails is tried again with back-off, at most ALERT_TRIES times,
 * and said in the log once; other ways are not held up. Nothing waits for an alert.
 * Bounded: ALERT_QUEUE_MAX alerts wait, 256 incidents are watched (the quietest gives way,
 * those not told first), of each that was told one copy is kept (about 41 KiB).
 * Deeds run in threads of their own or in the loop; no call here blocks but alert_close,
 * which waits up to a second for a webhook under way.
 */
#ifndef QUELL_ACT_ALERT_H
#define QUELL_ACT_ALERT_H

#include "base/setting.h"
#include "net/loop.h"
#include "storm/incident.h"
#include "storm/rates.h"

enum { ALERT_TRIES = 5, ALERT_QUEUE_MAX = 256 };

/* Section alert of the settings. */
struct alert_settings {
	const char *webhook;           /* "": none; https:// (http:// only to loopback) */
	const char *webhook_secret_file; /* "": none; its first line goes as Authorization: Bearer */
	const char *webhook_ca_file;   /* "": the authorities the system knows */
	struct setting_list command;   /* program and arguments; the JSON comes on standard input */
	bool want_syslog;              /* facility mail */
	const char *mail_to, *mail_relay; /* "": none; relay as in release.relay */
	const char *mail_from_name;    /* shown name; the envelope's sender is null */
	int64_t on_surplus;            /* an incident that withholds nothing is told at so many surplus copies */
	int64_t off_quiet_ms;          /* and is over after so long without any (or ten minutes, closed) */
	int64_t remind_ms, reminders_max; /* of one incident */
	int64_t per_hour_max;          /* of all together */
	bool want_rates;               /* unusual activity (class 6) too */
};
extern const struct setting_row alert_rows[];
extern const size_t alert_row_count;

struct alert;

struct alert_setup {
	struct loop *loop;
	const struct alert_settings *settings; /* must outlive it, or be given anew by alert_retune */
	const char *host_name;
};

/* Each false with what was expected in why: is this a webhook (as above), a relay ("smtp://
 * HOST:PORT", "lmtp://HOST:PORT", "lmtp:unix:/path"), a plain address (user@host, ASCII)?
 * "" is none of them. The webhook itself is never in why: keys stand in some. */
bool alert_is_webhook(const char *url, char *why, size_t why_bytes);
bool alert_is_relay(const char *relay, char *why, size_t why_bytes);
bool alert_is_address(const char *address, char *why, size_t why_bytes);

/* NULL and *error: bad settings, no memory. */
struct alert *alert_open(const struct alert_setup *setup, struct error *error);
void alert_close(struct alert **a);
void alert_retune(struct alert *a, const struct alert_settings *settings);

/* An incident began, changed its state, or only its counters. */
void alert_incident(struct alert *a, const struct incident *incident, int64_t now_ms);
void alert_rate(struct alert *a, const struct rate_alarm *alarm, int64_t now_ms);
/* At least once a second: reminders, ends, tries. */
void alert_tick(struct alert *a, int64_t now_ms);

/* The mail's token (X-Quell-Alert) is one of ours, fresh, and was not shown before: flow lets
 * such mail pass uncounted, once. */
bool alert_expects(struct alert *a, struct slice token);

struct alert_counts {
	uint64_t told, failed;       /* by one way each */
	uint64_t over_budget;        /* alerts */
	size_t waiting;              /* alerts that some way still has to tell */
};
void alert_counts(const struct alert *a, struct alert_counts *counts_out);

#endif
