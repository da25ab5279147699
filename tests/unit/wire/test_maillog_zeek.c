/* SPDX-License-Identifier: Apache-2.0
 *
 * Zeek's smtp.log as TSV and as JSON: the same mail from both, every field; escapes, cut
 * lines, lines of Zeek's other logs, JSON that is none.
 */
#include "maillog_wanted.h"

#include "wire/maillog_json.h"

#define FIELDS                                                                                     \
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\ttrans_depth\thelo\tmailfrom\t" \
	"rcptto\tdate\tfrom\tto\tcc\treply_to\tmsg_id\tin_reply_to\tsubject\tx_originating_ip\t"      \
	"first_received\tsecond_received\tlast_reply\tpath\tuser_agent\ttls\tfuids"
#define BEGIN "1591367999.305988\tCMdzit1AMNsmfAIiQc\t192.0.2.7\t49153\t198.51.100.2\t25\t1\t"
#define ID .id = "CMdzit1AMNsmfAIiQc", .client = "192.0.2.7", .relay = "198.51.100.2", .time = "1591367999.305988"
#define JSON_BEGIN                                                                                 \
	"{\"ts\":1591367999.305988,\"uid\":\"CMdzit1AMNsmfAIiQc\",\"id.orig_h\":\"192.0.2.7\","       \
	"\"id.orig_p\":49153,\"id.resp_h\":\"198.51.100.2\",\"id.resp_p\":25,\"trans_depth\":1,"

static const struct wanted tsv_rows[] = {
	{ BEGIN "mx.a.example\tann@a.example\tbob@b.example,eve@b.example\tFri, 5 Jun 2020\tAnn <ann@a.example>\t"
		"bob@b.example\t-\t-\t<m1@a.example>\t<m0@b.example> <mx@c.example>\t"
		"Re: a\\x09b \\xc3\\xa9\t-\tfrom x\t-\t"
		"250 2.0.0 Ok: queued as 4Q9ABC\t198.51.100.2,192.0.2.7\tMail 1\tF\tFuid1",
	  MAILLOG_RECEIVED, ID, .helo = "mx.a.example", .from = "ann@a.example", .rcpts = "bob@b.example,eve@b.example",
	  .nrcpt = 2, .message_id = "m1@a.example", .in_reply_to = "m0@b.example", .subject = "Re: a\tb \xc3\xa9",
	  .text = "250 2.0.0 Ok: queued as 4Q9ABC", .dsn = "2.0.0", .other_id = "4Q9ABC" },
	{ BEGIN "mx\t<>\t<bob@b.example>\t-\t-\t-\t-\t-\t-\t-\t(empty)\t-\t-\t-\t550 5.1.1 no\t-\t-\tF\t-",
	  MAILLOG_REJECTED, ID, .helo = "mx", .from = "", .rcpts = "<bob@b.example>", .nrcpt = 1,
	  .text = "550 5.1.1 no",
	  .dsn = "5.1.1" },
	{ BEGIN "mx\t(empty)\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t452 later\t-\t-\tF\t(empty)",
	  MAILLOG_REJECTED, ID, .helo = "mx", .from = "", .text = "452 later" },
	{ BEGIN "mx\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t220 2.0.0 go ahead\t-\t-\tT\t-",
	  MAILLOG_OTHER, ID, .helo = "mx", .text = "220 2.0.0 go ahead", .dsn = "2.0.0" },
	{ BEGIN "a\\x5cb\\x\\xg1\tann@a.example\ta\\x2cb@b.example\t-\t-\t-\t-\t-\tm1\tm0\t\\\t-\t-\t-\t-\t-\t-\tF\t-",
	  MAILLOG_RECEIVED, ID, .helo = "a\\b\\x\\xg1", .from = "ann@a.example", .rcpts = "a\\x2cb@b.example",
	  .nrcpt = 1, .message_id = "m1", .in_reply_to = "m0", .subject = "\\" },
};

