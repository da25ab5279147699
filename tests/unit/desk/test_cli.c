/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "desk/text.h"
#include "fake.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static const char evil[] = "\x1b]0;owned\x07\xe2\x80\xae\xc2\x9b" "2J\xff\r\nquell: forged";

static struct incident *one_incident(const char *text)
{
	static struct incident incident;
	fake_incident(&incident, text);
	fake_store.incidents = &incident;
	fake_store.incident_count = 1;
	return &incident;
}

static void one_hold(const char *text)
{
	static struct hold_row row;
	row = (struct hold_row){ .id = "H0123456789ABCDEFGHIJK", .incident = "DABCDEFGHIJKL", .time_ms = 1133860803000,
				 .deed = DEED_HOLD, .bytes = 5120 };
	snprintf(row.rcpt, sizeof row.rcpt, "%s", text);
	snprintf(row.mail_from, sizeof row.mail_from, "%s", text);
	snprintf(row.reason, sizeof row.reason, "%s", text);
	snprintf(row.rule, sizeof row.rule, "pair");
	fake_store.holds = &row;
	fake_store.hold_count = 1;
}

static void one_decision(const char *text)
{
	static struct decision_row row;
	row = (struct decision_row){ .id = 7, .time_ms = 1133860803000, .queue_id = "4BcD", .deed = "hold",
				     .tier = "T2", .rule = "pair", .incident = "DABCDEFGHIJKL" };
	snprintf(row.reason, sizeof row.reason, "%s", text);
	snprintf(row.message_id, sizeof row.message_id, "%s", text);
	snprintf(row.rcpt, sizeof row.rcpt, "%s", text);
	fake_store.decisions = &row;
	fake_store.decision_count = 1;
}

static void fill(const char *text)
{
	one_incident(text);
	one_hold(text);
	one_decision(text);
}

static const char *const showing[] = {
	"incidents", "incident DABCDEFGHIJKL", "held", "held DABCDEFGHIJKL", "explain 4BcD",
};
enum { SHOWING = sizeof showing / sizeof showing[0] };

static void every_word_of_the_design_is_known_and_has_help(void **state)
{
	static const char *const there[] = { "incidents", "incident", "held", "release", "explain", "trace", "replay",
					     "top" };
	static const char *const later[] = { "watch", "fetch", "audit", "preflight", "notify", "demo" };
	char words[64];
	(void)state;
	struct fake_run all = fake_run(0, false, "--help");
	assert_int_equal(all.status, EXIT_FINE);
	const char *apart = strstr(all.out, "Not in this version:");
	assert_non_null(apart);
	for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
		snprintf(words, sizeof words, "\n  %s ", there[i]);
		assert_true(strstr(all.out, words) && strstr(all.out, words) < apart);
		snprintf(words, sizeof words, "%s --help", there[i]);
		struct fake_run run = fake_run(0, false, words);
		assert_int_equal(run.status, EXIT_FINE);
		assert_non_null(strstr(run.out, "Usage: quell "));
		assert_non_null(strstr(run.out, "Manual: quell-"));
		assert_string_equal(run.err, "");
		fake_run_free(&run);
	}
	for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
		snprintf(words, sizeof words, "\n  %s ", later[i]);
		assert_non_null(strstr(apart, words));
		snprintf(words, sizeof words, "%s --json --once whatever", later[i]);
		struct fake_run run = fake_run(0, false, words);
		assert_int_equal(run.status, EXIT_UNAVAILABLE);
		snprintf(words, sizeof words, "quell %s: not in this version yet\n", later[i]);
		assert_string_equal(run.err, words);
		assert_string_equal(run.out, "");
		fake_run_free(&run);
		snprintf(words, sizeof words, "%s --help", later[i]);
		run = fake_run(0, false, words);
		assert_int_equal(run.status, EXIT_FINE);
		assert_non_null(strstr(run.out, "not in this version"));
		fake_run_free(&run);
	}
	fake_run_free(&all);
}

