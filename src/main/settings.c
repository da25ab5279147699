/* SPDX-License-Identifier: Apache-2.0
 *
 * settings: the rows of the daemon itself, and all rows gathered.
 *
 * The rows of policy stand in the storm room, most of hold in the store room, those of
 * alert in act; here stand the rest. Reading is in settings_yaml.c, the sense of the texts in
 * settings_check.c, sample and manual in settings_show.c.
 */
#include "main/settings_in.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTINGS_ARENA_BYTES = 32 * 1024 * 1024 };

#define ROW(structure, member, row_name, row_type, ...)                                       \
	{ .name = row_name, .type = row_type, .offset = offsetof(struct structure, member), __VA_ARGS__ }

static const struct setting_row top_rows[] = {
	ROW(settings_top, state, "state", SETTING_PATH, .default_text = "/var/lib/quell",
	    .help = "The folder for the journal, the hold and the database. Only Quell's own user may write it."),
	ROW(settings_top, user, "user", SETTING_TEXT, .default_text = "",
	    .help = "Started as root, quelld becomes this user (or user:group) before it opens anything. Empty: "
		    "it stays what it is, as when systemd starts it."),
	ROW(settings_top, mode, "mode", SETTING_CHOICE, .default_text = "guard", .choices = "observe|guard",
	    .is_reloadable = true,
	    .help = "What Quell may do: guard withholds surplus copies, observe only marks them and reports."),
	ROW(settings_top, our_hosts, "our_hosts", SETTING_LIST, .default_text = "[]", .is_reloadable = true,
	    .help = "Names of your own mail servers, as they stand behind \"by\" in Received fields: only what "
		    "they wrote there is proof. Give all of them."),
	ROW(settings_top, own_networks, "own_networks", SETTING_LIST,
	    .default_text = "[127.0.0.0/8, \"::1/128\"]", .is_reloadable = true,
	    .help = "Networks of your own servers (scanners, list servers). Mail from there may pass a second "
		    "time without counting as a copy. Other people's networks do not belong here."),
	ROW(settings_top, relays, "relays", SETTING_LIST, .default_text = "[]", .is_reloadable = true,
	    .help = "Foreign servers whose Received fields you believe, such as the mail provider in front of yours."),
	ROW(settings_top, authserv_id, "authserv_id", SETTING_TEXT, .default_text = "", .is_reloadable = true,
	    .help = "The name your server puts first in Authentication-Results; empty: none is believed."),
	ROW(settings_top, confirm, "confirm", SETTING_TEXT, .default_text = "none",
	    .help = "How Quell learns that a copy was really taken over: log:/var/log/mail.log, journal, or none. "
		    "With none, surplus is only ever held and one copy is released after policy.unconfirmed_release."),
};

static const struct setting_row milter_rows[] = {
	ROW(settings_milter, listen, "listen", SETTING_LIST, .default_text = "[\"unix:/run/quell/milter.sock\"]",
	    .help = "Where the mail server finds the milter: unix:/path, inet:PORT@HOST, or a list of these; "
		    "an empty list closes this door."),
	ROW(settings_milter, socket_mode, "socket_mode", SETTING_TEXT, .default_text = "0660",
	    .help = "Permissions of the unix socket, octal."),
	ROW(settings_milter, socket_owner, "socket_owner", SETTING_TEXT, .default_text = "",
	    .help = "Owner of the unix socket: user, user:group or :group; empty: the daemon's own."),
	ROW(settings_milter, timeout_ms, "timeout", SETTING_SPAN, .default_text = "2h", .min = 60 * 1000,
	    .max = 24 * 60 * 60 * 1000, .is_reloadable = true,
	    .help = "A session that is silent for so long is closed. Longer than the mail server's own time-outs."),
	ROW(settings_milter, sessions_max, "max_sessions", SETTING_INT, .default_text = "2000", .min = 1,
	    .max = 60000, .unit = "sessions", .is_reloadable = true,
	    .help = "Sessions at a time; beyond, new ones are closed and the mail server's default action applies "
		    "(set it to accept)."),
	ROW(settings_milter, want_stamp, "stamp", SETTING_BOOL, .default_text = "true", .is_reloadable = true,
	    .help = "Add X-Quell-Trace to passing mail. A copy that comes back with it is proof of a storm."),
	ROW(settings_milter, want_tag_header, "tag_header", SETTING_BOOL, .default_text = "true",
	    .is_reloadable = true,
	    .help = "Add X-Quell-Verdict to delivered mail that is surplus or suspect, for filters to look at."),
};

