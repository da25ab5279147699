/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told, and how often: invented incidents, a clock of the test's own, and a program
 * that appends each alert to a file. How the single ways tell is in test_alert_ways.c.
 */
#include "../unit.h"

#include "act/alert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static const int64_t noon_ms = 1133870400000; /* 2005-12-06T12:00:00Z */
enum { NOTICES_MAX = 2000 };

struct fixture {
	char dir[64], file[96];
	struct loop *loop;
	struct alert *alert;
	struct alert_settings settings;
	const char *command[8];
	int64_t now_ms;
	struct incident incident;
	struct error error;
	/* What the file holds. */
	json_t *told[NOTICES_MAX];
	size_t count;
};

static void defaults(struct alert_settings *s)
{
	char why[128];
	*s = (struct alert_settings){ .want_rates = true };
	for (size_t i = 0; i < alert_row_count; i++)
		if (alert_rows[i].type != SETTING_LIST)
			assert_true(setting_parse(&alert_rows[i], alert_rows[i].default_text, s, why, sizeof why));
}

static void reopen(struct fixture *f)
{
	const struct alert_setup setup = { .loop = f->loop, .settings = &f->settings, .host_name = "guard.example" };
	alert_close(&f->alert);
	f->alert = alert_open(&setup, &f->error);
	assert_non_null(f->alert);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	*state = f;
	strcpy(f->dir, "/tmp/quell-alert-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof f->file, "%s/told", f->dir);
	f->loop = loop_new(&f->error);
	defaults(&f->settings);
	const char *const words[] = { "/bin/sh", "-c", "cat >>\"$1\"", "sh", f->file };
	memcpy(f->command, words, sizeof words);
	f->settings.command = (struct setting_list){ .items = f->command, .count = 5 };
	f->now_ms = noon_ms;
	reopen(f);
	return 0;
}

static void forget(struct fixture *f)
{
	for (size_t i = 0; i < f->count; i++)
		json_decref(f->told[i]);
	f->count = 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	alert_close(&f->alert);
	loop_free(f->loop);
	forget(f);
	unlink(f->file);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* Until no way has anything to tell; the clock stands still. */
static void settle(struct fixture *f)
{
	struct alert_counts counts;
	alert_tick(f->alert, f->now_ms);
	for (int i = 0; i < 5000; i++) {
		alert_counts(f->alert, &counts);
		if (counts.waiting == 0)
			return;
		loop_run_once(f->loop, 10);
		alert_tick(f->alert, f->now_ms);
	}
	fail_msg("%zu alerts still wait", counts.waiting);
}

static void read_told(struct fixture *f)
{
	FILE *file = fopen(f->file, "r");
	settle(f);
	forget(f);
	file = file ? freopen(f->file, "r", file) : fopen(f->file, "r");
	while (file && f->count < NOTICES_MAX) {
		json_t *one = json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, NULL);
		if (!one)
			break;
		f->told[f->count++] = one;
	}
	if (file)
		fclose(file);
}

static const char *text_of(const struct fixture *f, size_t i, const char *name)
{
	assert_true(i < f->count);
	const char *text = json_string_value(json_object_get(f->told[i], name));
	return text ? text : "(none)";
}

/* The events told, each by its first letter (of remind: "+"). */
static const char *events(struct fixture *f)
{
	static char letters[NOTICES_MAX + 1];
	read_told(f);
	for (size_t i = 0; i < f->count; i++) {
		letters[i] = text_of(f, i, "event")[0];
		if (strcmp(text_of(f, i, "event"), "remind") == 0)
			letters[i] = '+';
	}
	letters[f->count] = '\0';
	return letters;
}

static struct incident *young(struct fixture *f, const char *id)
{
	f->incident = (struct incident){ .cls = STORM_DUPLICATE, .state = BREAKER_SUSPECT, .first_ms = f->now_ms,
					 .last_ms = f->now_ms, .copies = 2, .pairs = 2, .surplus = 1, .recipients = 3 };
	snprintf(f->incident.id, sizeof f->incident.id, "%s", id);
	snprintf(f->incident.subject, sizeof f->incident.subject, "Order now");
	return &f->incident;
}

static void tell(struct fixture *f)
{
	alert_incident(f->alert, &f->incident, f->now_ms);
}

/* One more surplus copy, now. */
static void copy(struct fixture *f)
{
	f->incident.copies++;
	f->incident.pairs++;
	f->incident.surplus++;
	f->incident.last_ms = f->now_ms;
	tell(f);
}

static void pass(struct fixture *f, int64_t ms)
{
	f->now_ms += ms;
	alert_tick(f->alert, f->now_ms);
}

static void an_alert_says_what_is_certain_in_words_and_in_fields(void **state)
{
	struct fixture *f = *state;
	struct incident *i = young(f, "Dtest");
	i->state = BREAKER_OPEN;
	i->surplus = 77;
	snprintf(i->subject, sizeof i->subject, "Bad\r\n\x1b[31m \xff subject");
	snprintf(i->opener, sizeof i->opener, "10 surplus deliveries in an hour");
	i->party_count = 3;
	i->parties[0] = (struct party){ .role = PARTY_GUILTY, .host = "mx.guilty.example", .address_count = 1 };
	assert_true(ip_parse(SLICE("192.0.2.7"), &i->parties[0].addresses[0]));
	i->parties[1] = (struct party){ .role = PARTY_SUSPECT, .host = "mx.suspect.example" };
	i->parties[2] = (struct party){ .role = PARTY_GUILTY, .host = "evil\"\n\x80name" };
	tell(f);
	assert_string_equal(events(f), "b");
	static const char *const wanted[][2] = {
		{ "quell", "alert" }, { "event", "begin" }, { "incident", "Dtest" }, { "class", "duplicate-flood" },
		{ "state", "open" }, { "since", "2005-12-06T12:00:00Z" },
		{ "subject", "Mail storm Dtest (duplicate-flood) has begun: 77 surplus copies so far" },
	};
	for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++)
		assert_string_equal(text_of(f, 0, wanted[k][0]), wanted[k][1]);
	assert_int_equal(json_integer_value(json_object_get(f->told[0], "surplus")), 77);
	assert_int_equal(json_integer_value(json_object_get(f->told[0], "recipients")), 3);
	json_t *guilty = json_object_get(f->told[0], "guilty");
	assert_int_equal(json_array_size(guilty), 2);
	json_t *first = json_array_get(guilty, 0);
	assert_string_equal(json_string_value(json_object_get(first, "host")), "mx.guilty.example");
	assert_string_equal(json_string_value(json_array_get(json_object_get(first, "addresses"), 0)), "192.0.2.7");
	const char *text = text_of(f, 0, "text");
	assert_non_null(strstr(text, "10 surplus deliveries in an hour"));
	assert_non_null(strstr(text, "quell incident Dtest"));
	for (const char *c = text; *c; c++)
		if ((*c < ' ' && *c != '\n') || *c > '~')
			fail_msg("byte %02x in the text", (unsigned char)*c);
}

