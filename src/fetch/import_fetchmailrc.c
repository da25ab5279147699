/* SPDX-License-Identifier: Apache-2.0
 *
 * import_fetchmailrc: fetchmail's run control language, as far as it matters here.
 *
 * The language is a row of words: "," ":" ";" and some English ones are noise, "..." and
 * '...' are texts, "#" begins a comment. A keyword takes none, one or all following words
 * that are no keyword. So one table holds the language; a row says what a keyword takes
 * and what to warn of. Words that are not understood are never repeated in a message:
 * one of them may be a password.
 */
#include "fetch/import_in.h"

#include "base/mem.h"

#include <stdio.h>

struct word {
	struct slice text;
	unsigned line;
	bool is_quoted, is_end;
};

struct list {
	struct slice items[IMPORT_NAMES_MAX];
	size_t count;
};

/* What fetchmail knows of a server, and of a user there. */
struct server {
	unsigned line;
	struct slice name, via, proto, envelope, virtual_prefix;
	uint64_t port, interval;
	struct list domains;
	bool is_skip, has_envelope, is_envelope_off, was_written;
};

struct user {
	unsigned line;
	struct slice name, ca_file;
	struct list deliver;       /* smtphost */
	bool is_lmtp;
	struct list names;         /* "local" or "remote=local", "*" */
	bool is_there, want_keep, want_all, has_ssl, is_check_off, is_ssl_off;
};

struct rc {
	struct import im;
	struct slice text;
	size_t at;
	unsigned line;
	struct word word;          /* the next one */
	struct server server, server_default;
	struct user user, user_default;
	struct import_account *account;
	uint64_t daemon_s;
	bool is_in_server, is_default, is_bounce_told;
};

enum keyword_id {
	KW_OTHER, KW_POLL, KW_SKIP, KW_DEFAULTS, KW_SET, KW_VIA, KW_PROTO, KW_PORT, KW_INTERVAL, KW_ENVELOPE,
	KW_VIRTUAL, KW_DOMAINS, KW_USER, KW_IS, KW_PASSWORD, KW_KEEP, KW_ALL, KW_SSL, KW_SSL_PROTO, KW_SSL_CHECK,
			KW_CA_FILE,
	KW_SMTP_HOST, KW_LMTP, KW_LIMIT, KW_FETCH_LIMIT, KW_NOISE, KW_NO, KW_HERE, KW_THERE, KW_AUTH,
};

enum keyword_takes { TAKES_NONE, TAKES_ONE, TAKES_LIST };

struct keyword {
	const char *name;
	enum keyword_id id;
	enum keyword_takes takes;
	const char *warning;       /* when it is there; "no NAME" does not warn */
};

static const char warn_program[] = "a program was run for each mail; quell runs none and delivers by LMTP or SMTP";
static const char warn_hook[] = "a command was run around each poll; quell runs none";

