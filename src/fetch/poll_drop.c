/* SPDX-License-Identifier: Apache-2.0
 *
 * poll_drop: what may leave the server leaves it, and QUIT's answer counts.
 *
 * A mail may go when its row says so in the ledger, on disk: spooled (after-spool), or
 * delivered, held or known (after-delivery), or that for some days (after-days). The
 * server carries DELE out only when it answers QUIT with +OK (RFC 1939 6); without that
 * the rows stay "on server", and the next session says DELE again, without RETR
 * (hazard 23).
 */
#include "fetch/poll_inner.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum { SETTLE_STEP_MS = 50, SETTLE_MS = 30 * 1000, USUAL_WEIGHT = 8 };

static bool delete_is(const struct poll *p, const char *when)
{
	return strcmp(p->seat->entry->settings.delete_when, when) == 0;
}

static bool row_may_go(const struct poll *p, const struct ledger_row *row)
{
	bool is_settled = row->state == LEDGER_DONE || row->state == LEDGER_TWIN || row->state == LEDGER_HELD ||
			  row->state == LEDGER_DROPPED;
	bool is_ours = is_settled || row->state == LEDGER_WAITING || row->state == LEDGER_SENDING ||
		       row->state == LEDGER_QUARANTINE;
	if (delete_is(p, "after-spool"))
		return is_ours;
	if (delete_is(p, "after-delivery"))
		return is_settled;
	return delete_is(p, "after-days") && is_settled &&
	       poll_now_ms(p) - row->fetched_ms >= p->seat->entry->settings.delete_after_ms;
}

static int by_id(const void *a, const void *b)
{
	const struct listed *const *x = a, *const *y = b;
	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

struct drop {
	struct poll *p;
	struct listed **by_id;
	size_t count;
};

static bool drop_row(void *ctx, const struct ledger_row *row)
{
	struct drop *d = ctx;
	if (!row_may_go(d->p, row))
		return true;
	size_t low = 0, high = d->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (d->by_id[middle]->id < row->id)
			low = middle + 1;
		else
			high = middle;
	}
	/* Two mails can be one row: twins without a UIDL of their own. */
	for (; low < d->count && d->by_id[low]->id == row->id; low++)
		d->by_id[low]->may_go = true;
	return true;
}

static bool drop_mark(struct poll *p)
{
	struct drop d = { .p = p, .by_id = mem_alloc_array(p->listed_count + 1, sizeof *d.by_id) };
	if (!d.by_id)
		return false;
	for (size_t i = 0; i < p->listed_count; i++)
		if (p->listed[i].id && !p->listed[i].is_failed)
			d.by_id[d.count++] = &p->listed[i];
	qsort(d.by_id, d.count, sizeof *d.by_id, by_id);
	bool is_read = ledger_each_on_server(p->fetch->ledger, p->seat->entry->label, drop_row, &d);
	mem_free(d.by_id);
	return is_read;
}

static void drop_ask(struct poll *p)
{
	while (p->drop_next < p->listed_count && pop3_open(p->pop3) < p->window) {
		const struct listed *l = &p->listed[p->drop_next];
		if (l->may_go && !pop3_dele(p->pop3, l->number))
			break;
		p->drop_next++;
	}
	if (p->drop_next == p->listed_count && pop3_open(p->pop3) == 0)
		poll_quit(p);
}

static void poll_drop(struct poll *p)
{
	p->phase = PHASE_DELE;
	p->gone = mem_alloc_array(p->listed_count + 1, sizeof *p->gone);
	if (!p->gone || !drop_mark(p)) {
		poll_end(p, POLL_DISK, "the ledger cannot be read");
		return;
	}
	drop_ask(p);
}

static void drop_note(struct poll *p, uint32_t number)
{
	for (size_t i = p->drop_next; i-- > 0;)
		if (p->listed[i].number == number) {
			p->gone[p->gone_count++] = p->listed[i].id;
			return;
		}
}

