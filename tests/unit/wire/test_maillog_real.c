/* SPDX-License-Identifier: Apache-2.0
 *
 * Real Postfix lines of others, read by maillog and by a plain substring search (or by the
 * fields that their owners wrote beside them); the two must agree on every line.
 * Needs the unpacked sets (QUELL_DATA or ~/.cache/quell-data); ends with 77 without them.
 */
#include "../unit.h"

#include "wire/maillog.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES = 16 * 1024 };

static char data_root[512];

struct tally {
	size_t lines, by_kind[MAILLOG_KIND_COUNT];
};

/* The same question asked another way: is needle in the message, and does it begin so? */
struct oracle_row {
	const char *services; /* " smtp lmtp " */
	const char *begin, *needle;
	enum maillog_kind kind;
};

#define DELIVERS " smtp lmtp local virtual pipe error retry discard relay "
static const struct oracle_row oracle_rows[] = {
	{ DELIVERS, "to=", ", status=sent (", MAILLOG_SENT },
	{ DELIVERS, "to=", ", status=deferred (", MAILLOG_DEFERRED },
	{ DELIVERS, "to=", ", status=bounced (", MAILLOG_BOUNCED },
	{ " qmgr ", "from=<", " (queue active)", MAILLOG_QUEUED },
	{ " qmgr ", "from=<", ", status=expired, returned", MAILLOG_EXPIRED },
	{ " qmgr cleanup ", "removed", "removed", MAILLOG_REMOVED },
	{ " cleanup ", "message-id=", "=", MAILLOG_MESSAGE_ID },
	{ " smtpd ", "client=", "[", MAILLOG_CLIENT },
	{ " pickup ", "uid=", " from=<", MAILLOG_CLIENT },
	{ " bounce ", "sender ", " notification: ", MAILLOG_NOTICE },
	{ " smtpd cleanup ", "milter-reject: ", " from ", MAILLOG_MILTER_REJECT },
	{ " smtpd cleanup postscreen ", "reject: ", " from ", MAILLOG_REJECTED },
	{ " headers ", "header name=\"In-Reply-To\"", ", value=", MAILLOG_HEADER },
	{ " cleanup ", "info: header Subject: ", "; from=<", MAILLOG_HEADER },
};

/* A line about no mail. */
static enum maillog_kind oracle_session(const char *service, const char *message)
{
	if (strcmp(service, " smtpd ") != 0)
		return MAILLOG_OTHER;
	if (strncmp(message, "connect from ", 13) == 0)
		return MAILLOG_CONNECT;
	return strncmp(message, "disconnect from ", 16) == 0 ? MAILLOG_DISCONNECT : MAILLOG_OTHER;
}

static enum maillog_kind oracle_kind(const char *line)
{
	char service[64];
	const char *bracket = strchr(line, '['), *message = strstr(line, "]: ");
	if (!bracket || !message || message < bracket)
		return MAILLOG_OTHER;
	const char *slash = bracket;
	while (slash > line && slash[-1] != '/' && slash[-1] != ' ')
		slash--;
	if (slash == line || slash[-1] != '/' || bracket - slash > 60)
		return MAILLOG_OTHER;
	snprintf(service, sizeof service, " %.*s ", (int)(bracket - slash), slash);
	const char *colon = strstr(message + 3, ": ");
	size_t id_len = colon ? (size_t)(colon - message - 3) : 0;
	if (id_len < 5 || strspn(message + 3, "0123456789ABCDEFNOQUEUE") != id_len)
		return oracle_session(service, message + 3);
	for (size_t i = 0; i < sizeof oracle_rows / sizeof oracle_rows[0]; i++) {
		const struct oracle_row *row = &oracle_rows[i];
		if (strstr(row->services, service) && strstr(colon, row->needle) &&
		    strncmp(colon + 2, row->begin, strlen(row->begin)) == 0)
			return row->kind;
	}
	return MAILLOG_OTHER;
}

/* The number behind word, as a plain search finds it; -1: word is not there. */
static double number_behind(const char *line, const char *word)
{
	const char *at = strstr(line, word);
	return at ? strtod(at + strlen(word), NULL) : -1;
}

