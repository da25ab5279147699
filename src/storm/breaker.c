/* SPDX-License-Identifier: Apache-2.0
 *
 * fuse: the circuit breaker's clockwork.
 */
#include "storm/breaker.h"

enum {
	SUSPECT_S = 24 * 3600, /* as long as the day budget of a pair */
	PERIOD_UNKNOWN_S = 3600,
};

bool fuse_note_surplus(struct fuse *f, uint32_t now_s)
{
	uint32_t gap = f->last_s && now_s > f->last_s ? now_s - f->last_s : 0;
	if (gap >= FUSE_GAP_MIN_S) {
		f->gaps_s[f->gap_at] = gap < UINT16_MAX ? (uint16_t)gap : UINT16_MAX;
		f->gap_at = (uint8_t)((f->gap_at + 1) % FUSE_GAPS);
	}
	if (now_s > f->last_s)
		f->last_s = now_s;
	if (f->state != BREAKER_CLOSED)
		return false;
	fuse_set(f, BREAKER_SUSPECT, now_s);
	return true;
}

uint32_t fuse_period_s(const struct fuse *f)
{
	uint16_t sorted[FUSE_GAPS];
	unsigned n = 0;
	for (unsigned i = 0; i < FUSE_GAPS; i++) {
		if (f->gaps_s[i] == 0)
			continue;
		unsigned at = n++;
		for (; at > 0 && sorted[at - 1] > f->gaps_s[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = f->gaps_s[i];
	}
	return n ? sorted[n / 2] : 0;
}

static uint32_t probe_gap_s(const struct fuse *f)
{
	uint32_t period = fuse_period_s(f);
	return period ? period : PERIOD_UNKNOWN_S;
}

static int64_t quiet_needed_s(const struct fuse *f, const struct storm_policy *policy)
{
	int64_t by_time = policy->recover_after_ms / 1000;
	int64_t by_period = policy->recover_periods * (int64_t)fuse_period_s(f);
	return by_time > by_period ? by_time : by_period;
}

bool fuse_settle(struct fuse *f, const struct storm_policy *policy, uint32_t now_s)
{
	if (f->state == BREAKER_CLOSED)
		return false;
	enum breaker before = f->state;
	uint32_t since_s = f->last_s > f->changed_s ? f->last_s : f->changed_s;
	int64_t quiet = (int64_t)now_s - since_s;
	if (f->state == BREAKER_SUSPECT && quiet >= SUSPECT_S)
		fuse_set(f, BREAKER_CLOSED, now_s);
	if (f->state == BREAKER_OPEN && quiet >= quiet_needed_s(f, policy)) {
		uint32_t due_s = since_s + (uint32_t)quiet_needed_s(f, policy);
		fuse_set(f, BREAKER_HALF_OPEN, due_s);
		quiet = (int64_t)now_s - due_s;
	}
	if (f->state == BREAKER_HALF_OPEN &&
	    quiet >= policy->close_quiet_periods * (int64_t)probe_gap_s(f))
		fuse_set(f, BREAKER_CLOSED, now_s);
	return f->state != before;
}

bool fuse_take_probe(struct fuse *f, uint32_t now_s)
{
	if (f->state != BREAKER_HALF_OPEN)
		return false;
	if (f->probe_s != 0 && now_s < f->probe_s + probe_gap_s(f))
		return false;
	f->probe_s = now_s;
	return true;
}

void fuse_set(struct fuse *f, enum breaker state, uint32_t now_s)
{
	f->state = (uint8_t)state;
	f->changed_s = now_s;
	f->probe_s = 0;
}
