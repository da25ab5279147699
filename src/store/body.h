/* SPDX-License-Identifier: Apache-2.0
 *
 * body: bodies of held mail, one file for equal ones.
 *
 * hold/bodies/HASH.zst, HASH the BLAKE2b-256 of the raw bytes, so a body's name
 * proves its content. Streams both ways: a body of any size costs a fixed piece
 * of memory. An empty body is "-" and has no file.
 */
#ifndef QUELL_STORE_BODY_H
#define QUELL_STORE_BODY_H

#include "store/held.h"

/* Where the bytes come from: memory first, then the file from its start. */
struct body_source {
	struct slice memory;
	int fd;               /* -1: nothing but memory */
	uint64_t bytes;       /* of both */
};

/* The file's name in hold/bodies, NUL-terminated. */
enum { BODY_FILE_BYTES = BODY_NAME_BYTES + 4 };
void body_file_name(const char *body, char out[BODY_FILE_BYTES]);

/* The name of the body; false when the source cannot be read whole. */
bool body_name(const struct body_source *source, char name_out[BODY_NAME_BYTES]);

/* Compresses into fd. packer keeps memory between calls. errno on failure. */
struct body_packer;
struct body_packer *body_packer_new(void);
void body_packer_free(struct body_packer *packer);
bool body_pack(struct body_packer *packer, const struct body_source *source, int fd,
	       uint64_t *file_bytes_out);

/* Appends the raw body to out and proves it by its name. */
bool body_load(int bodies_fd, const char *body, uint64_t body_bytes, struct buf *out,
	       struct error *error);

#endif
