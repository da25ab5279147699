/* SPDX-License-Identifier: Apache-2.0
 *
 * doubt: mail that the local server may have or not (hazards 12, 13, 33).
 *
 * Its row stays SENDING until it is settled, so a crash in between changes nothing.
 * "search" runs a program that looks for the mail's stamp in its mailbox: words printed
 * mean it is there. It runs a moment late, since a server may still be storing what it
 * could not answer for any more; when it fails, as it will while that server is down, it
 * is run again later, and past keep_trying the mail goes to quarantine: the one thing that
 * never happens is a second copy unasked.
 */
#include "fetch/drain_inner.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

enum {
	DOUBT_SEARCH_MS = 60 * 1000,
	DOUBT_AGAIN_FIRST_MS = 10 * 1000, DOUBT_AGAIN_MAX_MS = 15 * 60 * 1000,
	DOUBT_ARGS_MAX = 32, DOUBT_ARG_BYTES = 512,
};

static bool in_doubt_is(const struct drain *d, const char *what)
{
	return strcmp(d->fetch->setup.settings->in_doubt, what) == 0;
}

bool drain_doubts(const struct drain *d, int64_t id)
{
	for (size_t i = 0; i < d->doubt_count; i++)
		if (d->doubts[i]->row.id == id)
			return true;
	return false;
}

static bool doubt_store(struct drain *d, struct ledger_row *row)
{
	struct ledger *ledger = d->fetch->ledger;
	if (ledger_begin(ledger) && ledger_update(ledger, row) && ledger_commit(ledger)) {
		d->is_disk_bad = false;
		drain_report(d, row);
		return true;
	}
	ledger_rollback(ledger);
	d->is_disk_bad = true;
	return false;
}

static void doubt_end(struct drain *d, size_t i)
{
	secret_run_cancel(&d->doubts[i]->run);
	mem_free(d->doubts[i]);
	d->doubts[i] = d->doubts[--d->doubt_count];
}

/* Settled in memory; a disk that refuses just now leaves the doubt for the next tick. */
static void doubt_settle(struct doubt *doubt, enum ledger_state state, const char *why)
{
	struct ledger_row *row = &doubt->row;
	row->state = state;
	row->due_ms = drain_now_ms(doubt->drain);
	row->settled_ms = state == LEDGER_WAITING ? 0 : row->due_ms;
	snprintf(row->why, sizeof row->why, "%s", why);
}

static void doubt_on_found(void *ctx, struct secret *printed, const char *why)
{
	struct doubt *doubt = ctx;
	char text[LEDGER_WHY_BYTES];
	int64_t now_ms = drain_now_ms(doubt->drain);
	doubt->is_searching = false;
	if (!printed && now_ms - doubt->row.fetched_ms < doubt->drain->fetch->setup.settings->keep_trying_ms) {
		doubt->wait_ms = doubt->wait_ms ? doubt->wait_ms * 2 : DOUBT_AGAIN_FIRST_MS;
		if (doubt->wait_ms > DOUBT_AGAIN_MAX_MS)
			doubt->wait_ms = DOUBT_AGAIN_MAX_MS;
		doubt->look_at_ms = now_ms + doubt->wait_ms;
		log_warn("fetch-doubt", "id=%lld trouble=\"in_doubt_search failed: %s\" again_s=%lld",
			 (long long)doubt->row.id, why, (long long)doubt->wait_ms / 1000);
	} else if (!printed) {
		snprintf(text, sizeof text, "in doubt, and in_doubt_search failed: %.120s", why);
		doubt_settle(doubt, LEDGER_QUARANTINE, text);
	} else if (secret_bytes(printed).len > 0) {
		doubt_settle(doubt, LEDGER_DONE, "");
	} else {
		doubt_settle(doubt, LEDGER_WAITING, "was in doubt; the local server does not have it");
	}
	secret_free(&printed);
}

/* %u is the mailbox, %i the text to look for; anything else stands for itself. False: it
 * is too long. A search for less than the whole would find nothing, or another mail. */
static bool doubt_argument(const struct doubt *doubt, const char *pattern, char out[DOUBT_ARG_BYTES])
{
	size_t n = 0;
	out[0] = '\0';
	for (const char *c = pattern; *c; c++) {
		const char *put = NULL;
		if (c[0] == '%' && (c[1] == 'u' || c[1] == 'i'))
			put = *++c == 'u' ? doubt->row.mailbox : doubt->id;
		n += (size_t)snprintf(out + n, DOUBT_ARG_BYTES - n, "%.*s", put ? INT32_MAX : 1, put ? put : c);
		if (n >= DOUBT_ARG_BYTES)
			return false;
	}
	return true;
}

