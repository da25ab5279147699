/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3_inside: what the files of the POP3 codec share; nobody else includes it. pop3.c
 * reads the talk, pop3_give.c adds commands to it; pop3_words.c and pop3_mail.c know
 * nothing of it: the words of a line, and the unstuffing of a mail.
 */
#ifndef QUELL_WIRE_POP3_INSIDE_H
#define QUELL_WIRE_POP3_INSIDE_H

#include "wire/pop3.h"

/* ---- pop3_words.c: lines come without their CRLF ---- */

/* Splits "+OK text" and "-ERR text"; false when the line is neither. The code is left. */
bool pop3_read_status(struct slice line, struct pop3_reply *reply_out);
/* is_login: the words that servers write in place of [IN-USE] count too. */
enum pop3_code pop3_read_code(struct slice text, bool is_login);
/* "count bytes ..." of STAT. */
bool pop3_read_stat(struct slice text, struct pop3_event *event_out);
/* One row of LIST or UIDL, which event_out->command says. */
bool pop3_read_row(struct slice line, struct pop3_event *event_out);
/* One row of CAPA; unknown ones are passed over. */
void pop3_learn_cap(struct pop3_caps *caps, struct slice line);

/* ---- pop3_mail.c ---- */

enum pop3_mail_state {
	MAIL_AT_START, /* the next byte begins a line */
	MAIL_AT_DOT,   /* a dot began the line: stuffing, or the end's */
	MAIL_AT_DOT_CR,/* and a CR followed */
	MAIL_IN_LINE,
	MAIL_AT_CR,    /* in a line, the last byte was a CR */
};

enum pop3_cut { POP3_CUT_MORE, POP3_CUT_BYTES, POP3_CUT_END };

/* Takes bytes off *unread: the next run of the mail in *bytes_out (CUT_BYTES), or the
 * terminator (CUT_END), or all there is with nothing to give yet (CUT_MORE). *state
 * begins as MAIL_AT_START. The run points into *unread, or to static memory. */
enum pop3_cut pop3_cut_mail(enum pop3_mail_state *state, struct slice *unread, struct slice *bytes_out);

/* ---- the talk ---- */

enum pop3_reading { READING_STATUS, READING_ROWS, READING_MAIL };

struct pop3_asked {
	enum pop3_command command;
	uint32_t number;
	uint64_t given_at; /* bytes fed before */
};

struct pop3 {
	struct buf out;
	size_t out_high;             /* of out: bytes behind len, up to here, may be secret */
	struct pop3_asked asked[POP3_OPEN_MAX];
	size_t first, open;          /* of the ring */
	enum pop3_reading reading;   /* of the head's answer */
	enum pop3_mail_state mail;
	uint32_t rows;
	struct slice unread;         /* the caller's */
	uint64_t fed;                /* bytes so far, unread ones included */
	char line[POP3_CHALLENGE_BYTES_MAX + 1];
	size_t line_len;
	bool is_line_used;           /* line was handed out whole: forget it at the next step */
	struct pop3_reply reply;     /* its text is kept in text */
	char text[POP3_TEXT_BYTES];
	bool has_reply;
	struct pop3_caps caps;
	struct sasl *sasl;           /* while AUTH is open */
	bool is_first_word_said;     /* AUTH: sasl_first is out */
	uint8_t challenge[SASL_CHALLENGE_BYTES_MAX];
	bool is_eof, is_over, is_refused;
	const char *broken;          /* why; told as FAILED at the next pop3_next */
};

/* pop3.c: zeroes what was taken off the out buffer since the last call. */
void pop3_wipe_sent(struct pop3 *p);
/* pop3.c: nothing may be given behind it while it is open. */
bool pop3_is_last(enum pop3_command command);

#endif
