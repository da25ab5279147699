/* SPDX-License-Identifier: Apache-2.0
 *
 * retain: what leaves the hold, and when.
 *
 * A mail's bytes go when no row of it is kept or being released any more: released,
 * expired (hold_keep_ms; only surplus is ever held, its pair was taken over before,
 * so what goes is a copy, and it is logged and counted), or counted (an incident
 * beyond incident_copies_full keeps the newest 3 whole copies of each pair, whatever
 * the deed was). The rows that say so are durable before a file is unlinked; a file
 * that survives its row's end is removed by the next mending.
 */
#include "store/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"

enum {
	RETAIN_STEP_ROWS = 256,
	RETAIN_EVERY_US = 1000 * 1000,
	RETAIN_TIDY_EVERY_US = 60 * 1000 * 1000,
	RETAIN_PAIR_ROWS = 32, /* of one pair given up at a time */
};

static void retain_note_gone(struct store *store, const char *name, bool is_body)
{
	if (store->gone_count >= STORE_GONE_MAX)
		return; /* the next mending finds it */
	struct gone *gone = &store->gone[store->gone_count++];
	gone->is_body = is_body;
	memcpy(gone->name, name, strnlen(name, sizeof gone->name - 1) + 1);
}

static bool retain_unref_body(struct store *store, const char *body)
{
	struct db *db = &store->db;
	if (strcmp(body, "-") == 0)
		return true;
	sqlite3_stmt *stmt = db_query(db, DB_BODY_UNREF, "z", body);
	bool has_row = db_step(db, stmt);
	bool is_last = has_row && sqlite3_column_int64(stmt, 0) <= 0;
	int64_t bytes = has_row ? sqlite3_column_int64(stmt, 1) : 0;
	/* The row comes before the statement is through. */
	while (has_row && db_step(db, stmt))
		;
	db_done(stmt);
	if (!is_last)
		return !db->is_corrupt;
	store->pending_bytes -= bytes;
	retain_note_gone(store, body, true);
	return db_run(db, DB_BODY_DROP, "z", body);
}

bool retain_settle_mail(struct store *store, const char *mail)
{
	struct db *db = &store->db;
	char body[BODY_NAME_BYTES] = "-";
	int64_t is_live = 0;
	if (!db_number(db, DB_HOLD_IS_LIVE, mail, 0, &is_live) || is_live)
		return !db->is_corrupt;
	sqlite3_stmt *stmt = db_query(db, DB_MAIL_WHOLE, "z", mail);
	bool is_whole = db_step(db, stmt) && sqlite3_column_int(stmt, 0);
	if (is_whole) {
		store->pending_bytes -= sqlite3_column_int64(stmt, 1);
		held_text(body, sizeof body, db_column(stmt, 2));
	}
	db_done(stmt);
	if (!is_whole)
		return !db->is_corrupt;
	retain_note_gone(store, mail, false);
	return db_run(db, DB_MAIL_GONE, "z", mail) && retain_unref_body(store, body);
}

/* A body may have found a new mail within the same transaction: then it stays. */
static bool retain_is_needed(struct store *store, const struct gone *gone)
{
	int64_t bytes = -1;
	return gone->is_body && (!db_number(&store->db, DB_BODY_SIZE, gone->name, -1, &bytes) || bytes >= 0);
}

void retain_unlink(struct store *store)
{
	for (size_t i = 0; i < store->gone_count; i++) {
		const struct gone *gone = &store->gone[i];
		char file[BODY_FILE_BYTES];
		if (retain_is_needed(store, gone))
			continue;
		body_file_name(gone->name, file);
		disk_unlink(gone->is_body ? store->bodies_fd : store->mails_fd,
			    gone->is_body ? file : gone->name);
	}
	store->gone_count = 0;
}

bool retain_commit(struct store *store)
{
	struct db *db = &store->db;
	int64_t bytes = store->hold_bytes + store->pending_bytes;
	int64_t copies = store->hold_copies + store->pending_copies;
	bool is_changed = store->pending_bytes != 0 || store->pending_copies != 0;
	if (is_changed && (!db_run(db, DB_NUMBER_SET, "zi", "hold_bytes", bytes) ||
			   !db_run(db, DB_NUMBER_SET, "zi", "hold_copies", copies) ||
			   !db_run(db, DB_NUMBER_SET, "zi", "expired", store->expired)))
		return false;
	if (!db_commit(db))
		return false;
	store->hold_bytes = bytes;
	store->hold_copies = copies;
	store->pending_bytes = store->pending_copies = 0;
	return true;
}

void retain_rollback(struct store *store)
{
	db_rollback(&store->db);
	store->gone_count = 0;
	store->pending_bytes = store->pending_copies = 0;
}

/* Rows that a query gave: number and mail. Read whole before anything is changed. */
struct retain_rows {
	int64_t n[RETAIN_STEP_ROWS];
	char mail[RETAIN_STEP_ROWS][HOLD_ID_BYTES];
	size_t count;
};

