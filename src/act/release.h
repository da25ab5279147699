/* SPDX-License-Identifier: Apache-2.0
 *
 * release: puts held mail back into the stream, paced, one recipient at a time.
 *
 * Work comes as jobs (an incident, one hold id, or one pair that lost its copy);
 * jobs live in the store and survive a restart. A row goes KEPT -> RELEASING
 * before the relay hears of it and RELEASED after its 250, both durable. A row
 * found RELEASING after a crash was given to the relay and not confirmed: it is
 * sent again, since a copy too many is better than none (promise 1); at most one
 * row per crash, because one is under way at a time.
 *
 * A released mail comes through Quell's own door again: it carries a one-time
 * token (X-Quell-Release), by which flow lets it pass, once.
 *
 * How it fails: relay away or 4yz: tried again after a pause that doubles up to
 * 10 minutes; 5yz for one recipient: the row is REFUSED (kept, and only released
 * again when asked for by its id). Nothing is bounced, nothing deleted.
 */
#ifndef QUELL_ACT_RELEASE_H
#define QUELL_ACT_RELEASE_H

#include "net/addr.h"
#include "net/loop.h"
#include "store/hold.h"
#include "wire/smtp.h"

struct release;

struct release_setup {
	struct store *store;
	struct loop *loop;
	struct net_addr relay;
	enum smtp_kind kind;
	const char *host_name;    /* ours, for EHLO and Received */
	int64_t timeout_ms;       /* of connecting, and of each wait for a reply */
	int64_t per_minute;       /* when the asker names no rate */
};

/* Takes up the jobs of an earlier life. NULL and the reason on trouble. */
struct release *release_new(const struct release_setup *setup, struct error *error);
void release_free(struct release **release);
void release_retune(struct release *release, const struct release_setup *setup);

/* per_minute < 0: the default rate; 0: as fast as the relay takes it. */
bool release_incident(struct release *release, const char *incident, int64_t per_minute, struct error *error);
/* The same, by itself: when a job for the incident is there already, nothing. */
void release_drip(struct release *release, const char *incident, unsigned per_minute);
bool release_hold(struct release *release, const char *hold_id, struct error *error);
/* The newest held copy of this pair, once, at once. */
void release_pair(struct release *release, const uint8_t pair[12], const char *why);

/* Is this the token of the mail that is under way? True once only. */
bool release_expects(struct release *release, struct slice token);

struct release_status {
	size_t jobs;
	uint64_t sent, refused, put_off;
	bool is_relay_away;
};
void release_status(const struct release *release, struct release_status *status_out);

#endif
