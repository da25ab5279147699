/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl: one row per mechanism; SCRAM stands in sasl_scram.c.
 *
 * All memory is taken by sasl_new: later nothing can fail for want of it, and no
 * secret is left behind in a block that grew.
 */
#include "wire/sasl_inside.h"

#include "base/mem.h"
#include "wire/base64.h"

enum { HOST_BYTES_MAX = 255, ANSWER_FRAME_BYTES = 128 };

bool sasl_refuse(const char *why, const char **why_out)
{
	*why_out = why;
	return false;
}

void sasl_add_name(struct buf *b, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '=')
			buf_add_str(b, "=3D");
		else if (name.ptr[i] == ',')
			buf_add_str(b, "=2C");
		else
			buf_add_byte(b, name.ptr[i]);
	}
}

void sasl_complain(struct sasl *s, struct slice text)
{
	text = slice_first(text, sizeof s->complaint);
	for (size_t i = 0; i < text.len; i++)
		s->complaint[i] = text.ptr[i] >= ' ' && text.ptr[i] < 0x7f ? text.ptr[i] : '?';
	s->complaint_len = text.len;
}

/* ---- the mechanisms ---- */

static void plain_first(struct sasl *s)
{
	buf_add_byte(&s->answer, '\0');
	buf_add(&s->answer, s->user);
	buf_add_byte(&s->answer, '\0');
	buf_add(&s->answer, s->secret);
}

static bool plain_step(struct sasl *s, struct slice challenge, const char **why_out)
{
	(void)s, (void)challenge;
	return sasl_refuse("the server asks for more than PLAIN has", why_out);
}

static void xoauth2_first(struct sasl *s)
{
	buf_add_str(&s->answer, "user=");
	buf_add(&s->answer, s->user);
	buf_add_str(&s->answer, "\001auth=Bearer ");
	buf_add(&s->answer, s->secret);
	buf_add_str(&s->answer, "\001\001");
}

static void oauthbearer_first(struct sasl *s)
{
	buf_add_str(&s->answer, "n,a=");
	sasl_add_name(&s->answer, s->user);
	buf_add_str(&s->answer, ",\001host=");
	buf_add(&s->answer, s->host);
	if (s->port > 0)
		buf_addf(&s->answer, "\001port=%u", (unsigned)s->port);
	buf_add_str(&s->answer, "\001auth=Bearer ");
	buf_add(&s->answer, s->secret);
	buf_add_str(&s->answer, "\001\001");
}

/* The error document. XOAUTH2 wants an empty word for it, RFC 7628 3.2.3 one 0x01;
 * then the server refuses for good. */
static bool oauth_step(struct sasl *s, struct slice challenge, const char **why_out)
{
	if (s->challenges > 0)
		return sasl_refuse("the server complains twice", why_out);
	sasl_complain(s, challenge.len > 0 ? challenge : SLICE("(no words)"));
	if (s->mechanism == SASL_OAUTHBEARER)
		buf_add_byte(&s->answer, '\001');
	return true;
}

static const struct {
	const char *name;
	void (*first)(struct sasl *s);
	bool (*step)(struct sasl *s, struct slice challenge, const char **why_out);
	bool is_oauth, has_host;
} rows[SASL_MECHANISM_COUNT] = {
	[SASL_PLAIN] = { "PLAIN", plain_first, plain_step, false, false },
	[SASL_SCRAM_SHA_256] = { "SCRAM-SHA-256", scram_first, scram_step, false, false },
	[SASL_XOAUTH2] = { "XOAUTH2", xoauth2_first, oauth_step, true, false },
	[SASL_OAUTHBEARER] = { "OAUTHBEARER", oauthbearer_first, oauth_step, true, true },
};

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
	return (unsigned)mechanism < SASL_MECHANISM_COUNT ? rows[mechanism].name : "?";
}

bool sasl_mechanism_find(struct slice name, enum sasl_mechanism *mechanism_out)
{
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		if (slice_equal_nocase(name, slice_from_str(rows[i].name))) {
			*mechanism_out = (enum sasl_mechanism)i;
			return true;
		}
	}
	return false;
}

/* ---- birth and end ---- */

static bool is_argument(struct slice s, size_t bytes_max, bool is_strict)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c == '\0' || (is_strict && (c < ' ' || c == 0x7f)))
			return false;
	}
	return s.len > 0 && s.len <= bytes_max;
}

