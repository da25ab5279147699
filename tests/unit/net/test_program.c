/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs: real ones of /bin, and /bin/sh as a program that does what the case needs.
 */
#include "../unit.h"

#include "base/mem.h"
#include "net/program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct heard {
	struct loop *loop;
	struct program *program;
	char answer[4096], why[256];
	size_t len;
	bool is_fine;
	unsigned calls;
};

static void hear(void *ctx, const struct program_end *end)
{
	struct heard *h = ctx;
	h->calls++;
	h->is_fine = end->is_fine;
	h->len = end->answer_len;
	snprintf(h->why, sizeof h->why, "%s", end->why);
	loop_stop(h->loop);
}

/* Runs it to its end; the last word is NULL. */
static void run(struct heard *h, const char *const *argv, struct slice input, size_t room, int64_t timeout_ms)
{
	struct program_setup setup = {
		.loop = loop_new(NULL), .argv = argv, .input = input, .answer = h->answer, .answer_bytes_max = room,
		.timeout_ms = timeout_ms,
	};
	while (argv[setup.argc])
		setup.argc++;
	*h = (struct heard){ .loop = setup.loop };
	h->program = program_start(&setup, hear, h);
	assert_non_null(h->program);
	assert_int_equal(h->calls, 0);
	loop_run(h->loop);
	assert_int_equal(h->calls, 1);
	program_stop(&h->program);
	assert_null(h->program);
	loop_free(h->loop);
}

static void arguments_reach_it_as_they_stand_for_there_is_no_shell(void **state)
{
	(void)state;
	struct heard h;
	const char *const argv[] = { "/usr/bin/printf", "%s|", "a; id", "$(id)", "`id`", "$HOME", "*", "", "a b",
				     NULL };
	run(&h, argv, SLICE(""), sizeof h.answer, 60000);
	assert_true(h.is_fine);
	assert_string_equal(h.why, "");
	assert_slice(slice_make(h.answer, h.len), "a; id|$(id)|`id`|$HOME|*||a b|");
}

static void its_environment_is_clean_and_its_input_empty_when_there_is_none(void **state)
{
	(void)state;
	struct heard h;
	const char *const argv[] = { "/bin/sh", "-c",
				     "cat; env | grep -v '^PWD=' | sort | cut -d= -f1 | tr '\\n' ' '", NULL };
	setenv("QUELL_TEST_SECRET", "x", 1);
	run(&h, argv, SLICE(""), sizeof h.answer, 60000);
	assert_slice(slice_make(h.answer, h.len), "HOME LANG PATH ");
}

static void a_large_input_comes_back_whole_from_one_that_echoes_as_it_reads(void **state)
{
	enum { BYTES = 4 * 1024 * 1024 };
	(void)state;
	struct heard h;
	const char *const whole[] = { "/bin/cat", NULL }, *const count[] = { "/usr/bin/wc", "-c", NULL };
	char *input = mem_must_alloc(BYTES);
	for (size_t i = 0; i < BYTES; i++)
		input[i] = (char)(i % 251);
	run(&h, whole, slice_make(input, BYTES), sizeof h.answer, 60000);
	assert_true(h.is_fine);
	assert_int_equal(h.len, sizeof h.answer);
	assert_memory_equal(h.answer, input, sizeof h.answer);
	run(&h, count, slice_make(input, BYTES), sizeof h.answer, 60000);
	assert_slice(slice_make(h.answer, h.len), "4194304\n");
	mem_free(input);
}

static void one_that_leaves_its_input_unread_is_no_trouble(void **state)
{
	enum { BYTES = 1024 * 1024 };
	(void)state;
	struct heard h;
	const char *const argv[] = { "/bin/sh", "-c", "exec <&-; echo well", NULL };
	char *input = mem_must_alloc(BYTES);
	run(&h, argv, slice_make(input, BYTES), sizeof h.answer, 60000);
	assert_true(h.is_fine);
	assert_slice(slice_make(h.answer, h.len), "well\n");
	mem_free(input);
}

