/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3: the client side of POP3 (RFC 1939, 2449, 2595, 3206, 5034), pure.
 *
 * Bytes of the server go in, events come out, commands gather in an out buffer: no
 * fd, no clock, no file. Commands may be given one behind the other (PIPELINING,
 * RFC 2449 6.6); their answers come in order. How many may be open is the caller's
 * choice, up to POP3_OPEN_MAX; servers without PIPELINING get one at a time.
 *
 * The codec is strict (hazards 24, 25, 31 of the connector): a listing or mail ends
 * at exactly CRLF "." CRLF and nowhere else; dot-stuffing is undone once; a word
 * nobody asked for, a row out of its form, a status that is neither +OK nor -ERR, a
 * line past its limit ends the talk with FAILED. A mail whose end was not seen is no
 * mail: only POP3_MAIL_END says that it is whole. Sizes in LIST and RETR are hints.
 * Every line of the server's own ends with CRLF. An answer that was fed before its
 * command was given is a word nobody asked for. Numbers of listing rows are 1 to
 * 2^32-1; whether they repeat or go down is the caller's matter. Taken as they are:
 * "+ok" and "-err" in any case and without text, more words behind a row's size,
 * blanks behind a unique id.
 *
 * Secrets: the out buffer is made whole at birth and never moves. What was taken off
 * it (buf_consume) is zeroed at the next call of any function here but the const ones,
 * all of it at FAILED and in pop3_free.
 *
 * Bytes of a mail are given as they are on the wire (CRLF, bare CR, bare LF and NUL
 * alike), without the terminator and its dot. Ceilings: POP3_* below.
 */
#ifndef QUELL_WIRE_POP3_H
#define QUELL_WIRE_POP3_H

#include "base/buf.h"
#include "wire/sasl.h"

enum {
	POP3_LINE_BYTES_MAX = 2048,      /* of a status line or listing row (RFC 2449 4: 512) */
	POP3_CHALLENGE_BYTES_MAX = 12288,/* of a server's line in AUTH, in base64 */
	POP3_TEXT_BYTES = 512,           /* kept of a status line's text */
	POP3_OPEN_MAX = 256,             /* commands whose answer has not come yet */
	POP3_OUT_BYTES_MAX = 64 * 1024,
	POP3_ROWS_MAX = 1000000,         /* of one listing */
	POP3_ARGUMENT_BYTES_MAX = 255,   /* user name, password */
	POP3_UIDL_BYTES_MAX = 1024,      /* of a unique id as taken; RFC 1939 says 70 */
};

enum pop3_command {
	POP3_CONNECT, /* the greeting is its answer */
	POP3_CAPA, POP3_STLS, POP3_USER, POP3_PASS, POP3_AUTH, POP3_STAT, POP3_LIST, POP3_UIDL,
	POP3_TOP, POP3_RETR, POP3_DELE, POP3_RSET, POP3_NOOP, POP3_QUIT,
};
/* "RETR", ...; "greeting" for POP3_CONNECT. */
const char *pop3_command_name(enum pop3_command command);

/* What CAPA says (RFC 2449; 2595 STLS; 5034 SASL). */
enum pop3_can {
	POP3_CAN_TOP = 1 << 0, POP3_CAN_USER = 1 << 1, POP3_CAN_UIDL = 1 << 2,
	POP3_CAN_STLS = 1 << 3, POP3_CAN_PIPELINING = 1 << 4, POP3_CAN_RESP_CODES = 1 << 5,
	POP3_CAN_AUTH_RESP_CODE = 1 << 6, POP3_CAN_UTF8 = 1 << 7,
};
struct pop3_caps {
	bool is_known;             /* the server answered CAPA with +OK */
	unsigned can;              /* enum pop3_can */
	unsigned mechanisms;       /* bits 1 << enum sasl_mechanism */
	int64_t login_delay_ms;    /* LOGIN-DELAY; 0: none said; per-user variants count */
	int64_t expire_days;       /* EXPIRE; -1: none said, or NEVER */
	bool is_expire_said;
	char implementation[128];  /* printable ASCII; "" when not said */
};

/* Response codes of -ERR (RFC 2449 8, RFC 3206), and what servers without them write:
 * in answers to the greeting, USER, PASS and AUTH the words "locked", "lock", "in use",
 * "already" count as IN_USE when there is no code. */
enum pop3_code {
	POP3_CODE_NONE, POP3_CODE_IN_USE, POP3_CODE_LOGIN_DELAY, POP3_CODE_SYS_TEMP,
	POP3_CODE_SYS_PERM, POP3_CODE_AUTH, POP3_CODE_OTHER,
};

