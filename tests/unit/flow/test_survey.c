/* SPDX-License-Identifier: Apache-2.0
 *
 * survey and replay over mail in memory: what becomes an incident and what does not,
 * whose mailbox counts, and that old mail is judged as quelld would have judged it.
 */
#include "shelf.h"

#include "base/mem.h"
#include "flow/replay.h"
#include "flow/survey.h"
#include "storm/incidents.h"

#include <stdlib.h>

static struct shelf shelf;

static struct survey *look(void)
{
	struct error error = { .status = EXIT_FINE };
	const struct survey_setup setup = { .source = &shelf.source };
	struct survey *survey = survey_run(&setup, &error);
	if (!survey)
		fail_msg("%s", error.text);
	return survey;
}

/* A copy as a relay hands it to our server: via names the relay's line. */
static void put_copy(uint32_t box, const char *id, int minute, const char *via, const char *to)
{
	shelf_put(&shelf, box,
		  "%sReceived: from relay.isp.example (relay.isp.example [198.51.100.9])\n"
		  "\tby mx.ours.example (Postfix) with ESMTP id T%s%d; %s\n"
		  "Received: from mail.author.example (mail.author.example [192.0.2.25])\n"
		  "\tby relay.isp.example with ESMTP id %s; %s\n"
		  "From: Author <author@author.example>\nTo: list@many.example\n"
		  "Subject: Conveyancing Handbook\nMessage-ID: <1@author.example>\n"
		  "Date: %s\n\nThe text of the mail, long enough to count.\n",
		  to ? to : "", id, minute, shelf_date(minute), via, shelf_date(minute), shelf_date(0));
}

static void ten_copies_of_one_mail_are_a_duplicate_flood_and_the_author_is_innocent(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 10; i++) {
		char id[16];
		snprintf(id, sizeof id, "A%d", i);
		put_copy(0, id, i * 15, id, NULL);
	}
	struct survey *survey = look();
	assert_int_equal(survey->messages, 10);
	assert_int_equal(survey->incident_count, 1);
	const struct trace_incident *t = survey->incidents[0];
	assert_int_equal(t->incident.cls, STORM_DUPLICATE);
	assert_int_equal(t->incident.copies, 10);
	assert_int_equal(t->incident.surplus, 9);
	assert_int_equal(t->worst_pair, 10);
	assert_true(t->innocent_count > 0);
	assert_string_equal(t->innocents[0].address, "author@author.example");
	/* Its server gave the relay ten copies, says a relay that nobody vouches for. */
	for (unsigned i = 0; i < t->incident.party_count; i++)
		assert_int_not_equal(t->incident.parties[i].role, PARTY_GUILTY);
	survey_free(survey);
}

static void the_id_of_a_storm_is_made_of_its_content_alone(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 5; i++) {
		char id[16];
		snprintf(id, sizeof id, "B%d", i);
		put_copy(0, id, i, id, NULL);
	}
	struct survey *one = look();
	shelf_begin(&shelf);
	for (int i = 0; i < 7; i++) {
		char id[16];
		snprintf(id, sizeof id, "C%d", i);
		put_copy(1, id, i * 7, id, "Delivered-To: bob@ours.example\n");
	}
	struct survey *other = look();
	assert_int_equal(one->incident_count, 1);
	assert_int_equal(other->incident_count, 1);
	assert_string_equal(one->incidents[0]->incident.id, other->incidents[0]->incident.id);
	survey_free(one);
	survey_free(other);
}

static void one_copy_in_each_of_many_mailboxes_is_no_storm(void **state)
{
	(void)state;
	static const char *const names[] = { "anna", "bob", "carol", "dave" };
	shelf_begin(&shelf);
	for (uint32_t i = 0; i < 4; i++) {
		shelf_name(&shelf, i, names[i]);
		put_copy(i, "D", 1, names[i], NULL);
	}
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 0);
	assert_int_equal(survey->ordinary_copies, 3);
	survey_free(survey);
}

static void the_same_delivery_filed_in_two_folders_is_counted_once(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (uint32_t i = 0; i < 8; i++)
		put_copy(i, "E", 1, "E", "Delivered-To: anna@ours.example\n");
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 0);
	survey_free(survey);
}

static void the_same_text_newly_sent_every_minute_is_no_storm(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 60; i++)
		shelf_put(&shelf, 0,
			  "Received: from cron.ours.example (cron.ours.example [192.0.2.4])\n"
			  "\tby mx.ours.example with ESMTP id F%d; %s\n"
			  "From: root@cron.ours.example\nTo: admin@ours.example\nSubject: backup done\n"
			  "Message-ID: <%d@cron>\nDate: %s\n\nBackup done, as every minute of the day.\n",
			  i, shelf_date(i), i, shelf_date(i));
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 0);
	survey_free(survey);
}