static const struct wanted json_rows[] = {
	{ JSON_BEGIN "\"helo\":\"mx.a.example\",\"mailfrom\":\"ann@a.example\",\"rcptto\":[\"bob@b.example\","
		     "\"eve@b.example\"],\"from\":\"Ann <ann@a.example>\",\"to\":[\"bob@b.example\"],"
		     "\"msg_id\":\"<m1@a.example>\",\"in_reply_to\":\"<m0@b.example>\\n <mx@c.example>\","
		     "\"subject\":\"Re: a\\tb \\u00e9\",\"last_reply\":\"250 2.0.0 Ok: queued as 4Q9ABC\","
		     "\"path\":[\"198.51.100.2\",\"192.0.2.7\"],\"tls\":false,\"fuids\":[\"Fuid1\"]}",
	  MAILLOG_RECEIVED, ID, .helo = "mx.a.example", .from = "ann@a.example", .rcpts = "bob@b.example,eve@b.example",
	  .nrcpt = 2, .message_id = "m1@a.example", .in_reply_to = "m0@b.example", .subject = "Re: a\tb \xc3\xa9",
	  .text = "250 2.0.0 Ok: queued as 4Q9ABC", .dsn = "2.0.0", .other_id = "4Q9ABC" },
	{ JSON_BEGIN "\"mailfrom\":\"\",\"rcptto\":[],\"last_reply\":\"550 no\"}", MAILLOG_REJECTED, ID, .from = "",
	  .text = "550 no" },
	{ JSON_BEGIN "\"helo\":\"mx\",\"mailfrom\":null,\"tls\":true}", MAILLOG_OTHER, ID, .helo = "mx" },
	{ " { \"uid\" : \"U\" , \"rcptto\" : [ \"a\\\"b\\\\\\/c@b.example\" , 7, \"\", \"<d@b.example>\" ] , "
	  "\"deep\":{\"uid\":\"no\",\"x\":[[],{},[{}]]}, \"uid\":\"second\" } ",
	  MAILLOG_RECEIVED, .id = "U", .rcpts = "a\"b\\/c@b.example,,<d@b.example>", .nrcpt = 4 },
	{ "{\"ts\":\"2020-06-05T14:39:59.305988Z\",\"uid\":\"U\","
	  "\"helo\":\"\\ud83d\\ude00 \\ud83d! \\ude00\\b\\f\\n\\r\\u0001\"}",
	  MAILLOG_OTHER, .id = "U", .time = "2020-06-05T14:39:59.305988Z",
	  .helo = "\xF0\x9F\x98\x80 \xEF\xBF\xBD! \xEF\xBF\xBD\b\f\n\r\x01" },
	{ "{\"uid\":\"U\",\"mailfrom\":[\"no\"],\"rcptto\":\"no\",\"helo\":{\"a\":1},\"last_reply\":250}",
	  MAILLOG_OTHER, .id = "U", .text = "250" },
};

static struct maillog_reader reader;

static bool read_tsv(struct slice line, struct maillog_event *ev)
{
	clear_event(ev);
	reader.scratch_used = 0;
	return maillog_zeek_tsv(&reader, line, ev);
}

static bool read_json(struct slice line, struct maillog_event *ev)
{
	clear_event(ev);
	reader.scratch_used = 0;
	return maillog_zeek_json(&reader, line, ev);
}

static void begin_file(const char *separator, const char *fields)
{
	static const char *const header[] = {
		"#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tsmtp",
		"#open\t2020-06-05-14-00-00",
	};
	struct maillog_event ev;
	memset(&reader, 0, sizeof reader);
	assert_true(read_tsv(slice_from_str(separator), &ev));
	for (size_t i = 0; reader.separator == '\t' && i < sizeof header / sizeof header[0]; i++) {
		assert_true(read_tsv(slice_from_str(header[i]), &ev));
		assert_int_equal(ev.format, MAILLOG_ZEEK_TSV);
		assert_int_equal(ev.kind, MAILLOG_OTHER);
	}
	assert_true(read_tsv(slice_from_str(fields), &ev));
}

