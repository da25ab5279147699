/* SPDX-License-Identifier: Apache-2.0
 *
 * Real Postfix lines of others, read by maillog and by a plain substring search (or by the
 * fields that their owners wrote beside them); the two must agree on every line.
 * Needs the unpacked sets (QUELL_DATA or ~/.cache/quell-data); ends with 77 without them.
 */
#include "../unit.h"

#include "wire/maillog.h"

#include <dirent.h>
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
};

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
		return MAILLOG_OTHER;
	for (size_t i = 0; i < sizeof oracle_rows / sizeof oracle_rows[0]; i++) {
		const struct oracle_row *row = &oracle_rows[i];
		if (strstr(row->services, service) && strstr(colon, row->needle) &&
		    strncmp(colon + 2, row->begin, strlen(row->begin)) == 0)
			return row->kind;
	}
	return MAILLOG_OTHER;
}

static void compare_line(const char *line, const char *path, struct tally *t)
{
	struct maillog_event ev;
	maillog_read(slice_from_str(line), &ev);
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

/* ---- the grok cases: one line each with the fields that its owner expects ---- */

struct grok_case {
	char line[LINE_BYTES];
	char queue_id[64], status[64], response[2048], message_id[512], bounce_id[64];
	bool has_message_id;
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

static void read_case(const char *path, const char *service, struct grok_case *c)
{
	static char line[LINE_BYTES];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	memset(c, 0, sizeof *c);
	while (fgets(line, sizeof line, f)) {
		char *value = strstr(line, ": ");
		if (!value)
			continue;
		if (strncmp(line, "data:", 5) == 0) {
			int n = snprintf(c->line, sizeof c->line, "Dec  6 09:20:03 mx postfix/%s[1]: ", service);
			copy_scalar(value + 2, c->line + n, sizeof c->line - (size_t)n);
		} else if (strstr(line, "postfix_queueid:")) {
			copy_scalar(value + 2, c->queue_id, sizeof c->queue_id);
		} else if (strstr(line, "postfix_status:")) {
			copy_scalar(value + 2, c->status, sizeof c->status);
		} else if (strstr(line, "_response:")) {
			copy_scalar(value + 2, c->response, sizeof c->response);
		} else if (strstr(line, "postfix_message-id:")) {
			copy_scalar(value + 2, c->message_id, sizeof c->message_id);
			c->has_message_id = true;
		} else if (strstr(line, "postfix_bounce_queueid:")) {
			copy_scalar(value + 2, c->bounce_id, sizeof c->bounce_id);
		}
	}
	fclose(f);
}

/* Returns what the case had to say: 0 nothing that maillog knows. */
static int check_case(const char *name, const struct grok_case *c)
{
	struct maillog_event ev;
	maillog_read(slice_from_str(c->line), &ev);
	bool has_outcome = strcmp(c->status, "sent") == 0 || strcmp(c->status, "bounced") == 0 ||
			   strcmp(c->status, "deferred") == 0 || strcmp(c->status, "expired") == 0;
	if (!has_outcome && !c->has_message_id && !c->bounce_id[0])
		return 0;
	assert_slice(ev.queue_id, c->queue_id);
	if (has_outcome && strcmp(maillog_kind_name(ev.kind), c->status) != 0)
		fail_msg("%s: %s, wanted %s: %s", name, maillog_kind_name(ev.kind), c->status, c->line);
	if (c->response[0])
		assert_slice(ev.text, c->response);
	if (c->has_message_id)
		assert_int_equal(ev.kind, MAILLOG_MESSAGE_ID);
	if (c->has_message_id && c->message_id[0] && !slice_equal(ev.message_id, slice_from_str(c->message_id)))
		fail_msg("%s: message-id \"%.*s\", wanted \"%s\"", name, SLICE_ARG(ev.message_id), c->message_id);
	if (c->bounce_id[0])
		assert_slice(ev.other_id, c->bounce_id);
	return 1;
}

static void the_cases_of_the_grok_patterns_give_the_fields_their_owner_expects(void **state)
{
	(void)state;
	static struct grok_case c;
	char path[1024], service[64];
	int cases = 0, told = 0;
	snprintf(path, sizeof path, "%s/logs-postfix-grok-dev/test", data_root);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		size_t len = strcspn(d->d_name, "_.");
		if (!strstr(d->d_name, ".yaml") || d->d_name[len] != '_' || len >= sizeof service)
			continue;
		snprintf(service, sizeof service, "%.*s", (int)len, d->d_name);
		snprintf(path, sizeof path, "%s/logs-postfix-grok-dev/test/%s", data_root, d->d_name);
		read_case(path, service, &c);
		told += check_case(d->d_name, &c);
		cases++;
	}
	closedir(dir);
	print_message("# %d cases, %d of them with an outcome, a message-id or a notice\n", cases, told);
	assert_true(cases > 150);
	assert_true(told >= 20);
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
	};
	if (!find_data()) {
		printf("test_maillog_real: skipped: no log sets in %s (run the data set's unpack)\n", data_root);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
