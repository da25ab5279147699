/* SPDX-License-Identifier: Apache-2.0
 *
 * import_getmailrc: getmail's settings, one account to a file.
 *
 * An ini file: [section], "name = value" or "name: value", and lines that begin with a
 * blank go on with the value before. Some values are Python tuples of texts. The file is
 * read whole into rows, then the account is made from [retriever], [destination] and
 * [options]; a row that nobody asked for is passed over with a message. Values are only
 * repeated where they are names, never of a password.
 */
#include "fetch/import_in.h"

#include "base/mem.h"

#include <stdio.h>

enum { GETMAIL_ROWS_MAX = 1024, GETMAIL_TEXTS_MAX = 2 * IMPORT_NAMES_MAX };

struct ini_row {
	struct slice section, name, value;
	unsigned line;
	bool was_used;
};

struct getmail {
	struct import im;
	struct ini_row rows[GETMAIL_ROWS_MAX];
	size_t count;
	struct import_account account;
	struct slice texts[GETMAIL_TEXTS_MAX]; /* of one tuple */
};

/* ---- the file into rows ---- */

/* Goes on with the row before. */
static void ini_more(struct getmail *g, struct slice more)
{
	struct slice *value = &g->rows[g->count - 1].value;
	char *whole = arena_alloc(&g->im.arena, value->len + more.len + 2);
	if (!whole)
		return;
	if (value->len > 0)
		memcpy(whole, value->ptr, value->len);
	whole[value->len] = ' ';
	memcpy(whole + value->len + 1, more.ptr, more.len);
	*value = slice_make(whole, value->len + 1 + more.len);
}

static void ini_line(struct getmail *g, struct slice line, unsigned number, struct slice *section)
{
	struct slice text = slice_trim(line);
	bool is_more = line.len > 0 && ascii_is_blank(line.ptr[0]);
	if (text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == ';')
		return;
	if (is_more && g->count > 0) {
		ini_more(g, text);
		return;
	}
	if (text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
		*section = slice_trim(slice_between(text, 1, text.len - 1));
		return;
	}
	size_t equals = slice_find_byte(text, 0, '='), colon = slice_find_byte(text, 0, ':');
	size_t at = equals < colon ? equals : colon;
	if (at == text.len || section->len == 0 || g->count == GETMAIL_ROWS_MAX) {
		import_unread(&g->im, number, "a line");
		return;
	}
	g->rows[g->count++] = (struct ini_row){ .section = *section, .name = slice_trim(slice_first(text, at)),
						.value = slice_trim(slice_from(text, at + 1)), .line = number };
}

static struct ini_row *ini_find(struct getmail *g, struct slice section, const char *name)
{
	for (size_t i = 0; i < g->count; i++) {
		struct ini_row *row = &g->rows[i];
		if (!slice_equal_nocase(row->section, section) || !slice_equal_nocase(row->name, slice_from_str(name)))
			continue;
		row->was_used = true;
		return row;
	}
	return NULL;
}

static struct slice ini_text(struct getmail *g, struct slice section, const char *name)
{
	const struct ini_row *row = ini_find(g, section, name);
	return row ? row->value : SLICE("");
}

static bool ini_is_true(struct getmail *g, struct slice section, const char *name, bool otherwise)
{
	struct slice v = ini_text(g, section, name);
	if (v.len == 0)
		return otherwise;
	return slice_equal_nocase(v, SLICE("true")) || slice_equal_nocase(v, SLICE("yes")) ||
	       slice_equal_nocase(v, SLICE("on")) || slice_equal(v, SLICE("1"));
}

static uint64_t ini_number(struct getmail *g, struct slice section, const char *name)
{
	uint64_t number = 0;
	const struct ini_row *row = ini_find(g, section, name);
	if (row && !slice_to_u64(row->value, &number))
		import_unread(&g->im, row->line, "a number");
	return number;
}

/* The texts of a tuple, however it is nested. Escapes stay as they are (patterns need them). */
static size_t ini_tuple(struct getmail *g, struct slice value)
{
	size_t count = 0;
	for (size_t i = 0; i < value.len && count < GETMAIL_TEXTS_MAX; i++) {
		char quote = value.ptr[i];
		if (quote != '"' && quote != '\'')
			continue;
		size_t from = ++i;
		while (i < value.len && value.ptr[i] != quote)
			i += value.ptr[i] == '\\' && i + 1 < value.len ? 2 : 1;
		g->texts[count++] = slice_between(value, from, i);
	}
	return count;
}

