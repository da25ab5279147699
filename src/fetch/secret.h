/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: passwords and tokens that a program prints; those in files are base/secret.h's.
 */
#ifndef QUELL_FETCH_SECRET_H
#define QUELL_FETCH_SECRET_H

#include "base/secret.h"
#include "net/loop.h"

/* Runs argv (no shell; a clean environment: PATH, HOME, LANG=C; stdin /dev/null, stderr
 * ours) and takes the first line it prints. Ends it with SIGKILL after timeout_ms. fn is
 * called once, never from within, with the secret (its own now) or NULL and why, which
 * lives until secret_run_cancel. That ends and frees a run, before fn was called (it is
 * not, then) or after, also from within fn; every run needs it. NULL without memory. */
struct secret_run;
typedef void secret_fn(void *ctx, struct secret *secret, const char *why);
struct secret_run *secret_run(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
			      secret_fn *fn, void *ctx);
/* The same for a program that may print nothing at all and end well: then the secret is
 * empty. */
struct secret_run *secret_run_any(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
				  secret_fn *fn, void *ctx);
void secret_run_cancel(struct secret_run **r);

#endif
