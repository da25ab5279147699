/* SPDX-License-Identifier: Apache-2.0
 *
 * top: what the daemon sees right now, on its way to a terminal.
 *
 * Three steps that know nothing of each other: the daemon fills struct top_numbers and
 * answers the order "top" with it as JSON; top_lines makes lines with looks of it (pure:
 * no terminal, no clock); the screen paints lines and reads keys. All of it has a fixed
 * size, and the answer fits CONTROL_ANSWER_BYTES whatever the names in it are.
 */
#ifndef QUELL_DESK_TOP_H
#define QUELL_DESK_TOP_H

#include "desk/desk.h"
#include "storm/incident.h"
#include "storm/rates.h"
#include "storm/verdict.h"

#include <jansson.h>

enum {
	TOP_INCIDENTS_MAX = 20,  /* of those that are not closed; the newest */
	TOP_CLOSED_MAX = 5,      /* when all are closed */
	TOP_RATES_MAX = 10,      /* of each kind */
	TOP_TEXT_BYTES = 96,     /* from and subject: cut */
	TOP_WORD_BYTES = 24,
};

struct top_incident {
	char id[INCIDENT_ID_BYTES], cls[TOP_WORD_BYTES], state[TOP_WORD_BYTES];
	uint64_t copies, surplus, held, suppressed, deferred;
	char from[TOP_TEXT_BYTES], subject[TOP_TEXT_BYTES];
	int64_t last_ms;
};

struct top_rates {
	struct rate_row rows[TOP_RATES_MAX];
	size_t count;
};

/* One answer of the daemon. */
struct top_numbers {
	int64_t time_ms;             /* the daemon's clock */
	char mode[TOP_WORD_BYTES], confirm[TOP_WORD_BYTES];
	uint64_t uptime_s, mails;
	double per_second[DEED_COUNT]; /* recipients, over the last 5 to 10 seconds */
	uint64_t hold_copies, hold_bytes, breakers_open, incidents_live; /* live: not closed */
	uint64_t release_jobs, release_sent;
	bool is_relay_away;
	bool is_connector;           /* then the three below mean something */
	uint64_t waiting, delivered, quarantine;
	struct top_incident incidents[TOP_INCIDENTS_MAX]; /* the newest first */
	size_t incident_count;
	struct top_rates rates[RATE_KIND_COUNT];
};

/* The daemon's side: one incident as the answer shows it; false when there is no room. */
bool top_add_incident(struct top_numbers *numbers, const struct incident *incident);
/* A new object; NULL without memory. */
json_t *top_encode(const struct top_numbers *numbers);
/* Takes what it understands; what is missing or of the wrong kind is 0 or "". */
void top_decode(const json_t *object, struct top_numbers *numbers_out);

/* --- drawing ------------------------------------------------------------------- */

enum top_look { TOP_PLAIN, TOP_BOLD, TOP_REVERSE, TOP_WARN, TOP_ALARM };

enum { TOP_LINE_BYTES = 1600, TOP_MARKS_MAX = 64, TOP_COLUMNS_MIN = 20, TOP_COLUMNS_MAX = 400, TOP_LINES_MAX = 500 };

/* Safe text (desk/text.h), at most as wide as asked for. From byte marks[i].at on it
 * has that look. */
struct top_line {
	char text[TOP_LINE_BYTES];
	size_t len;
	struct {
		size_t at;
		enum top_look look;
	} marks[TOP_MARKS_MAX];
	size_t mark_count;
};

struct top_state {
	struct top_numbers numbers;
	bool has_numbers;
	struct error trouble;        /* why the last question had no answer; text "": it had one */
	int64_t age_ms;              /* of the numbers */
	enum rate_kind kind;         /* whose rates come first */
	size_t scroll;               /* incidents above the first one shown */
	bool is_paused, want_help;
};

/* Fills lines_out[lines] (at most TOP_LINES_MAX); columns is brought between the limits. */
void top_lines(const struct top_state *state, size_t columns, size_t lines, struct top_line *lines_out);

enum top_key { TOP_KEY_NONE, TOP_KEY_QUIT, TOP_KEY_UP, TOP_KEY_DOWN, TOP_KEY_PAGE_UP, TOP_KEY_PAGE_DOWN,
	       TOP_KEY_KIND, TOP_KEY_KIND_BACK, TOP_KEY_PAUSE, TOP_KEY_HELP };
/* What a key does to a screen of this size. False: it ends. */
bool top_press(struct top_state *state, enum top_key key, size_t columns, size_t lines);

/* The numbers above the tables, each a few words ("passed 12/s"). */
enum { TOP_FIELDS_MAX = 16, TOP_FIELD_BYTES = 64 };
struct top_field {
	enum top_look look;
	char text[TOP_FIELD_BYTES];
};
size_t top_fields(const struct top_numbers *numbers, struct top_field fields_out[TOP_FIELDS_MAX]);
/* "4.5", "1,234", "123k", "1.2M": at most 7 columns. Returns out. */
const char *top_rate_text(double value, char out[TOP_WORD_BYTES]);
/* "12 s", "5 min", "3 h", "2 d". Returns out. */
const char *top_span_text(int64_t span_ms, char out[TOP_WORD_BYTES]);
/* "duplicate" for "duplicate-flood": what a narrow column has room for. Returns out. */
const char *top_class_text(const char *cls, char out[TOP_WORD_BYTES]);

/* --- showing ------------------------------------------------------------------- */

/* Asks the daemon once. False: error says why. */
bool top_ask(const char *socket, struct top_numbers *numbers_out, struct error *error);
/* One snapshot as plain text; in a pipe nothing is cut. */
void top_print(struct desk *desk, const struct top_numbers *numbers);
/* The full screen, until a key or a signal ends it. */
enum exit_status top_screen(struct desk *desk, const char *socket, int64_t interval_ms);

#endif
