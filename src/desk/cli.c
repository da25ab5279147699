/* SPDX-License-Identifier: Apache-2.0
 *
 * cli: the table of commands, their options and their help.
 *
 * Words that DESIGN promises and this version does not have yet are known, so
 * that a script learns "not yet" (69) and not "no such word" (2).
 */
#include "desk/desk.h"

#include "desk/text.h"
#include "store/hold.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct desk_command commands[] = {
	{ "incidents", "[--json] [--limit N]", "list the storms that Quell knows, newest first",
	  "quell-incidents(1)", DESK_JSON | DESK_LIMIT, 0, 0, desk_incidents },
	{ "incident", "ID [--json]", "tell all about one storm", "quell-incidents(1)", DESK_JSON, 1, 1,
	  desk_incident },
	{ "held", "[INCIDENT] [--json] [--limit N]", "list the mail that is held, newest first", "quell-held(1)",
	  DESK_JSON | DESK_LIMIT, 0, 1, desk_held },
	{ "release", "INCIDENT|HOLD-ID [--rate N/min] [--json]", "hand held mail on to its recipients",
	  "quell-held(1)", DESK_JSON | DESK_RATE, 1, 1, desk_release },
	{ "explain", "ID [--json]", "say why Quell did what it did with a mail", "quell-explain(1)", DESK_JSON, 1,
	  1, desk_explain },
	{ "trace", "[--json] [--html F] [--svg F] [--dot F] [--our HOST]... [--relay HOST]... PATH...",
	  "name the servers behind a storm, from mailboxes", "quell-trace(1)",
	  DESK_JSON | DESK_REPORTS | DESK_HOSTS, 1, SIZE_MAX, desk_trace },
	{ "replay", "[--json] [--policy FILE] [--our HOST]... [--relay HOST]... PATH...",
	  "say what Quell would have done with old mail", "quell-replay(1)",
	  DESK_JSON | DESK_POLICY | DESK_HOSTS, 1, SIZE_MAX, desk_replay },
	{ "config", "", "", "", 0, 0, 0, NULL }, /* stands in main, as fetch: see command_at */
	{ "watch", "[--json] [--once] LOG...", "read and follow mail logs, and tell of storms", "", 0, 0, 0, NULL },
	{ "fetch", "[--once] [ACCOUNT...]", "collect mail by POP3, safely", "", 0, 0, 0, NULL },
	{ "audit", "[--json] [TARGET...]", "check mail servers for what makes storms", "", 0, 0, 0, NULL },
	{ "preflight", "MESSAGE [--json]", "check a bulk mail before it is sent", "", 0, 0, 0, NULL },
	{ "notify", "INCIDENT [--send]", "write to those whose servers storm", "", 0, 0, 0, NULL },
	{ "top", "[--once] [--json] [--interval N]", "watch live in a terminal", "quell-top(1)",
	  DESK_TOP | DESK_JSON, 0, 0, desk_top },
	{ "demo", "", "the Dublin storm, before your eyes", "", 0, 0, 0, NULL },
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

enum { OPTION_JSON = 256, OPTION_RATE, OPTION_MANUAL, OPTION_LIMIT, OPTION_INTERVAL, OPTION_FLAGS, OPTION_TEXTS = 320 };

/* Options that are there or not: the n-th is OPTION_FLAGS + n. */
static const struct option_flag {
	unsigned option;
	size_t at;          /* of a bool in struct desk_args */
} option_flags[] = {
	{ DESK_FETCH | DESK_WATCH | DESK_TOP, offsetof(struct desk_args, want_once) },
	{ DESK_FETCH, offsetof(struct desk_args, want_dry_run) },
	{ DESK_FETCH, offsetof(struct desk_args, want_check) },
	{ DESK_FETCH, offsetof(struct desk_args, want_mark_seen) },
	{ DESK_FETCH, offsetof(struct desk_args, want_deliver) },
	{ DESK_WATCH, offsetof(struct desk_args, want_facts) },
};