static const struct setting_row hold_rows[] = {
	ROW(settings_hold, deadline_ms, "deadline", SETTING_SPAN, .default_text = "5s", .min = 100,
	    .max = 5 * 60 * 1000, .is_reloadable = true,
	    .help = "How long the answer to a mail may wait for the disk; past it the hold counts as out of order."),
	ROW(settings_hold, defer_for_ms, "defer_for", SETTING_SPAN, .default_text = "30m", .min = 0,
	    .max = 24 * 60 * 60 * 1000, .is_reloadable = true,
	    .help = "When the hold is full or out of order, surplus is answered \"try again later\" for so long; "
		    "after that it is delivered."),
	ROW(settings_hold, mail_bytes_max, "mail_bytes_max", SETTING_BYTES, .default_text = "100MiB",
	    .min = 64 * 1024, .max = INT64_C(4) << 30,
	    .help = "A larger mail cannot be held: its surplus copies are delivered."),
};

static const struct setting_row release_rows[] = {
	ROW(settings_release, relay, "relay", SETTING_TEXT, .default_text = "smtp://127.0.0.1:25",
	    .is_reloadable = true,
	    .help = "Where released mail is handed back: smtp://HOST:PORT, lmtp://HOST:PORT, or lmtp:unix:/path."),
	ROW(settings_release, per_minute, "rate", SETTING_INT, .default_text = "60", .min = 1, .max = 100000,
	    .unit = "mails a minute", .is_reloadable = true,
	    .help = "How fast held mail is released when the command does not say so."),
	ROW(settings_release, timeout_ms, "timeout", SETTING_SPAN, .default_text = "60s", .min = 1000,
	    .max = 10 * 60 * 1000, .is_reloadable = true,
	    .help = "How long the relay may take for one answer."),
};

static const struct setting_row control_rows[] = {
	ROW(settings_control, socket, "socket", SETTING_PATH, .default_text = "",
	    .help = "The socket on which the quell command talks to the daemon; empty: control.sock in the state "
		    "folder."),
	ROW(settings_control, group, "group", SETTING_TEXT, .default_text = "",
	    .help = "Members of this group may give orders to the daemon too; empty: only root and its own user."),
};

static const struct setting_row watch_rows[] = {
	ROW(settings_watch, logs, "logs", SETTING_LIST, .default_text = "[]",
	    .help = "Logs of other mail servers to watch for storms: absolute paths (they are followed across "
		    "rotation), or journal. Not the log of the server whose mail comes through the milter: its mail "
		    "would count twice."),
	ROW(settings_watch, memory_bytes, "memory", SETTING_BYTES, .default_text = "32MiB",
	    .min = 1024 * 1024, .max = INT64_C(16) * 1024 * 1024 * 1024,
	    .help = "Ceiling of what is kept of the mails under way in these logs; past it the oldest is told as "
		    "it is."),
};

static const struct setting_row log_rows[] = {
	ROW(settings_log, level, "level", SETTING_CHOICE, .default_text = "info",
	    .choices = "error|warn|info|debug", .is_reloadable = true,
	    .help = "What is logged on standard error."),
	ROW(settings_log, throttle, "throttle", SETTING_INT, .default_text = "60", .min = 1, .max = 100000,
	    .unit = "lines a minute", .is_reloadable = true,
	    .help = "At most so many lines of one kind; the rest is counted and the count is logged."),
};

