/* SPDX-License-Identifier: Apache-2.0
 *
 * address: mailbox lists as headers hold them (RFC 5322 3.4 and 4.4): groups
 * (empty ones too), comments, quoted strings, routes, bare words, and debris
 * such as "<unlisted-recipients:>" that a machine took for an address. Nothing
 * is refused: what has no @ is a local part without a domain.
 *
 * Reads in place: the text is changed (unquoted, domains lower-cased) and the
 * addresses point into it. Linear time, no memory.
 */
#ifndef QUELL_MAIL_ADDRESS_H
#define QUELL_MAIL_ADDRESS_H

#include "mail/facts.h"
#include "mail/lex.h"

struct address_reader {
	char *at, *end;
};

/* text: unfolded (lex_unfold), the reader's to change, outliving the addresses. */
void address_begin(struct address_reader *r, struct text text);
/* The next address; false at the end. display is not yet RFC 2047 decoded. A
 * group's name is dropped, its members are given like any other. */
bool address_next(struct address_reader *r, struct address *address_out);

/* Splits "user@Example.ORG" as an envelope writes it; lower-cases in place. */
struct address address_split(struct text text);

#endif
