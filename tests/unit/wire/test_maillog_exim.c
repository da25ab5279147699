/* SPDX-License-Identifier: Apache-2.0
 *
 * Exim's main log: hand-made lines of each form, every field of each; lines cut anywhere,
 * lines that strangers wrote, bytes that are no text.
 */
#include "maillog_wanted.h"

#define T "2005-12-06 09:20:03"
#define T_ID T " 1qABCD-0001Ab-3x "
#define ID .time = T, .id = "1qABCD-0001Ab-3x"

static const struct wanted arrivals[] = {
	{ T_ID "<= ann@a.example H=mx.a.example (mail.a.example) [192.0.2.7]:40123 I=[198.51.100.1]:25 P=esmtps "
	       "X=TLS1.3:ke-X25519:AES256:256 CV=no SNI=mx.b.example A=plain:ann S=2048 DKIM=a.example "
	       "id=20051206.1@a.example T=\"Hello \\\"you\\\"\" from <ann@a.example> for bob@b.example eve@b.example",
	  MAILLOG_RECEIVED, ID, .from = "ann@a.example", .client = "[192.0.2.7]",
	  .helo = "mail.a.example", .user = "ann", .message_id = "20051206.1@a.example",
	  .subject = "Hello \\\"you\\\"", .rcpts = "bob@b.example eve@b.example", .size = 2048 },
	{ T_ID "<= <> R=1qABCC-0001AZ-2w U=Debian-exim P=local S=99 T=\"Mail delivery failed\" for ann@a.example",
	  MAILLOG_RECEIVED, ID, .from = "", .notice_of = "1qABCC-0001AZ-2w", .user = "Debian-exim",
	  .subject = "Mail delivery failed", .rcpts = "ann@a.example", .size = 99 },
	{ T_ID "<= ann@a.example H=[192.0.2.7] P=smtp S=1", MAILLOG_RECEIVED, ID, .from = "ann@a.example",
	  .client = "[192.0.2.7]", .size = 1 },
	{ T_ID "<= ann@a.example H=([192.0.2.9]) [2001:db8::7]:25 P=smtp S=1", MAILLOG_RECEIVED, ID,
	  .from = "ann@a.example", .client = "[2001:db8::7]", .helo = "[192.0.2.9]", .size = 1 },
	/* a local part with blanks, an ident and an id with quotes */
	{ T_ID "<= \"a b <= for\"@a.example H=x [192.0.2.7] U=a\"b P=smtp S=1 id=\"x for y\"@a.example "
	       "for \"c d\"@b.example",
	  MAILLOG_RECEIVED, ID, .from = "\"a b <= for\"@a.example", .client = "x [192.0.2.7]", .size = 1,
	  .message_id = "\"x for y\"@a.example", .rcpts = "\"c d\"@b.example" },
	{ T_ID "<= ann@a.example U=ann P=local S=1 T=\"open quote for bob@b.example", MAILLOG_RECEIVED, ID,
	  .from = "ann@a.example", .user = "ann", .size = 1, .subject = "\"open",
	  .rcpts = "bob@b.example" },
	{ T_ID "<= ann@a.example A=login:ann:boss@a.example H=x [192.0.2.7] P=esmtpa S=1", MAILLOG_RECEIVED, ID,
	  .from = "ann@a.example", .user = "ann", .client = "x [192.0.2.7]", .size = 1 },
	/* HELO and SNI say what they like */
	{ T_ID "<= ann@a.example H=(x for v@b.example S=9) [192.0.2.7] P=smtp S=1", MAILLOG_RECEIVED, ID,
	  .from = "ann@a.example", .helo = "x for v@b.example S=9",
	  .client = "[192.0.2.7]", .size = 1 },
	{ T_ID "<= ann@a.example H=x [192.0.2.7] SNI=x for v@b.example P=smtp S=1", MAILLOG_RECEIVED, ID,
	  .from = "ann@a.example", .client = "x [192.0.2.7]", .size = 1 },
};

