/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "main/config.h"

#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/quell-config-XXXXXX";
static char *out_text, *err_text;
static size_t out_bytes, err_bytes;

static void write_file(const char *yaml)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
}

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int drop_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* words may hold one %s, for the file. */
static enum exit_status run(const char *words)
{
	static const struct desk_command *const own[] = { &config_command };
	struct config_host ctx = { .settings = NULL };
	const struct desk_host host = { .version = "9.9.9", .settings = config_host_settings, .ctx = &ctx,
					.own = own, .own_count = 1 };
	struct desk desk = { .host = &host };
	char *argv[8] = { "quell" }, copy[256], *at = copy;
	int argc = 1;
	snprintf(copy, sizeof copy, "%s", words);
	for (char *word; (word = strsep(&at, " "));)
		argv[argc++] = strcmp(word, "FILE") == 0 ? path : word;
	free(out_text);
	free(err_text);
	desk.out = open_memstream(&out_text, &out_bytes);
	desk.err = open_memstream(&err_text, &err_bytes);
	enum exit_status status = desk_run_as(&desk, argc, argv);
	fclose(desk.out);
	fclose(desk.err);
	config_host_free(&ctx);
	return status;
}

static void a_good_file_is_fine_and_a_bad_one_is_told_line_by_line(void **state)
{
	(void)state;
	char wanted[256];
	write_file("mode: guard\nour_hosts: [mx.example.org]\nstate: /tmp\n");
	assert_int_equal(run("config check -c FILE"), EXIT_FINE);
	snprintf(wanted, sizeof wanted, "%s: fine\n", path);
	assert_string_equal(out_text, wanted);
	assert_non_null(strstr(err_text, "warning: "));
	write_file("mode: guard\nmoed: x\nstate: y\n");
	assert_int_equal(run("-c FILE config check"), EXIT_BAD_INPUT);
	snprintf(wanted, sizeof wanted,
		 "%s:2: moed: unknown setting; did you mean mode?\n"
		 "%s:3: state: y is not understood; expected an absolute path, beginning with /\n", path, path);
	assert_string_equal(err_text, wanted);
	assert_string_equal(out_text, "");
}

static void the_sample_passes_the_check(void **state)
{
	(void)state;
	assert_int_equal(run("config sample"), EXIT_FINE);
	assert_non_null(strstr(out_text, "\nhold:\n"));
	write_file(out_text);
	assert_int_equal(run("config check -c FILE"), EXIT_FINE);
	assert_int_equal(run("config show -c FILE"), EXIT_FINE);
	char *left = strstr(out_text, "# default");
	assert_non_null(left); /* of secrets a sample cannot hold one */
	assert_ptr_equal(strstr(out_text, "  webhook: \"\"  # default"), left - strlen("  webhook: \"\"  "));
	assert_null(strstr(left + 1, "# default"));
}

static void show_names_the_source_of_every_value(void **state)
{
	(void)state;
	char wanted[256];
	write_file("\nmode: observe\n");
	assert_int_equal(run("config show -c FILE"), EXIT_FINE);
	snprintf(wanted, sizeof wanted, "mode: observe  # %s:2\n", path);
	assert_non_null(strstr(out_text, wanted));
	assert_non_null(strstr(out_text, "state: /var/lib/quell  # default\n"));
	assert_string_equal(err_text, "");
}

static void config_has_help_and_refuses_other_words(void **state)
{
	(void)state;
	assert_int_equal(run("config --help"), EXIT_FINE);
	assert_non_null(strstr(out_text, "Usage: quell config check|show|sample"));
	assert_int_equal(run("--help"), EXIT_FINE);
	assert_non_null(strstr(out_text, "\n  config "));
	assert_int_equal(run("config frob"), EXIT_USAGE);
	assert_int_equal(run("config"), EXIT_USAGE);
	assert_int_equal(run("config show --man"), EXIT_USAGE);
	assert_int_equal(run("config sample --man"), EXIT_FINE);
	assert_non_null(strstr(out_text, "quell.yaml(5)\n"));
}

static void the_other_commands_do_not_start_with_bad_settings(void **state)
{
	(void)state;
	write_file("mode: x\n");
	assert_int_equal(run("held -c FILE"), EXIT_BAD_INPUT);
	assert_non_null(strstr(err_text, ":1: mode: x is not understood"));
	write_file("state: /nonexistent/quell\n");
	assert_int_equal(run("held -c FILE"), EXIT_FINE);
	assert_string_equal(out_text, "Nothing is held.\n");
	assert_int_equal(run("release DABC -c FILE"), EXIT_UNAVAILABLE);
	assert_non_null(strstr(err_text, "/nonexistent/quell/control.sock"));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_file_is_fine_and_a_bad_one_is_told_line_by_line),
		TEST(the_sample_passes_the_check),
		TEST(show_names_the_source_of_every_value),
		TEST(config_has_help_and_refuses_other_words),
		TEST(the_other_commands_do_not_start_with_bad_settings),
	};
	int failed = cmocka_run_group_tests(tests, make_file, drop_file);
	free(out_text);
	free(err_text);
	return failed;
}
