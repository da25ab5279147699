/* SPDX-License-Identifier: Apache-2.0
 *
 * poll_list: what lies in the box, held against the ledger.
 *
 * Message numbers are good for one session only; a mail is known by its UIDL (RFC 1939
 * 7), which is an opaque text: one that is too long or odd is hashed, one that stands
 * twice in a listing gets size and header hash behind it (hazards 15, 16). When most of
 * what we knew has gone and as much has come, the server has given new UIDLs to old
 * mail (hazard 14): the headers are asked for, and what we know by its header only gets
 * its new name.
 */
#include "fetch/poll_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LIST_PLAIN_KEY_MAX = 70,     /* RFC 1939 7 */
	LIST_FIRST_ROOM = 256,
	RESYNC_MIN = 20,             /* so many known mails must have gone at least */
};

/* --- rows as they come ---------------------------------------------------------- */

static struct listed *listing_at(struct poll *p, uint32_t number)
{
	size_t low = 0, high = p->listed_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->listed[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->listed_count && p->listed[low].number == number ? &p->listed[low] : NULL;
}

static bool listing_grow(struct poll *p)
{
	size_t cap = p->listed_cap ? p->listed_cap * 2 : LIST_FIRST_ROOM;
	struct listed *grown = mem_resize(p->listed, cap * sizeof *grown);
	if (!grown)
		return false;
	p->listed = grown;
	p->listed_cap = cap;
	return true;
}

static void listing_add(struct poll *p, const struct pop3_event *e)
{
	if (p->listed_count > 0 && e->number <= p->listed[p->listed_count - 1].number) {
		poll_end(p, POLL_SERVER, "the server lists mail %u behind mail %u", e->number,
			 p->listed[p->listed_count - 1].number);
		return;
	}
	if (p->listed_count == POLL_LISTED_MAX)
		return;
	if (p->listed_count == p->listed_cap && !listing_grow(p)) {
		poll_end(p, POLL_NETWORK, "no memory for so many mails");
		return;
	}
	p->listed[p->listed_count++] = (struct listed){ .number = e->number, .size_bytes = e->size_bytes };
}

static const char *listing_text(struct poll *p, const char *text)
{
	return arena_copy(&p->arena, slice_make(text, strlen(text) + 1)).ptr;
}

static bool is_plain_uidl(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x21 || s.ptr[i] > 0x7e)
			return false;
	return s.len > 0 && s.len <= LIST_PLAIN_KEY_MAX && s.ptr[0] != '#';
}

/* The ledger's name of a UIDL; "#" and a hash for one that is not as it should be. */
static const char *listing_key(struct poll *p, struct slice uidl)
{
	uint8_t hash[DIGEST_SHORT_BYTES];
	char key[LEDGER_KEY_BYTES];
	struct digest digest;
	if (is_plain_uidl(uidl)) {
		snprintf(key, sizeof key, "%.*s", SLICE_ARG(uidl));
		return listing_text(p, key);
	}
	digest_init(&digest, NULL, sizeof hash);
	digest_add(&digest, uidl);
	digest_end(&digest, hash);
	key[0] = '#';
	hash_to_hex(hash, sizeof hash, key + 1);
	log_warn("fetch-uidl", "account=%s number_of_bytes=%zu trouble=\"not as RFC 1939 has it; its hash is used\"",
		 p->seat->entry->label, uidl.len);
	return listing_text(p, key);
}

static void listing_name(struct poll *p, const struct pop3_event *e)
{
	struct listed *m = listing_at(p, e->number);
	if (!m)
		return; /* came between LIST and UIDL, or past the ceiling */
	if (m->key) {
		poll_end(p, POLL_SERVER, "the server names mail %u twice", e->number);
		return;
	}
	m->key = listing_key(p, e->uidl);
}

/* --- keys that stand twice ------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
	const struct listed *const *x = a, *const *y = b;
	int order = strcmp((*x)->key ? (*x)->key : "", (*y)->key ? (*y)->key : "");
	return order ? order : ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* Pointers to all mails that have a key, in its order. The caller frees. */
