/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/pop3.h"

/* What came of one RETR's bytes. */
struct got {
	struct buf mail;
	size_t runs, ends, failures;
};

static struct pop3 *pop3_at_retr(void)
{
	struct pop3 *p = pop3_new();
	struct pop3_event ev;
	assert_non_null(p);
	pop3_feed(p, SLICE("+OK\r\n"));
	pop3_next(p, &ev);
	assert_int_equal(ev.kind, POP3_REPLY);
	pop3_next(p, &ev);
	assert_int_equal(ev.kind, POP3_NONE);
	assert_true(pop3_retr(p, 7));
	pop3_feed(p, SLICE("+OK\r\n"));
	pop3_next(p, &ev);
	assert_int_equal(ev.kind, POP3_REPLY);
	pop3_next(p, &ev);
	assert_int_equal(ev.kind, POP3_NONE);
	return p;
}

/* Feeds a copy of the exact size, gone afterwards. */
static void feed(struct pop3 *p, struct slice bytes, struct got *got)
{
	struct pop3_event ev;
	char *copy = mem_must_alloc(bytes.len);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	pop3_feed(p, slice_make(copy, bytes.len));
	for (pop3_next(p, &ev); ev.kind != POP3_NONE; pop3_next(p, &ev)) {
		assert_int_equal(ev.number, ev.kind == POP3_FAILED && got->ends ? 0 : 7);
		if (ev.kind == POP3_MAIL_BYTES) {
			assert_int_equal(got->ends, 0);
			assert_true(ev.bytes.len > 0);
			assert_true(buf_add(&got->mail, ev.bytes));
			got->runs++;
		} else if (ev.kind == POP3_MAIL_END) {
			got->ends++;
		} else {
			assert_int_equal(ev.kind, POP3_FAILED);
			got->failures++;
		}
	}
	mem_free(copy);
}

struct mail_row {
	struct slice wire; /* behind the +OK line */
	struct slice mail;
	size_t ends;
};
#define ROW(wire, mail, ends) { { wire, sizeof(wire) - 1 }, { mail, sizeof(mail) - 1 }, ends }

static const struct mail_row mail_rows[] = {
	ROW(".\r\n", "", 1),
	ROW("a\r\n.\r\n", "a\r\n", 1),
	ROW("\r\n.\r\n", "\r\n", 1),
	ROW("Subject: x\r\n\r\nbody\r\n.\r\n", "Subject: x\r\n\r\nbody\r\n", 1),
	/* stuffing is undone once, and only behind CRLF or at the very start */
	ROW("..\r\n.\r\n", ".\r\n", 1),
	ROW("...\r\n.\r\n", "..\r\n", 1),
	ROW("a\r\n..b\r\n..\r\n.c\r\n.\r\n", "a\r\n.b\r\n.\r\nc\r\n", 1),
	ROW("a.\r\n.\r\n", "a.\r\n", 1),
	ROW("a\n..b\r\n.\r\n", "a\n..b\r\n", 1),
	ROW("a\r..b\r\n.\r\n", "a\r..b\r\n", 1),
	ROW("\n..\r\n.\r\n", "\n..\r\n", 1),
	/* what looks like an end and is none */
	ROW("a\n.\n", "a\n.\n", 0),
	ROW("a\n.\r\n", "a\n.\r\n", 0),
	ROW("a\r\n.\n", "a\r\n\n", 0),
	ROW("a\r.\r\n", "a\r.\r\n", 0),
	ROW("a\r\n.\r", "a\r\n", 0),
	ROW("a\r\n.", "a\r\n", 0),
	ROW("a\r\n", "a\r\n", 0),
	ROW(".\n", "\n", 0),
	ROW("a\r\n.\rb\r\n", "a\r\n\rb\r\n", 0),
	ROW("a\n.\r\nb\r\n.\n.\r\n\r\n.\r\n", "a\n.\r\nb\r\n\n.\r\n\r\n", 1),
	ROW("a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", 1),
	ROW("a\r\n.\r\r.\r\n.\r\n", "a\r\n\r\r.\r\n", 1),
	ROW("\r\r\n.\r\n", "\r\r\n", 1),
	ROW("a\r\n. \r\n.\r\n", "a\r\n \r\n", 1),
	ROW("a\r\n.\0\r\n.\r\n", "a\r\n\0\r\n", 1),
	ROW("a\0b\xff\r\n\0\r\n.\r\n", "a\0b\xff\r\n\0\r\n", 1),
	ROW("a\n\r\n.\r\n", "a\n\r\n", 1),
	ROW("\n\r.\r\n.\r\n", "\n\r.\r\n", 1),
};

