/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole mail through flow, with a real store in a temporary folder.
 */
#include "../unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "flow/flow.h"
#include "store/hold.h"

#include <stdlib.h>
#include <unistd.h>

static const int64_t noon_ms = 1133870400000; /* 2005-12-06T12:00:00Z */

struct fixture {
	char dir[64];
	struct store *store;
	struct flow *flow;
	struct intake *intake;
	struct flow_setup setup;
	struct error error;
	/* The last answer, copied: it dies with the next mail. */
	unsigned answers;
	enum answer_kind kind;
	size_t dropped;
	char dropped_first[128], stamp[256], verdict[600];
	const char *token; /* that is_released takes */
	const char *alert_token; /* that is_alert takes */
	unsigned told, told_changes;
	char told_id[INCIDENT_ID_BYTES];
};

static bool is_released(void *ctx, struct slice token)
{
	struct fixture *f = ctx;
	return f->token && slice_equal(token, slice_from_str(f->token));
}

static bool is_alert(void *ctx, struct slice token)
{
	struct fixture *f = ctx;
	return f->alert_token && slice_equal(token, slice_from_str(f->alert_token));
}

static void on_told(void *ctx, const struct incident *incident, bool is_change)
{
	struct fixture *f = ctx;
	f->told++;
	f->told_changes += is_change;
	snprintf(f->told_id, sizeof f->told_id, "%s", incident->id);
}

static void on_answer(void *ctx, const struct answer *answer)
{
	struct fixture *f = ctx;
	f->answers++;
	f->kind = answer->kind;
	f->dropped = answer->dropped_count;
	f->stamp[0] = f->verdict[0] = f->dropped_first[0] = '\0';
	if (answer->dropped_count > 0)
		snprintf(f->dropped_first, sizeof f->dropped_first, "%.*s", SLICE_ARG(answer->dropped[0]));
	for (size_t i = 0; i < answer->header_count; i++) {
		bool is_stamp = strcmp(answer->headers[i].name, "X-Quell-Trace") == 0;
		snprintf(is_stamp ? f->stamp : f->verdict, is_stamp ? sizeof f->stamp : sizeof f->verdict,
			 "%.*s", SLICE_ARG(answer->headers[i].value));
	}
}

static void start(struct fixture *f, int64_t hold_bytes_max, bool may_drop)
{
	struct store_limits limits;
	store_limits_default(&limits);
	limits.free_bytes_min = 0;
	limits.hold_bytes_max = hold_bytes_max;
	f->store = store_open(f->dir, &limits, &f->error);
	assert_non_null(f->store);
	f->setup = (struct flow_setup){
		.store = f->store,
		.is_guard = true,
		.has_confirmation = true,
		.want_stamp = true,
		.want_tag = true,
		.gate = { .deadline_ms = 5000, .defer_for_ms = 60000 },
		.body_bytes_max = 1 << 20,
		.is_released = is_released,
		.release_ctx = f,
		.told = on_told,
		.is_alert = is_alert,
		.told_ctx = f,
	};
	storm_policy_default(&f->setup.policy);
	f->setup.policy.memory_bytes = 32 << 20;
	f->flow = flow_new(&f->setup, &f->error);
	assert_non_null(f->flow);
	flow_start(f->flow);
	f->intake = intake_new(f->flow, may_drop);
	assert_non_null(f->intake);
}