static void only_what_is_withheld_or_much_or_of_a_class_that_delays_is_told(void **state)
{
	static const struct {
		enum storm_class cls;
		enum breaker state;
		uint64_t surplus, held, suppressed, deferred;
		const char *events;
	} cases[] = {
		{ STORM_DUPLICATE, BREAKER_SUSPECT, 1, 0, 0, 0, "" },
		{ STORM_DUPLICATE, BREAKER_SUSPECT, 49, 0, 0, 0, "" },
		{ STORM_DUPLICATE, BREAKER_SUSPECT, 50, 0, 0, 0, "b" },
		{ STORM_DUPLICATE, BREAKER_SUSPECT, 1, 1, 0, 0, "b" },
		{ STORM_DUPLICATE, BREAKER_SUSPECT, 1, 0, 1, 0, "b" },
		{ STORM_LOOP, BREAKER_SUSPECT, 1, 0, 0, 1, "b" },
		{ STORM_LOOP, BREAKER_SUSPECT, 1, 0, 0, 0, "" },
		{ STORM_DUPLICATE, BREAKER_OPEN, 0, 0, 0, 0, "b" },
		{ STORM_DUPLICATE, BREAKER_HALF_OPEN, 1, 0, 0, 0, "" },
		{ STORM_DUPLICATE, BREAKER_CLOSED, 5000, 10, 0, 0, "" },
		{ STORM_REPLY_ALL, BREAKER_SUSPECT, 0, 0, 0, 0, "b" },
		{ STORM_PING_PONG, BREAKER_SUSPECT, 0, 0, 0, 0, "b" },
		{ STORM_BOUNCE, BREAKER_SUSPECT, 0, 0, 0, 0, "b" },
		{ STORM_BOUNCE, BREAKER_CLOSED, 0, 0, 0, 0, "" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unlink(f->file);
		reopen(f);
		struct incident *it = young(f, "Dcase");
		it->cls = cases[i].cls;
		it->state = cases[i].state;
		it->surplus = cases[i].surplus;
		it->held = cases[i].held;
		it->suppressed = cases[i].suppressed;
		it->deferred = cases[i].deferred;
		tell(f);
		tell(f);
		if (strcmp(events(f), cases[i].events) != 0)
			fail_msg("case %zu told \"%s\"", i, events(f));
	}
}

static void a_million_copies_over_three_days_are_six_alerts(void **state)
{
	enum { COPIES = 1000000, STEP_MS = 259 };
	struct fixture *f = *state;
	young(f, "Dmillion");
	for (int i = 0; i < COPIES; i++) {
		if (i == 10)
			f->incident.state = BREAKER_OPEN;
		copy(f);
		f->now_ms += STEP_MS;
		if (i % 4 == 0)
			alert_tick(f->alert, f->now_ms);
		if (i % 1000 == 0)
			settle(f);
	}
	assert_string_equal(events(f), "b++++");
	assert_int_equal(json_integer_value(json_object_get(f->told[4], "copies")) > 100000, true);
	for (int i = 0; i < 200; i++)
		pass(f, CLOCK_MINUTE_MS);
	assert_string_equal(events(f), "b++++e");
	assert_int_equal(json_integer_value(json_object_get(f->told[5], "copies")), COPIES + 2);
	assert_string_equal(text_of(f, 5, "since"), "2005-12-06T12:00:00Z");
}

static void reminders_come_at_doubling_distances_and_only_while_it_goes_on(void **state)
{
	struct fixture *f = *state;
	young(f, "Dremind")->state = BREAKER_OPEN;
	int64_t told_at_min[8];
	size_t count = 0;
	for (int minute = 0; minute < 24 * 60; minute++) {
		struct alert_counts counts;
		copy(f);
		settle(f);
		alert_counts(f->alert, &counts);
		if (counts.told > count && count < 8)
			told_at_min[count++] = minute;
		f->now_ms += CLOCK_MINUTE_MS;
	}
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++)
		if (labs(told_at_min[i] - 60 * ((1L << i) - 1)) > 2 * (long)i)
			fail_msg("reminder %zu at minute %ld", i, (long)told_at_min[i]);
	/* Another, of which nothing comes after its begin: silence, and its end. */
	young(f, "Dquiet")->state = BREAKER_OPEN;
	tell(f);
	for (int minute = 0; minute < 119; minute++)
		pass(f, CLOCK_MINUTE_MS);
	assert_string_equal(events(f), "b++++be"); /* the other's */
	pass(f, CLOCK_MINUTE_MS);
	assert_string_equal(events(f) + 7, "e");
}