/* Options whose value is a text and needs no reading: the n-th is OPTION_TEXTS + n. */
static const struct option_text {
	const char *name;
	unsigned option;
	size_t at;          /* of a const char * or a struct desk_list in struct desk_args */
	bool is_list;
} option_texts[] = {
	{ "html", DESK_REPORTS, offsetof(struct desk_args, html), false },
	{ "svg", DESK_REPORTS, offsetof(struct desk_args, svg), false },
	{ "dot", DESK_REPORTS, offsetof(struct desk_args, dot), false },
	{ "policy", DESK_POLICY, offsetof(struct desk_args, policy), false },
	{ "our", DESK_HOSTS, offsetof(struct desk_args, our), true },
	{ "relay", DESK_HOSTS, offsetof(struct desk_args, relays), true },
	{ "to", DESK_FETCH, offsetof(struct desk_args, to), false },
	{ "import-fetchmailrc", DESK_FETCH, offsetof(struct desk_args, fetchmailrc), false },
	{ "import-getmailrc", DESK_FETCH, offsetof(struct desk_args, getmailrc), false },
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },      { "json", no_argument, NULL, OPTION_JSON },
	{ "rate", required_argument, NULL, OPTION_RATE }, { "man", no_argument, NULL, OPTION_MANUAL },
	{ "limit", required_argument, NULL, OPTION_LIMIT }, { "html", required_argument, NULL, OPTION_TEXTS },
	{ "svg", required_argument, NULL, OPTION_TEXTS + 1 }, { "dot", required_argument, NULL, OPTION_TEXTS + 2 },
	{ "policy", required_argument, NULL, OPTION_TEXTS + 3 }, { "our", required_argument, NULL, OPTION_TEXTS + 4 },
	{ "relay", required_argument, NULL, OPTION_TEXTS + 5 }, { "to", required_argument, NULL, OPTION_TEXTS + 6 },
	{ "import-fetchmailrc", required_argument, NULL, OPTION_TEXTS + 7 },
	{ "import-getmailrc", required_argument, NULL, OPTION_TEXTS + 8 },
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "once", no_argument, NULL, OPTION_FLAGS }, { "dry-run", no_argument, NULL, OPTION_FLAGS + 1 },
	{ "check", no_argument, NULL, OPTION_FLAGS + 2 }, { "mark-seen", no_argument, NULL, OPTION_FLAGS + 3 },
	{ "deliver", no_argument, NULL, OPTION_FLAGS + 4 }, { "facts", no_argument, NULL, OPTION_FLAGS + 5 },
	{ "fetch", no_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	unsigned option;
	const char *word, *help;
} option_helps[] = {
	{ DESK_JSON, "--json", "one JSON object on standard output, nothing else" },
	{ DESK_LIMIT, "--limit N", "only the newest N" },
	{ DESK_RATE, "--rate N/min", "so many mails a minute; 0: as fast as the relay takes them" },
	{ DESK_REPORTS, "--html F", "write a report with pictures to F; - is standard output" },
	{ DESK_REPORTS, "--svg F", "write the pictures alone, one below the other" },
	{ DESK_REPORTS, "--dot F", "write the graph for Graphviz" },
	{ DESK_POLICY, "--policy FILE", "try the settings of FILE instead of the usual ones" },
	{ DESK_HOSTS, "--our HOST", "HOST is ours: its Received lines are true; may be repeated" },
	{ DESK_HOSTS, "--relay HOST", "HOST is a relay whose Received lines we believe; may be repeated" },
	{ DESK_TOP, "--once", "one snapshot as plain text; so too when this is no terminal" },
	{ DESK_TOP, "--interval N", "ask the daemon every N seconds, 1 to 60; 2 when not given" },
	{ DESK_WATCH, "--once", "read to the end, tell, end; without it: go on reading what is added" },
	{ DESK_WATCH, "--facts", "with --json: each mail too, as the logs tell of it" },
	{ DESK_FETCH, "--once", "each account once, deliver, end; without it: a daemon" },
	{ DESK_FETCH, "--dry-run", "say what would go where and why; change nothing" },
	{ DESK_FETCH, "--check", "connect and sign in everywhere, ask the local server; change nothing" },
	{ DESK_FETCH, "--mark-seen", "with adopt: what lies there now was seen before" },
	{ DESK_FETCH, "--deliver", "with adopt: collect and deliver all of it" },
	{ DESK_FETCH, "--to MAILBOX", "with quarantine release: to this mailbox of the account" },
	{ DESK_FETCH, "--import-fetchmailrc F", "print settings for the accounts of a fetchmailrc" },
	{ DESK_FETCH, "--import-getmailrc F", "the same from a getmailrc" },
	{ DESK_MANUAL, "--man", "with sample: the manual page quell.yaml(5), for scdoc" },
};

