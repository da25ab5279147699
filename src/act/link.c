/* SPDX-License-Identifier: Apache-2.0
 *
 * link: one SMTP or LMTP talk over one stream, one mail at a time.
 *
 * The owner's callbacks run inside the stream's; a link may be closed in any of them,
 * so every step asks afterwards whether the talk is still the same (link->talk). Both timers
 * are there from the start: what the link owes its owner never hangs on memory.
 */
#include "act/link.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/stream.h"

#include <assert.h>
#include <stdio.h>

enum {
	LINK_STEP_BYTES = 64 * 1024,
	LINK_HIGH_BYTES = 256 * 1024,   /* unsent: then the mail waits */
	LINK_IN_BYTES = 64 * 1024,
	LINK_OUT_BYTES = 4 * 1024 * 1024,
};

struct link {
	struct link_setup setup;
	char helo[256];
	struct link_calls calls;
	void *ctx;
	enum link_state state;
	struct dial *dial;
	struct stream *stream;
	struct smtp *smtp;
	struct loop_timer *limit;       /* of the wait there is */
	struct loop_timer *soon;        /* goes on in the next round */
	uint64_t talk;                  /* counts connections: has this one ended meanwhile? */
	bool has_mail, is_probe, is_body_open;
	char banner[128];
	char *step;                     /* LINK_STEP_BYTES, from the first body on */
};

enum link_state link_state(const struct link *link)
{
	return link->state;
}

unsigned link_can(const struct link *link)
{
	return link->smtp ? smtp_can(link->smtp) : 0;
}

const char *link_banner(const struct link *link)
{
	return link->banner;
}

void link_set_timeout(struct link *link, int64_t timeout_ms)
{
	link->setup.timeout_ms = timeout_ms;
}

static void link_drop(struct link *link)
{
	dial_cancel(&link->dial);
	stream_close(&link->stream);
	smtp_free(&link->smtp);
	loop_timer_pause(link->limit);
	loop_timer_pause(link->soon);
	link->state = LINK_CLOSED;
	link->has_mail = link->is_probe = link->is_body_open = false;
	link->talk++;
}

/* Has the mail's end left us? What is unsent is sent in order, so nothing may be unsent. */
static bool link_is_in_doubt(const struct link *link)
{
	return link->has_mail && smtp_is_awaiting_word(link->smtp) && smtp_out(link->smtp)->len == 0 &&
	       stream_pending(link->stream) == 0;
}

static void link_lose(struct link *link, const char *why)
{
	char text[256];
	bool had_mail = link->has_mail;
	bool is_in_doubt = link_is_in_doubt(link);
	snprintf(text, sizeof text, "%s", why);
	link_drop(link);
	link->calls.on_lost(link->ctx, had_mail, is_in_doubt, text);
}

static void on_timeout(void *ctx)
{
	link_lose(ctx, "no answer in time");
}

/* A wait begins anew. */
static void link_wait(struct link *link)
{
	loop_timer_again(link->limit, link->setup.timeout_ms);
}

/* What has been said waits for its answer from now on. */
static void link_flush(struct link *link)
{
	struct buf *out = smtp_out(link->smtp);
	if (out->len == 0 || !stream_write(link->stream, buf_slice(out)))
		return;
	buf_consume(out, out->len);
	link_wait(link);
}

static bool link_may_give(const struct link *link)
{
	return link->is_body_open && stream_pending(link->stream) < LINK_HIGH_BYTES;
}

/* One step of the body; false when the talk is over. The codec's own buffer is emptied after
 * each step: it has room for one, and takes less only when it has no memory. */
static bool link_give_step(struct link *link)
{
	uint64_t talk = link->talk;
	ssize_t n = link->calls.on_want(link->ctx, link->step, LINK_STEP_BYTES);
	if (link->talk != talk)
		return false;
	if (n < 0) {
		link_lose(link, "the mail cannot be read");
		return false;
	}
	link->is_body_open = n > 0;
	bool is_taken = n > 0 ? smtp_body(link->smtp, slice_make(link->step, (size_t)n)) == (size_t)n
			      : smtp_body_end(link->smtp);
	if (is_taken)
		link_flush(link);
	else /* the codec knows why; what it has of the mail is never sent */
		link->is_body_open = false;
	return true;
}

/* Gives as much of the body as the stream takes now. */
static void link_give_body(struct link *link)
{
	if (!link->step)
		link->step = mem_alloc(LINK_STEP_BYTES);
	if (!link->step) {
		link_lose(link, "no memory for the mail");
		return;
	}
	while (link_may_give(link))
		if (!link_give_step(link))
			return;
	if (link->is_body_open)
		loop_timer_again(link->soon, 0);
}

static void link_on_done(struct link *link, const struct smtp_reply *reply)
{
	bool was_probe = link->is_probe;
	link->has_mail = link->is_probe = link->is_body_open = false;
	if (!was_probe)
		link->calls.on_word(link->ctx, reply);
	else if (link->calls.on_probed)
		link->calls.on_probed(link->ctx, reply);
}

static void link_on_event(struct link *link, const struct smtp_event *e)
{
	char why[256], words[LOG_QUOTE_BYTES / 2];
	switch (e->kind) {
	case SMTP_READY:
		log_quote(slice_first(e->reply.text, 60), link->banner, sizeof link->banner);
		/* fall through */
	case SMTP_MAIL_END:
		link->state = LINK_READY;
		loop_timer_pause(link->limit);
		link->calls.on_ready(link->ctx);
		return;
	case SMTP_BODY:
		link->is_body_open = true;
		link_give_body(link);
		return;
	case SMTP_DONE:
		link_on_done(link, &e->reply);
		return;
	case SMTP_FAILED:
	case SMTP_CLOSED:
		snprintf(why, sizeof why, "%s%s%s", e->why ? e->why : "the server closes the link",
			 e->reply.text.len ? ": " : "",
			 e->reply.text.len ? log_quote(e->reply.text, words, sizeof words) : "");
		link_lose(link, why);
		return;
	case SMTP_NONE:
		return;
	}
}

