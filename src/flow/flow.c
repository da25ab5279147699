/* SPDX-License-Identifier: Apache-2.0
 *
 * flow: wires the engine to the store, and keeps both in step.
 *
 * Changes leave the engine as records (journal) and incidents (database).
 * Incidents that only count are stored once a second, not once a copy: a storm
 * of half a million mails is one row written now and then.
 */
#include "flow/flow.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/internal.h"

#include <stdio.h>

static void flow_on_record(void *ctx, struct slice record, bool is_urgent)
{
	struct flow *flow = ctx;
	store_journal(flow->setup.store, record, is_urgent);
	flow->is_flush_urgent |= is_urgent;
}

static bool flow_is_dirty(const struct flow *flow, const char *id)
{
	for (unsigned i = 0; i < flow->dirty_count; i++)
		if (strcmp(flow->dirty[i], id) == 0)
			return true;
	return false;
}

static void flow_log_incident(const struct incident *incident)
{
	char subject[LOG_QUOTE_BYTES];
	log_warn("incident", "id=%s class=%s state=%s copies=%llu surplus=%llu recipients=%u subject=%s",
		 incident->id, storm_class_name(incident->cls), breaker_name(incident->state),
		 (unsigned long long)incident->copies, (unsigned long long)incident->surplus,
		 incident->recipients,
		 log_quote(slice_from_str(incident->subject), subject, sizeof subject));
}

static void flow_on_incident(void *ctx, const struct incident *incident, bool is_change)
{
	struct flow *flow = ctx;
	if (flow->setup.told)
		flow->setup.told(flow->setup.told_ctx, incident, is_change);
	if (is_change) {
		store_incident(flow->setup.store, incident);
		flow_log_incident(incident);
		return;
	}
	if (flow_is_dirty(flow, incident->id))
		return;
	if (flow->dirty_count == FLOW_DIRTY_MAX) {
		store_incident(flow->setup.store, incident);
		return;
	}
	snprintf(flow->dirty[flow->dirty_count++], INCIDENT_ID_BYTES, "%s", incident->id);
}

static void flow_on_release(void *ctx, const uint8_t pair[12], const char *why)
{
	struct flow *flow = ctx;
	if (flow->setup.release)
		flow->setup.release(flow->setup.release_ctx, pair, why);
}

static void flow_on_drip(void *ctx, const char *incident_id, unsigned per_minute)
{
	struct flow *flow = ctx;
	if (flow->setup.drip)
		flow->setup.drip(flow->setup.release_ctx, incident_id, per_minute);
}

static void flow_on_rate(void *ctx, const struct rate_alarm *alarm)
{
	char name[LOG_QUOTE_BYTES], why[LOG_QUOTE_BYTES];
	struct flow *flow = ctx;
	log_warn("rate", "kind=%s name=%s over=%d why=%s", rate_kind_name(alarm->kind),
		 log_quote(slice_from_str(alarm->name), name, sizeof name), alarm->is_over,
		 log_quote(slice_from_str(alarm->why), why, sizeof why));
	if (flow->setup.rate)
		flow->setup.rate(flow->setup.told_ctx, alarm);
}

static void flow_adopt(struct flow *flow, const struct flow_setup *setup)
{
	flow->setup = *setup;
	flow->setup.facts.site_key = flow->site_key;
}

struct flow *flow_new(const struct flow_setup *setup, struct error *error)
{
	struct store_keys keys;
	struct flow *flow = mem_alloc(sizeof *flow);
	if (!flow) {
		error_set(error, EXIT_UNAVAILABLE, "no memory for the engine");
		return NULL;
	}
	if (!store_keys(setup->store, &keys, error)) {
		mem_free(flow);
		return NULL;
	}
	memcpy(flow->site_key, keys.site, sizeof flow->site_key);
	flow_adopt(flow, setup);
	gate_init(&flow->gate, &setup->gate);
	list_init(&flow->waiting);

	struct storm_setup storm = {
		.policy = setup->policy,
		.is_guard = setup->is_guard,
		.has_confirmation = setup->has_confirmation,
		.relays = setup->relays,
		.relay_count = setup->relay_count,
		.effects = { .ctx = flow, .record = flow_on_record, .incident = flow_on_incident,
			     .release = flow_on_release, .drip = flow_on_drip, .rate = flow_on_rate },
	};
	memcpy(storm.site_key, keys.site, sizeof storm.site_key);
	memcpy(storm.stamp_key, keys.stamp, sizeof storm.stamp_key);
	hash_random(&storm.seed, sizeof storm.seed);
	flow->storm = storm_new(&storm, error);
	if (!flow->storm) {
		mem_free(flow);
		return NULL;
	}
	return flow;
}

void flow_free(struct flow *flow)
{
	if (!flow)
		return;
	storm_free(flow->storm);
	mem_free(flow);
}

void flow_retune(struct flow *flow, const struct flow_setup *setup)
{
	flow_adopt(flow, setup);
	flow->gate.setup = setup->gate;
	storm_retune(flow->storm, &setup->policy, setup->is_guard);
}

void flow_remember(struct flow *flow, const struct incident *incident)
{
	storm_remember(flow->storm, incident);
}