static const struct desk_command *command_at(const struct desk *desk, size_t i)
{
	for (size_t k = 0; k < desk->host->own_count; k++)
		if (strcmp(commands[i].name, desk->host->own[k]->name) == 0)
			return desk->host->own[k];
	return &commands[i];
}

static const struct desk_command *command_find(const struct desk *desk, const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return command_at(desk, i);
	return NULL;
}

enum exit_status desk_fail(struct desk *desk, enum exit_status status, const char *format, ...)
{
	char text[1024];
	struct buf safe;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_init(&safe, 64 * 1024);
	text_safe(&safe, slice_from_str(text));
	fprintf(desk->err, "quell%s%s: %s\n", desk->command ? " " : "", desk->command ? desk->command->name : "",
		buf_str(&safe));
	buf_free(&safe);
	return status;
}

void desk_say(struct desk *desk, const char *format, ...)
{
	char text[1024];
	struct buf folded;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_init(&folded, 64 * 1024);
	text_fold(&folded, slice_from_str(text), desk->columns, 0);
	fputs(buf_str(&folded), desk->out);
	buf_free(&folded);
}

void desk_wrap(struct desk *desk, size_t hang, const char *format, ...)
{
	char text[8 * 1024];
	struct buf wrapped;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_init(&wrapped, 256 * 1024);
	bool is_narrow = desk->columns > 0 && desk->columns < 4 * hang;
	text_wrap(&wrapped, slice_from_str(text), desk->columns, is_narrow ? 2 : hang);
	fputs(buf_str(&wrapped), desk->out);
	buf_free(&wrapped);
}

bool desk_settings(struct desk *desk, struct desk_settings *settings_out)
{
	if (!desk->host->settings(desk->host->ctx, desk->file, desk->err, settings_out))
		return false;
	if (desk->of_connector) {
		settings_out->state = settings_out->fetch_state;
		settings_out->control_socket = settings_out->fetch_control;
	}
	return true;
}

const char *desk_colour(const struct desk *desk, enum desk_colour colour)
{
	static const char *const codes[] = { "\x1b[0m", "\x1b[1m" };
	return desk->want_colour ? codes[colour] : "";
}

static void help_list(struct desk *desk, bool is_there)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct desk_command *c = command_at(desk, i);
		if ((c->fn != NULL) == is_there)
			fprintf(desk->out, "  %-11s %s\n", c->name, c->summary);
	}
}

static enum exit_status help_all(struct desk *desk)
{
	fprintf(desk->out, "quell %s: stops accidental mail storms and names the servers that cause them.\n\n"
			   "Usage: quell [-c FILE] COMMAND ...\n"
			   "       quell COMMAND --help\n\nCommands:\n", desk->host->version);
	help_list(desk, true);
	fputs("\nNot in this version:\n", desk->out);
	help_list(desk, false);
	fputs("\n  -c FILE     settings, instead of /etc/quell/quell.yaml\n"
	      "  --fetch     before a command: of the POP3 connector's state, not the guard's\n"
	      "  --help      this; --version the version\n\n"
	      "Exit status: 0 fine, 1 something was found, 2 usage, 65 bad input,\n"
	      "69 unavailable, 75 try again. Manual: quell(1)\n", desk->out);
	return EXIT_FINE;
}

