/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario: a small world to play storms in: one site with Quell, its MTA, the
 * clock, mails as text, connectors and relays of other people.
 *
 * A scene composes each mail as text, lets the mail room read it and the engine
 * judge it, and plays the MTA: taking over after a lag, another filter's 451, a
 * crash, a bounce. It keeps the books: every distinct (mail, recipient) that was
 * offered, how many copies reached the mailbox, what is in the hold. scene_end
 * fails the test when one never got through (lost must be 0 in every case).
 */
#ifndef QUELL_TESTS_SCENARIO_H
#define QUELL_TESTS_SCENARIO_H

#include "../unit/unit.h"

#include "storm/storm.h"

enum {
	LETTER_HEAD_BYTES = 16384,
	LETTER_FIELD_BYTES = 4096,
	SCENE_RCPTS_MAX = 64,
	MINUTE = 60 * 1000,
	HOUR = 60 * MINUTE,
};
#define SCENE_START_MS INT64_C(1133860800000) /* 6 Dec 2005, 09:20 UTC */

/* A mail as it travels. label names the distinct mail in the books. */
struct letter {
	char label[64];
	char head[LETTER_HEAD_BYTES];   /* trace lines, newest first, each with \r\n */
	char from[256], to[LETTER_FIELD_BYTES], cc[LETTER_FIELD_BYTES];
	char subject[256], message_id[256], date[64];
	char extra[LETTER_FIELD_BYTES]; /* other fields, each with \r\n */
	char body[LETTER_FIELD_BYTES];
};

/* How it is handed in. */
struct handing {
	const char *ip, *name, *helo;   /* NULL: 192.0.2.25, mail.author.example, same */
	const char *auth;               /* login */
	bool is_submission, is_null_sender;
	bool is_mailbox;   /* read from a mailbox: no connection is known */
	bool is_mta_deaf;  /* a later filter answers 451 after us: not taken over */
	bool is_mta_dying; /* killed between our answer and the queue */
	bool is_hold_failing; /* what we wanted to hold could not be stored */
	const char *rcpts[SCENE_RCPTS_MAX + 1]; /* up to NULL */
};

struct answer {
	char label[64];
	enum deed deed;    /* harshest */
	enum tier tier;
	enum storm_class cls;
	char rule[32], reason[REASON_BYTES], incident[INCIDENT_ID_BYTES];
	enum deed deeds[SCENE_RCPTS_MAX];
	char rcpts[SCENE_RCPTS_MAX][64];
	size_t rcpt_count;
	unsigned passed, withheld; /* recipients */
	uint64_t txn;
	char stamp[256];   /* as added to the mail; "" when none */
	char queue_id[16];
};

struct scene_options {
	bool is_observing, is_blind; /* not guard; no source of confirmation */
	int64_t lag_ms;              /* until the MTA's log confirms; 0: 200 ms */
	int64_t memory_bytes;        /* 0: 8 MiB */
	const char *relay;           /* believed; NULL: none */
	const char *our_host;        /* NULL: mx.ours.example */
	const char *own_net;         /* NULL: 10.0.0.0/8 */
	bool may_log_loudly;
};

struct scene;

struct scene *scene_new(const struct scene_options *options);
/* Names the scene in failures. */
void scene_name(struct scene *s, uint64_t seed);
/* Ends the scene; fails the test when an offered (mail, recipient) got lost. */
void scene_end(struct scene *s);
struct storm *scene_storm(struct scene *s);
int64_t scene_now(const struct scene *s);
/* Lets time pass: confirmations arrive, ticks happen, releases are carried out. */
void scene_wait(struct scene *s, int64_t ms);
/* kill -9 and restart: only what the journal got on disk comes back (urgent
 * records at once, others a second later). */
void scene_kill(struct scene *s);
/* Snapshot, then a restart from it alone. */
void scene_restart_from_snapshot(struct scene *s);

/* A letter with From, To, Subject, own Message-ID and Date of now. */
void letter_write(const struct scene *s, struct letter *l, const char *label, const char *from,
		  const char *to, const char *subject, const char *body);
/* Adds a field, or a trace line on top. */
void letter_add(struct letter *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void letter_trace(struct letter *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void letter_date(struct letter *l, int64_t when_ms);
/* The same mail, newly made: own Message-ID and Date. */
void letter_renew(const struct scene *s, struct letter *l, const char *at_host);
/* The whole text. */
size_t letter_text(const struct letter *l, char *out, size_t out_bytes);

struct answer scene_send(struct scene *s, const struct letter *l, const struct handing *h);
/* Raw text instead of a letter; label as in a letter. */
struct answer scene_send_text(struct scene *s, const char *label, const char *text, size_t len,
			      const struct handing *h);
/* What a mailbox of ours got: the letter with the stamp and our Received on top. */
void letter_arrived(const struct scene *s, struct letter *l, const struct answer *a,
		    const struct handing *h);

/* The MTA's log: final failure of a recipient of a copy that it had taken over. */
void scene_bounce(struct scene *s, const struct answer *a, const char *rcpt);
/* Copies in the mailbox, and copies in the hold. */
unsigned scene_delivered(const struct scene *s, const char *label, const char *rcpt);
unsigned scene_held(const struct scene *s, const char *label, const char *rcpt);
unsigned scene_alerts(const struct scene *s); /* changes of incidents handed out */
unsigned scene_dripped(const struct scene *s);     /* held mails that went out by themselves */
unsigned scene_rate_alarms(const struct scene *s); /* unusual activity, begun */
unsigned scene_released(const struct scene *s);
/* The newest incident handed out; NULL when none. */
const struct incident *scene_incident(const struct scene *s);
/* A party by attested address; NULL. */
const struct party *incident_party(const struct incident *i, const char *ip);

/* A faulty POP3 connector (incident.md 1.3). */
struct connector {
	const char *user, *domain;  /* its mailbox; hop name is the domain */
	const char *ip, *name;      /* as the next server sees it */
	const char *internal;       /* AD domain in the Message-ID */
	unsigned lan_ip;            /* 0x0300a8c0 is 192.168.0.3 */
	bool is_keeping;            /* KEEP: chain, Message-ID and Date stay */
	bool is_without_hop;        /* no pickup line of its own */
	bool is_without_marks;      /* no prefix */
	int64_t clock_ms;           /* how wrong its clock is */
};
/* Makes the copy that the connector would send. */
void connector_pass(const struct scene *s, const struct connector *c, struct letter *l);
/* The line that a relay writes when it takes the mail from a connector. */
void connector_relay(const struct scene *s, const struct connector *c, const char *relay,
		     struct letter *l);
struct handing connector_hands(const struct connector *c, const char *rcpt);

/* A file of the shared data; {NULL, 0} when there is none (exit 77 then). */
enum { SCENE_DATA_ABSENT = 77 };
const char *scene_shared(void);
const char *scene_sets(void);
struct slice scene_file(const char *folder, const char *name);

/* Asserts with the answer's own words in the failure. */
void expect_deed(const struct answer *a, enum deed deed, const char *where);
void expect_tier(const struct answer *a, enum tier tier, const char *where);

#endif
