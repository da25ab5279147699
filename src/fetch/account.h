/* SPDX-License-Identifier: Apache-2.0
 *
 * account: the settings of the connector, and of each mailbox it collects.
 *
 * Section fetch is for all; under accounts stands one section for each account, named
 * by its label. The rows are the settings (base/setting.h); accounts_check gives them
 * their sense and refuses what would be dangerous, with the mend.
 */
#ifndef QUELL_FETCH_ACCOUNT_H
#define QUELL_FETCH_ACCOUNT_H

#include "base/error.h"
#include "base/setting.h"
#include "base/slice.h"

enum {
	FETCH_ACCOUNTS_MAX = 1000,
	FETCH_LABEL_BYTES_MAX = 32,   /* letters, digits, "-", "_", "." */
	FETCH_MAP_MAX = 5000,         /* addresses of one account */
};

/* Section fetch. */
struct fetch_settings {
	const char *state;             /* folder of the connector; "": "fetch" in the state folder */
	const char *deliver;           /* lmtp:unix:/path, lmtp://HOST:PORT, smtp://HOST:PORT */
	int64_t links_max;             /* to the local server, at a time: 8 */
	int64_t deliver_timeout_ms;    /* of each wait for the local server: 5 min */
	int64_t keep_trying_ms;        /* 4yz: tried again for so long, then quarantine: 5 d */
	const char *bare_newline;      /* fix | quarantine */
	const char *in_doubt;          /* quarantine | resend | search */
	struct setting_list in_doubt_search; /* argv; %u mailbox, %i fetch id */
	int64_t in_doubt_wait_ms;      /* before the search: 2 s */
	int64_t every_ms;              /* 5 min; at least 60 s */
	int64_t accounts_max;          /* polled at a time: 32 */
	int64_t per_host_max;          /* of them at one host: 2 */
	int64_t mail_bytes_max;        /* larger ones stay on the server: 100 MiB */
	int64_t spool_bytes_max;       /* past it nothing is collected: 2 GiB */
	int64_t free_bytes_min;        /* the same, when the disk has less: 256 MiB */
	int64_t session_mails_max;     /* QUIT and come again after so many: 2000 */
	int64_t burst_min;             /* breaker: more new mails in a poll than this ... 200 */
	int64_t burst_factor;          /* ... and than so many times the usual number: 10 */
	int64_t same_max;              /* breaker: more new mails of one content in a poll: 20 */
	int64_t first_max;             /* first poll with more mails than this asks: 200 */
	int64_t memory_bytes;          /* of the engine that looks for storms: 16 MiB */
	int64_t remember_ms;           /* settled mails that left the server: 400 d */
};
extern const struct setting_row fetch_setting_rows[];
extern const size_t fetch_setting_row_count;

/* One account, as written. */
struct account_settings {
	const char *host;
	int64_t port;                  /* 0: 995 with implicit TLS, else 110 */
	const char *tls;               /* implicit | starttls-required | none (loopback only) */
	const char *ca_file;           /* "": the system's */
	const char *pin;               /* "": none */
	const char *user;
	const char *password;          /* secret; only in a 0600 file of our own user */
	const char *password_file;     /* or a systemd credential: "credential:NAME" */
	struct setting_list password_command;
	const char *auth;              /* auto | plain | scram-sha-256 | user | xoauth2 | oauthbearer */
	bool want_initial;             /* xoauth2, oauthbearer: token in the AUTH line */
	struct setting_list token_command;
	const char *token_url;         /* built-in refresh: https only */
	const char *client_id, *client_secret_file, *refresh_token_file, *scope;
	const char *mailbox;           /* owner: everything goes there; or */
	const char *envelope_header;   /* multidrop: the header that holds this copy's recipient, */
	struct setting_list isp_hosts; /* whose servers may write above it, and */
	struct setting_list map;       /* "address = mailbox", each */
	const char *delete_when;       /* "delete": after-spool | after-delivery | after-days | never */
	int64_t delete_after_ms;       /* for after-days: 14 d */
	int64_t every_ms;              /* 0: as in section fetch */
	bool is_paused;                /* not polled */
};
extern const struct setting_row account_setting_rows[];
extern const size_t account_setting_row_count;

struct account_entry {
	const char *label;
	unsigned line;                 /* of the file */
	struct account_settings settings;
};

/* May it name an account? */
bool account_label_is_fine(struct slice label);
/* "address = mailbox" in its two parts, not judged; false when it is none. The equals
 * sign stands between blanks, for an address may hold one. */
bool account_map_parts(struct slice item, struct slice *address_out, struct slice *mailbox_out);

/* What SMTP can carry between its angle brackets without quotes: "anna", "anna@firm.example". */
bool account_mailbox_is_fine(struct slice mailbox);
/* The same with a domain. A "*" is in neither. */
bool account_address_is_fine(struct slice address);
bool account_host_is_fine(struct slice host);
bool account_host_is_loopback(const char *host);
/* Why this header may not say whose copy a mail is; NULL when it may. */
const char *account_header_refused(struct slice header);
/* A header's name, and not refused. */
bool account_header_is_fine(struct slice header);

/* Understands and judges section fetch and all accounts: labels, exactly one of mailbox
 * and envelope_header, map lines, TLS none only for a loopback host, exactly one source
 * of the password or token, no two accounts with the same host and user, paths. Where
 * fetch.deliver leads, and whether the file may hold a password, is for the caller.
 * Calls tell for each trouble and goes on; false when any. account: NULL for section
 * fetch; setting: the row's name, or "" for the account as a whole; item: its place in
 * a list, else 0. The text never holds a secret. */
typedef void account_tell_fn(void *ctx, const struct account_entry *account, const char *setting, size_t item,
			     const char *text);
bool accounts_check(const struct fetch_settings *fetch, const struct account_entry *accounts, size_t count,
		    account_tell_fn *tell, void *ctx);

#endif
