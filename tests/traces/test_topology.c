/* SPDX-License-Identifier: Apache-2.0
 *
 * The test world tested by itself: its mails parse, its chains are as intended, its
 * truth is consistent, and one seed gives the same bytes each time. Without this a
 * tracer could be right about a world that is wrong.
 */
#include "inquest.h"
#include "topology.h"

#include "mail/received.h"

static const char *const ours[INQUEST_OURS_MAX] = { "mx.ours.example" };

static struct topology_plan plain(uint64_t seed)
{
	return (struct topology_plan){ .seed = seed, .firms = 5, .ours = 1, .others = 20,
				       .copies = 60, .is_self_fed = true };
}

static void all_text(const struct topology_plan *plan, struct buf *all)
{
	struct topology t;
	struct buf text;
	buf_init(&text, POST_TEXT_BYTES_MAX);
	assert_true(topology_run(&t, plan));
	for (unsigned i = 0; i < t.copy_count; i++) {
		assert_true(post_text(&t.post, &t.copies[i].parcel, t.copies[i].recipient, &text));
		buf_add(all, buf_slice(&text));
	}
	assert_false(all->is_over);
	topology_free(&t);
	buf_free(&text);
}

static void the_same_seed_gives_the_same_bytes_and_another_does_not(void **state)
{
	(void)state;
	struct buf all[3];
	for (unsigned i = 0; i < 3; i++) {
		struct topology_plan plan = plain(i < 2 ? 7 : 8);
		buf_init(&all[i], 16 * 1024 * 1024);
		all_text(&plan, &all[i]);
	}
	assert_true(slice_equal(buf_slice(&all[0]), buf_slice(&all[1])));
	assert_false(slice_equal(buf_slice(&all[0]), buf_slice(&all[2])));
	for (unsigned i = 0; i < 3; i++)
		buf_free(&all[i]);
}

static void run(struct topology *t, struct inquest *q, const struct topology_plan *plan)
{
	assert_true(topology_run(t, plan));
	inquest_begin(q, ours);
	inquest_read(q, &t->post, t->copies, t->copy_count);
	assert_int_equal(q->count, t->copy_count);
}

static void end(struct topology *t, struct inquest *q)
{
	inquest_end(q);
	topology_free(t);
}

/* The kinds of mails of every mode have one content, all lines read, times rise. */
static void look_over(const struct topology *t, const struct inquest *q)
{
	for (unsigned i = 0; i < q->count; i++) {
		const struct facts *f = q->facts[i];
		assert_true(f->is_content_whole);
		assert_memory_equal(f->content, q->facts[0]->content, sizeof f->content);
		assert_int_equal(f->hop_count, post_depth(&t->post, &t->copies[i].parcel));
		assert_int_equal(f->peer_hop, 0);
		assert_slice(f->hops[0].by, "mx.ours.example");
		assert_false(ip_is_unknown(f->peer_ip));
		assert_true(i == 0 || t->copies[i].time_ms >= t->copies[i - 1].time_ms);
	}
}

static struct topology_plan random_plan(uint64_t seed)
{
	struct topology_plan plan = plain(seed);
	for (unsigned i = 0; i < 8; i++)
		plan.firm[i] = (struct firm_plan){ .is_stripping = (seed >> i) & 1, .has_marks = i & 1,
						   .is_forging = i == seed % 8, .is_hopless = i == seed % 5,
						   .is_framing = i == seed % 7, .is_direct = i == seed % 6 };
	plan.firms = 1 + (unsigned)(seed % 8);
	plan.ours = 1 + (unsigned)(seed % 3);
	plan.forwarders = seed % 4 == 0;
	plan.to = seed % 5 == 0 ? POST_TO_HIDDEN : POST_TO_ALL;
	plan.are_zones_missing = seed % 2;
	return plan;
}

static void every_mail_is_read_whole_and_they_have_one_content(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct topology t;
		struct inquest q;
		struct topology_plan plan = random_plan(seed);
		run(&t, &q, &plan);
		look_over(&t, &q);
		end(&t, &q);
	}
}

static const struct hop *bottom(const struct facts *f)
{
	return &f->hops[f->hop_count - 1];
}

static void keeping_firms_keep_the_chain_and_id_and_add_a_pickup_line(void **state)
{
	(void)state;
	struct topology t;
	struct inquest q;
	struct topology_plan plan = plain(3);
	run(&t, &q, &plan);
	for (unsigned i = 0; i < q.count; i++) {
		const struct facts *f = q.facts[i];
		assert_slice(bottom(f)->by, "mail.publisher.example");
		assert_true(slice_equal(f->message_id, q.facts[0]->message_id));
		if (t.copies[i].emitter == POST_NONE)
			continue;
		assert_int_equal(f->hops[2].kind, HOP_PICKUP);
		assert_slice(f->hops[1].by, "isp-out.isp.example");
		assert_slice(f->hops[2].by, t.post.hosts[t.firm[t.copies[i].emitter].host].name);
	}
	assert_int_equal(q.facts[0]->hop_count, 3);
	end(&t, &q);
}

