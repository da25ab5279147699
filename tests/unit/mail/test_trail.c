/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a mail came from, how often it was here, and who put it back: chains of
 * Received lines, and the invented blocks E1 to E5 of incident.md 1.8.
 */
#include "unit.h"

#include "base/mem.h"
#include "mail/received.h"
#include "reader.h"

#define HOP(by, from, ip) "Received: from " from " (" from " [" ip "]) by " by " with ESMTP; x\n"
#define LOCALHOST HOP("mx.example.org", "localhost", "127.0.0.1")

static const struct {
	const char *what, *header, *client;
	size_t peer_hop;
	const char *peer_ip;
	unsigned visits;
} rows[] = {
	{ "no hop is ours", HOP("a.example", "b.example", "198.51.100.1"), NULL, 1, "unknown", 0 },
	{ "a mailbox: our hop on top", HOP("mx.example.org", "a.example", "198.51.100.1")
	  HOP("a.example", "b.example", "198.51.100.2"), NULL, 0, "198.51.100.1", 1 },
	{ "the connection's peer is foreign: the header says nothing",
	  HOP("mx.example.org", "a.example", "198.51.100.1"), "203.0.113.9", 1, "203.0.113.9", 1 },
	{ "through amavis: one visit", HOP("mx.example.org", "localhost", "127.0.0.1")
	  HOP("localhost", "mx.example.org", "127.0.0.1") HOP("mx.example.org", "a.example", "198.51.100.1"),
	  NULL, 2, "198.51.100.1", 1 },
	{ "through the hub: one visit", HOP("hub.example.org", "mx.example.org", "192.0.2.1")
	  HOP("mx.example.org", "a.example", "198.51.100.1"), NULL, 1, "198.51.100.1", 1 },
	{ "an inner client: the header tells", HOP("mx.example.org", "a.example", "198.51.100.1"), "192.0.2.7", 0,
	  "198.51.100.1", 1 },
	{ "came back from a.example: its peer is the newest", HOP("mx.example.org", "a.example", "198.51.100.1")
	  HOP("a.example", "mx.example.org", "192.0.2.1") HOP("mx.example.org", "author.example", "198.51.100.9"),
	  NULL, 0, "198.51.100.1", 2 },
	{ "three visits", HOP("mx.example.org", "a.example", "198.51.100.1") HOP("a.example", "x", "192.0.2.1")
	  HOP("hub.example.org", "a.example", "198.51.100.1") HOP("a.example", "x", "192.0.2.1")
	  HOP("mx.example.org", "author.example", "198.51.100.9"), NULL, 0, "198.51.100.1", 3 },
	{ "a private address inside the peer is not inside us", HOP("mx.example.org", "a.example", "198.51.100.1")
	  HOP("a.example", "pc", "10.0.0.1") HOP("mx.example.org", "author.example", "198.51.100.9"), NULL, 0,
	  "198.51.100.1", 2 },
	{ "hops above ours are passed over", HOP("box.example", "mx.example.org", "192.0.2.1")
	  HOP("mx.example.org", "a.example", "198.51.100.1"), NULL, 1, "198.51.100.1", 1 },
};

static void the_peer_is_who_handed_the_newest_passage_to_us(void **state)
{
	struct arena a;
	char text[IP_TEXT_BYTES];
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct envelope e = { .rcpt_count = 0 };
		if (rows[i].client)
			assert_true(ip_parse(slice_from_str(rows[i].client), &e.client_ip));
		const struct facts *f = reader_from_peer(&a, slice_from_str(rows[i].header), &e);
		if (f->peer_hop != rows[i].peer_hop || f->own_visits != rows[i].visits ||
		    strcmp(ip_text(f->peer_ip, text), rows[i].peer_ip) != 0)
			fail_msg("%s: peer hop %zu, ip %s, visits %u", rows[i].what, f->peer_hop, text,
				 f->own_visits);
		arena_reset(&a);
	}
	arena_free(&a);
}

#define PICKUP(host) "Received: from mail pickup service by " host " with Microsoft SMTPSVC; x\n"
#define POP3(by) "Received: from pop.isp.example by " by " with POP3 (fetchmail); x\n"
#define ANN "From: Ann <ann@firm.example>\n"

