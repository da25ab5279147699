/* SPDX-License-Identifier: Apache-2.0
 *
 * The link against a fake mail server on a unix socket in the same loop: a table of answers, one for
 * each thing a client can say. What the owner is told is noted in one line of text.
 */
#include "../unit.h"

#include "act/link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listen.h"
#include "net/stream.h"

#include <stdlib.h>
#include <unistd.h>

/* What a client can say, and the answer of a server that is fine. */
enum said { ON_CONNECT, ON_HELLO, ON_MAIL, ON_RCPT, ON_DATA, ON_BODY, ON_END, ON_RSET, ON_QUIT, SAID_COUNT };
static const char *const fine[SAID_COUNT] = {
	"220 fake", "250-fake\r\n250 PIPELINING", "250 ok", "250 ok", "354 go", "", "250 2.0.0 taken",
	"250 ok", "221 bye",
};
static const char silent[] = "", drop[] = "drop", stall[] = "stall", trickle[] = "trickle";

struct peer {
	struct loop *loop;
	struct listen *listen;
	struct stream *stream;
	struct loop_timer *timer;          /* of trickle */
	const char *answers[SAID_COUNT];   /* NULL: as fine */
	struct buf heard;                  /* all lines but the mails' */
	bool is_in_data, is_mute, has_sender, has_rcpt;
	size_t ends;                       /* mails whose end was heard */
	uint64_t mail_bytes;               /* with CRLF, dots undone */
};

struct scene {
	char dir[64];
	struct loop *loop;
	struct peer peer;
	struct link *link;
	struct net_addr addr;
	struct buf told;
	const char *close_at, *reopen_at;  /* the event, as told, in which the owner does so */
	int64_t mail_bytes, given;         /* of the mail under way; given so far */
	bool is_unreadable, has_sent, want_probe, has_open_call;
	unsigned mails_left;
};

/* --- the server ---------------------------------------------------------------- */

static void peer_on_trickle(void *ctx)
{
	struct peer *p = ctx;
	if (p->stream)
		stream_write(p->stream, SLICE("250-and so on\r\n"));
}

/* A command out of order is refused, as real servers do. */
static const char *peer_choose(struct peer *p, enum said said)
{
	const char *answer = p->answers[said] ? p->answers[said] : fine[said];
	bool is_good = answer[0] == '2';
	if ((said == ON_RCPT && !p->has_sender) || (said == ON_DATA && !p->has_rcpt))
		return "503 5.5.1 out of order";
	if (said == ON_MAIL || said == ON_END || said == ON_RSET)
		p->has_rcpt = false;
	if (said == ON_MAIL || said == ON_RCPT)
		*(said == ON_MAIL ? &p->has_sender : &p->has_rcpt) = is_good;
	p->is_mute |= answer == trickle || (answer == silent && said != ON_BODY);
	return answer;
}

static void peer_answer(struct peer *p, enum said said)
{
	const char *answer = peer_choose(p, said);
	if (answer == drop) {
		stream_close(&p->stream);
	} else if (answer == stall) {
		stream_write(p->stream, SLICE("354 go\r\n"));
		stream_pause(p->stream);
	} else if (answer == trickle) {
		p->timer = loop_timer_start(p->loop, 0, 10, peer_on_trickle, p);
	} else if (answer[0]) {
		stream_write(p->stream, slice_from_str(answer));
		stream_write(p->stream, SLICE("\r\n"));
	}
	/* With the mail's bytes unread, closing could overtake the word. */
	if (p->stream && said != ON_BODY && strncmp(answer, "421", 3) == 0)
		stream_finish(&p->stream);
	if (said == ON_DATA)
		p->is_in_data = answer == stall || strncmp(answer, "354", 3) == 0;
}

