/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "rig.h"

#include <stdlib.h>

static struct decision_row seen[200];
static size_t seen_count;

static bool see(void *ctx, const struct decision_row *row)
{
	(void)ctx;
	if (seen_count < sizeof seen / sizeof seen[0])
		seen[seen_count++] = *row;
	return true;
}

static size_t decisions(struct rig *rig, const char *id, size_t limit)
{
	struct store_reader *reader = store_reader_open(rig->dir, NULL);
	seen_count = 0;
	assert_non_null(reader);
	assert_true(store_read_decisions(reader, id, limit, see, NULL, NULL));
	store_reader_close(reader);
	return seen_count;
}

static void decide(struct rig *rig, const char *queue_id, const char *incident)
{
	store_decision(rig->store, &(struct decision){
		.time_ms = 5000, .queue_id = slice_from_str(queue_id), .mail_from = SLICE("a@x\x01"),
		.rcpt = SLICE("b@x"), .client = SLICE("c"), .message_id = SLICE("<m@x>"), .deed = DEED_HOLD,
		.tier = "T1", .rule = "pair", .reason = "because", .incident = incident });
}

static void a_decision_is_found_by_queue_id_number_hold_id_and_incident(void **state)
{
	(void)state;
	struct rig rig;
	char id[HOLD_ID_BYTES], number[32];
	rig_start(&rig);
	rig_open(&rig);
	decide(&rig, "Q1", "D1");
	decide(&rig, "Q2", "D1");
	decide(&rig, "Q3", "");
	rig_hold(&rig, &(struct rig_mail){ .queue_id = "Q2" }, id);
	assert_int_equal(decisions(&rig, "Q2", 0), 1);
	assert_string_equal(seen[0].mail_from, "a@x?");
	assert_string_equal(seen[0].deed, "hold");
	assert_string_equal(seen[0].reason, "because");
	assert_string_equal(seen[0].message_id, "<m@x>");
	assert_int_equal(seen[0].time_ms, 5000);
	snprintf(number, sizeof number, "%lld", (long long)seen[0].id);
	assert_int_equal(decisions(&rig, number, 0), 1);
	assert_string_equal(seen[0].queue_id, "Q2");
	assert_int_equal(decisions(&rig, id, 0), 1);
	assert_string_equal(seen[0].queue_id, "Q2");
	assert_int_equal(decisions(&rig, "D1", 0), 2);
	assert_string_equal(seen[0].queue_id, "Q2");
	assert_int_equal(decisions(&rig, "D1", 1), 1);
	assert_int_equal(decisions(&rig, "", 0), 0);
	assert_int_equal(decisions(&rig, "Q9", 0), 0);
	assert_int_equal(decisions(&rig, "1 OR 1", 0), 0);
	rig_end(&rig);
}

static void a_held_mail_explains_itself_when_its_decision_is_forgotten(void **state)
{
	(void)state;
	struct rig rig;
	char id[HOLD_ID_BYTES];
	rig_start(&rig);
	rig_open(&rig);
	rig_hold(&rig, &(struct rig_mail){ .queue_id = "QGONE", .reason = "told by itself" }, id);
	assert_int_equal(decisions(&rig, id, 0), 1);
	assert_string_equal(seen[0].reason, "told by itself");
	assert_string_equal(seen[0].rcpt, "r@example.net");
	rig_end(&rig);
}

static void only_the_newest_decisions_are_kept(void **state)
{
	(void)state;
	struct rig rig;
	rig_start(&rig);
	rig.limits.decisions_max = 100;
	rig_open(&rig);
	for (int i = 0; i < 1024; i++)
		decide(&rig, "Q", "D");
	rig_close(&rig);
	size_t count = decisions(&rig, "Q", 0);
	assert_int_equal(count, 100);
	assert_int_equal(seen[0].id, 1024);
	rig_end(&rig);
}

struct counted {
	size_t count;
	uint64_t last;
	char first[32];
};

static bool count_one(void *ctx, const char *name, uint64_t value)
{
	struct counted *c = ctx;
	if (c->count++ == 0)
		snprintf(c->first, sizeof c->first, "%s", name);
	c->last = value;
	return true;
}

