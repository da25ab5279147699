/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: opens files of the list, relative to an open folder, and finds mails of a
 * Maildir again that were renamed since they were listed.
 */
#include "door/mailbox_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAILBOX_OPEN = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

/* The folder, open; kept for the next file, which mostly lies in it too. */
static int mailbox_dir(struct mailbox *m, struct mailbox_worker *w, uint32_t folder)
{
	char path[MAILBOX_PATH_BYTES];
	if (w->dir_fd >= 0 && w->dir_folder == folder)
		return w->dir_fd;
	if (w->dir_fd >= 0)
		close(w->dir_fd);
	w->dir_fd = -1;
	if (!mailbox_folder_path(m, folder, path))
		errno = ENAMETOOLONG;
	else
		w->dir_fd = open(path, MAILBOX_OPEN | O_DIRECTORY);
	w->dir_folder = folder;
	return w->dir_fd;
}

/* What a Maildir's client never changes: the name up to the flags. */
static struct slice mailbox_unique(const char *name)
{
	struct slice s = slice_from_str(name);
	return slice_first(s, slice_find_byte(s, 0, ':'));
}

/* Did the listing find a file with this unique part in the folder? Its own entry then
 * stands for the mail, and this one is the same mail seen before it was moved. */
static bool mailbox_is_listed(const struct mailbox *m, uint32_t folder, struct slice unique)
{
	uint32_t low = m->folders[folder].first, end = m->folders[folder].end, high = end;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const char *name = mailbox_text(m, m->files[middle].name);
		if (strncmp(name, unique.ptr, unique.len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < end; low++) {
		struct slice other = mailbox_unique(mailbox_text(m, m->files[low].name));
		if (slice_equal(other, unique))
			return true;
		if (!slice_equal(slice_first(other, unique.len), unique))
			return false;
	}
	return false;
}

/* The folder's sibling: cur for new and the other way round. */
static uint32_t mailbox_sibling(const struct mailbox *m, uint32_t folder)
{
	const struct mailbox_folder *f = &m->folders[folder];
	for (uint32_t i = 0; i < m->folder_count; i++)
		if (i != folder && m->folders[i].parent == f->parent &&
		    (m->folders[i].kind == MAILBOX_NEW || m->folders[i].kind == MAILBOX_CUR))
			return i;
	return MAILBOX_NONE;
}

static int mailbox_find_unique(struct mailbox *m, uint32_t folder, struct slice unique)
{
	char path[MAILBOX_PATH_BYTES];
	DIR *dir = mailbox_folder_path(m, folder, path) ? opendir(path) : NULL;
	struct dirent *entry;
	int fd = -1;
	while (dir && fd < 0 && (entry = readdir(dir)))
		if (slice_equal(mailbox_unique(entry->d_name), unique))
			fd = openat(dirfd(dir), entry->d_name, MAILBOX_OPEN);
	if (dir)
		closedir(dir);
	return fd;
}

/* Under another name, in the same folder or its sibling. -1 with ENOENT: it is gone;
 * with EEXIST: it is the same mail as another one of the list. */
static int mailbox_reopen(struct mailbox *m, uint32_t file)
{
	uint32_t folder = m->files[file].folder;
	struct slice unique = mailbox_unique(mailbox_text(m, m->files[file].name));
	errno = ENOENT;
	if (atomic_fetch_add(&m->retries, 1) >= MAILBOX_RETRIES_MAX)
		return -1;
	int fd = mailbox_find_unique(m, folder, unique);
	uint32_t sibling = fd < 0 ? mailbox_sibling(m, folder) : MAILBOX_NONE;
	if (sibling != MAILBOX_NONE)
		fd = mailbox_find_unique(m, sibling, unique);
	errno = ENOENT;
	if (fd >= 0 && sibling != MAILBOX_NONE && m->files[file].kind == MAILBOX_UNSEEN &&
	    mailbox_is_listed(m, sibling, unique)) {
		close(fd);
		errno = EEXIST;
		return -1;
	}
	return fd;
}

int mailbox_open_file(struct mailbox *m, struct mailbox_worker *w, uint32_t file)
{
	const struct mailbox_file *f = &m->files[file];
	const char *name = mailbox_text(m, f->name);
	int dir = AT_FDCWD, fd;
	if (f->folder == MAILBOX_NONE && f->is_stream)
		fd = strcmp(name, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) :
					      open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	else if (f->folder != MAILBOX_NONE && (dir = mailbox_dir(m, w, f->folder)) < 0)
		fd = -1;
	else
		fd = openat(dir, name, MAILBOX_OPEN);
	if (fd < 0 && errno == ENOENT && f->folder != MAILBOX_NONE && m->folders[f->folder].kind >= MAILBOX_NEW)
		fd = mailbox_reopen(m, file);
	if (fd < 0 && errno == ENOENT)
		mailbox_tell_file(m, file, "it vanished while we read; it is left out");
	else if (fd < 0 && errno != EEXIST)
		mailbox_tell_file(m, file, "it cannot be opened: %s; it is left out", strerror(errno));
	return fd;
}

bool mailbox_view(struct mailbox *m, struct mailbox_worker *w, uint32_t file, struct mailbox_opened *opened,
		  struct mailbox_view *view_out)
{
	uint32_t spooled = m->files[file].spooled;
	if (spooled != MAILBOX_NONE) {
		pthread_mutex_lock(&m->lock);
		const struct mailbox_spooled s = m->spooled[spooled];
		pthread_mutex_unlock(&m->lock);
		*view_out = (struct mailbox_view){ m->workers[s.worker].spool_fd, s.base, s.bytes };
		return true;
	}
	if (m->files[file].is_stream)
		return false; /* it was never kept: told then */
	if (opened->fd < 0 || opened->file != file) {
		if (opened->fd >= 0)
			close(opened->fd);
		*opened = (struct mailbox_opened){ file, mailbox_open_file(m, w, file) };
	}
	*view_out = (struct mailbox_view){ opened->fd, 0, UINT64_MAX };
	return opened->fd >= 0;
}
