/* SPDX-License-Identifier: Apache-2.0
 *
 * releases: pairs of which one held copy is to be let go at a given time.
 *
 * Used where nothing confirms that the MTA took a copy over: the pair's first
 * surplus copy is held, and after a while one copy is released, in case the
 * first was lost after us (DESIGN 4). Bounded; when it is full the surplus copy
 * is delivered instead of held, because a hold that nobody ends would be a loss.
 */
#ifndef QUELL_STORM_RELEASES_H
#define QUELL_STORM_RELEASES_H

#include "storm/pairs.h"

struct release {
	uint8_t pair[PAIR_BYTES];
	bool is_live;
	int64_t due_ms;
};

/* Due times are nearly in order, so a ring with holes is enough. */
struct releases {
	struct release *ring;
	size_t cap, first, count;
};

bool releases_init(struct releases *r, size_t bytes);
void releases_free(struct releases *r);
size_t releases_bytes(const struct releases *r);
/* False when full. */
bool releases_add(struct releases *r, const uint8_t pair[PAIR_BYTES], int64_t due_ms);
void releases_cancel(struct releases *r, const uint8_t pair[PAIR_BYTES]);
/* Takes the next one that is due off; false when there is none. */
bool releases_take_due(struct releases *r, int64_t now_ms, struct release *release_out);
/* The n-th from the oldest; NULL past the end; is_live says whether it counts. */
const struct release *releases_at(const struct releases *r, size_t n);

#endif
