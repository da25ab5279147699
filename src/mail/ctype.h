/* SPDX-License-Identifier: Apache-2.0
 *
 * ctype: a Content-Type field body (RFC 2045 5.1, RFC 2231 continuations): type,
 * subtype and the boundary. Other parameters are of no interest here.
 */
#ifndef QUELL_MAIL_CTYPE_H
#define QUELL_MAIL_CTYPE_H

#include "base/slice.h"

enum { CTYPE_TOKEN_BYTES = 64, CTYPE_BOUNDARY_BYTES = 1000 };

/* Owns its bytes: parts come and go faster than arenas. */
struct ctype {
	char type[CTYPE_TOKEN_BYTES], subtype[CTYPE_TOKEN_BYTES]; /* lower case */
	size_t type_len, subtype_len;
	char boundary[CTYPE_BOUNDARY_BYTES];
	size_t boundary_len;  /* 0: none, or longer than any line may be */
};

void ctype_set(struct ctype *t, struct slice type, struct slice subtype);
/* False when there is no type/subtype; *out is then text/plain. Longer tokens are
 * cut. The value may be folded. */
bool ctype_parse(struct slice value, struct ctype *ctype_out);

static inline struct slice ctype_type(const struct ctype *t)
{
	return slice_make(t->type, t->type_len);
}
static inline struct slice ctype_subtype(const struct ctype *t)
{
	return slice_make(t->subtype, t->subtype_len);
}
bool ctype_is(const struct ctype *t, struct slice type);

#endif
