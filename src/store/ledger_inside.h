/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_inside: what ledger.c and ledger_read.c share. Nobody else includes this.
 */
#ifndef QUELL_STORE_LEDGER_INSIDE_H
#define QUELL_STORE_LEDGER_INSIDE_H

#include "store/db.h"
#include "store/ledger.h"

enum ledger_stmt {
	LEDGER_ADD, LEDGER_UPDATE, LEDGER_REMOVE, LEDGER_GONE, LEDGER_REKEY, LEDGER_FORGET, LEDGER_ROWS,
	LEDGER_ROWS_COUNTED, LEDGER_BY_ID, LEDGER_BY_KEY, LEDGER_OF_ACCOUNT, LEDGER_ON_SERVER, LEDGER_IN_STATE,
	LEDGER_IN_OPEN_STATE,
	LEDGER_DUE, LEDGER_NEEDS, LEDGER_COUNT, LEDGER_MOVING,
	LEDGER_ACCOUNT, LEDGER_ACCOUNT_SET,
	LEDGER_STMT_COUNT
};

/* The columns in the order in which ledger_read.c takes them. */
#define LEDGER_SELECT \
	"SELECT id,account,key,state,size,top,print,mailbox,return_path,segment,at,bytes,fetched_ms," \
	"settled_ms,due_ms,tries,is_on_server,flags,why FROM mails"

enum ledger_flag { LEDGER_FLAG_8BIT = 1, LEDGER_FLAG_JUDGED = 2, LEDGER_FLAG_BACKLOG = 4 };

struct ledger {
	struct db db;
	bool is_twin;                   /* the last ledger_update met the second key */
	int64_t counted, counted_span;  /* rows, and span of ids, when they were counted last */
};

#endif