static void a_line_of_the_table_is_a_mail(void **state)
{
	(void)state;
	begin_file("#separator \\x09", FIELDS);
	assert_int_equal(reader.column_count, 26);
	for (size_t i = 0; i < sizeof tsv_rows / sizeof tsv_rows[0]; i++) {
		struct maillog_event ev;
		assert_true(read_tsv(slice_from_str(tsv_rows[i].line), &ev));
		assert_int_equal(ev.format, MAILLOG_ZEEK_TSV);
		check_wanted(&tsv_rows[i], &ev);
	}
	struct maillog_event ev;
	assert_true(read_tsv(slice_from_str("#close\t2020-06-05-15-00-00"), &ev));
}

static void an_object_of_json_is_a_mail(void **state)
{
	(void)state;
	memset(&reader, 0, sizeof reader);
	for (size_t i = 0; i < sizeof json_rows / sizeof json_rows[0]; i++) {
		struct maillog_event ev;
		if (!read_json(slice_from_str(json_rows[i].line), &ev))
			fail_msg("not read: %s", json_rows[i].line);
		assert_int_equal(ev.format, MAILLOG_ZEEK_JSON);
		check_wanted(&json_rows[i], &ev);
	}
}

static void the_recipients_of_both_are_taken_one_by_one(void **state)
{
	(void)state;
	struct maillog_event ev;
	struct slice rcpt;
	memset(&reader, 0, sizeof reader);
	assert_true(read_json(slice_from_str(json_rows[0].line), &ev));
	assert_int_equal(ev.rcpts_separator, ',');
	struct slice rest = ev.rcpts;
	assert_true(slice_next(&rest, ',', &rcpt));
	assert_slice(rcpt, "bob@b.example");
	assert_true(slice_next(&rest, ',', &rcpt));
	assert_slice(rcpt, "eve@b.example");
	assert_false(slice_next(&rest, ',', &rcpt));
}

static void another_separator_is_followed(void **state)
{
	(void)state;
	static const struct wanted row = {
		"U|ann@a.example|bob@b.example|192.0.2.7", MAILLOG_RECEIVED, .id = "U", .from = "ann@a.example",
		.rcpts = "bob@b.example", .nrcpt = 1, .client = "192.0.2.7",
	};
	struct maillog_event ev;
	begin_file("#separator \\x7c", "#fields|uid|mailfrom|rcptto|id.orig_h");
	assert_int_equal(reader.separator, '|');
	assert_true(read_tsv(slice_from_str(row.line), &ev));
	check_wanted(&row, &ev);
}

static void other_logs_of_zeek_hold_no_mail(void **state)
{
	(void)state;
	static const char *const objects[] = {
		"{\"ts\":1.5,\"uid\":\"U\",\"trans_depth\":1,\"method\":\"GET\",\"host\":\"x\"}", "{\"helo\":\"x\"}",
		"{\"uid\":null,\"helo\":\"x\"}", "{}",
	};
	struct maillog_event ev;
	begin_file("#separator \\x09", "#fields\tts\tuid\tid.orig_h\tproto\tservice");
	assert_int_equal(reader.column_count, 0);
	assert_false(read_tsv(slice_from_str("1.5\tU\t192.0.2.7\ttcp\tsmtp"), &ev));
	for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
		assert_false(read_json(slice_from_str(objects[i]), &ev));
		assert_int_equal(ev.kind, MAILLOG_OTHER);
	}
	assert_int_equal(reader.format, MAILLOG_UNKNOWN);
}

static void lines_before_a_header_are_not_zeeks(void **state)
{
	(void)state;
	struct maillog_event ev;
	memset(&reader, 0, sizeof reader);
	assert_false(read_tsv(slice_from_str(tsv_rows[0].line), &ev));
	assert_false(read_tsv(slice_from_str("#"), &ev));
	assert_false(read_tsv(slice_from_str("#Fields: date-time,client-ip"), &ev));
	assert_false(read_tsv(slice_from_str("#fields"), &ev));
	assert_false(read_tsv(slice_make(NULL, 0), &ev));
	assert_false(read_json(slice_make(NULL, 0), &ev));
}

