/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: one read a wake-up, one write a round.
 *
 * Events are embedded, not allocated. Input goes to the loop's scratch buffer
 * first; only a remainder moves into the stream's own buffer, which is given back
 * when it empties. A stream closed within its own callback is freed when that
 * callback returns (is_busy), so that owners may close wherever they like.
 *
 * With TLS the loop's scratch buffer holds cipher bytes, and the plain ones are made into
 * its second one; all the rest stays as it is. Going out, plain bytes stay in the stream's
 * buffer until the records made of them are sent: so what is unsent is always counted in
 * plain bytes.
 */
#include "net/stream.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/tls_inner.h"

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
	STREAM_SEAL_BYTES = 256 * 1024, /* of plain bytes made into records at once */
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
	struct tls_session *tls;   /* NULL: plain */
	const char *tls_refusal;   /* why TLS cannot even begin; NULL if it can */
	size_t sealed_bytes;       /* of out: made into records that are not sent yet */
	int64_t last_ms;     /* loop_mono_ms of the last byte in or out */
	unsigned is_busy;    /* callbacks on the stack */
	bool is_ended;       /* on_end was called */
	bool is_closed;      /* no callback any more; freed when not busy */
	bool is_finishing;   /* closes when out is empty */
	bool is_paused;      /* by the owner */
	bool is_held;        /* by us: too much unsent */
	bool is_blocked;     /* waits for the socket to take more */
	bool is_resumed;     /* the next read event only hands out what is there */
	bool is_handing_out; /* on_data is on the stack */
};

