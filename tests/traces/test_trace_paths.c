/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths made by hand: storms of other shapes than Dublin's (a relay that pushes, a
 * list with a faulty subscriber, two firms that forward to each other), ordinary
 * mail that looks alike, and real mail of 2005.
 */
#include "../storms/scenario.h"
#include "inquest.h"

#include "base/mem.h"

/* A small world: hosts at hand, and the inquest that our mailboxes go to. */
struct world {
	struct post post;
	struct inquest q;
	int author, relay, list, firm, mx;
	int64_t now_ms;
};

static struct trace_incident incident; /* too big for the stack */

static const char *const victim[INQUEST_OURS_MAX] = { "mx.ours.example" };

static void begin(struct world *w, uint64_t seed)
{
	struct post *p = &w->post;
	post_init(p, seed);
	w->now_ms = POST_START_MS;
	w->author = post_add_host(p, "mail.publisher.example", NULL, NULL, "192.0.2.25");
	w->relay = post_add_host(p, "smtp.carrier.example", NULL, NULL, "198.51.100.9");
	w->list = post_add_host(p, "lists.talk.example", NULL, NULL, "198.51.100.20");
	w->firm = post_add_host(p, "mail.harbour.example", NULL, NULL, "203.0.113.10");
	w->mx = post_add_host(p, "mx.ours.example", NULL, NULL, "192.0.2.200");
	post_add_member(p, "anna", "ours.example");
	post_add_member(p, "reception", "harbour.example");
	snprintf(p->from, sizeof p->from, "offers@publisher.example");
	snprintf(p->list, sizeof p->list, "talk@lists.talk.example");
	inquest_begin(&w->q, victim);
}

static void end(struct world *w)
{
	inquest_end(&w->q);
	post_free(&w->post);
}

static struct parcel write_mail(struct world *w)
{
	struct parcel m = post_write(&w->post, w->author, w->now_ms);
	post_pass_as(&w->post, &m,
		     (struct post_passage){ .kind = POST_LOCAL, .by = w->author, .for_member = POST_NONE }, w->now_ms);
	return m;
}

static void wait_ms(struct world *w, int64_t ms)
{
	w->now_ms += ms;
}

static void pass(struct world *w, struct parcel *m, int from, int by)
{
	wait_ms(w, 7000);
	post_pass(&w->post, m, from, by, w->now_ms);
}

/* Our MX takes it from a host and puts it into a mailbox. */
static void deliver(struct world *w, struct parcel m, int from, const char *recipient)
{
	struct post_copy copy = { .parcel = m };
	pass(w, &copy.parcel, from, w->mx);
	copy.time_ms = w->now_ms;
	snprintf(copy.recipient, sizeof copy.recipient, "%s", recipient);
	inquest_read(&w->q, &w->post, &copy, 1);
}

static void deliver_anna(struct world *w, struct parcel m, int from)
{
	deliver(w, m, from, "anna@ours.example");
}

static bool ask(const struct world *w, const char *relay)
{
	return inquest_ask(&w->q, relay, &incident);
}

static const char *ip_of(const struct world *w, int host)
{
	return w->post.hosts[host].ip;
}

static void expect_role(const struct world *w, int host, enum party_role role)
{
	const struct party *p = inquest_party(&incident, ip_of(w, host));
	if (p && p->role == role)
		return;
	inquest_print(&incident);
	fail_msg("%s is %d, wanted %d", w->post.hosts[host].name, p ? (int)p->role : -1, (int)role);
}

/* Neither named nor suspected. */
static void expect_clean(const struct world *w, int host)
{
	const struct party *p = inquest_party(&incident, ip_of(w, host));
	if (!p || (p->role != PARTY_GUILTY && p->role != PARTY_SUSPECT))
		return;
	inquest_print(&incident);
	fail_msg("%s is blamed", w->post.hosts[host].name);
}