static const struct keyword keywords[] = {
	{ "poll", KW_POLL, TAKES_NONE, NULL },
	{ "server", KW_POLL, TAKES_NONE, NULL },
	{ "skip", KW_SKIP, TAKES_NONE, NULL },
	{ "defaults", KW_DEFAULTS, TAKES_NONE, NULL },
	{ "set", KW_SET, TAKES_NONE, NULL },
	{ "via", KW_VIA, TAKES_ONE, NULL },
	{ "proto", KW_PROTO, TAKES_ONE, NULL },
	{ "protocol", KW_PROTO, TAKES_ONE, NULL },
	{ "port", KW_PORT, TAKES_ONE, NULL },
	{ "service", KW_PORT, TAKES_ONE, NULL },
	{ "interval", KW_INTERVAL, TAKES_ONE, NULL },
	{ "envelope", KW_ENVELOPE, TAKES_NONE, NULL },
	{ "qvirtual", KW_VIRTUAL, TAKES_ONE, NULL },
	{ "localdomains", KW_DOMAINS, TAKES_LIST,
	  "any name in these domains, and in all below them, passed as local; quell knows only the addresses in map" },
	{ "aka", KW_OTHER, TAKES_LIST, "other names of the server helped to guess recipients; quell guesses none" },
	{ "dns", KW_OTHER, TAKES_NONE, "DNS helped to guess recipients; quell guesses none" },
	{ "checkalias", KW_OTHER, TAKES_NONE, "DNS helped to guess recipients; quell guesses none" },
	{ "uidl", KW_OTHER, TAKES_NONE, NULL },
	{ "user", KW_USER, TAKES_NONE, NULL },
	{ "username", KW_USER, TAKES_NONE, NULL },
	{ "is", KW_IS, TAKES_LIST, NULL },
	{ "to", KW_IS, TAKES_LIST, NULL },
	{ "here", KW_HERE, TAKES_NONE, NULL },
	{ "there", KW_THERE, TAKES_NONE, NULL },
	{ "password", KW_PASSWORD, TAKES_ONE, NULL },
	{ "pass", KW_PASSWORD, TAKES_ONE, NULL },
	{ "keep", KW_KEEP, TAKES_NONE, NULL },
	{ "fetchall", KW_ALL, TAKES_NONE, NULL },
	{ "flush", KW_OTHER, TAKES_NONE, "old mail was deleted unseen; quell deletes only what it has stored" },
	{ "ssl", KW_SSL, TAKES_NONE, NULL },
	{ "sslproto", KW_SSL_PROTO, TAKES_ONE, NULL },
	{ "sslcertck", KW_SSL_CHECK, TAKES_NONE, NULL },
	{ "sslcertfile", KW_CA_FILE, TAKES_ONE, NULL },
	{ "sslcertpath", KW_OTHER, TAKES_ONE, "a folder of authorities; quell takes one file; set ca_file" },
	{ "sslcommonname", KW_OTHER, TAKES_ONE,
	  "another name was taken in the certificate; quell checks host; set host to that name, or pin" },
	{ "sslfingerprint", KW_OTHER, TAKES_ONE,
	  "an MD5 of the certificate can be forged; quell pins the SHA-256 of its key; see quell fetch --check" },
	{ "sslkey", KW_OTHER, TAKES_ONE, "client certificates are not in quell; the password logs in" },
	{ "sslcert", KW_OTHER, TAKES_ONE, "client certificates are not in quell; the password logs in" },
	{ "auth", KW_AUTH, TAKES_ONE, NULL },
	{ "authenticate", KW_AUTH, TAKES_ONE, NULL },
	{ "mda", KW_OTHER, TAKES_ONE, "" },
	{ "bsmtp", KW_OTHER, TAKES_ONE, "mail was written to a file; quell delivers by LMTP or SMTP" },
	{ "smtphost", KW_SMTP_HOST, TAKES_LIST, NULL },
	{ "lmtp", KW_LMTP, TAKES_NONE, NULL },
	{ "smtpaddress", KW_OTHER, TAKES_ONE,
	  "a domain was put behind local names; quell writes the mailbox as it stands; give it whole" },
	{ "smtpname", KW_OTHER, TAKES_ONE,
	  "all mail went to this recipient; quell writes mailbox; set it to that name" },
	{ "fetchdomains", KW_OTHER, TAKES_LIST, "ETRN and ODMR are not in quell" },
	{ "antispam", KW_OTHER, TAKES_LIST,
	  "mail refused with these codes was deleted; quell puts refused mail into quarantine" },
	{ "limit", KW_LIMIT, TAKES_ONE, NULL },
	{ "fetchlimit", KW_FETCH_LIMIT, TAKES_ONE, NULL },
	{ "warnings", KW_OTHER, TAKES_ONE, NULL },
	{ "fetchsizelimit", KW_OTHER, TAKES_ONE, NULL },
	{ "fastuidl", KW_OTHER, TAKES_ONE, "a search of the ids misses mail; quell reads them all at each poll" },
	{ "batchlimit", KW_OTHER, TAKES_ONE, NULL },
	{ "expunge", KW_OTHER, TAKES_ONE, NULL },
	{ "timeout", KW_OTHER, TAKES_ONE, NULL },
	{ "folder", KW_OTHER, TAKES_LIST, "folders are for IMAP, which quell does not speak" },
	{ "preconnect", KW_OTHER, TAKES_ONE, warn_hook },
	{ "postconnect", KW_OTHER, TAKES_ONE, warn_hook },
	{ "plugin", KW_OTHER, TAKES_ONE, warn_program },
	{ "plugout", KW_OTHER, TAKES_ONE, warn_program },
	{ "interface", KW_OTHER, TAKES_ONE, NULL },
	{ "monitor", KW_OTHER, TAKES_ONE, NULL },
	{ "principal", KW_OTHER, TAKES_ONE, "Kerberos is not in quell; the password logs in" },
	{ "properties", KW_OTHER, TAKES_ONE, NULL },
	{ "esmtpname", KW_OTHER, TAKES_ONE, "quell does not log in to the local server; give it a listener for quell" },
	{ "esmtppassword", KW_PASSWORD, TAKES_ONE, NULL },
	{ "badheader", KW_OTHER, TAKES_ONE, NULL },
	{ "retrieve-error", KW_OTHER, TAKES_ONE, NULL },
	{ "rewrite", KW_OTHER, TAKES_NONE, NULL },
	{ "stripcr", KW_OTHER, TAKES_NONE, NULL },
	{ "forcecr", KW_OTHER, TAKES_NONE, NULL },
	{ "pass8bits", KW_OTHER, TAKES_NONE, NULL },
	{ "dropstatus", KW_OTHER, TAKES_NONE, "header fields were removed; quell removes none" },
	{ "dropdelivered", KW_OTHER, TAKES_NONE,
	  "Delivered-To was removed, and with it the mark by which servers see a loop; quell removes no field" },
	{ "mimedecode", KW_OTHER, TAKES_NONE, "mail was decoded, which breaks signatures; quell changes no content" },
	{ "idle", KW_OTHER, TAKES_NONE, "IDLE is for IMAP, which quell does not speak" },
	{ "tracepolls", KW_OTHER, TAKES_NONE, NULL },
	{ "options", KW_NOISE, TAKES_NONE, NULL },
	{ "and", KW_NOISE, TAKES_NONE, NULL },
	{ "with", KW_NOISE, TAKES_NONE, NULL },
	{ "has", KW_NOISE, TAKES_NONE, NULL },
	{ "wants", KW_NOISE, TAKES_NONE, NULL },
	{ "no", KW_NO, TAKES_NONE, NULL },
};

