/* SPDX-License-Identifier: Apache-2.0
 *
 * Dublin, December 2005, in the small: acceptance cases 1 to 5 and 46. Five firms
 * with faulty connectors poll every fifteen minutes and send each mail again to
 * everybody in To.
 */
#include "scenario.h"

#include "base/mem.h"

#include <stdlib.h>

enum { FIRMS = 5, QUEUE_MAX = 64, POLL_MS = 15 * MINUTE };

static const struct connector firms[FIRMS] = {
	{ "reception", "harbourlaw.example", "203.0.113.10", "mail.harbourlaw.example",
	  "harbourlaw.local", 0x0300a8c0, false, false, false, -211000 },
	{ "post", "quayside.example", "203.0.113.11", "mail.quayside.example", "quayside.local",
	  0x0200000a, false, false, false, 0 },
	{ "info", "wharf.example", "203.0.113.12", "dsl-12.isp.example", "wharf.local", 0x0a01a8c0, false,
	  false, false, 181000 },
	{ "a", "firm4.example", "203.0.113.13", "mail.firm4.example", "firm4.local", 0x0b64a8c0, false,
	  false, false, 30000 },
	{ "law", "liffey.example", "203.0.113.14", "dsl-14.isp.example", "liffey.local", 0x0164a8c0,
	  false, false, false, 5000 },
};

static const char audience[] =
	"\"Reception\" <reception@harbourlaw.example>, <post@quayside.example>, <info@wharf.example>, "
	"<a@firm4.example>, <law@liffey.example>, <anna@ours.example>";

struct firm_box {
	struct letter *mails[QUEUE_MAX];
	size_t count;
	int64_t next_poll_ms;
};

struct dublin {
	struct scene *scene;
	struct firm_box boxes[FIRMS];
	struct connector firms[FIRMS];
	const char *relay;      /* that firms send through; NULL: directly */
	unsigned copies;        /* that the victim was offered */
	unsigned passed, held, suppressed, first_withheld;
	enum deed first_action;
	unsigned copies_max;
};

static void drop_into(struct firm_box *box, const struct letter *l)
{
	if (box->count == QUEUE_MAX)
		return; /* the firm's mailbox is as full as this world needs */
	struct letter *copy = mem_must_alloc(sizeof *copy);
	*copy = *l;
	box->mails[box->count++] = copy;
}

/* The ISP puts a copy into a firm's mailbox. */
static void to_firm(struct dublin *d, unsigned firm, const struct letter *l)
{
	struct letter copy = *l;
	letter_trace(&copy, "Received: from smtp.isp.example by pop.isp.example with ESMTP id P%u; "
			    "Tue, 6 Dec 2005 09:31:15 +0000", d->copies);
	drop_into(&d->boxes[firm], &copy);
}

static void to_victim(struct dublin *d, unsigned firm, const struct letter *l)
{
	struct handing h = connector_hands(&d->firms[firm], "anna@ours.example");
	if (d->relay) {
		h.ip = "198.51.100.1";
		h.name = h.helo = d->relay;
	}
	struct answer a = scene_send(d->scene, l, &h);
	d->copies++;
	d->passed += a.deed < DEED_DEFER;
	d->held += a.deed == DEED_HOLD;
	d->suppressed += a.deed == DEED_SUPPRESS;
	if (a.deed < DEED_DEFER || d->first_withheld)
		return;
	d->first_withheld = d->copies;
	d->first_action = a.deed;
}

static void poll_firm(struct dublin *d, unsigned firm)
{
	struct firm_box *box = &d->boxes[firm];
	size_t count = box->count;
	box->next_poll_ms += POLL_MS;
	for (size_t i = 0; i < count && d->copies < d->copies_max; i++) {
		struct letter l = *box->mails[i];
		connector_pass(d->scene, &d->firms[firm], &l);
		if (d->relay)
			connector_relay(d->scene, &d->firms[firm], d->relay, &l);
		to_victim(d, firm, &l);
		for (unsigned to = 0; to < FIRMS; to++)
			if (to != firm)
				to_firm(d, to, &l);
		scene_wait(d->scene, 2000);
	}
	for (size_t i = 0; i < count; i++)
		mem_free(box->mails[i]);
	memmove(box->mails, box->mails + count, (box->count - count) * sizeof box->mails[0]);
	box->count -= count;
}

