/* SPDX-License-Identifier: Apache-2.0
 *
 * http: one POST over libcurl. It BLOCKS: for a thread of one's own (net/errand.h).
 *
 * The peer's certificate is verified (TLS 1.2 and up), redirects are not followed (secrets
 * would follow them), netrc is not read, other schemes are not spoken. Nothing of body,
 * headers or answer is ever in why.
 */
#ifndef QUELL_NET_HTTP_H
#define QUELL_NET_HTTP_H

#include "base/slice.h"

#include <stdatomic.h>

enum { HTTP_WHY_BYTES = 256, HTTP_HEADERS_MAX = 8 };

struct http_post {
	const char *url;
	bool may_be_plain;            /* http:// too, past no proxy; see http_is_safe */
	const char *ca_file;          /* NULL: the system's */
	const char *const *headers;   /* "Name: value" */
	size_t header_count;
	struct slice body;            /* not copied: it may be locked memory */
	char *answer;                 /* where the answer's body goes */
	size_t answer_bytes_max;
	bool may_cut;                 /* what has no room is dropped; else it fails the post */
	int64_t connect_ms, all_ms;
	const atomic_bool *must_end;  /* set by another thread: give up within a second; or NULL */
};

struct http_answer {
	long status;
	size_t len;
};

/* True: there was an answer, with whatever status. False and why. */
bool http_post(const struct http_post *post, struct http_answer *answer_out, char why_out[HTTP_WHY_BYTES]);

/* Is this https://HOST, or http:// to localhost, 127.0.0.0/8 or ::1? False and what is wrong
 * with it, without the URL (keys stand in some). */
bool http_is_safe(const char *url, char why_out[HTTP_WHY_BYTES]);

#endif
