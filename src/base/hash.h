/* SPDX-License-Identifier: Apache-2.0
 *
 * hash: the digests Quell rests on, over libsodium.
 *
 * digest: BLAKE2b, streaming, keyed or not, 16 or 32 bytes. Used where a match
 *   can lead to a mail being withheld. (limits.md 8 measured SHA-256 with SHA-NI
 *   faster on long bodies; bench/hash shows both, so the choice can be revisited.)
 * siphash: SipHash-2-4-128 with a secret key, for tables that strangers could
 *   try to fill with collisions.
 * mix: 64 bits, quick and unkeyed, for tables in which a collision costs work and
 *   decides nothing (the look over a mailbox).
 * hmac: HMAC-SHA256 cut to 96 bits, for the stamp; whole, and SHA-256 itself, where a
 *   protocol wants them (SCRAM).
 */
#ifndef QUELL_BASE_HASH_H
#define QUELL_BASE_HASH_H

#include "base/slice.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_generichash_blake2b.h>

enum { HASH_KEY_BYTES = 32, DIGEST_BYTES = 32, DIGEST_SHORT_BYTES = 16, HMAC_BYTES = 12, SHA256_BYTES = 32 };

/* The library wants 64-byte alignment: on the stack the compiler sees to it; memory
 * from mem.h or an arena is aligned to 16 only, so align by hand there. */
struct digest {
	crypto_generichash_blake2b_state state;
	size_t out_bytes;
};

/* An HMAC-SHA256 being made. A copy made behind hmac_init saves hashing the key again;
 * it holds what the key holds: the owner zeroes it where the key is a secret. */
struct hmac {
	crypto_auth_hmacsha256_state state;
};

struct hash128 {
	uint64_t lo, hi;
};

/* Once, before anything else; false when the library cannot start. */
bool hash_start(void);

/* key: HASH_KEY_BYTES or NULL for an unkeyed digest; out_bytes 16 to 32. */
void digest_init(struct digest *d, const uint8_t *key, size_t out_bytes);
void digest_add(struct digest *d, struct slice s);
/* Length first, so that two fields can never be mistaken for one. */
void digest_add_field(struct digest *d, struct slice s);
/* out: out_bytes as given at init. */
void digest_end(struct digest *d, uint8_t *out);

/* key: the first 16 bytes are used. */
struct hash128 hash_sip128(const uint8_t *key, struct slice s);

/* Goes on from hash (any number begins); length first. Never 0. */
uint64_t hash_mix(uint64_t hash, struct slice s);
/* The same whatever the case of ASCII letters. */
uint64_t hash_mix_nocase(uint64_t hash, struct slice s);

void hash_hmac96(const uint8_t key[HASH_KEY_BYTES], struct slice s, uint8_t out[HMAC_BYTES]);
/* 32 bytes. */
void hash_sha256(struct slice s, uint8_t out[SHA256_BYTES]);
/* 32 bytes; a key of any length (RFC 2104: one above 64 bytes is hashed first). */
void hash_hmac_sha256(struct slice key, struct slice s, uint8_t out[SHA256_BYTES]);
/* The same, from pieces. hmac_end leaves nothing of the key in *h. */
void hmac_init(struct hmac *h, struct slice key);
void hmac_add(struct hmac *h, struct slice s);
void hmac_end(struct hmac *h, uint8_t out[SHA256_BYTES]);
/* In constant time. */
bool hash_is_equal(const uint8_t *a, const uint8_t *b, size_t n);
/* From the system's source of randomness. */
void hash_random(void *out, size_t n);

/* Lower-case hexadecimal, 2n characters and a NUL. */
void hash_to_hex(const uint8_t *bytes, size_t n, char *out);
/* Exactly 2n hexadecimal digits. */
bool hash_from_hex(struct slice s, uint8_t *out, size_t n);

#endif
