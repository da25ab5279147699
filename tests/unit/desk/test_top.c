/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "desk/control.h"
#include "desk/text.h"
#include "desk/top.h"
#include "fake.h"
#include "storm/storm.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

#define TIME_MS INT64_C(1133864403000) /* 2005-12-06 10:20:03 UTC */

static const char hostile[] = "\x1b[2J\x1b]0;x\x07\r\n"
			      "\xff\xc0\xaf\xe2\x80\xae" "txt.exe\xc2\x9b" "31m\xe6\xbc\xa2\xe5";
static const char wide[] = "漢字漢字漢字漢字漢字漢字漢字漢字漢字"
			   "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字";
/* A letter with as many accents as fit. */
#define FIVE "\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81"
static const char accents[] = "e" FIVE FIVE FIVE FIVE;

static struct top_state state_now;
static struct top_line lines[TOP_LINES_MAX];

static struct top_numbers numbers_plain(void)
{
	return (struct top_numbers){
		.time_ms = TIME_MS, .mode = "guard", .confirm = "log", .uptime_s = 7200, .mails = 1234567,
		.per_second = { [DEED_PASS] = 12.34, [DEED_HOLD] = 3 }, .hold_copies = 1200, .hold_bytes = 1536 * 1024,
	};
}

static void add_rate(struct top_numbers *n, enum rate_kind kind, const char *name, double now, double usual,
		     bool is_alarm)
{
	struct top_rates *rates = &n->rates[kind];
	struct rate_row *row = &rates->rows[rates->count++];
	*row = (struct rate_row){ .per_hour = now, .usual_per_hour = usual, .is_alarm = is_alarm };
	snprintf(row->name, sizeof row->name, "%s", name);
}

/* Everything that strangers fill is this text; every table is as full as it may be. */
static struct top_numbers numbers_full(const char *text)
{
	struct top_numbers n = numbers_plain();
	n.is_relay_away = n.is_connector = true;
	n.uptime_s = n.mails = n.hold_copies = n.hold_bytes = n.breakers_open = n.incidents_live = INT64_MAX;
	n.release_jobs = n.release_sent = n.waiting = n.delivered = n.quarantine = INT64_MAX;
	for (size_t i = 0; i < DEED_COUNT; i++)
		n.per_second[i] = 1e300;
	for (size_t i = 0; i < TOP_INCIDENTS_MAX; i++) {
		struct incident incident = { .cls = STORM_DUPLICATE, .state = BREAKER_HALF_OPEN, .copies = INT64_MAX,
					     .surplus = INT64_MAX, .held = INT64_MAX, .deferred = INT64_MAX,
					     .last_ms = TIME_MS };
		snprintf(incident.id, sizeof incident.id, "D%018zu", i);
		snprintf(incident.from, sizeof incident.from, "%s", text);
		snprintf(incident.subject, sizeof incident.subject, "%s", text);
		assert_true(top_add_incident(&n, &incident));
	}
	struct incident more = { .copies = 1 };
	assert_false(top_add_incident(&n, &more));
	for (unsigned kind = 0; kind < RATE_KIND_COUNT; kind++)
		for (size_t i = 0; i < TOP_RATES_MAX; i++)
			add_rate(&n, (enum rate_kind)kind, text, 1e300, i % 2 ? 1e300 : -1, i % 3 == 0);
	return n;
}

