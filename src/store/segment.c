/* SPDX-License-Identifier: Apache-2.0
 *
 * segment: numbered files, one writer each, many readers.
 *
 * A number is taken by making the file (O_EXCL), so two sessions never share one. The
 * file read last stays open: the mails of one segment are delivered one after the other.
 */
#include "store/segment.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENT_NAME_BYTES = 16, SEGMENT_NUMBER_MAX = 99999999 };

struct segments {
	int dir_fd;
	uint32_t last;          /* the highest number ever seen */
	uint64_t bytes;
	struct list writers;
	int read_fd;            /* the file read last; -1 */
	uint32_t read_number;
};

struct segment_writer {
	struct segments *segments;
	struct list link;
	int fd;                 /* -1: no file yet */
	uint32_t number;
	uint64_t end;           /* of what was added, buffered or not */
	uint64_t begin;         /* where the mail under way begins */
	struct buf buffer;      /* the last bytes before end */
	bool has_unsynced;      /* mails ended since the last sync */
	bool is_broken;         /* what is in the file, or on the disk, is not what was added */
};

static void segment_name(uint32_t number, char out[SEGMENT_NAME_BYTES])
{
	snprintf(out, SEGMENT_NAME_BYTES, "%08u.seg", number);
}

/* 0 for a name that is none of ours. */
static uint32_t segment_number(const char *name)
{
	uint64_t number;
	struct slice s = slice_from_str(name);
	bool is_ours = s.len == 12 && slice_equal(slice_from(s, 8), SLICE(".seg")) &&
		       slice_to_u64(slice_first(s, 8), &number);
	return is_ours ? (uint32_t)number : 0;
}

