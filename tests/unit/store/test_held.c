/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "store/held.h"

static void fill(struct held *h, struct held_rcpt *rcpts, size_t count, struct slice header)
{
	*h = (struct held){ .time_ms = 1133860803123, .incident = "DABC", .queue_id = "4XYZ",
			    .mail_from = "a@example.org", .client = "mx [192.0.2.1]", .helo = "mx",
			    .rule = "pair", .reason = "4 copies: in 1 h", .instance = { 1, 2, 255 },
			    .body_bytes = 5, .rcpts = rcpts, .rcpt_count = count,
			    .header_bytes = header.len };
	memset(h->body, 'a', BODY_NAME_BYTES - 1);
	held_make_id(h->time_ms, h->id);
	for (size_t i = 0; i < count; i++) {
		rcpts[i] = (struct held_rcpt){ i & 1 ? DEED_SUPPRESS : DEED_HOLD, false, { (uint8_t)i }, "" };
		snprintf(rcpts[i].address, sizeof rcpts[i].address, "r%zu@example.net", i);
	}
}

static void what_is_written_is_read_back_the_same(void **state)
{
	(void)state;
	struct held h, back;
	struct held_rcpt rcpts[3];
	struct slice header = SLICE("Subject: x\r\nTo: y\r\n"), header_back;
	struct buf out;
	fill(&h, rcpts, 3, header);
	buf_init(&out, 1 << 20);
	assert_true(held_encode(&h, header, &out));
	assert_true(held_decode(buf_slice(&out), &back, &header_back, NULL));
	assert_true(slice_equal(header, header_back));
	assert_string_equal(back.id, h.id);
	assert_int_equal(back.time_ms, h.time_ms);
	assert_string_equal(back.incident, h.incident);
	assert_string_equal(back.queue_id, h.queue_id);
	assert_string_equal(back.mail_from, h.mail_from);
	assert_string_equal(back.client, h.client);
	assert_string_equal(back.reason, h.reason);
	assert_memory_equal(back.instance, h.instance, sizeof h.instance);
	assert_string_equal(back.body, h.body);
	assert_int_equal(back.body_bytes, 5);
	assert_int_equal(back.rcpt_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(back.rcpts[i].deed, rcpts[i].deed);
		assert_memory_equal(back.rcpts[i].pair, rcpts[i].pair, 12);
		assert_string_equal(back.rcpts[i].address, rcpts[i].address);
	}
	held_free(&back);
	buf_free(&out);
}

static void a_null_sender_and_an_empty_header_survive(void **state)
{
	(void)state;
	struct held h, back;
	struct held_rcpt rcpt;
	struct slice header_back;
	struct buf out;
	fill(&h, &rcpt, 1, SLICE(""));
	h.mail_from[0] = '\0';
	snprintf(h.body, sizeof h.body, "-");
	buf_init(&out, 1 << 20);
	assert_true(held_encode(&h, SLICE(""), &out));
	assert_true(held_decode(buf_slice(&out), &back, &header_back, NULL));
	assert_string_equal(back.mail_from, "");
	assert_string_equal(back.body, "-");
	assert_int_equal(header_back.len, 0);
	held_free(&back);
	buf_free(&out);
}

static void every_flipped_bit_and_every_cut_is_noticed(void **state)
{
	(void)state;
	struct held h, back;
	struct held_rcpt rcpts[2];
	struct slice header = SLICE("Subject: x\r\n"), header_back;
	struct buf out;
	fill(&h, rcpts, 2, header);
	buf_init(&out, 1 << 20);
	assert_true(held_encode(&h, header, &out));
	for (size_t i = 0; i < out.len * 8; i++) {
		out.ptr[i / 8] = (char)(out.ptr[i / 8] ^ 1 << i % 8);
		assert_false(held_decode(buf_slice(&out), &back, &header_back, NULL));
		out.ptr[i / 8] = (char)(out.ptr[i / 8] ^ 1 << i % 8);
	}
	for (size_t i = 0; i < out.len; i++)
		assert_false(held_decode(slice_first(buf_slice(&out), i), &back, &header_back, NULL));
	buf_free(&out);
}

/* The text with a right sum, whatever it says. */
static void seal(struct buf *out, const char *fields)
{
	struct digest d;
	uint8_t sum[16];
	char hex[33];
	buf_reset(out);
	digest_init(&d, NULL, sizeof sum);
	digest_add(&d, slice_from_str(fields));
	digest_end(&d, sum);
	hash_to_hex(sum, sizeof sum, hex);
	buf_addf(out, "quell-hold: 1\nsum: %s\n%s", hex, fields);
}

#define GOOD_BUT_RCPT "id: H0abc\ntime: 1\nmail-from: \nbody: -\nbody-bytes: 0\nheader-bytes: 0\n"
#define RCPT "rcpt: hold 000102030405060708090a0b a@b\n"

