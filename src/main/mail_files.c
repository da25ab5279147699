/* SPDX-License-Identifier: Apache-2.0
 *
 * mail_files: what the door tells of a file goes to err, made harmless.
 */
#include "main/mail_files.h"

#include "base/mem.h"
#include "desk/text.h"
#include "door/mailbox.h"

enum { MAIL_FILES_LINE_BYTES = 64 * 1024 };

static void tell(void *ctx, const char *line)
{
	struct buf safe;
	buf_init(&safe, MAIL_FILES_LINE_BYTES);
	text_safe(&safe, slice_from_str(line));
	fprintf(ctx, "quell: %s\n", buf_str(&safe));
	buf_free(&safe);
}

bool mail_files_open(void *ctx, char *const *paths, size_t count, unsigned threads, FILE *err,
		     struct source *source_out)
{
	struct error error = { .status = EXIT_FINE };
	struct mailbox *mailbox = mailbox_open(paths, count, threads, tell, err, &error);
	(void)ctx;
	if (!mailbox)
		return false; /* mailbox_open has told why */
	mailbox_source(mailbox, source_out);
	return true;
}

uint64_t mail_files_close(void *ctx, struct source *source)
{
	uint64_t troubles = mailbox_troubles(source->ctx);
	(void)ctx;
	mailbox_close(source->ctx);
	source->ctx = NULL;
	return troubles;
}
