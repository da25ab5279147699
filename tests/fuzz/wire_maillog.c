/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as lines of a mail log. Every slice lies within its line, every kind but OTHER has
 * a queue id, and an outcome has its recipient's place in the line.
 */
#include "wire/maillog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_line(struct slice line)
{
	struct maillog_event ev;
	int64_t ms;
	maillog_read(line, &ev);
	const struct slice parts[] = { ev.time, ev.host, ev.program, ev.service, ev.queue_id, ev.other_id,
				       ev.from, ev.rcpt, ev.orig_rcpt, ev.message_id, ev.dsn, ev.relay,
				       ev.client, ev.sasl_user, ev.text };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].len > 0)
			must(parts[i].ptr >= line.ptr && parts[i].ptr + parts[i].len <= line.ptr + line.len);
	must(ev.kind < MAILLOG_KIND_COUNT);
	must(ev.kind == MAILLOG_OTHER || ev.queue_id.len >= 5);
	if (ev.kind == MAILLOG_SENT || ev.kind == MAILLOG_BOUNCED || ev.kind == MAILLOG_DEFERRED)
		must(ev.service.len > 0 && ev.rcpt.ptr != NULL);
	if (ev.time.len > 0)
		maillog_time(ev.time, 1133860803000, 3600, &ms);
	maillog_time(line, -1, -86400, &ms);
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
		check_line(slice_make(copy, line.len));
		free(copy);
	}
	return 0;
}
