/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: one read a wake-up, one write a round.
 *
 * Events are embedded, not allocated. Input goes to the loop's scratch buffer
 * first; only a remainder moves into the stream's own buffer, which is given back
 * when it empties. A stream closed within its own callback is freed when that
 * callback returns (is_busy), so that owners may close wherever they like.
 */
#include "net/stream.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	STREAM_READ_BYTES = 64 * 1024, /* at most in one read behind a remainder */
	STREAM_KEEP_BYTES = 4 * 1024,  /* buffer memory that an idle stream may keep */
	STREAM_FINISH_MS = 30 * 1000,
};

struct stream {
	struct loop *loop;
	int fd;
	struct stream_calls calls;
	void *ctx;
	struct stream_setup setup;
	struct event read_event, write_event;
	struct loop_flush flush;
	struct buf in, out;
	int64_t last_ms;     /* loop_mono_ms of the last byte in or out */
	unsigned is_busy;    /* callbacks on the stack */
	bool is_ended;       /* on_end was called */
	bool is_closed;      /* no callback any more; freed when not busy */
	bool is_finishing;   /* closes when out is empty */
	bool is_paused;      /* by the owner */
	bool is_held;        /* by us: too much unsent */
	bool is_blocked;     /* waits for the socket to take more */
	bool is_resumed;     /* the next read event only hands out what is there */
};

const char *stream_end_text(enum stream_end end)
{
	static const char *const texts[] = {
		[STREAM_EOF] = "closed by peer",
		[STREAM_IDLE] = "idle for too long",
		[STREAM_ERROR] = "error",
		[STREAM_OVER_IN] = "message longer than allowed",
		[STREAM_OVER_OUT] = "peer reads too slowly",
	};
	return texts[end];
}

/* ---- life ---- */

static void stream_release(struct stream *s)
{
	if (!s->is_closed || s->is_busy > 0)
		return;
	buf_free(&s->in);
	buf_free(&s->out);
	mem_free(s);
}

static void stream_shut(struct stream *s)
{
	s->is_closed = true;
	event_del(&s->read_event);
	event_del(&s->write_event);
	list_remove(&s->flush.link);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void stream_drop(struct stream *s)
{
	stream_shut(s);
	stream_release(s);
}

void stream_close(struct stream **s)
{
	if (!*s)
		return;
	stream_drop(*s);
	*s = NULL;
}

static void stream_add_event(struct event *event, int64_t idle_ms)
{
	struct timeval tv = { .tv_sec = idle_ms / 1000, .tv_usec = idle_ms % 1000 * 1000 };
	event_add(event, idle_ms > 0 ? &tv : NULL);
}

/* Reads or not, as the flags say. */
static void stream_follow_flags(struct stream *s)
{
	bool want_read = !s->is_ended && !s->is_paused && !s->is_held && !s->is_finishing;
	bool is_reading = event_pending(&s->read_event, EV_READ, NULL) != 0;
	if (want_read && !is_reading)
		stream_add_event(&s->read_event, s->setup.idle_ms);
	if (!want_read && is_reading)
		event_del(&s->read_event);
}

/* May free the stream. */
static void stream_end(struct stream *s, enum stream_end end, int sys_errno)
{
	if (s->is_finishing) {
		stream_drop(s);
		return;
	}
	if (end != STREAM_EOF) {
		event_del(&s->write_event);
		buf_reset(&s->out);
		s->is_blocked = false;
	}
	if (s->is_ended)
		return;
	s->is_ended = true;
	stream_follow_flags(s);
	s->is_busy++;
	s->calls.on_end(s->ctx, s, end, sys_errno);
	s->is_busy--;
	stream_release(s);
}

static void stream_check_idle(struct stream *s, struct event *event)
{
	int64_t left_ms = s->setup.idle_ms - (loop_mono_ms(s->loop) - s->last_ms);
	if (left_ms <= 0)
		stream_end(s, STREAM_IDLE, ETIMEDOUT);
	else
		stream_add_event(event, left_ms);
}

/* ---- in ---- */

static void stream_give_back(struct buf *b)
{
	if (b->len == 0 && b->cap > STREAM_KEEP_BYTES)
		buf_free(b);
}

/* bytes: all that is unread; in the stream's own buffer, or in scratch. May free. */
static void stream_deliver(struct stream *s, struct slice bytes)
{
	bool is_own = bytes.ptr == s->in.ptr;
	s->is_busy++;
	size_t used = s->calls.on_data(s->ctx, s, bytes);
	s->is_busy--;
	if (s->is_closed || s->is_finishing) {
		stream_release(s);
		return;
	}
	assert(used <= bytes.len);
	if (is_own)
		buf_consume(&s->in, used);
	else if (!buf_add(&s->in, slice_from(bytes, used))) {
		stream_end(s, STREAM_ERROR, ENOMEM);
		return;
	}
	stream_give_back(&s->in);
	if (s->in.len >= s->setup.in_bytes_max && !s->is_paused)
		stream_end(s, STREAM_OVER_IN, EMSGSIZE);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void stream_read(struct stream *s)
{
	bool is_own = s->in.len > 0;
	size_t room = is_own ? min_size(s->setup.in_bytes_max - s->in.len, STREAM_READ_BYTES)
			     : min_size(s->setup.in_bytes_max, LOOP_SCRATCH_BYTES);
	char *to = is_own ? buf_reserve(&s->in, room) : loop_scratch(s->loop);
	if (!to) {
		stream_end(s, STREAM_ERROR, ENOMEM);
		return;
	}
	ssize_t n = read(s->fd, to, room);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			stream_end(s, STREAM_ERROR, errno);
		return;
	}
	if (n == 0) {
		stream_end(s, STREAM_EOF, 0);
		return;
	}
	s->last_ms = loop_mono_ms(s->loop);
	if (is_own)
		buf_commit(&s->in, (size_t)n);
	stream_deliver(s, is_own ? buf_slice(&s->in) : slice_make(to, (size_t)n));
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *s = ctx;
	(void)fd;
	if (s->is_resumed) {
		s->is_resumed = false;
		if (s->in.len > 0 && !s->is_paused)
			stream_deliver(s, buf_slice(&s->in));
	} else if (what & EV_READ) {
		stream_read(s);
	} else {
		stream_check_idle(s, &s->read_event);
	}
}

void stream_pause(struct stream *s)
{
	s->is_paused = true;
	stream_follow_flags(s);
}

void stream_resume(struct stream *s)
{
	s->is_paused = false;
	s->last_ms = loop_mono_ms(s->loop);
	stream_follow_flags(s);
	if (s->in.len > 0 && !s->is_ended && !s->is_closed) {
		s->is_resumed = true;
		event_active(&s->read_event, EV_READ, 0);
	}
}

/* ---- out ---- */

/* True while the stream lives and all went well. */
static bool stream_send(struct stream *s)
{
	ssize_t n = write(s->fd, s->out.ptr, s->out.len);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		stream_end(s, STREAM_ERROR, errno);
		return false;
	}
	if (n > 0) {
		s->last_ms = loop_mono_ms(s->loop);
		buf_consume(&s->out, (size_t)n);
		stream_give_back(&s->out);
	}
	return true;
}

