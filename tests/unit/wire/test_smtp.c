/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/smtp.h"

/* A talk as rows: what the server says, what the client must have said since, and the
 * events since, in short: "READY", "BODY", "DONE0=250", "END", "CLOSED", "FAILED". */
struct row {
	const char *server; /* NULL: the server closes */
	const char *client;
	const char *events;
};

struct play {
	struct smtp *s;
	const struct smtp_mail *mail; /* given at READY, then NULL */
	const char *body;
	bool want_quit;
	struct buf events;
};

static void note(struct play *p, const struct smtp_event *ev)
{
	static const char *const names[] = { "NONE", "READY", "BODY", "DONE", "END", "CLOSED", "FAILED" };
	if (p->events.len > 0)
		buf_add_byte(&p->events, ' ');
	buf_add_str(&p->events, names[ev->kind]);
	if (ev->kind == SMTP_DONE)
		buf_addf(&p->events, "%zu=%d", ev->rcpt, ev->reply.code);
	if (ev->kind == SMTP_FAILED)
		assert_non_null(ev->why);
}

static void act(struct play *p, const struct smtp_event *ev)
{
	if ((ev->kind == SMTP_READY || ev->kind == SMTP_MAIL_END) && p->mail) {
		const struct smtp_mail *mail = p->mail;
		p->mail = NULL;
		assert_true(smtp_mail(p->s, mail));
	} else if (ev->kind == SMTP_MAIL_END && p->want_quit) {
		smtp_quit(p->s);
	} else if (ev->kind == SMTP_BODY) {
		struct slice body = slice_from_str(p->body);
		assert_int_equal(smtp_body(p->s, body), body.len);
		assert_true(smtp_body_end(p->s));
	}
}

static void drain(struct play *p)
{
	struct smtp_event ev;
	for (smtp_next(p->s, &ev); ev.kind != SMTP_NONE; smtp_next(p->s, &ev)) {
		note(p, &ev);
		act(p, &ev);
	}
}

/* step: bytes fed at once; 0: all. */
static void run_play(enum smtp_kind kind, const struct row *rows, size_t count, struct play play, size_t step)
{
	play.s = smtp_new(kind, SLICE("quell.example.org"));
	assert_non_null(play.s);
	buf_init(&play.events, 4096);
	for (size_t i = 0; i < count; i++) {
		struct slice said = slice_from_str(rows[i].server);
		if (!rows[i].server)
			smtp_feed_end(play.s);
		for (size_t pos = 0; pos < said.len; pos += step ? step : said.len) {
			smtp_feed(play.s, slice_between(said, pos, pos + (step ? step : said.len)));
			drain(&play);
		}
		drain(&play);
		if (strcmp(buf_str(smtp_out(play.s)), rows[i].client) != 0)
			fail_msg("row %zu: client says \"%s\", wanted \"%s\"", i,
				 buf_str(smtp_out(play.s)), rows[i].client);
		if (strcmp(buf_str(&play.events), rows[i].events) != 0)
			fail_msg("row %zu: events \"%s\", wanted \"%s\"", i, buf_str(&play.events),
				 rows[i].events);
		buf_reset(smtp_out(play.s));
		buf_reset(&play.events);
	}
	buf_free(&play.events);
	smtp_free(&play.s);
	assert_null(play.s);
}

static void run_both(enum smtp_kind kind, const struct row *rows, size_t count, struct play play)
{
	run_play(kind, rows, count, play, 0);
	run_play(kind, rows, count, play, 1);
}
#define RUN(kind, rows, ...) run_both(kind, rows, sizeof rows / sizeof rows[0], (struct play){ __VA_ARGS__ })

static const struct slice rcpts[] = {
	{ "a@example.com", 13 }, { "b@example.com", 13 }, { "c@example.com", 13 },
};
static const struct smtp_mail mail3 = { { "s@example.org", 13 }, rcpts, 3, 1234, true };
static const struct smtp_mail mail1 = { { "", 0 }, rcpts, 1, 0, false };