static unsigned next_firm(const struct dublin *d)
{
	unsigned best = 0;
	for (unsigned i = 1; i < FIRMS; i++)
		if (d->boxes[i].next_poll_ms < d->boxes[best].next_poll_ms)
			best = i;
	return best;
}

static void begin(struct dublin *d, const struct scene_options *options)
{
	struct letter l;
	*d = (struct dublin){ .scene = scene_new(options), .copies_max = 120 };
	memcpy(d->firms, firms, sizeof firms);
	letter_write(d->scene, &l, "handbook", "\"Lexpress Publishing\" <offers@author.example>",
		     audience, "Conveyancing Handbook 2006 - early order price",
		     "Dear colleague,\r\n\r\nthe new handbook is out, and early orders save a third.\r\n");
	struct answer a = scene_send(d->scene, &l, &(struct handing){ .rcpts = { "anna@ours.example" } });
	expect_deed(&a, DEED_PASS, "the original");
	d->passed = 1;
	for (unsigned i = 0; i < FIRMS; i++) {
		to_firm(d, i, &l);
		d->boxes[i].next_poll_ms = SCENE_START_MS + 3 * MINUTE + i * 137 * 1000;
	}
	scene_wait(d->scene, MINUTE);
}

static void run(struct dublin *d)
{
	while (d->copies < d->copies_max) {
		unsigned firm = next_firm(d);
		int64_t until_ms = d->boxes[firm].next_poll_ms;
		if (until_ms > scene_now(d->scene))
			scene_wait(d->scene, until_ms - scene_now(d->scene));
		poll_firm(d, firm);
	}
}

static void finish(struct dublin *d)
{
	for (unsigned i = 0; i < FIRMS; i++)
		for (size_t n = 0; n < d->boxes[i].count; n++)
			mem_free(d->boxes[i].mails[n]);
	scene_end(d->scene);
}

/* All five firms are named and nobody else is. */
static void expect_five_named(struct dublin *d)
{
	scene_wait(d->scene, 10 * 1000);
	const struct incident *inc = scene_incident(d->scene);
	assert_non_null(inc);
	unsigned guilty = 0;
	for (unsigned i = 0; i < inc->party_count; i++)
		guilty += inc->parties[i].role == PARTY_GUILTY;
	for (unsigned i = 0; i < FIRMS; i++) {
		const struct party *p = incident_party(inc, firms[i].ip);
		if (!p || p->role != PARTY_GUILTY)
			fail_msg("%s is not named (confidence %.3f, blame %u)", firms[i].domain,
				 p ? p->confidence : 0, p ? p->blame : 0);
		assert_string_equal(p->domain, firms[i].domain);
	}
	assert_int_equal(guilty, FIRMS);
	assert_string_equal(inc->from, "offers@author.example");
}

static void case_1_dublin_keep_at_one_victim_passes_three_and_names_five(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, &(struct scene_options){ .relay = "smtp.isp.example" });
	d.relay = "smtp.isp.example";
	for (unsigned i = 0; i < FIRMS; i++)
		d.firms[i].is_keeping = true;
	run(&d);
	assert_true(d.passed <= 3);
	assert_int_equal(scene_delivered(d.scene, "handbook", "anna@ours.example"), d.passed);
	assert_int_equal(d.first_action, DEED_SUPPRESS);
	assert_int_equal(d.first_withheld, 3);
	expect_five_named(&d);
	finish(&d);
}

static void case_2_dublin_strip_is_held_first_then_suppressed(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, &(struct scene_options){ .relay = "smtp.isp.example" });
	d.relay = "smtp.isp.example";
	run(&d);
	assert_true(d.passed <= 3);
	assert_int_equal(d.first_action, DEED_HOLD);
	assert_true(d.suppressed > 100);
	expect_five_named(&d);
	finish(&d);
}

static void case_2_a_strip_storm_through_a_relay_that_nobody_vouches_for_names_nobody(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, NULL);
	d.relay = "smtp.isp.example";
	run(&d);
	assert_true(d.passed <= 3);
	scene_wait(d.scene, 10 * 1000);
	const struct incident *inc = scene_incident(d.scene);
	for (unsigned i = 0; i < inc->party_count; i++)
		assert_int_not_equal(inc->parties[i].role, PARTY_GUILTY);
	const struct party *relay = incident_party(inc, "198.51.100.1");
	assert_non_null(relay);
	assert_int_equal(relay->role, PARTY_ENTRY);
	finish(&d);
}

