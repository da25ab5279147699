/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: allocation with a switch that lets tests fail the n-th one.
 */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MEM_HUGE_PAGE_BYTES = 2 * 1024 * 1024, MEM_LARGE_BYTES = 8 * MEM_HUGE_PAGE_BYTES };

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

/* Tables are touched at random, so each page of theirs is a fault of its own: with
 * huge pages a restart with a full pair table takes 64 faults, not 32,768. Only
 * advice: where the kernel does not take it, nothing changes. */
static void *mem_advise(void *block, size_t bytes)
{
	if (!block || bytes < MEM_LARGE_BYTES)
		return block;
	uintptr_t page = MEM_HUGE_PAGE_BYTES, at = (uintptr_t)block;
	size_t skip = (size_t)((page - at % page) % page);
	madvise((char *)block + skip, (bytes - skip) / page * page, MADV_HUGEPAGE);
	return block;
}

void *mem_alloc(size_t bytes)
{
	return mem_is_refused() ? NULL : mem_advise(calloc(1, bytes ? bytes : 1), bytes);
}

void *mem_alloc_array(size_t count, size_t bytes_each)
{
	if (mem_is_refused())
		return NULL;
	/* calloc has refused a product that overflows. */
	return mem_advise(calloc(count ? count : 1, bytes_each ? bytes_each : 1), count * bytes_each);
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