static const struct wanted outcomes[] = {
	{ T_ID "=> bob@b.example R=dnslookup T=remote_smtp S=12 H=mx.b.example [198.51.100.2]:25 X=TLS1.3:x:256 "
	       "CV=yes DN=\"/C=UK/O=B C=\\\"250 no\\\"\" C=\"250 2.0.0 Ok: queued as 4Q9ABC\" QT=1m3.250s DT=0.5s",
	  MAILLOG_SENT, ID, .rcpt = "bob@b.example", .relay = "mx.b.example [198.51.100.2]:25", .size = 12,
	  .text = "250 2.0.0 Ok: queued as 4Q9ABC", .dsn = "2.0.0", .other_id = "4Q9ABC", .delay_ms = 63250 },
	{ T_ID "-> bob@b.example <list@a.example> F=<ann@a.example> P=<srs@a.example> R=r T=t H=x [192.0.2.2] L "
	       "C=\"250 OK id=1qABCE-0001Ab-3x\"",
	  MAILLOG_SENT, ID, .from = "ann@a.example", .rcpt = "bob@b.example", .orig_rcpt = "list@a.example",
	  .relay = "x [192.0.2.2]", .text = "250 OK id=1qABCE-0001Ab-3x", .other_id = "1qABCE-0001Ab-3x" },
	{ T_ID ">> bob@b.example R=r T=t H=x [192.0.2.2] C=\"250 OK\"", MAILLOG_SENT, ID, .rcpt = "bob@b.example",
	  .relay = "x [192.0.2.2]", .text = "250 OK" },
	{ T_ID "=> bob <bob@b.example> R=localuser T=local_delivery QT=2d3h4m5s", MAILLOG_SENT, ID,
	  .rcpt = "bob@b.example", .relay = "local_delivery", .delay_ms = 183845000 },
	{ T_ID "=> |/usr/bin/vacation -a \"<x>\" bob (bob@b.example) <all@b.example> R=r T=address_pipe",
	  MAILLOG_SENT, ID, .rcpt = "all@b.example", .relay = "|/usr/bin/vacation -a \"<x>\" bob" },
	{ T_ID "=> /var/mail/archive <arch@b.example> R=r T=**bypassed**", MAILLOG_SENT, ID,
	  .rcpt = "arch@b.example", .relay = "/var/mail/archive" },
	{ T_ID "=> >ann@a.example <bob@b.example> R=r T=vacation", MAILLOG_SENT, ID, .rcpt = "bob@b.example",
	  .relay = "vacation" },
	{ T_ID "=> >ann@a.example <system-filter> T=reply", MAILLOG_SENT, ID, .rcpt = ">ann@a.example",
	  .orig_rcpt = "system-filter", .relay = "reply" },
	{ T_ID "=> :blackhole: <spam@b.example> R=aliases", MAILLOG_SENT, ID, .rcpt = "spam@b.example",
	  .relay = ":blackhole:" },
	{ T_ID "=> discarded <bob@b.example> R=filter", MAILLOG_SENT, ID, .rcpt = "bob@b.example",
	  .relay = "discarded" },
	{ T_ID "=> blackhole <blackhole@b.example> R=r T=local", MAILLOG_SENT, ID, .rcpt = "blackhole@b.example",
	  .relay = "local" },
	{ T_ID "=> \"c d\"@b.example <\"<e> f\"@b.example> R=r T=t H=x [192.0.2.2]", MAILLOG_SENT, ID,
	  .rcpt = "\"c d\"@b.example", .orig_rcpt = "\"<e> f\"@b.example", .relay = "x [192.0.2.2]" },
	{ T_ID "=> blackhole (DATA ACL discarded recipients): as told", MAILLOG_MILTER_DISCARD, ID,
	  .text = "(DATA ACL discarded recipients): as told" },
	{ T_ID "*> bob@b.example R=r T=t H=x [192.0.2.2]", MAILLOG_OTHER, ID, .rcpt = "bob@b.example",
	  .relay = "x [192.0.2.2]" },
	{ T_ID "== bob@b.example <b@b.example> R=r T=t defer (-44) H=x [192.0.2.2]: SMTP error from remote mail "
	       "server after RCPT TO:<bob@b.example>: 452 4.5.3 Try again",
	  MAILLOG_DEFERRED, ID, .rcpt = "bob@b.example", .orig_rcpt = "b@b.example", .relay = "x [192.0.2.2]",
	  .text = "SMTP error from remote mail server after RCPT TO:<bob@b.example>: 452 4.5.3 Try again",
	  .dsn = "4.5.3" },
	{ T_ID "== bob@b.example R=r T=t defer (-53): retry time not reached for any host", MAILLOG_DEFERRED, ID,
	  .rcpt = "bob@b.example", .relay = "t", .text = "retry time not reached for any host" },
	{ T_ID "== bob@b.example routing defer (-52): retry time not reached", MAILLOG_DEFERRED, ID,
	  .rcpt = "bob@b.example", .text = "retry time not reached" },
	{ T_ID "== bob@b.example R=r T=t defer (-1)", MAILLOG_DEFERRED, ID, .rcpt = "bob@b.example", .relay = "t" },
	{ T_ID "== bob@b.example R=r T=t defer (110) H=x [192.0.2.2]:25 DT=30s: Connection timed out",
	  MAILLOG_DEFERRED, ID, .rcpt = "bob@b.example", .relay = "x [192.0.2.2]:25", .text = "Connection timed out" },
	{ T_ID "** bob@b.example F=<ann@a.example> R=r T=t H=x [192.0.2.2]:25 X=TLS1.3:a:256 CV=yes DN=\"C=UK\" : "
	       "SMTP error from remote mail server after end of data: 550-5.7.1 no\\n550 never",
	  MAILLOG_BOUNCED, ID, .from = "ann@a.example", .rcpt = "bob@b.example", .relay = "x [192.0.2.2]:25",
	  .text = "SMTP error from remote mail server after end of data: 550-5.7.1 no\\n550 never", .dsn = "5.7.1" },
	{ T_ID "** bob@b.example: retry timeout exceeded", MAILLOG_BOUNCED, ID, .rcpt = "bob@b.example",
	  .text = "retry timeout exceeded" },
	{ T_ID "** bob@b.example : Unrouteable address", MAILLOG_BOUNCED, ID, .rcpt = "bob@b.example",
	  .text = "Unrouteable address" },
	{ T_ID "** |/bin/no <p@b.example> R=r T=address_pipe : return message generated", MAILLOG_BOUNCED, ID,
	  .rcpt = "p@b.example", .relay = "|/bin/no", .text = "return message generated" },
	{ T_ID "** bob@b.example routing yielded a local delivery", MAILLOG_BOUNCED, ID, .rcpt = "bob@b.example",
	  .text = "routing yielded a local delivery" },
	{ T_ID "** mua_wrapper is set but recipients differ", MAILLOG_EXPIRED, ID,
	  .text = "mua_wrapper is set but recipients differ" },
	{ T_ID "Completed", MAILLOG_REMOVED, ID },
	{ T_ID "Completed QT=4s", MAILLOG_REMOVED, ID, .delay_ms = 4000 },
	{ T_ID "Completed by somebody else", MAILLOG_OTHER, ID },
	{ T_ID "cancelled by timeout_frozen_after", MAILLOG_EXPIRED, ID, .text = "cancelled by timeout_frozen_after" },
	{ T_ID "removed by ann", MAILLOG_EXPIRED, ID, .text = "removed by ann" },
	{ T_ID "Frozen (delivery error message)", MAILLOG_OTHER, ID, .text = "Frozen (delivery error message)" },
	{ T_ID "no immediate delivery: queued by ACL", MAILLOG_OTHER, ID,
	  .text = "no immediate delivery: queued by ACL" },
	{ T_ID "H=x [192.0.2.2] Connection refused", MAILLOG_OTHER, ID, .client = "x [192.0.2.2]" },
	/* cut, or a stranger's */
	{ T_ID "=> bob@b.example", MAILLOG_OTHER, ID, .rcpt = "bob@b.example" },
	{ T_ID "** bob@b.example R=r", MAILLOG_OTHER, ID, .rcpt = "bob@b.example" },
	{ T_ID "==", MAILLOG_OTHER, ID, .text = "==" },
	{ T_ID "DKIM: d=x => bob@b.example R=r T=t", MAILLOG_OTHER, ID, .text = "DKIM: d=x => bob@b.example R=r T=t" },
};

