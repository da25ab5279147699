/* SPDX-License-Identifier: Apache-2.0
 *
 * poll_sign: the password or token, and the way to be let in.
 *
 * "auto" is AUTH PLAIN where offered, else USER and PASS: both send the password as it
 * is, which is why accounts_check demands TLS. A refusal for good is not tried again
 * soon (hazard 43): providers lock accounts.
 */
#include "fetch/poll_inner.h"

#include <stdio.h>

enum { SIGN_COMMAND_MS = 30 * 1000 };

static bool auth_is(const struct poll *p, const char *name)
{
	return strcmp(p->seat->entry->settings.auth, name) == 0;
}

static void poll_take_secret(void *ctx, struct secret *secret, const char *why)
{
	struct poll *p = ctx;
	p->secret = secret;
	if (secret)
		poll_connect(p);
	else
		poll_end(p, POLL_SECRET, "%s", why);
}

void poll_get_secret(struct poll *p)
{
	const struct account_settings *s = &p->seat->entry->settings;
	struct error error = { .text = "" };
	p->phase = PHASE_SECRET;
	if (p->seat->token) {
		if (!token_get(p->seat->token, poll_now_ms(p), poll_take_secret, p))
			poll_end(p, POLL_SECRET, "no memory to ask for a token");
		return;
	}
	if (s->password_command.count > 0) {
		p->secret_run = secret_run(p->fetch->setup.loop, s->password_command.items, s->password_command.count,
					   SIGN_COMMAND_MS, poll_take_secret, p);
		if (!p->secret_run)
			poll_end(p, POLL_SECRET, "password_command cannot be started");
		return;
	}
	p->secret = s->password_file[0] ? secret_read_file(s->password_file, &error)
					: secret_copy(slice_from_str(s->password));
	if (p->secret)
		poll_connect(p);
	else
		poll_end(p, POLL_SECRET, "%s", error.text[0] ? error.text : "no memory for the password");
}

static bool poll_wants_user(const struct poll *p)
{
	const struct pop3_caps *caps = pop3_caps(p->pop3);
	bool has_plain = caps->mechanisms & 1u << SASL_PLAIN;
	return auth_is(p, "user") || (auth_is(p, "auto") && !p->seat->token && !has_plain);
}

static enum sasl_mechanism poll_mechanism(const struct poll *p)
{
	unsigned offered = pop3_caps(p->pop3)->mechanisms;
	enum sasl_mechanism mechanism = SASL_PLAIN;
	if (!auth_is(p, "auto"))
		sasl_mechanism_find(slice_from_str(p->seat->entry->settings.auth), &mechanism);
	else if (p->seat->token)
		mechanism = offered & 1u << SASL_OAUTHBEARER && !(offered & 1u << SASL_XOAUTH2) ? SASL_OAUTHBEARER
												 : SASL_XOAUTH2;
	return mechanism;
}

static void poll_auth(struct poll *p)
{
	const struct account_settings *s = &p->seat->entry->settings;
	struct sasl_setup setup = {
		.mechanism = poll_mechanism(p),
		.user = slice_from_str(s->user),
		.secret = secret_bytes(p->secret),
		.host = slice_from_str(s->host),
		.port = (uint16_t)s->port,
	};
	hash_random(setup.nonce, sizeof setup.nonce);
	/* PLAIN and SCRAM may always stand in the AUTH line; the token forms as told. */
	bool is_token = setup.mechanism == SASL_XOAUTH2 || setup.mechanism == SASL_OAUTHBEARER;
	p->sasl = sasl_new(&setup);
	if (!p->sasl || !pop3_auth(p->pop3, p->sasl, is_token ? s->want_initial : true))
		poll_end(p, POLL_SECRET,
			 "the user name or the secret cannot be sent: too long, or with control characters");
}

void poll_sign(struct poll *p)
{
	p->phase = PHASE_SIGN;
	if (!poll_wants_user(p))
		poll_auth(p);
	else if (!pop3_user(p->pop3, slice_from_str(p->seat->entry->settings.user)))
		poll_end(p, POLL_SECRET, "the user name cannot be sent: too long, or with control characters");
}

static enum poll_end refusal_kind(enum pop3_code code)
{
	switch (code) {
	case POP3_CODE_IN_USE:
	case POP3_CODE_LOGIN_DELAY:
		return POLL_BUSY;
	case POP3_CODE_SYS_TEMP:
		return POLL_SERVER;
	default:
		return POLL_REFUSED;
	}
}

static void poll_on_refused(struct poll *p, const struct pop3_event *e)
{
	char words[256], complaint[256] = "";
	enum poll_end end = refusal_kind(e->reply.code);
	bool is_token = p->seat->token != NULL;
	if (p->sasl && sasl_complaint(p->sasl).len > 0)
		poll_words(sasl_complaint(p->sasl), complaint);
	/* A token may have died early: a fresh one is tried once, at once. */
	if (end == POLL_REFUSED && is_token)
		p->result.has_more = token_refused(p->seat->token);
	poll_end(p, end, "%s: the server says %s%s%s",
		 end == POLL_BUSY      ? "not now"
		 : end == POLL_REFUSED ? is_token ? "the token is refused" : "the user or password is refused"
				       : "the server has trouble",
		 poll_words(e->reply.text, words), complaint[0] ? "; " : "", complaint);
}

static void poll_signed_in(struct poll *p)
{
	if (p->seat->token)
		token_taken(p->seat->token);
	secret_free(&p->secret);
	sasl_free(&p->sasl);
	if (p->fetch->setup.mode == FETCH_CHECK)
		fetch_say(p->fetch, "account", p->seat->entry->label, "signed in as %s", p->seat->entry->settings.user);
	p->phase = PHASE_CAPA_AGAIN;
	if (!pop3_capa(p->pop3))
		poll_end(p, POLL_NETWORK, "CAPA could not be said");
}

void poll_on_signing(struct poll *p, const struct pop3_event *e)
{
	if (e->kind != POP3_REPLY) {
		poll_surprise(p, e);
	} else if (!e->reply.is_ok) {
		poll_on_refused(p, e);
	} else if (e->command == POP3_USER) {
		if (!pop3_pass(p->pop3, secret_bytes(p->secret)))
			poll_end(p, POLL_SECRET, "the password cannot be sent: too long, or with control characters");
	} else {
		poll_signed_in(p);
	}
}
