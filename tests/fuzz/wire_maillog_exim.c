/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as lines of Exim's main log, with and without syslog's prefix before them. Every
 * slice lies within its line, an outcome has its recipient and its mail's id, and what
 * came in has its sender's place.
 */
#include "wire/maillog_inside.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_line(struct slice line, struct slice syslog_time)
{
	struct maillog_event ev = { .time = syslog_time, .delay_ms = -1, .delays_ms = { -1, -1, -1, -1 } };
	bool is_ours = maillog_exim(line, &ev);
	const struct slice parts[] = { ev.queue_id, ev.other_id, ev.from, ev.rcpt, ev.orig_rcpt, ev.message_id, ev.dsn,
				       ev.relay, ev.client, ev.sasl_user, ev.text, ev.helo, ev.subject, ev.rcpts,
				       ev.notice_of };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].len > 0)
			must(parts[i].ptr >= line.ptr && parts[i].ptr + parts[i].len <= line.ptr + line.len);
	must(is_ours || ev.kind == MAILLOG_OTHER);
	must(is_ours || syslog_time.len == 0);
	must(ev.queue_id.len == 0 || ev.queue_id.len == 16 || ev.queue_id.len == 23);
	must(ev.delay_ms >= -1);
	switch (ev.kind) {
	case MAILLOG_SENT:
	case MAILLOG_BOUNCED:
	case MAILLOG_DEFERRED:
		must(ev.rcpt.len > 0 && ev.queue_id.len > 0);
		break;
	case MAILLOG_RECEIVED:
		must(ev.has_from && ev.queue_id.len > 0);
		break;
	case MAILLOG_REMOVED:
	case MAILLOG_EXPIRED:
		must(ev.queue_id.len > 0);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_make(data, size), line;
	while (slice_next(&rest, '\n', &line)) {
		/* A copy of the exact size: a sanitizer sees any read past the end. */
		char *copy = malloc(line.len ? line.len : 1);
		if (!copy)
			return 0;
		if (line.len > 0)
			memcpy(copy, line.ptr, line.len);
		check_line(slice_make(copy, line.len), slice_make(NULL, 0));
		check_line(slice_make(copy, line.len), SLICE("Dec  6 09:20:03"));
		free(copy);
	}
	return 0;
}
