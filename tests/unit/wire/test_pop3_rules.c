/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3_play.h"

/* ---- breaches: greeting, command, the server's bytes, why ---- */

#define BREACH(give, server, why) { give, server, "FAILED(" why ")" }
#define NO_CRLF "the server's line does not end with CRLF"
#define NO_STATUS "the server's answer is neither +OK nor -ERR"
#define BAD_ROW "a row of the listing is out of its form"
#define EARLY "the server spoke before it was asked"

static const struct { const char *give, *server, *events; } breaches[] = {
	BREACH("", "+", EARLY), BREACH("", "\r\n", EARLY), BREACH("", "-ERR idle too long\r\n", EARLY),
	BREACH("noop", "+OK\n", NO_CRLF), BREACH("noop", "\n", NO_CRLF), BREACH("noop", "\r\n", NO_STATUS),
	BREACH("noop", "OK\r\n", NO_STATUS), BREACH("noop", "+OKAY\r\n", NO_STATUS),
	BREACH("noop", "+ OK\r\n", NO_STATUS),
	BREACH("noop", " +OK\r\n", NO_STATUS), BREACH("noop", "+\r\n", NO_STATUS), BREACH("noop", "-\r\n", NO_STATUS),
	BREACH("noop", "-ER\r\n", NO_STATUS), BREACH("noop", "-ERROR\r\n", NO_STATUS),
	BREACH("noop", "* OK\r\n", NO_STATUS),
	BREACH("noop", "250 ok\r\n", NO_STATUS), BREACH("noop", "HTTP/1.1 400 Bad Request\r\n", NO_STATUS),
	BREACH("stat", "+OK\r\n", "the answer to STAT is out of its form"),
	BREACH("stat", "+OK 1\r\n", "the answer to STAT is out of its form"),
	BREACH("stat", "+OK 1 x\r\n", "the answer to STAT is out of its form"),
	BREACH("stat", "+OK 4294967296 1\r\n", "the answer to STAT is out of its form"),
	BREACH("list", "+OK\r\n", "the server closed the link"),
	BREACH("capa", "+OK\r\n\r\n", "the answer to CAPA has an empty row"),
	BREACH("capa", "+OK\r\nTOP\n", NO_CRLF), BREACH("capa", "+OK\r\n.\n", NO_CRLF),
	BREACH("capa", "+OK\r\nTOP\r\n", "the server closed the link"),
	BREACH("auth plain", "+ hello\r\n", "the server's challenge is no base64, or too long"),
	BREACH("auth plain", "+ Z\r\n", "the server's challenge is no base64, or too long"),
	BREACH("auth plain", "+ Zg==\r\n", "the server's challenge comes before our first word"),
	BREACH("auth plain", "+OK\r\n", "the server says we are in, but proved nothing"),
	BREACH("auth+ plain", "+ \r\n", "the server asks for more than PLAIN has"),
	BREACH("auth+ plain", "++\r\n", NO_STATUS),
	BREACH("retr 1", "+OK\r\nhalf a mail\r\n", "the server closed the link"),
	BREACH("retr 1", "+OK\r\nhalf a mail\n.\n", "the server closed the link"),
	BREACH("retr 1", "+OK\r\nhalf a mail\r\n.", "the server closed the link"),
	BREACH("retr 1", "+OK\r\nhalf a mail\r\n.\r", "the server closed the link"),
	BREACH("retr 1", "+OK\r\n.\r\n.\r\n", EARLY), BREACH("retr 1", "-ERR\r\n.\r\n", EARLY),
	BREACH("retr 1;quit", "+OK\r\nhalf", "the server closed the link"),
	BREACH("stat", "+OK 1", "the server closed the link"), BREACH("stat", "", "the server closed the link"),
	BREACH("noop;quit", "", "the server closed the link"),
};

