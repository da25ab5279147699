/* SPDX-License-Identifier: Apache-2.0
 *
 * replay_text: what a replay decided, kept in little memory and told in words.
 */
#ifndef QUELL_DESK_REPLAY_TEXT_H
#define QUELL_DESK_REPLAY_TEXT_H

#include "desk/desk.h"
#include "flow/replay.h"

enum {
	NOTES_INCIDENTS_MAX = 40, /* told one by one; more are counted */
	NOTES_DECISIONS_MAX = 3,  /* kept of each */
};

struct replay_notes;

/* NULL without memory. */
struct replay_notes *replay_notes_new(void);
/* NULL is welcome. */
void replay_notes_free(struct replay_notes *notes);
void replay_note_decision(struct replay_notes *notes, const struct replay_decision *decision);
void replay_note_incident(struct replay_notes *notes, const struct incident *incident);
/* All of it to desk->out. files 0: not known. */
void replay_tell(struct desk *desk, const struct replay_notes *notes, const struct replay_counts *counts,
		 uint64_t files, bool is_guard);

#endif