static struct listed **listing_sorted(struct poll *p)
{
	struct listed **sorted = mem_alloc_array(p->listed_count + 1, sizeof *sorted);
	for (size_t i = 0; sorted && i < p->listed_count; i++)
		sorted[i] = &p->listed[i];
	if (sorted)
		qsort(sorted, p->listed_count, sizeof *sorted, by_key);
	return sorted;
}

static bool is_same_key(const struct listed *a, const struct listed *b)
{
	return a->key && b->key && strcmp(a->key, b->key) == 0;
}

/* Marks every mail whose key stands more than once; true when there is one. */
static bool listing_find_twice(struct poll *p, struct listed **sorted)
{
	bool is_found = false;
	for (size_t i = 1; i < p->listed_count; i++)
		if (is_same_key(sorted[i - 1], sorted[i]))
			sorted[i - 1]->want_top = sorted[i]->want_top = is_found = true;
	return is_found;
}

/* What has no key of its own is collected at each look and known by its print. */
static void listing_unname_twice(struct poll *p, struct listed **sorted)
{
	for (size_t i = p->listed_count; i > 1; i--)
		if (is_same_key(sorted[i - 2], sorted[i - 1]))
			sorted[i - 1]->key = NULL;
	for (size_t i = 0; i < p->listed_count; i++)
		if (p->listed[i].want_top && !p->listed[i].is_named)
			p->listed[i].key = NULL;
}

/* --- against the ledger ----------------------------------------------------------- */

struct match {
	struct poll *p;
	struct listed **sorted;
	int64_t *vanished;
	size_t vanished_count, vanished_cap, known;
};

