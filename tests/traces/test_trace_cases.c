/* SPDX-License-Identifier: Apache-2.0
 *
 * Acceptance cases of the tracer (algorithms.md 5) under their numbers, the worked
 * example of 2.4, and what must never be called a storm.
 */
#include "inquest.h"
#include "topology.h"

enum { SEEDS = 12, MIX_STRIP = 0x12, MIX_HOPLESS = 0x08 };

static struct trace_incident incident, other; /* too big for the stack */

static const char *const victim[INQUEST_OURS_MAX] = { "mx.ours.example" };
static const char relay[] = "isp-out.isp.example";

static struct topology_plan dublin(uint64_t seed, unsigned copies)
{
	return (struct topology_plan){ .seed = seed, .firms = 5, .ours = 1, .others = 20, .copies = copies,
				       .is_self_fed = true };
}

static bool ask(const struct topology_plan *plan, struct topology *t, const char *known_relay,
		struct trace_incident *out)
{
	struct inquest q;
	assert_true(topology_run(t, plan));
	inquest_begin(&q, victim);
	inquest_read(&q, &t->post, t->copies, t->copy_count);
	bool is_storm = inquest_ask(&q, known_relay, out);
	inquest_end(&q);
	return is_storm;
}

static const char *firm_ip(const struct topology *t, unsigned firm)
{
	return t->post.hosts[t->firm[firm].host].ip;
}

static unsigned named_firms(const struct topology *t, const struct trace_incident *out)
{
	unsigned firms = 0;
	for (unsigned i = 0; i < t->plan.firms; i++) {
		const struct party *p = inquest_party(out, firm_ip(t, i));
		if (p && p->role == PARTY_GUILTY)
			firms |= 1u << i;
	}
	return firms;
}

/* Exactly these firms are named, and nobody else is. */
static void expect_named(const struct topology *t, const struct trace_incident *out, unsigned firms)
{
	unsigned named = named_firms(t, out), count = (unsigned)__builtin_popcount(firms);
	if (named == firms && inquest_count(out, PARTY_GUILTY) == count)
		return;
	inquest_print(out);
	fail_msg("seed %llu: firms %#x are named and %u parties, wanted %#x", (unsigned long long)t->plan.seed,
		 named, inquest_count(out, PARTY_GUILTY), firms);
}

static void expect_role(const struct trace_incident *out, const char *ip, enum party_role role)
{
	const struct party *p = inquest_party(out, ip);
	if (p && p->role == role)
		return;
	inquest_print(out);
	fail_msg("%s is %d, wanted %d", ip, p ? (int)p->role : -1, (int)role);
}

static void case_27_a_forwarders_second_copy_of_each_mail_is_never_an_incident(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct topology t;
		struct topology_plan plan = { .seed = seed, .ours = 1, .others = seed % 30,
					      .forwarders = 1 + seed % 2, .copies = 10 };
		bool is_storm = ask(&plan, &t, seed % 2 ? relay : NULL, &incident);
		assert_int_equal(t.copy_count, 2 + seed % 2);
		assert_false(is_storm);
		assert_int_equal(inquest_count(&incident, PARTY_GUILTY), 0);
		topology_free(&t);
	}
}

static void case_28_in_a_storm_the_forwarder_is_a_forwarder_and_the_five_are_named(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct topology t;
		struct topology_plan plan = dublin(seed, 200);
		plan.forwarders = 1;
		for (unsigned i = 0; i < 5; i++)
			plan.firm[i].is_stripping = seed % 3 == 0 || (seed % 3 == 1 && i % 2);
		assert_true(ask(&plan, &t, relay, &incident));
		expect_named(&t, &incident, 0x1f);
		expect_role(&incident, t.post.hosts[t.forwarder[0]].ip, PARTY_FORWARDER);
		const struct trace_host *host = inquest_host(&incident, t.post.hosts[t.forwarder[0]].name);
		assert_non_null(host);
		assert_int_equal(host->role, TRACE_FORWARDER);
		topology_free(&t);
	}
}

static void expect_never_named(const struct topology *t, const char *name)
{
	for (unsigned i = 0; i < incident.incident.party_count; i++) {
		const struct party *p = &incident.incident.parties[i];
		if (p->role != PARTY_GUILTY && p->role != PARTY_SUSPECT)
			continue;
		if (strcmp(p->host, name) == 0 || strcmp(p->domain, name) == 0)
			fail_msg("seed %llu: %s is named", (unsigned long long)t->plan.seed, name);
	}
}