static void stripping_firms_leave_their_pickup_line_a_new_id_and_marks(void **state)
{
	(void)state;
	struct topology t;
	struct inquest q;
	struct topology_plan plan = plain(4);
	for (unsigned i = 0; i < 5; i++)
		plan.firm[i] = (struct firm_plan){ .is_stripping = true, .has_marks = true };
	run(&t, &q, &plan);
	for (unsigned i = 0; i < q.count; i++) {
		const struct facts *f = q.facts[i];
		if (t.copies[i].emitter == POST_NONE)
			continue;
		assert_int_equal(f->hop_count, 3);
		assert_int_equal(bottom(f)->kind, HOP_PICKUP);
		assert_false(slice_equal(f->message_id, q.facts[0]->message_id));
		assert_true(f->ms_id.is_present);
		assert_in_range(f->original_arrival_ms - f->ms_id.minted_ms, 0, 1000);
		assert_true(f->reinject_marks & REINJECT_POP3_PREFIX);
		assert_true(f->reinject_marks & REINJECT_PICKUP_FOREIGN);
	}
	end(&t, &q);
}

static void forged_and_framed_names_stand_where_they_should(void **state)
{
	(void)state;
	struct topology t;
	struct inquest q;
	struct topology_plan plan = plain(5);
	for (unsigned i = 0; i < 5; i++)
		plan.firm[i] = (struct firm_plan){ .is_forging = i < 3, .is_framing = i >= 3 };
	run(&t, &q, &plan);
	unsigned forged = 0, framed = 0;
	for (unsigned i = 1; i < q.count; i++) {
		const struct facts *f = q.facts[i];
		const struct post_copy *c = &t.copies[i];
		if (c->emitter == POST_NONE)
			continue;
		bool is_forging = plan.firm[c->emitter].is_forging;
		if (is_forging)
			assert_slice(bottom(f)->by, t.post.hosts[t.innocent[1]].name);
		else
			assert_slice(f->hops[2].by, t.post.hosts[t.innocent[0]].name);
		forged += is_forging;
		framed += !is_forging;
	}
	assert_true(forged > 0 && framed > 0);
	end(&t, &q);
}

static void the_truth_is_consistent(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct topology t;
		struct topology_plan plan = random_plan(seed);
		assert_true(topology_run(&t, &plan));
		unsigned visible = topology_visible(&t, t.copy_count);
		assert_int_equal(topology_visible(&t, 0), 0);
		assert_true(visible < 1u << plan.firms);
		for (unsigned f = 0; f < plan.firms; f++) {
			const struct post_host *host = &t.post.hosts[t.firm[f].host];
			assert_int_equal(topology_firm_at(&t, host->ip), f);
			assert_false(topology_is_innocent_name(&t, host->name));
			assert_true(!(visible >> f & 1) || t.firm[f].emissions > 0);
			assert_true(topology_is_innocent_name(&t, t.post.hosts[t.firm[f].framed].name));
		}
		assert_int_equal(topology_firm_at(&t, t.post.hosts[t.isp_out].ip), POST_NONE);
		topology_free(&t);
	}
}

static void clocks_change_the_lines_and_not_the_story(void **state)
{
	(void)state;
	struct topology t[2];
	struct topology_plan plan = plain(11);
	for (unsigned i = 0; i < 2; i++) {
		plan.are_clocks_right = i;
		assert_true(topology_run(&t[i], &plan));
	}
	assert_int_equal(t[0].copy_count, t[1].copy_count);
	bool is_any_wrong = false;
	for (unsigned i = 0; i < t[0].copy_count; i++) {
		assert_true(t[0].copies[i].time_ms == t[1].copies[i].time_ms);
		assert_int_equal(t[0].copies[i].emitter, t[1].copies[i].emitter);
	}
	for (int i = 0; i < t[0].post.host_count; i++) {
		is_any_wrong |= t[0].post.hosts[i].clock_ms != 0;
		assert_int_equal(t[1].post.hosts[i].clock_ms, 0);
		assert_in_range(t[0].post.hosts[i].clock_ms + 10 * POST_MINUTE_MS, 0, 20 * POST_MINUTE_MS);
	}
	assert_true(is_any_wrong);
	topology_free(&t[0]);
	topology_free(&t[1]);
}

static void the_isp_sees_one_wave_of_five_times_all_members(void **state)
{
	(void)state;
	struct topology t;
	struct topology_plan plan = plain(2);
	plan.is_isp = plan.is_one_wave = true;
	plan.copies = 1000;
	for (unsigned i = 0; i < 5; i++)
		plan.firm[i].is_direct = true;
	assert_true(topology_run(&t, &plan));
	assert_int_equal(t.copy_count, 26 * 6);
	assert_int_equal(topology_visible(&t, t.copy_count), 0x1f);
	topology_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_bytes_and_another_does_not),
		cmocka_unit_test(every_mail_is_read_whole_and_they_have_one_content),
		cmocka_unit_test(keeping_firms_keep_the_chain_and_id_and_add_a_pickup_line),
		cmocka_unit_test(stripping_firms_leave_their_pickup_line_a_new_id_and_marks),
		cmocka_unit_test(forged_and_framed_names_stand_where_they_should),
		cmocka_unit_test(the_truth_is_consistent),
		cmocka_unit_test(clocks_change_the_lines_and_not_the_story),
		cmocka_unit_test(the_isp_sees_one_wave_of_five_times_all_members),
	};
	return cmocka_run_group_tests_name("traces topology", tests, NULL, NULL);
}