static void a_pipelined_mail_is_delivered_to_those_who_take_it(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "220-hello\r\n220 mx ESMTP\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
		  "MAIL FROM:<s@example.org> SIZE=1234 BODY=8BITMIME\r\nRCPT TO:<a@example.com>\r\n"
		  "RCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n", "READY" },
		{ "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n", "", "" },
		{ "550 5.1.1 no\r\n", "", "DONE1=550" },
		{ "250 2.1.5 Ok\r\n", "", "" },
		{ "354 go\r\n", "Subject: x\r\n\r\n..dot\r\ntail\r\n.\r\n", "BODY" },
		{ "250 2.0.0 queued as 4ABC\r\n", "QUIT\r\n", "DONE0=250 DONE2=250 END" },
		{ "221 bye\r\n", "", "CLOSED" },
		{ "250 more\r\n", "", "" },
	};
	RUN(SMTP_SMTP, rows, .mail = &mail3, .body = "Subject: x\n\n.dot\ntail", .want_quit = true);
}

static void without_pipelining_each_command_waits_for_its_reply(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "502 what\r\n", "HELO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<s@example.org>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "250 ok\r\n", "RCPT TO:<b@example.com>\r\n", "" },
		{ "450 4.2.0 later\r\n", "RCPT TO:<c@example.com>\r\n", "DONE1=450" },
		{ "550 no\r\n", "DATA\r\n", "DONE2=550" },
		{ "354 go\r\n", "x\r\n.\r\n", "BODY" },
		{ "451 4.3.0 full\r\n", "", "DONE0=451 END" },
	};
	RUN(SMTP_SMTP, rows, .mail = &mail3, .body = "x\r\n");
}

static void lmtp_gives_each_recipient_its_own_word(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "220 mx LMTP\r\n", "LHLO quell.example.org\r\n", "" },
		{ "250-mx\r\n250 PIPELINING\r\n",
		  "MAIL FROM:<s@example.org>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
		  "RCPT TO:<c@example.com>\r\nDATA\r\n", "READY" },
		{ "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n", "", "DONE1=550" },
		{ "354 go\r\n", "x\r\n.\r\n", "BODY" },
		{ "250 taken\r\n", "", "DONE0=250" },
		{ "452 4.2.2 full\r\n", "QUIT\r\n", "DONE2=452 END" },
		{ NULL, "", "CLOSED" },
	};
	RUN(SMTP_LMTP, rows, .mail = &mail3, .body = "x\n", .want_quit = true);
}

static void a_refused_sender_is_the_last_word_for_all(void **state)
{
	(void)state;
	static const struct row pipelined[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250-mx\r\n250 PIPELINING\r\n",
		  "MAIL FROM:<s@example.org>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
		  "RCPT TO:<c@example.com>\r\nDATA\r\n", "READY" },
		{ "451 4.7.1 later\r\n503 5.5.1 no\r\n", "", "" },
		{ "503 no\r\n503 no\r\n", "", "" },
		{ "503 no\r\n", "RSET\r\n", "DONE0=451 DONE1=451 DONE2=451" },
		{ "250 ok\r\n", "", "END" },
	};
	static const struct row plain[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<s@example.org>\r\n", "READY" },
		{ "550 5.7.1 no\r\n", "", "DONE0=550 DONE1=550 DONE2=550 END" },
	};
	RUN(SMTP_SMTP, pipelined, .mail = &mail3, .body = "");
	RUN(SMTP_SMTP, plain, .mail = &mail3, .body = "");
}

static void when_no_recipient_is_taken_the_mail_is_not_sent(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "550 no\r\n", "RSET\r\n", "DONE0=550" },
		{ "250 ok\r\n", "", "END" },
	};
	static const struct row data_refused[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "250 ok\r\n", "DATA\r\n", "" },
		{ "451 no\r\n", "RSET\r\n", "DONE0=451" },
		{ "250 ok\r\n", "", "END" },
	};
	RUN(SMTP_SMTP, rows, .mail = &mail1, .body = "");
	RUN(SMTP_SMTP, data_refused, .mail = &mail1, .body = "");
}

static void a_server_that_goes_away_politely_leaves_no_recipient_unknown(void **state)
{
	(void)state;
	static const struct row at_rcpt[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<s@example.org>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "421 4.3.2 bye\r\n", "", "DONE0=421 DONE1=421 DONE2=421 CLOSED" },
	};
	static const struct row idle[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "", "READY" },
		{ "421 timeout\r\n", "", "CLOSED" },
	};
	RUN(SMTP_SMTP, at_rcpt, .mail = &mail3, .body = "");
	RUN(SMTP_SMTP, idle, .body = "");
}