static bool is_setup_fine(const struct sasl_setup *setup)
{
	if ((unsigned)setup->mechanism >= SASL_MECHANISM_COUNT || setup->nonce_bytes > sizeof setup->nonce)
		return false;
	bool is_strict = rows[setup->mechanism].is_oauth;
	return is_argument(setup->user, SASL_ARGUMENT_BYTES_MAX, is_strict) &&
	       is_argument(setup->secret, SASL_ARGUMENT_BYTES_MAX, is_strict) &&
	       (!rows[setup->mechanism].has_host || is_argument(setup->host, HOST_BYTES_MAX, true));
}

static struct slice own_next(char **to, struct slice s)
{
	if (s.len > 0)
		memcpy(*to, s.ptr, s.len);
	struct slice copy = slice_make(*to, s.len);
	*to += s.len;
	return copy;
}

static bool sasl_take(struct sasl *s, const struct sasl_setup *setup)
{
	struct slice host = rows[setup->mechanism].has_host ? setup->host : slice_make(NULL, 0);
	s->own_bytes = setup->user.len + setup->secret.len + host.len;
	s->own = mem_alloc(s->own_bytes);
	/* An escaped name is three times as long at most. */
	buf_init(&s->answer, 3 * setup->user.len + setup->secret.len + host.len + SCRAM_NONCE_BYTES_MAX +
				     ANSWER_FRAME_BYTES);
	if (!s->own || !buf_reserve(&s->answer, s->answer.cap_max))
		return false;
	char *to = s->own;
	s->user = own_next(&to, setup->user);
	s->secret = own_next(&to, setup->secret);
	s->host = own_next(&to, host);
	return true;
}

/* ours: base64, which has no comma in it (RFC 5802 5.1: printable, no ","). */
static void sasl_take_nonce(struct sasl *s, const struct sasl_setup *setup)
{
	size_t n = setup->nonce_bytes > 0 ? setup->nonce_bytes : sizeof setup->nonce;
	base64_add(&s->answer, slice_make(setup->nonce, n));
	memcpy(s->nonce, s->answer.ptr, s->answer.len);
	buf_reset(&s->answer);
}

struct sasl *sasl_new(const struct sasl_setup *setup)
{
	struct sasl *s = is_setup_fine(setup) ? mem_alloc(sizeof *s) : NULL;
	if (!s)
		return NULL;
	s->mechanism = setup->mechanism;
	s->port = setup->port;
	if (!sasl_take(s, setup)) {
		sasl_free(&s);
		return NULL;
	}
	sasl_take_nonce(s, setup);
	return s;
}

void sasl_free(struct sasl **s)
{
	if (!*s)
		return;
	if ((*s)->own)
		explicit_bzero((*s)->own, (*s)->own_bytes);
	if ((*s)->answer.ptr)
		explicit_bzero((*s)->answer.ptr, (*s)->answer.cap);
	mem_free((*s)->own);
	buf_free(&(*s)->answer);
	explicit_bzero(*s, sizeof **s);
	mem_free(*s);
	*s = NULL;
}

/* ---- the exchange ---- */

enum sasl_mechanism sasl_mechanism(const struct sasl *s)
{
	return s->mechanism;
}

struct slice sasl_first(struct sasl *s)
{
	buf_reset(&s->answer);
	rows[s->mechanism].first(s);
	s->is_first_said = true;
	return buf_slice(&s->answer);
}

bool sasl_step(struct sasl *s, struct slice challenge, struct slice *answer_out, const char **why_out)
{
	*answer_out = slice_make(NULL, 0);
	if (!s->is_first_said)
		return sasl_refuse("the server answers a word that was not said", why_out);
	if (challenge.len > SASL_CHALLENGE_BYTES_MAX)
		return sasl_refuse("the server's challenge is too long", why_out);
	buf_reset(&s->answer);
	if (!rows[s->mechanism].step(s, challenge, why_out))
		return false;
	s->challenges++;
	*answer_out = buf_slice(&s->answer);
	return true;
}

bool sasl_is_proven(const struct sasl *s)
{
	return s->is_first_said && s->complaint_len == 0 &&
	       (s->mechanism != SASL_SCRAM_SHA_256 || s->is_signed);
}

struct slice sasl_complaint(const struct sasl *s)
{
	return slice_make(s->complaint, s->complaint_len);
}
