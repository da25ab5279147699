/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch_command: the words of quell fetch, and what is printed.
 *
 *   quell fetch [--once] [ACCOUNT...]            collect and deliver
 *   quell fetch --check | --dry-run [ACCOUNT...] look, change nothing
 *   quell fetch adopt ACCOUNT --mark-seen|--deliver
 *   quell fetch quarantine [ID | release ID [--to MAILBOX] | drop ID]
 *   quell fetch --import-fetchmailrc F, --import-getmailrc F
 *
 * Decisions go to the running connector over its socket; when none runs they are carried
 * out here, under the lock of its folder. It stands in main because it needs the whole of
 * the settings, and because it is a daemon.
 */
#include "main/fetch_command.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/json.h"
#include "desk/text.h"
#include "fetch/import.h"
#include "main/config.h"
#include "main/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FETCH_CONTROL_MS = 10 * 1000, FETCH_ANSWER_BYTES = 64 * 1024, FETCH_SHOWN_BYTES = 32 * 1024 };

static struct settings *command_settings(struct desk *desk)
{
	struct settings_report *report = mem_alloc(sizeof *report);
	struct settings *settings = report ? settings_load(desk->file, report) : NULL;
	if (report)
		config_print_report(desk->err, report);
	mem_free(report);
	return settings;
}

/* --- imports ------------------------------------------------------------------------ */

static bool import_read(struct desk *desk, const char *path, struct buf *text)
{
	ssize_t n = -1;
	char *to;
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (to = buf_reserve(text, 4096)) != NULL && (n = read(fd, to, 4096)) > 0)
		buf_commit(text, (size_t)n);
	int cause = text->is_over ? EFBIG : errno;
	if (fd >= 0)
		close(fd);
	if (n == 0)
		return true;
	desk_fail(desk, EXIT_BAD_INPUT, "%s: %s", path, strerror(cause));
	return false;
}

typedef bool import_fn(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
		       struct import_count *count_out);

static enum exit_status command_import(struct desk *desk, const struct desk_args *args)
{
	struct buf text, settings, warnings;
	struct import_count count;
	const char *path = args->fetchmailrc ? args->fetchmailrc : args->getmailrc;
	enum exit_status status = EXIT_BAD_INPUT;
	buf_init(&text, IMPORT_FILE_BYTES_MAX);
	buf_init(&settings, 8 * IMPORT_FILE_BYTES_MAX);
	buf_init(&warnings, 8 * IMPORT_FILE_BYTES_MAX);
	if (import_read(desk, path, &text)) {
		import_fn *import = args->fetchmailrc ? import_fetchmailrc : import_getmailrc;
		bool is_made = import(buf_slice(&text), path, &settings, &warnings, &count);
		fputs(buf_str(&settings), desk->out);
		fputs(buf_str(&warnings), desk->err);
		status = !is_made ? EXIT_UNAVAILABLE : count.accounts == 0 ? EXIT_BAD_INPUT
				  : count.warnings + count.unread > 0	  ? EXIT_FOUND : EXIT_FINE;
		if (is_made && count.accounts == 0)
			desk_fail(desk, status, "%s: no account in it that can be collected by POP3", path);
	}
	/* The old file may hold passwords. */
	if (text.ptr)
		explicit_bzero(text.ptr, text.len);
	buf_free(&text);
	buf_free(&settings);
	buf_free(&warnings);
	return status;
}

/* --- reports ---------------------------------------------------------------------------- */

static void report_say(struct desk *desk, const struct fetch_report *r, bool is_look)
{
	if (r->end == POLL_NEVER && r->collected + r->delivered + r->quarantined == 0)
		return;
	bool is_well = r->end == POLL_WELL || r->end == POLL_NEVER;
	if (is_well && is_look)
		return;
	if (!is_well)
		desk_wrap(desk, 2, "%s: %s: %s\n", r->label, poll_end_name(r->end), r->why);
	if (is_well || r->collected + r->delivered > 0)
		desk_wrap(desk, 2, "%s: %llu collected, %llu delivered\n", r->label, (unsigned long long)r->collected,
			  (unsigned long long)r->delivered);
	const struct {
		uint64_t count;
		const char *what, *why;
	} rows[] = {
		{ r->twins, "came before", "" },
		{ r->held, "held as surplus", "" },
		{ r->quarantined, "to quarantine", "" },
		{ r->marked, "with the mark of a faulty connector", "mspop3connector or IMB Recipient in To or Cc" },
		{ r->left, "left on the server", r->left_why },
		{ r->deleted, "deleted there", "" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].count > 0)
			desk_wrap(desk, 2, "  %llu %s%s%s\n", (unsigned long long)rows[i].count, rows[i].what,
				  rows[i].why[0] ? ": " : "", rows[i].why);
}

