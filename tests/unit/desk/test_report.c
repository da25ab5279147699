/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "desk/progress.h"
#include "desk/report.h"
#include "desk/report_layout.h"
#include "desk/text.h"
#include "fake.h"
#include "fake_flow.h"
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every way to tell a survey, and how strict its medium is. */
static const struct medium {
	const char *words;
	bool is_xml, is_ascii;
} media[] = {
	{ "trace x", false, false },	     { "trace --json x", false, true },
	{ "trace --html - x", true, false }, { "trace --svg - x", true, false },
	{ "trace --dot - x", false, false },
};
enum { MEDIA = sizeof media / sizeof media[0] };

static const char *const surveys[] = { "", "D", "L", "H", "DLH", "HHHHHHHHHHHHH" };
enum { SURVEYS = sizeof surveys / sizeof surveys[0] };

static struct fake_run run_on(const char *letters, size_t columns, const char *words)
{
	fake_flow.found = letters;
	return fake_run(columns, false, words);
}

/* --- the words ------------------------------------------------------------- */

static bool has(const struct fake_run *run, const char *text)
{
	return strstr(run->out, text) != NULL;
}

#define assert_has(run, text)                                                                                  \
	do {                                                                                                   \
		if (!has(run, text))                                                                           \
			fail_msg("\"%s\" is not in: %.4000s", text, (run)->out);                               \
	} while (0)

static void a_reader_finds_what_when_how_many_who_and_what_to_do(void **state)
{
	static const char *const wanted[] = {
		"8,737 mails in 3 files, ",
		"1 storm, 5 guilty servers.",
		"Duplicate flood D3k7q0v8x2mzpw",
		"Conveyancing Handbook 2006",
		"offers@lexpress-pub.example (the visible author, who is not blamed)",
		"413 copies for 8 people, 405 of the deliveries surplus",
		"at most 55 for one",
		"copies an hour",
		"quayside.example",
		"198.51.100.23",
		"every 15 min",
		"> 99 %",
		"95 %",
		"x26",
		"wharf.example (claim)",
		"isp-out.isp.example",
		"what is behind it is not known",
		"alumni.example.edu",
		"postmaster@quayside.example and abuse@quayside.example",
		"Microsoft Connector for POP3 Mailboxes",
		"KB835734 and KB886208",
		"is innocent: do not block",
		"Patching stops what a server sends, not what it receives",
		"quelld in front",
	};
	(void)state;
	struct fake_run run = run_on("D", 0, "trace x");
	assert_int_equal(run.status, EXIT_FOUND);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		assert_has(&run, wanted[i]);
	fake_run_free(&run);
}

static void a_claimed_name_gets_no_mail_and_no_accusation(void **state)
{
	(void)state;
	struct fake_run run = run_on("D", 0, "trace x");
	assert_false(has(&run, "abuse@wharf.example"));
	assert_false(has(&run, "abuse@liffeylaw.example"));
	assert_has(&run, "it calls itself wharf.example, which nobody attests");
	fake_run_free(&run);
}

static void a_loop_is_told_by_its_ring_and_where_to_break_it(void **state)
{
	(void)state;
	struct fake_run run = run_on("L", 0, "trace x");
	assert_int_equal(run.status, EXIT_FINE);
	assert_has(&run, "Mail loop");
	assert_has(&run, "These two servers hand the mail to each other: mx.a.example.org and b.example.net. "
			 "Break the ring");
	assert_has(&run, "Nobody can be named for certain");
	assert_false(has(&run, "Guilty:"));
	fake_run_free(&run);
}

static void guessed_own_hosts_are_named_with_the_option_that_mends_it(void **state)
{
	(void)state;
	struct fake_run run = run_on("H", 0, "trace x");
	assert_has(&run, "which servers are ours was guessed");
	assert_has(&run, "--our HOST");
	fake_run_free(&run);
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	static const size_t widths[] = { 40, 60, 80, 132, 200 };
	(void)state;
	for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
		for (size_t s = 0; s < SURVEYS; s++) {
			struct fake_run run = run_on(surveys[s], widths[w], "trace x");
			struct slice rest = slice_make(run.out, run.out_bytes), line;
			while (slice_next(&rest, '\n', &line))
				if (text_columns(line) > widths[w])
					fail_msg("%s at %zu: %.*s", surveys[s], widths[w], SLICE_ARG(line));
			fake_run_free(&run);
		}
	}
}

