/* SPDX-License-Identifier: Apache-2.0
 *
 * link: a talk with one mail server of ours, kept open: dial, stream, SMTP or LMTP.
 *
 * One mail to one recipient at a time (hazard 34: failures never mix). The mail's
 * bytes are pulled as the server takes them, so a mail of any size costs little
 * memory. The owner is told of each mail exactly once how it ended: a word of the
 * server, or LOST. LOST says whether the server may have taken the mail: the final
 * dot had left and no answer came (in doubt), or not (it surely did not).
 * What to do then is the owner's matter.
 *
 * The link dials when link_open is called and again when asked; it never retries by
 * itself. Connecting, each wait for the replies to what was said, and each wait until the
 * server takes more of a mail have the time limit of the setup: bytes that trickle in
 * do not stretch it. Want of memory closes the link like any other trouble.
 */
#ifndef QUELL_ACT_LINK_H
#define QUELL_ACT_LINK_H

#include "net/addr.h"
#include "net/loop.h"
#include "wire/smtp.h"

struct link;

struct link_setup {
	struct loop *loop;
	struct net_addr addr;
	enum smtp_kind kind;
	const char *helo;           /* our host name; copied */
	int64_t timeout_ms;         /* of each wait */
};

struct link_calls {
	/* Greeted, or done with the last mail: link_send may be called (also from within). */
	void (*on_ready)(void *ctx);
	/* Up to room bytes of the mail under way to where to points; how many, 0 at its end, -1
	 * when it cannot be read: then the link is closed before the end is said, and LOST
	 * (not in doubt) follows. */
	ssize_t (*on_want)(void *ctx, char *to, size_t room);
	/* The server's word on the mail under way; on_ready follows, or on_lost when it
	 * closes the talk. Its text lives until this returns or the link is closed. */
	void (*on_word)(void *ctx, const struct smtp_reply *reply);
	/* The link is closed, and link_open may be called. had_mail: a mail was under way and had
	 * no word; is_in_doubt: its end had left. A probe under way is not answered any more.
	 * why: in words, for the log and a person; never from within link_open or link_send. */
	void (*on_lost)(void *ctx, bool had_mail, bool is_in_doubt, const char *why);
	/* The answer to link_probe: the server's word on the RCPT. */
	void (*on_probed)(void *ctx, const struct smtp_reply *reply); /* may be NULL */
};

/* Copies setup and calls. NULL without memory. */
struct link *link_new(const struct link_setup *setup, const struct link_calls *calls, void *ctx);
/* Closes at once, no callback. Sets the pointer to NULL; NULL is welcome. Not from
 * within a callback of this link: use link_close there. */
void link_free(struct link **link);

enum link_state { LINK_CLOSED, LINK_OPENING, LINK_READY, LINK_BUSY };
enum link_state link_state(const struct link *link);

/* Dials; only when CLOSED. on_ready or on_lost follows, never from within. */
void link_open(struct link *link);
/* QUIT when READY, else at once; then CLOSED; on_lost is not called. */
void link_close(struct link *link);

struct link_mail {
	struct slice from;          /* without <>; empty: the null sender */
	struct slice rcpt;
	uint64_t size_bytes;        /* 0: not known */
	bool is_8bit;
	bool want_no_dsn;           /* NOTIFY=NEVER where DSN is offered (RFC 3461) */
};
/* Only when READY. False: nothing was sent, and neither a word nor on_lost follows. An address
 * cannot stand in a command: the link stays READY; there is no memory: it is CLOSED. */
bool link_send(struct link *link, const struct link_mail *mail);
/* Does this server take rcpt? MAIL FROM:<>, RCPT TO, RSET, no mail. Only when READY;
 * on_probed, then on_ready; or on_lost. False as for link_send. */
bool link_probe(struct link *link, struct slice rcpt);
/* Of waits that begin from now on. */
void link_set_timeout(struct link *link, int64_t timeout_ms);
/* enum smtp_can; 0 unless the link was greeted. */
unsigned link_can(const struct link *link);
/* The text of the last answer to EHLO or LHLO, printable; "" before. */
const char *link_banner(const struct link *link);

#endif
