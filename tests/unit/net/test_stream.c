/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One side of a socket pair is a stream, the other is read and written here by hand. */
struct side {
	struct loop *l;
	struct stream *s;
	int peer;
	struct buf got;
	size_t take_max;     /* bytes that on_data is done with at once */
	int data_calls, drains;
	int end;             /* enum stream_end, or -1 */
	bool want_echo, want_close, want_finish, want_pause;
};

static size_t on_data(void *ctx, struct stream *s, struct slice bytes)
{
	struct side *d = ctx;
	size_t n = bytes.len < d->take_max ? bytes.len : d->take_max;
	d->data_calls++;
	buf_add(&d->got, slice_first(bytes, n));
	if (d->want_echo)
		for (size_t i = 0; i < n; i++)
			stream_write(s, slice_make(bytes.ptr + i, 1));
	if (d->want_pause)
		stream_pause(s);
	if (d->want_finish)
		stream_finish(&d->s);
	if (d->want_close)
		stream_close(&d->s);
	return n;
}

static void on_end(void *ctx, struct stream *s, enum stream_end end, int sys_errno)
{
	struct side *d = ctx;
	(void)s;
	(void)sys_errno;
	assert_int_equal(d->end, -1);
	d->end = (int)end;
	if (d->want_close)
		stream_close(&d->s);
	else if (d->want_finish)
		stream_finish(&d->s);
}

static void on_drain(void *ctx, struct stream *s)
{
	struct side *d = ctx;
	(void)s;
	d->drains++;
}

static const struct stream_calls calls = { on_data, on_end, on_drain };
static const struct stream_setup small = { .in_bytes_max = 1000, .out_bytes_max = 1 << 20 };

static struct side open_side(struct loop *l, const struct stream_setup *setup, struct side *d)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*d = (struct side){ .l = l, .peer = fds[1], .take_max = SIZE_MAX, .end = -1 };
	fcntl(d->peer, F_SETFL, O_NONBLOCK);
	buf_init(&d->got, 64 << 20);
	d->s = stream_open(l, fds[0], setup, &calls, d);
	assert_non_null(d->s);
	return *d;
}

static void close_side(struct side *d)
{
	stream_close(&d->s);
	if (d->peer >= 0)
		close(d->peer);
	buf_free(&d->got);
}