/* ---- where mail goes ---- */

/* The third part of /home/user/..., or of /var/mail/user. */
static struct slice path_owner(struct slice path)
{
	static const char *const roots[] = { "/home/", "/var/mail/", "/var/spool/mail/", "/var/vmail/" };
	for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
		struct slice root = slice_from_str(roots[i]);
		if (!slice_starts_nocase(path, root))
			continue;
		struct slice rest = slice_from(path, root.len);
		return slice_first(rest, slice_find_byte(rest, 0, '/'));
	}
	return SLICE("");
}

static void lmtp_destination(struct getmail *g, struct slice section, unsigned line)
{
	struct slice host = ini_text(g, section, "host");
	uint64_t port = ini_number(g, section, "port");
	if (host.len > 0 || port > 0)
		import_deliver(&g->im, line, true, host.len ? host : SLICE("127.0.0.1"), port ? port : 24);
	else
		import_deliver(&g->im, line, true, SLICE("/run/dovecot/lmtp"), 0);
	ini_find(g, section, "fallback");
}

static void external_destination(struct getmail *g, struct slice section, unsigned line)
{
	struct slice path = ini_text(g, section, "path"), arguments = ini_text(g, section, "arguments");
	bool reads_header = slice_find_nocase(path, 0, SLICE("sendmail")) < path.len ||
			    slice_find_nocase(path, 0, SLICE("qmail-inject")) < path.len ||
			    slice_find_nocase(arguments, 0, SLICE("'-t'")) < arguments.len ||
			    slice_find_nocase(arguments, 0, SLICE("\"-t\"")) < arguments.len;
	import_warn(&g->im, line, "MDA_external: a program was run for each mail; quell runs none and delivers by "
			"LMTP or "
				  "SMTP%s",
		    reads_header ? "; one that reads recipients from To and Cc sends the mail around the world "
				"again" : "");
}

/* The mailbox that a destination stands for, "" when the file does not tell. */
static struct slice destination_owner(struct getmail *g, struct slice section)
{
	const struct ini_row *type = ini_find(g, section, "type");
	struct slice path = ini_text(g, section, "path"), user = ini_text(g, section, "user"), owner = SLICE("");
	unsigned line = type ? type->line : 0;
	struct slice kind = type ? type->value : SLICE("");
	if (slice_equal_nocase(kind, SLICE("MDA_lmtp"))) {
		lmtp_destination(g, section, line);
		owner = ini_text(g, section, "override");
	} else if (slice_equal_nocase(kind, SLICE("MDA_external"))) {
		external_destination(g, section, line);
	} else if (slice_equal_nocase(kind, SLICE("Maildir")) || slice_equal_nocase(kind, SLICE("Mboxrd"))) {
		import_warn(&g->im, line, "%.7s: getmail wrote into the mail folder itself; quell delivers by LMTP "
				"or SMTP to a "
					  "mailbox; look whether the name is right",
			    slice_equal_nocase(kind, SLICE("Maildir")) ? "Maildir" : "Mboxrd");
		owner = user.len > 0 ? user : path_owner(path);
	} else {
		import_unread(&g->im, line, "the type of a destination");
	}
	bool is_named = !slice_equal_nocase(section, SLICE("destination"));
	return owner.len > 0 || !is_named ? owner : section;
}

/* "[name]" of a destination, or a path that stands for one. */
static struct slice target_owner(struct getmail *g, struct slice target)
{
	if (target.len > 2 && target.ptr[0] == '[' && target.ptr[target.len - 1] == ']')
		return destination_owner(g, slice_between(target, 1, target.len - 1));
	return path_owner(target);
}

/* A pattern that is one whole address, as that address; else "". */
static struct slice pattern_address(struct getmail *g, struct slice pattern)
{
	char *to = arena_alloc(&g->im.arena, pattern.len + 1);
	size_t n = 0;
	if (pattern.len > 0 && pattern.ptr[0] == '^')
		pattern = slice_from(pattern, 1);
	if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '$')
		pattern = slice_first(pattern, pattern.len - 1);
	for (size_t i = 0; to && i < pattern.len; i++) {
		char c = pattern.ptr[i];
		if (c == '\\' && i + 1 < pattern.len && !ascii_is_alpha(pattern.ptr[i + 1]) &&
		    !ascii_is_digit(pattern.ptr[i + 1])) {
			if (pattern.ptr[++i] == '\\') /* "\\." in the file is "\." */
				i += i + 1 < pattern.len;
			c = pattern.ptr[i];
		} else if (memchr("\\*+?[](){}|^$", c, 13)) {
			return SLICE("");
		}
		to[n++] = c;
	}
	return slice_make(to ? to : "", to ? n : 0);
}

