/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: passwords and tokens, from where they are kept to the codec and no further
 * (hazard 42).
 *
 * A secret is read when it is needed, lives in locked, zeroed-after-use memory
 * (sodium), and is never in argv, the environment, a log or an error text.
 *
 * Files: must belong to our own user or root, be a plain file, and be closed to group
 * and others (0600, 0400): else refused, and the error says "chmod 600 FILE". Their
 * first line counts, without its line end. "credential:NAME" is the file NAME in
 * $CREDENTIALS_DIRECTORY (systemd LoadCredential), whose modes systemd answers for.
 */
#ifndef QUELL_FETCH_SECRET_H
#define QUELL_FETCH_SECRET_H

#include "base/error.h"
#include "base/slice.h"
#include "net/loop.h"

enum { SECRET_BYTES_MAX = 16 * 1024 };

struct secret;

/* NULL and *e. */
struct secret *secret_read_file(const char *path, struct error *e);
struct secret *secret_copy(struct slice bytes);
/* Empty for NULL. */
struct slice secret_bytes(const struct secret *s);
/* Zeroes. NULL is welcome; sets the pointer to NULL. */
void secret_free(struct secret **s);

/* May an inline password stand in this settings file? (Plain file, owner us or root,
 * 0600 or less.) */
bool secret_may_stand_in(const char *settings_file, struct error *e);

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