static void a_line_cut_anywhere_has_no_fact(void **state)
{
	(void)state;
	struct maillog_event ev;
	begin_file("#separator \\x09", FIELDS);
	for (size_t i = 0; i < sizeof tsv_rows / sizeof tsv_rows[0]; i++) {
		size_t whole = (size_t)(strrchr(tsv_rows[i].line, '\t') - tsv_rows[i].line) + 1;
		for (size_t len = 0; len < whole; len++) {
			struct slice cut = exact_copy(tsv_rows[i].line, len);
			assert_true(read_tsv(cut, &ev));
			assert_int_equal(ev.kind, MAILLOG_OTHER);
			assert_int_equal(ev.queue_id.len + ev.rcpts.len + ev.time.len, 0);
			free((void *)(uintptr_t)cut.ptr);
		}
	}
	for (size_t i = 0; i < sizeof json_rows / sizeof json_rows[0]; i++) {
		size_t whole = (size_t)(strrchr(json_rows[i].line, '}') - json_rows[i].line) + 1;
		for (size_t len = 0; len < whole; len++) {
			struct slice cut = exact_copy(json_rows[i].line, len);
			assert_false(read_json(cut, &ev));
			assert_int_equal(ev.queue_id.len + ev.rcpts.len + ev.time.len, 0);
			free((void *)(uintptr_t)cut.ptr);
		}
	}
}

static void what_is_no_json_is_no_line(void **state)
{
	(void)state;
	static const char *const values[] = {
		"", "tru", "nul", "01", "-", "1.", ".5", "1e", "1e+", "+1", "0x1", "'a'", "\"\\x41\"", "\"\\u12g4\"",
		"\"\\u12", "\"\t\"", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{1:2}", "[}", "{]",
		"[1}", "1,,", "1}", "[", "{", "\"\\", "\"a",
	};
	static const char *const good[] = {
		"true", "false", "null", "0", "-0", "-1.5e-7", "1E+9", "[]", "{}", "[[[1]]]", "{\"a\":{\"b\":[1,{}]}}",
		"\"\\u00E9\\/\"", " [ 1 , 2 ] ",
	};
	char line[256];
	struct maillog_event ev;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		snprintf(line, sizeof line, "{\"uid\":\"U\",\"helo\":\"x\",\"v\":%s}", values[i]);
		if (read_json(slice_from_str(line), &ev))
			fail_msg("read: %s", line);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		snprintf(line, sizeof line, "{\"uid\":\"U\",\"helo\":\"x\",\"v\":%s}", good[i]);
		if (!read_json(slice_from_str(line), &ev))
			fail_msg("not read: %s", line);
	}
	assert_false(read_json(slice_from_str("[{\"uid\":\"U\",\"helo\":\"x\"}]"), &ev));
	assert_false(read_json(slice_from_str("{\"uid\":\"U\",\"helo\":\"x\"} x"), &ev));
	assert_false(read_json(slice_from_str("{\"uid\":\"U\" \"helo\":\"x\"}"), &ev));
}

static void a_depth_bomb_is_no_line(void **state)
{
	(void)state;
	static char line[1024 * 1024];
	struct maillog_event ev;
	for (size_t depth = 1; depth < 100000; depth = depth < 40 ? depth + 1 : depth * 3) {
		size_t len = (size_t)snprintf(line, sizeof line, "{\"uid\":\"U\",\"helo\":\"x\",\"v\":");
		memset(line + len, '[', depth);
		memset(line + len + depth, ']', depth);
		line[len + 2 * depth] = '}';
		assert_int_equal(read_json(slice_make(line, len + 2 * depth + 1), &ev),
				 depth <= MAILLOG_JSON_DEPTH_MAX);
	}
}

