/* SPDX-License-Identifier: Apache-2.0
 *
 * gate: hold, then defer, then deliver; and back as soon as the hold takes mail.
 */
#include "flow/gate.h"

#include "base/log.h"

static const char *const gate_names[] = { "holding", "deferring", "delivering" };

static void gate_change(struct gate *gate, enum gate_state state, const char *why)
{
	if (gate->state == state)
		return;
	log_warn("gate", "from=%s to=%s why=\"%s\"", gate_names[gate->state], gate_names[state], why);
	gate->state = state;
}

void gate_init(struct gate *gate, const struct gate_setup *setup)
{
	*gate = (struct gate){ .setup = *setup };
}

void gate_on_kept(struct gate *gate)
{
	gate_change(gate, GATE_HOLDING, "the hold takes mail again");
	gate->trouble_since_ms = 0;
}

bool gate_on_refused(struct gate *gate, bool has_first, const char *why, int64_t now_ms)
{
	if (gate->trouble_since_ms == 0)
		gate->trouble_since_ms = now_ms;
	bool is_overdue = now_ms - gate->trouble_since_ms >= gate->setup.defer_for_ms;
	gate_change(gate, is_overdue ? GATE_DELIVERING : GATE_DEFERRING, why);
	return !is_overdue && !has_first;
}