/* The look is over, and it was a good one. */
static void drop_note_account(struct poll *p)
{
	struct ledger_account *a = &p->account, fresh;
	int64_t now_ms = poll_now_ms(p);
	char answered[sizeof a->order];
	/* A person may have answered while the session went on: what is in the ledger counts,
	 * and an answer to this look is not taken for one to the next. */
	snprintf(answered, sizeof answered, "%s", a->order);
	if (ledger_account(p->fetch->ledger, a->name, &fresh))
		*a = fresh;
	if (a->first_ms == 0)
		a->first_ms = now_ms;
	a->polled_ms = now_ms;
	if (p->result.has_more)
		return;
	if (strcmp(a->order, answered) == 0)
		a->order[0] = '\0';
	/* What stopped the deliveries is no measure of what is usual. */
	if (!a->stopped[0])
		a->usual_new += ((int64_t)p->seat->fresh * 1000 - a->usual_new) / (a->polls ? USUAL_WEIGHT : 1);
	a->polls++;
}

static void drop_commit(struct poll *p)
{
	struct ledger *ledger = p->fetch->ledger;
	drop_note_account(p);
	bool is_fine = ledger_begin(ledger) && ledger_set_account(ledger, &p->account);
	for (size_t i = 0; is_fine && i < p->gone_count; i++)
		is_fine = ledger_set_gone(ledger, p->gone[i]);
	if (is_fine && ledger_commit(ledger)) {
		fetch_make_known(p->fetch, p->seat->entry->label); /* else at the next poll */
		p->seat->report.deleted += p->gone_count;
		if (p->account.stopped[0] && !p->result.has_more && p->result.end == POLL_NEVER) {
			p->result.end = POLL_STOPPED;
			snprintf(p->result.why, sizeof p->result.why, "%s: mail is collected, and its delivery waits "
				 "for quell fetch adopt %s --deliver", p->account.stopped, p->account.name);
		}
		return;
	}
	/* The rows still say "on server": the next look finds them gone. */
	ledger_rollback(ledger);
	p->result.end = POLL_DISK;
	snprintf(p->result.why, sizeof p->result.why, "the ledger cannot be written");
}

void poll_on_dropping(struct poll *p, const struct pop3_event *e)
{
	char words[256];
	if (e->kind == POP3_CLOSED) {
		bool is_collecting = !fetch_is_looking(p->fetch);
		if (is_collecting && !e->reply.is_ok && p->gone_count > 0) {
			poll_end(p, POLL_SERVER, "QUIT was not answered with +OK (%s): what was to be deleted may "
				 "still be there, and is deleted at the next poll", poll_words(e->reply.text, words));
			return;
		}
		if (is_collecting)
			drop_commit(p);
	} else if (e->kind == POP3_REPLY && e->command == POP3_DELE) {
		if (e->reply.is_ok)
			drop_note(p, e->number);
		drop_ask(p);
	} else {
		poll_surprise(p, e);
	}
}

/* --- waiting for the local server ------------------------------------------------ */

static void on_settle(void *ctx)
{
	struct poll *p = ctx;
	int64_t now_ms = poll_now_ms(p);
	if (p->phase != PHASE_SETTLE)
		return;
	bool is_moving = ledger_count_moving(p->fetch->ledger, p->seat->entry->label, now_ms) > 0;
	/* Nor for a drain that has nothing it can do just now: a disk that takes nothing, doubts. */
	bool is_stuck = drain_trouble(p->fetch->drain)[0] || drain_is_idle(p->fetch->drain, 0);
	if (is_moving && now_ms < p->settle_until_ms && !is_stuck)
		return;
	loop_timer_stop(&p->settle_timer);
	poll_drop(p);
	poll_flush(p);
}

void poll_settle(struct poll *p)
{
	bool want_wait = delete_is(p, "after-delivery") && p->taken_count > 0 && p->phase == PHASE_TAKE;
	if (!want_wait) {
		poll_drop(p);
		return;
	}
	p->phase = PHASE_SETTLE;
	p->settle_until_ms = poll_now_ms(p) + SETTLE_MS;
	p->settle_timer = loop_timer_start(p->fetch->setup.loop, SETTLE_STEP_MS, SETTLE_STEP_MS, on_settle, p);
	if (!p->settle_timer)
		poll_drop(p);
}