static struct top_numbers numbers_storm(void)
{
	struct top_numbers n = numbers_plain();
	static const enum storm_class classes[] = { STORM_DUPLICATE, STORM_REPLY_ALL };
	for (size_t i = 0; i < 2; i++) {
		struct incident incident = { .cls = classes[i], .state = i ? BREAKER_SUSPECT : BREAKER_OPEN,
					     .copies = 51234, .surplus = 1234567, .held = 50000, .suppressed = 900,
					     .deferred = 7, .last_ms = TIME_MS - (i ? 7200000 : 12000) };
		snprintf(incident.id, sizeof incident.id, "%c23456789abcd", i ? 'A' : 'D');
		snprintf(incident.from, sizeof incident.from, "offers@lexpress-pub.example");
		snprintf(incident.subject, sizeof incident.subject, "Conveyancing Handbook 2006");
		top_add_incident(&n, &incident);
	}
	n.incidents_live = 2;
	n.breakers_open = 1;
	add_rate(&n, RATE_CLIENT, "mail.harbourlaw.example", 4210, 35.4, true);
	add_rate(&n, RATE_CLIENT, "mx.isp.example", 8.5, -1, false);
	add_rate(&n, RATE_SENDER, "ann@dev.example", 123456, 0, false);
	return n;
}

static void state_with(struct top_numbers numbers)
{
	state_now = (struct top_state){ .numbers = numbers, .has_numbers = true };
}

static void draw(size_t columns, size_t count)
{
	memset(lines, 'x', sizeof lines); /* what was there before must not matter */
	top_lines(&state_now, columns, count, lines);
}

static void assert_fine(size_t columns, size_t count)
{
	size_t limit = columns < TOP_COLUMNS_MIN ? TOP_COLUMNS_MIN : columns;
	draw(columns, count);
	for (size_t i = 0; i < count; i++) {
		const struct top_line *line = &lines[i];
		struct slice text = slice_make(line->text, line->len);
		assert_int_equal(strlen(line->text), line->len);
		if (text_columns(text) > limit)
			fail_msg("%zu columns where %zu are: %s", text_columns(text), limit, line->text);
		for (size_t pos = 0; pos < text.len;)
			assert_true(text_is_harmless(text_next(text, &pos)));
		for (size_t k = 0; k < line->mark_count; k++)
			assert_true(line->marks[k].at <= line->len &&
				    line->marks[k].at >= line->marks[k ? k - 1 : 0].at);
	}
}

static void no_size_and_no_text_breaks_a_line(void **state)
{
	static const char *const texts[] = { "", "a@b.example", hostile, wide, accents };
	static const size_t columns[] = { 0,  1,  19, 20,  21,  33,  40,  47,  59, 60,
					  79, 80, 99, 100, 103, 160, 200, 400, 999 };
	static const size_t counts[] = { 1, 2, 3, 5, 8, 12, 24, 50, 120 };
	(void)state;
	for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
		for (unsigned how = 0; how < 4; how++) {
			state_with(numbers_full(texts[t]));
			state_now.has_numbers = how != 1;
			state_now.is_paused = how == 2;
			state_now.want_help = how == 3;
			state_now.scroll = t;
			if (how & 1)
				error_set(&state_now.trouble, EXIT_UNAVAILABLE, "no answer: %s%s", texts[t], wide);
			for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
				for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++)
					assert_fine(columns[c], counts[n]);
		}
	state_now.trouble.text[0] = '\0';
	draw(80, 0);
}

