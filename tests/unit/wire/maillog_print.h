/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_print: an event as one line of text, so that a table of lines can say what each
 * must give: "sent id=4ABCDE rcpt=a@b dsn=2.0.0". What is empty is left out; time, host and
 * program are not shown.
 */
#ifndef QUELL_TESTS_MAILLOG_PRINT_H
#define QUELL_TESTS_MAILLOG_PRINT_H

#include "../unit.h"

#include "base/mem.h"
#include "wire/maillog.h"

enum { PRINT_BYTES = 4096 };

static inline void print_slice(char *out, const char *name, struct slice s)
{
	size_t used = strlen(out);
	if (s.len > 0)
		snprintf(out + used, PRINT_BYTES - used, " %s=%.*s", name, SLICE_ARG(s));
}

static inline void print_number(char *out, const char *name, int64_t number, int64_t none)
{
	size_t used = strlen(out);
	if (number != none)
		snprintf(out + used, PRINT_BYTES - used, " %s=%lld", name, (long long)number);
}

/* Into out, of PRINT_BYTES. */
static inline void print_event(const struct maillog_event *ev, char *out)
{
	snprintf(out, PRINT_BYTES, "%s", maillog_kind_name(ev->kind));
	print_slice(out, "id", ev->queue_id);
	print_slice(out, "other", ev->other_id);
	if (ev->has_from && ev->from.len == 0)
		print_slice(out, "from", SLICE("<>"));
	print_slice(out, "from", ev->from);
	print_slice(out, "rcpt", ev->rcpt);
	print_slice(out, "orig", ev->orig_rcpt);
	print_slice(out, "rcpts", ev->rcpts);
	print_slice(out, "mid", ev->message_id);
	print_slice(out, "client", ev->client);
	print_slice(out, "user", ev->sasl_user);
	print_slice(out, "helo", ev->helo);
	print_slice(out, "subject", ev->subject);
	print_slice(out, "reply-to", ev->in_reply_to);
	print_slice(out, "relay", ev->relay);
	print_slice(out, "dsn", ev->dsn);
	print_slice(out, "text", ev->text);
	print_number(out, "size", (int64_t)ev->size_bytes, 0);
	print_number(out, "nrcpt", (int64_t)ev->nrcpt, 0);
	print_number(out, "delay", ev->delay_ms, -1);
	for (size_t i = 0; i < 4; i++)
		print_number(out, "part", ev->delays_ms[i], -1);
}

struct print_row {
	const char *line, *wanted;
};

static inline void check_rows(const struct print_row *rows, size_t count, enum maillog_format format)
{
	static struct maillog_reader reader;
	char got[PRINT_BYTES];
	maillog_reader_begin(&reader);
	for (size_t i = 0; i < count; i++) {
		struct maillog_event ev;
		maillog_reader_line(&reader, slice_from_str(rows[i].line), &ev);
		print_event(&ev, got);
		if (strcmp(got, rows[i].wanted) != 0)
			fail_msg("%s\n  is     \"%s\"\n  wanted \"%s\"", rows[i].line, got, rows[i].wanted);
		if (ev.format != format)
			fail_msg("%s\n  is of %s", rows[i].line, maillog_format_name(ev.format));
	}
}

/* Each line cut at every length, and with odd bytes in its middle, in memory of its exact
 * size: a sanitizer sees any read past the end, and every slice must lie within. */
static inline void check_within(const char *copy, size_t len)
{
	struct maillog_event ev;
	maillog_read(slice_make(copy, len), &ev);
	assert_true(ev.kind < MAILLOG_KIND_COUNT && ev.format < MAILLOG_FORMAT_COUNT);
	const struct slice parts[] = { ev.time, ev.host, ev.program, ev.service, ev.queue_id, ev.other_id, ev.from,
				       ev.rcpt, ev.orig_rcpt, ev.message_id, ev.dsn, ev.relay, ev.client,
				       ev.sasl_user, ev.text, ev.helo, ev.subject, ev.in_reply_to, ev.rcpts };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (parts[i].len > 0)
			assert_true(parts[i].ptr >= copy && parts[i].ptr + parts[i].len <= copy + len);
}

static inline void check_cuts(const char *line)
{
	struct slice whole = slice_from_str(line);
	for (size_t len = 0; len <= whole.len; len++) {
		char *copy = mem_must_alloc(len ? len : 1);
		if (len > 0)
			memcpy(copy, whole.ptr, len);
		check_within(copy, len);
		for (int c = 0; c < 256 && len > 0; c += 51) {
			copy[len / 2] = (char)c;
			check_within(copy, len);
		}
		mem_free(copy);
	}
}

#endif
