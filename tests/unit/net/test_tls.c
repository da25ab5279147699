/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream against OpenSSL as the server, in a thread at the other end of a socket pair.
 * Authority and certificates are made here, once.
 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/stream.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG_BYTES = 3 << 20, DAY_S = 24 * 60 * 60, WAIT_MS = 10 * 1000, STEP_MS = 20 };

/* ---- certificates ---- */

struct card {
	EVP_PKEY *key;
	X509 *cert;
};

static struct card authority, good, wildcard, expired, early, addressed, nameless, alone;
static char folder[] = "/tmp/quell-tls-XXXXXX", ca_file[64];
static struct tls_context *context;

static void put_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

/* By the authority, or by itself when that is NULL. */
static struct card card_make(const struct card *by, const char *name, const char *alt, long from_s, long to_s)
{
	static long serial = 1;
	struct card card = { EVP_EC_gen("P-256"), X509_new() };
	assert_true(card.key && card.cert);
	X509_set_version(card.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(card.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(card.cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(card.cert), to_s);
	X509_NAME *subject = X509_get_subject_name(card.cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(card.cert, by ? X509_get_subject_name(by->cert) : subject);
	X509_set_pubkey(card.cert, card.key);
	if (alt)
		put_extension(card.cert, NID_subject_alt_name, alt);
	else if (!by)
		put_extension(card.cert, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(card.cert, by ? by->key : card.key, EVP_sha256()) > 0);
	return card;
}

static void card_free(struct card *card)
{
	EVP_PKEY_free(card->key);
	X509_free(card->cert);
}

static int make_all(void **state)
{
	struct error e = { .text = "" };
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
	authority = card_make(NULL, "Test Authority", NULL, -DAY_S, DAY_S);
	good = card_make(&authority, "pop", "DNS:pop.example.net,DNS:mail.example.net", -DAY_S, DAY_S);
	wildcard = card_make(&authority, "wild", "DNS:*.example.net", -DAY_S, DAY_S);
	expired = card_make(&authority, "old", "DNS:pop.example.net", -2 * DAY_S, -DAY_S);
	early = card_make(&authority, "new", "DNS:pop.example.net", DAY_S, 2 * DAY_S);
	addressed = card_make(&authority, "address", "IP:192.0.2.7,IP:2001:db8::7", -DAY_S, DAY_S);
	nameless = card_make(&authority, "pop.example.net", NULL, -DAY_S, DAY_S);
	alone = card_make(NULL, "alone", "DNS:pop.example.net", -DAY_S, DAY_S);
	FILE *file = fopen(ca_file, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, authority.cert), 1);
	fclose(file);
	context = tls_context_new(ca_file, &e);
	assert_string_equal(e.text, "");
	assert_non_null(context);
	return 0;
}

static int free_all(void **state)
{
	struct card *const cards[] = { &authority, &good, &wildcard, &expired, &early, &addressed, &nameless, &alone };
	(void)state;
	for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++)
		card_free(cards[i]);
	tls_context_free(&context);
	unlink(ca_file);
	rmdir(folder);
	return 0;
}

/* ---- the server ---- */

enum act { ACT_ECHO, ACT_VANISH, ACT_SAY_AND_CLOSE, ACT_PLAIN, ACT_SILENT_CLOSE, ACT_BIG };

struct server {
	const struct card *card;
	enum act act;
	int version_max;        /* 0: any */
	const char *before;     /* said in plain text first */
	int fd;
	pthread_t thread;
	size_t got;             /* plain bytes read */
	size_t raw;             /* read after TLS, or without it */
	bool was_bye;           /* the client's close_notify came */
	char name[64];          /* of SNI */
};

static void server_say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));
	(void)n;
}

static void server_echo(struct server *v, SSL *ssl)
{
	char bytes[16384];
	int n;
	while ((n = SSL_read(ssl, bytes, sizeof bytes)) > 0) {
		v->got += (size_t)n;
		if (SSL_write(ssl, bytes, n) != n)
			break;
	}
	v->was_bye = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
	SSL_shutdown(ssl);
}