static void one_that_opens_and_closes_all_day_is_told_no_oftener_than_one_that_stays(void **state)
{
	struct fixture *f = *state;
	young(f, "Dflutter");
	for (int minute = 0; minute < 24 * 60; minute++) {
		f->incident.state = minute % 2 ? BREAKER_CLOSED : BREAKER_OPEN;
		copy(f);
		pass(f, CLOCK_MINUTE_MS);
		settle(f);
	}
	assert_string_equal(events(f), "b++++");
	for (int minute = 0; minute < 10; minute++)
		pass(f, CLOCK_MINUTE_MS);
	assert_string_equal(events(f), "b++++e");
	/* Another, long enough closed between: each end is one, and begins are as rare. */
	unlink(f->file);
	young(f, "Dsway");
	for (int minute = 0; minute < 24 * 60; minute++) {
		f->incident.state = minute % 15 ? BREAKER_CLOSED : BREAKER_OPEN;
		if (minute % 15 == 0)
			copy(f);
		else
			tell(f);
		pass(f, CLOCK_MINUTE_MS);
		settle(f);
	}
	assert_string_equal(events(f), "bebebebebe");
	/* And after a long rest it is news again. */
	pass(f, 5 * CLOCK_HOUR_MS);
	f->incident.state = BREAKER_OPEN;
	copy(f);
	assert_string_equal(events(f) + 10, "b");
}