static void a_server_that_breaks_the_rules_ends_the_talk(void **state)
{
	(void)state;
	static const char *const greetings[] = {
		"554 no service\r\n", "hello\r\n", "220-a\r\n250 b\r\n", "99 x\r\n", "1000\r\n", "354 go\r\n",
		"220\tx\r\n", "\r\n",
	};
	for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
		const struct row rows[] = { { greetings[i], "", "FAILED" }, { "220 mx\r\n", "", "" } };
		RUN(SMTP_SMTP, rows, .body = "");
	}
	/* Speaks before asked: two greetings in one go. */
	static const struct row early[] = { { "220 mx\r\n250 mx\r\n", "EHLO quell.example.org\r\n", "FAILED" } };
	run_play(SMTP_SMTP, early, 1, (struct play){ .body = "" }, 0);
	/* Answers DATA before it is asked. */
	static const struct row ahead[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "250 ok\r\n354 go\r\n", "DATA\r\n", "FAILED" },
	};
	run_play(SMTP_SMTP, ahead, 4, (struct play){ .mail = &mail1, .body = "" }, 0);
	static const struct row chatty[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "", "READY" },
		{ "2", "", "FAILED" },
	};
	RUN(SMTP_SMTP, chatty, .body = "");
	static const struct row closed[] = {
		{ "220 mx\r\n", "EHLO quell.example.org\r\n", "" },
		{ "250 mx\r\n", "MAIL FROM:<>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "250 ok\r\n", "DATA\r\n", "" },
		{ "354 ok\r\n", "x\r\n.\r\n", "BODY" },
		{ NULL, "", "FAILED" },
	};
	RUN(SMTP_SMTP, closed, .mail = &mail1, .body = "x");
}

static void endless_lines_and_replies_are_cut_off(void **state)
{
	(void)state;
	struct smtp_event ev;
	struct smtp *s = smtp_new(SMTP_SMTP, SLICE("q"));
	size_t fed = 0;
	for (ev.kind = SMTP_NONE; ev.kind == SMTP_NONE && fed < 10 * SMTP_LINE_BYTES_MAX; fed += 64) {
		char chunk[64];
		memset(chunk, '2', sizeof chunk);
		smtp_feed(s, slice_make(chunk, sizeof chunk));
		smtp_next(s, &ev);
	}
	assert_int_equal(ev.kind, SMTP_FAILED);
	assert_true(fed <= SMTP_LINE_BYTES_MAX + 128);
	smtp_free(&s);
	s = smtp_new(SMTP_SMTP, SLICE("q"));
	int lines = 0;
	for (ev.kind = SMTP_NONE; ev.kind == SMTP_NONE && lines < 1000; lines++) {
		smtp_feed(s, SLICE("220-and so on\r\n"));
		smtp_next(s, &ev);
	}
	assert_int_equal(ev.kind, SMTP_FAILED);
	assert_int_equal(lines, SMTP_REPLY_LINES_MAX + 1);
	smtp_free(&s);
}

