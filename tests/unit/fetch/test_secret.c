/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "fetch/secret.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/quell-secret-XXXXXX", path[128];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/secret", folder);
	return 0;
}

static int drop_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void write_file(const void *bytes, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void the_first_line_of_a_closed_file_is_the_secret(void **state)
{
	static const struct {
		struct slice file;
		const char *secret; /* NULL: none, and why says so */
		const char *why;
	} cases[] = {
		{ { "geheim\n", 7 }, "geheim", NULL },       { { "geheim", 6 }, "geheim", NULL },
		{ { "geheim\r\nmore\n", 13 }, "geheim", NULL }, { { " a b \n", 6 }, " a b ", NULL },
		{ { "", 0 }, NULL, "first line is empty" },    { { "\nx\n", 3 }, NULL, "first line is empty" },
		{ { "a\0b\n", 4 }, NULL, "NUL byte" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error e = { .text = "" };
		write_file(cases[i].file.ptr, cases[i].file.len, i % 2 ? 0600 : 0400);
		struct secret *s = secret_read_file(path, &e);
		if (!s != !cases[i].secret)
			fail_msg("case %zu: %s", i, e.text);
		if (s)
			assert_slice(secret_bytes(s), cases[i].secret);
		else if (!strstr(e.text, cases[i].why))
			fail_msg("case %zu: %s", i, e.text);
		secret_free(&s);
		assert_null(s);
		unlink(path);
	}
}

static void hazard_42_a_file_that_others_may_read_is_refused_with_the_mend(void **state)
{
	(void)state;
	char wanted[512];
	static const mode_t modes[] = { 0644, 0640, 0604, 0602, 0666, 0610 };
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		struct error e = { .text = "" };
		write_file("geheim\n", 7, modes[i]);
		assert_null(secret_read_file(path, &e));
		snprintf(wanted, sizeof wanted, "%s: others may read or write it; mend: chmod 600 %s", path, path);
		assert_string_equal(e.text, wanted);
		assert_null(strstr(e.text, "geheim"));
		assert_false(secret_may_stand_in(path, NULL));
		unlink(path);
	}
	write_file("x\n", 2, 0600);
	assert_true(secret_may_stand_in(path, NULL));
	if (geteuid() == 0) {
		struct error e = { .text = "" };
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_null(secret_read_file(path, &e));
		assert_non_null(strstr(e.text, "belongs to another user (12345)"));
		assert_false(secret_may_stand_in(path, NULL));
	}
	unlink(path);
}

static void what_is_no_plain_file_is_refused_and_not_waited_for(void **state)
{
	(void)state;
	struct error e = { .text = "" };
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(secret_read_file(path, &e));
	assert_non_null(strstr(e.text, "not a plain file"));
	unlink(path);
	e.text[0] = '\0';
	assert_null(secret_read_file(folder, &e));
	assert_non_null(strstr(e.text, "not a plain file"));
	e.text[0] = '\0';
	assert_null(secret_read_file(path, &e));
	assert_non_null(strstr(e.text, "No such file"));
	assert_false(secret_may_stand_in(path, NULL));
}

static void a_credential_comes_from_the_folder_of_systemd_whatever_its_mode(void **state)
{
	(void)state;
	struct error e = { .text = "" };
	write_file("geheim\n", 7, 0644);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_null(secret_read_file("credential:secret", &e));
	assert_non_null(strstr(e.text, "LoadCredential=secret:FILE"));
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	struct secret *s = secret_read_file("credential:secret", NULL);
	assert_non_null(s);
	assert_slice(secret_bytes(s), "geheim");
	secret_free(&s);
	static const char *const bad[] = { "credential:", "credential:..", "credential:../secret", "credential:none" };
	for (size_t i = 0; i < 4; i++)
		assert_null(secret_read_file(bad[i], NULL));
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(path);
}

static void too_long_a_secret_is_refused_and_the_longest_is_taken(void **state)
{
	(void)state;
	static char much[SECRET_BYTES_MAX + 1];
	struct error e = { .text = "" };
	memset(much, 'x', sizeof much);
	write_file(much, SECRET_BYTES_MAX, 0600);
	assert_null(secret_read_file(path, &e));
	assert_non_null(strstr(e.text, "too long"));
	much[SECRET_BYTES_MAX - 1] = '\n';
	write_file(much, SECRET_BYTES_MAX, 0600);
	struct secret *s = secret_read_file(path, NULL);
	assert_int_equal(secret_bytes(s).len, SECRET_BYTES_MAX - 1);
	secret_free(&s);
	s = secret_copy(slice_make(much, SECRET_BYTES_MAX));
	assert_int_equal(secret_bytes(s).len, SECRET_BYTES_MAX);
	secret_free(&s);
	assert_null(secret_copy(slice_make(much, SECRET_BYTES_MAX + 1)));
	assert_int_equal(secret_bytes(NULL).len, 0);
	unlink(path);
}

/* ---- programs ---- */

struct heard {
	struct loop *loop;
	struct secret_run *run;
	unsigned calls;
	char secret[256], why[256];
};

static void hear(void *ctx, struct secret *secret, const char *why)
{
	struct heard *h = ctx;
	h->calls++;
	snprintf(h->secret, sizeof h->secret, "%.*s", SLICE_ARG(secret_bytes(secret)));
	snprintf(h->why, sizeof h->why, "%s", secret ? "" : why);
	secret_free(&secret);
	secret_run_cancel(&h->run);
}

static void run_program(struct heard *h, const char *const *argv, size_t argc, int64_t timeout_ms)
{
	*h = (struct heard){ .loop = h->loop };
	h->run = secret_run(h->loop, argv, argc, timeout_ms, hear, h);
	assert_non_null(h->run);
	assert_int_equal(h->calls, 0);
	while (h->calls == 0)
		loop_run_once(h->loop, -1);
	assert_null(h->run);
}

static void a_program_gives_its_first_line_without_a_shell_in_a_clean_environment(void **state)
{
	static const struct {
		const char *script, *secret, *why;
	} cases[] = {
		{ "echo geheim; echo more", "geheim", "" },
		{ "printf geheim", "geheim", "" },
		{ "echo $LANG.$QUELL_TEST.$PATH.$1", "C../usr/local/bin:/usr/bin:/bin.", "" },
		{ "test -n \"$HOME\" && cat && echo end", "end", "" },
		{ "echo geheim; exit 3", "", "/bin/sh: ended with status 3" },
		{ "echo geheim; kill -9 $$", "", "/bin/sh: was ended by signal 9" },
		{ "true", "", "/bin/sh: of what it printed, its first line is empty" },
		{ "head -c 100000 /dev/zero | tr '\\0' x", "", "/bin/sh: of what it printed, its first line is too "
				"long" },
	};
	(void)state;
	struct heard h = { .loop = loop_new(NULL) };
	setenv("QUELL_TEST", "leaked", 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const argv[] = { "/bin/sh", "-c", cases[i].script };
		run_program(&h, argv, 3, 60000);
		assert_string_equal(h.secret, cases[i].secret);
		assert_string_equal(h.why, cases[i].why);
	}
	const char *const none[] = { "/nonexistent/program; echo x" };
	run_program(&h, none, 1, 60000);
	assert_non_null(strstr(h.why, "No such file"));
	loop_free(h.loop);
}

static void a_program_that_does_not_end_is_killed_with_what_it_left_behind(void **state)
{
	(void)state;
	char script[512], marker[256];
	struct heard h = { .loop = loop_new(NULL) };
	snprintf(marker, sizeof marker, "%s/pid", folder);
	snprintf(script, sizeof script, "sleep 600 & echo $! >%s; echo geheim; wait", marker);
	const char *const argv[] = { "/bin/sh", "-c", script };
	FILE *f = NULL;
	for (int64_t timeout_ms = 500; !f && timeout_ms < 600000; timeout_ms *= 2) { /* until it began in time */
		run_program(&h, argv, 3, timeout_ms);
		assert_string_equal(h.secret, "");
		assert_string_equal(h.why, "/bin/sh: gave no answer in time");
		f = fopen(marker, "r");
	}
	char number[32] = "";
	assert_non_null(f);
	assert_non_null(fgets(number, sizeof number, f));
	fclose(f);
	unlink(marker);
	char stat_path[64], line[256] = "";
	snprintf(stat_path, sizeof stat_path, "/proc/%ld/stat", strtol(number, NULL, 10));
	for (int tries = 0; tries < 1000 && (f = fopen(stat_path, "r")); tries++) { /* until somebody reaped it */
		bool is_gone = !fgets(line, sizeof line, f) || strstr(line, ") Z ");
		fclose(f);
		if (is_gone)
			break;
		usleep(10000);
	}
	assert_true(!f || strstr(line, ") Z "));
	loop_free(h.loop);
}

static void a_cancelled_run_tells_nobody(void **state)
{
	(void)state;
	struct heard h = { .loop = loop_new(NULL) };
	const char *const argv[] = { "/bin/sleep", "600" }, *const soon[] = { "/bin/echo", "x" };
	h.run = secret_run(h.loop, argv, 2, 600000, hear, &h);
	assert_non_null(h.run);
	secret_run_cancel(&h.run);
	assert_null(h.run);
	h.run = secret_run(h.loop, soon, 2, 600000, hear, &h);
	usleep(50000); /* its answer may be there; it is not told all the same */
	secret_run_cancel(&h.run);
	loop_run_once(h.loop, 0);
	assert_int_equal(h.calls, 0);
	secret_run_cancel(&h.run);
	loop_free(h.loop);
}

static void without_memory_there_is_no_secret_and_nothing_is_leaked(void **state)
{
	(void)state;
	struct heard h = { .loop = loop_new(NULL) };
	const char *const argv[] = { "/bin/echo", "x" };
	unsigned refused = 0;
	write_file("geheim\n", 7, 0600);
	mem_fail_after = 0;
	struct secret *s = secret_read_file(path, NULL), *t = secret_copy(SLICE("x"));
	mem_fail_after = -1;
	assert_null(s);
	assert_null(t);
	for (long n = 0; n < 8; n++) {
		mem_fail_after = n;
		h.run = secret_run(h.loop, argv, 2, 60000, hear, &h);
		mem_fail_after = -1;
		refused += h.run == NULL;
		secret_run_cancel(&h.run);
	}
	assert_true(refused > 2 && refused < 8);
	unlink(path);
	loop_free(h.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_of_a_closed_file_is_the_secret),
		cmocka_unit_test(hazard_42_a_file_that_others_may_read_is_refused_with_the_mend),
		cmocka_unit_test(what_is_no_plain_file_is_refused_and_not_waited_for),
		cmocka_unit_test(a_credential_comes_from_the_folder_of_systemd_whatever_its_mode),
		cmocka_unit_test(too_long_a_secret_is_refused_and_the_longest_is_taken),
		cmocka_unit_test(a_program_gives_its_first_line_without_a_shell_in_a_clean_environment),
		cmocka_unit_test(a_program_that_does_not_end_is_killed_with_what_it_left_behind),
		cmocka_unit_test(a_cancelled_run_tells_nobody),
		cmocka_unit_test(without_memory_there_is_no_secret_and_nothing_is_leaked),
	};
	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
