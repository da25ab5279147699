/* SPDX-License-Identifier: Apache-2.0
 *
 * What servers other than Postfix tell in pieces: sessions of OpenSMTPD, aliases that become
 * more recipients than were announced, names with a blank behind them, and Dovecot's lines
 * about mails of which another server tells too. The lines are of live servers (see
 * ../wire/data), shortened.
 */
#include "world.h"

enum { ROOM = 1024 * 1024 };

#define SMTPD "Nov 24 05:00:00 mx smtpd[1]: "
#define SESSION "0ecf0316285174d2 smtp "
#define DELIVERY "0ecf031a8f341b2a mta delivery "
#define STORE "Nov 24 05:00:00 store dovecot: lmtp(paul@other.example)<230>"
#define STORED "sieve: msgid=<single.1@customer.example>: stored mail into mailbox 'INBOX'\n"

static const char session_lines[] =
	SMTPD SESSION "connected address=192.0.2.7 host=office.customer.example\n"
	SMTPD SESSION "authentication user=anna address=192.0.2.7 host=office.customer.example result=ok\n"
	SMTPD SESSION "message msgid=44826b96 size=968 nrcpt=1 proto=ESMTP\n"
	SMTPD SESSION "envelope evpid=44826b96ca0eda06 from=<anna@customer.example> to=<all@isp.example>\n"
	SMTPD SESSION "disconnected reason=quit\n";
static const char alias_lines[] =
	SMTPD DELIVERY "evpid=44826b96c37e0b72 from=<anna@customer.example> to=<paul@other.example> "
	"rcpt=<all@isp.example> source=\"127.0.0.1\" relay=\"127.0.0.1 (localhost)\" delay=0s result=\"Ok\" "
	"stat=\"250 2.0.0 taken\"\n"
	SMTPD DELIVERY "evpid=44826b96ca0eda06 from=<anna@customer.example> to=<petra@other.example> "
	"rcpt=<all@isp.example> source=\"127.0.0.1\" relay=\"127.0.0.1 (localhost)\" delay=0s result=\"Ok\" "
	"stat=\"250 2.0.0 taken\"\n";

static void a_session_gives_its_mail_a_client_and_an_alias_is_one_mail(void **state)
{
	struct world w;
	struct ip ip;
	(void)state;
	world_begin(&w, ROOM, true);
	world_lines(&w, session_lines);
	assert_int_equal(world_counts(&w).open, 1); /* the session is over */
	struct storm_counters engine;
	storm_counters(w.storm, &engine);
	assert_int_equal(engine.mails, 1);
	world_lines(&w, alias_lines);
	world_expect(&w, ""); /* it could have more of them */
	world_lines(&w, "Nov 24 05:12:00 mx smtpd[1]: info: still here\n");
	world_expect(&w, "44826b96 anna@customer.example>paul@other.example=sent,petra@other.example=sent\n");
	assert_true(ip_parse(SLICE("192.0.2.7"), &ip) && ip_equal(ip, w.last.client_ip));
	assert_string_equal(w.client, "office.customer.example");
	assert_int_equal(w.last.auth_user.len, strlen("anna"));
	assert_int_equal(w.last.size_bytes, 968);
	assert_int_equal(world_counts(&w).mails, 1);
	assert_int_equal(world_counts(&w).sent, 2);
	world_end(&w);
}

static void sessions_of_two_servers_and_of_programs_are_apart(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w,
		SMTPD SESSION "connected address=127.0.0.2 host=office.customer.example\n"
		"Nov 24 05:00:00 mx2 smtpd[1]: " SESSION "message msgid=44826b96 size=968 nrcpt=1 proto=ESMTP\n"
		SMTPD "0ecf03203350bcfc smtp connected address=local host=mx.isp.example\n"
		SMTPD "0ecf03203350bcfc smtp message msgid=7187fb7a size=2272 nrcpt=1 proto=ESMTP\n");
	watch_end(w.watch);
	world_expect(&w, "44826b96 >\n7187fb7a >\n");
	assert_string_equal(w.client, "");
	assert_int_equal(w.mails, 2);
	world_end(&w);
}

/* A table that is full, so that a session gives way while its mail takes what it says. */
static void sessions_have_a_bound(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, 16 * 1024, false);
	for (int i = 0; i < 1000; i++) {
		world_linef(&w, SMTPD "%016x smtp connected address=127.0.0.2 host=%0300d.example", i, i);
		world_linef(&w, SMTPD "%016x smtp authentication user=%0300d result=ok", i, i);
		world_linef(&w, SMTPD "%016x smtp envelope evpid=%08x00000000 from=<a@a.example> to=<b@b.example>", i,
			    i);
		assert_in_range(world_counts(&w).bytes, 1, 17 * 1024);
	}
	watch_end(w.watch);
	assert_int_equal(w.mails, 1000);
	assert_int_equal(world_counts(&w).open, 0);
	world_end(&w);
}

