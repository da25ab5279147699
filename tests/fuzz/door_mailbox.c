/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reading of mail in files: the input is one file (mbox, mail, gzip, zstd).
 * Whatever the window, the same mails must be found, in order, none inside another, and
 * each must be read again.
 */
#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNPACK_MAX = 1 << 20, WINDOW_BYTES = 128 * 1024 };

struct run {
	struct source source;
	struct buf mails;  /* places and texts */
	uint64_t end;      /* of the mail before */
	bool has_header;
};

static void need(bool is_so)
{
	if (!is_so)
		abort();
}

static void on_told(void *ctx, const char *line)
{
	(void)ctx;
	need(line[0] == '/');
}

static void on_bytes(void *ctx, struct slice bytes)
{
	need(bytes.len > 0 && bytes.len <= MAILBOX_PIECE_BYTES && buf_add(ctx, bytes));
}

static bool on_mail(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	struct run *r = ctx;
	need(worker == 0 && place->file == 0 && place->offset >= r->end);
	need(header.len == place->header_bytes && header.len <= place->bytes);
	r->end = place->offset + place->bytes;
	need(buf_add(&r->mails, slice_make(place, sizeof *place)) && buf_add(&r->mails, header));
	size_t before = r->mails.len;
	need(r->source.read(r->source.ctx, worker, place, on_bytes, &r->mails));
	need(r->mails.len - before <= place->bytes);
	return true;
}

static void run(const char *path, size_t window, struct run *r)
{
	char *paths[] = { (char *)(uintptr_t)path };
	struct mailbox *m = mailbox_open(paths, 1, 1, on_told, NULL, NULL);
	need(m != NULL && mailbox_tune(m, window, UNPACK_MAX));
	*r = (struct run){ .end = 0 };
	buf_init(&r->mails, 256 << 20);
	mailbox_source(m, &r->source);
	need(r->source.look_over(r->source.ctx, on_mail, r));
	mailbox_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, cut;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (size == 0 || fd < 0) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	need(write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	run(path, WINDOW_BYTES, &whole);
	run(path, 4 + data[0], &cut);
	need(slice_equal(buf_slice(&whole.mails), buf_slice(&cut.mails)));
	buf_free(&whole.mails);
	buf_free(&cut.mails);
	close(fd);
	return 0;
}
