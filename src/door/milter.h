/* SPDX-License-Identifier: Apache-2.0
 *
 * milter: the door beside Postfix or Sendmail.
 *
 * One event loop serves all sessions. Nothing is refused here: a mail is
 * accepted, loses recipients whose copy is safe in the hold, is discarded because
 * all of it is, or is put off (4xx). A peer that breaks the protocol, a session
 * too many or a want of memory ends in a closed connection, and the MTA goes on
 * with its default action, which should be accept (promise 3).
 */
#ifndef QUELL_DOOR_MILTER_H
#define QUELL_DOOR_MILTER_H

#include "flow/flow.h"
#include "net/listen.h"
#include "net/loop.h"

struct milter_door;

struct milter_door_setup {
	const char *listen;        /* "unix:/path", "inet:8891@127.0.0.1" */
	struct listen_setup socket;
	int64_t idle_ms;           /* a session without a byte is closed after this */
	size_t sessions_max;       /* one more is closed at once */
};

/* loop and flow must outlive the door. NULL and the reason on trouble. */
struct milter_door *milter_door_open(struct loop *loop, struct flow *flow,
				     const struct milter_door_setup *setup, struct error *error);
/* Closes all sessions; mails without an answer are the MTA's again. Sets the
 * pointer to NULL; NULL is welcome. */
void milter_door_close(struct milter_door **door);
size_t milter_door_sessions(const struct milter_door *door);

#endif
