/* SPDX-License-Identifier: Apache-2.0
 *
 * storm: the heart. Facts + what was seen before + now -> verdict.
 *
 * Pure: no I/O, no clock; the same past gives the same verdict, live, in a test
 * or replayed. What must outlive the process leaves through struct
 * storm_effects as opaque records and comes back through storm_apply.
 * Memory never passes policy->memory_bytes; what gives way at the ceiling, and
 * in which order, is algorithms.md 3.1. Forgetting costs a surplus copy, never
 * a mail (L3).
 *
 * Life of a (mail, recipient) pair: storm_judge offers it (OFFERED); storm_queued
 * says that the MTA owns it (TAKEN, counts as confirmed); storm_bounced undoes it
 * (L2); storm_withdraw says that our answer was not accept after all.
 */
#ifndef QUELL_STORM_STORM_H
#define QUELL_STORM_STORM_H

#include "base/error.h"
#include "base/setting.h"
#include "mail/facts.h"
#include "storm/incident.h"
#include "storm/rates.h"
#include "storm/verdict.h"

struct storm;

/* What the postmaster may set (algorithms.md 1.5); defaults stand in the rows. */
struct storm_policy {
	int64_t pair_hour_max;         /* confirmed copies a pair may have in 1 h: 3 */
	int64_t pair_day_max;          /* in 24 h: 8 */
	int64_t instance_surplus_max;  /* surplus pairs of one instance in 1 h: 10 */
	int64_t emitter_surplus_min;   /* out before an emitter is judged: 5 */
	int64_t emitter_certainty_permille; /* P(R>1) above which it opens: 970 */
	int64_t recover_after_ms;      /* quiet before half-open: 6 h */
	int64_t recover_periods;       /* or this many measured periods, if longer: 4 */
	int64_t close_quiet_periods;   /* quiet periods in half-open until closed: 3 */
	int64_t loop_changed_max;      /* returns with changed content before hold: 3 */
	int64_t inner_passes_max;      /* inner passes of one stamp before the alarm: 5 */
	int64_t hops_alert;            /* Received fields that alert: 50 */
	int64_t proofs_to_suppress;    /* T2 proofs (or emitters) until hold becomes suppress: 2 */
	int64_t unconfirmed_release_ms;/* no confirmation source: one copy is released after: 15 min */
	int64_t pair_memory_ms;        /* how long a pair is remembered: 72 h */
	int64_t reply_audience_min, reply_authors_max, reply_deliveries_max; /* class 3 */
	int64_t ping_alternations_max, ping_hold_after; /* class 4 */
	int64_t bounces_hour_min, bounces_per_minute; /* class 5 */
	int64_t memory_bytes;          /* ceiling of all tables: 256 MiB */
};
extern const struct setting_row storm_policy_rows[];
extern const size_t storm_policy_row_count;
/* The defaults of the rows. */
void storm_policy_default(struct storm_policy *policy_out);

struct storm_effects {
	void *ctx;
	/* A change to keep; urgent: breaker changes, to be on disk at once. May be NULL. */
	void (*record)(void *ctx, struct slice record, bool is_urgent);
	/* An incident began or changed its state (is_change), or only its counters. */
	void (*incident)(void *ctx, const struct incident *incident, bool is_change);
	/* The newest held copy for this pair is to be released, once (L2, no source). */
	void (*release)(void *ctx, const uint8_t pair[12], const char *why);
	/* What is held of this incident is to drip: released at this pace until nothing is
	 * left (classes 3 to 5 only delay, L4). Told again while mail is held. May be NULL. */
	void (*drip)(void *ctx, const char *incident_id, unsigned per_minute);
	/* Unusual activity (class 6): told, never acted upon. May be NULL. */
	void (*rate)(void *ctx, const struct rate_alarm *alarm);
};

struct storm_setup {
	struct storm_policy policy;
	uint8_t site_key[HASH_KEY_BYTES];   /* pairs, instances, content */
	uint8_t stamp_key[HASH_KEY_BYTES];  /* HMAC of the stamp */
	uint64_t seed;                      /* for nonces; random live, fixed in tests */
	bool is_guard;                      /* false: observe, nothing past TAG */
	bool has_confirmation;              /* a log or journal will confirm; else OFFERED is
					       believed, surplus only held (DESIGN 4) */
	const char *const *relays;          /* hosts whose Received lines are believed (.95) */
	size_t relay_count;
	struct storm_effects effects;
};

