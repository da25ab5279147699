/* SPDX-License-Identifier: Apache-2.0
 *
 * account_check: what the settings of the connector may not say, and the mend.
 *
 * A row says what one value may be; this looks at what belongs together. It refuses
 * whatever could make a stranger's text a recipient (R1, R2), send a password in the
 * clear or have one box collected twice. It opens no file: what lies behind a path is
 * seen when it is needed, by secret.c. Without memory it tells so and refuses.
 */
#include "fetch/account.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/addr.h"
#include "net/tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_SHOWN_BYTES = 96, CHECK_TEXT_BYTES = 400, CHECK_EVERY_MIN_MS = 60 * 1000 };

struct checker {
	account_tell_fn *tell;
	void *ctx;
	const struct account_entry *account; /* NULL: section fetch */
	bool is_fine;
};

static void check_tell(struct checker *c, const char *setting, size_t item, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void check_tell(struct checker *c, const char *setting, size_t item, const char *format, ...)
{
	char text[CHECK_TEXT_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	c->is_fine = false;
	c->tell(c->ctx, c->account, setting, item, text);
}

static bool check_chars(struct slice s, const char *extra)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alpha(s.ptr[i]) && !ascii_is_digit(s.ptr[i]) && !memchr(extra, s.ptr[i], strlen(extra)))
			return false;
	return true;
}

bool account_label_is_fine(struct slice label)
{
	return label.len > 0 && label.len <= FETCH_LABEL_BYTES_MAX && check_chars(label, "-_.");
}

bool account_map_parts(struct slice item, struct slice *address_out, struct slice *mailbox_out)
{
	size_t at = slice_find_nocase(item, 0, SLICE(" = "));
	if (at == item.len)
		return false;
	*address_out = slice_trim(slice_first(item, at));
	*mailbox_out = slice_trim(slice_from(item, at + 3));
	return true;
}

/* ---- single values ---- */

bool account_host_is_fine(struct slice host)
{
	return host.len > 0 && host.len <= 253 && check_chars(host, ".-_:") && host.ptr[0] != '-';
}

bool account_host_is_loopback(const char *host)
{
	char text[300];
	struct net_addr addr;
	if (slice_equal_nocase(slice_from_str(host), SLICE("localhost")))
		return true;
	snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:110" : "%s:110", host);
	return net_addr_parse(slice_from_str(text), &addr, NULL) && net_addr_is_local(&addr);
}

bool account_mailbox_is_fine(struct slice s)
{
	return s.len > 0 && s.len <= 254 && s.ptr[0] != '@' && s.ptr[0] != '-' && s.ptr[s.len - 1] != '@' &&
	       check_chars(s, "!#$&'+-/=?^_`{|}~.@");
}

bool account_address_is_fine(struct slice s)
{
	size_t at = slice_find_byte(s, 0, '@');
	return account_mailbox_is_fine(s) && at < s.len && check_chars(slice_from(s, at + 1), ".-");
}

/* Where a secret is kept: a file, or what systemd hands over. */
static void check_keeper(struct checker *c, const char *setting, const char *value)
{
	struct slice s = slice_from_str(value), name = slice_from(s, 11);
	char shown[CHECK_SHOWN_BYTES];
	bool is_credential = slice_starts_nocase(s, SLICE("credential:")) && name.len > 0 && name.ptr[0] != '.' &&
			     check_chars(name, "._-");
	if (s.len > 0 && s.ptr[0] != '/' && !is_credential)
		check_tell(c, setting, 0, "%s is not understood; expected an absolute path or credential:NAME",
			   log_quote(s, shown, sizeof shown));
}

static void check_command(struct checker *c, const char *setting, const struct setting_list *argv)
{
	if (argv->count > 0 && (argv->items[0][0] != '/' || (argv->count == 1 && strchr(argv->items[0], ' '))))
		check_tell(c, setting, 0,
			   "no shell runs it; expected a list of an absolute path and its arguments, such as "
			   "[/usr/bin/pass, show, mail]");
}

/* ---- where mail goes ---- */

struct header_rule {
	const char *name, *why;
};

static const char why_sender[] = "the sender writes it, and those who took recipients from it sent mail around the "
				 "world in December 2005";

