/* SPDX-License-Identifier: Apache-2.0
 *
 * fuse: one circuit breaker: closed, suspect, open, half-open (algorithms.md 1.5).
 *
 * It stands in an instance and in an emitter. It measures the storm's period
 * (median of its last gaps) and recovers by itself: after long enough without
 * surplus it is half-open and lets one surplus copy a period pass, after some
 * quiet periods more it closes. Times are seconds since 1970, 0 for never; a
 * clock that steps back only makes it wait longer.
 */
#ifndef QUELL_STORM_BREAKER_H
#define QUELL_STORM_BREAKER_H

#include "storm/incident.h"
#include "storm/storm.h"

enum { FUSE_GAPS = 5, FUSE_GAP_MIN_S = 60 };

struct fuse {
	uint32_t last_s;    /* newest surplus */
	uint32_t changed_s; /* when the state was entered */
	uint32_t probe_s;   /* newest surplus let through while half-open */
	uint16_t gaps_s[FUSE_GAPS]; /* between surplus arrivals, a ring; 0 = none */
	uint8_t gap_at;
	uint8_t state;      /* enum breaker */
};

/* Surplus arrived: remembers the gap; CLOSED becomes SUSPECT. True when the
 * state changed. Gaps under a minute belong to one wave and are not kept. */
bool fuse_note_surplus(struct fuse *f, uint32_t now_s);
/* The measured period; 0 when unknown. */
uint32_t fuse_period_s(const struct fuse *f);
/* The changes that time alone makes (OPEN to HALF_OPEN to CLOSED, SUSPECT to
 * CLOSED after a day). True when the state changed. */
bool fuse_settle(struct fuse *f, const struct storm_policy *policy, uint32_t now_s);
/* Half-open only: may this one surplus copy pass? Taken at once. */
bool fuse_take_probe(struct fuse *f, uint32_t now_s);
void fuse_set(struct fuse *f, enum breaker state, uint32_t now_s);

#endif
