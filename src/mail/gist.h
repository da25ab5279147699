/* SPDX-License-Identifier: Apache-2.0
 *
 * gist: what a mail says in its first lines, nearly; and what a bounce is about.
 *
 * The nearness print is a 64-bit simhash (Charikar 2002) over the words of the first
 * lines of the first text/plain leaf: quoted lines, words with digits (ticket numbers,
 * times) and everything past GIST_LINES lines left out, so that a robot's answers are
 * near each other and people's are not (their first lines differ, their signatures do
 * not). It groups evidence and never makes a copy (algorithms.md 1.2, F).
 *
 * Of a report (RFC 3464, 3462) the fields that tell bounces apart: Reporting-MTA,
 * Final-Recipient, Status, and the Message-ID of the mail that it is about.
 *
 * Streaming, bounded: GIST_TEXT_BYTES of text, GIST_LINE_BYTES of a line.
 */
#ifndef QUELL_MAIL_GIST_H
#define QUELL_MAIL_GIST_H

#include "mail/facts.h"
#include "mail/mime.h"

enum {
	GIST_LINES = 3, GIST_TEXT_BYTES = 512, GIST_LINE_BYTES = 256,
	GIST_WORDS_MIN = 4,     /* fewer say nothing: the print is 0 */
	GIST_NEAR_BITS = 12,    /* prints that differ in no more bits are near */
};

enum gist_part { GIST_OTHER, GIST_TEXT, GIST_REPORT_FIELDS, GIST_EMBEDDED };

struct gist {
	const uint8_t *site_key;
	struct facts *facts;            /* its report_* fields are filled in */
	enum gist_part part;
	bool has_text;                  /* the first text leaf has been seen */
	size_t text_len, line_len;
	char text[GIST_TEXT_BYTES], line[GIST_LINE_BYTES];
	struct digest report;
};

/* site_key and facts must outlive it. */
void gist_begin(struct gist *g, const uint8_t *site_key, struct facts *facts);
/* The body's pieces, as struct mime_hooks have them. */
void gist_on_begin(struct gist *g, const struct mime_part *part);
void gist_on_bytes(struct gist *g, struct slice decoded);
void gist_on_end(struct gist *g);
/* Fills in facts->near and, of a report, facts->report_key. */
void gist_end(struct gist *g);

/* The print of a text; 0 when it says too little. */
uint64_t gist_of_text(struct slice text);
bool gist_is_near(uint64_t a, uint64_t b); /* false when one is 0 */
/* How facts->report_ids are hashed. */
uint64_t gist_message_id(const uint8_t *site_key, struct slice message_id);

#endif
