/* SPDX-License-Identifier: Apache-2.0
 *
 * How each way tells: a relay on a unix socket, a journal that the test stands in for.
 */
#include "../unit.h"
#include "relay.h"

#include "act/alert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
	char dir[64], relay_text[160], socket[96];
	struct loop *loop;
	struct alert *alert;
	struct alert_settings settings;
	struct relay relay;
	struct incident incident;
	int64_t now_ms;
	struct error error;
};

/* --- the journal, and syslog: one line each, from the thread that tells ------------ */

static char journal_said[1024];

int __wrap_sd_journal_send(const char *format, ...);
void __wrap_syslog(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each format takes one value at most; the last word is NULL. */
int __wrap_sd_journal_send(const char *format, ...)
{
	va_list args;
	size_t used = 0;
	va_start(args, format);
	for (const char *f = format; f && used < sizeof journal_said; f = va_arg(args, const char *)) {
		const char *percent = strchr(f, '%');
		int most = percent ? (int)(percent - f) : (int)strlen(f);
		used += (size_t)snprintf(journal_said + used, sizeof journal_said - used, "%.*s", most, f);
		if (percent && percent[1] == 's')
			used += (size_t)snprintf(journal_said + used, sizeof journal_said - used, "%s",
						 va_arg(args, const char *));
		else if (percent)
			used += (size_t)snprintf(journal_said + used, sizeof journal_said - used, "%d",
						 va_arg(args, int));
		if (used + 1 < sizeof journal_said)
			journal_said[used++] = '\n';
	}
	va_end(args);
	return 0;
}

void __wrap_syslog(int priority, const char *format, ...)
{
	va_list args;
	int used = snprintf(journal_said, sizeof journal_said, "<%d>", priority);
	va_start(args, format);
	vsnprintf(journal_said + used, sizeof journal_said - (size_t)used, format, args);
	va_end(args);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct net_addr addr;
	char why[128], path[128];
	*state = f;
	strcpy(f->dir, "/tmp/quell-ways-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->loop = loop_new(&f->error);
	snprintf(f->socket, sizeof f->socket, "%s/relay.sock", f->dir);
	snprintf(path, sizeof path, "unix:%s", f->socket);
	snprintf(f->relay_text, sizeof f->relay_text, "lmtp:%s", path);
	assert_true(net_addr_parse(slice_from_str(path), &addr, &f->error));
	f->relay.loop = f->loop;
	buf_init(&f->relay.in, 1 << 20);
	f->relay.listen = listen_open(f->loop, &addr, NULL, relay_on_peer, &f->relay, &f->error);
	assert_non_null(f->relay.listen);
	for (size_t i = 0; i < alert_row_count; i++)
		if (alert_rows[i].type != SETTING_LIST)
			assert_true(setting_parse(&alert_rows[i], alert_rows[i].default_text, &f->settings, why,
						  sizeof why));
	f->now_ms = 1133870400000;
	f->incident = (struct incident){ .id = "Dways", .cls = STORM_DUPLICATE, .state = BREAKER_OPEN,
					 .first_ms = f->now_ms, .last_ms = f->now_ms, .copies = 9, .surplus = 8 };
	return 0;
}

static void start(struct fixture *f)
{
	const struct alert_setup setup = { .loop = f->loop, .settings = &f->settings, .host_name = "guard.example" };
	f->alert = alert_open(&setup, &f->error);
	if (!f->alert)
		fail_msg("%s", f->error.text);
	alert_incident(f->alert, &f->incident, f->now_ms);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	alert_close(&f->alert);
	stream_close(&f->relay.stream);
	listen_close(&f->relay.listen);
	buf_free(&f->relay.in);
	for (size_t i = 0; i < f->relay.mail_count; i++)
		free(f->relay.mails[i]);
	loop_free(f->loop);
	unlink(f->socket);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Until nothing waits, or step_ms of the clock went by so many times. */
static size_t run(struct fixture *f, int64_t step_ms, int times)
{
	struct alert_counts counts = { .waiting = 1 };
	for (int i = 0; i < times && counts.waiting > 0; i++) {
		alert_tick(f->alert, f->now_ms);
		loop_run_once(f->loop, 10);
		f->now_ms += step_ms;
		alert_counts(f->alert, &counts);
	}
	return counts.waiting;
}

static void mail_way(struct fixture *f)
{
	f->settings.mail_to = "postmaster@firm.example";
	f->settings.mail_relay = f->relay_text;
}

static void token_of(const char *mail, char out[33])
{
	const char *field = strstr(mail, "\nX-Quell-Alert: ");
	assert_non_null(field);
	snprintf(out, 33, "%s", field + strlen("\nX-Quell-Alert: "));
}

static void a_mail_cannot_be_answered_and_its_token_is_good_once(void **state)
{
	struct fixture *f = *state;
	char token[33];
	mail_way(f);
	snprintf(f->incident.subject, sizeof f->incident.subject, "x\r\nBcc: victim@firm.example\r\n\r\n.\r\nRCPT");
	start(f);
	assert_int_equal(run(f, 0, 500), 0);
	assert_int_equal(f->relay.mail_count, 1);
	const char *mail = f->relay.mails[0];
	static const char *const fields[] = {
		"Date: Tue, 06 Dec 2005 12:00:00 +0000\n", "\nFrom: \"Quell\" <MAILER-DAEMON@guard.example>\n",
		"\nTo: <postmaster@firm.example>\n", "\nAuto-Submitted: auto-generated\n", ".quell@guard.example>\n",
		"\nSubject: Mail storm Dways (duplicate-flood) has begun: 8 surplus copies so far\n",
		"\nMIME-Version: 1.0\n", "\nContent-Type: text/plain; charset=us-ascii\n",
		"\n\nMail storm Dways (duplicate-flood) has begun: 8 surplus copies so far.\n",
	};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (!strstr(mail, fields[i]))
			fail_msg("no \"%s\" in\n%s", fields[i], mail);
	assert_null(strstr(mail, "\nBcc:"));
	token_of(mail, token);
	assert_int_equal(strlen(token), 32);
	/* Logs show Message-IDs; the token is not in it. */
	assert_memory_not_equal(strstr(mail, "\nMessage-ID: <") + strlen("\nMessage-ID: <"), token, 32);
	assert_false(alert_expects(f->alert, SLICE("")));
	assert_false(alert_expects(f->alert, SLICE("00000000000000000000000000000000")));
	assert_false(alert_expects(f->alert, slice_make(token, 31)));
	assert_true(alert_expects(f->alert, slice_from_str(token)));
	assert_false(alert_expects(f->alert, slice_from_str(token)));
}

static void a_name_is_quoted_or_encoded_and_never_ends_its_field(void **state)
{
	static const struct {
		const char *name, *field;
	} cases[] = {
		{ "Anna \"the\" \\ Post", "\nFrom: \"Anna \\\"the\\\" \\\\ Post\" <MAILER-DAEMON@guard.example>\n" },
		{ "a\r\nBcc: x@y", "\nFrom: \"a  Bcc: x@y\" <MAILER-DAEMON@guard.example>\n" },
		{ "W\xc3\xa4" "chter", "\nFrom: =?utf-8?B?V8OkY2h0ZXI=?= <MAILER-DAEMON@guard.example>\n" },
		{ "\xc3\xa4\r\nBcc: x@y", "\nFrom: =?utf-8?B?w6QNCkJjYzogeEB5?= <MAILER-DAEMON@guard.example>\n" },
		{ "W\xc3\xa4" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xb6" "bbb",
		  "\nFrom: =?utf-8?B?V8OkYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=?=\n "
		  "=?utf-8?B?w7ZiYmI=?= <MAILER-DAEMON@guard.example>\n" },
	};
	struct fixture *f = *state;
	mail_way(f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		f->settings.mail_from_name = cases[i].name;
		alert_close(&f->alert);
		start(f);
		assert_int_equal(run(f, 0, 500), 0);
		assert_int_equal(f->relay.mail_count, i + 1);
		if (!strstr(f->relay.mails[i], cases[i].field))
			fail_msg("no \"%s\" in\n%s", cases[i].field, f->relay.mails[i]);
	}
}

static void a_mail_that_is_put_off_is_tried_again_as_the_same_mail(void **state)
{
	struct fixture *f = *state;
	struct alert_counts counts;
	char first[33], second[33];
	mail_way(f);
	f->relay.answers[0] = "451 4.3.0 later";
	f->relay.answers[1] = "drop";
	f->relay.answer_count = 2;
	start(f);
	assert_int_equal(run(f, 500, 2000), 0);
	assert_int_equal(f->relay.mail_count, 3);
	assert_string_equal(f->relay.mails[0], f->relay.mails[2]);
	token_of(f->relay.mails[0], first);
	token_of(f->relay.mails[2], second);
	assert_string_equal(first, second);
	assert_true(alert_expects(f->alert, slice_from_str(second)));
	assert_false(alert_expects(f->alert, slice_from_str(second)));
	alert_counts(f->alert, &counts);
	assert_int_equal(counts.told, 1);
	assert_int_equal(counts.failed, 0);
}

static void a_relay_that_is_away_or_unknown_holds_up_no_other_way(void **state)
{
	struct fixture *f = *state;
	struct alert_counts counts;
	static const char *const relays[] = { "smtp://127.0.0.1:1", "lmtp:unix:/nowhere/lmtp", "smtp://[::1]:1" };
	f->settings.mail_to = "a@b.example";
	f->settings.want_syslog = true;
	for (size_t i = 0; i < sizeof relays / sizeof relays[0]; i++) {
		f->settings.mail_relay = relays[i];
		alert_close(&f->alert);
		start(f);
		assert_int_equal(run(f, 0, 100), 1);
		alert_counts(f->alert, &counts);
		assert_int_equal(counts.told, 1);
		assert_int_equal(run(f, 2000, 2000), 0);
		alert_counts(f->alert, &counts);
		assert_int_equal(counts.told, 1);
		assert_int_equal(counts.failed, 1);
	}
}

static void the_journal_gets_the_facts_as_fields(void **state)
{
	struct fixture *f = *state;
	f->settings.want_syslog = true;
	journal_said[0] = '\0';
	start(f);
	assert_int_equal(run(f, 0, 500), 0);
	assert_non_null(strstr(journal_said, "Mail storm Dways (duplicate-flood) has begun"));
	if (access("/run/systemd/journal/socket", F_OK) == 0) {
		assert_non_null(strstr(journal_said, "QUELL_INCIDENT=Dways\n"));
		assert_non_null(strstr(journal_said, "QUELL_EVENT=begin\n"));
		assert_non_null(strstr(journal_said, "SYSLOG_FACILITY=2\n"));
		return;
	}
	assert_ptr_equal(strstr(journal_said, "<20>quell: alert event=begin incident=Dways class=duplicate-flood: "),
			 journal_said);
}

static void closing_in_the_middle_of_it_is_fine(void **state)
{
	struct fixture *f = *state;
	const char *const sleep[] = { "/bin/sleep", "600" };
	mail_way(f);
	f->settings.want_syslog = true;
	f->settings.command = (struct setting_list){ .items = sleep, .count = 2 };
	f->settings.webhook = "http://127.0.0.1:1/";
	for (int rounds = 0; rounds < 12; rounds++) {
		start(f);
		alert_tick(f->alert, f->now_ms);
		for (int i = 0; i < rounds; i++)
			loop_run_once(f->loop, 1);
		alert_close(&f->alert);
		assert_null(f->alert);
	}
}

int main(void)
{
	log_setup(LOG_LEVEL_ERROR - 1, false);
	hash_start();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_mail_cannot_be_answered_and_its_token_is_good_once),
		TEST(a_name_is_quoted_or_encoded_and_never_ends_its_field),
		TEST(a_mail_that_is_put_off_is_tried_again_as_the_same_mail),
		TEST(a_relay_that_is_away_or_unknown_holds_up_no_other_way),
		TEST(the_journal_gets_the_facts_as_fields),
		TEST(closing_in_the_middle_of_it_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
