/* SPDX-License-Identifier: Apache-2.0
 *
 * parties: the servers of one incident, their roles and how sure that is.
 *
 * The peer of each surplus copy is an entry: certain, and maybe only a relay. A
 * culprit that was found in the copy is a suspect, and guilty when its address is
 * attested, two copies (or one with a connector's agreeing marks) blame it, it is
 * known to make copies (marks, or three recipients from one mail), and the
 * confidence is .90 or more: logit(.05) + for each peer ln(c/(1-c)) (1 + log2 n),
 * so that many copies through one relay are one witness (algorithms.md 2.2).
 */
#ifndef QUELL_STORM_PARTIES_H
#define QUELL_STORM_PARTIES_H

#include "storm/incidents.h"

struct sighting {
	const struct facts *facts;
	const struct peer *peer;
	const struct culprit *culprit;
	unsigned surplus;    /* pairs of this mail */
	int64_t now_ms;
	uint64_t peer_hash;  /* of the peer's address */
};

void parties_note(struct track *track, const struct sighting *sighting);
/* What can be had back of a party that the store remembers: it keeps its role
 * until new copies say more. */
void party_track_restore(struct party_track *t, const struct party *party);

#endif
