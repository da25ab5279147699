/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect: what the connector must know of a mail's header, and nothing more.
 *
 * Read: Return-Path, the one declared envelope header, how many Received fields there
 * are and whose the top ones are, our own stamp. To, Cc, Bcc, Resent-* and "for" in
 * Received are never looked at for where a mail goes (R1); To and Cc only for the mark
 * that the faulty connector of 2005 leaves (hazard 10), which gives a warning.
 *
 * Pure in effect: bytes in, a struct out; no settings but those given.
 */
#ifndef QUELL_FETCH_INSPECT_H
#define QUELL_FETCH_INSPECT_H

#include "base/hash.h"
#include "base/setting.h"
#include "store/ledger.h"

enum {
	INSPECT_HEADER_BYTES_MAX = 512 * 1024, /* a longer header goes to quarantine */
	INSPECT_RECEIVED_MAX = 100,            /* so many Received fields are a loop (hazard 9) */
	INSPECT_OURS_MAX = 3,                  /* and so many of our own host */
};

struct inspect_setup {
	const char *envelope_header;     /* "" for an account with one owner */
	struct setting_list isp_hosts;   /* may write above the envelope header */
	const char *our_host;            /* name in our own Received fields */
	const uint8_t *stamp_key;        /* HASH_KEY_BYTES */
};

enum envelope_found {
	ENVELOPE_NONE,      /* no such field above the first foreign Received */
	ENVELOPE_ONE,       /* address is set */
	ENVELOPE_MANY,      /* more than one address in it, or none that a map could hold */
};

struct inspection {
	char return_path[LEDGER_PATH_BYTES];  /* "": none, null, or not one plain ASCII address */
	enum envelope_found envelope;
	char address[LEDGER_PATH_BYTES];
	unsigned received, received_ours;
	bool is_stamped;                      /* carries a stamp of ours that is true (hazard 7) */
	bool is_marked;                       /* mspop3connector. or IMB Recipient in To or Cc */
	uint8_t top[LEDGER_TOP_BYTES];        /* hash without the fields that servers change */
};

/* header: with its line ends, up to and without the empty line. digest: begun by the
 * caller; gets the fields without the volatile ones, so that with the body behind it
 * becomes the print of the mail. */
void inspect_header(const struct inspect_setup *setup, struct slice header, struct digest *digest,
		    struct inspection *inspection_out);

enum { STAMP_BYTES = 240 };
/* "i=INSTANCE; a=ACCOUNT; n=ID; f=16 HEX; k=24 HEX", without a field name (hazard 7). i,
 * a and n are the fetch id: what a search for this very mail looks for. */
void stamp_make(const uint8_t *key, const char *instance, const struct ledger_row *row, char out[STAMP_BYTES]);
/* The part up to and with n, as the search wants it. */
void stamp_search(const char *instance, const struct ledger_row *row, char out[STAMP_BYTES]);
bool stamp_is_ours(const uint8_t *key, struct slice value);

#endif
