/* SPDX-License-Identifier: Apache-2.0
 *
 * incident: one storm, from its first surplus copy to its quiet end.
 *
 * One incident per (class, content), whichever door saw it: the id is made from
 * the unkeyed content digest, so milter, log, mailbox and replay give the same
 * one, and a storm that comes back reopens its incident. A flat struct of fixed
 * size: nothing here grows without a ceiling. Names found only in the mail are
 * claims; an address is attested when the receiver of that hop wrote it.
 */
#ifndef QUELL_STORM_INCIDENT_H
#define QUELL_STORM_INCIDENT_H

#include "base/buf.h"
#include "mail/facts.h"
#include "storm/verdict.h"

enum {
	INCIDENT_PARTIES_MAX = 16,   /* servers remembered; beyond: least blame gives way */
	INCIDENT_IDS_MAX = 10,       /* Message-IDs kept */
	INCIDENT_TEXT_BYTES = 128,   /* from, subject, ids, names: cut, valid UTF-8 not promised */
	PARTY_ADDRESSES_MAX = 4,
	PARTY_CLAIMS_MAX = 6,
	PARTY_EVIDENCE_MAX = 6,
};

/* CLOSED: nothing (more) to do. SUSPECT: surplus seen, within its budget.
 * OPEN: surplus is withheld. HALF_OPEN: quiet long enough; one surplus copy a
 * period may pass to see whether the storm is over. */
enum breaker { BREAKER_CLOSED, BREAKER_SUSPECT, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_name(enum breaker b); /* "closed" "suspect" "open" "half-open" */

enum party_role {
	PARTY_ENTRY,   /* handed surplus to us: certain, but maybe only a relay */
	PARTY_SUSPECT, /* points to it, not enough to name it */
	PARTY_GUILTY,  /* attested, blame >= 2, confidence >= .90 */
	PARTY_FORWARDER, /* gives one copy on for each it gets: never blamed (trace only) */
};

/* One server that surplus copies come from. */
struct party {
	enum party_role role;
	char host[INCIDENT_TEXT_BYTES];      /* attested name, else the address; never a HELO */
	char domain[INCIDENT_TEXT_BYTES];    /* organisation: of host, or as the connector's
						prefix, its hop and HELO agree (a claim) */
	struct ip addresses[PARTY_ADDRESSES_MAX]; /* attested */
	unsigned address_count;
	char claims[PARTY_CLAIMS_MAX][INCIDENT_TEXT_BYTES]; /* "connector mailbox user@dom" ... */
	unsigned claim_count;
	char product[INCIDENT_TEXT_BYTES];   /* "Microsoft SBS 2003 POP3 connector" or "" */
	char evidence[PARTY_EVIDENCE_MAX][INCIDENT_TEXT_BYTES + 72]; /* in words */
	unsigned evidence_count;
	uint64_t surplus;                    /* (mail, recipient) pairs received from it */
	uint64_t copies;                     /* mails */
	unsigned blame;                      /* copies that name it by evidence, not as entry */
	double confidence;                   /* 0..1 */
	int64_t first_ms, last_ms;
	int64_t period_ms;                   /* median gap of its surplus mails; 0 unknown */
};

struct incident {
	char id[INCIDENT_ID_BYTES];
	enum storm_class cls;
	enum breaker state;
	int64_t first_ms, last_ms, opened_ms, closed_ms;
	uint8_t content_public[DIGEST_BYTES];
	char from[INCIDENT_TEXT_BYTES], subject[INCIDENT_TEXT_BYTES];
	char message_ids[INCIDENT_IDS_MAX][INCIDENT_TEXT_BYTES];
	unsigned message_id_count;
	uint64_t copies;              /* mails with this content seen, the first one too */
	uint64_t pairs;               /* (mail, recipient) seen */
	uint64_t surplus;             /* of these, surplus */
	uint64_t passed, held, suppressed, deferred; /* of the surplus pairs */
	unsigned recipients;          /* distinct; exact to 64, then estimated */
	unsigned t1, t2, t3;          /* mails by tier */
	char opener[REASON_BYTES];    /* why the breaker opened, in words; "" if never */
	struct party parties[INCIDENT_PARTIES_MAX];
	unsigned party_count;
	unsigned parties_forgotten;
};

/* "D" and 12 base-32 characters for a duplicate flood, "L..." loop, "R..." rate. */
void incident_id(enum storm_class cls, const uint8_t content_public[DIGEST_BYTES],
		 char out[INCIDENT_ID_BYTES]);

/* From and Subject of the first mail that is told, and the Message-ID of each. */
void incident_describe(struct incident *incident, const struct facts *facts);
void incident_add_message_id(struct incident *incident, struct slice id);

/* What takes the content's place in the id of a storm of many contents: the thread's
 * root (reply-all), both addresses in order (ping-pong), the address that the bounces go
 * to. b may be empty. */
void incident_topic(enum storm_class cls, struct slice a, struct slice b, uint8_t out[DIGEST_BYTES]);

/* The whole incident in words for a person, lines of at most 78 columns, every
 * hostile byte made harmless: what, when, how many, who, how sure, what Quell did. */
bool incident_explain(const struct incident *incident, struct buf *out);

/* Versioned bytes for the store; decode refuses what it does not understand. */
bool incident_encode(const struct incident *incident, struct buf *out);
bool incident_decode(struct slice bytes, struct incident *incident_out);

#endif
