/* SPDX-License-Identifier: Apache-2.0
 *
 * stamp: writing and verifying X-Quell-Trace.
 */
#include "storm/stamp.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEY_ID_AT = 5, KEY_ID_LEN = 8 }; /* in the text, after "1; k=" */

/* The text that the MAC covers; out holds STAMP_TEXT_BYTES. */
static struct slice signed_text(const uint8_t key[HASH_KEY_BYTES], const struct stamp *stamp,
				char out[STAMP_TEXT_BYTES])
{
	uint8_t id[HMAC_BYTES];
	char id_hex[KEY_ID_LEN + 1], content_hex[2 * STAMP_CONTENT_BYTES + 1];
	hash_hmac96(key, SLICE("X-Quell-Trace key id"), id);
	hash_to_hex(id, 4, id_hex);
	hash_to_hex(stamp->content, STAMP_CONTENT_BYTES, content_hex);
	int n = snprintf(out, STAMP_TEXT_BYTES,
			 "1; k=%s; t=%" PRId64 "; n=%016" PRIx64 "; c=%s", id_hex,
			 stamp->time_s, stamp->nonce, content_hex);
	return slice_make(out, n > 0 && n < STAMP_TEXT_BYTES ? (size_t)n : 0);
}

bool stamp_write(const uint8_t key[HASH_KEY_BYTES], const struct stamp *stamp, struct buf *out)
{
	char text[STAMP_TEXT_BYTES], mac_hex[2 * HMAC_BYTES + 1];
	uint8_t mac[HMAC_BYTES];
	struct slice covered = signed_text(key, stamp, text);
	hash_hmac96(key, covered, mac);
	hash_to_hex(mac, HMAC_BYTES, mac_hex);
	return buf_add(out, covered) && buf_addf(out, "; m=%s", mac_hex);
}

/* The next part must be name=...; its value without white space. */
static bool take_part(struct slice *rest, struct slice name, struct slice *value_out)
{
	struct slice part = { NULL, 0 };
	if (!slice_next(rest, ';', &part))
		return false;
	part = slice_trim(part);
	if (part.len <= name.len || !slice_equal(slice_first(part, name.len), name))
		return false;
	*value_out = slice_from(part, name.len);
	return true;
}

bool stamp_read(const uint8_t key[HASH_KEY_BYTES], struct slice value, struct stamp *stamp_out)
{
	struct slice version = { NULL, 0 }, k, t, n, c, m;
	uint64_t time_s, nonce;
	uint8_t mac[HMAC_BYTES], wanted[HMAC_BYTES];
	char text[STAMP_TEXT_BYTES];
	*stamp_out = (struct stamp){ 0 };
	if (value.len > STAMP_LEN_MAX || !slice_next(&value, ';', &version) ||
	    !slice_equal(slice_trim(version), SLICE("1")))
		return false;
	if (!take_part(&value, SLICE("k="), &k) || !take_part(&value, SLICE("t="), &t) ||
	    !take_part(&value, SLICE("n="), &n) || !take_part(&value, SLICE("c="), &c) ||
	    !take_part(&value, SLICE("m="), &m))
		return false;
	if (!slice_to_u64(t, &time_s) || time_s > INT64_MAX / 1000 || n.len != 16 ||
	    !slice_to_hex64(n, &nonce) || !hash_from_hex(c, stamp_out->content, STAMP_CONTENT_BYTES) ||
	    !hash_from_hex(m, mac, HMAC_BYTES))
		return false;
	stamp_out->time_s = (int64_t)time_s;
	stamp_out->nonce = nonce;
	hash_hmac96(key, signed_text(key, stamp_out, text), wanted);
	bool is_our_key = k.len == KEY_ID_LEN && memcmp(k.ptr, text + KEY_ID_AT, KEY_ID_LEN) == 0;
	return is_our_key && nonce != 0 && value.len == 0 &&
	       hash_is_equal(mac, wanted, HMAC_BYTES);
}
