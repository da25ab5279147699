/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack: a file or pipe as a stream of bytes, gzip and zstd of it unpacked.
 *
 * Which it is shows in its first bytes; of gzip many members, of zstd many frames, and
 * tape padding behind gzip. What was unpacked up to a fault is given, then the fault is
 * told. zstd's own limit of its window (128 MiB) bounds its memory.
 */
#ifndef QUELL_DOOR_UNPACK_H
#define QUELL_DOOR_UNPACK_H

#include "base/slice.h"

struct unpack;

enum { UNPACK_READ_BYTES = 256 * 1024 };

/* Do these first bytes say so? At least 4 of them. */
bool unpack_is_packed(struct slice begin);

/* Reads fd, which stays the caller's, from where it stands. NULL without memory. */
struct unpack *unpack_new(int fd);
void unpack_free(struct unpack *u); /* NULL is welcome */
/* At least one byte, at most cap; 0: the end, or a trouble. The call may be ended early by a
 * signal when want_stop says so then. */
size_t unpack_read(struct unpack *u, char *out, size_t cap);
/* Ends the stream at the next signal that finds *stop set. */
void unpack_stop_at(struct unpack *u, const volatile int *stop);
/* In words, after a 0: "at byte N of the packed file: the compressed data is broken"; NULL: none. */
const char *unpack_trouble(const struct unpack *u);
/* Is it compressed? Known after the first read. */
bool unpack_is_of_packed(const struct unpack *u);
/* Bytes of the file that have been read, as they lie in it. */
uint64_t unpack_taken(const struct unpack *u);

#endif
