/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as files of Exchange's message tracking and Zeek's smtp.log, line by line
 * through one reader: header lines, tables, JSON, in any order. Every slice lies within
 * its line or the reader's memory, and a line that is nobody's has no kind.
 */
#include "wire/maillog_inside.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static bool is_within(struct slice part, const char *from, size_t len)
{
	return part.ptr >= from && part.ptr + part.len <= from + len;
}

static void check_event(struct slice line, const struct maillog_reader *r, const struct maillog_event *ev, bool is_ours)
{
	const struct slice parts[] = { ev->time, ev->host, ev->queue_id, ev->other_id, ev->from, ev->rcpt,
				       ev->message_id, ev->dsn, ev->relay, ev->client, ev->text, ev->helo,
				       ev->subject, ev->rcpts, ev->in_reply_to };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		must(parts[i].len == 0 || is_within(parts[i], line.ptr, line.len) ||
		     is_within(parts[i], r->scratch, r->scratch_used));
	must(r->scratch_used <= sizeof r->scratch && r->column_count <= MAILLOG_COLUMNS_MAX);
	must(ev->kind < MAILLOG_KIND_COUNT);
	must(is_ours ? ev->format != MAILLOG_UNKNOWN : ev->kind == MAILLOG_OTHER && ev->format == MAILLOG_UNKNOWN);
	must(ev->rcpt.len == 0 || ev->rcpts.len == 0);
	must(ev->rcpts.len == 0 || ev->rcpts_separator == ',' || ev->rcpts_separator == ';');
}

static void check_line(struct maillog_reader *r, struct slice line)
{
	static bool (*const readers[])(struct maillog_reader *, struct slice, struct maillog_event *) = {
		maillog_exchange, maillog_zeek_tsv, maillog_zeek_json,
	};
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
		struct maillog_event ev = { .delay_ms = -1, .delays_ms = { -1, -1, -1, -1 } };
		r->scratch_used = 0;
		bool is_ours = readers[i](r, line, &ev);
		check_event(line, r, &ev, is_ours);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maillog_reader reader;
	struct slice rest = slice_make(data, size), line;
	reader.format = MAILLOG_UNKNOWN;
	reader.column_count = 0;
	reader.separator = '\0';
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