static json_t *report_json(const struct fetch_report *r)
{
	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "account", r->label,
			 "end", poll_end_name(r->end), "why", json_word(r->why), "listed", (json_int_t)r->listed,
			 "collected",
			 (json_int_t)r->collected, "twins", (json_int_t)r->twins, "delivered", (json_int_t)r->delivered,
			 "held", (json_int_t)r->held, "quarantined", (json_int_t)r->quarantined, "left",
			 (json_int_t)r->left, "deleted", (json_int_t)r->deleted, "marked", (json_int_t)r->marked,
			 "left_why", json_word(r->left_why));
}

static void print_json(struct desk *desk, json_t *object)
{
	json_object_set_new(object, "quell", json_word(desk->host->version));
	char *text = json_dumps(object, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fprintf(desk->out, "%s\n", text ? text : "{}");
	free(text); /* jansson's own memory */
	json_decref(object);
}

struct outcome {
	bool is_polled_well, is_waiting, is_quarantined;
	const char *local;
};

static enum exit_status outcome_status(const struct outcome *o)
{
	if (o->local[0])
		return EXIT_UNAVAILABLE;
	if (!o->is_polled_well || o->is_waiting)
		return EXIT_TRY_AGAIN;
	return o->is_quarantined ? EXIT_FOUND : EXIT_FINE;
}

static enum exit_status report_all(struct desk *desk, const struct desk_args *args, struct fetch *fetch)
{
	struct fetch_report *reports = mem_alloc_array(FETCH_ACCOUNTS_MAX, sizeof *reports);
	uint64_t counts[LEDGER_STATE_COUNT];
	struct outcome o = { .is_polled_well = true, .local = fetch_local_trouble(fetch) };
	json_t *list = json_array();
	bool is_look = args->want_check || args->want_dry_run;
	size_t count = reports ? fetch_reports(fetch, reports, FETCH_ACCOUNTS_MAX) : 0;
	for (size_t i = 0; i < count; i++) {
		const struct fetch_report *r = &reports[i];
		o.is_polled_well &= r->end == POLL_WELL || r->end == POLL_NEVER;
		o.is_quarantined |= r->quarantined > 0;
		json_array_append_new(list, report_json(r));
		if (!args->want_json)
			report_say(desk, r, is_look);
	}
	if (fetch_ledger(fetch) && ledger_count(fetch_ledger(fetch), NULL, counts))
		o.is_waiting = counts[LEDGER_WAITING] + counts[LEDGER_SENDING] > 0;
	if (args->want_json)
		print_json(desk, json_pack("{s:o, s:o}", "accounts", list, "local_server", json_word(o.local)));
	else
		json_decref(list);
	if (o.local[0] && !args->want_json && !is_look)
		desk_wrap(desk, 2, "local server: %s", o.local);
	enum exit_status status = outcome_status(&o);
	mem_free(reports);
	return status;
}

/* --- looking ----------------------------------------------------------------------------- */

struct look {
	struct desk *desk;      /* NULL: nothing is said while it goes on */
	struct loop *loop;
};

static void look_on_say(void *ctx, const char *kind, const char *label, const char *text)
{
	struct look *look = ctx;
	(void)kind;
	if (look->desk)
		desk_wrap(look->desk, 4, "%s: %s", label, text);
}

static void look_on_idle(void *ctx)
{
	struct look *look = ctx;
	loop_stop(look->loop);
}

static enum exit_status command_look(struct desk *desk, const struct desk_args *args, const struct settings *s,
				     struct connector *c)
{
	struct error error = { .text = "" };
	struct fetch_setup setup;
	struct look look = { .desk = args->want_json ? NULL : desk, .loop = loop_new(&error) };
	const char *host = s->top.our_hosts.count > 0 ? s->top.our_hosts.items[0] : "localhost";
	enum exit_status status;
	log_setup(LOG_LEVEL_ERROR, false);
	if (look.loop && connector_setup(c, s, host, look.loop, &setup, &error)) {
		setup.say = look_on_say;
		setup.on_idle = look_on_idle;
		setup.ctx = &look;
		c->fetch = fetch_open(&setup, &error);
	}
	if (c->fetch) {
		loop_run(look.loop);
		status = report_all(desk, args, c->fetch);
	} else {
		status = desk_fail(desk, error.status ? error.status : EXIT_UNAVAILABLE, "%s", error.text);
	}
	fetch_close(&c->fetch);
	loop_free(look.loop);
	return status;
}

/* --- the connector itself -------------------------------------------------------------------- */

/* "" for fetch.state means a folder in the state folder, which may not be there yet. */
static void command_make_parent(const struct settings *s)
{
	if (!s->fetch.state[0])
		mkdir(s->top.state, 0700);
}

static enum exit_status command_run(struct desk *desk, const struct desk_args *args, struct settings *s,
				    struct connector *c)
{
	static struct daemon daemon;
	struct error error = { .text = "" };
	enum exit_status status = EXIT_FINE;
	umask(077);
	command_make_parent(s);
	/* A person who waits for one round wants its outcome, not its log. */
	log_setup(args->want_once && s->is.log_level == LOG_LEVEL_INFO ? LOG_LEVEL_ERROR : s->is.log_level,
		  getenv("JOURNAL_STREAM") != NULL);
	daemon.connector = c;
	if (daemon_start(&daemon, &connector_plan, s, desk->file, &error)) {
		daemon_run(&daemon);
		if (args->want_once)
			status = report_all(desk, args, c->fetch);
	} else {
		status = desk_fail(desk, error.status ? error.status : EXIT_UNAVAILABLE, "%s", error.text);
	}
	daemon_stop(&daemon);
	return status;
}

static enum exit_status command_labels(struct desk *desk, const struct settings *s, const struct desk_args *args)
{
	for (size_t i = 0; i < args->word_count; i++) {
		bool is_known = false;
		for (size_t k = 0; k < s->account_count && !is_known; k++)
			is_known = strcmp(s->accounts[k].label, args->words[i]) == 0;
		if (!is_known)
			return desk_fail(desk, EXIT_USAGE, "no account \"%s\" in the settings", args->words[i]);
	}
	return EXIT_FINE;
}

static enum exit_status command_collect(struct desk *desk, const struct desk_args *args)
{
	struct settings *s = command_settings(desk);
	if (!s)
		return EXIT_BAD_INPUT;
	enum exit_status status = command_labels(desk, s, args);
	struct connector c = {
		.mode = args->want_check     ? FETCH_CHECK
			: args->want_dry_run ? FETCH_DRY_RUN
			: args->want_once    ? FETCH_ONCE
					     : FETCH_RUN,
		.labels = (const char *const *)args->words,
		.label_count = args->word_count,
	};
	bool is_look = args->want_check || args->want_dry_run;
	if (status != EXIT_FINE || is_look) {
		if (status == EXIT_FINE)
			status = command_look(desk, args, s, &c);
		settings_free(s);
		return status;
	}
	return command_run(desk, args, s, &c); /* the daemon owns the settings */
}

/* --- decisions -------------------------------------------------------------------------------- */

/* No connector runs: its plan without accounts to poll, one order, and down again. */
static enum exit_status decide_here(struct desk *desk, struct settings *s, const struct slice *words, size_t count,
				    struct buf *text)
{
	static struct daemon daemon;
	static const char *const nobody[] = { "" };
	struct connector c = { .mode = FETCH_ONCE, .labels = nobody, .label_count = 1 };
	struct error error = { .text = "" };
	log_setup(LOG_LEVEL_ERROR, false);
	command_make_parent(s);
	daemon.connector = &c;
	bool is_done = daemon_start(&daemon, &connector_plan, s, desk->file, &error) &&
		       connector_plan.fetch(&daemon, words, count, text, &error);
	daemon_stop(&daemon);
	return is_done ? EXIT_FINE
		       : desk_fail(desk, error.status ? error.status : EXIT_UNAVAILABLE, "%s", error.text);
}

static enum exit_status decide_answer(struct desk *desk, struct buf *answer, struct buf *text)
{
	json_t *object = json_loadb(answer->ptr, answer->len, JSON_REJECT_DUPLICATES, NULL);
	const char *said = json_string_value(json_object_get(object, "text"));
	const char *why = json_string_value(json_object_get(object, "error"));
	int status = (int)json_integer_value(json_object_get(object, "exit"));
	bool is_ok = json_is_true(json_object_get(object, "ok"));
	if (is_ok)
		buf_add_str(text, said ? said : "done");
	else
		desk_fail(desk, EXIT_UNAVAILABLE, "%s", why ? why : "the connector's answer is not understood");
	json_decref(object);
	return is_ok ? EXIT_FINE : status ? (enum exit_status)status : EXIT_UNAVAILABLE;
}

static enum exit_status decide(struct desk *desk, const struct desk_args *args, const struct slice *words,
			       size_t count)
{
	char line[CONTROL_LINE_BYTES] = "fetch";
	struct error error = { .text = "" };
	struct buf answer, text;
	enum exit_status status;
	struct settings *s = command_settings(desk);
	if (!s)
		return EXIT_BAD_INPUT;
	for (size_t i = 0; i < count; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), " %.*s", SLICE_ARG(words[i]));
	buf_init(&answer, FETCH_ANSWER_BYTES);
	buf_init(&text, FETCH_ANSWER_BYTES);
	if (control_ask(connector_control(s), line, FETCH_CONTROL_MS, &answer, &error)) {
		status = decide_answer(desk, &answer, &text);
		settings_free(s);
	} else {
		status = decide_here(desk, s, words, count, &text);
	}
	if (status == EXIT_FINE && args->want_json)
		print_json(desk, json_pack("{s:b, s:o}", "ok", 1, "text", json_text(buf_slice(&text))));
	else if (status == EXIT_FINE)
		desk_wrap(desk, 2, "%s", buf_str(&text));
	buf_free(&answer);
	buf_free(&text);
	return status;
}

