/* SPDX-License-Identifier: Apache-2.0
 *
 * flow: the hall that all mail walks through.
 *
 * A door feeds one mail into an intake; at its end flow makes the facts, asks the
 * storm room for the verdict, lets the store keep what must be kept, and gives
 * the door an answer in words every protocol has: accept, accept for fewer
 * recipients, discard (kept in the hold), or come again later. What the answer
 * promises is on disk before the door hears it.
 *
 * The gate (flow/gate.h) decides what happens when Quell itself is in trouble.
 * One clock: the door passes the time in.
 */
#ifndef QUELL_FLOW_FLOW_H
#define QUELL_FLOW_FLOW_H

#include "base/error.h"
#include "flow/gate.h"
#include "mail/facts.h"
#include "store/store.h"
#include "storm/storm.h"
#include "storm/verdict.h"

struct flow;
struct intake;

struct flow_setup {
	struct store *store;             /* must outlive the flow */
	struct storm_policy policy;
	bool is_guard;
	bool has_confirmation;           /* somebody will call flow_queued */
	bool want_stamp, want_tag;       /* add X-Quell-Trace, X-Quell-Verdict */
	struct facts_setup facts;        /* site_key is set by flow */
	const char *const *relays;
	size_t relay_count;
	struct gate_setup gate;
	uint64_t body_bytes_max;         /* of a mail that can be held */
	/* A held copy of this pair is to be released now (L2). */
	void (*release)(void *ctx, const uint8_t pair[12], const char *why);
	/* What is held of this incident is to be released at this pace, until nothing is left. */
	void (*drip)(void *ctx, const char *incident_id, unsigned per_minute);
	/* Is this X-Quell-Release token one that act waits for? Then the mail passes. */
	bool (*is_released)(void *ctx, struct slice token);
	void *release_ctx;
	/* An incident began, changed its state (is_change), or only its counters; unusual
	 * activity. Each may be NULL; they must not block. */
	void (*told)(void *ctx, const struct incident *incident, bool is_change);
	void (*rate)(void *ctx, const struct rate_alarm *alarm);
	/* Is this X-Quell-Alert token one of act's own mails? Then it passes, uncounted. */
	bool (*is_alert)(void *ctx, struct slice token);
	void *told_ctx;
};

/* An empty engine over the store. NULL and the reason on trouble. Then the
 * incidents the store remembers, then flow_start, then mail. */
struct flow *flow_new(const struct flow_setup *setup, struct error *error);
void flow_remember(struct flow *flow, const struct incident *incident);
/* Replays snapshot and journal into the engine. */
void flow_start(struct flow *flow);
/* Before the store is closed: counters and journal as they are now. */
void flow_stop(struct flow *flow, int64_t now_ms);
void flow_free(struct flow *flow);
/* Settings that may change while running; hosts and networks too. */
void flow_retune(struct flow *flow, const struct flow_setup *setup);

enum answer_kind { ANSWER_ACCEPT, ANSWER_DISCARD, ANSWER_DEFER };

struct answer_header {
	const char *name;
	struct slice value;
};
enum { ANSWER_HEADERS_MAX = 2 };

struct answer {
	enum answer_kind kind;
	const struct slice *dropped; /* recipients to remove, spelled as they came */
	size_t dropped_count;
	struct answer_header headers[ANSWER_HEADERS_MAX]; /* to add above all others */
	size_t header_count;
	const char *text;            /* for DEFER: one line for the peer; else "" */
	const struct verdict *verdict;
};

/* The answer lives until the next intake call. Runs inside intake_end, or later
 * from flow_tick or store_poll, in the loop thread; once, unless dropped. */
typedef void intake_done_fn(void *ctx, const struct answer *answer);

/* One for each session, used for its mails one after the other. NULL: no memory.
 * may_drop: the door can remove single recipients. */
struct intake *intake_new(struct flow *flow, bool may_drop);
/* Also while an answer is awaited: then it never comes. NULL is welcome. */
void intake_free(struct intake *intake);
/* Begins a mail; what was there before is dropped. */
void intake_begin(struct intake *intake);
/* In the order of the mail. */
void intake_header(struct intake *intake, struct slice name, struct slice value);
void intake_body(struct intake *intake, struct slice chunk);
/* Memory that lives as long as this mail, for the envelope. */
struct arena *intake_arena(struct intake *intake);
void intake_end(struct intake *intake, const struct envelope *envelope, int64_t now_ms,
		intake_done_fn *done, void *ctx);

/* The MTA's log: a mail of ours has so many recipients. */
void flow_expanded(struct flow *flow, struct slice queue_id, uint64_t rcpt_count, int64_t now_ms);
/* What the MTA's log or a downstream reply confirms (L1, L2). */
void flow_queued(struct flow *flow, struct slice queue_id, int64_t now_ms);
void flow_delivered(struct flow *flow, struct slice queue_id, struct slice rcpt, int64_t now_ms);
void flow_bounced(struct flow *flow, struct slice queue_id, struct slice rcpt, int64_t now_ms);

/* At least four times a second; recovery, deadlines, counters, snapshot. */
void flow_tick(struct flow *flow, int64_t now_ms);
/* At the end of each loop round: what was learnt goes to the journal, breakers at
 * once, pairs ten times a second. */
void flow_flush(struct flow *flow, int64_t now_ms);

/* The engine behind it, for one who tells it of mail that only a log knows (storm_observe). */
struct storm *flow_engine(struct flow *flow);

bool flow_force(struct flow *flow, const char *incident_id, enum breaker state, int64_t now_ms);
void flow_counters(const struct flow *flow, struct storm_counters *counters_out);
/* For quell top: storm_rates_top and storm_incidents_top of the engine inside. */
size_t flow_rates_top(const struct flow *flow, enum rate_kind kind, struct rate_row *rows_out, size_t max);
size_t flow_incidents_top(const struct flow *flow, bool want_closed, const struct incident **incidents_out,
			  size_t max, size_t *all_out);

#endif
