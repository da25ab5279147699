/* SPDX-License-Identifier: Apache-2.0
 *
 * program: runs one, without a shell, while the loop goes on.
 *
 * Clean environment (PATH, HOME, LANG=C), a process group of its own; standard error is
 * ours. It gets input on standard input, if there is any, and may leave it unread. What it
 * prints is taken up to the room there is; the rest is read and forgotten. Past its time,
 * or when it is stopped, the whole group gets SIGKILL; what it left behind when it ends is
 * killed too.
 */
#ifndef QUELL_NET_PROGRAM_H
#define QUELL_NET_PROGRAM_H

#include "base/slice.h"
#include "net/loop.h"

struct program;

struct program_setup {
	struct loop *loop;
	const char *const *argv;     /* copied; argv[0] is a path */
	size_t argc;
	struct slice input;          /* copied; empty: it reads /dev/null */
	char *answer;                /* the caller's, until program_stop; may be NULL */
	size_t answer_bytes_max;
	int64_t timeout_ms;
};

struct program_end {
	bool is_fine;                /* it ended by itself with status 0 */
	size_t answer_len;           /* of what it printed, in answer */
	const char *name;            /* argv[0] */
	const char *why;             /* in words, with the name; "" when is_fine */
};

/* Called once, never from within program_start, unless it was stopped before. The end
 * lives until program_stop, which may be called from within. */
typedef void program_fn(void *ctx, const struct program_end *end);

/* NULL: no memory, or argc is 0. Every program needs a program_stop. */
struct program *program_start(const struct program_setup *setup, program_fn *fn, void *ctx);
/* Kills one that runs and frees; sets the pointer to NULL; NULL is welcome. */
void program_stop(struct program **p);

#endif
