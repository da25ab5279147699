/* SPDX-License-Identifier: Apache-2.0
 *
 * storm: birth, settings, counters and the small questions.
 *
 * The memory cap is shared out once, at birth: half for pairs, the rest by the
 * proportions of algorithms.md 3.1. Tables are touched only as they fill.
 */
#include "storm/inner.h"
#include "storm/parties.h"
#include "storm/stamp.h"

#include "base/mem.h"

/* Shares in 1/64 of the cap; together not more than 64. */
enum {
	SHARE_PAIRS = 32,
	SHARE_INSTANCES = 12,
	SHARE_INCIDENTS = 8,
	SHARE_TXNS = 4,
	SHARE_EMITTERS = 2,
	SHARE_RELEASES = 1,
	SHARE_NONCES = 1,
	SHARE_TOPICS = 2,
	SHARE_RATES = 2,
	SHARE_WHOLE = 64,
};

/* Most for pairs of addresses, since every personal mail belongs to one. */
static bool make_topics(struct storm *s, size_t bytes)
{
	return topics_init(&s->threads, bytes / 8, sizeof(struct thread)) &&
	       topics_init(&s->exchanges, bytes / 2, sizeof(struct exchange)) &&
	       topics_init(&s->targets, bytes / 8, sizeof(struct bounce_target)) &&
	       waits_init(&s->waits, bytes / 8) && sent_init(&s->sent, bytes / 8);
}

static bool make_tables(struct storm *s)
{
	size_t share = (size_t)s->setup.policy.memory_bytes / SHARE_WHOLE;
	uint32_t memory_s = policy_memory_s(&s->setup.policy);
	return pairs_init(&s->pairs, share * SHARE_PAIRS, memory_s) &&
	       instances_init(&s->instances, share * SHARE_INSTANCES, memory_s) &&
	       txns_init(&s->txns, share * SHARE_TXNS) &&
	       emitters_init(&s->emitters, share * SHARE_EMITTERS, memory_s) &&
	       incidents_init(&s->incidents, share * SHARE_INCIDENTS) &&
	       releases_init(&s->releases, share * SHARE_RELEASES) &&
	       nonces_init(&s->nonces, share * SHARE_NONCES) && make_topics(s, share * SHARE_TOPICS) &&
	       (s->rates = rates_new(share * SHARE_RATES, s->setup.site_key)) != NULL;
}

struct storm *storm_new(const struct storm_setup *setup, struct error *error)
{
	if (!policy_check(&setup->policy, error))
		return NULL;
	struct storm *s = mem_alloc(sizeof *s);
	if (s)
		s->setup = *setup;
	if (!s || !make_tables(s)) {
		storm_free(s);
		error_set(error, EXIT_UNAVAILABLE, "no memory for the engine's tables (%lld bytes)",
			  (long long)setup->policy.memory_bytes);
		return NULL;
	}
	uint64_t seed[2] = { setup->seed, UINT64_C(0x717565) };
	s->stamp_nonces = hash_sip128(setup->stamp_key, slice_make(seed, sizeof seed)).lo;
	return s;
}

void storm_free(struct storm *storm)
{
	if (!storm)
		return;
	pairs_free(&storm->pairs);
	instances_free(&storm->instances);
	txns_free(&storm->txns);
	emitters_free(&storm->emitters);
	incidents_free(&storm->incidents);
	releases_free(&storm->releases);
	nonces_free(&storm->nonces);
	topics_free(&storm->threads);
	topics_free(&storm->exchanges);
	topics_free(&storm->targets);
	waits_free(&storm->waits);
	sent_free(&storm->sent);
	rates_free(storm->rates);
	mem_free(storm);
}

void storm_retune(struct storm *storm, const struct storm_policy *policy, bool is_guard)
{
	int64_t memory_bytes = storm->setup.policy.memory_bytes;
	storm->setup.is_guard = is_guard;
	if (!policy_check(policy, NULL))
		return; /* checked by the settings already; the old one stays */
	storm->setup.policy = *policy;
	storm->setup.policy.memory_bytes = memory_bytes;
	uint32_t memory_s = policy_memory_s(policy);
	storm->pairs.memory_min = memory_s / 60;
	storm->instances.memory_s = memory_s;
	storm->emitters.memory_s = memory_s;
}