/* Rows that fit neither LIST nor UIDL, or one of them. */
static const struct { const char *give, *row; } bad_rows[] = {
	{ "list", "" }, { "list", "1" }, { "list", "1 " }, { "list", "0 1" }, { "list", "4294967296 1" },
	{ "list", "x 1" },
	{ "list", "1 x" }, { "list", "1 -1" }, { "list", "-1 1" }, { "list", "+1 1" }, { "list", " 1 1" },
	{ "list", ".1 1" },
	{ "list", ".." }, { "list", ". " }, { "list", "1 18446744073709551616" }, { "list", "18446744073709551617 1" },
	{ "list", "-ERR" }, { "list", "1.1 1" }, { "uidl", "" }, { "uidl", "1" }, { "uidl", "1 " }, { "uidl", "1 \t " },
	{ "uidl", "0 a" }, { "uidl", "4294967296 a" }, { "uidl", "a 1" }, { "uidl", " 1 a" }, { "uidl", "1a" },
};

static void check_breach(const char *commands, struct slice server, const char *event, size_t first, size_t step)
{
	struct play play = play_new();
	struct pop3_event ev;
	feed(&play, SLICE("+OK\r\n"));
	give(&play, commands);
	feed(&play, slice_first(server, first));
	for (size_t pos = first; pos < server.len; pos += step)
		feed(&play, slice_between(server, pos, pos + step));
	feed_end(&play);
	struct slice events = buf_slice(&play.events), wanted = slice_from_str(event);
	if (!slice_equal(slice_from(events, events.len - wanted.len), wanted))
		fail_msg("\"%s\" \"%.*s\" split %zu: \"%.*s\", wanted \"%s\"", commands, SLICE_ARG(server), first,
			 SLICE_ARG(events), event);
	/* Nothing more: no event, no command, no byte out, no mail that is whole. */
	size_t before = play.events.len;
	feed(&play, SLICE("+OK\r\n.\r\n+OK\r\n"));
	pop3_next(play.p, &ev);
	assert_int_equal(ev.kind, POP3_NONE);
	assert_int_equal(play.events.len, before);
	assert_false(pop3_noop(play.p));
	assert_false(pop3_quit(play.p));
	assert_int_equal(pop3_out(play.p)->len, 0);
	play_free(&play);
}

static void check_breach_splits(const char *commands, struct slice server, const char *event)
{
	for (size_t split = 0; split <= server.len; split++)
		check_breach(commands, server, event, split, SIZE_MAX / 2);
	check_breach(commands, server, event, 0, 1);
}

static void every_breach_of_the_rules_ends_the_talk(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof breaches / sizeof breaches[0]; i++)
		check_breach_splits(breaches[i].give, slice_from_str(breaches[i].server), breaches[i].events);
	for (size_t i = 0; i < sizeof bad_rows / sizeof bad_rows[0]; i++) {
		struct buf b;
		buf_init(&b, 256);
		buf_addf(&b, "+OK\r\n1 1\r\n%s\r\n.\r\n", bad_rows[i].row);
		check_breach_splits(bad_rows[i].give, buf_slice(&b), "FAILED(" BAD_ROW ")");
		buf_free(&b);
	}
}

static void an_answer_from_before_the_question_ends_the_talk(void **state)
{
	(void)state;
	/* The second +OK was there before NOOP was given: whole, or in part. */
	static const char *const tails[] = { "+OK\r\n", "+" };
	for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		struct play play = play_new();
		struct pop3_event ev;
		struct buf b;
		buf_init(&b, 64);
		buf_addf(&b, "+OK\r\n%s", tails[i]);
		pop3_feed(play.p, buf_slice(&b));
		pop3_next(play.p, &ev);
		assert_int_equal(ev.kind, POP3_REPLY);
		assert_true(pop3_noop(play.p));
		pop3_next(play.p, &ev);
		assert_int_equal(ev.kind, POP3_FAILED);
		assert_string_equal(ev.why, EARLY);
		assert_int_equal(ev.command, POP3_NOOP);
		assert_int_equal(ev.reply.is_ok, i == 0);
		buf_free(&b);
		play_free(&play);
	}
}