static void case_29_forged_bottom_hops_name_no_innocent_host(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct topology t;
		struct topology_plan plan = dublin(seed, 120);
		for (unsigned i = 0; i < 5; i++)
			plan.firm[i] = (struct firm_plan){ .is_forging = true, .is_stripping = seed % 2,
							   .has_marks = i % 2 };
		assert_true(ask(&plan, &t, relay, &incident));
		expect_named(&t, &incident, 0x1f);
		for (unsigned i = 0; i < TOPOLOGY_INNOCENTS; i++) {
			expect_never_named(&t, t.post.hosts[t.innocent[i]].name);
			assert_null(inquest_party(&incident, t.post.hosts[t.innocent[i]].ip));
		}
		topology_free(&t);
	}
}

/* The name that it hides behind stands among the claims, and nowhere else. */
static void expect_claim_only(const struct topology *t, unsigned firm)
{
	const char *framed = t->post.hosts[t->firm[firm].framed].name;
	const struct party *p = inquest_party(&incident, firm_ip(t, firm));
	assert_non_null(p);
	assert_null(strstr(p->host, framed));
	assert_string_not_equal(p->domain, framed + strlen("mail."));
	if (!inquest_has_claim(p, framed)) {
		inquest_print(&incident);
		fail_msg("seed %llu: no claim of %s tells of the name %s", (unsigned long long)t->plan.seed,
			 p->host, framed);
	}
}

static void case_30_who_hides_behind_a_members_name_is_named_by_address(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct topology t;
		struct topology_plan plan = dublin(seed, 120);
		for (unsigned i = 0; i < 5; i++)
			plan.firm[i] = (struct firm_plan){ .is_framing = i < 2, .is_stripping = seed % 2,
							   .has_marks = seed % 3 == 0 };
		assert_true(ask(&plan, &t, relay, &incident));
		expect_named(&t, &incident, 0x1f);
		expect_never_named(&t, t.post.hosts[t.innocent[0]].name);
		expect_claim_only(&t, 0);
		expect_claim_only(&t, 1);
		topology_free(&t);
	}
}

/* Names nobody and lets the relay be the entry; counts when it does not. */
static unsigned washed_seed(uint64_t seed, bool is_relay_known)
{
	struct topology t;
	struct topology_plan plan = dublin(seed, 60);
	bool is_stripping = seed % 3 == 0;
	plan.washing = seed % 2 ? WASH_ALL : WASH_BELOW;
	/* Without a mark and with nothing below the relay, STRIP is a repetition. */
	for (unsigned i = 0; i < 5; i++)
		plan.firm[i] = (struct firm_plan){ .is_stripping = is_stripping, .has_marks = is_stripping };
	ask(&plan, &t, is_relay_known ? relay : NULL, &incident);
	const struct party *p = inquest_party(&incident, t.post.hosts[t.isp_out].ip);
	bool is_right = inquest_count(&incident, PARTY_GUILTY) == 0 && p && p->role == PARTY_ENTRY;
	if (!is_right) {
		printf("# seed %llu, %s, relay %s, %s:\n", (unsigned long long)seed, is_stripping ? "STRIP" : "KEEP",
		       is_relay_known ? "known" : "unknown",
		       plan.washing == WASH_ALL ? "no line left" : "its own line left");
		inquest_print(&incident);
	}
	topology_free(&t);
	return !is_right;
}

static void case_31_a_relay_that_removes_inner_hops_is_the_entry_and_nobody_is_named(void **state)
{
	(void)state;
	unsigned wrong = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		wrong += washed_seed(seed, false) + washed_seed(seed, true);
	assert_int_equal(wrong, 0);
}

static void case_32_wrong_clocks_and_missing_zones_change_no_name(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct topology right, wrong;
		struct topology_plan plan = dublin(seed, 80);
		for (unsigned i = 0; i < 5; i++)
			plan.firm[i] = (struct firm_plan){ .is_stripping = MIX_STRIP >> i & 1,
							   .is_hopless = MIX_HOPLESS >> i & 1, .has_marks = i % 2 };
		plan.are_zones_missing = true;
		ask(&plan, &wrong, relay, &incident);
		plan.are_zones_missing = false;
		plan.are_clocks_right = true;
		ask(&plan, &right, relay, &other);
		unsigned named = named_firms(&right, &other);
		assert_true(named != 0);
		expect_named(&wrong, &incident, named);
		expect_named(&right, &other, named);
		topology_free(&right);
		topology_free(&wrong);
	}
}