static bool flow_apply(void *ctx, struct slice record)
{
	struct flow *flow = ctx;
	return storm_apply(flow->storm, record);
}

void flow_start(struct flow *flow)
{
	uint64_t applied = 0, skipped = 0;
	int64_t began_us = clock_mono_us();
	store_replay(flow->setup.store, flow_apply, flow, &applied, &skipped);
	log_info("state", "records=%llu skipped=%llu took_ms=%lld", (unsigned long long)applied,
		 (unsigned long long)skipped, (long long)(clock_mono_us() - began_us) / 1000);
}

void flow_expanded(struct flow *flow, struct slice queue_id, uint64_t rcpt_count, int64_t now_ms)
{
	storm_expanded(flow->storm, queue_id, rcpt_count, now_ms);
}

struct storm *flow_engine(struct flow *flow)
{
	return flow->storm;
}

void flow_queued(struct flow *flow, struct slice queue_id, int64_t now_ms)
{
	storm_queued(flow->storm, queue_id, now_ms);
}

void flow_delivered(struct flow *flow, struct slice queue_id, struct slice rcpt, int64_t now_ms)
{
	storm_delivered(flow->storm, queue_id, rcpt, now_ms);
}

void flow_bounced(struct flow *flow, struct slice queue_id, struct slice rcpt, int64_t now_ms)
{
	storm_bounced(flow->storm, queue_id, rcpt, now_ms);
}

static void flow_store_dirty(struct flow *flow)
{
	for (unsigned i = 0; i < flow->dirty_count; i++) {
		const struct incident *incident = storm_incident(flow->storm, flow->dirty[i]);
		if (incident)
			store_incident(flow->setup.store, incident);
	}
	flow->dirty_count = 0;
}

static void flow_store_counters(struct flow *flow, int64_t now_ms)
{
	struct storm_counters c;
	struct store_health h;
	storm_counters(flow->storm, &c);
	store_health(flow->setup.store, &h);
	const struct store_counter rows[] = {
		{ "mails", c.mails },
		{ "passed", c.passed },
		{ "tagged", c.tagged },
		{ "deferred", c.deferred },
		{ "held", c.held },
		{ "suppressed", c.suppressed },
		{ "released", flow->released },
		{ "gate_deferred", flow->gate_deferred },
		{ "gate_delivered", flow->gate_delivered },
		{ "pairs_known", c.pairs_known },
		{ "pairs_evicted", c.pairs_evicted },
		{ "instances_known", c.instances_known },
		{ "breakers_open", c.breakers_open },
		{ "memory_bytes", c.memory_bytes },
		{ "hold_bytes", h.hold_bytes },
		{ "hold_copies", h.hold_copies },
		{ "jobs_dropped", h.jobs_dropped },
		{ "writes_failed", h.writes_failed },
	};
	store_counters(flow->setup.store, rows, sizeof rows / sizeof rows[0], now_ms);
}

static bool flow_fill(void *ctx, bool (*emit)(void *emit_ctx, struct slice record), void *emit_ctx)
{
	struct flow *flow = ctx;
	return storm_snapshot(flow->storm, emit, emit_ctx);
}

void flow_tick(struct flow *flow, int64_t now_ms)
{
	intake_expire(flow, now_ms);
	storm_tick(flow->storm, now_ms);
	/* The due time also moves when the clock was set back. */
	if (now_ms < flow->counters_due_ms && flow->counters_due_ms - now_ms <= FLOW_COUNTERS_EVERY_MS)
		return;
	flow->counters_due_ms = now_ms + FLOW_COUNTERS_EVERY_MS;
	flow_store_dirty(flow);
	flow_store_counters(flow, now_ms);
	if (store_snapshot_is_due(flow->setup.store, now_ms))
		store_snapshot(flow->setup.store, now_ms, flow_fill, flow);
}

void flow_flush(struct flow *flow, int64_t now_ms)
{
	/* Waking the writer costs more than judging a mail, so pairs wait for company;
	 * a clock that was set back does not make them wait for ever. */
	int64_t waited_ms = now_ms - flow->flushed_ms;
	if (!flow->is_flush_urgent && waited_ms >= 0 && waited_ms < FLOW_FLUSH_EVERY_MS)
		return;
	flow->is_flush_urgent = false;
	flow->flushed_ms = now_ms;
	store_flush(flow->setup.store, now_ms);
}

void flow_stop(struct flow *flow, int64_t now_ms)
{
	flow_store_dirty(flow);
	flow_store_counters(flow, now_ms);
	store_flush(flow->setup.store, now_ms);
}

bool flow_force(struct flow *flow, const char *incident_id, enum breaker state, int64_t now_ms)
{
	return storm_force(flow->storm, incident_id, state, now_ms);
}

void flow_counters(const struct flow *flow, struct storm_counters *counters_out)
{
	storm_counters(flow->storm, counters_out);
}

size_t flow_rates_top(const struct flow *flow, enum rate_kind kind, struct rate_row *rows_out, size_t max)
{
	return storm_rates_top(flow->storm, kind, rows_out, max);
}

size_t flow_incidents_top(const struct flow *flow, bool want_closed, const struct incident **incidents_out,
			  size_t max, size_t *all_out)
{
	return storm_incidents_top(flow->storm, want_closed, incidents_out, max, all_out);
}