/* Past the ceiling of what the tracer remembers of one content, too. */
static void a_machines_same_text_every_minute_for_days_accuses_nobody(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 3500; i++)
		shelf_put(&shelf, 0,
			  "Received: from cron.far.example (cron.far.example [192.0.2.4])\n"
			  "\tby mx.ours.example with ESMTP id F%d; %d Dec 2005 %02d:%02d:00 +0000\n"
			  "From: root@cron.far.example\nTo: admin@ours.example\nSubject: backup done\n"
			  "Message-ID: <%d@cron>\nDate: %d Dec 2005 %02d:%02d:00 +0000\n\n"
			  "Backup done, as every minute of the day.\n",
			  i, 1 + i / 1440, i / 60 % 24, i % 60, i, 1 + i / 1440, i / 60 % 24, i % 60);
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 0);
	survey_free(survey);
}

static void our_hosts_are_guessed_from_the_topmost_lines_and_it_is_said(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	put_copy(0, "G", 1, "G", NULL);
	struct survey *survey = look();
	assert_true(survey->is_guessed);
	assert_int_equal(survey->our_host_count, 1);
	assert_string_equal(survey->our_hosts[0], "mx.ours.example");
	survey_free(survey);
}

/* Mails of many authors over days, all handed to us by one relay. */
static void put_traffic(int mails, int authors, int hours_each, const char *helo)
{
	shelf_begin(&shelf);
	for (int i = 0; i < mails; i++) {
		int hour = i * hours_each / 100;
		shelf_put(&shelf, 0,
			  "Received: from %s (out.isp.example [198.51.100.9])\n"
			  "\tby mx.ours.example with ESMTP id X%d; %d Dec 2005 %02d:00:00 +0000\n"
			  "From: a%d@some.example\nSubject: %d\nMessage-ID: <%d@x>\n\nText\n",
			  helo, i, 1 + hour / 24, hour % 24, i % authors, i, i);
	}
}

static void a_relay_of_long_standing_is_learnt_and_none_that_lied_once(void **state)
{
	(void)state;
	put_traffic(1200, 60, 20, "out.isp.example");
	struct survey *survey = look();
	assert_int_equal(survey->learnt_count, 1);
	assert_string_equal(survey->learnt[0], "out.isp.example");
	survey_free(survey);
	static const struct {
		int mails, authors, hours_each;
		const char *helo;
	} unproven[] = {
		{ 900, 60, 20, "out.isp.example" },  /* too few */
		{ 1200, 5, 20, "out.isp.example" },  /* of too few people: a storm looks like that */
		{ 1200, 60, 8, "out.isp.example" },  /* within four days */
		{ 1200, 60, 20, "mail.bank.example" }, /* under another's name */
	};
	for (size_t i = 0; i < sizeof unproven / sizeof unproven[0]; i++) {
		put_traffic(unproven[i].mails, unproven[i].authors, unproven[i].hours_each, unproven[i].helo);
		survey = look();
		assert_int_equal(survey->learnt_count, 0);
		survey_free(survey);
	}
}

static void one_mail_to_many_people_of_a_catch_all_mailbox_is_no_storm(void **state)
{
	(void)state;
	for (int has_for = 0; has_for < 2; has_for++) {
		shelf_begin(&shelf);
		for (int i = 0; i < 12; i++)
			shelf_put(&shelf, 0,
				  "Received: from relay.isp.example (relay.isp.example [198.51.100.9])\n"
				  "\tby mx.ours.example (Postfix) with ESMTP id T%d%s%d%s;"
				  " Tue, 6 Dec 2005 12:00:%02d +0000\n"
				  "Received: from mail.author.example (mail.author.example [192.0.2.25])\n"
				  "\tby relay.isp.example with ESMTP id R1; Tue, 6 Dec 2005 12:00:00 +0000\n"
				  "From: news@author.example\nTo: undisclosed-recipients:;\nSubject: News\n"
				  "Message-ID: <n@author.example>\nDate: Tue, 6 Dec 2005 11:59:00 +0000\n\n"
				  "The same news for all of the office.\n",
				  i, has_for ? "\n\tfor <u" : " x", i, has_for ? "@ours.example>" : "", i * 3);
		struct survey *survey = look();
		for (size_t k = 0; k < survey->incident_count; k++)
			for (unsigned p = 0; p < survey->incidents[k]->incident.party_count; p++)
				assert_int_equal(survey->incidents[k]->incident.parties[p].role, PARTY_ENTRY);
		assert_int_equal(survey->incident_count, has_for ? 0 : 1);
		survey_free(survey);
	}
}

