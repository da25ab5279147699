/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of watch share; nobody else includes it.
 *
 *   watch.c         sources, lines, the clock, counts
 *   events.c        an event of the grammar to what is known of a mail
 *   echo.c          one mail in the logs of two servers
 *   tell.c          a mail to the engine, and to who wants its facts
 *   transactions.c  the table
 *   servers.c       whose line, and when
 */
#ifndef QUELL_WATCH_INNER_H
#define QUELL_WATCH_INNER_H

#include "watch/servers.h"
#include "watch/transactions.h"

enum {
	WATCH_TICK_MS = 5000,                    /* a log is read 100,000 times as fast as it was written */
	WATCH_TELL_MS = 60 * 1000,               /* recipients that do not come by then are not waited for */
	WATCH_SETTLED_MS = 10 * 60 * 1000,       /* of a mail that is done with: nothing more is expected */
	WATCH_BEGUN_MS = 60 * 60 * 1000,         /* a client that is still sending */
	WATCH_OPEN_MS = 6 * 24 * 60 * 60 * 1000, /* a queue's usual lifetime is 5 days */
	WATCH_SAMPLE_BYTES = 160,
	WATCH_ECHOES = 16 * 1024,                /* Message-IDs remembered; a power of two */
};

struct watch_source {
	char *name;
	int64_t hint_ms;                 /* to read a first time without a year */
	struct watch_server *last, *own; /* of the newest line; of lines without a host */
	struct watch_source_counts counts;
	char *samples[WATCH_SAMPLES];
	uint64_t sample_services[WATCH_SAMPLES];
	struct maillog_reader reader;
};

struct watch {
	struct watch_setup setup;
	struct roll *roll;
	struct watch_source *sources[WATCH_SOURCES_MAX];
	size_t source_count;
	struct watch_servers servers;
	struct watch_server anyone;      /* where no other has room */
	int64_t now_ms;                  /* of all servers: of the one that is furthest */
	int64_t ticked_ms;
	struct list untold;              /* mails that the engine has not been told of, oldest first */
	uint64_t echoes[WATCH_ECHOES];   /* hashes, each at its place: the newest stays */
	struct watch_counts counts;
	struct watch_rcpt rcpts[WATCH_RCPTS_MAX]; /* for the one that is told */
	struct slice addresses[WATCH_RCPTS_MAX];
};

/* events.c: one event of a line, at its server and time. */
void watch_event(struct watch *w, struct watch_server *server, int64_t time_ms, struct maillog_event *event);
/* The mail is over as far as its log tells: told, and forgotten. */
void watch_close(struct watch *w, struct txn *txn);
/* The same, but the table forgets it. */
void watch_finish(struct watch *w, struct txn *txn);

void watch_count_status(struct watch_counts *c, enum watch_status status, uint64_t change);

/* echo.c: a mail of a server that queues it has this Message-ID. */
void watch_echo_note(struct watch *w, struct txn *txn);
/* A mail that is held, once: is it no other's? Then it is counted from now on. */
bool watch_echo_release(struct watch *w, struct txn *txn);

/* tell.c */
void watch_tell_storm(struct watch *w, struct txn *txn);
void watch_tell_mail(struct watch *w, const struct txn *txn);

#endif
