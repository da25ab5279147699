/* SPDX-License-Identifier: Apache-2.0
 *
 * party: what is written down of one server, and how sure that makes us.
 *
 * One witness is one peer through which copies of it came: confidence is
 * logit(.05) + for each witness ln(c/(1-c)) (1 + log2 n), so that many copies
 * through one relay are one witness (algorithms.md 2.2). Agreeing marks of a
 * connector count as one witness more, once. Used for the one mail at hand
 * (storm/parties) and for the tree of many (trace).
 */
#ifndef QUELL_STORM_PARTY_H
#define QUELL_STORM_PARTY_H

#include "storm/breaker.h"
#include "storm/culprit.h"

enum {
	PARTY_WITNESSES = 4,   /* more would only make it surer */
	PARTY_FAN_MIN = 3,     /* recipients of one copy that make a re-injector */
};

struct witness {
	uint64_t peer;      /* hash of its address */
	uint32_t copies;
	double credibility; /* the best seen */
};

/* What stands behind struct party. */
struct party_track {
	struct fuse fuse;   /* only its clock: the period */
	struct witness witnesses[PARTY_WITNESSES];
	double boost;       /* logits from decisive marks, given once */
	unsigned fan;       /* most surplus recipients in one mail */
	bool is_reinjector; /* it is known to make copies */
	unsigned evidence_kinds; /* bits of what has been said already */
};

/* name made harmless, cut. */
void party_copy_name(char out[INCIDENT_TEXT_BYTES], struct slice name);
/* What the party goes by, once: its attested name, else the address itself. What it
 * calls itself never becomes its name (promise 5), that stands among the claims. */
void party_name(struct party *p, struct slice attested, struct ip ip);
bool party_has_address(const struct party *p, struct ip ip);
/* Unknown ones and those past PARTY_ADDRESSES_MAX are left out. */
void party_add_address(struct party *p, struct ip ip);
/* One surplus copy at this time: the period. */
void party_note_time(struct party *p, struct party_track *t, int64_t when_ms);
/* Evidence: it handed a copy to us. */
void party_note_peer(struct party *p, struct party_track *t, const struct peer *peer);
/* Name, address, organisation, product, evidence and claims that one copy gives of its
 * culprit; surplus: recipients of that copy that had the mail. Decisive marks are
 * weighed too. Blame and witnesses are the caller's. */
void party_note_culprit(struct party *p, struct party_track *t, const struct facts *facts,
			const struct culprit *culprit, unsigned surplus);
/* Evidence in the caller's words, said once for each kind; kind: 1 << 8 and up. */
void party_add_evidence(struct party *p, struct party_track *t, unsigned kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void party_note_witness(struct party_track *t, uint64_t peer, double credibility);
double party_confidence(const struct party_track *t);
/* Named: an attested address, known to make copies, blamed twice, sure enough. */
bool party_is_guilty(const struct party *p, const struct party_track *t);
/* What can be had back of a party that the store remembers: it keeps its role
 * until new copies say more. */
void party_track_restore(struct party_track *t, const struct party *party);

#endif
