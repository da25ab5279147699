/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl_inside: what sasl.c and sasl_scram.c share; nobody else includes it.
 */
#ifndef QUELL_WIRE_SASL_INSIDE_H
#define QUELL_WIRE_SASL_INSIDE_H

#include "base/hash.h"
#include "wire/sasl.h"

enum { SCRAM_NONCE_BYTES_MAX = 1024, SCRAM_SALT_BYTES_MAX = 1024 };

struct sasl {
	enum sasl_mechanism mechanism;
	char *own;                 /* user, secret and host, one behind the other */
	size_t own_bytes;
	struct slice user, secret, host;
	uint16_t port;
	struct buf answer;         /* reserved whole at birth, so that it never moves */
	char nonce[25];            /* SCRAM: ours, as sent */
	uint8_t signature[SHA256_BYTES]; /* SCRAM: what the server must say */
	unsigned challenges;       /* answered so far */
	bool is_first_said, is_signed;
	char complaint[SASL_COMPLAINT_BYTES];
	size_t complaint_len;
};

/* A name with "=" and "," escaped (RFC 5802 5.1). */
void sasl_add_name(struct buf *b, struct slice name);
/* Keeps what the server complains about, printable and cut. */
void sasl_complain(struct sasl *s, struct slice text);
/* Sets *why_out and returns false. */
bool sasl_refuse(const char *why, const char **why_out);

void scram_first(struct sasl *s);
bool scram_step(struct sasl *s, struct slice challenge, const char **why_out);

#endif
