/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "door/logs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
	struct loop *l;
	struct logs *g;
	struct buf got; /* lines, each ended by '|' */
	int caught_up;
};

static char folder[64], path[80], rotated[84];

static void on_line(void *ctx, struct slice line)
{
	struct reader *r = ctx;
	buf_add(&r->got, line);
	buf_add_byte(&r->got, '|');
}

static void on_caught_up(void *ctx)
{
	struct reader *r = ctx;
	r->caught_up++;
}

static const struct logs_calls calls = { on_line, on_caught_up };

static void open_reader(struct reader *r, enum logs_start start, const struct logs_position *position)
{
	*r = (struct reader){ .l = loop_new(NULL) };
	buf_init(&r->got, 64 << 20);
	r->g = logs_open(r->l, path, start, position, &calls, r);
	assert_non_null(r->g);
}

/* Until a look found nothing more, at most wait_ms. */
static void run(struct reader *r, int64_t wait_ms)
{
	int before = r->caught_up;
	int64_t end_ms;
	loop_run_once(r->l, 0);
	for (end_ms = loop_mono_ms(r->l) + wait_ms; loop_mono_ms(r->l) < end_ms && r->caught_up == before;)
		loop_run_once(r->l, 20);
}

/* Runs until the lines are these; says what came instead. */
static void expect(struct reader *r, const char *lines)
{
	for (int i = 0; i < 60 && strcmp(buf_str(&r->got), lines) != 0; i++)
		loop_run_once(r->l, 50);
	assert_string_equal(buf_str(&r->got), lines);
}

static void close_reader(struct reader *r)
{
	logs_close(&r->g);
	assert_null(r->g);
	loop_free(r->l);
	buf_free(&r->got);
}

