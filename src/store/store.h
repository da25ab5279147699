/* SPDX-License-Identifier: Apache-2.0
 *
 * store: what Quell remembers on disk.
 *
 *   state/quell.db      SQLite (WAL, STRICT): incidents, holds, decisions, counters
 *   state/hold/         mails/ID (envelope and header) and bodies/HASH.zst (one for
 *                       equal bodies); a mail file is complete in itself, so the
 *                       index can be made again from the folder
 *   state/journal.N     records of the storm room since snapshot.N
 *   state/snapshot.N    its whole state at that time
 *   state/key           site and stamp key, mode 0600, made at the first start
 *
 * One ordered writer thread does all writing; jobs of one round are committed
 * together (one fsync for many), then their done functions run in the loop
 * thread, from store_poll. One connection writes (libs.md trap 15); readers open
 * read-only. What cannot be stored is said in the result, never hidden.
 *
 * Every function is for the loop thread, unless it says otherwise.
 */
#ifndef QUELL_STORE_STORE_H
#define QUELL_STORE_STORE_H

#include "base/error.h"
#include "base/setting.h"
#include "mail/facts.h"
#include "storm/incident.h"
#include "store/spool.h"

struct store;

struct store_limits {
	int64_t hold_bytes_max;        /* bytes on disk of all held mail: 1 GiB */
	int64_t hold_copies_max;       /* held copies: 1,000,000 */
	int64_t hold_keep_ms;          /* how long a held copy stays releasable: 30 d; then its bytes
					  go (only surplus is held: its pair was taken over before),
					  its row becomes EXPIRED; logged and counted in health */
	int64_t free_bytes_min;        /* stop holding when the disk has less free: 256 MiB */
	int64_t incident_copies_full;  /* beyond so many held copies of one incident only the
					  newest 3 of each pair's mails are kept whole, the rest
					  as index rows (counters): 10,000 */
	int64_t decisions_max;         /* newest decisions kept for explain: 100,000 */
	int64_t journal_bytes_max;     /* a snapshot is due past this: 64 MiB */
	int64_t snapshot_every_ms;     /* or after this: 5 min */
};
/* Section "hold" of the settings. */
extern const struct setting_row store_limit_rows[];
extern const size_t store_limit_row_count;
void store_limits_default(struct store_limits *limits_out);

/* Makes the folder when it is missing (0700), refuses one that others may write,
 * takes a lock (a second daemon: EXIT_TRY_AGAIN), opens and migrates the
 * database, mends the hold (drops temporary files, re-indexes strays; what takes
 * longer than a moment goes on in the writer thread). A damaged database is moved
 * to quell.db.damaged and made anew from the hold (decisions are lost); one that
 * cannot be opened just now (full disk) is tried again every few seconds, and until
 * then every hold is refused. */
struct store *store_open(const char *state_dir, const struct store_limits *limits,
			 struct error *error);
/* Writes everything that waits, then closes. NULL is welcome. */
void store_close(struct store *store); /* done functions still waiting run here */
/* New limits from now on. */
void store_retune(struct store *store, const struct store_limits *limits);

struct store_keys {
	uint8_t site[HASH_KEY_BYTES], stamp[HASH_KEY_BYTES];
};
/* Reads the keys, or makes them. Refuses a file with wrong size or open modes. */
bool store_keys(struct store *store, struct store_keys *keys_out, struct error *error);

/* Readable when done functions wait; then call store_poll in the loop thread. */
int store_event_fd(const struct store *store);
void store_poll(struct store *store);
int store_dir_fd(const struct store *store); /* for spools */

enum store_result { STORE_DONE, STORE_FULL, STORE_FAILED };
typedef void store_done_fn(void *ctx, enum store_result result, const char *hold_id);

