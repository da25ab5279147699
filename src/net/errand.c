/* SPDX-License-Identifier: Apache-2.0
 *
 * errand: one thread, one piece of work, one ring.
 */
#include "net/errand.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

struct errand {
	struct loop_waker *waker;
	pthread_t thread;
	bool is_started, was_told;
	loop_fn *work, *done;
	void *ctx;
};

static void *errand_thread(void *ctx)
{
	struct errand *e = ctx;
	e->work(e->ctx);
	loop_waker_ring(e->waker);
	return NULL;
}

static void errand_join(struct errand *e)
{
	if (e->is_started)
		pthread_join(e->thread, NULL);
	e->is_started = false;
}

static void errand_on_rung(void *ctx)
{
	struct errand *e = ctx;
	errand_join(e);
	if (e->was_told)
		return;
	e->was_told = true;
	e->done(e->ctx); /* may free e */
}

struct errand *errand_start(struct loop *l, loop_fn *work, loop_fn *done, void *ctx)
{
	sigset_t all, before;
	struct errand *e = mem_alloc(sizeof *e);
	if (!e)
		return NULL;
	e->work = work;
	e->done = done;
	e->ctx = ctx;
	e->waker = loop_waker_new(l, errand_on_rung, e);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e->is_started = e->waker && pthread_create(&e->thread, NULL, errand_thread, e) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!e->is_started)
		errand_end(&e);
	return e;
}

void errand_end(struct errand **errand)
{
	struct errand *e = *errand;
	*errand = NULL;
	if (!e)
		return;
	errand_join(e);
	loop_waker_free(&e->waker);
	mem_free(e);
}
