/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_read: rows of fetch.db as structs. What the file holds is treated as
 * hostile: texts are cut to fit, a blob of the wrong length is none.
 */
#include "store/ledger_inside.h"

#include "store/held.h"

enum { LEDGER_COUNT_EVERY = 10000 };

static void take_blob(uint8_t *out, size_t bytes, struct slice blob)
{
	memset(out, 0, bytes);
	if (blob.len == bytes)
		memcpy(out, blob.ptr, bytes);
}

#define TAKE_TEXT(array, stmt, column) held_text(array, sizeof(array), db_column(stmt, column))

static void take_row(sqlite3_stmt *stmt, struct ledger_row *row)
{
	*row = (struct ledger_row){ .id = sqlite3_column_int64(stmt, 0) };
	TAKE_TEXT(row->account, stmt, 1);
	TAKE_TEXT(row->key, stmt, 2);
	row->state = (enum ledger_state)sqlite3_column_int(stmt, 3);
	row->size_bytes = (uint64_t)sqlite3_column_int64(stmt, 4);
	take_blob(row->top, sizeof row->top, db_column(stmt, 5));
	take_blob(row->print, sizeof row->print, db_column(stmt, 6));
	TAKE_TEXT(row->mailbox, stmt, 7);
	TAKE_TEXT(row->return_path, stmt, 8);
	row->place.segment = (uint32_t)sqlite3_column_int64(stmt, 9);
	row->place.at = (uint64_t)sqlite3_column_int64(stmt, 10);
	row->place.bytes = (uint64_t)sqlite3_column_int64(stmt, 11);
	row->fetched_ms = sqlite3_column_int64(stmt, 12);
	row->settled_ms = sqlite3_column_int64(stmt, 13);
	row->due_ms = sqlite3_column_int64(stmt, 14);
	row->tries = (unsigned)sqlite3_column_int(stmt, 15);
	row->is_on_server = sqlite3_column_int(stmt, 16) != 0;
	int flags = sqlite3_column_int(stmt, 17);
	row->is_8bit = flags & LEDGER_FLAG_8BIT;
	row->is_judged = flags & LEDGER_FLAG_JUDGED;
	row->is_backlog = flags & LEDGER_FLAG_BACKLOG;
	TAKE_TEXT(row->why, stmt, 18);
}

static bool ledger_take_one(struct ledger *l, sqlite3_stmt *stmt, struct ledger_row *row_out)
{
	bool is_found = db_step(&l->db, stmt);
	if (is_found)
		take_row(stmt, row_out);
	db_done(stmt);
	return is_found;
}

bool ledger_find(struct ledger *l, int64_t id, struct ledger_row *row_out)
{
	return ledger_take_one(l, db_query(&l->db, LEDGER_BY_ID, "i", id), row_out);
}

bool ledger_find_key(struct ledger *l, const char *account, const char *key, struct ledger_row *row_out)
{
	return l && ledger_take_one(l, db_query(&l->db, LEDGER_BY_KEY, "zz", account, key), row_out);
}

