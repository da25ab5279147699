/* SPDX-License-Identifier: Apache-2.0
 *
 * import: a fetchmailrc or getmailrc to Quell settings, with a warning for each hazard
 * in the old file.
 *
 * Output is a settings file (sections fetch and accounts) that quell config check
 * accepts, except where a comment "# OPEN:" says what the old file did not tell.
 * Passwords are never printed: the settings name a password_file to be made, and a
 * comment says how. What the old file did and Quell never does (recipients from To and
 * Cc, wildcards, localdomains, mda commands, bouncemail, MultiGuesser, sslcertck off,
 * no TLS, APOP, lost state, ...) is a warning: "FILE:LINE: what; why; what Quell does".
 * What cannot be read is said with its line, and the rest goes on.
 */
#ifndef QUELL_FETCH_IMPORT_H
#define QUELL_FETCH_IMPORT_H

#include "base/buf.h"

enum { IMPORT_FILE_BYTES_MAX = 1024 * 1024 };

struct import_count {
	unsigned accounts, warnings, unread; /* unread: lines not understood */
};

/* text: the file; name: for the messages. settings_out: YAML; warnings_out: one line
 * each, printable. False only for want of memory. */
bool import_fetchmailrc(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
			struct import_count *count_out);
bool import_getmailrc(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
		      struct import_count *count_out);

#endif
