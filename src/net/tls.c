/* SPDX-License-Identifier: Apache-2.0
 *
 * tls: OpenSSL as a machine that bytes go through.
 *
 * OpenSSL sees no socket: it reads from the slice that was fed and writes into a buffer,
 * through a BIO of our own, so that no cipher byte is copied on the way in and an idle
 * session keeps no buffer. The peer's certificate is judged in one place, tls_judge: by
 * the pin alone where there is one, else by chain and name; there is no third way. Each
 * trouble ends in TLS_FAILED with its words; nothing is tried again.
 */
#include "net/tls_inner.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/tls_words.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum {
	TLS_HOST_BYTES = 256,
	TLS_KEEP_BYTES = 1 << 20,      /* cipher bytes left unread by an owner who paused */
	TLS_OUT_BYTES = 1 << 20,       /* cipher bytes unsent; more than one tls_seal can make */
	TLS_RECORD_HANDSHAKE = 22,     /* the first byte of a record */
	TLS_RECORD_ALERT = 21,
};

struct tls_context {
	SSL_CTX *ssl_ctx;
	BIO_METHOD *method;
};

struct tls_session {
	SSL *ssl;
	enum tls_state state;
	struct slice fresh;            /* fed and unread: the caller's bytes, or kept's */
	struct buf kept, out;
	bool has_begun;                /* the peer's first byte was looked at */
	bool is_hung_up, has_pin, is_bye_said;
	uint8_t pin[TLS_PIN_BYTES];
	char host[TLS_HOST_BYTES];
	char trouble[TLS_WORDS_BYTES];
};

/* ---- our BIO ---- */

static int bio_read(BIO *bio, char *to, size_t room, size_t *n_out)
{
	struct tls_session *t = BIO_get_data(bio);
	size_t n = t->fresh.len < room ? t->fresh.len : room;
	BIO_clear_retry_flags(bio);
	*n_out = n;
	if (n == 0) {
		if (!t->is_hung_up)
			BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(to, t->fresh.ptr, n);
	t->fresh = slice_from(t->fresh, n);
	return 1;
}

static int bio_write(BIO *bio, const char *from, size_t n, size_t *n_out)
{
	struct tls_session *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	*n_out = buf_add(&t->out, slice_make(from, n)) ? n : 0;
	return *n_out == n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_session *t = BIO_get_data(bio);
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return t->is_hung_up && t->fresh.len == 0;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "quell stream");
	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_control);
	return method;
}

/* ---- context ---- */

/* Chain and name, or the pin; the only place where a peer becomes trusted. */
static int tls_judge(X509_STORE_CTX *ctx, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *t = SSL_get_app_data(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	uint8_t spki[TLS_PIN_BYTES];
	(void)unused;
	if (!t->has_pin) {
		if (X509_verify_cert(ctx) == 1)
			return 1;
		tls_words_refusal(ctx, t->host, t->trouble);
		return 0;
	}
	if (leaf && tls_words_spki(leaf, spki) && memcmp(spki, t->pin, sizeof spki) == 0) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
	if (leaf)
		tls_words_pin(leaf, t->trouble);
	return 0;
}

static bool context_load(SSL_CTX *ssl_ctx, const char *ca_file, struct error *e)
{
	ERR_clear_error();
	if (!ca_file || !ca_file[0]) {
		if (SSL_CTX_set_default_verify_paths(ssl_ctx) == 1)
			return true;
		return error_set(e, EXIT_UNAVAILABLE, "the system's certificate authorities cannot be read");
	}
	FILE *file = fopen(ca_file, "re");
	if (!file)
		return error_set(e, EXIT_UNAVAILABLE, "%s: %s", ca_file, strerror(errno));
	fclose(file);
	if (SSL_CTX_load_verify_file(ssl_ctx, ca_file) == 1) {
		/* Whoever is in a file of one's own is trusted, also without its own authority. */
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl_ctx), X509_V_FLAG_PARTIAL_CHAIN);
		return true;
	}
	ERR_clear_error();
	return error_set(e, EXIT_BAD_INPUT, "%s: holds no certificate in PEM", ca_file);
}

static bool context_set(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, tls_judge, NULL);
	/* The system may ask for more, never for less. */
	return SSL_CTX_get_min_proto_version(ssl_ctx) > TLS1_2_VERSION ||
	       SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION) == 1;
}

struct tls_context *tls_context_new(const char *ca_file, struct error *e)
{
	struct tls_context *c = mem_alloc(sizeof *c);
	if (c) {
		c->ssl_ctx = SSL_CTX_new(TLS_client_method());
		c->method = bio_method_new();
	}
	if (!c || !c->ssl_ctx || !c->method || !context_set(c->ssl_ctx)) {
		error_set(e, EXIT_TRY_AGAIN, "TLS cannot start: no memory");
		tls_context_free(&c);
	} else if (!context_load(c->ssl_ctx, ca_file, e)) {
		tls_context_free(&c);
	}
	return c;
}

