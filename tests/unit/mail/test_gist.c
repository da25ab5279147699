/* SPDX-License-Identifier: Apache-2.0
 *
 * What a mail's first lines say, nearly; what a bounce is about; what a Subject tells.
 */
#include "unit.h"

#include "mail/gist.h"
#include "mail/subject.h"
#include "reader.h"

static const char ack_a[] = "Thank you for writing to our help desk. Your request has number 4711.\nWe will come "
			    "back soon.\n";
static const char ack_b[] = "Thank you for writing to our help desk. Your request has number 98.\nWe will come "
			    "back soon.\n";

static void texts_that_differ_in_numbers_are_near(void **state)
{
	(void)state;
	uint64_t a = gist_of_text(slice_from_str(ack_a)), b = gist_of_text(slice_from_str(ack_b));
	assert_true(a != 0 && gist_is_near(a, b));
	uint64_t other = gist_of_text(SLICE("I only need my coat, please wait for me at the door today."));
	assert_true(other != 0 && !gist_is_near(a, other));
}

static void too_few_words_say_nothing(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "ok", "Yes please.", "12 34 56 78 90", "a1 b2 c3 d4 e5 f6" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(gist_of_text(slice_from_str(texts[i])), 0);
	assert_false(gist_is_near(0, 0));
}

static uint64_t near_of(const char *mail, size_t piece_bytes)
{
	struct arena arena;
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	uint64_t near = reader_raw(&arena, slice_from_str(mail), piece_bytes)->near;
	arena_free(&arena);
	return near;
}

static void signatures_and_quotations_do_not_make_mails_near(void **state)
{
	(void)state;
	static const char a[] = "From: a@x.example\r\n\r\n> what did you say then?\r\nComing to lunch with us "
				"today?\r\n\r\n"
				"Not before one I am afraid.\r\nSee you there.\r\n-- \r\nWith kind regards from "
				"all of us here\r\n";
	static const char b[] = "From: a@x.example\r\n\r\nThe customer has just left now.\r\n> coming to lunch?\r\n"
				"Give me five more minutes please.\r\nThank you.\r\n-- \r\nWith kind regards "
				"from all of us here\r\n";
	assert_true(near_of(a, 0) != 0);
	assert_false(gist_is_near(near_of(a, 0), near_of(b, 0)));
}

static void a_mail_cut_anywhere_has_the_same_print(void **state)
{
	(void)state;
	static const char mail[] = "From: a@x.example\r\nMIME-Version: 1.0\r\nContent-Type: "
				   "multipart/alternative; boundary=b\r\n\r\n"
				   "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
				   "quoted-printable\r\n\r\n"
				   "Thank you for writing to our help de=\r\nsk.\r\nWe will come back soon.\r\n"
				   "--b\r\nContent-Type: text/html\r\n\r\n<p>Thank you</p>\r\n--b--\r\n";
	uint64_t whole = near_of(mail, 0);
	assert_true(whole != 0);
	for (size_t piece = 1; piece < 40; piece++)
		assert_true(near_of(mail, piece) == whole);
}

#define BOUNCE(status, rcpt, id)                                                                              \
	"From: MAILER-DAEMON@far.example\r\nContent-Type: multipart/report; report-type=delivery-status; "    \
	"boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"         \
	"Reporting-MTA: dns; far.example\r\nArrival-Date: now\r\n\r\nFinal-Recipient: rfc822; " rcpt          \
	"\r\nAction: failed\r\nStatus: " status "\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"          \
	"From: us@ours.example\r\nMessage-ID: <" id ">\r\nSubject: hello\r\n\r\nText\r\n--b--\r\n"

static void bounces_are_told_apart_by_what_they_say(void **state)
{
	(void)state;
	static const char *const mails[] = { BOUNCE("5.1.1", "a@far.example", "1@ours"), BOUNCE("5.1.1",
			"a@far.example", "1@ours"),
					     BOUNCE("5.1.1", "b@far.example", "1@ours"), BOUNCE("4.4.1",
							"a@far.example", "1@ours"),
					     BOUNCE("5.1.1", "a@far.example", "2@ours") };
	uint64_t keys[5];
	for (size_t piece = 0; piece < 60; piece += 7) {
		for (size_t i = 0; i < 5; i++) {
			struct arena arena;
			arena_init(&arena, FACTS_ARENA_BYTES_MAX);
			const struct facts *f = reader_raw(&arena, slice_from_str(mails[i]), piece);
			assert_true(f->has_report);
			uint64_t wanted = gist_message_id(reader_setup()->site_key,
					i == 4 ? SLICE("2@ours") : SLICE("1@ours"));
			bool is_found = false;
			for (unsigned k = 0; k < f->report_id_count; k++)
				is_found |= f->report_ids[k] == wanted;
			assert_true(is_found);
			keys[i] = f->report_key;
			arena_free(&arena);
		}
		assert_true(keys[0] == keys[1]);
		for (size_t i = 2; i < 5; i++)
			assert_true(keys[0] != keys[i]);
	}
}

static void a_mail_that_only_looks_like_a_report_is_none(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	const struct facts *f = reader_raw(&arena,
			SLICE("From: a@b.example\r\n\r\nStatus: 5.1.1\r\nMessage-ID: <1@x>\r\n"), 0);
	assert_false(f->has_report);
	assert_int_equal(f->report_id_count, 0);
	arena_free(&arena);
}

static void subjects_lose_their_prefixes(void **state)
{
	(void)state;
	static const struct {
		const char *subject, *bare;
		bool is_prefixed;
	} rows[] = {
		{ "Re: Hello", "Hello", true }, { "AW: Re: WG: Hello", "Hello", true }, { "Hello", "Hello", false },
		{ "RE:hello", "hello", true }, { "Reply: x", "Reply: x", false }, { "", "", false }, { "Re:", "",
				true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool is_prefixed;
		struct slice bare = subject_bare(slice_from_str(rows[i].subject), &is_prefixed);
		assert_true(slice_equal(bare, slice_from_str(rows[i].bare)));
		assert_int_equal(is_prefixed, rows[i].is_prefixed);
	}
	assert_true(subject_topic(SLICE("Re: [Ticket#12] Hello")) == subject_topic(SLICE("[ticket#345] hello")));
	assert_true(subject_topic(SLICE("12345")) == 0);
}

static void automatic_answers_are_known_by_their_words(void **state)
{
	(void)state;
	static const char *const yes[] = { "Out of Office AutoReply: Johns Manville", "Re: Automatic reply: x",
					   "Abwesenheitsnotiz: Urlaub", "Réponse automatique : absent" };
	static const char *const no[] = { "", "Office party", "About the automatic reply", "Re: Hello" };
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		assert_true(subject_is_automatic(slice_from_str(yes[i])));
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		assert_false(subject_is_automatic(slice_from_str(no[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_differ_in_numbers_are_near),
		cmocka_unit_test(too_few_words_say_nothing),
		cmocka_unit_test(signatures_and_quotations_do_not_make_mails_near),
		cmocka_unit_test(a_mail_cut_anywhere_has_the_same_print),
		cmocka_unit_test(bounces_are_told_apart_by_what_they_say),
		cmocka_unit_test(a_mail_that_only_looks_like_a_report_is_none),
		cmocka_unit_test(subjects_lose_their_prefixes),
		cmocka_unit_test(automatic_answers_are_known_by_their_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
