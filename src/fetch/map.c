/* SPDX-License-Identifier: Apache-2.0
 *
 * map: rows sorted by address, found by halving.
 */
#include "fetch/map.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdlib.h>

enum { MAP_ARENA_BYTES = 8 * 1024 * 1024 };

struct mailbox {
	struct slice address;  /* lower case; what the ISP writes */
	const char *name;      /* the local one */
};

struct map {
	struct arena arena;
	struct mailbox *rows;
	size_t count;
	struct mailbox owner;
	bool has_owner;
};

static int slice_compare(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int row_compare(const void *a, const void *b)
{
	const struct mailbox *x = a, *y = b;
	return slice_compare(x->address, y->address);
}

static struct slice map_lower(struct map *map, struct slice s)
{
	char *copy = arena_alloc(&map->arena, s.len + 1);
	for (size_t i = 0; copy && i < s.len; i++)
		copy[i] = ascii_lower(s.ptr[i]);
	return slice_make(copy, copy ? s.len : 0);
}

static const char *map_text(struct map *map, struct slice s)
{
	char *copy = arena_alloc(&map->arena, s.len + 1);
	if (copy && s.len > 0)
		memcpy(copy, s.ptr, s.len);
	return copy ? copy : "";
}

static void map_fill(struct map *map, const struct setting_list *list)
{
	map->rows = arena_alloc(&map->arena, (list->count + 1) * sizeof *map->rows);
	for (size_t i = 0; map->rows && i < list->count; i++) {
		struct slice address, mailbox;
		if (!account_map_parts(slice_from_str(list->items[i]), &address, &mailbox))
			continue;
		map->rows[map->count].address = map_lower(map, address);
		map->rows[map->count++].name = map_text(map, mailbox);
	}
	if (map->count > 0)
		qsort(map->rows, map->count, sizeof *map->rows, row_compare);
}

struct map *map_new(const struct account_settings *settings)
{
	struct map *map = mem_alloc(sizeof *map);
	if (!map)
		return NULL;
	arena_init(&map->arena, MAP_ARENA_BYTES);
	map->has_owner = settings->mailbox[0] != '\0';
	if (map->has_owner)
		map->owner.name = map_text(map, slice_from_str(settings->mailbox));
	else
		map_fill(map, &settings->map);
	if (map->arena.is_over)
		map_free(&map);
	return map;
}

void map_free(struct map **map)
{
	if (!*map)
		return;
	arena_free(&(*map)->arena);
	mem_free(*map);
	*map = NULL;
}

const struct mailbox *map_owner(const struct map *map)
{
	return map->has_owner ? &map->owner : NULL;
}

const struct mailbox *map_find(const struct map *map, struct slice address)
{
	char lower[512];
	if (address.len == 0 || address.len > sizeof lower || map->count == 0)
		return NULL;
	for (size_t i = 0; i < address.len; i++)
		lower[i] = ascii_lower(address.ptr[i]);
	const struct mailbox key = { .address = slice_make(lower, address.len) };
	return bsearch(&key, map->rows, map->count, sizeof *map->rows, row_compare);
}

const struct mailbox *map_find_name(const struct map *map, struct slice name)
{
	if (map->has_owner)
		return slice_equal_nocase(name, slice_from_str(map->owner.name)) ? &map->owner : NULL;
	for (size_t i = 0; i < map->count; i++)
		if (slice_equal_nocase(name, slice_from_str(map->rows[i].name)))
			return &map->rows[i];
	return NULL;
}

const char *mailbox_name(const struct mailbox *mailbox)
{
	return mailbox->name;
}