static void a_pipe_gets_everything_whole_and_without_colour(void **state)
{
	(void)state;
	struct fake_run run = run_on("DLH", 0, "trace x");
	assert_null(strstr(run.out, "\xe2\x80\xa6")); /* the mark of a cut */
	assert_null(strchr(run.out, '\x1b'));
	assert_has(&run, "Microsoft Small Business Server 2003 POP3 connector");
	fake_run_free(&run);
	fake_flow.found = "D";
	run = fake_run(80, true, "trace x");
	assert_has(&run, "\x1b[1m");
	fake_run_free(&run);
}

/* --- every medium ---------------------------------------------------------- */

static void assert_harmless(const struct medium *medium, const char *letters, const struct fake_run *run)
{
	struct slice s = slice_make(run->out, run->out_bytes);
	for (size_t pos = 0; pos < s.len;) {
		size_t at = pos;
		int32_t code = text_next(s, &pos);
		bool is_fine = code == '\n' || (code == '\t' && strstr(medium->words, "dot")) ||
			       text_is_harmless(code);
		if (!is_fine || (medium->is_ascii && code >= 0x7f))
			fail_msg("%s of %s: character %x at %zu: %.80s", medium->words, letters, (unsigned)code,
				 at, run->out + at);
	}
}

static void nothing_hostile_gets_through_in_any_medium(void **state)
{
	static const char *const never[] = { "<script", "<b>", "</title><style>*", "\nGuilty: nobody",
					     "onload=\"" };
	(void)state;
	for (size_t m = 0; m < MEDIA; m++) {
		struct fake_run run = run_on("H", m % 2 ? 100 : 0, media[m].words);
		assert_harmless(&media[m], "H", &run);
		for (size_t i = media[m].is_xml ? 0 : 3; media[m].is_xml ? i < 5 : i < 4; i++)
			if (has(&run, never[i]))
				fail_msg("%s: %s got through", media[m].words, never[i]);
		fake_run_free(&run);
	}
}

static void the_same_survey_gives_the_same_bytes(void **state)
{
	(void)state;
	for (size_t m = 0; m < MEDIA; m++) {
		for (size_t s = 0; s < SURVEYS; s++) {
			struct fake_run one = run_on(surveys[s], 80, media[m].words);
			struct fake_run two = run_on(surveys[s], 80, media[m].words);
			assert_int_equal(one.out_bytes, two.out_bytes);
			assert_memory_equal(one.out, two.out, one.out_bytes);
			fake_run_free(&one);
			fake_run_free(&two);
		}
	}
}

static size_t name_bytes(struct slice s)
{
	size_t n = 0;
	while (n < s.len &&
	       (ascii_is_alpha(s.ptr[n]) || ascii_is_digit(s.ptr[n]) || s.ptr[n] == '-' || s.ptr[n] == ':'))
		n++;
	return n;
}

/* name="value" again and again; returns what is left when something else comes. */
static struct slice skip_attributes(struct slice s)
{
	for (;;) {
		struct slice rest = s;
		while (rest.len && ascii_is_space(rest.ptr[0]))
			rest = slice_from(rest, 1);
		size_t name = name_bytes(rest);
		if (name == 0)
			return rest;
		rest = slice_from(rest, name);
		if (rest.len < 2 || rest.ptr[0] != '=' || rest.ptr[1] != '"')
			return s;
		size_t end = slice_find_byte(rest, 2, '"');
		if (end == rest.len || slice_find_byte(slice_first(rest, end), 0, '<') < end)
			return s;
		s = slice_from(rest, end + 1);
	}
}

static void assert_entities(struct slice text)
{
	static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
	for (size_t at = 0; (at = slice_find_byte(text, at, '&')) < text.len; at++) {
		bool is_known = false;
		for (size_t i = 0; i < 5; i++)
			is_known =
				is_known || slice_starts_nocase(slice_from(text, at), slice_from_str(known[i]));
		if (!is_known)
			fail_msg("a bare &: %.60s", text.ptr + at);
	}
}

