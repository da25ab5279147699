/* SPDX-License-Identifier: Apache-2.0
 *
 * tally: open addressing, never more than half full.
 */
#include "flow/tally.h"

#include "base/mem.h"

#include <string.h>

bool tally_begin(struct tally *t, size_t keys_max)
{
	*t = (struct tally){ .slots = 2 * keys_max + 1 };
	t->keys = mem_alloc_array(t->slots, sizeof *t->keys);
	t->counts = mem_alloc_array(t->slots, sizeof *t->counts);
	if (t->keys && t->counts)
		return true;
	tally_free(t);
	return false;
}

void tally_free(struct tally *t)
{
	mem_free(t->keys);
	mem_free(t->counts);
	*t = (struct tally){ 0 };
}

void tally_clear(struct tally *t)
{
	memset(t->keys, 0, t->slots * sizeof *t->keys);
	memset(t->counts, 0, t->slots * sizeof *t->counts);
}

uint32_t *tally_at(struct tally *t, uint64_t key)
{
	size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 16) % t->slots;
	while (t->keys[at] != 0 && t->keys[at] != key)
		at = at + 1 == t->slots ? 0 : at + 1;
	t->keys[at] = key;
	return &t->counts[at];
}
