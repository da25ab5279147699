/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch_world: a POP3 box and an LMTP server in one thread, which fail when told, for a
 * connector that lives and dies in a child process.
 *
 * The world remembers everything: what lies in the box, what each recipient was given
 * and how often, who was named in RCPT. The servers' own wits end with their faults: a
 * mail whose end was seen may be stored or not before the line is cut.
 */
#ifndef QUELL_TESTS_FAULT_FETCH_WORLD_H
#define QUELL_TESTS_FAULT_FETCH_WORLD_H

#include "base/buf.h"

#include <sys/types.h>

enum { WORLD_MAILS_MAX = 40, WORLD_PEERS_MAX = 40, WORLD_MAILBOXES = 3, WORLD_TEXT_BYTES = 4096 };

struct world_mail {
	char text[WORLD_TEXT_BYTES];     /* with CRLF */
	size_t len;
	char uidl[80];
	int mailbox;                     /* whose it is; -1: nobody's in the map */
	bool is_in_box;
	unsigned accepted[WORLD_MAILBOXES];
};

/* What fails in one life, at the n-th event of its kind. 0: never. */
struct world_faults {
	unsigned kill_client;            /* at the n-th event of either server */
	unsigned cut_pop, cut_lmtp;      /* the line, in the middle of what it says or hears; away after */
	unsigned lose_reply;             /* the n-th mail that ends: its line is cut without a reply, */
	bool is_stored;                  /* and it was stored before */
	unsigned refuse;                 /* the n-th mail that ends gets 451 */
	bool lose_quit, is_quit_done;    /* QUIT has no answer; were the deletions done? */
};

struct peer {
	int fd;
	bool is_pop, is_in_data, is_named;
	struct buf in;
	bool is_marked[WORLD_MAILS_MAX]; /* POP: by DELE */
	int numbers[WORLD_MAILS_MAX];    /* POP: mail of each message number */
	size_t count;
	int rcpt;                        /* LMTP: a mailbox, -1 none, -2 somebody else */
};

struct world {
	struct world_mail mails[WORLD_MAILS_MAX];
	size_t mail_count;
	bool has_pipelining, has_uidl;
	struct world_faults faults;
	unsigned events, pop_events, lmtp_events, ended;
	bool is_pop_away, is_lmtp_away, was_outsider_named, was_wrong_mailbox, was_mangled;
	int pop_fd, lmtp_fd;
	uint16_t pop_port, lmtp_port;
	struct peer peers[WORLD_PEERS_MAX];
	char stored_path[300];           /* a line for each stored mail: what a search looks at */
};

extern const char *const world_mailboxes[WORLD_MAILBOXES];

/* Listens on loopback; false when the machine refuses. */
bool world_start(struct world *w, const char *dir);
void world_end(struct world *w);
/* A new life begins: lines of the former are gone, the servers are there. */
void world_begin_life(struct world *w, const struct world_faults *faults);
/* Serves until the child has ended; kills it when the faults say so. Its wait status;
 * -1: it did not end within most_ms. */
int world_serve(struct world *w, pid_t child, int most_ms);

#endif
