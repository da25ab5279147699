/* SPDX-License-Identifier: Apache-2.0
 *
 * verdict: the words for deeds, classes and tiers. They are stable: scripts and
 * the JSON of the commands rely on them. A value out of range is "?".
 */
#include "storm/verdict.h"

#include "storm/incident.h"

#define NAME_OF(names, value)                                                                      \
	((unsigned)(value) < sizeof(names) / sizeof((names)[0]) ? (names)[(unsigned)(value)] : "?")

const char *deed_name(enum deed deed)
{
	static const char *const names[] = { "pass", "tag", "defer", "hold", "suppress" };
	return NAME_OF(names, deed);
}

const char *storm_class_name(enum storm_class cls)
{
	static const char *const names[] = { "none",	  "loop",	  "duplicate-flood",
					     "reply-all", "ping-pong", "bounce-storm", "rate" };
	return NAME_OF(names, cls);
}

const char *tier_name(enum tier tier)
{
	static const char *const names[] = { "first", "T1", "T2", "T3" };
	return NAME_OF(names, tier);
}

const char *breaker_name(enum breaker b)
{
	static const char *const names[] = { "closed", "suspect", "open", "half-open" };
	return NAME_OF(names, b);
}
