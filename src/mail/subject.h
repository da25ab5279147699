/* SPDX-License-Identifier: Apache-2.0
 *
 * subject: what a Subject says of how a mail came to be: a reply ("Re:", and its
 * translations), an automatic answer ("Out of Office", ...), and what stays of it when
 * that is taken off. Weak signs all: programs write what they like.
 */
#ifndef QUELL_MAIL_SUBJECT_H
#define QUELL_MAIL_SUBJECT_H

#include "base/slice.h"

/* The Subject without the prefixes of replies and forwards; is_prefixed_out (may be NULL):
 * there was one. */
struct slice subject_bare(struct slice subject, bool *is_prefixed_out);
/* An absence note or another automatic answer, by its words. */
bool subject_is_automatic(struct slice subject);
/* A hash of what stays without prefixes, digits and case: "Re: [Ticket#12] Hello" and
 * "[Ticket#13] hello" are one. 0: nothing stays. */
uint64_t subject_topic(struct slice subject);

#endif
