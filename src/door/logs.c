/* SPDX-License-Identifier: Apache-2.0
 *
 * logs: one look at a time.
 *
 * A look reads what is there, then asks whether the file was truncated or another
 * one stands in its place. inotify only brings the next look forward (and is not
 * listened to until then, so a busy log costs at most one look per LOGS_SOON_MS);
 * correctness rests on the looks alone. A rotated file is left for its successor
 * only when that one holds something: until then the writer may still be on the
 * old one, and there is nothing to miss in the new.
 */
#include "door/logs.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOGS_GONE_LOOKS = 3, LOGS_SOON_MS = 20, LOGS_HASH_BYTES = 256, LOGS_READ_BYTES = 64 * 1024 };

struct logs {
	struct loop *loop;
	char *path;
	enum logs_start start;
	struct logs_position position; /* after the last line handed out */
	uint64_t read_bytes;           /* offset of the next byte to read */
	struct logs_calls calls;
	void *ctx;
	int fd;
	struct buf part;               /* of a line whose end has not come */
	bool is_skipping;              /* up to the next line end */
	bool is_counted;               /* that skip, as a line too long */
	bool has_complained;           /* about a file that cannot be opened */
	bool has_opened;               /* some file was open already */
	unsigned gone_looks;           /* nothing stood at the path, one look after the other */
	uint64_t skipped;
	struct loop_timer *look;
	struct stream *notices;        /* inotify; NULL: looks once a second only */
	int notify_fd, file_watch;
};

/* ---- the identity of a file ---- */

/* Of the first line, or its first 256 bytes; 0 while there is neither. FNV-1a: nobody
 * gains by a collision here. */
static uint64_t logs_first_hash(int fd)
{
	char first[LOGS_HASH_BYTES];
	ssize_t n = pread(fd, first, sizeof first, 0);
	if (n <= 0)
		return 0;
	size_t len = slice_find_byte(slice_make(first, (size_t)n), 0, '\n');
	if (len == (size_t)n && len < sizeof first)
		return 0;
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)first[i]) * 1099511628211u;
	return hash ? hash : 1;
}

static void logs_forget_line(struct logs *g)
{
	buf_reset(&g->part);
	g->is_skipping = g->is_counted = false;
}

/* Reads this file from an offset on. */
static void logs_begin_at(struct logs *g, const struct stat *st, uint64_t offset_bytes)
{
	logs_forget_line(g);
	g->position = (struct logs_position){ st->st_dev, st->st_ino, offset_bytes,
					      logs_first_hash(g->fd) };
	g->read_bytes = offset_bytes;
}

/* At the end of a line that is being written, the rest of it is no line. */
static void logs_begin_at_end(struct logs *g, const struct stat *st)
{
	char last = '\n';
	logs_begin_at(g, st, (uint64_t)st->st_size);
	if (st->st_size > 0 && pread(g->fd, &last, 1, st->st_size - 1) == 1)
		g->is_skipping = last != '\n';
	g->is_counted = g->is_skipping;
}

static void logs_close_file(struct logs *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
	if (g->file_watch >= 0)
		inotify_rm_watch(g->notify_fd, g->file_watch);
	g->file_watch = -1;
}

static bool logs_open_path(struct logs *g, const char *path, struct stat *st_out)
{
	g->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (g->fd >= 0 && fstat(g->fd, st_out) == 0 && S_ISREG(st_out->st_mode))
		return true;
	int sys_errno = g->fd >= 0 ? EINVAL : errno;
	logs_close_file(g);
	errno = sys_errno;
	return false;
}

static bool logs_is_position(const struct logs *g, const struct stat *st)
{
	const struct logs_position *p = &g->position;
	return p->device == st->st_dev && p->inode == st->st_ino &&
	       p->offset_bytes <= (uint64_t)st->st_size &&
	       (p->first_hash == 0 || p->first_hash == logs_first_hash(g->fd));
}

/* The file of the saved position: where it was, or rotated to "path.1" meanwhile. */
static bool logs_open_position(struct logs *g)
{
	struct stat st;
	char rotated[PATH_MAX];
	const char *paths[] = { g->path, rotated };
	if (snprintf(rotated, sizeof rotated, "%s.1", g->path) >= (int)sizeof rotated)
		return false;
	for (size_t i = 0; i < 2; i++) {
		if (!logs_open_path(g, paths[i], &st))
			continue;
		if (logs_is_position(g, &st)) {
			logs_begin_at(g, &st, g->position.offset_bytes);
			return true;
		}
		logs_close_file(g);
	}
	return false;
}