static void add_to(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void add(const char *text)
{
	add_to(path, text);
}

static void whole_lines_are_handed_out_as_they_come(void **state)
{
	(void)state;
	struct reader r;
	add("old one\nold two\r\n");
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	expect(&r, "old one|old two|");
	assert_true(logs_is_open(r.g));
	add("three\n\nfi");
	expect(&r, "old one|old two|three||");
	add("ve");
	run(&r, 100);
	assert_string_equal(buf_str(&r.got), "old one|old two|three||");
	add("!\n");
	expect(&r, "old one|old two|three||five!|");
	close_reader(&r);
}

static void from_the_end_only_new_lines_count(void **state)
{
	(void)state;
	struct reader r;
	add("old one\nold t");
	open_reader(&r, LOGS_FROM_END, NULL);
	run(&r, 500);
	add("wo\nnew\n");
	expect(&r, "new|"); /* the rest of a line that was there is no line */
	assert_int_equal(logs_skipped(r.g), 0);
	close_reader(&r);
}

static void a_file_that_is_not_there_yet_is_waited_for(void **state)
{
	(void)state;
	struct reader r;
	open_reader(&r, LOGS_FROM_END, NULL);
	run(&r, 50);
	assert_false(logs_is_open(r.g));
	add("first\n");
	expect(&r, "first|"); /* all of a file that appeared later is new */
	close_reader(&r);
}

static void a_rotated_file_is_read_to_its_end_before_the_new_one(void **state)
{
	(void)state;
	struct reader r;
	add("a\n");
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	expect(&r, "a|");
	assert_int_equal(rename(path, rotated), 0);
	add_to(rotated, "b\n");
	expect(&r, "a|b|");
	add(""); /* created, but its writer has not come over */
	run(&r, 100);
	add_to(rotated, "c\n");
	add("d\n");
	expect(&r, "a|b|c|d|");
	add_to(rotated, "too late\n");
	add("e\n");
	expect(&r, "a|b|c|d|e|");
	/* And once more. */
	assert_int_equal(rename(path, rotated), 0);
	add("f\n");
	expect(&r, "a|b|c|d|e|f|");
	close_reader(&r);
}

static void a_truncated_file_is_read_from_its_beginning(void **state)
{
	(void)state;
	struct reader r;
	add("one long line\nand another\n");
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	expect(&r, "one long line|and another|");
	assert_int_equal(truncate(path, 0), 0);
	run(&r, 1500);
	add("x\n");
	expect(&r, "one long line|and another|x|");
	close_reader(&r);
}

static void a_file_copied_and_truncated_is_known_by_its_first_line(void **state)
{
	(void)state;
	struct reader r;
	add("one\n");
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	expect(&r, "one|");
	/* Truncated, and longer than before when we look again. */
	assert_int_equal(truncate(path, 0), 0);
	add("two\nthree\nfour\n");
	expect(&r, "one|two|three|four|");
	close_reader(&r);
}

static void a_line_too_long_is_left_out_and_counted(void **state)
{
	(void)state;
	struct reader r;
	char *longest = mem_must_alloc(LOGS_LINE_BYTES_MAX + 2);
	memset(longest, 'x', LOGS_LINE_BYTES_MAX);
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	add("a\n");
	add(longest);
	add("\n");
	for (int i = 0; i < 60 && r.got.len < LOGS_LINE_BYTES_MAX; i++)
		loop_run_once(r.l, 50);
	assert_int_equal(r.got.len, 2 + LOGS_LINE_BYTES_MAX + 1);
	assert_int_equal(logs_skipped(r.g), 0);
	longest[LOGS_LINE_BYTES_MAX] = 'y';
	buf_reset(&r.got);
	add(longest); /* whole in one piece */
	add("\nb\n");
	expect(&r, "b|");
	assert_int_equal(logs_skipped(r.g), 1);
	add(longest); /* and in pieces */
	run(&r, 100);
	add(longest);
	run(&r, 100);
	add("\nc\n");
	expect(&r, "b|c|");
	assert_int_equal(logs_skipped(r.g), 2);
	mem_free(longest);
	close_reader(&r);
}

static void a_saved_position_goes_on_where_it_stood(void **state)
{
	(void)state;
	struct reader r;
	struct logs_position p;
	add("a\nb\nhal");
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	expect(&r, "a|b|");
	logs_position(r.g, &p);
	assert_int_equal(p.offset_bytes, 4);
	close_reader(&r);
	add("f\nc\n");
	open_reader(&r, LOGS_FROM_POSITION, &p);
	expect(&r, "half|c|");
	logs_position(r.g, &p);
	close_reader(&r);
	/* Rotated while nobody read: the rest of the old file, then the new one. */
	add("d\n");
	assert_int_equal(rename(path, rotated), 0);
	add("e\n");
	open_reader(&r, LOGS_FROM_POSITION, &p);
	expect(&r, "d|e|");
	logs_position(r.g, &p);
	close_reader(&r);
	/* Gone altogether: the file that is there, from its beginning. */
	unlink(rotated);
	unlink(path);
	add("f\n");
	open_reader(&r, LOGS_FROM_POSITION, &p);
	expect(&r, "f|");
	logs_position(r.g, &p);
	close_reader(&r);
	/* The same inode with another content. */
	assert_int_equal(truncate(path, 0), 0);
	add("g\nh\n");
	open_reader(&r, LOGS_FROM_POSITION, &p);
	expect(&r, "g|h|");
	close_reader(&r);
}

static void much_at_once_is_read_in_several_rounds(void **state)
{
	(void)state;
	struct reader r;
	size_t lines = 60000;
	FILE *f = fopen(path, "w");
	for (size_t i = 0; i < lines; i++)
		fprintf(f, "line number %06zu of a log that grew while nobody looked\n", i);
	fclose(f);
	open_reader(&r, LOGS_FROM_BEGIN, NULL);
	loop_run_once(r.l, 1000);
	assert_true(r.got.len > 0 && r.got.len <= LOGS_ROUND_BYTES_MAX);
	assert_int_equal(r.caught_up, 0);
	run(&r, 5000);
	assert_int_equal(r.caught_up, 1);
	assert_int_equal(r.got.len, lines * 58);
	assert_memory_equal(r.got.ptr + (lines - 1) * 58, "line number 059999", 18);
	close_reader(&r);
}

static void without_memory_nothing_is_opened(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	for (long n = 0; n < 3; n++) {
		mem_fail_after = n;
		assert_null(logs_open(l, path, LOGS_FROM_END, NULL, &calls, NULL));
		mem_fail_after = -1;
	}
	loop_free(l);
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/quell-logs-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/mail.log", folder);
	snprintf(rotated, sizeof rotated, "%s/mail.log.1", folder);
	return 0;
}

static int empty_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(rotated);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

#define LOGS_TEST(test) cmocka_unit_test_teardown(test, empty_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGS_TEST(whole_lines_are_handed_out_as_they_come),
		LOGS_TEST(from_the_end_only_new_lines_count),
		LOGS_TEST(a_file_that_is_not_there_yet_is_waited_for),
		LOGS_TEST(a_rotated_file_is_read_to_its_end_before_the_new_one),
		LOGS_TEST(a_truncated_file_is_read_from_its_beginning),
		LOGS_TEST(a_file_copied_and_truncated_is_known_by_its_first_line),
		LOGS_TEST(a_line_too_long_is_left_out_and_counted),
		LOGS_TEST(a_saved_position_goes_on_where_it_stood),
		LOGS_TEST(much_at_once_is_read_in_several_rounds),
		LOGS_TEST(without_memory_nothing_is_opened),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