static bool ledger_each(struct ledger *l, sqlite3_stmt *stmt, ledger_row_fn *fn, void *ctx)
{
	struct ledger_row row;
	int rc = SQLITE_MISUSE;
	while (stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		take_row(stmt, &row);
		if (!fn(ctx, &row))
			break;
	}
	db_done(stmt);
	(void)l;
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool ledger_each_on_server(struct ledger *l, const char *account, ledger_row_fn *fn, void *ctx)
{
	return !l || ledger_each(l, db_query(&l->db, LEDGER_ON_SERVER, "z", account), fn, ctx);
}

bool ledger_each_of_account(struct ledger *l, const char *account, ledger_row_fn *fn, void *ctx)
{
	return !l || ledger_each(l, db_query(&l->db, LEDGER_OF_ACCOUNT, "z", account), fn, ctx);
}

bool ledger_each_in_state(struct ledger *l, enum ledger_state state, ledger_row_fn *fn, void *ctx)
{
	bool is_open = state == LEDGER_WAITING || state == LEDGER_SENDING || state == LEDGER_QUARANTINE;
	unsigned which = is_open ? LEDGER_IN_OPEN_STATE : LEDGER_IN_STATE;
	return ledger_each(l, db_query(&l->db, which, "i", (int64_t)state), fn, ctx);
}

size_t ledger_due(struct ledger *l, int64_t now_ms, struct ledger_row *rows_out, size_t max)
{
	size_t count = 0;
	sqlite3_stmt *stmt = db_query(&l->db, LEDGER_DUE, "ii", now_ms, (int64_t)max);
	while (count < max && db_step(&l->db, stmt))
		take_row(stmt, &rows_out[count++]);
	db_done(stmt);
	return count;
}

static int64_t ledger_number(struct ledger *l, unsigned which)
{
	int64_t number = INT64_MAX;
	sqlite3_stmt *stmt = db_query(&l->db, which, "");
	if (db_step(&l->db, stmt))
		number = sqlite3_column_int64(stmt, 0);
	db_done(stmt);
	return number;
}

/* The span of ids is had at once and counts what was forgotten too: one old mail that
 * stays on its server keeps it wide. Only then rows are counted, now and then. */
int64_t ledger_rows(struct ledger *l)
{
	int64_t span = ledger_number(l, LEDGER_ROWS);
	if (span < LEDGER_ROWS_MAX || span == INT64_MAX)
		return span;
	if (!l->counted_span || span < l->counted_span || span - l->counted_span >= LEDGER_COUNT_EVERY) {
		l->counted = ledger_number(l, LEDGER_ROWS_COUNTED);
		l->counted_span = l->counted == INT64_MAX ? 0 : span;
	}
	return l->counted_span ? l->counted + (span - l->counted_span) : INT64_MAX;
}

bool ledger_needs_segment(struct ledger *l, uint32_t segment)
{
	sqlite3_stmt *stmt = db_query(&l->db, LEDGER_NEEDS, "i", (int64_t)segment);
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_MISUSE;
	db_done(stmt);
	return rc != SQLITE_DONE;
}

bool ledger_count(struct ledger *l, const char *account, uint64_t counts_out[LEDGER_STATE_COUNT])
{
	memset(counts_out, 0, LEDGER_STATE_COUNT * sizeof *counts_out);
	sqlite3_stmt *stmt = db_query(&l->db, LEDGER_COUNT, "z", account ? account : "");
	int rc = SQLITE_MISUSE;
	while (stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t state = sqlite3_column_int64(stmt, 0);
		if (state >= 0 && state < LEDGER_STATE_COUNT)
			counts_out[state] = (uint64_t)sqlite3_column_int64(stmt, 1);
	}
	db_done(stmt);
	return rc == SQLITE_DONE;
}

uint64_t ledger_count_moving(struct ledger *l, const char *account, int64_t due_before_ms)
{
	uint64_t count = 0;
	sqlite3_stmt *stmt = db_query(&l->db, LEDGER_MOVING, "zi", account ? account : "", due_before_ms);
	if (db_step(&l->db, stmt))
		count = (uint64_t)sqlite3_column_int64(stmt, 0);
	db_done(stmt);
	return count;
}

bool ledger_account(struct ledger *l, const char *name, struct ledger_account *a)
{
	*a = (struct ledger_account){ 0 };
	held_text(a->name, sizeof a->name, slice_from_str(name));
	if (!l)
		return true;
	sqlite3_stmt *stmt = db_query(&l->db, LEDGER_ACCOUNT, "z", name);
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_MISUSE;
	if (rc == SQLITE_ROW) {
		a->first_ms = sqlite3_column_int64(stmt, 0);
		a->polled_ms = sqlite3_column_int64(stmt, 1);
		a->usual_new = sqlite3_column_int64(stmt, 2);
		a->polls = sqlite3_column_int64(stmt, 3);
		TAKE_TEXT(a->stopped, stmt, 4);
		TAKE_TEXT(a->order, stmt, 5);
	}
	db_done(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}
