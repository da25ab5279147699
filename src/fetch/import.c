/* SPDX-License-Identifier: Apache-2.0
 *
 * import: what both readers of old settings write.
 *
 * Values are judged by the same functions as quell config check, before they are
 * written; text goes out in double quotes and must be printable ASCII, so that no old
 * file can write YAML of its own.
 */
#include "fetch/import_in.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

bool import_begin(struct import *im, const char *name, struct buf *settings_out, struct buf *warnings_out,
		  struct import_count *count_out)
{
	*im = (struct import){ .name = name, .settings = settings_out, .warnings = warnings_out, .count = count_out };
	*count_out = (struct import_count){ 0 };
	arena_init(&im->arena, IMPORT_ARENA_BYTES);
	buf_init(&im->accounts, settings_out->cap_max);
	im->boxes = arena_alloc(&im->arena, FETCH_ACCOUNTS_MAX * sizeof *im->boxes);
	return im->boxes != NULL;
}

bool import_end(struct import *im)
{
	struct buf *out = im->settings;
	buf_add_str(out, "# Settings for quell fetch. Look at each line and warning, make the password files, then "
			"ask\n"
			 "# quell config check.\nfetch:\n");
	if (im->deliver[0])
		buf_addf(out, "  deliver: \"%s\"\n", im->deliver);
	buf_addf(out, "  every: %llus\n", im->every_s ? (unsigned long long)im->every_s : 300ULL);
	if (im->mail_bytes_max)
		buf_addf(out, "  mail_bytes_max: %llu\n", (unsigned long long)im->mail_bytes_max);
	if (im->session_mails)
		buf_addf(out, "  session_mails: %llu\n", (unsigned long long)im->session_mails);
	if (im->box_count > 0)
		buf_add_str(out, "accounts:\n");
	buf_add(out, buf_slice(&im->accounts));
	bool is_fine = !im->accounts.is_over && !im->arena.is_over && !out->is_over && !im->warnings->is_over;
	buf_free(&im->accounts);
	arena_free(&im->arena);
	return is_fine;
}

const char *import_quote(struct slice s, char out[IMPORT_SHOWN_BYTES])
{
	return log_quote(s, out, IMPORT_SHOWN_BYTES);
}

void import_warn(struct import *im, unsigned line, const char *format, ...)
{
	char shown[IMPORT_SHOWN_BYTES];
	va_list args;
	im->count->warnings++;
	buf_addf(im->warnings, "%s:%u: ", log_quote(slice_from_str(im->name), shown, sizeof shown), line);
	va_start(args, format);
	buf_addv(im->warnings, format, args);
	va_end(args);
	buf_add_byte(im->warnings, '\n');
}

void import_unread(struct import *im, unsigned line, const char *what)
{
	im->count->unread++;
	import_warn(im, line, "%s is not understood and was passed over", what);
	im->count->warnings--;
}

void import_add_pair(struct import *im, struct import_account *a, struct slice address, struct slice mailbox)
{
	char shown[IMPORT_SHOWN_BYTES];
	for (size_t i = 0; i < a->pair_count; i++)
		if (slice_equal_nocase(a->pairs[i].address, address))
			return; /* the first one counts, as with the old program */
	if (a->pair_count < IMPORT_NAMES_MAX)
		a->pairs[a->pair_count++] = (struct import_pair){ address, mailbox };
	else
		import_warn(im, a->line, "more than %d addresses; %s was left out; quell needs it in map",
			    IMPORT_NAMES_MAX, import_quote(address, shown));
}