/* first: the line that wanted[0] is to be. */
static void assert_lines(size_t first, const char *const *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(lines[first + i].text, wanted[i]);
}
#define ASSERT_LINES(first, ...)                                                                            \
	assert_lines(first, (const char *const[]){ __VA_ARGS__ },                                           \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void a_storm_at_40_columns(void **state)
{
	(void)state;
	state_with(numbers_storm());
	draw(40, 24);
	ASSERT_LINES(0, " quell top  guard, confirm log 10:20:03 ", "mails 1,234,567   passed 12/s",
		     "tagged 0/s   deferred 0/s   held 3/s", "suppressed 0/s   breakers open 1",
		     "hold 1,200, 1.5 MiB   released 0", "up 2 h", "", "Incidents: 2 not closed",
		     "INCIDENT      STATE     SURPLUS SUBJECT", "D23456789abcd open         1.2M Conveya…",
		     "A23456789abcd suspect      1.2M Conveya…", "", "CLIENT                  AN HOUR    USUAL",
		     "! mail.harbourlaw.exa…    4,210       35", "mx.isp.example              8.5  not yet", "",
		     "SENDER                  AN HOUR    USUAL", "ann@dev.example            123k        0", "",
		     "USER                    AN HOUR    USUAL", "nothing yet", "", "");
	assert_string_equal(lines[23].text, "q end   ? help   p pause   Tab rates");
}

static void a_storm_at_80_columns(void **state)
{
	(void)state;
	state_with(numbers_storm());
	draw(80, 24);
	ASSERT_LINES(1, "mails 1,234,567   passed 12/s   tagged 0/s   deferred 0/s   held 3/s",
		     "suppressed 0/s   breakers open 1   hold 1,200, 1.5 MiB   released 0   up 2 h", "",
		     "Incidents: 2 not closed",
		     "INCIDENT      STATE     CLASS      COPIES SURPLUS WITHHELD   LAST SUBJECT",
		     "D23456789abcd open      duplicate  51,234    1.2M   50,900   12 s Conveyancing …",
		     "A23456789abcd suspect   reply-all  51,234    1.2M   50,900    2 h Conveyancing …");
	assert_int_equal(lines[0].marks[0].look, TOP_REVERSE);
	assert_int_equal(lines[6].marks[0].look, TOP_ALARM);
	assert_int_equal(lines[6].marks[0].at, 14);
	assert_int_equal(lines[7].marks[0].look, TOP_WARN);
}

static void a_storm_at_200_columns_has_all_columns_and_the_rates_side_by_side(void **state)
{
	(void)state;
	state_with(numbers_storm());
	draw(200, 40);
	assert_non_null(strstr(lines[4].text, "DEFERRED    LAST  FROM                                SUBJECT"));
	assert_non_null(strstr(lines[5].text, "offers@lexpress-pub.example         Conveyancing Handbook 2006"));
	assert_non_null(strstr(lines[8].text, "CLIENT "));
	assert_non_null(strstr(lines[8].text, "SENDER "));
	assert_non_null(strstr(lines[8].text, "USER "));
	assert_non_null(strstr(lines[9].text, "! mail.harbourlaw.example"));
	assert_non_null(strstr(lines[9].text, "123k"));
	assert_non_null(strstr(lines[9].text, "nothing yet"));
	assert_non_null(strstr(lines[12].text, "RECIPIENT "));
	assert_non_null(strstr(lines[12].text, "SERVER (LOG) "));
	state_now.kind = RATE_SOURCE; /* the kinds go round */
	draw(200, 40);
	assert_true(slice_starts_nocase(slice_from_str(lines[8].text), SLICE("SERVER (LOG)")));
	assert_true(strstr(lines[8].text, "CLIENT ") < strstr(lines[8].text, "SENDER "));
}

static void nothing_yet_and_nobody_there_are_said(void **state)
{
	(void)state;
	state_with(numbers_plain());
	draw(80, 24);
	ASSERT_LINES(4, "Incidents: none", "",
		     "CLIENT                                                          AN HOUR    USUAL", "nothing yet");
	state_now.has_numbers = false;
	error_set(&state_now.trouble, EXIT_UNAVAILABLE, "cannot connect to /x: \x1b[31mrefused");
	draw(80, 24);
	ASSERT_LINES(1, "No answer from the daemon.   Trying again.", "cannot connect to /x: \\x1b[31mrefused", "");
	state_now.has_numbers = true;
	state_now.age_ms = 12400;
	draw(80, 24);
	ASSERT_LINES(1, "No answer from the daemon.   Numbers are 12 s old; trying again.",
		     "mails 1,234,567   passed 12/s   tagged 0/s   deferred 0/s   held 3/s");
	assert_int_equal(lines[1].marks[0].look, TOP_ALARM);
	state_now.numbers.incident_count = 1;
	draw(80, 24);
	assert_string_equal(lines[5].text, "Incidents: all closed; the last");
}

static void many_incidents_scroll_to_the_last_and_no_further(void **state)
{
	(void)state;
	state_with(numbers_full("a"));
	state_now.numbers.incidents_live = 34;
	draw(80, 24);
	size_t head = 0;
	while (strncmp(lines[head].text, "Incidents:", 10) != 0)
		head++;
	assert_string_equal(lines[head].text, "Incidents: 34 not closed (1 to 6 of 20)");
	assert_true(slice_starts_nocase(slice_from_str(lines[head + 2].text), SLICE("D00000000000")));
	top_press(&state_now, TOP_KEY_DOWN, 80, 24);
	draw(80, 24);
	assert_string_equal(lines[head].text, "Incidents: 34 not closed (2 to 7 of 20)");
	for (int i = 0; i < 9; i++)
		top_press(&state_now, TOP_KEY_PAGE_DOWN, 80, 24);
	draw(80, 24);
	assert_string_equal(lines[head].text, "Incidents: 34 not closed (15 to 20 of 20)");
	top_press(&state_now, TOP_KEY_UP, 80, 24);
	draw(80, 24);
	assert_string_equal(lines[head].text, "Incidents: 34 not closed (14 to 19 of 20)");
	for (int i = 0; i < 9; i++)
		top_press(&state_now, TOP_KEY_PAGE_UP, 80, 24);
	top_press(&state_now, TOP_KEY_UP, 80, 24);
	assert_int_equal(state_now.scroll, 0);
	state_now.scroll = 13;
	draw(200, 100); /* all are shown now */
	assert_string_equal(lines[4].text[0] ? lines[4].text : lines[5].text, "Incidents: 34 not closed");
}

static void keys_do_what_the_help_says(void **state)
{
	(void)state;
	state_with(numbers_storm());
	assert_false(top_press(&state_now, TOP_KEY_QUIT, 80, 24));
	assert_true(top_press(&state_now, TOP_KEY_NONE, 80, 24));
	top_press(&state_now, TOP_KEY_KIND_BACK, 80, 24);
	assert_int_equal(state_now.kind, RATE_SOURCE);
	top_press(&state_now, TOP_KEY_KIND, 80, 24);
	top_press(&state_now, TOP_KEY_KIND, 80, 24);
	assert_int_equal(state_now.kind, RATE_SENDER);
	top_press(&state_now, TOP_KEY_PAUSE, 80, 24);
	draw(80, 24);
	assert_non_null(strstr(lines[0].text, "PAUSED  10:20:03"));
	top_press(&state_now, TOP_KEY_HELP, 80, 24);
	draw(80, 24);
	assert_string_equal(lines[2].text, "q          end");
	assert_string_equal(lines[23].text, "? back   q end");
	top_press(&state_now, TOP_KEY_HELP, 80, 24);
	top_press(&state_now, TOP_KEY_PAUSE, 80, 24);
	assert_false(state_now.want_help || state_now.is_paused);
}

static void numbers_and_spans_are_short(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rates[] = {
		{ -1, "0" }, { 0, "0" }, { 0.04, "0.0" }, { 4.5, "4.5" }, { 7, "7" }, { 9.96, "10" }, { 12.34, "12" },
		{ 99999, "99,999" }, { 99999.6, "100k" }, { 999499, "999k" }, { 999600, "1.0M" }, { 1234567, "1.2M" },
		{ 12345678, "12M" }, { 1.8e19, "18E" }, { 1e300, "20E" },
	};
	static const struct {
		int64_t ms;
		const char *text;
	} spans[] = {
		{ -5, "0 s" }, { 99999, "99 s" }, { 100000, "1 min" }, { 5999999, "99 min" }, { 6000000, "1 h" },
		{ 172800000, "2 d" }, { INT64_MAX, "106751991167 d" },
	};
	static const char *const classes[][2] = {
		{ "duplicate-flood", "duplicate" }, { "bounce-storm", "bounce" }, { "loop", "loop" },
		{ "-storm", "-storm" },
		{ "a class of which this version does not know", "a class of which this v" },
	};
	char out[TOP_WORD_BYTES];
	(void)state;
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
		assert_string_equal(top_rate_text(rates[i].value, out), rates[i].text);
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
		assert_string_equal(top_span_text(spans[i].ms, out), spans[i].text);
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		assert_string_equal(top_class_text(classes[i][0], out), classes[i][1]);
}

/* --- the answer as JSON ------------------------------------------------------------ */

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (unsigned is_connector = 0; is_connector < 2; is_connector++) {
		struct top_numbers n = numbers_storm(), back;
		n.is_connector = n.is_relay_away = is_connector;
		n.waiting = n.delivered = n.quarantine = is_connector ? 5 : 0;
		memset(&back, 'x', sizeof back);
		json_t *o = top_encode(&n);
		top_decode(o, &back);
		json_t *again = top_encode(&back);
		assert_true(json_equal(o, again));
		assert_int_equal(json_object_get(o, "fetch") != NULL, is_connector);
		assert_int_equal(back.incident_count, 2);
		assert_int_equal(back.incidents[1].last_ms, TIME_MS - 7200000);
		assert_true(back.rates[RATE_CLIENT].rows[1].usual_per_hour < 0);
		assert_true(back.rates[RATE_CLIENT].rows[0].is_alarm);
		json_decref(o);
		json_decref(again);
	}
}