static void wrong_use_is_told_in_one_line_with_status_2(void **state)
{
	static const struct {
		const char *words, *err;
	} cases[] = {
		{ "", "quell: which command? See quell --help\n" },
		{ "storm", "quell: no command \"storm\"; see quell --help\n" },
		{ "--frob", "quell: --frob is not an option here; see quell --help\n" },
		{ "incident", "quell incident: something is missing; usage: quell incident ID [--json]\n" },
		{ "incidents x", "quell incidents: too many words, from \"x\" on; usage: quell incidents [--json] "
				 "[--limit N]\n" },
		{ "held --frob", "quell held: unknown option --frob; see quell held --help\n" },
		{ "held --rate 3", "quell held: it has no such option; see quell held --help\n" },
		{ "held --limit x", "quell held: \"x\" is no number\n" },
		{ "held --limit", "quell held: --limit needs a value; see quell held --help\n" },
		{ "release D1 --rate fast", "quell release: \"fast\" is no rate; expected N/min, such as 30/min\n" },
		{ "\x1b[31m", "quell: no command \"\\x1b[31m\"; see quell --help\n" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake_run run = fake_run(0, false, cases[i].words);
		assert_string_equal(run.err, cases[i].err);
		assert_string_equal(run.out, "");
		assert_int_equal(run.status, EXIT_USAGE);
		fake_run_free(&run);
	}
}

static void the_settings_file_may_be_named_before_or_after_the_word(void **state)
{
	static const char *const words[] = { "-c bad.yaml held", "held -c bad.yaml", "held --config=bad.yaml --json",
					     "-c bad.yaml release D1" };
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fake_run run = fake_run(0, false, words[i]);
		assert_int_equal(run.status, EXIT_BAD_INPUT);
		assert_string_equal(run.err, "bad.yaml:1: bad\n");
		fake_run_free(&run);
	}
}

static void assert_no_control(const char *text)
{
	struct slice s = slice_from_str(text);
	for (size_t pos = 0; pos < s.len;) {
		int32_t code = text_next(s, &pos);
		assert_true(code == '\n' || text_is_harmless(code));
	}
}

static void what_strangers_wrote_does_nothing_to_a_terminal(void **state)
{
	(void)state;
	fill(evil);
	for (size_t i = 0; i < SHOWING; i++) {
		struct fake_run run = fake_run(i % 2 ? 100 : 0, false, showing[i]);
		assert_int_equal(run.status, EXIT_FINE);
		assert_no_control(run.out);
		if (strstr(run.out, "\nquell: forged"))
			fail_msg("%s: a line was forged: %.300s", showing[i], strstr(run.out, "\nquell: forged") - 200);
		fake_run_free(&run);
	}
}

static void json_is_one_object_and_nothing_else_whatever_is_in_it(void **state)
{
	static const char *const texts[] = { "plain", evil, "\"}\\u0000", "" };
	(void)state;
	for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
		fill(texts[t]);
		for (size_t i = 0; i < SHOWING; i++) {
			char words[64];
			json_error_t where;
			snprintf(words, sizeof words, "%s --json", showing[i]);
			struct fake_run run = fake_run(0, false, words);
			json_t *o = json_loadb(run.out, run.out_bytes, JSON_REJECT_DUPLICATES, &where);
			if (!json_is_object(o))
				fail_msg("%s: %s", words, where.text);
			assert_string_equal(json_string_value(json_object_get(o, "quell")), "9.9.9");
			assert_string_equal(run.err, "");
			for (size_t k = 0; k < run.out_bytes; k++)
				assert_true(run.out[k] == '\n' || (run.out[k] >= ' ' && run.out[k] <= '~'));
			json_decref(o);
			fake_run_free(&run);
		}
	}
}