/* A little XML: tags that match, attributes in quotes, no stray < or &. */
static void assert_well_formed(struct slice s)
{
	struct slice open[64];
	size_t depth = 0, elements = 0;
	if (slice_starts_nocase(s, SLICE("<!DOCTYPE html>")))
		s = slice_from(s, strlen("<!DOCTYPE html>"));
	while (s.len > 0) {
		size_t at = slice_find_byte(s, 0, '<');
		struct slice text = slice_first(s, at);
		assert_entities(text);
		if (at == s.len) {
			assert_int_equal(slice_trim(text).len, 0);
			break;
		}
		bool is_end = s.ptr[at + 1] == '/';
		struct slice tag = slice_from(s, at + 1 + is_end), name = slice_first(tag, name_bytes(tag));
		struct slice rest = skip_attributes(slice_from(tag, name.len));
		bool is_empty = rest.len > 1 && rest.ptr[0] == '/';
		if (name.len == 0 || rest.len <= is_empty || rest.ptr[is_empty] != '>')
			fail_msg("a broken tag: %.120s", s.ptr + at);
		if (is_end && (depth == 0 || !slice_equal(open[--depth], name)))
			fail_msg("</%.*s> does not end <%.*s>", SLICE_ARG(name), SLICE_ARG(open[depth]));
		if (!is_end && !is_empty) {
			assert_true(depth < 64);
			open[depth++] = name;
		}
		elements++;
		s = slice_from(rest, is_empty + 1);
	}
	assert_int_equal(depth, 0);
	assert_true(elements > 3);
}

static void pages_and_pictures_are_well_formed(void **state)
{
	(void)state;
	for (size_t m = 0; m < MEDIA; m++) {
		for (size_t s = 0; media[m].is_xml && s < SURVEYS; s++) {
			struct fake_run run = run_on(surveys[s], 80, media[m].words);
			assert_well_formed(slice_make(run.out, run.out_bytes));
			fake_run_free(&run);
		}
	}
}

static void a_page_runs_nothing_and_fetches_nothing(void **state)
{
	static const char *const never[] = { "<script", "src=",	   "url(",  "@import", "<link",
					     "<iframe", "<object", "<form", "nan",     "inf\"" };
	(void)state;
	for (size_t m = 2; m < 4; m++) {
		struct fake_run run = run_on("DL", 0, media[m].words);
		for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
			if (has(&run, never[i]))
				fail_msg("%s: %s", media[m].words, never[i]);
		fake_run_free(&run);
	}
	struct fake_run run = run_on("DL", 0, "trace --html - x");
	assert_has(&run, "default-src 'none'; style-src 'unsafe-inline'");
	assert_has(&run, "<html lang=\"en\"");
	assert_has(&run, "@media print");
	assert_has(&run, "prefers-color-scheme:dark");
	assert_has(&run, "<caption>Guilty");
	assert_has(&run, "isp-out.isp.example (isp-out.isp.example [192.0.2.10])");
	fake_run_free(&run);
}

static void headings_go_down_one_step_at_a_time(void **state)
{
	(void)state;
	struct fake_run run = run_on("DLH", 0, "trace --html - x");
	int last = 0;
	for (const char *c = run.out; (c = strstr(c, "<h")); c++) {
		int level = c[2] - '0';
		if (level < 1 || level > 6)
			continue;
		assert_true(level <= last + 1);
		last = level;
	}
	assert_int_equal(last, 4);
	fake_run_free(&run);
}

static void brackets_and_quotes_of_the_dot_file_match(void **state)
{
	(void)state;
	for (size_t s = 0; s < SURVEYS; s++) {
		struct fake_run run = run_on(surveys[s], 0, "trace --dot - x");
		int depth = 0;
		bool is_in_text = false;
		assert_int_equal(strncmp(run.out, "digraph storms {\n", 17), 0);
		for (const char *c = run.out; *c; c++) {
			if (is_in_text && *c == '\\')
				c++;
			else if (*c == '"')
				is_in_text = !is_in_text;
			else if (!is_in_text && strchr("{[", *c))
				depth++;
			else if (!is_in_text && strchr("}]", *c))
				depth--;
			assert_true(depth >= 0);
			assert_true(!is_in_text || *c != '\n');
		}
		assert_int_equal(depth, 0);
		assert_false(is_in_text);
		fake_run_free(&run);
	}
}

/* --- JSON ------------------------------------------------------------------ */

static json_t *load(const char *letters, const char *words)
{
	struct fake_run run = run_on(letters, 0, words);
	json_error_t where;
	json_t *o = json_loadb(run.out, run.out_bytes, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(o))
		fail_msg("%s of %s: %s: %.300s", words, letters, where.text, run.out);
	fake_run_free(&run);
	return o;
}

