/* SPDX-License-Identifier: Apache-2.0
 *
 * print: the content fingerprint C and the instance I (algorithms.md 1.2).
 *
 * D = BLAKE2b-256, unkeyed, over
 *   the byte PRINT_VERSION,
 *   fields (length first, digest_add_field): From local part, From domain,
 *   Reply-To local part, Reply-To domain, Subject (decoded, folded), the first
 *   id of In-Reply-To,
 *   then for each piece of the body in order: its major type, and BLAKE2b-128 of
 *   its canonical bytes. A piece is a MIME leaf; or, under the type "message", a
 *   Subject, Date, From or Message-ID of an embedded message; or, under the type
 *   "debris", bytes that belong to no leaf (mail/mime.h), if there are any.
 * Canonical bytes: of text, message and debris: CRLF to LF, runs of blank and tab
 * to one blank, blanks at line ends and line ends at the end of the piece gone;
 * no charset conversion. Of other leaves: the decoded bytes; only where the
 * encoding leaves line ends to the transport (not base64, uuencode, binary), CRLF
 * to LF, so that a mail is the same read from a mailbox and from the wire.
 *
 * content_public = D. C = BLAKE2b-128 keyed with the site key over D. I =
 * BLAKE2b-128 keyed over C, List-Id and the newest Resent-Message-ID. Not in C:
 * Message-ID, Date, To, Cc, Sender, Received, X-*, display names, parameters,
 * boundaries, transfer encodings, preambles and epilogues.
 */
#ifndef QUELL_MAIL_PRINT_H
#define QUELL_MAIL_PRINT_H

#include "mail/facts.h"
#include "mail/mime.h"

enum { PRINT_VERSION = 1, PRINT_OUT_BYTES = 2048 };

/* Canonical text on its way into a digest. */
struct print_text {
	size_t line_ends;     /* passed, not yet written: the last ones never are */
	bool has_blank, has_cr;
	size_t out_len;
	char out[PRINT_OUT_BYTES];
};

struct print {
	struct digest whole, piece;
	enum mime_kind kind;
	bool is_text, is_exact;      /* how the piece is made canonical */
	char major[CTYPE_TOKEN_BYTES];
	size_t major_len;
	uint64_t piece_bytes;        /* canonical bytes of the piece */
	uint64_t body_bytes;         /* canonical bytes of all pieces that count */
	unsigned leaf_count;
	struct print_text text;
};

/* Begins with what the header says; subject as in struct facts. */
void print_begin(struct print *p, const struct address *from, const struct address *reply_to,
		 struct slice subject, struct slice in_reply_to);
/* The body's pieces: to be used as struct mime_hooks with a struct print as user. */
void print_on_begin(void *print, const struct mime_part *part);
void print_on_bytes(void *print, struct slice decoded);
void print_on_end(void *print, bool is_void);
/* key: HASH_KEY_BYTES. Writes content_public, content and instance of facts, from
 * its list_id and resent_message_id. */
void print_end(struct print *p, const uint8_t *key, struct facts *facts);

#endif