static void counters_replace_the_last_ones_and_notes_are_read_back(void **state)
{
	(void)state;
	struct rig rig;
	struct counted counted = { 0 };
	struct buf note;
	struct error error = { 0 };
	const struct store_counter one[] = { { "old", 1 }, { "b", 2 } };
	const struct store_counter two[] = { { "b", UINT64_MAX }, { "a", 256 } };
	rig_start(&rig);
	rig_open(&rig);
	store_counters(rig.store, one, 2, 1);
	store_counters(rig.store, two, 2, 2);
	store_note(rig.store, "position", SLICE("old"));
	store_note(rig.store, "position", slice_make("file\0" "12345", 10));
	rig_close(&rig);
	struct store_reader *reader = store_reader_open(rig.dir, NULL);
	assert_true(store_read_counters(reader, count_one, &counted, NULL));
	assert_int_equal(counted.count, 2);
	assert_string_equal(counted.first, "a");
	assert_true(counted.last == UINT64_MAX);
	buf_init(&note, 1024);
	assert_true(store_read_note(reader, "position", &note, NULL));
	assert_int_equal(note.len, 10);
	assert_memory_equal(note.ptr, "file\0" "12345", 10);
	assert_false(store_read_note(reader, "none", &note, &error));
	assert_true(error.text[0]);
	buf_free(&note);
	store_reader_close(reader);
	rig_end(&rig);
}

static bool copy_incident(void *ctx, const struct incident *incident)
{
	struct incident *out = ctx;
	*out = *incident;
	return false;
}

static void incidents_are_kept_and_the_newest_comes_first(void **state)
{
	(void)state;
	struct rig rig;
	bool is_found;
	struct incident *incident = calloc(2, sizeof *incident);
	rig_start(&rig);
	rig_open(&rig);
	for (unsigned i = 0; i < 5; i++) {
		*incident = (struct incident){ .cls = STORM_DUPLICATE, .first_ms = 1, .last_ms = i, .copies = i };
		snprintf(incident->id, sizeof incident->id, "DINC%u", i % 3);
		store_incident(rig.store, incident);
	}
	rig_close(&rig);
	struct store_reader *reader = store_reader_open(rig.dir, NULL);
	assert_true(store_read_incidents(reader, 0, copy_incident, incident, NULL));
	assert_string_equal(incident->id, "DINC1");
	assert_int_equal(incident->copies, 4);
	assert_true(store_read_incident(reader, "DINC0", incident, &is_found, NULL));
	assert_true(is_found);
	assert_int_equal(incident->copies, 3);
	assert_true(store_read_incident(reader, "DNONE", incident, &is_found, NULL));
	assert_false(is_found);
	store_reader_close(reader);
	free(incident);
	rig_end(&rig);
}

static void there_is_nothing_to_read_where_no_daemon_ever_ran(void **state)
{
	(void)state;
	struct rig rig;
	struct error error = { 0 };
	rig_start(&rig);
	assert_null(store_reader_open(rig.dir, &error));
	assert_true(error.text[0]);
	assert_int_equal(rig_files(&rig, "", ""), 0);
	rig_end(&rig);
}

static bool stop_at_once(void *ctx, const struct hold_row *row)
{
	(void)row;
	++*(size_t *)ctx;
	return false;
}

static void a_reader_works_while_the_writer_writes(void **state)
{
	(void)state;
	struct rig rig;
	struct rig_answer answers[200];
	size_t last = 0, count = 0;
	rig_start(&rig);
	rig_open(&rig);
	for (size_t i = 0; i < 200; i++) {
		rig_send(&rig, &(struct rig_mail){ 0 }, &answers[i]);
		if (i % 20 == 19) {
			size_t now = rig_rows(&rig, NULL, HOLD_KEPT);
			assert_true(now >= last && now <= i + 1);
			last = now;
		}
	}
	rig_wait(&rig, answers, 200);
	assert_int_equal(rig_rows(&rig, NULL, HOLD_KEPT), 200);
	struct store_reader *reader = store_reader_open(rig.dir, NULL);
	assert_true(store_read_holds(reader, NULL, -1, 0, stop_at_once, &count, NULL));
	assert_int_equal(count, 1);
	store_reader_close(reader);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_decision_is_found_by_queue_id_number_hold_id_and_incident),
		cmocka_unit_test(a_held_mail_explains_itself_when_its_decision_is_forgotten),
		cmocka_unit_test(only_the_newest_decisions_are_kept),
		cmocka_unit_test(counters_replace_the_last_ones_and_notes_are_read_back),
		cmocka_unit_test(incidents_are_kept_and_the_newest_comes_first),
		cmocka_unit_test(there_is_nothing_to_read_where_no_daemon_ever_ran),
		cmocka_unit_test(a_reader_works_while_the_writer_writes),
	};
	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