void tls_context_free(struct tls_context **c)
{
	if (!*c)
		return;
	SSL_CTX_free((*c)->ssl_ctx);
	BIO_meth_free((*c)->method);
	mem_free(*c);
	*c = NULL;
}

/* ---- session ---- */

/* The host as certificates write it: no brackets, no dot at the end. */
static bool session_set_host(struct tls_session *t, struct slice host)
{
	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = slice_between(host, 1, host.len - 1);
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host = slice_first(host, host.len - 1);
	if (host.len == 0 || host.len >= sizeof t->host)
		return false;
	memcpy(t->host, host.ptr, host.len);
	t->host[host.len] = '\0';
	return true;
}

static bool session_expect(struct tls_session *t)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	uint8_t address[16];
	if (inet_pton(AF_INET, t->host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip(param, address, 4) == 1;
	if (inet_pton(AF_INET6, t->host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip(param, address, 16) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(t->ssl, t->host) == 1 && SSL_set_tlsext_host_name(t->ssl, t->host) == 1;
}

static bool session_plug(struct tls_session *t, struct tls_context *c)
{
	t->ssl = SSL_new(c->ssl_ctx);
	BIO *bio = t->ssl ? BIO_new(c->method) : NULL;
	if (!bio)
		return false;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio); /* which now owns it */
	SSL_set_app_data(t->ssl, t);
	SSL_set_connect_state(t->ssl);
	return true;
}

struct tls_session *tls_session_new(struct tls_context *c, const struct tls_peer *peer)
{
	struct tls_session *t = mem_alloc(sizeof *t);
	if (!t)
		return NULL;
	buf_init(&t->kept, TLS_KEEP_BYTES);
	buf_init(&t->out, TLS_OUT_BYTES);
	t->has_pin = peer->pin != NULL;
	if (peer->pin)
		memcpy(t->pin, peer->pin, sizeof t->pin);
	ERR_clear_error();
	if (!session_set_host(t, slice_from_str(peer->host)) || !session_plug(t, c) || !session_expect(t))
		tls_session_free(&t);
	return t;
}

void tls_session_free(struct tls_session **t)
{
	if (!*t)
		return;
	SSL_free((*t)->ssl);
	buf_free(&(*t)->kept);
	buf_free(&(*t)->out);
	mem_free(*t);
	*t = NULL;
}

enum tls_state tls_session_state(const struct tls_session *t)
{
	return t->state;
}

const char *tls_session_trouble(const struct tls_session *t)
{
	return t->trouble;
}

/* What OpenSSL answered, as a state. The words of a refused certificate stay. */
static enum tls_state session_follow(struct tls_session *t, int result)
{
	int error = SSL_get_error(t->ssl, result);
	bool is_shaking = t->state == TLS_SHAKING;
	if (error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return t->state;
	if (error == SSL_ERROR_ZERO_RETURN && !is_shaking)
		return t->state = TLS_CLOSED;
	char words[TLS_WORDS_BYTES];
	tls_words_queue(is_shaking, t->is_hung_up || error == SSL_ERROR_ZERO_RETURN, words);
	if (!t->trouble[0])
		memcpy(t->trouble, words, sizeof words);
	return t->state = TLS_FAILED;
}

/* ---- in ---- */

void tls_feed(struct tls_session *t, struct slice cipher)
{
	assert(t->fresh.len == 0);
	t->fresh = cipher;
}

bool tls_is_dry(const struct tls_session *t)
{
	return t->fresh.len == 0;
}

void tls_keep(struct tls_session *t)
{
	if (t->fresh.len == 0 || t->state == TLS_FAILED) {
		t->fresh = slice_make(NULL, 0);
		buf_free(&t->kept);
		return;
	}
	bool is_kept = t->kept.len > 0 && t->fresh.ptr >= t->kept.ptr && t->fresh.ptr < t->kept.ptr + t->kept.len;
	if (is_kept)
		return;
	buf_reset(&t->kept);
	if (!buf_add(&t->kept, t->fresh)) {
		snprintf(t->trouble, sizeof t->trouble, "no memory for TLS");
		t->state = TLS_FAILED;
	}
	t->fresh = buf_slice(&t->kept);
}

/* A peer that greets in plain text would otherwise be told as a wrong version number. */
static bool session_is_begun_well(struct tls_session *t)
{
	if (t->has_begun || t->fresh.len == 0)
		return true;
	uint8_t first = (uint8_t)t->fresh.ptr[0];
	t->has_begun = true;
	if (first == TLS_RECORD_HANDSHAKE || first == TLS_RECORD_ALERT)
		return true;
	tls_words_not_tls(t->fresh, t->trouble);
	t->state = TLS_FAILED;
	return false;
}

enum tls_state tls_shake(struct tls_session *t)
{
	if (t->state != TLS_SHAKING || !session_is_begun_well(t))
		return t->state;
	ERR_clear_error();
	int result = SSL_do_handshake(t->ssl);
	if (result == 1)
		return t->state = TLS_SECURE;
	return session_follow(t, result);
}

enum tls_state tls_hang_up(struct tls_session *t)
{
	t->is_hung_up = true;
	if (t->state != TLS_SHAKING)
		return t->state == TLS_SECURE ? t->state = TLS_CLOSED : t->state;
	return tls_shake(t);
}

size_t tls_read(struct tls_session *t, char *to, size_t room)
{
	size_t len = 0;
	while (len < room && t->state == TLS_SECURE) {
		size_t n = 0;
		ERR_clear_error();
		int result = SSL_read_ex(t->ssl, to + len, room - len, &n);
		len += n;
		if (result != 1) {
			session_follow(t, result);
			break;
		}
	}
	return len;
}

/* ---- out ---- */

bool tls_seal(struct tls_session *t, struct slice plain)
{
	size_t n = 0;
	if (t->state != TLS_SECURE && t->state != TLS_CLOSED)
		return false;
	ERR_clear_error();
	int result = SSL_write_ex(t->ssl, plain.ptr, plain.len, &n);
	if (result == 1 && n == plain.len)
		return true;
	session_follow(t, result);
	t->state = TLS_FAILED;
	if (!t->trouble[0])
		snprintf(t->trouble, sizeof t->trouble, "TLS takes no more");
	return false;
}

void tls_say_bye(struct tls_session *t)
{
	if (t->is_bye_said || (t->state != TLS_SECURE && t->state != TLS_CLOSED))
		return;
	t->is_bye_said = true;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
}

struct slice tls_cipher(const struct tls_session *t)
{
	return buf_slice(&t->out);
}

void tls_sent(struct tls_session *t, size_t n)
{
	buf_consume(&t->out, n);
	if (t->out.len == 0)
		buf_free(&t->out);
}

/* ---- the rest ---- */

void tls_describe(const struct tls_session *t, struct tls_info *info_out)
{
	X509 *leaf = SSL_get0_peer_certificate(t->ssl);
	*info_out = (struct tls_info){ .expires_ms = 0 };
	snprintf(info_out->version, sizeof info_out->version, "%s", SSL_get_version(t->ssl));
	snprintf(info_out->cipher, sizeof info_out->cipher, "%s", SSL_get_cipher_name(t->ssl));
	if (leaf)
		tls_words_describe(leaf, info_out);
}

static int pin_digit(char c, bool is_hex)
{
	static const char hex[] = "0123456789abcdef";
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *digits = is_hex ? hex : base64;
	const char *at = c ? strchr(digits, is_hex ? ascii_lower(c) : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

bool tls_pin_parse(struct slice text, uint8_t pin_out[TLS_PIN_BYTES])
{
	enum { HEX_CHARS = 2 * TLS_PIN_BYTES, BASE64_CHARS = 44 };
	uint8_t pin[TLS_PIN_BYTES + 1];
	uint32_t bits = 0, bit_count = 0;
	size_t len = 0;
	text = slice_trim(text);
	bool is_hex = text.len == HEX_CHARS;
	if (!is_hex && slice_starts_nocase(text, SLICE("sha256/")))
		text = slice_from(text, SLICE("sha256/").len);
	/* As curl writes it, with two slashes: one character more than there can be. */
	if (!is_hex && text.len == BASE64_CHARS + 1 && text.ptr[0] == '/')
		text = slice_from(text, 1);
	if (!is_hex && (text.len != BASE64_CHARS || text.ptr[BASE64_CHARS - 1] != '='))
		return false;
	for (size_t i = 0; i < (is_hex ? HEX_CHARS : BASE64_CHARS - 1); i++) {
		int digit = pin_digit(text.ptr[i], is_hex);
		if (digit < 0)
			return false;
		bits = bits << (is_hex ? 4 : 6) | (uint32_t)digit;
		bit_count += is_hex ? 4 : 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			pin[len++] = (uint8_t)(bits >> bit_count);
		}
	}
	/* Bits behind the last byte must be none: one pin, one spelling. */
	if (len != TLS_PIN_BYTES || (bits & ((1u << bit_count) - 1)) != 0)
		return false;
	memcpy(pin_out, pin, TLS_PIN_BYTES);
	return true;
}