static enum exit_status command_adopt(struct desk *desk, const struct desk_args *args)
{
	if (args->word_count != 2 || args->want_deliver == args->want_mark_seen)
		return desk_fail(desk, EXIT_USAGE, "expected: quell fetch adopt ACCOUNT --mark-seen, or --deliver");
	struct settings *s = command_settings(desk);
	if (!s)
		return EXIT_BAD_INPUT;
	struct desk_args label = { .words = args->words + 1, .word_count = 1 };
	enum exit_status status = command_labels(desk, s, &label);
	settings_free(s);
	const struct slice words[] = { SLICE("adopt"), slice_from_str(args->words[1]),
				       slice_from_str(args->want_deliver ? "deliver" : "mark-seen") };
	return status == EXIT_FINE ? decide(desk, args, words, 3) : status;
}

/* --- the quarantine ------------------------------------------------------------------------------ */

struct listing {
	struct desk *desk;
	json_t *list;           /* NULL: for people */
	uint64_t count;
};

static bool quarantine_row(void *ctx, const struct ledger_row *row)
{
	struct listing *l = ctx;
	char when[40];
	clock_rfc3339(row->fetched_ms, when, sizeof when);
	l->count++;
	if (l->list) {
		json_array_append_new(l->list,
			json_pack("{s:I, s:s, s:s, s:o, s:o, s:I, s:o, s:s}", "id", (json_int_t)row->id, "account",
				  row->account, "fetched", when, "mailbox", json_word(row->mailbox), "return_path",
				  json_word(row->return_path), "bytes", (json_int_t)row->place.bytes, "why",
				  json_word(row->why), "uidl_hash", row->key[0] == '#' ? row->key : ""));
		return true;
	}
	desk_wrap(l->desk, 6, "%lld  %s  %s  %llu bytes  from %s%s%s", (long long)row->id, when, row->account,
		  (unsigned long long)row->place.bytes, row->return_path[0] ? row->return_path : "nobody (<>)",
		  row->mailbox[0] ? "  to " : "", row->mailbox);
	desk_wrap(l->desk, 6, "      %s", row->why);
	return true;
}

