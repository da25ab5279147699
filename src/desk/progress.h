/* SPDX-License-Identifier: Apache-2.0
 *
 * progress: a bar on the terminal while long work goes on, and nothing afterwards.
 *
 * Only where err is a terminal. It uses no escape sequence, so that NO_COLOR and dumb
 * terminals need nothing else; the cursor waits at the left, so that a warning that
 * comes meanwhile begins a line.
 */
#ifndef QUELL_DESK_PROGRESS_H
#define QUELL_DESK_PROGRESS_H

#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *err;
	size_t columns; /* 0: none is wanted */
	size_t drawn;   /* columns that stand there now */
};

/* The width of the terminal; 0 when err is none. */
size_t progress_columns(FILE *err);
/* columns: of the terminal err; 0 when it is none. */
void progress_begin(struct progress *progress, FILE *err, size_t columns);
/* A survey_progress_fn; ctx is the struct progress. */
void progress_show(void *ctx, const char *what, uint64_t done, uint64_t all);
/* Erases it. */
void progress_end(struct progress *progress);

/* One line of at most columns - 1, without its end. */
void progress_line(struct buf *out, const char *what, uint64_t done, uint64_t all, size_t columns);

#endif
