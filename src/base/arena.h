/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: the memory of one mail, freed in one stroke.
 *
 * Everything that lives exactly as long as one mail comes from its arena. An
 * arena has a ceiling; past it, or without memory, arena_alloc gives NULL and
 * sets is_over. arena_reset keeps the first block for the next mail.
 */
#ifndef QUELL_BASE_ARENA_H
#define QUELL_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *first, *current;
	size_t used_bytes, max_bytes;
	bool is_over;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_free(struct arena *a);
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type; NULL past the ceiling. */
void *arena_alloc(struct arena *a, size_t bytes);
/* A copy of s; the empty slice (and is_over) when there is no room. */
struct slice arena_copy(struct arena *a, struct slice s);

#endif
