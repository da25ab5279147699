/* SPDX-License-Identifier: Apache-2.0
 *
 * The connector's ledger: a mail twice is a breach of a key, an end is an end, and a
 * damaged file is left as it lies.
 */
#include "rig.h"

#include "base/mem.h"
#include "store/ledger.h"
#include "../unit.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

struct book {
	struct rig rig;
	struct ledger *ledger;
};

static void book_open(struct book *b)
{
	struct error error = { 0 };
	b->ledger = ledger_open(b->rig.dir, &error);
	if (!b->ledger)
		fail_msg("%s", error.text);
}

static void book_start(struct book *b)
{
	rig_start(&b->rig);
	book_open(b);
}

static void book_end(struct book *b)
{
	ledger_close(b->ledger);
	rig_end(&b->rig);
}

/* print 0: none. */
static struct ledger_row row_of(const char *account, const char *key, unsigned print, const char *mailbox)
{
	struct ledger_row row = { .state = LEDGER_WAITING, .size_bytes = 100, .fetched_ms = 1000, .due_ms = 1000,
				  .is_on_server = true, .place = { 1, 2, 3 } };
	snprintf(row.account, sizeof row.account, "%s", account);
	snprintf(row.key, sizeof row.key, "%s", key);
	snprintf(row.mailbox, sizeof row.mailbox, "%s", mailbox);
	memcpy(row.print, &print, sizeof print);
	memcpy(row.top, &print, sizeof print);
	return row;
}

/* In a transaction of its own. */
static enum ledger_added add(struct ledger *l, const struct ledger_row *row, int64_t *id_out)
{
	assert_true(ledger_begin(l));
	enum ledger_added added = ledger_add(l, row, id_out);
	assert_true(ledger_commit(l));
	return added;
}

static int64_t add_new(struct ledger *l, struct ledger_row row)
{
	int64_t id = 0;
	assert_int_equal(add(l, &row, &id), LEDGER_ADDED);
	assert_true(id > 0);
	return id;
}

static void update(struct ledger *l, const struct ledger_row *row)
{
	assert_true(ledger_begin(l) && ledger_update(l, row) && ledger_commit(l));
}

static struct ledger_row found(struct ledger *l, int64_t id)
{
	struct ledger_row row;
	assert_true(ledger_find(l, id, &row));
	return row;
}

static uint64_t count_of(struct ledger *l, const char *account, enum ledger_state state)
{
	uint64_t counts[LEDGER_STATE_COUNT];
	assert_true(ledger_count(l, account, counts));
	return counts[state];
}

static void assert_same_row(const struct ledger_row *a, const struct ledger_row *b)
{
	assert_string_equal(a->account, b->account);
	assert_string_equal(a->key, b->key);
	assert_string_equal(a->mailbox, b->mailbox);
	assert_string_equal(a->return_path, b->return_path);
	assert_string_equal(a->why, b->why);
	assert_memory_equal(a->top, b->top, sizeof a->top);
	assert_memory_equal(a->print, b->print, sizeof a->print);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->size_bytes, b->size_bytes);
	assert_int_equal(a->place.segment, b->place.segment);
	assert_int_equal(a->place.at, b->place.at);
	assert_int_equal(a->place.bytes, b->place.bytes);
	assert_int_equal(a->fetched_ms, b->fetched_ms);
	assert_int_equal(a->settled_ms, b->settled_ms);
	assert_int_equal(a->due_ms, b->due_ms);
	assert_int_equal(a->tries, b->tries);
	assert_int_equal(a->is_on_server, b->is_on_server);
	assert_int_equal(a->is_8bit, b->is_8bit);
	assert_int_equal(a->is_judged, b->is_judged);
	assert_int_equal(a->is_backlog, b->is_backlog);
}

