/* SPDX-License-Identifier: Apache-2.0
 *
 * report_file: a file that is there whole or not at all.
 *
 * Opened before the long work, so that a folder one may not write to is told at once;
 * written under another name beside it, and renamed at the end. "-" is standard
 * output; what is no ordinary file (a device, a pipe) is written as it is.
 */
#ifndef QUELL_DESK_REPORT_FILE_H
#define QUELL_DESK_REPORT_FILE_H

#include "base/error.h"
#include "base/slice.h"

#include <stdio.h>

struct report_file {
	FILE *file;         /* NULL: not wanted */
	const char *path;
	char *temporary;    /* NULL: written as it is */
	bool is_lent;       /* file belongs to somebody else */
};

/* path NULL: nothing is wanted, and the other calls do nothing. */
bool report_file_open(struct report_file *file, const char *path, FILE *out, struct error *error);
/* Writes all of it and puts the file in its place. */
bool report_file_end(struct report_file *file, struct slice bytes, struct error *error);
/* Leaves no trace of a file that was not ended. */
void report_file_drop(struct report_file *file);

#endif
