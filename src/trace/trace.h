/* SPDX-License-Identifier: Apache-2.0
 *
 * trace: from the chains of many copies of one mail to the servers that made them.
 *
 * Each Received line is a passage, known by (by, id, time). The chains of the copies
 * for one recipient are put into a tree, bottom first; where two part, or where one
 * goes on after a copy ended, a copy was made. Blame goes to the active party of the
 * branch that should not be there, as the *receiver* of its hop saw it
 * (algorithms.md 2). What one chain alone says is judged by storm/culprit, so that
 * the inline guard and the tracer never differ on it. Pure.
 *
 * One struct trace is one content; copies are added in the order of their times.
 * Memory: TRACE_NODES_MAX nodes and so on, about 1.2 MiB at most; past a ceiling
 * copies are counted, but no longer put into the tree (is_cut says so).
 *
 * The report is flat and of fixed size: see struct trace_incident.
 */
#ifndef QUELL_TRACE_TRACE_H
#define QUELL_TRACE_TRACE_H

#include "mail/facts.h"
#include "storm/culprit.h"
#include "storm/incident.h"

enum {
	TRACE_HOSTS_MAX = 48,      /* of the graph; the ones with the fewest copies give way */
	TRACE_EDGES_MAX = 160,
	TRACE_BINS = 60,           /* of copies over time */
	TRACE_SAMPLES_MAX = 6,     /* copies whose headers are shown as evidence */
	TRACE_SAMPLE_HOPS = 12,
	TRACE_HOP_TEXT_BYTES = 200,
	TRACE_INNOCENT_MAX = 12,
	TRACE_CYCLE_MAX = 16,
	TRACE_COPIES_MIN = 3,      /* surplus copies of one pair that make an incident */
};

/* What a host is in the picture, from harmless to guilty. */
enum trace_role {
	TRACE_RELAY,      /* passed each mail on once: a conduit */
	TRACE_AUTHOR,     /* where the mail began */
	TRACE_OURS,       /* our own server, the mailbox */
	TRACE_FORWARDER,  /* gives one copy on for each it gets, by its owner's wish */
	TRACE_ENTRY,      /* handed surplus to us; what is behind it is not known */
	TRACE_SUSPECT,
	TRACE_GUILTY,
	TRACE_MORE,       /* stands for hosts that had no room */
};
/* "relay", "author", "ours", "forwarder", "entry", "suspect", "guilty", "more". */
const char *trace_role_name(enum trace_role role);

/* A host of the propagation graph. */
struct trace_host {
	enum trace_role role;
	char name[INCIDENT_TEXT_BYTES];  /* attested where it can be, else as it wrote itself */
	bool is_claim;                   /* the name is only what it called itself */
	unsigned party;                  /* index in incident.parties; UINT_MAX: none */
	unsigned layer;                  /* 0 where the mail began; the way it first went */
	uint64_t passages;               /* distinct, through it */
	int64_t first_ms;                /* by its own clock or the next one's; 0 unknown */
};

/* Mail that went from one host to another. */
struct trace_edge {
	unsigned from, to;               /* hosts */
	uint64_t passages;               /* distinct ones seen */
	uint64_t surplus;                /* of these, on branches that should not be */
	double amplification;            /* of from, when it is blamed; 0 otherwise */
	bool is_back;                    /* against the layers: closes a cycle */
};

struct trace_bin {
	uint32_t copies, surplus;
};

/* What the tracer knows of a party beside struct party. */
struct trace_party {
	unsigned intake;                 /* distinct passages into it */
	unsigned offspring;              /* emissions of others that came of its own */
	unsigned fan;                    /* most recipients of one emission */
	double amplification;            /* blame / intake; 0: unknown */
	bool has_clock;
	int64_t clock_ms;                /* it runs at least so much ahead (or behind: negative) */
};

/* A line of evidence as it stands in the header: made printable, cut. */
struct trace_sample {
	char place[INCIDENT_TEXT_BYTES]; /* file and offset, as given to trace_add */
	char recipient[INCIDENT_TEXT_BYTES];
	int64_t time_ms;                 /* when it reached us */
	unsigned party;                  /* the one it speaks against; UINT_MAX: the first copy */
	unsigned hop_count;              /* kept, from the top */
	char hops[TRACE_SAMPLE_HOPS][TRACE_HOP_TEXT_BYTES]; /* "from X (Y [1.2.3.4]) by Z; time" */
};

struct trace_innocent {
	char address[INCIDENT_TEXT_BYTES]; /* of a person, or a host */
	char why[160];
};

/* One storm, for people and programs. parties of incident: PARTY_GUILTY,
 * PARTY_SUSPECT, PARTY_ENTRY and PARTY_FORWARDER. held, passed and so on are 0: a
 * trace does nothing. */
struct trace_incident {
	struct incident incident;
	struct trace_party parties[INCIDENT_PARTIES_MAX]; /* of the same index */
	struct trace_host hosts[TRACE_HOSTS_MAX];
	unsigned host_count;
	struct trace_edge edges[TRACE_EDGES_MAX];
	unsigned edge_count;
	int64_t bins_from_ms, bin_ms;                     /* of bins[0]; width; 0: no times known */
	struct trace_bin bins[TRACE_BINS];
	struct trace_sample samples[TRACE_SAMPLES_MAX];
	unsigned sample_count;
	struct trace_innocent innocents[TRACE_INNOCENT_MAX];
	unsigned innocent_count;
	unsigned cycle[TRACE_CYCLE_MAX];                  /* hosts in a ring, in order */
	unsigned cycle_count;
	uint64_t repeats;      /* same text, newly sent: not counted as surplus (T3) */
	uint64_t worst_pair;   /* most copies for one recipient */
	bool is_cut;           /* the tree was full: counters are right, the graph is not whole */
};

struct trace_setup {
	struct vouched vouched;      /* hosts whose Received lines are believed */
	const char *const *our_hosts;/* never blamed; the same as in facts_setup */
	size_t our_host_count;
};

struct trace;

/* NULL without memory. setup must outlive it. */
struct trace *trace_new(const struct trace_setup *setup);
void trace_free(struct trace *trace);
/* For the next content; keeps the memory. */
void trace_reset(struct trace *trace);

/* One copy. All of one trace must have equal content. recipient: the mailbox it was
 * found in. place: where it lies, for evidence. What is needed is copied. */
void trace_add(struct trace *trace, const struct facts *facts, struct slice recipient,
	       const char *place);

/* What came of it. False when it is no storm: fewer than TRACE_COPIES_MIN surplus
 * copies for every recipient and nobody guilty. *out is always filled. */
bool trace_end(struct trace *trace, struct trace_incident *out);

/* Copies that were added; the same delivery in two folders is one. */
uint64_t trace_copies(const struct trace *trace);

/* --- one mail that went round ------------------------------------------ */

enum {
	TRACE_RETURNS_MIN = 5, /* ordinary mail comes back to one host at most 3 times
				  (4 visits); loops seen in the wild 6 and more */
};

/* Does the chain of this one mail go in circles: the same host again and again, with
 * others in between (adjacent lines of one host are one visit)? Fills *out as an
 * incident of class STORM_LOOP. */
bool trace_loop(const struct trace_setup *setup, const struct facts *facts, struct slice recipient,
		const char *place, struct trace_incident *out);

#endif
