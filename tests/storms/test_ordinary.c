/* SPDX-License-Identifier: Apache-2.0
 *
 * What must pass: acceptance cases 6 to 9, 13 to 28, 37, 47, 49 and 50. Nothing
 * here may be deferred, held or suppressed.
 */
#include "scenario.h"

static const char anna[] = "anna@ours.example", ben[] = "ben@ours.example";

static const struct handing to_anna = { .rcpts = { "anna@ours.example" } };

static void expect_passes(const struct answer *a, const char *where)
{
	if (a->deed > DEED_TAG)
		fail_msg("%s: %s (%s, %s: %s)", where, deed_name(a->deed), tier_name(a->tier), a->rule,
			 a->reason);
}

static void case_6_a_retry_after_a_lost_250_passes_tagged_without_alert(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	struct answer a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_PASS, "first");
	scene_wait(s, 5 * MINUTE);
	a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_TAG, "retry");
	expect_tier(&a, TIER_T1, "retry");
	assert_string_equal(a.rule, "surplus");
	assert_non_null(strstr(a.reason, "1 confirmed within 1 h (limit 3)"));
	assert_int_equal(scene_alerts(s), 0);
	scene_end(s);
}

static void case_7_six_451s_of_a_later_filter_are_not_counted(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing h = to_anna;
	h.is_mta_deaf = true;
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	for (unsigned i = 0; i < 6; i++) {
		struct answer a = scene_send(s, &l, &h);
		expect_deed(&a, DEED_PASS, "offered in vain");
		scene_wait(s, 5 * MINUTE);
	}
	struct answer a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_PASS, "at last");
	assert_int_equal(scene_delivered(s, "mail", anna), 1);
	scene_end(s);
}

static void case_7_the_same_for_a_text_that_is_repeated_all_day(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 60; i++) {
		char label[32];
		snprintf(label, sizeof label, "cron %u", i);
		letter_write(s, &l, label, "root@author.example", anna, "cron", "disk is 91 % full\r\n");
		struct handing h = to_anna;
		h.is_mta_deaf = true;
		for (unsigned n = 0; n < i % 5; n++) {
			struct answer a = scene_send(s, &l, &h);
			expect_passes(&a, label);
			scene_wait(s, 5000);
		}
		struct answer a = scene_send(s, &l, &to_anna);
		expect_passes(&a, label);
		assert_int_equal(scene_delivered(s, label, anna), 1);
		scene_wait(s, MINUTE);
	}
	scene_end(s);
}

static void case_8_the_mta_is_killed_between_our_answer_and_its_queue(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing h = to_anna;
	h.is_mta_dying = true;
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	for (unsigned i = 0; i < 4; i++)
		scene_send(s, &l, &h);
	scene_wait(s, 15 * MINUTE);
	struct answer a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_PASS, "the client's retry");
	scene_end(s);
}

static void case_9_ten_failed_ends_on_a_full_disk_then_space(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing h = { .is_mta_deaf = true, .rcpts = { anna, ben } };
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	for (unsigned i = 0; i < 10; i++) {
		scene_send(s, &l, &h);
		scene_wait(s, 3 * MINUTE);
	}
	h.is_mta_deaf = false;
	struct answer a = scene_send(s, &l, &h);
	expect_deed(&a, DEED_PASS, "with space again");
	scene_end(s);
}

static void case_13_mx_and_hub_with_quell_count_a_mail_once(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing hub = { .ip = "10.1.1.5", .name = "mx.ours.example", .rcpts = { anna } };
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	struct answer a = scene_send(s, &l, &to_anna);
	letter_arrived(s, &l, &a, &to_anna);
	scene_wait(s, 3000);
	snprintf(l.label, sizeof l.label, "at the hub");
	a = scene_send(s, &l, &hub);
	expect_deed(&a, DEED_PASS, "the hub");
	assert_int_equal(a.txn, 0);
	scene_wait(s, MINUTE);
	struct letter retry = l;
	retry.head[0] = '\0';
	snprintf(retry.label, sizeof retry.label, "mail");
	a = scene_send(s, &retry, &to_anna);
	assert_non_null(strstr(a.reason, "1 confirmed within 1 h"));
	scene_end(s);
}

