/* SPDX-License-Identifier: Apache-2.0
 *
 * rules: the functions behind the table of detectors.c. Private to this room.
 */
#ifndef QUELL_STORM_RULES_H
#define QUELL_STORM_RULES_H

#include "storm/judge.h"

/* rules_flood.c: class 2, surplus of one mail. */
void rule_breaker(struct judge *j, const struct rule *rule);
void rule_pair(struct judge *j, const struct rule *rule);
void rule_instance(struct judge *j, const struct rule *rule);
void rule_emitter(struct judge *j, const struct rule *rule);
void rule_surplus(struct judge *j, const struct rule *rule);

/* rules_loop.c: class 1, mail that comes back. */
void rule_own_stamp(struct judge *j, const struct rule *rule);
void rule_changed_loop(struct judge *j, const struct rule *rule);
void rule_inner_loop(struct judge *j, const struct rule *rule);
void rule_hops(struct judge *j, const struct rule *rule);

/* rules_alert.c: told to people, nothing withheld. */
void rule_connector(struct judge *j, const struct rule *rule);
void rule_repetition(struct judge *j, const struct rule *rule);

#endif