bool storm_stamp(const struct storm *storm, const struct facts *facts, uint64_t txn, int64_t now_ms,
		 struct buf *out)
{
	struct stamp stamp = { .nonce = txn, .time_s = now_ms > 0 ? now_ms / 1000 : 0 };
	if (txn == 0)
		return false;
	memcpy(stamp.content, facts->content, STAMP_CONTENT_BYTES);
	return stamp_write(storm->setup.stamp_key, &stamp, out);
}

void storm_remember(struct storm *storm, const struct incident *incident)
{
	struct track *track = incidents_get(&storm->incidents, incident->cls, incident->content_public,
					    incident->last_ms);
	if (!track)
		return;
	track->pub = *incident;
	track->is_topic = topics_of(storm, incident->cls) != NULL;
	/* What was held in the last seconds before a crash may not be in its counters: asked for
	 * anyway, a release of nothing ends at once. */
	track->is_drip_due = incident->cls == STORM_PING_PONG || incident->cls == STORM_BOUNCE;
	incident_id(incident->cls, incident->content_public, track->pub.id);
	for (unsigned i = 0; i < track->pub.party_count && i < INCIDENT_PARTIES_MAX; i++)
		party_track_restore(&track->parties[i], &track->pub.parties[i]);
}

const struct incident *storm_incident(const struct storm *storm, const char *incident_id)
{
	const struct track *track = incidents_find_id(&storm->incidents, incident_id);
	return track ? &track->pub : NULL;
}

size_t storm_rates_top(const struct storm *storm, enum rate_kind kind, struct rate_row *rows_out, size_t max)
{
	return rates_top(storm->rates, kind, rows_out, max);
}

size_t storm_incidents_top(const struct storm *storm, bool want_closed, const struct incident **incidents_out,
			   size_t max, size_t *all_out)
{
	size_t count = 0;
	*all_out = 0;
	for (size_t i = 0; i < storm->incidents.count; i++) {
		const struct incident *incident = &storm->incidents.tracks[i]->pub;
		if (!want_closed && incident->state == BREAKER_CLOSED)
			continue;
		*all_out += 1;
		size_t at = count < max ? count++ : max;
		for (; at > 0 && incidents_out[at - 1]->last_ms < incident->last_ms; at--)
			if (at < max)
				incidents_out[at] = incidents_out[at - 1];
		if (at < max)
			incidents_out[at] = incident;
	}
	return count;
}

static uint64_t open_breakers(const struct storm *storm)
{
	uint64_t open = 0;
	for (size_t i = 0; i < storm->incidents.count; i++)
		open += storm->incidents.tracks[i]->pub.state >= BREAKER_OPEN;
	return open;
}

static size_t rates_used(const struct rates *rates)
{
	struct rates_counts counts;
	rates_counts(rates, &counts);
	return counts.bytes;
}

void storm_counters(const struct storm *storm, struct storm_counters *counters_out)
{
	*counters_out = storm->counters;
	counters_out->pairs_known = storm->pairs.used;
	counters_out->pairs_evicted = storm->pairs.evicted;
	counters_out->instances_known = storm->instances.used;
	counters_out->breakers_open = open_breakers(storm);
	counters_out->memory_bytes = sizeof *storm + pairs_bytes(&storm->pairs) +
				     instances_bytes(&storm->instances) + txns_bytes(&storm->txns) +
				     emitters_bytes(&storm->emitters) +
				     incidents_bytes(&storm->incidents) +
				     releases_bytes(&storm->releases) + nonces_bytes(&storm->nonces) +
				     topics_bytes(&storm->threads) + topics_bytes(&storm->exchanges) +
				     topics_bytes(&storm->targets) + waits_bytes(&storm->waits) +
				     sent_bytes(&storm->sent) + rates_used(storm->rates);
}
