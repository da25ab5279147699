/* SPDX-License-Identifier: Apache-2.0
 *
 * parties: the servers of one incident, their roles and how sure that is.
 *
 * The peer of each surplus copy is an entry: certain, and maybe only a relay. A
 * culprit that was found in the copy is a suspect, and guilty when its address is
 * attested, two copies (or one with a connector's agreeing marks) blame it, it is
 * known to make copies (marks, or three recipients from one mail), and the
 * confidence (storm/party.h) is .90 or more.
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

#endif
