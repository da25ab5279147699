/* SPDX-License-Identifier: Apache-2.0
 *
 * crew: one shared counter; whoever is free takes the next number.
 */
#include "base/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct crew {
	crew_fn *fn;
	void *ctx;
	size_t items;
	atomic_size_t next;
	atomic_bool is_stopped;
};

struct crew_worker {
	struct crew *crew;
	unsigned number;
	pthread_t thread;
};

static void *crew_work(void *arg)
{
	const struct crew_worker *w = arg;
	struct crew *c = w->crew;
	while (!atomic_load_explicit(&c->is_stopped, memory_order_relaxed)) {
		size_t item = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
		if (item >= c->items)
			break;
		if (!c->fn(c->ctx, w->number, item))
			atomic_store(&c->is_stopped, true);
	}
	return NULL;
}

static unsigned crew_size(unsigned workers, size_t items)
{
	if (workers > CREW_WORKERS_MAX)
		workers = CREW_WORKERS_MAX;
	if (workers > items)
		workers = (unsigned)items;
	return workers > 0 ? workers : 1;
}

bool crew_run(unsigned workers, size_t items, crew_fn *fn, void *ctx)
{
	struct crew crew = { .fn = fn, .ctx = ctx, .items = items };
	struct crew_worker all[CREW_WORKERS_MAX];
	unsigned size = crew_size(workers, items), started = 1;

	all[0] = (struct crew_worker){ .crew = &crew };
	for (; started < size; started++) {
		struct crew_worker *w = &all[started];
		*w = (struct crew_worker){ .crew = &crew, .number = started };
		if (pthread_create(&w->thread, NULL, crew_work, w) != 0)
			break;
	}
	crew_work(&all[0]);
	while (--started > 0)
		pthread_join(all[started].thread, NULL);
	return !crew.is_stopped;
}

unsigned crew_cores(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	if (count < 1)
		return 1;
	return count < CREW_WORKERS_MAX ? (unsigned)count : CREW_WORKERS_MAX;
}