static void what_it_prints_past_its_room_is_forgotten_and_it_ends_well(void **state)
{
	(void)state;
	struct heard h;
	const char *const argv[] = { "/usr/bin/head", "-c", "3000000", "/dev/zero", NULL };
	static const size_t rooms[] = { 0, 1, 7, sizeof h.answer };
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		run(&h, argv, SLICE(""), rooms[i], 60000);
		assert_true(h.is_fine);
		assert_int_equal(h.len, rooms[i]);
	}
}

static void a_bad_end_is_said_in_words(void **state)
{
	static const struct {
		const char *argv[4];
		const char *why;
	} cases[] = {
		{ { "/bin/sh", "-c", "exit 3", NULL }, "/bin/sh: ended with status 3" },
		{ { "/bin/sh", "-c", "kill -11 $$", NULL }, "/bin/sh: was ended by signal 11" },
		{ { "/nowhere/at/all", NULL }, "/nowhere/at/all: No such file or directory" },
		{ { "/etc/passwd", NULL }, "/etc/passwd: Permission denied" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct heard h;
		run(&h, cases[i].argv, SLICE("x"), 0, 60000);
		assert_false(h.is_fine);
		assert_string_equal(h.why, cases[i].why);
	}
}

static bool is_alive(pid_t pid)
{
	char path[64], line[256] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	bool is_there = fgets(line, sizeof line, f) && !strstr(line, ") Z");
	fclose(f);
	return is_there;
}

static void past_its_time_it_is_killed_with_all_of_its_group(void **state)
{
	(void)state;
	struct heard h;
	int child = 0, self = 0;
	const char *const argv[] = { "/bin/sh", "-c", "trap '' TERM INT; sleep 600 & echo $$ $!; wait", NULL };
	run(&h, argv, SLICE("never read"), sizeof h.answer, 300);
	assert_false(h.is_fine);
	assert_string_equal(h.why, "/bin/sh: gave no answer in time");
	assert_int_equal(sscanf(h.answer, "%d %d", &self, &child), 2);
	for (int i = 0; i < 500 && is_alive(child); i++) /* init reaps it */
		usleep(10000);
	assert_false(is_alive(self));
	assert_false(is_alive(child));
}

static void one_that_was_stopped_is_gone_and_tells_nobody(void **state)
{
	(void)state;
	struct heard h = { .loop = loop_new(NULL) };
	const char *const argv[] = { "/bin/sleep", "600" };
	const struct program_setup setup = { .loop = h.loop, .argv = argv, .argc = 2, .timeout_ms = 600000 };
	h.program = program_start(&setup, hear, &h);
	assert_non_null(h.program);
	usleep(20000);
	program_stop(&h.program);
	loop_run_once(h.loop, 0);
	assert_int_equal(h.calls, 0);
	program_stop(&h.program);
	loop_free(h.loop);
}

static void without_memory_or_words_there_is_no_program(void **state)
{
	(void)state;
	struct heard h = { .loop = loop_new(NULL) };
	const char *const argv[] = { "/bin/true" };
	struct program_setup setup = { .loop = h.loop, .argv = argv, .argc = 1, .input = SLICE("x"),
				       .timeout_ms = 60000 };
	unsigned refused = 0;
	for (long n = 0; n < 8; n++) {
		mem_fail_after = n;
		h.program = program_start(&setup, hear, &h);
		mem_fail_after = -1;
		refused += h.program == NULL;
		program_stop(&h.program);
	}
	assert_true(refused > 2 && refused < 8);
	setup.argc = 0;
	assert_null(program_start(&setup, hear, &h));
	loop_free(h.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_reach_it_as_they_stand_for_there_is_no_shell),
		cmocka_unit_test(its_environment_is_clean_and_its_input_empty_when_there_is_none),
		cmocka_unit_test(a_large_input_comes_back_whole_from_one_that_echoes_as_it_reads),
		cmocka_unit_test(one_that_leaves_its_input_unread_is_no_trouble),
		cmocka_unit_test(what_it_prints_past_its_room_is_forgotten_and_it_ends_well),
		cmocka_unit_test(a_bad_end_is_said_in_words),
		cmocka_unit_test(past_its_time_it_is_killed_with_all_of_its_group),
		cmocka_unit_test(one_that_was_stopped_is_gone_and_tells_nobody),
		cmocka_unit_test(without_memory_or_words_there_is_no_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