static void expect_no_storm(const struct world *w, const char *relay)
{
	if (!ask(w, relay) && inquest_count(&incident, PARTY_GUILTY) == 0)
		return;
	inquest_print(&incident);
	fail_msg("%llu of %llu copies are surplus, %u are named", (unsigned long long)incident.incident.surplus,
		 (unsigned long long)incident.incident.copies, inquest_count(&incident, PARTY_GUILTY));
}

static void a_relay_that_pushes_one_mail_twelve_times_to_us_is_named(void **state)
{
	(void)state;
	struct world w;
	begin(&w, 1);
	struct parcel m = write_mail(&w);
	pass(&w, &m, w.author, w.relay);
	for (unsigned i = 0; i < 12; i++, wait_ms(&w, 5 * MINUTE))
		deliver_anna(&w, m, w.relay);
	assert_true(ask(&w, NULL));
	expect_role(&w, w.relay, PARTY_GUILTY);
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 1);
	expect_clean(&w, w.author);
	end(&w);
}

static void a_relay_that_pushes_to_a_relay_before_us_is_named_and_its_receiver_is_not(void **state)
{
	(void)state;
	struct world w;
	begin(&w, 2);
	int pusher = post_add_host(&w.post, "out.pusher.example", NULL, NULL, "192.0.2.77");
	struct parcel m = write_mail(&w);
	pass(&w, &m, w.author, pusher);
	for (unsigned i = 0; i < 12; i++, wait_ms(&w, 5 * MINUTE)) {
		struct parcel copy = m;
		pass(&w, &copy, pusher, w.relay);
		deliver_anna(&w, copy, w.relay);
	}
	assert_true(ask(&w, "smtp.carrier.example"));
	expect_role(&w, pusher, PARTY_GUILTY);
	expect_role(&w, w.relay, PARTY_ENTRY);
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 1);
	ask(&w, NULL); /* when nobody vouches for the receiver, nobody is named */
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 0);
	end(&w);
}

/* --- a list with a faulty subscriber ------------------------------------ */

struct list_storm {
	bool is_stripping, has_marks, has_hop;
	const char *relay;
};

static void explode(struct world *w, struct parcel *m, int from)
{
	pass(w, m, from, w->list);
	snprintf(m->list_id, sizeof m->list_id, "talk.talk.example");
	deliver_anna(w, *m, w->list);
}

/* The subscriber's connector sends the list's mail to the list again. */
static void subscriber_sends(struct world *w, const struct list_storm *s, struct parcel *m)
{
	pass(w, m, w->list, w->relay); /* into its POP box */
	wait_ms(w, 15 * MINUTE);
	if (s->is_stripping) {
		m->top = POST_NONE;
		post_renew(&w->post, m, w->firm, "harbour.local", w->now_ms);
	}
	m->appended = s->has_marks ? 1 : POST_NONE;
	if (!s->has_hop)
		return;
	m->is_connector_made = true;
	m->connector_ms = w->now_ms;
	post_pass_as(&w->post, m, (struct post_passage){ .kind = POST_PICKUP, .by = w->firm,
							 .for_member = POST_NONE }, w->now_ms);
}

static void run_list(struct world *w, const struct list_storm *s, unsigned rounds)
{
	begin(w, 3);
	w->post.to = POST_TO_LIST;
	struct parcel m = write_mail(w);
	explode(w, &m, w->author);
	for (unsigned i = 0; i < rounds; i++) {
		subscriber_sends(w, s, &m);
		explode(w, &m, w->firm);
	}
}

static void list_names(const struct list_storm *s)
{
	struct world w;
	run_list(&w, s, 12);
	assert_true(ask(&w, s->relay));
	expect_clean(&w, w.list);
	expect_role(&w, w.firm, PARTY_GUILTY);
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 1);
	ask(&w, NULL);
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 0);
	end(&w);
}