static void assert_members(json_t *o, const char *const *names)
{
	for (; *names; names++)
		if (!json_object_get(o, *names))
			fail_msg("no member %s", *names);
}

static void the_json_of_a_trace_has_every_member_of_the_design(void **state)
{
	static const char *const top[] = { "quell",	"messages",	     "unparsable",
					   "incidents", "our_hosts_guessed", NULL };
	static const char *const incident[] = { "id",	      "class",	  "first_seen",	      "last_seen",
						"copies",     "surplus",  "recipients",	      "message",
						"guilty",     "suspects", "entries",	      "forwarders",
						"innocent",   "graph",	  "copies_over_time", "samples",
						"worst_pair", NULL };
	static const char *const guilty[] = { "host",	    "addresses",  "domain",	   "claims",
					      "confidence", "blame",	  "amplification", "period_s",
					      "product",    "advisories", "evidence",	   NULL };
	static const char *const node[] = { "id", "name", "role", "layer", "passages", NULL };
	static const char *const edge[] = { "from",	     "to",	"passages", "surplus",
					    "amplification", "is_back", NULL };
	(void)state;
	json_t *o = load("DL", "trace --json x"), *first = json_array_get(json_object_get(o, "incidents"), 0);
	json_t *firms = json_object_get(first, "guilty"), *graph = json_object_get(first, "graph");
	assert_members(o, top);
	assert_members(first, incident);
	assert_int_equal(json_array_size(firms), 5);
	assert_members(json_array_get(firms, 0), guilty);
	assert_true(json_real_value(json_object_get(json_array_get(firms, 0), "amplification")) == 26);
	assert_true(json_is_null(json_object_get(json_array_get(firms, 4), "amplification")));
	assert_true(json_is_null(json_object_get(json_array_get(firms, 3), "period_s")));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(json_array_get(firms, 0), "advisories"), 1)),
		"KB886208");
	assert_int_equal(json_array_size(json_object_get(first, "forwarders")), 1);
	assert_int_equal(json_array_size(json_object_get(first, "entries")), 1);
	assert_int_equal(json_array_size(json_object_get(first, "innocent")), 3);
	assert_int_equal(json_array_size(json_object_get(graph, "nodes")), 11);
	assert_members(json_array_get(json_object_get(graph, "nodes"), 0), node);
	assert_members(json_array_get(json_object_get(graph, "edges"), 0), edge);
	assert_int_equal(json_integer_value(json_object_get(o, "messages")), 8737);
	json_t *loop = json_array_get(json_object_get(o, "incidents"), 1);
	assert_string_equal(json_string_value(json_object_get(loop, "class")), "loop");
	assert_int_equal(json_array_size(json_object_get(json_object_get(loop, "graph"), "cycle")), 2);
	json_decref(o);
}

static void hostile_texts_stay_json(void **state)
{
	(void)state;
	for (size_t s = 0; s < SURVEYS; s++)
		json_decref(load(surveys[s], "trace --json x"));
}

/* --- the command ------------------------------------------------------------ */

static void wrong_use_has_status_2_and_opens_nothing(void **state)
{
	static const char *const cases[] = { "trace",
					     "trace --json --html - x",
					     "trace --svg - --dot - x",
					     "trace --nonsense x",
					     "trace --policy p x",
					     "replay --html f x",
					     "replay",
					     "trace --html",
					     "trace --limit 3 x" };
	char many[4096] = "trace x";
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake_run run = fake_run(0, false, cases[i]);
		if (run.status != EXIT_USAGE || run.out_bytes > 0 || strncmp(run.err, "quell ", 6) != 0)
			fail_msg("%s: status %d, %s%s", cases[i], run.status, run.out, run.err);
		fake_run_free(&run);
	}
	for (size_t i = 0; i < 65; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), " --our h%zu", i);
	struct fake_run run = fake_run(0, false, many);
	assert_int_equal(run.status, EXIT_USAGE);
	assert_string_equal(run.err, "quell trace: too many --our, 64 at most\n");
	assert_int_equal(fake_flow.opened, 0);
	fake_run_free(&run);
}

