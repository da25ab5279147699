/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_words: what TLS and certificates say, in words for a person; for tls.c alone.
 *
 * All text taken from a certificate or a peer is printable ASCII afterwards.
 */
#ifndef QUELL_NET_TLS_WORDS_H
#define QUELL_NET_TLS_WORDS_H

#include "net/tls.h"

#include <openssl/types.h>

enum { TLS_WORDS_BYTES = 400 };

/* SHA-256 of the certificate's SubjectPublicKeyInfo. */
bool tls_words_spki(X509 *certificate, uint8_t spki_out[TLS_PIN_BYTES]);
/* Why the check in ctx failed; host is what was asked for. */
void tls_words_refusal(X509_STORE_CTX *ctx, const char *host, char out[TLS_WORDS_BYTES]);
/* The key is not the pinned one. */
void tls_words_pin(X509 *certificate, char out[TLS_WORDS_BYTES]);
/* What OpenSSL's error queue holds; is_hung_up: the peer is gone. Empties the queue. */
void tls_words_queue(bool is_shaking, bool is_hung_up, char out[TLS_WORDS_BYTES]);
/* The peer began with these bytes instead of a handshake. */
void tls_words_not_tls(struct slice said, char out[TLS_WORDS_BYTES]);
/* Subject, issuer, expiry and key of the certificate. */
void tls_words_describe(X509 *certificate, struct tls_info *info_out);

#endif
