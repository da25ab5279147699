/* SPDX-License-Identifier: Apache-2.0
 *
 * Real mail of the DEV sets, as quell trace and quell replay read it, from the files: in
 * ordinary mail nobody is guilty, nothing goes round and nothing would have been held;
 * the known loops are loops, with the hosts named.
 */
#include "../storms/scenario.h"

#include "door/mailbox.h"
#include "flow/replay.h"
#include "flow/survey.h"

struct box {
	struct mailbox *mailbox;
	struct source source;
};

static void on_trouble(void *ctx, const char *line)
{
	(void)ctx;
	(void)line; /* LICENSE files and the like are no mail */
}

static void open_set(struct box *box, const char *set)
{
	char path[4096], *paths[1] = { path };
	struct error error = { .status = EXIT_FINE };
	snprintf(path, sizeof path, "%s/%s", scene_sets(), set);
	box->mailbox = mailbox_open(paths, 1, 2, on_trouble, NULL, &error);
	if (!box->mailbox)
		fail_msg("%s: %s", set, error.text);
	mailbox_source(box->mailbox, &box->source);
}

static struct survey *survey_of(const char *set)
{
	struct box box;
	struct error error = { .status = EXIT_FINE };
	open_set(&box, set);
	const struct survey_setup setup = { .source = &box.source };
	struct survey *survey = survey_run(&setup, &error);
	mailbox_close(box.mailbox);
	if (!survey)
		fail_msg("%s: %s", set, error.text);
	return survey;
}

static const char *const ordinary[] = {
	"spamassassin-dev", "linux-mips-2010-dev", "openbmc-2020h1-dev", "cip-notifications-2019-dev",
	"enron-ordinary-dev", "enron-storms-dev", "negatives-received-dev",
};
enum { ORDINARY = sizeof ordinary / sizeof ordinary[0] };

static void in_ordinary_mail_nobody_is_guilty_and_nothing_goes_round(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDINARY; i++) {
		struct survey *survey = survey_of(ordinary[i]);
		assert_true(survey->messages > 0);
		print_message("# %s: %llu mails, %llu read again, %llu ordinary copies, %zu incidents\n", ordinary[i],
			      (unsigned long long)survey->messages, (unsigned long long)survey->read_again,
			      (unsigned long long)survey->ordinary_copies, survey->incident_count);
		for (size_t k = 0; k < survey->incident_count; k++) {
			const struct incident *inc = &survey->incidents[k]->incident;
			if (inc->cls == STORM_LOOP || inc->party_count > 0)
				fail_msg("%s: %s %s, \"%s\": %s", ordinary[i], storm_class_name(inc->cls), inc->id,
					 inc->subject, inc->opener);
		}
		survey_free(survey);
	}
}

static void of_ordinary_mail_nothing_would_have_been_withheld(void **state)
{
	(void)state;
	for (size_t i = 0; i < ORDINARY; i++) {
		for (int has_confirmation = 0; has_confirmation < 2; has_confirmation++) {
			struct box box;
			struct replay_counts counts;
			struct error error = { .status = EXIT_FINE };
			open_set(&box, ordinary[i]);
			struct replay_setup setup = { .source = &box.source, .is_guard = true,
						      .has_confirmation = has_confirmation };
			storm_policy_default(&setup.policy);
			setup.policy.memory_bytes = 32 << 20;
			assert_true(replay_run(&setup, &counts, &error));
			mailbox_close(box.mailbox);
			print_message("# %s: %llu mails, %llu tagged\n", ordinary[i],
				      (unsigned long long)counts.messages, (unsigned long long)counts.tagged);
			assert_true(counts.messages > 0);
			assert_int_equal(counts.held + counts.suppressed + counts.deferred, 0);
			assert_int_equal(counts.lost, 0);
		}
	}
}

static bool names(const struct survey *survey, const char *host)
{
	for (size_t k = 0; k < survey->incident_count; k++) {
		const struct incident *inc = &survey->incidents[k]->incident;
		for (unsigned i = 0; inc->cls == STORM_LOOP && i < inc->party_count; i++)
			if (strcmp(inc->parties[i].host, host) == 0)
				return true;
	}
	return false;
}

static void the_known_loops_are_loops_and_their_hosts_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *file, *hosts[3];
	} loops[] = {
		{ "sendmail-3hosts-8cycles.eml", { "mx3.example.co.jp", "mail.example.co.jp" } },
		{ "bounce-lhost-x6-01.eml", { "192.0.2.223", "ps-x6.example.com" } },
		{ "bounce-lhost-domino-03.eml", { "neko22.example.org" } },
	};
	for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
		char set[256];
		snprintf(set, sizeof set, "loops-dev/%s", loops[i].file);
		struct survey *survey = survey_of(set);
		assert_int_equal(survey->incident_count, 1);
		assert_int_equal(survey->incidents[0]->incident.cls, STORM_LOOP);
		for (size_t k = 0; k < 3 && loops[i].hosts[k]; k++)
			if (!names(survey, loops[i].hosts[k]))
				fail_msg("%s: %s is not named", loops[i].file, loops[i].hosts[k]);
		survey_free(survey);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_ordinary_mail_nobody_is_guilty_and_nothing_goes_round),
		cmocka_unit_test(of_ordinary_mail_nothing_would_have_been_withheld),
		cmocka_unit_test(the_known_loops_are_loops_and_their_hosts_are_named),
	};
	if (!scene_sets()) {
		fputs("traces dev_mail: skipped, no unpacked mail sets (run ../shared/data/unpack)\n", stderr);
		return SCENE_DATA_ABSENT;
	}
	return hash_start() ? cmocka_run_group_tests_name("traces dev mail", tests, NULL, NULL) : 1;
}