static const struct header_rule header_rules[] = {
	{ "To", why_sender },
	{ "Cc", why_sender },
	{ "Bcc", why_sender },
	{ "Apparently-To", why_sender },
	{ "From", "it names the sender, not whose copy this is" },
	{ "Sender", "it names the sender, not whose copy this is" },
	{ "Reply-To", "it names whom to answer, not whose copy this is" },
	{ "Return-Path", "it names the sender, not whose copy this is" },
	{ "Received", "any server on the way may have written it" },
};

const char *account_header_refused(struct slice header)
{
	for (size_t i = 0; i < sizeof header_rules / sizeof header_rules[0]; i++)
		if (slice_equal_nocase(header, slice_from_str(header_rules[i].name)))
			return header_rules[i].why;
	if (slice_starts_nocase(header, SLICE("Resent-")))
		return why_sender;
	return slice_starts_nocase(header, SLICE("X-Quell-")) ? "it is our own" : NULL;
}

bool account_header_is_fine(struct slice header)
{
	return header.len > 0 && header.len <= 77 && check_chars(header, "-_") && !account_header_refused(header);
}

static void check_header(struct checker *c, struct slice header)
{
	char shown[CHECK_SHOWN_BYTES];
	const char *why = account_header_refused(header);
	if (why)
		check_tell(c, "envelope_header", 0,
			   "%s is refused: %s; expected the header in which the provider writes whose copy this is, "
			   "such as Delivered-To, X-Original-To, Envelope-To, X-Envelope-To or X-Rcpt-To",
			   log_quote(header, shown, sizeof shown), why);
	else if (!account_header_is_fine(header))
		check_tell(c, "envelope_header", 0, "%s is not understood; expected a header's name, without the colon",
			   log_quote(header, shown, sizeof shown));
}

static void check_map_item(struct checker *c, size_t i, struct slice item)
{
	char shown[CHECK_SHOWN_BYTES];
	struct slice address, mailbox;
	log_quote(item, shown, sizeof shown);
	if (!account_map_parts(item, &address, &mailbox))
		check_tell(c, "map", i, "%s is not understood; expected \"address = mailbox\"", shown);
	else if (slice_find_byte(address, 0, '*') < address.len || (address.len > 0 && address.ptr[0] == '@'))
		check_tell(c, "map", i,
			   "%s: a wildcard would make strangers' addresses ours; expected each address by itself (mail "
			   "for others waits in quarantine)", shown);
	else if (!account_address_is_fine(address))
		check_tell(c, "map", i, "%s: the address is not understood; expected one such as info@firm.example",
			   shown);
	else if (!account_mailbox_is_fine(mailbox))
		check_tell(c, "map", i, "%s: the mailbox is not understood; expected one such as anna@firm.example or "
					"anna", shown);
}

struct map_row {
	struct slice address;
	size_t item;
};

static int map_order(const void *a, const void *b)
{
	const struct map_row *x = a, *y = b;
	size_t n = x->address.len < y->address.len ? x->address.len : y->address.len;
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(x->address.ptr[i]) != ascii_lower(y->address.ptr[i]))
			return ascii_lower(x->address.ptr[i]) < ascii_lower(y->address.ptr[i]) ? -1 : 1;
	if (x->address.len != y->address.len)
		return x->address.len < y->address.len ? -1 : 1;
	return x->item < y->item ? -1 : 1;
}

static void check_map(struct checker *c, const struct setting_list *map)
{
	char shown[CHECK_SHOWN_BYTES];
	struct map_row *rows = mem_alloc_array(map->count + 1, sizeof *rows);
	size_t count = 0;
	if (!rows) {
		check_tell(c, "map", 0, "no memory");
		return;
	}
	for (size_t i = 0; i < map->count; i++) {
		struct slice item = slice_from_str(map->items[i]), mailbox;
		check_map_item(c, i, item);
		rows[count].item = i;
		count += account_map_parts(item, &rows[count].address, &mailbox) && rows[count].address.len > 0;
	}
	qsort(rows, count, sizeof *rows, map_order);
	for (size_t i = 1; i < count; i++)
		if (slice_equal_nocase(rows[i].address, rows[i - 1].address))
			check_tell(c, "map", rows[i].item, "%s stands here twice; expected one mailbox for each "
					"address",
				   log_quote(rows[i].address, shown, sizeof shown));
	mem_free(rows);
}

