/* SPDX-License-Identifier: Apache-2.0
 *
 * The enhanced status and the queue id in another server's answer: where they are, and what
 * looks like them but is not.
 */
#include "../unit.h"

#include "wire/maillog_reply.h"

#include <stdlib.h>

static const struct row {
	const char *answer, *dsn, *id;
} rows[] = {
	{ "250 2.0.0 Ok: queued as 4Q9ABC", "2.0.0", "4Q9ABC" },
	{ "250 OK id=1qABCE-0001Ab-3x", "", "1qABCE-0001Ab-3x" },
	{ "250 OK id=1qABCE-00000001AbC-3xYz (more)", "", "1qABCE-00000001AbC-3xYz" },
	{ "250 2.0.0 jB6Kk3A9012345 Message accepted for delivery", "2.0.0", "jB6Kk3A9012345" },
	{ "250 2.0.0 Hello Message taken", "2.0.0", "" },
	{ "08DC;250 2.6.0 <m@a> [InternalId=4711471147] Queued mail for delivery", "2.6.0", "4711471147" },
	{ "SMTP error after RCPT TO:<b@b.example>: 550-5.1.10 no\\n550 5.7.1 twice", "5.1.10", "" },
	{ "550 #5.1.1 no", "5.1.1", "" },
	{ "451 4.4.999", "4.4.999", "" },
	{ "5.7.1", "5.7.1", "" },
	{ "250 f7a18a30 Message accepted for delivery", "", "f7a18a30" },
	{ "jB6Kk3A9012345 Message accepted for delivery", "", "jB6Kk3A9012345" },
	{ "250 Thank-you Message accepted for delivery", "", "" },
	{ "250 1234567.9 Message accepted for delivery", "", "" },
	{ "250 2.0.0 Ok: 615 bytes queued as 0B37CABAFD0", "2.0.0", "0B37CABAFD0" },
	{ "250 2.0.0 Ok: forwarded as 4Q9ABC", "2.0.0", "4Q9ABC" },
	{ "id=1rXyZ2-0001Ab-3C", "", "1rXyZ2-0001Ab-3C" },
	{ "250 paid=4711471147 q=1 M= ==", "", "" },
	{ "queued as -4Q9ABC", "", "" },
	{ "250 2.0.0 <a@b.example> I861FWYuzl/fSwAAWP5Hkg Saved", "2.0.0", "I861FWYuzl/fSwAAWP5Hkg" },
	{ "250 2.0.0 <a@b.example> I861FWY+zl/fSwAAWP5Hkg:T3:R12 Saved", "2.0.0", "I861FWY+zl/fSwAAWP5Hkg:T3" },
	{ "250 2.0.0 <a@b.example> abcdefg:R Saved", "2.0.0", "abcdefg:R" },
	{ "250 2.0.0 I861FWYuzl/fSwAAWP5Hkg Saved", "2.0.0", "" },
	{ "<a> abcd Saved", "", "" }, { " Saved", "", "" },
	{ "queued as 4Q9A", "", "" },
	{ "queued as 4Q9A.1", "", "" },
	{ "queued as ", "", "" },
	{ "550 host 5.1.1.9 is listed", "", "" },
	{ "550 host 192.5.1.1 is listed", "", "" },
	{ "550 v15.1.2 v5.1.1 a5.1.1", "", "" },
	{ "550 3.1.1 5.1 5..1 5.1. 5.1111.1 5.1.1111", "", "" },
	{ "550 mx.b.example 5.4.0", "5.4.0", "" },
	{ ".", "", "" }, { "5.", "", "" }, { "5.1.", "", "" }, { "", "", "" },
};

static void the_first_status_and_the_id_are_found_and_nothing_like_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice answer = slice_from_str(rows[i].answer);
		struct slice dsn = maillog_reply_dsn(answer), id = maillog_reply_id(answer);
		if (!slice_equal(dsn, slice_from_str(rows[i].dsn)) || !slice_equal(id, slice_from_str(rows[i].id)))
			fail_msg("\"%.*s\", \"%.*s\": %s", SLICE_ARG(dsn), SLICE_ARG(id), rows[i].answer);
	}
	assert_int_equal(maillog_reply_dsn(slice_make(NULL, 0)).len, 0);
	assert_int_equal(maillog_reply_id(slice_make(NULL, 0)).len, 0);
}

static void an_id_longer_than_any_is_none(void **state)
{
	(void)state;
	char answer[128] = "Ok: queued as ";
	size_t len = strlen(answer);
	memset(answer + len, 'A', 64);
	assert_int_equal(maillog_reply_id(slice_make(answer, len + 64)).len, 64);
	answer[len + 64] = 'A';
	assert_int_equal(maillog_reply_id(slice_make(answer, len + 65)).len, 0);
}

static void an_answer_cut_anywhere_is_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t len = 0; len <= strlen(rows[i].answer); len++) {
			char *copy = malloc(len ? len : 1);
			assert_non_null(copy);
			memcpy(copy, rows[i].answer, len);
			assert_in_range(maillog_reply_dsn(slice_make(copy, len)).len, 0, 9);
			assert_in_range(maillog_reply_id(slice_make(copy, len)).len, 0, 64);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_status_and_the_id_are_found_and_nothing_like_them),
		cmocka_unit_test(an_id_longer_than_any_is_none),
		cmocka_unit_test(an_answer_cut_anywhere_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