static void server_big(SSL *ssl)
{
	char *bytes = calloc(1, BIG_BYTES);
	for (size_t i = 0; i < BIG_BYTES; i++)
		bytes[i] = (char)(i * 31 >> 3);
	SSL_write(ssl, bytes, BIG_BYTES);
	SSL_shutdown(ssl);
	free(bytes);
}

static void server_talk(struct server *v, SSL *ssl)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	snprintf(v->name, sizeof v->name, "%s", name ? name : "");
	if (v->act == ACT_ECHO)
		server_echo(v, ssl);
	if (v->act == ACT_SAY_AND_CLOSE || v->act == ACT_VANISH)
		SSL_write(ssl, "+OK\r\n", 5);
	if (v->act == ACT_SAY_AND_CLOSE)
		SSL_shutdown(ssl);
	if (v->act == ACT_BIG)
		server_big(ssl);
}

static void *server_run(void *ctx)
{
	struct server *v = ctx;
	char rest[4096];
	if (v->before)
		server_say(v->fd, v->before);
	if (v->act == ACT_PLAIN)
		server_say(v->fd, "+OK POP3 here\r\n");
	if (v->act != ACT_PLAIN && v->act != ACT_SILENT_CLOSE) {
		SSL_CTX *ctx_server = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_security_level(ctx_server, 0);
		SSL_CTX_set_min_proto_version(ctx_server, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx_server, v->version_max);
		SSL_CTX_use_certificate(ctx_server, v->card->cert);
		SSL_CTX_use_PrivateKey(ctx_server, v->card->key);
		SSL *ssl = SSL_new(ctx_server);
		SSL_set_fd(ssl, v->fd);
		if (SSL_accept(ssl) == 1)
			server_talk(v, ssl);
		SSL_free(ssl);
		SSL_CTX_free(ctx_server);
	}
	shutdown(v->fd, SHUT_WR);
	ssize_t n;
	while ((n = read(v->fd, rest, sizeof rest)) > 0)
		v->raw += (size_t)n;
	close(v->fd);
	return NULL;
}

/* ---- the stream ---- */

struct client {
	struct loop *l;
	struct stream *s;
	struct buf got;
	int end, secures;
	bool is_late;           /* starts TLS when the greeting comes */
	bool may_leave_rest;    /* and is done with one line only */
	bool want_pauses, takes_none;
	size_t take_max;
	const char *say;        /* once secure */
	struct tls_info info;
	struct tls_peer peer;
	char trouble[512];
};

static size_t on_data(void *ctx, struct stream *s, struct slice bytes)
{
	struct client *c = ctx;
	if (c->is_late) {
		c->is_late = false;
		stream_start_tls(s, context, &c->peer);
		return c->may_leave_rest ? slice_find_byte(bytes, 0, '\n') + 1 : bytes.len;
	}
	assert_int_equal(c->secures, 1);
	size_t n = bytes.len < c->take_max ? bytes.len : c->take_max;
	if (c->takes_none)
		return 0;
	buf_add(&c->got, slice_first(bytes, n));
	if (c->want_pauses)
		stream_pause(s);
	return n;
}

static void on_end(void *ctx, struct stream *s, enum stream_end end, int sys_errno)
{
	struct client *c = ctx;
	(void)sys_errno;
	assert_int_equal(c->end, -1);
	c->end = (int)end;
	snprintf(c->trouble, sizeof c->trouble, "%s", stream_tls_trouble(s));
}

static void on_secure(void *ctx, struct stream *s, const struct tls_info *info)
{
	struct client *c = ctx;
	c->secures++;
	c->info = *info;
	if (c->say)
		stream_write(s, slice_from_str(c->say));
}

static const struct stream_calls calls = { on_data, on_end, NULL, on_secure };
static const struct stream_setup setup = {
	.in_bytes_max = 64 * 1024, .out_bytes_max = 8 << 20, .idle_ms = WAIT_MS,
};

