/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger: what became of each mail the connector ever saw (fetch.db, SQLite).
 *
 * One row is one mail in one POP3 mailbox; it has one recipient or none. Two keys make
 * a second delivery a breach of a constraint and not a matter of care (R4): (account,
 * key), where key stands for the mail's UIDL, and (print, mailbox), where print is
 * the fingerprint of its bytes. Changes are made between ledger_begin and
 * ledger_commit, and are on disk when that returns true (WAL, synchronous=FULL).
 *
 *   (new) -> WAITING -> SENDING -> DONE        the way of most
 *   WAITING -> HELD                            a surplus copy, now in the hold
 *   WAITING, SENDING -> QUARANTINE -> WAITING  released by a person; or DROPPED by one
 *   (new) -> LEFT | SEEN | TWIN                never collected, or collected before
 *
 * SENDING is on disk before the end of the mail is said to the local server. Found
 * after a crash it is in doubt: settled by looking, or by a person, never by sending
 * again unasked (hazards 12, 13).
 *
 * A damaged ledger is never replaced by an empty one: everything would come twice.
 * One writer, the connector, which locks the folder; views may read beside it. For
 * the loop thread. Rows: LEDGER_ROWS_MAX, past it nothing new is collected.
 */
#ifndef QUELL_STORE_LEDGER_H
#define QUELL_STORE_LEDGER_H

#include "base/error.h"
#include "store/segment.h"

struct ledger;

enum {
	LEDGER_LABEL_BYTES = 33,    /* of an account, with its NUL */
	LEDGER_KEY_BYTES = 160,
	LEDGER_PATH_BYTES = 321,    /* of an address: 64 + 1 + 255, and NUL */
	LEDGER_WHY_BYTES = 200,
	LEDGER_PRINT_BYTES = 32,
	LEDGER_TOP_BYTES = 16,
	LEDGER_ROWS_MAX = 5000000,
};

/* The numbers are in the file. */
enum ledger_state {
	LEDGER_SEEN = 0,        /* taken as seen before: never collected */
	LEDGER_LEFT = 1,        /* stays on the server, why says why */
	LEDGER_WAITING = 2,     /* in the spool, for the local server, not before due_ms */
	LEDGER_SENDING = 3,     /* the local server may have it */
	LEDGER_DONE = 4,
	LEDGER_TWIN = 5,        /* the bytes are those of another row for the same mailbox */
	LEDGER_HELD = 6,
	LEDGER_QUARANTINE = 7,  /* in the spool until a person decides, why says why */
	LEDGER_DROPPED = 8,
	LEDGER_STATE_COUNT
};
/* "waiting", ... */
const char *ledger_state_name(enum ledger_state state);

struct ledger_row {
	int64_t id;                              /* the fetch id: in Received, stamp and log */
	char account[LEDGER_LABEL_BYTES];
	char key[LEDGER_KEY_BYTES];
	enum ledger_state state;
	uint64_t size_bytes;                     /* as the server lists it */
	uint8_t top[LEDGER_TOP_BYTES];           /* hash of the header without its volatile fields */
	uint8_t print[LEDGER_PRINT_BYTES];       /* of header (the same) and body; all 0: not collected */
	char mailbox[LEDGER_PATH_BYTES];         /* local recipient; "": none */
	char return_path[LEDGER_PATH_BYTES];     /* "": the null sender */
	struct segment_place place;
	int64_t fetched_ms, settled_ms, due_ms;  /* settled: when the state became one of an end */
	unsigned tries;
	bool is_on_server;
	bool is_8bit, is_judged, is_backlog;     /* backlog: delivered with the null sender */
	char why[LEDGER_WHY_BYTES];
};

/* Opens dir/fetch.db, makes it when missing. NULL and *error. */
struct ledger *ledger_open(const char *dir, struct error *error);
/* Read-only, beside the connector; NULL and the reason when there is none yet. */
struct ledger *ledger_open_view(const char *dir, struct error *error);
/* NULL is welcome. */
void ledger_close(struct ledger *l);

