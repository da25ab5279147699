/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes a mailbox list: the addresses lie inside the text, and there are no more
 * of them than bytes.
 */
#include "base/mem.h"
#include "mail/address.h"
#include "mail/rfc2047.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need_inside(struct slice s, const char *text, size_t size)
{
	if (s.len > 0 && (s.ptr < text || s.ptr + s.len > text + size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_reader r;
	struct address a;
	struct arena arena;
	size_t count = 0;
	char *text = mem_must_alloc(size);
	if (size > 0)
		memcpy(text, data, size);
	arena_init(&arena, 8 << 20);
	address_begin(&r, (struct text){ text, size });
	while (address_next(&r, &a)) {
		need_inside(a.local, text, size);
		need_inside(a.domain, text, size);
		need_inside(a.display, text, size);
		rfc2047_decode(&arena, a.display);
		if (++count > size + 1)
			abort();
	}
	arena_free(&arena);
	mem_free(text);
	return 0;
}