static const struct keyword set_keywords[] = {
	{ "daemon", KW_INTERVAL, TAKES_ONE, NULL },
	{ "postmaster", KW_OTHER, TAKES_ONE,
	  "mail without a known recipient went to one person; quell puts it into quarantine" },
	{ "bouncemail", KW_OTHER, TAKES_NONE, "strangers got error mails; quell never writes to a sender" },
	{ "spambounce", KW_OTHER, TAKES_NONE, "strangers got error mails; quell never writes to a sender" },
	{ "softbounce", KW_OTHER, TAKES_NONE, NULL },
	{ "idfile", KW_OTHER, TAKES_ONE,
	  "the file of known ids is not read; quell asks about the old mail: quell fetch adopt ACCOUNT --mark-seen" },
	{ "fetchids", KW_OTHER, TAKES_ONE,
	  "the file of known ids is not read; quell asks about the old mail: quell fetch adopt ACCOUNT --mark-seen" },
	{ "invisible", KW_OTHER, TAKES_NONE,
	  "no Received field was written, so loops could not be seen; quell always writes one" },
	{ "syslog", KW_OTHER, TAKES_NONE, NULL },
	{ "showdots", KW_OTHER, TAKES_NONE, NULL },
	{ "logfile", KW_OTHER, TAKES_ONE, NULL },
	{ "pidfile", KW_OTHER, TAKES_ONE, NULL },
	{ "properties", KW_OTHER, TAKES_ONE, NULL },
};

/* ---- words ---- */

static bool rc_is_noise(char c)
{
	return ascii_is_space(c) || c == ',' || c == ':' || c == ';';
}

static struct slice rc_unquote(struct rc *rc, char quote)
{
	size_t from = ++rc->at, n = 0;
	while (rc->at < rc->text.len && rc->text.ptr[rc->at] != quote && rc->text.ptr[rc->at] != '\n')
		rc->at += rc->text.ptr[rc->at] == '\\' && rc->at + 1 < rc->text.len ? 2 : 1;
	size_t end = rc->at < rc->text.len ? rc->at : rc->text.len;
	char *to = arena_alloc(&rc->im.arena, end - from + 1);
	for (size_t i = from; to && i < end; i++) {
		if (rc->text.ptr[i] == '\\' && i + 1 < end)
			i++;
		rc->line += rc->text.ptr[i] == '\n';
		to[n++] = rc->text.ptr[i];
	}
	if (end == rc->text.len || rc->text.ptr[end] != quote)
		import_unread(&rc->im, rc->line, "a text without its closing quote");
	else
		rc->at++;
	return slice_make(to ? to : "", to ? n : 0);
}