static void a_row_comes_back_as_it_was_given_and_as_it_was_changed(void **state)
{
	(void)state;
	struct book b;
	book_start(&b);
	struct ledger_row row = row_of("firm", "uidl-1", 77, "anna");
	snprintf(row.return_path, sizeof row.return_path, "bounce+x=y@lists.example");
	snprintf(row.why, sizeof row.why, "because");
	row.place = (struct segment_place){ UINT32_MAX, (uint64_t)1 << 40, (uint64_t)1 << 33 };
	row.settled_ms = 5, row.due_ms = -1, row.tries = 4000000000U;
	row.is_8bit = row.is_backlog = true;
	row.id = add_new(b.ledger, row);
	struct ledger_row got = found(b.ledger, row.id);
	assert_same_row(&row, &got);
	row.state = LEDGER_QUARANTINE, row.size_bytes = 1, row.settled_ms = 6, row.due_ms = 7, row.tries = 8;
	row.is_8bit = row.is_backlog = false; /* where it is on the server is not changed */
	row.is_judged = true;
	row.place = (struct segment_place){ 4, 5, 6 };
	snprintf(row.mailbox, sizeof row.mailbox, "bert");
	row.return_path[0] = '\0';
	row.why[0] = '\0';
	update(b.ledger, &row);
	ledger_close(b.ledger);
	book_open(&b);
	got = found(b.ledger, row.id);
	assert_same_row(&row, &got);
	assert_true(ledger_find_key(b.ledger, "firm", "uidl-1", &got));
	assert_int_equal(got.id, row.id);
	assert_false(ledger_find_key(b.ledger, "other", "uidl-1", &got));
	assert_false(ledger_find_key(b.ledger, "firm", "UIDL-1", &got));
	assert_false(ledger_find(b.ledger, row.id + 1, &got));
	book_end(&b);
}

static void a_key_known_to_an_account_does_nothing_a_second_time(void **state)
{
	(void)state;
	struct book b;
	int64_t id = 0;
	book_start(&b);
	int64_t first = add_new(b.ledger, row_of("firm", "same", 1, "anna"));
	struct ledger_row again = row_of("firm", "same", 2, "bert");
	assert_int_equal(add(b.ledger, &again, &id), LEDGER_WAS_KNOWN);
	assert_int_equal(id, first);
	assert_string_equal(found(b.ledger, first).mailbox, "anna");
	/* Both keys at once: known, not a twin of itself. */
	again = row_of("firm", "same", 1, "anna");
	assert_int_equal(add(b.ledger, &again, &id), LEDGER_WAS_KNOWN);
	/* Another account's UIDL is another mail. */
	add_new(b.ledger, row_of("club", "same", 3, "anna"));
	assert_int_equal(count_of(b.ledger, NULL, LEDGER_WAITING), 2);
	book_end(&b);
}

static void the_same_bytes_for_the_same_mailbox_are_a_twin_in_any_state_of_the_first(void **state)
{
	(void)state;
	static const enum ledger_state states[] = { LEDGER_WAITING, LEDGER_SENDING, LEDGER_DONE, LEDGER_HELD,
						    LEDGER_QUARANTINE, LEDGER_DROPPED };
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct book b;
		int64_t id = 0;
		book_start(&b);
		struct ledger_row first = row_of("firm", "one", 9, "anna");
		first.id = add_new(b.ledger, first);
		first.state = states[i];
		update(b.ledger, &first);
		struct ledger_row twin = row_of("club", "two", 9, "anna");
		assert_int_equal(add(b.ledger, &twin, &id), LEDGER_WAS_TWIN);
		struct ledger_row got = found(b.ledger, id);
		assert_int_equal(got.state, LEDGER_TWIN);
		assert_string_equal(got.mailbox, "");
		assert_non_null(strstr(got.why, "anna"));
		assert_int_equal(got.settled_ms, twin.fetched_ms);
		/* Nor does it come in by its key again, or as a third. */
		assert_int_equal(add(b.ledger, &twin, &id), LEDGER_WAS_KNOWN);
		twin = row_of("club", "three", 9, "anna");
		assert_int_equal(add(b.ledger, &twin, &id), LEDGER_WAS_TWIN);
		/* Another mailbox is another delivery. */
		add_new(b.ledger, row_of("club", "four", 9, "bert"));
		assert_int_equal(count_of(b.ledger, NULL, LEDGER_TWIN), 2);
		book_end(&b);
	}
}

static void what_has_no_bytes_or_no_mailbox_is_nobodys_twin(void **state)
{
	(void)state;
	struct book b;
	book_start(&b);
	add_new(b.ledger, row_of("firm", "1", 0, "anna"));
	add_new(b.ledger, row_of("firm", "2", 0, "anna"));
	add_new(b.ledger, row_of("firm", "3", 5, ""));
	int64_t fourth = add_new(b.ledger, row_of("firm", "4", 5, ""));
	add_new(b.ledger, row_of("firm", "5", 5, "anna"));
	/* But the moment it gets a mailbox the key holds. */
	struct ledger_row row = found(b.ledger, fourth);
	snprintf(row.mailbox, sizeof row.mailbox, "anna");
	assert_true(ledger_begin(b.ledger));
	assert_false(ledger_update(b.ledger, &row));
	assert_true(ledger_is_twin(b.ledger));
	assert_false(ledger_is_full(b.ledger));
	ledger_rollback(b.ledger);
	assert_string_equal(found(b.ledger, fourth).mailbox, "");
	snprintf(row.mailbox, sizeof row.mailbox, "bert");
	update(b.ledger, &row);
	assert_false(ledger_is_twin(b.ledger));
	row.id = 12345;
	assert_true(ledger_begin(b.ledger));
	assert_false(ledger_update(b.ledger, &row)); /* there is no such row */
	assert_false(ledger_is_twin(b.ledger));
	ledger_rollback(b.ledger);
	book_end(&b);
}

