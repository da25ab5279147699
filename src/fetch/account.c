/* SPDX-License-Identifier: Apache-2.0
 *
 * account: the rows of the connector's settings. A row says what one value may be;
 * account_check.c looks at what belongs together.
 */
#include "fetch/account.h"

enum { MINUTE_MS = 60 * 1000 };
#define HOUR_MS (INT64_C(60) * MINUTE_MS)
#define DAY_MS (INT64_C(24) * HOUR_MS)

#define ROW(structure, member, row_name, row_type, ...)                                       \
	{ .name = row_name, .type = row_type, .offset = offsetof(struct structure, member), __VA_ARGS__ }
#define RELOADABLE .is_reloadable = true

const struct setting_row fetch_setting_rows[] = {
	ROW(fetch_settings, state, "state", SETTING_PATH, .default_text = "",
	    .help = "The folder of the ledger and the spool; empty: fetch in the state folder. Only quell fetch's own "
		    "user may write it, and it must outlive a restart: who loses it has to say what is new."),
	ROW(fetch_settings, deliver, "deliver", SETTING_TEXT, .default_text = "lmtp:unix:/run/dovecot/lmtp", RELOADABLE,
	    .help = "Where collected mail goes: lmtp:unix:/path or lmtp://HOST:PORT, best the store itself, or "
		    "smtp://HOST:PORT, a server that was seen to refuse relaying. The recipients come from the "
		    "accounts' mailbox and map alone."),
	ROW(fetch_settings, links_max, "links", SETTING_INT, .default_text = "8", .min = 1, .max = 64, RELOADABLE,
	    .unit = "connections", .help = "Connections to the local server at a time."),
	ROW(fetch_settings, deliver_timeout_ms, "deliver_timeout", SETTING_SPAN, .default_text = "5m", .min = 1000,
	    .max = HOUR_MS, RELOADABLE,
	    .help = "How long the local server may take for one answer. One that is missing after the mail was sent "
		    "leaves it in doubt."),
	ROW(fetch_settings, keep_trying_ms, "keep_trying", SETTING_SPAN, .default_text = "5d", .min = 0,
	    .max = 60 * DAY_MS, RELOADABLE,
	    .help = "What the local server puts off (4yz) is tried again for so long, then goes to quarantine. "
		    "Nothing is ever sent back to its sender."),
	ROW(fetch_settings, bare_newline, "bare_newline", SETTING_CHOICE, .default_text = "fix",
	    .choices = "fix|quarantine", RELOADABLE,
	    .help = "A line feed without carriage return can smuggle a second mail past a server: fix makes it a whole "
		    "line end (which may break a DKIM signature), quarantine keeps the mail back."),
	ROW(fetch_settings, in_doubt, "in_doubt", SETTING_CHOICE, .default_text = "quarantine",
	    .choices = "quarantine|resend|search", RELOADABLE,
	    .help = "What becomes of a mail whose last answer was lost, so that nobody knows whether it arrived: it "
		    "waits for a person, is sent again and may come twice, or is looked for with in_doubt_search."),
	ROW(fetch_settings, in_doubt_search, "in_doubt_search", SETTING_LIST, .default_text = "[]", .max = 32,
			RELOADABLE,
	    .help = "For in_doubt: search. A program and its arguments, run without a shell; %u is the mailbox, %i the "
		    "fetch id in X-Quell-Fetch. It prints something when the mail is there, nothing when not."),
	ROW(fetch_settings, in_doubt_wait_ms, "in_doubt_wait", SETTING_SPAN, .default_text = "2s", .min = 0,
	    .max = 10 * 60 * 1000, .is_reloadable = true,
	    .help = "How long in_doubt_search waits before it looks: the local server may still be storing the mail."),
	ROW(fetch_settings, every_ms, "every", SETTING_SPAN, .default_text = "5m", .min = MINUTE_MS, .max = 7 * DAY_MS,
	    RELOADABLE, .help = "How often an account is polled. Some providers lock out who comes more often than "
				"once a minute; a server's own LOGIN-DELAY is obeyed too."),
	ROW(fetch_settings, accounts_max, "accounts_at_once", SETTING_INT, .default_text = "32", .min = 1, .max = 1000,
	    RELOADABLE, .unit = "accounts", .help = "Accounts polled at a time."),
	ROW(fetch_settings, per_host_max, "per_host", SETTING_INT, .default_text = "2", .min = 1, .max = 100,
			RELOADABLE,
	    .unit = "accounts", .help = "Of them at one provider's host."),
	ROW(fetch_settings, mail_bytes_max, "mail_bytes_max", SETTING_BYTES, .default_text = "100MiB", .min = 1024,
	    .max = INT64_C(4) << 30, RELOADABLE,
	    .help = "A larger mail stays on the server and is reported; it is never deleted."),
	ROW(fetch_settings, spool_bytes_max, "spool_bytes_max", SETTING_BYTES, .default_text = "2GiB", .min = 1 << 20,
	    .max = INT64_C(1) << 44, RELOADABLE,
	    .help = "When so much waits for the local server, nothing more is collected: the mail stays at the "
		    "provider."),
	ROW(fetch_settings, free_bytes_min, "free_bytes_min", SETTING_BYTES, .default_text = "256MiB", .min = 0,
	    .max = INT64_C(1) << 44, RELOADABLE, .help = "The same, when the disk of the state folder has less free."),
	ROW(fetch_settings, session_mails_max, "session_mails", SETTING_INT, .default_text = "2000", .min = 1,
	    .max = 100000, RELOADABLE, .unit = "mails",
	    .help = "After so many the session is ended and begun anew, for a server deletes nothing before QUIT."),
	ROW(fetch_settings, burst_min, "burst_min", SETTING_INT, .default_text = "200", .min = 1, .max = 1000000,
	    RELOADABLE, .unit = "mails",
	    .help = "The breaker: more new mails in one poll than this, and than burst_factor times the usual number, "
		    "are spooled but not delivered until a person looked."),
	ROW(fetch_settings, burst_factor, "burst_factor", SETTING_INT, .default_text = "10", .min = 1, .max = 10000,
	    RELOADABLE, .unit = "times the usual", .help = "See burst_min."),
	ROW(fetch_settings, same_max, "same_max", SETTING_INT, .default_text = "20", .min = 1, .max = 100000,
			RELOADABLE,
	    .unit = "mails", .help = "The breaker also opens at more new mails of one content in one poll than this."),
	ROW(fetch_settings, first_max, "first_max", SETTING_INT, .default_text = "200", .min = 0, .max = 1000000,
	    RELOADABLE, .unit = "mails",
	    .help = "An account's first poll that finds more mails than this asks what to do with them: see quell "
			"fetch "
		    "adopt."),
	ROW(fetch_settings, memory_bytes, "memory", SETTING_BYTES, .default_text = "16MiB", .min = 4 * 1024 * 1024,
	    .max = INT64_C(1) << 34,
	    .help = "Ceiling of the memory in which the connector looks for storms; policy.memory is the guard's."),
	ROW(fetch_settings, remember_ms, "remember", SETTING_SPAN, .default_text = "400d", .min = DAY_MS,
	    .max = 3650 * DAY_MS, RELOADABLE,
	    .help = "How long the ledger knows a mail that was delivered and left the server. A copy that turns up "
			"later "
		    "counts as new."),
};
const size_t fetch_setting_row_count = sizeof fetch_setting_rows / sizeof fetch_setting_rows[0];