/* The same within AUTH: what came along with a challenge cannot answer our word to it. */
static void an_answer_that_came_with_the_challenge_ends_the_talk(void **state)
{
	(void)state;
	check_breach("auth plain", SLICE("+\r\n+OK\r\n"), "FAILED(" EARLY ")", 0, SIZE_MAX / 2);
	check_breach("auth plain", SLICE("+\r\n+"), "FAILED(" EARLY ")", 2, SIZE_MAX / 2);
	check_breach("auth+ oauthbearer", SLICE("+ e30=\r\n-ERR\r\n"), "FAILED(" EARLY ")", 0, SIZE_MAX / 2);
	check_breach("auth+ oauthbearer", SLICE("+ e30=\r\n+ e30=\r\n"), "FAILED(the server complains twice)", 8,
		     SIZE_MAX / 2);
}

static void feeding_before_all_was_read_ends_the_talk(void **state)
{
	(void)state;
	struct play play = play_new();
	struct pop3_event ev;
	pop3_feed(play.p, SLICE("+OK\r\n"));
	pop3_feed(play.p, SLICE("+OK\r\n"));
	pop3_next(play.p, &ev);
	assert_int_equal(ev.kind, POP3_FAILED);
	play_free(&play);
}

/* ---- what servers in the wild do, and is taken ---- */

static void odd_but_harmless_servers_are_understood(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "", "", "+ok\r\n", "greeting=ok" },
		{ "noop;noop", "NOOP\r\nNOOP\r\n", "+Ok \t\r\n-err\r\n", "NOOP=ok NOOP=err" },
		{ "list", "LIST\r\n", "+OK 0 messages\r\n.\r\n", "LIST=ok LIST." },
		{ "list", "LIST\r\n",
		  "+OK\r\n1 120 extra words\r\n2\t\t5 \r\n2 5\r\n1 7\r\n007 1\r\n4294967295 0\r\n.\r\n",
		  "LIST=ok 1:120 2:5 2:5 1:7 7:1 4294967295:0 LIST." },
		{ "uidl", "UIDL\r\n", "+OK\r\n1 a b \t\r\n2  \xe4\x01\x7f\r\n3 .\r\n.\r\n",
		  "UIDL=ok 1:'a b' 2:'\xe4\x01\x7f' 3:'.' UIDL." },
		{ "uidl", "UIDL\r\n", "-ERR not here\r\n", "UIDL=err" },
		{ "stat", "STAT\r\n", "+OK 3 4 and more\r\n", "STAT=ok 3/4" },
		{ "stat", "STAT\r\n", "-ERR 3 4\r\n", "STAT=err" },
		{ "capa", "CAPA\r\n", "-ERR unknown\r\n", "CAPA=err" },
		{ "top 1", "TOP 1 10\r\n", "+OK\r\n\r\n.\r\n", "TOP1=ok {\r\n} TOP1." },
		{ "quit", "QUIT\r\n", NULL, "CLOSED=err" },
	};
	TALK(rows);
}

static void quit_without_its_whole_answer_leaves_deletions_unknown(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "+", "+OK by", "+OK bye\r" };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct play play = play_new();
		feed(&play, SLICE("+OK\r\n"));
		give(&play, "quit");
		feed(&play, slice_from_str(rows[i]));
		feed_end(&play);
		assert_slice(buf_slice(&play.events), "greeting=ok CLOSED=err");
		play_free(&play);
	}
}

static void a_refused_greeting_leaves_only_quit(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "", "", "-ERR [SYS/TEMP] too many connections\r\n", "greeting=err:SYS/TEMP" },
		{ "quit", "QUIT\r\n", "+OK\r\n", "CLOSED=ok" },
	};
	TALK(rows);
	struct play play = play_new();
	play_row(&play, &rows[0], 0, 0, 1);
	assert_false(pop3_capa(play.p));
	assert_false(pop3_user(play.p, SLICE("u")));
	feed_end(&play);
	assert_slice(buf_slice(&play.events), "FAILED(the server closed the link)");
	play_free(&play);
}