static void compare_numbers(const struct maillog_event *ev, const char *line, const char *path)
{
	double delay = number_behind(line, ", delay="), first = number_behind(line, ", delays=");
	bool is_equal = true;
	if (ev->kind == MAILLOG_QUEUED)
		is_equal = (double)ev->size_bytes == number_behind(line, ", size=") &&
			   (double)ev->nrcpt == number_behind(line, ", nrcpt=");
	else if (ev->kind == MAILLOG_SENT || ev->kind == MAILLOG_BOUNCED || ev->kind == MAILLOG_DEFERRED)
		is_equal = ev->delay_ms == (int64_t)(delay * 1000 + 0.5) && ev->delays_ms[3] >= 0 &&
			   ev->delays_ms[0] == (int64_t)(first * 1000 + 0.5);
	else if (ev->kind == MAILLOG_CONNECT)
		is_equal = slice_equal(ev->client, slice_from_str(strstr(line, "connect from ") + 13));
	if (!is_equal)
		fail_msg("%s: wrong numbers or client: %s", path, line);
}

static void compare_line(const char *line, const char *path, struct tally *t)
{
	struct maillog_event ev;
	maillog_read(slice_from_str(line), &ev);
	if (ev.format != MAILLOG_POSTFIX && ev.format != MAILLOG_UNKNOWN)
		return;
	enum maillog_kind wanted = oracle_kind(line);
	if (ev.kind != wanted)
		fail_msg("%s: %s, wanted %s: %s", path, maillog_kind_name(ev.kind),
			 maillog_kind_name(wanted), line);
	if (wanted == MAILLOG_SENT || wanted == MAILLOG_BOUNCED || wanted == MAILLOG_DEFERRED) {
		char quoted[600];
		snprintf(quoted, sizeof quoted, ": to=<%.*s>, ", SLICE_ARG(ev.rcpt));
		if (!strstr(line, quoted) || ev.relay.len == 0 || ev.dsn.len < 5)
			fail_msg("%s: wrong recipient, relay or dsn: %s", path, line);
	}
	compare_numbers(&ev, line, path);
	t->lines++;
	t->by_kind[ev.kind]++;
}

static void compare_file(const char *path, struct tally *t)
{
	static char line[LINE_BYTES];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		compare_line(line, path, t);
	}
	fclose(f);
}

static void compare_folder(const char *folder, const char *part_of_name, struct tally *t)
{
	char path[1024];
	snprintf(path, sizeof path, "%s/%s", data_root, folder);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (d->d_name[0] == '.' || !strstr(d->d_name, part_of_name))
			continue;
		snprintf(path, sizeof path, "%s/%s/%s", data_root, folder, d->d_name);
		compare_file(path, t);
	}
	closedir(dir);
}

static void the_logs_of_real_servers_are_read_as_a_substring_search_reads_them(void **state)
{
	(void)state;
	struct tally t = { 0 };
	compare_folder("logs-lightmeter-dev/complete/logs_sample", "mail.log", &t);
	compare_folder("logs-lightmeter-dev/test_files/postfix_logs/individual_files", ".log", &t);
	print_message("# %zu lines: %zu queued, %zu sent, %zu deferred, %zu bounced, %zu removed\n", t.lines,
		      t.by_kind[MAILLOG_QUEUED], t.by_kind[MAILLOG_SENT], t.by_kind[MAILLOG_DEFERRED],
		      t.by_kind[MAILLOG_BOUNCED], t.by_kind[MAILLOG_REMOVED]);
	assert_true(t.by_kind[MAILLOG_QUEUED] > 450);
	assert_true(t.by_kind[MAILLOG_SENT] > 500);
	assert_true(t.by_kind[MAILLOG_BOUNCED] > 10);
	assert_true(t.by_kind[MAILLOG_DEFERRED] > 4);
	assert_true(t.by_kind[MAILLOG_REMOVED] > 440);
}

/* ---- the grok cases: one line each with the fields that its owner expects ----
 *
 * Which of their fields are which of ours (a "to" of the pairs is the one in postfix_keyvalue_data):
 *   postfix_queueid                              queue_id
 *   postfix_client_hostname, _ip, _port          client, as "hostname[ip]:port"
 *   postfix_from; from, to, orig_to of the pairs from, rcpt, orig_rcpt
 *   helo, relay, dsn, size, nrcpt of the pairs   the same
 *   delay, delays of the pairs                   delay_ms, delays_ms
 *   postfix_status; postfix_action               kind
 *   postfix_*_response, postfix_status_message   text, all of it, or its begin or end
 *   postfix_message-id, postfix_bounce_queueid   message_id, other_id
 * Not ours: statistics (anvil, scache, verify, dnsblog), what postscreen, tlsproxy and TLS tell
 * of a connection, warnings, and the parts that relay and client are made of.
 */

enum { GROK_FIELDS = 32, GROK_VALUE = 2048 };