static void exims_list_of_recipients_and_its_aliases_are_the_same_recipients(void **state)
{
	enum { RCPTS = 2 * WATCH_RCPTS_MAX };
	struct world w;
	char line[8192] = "2026-11-24 05:00:00 1xVvJ4-0005gU-3E <= anna@customer.example H=(a) [127.0.0.2] P=esmtp "
			  "S=1 id=a@b T=\"x\" from <anna@customer.example> for";
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w,
		"2026-11-24 05:00:00 1xVvJ4-0005gU-3D <= anna@customer.example H=(a) [127.0.0.2] P=esmtp S=1002 "
		"id=alias.1@customer.example T=\"x\" from <anna@customer.example> for all@isp.example\n"
		"2026-11-24 05:00:01 1xVvJ4-0005gU-3D => paul@other.example <all@isp.example> R=all T=sink\n"
		"2026-11-24 05:00:01 1xVvJ4-0005gU-3D -> petra@other.example <all@isp.example> R=all T=sink\n"
		"2026-11-24 05:00:01 1xVvJ4-0005gp-15 <= <> R=1xVvJ4-0005gU-3D U=Debian-exim P=local S=9\n"
		"2026-11-24 05:00:01 1xVvJ4-0005gU-3D Completed\n");
	world_expect(&w, "1xVvJ4-0005gU-3D anna@customer.example>paul@other.example=sent,petra@other.example=sent\n");
	assert_int_equal(w.last.rcpt_total, 2);
	world_lines(&w, "2026-11-24 05:00:01 1xVvJ4-0005gp-15 => anna@customer.example R=all T=sink\n"
			"2026-11-24 05:00:01 1xVvJ4-0005gp-15 Completed\n");
	assert_int_equal(w.last.notice_of.len, strlen("1xVvJ4-0005gU-3D"));
	/* More than are kept: named, then delivered. */
	for (int i = 0; i < RCPTS; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), " %d@b.example", i);
	world_lines(&w, line);
	for (int i = 0; i < RCPTS; i++)
		world_linef(&w, "2026-11-24 05:00:02 1xVvJ4-0005gU-3E -> %d@b.example R=all T=sink", i);
	world_lines(&w, "2026-11-24 05:00:02 1xVvJ4-0005gU-3E Completed\n");
	assert_int_equal(w.last.rcpt_total, RCPTS);
	assert_int_equal(world_counts(&w).sent, 2 + 1 + RCPTS);
	world_end(&w);
}

static void sendmails_names_are_trimmed_and_its_bounce_is_from_nobody(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w,
		"Nov 24 05:00:00 mx sm-mta[1]: 6AOIVoqp021604: from=<anna@customer.example>, size=818, class=0, "
		"nrcpts=1, msgid=<partly.1@customer.example>, proto=ESMTP, "
		"daemon=MTA, relay=office.customer.example [127.0.0.2]\n"
		"Nov 24 05:00:00 mx sm-mta[1]: 6AOIVoqp021604: to=<bad@other.example>, delay=00:00:00, mailer=relay, "
		"pri=60818, relay=[127.0.0.1] [127.0.0.1], dsn=5.1.1, stat=User unknown\n"
		"Nov 24 05:00:00 mx sm-mta[1]: 6AOIVoqp021604: 6AOIVoqp021608: DSN: User unknown\n"
		"Nov 24 05:00:00 mx sm-mta[1]: 6AOIVoqp021608: to=<anna@customer.example>, delay=00:00:01, "
		"mailer=relay, pri=31842, relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, stat=Sent (taken)\n"
		/* An alias, by another way of delivery. */
		"Nov 24 05:00:01 mx sm-mta[1]: 6AOIVoqp021604: to=late@other.example, delay=00:00:01, mailer=local, "
		"pri=60818, dsn=2.0.0, stat=Sent\n"
		"Nov 24 05:00:02 mx sm-mta[1]: 6AOIVoqp021604: done; delay=00:00:02, ntries=1\n");
	world_expect(&w, "6AOIVoqp021604 anna@customer.example>bad@other.example=bounced,late@other.example=sent\n");
	assert_string_equal(w.client, "office.customer.example");
	watch_end(w.watch);
	world_expect(&w, "6AOIVoqp021608 >anna@customer.example=sent\n");
	assert_true(w.last.has_from);
	assert_int_equal(w.last.notice_of.len, strlen("6AOIVoqp021604"));
	world_end(&w);
}

/* ---- Dovecot ---- */

#define POSTFIX "Nov 24 05:00:00 mx postfix/"
static const char posted[] =
	POSTFIX "cleanup[2]: AA000000001: message-id=<single.1@customer.example>\n"
	POSTFIX "qmgr[3]: AA000000001: from=<anna@customer.example>, size=1, nrcpt=1 (queue active)\n"
	POSTFIX "lmtp[4]: AA000000001: to=<paul@other.example>, relay=store[192.0.2.3]:24, delay=1, delays=0/0/0/1, "
	"dsn=2.0.0, status=sent (250 2.0.0 <paul@other.example> ULsSGSndBWv0WQAAg+zDdQ Saved)\n"
	POSTFIX "qmgr[3]: AA000000001: removed\n";
static const char stored[] = STORE "<ULsSGSndBWv0WQAAg+zDdQ>: " STORED;

