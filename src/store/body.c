/* SPDX-License-Identifier: Apache-2.0
 *
 * body: zstd streams between a spool and a file.
 */
#include "store/body.h"

#include "base/mem.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zstd.h>

enum { PIECE_BYTES = 64 * 1024, LEVEL = 3, WINDOW_LOG_MAX = 23 };

struct body_packer {
	ZSTD_CCtx *cctx;
	char in[PIECE_BYTES], out[PIECE_BYTES];
};

void body_file_name(const char *body, char out[BODY_FILE_BYTES])
{
	snprintf(out, BODY_FILE_BYTES, "%.64s.zst", body);
}

/* The next piece of the source at *at; the empty slice at its end. */
static bool source_piece(const struct body_source *s, uint64_t *at, char *piece, struct slice *out)
{
	if (*at < s->memory.len) {
		*out = slice_first(slice_from(s->memory, (size_t)*at), PIECE_BYTES);
	} else {
		uint64_t left = s->bytes - *at;
		size_t want = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
		ssize_t got = want == 0 ? 0 : disk_read_at(s->fd, piece, want, *at - s->memory.len);
		if (got < 0 || (size_t)got != want) {
			errno = got < 0 ? errno : EIO;
			return false;
		}
		*out = slice_make(piece, want);
	}
	*at += out->len;
	return true;
}

bool body_name(const struct body_source *source, char name_out[BODY_NAME_BYTES])
{
	struct digest d;
	struct slice part;
	uint8_t hash[DIGEST_BYTES];
	uint64_t at = 0;
	if (source->bytes == 0) {
		memcpy(name_out, "-", 2);
		return true;
	}
	char *piece = source->fd >= 0 ? mem_alloc(PIECE_BYTES) : NULL;
	if (source->fd >= 0 && !piece)
		return false;
	digest_init(&d, NULL, DIGEST_BYTES);
	bool is_read;
	while ((is_read = source_piece(source, &at, piece, &part)) && part.len > 0)
		digest_add(&d, part);
	mem_free(piece);
	digest_end(&d, hash);
	hash_to_hex(hash, sizeof hash, name_out);
	return is_read;
}

struct body_packer *body_packer_new(void)
{
	struct body_packer *p = mem_alloc(sizeof *p);
	if (!p)
		return NULL;
	p->cctx = ZSTD_createCCtx();
	if (p->cctx)
		return p;
	mem_free(p);
	return NULL;
}

void body_packer_free(struct body_packer *packer)
{
	if (packer)
		ZSTD_freeCCtx(packer->cctx);
	mem_free(packer);
}

/* One piece through the compressor into the file. */
static bool packer_push(struct body_packer *p, struct slice part, ZSTD_EndDirective end, int fd,
			uint64_t *file_bytes)
{
	ZSTD_inBuffer in = { part.ptr, part.len, 0 };
	size_t left;
	do {
		ZSTD_outBuffer out = { p->out, sizeof p->out, 0 };
		left = ZSTD_compressStream2(p->cctx, &out, &in, end);
		if (ZSTD_isError(left)) {
			errno = ENOMEM;
			return false;
		}
		if (!disk_write(fd, slice_make(p->out, out.pos)))
			return false;
		*file_bytes += out.pos;
	} while (in.pos < in.size || (end == ZSTD_e_end && left > 0));
	return true;
}

bool body_pack(struct body_packer *packer, const struct body_source *source, int fd,
	       uint64_t *file_bytes_out)
{
	struct slice part;
	uint64_t at = 0;
	*file_bytes_out = 0;
	ZSTD_CCtx_reset(packer->cctx, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(packer->cctx, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(packer->cctx, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setPledgedSrcSize(packer->cctx, source->bytes);
	do {
		if (!source_piece(source, &at, packer->in, &part))
			return false;
		if (!packer_push(packer, part, at == source->bytes ? ZSTD_e_end : ZSTD_e_continue, fd,
				 file_bytes_out))
			return false;
	} while (at < source->bytes);
	return true;
}

/* Decompresses fd into out until the frame ends; why is NULL when all went well. */
static const char *body_unpack(ZSTD_DCtx *dctx, int fd, char *piece, uint64_t want, struct buf *out)
{
	size_t start = out->len, left = 1;
	ssize_t got;
	while (left != 0 && (got = disk_read(fd, piece, PIECE_BYTES)) > 0) {
		ZSTD_inBuffer in = { piece, (size_t)got, 0 };
		while (in.pos < in.size && left != 0) {
			uint64_t room = want - (out->len - start);
			size_t ask = room < PIECE_BYTES ? (size_t)room : PIECE_BYTES;
			char beyond, *to = ask ? buf_reserve(out, ask) : &beyond;
			if (!to)
				return "it is larger than there is room for";
			ZSTD_outBuffer to_buf = { to, ask ? ask : 1, 0 };
			left = ZSTD_decompressStream(dctx, &to_buf, &in);
			if (ZSTD_isError(left))
				return ZSTD_getErrorName(left);
			if (!ask && to_buf.pos > 0)
				return "it is longer than its mail file says";
			buf_commit(out, to_buf.pos);
		}
	}
	return left != 0 ? "it ends too early" : NULL;
}

static const char *body_read(int fd, uint64_t want, struct buf *out)
{
	ZSTD_DCtx *dctx = ZSTD_createDCtx();
	char *piece = mem_alloc(PIECE_BYTES);
	const char *why = "no memory";
	if (dctx && piece) {
		ZSTD_DCtx_setParameter(dctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
		why = body_unpack(dctx, fd, piece, want, out);
	}
	mem_free(piece);
	ZSTD_freeDCtx(dctx);
	return why;
}

bool body_load(int bodies_fd, const char *body, uint64_t body_bytes, struct buf *out,
	       struct error *error)
{
	char file[BODY_FILE_BYTES], name[BODY_NAME_BYTES];
	size_t start = out->len;
	if (strcmp(body, "-") == 0)
		return true;
	body_file_name(body, file);
	int fd = disk_open(bodies_fd, file, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return error_set(error, EXIT_UNAVAILABLE, "hold/bodies/%s: %s", file, strerror(errno));
	const char *why = body_read(fd, body_bytes, out);
	close(fd);
	if (!why && out->len - start != body_bytes)
		why = "it is shorter than its mail file says";
	struct body_source loaded = { slice_from(buf_slice(out), start), -1, out->len - start };
	if (!why && (!body_name(&loaded, name) || strcmp(name, body) != 0))
		why = "its content is not what its name says";
	return why ? error_set(error, EXIT_BAD_INPUT, "hold/bodies/%s is damaged: %s", file, why) : true;
}
