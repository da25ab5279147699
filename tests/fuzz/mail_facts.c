/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the builder with a raw mail: whole and in pieces (the first byte says
 * how long) it must give the same facts, and never leave its arena's ceiling.
 */
#include "mail/facts.h"
#include "mail/received.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[HASH_KEY_BYTES] = { 1 };
static const char *const hosts[] = { "mx.example.org" };
static const struct facts_setup setup = {
	.site_key = key, .our_hosts = hosts, .our_host_count = 1, .authserv_id = { "mx.example.org", 14 },
};

static const struct facts *read_mail(struct arena *arena, struct slice mail, size_t piece)
{
	struct facts_builder *b = facts_begin(arena, &setup);
	if (!b)
		abort();
	for (size_t pos = 0; pos < mail.len; pos += piece)
		facts_raw(b, slice_first(slice_from(mail, pos), piece));
	return facts_end(b, NULL, 0);
}

static void need(bool is_so)
{
	if (!is_so)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a, b;
	if (size == 0)
		return 0;
	struct slice mail = slice_make(data + 1, size - 1);
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	arena_init(&b, FACTS_ARENA_BYTES_MAX);
	const struct facts *whole = read_mail(&a, mail, mail.len + 1);
	const struct facts *cut = read_mail(&b, mail, 1 + data[0] % 67);
	need(a.used_bytes <= FACTS_ARENA_BYTES_MAX);
	need(whole->hop_count <= FACTS_HOPS_MAX && whole->peer_hop <= whole->hop_count);
	need(whole->hop_count == cut->hop_count && whole->hop_total == cut->hop_total);
	need(whole->audience_total == cut->audience_total && whole->leaf_count == cut->leaf_count);
	need(whole->auto_marks == cut->auto_marks && whole->reinject_marks == cut->reinject_marks);
	need(whole->header_bytes == cut->header_bytes && whole->body_bytes == cut->body_bytes);
	need(slice_equal(whole->subject, cut->subject) && slice_equal(whole->message_id, cut->message_id));
	need(memcmp(whole->content, cut->content, DIGEST_SHORT_BYTES) == 0);
	need(memcmp(whole->instance, cut->instance, DIGEST_SHORT_BYTES) == 0);
	arena_free(&a);
	arena_free(&b);
	return 0;
}
