/* SPDX-License-Identifier: Apache-2.0
 *
 * generations: journal.N and snapshot.N by their numbers.
 *
 * snapshot.N is the whole state at the moment journal.N began. A start reads the
 * newest snapshot and every journal from its number on. Older files are deleted
 * only after a newer snapshot is durable, so at any moment there is a complete way
 * back to the newest state.
 */
#include "store/inside.h"

#include "base/mem.h"
#include "store/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { GENERATIONS_MAX = 100000 };

void generation_name(char out[40], enum journal_kind kind, uint64_t generation)
{
	snprintf(out, 40, "%s.%llu", kind == JOURNAL_SNAPSHOT ? "snapshot" : "journal",
		 (unsigned long long)generation);
}

static bool generation_parse(const char *name, const char *prefix, uint64_t *generation_out)
{
	size_t len = strlen(prefix);
	if (strncmp(name, prefix, len) != 0)
		return false;
	struct slice digits = slice_from_str(name + len);
	if (digits.len == 0 || digits.len > 18 || (digits.ptr[0] == '0' && digits.len > 1))
		return false;
	return slice_to_u64(digits, generation_out);
}

static bool generation_add(uint64_t **list, size_t *count, uint64_t generation)
{
	enum { STEP = 64 };
	if (*count >= GENERATIONS_MAX)
		return false;
	if (*count % STEP == 0) {
		uint64_t *grown = mem_resize(*list, (*count + STEP) * sizeof **list);
		if (!grown)
			return false;
		*list = grown;
	}
	(*list)[(*count)++] = generation;
	return true;
}

static int generation_order(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static bool generations_read(DIR *dir, struct generations *g)
{
	const struct dirent *entry;
	uint64_t n;
	while ((entry = readdir(dir))) {
		if (generation_parse(entry->d_name, "journal.", &n)) {
			if (!generation_add(&g->logs, &g->log_count, n))
				return false;
		} else if (generation_parse(entry->d_name, "snapshot.", &n)) {
			if (!generation_add(&g->snapshots, &g->snapshot_count, n))
				return false;
		}
	}
	return true;
}

bool generations_list(int dir_fd, struct generations *g_out)
{
	*g_out = (struct generations){ 0 };
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool is_read = generations_read(dir, g_out);
	closedir(dir);
	if (!is_read) {
		generations_free(g_out);
		return false;
	}
	if (g_out->log_count > 0)
		qsort(g_out->logs, g_out->log_count, sizeof *g_out->logs, generation_order);
	if (g_out->snapshot_count > 0)
		qsort(g_out->snapshots, g_out->snapshot_count, sizeof *g_out->snapshots, generation_order);
	return true;
}

void generations_free(struct generations *g)
{
	mem_free(g->logs);
	mem_free(g->snapshots);
	*g = (struct generations){ 0 };
}

void generations_drop(int dir_fd, uint64_t generation)
{
	struct generations g;
	char name[40];
	if (!generations_list(dir_fd, &g))
		return;
	/* The order is of no matter: a newer snapshot is there, and these come before it. */
	for (size_t i = 0; i < g.snapshot_count && g.snapshots[i] < generation; i++) {
		generation_name(name, JOURNAL_SNAPSHOT, g.snapshots[i]);
		disk_unlink(dir_fd, name);
	}
	for (size_t i = 0; i < g.log_count && g.logs[i] < generation; i++) {
		generation_name(name, JOURNAL_LOG, g.logs[i]);
		disk_unlink(dir_fd, name);
	}
	generations_free(&g);
}
