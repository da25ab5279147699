/* SPDX-License-Identifier: Apache-2.0
 *
 * inner: struct storm itself and the small deeds its files share. Private to
 * this room.
 */
#ifndef QUELL_STORM_INNER_H
#define QUELL_STORM_INNER_H

#include "storm/emitters.h"
#include "storm/incidents.h"
#include "storm/nonces.h"
#include "storm/pairs.h"
#include "storm/policy.h"
#include "storm/record.h"
#include "storm/releases.h"
#include "storm/storm.h"
#include "storm/topics.h"
#include "storm/txns.h"

enum { STORM_FORCES_MAX = 64 };

struct storm {
	struct storm_setup setup;
	struct pairs pairs;
	struct instances instances;
	struct nonces nonces;
	struct txns txns;
	struct emitters emitters;
	struct incidents incidents;
	struct releases releases;
	struct topics threads, exchanges, targets;
	struct waits waits;
	struct sent sent;
	struct rates *rates;
	struct record_force forces[STORM_FORCES_MAX]; /* a ring */
	unsigned force_count;
	uint64_t passages;      /* how many nonces were given out */
	uint64_t stamp_nonces;  /* start of the row of nonces */
	int64_t clock_ms;       /* the newest time seen */
	int64_t swept_ms;       /* when every bucket had been looked at */
	struct storm_counters counters;
};

static inline uint32_t storm_seconds(int64_t now_ms)
{
	return now_ms > 0 ? (uint32_t)(now_ms / 1000) : 0;
}

/* state.c: hands a change out, when somebody listens. */
void state_record(const struct storm *storm, const struct record_out *r, bool is_urgent);
void state_record_instance(const struct storm *storm, const struct instance *inst, bool is_urgent);
void state_record_mark(const struct storm *storm, const uint8_t pair[PAIR_BYTES], unsigned set,
		       unsigned clear);

/* passage.c: all OFFERED recipients of a passage (only: that one, when given) are
 * TAKEN; forgets a pair everywhere. */
void passage_confirm(struct storm *storm, struct txn *txn, const uint8_t *only, int64_t now_ms);
/* Everything that must be true of the tables before this time is used: a clock
 * that leapt makes old slots look young, so they are freed first. */
void storm_advance(struct storm *storm, int64_t now_ms);

/* force.c: an operator's order for this incident; NULL when there is none. */
const struct record_force *force_find(const struct storm *storm, enum storm_class cls,
				      const uint8_t content_public[DIGEST_BYTES]);
void force_apply(struct storm *storm, const struct record_force *force);

/* topic.c: the table of a class; what an incident is about, or NULL when that is forgotten.
 * Settles what time has changed. */
struct topics *topics_of(struct storm *storm, enum storm_class cls);
struct topic *topic_settled(struct storm *storm, struct track *track, uint32_t now_s);
void state_record_topic(const struct storm *storm, enum storm_class cls, const struct topic *topic);

/* observe.c: the mail counts for everybody that has to do with it (class 6). */
void storm_note_rates(struct storm *storm, const struct facts *facts, struct slice source, int64_t now_ms);

/* tick.c: the incident takes over the harshest state of its instances; handed
 * out when it changed. */
void incident_settle(struct storm *storm, struct track *track, int64_t now_ms);
void incident_show(struct storm *storm, struct track *track, int64_t now_ms, bool is_change);

#endif
