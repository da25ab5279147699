/* SPDX-License-Identifier: Apache-2.0
 *
 * log: one fact a line, on standard error, "event key=value key=value".
 *
 * The event word comes first, then facts; values with blanks, quotes or control
 * bytes are quoted and escaped, so a hostile subject cannot forge a line. Under
 * systemd the line carries the <N> priority prefix. Never log a secret.
 * A throttle lets the first few lines of a kind through in each window, then
 * counts, and says the count when the window ends.
 */
#ifndef QUELL_BASE_LOG_H
#define QUELL_BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* What to print at most; INFO at start. want_prefix: "<N>" before each line. */
void log_setup(enum log_level most, bool want_prefix);

/* facts: printf format; use log_quote for anything that came from outside. */
void log_line(enum log_level level, const char *event, const char *facts, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_line(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* A printable copy of outside bytes in out (always NUL-terminated, cut to fit):
 * bare when it is plain, else in double quotes with \xNN escapes. Returns out. */
const char *log_quote(struct slice s, char *out, size_t out_bytes);
enum { LOG_QUOTE_BYTES = 256 };

struct log_throttle {
	int64_t window_end_ms;
	unsigned passed, dropped;
	/* Set by the owner: lines let through a window, and its length. */
	unsigned burst;
	int64_t window_ms;
};

/* May this line be printed now? When a window ended in which lines were dropped,
 * *dropped_out says how many (else 0), and the caller names the number. */
bool log_may(struct log_throttle *t, int64_t now_ms, unsigned *dropped_out);

#endif