static void the_reason_of_a_refusal_is_found(void **state)
{
	(void)state;
	static const struct { const char *give, *text; enum pop3_code code; } rows[] = {
		{ "pass x", "[IN-USE] Do you have another POP session running?", POP3_CODE_IN_USE },
		{ "pass x", "[in-use]", POP3_CODE_IN_USE }, { "pass x", "[LOGIN-DELAY] wait", POP3_CODE_LOGIN_DELAY },
		{ "pass x", "[SYS/TEMP] disk", POP3_CODE_SYS_TEMP },
		{ "pass x", "[SYS/PERM] gone", POP3_CODE_SYS_PERM },
		{ "pass x", "[SYS/TEMP/DISK] full", POP3_CODE_SYS_TEMP }, { "pass x", "[AUTH] wrong", POP3_CODE_AUTH },
		{ "pass x", "[AUTH] account locked", POP3_CODE_AUTH }, { "pass x", "[AUTHX] wrong", POP3_CODE_OTHER },
		{ "pass x", "[SYS] x", POP3_CODE_OTHER }, { "pass x", "[] locked", POP3_CODE_OTHER },
		{ "pass x", "wrong password", POP3_CODE_NONE }, { "pass x", "", POP3_CODE_NONE },
		{ "pass x", "maildrop already locked", POP3_CODE_IN_USE }, { "pass x", "lock busy", POP3_CODE_IN_USE },
		{ "pass x", "Unable to lock maildrop", POP3_CODE_IN_USE },
		{ "pass x", "Mailbox IN USE.", POP3_CODE_IN_USE },
		{ "pass x", "user already logged in", POP3_CODE_IN_USE }, { "user x", "LOCKED", POP3_CODE_IN_USE },
		{ "pass x", "your address is blocked", POP3_CODE_NONE }, { "pass x", "clockwork", POP3_CODE_NONE },
		{ "pass x", "login used", POP3_CODE_NONE }, { "pass x", "[broken locked", POP3_CODE_IN_USE },
		{ "auth+ plain", "box is in use", POP3_CODE_IN_USE },
		{ "dele 1", "message 1 already deleted", POP3_CODE_NONE },
		{ "retr 1", "[SYS/TEMP] x", POP3_CODE_SYS_TEMP },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct play play = play_new();
		struct pop3_event ev;
		char line[256];
		feed(&play, SLICE("+OK\r\n"));
		give(&play, rows[i].give);
		snprintf(line, sizeof line, "-ERR  %s \r\n", rows[i].text);
		pop3_feed(play.p, slice_from_str(line));
		pop3_next(play.p, &ev);
		assert_int_equal(ev.kind, POP3_REPLY);
		assert_slice(ev.reply.text, rows[i].text);
		if (ev.reply.code != rows[i].code)
			fail_msg("\"%s\" is %s", rows[i].text, code_names[ev.reply.code]);
		play_free(&play);
	}
	/* +OK has no code, whatever it says. */
	struct play play = play_new();
	feed(&play, SLICE("+OK [IN-USE] locked\r\n"));
	assert_slice(buf_slice(&play.events), "greeting=ok");
	play_free(&play);
}

/* ---- what may be given, and when ---- */

