/* SPDX-License-Identifier: Apache-2.0
 *
 * crew: a few threads share out numbered items of work.
 *
 * Each item is done once, by whichever worker is free, in no order. One worker is
 * the calling thread; crew_run returns when all have ended, so what they wrote can
 * be read then without a lock. Where threads cannot be started, fewer do the work.
 */
#ifndef QUELL_BASE_CREW_H
#define QUELL_BASE_CREW_H

#include <stdbool.h>
#include <stddef.h>

enum { CREW_WORKERS_MAX = 64 };

/* worker: 0 to workers - 1, never two at once with the same number. False: no item
 * is begun any more (those under way are finished). */
typedef bool crew_fn(void *ctx, unsigned worker, size_t item);

/* Runs items 0 to items - 1; workers is cut to 1 to CREW_WORKERS_MAX, and no more are
 * started than there are items. False when an item said so. */
bool crew_run(unsigned workers, size_t items, crew_fn *fn, void *ctx);

/* The cores this process may run on: 1 to CREW_WORKERS_MAX. */
unsigned crew_cores(void);

#endif