static json_t *load(const char *words)
{
	struct fake_run run = fake_run(0, false, words);
	json_t *o = json_loadb(run.out, run.out_bytes, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	fake_run_free(&run);
	return o;
}

static void the_json_of_an_incident_has_the_members_of_the_design(void **state)
{
	static const char *const members[] = { "id", "class", "state", "first_seen", "last_seen", "copies", "surplus",
					       "recipients", "held", "suppressed", "passed", "message", "guilty",
					       "suspects", "entries", "forwarders", "innocent", "text" };
	static const char *const guilty[] = { "host", "addresses", "domain", "claims", "confidence", "blame",
					      "period_s", "product", "advisories", "evidence" };
	(void)state;
	fill("someone@example.org");
	json_t *o = load("incidents --json"), *counters = json_object_get(o, "counters");
	json_t *incident = json_array_get(json_object_get(o, "incidents"), 0);
	assert_int_equal(json_integer_value(json_object_get(counters, "mails")), 1234567);
	assert_int_equal(json_object_size(counters), 6);
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (!json_object_get(incident, members[i]))
			fail_msg("no member %s", members[i]);
	json_t *party = json_array_get(json_object_get(incident, "guilty"), 0);
	for (size_t i = 0; i < sizeof guilty / sizeof guilty[0]; i++)
		if (!json_object_get(party, guilty[i]))
			fail_msg("no member %s of guilty", guilty[i]);
	assert_int_equal(json_array_size(json_object_get(incident, "entries")), 1);
	assert_string_equal(json_string_value(json_object_get(incident, "first_seen")), "2005-12-06T09:20:03Z");
	assert_string_equal(json_string_value(json_object_get(incident, "class")), "duplicate-flood");
	assert_true(json_real_value(json_object_get(party, "period_s")) == 900);
	assert_string_equal(json_string_value(json_array_get(json_object_get(party, "advisories"), 0)), "KB835734");
	json_t *innocent = json_array_get(json_object_get(incident, "innocent"), 0);
	assert_string_equal(json_string_value(json_object_get(innocent, "address")), "someone@example.org");
	json_decref(o);
	o = load("explain 4BcD --json");
	json_t *reference = json_object_get(o, "incident");
	assert_string_equal(json_string_value(json_object_get(reference, "id")), "DABCDEFGHIJKL");
	json_decref(o);
	o = load("held --json");
	assert_int_equal(json_integer_value(json_object_get(o, "total")), 1);
	json_decref(o);
}

static void narrow_terminals_get_narrow_tables(void **state)
{
	static const size_t widths[] = { 60, 80, 100, 200 };
	static const char *const tables[] = { "incidents", "held", "explain 4BcD", "incident DABCDEFGHIJKL" };
	(void)state;
	fill("a rather long text that somebody wrote, with words");
	for (size_t w = 0; w < 4; w++) {
		for (size_t i = 0; i < 4; i++) {
			struct fake_run run = fake_run(widths[w], false, tables[i]);
			struct slice rest = slice_make(run.out, run.out_bytes), line;
			assert_int_equal(run.status, EXIT_FINE);
			while (slice_next(&rest, '\n', &line))
				if (text_columns(line) > widths[w])
					fail_msg("%s at %zu: %.*s", tables[i], widths[w], SLICE_ARG(line));
			fake_run_free(&run);
		}
	}
	struct fake_run run = fake_run(60, false, "incidents");
	assert_non_null(strstr(run.out, "DABCDEFGHIJKL"));
	assert_non_null(strstr(run.out, "51,234"));
	assert_non_null(strstr(run.out, "a rather"));
	fake_run_free(&run);
}

static void colours_are_only_printed_when_they_are_wanted(void **state)
{
	(void)state;
	fill("x");
	for (size_t i = 0; i < SHOWING; i++) {
		struct fake_run run = fake_run(80, false, showing[i]);
		assert_null(strchr(run.out, '\x1b'));
		fake_run_free(&run);
		run = fake_run(80, true, showing[i]);
		assert_non_null(strstr(run.out, "\x1b[1m"));
		fake_run_free(&run);
	}
}

static void many_held_rows_are_all_shown_and_counted(void **state)
{
	(void)state;
	one_hold("user@example.org");
	fake_store.hold_repeat = 20000;
	struct fake_run run = fake_run(80, false, "held");
	size_t lines = 0;
	for (const char *c = run.out; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 20000 + 3);
	assert_non_null(strstr(run.out, "\n20,000, 97.7 MiB."));
	fake_run_free(&run);
	run = fake_run(0, false, "held --limit 5");
	assert_non_null(strstr(run.out, "\n5, 25.0 KiB."));
	fake_run_free(&run);
	json_t *o = load("held --json");
	assert_int_equal(json_array_size(json_object_get(o, "held")), 20000);
	json_decref(o);
}

static void a_store_that_fails_in_the_middle_still_gives_whole_json(void **state)
{
	(void)state;
	fill("x");
	fake_store.is_broken = true;
	for (size_t i = 0; i < 2; i++) {
		struct fake_run run = fake_run(0, false, i ? "held --json" : "incidents --json");
		assert_int_equal(run.status, EXIT_UNAVAILABLE);
		json_t *o = json_loadb(run.out, run.out_bytes, 0, NULL);
		assert_string_equal(json_string_value(json_object_get(o, "error")), "the disk is \x1b[31mred");
		assert_no_control(run.err);
		json_decref(o);
		fake_run_free(&run);
	}
}

static void before_the_first_mail_there_is_nothing_and_that_is_fine(void **state)
{
	static const struct {
		const char *words, *out;
		enum exit_status status;
	} cases[] = {
		{ "incidents", "No incident: Quell has stored nothing yet.\n", EXIT_FINE },
		{ "held", "Nothing is held.\n", EXIT_FINE },
		{ "held --json", "{\"quell\":\"9.9.9\",\n\"held\":[],\n\"total\":0}\n", EXIT_FINE },
		{ "incident D1", "", EXIT_BAD_INPUT },
		{ "explain x", "", EXIT_BAD_INPUT },
	};
	(void)state;
	struct desk_settings kept = fake_settings;
	fake_settings.state = "/nonexistent/quell";
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake_run run = fake_run(0, false, cases[i].words);
		assert_string_equal(run.out, cases[i].out);
		assert_int_equal(run.status, cases[i].status);
		fake_run_free(&run);
	}
	fake_settings = kept;
}

