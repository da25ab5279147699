/* SPDX-License-Identifier: Apache-2.0
 *
 * All real mail of the DEV sets, replayed as traffic to one mailbox a set: each
 * mail once, at its own time, confirmed and not. Nothing may be deferred, held or
 * suppressed. None of the incident windows that the index of the data lists is a
 * storm of surplus, so there is no exception. The parsers' fixtures are not
 * traffic: they hold one mail up to forty times with one Message-ID and Date,
 * signed in every way. Of those only such copies (T1) may be withheld.
 */
#include "scenario.h"

#include "base/mem.h"
#include "mail/mbox.h"

#include <ftw.h>
#include <stdlib.h>

enum { MAILS_MAX = 20000 };

struct mail {
	struct slice text;
	int64_t time_ms;
};

static struct mail mails[MAILS_MAX];
static size_t mail_count;

static void on_bytes(void *ctx, struct slice bytes)
{
	struct slice *mail = ctx;
	memcpy((char *)(uintptr_t)mail->ptr + mail->len, bytes.ptr, bytes.len);
	mail->len += bytes.len;
}

static void take_mail(struct slice quoted)
{
	struct mbox_unquote u = { 0 };
	struct slice mail = { mem_alloc(quoted.len), 0 };
	assert_non_null(mail.ptr);
	mbox_unquote_feed(&u, quoted, on_bytes, &mail);
	mbox_unquote_end(&u, on_bytes, &mail);
	assert_true(mail_count < MAILS_MAX);
	mails[mail_count++].text = mail;
}

static void take_mbox(struct slice file)
{
	struct mbox_text t = { file, true, true };
	struct mbox_cut cut, next;
	size_t pos = 0;
	for (bool has = mbox_find(&t, &pos, &cut); has; cut = next) {
		has = mbox_find(&t, &pos, &next);
		take_mail(slice_between(file, cut.next, next.mail_end));
	}
}

static int take_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	static const char *const other[] = { ".json", ".md", "LICENSE", "NOTICE", ".py", ".gitattributes" };
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		if (slice_ends_nocase(slice_from_str(path), slice_from_str(other[i])))
			return 0;
	if (type != FTW_F)
		return 0;
	struct slice file = scene_file(path, "");
	if (slice_ends_nocase(slice_from_str(path), SLICE(".mbox"))) {
		take_mbox(file);
		mem_free((void *)(uintptr_t)file.ptr);
	} else if (file.ptr) {
		assert_true(mail_count < MAILS_MAX);
		mails[mail_count++].text = file;
	}
	return 0;
}

static void load(const char *set)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", scene_sets(), set);
	mail_count = 0;
	nftw(path, take_file, 16, FTW_PHYS);
}

static void unload(void)
{
	for (size_t i = 0; i < mail_count; i++)
		mem_free((void *)(uintptr_t)mails[i].text.ptr);
}

static const uint8_t site_key[HASH_KEY_BYTES] = "set key";

static const struct facts *read_mail(struct arena *arena, struct slice text,
				     const struct envelope *envelope, int64_t time_ms)
{
	static const struct facts_setup setup = { .site_key = site_key };
	struct facts_builder *b = facts_begin(arena, &setup);
	facts_raw(b, text);
	return facts_end(b, envelope, time_ms);
}

static int by_time(const void *a, const void *b)
{
	const struct mail *x = a, *y = b;
	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->text.ptr < y->text.ptr ? -1 : x->text.ptr > y->text.ptr;
}

static void find_times(void)
{
	struct arena arena;
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < mail_count; i++) {
		mails[i].time_ms = read_mail(&arena, mails[i].text, NULL, 0)->time_ms;
		arena_reset(&arena);
	}
	arena_free(&arena);
}

static struct storm *make_storm(bool has_confirmation)
{
	struct storm_setup setup = { .is_guard = true, .has_confirmation = has_confirmation, .seed = 1 };
	struct error error;
	memcpy(setup.site_key, site_key, sizeof site_key);
	storm_policy_default(&setup.policy);
	setup.policy.memory_bytes = 32 * 1024 * 1024;
	struct storm *storm = storm_new(&setup, &error);
	assert_non_null(storm);
	return storm;
}

