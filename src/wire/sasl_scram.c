/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl_scram: SCRAM-SHA-256 (RFC 5802, 7677) without channel binding.
 *
 * Two challenges: the server's first message, answered with our proof, and its final
 * one, which must bear the signature we computed. Attributes stand in their order;
 * what may follow them is looked at for its form only. "m=" (an extension we must
 * know) is refused, as the RFC says. Keys live on the stack and are zeroed.
 */
#include "wire/sasl_inside.h"

#include "wire/base64.h"

enum { ITERATIONS_MIN = 4096, ITERATIONS_MAX = 1000000 };

struct scram_server_first {
	struct slice nonce;
	uint8_t salt[SCRAM_SALT_BYTES_MAX];
	size_t salt_bytes;
	uint32_t iterations;
};

struct scram_keys {
	uint8_t salted[SHA256_BYTES], client[SHA256_BYTES], stored[SHA256_BYTES], server[SHA256_BYTES];
	uint8_t signature[SHA256_BYTES];
	uint8_t proof[SHA256_BYTES];
};

static struct slice key_slice(const uint8_t key[SHA256_BYTES])
{
	return slice_make(key, SHA256_BYTES);
}

/* ---- messages ---- */

static void add_first_bare(struct sasl *s)
{
	buf_add_str(&s->answer, "n=");
	sasl_add_name(&s->answer, s->user);
	buf_add_str(&s->answer, ",r=");
	buf_add_str(&s->answer, s->nonce);
}

void scram_first(struct sasl *s)
{
	buf_add_str(&s->answer, "n,,");
	add_first_bare(s);
}

/* Takes "x=value" off *rest; false when another attribute stands there, or no value. */
static bool take_attribute(struct slice *rest, char name, struct slice *value_out)
{
	struct slice part;
	if (!slice_next(rest, ',', &part) || part.len < 3 || part.ptr[0] != name || part.ptr[1] != '=')
		return false;
	*value_out = slice_from(part, 2);
	return true;
}

static bool are_extensions(struct slice rest)
{
	struct slice part;
	while (slice_next(&rest, ',', &part))
		if (part.len < 3 || !ascii_is_alpha(part.ptr[0]) || part.ptr[1] != '=')
			return false;
	return true;
}

static bool is_nonce(struct slice nonce, struct slice ours)
{
	for (size_t i = 0; i < nonce.len; i++)
		if (nonce.ptr[i] <= ' ' || nonce.ptr[i] >= 0x7f)
			return false;
	return nonce.len <= SCRAM_NONCE_BYTES_MAX && nonce.len > ours.len &&
	       slice_equal(slice_first(nonce, ours.len), ours);
}

static bool read_server_first(struct slice challenge, struct slice ours, struct scram_server_first *first,
			      const char **why_out)
{
	struct slice salt, count, rest = challenge;
	uint64_t iterations;
	if (!take_attribute(&rest, 'r', &first->nonce) || !take_attribute(&rest, 's', &salt) ||
	    !take_attribute(&rest, 'i', &count) || !are_extensions(rest))
		return sasl_refuse("the server's SCRAM message is out of its form", why_out);
	if (!is_nonce(first->nonce, ours))
		return sasl_refuse("the server's SCRAM nonce does not go on from ours", why_out);
	if (!base64_read(salt, first->salt, sizeof first->salt, &first->salt_bytes))
		return sasl_refuse("the server's SCRAM salt is no base64, or too long", why_out);
	if (!slice_to_u64(count, &iterations) || iterations < ITERATIONS_MIN)
		return sasl_refuse("the server wants too few SCRAM iterations", why_out);
	if (iterations > ITERATIONS_MAX)
		return sasl_refuse("the server wants too many SCRAM iterations", why_out);
	first->iterations = (uint32_t)iterations;
	return true;
}

/* ---- keys (RFC 5802 3) ---- */