const char *stream_end_text(enum stream_end end)
{
	static const char *const texts[] = {
		[STREAM_EOF] = "closed by peer",
		[STREAM_IDLE] = "idle for too long",
		[STREAM_ERROR] = "error",
		[STREAM_OVER_IN] = "message longer than allowed",
		[STREAM_OVER_OUT] = "peer reads too slowly",
		[STREAM_TLS] = "TLS failed",
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
	tls_session_free(&s->tls);
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

static bool stream_is_shaking(const struct stream *s)
{
	return s->tls && tls_session_state(s->tls) == TLS_SHAKING;
}

/* Reads or not, as the flags say. A handshake is not the owner's to pause. */
static void stream_follow_flags(struct stream *s)
{
	bool is_kept_back = (s->is_paused || s->is_held) && !stream_is_shaking(s);
	bool want_read = !s->is_ended && !is_kept_back && !s->is_finishing && !s->tls_refusal;
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
		s->sealed_bytes = 0; /* a record that is half sent already is still sent whole */
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

static const char stream_injected[] =
	"the peer sent more in plain text before TLS began (somebody may be slipping answers in)";

/* STREAM_TLS follows, at the end of the round. */
static void stream_refuse_tls(struct stream *s, const char *why)
{
	if (!s->tls_refusal)
		s->tls_refusal = why;
	stream_follow_flags(s);
	loop_flush_soon(s->loop, &s->flush);
}

/* bytes: all that is unread; in the stream's own buffer, or in scratch. May free. */
static void stream_deliver(struct stream *s, struct slice bytes)
{
	bool is_own = bytes.ptr == s->in.ptr, was_plain = !s->tls;
	s->is_busy++;
	s->is_handing_out = true;
	size_t used = s->calls.on_data(s->ctx, s, bytes);
	s->is_handing_out = false;
	s->is_busy--;
	if (s->is_closed || s->is_finishing) {
		stream_release(s);
		return;
	}
	assert(used <= bytes.len);
	if (was_plain && s->tls && used < bytes.len)
		stream_refuse_tls(s, stream_injected);
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

/* How much may be read behind what is unread, and where to; NULL without memory. */
static char *stream_room(struct stream *s, bool is_own, char *scratch, size_t *room_out)
{
	*room_out = is_own ? min_size(s->setup.in_bytes_max - s->in.len, STREAM_READ_BYTES)
			   : min_size(s->setup.in_bytes_max, LOOP_SCRATCH_BYTES);
	return is_own ? buf_reserve(&s->in, *room_out) : scratch;
}

/* One read; its length, 0 at the peer's end, or -1: then nothing, or the stream ended. */
static ssize_t stream_read_socket(struct stream *s, char *to, size_t room)
{
	if (!to) {
		stream_end(s, STREAM_ERROR, ENOMEM);
		return -1;
	}
	ssize_t n = read(s->fd, to, room);
	if (n > 0)
		s->last_ms = loop_mono_ms(s->loop);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		stream_end(s, STREAM_ERROR, errno);
	return n;
}

static void stream_read_plain(struct stream *s)
{
	size_t room;
	bool is_own = s->in.len > 0;
	char *to = stream_room(s, is_own, loop_scratch(s->loop), &room);
	ssize_t n = stream_read_socket(s, to, room);
	if (n < 0)
		return;
	if (n == 0) {
		stream_end(s, STREAM_EOF, 0);
		return;
	}
	if (is_own)
		buf_commit(&s->in, (size_t)n);
	stream_deliver(s, is_own ? buf_slice(&s->in) : slice_make(to, (size_t)n));
}

/* ---- in, through TLS; the stream is busy in all of these ---- */

static bool stream_takes_plain(const struct stream *s)
{
	return !s->is_closed && !s->is_ended && !s->is_finishing && !s->is_paused;
}

/* Decrypts once and hands out; false when there was nothing, or no memory for it. */
static bool stream_hand_out_tls(struct stream *s)
{
	size_t room;
	bool is_own = s->in.len > 0;
	char *to = stream_room(s, is_own, loop_scratch_plain(s->loop), &room);
	if (!to) {
		stream_end(s, STREAM_ERROR, ENOMEM);
		return false;
	}
	size_t n = tls_read(s->tls, to, room);
	if (n == 0)
		return false;
	if (is_own)
		buf_commit(&s->in, n);
	stream_deliver(s, is_own ? buf_slice(&s->in) : slice_make(to, n));
	return true;
}

/* The alert tells the peer why; it is sent if the socket takes it, and not waited for. */
static void stream_fail_tls(struct stream *s)
{
	struct slice alert = tls_cipher(s->tls);
	if (alert.len > 0 && !s->is_blocked) {
		ssize_t n = write(s->fd, alert.ptr, alert.len);
		(void)n;
	}
	stream_end(s, STREAM_TLS, EPROTO);
}

static void stream_shake(struct stream *s)
{
	struct tls_info info;
	if (tls_shake(s->tls) != TLS_SECURE)
		return;
	tls_describe(s->tls, &info);
	stream_follow_flags(s);
	if (s->calls.on_secure)
		s->calls.on_secure(s->ctx, s, &info);
}

/* As far as the bytes that are there go: handshake, plain bytes, the peer's end. */
static void stream_pump(struct stream *s)
{
	if (stream_is_shaking(s) && !s->is_finishing)
		stream_shake(s);
	while (stream_takes_plain(s) && stream_hand_out_tls(s))
		;
	tls_keep(s->tls);
	if (s->is_closed)
		return;
	loop_flush_soon(s->loop, &s->flush); /* handshakes and key updates answer by themselves */
	enum tls_state state = tls_session_state(s->tls);
	if (state == TLS_FAILED)
		stream_fail_tls(s);
	else if (state == TLS_CLOSED && stream_takes_plain(s))
		stream_end(s, STREAM_EOF, 0);
}

static void stream_read_tls(struct stream *s)
{
	if (tls_is_dry(s->tls)) {
		char *to = loop_scratch(s->loop);
		ssize_t n = stream_read_socket(s, to, LOOP_SCRATCH_BYTES);
		if (n < 0)
			return;
		if (n == 0)
			tls_hang_up(s->tls);
		else
			tls_feed(s->tls, slice_make(to, (size_t)n));
	}
	stream_pump(s);
}

static void stream_read(struct stream *s)
{
	if (!s->tls) {
		stream_read_plain(s);
		return;
	}
	s->is_busy++;
	stream_read_tls(s);
	s->is_busy--;
	stream_release(s);
}

/* What came while the owner had paused. */
static void stream_hand_out_rest(struct stream *s)
{
	s->is_busy++;
	if (s->in.len > 0 && !s->is_paused)
		stream_deliver(s, buf_slice(&s->in));
	if (s->tls && !s->is_closed)
		stream_pump(s);
	/* This wake-up may have been the socket's as well, and an owner may resume at each. */
	if (s->tls && stream_takes_plain(s) && !s->is_held && tls_is_dry(s->tls))
		stream_read_tls(s);
	s->is_busy--;
	stream_release(s);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct stream *s = ctx;
	(void)fd;
	if (s->is_resumed) {
		s->is_resumed = false;
		stream_hand_out_rest(s);
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
	/* With TLS there may be more than the two of us can see: part of a record. */
	if ((s->in.len > 0 || s->tls) && !s->is_ended && !s->is_closed && !stream_is_shaking(s)) {
		s->is_resumed = true;
		event_active(&s->read_event, EV_READ, 0);
	}
}

/* ---- out ---- */

/* Something that can be sent now: while TLS is being agreed on only its own bytes. */
static bool stream_has_unsent(const struct stream *s)
{
	if (s->tls_refusal)
		return false; /* in plain text least of all */
	if (!s->tls)
		return s->out.len > 0;
	enum tls_state state = tls_session_state(s->tls);
	if (state == TLS_FAILED)
		return false;
	return tls_cipher(s->tls).len > 0 || (state != TLS_SHAKING && s->out.len > 0);
}

/* True while the stream lives and all went well. */
static bool stream_seal(struct stream *s)
{
	struct slice plain = slice_first(buf_slice(&s->out), STREAM_SEAL_BYTES);
	if (plain.len > 0 && !tls_seal(s->tls, plain)) {
		stream_end(s, STREAM_TLS, EPROTO);
		return false;
	}
	s->sealed_bytes = plain.len;
	if (plain.len == s->out.len && s->is_finishing)
		tls_say_bye(s->tls);
	return true;
}

/* The plain bytes may have been a password. */
static void stream_drop_sealed(struct stream *s)
{
	size_t n = s->sealed_bytes;
	s->sealed_bytes = 0;
	if (n == 0)
		return;
	buf_consume(&s->out, n);
	explicit_bzero(s->out.ptr + s->out.len, n);
	stream_give_back(&s->out);
}

static bool stream_send_tls(struct stream *s)
{
	while (stream_has_unsent(s)) {
		if (tls_cipher(s->tls).len == 0 && !stream_seal(s))
			return false;
		struct slice cipher = tls_cipher(s->tls);
		ssize_t n = write(s->fd, cipher.ptr, cipher.len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			stream_end(s, STREAM_ERROR, errno);
			return false;
		}
		if (n <= 0)
			break;
		s->last_ms = loop_mono_ms(s->loop);
		tls_sent(s->tls, (size_t)n);
		if ((size_t)n < cipher.len)
			break;
		stream_drop_sealed(s);
	}
	return true;
}

/* True while the stream lives and all went well. */
static bool stream_send(struct stream *s)
{
	if (s->tls)
		return stream_send_tls(s);
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
	if (s->tls_refusal && !s->is_ended) {
		stream_end(s, STREAM_TLS, EPROTO);
		return;
	}
	if (s->tls && tls_session_state(s->tls) == TLS_FAILED && !s->is_ended) {
		stream_fail_tls(s);
		return;
	}
	if (s->is_blocked)
		return;
	if (s->tls && s->is_finishing && s->out.len == 0)
		tls_say_bye(s->tls);
	if (stream_has_unsent(s) && !stream_send(s))
		return;
	if (stream_has_unsent(s))
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
	if (stream_send(s) && !stream_has_unsent(s))
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

/* ---- TLS ---- */

void stream_start_tls(struct stream *s, struct tls_context *context, const struct tls_peer *peer)
{
	if (s->is_closed || s->is_ended || s->is_finishing)
		return;
	if (s->tls || s->tls_refusal) {
		stream_refuse_tls(s, "TLS was begun already");
		return;
	}
	s->tls = tls_session_new(context, peer);
	if (!s->tls)
		stream_refuse_tls(s, "TLS cannot begin: no memory, or the host's name is too long");
	else if (s->out.len > 0)
		stream_refuse_tls(s, "TLS cannot begin: bytes in plain text are still to be sent");
	else if (s->in.len > 0 && !s->is_handing_out)
		stream_refuse_tls(s, stream_injected);
	else
		tls_shake(s->tls);
	stream_follow_flags(s);
	loop_flush_soon(s->loop, &s->flush);
}

const char *stream_tls_trouble(const struct stream *s)
{
	if (s->tls_refusal)
		return s->tls_refusal;
	return s->tls ? tls_session_trouble(s->tls) : "";
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
