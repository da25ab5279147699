/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger: the tables of fetch.db, and what changes them.
 *
 * The second key stands in an index over rows that have a mailbox and bytes; a TWIN has
 * no mailbox, so it is outside. The reading half is ledger_read.c.
 */
#include "store/ledger_inside.h"

#include "base/mem.h"

#include <stdio.h>

static const char tables[] =
	"CREATE TABLE mails (id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, key TEXT NOT NULL,"
	" state INTEGER NOT NULL, size INTEGER NOT NULL, top BLOB NOT NULL, print BLOB, mailbox TEXT,"
	" return_path TEXT NOT NULL, segment INTEGER NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" fetched_ms INTEGER NOT NULL, settled_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
	" tries INTEGER NOT NULL, is_on_server INTEGER NOT NULL, flags INTEGER NOT NULL, why TEXT NOT NULL,"
	" UNIQUE(account, key)) STRICT;"
	"CREATE UNIQUE INDEX mails_print ON mails(print, mailbox) WHERE mailbox IS NOT NULL AND print IS NOT NULL;"
	"CREATE INDEX mails_moving ON mails(state, due_ms, id) WHERE state IN (2,3,7);"
	"CREATE INDEX mails_server ON mails(account) WHERE is_on_server=1;"
	"CREATE INDEX mails_old ON mails(settled_ms) WHERE is_on_server=0 AND state NOT IN (2,3,7);"
	"CREATE TABLE accounts (name TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, polled_ms INTEGER NOT NULL,"
	" usual_new INTEGER NOT NULL, polls INTEGER NOT NULL, stopped TEXT NOT NULL, answer TEXT NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=1;";

_Static_assert(LEDGER_WAITING == 2 && LEDGER_SENDING == 3 && LEDGER_QUARANTINE == 7,
	       "the statements know the states by number");

/* SQLite takes an index over some rows only where the query says the same words. */
#define OPEN_ROWS "state IN (2,3,7) AND "

static const char *const texts[LEDGER_STMT_COUNT] = {
	[LEDGER_ADD] = "INSERT INTO mails(account,key,state,size,top,print,mailbox,return_path,segment,at,bytes,"
		       "fetched_ms,settled_ms,due_ms,tries,is_on_server,flags,why)"
		       " VALUES(?1,?2,?3,?4,?5,iif(length(?6)=0,NULL,?6),iif(?7='',NULL,?7),?8,?9,?10,?11,?12,?13,"
		       "?14,?15,?16,?17,?18)",
	[LEDGER_UPDATE] = "UPDATE mails SET state=?2, size=?3, mailbox=iif(?4='',NULL,?4), return_path=?5, segment=?6,"
			  " at=?7, bytes=?8, settled_ms=?9, due_ms=?10, tries=?11, flags=?12,"
			  " why=?13 WHERE id=?1",
	[LEDGER_REMOVE] = "DELETE FROM mails WHERE id=?",
	[LEDGER_GONE] = "UPDATE mails SET is_on_server=0 WHERE id=?",
	[LEDGER_REKEY] = "UPDATE mails SET key=?2, is_on_server=1 WHERE id=?1",
	[LEDGER_FORGET] = "DELETE FROM mails WHERE is_on_server=0 AND state NOT IN (2,3,7) AND settled_ms<?",
	[LEDGER_ROWS] = "SELECT coalesce((SELECT max(id) FROM mails)-(SELECT min(id) FROM mails)+1,0)",
	[LEDGER_BY_ID] = LEDGER_SELECT " WHERE id=?",
	[LEDGER_BY_KEY] = LEDGER_SELECT " WHERE account=? AND key=?",
	[LEDGER_OF_ACCOUNT] = LEDGER_SELECT " WHERE account=?",
	[LEDGER_ON_SERVER] = LEDGER_SELECT " WHERE account=? AND is_on_server=1",
	[LEDGER_ROWS_COUNTED] = "SELECT count(*) FROM mails",
	[LEDGER_IN_STATE] = LEDGER_SELECT " WHERE state=? ORDER BY id",
	[LEDGER_IN_OPEN_STATE] = LEDGER_SELECT " WHERE " OPEN_ROWS "state=? ORDER BY id",
	[LEDGER_DUE] = LEDGER_SELECT " WHERE " OPEN_ROWS "state=2 AND due_ms<=? AND account NOT IN"
			" (SELECT name FROM accounts WHERE stopped<>'') ORDER BY due_ms, id LIMIT ?",
	/* Over the index of what moves: few rows, and no index of its own to keep. */
	[LEDGER_NEEDS] = "SELECT 1 FROM mails WHERE state IN (2,3,7) AND segment=? LIMIT 1",
	[LEDGER_COUNT] = "SELECT state, count(*) FROM mails WHERE ?1='' OR account=?1 GROUP BY state",
	[LEDGER_MOVING] = "SELECT count(*) FROM mails WHERE " OPEN_ROWS "(state=3 OR (state=2 AND due_ms<?2)) AND"
			  " (?1='' OR account=?1) AND account NOT IN (SELECT name FROM accounts WHERE stopped<>'')",
	[LEDGER_ACCOUNT] = "SELECT first_ms, polled_ms, usual_new, polls, stopped, answer FROM accounts WHERE name=?",
	[LEDGER_ACCOUNT_SET] = "INSERT OR REPLACE INTO accounts VALUES(?,?,?,?,?,?,?)",
};

