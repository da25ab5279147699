/* SPDX-License-Identifier: Apache-2.0
 *
 * received: one Received field (RFC 5321 4.4) to one hop.
 *
 * The grammar in the wild is wider than any RFC: Sendmail, Postfix, Exim,
 * qmail, Exchange, IIS SMTP pickup, ZMailer, Ecartis, Majordomo, Domino. What
 * cannot be read stays empty; a line is never refused (RFC 5321 3.7.2).
 */
#ifndef QUELL_MAIL_RECEIVED_H
#define QUELL_MAIL_RECEIVED_H

#include "mail/facts.h"

enum hop_kind {
	HOP_SMTP,   /* from a peer over the network */
	HOP_PICKUP, /* "mail pickup service" (IIS) */
	HOP_POP3,   /* fetched by POP3 or IMAP */
	HOP_LOCAL,  /* local submission or list expansion: no from */
};

struct hop {
	struct slice by;        /* host that wrote the line, lower case */
	struct slice from_helo; /* what the peer called itself, lower case */
	struct slice from_name; /* PTR name as by saw it; empty if not given */
	struct ip from_ip;      /* as by saw it; unknown if not given */
	struct slice with;      /* protocol */
	struct slice id;
	struct slice for_addr;  /* without <> */
	int64_t time_ms;        /* 0 when it cannot be read */
	enum hop_kind kind;
};

/* Does the line say who handed the mail over? (Not a pickup, fetch or local step.) */
static inline bool hop_has_from(const struct hop *hop)
{
	return hop->kind == HOP_SMTP && (!ip_is_unknown(hop->from_ip) || hop->from_helo.len > 0);
}

/* value: the field body, may be folded. Slices in *hop_out point into memory
 * from arena. Always fills *hop_out; false when neither from nor by was found. */
bool received_parse(struct arena *arena, struct slice value, struct hop *hop_out);

#endif
