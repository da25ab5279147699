/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox splitter and its unquoting.
 */
#include "unit.h"

#include "base/buf.h"
#include "mail/mbox.h"

static void on_bytes(void *ctx, struct slice bytes)
{
	buf_add(ctx, bytes);
}

static void add_mail(struct buf *out, struct slice text, const struct mbox_cut *cut, size_t end)
{
	struct mbox_unquote u = { 0 };
	struct slice line = slice_trim(slice_between(text, cut->separator, cut->next));
	buf_addf(out, "<%.*s@%zu:", SLICE_ARG(line), cut->separator);
	mbox_unquote_feed(&u, slice_between(text, cut->next, end), on_bytes, out);
	mbox_unquote_end(&u, on_bytes, out);
	buf_add_str(out, ">");
}

static const struct {
	const char *text, *mails;
} rows[] = {
	{ "From a 10:00\nS: x\n\nhi\n\nFrom b 11:00\nS: y\n\nho\n",
	  "<From a 10:00@0:S: x\n\nhi\n><From b 11:00@23:S: y\n\nho\n>" },
	{ "From a 10:00\r\nS: x\r\n\r\nhi\r\n\r\nFrom b 11:00\r\n\r\n",
	  "<From a 10:00@0:S: x\r\n\r\nhi\r\n><From b 11:00@28:>" },
	{ "From a 10:00\n\nFrom the start\n\nFrom here on: no clock\n",
	  "<From a 10:00@0:\nFrom the start\n\nFrom here on: no clock\n>" },
	{ "From a 10:00\n\nx\nFrom b 10:00\n", "<From a 10:00@0:\nx\nFrom b 10:00\n>" },
	{ "From a 10:00\n\n>From x\n>>From y\n>not\n", "<From a 10:00@0:\nFrom x\n>From y\n>not\n>" },
	{ "junk\n\nFrom a 10:00\n\nhi", "<From a 10:00@6:\nhi>" },
	{ "\n\nFrom a 10:00\n\nhi", "<From a 10:00@2:\nhi>" },
	{ "From a 10:00\n\n\n\nFrom b 10:00\nF", "<From a 10:00@0:\n\n><From b 10:00@16:F>" },
	{ "From a 10:00\n\nFrom b 10:00\n\nFrom c 10:00", "<From a 10:00@0:><From b 10:00@14:><From c 10:00@28:>" },
	{ "From a 10:00\n\nx\r\r\nFrom b 10:00\n", "<From a 10:00@0:\nx\r\r\nFrom b 10:00\n>" },
	{ "", "" },
	{ "no mailbox at all", "" },
};

static void a_mailbox_is_cut_at_its_separators(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mbox_text t = { slice_from_str(rows[i].text), true, true };
		struct mbox_cut cut, next;
		struct buf out;
		size_t pos = 0;
		buf_init(&out, 4096);
		for (bool has = mbox_find(&t, &pos, &cut); has; cut = next) {
			has = mbox_find(&t, &pos, &next);
			add_mail(&out, t.bytes, &cut, next.mail_end);
		}
		if (strcmp(buf_str(&out), rows[i].mails) != 0)
			fail_msg("row %zu: \"%s\"", i, buf_str(&out));
		buf_free(&out);
	}
}

/* The separators' offsets, seen through a window that is moved on as mbox.h says. */
static void find_in_windows(struct slice text, size_t window, struct buf *out)
{
	size_t from = 0, pos = 0;
	for (;;) {
		struct mbox_cut cut;
		struct slice bytes = slice_first(slice_from(text, from), window);
		struct mbox_text t = { bytes, from == 0, from + bytes.len == text.len };
		while (mbox_find(&t, &pos, &cut))
			buf_addf(out, "%zu-%zu ", from + cut.mail_end, from + cut.next);
		if (t.is_end) {
			buf_addf(out, "%zu", from + cut.mail_end);
			return;
		}
		size_t drop = pos > MBOX_BEFORE_BYTES ? pos - MBOX_BEFORE_BYTES : 0;
		assert_true(drop > 0);
		from += drop;
		pos -= drop;
	}
}

static void a_mailbox_seen_through_windows_of_every_size_is_cut_alike(void **state)
{
	static char text[4096];
	size_t len = 0;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s\n\n", rows[i].text, (int)(i * 9),
					"a line that moves what follows by some bytes, so that each place of a "
					"stride of the search is met by a separator once");
	struct buf whole, cut;
	buf_init(&whole, 4096);
	buf_init(&cut, 4096);
	find_in_windows(slice_make(text, len), len + 1, &whole);
	for (size_t window = 120; window < 400; window++) {
		buf_reset(&cut);
		find_in_windows(slice_make(text, len), window, &cut);
		assert_string_equal(buf_str(&cut), buf_str(&whole));
	}
	buf_free(&whole);
	buf_free(&cut);
}