static enum exit_status help_command(struct desk *desk)
{
	const struct desk_command *c = desk->command;
	desk_wrap(desk, 8, "Usage: quell %s%s%s", c->name, c->usage[0] ? " " : "", c->usage);
	fprintf(desk->out, "\n%c%s.\n", c->summary[0] - ('a' - 'A'), c->summary + 1);
	if (!c->fn) {
		fputs("\nThis command is not in this version yet.\n", desk->out);
		return EXIT_FINE;
	}
	fputc('\n', desk->out);
	int width = c->options & DESK_FETCH ? 22 : 13; /* of the longest word */
	for (size_t i = 0; i < sizeof option_helps / sizeof option_helps[0]; i++)
		if (c->options & option_helps[i].option)
			fprintf(desk->out, "  %-*s %s\n", width, option_helps[i].word, option_helps[i].help);
	fprintf(desk->out, "  %-*s %s\n  %-*s %s\n\nManual: %s\n", width, "-c FILE",
		"settings, instead of /etc/quell/quell.yaml", width, "--help", "this", c->manual);
	return EXIT_FINE;
}

static bool parse_count(const char *text, const char *tail, uint64_t max, uint64_t *value_out)
{
	struct slice s = slice_from_str(text), end = slice_from_str(tail);
	if (end.len && slice_ends_nocase(s, end))
		s.len -= end.len;
	return slice_to_u64(s, value_out) && *value_out <= max;
}

/* Does the current command know it? */
static bool has_option(const struct desk *desk, int option)
{
	static const unsigned needs[] = { DESK_JSON, DESK_RATE, DESK_MANUAL, DESK_LIMIT, DESK_TOP };
	if (option < OPTION_JSON)
		return false;
	unsigned need = option < OPTION_FLAGS   ? needs[option - OPTION_JSON]
			: option < OPTION_TEXTS ? option_flags[option - OPTION_FLAGS].option
						: option_texts[option - OPTION_TEXTS].option;
	return desk->command->options & need;
}

static bool take_text(struct desk *desk, const struct option_text *row, struct desk_args *args)
{
	void *at = (char *)args + row->at;
	struct desk_list *list = at;
	bool is_full = row->is_list && list->count == DESK_LIST_MAX;
	if (is_full || !optarg[0]) {
		if (is_full)
			desk_fail(desk, EXIT_USAGE, "too many --%s, %d at most", row->name, (int)DESK_LIST_MAX);
		else
			desk_fail(desk, EXIT_USAGE, "--%s needs a value that is not empty", row->name);
		return false;
	}
	if (row->is_list)
		list->items[list->count++] = optarg;
	else
		*(const char **)at = optarg;
	return true;
}

/* An option of the current command. False after telling what is wrong. */
static bool take_option(struct desk *desk, int option, struct desk_args *args)
{
	uint64_t number = 0;
	bool is_fine = has_option(desk, option);
	if (!is_fine)
		desk_fail(desk, EXIT_USAGE, "it has no such option; see quell %s --help", desk->command->name);
	if (!is_fine)
		return false;
	if (option >= OPTION_TEXTS)
		return take_text(desk, &option_texts[option - OPTION_TEXTS], args);
	if (option >= OPTION_FLAGS)
		*(bool *)((char *)args + option_flags[option - OPTION_FLAGS].at) = true;
	if (option == OPTION_JSON)
		args->want_json = true;
	if (option == OPTION_MANUAL)
		args->want_manual = true;
	if (option == OPTION_RATE) {
		is_fine = parse_count(optarg, "/min", 1000000, &number);
		args->per_minute = (int64_t)number;
	}
	if (option == OPTION_LIMIT) {
		is_fine = parse_count(optarg, "", UINT32_MAX, &number);
		args->limit = number;
	}
	if (option == OPTION_INTERVAL) {
		is_fine = parse_count(optarg, "s", 60, &number) && number > 0;
		args->interval_s = number;
	}
	if (!is_fine)
		desk_fail(desk, EXIT_USAGE, "\"%s\" is no %s", optarg,
			  option == OPTION_RATE       ? "rate; expected N/min, such as 30/min"
			  : option == OPTION_INTERVAL ? "interval; expected 1 to 60 seconds"
						      : "number");
	return is_fine;
}