static void peer_on_line(struct peer *p, struct slice line)
{
	static const char *const verbs[SAID_COUNT] = { "", "", "MAIL", "RCPT", "DATA", "", "", "RSET", "QUIT" };
	enum said said = ON_HELLO;
	if (p->is_mute)
		return;
	if (p->is_in_data && !slice_equal(line, SLICE(".\r"))) {
		bool is_first = p->mail_bytes == 0;
		p->mail_bytes += line.len + 1 - (line.len > 0 && line.ptr[0] == '.');
		if (is_first && p->answers[ON_BODY])
			peer_answer(p, ON_BODY);
		return;
	}
	if (p->is_in_data) {
		p->is_in_data = false;
		p->ends++;
		peer_answer(p, ON_END);
		return;
	}
	buf_add(&p->heard, slice_first(line, line.len - 1));
	buf_add_byte(&p->heard, '|');
	for (size_t i = 0; i < SAID_COUNT; i++)
		if (verbs[i][0] && slice_equal(slice_first(line, 4), slice_from_str(verbs[i])))
			said = (enum said)i;
	peer_answer(p, said);
}

/* The server's own memory never fails. */
static size_t peer_on_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct peer *p = ctx;
	long fail_after = mem_fail_after;
	size_t done = 0, end;
	(void)stream;
	mem_fail_after = -1;
	while (p->stream && (end = slice_find_byte(bytes, done, '\n')) < bytes.len) {
		peer_on_line(p, slice_between(bytes, done, end));
		done = end + 1;
	}
	if (!p->stream)
		done = bytes.len;
	else if (done < bytes.len) /* the rest is kept by the stream, which needs memory */
		assert_true(fail_after < 0 || p->is_in_data);
	mem_fail_after = fail_after;
	return done;
}

static void peer_on_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct peer *p = ctx;
	(void)stream;
	(void)end;
	(void)sys_errno;
	stream_close(&p->stream);
}

static void peer_on_connect(void *ctx, int fd, const struct net_addr *from)
{
	static const struct stream_calls calls = { peer_on_data, peer_on_end, NULL, NULL };
	const struct stream_setup setup = { .in_bytes_max = 1 << 20, .out_bytes_max = 1 << 20 };
	struct peer *p = ctx;
	long fail_after = mem_fail_after;
	(void)from;
	mem_fail_after = -1;
	stream_close(&p->stream);
	p->is_in_data = p->is_mute = p->has_sender = p->has_rcpt = false;
	p->mail_bytes = 0;
	p->stream = stream_open(p->loop, fd, &setup, &calls, p);
	peer_answer(p, ON_CONNECT);
	mem_fail_after = fail_after;
}

/* --- the owner ------------------------------------------------------------------ */

static void tell(struct scene *s, const char *what)
{
	long fail_after = mem_fail_after;
	mem_fail_after = -1;
	buf_addf(&s->told, "%s%s", s->told.len ? " " : "", what);
	mem_fail_after = fail_after;
	assert_false(s->has_open_call);
	if (s->close_at && strcmp(s->close_at, what) == 0)
		link_close(s->link);
	if (s->reopen_at && strcmp(s->reopen_at, what) == 0) {
		s->reopen_at = NULL;
		link_open(s->link);
	}
}

static bool send_mail(struct scene *s)
{
	const struct link_mail mail = { .from = SLICE("s@example.org"), .rcpt = SLICE("r@example.net") };
	s->given = 0;
	s->has_open_call = true;
	bool is_sent = link_send(s->link, &mail);
	s->has_open_call = false;
	s->has_sent |= is_sent;
	return is_sent;
}

static void on_ready(void *ctx)
{
	struct scene *s = ctx;
	tell(s, "ready");
	if (link_state(s->link) != LINK_READY)
		return;
	if (s->want_probe) {
		s->want_probe = false;
		link_probe(s->link, SLICE("nobody@relay-test.invalid"));
	} else if (s->mails_left > 0) {
		s->mails_left--;
		send_mail(s);
	}
}

static ssize_t on_want(void *ctx, char *to, size_t room)
{
	static const char line[] = ".23456789 123456789 123456789 123456789 123456789 123456789 1\r\n";
	struct scene *s = ctx;
	if (s->close_at && strcmp(s->close_at, "want") == 0) {
		link_close(s->link);
		return 0;
	}
	if (s->is_unreadable)
		return -1;
	size_t n = 0;
	for (; n < room && s->given < s->mail_bytes; n++, s->given++)
		to[n] = line[(size_t)s->given % (sizeof line - 1)];
	return (ssize_t)n;
}

