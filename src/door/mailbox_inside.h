/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of door/mailbox share; nobody else includes it, but for tests.
 *
 *   mailbox.c         open, close, the source's calls
 *   mailbox_list.c    folders to a list of files
 *   mailbox_name.c    names of files and mailboxes, told troubles
 *   mailbox_file.c    a file of the list to bytes that can be read
 *   mailbox_unpack.c  streams, gzip, zstd to a spool
 *   mailbox_window.c  a moving view of those bytes
 *   mailbox_scan.c    the bytes to mails
 *   mailbox_read.c    one mail again
 */
#ifndef QUELL_DOOR_MAILBOX_INSIDE_H
#define QUELL_DOOR_MAILBOX_INSIDE_H

#include "base/buf.h"
#include "door/mailbox.h"
#include "mail/mbox.h"

#include <pthread.h>
#include <stdatomic.h>

#define MAILBOX_NONE UINT32_MAX

enum {
	MAILBOX_PIECE_BYTES = 64 * 1024,
	/* A header in one piece, what must stand before a place, and the longest separator. */
	MAILBOX_WINDOW_BYTES_MAX = SOURCE_HEADER_BYTES_MAX + 4096,
	MAILBOX_PATH_BYTES = 4096,
};

enum mailbox_kind {
	MAILBOX_UNSEEN,
	MAILBOX_MAIL,        /* one mail */
	MAILBOX_MBOX,        /* cut by separators alone */
	MAILBOX_MBOX_COUNTS, /* a Content-Length may be believed */
	MAILBOX_NO_MAIL,
};

struct mailbox_file {
	uint32_t folder;     /* MAILBOX_NONE: given as a path of its own */
	uint32_t name;       /* in names */
	uint32_t spooled;    /* in spools_of; MAILBOX_NONE: read where it lies */
	uint8_t kind;        /* enum mailbox_kind */
	bool is_stream;      /* no file that can be read twice */
};

struct mailbox_folder {
	uint32_t parent, name; /* MAILBOX_NONE: given as a path */
	enum { MAILBOX_PLAIN, MAILBOX_MAILDIR, MAILBOX_NEW, MAILBOX_CUR } kind;
	uint32_t first, end;   /* its files */
	char *mailbox;         /* whose mail; NULL unless Maildir */
};

/* Bytes that can be read at any place. */
struct mailbox_view {
	int fd;
	uint64_t base, bytes;  /* bytes: UINT64_MAX when not known: to the end of the file */
};

/* A file that was unpacked into the spool of a worker. */
struct mailbox_spooled {
	unsigned worker;
	uint64_t base, bytes;
};

struct mailbox_window {
	struct mailbox_view view;
	char *ptr;
	size_t cap, cap_begin, cap_max, len;
	uint64_t offset;       /* of ptr[0] */
	bool is_end;           /* the view ends at len */
	int sys_errno;         /* why it ends; 0 at the end of the file */
};

/* A file that stays open until the next one is wanted. */
struct mailbox_opened {
	uint32_t file;
	int fd;                /* -1: none */
};

/* A separator and what is beside it; offsets in the file. */
struct mailbox_cut {
	uint64_t mail_end, separator, next;
};

struct mailbox_worker {
	unsigned number;
	uint32_t dir_folder;   /* that dir_fd is of */
	int dir_fd;
	struct mailbox_opened range, again; /* for looking over a range, for reading again */
	int spool_fd;          /* of unpacked files; -1: none yet */
	uint64_t spool_bytes;
	struct mailbox_window window;
	struct buf header;     /* of the mail under way, once the window had to leave it */
	char *piece;           /* for reading again: MBOX_LINE_BYTES_MAX and a piece */
};

/* An mbox that is looked over in ranges. */
struct mailbox_big {
	uint32_t file;
	uint64_t bytes;
	size_t range;          /* number of its first one */
};

