/* SPDX-License-Identifier: Apache-2.0
 *
 * confirm: log lines to confirmations, through one table by kind of line.
 */
#include "door/confirm.h"

#include "base/log.h"
#include "base/mem.h"
#include "door/journal.h"
#include "door/logs.h"
#include "wire/maillog.h"

#include <inttypes.h>

enum { CONFIRM_SAVE_MS = 1000, CONFIRM_POSITION_BYTES_MAX = 1024 };

struct confirm {
	struct loop *loop;
	struct flow *flow;
	struct confirm_setup setup;
	struct logs *logs;          /* one of the two */
	struct journal *journal;
	struct loop_timer *timer;
	struct buf position, saved; /* as text */
	struct confirm_counts counts;
};

static void confirm_queued(struct confirm *c, const struct maillog_event *e, int64_t now_ms)
{
	c->counts.queued++;
	flow_queued(c->flow, e->queue_id, now_ms);
	if (e->nrcpt > 1)
		flow_expanded(c->flow, e->queue_id, e->nrcpt, now_ms);
}

/* One recipient, as RCPT named it where the server says so (aliases change the other), or a
 * list of several with one outcome (Sendmail). */
static void confirm_rcpts(struct confirm *c, const struct maillog_event *e, int64_t now_ms,
			  void (*tell)(struct flow *, struct slice queue_id, struct slice rcpt, int64_t now_ms))
{
	struct maillog_event list = *e;
	struct slice rcpt = e->orig_rcpt.len > 0 ? e->orig_rcpt : e->rcpt;
	if (list.rcpts.len == 0)
		tell(c->flow, e->queue_id, rcpt, now_ms);
	while (maillog_next_rcpt(&list, &rcpt))
		tell(c->flow, e->queue_id, rcpt, now_ms);
}

static void confirm_delivered(struct confirm *c, const struct maillog_event *e, int64_t now_ms)
{
	c->counts.delivered++;
	/* The line of the queue manager may be lost; who delivers owns. */
	flow_queued(c->flow, e->queue_id, now_ms);
	confirm_rcpts(c, e, now_ms, flow_delivered);
}

static void confirm_bounced(struct confirm *c, const struct maillog_event *e, int64_t now_ms)
{
	c->counts.bounced++;
	confirm_rcpts(c, e, now_ms, flow_bounced);
}

static void (*const confirm_by_kind[MAILLOG_KIND_COUNT])(struct confirm *, const struct maillog_event *,
							 int64_t) = {
	[MAILLOG_QUEUED] = confirm_queued,
	[MAILLOG_RECEIVED] = confirm_queued,
	[MAILLOG_SENT] = confirm_delivered,
	[MAILLOG_BOUNCED] = confirm_bounced,
};

static void confirm_on_line(void *ctx, struct slice line)
{
	struct confirm *c = ctx;
	struct maillog_event event;
	maillog_read(line, &event);
	c->counts.lines++;
	if (confirm_by_kind[event.kind] && event.queue_id.len > 0)
		confirm_by_kind[event.kind](c, &event, loop_now_ms(c->loop));
}

/* "device inode offset first-hash", all decimal. */
static bool confirm_read_position(struct slice text, struct logs_position *position_out)
{
	uint64_t *fields[] = { &position_out->device, &position_out->inode,
			       &position_out->offset_bytes, &position_out->first_hash };
	struct slice part;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (!slice_next(&text, ' ', &part) || !slice_to_u64(part, fields[i]))
			return false;
	return text.len == 0;
}

static void confirm_write_position(struct confirm *c)
{
	struct logs_position at;
	if (c->journal) {
		journal_cursor(c->journal, &c->position);
		return;
	}
	logs_position(c->logs, &at);
	buf_reset(&c->position);
	buf_addf(&c->position, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, at.device, at.inode,
		 at.offset_bytes, at.first_hash);
}

static void confirm_save(void *ctx)
{
	struct confirm *c = ctx;
	confirm_write_position(c);
	if (c->position.len == 0 || slice_equal(buf_slice(&c->position), buf_slice(&c->saved)))
		return;
	buf_reset(&c->saved);
	buf_add(&c->saved, buf_slice(&c->position));
	c->setup.save(c->setup.ctx, buf_slice(&c->saved));
}

static bool confirm_open_source(struct confirm *c, struct error *error)
{
	static const struct logs_calls calls = { confirm_on_line, NULL };
	struct logs_position position = { 0 };
	if (!c->setup.path) {
		c->journal = journal_open(c->loop, NULL, c->setup.position, confirm_on_line, c, error);
		return c->journal != NULL;
	}
	bool is_known = confirm_read_position(c->setup.position, &position);
	c->logs = logs_open(c->loop, c->setup.path, is_known ? LOGS_FROM_POSITION : LOGS_FROM_END,
			    &position, &calls, c);
	return c->logs != NULL;
}

struct confirm *confirm_open(struct loop *loop, struct flow *flow, const struct confirm_setup *setup,
			     struct error *error)
{
	struct confirm *c = mem_alloc(sizeof *c);
	if (!c)
		return NULL;
	*c = (struct confirm){ .loop = loop, .flow = flow, .setup = *setup };
	buf_init(&c->position, CONFIRM_POSITION_BYTES_MAX);
	buf_init(&c->saved, CONFIRM_POSITION_BYTES_MAX);
	if (confirm_open_source(c, error))
		c->timer = loop_timer_start(loop, CONFIRM_SAVE_MS, CONFIRM_SAVE_MS, confirm_save, c);
	c->setup.position = slice_make(NULL, 0); /* the caller's, used up */
	if (!c->timer) {
		error_set(error, EXIT_UNAVAILABLE, "no memory to follow the log");
		confirm_close(&c);
	}
	return c;
}

void confirm_close(struct confirm **confirm)
{
	struct confirm *c = *confirm;
	*confirm = NULL;
	if (!c)
		return;
	if (c->timer)
		confirm_save(c);
	loop_timer_stop(&c->timer);
	logs_close(&c->logs);
	journal_close(&c->journal);
	buf_free(&c->position);
	buf_free(&c->saved);
	mem_free(c);
}

void confirm_counts(const struct confirm *c, struct confirm_counts *counts_out)
{
	*counts_out = c->counts;
}
