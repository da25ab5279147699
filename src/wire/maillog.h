/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog: one line of a mail server's log, read into an event. Pure.
 *
 * Servers: Postfix 2.x to 3.x, Sendmail, OpenSMTPD, Dovecot (lmtp, pop3) behind any of
 * these prefixes: traditional syslog ("Dec  6 09:20:03 host "), Postfix's own
 * maillog_file (the same with two-digit day), RFC 3339 ("2005-12-06T09:20:03.1+01:00
 * host "), RFC 5424, with or without a leading <PRI>, the forms of journalctl (of its export
 * a record's event comes with the empty line behind it; give those too); Exim's mainlog; Exchange message
 * tracking (CSV); Zeek's smtp.log (TSV and JSON). Which it is shows in the lines
 * themselves: by content, line by line for what comes through syslog, by file for those
 * that name their columns (struct maillog_reader remembers them).
 *
 * A line that is not understood is kind OTHER, never an error: logs hold everything.
 * All slices point into the line, or into the reader's own small memory where something
 * had to be unescaped (JSON, CSV quotes): they live until the next line. The text of a
 * log is written by strangers in part: only the fields named here are taken, each from
 * where the server itself writes it.
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
	MAILLOG_REJECTED,   /* refused before it was queued; queue_id is "NOQUEUE" or empty as a rule */
	/* By a milter; the last two by the server's own rules too. */
	MAILLOG_MILTER_REJECT, MAILLOG_MILTER_DISCARD, MAILLOG_MILTER_HOLD,
	MAILLOG_NOTICE,     /* a bounce or delay notice was made: rcpt empty, other_id its queue id */
	MAILLOG_REMOVED,    /* the queue file is gone: no more lines of this id */
	MAILLOG_RECEIVED,   /* one line that says most at once (Exim "<=", Sendmail "from=",
			       OpenSMTPD, Exchange RECEIVE, Zeek): as QUEUED, and any of client,
			       helo, sasl_user, message_id, subject, in_reply_to, rcpts. Of
			       OpenSMTPD without sender: a QUEUED line follows for each recipient,
			       with from and rcpt (before 6.0 those lines alone) */
	MAILLOG_CONNECT, MAILLOG_DISCONNECT, /* of a client: client */
	MAILLOG_LOGIN,      /* POP3 or IMAP: sasl_user, client; SMTP where the server tells it
			       of the session, not of a mail (OpenSMTPD, Sendmail) */
	MAILLOG_HEADER,     /* a header was logged: subject or in_reply_to; client, from, rcpt, helo */
	MAILLOG_KIND_COUNT
};
/* "other", "queued", "sent", ... */
const char *maillog_kind_name(enum maillog_kind kind);

enum maillog_format {
	MAILLOG_UNKNOWN, MAILLOG_POSTFIX, MAILLOG_EXIM, MAILLOG_SENDMAIL, MAILLOG_OPENSMTPD,
	MAILLOG_DOVECOT, MAILLOG_EXCHANGE, MAILLOG_ZEEK_TSV, MAILLOG_ZEEK_JSON, MAILLOG_FORMAT_COUNT
};
/* "unknown", "postfix", "exim", "sendmail", "opensmtpd", "dovecot", "exchange", "zeek" (both). */
const char *maillog_format_name(enum maillog_format format);

struct maillog_event {
	enum maillog_kind kind;
	enum maillog_format format; /* who wrote the line; UNKNOWN: nobody we know */
	struct slice time;      /* as written */
	struct slice host;
	struct slice program;   /* before the last '/': "postfix", "postfix-out"; or all of it */
	struct slice service;   /* after it: "qmgr", "smtp"; empty when there is no '/' */
	struct slice queue_id;  /* short or long form; Dovecot has none: its SENT is known by
				   message_id and session, and was SENT of the server before it */
	struct slice other_id;  /* NOTICE: the notice's id; SENT: the id the next server gave
				   ("queued as X", Dovecot's "session Saved"), where it said so;
				   CLIENT: the id it had before
				   a content filter or a requeue; OpenSMTPD's RECEIVED, QUEUED,
				   CONNECT, DISCONNECT, LOGIN: the session, which joins them;
				   of Dovecot's SENT and BOUNCED: the mail within its session,
				   the same for all recipients of the mail */
	struct slice from;      /* without <> */
	bool has_from;          /* from was there (it may be empty: the null sender) */
	struct slice rcpt, orig_rcpt; /* without <> */
	struct slice message_id;/* without <> */
	struct slice dsn;       /* "2.0.0" */
	struct slice relay;     /* "mx.example.org[192.0.2.1]:25", "local", "none" */
	struct slice client;    /* "host.example.org[192.0.2.7]"; a blank may stand between them;
				   "[192.0.2.7]:2413" of postscreen; "[192.0.2.7]", or the bare
				   address ("local" where it was no network) */
	struct slice client_host; /* its name, where it stands apart from the address (OpenSMTPD) */
	struct slice sasl_user;
	struct slice text;      /* what stands in the brackets after status=, or the reason */
	struct slice helo, subject;
	struct slice in_reply_to; /* without <>, the first */
	struct slice notice_of; /* RECEIVED: the queue id of the mail that this one is a notice of */
	struct slice rcpts;     /* RECEIVED, Zeek's REJECTED, and outcomes that Sendmail and
				   Exchange tell of several at once: all recipients as the line
				   lists them, for maillog_next_rcpt; rcpt is then empty */
	char rcpts_separator;   /* ' ', ',' or ';' */
	uint64_t size_bytes;    /* 0 when not given */
	uint64_t nrcpt;
	int64_t delay_ms;       /* since the mail came in; -1 when not given */
	int64_t delays_ms[4];   /* Postfix: before the queue manager, in its queue, connecting,
				   sending; -1 when not given */
};

/* Takes the next address off event->rcpts (without <>); false when there is none. */
bool maillog_next_rcpt(struct maillog_event *event, struct slice *rcpt_out);

/* Reads the lines of one file, in its order. Plain data; maillog_reader_begin makes it
 * ready, again for another file. Formats without columns need no memory of it. */
enum { MAILLOG_COLUMNS_MAX = 64, MAILLOG_SCRATCH_BYTES = 16 * 1024 };
struct maillog_reader {
	enum maillog_format format;   /* of the newest line that was understood */
	uint8_t columns[MAILLOG_COLUMNS_MAX]; /* what each column holds, of this room */
	unsigned column_count;
	char separator;
	char scratch[MAILLOG_SCRATCH_BYTES]; /* unescaped values of the newest line */
	unsigned scratch_used;
};
void maillog_reader_begin(struct maillog_reader *reader);
/* line: without its line end (LF or CRLF); any bytes, any length. Always fills *event_out. */
void maillog_reader_line(struct maillog_reader *reader, struct slice line, struct maillog_event *event_out);

/* The same for one line of the servers that write syslog, and Exim. */
void maillog_read(struct slice line, struct maillog_event *event_out);

/* The time field as Unix ms. Traditional times lack year and zone: the year is
 * that which puts the time nearest before now_ms (up to a day after it), and the
 * zone is zone_offset_s seconds east of UTC (of all times without a zone). Zeek's and
 * epoch times ("1133860803.123") too. False when it cannot be read. */
bool maillog_time(struct slice time, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out);

#endif
