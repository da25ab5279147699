/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: what cannot be read twice, or at any place, goes into a spool first.
 *
 * Each worker has one unnamed file for all that it unpacks, one after the other, so
 * that a folder of 10,000 compressed mails opens no 10,000 files. What was unpacked up
 * to a fault is kept. zstd's own limit of its window (128 MiB) bounds its memory.
 */
#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { UNPACK_BYTES = 256 * 1024, UNPACK_MAGIC_BYTES = 4 };

struct unpack {
	struct mailbox *m;
	struct mailbox_worker *w;
	uint32_t file;
	int fd;
	const char *in;          /* the part of it not yet taken */
	size_t in_len;
	uint64_t taken_bytes;    /* of the packed file, before in */
	uint64_t base;           /* in the spool */
	bool is_end, is_full;
	char *in_block, *out_block;
};

bool mailbox_is_packed(struct slice begin)
{
	static const unsigned char gzip[] = { 0x1f, 0x8b, 8 }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd },
				   skippable[] = { 0x2a, 0x4d, 0x18 };
	if (begin.len < UNPACK_MAGIC_BYTES)
		return false;
	return memcmp(begin.ptr, gzip, sizeof gzip) == 0 || memcmp(begin.ptr, zstd, sizeof zstd) == 0 ||
	       ((begin.ptr[0] & 0xf0) == 0x50 && memcmp(begin.ptr + 1, skippable, sizeof skippable) == 0);
}

static void unpack_tell(struct unpack *u, const char *what)
{
	mailbox_tell_file(u->m, u->file, "at byte %llu of the packed file: %s; what came before is read",
			  (unsigned long long)u->taken_bytes, what);
}

/* More input behind what is left of it. False at its end. */
static bool unpack_read(struct unpack *u)
{
	if (u->in_len > 0)
		memmove(u->in_block, u->in, u->in_len);
	u->in = u->in_block;
	while (!u->is_end) {
		ssize_t n = read(u->fd, u->in_block + u->in_len, UNPACK_BYTES - u->in_len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0) {
			u->in_len += (size_t)n;
			return true;
		}
		if (n < 0)
			mailbox_tell_file(u->m, u->file, "at byte %llu: %s; what came before is read",
					  (unsigned long long)(u->taken_bytes + u->in_len), strerror(errno));
		u->is_end = true;
	}
	return false;
}

static void unpack_take(struct unpack *u, size_t n)
{
	u->in += n;
	u->in_len -= n;
	u->taken_bytes += n;
}

static int unpack_make_spool(void)
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
static bool unpack_write(struct unpack *u, struct slice bytes)
{
	struct mailbox_worker *w = u->w;
	const char *why = NULL;
	if (atomic_fetch_add(&u->m->unpacked_bytes, bytes.len) + bytes.len > u->m->unpack_bytes_max)
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
	if (why) {
		mailbox_tell_file(u->m, u->file, "at byte %llu: it cannot be unpacked further: %s; "
				  "what came before is read",
				  (unsigned long long)(w->spool_bytes - u->base), why);
		u->is_full = true;
	}
	return !why;
}

static void unpack_copy(struct unpack *u)
{
	do {
		if (!unpack_write(u, slice_make(u->in, u->in_len)))
			return;
		unpack_take(u, u->in_len);
	} while (unpack_read(u));
}

/* Behind a member: another one, or the padding of tapes, or nothing. */
static bool unpack_next_member(struct unpack *u, z_stream *z)
{
	while (u->in_len < UNPACK_MAGIC_BYTES && unpack_read(u))
		;
	if (u->in_len >= 2 && (unsigned char)u->in[0] == 0x1f && (unsigned char)u->in[1] == 0x8b)
		return inflateReset(z) == Z_OK;
	do {
		for (size_t i = 0; i < u->in_len; i++)
			if (u->in[i] != 0) {
				unpack_tell(u, "after the compressed data comes something else");
				return false;
			}
		unpack_take(u, u->in_len);
	} while (unpack_read(u));
	return false;
}

