/* SPDX-License-Identifier: Apache-2.0
 *
 * What a thread reads ahead is what one would read without it, line by line and event by
 * event: long lines, lines whose texts had to be unescaped, many batches, an early end.
 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "door/ahead.h"

#include <stdlib.h>
#include <unistd.h>

static char path[64];

static FILE *open_log(void)
{
	snprintf(path, sizeof path, "/tmp/quell-ahead-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "w");
	assert_non_null(file);
	return file;
}

static void write_log(unsigned lines, size_t long_bytes)
{
	FILE *file = open_log();
	for (unsigned i = 0; i < lines; i++) {
		fprintf(file, "Nov 24 05:00:00 mx postfix/smtpd[1]: connect from c%u.example[192.0.2.1]\n", i);
		fprintf(file, "Nov 24 05:00:00 mx postfix/qmgr[1]: AA%09u: from=<u%u@x>, size=%u, nrcpt=2 "
			      "(queue active)\n", i, i, i);
		fprintf(file, "Nov 24 05:00:00 mx postfix/smtp[4]: AA%09u: to=<r%u@y>, relay=none, delay=1.5, "
			      "delays=0.1/0.2/0.3/0.9, dsn=4.0.0, status=deferred (no)\n", i, i);
		fprintf(file, "{\"ts\":1795500000.0,\"uid\":\"C%u\",\"id.orig_h\":\"192.0.2.1\","
			      "\"mailfrom\":\"a\\u0062c@x\",\"rcptto\":[\"d\\u0065@y\"],"
			      "\"msg_id\":\"<%u\\/@x>\",\"subject\":\"\\u00e4\"}\n", i, i);
		if (i % 1000 == 999)
			for (size_t k = 0; k < long_bytes; k++)
				fputc(k + 1 < long_bytes ? 'x' : '\n', file);
	}
	fclose(file);
}

static void expect_event(const struct maillog_event *got, const struct maillog_event *wanted)
{
	assert_int_equal(got->kind, wanted->kind);
	assert_int_equal(got->format, wanted->format);
	assert_true(slice_equal(got->time, wanted->time));
	assert_true(slice_equal(got->host, wanted->host));
	if (wanted->kind == MAILLOG_OTHER || (wanted->kind == MAILLOG_CONNECT && wanted->other_id.len == 0))
		return;
	assert_true(slice_equal(got->other_id, wanted->other_id));
	assert_true(slice_equal(got->client, wanted->client));
	assert_true(slice_equal(got->client_host, wanted->client_host));
	assert_true(slice_equal(got->sasl_user, wanted->sasl_user));
	assert_true(slice_equal(got->notice_of, wanted->notice_of));
	assert_true(slice_equal(got->queue_id, wanted->queue_id));
	assert_true(slice_equal(got->from, wanted->from));
	assert_int_equal(got->has_from, wanted->has_from);
	assert_true(slice_equal(got->rcpt, wanted->rcpt));
	assert_true(slice_equal(got->rcpts, wanted->rcpts));
	assert_int_equal(got->rcpts_separator, wanted->rcpts_separator);
	assert_true(slice_equal(got->message_id, wanted->message_id));
	assert_true(slice_equal(got->subject, wanted->subject));
	assert_true(slice_equal(got->relay, wanted->relay));
	assert_true(slice_equal(got->dsn, wanted->dsn));
	assert_int_equal(got->size_bytes, wanted->size_bytes);
	assert_int_equal(got->nrcpt, wanted->nrcpt);
	assert_int_equal(got->delay_ms, wanted->delay_ms);
	assert_memory_equal(got->delays_ms, wanted->delays_ms, sizeof got->delays_ms);
}

/* Both ways at once, up to so many lines. */
static uint64_t compare(uint64_t lines_max)
{
	static struct maillog_reader reader, ahead_reader;
	struct error error;
	struct slice line, wanted_line;
	struct maillog_event event, wanted;
	bool is_cut;
	uint64_t count = 0;
	struct lines *plain = lines_open(path, false, NULL, &error), *lines = lines_open(path, false, NULL, &error);
	maillog_reader_begin(&reader);
	maillog_reader_begin(&ahead_reader);
	struct ahead *ahead = ahead_new(lines, &ahead_reader);
	assert_non_null(ahead);
	while (count < lines_max && ahead_next(ahead, &line, &is_cut, &event)) {
		assert_true(lines_next(plain, &wanted_line));
		maillog_reader_line(&reader, wanted_line, &wanted);
		assert_true(slice_equal(line, wanted_line));
		assert_int_equal(is_cut, lines_is_cut(plain));
		expect_event(&event, &wanted);
		count++;
	}
	if (lines_max == UINT64_MAX)
		assert_false(lines_next(plain, &wanted_line));
	ahead_free(ahead);
	lines_close(lines);
	lines_close(plain);
	return count;
}

static void many_batches_are_the_same_lines_and_events(void **state)
{
	(void)state;
	write_log(5000, 700);
	assert_int_equal(compare(UINT64_MAX), 5000 * 4 + 5);
	unlink(path);
}

static void lines_longer_than_a_batch_and_longer_than_a_line_may_be(void **state)
{
	(void)state;
	write_log(2000, AHEAD_TEXT_BYTES + 10);
	assert_int_equal(compare(UINT64_MAX), 2000 * 4 + 2);
	unlink(path);
	write_log(1000, LINES_BYTES_MAX + 10);
	assert_int_equal(compare(UINT64_MAX), 1000 * 4 + 1);
	unlink(path);
}

static void who_takes_no_more_may_end_at_any_line(void **state)
{
	(void)state;
	write_log(3000, 700);
	for (uint64_t n = 0; n < 12000; n += 1711)
		assert_int_equal(compare(n), n);
	unlink(path);
}

/* What joins lines of a session, and a record of an exported journal, which its empty line ends. */
static void sessions_and_exported_records_arrive_whole(void **state)
{
	(void)state;
	FILE *file = open_log();
	fputs("Nov 24 05:00:00 mx smtpd[1]: 0ecf0316285174d2 smtp connected address=192.0.2.7 host=a.example\n"
	      "Nov 24 05:00:00 mx smtpd[1]: 0ecf0316285174d2 smtp authentication user=anna result=ok\n"
	      "Nov 24 05:00:00 mx smtpd[1]: 0ecf0316285174d2 smtp disconnected reason=quit\n"
	      "2026-11-24 05:00:00 1xVvJ4-0005gp-15 <= <> R=1xVvJ4-0005gU-3D U=exim P=local S=9\n", file);
	for (int i = 0; i < 1000; i++)
		fprintf(file, "__CURSOR=s=%d\n__REALTIME_TIMESTAMP=1795500000000000\n_HOSTNAME=mx\n"
			      "SYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE=AA%09d: client=a[192.0.2.1]\n\n", i, i);
	fclose(file);
	assert_int_equal(compare(UINT64_MAX), 4 + 6 * 1000);
	unlink(path);
}

static void an_empty_log_ends_at_once(void **state)
{
	(void)state;
	write_log(0, 0);
	assert_int_equal(compare(UINT64_MAX), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_batches_are_the_same_lines_and_events),
		cmocka_unit_test(lines_longer_than_a_batch_and_longer_than_a_line_may_be),
		cmocka_unit_test(who_takes_no_more_may_end_at_any_line),
		cmocka_unit_test(sessions_and_exported_records_arrive_whole),
		cmocka_unit_test(an_empty_log_ends_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
