/* SPDX-License-Identifier: Apache-2.0
 *
 * culprit: who put this one copy into the stream, judged from its own facts.
 *
 * The inline part of tracing (algorithms.md 2.2), for one mail at a time and on
 * the careful side. From the trust boundary down it looks for the topmost hop
 * that fetched and sent again (pickup, POP3, the connector's own domain), else a
 * host of a domain in the audience. The party is then the address that the
 * receiver of that hop wrote down, never what the party says of itself; how far
 * to believe the receiver is the product of trust down the chain (own hosts 1,
 * configured relays .95, learnt ones .8, others .5; a break in the chain .3). Below .45 nobody is
 * found, and the copy speaks only for its peer. From is never looked at as a
 * party. What it cannot do: name a host that leaves neither marks nor a hop, or
 * anything behind a relay that nobody vouches for.
 */
#ifndef QUELL_STORM_CULPRIT_H
#define QUELL_STORM_CULPRIT_H

#include "mail/facts.h"
#include "mail/received.h"

enum culprit_kind {
	CULPRIT_NONE,
	CULPRIT_AUDIENCE, /* a host of a domain that the mail was addressed to; one that took
			     the mail in by SMTP from others comes last (is_conduit) */
	CULPRIT_FETCH,    /* it fetched the mail, or its connector left its prefix */
};

struct culprit {
	enum culprit_kind kind;
	struct ip ip;              /* attested */
	struct slice host;         /* attested name; empty if none */
	struct slice helo;         /* what it called itself */
	struct slice domain;       /* its organisation, when two signs agree on it */
	struct slice attested_by;  /* host that wrote the address down; empty: ours */
	struct slice hop_host;     /* the name in its own Received line; a claim */
	double credibility;        /* of the attesting receiver, 0..1 */
	bool is_decisive;          /* connector prefix and pickup or minted id, agreeing */
	bool is_pickup;            /* it left a pickup or POP3 line */
	bool is_conduit;           /* it only gives mail on: a suspect at most */
	int64_t hop_ms;            /* time of that line, by its own clock; 0: none */
};

/* Whose Received lines are believed: those that the postmaster named (.95), and those
 * that a mailbox's own experience vouches for (.8; algorithms.md 2.2, rep). */
struct vouched {
	const char *const *relays;
	size_t relay_count;
	const char *const *learnt;
	size_t learnt_count;
};

/* Who handed the mail to the writer of a Received line, as that line says. */
struct handover {
	struct ip ip;
	struct slice name, helo;
	struct slice written_by; /* empty: us */
	double trust;            /* in the writer, 0..1 */
};

/* One step down a chain: who handed over what hop k and those below it say, and what
 * the names and hop k make of that party. */
struct culprit_step {
	struct handover from;
	enum culprit_kind kind;  /* CULPRIT_NONE also when the writer is not believed */
	struct slice hop_host;   /* FETCH: the name in its own Received line */
	bool is_pickup;          /* FETCH: it left a pickup or POP3 line */
	int64_t hop_ms;          /* time of that line, by its own clock; 0: none */
	bool is_joined;          /* hop k was written by the party itself, as far as names tell */
	bool is_conduit;         /* AUDIENCE, but it only gives mail on (see culprit.c) */
};

/* Who the copy was received from, as our own side wrote it down. */
struct peer {
	struct ip ip;
	struct slice name;  /* as attested (PTR); empty if none: HELO is only a claim */
	struct slice helo;
	struct slice org;   /* of name; empty when there is no name */
};

void peer_of(const struct facts *facts, struct peer *peer_out);
/* kind is CULPRIT_NONE when nobody can be found. Slices point into the facts. */
void culprit_find(const struct facts *facts, const struct vouched *vouched, struct culprit *culprit_out);
/* The chain from the trust boundary down. steps[i] is for hop *first_out + i, the last
 * one for the party below the lowest hop; CULPRIT_STEPS_MAX places are needed.
 * Returns how many; at least one. */
enum { CULPRIT_STEPS_MAX = FACTS_HOPS_MAX + 1 };
size_t culprit_walk(const struct facts *facts, const struct vouched *vouched, struct culprit_step *steps,
		    size_t *first_out);
/* Is the receiver believed, and did it write down an address? */
bool culprit_is_believed(const struct handover *from);
/* How telling a step is: 0 not at all, 3 most. */
unsigned culprit_rank(const struct culprit_step *step);
/* The culprit that this step is. */
void culprit_of_step(const struct facts *facts, const struct culprit_step *step,
		     struct culprit *culprit_out);
/* Do both names belong to one organisation? Asks the public suffix list only when
 * they share their last two labels, so it is cheap to ask in vain. */
bool culprit_is_same_org(struct slice a, struct slice b);
/* Is the host's organisation among those of To and Cc? */
bool culprit_is_in_audience(const struct facts *facts, struct slice host);
/* A prefix or an "IMB Recipient" mailbox in the mail's own To or Cc. */
bool culprit_has_marker(const struct facts *facts);
/* "Microsoft Small Business Server 2003 POP3 connector" or "". */
const char *culprit_product(const struct facts *facts);

#endif