static void twins_in_one_transaction_are_found_and_the_rest_of_it_stands(void **state)
{
	(void)state;
	struct book b;
	int64_t id;
	book_start(&b);
	struct ledger_row row = row_of("firm", "1", 5, "anna"), twin = row_of("firm", "2", 5, "anna"),
			  other = row_of("firm", "3", 6, "anna");
	assert_true(ledger_begin(b.ledger));
	assert_int_equal(ledger_add(b.ledger, &row, &id), LEDGER_ADDED);
	assert_int_equal(ledger_add(b.ledger, &twin, &id), LEDGER_WAS_TWIN);
	assert_int_equal(ledger_add(b.ledger, &row, &id), LEDGER_WAS_KNOWN);
	assert_int_equal(ledger_add(b.ledger, &other, &id), LEDGER_ADDED);
	assert_true(ledger_commit(b.ledger));
	assert_int_equal(count_of(b.ledger, "firm", LEDGER_WAITING), 2);
	assert_int_equal(count_of(b.ledger, "firm", LEDGER_TWIN), 1);
	assert_int_equal(count_of(b.ledger, "club", LEDGER_WAITING), 0);
	book_end(&b);
}

static void hostile_text_is_kept_or_made_harmless_never_mixed_up(void **state)
{
	(void)state;
	static const char *const keys[] = { "'; DROP TABLE mails; --", "a\"b", "%s%n", "?1", "\xc3\x28\xff", "~", "\\",
					    "=", "#0123" };
	enum { KEYS = sizeof keys / sizeof keys[0] };
	struct book b;
	int64_t ids[KEYS];
	struct ledger_row got;
	book_start(&b);
	for (unsigned i = 0; i < KEYS; i++)
		ids[i] = add_new(b.ledger, row_of("firm", keys[i], i + 1, "anna"));
	for (unsigned i = 0; i < KEYS; i++) {
		assert_true(ledger_find_key(b.ledger, "firm", keys[i], &got));
		assert_int_equal(got.id, ids[i]);
		assert_string_equal(got.key, keys[i]);
	}
	/* Control bytes never come out: rows go to logs and to SMTP. */
	struct ledger_row row = row_of("firm", "line", 99, "anna");
	snprintf(row.why, sizeof row.why, "one\r\ntwo\x1b[2J");
	snprintf(row.return_path, sizeof row.return_path, "a@b\r\nRCPT TO:<x@y>");
	got = found(b.ledger, add_new(b.ledger, row));
	assert_string_equal(got.why, "one??two?[2J");
	assert_string_equal(got.return_path, "a@b??RCPT TO:<x@y>");
	book_end(&b);
}

static void rows_that_another_program_made_are_cut_to_fit(void **state)
{
	(void)state;
	struct book b;
	sqlite3 *sql;
	book_start(&b);
	int64_t id = add_new(b.ledger, row_of("firm", "1", 5, "anna"));
	char path[RIG_PATH_BYTES];
	rig_path(&b.rig, "fetch.db", path);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, "UPDATE mails SET why=hex(zeroblob(5000)), mailbox=hex(zeroblob(5000)),"
				      " return_path=hex(zeroblob(5000)), top=zeroblob(3), print=zeroblob(99),"
				      " state=-5, tries=-1, segment=-1, at=-1, bytes=-1, flags=-1", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(sql);
	struct ledger_row got = found(b.ledger, id);
	assert_int_equal(strlen(got.mailbox), LEDGER_PATH_BYTES - 1);
	assert_int_equal(strlen(got.why), LEDGER_WHY_BYTES - 1);
	assert_string_equal(ledger_state_name(got.state), "unknown");
	uint64_t counts[LEDGER_STATE_COUNT];
	assert_true(ledger_count(b.ledger, NULL, counts));
	for (size_t i = 0; i < LEDGER_STATE_COUNT; i++)
		assert_int_equal(counts[i], 0);
	book_end(&b);
}

