/* SPDX-License-Identifier: Apache-2.0
 *
 * Received dialects.
 */
#include "unit.h"

#include "mail/received.h"

static const char *const kinds[] = { "smtp", "pickup", "pop3", "local" };

static const struct {
	const char *value;
	const char *hop; /* by|helo|name|ip|with|id|for|kind */
	int64_t time_ms; /* 0: not compared */
} rows[] = {
	{ "from mail.a.example (mail.a.example [192.0.2.25])\n\tby mx1.isp.example (Postfix) with ESMTP id 5F1A23\n"
	  "\tfor <bob@isp.example>; Mon, 18 Jul 2005 19:00:26 +0000 (GMT)",
	  "mx1.isp.example|mail.a.example|mail.a.example|192.0.2.25|ESMTP|5F1A23|bob@isp.example|smtp",
	  1121713226000 },
	{ "from mail pickup service by Lexbox.FR with Microsoft SMTPSVC;\n\t Mon, 18 Jul 2005 21:00:26 +0200",
	  "lexbox.fr|||unknown|Microsoft SMTPSVC|||pickup", 1121713226000 },
	{ "from laf31.fbx.proxad.net ([IPv6:::ffff:82.235.130.100]:52193\n\t\"EHLO lexbox.fr\") by linux-mips.org "
	  "with ESMTP id <S8226842AbVGRS75>;\n\tMon, 18 Jul 2005 20:00:26 +0100",
	  "linux-mips.org|lexbox.fr|laf31.fbx.proxad.net|82.235.130.100|ESMTP|S8226842AbVGRS75||smtp",
	  1121713226000 },
	{ "with ECARTIS (v1.0.0; list linux-mips); Mon, 18 Jul 2005 20:00:26 +0100 (BST)",
	  "|||unknown|ECARTIS|||local", 1121713226000 },
	{ "(majordomo@vger.kernel.org) by vger.kernel.org via listexpand\n\tid S1 (ORCPT <rfc822;w@o.org>);\n"
	  "\tMon, 18 Jul 2005 15:00:26 -0400", "vger.kernel.org|||unknown||S1||local", 1121713226000 },
	{ "from ba3pi (pcp01.comcast.net[69.243.71.130])\n by comcast.net (rwcrmhc12) with SMTP\n id <2005h3e>; x",
	  "comcast.net|ba3pi|pcp01.comcast.net|69.243.71.130|SMTP|2005h3e||smtp", 0 },
	{ "from [192.0.2.9] (helo=pc.example) by mx.example with esmtp (Exim 4.50) id 1DuaXa-0001-2J for a@b.c; x",
	  "mx.example|pc.example||192.0.2.9|esmtp|1DuaXa-0001-2J|a@b.c|smtp", 0 },
	{ "from dsl.example ([192.0.2.9]:1234 helo=[10.0.0.1]) by mx.example with esmtp (Exim) id 1; x",
	  "mx.example|10.0.0.1|dsl.example|192.0.2.9|esmtp|1||smtp", 0 },
	{ "from bob by mx.example with local (Exim 3.36 #1) id 1; x", "mx.example|bob||unknown|local|1||local", 0 },
	{ "(qmail 1234 invoked by uid 500); 18 Jul 2005 19:00:26 -0000", "|||unknown||||local", 1121713226000 },
	{ "from unknown (HELO pc) (192.0.2.9)\n  by mx.example with SMTP; 18 Jul 2005 19:00:26 -0000",
	  "mx.example|pc||192.0.2.9|SMTP|||smtp", 1121713226000 },
	{ "from mail.a.example (HELO x.example) (user@192.0.2.9) by 0 with SMTP; x",
	  "0|x.example|mail.a.example|192.0.2.9|SMTP|||smtp", 0 },
	{ "(from root@localhost)\n\tby host.example (8.12.8/8.12.8/Submit) id h1;\n\tMon, 18 Jul 2005 19:00:26 GMT",
	  "host.example|||unknown||h1||local", 1121713226000 },
	{ "from helo.example (IDENT:root@ptr.example [192.0.2.9] (may be forged)) by mx.example (8.9.3/8.9.3) with "
	  "ESMTP id A1 for <a@b.c>; x", "mx.example|helo.example|ptr.example|192.0.2.9|ESMTP|A1|a@b.c|smtp", 0 },
	{ "from EX1.corp.example (10.1.1.1) by EX2.corp.example (10.1.1.2) with Microsoft SMTP Server (TLS) id "
	  "14.3.1; x", "ex2.corp.example|ex1.corp.example||10.1.1.1|Microsoft SMTP Server|14.3.1||smtp", 0 },
	{ "from relay.example ([192.0.2.9]) by mx.example with Microsoft SMTPSVC(6.0.3790.211); x",
	  "mx.example|relay.example||192.0.2.9|Microsoft SMTPSVC|||smtp", 0 },
	{ "from EX1 ([fe80::1]) by EX1.example ([fe80::1%12]) with mapi id 15.1; x",
	  "ex1.example|ex1||fe80::1|mapi|15.1||smtp", 0 },
	{ "from pop.isp.example [192.0.2.9]\n\tby localhost with POP3 (fetchmail-5.9.0)\n\tfor bob@localhost "
	  "(single-drop); x", "localhost|pop.isp.example||192.0.2.9|POP3||bob@localhost|pop3", 0 },
	{ "from imap.example by box.example with IMAP4 (fetchmail); x",
		"box.example|imap.example||unknown|IMAP4|||pop3", 0 },
	{ "from x.example ([192.0.2.9]) by d.example (Lotus Domino Release 5.0.8) with SMTP id 20020:1234 ; x",
	  "d.example|x.example||192.0.2.9|SMTP|20020:1234||smtp", 0 },
	{ "from [192.0.2.9] by web1.mail.example via HTTP; x",
		"web1.mail.example|192.0.2.9||192.0.2.9||||smtp", 0 },
	{ "from [10.0.0.5] (ptr.example [192.0.2.9]) by mx.example; x",
		"mx.example|10.0.0.5|ptr.example|192.0.2.9||||smtp", 0 },
	{ "by 10.1.2.3 with SMTP id xx; x", "10.1.2.3|||unknown|SMTP|xx||local", 0 },
	{ "by lists.example (Postfix, from userid 1001)\n\tid 5; x", "lists.example|||unknown||5||local", 0 },
	{ "from foo (bar.example [::ffff:192.0.2.9]) by host.example. with esmtp; x",
	  "host.example|foo|bar.example|192.0.2.9|esmtp|||smtp", 0 },
	{ "from a.example[192.0.2.9] by b.example[192.0.2.8]; x", "b.example|a.example||192.0.2.9||||smtp", 0 },
	{ "FROM A.EXAMPLE BY B.EXAMPLE WITH SMTP ID X", "b.example|a.example||unknown|SMTP|X||smtp", 0 },
	{ "from a.example (unknown [192.0.2.9])\r\n\tby b.example; x",
		"b.example|a.example||192.0.2.9||||smtp", 0 },
	{ "from localhost (localhost [127.0.0.1]) by mx.example (amavisd-new, port 10024) with ESMTP id 1; x",
	  "mx.example|localhost||127.0.0.1|ESMTP|1||smtp", 0 },
	{ "from pc (unknown [192.0.2.9]); by mx.example with SMTP\n\tid 8; for <a@b.c>; "
	  "Mon, 18 Jul 2005 19:00:26 +0000", "mx.example|pc||192.0.2.9|SMTP|8|a@b.c|smtp", 1121713226000 },
	{ "from pc ([192.0.2.9]) by mx.example with ESMTP id 0rI0 Mon, 18 Jul 2005 12:00:26 -0700 (PDT)",
	  "mx.example|pc||192.0.2.9|ESMTP|0rI0||smtp", 1121713226000 },
	{ "from unknown (HELO ?10.0.0.1?) (x@y.example@192.0.2.9) by 0 with SMTP; x",
	  "0|10.0.0.1||192.0.2.9|SMTP|||smtp", 0 },
	{ "from unknown (192.0.2.9) by mx.example; x", "mx.example|||192.0.2.9||||smtp", 0 },
	{ "", "|||unknown||||local", 0 },
	{ "((((((((", "|||unknown||||local", 0 },
	{ "from", "|||unknown||||local", 0 },
	{ ";;;;", "|||unknown||||local", 0 },
};

