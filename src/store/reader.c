/* SPDX-License-Identifier: Apache-2.0
 *
 * reader: the database read-only, for the command line and for release.
 *
 * Statements are made when needed: a reader lives for one command, or asks a few
 * times a second. A database of a daemon that runs, was killed or never ran are all
 * the same to it; what it holds is treated as hostile (text is cut to fit).
 */
#include "store/hold.h"

#include "base/mem.h"
#include "store/db.h"
#include "store/held.h"
#include "store/view.h"

#include <limits.h>

struct store_reader {
	sqlite3 *sql;
};

struct store_reader *store_reader_open(const char *state_dir, struct error *error)
{
	struct store_reader *r = mem_alloc(sizeof *r);
	if (!r) {
		error_set(error, EXIT_UNAVAILABLE, "no memory to read the store");
		return NULL;
	}
	r->sql = db_open_view(&store_schema, state_dir, error);
	if (r->sql)
		return r;
	mem_free(r);
	return NULL;
}

void store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	sqlite3_close(reader->sql);
	mem_free(reader);
}

static sqlite3_stmt *reader_prepare(struct store_reader *r, const char *text, struct error *error)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(r->sql, text, -1, &stmt, NULL) == SQLITE_OK)
		return stmt;
	error_set(error, EXIT_UNAVAILABLE, "quell.db: %s", sqlite3_errmsg(r->sql));
	return NULL;
}

/* Ends a statement whose last step gave rc; row: stopped by the caller. */
static bool reader_end(struct store_reader *r, sqlite3_stmt *stmt, int rc, struct error *error)
{
	bool is_good = rc == SQLITE_DONE || rc == SQLITE_ROW;
	if (!is_good)
		error_set(error, EXIT_UNAVAILABLE, "quell.db: %s", sqlite3_errmsg(r->sql));
	sqlite3_finalize(stmt);
	return is_good;
}

static void reader_bind(sqlite3_stmt *stmt, const char *name, const char *text)
{
	int at = sqlite3_bind_parameter_index(stmt, name);
	if (at > 0)
		sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static void reader_bind_int(sqlite3_stmt *stmt, const char *name, int64_t value)
{
	int at = sqlite3_bind_parameter_index(stmt, name);
	if (at > 0)
		sqlite3_bind_int64(stmt, at, value);
}

static int64_t reader_limit(size_t limit)
{
	return limit == 0 || limit > INT64_MAX ? -1 : (int64_t)limit;
}

static void column_text(sqlite3_stmt *stmt, int column, char *out, size_t out_bytes)
{
	held_text(out, out_bytes, db_column(stmt, column));
}
#define COLUMN_TEXT(stmt, column, array) column_text(stmt, column, array, sizeof(array))

bool store_read_incidents(struct store_reader *r, size_t limit, reader_incident_fn *fn, void *ctx,
			  struct error *error)
{
	int rc = SQLITE_DONE;
	sqlite3_stmt *stmt = reader_prepare(r, "SELECT bytes FROM incidents ORDER BY last_ms DESC LIMIT :limit", error);
	struct incident *incident = stmt ? mem_alloc(sizeof *incident) : NULL;
	if (!incident) {
		sqlite3_finalize(stmt);
		return error_set(error, EXIT_UNAVAILABLE, "no memory to read incidents");
	}
	reader_bind_int(stmt, ":limit", reader_limit(limit));
	/* One that a later version wrote is passed over, not an error. */
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		if (incident_decode(db_column(stmt, 0), incident) && !fn(ctx, incident))
			break;
	mem_free(incident);
	return reader_end(r, stmt, rc, error);
}

bool store_read_incident(struct store_reader *r, const char *id, struct incident *incident_out,
			 bool *is_found_out, struct error *error)
{
	*is_found_out = false;
	sqlite3_stmt *stmt = reader_prepare(r, "SELECT bytes FROM incidents WHERE id=:id", error);
	if (!stmt)
		return false;
	reader_bind(stmt, ":id", id);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*is_found_out = incident_decode(db_column(stmt, 0), incident_out);
	return reader_end(r, stmt, rc, error);
}

#define HOLD_COLUMNS "SELECT m.id, h.incident, h.time_ms, h.state, h.deed, h.pair, h.rcpt, m.mail_from," \
	" m.queue_id, m.reason, m.rule, m.bytes FROM holds h JOIN mails m ON m.id=h.mail "

static void hold_row_read(sqlite3_stmt *stmt, struct hold_row *row)
{
	*row = (struct hold_row){ 0 };
	COLUMN_TEXT(stmt, 0, row->id);
	COLUMN_TEXT(stmt, 1, row->incident);
	row->time_ms = sqlite3_column_int64(stmt, 2);
	int state = sqlite3_column_int(stmt, 3);
	row->state = state >= HOLD_KEPT && state <= HOLD_COUNTED ? (enum hold_state)state : HOLD_EXPIRED;
	row->deed = sqlite3_column_int(stmt, 4) == DEED_SUPPRESS ? DEED_SUPPRESS : DEED_HOLD;
	struct slice pair = db_column(stmt, 5);
	if (pair.len == sizeof row->pair)
		memcpy(row->pair, pair.ptr, sizeof row->pair);
	COLUMN_TEXT(stmt, 6, row->rcpt);
	COLUMN_TEXT(stmt, 7, row->mail_from);
	COLUMN_TEXT(stmt, 8, row->queue_id);
	COLUMN_TEXT(stmt, 9, row->reason);
	COLUMN_TEXT(stmt, 10, row->rule);
	row->bytes = (uint64_t)sqlite3_column_int64(stmt, 11);
}

bool store_read_holds(struct store_reader *r, const char *incident, int state, size_t limit,
		      reader_hold_fn *fn, void *ctx, struct error *error)
{
	/* Four texts, so that each finds its index. */
	static const char *const texts[] = {
		HOLD_COLUMNS "ORDER BY h.n DESC LIMIT :limit",
		HOLD_COLUMNS "WHERE h.state=:state ORDER BY h.time_ms DESC, h.n DESC LIMIT :limit",
		HOLD_COLUMNS "WHERE h.incident=:incident ORDER BY h.time_ms DESC, h.n DESC LIMIT :limit",
		HOLD_COLUMNS "WHERE h.incident=:incident AND h.state=:state"
			     " ORDER BY h.time_ms DESC, h.n DESC LIMIT :limit",
	};
	struct hold_row row;
	int rc = SQLITE_DONE;
	sqlite3_stmt *stmt = reader_prepare(r, texts[(incident ? 2 : 0) + (state >= 0)], error);
	if (!stmt)
		return false;
	if (incident)
		reader_bind(stmt, ":incident", incident);
	reader_bind_int(stmt, ":state", state);
	reader_bind_int(stmt, ":limit", reader_limit(limit));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		hold_row_read(stmt, &row);
		if (!fn(ctx, &row))
			break;
	}
	return reader_end(r, stmt, rc, error);
}