static uint64_t segment_size(const struct segments *s, const char *name)
{
	struct stat st;
	return fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

/* Calls fn for each segment file; fn must not mind the order. */
static bool segments_each(struct segments *s, void (*fn)(struct segments *s, uint32_t number, void *arg), void *arg)
{
	int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (segment_number(entry->d_name))
			fn(s, segment_number(entry->d_name), arg);
	closedir(dir);
	return true;
}

static void segments_count(struct segments *s, uint32_t number, void *arg)
{
	char name[SEGMENT_NAME_BYTES];
	(void)arg;
	segment_name(number, name);
	s->bytes += segment_size(s, name);
	if (number > s->last)
		s->last = number;
}

struct segments *segments_open(int dir_fd, struct error *error)
{
	struct segments *s = mem_alloc(sizeof *s);
	if (!s) {
		error_set(error, EXIT_UNAVAILABLE, "no memory for the spool");
		return NULL;
	}
	s->read_fd = -1;
	list_init(&s->writers);
	s->dir_fd = disk_open_dir(dir_fd, "spool");
	/* The folder's own name must be as durable as what will lie in it. */
	if (s->dir_fd >= 0 && disk_sync(dir_fd) && segments_each(s, segments_count, NULL))
		return s;
	error_set(error, EXIT_UNAVAILABLE, "the folder spool cannot be opened: %s", strerror(errno));
	segments_close(s);
	return NULL;
}

void segments_close(struct segments *s)
{
	if (!s)
		return;
	if (s->read_fd >= 0)
		close(s->read_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	mem_free(s);
}

uint64_t segments_bytes(const struct segments *s)
{
	return s->bytes;
}

uint64_t segments_free_bytes(const struct segments *s)
{
	return disk_free_bytes(s->dir_fd);
}

/* --- writing ---------------------------------------------------------------- */

struct segment_writer *segment_writer_new(struct segments *s)
{
	struct segment_writer *w = mem_alloc(sizeof *w);
	if (!w)
		return NULL;
	w->segments = s;
	w->fd = -1;
	buf_init(&w->buffer, SEGMENT_BUFFER_BYTES + 64 * 1024);
	list_init(&w->link);
	list_add(&s->writers, &w->link);
	return w;
}

static void writer_close_file(struct segment_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->number = 0;
	w->begin = w->end = 0;
	buf_reset(&w->buffer);
}

void segment_writer_free(struct segment_writer **writer)
{
	struct segment_writer *w = *writer;
	*writer = NULL;
	if (!w)
		return;
	writer_close_file(w);
	buf_free(&w->buffer);
	list_remove(&w->link);
	mem_free(w);
}

static bool writer_open_file(struct segment_writer *w)
{
	struct segments *s = w->segments;
	char name[SEGMENT_NAME_BYTES];
	while (w->fd < 0) {
		if (s->last >= SEGMENT_NUMBER_MAX) {
			errno = EFBIG;
			return false;
		}
		segment_name(++s->last, name);
		w->fd = disk_open(s->dir_fd, name, O_RDWR | O_CREAT | O_EXCL);
		if (w->fd < 0 && errno != EEXIST)
			return false;
	}
	w->number = s->last;
	/* The name must be as durable as the bytes behind it. */
	return disk_sync(s->dir_fd);
}

static bool writer_flush(struct segment_writer *w)
{
	if (w->buffer.len == 0)
		return !w->is_broken;
	if (w->is_broken || !disk_write(w->fd, buf_slice(&w->buffer))) {
		w->is_broken = true;
		return false;
	}
	w->segments->bytes += w->buffer.len;
	buf_reset(&w->buffer);
	return true;
}

void segment_begin(struct segment_writer *w)
{
	/* A file whose mails are not all synced stays this writer's: their rows are not in
	 * the ledger yet, so to a sweep it would look like nobody's. */
	if (w->end >= SEGMENT_BYTES && !w->has_unsynced && !w->is_broken)
		writer_close_file(w);
	w->begin = w->end;
}

bool segment_add(struct segment_writer *w, struct slice bytes)
{
	if (w->is_broken) {
		errno = EIO;
		return false;
	}
	if (w->fd < 0 && !writer_open_file(w)) {
		w->is_broken = true;
		return false;
	}
	while (bytes.len > 0) {
		struct slice part = slice_first(bytes, SEGMENT_BUFFER_BYTES - w->buffer.len);
		if (!buf_add(&w->buffer, part)) {
			w->is_broken = true;
			errno = ENOMEM;
			return false;
		}
		w->end += part.len;
		bytes = slice_from(bytes, part.len);
		if (w->buffer.len >= SEGMENT_BUFFER_BYTES && !writer_flush(w))
			return false;
	}
	return true;
}

void segment_abort(struct segment_writer *w)
{
	uint64_t flushed = w->end - w->buffer.len;
	/* Bytes in the file stay, as nobody's; those in memory are forgotten. */
	w->buffer.len = w->begin > flushed ? (size_t)(w->begin - flushed) : 0;
	w->end = flushed + w->buffer.len;
	w->begin = w->end;
}

bool segment_end(struct segment_writer *w, struct segment_place *place_out)
{
	*place_out = (struct segment_place){ w->number, w->begin, w->end - w->begin };
	w->begin = w->end;
	w->has_unsynced |= place_out->bytes > 0;
	return !w->is_broken;
}

bool segment_sync(struct segment_writer *w)
{
	if (w->fd < 0)
		return !w->is_broken;
	/* A sync that failed once may succeed later over pages the system gave up. */
	if (!writer_flush(w) || !disk_sync_data(w->fd))
		w->is_broken = true;
	else
		w->has_unsynced = false;
	return !w->is_broken;
}

/* --- reading ------------------------------------------------------------------ */

static int segments_reader(struct segments *s, uint32_t number)
{
	char name[SEGMENT_NAME_BYTES];
	if (s->read_fd >= 0 && s->read_number == number)
		return s->read_fd;
	if (s->read_fd >= 0)
		close(s->read_fd);
	segment_name(number, name);
	s->read_fd = disk_open(s->dir_fd, name, O_RDONLY);
	s->read_number = number;
	return s->read_fd;
}

ssize_t segment_read(struct segments *s, const struct segment_place *place, uint64_t offset, void *to, size_t n)
{
	uint64_t left = offset < place->bytes ? place->bytes - offset : 0;
	if (left == 0)
		return 0;
	int fd = segments_reader(s, place->segment);
	if (fd < 0)
		return -1;
	if (n > left)
		n = (size_t)left;
	ssize_t got = disk_read_at(fd, to, n, place->at + offset);
	return got == (ssize_t)n ? got : -1;
}

struct sweep {
	bool (*is_needed)(void *ctx, uint32_t segment);
	void *ctx;
	uint64_t kept_bytes;
};

static bool segments_is_written(struct segments *s, uint32_t number)
{
	for (struct list *node = s->writers.next; node != &s->writers; node = node->next)
		if (LIST_OWNER(node, struct segment_writer, link)->number == number)
			return true;
	return false;
}

static void segments_sweep_one(struct segments *s, uint32_t number, void *arg)
{
	struct sweep *sweep = arg;
	char name[SEGMENT_NAME_BYTES];
	segment_name(number, name);
	uint64_t bytes = segment_size(s, name);
	bool is_kept = segments_is_written(s, number) || sweep->is_needed(sweep->ctx, number) ||
		       !disk_unlink(s->dir_fd, name);
	sweep->kept_bytes += is_kept ? bytes : 0;
	if (is_kept)
		return;
	if (s->read_fd >= 0 && s->read_number == number) {
		close(s->read_fd);
		s->read_fd = -1;
	}
}

void segments_sweep(struct segments *s, bool (*is_needed)(void *ctx, uint32_t segment), void *ctx)
{
	struct sweep sweep = { .is_needed = is_needed, .ctx = ctx };
	/* Counted anew: a write that failed half way left bytes that nobody counted. */
	if (segments_each(s, segments_sweep_one, &sweep))
		s->bytes = sweep.kept_bytes;
}
