/* SPDX-License-Identifier: Apache-2.0
 *
 * hold: reading and releasing what is held.
 *
 * A held row is one (mail, recipient). KEPT -> RELEASING (durable, before the
 * relay is asked) -> RELEASED (durable, after the relay's 250). A crash between
 * leaves RELEASING: act settles it, never blindly and never by forgetting.
 */
#ifndef QUELL_STORE_HOLD_H
#define QUELL_STORE_HOLD_H

#include "store/store.h"

/* Read-only view for the command line; works while the daemon runs and when it
 * does not. NULL and the reason when there is nothing to open. */
struct store_reader;
struct store_reader *store_reader_open(const char *state_dir, struct error *error);
void store_reader_close(struct store_reader *reader);

typedef bool reader_incident_fn(void *ctx, const struct incident *incident);
typedef bool reader_hold_fn(void *ctx, const struct hold_row *row);
struct decision_row {
	int64_t id, time_ms;
	char queue_id[64], mail_from[256], rcpt[256], client[64], message_id[256];
	char deed[16], tier[8], rule[32], reason[REASON_BYTES], incident[INCIDENT_ID_BYTES];
};
typedef bool reader_decision_fn(void *ctx, const struct decision_row *row);
typedef bool reader_counter_fn(void *ctx, const char *name, uint64_t value);

/* Newest first; fn returns false to stop. limit 0: all. */
bool store_read_incidents(struct store_reader *r, size_t limit, reader_incident_fn *fn, void *ctx,
			  struct error *error);
bool store_read_incident(struct store_reader *r, const char *id, struct incident *incident_out,
			 bool *is_found_out, struct error *error);
/* incident NULL: all; state as in the rows, or -1 for all. */
bool store_read_holds(struct store_reader *r, const char *incident, int state, size_t limit,
		      reader_hold_fn *fn, void *ctx, struct error *error);
/* id: a queue id, a hold id, a decision number or an incident id. */
bool store_read_decisions(struct store_reader *r, const char *id, size_t limit,
			  reader_decision_fn *fn, void *ctx, struct error *error);
bool store_read_counters(struct store_reader *r, reader_counter_fn *fn, void *ctx, struct error *error);
bool store_read_note(struct store_reader *r, const char *name, struct buf *out, struct error *error);

/* The daemon's side. The next rows to release, oldest first: what is an incident
 * id, a hold id, or a pair tag (then only the newest row of the pair). RELEASING
 * rows of an earlier life come first; those of this life are being released and are
 * not given again. Reads by a connection of its own: does not wait for the writer. */
struct hold_query {
	const char *incident, *hold_id; /* one of the three */
	const uint8_t *pair;
};
size_t store_hold_next(struct store *store, const struct hold_query *query, struct hold_row *rows_out, size_t max);
/* The whole mail of a row: header with CRLF, empty line, body. False when it is
 * gone or damaged (error says which file). */
bool store_hold_load(struct store *store, const char *hold_id, struct buf *mail_out, struct error *error);
/* Durable when it returns true; waits for the writer thread (a sync). Only a row that
 * is KEPT, RELEASING or REFUSED changes; one that is already so is fine; else false. RELEASED
 * and EXPIRED give up the mail's bytes when no other recipient needs them. */
bool store_hold_mark(struct store *store, const char *hold_id, const char *rcpt, enum hold_state state, int64_t now_ms);

/* Release jobs survive a restart. */
struct release_job {
	char what[INCIDENT_ID_BYTES + HOLD_ID_BYTES];
	bool is_incident;
	unsigned per_minute;   /* 0: as fast as the relay takes them */
	int64_t asked_ms;
	uint64_t done, failed;
};
bool store_job_add(struct store *store, const struct release_job *job);
size_t store_job_list(struct store *store, struct release_job *jobs_out, size_t max);
bool store_job_update(struct store *store, const struct release_job *job, bool is_finished);

#endif