static void what_is_due_comes_in_order_and_nothing_of_stopped_accounts(void **state)
{
	(void)state;
	struct book b;
	struct ledger_row rows[8];
	book_start(&b);
	static const struct {
		const char *account;
		int64_t due_ms;
		enum ledger_state state;
	} given[] = {
		{ "firm", 300, LEDGER_WAITING }, { "firm", 100, LEDGER_WAITING }, { "club", 200, LEDGER_WAITING },
		{ "firm", 100, LEDGER_WAITING }, { "firm", 50, LEDGER_SENDING }, { "firm", 50, LEDGER_QUARANTINE },
		{ "firm", 50, LEDGER_DONE }, { "firm", 900, LEDGER_WAITING },
	};
	int64_t ids[8];
	for (unsigned i = 0; i < 8; i++) {
		char key[8];
		snprintf(key, sizeof key, "%u", i);
		struct ledger_row row = row_of(given[i].account, key, i + 1, "anna");
		row.due_ms = given[i].due_ms;
		row.state = given[i].state;
		ids[i] = add_new(b.ledger, row);
	}
	assert_int_equal(ledger_due(b.ledger, 99, rows, 8), 0);
	assert_int_equal(ledger_due(b.ledger, 300, rows, 8), 4);
	assert_int_equal(rows[0].id, ids[1]);
	assert_int_equal(rows[1].id, ids[3]);
	assert_int_equal(rows[2].id, ids[2]);
	assert_int_equal(rows[3].id, ids[0]);
	assert_int_equal(ledger_due(b.ledger, 300, rows, 2), 2);
	assert_int_equal(rows[1].id, ids[3]);
	assert_int_equal(ledger_count_moving(b.ledger, NULL, 300), 4); /* 100, 100, 200 and SENDING */
	assert_int_equal(ledger_count_moving(b.ledger, "club", 300), 1);
	struct ledger_account account;
	assert_true(ledger_account(b.ledger, "firm", &account));
	snprintf(account.stopped, sizeof account.stopped, "a burst");
	assert_true(ledger_begin(b.ledger) && ledger_set_account(b.ledger, &account) && ledger_commit(b.ledger));
	assert_int_equal(ledger_due(b.ledger, 300, rows, 8), 1);
	assert_int_equal(rows[0].id, ids[2]);
	assert_int_equal(ledger_count_moving(b.ledger, NULL, 300), 1);
	account.stopped[0] = '\0';
	assert_true(ledger_begin(b.ledger) && ledger_set_account(b.ledger, &account) && ledger_commit(b.ledger));
	assert_int_equal(ledger_due(b.ledger, 300, rows, 8), 4);
	book_end(&b);
}

struct seen {
	int64_t ids[16];
	size_t count, most;
};

static bool on_row(void *ctx, const struct ledger_row *row)
{
	struct seen *seen = ctx;
	seen->ids[seen->count++] = row->id;
	return seen->count < seen->most;
}

static void rows_are_walked_by_server_and_by_state_until_enough(void **state)
{
	(void)state;
	struct book b;
	int64_t ids[LEDGER_STATE_COUNT];
	book_start(&b);
	for (unsigned i = 0; i < LEDGER_STATE_COUNT; i++) {
		char key[8];
		snprintf(key, sizeof key, "%u", i);
		struct ledger_row row = row_of("firm", key, i + 1, "anna");
		row.state = (enum ledger_state)i;
		ids[i] = add_new(b.ledger, row);
	}
	for (unsigned i = 0; i < LEDGER_STATE_COUNT; i++) {
		struct seen seen = { .most = 16 };
		assert_true(ledger_each_in_state(b.ledger, (enum ledger_state)i, on_row, &seen));
		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.ids[0], ids[i]);
		assert_int_equal(count_of(b.ledger, "firm", (enum ledger_state)i), 1);
	}
	struct seen all = { .most = 16 }, two = { .most = 2 }, none = { .most = 16 };
	assert_true(ledger_begin(b.ledger) && ledger_set_gone(b.ledger, ids[3]) && ledger_commit(b.ledger));
	assert_true(ledger_each_on_server(b.ledger, "firm", on_row, &all));
	assert_int_equal(all.count, LEDGER_STATE_COUNT - 1);
	assert_true(ledger_each_on_server(b.ledger, "firm", on_row, &two));
	assert_int_equal(two.count, 2);
	assert_true(ledger_each_on_server(b.ledger, "club", on_row, &none));
	assert_int_equal(none.count, 0);
	book_end(&b);
}

