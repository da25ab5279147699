/* SPDX-License-Identifier: Apache-2.0
 *
 * poll_take: RETR by windows into the spool, and a commit for each group.
 *
 * A group is durable when the segment is synced and then the ledger committed; before
 * that nothing of it exists, and the next look takes it again. Several RETRs are on
 * their way at a time where the server pipelines, bounded by count and by bytes, so a
 * round trip is paid once for many mails.
 */
#include "fetch/poll_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

enum { TAKE_LEDGER_BYTES = 1024 * 1024 }; /* without room for the ledger nothing could leave the spool */
enum { TAKE_MISSING_IN_ROW = 3, TAKE_MISSING_PERCENT = 5, TAKE_COUNT_BITS = 24 };

/* --- our disk ---------------------------------------------------------------------- */

/* Is there room for one mail more? (hazards 29, 30, 35) Small mails are asked for once a
 * group: all of it is less than what a large one may take. */
static bool take_has_room(struct poll *p, uint64_t bytes)
{
	if (p->is_room_known && bytes < POLL_GROUP_BYTES / POLL_GROUP_MAILS)
		return true;
	p->is_room_known = bytes < POLL_GROUP_BYTES / POLL_GROUP_MAILS;
	const struct fetch_settings *s = p->fetch->setup.settings;
	uint64_t spool = segments_bytes(p->fetch->segments), disk = segments_free_bytes(p->fetch->segments);
	uint64_t min = (uint64_t)s->free_bytes_min + TAKE_LEDGER_BYTES;
	bytes += p->open_bytes;
	uint64_t group = bytes + POLL_GROUP_BYTES;
	/* Near a mark each mail is asked for by itself. */
	p->is_room_known &= spool + group <= (uint64_t)s->spool_bytes_max && disk >= 2 * group + min;
	if (spool + bytes > (uint64_t)s->spool_bytes_max) {
		snprintf(p->result.why, sizeof p->result.why, "the spool is full (%llu bytes): mail stays on the "
			 "server until the local server takes what waits, or quarantine is cleared",
			 (unsigned long long)spool);
		return false;
	}
	if (disk < 2 * bytes + min) {
		snprintf(p->result.why, sizeof p->result.why,
			 "the disk is nearly full (free_bytes_min): mail stays on the server");
		p->is_disk_out = true;
		return false;
	}
	if (ledger_rows(p->fetch->ledger) >= LEDGER_ROWS_MAX) {
		snprintf(p->result.why, sizeof p->result.why, "the ledger is full");
		return false;
	}
	return true;
}

/* --- the group ----------------------------------------------------------------------- */

/* More mails of one content than is sane in one poll? (hazard 48) */
static void take_count_same(struct poll *p, uint64_t content)
{
	uint64_t key = content << TAKE_COUNT_BITS, *slot = &p->same[content % POLL_SAME_SLOTS];
	uint64_t mask = ((uint64_t)1 << TAKE_COUNT_BITS) - 1;
	if ((*slot & ~mask) != key)
		*slot = key;
	if ((*slot & mask) < mask)
		(*slot)++;
	if ((*slot & mask) > (uint64_t)p->fetch->setup.settings->same_max && !p->stop[0] &&
	    p->account.order[0] == '\0')
		snprintf(p->stop, sizeof p->stop, "more than %lld mails of one content in one poll: a storm?",
			 (long long)p->fetch->setup.settings->same_max);
}

static void take_note_result(struct poll *p, struct taken *t, enum ledger_added added, int64_t id)
{
	struct fetch_report *report = &p->seat->report;
	struct listed *l = &p->listed[t->listed];
	l->id = id;
	l->is_wanted = false;
	report->twins += added == LEDGER_WAS_TWIN;
	if (added != LEDGER_ADDED)
		return;
	report->collected++;
	if (t->row.state == LEDGER_QUARANTINE) {
		report->quarantined++;
		log_warn("fetch-quarantine", "account=%s id=%lld why=\"%s\"", t->row.account, (long long)id,
			 t->row.why);
	}
}

/* The key was known: a server may give the UIDL of a mail that is gone to another one
 * (RFC 1939 7). The bytes decide: the same mail is there again, or the former row gives
 * its key up. */
