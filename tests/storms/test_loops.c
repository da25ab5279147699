/* SPDX-License-Identifier: Apache-2.0
 *
 * Mail that comes back, bounces and our own stamp: acceptance cases 10 to 12 and
 * 34 to 36; and a site where nothing confirms.
 */
#include "scenario.h"

static const char anna[] = "anna@ours.example", ben[] = "ben@ours.example";
static const struct handing to_anna = { .rcpts = { "anna@ours.example" } };
static const struct handing from_partner = { .ip = "192.0.2.50", .name = "mail.partner.example",
					     .rcpts = { "anna@ours.example" } };

static void write_mail(const struct scene *s, struct letter *l)
{
	letter_write(s, l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
}

static void case_10_a_bounce_resets_the_pair_and_releases_the_kept_copy(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer first = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 6; i++) {
		scene_wait(s, MINUTE);
		struct answer a = scene_send(s, &l, &from_partner);
		expect_deed(&a, i < 2 ? DEED_TAG : DEED_SUPPRESS, "duplicate");
	}
	assert_int_equal(scene_held(s, "mail", anna), 4);
	scene_bounce(s, &first, anna);
	assert_int_equal(scene_released(s), 1);
	storm_bounced(scene_storm(s), slice_from_str(first.queue_id), slice_from_str(anna), scene_now(s));
	scene_wait(s, 1000); /* the log says it twice: nothing more */
	assert_int_equal(scene_released(s), 1);
	assert_int_equal(scene_held(s, "mail", anna), 3);
	struct answer a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_PASS, "the pair is as if never seen");
	scene_end(s);
}

static void case_10_the_same_after_a_restart(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer first = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 4; i++) {
		scene_wait(s, MINUTE);
		scene_send(s, &l, &from_partner);
	}
	scene_wait(s, 2000);
	scene_kill(s);
	scene_bounce(s, &first, anna);
	assert_int_equal(scene_released(s), 1);
	scene_end(s);
}

/* amavis: the mail comes in again on loopback, with one more Received line. */
static void through_filter(struct letter *l)
{
	letter_trace(l, "Received: from mx.ours.example ([127.0.0.1])\r\n\tby localhost (amavisd-new, port "
			"10024) with ESMTP id Gx; Tue, 6 Dec 2005 09:31:15 +0000");
}

static const struct handing from_filter = { .ip = "127.0.0.1", .name = "localhost",
					    .rcpts = { "anna@ours.example" } };

static void case_11_amavis_handing_the_mail_back_on_loopback_is_not_counted(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	letter_arrived(s, &l, &a, &to_anna);
	struct letter at_filter = l;
	through_filter(&at_filter);
	a = scene_send(s, &at_filter, &from_filter);
	expect_deed(&a, DEED_PASS, "from amavis");
	assert_int_equal(a.txn, 0);
	assert_string_equal(a.stamp, "");
	assert_int_equal(scene_alerts(s), 0);
	scene_end(s);
}

static void case_11_a_bounce_under_the_filters_queue_id_finds_the_pair(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l, plain;
	write_mail(s, &l);
	plain = l;
	struct answer a = scene_send(s, &l, &to_anna);
	letter_arrived(s, &l, &a, &to_anna);
	through_filter(&l);
	struct answer inner = scene_send(s, &l, &from_filter);
	scene_wait(s, MINUTE);
	for (unsigned i = 0; i < 3; i++)
		scene_send(s, &plain, &from_partner);
	scene_wait(s, MINUTE);
	a = scene_send(s, &plain, &from_partner);
	expect_deed(&a, DEED_SUPPRESS, "storm");
	scene_bounce(s, &inner, anna);
	assert_int_equal(scene_released(s), 1);
	scene_end(s);
}

