/* SPDX-License-Identifier: Apache-2.0
 *
 * inquest: copies from mailboxes, read by the real reader and put to the tracer; and
 * what a test asks of the answer.
 *
 * Either an inquest keeps what it read, to be looked at and put to a tracer; or, when
 * it has tracers of its own, each copy goes to them at once and is forgotten, which is
 * many times faster. The envelope has only the recipient: nothing is known of the
 * connection, so the trust boundary comes from the Received lines and our_hosts.
 */
#ifndef QUELL_TESTS_INQUEST_H
#define QUELL_TESTS_INQUEST_H

#include "../unit/unit.h"

#include "post.h"
#include "trace/trace.h"

enum { INQUEST_OURS_MAX = 3, INQUEST_TRACERS_MAX = 4 };

struct inquest {
	struct arena arena;
	struct facts_setup setup;
	const char *our_hosts[INQUEST_OURS_MAX];
	struct buf text;
	const struct facts **facts;
	struct slice *recipients;
	unsigned count, cap;
	const char *relay;
	struct trace_setup trace_setup;
	struct trace *tracers[INQUEST_TRACERS_MAX];
	unsigned points[INQUEST_TRACERS_MAX], tracer_count;
};

/* our_hosts: up to INQUEST_OURS_MAX, NULL after the last. */
void inquest_begin(struct inquest *q, const char *const our_hosts[INQUEST_OURS_MAX]);
void inquest_end(struct inquest *q);
void inquest_read(struct inquest *q, const struct post *p, const struct post_copy *copies, unsigned count);
void inquest_read_text(struct inquest *q, struct slice mail, const char *recipient, int64_t time_ms);

/* Tracers of its own: each gets the first points[i] copies; 0 ends
 * the list. relay may be NULL. */
void inquest_hire(struct inquest *q, const char *relay, const unsigned points[INQUEST_TRACERS_MAX]);
/* The relay is only learnt, nobody has named it. */
void inquest_learn(struct inquest *q);
/* For the next storm, with the same tracers. */
void inquest_again(struct inquest *q);
/* What the tracer of the i-th point says. */
bool inquest_answer(struct inquest *q, unsigned i, struct trace_incident *out);
/* What a new tracer says of all that was kept. relay may be NULL. */
bool inquest_ask(const struct inquest *q, const char *relay, struct trace_incident *out);

/* The party with this attested address; NULL. */
const struct party *inquest_party(const struct trace_incident *t, const char *ip);
/* Parties of a role. */
unsigned inquest_count(const struct trace_incident *t, enum party_role role);
/* The host of the picture with this name or address; NULL. */
const struct trace_host *inquest_host(const struct trace_incident *t, const char *name);
bool inquest_has_claim(const struct party *p, const char *text);
/* Every party on a line of its own, as comments of the test's output. */
void inquest_print(const struct trace_incident *t);

#endif