static const struct wanted refusals[] = {
	{ T " H=x (y) [192.0.2.7]:4 I=[192.0.2.1]:25 F=<ann@a.example> rejected RCPT <bob@b.example>: 550 5.7.1 no",
	  MAILLOG_REJECTED, .time = T, .from = "ann@a.example", .rcpt = "bob@b.example",
	  .client = "[192.0.2.7]", .helo = "y", .text = "rejected RCPT <bob@b.example>: 550 5.7.1 no",
	  .dsn = "5.7.1" },
	{ T " H=(y) [192.0.2.7] F=ann@a.example rejected RCPT bob@b.example: no", MAILLOG_REJECTED, .time = T,
	  .from = "ann@a.example", .rcpt = "bob@b.example", .client = "[192.0.2.7]", .helo = "y",
	  .text = "rejected RCPT bob@b.example: no" },
	{ T " H=x [192.0.2.7] temporarily rejected MAIL <ann@a.example>: later", MAILLOG_REJECTED, .time = T,
	  .from = "ann@a.example", .client = "x [192.0.2.7]",
	  .text = "temporarily rejected MAIL <ann@a.example>: later" },
	{ T_ID "H=x [192.0.2.7] X=TLS1.3:a:256 CV=no A=plain:ann F=<> rejected after DATA: no", MAILLOG_REJECTED, ID,
	  .from = "", .client = "x [192.0.2.7]", .user = "ann", .text = "rejected after DATA: no" },
	{ T_ID "F=<\"a b\"@a.example> rejected by non-SMTP ACL: no", MAILLOG_REJECTED, ID, .from = "\"a b\"@a.example",
	  .text = "rejected by non-SMTP ACL: no" },
	{ T_ID "F=ann@a.example H=x [192.0.2.7] P=esmtp temporarily rejected by local_scan(): no", MAILLOG_REJECTED, ID,
	  .from = "ann@a.example", .client = "x [192.0.2.7]", .text = "temporarily rejected by local_scan(): no" },
	{ T_ID "rejected from <ann@a.example> H=x [192.0.2.7]: message too big", MAILLOG_REJECTED, ID,
	  .from = "ann@a.example", .text = "rejected from <ann@a.example> H=x [192.0.2.7]: message too big" },
	{ T " rejected EHLO from [192.0.2.7]: syntactically invalid argument(s): !", MAILLOG_REJECTED, .time = T,
	  .text = "rejected EHLO from [192.0.2.7]: syntactically invalid argument(s): !" },
	{ T " SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from "
	    "H=[192.0.2.7] input=\"x\"",
	  MAILLOG_REJECTED, .time = T, .client = "[192.0.2.7]",
	  .text = "rejected connection from H=[192.0.2.7] input=\"x\"" },
	{ T_ID "Error while reading message with no usable sender address (R=1qABCC-0001AZ-2w): rejected by non-SMTP "
	       "ACL: no",
	  MAILLOG_REJECTED, ID, .text = "rejected by non-SMTP ACL: no" },
	{ T_ID "local_scan() function timed out - message temporarily rejected (size 9)", MAILLOG_REJECTED, ID,
	  .text = "local_scan() function timed out - message temporarily rejected (size 9)" },
	{ T " H=x [192.0.2.7] F=<ann@a.example> RCPT <bob@b.example>: discarded by RCPT ACL", MAILLOG_MILTER_DISCARD,
	  .time = T, .from = "ann@a.example", .rcpt = "bob@b.example", .client = "x [192.0.2.7]", .text = "RCPT ACL" },
	{ T " H=x [192.0.2.7] sender verify fail for <ann@a.example>: no", MAILLOG_OTHER, .time = T,
	  .client = "x [192.0.2.7]" },
	{ T " SMTP connection from [192.0.2.7]:99 I=[192.0.2.1]:25 (TCP/IP connection count = 3)", MAILLOG_CONNECT,
	  .time = T, .client = "[192.0.2.7]", .text = "I=[192.0.2.1]:25 (TCP/IP connection count = 3)" },
	{ T " SMTP connection from x (y) [192.0.2.7]:99 closed by QUIT", MAILLOG_DISCONNECT, .time = T,
	  .client = "[192.0.2.7]", .helo = "y", .text = "closed by QUIT" },
	{ T " SMTP connection from x [192.0.2.7] lost D=3s", MAILLOG_DISCONNECT, .time = T, .client = "x [192.0.2.7]",
	  .text = "lost D=3s" },
	{ T " login authenticator failed for x [192.0.2.7]: 535 Incorrect", MAILLOG_OTHER, .time = T },
	{ T " Start queue run: pid=77", MAILLOG_OTHER, .time = T },
};

