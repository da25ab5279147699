/* SPDX-License-Identifier: Apache-2.0
 *
 * What lines say in pieces becomes mails: joins, queue ids used again, filters, clocks,
 * limits. The lines are hand-made in Postfix's grammar.
 */
#include "world.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

enum { ROOM = 1024 * 1024 };

static const char one_mail[] =
	"Nov 24 05:00:00 mx postfix/smtpd[1]: connect from out.example[192.0.2.7]\n"
	"Nov 24 05:00:00 mx postfix/smtpd[1]: AA000000001: client=out.example[192.0.2.7], sasl_method=PLAIN, "
	"sasl_username=anna\n"
	"Nov 24 05:00:00 mx postfix/cleanup[2]: AA000000001: message-id=<one@out.example>\n"
	"Nov 24 05:00:01 mx postfix/qmgr[3]: AA000000001: from=<anna@out.example>, size=4711, nrcpt=2 (queue active)\n"
	"Nov 24 05:00:02 mx postfix/smtp[4]: AA000000001: to=<b@far.example>, orig_to=<bob@here.example>, "
	"relay=mx.far.example[198.51.100.1]:25, delay=1.2, delays=0.1/0.2/0.3/0.6, dsn=2.0.0, status=sent "
	"(250 ok: queued as 99)\n"
	"Nov 24 05:00:03 mx postfix/local[5]: AA000000001: to=<c@here.example>, relay=local, delay=2, "
	"delays=0.1/0/0/1.9, dsn=5.1.1, status=bounced (unknown user)\n"
	"Nov 24 05:00:04 mx postfix/qmgr[3]: AA000000001: removed\n";

static void pieces_of_a_log_become_one_mail(void **state)
{
	struct world w;
	struct ip ip;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w, one_mail);
	world_expect(&w, "AA000000001 anna@out.example>b@far.example=sent,c@here.example=bounced\n");
	assert_int_equal(w.mails, 1);
	assert_string_equal(w.server, "mx");
	assert_string_equal(w.message_id, "one@out.example");
	assert_string_equal(w.client, "out.example");
	assert_true(ip_parse(SLICE("192.0.2.7"), &ip) && ip_equal(ip, w.last.client_ip));
	assert_int_equal(w.last.size_bytes, 4711);
	assert_int_equal(w.last.nrcpt, 2);
	assert_int_equal(w.last.rcpt_total, 2);
	assert_true(w.last.has_from && w.last.is_removed);
	assert_int_equal(w.last.format, MAILLOG_POSTFIX);
	assert_int_equal(w.last_ms - w.first_ms, 4000);
	struct watch_counts c = world_counts(&w);
	assert_int_equal(c.mails, 1);
	assert_int_equal(c.sent, 1);
	assert_int_equal(c.bounced, 1);
	assert_int_equal(c.open, 0);
	world_end(&w);
}

/* The recipient's own facts live during the call alone. */
static void on_mail_facts(void *ctx, const struct watch_mail *mail)
{
	bool *is_told = ctx;
	if (mail->rcpt_count != 2)
		return;
	const struct watch_rcpt *b = &mail->rcpts[0];
	*is_told = true;
	assert_slice(mail->auth_user, "anna");
	assert_slice(b->orig_address, "bob@here.example");
	assert_slice(b->relay, "mx.far.example[198.51.100.1]:25");
	assert_slice(b->dsn, "2.0.0");
	assert_int_equal(b->delay_ms, 1200);
	assert_int_equal(b->delays_ms[3], 600);
	assert_int_equal(b->tries, 1);
	assert_int_equal(b->at_ms - mail->first_ms, 2000);
}

static void a_recipient_has_its_own_facts(void **state)
{
	struct error error;
	bool is_told = false;
	(void)state;
	const struct watch_setup setup = { .bytes = ROOM, .now_ms = TEST_NOW_MS, .mail = on_mail_facts,
					   .ctx = &is_told };
	struct world w = { .watch = watch_new(&setup, &error) };
	w.source = watch_source(w.watch, "mail.log", 0);
	world_lines(&w, one_mail);
	assert_true(is_told);
	watch_free(w.watch);
}