struct grok_case {
	char line[LINE_BYTES], service[64];
	char names[GROK_FIELDS][64], values[GROK_FIELDS][GROK_VALUE];
	int count;
};

/* A YAML scalar: bare or in double quotes with \". */
static void copy_scalar(const char *from, char *to, size_t to_bytes)
{
	size_t n = 0;
	bool is_quoted = *from == '"';
	for (from += is_quoted; *from && *from != '\n' && n + 1 < to_bytes; from++) {
		if (is_quoted && *from == '\\' && from[1])
			from++;
		else if (is_quoted && *from == '"')
			break;
		to[n++] = *from;
	}
	to[n] = '\0';
}

static void read_case(const char *path, struct grok_case *c)
{
	static char line[LINE_BYTES];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	c->count = 0;
	c->line[0] = '\0';
	while (fgets(line, sizeof line, f)) {
		char *value = strstr(line, ": "), *name = strstr(line, "postfix_");
		if (value && strncmp(line, "data:", 5) == 0) {
			int n = snprintf(c->line, sizeof c->line, "Dec  6 09:20:03 mx postfix/%s[1]: ", c->service);
			copy_scalar(value + 2, c->line + n, sizeof c->line - (size_t)n);
		} else if (value && name && name < value && line[0] == ' ' && c->count < GROK_FIELDS) {
			snprintf(c->names[c->count], sizeof c->names[0], "%.*s", (int)(value - name - 8), name + 8);
			copy_scalar(value + 2, c->values[c->count++], GROK_VALUE);
		}
	}
	fclose(f);
}

static const char *field_of(const struct grok_case *c, const char *name)
{
	for (int i = 0; i < c->count; i++)
		if (strcmp(c->names[i], name) == 0)
			return c->values[i];
	return NULL;
}

/* The value of one of the pairs in out, without <>. */
static bool pair_of(const struct grok_case *c, const char *name, char *out)
{
	char wanted[64];
	const char *pairs = field_of(c, "keyvalue_data");
	size_t len = (size_t)snprintf(wanted, sizeof wanted, "%s=", name);
	const char *at = pairs;
	while (at && (at = strstr(at, wanted)) != NULL && at > pairs && at[-1] != ' ')
		at++;
	if (!at)
		return false;
	at += len;
	bool is_path = *at == '<';
	snprintf(out, GROK_VALUE, "%.*s", (int)strcspn(at + is_path, is_path ? ">" : ", "), at + is_path);
	return true;
}

static int check_slice(const char *name, const char *what, struct slice got, const char *wanted)
{
	if (!slice_equal(got, slice_from_str(wanted)))
		fail_msg("%s: %s is \"%.*s\", wanted \"%s\"", name, what, SLICE_ARG(got), wanted);
	return 1;
}

static int check_number(const char *name, const char *what, double got, double wanted)
{
	if (got < wanted - 0.0005 || got > wanted + 0.0005)
		fail_msg("%s: %s is %f, wanted %f", name, what, got, wanted);
	return 1;
}

static int check_pairs(const char *name, const struct grok_case *c, const struct maillog_event *ev)
{
	const struct {
		const char *pair;
		struct slice got;
	} slices[] = {
		{ "from", ev->from }, { "to", ev->rcpt }, { "orig_to", ev->orig_rcpt }, { "helo", ev->helo },
		{ "relay", ev->relay }, { "dsn", ev->dsn },
	};
	const struct {
		const char *pair;
		double got;
	} numbers[] = {
		{ "size", (double)ev->size_bytes }, { "nrcpt", (double)ev->nrcpt },
		{ "delay", (double)ev->delay_ms / 1e3 },
	};
	static char value[GROK_VALUE];
	int checked = 0;
	for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++)
		if (pair_of(c, slices[i].pair, value))
			checked += check_slice(name, slices[i].pair, slices[i].got, value);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (pair_of(c, numbers[i].pair, value))
			checked += check_number(name, numbers[i].pair, numbers[i].got, strtod(value, NULL));
	char *rest = value;
	for (int i = 0; i < 4 && (i > 0 || pair_of(c, "delays", value)); i++, rest += *rest == '/')
		checked += check_number(name, "delays", (double)ev->delays_ms[i] / 1e3, strtod(rest, &rest));
	return checked;
}