static bool take_store_again(struct poll *p, struct taken *t, int64_t *id_io, enum ledger_added *added_out)
{
	struct ledger *ledger = p->fetch->ledger;
	struct ledger_row known;
	char key[LEDGER_KEY_BYTES];
	if (!ledger_find(ledger, *id_io, &known))
		return false;
	if (memcmp(known.print, t->row.print, sizeof known.print) == 0)
		return known.is_on_server || ledger_set_key(ledger, known.id, known.key);
	snprintf(key, sizeof key, "%.120s|former|%lld", known.key, (long long)known.id);
	if (!ledger_set_key(ledger, known.id, key) || !ledger_set_gone(ledger, known.id))
		return false;
	*added_out = ledger_add(ledger, &t->row, id_io);
	return *added_out == LEDGER_ADDED || *added_out == LEDGER_WAS_TWIN;
}

static bool take_store_one(struct poll *p, struct taken *t, int64_t *id_out, enum ledger_added *added_out)
{
	struct ledger *ledger = p->fetch->ledger;
	const struct listed *l = &p->listed[t->listed];
	if (l->is_left && !ledger_remove(ledger, l->id))
		return false;
	*added_out = ledger_add(ledger, &t->row, id_out);
	if (*added_out == LEDGER_WAS_KNOWN)
		return take_store_again(p, t, id_out, added_out);
	return *added_out != LEDGER_FAILED;
}

static bool take_store_stop(struct poll *p)
{
	if (!p->stop[0] || p->account.stopped[0])
		return true;
	/* What a person answered meanwhile stays. */
	ledger_account(p->fetch->ledger, p->seat->entry->label, &p->account);
	snprintf(p->account.stopped, sizeof p->account.stopped, "%s", p->stop);
	log_error("fetch-stopped", "account=%s why=\"%s\" meaning=\"mail is collected, but deliveries wait for: "
		  "quell fetch adopt %s --deliver\"", p->seat->entry->label, p->stop, p->seat->entry->label);
	return ledger_set_account(p->fetch->ledger, &p->account);
}

/* True when all of the group is on disk, for good. */
static bool take_commit(struct poll *p)
{
	int64_t ids[POLL_GROUP_MAILS];
	enum ledger_added added[POLL_GROUP_MAILS];
	struct ledger *ledger = p->fetch->ledger;
	if (p->group_count == 0)
		return true;
	bool is_fine = segment_sync(p->writer) && ledger_begin(ledger) && take_store_stop(p);
	for (size_t i = 0; is_fine && i < p->group_count; i++)
		is_fine = take_store_one(p, &p->group[i], &ids[i], &added[i]);
	if (!is_fine || !ledger_commit(ledger)) {
		ledger_rollback(ledger);
		poll_end(p, POLL_DISK,
			 "the spool or the ledger cannot be written (%s): nothing is deleted from the server",
			 ledger_is_full(ledger) ? "the disk is full" : strerror(errno));
		return false;
	}
	for (size_t i = 0; i < p->group_count; i++)
		take_note_result(p, &p->group[i], added[i], ids[i]);
	p->group_count = 0;
	p->group_bytes = 0;
	p->is_room_known = false;
	/* Stopped just now: what the drain has picked is not for it any more. */
	if (p->stop[0])
		drain_forget(p->fetch->drain);
	drain_wake(p->fetch->drain);
	return true;
}

/* --- one mail -------------------------------------------------------------------------- */

/* Answers come in the order of the commands; what was skipped has none. */
static struct listed *take_current(struct poll *p, uint32_t number, size_t *index_out)
{
	while (p->order_heard < p->order_next) {
		size_t at = p->order[p->order_heard];
		if (p->listed[at].number == number) {
			*index_out = at;
			return &p->listed[at];
		}
		p->order_heard++;
	}
	return NULL;
}

/* A mail that could not be collected: said in its row, and tried a few times only. */
static void take_failed(struct poll *p, size_t index, const char *why)
{
	struct listed *l = &p->listed[index];
	struct ledger *ledger = p->fetch->ledger;
	int64_t id, now_ms = poll_now_ms(p);
	struct ledger_row row = {
		.state = LEDGER_LEFT, .size_bytes = l->size_bytes, .is_on_server = true, .tries = l->tries + 1,
		.fetched_ms = now_ms, .settled_ms = now_ms,
	};
	l->is_failed = true;
	l->is_wanted = false;
	p->seat->report.left++;
	if (!l->key)
		return;
	snprintf(row.account, sizeof row.account, "%s", p->seat->entry->label);
	snprintf(row.key, sizeof row.key, "%s", l->key);
	snprintf(row.why, sizeof row.why, "%.150s (%u of %d)", why, row.tries, POLL_TRIES_MAX);
	snprintf(p->seat->report.left_why, sizeof p->seat->report.left_why, "%s", row.why);
	log_warn("fetch-left", "account=%s uidl=%s tries=%u why=\"%s\"", row.account, row.key, row.tries, row.why);
	bool is_fine = ledger_begin(ledger) && (!l->is_left || ledger_remove(ledger, l->id)) &&
		       ledger_add(ledger, &row, &id) == LEDGER_ADDED && ledger_commit(ledger);
	if (!is_fine)
		ledger_rollback(ledger);
}