static enum exit_status quarantine_list(struct desk *desk, const struct desk_args *args)
{
	struct error error = { .text = "" };
	struct settings *s = command_settings(desk);
	if (!s)
		return EXIT_BAD_INPUT;
	struct listing l = { .desk = desk, .list = args->want_json ? json_array() : NULL };
	struct ledger *ledger = ledger_open_view(s->is.fetch_state, &error);
	bool is_read = !ledger || ledger_each_in_state(ledger, LEDGER_QUARANTINE, quarantine_row, &l);
	ledger_close(ledger);
	settings_free(s);
	if (l.list)
		print_json(desk, json_pack("{s:o}", "quarantine", l.list));
	else if (l.count == 0)
		desk_say(desk, "nothing is in quarantine\n");
	return is_read ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "the ledger cannot be read");
}

/* The header of a mail, made safe: what a person needs to decide. */
static bool quarantine_print(struct desk *desk, const struct settings *s, const struct ledger_row *row)
{
	struct error error = { .text = "" };
	int dir_fd = open(s->is.fetch_state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct segments *segments = dir_fd >= 0 ? segments_open(dir_fd, &error) : NULL;
	struct buf mail;
	buf_init(&mail, FETCH_SHOWN_BYTES);
	char *to = buf_reserve(&mail, FETCH_SHOWN_BYTES);
	ssize_t n = segments && to ? segment_read(segments, &row->place, 0, to, FETCH_SHOWN_BYTES) : -1;
	struct slice header = slice_make(to, n > 0 ? (size_t)n : 0), line;
	fputc('\n', desk->out);
	header = slice_first(header, slice_find_nocase(header, 0, SLICE("\r\n\r\n")));
	while (slice_next(&header, '\n', &line))
		desk_wrap(desk, 4, "%.*s", SLICE_ARG(slice_trim(line)));
	buf_free(&mail);
	segments_close(segments);
	if (dir_fd >= 0)
		close(dir_fd);
	return n >= 0;
}

static enum exit_status quarantine_show(struct desk *desk, const struct desk_args *args)
{
	struct error error = { .text = "" };
	struct ledger_row row;
	uint64_t id;
	struct settings *s = command_settings(desk);
	if (!s)
		return EXIT_BAD_INPUT;
	struct listing l = { .desk = desk, .list = args->want_json ? json_array() : NULL };
	struct ledger *ledger = ledger_open_view(s->is.fetch_state, &error);
	bool is_found = ledger && slice_to_u64(slice_from_str(args->words[1]), &id) && id <= INT64_MAX &&
			ledger_find(ledger, (int64_t)id, &row) && row.state == LEDGER_QUARANTINE;
	bool is_read = is_found && quarantine_row(&l, &row) && (args->want_json || quarantine_print(desk, s, &row));
	ledger_close(ledger);
	settings_free(s);
	if (l.list)
		print_json(desk, json_pack("{s:o}", "quarantine", l.list));
	if (!is_found)
		return desk_fail(desk, EXIT_BAD_INPUT, "no mail \"%s\" is in quarantine", args->words[1]);
	return is_read ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "its bytes cannot be read from the spool");
}

