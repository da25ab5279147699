/* SPDX-License-Identifier: Apache-2.0
 *
 * hash: thin, because libsodium does the work.
 */
#include "base/hash.h"

#include <sodium.h>

bool hash_start(void)
{
	return sodium_init() >= 0;
}

void digest_init(struct digest *d, const uint8_t *key, size_t out_bytes)
{
	d->out_bytes = out_bytes;
	crypto_generichash_blake2b_init(&d->state, key, key ? HASH_KEY_BYTES : 0, out_bytes);
}

void digest_add(struct digest *d, struct slice s)
{
	if (s.len > 0)
		crypto_generichash_blake2b_update(&d->state, (const uint8_t *)s.ptr, s.len);
}

void digest_add_field(struct digest *d, struct slice s)
{
	uint8_t len[8];
	for (int i = 0; i < 8; i++)
		len[i] = (uint8_t)((uint64_t)s.len >> (8 * i));
	digest_add(d, slice_make(len, sizeof len));
	digest_add(d, s);
}

void digest_end(struct digest *d, uint8_t *out)
{
	crypto_generichash_blake2b_final(&d->state, out, d->out_bytes);
}

struct hash128 hash_sip128(const uint8_t *key, struct slice s)
{
	struct hash128 h;
	crypto_shorthash_siphashx24((uint8_t *)&h, (const uint8_t *)s.ptr, s.len, key);
	return h;
}

static inline uint64_t mix_byte(uint64_t hash, char c)
{
	return (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
}

static inline uint64_t mix_length(uint64_t hash, size_t len)
{
	return (hash ^ len) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t mix_end(uint64_t hash)
{
	hash ^= hash >> 31;
	return hash ? hash : 1;
}

uint64_t hash_mix(uint64_t hash, struct slice s)
{
	hash = mix_length(hash, s.len);
	for (size_t i = 0; i < s.len; i++)
		hash = mix_byte(hash, s.ptr[i]);
	return mix_end(hash);
}

uint64_t hash_mix_nocase(uint64_t hash, struct slice s)
{
	hash = mix_length(hash, s.len);
	for (size_t i = 0; i < s.len; i++)
		hash = mix_byte(hash, ascii_lower(s.ptr[i]));
	return mix_end(hash);
}

void hash_hmac96(const uint8_t key[HASH_KEY_BYTES], struct slice s, uint8_t out[HMAC_BYTES])
{
	uint8_t full[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256(full, (const uint8_t *)s.ptr, s.len, key);
	memcpy(out, full, HMAC_BYTES);
}

void hash_sha256(struct slice s, uint8_t out[SHA256_BYTES])
{
	crypto_hash_sha256(out, (const uint8_t *)s.ptr, s.len);
}

void hmac_init(struct hmac *h, struct slice key)
{
	crypto_auth_hmacsha256_init(&h->state, (const uint8_t *)key.ptr, key.len);
}

void hmac_add(struct hmac *h, struct slice s)
{
	if (s.len > 0)
		crypto_auth_hmacsha256_update(&h->state, (const uint8_t *)s.ptr, s.len);
}

void hmac_end(struct hmac *h, uint8_t out[SHA256_BYTES])
{
	crypto_auth_hmacsha256_final(&h->state, out);
	sodium_memzero(h, sizeof *h);
}

void hash_hmac_sha256(struct slice key, struct slice s, uint8_t out[SHA256_BYTES])
{
	struct hmac h;
	hmac_init(&h, key);
	hmac_add(&h, s);
	hmac_end(&h, out);
}

bool hash_is_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void hash_random(void *out, size_t n)
{
	randombytes_buf(out, n);
}

void hash_to_hex(const uint8_t *bytes, size_t n, char *out)
{
	sodium_bin2hex(out, 2 * n + 1, bytes, n);
}

bool hash_from_hex(struct slice s, uint8_t *out, size_t n)
{
	size_t got = 0;
	const char *end = NULL;
	if (s.len != 2 * n)
		return false;
	return sodium_hex2bin(out, n, s.ptr, s.len, NULL, &got, &end) == 0 && got == n;
}
