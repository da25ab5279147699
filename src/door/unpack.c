/* SPDX-License-Identifier: Apache-2.0
 *
 * unpack: see unpack.h.
 */
#include "door/unpack.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { UNPACK_MAGIC_BYTES = 4, UNPACK_TROUBLE_BYTES = 200 };

enum unpack_state { UNPACK_BEGIN, UNPACK_PLAIN, UNPACK_GZIP, UNPACK_ZSTD, UNPACK_END };

struct unpack {
	int fd;
	enum unpack_state state;
	bool is_packed, is_end;  /* is_end: of fd */
	const volatile int *stop;
	char *block;
	const char *in;          /* the part of block not yet taken */
	size_t in_len;
	uint64_t taken_bytes;    /* of the file, before in */
	z_stream gzip;
	ZSTD_DStream *zstd;
	size_t zstd_left;        /* what ZSTD_decompressStream said: 0 between frames */
	char trouble[UNPACK_TROUBLE_BYTES];
};

bool unpack_is_packed(struct slice begin)
{
	static const unsigned char gzip[] = { 0x1f, 0x8b, 8 }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd },
				   skippable[] = { 0x2a, 0x4d, 0x18 };
	if (begin.len < UNPACK_MAGIC_BYTES)
		return false;
	return memcmp(begin.ptr, gzip, sizeof gzip) == 0 || memcmp(begin.ptr, zstd, sizeof zstd) == 0 ||
	       ((begin.ptr[0] & 0xf0) == 0x50 && memcmp(begin.ptr + 1, skippable, sizeof skippable) == 0);
}

struct unpack *unpack_new(int fd)
{
	struct unpack *u = mem_alloc(sizeof *u);
	if (!u)
		return NULL;
	u->fd = fd;
	u->in = u->block = mem_alloc(UNPACK_READ_BYTES);
	if (u->block)
		return u;
	mem_free(u);
	return NULL;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	inflateEnd(&u->gzip);
	ZSTD_freeDStream(u->zstd);
	mem_free(u->block);
	mem_free(u);
}

static void unpack_tell(struct unpack *u, const char *what)
{
	snprintf(u->trouble, sizeof u->trouble, "at byte %llu of the packed file: %s",
		 (unsigned long long)u->taken_bytes, what);
	u->state = UNPACK_END;
}

/* True: go on reading after this errno. */
static bool unpack_may_retry(const struct unpack *u)
{
	return errno == EINTR && !(u->stop && *u->stop);
}

