/* SPDX-License-Identifier: Apache-2.0
 *
 * What the connector takes from a header, and what a hostile one cannot make it take.
 */
#include "../unit.h"

#include "fetch/inspect.h"

#include <stdlib.h>

static const uint8_t key[HASH_KEY_BYTES] = "the key of the stamps";
static const char *const hosts[] = { "mx.isp.example", "pop.isp.example" };

struct looked {
	struct inspection i;
	uint8_t print[LEDGER_PRINT_BYTES];
};

static struct looked look_slice(const char *envelope_header, struct slice header, struct slice body)
{
	struct inspect_setup setup = { .envelope_header = envelope_header, .our_host = "quell.firm.example",
				       .stamp_key = key };
	setup.isp_hosts.items = hosts;
	setup.isp_hosts.count = 2;
	struct looked looked;
	struct digest digest;
	digest_init(&digest, NULL, LEDGER_PRINT_BYTES);
	inspect_header(&setup, header, &digest, &looked.i);
	digest_add(&digest, body);
	digest_end(&digest, looked.print);
	return looked;
}

static struct looked look(const char *header)
{
	return look_slice("X-Original-To", slice_from_str(header), SLICE("body\r\n"));
}

#define TO_ANNA "X-Original-To: anna@firm.example\r\n"
#define TO_EVIL "X-Original-To: evil@firm.example\r\n"
#define BY_ISP \
	"Received: from out.example ([192.0.2.1]) by mx.isp.example with ESMTP id 1; Tue, 1 Jan 2008 00:00:00 +0000\r\n"
#define BY_POP \
	"Received: from mx.isp.example ([192.0.2.2]) " \
	"by pop.isp.example with LMTP id 2; Tue, 1 Jan 2008 00:00:00 +0000\r\n"
#define BY_OUT "Received: from pc ([192.0.2.3]) by out.example with SMTP id 3; Tue, 1 Jan 2008 00:00:00 +0000\r\n"
#define BY_OURS \
	"Received: from pc ([192.0.2.3]) by quell.firm.example with SMTP id 3; Tue, 1 Jan 2008 00:00:00 +0000\r\n"
#define REST "From: x@out.example\r\nTo: anna@firm.example\r\nSubject: s\r\n"

