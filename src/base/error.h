/* SPDX-License-Identifier: Apache-2.0
 *
 * error: what went wrong, in words for a person.
 *
 * A function that can fail takes a struct error * (may be NULL) and returns
 * false. The text says where and what was expected; exit statuses follow
 * sysexits.h where DESIGN 5 names them.
 */
#ifndef QUELL_BASE_ERROR_H
#define QUELL_BASE_ERROR_H

#include <stdbool.h>

enum exit_status {
	EXIT_FINE = 0,
	EXIT_FOUND = 1,
	EXIT_USAGE = 2,
	EXIT_BAD_INPUT = 65,
	EXIT_UNAVAILABLE = 69,
	EXIT_TRY_AGAIN = 75,
};

struct error {
	char text[512];
	enum exit_status status;
};

/* Writes the text (first writer wins: the deepest cause) and returns false. */
bool error_set(struct error *e, enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
