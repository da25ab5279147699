/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"
#include "relay.h"

#include "base/clock.h"

#include <stdlib.h>

static void relay_say(struct relay *r, const char *line)
{
	stream_write(r->stream, slice_from_str(line));
	stream_write(r->stream, SLICE("\r\n"));
}

static void relay_end_mail(struct relay *r)
{
	const char *answer = r->answered < r->answer_count ? r->answers[r->answered] : "250 2.0.0 ok";
	r->answered++;
	r->is_in_data = false;
	assert_true(r->mail_count < MAILS_MAX);
	r->mail_ms[r->mail_count] = clock_mono_us() / 1000;
	r->mails[r->mail_count++] = strdup(buf_str(&r->in));
	buf_reset(&r->in);
	if (strcmp(answer, "drop") == 0)
		stream_close(&r->stream);
	else
		relay_say(r, answer);
}

static void relay_on_line(struct relay *r, struct slice line)
{
	if (r->is_in_data) {
		if (slice_equal(line, SLICE("."))) {
			relay_end_mail(r);
			return;
		}
		buf_add(&r->in, line);
		buf_add_str(&r->in, "\n");
	} else if (slice_starts_nocase(line, SLICE("DATA"))) {
		r->is_in_data = true;
		relay_say(r, "354 go on");
	} else if (slice_starts_nocase(line, SLICE("RCPT"))) {
		relay_say(r, slice_find_nocase(line, 0, SLICE("nobody@")) < line.len ? "550 5.1.1 unknown"
										       : "250 2.1.5 ok");
	} else {
		relay_say(r, "250 ok");
	}
}

static size_t relay_on_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct relay *r = ctx;
	size_t done = 0;
	(void)stream;
	for (;;) {
		size_t end = slice_find_byte(bytes, done, '\n');
		if (end == bytes.len || !r->stream)
			return r->stream ? done : bytes.len;
		struct slice line = slice_between(bytes, done, end);
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		relay_on_line(r, line);
		done = end + 1;
	}
}

static void relay_on_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct relay *r = ctx;
	(void)stream;
	(void)end;
	(void)sys_errno;
	stream_close(&r->stream);
}

void relay_on_peer(void *ctx, int fd, const struct net_addr *peer)
{
	static const struct stream_calls calls = { relay_on_data, relay_on_end, NULL };
	const struct stream_setup setup = { .in_bytes_max = 1 << 20, .out_bytes_max = 1 << 20 };
	struct relay *r = ctx;
	(void)peer;
	stream_close(&r->stream);
	r->is_in_data = false;
	buf_reset(&r->in);
	r->stream = stream_open(r->loop, fd, &setup, &calls, r);
	relay_say(r, "220 fake ESMTP");
}
