/* SPDX-License-Identifier: Apache-2.0
 *
 * held: one mail file of the hold, to and from bytes. Pure.
 *
 *   quell-hold: 1
 *   sum: 32 hex digits, BLAKE2b-128 over all that follows this line
 *   id: H0...                  time: 1133860803123 (one field a line)
 *   incident, queue-id, mail-from, client, helo, rule, reason, instance
 *   body: 64 hex digits, BLAKE2b-256 of the body, or - when there is none
 *   body-bytes: N              header-bytes: N
 *   rcpt: first|hold|suppress PAIR-HEX ADDRESS   (one line per recipient)
 *   (empty line)
 *   the mail's header, CRLF line ends
 *
 * It says everything the index says, so the index can be made again from it. A
 * large one is compressed (zstd frame around all of it). Whatever bytes come in,
 * held_decode either gives a mail whose sum is right or says what is wrong; the
 * file names it holds (id, body) are checked before anybody opens them.
 */
#ifndef QUELL_STORE_HELD_H
#define QUELL_STORE_HELD_H

#include "base/error.h"
#include "store/store.h"

enum {
	HELD_TEXT_BYTES_MAX = 8 * 1024 * 1024, /* of the file's text */
	HELD_RCPTS_MAX = 20000,
	HELD_ADDRESS_BYTES = 256,   /* with the NUL; RFC 5321 4.5.3.1.3 allows 254 */
	BODY_NAME_BYTES = 2 * DIGEST_BYTES + 1,
};

/* As the index has it: a first copy that is held never expires. */
enum { HELD_DEED_FIRST = 5 };

struct held_rcpt {
	enum deed deed;              /* HOLD or SUPPRESS */
	bool is_first;               /* "first" in the file: nothing of it has got through */
	uint8_t pair[12];
	char address[HELD_ADDRESS_BYTES];
};

struct held {
	char id[HOLD_ID_BYTES];
	int64_t time_ms;
	char incident[INCIDENT_ID_BYTES];
	char queue_id[64], mail_from[HELD_ADDRESS_BYTES], client[256], helo[256];
	char rule[32], reason[REASON_BYTES];
	uint8_t instance[DIGEST_SHORT_BYTES];
	char body[BODY_NAME_BYTES];  /* hex, or "-" */
	uint64_t body_bytes, header_bytes;
	struct held_rcpt *rcpts;     /* owned */
	size_t rcpt_count;
};

/* NULL is welcome in h->rcpts. */
void held_free(struct held *h);

/* "H" and 21 base-32 digits: the time, then chance; sorts by time. */
void held_make_id(int64_t now_ms, char id_out[HOLD_ID_BYTES]);
bool held_id_is_valid(const char *id);
bool held_body_is_valid(const char *body);

/* A copy fit for a line: cut to fit, control bytes become '?'. */
void held_text(char *out, size_t out_bytes, struct slice s);
/* The same, but false instead of any change: for what mail is sent to. */
bool held_address(char out[HELD_ADDRESS_BYTES], struct slice s);

/* Appends the text. False: past the ceiling or no memory (out->is_over). */
bool held_encode(const struct held *h, struct slice header, struct buf *out);
/* The file's bytes, compressed when that saves a block; raw is the text. */
bool held_pack(struct slice raw, struct buf *out);
/* Undoes held_pack, never past HELD_TEXT_BYTES_MAX. */
bool held_unpack(struct slice file, struct buf *text_out, struct error *error);
/* header_out points into text. On success the caller frees h with held_free. */
bool held_decode(struct slice text, struct held *h_out, struct slice *header_out,
		 struct error *error);

#endif
