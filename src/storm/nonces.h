/* SPDX-License-Identifier: Apache-2.0
 *
 * nonces: values that only copies of one mail share, and those that only look so.
 *
 * A (Message-ID, Date), a DKIM b=, a Thread-Index, a MIME boundary is a nonce as
 * long as it comes with one content. Seen with three different contents it is a
 * constant (a device's fixed id, a boundary burnt into a program) and proves
 * nothing. A small two-way table remembers, for recent values, with how many
 * contents each came; forgetting one makes it a nonce again, which is why no
 * nonce alone withholds anything.
 */
#ifndef QUELL_STORM_NONCES_H
#define QUELL_STORM_NONCES_H

#include "storm/instances.h"

enum { NONCE_CONSTANT_CONTENTS = 3 };

struct nonce_entry {
	uint32_t print;
	uint16_t content; /* of the newest content it came with */
	uint8_t contents; /* how many different ones, up to 255 */
	uint8_t kept;     /* how often the entry resisted a newcomer */
};

struct nonces {
	struct nonce_entry *entries;
	uint32_t bucket_count; /* of two */
};

bool nonces_init(struct nonces *t, size_t bytes);
void nonces_free(struct nonces *t);
size_t nonces_bytes(const struct nonces *t);
void nonces_prefetch(const struct nonces *t, uint64_t nonce);

/* The value came with this content. True when it is a constant by now. */
bool nonces_note(struct nonces *t, uint64_t nonce, const uint8_t content[DIGEST_SHORT_BYTES]);
bool nonces_is_constant(const struct nonces *t, uint64_t nonce);

/* The nonces of a mail, by kind; 0 where it has none. An id without a Date or a
 * Date without an id is none: devices share seconds. */
void nonces_of(const uint8_t *key, const struct facts *facts, uint64_t out[NONCE_KINDS]);
/* Of a Message-ID alone, for the passage ring; 0 when there is none. */
uint32_t nonce_message_id(const uint8_t *key, const struct facts *facts);

#endif
