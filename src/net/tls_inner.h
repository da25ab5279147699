/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_inner: one TLS session without a socket, for stream.c alone.
 *
 * Cipher bytes in, plain bytes out; plain bytes in, cipher bytes out. Nothing here
 * reads, writes or waits. A failure is final: the state is TLS_FAILED, the trouble says
 * why, and what is left in tls_cipher is the alert for the peer.
 */
#ifndef QUELL_NET_TLS_INNER_H
#define QUELL_NET_TLS_INNER_H

#include "net/tls.h"

struct tls_session;

enum tls_state {
	TLS_SHAKING, /* not agreed yet: nothing plain goes in or out */
	TLS_SECURE,
	TLS_CLOSED,  /* the peer said that it sends no more; it may still read */
	TLS_FAILED,
};

/* peer is copied. NULL without memory, or when the host can be no name. */
struct tls_session *tls_session_new(struct tls_context *c, const struct tls_peer *peer);
/* NULL is welcome; sets the pointer to NULL. */
void tls_session_free(struct tls_session **t);

enum tls_state tls_session_state(const struct tls_session *t);
/* In words; "" when there was no trouble. Owned by the session. */
const char *tls_session_trouble(const struct tls_session *t);

/* Cipher bytes from the peer; borrowed until tls_keep. Only when tls_is_dry. */
void tls_feed(struct tls_session *t, struct slice cipher);
/* No byte fed is left unread. */
bool tls_is_dry(const struct tls_session *t);
/* The bytes fed are about to vanish: copies those that are unread. */
void tls_keep(struct tls_session *t);

/* Goes on with the handshake, as far as the bytes fed allow. */
enum tls_state tls_shake(struct tls_session *t);
/* The peer hung up without a word: during the handshake a failure. */
enum tls_state tls_hang_up(struct tls_session *t);
/* Decrypts up to room bytes. Less than room: there is no more for now, or the state has
 * changed. */
size_t tls_read(struct tls_session *t, char *to, size_t room);

/* Encrypts all of plain, or the session has failed. Only when TLS_SECURE or TLS_CLOSED. */
bool tls_seal(struct tls_session *t, struct slice plain);
/* Adds a close_notify, once; without effect on a session that is not agreed on. */
void tls_say_bye(struct tls_session *t);
/* What the peer should be sent. */
struct slice tls_cipher(const struct tls_session *t);
/* The first n bytes of it are sent. */
void tls_sent(struct tls_session *t, size_t n);

/* What was agreed; only when it is. */
void tls_describe(const struct tls_session *t, struct tls_info *info_out);

#endif
