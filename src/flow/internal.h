/* SPDX-License-Identifier: Apache-2.0
 *
 * internal: what flow.c and intake.c share. Nobody else includes this.
 */
#ifndef QUELL_FLOW_INTERNAL_H
#define QUELL_FLOW_INTERNAL_H

#include "base/list.h"
#include "flow/flow.h"

enum {
	FLOW_DIRTY_MAX = 64,          /* incidents whose counters wait to be stored */
	FLOW_COUNTERS_EVERY_MS = 1000,
	FLOW_FLUSH_EVERY_MS = 100,    /* kill -9 forgets at most this much (L3: surplus only) */
};

struct flow {
	struct flow_setup setup;
	struct storm *storm;
	struct gate gate;
	uint8_t site_key[HASH_KEY_BYTES];
	struct list waiting;          /* intakes that wait for the hold, oldest first */
	char dirty[FLOW_DIRTY_MAX][INCIDENT_ID_BYTES];
	unsigned dirty_count;
	int64_t counters_due_ms;
	int64_t flushed_ms;
	bool is_flush_urgent;         /* a breaker changed: to disk in this round */
	uint64_t released, gate_deferred, gate_delivered;
};

/* Answers every waiting intake whose deadline has passed. */
void intake_expire(struct flow *flow, int64_t now_ms);

#endif
