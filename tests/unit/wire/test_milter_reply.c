/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/milter.h"

/* Takes the one packet that b holds apart again. */
static struct milter_reply reply_of(struct buf *b)
{
	struct slice bytes = buf_slice(b);
	struct milter_packet p;
	enum milter_trouble trouble;
	struct milter_reply reply;
	assert_int_equal(milter_take(&bytes, MILTER_PACKET_BYTES_MAX, &p, &trouble), MILTER_GOT);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(milter_decode_reply(&p, &reply), MILTER_FINE);
	return reply;
}

static void each_plain_answer_is_five_bytes(void **state)
{
	(void)state;
	static const char answers[] = "acdfprst4";
	struct buf b;
	buf_init(&b, 4096);
	for (const char *a = answers; *a; a++) {
		const char wanted[5] = { 0, 0, 0, 1, *a };
		buf_reset(&b);
		assert_true(milter_put_answer(&b, (enum milter_answer)*a));
		assert_int_equal(b.len, 5);
		assert_memory_equal(b.ptr, wanted, 5);
		assert_int_equal(reply_of(&b).answer, *a);
	}
	buf_free(&b);
}

static void a_reply_code_doubles_percent_signs_and_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *code, *enhanced, *text, *wire; /* wire NULL: refused */
	} rows[] = {
		{ "550", "5.7.1", "100% surplus", "550 5.7.1 100%% surplus" },
		{ "451", "4.7.1", "come back later", "451 4.7.1 come back later" },
		{ "451", "4.17.123", "x", "451 4.17.123 x" },
		{ "250", "2.0.0", "x", NULL }, { "55", "5.7.1", "x", NULL }, { "5500", "5.7.1", "x", NULL },
		{ "5a0", "5.7.1", "x", NULL }, { "550", "4.7.1", "x", NULL }, { "550", "", "x", NULL },
		{ "550", "5.7", "x", NULL }, { "550", "5.7.1234", "x", NULL }, { "550", "5..1", "x", NULL },
		{ "550", "5.7.1.2", "x", NULL }, { "550", "5.7.1", "", NULL },
		{ "550", "5.7.1", "a\r\n250 ok", NULL }, { "550", "5.7.1", "a\nb", NULL },
	};
	struct buf b;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_reset(&b);
		bool is_put = milter_put_replycode(&b, slice_from_str(rows[i].code),
						   slice_from_str(rows[i].enhanced),
						   slice_from_str(rows[i].text));
		if (is_put != (rows[i].wire != NULL))
			fail_msg("row %zu: %s %s %s", i, rows[i].code, rows[i].enhanced, rows[i].text);
		if (is_put)
			assert_slice(reply_of(&b).first, rows[i].wire);
		else
			assert_int_equal(b.len, 0);
	}
	assert_false(milter_put_replycode(&b, SLICE("550"), SLICE("5.7.1"), slice_make("a\0b", 3)));
	char longest[MILTER_REPLY_TEXT_BYTES_MAX];
	memset(longest, '%', sizeof longest);
	assert_false(milter_put_replycode(&b, SLICE("550"), SLICE("5.7.1"), slice_make(longest, sizeof longest)));
	assert_true(milter_put_replycode(&b, SLICE("550"), SLICE("5.7.1"),
					 slice_make(longest, sizeof longest - 10)));
	assert_int_equal(reply_of(&b).first.len, 10 + 2 * (sizeof longest - 10));
	buf_free(&b);
}

static void a_header_can_be_folded_but_never_carries_a_second_one(void **state)
{
	(void)state;
	static const struct {
		struct slice name, value;
		bool is_good;
	} rows[] = {
		{ { "X-Quell", 7 }, { "value", 5 }, true },
		{ { "X-Quell", 7 }, { "", 0 }, true },
		{ { "X-Quell", 7 }, { "a\n\tb", 4 }, true },
		{ { "X-Quell", 7 }, { "a\r\n b", 5 }, true },
		{ { "X-Quell", 7 }, { "a\nBcc: x", 8 }, false },
		{ { "X-Quell", 7 }, { "a\r\nBcc: x", 9 }, false },
		{ { "X-Quell", 7 }, { "a\r b", 4 }, false },
		{ { "X-Quell", 7 }, { "a\n", 2 }, false },
		{ { "X-Quell", 7 }, { "a\0b", 3 }, false },
		{ { "", 0 }, { "a", 1 }, false },
		{ { "X:Y", 3 }, { "a", 1 }, false },
		{ { "X Y", 3 }, { "a", 1 }, false },
		{ { "X\n", 2 }, { "a", 1 }, false },
	};
	struct buf b;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_reset(&b);
		assert_int_equal(milter_put_addheader(&b, rows[i].name, rows[i].value), rows[i].is_good);
		assert_int_equal(milter_put_insheader(&b, 1, rows[i].name, rows[i].value), rows[i].is_good);
		assert_int_equal(milter_put_chgheader(&b, 1, rows[i].name, rows[i].value), rows[i].is_good);
		if (!rows[i].is_good)
			assert_int_equal(b.len, 0);
	}
	buf_reset(&b);
	assert_true(milter_put_insheader(&b, 0, SLICE("X-A"), SLICE("b")));
	struct milter_reply reply = reply_of(&b);
	assert_int_equal(reply.answer, MILTER_INSHEADER);
	assert_int_equal(reply.index, 0);
	assert_slice(reply.first, "X-A");
	assert_slice(reply.second, "b");
	buf_reset(&b);
	assert_true(milter_put_chgheader(&b, 0x01020304, SLICE("X-A"), SLICE("")));
	assert_int_equal(reply_of(&b).index, 0x01020304);
	assert_false(milter_put_chgheader(&b, 0, SLICE("X-A"), SLICE("")));
	assert_false(milter_put_insheader(&b, 0x80000000u, SLICE("X-A"), SLICE("")));
	buf_free(&b);
}

