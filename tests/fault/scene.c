/* SPDX-License-Identifier: Apache-2.0
 *
 * scene: see scene.h.
 */
#include "../unit/unit.h"

#include "scene.h"

#include <stdlib.h>

enum { BIG_BYTES = 90 * 1024 };

void scene_start(struct scene *scene)
{
	*scene = (struct scene){ 0 };
	rig_start(&scene->rig);
	scene->big = malloc(BIG_BYTES);
	hash_random(scene->big, BIG_BYTES);
	for (size_t i = 0; i < SCENE_MAILS; i++) {
		/* Two bodies that are shared, one that needs a file, one empty. */
		snprintf(scene->text[i], sizeof scene->text[i], "body %zu\r\n", i / 2);
		scene->mails[i] = (struct rig_mail){ .body = slice_from_str(scene->text[i]), .pair = (unsigned)i,
						     .rcpt_count = i == 1 ? 3 : 0 };
	}
	scene->mails[2].body = slice_make(scene->big, BIG_BYTES);
	scene->mails[3].body = SLICE("");
}

static bool scene_fill(void *ctx, bool (*emit)(void *emit_ctx, struct slice record), void *emit_ctx)
{
	(void)ctx;
	uint32_t number = SCENE_RECORDS;
	return emit(emit_ctx, slice_make(&number, sizeof number));
}

static void scene_small_things(struct scene *scene)
{
	struct store *store = scene->rig.store;
	const struct store_counter counter = { "n", 1 };
	store_decision(store, &(struct decision){ .time_ms = 1, .queue_id = SLICE("Q"), .deed = DEED_HOLD,
		       .tier = "T1", .rule = "pair", .reason = "why", .incident = "D" });
	store_note(store, "position", SLICE("12"));
	store_counters(store, &counter, 1, 1);
	for (uint32_t i = 0; i < SCENE_RECORDS; i++) {
		store_journal(store, slice_make(&i, sizeof i), i % 8 == 0);
		if (i % 4 == 0)
			store_flush(store, scene->rig.now_ms);
	}
}

bool scene_live(struct scene *scene)
{
	struct rig *rig = &scene->rig;
	if (!rig_try_open(rig)) {
		assert_true(rig->error.text[0]);
		return false;
	}
	store_replay(rig->store, NULL, NULL, NULL, NULL);
	scene_small_things(scene);
	for (size_t i = 0; i < SCENE_MAILS / 2; i++)
		rig_send(rig, &scene->mails[i], &scene->answers[i]);
	rig_wait(rig, scene->answers, SCENE_MAILS / 2);
	store_snapshot(rig->store, rig->now_ms, scene_fill, NULL);
	if (scene->answers[0].result == STORE_DONE)
		scene->is_marked[0] = store_hold_mark(rig->store, scene->answers[0].id, "r@example.net",
						      HOLD_RELEASED, 1);
	for (size_t i = SCENE_MAILS / 2; i < SCENE_MAILS; i++)
		rig_send(rig, &scene->mails[i], &scene->answers[i]);
	rig_close(rig);
	scene->done = 0;
	for (size_t i = 0; i < SCENE_MAILS; i++) {
		assert_true(scene->answers[i].is_answered);
		scene->done += scene->answers[i].result == STORE_DONE;
	}
	return true;
}

static bool scene_hear(void *ctx, struct slice record)
{
	int64_t *last = ctx;
	uint32_t number;
	assert_int_equal(record.len, sizeof number);
	memcpy(&number, record.ptr, sizeof number);
	/* The snapshot's one record comes first, then the journal in order. */
	assert_true(number == SCENE_RECORDS || (int64_t)number > *last);
	*last = number == SCENE_RECORDS ? -1 : (int64_t)number;
	return true;
}

struct row_check {
	struct scene *scene;
	size_t kept;
};

/* Every row that claims to be whole is the row of a mail that loads. */
static bool scene_check_row(void *ctx, const struct hold_row *row)
{
	struct row_check *check = ctx;
	struct buf out;
	struct error error = { 0 };
	if (row->state != HOLD_KEPT && row->state != HOLD_RELEASING)
		return true;
	buf_init(&out, 1 << 20);
	if (!store_hold_load(check->scene->rig.store, row->id, &out, &error))
		fail_msg("a kept row does not load: %s", error.text);
	buf_free(&out);
	check->kept++;
	return true;
}

static void scene_check_mails(struct scene *scene)
{
	for (size_t i = 0; i < SCENE_MAILS; i++) {
		const struct rig_answer *answer = &scene->answers[i];
		if (!answer->is_answered || answer->result != STORE_DONE)
			continue;
		/* A release that was not confirmed may or may not have happened. */
		if (i != 0 && !rig_loads(&scene->rig, answer->id, &scene->mails[i]))
			fail_msg("mail %zu was reported done and is not there: %s", i, scene->rig.error.text);
		if (i == 0 && !scene->is_marked[0] && rig_rows(&scene->rig, NULL, HOLD_RELEASED) == 0)
			assert_true(rig_loads(&scene->rig, answer->id, &scene->mails[i]));
	}
	if (scene->is_marked[0])
		assert_int_equal(rig_rows(&scene->rig, NULL, HOLD_RELEASED), 1);
}

void scene_check(struct scene *scene)
{
	struct rig *rig = &scene->rig;
	struct row_check check = { scene, 0 };
	struct error error = { 0 };
	int64_t last = -1;
	rig_open(rig);
	store_replay(rig->store, scene_hear, &last, NULL, NULL);
	scene_check_mails(scene);
	struct store_reader *reader = store_reader_open(rig->dir, &error);
	assert_non_null(reader);
	assert_true(store_read_holds(reader, NULL, -1, 0, scene_check_row, &check, &error));
	store_reader_close(reader);
	assert_int_equal(rig_files(rig, "hold/mails", "tmp."), 0);
	assert_int_equal(rig_files(rig, "hold/bodies", "tmp."), 0);
	assert_int_equal(rig_files(rig, "hold/damaged", ""), 0);
	/* No body without a mail. */
	size_t mails = rig_files(rig, "hold/mails", "H");
	assert_true(rig_files(rig, "hold/bodies", "") <= mails);
	/* And it goes on. */
	assert_int_equal(rig_hold(rig, &scene->mails[5], NULL), STORE_DONE);
	rig_close(rig);
}

void scene_end(struct scene *scene)
{
	free(scene->big);
	rig_end(&scene->rig);
}
