/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_feed: logs on their way to the watch: what is there, in the order of time over all
 * of them; then what is added.
 *
 * A log that is not there, not readable, or vanishes is told once, and the others are read. A pipe
 * is read to its end before anything is followed.
 */
#ifndef QUELL_MAIN_WATCH_FEED_H
#define QUELL_MAIN_WATCH_FEED_H

#include "door/lines.h"
#include "net/loop.h"
#include "watch/watch.h"

struct feeds;

struct feeds_setup {
	char *const *names;      /* paths, "-", "journal", "journal:UNIT" */
	size_t count;
	bool will_follow;
	struct watch *watch;
	const volatile int *stop;
	/* "NAME: what is wrong"; what can be read is read all the same. */
	void (*tell)(void *ctx, const char *text);
	/* How far what is there has been read; sum 0: not known. May be NULL. */
	void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
	void *ctx;
};

/* NULL and the reason: nothing at all can be read. setup is copied, but for what it points to. */
struct feeds *feeds_open(const struct feeds_setup *setup, struct error *error);
void feeds_close(struct feeds *f); /* NULL is welcome */
/* All that is there, or up to stop. */
void feeds_read(struct feeds *f);
/* From there on. False: nothing here can be followed. */
bool feeds_follow(struct feeds *f, struct loop *loop);

#endif