static void the_status_says_whether_anybody_is_guilty(void **state)
{
	(void)state;
	for (size_t m = 0; m < MEDIA; m++) {
		struct fake_run run = run_on("D", 0, media[m].words);
		assert_int_equal(run.status, EXIT_FOUND);
		assert_string_equal(run.err, "");
		fake_run_free(&run);
		run = run_on("L", 0, media[m].words);
		assert_int_equal(run.status, EXIT_FINE);
		fake_run_free(&run);
		run = run_on("", 0, media[m].words);
		assert_int_equal(run.status, EXIT_FINE);
		fake_run_free(&run);
	}
	assert_int_equal(fake_flow.opened, fake_flow.closed);
}

static void what_cannot_be_read_is_told_and_changes_the_status_only_when_it_is_all(void **state)
{
	(void)state;
	fake_flow.troubles = 3;
	struct fake_run run = run_on("D", 0, "trace x");
	assert_int_equal(run.status, EXIT_FOUND);
	assert_string_equal(run.err, "quell trace: 3 files or mails could not be read as they should\n");
	fake_run_free(&run);
	fake_flow.is_empty = true;
	run = run_on("", 0, "trace x");
	assert_int_equal(run.status, EXIT_BAD_INPUT);
	fake_run_free(&run);
	fake_flow.troubles = 0;
	run = run_on("", 0, "trace x");
	assert_int_equal(run.status, EXIT_FINE); /* an empty mailbox is no trouble */
	fake_run_free(&run);
	fake_flow.is_shut = true;
	run = run_on("", 0, "trace /none /neither");
	assert_int_equal(run.status, EXIT_BAD_INPUT);
	assert_int_equal(fake_flow.path_count, 2);
	assert_int_equal(fake_flow.opened, fake_flow.closed);
	fake_run_free(&run);
}

static void a_survey_that_fails_is_told_with_its_status(void **state)
{
	(void)state;
	fake_flow.trouble = "no memory for 9 mails";
	struct fake_run run = run_on("D", 0, "trace --json x");
	assert_int_equal(run.status, EXIT_TRY_AGAIN);
	assert_string_equal(run.err, "quell trace: no memory for 9 mails\n");
	assert_int_equal(fake_flow.opened, fake_flow.closed);
	fake_run_free(&run);
	run = fake_run(0, false, "trace -c bad.yaml x");
	assert_int_equal(run.status, EXIT_BAD_INPUT);
	fake_run_free(&run);
}

static void hosts_of_the_command_line_are_added_to_those_of_the_settings(void **state)
{
	static const char *const ours[] = { "mx.set.example" }, *const relays[] = { "relay.set.example" };
	struct desk_settings kept = fake_settings;
	(void)state;
	fake_settings.our_hosts = ours;
	fake_settings.relays = relays;
	fake_settings.our_host_count = fake_settings.relay_count = 1;
	struct fake_run run = fake_run(0, false, "trace --our a.example x --our=b.example --relay r.example");
	assert_string_equal(fake_flow.our, "mx.set.example a.example b.example");
	assert_string_equal(fake_flow.relays, "relay.set.example r.example");
	fake_run_free(&run);
	run = fake_run(0, false, "replay --our c.example x");
	assert_string_equal(fake_flow.our, "mx.set.example c.example");
	fake_run_free(&run);
	fake_settings = kept;
}

static size_t files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t count = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static void reports_are_whole_files_or_none(void **state)
{
	char folder[] = "/tmp/quell-report-XXXXXX", words[512], path[128];
	struct stat info;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(words, sizeof words, "trace --html %s/a.html --svg %s/a.svg --dot %s/a.dot x", folder, folder,
		 folder);
	struct fake_run run = run_on("D", 0, words);
	assert_int_equal(run.status, EXIT_FOUND);
	assert_has(&run, "5 guilty servers"); /* the text comes too */
	assert_int_equal(files_in(folder), 3);
	fake_run_free(&run);
	snprintf(path, sizeof path, "%s/a.html", folder);
	assert_int_equal(stat(path, &info), 0);
	assert_true(info.st_size > 10000);
	fake_flow.trouble = "no";
	snprintf(words, sizeof words, "trace --svg %s/b.svg x", folder);
	run = run_on("D", 0, words);
	assert_int_equal(files_in(folder), 3);
	fake_run_free(&run);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/a.%s", folder, i == 0 ? "html" : i == 1 ? "svg" : "dot");
		unlink(path);
	}
	assert_int_equal(rmdir(folder), 0);
}

