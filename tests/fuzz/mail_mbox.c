/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the mailbox splitter: through windows that move as mail/mbox.h asks for it, the
 * cuts must be those of the whole text, and each must be what the rule says; unquoting
 * must be the same in pieces of any size.
 */
#include "base/buf.h"
#include "mail/mbox.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool is_so)
{
	if (!is_so)
		abort();
}

static void on_bytes(void *ctx, struct slice bytes)
{
	need(bytes.len > 0 && buf_add(ctx, bytes));
}

static void note(struct buf *out, size_t mail_end, size_t separator, size_t next)
{
	const size_t cut[] = { mail_end, separator, next };
	need(mail_end <= separator && separator <= next);
	need(buf_add(out, slice_make(cut, sizeof cut)));
}

/* All cuts; window: at least so much that a separator fits. */
static void find_all(struct slice text, size_t window, struct buf *out)
{
	size_t from = 0, pos = 0, last = 0;
	for (;;) {
		struct mbox_cut cut;
		struct slice bytes = slice_first(slice_from(text, from), window);
		struct mbox_text t = { bytes, from == 0, from + bytes.len == text.len };
		while (mbox_find(&t, &pos, &cut)) {
			note(out, from + cut.mail_end, from + cut.separator, from + cut.next);
			need(mbox_is_separator(slice_between(bytes, cut.separator, cut.next)));
			need(pos == cut.next && from + cut.mail_end >= last);
			last = from + cut.next;
		}
		if (t.is_end) {
			note(out, from + cut.mail_end, text.len, text.len);
			return;
		}
		need(bytes.len - pos < MBOX_LINE_BYTES_MAX);
		size_t drop = pos > MBOX_BEFORE_BYTES ? pos - MBOX_BEFORE_BYTES : 0;
		from += drop;
		pos -= drop;
	}
}

static void unquote(struct slice text, size_t piece, struct buf *out)
{
	struct mbox_unquote u = { 0 };
	for (size_t pos = 0; pos < text.len; pos += piece)
		mbox_unquote_feed(&u, slice_first(slice_from(text, pos), piece), on_bytes, out);
	mbox_unquote_end(&u, on_bytes, out);
	need(out->len <= text.len);
}

static void ask_for_ends(struct slice text)
{
	uint64_t length;
	struct mbox_text t = { text, true, true };
	size_t header = mbox_header_bytes(text);
	need(header <= text.len);
	if (mbox_content_length(slice_first(text, header), &length) && length <= text.len) {
		struct mbox_cut cut;
		if (mbox_ends_at(&t, header + (size_t)length, &cut))
			need(cut.mail_end <= cut.separator && cut.separator <= cut.next && cut.next <= text.len);
	}
}

static void compare(struct slice text, size_t piece, void (*run)(struct slice, size_t, struct buf *))
{
	struct buf whole, cut;
	buf_init(&whole, 16 << 20);
	buf_init(&cut, 16 << 20);
	run(text, text.len + 1, &whole);
	run(text, piece, &cut);
	need(slice_equal(buf_slice(&whole), buf_slice(&cut)));
	buf_free(&whole);
	buf_free(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice text = slice_make(data + 1, size - 1);
	compare(text, MBOX_BEFORE_BYTES + MBOX_LINE_BYTES_MAX + data[0], find_all);
	compare(text, 1 + data[0] % 37, unquote);
	ask_for_ends(text);
	return 0;
}
