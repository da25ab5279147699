/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: system calls with EINTR, modes and faults taken care of.
 */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DISK_BLOCK_BYTES = 4096, DISK_FILE_MODE = 0600, DISK_DIR_MODE = 0700 };

struct disk_fault disk_fault = { .fail_after = -1, .ops = DISK_ANY, .error = ENOSPC };

bool disk_is_refused(enum disk_op op)
{
	if (atomic_load(&disk_fault.fail_after) < 0 || !(atomic_load(&disk_fault.ops) & op))
		return false;
	long left = atomic_fetch_sub(&disk_fault.fail_after, 1);
	if (left > 0)
		return false;
	/* 0 stays 0 while the trouble lasts, else nothing more is armed. */
	atomic_store(&disk_fault.fail_after, atomic_load(&disk_fault.is_lasting) ? 0 : -1);
	if (left < 0)
		return false;
	errno = atomic_load(&disk_fault.error);
	return true;
}

int disk_open(int dir_fd, const char *name, int flags)
{
	int fd;
	if ((flags & O_CREAT) && disk_is_refused(DISK_OPEN))
		return -1;
	do
		fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, DISK_FILE_MODE);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* Where the file system knows no O_TMPFILE: a name that lives for a moment. */
static int disk_open_unlinked(int dir_fd)
{
	static atomic_uint count;
	char name[64];
	snprintf(name, sizeof name, "tmp.spool-%ld-%u", (long)getpid(), atomic_fetch_add(&count, 1));
	int fd = disk_open(dir_fd, name, O_RDWR | O_CREAT | O_EXCL);
	if (fd >= 0)
		unlinkat(dir_fd, name, 0);
	return fd;
}

int disk_open_unnamed(int dir_fd)
{
	if (disk_is_refused(DISK_OPEN))
		return -1;
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, DISK_FILE_MODE);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		fd = disk_open_unlinked(dir_fd);
	return fd;
}

int disk_open_dir(int dir_fd, const char *name)
{
	if (disk_is_refused(DISK_OPEN))
		return -1;
	if (mkdirat(dir_fd, name, DISK_DIR_MODE) != 0 && errno != EEXIST)
		return -1;
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool disk_write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			bytes = slice_from(bytes, (size_t)n);
	}
	return true;
}

bool disk_write(int fd, struct slice bytes)
{
	if (!disk_is_refused(DISK_WRITE))
		return disk_write_all(fd, bytes);
	int error = errno;
	disk_write_all(fd, slice_first(bytes, bytes.len / 2));
	errno = error;
	return false;
}

bool disk_sync(int fd)
{
	return !disk_is_refused(DISK_SYNC) && fsync(fd) == 0;
}

bool disk_sync_data(int fd)
{
	return !disk_is_refused(DISK_SYNC) && fdatasync(fd) == 0;
}

bool disk_rename(int dir_fd, const char *from, int to_dir_fd, const char *to)
{
	return !disk_is_refused(DISK_RENAME) && renameat(dir_fd, from, to_dir_fd, to) == 0;
}

bool disk_unlink(int dir_fd, const char *name)
{
	if (disk_is_refused(DISK_UNLINK))
		return false;
	return unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT;
}

bool disk_cut(int fd, uint64_t bytes)
{
	return ftruncate(fd, (off_t)bytes) == 0 && lseek(fd, (off_t)bytes, SEEK_SET) >= 0;
}

ssize_t disk_read(int fd, void *to, size_t n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t more = read(fd, (char *)to + got, n - got);
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		if (more == 0)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

ssize_t disk_read_at(int fd, void *to, size_t n, uint64_t at)
{
	size_t got = 0;
	while (got < n) {
		ssize_t more = pread(fd, (char *)to + got, n - got, (off_t)(at + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		if (more == 0)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

static bool disk_read_rest(int fd, struct buf *out)
{
	enum { CHUNK_BYTES = 64 * 1024 };
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return false;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size > out->cap_max - out->len) {
		errno = EFBIG;
		return false;
	}
	/* The size was a hint: a file may grow between the two calls, or be empty. */
	size_t want = st.st_size > 0 ? (size_t)st.st_size : 1;
	for (;;) {
		char *to = buf_reserve(out, want);
		if (!to) {
			errno = ENOMEM;
			return false;
		}
		ssize_t got = disk_read(fd, to, want);
		if (got < 0)
			return false;
		buf_commit(out, (size_t)got);
		if ((size_t)got < want || out->len >= out->cap_max)
			return true;
		want = out->cap_max - out->len < CHUNK_BYTES ? out->cap_max - out->len : CHUNK_BYTES;
	}
}

bool disk_read_file(int dir_fd, const char *name, struct buf *out)
{
	int fd = disk_open(dir_fd, name, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool is_read = disk_read_rest(fd, out);
	int error = errno;
	close(fd);
	errno = error;
	return is_read;
}

uint64_t disk_free_bytes(int dir_fd)
{
	struct statvfs vfs;
	if (fstatvfs(dir_fd, &vfs) != 0)
		return UINT64_MAX;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

bool disk_is_full_errno(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

uint64_t disk_rounded(uint64_t bytes)
{
	return (bytes + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES * DISK_BLOCK_BYTES;
}
