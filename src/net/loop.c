/* SPDX-License-Identifier: Apache-2.0
 *
 * loop: rounds over a libevent base.
 *
 * libevent waits and dispatches; the round around it (hooks, then one write per
 * stream) is ours, which is why event_base_loop is called with EVLOOP_ONCE. The
 * change list of epoll is used: adding and dropping a short session costs fewer
 * system calls. It forbids dup()ed descriptors in the loop; none is made here.
 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOP_HOOKS_MAX = 8, LOOP_SIGNALS_MAX = 16 };

struct loop_hook {
	loop_fn *fn;
	void *ctx;
};

struct loop_signal_row {
	struct event *event;
	struct loop_hook hook;
};

struct loop {
	struct event_base *base;
	struct event *wait_limit; /* ends a round of loop_run_once in time */
	struct list flushes;      /* of struct loop_flush */
	struct loop_hook hooks[LOOP_HOOKS_MAX];
	size_t hook_count;
	struct loop_signal_row signals[LOOP_SIGNALS_MAX];
	size_t signal_count;
	int64_t now_ms, mono_ms;
	bool has_now, has_mono, is_stopped;
	char *scratch, *scratch_plain;
	struct loop_hook resolver; /* fn frees ctx */
};

static struct timeval timeval_of_ms(int64_t ms)
{
	if (ms < 0)
		ms = 0;
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

static void on_wait_limit(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	if (!config)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct loop *loop_new(struct error *e)
{
	struct loop *l = mem_alloc(sizeof *l);
	if (!l) {
		error_set(e, EXIT_TRY_AGAIN, "no memory for the event loop");
		return NULL;
	}
	list_init(&l->flushes);
	l->scratch = mem_alloc(LOOP_SCRATCH_BYTES);
	l->base = base_new();
	l->wait_limit = l->base ? evtimer_new(l->base, on_wait_limit, NULL) : NULL;
	if (!l->scratch || !l->wait_limit) {
		error_set(e, EXIT_TRY_AGAIN, "the event loop cannot start: %s", strerror(errno));
		loop_free(l);
		return NULL;
	}
	signal(SIGPIPE, SIG_IGN);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->signal_count; i++)
		event_free(l->signals[i].event);
	if (l->wait_limit)
		event_free(l->wait_limit);
	if (l->resolver.fn)
		l->resolver.fn(l->resolver.ctx);
	if (l->base)
		event_base_free(l->base);
	mem_free(l->scratch);
	mem_free(l->scratch_plain);
	mem_free(l);
}

static void loop_run_flushes(struct loop *l)
{
	/* A flush may close its stream, never put itself back: so this ends. */
	while (!list_is_empty(&l->flushes)) {
		struct list *node = l->flushes.next;
		list_remove(node);
		struct loop_flush *f = LIST_OWNER(node, struct loop_flush, link);
		f->fn(f->ctx);
	}
}

/* False when nothing is registered. */
static bool loop_round(struct loop *l, int flags)
{
	int result = event_base_loop(l->base, flags);
	for (size_t i = 0; i < l->hook_count; i++)
		l->hooks[i].fn(l->hooks[i].ctx);
	loop_run_flushes(l);
	l->has_now = l->has_mono = false;
	return result == 0;
}

void loop_run(struct loop *l)
{
	l->is_stopped = false;
	loop_run_flushes(l); /* what was written before the first round */
	while (!l->is_stopped && loop_round(l, EVLOOP_ONCE))
		;
}

void loop_run_once(struct loop *l, int64_t max_wait_ms)
{
	struct timeval limit = timeval_of_ms(max_wait_ms);
	/* What was written outside any round leaves before waiting for its answer. */
	loop_run_flushes(l);
	if (max_wait_ms > 0)
		event_add(l->wait_limit, &limit);
	loop_round(l, max_wait_ms == 0 ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
	event_del(l->wait_limit);
}

void loop_stop(struct loop *l)
{
	l->is_stopped = true;
}

int64_t loop_now_ms(struct loop *l)
{
	if (!l->has_now) {
		l->now_ms = clock_now_ms();
		l->has_now = true;
	}
	return l->now_ms;
}

int64_t loop_mono_ms(struct loop *l)
{
	if (!l->has_mono) {
		l->mono_ms = clock_mono_us() / 1000;
		l->has_mono = true;
	}
	return l->mono_ms;
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

char *loop_scratch(struct loop *l)
{
	return l->scratch;
}

char *loop_scratch_plain(struct loop *l)
{
	if (!l->scratch_plain)
		l->scratch_plain = mem_alloc(LOOP_SCRATCH_BYTES);
	return l->scratch_plain;
}

void *loop_resolver(const struct loop *l)
{
	return l->resolver.ctx;
}

void loop_set_resolver(struct loop *l, void *resolver, loop_fn *free_fn)
{
	l->resolver = (struct loop_hook){ free_fn, resolver };
}

/* ---- timers ---- */

struct loop_timer {
	struct event *event;
	int64_t every_ms;
	struct loop_hook hook;
};

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	struct loop_timer *t = ctx;
	/* Set again first: the call may stop (and free) the timer. */
	if (t->every_ms > 0)
		loop_timer_again(t, t->every_ms);
	t->hook.fn(t->hook.ctx);
}

struct loop_timer *loop_timer_start(struct loop *l, int64_t after_ms, int64_t every_ms, loop_fn *fn,
				    void *ctx)
{
	struct loop_timer *t = mem_alloc(sizeof *t);
	if (!t)
		return NULL;
	t->every_ms = every_ms;
	t->hook = (struct loop_hook){ fn, ctx };
	t->event = evtimer_new(l->base, on_timer, t);
	if (!t->event) {
		mem_free(t);
		return NULL;
	}
	loop_timer_again(t, after_ms);
	return t;
}

void loop_timer_again(struct loop_timer *t, int64_t after_ms)
{
	struct timeval tv = timeval_of_ms(after_ms);
	evtimer_add(t->event, &tv);
}

void loop_timer_pause(struct loop_timer *t)
{
	evtimer_del(t->event);
}

void loop_timer_stop(struct loop_timer **t)
{
	if (!*t)
		return;
	event_free((*t)->event);
	mem_free(*t);
	*t = NULL;
}

/* ---- signals, wakers, hooks, flushes ---- */

static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	struct loop_signal_row *row = ctx;
	row->hook.fn(row->hook.ctx);
}

bool loop_signal(struct loop *l, int signal_number, loop_fn *fn, void *ctx)
{
	if (l->signal_count == LOOP_SIGNALS_MAX)
		return false;
	struct loop_signal_row *row = &l->signals[l->signal_count];
	row->hook = (struct loop_hook){ fn, ctx };
	row->event = evsignal_new(l->base, signal_number, on_signal, row);
	if (!row->event || evsignal_add(row->event, NULL) != 0) {
		if (row->event)
			event_free(row->event);
		return false;
	}
	l->signal_count++;
	return true;
}

struct loop_waker {
	struct event *event;
	int fd;
	struct loop_hook hook;
};

static void on_ring(evutil_socket_t fd, short what, void *ctx)
{
	(void)what;
	struct loop_waker *w = ctx;
	uint64_t rings;
	if (read(fd, &rings, sizeof rings) == sizeof rings)
		w->hook.fn(w->hook.ctx);
}

struct loop_waker *loop_waker_new(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_waker *w = mem_alloc(sizeof *w);
	if (!w)
		return NULL;
	w->hook = (struct loop_hook){ fn, ctx };
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->event = w->fd < 0 ? NULL : event_new(l->base, w->fd, EV_READ | EV_PERSIST, on_ring, w);
	if (!w->event || event_add(w->event, NULL) != 0)
		loop_waker_free(&w);
	return w;
}

void loop_waker_ring(struct loop_waker *w)
{
	const uint64_t one = 1;
	ssize_t n = write(w->fd, &one, sizeof one);
	(void)n; /* full means that a ring is waiting already */
}

void loop_waker_free(struct loop_waker **w)
{
	if (!*w)
		return;
	if ((*w)->event)
		event_free((*w)->event);
	if ((*w)->fd >= 0)
		close((*w)->fd);
	mem_free(*w);
	*w = NULL;
}

bool loop_at_round_end(struct loop *l, loop_fn *fn, void *ctx)
{
	if (l->hook_count == LOOP_HOOKS_MAX)
		return false;
	l->hooks[l->hook_count++] = (struct loop_hook){ fn, ctx };
	return true;
}

void loop_flush_init(struct loop_flush *f, loop_fn *fn, void *ctx)
{
	list_init(&f->link);
	f->fn = fn;
	f->ctx = ctx;
}

void loop_flush_soon(struct loop *l, struct loop_flush *f)
{
	if (list_is_empty(&f->link))
		list_add(&l->flushes, &f->link);
}
