/* SPDX-License-Identifier: Apache-2.0
 *
 * instances: the table of mails, and who gives way in it.
 */
#include "storm/instances.h"

#include "base/mem.h"

enum { WAYS = 8, BIN_S = 600 };

bool instances_init(struct instances *t, size_t bytes, uint32_t memory_s)
{
	*t = (struct instances){ .memory_s = memory_s };
	size_t each = WAYS * (sizeof(struct instance) + sizeof(uint32_t));
	size_t buckets = bytes > each ? bytes / each : 1;
	if (buckets > UINT32_MAX / 16)
		buckets = UINT32_MAX / 16;
	t->entries = mem_alloc_array(buckets * WAYS, sizeof *t->entries);
	t->prints = mem_alloc_array(buckets * WAYS, sizeof *t->prints);
	if (!t->entries || !t->prints) {
		instances_free(t);
		return false;
	}
	t->bucket_count = (uint32_t)buckets;
	return true;
}

void instances_free(struct instances *t)
{
	mem_free(t->entries);
	mem_free(t->prints);
	*t = (struct instances){ 0 };
}

size_t instances_bytes(const struct instances *t)
{
	return (size_t)t->bucket_count * WAYS * (sizeof(struct instance) + sizeof(uint32_t));
}

static uint32_t key_word(const uint8_t *key, unsigned n)
{
	uint32_t word;
	memcpy(&word, key + 4 * n, sizeof word);
	return word;
}

static uint32_t print_of(const uint8_t *key)
{
	return key_word(key, 0) | 1;
}

/* First slot of one of the two buckets of a key. */
static size_t bucket_of(const struct instances *t, const uint8_t *key, unsigned choice)
{
	return (size_t)(((uint64_t)key_word(key, 1 + choice) * t->bucket_count) >> 32) * WAYS;
}

void instances_prefetch(const struct instances *t, const uint8_t key[DIGEST_SHORT_BYTES])
{
	for (unsigned choice = 0; t->bucket_count && choice < 2; choice++)
		__builtin_prefetch(&t->prints[bucket_of(t, key, choice)]);
}

static bool is_old(const struct instances *t, const struct instance *inst, uint32_t now_s)
{
	return now_s > inst->last_s && now_s - inst->last_s > t->memory_s;
}

struct instance *instances_find(const struct instances *t, const uint8_t key[DIGEST_SHORT_BYTES],
				uint32_t now_s)
{
	uint32_t print = print_of(key);
	for (unsigned choice = 0; t->bucket_count && choice < 2; choice++) {
		size_t first = bucket_of(t, key, choice);
		for (size_t i = first; i < first + WAYS; i++) {
			struct instance *inst = &t->entries[i];
			if (t->prints[i] == print &&
			    memcmp(inst->key, key, DIGEST_SHORT_BYTES) == 0)
				return is_old(t, inst, now_s) ? NULL : inst;
		}
	}
	return NULL;
}

/* What gives way first has the lowest rank: too old, seen once, closed, ... */
static unsigned rank_of(const struct instances *t, const struct instance *inst, uint32_t now_s)
{
	if (is_old(t, inst, now_s))
		return 0;
	switch ((enum breaker)inst->fuse.state) {
	case BREAKER_CLOSED: return inst->sightings <= 1 ? 1 : 2;
	case BREAKER_SUSPECT: return 3;
	case BREAKER_HALF_OPEN: return 4;
	case BREAKER_OPEN: break;
	}
	return 5;
}

/* The same key, else a free place, in the emptier bucket first. Looks at the
 * fingerprints only; SIZE_MAX when both buckets are full. */
static size_t find_free(const struct instances *t, const uint8_t *key, const size_t starts[2])
{
	size_t free_at[2] = { SIZE_MAX, SIZE_MAX };
	unsigned frees[2] = { 0, 0 };
	for (unsigned n = 0; n < 2 * WAYS; n++) {
		size_t i = starts[n / WAYS] + n % WAYS;
		if (t->prints[i] == 0) {
			frees[n / WAYS]++;
			free_at[n / WAYS] = i;
		} else if (t->prints[i] == print_of(key) &&
			   memcmp(t->entries[i].key, key, sizeof t->entries[i].key) == 0) {
			return i;
		}
	}
	return free_at[frees[1] > frees[0]];
}