static void a_subscribers_keeping_connector_is_named_and_the_list_never(void **state)
{
	(void)state;
	list_names(&(struct list_storm){ .has_hop = true, .relay = "lists.talk.example" });
	list_names(&(struct list_storm){ .has_hop = true, .has_marks = true, .relay = "lists.talk.example" });
}

static void a_subscribers_stripping_connector_with_marks_is_named_and_the_list_never(void **state)
{
	(void)state;
	list_names(&(struct list_storm){ .is_stripping = true, .has_hop = true, .has_marks = true,
					 .relay = "lists.talk.example" });
}

static void a_subscribers_stripping_connector_without_marks_is_named_and_the_list_never(void **state)
{
	(void)state;
	list_names(&(struct list_storm){ .is_stripping = true, .has_hop = true, .relay = "lists.talk.example" });
}

static void a_list_is_never_named_whatever_is_known_of_its_subscriber(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct world w;
		run_list(&w, &(struct list_storm){ .is_stripping = i & 1, .has_marks = i & 2, .has_hop = i & 4 }, 12);
		ask(&w, i & 8 ? "lists.talk.example" : NULL);
		expect_clean(&w, w.list);
		end(&w);
	}
}

/* --- two that forward to each other -------------------------------------- */

/* Our user's mail goes to a partner firm (by way of others), whose user's comes back. */
static void run_forwarding(struct world *w, const int *stations, unsigned count, unsigned rounds)
{
	struct parcel m = write_mail(w);
	int from = w->author;
	for (unsigned i = 0; i < rounds; i++) {
		deliver_anna(w, m, from);
		pass(w, &m, from, w->mx); /* the very same passage as the copy's */
		w->post.passages[m.top] = w->post.passages[w->post.passage_count - 2];
		from = w->mx;
		for (unsigned k = 0; k < count; k++) {
			pass(w, &m, from, stations[k]);
			from = stations[k];
		}
	}
}

static bool is_in_cycle(const char *name)
{
	for (unsigned i = 0; i < incident.cycle_count; i++)
		if (strcmp(incident.hosts[incident.cycle[i]].name, name) == 0)
			return true;
	return false;
}

static void case_36_two_firms_that_forward_to_each_other_are_entry_and_cycle(void **state)
{
	(void)state;
	struct world w;
	begin(&w, 4);
	run_forwarding(&w, &w.firm, 1, 12);
	assert_true(ask(&w, NULL));
	inquest_print(&incident);
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 0);
	expect_role(&w, w.firm, PARTY_ENTRY);
	assert_int_equal(incident.cycle_count, 2);
	assert_true(is_in_cycle("mail.harbour.example"));
	assert_true(is_in_cycle("mx.ours.example"));
	end(&w);
}

static void case_36_a_far_member_of_the_ring_is_suspected_at_most(void **state)
{
	(void)state;
	struct world w;
	begin(&w, 5);
	int stations[2] = { w.firm, post_add_host(&w.post, "mx.wharf.example", NULL, NULL, "203.0.113.30") };
	run_forwarding(&w, stations, 2, 12);
	assert_true(ask(&w, NULL));
	inquest_print(&incident);
	assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 0);
	expect_role(&w, stations[1], PARTY_ENTRY);
	assert_true(incident.cycle_count >= 2);
	assert_true(is_in_cycle("mx.wharf.example"));
	end(&w);
}

static bool loops(struct world *w, unsigned visits)
{
	begin(w, 6);
	struct trace_setup setup = { .our_hosts = w->q.our_hosts, .our_host_count = 1 };
	int stations[2] = { w->relay, w->firm };
	struct parcel m = write_mail(w);
	int from = w->author;
	for (unsigned i = 0; i < 2 * visits; i++) {
		pass(w, &m, from, stations[i % 2]);
		from = stations[i % 2];
	}
	deliver_anna(w, m, from);
	bool is_loop = trace_loop(&setup, w->q.facts[0], w->q.recipients[0], "one.eml:0", &incident);
	end(w);
	return is_loop;
}