static void case_14_a_list_copy_and_a_direct_copy_both_pass(void **state)
{
	(void)state;
	for (unsigned has_footer = 0; has_footer < 2; has_footer++) {
		struct scene *s = scene_new(NULL);
		struct letter l;
		struct handing list = { .ip = "192.0.2.80", .name = "lists.club.example", .rcpts = { anna } };
		letter_write(s, &l, "direct", "author@author.example", anna, "Hello all",
			     "The meeting is at noon.\r\n");
		snprintf(l.cc, sizeof l.cc, "talk@lists.club.example");
		struct answer a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, "direct");
		scene_wait(s, MINUTE);
		snprintf(l.label, sizeof l.label, "list");
		letter_add(&l, "List-Id: <talk.lists.club.example>");
		if (has_footer)
			strcat(l.body, "-- \r\nTo unsubscribe, write to talk-request\r\n");
		a = scene_send(s, &l, &list);
		expect_deed(&a, DEED_PASS, "list");
		scene_end(s);
	}
}

static void case_15_a_cross_post_to_two_lists_reaches_members_of_both_twice(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing list = { .ip = "192.0.2.80", .name = "lists.club.example", .rcpts = { anna, ben } };
	letter_write(s, &l, "first", "author@author.example", "one@lists.club.example", "Hello",
		     "The meeting is at noon.\r\n");
	struct letter second = l;
	letter_add(&l, "List-Id: <one.lists.club.example>");
	struct answer a = scene_send(s, &l, &list);
	expect_deed(&a, DEED_PASS, "first list");
	scene_wait(s, MINUTE);
	snprintf(second.label, sizeof second.label, "second");
	letter_add(&second, "List-Id: <two.lists.club.example>");
	a = scene_send(s, &second, &list);
	expect_deed(&a, DEED_PASS, "second list");
	scene_end(s);
}

static void case_16_a_newsletter_to_a_hundred_thousand_passes(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .memory_bytes = 64 * 1024 * 1024 });
	static char names[50][64];
	struct letter l;
	struct handing h = { .ip = "192.0.2.99", .name = "out.news.example" };
	for (unsigned i = 0; i < 50; i++)
		h.rcpts[i] = names[i];
	letter_write(s, &l, "news", "news@news.example", "readers@news.example", "Spring", "All the news.\r\n");
	for (unsigned n = 0; n < 2000; n++) {
		for (unsigned i = 0; i < 50; i++)
			snprintf(names[i], sizeof names[i], "reader%u@ours.example", n * 50 + i);
		struct answer a = scene_send(s, &l, &h);
		expect_deed(&a, DEED_PASS, names[0]);
		if (n % 50 == 0)
			scene_wait(s, 2000);
	}
	assert_int_equal(scene_alerts(s), 0);
	scene_end(s);
}

static void case_17_a_cron_mail_every_minute_for_a_day_is_a_repetition(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 1440; i++) {
		char label[32];
		snprintf(label, sizeof label, "cron %u", i);
		letter_write(s, &l, label, "root@author.example", anna, "cron", "disk is 91 % full\r\n");
		struct answer a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, label);
		if (i > 0)
			expect_tier(&a, TIER_T3, label);
		scene_wait(s, MINUTE);
	}
	assert_int_equal(scene_alerts(s), 0);
	scene_end(s);
}

static void case_18_twelve_identical_alerts_in_one_second_pass(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 12; i++) {
		char label[32];
		snprintf(label, sizeof label, "alert %u", i);
		letter_write(s, &l, label, "monitor@author.example", anna, "DOWN", "db1 is down\r\n");
		struct answer a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, label);
	}
	scene_end(s);
}