static void client_open(struct client *c, struct server *v)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	c->l = loop_new(NULL);
	c->end = -1;
	if (c->take_max == 0)
		c->take_max = SIZE_MAX;
	buf_init(&c->got, 64 << 20);
	v->fd = fds[1];
	c->s = stream_open(c->l, fds[0], &setup, &calls, c);
	assert_non_null(c->s);
	assert_int_equal(pthread_create(&v->thread, NULL, server_run, v), 0);
}

static void client_run_to_end(struct client *c)
{
	while (c->end < 0) {
		loop_run_once(c->l, STEP_MS);
		if (c->want_pauses && c->end < 0)
			stream_resume(c->s);
	}
}

static void client_close(struct client *c, struct server *v)
{
	stream_close(&c->s);
	pthread_join(v->thread, NULL);
	loop_free(c->l);
	buf_free(&c->got);
}

static void meet(struct client *c, struct server *v)
{
	client_open(c, v);
	if (!c->is_late)
		stream_start_tls(c->s, context, &c->peer);
	client_run_to_end(c);
	client_close(c, v);
}

/* ---- tests ---- */

static void a_peer_is_who_its_certificate_says_or_refused_in_words(void **state)
{
	static const struct {
		const struct card *card;
		const char *host;
		const char *trouble; /* NULL: accepted */
	} cases[] = {
		{ &good, "pop.example.net", NULL },
		{ &good, "POP.example.net.", NULL },
		{ &good, "mail.example.net", NULL },
		{ &wildcard, "pop.example.net", NULL },
		{ &wildcard, "a.pop.example.net", "the certificate is for *.example.net, not for a.pop.example.net" },
		{ &addressed, "192.0.2.7", NULL },
		{ &addressed, "2001:db8::7", NULL },
		{ &addressed, "[2001:db8::7]", NULL },
		{ &addressed, "192.0.2.8", "the certificate is for 192.0.2.7, 2001:db8::7, not for 192.0.2.8" },
		{ &good, "pop.example.org",
		  "the certificate is for pop.example.net, mail.example.net, not for pop.example.org" },
		{ &nameless, "pop.example.net", "no host at all (subject \"CN=pop.example.net\")" },
		{ &expired, "pop.example.net", "the certificate expired on 20" },
		{ &early, "pop.example.net", "the certificate is not valid before 20" },
		{ &alone, "pop.example.net", "the certificate is self-signed" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server v = { .card = cases[i].card, .act = ACT_SAY_AND_CLOSE };
		struct client c = { .peer = { .host = cases[i].host } };
		meet(&c, &v);
		assert_int_equal(c.secures, cases[i].trouble ? 0 : 1);
		assert_int_equal(c.end, cases[i].trouble ? STREAM_TLS : STREAM_EOF);
		if (!cases[i].trouble)
			assert_string_equal(c.trouble, "");
		else if (!strstr(c.trouble, cases[i].trouble))
			fail_msg("\"%s\", wanted \"%s\"", c.trouble, cases[i].trouble);
	}
}

static void an_authority_that_is_unknown_is_named(void **state)
{
	(void)state;
	struct card stranger = card_make(NULL, "Strange Authority", NULL, -DAY_S, DAY_S);
	struct card card = card_make(&stranger, "pop", "DNS:pop.example.net", -DAY_S, DAY_S);
	struct server v = { .card = &card, .act = ACT_ECHO };
	struct client c = { .peer = { .host = "pop.example.net" } };
	meet(&c, &v);
	assert_int_equal(c.end, STREAM_TLS);
	assert_non_null(strstr(c.trouble, "an authority unknown here: CN=Strange Authority"));
	assert_int_equal(c.secures, 0);
	card_free(&card);
	card_free(&stranger);
}

static void what_was_agreed_is_described_and_the_name_is_sent(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_SAY_AND_CLOSE };
	struct client c = { .peer = { .host = "pop.example.net" } };
	meet(&c, &v);
	assert_string_equal(v.name, "pop.example.net");
	assert_string_equal(c.info.version, "TLSv1.3");
	assert_string_equal(c.info.subject, "CN=pop");
	assert_string_equal(c.info.issuer, "CN=Test Authority");
	assert_true(c.info.expires_ms > 1600000000000);
	assert_true(strlen(c.info.cipher) > 0);
	struct server w = { .card = &addressed, .act = ACT_SAY_AND_CLOSE, .version_max = TLS1_2_VERSION };
	struct client d = { .peer = { .host = "192.0.2.7" } };
	meet(&d, &w);
	assert_string_equal(d.info.version, "TLSv1.2");
	assert_string_equal(w.name, ""); /* an address is no name */
}