static enum exit_status command_quarantine(struct desk *desk, const struct desk_args *args)
{
	struct slice words[3];
	size_t count = 2;
	if (args->word_count == 1)
		return quarantine_list(desk, args);
	if (args->word_count == 2)
		return quarantine_show(desk, args);
	words[0] = slice_from_str(args->words[1]);
	bool is_release = slice_equal(words[0], SLICE("release")), is_drop = slice_equal(words[0], SLICE("drop"));
	if (args->word_count != 3 || (!is_release && !is_drop))
		return desk_fail(desk, EXIT_USAGE, "expected: quell fetch quarantine, quarantine ID, quarantine "
						   "release ID [--to MAILBOX], or quarantine drop ID");
	words[1] = slice_from_str(args->words[2]);
	if (is_release && args->to)
		words[count++] = slice_from_str(args->to);
	return decide(desk, args, words, count);
}

static enum exit_status fetch_command_run(struct desk *desk, const struct desk_args *args)
{
	const char *word = args->word_count > 0 ? args->words[0] : "";
	if (args->fetchmailrc || args->getmailrc)
		return command_import(desk, args);
	if (strcmp(word, "adopt") == 0)
		return command_adopt(desk, args);
	if (strcmp(word, "quarantine") == 0)
		return command_quarantine(desk, args);
	return command_collect(desk, args);
}

const struct desk_command fetch_command = {
	.name = "fetch",
	.usage = "[--once | --check | --dry-run] [--json] [ACCOUNT...] | adopt ACCOUNT --mark-seen|--deliver | "
		 "quarantine [ID | release ID [--to MAILBOX] | drop ID] | --import-fetchmailrc F | "
		 "--import-getmailrc F",
	.summary = "collect mail by POP3 and deliver it, by envelope only, exactly once",
	.manual = "quell-fetch(1)",
	.options = DESK_JSON | DESK_FETCH,
	.words_min = 0,
	.words_max = FETCH_ACCOUNTS_MAX,
	.fn = fetch_command_run,
};