static void a_reply_is_split_into_code_enhanced_status_and_text(void **state)
{
	(void)state;
	static const struct {
		const char *wire, *enhanced, *text;
	} rows[] = {
		{ "421-4.7.0 first\r\n421 4.7.0 second\r\n", "4.7.0", "first second" },
		{ "421 plain\r\n", "", "plain" },
		{ "421\r\n", "", "" },
		{ "421 5.7.0 other class\r\n", "", "5.7.0 other class" },
		{ "421 4.7 short\r\n", "", "4.7 short" },
		{ "421 4.7.1234 long\r\n", "", "4.7.1234 long" },
		{ "421 4.71.123\r\n", "4.71.123", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct smtp *s = smtp_new(SMTP_SMTP, SLICE("q"));
		struct smtp_event ev;
		smtp_feed(s, slice_from_str(rows[i].wire));
		smtp_next(s, &ev);
		assert_int_equal(ev.kind, SMTP_CLOSED);
		assert_int_equal(ev.reply.code, 421);
		assert_true(smtp_is_temporary(&ev.reply));
		assert_string_equal(ev.reply.enhanced, rows[i].enhanced);
		assert_slice(ev.reply.text, rows[i].text);
		smtp_free(&s);
	}
}

#define GREETED { "220 mx\r\n", "EHLO quell.example.org\r\n", "" }
#define GREETED_LMTP { "220 mx\r\n", "LHLO quell.example.org\r\n", "" }
#define CAN "250-mx\r\n250 PIPELINING\r\n"
#define GROUP "MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"

/* RFC 2920 3.1: DATA is on its way when the recipient is refused. */
static void data_said_ahead_of_a_refusal_is_heard_out(void **state)
{
	(void)state;
	static const struct row refused[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n", "", "" }, { "550 no\r\n", "", "DONE0=550" },
		{ "554 no valid recipients\r\n", "RSET\r\n", "" }, { "250 ok\r\n", "QUIT\r\n", "END" },
	};
	static const struct row lone_dot[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n450 later\r\n", "", "DONE0=450" },
		{ "354 go\r\n", ".\r\n", "" }, { "554 no\r\n", "QUIT\r\n", "END" },
	};
	static const struct row lone_dot_taken[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n354 go\r\n", ".\r\n", "DONE0=550" },
		{ "250 queued\r\n", "QUIT\r\n", "END" },
	};
	static const struct row lone_dot_more[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n354 go\r\n", ".\r\n", "DONE0=550" },
		{ "354 more\r\n", "", "FAILED" },
	};
	static const struct row sender[] = {
		GREETED, { CAN, GROUP, "READY" }, { "451 no\r\n", "", "" }, { "503 no\r\n", "", "" },
		{ "354 go\r\n", ".\r\n", "" }, { "503 no\r\n", "QUIT\r\n", "DONE0=451 END" },
	};
	/* Its dot would be an empty mail for somebody. */
	static const struct row sender_but_recipient[] = {
		GREETED, { CAN, GROUP, "READY" }, { "451 no\r\n250 ok\r\n", "", "" },
		{ "354 go\r\n", "", "DONE0=451 FAILED" },
	};
	static const struct row taken_for_none[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n", "", "DONE0=550" },
		{ "250 ok\r\n", "", "FAILED" },
	};
	static const struct row data_refused[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n250 ok\r\n", "", "" },
		{ "451 full\r\n", "RSET\r\n", "DONE0=451" }, { "250 ok\r\n", "QUIT\r\n", "END" },
	};
	static const struct row bye[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n", "", "DONE0=550" },
		{ "421 bye\r\n", "", "CLOSED" },
	};
	static const struct row gone[] = {
		GREETED, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n", "", "DONE0=550" }, { NULL, "", "FAILED" },
	};
	RUN(SMTP_SMTP, refused, .mail = &mail1, .body = "x", .want_quit = true);
	RUN(SMTP_SMTP, lone_dot, .mail = &mail1, .body = "x", .want_quit = true);
	RUN(SMTP_SMTP, lone_dot_taken, .mail = &mail1, .body = "x", .want_quit = true);
	RUN(SMTP_SMTP, lone_dot_more, .mail = &mail1, .body = "x");
	RUN(SMTP_SMTP, sender, .mail = &mail1, .body = "x", .want_quit = true);
	RUN(SMTP_SMTP, sender_but_recipient, .mail = &mail1, .body = "x");
	RUN(SMTP_SMTP, taken_for_none, .mail = &mail1, .body = "x");
	RUN(SMTP_SMTP, data_refused, .mail = &mail1, .body = "x", .want_quit = true);
	RUN(SMTP_SMTP, bye, .mail = &mail1, .body = "x");
	RUN(SMTP_SMTP, gone, .mail = &mail1, .body = "x");
}

/* RFC 2033 4.2: without a recipient DATA must fail; a dot would have no reply to count on. */
static void in_lmtp_data_for_nobody_may_only_fail(void **state)
{
	(void)state;
	static const struct row refused[] = {
		GREETED_LMTP, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n503 none\r\n", "RSET\r\n", "DONE0=550" },
		{ "250 ok\r\n", "QUIT\r\n", "END" },
	};
	static const struct row wanted[] = {
		GREETED_LMTP, { CAN, GROUP, "READY" }, { "250 ok\r\n550 no\r\n", "", "DONE0=550" },
		{ "354 go\r\n", "", "FAILED" },
	};
	static const struct row one_word[] = {
		GREETED_LMTP, { CAN, GROUP, "READY" }, { "250 ok\r\n250 ok\r\n354 go\r\n", "x\r\n.\r\n", "BODY" },
		{ "250 taken\r\n", "QUIT\r\n", "DONE0=250 END" },
	};
	RUN(SMTP_LMTP, refused, .mail = &mail1, .body = "x", .want_quit = true);
	RUN(SMTP_LMTP, wanted, .mail = &mail1, .body = "x");
	RUN(SMTP_LMTP, one_word, .mail = &mail1, .body = "x", .want_quit = true);
}

static void a_probe_asks_about_each_recipient_and_sends_no_mail(void **state)
{
	(void)state;
	static const struct smtp_mail probe1 = { .rcpts = rcpts, .rcpt_count = 1, .is_probe = true };
	static const struct smtp_mail probe2 = { .rcpts = rcpts, .rcpt_count = 2, .is_probe = true };
	static const struct row taken[] = {
		GREETED, { CAN, "MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n", "READY" },
		{ "250 ok\r\n250 ok\r\n", "RSET\r\n", "DONE0=250" }, { "250 ok\r\n", "", "END" },
	};
	static const struct row two[] = {
		GREETED, { "250 mx\r\n", "MAIL FROM:<>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com>\r\n", "" },
		{ "250 ok\r\n", "RCPT TO:<b@example.com>\r\n", "DONE0=250" },
		{ "554 5.7.1 no relay\r\n", "RSET\r\n", "DONE1=554" }, { "250 ok\r\n", "", "END" },
	};
	static const struct row sender[] = {
		GREETED, { CAN, "MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n", "READY" },
		{ "550 no\r\n", "", "" }, { "503 no\r\n", "RSET\r\n", "DONE0=550" }, { "250 ok\r\n", "", "END" },
	};
	RUN(SMTP_SMTP, taken, .mail = &probe1, .body = "");
	RUN(SMTP_SMTP, two, .mail = &probe2, .body = "");
	RUN(SMTP_SMTP, sender, .mail = &probe1, .body = "");
}

static void notify_never_is_said_only_where_dsn_is_offered(void **state)
{
	(void)state;
	static const struct smtp_mail quiet = { .rcpts = rcpts, .rcpt_count = 1, .want_no_dsn = true };
	static const struct row offered[] = {
		GREETED, { "250-mx\r\n250-DSN\r\n250 PIPELINING\r\n",
			   "MAIL FROM:<>\r\nRCPT TO:<a@example.com> NOTIFY=NEVER\r\nDATA\r\n", "READY" },
	};
	static const struct row one_by_one[] = {
		GREETED_LMTP, { "250-mx\r\n250 DSN\r\n", "MAIL FROM:<>\r\n", "READY" },
		{ "250 ok\r\n", "RCPT TO:<a@example.com> NOTIFY=NEVER\r\n", "" },
	};
	static const struct row not_offered[] = { GREETED, { CAN, GROUP, "READY" } };
	static const struct row not_wanted[] = { GREETED,
	{ "250-mx\r\n250-DSN\r\n250 PIPELINING\r\n", GROUP, "READY" } };
	RUN(SMTP_SMTP, offered, .mail = &quiet, .body = "");
	RUN(SMTP_LMTP, one_by_one, .mail = &quiet, .body = "");
	RUN(SMTP_SMTP, not_offered, .mail = &quiet, .body = "");
	RUN(SMTP_SMTP, not_wanted, .mail = &mail1, .body = "");
}

static struct smtp *ready_client(void)
{
	struct smtp_event ev;
	struct smtp *s = smtp_new(SMTP_SMTP, SLICE("q"));
	smtp_feed(s, SLICE("220 mx\r\n"));
	smtp_next(s, &ev);
	smtp_feed(s, SLICE("250 mx\r\n"));
	smtp_next(s, &ev);
	assert_int_equal(ev.kind, SMTP_READY);
	buf_reset(smtp_out(s));
	return s;
}

static void addresses_that_could_end_a_command_early_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		bool is_good;
	} rows[] = {
		{ "a@example.com", true }, { "\"a b\"@example.com", true }, { "\"a>b\"@example.com", true },
		{ "\"a\\\"b\"@example.com", true }, { "\xc3\xa9@example.com", true },
		{ "a b@example.com", false }, { "a>b@example.com", false }, { "<a@example.com>", false },
		{ "a\r\nDATA", false }, { "\"a\r\n\"@x", false }, { "\"a@example.com", false }, { "", false },
		{ "\"a\\\r\"@x", false }, { "a\x7f@x", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct smtp *s = ready_client();
		struct slice rcpt = slice_from_str(rows[i].path);
		const struct smtp_mail mail = { .from = SLICE("s@example.org"), .rcpts = &rcpt, .rcpt_count = 1 };
		if (smtp_mail(s, &mail) != rows[i].is_good)
			fail_msg("row %zu: %s", i, rows[i].path);
		assert_int_equal(smtp_out(s)->len > 0, rows[i].is_good);
		smtp_free(&s);
	}
	assert_null(smtp_new(SMTP_SMTP, SLICE("a b")));
	assert_null(smtp_new(SMTP_SMTP, SLICE("")));
	assert_null(smtp_new(SMTP_SMTP, SLICE("a\r\nb")));
}