static void a_pin_takes_the_place_of_chain_and_name(void **state)
{
	(void)state;
	struct server v = { .card = &alone, .act = ACT_SAY_AND_CLOSE };
	struct client c = { .peer = { .host = "other.example.org" } };
	uint8_t pin[TLS_PIN_BYTES];
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(alone.key, &der);
	assert_true(len > 0 && EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
	c.peer.pin = pin;
	meet(&c, &v);
	assert_int_equal(c.end, STREAM_EOF);
	assert_memory_equal(c.info.spki, pin, sizeof pin);
	/* With the wrong pin the best of certificates does not help. */
	struct server w = { .card = &good, .act = ACT_SAY_AND_CLOSE };
	struct client d = { .peer = { .host = "pop.example.net", .pin = pin } };
	meet(&d, &w);
	assert_int_equal(d.secures, 0);
	assert_int_equal(d.end, STREAM_TLS);
	assert_non_null(strstr(d.trouble, "is not the pinned one"));
}

static void peers_that_speak_no_tls_or_an_old_one_are_told_apart(void **state)
{
	static const struct {
		enum act act;
		int version_max;
		const char *trouble;
	} cases[] = {
		{ ACT_PLAIN, 0, "the peer speaks no TLS here; it said \"+OK POP3 here\"" },
		{ ACT_ECHO, TLS1_1_VERSION, "older than 1.2" },
		{ ACT_SILENT_CLOSE, 0, "the peer hung up while TLS was being agreed on" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server v = { .card = &good, .act = cases[i].act, .version_max = cases[i].version_max };
		struct client c = { .peer = { .host = "pop.example.net" } };
		meet(&c, &v);
		assert_int_equal(c.end, STREAM_TLS);
		if (!strstr(c.trouble, cases[i].trouble))
			fail_msg("\"%s\", wanted \"%s\"", c.trouble, cases[i].trouble);
	}
}

static void tls_may_begin_after_a_greeting_in_plain_text(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_SAY_AND_CLOSE, .before = "+OK go on\r\n" };
	struct client c = { .peer = { .host = "pop.example.net" }, .is_late = true };
	client_open(&c, &v);
	client_run_to_end(&c);
	assert_int_equal(c.end, STREAM_EOF);
	assert_slice(buf_slice(&c.got), "+OK\r\n");
	assert_int_equal(c.secures, 1);
	client_close(&c, &v);
}

static void plain_text_slipped_in_before_tls_ends_the_stream(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_ECHO, .before = "+OK go on\r\n+OK slipped in\r\n" };
	struct client c = { .peer = { .host = "pop.example.net" }, .is_late = true, .may_leave_rest = true };
	meet(&c, &v);
	assert_int_equal(c.end, STREAM_TLS);
	assert_non_null(strstr(c.trouble, "before TLS began"));
	assert_int_equal(c.secures, 0);
	assert_int_equal(c.got.len, 0);
}

static void tls_does_not_begin_with_bytes_unsent_or_twice(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_SILENT_CLOSE }, w = { .card = &good, .act = ACT_ECHO };
	struct client c = { .peer = { .host = "pop.example.net" } }, d = c;
	client_open(&c, &v);
	stream_write(c.s, SLICE("STLS\r\n"));
	stream_start_tls(c.s, context, &c.peer);
	assert_int_equal(c.end, -1); /* it follows, it does not come from within */
	stream_write(c.s, SLICE("PASS secret\r\n"));
	client_run_to_end(&c);
	assert_int_equal(c.end, STREAM_TLS);
	assert_non_null(strstr(c.trouble, "still to be sent"));
	/* Nor may anything leave in plain text afterwards. */
	stream_write(c.s, SLICE("PASS secret\r\n"));
	stream_finish(&c.s);
	loop_run_once(c.l, 0);
	client_close(&c, &v);
	assert_int_equal(v.raw, 0);
	client_open(&d, &w);
	stream_start_tls(d.s, context, &d.peer);
	stream_start_tls(d.s, context, &d.peer);
	client_run_to_end(&d);
	assert_int_equal(d.end, STREAM_TLS);
	assert_non_null(strstr(d.trouble, "begun already"));
	client_close(&d, &w);
}

