/* SPDX-License-Identifier: Apache-2.0
 *
 * db: the one SQLite connection that writes, and the read-only ones beside it.
 *
 * WAL, STRICT tables, synchronous=NORMAL (FULL around what must be durable in
 * itself), no extensions, no mmap (libs.md trap 15: only one connection writes and
 * checkpoints). Tables and statements are those of a schema (schema.c: quell.db; ledger.c:
 * fetch.db); statements are prepared once.
 */
#ifndef QUELL_STORE_DB_H
#define QUELL_STORE_DB_H

#include "base/error.h"
#include "base/slice.h"

#include <sqlite3.h>

enum db_stmt {
	DB_MAIL_ADD, DB_MAIL_WHOLE, DB_MAIL_GONE, DB_MAIL_NEXT_WHOLE,
	DB_HOLD_ADD, DB_HOLD_SURPLUS, DB_HOLD_SET, DB_HOLD_MARK, DB_HOLD_IS_SO,
	DB_HOLD_IS_LIVE, DB_HOLD_IS_OVER, DB_HOLD_OLD, DB_HOLD_LOST, DB_HOLD_ENDED,
	DB_HOLD_ENDED_DROP, DB_MAIL_DROP,
	DB_BODY_SIZE, DB_BODY_REF, DB_BODY_UNREF, DB_BODY_DROP,
	DB_DECISION_ADD, DB_DECISION_TRIM,
	DB_INCIDENT_SET, DB_INCIDENT_TRIM,
	DB_COUNTERS_CLEAR, DB_COUNTER_SET,
	DB_NOTE_SET, DB_NUMBER_SET, DB_NUMBER_GET,
	DB_JOB_SET, DB_JOB_DROP,
	DB_STMT_COUNT
};

/* One kind of database file. */
struct db_schema {
	const char *file;            /* its name in the folder */
	int version;                 /* user_version, which tables must set */
	const char *tables;
	const char *const *texts;    /* of the statements, by number */
	size_t count;
	const char *when_replaced;   /* what is lost when a damaged one is replaced, for the log; NULL:
					it never is, db_open says so and leaves it as it lies */
};
extern const struct db_schema store_schema;

enum { DB_STMTS_MAX = 40 };

struct db {
	const struct db_schema *schema;
	sqlite3 *sql;
	sqlite3_stmt *stmts[DB_STMTS_MAX];
	bool is_corrupt;     /* some statement met a damaged page */
	bool is_full;        /* the last failure was for want of room */
	bool is_durable;     /* synchronous is FULL now */
};

/* Opens the file in dir and makes its tables; moves a damaged one aside first
 * (*was_damaged_out), where the schema allows that. False: it cannot be opened just now. */
bool db_open(struct db *db, const struct db_schema *schema, const char *dir, bool *was_damaged_out,
	     struct error *error);
void db_close(struct db *db);
/* Closes, moves the files of the database aside, opens a new one. */
bool db_replace(struct db *db, const char *dir, struct error *error);
/* Read-only, for readers of this and other processes; NULL and the reason. */
sqlite3 *db_open_view(const struct db_schema *schema, const char *dir, struct error *error);

/* The same with the statements prepared; end it with db_close. */
bool db_open_to_read(struct db *db, const struct db_schema *schema, const char *dir, struct error *error);

bool db_begin(struct db *db, bool want_durable);
bool db_commit(struct db *db);
void db_rollback(struct db *db);

/* Arguments by letter: i int64_t, z const char *, s struct slice (text), b struct
 * slice (blob). db_run steps to the end. db_query gives the bound statement (or
 * NULL); step it with db_step, end it with db_done. */
bool db_run(struct db *db, unsigned stmt, const char *types, ...);
sqlite3_stmt *db_query(struct db *db, unsigned stmt, const char *types, ...);
bool db_step(struct db *db, sqlite3_stmt *stmt);
void db_done(sqlite3_stmt *stmt);
/* Rows that the last db_run changed. */
int64_t db_changes(const struct db *db);
/* One number; fallback when there is no row. False on trouble. */
bool db_number(struct db *db, unsigned stmt, const char *name, int64_t fallback, int64_t *value_out);

/* A column as bytes, alive until the next step. */
struct slice db_column(sqlite3_stmt *stmt, int column);

#endif
