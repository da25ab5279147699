/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: folders to a list of files, in the order of their names.
 *
 * Of a Maildir, new is listed before cur: a mail that a client moves from the one to
 * the other meanwhile is then seen twice rather than never, and mailbox_file.c finds
 * that out. Entries are known by d_type, without a stat, where the file system has it.
 */
#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct mailbox_entry {
	uint32_t name;
	bool is_folder;
};

struct mailbox_entries {
	struct mailbox_entry *ptr;
	size_t count, cap;
	bool has_new, has_cur, is_whole;
};

/* What servers keep in a Maildir beside the mail. */
static const struct {
	const char *name;
	bool is_prefix;
} mailbox_control[] = {
	{ "dovecot", true },
	{ "courier", true },
	{ "maildirfolder", false },
	{ "maildirsize", false },
	{ "subscriptions", false },
};

bool mailbox_grow(void **array, size_t *cap, size_t count, size_t bytes_each, size_t cap_max)
{
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap + *cap / 2 : 16;
	if (more > cap_max)
		more = cap_max;
	void *block = more > count ? mem_resize(*array, more * bytes_each) : NULL;
	if (!block)
		return false;
	*array = block;
	*cap = more;
	return true;
}

static bool mailbox_add_name(struct mailbox *m, const char *name, uint32_t *name_out)
{
	*name_out = (uint32_t)m->names.len;
	return buf_add(&m->names, slice_make(name, strlen(name) + 1));
}

static bool mailbox_add_file(struct mailbox *m, uint32_t folder, uint32_t name, bool is_stream)
{
	if (!mailbox_grow((void **)&m->files, &m->file_cap, m->file_count, sizeof *m->files, MAILBOX_FILES_MAX))
		return false;
	m->files[m->file_count++] = (struct mailbox_file){ .folder = folder, .name = name,
							   .spooled = MAILBOX_NONE, .is_stream = is_stream };
	return true;
}

static bool mailbox_add_folder(struct mailbox *m, uint32_t parent, uint32_t name)
{
	if (!mailbox_grow((void **)&m->folders, &m->folder_cap, m->folder_count, sizeof *m->folders,
			  MAILBOX_FILES_MAX))
		return false;
	m->folders[m->folder_count++] = (struct mailbox_folder){ .parent = parent, .name = name };
	return true;
}

static bool mailbox_is_control(const char *name)
{
	for (size_t i = 0; i < sizeof mailbox_control / sizeof mailbox_control[0]; i++) {
		const char *known = mailbox_control[i].name;
		if (mailbox_control[i].is_prefix ? strncmp(name, known, strlen(known)) == 0 :
						   strcmp(name, known) == 0)
			return true;
	}
	return false;
}

/* DT_REG, DT_DIR, or DT_UNKNOWN for what is neither. A link is what it points at, but
 * one to a folder is not followed: it may lead round in a circle. */
static unsigned char mailbox_entry_type(struct mailbox *m, int fd, const char *folder, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type == DT_REG || entry->d_type == DT_DIR)
		return entry->d_type;
	if (entry->d_type == DT_UNKNOWN && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return DT_DIR;
	if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
		return DT_UNKNOWN;
	if (fstatat(fd, entry->d_name, &st, 0) == 0)
		return S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
	int sys_errno = errno;
	char path[MAILBOX_PATH_BYTES];
	mailbox_tell_path(m, mailbox_join(path, folder, entry->d_name) ? path : folder,
			  "it cannot be opened: %s; it is left out", strerror(sys_errno));
	return DT_UNKNOWN;
}

static bool mailbox_take_entry(struct mailbox *m, int fd, const char *folder, const struct dirent *entry,
			       struct mailbox_entries *e)
{
	const char *name = entry->d_name;
	struct mailbox_entry *at;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	unsigned char type = mailbox_entry_type(m, fd, folder, entry);
	if (type == DT_UNKNOWN || (type == DT_REG && (name[0] == '.' || mailbox_is_control(name))))
		return true;
	e->has_new |= type == DT_DIR && strcmp(name, "new") == 0;
	e->has_cur |= type == DT_DIR && strcmp(name, "cur") == 0;
	if (!mailbox_grow((void **)&e->ptr, &e->cap, e->count, sizeof *e->ptr, MAILBOX_FILES_MAX))
		return false;
	at = &e->ptr[e->count];
	at->is_folder = type == DT_DIR;
	if (!mailbox_add_name(m, name, &at->name))
		return false;
	e->count++;
	return true;
}

static int mailbox_by_name(const void *a, const void *b, void *ctx)
{
	const struct mailbox_entry *x = a, *y = b;
	const struct mailbox *m = ctx;
	return strcmp(mailbox_text(m, x->name), mailbox_text(m, y->name));
}

/* All entries of the folder; false when it cannot be opened (told). */
static bool mailbox_read_entries(struct mailbox *m, const char *path, struct mailbox_entries *e)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	if (!dir) {
		mailbox_tell_path(m, path, "it cannot be opened: %s; it is left out", strerror(errno));
		return false;
	}
	e->is_whole = true;
	while (errno = 0, (entry = readdir(dir))) {
		if (!mailbox_take_entry(m, dirfd(dir), path, entry, e)) {
			mailbox_tell_path(m, path, "too many files, or no memory; the rest of it is left out");
			e->is_whole = false;
			break;
		}
	}
	if (!entry && errno != 0)
		mailbox_tell_path(m, path, "it cannot be read further: %s; the rest is left out", strerror(errno));
	closedir(dir);
	if (e->count > 1)
		qsort_r(e->ptr, e->count, sizeof *e->ptr, mailbox_by_name, m);
	return true;
}