/* Who gives way in two full buckets; SIZE_MAX when all are open breakers. */
static size_t find_victim(const struct instances *t, const size_t starts[2], uint32_t now_s)
{
	size_t worst = SIZE_MAX;
	unsigned worst_rank = 5;
	for (unsigned n = 0; n < 2 * WAYS; n++) {
		size_t i = starts[n / WAYS] + n % WAYS;
		const struct instance *inst = &t->entries[i];
		unsigned rank = rank_of(t, inst, now_s);
		bool is_worse = rank < worst_rank ||
				(rank == worst_rank && worst != SIZE_MAX &&
				 inst->last_s < t->entries[worst].last_s);
		if (is_worse) {
			worst = i;
			worst_rank = rank;
		}
	}
	return worst;
}

struct instance *instances_add(struct instances *t, const uint8_t key[DIGEST_SHORT_BYTES],
			       uint32_t now_s)
{
	if (t->bucket_count == 0)
		return NULL;
	const size_t starts[2] = { bucket_of(t, key, 0), bucket_of(t, key, 1) };
	size_t at = find_free(t, key, starts);
	if (at == SIZE_MAX)
		at = find_victim(t, starts, now_s);
	if (at == SIZE_MAX)
		return NULL;
	if (t->prints[at] == 0)
		t->used++;
	else
		t->evicted++;
	t->prints[at] = print_of(key);
	struct instance *inst = &t->entries[at];
	*inst = (struct instance){ .first_s = now_s, .last_s = now_s };
	memcpy(inst->key, key, sizeof inst->key);
	return inst;
}

void instances_clear(struct instances *t)
{
	if (t->used > 0)
		memset(t->prints, 0, (size_t)t->bucket_count * WAYS * sizeof *t->prints);
	t->used = 0;
}

void instance_note_sighting(struct instance *inst, uint32_t now_s)
{
	if (inst->sightings < UINT16_MAX)
		inst->sightings++;
	if (now_s > inst->last_s)
		inst->last_s = now_s;
}

unsigned instance_surplus(const struct instance *inst, uint32_t now_s)
{
	uint32_t bin = now_s / BIN_S;
	unsigned sum = 0;
	for (uint32_t i = 0; i < INSTANCE_BINS; i++)
		if (inst->bin_at >= i && inst->bin_at - i + INSTANCE_BINS > bin)
			sum += inst->bins[(inst->bin_at - i) % INSTANCE_BINS];
	return sum;
}

void instance_add_surplus(struct instance *inst, uint32_t now_s, unsigned pairs)
{
	uint32_t bin = now_s / BIN_S;
	if (bin > inst->bin_at && bin - inst->bin_at >= INSTANCE_BINS)
		memset(inst->bins, 0, sizeof inst->bins);
	for (uint32_t i = inst->bin_at + 1; bin > inst->bin_at && i <= bin &&
	     bin - inst->bin_at < INSTANCE_BINS; i++)
		inst->bins[i % INSTANCE_BINS] = 0;
	if (bin > inst->bin_at)
		inst->bin_at = bin;
	uint16_t *count = &inst->bins[inst->bin_at % INSTANCE_BINS];
	*count = pairs < (unsigned)(UINT16_MAX - *count) ? (uint16_t)(*count + pairs) : UINT16_MAX;
}

bool instance_add_emitter(struct instance *inst, uint32_t emitter)
{
	for (unsigned i = 0; i < INSTANCE_EMITTERS; i++)
		if (inst->emitters[i] == emitter)
			return false;
	inst->emitters[inst->emitter_count % INSTANCE_EMITTERS] = emitter;
	if (inst->emitter_count < UINT8_MAX)
		inst->emitter_count++;
	return true;
}

bool instance_has_nonce(const struct instance *inst, uint64_t nonce)
{
	for (unsigned i = 0; nonce != 0 && i < NONCE_KINDS; i++)
		if (inst->nonces[i] == nonce)
			return true;
	return false;
}
