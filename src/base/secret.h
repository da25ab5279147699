/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: passwords and tokens, from the closed file they are kept in to whoever says
 * them to a peer, and no further (hazard 42).
 *
 * A secret is read when it is needed, lives in locked, zeroed-after-use memory
 * (sodium), and is never in argv, the environment, a log or an error text.
 *
 * Files: must belong to our own user or root, be a plain file, and be closed to group
 * and others (0600, 0400): else refused, and the error says "chmod 600 FILE". Their
 * first line counts, without its line end. "credential:NAME" is the file NAME in
 * $CREDENTIALS_DIRECTORY (systemd LoadCredential), whose modes systemd answers for.
 */
#ifndef QUELL_BASE_SECRET_H
#define QUELL_BASE_SECRET_H

#include "base/error.h"
#include "base/slice.h"

enum { SECRET_BYTES_MAX = 16 * 1024 };

struct secret;

/* NULL and *e. */
struct secret *secret_read_file(const char *path, struct error *e);
/* NULL: longer than SECRET_BYTES_MAX, or no memory. */
struct secret *secret_copy(struct slice bytes);
/* Empty for NULL. */
struct slice secret_bytes(const struct secret *s);
/* Zeroes. NULL is welcome; sets the pointer to NULL. */
void secret_free(struct secret **s);

/* May an inline password stand in this settings file? (Plain file, owner us or root,
 * 0600 or less.) */
bool secret_may_stand_in(const char *settings_file, struct error *e);

/* For who reads one from elsewhere: an empty one with room for SECRET_BYTES_MAX bytes (NULL
 * without memory); where they go; and, once len bytes are there, their first line is the
 * secret. False and why, in words: it cannot be one. */
struct secret *secret_new(void);
char *secret_room(struct secret *s);
bool secret_first_line(struct secret *s, size_t len, const char **why_out);

#endif
