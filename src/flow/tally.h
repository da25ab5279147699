/* SPDX-License-Identifier: Apache-2.0
 *
 * tally: a counter for each 64-bit key, for a known number of keys. 24 bytes a key;
 * private to this room.
 */
#ifndef QUELL_FLOW_TALLY_H
#define QUELL_FLOW_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally {
	uint64_t *keys;     /* 0: free */
	uint32_t *counts;
	size_t slots;
};

/* For at most keys_max adds. False without memory; the tally is then empty. */
bool tally_begin(struct tally *t, size_t keys_max);
void tally_free(struct tally *t);
/* Forgets all; the room stays. */
void tally_clear(struct tally *t);
/* The counter of key (not 0), which begins with 0; good until tally_clear. */
uint32_t *tally_at(struct tally *t, uint64_t key);

#endif