static void take_begin(struct poll *p, size_t index)
{
	p->current = index;
	incoming_begin(&p->in);
	segment_begin(p->writer);
	p->is_mail_open = true;
}

static void take_alarm_missing(struct poll *p)
{
	log_error("fetch-envelope", "account=%s missing=%u of=%u meaning=\"%s is no longer where it was: did the "
		  "provider change something?\"", p->seat->entry->label, p->missing, p->taken_count,
		  p->seat->entry->settings.envelope_header);
}

/* Several in a row are told at once, a share of all at the end of the session (hazard 4). */
static void take_count_missing(struct poll *p)
{
	bool is_missing = !map_owner(p->seat->map) && p->in.inspection.envelope != ENVELOPE_ONE;
	p->taken_count++;
	p->missing += is_missing;
	p->missing_in_row = is_missing ? p->missing_in_row + 1 : 0;
	if (p->missing_in_row == TAKE_MISSING_IN_ROW)
		take_alarm_missing(p);
}

static void take_key(const struct listed *l, struct ledger_row *row)
{
	char hex[2 * LEDGER_PRINT_BYTES + 1];
	if (l->key) {
		snprintf(row->key, sizeof row->key, "%s", l->key);
		return;
	}
	hash_to_hex(row->print, sizeof row->print, hex);
	snprintf(row->key, sizeof row->key, "print:%s", hex);
}

static void take_end(struct poll *p, struct listed *l, size_t index)
{
	struct taken *t = &p->group[p->group_count];
	struct ledger_row *row = &t->row;
	int64_t now_ms = poll_now_ms(p);
	*row = (struct ledger_row){
		.size_bytes = l->size_bytes, .is_on_server = true, .fetched_ms = now_ms, .due_ms = now_ms,
		.is_backlog = p->seat->is_backlog,
	};
	t->listed = index;
	p->is_mail_open = false;
	snprintf(row->account, sizeof row->account, "%s", p->seat->entry->label);
	incoming_end(&p->in, p, row);
	take_key(l, row);
	take_count_missing(p);
	take_count_same(p, p->in.body_mix);
	p->seat->report.marked += p->in.inspection.is_marked;
	if (p->in.inspection.is_marked)
		log_warn("fetch-mark", "account=%s uidl=%s meaning=\"it bears the mark of a faulty POP3 connector "
			 "(mspop3connector, IMB Recipient)\"", row->account, row->key);
	if (p->in.inspection.is_stamped)
		log_error("fetch-returned", "account=%s uidl=%s meaning=\"what was delivered here is sent on by "
			  "somebody: a storm may begin\"", row->account, row->key);
	if (!segment_end(p->writer, &row->place)) {
		poll_end(p, POLL_DISK, "the spool cannot be written: %s", strerror(errno));
		return;
	}
	p->group_count++;
	p->group_bytes += row->place.bytes;
	if (p->group_count == POLL_GROUP_MAILS || p->group_bytes >= POLL_GROUP_BYTES)
		take_commit(p);
}

static void take_bytes(struct poll *p, const struct listed *l, struct slice bytes)
{
	uint64_t max = (uint64_t)p->fetch->setup.settings->mail_bytes_max;
	if (!incoming_add(&p->in, p, bytes, p->writer))
		poll_end(p, POLL_DISK, "the spool cannot be written: %s", strerror(errno));
	/* LIST said less: its word is a hint only. */
	else if (p->in.bytes > max + max / 8)
		poll_end(p, POLL_SERVER, "mail %u is larger than mail_bytes_max, and larger than the server said",
			 l->number);
}

/* --- the window ---------------------------------------------------------------------------- */

/* Known after all: see listing_match_rest. */
static bool take_is_known(struct poll *p, struct listed *l)
{
	struct ledger_row row;
	if (!p->seat->is_continued || l->id || !l->key || l->is_asked)
		return false;
	l->is_asked = true;
	if (!ledger_find_key(p->fetch->ledger, p->seat->entry->label, l->key, &row) || !row.is_on_server)
		return false;
	listing_know(p, l, &row);
	return !l->is_wanted;
}

