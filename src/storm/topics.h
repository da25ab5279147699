/* SPDX-License-Identifier: Apache-2.0
 *
 * topics: what classes 3 to 5 watch: threads with a large audience, pairs of addresses
 * that answer each other, addresses that bounces go to (algorithms.md 1.5).
 *
 * Three bounded tables of one make: eight ways, the oldest quiet entry gives way, open
 * ones last. A forgotten topic begins anew: its storm is seen a little later, and no
 * mail is lost by that. Beside them the mails that were asked to come again (waits), so
 * that a retry is known for what it is and is let in when its time has come; where that
 * table is full the mail is let in at once (L3, L4).
 *
 * Pointers into a table are good until the next topics_get on it.
 */
#ifndef QUELL_STORM_TOPICS_H
#define QUELL_STORM_TOPICS_H

#include "storm/incident.h"

enum {
	TOPIC_SKETCH = 16,         /* smallest hashes of a thread's audience: a fair sample of it */
	TOPIC_AUTHORS = 32,        /* replies remembered of a thread, the newest */
	TOPIC_TURNS = 32,          /* mails remembered of a pair */
	TOPIC_SENDERS = 16,        /* newest automatic answers to one address */
	TOPIC_BINS = 6,            /* of ten minutes */
	TOPIC_REPORTS = 8,         /* kinds of bounces remembered of one address, the newest */
};

/* Every topic begins with this. state: CLOSED, SUSPECT (told), OPEN (mail waits), HALF_OPEN
 * (quiet: what waits drips in). */
struct topic {
	uint64_t key;              /* 0: free */
	uint32_t last_s;           /* newest mail of it */
	uint32_t changed_s;        /* when the state was entered */
	uint8_t state;             /* enum breaker */
	uint8_t digest[DIGEST_BYTES]; /* names the incident (incident_topic) */
};

/* One reply of a thread. */
struct reply_seen {
	uint32_t author, mail;     /* hashes of From and of Message-ID */
	uint32_t at_s;
	bool is_passed;            /* let through when it came first */
};

/* A topic that has not been named yet. */
static inline bool digest_is_none(const uint8_t digest[DIGEST_BYTES])
{
	static const uint8_t none[DIGEST_BYTES];
	return memcmp(digest, none, sizeof none) == 0;
}

struct thread {
	struct topic topic;
	uint32_t root_author;      /* hash; 0: the first mail was not seen */
	uint32_t audience;         /* addresses that a reply reaches, as far as known */
	uint32_t sketch[TOPIC_SKETCH];
	uint8_t sketch_count, reply_at, delay_step; /* 2^delay_step times the first delay */
	struct reply_seen replies[TOPIC_AUTHORS]; /* a ring; at_s 0: none */
	uint32_t drip_s;           /* when the newest one that had waited was let in */
};

/* One mail of a pair: who sent it, how it looked. */
struct turn {
	uint32_t at_s;
	uint8_t side;              /* 0: from the smaller hash; of a node: 1 is sent, 0 received */
	uint8_t flags;             /* enum turn_flag */
};
enum turn_flag {
	TURN_AUTOMATIC = 1 << 0,   /* it says that nobody typed it */
	TURN_NEAR = 1 << 1,        /* its first lines are nearly those of the side's mail before */
	TURN_ANSWER = 1 << 2,      /* it names the other side's newest mail as the one it answers */
};

struct exchange {
	struct topic topic;
	struct turn turns[TOPIC_TURNS]; /* a ring */
	uint8_t turn_at, turn_count;
	uint8_t delay_step;        /* the next pause is 2^delay_step times the first */
	uint32_t alternations;     /* since it was opened */
	uint32_t next_s;           /* when the next automatic mail may pass */
	uint32_t mails[2];         /* hash of the newest Message-ID of each side: a retry is no turn */
	uint64_t near[2];
};

struct bounce_target {
	struct topic topic;
	uint32_t bin_at;           /* ten-minute number of the newest bin */
	uint16_t bins[TOPIC_BINS], known[TOPIC_BINS]; /* bounces; of these, of mail that we sent */
	float usual_per_hour;      /* EWMA over hours, half-life 14 days */
	uint32_t hour_at;          /* hour number that the mean has been settled for */
	uint32_t first_s;
	struct {
		uint32_t author, at_s;
	} answers[TOPIC_SENDERS];  /* automatic answers: a ring */
	uint8_t answer_at;
	struct {
		uint32_t key, count;
	} reports[TOPIC_REPORTS];  /* bounces that say the same: a ring */
	uint8_t report_at;
	float tokens;              /* of the hold lane: mails that may pass now */
	uint32_t token_s;
};

struct topics {
	char *slots;               /* slot_count entries of slot_bytes */
	uint32_t *prints;          /* of the keys, for the search */
	size_t slot_bytes;
	uint32_t slot_count;
	uint64_t used, evicted;
};

/* slot_bytes: of the struct that begins with struct topic. */
bool topics_init(struct topics *t, size_t bytes, size_t slot_bytes);
void topics_free(struct topics *t);
size_t topics_bytes(const struct topics *t);
void topics_prefetch(const struct topics *t, uint64_t key);
/* NULL when unknown. key is not 0. */
void *topics_find(const struct topics *t, uint64_t key);
/* Found or begun (zeroed but for the key). NULL when all that could give way are open. */
void *topics_get(struct topics *t, uint64_t key, uint32_t now_s);
/* The n-th slot, free or not (key 0: free). */
struct topic *topics_at(const struct topics *t, uint32_t n);

/* --- mails that were asked to come again ------------------------------------------ */

struct wait {
	uint64_t key;              /* 0: free */
	uint32_t first_s, due_s;
};

struct waits {
	struct wait *slots;
	uint32_t slot_count;
	uint32_t added;            /* ever; 0: nothing to look for */
};

bool waits_init(struct waits *w, size_t bytes);
void waits_free(struct waits *w);
size_t waits_bytes(const struct waits *w);
struct wait *waits_find(const struct waits *w, uint64_t key);
/* NULL when there is no room: then the mail is not to wait. Waits older than two days
 * give way. */
struct wait *waits_add(struct waits *w, uint64_t key, uint32_t now_s, uint32_t due_s);

/* --- Message-IDs that left our house ------------------------------------------------ */

/* Two Bloom filters that take turns: what was sent lately is known, some of what never was
 * is taken for it (about one in a hundred), old things are forgotten. */
struct sent {
	uint64_t *bits[2];
	uint32_t bit_count, added;
};

bool sent_init(struct sent *s, size_t bytes);
void sent_free(struct sent *s);
size_t sent_bytes(const struct sent *s);
void sent_note(struct sent *s, uint64_t message_id);
bool sent_holds(const struct sent *s, uint64_t message_id);

#endif
