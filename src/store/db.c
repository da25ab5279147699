/* SPDX-License-Identifier: Apache-2.0
 *
 * db: SQLite with its settings in one place; tables and statements come from a schema.
 */
#include "store/db.h"

#include "base/log.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DB_BUSY_MS = 5000, DB_CHECKED_BYTES_MAX = 16 * 1024 * 1024 };

/* Keeps what matters of a result code; true when it is a good one. */
static bool db_note(struct db *db, int rc)
{
	int primary = rc & 0xff;
	if (primary == SQLITE_OK || primary == SQLITE_ROW || primary == SQLITE_DONE)
		return true;
	if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
		db->is_corrupt = true;
	db->is_full = primary == SQLITE_FULL ||
		      (primary == SQLITE_IOERR && disk_is_full_errno(sqlite3_system_errno(db->sql)));
	return false;
}

static bool db_exec(struct db *db, const char *text)
{
	return db_note(db, sqlite3_exec(db->sql, text, NULL, NULL, NULL));
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < DB_STMTS_MAX; i++)
		sqlite3_finalize(db->stmts[i]);
	sqlite3_close(db->sql);
	*db = (struct db){ 0 };
}

static bool db_read_int(struct db *db, const char *text, int *value_out)
{
	sqlite3_stmt *stmt = NULL;
	bool is_read = db_note(db, sqlite3_prepare_v2(db->sql, text, -1, &stmt, NULL));
	if (is_read) {
		int rc = sqlite3_step(stmt);
		is_read = db_note(db, rc) && rc == SQLITE_ROW;
		*value_out = sqlite3_column_int(stmt, 0);
	}
	sqlite3_finalize(stmt);
	return is_read;
}

/* A small file is looked at whole; of a large one only what start-up reads anyway:
 * damage elsewhere is met later, and then mended by db_replace. */
static bool db_is_sound(struct db *db, const char *path)
{
	struct stat st;
	sqlite3_stmt *stmt = NULL;
	if (stat(path, &st) != 0 || st.st_size > DB_CHECKED_BYTES_MAX)
		return true;
	if (!db_note(db, sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &stmt, NULL)))
		return false;
	int rc = sqlite3_step(stmt);
	bool is_sound = rc == SQLITE_ROW && slice_equal(db_column(stmt, 0), SLICE("ok"));
	if (rc == SQLITE_ROW && !is_sound)
		db->is_corrupt = true;
	db_note(db, rc);
	sqlite3_finalize(stmt);
	return is_sound;
}

static bool db_prepare_all(struct db *db)
{
	for (size_t i = 0; i < db->schema->count; i++) {
		int rc = sqlite3_prepare_v3(db->sql, db->schema->texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &db->stmts[i], NULL);
		/* SQLITE_ERROR here: tables are not as we make them. */
		if ((rc & 0xff) == SQLITE_ERROR)
			db->is_corrupt = true;
		if (!db_note(db, rc))
			return false;
	}
	return true;
}

static bool db_make_tables(struct db *db)
{
	int version = 0;
	if (!db_read_int(db, "PRAGMA user_version", &version))
		return false;
	if (version == db->schema->version)
		return true;
	if (version != 0) {
		db->is_corrupt = true; /* a later Quell's: kept aside, like a damaged one */
		return false;
	}
	if (db_exec(db, "BEGIN IMMEDIATE") && db_exec(db, db->schema->tables) && db_exec(db, "COMMIT"))
		return true;
	/* Tables that stand in the way of ours, in a file without our version. */
	db->is_corrupt |= sqlite3_errcode(db->sql) == SQLITE_ERROR;
	return false;
}

static bool db_set_up(struct db *db, const char *path)
{
	sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
			   "PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=16777216;"
			   "PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=1000;") &&
	       db_is_sound(db, path) && db_make_tables(db) && db_prepare_all(db);
}

/* SQLite would make it readable for all; its -wal and -shm take after it. An existing
 * file is not opened: closing it would drop the locks of a reader in this process. */
static void db_make_file(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0)
		return;
	int fd = disk_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL);
	if (fd >= 0)
		close(fd);
}

static bool db_open_once(struct db *db, const struct db_schema *schema, const char *dir, struct error *error)
{
	char path[PATH_MAX];
	*db = (struct db){ .schema = schema };
	snprintf(path, sizeof path, "%s/%s", dir, schema->file);
	db_make_file(path);
	int rc = sqlite3_open_v2(path, &db->sql,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				 SQLITE_OPEN_NOFOLLOW, NULL);
	if (db_note(db, rc) && db_set_up(db, path))
		return true;
	return error_set(error, EXIT_UNAVAILABLE, "%s: %s", path,
			 db->is_corrupt ? "this is not a sound database of Quell" : sqlite3_errmsg(db->sql));
}

static void db_move_aside(const struct db_schema *schema, const char *dir)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	char from[PATH_MAX], to[PATH_MAX];
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		snprintf(from, sizeof from, "%s/%s%s", dir, schema->file, endings[i]);
		snprintf(to, sizeof to, "%s/%s.damaged%s", dir, schema->file, endings[i]);
		unlink(to);
		if (rename(from, to) != 0 && errno != ENOENT)
			unlink(from);
	}
	log_error("database-damaged", "file=%s moved_to=%s.damaged consequence=\"%s\"", schema->file, schema->file,
		  schema->when_replaced);
}