enum { HOLD_ID_BYTES = 24 };
struct hold_rcpt {
	struct slice address;
	uint8_t pair[12];
	enum deed deed;                /* HOLD or SUPPRESS */
	bool is_first;                 /* no copy of it has got through: it never expires */
};
/* A mail to hold. All slices are copied before store_hold returns. */
struct hold_mail {
	int64_t time_ms;
	const char *incident;
	struct slice queue_id, mail_from, client, helo;
	const struct hold_rcpt *rcpts;
	size_t rcpt_count;
	const char *rule, *reason;
	uint8_t instance[DIGEST_SHORT_BYTES];
};
/* Takes over the spool's contents (the spool is reset). done runs once, when the
 * mail is on disk (temp, write, fsync, rename, fsync folder) and its rows are
 * committed, or could not be. The mail file is durable and says all that the rows
 * say; the rows follow without a sync of their own: lost with the power, they are
 * made again from the file at the next start. On FULL or FAILED nothing of it
 * remains. A queue of jobs past its ceiling answers STORE_FULL. A broken spool, no
 * recipient, or an address of 256 bytes or more or with control bytes (it could not
 * be released exactly) answers STORE_FAILED. done runs in store_poll, but before
 * store_hold returns when there is not even memory for the job. */
void store_hold(struct store *store, const struct hold_mail *mail, struct spool *spool,
		store_done_fn *done, void *ctx);

/* Fire and forget, ordered, bounded (overflow is counted in store_health). */
struct decision {
	int64_t time_ms;
	struct slice queue_id, mail_from, rcpt, client, message_id;
	enum deed deed;
	const char *tier, *rule, *reason, *incident;
};
void store_decision(struct store *store, const struct decision *decision);
void store_incident(struct store *store, const struct incident *incident);
/* One row of named numbers, for the command line: replaces the last. */
struct store_counter {
	const char *name;
	uint64_t value;
};
void store_counters(struct store *store, const struct store_counter *counters, size_t count,
		    int64_t now_ms);
/* A small text under a name, e.g. the position in a log; read back at start. */
void store_note(struct store *store, const char *name, struct slice text);

/* Journal. Appends are gathered and written (one write) by the writer thread at
 * each store_flush, which the loop calls at the end of a round; fdatasync at most
 * once a second, at once when something urgent is among them. */
void store_journal(struct store *store, struct slice record, bool is_urgent);
void store_flush(struct store *store, int64_t now_ms);
/* At start: snapshot and journal into fn, in order; a torn or foreign tail ends
 * the replay with a warning and is cut off, it never stops the start. */
void store_replay(struct store *store, bool (*apply)(void *ctx, struct slice record), void *ctx,
		  uint64_t *applied_out, uint64_t *skipped_out);
/* Is a snapshot due? Then store_snapshot forks: the child calls fill with an emit
 * and writes snapshot.N+1; the journal goes on in journal.N+1 at once; when the
 * child has ended well the older files are deleted (the writer thread sees to it).
 * fill runs in the child: it may read, but not allocate, lock or log. */
bool store_snapshot_is_due(struct store *store, int64_t now_ms);
bool store_snapshot(struct store *store, int64_t now_ms,
		    bool (*fill)(void *ctx, bool (*emit)(void *emit_ctx, struct slice record), void *emit_ctx),
		    void *ctx);

/* Release: the rows of the hold as a work list (store/hold.h); used by act at human
 * pace, a batch at a time. COUNTED and EXPIRED rows have no bytes left. */
enum hold_state {
	HOLD_KEPT,
	HOLD_RELEASING,
	HOLD_REFUSED,  /* the relay said 5yz: kept, and released again by hold id only */
	HOLD_RELEASED, /* from here on the row's mail is no longer there for it */
	HOLD_EXPIRED,
	HOLD_COUNTED,
};
struct hold_row {
	char id[HOLD_ID_BYTES];
	char incident[INCIDENT_ID_BYTES];
	int64_t time_ms;
	enum hold_state state;
	enum deed deed;
	uint8_t pair[12];
	char rcpt[256], mail_from[256], queue_id[64], reason[REASON_BYTES], rule[32];
	uint64_t bytes;
};

struct store_health {
	uint64_t hold_bytes, hold_copies, jobs_waiting, jobs_dropped, writes_failed;
	uint64_t expired;           /* held copies given up for age, ever */
	uint64_t snapshots;         /* done in this life */
	uint64_t journal_lost;      /* flushes or records not written since the last snapshot */
	bool is_full;               /* the last hold was refused for want of room */
	int64_t full_since_ms;
};
void store_health(struct store *store, struct store_health *health_out);

#endif
