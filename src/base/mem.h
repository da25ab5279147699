/* SPDX-License-Identifier: Apache-2.0
 *
 * mem: the one place where memory comes from.
 *
 * mem_alloc and friends return zeroed memory or NULL; a NULL is a *system*
 * trouble that the caller degrades on (a mail that cannot be judged for want of
 * memory is delivered). mem_must_* is for start-up, where dying is right.
 * Tests set mem_fail_after to make the n-th allocation fail (tests/fault).
 */
#ifndef QUELL_BASE_MEM_H
#define QUELL_BASE_MEM_H

#include <stdatomic.h>
#include <stddef.h>

/* Zeroed; NULL when there is none. Size 0 gives a unique pointer. */
void *mem_alloc(size_t bytes);
/* Like calloc: refuses a product that overflows. */
void *mem_alloc_array(size_t count, size_t bytes_each);
/* Grows or shrinks; the new part is not zeroed. On NULL the old block stays. */
void *mem_resize(void *block, size_t bytes);
/* NULL is welcome. */
void mem_free(void *block);
/* As mem_alloc, but ends the process with a message when there is none. */
void *mem_must_alloc(size_t bytes);
/* A NUL-terminated copy of n bytes; NULL when there is no memory. */
char *mem_copy_str(const char *ptr, size_t n);

/* Fault injection: after this many more allocations every one fails; negative
 * (the default) never. Only tests touch it. */
extern atomic_long mem_fail_after;

#endif
