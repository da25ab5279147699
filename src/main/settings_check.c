/* SPDX-License-Identifier: Apache-2.0
 *
 * settings_check: what the texts of the settings mean, and what is hardly meant.
 *
 * One row for each text that has a grammar of its own. What a row cannot read is
 * an error at the line that set it; settings_warn adds what is allowed but leaves
 * Quell weaker than its owner may think.
 */
#include "main/settings_in.h"

#include "base/secret.h"
#include "net/addr.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* True when item is fine; else what was expected in why. */
typedef bool check_fn(struct settings *s, struct slice item, char *why, size_t why_bytes);

struct check {
	const char *section, *name;
	check_fn *fn;
};

static bool check_expect(char *why, size_t why_bytes, const char *expected)
{
	snprintf(why, why_bytes, "%s", expected);
	return false;
}

static bool check_chars(struct slice s, const char *extra)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alpha(s.ptr[i]) && !ascii_is_digit(s.ptr[i]) && !strchr(extra, s.ptr[i]))
			return false;
	return true;
}

static const char *check_keep(struct settings *s, struct slice text)
{
	char *copy = arena_alloc(&s->arena, text.len + 1);
	if (copy && text.len > 0)
		memcpy(copy, text.ptr, text.len);
	return copy ? copy : "";
}

static bool check_host(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	(void)s;
	if (item.len > 0 && item.len <= 253 && check_chars(item, ".-_:"))
		return true;
	return check_expect(why, why_bytes, "a host name such as mx.example.org, or an address");
}

static bool check_network(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	(void)s;
	struct ip_net net;
	return ip_net_parse(item, &net) ||
	       check_expect(why, why_bytes, "a network such as 192.0.2.0/24, or an address");
}

static bool check_confirm(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	s->is.confirm_log = "";
	if (slice_equal(item, SLICE("none"))) {
		s->is.confirm = CONFIRM_NONE;
		return true;
	}
	if (slice_equal(item, SLICE("journal"))) {
		s->is.confirm = CONFIRM_JOURNAL;
		return true;
	}
	if (!slice_starts_nocase(item, SLICE("log:/")))
		return check_expect(why, why_bytes, "log:/path/of/the/mail.log, journal or none");
	s->is.confirm = CONFIRM_LOG;
	s->is.confirm_log = check_keep(s, slice_from(item, 4));
	return true;
}

static bool check_listen(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	(void)s;
	struct net_addr addr;
	return net_addr_parse(item, &addr, NULL) ||
	       check_expect(why, why_bytes, "unix:/path or inet:PORT@ADDRESS, such as inet:8891@127.0.0.1");
}

static bool check_socket_mode(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	unsigned mode = 0;
	bool is_octal = item.len >= 3 && item.len <= 4;
	for (size_t i = 0; is_octal && i < item.len; i++) {
		is_octal = item.ptr[i] >= '0' && item.ptr[i] <= '7';
		mode = mode * 8 + (unsigned)(item.ptr[i] - '0');
	}
	if (!is_octal || mode > 0777 || (mode & 0600) != 0600)
		return check_expect(why, why_bytes, "octal permissions such as 0660, read and write for the owner");
	s->is.milter_socket_mode = mode;
	return true;
}

static bool check_account(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	(void)s;
	return (item.len <= 65 && check_chars(item, "_-.:")) ||
	       check_expect(why, why_bytes, "an account's name, or a number");
}