const struct setting_row account_setting_rows[] = {
	ROW(account_settings, host, "host", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "The provider's POP3 server, as its certificate names it."),
	ROW(account_settings, port, "port", SETTING_INT, .default_text = "0", .min = 0, .max = 65535, RELOADABLE,
	    .help = "Its port; 0: 995 with tls: implicit, else 110."),
	ROW(account_settings, tls, "tls", SETTING_CHOICE, .default_text = "implicit",
	    .choices = "implicit|starttls-required|none", RELOADABLE,
	    .help = "implicit: TLS from the first byte; starttls-required: STLS, and nothing without it; none: only to "
		    "this very machine. The certificate is always checked."),
	ROW(account_settings, ca_file, "ca_file", SETTING_PATH, .default_text = "", RELOADABLE,
	    .help = "Certificates of the authorities to trust, in PEM; empty: the system's."),
	ROW(account_settings, pin, "pin", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "SHA-256 of the server's public key, 64 hexadecimal digits or base64: this key is trusted whoever "
		    "signed it, and no other. quell fetch --check shows it."),
	ROW(account_settings, user, "user", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "The name to log in with."),
	ROW(account_settings, password, "password", SETTING_TEXT, .default_text = "", .is_secret = true, RELOADABLE,
	    .help = "The password itself: only in a settings file that nobody but its owner may read (chmod 600). "
			"Better: "
		    "password_file."),
	ROW(account_settings, password_file, "password_file", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "A file whose first line is the password, closed to others (chmod 600), or credential:NAME for one "
		    "that systemd hands over (LoadCredential)."),
	ROW(account_settings, password_command, "password_command", SETTING_LIST, .default_text = "[]", .max = 32,
	    RELOADABLE, .help = "A program and its arguments, run without a shell; the first line it prints is the "
				"password."),
	ROW(account_settings, auth, "auth", SETTING_CHOICE, .default_text = "auto",
	    .choices = "auto|plain|scram-sha-256|user|xoauth2|oauthbearer", RELOADABLE,
	    .help = "How to log in; auto: the best that the server offers and the secret fits. Microsoft 365 and "
			"Google "
		    "want xoauth2."),
	ROW(account_settings, want_initial, "initial_response", SETTING_BOOL, .default_text = "false", RELOADABLE,
	    .help = "Send the token in the AUTH line itself. Exchange Online wants it apart, so this is off."),
	ROW(account_settings, token_command, "token_command", SETTING_LIST, .default_text = "[]", .max = 32, RELOADABLE,
	    .help = "A program and its arguments, run without a shell; the first line it prints is an OAuth 2.0 access "
		    "token."),
	ROW(account_settings, token_url, "token_url", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "Where to get an access token (https:// only), with client_id and refresh_token_file, or with "
		    "client_id and client_secret_file alone."),
	ROW(account_settings, client_id, "client_id", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "For token_url: the application's id."),
	ROW(account_settings, client_secret_file, "client_secret_file", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "For token_url: the file of the application's secret, or credential:NAME."),
	ROW(account_settings, refresh_token_file, "refresh_token_file", SETTING_PATH, .default_text = "", RELOADABLE,
	    .help = "For token_url: the file of the refresh token (chmod 600). When the provider hands out a new "
			"one, the "
		    "file is replaced, so quell fetch's own user must be able to write its folder."),
	ROW(account_settings, scope, "scope", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "For token_url: what the token is for, such as https://mail.google.com/."),
	ROW(account_settings, mailbox, "mailbox", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "The local mailbox that all mail of this account goes to, whatever its headers say. This, or "
		    "envelope_header and map."),
	ROW(account_settings, envelope_header, "envelope_header", SETTING_TEXT, .default_text = "", RELOADABLE,
	    .help = "For one box that holds the mail of many: the header in which the provider says whose copy this "
			"is, "
		    "such as Delivered-To, X-Original-To or Envelope-To. To and Cc are never believed."),
	ROW(account_settings, isp_hosts, "isp_hosts", SETTING_LIST, .default_text = "[]", RELOADABLE,
	    .help = "The provider's own servers, as they stand behind \"by\" in Received fields. The envelope header "
		    "counts only above the first Received line that another server wrote."),
	ROW(account_settings, map, "map", SETTING_LIST, .default_text = "[]", .max = FETCH_MAP_MAX, .may_map = true,
	    RELOADABLE,
	    .help = "Which address belongs to which local mailbox: address: mailbox, each on its line, or a list of "
		    "\"address = mailbox\". No wildcards; what is not in the map goes to quarantine."),
	ROW(account_settings, delete_when, "delete", SETTING_CHOICE, .default_text = "after-delivery",
	    .choices = "after-spool|after-delivery|after-days|never", RELOADABLE,
	    .help = "When a mail is deleted at the provider: as soon as it is safe on our disk, when it was delivered, "
		    "delete_after later, or never (then the box grows)."),
	ROW(account_settings, delete_after_ms, "delete_after", SETTING_SPAN, .default_text = "14d", .min = 0,
	    .max = 3650 * DAY_MS, RELOADABLE, .help = "For delete: after-days. Counted from the delivery."),
	ROW(account_settings, every_ms, "every", SETTING_SPAN, .default_text = "0s", .min = 0, .max = 7 * DAY_MS,
	    RELOADABLE, .help = "How often this account is polled, at least 1m; 0s: as fetch.every says."),
	ROW(account_settings, is_paused, "paused", SETTING_BOOL, .default_text = "false", RELOADABLE,
	    .help = "Do not poll this account. What was collected is still delivered."),
};
const size_t account_setting_row_count = sizeof account_setting_rows / sizeof account_setting_rows[0];
