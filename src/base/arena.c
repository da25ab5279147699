/* SPDX-License-Identifier: Apache-2.0
 *
 * arena: a chain of blocks, handed out from the front, freed together.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>

enum { ARENA_BLOCK_BYTES = 8 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
	*a = (struct arena){ .max_bytes = max_bytes };
}

static void arena_free_chain(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;
		mem_free(block);
		block = next;
	}
}

void arena_free(struct arena *a)
{
	arena_free_chain(a->first);
	*a = (struct arena){ .max_bytes = a->max_bytes };
}

void arena_reset(struct arena *a)
{
	a->used_bytes = 0;
	a->is_over = false;
	a->current = a->first;
	if (!a->first)
		return;
	arena_free_chain(a->first->next);
	a->first->next = NULL;
	a->first->used = 0;
}

static struct arena_block *arena_add_block(struct arena *a, size_t bytes)
{
	size_t cap = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
	struct arena_block *block = mem_alloc(sizeof *block + cap);
	if (!block)
		return NULL;
	block->cap = cap;
	if (a->current)
		a->current->next = block;
	else
		a->first = block;
	a->current = block;
	return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t align = alignof(max_align_t);
	if (bytes > a->max_bytes) {
		a->is_over = true;
		return NULL;
	}
	bytes = (bytes + align - 1) / align * align;
	struct arena_block *block = a->current;
	bool is_within = a->used_bytes + bytes <= a->max_bytes;
	if (is_within && (!block || block->cap - block->used < bytes))
		block = arena_add_block(a, bytes);
	if (!is_within || !block) {
		a->is_over = true;
		return NULL;
	}
	void *at = block->bytes + block->used;
	block->used += bytes;
	a->used_bytes += bytes;
	return memset(at, 0, bytes);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
	char *to = s.len ? arena_alloc(a, s.len) : NULL;
	if (!to)
		return slice_make(NULL, 0);
	memcpy(to, s.ptr, s.len);
	return slice_make(to, s.len);
}