/* The next word into rc->word. */
static void rc_advance(struct rc *rc)
{
	const char *p = rc->text.ptr;
	bool is_comment = false;
	for (; rc->at < rc->text.len; rc->at++) {
		char c = p[rc->at];
		if (c == '\n')
			is_comment = false;
		else if (c == '#')
			is_comment = true;
		rc->line += c == '\n';
		if (!is_comment && !rc_is_noise(c))
			break;
	}
	rc->word = (struct word){ .line = rc->line, .is_end = rc->at >= rc->text.len };
	if (rc->word.is_end)
		return;
	char first = p[rc->at];
	size_t from = rc->at;
	if (first == '"' || first == '\'') {
		rc->word.is_quoted = true;
		rc->word.text = rc_unquote(rc, first);
		return;
	}
	rc->at++;
	while (first != '=' && rc->at < rc->text.len && !rc_is_noise(p[rc->at]) && p[rc->at] != '=')
		rc->at++;
	rc->word.text = slice_between(rc->text, from, rc->at);
}

/* The keyword that the word is; is_no_out: it is written with "no" before it. */
static const struct keyword *rc_find(const struct word *word, const struct keyword *table, size_t count,
		bool *is_no_out)
{
	*is_no_out = false;
	if (word->is_quoted || word->is_end)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (slice_equal_nocase(word->text, slice_from_str(table[i].name)))
			return &table[i];
	if (!slice_starts_nocase(word->text, SLICE("no")))
		return NULL;
	struct slice rest = slice_from(word->text, 2);
	for (size_t i = 0; i < count; i++) {
		*is_no_out = table[i].takes == TAKES_NONE && slice_equal_nocase(rest, slice_from_str(table[i].name));
		if (*is_no_out)
			return &table[i];
	}
	return NULL;
}

#define FIND(rc, table, is_no) rc_find(&(rc)->word, table, sizeof(table) / sizeof((table)[0]), is_no)

static struct slice rc_take(struct rc *rc)
{
	struct slice text = rc->word.text;
	if (!rc->word.is_end)
		rc_advance(rc);
	return text;
}

static void rc_take_list(struct rc *rc, struct list *list_out)
{
	bool is_no;
	list_out->count = 0;
	while (!rc->word.is_end && !FIND(rc, keywords, &is_no)) {
		struct slice item = rc_take(rc);
		if (slice_equal(rc->word.text, SLICE("=")) && !rc->word.is_quoted) {
			rc_advance(rc);
			struct slice local = rc_take(rc);
			char *pair = arena_alloc(&rc->im.arena, item.len + local.len + 2);
			size_t n = 0;
			if (!pair)
				return;
			memcpy(pair, item.ptr ? item.ptr : "", item.len);
			n = item.len;
			pair[n++] = '\n'; /* no name holds one */
			if (local.len > 0)
				memcpy(pair + n, local.ptr, local.len);
			item = slice_make(pair, n + local.len);
		}
		if (list_out->count < IMPORT_NAMES_MAX)
			list_out->items[list_out->count++] = item;
		else
			import_unread(&rc->im, rc->word.line, "one name too many");
	}
}

/* ---- an account from what was gathered ---- */

static bool rc_is_multidrop(const struct list *names)
{
	bool is_mapped = names->count > 1;
	for (size_t i = 0; i < names->count; i++)
		is_mapped = is_mapped || slice_equal(names->items[i], SLICE("*")) ||
			    slice_find_byte(names->items[i], 0, '\n') < names->items[i].len;
	return is_mapped;
}

static struct slice rc_join(struct rc *rc, struct slice a, struct slice b, struct slice c)
{
	size_t len = a.len + b.len + c.len, n = 0;
	char *to = arena_alloc(&rc->im.arena, len + 1);
	const struct slice parts[] = { a, b, c };
	for (size_t i = 0; to && i < 3; i++) {
		if (parts[i].len > 0)
			memcpy(to + n, parts[i].ptr, parts[i].len);
		n += parts[i].len;
	}
	return slice_make(to ? to : "", n);
}

