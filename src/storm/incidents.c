/* SPDX-License-Identifier: Apache-2.0
 *
 * incidents: the set, and the small counters behind each.
 */
#include "storm/incidents.h"

#include "base/mem.h"

#include <math.h>

enum { INCIDENTS_MIN = 4, INCIDENTS_MAX = 4096 };

static uint64_t key_of(enum storm_class cls, const uint8_t *content_public)
{
	uint64_t word;
	memcpy(&word, content_public, sizeof word);
	return (word & ~UINT64_C(15)) | (uint64_t)cls;
}

bool incidents_init(struct incidents *t, size_t bytes)
{
	*t = (struct incidents){ 0 };
	size_t each = sizeof(struct track) + sizeof(struct track *) + sizeof(uint64_t);
	size_t count = bytes / each;
	if (count < INCIDENTS_MIN)
		count = INCIDENTS_MIN;
	if (count > INCIDENTS_MAX)
		count = INCIDENTS_MAX;
	t->tracks = mem_alloc_array(count, sizeof(struct track *));
	t->keys = mem_alloc_array(count, sizeof *t->keys);
	if (!t->tracks || !t->keys) {
		incidents_free(t);
		return false;
	}
	t->count_max = count;
	return true;
}

void incidents_free(struct incidents *t)
{
	for (size_t i = 0; i < t->count; i++)
		mem_free(t->tracks[i]);
	mem_free(t->tracks);
	mem_free(t->keys);
	*t = (struct incidents){ 0 };
}

size_t incidents_bytes(const struct incidents *t)
{
	return t->count_max * (sizeof(struct track *) + sizeof(uint64_t)) +
	       t->count * sizeof(struct track);
}

struct track *incidents_find(const struct incidents *t, enum storm_class cls,
			     const uint8_t content_public[DIGEST_BYTES])
{
	uint64_t key = key_of(cls, content_public);
	for (size_t i = 0; i < t->count; i++)
		if (t->keys[i] == key &&
		    memcmp(t->tracks[i]->pub.content_public, content_public, DIGEST_BYTES) == 0)
			return t->tracks[i];
	return NULL;
}

struct track *incidents_find_id(const struct incidents *t, const char *id)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->tracks[i]->pub.id, id) == 0)
			return t->tracks[i];
	return NULL;
}

/* The place of the one that gives way: closed before others, then the quietest. */
static size_t find_quietest(const struct incidents *t)
{
	size_t best = 0;
	for (size_t i = 1; i < t->count; i++) {
		const struct incident *a = &t->tracks[i]->pub, *b = &t->tracks[best]->pub;
		/* What is held of it still has to be said to be released: that too is life. */
		bool is_a_live = a->state >= BREAKER_OPEN || t->tracks[i]->is_drip_due;
		bool is_b_live = b->state >= BREAKER_OPEN || t->tracks[best]->is_drip_due;
		if (is_a_live != is_b_live ? !is_a_live : a->last_ms < b->last_ms)
			best = i;
	}
	return best;
}

struct track *incidents_get(struct incidents *t, enum storm_class cls,
			    const uint8_t content_public[DIGEST_BYTES], int64_t now_ms)
{
	struct track *track = incidents_find(t, cls, content_public);
	if (track || t->count_max == 0)
		return track;
	size_t at = t->count;
	if (t->count < t->count_max) {
		track = mem_alloc(sizeof *track);
		if (!track)
			return NULL;
		t->tracks[t->count++] = track;
	} else {
		at = find_quietest(t);
		track = t->tracks[at];
		memset(track, 0, sizeof *track);
		t->evicted++;
	}
	t->keys[at] = key_of(cls, content_public);
	memcpy(track->pub.content_public, content_public, DIGEST_BYTES);
	incident_id(cls, content_public, track->pub.id);
	track->pub.cls = cls;
	track->pub.first_ms = track->pub.last_ms = now_ms;
	return track;
}

static void copy_text(char out[INCIDENT_TEXT_BYTES], struct slice s)
{
	size_t n = s.len < INCIDENT_TEXT_BYTES - 1 ? s.len : INCIDENT_TEXT_BYTES - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = s.ptr[i] ? s.ptr[i] : '?'; /* a NUL would hide what follows */
	out[n] = '\0';
}

void incident_describe(struct incident *inc, const struct facts *facts)
{
	if (inc->from[0] == '\0') {
		size_t n = facts->from.local.len < 63 ? facts->from.local.len : 63;
		char from[INCIDENT_TEXT_BYTES];
		memcpy(from, n ? facts->from.local.ptr : "", n);
		from[n++] = '@';
		size_t m = facts->from.domain.len < 63 ? facts->from.domain.len : 63;
		memcpy(from + n, m ? facts->from.domain.ptr : "", m);
		copy_text(inc->from, slice_make(from, n + m));
	}
	if (inc->subject[0] == '\0')
		copy_text(inc->subject, facts->subject);
	incident_add_message_id(inc, facts->message_id);
}

void incident_add_message_id(struct incident *inc, struct slice id)
{
	char text[INCIDENT_TEXT_BYTES];
	if (id.len == 0 || inc->message_id_count == INCIDENT_IDS_MAX)
		return;
	copy_text(text, id);
	for (unsigned i = 0; i < inc->message_id_count; i++)
		if (strcmp(inc->message_ids[i], text) == 0)
			return;
	memcpy(inc->message_ids[inc->message_id_count++], text, sizeof text);
}

/* Linear counting: m bits, z still clear, about -m ln(z/m) distinct ones. */
static unsigned sketch_estimate(const uint8_t *sketch)
{
	unsigned set = 0;
	for (unsigned i = 0; i < TRACK_SKETCH_BITS / 8; i++)
		set += (unsigned)__builtin_popcount(sketch[i]);
	double clear = set < TRACK_SKETCH_BITS ? TRACK_SKETCH_BITS - set : 1;
	return (unsigned)(-(double)TRACK_SKETCH_BITS * log(clear / TRACK_SKETCH_BITS) + .5);
}

void track_add_rcpt(struct track *track, uint32_t rcpt_hash)
{
	unsigned bit = rcpt_hash % TRACK_SKETCH_BITS;
	bool is_bit_new = !(track->sketch[bit / 8] & 1u << bit % 8);
	track->sketch[bit / 8] |= (uint8_t)(1u << bit % 8);
	if (track->rcpt_count < TRACK_RCPTS_EXACT) {
		for (unsigned i = 0; i < track->rcpt_count; i++)
			if (track->rcpts[i] == rcpt_hash)
				return;
		track->rcpts[track->rcpt_count++] = rcpt_hash;
		track->pub.recipients = track->rcpt_count;
	} else if (is_bit_new) {
		unsigned estimate = sketch_estimate(track->sketch);
		if (estimate > track->pub.recipients)
			track->pub.recipients = estimate;
	}
}

void track_add_instance(struct track *track, const uint8_t key[DIGEST_SHORT_BYTES])
{
	for (unsigned i = 0; i < track->instance_count; i++)
		if (memcmp(track->instances[i], key, DIGEST_SHORT_BYTES) == 0)
			return;
	if (track->instance_count == TRACK_INSTANCES) /* the oldest is no longer watched */
		memmove(track->instances[0], track->instances[1],
			(TRACK_INSTANCES - 1) * (size_t)DIGEST_SHORT_BYTES);
	else
		track->instance_count++;
	memcpy(track->instances[track->instance_count - 1], key, DIGEST_SHORT_BYTES);
}
