/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: the whole engine over old mail, with the mails' own times: what quelld
 * would have done. Nothing is touched, sent or stored.
 *
 * The mails are played in the order of their times (mails without one: after the one
 * before them in their file). Each counts as taken over by the server, since it lies
 * in a mailbox. The recipient is Delivered-To, X-Original-To or Envelope-To, else what our
 * own Received lines say behind "for", else the mailbox's own name.
 */
#ifndef QUELL_FLOW_REPLAY_H
#define QUELL_FLOW_REPLAY_H

#include "base/error.h"
#include "flow/source.h"
#include "flow/survey.h"
#include "mail/facts.h"
#include "storm/storm.h"

/* One recipient's verdict that is not pass. Everything lives for the call. */
struct replay_decision {
	const char *file;
	uint64_t offset;
	int64_t time_ms;
	struct slice recipient, message_id;
	enum deed deed;
	const char *tier, *rule, *reason, *incident; /* incident: "" when there is none */
};

struct replay_setup {
	const struct source *source;
	struct facts_setup facts;        /* our_hosts may be empty: then they are guessed;
					    site_key is set by replay */
	struct storm_policy policy;
	bool is_guard;                   /* false: as in mode observe */
	bool has_confirmation;
	const char *const *relays;
	size_t relay_count;
	survey_progress_fn *progress;    /* may be NULL */
	void *progress_ctx;
	/* In the order of time. May be NULL. */
	void (*on_decision)(void *ctx, const struct replay_decision *decision);
	/* At the end, once for each storm, most surplus first. May be NULL. */
	void (*on_incident)(void *ctx, const struct incident *incident);
	void *ctx;
};

struct replay_counts {
	uint64_t messages, unparsable;   /* mails */
	uint64_t passed, tagged, deferred, held, suppressed; /* (mail, recipient) pairs */
	uint64_t lost;                   /* pairs of which no copy passed: 0, or Quell is broken */
	uint64_t unreadable;
	int64_t first_ms, last_ms;
	bool is_guessed;                 /* our_hosts */
};

bool replay_run(const struct replay_setup *setup, struct replay_counts *counts_out, struct error *error);

#endif
