/* SPDX-License-Identifier: Apache-2.0
 *
 * spool: the bytes of one mail while it passes, in case it must be kept.
 *
 * Small mails stay in a bounded buffer, the rest goes on to an unnamed file in
 * the state folder (O_TMPFILE), so a mail of any size costs little memory and a
 * crash leaves nothing behind. A spool that cannot keep the mail (no memory, no
 * disk) is broken: it says so, drops what it has, and the mail can no longer be
 * held, only delivered.
 */
#ifndef QUELL_STORE_SPOOL_H
#define QUELL_STORE_SPOOL_H

#include "base/buf.h"

enum { SPOOL_HEAD_BYTES_MAX = 2 * 1024 * 1024 }; /* of the rendered header; past it: broken */

struct spool {
	struct buf head;       /* the header, rendered, CRLF line ends */
	struct buf body;       /* the first bytes of the body */
	int body_fd;           /* the rest of it; -1 while all is in memory */
	int dir_fd;            /* state folder */
	uint64_t body_bytes, body_bytes_max;
	bool is_broken;
};

/* dir_fd stays the caller's. */
void spool_init(struct spool *s, int dir_fd, size_t memory_bytes, uint64_t body_bytes_max);
void spool_free(struct spool *s);
/* Empty, ready for the next mail of the session; keeps the memory. */
void spool_reset(struct spool *s);
/* name and value as the MTA gave them; value may be folded with LF and may begin with
 * its own blank (else one is put in). A folded line that does not begin with a blank
 * gets one, an empty one is dropped: no value can add a field or end the header. */
void spool_header(struct spool *s, struct slice name, struct slice value);
void spool_body(struct spool *s, struct slice chunk);

#endif