static void what_passes_now_and_then_after_the_end_is_no_new_storm(void **state)
{
	struct fixture *f = *state;
	young(f, "Dtail");
	f->incident.state = BREAKER_OPEN;
	for (int i = 0; i < 100; i++)
		copy(f);
	f->incident.state = BREAKER_HALF_OPEN;
	for (int i = 0; i < 40; i++) { /* the probes of a breaker that is half open */
		pass(f, 6 * CLOCK_HOUR_MS);
		copy(f);
		settle(f);
	}
	assert_string_equal(events(f), "be");
}

static void after_a_restart_old_incidents_are_not_told_again(void **state)
{
	struct fixture *f = *state;
	char id[INCIDENT_ID_BYTES];
	for (int i = 0; i < 300; i++) { /* states that change as their time comes */
		snprintf(id, sizeof id, "Dold%d", i);
		young(f, id);
		f->incident.state = i % 3 ? BREAKER_OPEN : BREAKER_HALF_OPEN;
		f->incident.first_ms -= 3 * CLOCK_DAY_MS;
		f->incident.last_ms -= i % 2 ? CLOCK_DAY_MS : 2 * CLOCK_HOUR_MS;
		f->incident.surplus = f->incident.held = 5000;
		tell(f);
		f->incident.state = BREAKER_CLOSED;
		tell(f);
	}
	/* One lone copy of an old one, of which thousands were surplus once. */
	young(f, "Dlone");
	f->incident.first_ms -= 3 * CLOCK_DAY_MS;
	f->incident.surplus = f->incident.held = 5000;
	copy(f);
	assert_string_equal(events(f), "");
	/* But when it is back for good, it is told. */
	for (int i = 0; i < 50; i++)
		copy(f);
	assert_string_equal(events(f), "b");
}

static void past_the_budget_of_the_hour_one_line_tells_of_the_rest(void **state)
{
	struct fixture *f = *state;
	char id[INCIDENT_ID_BYTES];
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "Dmany%d", i);
		young(f, id)->state = BREAKER_OPEN;
		tell(f);
		pass(f, CLOCK_SECOND_MS);
	}
	assert_int_equal(strlen(events(f)), 20);
	pass(f, CLOCK_HOUR_MS);
	assert_string_equal(events(f) + 20, "s");
	assert_int_equal(json_integer_value(json_object_get(f->told[20], "more")), 80);
	assert_non_null(strstr(text_of(f, 20, "text"), "80 more alerts were not told"));
	assert_non_null(strstr(text_of(f, 20, "text"), "Dmany20, Dmany21,"));
	assert_string_equal(text_of(f, 20, "since"), "2005-12-06T12:00:00Z");
	struct alert_counts counts;
	alert_counts(f->alert, &counts);
	assert_int_equal(counts.over_budget, 80);
	pass(f, CLOCK_HOUR_MS); /* their ends: 100 of them */
	assert_int_equal(strlen(events(f)), 41);
	assert_int_equal(f->count, 41);
}

static void a_clock_that_is_set_back_stops_no_alert(void **state)
{
	struct fixture *f = *state;
	young(f, "Dclock")->state = BREAKER_OPEN;
	tell(f);
	pass(f, CLOCK_MINUTE_MS);
	f->now_ms -= INT64_C(365) * CLOCK_DAY_MS;
	for (int minute = 0; minute < 70; minute++) {
		copy(f);
		pass(f, CLOCK_MINUTE_MS);
	}
	assert_string_equal(events(f), "b+");
	for (int minute = 0; minute < 125; minute++)
		pass(f, CLOCK_MINUTE_MS);
	assert_string_equal(events(f), "b+e");
}