static void check_row(size_t row, size_t first, size_t step)
{
	const struct mail_row *r = &mail_rows[row];
	struct pop3 *p = pop3_at_retr();
	struct got got = { 0 };
	buf_init(&got.mail, 1 << 20);
	feed(p, slice_first(r->wire, first), &got);
	for (size_t pos = first; pos < r->wire.len; pos += step)
		feed(p, slice_between(r->wire, pos, pos + step), &got);
	if (!slice_equal(buf_slice(&got.mail), r->mail) || got.ends != r->ends || got.failures > 0)
		fail_msg("row %zu split %zu, %zu: got \"%.*s\", %zu ends", row, first, step,
			 SLICE_ARG(buf_slice(&got.mail)), got.ends);
	assert_int_equal(pop3_open(p), r->ends ? 0 : 1);
	pop3_feed_end(p);
	feed(p, slice_make(NULL, 0), &got);
	assert_int_equal(got.ends, r->ends);
	assert_int_equal(got.failures, 1);
	buf_free(&got.mail);
	pop3_free(&p);
}

static void each_mail_comes_out_the_same_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof mail_rows / sizeof mail_rows[0]; row++) {
		for (size_t split = 0; split <= mail_rows[row].wire.len; split++)
			check_row(row, split, mail_rows[row].wire.len);
		check_row(row, 0, 1);
		check_row(row, 0, 2);
		check_row(row, 1, 2);
		check_row(row, 0, 3);
	}
}

/* ---- any mail, any cut ---- */

static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % sides;
}

/* Mostly of the bytes that matter. Ends with CRLF or is empty, as it must on the wire. */
static void random_mail(struct buf *mail)
{
	static const char bytes[] = "\r\n..\r\n.a\0";
	buf_reset(mail);
	for (uint32_t n = dice(60); n > 0; n--) {
		if (dice(6) == 0)
			buf_add_str(mail, "\r\n.");
		else
			buf_add_byte(mail, bytes[dice(sizeof bytes)]);
	}
	if (mail->len > 0)
		buf_add_str(mail, "\r\n");
}

/* The sender's side, byte by byte, as plainly as it can be said. */
static void stuff(struct buf *wire, struct slice mail)
{
	buf_reset(wire);
	for (size_t i = 0; i < mail.len; i++) {
		bool is_start = i == 0 || (i >= 2 && mail.ptr[i - 2] == '\r' && mail.ptr[i - 1] == '\n');
		if (is_start && mail.ptr[i] == '.')
			buf_add_byte(wire, '.');
		buf_add_byte(wire, mail.ptr[i]);
	}
	buf_add_str(wire, ".\r\n");
}