static void a_report_that_cannot_be_written_is_told_before_the_work(void **state)
{
	static const char *const cases[] = { "trace --html /nonexistent/x.html x", "trace --svg /tmp x" };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fake_run run = run_on("D", 0, cases[i]);
		assert_int_equal(run.status, EXIT_UNAVAILABLE);
		assert_int_equal(fake_flow.opened, 0);
		assert_int_equal(run.out_bytes, 0);
		assert_non_null(strstr(run.err, "cannot write"));
		fake_run_free(&run);
	}
	struct fake_run run = run_on("D", 0, "trace --html /dev/full x");
	assert_int_equal(run.status, EXIT_UNAVAILABLE);
	fake_run_free(&run);
}

/* --- replay ----------------------------------------------------------------- */

static void a_replay_tells_what_would_have_been_withheld_and_why(void **state)
{
	(void)state;
	fake_flow.decision_count = 100;
	struct fake_run run = fake_run(0, false, "replay x");
	assert_int_equal(run.status, EXIT_FINE);
	assert_has(&run, "8,737 mails in 3 files");
	assert_has(&run, "held                66");
	assert_has(&run, "Duplicate flood DABCDEFGHIJKL");
	assert_has(&run, "4 copies within an hour were taken over, 3 are allowed");
	assert_has(&run, "and 47 more; --json tells all of them");
	assert_has(&run, "66 of 8,737 mails would have been held");
	assert_has(&run, "mode observe");
	fake_run_free(&run);
	fake_flow.decision_count = 0;
	fake_settings.is_guard = true;
	run = fake_run(0, false, "replay x");
	assert_has(&run, "0 of 8,737 mails would have been held");
	assert_true(fake_flow.is_guard);
	assert_int_equal(fake_flow.pair_hour_max, 3); /* the defaults, when the settings say nothing */
	fake_settings.is_guard = false;
	fake_run_free(&run);
}

static void the_json_of_a_replay_has_every_decision_and_then_the_counts(void **state)
{
	static const char *const top[] = { "quell",	"messages",  "passed",	   "tagged",
					   "deferred",	"held",	     "suppressed", "lost",
					   "incidents", "decisions", NULL };
	static const char *const decision[] = { "file", "offset", "recipient", "verdict",    "reason", "rule",
						"tier", "time",	  "incident",  "message_id", NULL };
	(void)state;
	for (size_t hostile = 0; hostile < 2; hostile++) {
		fake_flow.is_hostile = hostile;
		fake_flow.decision_count = 1000;
		json_t *o = load("", "replay --json x"), *decisions = json_object_get(o, "decisions");
		assert_members(o, top);
		assert_int_equal(json_array_size(decisions), 1000);
		assert_members(json_array_get(decisions, 0), decision);
		assert_string_equal(json_string_value(json_object_get(json_array_get(decisions, 1), "verdict")),
				    "hold");
		assert_int_equal(json_integer_value(json_object_get(o, "held")), 666);
		assert_int_equal(json_array_size(json_object_get(o, "incidents")), 1);
		json_decref(o);
	}
	fake_flow.decision_count = 0;
	json_decref(load("", "replay --json x"));
}

static void a_replay_that_fails_still_gives_whole_json(void **state)
{
	(void)state;
	fake_flow.decision_count = 5;
	fake_flow.trouble = "no memory";
	struct fake_run run = fake_run(0, false, "replay --json x");
	json_t *o = json_loadb(run.out, run.out_bytes, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(o, "error")), "no memory");
	assert_int_equal(run.status, EXIT_TRY_AGAIN);
	json_decref(o);
	fake_run_free(&run);
	run = fake_run(0, false, "replay --policy bad.yaml x");
	assert_int_equal(run.status, EXIT_BAD_INPUT);
	assert_int_equal(fake_flow.opened, fake_flow.closed);
	fake_run_free(&run);
}

static void a_hostile_replay_fits_the_terminal_and_does_nothing_to_it(void **state)
{
	static const struct medium text = { "replay x", false, false };
	(void)state;
	fake_flow.is_hostile = true;
	fake_flow.decision_count = 50;
	for (size_t width = 40; width <= 120; width += 20) {
		struct fake_run run = fake_run(width, false, "replay x");
		struct slice rest = slice_make(run.out, run.out_bytes), line;
		assert_harmless(&text, "replay", &run);
		assert_null(strstr(run.out, "\nforged"));
		while (slice_next(&rest, '\n', &line))
			if (text_columns(line) > width)
				fail_msg("at %zu: %.*s", width, SLICE_ARG(line));
		fake_run_free(&run);
	}
}

