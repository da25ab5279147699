/* SPDX-License-Identifier: Apache-2.0
 *
 * emitters: servers that surplus comes from, and whether they multiply it.
 *
 * out = surplus deliveries received from a server, in = what it was given to
 * send. R = out/in has the posterior Gamma(out + 1/2, in + 1/2); a server is
 * open, and has no surplus budget at all, when it is nearly certain that R > 1
 * (algorithms.md 1.5). A forwarder hands on each mail once per mailbox, so where
 * the only proof is an equal Message-ID and Date, in counts each (mail,
 * recipient) it sent a first surplus of: its R stays at 1 whatever it sends.
 * Where our own stamp or the marks of a re-made copy prove more, in counts the
 * different mails, or the copies handed to its mailboxes if those are more.
 *
 * First copies from an open emitter pass like all first copies. Bounded table;
 * the least recently seen closed one gives way.
 */
#ifndef QUELL_STORM_EMITTERS_H
#define QUELL_STORM_EMITTERS_H

#include "storm/breaker.h"

struct emitter {
	uint64_t key;        /* hash of its address or organisation; 0 = free */
	struct fuse fuse;
	uint32_t last_s;
	uint32_t out_weak, out_strong; /* surplus pairs by equal id and date; by stamp or T2 */
	uint32_t in_weak;    /* pairs that it sent a first surplus of */
	uint32_t in_strong;  /* different mails */
	uint32_t handed;     /* copies that passed us to its own mailboxes */
};

struct emitters {
	struct emitter *entries;
	uint32_t bucket_count; /* of four */
	uint32_t memory_s;
	uint64_t used, evicted;
};

bool emitters_init(struct emitters *t, size_t bytes, uint32_t memory_s);
void emitters_free(struct emitters *t);
size_t emitters_bytes(const struct emitters *t);
void emitters_clear(struct emitters *t);

/* NULL when unknown or not seen for memory_s. key 0 is never known. */
struct emitter *emitters_find(const struct emitters *t, uint64_t key, uint32_t now_s);
/* Found or new; NULL when key is 0 or nothing may give way. Good until the next
 * emitters_get. */
struct emitter *emitters_get(struct emitters *t, uint64_t key, uint32_t now_s);

/* Totals as the rule uses them. */
uint32_t emitter_out(const struct emitter *e);
uint32_t emitter_in(const struct emitter *e);
/* P(R > 1) after out surplus for in mails handed over; exact for counts up to
 * some hundreds, beyond that a normal approximation (error below 1e-3). */
double emitter_certainty(uint32_t out, uint32_t in);

#endif