static void retain_read_rows(struct db *db, sqlite3_stmt *stmt, struct retain_rows *rows)
{
	rows->count = 0;
	while (rows->count < RETAIN_STEP_ROWS && db_step(db, stmt)) {
		rows->n[rows->count] = sqlite3_column_int64(stmt, 0);
		held_text(rows->mail[rows->count], HOLD_ID_BYTES, db_column(stmt, 1));
		rows->count++;
	}
	db_done(stmt);
}

static bool retain_end_rows(struct store *store, const struct retain_rows *rows, enum hold_state state)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (!db_run(&store->db, DB_HOLD_SET, "iii", (int64_t)state, store->writer_now_ms, rows->n[i]) ||
		    !retain_settle_mail(store, rows->mail[i]))
			return false;
	}
	store->pending_copies -= (int64_t)rows->count;
	return true;
}

static bool retain_trim_mail(struct store *store, const struct held *held, size_t *trimmed)
{
	struct retain_rows rows;
	for (size_t i = 0; i < held->rcpt_count; i++) {
		struct slice pair = slice_make(held->rcpts[i].pair, sizeof held->rcpts[i].pair);
		if (store->gone_count + RETAIN_PAIR_ROWS * 2 > STORE_GONE_MAX)
			return true; /* enough for one commit; the pair's next copy goes on here */
		retain_read_rows(&store->db, db_query(&store->db, DB_HOLD_SURPLUS, "bii", pair,
				 (int64_t)RETAIN_PAIR_ROWS, (int64_t)STORE_PAIR_WHOLE), &rows);
		if (!retain_end_rows(store, &rows, HOLD_COUNTED))
			return false;
		*trimmed += rows.count;
	}
	return true;
}

static bool retain_is_over(struct store *store, const char *incident)
{
	struct db *db = &store->db;
	sqlite3_stmt *stmt = db_query(db, DB_HOLD_IS_OVER, "zi", incident,
				      store->writer_limits.incident_copies_full);
	bool is_over = db_step(db, stmt);
	db_done(stmt);
	return is_over;
}

/* Ends a transaction of this file: commit and unlink, or as if nothing had been. */
static bool retain_end(struct store *store, bool is_good)
{
	if (is_good && retain_commit(store)) {
		retain_unlink(store);
		return true;
	}
	log_warn("retain-failed", "why=\"%s\"", sqlite3_errmsg(store->db.sql));
	retain_rollback(store);
	return false;
}

void retain_trim(struct store *store, struct batch *batch)
{
	const char *known = NULL;
	bool is_over = false, is_good = true, is_begun = false;
	size_t trimmed = 0;
	for (size_t i = 0; i < batch->hold_count && is_good; i++) {
		const struct held *held = &batch->holds[i]->held;
		if (batch->holds[i]->result != STORE_DONE)
			continue;
		if (!known || strcmp(known, held->incident) != 0)
			is_over = retain_is_over(store, held->incident);
		known = held->incident;
		if (!is_over)
			continue;
		if (!is_begun && !db_begin(&store->db, true))
			return;
		is_begun = true;
		is_good = retain_trim_mail(store, held, &trimmed);
	}
	if (is_begun)
		retain_end(store, is_good);
}

static void retain_expire(struct store *store)
{
	struct db *db = &store->db;
	struct retain_rows rows;
	int64_t before = store->writer_now_ms - store->writer_limits.hold_keep_ms;
	if (store->writer_now_ms == 0)
		return;
	retain_read_rows(db, db_query(db, DB_HOLD_OLD, "ii", before, (int64_t)RETAIN_STEP_ROWS), &rows);
	if (rows.count == 0 || !db_begin(db, true))
		return;
	store->expired += (int64_t)rows.count;
	if (!retain_end(store, retain_end_rows(store, &rows, HOLD_EXPIRED))) {
		store->expired -= (int64_t)rows.count;
		return;
	}
	log_warn("hold-expired", "copies=%zu kept_ms=%lld first=%s", rows.count,
		 (long long)store->writer_limits.hold_keep_ms, rows.mail[0]);
}

/* Ceilings of the rows that only tell: ended holds and incidents. */
static void retain_tidy(struct store *store)
{
	struct db *db = &store->db;
	int64_t ended = 0;
	if (!db_number(db, DB_HOLD_ENDED, NULL, 0, &ended) || !db_begin(db, false))
		return;
	int64_t over = ended - store->writer_limits.hold_copies_max;
	int64_t step = over > 10 * RETAIN_STEP_ROWS ? 10 * RETAIN_STEP_ROWS : over;
	bool is_good = db_run(db, DB_INCIDENT_TRIM, "i", (int64_t)STORE_INCIDENTS_MAX);
	if (is_good && over > 0)
		is_good = db_run(db, DB_HOLD_ENDED_DROP, "i", step) &&
			  db_run(db, DB_MAIL_DROP, "i", step);
	retain_end(store, is_good);
}

void retain_now_and_then(struct store *store)
{
	int64_t now_us = clock_mono_us();
	if (store->db.is_corrupt || now_us - store->retained_us < RETAIN_EVERY_US)
		return;
	if (store->retained_us / RETAIN_TIDY_EVERY_US != now_us / RETAIN_TIDY_EVERY_US)
		retain_tidy(store);
	retain_expire(store);
	store->retained_us = now_us;
}