static void decision_row_read(sqlite3_stmt *stmt, struct decision_row *row)
{
	*row = (struct decision_row){ 0 };
	row->id = sqlite3_column_int64(stmt, 0);
	row->time_ms = sqlite3_column_int64(stmt, 1);
	COLUMN_TEXT(stmt, 2, row->queue_id);
	COLUMN_TEXT(stmt, 3, row->mail_from);
	COLUMN_TEXT(stmt, 4, row->rcpt);
	COLUMN_TEXT(stmt, 5, row->client);
	COLUMN_TEXT(stmt, 6, row->message_id);
	int deed = sqlite3_column_int(stmt, 7);
	if (deed >= 0 && deed < DEED_COUNT)
		held_text(row->deed, sizeof row->deed, slice_from_str(deed_name((enum deed)deed)));
	COLUMN_TEXT(stmt, 8, row->tier);
	COLUMN_TEXT(stmt, 9, row->rule);
	COLUMN_TEXT(stmt, 10, row->reason);
	COLUMN_TEXT(stmt, 11, row->incident);
}

static bool read_decisions_by(struct store_reader *r, const char *text, const char *id, size_t limit,
			      reader_decision_fn *fn, void *ctx, size_t *count, struct error *error)
{
	struct decision_row row;
	int rc = SQLITE_DONE;
	sqlite3_stmt *stmt = reader_prepare(r, text, error);
	if (!stmt)
		return false;
	reader_bind(stmt, ":id", id);
	reader_bind_int(stmt, ":limit", reader_limit(limit));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		decision_row_read(stmt, &row);
		++*count;
		if (!fn(ctx, &row))
			break;
	}
	return reader_end(r, stmt, rc, error);
}

bool store_read_decisions(struct store_reader *r, const char *id, size_t limit, reader_decision_fn *fn,
			  void *ctx, struct error *error)
{
	/* The first that gives a row wins. The last: a held mail tells why by itself,
	 * when its decision has long been forgotten. */
	static const char *const texts[] = {
		"SELECT * FROM decisions WHERE queue_id=:id ORDER BY n DESC LIMIT :limit",
		"SELECT * FROM decisions WHERE n=CAST(:id AS INTEGER) AND CAST(CAST(:id AS INTEGER) AS TEXT)=:id",
		"SELECT d.* FROM mails m JOIN decisions d ON d.queue_id=m.queue_id WHERE m.id=:id"
		" AND m.queue_id<>'' ORDER BY d.n DESC LIMIT :limit",
		"SELECT * FROM decisions WHERE incident=:id ORDER BY n DESC LIMIT :limit",
		"SELECT 0, m.time_ms, m.queue_id, m.mail_from, h.rcpt, m.client, '', h.deed, '', m.rule, m.reason,"
		" m.incident FROM mails m JOIN holds h ON h.mail=m.id WHERE m.id=:id ORDER BY h.n LIMIT :limit",
	};
	size_t count = 0;
	if (id[0] == '\0')
		return true;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0] && count == 0; i++)
		if (!read_decisions_by(r, texts[i], id, limit, fn, ctx, &count, error))
			return false;
	return true;
}