static void the_envelope_header_counts_where_only_the_provider_can_have_written_it(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		enum envelope_found found;
		const char *address;
	} rows[] = {
		{ TO_ANNA BY_ISP BY_OUT REST, ENVELOPE_ONE, "anna@firm.example" },
		{ BY_ISP TO_ANNA BY_OUT REST, ENVELOPE_ONE, "anna@firm.example" },
		{ BY_POP BY_ISP TO_ANNA BY_OUT REST, ENVELOPE_ONE, "anna@firm.example" },
		{ "Return-Path: <x@out.example>\r\n" TO_ANNA REST, ENVELOPE_ONE, "anna@firm.example" },
		{ TO_ANNA, ENVELOPE_ONE, "anna@firm.example" },
		{ "x-original-TO:<anna@firm.example>\r\n", ENVELOPE_ONE, "anna@firm.example" },
		{ "X-Original-To :\t < anna@firm.example > \r\n", ENVELOPE_ONE, "anna@firm.example" },
		{ "X-Original-To:\r\n anna@firm.example\r\n", ENVELOPE_ONE, "anna@firm.example" },
		{ "X-Original-To: anna@firm.example\r\n \r\n", ENVELOPE_ONE, "anna@firm.example" },
		{ "X-Original-To: ANNA@Firm.Example\r\n", ENVELOPE_ONE, "ANNA@Firm.Example" },
		/* The topmost; a forged one below says nothing. */
		{ TO_ANNA TO_EVIL BY_ISP REST, ENVELOPE_ONE, "anna@firm.example" },
		{ TO_ANNA BY_ISP BY_OUT TO_EVIL REST, ENVELOPE_ONE, "anna@firm.example" },
		{ BY_ISP BY_OUT TO_ANNA REST, ENVELOPE_NONE, "" },
		{ BY_OUT TO_ANNA BY_ISP REST, ENVELOPE_NONE, "" },
		{ BY_OURS TO_ANNA REST, ENVELOPE_NONE, "" },
		{ "Received: nonsense\r\n" TO_ANNA, ENVELOPE_NONE, "" },
		{ "Received:\r\n" TO_ANNA, ENVELOPE_NONE, "" },
		{ "Received: by mx.isp.example.evil.example\r\n" TO_ANNA, ENVELOPE_NONE, "" },
		{ "Received: from x (by mx.isp.example) by evil.example; x\r\n" TO_ANNA, ENVELOPE_NONE, "" },
		{ BY_ISP BY_OUT REST, ENVELOPE_NONE, "" },
		{ REST, ENVELOPE_NONE, "" },
		{ "", ENVELOPE_NONE, "" },
		/* Never from anything else. */
		{ "Delivered-To: anna@firm.example\r\nResent-To: anna@firm.example\r\n" REST, ENVELOPE_NONE, "" },
		{ "Received: from x by mx.isp.example for <anna@firm.example>; x\r\n", ENVELOPE_NONE, "" },
		{ "X-Original-To-2: anna@firm.example\r\n", ENVELOPE_NONE, "" },
		{ " " TO_ANNA, ENVELOPE_NONE, "" },
		{ "\r\n" TO_ANNA, ENVELOPE_NONE, "" },
		{ "Subject: s\n\n" TO_ANNA, ENVELOPE_NONE, "" },
		/* More than one, or none to be read: and no second look below. */
		{ "X-Original-To: anna@firm.example, bert@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: <anna@firm.example>,<bert@firm.example>\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna@firm.example bert@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna@firm.example;\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna@firm.example\r\n bert@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna@firm.example@evil.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: Anna <anna@firm.example>\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna@firm.example (Anna)\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: (x) anna@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: \"anna\"@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: \"a b\"@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: @relay.example:anna@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: group:anna@firm.example;\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: <<anna@firm.example>>\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: <anna@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: @\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: <>\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To:\r\n" TO_ANNA, ENVELOPE_MANY, "" },
		{ "X-Original-To: ann\x01@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: ann\xc3\xa4@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna@[192.0.2.1]\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: *@firm.example\r\n", ENVELOPE_MANY, "" },
		{ "X-Original-To: anna\r@firm.example\r\n", ENVELOPE_MANY, "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct looked l = look(rows[i].header);
		if (l.i.envelope != rows[i].found || strcmp(l.i.address, rows[i].address) != 0)
			fail_msg("row %zu: found %d \"%s\"", i, (int)l.i.envelope, l.i.address);
	}
}

static void a_nul_ends_no_address(void **state)
{
	(void)state;
	struct looked l = look_slice("X-Original-To", SLICE("X-Original-To: anna@firm.example\0.evil\r\n"), SLICE(""));
	assert_int_equal(l.i.envelope, ENVELOPE_MANY);
	l = look_slice("X-Original-To", SLICE("Return-Path: <a@b.example\0x>\r\n"), SLICE(""));
	assert_string_equal(l.i.return_path, "");
}

static void an_account_with_an_owner_reads_no_envelope(void **state)
{
	(void)state;
	struct looked l = look_slice("", SLICE(TO_ANNA ": x@y.example\r\n"), SLICE(""));
	assert_int_equal(l.i.envelope, ENVELOPE_NONE);
	assert_string_equal(l.i.address, "");
}