static void a_queue_id_that_begins_again_is_a_new_mail(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w,
		"Nov 24 05:00:00 mx postfix/smtpd[1]: 4D2E81C: client=a.example[192.0.2.1]\n"
		"Nov 24 05:00:00 mx postfix/cleanup[2]: 4D2E81C: message-id=<1@a>\n"
		"Nov 24 05:00:00 mx postfix/qmgr[3]: 4D2E81C: from=<a@a.example>, size=1, nrcpt=1 (queue active)\n"
		/* Its end is not in the log. */
		"Nov 24 05:01:00 mx postfix/smtpd[1]: 4D2E81C: client=b.example[192.0.2.2]\n");
	world_expect(&w, "4D2E81C a@a.example>\n");
	world_lines(&w,
		/* The client went away before there was a mail: nothing to tell. */
		"Nov 24 05:01:10 mx postfix/smtpd[1]: 4D2E81C: client=c.example[192.0.2.3]\n"
		"Nov 24 05:01:11 mx postfix/qmgr[3]: 4D2E81C: from=<>, size=1, nrcpt=1 (queue active)\n"
		/* A forward has no client: the Message-ID begins it. */
		"Nov 24 05:02:00 mx postfix/cleanup[2]: 4D2E81C: message-id=<2@c>\n");
	world_expect(&w, "4D2E81C >\n");
	assert_string_equal(w.client, "c.example");
	assert_true(w.last.has_from);
	watch_end(w.watch);
	world_expect(&w, ""); /* never queued */
	assert_int_equal(world_counts(&w).mails, 2);
	world_end(&w);
}

static void a_retry_is_the_same_mail_and_its_recipient_counts_once(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	for (int hour = 1; hour <= 3; hour++) {
		world_linef(&w, "Nov 24 %02d:00:00 mx postfix/qmgr[3]: 4D2E81C: from=<a@a.example>, size=1, nrcpt=2 "
				"(queue active)", hour);
		world_linef(&w, "Nov 24 %02d:00:09 mx postfix/smtp[4]: 4D2E81C: to=<b@b.example>, relay=none, delay=9, "
				"delays=1/1/7/0, dsn=4.4.1, status=deferred (timed out)", hour);
	}
	assert_int_equal(world_counts(&w).deferred, 1);
	assert_int_equal(world_counts(&w).mails, 1);
	world_lines(&w, "Nov 24 04:00:00 mx postfix/smtp[4]: 4D2E81C: to=<b@b.example>, relay=b[192.0.2.1]:25, "
			"delay=9, delays=1/1/7/0, dsn=2.0.0, status=sent (ok)\n"
			"Nov 24 04:00:00 mx postfix/smtp[4]: 4D2E81C: to=<c@b.example>, relay=none, "
			"delay=9, delays=1/1/7/0, dsn=4.0.0, status=deferred (no)\n");
	assert_int_equal(world_counts(&w).sent, 1);
	assert_int_equal(world_counts(&w).deferred, 1);
	world_lines(&w, "Nov 24 05:00:00 mx postfix/qmgr[3]: 4D2E81C: from=<a@a.example>, status=expired, "
			"returned to sender\nNov 24 05:00:00 mx postfix/qmgr[3]: 4D2E81C: removed\n");
	assert_int_equal(world_counts(&w).deferred, 0);
	assert_int_equal(world_counts(&w).bounced, 1);
	world_expect(&w, "4D2E81C a@a.example>b@b.example=sent,c@b.example=expired\n");
	world_end(&w);
}

static void the_same_id_on_two_servers_is_two_mails(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	for (int i = 0; i < 2; i++)
		world_linef(&w, "Nov 24 05:00:00 mx%d postfix/qmgr[3]: 4D2E81C: from=<%d@a>, size=1, nrcpt=1 "
				"(queue active)", i, i);
	for (int i = 0; i < 2; i++)
		world_linef(&w, "Nov 24 05:00:00 mx%d postfix/qmgr[3]: 4D2E81C: removed", i);
	world_expect(&w, "4D2E81C 0@a>\n4D2E81C 1@a>\n");
	world_end(&w);
}

static void a_bounce_names_the_mail_it_is_for(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w,
		"Nov 24 05:00:00 mx postfix/cleanup[2]: BB000000002: message-id=<b@mx>\n"
		"Nov 24 05:00:00 mx postfix/bounce[2]: AA000000001: sender non-delivery notification: BB000000002\n"
		"Nov 24 05:00:00 mx postfix/qmgr[3]: BB000000002: from=<>, size=9, nrcpt=1 (queue active)\n"
		"Nov 24 05:00:00 mx postfix/qmgr[3]: BB000000002: removed\n");
	assert_int_equal(w.mails, 1);
	assert_int_equal(w.last.notice_of.len, strlen("AA000000001"));
	world_end(&w);
}