static void a_mail_that_vanished_is_counted_and_the_rest_is_done(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 6; i++) {
		char id[16];
		snprintf(id, sizeof id, "H%d", i);
		put_copy(0, id, i, id, NULL);
	}
	shelf.gone = 2;
	struct survey *survey = look();
	assert_int_equal(survey->unreadable, 1);
	assert_int_equal(survey->incident_count, 1);
	assert_int_equal(survey->incidents[0]->incident.copies, 5);
	survey_free(survey);
}

static void put_round(int visits)
{
	char lines[3000] = "";
	size_t used = 0;
	for (int i = visits; i > 0; i--)
		used += (size_t)snprintf(lines + used, sizeof lines - used,
			"Received: from b.two.example (b.two.example [203.0.113.2])\n"
			"\tby a.one.example with SMTP id a%d; %s\n"
			"Received: from a.one.example (a.one.example [203.0.113.1])\n"
			"\tby b.two.example with SMTP id b%d; %s\n",
			i, shelf_date(2 * i), i, shelf_date(2 * i - 1));
	shelf_put(&shelf, 0, "%sFrom: x@author.example\nTo: y@one.example\nSubject: round\nMessage-ID: <r@x>\n"
			     "Date: %s\n\nround and round it goes\n", lines, shelf_date(0));
}

static void a_mail_that_came_to_one_host_seven_times_is_a_loop(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	put_round(7);
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 1);
	const struct trace_incident *t = survey->incidents[0];
	assert_int_equal(t->incident.cls, STORM_LOOP);
	assert_int_equal(t->incident.id[0], 'L');
	assert_int_equal(t->cycle_count, 2);
	bool has_a = false, has_b = false;
	for (unsigned i = 0; i < t->cycle_count; i++) {
		has_a |= strcmp(t->hosts[t->cycle[i]].name, "a.one.example") == 0;
		has_b |= strcmp(t->hosts[t->cycle[i]].name, "b.two.example") == 0;
	}
	assert_true(has_a && has_b);
	survey_free(survey);
}

static void chains_that_go_in_circles_within_a_flood_are_no_second_storm(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	put_round(7);
	for (int i = 0; i < 6; i++) {
		char again[SHELF_TEXT_BYTES];
		snprintf(again, sizeof again, "%s", shelf.texts[0]);
		shelf_put(&shelf, 0,
			  "Received: from a.one.example (a.one.example [203.0.113.1])\n"
			  "\tby mx.ours.example with SMTP id c%d; %s\n%.3500s", i, shelf_date(20 + i), again);
	}
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 1);
	assert_int_equal(survey->incidents[0]->incident.cls, STORM_DUPLICATE);
	survey_free(survey);
}

static void four_visits_to_one_host_are_ordinary(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	put_round(4);
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 0);
	survey_free(survey);
}

static void a_bounce_that_tells_of_a_loop_makes_suspects_and_nobody_guilty(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 3; i++)
		shelf_put(&shelf, 0,
			  "Return-Path: <>\n"
			  "Received: from b.example ([192.0.2.9]) by mx.ours.example with SMTP id z%d; %s\n"
			  "From: MAILER-DAEMON@b.example\nTo: anna@ours.example\nSubject: Undelivered %d\n"
			  "Message-ID: <%d@b>\nDate: %s\n\n"
			  "host mx.far.example[203.0.113.7] said: 554 5.4.6 Hop count exceeded - possible mail loop\n\n"
			  "Received: from a.example ([192.0.2.8]) by mid.example with SMTP id 1; %s\n"
			  "From: anna@ours.example\n", i, shelf_date(i), i, i, shelf_date(i), shelf_date(0));
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 1);
	const struct incident *inc = &survey->incidents[0]->incident;
	assert_int_equal(inc->cls, STORM_LOOP);
	assert_int_equal(inc->copies, 3);
	assert_string_equal(inc->parties[0].host, "mx.far.example");
	assert_string_equal(inc->parties[1].host, "mid.example");
	for (unsigned i = 0; i < inc->party_count; i++)
		assert_int_equal(inc->parties[i].role, PARTY_SUSPECT);
	survey_free(survey);
}