static void a_return_path_is_one_plain_address_or_null(void **state)
{
	(void)state;
	static const struct {
		const char *value, *path;
	} rows[] = {
		{ "<x@out.example>", "x@out.example" }, { "x@out.example", "x@out.example" },
		{ "\r\n <x@out.example>", "x@out.example" },
		{ "<prvs=1a=b/c+d@out.example>", "prvs=1a=b/c+d@out.example" },
		{ "<-x@out.example>", "-x@out.example" },
		{ "<a%b!c@out.example>", "a%b!c@out.example" },
		{ "<>", "" }, { "", "" }, { "<MAILER-DAEMON>", "" }, { "<@>", "" }, { "<a@>", "" }, { "<@b>", "" },
		{ "<a..b@out.example>", "" }, { "<.a@out.example>", "" }, { "<a.@out.example>", "" },
		{ "<a@.example>", "" }, { "<a@b..example>", "" }, { "<a@b@c>", "" }, { "<a b@c>", "" },
		{ "<a@b> <c@d>", "" }, { "<a@b>,<c@d>", "" }, { "<\"a b\"@c.example>", "" }, { "<a@b> SIZE=1", "" },
		{ "<@r.example:a@b>", "" }, { "<a\x01@b>", "" }, { "<a\x7f@b>", "" }, { "<\xc3\xa9@b.example>", "" },
		{ "<a@b.example>\r\n RCPT TO:<c@d>", "" }, { "<a@b\r\n .example>", "" }, { "<a@b\r.example>", "" },
		{ "<a\\b@c>", "" }, { "<a@[192.0.2.1]>", "" },
	};
	char header[256];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(header, sizeof header, "Return-Path: %s\r\nReturn-Path: <second@out.example>\r\n",
				rows[i].value);
		struct looked l = look(header);
		if (strcmp(l.i.return_path, rows[i].path) != 0)
			fail_msg("row %zu: \"%s\"", i, l.i.return_path);
	}
}

static void lengths_are_held_to(void **state)
{
	(void)state;
	char header[2000], local[400], domain[400];
	for (int n = 60; n < 70; n++) {
		memset(local, 'a', sizeof local);
		snprintf(header, sizeof header, "Return-Path: <%.*s@b.example>\r\n", n, local);
		assert_int_equal(strlen(look(header).i.return_path), n <= 64 ? n + 10 : 0);
	}
	for (int n = 250; n < 330; n++) {
		memset(domain, 'd', sizeof domain);
		snprintf(header, sizeof header, "Return-Path: <a@%.*s>\r\nX-Original-To: a@%.*s\r\n", n, domain, n,
				domain);
		struct looked l = look(header);
		assert_int_equal(strlen(l.i.return_path), n <= 255 ? n + 2 : 0);
		assert_int_equal(l.i.envelope, n + 2 <= 254 ? ENVELOPE_ONE : ENVELOPE_MANY);
	}
}

static void received_fields_are_counted_and_ours_apart(void **state)
{
	(void)state;
	struct looked l = look(BY_POP BY_OURS BY_ISP BY_OURS BY_OUT REST);
	assert_int_equal(l.i.received, 5);
	assert_int_equal(l.i.received_ours, 2);
	assert_int_equal(look(REST).i.received, 0);
}

static void ten_thousand_received_fields_are_only_many(void **state)
{
	(void)state;
	enum { COUNT = 10000 };
	size_t len = 0, room = COUNT * 40 + 200;
	char *header = malloc(room);
	assert_non_null(header);
	for (int i = 0; i < COUNT; i++)
		len += (size_t)snprintf(header + len, room - len, "Received: from a by %s.x; Tue\r\n",
				i % 2 ? "b" : "c");
	len += (size_t)snprintf(header + len, room - len, "%sReturn-Path: <last@out.example>\r\n", TO_ANNA);
	struct looked l = look_slice("X-Original-To", slice_make(header, len), SLICE(""));
	assert_int_equal(l.i.received, COUNT);
	assert_int_equal(l.i.envelope, ENVELOPE_NONE);
	assert_string_equal(l.i.return_path, "last@out.example"); /* even the last field is seen */
	free(header);
}

static bool is_same_mail(const char *a, const char *b)
{
	struct looked x = look(a), y = look(b);
	bool is_same = memcmp(x.print, y.print, sizeof x.print) == 0;
	assert_int_equal(is_same, memcmp(x.i.top, y.i.top, sizeof x.i.top) == 0);
	return is_same;
}