static struct listed *match_find(const struct match *m, const char *key)
{
	size_t low = 0, high = m->p->listed_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *at = m->sorted[middle]->key ? m->sorted[middle]->key : "";
		if (strcmp(at, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	struct listed *found = low < m->p->listed_count ? m->sorted[low] : NULL;
	return found && found->key && strcmp(found->key, key) == 0 ? found : NULL;
}

void listing_know(struct poll *p, struct listed *l, const struct ledger_row *row)
{
	uint64_t max = (uint64_t)p->fetch->setup.settings->mail_bytes_max;
	bool may_now = row->tries < POLL_TRIES_MAX && l->size_bytes <= max;
	l->id = row->id;
	l->tries = row->state == LEDGER_LEFT ? row->tries : 0;
	l->is_left = row->state == LEDGER_LEFT;
	l->is_wanted = l->is_left && may_now;
}

static bool match_row(void *ctx, const struct ledger_row *row)
{
	struct match *m = ctx;
	m->known++;
	struct listed *found = match_find(m, row->key);
	if (found) {
		listing_know(m->p, found, row);
		return true;
	}
	if (m->vanished_count == m->vanished_cap) {
		size_t cap = m->vanished_cap ? m->vanished_cap * 2 : LIST_FIRST_ROOM;
		int64_t *grown = mem_resize(m->vanished, cap * sizeof *grown);
		if (!grown)
			return false;
		m->vanished = grown;
		m->vanished_cap = cap;
	}
	m->vanished[m->vanished_count++] = row->id;
	return true;
}

/* What is not on the server by the ledger may be known all the same: QUIT had no
 * answer, or the mail came back from a backup. */
static void listing_match_rest(struct poll *p)
{
	struct ledger_row row;
	ledger_look(p->fetch->ledger);
	for (size_t i = 0; i < p->listed_count; i++) {
		struct listed *l = &p->listed[i];
		if (l->id)
			continue;
		/* In a session that goes on with a look this was done: it is done again for what is
		 * collected, just before it is (poll_take.c). */
		if (l->key && !p->seat->is_continued &&
		    ledger_find_key(p->fetch->ledger, p->seat->entry->label, l->key, &row) && row.is_on_server)
			listing_know(p, l, &row);
		else
			l->is_wanted = true;
		p->fresh += l->is_wanted && !l->is_left;
	}
	ledger_look_end(p->fetch->ledger);
}

static bool listing_set_gone(struct poll *p, const struct match *m)
{
	struct ledger *ledger = p->fetch->ledger;
	if (m->vanished_count == 0 || fetch_is_looking(p->fetch))
		return true;
	bool is_fine = ledger_begin(ledger);
	for (size_t i = 0; is_fine && i < m->vanished_count; i++)
		is_fine = ledger_set_gone(ledger, m->vanished[i]);
	if (is_fine && ledger_commit(ledger))
		return true;
	ledger_rollback(ledger);
	poll_end(p, POLL_DISK, "the ledger cannot be written");
	return false;
}

static bool is_resync(const struct poll *p, const struct match *m)
{
	return m->vanished_count >= RESYNC_MIN && 2 * m->vanished_count >= m->known &&
	       2 * p->fresh >= m->vanished_count;
}

/* --- what is to be done ------------------------------------------------------------ */

static int by_tries(const void *a, const void *b, void *ctx)
{
	const struct listed *all = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	if (all[x].tries != all[y].tries)
		return all[x].tries < all[y].tries ? -1 : 1;
	return (x > y) - (x < y);
}

static void listing_leave_large(struct poll *p, struct listed *l)
{
	struct ledger *ledger = p->fetch->ledger;
	uint64_t max = (uint64_t)p->fetch->setup.settings->mail_bytes_max;
	int64_t id;
	struct ledger_row row = { .state = LEDGER_LEFT, .size_bytes = l->size_bytes, .is_on_server = true,
				  .fetched_ms = poll_now_ms(p), .settled_ms = poll_now_ms(p) };
	l->is_wanted = false;
	p->seat->report.left++;
	if (fetch_is_looking(p->fetch) || !l->key)
		return;
	snprintf(row.account, sizeof row.account, "%s", p->seat->entry->label);
	snprintf(row.key, sizeof row.key, "%s", l->key);
	snprintf(row.why, sizeof row.why, "%llu bytes are more than mail_bytes_max (%llu)",
		 (unsigned long long)l->size_bytes, (unsigned long long)max);
	snprintf(p->seat->report.left_why, sizeof p->seat->report.left_why, "%s", row.why);
	log_warn("fetch-left", "account=%s uidl=%s why=\"%s\"", row.account, row.key, row.why);
	if (!ledger_begin(ledger))
		return;
	if (ledger_add(ledger, &row, &id) != LEDGER_ADDED || !ledger_commit(ledger))
		ledger_rollback(ledger);
}

static bool listing_order(struct poll *p)
{
	p->order = mem_alloc_array(p->listed_count + 1, sizeof *p->order);
	if (!p->order)
		return false;
	for (size_t i = 0; i < p->listed_count; i++) {
		struct listed *l = &p->listed[i];
		if (l->is_wanted && l->size_bytes > (uint64_t)p->fetch->setup.settings->mail_bytes_max)
			listing_leave_large(p, l);
		if (l->is_wanted)
			p->order[p->order_count++] = i;
	}
	/* What failed before comes last: it must not hold up the others (hazard 22). */
	qsort_r(p->order, p->order_count, sizeof *p->order, by_tries, p->listed);
	return true;
}

/* A person said that all of this was seen before. */
static void listing_mark_seen(struct poll *p)
{
	struct ledger *ledger = p->fetch->ledger;
	bool is_fine = ledger_begin(ledger);
	int64_t now_ms = poll_now_ms(p), id;
	for (size_t i = 0; is_fine && i < p->listed_count; i++) {
		struct listed *l = &p->listed[i];
		struct ledger_row row = { .state = LEDGER_SEEN, .size_bytes = l->size_bytes, .is_on_server = true,
					  .fetched_ms = now_ms, .settled_ms = now_ms, .why = "adopted as seen" };
		if (!l->is_wanted || !l->key || l->is_left)
			continue;
		snprintf(row.account, sizeof row.account, "%s", p->seat->entry->label);
		snprintf(row.key, sizeof row.key, "%s", l->key);
		is_fine = ledger_add(ledger, &row, &id) != LEDGER_FAILED;
		l->is_wanted = false;
	}
	if (p->account.first_ms == 0)
		p->account.first_ms = now_ms;
	p->account.order[0] = '\0';
	if (is_fine && ledger_set_account(ledger, &p->account) && ledger_commit(ledger))
		return;
	ledger_rollback(ledger);
	poll_end(p, POLL_DISK, "the ledger cannot be written");
}

/* True: the look may go on. */
static bool listing_judge(struct poll *p)
{
	const struct fetch_settings *s = p->fetch->setup.settings;
	bool is_first = p->account.first_ms == 0;
	if (fetch_is_looking(p->fetch) || p->seat->is_continued)
		return true;
	p->seat->fresh = p->fresh;
	p->seat->is_backlog = is_first && p->fresh > (uint64_t)s->first_max;
	if (!p->has_uidl && strcmp(p->seat->entry->settings.delete_when, "after-spool") != 0) {
		poll_end(p, POLL_STOPPED, "the server has no UIDL, so mail that stays there would come again at each "
			 "poll: set delete: after-spool for this account");
		return false;
	}
	if (strcmp(p->account.order, "mark-seen") == 0) {
		listing_mark_seen(p);
		return p->phase != PHASE_OVER;
	}
	if (is_first && p->fresh > (uint64_t)s->first_max && p->account.order[0] == '\0') {
		poll_end(p, POLL_STOPPED, "%llu mails lie there at the first poll (first_max is %lld): say quell fetch "
			 "adopt %s --deliver to collect them all, or --mark-seen to collect only what comes from now "
			 "on",
			 (unsigned long long)p->fresh, (long long)s->first_max, p->seat->entry->label);
		return false;
	}
	uint64_t usual = (uint64_t)p->account.usual_new / 1000;
	uint64_t most = usual * (uint64_t)s->burst_factor;
	if (most < (uint64_t)s->burst_min)
		most = (uint64_t)s->burst_min;
	if (!is_first && p->fresh > most && p->account.order[0] == '\0')
		snprintf(p->stop, sizeof p->stop, "%llu new mails in one poll, where %llu are usual",
			 (unsigned long long)p->fresh, (unsigned long long)usual);
	return true;
}

/* --- headers alone: keys that stand twice, and new names for old mail ------------- */

static void tops_ask(struct poll *p)
{
	while (p->top_next < p->listed_count && p->tops_open < p->window) {
		struct listed *l = &p->listed[p->top_next];
		if (l->want_top && !pop3_top(p->pop3, l->number, 0))
			break;
		p->tops_open += l->want_top;
		p->top_next++;
	}
}

static void tops_done(struct poll *p);

static void poll_ask_tops(struct poll *p, enum tops_purpose purpose)
{
	p->phase = PHASE_TOPS;
	p->tops_purpose = purpose;
	p->top_next = p->tops_open = 0;
	tops_ask(p);
	if (p->tops_open == 0)
		tops_done(p);
}

static bool renamed_row(void *ctx, const struct ledger_row *row)
{
	struct poll *p = ctx;
	if (p->former_count == p->former_cap) {
		size_t cap = p->former_cap ? p->former_cap * 2 : LIST_FIRST_ROOM;
		struct former *grown = mem_resize(p->former, cap * sizeof *grown);
		if (!grown)
			return false;
		p->former = grown;
		p->former_cap = cap;
	}
	struct former *f = &p->former[p->former_count++];
	memcpy(f->top, row->top, sizeof f->top);
	f->id = row->id;
	return true;
}

static int by_top(const void *a, const void *b)
{
	const struct former *x = a, *y = b;
	return memcmp(x->top, y->top, sizeof x->top);
}

/* All headers we ever saw of this account, to find renamed mail among them. */
static void tops_remember(struct poll *p)
{
	ledger_each_of_account(p->fetch->ledger, p->seat->entry->label, renamed_row, p);
	if (p->former_count > 0)
		qsort(p->former, p->former_count, sizeof *p->former, by_top);
}

static bool tops_find(struct poll *p, const struct ledger_row *header, struct ledger_row *row_out)
{
	struct former key = { .id = 0 };
	memcpy(key.top, header->top, sizeof key.top);
	const struct former *f = p->former_count == 0 ? NULL
		: bsearch(&key, p->former, p->former_count, sizeof *p->former, by_top);
	return f && ledger_find(p->fetch->ledger, f->id, row_out);
}

/* The header of a mail that we may know by another name. */
static void top_match(struct poll *p, struct listed *l, const struct ledger_row *header)
{
	struct ledger_row row;
	struct ledger *ledger = p->fetch->ledger;
	if (l->id || !tops_find(p, header, &row))
		return;
	if (fetch_is_looking(p->fetch)) {
		l->is_wanted = false;
		return;
	}
	if (ledger_begin(ledger) && ledger_set_key(ledger, row.id, l->key) && ledger_commit(ledger)) {
		listing_know(p, l, &row);
		p->fresh -= p->fresh > 0;
	} else {
		ledger_rollback(ledger);
	}
}

static void top_say(struct poll *p, const struct listed *l, const struct ledger_row *row)
{
	fetch_say(p->fetch, "mail", p->seat->entry->label, "%s (%llu bytes): %s%s", l->key ? l->key : "no UIDL",
		  (unsigned long long)l->size_bytes,
		  row->state == LEDGER_QUARANTINE ? "to quarantine: " : "to ",
		  row->state == LEDGER_QUARANTINE ? row->why : row->mailbox);
}

static void top_name(struct poll *p, struct listed *l, const struct ledger_row *header)
{
	char hex[2 * LEDGER_TOP_BYTES + 1], key[LEDGER_KEY_BYTES];
	hash_to_hex(header->top, sizeof header->top, hex);
	snprintf(key, sizeof key, "%.80s|%llu|%s", l->key, (unsigned long long)l->size_bytes, hex);
	l->key = listing_text(p, key);
	l->is_named = true;
}

static void top_end(struct poll *p, struct listed *l)
{
	struct ledger_row row = { .state = LEDGER_WAITING };
	incoming_end(&p->in, p, &row);
	if (p->tops_purpose == TOPS_NAME)
		top_name(p, l, &row);
	else if (p->fetch->setup.mode == FETCH_DRY_RUN)
		top_say(p, l, &row);
	else
		top_match(p, l, &row);
}

void poll_on_top(struct poll *p, const struct pop3_event *e)
{
	struct listed *l = listing_at(p, e->number);
	bool is_over = e->kind == POP3_MAIL_END || (e->kind == POP3_REPLY && !e->reply.is_ok);
	if (!l || e->command != POP3_TOP) {
		poll_surprise(p, e);
		return;
	}
	if (e->kind == POP3_REPLY && e->reply.is_ok)
		incoming_begin(&p->in);
	else if (e->kind == POP3_MAIL_BYTES)
		incoming_add(&p->in, p, e->bytes, NULL);
	if (e->kind == POP3_MAIL_END)
		top_end(p, l);
	if (!is_over)
		return;
	p->tops_open--;
	tops_ask(p);
	if (p->tops_open == 0 && p->top_next == p->listed_count)
		tops_done(p);
}

static void poll_match(struct poll *p);

static void tops_done(struct poll *p)
{
	if (p->tops_purpose == TOPS_NAME) {
		poll_match(p);
		return;
	}
	if (p->fetch->setup.mode == FETCH_DRY_RUN) {
		poll_quit(p);
		return;
	}
	if (!listing_judge(p))
		return;
	if (listing_order(p))
		poll_take(p);
	else
		poll_end(p, POLL_NETWORK, "no memory for so many mails");
}

/* Are headers needed to know what is new, or to say where it would go? */
static void poll_plan_tops(struct poll *p, const struct match *m)
{
	bool is_dry = p->fetch->setup.mode == FETCH_DRY_RUN, is_renamed = is_resync(p, m);
	bool want_tops = is_dry || (is_renamed && pop3_caps(p->pop3)->can & POP3_CAN_TOP);
	if (is_renamed)
		log_warn("fetch-renamed", "account=%s gone=%zu new=%llu meaning=\"the server gave new UIDLs\"",
			 p->seat->entry->label, m->vanished_count, (unsigned long long)p->fresh);
	for (size_t i = 0; i < p->listed_count; i++) {
		struct listed *l = &p->listed[i];
		l->want_top = want_tops && l->is_wanted && !l->is_left && (l->key || is_dry);
	}
	if (is_renamed)
		tops_remember(p);
	if (listing_set_gone(p, m))
		poll_ask_tops(p, TOPS_KNOW);
}

/* --- the look ------------------------------------------------------------------------ */

static void poll_say_box(struct poll *p, const struct pop3_event *e)
{
	const struct pop3_caps *caps = pop3_caps(p->pop3);
	const char *label = p->seat->entry->label;
	fetch_say(p->fetch, "account", label, "%u mails, %llu bytes; UIDL %s, TOP %s, pipelining %s", e->number,
		  (unsigned long long)e->size_bytes, caps->can & POP3_CAN_UIDL ? "yes" : "not said",
		  caps->can & POP3_CAN_TOP ? "yes" : "not said", caps->can & POP3_CAN_PIPELINING ? "yes" : "no");
	if (caps->login_delay_ms > 0)
		fetch_say(p->fetch, "account", label, "wants %lld s between two polls",
			  (long long)caps->login_delay_ms / 1000);
	if (caps->is_expire_said && caps->expire_days >= 0)
		fetch_say(p->fetch, "account", label, "deletes mail by itself after %lld days",
			  (long long)caps->expire_days);
	if (strcmp(p->seat->entry->settings.delete_when, "never") == 0)
		fetch_say(p->fetch, "account", label, "warning: delete: never, so the box grows until it is full");
	poll_quit(p);
}

static void poll_match(struct poll *p)
{
	struct match m = { .p = p, .sorted = listing_sorted(p) };
	if (!m.sorted) {
		poll_end(p, POLL_NETWORK, "no memory for so many mails");
		return;
	}
	listing_unname_twice(p, m.sorted);
	qsort(m.sorted, p->listed_count, sizeof *m.sorted, by_key);
	bool is_read = ledger_account(p->fetch->ledger, p->seat->entry->label, &p->account) &&
		       ledger_each_on_server(p->fetch->ledger, p->seat->entry->label, match_row, &m);
	mem_free(m.sorted);
	if (!is_read) {
		poll_end(p, POLL_DISK, "the ledger cannot be read");
	} else {
		listing_match_rest(p);
		poll_plan_tops(p, &m);
	}
	mem_free(m.vanished);
}

static void poll_name_twice(struct poll *p)
{
	struct listed **sorted = listing_sorted(p);
	bool is_found = sorted && listing_find_twice(p, sorted);
	mem_free(sorted);
	if (is_found && pop3_caps(p->pop3)->can & POP3_CAN_TOP)
		poll_ask_tops(p, TOPS_NAME);
	else
		poll_match(p);
}

void poll_look(struct poll *p)
{
	if (p->fetch->setup.mode == FETCH_CHECK) {
		p->phase = PHASE_STAT;
		pop3_stat(p->pop3);
		return;
	}
	p->phase = PHASE_LIST;
	pop3_list(p->pop3);
	if (p->window > 1)
		pop3_uidl(p->pop3);
}

static void poll_on_named(struct poll *p, bool has_uidl)
{
	p->has_uidl = has_uidl;
	p->seat->report.listed = p->listed_count;
	for (size_t i = 0; has_uidl && i < p->listed_count; i++)
		if (!p->listed[i].key) {
			poll_end(p, POLL_SERVER, "the server names no UIDL for mail %u", p->listed[i].number);
			return;
		}
	poll_name_twice(p);
}

void poll_on_listing(struct poll *p, const struct pop3_event *e)
{
	char words[256];
	bool is_list = e->command == POP3_LIST, is_uidl = e->command == POP3_UIDL;
	if (e->kind == POP3_REPLY && e->command == POP3_STAT && e->reply.is_ok)
		poll_say_box(p, e);
	else if (e->kind == POP3_ROW && is_list)
		listing_add(p, e);
	else if (e->kind == POP3_ROW && is_uidl)
		listing_name(p, e);
	else if (e->kind == POP3_ROWS_END && is_uidl)
		poll_on_named(p, true);
	else if (e->kind == POP3_REPLY && is_uidl && !e->reply.is_ok)
		poll_on_named(p, false);
	else if (e->kind == POP3_REPLY && !e->reply.is_ok)
		poll_end(p, POLL_SERVER, "the server does not list its mail: %s", poll_words(e->reply.text, words));
	else if (e->kind == POP3_ROWS_END && is_list && p->window == 1)
		pop3_uidl(p->pop3);
	else if (e->kind != POP3_ROWS_END && e->kind != POP3_REPLY)
		poll_surprise(p, e);
}