static void stop(struct fixture *f)
{
	intake_free(f->intake);
	store_close(f->store);
	flow_free(f->flow);
	f->intake = NULL;
	f->store = NULL;
	f->flow = NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	strcpy(f->dir, "/tmp/quell-intake-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	if (f->store)
		stop(f);
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

struct sent {
	const char *queue_id, *subject, *message_id, *token, *alert_token;
	const char *rcpts[4];
	int64_t at_ms;
	char own_id[16]; /* where queue_id points after send_until_withheld */
};

/* Sends a mail and waits for its answer. */
static void send_mail(struct fixture *f, const struct sent *sent)
{
	struct slice rcpts[4];
	size_t count = 0;
	char id[128];
	while (count < 4 && sent->rcpts[count]) {
		rcpts[count] = slice_from_str(sent->rcpts[count]);
		count++;
	}
	struct envelope envelope = {
		.mail_from = SLICE("author@example.org"),
		.rcpts = rcpts,
		.rcpt_count = count,
		.client_name = SLICE("mail.example.org"),
		.helo = SLICE("mail.example.org"),
		.queue_id = slice_from_str(sent->queue_id),
	};
	ip_parse(SLICE("192.0.2.7"), &envelope.client_ip);
	intake_begin(f->intake);
	if (sent->token)
		intake_header(f->intake, SLICE("X-Quell-Release"), slice_from_str(sent->token));
	if (sent->alert_token)
		intake_header(f->intake, SLICE("X-Quell-Alert"), slice_from_str(sent->alert_token));
	snprintf(id, sizeof id, " <%s@example.org>", sent->message_id);
	intake_header(f->intake, SLICE("From"), SLICE(" author@example.org"));
	intake_header(f->intake, SLICE("Date"), SLICE(" Tue, 6 Dec 2005 11:59:00 +0000"));
	intake_header(f->intake, SLICE("Message-ID"), slice_from_str(id));
	intake_header(f->intake, SLICE("Subject"), slice_from_str(sent->subject));
	intake_body(f->intake, SLICE("An ordinary text of more than sixteen bytes.\r\n"));
	unsigned before = f->answers;
	intake_end(f->intake, &envelope, sent->at_ms, on_answer, f);
	for (int i = 0; i < 500 && f->answers == before; i++) {
		usleep(2000);
		store_poll(f->store);
	}
	assert_int_equal(f->answers, before + 1);
}

/* The same mail to the same people until its surplus is withheld. */
static void send_until_withheld(struct fixture *f, struct sent *sent)
{
	for (int i = 0; i < 8; i++) {
		snprintf(sent->own_id, sizeof sent->own_id, "Q%d", i);
		sent->queue_id = sent->own_id;
		sent->at_ms = noon_ms + i * 60000;
		send_mail(f, sent);
		if (f->kind != ANSWER_ACCEPT || f->dropped > 0)
			return;
		flow_queued(f->flow, slice_from_str(sent->own_id), sent->at_ms + 10);
	}
	fail_msg("eight copies passed");
}

static void a_first_copy_passes_at_once_and_is_stamped(void **state)
{
	struct fixture *f = *state;
	start(f, 1 << 30, true);
	const struct sent mail = { .queue_id = "A1", .subject = " Hi", .message_id = "1",
				   .rcpts = { "anna@example.net" }, .at_ms = noon_ms };
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_ACCEPT);
	assert_int_equal(f->dropped, 0);
	assert_int_equal(strncmp(f->stamp, "1; k=", 5), 0);
	assert_string_equal(f->verdict, "");
}

static void surplus_is_on_disk_when_the_door_hears_discard(void **state)
{
	struct fixture *f = *state;
	struct store_health health;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_until_withheld(f, &mail);
	assert_int_equal(f->kind, ANSWER_DISCARD);
	store_health(f->store, &health);
	assert_int_equal(health.hold_copies, 1);
}

static void a_new_recipient_among_old_ones_keeps_the_first_copy(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_until_withheld(f, &mail);
	mail.rcpts[1] = "bob@example.net";
	mail.queue_id = "B1";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_ACCEPT);
	assert_int_equal(f->dropped, 1);
	assert_string_equal(f->dropped_first, "anna@example.net");
	assert_non_null(strstr(f->verdict, "; rule="));
}

static void a_door_that_cannot_drop_recipients_delivers_to_all_of_a_mixed_mail(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, false);
	send_until_withheld(f, &mail);
	mail.rcpts[1] = "bob@example.net";
	mail.queue_id = "B1";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_ACCEPT);
	assert_int_equal(f->dropped, 0);
}

static void a_full_hold_becomes_defer_and_then_deliver(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1, true);
	send_until_withheld(f, &mail);
	assert_int_equal(f->kind, ANSWER_DEFER);
	mail.at_ms += 61000;
	mail.queue_id = "C1";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_ACCEPT);
	assert_int_equal(f->dropped, 0);
	assert_int_equal(strncmp(f->verdict, "tag; ", 5), 0);
	assert_non_null(strstr(f->verdict, "the hold is full"));
}

struct told {
	char deeds[256];
};

static bool on_decision(void *ctx, const struct decision_row *row)
{
	struct told *told = ctx;
	size_t used = strlen(told->deeds);
	snprintf(told->deeds + used, sizeof told->deeds - used, "%s ", row->deed);
	return true;
}

