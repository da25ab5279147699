/* SPDX-License-Identifier: Apache-2.0
 *
 * import_in: what the readers of old settings share, and nobody else.
 *
 * A reader fills one struct import_account for each box and hands it to
 * import_account_end, which writes only what quell config check takes; the rest
 * becomes a comment "# OPEN:". No text of the old file goes into a warning but through
 * import_quote, and no password goes anywhere.
 */
#ifndef QUELL_FETCH_IMPORT_IN_H
#define QUELL_FETCH_IMPORT_IN_H

#include "base/arena.h"
#include "fetch/account.h"
#include "fetch/import.h"

enum { IMPORT_NAMES_MAX = 512, IMPORT_ARENA_BYTES = 16 * 1024 * 1024, IMPORT_SHOWN_BYTES = 100 };

struct import_box {
	struct slice host, user;
	char label[FETCH_LABEL_BYTES_MAX + 1];
};

struct import {
	const char *name;
	struct arena arena;
	struct buf accounts;         /* section accounts, without its first line */
	struct buf *settings, *warnings;
	struct import_count *count;
	struct import_box *boxes;    /* those that were written */
	size_t box_count;
	/* Section fetch; 0 and "": the default. */
	char deliver[320];
	uint64_t every_s, mail_bytes_max, session_mails;
};

/* "address = mailbox"; an address without "@" misses its domain. */
struct import_pair {
	struct slice address, mailbox;
};

struct import_account {
	unsigned line;
	struct slice host, user, ca_file;
	uint64_t port;
	bool is_implicit_tls;        /* else STLS, or none to a loopback host */
	bool is_multidrop;
	struct slice mailbox;        /* of a single one */
	struct slice envelope;
	struct import_pair pairs[IMPORT_NAMES_MAX];
	size_t pair_count;
	struct slice command[16];    /* of the password; count 0: a password_file */
	size_t command_count;
	const char *auth;            /* NULL: auto */
	const char *delete_when;
	uint64_t delete_days, every_s;
	bool is_paused;
};

bool import_begin(struct import *im, const char *name, struct buf *settings_out, struct buf *warnings_out,
		  struct import_count *count_out);
/* Writes what was gathered; false for want of memory. */
bool import_end(struct import *im);

/* One line "NAME:LINE: ...". */
void import_warn(struct import *im, unsigned line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A line that is not understood: the same, and it is counted. */
void import_unread(struct import *im, unsigned line, const char *what);
const char *import_quote(struct slice s, char out[IMPORT_SHOWN_BYTES]);

/* Writes the account, or warns why not. */
void import_account_end(struct import *im, struct import_account *account);
void import_add_pair(struct import *im, struct import_account *account, struct slice address, struct slice mailbox);
/* smtp://HOST:PORT and the like; the first one counts, another is a warning. */
void import_deliver(struct import *im, unsigned line, bool is_lmtp, struct slice host, uint64_t port);

#endif