static void case_12_a_filter_that_loops_inside_is_held_after_five_passes(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	letter_arrived(s, &l, &a, &to_anna);
	for (unsigned pass = 1; pass <= 8; pass++) {
		through_filter(&l);
		a = scene_send(s, &l, &from_filter);
		expect_deed(&a, pass <= 5 ? DEED_PASS : DEED_HOLD, "inner pass");
		if (pass > 5)
			assert_string_equal(a.rule, "inner-loop");
		scene_wait(s, 2000);
	}
	assert_true(scene_alerts(s) > 0);
	scene_end(s);
}

static void case_34_a_stamp_on_another_mail_or_spoilt_is_ignored(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	scene_wait(s, MINUTE);
	const char *mac = strstr(a.stamp, "m=");
	assert_non_null(mac);
	struct {
		const char *name;
		char stamp[600];
	} rows[7] = { { "as it is", "" }, { "twice", "" }, { "cut", "" }, { "wrong MAC", "" },
		      { "wrong key", "" }, { "longer", "" }, { "empty", "" } };
	snprintf(rows[0].stamp, 600, "%s", a.stamp);
	snprintf(rows[1].stamp, 600, "%s\r\nX-Quell-Trace: %s", a.stamp, a.stamp);
	snprintf(rows[2].stamp, 600, "%.*s", (int)strlen(a.stamp) - 1, a.stamp);
	snprintf(rows[3].stamp, 600, "%.*sm=000000000000000000000000", (int)(mac - a.stamp), a.stamp);
	snprintf(rows[4].stamp, 600, "1; k=00000000%s", strstr(a.stamp, "; t="));
	snprintf(rows[5].stamp, 600, "%s; x=1", a.stamp);
	for (unsigned i = 0; i < 7; i++) {
		struct letter other;
		char text[64];
		snprintf(text, sizeof text, "Quite another mail, number %u.\r\n", i);
		letter_write(s, &other, rows[i].name, "author@author.example", anna, "Other", text);
		letter_trace(&other, "X-Quell-Trace: %s", rows[i].stamp);
		a = scene_send(s, &other, &from_partner);
		expect_deed(&a, DEED_PASS, rows[i].name);
		expect_tier(&a, TIER_FIRST, rows[i].name);
		scene_wait(s, MINUTE);
	}
	a = scene_send(s, &l, &from_partner); /* counts are unchanged: copy 2 */
	assert_non_null(strstr(a.reason, "1 confirmed within 1 h"));
	scene_end(s);
}

static void case_34_a_stamp_put_ten_times_on_a_changed_mail_counts_once(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	scene_wait(s, MINUTE);
	strcat(l.body, "changed\r\n");
	snprintf(l.label, sizeof l.label, "changed");
	for (unsigned i = 0; i < 10; i++)
		letter_trace(&l, "X-Quell-Trace: %s", a.stamp);
	a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_PASS, "one stamp, ten times");
	scene_end(s);
}

static void case_35_a_footer_on_every_pass_is_held_at_the_third_return(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_PASS, "first");
	for (unsigned pass = 1; pass <= 3; pass++) {
		letter_arrived(s, &l, &a, &from_partner);
		letter_trace(&l, "Received: from mx.ours.example by mail.partner.example; "
				 "Tue, 6 Dec 2005 09:31:15 +0000");
		scene_wait(s, MINUTE);
		strcat(l.body, "-- \r\nScanned by partner.example\r\n");
		snprintf(l.label, sizeof l.label, "return %u", pass);
		struct handing h = from_partner;
		h.is_hold_failing = pass == 3; /* held for a person: not in the books */
		a = scene_send(s, &l, &h);
		expect_deed(&a, pass < 3 ? DEED_PASS : DEED_HOLD, l.label);
	}
	assert_string_equal(a.rule, "changed-loop");
	assert_int_equal(a.cls, STORM_LOOP);
	assert_true(scene_alerts(s) > 0);
	scene_end(s);
}