static void an_answer_that_makes_no_sense_is_read_as_nothing(void **state)
{
	static const char *const answers[] = {
		"{}", "{\"hold\":3,\"rates\":[],\"incidents\":{}}",
		"{\"incidents\":[1,null,{}],\"rates\":{\"client\":[[],7]}}",
		"{\"time\":\"2005-12-06T09:20:03Zx\",\"mails\":-1,\"uptime_s\":\"7\",\"mode\":[]}",
		"{\"per_second\":{\"held\":-2}}",
		"{\"time\":17,\"per_second\":7,\"release\":{\"relay_away\":1}}",
	};
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		json_t *o = json_loads(answers[i], 0, NULL);
		assert_non_null(o);
		memset(&state_now, 0, sizeof state_now);
		top_decode(o, &state_now.numbers);
		state_now.has_numbers = true;
		assert_true(state_now.numbers.mails == 0 && state_now.numbers.time_ms == 0);
		assert_true(state_now.numbers.per_second[DEED_HOLD] <= 0 && !state_now.numbers.is_relay_away);
		assert_fine(80, 24);
		json_decref(o);
	}
}

static void texts_are_cut_between_characters(void **state)
{
	struct top_numbers n = numbers_plain();
	struct incident incident = { .cls = STORM_LOOP };
	char whole[256];
	(void)state;
	for (size_t lead = 0; lead < 4; lead++) {
		n.incident_count = 0;
		snprintf(whole, sizeof whole, "%.*s%s", (int)lead, "xxxx", wide);
		memcpy(incident.subject, whole, sizeof incident.subject - 1); /* itself cut anywhere */
		top_add_incident(&n, &incident);
		struct slice text = slice_from_str(n.incidents[0].subject);
		assert_true(text.len > TOP_TEXT_BYTES - 5 && text.len < TOP_TEXT_BYTES);
		for (size_t pos = 0; pos < text.len;)
			assert_true(text_next(text, &pos) >= 0);
	}
}