static bool check_port(struct slice text, uint16_t *port_out)
{
	uint64_t port;
	if (!slice_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*port_out = (uint16_t)port;
	return true;
}

/* HOST, HOST:PORT, [v6] or [v6]:PORT. */
static bool check_host_port(struct settings *s, struct slice text, struct settings_relay *relay)
{
	bool has_brackets = text.len > 0 && text.ptr[0] == '[';
	size_t end = has_brackets ? slice_find_byte(text, 0, ']') : slice_find_byte(text, 0, ':');
	if (has_brackets && end == text.len)
		return false;
	struct slice host = has_brackets ? slice_between(text, 1, end) : slice_first(text, end);
	struct slice rest = slice_from(text, has_brackets ? end + 1 : end);
	if (host.len == 0 || host.len > 253 || !check_chars(host, has_brackets ? ".:" : ".-_"))
		return false;
	relay->host = check_keep(s, host);
	if (rest.len == 0 ? relay->port == 0 : rest.ptr[0] != ':' || !check_port(slice_from(rest, 1), &relay->port))
		return false;
	char address[300];
	snprintf(address, sizeof address, has_brackets ? "[%s]:%u" : "%s:%u", relay->host, relay->port);
	relay->address = check_keep(s, slice_from_str(address));
	return true;
}

static bool check_relay_into(struct settings *s, struct slice item, char *why, size_t why_bytes,
			     struct settings_relay *relay_out)
{
	struct settings_relay relay = { .host = "", .path = "", .address = "" };
	relay.is_lmtp = slice_starts_nocase(item, SLICE("lmtp:"));
	relay.port = relay.is_lmtp ? 0 : 25;
	struct slice rest = slice_from(item, 5);
	bool is_known = relay.is_lmtp || slice_starts_nocase(item, SLICE("smtp:"));
	bool is_fine = false;
	if (is_known && slice_starts_nocase(rest, SLICE("unix:/"))) {
		relay.address = check_keep(s, rest);
		relay.path = relay.address + 5;
		is_fine = rest.len > 6;
	} else if (is_known && slice_starts_nocase(rest, SLICE("//"))) {
		is_fine = check_host_port(s, slice_from(rest, 2), &relay);
	}
	if (!is_fine)
		return check_expect(why, why_bytes, "smtp://HOST:PORT, lmtp://HOST:PORT or lmtp:unix:/path");
	*relay_out = relay;
	return true;
}

static bool check_relay(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	return check_relay_into(s, item, why, why_bytes, &s->is.relay);
}

static bool check_deliver(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	return check_relay_into(s, item, why, why_bytes, &s->is.fetch_deliver);
}

static bool check_webhook(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	return item.len == 0 || alert_is_webhook(check_keep(s, item), why, why_bytes);
}

static bool check_alert_relay(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	return item.len == 0 || alert_is_relay(check_keep(s, item), why, why_bytes);
}

static bool check_mail_to(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	return item.len == 0 || alert_is_address(check_keep(s, item), why, why_bytes);
}

/* One line, since it stands in a header field. */
static bool check_shown_name(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	(void)s;
	bool is_fine = item.len <= 100;
	for (size_t i = 0; i < item.len; i++)
		is_fine = is_fine && (unsigned char)item.ptr[i] >= ' ' && item.ptr[i] != 0x7f;
	return is_fine || check_expect(why, why_bytes, "a name of at most 100 bytes, in one line");
}

static bool check_watched_log(struct settings *s, struct slice item, char *why, size_t why_bytes)
{
	if (slice_equal(item, slice_from_str(s->is.confirm_log ? s->is.confirm_log : ""))) {
		snprintf(why, why_bytes, "another log than that of confirm, whose mail comes through our own doors");
		return false;
	}
	snprintf(why, why_bytes, "an absolute path, or journal");
	return (item.len > 1 && item.ptr[0] == '/') || slice_equal(item, SLICE("journal"));
}

static const struct check checks[] = {
	{ "", "our_hosts", check_host },
	{ "", "relays", check_host },
	{ "", "own_networks", check_network },
	{ "", "user", check_account },
	{ "", "confirm", check_confirm },
	{ "watch", "logs", check_watched_log },
	{ "milter", "listen", check_listen },
	{ "milter", "socket_mode", check_socket_mode },
	{ "milter", "socket_owner", check_account },
	{ "release", "relay", check_relay },
	{ "control", "group", check_account },
	{ "fetch", "deliver", check_deliver },
	{ "alert", "webhook", check_webhook },
	{ "alert", "mail_relay", check_alert_relay },
	{ "alert", "mail_to", check_mail_to },
	{ "alert", "mail_from_name", check_shown_name },
};

static void check_item(struct settings *s, const struct check *check, bool is_secret, unsigned line,
		       const char *item, struct settings_report *report)
{
	char why[128], shown[96];
	if (check->fn(s, slice_from_str(item), why, sizeof why))
		return;
	settings_tell(report, false, s->file, line, is_secret ? "%s%s%s: %s cannot be used: %s"
							      : "%s%s%s: %s is not understood; expected %s",
		      check->section, check->section[0] ? "." : "", check->name,
		      is_secret ? "the value" : log_quote(slice_from_str(item), shown, sizeof shown), why);
}

static void check_row(struct settings *s, const struct check *check, const struct setting_section *section,
		      size_t row_number, unsigned line, struct settings_report *report)
{
	const struct setting_row *row = &section->rows[row_number];
	const void *field = (const char *)section->values + row->offset;
	if (row->type != SETTING_LIST) {
		check_item(s, check, row->is_secret, line, *(const char *const *)field, report);
		return;
	}
	const struct setting_list *list = field;
	for (size_t i = 0; i < list->count; i++)
		check_item(s, check, row->is_secret, line, list->items[i], report);
}

static void check_all(struct settings *s, struct settings_report *report)
{
	for (size_t c = 0; c < sizeof checks / sizeof checks[0]; c++)
		for (size_t i = 0; i < s->section_count; i++)
			for (size_t j = 0; j < s->sections[i].row_count; j++)
				if (strcmp(checks[c].section, s->sections[i].name) == 0 &&
				    strcmp(checks[c].name, s->sections[i].rows[j].name) == 0)
					check_row(s, &checks[c], &s->sections[i], j, s->lines[i][j], report);
}

/* Where it was set; 0: nowhere. */
static unsigned settings_line_of(const struct settings *s, const char *section, const char *name)
{
	for (size_t i = 0; i < s->section_count; i++)
		for (size_t j = 0; j < s->sections[i].row_count; j++)
			if (strcmp(s->sections[i].name, section) == 0 && strcmp(s->sections[i].rows[j].name, name) == 0)
				return s->lines[i][j];
	return 0;
}

static void understand_networks(struct settings *s)
{
	const struct setting_list *list = &s->top.own_networks;
	struct ip_net *nets = arena_alloc(&s->arena, (list->count + 1) * sizeof *nets);
	for (size_t i = 0; nets && i < list->count; i++)
		if (ip_net_parse(slice_from_str(list->items[i]), &nets[s->is.own_net_count]))
			s->is.own_net_count++;
	s->is.own_nets = nets;
}

/* folder and tail, which begins with a slash, as one path. */
static const char *understand_join(struct settings *s, const char *folder, struct slice tail)
{
	size_t len = strlen(folder);
	while (len > 0 && folder[len - 1] == '/')
		len--;
	char *path = arena_alloc(&s->arena, len + tail.len + 1);
	if (!path)
		return "";
	memcpy(path, folder, len);
	memcpy(path + len, tail.ptr, tail.len);
	return path;
}

/* The path that was set, or tail in the state folder. */
static const char *understand_path(struct settings *s, const char *set, struct slice tail)
{
	return set[0] ? set : understand_join(s, s->top.state, tail);
}

static enum log_level understand_level(const char *word)
{
	return strcmp(word, "error") == 0   ? LOG_LEVEL_ERROR
	       : strcmp(word, "warn") == 0  ? LOG_LEVEL_WARN
	       : strcmp(word, "debug") == 0 ? LOG_LEVEL_DEBUG
					    : LOG_LEVEL_INFO;
}

/* What only makes sense together, or not at all. */
static void understand_alert(struct settings *s, struct settings_report *report)
{
	const struct alert_settings *a = &s->alert;
	if (a->mail_to[0] && !a->mail_relay[0])
		settings_tell(report, false, s->file, settings_line_of(s, "alert", "mail_to"),
			      "alert.mail_to: no use without alert.mail_relay");
	if (a->command.count > 0 && a->command.items[0][0] != '/')
		settings_tell(report, false, s->file, settings_line_of(s, "alert", "command"),
			      "alert.command: it begins with the program's absolute path");
}

void settings_understand(struct settings *s, struct settings_report *report)
{
	s->is = (struct settings_understood){ .confirm_log = "", .control_socket = "" };
	s->is.is_guard = strcmp(s->top.mode, "guard") == 0;
	s->is.log_level = understand_level(s->log.level);
	check_all(s, report);
	understand_networks(s);
	s->is.control_socket = understand_path(s, s->control.socket, SLICE("/control.sock"));
	s->is.fetch_state = understand_path(s, s->fetch.state, SLICE("/fetch"));
	s->is.fetch_control = understand_join(s, s->is.fetch_state, SLICE("/control.sock"));
	settings_check_accounts(s, report);
	understand_alert(s, report);
	if (s->arena.is_over)
		settings_tell(report, false, s->file, 0, "too many values");
}

static void warn_state(const struct settings *s, const char *file, struct settings_report *report)
{
	struct stat info;
	if (stat(s->top.state, &info) != 0) {
		settings_tell(report, true, file, 0,
			      "state: %s does not exist yet; quelld makes it, if it may write its parent folder",
			      s->top.state);
		return;
	}
	if (!S_ISDIR(info.st_mode))
		settings_tell(report, true, file, 0, "state: %s is not a folder", s->top.state);
	else if (access(s->top.state, W_OK | X_OK) != 0)
		settings_tell(report, true, file, 0,
			      "state: %s cannot be written by this user; quelld's own user must be able to",
			      s->top.state);
	else if (info.st_mode & 022)
		settings_tell(report, true, file, 0, "state: %s may be written by others; quelld will refuse it",
			      s->top.state);
}

static void warn_alert(const struct settings *s, const char *file, struct settings_report *report)
{
	const struct alert_settings *a = &s->alert;
	struct error error = { .text = "" };
	struct secret *secret = NULL;
	if (a->webhook_secret_file[0] && !a->webhook[0])
		settings_tell(report, true, file, 0, "alert.webhook_secret_file: no use without alert.webhook");
	/* What systemd hands over is not here now. */
	bool is_credential = strncmp(a->webhook_secret_file, "credential:", 11) == 0;
	if (a->webhook_secret_file[0] && !is_credential &&
	    !(secret = secret_read_file(a->webhook_secret_file, &error)))
		settings_tell(report, true, file, 0, "alert.webhook_secret_file: %s", error.text);
	secret_free(&secret);
	if (a->webhook_ca_file[0] && access(a->webhook_ca_file, R_OK) != 0)
		settings_tell(report, true, file, 0, "alert.webhook_ca_file: %s cannot be read by this user",
			      a->webhook_ca_file);
	if (a->command.count > 0 && access(a->command.items[0], X_OK) != 0)
		settings_tell(report, true, file, 0, "alert.command: %s cannot be run by this user",
			      a->command.items[0]);
	if (a->mail_relay[0] && strcmp(a->mail_relay, s->release.relay) == 0)
		settings_tell(report, true, file, 0,
			      "alert.mail_relay: the same server as release.relay, which a storm may jam");
}

void settings_warn(const struct settings *s, struct settings_report *report)
{
	const char *file = s->file[0] ? s->file : "no settings file";
	if (s->is.confirm == CONFIRM_NONE)
		settings_tell(report, true, file, 0,
			      "confirm: none, so Quell never knows that a copy was taken over: it holds surplus, "
			      "suppresses nothing, and releases one copy later; better: log:/var/log/mail.log");
	if (s->is.confirm == CONFIRM_LOG && access(s->is.confirm_log, R_OK) != 0)
		settings_tell(report, true, file, 0, "confirm: %s cannot be read by this user", s->is.confirm_log);
	if (s->top.our_hosts.count == 0)
		settings_tell(report, true, file, 0,
			      "our_hosts: empty, so no Received field is proof and Quell names only the servers that "
			      "connect to it; better: the names of all your mail servers");
	if (s->milter.listen.count == 0)
		settings_tell(report, true, file, 0, "milter.listen: empty, so no mail is seen");
	if (!s->is.is_guard)
		settings_tell(report, true, file, 0, "mode: observe, so nothing is withheld");
	warn_state(s, file, report);
	warn_alert(s, file, report);
	settings_warn_accounts(s, file, report);
}
