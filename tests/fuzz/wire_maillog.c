/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the lines of a mail log, through one reader as a file's. Every slice lies within
 * its line or the reader's memory, and what a kind promises is there: an outcome has its
 * recipients, and whatever Postfix says of a mail has a queue id.
 */
#include "wire/maillog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static bool is_within(struct slice part, struct slice whole)
{
	return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void check_slices(const struct maillog_event *ev, struct slice line, const struct maillog_reader *reader)
{
	const struct slice scratch = slice_make(reader->scratch, reader->scratch_used);
	const struct slice parts[] = { ev->time, ev->host, ev->program, ev->service, ev->queue_id, ev->other_id,
				       ev->from, ev->rcpt, ev->orig_rcpt, ev->message_id, ev->dsn, ev->relay,
				       ev->client, ev->sasl_user, ev->text, ev->helo, ev->subject,
				       ev->in_reply_to, ev->rcpts };
	must(reader->scratch_used <= sizeof reader->scratch && reader->column_count <= MAILLOG_COLUMNS_MAX);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].len > 0)
			must(is_within(parts[i], line) || is_within(parts[i], scratch));
}

static void check_promises(const struct maillog_event *ev)
{
	bool is_outcome = ev->kind == MAILLOG_SENT || ev->kind == MAILLOG_BOUNCED || ev->kind == MAILLOG_DEFERRED;
	bool is_of_session = ev->kind == MAILLOG_CONNECT || ev->kind == MAILLOG_DISCONNECT ||
			     ev->kind == MAILLOG_REJECTED;
	must(ev->kind < MAILLOG_KIND_COUNT && ev->format < MAILLOG_FORMAT_COUNT);
	must(ev->kind == MAILLOG_OTHER || ev->format != MAILLOG_UNKNOWN);
	must(ev->delay_ms >= -1);
	if (is_outcome && ev->format == MAILLOG_POSTFIX)
		must(ev->service.len > 0 && ev->rcpt.ptr != NULL);
	if (ev->kind != MAILLOG_OTHER && !is_of_session && ev->format == MAILLOG_POSTFIX)
		must(ev->queue_id.len >= 5);
	if (is_outcome && ev->format == MAILLOG_SENDMAIL)
		must(ev->queue_id.len >= 7 && (ev->rcpt.ptr || ev->rcpts.len > 0));
	if (is_outcome && ev->format == MAILLOG_OPENSMTPD)
		must(ev->queue_id.len == 8 && ev->rcpt.ptr);
}

static void check_line(struct maillog_reader *reader, struct slice line)
{
	struct maillog_event ev;
	struct slice rcpt;
	int64_t ms;
	maillog_reader_line(reader, line, &ev);
	check_slices(&ev, line, reader);
	check_promises(&ev);
	if (ev.time.len > 0)
		maillog_time(ev.time, 1133860803000, 3600, &ms);
	maillog_time(line, -1, -86400, &ms);
	const struct slice all = ev.rcpts;
	for (size_t left = all.len + 1; maillog_next_rcpt(&ev, &rcpt); left = ev.rcpts.len)
		must(ev.rcpts.len < left && (rcpt.len == 0 || is_within(rcpt, all)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maillog_reader reader;
	struct slice rest = slice_make(data, size), line;
	maillog_reader_begin(&reader);
	while (slice_next(&rest, '\n', &line)) {
		/* A copy of the exact size: a sanitizer sees any read past the end. */
		char *copy = malloc(line.len ? line.len : 1);
		if (!copy)
			return 0;
		if (line.len > 0)
			memcpy(copy, line.ptr, line.len);
		check_line(&reader, slice_make(copy, line.len));
		free(copy);
	}
	return 0;
}
