/* SPDX-License-Identifier: Apache-2.0
 *
 * world: a watch whose mails are written down, for the tests of the room.
 */
#ifndef QUELL_TESTS_WATCH_WORLD_H
#define QUELL_TESTS_WATCH_WORLD_H

#include "../unit.h"

#include "base/buf.h"
#include "watch/watch.h"

#define TEST_NOW_MS INT64_C(1795500000000) /* 2026-11-24 06:00 UTC */

struct world {
	struct watch *watch;
	struct storm *storm;     /* NULL unless world_begin was asked for one */
	int source;              /* "mail.log" */
	uint64_t mails, dovecots; /* told; of these Dovecot's */
	struct buf told;         /* one line a mail: "id from>rcpt=status,rcpt=status\n" */
	struct watch_mail last;  /* its slices are gone but for what is copied below */
	char server[64], message_id[256], client[64];
	int64_t first_ms, last_ms;
};

void world_begin(struct world *w, size_t bytes, bool want_storm);
void world_end(struct world *w);
/* Lines, each with its LF, of source "mail.log". */
void world_lines(struct world *w, const char *lines);
/* One line "Dec  6 TIME HOST postfix/PROGRAM" by printf. */
void world_linef(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct watch_counts world_counts(const struct world *w);
struct watch_source_counts world_source(const struct world *w, int source);
/* What was told since the last time. */
void world_expect(struct world *w, const char *told);

#endif