static void put_reply(int author, int minute, int audience)
{
	char to[3000] = "";
	size_t used = 0;
	for (int i = 0; i < audience; i++)
		used += (size_t)snprintf(to + used, sizeof to - used, "%su%d@o.example", i ? ", " : "", i);
	shelf_put(&shelf, 0, "Received: from h (h [192.0.2.3]) by mx.ours.example with SMTP id r%d.%d; %s\n"
			     "From: u%d@o.example\nTo: %s\nSubject: Re: Who took my cup?\nMessage-ID: <%d.%d@o>\n"
			     "In-Reply-To: <first@o>\nDate: %s\n\nStop replying to all, number %d!\n",
		  author, minute, shelf_date(minute), author, to, author, minute, shelf_date(minute), author);
}

static void five_authors_answering_a_hundred_people_in_half_an_hour_are_a_reply_all_storm(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 5; i++)
		put_reply(i, 5 * i, 120);
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 1);
	assert_int_equal(survey->incidents[0]->incident.cls, STORM_REPLY_ALL);
	assert_int_equal(survey->incidents[0]->incident.party_count, 0);
	survey_free(survey);
	shelf_begin(&shelf);
	for (int i = 0; i < 5; i++)
		put_reply(i, 40 * i, 120); /* over hours: a talk */
	for (int i = 0; i < 9; i++)
		put_reply(i, i, 12);       /* a dozen people */
	survey = look();
	assert_int_equal(survey->incident_count, 0);
	survey_free(survey);
}

static void put_ping(int i, bool is_machine)
{
	static const char *const two[] = { "away@a.example", "desk@b.example" };
	shelf_put(&shelf, 0,
		  "Received: from h (h [192.0.2.3]) by mx.ours.example with SMTP id p%d; %s\n"
		  "From: %s\nTo: %s\nSubject: %s[Ticket#%d] Printer\nMessage-ID: <p%d@o>\n%sDate: %s\n\n"
		  "Your mail got number %d.\n", i, shelf_date(i), two[i % 2], two[(i + 1) % 2],
		  i % 2 ? "Re: " : "", i, i, is_machine ? "Auto-Submitted: auto-replied\n" : "", shelf_date(i), i);
}

static void two_machines_that_answer_each_other_are_a_ping_pong_and_two_people_are_not(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	for (int i = 0; i < 12; i++)
		put_ping(i, i % 2);
	struct survey *survey = look();
	assert_int_equal(survey->incident_count, 1);
	assert_int_equal(survey->incidents[0]->incident.cls, STORM_PING_PONG);
	survey_free(survey);
	shelf_begin(&shelf);
	for (int i = 0; i < 20; i++)
		put_ping(i, false);
	survey = look();
	assert_int_equal(survey->incident_count, 0);
	survey_free(survey);
}

static void sixty_bounces_in_an_hour_are_a_bounce_storm_and_ten_a_day_are_not(void **state)
{
	(void)state;
	for (int gap = 1; gap <= 140; gap += 139) {
		shelf_begin(&shelf);
		for (int i = 0; i < 60; i++)
			shelf_put(&shelf, 0,
				  "Return-Path: <>\n"
				  "Received: from h (h [192.0.2.3]) by mx.ours.example with SMTP id q%d;"
				  " Tue, %d Dec 2005 %02d:%02d:00 +0000\nFrom: MAILER-DAEMON@x%d.example\n"
				  "To: author@ours.example\nSubject: failed %d\nMessage-ID: <q%d@x>\n\n"
				  "No such user %d.\n",
				  i, 6 + i * gap / 1440, i * gap % 1440 / 60, i * gap % 60, i, i, i, i);
		struct survey *survey = look();
		assert_int_equal(survey->incident_count, gap == 1);
		if (gap == 1)
			assert_int_equal(survey->incidents[0]->incident.cls, STORM_BOUNCE);
		survey_free(survey);
	}
}

static unsigned decisions;
static char last_file[64];

static void on_decision(void *ctx, const struct replay_decision *d)
{
	(void)ctx;
	decisions++;
	snprintf(last_file, sizeof last_file, "%s", d->file);
	assert_true(d->reason[0] != '\0');
	assert_true(d->deed > DEED_PASS);
}

static char replayed_id[INCIDENT_ID_BYTES];

static void on_incident(void *ctx, const struct incident *incident)
{
	(void)ctx;
	memcpy(replayed_id, incident->id, sizeof replayed_id);
}

