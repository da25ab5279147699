/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchange's message tracking: hand-made files of two versions, every field of their lines;
 * quotes, cut lines, files of Exchange's other logs.
 */
#include "maillog_wanted.h"

#define FIELDS_2010                                                                              \
	"#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context," \
	"connector-id,source,event-id,internal-message-id,message-id,recipient-address,"         \
	"recipient-status,total-bytes,recipient-count,related-recipient-address,reference,"      \
	"message-subject,sender-address,return-path,message-info,directionality,tenant-id,"      \
	"original-client-ip,original-server-ip,custom-data"
#define FIELDS_2016                                                                              \
	"#Fields: date-time,client-ip,client-hostname,server-ip,server-hostname,source-context," \
	"connector-id,source,event-id,internal-message-id,message-id,network-message-id,"        \
	"recipient-address,recipient-status,total-bytes,recipient-count,"                        \
	"related-recipient-address,reference,message-subject,sender-address,return-path,"        \
	"message-info,directionality,tenant-id,original-client-ip,original-server-ip,"           \
	"custom-data,transport-traffic-type,log-id,schema-version"
#define TAIL_2016 ",info,Incoming,,192.0.2.7,198.51.100.1,S:a=b;S:c=d,Email,1f0a,15.01.2507.006"
#define T "2024-03-05T10:00:00.123Z"
#define MAIL .id = "77309411399", .message_id = "m1@a.example", .subject = "Hello", .from = "ann@a.example", \
	.size = 5120, .time = T

