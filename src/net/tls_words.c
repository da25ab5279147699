/* SPDX-License-Identifier: Apache-2.0
 *
 * tls_words: errors and certificates as sentences.
 *
 * An operator reads these at night and has to tell "the wrong name" from "a stranger's
 * key", so the common refusals have a sentence of their own, in tables; the rest is told
 * as OpenSSL names it. Text of a certificate is the peer's: cut and made printable.
 */
#include "net/tls_words.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

enum { WORDS_NAMES_MAX = 3, WORDS_NAME_BYTES = 200, WORDS_DATE_BYTES = 16, WORDS_SAID_BYTES = 60 };

static void words_copy(char *out, size_t out_bytes, struct slice text)
{
	size_t n = text.len < out_bytes ? text.len : out_bytes - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
	out[n] = '\0';
}

static void words_name(X509_NAME *name, char *out, size_t out_bytes)
{
	char *text = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	out[0] = '\0';
	if (!bio)
		return;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	long n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		words_copy(out, out_bytes, slice_make(text, (size_t)n));
	BIO_free(bio);
}

/* False when the certificate's time is none. */
static bool words_time(const ASN1_TIME *time, int64_t *ms_out)
{
	struct tm tm;
	*ms_out = 0;
	if (!time || ASN1_TIME_to_tm(time, &tm) != 1)
		return false;
	*ms_out = (int64_t)timegm(&tm) * 1000;
	return true;
}

static void words_date(const ASN1_TIME *time, char out[WORDS_DATE_BYTES])
{
	struct tm tm;
	if (!time || ASN1_TIME_to_tm(time, &tm) != 1 ||
	    strftime(out, WORDS_DATE_BYTES, "%Y-%m-%d", &tm) == 0)
		snprintf(out, WORDS_DATE_BYTES, "a bad date");
}

/* ---- whom a certificate is for ---- */

static bool words_one_name(const GENERAL_NAME *name, char out[WORDS_NAME_BYTES])
{
	int family;
	char text[INET6_ADDRSTRLEN];
	if (name->type == GEN_DNS) {
		words_copy(out, WORDS_NAME_BYTES,
			   slice_make(ASN1_STRING_get0_data(name->d.dNSName),
				      (size_t)ASN1_STRING_length(name->d.dNSName)));
		return true;
	}
	if (name->type != GEN_IPADD)
		return false;
	int bytes = ASN1_STRING_length(name->d.iPAddress);
	family = bytes == 4 ? AF_INET : bytes == 16 ? AF_INET6 : AF_UNSPEC;
	if (family == AF_UNSPEC || !inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text))
		return false;
	words_copy(out, WORDS_NAME_BYTES, slice_from_str(text));
	return true;
}

/* "pop.example.net, mail.example.net and others"; the subject when it has no names. */
static void words_names(X509 *certificate, char *out, size_t out_bytes)
{
	char name[WORDS_NAME_BYTES];
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	size_t len = 0, shown = 0;
	out[0] = '\0';
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		if (!words_one_name(sk_GENERAL_NAME_value(names, i), name))
			continue;
		if (shown == WORDS_NAMES_MAX || len + strlen(name) + sizeof " and others" >= out_bytes) {
			snprintf(out + len, out_bytes - len, " and others");
			break;
		}
		len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", shown > 0 ? ", " : "", name);
		shown++;
	}
	GENERAL_NAMES_free(names);
	if (shown > 0)
		return;
	words_name(X509_get_subject_name(certificate), name, sizeof name);
	snprintf(out, out_bytes, "no host at all (subject \"%.100s\")", name);
}

/* ---- refusals of a certificate ---- */

bool tls_words_spki(X509 *certificate, uint8_t spki_out[TLS_PIN_BYTES])
{
	unsigned char *der = NULL;
	unsigned n = 0;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	bool is_done = len > 0 && EVP_Digest(der, (size_t)len, spki_out, &n, EVP_sha256(), NULL) == 1 &&
		       n == TLS_PIN_BYTES;
	OPENSSL_free(der);
	if (!is_done)
		memset(spki_out, 0, TLS_PIN_BYTES);
	return is_done;
}

static void words_spki_hex(X509 *certificate, char out[2 * TLS_PIN_BYTES + 1])
{
	uint8_t spki[TLS_PIN_BYTES];
	tls_words_spki(certificate, spki);
	for (size_t i = 0; i < sizeof spki; i++)
		snprintf(out + 2 * i, 3, "%02x", spki[i]);
}

static void refuse_name(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	char names[WORDS_NAME_BYTES];
	(void)at;
	words_names(X509_STORE_CTX_get0_cert(ctx), names, sizeof names);
	snprintf(out, TLS_WORDS_BYTES, "the certificate is for %s, not for %.150s", names, host);
}

/* "the certificate", or that of an authority above it. */
static const char *words_which(X509_STORE_CTX *ctx)
{
	return X509_STORE_CTX_get_error_depth(ctx) == 0 ? "the certificate"
							 : "the certificate of its authority";
}

static void refuse_old(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	char date[WORDS_DATE_BYTES];
	(void)host;
	words_date(at ? X509_get0_notAfter(at) : NULL, date);
	snprintf(out, TLS_WORDS_BYTES, "%s expired on %s", words_which(ctx), date);
}