static void rc_add_name(struct rc *rc, struct slice name)
{
	const struct server *s = &rc->server;
	size_t at = slice_find_byte(name, 0, '\n');
	struct slice remote = slice_first(name, at), local = at < name.len ? slice_from(name, at + 1) : name;
	if (slice_equal(name, SLICE("*"))) {
		import_warn(&rc->im, rc->user.line, "\"*\": any name was taken as a local one; whatever the "
				"provider's box "
						    "gets is then sent on; quell knows only the addresses in map");
		return;
	}
	bool is_whole = slice_find_byte(remote, 0, '@') < remote.len;
	if (is_whole || s->domains.count == 0)
		import_add_pair(&rc->im, rc->account, rc_join(rc, s->virtual_prefix, remote, SLICE("")), local);
	for (size_t i = 0; !is_whole && i < s->domains.count; i++)
		import_add_pair(&rc->im, rc->account,
				rc_join(rc, rc_join(rc, s->virtual_prefix, remote, SLICE("")), SLICE("@"),
						s->domains.items[i]),
				local);
}

static void rc_multidrop(struct rc *rc)
{
	const struct server *s = &rc->server;
	char shown[IMPORT_SHOWN_BYTES];
	const char *why = s->has_envelope ? account_header_refused(s->envelope) : NULL;
	rc->account->is_multidrop = true;
	if (!s->has_envelope || s->is_envelope_off)
		import_warn(&rc->im, rc->user.line,
			    "recipients were guessed from Received, To and Cc; this is how mail storms begin; quell "
			    "reads only "
			    "the one header that the provider writes for each copy; set envelope_header");
	else if (why)
		import_warn(&rc->im, s->line, "envelope %s; %s; quell refuses it; set envelope_header to another",
			    import_quote(s->envelope, shown), why);
	else
		rc->account->envelope = s->envelope;
	if (s->virtual_prefix.len > 0)
		import_warn(&rc->im, s->line, "qvirtual: the prefix was cut off; quell cuts nothing, so the "
				"addresses in map "
					      "begin with it");
	for (size_t i = 0; i < rc->user.names.count; i++)
		rc_add_name(rc, rc->user.names.items[i]);
}

static bool rc_is_apart(struct rc *rc, struct slice proto)
{
	static const char *const foreign[] = { "imap", "imap-k4", "imap-gss", "pop2", "etrn", "odmr", "kpop" };
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		if (!slice_equal_nocase(proto, slice_from_str(foreign[i])))
			continue;
		import_warn(&rc->im, rc->user.line, "protocol %s; quell speaks only POP3; the account was left "
				"out", foreign[i]);
		return true;
	}
	return false;
}

static void rc_warn_protocol(struct rc *rc, struct slice proto, unsigned line)
{
	if (slice_equal_nocase(proto, SLICE("apop")))
		import_warn(&rc->im, line, "APOP gives away the password's first letters to who listens; quell logs "
				"in under TLS");
	else if (slice_equal_nocase(proto, SLICE("rpop")))
		import_warn(&rc->im, line, "RPOP trusts a port number; quell logs in with a password under TLS");
	else if (slice_equal_nocase(proto, SLICE("sdps")))
		import_warn(&rc->im, line, "SDPS told the recipients in a command of its own; quell reads a header; "
				"set "
					   "envelope_header");
}

static void rc_warn_tls(struct rc *rc, bool is_loopback)
{
	const struct user *u = &rc->user;
	if (u->is_check_off)
		import_warn(&rc->im, u->line, "no sslcertck: anybody could pose as the server; quell always checks the "
					      "certificate; set ca_file or pin if it is the server's own");
	if (!rc->account->is_implicit_tls && !is_loopback)
		import_warn(&rc->im, u->line, "%s; quell requires STLS, or set tls: implicit",
			    u->is_ssl_off ? "no TLS: password and mail could be read on the way"
					  : "no ssl: TLS was tried, and left off when the server (or somebody "
							"between) said so");
}

static void rc_warn_file(struct rc *rc)
{
	const struct user *u = &rc->user;
	if (!rc->is_bounce_told)
		import_warn(&rc->im, u->line, "bouncemail was on unless switched off: a refused mail wrote to its "
				"sender; quell "
					      "never does, it puts such mail into quarantine");
	rc->is_bounce_told = true;
	if (u->want_all && u->want_keep)
		import_warn(&rc->im, u->line, "fetchall with keep: all mail came again at each poll; quell "
				"remembers what came");
}

