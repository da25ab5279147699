/* SPDX-License-Identifier: Apache-2.0
 *
 * smtp: the client side of SMTP (RFC 5321) and LMTP (RFC 2033), pure.
 *
 * Bytes of the server go in, events come out, and bytes for the server gather in
 * an out buffer: no fd, no clock, so time limits are the caller's. Used to put
 * held or collected mail back into the stream: plain text on a local link; no TLS, no AUTH.
 *
 * The talk: feed -> READY -> smtp_mail -> RCPT... -> BODY -> smtp_body...,
 * smtp_body_end -> DONE for each recipient -> MAIL_END -> smtp_mail again or
 * smtp_quit -> CLOSED. Every recipient given gets exactly one final event (DONE),
 * whatever happens, unless the link breaks: then FAILED, and all recipients
 * without DONE are unknown: what was sent may or may not have been taken.
 *
 * A server that breaks the rules (speaks before asked, endless lines, garbage)
 * ends the talk with FAILED. Ceilings: SMTP_* below.
 *
 * Where the server offers PIPELINING, MAIL, all RCPTs and DATA leave as one group (RFC 2920).
 */
#ifndef QUELL_WIRE_SMTP_H
#define QUELL_WIRE_SMTP_H

#include "base/buf.h"

enum smtp_kind { SMTP_SMTP, SMTP_LMTP };

enum {
	SMTP_LINE_BYTES_MAX = 2048,     /* of one reply line (RFC 5321 4.5.3.1.5 says 512) */
	SMTP_REPLY_LINES_MAX = 100,     /* of one reply */
	SMTP_REPLY_TEXT_BYTES = 512,    /* kept of its text */
	SMTP_RCPTS_MAX = 1000,          /* of one mail */
	SMTP_PATH_BYTES_MAX = 512,      /* of one address */
	SMTP_OUT_BYTES_MAX = 1024 * 1024, /* unsent bytes; smtp_body refuses past this */
};

/* What the server can do (EHLO, LHLO). */
enum smtp_can {
	SMTP_CAN_PIPELINING = 1 << 0, SMTP_CAN_8BITMIME = 1 << 1, SMTP_CAN_SIZE = 1 << 2,
	SMTP_CAN_SMTPUTF8 = 1 << 3, SMTP_CAN_ENHANCED = 1 << 4, SMTP_CAN_DSN = 1 << 5,
};

struct smtp_reply {
	int code;            /* 200 to 599; 0: no reply (local refusal) */
	char enhanced[12];   /* "5.7.1"; "" when the server gave none */
	struct slice text;   /* of all lines, blank between them, without codes; bounded;
				lives until the next smtp_next or smtp_feed */
};
/* 2yz; 4yz; anything else is permanent. */
bool smtp_is_taken(const struct smtp_reply *reply);
bool smtp_is_temporary(const struct smtp_reply *reply);

enum smtp_event_kind {
	SMTP_NONE,      /* nothing to tell: feed more */
	SMTP_READY,     /* greeted: smtp_mail may be called; reply is EHLO's */
	SMTP_BODY,      /* at least one recipient is taken: give the mail's bytes now */
	SMTP_DONE,      /* final word for one recipient: rcpt (index) and reply */
	SMTP_MAIL_END,  /* all recipients are done; READY for the next mail */
	SMTP_CLOSED,    /* after smtp_quit; or the server said 421: reply (recipients that
			   were open got DONE with it before) */
	SMTP_FAILED,    /* the talk is over: why, and reply where there is one */
};

struct smtp_event {
	enum smtp_event_kind kind;
	size_t rcpt;
	struct smtp_reply reply;
	const char *why;     /* FAILED: in words; else NULL */
};

struct smtp_mail {
	struct slice from;         /* without <>; empty is the null sender */
	const struct slice *rcpts; /* without <> */
	size_t rcpt_count;         /* 1 to SMTP_RCPTS_MAX */
	uint64_t size_bytes;       /* 0: not said */
	bool is_8bit;              /* the body holds bytes above 127 */
	bool want_no_dsn;          /* NOTIFY=NEVER where the server offers DSN (RFC 3461 4.1) */
	bool is_probe;             /* only ask about the recipients: no DATA; a taken one gets DONE
				      with the server's word, then RSET, then MAIL_END */
};

struct smtp;

/* helo: our name; text that cannot stand in a command gives NULL, as does want of
 * memory. The talk begins with the server's greeting. */
struct smtp *smtp_new(enum smtp_kind kind, struct slice helo);
/* Sets the pointer to NULL; NULL is welcome. */
void smtp_free(struct smtp **s);

/* Takes bytes of the server. Take all events with smtp_next (until SMTP_NONE) before
 * feeding again, and act on each before the next. */
void smtp_feed(struct smtp *s, struct slice bytes);
/* The server closed the link. */
void smtp_feed_end(struct smtp *s);
/* The next event; kind SMTP_NONE when there is none. */
void smtp_next(struct smtp *s, struct smtp_event *event_out);

/* Bytes for the server: send from the front, then buf_consume what was sent. */
struct buf *smtp_out(struct smtp *s);

/* May this stand between < and > of a command (RFC 5321 4.1.2)? Not control bytes; blanks
 * and <> only in quotes; at most SMTP_PATH_BYTES_MAX. Empty may. */
bool smtp_is_path(struct slice path);

/* Begins a mail; after READY or MAIL_END only. False when an address cannot stand
 * in a command (smtp_is_path; an empty recipient) or there is no memory; nothing was
 * begun then, nothing is in the out buffer of it. The addresses are copied. */
bool smtp_mail(struct smtp *s, const struct smtp_mail *mail);
/* Bytes of the mail, cut anywhere, after SMTP_BODY. LF becomes CRLF, leading dots
 * are doubled (RFC 5321 4.5.2); a bare CR stays as it is. Returns how many bytes
 * were taken: fewer than given when the out buffer is full (send, then go on); 0 too
 * when the talk is broken (no memory): smtp_next says so. */
size_t smtp_body(struct smtp *s, struct slice bytes);
/* Ends the mail. False when the out buffer is full: send, then call again; or when the
 * talk is broken: then the end was not said, and smtp_next says why. */
bool smtp_body_end(struct smtp *s);
/* Says QUIT, after READY or MAIL_END. */
void smtp_quit(struct smtp *s);

/* Has the end of the mail under way been said (smtp_body_end), without a last word on it? */
bool smtp_is_awaiting_word(const struct smtp *s);

/* enum smtp_can; after READY. */
unsigned smtp_can(const struct smtp *s);
/* The server's SIZE limit; 0 when it named none. */
uint64_t smtp_size_max(const struct smtp *s);

#endif
