/* SPDX-License-Identifier: Apache-2.0
 *
 * emitters: the table and the posterior.
 */
#include "storm/emitters.h"

#include "base/mem.h"

#include <math.h>

enum { WAYS = 4, EXACT_MAX = 400 };

bool emitters_init(struct emitters *t, size_t bytes, uint32_t memory_s)
{
	*t = (struct emitters){ .memory_s = memory_s };
	size_t buckets = bytes / (WAYS * sizeof(struct emitter));
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

void emitters_free(struct emitters *t)
{
	mem_free(t->entries);
	*t = (struct emitters){ 0 };
}

size_t emitters_bytes(const struct emitters *t)
{
	return (size_t)t->bucket_count * WAYS * sizeof(struct emitter);
}

void emitters_clear(struct emitters *t)
{
	if (t->used > 0)
		memset(t->entries, 0, emitters_bytes(t));
	t->used = 0;
}

static struct emitter *bucket_of(const struct emitters *t, uint64_t key)
{
	return t->entries + (((key & UINT32_MAX) * t->bucket_count) >> 32) * WAYS;
}

static bool is_old(const struct emitters *t, const struct emitter *e, uint32_t now_s)
{
	return now_s > e->last_s && now_s - e->last_s > t->memory_s;
}

static struct emitter *find_any(const struct emitters *t, uint64_t key)
{
	struct emitter *bucket = t->bucket_count && key ? bucket_of(t, key) : NULL;
	for (unsigned i = 0; bucket && i < WAYS; i++)
		if (bucket[i].key == key)
			return &bucket[i];
	return NULL;
}

struct emitter *emitters_find(const struct emitters *t, uint64_t key, uint32_t now_s)
{
	struct emitter *e = find_any(t, key);
	return e && !is_old(t, e, now_s) ? e : NULL;
}

/* Free, else the least recently seen that is neither open nor half-open. */
static struct emitter *find_place(const struct emitters *t, uint64_t key, uint32_t now_s)
{
	struct emitter *bucket = bucket_of(t, key), *worst = NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		struct emitter *e = &bucket[i];
		if (e->key == 0)
			return e;
		bool is_kept = e->fuse.state >= BREAKER_OPEN && !is_old(t, e, now_s);
		if (!is_kept && (!worst || e->last_s < worst->last_s))
			worst = e;
	}
	return worst;
}

struct emitter *emitters_get(struct emitters *t, uint64_t key, uint32_t now_s)
{
	if (t->bucket_count == 0 || key == 0)
		return NULL;
	struct emitter *e = find_any(t, key);
	if (e && !is_old(t, e, now_s))
		return e;
	if (!e) {
		e = find_place(t, key, now_s);
		if (!e)
			return NULL;
		if (e->key == 0)
			t->used++;
		else
			t->evicted++;
	}
	*e = (struct emitter){ .key = key, .last_s = now_s };
	return e;
}

uint32_t emitter_out(const struct emitter *e)
{
	return e->out_weak + e->out_strong;
}

uint32_t emitter_in(const struct emitter *e)
{
	uint32_t strong = e->in_strong > e->handed ? e->in_strong : e->handed;
	return e->in_weak + strong;
}

/* Upper regularized gamma Q(n + 1/2, x) =
 * erfc(sqrt x) + e^-x * sum over k = 1..n of x^(k-1/2) / Gamma(k + 1/2). */
static double gamma_upper_half(uint32_t n, double x)
{
	double sum = 0, term = 2 * sqrt(x / 3.14159265358979323846); /* k = 1 */
	for (uint32_t k = 1; k <= n; k++) {
		sum += term;
		term *= x / (k + 0.5);
	}
	return erfc(sqrt(x)) + exp(-x) * sum;
}

/* Wilson and Hilferty: the cube root of a gamma variate is nearly normal. */
static double gamma_upper_normal(double shape, double x)
{
	double mean = 1 - 1 / (9 * shape);
	double z = (cbrt(x / shape) - mean) * sqrt(9 * shape);
	return erfc(z / sqrt(2)) / 2;
}

double emitter_certainty(uint32_t out, uint32_t in)
{
	double x = in + 0.5;
	return out <= EXACT_MAX && in <= EXACT_MAX ? gamma_upper_half(out, x)
						   : gamma_upper_normal(out + 0.5, x);
}
