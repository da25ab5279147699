/* SPDX-License-Identifier: Apache-2.0 */
#include "maillog_print.h"

static struct maillog_event read_line(const char *line)
{
	struct maillog_event ev;
	maillog_read(slice_from_str(line), &ev);
	return ev;
}

static void every_prefix_is_read_into_time_host_and_service(void **state)
{
	(void)state;
	static const struct {
		const char *line, *time, *host, *program, *service;
	} rows[] = {
		{ "Dec  6 09:20:03 mx postfix/qmgr[123]: 4ABCDE: removed",
		  "Dec  6 09:20:03", "mx", "postfix", "qmgr" },
		{ "Dec 06 09:20:03 mx.example.org postfix/qmgr[123]: 4ABCDE: removed",
		  "Dec 06 09:20:03", "mx.example.org", "postfix", "qmgr" },
		{ "2005-12-06T09:20:03.123456+01:00 mx postfix-out/qmgr[1]: 4ABCDE: removed",
		  "2005-12-06T09:20:03.123456+01:00", "mx", "postfix-out", "qmgr" },
		{ "2005-12-06T09:20:03Z mx postfix/qmgr: 4ABCDE: removed",
		  "2005-12-06T09:20:03Z", "mx", "postfix", "qmgr" },
		{ "<22>Dec  6 09:20:03 mx postfix/qmgr[123]: [ID 197553 mail.info] 4ABCDE: removed",
		  "Dec  6 09:20:03", "mx", "postfix", "qmgr" },
		{ "Dec  6 09:20:03 mx postfix/relay-out/qmgr[123]: 4ABCDE: removed",
		  "Dec  6 09:20:03", "mx", "postfix/relay-out", "qmgr" },
		{ "Dec 6 09:20:03 mx postfix/qmgr[123]: 4ABCDE: removed", "Dec 6 09:20:03", "mx", "postfix", "qmgr" },
		{ "Dec  6 2005 09:20:03 mx postfix/qmgr[1]: 4ABCDE: removed",
		  "Dec  6 2005 09:20:03", "mx", "postfix", "qmgr" },
		{ "Dec  6 09:20:03.123 mx postfix/qmgr[1]: 4ABCDE: removed",
		  "Dec  6 09:20:03.123", "mx", "postfix", "qmgr" },
		{ "Dec  6 09:20:03 <mail.info> mx postfix/qmgr[1]: 4ABCDE: removed",
		  "Dec  6 09:20:03", "mx", "postfix", "qmgr" },
		{ "2005-12-06T09:20:03+0100 mx postfix/qmgr[1]: 4ABCDE: removed",
		  "2005-12-06T09:20:03+0100", "mx", "postfix", "qmgr" },
		{ "2005-12-06 09:20:03,5 mx postfix/qmgr[1]: 4ABCDE: removed",
		  "2005-12-06 09:20:03,5", "mx", "postfix", "qmgr" },
		{ "Tue 2005-12-06 09:20:03 CET mx postfix/qmgr[1]: 4ABCDE: removed",
		  "2005-12-06 09:20:03", "mx", "postfix", "qmgr" },
		{ "1133860803.123456 mx postfix/qmgr[1]: 4ABCDE: removed",
		  "1133860803.123456", "mx", "postfix", "qmgr" },
		{ "<22>1 2005-12-06T09:20:03.003Z mx postfix/qmgr 123 - - 4ABCDE: removed",
		  "2005-12-06T09:20:03.003Z", "mx", "postfix", "qmgr" },
		{ "<22>1 2005-12-06T09:20:03.003Z mx postfix/qmgr - ID47 [a@1 b=\"]\\\"\"][c@1] \xEF\xBB\xBF"
		  "4ABCDE: removed", "2005-12-06T09:20:03.003Z", "mx", "postfix", "qmgr" },
		{ "<22>1 - mx postfix/qmgr 1 - -  4ABCDE: removed", "-", "mx", "postfix", "qmgr" },
		{ "Dec  6 09:20:03 mx postfix/qmgr[123]: message repeated 2 times: [ 4ABCDE: removed]",
		  "Dec  6 09:20:03", "mx", "postfix", "qmgr" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maillog_event ev = read_line(rows[i].line);
		assert_int_equal(ev.kind, MAILLOG_REMOVED);
		assert_slice(ev.time, rows[i].time);
		assert_slice(ev.host, rows[i].host);
		assert_slice(ev.program, rows[i].program);
		assert_slice(ev.service, rows[i].service);
		assert_slice(ev.queue_id, "4ABCDE");
	}
}

#define MX "Dec  6 09:20:03 mx postfix/"

static void a_queued_mail_tells_sender_size_and_recipients(void **state)
{
	(void)state;
	struct maillog_event ev = read_line(MX "qmgr[1]: 4fkZ2T1hQrz1J0N: from=<a@example.org>, size=5360, "
					       "nrcpt=12 (queue active)");
	assert_int_equal(ev.kind, MAILLOG_QUEUED);
	assert_slice(ev.queue_id, "4fkZ2T1hQrz1J0N");
	assert_slice(ev.from, "a@example.org");
	assert_true(ev.has_from);
	assert_int_equal(ev.size_bytes, 5360);
	assert_int_equal(ev.nrcpt, 12);
	ev = read_line(MX "qmgr[1]: 0F5383D: from=<>, size=1, nrcpt=1 (queue active)");
	assert_int_equal(ev.kind, MAILLOG_QUEUED);
	assert_slice(ev.from, "");
	assert_true(ev.has_from);
	ev = read_line(MX "qmgr[1]: 0F5383D: from=<\"a>, size=9\"@example.org>, size=7, nrcpt=1 (queue active)");
	assert_int_equal(ev.size_bytes, 7);
	assert_slice(ev.from, "\"a>, size=9\"@example.org");
}

static void each_outcome_of_a_recipient_is_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum maillog_kind kind;
		const char *rcpt, *orig, *dsn, *relay, *other, *text;
	} rows[] = {
		{ MX "smtp[1]: 0D9633D: to=<jos@example.com>, orig_to=<bestuur@example.com>, "
		  "relay=mail1.example.net[10.74.103.11]:25, delay=11, delays=5.4/0.06/5.1/0.03, dsn=2.0.0, "
		  "status=sent (250 2.0.0 Ok: queued as F12DF84004)",
		  MAILLOG_SENT, "jos@example.com", "bestuur@example.com", "2.0.0",
		  "mail1.example.net[10.74.103.11]:25", "F12DF84004", "250 2.0.0 Ok: queued as F12DF84004" },
		{ MX "smtp[1]: 0D9633D: to=<a@b>, relay=r[1.2.3.4]:25, conn_use=3, delay=1, delays=1/0/0/0, "
		  "dsn=4.2.0, status=deferred (host r[1.2.3.4] said: 450 4.2.0 <a@b>, status=sent (x))",
		  MAILLOG_DEFERRED, "a@b", "", "4.2.0", "r[1.2.3.4]:25", "",
		  "host r[1.2.3.4] said: 450 4.2.0 <a@b>, status=sent (x)" },
		{ MX "pipe[1]: 95ECE24E0: to=<tom@example.com>, relay=dovecot, delay=0.12, delays=0/0/0/0.08, "
		  "dsn=5.4.6, status=bounced (mail forwarding loop for tom@example.com)",
		  MAILLOG_BOUNCED, "tom@example.com", "", "5.4.6", "dovecot", "",
		  "mail forwarding loop for tom@example.com" },
		{ MX "local[1]: 2A22C263F6: to=user@host.example.com, orig_to=root@localhost, relay=local, "
		  "delay=0.07, delays=0.04/0/0/0.03, dsn=2.0.0, status=sent (delivered to command: x)",
		  MAILLOG_SENT, "user@host.example.com", "root@localhost", "2.0.0", "local", "",
		  "delivered to command: x" },
		{ MX "local[1]: 2A22C263F6: to=<a@b>, relay=local, delay=0.07, dsn=2.0.0, status=sent "
		  "(forwarded as 6BC3A1F2)", MAILLOG_SENT, "a@b", "", "2.0.0", "local", "6BC3A1F2",
		  "forwarded as 6BC3A1F2" },
		{ MX "smtp[1]: 2A22C263F6: to=<\"x>, relay=none, status=sent (\"@b>, relay=none, delay=1, "
		  "dsn=5.1.1, status=bounced (no)", MAILLOG_BOUNCED, "\"x>, relay=none, status=sent (\"@b", "",
		  "5.1.1", "none", "", "no" },
		{ MX "smtp[1]: 2A22C263F6: to=<a@b>, relay=none, delay=1, status=sent (250 ok)",
		  MAILLOG_SENT, "a@b", "", "", "none", "", "250 ok" },
		{ MX "virtual[1]: B657F2DB195D: to=<p@e.com>, relay=virtual, delay=0.5, delays=0/0/0/0, "
		  "dsn=2.0.0, status=sent (delivered to maildir)", MAILLOG_SENT, "p@e.com", "", "2.0.0",
		  "virtual", "", "delivered to maildir" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maillog_event ev = read_line(rows[i].line);
		assert_string_equal(maillog_kind_name(ev.kind), maillog_kind_name(rows[i].kind));
		assert_slice(ev.rcpt, rows[i].rcpt);
		assert_slice(ev.orig_rcpt, rows[i].orig);
		assert_slice(ev.dsn, rows[i].dsn);
		assert_slice(ev.relay, rows[i].relay);
		assert_slice(ev.other_id, rows[i].other);
		assert_slice(ev.text, rows[i].text);
	}
}