static void one_mail_that_went_round_eight_times_is_a_loop_and_four_visits_are_none(void **state)
{
	(void)state;
	struct world w;
	for (unsigned visits = 1; visits <= 4; visits++)
		assert_false(loops(&w, visits));
	assert_true(loops(&w, 8));
	assert_int_equal(incident.incident.cls, STORM_LOOP);
	assert_int_equal(incident.incident.id[0], 'L');
	assert_true(incident.cycle_count >= 2);
	assert_true(is_in_cycle("smtp.carrier.example"));
	assert_true(is_in_cycle("mail.harbour.example"));
	for (unsigned i = 0; i < incident.incident.party_count; i++) {
		assert_string_not_equal(incident.incident.parties[i].host, "mail.publisher.example");
		assert_string_not_equal(incident.incident.parties[i].host, "mx.ours.example");
	}
}

/* --- ordinary mail ------------------------------------------------------- */

static void thirty_equal_mails_of_a_cron_job_are_repetitions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world w;
		begin(&w, 7);
		for (unsigned k = 0; k < 30; k++, wait_ms(&w, HOUR)) {
			struct parcel m = write_mail(&w);
			int from = w.author;
			if (i & 1) { /* by way of its provider, who is not of its organisation */
				pass(&w, &m, w.author, w.relay);
				from = w.relay;
			}
			deliver_anna(&w, m, from);
		}
		expect_no_storm(&w, i & 2 ? "smtp.carrier.example" : NULL);
		assert_int_equal(incident.repeats, 29);
		assert_int_equal(incident.incident.surplus, 0);
		end(&w);
	}
}

/* One mail to the list(s) and to our people directly. */
static void list_and_direct(unsigned lists, unsigned people, bool is_direct)
{
	struct world w;
	begin(&w, 8);
	struct parcel m = write_mail(&w);
	for (unsigned i = 0; i < people; i++) {
		char rcpt[64];
		snprintf(rcpt, sizeof rcpt, "user%u@ours.example", i);
		if (is_direct)
			deliver(&w, m, w.author, rcpt);
		for (unsigned k = 0; k < lists; k++) {
			struct parcel copy = m;
			pass(&w, &copy, w.author, w.list);
			snprintf(copy.list_id, sizeof copy.list_id, "list%u.talk.example", k);
			deliver(&w, copy, w.list, rcpt);
		}
	}
	expect_no_storm(&w, NULL);
	expect_no_storm(&w, "lists.talk.example");
	end(&w);
}

static void a_list_copy_and_a_direct_copy_are_no_storm(void **state)
{
	(void)state;
	list_and_direct(1, 1, true);
	list_and_direct(1, 6, true);
}

static void a_cross_post_to_two_lists_is_no_storm(void **state)
{
	(void)state;
	list_and_direct(2, 1, false);
	list_and_direct(2, 6, true);
}

static void a_cross_post_to_five_lists_is_no_storm(void **state)
{
	(void)state;
	list_and_direct(5, 3, true);
}

static void one_mail_to_sixty_people_of_ours_is_no_storm(void **state)
{
	(void)state;
	struct world w;
	begin(&w, 9);
	struct parcel m = write_mail(&w);
	pass(&w, &m, w.author, w.relay);
	for (unsigned i = 0; i < 60; i++) {
		char rcpt[64];
		snprintf(rcpt, sizeof rcpt, "user%u@ours.example", i);
		deliver(&w, m, w.relay, rcpt);
	}
	expect_no_storm(&w, NULL);
	assert_int_equal(incident.incident.surplus, 0);
	end(&w);
}

/* --- real mail of 2005 ---------------------------------------------------- */