static void on_word(void *ctx, const struct smtp_reply *reply)
{
	char text[32];
	snprintf(text, sizeof text, "word=%d", reply->code);
	tell(ctx, text);
}

static void on_probed(void *ctx, const struct smtp_reply *reply)
{
	char text[32];
	snprintf(text, sizeof text, "probed=%d", reply->code);
	tell(ctx, text);
}

static void on_lost(void *ctx, bool had_mail, bool is_in_doubt, const char *why)
{
	struct scene *s = ctx;
	assert_true(why[0]);
	assert_int_equal(link_state(s->link), LINK_CLOSED);
	tell(ctx, is_in_doubt ? "DOUBT" : had_mail ? "LOST" : "lost");
}

static const struct link_calls calls = { on_ready, on_want, on_word, on_lost, on_probed };

static bool scene_link(struct scene *s, enum smtp_kind kind, int64_t timeout_ms)
{
	const struct link_setup setup = {
		.loop = s->loop, .addr = s->addr, .kind = kind, .helo = "q", .timeout_ms = timeout_ms,
	};
	s->link = link_new(&setup, &calls, s);
	return s->link != NULL;
}

static int setup(void **state)
{
	struct error error = { .text = "" };
	struct scene *s = calloc(1, sizeof *s);
	char path[128];
	*state = s;
	strcpy(s->dir, "/tmp/quell-link-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(path, sizeof path, "unix:%s/mx", s->dir);
	assert_true(net_addr_parse(slice_from_str(path), &s->addr, &error));
	s->loop = s->peer.loop = loop_new(&error);
	assert_non_null(s->loop);
	s->peer.listen = listen_open(s->loop, &s->addr, NULL, peer_on_connect, &s->peer, &error);
	assert_non_null(s->peer.listen);
	buf_init(&s->told, 4096);
	buf_init(&s->peer.heard, 1 << 16);
	s->mail_bytes = 640;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	link_free(&s->link);
	loop_timer_stop(&s->peer.timer);
	stream_close(&s->peer.stream);
	listen_close(&s->peer.listen);
	buf_free(&s->told);
	buf_free(&s->peer.heard);
	loop_free(s->loop);
	rmdir(s->dir);
	free(s);
	return 0;
}

/* Rounds until what is wanted was told, then some more: nothing may follow. */
static void expect(struct scene *s, const char *told)
{
	int64_t end_us = clock_mono_us() + 30 * 1000000LL;
	while (s->told.len < strlen(told) && clock_mono_us() < end_us)
		loop_run_once(s->loop, 10);
	for (int i = 0; i < 5; i++)
		loop_run_once(s->loop, 1);
	assert_string_equal(buf_str(&s->told), told);
	buf_reset(&s->told);
}

/* --- one mail, every answer ------------------------------------------------------- */

struct row {
	enum said said;
	const char *answer; /* to that; to all else what is fine */
	const char *told;
};

static void run_rows(struct scene *s, enum smtp_kind kind, const struct row *rows, size_t count, bool is_probe)
{
	static const char no_pipelining[] = "250 fake";
	for (size_t i = 0; i < 2 * count; i++) {
		const struct row *row = &rows[i / 2];
		memset(s->peer.answers, 0, sizeof s->peer.answers);
		if (i % 2)
			s->peer.answers[ON_HELLO] = no_pipelining;
		s->peer.answers[row->said] = row->answer;
		s->want_probe = is_probe;
		s->mails_left = !is_probe;
		s->peer.ends = 0;
		assert_true(scene_link(s, kind, row->answer == silent || row->answer == trickle ? 250 : 20000));
		link_open(s->link);
		assert_int_equal(link_state(s->link), LINK_OPENING);
		expect(s, row->told);
		/* In doubt is what the server may have; not in doubt is what it has not. */
		if (strstr(row->told, "DOUBT"))
			assert_int_equal(s->peer.ends, 1);
		if (strstr(row->told, "LOST"))
			assert_int_equal(s->peer.ends, 0);
		link_free(&s->link);
		loop_timer_stop(&s->peer.timer);
	}
}
#define RUN(s, kind, rows, is_probe) run_rows(s, kind, rows, sizeof rows / sizeof rows[0], is_probe)

static void each_mail_ends_once_with_a_word_or_lost(void **state)
{
	static const struct row rows[] = {
		{ ON_CONNECT, NULL, "ready word=250 ready" },
		{ ON_CONNECT, "554 go away", "lost" },
		{ ON_CONNECT, drop, "lost" },
		{ ON_HELLO, drop, "lost" },
		{ ON_HELLO, "421 busy", "lost" },
		{ ON_MAIL, "451 later", "ready word=451 ready" },
		{ ON_MAIL, "550 no", "ready word=550 ready" },
		{ ON_MAIL, "421 bye", "ready word=421 lost" },
		{ ON_MAIL, drop, "ready LOST" },
		{ ON_RCPT, "450 later", "ready word=450 ready" },
		{ ON_RCPT, "550 nobody", "ready word=550 ready" },
		{ ON_RCPT, "421 bye", "ready word=421 lost" },
		{ ON_RCPT, drop, "ready LOST" },
		{ ON_DATA, "451 later", "ready word=451 ready" },
		{ ON_DATA, "554 no", "ready word=554 ready" },
		{ ON_DATA, "250 what", "ready LOST" },
		{ ON_DATA, drop, "ready LOST" },
		{ ON_END, "452 full", "ready word=452 ready" },
		{ ON_END, "552 too large", "ready word=552 ready" },
		{ ON_END, "421 bye", "ready word=421 lost" },
		{ ON_END, "hello", "ready DOUBT" },
		{ ON_END, "354 more", "ready DOUBT" },
		{ ON_END, drop, "ready DOUBT" },
	};
	RUN(*state, SMTP_SMTP, rows, false);
	RUN(*state, SMTP_LMTP, rows, false);
}

static void a_large_mail_lost_on_its_way_is_not_in_doubt(void **state)
{
	static const struct row rows[] = {
		{ ON_BODY, drop, "ready LOST" },
		{ ON_BODY, "552 too large", "ready LOST" },
		{ ON_BODY, "421 bye", "ready word=421 lost" },
	};
	struct scene *s = *state;
	s->mail_bytes = 8 << 20;
	RUN(s, SMTP_LMTP, rows, false);
}

static void every_wait_has_the_time_limit(void **state)
{
	static const struct row rows[] = {
		{ ON_CONNECT, silent, "lost" }, { ON_HELLO, silent, "lost" }, { ON_MAIL, silent, "ready LOST" },
		{ ON_RCPT, silent, "ready LOST" }, { ON_DATA, silent, "ready LOST" }, { ON_END, silent, "ready DOUBT" },
		{ ON_HELLO, trickle, "lost" }, { ON_END, trickle, "ready DOUBT" },
	};
	static const struct row probe[] = { { ON_RCPT, silent, "ready lost" },
	{ ON_RSET, silent, "ready probed=250 lost" } };
	RUN(*state, SMTP_SMTP, rows, false);
	RUN(*state, SMTP_SMTP, probe, true);
}

static void a_probe_tells_the_word_on_the_recipient_and_sends_nothing(void **state)
{
	static const struct row rows[] = {
		{ ON_RCPT, NULL, "ready probed=250 ready" },
		{ ON_RCPT, "554 5.7.1 no relay", "ready probed=554 ready" },
		{ ON_RCPT, "450 later", "ready probed=450 ready" },
		{ ON_RCPT, "421 bye", "ready probed=421 lost" },
		{ ON_MAIL, "550 no", "ready probed=550 ready" },
		{ ON_RCPT, drop, "ready lost" },
		{ ON_RSET, "500 what", "ready probed=250 lost" },
	};
	struct scene *s = *state;
	RUN(s, SMTP_SMTP, rows, true);
	assert_null(strstr(buf_str(&s->peer.heard), "DATA"));
	assert_non_null(strstr(buf_str(&s->peer.heard), "MAIL FROM:<>|RCPT TO:<nobody@relay-test.invalid>|RSET|"));
}

/* --- bytes ------------------------------------------------------------------------- */

static void a_mail_that_cannot_be_read_is_lost_before_its_end(void **state)
{
	struct scene *s = *state;
	s->is_unreadable = true;
	s->mails_left = 1;
	assert_true(scene_link(s, SMTP_LMTP, 20000));
	link_open(s->link);
	expect(s, "ready LOST");
	assert_int_equal(s->peer.ends, 0);
}

static void a_server_that_takes_nothing_holds_the_mail_back_and_64_mib_pass_whole(void **state)
{
	struct scene *s = *state;
	s->peer.answers[ON_DATA] = stall;
	s->mail_bytes = 64 << 20;
	s->mails_left = 1;
	assert_true(scene_link(s, SMTP_LMTP, 20000));
	link_open(s->link);
	expect(s, "ready");
	for (int i = 0; i < 50; i++)
		loop_run_once(s->loop, 1);
	/* The link's own 256 KiB and two steps; the rest is the socket's. */
	assert_in_range(s->given, 64 * 1024, 1024 * 1024);
	stream_resume(s->peer.stream);
	expect(s, "word=250 ready");
	/* The mail's last line is closed when it is not: 64 MiB are no multiple of its lines. */
	assert_int_equal(s->peer.mail_bytes, (64 << 20) + ((64 << 20) % 63 == 0 ? 0 : 2));
}

static void what_never_left_is_not_in_doubt(void **state)
{
	struct scene *s = *state;
	s->peer.answers[ON_DATA] = stall;
	s->mail_bytes = 380 * 1024; /* more than the socket takes, less than it and the link together */
	s->mails_left = 1;
	assert_true(scene_link(s, SMTP_LMTP, 500));
	link_open(s->link);
	expect(s, "ready LOST");
	assert_int_equal(s->given, s->mail_bytes);
	assert_int_equal(s->peer.ends, 0);
}

/* --- closing and opening ------------------------------------------------------------ */

static void the_link_may_be_closed_in_every_callback(void **state)
{
	static const struct {
		const char *close_at, *told;
		bool is_probe;
	} rows[] = {
		{ "ready", "ready", false }, { "want", "ready", false }, { "word=250", "ready word=250", false },
		{ "probed=250", "ready probed=250", true }, { "DOUBT", "ready DOUBT", false },
	};
	struct scene *s = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s->close_at = rows[i].close_at;
		s->want_probe = rows[i].is_probe;
		s->mails_left = 1;
		s->peer.answers[ON_END] = strcmp(rows[i].close_at, "DOUBT") == 0 ? drop : NULL;
		assert_true(scene_link(s, SMTP_SMTP, 20000));
		buf_reset(&s->peer.heard);
		link_open(s->link);
		expect(s, rows[i].told);
		assert_int_equal(link_state(s->link), LINK_CLOSED);
		/* Only a link with nothing to do takes its leave. */
		assert_int_equal(strstr(buf_str(&s->peer.heard), "QUIT") != NULL, i == 0);
		link_close(s->link);
		link_free(&s->link);
	}
}