static void case_19_a_device_without_message_id_and_date_every_ten_minutes_passes(void **state)
{
	(void)state;
	for (unsigned has_date = 0; has_date < 2; has_date++) {
		struct scene *s = scene_new(NULL);
		struct letter l;
		for (unsigned i = 0; i < 144; i++) {
			char label[32];
			snprintf(label, sizeof label, "scan %u", i);
			letter_write(s, &l, label, "scanner@author.example", anna, "Scan", "Scan ready.\r\n");
			l.message_id[0] = '\0';
			if (!has_date)
				l.date[0] = '\0';
			struct answer a = scene_send(s, &l, &to_anna);
			expect_deed(&a, DEED_PASS, label);
			scene_wait(s, 10 * MINUTE);
		}
		scene_end(s);
	}
}

static void case_20_a_device_with_a_constant_message_id_and_text_passes_hourly(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 48; i++) {
		char label[32];
		snprintf(label, sizeof label, "report %u", i);
		letter_write(s, &l, label, "ups@author.example", anna, "UPS", "All is well.\r\n");
		snprintf(l.message_id, sizeof l.message_id, "<1@ups>");
		struct answer a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, label);
		scene_wait(s, HOUR);
	}
	scene_end(s);
}

static void case_21_one_message_id_with_thirty_different_texts_passes(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	letter_write(s, &l, "", "app@author.example", anna, "Ticket", "");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 30; i++) {
			snprintf(l.label, sizeof l.label, "text %u", i);
			snprintf(l.body, sizeof l.body, "This is ticket number %u, please read it.\r\n", i);
			struct answer a = scene_send(s, &l, &to_anna);
			expect_passes(&a, l.label);
			scene_wait(s, 10 * 1000);
		}
	}
	scene_end(s);
}

static void case_22_one_mail_resent_five_times_passes(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	letter_write(s, &l, "mail", "author@author.example", anna, "Minutes", "The minutes of May.\r\n");
	struct answer a = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 5; i++) {
		struct letter again = l;
		scene_wait(s, 4 * MINUTE);
		snprintf(again.label, sizeof again.label, "resent %u", i);
		letter_trace(&again, "Resent-Message-ID: <resent.%u@secretary.example>", i);
		letter_trace(&again, "Resent-From: secretary@secretary.example");
		a = scene_send(s, &again, &(struct handing){ .ip = "192.0.2.77", .name = "mail.secretary.example",
							     .rcpts = { anna } });
		expect_deed(&a, DEED_PASS, again.label);
	}
	scene_end(s);
}

static void case_23_the_user_sends_exactly_the_same_four_times_in_a_day(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	letter_write(s, &l, "mail", "author@author.example", anna, "Contract", "Please sign the contract.\r\n");
	for (unsigned i = 0; i < 4; i++) {
		struct answer a = scene_send(s, &l, &to_anna);
		expect_passes(&a, "sent again");
		scene_wait(s, 3 * HOUR);
	}
	assert_int_equal(scene_delivered(s, "mail", anna), 4);
	scene_end(s);
}

static void case_24_calendar_updates_and_ticket_notices_pass(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 12; i++) {
		char label[32], body[256];
		snprintf(label, sizeof label, "calendar %u", i);
		snprintf(body, sizeof body, "BEGIN:VCALENDAR\r\nUID:77@cal\r\nSEQUENCE:%u\r\nEND:VCALENDAR\r\n", i);
		letter_write(s, &l, label, "cal@author.example", anna, "Meeting", body);
		letter_add(&l, "Content-Type: text/calendar; method=REQUEST");
		struct answer a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, label);
		snprintf(label, sizeof label, "ticket %u", i);
		letter_write(s, &l, label, "desk@author.example", anna, "Ticket", "Your ticket was updated.\r\n");
		a = scene_send(s, &l, &to_anna);
		expect_deed(&a, DEED_PASS, label);
		scene_wait(s, 2 * MINUTE);
	}
	scene_end(s);
}

static void case_25_a_desk_in_to_answers_in_its_own_name_every_quarter_of_an_hour(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing desk = { .ip = "192.0.2.60", .name = "mail.desk.example", .rcpts = { anna } };
	for (unsigned i = 0; i < 40; i++) {
		char label[32];
		snprintf(label, sizeof label, "answer %u", i);
		letter_write(s, &l, label, "help@desk.example", "anna@ours.example, help@desk.example",
			     "Received", "We have received your mail.\r\n");
		letter_trace(&l, "Authentication-Results: mx.ours.example; spf=pass smtp.mailfrom=desk.example");
		struct answer a = scene_send(s, &l, &desk);
		expect_deed(&a, DEED_PASS, label);
		scene_wait(s, 15 * MINUTE);
	}
	scene_end(s);
}