static void link_run_events(struct link *link)
{
	struct smtp_event event;
	uint64_t talk = link->talk;
	do {
		smtp_next(link->smtp, &event);
		link_on_event(link, &event);
	} while (link->talk == talk && event.kind != SMTP_NONE);
	if (link->talk == talk)
		link_flush(link);
}

static void link_give_more(struct link *link)
{
	uint64_t talk = link->talk;
	if (!link_may_give(link))
		return;
	link_give_body(link);
	if (link->talk == talk)
		link_run_events(link);
}

static void on_soon(void *ctx)
{
	struct link *link = ctx;
	if (!link->stream)
		link_lose(link, "no memory to connect");
	else /* what is still unsent after a whole round waits for the peer: link_on_drain */
		link_give_more(link);
}

static size_t link_on_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct link *link = ctx;
	(void)stream;
	smtp_feed(link->smtp, bytes);
	link_run_events(link);
	return bytes.len;
}

/* A stream that fails says why; one that the server ended is judged by the talk. */
static void link_on_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct link *link = ctx;
	(void)stream;
	if (end == STREAM_EOF) {
		smtp_feed_end(link->smtp);
		link_run_events(link);
	} else {
		link_lose(link, end == STREAM_ERROR ? strerror(sys_errno) : stream_end_text(end));
	}
}

static void link_on_drain(void *ctx, struct stream *stream)
{
	(void)stream;
	link_give_more(ctx);
}

static void link_on_dialed(void *ctx, int fd, int sys_errno)
{
	static const struct stream_calls calls = { link_on_data, link_on_end, link_on_drain, NULL };
	static const struct stream_setup setup = { .in_bytes_max = LINK_IN_BYTES, .out_bytes_max = LINK_OUT_BYTES };
	struct link *link = ctx;
	char text[NET_ADDR_TEXT_BYTES], why[256];
	link->dial = NULL;
	if (fd < 0) {
		snprintf(why, sizeof why, "cannot connect to %s: %s", net_addr_text(&link->setup.addr, text),
			 strerror(sys_errno));
		link_lose(link, why);
		return;
	}
	link->smtp = smtp_new(link->setup.kind, slice_from_str(link->helo));
	link->stream = stream_open(link->setup.loop, fd, &setup, &calls, link);
	if (!link->smtp || !link->stream)
		link_lose(link, "no memory");
	else
		link_wait(link);
}

void link_open(struct link *link)
{
	assert(link->state == LINK_CLOSED);
	link->state = LINK_OPENING;
	link->dial = dial_start(link->setup.loop, &link->setup.addr, link->setup.timeout_ms, link_on_dialed, link);
	if (!link->dial) /* told from the loop, never from within */
		loop_timer_again(link->soon, 0);
}

void link_close(struct link *link)
{
	if (link->state == LINK_READY) {
		smtp_quit(link->smtp);
		link_flush(link);
		stream_finish(&link->stream);
	}
	link_drop(link);
}

/* An address that cannot be said is the mail's trouble; anything else is the link's. */
static bool link_begin(struct link *link, const struct smtp_mail *mail)
{
	if (link->state != LINK_READY || !smtp_is_path(mail->from) || mail->rcpts->len == 0 ||
	    !smtp_is_path(*mail->rcpts))
		return false;
	if (!smtp_mail(link->smtp, mail)) {
		link_drop(link);
		return false;
	}
	link->state = LINK_BUSY;
	link_flush(link);
	return true;
}

bool link_send(struct link *link, const struct link_mail *mail)
{
	const struct smtp_mail m = {
		.from = mail->from, .rcpts = &mail->rcpt, .rcpt_count = 1, .size_bytes = mail->size_bytes,
		.is_8bit = mail->is_8bit, .want_no_dsn = mail->want_no_dsn,
	};
	link->has_mail = link_begin(link, &m);
	return link->has_mail;
}

bool link_probe(struct link *link, struct slice rcpt)
{
	const struct smtp_mail m = { .rcpts = &rcpt, .rcpt_count = 1, .is_probe = true };
	link->is_probe = link_begin(link, &m);
	return link->is_probe;
}

struct link *link_new(const struct link_setup *setup, const struct link_calls *calls, void *ctx)
{
	struct link *link = mem_alloc(sizeof *link);
	if (!link)
		return NULL;
	link->setup = *setup;
	link->calls = *calls;
	link->ctx = ctx;
	snprintf(link->helo, sizeof link->helo, "%s", setup->helo);
	link->limit = loop_timer_start(setup->loop, 0, 0, on_timeout, link);
	link->soon = loop_timer_start(setup->loop, 0, 0, on_soon, link);
	if (!link->limit || !link->soon)
		link_free(&link);
	else
		link_drop(link);
	return link;
}

void link_free(struct link **link)
{
	if (!*link)
		return;
	if ((*link)->limit && (*link)->soon)
		link_drop(*link);
	loop_timer_stop(&(*link)->limit);
	loop_timer_stop(&(*link)->soon);
	mem_free((*link)->step);
	mem_free(*link);
	*link = NULL;
}
