/* SPDX-License-Identifier: Apache-2.0
 *
 * watch: log lines of one or many servers to mails, and mails to the engine.
 *
 * One table of transactions by (server, queue id) joins what a log says in pieces: client,
 * Message-ID, size, sender, recipients, delays, final status are one struct watch_mail. A
 * queue id that begins again (short ids are used again) begins a new mail. A mail is told
 * to the engine (storm_observe) when its recipients are known: at the queue manager's
 * line for what is known then, completed at "removed", or when it is evicted.
 *
 * Pure: no files, no clock; the time is the lines'. Bounded: the oldest mail gives way,
 * counted; a mail keeps at most WATCH_RCPTS_MAX recipients, the others are counted.
 * Lines that are not understood are counted and the first few of each server kept.
 */
#ifndef QUELL_WATCH_WATCH_H
#define QUELL_WATCH_WATCH_H

#include "storm/storm.h"
#include "wire/maillog.h"

enum { WATCH_RCPTS_MAX = 50, WATCH_SAMPLES = 5, WATCH_SOURCES_MAX = 64 };

struct watch;
struct watch_mail;

struct watch_setup {
	struct storm *storm;          /* told of each mail; may be NULL (facts only) */
	size_t bytes;                 /* ceiling of the table */
	int zone_offset_s;            /* of times without a zone */
	int64_t now_ms;               /* to guess the year of times without one: now, or the
					 file's own time */
	/* A mail's facts are complete. May be NULL. */
	void (*mail)(void *ctx, const struct watch_mail *mail);
	void *ctx;
};

enum watch_status { WATCH_OPEN, WATCH_SENT, WATCH_DEFERRED, WATCH_BOUNCED, WATCH_EXPIRED };

struct watch_rcpt {
	struct slice address, orig_address, relay, dsn;
	enum watch_status status;
	int64_t delay_ms, delays_ms[4], at_ms; /* -1 where not given */
	unsigned tries;
};

struct watch_mail {
	struct slice server;          /* the log's host; else the source's name */
	enum maillog_format format;
	struct slice queue_id, message_id, from, client_name, helo, auth_user, subject, in_reply_to;
	struct ip client_ip;
	bool has_from;                /* from may be empty: the null sender */
	uint64_t size_bytes;
	unsigned nrcpt;               /* as the server says, or counted */
	const struct watch_rcpt *rcpts;
	size_t rcpt_count, rcpt_total;/* kept, seen */
	struct slice notice_of;       /* queue id of the mail that this one is the bounce of */
	int64_t first_ms, last_ms;
	bool is_removed;
};

struct watch *watch_new(const struct watch_setup *setup, struct error *error);
void watch_free(struct watch *w);

/* A file or stream of lines; its index. name: the path, shown to people. now_ms: the time
 * of the file (when it was written last); 0: the setup's. -1: too many, or no memory. */
int watch_source(struct watch *w, const char *name, int64_t now_ms);
/* One line without its line end, of which is_cut: its beginning alone, it was too long. */
void watch_line(struct watch *w, int source, struct slice line, bool is_cut);
/* The same, but when the line's time is after limit_ms nothing happens: false, and the time.
 * So several sources can be merged by time. A line without a time is taken. */
bool watch_line_until(struct watch *w, int source, struct slice line, bool is_cut, int64_t limit_ms,
		      int64_t *time_ms_out);
/* For one who reads lines ahead, in a thread of his own perhaps: the grammar's memory of a
 * source (his until the last event; watch_line is not called meanwhile), and the same as
 * watch_line_until of a line that it has read. */
struct maillog_reader *watch_reader(struct watch *w, int source);
bool watch_event_until(struct watch *w, int source, struct slice line, struct maillog_event *event, bool is_cut,
		       int64_t limit_ms, int64_t *time_ms_out);
/* The newest time of a source's lines; 0 when none had a time yet. */
int64_t watch_source_ms(const struct watch *w, int source);
/* The end of all files: what is open is told. */
void watch_end(struct watch *w);

struct watch_source_counts {
	const char *name;
	enum maillog_format format;
	uint64_t lines, understood, unknown; /* unknown: no fact in it that we know of */
	uint64_t too_long, backwards;        /* lines cut; times more than a minute backwards */
	int64_t first_ms, last_ms;
	const char *samples[WATCH_SAMPLES];  /* of unknown lines of a mail server, made harmless, cut */
};
struct watch_counts {
	uint64_t lines, mails;
	uint64_t passes;             /* of the mails: further ways of one through its own server */
	uint64_t echoes;             /* not among the mails: Dovecot's deliveries of mails that another
					server's lines tell of too */
	uint64_t sent, deferred, bounced; /* recipients, each by its newest status */
	uint64_t rejected, evicted;
	size_t open, source_count;
	size_t bytes;                /* in use now, of setup.bytes */
};
void watch_counts(const struct watch *w, struct watch_counts *counts_out);
void watch_source_counts(const struct watch *w, int source, struct watch_source_counts *counts_out);

#endif