/* More input behind what is left of it. False at its end. */
static bool unpack_fill(struct unpack *u)
{
	if (u->in_len > 0)
		memmove(u->block, u->in, u->in_len);
	u->in = u->block;
	while (!u->is_end) {
		ssize_t n = read(u->fd, u->block + u->in_len, UNPACK_READ_BYTES - u->in_len);
		if (n > 0) {
			u->in_len += (size_t)n;
			return true;
		}
		if (n < 0 && unpack_may_retry(u))
			continue;
		if (n < 0 && errno != EINTR)
			snprintf(u->trouble, sizeof u->trouble, "at byte %llu: %s",
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

static size_t read_plain(struct unpack *u, char *out, size_t cap)
{
	size_t n = u->in_len < cap ? u->in_len : cap;
	if (n > 0) {
		memcpy(out, u->in, n);
		unpack_take(u, n);
		return n;
	}
	while (!u->is_end) {
		ssize_t got = read(u->fd, out, cap);
		if (got > 0) {
			u->taken_bytes += (uint64_t)got;
			return (size_t)got;
		}
		if (got < 0 && unpack_may_retry(u))
			continue;
		if (got < 0 && errno != EINTR)
			snprintf(u->trouble, sizeof u->trouble, "at byte %llu: %s",
				 (unsigned long long)u->taken_bytes, strerror(errno));
		u->is_end = true;
	}
	u->state = UNPACK_END;
	return 0;
}

/* Behind a member: another one, or the padding of tapes, or nothing. */
static bool gzip_next_member(struct unpack *u)
{
	while (u->in_len < UNPACK_MAGIC_BYTES && unpack_fill(u))
		;
	if (u->in_len >= 2 && (unsigned char)u->in[0] == 0x1f && (unsigned char)u->in[1] == 0x8b)
		return inflateReset(&u->gzip) == Z_OK;
	do {
		for (size_t i = 0; i < u->in_len; i++)
			if (u->in[i] != 0) {
				unpack_tell(u, "after the compressed data comes something else");
				return false;
			}
		unpack_take(u, u->in_len);
	} while (unpack_fill(u));
	u->state = UNPACK_END;
	return false;
}

static size_t read_gzip(struct unpack *u, char *out, size_t cap)
{
	z_stream *z = &u->gzip;
	for (;;) {
		z->next_in = (unsigned char *)(uintptr_t)u->in;
		z->avail_in = (unsigned)u->in_len;
		z->next_out = (unsigned char *)out;
		z->avail_out = (unsigned)cap;
		int rc = inflate(z, Z_NO_FLUSH);
		unpack_take(u, u->in_len - z->avail_in);
		size_t got = cap - z->avail_out;
		if (rc == Z_STREAM_END)
			gzip_next_member(u);
		else if (rc != Z_OK && rc != Z_BUF_ERROR)
			unpack_tell(u, rc == Z_MEM_ERROR ? "no memory" : "the compressed data is broken");
		else if (got == 0 && u->in_len == 0 && !unpack_fill(u))
			unpack_tell(u, "the compressed data ends in the middle");
		if (got > 0 || u->state == UNPACK_END)
			return got;
	}
}

static size_t read_zstd(struct unpack *u, char *out, size_t cap)
{
	for (;;) {
		ZSTD_inBuffer in = { u->in, u->in_len, 0 };
		ZSTD_outBuffer to = { out, cap, 0 };
		if (u->in_len > 0 || u->zstd_left != 0)
			u->zstd_left = ZSTD_decompressStream(u->zstd, &to, &in);
		unpack_take(u, in.pos);
		if (ZSTD_isError(u->zstd_left))
			unpack_tell(u, ZSTD_getErrorName(u->zstd_left));
		else if (to.pos == 0 && u->in_len == 0 && !unpack_fill(u)) {
			if (u->zstd_left != 0)
				unpack_tell(u, "the compressed data ends in the middle");
			u->state = UNPACK_END;
		}
		if (to.pos > 0 || u->state == UNPACK_END)
			return to.pos;
	}
}

static void unpack_begin(struct unpack *u)
{
	while (u->in_len < UNPACK_MAGIC_BYTES && unpack_fill(u))
		;
	u->is_packed = unpack_is_packed(slice_make(u->in, u->in_len));
	if (!u->is_packed) {
		u->state = UNPACK_PLAIN;
	} else if ((unsigned char)u->in[0] == 0x1f) {
		u->state = UNPACK_GZIP;
		if (inflateInit2(&u->gzip, 16 + MAX_WBITS) != Z_OK)
			unpack_tell(u, "no memory");
	} else {
		u->state = UNPACK_ZSTD;
		u->zstd_left = 1;
		u->zstd = ZSTD_createDStream();
		if (!u->zstd)
			unpack_tell(u, "no memory");
	}
}

size_t unpack_read(struct unpack *u, char *out, size_t cap)
{
	if (u->state == UNPACK_BEGIN)
		unpack_begin(u);
	switch (u->state) {
	case UNPACK_PLAIN:
		return read_plain(u, out, cap);
	case UNPACK_GZIP:
		return read_gzip(u, out, cap);
	case UNPACK_ZSTD:
		return read_zstd(u, out, cap);
	case UNPACK_BEGIN:
	case UNPACK_END:
		break;
	}
	return 0;
}

void unpack_stop_at(struct unpack *u, const volatile int *stop)
{
	u->stop = stop;
}

const char *unpack_trouble(const struct unpack *u)
{
	return u->trouble[0] ? u->trouble : NULL;
}

bool unpack_is_of_packed(const struct unpack *u)
{
	return u->is_packed;
}

uint64_t unpack_taken(const struct unpack *u)
{
	return u->taken_bytes;
}
