/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal as a source of confirmation, with real journal files: systemd's own
 * program writes them, door/journal follows them.
 */
#include "../unit.h"

#include "door/journal.h"
#include "wire/maillog.h"

#include <stdlib.h>
#include <unistd.h>

enum { TOOLS_ABSENT = 77, ENTRY_BYTES = 4096 };

struct follower {
	struct loop *loop;
	struct journal *journal;
	struct buf got; /* messages, each ended by '|' */
};

static char folder[64];
static unsigned entries, files;

static const char *tools(void)
{
	static char tool[4096];
	const char *where = getenv("QUELL_JOURNAL_TOOLS");
	snprintf(tool, sizeof tool, "%s/lib/systemd/systemd-journal-remote", where ? where : "");
	return access(tool, X_OK) == 0 ? where : NULL;
}

#define ORIGIN "_HOSTNAME=mx\nSYSLOG_IDENTIFIER=postfix/cleanup\nSYSLOG_PID=77\n"
static const char *origin = ORIGIN; /* of the entries written next */

/* Entries of one facility into a journal file of their own. */
static void write_journal(int facility, const char *const *messages)
{
	char command[8192];
	snprintf(command, sizeof command,
		 "LD_LIBRARY_PATH=%s/usr/lib/x86_64-linux-gnu %s/lib/systemd/systemd-journal-remote "
		 "-o %s/%u.journal - >/dev/null 2>&1", tools(), tools(), folder, files++);
	FILE *pipe = popen(command, "w");
	assert_non_null(pipe);
	for (size_t i = 0; messages[i]; i++) {
		entries++;
		fprintf(pipe, "__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%u\n"
			      "_BOOT_ID=0123456789abcdef0123456789abcdef\n"
			      "_MACHINE_ID=0123456789abcdef0123456789abcdef\n"
			      "SYSLOG_FACILITY=%d\nPRIORITY=6\n%sMESSAGE=%s\n\n",
			1764000000000000ull + entries * 1001000ull, entries * 1000000, facility, origin, messages[i]);
	}
	assert_int_equal(pclose(pipe), 0);
}

static void on_line(void *ctx, struct slice line)
{
	struct follower *f = ctx;
	size_t at = slice_find_nocase(line, 0, SLICE("]: "));
	buf_add(&f->got, slice_from(line, at + 3));
	buf_add_byte(&f->got, '|');
}

static void follow(struct follower *f, struct slice cursor)
{
	struct error error = { .status = EXIT_FINE };
	*f = (struct follower){ .loop = loop_new(NULL) };
	buf_init(&f->got, 1 << 20);
	f->journal = journal_open(f->loop, folder, cursor, on_line, f, &error);
	if (!f->journal)
		fail_msg("%s", error.text);
}

static void expect(struct follower *f, const char *messages)
{
	for (int i = 0; i < 100 && strcmp(buf_str(&f->got), messages) != 0; i++)
		loop_run_once(f->loop, 50);
	assert_string_equal(buf_str(&f->got), messages);
}

static void leave(struct follower *f)
{
	journal_close(&f->journal);
	loop_free(f->loop);
	buf_free(&f->got);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/quell-journal-XXXXXX");
	files = entries = 0;
	origin = ORIGIN;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static const char *const before[] = { "A1: message-id=<1@x>", NULL };
static const char *const later[] = { "B1: message-id=<2@x>", "B2: message-id=<3@x>", NULL };
static const char *const last[] = { "C1: message-id=<4@x>", NULL };

static void only_mail_that_comes_after_the_start_is_handed_out(void **state)
{
	struct follower f;
	(void)state;
	write_journal(2, before);
	follow(&f, (struct slice){ NULL, 0 });
	write_journal(3, last); /* another facility */
	write_journal(2, later);
	expect(&f, "B1: message-id=<2@x>|B2: message-id=<3@x>|");
	leave(&f);
}

static void after_a_restart_it_goes_on_behind_the_last_entry(void **state)
{
	struct follower f;
	struct buf cursor;
	(void)state;
	buf_init(&cursor, 4096);
	write_journal(2, before);
	follow(&f, (struct slice){ NULL, 0 });
	write_journal(2, later);
	expect(&f, "B1: message-id=<2@x>|B2: message-id=<3@x>|");
	journal_cursor(f.journal, &cursor);
	assert_true(cursor.len > 0);
	leave(&f);
	write_journal(2, last); /* while nobody looks */
	follow(&f, buf_slice(&cursor));
	expect(&f, "C1: message-id=<4@x>|");
	leave(&f);
	buf_free(&cursor);
}

static void an_unknown_position_means_from_the_end(void **state)
{
	struct follower f;
	(void)state;
	write_journal(2, before);
	follow(&f, SLICE("s=no;such=cursor"));
	write_journal(2, later);
	expect(&f, "B1: message-id=<2@x>|B2: message-id=<3@x>|");
	leave(&f);
}

static void on_whole_line(void *ctx, struct slice line)
{
	buf_add(ctx, line);
	buf_add_byte(ctx, '|');
}

static void a_line_has_the_time_the_host_and_the_program_of_its_entry(void **state)
{
	struct error error = { .status = EXIT_FINE };
	struct maillog_event event;
	struct buf got, cursor;
	int64_t time_ms;
	(void)state;
	buf_init(&got, 4096);
	buf_init(&cursor, 4096);
	write_journal(2, before);
	origin = "_COMM=smtpd\n_PID=9\n";
	write_journal(2, last);
	origin = "";
	write_journal(2, before);
	assert_true(journal_read_all(folder, "", NULL, on_whole_line, &got, &cursor, &error));
	assert_string_equal(buf_str(&got), "2025-11-24T16:00:01.001Z mx postfix/cleanup[77]: A1: message-id=<1@x>|"
					   "2025-11-24T16:00:02.002Z journal smtpd[9]: C1: message-id=<4@x>|"
					   "2025-11-24T16:00:03.003Z journal unknown: A1: message-id=<1@x>|");
	assert_true(cursor.len > 0);
	maillog_read(slice_first(buf_slice(&got), slice_find_byte(buf_slice(&got), 0, '|')), &event);
	assert_slice(event.host, "mx");
	assert_slice(event.service, "cleanup");
	assert_true(maillog_time(event.time, 0, 0, &time_ms));
	assert_true(time_ms == INT64_C(1764000001001));
	buf_free(&got);
	buf_free(&cursor);
}

static void a_folder_that_is_not_there_is_an_error_that_says_so(void **state)
{
	struct error error = { .status = EXIT_FINE };
	struct loop *loop = loop_new(NULL);
	(void)state;
	assert_null(journal_open(loop, "/nonexistent", (struct slice){ NULL, 0 }, on_line, NULL, &error));
	assert_int_equal(error.status, EXIT_UNAVAILABLE);
	assert_non_null(strstr(error.text, "journal"));
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_mail_that_comes_after_the_start_is_handed_out, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_restart_it_goes_on_behind_the_last_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unknown_position_means_from_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_has_the_time_the_host_and_the_program_of_its_entry, setup,
						teardown),
		cmocka_unit_test(a_folder_that_is_not_there_is_an_error_that_says_so),
	};
	if (!tools()) {
		fputs("door journal: skipped, systemd-journal-remote is not here (./check fetches it)\n", stderr);
		return TOOLS_ABSENT;
	}
	return cmocka_run_group_tests_name("door journal", tests, NULL, NULL);
}