static const char *answer_text;

static void on_top(void *ctx, struct top_numbers *numbers)
{
	(void)ctx;
	assert_int_equal(numbers->incident_count, 0);
	*numbers = numbers_full(answer_text);
}

static void the_largest_answer_fits_and_is_whole(void **state)
{
	static const struct control_calls calls = { .top = on_top };
	char controls[INCIDENT_TEXT_BYTES], bad[INCIDENT_TEXT_BYTES];
	(void)state;
	memset(controls, 1, sizeof controls - 1); /* six bytes each as JSON */
	memset(bad, 0xff, sizeof bad - 1);
	controls[sizeof controls - 1] = bad[sizeof bad - 1] = '\0';
	const char *const texts[] = { controls, bad, "\"\"\"\"\"\"\"\"\"", wide, "" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct buf answer;
		answer_text = texts[i];
		buf_init(&answer, CONTROL_ANSWER_BYTES);
		control_answer(&calls, SLICE("top"), &answer);
		assert_false(answer.is_over);
		json_t *o = json_loadb(answer.ptr, answer.len, JSON_REJECT_DUPLICATES, NULL);
		assert_true(json_is_true(json_object_get(o, "ok")));
		top_decode(json_object_get(o, "top"), &state_now.numbers);
		assert_int_equal(state_now.numbers.incident_count, TOP_INCIDENTS_MAX);
		assert_int_equal(state_now.numbers.rates[RATE_SOURCE].count, TOP_RATES_MAX);
		json_decref(o);
		buf_free(&answer);
	}
}

