/* SPDX-License-Identifier: Apache-2.0
 *
 * tls: the client side of TLS (OpenSSL 3) for streams.
 *
 * TLS 1.2 or later (RFC 8996), SNI, the peer's chain checked against the system's
 * authorities or a file, its name against the host dialled (RFC 9525: only
 * subjectAltName; no wildcard but a whole left label; an address literal against
 * iPAddress). There is no switch that turns the checks off; a pin (SHA-256 of the
 * SubjectPublicKeyInfo, RFC 7469 2.4) takes the place of chain and name: who has the
 * pinned key is the peer, whoever signed it.
 */
#ifndef QUELL_NET_TLS_H
#define QUELL_NET_TLS_H

#include "base/error.h"
#include "base/slice.h"

enum { TLS_PIN_BYTES = 32 };

/* Authorities and options, shared by many sessions; must outlive them. */
struct tls_context;
/* ca_file: PEM; NULL or "": the system's. NULL and *e (which file, what is wrong). */
struct tls_context *tls_context_new(const char *ca_file, struct error *e);
/* NULL is welcome; sets the pointer to NULL. */
void tls_context_free(struct tls_context **c);

struct tls_peer {
	const char *host;           /* name or address literal: SNI and what the certificate must say */
	const uint8_t *pin;         /* TLS_PIN_BYTES, or NULL */
};

/* What was agreed, for people. */
struct tls_info {
	char version[16];           /* "TLSv1.3" */
	char cipher[64];
	char subject[256];          /* of the peer's certificate, printable */
	char issuer[256];
	int64_t expires_ms;         /* its notAfter; 0 when it cannot be read */
	uint8_t spki[TLS_PIN_BYTES];/* to write down as a pin */
};

/* "0123...": 64 hexadecimal digits, or base64 as in RFC 7469 ("sha256/..." allowed). */
bool tls_pin_parse(struct slice text, uint8_t pin_out[TLS_PIN_BYTES]);

#endif