static void check_route(struct checker *c, const struct account_settings *s)
{
	char shown[CHECK_SHOWN_BYTES];
	struct slice mailbox = slice_from_str(s->mailbox), header = slice_from_str(s->envelope_header);
	if (mailbox.len > 0 && header.len > 0)
		check_tell(c, "envelope_header", 0, "stands beside mailbox; expected one of the two");
	if (mailbox.len == 0 && header.len == 0)
		check_tell(c, "", 0, "nobody is to get its mail; expected mailbox, or envelope_header and map");
	if (mailbox.len > 0 && !account_mailbox_is_fine(mailbox))
		check_tell(c, "mailbox", 0, "%s is not understood; expected one such as anna@firm.example or anna",
			   log_quote(mailbox, shown, sizeof shown));
	if (header.len > 0)
		check_header(c, header);
	if (header.len > 0 && mailbox.len == 0 && s->map.count == 0)
		check_tell(c, "", 0, "map is missing; expected one that says whose mailbox an address is");
	if (header.len == 0 && s->map.count > 0)
		check_tell(c, "map", 0, "has no use without envelope_header");
	if (header.len == 0 && s->isp_hosts.count > 0)
		check_tell(c, "isp_hosts", 0, "has no use without envelope_header");
	for (size_t i = 0; i < s->isp_hosts.count; i++)
		if (!account_host_is_fine(slice_from_str(s->isp_hosts.items[i])))
			check_tell(c, "isp_hosts", i, "%s is not understood; expected a host name such as "
					"mx.isp.example",
				   log_quote(slice_from_str(s->isp_hosts.items[i]), shown, sizeof shown));
	check_map(c, &s->map);
}

/* ---- how to log in ---- */

static void check_server(struct checker *c, const struct account_settings *s)
{
	char shown[CHECK_SHOWN_BYTES];
	bool is_clear = strcmp(s->tls, "none") == 0;
	log_quote(slice_from_str(s->host), shown, sizeof shown);
	if (s->host[0] == '\0')
		check_tell(c, "", 0, "host is missing");
	else if (!account_host_is_fine(slice_from_str(s->host)))
		check_tell(c, "host", 0, "%s is not understood; expected a host name such as pop.isp.example, "
				"without port",
			   shown);
	else if (is_clear && !account_host_is_loopback(s->host))
		check_tell(c, "tls", 0,
			   "none would show the password to everybody between here and %s; expected implicit or "
			   "starttls-required", shown);
	if (is_clear && (s->pin[0] || s->ca_file[0]))
		check_tell(c, s->pin[0] ? "pin" : "ca_file", 0, "has no use with tls: none");
	uint8_t pin[TLS_PIN_BYTES];
	if (s->pin[0] && !tls_pin_parse(slice_from_str(s->pin), pin))
		check_tell(c, "pin", 0, "not understood; expected 64 hexadecimal digits, or sha256/ and base64");
	if (s->every_ms > 0 && s->every_ms < CHECK_EVERY_MIN_MS)
		check_tell(c, "every", 0, "too often, providers lock such clients out; expected at least 1m");
}

struct source {
	const char *name;
	bool is_set, is_token;
};

static void check_sources(struct checker *c, const struct account_settings *s)
{
	const struct source sources[] = {
		{ "password", s->password[0] != '\0', false },
		{ "password_file", s->password_file[0] != '\0', false },
		{ "password_command", s->password_command.count > 0, false },
		{ "token_command", s->token_command.count > 0, true },
		{ "token_url", s->token_url[0] != '\0', true },
	};
	bool is_oauth = strcmp(s->auth, "xoauth2") == 0 || strcmp(s->auth, "oauthbearer") == 0;
	bool is_auto = strcmp(s->auth, "auto") == 0;
	const struct source *first = NULL;
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		if (!sources[i].is_set)
			continue;
		if (first)
			check_tell(c, sources[i].name, 0, "stands beside %s; expected one of the two", first->name);
		first = first ? first : &sources[i];
	}
	if (!first)
		check_tell(c, "", 0, "no secret to log in with; expected %s",
			   is_oauth ? "token_command or token_url"
				    : "password_file or password_command (or token_command, token_url)");
	else if (!is_auto && first->is_token != is_oauth)
		check_tell(c, "auth", 0, "%s does not go with %s; expected %s", s->auth, first->name,
			   is_oauth ? "token_command or token_url" : "xoauth2 or oauthbearer");
}

