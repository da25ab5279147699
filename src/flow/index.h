/* SPDX-License-Identifier: Apache-2.0
 *
 * index: what a look at every header of a source leaves: a small record a mail.
 *
 * Keys are unkeyed 64-bit hashes that only say which mails are worth a second look;
 * nothing is decided by them. Equal content (mail/print.h) gives an equal
 * content_key. Memory: about a hundred bytes a mail, in blocks. Private to this room.
 */
#ifndef QUELL_FLOW_INDEX_H
#define QUELL_FLOW_INDEX_H

#include "flow/survey.h"

enum index_flag {
	INDEX_AUTOMATIC = 1,   /* marks of automatic mail (facts: auto_marks) */
	INDEX_REPORT = 2,      /* a bounce: null sender, report, or a mailer's address */
	INDEX_UNPARSABLE = 4,  /* no field that could be read */
	INDEX_REPLY = 8,       /* answers another mail */
	INDEX_LIST = 16,       /* through a mailing list */
	INDEX_READ = 32,       /* content is filled in */
	INDEX_ANSWER = 64,     /* a program answered for a person: no report, no list */
};

struct index_record {
	struct source_place place;
	int64_t time_ms;             /* 0 unknown */
	uint64_t content_key;        /* From and Subject; 0: both empty */
	uint64_t from_key, to_key;   /* the author's address; the first of To, Cc */
	uint64_t thread_key;         /* the subject without Re: and numbers */
	uint8_t content[DIGEST_SHORT_BYTES]; /* of content_public, once read again */
	uint16_t received, audience; /* Received lines; To and Cc; up to 65535 */
	uint32_t flags;
};

enum { INDEX_BLOCK = 32768, INDEX_BLOCKS_MAX = 1 << 16 };

struct index_block {
	unsigned used;
	struct index_record records[INDEX_BLOCK];
};

/* How often a host wrote the topmost line. */
struct index_top {
	uint64_t key;                /* hash of host */
	char host[SURVEY_HOST_BYTES];
	uint64_t mails;
};
enum { INDEX_TOPS_MAX = 512, INDEX_PEERS_MAX = 128 };

/* A host that handed mail to us, under its attested name. */
struct index_peer {
	uint64_t key;                /* hash of name; 0: free */
	char name[SURVEY_HOST_BYTES];
	uint64_t mails, authors;     /* authors: a bit for each of 64 classes of them */
	int64_t first_ms, last_ms;
	bool is_inconsistent;        /* it called itself by another organisation's name */
};

struct index {
	struct index_block **blocks;
	unsigned block_count;
	uint64_t mails, unparsable, bytes;
	int64_t first_ms, last_ms;
	struct index_top tops[INDEX_TOPS_MAX]; /* the most frequent; the rarest gives way */
	unsigned top_count;
	struct index_peer peers[INDEX_PEERS_MAX]; /* by hash; the rarer one of a place gives way */
};

/* Looks the source over. NULL and the reason without memory. */
struct index *index_make(const struct survey_setup *setup, struct error *error);
void index_free(struct index *index);
/* number: 0 to mails - 1, in the order of files and offsets. */
struct index_record *index_at(const struct index *index, uint32_t number);

/* Hosts that wrote the topmost lines of at least 1 % of the mails: our own, as far as
 * mailboxes tell. Returns how many. */
unsigned index_guess_hosts(const struct index *index, char hosts[][SURVEY_HOST_BYTES], unsigned hosts_max);

/* Relays that long experience vouches for (SURVEY_LEARNT_*). Returns how many. */
unsigned index_learn_relays(const struct index *index, char hosts[][SURVEY_HOST_BYTES], unsigned hosts_max);

/* The mailbox that a mail was for: Delivered-To and the like, else what our own Received
 * lines say behind "for", else its file's name. */
struct slice index_recipient(const struct source *source, const struct facts *facts, uint32_t file);

#endif