static void a_body_cut_at_every_place_leaves_in_the_same_form(void **state)
{
	(void)state;
	static const char body[] = "H: v\r\n\r\n.one\n..two\r\n.\r\n\n.\nlone\rcr\r\n.end";
	static const char wire[] = "H: v\r\n\r\n..one\r\n...two\r\n..\r\n\r\n..\r\nlone\rcr\r\n..end\r\n.\r\n";
	for (size_t cut = 0; cut <= sizeof body - 1; cut++) {
		struct smtp *s = ready_client();
		struct smtp_event ev;
		assert_true(smtp_mail(s, &mail1));
		smtp_feed(s, SLICE("250 ok\r\n"));
		smtp_next(s, &ev);
		smtp_feed(s, SLICE("250 ok\r\n"));
		smtp_next(s, &ev);
		smtp_feed(s, SLICE("354 ok\r\n"));
		smtp_next(s, &ev);
		assert_int_equal(ev.kind, SMTP_BODY);
		buf_reset(smtp_out(s));
		struct slice all = SLICE(body);
		smtp_body(s, slice_first(all, cut));
		smtp_body(s, slice_from(all, cut));
		assert_true(smtp_body_end(s));
		assert_string_equal(buf_str(smtp_out(s)), wire);
		assert_int_equal(smtp_body(s, all), 0);
		smtp_free(&s);
	}
}

