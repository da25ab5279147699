/* SPDX-License-Identifier: Apache-2.0
 *
 * window: a buffer over a part of a file, moved on by reading. Not mmap: a file that
 * is truncated under a mapping kills who reads it.
 */
#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <errno.h>
#include <unistd.h>

int64_t view_read(const struct mailbox_view *view, uint64_t offset, char *out, size_t n)
{
	size_t got = 0;
	if (offset >= view->bytes)
		return 0;
	if (n > view->bytes - offset)
		n = (size_t)(view->bytes - offset);
	while (got < n) {
		ssize_t more = pread(view->fd, out + got, n - got, (off_t)(view->base + offset + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return got > 0 ? (int64_t)got : -1;
		got += (size_t)more;
		/* Of a regular file less than asked for is the end (POSIX); to ask again
		 * would be the fourth call for each mail of a Maildir. */
		if (more == 0 || view->bytes == UINT64_MAX)
			break;
	}
	return (int64_t)got;
}

bool window_init(struct mailbox_window *w, size_t bytes)
{
	mem_free(w->ptr);
	*w = (struct mailbox_window){ .ptr = mem_alloc(bytes), .cap = bytes,
				      .cap_begin = bytes, .cap_max = MAILBOX_WINDOW_BYTES_MAX };
	return w->ptr != NULL;
}

void window_begin(struct mailbox_window *w, const struct mailbox_view *view, uint64_t offset)
{
	w->view = *view;
	w->offset = offset;
	w->cap = w->cap_begin;
	w->len = 0;
	w->is_end = false;
	w->sys_errno = 0;
}

static bool window_grow(struct mailbox_window *w)
{
	size_t cap = 2 * w->cap < w->cap_max ? 2 * w->cap : w->cap_max;
	char *ptr = cap > w->cap ? mem_resize(w->ptr, cap) : NULL;
	if (!ptr) {
		w->sys_errno = ENOMEM;
		w->is_end = true;
		return false;
	}
	w->ptr = ptr;
	w->cap = cap;
	return true;
}

bool window_fill(struct mailbox_window *w, size_t keep)
{
	if (w->is_end)
		return false;
	if (keep > 0) {
		memmove(w->ptr, w->ptr + keep, w->len - keep);
		w->offset += keep;
		w->len -= keep;
	}
	if (w->len == w->cap && !window_grow(w))
		return false;
	size_t room = w->cap - w->len;
	int64_t got = view_read(&w->view, w->offset + w->len, w->ptr + w->len, room);
	if (got < 0)
		w->sys_errno = errno;
	w->len += got > 0 ? (size_t)got : 0;
	w->is_end = got < (int64_t)room || w->offset + w->len >= w->view.bytes;
	return got > 0;
}