static void refuse_early(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	char date[WORDS_DATE_BYTES];
	(void)host;
	words_date(at ? X509_get0_notBefore(at) : NULL, date);
	snprintf(out, TLS_WORDS_BYTES, "%s is not valid before %s (or this computer's clock is wrong)",
		 words_which(ctx), date);
}

static void refuse_self_signed(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	char hex[2 * TLS_PIN_BYTES + 1];
	(void)at;
	(void)host;
	words_spki_hex(X509_STORE_CTX_get0_cert(ctx), hex);
	snprintf(out, TLS_WORDS_BYTES,
		 "the certificate is self-signed, so no authority vouches for it (SHA-256 of its key: %s)", hex);
}

static void refuse_stranger(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	char issuer[WORDS_NAME_BYTES];
	(void)host;
	words_name(X509_get_issuer_name(at ? at : X509_STORE_CTX_get0_cert(ctx)), issuer, sizeof issuer);
	snprintf(out, TLS_WORDS_BYTES, "the certificate is signed by an authority unknown here: %s", issuer);
}

static void refuse_weak(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	(void)at;
	(void)host;
	snprintf(out, TLS_WORDS_BYTES, "the key or signature of %s is too weak", words_which(ctx));
}

static void refuse_other(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES])
{
	(void)at;
	(void)host;
	snprintf(out, TLS_WORDS_BYTES, "the certificate cannot be accepted: %s",
		 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
}

void tls_words_refusal(X509_STORE_CTX *ctx, const char *host, char out[TLS_WORDS_BYTES])
{
	typedef void refuse_fn(X509_STORE_CTX *ctx, X509 *at, const char *host, char out[TLS_WORDS_BYTES]);
	static const struct {
		int error;
		refuse_fn *fn;
	} rows[] = {
		{ X509_V_ERR_HOSTNAME_MISMATCH, refuse_name },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH, refuse_name },
		{ X509_V_ERR_CERT_HAS_EXPIRED, refuse_old },
		{ X509_V_ERR_CERT_NOT_YET_VALID, refuse_early },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, refuse_self_signed },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, refuse_stranger },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, refuse_stranger },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, refuse_stranger },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, refuse_stranger },
		{ X509_V_ERR_EE_KEY_TOO_SMALL, refuse_weak },
		{ X509_V_ERR_CA_KEY_TOO_SMALL, refuse_weak },
		{ X509_V_ERR_CA_MD_TOO_WEAK, refuse_weak },
	};
	refuse_fn *fn = refuse_other;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].error == X509_STORE_CTX_get_error(ctx))
			fn = rows[i].fn;
	fn(ctx, X509_STORE_CTX_get_current_cert(ctx), host, out);
}

void tls_words_pin(X509 *certificate, char out[TLS_WORDS_BYTES])
{
	char hex[2 * TLS_PIN_BYTES + 1];
	words_spki_hex(certificate, hex);
	snprintf(out, TLS_WORDS_BYTES, "the peer's key is not the pinned one (SHA-256 of its key: %s)", hex);
}

/* ---- other trouble ---- */

void tls_words_queue(bool is_shaking, bool is_hung_up, char out[TLS_WORDS_BYTES])
{
	static const struct {
		int reason;
		const char *text;
	} rows[] = {
		{ SSL_R_UNSUPPORTED_PROTOCOL, "the peer speaks only versions of TLS older than 1.2" },
		{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer speaks only versions of TLS older than 1.2" },
		{ SSL_R_WRONG_VERSION_NUMBER, "the peer speaks no TLS here, or one older than 1.2" },
		{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the peer refused: it shares no cipher with this side, "
						       "or wants a certificate" },
		{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the peer wants a certificate of this side" },
		{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer serves no host of this name" },
		{ SSL_R_DH_KEY_TOO_SMALL, "the peer's key exchange is too weak" },
		{ ERR_R_MALLOC_FAILURE, "no memory for TLS" },
	};
	unsigned long code = ERR_peek_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	for (size_t i = 0; code && i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].reason != ERR_GET_REASON(code))
			continue;
		snprintf(out, TLS_WORDS_BYTES, "%s", rows[i].text);
		return;
	}
	if (is_hung_up)
		snprintf(out, TLS_WORDS_BYTES, "the peer hung up while TLS was being agreed on");
	else
		snprintf(out, TLS_WORDS_BYTES, "%s: %s", is_shaking ? "TLS could not be agreed on" : "TLS broke",
			 text ? text : "no memory");
}

void tls_words_not_tls(struct slice said, char out[TLS_WORDS_BYTES])
{
	char text[WORDS_SAID_BYTES];
	words_copy(text, sizeof text, slice_trim(slice_first(said, slice_find_byte(said, 0, '\n'))));
	snprintf(out, TLS_WORDS_BYTES, "the peer speaks no TLS here; it said \"%s\"", text);
}

void tls_words_describe(X509 *certificate, struct tls_info *info_out)
{
	words_name(X509_get_subject_name(certificate), info_out->subject, sizeof info_out->subject);
	words_name(X509_get_issuer_name(certificate), info_out->issuer, sizeof info_out->issuer);
	words_time(X509_get0_notAfter(certificate), &info_out->expires_ms);
	tls_words_spki(certificate, info_out->spki);
}
