/* SPDX-License-Identifier: Apache-2.0
 *
 * inner: struct trace and what its files share. Private to this room.
 *
 *   chain.c   one copy's Received lines as links, bottom first, each with its emitter
 *   trace.c   is the copy surplus? counters, times, samples
 *   tree.c    the links of all copies for one recipient as a tree
 *   graph.c   hosts and edges for the picture
 *   blame.c   branches that should not be there, roles, confidence
 *   ring.c    who sends on what, in a ring
 *   report.c  all of it as struct trace_incident
 *   loop.c    one mail that went round
 */
#ifndef QUELL_TRACE_INNER_H
#define QUELL_TRACE_INNER_H

#include "storm/incidents.h"
#include "trace/trace.h"

enum {
	TREE_NODES_MAX = 4096,
	TREE_ROOTS_MAX = 512,     /* (recipient, instance) */
	EMITTERS_MAX = 128,
	EMITTER_NONE = 255,
	EMITTER_PEERS_MAX = 16,
	PASSAGES_MAX = 8192,      /* remembered, so that each is counted once */
	IDS_MAX = 4096,           /* Message-IDs with Date, DKIM signatures */
	LINKS_MAX = FACTS_HOPS_MAX + 1,
	STAMPS_MAX = 256,         /* own time stamps of one emitter */
};

/* A server that handed mail over, known by its attested address. */
struct emitter {
	struct ip ip;
	struct party party;
	struct party_track track;
	enum culprit_kind kind;      /* the most telling seen */
	bool is_ours, is_decisive, has_marker;
	bool is_maker;               /* FETCH, a push, or of the audience and no conduit */
	unsigned blame;              /* branches */
	unsigned copies;             /* with it in the chain */
	unsigned made, again;        /* nobody before it: newly made; given on a second time */
	unsigned offspring, intake;
	uint64_t surplus_copies;     /* surplus copies handed to us by it */
	bool has_clock;
	int64_t clock_ms;
	int64_t stamps_ms[STAMPS_MAX]; /* of its own pickup lines or minted ids */
	unsigned stamp_count;
	unsigned host;               /* in the graph; UINT_MAX: none */
	uint8_t sends_to[EMITTERS_MAX / 8]; /* whose emissions came of its own */
};

/* One Received line of a copy. */
struct link {
	uint64_t key;                /* of the passage */
	struct slice by;
	int64_t time_ms;
	uint8_t emitter;             /* who handed over; EMITTER_NONE */
	uint8_t kind;                /* enum culprit_kind of this emission */
	bool is_conduit;             /* AUDIENCE that took the mail in by SMTP from others */
	bool is_joined;              /* the line below was written by who handed over */
	double trust;
	bool is_by_ours;
	bool has_from;               /* false: a pickup, fetch or local step; emitter is the writer */
	struct slice from;           /* name or HELO of who handed over; may be empty */
	bool is_from_attested;
};

struct chain {
	struct link links[LINKS_MAX]; /* [0] is the bottom */
	size_t count;
	uint64_t peer;               /* hash of the peer's address */
	uint8_t peer_emitter;
	int64_t arrival_ms;
	uint64_t delivery;           /* our topmost line that has an id; 0: none has */
	bool is_remade;
};

struct node {
	uint64_t key, peer;
	uint32_t parent, child, next; /* 0: none */
	uint32_t ends;               /* copies that ended here */
	uint32_t by;                 /* hash of the writer */
	int64_t first_ms;            /* arrival of the first copy */
	float trust;
	uint8_t emitter, kind;
	bool is_blamed, is_by_ours, is_conduit;
	bool is_astray;              /* a branch that should not be, and nobody knows whose */
	bool is_remade;              /* a copy with an id of its own (T2) came this way */
};

struct root {
	uint64_t key;                /* (recipient, instance) */
	uint32_t rcpt;               /* hash of the recipient alone */
	uint32_t node;
	uint64_t copies;
	bool is_addressed;           /* the recipient stands in To or Cc */
};

struct sample_note {
	uint8_t emitter;             /* that it speaks against */
	struct trace_sample sample;
};

struct trace {
	const struct trace_setup *setup;
	struct track track;          /* the incident in the making */
	struct emitter emitters[EMITTERS_MAX];
	unsigned emitter_count;
	struct node nodes[TREE_NODES_MAX]; /* [0] is not used */
	uint32_t node_count;
	struct root roots[TREE_ROOTS_MAX];
	unsigned root_count;
	uint64_t passages[PASSAGES_MAX];   /* a set, open addressing; 0: free */
	unsigned passage_count;
	uint64_t deliveries[PASSAGES_MAX]; /* the same, for each recipient */
	unsigned delivery_count;
	uint64_t ids[IDS_MAX];             /* the same */
	unsigned id_count;
	struct trace_host hosts[TRACE_HOSTS_MAX];
	uint64_t host_keys[TRACE_HOSTS_MAX];
	unsigned host_count, ours_host;
	struct trace_edge edges[TRACE_EDGES_MAX];
	unsigned edge_count;
	int64_t bins_from_ms, bin_ms;
	struct trace_bin bins[TRACE_BINS];
	struct sample_note samples[TRACE_SAMPLES_MAX];
	unsigned sample_count;
	uint64_t repeats, worst_pair;
	bool is_cut;
};

/* chain.c. Links from the bottom to the trust boundary; emitters are made as needed. */
void chain_read(struct trace *trace, const struct facts *facts, struct chain *chain_out);
struct emitter *emitter_at(struct trace *trace, uint8_t index); /* NULL for EMITTER_NONE */
bool host_is_ours(const struct trace_setup *setup, struct slice name);
/* A time by its own clock, on a mail that reached us at arrival_ms: it runs at least so
 * much ahead, since it cannot have sent later than we got it. */
void emitter_note_stamp(struct emitter *e, int64_t stamp_ms, int64_t arrival_ms);
uint8_t emitter_by_ip(const struct trace *trace, struct ip ip);

/* True when key was not there; a full set says false (and *is_cut). */
bool set_add(uint64_t *set, size_t size, unsigned *count, uint64_t key, bool *is_cut);

/* tree.c. NULL when there is no room. */
struct root *tree_root(struct trace *trace, uint32_t rcpt, uint64_t key, bool *is_new_out);
void tree_insert(struct trace *trace, struct root *root, const struct chain *chain);

/* graph.c */
void graph_add(struct trace *trace, const struct chain *chain, bool is_surplus);
void graph_finish(struct trace *trace, struct trace_incident *out);

/* ring.c. The cycle of the picture, once its hosts and edges are there. */
void ring_find(const struct trace *trace, struct trace_incident *out);

/* blame.c. Fills blame, roles, offspring, intake and fan of the emitters. */
void blame_find(struct trace *trace);

/* report.c. party of the sample is left 0. */
void sample_fill(struct trace_sample *sample, const struct facts *facts, struct slice recipient,
		 const char *place);
void innocent_add(struct trace_incident *out, const char *address, const char *why);
void report_fill(struct trace *trace, struct trace_incident *out);

#endif