static void case_35_without_stamps_the_chain_alone_shows_the_third_visit(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	for (unsigned pass = 0; pass < 3; pass++) {
		letter_trace(&l, "Received: from mail.partner.example ([192.0.2.50]) by mx.ours.example with "
				 "ESMTP id V%u for <anna@ours.example>; Tue, 6 Dec 2005 09:31:15 +0000", pass);
		letter_trace(&l, "Received: from mx.ours.example ([192.0.2.1]) by mail.partner.example; "
				 "Tue, 6 Dec 2005 09:31:15 +0000");
		snprintf(l.body, sizeof l.body, "pass %u\r\n", pass);
	}
	struct handing h = from_partner;
	h.is_hold_failing = true;
	struct answer a = scene_send(s, &l, &h);
	expect_deed(&a, DEED_HOLD, "three visits for one recipient");
	h.rcpts[0] = ben;
	l.body[0] = 'P';
	a = scene_send(s, &l, &h);
	expect_deed(&a, DEED_PASS, "three visits, but for another");
	scene_end(s);
}

static void case_36_two_firms_that_forward_to_each_other_stop_at_the_first_return(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 5; i++) {
		letter_arrived(s, &l, &a, &to_anna);
		scene_wait(s, 20 * 1000);
		letter_trace(&l, "Received: from mx.ours.example ([192.0.2.1]) by mail.partner.example; "
				 "Tue, 6 Dec 2005 09:31:15 +0000");
		a = scene_send(s, &l, &from_partner);
		expect_deed(&a, DEED_SUPPRESS, "return");
		assert_string_equal(a.rule, "own-stamp");
	}
	assert_int_equal(scene_incident(s)->cls, STORM_LOOP);
	assert_int_equal(scene_incident(s)->id[0], 'L');
	assert_int_equal(incident_party(scene_incident(s), "192.0.2.50")->role, PARTY_ENTRY);
	assert_int_equal(scene_delivered(s, "mail", anna), 1);
	scene_end(s);
}

static void a_returning_stamp_confirms_its_passage_where_the_log_was_silent(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .lag_ms = 300 * HOUR });
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	letter_arrived(s, &l, &a, &to_anna);
	letter_trace(&l, "Received: from mx.ours.example by mail.partner.example; Tue, 6 Dec 2005 09:31:15 +0000");
	scene_wait(s, 20 * MINUTE);
	a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_SUPPRESS, "return");
	scene_end(s);
}

static void many_hops_are_told_of_and_pass(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	write_mail(s, &l);
	for (unsigned i = 0; i < 60; i++)
		letter_trace(&l, "Received: from h%u.example by h%u.example; Tue, 6 Dec 2005 09:31:15 +0000", i, i + 1);
	struct answer a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_PASS, "60 hops");
	assert_string_equal(a.rule, "hops");
	assert_int_equal(scene_alerts(s), 1);
	scene_end(s);
}

static void where_nothing_confirms_surplus_is_only_held_and_one_copy_goes_after_a_quarter(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .is_blind = true });
	struct letter l;
	unsigned held = 0;
	write_mail(s, &l);
	scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 12; i++) {
		scene_wait(s, MINUTE);
		struct answer a = scene_send(s, &l, &from_partner);
		assert_int_not_equal(a.deed, DEED_SUPPRESS);
		held += a.deed == DEED_HOLD;
	}
	assert_int_equal(held, 10);
	assert_int_equal(scene_released(s), 0);
	scene_wait(s, 10 * MINUTE);
	assert_int_equal(scene_released(s), 1);
	scene_wait(s, 5 * HOUR);
	assert_int_equal(scene_released(s), 1);
	scene_end(s);
}

static void a_release_that_is_due_outlives_a_kill(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .is_blind = true });
	struct letter l;
	write_mail(s, &l);
	for (unsigned i = 0; i < 5; i++) {
		scene_send(s, &l, i ? &from_partner : &to_anna);
		scene_wait(s, 2000);
	}
	scene_kill(s);
	scene_wait(s, 2 * MINUTE);
	scene_restart_from_snapshot(s);
	scene_wait(s, 14 * MINUTE);
	assert_int_equal(scene_released(s), 1);
	scene_end(s);
}