static void what_is_stuffed_comes_out_equal_for_random_mails_and_cuts(void **state)
{
	(void)state;
	struct buf mail, wire;
	struct got got = { 0 };
	buf_init(&mail, 4096);
	buf_init(&wire, 8192);
	buf_init(&got.mail, 4096);
	for (seed = 1; seed < 20000; seed++) {
		uint64_t start = seed;
		struct pop3 *p = pop3_at_retr();
		random_mail(&mail);
		stuff(&wire, buf_slice(&mail));
		got.ends = got.failures = 0;
		buf_reset(&got.mail);
		for (size_t pos = 0; pos < wire.len;) {
			size_t n = 1 + dice(dice(2) ? 4 : 100);
			feed(p, slice_between(buf_slice(&wire), pos, pos + n), &got);
			pos += n;
		}
		if (got.ends != 1 || got.failures || !slice_equal(buf_slice(&got.mail), buf_slice(&mail)))
			fail_msg("seed %llu", (unsigned long long)start);
		pop3_free(&p);
		seed = start;
	}
	buf_free(&mail);
	buf_free(&wire);
	buf_free(&got.mail);
}

/* ---- the way the bytes come ---- */

static void runs_are_long_and_lie_in_what_was_fed(void **state)
{
	(void)state;
	enum { LINES = 1000 };
	struct buf wire;
	buf_init(&wire, 1 << 20);
	for (int i = 0; i < LINES; i++)
		buf_add_str(&wire, i == 500 ? "..stuffed\r\n" : "a line of text. with dots.\r\n");
	buf_add_str(&wire, ".\r\n");
	struct pop3 *p = pop3_at_retr();
	struct pop3_event ev;
	size_t runs = 0;
	pop3_feed(p, buf_slice(&wire));
	for (pop3_next(p, &ev); ev.kind == POP3_MAIL_BYTES; pop3_next(p, &ev)) {
		assert_true(ev.bytes.ptr >= wire.ptr && ev.bytes.ptr + ev.bytes.len <= wire.ptr + wire.len);
		runs++;
	}
	assert_int_equal(ev.kind, POP3_MAIL_END);
	assert_int_equal(runs, 2); /* before the stuffed line, and from it on */
	buf_free(&wire);
	pop3_free(&p);
}

static void mails_asked_for_together_come_one_behind_the_other(void **state)
{
	(void)state;
	enum { MAILS = 64 };
	struct buf wire;
	buf_init(&wire, 1 << 20);
	for (unsigned i = 1; i <= MAILS; i++)
		buf_addf(&wire, "+OK %u octets\r\nmail %u\r\n..\r\n.\r\n", 99u, i);
	for (size_t step = 1; step <= wire.len; step += step < 40 ? 1 : wire.len - 40) {
		struct pop3 *p = pop3_new();
		struct pop3_event ev;
		struct buf mail;
		uint32_t ends = 0;
		char wanted[64];
		buf_init(&mail, 256);
		pop3_feed(p, SLICE("+OK\r\n"));
		pop3_next(p, &ev);
		pop3_next(p, &ev);
		for (uint32_t i = 1; i <= MAILS; i++)
			assert_true(pop3_retr(p, i));
		for (size_t pos = 0; pos < wire.len; pos += step) {
			pop3_feed(p, slice_between(buf_slice(&wire), pos, pos + step));
			for (pop3_next(p, &ev); ev.kind != POP3_NONE; pop3_next(p, &ev)) {
				assert_int_equal(ev.number, ends + 1);
				assert_int_not_equal(ev.kind, POP3_FAILED);
				if (ev.kind == POP3_MAIL_BYTES)
					buf_add(&mail, ev.bytes);
				if (ev.kind != POP3_MAIL_END)
					continue;
				snprintf(wanted, sizeof wanted, "mail %u\r\n.\r\n", ++ends);
				assert_slice(buf_slice(&mail), wanted);
				assert_int_equal(pop3_open(p), MAILS - ends);
				buf_reset(&mail);
			}
		}
		assert_int_equal(ends, MAILS);
		buf_free(&mail);
		pop3_free(&p);
	}
	buf_free(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mail_comes_out_the_same_however_it_is_cut),
		cmocka_unit_test(what_is_stuffed_comes_out_equal_for_random_mails_and_cuts),
		cmocka_unit_test(runs_are_long_and_lie_in_what_was_fed),
		cmocka_unit_test(mails_asked_for_together_come_one_behind_the_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
