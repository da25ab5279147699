/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "desk/table.h"
#include "desk/text.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

static void every_hostile_byte_is_shown_and_does_nothing(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "a\r\nb\tc", "a\\x0d\\x0ab\\x09c" },
		{ "\x7f", "\\x7f" },
		{ "\xc2\x9b" "31m", "\\u{9b}31m" },             /* C1 CSI as UTF-8 */
		{ "\x9b" "31m", "\\x9b31m" },                   /* C1 CSI as a byte */
		{ "\xe2\x80\xae" "gpj.exe", "\\u{202e}gpj.exe" }, /* right-to-left override */
		{ "\xe2\x81\xa6x\xe2\x81\xa9", "\\u{2066}x\\u{2069}" },
		{ "\xe2\x80\x8b", "\\u{200b}" },
		{ "\xe2\x80\xa8", "\\u{2028}" },
		{ "\xef\xbb\xbf", "\\u{feff}" },
		{ "\xf3\xa0\x81\x81", "\\u{e0041}" },           /* tag letters */
		{ "\xc0\xaf", "\\xc0\\xaf" },                   /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond Unicode */
		{ "\xe2\x82", "\\xe2\\x82" },                   /* cut */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;
		buf_init(&out, 1024);
		assert_true(text_safe(&out, slice_from_str(cases[i].in)));
		assert_string_equal(buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}

static void no_single_or_double_byte_reaches_the_terminal_as_control(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 0x10000; n++) {
		char in[2] = { (char)(n >> 8), (char)n };
		struct buf out;
		buf_init(&out, 64);
		text_safe(&out, slice_make(in, sizeof in));
		struct slice s = buf_slice(&out);
		for (size_t pos = 0; pos < s.len;)
			assert_true(text_is_harmless(text_next(s, &pos)));
		buf_free(&out);
	}
}

static void text_is_cut_by_columns_and_not_in_the_middle_of_a_character(void **state)
{
	static const struct {
		const char *in;
		size_t columns;
		const char *out;
	} cases[] = {
		{ "abcdef", 6, "abcdef" },
		{ "abcdef", 5, "abcd…" },
		{ "ééééé", 3, "éé…" },
		{ "漢字漢字", 5, "漢字…" }, /* two columns each */
		{ "漢字漢字", 4, "漢…" },
		{ "abc", 0, "" },
		{ "abc", 1, "…" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;
		buf_init(&out, 1024);
		text_cut(&out, slice_from_str(cases[i].in), cases[i].columns);
		assert_string_equal(buf_str(&out), cases[i].out);
		assert_true(text_columns(buf_slice(&out)) <= cases[i].columns);
		buf_free(&out);
	}
}

static void long_lines_are_folded_at_blanks_and_stay_complete(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	text_fold(&out, SLICE("  one two three four five\nshort\n\nx\x1by"), 14, 2);
	assert_string_equal(buf_str(&out), "  one two\n    three four\n    five\nshort\n\nx\\x1by\n");
	buf_reset(&out);
	text_fold(&out, SLICE("  one two three four five"), 0, 2);
	assert_string_equal(buf_str(&out), "  one two three four five\n");
	buf_free(&out);
}

static void numbers_sizes_and_times_are_for_people(void **state)
{
	(void)state;
	char out[TEXT_TIME_BYTES];
	assert_string_equal(text_number(0, out), "0");
	assert_string_equal(text_number(999, out), "999");
	assert_string_equal(text_number(1000, out), "1,000");
	assert_string_equal(text_number(1234567, out), "1,234,567");
	assert_string_equal(text_number(UINT64_MAX, out), "18,446,744,073,709,551,615");
	assert_string_equal(text_size(1023, out), "1023 B");
	assert_string_equal(text_size(1536, out), "1.5 KiB");
	assert_string_equal(text_size(UINT64_C(5) << 30, out), "5.0 GiB");
	setenv("TZ", "Europe/Dublin", 1);
	tzset();
	assert_string_equal(text_time(1133860803000, out), "2005-12-06 09:20:03 GMT");
	setenv("TZ", "UTC-1", 1);
	tzset();
	assert_string_equal(text_time(1133860803000, out), "2005-12-06 10:20:03 UTC");
	assert_string_equal(text_time(0, out), "-");
	text_time(INT64_MAX, out);
	assert_true(strlen(out) < sizeof out);
}

static const struct table_column columns[] = {
	{ "ID", 0, 0, false }, { "COUNT", 0, 2, true }, { "EXTRA", 0, 3, false }, { "TEXT", 6, 0, false },
};

static char *table_text(size_t total_columns, size_t rows)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct table t;
	table_begin(&t, out, columns, 4, total_columns, false);
	for (size_t i = 0; i < rows; i++) {
		table_cell(&t, SLICE("abc"));
		table_cellf(&t, "%zu", i * 100);
		table_cell(&t, SLICE(""));
		table_cell(&t, SLICE("a subject \x1b[31m of some length"));
	}
	table_end(&t);
	fclose(out);
	return text;
}

static void a_table_fits_the_terminal_and_is_whole_in_a_pipe(void **state)
{
	(void)state;
	char *text = table_text(0, 2);
	assert_string_equal(text, "ID   COUNT  EXTRA  TEXT\n"
				  "abc      0         a subject \\x1b[31m of some length\n"
				  "abc    100         a subject \\x1b[31m of some length\n");
	free(text);
	text = table_text(30, 2);
	assert_string_equal(text, "ID   COUNT  EXTRA  TEXT\n"
				  "abc      0         a subject …\n"
				  "abc    100         a subject …\n");
	free(text);
	text = table_text(20, 1);
	assert_string_equal(text, "ID   COUNT  TEXT\n"
				  "abc      0  a subje…\n");
	free(text);
}

static void no_width_makes_a_line_longer_than_the_terminal(void **state)
{
	(void)state;
	for (size_t width = 12; width < 120; width++) {
		char *text = table_text(width, 3);
		struct slice rest = slice_from_str(text), line;
		size_t lines = 0;
		while (slice_next(&rest, '\n', &line)) {
			assert_true(text_columns(line) <= width);
			lines++;
		}
		assert_int_equal(lines, 4);
		free(text);
	}
}

static void a_long_table_is_printed_in_batches_and_no_row_is_missing(void **state)
{
	(void)state;
	char *text = table_text(80, 3 * TABLE_BATCH + 7);
	size_t lines = 0;
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 3 * TABLE_BATCH + 7 + 1);
	free(text);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hostile_byte_is_shown_and_does_nothing),
		cmocka_unit_test(no_single_or_double_byte_reaches_the_terminal_as_control),
		cmocka_unit_test(text_is_cut_by_columns_and_not_in_the_middle_of_a_character),
		cmocka_unit_test(long_lines_are_folded_at_blanks_and_stay_complete),
		cmocka_unit_test(numbers_sizes_and_times_are_for_people),
		cmocka_unit_test(a_table_fits_the_terminal_and_is_whole_in_a_pipe),
		cmocka_unit_test(no_width_makes_a_line_longer_than_the_terminal),
		cmocka_unit_test(a_long_table_is_printed_in_batches_and_no_row_is_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