static void unquoting_is_the_same_in_pieces_of_every_size(void **state)
{
	static const char quoted[] = ">From x\n>>From y\n>\n>Fro\n>>F\r\n a >From\n>>>From >From\n\n>>>";
	static const char plain[] = "From x\n>From y\n>\n>Fro\n>>F\r\n a >From\n>>From >From\n\n>>>";
	(void)state;
	for (size_t piece = 1; piece <= sizeof quoted; piece++) {
		struct mbox_unquote u = { 0 };
		struct buf out;
		buf_init(&out, 4096);
		for (size_t pos = 0; pos < sizeof quoted - 1; pos += piece)
			mbox_unquote_feed(&u, slice_first(slice_from(SLICE(quoted), pos), piece), on_bytes, &out);
		mbox_unquote_end(&u, on_bytes, &out);
		assert_string_equal(buf_str(&out), plain);
		buf_free(&out);
	}
}

static void a_line_too_long_is_no_separator(void **state)
{
	static char text[5000] = "From a 10:00 ";
	(void)state;
	memset(text + 13, 'x', sizeof text - 13);
	assert_true(mbox_is_separator(slice_make(text, MBOX_LINE_BYTES_MAX)));
	assert_false(mbox_is_separator(slice_make(text, MBOX_LINE_BYTES_MAX + 1)));
	struct mbox_text t = { slice_make(text, sizeof text), true, true };
	struct mbox_cut cut;
	size_t pos = 0;
	assert_false(mbox_find(&t, &pos, &cut));
	assert_int_equal(cut.mail_end, sizeof text);
}

static void a_header_ends_at_its_empty_line(void **state)
{
	(void)state;
	assert_int_equal(mbox_header_bytes(SLICE("A: b\n\nFrom")), 6);
	assert_int_equal(mbox_header_bytes(SLICE("A: b\r\n\r\n")), 8);
	assert_int_equal(mbox_header_bytes(SLICE("\nA: b\n\n")), 1);
	assert_int_equal(mbox_header_bytes(SLICE("A: b\n\r")), 0);
	assert_int_equal(mbox_header_bytes(SLICE("A: b\n")), 0);
	assert_int_equal(mbox_header_bytes(SLICE("")), 0);
}

static void a_content_length_is_a_number_or_none(void **state)
{
	uint64_t n = 7;
	(void)state;
	assert_true(mbox_content_length(SLICE("A: b\r\ncontent-length:  12 \r\nContent-Length: 13\n\n"), &n));
	assert_int_equal(n, 12);
	assert_false(mbox_content_length(SLICE("Content-Length: -1\n"), &n));
	assert_false(mbox_content_length(SLICE("Content-Length: 99999999999999999999\n"), &n));
	assert_false(mbox_content_length(SLICE("A: Content-Length: 1\n"), &n));
}

static void a_mail_ends_where_its_length_says_only_before_a_separator(void **state)
{
	static const struct {
		const char *text;
		size_t pos, mail_end, next;
		bool is_so;
	} ends[] = {
		{ "hi\n\nFrom b 10:00\n", 3, 3, 17, true },
		{ "hi\nFrom b 10:00\n", 3, 3, 16, true },
		{ "hi\n\nFrom b 10:00\n", 2, 3, 17, true },   /* the line's end was not counted */
		{ "hi\r\n\r\nFrom b 10:00\n", 4, 4, 19, true },
		{ "hi\n", 3, 3, 3, true },
		{ "hi", 2, 2, 2, true },
		{ "hi\n\n", 3, 3, 4, true },
		{ "hi\n\nFrom b\n", 3, 0, 0, false },
		{ "hi\n\n\nFrom b 10:00\n", 3, 0, 0, false },
		{ "hi\n\nFrom b 10:00\n", 1, 0, 0, false },
		{ "hi\n", 4, 0, 0, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct mbox_text t = { slice_from_str(ends[i].text), true, true };
		struct mbox_cut cut;
		if (mbox_ends_at(&t, ends[i].pos, &cut) != ends[i].is_so)
			fail_msg("row %zu", i);
		if (!ends[i].is_so)
			continue;
		assert_int_equal(cut.mail_end, ends[i].mail_end);
		assert_int_equal(cut.next, ends[i].next);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mailbox_is_cut_at_its_separators),
		cmocka_unit_test(a_mailbox_seen_through_windows_of_every_size_is_cut_alike),
		cmocka_unit_test(unquoting_is_the_same_in_pieces_of_every_size),
		cmocka_unit_test(a_line_too_long_is_no_separator),
		cmocka_unit_test(a_header_ends_at_its_empty_line),
		cmocka_unit_test(a_content_length_is_a_number_or_none),
		cmocka_unit_test(a_mail_ends_where_its_length_says_only_before_a_separator),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
