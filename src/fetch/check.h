/* SPDX-License-Identifier: Apache-2.0
 *
 * check: does the local server answer, and does it refuse to relay? For quell fetch
 * --check. No mail is sent.
 */
#ifndef QUELL_FETCH_CHECK_H
#define QUELL_FETCH_CHECK_H

#include "act/link.h"

struct check;

/* text: in words; is_fine false: mail could not be delivered there. Once, never from
 * within check_start; the struct is freed with check_free all the same. */
typedef void check_fn(void *ctx, bool is_fine, const char *text);
struct check *check_start(const struct link_setup *setup, check_fn *fn, void *ctx);
/* NULL is welcome; sets the pointer to NULL. Not from within fn. */
void check_free(struct check **check);

/* The address that the relay self-test asks for: nobody has it (R3). */
extern const char check_probe_address[];

#endif
