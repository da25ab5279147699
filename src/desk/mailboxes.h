/* SPDX-License-Identifier: Apache-2.0
 *
 * mailboxes: what trace and replay begin with: the settings with the hosts of the
 * command line added, and the mail that lies at the given paths.
 */
#ifndef QUELL_DESK_MAILBOXES_H
#define QUELL_DESK_MAILBOXES_H

#include "desk/desk.h"
#include "desk/progress.h"
#include "flow/source.h"
#include "mail/facts.h"

struct mailboxes {
	struct desk *desk;
	struct desk_settings settings;
	const char **our, **relays;       /* of the settings and of the command line */
	size_t our_count, relay_count;
	struct source opened;             /* as main gave it */
	struct source source;             /* the same, and files are counted on the way */
	uint32_t files[SOURCE_WORKERS_MAX]; /* by worker: the highest file seen, from 1 */
	struct progress progress;
};

/* Reads the settings (file NULL: those of -c or the usual ones) and opens the paths.
 * Any other status than EXIT_FINE has been told, and nothing is left open. boxes must
 * not move until mailboxes_close. */
enum exit_status mailboxes_open(struct mailboxes *boxes, struct desk *desk, const struct desk_args *args,
				const char *file, bool want_progress);
/* Erases the progress bar, closes. How many files or mails could not be read as they should. */
uint64_t mailboxes_close(struct mailboxes *boxes);
/* In which mail was found. */
uint64_t mailboxes_files(const struct mailboxes *boxes);
/* The boundary of trust, for facts. The site key is for flow to set. */
struct facts_setup mailboxes_facts(const struct mailboxes *boxes);
/* "N files or mails could not be read as they should" to err, when there were any. */
void mailboxes_tell_troubles(struct desk *desk, uint64_t troubles);
/* For a survey or a replay that could not be done: tells why. */
enum exit_status mailboxes_fail(struct desk *desk, const struct error *error);

#endif
