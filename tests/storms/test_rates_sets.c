/* SPDX-License-Identifier: Apache-2.0
 *
 * Real mail of the DEV sets, its authors, recipients and times through the rate tables:
 * ordinary traffic, bursts of patches, machine notifications up to 92 an hour and an
 * alert stream of 512 in a month. A server may raise at most one alarm a week.
 */
#include "scenario.h"

#include "base/mem.h"
#include "mail/mbox.h"
#include "storm/rates.h"

#include <ftw.h>
#include <stdlib.h>

enum { MAILS_MAX = 20000, WEEK_S = 7 * 86400, ADDRESS_BYTES = 128, RCPTS_MAX = 8 };

struct mail {
	int64_t time_ms;
	char from[ADDRESS_BYTES], rcpts[RCPTS_MAX][ADDRESS_BYTES];
	size_t rcpt_count;
};

static struct mail *mails;
static size_t mail_count;
static struct arena arena;

static void on_bytes(void *ctx, struct slice bytes)
{
	facts_raw(ctx, bytes);
}

static void keep_address(char out[ADDRESS_BYTES], struct address a)
{
	snprintf(out, ADDRESS_BYTES, "%.*s@%.*s", SLICE_ARG(a.local), SLICE_ARG(a.domain));
}

static void keep_mail(const struct facts *f)
{
	assert_true(mail_count < MAILS_MAX);
	struct mail *m = &mails[mail_count++];
	m->time_ms = f->time_ms;
	keep_address(m->from, f->from);
	m->rcpt_count = f->audience_count < RCPTS_MAX ? f->audience_count : RCPTS_MAX;
	for (size_t i = 0; i < m->rcpt_count; i++)
		keep_address(m->rcpts[i], f->audience[i]);
}

static void take_mail(struct slice text, bool is_quoted)
{
	static const uint8_t site_key[HASH_KEY_BYTES] = "set key";
	static const struct facts_setup setup = { .site_key = site_key };
	struct facts_builder *b = facts_begin(&arena, &setup);
	struct mbox_unquote u = { 0 };
	if (is_quoted) {
		mbox_unquote_feed(&u, text, on_bytes, b);
		mbox_unquote_end(&u, on_bytes, b);
	} else {
		facts_raw(b, text);
	}
	keep_mail(facts_end(b, NULL, 0));
	arena_reset(&arena);
}

static void take_mbox(struct slice file)
{
	struct mbox_text t = { file, true, true };
	struct mbox_cut cut, next;
	size_t pos = 0;
	for (bool has = mbox_find(&t, &pos, &cut); has; cut = next) {
		has = mbox_find(&t, &pos, &next);
		take_mail(slice_between(file, cut.next, next.mail_end), true);
	}
}

static int take_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	struct slice name = slice_from_str(path);
	if (type != FTW_F || slice_ends_nocase(name, SLICE(".md")) || slice_ends_nocase(name, SLICE(".json")))
		return 0;
	struct slice file = scene_file(path, "");
	if (slice_ends_nocase(name, SLICE(".mbox")))
		take_mbox(file);
	else if (file.ptr)
		take_mail(file, false);
	mem_free((void *)(uintptr_t)file.ptr);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct mail *x = a, *y = b;
	return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

struct told {
	unsigned begun, over;
	bool is_loud;
};

static void on_alarm(void *ctx, const struct rate_alarm *alarm)
{
	struct told *t = ctx;
	t->begun += !alarm->is_over;
	t->over += alarm->is_over;
	if (t->is_loud)
		print_message("# %s: %s\n", rate_kind_name(alarm->kind), alarm->why);
}

static void note_mail(struct rates *r, const char *set, const struct mail *m)
{
	struct slice from = slice_from_str(m->from);
	rates_note(r, RATE_SENDER, from, 1, m->time_ms);
	rates_note(r, RATE_CLIENT, slice_from(from, slice_find_byte(from, 0, '@')), 1, m->time_ms);
	rates_note(r, RATE_SOURCE, slice_from_str(set), 1, m->time_ms);
	for (size_t i = 0; i < m->rcpt_count; i++) {
		struct slice rcpt = slice_from_str(m->rcpts[i]);
		rates_note(r, RATE_RCPT, rcpt, 1, m->time_ms);
		rates_note(r, RATE_DESTINATION, slice_from(rcpt, slice_find_byte(rcpt, 0, '@')), 1, m->time_ms);
	}
}

static void play(const char *set)
{
	static const uint8_t key[HASH_KEY_BYTES] = { 7 };
	struct rates *r = rates_new(4 << 20, key);
	struct told told = { .is_loud = getenv("QUELL_LOUD") != NULL };
	assert_non_null(r);
	for (size_t i = 0; i < mail_count; i++) {
		note_mail(r, set, &mails[i]);
		rates_tick(r, mails[i].time_ms, on_alarm, &told);
	}
	int64_t weeks = (mails[mail_count - 1].time_ms - mails[0].time_ms) / 1000 / WEEK_S + 1;
	print_message("# %s: %zu mails in %d weeks, %u alarms\n", set, mail_count, (int)weeks, told.begun);
	if (told.begun > weeks)
		fail_msg("%s: %u alarms in %d weeks", set, told.begun, (int)weeks);
	rates_free(r);
}

/* Dates that nobody can mean would stretch the weeks. */
static void cut_times(void)
{
	size_t kept = 0;
	for (size_t i = 0; i < mail_count; i++)
		if (mails[i].time_ms > INT64_C(852076800000) && mails[i].time_ms < INT64_C(1767225600000))
			mails[kept++] = mails[i];
	mail_count = kept;
	qsort(mails, mail_count, sizeof mails[0], by_time);
}

static void ordinary_mail_raises_at_most_one_alarm_a_week(void **state)
{
	(void)state;
	static const char *const sets[] = {
		"cip-notifications-2019-dev",
		"linux-mips-2010-dev",
		"openbmc-2020h1-dev",
		"enron-ordinary-dev",
		"enron-storms-dev/hourahead-alert-stream.mbox",
		"enron-storms-dev/mailbox-size-warnings.mbox",
	};
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", scene_sets(), sets[i]);
		mail_count = 0;
		nftw(path, take_file, 16, FTW_PHYS);
		cut_times();
		assert_true(mail_count > 100);
		play(sets[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_mail_raises_at_most_one_alarm_a_week),
	};
	if (!scene_sets()) {
		fputs("storms rates_sets: skipped, no unpacked mail sets (run ../shared/data/unpack)\n", stderr);
		return SCENE_DATA_ABSENT;
	}
	if (!hash_start())
		return 1;
	mails = mem_must_alloc(MAILS_MAX * sizeof *mails);
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	int failed = cmocka_run_group_tests_name("storms rates sets", tests, NULL, NULL);
	arena_free(&arena);
	mem_free(mails);
	return failed;
}
