/* SPDX-License-Identifier: Apache-2.0
 *
 * topology: storms like Dublin's, made to measure, as one victim sees them.
 *
 * An author's mail to an audience goes through an ISP (isp-in; isp-mbx with the POP
 * boxes of the firms; isp-out, the relay that customers send through) to our MX. The
 * faulty firms poll every fifteen minutes and send what they fetched to the whole
 * audience again (algorithms.md 2.3, 2.4, 4.1). Event-driven with its own clock;
 * the seed decides everything. What comes out is what lies in our mailboxes, in
 * order of time, and the truth about who did it.
 */
#ifndef QUELL_TESTS_TOPOLOGY_H
#define QUELL_TESTS_TOPOLOGY_H

#include "post.h"

enum {
	TOPOLOGY_FIRMS_MAX = 8,
	TOPOLOGY_FORWARDERS_MAX = 2,
	TOPOLOGY_INNOCENTS = 3,
	TOPOLOGY_HOURS_MAX = 30, /* of the world's clock; then it ends with what it has */
};

struct firm_plan {
	bool is_stripping; /* all Received go, Message-ID and Date are new; else KEEP */
	bool is_hopless;   /* no pickup line of its own */
	bool has_marks;    /* the connector's prefix in To */
	bool is_forging;   /* wipes the chain, two lines of innocent hosts at the bottom */
	bool is_framing;   /* its pickup line carries an innocent member's name */
	bool is_direct;    /* sends to each MX itself, not through isp-out */
};

/* What isp-out does to the lines below its own. */
enum washing {
	WASH_NOTHING,
	WASH_ALL,   /* no line is left, its own neither */
	WASH_BELOW, /* its own is left, without from */
};

struct topology_plan {
	uint64_t seed;
	unsigned firms;
	struct firm_plan firm[TOPOLOGY_FIRMS_MAX];
	unsigned ours;       /* recipients at our site */
	unsigned others;     /* innocent members elsewhere */
	unsigned forwarders; /* innocent members whose mail is forwarded to our first recipient */
	unsigned copies;     /* ends with so many in our mailboxes */
	enum post_to to;
	enum washing washing;
	bool is_isp;         /* we are the ISP: isp-in and isp-mbx are ours, all members too */
	bool is_one_wave;    /* firms send again only what came from the author */
	bool is_self_fed;    /* a firm gets its own copies too */
	bool are_clocks_right;
	bool are_zones_missing; /* some servers write none */
};

struct topology_firm {
	int host, mask;     /* mask: the host as it calls itself to others */
	int member;
	int framed;         /* host of the name in its pickup line */
	int forged_top;     /* passages that it puts below each copy; POST_NONE: new ones each time */
	bool has_constant_forgery, is_forged_pickup;
	char id_host[POST_NAME_BYTES];
	struct parcel *box;
	unsigned box_count, box_cap;
	unsigned emissions; /* mails it sent again */
};

struct topology {
	struct topology_plan plan;
	struct post post;
	int author, isp_in, isp_mbx, isp_out, mx;
	struct topology_firm firm[TOPOLOGY_FIRMS_MAX];
	int forwarder[TOPOLOGY_FORWARDERS_MAX], forwarder_member[TOPOLOGY_FORWARDERS_MAX];
	int innocent[TOPOLOGY_INNOCENTS];
	int our_member;     /* the first of them */
	struct post_copy *copies;
	unsigned copy_count;
	struct event *events;
	unsigned event_count, event_cap, event_serial;
	int64_t now_ms;
};

/* Plays the plan; false without memory. topology_free in any case. */
bool topology_run(struct topology *t, const struct topology_plan *plan);
void topology_free(struct topology *t);
/* Firms (bits) that are the last sender of one of the first count copies. */
unsigned topology_visible(const struct topology *t, unsigned count);
/* The firm with this address; POST_NONE. */
int topology_firm_at(const struct topology *t, const char *ip);
/* A host's or member's name that may never be named as guilty: all but the firms'. */
bool topology_is_innocent_name(const struct topology *t, const char *name);

#endif