static void say(struct side *d, const char *text)
{
	assert_int_equal(write(d->peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void many_writes_of_a_round_leave_as_one(void **state)
{
	(void)state;
	struct side d;
	char got[64];
	struct loop *l = loop_new(NULL);
	int fds[2];
	/* Packets keep the borders of write(2). */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	d = (struct side){ .l = l, .peer = fds[1], .take_max = SIZE_MAX, .end = -1, .want_echo = true };
	buf_init(&d.got, 4096);
	d.s = stream_open(l, fds[0], &small, &calls, &d);
	say(&d, "hello");
	loop_run_once(l, 1000);
	assert_int_equal(read(d.peer, got, sizeof got), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(stream_pending(d.s), 0);
	close_side(&d);
	loop_free(l);
}

static void what_is_left_unread_comes_again_with_more_behind_it(void **state)
{
	(void)state;
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &small, &d);
	d.take_max = 0;
	say(&d, "ab");
	loop_run_once(l, 1000);
	say(&d, "cd");
	loop_run_once(l, 1000);
	assert_int_equal(d.got.len, 0);
	d.take_max = 3;
	say(&d, "ef");
	loop_run_once(l, 1000);
	assert_slice(buf_slice(&d.got), "abc");
	d.take_max = SIZE_MAX;
	say(&d, "g");
	loop_run_once(l, 1000);
	assert_slice(buf_slice(&d.got), "abcdefg");
	assert_int_equal(d.data_calls, 4);
	close_side(&d);
	loop_free(l);
}

static void unread_input_past_its_ceiling_ends_the_stream(void **state)
{
	(void)state;
	struct side d;
	char bytes[4000];
	struct loop *l = loop_new(NULL);
	memset(bytes, 'x', sizeof bytes);
	open_side(l, &small, &d);
	d.take_max = 0;
	assert_int_equal(write(d.peer, bytes, 999), 999);
	loop_run_once(l, 1000);
	assert_int_equal(d.end, -1);
	assert_int_equal(write(d.peer, bytes, sizeof bytes), sizeof bytes);
	loop_run_once(l, 1000);
	assert_int_equal(d.end, STREAM_OVER_IN);
	loop_run_once(l, 20);
	assert_int_equal(d.data_calls, 2);
	close_side(&d);
	loop_free(l);
}

static void a_peer_that_hangs_up_is_heard_out_and_can_still_be_answered(void **state)
{
	(void)state;
	struct side d;
	char got[16];
	struct loop *l = loop_new(NULL);
	open_side(l, &small, &d);
	say(&d, "last words");
	shutdown(d.peer, SHUT_WR);
	loop_run_once(l, 1000);
	loop_run_once(l, 1000);
	assert_slice(buf_slice(&d.got), "last words");
	assert_int_equal(d.end, STREAM_EOF);
	assert_true(stream_write(d.s, SLICE("bye")));
	stream_finish(&d.s);
	loop_run_once(l, 0);
	assert_int_equal(read(d.peer, got, sizeof got), 3);
	assert_int_equal(read(d.peer, got, sizeof got), 0);
	close_side(&d);
	loop_free(l);
}

static void writing_to_a_peer_that_has_gone_is_an_end_and_no_signal(void **state)
{
	(void)state;
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &small, &d);
	close(d.peer);
	d.peer = -1;
	stream_write(d.s, SLICE("hello?"));
	loop_run_once(l, 20);
	assert_true(d.end == STREAM_ERROR || d.end == STREAM_EOF);
	loop_run_once(l, 20);
	close_side(&d);
	loop_free(l);
}

static void an_owner_may_close_in_any_callback(void **state)
{
	(void)state;
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &small, &d);
	d.want_close = d.want_echo = true;
	say(&d, "abc");
	loop_run_once(l, 1000);
	assert_null(d.s);
	assert_int_equal(d.data_calls, 1);
	close_side(&d);

	open_side(l, &small, &d);
	d.want_close = true;
	shutdown(d.peer, SHUT_WR);
	loop_run_once(l, 1000);
	assert_null(d.s);
	assert_int_equal(d.end, STREAM_EOF);
	close_side(&d);

	open_side(l, &small, &d);
	d.want_finish = d.want_echo = true;
	say(&d, "abc");
	loop_run_once(l, 1000);
	assert_null(d.s);
	char got[8];
	assert_int_equal(read(d.peer, got, sizeof got), 3);
	assert_int_equal(read(d.peer, got, sizeof got), 0);
	assert_int_equal(d.end, -1);
	close_side(&d);
	loop_free(l);
}

static void a_paused_stream_reads_nothing_until_it_is_resumed(void **state)
{
	(void)state;
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &small, &d);
	d.take_max = 1;
	d.want_pause = true;
	say(&d, "abc");
	loop_run_once(l, 1000);
	say(&d, "def");
	loop_run_once(l, 20);
	assert_slice(buf_slice(&d.got), "a");
	d.want_pause = false;
	d.take_max = SIZE_MAX;
	stream_resume(d.s);
	loop_run_once(l, 1000);
	assert_slice(slice_first(buf_slice(&d.got), 3), "abc");
	if (d.got.len == 3)
		loop_run_once(l, 1000);
	assert_slice(buf_slice(&d.got), "abcdef");
	close_side(&d);
	loop_free(l);
}

static void an_idle_stream_ends_and_a_busy_one_does_not(void **state)
{
	(void)state;
	const struct stream_setup setup = { .in_bytes_max = 100, .out_bytes_max = 100, .idle_ms = 60 };
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &setup, &d);
	for (int i = 0; i < 6; i++) {
		usleep(20000);
		say(&d, "x");
		loop_run_once(l, 1000);
	}
	assert_int_equal(d.end, -1);
	assert_int_equal(d.got.len, 6);
	int64_t before = loop_mono_ms(l);
	for (int i = 0; i < 20 && d.end == -1; i++)
		loop_run_once(l, 100);
	assert_int_equal(d.end, STREAM_IDLE);
	assert_true(loop_mono_ms(l) - before < 1000);
	close_side(&d);
	loop_free(l);
}