/* False: the disk refuses (full or worse); then ledger_rollback and degrade. */
bool ledger_begin(struct ledger *l);
bool ledger_commit(struct ledger *l);
void ledger_rollback(struct ledger *l);
bool ledger_is_full(const struct ledger *l); /* the last failure was for want of room */

/* Many looks in a row cost less between these two (one lock for all). NULL is welcome. */
void ledger_look(struct ledger *l);
void ledger_look_end(struct ledger *l);

enum ledger_added {
	LEDGER_ADDED,     /* id_out: its id */
	LEDGER_WAS_KNOWN, /* (account, key) is there: nothing was done; id_out: that row's id */
	LEDGER_WAS_TWIN,  /* (print, mailbox) is there: stored as TWIN; id_out: its own id */
	LEDGER_FAILED,
};
/* state, mailbox and the rest as in row; row->id is not used. */
enum ledger_added ledger_add(struct ledger *l, const struct ledger_row *row, int64_t *id_out);
/* All but account, id, key, top, print, fetched_ms and is_on_server as in row (what a poll
 * learnt meanwhile about the server stays). False also when there is no such row, or when
 * another with these bytes has that mailbox. */
bool ledger_update(struct ledger *l, const struct ledger_row *row);
/* It was the latter: the bytes are those of another row for that mailbox. */
bool ledger_is_twin(const struct ledger *l);
/* The row is as if it had never been: its mail is collected anew. */
bool ledger_remove(struct ledger *l, int64_t id);
/* The mail left the server, or came there under another key (UIDLs renewed). */
bool ledger_set_gone(struct ledger *l, int64_t id);
bool ledger_set_key(struct ledger *l, int64_t id, const char *key);
/* Settled rows not on any server and settled before then. How many. */
int64_t ledger_forget(struct ledger *l, int64_t before_ms);

/* For the four that a mere look needs (each_on_server, each_of_account, find_key, account) NULL is
 * an empty ledger.
 *
 * fn false ends it. The row lives for the call. False: the database cannot be read. */
typedef bool ledger_row_fn(void *ctx, const struct ledger_row *row);
/* What this account's server had at the last look, or may still have. */
bool ledger_each_on_server(struct ledger *l, const char *account, ledger_row_fn *fn, void *ctx);
/* All of its rows, whatever became of them. */
bool ledger_each_of_account(struct ledger *l, const char *account, ledger_row_fn *fn, void *ctx);
bool ledger_each_in_state(struct ledger *l, enum ledger_state state, ledger_row_fn *fn, void *ctx);
/* WAITING rows that are due, of accounts that are not stopped, oldest due first; at
 * most max. */
size_t ledger_due(struct ledger *l, int64_t now_ms, struct ledger_row *rows_out, size_t max);
/* About how many rows there are, never fewer. */
int64_t ledger_rows(struct ledger *l);
bool ledger_find(struct ledger *l, int64_t id, struct ledger_row *row_out);
/* Of this account, whatever its state or whether it is on the server. */
bool ledger_find_key(struct ledger *l, const char *account, const char *key, struct ledger_row *row_out);
/* Rows whose bytes are still needed lie in this segment. True in doubt. */
bool ledger_needs_segment(struct ledger *l, uint32_t segment);

/* account NULL: all. */
bool ledger_count(struct ledger *l, const char *account, uint64_t counts_out[LEDGER_STATE_COUNT]);
/* Rows not settled yet and able to move: WAITING and due within so long, SENDING. */
uint64_t ledger_count_moving(struct ledger *l, const char *account, int64_t due_before_ms);

struct ledger_account {
	char name[LEDGER_LABEL_BYTES];
	int64_t first_ms, polled_ms;    /* the first and last poll that ended well; 0: never */
	int64_t usual_new;              /* new mails of a poll, times 1000, a running mean */
	int64_t polls;                  /* that ended well */
	char stopped[LEDGER_WHY_BYTES]; /* "": runs; else deliveries wait for a person, and why */
	char order[16];                 /* a person's answer to what stopped it: "mark-seen", "deliver"; "" */
};
/* True also when there is none: then all but the name is empty. */
bool ledger_account(struct ledger *l, const char *name, struct ledger_account *account_out);
bool ledger_set_account(struct ledger *l, const struct ledger_account *account);

#endif
