/* SPDX-License-Identifier: Apache-2.0
 *
 * storm_state: bytes that the engine reads back: journal records, incidents of
 * the store, stamps out of mail. The first byte chooses; records are cut out of
 * the rest by a length byte each, so that one input plays a whole journal.
 */
#include "base/hash.h"
#include "storm/stamp.h"
#include "storm/storm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct storm *make_storm(void)
{
	struct storm_setup setup = { .is_guard = true, .has_confirmation = true };
	storm_policy_default(&setup.policy);
	setup.policy.memory_bytes = 4 * 1024 * 1024;
	return storm_new(&setup, NULL);
}

static void play_journal(struct slice rest)
{
	struct storm *storm = make_storm();
	struct storm_counters counters;
	while (storm && rest.len > 1) {
		size_t len = (uint8_t)rest.ptr[0];
		storm_apply(storm, slice_between(rest, 1, 1 + len));
		rest = slice_from(rest, 1 + len);
	}
	if (!storm)
		return;
	storm_tick(storm, INT64_C(1133860800000));
	storm_counters(storm, &counters);
	if (counters.memory_bytes > 4 * 1024 * 1024)
		abort();
	storm_free(storm);
}

static void read_incident(struct slice bytes)
{
	struct incident *incident = malloc(sizeof *incident);
	struct buf text;
	buf_init(&text, 1 << 20);
	if (incident && incident_decode(bytes, incident)) {
		incident_explain(incident, &text);
		for (size_t i = 0; i < text.len; i++)
			if ((unsigned char)text.ptr[i] == 0x1b)
				abort(); /* an escape would reach a terminal */
		buf_reset(&text);
		if (!incident_encode(incident, &text) || !slice_equal(buf_slice(&text), bytes))
			abort();
	}
	buf_free(&text);
	free(incident);
}

static void read_stamp(struct slice value)
{
	static const uint8_t key[HASH_KEY_BYTES] = { 4 };
	struct stamp stamp;
	if (stamp_read(key, value, &stamp) && stamp.nonce == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || !hash_start())
		return 0;
	struct slice rest = slice_make(data + 1, size - 1);
	switch (data[0] % 3) {
	case 0: play_journal(rest); break;
	case 1: read_incident(rest); break;
	default: read_stamp(rest); break;
	}
	return 0;
}