static size_t read_all(struct side *d, size_t wanted)
{
	static char sink[65536];
	size_t total = 0;
	for (int i = 0; i < 100000 && total < wanted; i++) {
		ssize_t n = read(d->peer, sink, sizeof sink);
		if (n > 0)
			total += (size_t)n;
		else
			loop_run_once(d->l, 1);
	}
	return total;
}

static void a_slow_peer_gets_everything_and_reading_waits_for_it(void **state)
{
	(void)state;
	const struct stream_setup setup = { .in_bytes_max = 100, .out_bytes_max = 4 << 20,
					    .out_high_bytes = 1 << 20 };
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &setup, &d);
	char *block = mem_must_alloc(3 << 20);
	assert_true(stream_write(d.s, slice_make(block, 3 << 20)));
	loop_run_once(l, 0);
	assert_true(stream_pending(d.s) > 1 << 20);
	say(&d, "x");
	loop_run_once(l, 20);
	assert_int_equal(d.data_calls, 0); /* held back: too much unsent */
	assert_int_equal(read_all(&d, 3 << 20), 3 << 20);
	for (int i = 0; i < 10 && d.data_calls == 0; i++)
		loop_run_once(l, 10);
	assert_int_equal(d.data_calls, 1);
	assert_int_equal(d.drains, 1);
	assert_int_equal(d.end, -1);
	mem_free(block);
	close_side(&d);
	loop_free(l);
}

static void output_past_its_ceiling_ends_the_stream(void **state)
{
	(void)state;
	const struct stream_setup setup = { .in_bytes_max = 100, .out_bytes_max = 1000 };
	struct side d;
	char bytes[600];
	struct loop *l = loop_new(NULL);
	memset(bytes, 'x', sizeof bytes);
	open_side(l, &setup, &d);
	assert_true(stream_write(d.s, slice_make(bytes, sizeof bytes)));
	assert_false(stream_write(d.s, slice_make(bytes, sizeof bytes)));
	loop_run_once(l, 0);
	assert_int_equal(d.end, STREAM_OVER_OUT);
	assert_int_equal(read(d.peer, bytes, sizeof bytes), -1);
	close_side(&d);
	loop_free(l);
}

static void finishing_sends_a_long_rest_and_then_closes(void **state)
{
	(void)state;
	const struct stream_setup setup = { .in_bytes_max = 100, .out_bytes_max = 4 << 20 };
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &setup, &d);
	char *block = mem_must_alloc(3 << 20);
	stream_write(d.s, slice_make(block, 3 << 20));
	loop_run_once(l, 0);
	stream_finish(&d.s);
	assert_null(d.s);
	assert_int_equal(read_all(&d, 3 << 20), 3 << 20);
	loop_run_once(l, 20);
	assert_int_equal(read(d.peer, block, 1), 0);
	assert_int_equal(d.end, -1);
	assert_int_equal(d.drains, 0);
	mem_free(block);
	close_side(&d);
	loop_free(l);
}

static void a_peer_that_never_reads_cannot_keep_a_finishing_stream_for_ever(void **state)
{
	(void)state;
	const struct stream_setup setup = { .in_bytes_max = 100, .out_bytes_max = 4 << 20, .idle_ms = 40 };
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &setup, &d);
	char *block = mem_must_alloc(3 << 20);
	stream_write(d.s, slice_make(block, 3 << 20));
	int fd = stream_fd(d.s);
	stream_finish(&d.s);
	for (int i = 0; i < 30 && fcntl(fd, F_GETFD) >= 0; i++)
		loop_run_once(l, 10);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	mem_free(block);
	close_side(&d);
	loop_free(l);
}

struct reopening {
	struct side first, second;
	const struct stream_setup *setup;
	int first_fd;
};