static struct smtp *client_at_body(void)
{
	static const char *const said[] = { "250 ok\r\n", "250 ok\r\n", "354 go\r\n" };
	struct smtp *s = ready_client();
	struct smtp_event ev;
	assert_true(smtp_mail(s, &mail1));
	for (size_t i = 0; i < 3; i++) {
		smtp_feed(s, slice_from_str(said[i]));
		smtp_next(s, &ev);
	}
	assert_int_equal(ev.kind, SMTP_BODY);
	buf_reset(smtp_out(s));
	return s;
}

static void the_mail_is_in_doubt_between_its_end_and_the_word(void **state)
{
	(void)state;
	struct smtp *s = client_at_body();
	struct smtp_event ev;
	assert_int_equal(smtp_body(s, SLICE("x\r\n")), 3);
	assert_false(smtp_is_awaiting_word(s));
	assert_true(smtp_body_end(s));
	assert_true(smtp_is_awaiting_word(s));
	smtp_feed(s, SLICE("250 ok\r\n"));
	for (ev.kind = SMTP_DONE; ev.kind != SMTP_NONE;)
		smtp_next(s, &ev);
	assert_false(smtp_is_awaiting_word(s));
	smtp_free(&s);
}

static void a_mail_that_lost_bytes_or_heard_a_word_is_never_ended(void **state)
{
	(void)state;
	char text[4096];
	struct smtp_event ev;
	memset(text, 'x', sizeof text);
	for (int has_word = 0; has_word < 2; has_word++) {
		struct smtp *s = client_at_body();
		if (has_word)
			smtp_feed(s, SLICE("421 by"));
		else
			mem_fail_after = 0;
		smtp_next(s, &ev);
		assert_int_equal(ev.kind, SMTP_NONE);
		assert_int_equal(smtp_body(s, slice_make(text, sizeof text)), has_word ? sizeof text : 0);
		mem_fail_after = -1;
		buf_reset(smtp_out(s));
		assert_false(smtp_body_end(s));
		assert_false(smtp_is_awaiting_word(s));
		assert_int_equal(smtp_out(s)->len, 0);
		smtp_next(s, &ev);
		assert_int_equal(ev.kind, SMTP_FAILED);
		smtp_free(&s);
	}
}

