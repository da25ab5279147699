/* SPDX-License-Identifier: Apache-2.0
 *
 * Any server against the SMTP and LMTP client. The first byte chooses the kind, the number
 * of recipients, how many bytes arrive at once, and whether the first mail is a probe (with
 * NOTIFY=NEVER where DSN is offered). A body is asked for once a mail at most, never for a probe;
 * the lone dot for nobody is never in doubt. Each recipient gets at most one DONE, and
 * all of them one before MAIL_END; after FAILED or CLOSED nothing comes; the talk is finite.
 */
#include "base/buf.h"
#include "wire/smtp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RCPTS_MAX = 4 };

struct talk {
	struct smtp *s;
	struct slice rcpts[RCPTS_MAX];
	size_t rcpt_count, mails;
	unsigned done[RCPTS_MAX];
	bool is_over, has_mail, has_body, want_probe;
};

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void begin_mail(struct talk *t)
{
	const struct smtp_mail mail = { .from = SLICE("s@example.org"), .rcpts = t->rcpts,
					.rcpt_count = t->rcpt_count, .size_bytes = 99, .is_8bit = true,
					.want_no_dsn = t->want_probe, .is_probe = t->want_probe && t->mails == 0 };
	t->has_body = false;
	memset(t->done, 0, sizeof t->done);
	if (t->mails++ < 2) {
		must(smtp_mail(t->s, &mail));
		t->has_mail = true;
	} else {
		smtp_quit(t->s);
	}
}

static void on_event(struct talk *t, const struct smtp_event *ev)
{
	must(!t->is_over);
	switch (ev->kind) {
	case SMTP_READY:
		begin_mail(t);
		break;
	case SMTP_BODY:
		must(t->has_mail && !t->has_body && !(t->want_probe && t->mails == 1));
		t->has_body = true;
		smtp_body(t->s, SLICE("Subject: x\n\n.\n"));
		/* False only when a word came before the end: then FAILED or 421 follows. */
		must(smtp_body_end(t->s) == smtp_is_awaiting_word(t->s));
		break;
	case SMTP_DONE:
		must(t->has_mail && ev->rcpt < t->rcpt_count && t->done[ev->rcpt]++ == 0);
		break;
	case SMTP_MAIL_END:
		for (size_t i = 0; i < t->rcpt_count; i++)
			must(t->done[i] == 1);
		must(!smtp_is_awaiting_word(t->s));
		t->has_mail = false;
		begin_mail(t);
		break;
	case SMTP_FAILED:
		must(ev->why != NULL);
		t->is_over = true;
		break;
	default:
		t->is_over = true;
		break;
	}
	must(ev->reply.text.len <= SMTP_REPLY_TEXT_BYTES);
}

static void drain(struct talk *t)
{
	struct smtp_event ev;
	size_t events = 0;
	for (smtp_next(t->s, &ev); ev.kind != SMTP_NONE; smtp_next(t->s, &ev)) {
		must(++events < 100000);
		on_event(t, &ev);
	}
	if (!t->has_body && slice_equal(slice_first(buf_slice(smtp_out(t->s)), 3), SLICE(".\r\n")))
		must(!smtp_is_awaiting_word(t->s));
	buf_reset(smtp_out(t->s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct slice rcpts[RCPTS_MAX] = {
		{ "a@example.com", 13 }, { "b@example.com", 13 }, { "c@example.com", 13 }, { "d@example.com", 13 },
	};
	struct talk t = { 0 };
	if (size == 0)
		return 0;
	size_t step = data[0] & 8 ? 1 : data[0] & 16 ? 7 : size;
	t.rcpt_count = (data[0] >> 1 & 3u) + 1;
	t.want_probe = data[0] & 32;
	memcpy(t.rcpts, rcpts, sizeof rcpts);
	t.s = smtp_new(data[0] & 1 ? SMTP_LMTP : SMTP_SMTP, SLICE("quell.example.org"));
	must(t.s != NULL);
	for (size_t pos = 1; pos < size; pos += step) {
		smtp_feed(t.s, slice_between(slice_make(data, size), pos, pos + step));
		drain(&t);
	}
	smtp_feed_end(t.s);
	drain(&t);
	must(t.is_over);
	smtp_free(&t.s);
	return 0;
}