/* --- pieces ------------------------------------------------------------------ */

static void a_progress_line_fits_and_tells_how_far_it_is(void **state)
{
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	for (size_t columns = 2; columns < 120; columns++) {
		buf_reset(&line);
		progress_line(&line, "looking over", UINT64_C(1) << 30, UINT64_C(2) << 30, columns);
		assert_true(text_columns(buf_slice(&line)) < columns);
	}
	assert_string_equal(buf_str(&line), "looking over [###############...............]  50 %  1.0 GiB");
	buf_reset(&line);
	progress_line(&line, "reading again", 1234, 0, 80);
	assert_string_equal(buf_str(&line), "reading again  1,234 mails");
	buf_free(&line);
}

static void no_box_lies_on_another_and_none_outside(void **state)
{
	struct trace_incident *all[] = { fixture_dublin(), fixture_loop(), fixture_hostile() };
	struct layout *l = malloc(sizeof *l);
	(void)state;
	for (size_t n = 0; n < 3; n++) {
		layout_make(all[n], l);
		for (unsigned a = 0; a < l->host_count; a++) {
			double x = layout_x(l, l->items[a].column), y = l->items[a].y;
			assert_true(x >= 0 && x + LAYOUT_BOX_WIDTH <= l->width + 0.5);
			assert_true(y - LAYOUT_BOX_HEIGHT / 2.0 >= -0.5 &&
				    y + LAYOUT_BOX_HEIGHT / 2.0 <= l->boxes_height + 0.5);
			for (unsigned b = 0; b < a; b++) {
				double apart = l->items[b].y > y ? l->items[b].y - y : y - l->items[b].y;
				assert_true(l->items[a].column != l->items[b].column ||
					    apart >= LAYOUT_BOX_HEIGHT);
			}
		}
		free(all[n]);
	}
	free(l);
}

static void a_page_past_its_ceiling_says_so(void **state)
{
	struct survey *survey = fixture_survey_of("D");
	struct report report = { .version = "1", .survey = survey };
	struct buf out;
	(void)state;
	buf_init(&out, 4096);
	assert_false(report_html(&report, &out));
	buf_reset(&out);
	assert_false(report_svg(&report, &out));
	buf_free(&out);
	fixture_free(survey);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		TEST(a_reader_finds_what_when_how_many_who_and_what_to_do),
		TEST(a_claimed_name_gets_no_mail_and_no_accusation),
		TEST(a_loop_is_told_by_its_ring_and_where_to_break_it),
		TEST(guessed_own_hosts_are_named_with_the_option_that_mends_it),
		TEST(no_line_is_wider_than_the_terminal),
		TEST(a_pipe_gets_everything_whole_and_without_colour),
		TEST(nothing_hostile_gets_through_in_any_medium),
		TEST(the_same_survey_gives_the_same_bytes),
		TEST(pages_and_pictures_are_well_formed),
		TEST(a_page_runs_nothing_and_fetches_nothing),
		TEST(headings_go_down_one_step_at_a_time),
		TEST(brackets_and_quotes_of_the_dot_file_match),
		TEST(the_json_of_a_trace_has_every_member_of_the_design),
		TEST(hostile_texts_stay_json),
		TEST(wrong_use_has_status_2_and_opens_nothing),
		TEST(the_status_says_whether_anybody_is_guilty),
		TEST(what_cannot_be_read_is_told_and_changes_the_status_only_when_it_is_all),
		TEST(a_survey_that_fails_is_told_with_its_status),
		TEST(hosts_of_the_command_line_are_added_to_those_of_the_settings),
		TEST(reports_are_whole_files_or_none),
		TEST(a_report_that_cannot_be_written_is_told_before_the_work),
		TEST(a_replay_tells_what_would_have_been_withheld_and_why),
		TEST(the_json_of_a_replay_has_every_decision_and_then_the_counts),
		TEST(a_replay_that_fails_still_gives_whole_json),
		TEST(a_hostile_replay_fits_the_terminal_and_does_nothing_to_it),
		TEST(a_progress_line_fits_and_tells_how_far_it_is),
		TEST(no_box_lies_on_another_and_none_outside),
		TEST(a_page_past_its_ceiling_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
