/* SPDX-License-Identifier: Apache-2.0
 *
 * patterns: storms of many contents, told from the records of an index (algorithms.md
 * 1.5, classes 3 to 5): everybody answers to all, two machines answer each other,
 * bounces pour in on one address, or the answers that programs give for people who are
 * away. They name nobody: what they say is that it happened,
 * when, how much and between whom. Private to this room.
 */
#ifndef QUELL_FLOW_PATTERNS_H
#define QUELL_FLOW_PATTERNS_H

#include "flow/index.h"
#include "flow/tally.h"

/* A storm: records of order[from] to order[from + count - 1], in time. */
struct pattern {
	enum storm_class cls;
	const uint32_t *order;
	uint32_t count;
	uint32_t authors;        /* distinct, of replies to all and of automatic answers; else 0 */
	uint32_t alternations;   /* ping-pong */
	int64_t worst_ms;        /* start of the busiest hour (half hour: reply-all; minute: answers) */
	uint32_t worst_count;    /* mails in it */
};

/* order, tally: room for every record. Calls found for each storm; its order is only
 * valid within the call. */
void patterns_find(struct index *index, uint32_t *order, struct tally *tally,
		   void (*found)(void *ctx, const struct pattern *pattern), void *ctx);

#endif
