/* SPDX-License-Identifier: Apache-2.0
 *
 * mbox: a streaming splitter of mailboxes in one file. Bytes in, events out.
 *
 * A mail begins at a line "From " that stands first or after an empty line and
 * shows a clock time (12:34), so that prose beginning with "From " does not cut a
 * mail in two. The empty line before a separator is the mailbox's, not the
 * mail's. mboxrd: one ">" is taken off lines of one or more ">" and "From ";
 * mboxo: off ">From " only. What comes before the first separator is skipped.
 */
#ifndef QUELL_MAIL_MBOX_H
#define QUELL_MAIL_MBOX_H

#include "base/slice.h"

#include <stdint.h>

enum mbox_dialect { MBOX_RD, MBOX_O, MBOX_AS_IS /* quoting is left alone */ };

struct mbox_hooks {
	/* from_line: the separator without its line end (cut at MBOX_LINE_BYTES_MAX);
	 * offset: of the separator in the input. */
	void (*on_begin)(void *user, struct slice from_line, uint64_t offset);
	void (*on_bytes)(void *user, struct slice bytes);
	void (*on_end)(void *user);
	void *user;
};

enum { MBOX_LINE_BYTES_MAX = 512 };

struct mbox {
	const struct mbox_hooks *hooks;
	enum mbox_dialect dialect;
	uint64_t offset;                    /* of the byte after what was taken */
	bool is_in_mail, is_line_inside;
	bool is_after_empty;                /* the line before was empty, or there is none */
	size_t held_len;                    /* an empty line that may be the mailbox's */
	char held[2];
	size_t line_len;                    /* a line that may be a separator */
	char line[MBOX_LINE_BYTES_MAX];
};

void mbox_begin(struct mbox *m, enum mbox_dialect dialect, const struct mbox_hooks *hooks);
void mbox_feed(struct mbox *m, struct slice chunk);
void mbox_end(struct mbox *m);

#endif