static void read_specimen(struct inquest *q, const char *name, int64_t time_ms)
{
	char folder[4096];
	snprintf(folder, sizeof folder, "%s/data/specimens", scene_shared());
	struct slice mail = scene_file(folder, name);
	assert_true(mail.len > 0);
	inquest_read_text(q, mail, "linux-mips@linux-mips.org", time_ms);
	mem_free((void *)(uintptr_t)mail.ptr);
}

static void the_connector_of_lexbox_is_in_the_answer_about_its_real_copy(void **state)
{
	(void)state;
	static const char *const hosts[][INQUEST_OURS_MAX] = { { "linux-mips.org" }, { NULL } };
	static const char *const known[] = { NULL, "linux-mips.org" };
	if (!scene_shared())
		skip();
	for (unsigned i = 0; i < 2; i++) {
		struct inquest q;
		inquest_begin(&q, hosts[i]);
		read_specimen(&q, "sbs-a-original.eml", POST_START_MS);
		read_specimen(&q, "sbs-a-copy.eml", POST_START_MS + 8 * MINUTE);
		inquest_ask(&q, known[i], &incident);
		const struct party *p = inquest_party(&incident, "82.235.130.100");
		assert_non_null(p);
		inquest_print(&incident);
		assert_true(p->role == PARTY_GUILTY || strcmp(p->domain, "lexbox.fr") == 0);
		assert_int_equal(inquest_count(&incident, PARTY_GUILTY), p->role == PARTY_GUILTY);
		assert_true(inquest_has_claim(p, "david.sanchez"));
		inquest_end(&q);
	}
}

static void a_persons_answer_to_a_real_copy_accuses_nobody(void **state)
{
	(void)state;
	static const char *const hosts[][INQUEST_OURS_MAX] = { { "vger.kernel.org" }, { NULL } };
	if (!scene_shared())
		skip();
	for (unsigned i = 0; i < 2; i++) {
		struct inquest q;
		inquest_begin(&q, hosts[i]);
		for (unsigned k = 0; k < 3; k++) /* found in three folders */
			read_specimen(&q, "sbs-human-reply.eml", POST_START_MS + k * MINUTE);
		assert_false(inquest_ask(&q, NULL, &incident));
		assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 0);
		assert_int_equal(inquest_count(&incident, PARTY_SUSPECT), 0);
		inquest_end(&q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_relay_that_pushes_one_mail_twelve_times_to_us_is_named),
		cmocka_unit_test(a_relay_that_pushes_to_a_relay_before_us_is_named_and_its_receiver_is_not),
		cmocka_unit_test(a_subscribers_keeping_connector_is_named_and_the_list_never),
		cmocka_unit_test(a_subscribers_stripping_connector_with_marks_is_named_and_the_list_never),
		cmocka_unit_test(a_subscribers_stripping_connector_without_marks_is_named_and_the_list_never),
		cmocka_unit_test(a_list_is_never_named_whatever_is_known_of_its_subscriber),
		cmocka_unit_test(case_36_two_firms_that_forward_to_each_other_are_entry_and_cycle),
		cmocka_unit_test(case_36_a_far_member_of_the_ring_is_suspected_at_most),
		cmocka_unit_test(one_mail_that_went_round_eight_times_is_a_loop_and_four_visits_are_none),
		cmocka_unit_test(thirty_equal_mails_of_a_cron_job_are_repetitions),
		cmocka_unit_test(a_list_copy_and_a_direct_copy_are_no_storm),
		cmocka_unit_test(a_cross_post_to_two_lists_is_no_storm),
		cmocka_unit_test(a_cross_post_to_five_lists_is_no_storm),
		cmocka_unit_test(one_mail_to_sixty_people_of_ours_is_no_storm),
		cmocka_unit_test(the_connector_of_lexbox_is_in_the_answer_about_its_real_copy),
		cmocka_unit_test(a_persons_answer_to_a_real_copy_accuses_nobody),
	};
	return cmocka_run_group_tests_name("traces paths", tests, NULL, NULL);
}
