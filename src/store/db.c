/* SPDX-License-Identifier: Apache-2.0
 *
 * db: SQLite with its settings, tables and statements in one place.
 */
#include "store/db.h"

#include "base/log.h"
#include "store/disk.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DB_VERSION = 1, DB_BUSY_MS = 5000, DB_CHECKED_BYTES_MAX = 16 * 1024 * 1024 };

static const char db_tables[] =
	"CREATE TABLE mails (id TEXT PRIMARY KEY, time_ms INTEGER NOT NULL, incident TEXT NOT NULL,"
	" queue_id TEXT NOT NULL, mail_from TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL,"
	" rule TEXT NOT NULL, reason TEXT NOT NULL, instance BLOB NOT NULL, body TEXT NOT NULL,"
	" bytes INTEGER NOT NULL, disk_bytes INTEGER NOT NULL, is_whole INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX mails_queue ON mails(queue_id);"
	"CREATE TABLE holds (n INTEGER PRIMARY KEY, mail TEXT NOT NULL, rcpt TEXT NOT NULL,"
	" pair BLOB NOT NULL, incident TEXT NOT NULL, time_ms INTEGER NOT NULL, deed INTEGER NOT NULL,"
	" state INTEGER NOT NULL, life INTEGER NOT NULL, changed_ms INTEGER NOT NULL) STRICT;"
	"CREATE INDEX holds_mail ON holds(mail);"
	"CREATE INDEX holds_pair ON holds(pair, state, time_ms, n);"
	"CREATE INDEX holds_incident ON holds(incident, state, time_ms, n);"
	"CREATE INDEX holds_age ON holds(state, time_ms, n);"
	"CREATE TABLE bodies (hash TEXT PRIMARY KEY, refs INTEGER NOT NULL, disk_bytes INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE decisions (n INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL,"
	" queue_id TEXT NOT NULL, mail_from TEXT NOT NULL, rcpt TEXT NOT NULL, client TEXT NOT NULL,"
	" message_id TEXT NOT NULL, deed INTEGER NOT NULL, tier TEXT NOT NULL, rule TEXT NOT NULL,"
	" reason TEXT NOT NULL, incident TEXT NOT NULL) STRICT;"
	"CREATE INDEX decisions_queue ON decisions(queue_id);"
	"CREATE INDEX decisions_incident ON decisions(incident);"
	"CREATE TABLE incidents (id TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
	" class INTEGER NOT NULL, state INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX incidents_last ON incidents(last_ms);"
	"CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL, time_ms INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE notes (name TEXT PRIMARY KEY, text BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE jobs (what TEXT PRIMARY KEY, is_incident INTEGER NOT NULL, per_minute INTEGER NOT NULL,"
	" asked_ms INTEGER NOT NULL, done INTEGER NOT NULL, failed INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=1;";

_Static_assert(HOLD_KEPT == 0 && HOLD_RELEASING == 1 && HOLD_REFUSED == 2 && HOLD_RELEASED == 3 &&
	       HOLD_EXPIRED == 4 && HOLD_COUNTED == 5, "the statements below know the states by number");