static void check_rows(const struct wanted *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct maillog_event ev;
		clear_event(&ev);
		assert_true(maillog_exim(slice_from_str(rows[i].line), &ev));
		assert_int_equal(ev.format, MAILLOG_EXIM);
		check_wanted(&rows[i], &ev);
	}
}
#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof(rows)[0])

static void a_mail_that_comes_in_is_one_event_with_all_its_facts(void **state)
{
	(void)state;
	CHECK_ROWS(arrivals);
}

static void each_outcome_of_a_recipient_is_read(void **state)
{
	(void)state;
	CHECK_ROWS(outcomes);
}

static void refusals_and_connections_are_read(void **state)
{
	(void)state;
	CHECK_ROWS(refusals);
}

static void the_prefix_may_have_a_zone_fractions_a_pid_and_a_long_id(void **state)
{
	(void)state;
	static const struct {
		const char *line, *time, *id;
	} rows[] = {
		{ "2005-12-06 09:20:03.123 +0100 [77] 1qABCD-00000001AbC-3xYz Completed",
		  "2005-12-06 09:20:03.123 +0100", "1qABCD-00000001AbC-3xYz" },
		{ "2005-12-06 09:20:03.1 1qABCD-0001Ab-3x Completed", "2005-12-06 09:20:03.1", "1qABCD-0001Ab-3x" },
		{ "2005-12-06 09:20:03 -0830 1qABCD-0001Ab-3x Completed", "2005-12-06 09:20:03 -0830",
		  "1qABCD-0001Ab-3x" },
		{ "2005-12-06 09:20:03 [77] 1qABCD-0001Ab-3x Completed", "2005-12-06 09:20:03", "1qABCD-0001Ab-3x" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maillog_event ev;
		clear_event(&ev);
		assert_true(maillog_exim(slice_from_str(rows[i].line), &ev));
		assert_int_equal(ev.kind, MAILLOG_REMOVED);
		assert_slice(ev.time, rows[i].time);
		assert_slice(ev.queue_id, rows[i].id);
	}
}

static void behind_syslog_the_time_may_be_missing_and_long_lines_come_in_pieces(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum maillog_kind kind;
		const char *time;
	} rows[] = {
		{ "1qABCD-0001Ab-3x Completed", MAILLOG_REMOVED, "Dec  6 09:20:03" },
		{ "[1\\2] 1qABCD-0001Ab-3x <= ann@a.example U=x", MAILLOG_RECEIVED, "Dec  6 09:20:03" },
		{ "[2\\2] 1qABCD-0001Ab-3x <= ann@a.example U=x", MAILLOG_OTHER, "Dec  6 09:20:03" },
		{ "[1/3] 2005-12-06 09:20:03 1qABCD-0001Ab-3x Completed", MAILLOG_REMOVED, "2005-12-06 09:20:03" },
		{ "2005-12-06 09:20:03 +0000 [7] 1qABCD-0001Ab-3x Completed", MAILLOG_REMOVED,
		  "2005-12-06 09:20:03 +0000" },
		{ "something else", MAILLOG_OTHER, "Dec  6 09:20:03" },
		{ "", MAILLOG_OTHER, "Dec  6 09:20:03" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maillog_event ev;
		clear_event(&ev);
		ev.time = SLICE("Dec  6 09:20:03");
		assert_true(maillog_exim(slice_from_str(rows[i].text), &ev));
		assert_int_equal(ev.kind, rows[i].kind);
		assert_slice(ev.time, rows[i].time);
	}
}

static void lines_of_others_are_not_exims(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"", " ", "1qABCD-0001Ab-3x Completed", "2005-12-06 09:20:03", "2005-12-06 09:20:03 ",
		"2005-12-06 09:20:03 host postfix/smtp[1]: A1B2C3D4: removed", "2005-12-06 09:20:03 hello",
		"2005-12-06T09:20:03 1qABCD-0001Ab-3x Completed", "2005-12-06 09:20:03 1qABCD-0001Ab-3xCompleted",
		"2005-12-06 09:20:03 1qABCD-0001A\303-3x Completed", "Dec  6 09:20:03 1qABCD-0001Ab-3x Completed",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maillog_event ev;
		clear_event(&ev);
		if (maillog_exim(slice_from_str(rows[i]), &ev))
			fail_msg("taken for Exim's: %s", rows[i]);
		assert_int_equal(ev.kind, MAILLOG_OTHER);
		assert_int_equal(ev.time.len, 0);
	}
}

