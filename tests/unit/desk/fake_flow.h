/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_flow: a survey and a replay that find what a test put in, and mailboxes that
 * hold nothing: they stand in for flow at link time, and for main's open_source.
 */
#ifndef QUELL_TESTS_DESK_FAKE_FLOW_H
#define QUELL_TESTS_DESK_FAKE_FLOW_H

#include "desk/desk.h"
#include "flow/replay.h"
#include "flow/survey.h"

struct fake_flow {
	const char *found;         /* letters of fixture_survey_of; NULL: the survey fails */
	const char *trouble;       /* why it fails, as well the replay; NULL: it does not */
	bool is_shut;              /* open_source fails */
	bool is_empty;             /* no mail is in it */
	uint64_t troubles;         /* that close_source tells */
	size_t decision_count;     /* of the replay; odd ones are of a storm */
	bool is_hostile;           /* their texts */
	/* What was asked for. */
	unsigned opened, closed;
	size_t path_count;
	char our[512], relays[512]; /* joined by blanks */
	bool is_guard;
	int64_t pair_hour_max;
};
extern struct fake_flow fake_flow;

/* Fills in what reads mailboxes. */
void fake_flow_host(struct desk_host *host);

#endif