static int check_client(const char *name, const struct grok_case *c, const struct maillog_event *ev)
{
	char wanted[2 * GROK_VALUE];
	const char *host = field_of(c, "client_hostname"), *ip = field_of(c, "client_ip");
	const char *port = field_of(c, "client_port");
	if (!ip || (strcmp(c->service, "smtpd") != 0 && ev->queue_id.len == 0))
		return 0;
	snprintf(wanted, sizeof wanted, "%s[%s]%s%s", host ? host : "", ip, port ? ":" : "", port ? port : "");
	return check_slice(name, "client", ev->client, wanted);
}

static int check_kind(const char *name, const struct grok_case *c, const struct maillog_event *ev)
{
	static const struct {
		const char *field, *value, *kind;
	} rows[] = {
		{ "status", "sent", "sent" }, { "status", "bounced", "bounced" }, { "status", "deferred", "deferred" },
		{ "status", "expired", "expired" }, { "status", "undeliverable-but-not-cached", "other" },
		{ "action", "reject", "rejected" }, { "action", "milter-reject", "milter-reject" },
		{ "action", "discard", "milter-discard" }, { "action", "filter", "other" },
		{ "action", "reject_warning", "other" },
	};
	int checked = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *value = field_of(c, rows[i].field);
		if (value && strcmp(value, rows[i].value) == 0)
			checked += check_slice(name, "kind", slice_from_str(maillog_kind_name(ev->kind)), rows[i].kind);
	}
	return checked;
}

static int check_texts(const char *name, const struct grok_case *c, const struct maillog_event *ev)
{
	int checked = 0;
	for (int i = 0; i < c->count; i++) {
		struct slice field = slice_from_str(c->names[i]), value = slice_from_str(c->values[i]);
		/* Behind that of a try stands what it was the answer to. */
		if (slice_ends_nocase(field, SLICE("_response")))
			checked += check_slice(name, c->names[i], ev->kind == MAILLOG_OTHER ?
					       slice_first(ev->text, value.len) : ev->text, c->values[i]);
		if (slice_equal(field, SLICE("status_message")) && ev->queue_id.len > 0) {
			if (!slice_ends_nocase(ev->text, value))
				fail_msg("%s: \"%.*s\" lacks \"%s\"", name, SLICE_ARG(ev->text), c->values[i]);
			checked++;
		}
		if (slice_equal(field, SLICE("message-id")))
			checked += check_slice(name, "message_id", ev->message_id, c->values[i]);
		if (slice_equal(field, SLICE("bounce_queueid")))
			checked += check_slice(name, "other_id", ev->other_id, c->values[i]);
		if (slice_equal(field, SLICE("from")))
			checked += check_slice(name, "from", ev->from, c->values[i]);
		/* What is warned of a mail is nothing that became of it. */
		if (slice_equal(field, SLICE("queueid")) && !strstr(c->line, ": warning: "))
			checked += check_slice(name, "queue_id", ev->queue_id, c->values[i]);
	}
	return checked;
}

/* Returns how many fields it had that maillog knows. */
static int check_case(const char *name, const struct grok_case *c)
{
	struct maillog_event ev;
	maillog_read(slice_from_str(c->line), &ev);
	return check_pairs(name, c, &ev) + check_client(name, c, &ev) + check_kind(name, c, &ev) +
	       check_texts(name, c, &ev);
}

static void the_cases_of_the_grok_patterns_give_the_fields_their_owner_expects(void **state)
{
	(void)state;
	static struct grok_case c;
	char path[1024];
	int cases = 0, told = 0, fields = 0;
	snprintf(path, sizeof path, "%s/logs-postfix-grok-dev/test", data_root);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		size_t len = strcspn(d->d_name, "_.");
		if (!strstr(d->d_name, ".yaml") || d->d_name[len] != '_' || len >= sizeof c.service)
			continue;
		/* The features of TLS are shown on lines of the client. */
		snprintf(c.service, sizeof c.service, "%.*s", (int)len, d->d_name);
		if (strcmp(c.service, "tls") == 0)
			snprintf(c.service, sizeof c.service, "smtp");
		snprintf(path, sizeof path, "%s/logs-postfix-grok-dev/test/%s", data_root, d->d_name);
		read_case(path, &c);
		int checked = check_case(d->d_name, &c);
		told += checked > 0;
		fields += checked;
		cases++;
	}
	closedir(dir);
	print_message("# %d cases, %d of them with %d fields that are ours\n", cases, told, fields);
	assert_true(cases > 150);
	assert_true(told >= 95);
	assert_true(fields >= 418);
}

/* ---- what is not understood ---- */

static const char *const whole_logs[] = {
	"logs-lightmeter-dev/complete/logs_sample", "logs-lightmeter-dev/test_files/postfix_logs/individual_files",
	"logs-fail2ban-dev", "logs-crowdsec-dev",
};