static void a_command_that_cannot_stand_is_not_sent(void **state)
{
	(void)state;
	static char big[POP3_ARGUMENT_BYTES_MAX + 1];
	memset(big, 'x', sizeof big);
	struct play play = play_new();
	struct sasl_setup setup = { .mechanism = SASL_PLAIN, .user = SLICE("u"), .secret = SLICE("s") };
	play.sasl = sasl_new(&setup);
	assert_int_equal(pop3_open(play.p), 1); /* the greeting */
	assert_false(pop3_capa(play.p));
	assert_false(pop3_quit(play.p));
	feed(&play, SLICE("+OK\r\n"));
	assert_int_equal(pop3_open(play.p), 0);
	static const struct slice bad[] = {
		{ "", 0 }, { "a\r\nDELE 1", 10 }, { "a\n", 2 }, { "a\0b", 3 }, { "\x7f", 1 }, { "a\tb", 3 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(pop3_user(play.p, bad[i]));
		assert_false(pop3_pass(play.p, bad[i]));
	}
	assert_false(pop3_pass(play.p, slice_make(big, sizeof big)));
	assert_false(pop3_retr(play.p, 0));
	assert_false(pop3_dele(play.p, 0));
	assert_false(pop3_top(play.p, 0, 1));
	assert_int_equal(pop3_out(play.p)->len, 0);
	assert_int_equal(pop3_open(play.p), 0);
	assert_true(pop3_pass(play.p, slice_make(big, POP3_ARGUMENT_BYTES_MAX)));
	assert_false(pop3_stls(play.p)); /* only alone */
	assert_false(pop3_auth(play.p, play.sasl, true));
	assert_true(pop3_user(play.p, SLICE("J\xc3\xb6rg x")));
	feed(&play, SLICE("+OK\r\n+OK\r\n"));
	assert_true(pop3_stls(play.p));
	assert_false(pop3_noop(play.p));
	feed(&play, SLICE("-ERR\r\n"));
	assert_true(pop3_auth(play.p, play.sasl, false));
	assert_false(pop3_noop(play.p));
	feed(&play, SLICE("-ERR\r\n"));
	assert_true(pop3_top(play.p, UINT32_MAX, 0));
	assert_true(pop3_quit(play.p));
	assert_false(pop3_noop(play.p));
	assert_false(pop3_quit(play.p));
	assert_slice(slice_from(buf_slice(pop3_out(play.p)), 5 + 255 + 2),
		     "USER J\xc3\xb6rg x\r\nSTLS\r\nAUTH PLAIN\r\nTOP 4294967295 0\r\nQUIT\r\n");
	feed_end(&play);
	assert_false(pop3_noop(play.p));
	play_free(&play);
	play = play_new();
	feed(&play, SLICE("+OK\r\n"));
	pop3_feed_end(play.p); /* nobody is there to hear it */
	assert_false(pop3_noop(play.p));
	play_free(&play);
}

static void so_many_may_be_open_and_no_more(void **state)
{
	(void)state;
	struct play play = play_new();
	feed(&play, SLICE("+OK\r\n"));
	for (int round = 0; round < 3; round++) { /* the ring goes round */
		uint32_t n = 0;
		while (pop3_retr(play.p, n + 1))
			n++;
		assert_int_equal(n, POP3_OPEN_MAX);
		assert_int_equal(pop3_open(play.p), POP3_OPEN_MAX);
		buf_consume(pop3_out(play.p), SIZE_MAX);
		for (uint32_t i = 0; i < n; i++)
			feed(&play, i % 2 ? SLICE("+OK\r\n.\r\n") : SLICE("-ERR\r\n"));
		assert_int_equal(pop3_open(play.p), 0);
		assert_true(pop3_noop(play.p));
		feed(&play, SLICE("+OK\r\n"));
		assert_true(slice_ends_nocase(buf_slice(&play.events), SLICE("RETR256=ok RETR256. NOOP=ok")));
		buf_reset(&play.events);
	}
	play_free(&play);
}

static void a_full_out_buffer_takes_no_more_commands(void **state)
{
	(void)state;
	static char big[POP3_ARGUMENT_BYTES_MAX];
	memset(big, 'x', sizeof big);
	struct play play = play_new();
	feed(&play, SLICE("+OK\r\n"));
	size_t n = 0;
	while (pop3_user(play.p, slice_make(big, sizeof big))) {
		feed(&play, SLICE("+OK\r\n"));
		n++;
	}
	assert_int_equal(n, POP3_OUT_BYTES_MAX / (5 + 255 + 2));
	assert_int_equal(pop3_out(play.p)->len, n * (5 + 255 + 2));
	while (pop3_noop(play.p))
		feed(&play, SLICE("+OK\r\n"));
	assert_true(pop3_out(play.p)->len <= POP3_OUT_BYTES_MAX && !pop3_out(play.p)->is_over);
	assert_true(POP3_OUT_BYTES_MAX - pop3_out(play.p)->len < 7);
	buf_consume(pop3_out(play.p), 262);
	/* To the last byte, and not one more. */
	size_t room = POP3_OUT_BYTES_MAX - pop3_out(play.p)->len - strlen("USER \r\n");
	assert_true(pop3_user(play.p, slice_make(big, 100)));
	room -= 100 + strlen("USER \r\n");
	assert_false(pop3_user(play.p, slice_make(big, room + 1)));
	assert_true(pop3_user(play.p, slice_make(big, room)));
	assert_int_equal(pop3_out(play.p)->len, POP3_OUT_BYTES_MAX);
	play_free(&play);
}

/* A word of AUTH that finds no room must not be sent in part. */
static void a_word_that_does_not_fit_ends_the_talk(void **state)
{
	(void)state;
	static char big[SASL_ARGUMENT_BYTES_MAX];
	memset(big, 'x', sizeof big);
	struct play play = play_new();
	struct sasl_setup setup = { .mechanism = SASL_PLAIN, .user = slice_make(big, sizeof big),
				    .secret = slice_make(big, sizeof big) };
	play.sasl = sasl_new(&setup);
	feed(&play, SLICE("+OK\r\n"));
	while (pop3_out(play.p)->len < POP3_OUT_BYTES_MAX - 8192) {
		assert_true(pop3_user(play.p, slice_make(big, 255)));
		feed(&play, SLICE("+OK\r\n"));
	}
	buf_reset(&play.events);
	assert_true(pop3_auth(play.p, play.sasl, true));
	feed(&play, SLICE("+ \r\n"));
	assert_slice(buf_slice(&play.events), "FAILED(no room for our word in AUTH)");
	assert_int_equal(pop3_out(play.p)->len, 0);
	play_free(&play);
}

/* ---- secrets ---- */

static bool has_bytes(const struct buf *b, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i + n <= b->cap; i++)
		if (memcmp(b->ptr + i, text, n) == 0)
			return true;
	return false;
}

