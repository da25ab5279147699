/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: what cannot be read twice, or at any place, goes into a spool first.
 *
 * Each worker has one unnamed file for all that it unpacks, one after the other, so
 * that a folder of 10,000 compressed mails opens no 10,000 files. What was unpacked up
 * to a fault is kept (door/unpack.h).
 */
#include "base/mem.h"
#include "door/mailbox_inside.h"
#include "door/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A file on its way into the spool of a worker. */
struct spooling {
	struct mailbox *m;
	struct mailbox_worker *w;
	uint32_t file;
	uint64_t base;           /* in the spool */
};

static int spool_make(void)
{
	const char *folder = getenv("TMPDIR");
	char path[MAILBOX_PATH_BYTES];
	if (!folder || folder[0] == '\0')
		folder = "/tmp";
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (fd >= 0 || snprintf(path, sizeof path, "%s/quell-XXXXXX", folder) >= (int)sizeof path)
		return fd;
	fd = mkostemp(path, O_CLOEXEC); /* a file system without O_TMPFILE */
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* To the end of the spool. False when it is full (told once). */
static bool spool_write(struct spooling *s, struct slice bytes)
{
	struct mailbox_worker *w = s->w;
	const char *why = NULL;
	if (atomic_fetch_add(&s->m->unpacked_bytes, bytes.len) + bytes.len > s->m->unpack_bytes_max)
		why = "too much to unpack in all";
	while (bytes.len > 0 && !why) {
		ssize_t n = pwrite(w->spool_fd, bytes.ptr, bytes.len, (off_t)w->spool_bytes);
		if (n < 0 && errno != EINTR)
			why = strerror(errno);
		if (n > 0) {
			w->spool_bytes += (uint64_t)n;
			bytes = slice_from(bytes, (size_t)n);
		}
	}
	if (why)
		mailbox_tell_file(s->m, s->file, "at byte %llu: it cannot be unpacked further: %s; "
				  "what came before is read",
				  (unsigned long long)(w->spool_bytes - s->base), why);
	return !why;
}

static void spool_run(struct spooling *s, struct unpack *u, char *block)
{
	size_t n;
	while ((n = unpack_read(u, block, UNPACK_READ_BYTES)) > 0)
		if (!spool_write(s, slice_make(block, n)))
			return;
	if (unpack_trouble(u))
		mailbox_tell_file(s->m, s->file, "%s; what came before is read", unpack_trouble(u));
}

/* Remembers where the file lies now. */
static bool spool_note(struct spooling *s, struct mailbox_view *view_out)
{
	struct mailbox *m = s->m;
	struct mailbox_spooled row = { s->w->number, s->base, s->w->spool_bytes - s->base };
	pthread_mutex_lock(&m->lock);
	bool is_fine = mailbox_grow((void **)&m->spooled, &m->spooled_cap, m->spooled_count, sizeof row,
				    MAILBOX_FILES_MAX);
	if (is_fine) {
		m->files[s->file].spooled = (uint32_t)m->spooled_count;
		m->spooled[m->spooled_count++] = row;
	}
	pthread_mutex_unlock(&m->lock);
	*view_out = (struct mailbox_view){ s->w->spool_fd, row.base, row.bytes };
	return is_fine;
}

bool mailbox_unpack(struct mailbox *m, struct mailbox_worker *w, uint32_t file, int fd,
		    struct mailbox_view *view_out)
{
	struct spooling s = { .m = m, .w = w, .file = file, .base = w->spool_bytes };
	struct unpack *u = unpack_new(fd);
	char *block = mem_alloc(UNPACK_READ_BYTES);
	if (w->spool_fd < 0)
		w->spool_fd = spool_make();
	bool is_fine = false;
	if (w->spool_fd < 0)
		mailbox_tell_file(m, file, "there is no room to unpack it: %s; it is left out", strerror(errno));
	else if (!u || !block)
		mailbox_tell_file(m, file, "there is no memory to unpack it; it is left out");
	else {
		spool_run(&s, u, block);
		is_fine = spool_note(&s, view_out);
	}
	unpack_free(u);
	mem_free(block);
	return is_fine;
}
