/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch: the POP3 connector that cannot start a storm.
 *
 * Two halves that share a spool and a ledger. Polls (poll.h) collect: mail goes from
 * the POP3 server into the spool, its row into the ledger, both on disk, and only then
 * may the server delete it. The drain (drain.h) delivers: every mail walks through flow
 * like any other, so a storm that comes by POP is held; what passes goes to the one local
 * server, one recipient a transaction, and to nobody else. So a server that is away on
 * either side holds up nothing on the other, and a mail that breaks holds up no other.
 *
 * Nothing here writes a bounce, a notice or any mail of its own (R5), and no text of a
 * header becomes a recipient (R1): recipients are the mailboxes of map.h.
 *
 * Accounts are polled in parallel, at most accounts_max at a time and per_host_max at
 * one host, at their own intervals with jitter.
 */
#ifndef QUELL_FETCH_FETCH_H
#define QUELL_FETCH_FETCH_H

#include "fetch/account.h"
#include "flow/flow.h"
#include "net/addr.h"
#include "net/loop.h"
#include "store/ledger.h"
#include "wire/smtp.h"

struct fetch;

enum fetch_mode {
	FETCH_RUN,      /* polls at its intervals until stopped */
	FETCH_ONCE,     /* each account once, delivers what is due, then is idle */
	FETCH_DRY_RUN,  /* looks, says what would go where, changes nothing anywhere */
	FETCH_CHECK,    /* connects and signs in, asks the local server, changes nothing */
};

/* How the last poll of an account ended. */
enum poll_end {
	POLL_NEVER,
	POLL_WELL,
	POLL_STOPPED,      /* waits for a person (quell fetch adopt) */
	POLL_NETWORK,      /* not reached, or the line broke */
	POLL_TLS,
	POLL_REFUSED,      /* wrong password, no such mechanism: not asked again soon */
	POLL_BUSY,         /* somebody else is signed in, or too early */
	POLL_SERVER,       /* trouble of its own, or it breaks the protocol */
	POLL_DISK,         /* our disk is full, or refuses */
	POLL_SECRET,       /* the password or token cannot be had */
	POLL_END_COUNT
};
/* "well", "stopped", "network", ...: for scripts. */
const char *poll_end_name(enum poll_end end);

/* What happened to one account since the connector started. */
struct fetch_report {
	const char *label;
	enum poll_end end;
	char why[400];                   /* in words; "" when well */
	uint64_t listed;                 /* on the server at the last look */
	uint64_t collected, twins, quarantined, left, deleted;
	char left_why[200];              /* of the last one that was left on the server */
	uint64_t marked;                 /* bear the mark of the faulty connector (hazard 10) */
	uint64_t delivered, held;
};

/* One line for a person; kind: "account", "mail", "server". In dry runs and checks. */
typedef void fetch_say_fn(void *ctx, const char *kind, const char *label, const char *text);

struct fetch_setup {
	struct loop *loop;
	struct flow *flow;               /* NULL in dry runs and checks */
	const char *dir;                 /* the connector's folder, locked by its store */
	int dir_fd;
	const struct fetch_settings *settings;
	const struct account_entry *accounts;
	size_t account_count;
	const char *const *labels;       /* only these; NULL: all */
	size_t label_count;
	struct net_addr deliver;
	enum smtp_kind deliver_kind;
	const char *host_name;           /* ours */
	const uint8_t *stamp_key;        /* HASH_KEY_BYTES; must outlive it */
	enum fetch_mode mode;
	fetch_say_fn *say;               /* may be NULL */
	void (*on_idle)(void *ctx);      /* ONCE, DRY_RUN, CHECK: everything is done */
	void *ctx;
};

/* Everything setup points to must outlive it. NULL and *error. */
struct fetch *fetch_open(const struct fetch_setup *setup, struct error *error);
/* Sessions are cut; what is durable goes on at the next start. NULL is welcome. */
void fetch_close(struct fetch **fetch);

size_t fetch_reports(struct fetch *fetch, struct fetch_report *reports_out, size_t max);
/* The local server, in words: "" while all is well. */
const char *fetch_local_trouble(const struct fetch *fetch);

/* A person's decisions. False and *error. text_out: what was done, one line. */
bool fetch_adopt(struct ledger *ledger, const char *account, bool want_deliver, struct buf *text_out,
		 struct error *error);
bool fetch_release(struct fetch *fetch, int64_t id, const char *mailbox, struct buf *text_out,
		   struct error *error);
bool fetch_drop(struct fetch *fetch, int64_t id, struct buf *text_out, struct error *error);
struct ledger *fetch_ledger(struct fetch *fetch);
/* Is there an account of this label in the settings? */
bool fetch_knows(struct fetch *fetch, const char *label);
/* After fetch_adopt on its ledger: what waited may go. */
void fetch_wake(struct fetch *fetch);

#endif
