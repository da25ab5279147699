/* SPDX-License-Identifier: Apache-2.0
 *
 * mail_files: lends the desk the mailboxes of the door, which it may not see itself.
 */
#ifndef QUELL_MAIN_MAIL_FILES_H
#define QUELL_MAIN_MAIL_FILES_H

#include "desk/desk.h"

/* open_source and close_source of struct desk_host; ctx is not used. */
bool mail_files_open(void *ctx, char *const *paths, size_t count, unsigned threads, FILE *err,
		     struct source *source_out);
uint64_t mail_files_close(void *ctx, struct source *source);

#endif
