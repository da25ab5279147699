/* SPDX-License-Identifier: Apache-2.0
 *
 * survey: a look at all mail of a source, and the storms in it.
 *
 * First every header is glanced at (facts without the body): a record of
 * about a hundred bytes a mail stays. Only mails that may be copies of another (same
 * author, same subject), that went round, or that report a loop are read whole; only
 * contents with copies go to the tracer. Reads nothing but the source.
 *
 * Memory: 64 MiB and 200 bytes a mail at most; the incidents beyond
 * SURVEY_INCIDENTS_MAX with the fewest surplus copies are only counted.
 */
#ifndef QUELL_FLOW_SURVEY_H
#define QUELL_FLOW_SURVEY_H

#include "base/error.h"
#include "flow/source.h"
#include "mail/facts.h"
#include "trace/trace.h"

enum {
	SURVEY_INCIDENTS_MAX = 200,
	SURVEY_OUR_HOSTS_MAX = 32,
	SURVEY_HOST_BYTES = 128,
	SURVEY_LEARNT_MAX = 32,
	/* What makes a relay that hands mail to us believed (.8), without being named: */
	SURVEY_LEARNT_MAILS = 1000,      /* so many mails */
	SURVEY_LEARNT_AUTHORS = 20,      /* of so many authors */
	SURVEY_LEARNT_DAYS = 7,          /* over so long, and it never called itself otherwise */
};

/* What goes on, for a progress bar: called about ten times a second in the thread
 * of survey_run. what: "looking over", "reading again", "tracing". all 0: unknown. */
typedef void survey_progress_fn(void *ctx, const char *what, uint64_t done, uint64_t all);

struct survey_setup {
	const struct source *source;
	struct facts_setup facts;        /* our_hosts may be empty: then they are guessed;
					    site_key is set by survey */
	const char *const *relays;
	size_t relay_count;
	survey_progress_fn *progress;    /* may be NULL */
	void *progress_ctx;
};

struct survey {
	uint64_t messages;               /* all that were looked over */
	uint64_t unparsable;             /* of these: no header field that can be read */
	uint64_t bytes;
	uint64_t read_again;             /* mails that were read whole */
	uint64_t unreadable;             /* of these: no longer there as they were */
	int64_t first_ms, last_ms;       /* 0 when no mail has a time */
	uint64_t ordinary_copies;        /* second copies that are no storm: lists and direct,
					    resent, answered twice */
	char our_hosts[SURVEY_OUR_HOSTS_MAX][SURVEY_HOST_BYTES];
	unsigned our_host_count;
	bool is_guessed;                 /* our_hosts: from the topmost Received lines */
	char learnt[SURVEY_LEARNT_MAX][SURVEY_HOST_BYTES]; /* relays that were learnt */
	unsigned learnt_count;
	struct trace_incident **incidents; /* most surplus first */
	size_t incident_count;
	uint64_t incidents_forgotten;
};

/* NULL and the reason on trouble (no memory). An empty source is no trouble. */
struct survey *survey_run(const struct survey_setup *setup, struct error *error);
void survey_free(struct survey *survey);

#endif
