/* SPDX-License-Identifier: Apache-2.0
 *
 * verdict: what is to be done with one mail, per recipient, and why.
 *
 * The only header of this room that doors see. Deeds are ordered by harshness;
 * anything past TAG needs surplus (algorithms.md 1.1), but in storms of many different
 * mails (reply-all, ping-pong, bounces), where first copies may be deferred, or held and
 * let go by themselves. No deed but PASS without a rule and a reason in words.
 */
#ifndef QUELL_STORM_VERDICT_H
#define QUELL_STORM_VERDICT_H

#include "base/slice.h"

enum deed {
	DEED_PASS,
	DEED_TAG,      /* delivered, marked as surplus or suspect */
	DEED_DEFER,    /* 4xx: come again later */
	DEED_HOLD,     /* surplus, into the hold, released by person or breaker */
	DEED_SUPPRESS, /* proven surplus, into the hold, not meant to come back */
	DEED_COUNT
};

/* "pass", "tag", "defer", "hold", "suppress". */
const char *deed_name(enum deed deed);

enum storm_class { STORM_NONE, STORM_LOOP, STORM_DUPLICATE, STORM_REPLY_ALL, STORM_PING_PONG,
		   STORM_BOUNCE, STORM_RATE };
/* "none", "loop", "duplicate-flood", "reply-all", "ping-pong", "bounce-storm", "rate". */
const char *storm_class_name(enum storm_class cls);

enum tier { TIER_FIRST, TIER_T1, TIER_T2, TIER_T3 };
const char *tier_name(enum tier tier); /* "first", "T1", "T2", "T3" */

enum { INCIDENT_ID_BYTES = 20, REASON_BYTES = 400 };

struct rcpt_verdict {
	enum deed deed;
	uint8_t pair[12];          /* tag of (instance, recipient): names it in the hold */
	bool is_first;             /* no copy of it is known to have got through: whatever is
				      done to it, it must not be lost */
	unsigned confirmed;        /* copies confirmed taken before this one */
};

struct verdict {
	enum deed harshest;        /* over all recipients */
	enum tier tier;
	enum storm_class cls;      /* STORM_NONE for plain passes */
	const char *rule;          /* stable short name: "pair", "instance", "emitter",
				      "own-stamp", "inner-loop", ... never NULL */
	char reason[REASON_BYTES]; /* in words, with the numbers; "" only for PASS */
	char incident[INCIDENT_ID_BYTES]; /* "" when there is none */
	uint64_t txn;              /* nonce of this passage; 0 for none */
	size_t rcpt_count;
	struct rcpt_verdict *rcpts;/* in the order of the envelope; in the mail's arena */
};

#endif