static void what_is_written_down_is_what_was_done(void **state)
{
	struct fixture *f = *state;
	struct told told = { "" };
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1, true);
	send_until_withheld(f, &mail); /* put off, the hold is full */
	mail.at_ms += 61000;
	mail.queue_id = "C1";
	send_mail(f, &mail); /* delivered after all */
	stop(f);
	struct store_reader *reader = store_reader_open(f->dir, &f->error);
	assert_non_null(reader);
	assert_true(store_read_decisions(reader, mail.own_id, 0, on_decision, &told, &f->error));
	assert_true(store_read_decisions(reader, "C1", 0, on_decision, &told, &f->error));
	store_reader_close(reader);
	assert_string_equal(told.deeds, "defer tag ");
}

static void released_mail_passes_and_is_not_judged(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_until_withheld(f, &mail);
	f->token = "sesame";
	mail.token = " sesame";
	mail.queue_id = "D1";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_ACCEPT);
	assert_string_equal(f->stamp, "");
	mail.token = " forged";
	mail.queue_id = "D2";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_DISCARD);
}

static void our_own_alert_passes_uncounted_though_its_address_lies_in_the_storm(void **state)
{
	struct fixture *f = *state;
	struct storm_counters before, after;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_until_withheld(f, &mail);
	flow_counters(f->flow, &before);
	f->alert_token = "sesame";
	mail.alert_token = " sesame";
	mail.queue_id = "D1";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_ACCEPT);
	assert_string_equal(f->stamp, "");
	flow_counters(f->flow, &after);
	assert_int_equal(after.mails, before.mails);
	mail.alert_token = " forged";
	mail.queue_id = "D2";
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_DISCARD);
}

static void who_listens_is_told_of_each_incident(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_mail(f, &mail);
	assert_int_equal(f->told, 0);
	send_until_withheld(f, &mail);
	assert_true(f->told_changes >= 1 && f->told >= f->told_changes);
	assert_int_equal(f->told_id[0], 'D');
}

static void after_a_restart_the_breaker_is_still_open(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_until_withheld(f, &mail);
	flow_flush(f->flow, mail.at_ms);
	stop(f);
	start(f, 1 << 30, true);
	mail.queue_id = "E1";
	mail.at_ms += 1000;
	send_mail(f, &mail);
	assert_int_equal(f->kind, ANSWER_DISCARD);
}

static void an_intake_that_leaves_before_its_answer_never_hears_it(void **state)
{
	struct fixture *f = *state;
	struct sent mail = { .subject = " Storm", .message_id = "1", .rcpts = { "anna@example.net" } };
	start(f, 1 << 30, true);
	send_until_withheld(f, &mail);
	unsigned before = f->answers;
	struct slice rcpt = SLICE("anna@example.net");
	struct envelope envelope = { .mail_from = SLICE("author@example.org"), .rcpts = &rcpt,
				     .rcpt_count = 1, .queue_id = SLICE("F1") };
	intake_begin(f->intake);
	intake_header(f->intake, SLICE("From"), SLICE(" author@example.org"));
	intake_header(f->intake, SLICE("Date"), SLICE(" Tue, 6 Dec 2005 11:59:00 +0000"));
	intake_header(f->intake, SLICE("Message-ID"), SLICE(" <1@example.org>"));
	intake_header(f->intake, SLICE("Subject"), SLICE(" Storm"));
	intake_body(f->intake, SLICE("An ordinary text of more than sixteen bytes.\r\n"));
	intake_end(f->intake, &envelope, mail.at_ms + 1, on_answer, f);
	intake_begin(f->intake);
	for (int i = 0; i < 50; i++) {
		usleep(2000);
		store_poll(f->store);
	}
	assert_int_equal(f->answers, before);
}

int main(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	hash_start();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_first_copy_passes_at_once_and_is_stamped),
		TEST(surplus_is_on_disk_when_the_door_hears_discard),
		TEST(a_new_recipient_among_old_ones_keeps_the_first_copy),
		TEST(a_door_that_cannot_drop_recipients_delivers_to_all_of_a_mixed_mail),
		TEST(a_full_hold_becomes_defer_and_then_deliver),
		TEST(what_is_written_down_is_what_was_done),
		TEST(released_mail_passes_and_is_not_judged),
		TEST(our_own_alert_passes_uncounted_though_its_address_lies_in_the_storm),
		TEST(who_listens_is_told_of_each_incident),
		TEST(after_a_restart_the_breaker_is_still_open),
		TEST(an_intake_that_leaves_before_its_answer_never_hears_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