static void a_crowd_of_small_incidents_pushes_out_none_that_was_told(void **state)
{
	struct fixture *f = *state;
	char id[INCIDENT_ID_BYTES];
	young(f, "Dlarge")->state = BREAKER_OPEN;
	tell(f);
	for (int i = 0; i < 5000; i++) {
		snprintf(id, sizeof id, "Dsmall%d", i);
		young(f, id);
		tell(f);
	}
	young(f, "Dlarge")->state = BREAKER_OPEN;
	copy(f);
	assert_string_equal(events(f), "b");
	f->incident.state = BREAKER_CLOSED;
	copy(f);
	assert_string_equal(events(f), "b");
	pass(f, 10 * CLOCK_MINUTE_MS);
	assert_string_equal(events(f), "be");
}

static void unusual_activity_is_told_once_and_when_it_is_over(void **state)
{
	struct fixture *f = *state;
	struct rate_alarm alarm = { .kind = RATE_CLIENT, .per_hour = 8420, .usual_per_hour = 35, .since_ms = noon_ms };
	snprintf(alarm.name, sizeof alarm.name, "mx\n\"firm\".example");
	snprintf(alarm.why, sizeof alarm.why, "it handed over 4,210 mails\n.\r\nand more");
	alarm.is_over = true;
	alert_rate(f->alert, &alarm, f->now_ms);
	alarm.is_over = false;
	for (int i = 0; i < 10; i++)
		alert_rate(f->alert, &alarm, f->now_ms);
	assert_string_equal(events(f), "r");
	assert_string_equal(text_of(f, 0, "class"), "rate");
	assert_string_equal(text_of(f, 0, "state"), "unusual");
	assert_int_equal(text_of(f, 0, "incident")[0], 'R');
	assert_non_null(strstr(text_of(f, 0, "text"), "4,210 mails?.??and more\n"));
	assert_true(json_real_value(json_object_get(f->told[0], "usual_per_hour")) > 34.9);
	pass(f, 6 * CLOCK_HOUR_MS);
	alarm.is_over = true;
	alert_rate(f->alert, &alarm, f->now_ms);
	alert_rate(f->alert, &alarm, f->now_ms);
	assert_string_equal(events(f), "rr");
	assert_string_equal(text_of(f, 1, "state"), "usual");
	assert_string_equal(text_of(f, 1, "incident"), text_of(f, 0, "incident"));
	f->settings.want_rates = false;
	alarm.is_over = false;
	pass(f, 3 * CLOCK_DAY_MS);
	alert_rate(f->alert, &alarm, f->now_ms);
	assert_string_equal(events(f), "rr");
}

static void a_way_that_fails_is_tried_five_times_with_growing_pauses(void **state)
{
	struct fixture *f = *state;
	struct alert_counts counts;
	int tries = 0;
	f->command[2] = "echo x >>\"$1\"; exit 1";
	young(f, "Dfail")->state = BREAKER_OPEN;
	tell(f);
	alert_tick(f->alert, f->now_ms);
	for (int second = 0; second < 3600; second++) {
		for (int i = 0; i < 2; i++)
			loop_run_once(f->loop, 0);
		usleep(second % 60 == 0 || second < 30 ? 2000 : 0);
		pass(f, CLOCK_SECOND_MS);
	}
	for (int i = 0; i < 200; i++) {
		alert_counts(f->alert, &counts);
		if (counts.waiting == 0)
			break;
		loop_run_once(f->loop, 20);
		pass(f, CLOCK_MINUTE_MS);
	}
	FILE *file = fopen(f->file, "r");
	for (int c; file && (c = getc(file)) != EOF;)
		tries += c == 'x';
	if (file)
		fclose(file);
	assert_int_equal(tries, ALERT_TRIES);
	assert_int_equal(counts.waiting, 0);
	assert_int_equal(counts.failed >= 1, true);
	assert_int_equal(counts.told, 0);
}

static void what_waits_has_a_ceiling_and_the_oldest_gives_way(void **state)
{
	struct fixture *f = *state;
	struct alert_counts counts;
	char id[INCIDENT_ID_BYTES];
	f->command[2] = "exit 1";
	f->settings.per_hour_max = 1000;
	for (int i = 0; i < 600; i++) {
		snprintf(id, sizeof id, "Dwait%d", i);
		young(f, id)->state = BREAKER_OPEN;
		tell(f);
		if (i == 100)
			alert_tick(f->alert, f->now_ms); /* one is under way */
	}
	alert_counts(f->alert, &counts);
	assert_int_equal(counts.waiting, ALERT_QUEUE_MAX);
	assert_int_equal(counts.failed, 600 - ALERT_QUEUE_MAX);
	/* Without any way left nothing waits. */
	f->settings.command.count = 0;
	alert_retune(f->alert, &f->settings);
	settle(f);
}