/* NULL and the reason in error when there is no memory or a policy makes no
 * sense. setup is copied, but for what its pointers lead to. */
struct storm *storm_new(const struct storm_setup *setup, struct error *error);
void storm_free(struct storm *storm);
/* New policy and mode from now on, mid-storm too; memory_bytes stays. */
void storm_retune(struct storm *storm, const struct storm_policy *policy, bool is_guard);

/* Judges one mail at its end. Always fills *verdict_out (its rcpts live in
 * arena); on any inner trouble the verdict is PASS (L3). Registers the passage:
 * recipients that stay (PASS, TAG) are OFFERED under facts' queue id. */
void storm_judge(struct storm *storm, const struct facts *facts, int64_t now_ms,
		 struct arena *arena, struct verdict *verdict_out);

/* The field body to add as X-Quell-Trace for this passage; false for txn 0. */
bool storm_stamp(const struct storm *storm, const struct facts *facts, uint64_t txn,
		 int64_t now_ms, struct buf *out);

/* A mail of which only a log tells: no content, no fingerprint. Feeds rates and the
 * classes that need none (3 to 6), and counts duplicates by (Message-ID, size within 2 %,
 * From); opens incidents, never acts. Incidents have the ids of inline ones where what
 * makes these is known. facts: envelope, message_id, subject, in_reply_to, thread_root
 * and time_ms as far as the log has them; is_content_whole false. */
struct observed {
	struct slice source;     /* the server whose log it is */
	uint64_t size_bytes;     /* 0: not told */
	unsigned rcpt_total;     /* recipients, when more than the envelope lists */
};
void storm_observe(struct storm *storm, const struct facts *facts, const struct observed *seen, int64_t now_ms);

/* How many recipients the server made of a mail of ours, once aliases and lists were
 * expanded (its log says so): what a reply to all of it will cost. */
void storm_expanded(struct storm *storm, struct slice queue_id, uint64_t rcpt_count, int64_t now_ms);
/* The MTA owns the mail of this queue id: all OFFERED pairs are TAKEN. */
void storm_queued(struct storm *storm, struct slice queue_id, int64_t now_ms);
/* One recipient was finally delivered, or finally failed (L2: pair reset, release). */
void storm_delivered(struct storm *storm, struct slice queue_id, struct slice rcpt, int64_t now_ms);
void storm_bounced(struct storm *storm, struct slice queue_id, struct slice rcpt, int64_t now_ms);
/* The answer to this passage was not accept (a hold failed, the peer went away). */
void storm_withdraw(struct storm *storm, uint64_t txn, int64_t now_ms);

/* Recovery of breakers, expiry, releases that are due. Call about once a second;
 * does a bounded piece of work each time. */
void storm_tick(struct storm *storm, int64_t now_ms);

/* Journal and snapshot. storm_apply: one record as given to effects.record or by
 * storm_snapshot; false when it is not understood (it is then skipped). */
bool storm_apply(struct storm *storm, struct slice record);
/* Emits the whole state as records; stops and returns false when emit does. Only
 * reads, allocates nothing: may run in a forked child. */
bool storm_snapshot(const struct storm *storm, bool (*emit)(void *ctx, struct slice record), void *ctx);
/* At start: an incident that the store remembers. */
void storm_remember(struct storm *storm, const struct incident *incident);

/* An operator forces a state ("close", "open"); it still obeys L1-L4. False: no
 * such incident. */
bool storm_force(struct storm *storm, const char *incident_id, enum breaker state, int64_t now_ms);

/* NULL when unknown; valid until the next call that changes the storm. */
const struct incident *storm_incident(const struct storm *storm, const char *incident_id);

/* For quell top. The busiest keys of a kind (rates_top). */
size_t storm_rates_top(const struct storm *storm, enum rate_kind kind, struct rate_row *rows_out, size_t max);
/* The newest incidents, closed ones only when want_closed; valid until the next call that
 * changes the storm. all_out: how many there are altogether. */
size_t storm_incidents_top(const struct storm *storm, bool want_closed, const struct incident **incidents_out,
			   size_t max, size_t *all_out);

struct storm_counters {
	uint64_t mails, passed, tagged, deferred, held, suppressed; /* recipients but mails */
	uint64_t pairs_known, pairs_evicted, instances_known, breakers_open;
	uint64_t memory_bytes;
};
void storm_counters(const struct storm *storm, struct storm_counters *counters_out);

#endif
