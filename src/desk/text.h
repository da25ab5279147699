/* SPDX-License-Identifier: Apache-2.0
 *
 * text: words for people, with every hostile byte made harmless.
 *
 * Subjects, addresses, host names and reasons hold what strangers wrote. Shown
 * raw they could move the cursor, retitle the window, hide text or reverse it.
 * text_safe is the one gate to the terminal: control bytes (C0, DEL, C1), line
 * and paragraph separators, direction marks, invisible and private characters
 * and bytes that are not UTF-8 come out as \xNN or \u{NNNN}. It is for showing
 * only and not meant to be read back: a backslash stays as it is.
 * Width is counted in columns by wcwidth, so the locale must be a UTF-8 one.
 */
#ifndef QUELL_DESK_TEXT_H
#define QUELL_DESK_TEXT_H

#include "base/buf.h"

/* Adds s, harmless and on one line. False when out is over. */
bool text_safe(struct buf *out, struct slice s);

/* The same for a string, into out, cut at its end. Returns out. */
enum { TEXT_SAFE_BYTES = 2048 };
const char *text_safe_str(const char *text, char out[TEXT_SAFE_BYTES]);

/* One character of s at *pos: its code point, or -1 for a byte that is no UTF-8
 * (*pos then moves by one). Needs *pos < s.len. */
int32_t text_next(struct slice s, size_t *pos);
/* May it be shown as it is? */
bool text_is_harmless(int32_t code_point);

/* Columns that s takes. s must be safe already. */
size_t text_columns(struct slice s);
/* The part of s that fits into columns; adds "…" when something was left off. */
void text_cut(struct buf *out, struct slice s, size_t columns);

/* Several lines, each made safe and broken at blanks to fit columns (0: never
 * broken), with the indentation of its line and hang more from the second on. */
void text_fold(struct buf *out, struct slice lines, size_t columns, size_t hang);

/* The same, but a word longer than a line is broken, so that no line is wider. */
void text_wrap(struct buf *out, struct slice lines, size_t columns, size_t hang);

/* 1234567 as "1,234,567". Returns out. */
enum { TEXT_NUMBER_BYTES = 32 };
const char *text_number(uint64_t value, char out[TEXT_NUMBER_BYTES]);
/* 1536 as "1.5 KiB". Returns out. */
const char *text_size(uint64_t bytes, char out[TEXT_NUMBER_BYTES]);
/* Local time with its zone: "2005-12-06 10:20:03 CET"; "-" for 0. Returns out. */
enum { TEXT_TIME_BYTES = 64 };
const char *text_time(int64_t when_ms, char out[TEXT_TIME_BYTES]);

#endif