/* Hi(), which is PBKDF2 with one block. The key is hashed once, not at every turn. */
static void scram_salt(struct slice password, const struct scram_server_first *first,
		       uint8_t out[SHA256_BYTES])
{
	static const uint8_t block_one[4] = { 0, 0, 0, 1 };
	uint8_t u[SHA256_BYTES];
	struct hmac keyed, turn;
	hmac_init(&keyed, password);
	turn = keyed;
	hmac_add(&turn, slice_make(first->salt, first->salt_bytes));
	hmac_add(&turn, slice_make(block_one, sizeof block_one));
	hmac_end(&turn, u);
	memcpy(out, u, SHA256_BYTES);
	for (uint32_t i = 1; i < first->iterations; i++) {
		turn = keyed;
		hmac_add(&turn, key_slice(u));
		hmac_end(&turn, u);
		for (size_t k = 0; k < SHA256_BYTES; k++)
			out[k] ^= u[k];
	}
	explicit_bzero(&keyed, sizeof keyed);
	explicit_bzero(u, sizeof u);
}

/* HMAC(key, AuthMessage), whose three parts are hashed as they are. */
static void scram_sign(const uint8_t key[SHA256_BYTES], const struct slice parts[3], uint8_t out[SHA256_BYTES])
{
	struct hmac h;
	hmac_init(&h, key_slice(key));
	for (size_t i = 0; i < 3; i++) {
		hmac_add(&h, parts[i]);
		if (i < 2)
			hmac_add(&h, SLICE(","));
	}
	hmac_end(&h, out);
}

/* Our proof into the keys, the signature that is awaited into s. */
static void scram_prove(struct sasl *s, struct scram_keys *keys, const struct slice parts[3])
{
	hash_hmac_sha256(key_slice(keys->salted), SLICE("Client Key"), keys->client);
	hash_sha256(key_slice(keys->client), keys->stored);
	scram_sign(keys->stored, parts, keys->signature);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		keys->proof[i] = keys->client[i] ^ keys->signature[i];
	hash_hmac_sha256(key_slice(keys->salted), SLICE("Server Key"), keys->server);
	scram_sign(keys->server, parts, s->signature);
}

/* ---- steps ---- */

static bool on_server_first(struct sasl *s, struct slice challenge, const char **why_out)
{
	struct scram_server_first first = { 0 };
	struct scram_keys keys;
	if (!read_server_first(challenge, slice_from_str(s->nonce), &first, why_out))
		return false;
	scram_salt(s->secret, &first, keys.salted);
	/* Both of our parts are built in the answer; only the second stays. "biws" is "n,,". */
	add_first_bare(s);
	size_t bare = s->answer.len;
	buf_add_str(&s->answer, "c=biws,r=");
	buf_add(&s->answer, first.nonce);
	const struct slice parts[3] = {
		slice_first(buf_slice(&s->answer), bare), challenge, slice_from(buf_slice(&s->answer), bare),
	};
	scram_prove(s, &keys, parts);
	buf_consume(&s->answer, bare);
	buf_add_str(&s->answer, ",p=");
	base64_add(&s->answer, key_slice(keys.proof));
	explicit_bzero(&keys, sizeof keys);
	return true;
}

static bool on_server_final(struct sasl *s, struct slice challenge, const char **why_out)
{
	struct slice value, rest = challenge;
	uint8_t said[SHA256_BYTES];
	size_t n;
	if (take_attribute(&rest, 'e', &value)) {
		sasl_complain(s, value);
		return true;
	}
	rest = challenge;
	if (!take_attribute(&rest, 'v', &value) || !are_extensions(rest) ||
	    !base64_read(value, said, sizeof said, &n) || n != sizeof said)
		return sasl_refuse("the server's last SCRAM message is out of its form", why_out);
	if (!hash_is_equal(said, s->signature, sizeof said))
		return sasl_refuse("the server does not know the password it is asked about", why_out);
	s->is_signed = true;
	return true;
}

bool scram_step(struct sasl *s, struct slice challenge, const char **why_out)
{
	if (s->challenges == 0)
		return on_server_first(s, challenge, why_out);
	if (s->challenges == 1)
		return on_server_final(s, challenge, why_out);
	return sasl_refuse("the server goes on after its last SCRAM message", why_out);
}
