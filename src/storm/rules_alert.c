/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_alert: what people should know although nothing may be withheld.
 */
#include "storm/rules.h"

#include "base/log.h"

enum { REPEATS_ALERT = 3 };

/* The prefix in the addresses, a pickup line or a minted id, and the names agree:
 * a faulty connector has made this copy, whether or not the original was seen. */
void rule_connector(struct judge *j, const struct rule *rule)
{
	char name[LOG_QUOTE_BYTES], ip[IP_TEXT_BYTES];
	if (j->is_inner || !culprit_has_marker(j->facts))
		return;
	judge_find_source(j);
	if (!j->culprit.is_decisive)
		return;
	judge_alert(j, STORM_DUPLICATE, rule,
		    "a POP3 connector of %.100s (%s) has put this mail into the stream again",
		    log_quote(j->culprit.domain, name, sizeof name), ip_text(j->culprit.ip, ip));
}

/* May be legitimate, may be a storm without marks: only told (cases 26 and 33). */
void rule_repetition(struct judge *j, const struct rule *rule)
{
	if (j->tier.tier != TIER_T3 || !j->tier.is_foreign || !j->inst ||
	    j->inst->repeats < REPEATS_ALERT)
		return;
	char name[LOG_QUOTE_BYTES];
	judge_find_source(j);
	judge_alert(j, STORM_DUPLICATE, rule,
		    "%.100s has repeated this text %u times; it was another server that sent it first",
		    log_quote(j->peer.name, name, sizeof name), j->inst->repeats);
}