static void every_dialect_gives_its_hop(void **state)
{
	struct arena arena;
	char ip[IP_TEXT_BYTES], out[512];
	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct hop h;
		bool is_known = received_parse(&arena, slice_from_str(rows[i].value), &h);
		snprintf(out, sizeof out, "%.*s|%.*s|%.*s|%s|%.*s|%.*s|%.*s|%s", SLICE_ARG(h.by),
			 SLICE_ARG(h.from_helo), SLICE_ARG(h.from_name), ip_text(h.from_ip, ip),
			 SLICE_ARG(h.with), SLICE_ARG(h.id), SLICE_ARG(h.for_addr), kinds[h.kind]);
		if (strcmp(out, rows[i].hop) != 0)
			fail_msg("row %zu: got    %s\nwanted %s", i, out, rows[i].hop);
		assert_int_equal(is_known, rows[i].hop[0] != '|');
		if (rows[i].time_ms)
			assert_int_equal(h.time_ms, rows[i].time_ms);
		arena_reset(&arena);
	}
	arena_free(&arena);
}

static void no_prefix_of_a_line_reads_past_its_end(void **state)
{
	struct arena arena;
	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t len = 0; len < strlen(rows[i].value); len++) {
			struct hop h;
			char *copy = test_malloc(len + 1);
			memcpy(copy, rows[i].value, len);
			received_parse(&arena, slice_make(copy, len), &h);
			assert_true(h.by.len + h.from_helo.len <= len);
			test_free(copy);
			arena_reset(&arena);
		}
	arena_free(&arena);
}

static void without_memory_the_hop_is_empty(void **state)
{
	struct arena arena;
	struct hop h;
	(void)state;
	arena_init(&arena, 0);
	assert_false(received_parse(&arena, SLICE("from a.example by b.example; x"), &h));
	assert_int_equal(h.by.len, 0);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_dialect_gives_its_hop),
		cmocka_unit_test(no_prefix_of_a_line_reads_past_its_end),
		cmocka_unit_test(without_memory_the_hop_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