static const char *const db_texts[DB_STMT_COUNT] = {
	[DB_MAIL_ADD] = "INSERT INTO mails VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,1)",
	[DB_MAIL_WHOLE] = "SELECT is_whole, disk_bytes, body FROM mails WHERE id=?",
	[DB_MAIL_GONE] = "UPDATE mails SET is_whole=0 WHERE id=?",
	[DB_MAIL_NEXT_WHOLE] = "SELECT id FROM mails WHERE id>? AND is_whole=1 ORDER BY id LIMIT ?",
	[DB_HOLD_ADD] = "INSERT INTO holds(mail,rcpt,pair,incident,time_ms,deed,state,life,changed_ms)"
			" VALUES(?,?,?,?,?,?,0,?,?)",
	/* The kept rows of a pair beyond its newest. */
	[DB_HOLD_SURPLUS] = "SELECT n, mail FROM holds WHERE pair=? AND state=0"
			    " ORDER BY time_ms DESC, n DESC LIMIT ? OFFSET ?",
	[DB_HOLD_SET] = "UPDATE holds SET state=?, changed_ms=? WHERE n=? AND state IN (0,2)",
	[DB_HOLD_MARK] = "UPDATE holds SET state=?, life=?, changed_ms=?"
			 " WHERE mail=? AND rcpt=? AND state<3",
	[DB_HOLD_IS_SO] = "SELECT 1 FROM holds WHERE mail=? AND rcpt=? AND state=? LIMIT 1",
	[DB_HOLD_IS_LIVE] = "SELECT 1 FROM holds WHERE mail=? AND state<3 LIMIT 1",
	[DB_HOLD_IS_OVER] = "SELECT 1 FROM holds WHERE incident=? AND state=0 LIMIT 1 OFFSET ?",
	[DB_HOLD_OLD] = "SELECT n, mail, incident FROM holds WHERE state IN (0,2) AND time_ms<?"
			" ORDER BY time_ms, n LIMIT ?",
	[DB_HOLD_LOST] = "UPDATE holds SET state=4, changed_ms=? WHERE mail=? AND state<3",
	[DB_HOLD_ENDED] = "SELECT count(*) FROM holds WHERE state>2",
	[DB_HOLD_ENDED_DROP] = "DELETE FROM holds WHERE n IN (SELECT n FROM holds WHERE state>2"
			       " ORDER BY n LIMIT ?)",
	[DB_MAIL_DROP] = "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE is_whole=0 AND NOT EXISTS"
			 " (SELECT 1 FROM holds WHERE mail=mails.id) LIMIT ?)",
	[DB_BODY_SIZE] = "SELECT disk_bytes FROM bodies WHERE hash=?",
	[DB_BODY_REF] = "INSERT INTO bodies VALUES(?,1,?) ON CONFLICT(hash) DO UPDATE SET refs=refs+1",
	[DB_BODY_UNREF] = "UPDATE bodies SET refs=refs-1 WHERE hash=? RETURNING refs, disk_bytes",
	[DB_BODY_DROP] = "DELETE FROM bodies WHERE hash=?",
	[DB_DECISION_ADD] = "INSERT INTO decisions(time_ms,queue_id,mail_from,rcpt,client,message_id,deed,tier,"
			    "rule,reason,incident) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[DB_DECISION_TRIM] = "DELETE FROM decisions WHERE n<=(SELECT max(n) FROM decisions)-?",
	[DB_INCIDENT_SET] = "INSERT OR REPLACE INTO incidents VALUES(?,?,?,?,?,?)",
	[DB_INCIDENT_TRIM] = "DELETE FROM incidents WHERE id IN"
			     " (SELECT id FROM incidents ORDER BY last_ms DESC LIMIT -1 OFFSET ?)",
	[DB_COUNTERS_CLEAR] = "DELETE FROM counters",
	[DB_COUNTER_SET] = "INSERT OR REPLACE INTO counters VALUES(?,?,?)",
	[DB_NOTE_SET] = "INSERT OR REPLACE INTO notes VALUES(?,?)",
	[DB_NUMBER_SET] = "INSERT OR REPLACE INTO numbers VALUES(?,?)",
	[DB_NUMBER_GET] = "SELECT value FROM numbers WHERE name=?",
	[DB_JOB_SET] = "INSERT OR REPLACE INTO jobs VALUES(?,?,?,?,?,?)",
	[DB_JOB_DROP] = "DELETE FROM jobs WHERE what=?",
};

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
	for (size_t i = 0; i < DB_STMT_COUNT; i++)
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
	for (size_t i = 0; i < DB_STMT_COUNT; i++) {
		int rc = sqlite3_prepare_v3(db->sql, db_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
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
	if (version == DB_VERSION)
		return true;
	if (version != 0) {
		db->is_corrupt = true; /* a later Quell's: kept aside, like a damaged one */
		return false;
	}
	if (db_exec(db, "BEGIN IMMEDIATE") && db_exec(db, db_tables) && db_exec(db, "COMMIT"))
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

static bool db_open_once(struct db *db, const char *dir, struct error *error)
{
	char path[PATH_MAX];
	*db = (struct db){ 0 };
	snprintf(path, sizeof path, "%s/quell.db", dir);
	db_make_file(path);
	int rc = sqlite3_open_v2(path, &db->sql,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				 SQLITE_OPEN_NOFOLLOW, NULL);
	if (db_note(db, rc) && db_set_up(db, path))
		return true;
	return error_set(error, EXIT_UNAVAILABLE, "%s: %s", path,
			 db->is_corrupt ? "this is not a sound database of Quell" : sqlite3_errmsg(db->sql));
}

static void db_move_aside(const char *dir)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	char from[PATH_MAX], to[PATH_MAX];
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		snprintf(from, sizeof from, "%s/quell.db%s", dir, endings[i]);
		snprintf(to, sizeof to, "%s/quell.db.damaged%s", dir, endings[i]);
		unlink(to);
		if (rename(from, to) != 0 && errno != ENOENT)
			unlink(from);
	}
	log_error("database-damaged", "file=quell.db moved_to=quell.db.damaged "
		  "consequence=\"decisions are lost, the index of the hold is made again\"");
}

bool db_replace(struct db *db, const char *dir, struct error *error)
{
	db_close(db);
	db_move_aside(dir);
	if (db_open_once(db, dir, error))
		return true;
	db_close(db);
	return false;
}

bool db_open(struct db *db, const char *dir, bool *was_damaged_out, struct error *error)
{
	struct error first = { 0 };
	*was_damaged_out = false;
	if (db_open_once(db, dir, &first))
		return true;
	if (db->is_corrupt) {
		*was_damaged_out = true;
		return db_replace(db, dir, error);
	}
	db_close(db);
	return error_set(error, first.status, "%s", first.text);
}

sqlite3 *db_open_view(const char *dir, struct error *error)
{
	char path[PATH_MAX];
	sqlite3 *sql = NULL;
	snprintf(path, sizeof path, "%s/quell.db", dir);
	int rc = sqlite3_open_v2(path, &sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(sql, DB_BUSY_MS);
		sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		rc = sqlite3_exec(sql, "PRAGMA query_only=1; PRAGMA mmap_size=0; SELECT 1 FROM numbers LIMIT 1",
				  NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		return sql;
	error_set(error, EXIT_UNAVAILABLE, "%s: %s", path, sql ? sqlite3_errmsg(sql) : "no memory");
	sqlite3_close(sql);
	return NULL;
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

static sqlite3_stmt *db_bind(struct db *db, enum db_stmt which, const char *types, va_list *args)
{
	sqlite3_stmt *stmt = db->stmts[which];
	for (int i = 0; stmt && types[i]; i++)
		if (!db_note(db, db_bind_one(stmt, i + 1, types[i], args)))
			return NULL;
	return stmt;
}

bool db_run(struct db *db, enum db_stmt which, const char *types, ...)
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

sqlite3_stmt *db_query(struct db *db, enum db_stmt which, const char *types, ...)
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

bool db_number(struct db *db, enum db_stmt which, const char *name, int64_t fallback, int64_t *value_out)
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
