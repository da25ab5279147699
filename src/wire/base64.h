/* SPDX-License-Identifier: Apache-2.0
 *
 * base64: RFC 4648 4, the strict kind, for the words of SASL.
 *
 * Decoding takes only what encoding gives: no blanks, no line ends, the padding that
 * belongs there, no bit left over. Nothing is allocated but in the buf given.
 */
#ifndef QUELL_WIRE_BASE64_H
#define QUELL_WIRE_BASE64_H

#include "base/buf.h"

/* What encoding makes of so many bytes. */
static inline size_t base64_len(size_t bytes)
{
	return (bytes + 2) / 3 * 4;
}

/* Appends the text of s. False: the buffer is at its ceiling, nothing was added. */
bool base64_add(struct buf *b, struct slice s);
/* The bytes of text; out must have room for out_max. False: the text is no base64, or
 * of more bytes than that. */
bool base64_read(struct slice text, uint8_t *out, size_t out_max, size_t *bytes_out);

#endif