static void stream_wait_writable(struct stream *s)
{
	int64_t idle_ms = s->setup.idle_ms;
	if (s->is_finishing && idle_ms == 0)
		s->setup.idle_ms = idle_ms = STREAM_FINISH_MS;
	s->is_blocked = true;
	s->is_held = s->out.len > s->setup.out_high_bytes;
	stream_follow_flags(s);
	stream_add_event(&s->write_event, idle_ms);
}

static void on_round_end(void *ctx)
{
	struct stream *s = ctx;
	if (s->out.is_over && !s->is_finishing) {
		stream_end(s, STREAM_OVER_OUT, ENOBUFS);
		return;
	}
	if (s->is_blocked)
		return;
	if (s->out.len > 0 && !stream_send(s))
		return;
	if (s->out.len > 0)
		stream_wait_writable(s);
	else if (s->is_finishing)
		stream_drop(s);
}

static void stream_drained(struct stream *s)
{
	s->is_blocked = s->is_held = false;
	event_del(&s->write_event);
	if (s->is_finishing) {
		stream_drop(s);
		return;
	}
	stream_follow_flags(s);
	if (!s->calls.on_drain || s->is_ended)
		return;
	s->is_busy++;
	s->calls.on_drain(s->ctx, s);
	s->is_busy--;
	stream_release(s);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *s = ctx;
	(void)fd;
	if (!(what & EV_WRITE)) {
		stream_check_idle(s, &s->write_event);
		return;
	}
	if (stream_send(s) && s->out.len == 0)
		stream_drained(s);
}

bool stream_write(struct stream *s, struct slice bytes)
{
	if (s->is_closed || s->is_finishing)
		return false;
	bool is_added = buf_add(&s->out, bytes);
	loop_flush_soon(s->loop, &s->flush);
	return is_added;
}

struct buf *stream_out(struct stream *s)
{
	return &s->out;
}

void stream_wrote(struct stream *s)
{
	if (!s->is_closed)
		loop_flush_soon(s->loop, &s->flush);
}

size_t stream_pending(const struct stream *s)
{
	return s->out.len;
}

void stream_finish(struct stream **s)
{
	struct stream *t = *s;
	if (!t)
		return;
	*s = NULL;
	t->is_finishing = true;
	stream_follow_flags(t);
	loop_flush_soon(t->loop, &t->flush);
	if (t->is_blocked)
		stream_wait_writable(t); /* now with a time limit in any case */
}

/* ---- the rest ---- */

void stream_set_idle(struct stream *s, int64_t idle_ms)
{
	s->setup.idle_ms = idle_ms;
	s->last_ms = loop_mono_ms(s->loop);
	if (event_pending(&s->read_event, EV_READ, NULL)) {
		event_del(&s->read_event);
		stream_follow_flags(s);
	}
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

struct stream *stream_open(struct loop *l, int fd, const struct stream_setup *setup,
			   const struct stream_calls *calls, void *ctx)
{
	struct stream *s = mem_alloc(sizeof *s);
	int flags = fcntl(fd, F_GETFL);
	if (!s || flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
		close(fd);
		mem_free(s);
		return NULL;
	}
	assert(setup->in_bytes_max > 0 && setup->out_bytes_max > 0);
	s->loop = l;
	s->fd = fd;
	s->calls = *calls;
	s->ctx = ctx;
	s->setup = *setup;
	if (s->setup.out_high_bytes == 0)
		s->setup.out_high_bytes = setup->out_bytes_max / 2;
	s->last_ms = loop_mono_ms(l);
	buf_init(&s->in, setup->in_bytes_max);
	buf_init(&s->out, setup->out_bytes_max);
	loop_flush_init(&s->flush, on_round_end, s);
	event_assign(&s->read_event, loop_base(l), fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->write_event, loop_base(l), fd, EV_WRITE | EV_PERSIST, on_writable, s);
	stream_follow_flags(s);
	return s;
}
