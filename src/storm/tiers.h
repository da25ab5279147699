/* SPDX-License-Identifier: Apache-2.0
 *
 * tiers: is this copy the same mail as an earlier one, and how is that known?
 * (algorithms.md 1.3)
 *
 * All tiers need equal content (the caller has found the instance). T1: the same
 * copy again. T2: made again by another machine, with proof. T3: the same text
 * and nothing else, a repetition, which is never withheld.
 */
#ifndef QUELL_STORM_TIERS_H
#define QUELL_STORM_TIERS_H

#include "storm/culprit.h"
#include "storm/nonces.h"

/* Signs of a re-made copy, as found; all of them are said in the reason. */
enum proof {
	PROOF_MARKER = 1,       /* the connector's prefix or "IMB Recipient" */
	PROOF_FOREIGN_DOOR = 2, /* another organisation than the one that brought it first */
	PROOF_AUDIENCE = 4,     /* the emitter's domain is among To and Cc */
	PROOF_PICKUP = 8,       /* a pickup hop by an organisation that is not From's */
	PROOF_MINTED = 16,      /* an MS-style id minted after the first sighting */
	PROOF_NONCE = 32,       /* a boundary or Thread-Index carried over */
};

struct tier_result {
	enum tier tier;
	const char *why;     /* in words: "same Message-ID and Date as the first copy" */
	unsigned proofs;     /* enum proof */
	bool is_fresh;       /* the author is authenticated: a repetition at most */
	bool is_foreign;     /* came through a foreign door */
};

/* Organisation that this mail is to be put down to: hash, never 0 unless nothing
 * at all is known of the peer. */
uint32_t tier_door(const uint8_t *key, const struct peer *peer, const struct culprit *culprit);

/* Why the copy is T1, or NULL when it is not. inst: the known instance; nonces:
 * this mail's; is_stamped: it carries a valid own stamp with this content. */
const char *tier_same_copy(const struct instance *inst, const uint64_t nonces[NONCE_KINDS],
			   const struct nonces *constants, bool is_stamped);

/* T2 or T3, for a copy that is not T1. */
struct tier_result tier_made_again(const struct facts *facts, const struct instance *inst,
				   const uint64_t nonces[NONCE_KINDS],
				   const struct nonces *constants, const struct culprit *culprit,
				   uint32_t door);

#endif
