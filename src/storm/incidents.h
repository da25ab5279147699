/* SPDX-License-Identifier: Apache-2.0
 *
 * incidents: the storms being followed, with what is not shown of each.
 *
 * A bounded set (a share of the memory cap; one is about 45 KiB). The quietest
 * closed one gives way first, then the quietest of all; the store has it by then,
 * since every change of state is handed out. Looked for only when a mail brings
 * surplus or a mark, never on the plain path.
 */
#ifndef QUELL_STORM_INCIDENTS_H
#define QUELL_STORM_INCIDENTS_H

#include "storm/instances.h"
#include "storm/party.h"

enum {
	TRACK_INSTANCES = 8,     /* instances of one content whose breakers are watched */
	TRACK_RCPTS_EXACT = 64,
	TRACK_SKETCH_BITS = 8192,
};

struct track {
	struct incident pub;
	struct party_track parties[INCIDENT_PARTIES_MAX];
	uint8_t instances[TRACK_INSTANCES][DIGEST_SHORT_BYTES];
	unsigned instance_count;
	uint32_t rcpts[TRACK_RCPTS_EXACT];
	unsigned rcpt_count;
	uint8_t sketch[TRACK_SKETCH_BITS / 8];
	bool is_topic;      /* of classes 3 to 5: its state is that of its topic */
	uint64_t topic_key; /* of it; 0: not known (yet) */
	bool is_topic_sought;
	bool is_drip_due;   /* something is held that is to go out by itself */
	int64_t drip_ms;    /* when that was last said */
	bool is_dirty;      /* counters changed since it was last handed out */
	int64_t shown_ms;
};

struct incidents {
	struct track **tracks;
	uint64_t *keys;      /* class and content, to find without touching tracks */
	size_t count, count_max;
	size_t tick_at;
	uint64_t evicted;
};

bool incidents_init(struct incidents *t, size_t bytes);
void incidents_free(struct incidents *t);
/* What is in use now, tracks included. */
size_t incidents_bytes(const struct incidents *t);

struct track *incidents_find(const struct incidents *t, enum storm_class cls,
			     const uint8_t content_public[DIGEST_BYTES]);
struct track *incidents_find_id(const struct incidents *t, const char *id);
/* Found or begun. NULL without memory. */
struct track *incidents_get(struct incidents *t, enum storm_class cls,
			    const uint8_t content_public[DIGEST_BYTES], int64_t now_ms);

void track_add_rcpt(struct track *track, uint32_t rcpt_hash);
void track_add_instance(struct track *track, const uint8_t key[DIGEST_SHORT_BYTES]);

#endif
