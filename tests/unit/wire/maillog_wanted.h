/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_wanted: a line of a log and every field that it has to give. A field that is not
 * named must be empty: nothing may come from where the server does not write it.
 */
#ifndef QUELL_TESTS_MAILLOG_WANTED_H
#define QUELL_TESTS_MAILLOG_WANTED_H

#include "../unit.h"

#include "wire/maillog_inside.h"

#include <stdlib.h>

struct wanted {
	const char *line;
	enum maillog_kind kind;
	const char *id, *from; /* from: NULL where there is none, "" for the null sender */
	const char *rcpt, *orig_rcpt, *rcpts, *client, *helo, *user, *message_id, *in_reply_to, *subject;
	const char *relay, *text, *dsn, *other_id, *notice_of, *time, *host;
	uint64_t size, nrcpt;
	int64_t delay_ms; /* 0: not given */
};

static void clear_event(struct maillog_event *ev)
{
	*ev = (struct maillog_event){ .delay_ms = -1, .delays_ms = { -1, -1, -1, -1 } };
}

static void check_field(const char *name, struct slice got, const char *wanted, const char *line)
{
	if (!slice_equal(got, slice_from_str(wanted)))
		fail_msg("%s is \"%.*s\", wanted \"%s\": %s", name, SLICE_ARG(got), wanted ? wanted : "", line);
}

static void check_wanted(const struct wanted *w, const struct maillog_event *ev)
{
	const struct {
		const char *name;
		struct slice got;
		const char *wanted;
	} fields[] = {
		{ "queue_id", ev->queue_id, w->id }, { "from", ev->from, w->from }, { "rcpt", ev->rcpt, w->rcpt },
		{ "orig_rcpt", ev->orig_rcpt, w->orig_rcpt }, { "rcpts", ev->rcpts, w->rcpts },
		{ "client", ev->client, w->client }, { "helo", ev->helo, w->helo },
		{ "sasl_user", ev->sasl_user, w->user }, { "message_id", ev->message_id, w->message_id },
		{ "in_reply_to", ev->in_reply_to, w->in_reply_to }, { "subject", ev->subject, w->subject },
		{ "relay", ev->relay, w->relay }, { "text", ev->text, w->text }, { "dsn", ev->dsn, w->dsn },
		{ "other_id", ev->other_id, w->other_id }, { "notice_of", ev->notice_of, w->notice_of },
		{ "time", ev->time, w->time }, { "host", ev->host, w->host },
	};
	if (ev->kind != w->kind)
		fail_msg("%s, wanted %s: %s", maillog_kind_name(ev->kind), maillog_kind_name(w->kind), w->line);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		check_field(fields[i].name, fields[i].got, fields[i].wanted, w->line);
	if (ev->has_from != (w->from != NULL))
		fail_msg("has_from is %d: %s", ev->has_from, w->line);
	if (ev->size_bytes != w->size || ev->nrcpt != w->nrcpt)
		fail_msg("size %llu, nrcpt %llu: %s", (unsigned long long)ev->size_bytes,
			 (unsigned long long)ev->nrcpt, w->line);
	if (ev->delay_ms != (w->delay_ms ? w->delay_ms : -1))
		fail_msg("delay_ms %lld: %s", (long long)ev->delay_ms, w->line);
}

/* Memory of exactly these bytes, so that a sanitizer sees any read past the end. */
static struct slice exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	return slice_make(copy, len);
}

#endif