static void the_other_lines_of_a_mails_life_are_known(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum maillog_kind kind;
		const char *from, *rcpt, *message_id, *client, *other;
	} rows[] = {
		{ MX "cleanup[1]: 0F5383D: message-id=<x.1@example.org>", MAILLOG_MESSAGE_ID, "", "",
		  "x.1@example.org", "", "" },
		{ MX "cleanup[1]: 0F5383D: message-id=odd id", MAILLOG_MESSAGE_ID, "", "", "odd id", "", "" },
		{ MX "cleanup[1]: 4104E3D: message-id=<>", MAILLOG_MESSAGE_ID, "", "", "", "", "" },
		{ MX "qmgr[1]: 585BC3F: from=<a@b>, status=expired, returned to sender", MAILLOG_EXPIRED,
		  "a@b", "", "", "", "" },
		{ MX "qmgr[1]: 585BC3F: from=<a@b>, status=force-expired, returned to sender", MAILLOG_EXPIRED,
		  "a@b", "", "", "", "" },
		{ MX "smtpd[1]: 585BC3F: client=c.example.org[192.0.2.1], sasl_method=PLAIN, sasl_username=u@x",
		  MAILLOG_CLIENT, "", "", "", "c.example.org[192.0.2.1]", "" },
		{ MX "smtpd[1]: 585BC3F: client=c.example.org[192.0.2.1]", MAILLOG_CLIENT, "", "", "",
		  "c.example.org[192.0.2.1]", "" },
		{ MX "pickup[1]: D2FAE20586: uid=0 from=<root>", MAILLOG_CLIENT, "root", "", "", "", "" },
		{ MX "bounce[1]: 17CCA8044: sender non-delivery notification: ADD2F8052", MAILLOG_NOTICE, "", "",
		  "", "", "ADD2F8052" },
		{ MX "bounce[1]: 482E4404AC8: postmaster non-delivery notification: 47335405A44",
		  MAILLOG_NOTICE, "", "", "", "", "47335405A44" },
		{ MX "cleanup[1]: 4104E3D: milter-reject: END-OF-MESSAGE from c[61.238.241.86]: 5.7.1 Blocked; "
		  "from=<w@c.com> to=<v@e.com> proto=ESMTP helo=<e.com>", MAILLOG_MILTER_REJECT, "w@c.com",
		  "v@e.com", "", "c[61.238.241.86]", "" },
		{ MX "cleanup[1]: 4104E3D: milter-hold: END-OF-MESSAGE from c[::1]: milter triggers HOLD action; "
		  "from=<> to=<v@e.com> proto=ESMTP helo=<e>", MAILLOG_MILTER_HOLD, "", "v@e.com", "", "c[::1]", "" },
		{ MX "cleanup[1]: 4104E3D: milter-discard: END-OF-MESSAGE from c[::1]: milter triggers DISCARD "
		  "action; from=<a@b> to=<v@e.com> proto=ESMTP helo=<e>", MAILLOG_MILTER_DISCARD, "a@b", "v@e.com",
		  "", "c[::1]", "" },
		{ MX "smtpd[1]: NOQUEUE: reject: RCPT from c[1.2.3.4]: 550 5.1.1 <t@e.com>: Recipient address "
		  "rejected: no; from=<w@c> to=<t@e.com> proto=ESMTP helo=<e>", MAILLOG_REJECTED, "w@c", "t@e.com",
		  "", "c[1.2.3.4]", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maillog_event ev = read_line(rows[i].line);
		assert_string_equal(maillog_kind_name(ev.kind), maillog_kind_name(rows[i].kind));
		assert_slice(ev.from, rows[i].from);
		assert_slice(ev.rcpt, rows[i].rcpt);
		assert_slice(ev.message_id, rows[i].message_id);
		assert_slice(ev.client, rows[i].client);
		assert_slice(ev.other_id, rows[i].other);
	}
	struct maillog_event ev = read_line(rows[5].line);
	assert_slice(ev.sasl_user, "u@x");
	assert_slice(read_line(rows[13].line).queue_id, "NOQUEUE");
}

