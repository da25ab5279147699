/* SPDX-License-Identifier: Apache-2.0
 *
 * judge: one mail on its way through the engine. Private to this room.
 *
 * judge.c finds out what the mail is (stamps, tier, pairs), the rules of
 * detectors.c raise deeds, outcome.c writes down what was decided. Rules may
 * open breakers and raise deeds, nothing else.
 */
#ifndef QUELL_STORM_JUDGE_H
#define QUELL_STORM_JUDGE_H

#include "storm/inner.h"
#include "storm/stamp.h"
#include "storm/tiers.h"

struct judged_rcpt {
	uint8_t pair[PAIR_BYTES];
	struct pair_seen seen;
	enum deed deed;
	bool is_surplus;   /* the same mail was already taken over for it */
	bool is_repeat;    /* named before in this very transaction */
	bool is_returned;  /* a stamp with this content was for this recipient too */
	uint8_t returns;   /* stamps, changed content included, that were for it */
	uint8_t passes;    /* inner passages with the same stamp */
};

struct judged_stamp {
	struct stamp stamp;
	struct txn *txn;   /* NULL when the passage is forgotten */
	bool is_same;      /* its content is this mail's */
	bool is_changed;   /* other content, but the same Message-ID: a return all the same */
};

struct judge {
	struct storm *storm;
	const struct facts *facts;
	int64_t now_ms;
	uint32_t now_s;
	struct arena *arena;
	struct verdict *verdict;

	struct judged_stamp stamps[FACTS_STAMPS_MAX];
	unsigned stamp_count;
	bool is_inner;             /* a filter or hub of our own hands it on */
	bool has_changed_return;

	uint64_t nonces[NONCE_KINDS];
	uint8_t key[DIGEST_SHORT_BYTES]; /* of the instance it is judged as */
	struct instance *inst;     /* NULL when the table has no room */
	bool is_new;               /* a first sighting: the instance was made for it */
	bool is_inst_changed;      /* worth a record */
	struct tier_result tier;

	struct peer peer;
	struct culprit culprit;
	bool has_source;           /* the two above are filled in */
	uint32_t door;
	struct emitter *emitter;   /* only with surplus */
	const struct record_force *force; /* an operator's order, or NULL */

	struct judged_rcpt *rcpts;
	size_t rcpt_count;
	unsigned surplus;          /* distinct pairs */
	enum breaker state;        /* of the instance, before this mail */
	bool is_opened;            /* a rule opened the breaker now */
	bool is_alert;             /* worth an incident whatever the deeds */
	enum storm_class cls;
	char opener[REASON_BYTES]; /* why it was opened */
};

/* One rule. It looks at the whole mail and may raise deeds. */
struct rule {
	const char *name;
	void (*apply)(struct judge *j, const struct rule *rule);
	const char *doc;
};
extern const struct rule judge_rules[];
extern const size_t judge_rule_count;

/* Who sent it, looked for once, when first wanted. */
void judge_find_source(struct judge *j);

/* Raises the deed of one recipient; the first harshest one gives the verdict its
 * rule and its reason. */
void judge_raise(struct judge *j, struct judged_rcpt *rcpt, enum deed deed, const struct rule *rule,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* An alert without a deed. */
void judge_alert(struct judge *j, enum storm_class cls, const struct rule *rule,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Opens the breaker of the instance, with the reason in words. */
void judge_open(struct judge *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What becomes of surplus that is withheld: held, or suppressed when proven. */
enum deed judge_withheld(const struct judge *j);
/* An operator has ordered that this content be let through. */
bool judge_is_let_through(const struct judge *j);
/* The recipient's address for a reason, harmless. Returns out. */
enum { RCPT_TEXT_BYTES = 100 };
const char *judge_rcpt_text(const struct judge *j, const struct judged_rcpt *rcpt,
			    char out[RCPT_TEXT_BYTES]);

/* outcome.c: settles deeds, registers the passage, tallies the incident. */
void judge_finish(struct judge *j);

#endif