static void unpack_gzip(struct unpack *u)
{
	z_stream z = { 0 };
	int rc = inflateInit2(&z, 16 + MAX_WBITS);
	while (rc == Z_OK) {
		z.next_in = (unsigned char *)(uintptr_t)u->in;
		z.avail_in = (unsigned)u->in_len;
		z.next_out = (unsigned char *)u->out_block;
		z.avail_out = UNPACK_BYTES;
		rc = inflate(&z, Z_NO_FLUSH);
		unpack_take(u, u->in_len - z.avail_in);
		if (!unpack_write(u, slice_make(u->out_block, UNPACK_BYTES - z.avail_out)))
			break;
		if (rc == Z_BUF_ERROR)
			rc = Z_OK; /* it only wants input */
		if (rc == Z_STREAM_END) {
			if (!unpack_next_member(u, &z))
				break;
			rc = Z_OK;
		} else if (rc == Z_OK && z.avail_out > 0 && u->in_len == 0 && !unpack_read(u)) {
			unpack_tell(u, "the compressed data ends in the middle");
			break;
		}
	}
	if (rc != Z_OK && rc != Z_STREAM_END)
		unpack_tell(u, rc == Z_MEM_ERROR ? "no memory" : "the compressed data is broken");
	inflateEnd(&z);
}

static void unpack_zstd(struct unpack *u)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	size_t rc = 1;
	while (z) {
		ZSTD_inBuffer in = { u->in, u->in_len, 0 };
		ZSTD_outBuffer out = { u->out_block, UNPACK_BYTES, 0 };
		if (u->in_len > 0 || rc != 0)
			rc = ZSTD_decompressStream(z, &out, &in);
		unpack_take(u, in.pos);
		if (!unpack_write(u, slice_make(u->out_block, out.pos)))
			break;
		if (ZSTD_isError(rc)) {
			unpack_tell(u, ZSTD_getErrorName(rc));
			break;
		}
		if (u->in_len > 0 || out.pos == UNPACK_BYTES || unpack_read(u))
			continue;
		if (rc != 0)
			unpack_tell(u, "the compressed data ends in the middle");
		break;
	}
	if (!z)
		unpack_tell(u, "no memory");
	ZSTD_freeDStream(z);
}

static void unpack_run(struct unpack *u)
{
	while (u->in_len < UNPACK_MAGIC_BYTES && unpack_read(u))
		;
	if (!mailbox_is_packed(slice_make(u->in, u->in_len)))
		unpack_copy(u);
	else if ((unsigned char)u->in[0] == 0x1f)
		unpack_gzip(u);
	else
		unpack_zstd(u);
}

/* Remembers where the file lies now. */
static bool unpack_note(struct unpack *u, struct mailbox_view *view_out)
{
	struct mailbox *m = u->m;
	struct mailbox_spooled s = { u->w->number, u->base, u->w->spool_bytes - u->base };
	pthread_mutex_lock(&m->lock);
	bool is_fine = mailbox_grow((void **)&m->spooled, &m->spooled_cap, m->spooled_count, sizeof s,
				    MAILBOX_FILES_MAX);
	if (is_fine) {
		m->files[u->file].spooled = (uint32_t)m->spooled_count;
		m->spooled[m->spooled_count++] = s;
	}
	pthread_mutex_unlock(&m->lock);
	*view_out = (struct mailbox_view){ u->w->spool_fd, s.base, s.bytes };
	return is_fine;
}

bool mailbox_unpack(struct mailbox *m, struct mailbox_worker *w, uint32_t file, int fd,
		    struct mailbox_view *view_out)
{
	struct unpack u = { .m = m, .w = w, .file = file, .fd = fd, .base = w->spool_bytes };
	u.in = u.in_block = mem_alloc(UNPACK_BYTES);
	u.out_block = mem_alloc(UNPACK_BYTES);
	if (w->spool_fd < 0)
		w->spool_fd = unpack_make_spool();
	bool is_fine = false;
	if (w->spool_fd < 0)
		mailbox_tell_file(m, file, "there is no room to unpack it: %s; it is left out", strerror(errno));
	else if (!u.in_block || !u.out_block)
		mailbox_tell_file(m, file, "there is no memory to unpack it; it is left out");
	else {
		unpack_run(&u);
		is_fine = unpack_note(&u, view_out);
	}
	mem_free(u.in_block);
	mem_free(u.out_block);
	return is_fine;
}
