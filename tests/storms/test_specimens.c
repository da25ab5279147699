/* SPDX-License-Identifier: Apache-2.0
 *
 * Acceptance case 5: real mail that a faulty connector sent again in 2005, after
 * its original; and a person's answer to such a copy, which accuses nobody.
 */
#include "scenario.h"

#include "base/mem.h"

static const struct handing mailbox = { .is_mailbox = true, .rcpts = { "linux-mips@linux-mips.org" } };

static struct answer send_file(struct scene *s, const char *name)
{
	char folder[4096];
	snprintf(folder, sizeof folder, "%s/data/specimens", scene_shared());
	struct slice mail = scene_file(folder, name);
	assert_true(mail.len > 0);
	struct answer a = scene_send_text(s, name, mail.ptr, mail.len, &mailbox);
	mem_free((void *)(uintptr_t)mail.ptr);
	return a;
}

static const struct party *the_culprit(struct scene *s)
{
	scene_wait(s, 10 * 1000);
	const struct party *p = incident_party(scene_incident(s), "82.235.130.100");
	assert_non_null(p);
	assert_string_equal(p->domain, "lexbox.fr");
	assert_string_equal(p->product, "Microsoft Small Business Server 2003 POP3 connector");
	return p;
}

static bool has_claim(const struct party *p, const char *text)
{
	for (unsigned i = 0; i < p->claim_count; i++)
		if (strstr(p->claims[i], text))
			return true;
	return false;
}

static struct scene *play(const struct scene_options *options)
{
	struct scene *s = scene_new(options);
	struct answer a = send_file(s, "sbs-a-original.eml");
	expect_deed(&a, DEED_PASS, "original");
	assert_int_equal(scene_alerts(s), 0);
	scene_wait(s, 8 * MINUTE);
	a = send_file(s, "sbs-a-copy.eml");
	expect_tier(&a, TIER_T2, "copy");
	expect_deed(&a, DEED_TAG, "copy");
	return s;
}

static void case_5_the_copy_is_t2_and_its_maker_a_suspect(void **state)
{
	(void)state;
	struct scene *s = play(NULL);
	const struct party *p = the_culprit(s);
	assert_int_equal(p->role, PARTY_SUSPECT);
	assert_true(has_claim(p, "192.168.0.3"));
	assert_true(has_claim(p, "david.sanchez"));
	assert_true(has_claim(p, "lexbox.fr"));
	scene_end(s);
}

static void case_5_with_the_lists_host_believed_the_maker_is_named(void **state)
{
	(void)state;
	struct scene *s = play(&(struct scene_options){ .relay = "linux-mips.org" });
	assert_int_equal(the_culprit(s)->role, PARTY_GUILTY);
	scene_end(s);
	s = play(&(struct scene_options){ .our_host = "linux-mips.org" });
	assert_int_equal(the_culprit(s)->role, PARTY_GUILTY);
	scene_end(s);
}

static void case_5_the_copy_alone_is_told_of_and_passes(void **state)
{
	(void)state;
	struct scene *s = scene_new(&(struct scene_options){ .our_host = "linux-mips.org" });
	struct answer a = send_file(s, "sbs-a-copy.eml");
	expect_deed(&a, DEED_PASS, "a first copy");
	assert_string_equal(a.rule, "connector");
	assert_true(scene_alerts(s) > 0);
	the_culprit(s);
	scene_end(s);
}

static void case_5_a_persons_answer_to_a_copy_accuses_nobody(void **state)
{
	(void)state;
	static const char *const hosts[] = { NULL, "vger.kernel.org" };
	for (unsigned i = 0; i < 2; i++) {
		struct scene *s = scene_new(&(struct scene_options){ .our_host = hosts[i] });
		for (unsigned n = 0; n < 2; n++) {
			struct answer a = send_file(s, "sbs-human-reply.eml");
			if (a.deed > DEED_TAG)
				fail_msg("%s", a.reason);
			scene_wait(s, MINUTE);
		}
		assert_int_equal(scene_alerts(s), 0);
		scene_end(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_5_the_copy_is_t2_and_its_maker_a_suspect),
		cmocka_unit_test(case_5_with_the_lists_host_believed_the_maker_is_named),
		cmocka_unit_test(case_5_the_copy_alone_is_told_of_and_passes),
		cmocka_unit_test(case_5_a_persons_answer_to_a_copy_accuses_nobody),
	};
	if (!scene_shared()) {
		fputs("storms specimens: skipped, no ../shared (set QUELL_SHARED)\n", stderr);
		return SCENE_DATA_ABSENT;
	}
	return cmocka_run_group_tests_name("storms specimens", tests, NULL, NULL);
}
