/* SPDX-License-Identifier: Apache-2.0
 *
 * settings: the one settings file, read, checked and gathered.
 *
 * Each room declares its settings as rows (base/setting.h); this gathers the
 * rows of all rooms into the sections of one YAML file, reads the file into the
 * rooms' own structs, and keeps where each value came from. Quell works with no
 * file at all: then every value is its default.
 *
 * All troubles of a file are collected (SETTINGS_MESSAGES_MAX at most) and told
 * together, each as "FILE:LINE: section.name: what is wrong; expected ...". A file
 * with any error gives no settings: a reload then keeps the ones in force.
 * Secrets are never in a message.
 *
 * Section accounts holds one section for each mailbox that quell fetch collects, named
 * by a label of the owner's choice; its settings are called accounts.LABEL.name.
 *
 * Limits: a file of 1 MiB, one document, no anchors, aliases or tags, 8 levels.
 * It cannot include other files and expands no variables.
 */
#ifndef QUELL_MAIN_SETTINGS_H
#define QUELL_MAIN_SETTINGS_H

#include "act/alert.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/setting.h"
#include "fetch/account.h"
#include "mail/facts.h"
#include "storm/storm.h"
#include "store/store.h"

#define SETTINGS_FILE "/etc/quell/quell.yaml"

enum {
	SETTINGS_FILE_BYTES_MAX = 1024 * 1024,
	SETTINGS_MESSAGES_MAX = 20,
	SETTINGS_MESSAGE_BYTES = 512,
	SETTINGS_SECTIONS_MAX = 16,
	SETTINGS_ROWS_MAX = 64,      /* of one table of rows */
};

/* What went wrong, or what is worth a warning. */
struct settings_message {
	bool is_warning;
	unsigned line;               /* from 1; 0: of the file as a whole */
	char text[SETTINGS_MESSAGE_BYTES]; /* printable, "FILE:LINE: ..." */
};

struct settings_report {
	struct settings_message messages[SETTINGS_MESSAGES_MAX];
	size_t count;                /* of messages kept, in the order of the file */
	size_t errors, warnings;     /* all, kept or not; reading ends at 100 errors */
};

struct settings_top {
	const char *state;           /* folder */
	const char *user;            /* "", "user" or "user:group": to become when root */
	const char *mode;            /* "guard" or "observe" */
	struct setting_list our_hosts;
	struct setting_list own_networks;
	struct setting_list relays;
	const char *authserv_id;     /* "": no Authentication-Results is believed */
	const char *confirm;
};

struct settings_milter {
	struct setting_list listen;  /* "unix:/path" or "inet:PORT@HOST" */
	const char *socket_mode;     /* octal */
	const char *socket_owner;    /* "", "user", "user:group" or ":group" */
	int64_t timeout_ms;
	int64_t sessions_max;
	bool want_stamp, want_tag_header;
};

struct settings_hold {
	int64_t deadline_ms;         /* how long a reply may wait for the disk */
	int64_t defer_for_ms;        /* hold is full: 4xx for so long, then deliver */
	int64_t mail_bytes_max;      /* a larger mail can not be held, only delivered */
};

struct settings_release {
	const char *relay;
	int64_t per_minute;
	int64_t timeout_ms;
};

struct settings_control {
	const char *socket;          /* "": control.sock in the state folder */
	const char *group;           /* "": only root and the daemon's own user */
};

struct settings_watch {
	struct setting_list logs;    /* of other servers; "journal" is this machine's */
	int64_t memory_bytes;
};

struct settings_log {
	const char *level;
	int64_t throttle;            /* lines of one kind a minute */
};

/* Where released mail goes. */
struct settings_relay {
	bool is_lmtp;
	const char *host;            /* name or address, no brackets; "" for a unix socket */
	uint16_t port;
	const char *path;            /* of a unix socket; "" for TCP */
	const char *address;         /* the same as one text, for net_addr_lookup */
};

enum settings_confirm { CONFIRM_NONE, CONFIRM_LOG, CONFIRM_JOURNAL };

/* The texts above, understood. */
struct settings_understood {
	bool is_guard;
	enum settings_confirm confirm;
	const char *confirm_log;     /* path of the log; "" when there is none */
	const struct ip_net *own_nets;
	size_t own_net_count;
	struct settings_relay relay;
	const char *control_socket;  /* never "" */
	unsigned milter_socket_mode;
	struct settings_relay fetch_deliver;
	const char *fetch_state;     /* never "" */
	const char *fetch_control;   /* the connector's control socket, in fetch_state */
	enum log_level log_level;
};

/* Where one setting of an account was set. */
struct settings_line {
	unsigned line;               /* 0: default */
	const unsigned *items;       /* of a list, one for each item; or NULL */
};

struct settings {
	struct settings_top top;
	struct settings_milter milter;
	struct store_limits store;   /* section hold, the store's rows */
	struct settings_hold hold;   /* section hold, the gate's rows */
	struct storm_policy policy;
	struct settings_release release;
	struct settings_control control;
	struct settings_log log;
	struct settings_watch watch;
	struct alert_settings alert;
	struct fetch_settings fetch;
	struct account_entry *accounts; /* in the order of the file */
	size_t account_count;
	struct settings_understood is;

	/* For the functions below. */
	const char *file;            /* "" when there was none */
	struct setting_section sections[SETTINGS_SECTIONS_MAX];
	size_t section_count;
	unsigned lines[SETTINGS_SECTIONS_MAX][SETTINGS_ROWS_MAX]; /* 0: default */
	struct settings_line *account_lines; /* account_setting_row_count for each account */
	bool *account_has_errors;    /* in what its lines say by themselves */
	size_t account_room;
	struct arena arena;          /* owns every text */
};

/* Reads and checks file; NULL means SETTINGS_FILE, and then its absence is fine.
 * NULL with errors in report_out when anything is wrong (also when the file
 * cannot be read: the message says why). The caller frees with settings_free;
 * the struct must not be copied. report_out is always filled. */
struct settings *settings_load(const char *file, struct settings_report *report_out);
/* The same from bytes; file names them in messages. */
struct settings *settings_read(struct slice yaml, const char *file,
			       struct settings_report *report_out);
/* NULL is welcome. */
void settings_free(struct settings *settings);

/* Adds warnings about what is allowed but hardly meant: no confirmation source,
 * no our_hosts, a state folder that cannot be written. Looks at the file system. */
void settings_warn(const struct settings *settings, struct settings_report *report);

/* What differs between two settings, as "section.name, section.name": fixed_out
 * takes those that a reload cannot change, changed_out the others. An account that
 * came or went is "accounts.LABEL", in changed_out. */
void settings_compare(const struct settings *now, const struct settings *fresh,
		      struct buf *changed_out, struct buf *fixed_out);

/* A complete, commented file of all defaults; reading it gives the defaults. */
bool settings_sample(struct buf *out);
/* Every setting in force, with "# default" or "# FILE:LINE" after it; the output
 * is itself a settings file, except that secrets are masked. */
bool settings_show(const struct settings *settings, struct buf *out);
/* The manual page quell.yaml(5) in scdoc's language. */
bool settings_manual(struct buf *out);

#endif