static void check_token(struct checker *c, const struct account_settings *s)
{
	const struct source parts[] = {
		{ "client_id", s->client_id[0] != '\0', false },
		{ "client_secret_file", s->client_secret_file[0] != '\0', false },
		{ "refresh_token_file", s->refresh_token_file[0] != '\0', false },
		{ "scope", s->scope[0] != '\0', false },
	};
	if (s->token_url[0] == '\0') {
		for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
			if (parts[i].is_set)
				check_tell(c, parts[i].name, 0, "has no use without token_url");
		return;
	}
	if (!slice_starts_nocase(slice_from_str(s->token_url), SLICE("https://")) || strlen(s->token_url) < 10)
		check_tell(c, "token_url", 0, "secrets go there; expected an address that begins with https://");
	if (!parts[0].is_set)
		check_tell(c, "token_url", 0, "client_id is missing");
	if (!parts[1].is_set && !parts[2].is_set)
		check_tell(c, "token_url", 0, "has nothing to show; expected refresh_token_file, or "
				"client_secret_file");
}

static void check_login(struct checker *c, const struct account_settings *s)
{
	if (s->user[0] == '\0')
		check_tell(c, "", 0, "user is missing");
	check_sources(c, s);
	check_token(c, s);
	check_keeper(c, "password_file", s->password_file);
	check_keeper(c, "client_secret_file", s->client_secret_file);
	check_command(c, "password_command", &s->password_command);
	check_command(c, "token_command", &s->token_command);
}

/* ---- all of them ---- */

static void check_fetch(struct checker *c, const struct fetch_settings *fetch)
{
	bool is_search = strcmp(fetch->in_doubt, "search") == 0;
	if (is_search && fetch->in_doubt_search.count == 0)
		check_tell(c, "in_doubt", 0, "search has no in_doubt_search; expected a program that looks for the "
				"mail");
	check_command(c, "in_doubt_search", &fetch->in_doubt_search);
}

static bool check_is_same_box(const struct account_settings *a, const struct account_settings *b)
{
	return a->host[0] && a->user[0] && strcmp(a->user, b->user) == 0 &&
	       slice_equal_nocase(slice_from_str(a->host), slice_from_str(b->host));
}

static void check_twins(struct checker *c, const struct account_entry *accounts, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(accounts[i].label, accounts[j].label) == 0)
			check_tell(c, "", 0, "the label stands here twice");
		else if (check_is_same_box(&accounts[i].settings, &accounts[j].settings))
			check_tell(c, "", 0, "has the host and user of account %s, and one box must not be "
					"collected twice",
				   accounts[j].label);
		else
			continue;
		return;
	}
}

bool accounts_check(const struct fetch_settings *fetch, const struct account_entry *accounts, size_t count,
		    account_tell_fn *tell, void *ctx)
{
	struct checker c = { .tell = tell, .ctx = ctx, .is_fine = true };
	check_fetch(&c, fetch);
	if (count > FETCH_ACCOUNTS_MAX)
		check_tell(&c, "", 0, "too many accounts; expected at most %d", FETCH_ACCOUNTS_MAX);
	for (size_t i = 0; i < count && i < FETCH_ACCOUNTS_MAX; i++) {
		c.account = &accounts[i];
		if (!account_label_is_fine(slice_from_str(accounts[i].label)))
			check_tell(&c, "", 0, "expected a label of 1 to %d letters, digits, \"-\", \"_\" and \".\"",
				   FETCH_LABEL_BYTES_MAX);
		check_server(&c, &accounts[i].settings);
		check_login(&c, &accounts[i].settings);
		check_route(&c, &accounts[i].settings);
		check_twins(&c, accounts, i);
	}
	return c.is_fine;
}