struct set {
	const char *name;
	bool is_fixture; /* no traffic: many copies of one mail */
	bool is_bounces; /* nothing but bounces to one address, with made-up times: a storm of them */
};

static unsigned play(const struct set *s, bool has_confirmation)
{
	const char *set = s->name;

	struct arena arena;
	struct storm *storm = make_storm(has_confirmation);
	char rcpt[128], queue_id[32];
	unsigned tagged = 0;
	int64_t ticked_ms = 0;
	snprintf(rcpt, sizeof rcpt, "%s@ours.example", set);
	struct slice rcpts[1] = { slice_from_str(rcpt) };
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < mail_count; i++) {
		struct verdict v;
		snprintf(queue_id, sizeof queue_id, "S%zu", i);
		/* A mailbox does not tell the envelope; it was not the null sender. */
		struct envelope e = { .mail_from = SLICE("sender@elsewhere.example"), .rcpts = rcpts,
				      .rcpt_count = 1, .queue_id = slice_from_str(queue_id) };
		const struct facts *f = read_mail(&arena, mails[i].text, &e, mails[i].time_ms);
		storm_judge(storm, f, mails[i].time_ms, &arena, &v);
		bool is_of_fixture = (s->is_fixture && v.tier == TIER_T1) ||
				     (s->is_bounces && strcmp(v.rule, "bounces") == 0);
		if (v.harshest > DEED_TAG && !is_of_fixture)
			fail_msg("%s, mail %zu (%.*s): %s, %s: %s", set, i, SLICE_ARG(f->message_id),
				 deed_name(v.harshest), v.rule, v.reason);
		tagged += v.harshest == DEED_TAG;
		storm_queued(storm, e.queue_id, mails[i].time_ms);
		if (mails[i].time_ms - ticked_ms > MINUTE) {
			ticked_ms = mails[i].time_ms;
			storm_tick(storm, ticked_ms);
		}
		arena_reset(&arena);
	}
	arena_free(&arena);
	storm_free(storm);
	return tagged;
}

static void no_real_mail_is_withheld(void **state)
{
	(void)state;
	static const struct set sets[] = {
		{ .name = "spamassassin-dev" }, { .name = "linux-mips-2010-dev" },
		{ .name = "openbmc-2020h1-dev" }, { .name = "cip-notifications-2019-dev" },
		{ .name = "enron-ordinary-dev" }, { .name = "enron-storms-dev" },
		{ .name = "loops-dev" }, { .name = "negatives-received-dev" },
		{ .name = "bounces-sisimai-dev", .is_bounces = true },
		{ .name = "bounces-flufl-dev", .is_bounces = true },
		{ .name = "parser-stalwart-dev", .is_fixture = true },
		{ .name = "parser-rubymail-dev", .is_fixture = true },
		{ .name = "parser-sa-testdata-dev", .is_fixture = true },
		{ .name = "parser-mime4j-dev", .is_fixture = true },
	};
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		load(sets[i].name);
		assert_true(mail_count > 0);
		find_times();
		unsigned as_filed = play(&sets[i], true);
		qsort(mails, mail_count, sizeof mails[0], by_time);
		unsigned confirmed = play(&sets[i], true), blind = play(&sets[i], false);
		print_message("# %s: %zu mails, tagged: %u as filed, %u in order, %u unconfirmed\n", sets[i].name,
			      mail_count, as_filed, confirmed, blind);
		unload();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_real_mail_is_withheld),
	};
	if (!scene_sets()) {
		fputs("storms dev_sets: skipped, no unpacked mail sets (run ../shared/data/unpack)\n", stderr);
		return SCENE_DATA_ABSENT;
	}
	return hash_start() ? cmocka_run_group_tests_name("storms dev sets", tests, NULL, NULL) : 1;
}
