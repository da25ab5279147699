/* SPDX-License-Identifier: Apache-2.0
 *
 * schema: the tables and statements of quell.db.
 */
#include "store/db.h"
#include "store/held.h"
#include "store/store.h"

static const char tables[] =
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
_Static_assert(HELD_DEED_FIRST == 5, "and first copies, which never leave the hold but by a release");

static const char *const texts[DB_STMT_COUNT] = {
	[DB_MAIL_ADD] = "INSERT INTO mails VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,1)",
	[DB_MAIL_WHOLE] = "SELECT is_whole, disk_bytes, body FROM mails WHERE id=?",
	[DB_MAIL_GONE] = "UPDATE mails SET is_whole=0 WHERE id=?",
	[DB_MAIL_NEXT_WHOLE] = "SELECT id FROM mails WHERE id>? AND is_whole=1 ORDER BY id LIMIT ?",
	[DB_HOLD_ADD] = "INSERT INTO holds(mail,rcpt,pair,incident,time_ms,deed,state,life,changed_ms)"
			" VALUES(?,?,?,?,?,?,0,?,?)",
	/* The kept rows of a pair beyond its newest. */
	[DB_HOLD_SURPLUS] = "SELECT n, mail FROM holds WHERE pair=? AND state=0 AND deed<>5"
			    " ORDER BY time_ms DESC, n DESC LIMIT ? OFFSET ?",
	[DB_HOLD_SET] = "UPDATE holds SET state=?, changed_ms=? WHERE n=? AND state IN (0,2)",
	[DB_HOLD_MARK] = "UPDATE holds SET state=?, life=?, changed_ms=?"
			 " WHERE mail=? AND rcpt=? AND state<3",
	[DB_HOLD_IS_SO] = "SELECT 1 FROM holds WHERE mail=? AND rcpt=? AND state=? LIMIT 1",
	[DB_HOLD_IS_LIVE] = "SELECT 1 FROM holds WHERE mail=? AND state<3 LIMIT 1",
	[DB_HOLD_IS_OVER] = "SELECT 1 FROM holds WHERE incident=? AND state=0 LIMIT 1 OFFSET ?",
	[DB_HOLD_OLD] = "SELECT n, mail, incident FROM holds WHERE state IN (0,2) AND deed<>5 AND time_ms<?"
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

const struct db_schema store_schema = {
	.file = "quell.db",
	.version = 1,
	.tables = tables,
	.texts = texts,
	.count = DB_STMT_COUNT,
	.when_replaced = "decisions are lost, the index of the hold is made again",
};

_Static_assert((int)DB_STMT_COUNT <= (int)DB_STMTS_MAX, "raise DB_STMTS_MAX");
