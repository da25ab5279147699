/* SPDX-License-Identifier: Apache-2.0
 *
 * map: the closed map from addresses to local mailboxes (rule R1).
 *
 * A struct mailbox is the only thing the connector can deliver to, and this is the
 * only place where one comes into being: from the settings, when the map is made. What
 * stands in a mail or in the ledger can be looked up here, and is found or not; no
 * text becomes a recipient. No wildcards, no domains, no "everything else": an address
 * is in the map or it has no mailbox here. Letters match in any case.
 */
#ifndef QUELL_FETCH_MAP_H
#define QUELL_FETCH_MAP_H

#include "fetch/account.h"

#include "base/slice.h"

struct map;
struct mailbox;

/* Of a checked account (accounts_check); what it says is copied. NULL: no memory. */
struct map *map_new(const struct account_settings *settings);
/* NULL is welcome; sets the pointer to NULL. Its mailboxes are gone then. */
void map_free(struct map **map);

/* Where all mail of this account goes; NULL for a multidrop account. */
const struct mailbox *map_owner(const struct map *map);
/* The mailbox of an address as it stands in the envelope header, without <>; or NULL. */
const struct mailbox *map_find(const struct map *map, struct slice address);
/* The mailbox of this local name, which the ledger kept or a person typed; NULL when it
 * is none (any more). */
const struct mailbox *map_find_name(const struct map *map, struct slice name);
/* The local address: what RCPT TO gets. Lives as long as the map. */
const char *mailbox_name(const struct mailbox *mailbox);

#endif