static bool mailbox_list_folder(struct mailbox *m, uint32_t parent, uint32_t name, unsigned depth);

static void mailbox_list_files(struct mailbox *m, uint32_t folder, const char *path, const struct mailbox_entries *e)
{
	m->folders[folder].first = (uint32_t)m->file_count;
	for (size_t i = 0; i < e->count; i++)
		if (!e->ptr[i].is_folder && !mailbox_add_file(m, folder, e->ptr[i].name, false)) {
			mailbox_tell_path(m, path, "too many files, or no memory; the rest of it is left out");
			break;
		}
	m->folders[folder].end = (uint32_t)m->file_count;
}

/* Which folders of this one are read: of a Maildir new, cur and others, but not tmp;
 * hidden ones only in a Maildir. */
static bool mailbox_may_enter(const struct mailbox *m, uint32_t folder, const char *name)
{
	bool is_maildir = m->folders[folder].kind == MAILBOX_MAILDIR;
	if (m->folders[folder].kind == MAILBOX_NEW || m->folders[folder].kind == MAILBOX_CUR)
		return false;
	return is_maildir ? strcmp(name, "tmp") != 0 && strcmp(name, "new") != 0 && strcmp(name, "cur") != 0 :
			    name[0] != '.';
}

static void mailbox_list_named(struct mailbox *m, uint32_t folder, const struct mailbox_entries *e, const char *name,
			       unsigned depth)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->ptr[i].is_folder && strcmp(mailbox_text(m, e->ptr[i].name), name) == 0)
			mailbox_list_folder(m, folder, e->ptr[i].name, depth);
}

static void mailbox_list_folders(struct mailbox *m, uint32_t folder, const struct mailbox_entries *e, unsigned depth)
{
	if (m->folders[folder].kind == MAILBOX_MAILDIR) {
		mailbox_list_named(m, folder, e, "new", depth);
		mailbox_list_named(m, folder, e, "cur", depth);
	}
	for (size_t i = 0; i < e->count; i++)
		if (e->ptr[i].is_folder && mailbox_may_enter(m, folder, mailbox_text(m, e->ptr[i].name)))
			mailbox_list_folder(m, folder, e->ptr[i].name, depth);
}

/* What it is, as seen from its entries and the folder above. */
static void mailbox_know_folder(struct mailbox *m, uint32_t folder, const char *path, const struct mailbox_entries *e)
{
	struct mailbox_folder *f = &m->folders[folder];
	const struct mailbox_folder *above = f->parent == MAILBOX_NONE ? NULL : &m->folders[f->parent];
	const char *name = mailbox_text(m, f->name);
	bool is_below = above && above->kind == MAILBOX_MAILDIR;
	if (is_below && (strcmp(name, "new") == 0 || strcmp(name, "cur") == 0))
		f->kind = name[0] == 'n' ? MAILBOX_NEW : MAILBOX_CUR;
	else if (e->has_new && e->has_cur)
		f->kind = MAILBOX_MAILDIR;
	if (is_below && above->mailbox)
		f->mailbox = mem_copy_str(above->mailbox, strlen(above->mailbox));
	else if (f->kind == MAILBOX_MAILDIR)
		f->mailbox = mailbox_owner_of(path, true);
}

static bool mailbox_list_folder(struct mailbox *m, uint32_t parent, uint32_t name, unsigned depth)
{
	struct mailbox_entries e = { 0 };
	char path[MAILBOX_PATH_BYTES];
	uint32_t folder = (uint32_t)m->folder_count;
	bool is_fine = false;

	if (!mailbox_add_folder(m, parent, name))
		mailbox_tell_path(m, mailbox_text(m, name), "too many folders, or no memory; it is left out");
	else if (!mailbox_folder_path(m, folder, path) || depth > MAILBOX_DEPTH_MAX)
		mailbox_tell_path(m, mailbox_text(m, name), "it lies too deep; it is left out");
	else
		is_fine = mailbox_read_entries(m, path, &e);
	if (is_fine) {
		mailbox_know_folder(m, folder, path, &e);
		/* A hidden folder of a Maildir is a mailbox, or nothing of ours. */
		bool is_ours = depth == 0 || mailbox_text(m, name)[0] != '.' ||
			       m->folders[folder].kind == MAILBOX_MAILDIR;
		if (is_ours) {
			mailbox_list_files(m, folder, path, &e);
			mailbox_list_folders(m, folder, &e, depth + 1);
		}
	}
	mem_free(e.ptr);
	return is_fine;
}

bool mailbox_list_path(struct mailbox *m, const char *path)
{
	struct stat st;
	uint32_t name;
	bool is_stdin = strcmp(path, "-") == 0;
	if (!is_stdin && stat(path, &st) != 0) {
		mailbox_tell_path(m, path, "it cannot be opened: %s; it is left out", strerror(errno));
		return false;
	}
	if (!mailbox_add_name(m, path, &name)) {
		mailbox_tell_path(m, path, "too many files, or no memory; it is left out");
		return false;
	}
	if (!is_stdin && S_ISDIR(st.st_mode))
		return mailbox_list_folder(m, MAILBOX_NONE, name, 0);
	if (mailbox_add_file(m, MAILBOX_NONE, name, is_stdin || !S_ISREG(st.st_mode)))
		return true;
	mailbox_tell_path(m, path, "too many files, or no memory; it is left out");
	return false;
}
