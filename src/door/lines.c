/* SPDX-License-Identifier: Apache-2.0
 *
 * lines: see lines.h.
 *
 * One block of LINES_BLOCK_BYTES, filled again and again behind the unfinished line that is moved to
 * its front; only a line that does not fit makes it grow.
 */
#include "door/lines.h"

#include "base/mem.h"
#include "door/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES_BLOCK_BYTES = 256 * 1024 };

struct lines {
	int fd;
	struct unpack *unpack;
	char *block;
	size_t cap, begin, end;  /* what is read and not given yet */
	uint64_t given_bytes;    /* before begin, unpacked */
	bool will_follow, is_cut, is_end;
	bool has_rest;           /* of the line that was cut */
	struct stat st;
};

struct lines *lines_open(const char *path, bool will_follow, const volatile int *stop, struct error *error)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct lines *l = fd >= 0 ? mem_alloc(sizeof *l) : NULL;
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		error_set(error, EXIT_UNAVAILABLE, "%s: it cannot be read: %s", path,
			  fd >= 0 ? strerror(EISDIR) : strerror(errno));
		if (fd >= 0)
			close(fd);
		mem_free(l);
		return NULL;
	}
	if (l) {
		l->fd = fd;
		l->st = st;
		l->will_follow = will_follow;
		l->unpack = unpack_new(fd);
		l->block = mem_alloc(LINES_BLOCK_BYTES);
		l->cap = LINES_BLOCK_BYTES;
	}
	if (l && l->unpack && l->block) {
		unpack_stop_at(l->unpack, stop);
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		return l;
	}
	error_set(error, EXIT_TRY_AGAIN, "%s: no memory to read it", path);
	if (l)
		lines_close(l);
	else
		close(fd);
	return NULL;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	unpack_free(l->unpack);
	mem_free(l->block);
	close(l->fd);
	mem_free(l);
}

/* More bytes behind what is there. False: none came, or the line is as long as one may be. */
static bool lines_fill(struct lines *l)
{
	if (l->begin > 0) {
		memmove(l->block, l->block + l->begin, l->end - l->begin);
		l->end -= l->begin;
		l->begin = 0;
	}
	if (l->end == l->cap && l->cap <= LINES_BYTES_MAX) {
		size_t cap = l->cap * 2 < LINES_BYTES_MAX + 2 ? l->cap * 2 : LINES_BYTES_MAX + 2;
		char *grown = mem_resize(l->block, cap);
		if (!grown)
			return false;
		l->block = grown;
		l->cap = cap;
	}
	if (l->end == l->cap)
		return false;
	size_t n = l->is_end ? 0 : unpack_read(l->unpack, l->block + l->end, l->cap - l->end);
	l->end += n;
	l->is_end = n == 0;
	return n > 0;
}

/* The rest of a line that was cut. */
static void lines_skip(struct lines *l)
{
	do {
		char *lf = memchr(l->block + l->begin, '\n', l->end - l->begin);
		size_t next = lf ? (size_t)(lf - l->block) + 1 : l->end;
		l->given_bytes += next - l->begin;
		l->begin = next;
		if (lf)
			return;
	} while (lines_fill(l));
}

static void lines_give(struct lines *l, size_t len, size_t skip, struct slice *line_out)
{
	const char *at = l->block + l->begin;
	l->begin += len + skip;
	l->given_bytes += len + skip;
	if (len > 0 && at[len - 1] == '\r')
		len--;
	l->is_cut = len > LINES_BYTES_MAX;
	*line_out = slice_make(at, l->is_cut ? LINES_BYTES_MAX : len);
}

/* Is what is left the begin of a line that somebody else will give? */
static bool lines_is_unfinished(const struct lines *l)
{
	struct logs_position position;
	return l->will_follow && lines_position(l, &position);
}

bool lines_next(struct lines *l, struct slice *line_out)
{
	size_t seen = 0;
	if (l->has_rest)
		lines_skip(l);
	l->has_rest = false;
	for (;;) {
		const char *at = l->block + l->begin;
		size_t len = l->end - l->begin;
		const char *lf = memchr(at + seen, '\n', len - seen);
		if (lf) {
			lines_give(l, (size_t)(lf - at), 1, line_out);
			return true;
		}
		seen = len;
		if (lines_fill(l))
			continue;
		l->has_rest = len > LINES_BYTES_MAX;
		if (len == 0 || (!l->has_rest && lines_is_unfinished(l)))
			return false;
		lines_give(l, len, 0, line_out);
		return true;
	}
}

bool lines_is_cut(const struct lines *l)
{
	return l->is_cut;
}

const char *lines_trouble(const struct lines *l)
{
	return unpack_trouble(l->unpack);
}

bool lines_position(const struct lines *l, struct logs_position *position_out)
{
	*position_out = (struct logs_position){ .device = l->st.st_dev,
						.inode = l->st.st_ino,
						.offset_bytes = l->given_bytes };
	return S_ISREG(l->st.st_mode) && !unpack_is_of_packed(l->unpack);
}

int64_t lines_written_ms(const struct lines *l)
{
	return S_ISREG(l->st.st_mode) ? (int64_t)l->st.st_mtim.tv_sec * 1000 : 0;
}

void lines_progress(const struct lines *l, uint64_t *done_out, uint64_t *all_out)
{
	*done_out = unpack_taken(l->unpack);
	*all_out = S_ISREG(l->st.st_mode) ? (uint64_t)l->st.st_size : 0;
}
