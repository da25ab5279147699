/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: records in blocks with a sum, for journal.N and snapshot.N.
 *
 * A file is 16 bytes of magic, then blocks: sum u64, payload length u32, record
 * count u32 (little-endian), payload; the payload is records, each with its length
 * as a base-128 varint before it. The sum is SipHash-2-4-128 (first half) over all
 * of the block after it, under a fixed key mixed with the generation: it finds
 * accidents and blocks of another file, it is no protection against forgery. A
 * block is one flush or at most JOURNAL_BLOCK_BYTES, so the sum costs little per
 * record. Count 0 is the end mark of a snapshot: 8 bytes, the number of records.
 *
 * Reading stops at the first block that is not right: what comes after a damaged
 * block could depend on it, and forgetting is the safe error (algorithms.md L3).
 */
#ifndef QUELL_STORE_JOURNAL_H
#define QUELL_STORE_JOURNAL_H

#include "base/buf.h"

enum {
	JOURNAL_HEAD_BYTES = 16,
	JOURNAL_BLOCK_HEAD_BYTES = 16,
	JOURNAL_BLOCK_BYTES = 64 * 1024,          /* payload at which a block is closed */
	JOURNAL_RECORD_BYTES_MAX = 256 * 1024,
	JOURNAL_PAYLOAD_BYTES_MAX = JOURNAL_BLOCK_BYTES + JOURNAL_RECORD_BYTES_MAX + 16,
};

enum journal_kind { JOURNAL_LOG, JOURNAL_SNAPSHOT };
/* 16 bytes. */
struct slice journal_magic(enum journal_kind kind);

/* The sum of a block over its bytes from the payload length on. */
uint64_t journal_sum(uint64_t generation, struct slice covered);

/* Blocks being made, in a buffer of the owner. */
struct journal_out {
	struct buf buf;
	uint64_t generation;
	size_t block_at;       /* of the open block in buf */
	uint32_t block_records;
	uint64_t records;      /* of all blocks */
};
void journal_out_init(struct journal_out *out, size_t bytes_max, uint64_t generation);
/* False: no room or a record that is too long; nothing was added. */
bool journal_put(struct journal_out *out, struct slice record);
/* Closes the open block; buf then holds whole blocks only. */
void journal_seal(struct journal_out *out);
bool journal_put_end(struct journal_out *out);

typedef bool journal_apply_fn(void *ctx, struct slice record);
struct journal_in {
	uint64_t generation;
	journal_apply_fn *apply;   /* NULL: only look */
	void *ctx;
	uint64_t applied, refused; /* refused: apply said false */
	uint64_t good_bytes;       /* of the file, up to the last good block */
	bool has_end;              /* the end mark was met and its number is right */
	bool is_unread;            /* no memory or a read error: says nothing about the file */
};
/* Reads whole blocks off bytes; how many bytes were used. is_bad_out: stopped at a
 * block that can never be right, not for want of bytes. */
size_t journal_read(struct journal_in *in, struct slice bytes, bool *is_bad_out);
/* A whole file from its start. False: the end of the file is torn, damaged or
 * foreign; good_bytes says from where on (0: not even the magic is right). */
bool journal_read_fd(struct journal_in *in, enum journal_kind kind, int fd);

#endif
