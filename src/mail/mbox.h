/* SPDX-License-Identifier: Apache-2.0
 *
 * mbox: where the mails of a mailbox in one file begin and end, and their quoting.
 *
 * A mail begins after a line "From " that stands first or after an empty line, has
 * at most MBOX_LINE_BYTES_MAX bytes and shows a clock time (12:34), so that prose
 * beginning with "From " does not cut a mail in two. The empty line before a
 * separator, and one at the end of the file, is the mailbox's, not the mail's. What
 * comes before the first separator is no mail. Lines end in LF or CRLF.
 *
 * mboxo and mboxrd are read alike: one ">" is taken off lines of one or more ">" and
 * "From ". mboxcl and mboxcl2: a Content-Length is believed when the file or a
 * separator follows there, see mbox_ends_at; that is for the caller to ask for.
 *
 * Everything here works on a stretch of the file that the caller holds, and copies
 * nothing; to go through a whole text:
 *
 *	struct mbox_text t = { text, true, true };
 *	struct mbox_cut cut, next;
 *	size_t pos = 0;
 *	for (bool has = mbox_find(&t, &pos, &cut); has; cut = next) {
 *		has = mbox_find(&t, &pos, &next);
 *		... slice_between(text, cut.next, next.mail_end) ...
 *	}
 */
#ifndef QUELL_MAIL_MBOX_H
#define QUELL_MAIL_MBOX_H

#include "base/slice.h"

enum {
	MBOX_LINE_BYTES_MAX = 512,
	MBOX_BEFORE_BYTES = 3,            /* needed before a place to know that a line is empty there */
	MBOX_COUNT_BYTES_MAX = 32 * 1024, /* a Content-Length is looked for in so much of a header */
	/* mbox_ends_at looks at so much before and after its place. */
	MBOX_END_BEFORE_BYTES = 1,
	MBOX_END_AFTER_BYTES = 4 + MBOX_LINE_BYTES_MAX,
};

/* A stretch of a mailbox. */
struct mbox_text {
	struct slice bytes;
	bool is_begin, is_end;  /* the file begins, ends here */
};

/* Positions in the stretch. */
struct mbox_cut {
	size_t mail_end;        /* of the mail before */
	size_t separator, next; /* the separator begins; the mail after it begins */
};

/* "From ", a clock time, not too long. line: with or without its line end. */
bool mbox_is_separator(struct slice line);

/* The first separator at or after *pos; *pos goes on behind it. False when there is
 * none: at the end of the file cut_out->mail_end is where the last mail ends; else
 * *pos is where to go on when more has come, and MBOX_BEFORE_BYTES before it must
 * still be there then. What is left over from *pos on is less than a line of
 * MBOX_LINE_BYTES_MAX. */
bool mbox_find(const struct mbox_text *t, size_t *pos, struct mbox_cut *cut_out);

/* The bytes of the header that text begins with, with its empty line; 0 when its end
 * is not in text. */
size_t mbox_header_bytes(struct slice text);

/* The value of the first Content-Length; false when there is none that is a number. */
bool mbox_content_length(struct slice header, uint64_t *bytes_out);

/* May a mail end at pos, as its Content-Length says? Yes when the end of the file or a
 * separator follows, with or without an empty line between. A line that is not ended
 * at pos is the mail's with its line end. At the end of the file separator and next
 * are its length. */
bool mbox_ends_at(const struct mbox_text *t, size_t pos, struct mbox_cut *cut_out);

/* Takes the quoting off, in pieces of any size; zeroed at the beginning of a mail. */
struct mbox_unquote {
	enum { MBOX_LINE_BEGIN, MBOX_LINE_QUOTED, MBOX_LINE_INSIDE } state;
	size_t matched; /* of "From ", held back with one ">" */
};
typedef void mbox_bytes_fn(void *ctx, struct slice bytes);

void mbox_unquote_feed(struct mbox_unquote *u, struct slice chunk, mbox_bytes_fn *fn, void *ctx);
void mbox_unquote_end(struct mbox_unquote *u, mbox_bytes_fn *fn, void *ctx);

#endif