static void a_right_sum_does_not_make_a_wrong_mail_right(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "\n", "id\n\n", GOOD_BUT_RCPT "\n", GOOD_BUT_RCPT RCPT,
		GOOD_BUT_RCPT RCPT "\nx",
		GOOD_BUT_RCPT "rcpt: pass 000102030405060708090a0b a@b\n\n",
		GOOD_BUT_RCPT "rcpt: hold 0001 a@b\n\n", GOOD_BUT_RCPT "rcpt: hold\n\n",
		"id: ../../etc/x\ntime: 1\nmail-from: \nbody: -\nbody-bytes: 0\nheader-bytes: 0\n" RCPT "\n",
		"id: H0\ntime: 1\nmail-from: \nbody: ../key\nbody-bytes: 0\nheader-bytes: 0\n" RCPT "\n",
		"id: H0\ntime: -1\nmail-from: \nbody: -\nbody-bytes: 0\nheader-bytes: 0\n" RCPT "\n",
		"id: H0\ntime: 1\nbody: -\nbody-bytes: 0\nheader-bytes: 0\n" RCPT "\n",
		"id: H0123456789012345678901234567\ntime: 1\nmail-from: \nbody: -\nbody-bytes: 0\n"
		"header-bytes: 0\n" RCPT "\n",
		GOOD_BUT_RCPT "queue-id: a\x01" "b\n" RCPT "\n",
	};
	static const char *const good[] = {
		GOOD_BUT_RCPT RCPT "\n",
		GOOD_BUT_RCPT "later-field: of another version\n" RCPT "\n",
	};
	struct held back;
	struct slice header;
	struct buf out;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error error = { 0 };
		seal(&out, bad[i]);
		if (held_decode(buf_slice(&out), &back, &header, &error))
			fail_msg("accepted: %s", bad[i]);
		assert_true(error.text[0]);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		seal(&out, good[i]);
		assert_true(held_decode(buf_slice(&out), &back, &header, NULL));
		held_free(&back);
	}
	buf_free(&out);
}

static void a_large_mail_file_is_packed_and_comes_back_and_a_small_one_stays_text(void **state)
{
	(void)state;
	static char text[20000];
	struct buf packed, back;
	memset(text, 'a', sizeof text);
	buf_init(&packed, 1 << 20);
	buf_init(&back, 1 << 20);
	assert_true(held_pack(slice_make(text, sizeof text), &packed));
	assert_true(packed.len < 4096);
	assert_true(held_unpack(buf_slice(&packed), &back, NULL));
	assert_true(slice_equal(buf_slice(&back), slice_make(text, sizeof text)));
	buf_reset(&packed);
	assert_true(held_pack(slice_make(text, 4000), &packed));
	assert_int_equal(packed.len, 4000);
	buf_free(&packed);
	buf_free(&back);
}

static void a_packed_file_that_would_burst_is_refused(void **state)
{
	(void)state;
	/* Frame header with an 8-byte content size of 2^40, and one of unknown size. */
	static const char bomb[] = "\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\1\0\0", unknown[] = "\x28\xb5\x2f\xfd\0\x58";
	struct buf back;
	buf_init(&back, HELD_TEXT_BYTES_MAX + 1);
	struct error error = { 0 };
	assert_false(held_unpack(slice_make(bomb, sizeof bomb - 1), &back, &error));
	assert_true(error.text[0]);
	assert_false(held_unpack(slice_make(unknown, sizeof unknown - 1), &back, &error));
	buf_free(&back);
}

static void outside_text_cannot_add_a_line_and_an_address_is_exact_or_refused(void **state)
{
	(void)state;
	char text[8], address[HELD_ADDRESS_BYTES], longest[HELD_ADDRESS_BYTES];
	held_text(text, sizeof text, SLICE("a\nb: c and more"));
	assert_string_equal(text, "a?b: c ");
	memset(longest, 'x', sizeof longest);
	assert_true(held_address(address, slice_make(longest, HELD_ADDRESS_BYTES - 1)));
	assert_false(held_address(address, slice_make(longest, HELD_ADDRESS_BYTES)));
	assert_false(held_address(address, SLICE("a\r\nRCPT TO:<b>")));
	assert_false(held_address(address, slice_make("a\0b", 3)));
	assert_true(held_address(address, SLICE("m\xc3\xbcller@example.org")));
}

static void ids_sort_by_time_and_are_names_of_files(void **state)
{
	(void)state;
	char a[HOLD_ID_BYTES], b[HOLD_ID_BYTES];
	for (int64_t t = 1; t < (int64_t)1 << 44; t *= 3) {
		held_make_id(t, a);
		held_make_id(t + 1, b);
		assert_true(strcmp(a, b) < 0);
		assert_true(held_id_is_valid(a));
	}
	assert_false(held_id_is_valid(""));
	assert_false(held_id_is_valid("H"));
	assert_false(held_id_is_valid("H/../x"));
	assert_false(held_id_is_valid("Habcdefghijklmnopqrstuvwxyz"));
}

static void without_memory_decoding_fails_and_nothing_leaks(void **state)
{
	(void)state;
	struct held h, back;
	struct held_rcpt rcpt;
	struct slice header;
	struct buf out;
	fill(&h, &rcpt, 1, SLICE(""));
	buf_init(&out, 1 << 20);
	assert_true(held_encode(&h, SLICE(""), &out));
	mem_fail_after = 0;
	bool is_decoded = held_decode(buf_slice(&out), &back, &header, NULL);
	mem_fail_after = -1;
	assert_false(is_decoded);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back_the_same),
		cmocka_unit_test(a_null_sender_and_an_empty_header_survive),
		cmocka_unit_test(every_flipped_bit_and_every_cut_is_noticed),
		cmocka_unit_test(a_right_sum_does_not_make_a_wrong_mail_right),
		cmocka_unit_test(a_large_mail_file_is_packed_and_comes_back_and_a_small_one_stays_text),
		cmocka_unit_test(a_packed_file_that_would_burst_is_refused),
		cmocka_unit_test(outside_text_cannot_add_a_line_and_an_address_is_exact_or_refused),
		cmocka_unit_test(ids_sort_by_time_and_are_names_of_files),
		cmocka_unit_test(without_memory_decoding_fails_and_nothing_leaks),
	};
	hash_start();
	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
