/* SPDX-License-Identifier: Apache-2.0
 *
 * inner: what the files of the connector share. Nobody else includes this.
 */
#ifndef QUELL_FETCH_INNER_H
#define QUELL_FETCH_INNER_H

#include "fetch/fetch.h"
#include "fetch/inspect.h"
#include "fetch/map.h"
#include "fetch/token.h"
#include "net/tls.h"

struct check;
struct drain;
struct poll;

/* One account and its place in the schedule. */
struct seat {
	struct fetch *fetch;
	const struct account_entry *entry;
	struct map *map;
	struct tls_context *tls;
	uint8_t pin[TLS_PIN_BYTES];
	bool has_pin;
	struct token *token;             /* NULL: a password */
	struct poll *poll;               /* the session, while there is one */
	int64_t due_ms;                  /* the next poll; INT64_MAX: none */
	int64_t every_ms, login_delay_ms;
	uint64_t fresh;                  /* new mails of this look, which may take several sessions */
	bool is_continued, is_backlog;   /* of the look */
	unsigned failures;               /* polls in a row that did not end well */
	bool is_done;                    /* polled enough, when not FETCH_RUN */
	struct fetch_report report;
};

struct fetch {
	struct fetch_setup setup;
	struct ledger *ledger;
	struct segments *segments;
	struct seat *seats;
	size_t seat_count, polling;
	struct drain *drain;
	struct check *check;             /* of the local server, in FETCH_CHECK */
	bool is_local_checked;
	char local_trouble[300];
	struct loop_timer *timer;
	int64_t swept_ms;
	bool is_closing, is_idle_told;
	char instance[32];
};

static inline bool fetch_is_looking(const struct fetch *f)
{
	return f->setup.mode == FETCH_DRY_RUN || f->setup.mode == FETCH_CHECK;
}

struct seat *fetch_seat(struct fetch *fetch, const char *label);
/* To setup.say, when there is one. */
void fetch_say(struct fetch *fetch, const char *kind, const char *label, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* known.c */
/* True in doubt: a file that cannot be read is no proof that an account is new. */
bool fetch_was_known(struct fetch *f, const char *label);
/* False: the file cannot be written (errno). */
bool fetch_make_known(struct fetch *f, const char *label);

/* poll.c */
struct poll_result {
	enum poll_end end;
	char why[400];
	bool has_more;                   /* come again at once: the session was split */
	int64_t login_delay_ms;
};
typedef void poll_done_fn(struct seat *seat, const struct poll_result *result);
/* Never from within; the struct poll is gone then. NULL: no memory. */
struct poll *poll_start(struct seat *seat, poll_done_fn *done);
/* Cuts the session; done is not called. NULL is welcome. */
void poll_cancel(struct poll **poll);

/* drain.c */
struct drain *drain_new(struct fetch *fetch);
void drain_free(struct drain **drain);
/* There may be rows to deliver. */
void drain_wake(struct drain *drain);
/* Nothing is under way, and nothing is due within so long, or the local server is away. */
bool drain_is_idle(struct drain *drain, int64_t within_ms);
/* Forget what was picked: rows changed under it. */
void drain_forget(struct drain *drain);
/* False: the local server was not yet asked whether it relays, or it does; then trouble says so. */
bool drain_may_collect(const struct drain *drain);
const char *drain_trouble(const struct drain *drain);

#endif