static void only_a_third_partys_machine_is_marked(void **state)
{
	static const struct {
		const char *what, *header;
		bool is_marked;
	} marks[] = {
		{ "pickup by another organisation", PICKUP("srv.other.example") ANN, true },
		{ "pickup by the author's own", PICKUP("srv.firm.example") ANN, false },
		{ "pickup by an inner name of the author's own",
		  HOP("mx.x.example", "mail.firm.example", "198.51.100.1") PICKUP("srv.firm.local") ANN, false },
		{ "pickup by an inner name of another", HOP("mx.x.example", "mail.other.example", "198.51.100.1")
		  PICKUP("srv.other.local") ANN, true },
		{ "pickup by a bare name alone", PICKUP("SRV") ANN, false },
		{ "hotmail", PICKUP("hotmail.com") ANN, false },
		{ "msn", PICKUP("bay1.msn.com") ANN, false },
		{ "phx.gbl", PICKUP("oimail.phx.gbl") ANN, false },
		{ "our own pickup", PICKUP("mx.example.org") ANN, false },
		{ "nobody is the author", PICKUP("srv.other.example"), false },
		{ "pop3 at the top is how this mailbox was filled", POP3("box.other.example") ANN, false },
		{ "pop3, then by a local server", HOP("box.other.example", "localhost", "127.0.0.1")
		  POP3("box.other.example") ANN, false },
		{ "pop3, then sent on", HOP("mx.x.example", "box.other.example", "198.51.100.1")
		  POP3("box.other.example") ANN, true },
		{ "born by a script of a hoster", HOP("mx.x.example", "web.host.example", "198.51.100.1")
		  "Received: by web.host.example (Postfix, from userid 33) id 1; x\n" ANN, false },
		{ "received, then sent again by a local program", HOP("mx.x.example",
			"web.host.example", "198.51.100.1")
		  "Received: by web.host.example (Postfix, from userid 33) id 1; x\n"
		  HOP("web.host.example", "mail.firm.example", "198.51.100.2") ANN, true },
		{ "a list does that all day", HOP("mx.x.example", "web.host.example", "198.51.100.1")
		  "Received: by web.host.example (Postfix, from userid 33) id 1; x\n"
		  HOP("web.host.example", "mail.firm.example", "198.51.100.2") "List-Id: "
		  "<l.host.example>\n" ANN, false },
	};
	struct arena a;
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		const struct facts *f = reader_raw(&a, slice_from_str(marks[i].header), 0);
		if (!!(f->reinject_marks & REINJECT_PICKUP_FOREIGN) != marks[i].is_marked)
			fail_msg("%s: marks %x", marks[i].what, f->reinject_marks);
		arena_reset(&a);
	}
	arena_free(&a);
}

static const char e1[] =
	"Return-Path: <offers@lexpress-pub.example>\n"
	"Received: from mail.lexpress-pub.example (mail.lexpress-pub.example [192.0.2.25])\n"
	"\tby mx1.isp.example (Postfix) with ESMTP id 5F1A23; Tue,  6 Dec 2005 09:20:03 +0000 (GMT)\n"
	"From: \"Lexpress Publishing\" <offers@lexpress-pub.example>\n"
	"To: \"Reception\" <reception@harbourlaw.example>, <post@quayside.example>, "
	"<info@wharf.example>, <a@firm4.example>\n"
	"Subject: Conveyancing Handbook 2006 - early order price\n"
	"Date: Tue, 6 Dec 2005 09:19:58 -0000\n"
	"Message-ID: <001a01c5fa46$3b0f2c10$1e01a8c0@lexpress-pub.example>\n"
	"X-Mailer: Microsoft Office Outlook, Build 11.0.6353\n\nOrder now.\n";
static const char e2[] =
	"Received: from harbourlaw.example (dsl-7.isp.example [198.51.100.7])\n"
	"\tby mx.firm4.example with ESMTP id k6B9VF31; Tue, 6 Dec 2005 09:31:15 +0000\n"
	"Received: from mail pickup service by harbourlaw.example with Microsoft SMTPSVC;\n"
	"\t Tue, 6 Dec 2005 09:31:12 +0000\n"
	"From: \"Lexpress Publishing\" <offers@lexpress-pub.example>\n"
	"To: \"Reception\" <mspop3connector.reception@harbourlaw.example>,\n"
	"\t<post@quayside.example>, <info@wharf.example>, <a@firm4.example>\n"
	"Subject: Conveyancing Handbook 2006 - early order price\n"
	"Date: Tue, 6 Dec 2005 09:31:12 -0000\n"
	"Message-ID: <000301c5fa47$cc229e50$0210a8c0@harbourlaw.local>\n"
	"X-Mailer: Microsoft Office Outlook, Build 11.0.6353\n"
	"Content-Class: urn:content-classes:message\nImportance: normal\nPriority: normal\n"
	"X-MimeOLE: Produced By Microsoft MimeOLE V6.00.3790.181\n"
	"X-OriginalArrivalTime: 06 Dec 2005 09:31:12.0593 (UTC) FILETIME=[CC3A6C10:01C5FA47]\n\nOrder now.\n";
