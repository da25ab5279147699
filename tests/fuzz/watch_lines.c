/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as lines of two logs, through a table that holds a few mails only: what is told
 * is whole, every mail once, and nothing grows past its ceiling. The first byte of the
 * input chooses the size of the table; a line that begins with NUL is of the second log.
 */
#include "base/hash.h"
#include "watch/watch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

struct told {
	uint64_t mails;
	size_t bytes; /* read of every slice: a sanitizer sees one that is gone */
};

static void read_slice(struct told *told, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		told->bytes += (unsigned char)s.ptr[i];
}

static void on_mail(void *ctx, const struct watch_mail *mail)
{
	struct told *told = ctx;
	const struct slice parts[] = { mail->server, mail->queue_id, mail->message_id, mail->from, mail->client_name,
				       mail->helo, mail->auth_user, mail->subject, mail->in_reply_to, mail->notice_of };
	told->mails++;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		read_slice(told, parts[i]);
	must(mail->rcpt_count <= WATCH_RCPTS_MAX && mail->rcpt_total >= mail->rcpt_count);
	for (size_t i = 0; i < mail->rcpt_count; i++) {
		const struct watch_rcpt *r = &mail->rcpts[i];
		read_slice(told, r->address);
		read_slice(told, r->orig_address);
		read_slice(told, r->relay);
		read_slice(told, r->dsn);
		must(r->status <= WATCH_EXPIRED);
	}
}

static void check_counts(const struct watch *w, const struct told *told, size_t bytes, bool is_end)
{
	struct watch_counts c;
	watch_counts(w, &c);
	must(c.bytes <= bytes);
	must(c.passes <= c.mails && told->mails <= c.mails);
	must(c.deferred < UINT64_MAX / 2 && c.sent < UINT64_MAX / 2 && c.bounced < UINT64_MAX / 2);
	must(!is_end || (c.open == 0 && told->mails == c.mails));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told told = { 0 };
	struct slice rest = slice_make(data, size), line;
	size_t bytes = 8192 + (size > 0 ? data[0] % 8 : 0) * (size_t)4096;
	const struct watch_setup setup = { .bytes = bytes, .now_ms = 1795500000000, .mail = on_mail, .ctx = &told };
	struct watch *w = hash_start() ? watch_new(&setup, NULL) : NULL;
	if (!w)
		return 0;
	watch_source(w, "one", 0);
	watch_source(w, "two", 1133860803000);
	rest = slice_from(rest, 1);
	while (slice_next(&rest, '\n', &line)) {
		bool is_second = line.len > 0 && line.ptr[0] == '\0';
		line = slice_from(line, is_second);
		/* A copy of the exact size: a sanitizer sees any read past the end. */
		char *copy = malloc(line.len ? line.len : 1);
		if (!copy)
			break;
		if (line.len > 0)
			memcpy(copy, line.ptr, line.len);
		watch_line(w, is_second, slice_make(copy, line.len), false);
		free(copy);
		check_counts(w, &told, bytes, false);
	}
	watch_end(w);
	check_counts(w, &told, bytes, true);
	watch_free(w);
	return 0;
}