static void passwords_do_not_stay_in_the_out_buffer(void **state)
{
	(void)state;
	struct play play = play_new();
	feed(&play, SLICE("+OK\r\n"));
	const struct buf *out = pop3_out(play.p);
	const char *where = out->ptr;
	memset(out->ptr, 0, out->cap); /* so that every byte may be looked at */
	assert_true(pop3_pass(play.p, SLICE("hunter2")));
	assert_true(has_bytes(out, "hunter2"));
	buf_consume(pop3_out(play.p), 8); /* partly sent: the rest has moved to the front */
	pop3_feed(play.p, slice_make(NULL, 0));
	assert_slice(buf_slice(out), "ter2\r\n");
	assert_false(has_bytes(out, "hunter2"));
	assert_false(has_bytes(out, "r2\r\nr2"));
	buf_consume(pop3_out(play.p), SIZE_MAX);
	feed(&play, SLICE("-ERR\r\n"));
	assert_false(has_bytes(out, "ter2"));
	/* AUTH's words too, sent or not. */
	give(&play, "auth+ plain");
	assert_true(has_bytes(out, "AHVzZXIAcGVuY2ls"));
	feed(&play, SLICE("what?\r\n"));
	assert_false(has_bytes(out, "AHVz"));
	assert_ptr_equal(out->ptr, where);
	play_free(&play);
}

/* ---- ceilings and memory ---- */

