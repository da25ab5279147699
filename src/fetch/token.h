/* SPDX-License-Identifier: Apache-2.0
 *
 * token: OAuth 2.0 access tokens (RFC 6749) for XOAUTH2 and OAUTHBEARER.
 *
 * From token_command, or by the built-in refresh: a POST over https to token_url with
 * grant_type=refresh_token (a refresh_token_file is set) or client_credentials (it is
 * not), by libcurl in a thread of its own, so that the loop never waits. The answer is
 * JSON: access_token, expires_in, perhaps a new refresh_token, which replaces the one in
 * the file (written beside, synced, renamed, 0600).
 *
 * A token is kept until 80 % of its life, or 5 minutes when none is said. A refused one
 * is dropped once (token_refused), then the account backs off.
 */
#ifndef QUELL_FETCH_TOKEN_H
#define QUELL_FETCH_TOKEN_H

#include "fetch/account.h"
#include "fetch/secret.h"

struct token;

/* settings must outlive it. ca_file: for token_url, NULL the system's (tests). */
struct token *token_new(struct loop *l, const struct account_settings *settings, const char *ca_file);
void token_free(struct token **t);
/* fn as in secret.h; a token that is still good comes without asking anybody, but
 * never from within. One request at a time: false, and no fn, while one is open. */
bool token_get(struct token *t, int64_t now_ms, secret_fn *fn, void *ctx);
/* No fn any more. */
void token_cancel(struct token *t);
/* The server refused the last token. True: a fresh one may help (the first time since
 * one was taken); false: it will not. */
bool token_refused(struct token *t);
/* It was taken. */
void token_taken(struct token *t);

#endif
