/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the MIME walk: the first line is the Content-Type, the rest the body.
 * Pieces must open and close in turn, and be the same however the body is cut.
 */
#include "base/hash.h"
#include "mail/mime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sums {
	struct digest all, piece;
	bool is_open;
};

static void need(bool is_so)
{
	if (!is_so)
		abort();
}

static void on_begin(void *user, const struct mime_part *part)
{
	struct sums *s = user;
	need(!s->is_open);
	s->is_open = true;
	digest_init(&s->piece, NULL, DIGEST_SHORT_BYTES);
	digest_add_field(&s->piece, part->kind == MIME_LEAF ? ctype_type(part->ctype) : SLICE("-"));
}

static void on_bytes(void *user, struct slice decoded)
{
	struct sums *s = user;
	need(s->is_open);
	digest_add(&s->piece, decoded);
}

static void on_end(void *user, bool is_void)
{
	struct sums *s = user;
	uint8_t digest[DIGEST_SHORT_BYTES];
	need(s->is_open);
	s->is_open = false;
	digest_end(&s->piece, digest);
	if (!is_void)
		digest_add(&s->all, slice_make(digest, sizeof digest));
}

static void walk(struct slice type, struct slice body, size_t piece, uint8_t out[DIGEST_SHORT_BYTES])
{
	struct arena arena;
	struct ctype ctype;
	struct sums sums = { .is_open = false };
	struct mime_hooks hooks = { on_begin, on_bytes, on_end, &sums };

	digest_init(&sums.all, NULL, DIGEST_SHORT_BYTES);
	arena_init(&arena, 4 << 20);
	ctype_parse(type, &ctype);
	struct mime *m = mime_begin(&arena, &ctype, encoding_parse(slice_first(type, 6)), &hooks);
	need(m != NULL);
	for (size_t pos = 0; pos < body.len; pos += piece)
		mime_feed(m, slice_first(slice_from(body, pos), piece));
	mime_end(m);
	need(!sums.is_open && mime_is_whole(m));
	digest_end(&sums.all, out);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[DIGEST_SHORT_BYTES], cut[DIGEST_SHORT_BYTES];
	struct slice all = slice_make(data, size), type, body = all;
	if (size == 0 || !slice_next(&body, '\n', &type))
		return 0;
	walk(type, body, body.len + 1, whole);
	walk(type, body, 1, cut);
	need(memcmp(whole, cut, sizeof whole) == 0);
	walk(type, body, 1 + size % 13, cut);
	need(memcmp(whole, cut, sizeof whole) == 0);
	return 0;
}
