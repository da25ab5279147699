/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct counter {
	struct loop *l;
	struct loop_timer *timer;
	int calls, stop_at;
};

static void count(void *ctx)
{
	struct counter *c = ctx;
	if (++c->calls == c->stop_at)
		loop_stop(c->l);
}

static void count_and_stop_timer(void *ctx)
{
	struct counter *c = ctx;
	count(c);
	if (c->calls == c->stop_at)
		loop_timer_stop(&c->timer);
}

static void a_timer_runs_once_or_again_until_it_is_stopped(void **state)
{
	(void)state;
	struct counter once = { .l = loop_new(NULL), .stop_at = 1 };
	once.timer = loop_timer_start(once.l, 5, 0, count, &once);
	loop_run(once.l);
	assert_int_equal(once.calls, 1);
	loop_run_once(once.l, 20);
	assert_int_equal(once.calls, 1);
	loop_timer_again(once.timer, 0);
	loop_run_once(once.l, 1000);
	assert_int_equal(once.calls, 2);
	loop_timer_again(once.timer, 0);
	loop_timer_pause(once.timer);
	loop_run_once(once.l, 20);
	assert_int_equal(once.calls, 2);
	loop_timer_again(once.timer, 0);
	loop_run_once(once.l, 1000);
	assert_int_equal(once.calls, 3);
	loop_timer_stop(&once.timer);
	assert_null(once.timer);

	struct counter many = { .l = once.l, .stop_at = 3 };
	many.timer = loop_timer_start(many.l, 0, 2, count_and_stop_timer, &many);
	loop_run(many.l);
	assert_int_equal(many.calls, 3);
	assert_null(many.timer);
	loop_run_once(many.l, 10);
	assert_int_equal(many.calls, 3);
	loop_free(many.l);
}

static void the_clock_stands_still_within_a_round(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	int64_t first = loop_now_ms(l), first_mono = loop_mono_ms(l);
	assert_true(first >= 1000000000000 && clock_now_ms() - first < 1000);
	usleep(20000);
	assert_int_equal(loop_now_ms(l), first);
	assert_int_equal(loop_mono_ms(l), first_mono);
	loop_run_once(l, 0);
	assert_true(loop_now_ms(l) >= first + 15);
	assert_true(loop_mono_ms(l) >= first_mono + 15);
	loop_free(l);
}

static char order[64];
static void note_hook(void *ctx) { strcat(order, ctx); }

struct flusher {
	struct loop *l;
	struct loop_flush flush;
};

static void ask_for_flush(void *ctx)
{
	struct flusher *f = ctx;
	strcat(order, "event ");
	loop_flush_soon(f->l, &f->flush);
	loop_flush_soon(f->l, &f->flush);
}

static void what_a_round_did_is_stored_before_it_is_sent(void **state)
{
	(void)state;
	char commit[] = "commit ", then[] = "then ", send[] = "send ";
	struct flusher f = { .l = loop_new(NULL) };
	order[0] = '\0';
	loop_flush_init(&f.flush, note_hook, send);
	assert_true(loop_at_round_end(f.l, note_hook, commit));
	assert_true(loop_at_round_end(f.l, note_hook, then));
	struct loop_timer *t = loop_timer_start(f.l, 0, 0, ask_for_flush, &f);
	loop_run_once(f.l, 1000);
	assert_string_equal(order, "event commit then send ");
	loop_timer_stop(&t);
	/* A flush taken back is not run; one that was asked for outside a round is. */
	order[0] = '\0';
	loop_flush_soon(f.l, &f.flush);
	list_remove(&f.flush.link);
	loop_run_once(f.l, 0);
	assert_string_equal(order, "commit then ");
	order[0] = '\0';
	loop_flush_soon(f.l, &f.flush);
	loop_run_once(f.l, 0);
	assert_string_equal(order, "send commit then ");
	for (int i = 0; i < 6; i++)
		assert_true(loop_at_round_end(f.l, note_hook, then));
	assert_false(loop_at_round_end(f.l, note_hook, then));
	loop_free(f.l);
}

static void *ring_from_a_thread(void *ctx)
{
	for (int i = 0; i < 1000; i++)
		loop_waker_ring(ctx);
	return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
	(void)state;
	struct counter c = { .l = loop_new(NULL), .stop_at = 1 };
	struct loop_waker *w = loop_waker_new(c.l, count, &c);
	assert_non_null(w);
	pthread_t thread;
	pthread_create(&thread, NULL, ring_from_a_thread, w);
	loop_run(c.l);
	pthread_join(thread, NULL);
	assert_true(c.calls >= 1);
	loop_run_once(c.l, 0);
	int calls = c.calls;
	loop_run_once(c.l, 0);
	assert_int_equal(c.calls, calls); /* no ring, no call */
	loop_waker_ring(w);
	loop_waker_ring(w);
	loop_run_once(c.l, 1000);
	assert_int_equal(c.calls, calls + 1);
	loop_waker_free(&w);
	assert_null(w);
	loop_free(c.l);
}

static void a_signal_is_a_call_and_a_broken_pipe_is_none(void **state)
{
	(void)state;
	struct counter c = { .l = loop_new(NULL), .stop_at = 1 };
	assert_true(loop_signal(c.l, SIGUSR1, count, &c));
	raise(SIGPIPE); /* would end the process */
	kill(getpid(), SIGUSR1);
	loop_run(c.l);
	assert_int_equal(c.calls, 1);
	loop_free(c.l);
}

static void a_loop_with_nothing_to_do_ends(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	loop_run(l);
	loop_free(l);
	loop_free(NULL);
}

static void without_memory_a_loop_says_so(void **state)
{
	(void)state;
	for (long n = 0; n < 2; n++) {
		struct error e = { .text = "" };
		mem_fail_after = n;
		struct loop *l = loop_new(&e);
		mem_fail_after = -1;
		assert_null(l);
		assert_true(strlen(e.text) > 5);
	}
	struct loop *l = loop_new(NULL);
	mem_fail_after = 0;
	assert_null(loop_timer_start(l, 1, 0, count, NULL));
	assert_null(loop_waker_new(l, count, NULL));
	mem_fail_after = -1;
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_runs_once_or_again_until_it_is_stopped),
		cmocka_unit_test(the_clock_stands_still_within_a_round),
		cmocka_unit_test(what_a_round_did_is_stored_before_it_is_sent),
		cmocka_unit_test(another_thread_wakes_the_loop),
		cmocka_unit_test(a_signal_is_a_call_and_a_broken_pipe_is_none),
		cmocka_unit_test(a_loop_with_nothing_to_do_ends),
		cmocka_unit_test(without_memory_a_loop_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
