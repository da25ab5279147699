/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes one Received field body: whatever it holds, the slices stay inside the
 * hop's copy, which is no longer than the field.
 */
#include "mail/received.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct hop hop;
	arena_init(&arena, 1 << 20);
	bool is_known = received_parse(&arena, slice_make(size ? data : NULL, size), &hop);
	const struct slice parts[] = { hop.by, hop.from_helo, hop.from_name, hop.with, hop.id, hop.for_addr };
	uint64_t sum = 0;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (parts[i].len > size)
			abort();
		for (size_t n = 0; n < parts[i].len; n++)
			sum += (unsigned char)parts[i].ptr[n]; /* reads every byte */
		if (domain_org(parts[i]).len > parts[i].len)
			abort();
	}
	if (sum > 0 && !is_known && hop.by.len > 0)
		abort();
	arena_free(&arena);
	return 0;
}