void import_deliver(struct import *im, unsigned line, bool is_lmtp, struct slice host, uint64_t port)
{
	char text[sizeof im->deliver], shown[IMPORT_SHOWN_BYTES];
	bool is_path = host.len > 1 && host.len < 100 && host.ptr[0] == '/';
	for (size_t i = 0; i < host.len; i++)
		is_path = is_path && host.ptr[i] > ' ' && host.ptr[i] <= '~' && !strchr("\"\\", host.ptr[i]);
	if (!is_path && (!account_host_is_fine(host) || port == 0 || port > 65535)) {
		import_warn(im, line, "deliver to %s; no address that quell knows; set fetch.deliver by hand",
			    import_quote(host, shown));
		return;
	}
	bool is_v6 = slice_find_byte(host, 0, ':') < host.len;
	if (is_path)
		snprintf(text, sizeof text, "lmtp:unix:%.*s", SLICE_ARG(host));
	else
		snprintf(text, sizeof text, is_v6 ? "%s://[%.*s]:%u" : "%s://%.*s:%u", is_lmtp ? "lmtp" : "smtp",
			 SLICE_ARG(host), (unsigned)port);
	if (im->deliver[0] == '\0')
		snprintf(im->deliver, sizeof im->deliver, "%s", text);
	else if (strcmp(im->deliver, text) != 0)
		import_warn(im, line, "deliver to %s; quell fetch delivers to one server, %s; a second needs its "
				"own settings",
			    text, im->deliver);
}

/* ---- one account as YAML ---- */

static bool import_is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] > '~')
			return false;
	return s.len > 0 && s.len <= 1024;
}

static void import_add_text(struct buf *out, struct slice s)
{
	buf_add_byte(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, s.ptr[i]);
	}
	buf_add_byte(out, '"');
}

static void import_add_line(struct buf *out, const char *name, struct slice value)
{
	buf_addf(out, "    %s: ", name);
	import_add_text(out, value);
	buf_add_byte(out, '\n');
}

/* user@host as far as a label may hold it, and a number when it was there already. */
static void import_label(struct import *im, const struct import_account *a, char *out, size_t out_bytes)
{
	char stem[FETCH_LABEL_BYTES_MAX - 6];
	size_t n = 0;
	struct slice from = a->user.len > 0 ? a->user : a->host;
	for (size_t i = 0; i < from.len && n + 1 < sizeof stem; i++) {
		char c = from.ptr[i];
		bool is_fine = ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_' || c == '.';
		if (is_fine || (n > 0 && stem[n - 1] != '-'))
			stem[n++] = is_fine ? c : '-';
	}
	stem[n] = '\0';
	if (n == 0 || !ascii_is_alpha(stem[0]))
		snprintf(out, out_bytes, "box-%.*s", (int)sizeof stem - 6, stem);
	else
		snprintf(out, out_bytes, "%s", stem);
	size_t len = strlen(out), same = 1;
	for (size_t i = 0; i < im->box_count; i++) {
		if (strcmp(im->boxes[i].label, out) != 0)
			continue;
		snprintf(out + len, out_bytes - len, "-%zu", ++same);
		i = (size_t)-1; /* from the first again, with the new one */
	}
}

static void import_write_server(struct import *im, const struct import_account *a)
{
	struct buf *out = &im->accounts;
	char host[256];
	snprintf(host, sizeof host, "%.*s", SLICE_ARG(slice_first(a->host, 255)));
	bool has_host = account_host_is_fine(a->host);
	if (has_host)
		import_add_line(out, "host", a->host);
	else
		buf_add_str(out, "    # OPEN: host: the provider's POP3 server\n");
	if (a->port > 0 && a->port <= 65535)
		buf_addf(out, "    port: %u\n", (unsigned)a->port);
	if (a->is_implicit_tls)
		buf_add_str(out, "    tls: implicit\n");
	else if (has_host && account_host_is_loopback(host))
		buf_add_str(out, "    tls: none\n");
	else
		buf_add_str(out, "    tls: starttls-required\n");
	bool is_clear = !a->is_implicit_tls && has_host && account_host_is_loopback(host);
	if (import_is_plain(a->ca_file) && a->ca_file.ptr[0] == '/' && !is_clear)
		import_add_line(out, "ca_file", a->ca_file);
}

static bool import_has_command(const struct import_account *a)
{
	bool has = a->command_count > 1 && a->command[0].len > 0 && a->command[0].ptr[0] == '/';
	for (size_t i = 0; has && i < a->command_count; i++)
		has = import_is_plain(a->command[i]);
	return has;
}

