/* SPDX-License-Identifier: Apache-2.0
 *
 * control: orders to the running daemon, over a unix socket.
 *
 * One line in, one line of JSON out, any number of times per connection:
 *
 *   release incident ID [rate N]    N mails a minute; 0: as fast as it goes
 *   release hold ID
 *   status
 *   top                             what quell top shows (desk/top.h)
 *   force INCIDENT open|close
 *   reload
 *   fetch release ID [MAILBOX], fetch drop ID, fetch adopt ACCOUNT deliver|mark-seen
 *                                   to the connector only
 *
 *   {"ok":true,"text":"..."}                     status: also "status":{...}, top: also "top":{...}
 *   {"ok":false,"exit":65,"error":"..."}         exit as in base/error.h
 *
 * Who may: root, the daemon's own user, and members of the group given at
 * opening, by SO_PEERCRED and SO_PEERGROUPS; the socket's mode says the same.
 * Ceilings: CONTROL_CLIENTS_MAX connections, CONTROL_LINE_BYTES a line,
 * CONTROL_IDLE_MS of silence; whoever passes one is told so, if possible, and cut
 * off. The daemon's mail does not wait for any of this.
 */
#ifndef QUELL_DESK_CONTROL_H
#define QUELL_DESK_CONTROL_H

#include "base/buf.h"
#include "base/error.h"
#include "net/loop.h"

#include <sys/types.h>

struct control;
struct top_numbers;

enum {
	CONTROL_LINE_BYTES = 256,
	CONTROL_ANSWER_BYTES = 64 * 1024,
	CONTROL_CLIENTS_MAX = 16,
	CONTROL_IDLE_MS = 30 * 1000,
	CONTROL_RATE_DEFAULT = -1,
};

/* Fills the members of "status"; values are numbers or texts. */
struct control_status;
void control_status_number(struct control_status *status, const char *name, uint64_t value);
void control_status_text(struct control_status *status, const char *name, const char *value);

/* What the daemon does for each order. ids are checked for length and characters
 * only. false: error says why, its status goes to the client's exit status. text
 * takes one line for people; it may stay empty. */
struct control_calls {
	void *ctx;
	bool (*release_incident)(void *ctx, const char *incident, int64_t per_minute, struct buf *text,
				 struct error *error);
	bool (*release_hold)(void *ctx, const char *hold_id, struct buf *text, struct error *error);
	void (*status)(void *ctx, struct control_status *status);
	bool (*force)(void *ctx, const char *incident, bool want_open, struct buf *text, struct error *error);
	bool (*reload)(void *ctx, struct buf *text, struct error *error);
	/* The words behind "fetch", not judged; NULL: this daemon is no connector. */
	bool (*fetch)(void *ctx, const struct slice *words, size_t count, struct buf *text, struct error *error);
	/* Fills all of it; it comes empty. */
	void (*top)(void *ctx, struct top_numbers *numbers);
};

/* group: (gid_t)-1 for none: then the socket is 0600, else 0660 and of that group.
 * calls is copied. NULL and the reason on trouble. */
struct control *control_open(struct loop *loop, const char *path, gid_t group,
			     const struct control_calls *calls, struct error *error);
/* Closes all connections and removes the socket. NULL is welcome. */
void control_close(struct control **control);

/* Answers one order, without any connection: what control_open does for a line. */
void control_answer(const struct control_calls *calls, struct slice line, struct buf *answer_out);

/* The other side. Sends one line (without its end) and waits for the answer, a
 * line of JSON without its end. False: the daemon cannot be reached or does not
 * answer within timeout_ms; error says what to do. */
bool control_ask(const char *path, const char *line, int64_t timeout_ms, struct buf *answer_out,
		 struct error *error);

#endif
