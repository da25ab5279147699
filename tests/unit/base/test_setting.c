/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/setting.h"

struct values {
	bool is_on;
	int64_t number;
	const char *text;
	struct setting_list list;
};

static const struct setting_row rows[] = {
	[SETTING_BOOL] = { .name = "b", .type = SETTING_BOOL, .offset = offsetof(struct values, is_on) },
	[SETTING_INT] = { .name = "i", .type = SETTING_INT, .offset = offsetof(struct values, number),
			  .min = -5, .max = 100 },
	[SETTING_SPAN] = { .name = "s", .type = SETTING_SPAN, .offset = offsetof(struct values, number),
			   .min = 100, .max = 86400000 },
	[SETTING_BYTES] = { .name = "z", .type = SETTING_BYTES, .offset = offsetof(struct values, number) },
	[SETTING_TEXT] = { .name = "t", .type = SETTING_TEXT, .offset = offsetof(struct values, text) },
	[SETTING_PATH] = { .name = "p", .type = SETTING_PATH, .offset = offsetof(struct values, text),
			   .default_text = "/x" },
	[SETTING_CHOICE] = { .name = "c", .type = SETTING_CHOICE, .offset = offsetof(struct values, text),
			     .choices = "observe|guard" },
	[SETTING_LIST] = { .name = "l", .type = SETTING_LIST, .offset = offsetof(struct values, list) },
};

static void what_is_read_is_printed_in_its_largest_whole_unit(void **state)
{
	static const struct {
		enum setting_type type;
		const char *in, *out;
	} cases[] = {
		{ SETTING_BOOL, "yes", "true" },     { SETTING_BOOL, "OFF", "false" },
		{ SETTING_INT, "-5", "-5" },         { SETTING_INT, "0", "0" },
		{ SETTING_INT, "100", "100" },       { SETTING_SPAN, "60s", "1m" },
		{ SETTING_SPAN, "90m", "90m" },      { SETTING_SPAN, "24h", "1d" },
		{ SETTING_SPAN, "1500ms", "1500ms" }, { SETTING_BYTES, "4096", "4KiB" },
		{ SETTING_BYTES, "1GiB", "1GiB" },   { SETTING_BYTES, "0", "0" },
		{ SETTING_BYTES, "1025", "1025" },   { SETTING_TEXT, "", "\"\"" },
		{ SETTING_TEXT, "a b", "\"a b\"" },  { SETTING_TEXT, "log:/var/log/mail.log", "log:/var/log/mail.log" },
		{ SETTING_TEXT, "a\"b\\", "\"a\\\"b\\\\\"" }, { SETTING_TEXT, "0660", "\"0660\"" },
		{ SETTING_TEXT, "null", "\"null\"" }, { SETTING_TEXT, "x:", "\"x:\"" },
		{ SETTING_PATH, "/run/x", "/run/x" }, { SETTING_CHOICE, "guard", "guard" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct values values = { .text = "" };
		char why[128], out[128];
		if (!setting_parse(&rows[cases[i].type], cases[i].in, &values, why, sizeof why))
			fail_msg("\"%s\" was refused: %s", cases[i].in, why);
		setting_print(&rows[cases[i].type], &values, out, sizeof out);
		assert_string_equal(out, cases[i].out);
	}
}

static void what_is_wrong_is_refused_and_says_what_was_expected(void **state)
{
	static const char span[] = "a time such as 500ms, 30s, 15m, 6h or 3d, from 100ms to 1d";
	static const char size[] = "a size such as 4096, 64KiB, 256MiB or 1GiB";
	static const char number[] = "a whole number without leading zeros, from -5 to 100";
	static const struct {
		enum setting_type type;
		const char *in, *why;
	} cases[] = {
		{ SETTING_BOOL, "", "true or false" },   { SETTING_BOOL, "2", "true or false" },
		{ SETTING_INT, "010", number },          { SETTING_INT, "-6", number },
		{ SETTING_INT, "101", number },          { SETTING_INT, "1e1", number },
		{ SETTING_INT, "+1", number },           { SETTING_INT, "", number },
		{ SETTING_INT, "-", number },            { SETTING_INT, " 1", number },
		{ SETTING_INT, "0x10", number },         { SETTING_INT, "99999999999999999999", number },
		{ SETTING_SPAN, "30", span },            { SETTING_SPAN, "s", span },
		{ SETTING_SPAN, "1.5h", span },          { SETTING_SPAN, "030s", span },
		{ SETTING_SPAN, "0", span },             { SETTING_SPAN, "2d", span },
		{ SETTING_SPAN, "-1s", span },           { SETTING_SPAN, "9223372036854775807d", span },
		{ SETTING_BYTES, "1GB", size },          { SETTING_BYTES, "1 GiB", size },
		{ SETTING_BYTES, "9000000TiB", "a size such as 4096, 64KiB, 256MiB or 1GiB" },
		{ SETTING_PATH, "etc", "an absolute path, beginning with /" },
		{ SETTING_PATH, "", "an absolute path, beginning with /" },
		{ SETTING_CHOICE, "Guard", "one of observe, guard" },
		{ SETTING_LIST, "a", "a list" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct values values = { .number = 77, .text = "kept" };
		char why[128] = "";
		if (setting_parse(&rows[cases[i].type], cases[i].in, &values, why, sizeof why))
			fail_msg("\"%s\" was taken", cases[i].in);
		assert_string_equal(why, cases[i].why);
		assert_int_equal(values.number, 77);
		assert_string_equal(values.text, "kept");
	}
}

static void a_short_buffer_cuts_the_words_and_never_overruns(void **state)
{
	(void)state;
	static const char *const items[] = { "one.example.org", "two.example.org", "with \"quotes\"\n" };
	struct values values = { .list = { items, 3 }, .text = "a text that needs quotes" };
	for (size_t bytes = 8; bytes < 96; bytes++) {
		char out[96];
		memset(out, '#', sizeof out);
		setting_print(&rows[SETTING_LIST], &values, out, bytes);
		assert_true(strlen(out) < bytes);
		setting_print(&rows[SETTING_TEXT], &values, out, bytes);
		assert_true(strlen(out) < bytes);
		char why[96];
		memset(why, '#', sizeof why);
		assert_false(setting_parse(&rows[SETTING_CHOICE], "x", &values, why, bytes));
		assert_true(strlen(why) < bytes);
		for (size_t i = bytes; i < sizeof why; i++)
			assert_int_equal(why[i], '#');
	}
	char out[96];
	setting_print(&rows[SETTING_LIST], &values, out, sizeof out);
	assert_string_equal(out, "[one.example.org, two.example.org, \"with \\\"quotes\\\"\\x0a\"]");
}

static void a_secret_is_never_printed(void **state)
{
	(void)state;
	struct setting_row row = rows[SETTING_TEXT];
	struct values values = { .text = "hunter2" };
	char out[32];
	row.is_secret = true;
	setting_print(&row, &values, out, sizeof out);
	assert_string_equal(out, "********");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_printed_in_its_largest_whole_unit),
		cmocka_unit_test(what_is_wrong_is_refused_and_says_what_was_expected),
		cmocka_unit_test(a_short_buffer_cuts_the_words_and_never_overruns),
		cmocka_unit_test(a_secret_is_never_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