static void without_memory_or_without_such_an_order_it_is_said(void **state)
{
	static const struct control_calls calls = { .top = on_top }, none = { .ctx = NULL };
	struct buf answer;
	(void)state;
	buf_init(&answer, CONTROL_ANSWER_BYTES);
	assert_non_null(buf_reserve(&answer, 1024));
	answer_text = "";
	mem_fail_after = 0;
	control_answer(&calls, SLICE("top"), &answer);
	mem_fail_after = -1;
	assert_non_null(strstr(buf_str(&answer), "\"exit\":75"));
	buf_reset(&answer);
	control_answer(&none, SLICE("top"), &answer);
	assert_non_null(strstr(buf_str(&answer), "\"exit\":2"));
	buf_reset(&answer);
	control_answer(&calls, SLICE("top of all"), &answer);
	assert_non_null(strstr(buf_str(&answer), "\"exit\":2"));
	buf_free(&answer);
}

/* --- the command, and what the engine tells ----------------------------------------- */

static void a_daemon_that_is_away_is_status_69(void **state)
{
	static const char *const words[] = { "top", "top --once", "top --json", "top --once --json",
					     "--fetch top --json" };
	(void)state;
	fake_settings.fetch_control = "/nonexistent/control.sock";
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		struct fake_run run = fake_run(0, false, words[i]);
		assert_int_equal(run.status, EXIT_UNAVAILABLE);
		assert_non_null(strstr(run.err, "quell top: the daemon does not answer at "));
		assert_int_equal(strstr(run.err, "/nonexistent") != NULL, strstr(words[i], "--fetch") != NULL);
		json_t *o = json_loadb(run.out, run.out_bytes, 0, NULL);
		assert_int_equal(o != NULL, strstr(words[i], "--json") != NULL);
		assert_int_equal(o ? json_integer_value(json_object_get(o, "exit")) : 69, 69);
		json_decref(o);
		fake_run_free(&run);
	}
}

static void an_interval_is_1_to_60_seconds(void **state)
{
	static const struct {
		const char *words;
		enum exit_status status;
	} cases[] = {
		{ "top --interval 0", EXIT_USAGE }, { "top --interval 61", EXIT_USAGE },
		{ "top --interval x", EXIT_USAGE }, { "top --interval", EXIT_USAGE },
		{ "top x", EXIT_USAGE },            { "held --interval 1", EXIT_USAGE },
		{ "held --once", EXIT_USAGE },      { "top --limit 3", EXIT_USAGE },
		{ "top --dry-run", EXIT_USAGE },
		{ "top --interval 1", EXIT_UNAVAILABLE }, { "top --interval 60s", EXIT_UNAVAILABLE },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake_run run = fake_run(0, false, cases[i].words);
		assert_int_equal(run.status, cases[i].status);
		fake_run_free(&run);
	}
}