/* "host", "host/port", "/path/of/a/socket"; none: this machine. */
static void rc_deliver(struct rc *rc)
{
	struct user *u = &rc->user;
	if (!u->is_lmtp)
		import_warn(&rc->im, u->line, "mail went to a server by SMTP that may trust this machine and relay; "
				"quell refuses a "
					      "server that relays; better: fetch.deliver by LMTP to the store");
	if (u->deliver.count == 0)
		import_deliver(&rc->im, u->line, u->is_lmtp, SLICE("127.0.0.1"), u->is_lmtp ? 24 : 25);
	for (size_t i = 0; i < u->deliver.count && i < 4; i++) {
		struct slice host = u->deliver.items[i];
		bool is_path = host.len > 0 && host.ptr[0] == '/';
		size_t slash = is_path ? host.len : slice_find_byte(host, 0, '/');
		uint64_t port = u->is_lmtp ? 24 : 25;
		if (slash < host.len && !slice_to_u64(slice_from(host, slash + 1), &port))
			port = 0;
		import_deliver(&rc->im, u->line, u->is_lmtp || is_path, slice_first(host, slash), port);
	}
}

static void rc_end_user(struct rc *rc)
{
	const struct server *s = &rc->server;
	struct user *u = &rc->user;
	struct import_account *a = rc->account;
	if (!u->is_there || rc->is_default)
		return;
	u->is_there = false;
	rc->server.was_written = true;
	if (rc_is_apart(rc, s->proto))
		return;
	char host[256];
	*a = (struct import_account){ .line = u->line, .user = u->name, .ca_file = u->ca_file, .port = s->port };
	a->host = s->via.len > 0 ? s->via : s->name;
	a->is_implicit_tls = u->has_ssl || s->port == 995;
	a->is_paused = s->is_skip;
	a->delete_when = u->want_keep ? "never" : "after-delivery";
	a->every_s = s->interval > 1 && s->interval < 1000 && rc->daemon_s ? s->interval * rc->daemon_s : 0;
	if (a->every_s > 0 && a->every_s < 60)
		a->every_s = 60;
	if (a->every_s > 7 * 24 * 3600)
		a->every_s = 7 * 24 * 3600;
	snprintf(host, sizeof host, "%.*s", SLICE_ARG(slice_first(a->host, 255)));
	rc_warn_tls(rc, account_host_is_loopback(host));
	rc_warn_protocol(rc, s->proto, u->line);
	rc_warn_file(rc);
	rc_deliver(rc);
	if (rc_is_multidrop(&u->names) || slice_equal_nocase(s->proto, SLICE("sdps")))
		rc_multidrop(rc);
	else if (u->names.count == 1)
		a->mailbox = u->names.items[0];
	import_account_end(&rc->im, a);
}

static void rc_end_server(struct rc *rc)
{
	rc_end_user(rc);
	if (rc->is_in_server && rc->is_default) {
		rc->server_default = rc->server;
		rc->user_default = rc->user;
		rc->user_default.is_there = false;
	} else if (rc->is_in_server && !rc->server.was_written) {
		import_warn(&rc->im, rc->server.line, "a server without a user; fetchmail took the name of who ran "
				"it; quell "
						      "needs it written down; the server was left out");
	}
	rc->is_in_server = rc->is_default = false;
}

/* ---- keywords ---- */

static void rc_begin_server(struct rc *rc, enum keyword_id id, unsigned line)
{
	rc_end_server(rc);
	rc->server = rc->server_default;
	rc->user = rc->user_default;
	rc->is_in_server = true;
	rc->is_default = id == KW_DEFAULTS;
	rc->server.line = rc->user.line = line;
	rc->server.is_skip = id == KW_SKIP;
	if (!rc->is_default)
		rc->server.name = rc_take(rc);
}

/* "user NAME there", or "user LOCAL here is NAME there". */
static void rc_begin_user(struct rc *rc, unsigned line)
{
	rc_end_user(rc);
	rc->user = rc->user_default;
	rc->user.is_there = true;
	rc->user.line = line;
	struct slice name = rc_take(rc);
	if (!rc->word.is_quoted && slice_equal_nocase(rc->word.text, SLICE("here"))) {
		rc_advance(rc);
		if (slice_equal_nocase(rc->word.text, SLICE("is")) && !rc->word.is_quoted)
			rc_advance(rc);
		rc->user.names.items[0] = name;
		rc->user.names.count = 1;
		name = rc_take(rc);
	}
	rc->user.name = name;
}

