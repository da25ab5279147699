/* SPDX-License-Identifier: Apache-2.0
 *
 * storm_rates: any notes, ticks and blocks at any time. The input is a row of orders of
 * eight bytes: what, kind, name, count, a step of time (forth or back, minutes to
 * centuries); a restore takes the block that follows it. Nothing may be told with bytes
 * that move a terminal, or with a number that is none; what is saved can be restored.
 */
#include "base/hash.h"
#include "storm/rates.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES = 64 * 1024, ORDER_BYTES = 8, ROWS = 5 };

static const uint8_t seed[HASH_KEY_BYTES] = { 3 };

static void on_alarm(void *ctx, const struct rate_alarm *a)
{
	(void)ctx;
	if (a->kind >= RATE_KIND_COUNT || a->now_ms < a->since_ms)
		abort();
	if (!isfinite(a->per_hour) || !isfinite(a->usual_per_hour) || a->per_hour < 0 || a->usual_per_hour < 0)
		abort();
	if (strlen(a->name) >= RATE_NAME_BYTES || strlen(a->why) >= RATE_WHY_BYTES - 1)
		abort();
	for (const char *c = a->why; *c; c++)
		if (*c < ' ' || *c > '~')
			abort();
}

static bool restore(void *ctx, struct slice block)
{
	if (block.len > 512 || !rates_restore(ctx, block))
		abort();
	return true;
}

static void look(struct rates *r, unsigned kind)
{
	struct rate_row rows[ROWS];
	struct rates_counts counts;
	size_t count = rates_top(r, kind % RATE_KIND_COUNT, rows, ROWS);
	for (size_t i = 0; i < count; i++)
		if (!isfinite(rows[i].per_hour) || (i > 0 && rows[i].per_hour > rows[i - 1].per_hour))
			abort();
	rates_counts(r, &counts);
	if (counts.bytes > BYTES || counts.keys > counts.keys_max || counts.alarms > counts.keys)
		abort();
}

static int64_t step(int64_t now_ms, uint8_t how, uint8_t far)
{
	static const int64_t units[] = { 1000, 60000, 600000, 3600000, 86400000, 604800000, 31536000000, -60000,
					 -3600000, -86400000, -604800000, -31536000000 };
	return now_ms + units[how % 12] * far;
}

/* Returns how much of the input it took. */
static size_t obey(struct rates *r, const uint8_t *o, size_t left, int64_t *now_ms)
{
	*now_ms = step(*now_ms, o[4], o[5]);
	uint32_t count = (uint32_t)o[3] << (o[6] % 25);
	switch (o[0] % 8) {
	case 0: rates_tick(r, *now_ms, on_alarm, NULL); break;
	case 1: look(r, o[1]); break;
	case 2:
		left -= ORDER_BYTES;
		left = left < 2u * o[7] ? left : 2u * o[7];
		rates_restore(r, slice_make(o + ORDER_BYTES, left));
		return ORDER_BYTES + left;
	case 3: /* a steady month, so that there is a measure */
		for (int i = 0; i < 31 * 4; i++, *now_ms += 6 * 3600000)
			rates_note(r, o[1], slice_make(o + 2, 1), count, *now_ms);
		break;
	default: rates_note(r, o[1], slice_make(o + 2, 1 + o[7] % 6), count, *now_ms); break;
	}
	return ORDER_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rates *r = hash_start() ? rates_new(BYTES, seed) : NULL;
	struct rates *copy = r ? rates_new(BYTES, seed) : NULL;
	int64_t now_ms = INT64_C(1133860800000);
	if (copy) {
		while (size >= ORDER_BYTES) {
			size_t took = obey(r, data, size, &now_ms);
			data += took;
			size -= took;
		}
		rates_tick(r, now_ms, on_alarm, NULL);
		rates_save(r, restore, copy);
		look(copy, 0);
	}
	rates_free(copy);
	rates_free(r);
	return 0;
}