static void an_unknown_id_is_bad_input_and_says_where_to_look(void **state)
{
	(void)state;
	fill("x");
	struct fake_run run = fake_run(0, false, "incident DNOSUCH");
	assert_int_equal(run.status, EXIT_BAD_INPUT);
	assert_string_equal(run.err, "quell incident: no incident \"DNOSUCH\"; quell incidents lists them\n");
	fake_run_free(&run);
	run = fake_run(0, false, "release ../../etc");
	assert_int_equal(run.status, EXIT_BAD_INPUT);
	fake_run_free(&run);
}

static void an_answer_that_cannot_be_written_is_not_a_success(void **state)
{
	(void)state;
	static const struct desk_host host = { .version = "9.9.9" };
	char *argv[] = { "quell", "--help" }, *text = NULL;
	size_t bytes = 0;
	struct desk desk = { .host = &host, .out = fopen("/dev/full", "w"), .err = open_memstream(&text, &bytes) };
	assert_int_equal(desk_run_as(&desk, 2, argv), EXIT_UNAVAILABLE);
	fclose(desk.err);
	fclose(desk.out);
	assert_string_equal(text, "quell: cannot write the answer: No space left on device\n");
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_word_of_the_design_is_known_and_has_help),
		TEST(wrong_use_is_told_in_one_line_with_status_2),
		TEST(the_settings_file_may_be_named_before_or_after_the_word),
		TEST(what_strangers_wrote_does_nothing_to_a_terminal),
		TEST(json_is_one_object_and_nothing_else_whatever_is_in_it),
		TEST(the_json_of_an_incident_has_the_members_of_the_design),
		TEST(narrow_terminals_get_narrow_tables),
		TEST(colours_are_only_printed_when_they_are_wanted),
		TEST(many_held_rows_are_all_shown_and_counted),
		TEST(a_store_that_fails_in_the_middle_still_gives_whole_json),
		TEST(before_the_first_mail_there_is_nothing_and_that_is_fine),
		TEST(an_unknown_id_is_bad_input_and_says_where_to_look),
		TEST(an_answer_that_cannot_be_written_is_not_a_success),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