static void doubt_search(struct doubt *doubt)
{
	const struct setting_list *list = &doubt->drain->fetch->setup.settings->in_doubt_search;
	char texts[DOUBT_ARGS_MAX][DOUBT_ARG_BYTES];
	const char *argv[DOUBT_ARGS_MAX];
	size_t argc = 0;
	secret_run_cancel(&doubt->run); /* the search before, which failed */
	while (argc < list->count && argc < DOUBT_ARGS_MAX && doubt_argument(doubt, list->items[argc], texts[argc])) {
		argv[argc] = texts[argc];
		argc++;
	}
	if (argc == list->count)
		doubt->run = secret_run_any(doubt->drain->fetch->setup.loop, argv, argc, DOUBT_SEARCH_MS,
					    doubt_on_found, doubt);
	doubt->is_searching = doubt->run != NULL;
	if (!doubt->run)
		doubt_settle(doubt, LEDGER_QUARANTINE, "in doubt, and in_doubt_search cannot be started");
}

void drain_settle_doubts(struct drain *d)
{
	int64_t now_ms = drain_now_ms(d);
	for (size_t i = 0; i < d->doubt_count; i++) {
		struct doubt *doubt = d->doubts[i];
		bool is_open = doubt->row.state == LEDGER_SENDING;
		if (is_open && !doubt->is_searching && now_ms >= doubt->look_at_ms)
			doubt_search(doubt);
		else if (!is_open && doubt_store(d, &doubt->row))
			doubt_end(d, i--);
	}
	if (d->doubt_count == 0 && d->has_old_doubts)
		drain_doubt_old(d);
}

void drain_doubt(struct drain *d, const struct ledger_row *row, const char *why)
{
	struct doubt *doubt = d->doubt_count < DRAIN_DOUBTS_MAX ? mem_alloc(sizeof *doubt) : NULL;
	log_warn("fetch-doubt", "id=%lld account=%s why=\"%s\" action=%s", (long long)row->id, row->account, why,
		 d->fetch->setup.settings->in_doubt);
	if (!doubt) {
		d->has_old_doubts = true; /* its row says SENDING: taken up later */
		return;
	}
	doubt->row = *row;
	doubt->row.state = LEDGER_SENDING;
	doubt->drain = d;
	doubt->look_at_ms = drain_now_ms(d) + d->fetch->setup.settings->in_doubt_wait_ms;
	stamp_search(d->fetch->instance, row, doubt->id);
	d->doubts[d->doubt_count++] = doubt;
	if (in_doubt_is(d, "resend"))
		doubt_settle(doubt, LEDGER_WAITING, "was in doubt; sent again as in_doubt says");
	else if (!in_doubt_is(d, "search"))
		doubt_settle(doubt, LEDGER_QUARANTINE, why);
}

static bool doubt_old_row(void *ctx, const struct ledger_row *row)
{
	struct drain *d = ctx;
	if (drain_doubts(d, row->id) || drain_is_carried(d, row->id))
		return true;
	drain_doubt(d, row, "in doubt: the connector was ended after it gave the mail to the local server");
	return d->doubt_count < DRAIN_DOUBTS_MAX;
}

bool drain_doubt_old(struct drain *d)
{
	d->has_old_doubts = false;
	bool is_read = ledger_each_in_state(d->fetch->ledger, LEDGER_SENDING, doubt_old_row, d);
	d->has_old_doubts |= d->doubt_count == DRAIN_DOUBTS_MAX;
	return is_read;
}

bool drain_doubts_soon(const struct drain *d, int64_t within_ms)
{
	int64_t until_ms = drain_now_ms(d) + within_ms;
	for (size_t i = 0; i < d->doubt_count; i++) {
		const struct doubt *doubt = d->doubts[i];
		/* A search that failed is tried again in its own time; the first one is waited for. */
		if (doubt->row.state != LEDGER_SENDING || doubt->is_searching || !doubt->wait_ms ||
		    doubt->look_at_ms < until_ms)
			return true;
	}
	return false;
}

void drain_free_doubts(struct drain *d)
{
	while (d->doubt_count > 0)
		doubt_end(d, d->doubt_count - 1);
}