/* Of each server's daemon: how many of its lines hold no fact, and at most how many may. */
struct daemon_row {
	enum maillog_format format;
	const char *daemon; /* service; "" all others of the server */
	unsigned without_max;
	unsigned lines, without;
};

static struct daemon_row daemon_rows[] = {
	{ MAILLOG_POSTFIX, "smtpd", 1719, 0, 0 }, { MAILLOG_POSTFIX, "cleanup", 66, 0, 0 },
	{ MAILLOG_POSTFIX, "qmgr", 0, 0, 0 }, { MAILLOG_POSTFIX, "smtp", 149, 0, 0 },
	{ MAILLOG_POSTFIX, "lmtp", 0, 0, 0 }, { MAILLOG_POSTFIX, "local", 0, 0, 0 },
	{ MAILLOG_POSTFIX, "virtual", 0, 0, 0 }, { MAILLOG_POSTFIX, "pipe", 0, 0, 0 },
	{ MAILLOG_POSTFIX, "error", 0, 0, 0 }, { MAILLOG_POSTFIX, "bounce", 0, 0, 0 },
	{ MAILLOG_POSTFIX, "pickup", 0, 0, 0 }, { MAILLOG_POSTFIX, "", 922, 0, 0 },
	{ MAILLOG_SENDMAIL, "", 29, 0, 0 }, { MAILLOG_DOVECOT, "", 1022, 0, 0 },
	{ MAILLOG_UNKNOWN, "", 2171, 0, 0 },
};

static struct daemon_row *row_of(const struct maillog_event *ev)
{
	for (size_t i = 0; i < sizeof daemon_rows / sizeof daemon_rows[0]; i++)
		if (daemon_rows[i].format == ev->format &&
		    (!daemon_rows[i].daemon[0] || slice_equal(ev->service, slice_from_str(daemon_rows[i].daemon))))
			return &daemon_rows[i];
	return NULL;
}

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	static char line[LINE_BYTES];
	static struct maillog_reader reader;
	FILE *f = type == FTW_F ? fopen(path, "r") : NULL;
	maillog_reader_begin(&reader);
	while (f && fgets(line, sizeof line, f)) {
		struct maillog_event ev;
		line[strcspn(line, "\r\n")] = '\0';
		maillog_reader_line(&reader, slice_from_str(line), &ev);
		struct daemon_row *row = row_of(&ev);
		/* Only a line that some program wrote counts; the sets hold remarks too. */
		if (row && ev.program.len > 0) {
			row->lines++;
			row->without += ev.kind == MAILLOG_OTHER;
		}
	}
	if (f)
		fclose(f);
	return 0;
}

static void no_more_lines_than_these_hold_no_fact(void **state)
{
	(void)state;
	char path[1024];
	unsigned lines = 0;
	for (size_t i = 0; i < sizeof whole_logs / sizeof whole_logs[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", data_root, whole_logs[i]);
		assert_int_equal(nftw(path, count_file, 16, FTW_PHYS), 0);
	}
	for (size_t i = 0; i < sizeof daemon_rows / sizeof daemon_rows[0]; i++) {
		const struct daemon_row *r = &daemon_rows[i];
		print_message("# %s %s: %u lines, %u without a fact (at most %u)\n", maillog_format_name(r->format),
			      r->daemon[0] ? r->daemon : "others", r->lines, r->without, r->without_max);
		lines += r->lines;
	}
	for (size_t i = 0; i < sizeof daemon_rows / sizeof daemon_rows[0]; i++)
		assert_true(daemon_rows[i].without <= daemon_rows[i].without_max);
	assert_true(lines > 10000);
}

static bool find_data(void)
{
	const char *data = getenv("QUELL_DATA"), *home = getenv("HOME");
	char probe[600];
	if (data)
		snprintf(data_root, sizeof data_root, "%s", data);
	else
		snprintf(data_root, sizeof data_root, "%s/.cache/quell-data", home ? home : "");
	snprintf(probe, sizeof probe, "%s/logs-lightmeter-dev", data_root);
	return access(probe, R_OK) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_logs_of_real_servers_are_read_as_a_substring_search_reads_them),
		cmocka_unit_test(the_cases_of_the_grok_patterns_give_the_fields_their_owner_expects),
		cmocka_unit_test(no_more_lines_than_these_hold_no_fact),
	};
	if (!find_data()) {
		printf("test_maillog_real: skipped: no log sets in %s (run the data set's unpack)\n", data_root);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
