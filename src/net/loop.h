/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: one event loop for every door, in rounds.
 *
 * A round: wait, run what is ready, run the round-end hooks in the order they
 * were added, then send each stream's pending bytes with one write. So what many
 * sessions did in a round can be stored with one commit before any of them is
 * answered (promise 4), and system calls stay few.
 *
 * One thread owns the loop; only waker_ring may be called from others. Callbacks
 * must not block. The loop must outlive all that is registered with it. Signals
 * and timers run inside the round like any event; SIGPIPE is ignored.
 */
#ifndef QUELL_NET_LOOP_H
#define QUELL_NET_LOOP_H

#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;

/* NULL and *e when the system refuses. */
struct loop *loop_new(struct error *e);
/* NULL is welcome. */
void loop_free(struct loop *l);

/* Rounds until loop_stop, or until nothing is registered any more. */
void loop_run(struct loop *l);
/* One round that waits at most max_wait_ms (0: only what is ready; < 0: for ever). */
void loop_run_once(struct loop *l, int64_t max_wait_ms);
/* Ends loop_run after this round; the answers of the round are still sent. */
void loop_stop(struct loop *l);

/* Wall clock, read at most once a round (clock.h: ms since 1970 UTC). */
int64_t loop_now_ms(struct loop *l);
/* Never goes back; unrelated to the wall clock; read at most once a round. */
int64_t loop_mono_ms(struct loop *l);

/* For evhttp and the like; owned by the loop. */
struct event_base *loop_base(struct loop *l);

typedef void loop_fn(void *ctx);

/* A timer: first after after_ms, then every every_ms (0: once only). NULL without
 * memory. loop_timer_stop frees it (also from within its own call) and sets the
 * caller's pointer to NULL; a timer that ran once must still be stopped. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *l, int64_t after_ms, int64_t every_ms, loop_fn *fn,
				    void *ctx);
/* Runs it after after_ms from now instead (again, if it ran already). */
void loop_timer_again(struct loop_timer *t, int64_t after_ms);
/* Does not run until loop_timer_again: so a timer can be had before it is needed. */
void loop_timer_pause(struct loop_timer *t);
void loop_timer_stop(struct loop_timer **t);

/* Calls fn in the loop when the signal arrives, for the rest of the loop's life. */
bool loop_signal(struct loop *l, int signal_number, loop_fn *fn, void *ctx);

/* Wakes the loop from another thread or a signal handler; rings that come before
 * fn ran are one. Freed with loop_waker_free, after the other threads ended. */
struct loop_waker;
struct loop_waker *loop_waker_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_waker_ring(struct loop_waker *w);
void loop_waker_free(struct loop_waker **w);

/* Calls fn at the end of every round, before the answers are sent. fn may write to
 * streams. Few hooks; for the rest of the loop's life. */
bool loop_at_round_end(struct loop *l, loop_fn *fn, void *ctx);

/* Something to be done once at the end of this round, before the answers are sent: what
 * many sessions of a round share. The owner's struct holds the node; list_remove takes it
 * back. It must not put itself back from within. */
struct loop_flush {
	struct list link;
	loop_fn *fn;
	void *ctx;
};
void loop_flush_init(struct loop_flush *f, loop_fn *fn, void *ctx);
void loop_flush_soon(struct loop *l, struct loop_flush *f);
/* A buffer shared by all streams of the loop for one read. */
enum { LOOP_SCRATCH_BYTES = 256 * 1024 };
char *loop_scratch(struct loop *l);
/* A second one, of the same size, for what TLS makes of the first; made when first
 * needed, NULL without memory. */
char *loop_scratch_plain(struct loop *l);

/* The loop's resolver (resolve.c alone): made when first needed, given to free_fn by
 * loop_free. NULL as long as there is none. */
void *loop_resolver(const struct loop *l);
void loop_set_resolver(struct loop *l, void *resolver, loop_fn *free_fn);

#endif