static bool is_within(struct slice part, struct slice line)
{
	return part.len == 0 || (part.ptr >= line.ptr && part.ptr + part.len <= line.ptr + line.len);
}

static void check_cut(const char *bytes, size_t len)
{
	struct maillog_event ev;
	struct slice line = exact_copy(bytes, len);
	clear_event(&ev);
	maillog_exim(line, &ev);
	const struct slice parts[] = { ev.time, ev.queue_id, ev.other_id, ev.from, ev.rcpt, ev.orig_rcpt,
				       ev.message_id, ev.dsn, ev.relay, ev.client, ev.sasl_user, ev.text, ev.helo,
				       ev.subject, ev.rcpts, ev.notice_of };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		assert_true(is_within(parts[i], line));
	free((void *)(uintptr_t)line.ptr);
}

static void cut_rows(const struct wanted *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t len = 0; len <= strlen(rows[i].line); len++)
			check_cut(rows[i].line, len);
}

static void a_line_cut_anywhere_gives_slices_of_itself(void **state)
{
	(void)state;
	cut_rows(arrivals, sizeof arrivals / sizeof arrivals[0]);
	cut_rows(outcomes, sizeof outcomes / sizeof outcomes[0]);
	cut_rows(refusals, sizeof refusals / sizeof refusals[0]);
}