/* Never replaced when damaged (when_replaced is NULL). */
static const struct db_schema ledger_schema = {
	.file = "fetch.db", .version = 1, .tables = tables, .texts = texts, .count = LEDGER_STMT_COUNT,
};
_Static_assert((int)LEDGER_STMT_COUNT <= (int)DB_STMTS_MAX, "raise DB_STMTS_MAX");

const char *ledger_state_name(enum ledger_state state)
{
	static const char *const names[LEDGER_STATE_COUNT] = {
		[LEDGER_SEEN] = "seen", [LEDGER_LEFT] = "left", [LEDGER_WAITING] = "waiting",
		[LEDGER_SENDING] = "sending", [LEDGER_DONE] = "delivered", [LEDGER_TWIN] = "twin",
		[LEDGER_HELD] = "held", [LEDGER_QUARANTINE] = "quarantine", [LEDGER_DROPPED] = "dropped",
	};
	return state < LEDGER_STATE_COUNT ? names[state] : "unknown";
}

struct ledger *ledger_open(const char *dir, struct error *error)
{
	bool was_damaged;
	struct ledger *l = mem_alloc(sizeof *l);
	if (!l)
		error_set(error, EXIT_UNAVAILABLE, "no memory for the ledger");
	else if (db_open(&l->db, &ledger_schema, dir, &was_damaged, error))
		return l;
	mem_free(l);
	return NULL;
}

struct ledger *ledger_open_view(const char *dir, struct error *error)
{
	struct ledger *l = mem_alloc(sizeof *l);
	if (!l)
		error_set(error, EXIT_UNAVAILABLE, "no memory for the ledger");
	else if (db_open_to_read(&l->db, &ledger_schema, dir, error))
		return l;
	mem_free(l);
	return NULL;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	db_close(&l->db);
	mem_free(l);
}

bool ledger_begin(struct ledger *l)
{
	return db_begin(&l->db, true);
}

bool ledger_commit(struct ledger *l)
{
	return db_commit(&l->db);
}

void ledger_look(struct ledger *l)
{
	if (l)
		sqlite3_exec(l->db.sql, "BEGIN", NULL, NULL, NULL);
}

void ledger_look_end(struct ledger *l)
{
	if (l)
		sqlite3_exec(l->db.sql, "COMMIT", NULL, NULL, NULL);
}

void ledger_rollback(struct ledger *l)
{
	db_rollback(&l->db);
}

bool ledger_is_full(const struct ledger *l)
{
	return l->db.is_full;
}

static int64_t row_flags(const struct ledger_row *row)
{
	return (row->is_8bit ? LEDGER_FLAG_8BIT : 0) | (row->is_judged ? LEDGER_FLAG_JUDGED : 0) |
	       (row->is_backlog ? LEDGER_FLAG_BACKLOG : 0);
}