static void a_snapshot_names_all_and_harms_no_terminal(void **state)
{
	(void)state;
	for (size_t columns = 0; columns <= 200; columns += 40) {
		char *out = NULL;
		size_t bytes = 0;
		struct top_numbers n = columns == 120 ? numbers_plain() : numbers_full(columns ? hostile : "a@b.x");
		struct desk desk = { .columns = columns, .out = open_memstream(&out, &bytes) };
		top_print(&desk, &n);
		fclose(desk.out);
		struct slice rest = slice_make(out, bytes), line;
		while (slice_next(&rest, '\n', &line)) {
			assert_true(columns == 0 || text_columns(line) <= columns);
			for (size_t pos = 0; pos < line.len;)
				assert_true(text_is_harmless(text_next(line, &pos)));
		}
		assert_int_equal(strstr(out, "No incident.") != NULL, columns == 120);
		assert_int_equal(strstr(out, "D000000000000000019") != NULL, columns != 120);
		free(out);
	}
}

static void the_engine_tells_the_newest_incidents_and_how_many_go_on(void **state)
{
	struct error error = { .status = EXIT_FINE };
	struct storm_setup setup = { .seed = 1 };
	const struct incident *found[3];
	size_t all;
	(void)state;
	storm_policy_default(&setup.policy);
	struct storm *storm = storm_new(&setup, &error);
	assert_non_null(storm);
	assert_int_equal(storm_incidents_top(storm, true, found, 3, &all), 0);
	assert_int_equal(all, 0);
	for (unsigned i = 0; i < 8; i++) { /* the last seen at 0, 3, 6, 1, 4, 7, 2, 5 seconds */
		struct incident incident = { .cls = STORM_LOOP, .last_ms = i * 3 % 8 * 1000 };
		incident.content_public[0] = (uint8_t)i;
		incident.state = i % 2 ? BREAKER_OPEN : BREAKER_CLOSED;
		storm_remember(storm, &incident);
	}
	assert_int_equal(storm_incidents_top(storm, true, found, 3, &all), 3);
	assert_int_equal(all, 8);
	assert_true(found[0]->last_ms == 7000 && found[1]->last_ms == 6000 && found[2]->last_ms == 5000);
	assert_int_equal(storm_incidents_top(storm, false, found, 3, &all), 3);
	assert_int_equal(all, 4); /* at 3, 1, 7 and 5 seconds */
	assert_true(found[0]->last_ms == 7000 && found[1]->last_ms == 5000 && found[2]->last_ms == 3000);
	assert_int_equal(storm_incidents_top(storm, false, found, 0, &all), 0);
	struct rate_row rows[2];
	assert_int_equal(storm_rates_top(storm, RATE_CLIENT, rows, 2), 0);
	storm_free(storm);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_size_and_no_text_breaks_a_line),
		cmocka_unit_test(a_storm_at_40_columns),
		cmocka_unit_test(a_storm_at_80_columns),
		cmocka_unit_test(a_storm_at_200_columns_has_all_columns_and_the_rates_side_by_side),
		cmocka_unit_test(nothing_yet_and_nobody_there_are_said),
		cmocka_unit_test(many_incidents_scroll_to_the_last_and_no_further),
		cmocka_unit_test(keys_do_what_the_help_says),
		cmocka_unit_test(numbers_and_spans_are_short),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(an_answer_that_makes_no_sense_is_read_as_nothing),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(the_largest_answer_fits_and_is_whole),
		cmocka_unit_test(without_memory_or_without_such_an_order_it_is_said),
		cmocka_unit_test(a_daemon_that_is_away_is_status_69),
		cmocka_unit_test(an_interval_is_1_to_60_seconds),
		cmocka_unit_test(a_snapshot_names_all_and_harms_no_terminal),
		cmocka_unit_test(the_engine_tells_the_newest_incidents_and_how_many_go_on),
	};
	return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
