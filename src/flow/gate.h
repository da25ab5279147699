/* SPDX-License-Identifier: Apache-2.0
 *
 * gate: what happens to mail when Quell is in trouble. The one place.
 *
 * Withheld mail must be in the hold before the answer. When the hold does not
 * take it (full, broken, or slower than the deadline), hold becomes defer (4xx:
 * the peer keeps the mail), and after defer_for of that without a break defer
 * becomes deliver. A mail that is a first copy for anybody is never deferred:
 * it is delivered to all, surplus too. Every change of the gate is logged.
 */
#ifndef QUELL_FLOW_GATE_H
#define QUELL_FLOW_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate_setup {
	int64_t deadline_ms;   /* an answer may wait this long for the disk */
	int64_t defer_for_ms;  /* then deliver */
};

enum gate_state { GATE_HOLDING, GATE_DEFERRING, GATE_DELIVERING };

struct gate {
	struct gate_setup setup;
	enum gate_state state;
	int64_t trouble_since_ms;
};

void gate_init(struct gate *gate, const struct gate_setup *setup);
/* A mail was kept: trouble is over. */
void gate_on_kept(struct gate *gate);
/* A mail could not be kept; has_first: somebody would get a first copy of it.
 * True: ask the peer to come again; false: deliver it. */
bool gate_on_refused(struct gate *gate, bool has_first, const char *why, int64_t now_ms);

#endif