static void a_mail_without_memory_leaves_no_half_of_a_command(void **state)
{
	(void)state;
	char path[300];
	memset(path, 'a', sizeof path);
	const struct slice rcpt = slice_make(path, sizeof path);
	const struct smtp_mail mail = { .rcpts = &rcpt, .rcpt_count = 1 };
	long n = 0;
	for (bool is_begun = false; !is_begun; n++) {
		struct smtp *s = ready_client();
		buf_free(smtp_out(s));
		mem_fail_after = n;
		is_begun = smtp_mail(s, &mail);
		mem_fail_after = -1;
		assert_int_equal(smtp_out(s)->len > 0, is_begun);
		if (!is_begun)
			assert_true(smtp_mail(s, &mail));
		smtp_free(&s);
	}
	assert_true(n > 2);
}

static void a_full_out_buffer_holds_the_body_back_without_loss(void **state)
{
	(void)state;
	struct smtp *s = ready_client();
	struct smtp_event ev;
	smtp_mail(s, &mail1);
	for (int i = 0; i < 3; i++) {
		smtp_feed(s, i < 2 ? SLICE("250 ok\r\n") : SLICE("354 ok\r\n"));
		smtp_next(s, &ev);
	}
	buf_reset(smtp_out(s));
	size_t bytes = 3 * 1024 * 1024, given = 0, sent = 0;
	char *dots = mem_must_alloc(bytes);
	memset(dots, '\n', bytes);
	while (given < bytes) {
		size_t n = smtp_body(s, slice_make(dots + given, bytes - given));
		given += n;
		if (n == 0) {
			sent += smtp_out(s)->len;
			buf_reset(smtp_out(s));
		}
	}
	while (!smtp_body_end(s)) {
		sent += smtp_out(s)->len;
		buf_reset(smtp_out(s));
	}
	sent += smtp_out(s)->len;
	assert_int_equal(sent, 2 * bytes + 3);
	mem_free(dots);
	smtp_free(&s);
}

static void want_of_memory_fails_the_talk_and_never_the_process(void **state)
{
	(void)state;
	for (long n = 0; n < 12; n++) {
		struct smtp_event ev = { .kind = SMTP_NONE };
		mem_fail_after = n;
		struct smtp *s = smtp_new(SMTP_SMTP, SLICE("q"));
		static const char *const said[] = { "220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n",
						    "354 go\r\n" };
		for (size_t i = 0; s && i < 5 && ev.kind != SMTP_FAILED; i++) {
			smtp_feed(s, slice_from_str(said[i]));
			smtp_next(s, &ev);
			if (ev.kind == SMTP_READY && !smtp_mail(s, &mail3))
				break;
		}
		mem_fail_after = -1;
		if (s && ev.kind == SMTP_FAILED)
			assert_non_null(ev.why);
		smtp_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipelined_mail_is_delivered_to_those_who_take_it),
		cmocka_unit_test(without_pipelining_each_command_waits_for_its_reply),
		cmocka_unit_test(lmtp_gives_each_recipient_its_own_word),
		cmocka_unit_test(a_refused_sender_is_the_last_word_for_all),
		cmocka_unit_test(when_no_recipient_is_taken_the_mail_is_not_sent),
		cmocka_unit_test(a_server_that_goes_away_politely_leaves_no_recipient_unknown),
		cmocka_unit_test(a_server_that_breaks_the_rules_ends_the_talk),
		cmocka_unit_test(endless_lines_and_replies_are_cut_off),
		cmocka_unit_test(data_said_ahead_of_a_refusal_is_heard_out),
		cmocka_unit_test(in_lmtp_data_for_nobody_may_only_fail),
		cmocka_unit_test(a_probe_asks_about_each_recipient_and_sends_no_mail),
		cmocka_unit_test(notify_never_is_said_only_where_dsn_is_offered),
		cmocka_unit_test(the_mail_is_in_doubt_between_its_end_and_the_word),
		cmocka_unit_test(a_mail_that_lost_bytes_or_heard_a_word_is_never_ended),
		cmocka_unit_test(a_mail_without_memory_leaves_no_half_of_a_command),
		cmocka_unit_test(a_reply_is_split_into_code_enhanced_status_and_text),
		cmocka_unit_test(addresses_that_could_end_a_command_early_are_refused),
		cmocka_unit_test(a_body_cut_at_every_place_leaves_in_the_same_form),
		cmocka_unit_test(a_full_out_buffer_holds_the_body_back_without_loss),
		cmocka_unit_test(want_of_memory_fails_the_talk_and_never_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