static void case_26_a_foreign_server_repeats_the_authors_text_hourly_and_is_told_of(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing foreign = { .ip = "192.0.2.61", .name = "app.service.example", .rcpts = { anna } };
	letter_write(s, &l, "original", "author@author.example", anna, "Reminder", "Please fill in the form.\r\n");
	struct answer a = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 8; i++) {
		scene_wait(s, HOUR);
		snprintf(l.label, sizeof l.label, "repeat %u", i);
		letter_renew(s, &l, "app.service.example");
		a = scene_send(s, &l, &foreign);
		expect_deed(&a, DEED_PASS, l.label);
		expect_tier(&a, TIER_T3, l.label);
	}
	assert_true(scene_alerts(s) > 0);
	assert_int_equal(scene_incident(s)->state, BREAKER_SUSPECT);
	scene_end(s);
}

static void case_26_the_same_by_a_server_of_the_audience_passes_within_the_day_budget(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing foreign = { .ip = "192.0.2.61", .name = "app.service.example", .rcpts = { anna } };
	letter_write(s, &l, "mail", "author@author.example", "anna@ours.example, all@service.example",
		     "Reminder", "Please fill in the form.\r\n");
	struct answer a = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 7; i++) {
		scene_wait(s, HOUR);
		letter_renew(s, &l, "app.service.example");
		a = scene_send(s, &l, &foreign);
		expect_tier(&a, TIER_T2, "repeat");
		expect_deed(&a, DEED_TAG, "repeat");
	}
	assert_true(scene_alerts(s) > 0);
	scene_end(s);
}

/* Every mail of a month comes twice: directly and through a forwarder. */
static void forwarded_month(unsigned mailboxes)
{
	struct scene *s = scene_new(NULL);
	struct letter l;
	static const char *const boxes[] = { "anna@ours.example", "ben@ours.example", "eve@ours.example" };
	struct handing forwarder = { .ip = "192.0.2.70", .name = "mail.alumni.example" };
	for (unsigned i = 0; i < 300; i++) {
		char label[32], body[64];
		snprintf(label, sizeof label, "mail %u", i);
		snprintf(body, sizeof body, "This is the mail with number %u.\r\n", i);
		letter_write(s, &l, label, "author@author.example", "anna@ours.example, anna@alumni.example",
			     "News", body);
		for (unsigned n = 0; n < mailboxes; n++) {
			struct answer a = scene_send(s, &l, &(struct handing){ .rcpts = { boxes[n] } });
			expect_deed(&a, DEED_PASS, label);
		}
		scene_wait(s, MINUTE);
		letter_trace(&l, "Received: from mail.author.example ([192.0.2.25]) by mail.alumni.example; "
				 "Tue, 6 Dec 2005 09:31:15 +0000");
		for (unsigned n = 0; n < mailboxes; n++) {
			forwarder.rcpts[0] = boxes[n];
			struct answer a = scene_send(s, &l, &forwarder);
			expect_deed(&a, DEED_TAG, label);
		}
		scene_wait(s, 30 * MINUTE);
	}
	assert_int_equal(scene_alerts(s), 0);
	scene_end(s);
}

static void case_27_a_users_forwarder_gives_a_second_copy_of_each_mail(void **state)
{
	(void)state;
	forwarded_month(1);
	forwarded_month(3);
}