static void settings_gather(struct settings *s, const char *name, const struct setting_row *rows,
			    size_t row_count, void *values)
{
	if (s->section_count == SETTINGS_SECTIONS_MAX || row_count > SETTINGS_ROWS_MAX)
		abort(); /* a bug: raise the ceiling in settings.h */
	s->sections[s->section_count++] =
		(struct setting_section){ .name = name, .rows = rows, .row_count = row_count, .values = values };
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void settings_gather_all(struct settings *s)
{
	settings_gather(s, "", top_rows, COUNT(top_rows), &s->top);
	settings_gather(s, "milter", milter_rows, COUNT(milter_rows), &s->milter);
	settings_gather(s, "hold", store_limit_rows, store_limit_row_count, &s->store);
	settings_gather(s, "hold", hold_rows, COUNT(hold_rows), &s->hold);
	settings_gather(s, "policy", storm_policy_rows, storm_policy_row_count, &s->policy);
	settings_gather(s, "release", release_rows, COUNT(release_rows), &s->release);
	settings_gather(s, "control", control_rows, COUNT(control_rows), &s->control);
	settings_gather(s, "log", log_rows, COUNT(log_rows), &s->log);
	settings_gather(s, "watch", watch_rows, sizeof watch_rows / sizeof watch_rows[0], &s->watch);
	settings_gather(s, "alert", alert_rows, alert_row_count, &s->alert);
	settings_gather(s, "fetch", fetch_setting_rows, fetch_setting_row_count, &s->fetch);
}

bool settings_take_list(struct settings *s, const struct setting_row *row, void *values,
			const struct slice *items, size_t count)
{
	struct setting_list *list = (struct setting_list *)(void *)((char *)values + row->offset);
	const char **texts = arena_alloc(&s->arena, (count + 1) * sizeof *texts);
	if (!texts)
		return false;
	for (size_t i = 0; i < count; i++) {
		char *text = arena_alloc(&s->arena, items[i].len + 1);
		if (!text)
			return false;
		if (items[i].len > 0)
			memcpy(text, items[i].ptr, items[i].len);
		texts[i] = text;
	}
	*list = (struct setting_list){ .items = texts, .count = count };
	return true;
}

/* Defaults of lists are written by ourselves: [a, "b"], no commas inside. */
static bool settings_default_list(struct settings *s, const struct setting_row *row, void *values)
{
	struct slice items[32], text = slice_trim(slice_from_str(row->default_text)), part;
	size_t count = 0;
	text = slice_between(text, 1, text.len > 1 ? text.len - 1 : 0);
	while (count < COUNT(items) && slice_next(&text, ',', &part)) {
		part = slice_trim(part);
		if (part.len >= 2 && part.ptr[0] == '"')
			part = slice_between(part, 1, part.len - 1);
		items[count++] = part;
	}
	return settings_take_list(s, row, values, items, count);
}

bool settings_default_section(struct settings *s, const struct setting_section *section)
{
	char why[128];
	for (size_t i = 0; i < section->row_count; i++) {
		const struct setting_row *row = &section->rows[i];
		if (row->type == SETTING_LIST) {
			if (!settings_default_list(s, row, section->values))
				return false;
		} else if (!setting_parse(row, row->default_text, section->values, why, sizeof why)) {
			abort(); /* a bug: a row whose default breaks its own rule */
		}
	}
	return true;
}

struct settings *settings_new(const char *file)
{
	struct settings *s = mem_alloc(sizeof *s);
	if (!s)
		return NULL;
	arena_init(&s->arena, SETTINGS_ARENA_BYTES);
	settings_gather_all(s);
	struct slice name = slice_from_str(file);
	char *copy = arena_alloc(&s->arena, name.len + 1);
	bool is_fine = copy != NULL;
	if (is_fine && name.len > 0)
		memcpy(copy, name.ptr, name.len);
	s->file = copy;
	for (size_t i = 0; is_fine && i < s->section_count; i++)
		is_fine = settings_default_section(s, &s->sections[i]);
	if (!is_fine) {
		settings_free(s);
		return NULL;
	}
	return s;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	arena_free(&settings->arena);
	mem_free(settings);
}

void settings_tell(struct settings_report *report, bool is_warning, const char *file, unsigned line,
		   const char *format, ...)
{
	*(is_warning ? &report->warnings : &report->errors) += 1;
	if (report->count == SETTINGS_MESSAGES_MAX)
		return;
	struct settings_message *m = &report->messages[report->count++];
	m->is_warning = is_warning;
	m->line = line;
	int used = line ? snprintf(m->text, sizeof m->text, "%s:%u: ", file, line)
			: snprintf(m->text, sizeof m->text, "%s: ", file);
	if (used < 0 || (size_t)used >= sizeof m->text)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(m->text + used, sizeof m->text - (size_t)used, format, args);
	va_end(args);
}

const char *settings_name(const struct setting_section *section, const struct setting_row *row,
			  char out[SETTINGS_NAME_BYTES])
{
	snprintf(out, SETTINGS_NAME_BYTES, "%s%s%s", section->name, section->name[0] ? "." : "", row->name);
	return out;
}

/* In the order of the file; the sense is checked after everything has been read. */
static void settings_sort(struct settings_report *report)
{
	for (size_t i = 1; i < report->count; i++) {
		struct settings_message m = report->messages[i];
		size_t at = i;
		for (; at > 0 && report->messages[at - 1].line > m.line; at--)
			report->messages[at] = report->messages[at - 1];
		report->messages[at] = m;
	}
}

struct settings *settings_read(struct slice yaml, const char *file, struct settings_report *report_out)
{
	*report_out = (struct settings_report){ .count = 0 };
	struct settings *s = settings_new(file);
	if (!s) {
		settings_tell(report_out, false, file, 0, "no memory");
		return NULL;
	}
	if (yaml.len > SETTINGS_FILE_BYTES_MAX)
		settings_tell(report_out, false, file, 0, "larger than 1 MiB; expected a settings file");
	else
		settings_read_yaml(s, yaml, report_out);
	settings_understand(s, report_out);
	settings_sort(report_out);
	if (report_out->errors > 0) {
		settings_free(s);
		return NULL;
	}
	return s;
}

static bool settings_slurp(int fd, struct buf *out)
{
	enum { STEP_BYTES = 16 * 1024 };
	for (;;) {
		char *to = buf_reserve(out, STEP_BYTES);
		if (!to)
			return errno = EFBIG, false;
		ssize_t got = read(fd, to, STEP_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		buf_commit(out, (size_t)got);
	}
}

static bool settings_open(const char *file, struct buf *out)
{
	struct stat info;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* never waits on a pipe */
	if (fd < 0)
		return false;
	bool is_fine = fstat(fd, &info) == 0;
	if (is_fine && !S_ISREG(info.st_mode)) {
		errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
		is_fine = false;
	}
	is_fine = is_fine && settings_slurp(fd, out);
	int kept = errno;
	close(fd);
	errno = kept;
	return is_fine;
}

struct settings *settings_load(const char *file, struct settings_report *report_out)
{
	struct buf bytes;
	struct settings *s = NULL;
	const char *name = file ? file : SETTINGS_FILE;
	buf_init(&bytes, SETTINGS_FILE_BYTES_MAX + 64 * 1024);
	if (settings_open(name, &bytes)) {
		s = settings_read(buf_slice(&bytes), name, report_out);
	} else if (errno == ENOENT && !file) {
		s = settings_read(SLICE(""), "", report_out);
	} else {
		*report_out = (struct settings_report){ .count = 0 };
		settings_tell(report_out, false, name, 0, "cannot be read: %s", strerror(errno));
	}
	buf_free(&bytes);
	return s;
}

static bool settings_is_same(const struct setting_row *row, const void *a, const void *b)
{
	const char *x = (const char *)a + row->offset, *y = (const char *)b + row->offset;
	const struct setting_list *l = (const void *)x, *m = (const void *)y;
	switch (row->type) {
	case SETTING_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case SETTING_INT:
	case SETTING_SPAN:
	case SETTING_BYTES:
		return *(const int64_t *)(const void *)x == *(const int64_t *)(const void *)y;
	case SETTING_TEXT:
	case SETTING_PATH:
	case SETTING_CHOICE:
		return strcmp(*(const char *const *)(const void *)x, *(const char *const *)(const void *)y) == 0;
	case SETTING_LIST:
		break;
	}
	for (size_t i = 0; i < l->count && i < m->count; i++)
		if (strcmp(l->items[i], m->items[i]) != 0)
			return false;
	return l->count == m->count;
}

void settings_compare_section(const struct setting_section *now, const void *fresh_values, struct buf *changed_out,
			      struct buf *fixed_out)
{
	char name[SETTINGS_NAME_BYTES];
	for (size_t i = 0; i < now->row_count; i++) {
		const struct setting_row *row = &now->rows[i];
		if (settings_is_same(row, now->values, fresh_values))
			continue;
		struct buf *out = row->is_reloadable ? changed_out : fixed_out;
		buf_addf(out, "%s%s", out->len ? ", " : "", settings_name(now, row, name));
	}
}

void settings_compare(const struct settings *now, const struct settings *fresh, struct buf *changed_out,
		      struct buf *fixed_out)
{
	for (size_t i = 0; i < now->section_count; i++)
		settings_compare_section(&now->sections[i], fresh->sections[i].values, changed_out, fixed_out);
	settings_compare_accounts(now, fresh, changed_out, fixed_out);
}