static void lines_have_their_limit(void **state)
{
	(void)state;
	static const struct { const char *give, *start; size_t max; const char *fine; } rows[] = {
		{ "noop", "+OK ", POP3_LINE_BYTES_MAX, "NOOP=ok" },
		{ "list", "+OK\r\n1 1 ", POP3_LINE_BYTES_MAX + 5, "LIST=ok 1:1" },
		{ "capa", "+OK\r\nX ", POP3_LINE_BYTES_MAX + 5, "" },
		{ "auth+ plain", "-ERR ", POP3_CHALLENGE_BYTES_MAX, "AUTH=err" },
	};
	for (size_t i = 0; i < 4 * sizeof rows / sizeof rows[0]; i++) {
		size_t r = i / 4, over = i % 2, step = i % 4 < 2 ? SIZE_MAX / 2 : 1;
		struct play play = play_new();
		struct buf b;
		buf_init(&b, 32768);
		buf_add_str(&b, rows[r].start);
		while (b.len < rows[r].max + over - 1)
			buf_add_byte(&b, 'x');
		buf_add_str(&b, "\r\n");
		feed(&play, SLICE("+OK\r\n"));
		give(&play, rows[r].give);
		buf_reset(&play.events);
		for (size_t pos = 0; pos < b.len; pos += step)
			feed(&play, slice_between(buf_slice(&b), pos, pos + step));
		bool is_failed = slice_ends_nocase(buf_slice(&play.events),
						   SLICE("FAILED(the server's line is too long)"));
		assert_int_equal(is_failed, over);
		if (!over)
			assert_slice(buf_slice(&play.events), rows[r].fine);
		buf_free(&b);
		play_free(&play);
	}
}

static void a_long_text_is_cut_and_a_long_id_is_refused(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct play play = play_new();
		struct pop3_event ev;
		struct buf b;
		buf_init(&b, 4096);
		feed(&play, SLICE("+OK\r\n"));
		give(&play, "uidl");
		buf_add_str(&b, "+OK ");
		while (b.len < 4 + POP3_TEXT_BYTES + over)
			buf_add_byte(&b, 't');
		buf_add_str(&b, "\r\n1 ");
		size_t start = b.len;
		while (b.len < start + POP3_UIDL_BYTES_MAX + over)
			buf_add_byte(&b, 'u');
		buf_add_str(&b, "\r\n");
		pop3_feed(play.p, buf_slice(&b));
		pop3_next(play.p, &ev);
		assert_int_equal(ev.reply.text.len, POP3_TEXT_BYTES);
		pop3_next(play.p, &ev);
		assert_int_equal(ev.kind, over ? POP3_FAILED : POP3_ROW);
		if (!over)
			assert_int_equal(ev.uidl.len, POP3_UIDL_BYTES_MAX);
		buf_free(&b);
		play_free(&play);
	}
}

/* Gives "command", feeds +OK and so many rows; the kind of the last event. */
static enum pop3_event_kind kind_after_rows(const char *command, const char *row, size_t count)
{
	struct play play = play_new();
	struct pop3_event ev = { .kind = POP3_NONE };
	struct buf b;
	buf_init(&b, 16 << 20);
	feed(&play, SLICE("+OK\r\n"));
	give(&play, command);
	buf_add_str(&b, "+OK\r\n");
	for (size_t i = 0; i < count; i++)
		buf_add_str(&b, row);
	buf_add_str(&b, ".\r\n");
	pop3_feed(play.p, buf_slice(&b));
	do
		pop3_next(play.p, &ev);
	while (ev.kind == POP3_ROW || (ev.kind == POP3_REPLY && ev.command != POP3_CAPA));
	buf_free(&b);
	play_free(&play);
	return ev.kind;
}

