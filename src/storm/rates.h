/* SPDX-License-Identifier: Apache-2.0
 *
 * rates: how much is usual for whom, and since when it is not (class 6).
 *
 * Per client server, sender, authenticated user, recipient, destination and log source:
 * mails per 10-minute bin against a mean by hour of the week (EWMA, half-life 14 days),
 * summed up by a CUSUM with the negative-binomial tables of algorithms.md 1.5: real
 * counts are over-dispersed, so Poisson tables would alarm daily. How far a key's counts
 * spread is learnt as well; the threshold grows with the number of keys, so that all of a
 * server's together alarm less than once a week; and fewer than 50 mails too many are no
 * alarm. Hours of the week are hours of UTC. Newsletters, alert
 * streams and first weeks must not alarm: a key is silent until it has been known for 14
 * days, but for a cold start rule that is told as such (see rates_note).
 *
 * The cold start rule: from the fourth hour on, at least 200 mails in 10 minutes that are 20
 * times the key's own busiest bin so far and 3 times the busiest of any key of its kind (a
 * key known for less than an hour: 500 mails and 10 times). Each size is told once.
 *
 * An alarm is over when an hour brought less than twice the usual. A bin during an alarm
 * teaches no more than that; but what lasts for 14 days is the new measure, and told so.
 *
 * Pure: no clock; time comes with each mail and may run backwards (such a mail counts in
 * the key's newest bin, but for one more than 30 days back: then the newest was wrong).
 * Only observes and tells, never acts. Bounded: the least used key gives
 * way (Space-Saving); what a key has learnt is lost with it, and it is silent again.
 */
#ifndef QUELL_STORM_RATES_H
#define QUELL_STORM_RATES_H

#include "base/slice.h"

enum rate_kind {
	RATE_CLIENT,       /* the server that handed the mail over: its name, else address */
	RATE_SENDER,       /* the envelope's sender address */
	RATE_USER,         /* SASL login */
	RATE_RCPT,         /* a recipient address */
	RATE_DESTINATION,  /* the domain mail was sent to */
	RATE_SOURCE,       /* a server whose log is watched: all its mail */
	RATE_KIND_COUNT
};
/* "client", "sender", "user", "recipient", "destination", "server". */
const char *rate_kind_name(enum rate_kind kind);

enum {
	RATE_BIN_MS = 10 * 60 * 1000,
	RATE_NAME_BYTES = 64,        /* kept of a name, with its NUL; longer ones are cut, their hash is whole */
	RATE_WHY_BYTES = 400,
};

struct rates;

/* A key left its usual measure, goes on so, or is back. */
struct rate_alarm {
	enum rate_kind kind;
	char name[RATE_NAME_BYTES];
	bool is_over;                /* back to its usual measure: the alarm ends */
	bool is_cold;                /* no usual measure known yet: compared with its own first hours */
	double per_hour, usual_per_hour; /* now (over the time since since_ms), and usually at this hour */
	int64_t since_ms, now_ms;    /* when it began: the bin in which the sum left zero */
	char why[RATE_WHY_BYTES];    /* in words: "mx.firm.example handed over 4,210 mails in the last 30
					minutes; usual at this hour of the week: 35 an hour; since 09:20 (UTC)" */
};

/* NULL without memory. bytes: ceiling of all it uses (at least 16 keys, some 12 KB; 660 bytes
 * a key, 16,384 keys are 11 MB). seed_key: HASH_KEY_BYTES, against
 * collisions made on purpose. */
struct rates *rates_new(size_t bytes, const uint8_t *seed_key);
void rates_free(struct rates *r); /* NULL is welcome */

/* count mails of this key at this time. Cheap: one table access. Bins that ended are
 * settled here when the key comes again, or by rates_tick while it is in alarm: a bin that
 * ended below the limit that was set for it cannot be one. A key is kept by name from its
 * third mail on. */
void rates_note(struct rates *r, enum rate_kind kind, struct slice name, uint32_t count, int64_t now_ms);

/* Settles what ended and tells alarms, each key's at its begin, at its end, and at most
 * every 6 hours between; a bounded piece of work a call, call about once a second of the
 * mails' time (more often is fine). The alarm lives during the call. */
void rates_tick(struct rates *r, int64_t now_ms, void (*tell)(void *ctx, const struct rate_alarm *alarm), void *ctx);

/* The busiest keys (known by name) of one kind (by the current and the last bin), for quell top. Returns
 * how many. usual_per_hour < 0: not known yet. */
struct rate_row {
	char name[RATE_NAME_BYTES];
	double per_hour, usual_per_hour;
	bool is_alarm;
};
size_t rates_top(const struct rates *r, enum rate_kind kind, struct rate_row *rows_out, size_t max);

/* What has been learnt, for the journal and the snapshot: emit is called with one small
 * block of bytes a key (at most 512) until it returns false; rates_restore takes such a
 * block (false: not understood, skipped). From the time between the two nothing is learnt;
 * an alarm goes on and is not told anew. */
bool rates_save(const struct rates *r, bool (*emit)(void *ctx, struct slice block), void *ctx);
bool rates_restore(struct rates *r, struct slice block);

struct rates_counts {
	size_t keys, keys_max, alarms;
	uint64_t evicted;
	size_t bytes;
};
void rates_counts(const struct rates *r, struct rates_counts *counts_out);

#endif