/* Of the worlds with the paper's modes the first in which each firm can be judged. */
static uint64_t worked_example(struct topology *t)
{
	for (uint64_t seed = 1;; seed++) {
		struct topology_plan plan = dublin(seed, 60);
		unsigned seen[5] = { 0 }, ready = 0;
		for (unsigned i = 0; i < 5; i++)
			plan.firm[i] = (struct firm_plan){ .is_stripping = MIX_STRIP >> i & 1,
							   .is_hopless = MIX_HOPLESS >> i & 1 };
		ask(&plan, t, relay, &incident);
		for (unsigned i = 0; i < t->copy_count; i++)
			if (t->copies[i].emitter != POST_NONE)
				ready += ++seen[t->copies[i].emitter] == 3;
		if (ready == 5)
			return seed;
		topology_free(t);
	}
}

static void the_worked_example_of_the_paper_names_five(void **state)
{
	(void)state;
	struct topology t;
	uint64_t seed = worked_example(&t);
	printf("# the worked example is seed %llu\n", (unsigned long long)seed);
	inquest_print(&incident);
	expect_named(&t, &incident, 0x1f);
	expect_role(&incident, t.post.hosts[t.isp_out].ip, PARTY_ENTRY);
	for (unsigned i = 0; i < 5; i++) {
		const struct party *p = inquest_party(&incident, firm_ip(&t, i));
		const struct trace_party *more = &incident.parties[p - incident.incident.parties];
		int64_t true_ms = t.post.hosts[t.firm[i].host].clock_ms;
		/* At least so much ahead: a bound from below, seconds are cut. */
		assert_true(!more->has_clock || more->clock_ms <= true_ms + 1000);
		assert_true(p->blame >= 2 && p->confidence >= .90);
	}
	topology_free(&t);
}

static void a_keeping_firms_period_and_clock_are_found_from_its_own_stamps(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct topology t;
		struct topology_plan plan = { .seed = seed, .firms = 1, .ours = 1, .others = 8, .copies = 30,
					      .is_self_fed = true };
		assert_true(ask(&plan, &t, relay, &incident));
		const struct party *p = inquest_party(&incident, firm_ip(&t, 0));
		assert_non_null(p);
		assert_int_equal(p->role, PARTY_GUILTY);
		const struct trace_party *more = &incident.parties[p - incident.incident.parties];
		int64_t true_ms = t.post.hosts[t.firm[0].host].clock_ms;
		assert_in_range(p->period_ms, 14 * POST_MINUTE_MS, 16 * POST_MINUTE_MS);
		assert_true(more->has_clock);
		assert_in_range(true_ms + 1000 - more->clock_ms, 0, 3 * POST_MINUTE_MS);
		topology_free(&t);
	}
}

static void storms_have_the_same_id_whatever_the_door_and_the_mode(void **state)
{
	(void)state;
	struct topology t;
	char wanted[INCIDENT_ID_BYTES];
	for (unsigned i = 0; i < 2; i++) {
		struct topology_plan plan = dublin(3 + i, 40);
		for (unsigned k = 0; k < 5; k++)
			plan.firm[k].is_stripping = i;
		assert_true(ask(&plan, &t, relay, i ? &other : &incident));
		topology_free(&t);
	}
	incident_id(STORM_DUPLICATE, incident.incident.content_public, wanted);
	assert_string_equal(incident.incident.id, wanted);
	assert_string_equal(other.incident.id, wanted);
	assert_int_equal(incident.incident.cls, STORM_DUPLICATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_27_a_forwarders_second_copy_of_each_mail_is_never_an_incident),
		cmocka_unit_test(case_28_in_a_storm_the_forwarder_is_a_forwarder_and_the_five_are_named),
		cmocka_unit_test(case_29_forged_bottom_hops_name_no_innocent_host),
		cmocka_unit_test(case_30_who_hides_behind_a_members_name_is_named_by_address),
		cmocka_unit_test(case_31_a_relay_that_removes_inner_hops_is_the_entry_and_nobody_is_named),
		cmocka_unit_test(case_32_wrong_clocks_and_missing_zones_change_no_name),
		cmocka_unit_test(the_worked_example_of_the_paper_names_five),
		cmocka_unit_test(a_keeping_firms_period_and_clock_are_found_from_its_own_stamps),
		cmocka_unit_test(storms_have_the_same_id_whatever_the_door_and_the_mode),
	};
	return cmocka_run_group_tests_name("traces cases", tests, NULL, NULL);
}