static void any_byte_in_any_place_of_a_line_is_survived(void **state)
{
	(void)state;
	static const char bytes[] = { '\0', '"', '\\', '<', '>', '[', ':', ' ', '\xFF' };
	char line[1024];
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		size_t len = strlen(outcomes[i].line);
		assert_in_range(len, 1, sizeof line);
		for (size_t at = 0; at < len; at++) {
			memcpy(line, outcomes[i].line, len);
			line[at] = bytes[(at + i) % sizeof bytes];
			check_cut(line, len);
		}
	}
}

static void a_long_line_of_quotes_and_brackets_is_read_in_one_go(void **state)
{
	(void)state;
	static char line[1024 * 1024];
	static const char *const parts[] = { " <\"", "=\"\\", " (", " <a b>", " H=(", "): " };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		struct maillog_event ev;
		size_t part_len = strlen(parts[i]), len = strlen(T_ID "=> |");
		memcpy(line, T_ID "=> |", len);
		for (; len + part_len <= sizeof line; len += part_len)
			memcpy(line + len, parts[i], part_len);
		clear_event(&ev);
		assert_true(maillog_exim(slice_make(line, len), &ev));
		assert_int_not_equal(ev.kind, MAILLOG_BOUNCED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_that_comes_in_is_one_event_with_all_its_facts),
		cmocka_unit_test(each_outcome_of_a_recipient_is_read),
		cmocka_unit_test(refusals_and_connections_are_read),
		cmocka_unit_test(the_prefix_may_have_a_zone_fractions_a_pid_and_a_long_id),
		cmocka_unit_test(behind_syslog_the_time_may_be_missing_and_long_lines_come_in_pieces),
		cmocka_unit_test(lines_of_others_are_not_exims),
		cmocka_unit_test(a_line_cut_anywhere_gives_slices_of_itself),
		cmocka_unit_test(any_byte_in_any_place_of_a_line_is_survived),
		cmocka_unit_test(a_long_line_of_quotes_and_brackets_is_read_in_one_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
