/* SPDX-License-Identifier: Apache-2.0
 *
 * decode: the transfer encodings of MIME (RFC 2045 6.7, 6.8, and uuencode),
 * streaming and never failing. Where the input is broken the result is what most
 * readers show: base64 skips what is not of its alphabet and ends at the first
 * "="; quoted-printable lets a wrong "=xy" stand; uuencode begins at "begin ".
 */
#ifndef QUELL_MAIL_DECODE_H
#define QUELL_MAIL_DECODE_H

#include "base/slice.h"

enum encoding {
	ENCODING_PLAIN,  /* 7bit, 8bit, none, unknown: lines of text */
	ENCODING_BINARY, /* as they are, line ends too */
	ENCODING_BASE64,
	ENCODING_QUOTED,
	ENCODING_UU,
};

/* Of a Content-Transfer-Encoding field body. */
enum encoding encoding_parse(struct slice value);

enum uu_state { UU_BEFORE, UU_BEGIN_LINE, UU_LINE_START, UU_LINE, UU_LINE_REST, UU_DONE };

struct decoder {
	enum encoding encoding;
	uint32_t bits;       /* base64, uu: saved sextets */
	unsigned count;      /* base64, uu: how many; quoted: state */
	bool is_over;        /* base64: "=" was seen */
	char first;          /* quoted: the byte after "=" */
	enum uu_state uu;
	unsigned uu_left;    /* bytes still due on this uu line */
	unsigned uu_matched; /* of "begin " */
	bool is_uu_skipping; /* this line is not "begin " */
};

void decoder_begin(struct decoder *d, enum encoding encoding);
/* Decodes in into out and returns the bytes written: at most in.len + 2. Plain
 * and binary are copied. */
size_t decoder_feed(struct decoder *d, struct slice in, char *out);

#endif
