/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: allocation with a switch that lets tests fail the n-th one.
 */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

atomic_long mem_fail_after = -1;

static int mem_is_refused(void)
{
	if (mem_fail_after < 0)
		return 0;
	if (atomic_fetch_sub(&mem_fail_after, 1) > 0)
		return 0;
	mem_fail_after = 0; /* of several threads none may bring it below */
	return 1;
}

void *mem_alloc(size_t bytes)
{
	return mem_is_refused() ? NULL : calloc(1, bytes ? bytes : 1);
}

void *mem_alloc_array(size_t count, size_t bytes_each)
{
	return mem_is_refused() ? NULL : calloc(count ? count : 1, bytes_each ? bytes_each : 1);
}

void *mem_resize(void *block, size_t bytes)
{
	return mem_is_refused() ? NULL : realloc(block, bytes ? bytes : 1);
}

void mem_free(void *block)
{
	free(block);
}

void *mem_must_alloc(size_t bytes)
{
	void *block = calloc(1, bytes ? bytes : 1);
	if (!block) {
		fprintf(stderr, "quell: out of memory at start (%zu bytes)\n", bytes);
		abort();
	}
	return block;
}

char *mem_copy_str(const char *ptr, size_t n)
{
	char *copy = mem_alloc(n + 1);
	if (copy && n > 0)
		memcpy(copy, ptr, n);
	return copy;
}