static void recipients_that_do_not_fit_are_counted_and_text_is_cut_at_a_character(void **state)
{
	(void)state;
	static char line[8 * MAILLOG_SCRATCH_BYTES];
	struct maillog_event ev;
	uint64_t count = 0, given = 0;
	size_t len = (size_t)snprintf(line, sizeof line, "{\"uid\":\"U\",\"mailfrom\":\"a@b\",\"rcptto\":[");
	for (; len < sizeof line - 64; count++)
		len += (size_t)snprintf(line + len, sizeof line - len, "%s\"user\\u0031%u@b.example\"",
					count ? "," : "", (unsigned)count);
	len += (size_t)snprintf(line + len, sizeof line - len, "]}");
	assert_true(read_json(slice_make(line, len), &ev));
	assert_int_equal(ev.nrcpt, count);
	assert_in_range(ev.rcpts.len, MAILLOG_SCRATCH_BYTES - 64, MAILLOG_SCRATCH_BYTES);
	for (struct slice rest = ev.rcpts, rcpt; slice_next(&rest, ',', &rcpt); given++)
		assert_true(slice_ends_nocase(rcpt, SLICE("@b.example")));
	assert_in_range(given, 100, count - 1);

	len = (size_t)snprintf(line, sizeof line, "{\"uid\":\"U\",\"helo\":\"x");
	while (len < sizeof line - 64)
		len += (size_t)snprintf(line + len, sizeof line - len, "\\ud83d\\ude00");
	len += (size_t)snprintf(line + len, sizeof line - len, "\",\"subject\":\"\\u00e9\"}");
	assert_true(read_json(slice_make(line, len), &ev));
	assert_int_equal(ev.helo.len % 4, 1);
	assert_in_range(ev.helo.len, MAILLOG_SCRATCH_BYTES - 8, MAILLOG_SCRATCH_BYTES);
}

static void any_byte_in_any_place_is_survived(void **state)
{
	(void)state;
	static const char bytes[] = { '\0', '"', '\\', '{', '}', '[', ',', '\t', '\xFF', 'u' };
	char line[1024];
	struct maillog_event ev;
	begin_file("#separator \\x09", FIELDS);
	for (size_t i = 0; i < sizeof json_rows / sizeof json_rows[0]; i++) {
		size_t len = strlen(json_rows[i].line);
		assert_in_range(len, 1, sizeof line);
		for (size_t at = 0; at < len * sizeof bytes; at++) {
			memcpy(line, json_rows[i].line, len);
			line[at % len] = bytes[at / len];
			struct slice copy = exact_copy(line, len);
			if (!read_json(copy, &ev))
				assert_int_equal(ev.kind, MAILLOG_OTHER);
			free((void *)(uintptr_t)copy.ptr);
		}
	}
	for (size_t at = 0; at < strlen(tsv_rows[0].line); at++) {
		size_t len = strlen(tsv_rows[0].line);
		memcpy(line, tsv_rows[0].line, len);
		line[at] = bytes[at % sizeof bytes];
		struct slice copy = exact_copy(line, len);
		assert_true(read_tsv(copy, &ev) || copy.ptr[0] == '#');
		free((void *)(uintptr_t)copy.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_the_table_is_a_mail),
		cmocka_unit_test(an_object_of_json_is_a_mail),
		cmocka_unit_test(the_recipients_of_both_are_taken_one_by_one),
		cmocka_unit_test(another_separator_is_followed),
		cmocka_unit_test(other_logs_of_zeek_hold_no_mail),
		cmocka_unit_test(lines_before_a_header_are_not_zeeks),
		cmocka_unit_test(a_line_cut_anywhere_has_no_fact),
		cmocka_unit_test(what_is_no_json_is_no_line),
		cmocka_unit_test(a_depth_bomb_is_no_line),
		cmocka_unit_test(recipients_that_do_not_fit_are_counted_and_text_is_cut_at_a_character),
		cmocka_unit_test(any_byte_in_any_place_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
