/* SPDX-License-Identifier: Apache-2.0
 *
 * milter: the Sendmail 8 mail filter protocol, versions 2 to 6, both sides.
 *
 * A pure codec: bytes to packets, packets to structs, replies to bytes. No fd, no
 * state machine: who speaks when is the door's business. libmilter is not used
 * because its thread and reply per step cost 5-10 times what an event loop costs.
 *
 * Frame: 4 bytes big-endian length (command included), 1 byte command, payload.
 * All slices point into the bytes given and live as long as those. Nothing is
 * allocated but in the struct buf that the caller hands in. A packet that breaks
 * the rules is a *world* trouble: a named enum milter_trouble, never a read past
 * the end. What it cannot do: version 1, and data packets above 1 MiB.
 */
#ifndef QUELL_WIRE_MILTER_H
#define QUELL_WIRE_MILTER_H

#include "base/buf.h"

enum {
	MILTER_VERSION_MIN = 2,
	MILTER_VERSION_MAX = 6,
	MILTER_CHUNK_BYTES = 65535,              /* body chunk of the base protocol */
	MILTER_PACKET_BYTES_MAX = 1024 * 1024 + 512, /* 1 MiB data and what frames it */
	MILTER_REPLY_TEXT_BYTES_MAX = 980,       /* of one SMTP reply, as libmilter has it */
};

/* MTA to filter. */
enum milter_cmd {
	MILTER_ABORT = 'A', MILTER_BODY = 'B', MILTER_CONNECT = 'C', MILTER_MACRO = 'D',
	MILTER_EOM = 'E', MILTER_HELO = 'H', MILTER_QUIT_NC = 'K', MILTER_HEADER = 'L',
	MILTER_MAIL = 'M', MILTER_EOH = 'N', MILTER_OPTNEG = 'O', MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R', MILTER_DATA = 'T', MILTER_UNKNOWN = 'U',
};

/* Filter to MTA. OPTNEG answers OPTNEG. */
enum milter_answer {
	MILTER_ADDRCPT = '+', MILTER_DELRCPT = '-', MILTER_ADDRCPT_PAR = '2', MILTER_SHUTDOWN = '4',
	MILTER_ACCEPT = 'a', MILTER_REPLBODY = 'b', MILTER_CONTINUE = 'c', MILTER_DISCARD = 'd',
	MILTER_CHGFROM = 'e', MILTER_CONN_FAIL = 'f', MILTER_ADDHEADER = 'h', MILTER_INSHEADER = 'i',
	MILTER_CHGHEADER = 'm', MILTER_PROGRESS = 'p', MILTER_QUARANTINE = 'q', MILTER_REJECT = 'r',
	MILTER_SKIP = 's', MILTER_TEMPFAIL = 't', MILTER_REPLYCODE = 'y',
};

/* What a filter may do to a mail (negotiated). */
enum milter_action {
	MILTER_MAY_ADDHDRS = 0x1, MILTER_MAY_CHGBODY = 0x2, MILTER_MAY_ADDRCPT = 0x4,
	MILTER_MAY_DELRCPT = 0x8, MILTER_MAY_CHGHDRS = 0x10, MILTER_MAY_QUARANTINE = 0x20,
	MILTER_MAY_CHGFROM = 0x40, MILTER_MAY_ADDRCPT_PAR = 0x80, MILTER_MAY_SETSYMLIST = 0x100,
	MILTER_MAY_ALL = 0x1ff,
};

/* Steps: NO_x: do not send x; NR_x: no reply to x is awaited (negotiated). */
enum milter_step {
	MILTER_NO_CONNECT = 0x1, MILTER_NO_HELO = 0x2, MILTER_NO_MAIL = 0x4, MILTER_NO_RCPT = 0x8,
	MILTER_NO_BODY = 0x10, MILTER_NO_HEADER = 0x20, MILTER_NO_EOH = 0x40, MILTER_NR_HEADER = 0x80,
	MILTER_NO_UNKNOWN = 0x100, MILTER_NO_DATA = 0x200,
	MILTER_CAN_SKIP = 0x400,        /* the MTA understands MILTER_SKIP */
	MILTER_RCPT_REJECTED = 0x800,   /* send also recipients that were refused */
	MILTER_NR_CONNECT = 0x1000, MILTER_NR_HELO = 0x2000, MILTER_NR_MAIL = 0x4000,
	MILTER_NR_RCPT = 0x8000, MILTER_NR_DATA = 0x10000, MILTER_NR_UNKNOWN = 0x20000,
	MILTER_NR_EOH = 0x40000, MILTER_NR_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000,/* header values keep their leading blank, both ways */
	MILTER_DATA_256K = 0x10000000, MILTER_DATA_1M = 0x20000000, /* packet size, both ways */
	MILTER_STEPS_ALL = 0x1fffff,
};