static const char e3[] =
	"Received: from mail.quayside.example ([203.0.113.40]) by mx.firm4.example with ESMTP; "
	"Tue, 6 Dec 2005 09:46:23 +0000\n"
	"Received: from mail pickup service by mail.quayside.example with Microsoft SMTPSVC; Tue, "
	"6 Dec 2005 09:46:20 +0000\n"
	"Received: from harbourlaw.example ([198.51.100.7]) by pop.isp2.example with ESMTP; Tue, "
	"6 Dec 2005 09:31:15 +0000\n"
	"Received: from mail pickup service by harbourlaw.example with Microsoft SMTPSVC; Tue, 6 "
	"Dec 2005 09:31:12 +0000\n"
	"From: \"Lexpress Publishing\" <offers@lexpress-pub.example>\n"
	"Subject: Conveyancing Handbook 2006 - early order price\n"
	"To: \"Reception\" <mspop3connector.reception@harbourlaw.example>, "
	"<mspop3connector.post@quayside.example>, "
	"<info@wharf.example>, <a@firm4.example>\n"
	"Message-ID: <000001c5fa49$e9265fd0$0200000a@quayside.local>\n"
	"X-OriginalArrivalTime: 06 Dec 2005 09:46:20.0296 (UTC) FILETIME=[E942E880:01C5FA49]\n\nOrder now.\n";
static const char e4[] =
	"Received: from mail pickup service by wharf.example with Microsoft SMTPSVC;\n\t Tue, 6 "
	"Dec 2005 10:02:42 +0000\n"
	"thread-index: AcX6TDJYejvhkFxNQviha+DSlHwx9Q==\n"
	"From: \"Ann Dev\" <ann@dev.example>\nCc: <talk@lists.example>\n"
	"To: <unlisted-recipients:>, <no To-header on input>,\n"
	"\t\"IMB Recipient 1\" <mspop3connector.info@wharf.example>\n"
	"Message-ID: <000501c5fa4c$3258b520$0a01a8c0@wharf.local>\n"
	"References: <20051206.1@dev.example>\nUser-Agent: Mutt/1.4.2.1i\n"
	"X-Mailer: Microsoft CDO for Exchange 2000\nSender: <talk-owner@lists.example>\n"
	"X-Mailing-List: talk@lists.example\n"
	"X-OriginalArrivalTime: 06 Dec 2005 10:02:42.0093 (UTC) FILETIME=[32753DD0:01C5FA4C]\n\nhi\n";
static const char e5[] =
	"Received: from box.reader.example by mx.lists.example with ESMTP; Tue, 6 Dec 2005 11:00:00 +0000\n"
	"From: Bob <bob@reader.example>\n"
	"Cc: IMB Recipient 1 <mspop3connector.info@wharf.example>, talk@lists.example\n"
	"Message-ID: <4395.7080@reader.example>\n"
	"References: <20051206.1@dev.example> <000501c5fa4c$3258b520$0a01a8c0@wharf.local>\n"
	"User-Agent: Thunderbird 1.5\n\nWhat is this?\n";

enum {
	R1 = REINJECT_POP3_PREFIX,
	R1_NAME = REINJECT_IMB_RECIPIENT,
	R2 = REINJECT_PICKUP_FOREIGN,
	R3 = REINJECT_MSID_MINTED,
	R6 = REINJECT_GROUP_DEBRIS,
};

