/* SPDX-License-Identifier: Apache-2.0
 *
 * account: "user", "user:group" or ":group" to numbers. Names are looked up;
 * plain numbers are taken as they are. An absent part leaves its number as it was.
 */
#ifndef QUELL_MAIN_ACCOUNT_H
#define QUELL_MAIN_ACCOUNT_H

#include "base/error.h"

#include <sys/types.h>

/* setting: its name, for the message. */
bool account_find(const char *setting, const char *text, uid_t *uid_io, gid_t *gid_io, struct error *error);

/* Gives up root for good: the user's own groups, then group, then user. Makes the
 * folder state for it first when it is missing. Does nothing when text is empty or
 * the process is not root. */
bool account_become(const char *text, const char *state, struct error *error);

#endif