static void import_write_login(struct import *im, const struct import_account *a, const char *label)
{
	struct buf *out = &im->accounts;
	bool is_oauth = a->auth != NULL;
	if (import_is_plain(a->user))
		import_add_line(out, "user", a->user);
	else
		buf_add_str(out, "    # OPEN: user: the name to log in with\n");
	if (is_oauth)
		buf_addf(out, "    auth: %s\n", a->auth);
	if (import_has_command(a)) {
		buf_addf(out, "    %s: [", is_oauth ? "token_command" : "password_command");
		for (size_t i = 0; i < a->command_count; i++) {
			buf_add_str(out, i ? ", " : "");
			import_add_text(out, a->command[i]);
		}
		buf_add_str(out, "]\n");
	} else if (is_oauth) {
		buf_add_str(out, "    # OPEN: token_command or token_url: where the access token comes from, see "
				 "quell-fetch(1)\n");
	} else {
		buf_addf(out, "    # Make it: umask 077; cat >/etc/quell/%s.password  (the password, Enter, "
				"Ctrl-D); it must\n"
			      "    # belong to the user that runs quell fetch.\n"
			      "    password_file: /etc/quell/%s.password\n", label, label);
	}
}

static void import_write_map(struct import *im, const struct import_account *a)
{
	struct buf *out = &im->accounts;
	char shown[IMPORT_SHOWN_BYTES], also[IMPORT_SHOWN_BYTES];
	size_t written = 0;
	for (size_t i = 0; i < a->pair_count; i++) {
		const struct import_pair *p = &a->pairs[i];
		bool is_fine = account_address_is_fine(p->address) && account_mailbox_is_fine(p->mailbox);
		if (is_fine && written++ == 0)
			buf_add_str(out, "    map:\n");
		if (is_fine) {
			buf_add_str(out, "      ");
			import_add_text(out, p->address);
			buf_add_str(out, ": ");
			import_add_text(out, p->mailbox);
			buf_add_byte(out, '\n');
		} else {
			buf_addf(out, "    # OPEN: map: the whole address of %s, whose mailbox is %s\n",
				 import_quote(p->address, shown), import_quote(p->mailbox, also));
		}
	}
	if (written == 0)
		buf_add_str(out, "    # OPEN: map: each address that this box gets mail for, and its local mailbox\n");
}

static void import_write_route(struct import *im, const struct import_account *a)
{
	struct buf *out = &im->accounts;
	if (!a->is_multidrop && account_mailbox_is_fine(a->mailbox)) {
		import_add_line(out, "mailbox", a->mailbox);
		return;
	}
	if (!a->is_multidrop) {
		buf_add_str(out, "    # OPEN: mailbox: the local mailbox that gets this account's mail\n");
		return;
	}
	if (account_header_is_fine(a->envelope))
		import_add_line(out, "envelope_header", a->envelope);
	else
		buf_add_str(out, "    # OPEN: envelope_header: where the provider writes whose copy a mail is\n");
	import_write_map(im, a);
}

static bool import_was_written(struct import *im, const struct import_account *a)
{
	char shown[IMPORT_SHOWN_BYTES];
	for (size_t i = 0; i < im->box_count; i++) {
		if (!slice_equal(im->boxes[i].user, a->user) || !slice_equal_nocase(im->boxes[i].host, a->host))
			continue;
		import_warn(im, a->line, "user %s of this server stands here twice; each poll would repeat the other's "
					 "mail; only the first was taken", import_quote(a->user, shown));
		return true;
	}
	return false;
}

void import_account_end(struct import *im, struct import_account *a)
{
	struct buf *out = &im->accounts;
	if (import_was_written(im, a))
		return;
	if (im->box_count == FETCH_ACCOUNTS_MAX) {
		import_unread(im, a->line, "an account too many");
		return;
	}
	struct import_box *box = &im->boxes[im->box_count];
	*box = (struct import_box){ .host = a->host, .user = a->user };
	import_label(im, a, box->label, sizeof box->label);
	im->box_count++;
	im->count->accounts++;
	buf_addf(out, "  %s:\n", box->label);
	import_write_server(im, a);
	import_write_login(im, a, box->label);
	import_write_route(im, a);
	buf_addf(out, "    delete: %s\n", a->delete_when ? a->delete_when : "after-delivery");
	if (a->delete_days)
		buf_addf(out, "    delete_after: %llud\n",
			 (unsigned long long)(a->delete_days > 3650 ? 3650 : a->delete_days));
	if (a->every_s)
		buf_addf(out, "    every: %llus\n", (unsigned long long)a->every_s);
	if (a->is_paused)
		buf_add_str(out, "    paused: true\n");
}