struct pop3_reply {
	bool is_ok;
	enum pop3_code code;       /* of -ERR only */
	struct slice text;         /* behind +OK or -ERR, response code included, as sent; bounded;
				      lives until the next pop3_next or pop3_feed */
};

enum pop3_event_kind {
	POP3_NONE,      /* nothing to tell: feed more */
	POP3_REPLY,     /* the final word on one command: command, number, reply. For CAPA caps are
			   ready (also after -ERR: then none); for AUTH the exchange is over; for
			   LIST, UIDL, TOP, RETR: -ERR, or +OK and rows or bytes follow */
	POP3_ROW,       /* of LIST: number, size_bytes; of UIDL: number, uidl */
	POP3_ROWS_END,  /* the listing is whole (command says which) */
	POP3_MAIL_BYTES,/* of RETR or TOP: bytes; lives until the next pop3_next or pop3_feed */
	POP3_MAIL_END,  /* the mail is whole: number, command */
	POP3_TLS,       /* STLS was taken (reply): start TLS now, then feed plain text again; nothing
			   was buffered behind it (that would have been FAILED); caps are forgotten.
			   Not taken: REPLY with -ERR */
	POP3_CLOSED,    /* after QUIT's answer (reply), or the server's end after QUIT without one
			   (reply.is_ok false, empty text): deletions unknown */
	POP3_FAILED,    /* the talk is over: why; reply where there is one (not dependable: it needs
			   the server's whole line in one feed). After it: no event, no bytes out */
};

struct pop3_event {
	enum pop3_event_kind kind;
	enum pop3_command command;
	uint32_t number;           /* of the mail; 0 where there is none */
	uint64_t size_bytes;       /* LIST row; STAT: bytes of all, number: how many */
	struct slice uidl;         /* UIDL row: 1 to POP3_UIDL_BYTES_MAX bytes 0x21-0x7e, or whatever
				      the server sent in its place (the caller hashes what is odd) */
	struct slice bytes;
	struct pop3_reply reply;
	const char *why;           /* FAILED: in words; else NULL */
};

struct pop3;

/* The talk begins with the server's greeting (event REPLY of POP3_CONNECT, which counts
 * as open until then). After -ERR there only pop3_quit is left. NULL: no memory. */
struct pop3 *pop3_new(void);
/* Secrets in the out buffer are zeroed. Sets the pointer to NULL; NULL is welcome. */
void pop3_free(struct pop3 **p);

/* Takes bytes of the server: they must stay where they are until pop3_next said
 * POP3_NONE, which must come before feeding again (mail bytes are not copied). What
 * then is unfinished (a line cut in two) is kept inside. */
void pop3_feed(struct pop3 *p, struct slice bytes);
/* The server closed the link. */
void pop3_feed_end(struct pop3 *p);
void pop3_next(struct pop3 *p, struct pop3_event *event_out);

/* Bytes for the server: send from the front, then buf_consume. The caller must not
 * log them: they hold passwords. */
struct buf *pop3_out(struct pop3 *p);
/* Commands whose answer has not come (RETR: whose mail is not whole). */
size_t pop3_open(const struct pop3 *p);
/* Of the last CAPA; all empty before, and after TLS began. */
const struct pop3_caps *pop3_caps(const struct pop3 *p);

/* Each adds one command. False, and nothing is sent, when the talk is over, too many
 * are open, the greeting, STLS or AUTH is open, the out buffer is full, or an argument
 * cannot stand in a command (empty, control bytes, mail number 0; blanks in a user name
 * are fine, RFC 1939 4 gives the rest of the line). */
bool pop3_capa(struct pop3 *p);
bool pop3_stls(struct pop3 *p);           /* only with nothing else open */
bool pop3_user(struct pop3 *p, struct slice user);
bool pop3_pass(struct pop3 *p, struct slice password);
/* The whole exchange; sasl must live until its REPLY. want_initial: the first word of
 * the client stands in the AUTH line (RFC 5034 4; Exchange Online refuses that for
 * XOAUTH2, so the caller gives false there); where the line would pass 255 bytes it is
 * sent apart all the same, as RFC 5034 wants. A SCRAM server that does not prove
 * itself ends in FAILED. Only with nothing else open. */
bool pop3_auth(struct pop3 *p, struct sasl *sasl, bool want_initial);
bool pop3_stat(struct pop3 *p);
bool pop3_list(struct pop3 *p);
bool pop3_uidl(struct pop3 *p);
bool pop3_top(struct pop3 *p, uint32_t number, uint32_t body_lines);
bool pop3_retr(struct pop3 *p, uint32_t number);
bool pop3_dele(struct pop3 *p, uint32_t number);
bool pop3_noop(struct pop3 *p);
/* After it nothing more may be given. */
bool pop3_quit(struct pop3 *p);

#endif