/* The ISP of case 3: 26 mailboxes, firms connect directly. */
static void fill_isp(char to[LETTER_FIELD_BYTES], char names[26][64], struct handing *h)
{
	size_t len = 0;
	for (unsigned i = 0; i < 26; i++) {
		if (i < FIRMS)
			snprintf(names[i], 64, "%s@%s", firms[i].user, firms[i].domain);
		else
			snprintf(names[i], 64, "partner%u@solicitor%u.example", i, i);
		len += (size_t)snprintf(to + len, LETTER_FIELD_BYTES - len, "%s<%s>", i ? ", " : "", names[i]);
		h->rcpts[i] = names[i];
	}
}

/* One wave: every firm sends its copy to all 26, in one transaction or in 26. */
static unsigned isp_wave(struct scene *s, const struct letter *original, const struct handing *all,
			 bool is_split, unsigned *withheld)
{
	unsigned passed = 0;
	for (unsigned f = 0; f < FIRMS; f++) {
		struct connector c = firms[f];
		struct letter l = *original;
		c.is_keeping = f % 2 == 0;
		connector_pass(s, &c, &l);
		struct handing h = connector_hands(&c, NULL);
		memcpy(h.rcpts, all->rcpts, sizeof h.rcpts);
		for (unsigned i = 0; i < (is_split ? 26 : 1); i++) {
			if (is_split) {
				h.rcpts[0] = all->rcpts[i];
				h.rcpts[1] = NULL;
			}
			struct answer a = scene_send(s, &l, &h);
			passed += a.passed;
			*withheld += a.withheld;
			scene_wait(s, 1000);
		}
		scene_wait(s, 2 * MINUTE);
	}
	return passed;
}

static void play_isp(bool is_split, bool is_stamped, unsigned passed_max)
{
	struct scene *s = scene_new(&(struct scene_options){ .our_host = "smtp.isp.example" });
	struct letter l;
	struct handing h = { .name = NULL };
	char to[LETTER_FIELD_BYTES], names[26][64];
	unsigned withheld = 0;
	fill_isp(to, names, &h);
	letter_write(s, &l, "handbook", "offers@author.example", to, "Handbook", "Order early and save a third.\r\n");
	struct answer a = scene_send(s, &l, &h);
	expect_deed(&a, DEED_PASS, "the original");
	scene_wait(s, 5 * MINUTE);
	if (is_stamped)
		letter_arrived(s, &l, &a, &h);
	unsigned passed = isp_wave(s, &l, &h, is_split, &withheld);
	if (passed > passed_max)
		fail_msg("%u surplus copies passed, at most %u may", passed, passed_max);
	assert_int_equal(passed + withheld, FIRMS * 26);
	struct dublin d = { .scene = s };
	expect_five_named(&d);
	scene_end(s);
}

static void case_3_dublin_at_the_isp_lets_no_surplus_pass_when_a_wave_is_one_transaction(void **state)
{
	(void)state;
	play_isp(false, false, 0);
}

static void case_3_dublin_at_the_isp_lets_ten_surplus_pass_when_waves_are_split(void **state)
{
	(void)state;
	play_isp(true, false, 10);
}

static void case_3_with_our_stamp_in_the_mailboxes_no_surplus_passes_even_when_split(void **state)
{
	(void)state;
	play_isp(true, true, 0);
}

static void one_connector_for_a_day(bool is_keeping, bool is_marked)
{
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct connector c = firms[1];
	unsigned passed = 1, withheld = 0;
	c.is_keeping = is_keeping;
	c.is_without_marks = !is_marked;
	letter_write(s, &l, "mail", "offers@author.example", audience, "Handbook", "Order early.\r\n");
	scene_send(s, &l, &(struct handing){ .rcpts = { "anna@ours.example" } });
	for (unsigned poll = 0; poll < 96; poll++) {
		scene_wait(s, POLL_MS);
		struct letter copy = l;
		connector_pass(s, &c, &copy);
		struct handing h = connector_hands(&c, "anna@ours.example");
		struct answer a = scene_send(s, &copy, &h);
		passed += a.passed;
		withheld += a.withheld;
	}
	assert_in_range(passed, 1, 3);
	assert_int_equal(withheld, 97 - passed);
	assert_int_equal(scene_incident(s)->state, BREAKER_OPEN);
	assert_in_range(incident_party(scene_incident(s), c.ip)->period_ms, 14 * MINUTE, 16 * MINUTE);
	scene_end(s);
}