struct mailbox {
	mailbox_tell_fn *tell;
	void *tell_ctx;
	struct buf names;      /* NUL-terminated, one after the other */
	struct mailbox_file *files;
	size_t file_count, file_cap;
	struct mailbox_folder *folders;
	size_t folder_count, folder_cap;
	unsigned worker_count;
	struct mailbox_worker *workers;
	uint64_t unpack_bytes_max;
	atomic_ullong unpacked_bytes, troubles, retries;
	atomic_ullong done_bytes, seen_bytes, seen_files;

	pthread_mutex_t tell_lock;
	pthread_mutex_t lock;  /* of what follows */
	char **shown, **owners; /* by file, made when asked for */
	struct mailbox_spooled *spooled;
	size_t spooled_count, spooled_cap;
	struct mailbox_big *big;
	size_t big_count, big_cap;
};

/* mailbox_name.c */
const char *mailbox_file_name(void *ctx, uint32_t file);
const char *mailbox_owner(void *ctx, uint32_t file);
/* The name of a mailbox at this path, for mailbox_free; NULL without memory. */
char *mailbox_owner_of(const char *path, bool is_maildir);
static inline const char *mailbox_text(const struct mailbox *m, uint32_t name)
{
	return m->names.ptr + name;
}
/* folder/name; false when it is too long. */
bool mailbox_join(char out[MAILBOX_PATH_BYTES], const char *folder, const char *name);
bool mailbox_folder_path(const struct mailbox *m, uint32_t folder, char out[MAILBOX_PATH_BYTES]);
/* "path: text", counted. */
void mailbox_tell_path(struct mailbox *m, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void mailbox_tell_file(struct mailbox *m, uint32_t file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* mailbox_list.c: adds a path as given; false when it could not be opened (told). */
bool mailbox_list_path(struct mailbox *m, const char *path);
/* Room for one more; false at cap_max or without memory. */
bool mailbox_grow(void **array, size_t *cap, size_t count, size_t bytes_each, size_t cap_max);

/* mailbox_file.c: a file of the list, opened; -1: told, or listed under its new name too. */
int mailbox_open_file(struct mailbox *m, struct mailbox_worker *w, uint32_t file);
/* Of a file that was looked at before; opened takes the file descriptor. */
bool mailbox_view(struct mailbox *m, struct mailbox_worker *w, uint32_t file, struct mailbox_opened *opened,
		  struct mailbox_view *view_out);

/* mailbox_unpack.c: reads fd to its end into the worker's spool, unpacked when it is
 * packed. False when nothing could be kept (told). */
bool mailbox_unpack(struct mailbox *m, struct mailbox_worker *w, uint32_t file, int fd,
		    struct mailbox_view *view_out);

/* mailbox_window.c */
bool window_init(struct mailbox_window *w, size_t bytes);
/* Empty, at offset, and short again if it had grown; ready for window_fill. */
void window_begin(struct mailbox_window *w, const struct mailbox_view *view, uint64_t offset);
/* Drops the bytes before keep, reads until it is full or the view ends; grows when
 * everything is kept; without memory for that it ends there. False when that brought
 * nothing. */
bool window_fill(struct mailbox_window *w, size_t keep);
static inline struct slice window_slice(const struct mailbox_window *w)
{
	return slice_make(w->ptr, w->len);
}
/* Reads n bytes at offset, fewer at the end; -1 and errno on trouble. */
int64_t view_read(const struct mailbox_view *view, uint64_t offset, char *out, size_t n);

/* mailbox_scan.c */
bool mailbox_look_over(void *ctx, source_mail_fn *fn, void *fn_ctx);
/* mailbox_read.c */
bool mailbox_read(void *ctx, unsigned worker, const struct source_place *place, source_bytes_fn *fn,
		  void *fn_ctx);
/* Does the mail whose header ends at body end where its Content-Length says? */
bool mailbox_is_counted(const struct mailbox_view *view, struct slice header, uint64_t body,
			struct mailbox_cut *cut_out);

/* For tests: smaller windows and spools than usual; before the first look_over. */
bool mailbox_tune(struct mailbox *m, size_t window_bytes, uint64_t unpack_bytes_max);

#endif
