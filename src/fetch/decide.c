/* SPDX-License-Identifier: Apache-2.0
 *
 * decide: what only a person may decide, carried out on the ledger.
 *
 * adopt answers what stopped an account: a first look at a full box, a lost ledger, a
 * burst. release and drop end the quarantine of one mail; a release goes to a mailbox of
 * the map and to nothing else.
 */
#include "fetch/inner.h"

#include "base/log.h"

#include <stdio.h>

static bool decide_failed(struct ledger *ledger, struct error *error)
{
	ledger_rollback(ledger);
	return error_set(error, EXIT_UNAVAILABLE, "the ledger cannot be written%s",
			 ledger_is_full(ledger) ? ": the disk is full" : "");
}

bool fetch_adopt(struct ledger *ledger, const char *name, bool want_deliver, struct buf *text_out,
		 struct error *error)
{
	struct ledger_account account;
	if (!ledger_account(ledger, name, &account))
		return error_set(error, EXIT_UNAVAILABLE, "the ledger cannot be read");
	account.stopped[0] = '\0';
	snprintf(account.order, sizeof account.order, "%s", want_deliver ? "deliver" : "mark-seen");
	if (!ledger_begin(ledger) || !ledger_set_account(ledger, &account) || !ledger_commit(ledger))
		return decide_failed(ledger, error);
	log_warn("fetch-adopt", "account=%s order=%s", name, account.order);
	return buf_addf(text_out, want_deliver ? "%s: all of it is collected and delivered"
					       : "%s: what lies there at the next poll counts as seen", name);
}

/* The row of a mail in quarantine. */
static bool decide_find(struct fetch *f, int64_t id, struct ledger_row *row_out, struct error *error)
{
	if (!ledger_find(f->ledger, id, row_out))
		return error_set(error, EXIT_BAD_INPUT, "no mail has the id %lld", (long long)id);
	if (row_out->state != LEDGER_QUARANTINE)
		return error_set(error, EXIT_BAD_INPUT, "the mail %lld is not in quarantine but %s", (long long)id,
				 ledger_state_name(row_out->state));
	return true;
}

static bool decide_store(struct fetch *f, const struct ledger_row *row, struct error *error)
{
	if (ledger_begin(f->ledger) && ledger_update(f->ledger, row) && ledger_commit(f->ledger)) {
		log_warn("fetch-decided", "id=%lld account=%s state=%s", (long long)row->id, row->account,
			 ledger_state_name(row->state));
		if (f->drain)
			drain_forget(f->drain);
		return true;
	}
	if (!ledger_is_twin(f->ledger))
		return decide_failed(f->ledger, error);
	ledger_rollback(f->ledger);
	return error_set(error, EXIT_BAD_INPUT, "the same mail came for %s before: the mail %lld can only be dropped",
			 row->mailbox, (long long)row->id);
}

bool fetch_release(struct fetch *f, int64_t id, const char *name, struct buf *text_out, struct error *error)
{
	struct ledger_row row;
	if (!decide_find(f, id, &row, error))
		return false;
	const struct seat *seat = fetch_seat(f, row.account);
	struct slice wanted = slice_from_str(name && name[0] ? name : row.mailbox);
	const struct mailbox *mailbox = seat ? map_find_name(seat->map, wanted) : NULL;
	if (!mailbox && wanted.len == 0)
		return error_set(error, EXIT_BAD_INPUT, "nobody knows to whom the mail %lld is: say --to MAILBOX",
				 (long long)id);
	if (!mailbox)
		return error_set(error, EXIT_BAD_INPUT, "%.*s is no mailbox of the account %s", SLICE_ARG(wanted),
				 row.account);
	snprintf(row.mailbox, sizeof row.mailbox, "%s", mailbox_name(mailbox));
	row.state = LEDGER_WAITING;
	row.due_ms = loop_now_ms(f->setup.loop);
	row.settled_ms = 0;
	row.tries = 0;
	row.why[0] = '\0';
	return decide_store(f, &row, error) &&
	       buf_addf(text_out, "the mail %lld goes to %s", (long long)id, row.mailbox);
}

bool fetch_drop(struct fetch *f, int64_t id, struct buf *text_out, struct error *error)
{
	struct ledger_row row;
	if (!decide_find(f, id, &row, error))
		return false;
	row.state = LEDGER_DROPPED;
	row.settled_ms = loop_now_ms(f->setup.loop);
	snprintf(row.why, sizeof row.why, "dropped by a person");
	return decide_store(f, &row, error) && buf_addf(text_out, "the mail %lld is dropped", (long long)id);
}