bool db_replace(struct db *db, const char *dir, struct error *error)
{
	const struct db_schema *schema = db->schema;
	db_close(db);
	db_move_aside(schema, dir);
	if (db_open_once(db, schema, dir, error))
		return true;
	db_close(db);
	return false;
}

bool db_open(struct db *db, const struct db_schema *schema, const char *dir, bool *was_damaged_out,
	     struct error *error)
{
	struct error first = { 0 };
	*was_damaged_out = false;
	if (db_open_once(db, schema, dir, &first))
		return true;
	if (db->is_corrupt && schema->when_replaced) {
		*was_damaged_out = true;
		return db_replace(db, dir, error);
	}
	db_close(db);
	return error_set(error, first.status, "%s", first.text);
}

sqlite3 *db_open_view(const struct db_schema *schema, const char *dir, struct error *error)
{
	char path[PATH_MAX];
	sqlite3 *sql = NULL;
	snprintf(path, sizeof path, "%s/%s", dir, schema->file);
	int rc = sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(sql, DB_BUSY_MS);
		sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		rc = sqlite3_exec(sql, "PRAGMA query_only=1; PRAGMA mmap_size=0; SELECT 1 FROM sqlite_schema LIMIT 1",
				  NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		return sql;
	error_set(error, EXIT_UNAVAILABLE, "%s: %s", path, sql ? sqlite3_errmsg(sql) : "no memory");
	sqlite3_close(sql);
	return NULL;
}

bool db_open_to_read(struct db *db, const struct db_schema *schema, const char *dir, struct error *error)
{
	*db = (struct db){ .schema = schema };
	db->sql = db_open_view(schema, dir, error);
	if (!db->sql)
		return false;
	if (db_prepare_all(db))
		return true;
	error_set(error, EXIT_UNAVAILABLE, "%s/%s: %s", dir, schema->file, sqlite3_errmsg(db->sql));
	db_close(db);
	return false;
}

bool db_begin(struct db *db, bool want_durable)
{
	if (!db->sql)
		return false;
	db->is_full = false;
	if (want_durable != db->is_durable) {
		if (!db_exec(db, want_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"))
			return false;
		db->is_durable = want_durable;
	}
	return db_exec(db, "BEGIN IMMEDIATE");
}

bool db_commit(struct db *db)
{
	return db_exec(db, "COMMIT");
}

void db_rollback(struct db *db)
{
	/* The flags of the failure outlive the rollback. */
	if (db->sql && !sqlite3_get_autocommit(db->sql))
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
}

static int db_bind_one(sqlite3_stmt *stmt, int at, char type, va_list *args)
{
	struct slice s;
	switch (type) {
	case 'i':
		return sqlite3_bind_int64(stmt, at, va_arg(*args, int64_t));
	case 'z':
		return sqlite3_bind_text(stmt, at, va_arg(*args, const char *), -1, SQLITE_STATIC);
	default:
		s = va_arg(*args, struct slice);
		if (!s.ptr)
			s.ptr = "";
		return type == 'b' ? sqlite3_bind_blob64(stmt, at, s.ptr, s.len, SQLITE_STATIC)
				   : sqlite3_bind_text64(stmt, at, s.ptr, s.len, SQLITE_STATIC, SQLITE_UTF8);
	}
}

static sqlite3_stmt *db_bind(struct db *db, unsigned which, const char *types, va_list *args)
{
	sqlite3_stmt *stmt = db->stmts[which];
	for (int i = 0; stmt && types[i]; i++)
		if (!db_note(db, db_bind_one(stmt, i + 1, types[i], args)))
			return NULL;
	return stmt;
}

bool db_run(struct db *db, unsigned which, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	sqlite3_stmt *stmt = db_bind(db, which, types, &args);
	va_end(args);
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_MISUSE;
	while (rc == SQLITE_ROW)
		rc = sqlite3_step(stmt);
	bool is_done = db_note(db, rc);
	db_done(stmt);
	return is_done;
}

sqlite3_stmt *db_query(struct db *db, unsigned which, const char *types, ...)
{
	va_list args;
	va_start(args, types);
	sqlite3_stmt *stmt = db_bind(db, which, types, &args);
	va_end(args);
	return stmt;
}

bool db_step(struct db *db, sqlite3_stmt *stmt)
{
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_MISUSE;
	return db_note(db, rc) && rc == SQLITE_ROW;
}

void db_done(sqlite3_stmt *stmt)
{
	if (stmt) {
		sqlite3_reset(stmt);
		sqlite3_clear_bindings(stmt);
	}
}

int64_t db_changes(const struct db *db)
{
	return sqlite3_changes64(db->sql);
}

bool db_number(struct db *db, unsigned which, const char *name, int64_t fallback, int64_t *value_out)
{
	sqlite3_stmt *stmt = name ? db_query(db, which, "z", name) : db_query(db, which, "");
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_MISUSE;
	*value_out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : fallback;
	bool is_read = db_note(db, rc);
	db_done(stmt);
	return is_read;
}

struct slice db_column(sqlite3_stmt *stmt, int column)
{
	const void *ptr = sqlite3_column_blob(stmt, column);
	int len = sqlite3_column_bytes(stmt, column);
	return slice_make(ptr, ptr && len > 0 ? (size_t)len : 0);
}
