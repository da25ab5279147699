/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_inner: what the files of act/alert*.c share, and nobody else.
 *
 * alert_case.c says what is worth telling, alert.c whether it fits the budget and which
 * way still has to tell it, alert_text.c in what words; each alert_<way>.c tells.
 */
#ifndef QUELL_ACT_ALERT_INNER_H
#define QUELL_ACT_ALERT_INNER_H

#include "act/alert.h"
#include "base/buf.h"

enum {
	ALERT_TOKEN_HEX = 32,
	ALERT_TOKENS_MAX = 64,
	ALERT_TOKEN_LIFE_MS = 60 * 60 * 1000,
	ALERT_CASES_MAX = 256,
	ALERT_OVER_IDS_MAX = 10,
	ALERT_SUBJECT_BYTES = 160,
	ALERT_TEXT_BYTES_MAX = 64 * 1024,
};

enum alert_event { ALERT_BEGIN, ALERT_REMIND, ALERT_END, ALERT_RATE, ALERT_SUMMARY };
const char *alert_event_name(enum alert_event event); /* as in the JSON */

/* What happened; either incident or alarm or neither (a summary). */
struct alert_news {
	enum alert_event event;
	const struct incident *incident;
	const struct rate_alarm *alarm;
	const char *id;              /* of the incident or alarm; "" for a summary */
	uint64_t over;               /* a summary: so many were not told */
	const struct alert *alert;   /* a summary: whose; its ids */
	int64_t since_ms, now_ms;
};

/* One thing to be told, the same for every way; all ASCII. */
struct alert_notice {
	struct list link;
	enum alert_event event;
	char id[INCIDENT_ID_BYTES];
	const char *cls;
	char subject[ALERT_SUBJECT_BYTES];
	struct buf text, json;
	char token[ALERT_TOKEN_HEX + 1], message_id[ALERT_TOKEN_HEX + 1];
	int64_t now_ms;
	unsigned ways;               /* bit by number: has still to tell it */
};

struct alert_way;

/* A way to tell people. */
struct alert_kind {
	const char *name;
	bool (*is_wanted)(const struct alert_settings *s);
	/* Begins to tell; alert_told follows, once, never from within. What it needs of notice
	 * and settings it copies. NULL: no memory. */
	void *(*begin)(struct alert_way *way, const struct alert_notice *notice);
	/* Ends and frees a deed, before alert_told or from within it. */
	void (*end)(void *deed);
};
extern const struct alert_kind alert_webhook_kind, alert_program_kind, alert_journal_kind, alert_mail_kind;
enum { ALERT_WAYS = 4 };

struct alert_way {
	const struct alert_kind *kind;
	struct alert *alert;
	unsigned number;
	void *deed;                  /* under way; or NULL */
	struct alert_notice *notice; /* of the deed, or of the next try; may be NULL */
	bool is_failing;             /* said in the log */
	unsigned tries;
	int64_t pause_ms, due_ms;
};

/* The deed is done; why: in words when it was not. Frees the deed. */
void alert_told(struct alert_way *way, bool is_fine, const char *why);

/* One incident or alarm that is watched. */
struct alert_case {
	char id[INCIDENT_ID_BYTES];  /* "": the place is free */
	bool is_told;                /* its begin was told, its end not */
	uint64_t marks;              /* sum of its counters: does it go on? */
	uint64_t base_surplus, base_withheld; /* before this, or when its end was told */
	int64_t active_ms, told_ms;
	unsigned steps;              /* begins and reminders since it was last quiet */
	int64_t next_ms;             /* no sooner than this the next of these */
	struct incident *copy;       /* of one that was told, for reminders and end; may be NULL */
	int64_t copied_ms;
};

struct alert {
	struct alert_setup setup;
	const struct alert_settings *settings;
	char host_name[256];
	int64_t now_ms;              /* of the last tick */
	struct alert_case cases[ALERT_CASES_MAX];
	size_t last_case;            /* found last: a storm asks for one again and again */
	struct alert_way ways[ALERT_WAYS];
	struct list notices;         /* oldest first */
	size_t notice_count;
	/* The budget of the hour. */
	int64_t hour_ms;
	int64_t hour_told;
	uint64_t hour_over;
	char over_ids[ALERT_OVER_IDS_MAX][INCIDENT_ID_BYTES];
	struct {
		char token[ALERT_TOKEN_HEX + 1]; /* "": spent */
		int64_t given_ms;
	} tokens[ALERT_TOKENS_MAX];
	size_t next_token;
	struct alert_counts counts;
};

/* Tells it by all ways, if the hour's budget allows; else counts it. */
void alert_tell(struct alert *a, const struct alert_news *news);
/* This notice's mail goes out now: its token is good from now on. */
void alert_arm(struct alert *a, const struct alert_notice *notice);

/* Reminders and ends that are due. */
void alert_cases_tick(struct alert *a, int64_t now_ms);
void alert_cases_free(struct alert *a);

/* Fills subject, text and json. False without memory. */
bool alert_write(struct alert_notice *notice, const struct alert_news *news);
/* The notice as a mail. */
bool alert_write_mail(const struct alert *a, const struct alert_notice *notice, struct buf *out);

/* Where the second relay is, from its text. */
struct alert_relay {
	bool is_lmtp;
	char path[108];              /* of a unix socket; "" for TCP */
	char host[256];
	uint16_t port;
};
bool alert_read_relay(const char *text, struct alert_relay *relay_out);

#endif
