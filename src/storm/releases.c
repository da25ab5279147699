/* SPDX-License-Identifier: Apache-2.0
 *
 * releases: the ring of due releases. Cancelling walks it; that is rare (an
 * answer that was not given) and the ring is short.
 */
#include "storm/releases.h"

#include "base/mem.h"

bool releases_init(struct releases *r, size_t bytes)
{
	*r = (struct releases){ 0 };
	size_t cap = bytes / sizeof(struct release);
	if (cap == 0)
		cap = 1;
	r->ring = mem_alloc_array(cap, sizeof *r->ring);
	if (!r->ring)
		return false;
	r->cap = cap;
	return true;
}

void releases_free(struct releases *r)
{
	mem_free(r->ring);
	*r = (struct releases){ 0 };
}

size_t releases_bytes(const struct releases *r)
{
	return r->cap * sizeof(struct release);
}

bool releases_add(struct releases *r, const uint8_t pair[PAIR_BYTES], int64_t due_ms)
{
	if (r->count == r->cap)
		return false;
	struct release *at = &r->ring[(r->first + r->count++) % r->cap];
	*at = (struct release){ .is_live = true, .due_ms = due_ms };
	memcpy(at->pair, pair, PAIR_BYTES);
	return true;
}

void releases_cancel(struct releases *r, const uint8_t pair[PAIR_BYTES])
{
	for (size_t i = 0; i < r->count; i++) {
		struct release *at = &r->ring[(r->first + i) % r->cap];
		if (!at->is_live || memcmp(at->pair, pair, PAIR_BYTES) != 0)
			continue;
		at->is_live = false;
		return;
	}
}

bool releases_take_due(struct releases *r, int64_t now_ms, struct release *release_out)
{
	while (r->count > 0) {
		struct release *at = &r->ring[r->first];
		if (at->is_live && at->due_ms > now_ms)
			return false;
		r->first = (r->first + 1) % r->cap;
		r->count--;
		if (!at->is_live)
			continue;
		*release_out = *at;
		return true;
	}
	return false;
}

const struct release *releases_at(const struct releases *r, size_t n)
{
	return n < r->count ? &r->ring[(r->first + n) % r->cap] : NULL;
}
