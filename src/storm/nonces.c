/* SPDX-License-Identifier: Apache-2.0
 *
 * nonces: hashing what identifies one mail, and unmasking constants.
 */
#include "storm/nonces.h"

#include "base/mem.h"

enum { WAYS = 2, KEPT_MAX = 3 };

bool nonces_init(struct nonces *t, size_t bytes)
{
	*t = (struct nonces){ 0 };
	size_t buckets = bytes / (WAYS * sizeof(struct nonce_entry));
	if (buckets == 0)
		buckets = 1;
	if (buckets > UINT32_MAX / 16)
		buckets = UINT32_MAX / 16;
	t->entries = mem_alloc_array(buckets * WAYS, sizeof *t->entries);
	if (!t->entries)
		return false;
	t->bucket_count = (uint32_t)buckets;
	return true;
}

void nonces_free(struct nonces *t)
{
	mem_free(t->entries);
	*t = (struct nonces){ 0 };
}

size_t nonces_bytes(const struct nonces *t)
{
	return (size_t)t->bucket_count * WAYS * sizeof(struct nonce_entry);
}

static struct nonce_entry *bucket_of(const struct nonces *t, uint64_t nonce)
{
	return t->entries + (((nonce & UINT32_MAX) * t->bucket_count) >> 32) * WAYS;
}

static uint32_t print_of(uint64_t nonce)
{
	return (uint32_t)(nonce >> 32) | 1;
}

void nonces_prefetch(const struct nonces *t, uint64_t nonce)
{
	if (t->bucket_count && nonce)
		__builtin_prefetch(bucket_of(t, nonce));
}

static struct nonce_entry *find(const struct nonces *t, uint64_t nonce)
{
	if (t->bucket_count == 0 || nonce == 0)
		return NULL;
	struct nonce_entry *bucket = bucket_of(t, nonce);
	for (unsigned i = 0; i < WAYS; i++)
		if (bucket[i].print == print_of(nonce))
			return &bucket[i];
	return NULL;
}

/* The way that a newcomer takes: the one with fewer contents; a constant resists
 * a few times. NULL when the newcomer is to be forgotten. */
static struct nonce_entry *give_way(struct nonce_entry *bucket)
{
	struct nonce_entry *weak = bucket[1].contents < bucket[0].contents ? &bucket[1] : &bucket[0];
	if (weak->contents == bucket[0].contents && weak->contents == bucket[1].contents) {
		/* Equal: the first is the elder, as the second is always filled last. */
		bucket[0] = bucket[1];
		weak = &bucket[1];
	}
	if (weak->contents >= NONCE_CONSTANT_CONTENTS && weak->kept < KEPT_MAX) {
		weak->kept++;
		return NULL;
	}
	return weak;
}

bool nonces_note(struct nonces *t, uint64_t nonce, const uint8_t content[DIGEST_SHORT_BYTES])
{
	if (t->bucket_count == 0 || nonce == 0)
		return false;
	uint16_t print;
	memcpy(&print, content, sizeof print);
	struct nonce_entry *entry = find(t, nonce);
	if (!entry) {
		entry = give_way(bucket_of(t, nonce));
		if (entry)
			*entry = (struct nonce_entry){ print_of(nonce), print, 1, 0 };
		return false;
	}
	entry->kept = 0;
	if (entry->content != print && entry->contents < UINT8_MAX)
		entry->contents++;
	entry->content = print;
	return entry->contents >= NONCE_CONSTANT_CONTENTS;
}

bool nonces_is_constant(const struct nonces *t, uint64_t nonce)
{
	const struct nonce_entry *entry = find(t, nonce);
	return entry && entry->contents >= NONCE_CONSTANT_CONTENTS;
}

/* Never 0, unless there is no value. */
static uint64_t hash_value(const uint8_t *key, enum nonce_kind kind, struct slice value)
{
	if (value.len == 0)
		return 0;
	struct hash128 h = hash_sip128(key, value);
	return (h.lo ^ ((uint64_t)kind << 60)) | 1;
}

void nonces_of(const uint8_t *key, const struct facts *facts, uint64_t out[NONCE_KINDS])
{
	memset(out, 0, NONCE_KINDS * sizeof out[0]);
	if (facts->message_id.len > 0 && facts->date.len > 0) {
		struct hash128 both[2] = { hash_sip128(key, facts->message_id),
					   hash_sip128(key, facts->date) };
		out[NONCE_ID_DATE] =
			hash_value(key, NONCE_ID_DATE, slice_make(both, sizeof both));
	}
	out[NONCE_DKIM] = hash_value(key, NONCE_DKIM, facts->dkim_b);
	out[NONCE_THREAD_INDEX] = hash_value(key, NONCE_THREAD_INDEX, facts->thread_index);
	out[NONCE_BOUNDARY] = hash_value(key, NONCE_BOUNDARY, facts->mime_boundary);
}

uint32_t nonce_message_id(const uint8_t *key, const struct facts *facts)
{
	if (facts->message_id.len == 0)
		return 0;
	return (uint32_t)hash_sip128(key, facts->message_id).lo | 1;
}
