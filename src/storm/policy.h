/* SPDX-License-Identifier: Apache-2.0
 *
 * policy: checks of struct storm_policy, for this room only; the rows and the
 * defaults are declared in storm.h.
 */
#ifndef QUELL_STORM_POLICY_H
#define QUELL_STORM_POLICY_H

#include "storm/storm.h"

/* Every value within the range of its row; else false and which one, in error. */
bool policy_check(const struct storm_policy *policy, struct error *error);
/* How long pairs and instances are remembered, in seconds. */
uint32_t policy_memory_s(const struct storm_policy *policy);

#endif
