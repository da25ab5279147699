/* SPDX-License-Identifier: Apache-2.0
 *
 * policy: what the postmaster may set for the engine, one row each.
 *
 * The defaults are those of the measurements in the research (two surplus copies
 * an hour tolerated, because a lone second copy cannot be told from a retry or a
 * forwarder). Ranges are what the tables can remember: a pair slot holds the
 * times of its three newest copies and counts to fifteen a day.
 */
#include "storm/policy.h"

#include "base/clock.h"

#include <assert.h>

#define ROW_INT(field, text, low, high, unit_text, help_text)                                      \
	{ .name = #field, .type = SETTING_INT, .offset = offsetof(struct storm_policy, field),     \
	  .default_text = text, .min = (low), .max = (high), .unit = unit_text,                    \
	  .is_reloadable = true, .help = help_text }
#define ROW_SPAN(field, as, text, low, high, help_text)                                            \
	{ .name = as, .type = SETTING_SPAN, .offset = offsetof(struct storm_policy, field),        \
	  .default_text = text, .min = (low), .max = (high), .is_reloadable = true,                \
	  .help = help_text }

#define DAYS(n) ((int64_t)(n) * CLOCK_DAY_MS)

const struct setting_row storm_policy_rows[] = {
	ROW_INT(pair_hour_max, "3", 1, 3, "copies",
		"Confirmed copies of one mail that one recipient may get within an hour, "
		"the first one included; three is the most that is remembered exactly."),
	ROW_INT(pair_day_max, "8", 1, 15, "copies", "The same within 24 hours."),
	ROW_INT(instance_surplus_max, "10", 1, 60000, "recipients",
		"Surplus deliveries of one mail within an hour, over all recipients, "
		"at which its breaker opens."),
	ROW_INT(emitter_surplus_min, "5", 1, 1000000, "recipients",
		"Surplus deliveries from one server before it is judged."),
	ROW_INT(emitter_certainty_permille, "970", 500, 999, "permille",
		"How sure it must be that a server multiplies what it gets before it "
		"loses its budget."),
	ROW_SPAN(recover_after_ms, "recover_after", "6h", 1000, DAYS(7),
		 "How long a storm must be quiet before one surplus copy may pass again."),
	ROW_INT(recover_periods, "4", 1, 100, "periods",
		"Or this many of its measured periods, if that is longer."),
	ROW_INT(close_quiet_periods, "3", 1, 100, "periods",
		"Quiet periods after that until the incident is closed."),
	ROW_INT(loop_changed_max, "3", 1, 8, "returns",
		"Returns of one mail with changed content before it is held."),
	ROW_INT(inner_passes_max, "5", 1, 14, "passes",
		"Passes of one mail through our own filters before the alarm."),
	ROW_INT(hops_alert, "50", 5, 1000, "hops", "Received fields that raise an alert."),
	ROW_INT(proofs_to_suppress, "2", 1, 200, "proofs",
		"Proofs of re-made copies, or servers making them, after which they are "
		"suppressed and not only held."),
	ROW_SPAN(unconfirmed_release_ms, "unconfirmed_release", "15m", 1000, DAYS(1),
		 "With no source of confirmation, one held copy of each pair is released "
		 "after this time."),
	ROW_SPAN(pair_memory_ms, "pair_memory", "3d", CLOCK_HOUR_MS, DAYS(7),
		 "How long a delivered (mail, recipient) is remembered."),
	ROW_INT(reply_audience_min, "100", 10, 100000000, "addresses",
		"A thread that reaches so many addresses can become a reply-all storm; about a fifth "
		"of your mailboxes is a good number for a large house."),
	ROW_INT(reply_authors_max, "5", 2, 32, "people",
		"So many different people replying to all of such a thread within half an hour open "
		"its breaker (five times as many on a mailing list)."),
	ROW_INT(reply_deliveries_max, "100000", 1000, INT64_C(1000000000000), "deliveries",
		"Or two people, when their replies together reach more addresses than this."),
	ROW_INT(ping_alternations_max, "4", 2, 12, "rounds",
		"Rounds between two addresses within an hour, one of them a machine at least, that "
		"open a ping-pong breaker."),
	ROW_INT(ping_hold_after, "20", 5, 100000, "rounds",
		"Rounds after which a ping-pong's automatic mails go to the hold for a day."),
	ROW_INT(bounces_hour_min, "50", 10, 100000000, "bounces",
		"Bounces to one address within an hour, of mail it did not send, and ten times as many as "
		"usual there, open a bounce breaker."),
	ROW_INT(bounces_per_minute, "10", 1, 100000, "bounces",
		"How many of them pass a minute then; the others wait in the hold and follow at this pace."),
	{ .name = "memory", .type = SETTING_BYTES,
	  .offset = offsetof(struct storm_policy, memory_bytes), .default_text = "256MiB",
	  .min = 4 * 1024 * 1024, .max = (int64_t)64 * 1024 * 1024 * 1024,
	  .help = "Ceiling of all tables of the engine; what gives way there is older memory, "
		  "never a mail." },
};
const size_t storm_policy_row_count = sizeof storm_policy_rows / sizeof storm_policy_rows[0];

void storm_policy_default(struct storm_policy *policy_out)
{
	char why[128];
	*policy_out = (struct storm_policy){ 0 };
	for (size_t i = 0; i < storm_policy_row_count; i++) {
		const struct setting_row *row = &storm_policy_rows[i];
		bool is_fine = setting_parse(row, row->default_text, policy_out, why, sizeof why);
		assert(is_fine); /* a row that refuses its own default is a bug */
		(void)is_fine;
	}
}

static int64_t policy_value(const struct storm_policy *policy, const struct setting_row *row)
{
	int64_t value;
	memcpy(&value, (const char *)policy + row->offset, sizeof value);
	return value;
}

bool policy_check(const struct storm_policy *policy, struct error *error)
{
	for (size_t i = 0; i < storm_policy_row_count; i++) {
		const struct setting_row *row = &storm_policy_rows[i];
		int64_t value = policy_value(policy, row);
		if (value < row->min || value > row->max)
			return error_set(error, EXIT_BAD_INPUT,
					 "%s is %lld, must be from %lld to %lld", row->name,
					 (long long)value, (long long)row->min, (long long)row->max);
	}
	if (policy->pair_hour_max > policy->pair_day_max)
		return error_set(error, EXIT_BAD_INPUT,
				 "pair_hour_max (%lld) is more than pair_day_max (%lld)",
				 (long long)policy->pair_hour_max, (long long)policy->pair_day_max);
	return true;
}

uint32_t policy_memory_s(const struct storm_policy *policy)
{
	return (uint32_t)(policy->pair_memory_ms / CLOCK_SECOND_MS);
}