static void what_servers_change_does_not_change_the_mail_and_all_else_does(void **state)
{
	(void)state;
	static const char *const same[] = {
		"Status: RO\r\n" REST, REST "X-UIDL: 123\r\nX-UID: 5\r\nX-IMAPbase: 1 2\r\n",
		"Content-Length: 5\r\nLines: 1\r\n" REST "x-status: A\r\nX-KEYWORDS:\r\n",
		REST "X-Mozilla-Status: 0001\r\nX-Mozilla-Status2: 00000000\r\nX-IMAP: 1\r\n",
		"From x@out.example Tue Jan  1 00:00:00 2008\r\n" REST,
		"From: \tx@out.example \r\nTo: anna@firm.example\r\nSubject: s\r\n",
	};
	static const char *const other[] = {
		"", REST REST, REST "X-Other: 1\r\n", BY_ISP REST, "Statu: RO\r\n" REST,
		"From: x@out.example\r\nTo: anna@firm.example\r\nSubject: t\r\n",
		"From: x@out.example\r\nSubject: s\r\nTo: anna@firm.example\r\n",
		"From: x@out.example\r\nTo: anna@firm.example\r\nSubject: s \r\n x\r\n",
		REST "a line that is no field\r\n", REST "another line that is no field\r\n",
	};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		if (!is_same_mail(REST, same[i]))
			fail_msg("same %zu", i);
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		if (is_same_mail(REST, other[i]))
			fail_msg("other %zu", i);
		for (size_t k = 0; k < i; k++)
			if (is_same_mail(other[k], other[i]))
				fail_msg("other %zu and %zu", k, i);
	}
}

static void every_byte_of_a_header_is_in_the_print(void **state)
{
	(void)state;
	/* A field far longer than any limit on lines, and text below a bare-LF empty line. */
	enum { LONG = 300 * 1024 };
	char *a = malloc(LONG + 100), *b;
	assert_non_null(a);
	size_t len = (size_t)snprintf(a, LONG, "To: ");
	for (; len < LONG; len++)
		a[len] = len % 70 == 0 ? ',' : 'x';
	len += (size_t)snprintf(a + len, 100, "y\r\nSubject: s\r\n");
	b = malloc(len);
	assert_non_null(b);
	memcpy(b, a, len);
	b[LONG - 1] = 'z';
	struct looked x = look_slice("", slice_make(a, len), SLICE(""));
	struct looked y = look_slice("", slice_make(b, len), SLICE(""));
	assert_memory_not_equal(x.print, y.print, sizeof x.print);
	x = look_slice("", SLICE("Subject: s\n\none\r\n"), SLICE("body"));
	y = look_slice("", SLICE("Subject: s\n\ntwo\r\n"), SLICE("body"));
	assert_memory_not_equal(x.print, y.print, sizeof x.print);
	assert_memory_equal(x.i.top, y.i.top, sizeof x.i.top);
	free(a);
	free(b);
}

static void the_body_is_in_the_print_and_not_in_the_top(void **state)
{
	(void)state;
	struct looked a = look_slice("", SLICE(REST), SLICE("one")), b = look_slice("", SLICE(REST), SLICE("two"));
	assert_memory_equal(a.i.top, b.i.top, sizeof a.i.top);
	assert_memory_not_equal(a.print, b.print, sizeof a.print);
}