static void recipients_and_senders_keep_their_exact_spelling(void **state)
{
	(void)state;
	struct buf b;
	struct milter_reply reply;
	buf_init(&b, 4096);
	assert_true(milter_put_delrcpt(&b, SLICE("<\"A b\"@Example.ORG>")));
	reply = reply_of(&b);
	assert_int_equal(reply.answer, MILTER_DELRCPT);
	assert_slice(reply.first, "<\"A b\"@Example.ORG>");
	buf_reset(&b);
	assert_true(milter_put_addrcpt(&b, SLICE("<a@b>"), SLICE("")));
	assert_int_equal(reply_of(&b).answer, MILTER_ADDRCPT);
	buf_reset(&b);
	assert_true(milter_put_addrcpt(&b, SLICE("<a@b>"), SLICE("NOTIFY=NEVER")));
	reply = reply_of(&b);
	assert_int_equal(reply.answer, MILTER_ADDRCPT_PAR);
	assert_slice(reply.second, "NOTIFY=NEVER");
	buf_reset(&b);
	assert_true(milter_put_chgfrom(&b, SLICE("<>"), SLICE("")));
	assert_slice(reply_of(&b).first, "<>");
	assert_false(milter_put_delrcpt(&b, SLICE("")));
	assert_false(milter_put_addrcpt(&b, SLICE("<a@b>\r\n"), SLICE("")));
	assert_false(milter_put_chgfrom(&b, SLICE("<a>"), slice_make("x\0y", 3)));
	buf_free(&b);
}

static void quarantine_and_body_are_sent(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4096);
	assert_true(milter_put_quarantine(&b, SLICE("surplus copy")));
	assert_slice(reply_of(&b).first, "surplus copy");
	assert_false(milter_put_quarantine(&b, SLICE("")));
	assert_false(milter_put_quarantine(&b, SLICE("a\nb")));
	buf_reset(&b);
	assert_true(milter_put_replbody(&b, slice_make("a\0\r\nb", 5)));
	assert_int_equal(reply_of(&b).first.len, 5);
	buf_free(&b);
}

static void a_reply_that_does_not_fit_is_not_sent_at_all(void **state)
{
	(void)state;
	struct buf b;
	for (size_t cap = 0; cap <= 23; cap++) {
		buf_init(&b, cap);
		assert_int_equal(milter_put_addheader(&b, SLICE("X-Quell"), SLICE("loop no 1")), cap == 23);
		assert_int_equal(b.len, cap == 23 ? 23 : 0);
		assert_int_equal(b.is_over, cap != 23);
		buf_free(&b);
	}
	buf_init(&b, 4096);
	mem_fail_after = 0;
	assert_false(milter_put_answer(&b, MILTER_CONTINUE));
	mem_fail_after = -1;
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void a_filter_reply_cut_or_stretched_is_not_believed(void **state)
{
	(void)state;
	static const struct {
		char answer;
		struct slice payload;
		enum milter_trouble trouble;
	} rows[] = {
		{ 'c', { "x", 1 }, MILTER_TOO_MUCH }, { 'h', { "a\0b", 3 }, MILTER_NO_NUL },
		{ 'h', { "a\0", 2 }, MILTER_TOO_SHORT }, { 'm', { "\0\0\0", 3 }, MILTER_TOO_SHORT },
		{ 'i', { "\0\0\0\1a\0b\0c\0", 10 }, MILTER_TOO_MUCH },
		{ 'y', { "550 x", 5 }, MILTER_NO_NUL }, { 'O', { "\0\0\0\6", 4 }, MILTER_TOO_SHORT },
		{ '2', { "<a>\0", 4 }, MILTER_FINE }, { 'Z', { "", 0 }, MILTER_UNKNOWN_COMMAND },
		{ 'q', { "", 0 }, MILTER_TOO_SHORT },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct milter_packet p = { rows[i].answer, rows[i].payload };
		struct milter_reply reply;
		assert_int_equal(milter_decode_reply(&p, &reply), rows[i].trouble);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_plain_answer_is_five_bytes),
		cmocka_unit_test(a_reply_code_doubles_percent_signs_and_is_checked),
		cmocka_unit_test(a_header_can_be_folded_but_never_carries_a_second_one),
		cmocka_unit_test(recipients_and_senders_keep_their_exact_spelling),
		cmocka_unit_test(quarantine_and_body_are_sent),
		cmocka_unit_test(a_reply_that_does_not_fit_is_not_sent_at_all),
		cmocka_unit_test(a_filter_reply_cut_or_stretched_is_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
