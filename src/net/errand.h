/* SPDX-License-Identifier: Apache-2.0
 *
 * errand: work that would hold up the loop (a program, libcurl, syslog), in a thread of
 * its own; the loop is told when it is done.
 *
 * The owner lends ctx: work has it to itself until done is called. All signals are blocked
 * in the thread; they are for the loop's.
 */
#ifndef QUELL_NET_ERRAND_H
#define QUELL_NET_ERRAND_H

#include "net/loop.h"

struct errand;

/* work runs in the thread, then done in the loop: once, never from within. NULL: no memory,
 * or no thread; neither is called then. */
struct errand *errand_start(struct loop *l, loop_fn *work, loop_fn *done, void *ctx);
/* WAITS until work has ended (the owner tells it to hurry), and frees; also from within
 * done. done is not called any more. Sets the pointer to NULL; NULL is welcome. */
void errand_end(struct errand **e);

#endif
