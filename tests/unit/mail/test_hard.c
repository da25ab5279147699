/* SPDX-License-Identifier: Apache-2.0
 *
 * Hostile mail: bounded time and memory whatever comes (acceptance case 48).
 */
#include "unit.h"

#include "base/buf.h"
#include "mail/mime.h"
#include "mail/received.h"
#include "reader.h"

#include <time.h>

enum { HARD_SECONDS_MAX = 8, HARD_BYTES_MAX = 64 << 20 }; /* generous: sanitizers, a busy machine */

static struct arena arena;
static struct buf mail;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	buf_init(&mail, HARD_BYTES_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	buf_free(&mail);
	return 0;
}

/* Reads mail in pieces of 64 KB, as a milter sends it. */
static const struct facts *read_in_time(void)
{
	struct timespec begun, ended;
	assert_false(mail.is_over);
	arena_reset(&arena);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
	const struct facts *f = reader_raw(&arena, buf_slice(&mail), 65535);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
	assert_true(ended.tv_sec - begun.tv_sec <= HARD_SECONDS_MAX);
	assert_true(arena.used_bytes <= FACTS_ARENA_BYTES_MAX);
	return f;
}

static void repeat(size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		buf_add_str(&mail, text);
}

static void a_million_parts_are_walked_in_bounded_time_and_memory(void **state)
{
	uint8_t content[DIGEST_SHORT_BYTES];
	(void)state;
	buf_reset(&mail);
	buf_add_str(&mail, "From: a@b.example\nSubject: bomb\nContent-Type: multipart/mixed; boundary=b\n\n");
	repeat(1000000, "--b\nContent-Type: text/x\n\nx\n");
	const struct facts *f = read_in_time();
	assert_int_equal(f->leaf_count, MIME_PARTS_MAX);
	assert_true(f->is_content_whole);
	assert_true(arena.used_bytes < 64 * 1024);
	memcpy(content, f->content, sizeof content);
	buf_add_str(&mail, "x"); /* what is past the limit still counts */
	assert_memory_not_equal(read_in_time()->content, content, sizeof content);
}

