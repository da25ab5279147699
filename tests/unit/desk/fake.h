/* SPDX-License-Identifier: Apache-2.0
 *
 * fake: a store reader that gives what a test put in, and a desk to show it on.
 *
 * It stands in for store_reader_* at link time: the tests of the desk are about
 * what is shown, and need rows that no honest store would hold.
 */
#ifndef QUELL_TESTS_DESK_FAKE_H
#define QUELL_TESTS_DESK_FAKE_H

#include "desk/desk.h"
#include "store/hold.h"

struct fake_store {
	const struct incident *incidents;
	size_t incident_count;
	const struct hold_row *holds;
	size_t hold_count, hold_repeat; /* each row given so often; 0 is once */
	const struct decision_row *decisions;
	size_t decision_count;
	bool is_broken;                 /* every read fails after its rows */
};
extern struct fake_store fake_store;

/* A folder with an empty quell.db in it, and settings that name it. */
extern struct desk_settings fake_settings;
int fake_setup(void **state);
int fake_teardown(void **state);

/* What a command printed. */
struct fake_run {
	enum exit_status status;
	char *out, *err;
	size_t out_bytes, err_bytes;
};
/* columns 0: a pipe. words: "held --json"; no quoting. Freed with fake_run_free. */
struct fake_run fake_run(size_t columns, bool want_colour, const char *words);
void fake_run_free(struct fake_run *run);

/* A storm with hostile text in every field that strangers fill. */
void fake_incident(struct incident *incident, const char *text);

#endif