static void sorter_destination(struct getmail *g)
{
	char shown[IMPORT_SHOWN_BYTES];
	struct slice section = SLICE("destination"), other = ini_text(g, section, "default");
	const struct ini_row *locals = ini_find(g, section, "locals");
	size_t count = locals ? ini_tuple(g, locals->value) : 0;
	struct slice *texts = arena_alloc(&g->im.arena, (count + 1) * sizeof *texts);
	if (!texts)
		return;
	memcpy(texts, g->texts, count * sizeof *texts);
	if (other.len > 0)
		import_warn(&g->im, g->account.line, "default: mail for unknown recipients went to one mailbox; "
				"quell puts it "
						     "into quarantine");
	for (size_t i = 0; i + 1 < count; i += 2) {
		struct slice address = pattern_address(g, texts[i]);
		if (account_address_is_fine(address))
			import_add_pair(&g->im, &g->account, address, target_owner(g, texts[i + 1]));
		else
			import_warn(&g->im, locals->line, "locals: the pattern %s matches more than one address; "
					"quell knows no "
							  "patterns; write each address into map",
				    import_quote(texts[i], shown));
	}
}

static void many_destination(struct getmail *g)
{
	const struct ini_row *row = ini_find(g, SLICE("destination"), "destinations");
	size_t count = row ? ini_tuple(g, row->value) : 0;
	struct slice first = count > 0 ? g->texts[0] : SLICE("");
	if (count > 1)
		import_warn(&g->im, row->line, "MultiDestination: each mail was copied to %zu places; quell fetch "
				"delivers one; let "
					       "the local server make the copies", count);
	g->account.mailbox = target_owner(g, first);
}

static void take_destination(struct getmail *g)
{
	struct slice section = SLICE("destination");
	const struct ini_row *type = ini_find(g, section, "type");
	bool is_guesser = type && slice_equal_nocase(type->value, SLICE("MultiGuesser"));
	if (is_guesser)
		import_warn(&g->im, type->line, "MultiGuesser: recipients were guessed from To, Cc and others; this "
				"is how mail "
					"storms begin; quell reads only the one header that the provider writes; set "
						"envelope_header");
	g->account.is_multidrop = g->account.is_multidrop || is_guesser;
	if (is_guesser || (type && slice_equal_nocase(type->value, SLICE("MultiSorter"))))
		sorter_destination(g);
	else if (type && slice_equal_nocase(type->value, SLICE("MultiDestination")))
		many_destination(g);
	else
		g->account.mailbox = destination_owner(g, section);
}

/* ---- where it comes from ---- */

struct retriever {
	const char *type;
	bool has_tls, is_multidrop, is_sdps;
};

static const struct retriever retrievers[] = {
	{ "SimplePOP3Retriever", false, false, false },
	{ "SimplePOP3SSLRetriever", true, false, false },
	{ "BrokenUIDLPOP3Retriever", false, false, false },
	{ "BrokenUIDLPOP3SSLRetriever", true, false, false },
	{ "MultidropPOP3Retriever", false, true, false },
	{ "MultidropPOP3SSLRetriever", true, true, false },
	{ "MultidropSDPSRetriever", false, true, true },
};

static const struct retriever *find_retriever(struct getmail *g)
{
	char shown[IMPORT_SHOWN_BYTES];
	const struct ini_row *type = ini_find(g, SLICE("retriever"), "type");
	g->account.line = type ? type->line : 1;
	for (size_t i = 0; type && i < sizeof retrievers / sizeof retrievers[0]; i++)
		if (slice_equal_nocase(type->value, slice_from_str(retrievers[i].type)))
			return &retrievers[i];
	if (type)
		import_warn(&g->im, type->line, "%s; quell speaks only POP3; the account was left out",
			    import_quote(type->value, shown));
	else
		import_unread(&g->im, 1, "a file without [retriever] and its type");
	return NULL;
}

