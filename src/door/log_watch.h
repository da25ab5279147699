/* SPDX-License-Identifier: Apache-2.0
 *
 * log_watch: the logs of other servers, followed by the daemon.
 *
 * What they tell goes to the same engine as the daemon's own mail, so that the storm is
 * one incident wherever it was seen; it is told and alerted, never acted upon. Each log
 * is read from its end on. The log of the server whose mail comes through our own doors
 * does not belong here: its mail would be counted twice.
 */
#ifndef QUELL_DOOR_LOG_WATCH_H
#define QUELL_DOOR_LOG_WATCH_H

#include "flow/flow.h"
#include "net/loop.h"

struct log_watch;

/* paths: of log files, or "journal" for the system's own. loop and flow must outlive it.
 * table_bytes: ceiling of the mails under way. NULL and the reason on trouble; a file that
 * is not there (yet) is none. */
struct log_watch *log_watch_open(struct loop *loop, struct flow *flow, const char *const *paths, size_t count,
				 size_t table_bytes, struct error *error);
/* Sets the pointer to NULL; NULL is welcome. */
void log_watch_close(struct log_watch **w);

struct log_watch_counts {
	uint64_t lines, mails;
};
void log_watch_counts(const struct log_watch *w, struct log_watch_counts *counts_out);

#endif