static void an_empty_ledger_may_be_no_ledger(void **state)
{
	(void)state;
	struct ledger_row row;
	struct ledger_account account = { .polls = 5 };
	struct seen seen = { .most = 16 };
	assert_true(ledger_each_on_server(NULL, "firm", on_row, &seen));
	assert_int_equal(seen.count, 0);
	assert_false(ledger_find_key(NULL, "firm", "1", &row));
	assert_true(ledger_each_of_account(NULL, "firm", on_row, &seen));
	assert_int_equal(seen.count, 0);
	assert_true(ledger_account(NULL, "firm", &account));
	assert_string_equal(account.name, "firm");
	assert_int_equal(account.polls, 0);
	ledger_close(NULL);
}

static void a_mail_under_a_new_key_is_the_same_mail(void **state)
{
	(void)state;
	struct book b;
	struct ledger_row got;
	book_start(&b);
	struct ledger_row row = row_of("firm", "old", 5, "anna");
	row.is_on_server = false;
	row.id = add_new(b.ledger, row);
	int64_t other = add_new(b.ledger, row_of("firm", "other", 6, "anna"));
	assert_true(ledger_begin(b.ledger) && ledger_set_key(b.ledger, row.id, "new") && ledger_commit(b.ledger));
	assert_false(ledger_find_key(b.ledger, "firm", "old", &got));
	assert_true(ledger_find_key(b.ledger, "firm", "new", &got));
	assert_int_equal(got.id, row.id);
	assert_true(got.is_on_server);
	/* Not onto a key that another mail has. */
	assert_true(ledger_begin(b.ledger));
	assert_false(ledger_set_key(b.ledger, other, "new"));
	ledger_rollback(b.ledger);
	/* All of an account, whatever became of them. */
	struct ledger_row newer = row_of("firm", "newer", 5, "bert");
	newer.id = add_new(b.ledger, newer);
	struct seen firm = { .most = 16 }, club = { .most = 16 };
	assert_true(ledger_each_of_account(b.ledger, "firm", on_row, &firm));
	assert_int_equal(firm.count, 3);
	assert_true(ledger_each_of_account(b.ledger, "club", on_row, &club));
	assert_int_equal(club.count, 0);
	book_end(&b);
}

static void only_what_is_settled_old_and_off_the_server_is_forgotten(void **state)
{
	(void)state;
	struct book b;
	unsigned left = 0;
	book_start(&b);
	for (unsigned i = 0; i < 4 * LEDGER_STATE_COUNT; i++) {
		char key[8];
		snprintf(key, sizeof key, "%u", i);
		struct ledger_row row = row_of("firm", key, i + 1, "anna");
		row.state = (enum ledger_state)(i / 4);
		row.is_on_server = i & 1;
		row.settled_ms = i & 2 ? 5000 : 6000;
		add_new(b.ledger, row);
	}
	assert_true(ledger_begin(b.ledger));
	assert_int_equal(ledger_forget(b.ledger, 5000), 0);
	assert_int_equal(ledger_forget(b.ledger, 5001), LEDGER_STATE_COUNT - 3);
	assert_int_equal(ledger_forget(b.ledger, 5001), 0);
	assert_true(ledger_commit(b.ledger));
	for (unsigned i = 0; i < LEDGER_STATE_COUNT; i++) {
		uint64_t count = count_of(b.ledger, NULL, (enum ledger_state)i);
		bool is_open = i == LEDGER_WAITING || i == LEDGER_SENDING || i == LEDGER_QUARANTINE;
		assert_int_equal(count, is_open ? 4 : 3);
		left += (unsigned)count;
	}
	assert_true(ledger_rows(b.ledger) >= left);
	book_end(&b);
}

static void a_segment_is_needed_until_all_its_mails_are_settled(void **state)
{
	(void)state;
	struct book b;
	book_start(&b);
	struct ledger_row row = row_of("firm", "1", 5, "anna");
	row.place.segment = 7;
	row.id = add_new(b.ledger, row);
	for (unsigned i = 0; i < LEDGER_STATE_COUNT; i++) {
		row.state = (enum ledger_state)i;
		update(b.ledger, &row);
		bool is_open = i == LEDGER_WAITING || i == LEDGER_SENDING || i == LEDGER_QUARANTINE;
		assert_int_equal(ledger_needs_segment(b.ledger, 7), is_open);
		assert_false(ledger_needs_segment(b.ledger, 8));
	}
	book_end(&b);
}