/* Outside -> filter -> again on this server; the second is logged first, as it happens. */
static const char filtered[] =
	"Nov 24 05:00:00 mx postfix/smtpd[1]: AA000000001: client=out.example[192.0.2.7]\n"
	"Nov 24 05:00:00 mx postfix/cleanup[2]: AA000000001: message-id=<one@out.example>\n"
	"Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000001: from=<a@out.example>, size=10, nrcpt=1 (queue active)\n"
	"Nov 24 05:00:01 mx postfix/smtpd[1]: AA000000002: client=localhost[127.0.0.1]\n"
	"Nov 24 05:00:01 mx postfix/cleanup[2]: AA000000002: message-id=<%s>\n"
	"Nov 24 05:00:01 mx postfix/qmgr[3]: AA000000002: from=<a@out.example>, size=20, nrcpt=1 (queue active)\n"
	"Nov 24 05:00:01 mx postfix/smtp[4]: AA000000001: to=<b@here.example>, relay=127.0.0.1[127.0.0.1]:10024, "
	"delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as AA000000002)\n"
	"Nov 24 05:00:01 mx postfix/qmgr[3]: AA000000001: removed\n"
	"Nov 24 05:00:02 mx postfix/local[4]: AA000000002: to=<b@here.example>, relay=local, "
	"delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)\n"
	"Nov 24 05:00:02 mx postfix/qmgr[3]: AA000000002: removed\n";

static uint64_t engine_mails(const struct world *w)
{
	struct storm_counters counters;
	storm_counters(w->storm, &counters);
	return counters.mails;
}

static void a_mail_that_goes_round_through_a_filter_is_one_for_the_engine(void **state)
{
	static const struct {
		const char *second_id;
		uint64_t engine, passes;
	} cases[] = {
		{ "one@out.example", 1, 1 },
		{ "another@out.example", 2, 0 }, /* that id was some other server's */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		char lines[4096], format[sizeof filtered];
		memcpy(format, filtered, sizeof filtered);
		char *hole = strstr(format, "%s");
		*hole = '\0';
		snprintf(lines, sizeof lines, "%s%s%s", format, cases[i].second_id, hole + 2);
		world_begin(&w, ROOM, true);
		world_lines(&w, lines);
		assert_int_equal(engine_mails(&w), cases[i].engine);
		assert_int_equal(world_counts(&w).passes, cases[i].passes);
		assert_int_equal(world_counts(&w).mails, 2);
		assert_int_equal(w.mails, 2);
		world_end(&w);
	}
}

static void the_engine_hears_of_a_mail_when_its_recipients_are_known_or_late(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, true);
	world_lines(&w,
		"Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000001: from=<a@a>, size=1, nrcpt=1 (queue active)\n"
		"Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000002: from=<a@a>, size=1, nrcpt=2 (queue active)\n"
		"Nov 24 05:00:01 mx postfix/smtp[4]: AA000000001: to=<b@b>, relay=none, delay=1, delays=0/0/0/1, "
		"dsn=4.0.0, status=deferred (later)\n"
		"Nov 24 05:00:01 mx postfix/smtp[4]: AA000000002: to=<b@b>, relay=none, delay=1, delays=0/0/0/1, "
		"dsn=4.0.0, status=deferred (later)\n");
	assert_int_equal(engine_mails(&w), 1);
	world_lines(&w, "Nov 24 05:02:00 mx postfix/smtpd[1]: connect from out.example[192.0.2.7]\n");
	assert_int_equal(engine_mails(&w), 2);
	watch_end(w.watch);
	assert_int_equal(engine_mails(&w), 2);
	assert_int_equal(w.mails, 2);
	world_end(&w);
}

static void recipients_past_the_limit_are_counted(void **state)
{
	enum { RCPTS = 3 * WATCH_RCPTS_MAX };
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_linef(&w, "Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000001: from=<a@a>, size=1, nrcpt=%d "
			"(queue active)", RCPTS);
	for (int try = 0; try < 2; try++)
		for (int i = 0; i < RCPTS; i++)
			world_linef(&w, "Nov 24 05:0%d:01 mx postfix/smtp[4]: AA000000001: to=<%d@b>, "
					"relay=none, delay=1, delays=0/0/0/1, dsn=2.0.0, status=%s (x)", try, i,
				    try ? "sent" : "deferred");
	assert_int_equal(world_counts(&w).sent, RCPTS);
	assert_int_equal(world_counts(&w).deferred, 0);
	world_lines(&w, "Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000001: removed\n");
	assert_int_equal(w.last.rcpt_count, WATCH_RCPTS_MAX);
	assert_int_equal(w.last.rcpt_total, RCPTS);
	world_end(&w);
}

