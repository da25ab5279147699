/* SPDX-License-Identifier: Apache-2.0
 *
 * stamp: the field X-Quell-Trace, by which a mail that comes back is known.
 *
 *   1; k=KEYID; t=TIME; n=NONCE; c=C; m=MAC
 *
 * k 8 hexadecimal digits naming the key, t seconds since 1970, n 16 digits (the
 * passage), c 12 (the first 48 bits of the content), m 24: HMAC-SHA256 of all
 * before it, cut to 96 bits. Only ever added on top, never rewritten, no counter
 * in it, and nobody is blamed for carrying one. Whatever does not verify is as
 * if it were not there (algorithms.md 1.2, acceptance case 34).
 */
#ifndef QUELL_STORM_STAMP_H
#define QUELL_STORM_STAMP_H

#include "base/buf.h"
#include "base/hash.h"

enum { STAMP_CONTENT_BYTES = 6, STAMP_TEXT_BYTES = 100, STAMP_LEN_MAX = 200 };

struct stamp {
	uint64_t nonce;
	int64_t time_s;
	uint8_t content[STAMP_CONTENT_BYTES];
};

/* Adds the text; false when the buffer is over. */
bool stamp_write(const uint8_t key[HASH_KEY_BYTES], const struct stamp *stamp, struct buf *out);
/* True when value is a stamp made with this key; white space around the parts
 * is free (fields get folded on the way). Longer than STAMP_LEN_MAX: false. */
bool stamp_read(const uint8_t key[HASH_KEY_BYTES], struct slice value, struct stamp *stamp_out);

#endif