static void deep_nesting_stops_at_the_limit(void **state)
{
	(void)state;
	buf_reset(&mail);
	buf_add_str(&mail, "Content-Type: multipart/mixed; boundary=b0\n\n");
	for (int i = 0; i < 20000; i++)
		buf_addf(&mail, "--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i + 1);
	const struct facts *f = read_in_time();
	assert_true(f->is_content_whole);
	assert_true(arena.used_bytes < 512 * 1024);

	buf_reset(&mail);
	repeat(200000, "Content-Type: message/rfc822\n\n");
	f = read_in_time();
	assert_int_equal(f->leaf_count, 1);
	assert_true(f->is_content_whole);
}

static void lines_of_dashes_under_many_boundaries_are_linear(void **state)
{
	char boundary[60];
	(void)state;
	memset(boundary, '-', sizeof boundary - 1);
	boundary[sizeof boundary - 1] = '\0';
	buf_reset(&mail);
	buf_addf(&mail, "Content-Type: multipart/mixed; boundary=\"%s0\"\n\n", boundary);
	for (int i = 0; i < MIME_DEPTH_MAX - 1; i++)
		buf_addf(&mail, "--%s%d\nContent-Type: multipart/mixed; boundary=\"%s%d\"\n\n",
			boundary, i, boundary,
			 i + 1);
	for (int i = 0; i < 100000; i++)
		buf_addf(&mail, "--%sx\n", boundary);
	assert_true(read_in_time()->is_content_whole);
}

static void ten_thousand_hops_are_counted_and_the_newest_kept(void **state)
{
	(void)state;
	buf_reset(&mail);
	for (int i = 0; i < 10000; i++)
		buf_addf(&mail, "Received: from h%d.example ([198.51.100.1]) by g%d.example with SMTP; x\n", i, i);
	buf_add_str(&mail, "From: a@b.example\n\nhi\n");
	const struct facts *f = read_in_time();
	assert_int_equal(f->hop_total, 10000);
	assert_int_equal(f->hop_count, FACTS_HOPS_MAX);
	assert_slice(f->hops[0].by, "g0.example");
	assert_slice(f->hops[99].by, "g99.example");
	assert_slice(f->from.local, "a");
	assert_true(f->is_content_whole);
}

static void a_field_of_a_megabyte_is_cut_and_the_rest_is_read(void **state)
{
	static const char *const names[] = { "X-Any", "To", "Received", "References", "DKIM-Signature", "Date",
		"Subject", "From", "Content-Type", "List-Id", "Message-ID", "Authentication-Results" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		buf_reset(&mail);
		buf_addf(&mail, "%s: ", names[i]);
		repeat(1 << 17, "<(a@,b=\n ");
		buf_add_str(&mail, "\nX-Loop: me\n\nhi\n");
		const struct facts *f = read_in_time();
		assert_int_equal(f->auto_marks & AUTO_X_LOOP, AUTO_X_LOOP);
		bool is_content = strcmp(names[i], "Subject") == 0 || strcmp(names[i], "From") == 0;
		assert_int_equal(f->is_content_whole, !is_content);
	}
}

static void an_audience_past_the_limit_is_counted(void **state)
{
	(void)state;
	buf_reset(&mail);
	for (int field = 0; field < 10; field++) {
		buf_add_str(&mail, "To: ");
		for (int i = 0; i < 1000; i++)
			buf_addf(&mail, "<user%d.%d@example.org>,\n ", field, i);
		buf_add_str(&mail, "<last@example.org>\n");
	}
	buf_add_str(&mail, "\nhi\n");
	const struct facts *f = read_in_time();
	assert_int_equal(f->audience_count, FACTS_AUDIENCE_MAX);
	assert_int_equal(f->audience_total, 10010);
	assert_true(f->is_content_whole);
}

static void nuls_and_bare_returns_are_bytes_like_others(void **state)
{
	(void)state;
	buf_reset(&mail);
	buf_add(&mail, SLICE("From: a\0b@c.example\rX: y\r\nSubject: a\rb\0c\r\n\r\n\0\r\0\r\r\n\0"));
	const struct facts *f = read_in_time();
	assert_slice(f->subject, "a b c");
	assert_true(f->is_content_whole);
	buf_reset(&mail);
	repeat(1 << 20, "\r");
	assert_int_equal(read_in_time()->leaf_count, 1);
	buf_reset(&mail);
	buf_reserve(&mail, 1 << 20);
	memset(mail.ptr, 0, 1 << 20);
	buf_commit(&mail, 1 << 20);
	assert_int_equal(read_in_time()->leaf_count, 1);
	buf_reset(&mail);
	buf_add_str(&mail, "A: b\n\n");
	repeat(1 << 20, "\n\r");
	assert_true(read_in_time()->is_content_whole);
}

static void comments_quotes_and_words_without_end_are_linear(void **state)
{
	static const char *const fillers[] = { "(", "\"", "\\", "<", "[", ",", ":", ";", "=?",
		"=?a?q?x", "@", " ", "<a@b>",
		"\n (", "from ", "by (", "; ", "a=b; " };
	static const char *const names[] = { "To", "From", "Received", "Date", "Content-Type",
		"Subject", "References",
		"Authentication-Results", "X-Quell-Trace" };
	(void)state;
	for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++) {
		buf_reset(&mail);
		for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
			buf_addf(&mail, "%s: mx.example.org ", names[n]);
			repeat(20000, fillers[i]);
			buf_add_str(&mail, "\n");
		}
		buf_add_str(&mail, "\nhi\n");
		assert_int_equal(read_in_time()->leaf_count, 1);
	}
}

static void a_mail_fed_byte_by_byte_is_linear(void **state)
{
	struct timespec begun, ended;
	(void)state;
	buf_reset(&mail);
	buf_add_str(&mail, "To: ");
	repeat(20000, "<a@b.example>,\n ");
	buf_add_str(&mail, "<c@d.example>\nContent-Type: multipart/mixed; boundary=b\n\n");
	repeat(20000, "--b\n\n-- \nhello\n");
	arena_reset(&arena);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
	const struct facts *f = reader_raw(&arena, buf_slice(&mail), 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
	assert_true(ended.tv_sec - begun.tv_sec <= HARD_SECONDS_MAX);
	assert_int_equal(f->leaf_count, MIME_PARTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_parts_are_walked_in_bounded_time_and_memory),
		cmocka_unit_test(deep_nesting_stops_at_the_limit),
		cmocka_unit_test(lines_of_dashes_under_many_boundaries_are_linear),
		cmocka_unit_test(ten_thousand_hops_are_counted_and_the_newest_kept),
		cmocka_unit_test(a_field_of_a_megabyte_is_cut_and_the_rest_is_read),
		cmocka_unit_test(an_audience_past_the_limit_is_counted),
		cmocka_unit_test(nuls_and_bare_returns_are_bytes_like_others),
		cmocka_unit_test(comments_quotes_and_words_without_end_are_linear),
		cmocka_unit_test(a_mail_fed_byte_by_byte_is_linear),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