static const struct wanted rows_2016[] = {
	{ T ",192.0.2.7,mx.a.example,198.51.100.1,EX1,08DC;2024;0,EX1\\Default EX1,SMTP,RECEIVE,77309411399,"
	    "<m1@a.example>,net-1,bob@b.example;eve@b.example,To;Cc,5120,2,,,Hello,ann@a.example,"
	    "ann@a.example" TAIL_2016,
	  MAILLOG_RECEIVED, MAIL, .client = "192.0.2.7", .rcpts = "bob@b.example;eve@b.example", .nrcpt = 2,
	  .host = "EX1" },
	{ T ",,EX1,,EX1,ctx,,STOREDRIVER,DELIVER,77309411399,<m1@a.example>,net-1,bob@b.example,,5120,1,,,"
	    "Hello,ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_SENT, MAIL, .rcpt = "bob@b.example", .relay = "EX1", .text = "ctx", .nrcpt = 1, .host = "EX1" },
	{ T ",198.51.100.1,EX1,203.0.113.5,mx.c.example,\"08DC;250 2.6.0 <m1@a.example> [InternalId=4711471147] "
	    "Queued mail for delivery\",Internet,SMTP,SENDEXTERNAL,77309411399,<m1@a.example>,net-1,"
	    "c@c.example;d@c.example,250 2.1.5 Recipient OK;250 2.1.5 Recipient OK,5120,2,,,Hello,"
	    "ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_SENT, MAIL, .rcpts = "c@c.example;d@c.example", .relay = "mx.c.example", .nrcpt = 2,
	  .text = "250 2.1.5 Recipient OK;250 2.1.5 Recipient OK", .dsn = "2.1.5", .other_id = "4711471147",
	  .host = "EX1" },
	{ T ",,,,EX1,,,ROUTING,FAIL,77309411399,<m1@a.example>,net-1,no@b.example,"
	    "\"[{LED=550 5.1.10 RESOLVER.ADR.RecipientNotFound; \"\"no, not\"\" found};{MSG=}]\",5120,1,,,Hello,"
	    "ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_BOUNCED, MAIL, .rcpt = "no@b.example", .relay = "EX1", .nrcpt = 1, .dsn = "5.1.10", .host = "EX1",
	  .text = "[{LED=550 5.1.10 RESOLVER.ADR.RecipientNotFound; \"no, not\" found};{MSG=}]" },
	{ T ",,,,EX1,,,SMTP,DEFER,77309411399,<m1@a.example>,net-1,bob@b.example,451 4.4.0 later,5120,1,,,Hello,"
	    "ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_DEFERRED, MAIL, .rcpt = "bob@b.example", .relay = "EX1", .text = "451 4.4.0 later", .dsn = "4.4.0",
	  .nrcpt = 1, .host = "EX1" },
	{ T ",,EX1,,EX1,,,STOREDRIVER,DUPLICATEDELIVER,77309411399,<m1@a.example>,net-1,bob@b.example,,5120,1,,,"
	    "Hello,ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_SENT, MAIL, .rcpt = "bob@b.example", .relay = "EX1", .nrcpt = 1, .host = "EX1" },
	{ T ",,EX1,,EX1,,,STOREDRIVER,RECEIVE,77309411399,<m1@a.example>,net-1,bob@b.example,To,5120,1,,,"
	    "Hello,ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_OTHER, MAIL, .rcpt = "bob@b.example", .relay = "EX1", .text = "To", .nrcpt = 1, .host = "EX1" },
	{ T ",,,,EX1,,,ROUTING,EXPAND,77309411399,<m1@a.example>,net-1,x@b.example;y@b.example,,5120,2,"
	    "all@b.example,,Hello,ann@a.example,ann@a.example" TAIL_2016,
	  MAILLOG_OTHER, MAIL, .rcpts = "x@b.example;y@b.example", .relay = "EX1", .nrcpt = 2, .host = "EX1" },
	{ T ",,,,EX1,ctx,,DSN,DSN,99,<n1@b.example>,net-2,ann@a.example,,2000,1,,<m1@a.example>;<m2@a.example>,"
	    "Undeliverable: Hello,postmaster@b.example,<>" TAIL_2016,
	  MAILLOG_RECEIVED, .time = T, .id = "99", .message_id = "n1@b.example", .in_reply_to = "m1@a.example",
	  .from = "", .rcpts = "ann@a.example", .subject = "Undeliverable: Hello", .size = 2000, .nrcpt = 1,
	  .host = "EX1" },
	{ T ",,,,EX1,ctx,,PICKUP,BADMAIL,77309411399,<m1@a.example>,net-1,,,5120,0,,,Hello,ann@a.example,"
	    "ann@a.example" TAIL_2016,
	  MAILLOG_EXPIRED, MAIL, .relay = "EX1", .text = "ctx", .host = "EX1" },
	{ T ",,,,EX1,ctx,,AGENT,DROP,77309411399,<m1@a.example>,net-1,bob@b.example,,5120,1,,,Hello,ann@a.example,"
	    "ann@a.example" TAIL_2016,
	  MAILLOG_MILTER_DISCARD, MAIL, .rcpt = "bob@b.example", .relay = "EX1", .text = "ctx", .nrcpt = 1,
	  .host = "EX1" },
	{ T ",,,,EX1,ctx,,AGENT,AGENTINFO,77309411399,<m1@a.example>,net-1,bob@b.example,,5120,1,,,"
	    "\"Re: \"\"a, b\"\"\",ann@a.example," TAIL_2016,
	  MAILLOG_OTHER, .time = T, .id = "77309411399", .message_id = "m1@a.example", .from = "ann@a.example",
	  .subject = "Re: \"a, b\"", .size = 5120, .nrcpt = 1, .rcpt = "bob@b.example", .relay = "EX1",
	  .text = "ctx", .host = "EX1" },
};

static const struct wanted rows_2010[] = {
	{ T ",,EX1,,EX1,ctx,,STOREDRIVER,RECEIVE,123,<m1@a.example>,bob@b.example,To,10,1,,,Hello,ann@a.example,"
	    "ann@a.example,info,Originating,,,,",
	  MAILLOG_RECEIVED, .time = T, .id = "123", .message_id = "m1@a.example", .rcpts = "bob@b.example",
	  .client = "EX1", .subject = "Hello", .from = "ann@a.example", .size = 10, .nrcpt = 1, .host = "EX1" },
	{ T ",198.51.100.1,EX1,203.0.113.5,mx.c.example,250 ok,Internet,SMTP,SEND,123,<m1@a.example>,bob@b.example,"
	    "250 2.1.5 ok,10,1,,,Hello,ann@a.example,ann@a.example,info,Originating,,,,",
	  MAILLOG_SENT, .time = T, .id = "123", .message_id = "m1@a.example", .rcpt = "bob@b.example",
	  .relay = "mx.c.example", .text = "250 2.1.5 ok", .dsn = "2.1.5", .subject = "Hello", .from = "ann@a.example",
	  .size = 10, .nrcpt = 1, .host = "EX1" },
};

static struct maillog_reader reader;

static bool read_line(struct slice line, struct maillog_event *ev)
{
	clear_event(ev);
	reader.scratch_used = 0;
	return maillog_exchange(&reader, line, ev);
}

static void begin_file(const char *fields)
{
	static const char *const header[] = {
		"\xEF\xBB\xBF#Software: Microsoft Exchange Server", "#Version: 15.01.2507.006",
		"#Log-type: Message Tracking Log", "#Date: 2024-03-05T10:00:00.000Z",
	};
	struct maillog_event ev;
	memset(&reader, 0, sizeof reader);
	for (size_t i = 0; i < sizeof header / sizeof header[0]; i++) {
		/* The version and the date are anybody's until the file is known. */
		assert_int_equal(read_line(slice_from_str(header[i]), &ev), i % 2 == 0);
		assert_int_equal(ev.kind, MAILLOG_OTHER);
		reader.format = MAILLOG_EXCHANGE;
		assert_true(read_line(slice_from_str(header[i]), &ev));
		reader.format = MAILLOG_UNKNOWN;
	}
	assert_true(read_line(slice_from_str(fields), &ev));
	assert_int_equal(ev.format, MAILLOG_EXCHANGE);
	assert_int_equal(reader.separator, ',');
}

static void check_rows(const char *fields, const struct wanted *rows, size_t count)
{
	begin_file(fields);
	assert_in_range(reader.column_count, 26, 30);
	for (size_t i = 0; i < count; i++) {
		struct maillog_event ev;
		assert_true(read_line(slice_from_str(rows[i].line), &ev));
		check_wanted(&rows[i], &ev);
	}
}

static void each_event_gives_its_kind_and_fields_by_the_names_of_the_columns(void **state)
{
	(void)state;
	check_rows(FIELDS_2016, rows_2016, sizeof rows_2016 / sizeof rows_2016[0]);
	check_rows(FIELDS_2010, rows_2010, sizeof rows_2010 / sizeof rows_2010[0]);
}

static void columns_may_stand_in_any_order_and_of_two_of_one_name_the_first_counts(void **state)
{
	(void)state;
	static const struct wanted row = {
		T ",m1@a.example,SEND,77,y,z,w", MAILLOG_SENT, .time = T, .id = "77", .message_id = "m1@a.example",
	};
	struct maillog_event ev;
	begin_file("#Fields: date-time,message-id,event-id,internal-message-id,new,date-time,z");
	assert_int_equal(reader.column_count, 7);
	assert_true(read_line(slice_from_str(row.line), &ev));
	check_wanted(&row, &ev);
}

static void other_logs_of_exchange_hold_no_mail(void **state)
{
	(void)state;
	struct maillog_event ev;
	begin_file(FIELDS_2016);
	assert_true(read_line(slice_from_str("#Fields: date-time,connector-id,session-id,sequence-number,"
					     "local-endpoint,remote-endpoint,event,data,context"), &ev));
	assert_int_equal(reader.column_count, 0);
	assert_false(read_line(slice_from_str(T ",EX1\\Default,08DC,9,192.0.2.1:25,192.0.2.7:5,>,535 5.7.3 no,"), &ev));
	assert_int_equal(ev.kind, MAILLOG_OTHER);
}

static void without_a_header_no_line_is_exchanges(void **state)
{
	(void)state;
	struct maillog_event ev;
	memset(&reader, 0, sizeof reader);
	assert_false(read_line(slice_from_str(rows_2016[0].line), &ev));
	assert_false(read_line(slice_from_str("#fields\tts\tuid"), &ev));
	assert_false(read_line(slice_from_str("#"), &ev));
	assert_false(read_line(slice_make(NULL, 0), &ev));
}

static void a_cut_line_has_no_fact(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows_2016 / sizeof rows_2016[0]; i++) {
		const char *line = rows_2016[i].line;
		size_t whole = (size_t)(strstr(line, ",15.01.2507.006") - line) + 1;
		begin_file(FIELDS_2016);
		for (size_t len = 1; len < whole; len++) {
			struct maillog_event ev;
			struct slice cut = exact_copy(line, len);
			assert_true(read_line(cut, &ev));
			assert_int_equal(ev.kind, MAILLOG_OTHER);
			assert_int_equal(ev.queue_id.len + ev.rcpt.len + ev.time.len, 0);
			free((void *)(uintptr_t)cut.ptr);
		}
	}
}

static void a_quote_that_does_not_end_its_column_makes_the_line_other(void **state)
{
	(void)state;
	static const char *const rows[] = {
		T ",\"m1\"x,DELIVER,1", T ",\"m1,DELIVER,1", T ",\"m1\"\",DELIVER,1",
		"\"", T ",m1,\"", T ",m1,DELIVER,\"1",
	};
	struct maillog_event ev;
	begin_file(FIELDS_2016);
	assert_true(read_line(slice_from_str("#Fields: date-time,message-id,event-id,internal-message-id"), &ev));
	assert_true(read_line(slice_from_str(T ",\"m1\",\"DELIVER\",\"1\""), &ev));
	assert_int_equal(ev.kind, MAILLOG_SENT);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(read_line(slice_from_str(rows[i]), &ev));
		assert_int_equal(ev.kind, MAILLOG_OTHER);
	}
}

static void values_longer_than_the_memory_are_cut_where_they_need_it(void **state)
{
	(void)state;
	static char line[4 * MAILLOG_SCRATCH_BYTES];
	struct maillog_event ev;
	begin_file(FIELDS_2016);
	assert_true(read_line(slice_from_str("#Fields: date-time,message-id,event-id,internal-message-id,"
					     "message-subject,recipient-address"), &ev));
	size_t len = (size_t)snprintf(line, sizeof line, T ",m1,DELIVER,1,\"");
	for (size_t i = 0; i < MAILLOG_SCRATCH_BYTES + 10; i++, len += 2)
		memcpy(line + len, "\"\"", 2);
	len += (size_t)snprintf(line + len, sizeof line - len, "\",\"a\"\"b\"");
	assert_true(read_line(slice_make(line, len), &ev));
	assert_int_equal(ev.kind, MAILLOG_SENT);
	assert_int_equal(ev.subject.len, MAILLOG_SCRATCH_BYTES);
	assert_int_equal(ev.rcpt.len, 0);
}

static void more_columns_than_there_is_room_for_are_no_harm(void **state)
{
	(void)state;
	static char fields[4096];
	struct maillog_event ev;
	size_t len = (size_t)snprintf(fields, sizeof fields,
				      "#Fields: date-time,message-id,event-id,internal-message-id");
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(fields + len, sizeof fields - len, ",column-%d", i);
	begin_file(FIELDS_2016);
	assert_true(read_line(slice_make(fields, len), &ev));
	assert_int_equal(reader.column_count, MAILLOG_COLUMNS_MAX);
	char line[1024];
	len = (size_t)snprintf(line, sizeof line, T ",m1,DELIVER,1");
	for (int i = 0; i < 200; i++)
		len += (size_t)snprintf(line + len, sizeof line - len, ",");
	assert_true(read_line(slice_make(line, len), &ev));
	assert_int_equal(ev.kind, MAILLOG_SENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_event_gives_its_kind_and_fields_by_the_names_of_the_columns),
		cmocka_unit_test(columns_may_stand_in_any_order_and_of_two_of_one_name_the_first_counts),
		cmocka_unit_test(other_logs_of_exchange_hold_no_mail),
		cmocka_unit_test(without_a_header_no_line_is_exchanges),
		cmocka_unit_test(a_cut_line_has_no_fact),
		cmocka_unit_test(a_quote_that_does_not_end_its_column_makes_the_line_other),
		cmocka_unit_test(values_longer_than_the_memory_are_cut_where_they_need_it),
		cmocka_unit_test(more_columns_than_there_is_room_for_are_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
