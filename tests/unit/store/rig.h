/* SPDX-License-Identifier: Apache-2.0
 *
 * rig: a store in a folder of its own, for the tests of this room and its faults.
 *
 * rig_start makes the folder, rig_end removes it with all that is in it. Trouble of
 * the rig itself ends the test program: it is never a result.
 */
#ifndef QUELL_TESTS_STORE_RIG_H
#define QUELL_TESTS_STORE_RIG_H

#include "store/hold.h"

enum { RIG_PATH_BYTES = 512 };

struct rig {
	char dir[RIG_PATH_BYTES];
	struct store_limits limits;
	struct store *store;
	struct error error;      /* of the last rig_try_open */
	int64_t now_ms;
};

void rig_start(struct rig *rig);
void rig_end(struct rig *rig);
bool rig_try_open(struct rig *rig);
void rig_open(struct rig *rig);   /* must succeed */
void rig_close(struct rig *rig);  /* NULL store is fine */
void rig_reopen(struct rig *rig);

/* A mail to hold; what is NULL or 0 has a plain value. */
struct rig_mail {
	const char *incident, *rcpt, *header, *queue_id, *reason;
	struct slice body;
	unsigned rcpt_count;     /* rcpt is then a prefix */
	unsigned pair;           /* the same number, the same pair */
	enum deed deed;          /* HOLD unless SUPPRESS */
	bool is_first;
	int64_t time_ms;
};
struct rig_answer {
	bool is_answered;
	enum store_result result;
	char id[HOLD_ID_BYTES];
};
/* Sends it; the answer is filled in by a later store_poll. */
void rig_send(struct rig *rig, const struct rig_mail *mail, struct rig_answer *answer);
/* Polls until all have answered. */
void rig_wait(struct rig *rig, const struct rig_answer *answers, size_t count);
enum store_result rig_hold(struct rig *rig, const struct rig_mail *mail, char id_out[HOLD_ID_BYTES]);

/* The held mail of id is header, CRLF, body of the mail given, byte for byte. */
bool rig_loads(struct rig *rig, const char *id, const struct rig_mail *mail);
/* Rows in a state; -1 all. */
size_t rig_rows(struct rig *rig, const char *incident, int state);
/* Runs fn until it is true, for ten seconds at most. */
bool rig_until(struct rig *rig, bool (*fn)(struct rig *rig));

/* Files in a folder under the state folder ("hold/mails"; "" the folder itself)
 * whose names begin with prefix. */
size_t rig_files(const struct rig *rig, const char *folder, const char *prefix);
void rig_path(const struct rig *rig, const char *name, char out[RIG_PATH_BYTES]);
void rig_write(const struct rig *rig, const char *name, struct slice bytes);
bool rig_read(const struct rig *rig, const char *name, struct buf *out);
/* The first file of a folder, as "folder/name"; false when there is none. */
bool rig_first_file(const struct rig *rig, const char *folder, const char *prefix,
		    char name_out[RIG_PATH_BYTES]);
void rig_remove(const char *path);
/* Copies the whole state folder. */
void rig_copy(const char *from, const char *to);

#endif