static void an_account_is_as_it_was_said_and_empty_before(void **state)
{
	(void)state;
	struct book b;
	struct ledger_account a, got;
	book_start(&b);
	assert_true(ledger_account(b.ledger, "firm", &a));
	assert_string_equal(a.name, "firm");
	assert_int_equal(a.first_ms, 0);
	assert_string_equal(a.stopped, "");
	a.first_ms = 1, a.polled_ms = 2, a.usual_new = 3, a.polls = 4;
	snprintf(a.stopped, sizeof a.stopped, "why 'so'");
	snprintf(a.order, sizeof a.order, "mark-seen");
	assert_true(ledger_begin(b.ledger) && ledger_set_account(b.ledger, &a) && ledger_commit(b.ledger));
	assert_true(ledger_account(b.ledger, "firm", &got));
	assert_memory_equal(&a, &got, sizeof a);
	a.polls = 5;
	assert_true(ledger_begin(b.ledger) && ledger_set_account(b.ledger, &a));
	ledger_rollback(b.ledger);
	assert_true(ledger_account(b.ledger, "firm", &got));
	assert_int_equal(got.polls, 4);
	book_end(&b);
}

static void what_was_rolled_back_never_was(void **state)
{
	(void)state;
	struct book b;
	int64_t id;
	struct ledger_row got;
	book_start(&b);
	struct ledger_row kept = row_of("firm", "kept", 1, "anna"), lost = row_of("firm", "lost", 2, "anna");
	kept.id = add_new(b.ledger, kept);
	assert_true(ledger_begin(b.ledger));
	assert_int_equal(ledger_add(b.ledger, &lost, &id), LEDGER_ADDED);
	kept.state = LEDGER_DONE;
	assert_true(ledger_update(b.ledger, &kept) && ledger_remove(b.ledger, kept.id));
	ledger_rollback(b.ledger);
	ledger_rollback(b.ledger); /* with none open: nothing */
	assert_false(ledger_find_key(b.ledger, "firm", "lost", &got));
	assert_int_equal(found(b.ledger, kept.id).state, LEDGER_WAITING);
	/* Ended without a commit, as a crash does: the same. */
	assert_true(ledger_begin(b.ledger));
	assert_int_equal(ledger_add(b.ledger, &lost, &id), LEDGER_ADDED);
	ledger_close(b.ledger);
	book_open(&b);
	assert_false(ledger_find_key(b.ledger, "firm", "lost", &got));
	assert_true(ledger_begin(b.ledger) && ledger_remove(b.ledger, kept.id) && ledger_commit(b.ledger));
	assert_false(ledger_find(b.ledger, kept.id, &got));
	assert_int_equal(ledger_rows(b.ledger), 0);
	book_end(&b);
}

static void ids_are_never_given_twice(void **state)
{
	(void)state;
	struct book b;
	book_start(&b);
	int64_t id = add_new(b.ledger, row_of("firm", "1", 1, "anna"));
	assert_true(ledger_begin(b.ledger) && ledger_remove(b.ledger, id) && ledger_commit(b.ledger));
	ledger_close(b.ledger);
	book_open(&b);
	assert_true(add_new(b.ledger, row_of("firm", "2", 2, "anna")) > id);
	book_end(&b);
}

static void a_view_reads_beside_the_writer_and_changes_nothing(void **state)
{
	(void)state;
	struct book b;
	struct error error = { 0 };
	struct ledger_row got;
	int64_t id;
	rig_start(&b.rig);
	assert_null(ledger_open_view(b.rig.dir, &error));
	assert_true(error.text[0] != '\0');
	assert_null(ledger_open_view(b.rig.dir, NULL));
	assert_int_equal(rig_files(&b.rig, "", "fetch.db"), 0);
	book_open(&b);
	struct ledger *view = ledger_open_view(b.rig.dir, &error);
	assert_non_null(view);
	struct ledger_row row = row_of("firm", "1", 1, "anna");
	assert_true(ledger_begin(b.ledger));
	assert_int_equal(ledger_add(b.ledger, &row, &id), LEDGER_ADDED);
	assert_false(ledger_find(view, id, &got)); /* not yet, and nobody waits */
	assert_true(ledger_commit(b.ledger));
	assert_true(ledger_find(view, id, &got));
	assert_true(ledger_find_key(view, "firm", "1", &got));
	assert_int_equal(count_of(view, NULL, LEDGER_WAITING), 1);
	assert_false(ledger_begin(view) && ledger_remove(view, id));
	ledger_rollback(view);
	ledger_close(view);
	assert_true(ledger_find(b.ledger, id, &got));
	book_end(&b);
}