static void the_mark_of_the_faulty_connector_is_seen_in_to_and_cc_only(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		bool is_marked;
	} rows[] = {
		{ "To: mspop3connector.anna@firm.example\r\n", true }, { "Cc: x, MSPOP3Connector.a@b\r\n", true },
		{ "To: \"IMB Recipient 1\" <a@b>\r\n", true }, { "cC: imb recipient 12 <a@b>\r\n", true },
		{ "To: x@y,\r\n \"IMB Recipient 2\" <a@b>\r\n", true },
		{ "From: mspop3connector.anna@firm.example\r\n", false }, { "Subject: IMB Recipient 1\r\n", false },
		{ "To: pop3connector.a@b\r\n", false }, { "To: IMBRecipient 1\r\n", false }, { REST, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(look(rows[i].header).i.is_marked, rows[i].is_marked);
}

static struct ledger_row stamped_row(void)
{
	struct ledger_row row = { .id = 4711, .account = "firm" };
	memset(row.print, 0xab, sizeof row.print);
	return row;
}

static void a_stamp_of_ours_is_known_and_no_other(void **state)
{
	(void)state;
	char stamp[STAMP_BYTES], search[STAMP_BYTES], header[1000];
	struct ledger_row row = stamped_row();
	static const uint8_t other_key[HASH_KEY_BYTES] = "another key";
	stamp_make(key, "quell-0123", &row, stamp);
	stamp_search("quell-0123", &row, search);
	assert_int_equal(strncmp(stamp, search, strlen(search)), 0);
	assert_string_equal(search, "i=quell-0123; a=firm; n=4711;");
	assert_true(stamp_is_ours(key, slice_from_str(stamp)));
	assert_false(stamp_is_ours(other_key, slice_from_str(stamp)));
	snprintf(header, sizeof header, REST "x-quell-fetch:   %s\r\n", stamp);
	assert_true(look(header).i.is_stamped);
	snprintf(header, sizeof header, REST "X-Quell-Fetch: forged\r\nX-Quell-Fetch: %s\r\n", stamp);
	assert_true(look(header).i.is_stamped);
	snprintf(header, sizeof header, REST "X-Other: %s\r\n", stamp);
	assert_false(look(header).i.is_stamped);
	/* Every byte counts. */
	for (size_t i = 0; i < strlen(stamp); i++) {
		char changed[STAMP_BYTES];
		memcpy(changed, stamp, sizeof changed);
		changed[i] ^= 1;
		assert_false(stamp_is_ours(key, slice_from_str(changed)));
		assert_false(stamp_is_ours(key, slice_make(stamp, i)));
	}
	assert_false(stamp_is_ours(key, SLICE("")));
	assert_false(stamp_is_ours(key, SLICE("; k=")));
	assert_false(stamp_is_ours(key, SLICE("; k=000000000000000000000000")));
}

static void a_stamp_that_was_folded_on_its_way_is_still_ours(void **state)
{
	(void)state;
	char stamp[STAMP_BYTES], folded[2 * STAMP_BYTES], header[1000];
	struct ledger_row row = stamped_row();
	stamp_make(key, "quell-0123", &row, stamp);
	for (size_t i = 0; i < strlen(stamp); i++) {
		if (stamp[i] != ' ')
			continue;
		snprintf(folded, sizeof folded, "%.*s\r\n\t%s", (int)i, stamp, stamp + i + 1);
		assert_true(stamp_is_ours(key, slice_from_str(folded)));
		snprintf(header, sizeof header, "X-Quell-Fetch:\r\n %s\r\n" REST, folded);
		assert_true(look(header).i.is_stamped);
	}
	char blanks[1000];
	memset(blanks, ' ', sizeof blanks);
	assert_false(stamp_is_ours(key, slice_make(blanks, sizeof blanks)));
	memset(blanks, 'x', sizeof blanks);
	assert_false(stamp_is_ours(key, slice_make(blanks, sizeof blanks)));
}

static void the_longest_names_still_make_a_whole_stamp(void **state)
{
	(void)state;
	char stamp[STAMP_BYTES], instance[200];
	struct ledger_row row = { .id = INT64_MIN };
	memset(row.account, 'a', sizeof row.account - 1);
	memset(instance, 'i', sizeof instance - 1);
	instance[sizeof instance - 1] = '\0';
	stamp_make(key, instance, &row, stamp);
	assert_true(stamp_is_ours(key, slice_from_str(stamp)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_envelope_header_counts_where_only_the_provider_can_have_written_it),
		cmocka_unit_test(a_nul_ends_no_address),
		cmocka_unit_test(an_account_with_an_owner_reads_no_envelope),
		cmocka_unit_test(a_return_path_is_one_plain_address_or_null),
		cmocka_unit_test(lengths_are_held_to),
		cmocka_unit_test(received_fields_are_counted_and_ours_apart),
		cmocka_unit_test(ten_thousand_received_fields_are_only_many),
		cmocka_unit_test(what_servers_change_does_not_change_the_mail_and_all_else_does),
		cmocka_unit_test(every_byte_of_a_header_is_in_the_print),
		cmocka_unit_test(the_body_is_in_the_print_and_not_in_the_top),
		cmocka_unit_test(the_mark_of_the_faulty_connector_is_seen_in_to_and_cc_only),
		cmocka_unit_test(a_stamp_of_ours_is_known_and_no_other),
		cmocka_unit_test(a_stamp_that_was_folded_on_its_way_is_still_ours),
		cmocka_unit_test(the_longest_names_still_make_a_whole_stamp),
	};
	return hash_start() ? cmocka_run_group_tests_name("fetch inspect", tests, NULL, NULL) : 1;
}
