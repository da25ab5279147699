/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl: the client side of four mechanisms (RFC 4422), pure: words in, words out.
 *
 * PLAIN (RFC 4616), SCRAM-SHA-256 (RFC 5802, 7677; without channel binding),
 * XOAUTH2 (Google, Microsoft), OAUTHBEARER (RFC 7628). Not built, on purpose: APOP,
 * CRAM-MD5, NTLM, DIGEST-MD5 (weak; hazard 40). Words are without base64; the codec
 * above encodes. All secrets are copied once, into memory that never moves; that and
 * every word made of them are zeroed by sasl_free.
 *
 * SASLprep (RFC 4013) is not done: SCRAM and PLAIN get names and passwords in UTF-8 as
 * they are. ASCII is not changed by it; who has another password than ASCII and a
 * server that normalizes must give it normalized. Where the grammar wants it (SCRAM,
 * OAUTHBEARER) "=" and "," in a name are escaped.
 *
 * Limits: user and secret 1 to 4,096 bytes without NUL, for the OAuth ones without any
 * control byte, host 1 to 255 such bytes; a challenge SASL_CHALLENGE_BYTES_MAX. A SCRAM
 * server may ask for 4,096 to 1,000,000 iterations (fewer is an attack, more is one on
 * our time: a million take up to a second of sasl_step).
 */
#ifndef QUELL_WIRE_SASL_H
#define QUELL_WIRE_SASL_H

#include "base/buf.h"
#include "base/error.h"

enum {
	SASL_ARGUMENT_BYTES_MAX = 4096,
	SASL_CHALLENGE_BYTES_MAX = 9216,
	SASL_COMPLAINT_BYTES = 512,
};

enum sasl_mechanism { SASL_PLAIN, SASL_SCRAM_SHA_256, SASL_XOAUTH2, SASL_OAUTHBEARER, SASL_MECHANISM_COUNT };
/* "PLAIN", ... */
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
/* False when the name (any case) is none of ours. */
bool sasl_mechanism_find(struct slice name, enum sasl_mechanism *mechanism_out);

struct sasl;

struct sasl_setup {
	enum sasl_mechanism mechanism;
	struct slice user;
	struct slice secret;        /* password, or token for the OAuth ones */
	struct slice host;          /* OAUTHBEARER: the server's name; else unused */
	uint16_t port;
	uint8_t nonce[18];          /* SCRAM: random, from the caller (the room is pure) */
	uint8_t nonce_bytes;        /* how many of them are used; 0: all */
};

/* NULL when an argument is out of its limits, or there is no memory. */
struct sasl *sasl_new(const struct sasl_setup *setup);
void sasl_free(struct sasl **s);
enum sasl_mechanism sasl_mechanism(const struct sasl *s);

/* The first word of the client; every mechanism here has one. Lives until the next call. */
struct slice sasl_first(struct sasl *s);
/* The server said challenge: our next word in *answer_out (may be empty; lives until
 * the next call). For the OAuth ones a challenge is the error document: it is kept
 * (sasl_complaint) and answered as the mechanism wants; so is a SCRAM server's "e=".
 * False: the server breaks the rules or proves nothing, *why_out says it in words:
 * give up. */
bool sasl_step(struct sasl *s, struct slice challenge, struct slice *answer_out, const char **why_out);
/* The server said it succeeded: may we believe it? (SCRAM: its signature was seen. The
 * others prove nothing, but our first word must have been said and no complaint come.) */
bool sasl_is_proven(const struct sasl *s);
/* What the server complained about; printable ASCII, bounded; empty when nothing. */
struct slice sasl_complaint(const struct sasl *s);

#endif
