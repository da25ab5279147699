/* SPDX-License-Identifier: Apache-2.0
 *
 * progress: see progress.h.
 */
#include "desk/progress.h"

#include "desk/text.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_COLUMNS_MAX = 30, BAR_COLUMNS_MIN = 8, LINE_BYTES = 1024 };

size_t progress_columns(FILE *err)
{
	struct winsize size;
	uint64_t columns;
	const char *wish = getenv("COLUMNS");
	int fd = fileno(err);
	if (fd < 0 || !isatty(fd))
		return 0;
	if (wish && slice_to_u64(slice_from_str(wish), &columns) && columns >= 20 && columns <= 10000)
		return (size_t)columns;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

void progress_begin(struct progress *progress, FILE *err, size_t columns)
{
	*progress = (struct progress){ .err = err, .columns = columns };
}

/* The look-over counts bytes, all else counts mails (flow/survey.h). */
static void add_amount(struct buf *out, bool is_bytes, uint64_t done)
{
	char text[TEXT_NUMBER_BYTES];
	if (is_bytes)
		buf_add_str(out, text_size(done, text));
	else
		buf_addf(out, "%s mails", text_number(done, text));
}

void progress_line(struct buf *out, const char *what, uint64_t done, uint64_t all, size_t columns)
{
	struct buf tail, head;
	bool is_bytes = strcmp(what, "looking over") == 0;
	double share = all == 0 ? 0 : done >= all ? 1 : (double)done / (double)all;
	buf_init(&tail, LINE_BYTES);
	buf_init(&head, LINE_BYTES);
	if (all > 0)
		buf_addf(&tail, " %3.0f %%", 100 * share);
	buf_add_str(&tail, "  ");
	add_amount(&tail, is_bytes, done);
	text_safe(&head, slice_from_str(what));
	size_t used = text_columns(buf_slice(&head)) + text_columns(buf_slice(&tail)) + 4,
	       room = columns > used ? columns - used : 0;
	size_t bar = room > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : room;
	if (all > 0 && bar >= BAR_COLUMNS_MIN) {
		buf_add_str(&head, " [");
		for (size_t i = 0; i < bar; i++)
			buf_add_byte(&head, (double)i < share * (double)bar ? '#' : '.');
		buf_add_byte(&head, ']');
	}
	buf_add(&head, buf_slice(&tail));
	text_cut(out, buf_slice(&head), columns - 1);
	buf_free(&tail);
	buf_free(&head);
}

static void blank(struct progress *progress, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		fputc(' ', progress->err);
}

void progress_show(void *ctx, const char *what, uint64_t done, uint64_t all)
{
	struct progress *progress = ctx;
	struct buf line;
	if (progress->columns < 2)
		return;
	buf_init(&line, LINE_BYTES);
	progress_line(&line, what, done, all, progress->columns);
	size_t width = text_columns(buf_slice(&line));
	fputs(buf_str(&line), progress->err);
	blank(progress, width, progress->drawn);
	fputc('\r', progress->err);
	fflush(progress->err);
	progress->drawn = width;
	buf_free(&line);
}

void progress_end(struct progress *progress)
{
	if (progress->drawn == 0)
		return;
	fputc('\r', progress->err);
	blank(progress, 0, progress->drawn);
	fputc('\r', progress->err);
	fflush(progress->err);
	progress->drawn = 0;
}
