/* SPDX-License-Identifier: Apache-2.0
 *
 * fixture: what the tracer finds, made by hand: storms to draw and to tell.
 */
#ifndef QUELL_TESTS_DESK_FIXTURE_H
#define QUELL_TESTS_DESK_FIXTURE_H

#include "flow/survey.h"

/* Dublin as one victim sees it (algorithms.md 2.4): five firms with SBS 2003, a relay
 * of the provider as entry, a forwarder. */
struct trace_incident *fixture_dublin(void);
/* Two hosts that forward to each other: a cycle, nobody guilty for certain. */
struct trace_incident *fixture_loop(void);
/* As many of everything as there is room for, and text in every place where strangers
 * may write: scripts, escapes, direction marks, quotes, words without end. */
struct trace_incident *fixture_hostile(void);

/* A survey of these (up to 250; the first count), and with everything else filled in. */
struct survey *fixture_survey(struct trace_incident **incidents, size_t count);
/* Of one: D, L, H for the three above, "" for none; the incidents in this order. */
struct survey *fixture_survey_of(const char *letters);
/* With its incidents. */
void fixture_free(struct survey *survey);

#endif