static void the_blocks_of_the_report_carry_the_marks_it_names(void **state)
{
	static const struct {
		const char *mail;
		unsigned marks;
		const char *domain, *pickup_host, *lan_ip, *root;
	} blocks[] = {
		{ e1, 0, "", "", "192.168.1.30", "001a01c5fa46$3b0f2c10$1e01a8c0@lexpress-pub.example" },
		{ e2, R1 | R2 | R3, "harbourlaw.example", "harbourlaw.example", "192.168.16.2",
		  "000301c5fa47$cc229e50$0210a8c0@harbourlaw.local" },
		{ e3, R1 | R2 | R3, "quayside.example", "harbourlaw.example", "10.0.0.2",
		  "000001c5fa49$e9265fd0$0200000a@quayside.local" },
		{ e4, R1 | R1_NAME | R2 | R3 | R6, "wharf.example", "wharf.example", "192.168.1.10",
		  "20051206.1@dev.example" },
		{ e5, R1, "wharf.example", "", "unknown", "20051206.1@dev.example" },
	};
	struct arena a;
	char text[IP_TEXT_BYTES];
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		const struct facts *f = reader_raw(&a, slice_from_str(blocks[i].mail), 0);
		if (f->reinject_marks != blocks[i].marks)
			fail_msg("E%zu: marks %x, wanted %x", i + 1, f->reinject_marks, blocks[i].marks);
		assert_slice(f->connector.domain, blocks[i].domain);
		assert_slice(f->pickup_host, blocks[i].pickup_host);
		assert_string_equal(ip_text(f->ms_id.lan_ip, text), blocks[i].lan_ip);
		assert_slice(f->thread_root, blocks[i].root);
		assert_int_equal(f->connector.is_in_to, i >= 1 && i <= 3);
		arena_reset(&a);
	}
	arena_free(&a);
}

static void a_pass_of_the_connector_keeps_content_and_instance(void **state)
{
	struct arena a, b;
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	arena_init(&b, FACTS_ARENA_BYTES_MAX);
	const struct facts *first = reader_raw(&a, slice_from_str(e1), 0);
	const char *const copies[] = { e2, e3 };
	for (size_t i = 0; i < 2; i++) {
		const struct facts *copy = reader_raw(&b, slice_from_str(copies[i]), 0);
		assert_memory_equal(first->content, copy->content, DIGEST_SHORT_BYTES);
		assert_memory_equal(first->instance, copy->instance, DIGEST_SHORT_BYTES);
		arena_reset(&b);
	}
	const struct facts *other = reader_raw(&b, slice_from_str(e4), 0);
	assert_memory_not_equal(first->content, other->content, DIGEST_SHORT_BYTES);
	arena_free(&a);
	arena_free(&b);
}

static void our_authentication_results_count_only_above_the_border(void **state)
{
#define AR(text) "Authentication-Results: mx.example.org; " text "\n"
#define IN HOP("mx.example.org", "a.example", "198.51.100.1")
	static const struct {
		const char *header;
		bool is_spf, is_dkim;
	} results[] = {
		{ AR("spf=pass smtp.mailfrom=bounce@mail.firm.example") IN ANN, true, false },
		{ AR("dkim=pass (2048-bit key) header.d=firm.example header.b=x") IN ANN, false, true },
		{ AR("dkim=pass header.i=@news.firm.example; spf=fail "
		  "smtp.mailfrom=x@firm.example") IN ANN, false, true },
		{ AR("dkim=pass header.d=other.example") IN ANN, false, false },
		{ AR("dkim=fail header.d=firm.example") IN ANN, false, false },
		{ IN AR("dkim=pass header.d=firm.example") ANN, false, false }, /* came along with the copy */
		{ "Authentication-Results: evil.example; dkim=pass header.d=firm.example\n" IN ANN, false, false },
	};
	struct arena a;
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
		const struct facts *f = reader_raw(&a, slice_from_str(results[i].header), 0);
		if (f->is_spf_aligned != results[i].is_spf || f->is_dkim_aligned != results[i].is_dkim)
			fail_msg("row %zu: spf %d dkim %d", i, f->is_spf_aligned, f->is_dkim_aligned);
		arena_reset(&a);
	}
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_is_who_handed_the_newest_passage_to_us),
		cmocka_unit_test(only_a_third_partys_machine_is_marked),
		cmocka_unit_test(the_blocks_of_the_report_carry_the_marks_it_names),
		cmocka_unit_test(a_pass_of_the_connector_keeps_content_and_instance),
		cmocka_unit_test(our_authentication_results_count_only_above_the_border),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