static void without_memory_an_alert_is_lost_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct rate_alarm alarm = { .kind = RATE_RCPT, .name = "x@y.example" };
	for (long n = 0; n < 40; n++) {
		const struct alert_setup again = { .loop = f->loop, .settings = &f->settings, .host_name = "h" };
		alert_close(&f->alert);
		mem_fail_after = n;
		f->alert = alert_open(&again, NULL);
		if (f->alert) {
			young(f, "Dmemory")->state = BREAKER_OPEN;
			tell(f);
			copy(f);
			alert_rate(f->alert, &alarm, f->now_ms);
			alert_tick(f->alert, f->now_ms);
			f->incident.state = BREAKER_CLOSED;
			copy(f);
			alert_tick(f->alert, f->now_ms);
		}
		mem_fail_after = -1;
		if (!f->alert)
			reopen(f);
	}
}

static void settings_that_make_no_sense_open_nothing(void **state)
{
	struct fixture *f = *state;
	const struct alert_setup again = { .loop = f->loop, .settings = &f->settings, .host_name = "h" };
	struct alert_settings good = f->settings;
	const struct {
		const char **field;
		const char *value, *why;
	} cases[] = {
		{ &f->settings.webhook, "http://chat.example/", "alert.webhook: http:// is only for this machine" },
		{ &f->settings.mail_relay, "127.0.0.1", "alert.mail_relay: expected smtp://HOST:PORT" },
		{ &f->settings.mail_relay, "smtp://", "alert.mail_relay: " },
		{ &f->settings.mail_relay, "lmtp://host", "alert.mail_relay: " },
		{ &f->settings.mail_relay, "smtp://[::1", "alert.mail_relay: " },
		{ &f->settings.mail_relay, "smtp://a:0", "alert.mail_relay: " },
		{ &f->settings.mail_relay, "smtp://a:65536", "alert.mail_relay: " },
		{ &f->settings.mail_relay, "smtp://a b", "alert.mail_relay: " },
		{ &f->settings.mail_relay, "lmtp:unix:", "alert.mail_relay: " },
		{ &f->settings.mail_to, "nobody", "alert.mail_to: expected one plain address" },
		{ &f->settings.mail_to, "a@b@c", "alert.mail_to: " },
		{ &f->settings.mail_to, "a@b\r\nBcc: c@d", "alert.mail_to: " },
		{ &f->settings.mail_to, "<a@b>", "alert.mail_to: " },
		{ &f->settings.mail_to, "a@b\xc3\xa4", "alert.mail_to: " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error error = { .text = "" };
		f->settings = good;
		*cases[i].field = cases[i].value;
		assert_null(alert_open(&again, &error));
		if (strncmp(error.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %s", cases[i].value, error.text);
	}
	f->settings = good;
}

int main(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	hash_start();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_alert_says_what_is_certain_in_words_and_in_fields),
		TEST(only_what_is_withheld_or_much_or_of_a_class_that_delays_is_told),
		TEST(a_million_copies_over_three_days_are_six_alerts),
		TEST(reminders_come_at_doubling_distances_and_only_while_it_goes_on),
		TEST(one_that_opens_and_closes_all_day_is_told_no_oftener_than_one_that_stays),
		TEST(what_passes_now_and_then_after_the_end_is_no_new_storm),
		TEST(after_a_restart_old_incidents_are_not_told_again),
		TEST(past_the_budget_of_the_hour_one_line_tells_of_the_rest),
		TEST(a_clock_that_is_set_back_stops_no_alert),
		TEST(a_crowd_of_small_incidents_pushes_out_none_that_was_told),
		TEST(unusual_activity_is_told_once_and_when_it_is_over),
		TEST(a_way_that_fails_is_tried_five_times_with_growing_pauses),
		TEST(what_waits_has_a_ceiling_and_the_oldest_gives_way),
		TEST(without_memory_an_alert_is_lost_and_nothing_else),
		TEST(settings_that_make_no_sense_open_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