static void a_damaged_or_foreign_file_is_refused_and_left_as_it_lies(void **state)
{
	(void)state;
	static const char *const foreign[] = { "CREATE TABLE mails(x); PRAGMA user_version=0",
					       "CREATE TABLE other(x); PRAGMA user_version=1",
					       "CREATE TABLE other(x); PRAGMA user_version=2" };
	struct rig rig;
	struct error error;
	char path[RIG_PATH_BYTES];
	struct buf before, after;
	rig_start(&rig);
	rig_path(&rig, "fetch.db", path);
	buf_init(&before, 1 << 20);
	buf_init(&after, 1 << 20);
	for (size_t i = 0; i <= sizeof foreign / sizeof foreign[0]; i++) {
		sqlite3 *sql;
		rig_remove(path);
		if (i == 0) {
			rig_write(&rig, "fetch.db", SLICE("this was a ledger once, and is not a database any more: "
							  "and a header of SQLite has one hundred bytes"));
		} else {
			assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
			assert_int_equal(sqlite3_exec(sql, "PRAGMA journal_mode=WAL", NULL, NULL, NULL), SQLITE_OK);
			assert_int_equal(sqlite3_exec(sql, foreign[i - 1], NULL, NULL, NULL), SQLITE_OK);
			sqlite3_close(sql);
		}
		buf_reset(&before);
		buf_reset(&after);
		assert_true(rig_read(&rig, "fetch.db", &before));
		error = (struct error){ 0 };
		assert_null(ledger_open(rig.dir, &error));
		assert_non_null(strstr(error.text, "fetch.db"));
		assert_true(rig_read(&rig, "fetch.db", &after));
		assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
		assert_int_equal(rig_files(&rig, "", "fetch.db.damaged"), 0);
	}
	buf_free(&before);
	buf_free(&after);
	rig_end(&rig);
}

static void a_page_that_breaks_later_is_an_error_not_an_empty_ledger(void **state)
{
	(void)state;
	struct book b;
	struct buf bytes;
	struct error error = { 0 };
	book_start(&b);
	assert_true(ledger_begin(b.ledger));
	for (unsigned i = 0; i < 500; i++) {
		char key[8];
		int64_t id;
		snprintf(key, sizeof key, "%u", i);
		struct ledger_row row = row_of("firm", key, i + 1, "anna");
		assert_int_equal(ledger_add(b.ledger, &row, &id), LEDGER_ADDED);
	}
	assert_true(ledger_commit(b.ledger));
	ledger_close(b.ledger);
	buf_init(&bytes, 16 << 20);
	assert_true(rig_read(&b.rig, "fetch.db", &bytes));
	assert_true(bytes.len > 10 * 4096);
	for (size_t i = 4096; i < bytes.len; i++)
		bytes.ptr[i] = (char)(i * 31);
	rig_write(&b.rig, "fetch.db", buf_slice(&bytes));
	assert_null(ledger_open(b.rig.dir, &error));
	assert_non_null(strstr(error.text, "not a sound database"));
	buf_free(&bytes);
	b.ledger = NULL;
	book_end(&b);
}

static int run_sql(const struct rig *rig, const char *text)
{
	sqlite3 *sql;
	char path[RIG_PATH_BYTES];
	rig_path(rig, "fetch.db", path);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	int rc = sqlite3_exec(sql, text, NULL, NULL, NULL);
	sqlite3_close(sql);
	return rc;
}

static void one_old_row_does_not_make_the_ledger_look_full(void **state)
{
	(void)state;
	struct book b;
	book_start(&b);
	add_new(b.ledger, row_of("firm", "old", 1, "anna"));
	assert_int_equal(ledger_rows(b.ledger), 1);
	assert_int_equal(run_sql(&b.rig, "UPDATE sqlite_sequence SET seq=7000000"), SQLITE_OK);
	add_new(b.ledger, row_of("firm", "new", 2, "anna"));
	assert_int_equal(ledger_rows(b.ledger), 2);
	add_new(b.ledger, row_of("firm", "newer", 3, "anna"));
	int64_t rows = ledger_rows(b.ledger);
	assert_in_range(rows, 3, 4);
	book_end(&b);
}

/* The system refuses to let any file grow past so many bytes (EFBIG: to SQLite
 * some trouble with the disk, unlike ENOSPC). */
static void set_room(rlim_t bytes)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool add_many(struct ledger *l)
{
	bool is_fine = ledger_begin(l);
	int64_t id;
	for (unsigned i = 0; is_fine && i < 100; i++) {
		char key[8];
		snprintf(key, sizeof key, "k%u", i);
		struct ledger_row row = row_of("firm", key, i + 10, "anna");
		memset(row.why, 'w', sizeof row.why - 1);
		is_fine = ledger_add(l, &row, &id) == LEDGER_ADDED;
	}
	is_fine = is_fine && ledger_commit(l);
	if (!is_fine)
		ledger_rollback(l);
	return is_fine;
}