static void a_closed_link_opens_again_even_from_within(void **state)
{
	static const struct {
		const char *close_at, *reopen_at, *end, *told;
	} rows[] = {
		{ NULL, "DOUBT", drop, "ready DOUBT ready" }, { "word=250", "word=250", NULL, "ready word=250 ready" },
	};
	struct scene *s = *state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s->close_at = rows[i].close_at;
		s->reopen_at = rows[i].reopen_at;
		s->peer.answers[ON_END] = rows[i].end;
		s->mails_left = 1;
		assert_true(scene_link(s, SMTP_LMTP, 20000));
		link_open(s->link);
		expect(s, rows[i].told);
		s->close_at = NULL;
		s->peer.answers[ON_END] = NULL;
		assert_true(send_mail(s));
		expect(s, "word=250 ready");
		assert_string_equal(link_banner(s->link), "\"fake PIPELINING\"");
		assert_int_equal(link_can(s->link), SMTP_CAN_PIPELINING);
		link_free(&s->link);
	}
}

static void closing_while_it_opens_tells_nothing(void **state)
{
	struct scene *s = *state;
	assert_true(scene_link(s, SMTP_SMTP, 20000));
	link_open(s->link);
	link_close(s->link);
	expect(s, "");
	assert_int_equal(link_state(s->link), LINK_CLOSED);
	link_open(s->link);
	expect(s, "ready");
	/* A server that closes an idle link. */
	stream_close(&s->peer.stream);
	expect(s, "lost");
	listen_close(&s->peer.listen);
	s->has_open_call = true;
	link_open(s->link);
	s->has_open_call = false;
	expect(s, "lost");
}