static void case_4_one_connector_for_a_day_gets_three_through_and_94_contained(void **state)
{
	(void)state;
	one_connector_for_a_day(true, true);
	one_connector_for_a_day(false, true);
	one_connector_for_a_day(true, false);
	one_connector_for_a_day(false, false);
}

static void case_46_after_kill_9_the_breaker_is_still_open(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, &(struct scene_options){ .relay = "smtp.isp.example" });
	d.relay = "smtp.isp.example";
	d.copies_max = 20;
	run(&d);
	unsigned passed = d.passed;
	for (unsigned kill = 0; kill < 5; kill++) {
		scene_kill(d.scene);
		d.copies_max += 10;
		run(&d);
		assert_int_equal(scene_incident(d.scene)->state, BREAKER_OPEN);
	}
	assert_int_equal(d.passed, passed);
	scene_restart_from_snapshot(d.scene);
	d.copies_max += 20;
	run(&d);
	assert_int_equal(d.passed, passed);
	finish(&d);
}

static void case_46_kills_before_the_breaker_opens_cost_at_most_one_copy_each(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, NULL);
	for (unsigned kill = 0; kill < 5; kill++) {
		d.copies_max = kill + 1;
		run(&d);
		scene_kill(d.scene); /* right after the last copy: its confirmation is lost */
	}
	d.copies_max = 60;
	run(&d);
	assert_true(d.passed <= 3 + 5);
	finish(&d);
}

static void a_quiet_storm_closes_again_and_says_so(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, NULL);
	d.copies_max = 12;
	run(&d);
	assert_int_equal(scene_incident(d.scene)->state, BREAKER_OPEN);
	unsigned passed = d.passed;
	scene_wait(d.scene, 6 * HOUR + 5 * MINUTE);
	assert_int_equal(scene_incident(d.scene)->state, BREAKER_HALF_OPEN);
	d.copies_max += 2; /* it goes on: one copy probes, the next opens again */
	run(&d);
	assert_int_equal(d.passed, passed + 1);
	assert_int_equal(scene_incident(d.scene)->state, BREAKER_OPEN);
	scene_wait(d.scene, 12 * HOUR);
	assert_int_equal(scene_incident(d.scene)->state, BREAKER_CLOSED);
	finish(&d);
}

static void an_operator_closes_and_opens_an_incident(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, NULL);
	d.copies_max = 12;
	run(&d);
	char id[INCIDENT_ID_BYTES];
	memcpy(id, scene_incident(d.scene)->id, sizeof id);
	unsigned passed = d.passed;
	assert_false(storm_force(scene_storm(d.scene), "Dnothing", BREAKER_CLOSED, scene_now(d.scene)));
	assert_true(storm_force(scene_storm(d.scene), id, BREAKER_CLOSED, scene_now(d.scene)));
	d.copies_max += 5;
	run(&d);
	assert_int_equal(d.passed, passed + 5);
	scene_wait(d.scene, 2000);
	scene_kill(d.scene); /* the order outlives the restart */
	d.copies_max += 5;
	run(&d);
	assert_int_equal(d.passed, passed + 10);
	assert_true(storm_force(scene_storm(d.scene), id, BREAKER_OPEN, scene_now(d.scene)));
	d.copies_max += 5;
	run(&d);
	assert_int_equal(d.passed, passed + 10);
	finish(&d);
}

static void observing_tags_only_and_says_what_it_would_do(void **state)
{
	(void)state;
	struct dublin d;
	begin(&d, &(struct scene_options){ .is_observing = true });
	d.copies_max = 30;
	run(&d);
	assert_int_equal(d.passed, 31);
	assert_int_equal(scene_incident(d.scene)->state, BREAKER_OPEN);
	finish(&d);
}

/* A connector sends each of many mails again, once, to some recipients. Returns
 * after how many mails their surplus was withheld; 0 for never. */