static void what_is_written_before_waits_and_leaves_encrypted(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_ECHO };
	struct client c = { .peer = { .host = "pop.example.net" }, .say = "world" };
	client_open(&c, &v);
	stream_start_tls(c.s, context, &c.peer);
	stream_write(c.s, SLICE("hello, "));
	assert_int_equal(stream_pending(c.s), 7);
	while (c.got.len < 12)
		loop_run_once(c.l, WAIT_MS);
	assert_slice(buf_slice(&c.got), "hello, world");
	assert_int_equal(stream_pending(c.s), 0);
	/* Finishing says good-bye as TLS wants it. */
	stream_finish(&c.s);
	loop_run_once(c.l, 0);
	client_close(&c, &v);
	assert_true(v.was_bye);
}

static void a_missing_close_notify_is_an_ordinary_end(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	(void)state;
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		struct server v = { .card = &good, .act = ACT_VANISH, .version_max = versions[i] };
		struct client c = { .peer = { .host = "pop.example.net" } };
		client_open(&c, &v);
		stream_start_tls(c.s, context, &c.peer);
		client_run_to_end(&c);
		assert_int_equal(c.end, STREAM_EOF);
		assert_slice(buf_slice(&c.got), "+OK\r\n");
		client_close(&c, &v);
	}
}

static void check_big(struct slice got)
{
	assert_int_equal(got.len, BIG_BYTES);
	for (size_t i = 0; i < got.len; i++)
		if (got.ptr[i] != (char)(i * 31 >> 3))
			fail_msg("byte %zu is wrong", i);
}

static void much_comes_whole_also_through_pauses_and_remainders(void **state)
{
	static const struct {
		bool want_pauses;
		size_t take_max;
	} cases[] = { { false, SIZE_MAX }, { true, SIZE_MAX }, { false, 60001 }, { true, 777 + 16384 } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server v = { .card = &good, .act = ACT_BIG };
		struct client c = { .peer = { .host = "pop.example.net" }, .want_pauses = cases[i].want_pauses,
				    .take_max = cases[i].take_max };
		client_open(&c, &v);
		stream_start_tls(c.s, context, &c.peer);
		client_run_to_end(&c);
		assert_string_equal(c.trouble, "");
		assert_int_equal(c.end, STREAM_EOF);
		if (cases[i].take_max == SIZE_MAX)
			check_big(buf_slice(&c.got));
		client_close(&c, &v);
	}
}

static void much_goes_out_and_comes_back(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_ECHO };
	struct client c = { .peer = { .host = "pop.example.net" } };
	char *bytes = mem_must_alloc(BIG_BYTES);
	for (size_t i = 0; i < BIG_BYTES; i++)
		bytes[i] = (char)(i * 31 >> 3);
	client_open(&c, &v);
	stream_start_tls(c.s, context, &c.peer);
	assert_true(stream_write(c.s, slice_make(bytes, BIG_BYTES)));
	while (c.got.len < BIG_BYTES && c.end < 0)
		loop_run_once(c.l, WAIT_MS);
	check_big(buf_slice(&c.got));
	assert_int_equal(stream_pending(c.s), 0);
	client_close(&c, &v);
	assert_int_equal(v.got, BIG_BYTES);
	mem_free(bytes);
}

static void more_left_unread_than_allowed_ends_the_stream(void **state)
{
	(void)state;
	struct server v = { .card = &good, .act = ACT_BIG };
	struct client c = { .peer = { .host = "pop.example.net" }, .takes_none = true };
	client_open(&c, &v);
	stream_start_tls(c.s, context, &c.peer);
	client_run_to_end(&c);
	assert_int_equal(c.end, STREAM_OVER_IN);
	client_close(&c, &v);
}

