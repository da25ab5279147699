/* SPDX-License-Identifier: Apache-2.0
 *
 * detectors: the table of rules, the strongest evidence first.
 *
 * Every rule sees every mail; a recipient gets the harshest deed that any rule
 * gave it, and the verdict names the first rule that gave the harshest one. A new
 * kind of storm is one function and one row here. Nothing past "tag" without
 * surplus, but for mail that loops with changed content or inside our own walls
 * (rules_loop.c), and for the storms of many different mails, which are only slowed
 * down (rules_reply.c, rules_ping.c, rules_bounce.c).
 */
#include "storm/rules.h"

const struct rule judge_rules[] = {
	{ "own-stamp", rule_own_stamp,
	  "The mail came back with our own stamp to a recipient for whom that very passage "
	  "was taken over: a loop, withheld at the first return." },
	{ "breaker", rule_breaker,
	  "The breaker of this mail is open: all its surplus is withheld; half-open lets one "
	  "surplus copy a period pass." },
	{ "instance", rule_instance,
	  "Too many surplus deliveries of one mail within an hour, this transaction included, "
	  "open its breaker." },
	{ "pair", rule_pair,
	  "One recipient has had this mail too often within an hour or a day; opens its breaker." },
	{ "emitter", rule_emitter,
	  "The server it comes from multiplies mail (posterior of its reproduction number): no "
	  "surplus budget for what it sends." },
	{ "changed-loop", rule_changed_loop,
	  "The mail has come back several times with changed content: held." },
	{ "inner-loop", rule_inner_loop,
	  "The mail goes round between our own filters: held." },
	{ "reply-all", rule_reply_all,
	  "Many people reply to a large audience within half an hour: further replies come later." },
	{ "ping-pong", rule_ping_pong,
	  "Two addresses (or one with several) answer each other as machines do: the automatic "
	  "mails are slowed down, then held for a day." },
	{ "bounces", rule_bounces,
	  "Bounces flood one address, of mail that it never sent: they pass at a pace, the others "
	  "wait in the hold." },
	{ "surplus", rule_surplus, "Surplus within the budget: delivered, tagged." },
	{ "connector", rule_connector,
	  "A faulty connector's marks agree: an alert, even on a first copy." },
	{ "repetition", rule_repetition,
	  "Another server repeats the author's text without proof of a copy: an alert." },
	{ "hops", rule_hops, "Unusually many Received fields: an alert." },
};
const size_t judge_rule_count = sizeof judge_rules / sizeof judge_rules[0];
