/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "store/disk.h"
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int dir_fd;

static void headers_are_rendered_as_they_will_be_sent(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value, *want;
	} rows[] = {
		{ "Subject", "hello", "Subject: hello\r\n" },
		{ "Subject", " hello", "Subject: hello\r\n" },
		{ "Subject", "\thello", "Subject:\thello\r\n" },
		{ "Subject", "", "Subject:\r\n" },
		{ "To", "a@x,\n\tb@x", "To: a@x,\r\n\tb@x\r\n" },
		{ "To", "a@x,\r\n b@x", "To: a@x,\r\n b@x\r\n" },
		{ "X", "value\n", "X: value\r\n" },
		{ "X", "one\n\ntwo", "X: one\r\n two\r\n" },
		{ "X", "one\nBcc: evil@x", "X: one\r\n Bcc: evil@x\r\n" },
		{ "X", "one\r\n\r\nbody", "X: one\r\n body\r\n" },
	};
	struct spool s;
	spool_init(&s, dir_fd, 1024, 1024);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		spool_header(&s, slice_from_str(rows[i].name), slice_from_str(rows[i].value));
		assert_slice(buf_slice(&s.head), rows[i].want);
		spool_reset(&s);
	}
	spool_free(&s);
}

static void a_body_beyond_memory_goes_on_in_a_file_byte_for_byte(void **state)
{
	(void)state;
	char back[64];
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	for (size_t step = 1; step <= 36; step++) {
		struct spool s;
		spool_init(&s, dir_fd, 10, 1024);
		for (size_t at = 0; at < 36; at += step)
			spool_body(&s, slice_first(slice_make(text + at, 36 - at), step));
		assert_false(s.is_broken);
		assert_int_equal(s.body_bytes, 36);
		assert_slice(buf_slice(&s.body), "0123456789");
		assert_int_equal(disk_read_at(s.body_fd, back, sizeof back, 0), 26);
		assert_memory_equal(back, text + 10, 26);
		spool_free(&s);
	}
}

static void a_small_mail_needs_no_file(void **state)
{
	(void)state;
	struct spool s;
	spool_init(&s, dir_fd, 10, 1024);
	spool_body(&s, SLICE("0123456789"));
	assert_int_equal(s.body_fd, -1);
	spool_free(&s);
}

static void a_spool_past_its_limit_is_broken_until_it_is_reset(void **state)
{
	(void)state;
	struct spool s;
	spool_init(&s, dir_fd, 4, 8);
	spool_body(&s, SLICE("12345678"));
	assert_false(s.is_broken);
	spool_body(&s, SLICE("9"));
	assert_true(s.is_broken);
	assert_int_equal(s.body.len, 0);
	assert_int_equal(s.body_fd, -1);
	spool_header(&s, SLICE("A"), SLICE("b"));
	assert_int_equal(s.head.len, 0);
	spool_reset(&s);
	spool_body(&s, SLICE("ok"));
	assert_false(s.is_broken);
	assert_slice(buf_slice(&s.body), "ok");
	spool_free(&s);
}

static void without_memory_or_disk_a_spool_is_broken_and_nothing_leaks(void **state)
{
	(void)state;
	struct spool s;
	spool_init(&s, dir_fd, 4, 1024);
	mem_fail_after = 0;
	spool_body(&s, SLICE("1234"));
	mem_fail_after = -1;
	assert_true(s.is_broken);
	spool_reset(&s);
	for (enum disk_op op = DISK_OPEN; op <= DISK_WRITE; op++) {
		disk_fault.ops = op;
		disk_fault.fail_after = 0;
		spool_body(&s, SLICE("123456789"));
		assert_true(s.is_broken);
		assert_int_equal(disk_fault.fail_after, -1);
		spool_reset(&s);
	}
	disk_fault.ops = DISK_ANY;
	spool_free(&s);
}

static void a_header_past_two_megabytes_breaks_the_spool(void **state)
{
	(void)state;
	struct spool s;
	static char big[1024 * 1024];
	memset(big, 'x', sizeof big);
	spool_init(&s, dir_fd, 4, 1024);
	spool_header(&s, SLICE("X"), slice_make(big, sizeof big));
	assert_false(s.is_broken);
	spool_header(&s, SLICE("X"), slice_make(big, sizeof big));
	assert_true(s.is_broken);
	spool_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_rendered_as_they_will_be_sent),
		cmocka_unit_test(a_body_beyond_memory_goes_on_in_a_file_byte_for_byte),
		cmocka_unit_test(a_small_mail_needs_no_file),
		cmocka_unit_test(a_spool_past_its_limit_is_broken_until_it_is_reset),
		cmocka_unit_test(without_memory_or_disk_a_spool_is_broken_and_nothing_leaks),
		cmocka_unit_test(a_header_past_two_megabytes_breaks_the_spool),
	};
	dir_fd = open(P_tmpdir, O_RDONLY | O_DIRECTORY);
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