/* "envelope HEADER", or "envelope 2 HEADER". */
static void rc_envelope(struct rc *rc, bool is_no, unsigned line)
{
	uint64_t skip = 0;
	rc->server.has_envelope = !is_no;
	rc->server.is_envelope_off = is_no;
	if (is_no)
		return;
	struct slice name = rc_take(rc);
	if (slice_to_u64(name, &skip)) {
		name = rc_take(rc);
		if (skip > 0)
			import_warn(&rc->im, line, "envelope %u: not the topmost header was taken; quell reads only "
					"the topmost; "
						   "look which one the provider writes", (unsigned)(skip & 0xffff));
	}
	if (name.len > 0 && name.ptr[name.len - 1] == ':')
		name.len--;
	rc->server.envelope = name;
	rc->server.line = line;
}

static uint64_t rc_number(struct rc *rc, unsigned line)
{
	uint64_t number = 0;
	struct slice text = rc_take(rc);
	if (slice_equal_nocase(text, SLICE("pop3s")))
		return 995;
	if (slice_equal_nocase(text, SLICE("pop3")) || slice_equal_nocase(text, SLICE("pop-3")))
		return 110;
	if (!slice_to_u64(text, &number))
		import_unread(&rc->im, line, "a number");
	return number;
}

static void rc_limit(struct rc *rc, unsigned line)
{
	uint64_t bytes = rc_number(rc, line);
	if (bytes == 0)
		return;
	if (bytes < 1024)
		bytes = 1024;
	if (bytes > UINT64_C(4) << 30)
		bytes = UINT64_C(4) << 30;
	if (bytes > rc->im.mail_bytes_max)
		rc->im.mail_bytes_max = bytes;
	import_warn(&rc->im, line, "limit: quell has one for all accounts, fetch.mail_bytes_max; the largest counts");
}

static void rc_fetch_limit(struct rc *rc, unsigned line)
{
	uint64_t mails = rc_number(rc, line);
	if (mails > 0 && mails <= 100000)
		rc->im.session_mails = mails;
}

static void rc_warn_mda(struct rc *rc, unsigned line)
{
	struct slice command = rc_take(rc);
	bool reads_header = slice_find_nocase(command, 0, SLICE("sendmail")) < command.len ||
			    slice_find_nocase(command, 0, SLICE("qmail-inject")) < command.len;
	import_warn(&rc->im, line, "mda: %s%s", warn_program,
		    reads_header ? "; one that reads recipients from To and Cc sends the mail around the world "
				"again" : "");
}

static void rc_auth(struct rc *rc, unsigned line)
{
	struct slice how = rc_take(rc);
	if (!slice_equal_nocase(how, SLICE("any")) && !slice_equal_nocase(how, SLICE("password")) &&
	    !slice_equal_nocase(how, SLICE("ssh")) && !slice_equal_nocase(how, SLICE("external")))
		import_warn(&rc->im, line, "auth: this way to log in is not in quell; it takes the password under TLS");
}

static void rc_ssl_proto(struct rc *rc)
{
	struct slice proto = rc_take(rc);
	rc->user.is_ssl_off = proto.len == 0;
}

/* Those that change the user. */
static bool rc_user_option(struct rc *rc, const struct keyword *k, bool is_no, unsigned line)
{
	struct user *u = &rc->user;
	switch (k->id) {
	case KW_USER: rc_begin_user(rc, line); return true;
	case KW_IS: rc_take_list(rc, &u->names); return true;
	case KW_PASSWORD:
		rc_take(rc);
		import_warn(&rc->im, line, "a password stood in this file; quell reads it from a file of its own; see "
					   "password_file");
		return true;
	case KW_KEEP: u->want_keep = !is_no; return true;
	case KW_ALL: u->want_all = !is_no; return true;
	case KW_SSL: u->has_ssl = !is_no; return true;
	case KW_SSL_PROTO: rc_ssl_proto(rc); return true;
	case KW_SSL_CHECK: u->is_check_off = is_no; return true;
	case KW_CA_FILE: u->ca_file = rc_take(rc); return true;
	case KW_SMTP_HOST: rc_take_list(rc, &u->deliver); return true;
	case KW_LMTP: u->is_lmtp = !is_no; return true;
	default: return false;
	}
}

static bool rc_server_option(struct rc *rc, const struct keyword *k, bool is_no, unsigned line)
{
	struct server *s = &rc->server;
	switch (k->id) {
	case KW_VIA: s->via = rc_take(rc); return true;
	case KW_PROTO: s->proto = rc_take(rc); return true;
	case KW_PORT: s->port = rc_number(rc, line); return true;
	case KW_INTERVAL: s->interval = rc_number(rc, line); return true;
	case KW_ENVELOPE: rc_envelope(rc, is_no, line); return true;
	case KW_VIRTUAL: s->virtual_prefix = rc_take(rc); return true;
	case KW_DOMAINS: rc_take_list(rc, &s->domains); return true;
	case KW_LIMIT: rc_limit(rc, line); return true;
	case KW_FETCH_LIMIT: rc_fetch_limit(rc, line); return true;
	case KW_AUTH: rc_auth(rc, line); return true;
	default: return false;
	}
}