static void a_disk_that_refuses_at_any_point_loses_nothing_that_was_committed(void **state)
{
	(void)state;
	unsigned refused = 0;
	bool is_added = false;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; !is_added; room += 4096 + 24) {
		struct book b;
		book_start(&b);
		add_new(b.ledger, row_of("firm", "first", 1, "anna"));
		set_room(room);
		is_added = add_many(b.ledger);
		set_room(RLIM_INFINITY);
		refused += !is_added;
		for (int life = 0; life < 2; life++) {
			assert_int_equal(count_of(b.ledger, NULL, LEDGER_WAITING), is_added ? 101 : 1);
			ledger_close(b.ledger);
			book_open(&b);
		}
		/* With room again it goes on. */
		if (!is_added)
			assert_true(add_many(b.ledger));
		book_end(&b);
	}
	assert_true(refused > 5);
}

static void trouble_that_is_no_full_disk_is_not_called_one(void **state)
{
	(void)state;
	struct book b;
	int64_t id;
	book_start(&b);
	int64_t first = add_new(b.ledger, row_of("firm", "first", 1, "anna"));
	ledger_close(b.ledger);
	assert_int_equal(run_sql(&b.rig, "CREATE TRIGGER no BEFORE INSERT ON mails WHEN new.key='last'"
					 " BEGIN SELECT raise(ABORT,'no'); END"), SQLITE_OK);
	book_open(&b);
	struct ledger_row last = row_of("firm", "last", 2, "anna");
	assert_true(ledger_begin(b.ledger));
	assert_int_equal(ledger_add(b.ledger, &last, &id), LEDGER_FAILED);
	assert_false(ledger_is_full(b.ledger));
	ledger_rollback(b.ledger);
	assert_int_equal(found(b.ledger, first).state, LEDGER_WAITING);
	book_end(&b);
}

static void no_memory_is_no_ledger_and_no_harm(void **state)
{
	(void)state;
	struct rig rig;
	struct error error = { 0 };
	rig_start(&rig);
	mem_fail_after = 0;
	assert_null(ledger_open(rig.dir, &error));
	assert_true(error.text[0] != '\0');
	mem_fail_after = 0;
	assert_null(ledger_open_view(rig.dir, &error));
	mem_fail_after = -1;
	assert_int_equal(rig_files(&rig, "", "fetch.db"), 0);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_comes_back_as_it_was_given_and_as_it_was_changed),
		cmocka_unit_test(a_key_known_to_an_account_does_nothing_a_second_time),
		cmocka_unit_test(the_same_bytes_for_the_same_mailbox_are_a_twin_in_any_state_of_the_first),
		cmocka_unit_test(what_has_no_bytes_or_no_mailbox_is_nobodys_twin),
		cmocka_unit_test(twins_in_one_transaction_are_found_and_the_rest_of_it_stands),
		cmocka_unit_test(hostile_text_is_kept_or_made_harmless_never_mixed_up),
		cmocka_unit_test(rows_that_another_program_made_are_cut_to_fit),
		cmocka_unit_test(what_is_due_comes_in_order_and_nothing_of_stopped_accounts),
		cmocka_unit_test(rows_are_walked_by_server_and_by_state_until_enough),
		cmocka_unit_test(an_empty_ledger_may_be_no_ledger),
		cmocka_unit_test(a_mail_under_a_new_key_is_the_same_mail),
		cmocka_unit_test(only_what_is_settled_old_and_off_the_server_is_forgotten),
		cmocka_unit_test(a_segment_is_needed_until_all_its_mails_are_settled),
		cmocka_unit_test(an_account_is_as_it_was_said_and_empty_before),
		cmocka_unit_test(what_was_rolled_back_never_was),
		cmocka_unit_test(ids_are_never_given_twice),
		cmocka_unit_test(a_view_reads_beside_the_writer_and_changes_nothing),
		cmocka_unit_test(a_damaged_or_foreign_file_is_refused_and_left_as_it_lies),
		cmocka_unit_test(a_page_that_breaks_later_is_an_error_not_an_empty_ledger),
		cmocka_unit_test(one_old_row_does_not_make_the_ledger_look_full),
		cmocka_unit_test(a_disk_that_refuses_at_any_point_loses_nothing_that_was_committed),
		cmocka_unit_test(trouble_that_is_no_full_disk_is_not_called_one),
		cmocka_unit_test(no_memory_is_no_ledger_and_no_harm),
	};
	return cmocka_run_group_tests_name("store ledger", tests, NULL, NULL);
}