static void reopen(void *ctx)
{
	struct reopening *r = ctx;
	r->first_fd = stream_fd(r->first.s);
	stream_close(&r->first.s);
	open_side(r->first.l, r->setup, &r->second);
	assert_int_equal(stream_fd(r->second.s), r->first_fd);
}

static void a_descriptor_used_again_within_a_round_is_still_watched(void **state)
{
	(void)state;
	struct reopening r = { .setup = &small };
	struct loop *l = loop_new(NULL);
	open_side(l, &small, &r.first);
	say(&r.first, "x");
	loop_run_once(l, 1000); /* it is registered now */
	struct loop_timer *t = loop_timer_start(l, 0, 0, reopen, &r);
	loop_run_once(l, 1000);
	say(&r.second, "hello");
	loop_run_once(l, 1000);
	assert_slice(buf_slice(&r.second.got), "hello");
	loop_timer_stop(&t);
	close_side(&r.first);
	close_side(&r.second);
	loop_free(l);
}

static void a_big_stream_arrives_whole_in_pieces_of_any_size(void **state)
{
	(void)state;
	const struct stream_setup setup = { .in_bytes_max = 1 << 20, .out_bytes_max = 100 };
	struct side d;
	struct loop *l = loop_new(NULL);
	open_side(l, &setup, &d);
	size_t bytes = 5 << 20, sent = 0;
	char *block = mem_must_alloc(bytes);
	for (size_t i = 0; i < bytes; i++)
		block[i] = (char)(i * 31 % 251);
	d.take_max = 70001; /* never a whole read: there is always a remainder */
	for (int i = 0; i < 100000 && d.got.len < bytes && d.end == -1; i++) {
		ssize_t n = write(d.peer, block + sent, bytes - sent < 90000 ? bytes - sent : 90000);
		sent += n > 0 ? (size_t)n : 0;
		if (sent == bytes)
			d.take_max = SIZE_MAX;
		loop_run_once(l, 5);
	}
	assert_int_equal(d.end, -1);
	assert_int_equal(d.got.len, bytes);
	assert_memory_equal(d.got.ptr, block, bytes);
	mem_free(block);
	close_side(&d);
	loop_free(l);
}

static void without_memory_a_stream_ends_and_nothing_leaks(void **state)
{
	(void)state;
	int fds[2];
	struct loop *l = loop_new(NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	mem_fail_after = 0;
	assert_null(stream_open(l, fds[0], &small, &calls, NULL));
	mem_fail_after = -1;
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	close(fds[1]);
	struct side d;
	open_side(l, &small, &d);
	d.take_max = 0;
	say(&d, "abc");
	mem_fail_after = 0;
	loop_run_once(l, 1000);
	mem_fail_after = -1;
	assert_int_equal(d.end, STREAM_ERROR);
	close_side(&d);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_writes_of_a_round_leave_as_one),
		cmocka_unit_test(what_is_left_unread_comes_again_with_more_behind_it),
		cmocka_unit_test(unread_input_past_its_ceiling_ends_the_stream),
		cmocka_unit_test(a_peer_that_hangs_up_is_heard_out_and_can_still_be_answered),
		cmocka_unit_test(writing_to_a_peer_that_has_gone_is_an_end_and_no_signal),
		cmocka_unit_test(an_owner_may_close_in_any_callback),
		cmocka_unit_test(a_paused_stream_reads_nothing_until_it_is_resumed),
		cmocka_unit_test(an_idle_stream_ends_and_a_busy_one_does_not),
		cmocka_unit_test(a_slow_peer_gets_everything_and_reading_waits_for_it),
		cmocka_unit_test(output_past_its_ceiling_ends_the_stream),
		cmocka_unit_test(finishing_sends_a_long_rest_and_then_closes),
		cmocka_unit_test(a_peer_that_never_reads_cannot_keep_a_finishing_stream_for_ever),
		cmocka_unit_test(a_descriptor_used_again_within_a_round_is_still_watched),
		cmocka_unit_test(a_big_stream_arrives_whole_in_pieces_of_any_size),
		cmocka_unit_test(without_memory_a_stream_ends_and_nothing_leaks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