static void logs_complain(struct logs *g)
{
	char path[LOG_QUOTE_BYTES];
	if (g->has_complained)
		return;
	g->has_complained = true;
	log_warn("log_unreadable", "path=%s error=\"%s\" retry_s=1",
		 log_quote(slice_from_str(g->path), path, sizeof path), strerror(errno));
}

/* Opens what is at the path now; what was asked for at the start holds once. */
static bool logs_open_file(struct logs *g)
{
	struct stat st;
	enum logs_start start = g->has_opened ? LOGS_FROM_BEGIN : g->start;
	bool is_open = start == LOGS_FROM_POSITION && logs_open_position(g);
	if (!is_open) {
		if (!logs_open_path(g, g->path, &st)) {
			/* A file that appears later is new: all of it counts. */
			g->has_opened |= errno == ENOENT && start == LOGS_FROM_END;
			logs_complain(g);
			return false;
		}
		if (start == LOGS_FROM_END)
			logs_begin_at_end(g, &st);
		else
			logs_begin_at(g, &st, 0);
	}
	g->has_opened = true;
	g->has_complained = false;
	if (g->notices)
		g->file_watch = inotify_add_watch(g->notify_fd, g->path, IN_MODIFY);
	return true;
}

/* ---- lines ---- */

static void logs_hand_out(struct logs *g, struct slice line)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len > LOGS_LINE_BYTES_MAX)
		g->skipped++;
	else
		g->calls.line(g->ctx, line);
}

/* A piece without its line end. */
static void logs_keep(struct logs *g, struct slice piece)
{
	if (g->is_skipping || (g->part.len + piece.len <= LOGS_LINE_BYTES_MAX && buf_add(&g->part, piece)))
		return;
	buf_reset(&g->part);
	g->is_skipping = true;
}

static void logs_end_line(struct logs *g, struct slice piece)
{
	if (g->part.len == 0 && !g->is_skipping) {
		logs_hand_out(g, piece);
		return;
	}
	logs_keep(g, piece);
	if (!g->is_skipping)
		logs_hand_out(g, buf_slice(&g->part));
	else if (!g->is_counted)
		g->skipped++;
	logs_forget_line(g);
}

static void logs_take(struct logs *g, struct slice bytes)
{
	for (size_t pos = 0; pos < bytes.len;) {
		size_t end = slice_find_byte(bytes, pos, '\n');
		struct slice piece = slice_between(bytes, pos, end);
		if (end == bytes.len) {
			logs_keep(g, piece);
			break;
		}
		logs_end_line(g, piece);
		pos = end + 1;
		g->position.offset_bytes = g->read_bytes + pos;
	}
	g->read_bytes += bytes.len;
}

/* ---- a look ---- */

/* Truncated, or another content in the same inode (copytruncate). */
static bool logs_is_replaced(struct logs *g, struct stat *st_out)
{
	if (fstat(g->fd, st_out) != 0)
		return false;
	if ((uint64_t)st_out->st_size < g->read_bytes)
		return true;
	uint64_t hash = logs_first_hash(g->fd);
	if (g->position.first_hash == 0)
		g->position.first_hash = hash;
	return hash != g->position.first_hash;
}

/* Another file stands at the path, and its writer has come over to it. */
static bool logs_is_succeeded(const struct logs *g)
{
	struct stat st;
	return stat(g->path, &st) == 0 && st.st_size > 0 &&
	       (st.st_dev != g->position.device || st.st_ino != g->position.inode);
}

/* Reads to the end, or until the budget is used up (then false). */
static bool logs_read_all(struct logs *g, size_t *budget)
{
	while (*budget > 0) {
		size_t room = *budget < LOGS_READ_BYTES ? *budget : LOGS_READ_BYTES;
		char *to = loop_scratch(g->loop);
		ssize_t n = pread(g->fd, to, room, (off_t)g->read_bytes);
		if (n <= 0)
			return true;
		*budget -= (size_t)n;
		logs_take(g, slice_make(to, (size_t)n));
	}
	return false;
}