static void the_oldest_mail_gives_way_and_is_told(void **state)
{
	enum { MAILS = 1000 };
	size_t bytes = 64 * 1024;
	struct world w;
	(void)state;
	world_begin(&w, bytes, true);
	for (int i = 0; i < MAILS; i++) {
		world_linef(&w, "Nov 24 05:00:00 mx postfix/qmgr[3]: AA%09d: from=<%d@a>, size=1, nrcpt=2 "
				"(queue active)", i, i);
		world_linef(&w, "Nov 24 05:00:00 mx postfix/smtp[4]: AA%09d: to=<b@b>, relay=none, delay=1, "
				"delays=0/0/0/1, dsn=4.0.0, status=deferred (x)", i);
		assert_true(world_counts(&w).bytes <= bytes);
	}
	struct watch_counts c = world_counts(&w);
	assert_int_equal(c.mails, MAILS);
	assert_true(c.open > 10 && c.open < MAILS / 2);
	assert_int_equal(c.evicted, MAILS - c.open);
	assert_int_equal(w.mails, c.evicted);
	assert_int_equal(engine_mails(&w), c.evicted);
	watch_end(w.watch);
	assert_int_equal(w.mails, MAILS);
	world_end(&w);
}

static void a_mail_with_long_texts_is_cut_and_keeps_to_its_room(void **state)
{
	struct world w;
	char longs[3000];
	(void)state;
	memset(longs, 'x', sizeof longs - 1);
	longs[sizeof longs - 1] = '\0';
	world_begin(&w, 8 * 1024, false);
	for (int i = 0; i < 200; i++) {
		world_linef(&w, "Nov 24 05:00:00 mx postfix/cleanup[3]: AA000000001: message-id=<%d%s>", i, longs);
		world_linef(&w, "Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000001: from=<%s>, size=1, nrcpt=2 "
				"(queue active)", longs);
		world_linef(&w, "Nov 24 05:00:00 mx postfix/smtp[4]: AA000000001: to=<%d%s>, relay=%s, delay=1, "
				"delays=0/0/0/1, dsn=4.0.0.0.0.0.0.0.0.0, status=deferred (x)", i, longs + 1000,
			    longs + 1000);
	}
	assert_true(world_counts(&w).bytes <= 8 * 1024);
	watch_end(w.watch);
	assert_true(w.last.from.len > 0 && w.last.from.len <= 500);
	world_end(&w);
}

static void every_line_cut_anywhere_is_taken(void **state)
{
	struct world w;
	struct slice rest = slice_from_str(one_mail), line;
	uint64_t lines = 0;
	(void)state;
	world_begin(&w, ROOM, true);
	while (slice_next(&rest, '\n', &line))
		for (size_t n = 0; n <= line.len; n++, lines++) {
			char *copy = mem_must_alloc(n + 1); /* its exact size: any read past it shows */
			memcpy(copy, line.ptr, n);
			watch_line(w.watch, w.source, slice_make(copy, n), false);
			mem_free(copy);
		}
	watch_end(w.watch);
	struct watch_source_counts c = world_source(&w, 0);
	assert_int_equal(c.lines, lines);
	assert_int_equal(c.understood + c.unknown, lines);
	assert_true(c.understood > 0);
	world_end(&w);
}

static void binary_and_endless_lines_are_counted_and_the_work_goes_on(void **state)
{
	enum { LONG = 1024 * 1024 };
	struct world w;
	char *longs = mem_must_alloc(LONG);
	(void)state;
	world_begin(&w, ROOM, false);
	for (int i = 0; i < LONG; i++)
		longs[i] = (char)(i * 7);
	watch_line(w.watch, 0, slice_make(longs, LONG), true);
	memcpy(longs, one_mail, 60);
	watch_line(w.watch, 0, slice_make(longs, LONG), true);
	watch_line(w.watch, 0, slice_make("\0\0\0", 3), false);
	watch_line(w.watch, 0, slice_make(NULL, 0), false);
	world_lines(&w, one_mail);
	assert_int_equal(world_source(&w, 0).too_long, 2);
	assert_int_equal(world_counts(&w).mails, 1);
	mem_free(longs);
	world_end(&w);
}