static void where_nothing_confirms_a_stamp_that_returns_does(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .is_blind = true });
	struct letter l;
	write_mail(s, &l);
	struct answer a = scene_send(s, &l, &to_anna);
	letter_arrived(s, &l, &a, &to_anna);
	letter_trace(&l, "Received: from mx.ours.example by mail.partner.example; Tue, 6 Dec 2005 09:31:15 +0000");
	scene_wait(s, MINUTE);
	a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_HOLD, "return");
	scene_wait(s, HOUR);
	assert_int_equal(scene_released(s), 0);
	scene_end(s);
}

static void an_answer_that_was_not_given_leaves_nothing_behind(void **state)
{
	(void)state;
	for (unsigned is_blind = 0; is_blind < 2; is_blind++) {
		struct scene *s = scene_new(&(struct scene_options){ .is_blind = is_blind });
		struct letter l;
		struct handing gone = to_anna;
		gone.is_mta_deaf = true;
		write_mail(s, &l);
		for (unsigned i = 0; i < 5; i++) {
			struct answer a = scene_send(s, &l, &gone);
			expect_deed(&a, DEED_PASS, "withdrawn");
			storm_withdraw(scene_storm(s), a.txn, scene_now(s));
			storm_queued(scene_storm(s), slice_from_str(a.queue_id), scene_now(s));
			scene_wait(s, MINUTE);
		}
		struct answer a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, "at last");
		scene_end(s);
	}
}

static void a_hold_that_failed_can_be_scheduled_for_release_again(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .is_blind = true });
	struct letter l;
	write_mail(s, &l);
	for (unsigned i = 0; i < 3; i++)
		scene_send(s, &l, i ? &from_partner : &to_anna);
	struct handing failing = from_partner;
	failing.is_hold_failing = true;
	struct answer a = scene_send(s, &l, &failing);
	expect_deed(&a, DEED_HOLD, "the hold will fail");
	storm_withdraw(scene_storm(s), a.txn, scene_now(s));
	scene_wait(s, 5 * MINUTE);
	a = scene_send(s, &l, &from_partner);
	expect_deed(&a, DEED_HOLD, "held");
	scene_wait(s, 11 * MINUTE);
	assert_int_equal(scene_released(s), 0);
	scene_wait(s, 5 * MINUTE);
	assert_int_equal(scene_released(s), 1);
	scene_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_10_a_bounce_resets_the_pair_and_releases_the_kept_copy),
		cmocka_unit_test(case_10_the_same_after_a_restart),
		cmocka_unit_test(case_11_amavis_handing_the_mail_back_on_loopback_is_not_counted),
		cmocka_unit_test(case_11_a_bounce_under_the_filters_queue_id_finds_the_pair),
		cmocka_unit_test(case_12_a_filter_that_loops_inside_is_held_after_five_passes),
		cmocka_unit_test(case_34_a_stamp_on_another_mail_or_spoilt_is_ignored),
		cmocka_unit_test(case_34_a_stamp_put_ten_times_on_a_changed_mail_counts_once),
		cmocka_unit_test(case_35_a_footer_on_every_pass_is_held_at_the_third_return),
		cmocka_unit_test(case_35_without_stamps_the_chain_alone_shows_the_third_visit),
		cmocka_unit_test(case_36_two_firms_that_forward_to_each_other_stop_at_the_first_return),
		cmocka_unit_test(a_returning_stamp_confirms_its_passage_where_the_log_was_silent),
		cmocka_unit_test(many_hops_are_told_of_and_pass),
		cmocka_unit_test(where_nothing_confirms_surplus_is_only_held_and_one_copy_goes_after_a_quarter),
		cmocka_unit_test(a_release_that_is_due_outlives_a_kill),
		cmocka_unit_test(where_nothing_confirms_a_stamp_that_returns_does),
		cmocka_unit_test(an_answer_that_was_not_given_leaves_nothing_behind),
		cmocka_unit_test(a_hold_that_failed_can_be_scheduled_for_release_again),
	};
	return cmocka_run_group_tests_name("storms loops", tests, NULL, NULL);
}
