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
#include "storm/topics.h"

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

	struct topic *topic;       /* of classes 3 to 5: what the incident is about, or NULL */
	enum storm_class topic_cls;
	bool is_observed;          /* only a log tells of it: nothing can be done to it */
	uint32_t mail_hash;        /* of judge_mail_hash; 0: not asked for yet */
	unsigned before;           /* mails of it that were seen before it was told of */
	bool is_drip;              /* what is held of the topic is to drip from now on */

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
/* The mail belongs to this topic; the first one that is told of counts. Its state may
 * change with time first. */
void judge_about(struct judge *j, enum storm_class cls, struct topic *topic);
/* Is it a mail to look at for classes 3 to 5? Copies are not: a storm of copies of one reply
 * has its own incident, and names who made them. */
bool judge_is_of_many(const struct judge *j);
/* The topic's state is entered, with the reason in words. */
void judge_enter(struct judge *j, enum storm_class cls, struct topic *topic, enum breaker state,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* An operator's order for the topic's incident, or what the topic itself says. */
enum breaker judge_topic_state(const struct judge *j, enum storm_class cls, const struct topic *topic);
/* The same deed for every recipient that nothing harsher was decided for. */
void judge_raise_all(struct judge *j, enum deed deed, const struct rule *rule,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Names this mail among those that wait for a topic: by Message-ID, else content. */
uint64_t judge_mail_key(struct judge *j, uint64_t topic_key);
/* The mail's own hash for the rings of topics. */
uint32_t judge_mail_hash(struct judge *j);
/* A hash of an address without its +detail, domain in any case; of one as it stands in an
 * envelope; both as text with the domain in lower case ("" without memory). */
uint32_t judge_address(const struct judge *j, struct slice local, struct slice domain);
uint32_t judge_mailbox(const struct judge *j, struct slice address);
struct slice judge_address_text(const struct judge *j, struct slice local, struct slice domain);
struct slice judge_mailbox_text(const struct judge *j, struct slice address);

/* What becomes of surplus that is withheld: held, or suppressed when proven. */
enum deed judge_withheld(const struct judge *j);
/* An operator has ordered that this content be let through. */
bool judge_is_let_through(const struct judge *j);
/* The recipient's address for a reason, harmless. Returns out. */
enum { RCPT_TEXT_BYTES = 100 };
const char *judge_rcpt_text(const struct judge *j, const struct judged_rcpt *rcpt,
			    char out[RCPT_TEXT_BYTES]);

/* outcome.c: the incident alone, of a mail that only a log tells of. */
void judge_tell(struct judge *j);
/* outcome.c: settles deeds, registers the passage, tallies the incident. */
void judge_finish(struct judge *j);

#endif
