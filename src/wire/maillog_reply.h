/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_reply: what the logs repeat of another server's answer. Strangers write it, so
 * only two things are looked for, each of a fixed shape.
 */
#ifndef QUELL_WIRE_MAILLOG_REPLY_H
#define QUELL_WIRE_MAILLOG_REPLY_H

#include "base/slice.h"

/* The first "2.1.5" of RFC 3463; empty when there is none. */
struct slice maillog_reply_dsn(struct slice answer);
/* The queue id in "Ok: queued as X" (Postfix; of a filter "forwarded as X"), "OK id=X" (Exim),
 * "InternalId=X" (Exchange), "X Message accepted" (Sendmail, OpenSMTPD), the mail's session
 * in "<recipient> X Saved" (Dovecot); empty when there is none. */
struct slice maillog_reply_id(struct slice answer);
/* The mail of a session of Dovecot's: "X:T2" of "X:T2:R3", its third recipient. */
struct slice maillog_reply_session(struct slice session);

#endif
