/* SPDX-License-Identifier: Apache-2.0
 *
 * instances: what is known of each mail, by its instance key I (algorithms.md 1.2).
 *
 * Made for every content, so that a later copy can be told from a first one:
 * nonces of the first sighting (Message-ID with Date, DKIM b=, Thread-Index,
 * boundary), who brought it first, surplus of the last hour, its breaker.
 * A bounded table, 8 ways and two choices; when both buckets are full, what is
 * too old goes first, then the oldest that was seen once, then closed ones, and
 * open breakers last. A forgotten instance makes its next copy a first one,
 * which is delivered (L3).
 *
 * Pointers into the table are good until the next instances_add.
 */
#ifndef QUELL_STORM_INSTANCES_H
#define QUELL_STORM_INSTANCES_H

#include "storm/breaker.h"

enum {
	INSTANCE_EMITTERS = 6,
	INSTANCE_BINS = 6,   /* of ten minutes: surplus of the last hour */
};

/* Which nonce of the first sighting stands where. Those of re-made copies are not
 * kept: their marks make them T2 again, and an author's own repetition that a
 * connector was quicker with must not become T1 by them. */
enum nonce_kind { NONCE_ID_DATE, NONCE_DKIM, NONCE_THREAD_INDEX, NONCE_BOUNDARY, NONCE_KINDS };

struct instance {
	uint8_t key[DIGEST_SHORT_BYTES];
	uint64_t nonces[NONCE_KINDS]; /* 0 = none */
	struct fuse fuse;
	uint32_t first_s, last_s;
	uint32_t first_door;   /* hash of the organisation that brought it first */
	uint32_t foreign_door; /* the one that repeated it lately without proof (T3) */
	uint32_t emitters[INSTANCE_EMITTERS]; /* that sent surplus of it; a ring */
	uint32_t bin_at;       /* ten-minute number of the newest bin */
	uint16_t bins[INSTANCE_BINS];
	uint16_t sightings;    /* mails, up to 65535 */
	uint8_t emitter_count; /* distinct, as far as the ring can tell */
	uint8_t proofs;        /* T2 copies since the breaker opened */
	uint8_t repeats;       /* T3 copies in a row from foreign_door */
};

struct instances {
	struct instance *entries; /* bucket_count * 8 */
	uint32_t *prints;         /* of the keys; 0 = free */
	uint32_t bucket_count;
	uint32_t memory_s;
	uint64_t used, evicted;
};

/* bytes: all that the table may take. False without memory; the table is empty. */
bool instances_init(struct instances *t, size_t bytes, uint32_t memory_s);
void instances_free(struct instances *t);
size_t instances_bytes(const struct instances *t);

void instances_prefetch(const struct instances *t, const uint8_t key[DIGEST_SHORT_BYTES]);
/* NULL when unknown or too old. */
struct instance *instances_find(const struct instances *t, const uint8_t key[DIGEST_SHORT_BYTES],
				uint32_t now_s);
/* A new, zeroed entry with its key and times set; the key must not be in the
 * table. NULL when nothing may give way. */
struct instance *instances_add(struct instances *t, const uint8_t key[DIGEST_SHORT_BYTES],
			       uint32_t now_s);
void instances_clear(struct instances *t);

/* One more mail of it. */
void instance_note_sighting(struct instance *inst, uint32_t now_s);
/* Surplus pairs in the last hour, before this mail. */
unsigned instance_surplus(const struct instance *inst, uint32_t now_s);
void instance_add_surplus(struct instance *inst, uint32_t now_s, unsigned pairs);
/* Remembers an emitter of surplus; true when it is new for this instance. */
bool instance_add_emitter(struct instance *inst, uint32_t emitter);
bool instance_has_nonce(const struct instance *inst, uint64_t nonce);

#endif