static enum exit_status run_command(struct desk *desk, const struct desk_args *args)
{
	const struct desk_command *c = desk->command;
	if (!c->fn) {
		fprintf(desk->err, "quell %s: not in this version yet\n", c->name);
		return EXIT_UNAVAILABLE;
	}
	if (args->word_count < c->words_min)
		return desk_fail(desk, EXIT_USAGE, "something is missing; usage: quell %s %s", c->name, c->usage);
	if (args->word_count > c->words_max)
		return desk_fail(desk, EXIT_USAGE, "too many words, from \"%s\" on; usage: quell %s %s",
				 args->words[c->words_max], c->name, c->usage);
	return c->fn(desk, args);
}

/* The words behind the command word. */
static enum exit_status parse_command(struct desk *desk, int argc, char **argv)
{
	struct desk_args args = { .per_minute = -1 };
	int option;
	optind = 0; /* glibc: begin anew */
	while ((option = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		if (option == 'h')
			return help_command(desk);
		if (!desk->command->fn)
			continue; /* options of words to come are not judged */
		if (option == ':')
			return desk_fail(desk, EXIT_USAGE, "%s needs a value; see quell %s --help", argv[optind - 1],
					 desk->command->name);
		if (option == '?')
			return desk_fail(desk, EXIT_USAGE, "unknown option %s; see quell %s --help", argv[optind - 1],
					 desk->command->name);
		if (option == 'c')
			desk->file = optarg;
		else if (!take_option(desk, option, &args))
			return EXIT_USAGE;
	}
	args.words = argv + optind;
	args.word_count = (size_t)(argc - optind);
	return run_command(desk, &args);
}

static enum exit_status parse_all(struct desk *desk, int argc, char **argv)
{
	int option;
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:c:hV", long_options, NULL)) != -1) {
		if (option == 'h')
			return help_all(desk);
		if (option == 'V') {
			fprintf(desk->out, "quell %s\n", desk->host->version);
			return EXIT_FINE;
		}
		if (option == 'f') {
			desk->of_connector = true;
			continue;
		}
		if (option != 'c')
			return desk_fail(desk, EXIT_USAGE, "%s is not an option here; see quell --help",
					 argv[optind - 1]);
		desk->file = optarg;
	}
	if (optind >= argc)
		return desk_fail(desk, EXIT_USAGE, "which command? See quell --help");
	if (strcmp(argv[optind], "help") == 0)
		return help_all(desk);
	desk->command = command_find(desk, argv[optind]);
	if (!desk->command)
		return desk_fail(desk, EXIT_USAGE, "no command \"%s\"; see quell --help", argv[optind]);
	return parse_command(desk, argc - optind, argv + optind);
}

enum exit_status desk_run_as(struct desk *desk, int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters, whatever the user has */
	desk->command = NULL;
	desk->file = NULL;
	desk->of_connector = false;
	enum exit_status status = parse_all(desk, argc, argv);
	if (fflush(desk->out) != 0 || ferror(desk->out))
		return desk_fail(desk, EXIT_UNAVAILABLE, "cannot write the answer: %s", strerror(errno));
	return status;
}

static size_t terminal_columns(FILE *out)
{
	struct winsize size;
	uint64_t columns;
	const char *wish = getenv("COLUMNS");
	if (!isatty(fileno(out)))
		return 0;
	if (wish && slice_to_u64(slice_from_str(wish), &columns) && columns >= 20 && columns <= 10000)
		return (size_t)columns;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		return size.ws_col;
	return 80;
}

enum exit_status desk_run(const struct desk_host *host, int argc, char **argv, FILE *out, FILE *err)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct desk desk = { .host = host, .out = out, .err = err, .columns = terminal_columns(out) };
	bool is_dumb = !term || strcmp(term, "dumb") == 0;
	desk.want_colour = desk.columns > 0 && !is_dumb && (!no_colour || !no_colour[0]);
	return desk_run_as(&desk, argc, argv);
}