static void rc_option(struct rc *rc, const struct keyword *k, bool is_no, unsigned line)
{
	struct list *ignored;
	if (k->warning && !is_no && k->warning[0])
		import_warn(&rc->im, line, "%s: %s", k->name, k->warning);
	if (k->warning && !k->warning[0] && !is_no) {
		rc_warn_mda(rc, line);
		return;
	}
	if (rc_user_option(rc, k, is_no, line) || rc_server_option(rc, k, is_no, line))
		return;
	if (k->takes == TAKES_ONE)
		rc_take(rc);
	else if (k->takes == TAKES_LIST && (ignored = arena_alloc(&rc->im.arena, sizeof *ignored)))
		rc_take_list(rc, ignored);
}

static void rc_set(struct rc *rc)
{
	bool is_no = !rc->word.is_quoted && slice_equal_nocase(rc->word.text, SLICE("no")), is_fused;
	unsigned line = rc->word.line;
	if (is_no)
		rc_advance(rc);
	const struct keyword *k = FIND(rc, set_keywords, &is_fused);
	is_no = is_no || is_fused;
	if (!k) {
		import_unread(&rc->im, line, "what was to be set");
		rc_take(rc);
		return;
	}
	rc_advance(rc);
	if (k->warning && !is_no)
		import_warn(&rc->im, line, "set %s: %s", k->name, k->warning);
	if (strcmp(k->name, "bouncemail") == 0)
		rc->is_bounce_told = true;
	if (!rc->word.is_quoted && k->takes == TAKES_ONE && slice_equal_nocase(rc->word.text, SLICE("to")))
		rc_advance(rc);
	if (k->id == KW_INTERVAL) {
		rc->daemon_s = rc_number(rc, line);
		rc->im.every_s = rc->daemon_s < 60 ? 60 : rc->daemon_s > 604800 ? 604800 : rc->daemon_s;
		if (rc->daemon_s < 60)
			import_warn(&rc->im, line, "set daemon: more than once a minute; providers lock such "
					"clients out; quell "
						   "polls once a minute at most");
	} else if (k->takes == TAKES_ONE) {
		rc_take(rc);
	}
}

static void rc_word(struct rc *rc)
{
	bool is_no, is_apart = !rc->word.is_quoted && slice_equal_nocase(rc->word.text, SLICE("no"));
	unsigned line = rc->word.line;
	if (is_apart)
		rc_advance(rc);
	const struct keyword *k = FIND(rc, keywords, &is_no);
	if (!k) {
		import_unread(&rc->im, line, "a word");
		rc_take(rc);
		return;
	}
	rc_advance(rc);
	if (k->id == KW_POLL || k->id == KW_SKIP || k->id == KW_DEFAULTS)
		rc_begin_server(rc, k->id, line);
	else if (k->id == KW_SET)
		rc_set(rc);
	else if (k->id == KW_NOISE || k->id == KW_HERE || k->id == KW_THERE || k->id == KW_NO)
		;
	else if (rc->is_in_server)
		rc_option(rc, k, is_no || is_apart, line);
	else
		import_unread(&rc->im, line, "an option before the first server");
}

bool import_fetchmailrc(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
			struct import_count *count_out)
{
	struct rc *rc = mem_alloc(sizeof *rc);
	if (!rc)
		return false;
	bool is_fine = import_begin(&rc->im, name, settings_out, warnings_out, count_out);
	rc->account = is_fine ? mem_alloc(sizeof *rc->account) : NULL;
	rc->text = slice_first(text, IMPORT_FILE_BYTES_MAX);
	rc->line = 1;
	if (text.len > IMPORT_FILE_BYTES_MAX)
		import_unread(&rc->im, 0, "what lies past 1 MiB");
	if (rc->account)
		rc_advance(rc);
	while (rc->account && !rc->word.is_end && !rc->im.arena.is_over)
		rc_word(rc);
	if (rc->account)
		rc_end_server(rc);
	is_fine = import_end(&rc->im) && rc->account;
	mem_free(rc->account);
	mem_free(rc);
	return is_fine;
}