static void what_is_not_understood_is_other_and_confirms_nothing(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"", " ", "x", "Dec  6 09:20:03", "Dec  6 09:20:03 mx", "Dec  6 09:20:03 mx postfix/qmgr[1]:",
		"Dec  6 09:20:03 mx postfix/qmgr[1]: ", MX "qmgr[1]: removed", MX "qmgr[1]: 4ABCDE: removed ",
		MX "smtpd[1]: warning: hostname x does not resolve",
		MX "smtp[1]: 4ABCDE: to=<a@b>, relay=none, delay=1, dsn=2.0.0, status=deliverable (x)",
		MX "smtp[1]: 4ABCDE: to=<a@b>, relay=none, delay=1, dsn=2.0.0, status=undeliverable (x)",
		MX "smtp[1]: 4ABCDE: to=<a@b>, relay=none, delay=1, dsn=2.0.0",
		MX "smtp[1]: 4ABCDE: to=<a@b", MX "smtp[1]: 4ABCDE: to=<\"a@b>, relay=none, status=sent (x)",
		/* Programs that have no business to say so. */
		MX "smtpd[1]: 4ABCDE: to=<a@b>, relay=none, delay=1, dsn=2.0.0, status=sent (x)",
		"Dec  6 09:20:03 mx logger: 4ABCDE: to=<a@b>, relay=none, delay=1, dsn=2.0.0, status=sent (x)",
		"Dec  6 09:20:03 mx cron/evil[1]: 4ABCDE: removed",
		MX "smtp[1]: warning: 4ABCDE: to=<a@b>, relay=none, delay=1, dsn=2.0.0, status=sent (x)",
		MX "smtp[1]: ABC: to=<a@b>, relay=none, delay=1, dsn=2.0.0, status=sent (x)",
		MX "smtpd[1]: proxy-accept: END-OF-MESSAGE: 250 2.0.0; from=<a> to=<b> proto=ESMTP helo=<x>",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (read_line(lines[i]).kind != MAILLOG_OTHER)
			fail_msg("\"%s\" is %s", lines[i], maillog_kind_name(read_line(lines[i]).kind));
}