bool store_read_counters(struct store_reader *r, reader_counter_fn *fn, void *ctx, struct error *error)
{
	char name[128];
	int rc = SQLITE_DONE;
	sqlite3_stmt *stmt = reader_prepare(r, "SELECT name, value FROM counters ORDER BY name", error);
	if (!stmt)
		return false;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		COLUMN_TEXT(stmt, 0, name);
		if (!fn(ctx, name, (uint64_t)sqlite3_column_int64(stmt, 1)))
			break;
	}
	return reader_end(r, stmt, rc, error);
}

bool store_read_note(struct store_reader *r, const char *name, struct buf *out, struct error *error)
{
	sqlite3_stmt *stmt = reader_prepare(r, "SELECT text FROM notes WHERE name=:name", error);
	if (!stmt)
		return false;
	reader_bind(stmt, ":name", name);
	int rc = sqlite3_step(stmt);
	bool is_found = rc == SQLITE_ROW && buf_add(out, db_column(stmt, 0));
	if (rc == SQLITE_DONE)
		error_set(error, EXIT_FOUND, "there is no note \"%s\"", name);
	return reader_end(r, stmt, rc, error) && is_found;
}

static size_t next_by(struct store_reader *r, const char *text, const struct hold_query *query, int64_t life,
		      struct hold_row *rows_out, size_t max)
{
	size_t count = 0;
	sqlite3_stmt *stmt = reader_prepare(r, text, NULL);
	if (!stmt)
		return 0;
	if (query->incident)
		reader_bind(stmt, ":what", query->incident);
	else if (query->hold_id)
		reader_bind(stmt, ":what", query->hold_id);
	else
		sqlite3_bind_blob(stmt, sqlite3_bind_parameter_index(stmt, ":what"), query->pair, 12, SQLITE_STATIC);
	reader_bind_int(stmt, ":life", life);
	reader_bind_int(stmt, ":limit", (int64_t)max);
	while (count < max && sqlite3_step(stmt) == SQLITE_ROW)
		hold_row_read(stmt, &rows_out[count++]);
	sqlite3_finalize(stmt);
	return count;
}

/* Rows that an earlier life left RELEASING come first, then the kept ones; those that
 * a relay refused only when they are asked for by their id. */
#define OLDER " AND h.state=1 AND h.life<:life"
#define KEPT " AND h.state=0"

size_t view_next(struct store_reader *r, const struct hold_query *query, int64_t life,
		 struct hold_row *rows_out, size_t max)
{
	static const char *const texts[][2] = {
		{ HOLD_COLUMNS "WHERE h.incident=:what" OLDER " ORDER BY h.time_ms, h.n LIMIT :limit",
		  HOLD_COLUMNS "WHERE h.incident=:what" KEPT " ORDER BY h.time_ms, h.n LIMIT :limit" },
		{ HOLD_COLUMNS "WHERE h.mail=:what" OLDER " ORDER BY h.n LIMIT :limit",
		  HOLD_COLUMNS "WHERE h.mail=:what AND h.state IN (0,2) ORDER BY h.n LIMIT :limit" },
		{ HOLD_COLUMNS "WHERE h.pair=:what" OLDER " ORDER BY h.time_ms DESC, h.n DESC LIMIT :limit",
		  HOLD_COLUMNS "WHERE h.pair=:what" KEPT " ORDER BY h.time_ms DESC, h.n DESC LIMIT :limit" },
	};
	if (!query->incident && !query->hold_id && !query->pair)
		return 0;
	size_t which = query->incident ? 0 : query->hold_id ? 1 : 2;
	if (which == 2 && max > 1)
		max = 1;
	size_t count = next_by(r, texts[which][0], query, life, rows_out, max);
	return count + next_by(r, texts[which][1], query, life, rows_out + count, max - count);
}

size_t view_jobs(struct store_reader *r, struct release_job *jobs_out, size_t max)
{
	size_t count = 0;
	sqlite3_stmt *stmt = reader_prepare(r, "SELECT what, is_incident, per_minute, asked_ms, done, failed"
					    " FROM jobs ORDER BY asked_ms, what", NULL);
	while (stmt && count < max && sqlite3_step(stmt) == SQLITE_ROW) {
		struct release_job *job = &jobs_out[count++];
		*job = (struct release_job){ 0 };
		COLUMN_TEXT(stmt, 0, job->what);
		job->is_incident = sqlite3_column_int(stmt, 1) != 0;
		job->per_minute = (unsigned)sqlite3_column_int64(stmt, 2);
		job->asked_ms = sqlite3_column_int64(stmt, 3);
		job->done = (uint64_t)sqlite3_column_int64(stmt, 4);
		job->failed = (uint64_t)sqlite3_column_int64(stmt, 5);
	}
	sqlite3_finalize(stmt);
	return count;
}