static void case_28_the_same_forwarder_is_not_named_in_a_storm(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .relay = "smtp.isp.example" });
	struct letter l;
	struct connector c = { "post", "quayside.example", "203.0.113.11", "mail.quayside.example",
			       "quayside.local", 0x0200000a, false, false, false, 0 };
	struct handing forwarder = { .ip = "192.0.2.70", .name = "mail.alumni.example", .rcpts = { anna } };
	letter_write(s, &l, "mail", "author@author.example",
		     "anna@ours.example, anna@alumni.example, post@quayside.example", "Hello", "Read this.\r\n");
	struct answer a = scene_send(s, &l, &to_anna);
	for (unsigned i = 0; i < 30; i++) {
		struct letter copy = l;
		scene_wait(s, 15 * MINUTE);
		c.is_keeping = i % 2;
		connector_pass(s, &c, &copy);
		struct handing h = connector_hands(&c, anna);
		a = scene_send(s, &copy, &h);
		connector_relay(s, &c, "mail.alumni.example", &copy);
		a = scene_send(s, &copy, &forwarder);
	}
	scene_wait(s, 10 * 1000);
	const struct party *guilty = incident_party(scene_incident(s), "203.0.113.11");
	const struct party *innocent = incident_party(scene_incident(s), "192.0.2.70");
	assert_int_equal(guilty->role, PARTY_GUILTY);
	assert_string_equal(guilty->product, "Microsoft Small Business Server 2003 POP3 connector");
	assert_int_equal(innocent->role, PARTY_ENTRY);
	assert_true(scene_delivered(s, "mail", anna) <= 3);
	(void)a;
	scene_end(s);
}

static void case_37_outbound_to_a_list_and_the_own_copy_back_passes(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing out = { .ip = "10.1.1.9", .name = "pc9.ours.example", .is_submission = true,
			       .rcpts = { "talk@lists.club.example" } };
	struct handing back = { .ip = "192.0.2.80", .name = "lists.club.example", .rcpts = { anna } };
	letter_write(s, &l, "to the list", anna, "talk@lists.club.example", "Question", "Who knows?\r\n");
	struct answer a = scene_send(s, &l, &out);
	expect_deed(&a, DEED_PASS, "out");
	scene_wait(s, MINUTE);
	letter_arrived(s, &l, &a, &out);
	snprintf(l.label, sizeof l.label, "own copy");
	a = scene_send(s, &l, &back); /* a list without List-Id */
	expect_deed(&a, DEED_PASS, "back, no List-Id");
	letter_add(&l, "List-Id: <talk.lists.club.example>");
	snprintf(l.label, sizeof l.label, "own copy of a list with id");
	a = scene_send(s, &l, &back);
	expect_deed(&a, DEED_PASS, "back");
	scene_end(s);
}

static void case_47_the_authors_mail_passes_after_an_attacker_sent_its_text_first(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing attacker = { .ip = "198.51.100.66", .name = "mail.crook.example", .rcpts = { anna } };
	letter_write(s, &l, "forged", "author@author.example", "anna@ours.example, x@crook.example",
		     "Invoice", "Pay within ten days.\r\n");
	for (unsigned i = 0; i < 12; i++) {
		snprintf(l.label, sizeof l.label, "forged %u", i);
		letter_renew(s, &l, "crook.example");
		scene_send(s, &l, &attacker);
		scene_wait(s, MINUTE);
	}
	snprintf(l.label, sizeof l.label, "real");
	letter_renew(s, &l, "author.example");
	letter_trace(&l, "Authentication-Results: mx.ours.example; dkim=pass header.d=author.example");
	letter_add(&l, "DKIM-Signature: v=1; d=author.example; b=abcdef0123456789");
	struct answer a = scene_send(s, &l, &to_anna);
	expect_deed(&a, DEED_PASS, "the author's own");
	expect_tier(&a, TIER_T3, "the author's own");
	scene_end(s);
}

static void case_49_spam_with_equal_text_through_thirty_doors_is_not_our_class(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 90; i++) {
		char label[32], ip[32], name[64];
		snprintf(label, sizeof label, "spam %u", i);
		snprintf(ip, sizeof ip, "198.51.100.%u", i % 30 + 1);
		snprintf(name, sizeof name, "host.door%u.example", i % 30);
		letter_write(s, &l, label, "rich@nowhere.example", anna, "You have won", "Click here.\r\n");
		struct handing h = { .ip = ip, .name = name, .rcpts = { anna } };
		struct answer a = scene_send(s, &l, &h);
		expect_deed(&a, DEED_PASS, label);
		scene_wait(s, 20 * 1000);
	}
	scene_end(s);
}

