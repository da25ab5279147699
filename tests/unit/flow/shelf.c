/* SPDX-License-Identifier: Apache-2.0
 *
 * shelf: see shelf.h.
 */
#include "shelf.h"

static struct source_place shelf_place(const struct shelf *shelf, uint32_t i)
{
	struct slice text = slice_from_str(shelf->texts[i]);
	size_t end = slice_find_nocase(text, 0, SLICE("\n\n"));
	return (struct source_place){ .file = shelf->boxes[i], .offset = i, .bytes = text.len,
				      .header_bytes = (uint32_t)(end < text.len ? end + 2 : text.len) };
}

static bool shelf_look_over(void *ctx, source_mail_fn *fn, void *fn_ctx)
{
	struct shelf *shelf = ctx;
	for (uint32_t i = 0; i < shelf->count; i++) {
		struct source_place place = shelf_place(shelf, i);
		if (!fn(fn_ctx, i % shelf->source.worker_count, &place,
			slice_make(shelf->texts[i], place.header_bytes)))
			return false;
	}
	return true;
}

static bool shelf_read(void *ctx, unsigned worker, const struct source_place *place, source_bytes_fn *fn,
		       void *fn_ctx)
{
	struct shelf *shelf = ctx;
	(void)worker;
	if (place->offset == shelf->gone)
		return false;
	struct slice text = slice_from_str(shelf->texts[place->offset]);
	for (size_t at = 0; at < text.len; at += 100)
		fn(fn_ctx, slice_first(slice_from(text, at), 100));
	return true;
}

static const char *shelf_box_name(void *ctx, uint32_t file)
{
	const struct shelf *shelf = ctx;
	return shelf->names[file] ? shelf->names[file] : "anna";
}

static void shelf_progress(void *ctx, uint64_t *done_out, uint64_t *all_out)
{
	(void)ctx;
	*done_out = *all_out = 1;
}

void shelf_begin(struct shelf *shelf)
{
	memset(shelf, 0, sizeof *shelf);
	shelf->gone = UINT32_MAX;
	shelf->source = (struct source){ .ctx = shelf, .worker_count = 2, .look_over = shelf_look_over,
					 .read = shelf_read, .file_name = shelf_box_name,
					 .mailbox_name = shelf_box_name, .progress = shelf_progress };
}

void shelf_name(struct shelf *shelf, uint32_t box, const char *name)
{
	shelf->names[box] = name;
}

void shelf_put(struct shelf *shelf, uint32_t box, const char *format, ...)
{
	va_list args;
	assert_true(shelf->count < SHELF_MAILS_MAX);
	va_start(args, format);
	vsnprintf(shelf->texts[shelf->count], SHELF_TEXT_BYTES, format, args);
	va_end(args);
	shelf->boxes[shelf->count++] = box;
}

const char *shelf_date(int minute)
{
	static char text[8][64];
	static unsigned at;
	char *out = text[at++ % 8];
	snprintf(out, 64, "Tue, 6 Dec 2005 %02d:%02d:00 +0000", 12 + minute / 60, minute % 60);
	return out;
}
