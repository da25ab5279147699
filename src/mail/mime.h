/* SPDX-License-Identifier: Apache-2.0
 *
 * mime: the streaming walk over a body (RFC 2045, 2046): chunks in, the decoded
 * bytes of each leaf out, nothing kept but a line that may be a boundary.
 *
 * What is a leaf: every part that is no multipart. message/rfc822 (and rfc2822,
 * global, news) is walked into, as GMime does, unless it is encoded; then it is
 * a leaf. Types are as GMime's, without looking at MIME-Version. A boundary is
 * also seen inside a part's header. Bytes that belong to no leaf but that a
 * reader may be shown (a multipart without boundary, or whose boundary never
 * comes; lines in a part's header that are no fields) are given out as debris,
 * so that a fingerprint over all of it misses nothing. Left out: the preamble
 * and epilogue of a sound multipart, header fields of parts.
 *
 * Bounds: MIME_DEPTH_MAX, past it a part is a leaf; MIME_PARTS_MAX, past it the
 * rest of the body is one piece of debris; MIME_FIELD_BYTES_MAX a header field;
 * CTYPE_BOUNDARY_BYTES a boundary. Time is linear in the bytes (a line that
 * begins with "--" is compared with at most MIME_DEPTH_MAX boundaries).
 */
#ifndef QUELL_MAIL_MIME_H
#define QUELL_MAIL_MIME_H

#include "base/arena.h"
#include "mail/ctype.h"
#include "mail/decode.h"

enum {
	MIME_DEPTH_MAX = 100,
	MIME_PARTS_MAX = 10000,
	MIME_FIELD_BYTES_MAX = 16 * 1024,
};

enum mime_kind {
	MIME_LEAF,
	MIME_MESSAGE, /* an embedded message begins; bytes: its own header fields, see below */
	MIME_DEBRIS,
};

struct mime_part {
	enum mime_kind kind;
	const struct ctype *ctype;  /* valid during the call; of debris: meaningless */
	enum encoding encoding;
};

/* Pieces come one after the other: begin, bytes..., end. is_void at the end: the
 * piece turned out to be a preamble; forget it (only debris can be void). Of
 * MIME_MESSAGE the bytes are the values of the embedded Subject, Date, From and
 * Message-ID as they stand: two forwarded mails may differ in nothing else. */
struct mime_hooks {
	void (*on_begin)(void *user, const struct mime_part *part);
	void (*on_bytes)(void *user, struct slice decoded);
	void (*on_end)(void *user, bool is_void);
	void *user;
};

struct mime;

/* ctype, encoding: of the mail's own header. All memory comes from arena; NULL
 * when it has none left. hooks must outlive the walk. */
struct mime *mime_begin(struct arena *arena, const struct ctype *ctype, enum encoding encoding,
			const struct mime_hooks *hooks);
void mime_feed(struct mime *m, struct slice chunk);
void mime_end(struct mime *m);
/* False when memory ran out on the way: some of the body went unread. */
bool mime_is_whole(const struct mime *m);

#endif