/* True when all that is there was handed out. */
static bool logs_look_once(struct logs *g)
{
	size_t budget = LOGS_ROUND_BYTES_MAX;
	struct stat st;
	for (;;) {
		if (g->fd < 0 && !logs_open_file(g))
			return true;
		if (logs_is_replaced(g, &st))
			logs_begin_at(g, &st, 0);
		if (!logs_read_all(g, &budget))
			return false;
		if (!logs_is_succeeded(g))
			return true;
		/* What was written between the last read and the move. */
		if (!logs_read_all(g, &budget))
			return false;
		logs_close_file(g);
	}
}

/* The file that is open was removed and none took its place: told once. A rotation leaves
 * the path empty for a moment only. */
static void logs_miss(struct logs *g)
{
	struct stat st;
	char path[LOG_QUOTE_BYTES];
	bool is_gone = g->fd >= 0 && stat(g->path, &st) != 0 && errno == ENOENT;
	g->gone_looks = is_gone ? g->gone_looks + 1 : 0;
	if (g->gone_looks == LOGS_GONE_LOOKS)
		log_warn("log_gone", "path=%s what=\"waiting for another one\"",
			 log_quote(slice_from_str(g->path), path, sizeof path));
}

static void on_look(void *ctx)
{
	struct logs *g = ctx;
	bool is_done = logs_look_once(g);
	loop_timer_again(g->look, is_done ? LOGS_POLL_MS : 0);
	if (!is_done)
		return;
	logs_miss(g);
	if (g->notices)
		stream_resume(g->notices);
	if (g->calls.caught_up && g->fd >= 0)
		g->calls.caught_up(g->ctx);
}

/* ---- inotify ---- */

static size_t on_notice(void *ctx, struct stream *s, struct slice bytes)
{
	struct logs *g = ctx;
	/* Whatever it says, the answer is a look; more of it need not wake us before. */
	stream_pause(s);
	loop_timer_again(g->look, LOGS_SOON_MS);
	return bytes.len;
}

static void on_notice_end(void *ctx, struct stream *s, enum stream_end end, int sys_errno)
{
	struct logs *g = ctx;
	(void)s;
	log_warn("log_notify_lost", "why=\"%s\" error=%d", stream_end_text(end), sys_errno);
	stream_close(&g->notices);
	g->file_watch = -1;
}

static void logs_start_notices(struct logs *g)
{
	static const struct stream_calls calls = { on_notice, on_notice_end, NULL };
	const struct stream_setup setup = { .in_bytes_max = 64 * 1024, .out_bytes_max = 1 };
	char folder[PATH_MAX];
	g->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (g->notify_fd < 0)
		return;
	snprintf(folder, sizeof folder, "%s", g->path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	inotify_add_watch(g->notify_fd, slash ? folder : ".", IN_CREATE | IN_MOVED_TO);
	g->notices = stream_open(g->loop, g->notify_fd, &setup, &calls, g);
}

/* ---- the owner's side ---- */

struct logs *logs_open(struct loop *l, const char *path, enum logs_start start,
		       const struct logs_position *position, const struct logs_calls *calls, void *ctx)
{
	struct logs *g = mem_alloc(sizeof *g);
	if (!g)
		return NULL;
	g->loop = l;
	g->start = start;
	g->calls = *calls;
	g->ctx = ctx;
	g->fd = g->notify_fd = g->file_watch = -1;
	if (position)
		g->position = *position;
	buf_init(&g->part, LOGS_LINE_BYTES_MAX);
	g->path = mem_copy_str(path, strlen(path));
	g->look = g->path ? loop_timer_start(l, 0, 0, on_look, g) : NULL;
	if (!g->look) {
		logs_close(&g);
		return NULL;
	}
	logs_start_notices(g);
	return g;
}

void logs_close(struct logs **logs)
{
	struct logs *g = *logs;
	if (!g)
		return;
	logs_close_file(g);
	stream_close(&g->notices);
	loop_timer_stop(&g->look);
	buf_free(&g->part);
	mem_free(g->path);
	mem_free(g);
	*logs = NULL;
}

void logs_position(const struct logs *g, struct logs_position *position_out)
{
	*position_out = g->position;
}

uint64_t logs_skipped(const struct logs *g)
{
	return g->skipped;
}

bool logs_is_open(const struct logs *g)
{
	return g->fd >= 0;
}