/* Stages of the macro lists asked for in OPTNEG. */
enum milter_stage {
	MILTER_AT_CONNECT, MILTER_AT_HELO, MILTER_AT_MAIL, MILTER_AT_RCPT, MILTER_AT_DATA,
	MILTER_AT_EOM, MILTER_AT_EOH, MILTER_STAGE_COUNT,
};

enum milter_trouble {
	MILTER_FINE,
	MILTER_EMPTY_PACKET,     /* length 0: not even a command */
	MILTER_TOO_LONG,         /* length above the ceiling */
	MILTER_UNKNOWN_COMMAND,
	MILTER_TOO_SHORT,        /* payload ends before its last field */
	MILTER_NO_NUL,           /* a text without its NUL */
	MILTER_TOO_MUCH,         /* bytes after the last field */
	MILTER_BAD_FAMILY,       /* CONNECT with an unknown address family */
	MILTER_BAD_STAGE,        /* MACRO for no known command */
	MILTER_ODD_MACRO,        /* a macro name without a value */
	MILTER_OLD_VERSION,      /* below MILTER_VERSION_MIN */
	MILTER_LACKS_ACTION,     /* the MTA does not offer an action that is needed */
	MILTER_LACKS_STEP,       /* the same for a step */
	MILTER_NO_ROOM,          /* the reply buffer is at its ceiling */
	MILTER_TROUBLE_COUNT,
};
/* In words; never NULL. */
const char *milter_trouble_text(enum milter_trouble trouble);
/* "CONNECT", "MAIL", ...; "?" for none. For logs. */
const char *milter_cmd_name(char cmd);

/* ---- frames, both sides ---- */

struct milter_packet {
	char cmd;
	struct slice payload;
};

enum milter_take { MILTER_GOT, MILTER_MORE, MILTER_BROKEN };

/* Takes one whole packet off the front of *bytes. MORE: not all there yet, *bytes
 * is untouched: call again with more appended. BROKEN: the peer cannot be
 * followed any further; *trouble_out says why. packet_bytes_max bounds the
 * length field (use MILTER_PACKET_BYTES_MAX or less). Never reads a payload, so
 * feeding byte by byte costs O(1) each. */
enum milter_take milter_take(struct slice *bytes, size_t packet_bytes_max,
			     struct milter_packet *packet_out, enum milter_trouble *trouble_out);

/* ---- filter side: what the MTA says ---- */

struct milter_offer {
	uint32_t version, actions, steps;
};
struct milter_macros {
	char cmd;            /* the command the macros belong to */
	struct slice pairs;  /* for milter_macro_next */
};
struct milter_connect {
	struct slice host;   /* PTR name, or "[192.0.2.1]" */
	char family;         /* '4', '6', 'L' (unix) or 'U' (unknown) */
	uint16_t port;       /* 0 when unknown */
	struct slice addr;   /* text without "IPv6:"; a path for 'L'; empty for 'U' */
};
struct milter_envelope {
	struct slice addr;   /* exactly as sent, with <> as a rule */
	struct slice args;   /* ESMTP arguments, for milter_text_next */
};
struct milter_header {
	struct slice name, value; /* the value may be folded, with LF or CRLF */
};

struct milter_event {
	char cmd;
	union {
		struct milter_offer offer;       /* OPTNEG */
		struct milter_macros macros;     /* MACRO */
		struct milter_connect connect;   /* CONNECT */
		struct milter_envelope envelope; /* MAIL, RCPT */
		struct milter_header header;     /* HEADER */
		struct slice text;               /* HELO, UNKNOWN */
		struct slice data;               /* BODY, EOM (may be empty) */
	};
};

/* Decodes one packet of the MTA. DATA, EOH, ABORT, QUIT and QUIT_NC have no
 * payload; what they carry all the same is ignored, as libmilter does. */
enum milter_trouble milter_decode(const struct milter_packet *packet, struct milter_event *event_out);

/* Takes the next NUL-ended text off *rest; false when there is none. */
bool milter_text_next(struct slice *rest, struct slice *text_out);
/* Takes the next macro off *rest; the name comes without braces. */
bool milter_macro_next(struct slice *rest, struct slice *name_out, struct slice *value_out);
/* The value of a macro named without braces ("i", "auth_authen"). */
bool milter_macro_find(const struct milter_macros *macros, struct slice name, struct slice *value_out);