static void replayed_copies_are_withheld_past_the_budget_and_none_is_lost(void **state)
{
	(void)state;
	struct error error = { .status = EXIT_FINE };
	struct replay_counts counts;
	struct replay_setup setup = { .source = &shelf.source, .is_guard = true, .has_confirmation = true,
				      .on_decision = on_decision, .on_incident = on_incident };
	storm_policy_default(&setup.policy);
	setup.policy.memory_bytes = 32 << 20;
	shelf_begin(&shelf);
	for (int i = 9; i >= 0; i--) { /* filed newest first: time decides */
		char id[16];
		snprintf(id, sizeof id, "J%d", i);
		put_copy(0, id, i * 5, id, NULL);
	}
	put_copy(1, "K", 200, "K", "Envelope-To: bob@ours.example\n");
	decisions = 0;
	replayed_id[0] = '\0';
	assert_true(replay_run(&setup, &counts, &error));
	assert_int_equal(counts.messages, 11);
	assert_int_equal(counts.held + counts.suppressed, 7);
	assert_int_equal(counts.passed + counts.tagged, 4); /* 3 of anna's, and bob's first */
	assert_int_equal(counts.lost, 0);
	assert_int_equal(decisions, counts.tagged + counts.deferred + counts.held + counts.suppressed);
	struct survey *survey = look();
	assert_string_equal(survey->incidents[0]->incident.id, replayed_id);
	survey_free(survey);
}

static void an_empty_source_is_no_trouble(void **state)
{
	(void)state;
	struct error error = { .status = EXIT_FINE };
	struct replay_counts counts;
	struct replay_setup setup = { .source = &shelf.source, .is_guard = true };
	storm_policy_default(&setup.policy);
	shelf_begin(&shelf);
	struct survey *survey = look();
	assert_int_equal(survey->messages, 0);
	survey_free(survey);
	assert_true(replay_run(&setup, &counts, &error));
	assert_int_equal(counts.messages, 0);
}

static void without_memory_it_says_so(void **state)
{
	(void)state;
	shelf_begin(&shelf);
	put_copy(0, "L", 1, "L", NULL);
	put_copy(0, "M", 2, "M", NULL);
	for (long n = 0; n < 12; n++) {
		struct error error = { .status = EXIT_FINE };
		const struct survey_setup setup = { .source = &shelf.source };
		mem_fail_after = n;
		struct survey *survey = survey_run(&setup, &error);
		mem_fail_after = -1;
		if (!survey)
			assert_int_equal(error.status, EXIT_TRY_AGAIN);
		survey_free(survey);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_copies_of_one_mail_are_a_duplicate_flood_and_the_author_is_innocent),
		cmocka_unit_test(the_id_of_a_storm_is_made_of_its_content_alone),
		cmocka_unit_test(one_copy_in_each_of_many_mailboxes_is_no_storm),
		cmocka_unit_test(the_same_delivery_filed_in_two_folders_is_counted_once),
		cmocka_unit_test(the_same_text_newly_sent_every_minute_is_no_storm),
		cmocka_unit_test(a_machines_same_text_every_minute_for_days_accuses_nobody),
		cmocka_unit_test(our_hosts_are_guessed_from_the_topmost_lines_and_it_is_said),
		cmocka_unit_test(a_relay_of_long_standing_is_learnt_and_none_that_lied_once),
		cmocka_unit_test(one_mail_to_many_people_of_a_catch_all_mailbox_is_no_storm),
		cmocka_unit_test(a_mail_that_vanished_is_counted_and_the_rest_is_done),
		cmocka_unit_test(a_mail_that_came_to_one_host_seven_times_is_a_loop),
		cmocka_unit_test(chains_that_go_in_circles_within_a_flood_are_no_second_storm),
		cmocka_unit_test(four_visits_to_one_host_are_ordinary),
		cmocka_unit_test(a_bounce_that_tells_of_a_loop_makes_suspects_and_nobody_guilty),
		cmocka_unit_test(five_authors_answering_a_hundred_people_in_half_an_hour_are_a_reply_all_storm),
		cmocka_unit_test(two_machines_that_answer_each_other_are_a_ping_pong_and_two_people_are_not),
		cmocka_unit_test(sixty_bounces_in_an_hour_are_a_bounce_storm_and_ten_a_day_are_not),
		cmocka_unit_test(replayed_copies_are_withheld_past_the_budget_and_none_is_lost),
		cmocka_unit_test(an_empty_source_is_no_trouble),
		cmocka_unit_test(without_memory_it_says_so),
	};
	return hash_start() ? cmocka_run_group_tests_name("flow survey", tests, NULL, NULL) : 1;
}