/* "delivered-to:1". */
static void take_envelope(struct getmail *g, bool is_sdps)
{
	char shown[IMPORT_SHOWN_BYTES];
	const struct ini_row *row = ini_find(g, SLICE("retriever"), "envelope_recipient");
	struct slice value = row ? row->value : SLICE("");
	size_t at = slice_find_byte(value, 0, ':');
	struct slice header = slice_trim(slice_first(value, at)), place = slice_trim(slice_from(value, at + 1));
	const char *why = row ? account_header_refused(header) : NULL;
	if (is_sdps)
		import_warn(&g->im, g->account.line, "SDPS told the recipients in a command of its own; quell reads "
				"a header; set "
						     "envelope_header");
	else if (why)
		import_warn(&g->im, row->line, "envelope_recipient %s; %s; quell refuses it; set envelope_header to "
				"another",
			    import_quote(header, shown), why);
	else
		g->account.envelope = header;
	if (row && place.len > 0 && !slice_equal(place, SLICE("1")))
		import_warn(&g->im, row->line, "envelope_recipient: not the topmost header was taken; quell reads "
				"only the topmost; "
					       "look which one the provider writes");
}

static void take_password(struct getmail *g)
{
	struct slice section = SLICE("retriever");
	const struct ini_row *password = ini_find(g, section, "password"), *command = ini_find(g, section,
			"password_command");
	if (password)
		import_warn(&g->im, password->line, "a password stood in this file; quell reads it from a file of "
				"its own; see "
						    "password_file");
	size_t count = command ? ini_tuple(g, command->value) : 0;
	for (size_t i = 0; i < count && i < sizeof g->account.command / sizeof g->account.command[0]; i++)
		g->account.command[g->account.command_count++] = g->texts[i];
	if (ini_is_true(g, section, "use_xoauth2", false))
		g->account.auth = "xoauth2";
	const struct ini_row *apop = ini_find(g, section, "use_apop");
	if (apop && ini_is_true(g, section, "use_apop", false))
		import_warn(&g->im, apop->line, "APOP gives away the password's first letters to who listens; quell "
				"logs in under "
						"TLS");
}

static void take_tls(struct getmail *g, const struct retriever *kind)
{
	struct slice section = SLICE("retriever"), authorities = ini_text(g, section, "ca_certs");
	char host[256];
	g->account.is_implicit_tls = kind->has_tls;
	g->account.ca_file = authorities;
	snprintf(host, sizeof host, "%.*s", SLICE_ARG(slice_first(g->account.host, 255)));
	if (kind->has_tls && authorities.len == 0)
		import_warn(&g->im, g->account.line, "without ca_certs the certificate was not checked: anybody "
				"could pose as the "
				"server; quell always checks it; set ca_file or pin if it is the server's own");
	if (!kind->has_tls && !account_host_is_loopback(host))
		import_warn(&g->im, g->account.line, "no TLS: password and mail could be read on the way; quell "
				"requires STLS, or set "
						     "tls: implicit");
	if (ini_find(g, section, "ssl_fingerprints"))
		import_warn(&g->im, g->account.line, "ssl_fingerprints: of the certificate; quell pins its key, "
				"which outlives the "
						     "certificate; see quell fetch --check");
	if (ini_find(g, section, "certfile") || ini_find(g, section, "keyfile"))
		import_warn(&g->im, g->account.line, "client certificates are not in quell; the password logs in");
}

static void take_retriever(struct getmail *g, const struct retriever *kind)
{
	static const char *const quiet[] = { "timeout", "ssl_version", "ssl_ciphers", "ssl_cert_hostname",
			"record_mailbox",
					     "use_peek", "delete_dup_msgids" };
	struct slice section = SLICE("retriever");
	g->account.host = ini_text(g, section, "server");
	g->account.user = ini_text(g, section, "username");
	g->account.port = ini_number(g, section, "port");
	g->account.is_multidrop = kind->is_multidrop;
	take_password(g);
	take_tls(g, kind);
	if (kind->is_multidrop)
		take_envelope(g, kind->is_sdps);
	if (ini_find(g, section, "strip_delivered_to"))
		import_warn(&g->im, g->account.line, "strip_delivered_to: Delivered-To was removed, and with it the "
				"mark by which "
						     "servers see a loop; quell removes no field");
	for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
		ini_find(g, section, quiet[i]);
}

/* ---- options, filters, the rest ---- */

