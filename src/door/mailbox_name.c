/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: how files and mailboxes are called. Made when somebody asks: of 100,000
 * files few are ever named.
 */
#include "base/log.h"
#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool mailbox_join(char out[MAILBOX_PATH_BYTES], const char *folder, const char *name)
{
	size_t len = strlen(folder);
	const char *slash = len > 0 && folder[len - 1] == '/' ? "" : "/";
	int n = snprintf(out, MAILBOX_PATH_BYTES, "%s%s%s", folder, slash, name);
	return n > 0 && n < MAILBOX_PATH_BYTES;
}

bool mailbox_folder_path(const struct mailbox *m, uint32_t folder, char out[MAILBOX_PATH_BYTES])
{
	const struct mailbox_folder *f = &m->folders[folder];
	char above[MAILBOX_PATH_BYTES];
	if (f->parent == MAILBOX_NONE)
		return snprintf(out, MAILBOX_PATH_BYTES, "%s", mailbox_text(m, f->name)) < MAILBOX_PATH_BYTES;
	return mailbox_folder_path(m, f->parent, above) && mailbox_join(out, above, mailbox_text(m, f->name));
}

static char *mailbox_shown(const struct mailbox *m, uint32_t file)
{
	const struct mailbox_file *f = &m->files[file];
	const char *name = mailbox_text(m, f->name);
	char folder[MAILBOX_PATH_BYTES], path[MAILBOX_PATH_BYTES];
	if (f->folder != MAILBOX_NONE && mailbox_folder_path(m, f->folder, folder) &&
	    mailbox_join(path, folder, name))
		name = path;
	return mem_copy_str(name, strlen(name));
}

static struct slice mailbox_cut_ending(struct slice name)
{
	static const char *const endings[] = { ".gz", ".zst", ".mbox", ".eml" };
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		struct slice ending = slice_from_str(endings[i]);
		if (name.len > ending.len && slice_ends_nocase(name, ending))
			name.len -= ending.len;
	}
	return name;
}

/* The last name of a path; the slashes behind it are cut off. */
static struct slice mailbox_base(struct slice *path)
{
	size_t at;
	while (path->len > 1 && path->ptr[path->len - 1] == '/')
		path->len--;
	for (at = path->len; at > 0 && path->ptr[at - 1] != '/';)
		at--;
	struct slice base = slice_from(*path, at);
	path->len = at;
	return base;
}

char *mailbox_owner_of(const char *path, bool is_maildir)
{
	static const char *const usual[] = { "Maildir", ".maildir", "mail" };
	char *real = is_maildir ? realpath(path, NULL) : NULL;
	struct slice rest = slice_from_str(real ? real : path), base = mailbox_base(&rest), above;
	for (size_t i = 0; is_maildir && i < sizeof usual / sizeof usual[0]; i++) {
		above = rest;
		if (slice_equal_nocase(base, slice_from_str(usual[i])) && mailbox_base(&above).len > 0) {
			base = mailbox_base(&rest);
			break;
		}
	}
	base = is_maildir ? base : mailbox_cut_ending(base);
	if (base.len == 0 || strcmp(path, "-") == 0)
		base = SLICE("mailbox");
	char *owner = mem_copy_str(base.ptr, base.len);
	free(real);
	return owner;
}

/* table[file], made by make when it is asked for the first time. */
static const char *mailbox_lazy(struct mailbox *m, char ***table, uint32_t file,
				char *(*make)(const struct mailbox *m, uint32_t file))
{
	pthread_mutex_lock(&m->lock);
	if (!*table)
		*table = mem_alloc_array(m->file_count, sizeof **table);
	if (*table && !(*table)[file])
		(*table)[file] = make(m, file);
	const char *text = *table ? (*table)[file] : NULL;
	pthread_mutex_unlock(&m->lock);
	return text ? text : mailbox_text(m, m->files[file].name); /* no memory: without its folder */
}

const char *mailbox_file_name(void *ctx, uint32_t file)
{
	struct mailbox *m = ctx;
	if (m->files[file].folder == MAILBOX_NONE)
		return mailbox_text(m, m->files[file].name);
	return mailbox_lazy(m, &m->shown, file, mailbox_shown);
}

/* An mbox is somebody's mailbox; one mail in a file is not, its folder is. */
static char *mailbox_make_owner(const struct mailbox *m, uint32_t file)
{
	const struct mailbox_file *f = &m->files[file];
	char folder[MAILBOX_PATH_BYTES];
	if (f->kind == MAILBOX_MBOX || f->kind == MAILBOX_MBOX_COUNTS)
		return mailbox_owner_of(mailbox_text(m, f->name), false);
	if (f->folder != MAILBOX_NONE && mailbox_folder_path(m, f->folder, folder))
		return mailbox_owner_of(folder, true);
	struct slice path = slice_from_str(mailbox_text(m, f->name));
	mailbox_base(&path);
	snprintf(folder, sizeof folder, "%.*s", (int)path.len, path.len ? path.ptr : ".");
	return mailbox_owner_of(folder, true);
}

const char *mailbox_owner(void *ctx, uint32_t file)
{
	struct mailbox *m = ctx;
	uint32_t folder = m->files[file].folder;
	if (folder != MAILBOX_NONE && m->folders[folder].mailbox)
		return m->folders[folder].mailbox;
	return mailbox_lazy(m, &m->owners, file, mailbox_make_owner);
}

__attribute__((format(printf, 3, 0)))
static void mailbox_tellv(struct mailbox *m, const char *path, const char *format, va_list args)
{
	char line[2 * MAILBOX_PATH_BYTES], quoted[MAILBOX_PATH_BYTES];
	int n = snprintf(line, sizeof line, "%s: ",
			 log_quote(slice_from_str(path), quoted, sizeof quoted));
	vsnprintf(line + n, sizeof line - (size_t)n, format, args);
	atomic_fetch_add(&m->troubles, 1);
	pthread_mutex_lock(&m->tell_lock);
	m->tell(m->tell_ctx, line);
	pthread_mutex_unlock(&m->tell_lock);
}

void mailbox_tell_path(struct mailbox *m, const char *path, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	mailbox_tellv(m, path, format, args);
	va_end(args);
}

void mailbox_tell_file(struct mailbox *m, uint32_t file, const char *format, ...)
{
	char *path = mailbox_shown(m, file);
	va_list args;
	va_start(args, format);
	mailbox_tellv(m, path ? path : mailbox_text(m, m->files[file].name), format, args);
	va_end(args);
	mem_free(path);
}