static bool row_has_print(const struct ledger_row *row)
{
	for (size_t i = 0; i < sizeof row->print; i++)
		if (row->print[i])
			return true;
	return false;
}

static bool ledger_insert(struct ledger *l, const struct ledger_row *row, enum ledger_state state,
			  const char *mailbox)
{
	struct slice print = slice_make(row->print, row_has_print(row) ? sizeof row->print : 0);
	return db_run(&l->db, LEDGER_ADD, "zziibbzziiiiiiiiiz", row->account, row->key, (int64_t)state,
		      (int64_t)row->size_bytes, slice_make(row->top, sizeof row->top), print, mailbox,
		      row->return_path, (int64_t)row->place.segment, (int64_t)row->place.at,
		      (int64_t)row->place.bytes, row->fetched_ms, row->settled_ms, row->due_ms,
		      (int64_t)row->tries, (int64_t)row->is_on_server, row_flags(row), row->why);
}

enum ledger_added ledger_add(struct ledger *l, const struct ledger_row *row, int64_t *id_out)
{
	struct ledger_row known;
	if (ledger_insert(l, row, row->state, row->mailbox)) {
		*id_out = sqlite3_last_insert_rowid(l->db.sql);
		return LEDGER_ADDED;
	}
	if (sqlite3_extended_errcode(l->db.sql) != SQLITE_CONSTRAINT_UNIQUE)
		return LEDGER_FAILED;
	/* Which of the two keys? */
	if (ledger_find_key(l, row->account, row->key, &known)) {
		*id_out = known.id;
		return LEDGER_WAS_KNOWN;
	}
	struct ledger_row twin = *row;
	twin.settled_ms = row->fetched_ms;
	snprintf(twin.why, sizeof twin.why, "the same bytes came before for %.150s", row->mailbox);
	if (!ledger_insert(l, &twin, LEDGER_TWIN, ""))
		return LEDGER_FAILED;
	*id_out = sqlite3_last_insert_rowid(l->db.sql);
	return LEDGER_WAS_TWIN;
}

bool ledger_is_twin(const struct ledger *l)
{
	return l->is_twin;
}

static bool ledger_run_update(struct ledger *l, const struct ledger_row *row)
{
	return db_run(&l->db, LEDGER_UPDATE, "iiizziiiiiiiz", row->id, (int64_t)row->state,
		      (int64_t)row->size_bytes, row->mailbox, row->return_path, (int64_t)row->place.segment,
		      (int64_t)row->place.at, (int64_t)row->place.bytes, row->settled_ms, row->due_ms,
		      (int64_t)row->tries, row_flags(row), row->why) &&
	       db_changes(&l->db) == 1;
}

bool ledger_update(struct ledger *l, const struct ledger_row *row)
{
	bool is_updated = ledger_run_update(l, row);
	l->is_twin = !is_updated && sqlite3_extended_errcode(l->db.sql) == SQLITE_CONSTRAINT_UNIQUE;
	return is_updated;
}

bool ledger_remove(struct ledger *l, int64_t id)
{
	return db_run(&l->db, LEDGER_REMOVE, "i", id);
}

bool ledger_set_gone(struct ledger *l, int64_t id)
{
	return db_run(&l->db, LEDGER_GONE, "i", id);
}

bool ledger_set_key(struct ledger *l, int64_t id, const char *key)
{
	return db_run(&l->db, LEDGER_REKEY, "iz", id, key);
}

int64_t ledger_forget(struct ledger *l, int64_t before_ms)
{
	return db_run(&l->db, LEDGER_FORGET, "i", before_ms) ? db_changes(&l->db) : 0;
}

bool ledger_set_account(struct ledger *l, const struct ledger_account *a)
{
	return db_run(&l->db, LEDGER_ACCOUNT_SET, "ziiiizz", a->name, a->first_ms, a->polled_ms, a->usual_new,
		      a->polls, a->stopped, a->order);
}
