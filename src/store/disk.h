/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: the few ways in which the store touches files, each able to fail on demand.
 *
 * All functions retry EINTR, never follow a partial write with silence, make files
 * 0600 and folders 0700, close on exec, and leave the cause in errno. Tests make
 * the n-th operation fail with disk_fault (tests/fault); SQLite's own input and
 * output does not come through here.
 */
#ifndef QUELL_STORE_DISK_H
#define QUELL_STORE_DISK_H

#include "base/buf.h"

#include <stdatomic.h>
#include <sys/types.h>

enum disk_op {
	DISK_OPEN = 1,   /* that may create */
	DISK_WRITE = 2,
	DISK_SYNC = 4,
	DISK_RENAME = 8,
	DISK_UNLINK = 16,
	DISK_ANY = 31,
};

/* Fault injection: after fail_after more operations of the kinds in ops the next
 * one fails with error, and all later ones too when is_lasting. Negative (at the
 * start): never. A failing write leaves half of its bytes behind, as a full disk does. */
struct disk_fault {
	atomic_long fail_after;
	atomic_uint ops;
	atomic_int error;
	atomic_bool is_lasting;
};
extern struct disk_fault disk_fault;
/* The rule above applied to one operation; true: it is to fail (errno is set). Open
 * to a test's own layer below SQLite. */
bool disk_is_refused(enum disk_op op);

/* A file in the folder; flags as open(2). -1 on failure. */
int disk_open(int dir_fd, const char *name, int flags);
/* A file without a name that dies with its descriptor; read and write. */
int disk_open_unnamed(int dir_fd);
/* Opens the folder, making it when it is missing. */
int disk_open_dir(int dir_fd, const char *name);
bool disk_write(int fd, struct slice bytes);
bool disk_sync(int fd);       /* data and metadata; also of a folder */
bool disk_sync_data(int fd);
bool disk_rename(int dir_fd, const char *from, int to_dir_fd, const char *to);
/* A name that is not there is fine. */
bool disk_unlink(int dir_fd, const char *name);
/* Cuts the file; writing goes on at its end. */
bool disk_cut(int fd, uint64_t bytes);
/* Reads until n bytes or the end; how many, or -1. */
ssize_t disk_read(int fd, void *to, size_t n);
ssize_t disk_read_at(int fd, void *to, size_t n, uint64_t at);
/* Appends a whole file to out; false also when it is larger than out may be (EFBIG). */
bool disk_read_file(int dir_fd, const char *name, struct buf *out);
/* Bytes an unprivileged process may still write; UINT64_MAX when unknown. */
uint64_t disk_free_bytes(int dir_fd);
/* The last failure was for want of room. */
bool disk_is_full_errno(int error);
/* What a file of so many bytes takes from the disk. */
uint64_t disk_rounded(uint64_t bytes);

#endif
