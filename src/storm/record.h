/* SPDX-License-Identifier: Apache-2.0
 *
 * record: what of the engine's state goes to the journal and the snapshot, as
 * bytes: a version, a kind, then fields, little-endian. Opaque outside this room.
 *
 * A record that is short, long, of another version or kind is refused whole;
 * losing one costs surplus copies, never a mail. Nothing is allocated.
 */
#ifndef QUELL_STORM_RECORD_H
#define QUELL_STORM_RECORD_H

#include "storm/emitters.h"
#include "storm/instances.h"
#include "storm/topics.h"
#include "storm/txns.h"

enum {
	RECORD_VERSION = 1,
	RECORD_RCPTS_MAX = 256,  /* of one passage record; longer passages are several */
	RECORD_SLOTS_MAX = 256,  /* of one block of pair slots */
	RECORD_BYTES_MAX = 8192,
	RECORD_RATE_BYTES_MAX = 512,
};

enum record_kind {
	RECORD_CLOCK = 1,    /* the state is of this time */
	RECORD_TAKEN = 2,    /* pairs that the MTA owns from now on, and their passage */
	RECORD_PASSAGE = 3,  /* a passage of the ring, to be found again only */
	RECORD_FORGET = 4,   /* a pair that bounced or was withdrawn */
	RECORD_MARK = 5,     /* flags of a pair */
	RECORD_INSTANCE = 6,
	RECORD_EMITTER = 7,
	RECORD_RELEASE = 8,  /* a release that is due; due 0: done */
	RECORD_SLOTS = 9,
	RECORD_FORCE = 10,   /* an operator's order */
	RECORD_TOPIC = 11,   /* a thread, pair or address of classes 3 to 5 */
	RECORD_RATE = 12,    /* what is usual for one key (storm/rates.h) */
};

struct record_passage {
	uint64_t nonce, queue;
	uint8_t instance[DIGEST_SHORT_BYTES];
	uint32_t base, message_id, time_s;
	bool is_believed;
	uint32_t count;
	const uint8_t *rcpts; /* count times PAIR_BYTES and the state */
};

enum { RECORD_RCPT_BYTES = PAIR_BYTES + 1 };

struct record_force {
	uint8_t content[8]; /* of content_public */
	uint8_t cls, state;
	bool is_on;
};

struct record_out {
	uint8_t bytes[RECORD_BYTES_MAX];
	size_t len;
};

struct slice record_slice(const struct record_out *r);
enum record_kind record_kind_of(struct slice record); /* 0 when unknown or short */

void record_put_clock(struct record_out *r, int64_t now_ms);
bool record_get_clock(struct slice record, int64_t *now_ms_out);
/* Recipients [from, from + n) of txn; n at most RECORD_RCPTS_MAX. */
void record_put_passage(struct record_out *r, enum record_kind kind, const struct txn *txn,
			uint32_t from, uint32_t n, uint32_t time_s, bool is_believed);
bool record_get_passage(struct slice record, struct record_passage *passage_out);
void record_put_forget(struct record_out *r, const uint8_t pair[PAIR_BYTES]);
void record_put_mark(struct record_out *r, const uint8_t pair[PAIR_BYTES], unsigned set,
		     unsigned clear);
void record_put_release(struct record_out *r, const uint8_t pair[PAIR_BYTES], int64_t due_ms);
/* FORGET, MARK, RELEASE: the pair and the rest. */
bool record_get_pair(struct slice record, uint8_t pair_out[PAIR_BYTES], unsigned *set_out,
		     unsigned *clear_out, int64_t *due_ms_out);
void record_put_instance(struct record_out *r, const struct instance *inst);
bool record_get_instance(struct slice record, struct instance *inst_out);
void record_put_emitter(struct record_out *r, const struct emitter *e);
bool record_get_emitter(struct slice record, struct emitter *e_out);
void record_begin_slots(struct record_out *r);
void record_add_slot(struct record_out *r, struct pair_slot slot);
bool record_get_slot(struct slice record, size_t n, struct pair_slot *slot_out);
/* cls says which struct the topic is the beginning of. */
void record_put_topic(struct record_out *r, enum storm_class cls, const struct topic *topic);
/* topic_out: room for any of them. The class; STORM_NONE when it is not understood. */
union any_topic {
	struct topic topic;
	struct thread thread;
	struct exchange exchange;
	struct bounce_target target;
};
enum storm_class record_get_topic(struct slice record, union any_topic *topic_out);
void record_put_rate(struct record_out *r, struct slice block);
struct slice record_get_rate(struct slice record);
void record_put_force(struct record_out *r, const struct record_force *force);
bool record_get_force(struct slice record, struct record_force *force_out);

#endif