static void take_ask(struct poll *p)
{
	size_t most = (size_t)p->fetch->setup.settings->session_mails_max;
	while (p->order_next < p->order_count && p->order_next < most && !p->is_room_out) {
		struct listed *l = &p->listed[p->order[p->order_next]];
		if (take_is_known(p, l)) {
			p->order_next++;
			continue;
		}
		size_t open = pop3_open(p->pop3);
		/* One that failed before comes alone: whatever happens then is its fault. */
		if (l->tries > 0 && (open > 0 || !take_commit(p)))
			return;
		if (open >= p->window || (open > 0 && p->open_bytes + l->size_bytes > POLL_WINDOW_BYTES))
			return;
		if (!take_has_room(p, l->size_bytes)) {
			p->is_room_out = true;
			return;
		}
		if (!pop3_retr(p->pop3, l->number))
			return;
		p->open_bytes += l->size_bytes;
		p->order_next++;
	}
}

void poll_take_more(struct poll *p)
{
	take_ask(p);
	if (pop3_open(p->pop3) > 0 || p->phase != PHASE_TAKE)
		return;
	if (!take_commit(p))
		return;
	if (100 * p->missing > TAKE_MISSING_PERCENT * p->taken_count)
		take_alarm_missing(p);
	if (p->is_room_out)
		p->result.end = POLL_DISK;
	else
		p->result.has_more = p->order_next < p->order_count;
	/* What is durable may go at the next look that finds room (hazard 30). */
	if (p->is_disk_out)
		poll_quit(p);
	else
		poll_settle(p);
}

void poll_take(struct poll *p)
{
	p->phase = PHASE_TAKE;
	p->writer = segment_writer_new(p->fetch->segments);
	p->group = mem_alloc_array(POLL_GROUP_MAILS, sizeof *p->group);
	if (!p->writer || !p->group)
		poll_end(p, POLL_NETWORK, "no memory for a session");
	else
		poll_take_more(p);
}

void poll_on_taking(struct poll *p, const struct pop3_event *e)
{
	size_t index;
	char words[256], why[300];
	if (e->command == POP3_NOOP && e->kind == POP3_REPLY && e->reply.is_ok)
		return;
	struct listed *l = e->command == POP3_RETR ? take_current(p, e->number, &index) : NULL;
	if (!l) {
		poll_surprise(p, e);
		return;
	}
	if (e->kind == POP3_REPLY && e->reply.is_ok) {
		take_begin(p, index);
	} else if (e->kind == POP3_MAIL_BYTES) {
		take_bytes(p, l, e->bytes);
	} else if (e->kind == POP3_MAIL_END || e->kind == POP3_REPLY) {
		p->open_bytes -= l->size_bytes;
		if (e->kind == POP3_MAIL_END) {
			take_end(p, l, index);
			if (l->tries > 0)
				pop3_noop(p->pop3); /* was that its end? */
		} else {
			snprintf(why, sizeof why, "the server does not give it: %s", poll_words(e->reply.text, words));
			take_failed(p, index, why);
		}
	} else {
		poll_surprise(p, e);
	}
}

/* The RETR that waits for its answer, when there is one. */
static void take_blame_next(struct poll *p)
{
	for (size_t i = p->order_heard; i < p->order_next; i++) {
		size_t index = p->order[i];
		if (!p->listed[index].is_wanted || (p->taken_count > 0 && index == p->current))
			continue;
		take_failed(p, index, "what the server said in its place is no answer");
		return;
	}
}

/* Words between two mails: the end of the mail before was perhaps in its middle, and they
 * are the rest of it; or the server cannot give the next one. Neither is believed, both are
 * tried again behind all others, and not often. */
static void take_blame_lie(struct poll *p)
{
	bool is_last = p->group_count > 0 && p->group[p->group_count - 1].listed == p->current;
	if (is_last)
		p->group_count--;
	take_commit(p);
	take_blame_next(p);
	if (is_last)
		take_failed(p, p->current, "the server said more behind its end, so it may not be whole");
}

void poll_blame(struct poll *p, bool is_lie)
{
	if (is_lie && !p->is_mail_open) {
		take_blame_lie(p);
		return;
	}
	if (p->is_mail_open)
		segment_abort(p->writer);
	take_commit(p);
	if (p->is_mail_open)
		take_failed(p, p->current, "the line broke while it came in");
	p->is_mail_open = false;
}
