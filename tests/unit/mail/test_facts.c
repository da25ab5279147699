/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder: fields to facts, and what the fingerprint sees and does not see.
 */
#include "unit.h"

#include "base/mem.h"
#include "mail/received.h"
#include "reader.h"

static struct arena arena_a, arena_b;

static const struct facts *read_a(const char *mail)
{
	arena_reset(&arena_a);
	return reader_raw(&arena_a, slice_from_str(mail), 0);
}

static const struct facts *read_b(const char *mail)
{
	arena_reset(&arena_b);
	return reader_raw(&arena_b, slice_from_str(mail), 0);
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena_a, FACTS_ARENA_BYTES_MAX);
	arena_init(&arena_b, FACTS_ARENA_BYTES_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena_a);
	arena_free(&arena_b);
	return 0;
}

static const char full[] =
	"X-Quell-Trace: 1; k=a; t=1\r\n"
	"Received: from a.example ([198.51.100.1]) by mx.example.org with ESMTP id 1; Mon, 18 Jul "
	"2005 19:00:26 +0000\r\n"
	"X-Quell-Trace: 1; k=b;\r\n\tt=2\r\n"
	"DKIM-Signature: v=1; bh=zzz; b=AB\r\n\tCD EF; d=a.example\r\n"
	"DomainKey-Signature: b=second\r\n"
	"Received: by a.example (Postfix, from userid 0); Mon, 18 Jul 2005 19:00:20 +0000\r\n"
	"Delivered-To: bob@example.org\r\nX-Original-To: <all@example.org>\r\n"
	"Return-Path: <ann@a.example>\r\n"
	"From: =?utf-8?q?Ann_D=C3=A9v?= <ann@A.example>\r\nFrom: second@b.example\r\n"
	"Sender: s@a.example\r\nReply-To: r@a.example\r\n"
	"To: Bob <bob@example.org>, carol@x.example\r\nTo: dave@y.example\r\nCc: eve@z.example\r\n"
	"Subject: =?iso-8859-1?q?caf=E9?=\r\n\t  two\r\n"
	"Date: Mon, 18 Jul 2005 21:00:10 +0200\r\n"
	"Message-ID: <id@a.example>\r\nIn-Reply-To: <p@x> <q@x>\r\nReferences: <root@x>\r\n <mid@x> junk\t<p@x>\r\n"
	"Resent-Message-ID: <new@r>\r\nResent-Message-ID: <old@r>\r\n"
	"List-Id: The list <L.Lists.Example>\r\nX-list: other\r\n"
	"Thread-Index: AcWHZSfad2BSW7ZH\r\n"
	"Content-Type: multipart/mixed; boundary=\"bnd\"\r\n"
	"\r\n--bnd\r\n\r\nhello\r\n--bnd\r\nContent-Type: image/x\r\n\r\nxx\r\n--bnd--\r\n";

static void each_field_lands_where_it_belongs(void **state)
{
	const struct facts *f = read_a(full);
	(void)state;
	assert_slice(f->from.local, "ann");
	assert_slice(f->from.domain, "a.example");
	assert_slice(f->from.display, "Ann D\xc3\xa9v");
	assert_slice(f->sender.local, "s");
	assert_slice(f->reply_to.local, "r");
	assert_slice(f->subject, "caf\xc3\xa9 two");
	assert_slice(f->date, "Mon, 18 Jul 2005 21:00:10 +0200");
	assert_int_equal(f->date_ms, 1121713210000);
	assert_slice(f->message_id, "id@a.example");
	assert_slice(f->in_reply_to, "p@x");
	assert_slice(f->thread_root, "root@x");
	assert_slice(f->references_last, "p@x");
	assert_slice(f->resent_message_id, "new@r");
	assert_slice(f->list_id, "l.lists.example");
	assert_slice(f->thread_index, "AcWHZSfad2BSW7ZH");
	assert_slice(f->mime_boundary, "bnd");
	assert_slice(f->dkim_b, "ABCDEF");
	assert_int_equal(f->delivered_to_count, 2);
	assert_slice(f->delivered_to[0], "bob@example.org");
	assert_slice(f->delivered_to[1], "all@example.org");
	assert_int_equal(f->audience_count, 4);
	assert_slice(f->audience[2].local, "dave");
	assert_slice(f->audience[3].domain, "z.example");
	assert_int_equal(f->hop_count, 2);
	assert_int_equal(f->stamp_count, 2);
	assert_slice(f->stamps[1].value, "1; k=b;\tt=2");
	assert_int_equal(f->stamps[0].above_hop, 0);
	assert_int_equal(f->stamps[1].above_hop, 1);
	assert_int_equal(f->leaf_count, 2);
	assert_int_equal(f->auto_marks, AUTO_LIST);
	assert_true(f->is_content_whole);
	assert_false(f->is_body_empty);
	assert_int_equal(f->time_ms, 1);
}

