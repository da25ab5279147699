/* SPDX-License-Identifier: Apache-2.0
 *
 * The main logs of Exim's own test suite: every line that carries a fact of a mail is read
 * as one, by a plain look at its flag. What is not is printed with its kind, and counted.
 * Needs the unpacked sets (QUELL_DATA or ~/.cache/quell-data); ends with 77 without them.
 */
#include "../unit.h"

#include "wire/maillog_inside.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES = 64 * 1024, SHOWN_MAX = 12 };

static char data_root[512];

/* What a line with this word behind its id (or anywhere, for "rejected") has to be. */
enum fact { FACT_NONE, FACT_IN, FACT_SENT, FACT_DEFERRED, FACT_BOUNCED, FACT_UNSENT, FACT_DONE, FACT_REJECTED,
	    FACT_COUNT };

static const struct fact_row {
	const char *name, *word;
	enum maillog_kind kind, or_kind;
	size_t lines_min, missed_max;
} facts[FACT_COUNT] = {
	[FACT_IN] = { "in", " <= ", MAILLOG_RECEIVED, MAILLOG_RECEIVED, 3200, 0 },
	[FACT_SENT] = { "sent", " => ", MAILLOG_SENT, MAILLOG_MILTER_DISCARD, 3000, 0 },
	[FACT_DEFERRED] = { "deferred", " == ", MAILLOG_DEFERRED, MAILLOG_DEFERRED, 650, 0 },
	[FACT_BOUNCED] = { "bounced", " ** ", MAILLOG_BOUNCED, MAILLOG_EXPIRED, 550, 0 },
	[FACT_UNSENT] = { "not sent (-N)", " *> ", MAILLOG_OTHER, MAILLOG_OTHER, 40, 0 },
	[FACT_DONE] = { "completed", " Completed", MAILLOG_REMOVED, MAILLOG_REMOVED, 2400, 0 },
	[FACT_REJECTED] = { "rejected", "rejected ", MAILLOG_REJECTED, MAILLOG_REJECTED, 400, 0 },
};

static size_t lines, seen[FACT_COUNT], missed[FACT_COUNT];

/* By the place of the flag: "date time [pid] id FLAG"; no grammar of ours. */
static enum fact fact_of(const char *line)
{
	static const struct {
		const char *flag;
		enum fact fact;
	} flags[] = {
		{ "<=", FACT_IN }, { "=>", FACT_SENT }, { "->", FACT_SENT }, { ">>", FACT_SENT },
		{ "==", FACT_DEFERRED }, { "**", FACT_BOUNCED }, { "*>", FACT_UNSENT },
		{ "Completed", FACT_DONE },
	};
	char words[5][128] = { "" };
	if (sscanf(line, "%127s %127s %127s %127s %127s", words[0], words[1], words[2], words[3], words[4]) < 3 ||
	    strlen(words[0]) != 10 || strchr(words[1], ':') == NULL)
		return FACT_NONE;
	for (int at = 2; at < 4; at++)
		for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
			if (strlen(words[at]) >= 16 && strcmp(words[at + 1], flags[i].flag) == 0)
				return flags[i].fact;
	/* Of AUTH= only the parameter is refused; the other is the suite's own debugging. */
	if (strstr(line, " ignoring AUTH=") || strstr(line, " event msg:"))
		return FACT_NONE;
	return strstr(line, "rejected ") ? FACT_REJECTED : FACT_NONE;
}

/* The address that stands behind the flag, when it is one plain word. */
static bool has_address(const char *line, const struct fact_row *row, const struct maillog_event *ev)
{
	char word[512] = "";
	const char *flag = strstr(line, row->word);
	if (!flag)
		flag = strstr(line, " -> ");
	if (!flag)
		flag = strstr(line, " >> ");
	if (!flag || sscanf(flag + 4, "%511s", word) != 1)
		return false;
	size_t len = strlen(word);
	if (strchr("\"|/>:", word[0]) || !strchr(word, '@'))
		return true;
	len -= word[len - 1] == ':';
	struct slice got = ev->kind == MAILLOG_RECEIVED ? ev->from : ev->rcpt;
	return slice_equal(slice_make(word, len), got);
}

/* Read, with the fields that this fact needs. */
static bool is_whole(const char *line, enum fact fact, const struct maillog_event *ev)
{
	const struct fact_row *row = &facts[fact];
	if (ev->kind != row->kind)
		return ev->kind == row->or_kind;
	if (fact == FACT_REJECTED)
		return ev->text.len > 0;
	if (ev->queue_id.len < 16 || fact == FACT_DONE)
		return ev->queue_id.len >= 16;
	bool has_party = fact == FACT_IN ? ev->has_from : ev->rcpt.len > 0;
	return has_party && has_address(line, row, ev);
}

static void read_line(const char *line)
{
	struct maillog_event ev = { .delay_ms = -1, .delays_ms = { -1, -1, -1, -1 } };
	enum fact fact = fact_of(line);
	lines++;
	bool is_ours = maillog_exim(slice_from_str(line), &ev);
	if (fact == FACT_NONE)
		return;
	seen[fact]++;
	if ((!is_ours || !is_whole(line, fact, &ev)) && missed[fact]++ < SHOWN_MAX)
		print_message("# %s, but %s: %.300s\n", facts[fact].name, maillog_kind_name(ev.kind), line);
}

static void read_file(const char *path)
{
	static char line[LINE_BYTES];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		read_line(line);
	}
	fclose(f);
}

static void every_line_with_a_fact_of_a_mail_is_read(void **state)
{
	(void)state;
	char path[1024];
	size_t files = 0;
	snprintf(path, sizeof path, "%s/exim-testsuite-dev/test/log", data_root);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/exim-testsuite-dev/test/log/%s", data_root, d->d_name);
		read_file(path);
		files++;
	}
	closedir(dir);
	print_message("# %zu lines of %zu logs\n", lines, files);
	for (size_t i = FACT_NONE + 1; i < FACT_COUNT; i++)
		print_message("# %s: %zu of %zu not read\n", facts[i].name, missed[i], seen[i]);
	assert_true(files > 800);
	for (size_t i = FACT_NONE + 1; i < FACT_COUNT; i++) {
		assert_in_range(seen[i], facts[i].lines_min, lines);
		assert_in_range(missed[i], 0, facts[i].missed_max);
	}
}

static bool find_data(void)
{
	const char *data = getenv("QUELL_DATA"), *home = getenv("HOME");
	char probe[600];
	if (data)
		snprintf(data_root, sizeof data_root, "%s", data);
	else
		snprintf(data_root, sizeof data_root, "%s/.cache/quell-data", home ? home : "");
	snprintf(probe, sizeof probe, "%s/exim-testsuite-dev", data_root);
	return access(probe, R_OK) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_with_a_fact_of_a_mail_is_read),
	};
	if (!find_data()) {
		printf("test_maillog_exim_dev: skipped: no exim-testsuite-dev in %s (run the data set's unpack)\n",
		       data_root);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
