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

/* rules_reply.c, rules_ping.c, rules_bounce.c: classes 3 to 5, many different mails. They
 * only delay (L4): come again, or into the hold and out again by itself. */
void rule_reply_all(struct judge *j, const struct rule *rule);
void rule_ping_pong(struct judge *j, const struct rule *rule);
void rule_bounces(struct judge *j, const struct rule *rule);

/* The key of a mail's thread. Of a passage that the server has expanded to so many
 * recipients. */
uint64_t thread_key(const struct facts *f);
void thread_expanded(struct storm *storm, const struct txn *txn, uint64_t rcpt_count, uint32_t now_s);

/* The changes that time alone makes to a topic; true when its state changed. */
bool thread_settle(struct thread *t, uint32_t now_s);
bool exchange_settle(struct exchange *x, uint32_t now_s);
bool bounce_settle(struct bounce_target *b, uint32_t now_s);

#endif
