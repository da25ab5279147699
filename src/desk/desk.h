/* SPDX-License-Identifier: Apache-2.0
 *
 * desk: the quell command. Finds the command word, reads its options, runs it.
 *
 * Words, options and exit statuses are stable (DESIGN 5): scripts rely on them.
 * Answers go to out, troubles to err; with --json out gets one JSON object and
 * nothing else, whatever happens. The desk reads settings through its host
 * (main), opens the store read-only, and gives orders only through the daemon's
 * control socket.
 */
#ifndef QUELL_DESK_DESK_H
#define QUELL_DESK_DESK_H

#include "base/error.h"
#include "base/slice.h"

#include <stdio.h>

struct source;
struct store_reader;

/* What the desk needs of the settings. Owned by the host. */
struct desk_settings {
	const char *state;          /* the state folder */
	const char *control_socket; /* path */
	const char *fetch_state, *fetch_control; /* the same of the connector */
	int64_t per_minute;         /* default rate of a release */
	const char *const *our_hosts; /* the trust boundary; may be empty */
	size_t our_host_count;
	const struct ip_net *own_nets;
	size_t own_net_count;
	const char *const *relays;
	size_t relay_count;
	const char *authserv_id;
	const struct storm_policy *policy;
	bool is_guard, has_confirmation;
};

enum desk_option {
	DESK_JSON = 1 << 0,    /* --json */
	DESK_RATE = 1 << 1,    /* --rate N/min */
	DESK_MANUAL = 1 << 2,  /* --man */
	DESK_LIMIT = 1 << 3,   /* --limit N */
	DESK_REPORTS = 1 << 4, /* --html F, --svg F, --dot F */
	DESK_HOSTS = 1 << 5,   /* --our HOST, --relay HOST, again and again */
	DESK_POLICY = 1 << 6,  /* --policy FILE */
	DESK_WATCH = 1 << 8,   /* --once, --facts */
	DESK_FETCH = 1 << 7,   /* --once, --dry-run, --check, --mark-seen, --deliver, --to MAILBOX,
				  --import-fetchmailrc F, --import-getmailrc F */
	DESK_TOP = 1 << 9,     /* --once, --interval N */
};

enum { DESK_LIST_MAX = 64 };

/* The values of an option that may be given more than once, in their order. */
struct desk_list {
	const char *items[DESK_LIST_MAX];
	size_t count;
};

struct desk_args {
	char **words;          /* what is left after the options */
	size_t word_count;
	bool want_json, want_manual;
	int64_t per_minute;    /* -1: not given; 0: as fast as it goes */
	uint64_t limit;        /* 0: all */
	uint64_t interval_s;   /* 0: not given */
	const char *html, *svg, *dot; /* files to write; "-" is out; NULL: not wanted */
	const char *policy;    /* a settings file to try; NULL: none */
	bool want_once, want_dry_run, want_check, want_mark_seen, want_deliver, want_facts;
	const char *to;        /* a mailbox; NULL: not given */
	const char *fetchmailrc, *getmailrc; /* files to import; NULL: none */
	struct desk_list our, relays; /* host names, beside those of the settings */
};

struct desk;
typedef enum exit_status desk_fn(struct desk *desk, const struct desk_args *args);

struct desk_command {
	const char *name, *usage, *summary;
	const char *manual;    /* the page that tells more; "" when there is none */
	unsigned options;      /* enum desk_option */
	size_t words_min, words_max;
	desk_fn *fn;           /* NULL: not in this version */
};

/* What main lends the desk. */
struct desk_host {
	const char *version;
	/* Reads the settings (file NULL: the usual one); false after telling err why. */
	bool (*settings)(void *ctx, const char *file, FILE *err, struct desk_settings *settings_out);
	/* Opens mail that lies in files (flow/source.h): mbox, Maildir, .eml, folders of these,
	 * "-", gzip and zstd of them. What cannot be read is told to err, with file and
	 * offset, while it is read. threads 0: as many as there are cores. False after
	 * telling err: nothing at all could be opened. */
	bool (*open_source)(void *ctx, char *const *paths, size_t count, unsigned threads, FILE *err,
			    struct source *source_out);
	/* How many files, folders or mails could not be read as they should. */
	uint64_t (*close_source)(void *ctx, struct source *source);
	void *ctx;
	const struct desk_command *const *own; /* commands that live in main */
	size_t own_count;
};

struct desk {
	const struct desk_host *host;
	const struct desk_command *command;
	const char *file;      /* of -c, or NULL */
	bool of_connector;     /* --fetch: the connector's state, not the guard's */
	FILE *out, *err;
	size_t columns;        /* of the terminal; 0: out is none, never cut */
	bool want_colour;
};

/* The whole of main(): argv as given. Sets the locale's character type. */
enum exit_status desk_run(const struct desk_host *host, int argc, char **argv, FILE *out, FILE *err);
/* The same with a given width and colour: for tests. */
enum exit_status desk_run_as(struct desk *desk, int argc, char **argv);

/* "quell NAME: text" to err; returns status. */
enum exit_status desk_fail(struct desk *desk, enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Text for people to out: made safe, folded to the terminal. */
void desk_say(struct desk *desk, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, no line wider than the terminal, further lines hanging by hang columns. */
void desk_wrap(struct desk *desk, size_t hang, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool desk_settings(struct desk *desk, struct desk_settings *settings_out);

/* Opens the store of the settings. EXIT_FINE with *reader_out NULL when there is
 * none yet; any other status has been told. */
enum exit_status desk_open(struct desk *desk, struct store_reader **reader_out);

/* ANSI colour around what is printed next; "" when none is wanted. */
enum desk_colour { DESK_PLAIN, DESK_BOLD };
const char *desk_colour(const struct desk *desk, enum desk_colour colour);

desk_fn desk_incidents, desk_incident, desk_held, desk_release, desk_explain, desk_trace, desk_replay, desk_top;

#endif