static void samples_are_of_a_mail_server_and_harmless(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w, "nothing at all\n");
	for (int i = 0; i < 3; i++)
		world_lines(&w, "Nov 24 05:00:00 mx postfix/smtpd[1]: \x1b[2J\x9b strange words\n"
				"Nov 24 05:00:00 mx postfix/qmgr[1]: strange words\n");
	struct watch_source_counts c = world_source(&w, 0);
	assert_int_equal(c.unknown, 7);
	assert_string_equal(c.samples[0], "Nov 24 05:00:00 mx postfix/smtpd[1]: ?[2J? strange words");
	assert_string_equal(c.samples[1], "Nov 24 05:00:00 mx postfix/qmgr[1]: strange words");
	assert_null(c.samples[2]);
	world_end(&w);
}

/* ---- clocks ---- */

static int64_t utc(const char *text)
{
	int64_t time_ms;
	assert_true(maillog_time(slice_from_str(text), 0, 0, &time_ms));
	return time_ms;
}

static void connect_at(struct world *w, const char *time, const char *host)
{
	world_linef(w, "%s %s postfix/smtpd[1]: connect from a[192.0.2.1]", time, host);
}

static void the_year_changes_in_the_middle_of_a_log(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	connect_at(&w, "Dec 31 23:59:59", "mx"); /* of 2025: the file was written in 2026 */
	assert_int_equal(watch_source_ms(w.watch, 0), utc("2025-12-31T23:59:59Z"));
	connect_at(&w, "Jan  1 00:00:01", "mx");
	assert_int_equal(watch_source_ms(w.watch, 0), utc("2026-01-01T00:00:01Z"));
	connect_at(&w, "Apr  2 00:00:00", "mx"); /* believed when it is said twice */
	connect_at(&w, "Apr  2 00:00:01", "mx");
	assert_int_equal(watch_source_ms(w.watch, 0), utc("2026-04-02T00:00:01Z"));
	assert_int_equal(world_source(&w, 0).backwards, 0);
	world_end(&w);
}

static void a_file_of_long_ago_is_read_by_its_own_time(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	w.source = watch_source(w.watch, "old.log", utc("2006-01-02T00:00:00Z"));
	connect_at(&w, "Dec 31 23:59:59", "old");
	connect_at(&w, "Jan  1 09:00:00", "old");
	assert_int_equal(world_source(&w, w.source).first_ms, utc("2005-12-31T23:59:59Z"));
	assert_int_equal(world_source(&w, w.source).last_ms, utc("2006-01-01T09:00:00Z"));
	world_end(&w);
}

static void lines_that_run_backwards_are_counted_by_each_servers_own_clock(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	/* Two servers, an hour apart, in one file: nothing runs backwards. */
	for (int i = 0; i < 10; i++) {
		world_linef(&w, "Nov 24 05:%02d:00 fast postfix/smtpd[1]: connect from a[192.0.2.1]", i);
		world_linef(&w, "Nov 24 04:%02d:00 slow postfix/smtpd[1]: connect from a[192.0.2.1]", i);
	}
	assert_int_equal(world_source(&w, 0).backwards, 0);
	connect_at(&w, "Nov 24 05:08:30", "fast"); /* half a minute is nothing */
	assert_int_equal(world_source(&w, 0).backwards, 0);
	connect_at(&w, "Nov 24 05:07:00", "fast");
	connect_at(&w, "Nov 24 04:07:00", "slow");
	assert_int_equal(world_source(&w, 0).backwards, 2);
	assert_int_equal(watch_source_ms(w.watch, 0), utc("2026-11-24T05:09:00Z"));
	world_end(&w);
}

static void one_line_of_a_far_time_does_not_end_the_open_mails(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w, "2026-11-24T05:00:00Z mx postfix/qmgr[3]: AA000000001: from=<a@a>, size=1, nrcpt=1 "
			"(queue active)\n");
	connect_at(&w, "2099-01-01T00:00:00Z", "mx");
	connect_at(&w, "2026-11-24T05:00:10Z", "mx");
	connect_at(&w, "2099-01-01T00:00:00Z", "other");
	assert_int_equal(world_counts(&w).open, 1);
	assert_int_equal(world_source(&w, 0).backwards, 0);
	connect_at(&w, "2026-12-24T05:00:00Z", "mx");
	connect_at(&w, "2026-12-24T05:00:10Z", "mx");
	assert_int_equal(world_counts(&w).open, 0); /* a month: given up */
	world_end(&w);
}