/* ---- negotiation ---- */

struct milter_macro_list {
	enum milter_stage stage;
	const char *names; /* "i {auth_authen}" */
};

struct milter_wish {
	uint32_t actions_needed, actions_liked;
	uint32_t steps_needed, steps_liked;
	const struct milter_macro_list *lists; /* sent where SETSYMLIST is offered */
	size_t list_count;
};

struct milter_grant {
	uint32_t version, actions, steps;
	size_t data_bytes_max; /* of one packet's data: 65535, 256 KiB - 1 or 1 MiB - 1 */
};

/* Answers an offer: *grant_out and the OPTNEG reply in reply. On trouble nothing
 * is written and the connection should be closed with the text logged. */
enum milter_trouble milter_negotiate(const struct milter_offer *offer, const struct milter_wish *wish,
				     struct milter_grant *grant_out, struct buf *reply);

/* Does the MTA wait for a reply to this command? (MACRO, ABORT, QUIT: never.) */
bool milter_wants_reply(const struct milter_grant *grant, char cmd);

/* ---- filter side: replies ----
 * Each appends one whole packet or nothing. False: the buffer is at its ceiling
 * (is_over), or the text given cannot be sent safely (NUL, bare line end, empty
 * or wrong name or code); then the buffer is as it was. Whether the action was
 * granted is for the caller to know. */

/* CONTINUE, ACCEPT, DISCARD, REJECT, TEMPFAIL, SKIP, PROGRESS, SHUTDOWN, CONN_FAIL. */
bool milter_put_answer(struct buf *b, enum milter_answer answer);
/* code: "4xx" or "5xx"; enhanced: "x.y.z" with the same first digit (Postfix
 * refuses a reply without it); text: one line. Each % is doubled on the wire,
 * because Sendmail prints through it and Postfix undoes it. */
bool milter_put_replycode(struct buf *b, struct slice code, struct slice enhanced, struct slice text);
bool milter_put_quarantine(struct buf *b, struct slice reason);
/* Values may be folded: LF (or CRLF) followed by a blank or tab. */
bool milter_put_addheader(struct buf *b, struct slice name, struct slice value);
/* index 0 is the very top. */
bool milter_put_insheader(struct buf *b, uint32_t index, struct slice name, struct slice value);
/* index counts fields of that name from 1; an empty value deletes. */
bool milter_put_chgheader(struct buf *b, uint32_t index, struct slice name, struct slice value);
/* args may be empty; if not, MILTER_MAY_ADDRCPT_PAR is needed. */
bool milter_put_addrcpt(struct buf *b, struct slice addr, struct slice args);
/* addr exactly as RCPT spelled it. */
bool milter_put_delrcpt(struct buf *b, struct slice addr);
bool milter_put_chgfrom(struct buf *b, struct slice addr, struct slice args);
/* At most grant.data_bytes_max a call; call again for more. */
bool milter_put_replbody(struct buf *b, struct slice chunk);

/* ---- MTA side: for tests, the bench and fake MTAs ---- */

struct milter_pair {
	struct slice name, value; /* the name as the wire has it: "i", "{auth_authen}" */
};

/* A packet with any payload: the base of all others. */
bool milter_send(struct buf *b, char cmd, struct slice payload);
bool milter_send_offer(struct buf *b, const struct milter_offer *offer);
bool milter_send_macros(struct buf *b, char cmd, const struct milter_pair *pairs, size_t count);
bool milter_send_connect(struct buf *b, const struct milter_connect *connect);
/* cmd MAIL or RCPT; args: array of single ESMTP arguments. */
bool milter_send_envelope(struct buf *b, char cmd, struct slice addr, const struct slice *args,
			  size_t arg_count);
bool milter_send_header(struct buf *b, struct slice name, struct slice value);
/* cmd HELO or UNKNOWN. */
bool milter_send_text(struct buf *b, char cmd, struct slice text);

struct milter_reply {
	char answer;                /* enum milter_answer, or MILTER_OPTNEG */
	struct milter_offer offer;  /* OPTNEG: version, actions, steps asked for */
	struct slice lists;         /* OPTNEG: the macro lists, for milter_list_next */
	uint32_t index;             /* INSHEADER, CHGHEADER */
	struct slice first, second; /* name and value; address and arguments; or text */
};
/* Decodes one packet of the filter. */
enum milter_trouble milter_decode_reply(const struct milter_packet *packet,
					struct milter_reply *reply_out);
/* Takes the next macro list off *rest; false at the end or when it is broken. */
bool milter_list_next(struct slice *rest, uint32_t *stage_out, struct slice *names_out);

#endif
