/* SPDX-License-Identifier: Apache-2.0
 *
 * poll_inner: one POP3 session, as poll.c, poll_sign.c, poll_list.c, poll_take.c and
 * poll_drop.c share it. Nobody else includes this.
 */
#ifndef QUELL_FETCH_POLL_INNER_H
#define QUELL_FETCH_POLL_INNER_H

#include "fetch/inner.h"

#include "base/arena.h"
#include "net/dial.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "wire/pop3.h"

enum {
	POLL_LISTED_MAX = 200000,       /* mails of one look; the rest comes when these are gone */
	POLL_WINDOW = 192,              /* commands on their way, where the server pipelines */
	POLL_WINDOW_BYTES = 4 * 1024 * 1024,
	POLL_GROUP_MAILS = 128,         /* mails of one commit */
	POLL_GROUP_BYTES = 4 * 1024 * 1024,
	POLL_TRIES_MAX = 3,             /* a mail that cannot be collected so often is left (hazard 22) */
	POLL_LINE_BYTES_MAX = 1024 * 1024,
	POLL_SAME_SLOTS = 1024,
};

enum poll_phase {
	PHASE_SECRET, PHASE_CONNECT, PHASE_GREETING, PHASE_CAPA, PHASE_STLS, PHASE_TLS,
	PHASE_SIGN, PHASE_CAPA_AGAIN, PHASE_STAT, PHASE_UIDL, PHASE_LIST, PHASE_TOPS,
	PHASE_TAKE, PHASE_SETTLE, PHASE_DELE, PHASE_QUIT, PHASE_OVER,
};

/* Why headers are asked for: keys that stand twice; or, what is this mail? */
enum tops_purpose { TOPS_NAME, TOPS_KNOW };

/* One mail as the server lists it. */
struct listed {
	uint32_t number;
	uint64_t size_bytes;
	const char *key;                /* in the arena; NULL: none of its own */
	int64_t id;                     /* of its ledger row; 0: none */
	unsigned tries;                 /* that failed before */
	bool is_wanted;                 /* to be collected */
	bool is_left;                   /* its row says LEFT: replaced when collected */
	bool is_asked;                  /* the ledger, again, just before RETR */
	bool is_failed;                 /* not collected in this session, its row says so */
	bool want_top, is_named;        /* named: its key has the header's hash in it */
	bool may_go;                    /* may be deleted from the server */
};

/* The mail that comes in just now. */
struct incoming {
	struct buf header;
	bool is_header_done, is_header_cut;
	void *digest_block;             /* digest is aligned inside it */
	struct digest *digest;
	struct inspection inspection;
	uint64_t body_mix;              /* of the body: is it the same content again? */
	uint64_t bytes, line_bytes, line_bytes_max;
	char last;
	bool is_8bit, has_bare_cr, has_bare_lf;
};

/* A header of before the server gave new UIDLs. */
struct former {
	uint8_t top[LEDGER_TOP_BYTES];
	int64_t id;
};

struct taken {
	struct ledger_row row;
	size_t listed;                  /* index */
};

struct poll {
	struct seat *seat;
	struct fetch *fetch;
	poll_done_fn *done;
	enum poll_phase phase;
	struct poll_result result;
	struct loop_timer *end_timer, *session_timer, *settle_timer;

	struct secret *secret;
	struct secret_run *secret_run;
	struct resolve *resolve;
	struct net_addr addrs[RESOLVE_MAX];
	size_t addr_count, addr_next;
	struct dial *dial;
	struct stream *stream;
	struct pop3 *pop3;
	struct sasl *sasl;
	bool is_secure, has_uidl;
	size_t window;

	struct arena arena;             /* the keys */
	struct listed *listed;
	size_t listed_count, listed_cap;
	size_t *order;                  /* indexes of the wanted, in the order of collecting */
	size_t order_count, order_next;
	size_t order_heard;             /* below it all answers have come */
	uint64_t open_bytes;            /* listed sizes of the RETRs on their way */
	struct ledger_account account;
	uint64_t fresh;                 /* new mails of this look */

	struct incoming in;
	struct segment_writer *writer;
	struct taken *group;
	size_t group_count;
	uint64_t group_bytes;
	uint64_t same[POLL_SAME_SLOTS]; /* 40 bits of content, 24 of count */
	unsigned missing, missing_in_row, taken_count;
	size_t current;                 /* in listed: the mail that comes in */
	bool is_mail_open;              /* between the +OK of a RETR and its end */
	bool is_line_ended;             /* the server closed the line */
	bool is_room_known;             /* looked at for this group of mails */
	bool is_room_out;               /* nothing more is asked for: our spool is full */
	bool is_disk_out;               /* or the disk: then nothing is deleted either */
	char stop[LEDGER_WHY_BYTES];    /* deliveries of this account are to wait, and why */
	int64_t settle_until_ms;
	int64_t *gone;                  /* ids whose DELE is under way */
	size_t gone_count, drop_next;
	enum tops_purpose tops_purpose;
	struct former *former;
	size_t former_count, former_cap;
	size_t tops_open, top_next;
};

/* poll.c: ends the session (the first reason counts); nothing durable is lost. */
void poll_end(struct poll *p, enum poll_end end, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* QUIT, and the end is well when it is answered. */
void poll_quit(struct poll *p);
void poll_flush(struct poll *p);
int64_t poll_now_ms(const struct poll *p);
/* An event out of place ends the session: the server breaks the protocol (hazard 31). */
void poll_surprise(struct poll *p, const struct pop3_event *e);
/* A server's words, made safe for a log or a person. */
const char *poll_words(struct slice text, char out[256]);

/* The secret is there: connect. */
void poll_connect(struct poll *p);

/* poll_sign.c: from the secret to being signed in; then poll_signed_in. */
void poll_get_secret(struct poll *p);
void poll_sign(struct poll *p);
void poll_on_signing(struct poll *p, const struct pop3_event *e);

/* poll_list.c: the look at the box, and what to do with each mail. */
void poll_look(struct poll *p);
/* The mail has this row. */
void listing_know(struct poll *p, struct listed *l, const struct ledger_row *row);
void poll_on_listing(struct poll *p, const struct pop3_event *e);
void poll_on_top(struct poll *p, const struct pop3_event *e);

/* poll_mail.c: one mail as it comes in. */
bool incoming_begin(struct incoming *in);
void incoming_free(struct incoming *in);
/* Also into writer, when it is not NULL. False: the spool refuses. */
bool incoming_add(struct incoming *in, struct poll *p, struct slice bytes, struct segment_writer *writer);
/* All but account, key, size and place: state, mailbox and why, hashes. */
void incoming_end(struct incoming *in, struct poll *p, struct ledger_row *row_out);

/* poll_take.c: into the spool. */
void poll_take(struct poll *p);
void poll_on_taking(struct poll *p, const struct pop3_event *e);
/* All that came in was understood: what is next? */
void poll_take_more(struct poll *p);
/* The line broke, or (is_lie) the server said what it was not asked: whose fault was it? */
void poll_blame(struct poll *p, bool is_lie);

/* poll_drop.c: off the server, when it may be, and QUIT. */
void poll_settle(struct poll *p);
void poll_on_dropping(struct poll *p, const struct pop3_event *e);

#endif