static void every_cut_and_every_way_in_gives_the_same_facts(void **state)
{
	struct slice mail = slice_from_str(full);
	const struct facts *whole = read_a(full);
	(void)state;
	for (size_t at = 0; at <= mail.len; at++) {
		arena_reset(&arena_b);
		reader_assert_same(whole, reader_raw_split(&arena_b, mail, at));
	}
	for (size_t piece = 1; piece < 50; piece++) {
		arena_reset(&arena_b);
		reader_assert_same(whole, reader_raw(&arena_b, mail, piece));
	}
	arena_reset(&arena_b);
	reader_assert_same(whole, reader_fields(&arena_b, mail));
}

static void automatic_mail_is_marked(void **state)
{
	static const struct {
		const char *header;
		unsigned marks;
	} rows[] = {
		{ "Return-Path: <>\n", AUTO_NULL_SENDER },
		{ "Return-Path: <a@b.example>\n", 0 },
		{ "Content-Type: multipart/report; boundary=x\n", AUTO_REPORT },
		{ "Auto-Submitted: auto-replied (vacation)\n", AUTO_SUBMITTED },
		{ "Auto-Submitted: No; x=y\n", 0 },
		{ "Auto-Submitted: (what) no\n", 0 },
		{ "Precedence: bulk\n", AUTO_PRECEDENCE },
		{ "Precedence: AUTO_REPLY\n", AUTO_PRECEDENCE },
		{ "Precedence: first-class\n", 0 },
		{ "List-Unsubscribe: <mailto:x@y>\n", AUTO_LIST },
		{ "Mailing-List: contact x\n", AUTO_LIST },
		{ "X-Mailing-List: l@k.example\n", AUTO_LIST },
		{ "X-Auto-Response-Suppress: All\n", AUTO_SUPPRESS },
		{ "X-Loop: me\n", AUTO_X_LOOP },
		{ "Feedback-ID: 1:2:3\n", AUTO_FEEDBACK_ID },
		{ "X-Lists: no\nListen: no\n", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (read_a(rows[i].header)->auto_marks != rows[i].marks)
			fail_msg("%s: marks %x", rows[i].header, read_a(rows[i].header)->auto_marks);
	struct slice rcpt = SLICE("bob@example.org");
	struct envelope bounce = { .rcpts = &rcpt, .rcpt_count = 1 };
	arena_reset(&arena_a);
	assert_int_equal(reader_from_peer(&arena_a, SLICE("A: b\n\n"), &bounce)->auto_marks, AUTO_NULL_SENDER);
}

#define HEAD "From: Ann <ann@a.example>\nSubject: hello there\n"
#define TWO(type, text) HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\n" type "\n" text "\n--b--\n"

static void copies_that_differ_only_on_the_way_have_one_content(void **state)
{
	static const char *const rows[][2] = {
		{ HEAD "\nbody\n", "Received: by x.example; y\nMessage-ID: <1@x>\nDate: now\nTo: "
		  "b@c\nX-A: b\n" HEAD "\nbody\n" },
		{ HEAD "\nbody\n", "From: \"ANN\" <ann@A.EXAMPLE>\nSubject: hello\n\t there\n\nbody" },
		{ HEAD "\nbody\n", "From: ann@a.example (Ann)\nSubject: =?utf-8?b?aGVsbG8=?= there\n\nbody\n\n\n" },
		{ HEAD "\na b\nc\n", HEAD "\na  \t b  \nc\t\r\n" },
		{ HEAD "\ncaf\xc3\xa9\n",
		  HEAD "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
		  "base64\n\nY2Fmw6kNCg==\n" },
		{ HEAD "\na=b\n", HEAD "Content-Transfer-Encoding: quoted-printable\n\na=3D=\nb\n" },
		{ TWO("Content-Type: image/x\nContent-Transfer-Encoding: base64\n", "AAEC"),
		  TWO("Content-Type: image/x; name=y\nContent-Transfer-Encoding: BASE64\n", "AA\r\nEC") },
		{ TWO("Content-Type: image/x\n", "a\nb"), TWO("Content-Type: image/x\n", "a\r\nb") },
		{ HEAD "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\nx\n--b--\nepilogue",
		  HEAD "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n" },
		{ HEAD "In-Reply-To: <a@b>\n\nx", HEAD "In-Reply-To: Your mail <a@b> and <c@d>\n\nx" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (memcmp(read_a(rows[i][0])->content, read_b(rows[i][1])->content, DIGEST_SHORT_BYTES) != 0)
			fail_msg("row %zu: contents differ", i);
}

static void different_mails_have_different_contents(void **state)
{
	static const char *const mails[] = {
		HEAD "\nbody\n",
		HEAD "\nbody.\n",
		HEAD "\nbo dy\n",
		HEAD "\nbody\n\nmore",
		HEAD "\nbody\nmore",
		"From: Ann <ann@b.example>\nSubject: hello there\n\nbody\n",
		"From: Ann <Ann@a.example>\nSubject: hello there\n\nbody\n",
		"From: Ann <ann@a.example>\nSubject: Re: hello there\n\nbody\n",
		HEAD "Reply-To: x@y.example\n\nbody\n",
		HEAD "In-Reply-To: <a@b>\n\nbody\n",
		HEAD "Content-Type: application/x\n\nbody\n",
		TWO("Content-Type: text/plain\n", "body\n--b\n\nmore"),
		TWO("Content-Type: image/x\nContent-Transfer-Encoding: base64\n", "AAEC"),
		TWO("Content-Type: image/x\nContent-Transfer-Encoding: base64\n", "AAED"),
		TWO("Content-Type: image/x\nContent-Transfer-Encoding: base64\n", "DQo="), /* CRLF, exact */
		TWO("Content-Type: image/x\nContent-Transfer-Encoding: base64\n", "Cg=="), /* LF */
		HEAD "Content-Type: multipart/mixed\n\nno boundary, one text\n",
		HEAD "Content-Type: multipart/mixed\n\nno boundary, another text\n",
		HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\nlost line one\n\n--b--\n",
		HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\nlost line two\n\n--b--\n",
		TWO("Content-Type: message/rfc822\n", "Subject: one\n\nsame text"),
		TWO("Content-Type: message/rfc822\n", "Subject: two\n\nsame text"),
	};
	enum { MAILS = sizeof mails / sizeof mails[0] };
	uint8_t contents[MAILS][DIGEST_SHORT_BYTES];
	(void)state;
	for (size_t i = 0; i < MAILS; i++) {
		memcpy(contents[i], read_a(mails[i])->content, DIGEST_SHORT_BYTES);
		for (size_t j = 0; j < i; j++)
			if (memcmp(contents[i], contents[j], DIGEST_SHORT_BYTES) == 0)
				fail_msg("mails %zu and %zu have one content", j, i);
	}
}

static void list_and_resent_copies_are_instances_of_one_content(void **state)
{
	static const char *const copies[] = { HEAD "\nx", HEAD "List-Id: <a.b>\n\nx", HEAD "List-Id: <a.c>\n\nx",
		HEAD "Resent-Message-ID: <1@x>\n\nx", "Resent-Message-ID: "
		  "<2@x>\n" HEAD "Resent-Message-ID: <1@x>\n\nx" };
	uint8_t instances[5][DIGEST_SHORT_BYTES];
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		const struct facts *f = read_b(copies[i]);
		assert_memory_equal(f->content, read_a(copies[0])->content, DIGEST_SHORT_BYTES);
		memcpy(instances[i], f->instance, DIGEST_SHORT_BYTES);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(instances[i], instances[j], DIGEST_SHORT_BYTES);
	}
}

static void another_site_key_gives_another_content_but_the_same_public_one(void **state)
{
	static const uint8_t other_key[HASH_KEY_BYTES] = { 1 };
	struct facts_setup other = *reader_setup();
	const struct facts *f = read_a(HEAD "\nx");
	(void)state;
	other.site_key = other_key;
	arena_reset(&arena_b);
	struct facts_builder *b = facts_begin(&arena_b, &other);
	facts_raw(b, SLICE(HEAD "\nx"));
	const struct facts *g = facts_end(b, NULL, 0);
	assert_memory_equal(f->content_public, g->content_public, DIGEST_BYTES);
	assert_memory_not_equal(f->content, g->content, DIGEST_SHORT_BYTES);
	assert_ptr_equal(facts_end(b, NULL, 0), g);
}

static void only_a_mail_without_text_and_subject_is_empty(void **state)
{
	(void)state;
	assert_true(read_a("")->is_body_empty);
	assert_true(read_a("From: a@b\n\n   \r\n\r\n")->is_body_empty);
	assert_true(read_a("From: a@b\n\nfifteen bytes..\n")->is_body_empty);
	assert_false(read_a("From: a@b\n\nsixteen bytes...\n")->is_body_empty);
	assert_false(read_a("From: a@b\nSubject: x\n\n")->is_body_empty);
	assert_true(read_a("From: a@b\n\n")->is_content_whole);
}

static void a_door_without_a_clock_gets_the_time_of_the_top_hop(void **state)
{
	struct facts_builder *b;
	(void)state;
	arena_reset(&arena_a);
	b = facts_begin(&arena_a, reader_setup());
	facts_raw(b, slice_from_str(full));
	assert_int_equal(facts_end(b, NULL, 0)->time_ms, 1121713226000);
	b = facts_begin(&arena_a, reader_setup());
	facts_raw(b, SLICE("Date: Thu, 1 Jan 1970 00:00:01 +0000\n\n"));
	assert_int_equal(facts_end(b, NULL, 0)->time_ms, 1000);
}

/* VIOLATIONS.md: garbage-before-the-header, header-without-end, field-twice */
static void broken_headers_lose_only_what_is_broken(void **state)
{
	(void)state;
	const struct facts *f = read_a("From bob Mon 10:00\n>From x\n garbage\nmore "
	  "garbage\nFrom: a@b.example\nSubject : s\n\nx");
	assert_slice(f->from.local, "a");
	assert_slice(f->subject, "s");
	f = read_a("From: a@b.example\nSubject: the end is missing");
	assert_slice(f->subject, "the end is missing");
	assert_int_equal(f->leaf_count, 1);
	f = read_a("Subject: first\nSubject: second\nMessage-ID: <1@x>\nMessage-Id: <2@x>\n\n");
	assert_slice(f->subject, "first");
	assert_slice(f->message_id, "1@x");
	f = read_a("Message-ID: no brackets\nIn-Reply-To: Your message of Monday\n\n");
	assert_slice(f->message_id, "no brackets");
	assert_int_equal(f->in_reply_to.len, 0);
}

static void short_of_memory_nothing_breaks_and_the_facts_say_so(void **state)
{
	size_t whole = 0;
	(void)state;
	for (size_t room = 0; room < 40000; room += 97) {
		struct arena arena;
		arena_init(&arena, room);
		struct facts_builder *b = facts_begin(&arena, reader_setup());
		if (b) {
			facts_raw(b, slice_first(slice_from_str(full), 100));
			facts_raw(b, slice_from(slice_from_str(full), 100));
			const struct facts *f = facts_end(b, NULL, 1);
			whole += f->is_content_whole;
			if (f->is_content_whole)
				assert_memory_equal(f->content, read_a(full)->content, DIGEST_SHORT_BYTES);
		}
		arena_free(&arena);
	}
	assert_true(whole > 0);
	for (long n = 0; n < 40; n++) {
		struct arena arena;
		arena_init(&arena, FACTS_ARENA_BYTES_MAX);
		const struct facts *want = read_a(full);
		mem_fail_after = n;
		struct facts_builder *b = facts_begin(&arena, reader_setup());
		if (b) {
			facts_raw(b, slice_from_str(full));
			const struct facts *f = facts_end(b, NULL, 1);
			mem_fail_after = -1;
			if (f->is_content_whole)
				assert_memory_equal(f->content, want->content, DIGEST_SHORT_BYTES);
			else
				assert_true(n < 10);
		}
		mem_fail_after = -1;
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_lands_where_it_belongs),
		cmocka_unit_test(every_cut_and_every_way_in_gives_the_same_facts),
		cmocka_unit_test(automatic_mail_is_marked),
		cmocka_unit_test(copies_that_differ_only_on_the_way_have_one_content),
		cmocka_unit_test(different_mails_have_different_contents),
		cmocka_unit_test(list_and_resent_copies_are_instances_of_one_content),
		cmocka_unit_test(another_site_key_gives_another_content_but_the_same_public_one),
		cmocka_unit_test(only_a_mail_without_text_and_subject_is_empty),
		cmocka_unit_test(a_door_without_a_clock_gets_the_time_of_the_top_hop),
		cmocka_unit_test(broken_headers_lose_only_what_is_broken),
		cmocka_unit_test(short_of_memory_nothing_breaks_and_the_facts_say_so),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