static void listings_have_their_limit(void **state)
{
	(void)state;
	assert_int_equal(kind_after_rows("list", "1 1\r\n", POP3_ROWS_MAX), POP3_ROWS_END);
	assert_int_equal(kind_after_rows("uidl", "1 1\r\n", POP3_ROWS_MAX + 1), POP3_FAILED);
	assert_int_equal(kind_after_rows("capa", "X\r\n", 1000), POP3_REPLY);
	assert_int_equal(kind_after_rows("capa", "X\r\n", 1001), POP3_FAILED);
}

static void a_challenge_may_be_as_long_as_rfc_4954_says(void **state)
{
	(void)state;
	struct play play = play_new();
	struct buf b;
	buf_init(&b, 32768);
	buf_add_str(&b, "+ ");
	while (b.len + 4 <= POP3_CHALLENGE_BYTES_MAX - 1)
		buf_add_str(&b, "YWJj");
	buf_add_str(&b, "\r\n");
	feed(&play, SLICE("+OK\r\n"));
	give(&play, "auth+ xoauth2");
	buf_consume(pop3_out(play.p), SIZE_MAX);
	for (size_t pos = 0; pos < b.len; pos += 1000)
		feed(&play, slice_between(buf_slice(&b), pos, pos + 1000));
	assert_slice(buf_slice(pop3_out(play.p)), "\r\n");
	assert_int_equal(sasl_complaint(play.sasl).len, SASL_COMPLAINT_BYTES);
	buf_free(&b);
	play_free(&play);
}

static void memory_is_needed_at_birth_only(void **state)
{
	(void)state;
	struct pop3 *p = NULL;
	long n = 0;
	for (; !p; n++) {
		mem_fail_after = n;
		p = pop3_new();
		mem_fail_after = -1;
	}
	assert_int_equal(n, 3);
	struct play play = { .p = p };
	buf_init(&play.events, 4096);
	assert_non_null(buf_reserve(&play.events, 4096));
	static const char talk[] = "+OK\r\n+OK\r\n1 1\r\n.\r\n+OK\r\na\r\n.\r\n";
	struct pop3_event ev;
	mem_fail_after = 0;
	for (size_t i = 0; i < sizeof talk - 1; i++) {
		pop3_feed(p, slice_make(talk + i, 1));
		for (pop3_next(p, &ev); ev.kind != POP3_NONE; pop3_next(p, &ev))
			note(&play.events, &ev);
		if (i == 4)
			give(&play, "list;retr 1");
	}
	mem_fail_after = -1;
	assert_slice(buf_slice(&play.events), "greeting=ok LIST=ok 1:1 LIST. RETR1=ok {a\r\n} RETR1.");
	play_free(&play);
	pop3_free(&play.p); /* NULL is welcome */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_breach_of_the_rules_ends_the_talk),
		cmocka_unit_test(an_answer_from_before_the_question_ends_the_talk),
		cmocka_unit_test(an_answer_that_came_with_the_challenge_ends_the_talk),
		cmocka_unit_test(feeding_before_all_was_read_ends_the_talk),
		cmocka_unit_test(odd_but_harmless_servers_are_understood),
		cmocka_unit_test(quit_without_its_whole_answer_leaves_deletions_unknown),
		cmocka_unit_test(a_refused_greeting_leaves_only_quit),
		cmocka_unit_test(the_reason_of_a_refusal_is_found),
		cmocka_unit_test(a_command_that_cannot_stand_is_not_sent),
		cmocka_unit_test(so_many_may_be_open_and_no_more),
		cmocka_unit_test(a_full_out_buffer_takes_no_more_commands),
		cmocka_unit_test(a_word_that_does_not_fit_ends_the_talk),
		cmocka_unit_test(passwords_do_not_stay_in_the_out_buffer),
		cmocka_unit_test(lines_have_their_limit),
		cmocka_unit_test(a_long_text_is_cut_and_a_long_id_is_refused),
		cmocka_unit_test(listings_have_their_limit),
		cmocka_unit_test(a_challenge_may_be_as_long_as_rfc_4954_says),
		cmocka_unit_test(memory_is_needed_at_birth_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
