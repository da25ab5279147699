/* SPDX-License-Identifier: Apache-2.0
 *
 * msid: Message-IDs as Microsoft's mail code mints them: <SSSSHHHHHHHH$LLLLLLLL$
 * IIIIIIII@host>, where S counts, H and L are the FILETIME and I is the minting
 * machine's IPv4 address, little-endian (incident.md 1.3). Outlook Express mints
 * them too: the shape alone proves nothing.
 */
#ifndef QUELL_MAIL_MSID_H
#define QUELL_MAIL_MSID_H

#include "mail/facts.h"

/* id: without <>. host points into it. is_present tells whether it has the shape
 * and a time between 1980 and 2100. */
struct ms_id msid_parse(struct slice id);

/* The FILETIME=[LLLLLLLL:HHHHHHHH] of an X-OriginalArrivalTime as Unix ms; 0 when
 * there is none. */
int64_t msid_original_arrival(struct slice value);

#endif