static void take_delete(struct getmail *g)
{
	struct slice section = SLICE("options");
	uint64_t days = ini_number(g, section, "delete_after");
	bool is_deleted = ini_is_true(g, section, "delete", false);
	g->account.delete_when = is_deleted ? "after-delivery" : days > 0 ? "after-days" : "never";
	g->account.delete_days = is_deleted ? 0 : days;
	const struct ini_row *bigger = ini_find(g, section, "delete_bigger_than");
	if (bigger && !slice_equal(bigger->value, SLICE("0")))
		import_warn(&g->im, bigger->line, "delete_bigger_than: large mail was deleted first; quell deletes "
				"by delete alone");
	if (!is_deleted && !ini_is_true(g, section, "to_oldmail_on_each_mail", false))
		import_warn(&g->im, g->account.line, "the file of old mail was written at the end of a run: after a "
				"crash all came "
				"again; quell writes down each mail; tell it of the old ones: quell fetch adopt "
						     "ACCOUNT --mark-seen");
}

static void take_options(struct getmail *g)
{
	static const char *const quiet[] = { "verbose", "message_log", "message_log_syslog", "message_log_verbose",
					     "max_messages_per_session", "read_all", "delivered_to", "received",
					     "max_bytes_per_session", "to_oldmail_on_each_mail", "mark_read", "logfile",
				"only_oldmail_file", "fingerprint", "hide_ip_port", "netrc_file", "use_netrc" };
	struct slice section = SLICE("options");
	uint64_t mails = ini_number(g, section, "max_messages_per_session");
	uint64_t bytes = ini_number(g, section, "max_message_size");
	take_delete(g);
	if (mails > 0 && mails <= 100000)
		g->im.session_mails = mails;
	if (bytes > 0)
		g->im.mail_bytes_max = bytes < 1024 ? 1024 : bytes > UINT64_C(4) << 30 ? UINT64_C(4) << 30 : bytes;
	const struct ini_row *all = ini_find(g, section, "read_all");
	if (all && ini_is_true(g, section, "read_all", true) && !ini_is_true(g, section, "delete", false))
		import_warn(&g->im, all->line, "read_all without delete: all mail came again at each run; quell "
				"remembers what came");
	const struct ini_row *received = ini_find(g, section, "received");
	if (received && !ini_is_true(g, section, "received", true))
		import_warn(&g->im, received->line, "received = false: no Received field was written, so loops "
				"could not be seen; "
						    "quell always writes one");
	if (ini_is_true(g, section, "use_netrc", false))
		import_warn(&g->im, g->account.line, "use_netrc: the password stood in a file for all programs; see "
				"password_file");
	for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
		ini_find(g, section, quiet[i]);
}

static void take_filters(struct getmail *g)
{
	struct slice last = SLICE("");
	for (size_t i = 0; i < g->count; i++) {
		struct ini_row *row = &g->rows[i];
		if (!slice_starts_nocase(row->section, SLICE("filter-")))
			continue;
		row->was_used = true;
		if (!slice_equal(last, row->section))
			import_warn(&g->im, row->line, "a filter program was run for each mail and could drop it; "
					"quell runs none; let "
						       "the local server filter");
		last = row->section;
	}
}

static void tell_unused(struct getmail *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct ini_row *row = &g->rows[i];
		bool is_known = slice_equal_nocase(row->section, SLICE("retriever")) ||
				slice_equal_nocase(row->section, SLICE("destination")) ||
				slice_equal_nocase(row->section, SLICE("options"));
		if (!row->was_used && is_known)
			import_unread(&g->im, row->line, "a setting");
	}
}

static void getmail_read(struct getmail *g, struct slice text)
{
	struct slice line, section = SLICE("");
	unsigned number = 0;
	if (text.len > IMPORT_FILE_BYTES_MAX)
		import_unread(&g->im, 0, "what lies past 1 MiB");
	text = slice_first(text, IMPORT_FILE_BYTES_MAX);
	while (slice_next(&text, '\n', &line))
		ini_line(g, line, ++number, &section);
	const struct retriever *kind = find_retriever(g);
	if (!kind)
		return;
	take_retriever(g, kind);
	take_options(g);
	take_destination(g);
	take_filters(g);
	tell_unused(g);
	import_account_end(&g->im, &g->account);
}

bool import_getmailrc(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
		      struct import_count *count_out)
{
	struct getmail *g = mem_alloc(sizeof *g);
	if (!g)
		return false;
	bool has_room = import_begin(&g->im, name, settings_out, warnings_out, count_out);
	if (has_room)
		getmail_read(g, text);
	bool is_fine = import_end(&g->im) && has_room;
	mem_free(g);
	return is_fine;
}
