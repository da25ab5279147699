/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog: one line of a mail server's log, read into an event. Pure.
 *
 * Now: Postfix 2.x to 3.x, behind any of these prefixes: traditional syslog
 * ("Dec  6 09:20:03 host "), Postfix's own maillog_file (the same with two-digit
 * day), RFC 3339 ("2005-12-06T09:20:03.123456+01:00 host "), with or without a
 * leading <PRI>. Other servers are further rows of the table in maillog.c.
 *
 * A line that is not understood is kind OTHER, never an error: logs hold
 * everything. All slices point into the line. The text of a log is written by
 * strangers in part: only the fields named here are taken, each from where the
 * server itself writes it.
 */
#ifndef QUELL_WIRE_MAILLOG_H
#define QUELL_WIRE_MAILLOG_H

#include "base/slice.h"

enum maillog_kind {
	MAILLOG_OTHER,
	MAILLOG_QUEUED,     /* queue manager took it over: from, size, nrcpt */
	MAILLOG_SENT,       /* one recipient: delivered or relayed; rcpt, orig_rcpt, dsn, relay */
	MAILLOG_DEFERRED,   /* one recipient: tried, will be tried again */
	MAILLOG_BOUNCED,    /* one recipient: given up ("undeliverable" of a probe is OTHER) */
	MAILLOG_EXPIRED,    /* whole mail: too old, returned to sender or dropped */
	MAILLOG_MESSAGE_ID, /* cleanup saw the Message-ID */
	MAILLOG_CLIENT,     /* smtpd or pickup opened the queue file: client, sasl_user */
	MAILLOG_REJECTED,   /* refused before it was queued; queue_id is "NOQUEUE" as a rule */
	MAILLOG_MILTER_REJECT, MAILLOG_MILTER_DISCARD, MAILLOG_MILTER_HOLD,
	MAILLOG_NOTICE,     /* a bounce or delay notice was made: rcpt empty, other_id its queue id */
	MAILLOG_REMOVED,    /* the queue file is gone: no more lines of this id */
	MAILLOG_KIND_COUNT
};
/* "other", "queued", "sent", ... */
const char *maillog_kind_name(enum maillog_kind kind);

struct maillog_event {
	enum maillog_kind kind;
	struct slice time;      /* as written */
	struct slice host;
	struct slice program;   /* before the last '/': "postfix", "postfix-out"; or all of it */
	struct slice service;   /* after it: "qmgr", "smtp"; empty when there is no '/' */
	struct slice queue_id;  /* short or long form */
	struct slice other_id;  /* NOTICE: the notice's id; SENT: the id the next server gave
				   ("queued as X"), where it said so */
	struct slice from;      /* without <> */
	bool has_from;          /* from was there (it may be empty: the null sender) */
	struct slice rcpt, orig_rcpt; /* without <> */
	struct slice message_id;/* without <> */
	struct slice dsn;       /* "2.0.0" */
	struct slice relay;     /* "mx.example.org[192.0.2.1]:25", "local", "none" */
	struct slice client;    /* "host.example.org[192.0.2.7]" */
	struct slice sasl_user;
	struct slice text;      /* what stands in the brackets after status=, or the reason */
	uint64_t size_bytes;    /* 0 when not given */
	uint64_t nrcpt;
};

/* line: without its line end; any bytes, any length. Always fills *event_out. */
void maillog_read(struct slice line, struct maillog_event *event_out);

/* The time field as Unix ms. Traditional times lack year and zone: the year is
 * that which puts the time nearest before now_ms (up to a day after it), and the
 * zone is zone_offset_s seconds east of UTC. False when it cannot be read. */
bool maillog_time(struct slice time, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out);

#endif