static void a_mail_in_two_logs_is_counted_once_whichever_is_read_first(void **state)
{
	(void)state;
	const char *const orders[][2] = { { posted, stored }, { stored, posted } };
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		struct world w;
		struct storm_counters engine;
		world_begin(&w, ROOM, true);
		world_lines(&w, orders[i][0]);
		world_lines(&w, orders[i][1]);
		assert_int_equal(world_counts(&w).sent, 1);
		watch_end(w.watch);
		struct watch_counts c = world_counts(&w);
		world_expect(&w, "AA000000001 anna@customer.example>paul@other.example=sent\n"
				 "ULsSGSndBWv0WQAAg+zDdQ >paul@other.example=sent\n");
		assert_string_equal(w.server, "store");
		assert_int_equal(c.mails, 1);
		assert_int_equal(c.echoes, 1);
		assert_int_equal(c.sent, 1);
		storm_counters(w.storm, &engine);
		assert_int_equal(engine.mails, 1);
		world_end(&w);
	}
}

/* The same machine, and a Message-ID that was changed on the way. */
static void the_session_in_the_answer_joins_them_too(void **state)
{
	struct world w;
	(void)state;
	world_begin(&w, ROOM, false);
	world_lines(&w, "Nov 24 05:00:00 mx dovecot: lmtp(paul@other.example)<2><ULsSGSndBWv0WQAAg+zDdQ:T2:R3>: "
			"msgid=<other@customer.example>: saved mail to INBOX\n"
			POSTFIX "qmgr[3]: AA000000001: from=<>, size=1, nrcpt=1 (queue active)\n"
			POSTFIX "lmtp[4]: AA000000001: to=<paul@other.example>, relay=x, delay=1, delays=0/0/0/1, "
			"dsn=2.0.0, status=sent (250 2.0.0 <paul@other.example> ULsSGSndBWv0WQAAg+zDdQ:T2:R3 Saved)\n");
	watch_end(w.watch);
	assert_int_equal(world_counts(&w).mails, 1);
	assert_int_equal(world_counts(&w).echoes, 1);
	assert_int_equal(world_counts(&w).sent, 1);
	assert_int_equal(w.mails, 2);
	world_end(&w);
}

static void dovecots_log_alone_has_mails_of_its_own(void **state)
{
	struct world w;
	struct storm_counters engine;
	(void)state;
	world_begin(&w, ROOM, true);
	world_lines(&w, STORE "<ULsSGSndBWv0WQAAg+zDdQ>: save: box=INBOX, uid=1, msgid=<single.1@customer.example>, "
			"size=1047, from=Anna <anna@customer.example>, subject=About person, flags=()\n");
	world_lines(&w, stored);
	world_lines(&w, "Nov 24 05:00:00 store dovecot: lmtp(petra@other.example)<230><ULsSGSndBWv0WQAAg+zDdQ:R2>: "
			STORED
			STORE "<ULsSGSndBWv0WQAAg+zDdQ:T2>: sieve: msgid=<b@c>: rejected message from <c@d> (reject)\n"
			"Nov 24 05:00:00 store dovecot: deliver(pia): msgid=<old@b>: saved mail to INBOX\n"
			"Nov 24 05:00:00 store dovecot: deliver(pia): msgid=unspecified: saved mail to INBOX\n"
			"Nov 24 05:00:00 store dovecot: deliver(pia): msgid=unspecified: saved mail to INBOX\n");
	assert_int_equal(world_counts(&w).mails, 2); /* the others may be another server's yet */
	world_lines(&w, "Nov 24 05:01:10 store dovecot: master: still here\n");
	struct watch_counts c = world_counts(&w);
	assert_int_equal(c.mails, 5);
	assert_int_equal(c.echoes, 0);
	assert_int_equal(c.sent, 2 + 1 + 2);
	assert_int_equal(c.bounced, 1);
	watch_end(w.watch);
	world_expect(&w, " >pia=sent\n >pia=sent\n"
			 "ULsSGSndBWv0WQAAg+zDdQ >paul@other.example=sent,petra@other.example=sent\n"
			 "ULsSGSndBWv0WQAAg+zDdQ:T2 >paul@other.example=bounced\n"
			 " >pia=sent\n");
	assert_string_equal(w.message_id, "old@b");
	assert_int_equal(world_counts(&w).mails, 5);
	/* Nobody knows who sent them. */
	storm_counters(w.storm, &engine);
	assert_int_equal(engine.mails, 0);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_gives_its_mail_a_client_and_an_alias_is_one_mail),
		cmocka_unit_test(sessions_of_two_servers_and_of_programs_are_apart),
		cmocka_unit_test(sessions_have_a_bound),
		cmocka_unit_test(exims_list_of_recipients_and_its_aliases_are_the_same_recipients),
		cmocka_unit_test(sendmails_names_are_trimmed_and_its_bounce_is_from_nobody),
		cmocka_unit_test(a_mail_in_two_logs_is_counted_once_whichever_is_read_first),
		cmocka_unit_test(the_session_in_the_answer_joins_them_too),
		cmocka_unit_test(dovecots_log_alone_has_mails_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