static void a_line_cut_or_broken_anywhere_is_read_within_its_bounds(void **state)
{
	(void)state;
	static const char *const lines[] = {
		MX "smtp[1]: 0D9633D: to=<j@e.com>, orig_to=<b@e.com>, relay=m[10.7.1.1]:25, delay=11, "
		   "delays=5/0/5/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as F12DF84004)",
		MX "qmgr[1]: 0F5383D: from=<\"a\\\"b\"@c>, size=5360, nrcpt=1 (queue active)",
		"2005-12-06T09:20:03.123456+01:00 mx postfix/cleanup[1]: 4104E3D: milter-hold: END-OF-MESSAGE "
		"from c[::1]: x; from=<> to=<v@e.com> proto=ESMTP helo=<e>",
		MX "smtpd[1]: 585BC3F: client=c[192.0.2.1], sasl_method=PLAIN, sasl_username=u@x, sasl_sender=y",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		check_cuts(lines[i]);
}

static void times_are_placed_in_the_year_that_fits(void **state)
{
	(void)state;
	enum { NOW = 0 };
	static const struct {
		const char *time;
		int64_t now_ms;
		int zone_s;
		int64_t ms; /* -1: unreadable */
	} rows[] = {
		{ "2005-12-06T09:20:03Z", NOW, 0, 1133860803000 },
		{ "2005-12-06T09:20:03.250+01:00", NOW, 0, 1133857203250 },
		{ "2005-12-06T09:20:03,5-0130", NOW, 0, 1133866203500 },
		{ "2005-12-06 09:20:03", NOW, 3600, 1133857203000 },
		{ "2004-02-29T00:00:00Z", NOW, 0, 1078012800000 },
		{ "Dec  6 09:20:03", 1133860810000, 0, 1133860803000 },
		{ "Dec 06 09:20:03", 1133860810000, 3600, 1133857203000 },
		/* Read in January, written in December. */
		{ "Dec 31 23:59:59", 1136073660000, 0, 1136073599000 },
		/* The log's clock is a little ahead. */
		{ "Jan  1 00:00:10", 1136073590000, 0, 1136073610000 },
		{ "2005-13-06T09:20:03Z", NOW, 0, -1 }, { "2005-12-06T24:20:03Z", NOW, 0, -1 },
		{ "Foo  6 09:20:03", 1133860810000, 0, -1 }, { "Dec  6 09:2x:03", 1133860810000, 0, -1 },
		{ "", 1133860810000, 0, -1 }, { "Dec 6 09:20:03", 1133860810000, 0, 1133860803000 },
		{ "2005-12-06T09:20:03+1", NOW, 0, -1 }, { "2005-12-06T09:20:03+01", NOW, 0, 1133857203000 },
		{ "2005-12-06 09:20:03 +0100", NOW, 0, 1133857203000 }, { "2005-12-06 09:20:03 CET", NOW, 0, -1 },
		{ "2005-12-06T09:20:60Z", NOW, 0, 1133860860000 }, { "2005-12-06T09:20:61Z", NOW, 0, -1 },
		{ "2005-12-06T09:20:03.9999999Z", NOW, 0, 1133860803999 },
		{ "Dec  6 09:20:03.25", 1133860810000, 0, 1133860803250 },
		{ "Dec  6 2004 09:20:03", 1133860810000, 0, 1102324803000 },
		{ "1133860803.123", NOW, 3600, 1133860803123 }, { "1133860803", NOW, 0, 1133860803000 },
		{ "1133860803.1x", NOW, 0, -1 }, { "1133860803123456", NOW, 0, -1 },
		/* The leap day, read in the next years; no year has the thirtieth. */
		{ "Feb 29 00:00:00", 1078012860000, 0, 1078012800000 },
		{ "Feb 29 00:00:00", 1172707200000, 0, 1078012800000 },
		{ "Feb 30 00:00:00", 1078012860000, 0, -1 }, { "Apr 31 00:00:00", 1078012860000, 0, -1 },
		{ "2005-02-29T00:00:00Z", NOW, 0, -1 }, { "1900-02-29T00:00:00Z", NOW, 0, -1 },
		{ "2000-02-29T00:00:00Z", NOW, 0, 951782400000 },
		/* A day ahead is a clock or a zone, two days ahead is last year. */
		{ "Dec  7 09:20:00", 1133860810000, 0, 1133947200000 },
		{ "Dec  8 09:20:03", 1133860810000, 0, 1102497603000 },
		{ "Dec 31 23:30:00", 1136073600000, 3600, 1136068200000 },
		{ "Jan  1 00:30:00", 1136071800000, 3600, 1136071800000 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms = -1;
		bool is_read = maillog_time(slice_from_str(rows[i].time), rows[i].now_ms, rows[i].zone_s, &ms);
		if (is_read != (rows[i].ms != -1) || (is_read && ms != rows[i].ms))
			fail_msg("%s gives %lld, wanted %lld", rows[i].time, is_read ? (long long)ms : -1,
				 (long long)rows[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_is_read_into_time_host_and_service),
		cmocka_unit_test(a_queued_mail_tells_sender_size_and_recipients),
		cmocka_unit_test(each_outcome_of_a_recipient_is_told_apart),
		cmocka_unit_test(the_other_lines_of_a_mails_life_are_known),
		cmocka_unit_test(what_is_not_understood_is_other_and_confirms_nothing),
		cmocka_unit_test(a_line_cut_or_broken_anywhere_is_read_within_its_bounds),
		cmocka_unit_test(times_are_placed_in_the_year_that_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