static unsigned many_mails_once(unsigned rcpt_count, unsigned mails)
{
	static const char *const boxes[] = { "anna@ours.example", "ben@ours.example", "eve@ours.example" };
	struct scene *s = scene_new(NULL);
	struct handing first = { .name = NULL }, again = connector_hands(&firms[1], NULL);
	unsigned stopped = 0;
	memcpy(first.rcpts, boxes, rcpt_count * sizeof boxes[0]);
	memcpy(again.rcpts, boxes, rcpt_count * sizeof boxes[0]);
	for (unsigned i = 1; i <= mails && !stopped; i++) {
		struct letter l;
		char label[32];
		snprintf(label, sizeof label, "mail %u", i);
		letter_write(s, &l, label, "offers@author.example", audience, label, label);
		struct answer a = scene_send(s, &l, &first);
		expect_deed(&a, DEED_PASS, label);
		scene_wait(s, POLL_MS);
		connector_pass(s, &firms[1], &l);
		a = scene_send(s, &l, &again);
		if (a.deed < DEED_HOLD)
			continue;
		assert_string_equal(a.rule, "emitter");
		assert_non_null(strstr(a.reason, "it multiplies"));
		stopped = i;
	}
	scene_end(s);
	return stopped;
}

static void a_server_that_multiplies_every_mail_loses_its_budget(void **state)
{
	(void)state;
	assert_in_range(many_mails_once(3, 40), 2, 6);
	assert_in_range(many_mails_once(2, 40), 4, 12);
	assert_int_equal(many_mails_once(1, 120), 0); /* one for one: like a forwarder */
}

static void a_queue_id_that_is_used_again_confirms_no_old_offer(void **state)
{
	(void)state;
	struct scene *s = scene_new(NULL);
	struct letter l;
	struct handing h = { .is_mta_deaf = true, .rcpts = { "anna@ours.example" } };
	letter_write(s, &l, "mail", "offers@author.example", audience, "Hello", "Hello\r\n");
	for (unsigned i = 0; i < 5; i++) {
		struct answer a = scene_send(s, &l, &h);
		expect_deed(&a, DEED_PASS, "offered");
		scene_wait(s, 11 * MINUTE);
		storm_queued(scene_storm(s), slice_from_str(a.queue_id), scene_now(s));
		storm_delivered(scene_storm(s), slice_from_str(a.queue_id), SLICE("anna@ours.example"),
				scene_now(s));
	}
	h.is_mta_deaf = false;
	struct answer a = scene_send(s, &l, &h);
	expect_deed(&a, DEED_PASS, "taken over at last");
	scene_end(s);
}

static void a_delivery_in_the_log_confirms_its_recipient_alone(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .lag_ms = 100 * HOUR });
	struct letter l;
	struct handing h = { .rcpts = { "anna@ours.example", "ben@ours.example" } };
	letter_write(s, &l, "mail", "offers@author.example", audience, "Hello", "Hello\r\n");
	struct answer a = scene_send(s, &l, &h);
	storm_delivered(scene_storm(s), slice_from_str(a.queue_id), SLICE("ben@ours.example"), scene_now(s));
	storm_delivered(scene_storm(s), SLICE("unknown"), SLICE("ben@ours.example"), scene_now(s));
	a = scene_send(s, &l, &h);
	assert_int_equal(a.deeds[0], DEED_PASS);
	assert_int_equal(a.deeds[1], DEED_TAG);
	scene_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_1_dublin_keep_at_one_victim_passes_three_and_names_five),
		cmocka_unit_test(case_2_dublin_strip_is_held_first_then_suppressed),
		cmocka_unit_test(case_2_a_strip_storm_through_a_relay_that_nobody_vouches_for_names_nobody),
		cmocka_unit_test(case_3_dublin_at_the_isp_lets_no_surplus_pass_when_a_wave_is_one_transaction),
		cmocka_unit_test(case_3_dublin_at_the_isp_lets_ten_surplus_pass_when_waves_are_split),
		cmocka_unit_test(case_3_with_our_stamp_in_the_mailboxes_no_surplus_passes_even_when_split),
		cmocka_unit_test(case_4_one_connector_for_a_day_gets_three_through_and_94_contained),
		cmocka_unit_test(case_46_after_kill_9_the_breaker_is_still_open),
		cmocka_unit_test(case_46_kills_before_the_breaker_opens_cost_at_most_one_copy_each),
		cmocka_unit_test(a_quiet_storm_closes_again_and_says_so),
		cmocka_unit_test(an_operator_closes_and_opens_an_incident),
		cmocka_unit_test(observing_tags_only_and_says_what_it_would_do),
		cmocka_unit_test(a_server_that_multiplies_every_mail_loses_its_budget),
		cmocka_unit_test(a_queue_id_that_is_used_again_confirms_no_old_offer),
		cmocka_unit_test(a_delivery_in_the_log_confirms_its_recipient_alone),
	};
	return cmocka_run_group_tests_name("storms dublin", tests, NULL, NULL);
}