static void pins_are_read_in_both_spellings_and_no_other(void **state)
{
	static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
	static const struct {
		const char *text;
		bool is_good;
	} cases[] = {
		{ hex, true },
		{ "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", true },
		{ "sha256/ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", true },
		{ " sha256/ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=\n", true },
		{ "sha256//ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", true },
		{ "sha256///ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", false },
		{ "sha256/ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v9=", false },
		{ "sha256/ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8", false },
		{ "sha1/ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", false },
		{ "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v==", false },
		{ "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFG", false },
		{ "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEF", false },
		{ "", false },
		{ "sha256/", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t pin[TLS_PIN_BYTES] = { 0 };
		if (tls_pin_parse(slice_from_str(cases[i].text), pin) != cases[i].is_good)
			fail_msg("\"%s\"", cases[i].text);
		for (size_t k = 0; k < sizeof pin; k++)
			assert_int_equal(pin[k], cases[i].is_good ? k % 16 * 17 : 0);
	}
}

static void a_file_of_authorities_that_is_none_is_named(void **state)
{
	(void)state;
	char empty[64];
	struct error e = { .text = "" }, f = { .text = "" };
	assert_null(tls_context_new("/nowhere/ca.pem", &e));
	assert_string_equal(e.text, "/nowhere/ca.pem: No such file or directory");
	snprintf(empty, sizeof empty, "%s/empty.pem", folder);
	FILE *file = fopen(empty, "w");
	assert_non_null(file);
	fclose(file);
	assert_null(tls_context_new(empty, &f));
	assert_non_null(strstr(f.text, "holds no certificate"));
	unlink(empty);
	struct tls_context *system = tls_context_new("", NULL);
	assert_non_null(system);
	tls_context_free(&system);
	tls_context_free(&system);
}

static void want_of_memory_ends_the_stream_and_nothing_else(void **state)
{
	(void)state;
	for (long n = 0; n < 12; n++) {
		struct server v = { .card = &good, .act = ACT_SAY_AND_CLOSE };
		struct client c = { .peer = { .host = "pop.example.net" } };
		client_open(&c, &v);
		mem_fail_after = n;
		stream_start_tls(c.s, context, &c.peer);
		client_run_to_end(&c);
		mem_fail_after = -1;
		assert_int_not_equal(c.end, STREAM_IDLE);
		if (n == 0) {
			assert_int_equal(c.end, STREAM_TLS);
			assert_non_null(strstr(c.trouble, "no memory"));
		}
		client_close(&c, &v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_who_its_certificate_says_or_refused_in_words),
		cmocka_unit_test(an_authority_that_is_unknown_is_named),
		cmocka_unit_test(what_was_agreed_is_described_and_the_name_is_sent),
		cmocka_unit_test(a_pin_takes_the_place_of_chain_and_name),
		cmocka_unit_test(peers_that_speak_no_tls_or_an_old_one_are_told_apart),
		cmocka_unit_test(tls_may_begin_after_a_greeting_in_plain_text),
		cmocka_unit_test(plain_text_slipped_in_before_tls_ends_the_stream),
		cmocka_unit_test(tls_does_not_begin_with_bytes_unsent_or_twice),
		cmocka_unit_test(what_is_written_before_waits_and_leaves_encrypted),
		cmocka_unit_test(a_missing_close_notify_is_an_ordinary_end),
		cmocka_unit_test(much_comes_whole_also_through_pauses_and_remainders),
		cmocka_unit_test(much_goes_out_and_comes_back),
		cmocka_unit_test(more_left_unread_than_allowed_ends_the_stream),
		cmocka_unit_test(pins_are_read_in_both_spellings_and_no_other),
		cmocka_unit_test(a_file_of_authorities_that_is_none_is_named),
		cmocka_unit_test(want_of_memory_ends_the_stream_and_nothing_else),
	};
	return cmocka_run_group_tests_name("net tls", tests, make_all, free_all);
}