static void an_address_that_cannot_be_said_leaves_the_link_ready(void **state)
{
	static const char *const bad[] = { "", "a b@example.net", "a\r\nDATA", "<a@example.net>" };
	struct scene *s = *state;
	assert_true(scene_link(s, SMTP_LMTP, 20000));
	link_open(s->link);
	expect(s, "ready");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct link_mail to = { .from = SLICE("s@example.org"), .rcpt = slice_from_str(bad[i]) };
		const struct link_mail from = { .from = slice_from_str(bad[i]), .rcpt = SLICE("r@example.net") };
		assert_false(link_send(s->link, &to));
		assert_true(i == 0 || !link_send(s->link, &from)); /* empty is the null sender */
		assert_false(link_probe(s->link, slice_from_str(bad[i])));
		assert_int_equal(link_state(s->link), LINK_READY);
	}
	assert_true(send_mail(s));
	expect(s, "word=250 ready");
	assert_null(strstr(buf_str(&s->peer.heard), " b@"));
}

/* --- want of memory ------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

/* One talk in which all allocations after the n-th fail; true when it needed no more. */
static bool run_with_memory(struct scene *s, long n)
{
	int64_t end_us = clock_mono_us() + 10 * 1000000LL;
	s->peer.ends = 0;
	s->mails_left = 1;
	s->has_sent = false;
	mem_fail_after = n;
	if (!scene_link(s, SMTP_LMTP, 500)) {
		mem_fail_after = -1;
		return false;
	}
	link_open(s->link);
	while (!ends_with(buf_str(&s->told), "word=250 ready") && link_state(s->link) != LINK_CLOSED &&
	       clock_mono_us() < end_us)
		loop_run_once(s->loop, 10);
	mem_fail_after = -1;
	for (int i = 0; i < 5; i++)
		loop_run_once(s->loop, 1);
	const char *told = buf_str(&s->told);
	bool is_whole = strcmp(told, "ready word=250 ready") == 0;
	if (strstr(told, "DOUBT"))
		assert_int_equal(s->peer.ends, 1);
	if (strstr(told, "LOST"))
		assert_int_equal(s->peer.ends, 0);
	if (!is_whole && strcmp(told, "ready LOST") != 0 && strcmp(told, "ready DOUBT") != 0 &&
	    strcmp(told, "lost") != 0 && (strcmp(told, "ready") != 0 || s->has_sent))
		fail_msg("after %ld allocations: \"%s\"", n, told);
	buf_reset(&s->told);
	if (!is_whole) {
		assert_int_equal(link_state(s->link), LINK_CLOSED);
		s->mails_left = 1;
		link_open(s->link);
		expect(s, "ready word=250 ready");
	}
	link_free(&s->link);
	return is_whole;
}

static void want_of_memory_at_any_place_loses_the_link_and_says_so(void **state)
{
	struct scene *s = *state;
	long n = 0;
	s->mail_bytes = 300 * 1024;
	buf_add_str(&s->told, "x");
	buf_reset(&s->told);
	while (!run_with_memory(s, n))
		assert_true(++n < 200);
	assert_true(n > 8);
}

int main(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_mail_ends_once_with_a_word_or_lost),
		TEST(a_large_mail_lost_on_its_way_is_not_in_doubt),
		TEST(every_wait_has_the_time_limit),
		TEST(a_probe_tells_the_word_on_the_recipient_and_sends_nothing),
		TEST(a_mail_that_cannot_be_read_is_lost_before_its_end),
		TEST(a_server_that_takes_nothing_holds_the_mail_back_and_64_mib_pass_whole),
		TEST(what_never_left_is_not_in_doubt),
		TEST(the_link_may_be_closed_in_every_callback),
		TEST(a_closed_link_opens_again_even_from_within),
		TEST(closing_while_it_opens_tells_nothing),
		TEST(an_address_that_cannot_be_said_leaves_the_link_ready),
		TEST(want_of_memory_at_any_place_loses_the_link_and_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