static void case_50_many_empty_test_mails_of_one_author_pass(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	for (unsigned i = 0; i < 30; i++) {
		char label[32];
		snprintf(label, sizeof label, "test %u", i);
		letter_write(s, &l, label, "author@author.example", "anna@ours.example, x@door.example",
			     i % 2 ? "test" : "", "");
		bool is_other_door = i % 6 == 0; /* then with neither text nor subject */
		struct handing h = { .ip = is_other_door ? "192.0.2.90" : "192.0.2.25",
				     .name = is_other_door ? "mail.door.example" : "mail.author.example",
				     .rcpts = { anna } };
		struct answer a = scene_send(s, &l, &h);
		expect_passes(&a, label);
		scene_wait(s, 10 * MINUTE);
	}
	scene_end(s);
}

static void a_mailbox_named_twice_in_one_transaction_counts_once(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing h = { .rcpts = { anna, "anna@OURS.example", anna, anna, ben } };
	letter_write(s, &l, "mail", "author@author.example", anna, "Hello", "Shall we meet at noon?\r\n");
	struct answer a = scene_send(s, &l, &h);
	expect_deed(&a, DEED_PASS, "first");
	scene_wait(s, MINUTE);
	a = scene_send(s, &l, &to_anna);
	assert_non_null(strstr(a.reason, "1 confirmed within 1 h"));
	scene_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_6_a_retry_after_a_lost_250_passes_tagged_without_alert),
		cmocka_unit_test(case_7_six_451s_of_a_later_filter_are_not_counted),
		cmocka_unit_test(case_7_the_same_for_a_text_that_is_repeated_all_day),
		cmocka_unit_test(case_8_the_mta_is_killed_between_our_answer_and_its_queue),
		cmocka_unit_test(case_9_ten_failed_ends_on_a_full_disk_then_space),
		cmocka_unit_test(case_13_mx_and_hub_with_quell_count_a_mail_once),
		cmocka_unit_test(case_14_a_list_copy_and_a_direct_copy_both_pass),
		cmocka_unit_test(case_15_a_cross_post_to_two_lists_reaches_members_of_both_twice),
		cmocka_unit_test(case_16_a_newsletter_to_a_hundred_thousand_passes),
		cmocka_unit_test(case_17_a_cron_mail_every_minute_for_a_day_is_a_repetition),
		cmocka_unit_test(case_18_twelve_identical_alerts_in_one_second_pass),
		cmocka_unit_test(case_19_a_device_without_message_id_and_date_every_ten_minutes_passes),
		cmocka_unit_test(case_20_a_device_with_a_constant_message_id_and_text_passes_hourly),
		cmocka_unit_test(case_21_one_message_id_with_thirty_different_texts_passes),
		cmocka_unit_test(case_22_one_mail_resent_five_times_passes),
		cmocka_unit_test(case_23_the_user_sends_exactly_the_same_four_times_in_a_day),
		cmocka_unit_test(case_24_calendar_updates_and_ticket_notices_pass),
		cmocka_unit_test(case_25_a_desk_in_to_answers_in_its_own_name_every_quarter_of_an_hour),
		cmocka_unit_test(case_26_a_foreign_server_repeats_the_authors_text_hourly_and_is_told_of),
		cmocka_unit_test(case_26_the_same_by_a_server_of_the_audience_passes_within_the_day_budget),
		cmocka_unit_test(case_27_a_users_forwarder_gives_a_second_copy_of_each_mail),
		cmocka_unit_test(case_28_the_same_forwarder_is_not_named_in_a_storm),
		cmocka_unit_test(case_37_outbound_to_a_list_and_the_own_copy_back_passes),
		cmocka_unit_test(case_47_the_authors_mail_passes_after_an_attacker_sent_its_text_first),
		cmocka_unit_test(case_49_spam_with_equal_text_through_thirty_doors_is_not_our_class),
		cmocka_unit_test(case_50_many_empty_test_mails_of_one_author_pass),
		cmocka_unit_test(a_mailbox_named_twice_in_one_transaction_counts_once),
	};
	return cmocka_run_group_tests_name("storms ordinary", tests, NULL, NULL);
}