static void sources_can_be_merged_by_time(void **state)
{
	struct world w;
	int64_t time_ms;
	(void)state;
	world_begin(&w, ROOM, false);
	struct slice late = SLICE("Nov 24 05:00:00 mx postfix/qmgr[3]: AA000000001: removed"), none = SLICE("# none");
	assert_false(watch_line_until(w.watch, 0, late, false, utc("2026-11-24T04:59:59Z"), &time_ms));
	assert_int_equal(time_ms, utc("2026-11-24T05:00:00Z"));
	assert_int_equal(world_counts(&w).lines, 0);
	assert_true(watch_line_until(w.watch, 0, none, false, INT64_MIN, &time_ms));
	assert_true(watch_line_until(w.watch, 0, late, false, utc("2026-11-24T05:00:00Z"), &time_ms));
	assert_int_equal(world_counts(&w).lines, 2);
	world_end(&w);
}

static void hosts_without_end_share_what_is_left(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	for (int i = 0; i < 3000; i++)
		world_linef(&w, "Nov 24 05:00:00 h%d postfix/qmgr[3]: AA000000001: from=<a@a>, size=1, nrcpt=1 "
				"(queue active)", i);
	assert_int_equal(world_counts(&w).mails, 1025); /* 1,024 servers, and all the others as one */
	world_end(&w);
}

static void too_many_sources_are_refused(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	for (int i = 1; i < WATCH_SOURCES_MAX; i++)
		assert_int_equal(watch_source(w.watch, "x", 0), i);
	assert_int_equal(watch_source(w.watch, "x", 0), -1);
	world_end(&w);
}

static void without_memory_lines_are_still_taken(void **state)
{
	struct error error;
	const struct watch_setup setup = { .bytes = ROOM, .now_ms = TEST_NOW_MS };
	bool is_done = false;
	(void)state;
	for (long n = 0; n < 40 && !is_done; n++) {
		mem_fail_after = n;
		struct world w = { .watch = watch_new(&setup, &error) };
		if (w.watch && (w.source = watch_source(w.watch, "mail.log", 0)) >= 0) {
			world_lines(&w, one_mail);
			world_lines(&w, "Nov 24 05:00:00 mx2 postfix/smtpd[1]: strange words\n");
			assert_int_equal(world_counts(&w).mails, 1);
			is_done = mem_fail_after > 0;
		}
		mem_fail_after = -1;
		watch_free(w.watch);
	}
	assert_true(is_done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_a_log_become_one_mail),
		cmocka_unit_test(a_recipient_has_its_own_facts),
		cmocka_unit_test(a_queue_id_that_begins_again_is_a_new_mail),
		cmocka_unit_test(a_retry_is_the_same_mail_and_its_recipient_counts_once),
		cmocka_unit_test(the_same_id_on_two_servers_is_two_mails),
		cmocka_unit_test(a_bounce_names_the_mail_it_is_for),
		cmocka_unit_test(a_mail_that_goes_round_through_a_filter_is_one_for_the_engine),
		cmocka_unit_test(the_engine_hears_of_a_mail_when_its_recipients_are_known_or_late),
		cmocka_unit_test(recipients_past_the_limit_are_counted),
		cmocka_unit_test(the_oldest_mail_gives_way_and_is_told),
		cmocka_unit_test(a_mail_with_long_texts_is_cut_and_keeps_to_its_room),
		cmocka_unit_test(every_line_cut_anywhere_is_taken),
		cmocka_unit_test(binary_and_endless_lines_are_counted_and_the_work_goes_on),
		cmocka_unit_test(samples_are_of_a_mail_server_and_harmless),
		cmocka_unit_test(the_year_changes_in_the_middle_of_a_log),
		cmocka_unit_test(a_file_of_long_ago_is_read_by_its_own_time),
		cmocka_unit_test(lines_that_run_backwards_are_counted_by_each_servers_own_clock),
		cmocka_unit_test(one_line_of_a_far_time_does_not_end_the_open_mails),
		cmocka_unit_test(sources_can_be_merged_by_time),
		cmocka_unit_test(hosts_without_end_share_what_is_left),
		cmocka_unit_test(too_many_sources_are_refused),
		cmocka_unit_test(without_memory_lines_are_still_taken),
	};
	return hash_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
