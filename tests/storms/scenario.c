/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario: the world's clockwork and its books.
 */
#include "scenario.h"

#include "base/buf.h"
#include "base/mem.h"
#include "mail/facts.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { TEXT_BYTES = 65536, FIRST_CAP = 256 };

struct entry { /* one distinct (mail, recipient) */
	char label[64], rcpt[128];
	unsigned offered, delivered, held, bounced;
};

struct pending {
	int64_t due_ms;
	char queue_id[16];
};

struct held {
	uint8_t pair[12];
	char incident[INCIDENT_ID_BYTES];
	unsigned entry;
	bool is_released;
};

struct kept_record {
	int64_t safe_ms; /* on disk from then on */
	struct slice bytes;
};

struct scene {
	struct scene_options options;
	struct storm_setup setup;
	struct facts_setup facts_setup;
	struct ip_net own_net;
	const char *our_hosts[1], *relays[1];
	struct storm *storm;
	int64_t now_ms;
	unsigned sends, alerts, released, dripped, rate_alarms, incarnation;
	struct entry *book;
	unsigned *index; /* 2 * book_cap places */
	struct pending *pending;
	struct held *held;
	size_t book_count, book_cap, pending_first, pending_count, pending_cap, held_count, held_cap;
	uint8_t (*to_release)[12];
	unsigned to_release_count;
	struct kept_record *records;
	size_t record_count, record_cap;
	struct incident incident;
	bool has_incident;
	uint64_t seed;
};

/* Room for one more in a growing array. */
static void *grow(void *items, size_t count, size_t *cap, size_t item_bytes)
{
	if (count < *cap)
		return items;
	*cap = *cap ? 2 * *cap : FIRST_CAP;
	items = mem_resize(items, *cap * item_bytes);
	assert_non_null(items);
	return items;
}

static void on_record(void *ctx, struct slice record, bool is_urgent)
{
	struct scene *s = ctx;
	long fail_after = mem_fail_after; /* the test's want of memory is not the disk's */
	mem_fail_after = -1;
	s->records = grow(s->records, s->record_count, &s->record_cap, sizeof *s->records);
	char *copy = mem_must_alloc(record.len);
	memcpy(copy, record.ptr, record.len);
	s->records[s->record_count++] = (struct kept_record){
		.safe_ms = s->now_ms + (is_urgent ? 0 : 1000), .bytes = slice_make(copy, record.len) };
	mem_fail_after = fail_after;
}

static void on_incident(void *ctx, const struct incident *incident, bool is_change)
{
	struct scene *s = ctx;
	s->incident = *incident;
	s->has_incident = true;
	s->alerts += is_change;
}

static void on_release(void *ctx, const uint8_t pair[12], const char *why)
{
	struct scene *s = ctx;
	assert_true(why[0] != '\0');
	s->to_release = mem_resize(s->to_release, (s->to_release_count + 1) * sizeof *s->to_release);
	memcpy(s->to_release[s->to_release_count++], pair, 12);
}

/* What is held of the incident goes out; its pace is not the engine's matter. */
static void on_drip(void *ctx, const char *incident_id, unsigned per_minute)
{
	struct scene *s = ctx;
	assert_true(per_minute > 0);
	for (size_t i = 0; i < s->held_count; i++) {
		struct held *h = &s->held[i];
		if (h->is_released || strcmp(h->incident, incident_id) != 0)
			continue;
		h->is_released = true;
		s->book[h->entry].delivered++;
		s->book[h->entry].held--;
		s->dripped++;
	}
}

static void on_rate(void *ctx, const struct rate_alarm *alarm)
{
	struct scene *s = ctx;
	assert_true(alarm->why[0] != '\0');
	s->rate_alarms += !alarm->is_over;
}

static void boot(struct scene *s)
{
	struct error error = { .text = "" };
	s->setup.seed = ++s->incarnation;
	s->storm = storm_new(&s->setup, &error);
	if (!s->storm)
		fail_msg("storm_new: %s", error.text);
}

static void setup_scene(struct scene *s)
{
	s->our_hosts[0] = s->options.our_host ? s->options.our_host : "mx.ours.example";
	s->relays[0] = s->options.relay;
	const char *net = s->options.own_net ? s->options.own_net : "10.0.0.0/8";
	assert_true(ip_net_parse(slice_from_str(net), &s->own_net));
	s->setup = (struct storm_setup){ .is_guard = !s->options.is_observing,
					 .has_confirmation = !s->options.is_blind,
					 .relays = s->relays, .relay_count = s->options.relay != NULL };
	memset(s->setup.site_key, 7, sizeof s->setup.site_key);
	memset(s->setup.stamp_key, 9, sizeof s->setup.stamp_key);
	storm_policy_default(&s->setup.policy);
	s->setup.policy.memory_bytes =
		s->options.memory_bytes ? s->options.memory_bytes : 8 * 1024 * 1024;
	s->setup.effects = (struct storm_effects){ s, on_record, on_incident, on_release, on_drip,
						      on_rate };
	s->facts_setup = (struct facts_setup){ .site_key = s->setup.site_key,
					       .our_hosts = s->our_hosts, .our_host_count = 1,
					       .own_nets = &s->own_net, .own_net_count = 1,
					       .authserv_id = slice_from_str(s->our_hosts[0]) };
}

struct scene *scene_new(const struct scene_options *options)
{
	assert_true(hash_start());
	struct scene *s = mem_must_alloc(sizeof *s);
	s->options = options ? *options : (struct scene_options){ 0 };
	s->now_ms = SCENE_START_MS;
	setup_scene(s);
	boot(s);
	return s;
}

void scene_name(struct scene *s, uint64_t seed)
{
	s->seed = seed;
}

struct storm *scene_storm(struct scene *s)
{
	return s->storm;
}

int64_t scene_now(const struct scene *s)
{
	return s->now_ms;
}

/* FNV, as nobody attacks the books. The place in the index; empty or taken. */
static size_t book_find(const struct scene *s, const char *label, const char *rcpt)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (const char *p = label; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	for (const char *p = rcpt; *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	size_t at = (size_t)(h % (2 * s->book_cap));
	for (; s->index[at]; at = (at + 1) % (2 * s->book_cap)) {
		const struct entry *e = &s->book[s->index[at] - 1];
		if (strcmp(e->label, label) == 0 && strcmp(e->rcpt, rcpt) == 0)
			break;
	}
	return at;
}

static const struct entry *book_look(const struct scene *s, const char *label, const char *rcpt)
{
	size_t at = s->book_cap ? book_find(s, label, rcpt) : 0;
	return s->book_cap && s->index[at] ? &s->book[s->index[at] - 1] : NULL;
}

static void grow_book(struct scene *s)
{
	if (s->book_count < s->book_cap)
		return;
	s->book = grow(s->book, s->book_count, &s->book_cap, sizeof *s->book);
	mem_free(s->index);
	s->index = mem_must_alloc(2 * s->book_cap * sizeof *s->index);
	for (size_t i = 0; i < s->book_count; i++)
		s->index[book_find(s, s->book[i].label, s->book[i].rcpt)] = (unsigned)i + 1;
}

static struct entry *book_get(struct scene *s, const char *label, const char *rcpt)
{
	grow_book(s);
	size_t at = book_find(s, label, rcpt);
	if (s->index[at])
		return &s->book[s->index[at] - 1];
	struct entry *e = &s->book[s->book_count++];
	*e = (struct entry){ .offered = 0 };
	snprintf(e->label, sizeof e->label, "%s", label);
	snprintf(e->rcpt, sizeof e->rcpt, "%s", rcpt);
	s->index[at] = (unsigned)s->book_count;
	return e;
}

unsigned scene_delivered(const struct scene *s, const char *label, const char *rcpt)
{
	const struct entry *e = book_look(s, label, rcpt);
	return e ? e->delivered : 0;
}

unsigned scene_held(const struct scene *s, const char *label, const char *rcpt)
{
	const struct entry *e = book_look(s, label, rcpt);
	return e ? e->held : 0;
}

unsigned scene_alerts(const struct scene *s)
{
	return s->alerts;
}

unsigned scene_dripped(const struct scene *s)
{
	return s->dripped;
}

unsigned scene_rate_alarms(const struct scene *s)
{
	return s->rate_alarms;
}

unsigned scene_released(const struct scene *s)
{
	return s->released;
}

const struct incident *scene_incident(const struct scene *s)
{
	return s->has_incident ? &s->incident : NULL;
}

const struct party *incident_party(const struct incident *i, const char *ip)
{
	struct ip wanted;
	assert_true(ip_parse(slice_from_str(ip), &wanted));
	for (unsigned n = 0; i && n < i->party_count; n++)
		for (unsigned a = 0; a < i->parties[n].address_count; a++)
			if (ip_equal(i->parties[n].addresses[a], wanted))
				return &i->parties[n];
	return NULL;
}

/* The newest held copy of the pair goes out, once. */
static void carry_out_releases(struct scene *s)
{
	for (unsigned i = 0; i < s->to_release_count; i++) {
		for (size_t n = s->held_count; n > 0; n--) {
			struct held *h = &s->held[n - 1];
			if (h->is_released || memcmp(h->pair, s->to_release[i], 12) != 0)
				continue;
			h->is_released = true;
			s->book[h->entry].delivered++;
			s->book[h->entry].held--;
			s->released++;
			break;
		}
	}
	s->to_release_count = 0;
}

static void confirm_due(struct scene *s)
{
	while (s->pending_first < s->pending_count) {
		struct pending *p = &s->pending[s->pending_first];
		if (p->due_ms > s->now_ms)
			return;
		storm_queued(s->storm, slice_from_str(p->queue_id), p->due_ms);
		s->pending_first++;
	}
	s->pending_first = s->pending_count = 0;
}

void scene_wait(struct scene *s, int64_t ms)
{
	int64_t end_ms = s->now_ms + ms;
	int64_t step = ms > 10 * MINUTE ? 30 * 1000 : 1000;
	while (s->now_ms < end_ms) {
		s->now_ms = s->now_ms + step < end_ms ? s->now_ms + step : end_ms;
		confirm_due(s);
		storm_tick(s->storm, s->now_ms);
		carry_out_releases(s);
	}
}

static void forget_records(struct scene *s)
{
	for (size_t i = 0; i < s->record_count; i++)
		mem_free((void *)(uintptr_t)s->records[i].bytes.ptr);
	s->record_count = 0;
}

void scene_kill(struct scene *s)
{
	storm_free(s->storm);
	boot(s);
	size_t kept = 0;
	for (size_t i = 0; i < s->record_count; i++) {
		if (s->records[i].safe_ms > s->now_ms) {
			mem_free((void *)(uintptr_t)s->records[i].bytes.ptr);
			continue;
		}
		assert_true(storm_apply(s->storm, s->records[i].bytes));
		s->records[kept++] = s->records[i];
	}
	s->record_count = kept;
	if (s->has_incident)
		storm_remember(s->storm, &s->incident);
}

static bool keep_snapshot(void *ctx, struct slice record)
{
	on_record(ctx, record, true);
	return true;
}

void scene_restart_from_snapshot(struct scene *s)
{
	forget_records(s);
	assert_true(storm_snapshot(s->storm, keep_snapshot, s));
	scene_kill(s);
}

void scene_end(struct scene *s)
{
	scene_wait(s, 5 * 1000);
	for (size_t i = 0; i < s->book_count; i++) {
		const struct entry *e = &s->book[i];
		/* A bounce tells the sender, unless we had a copy to release. */
		if (e->offered > 0 && e->delivered == 0 && (e->bounced == 0 || e->held > 0))
			fail_msg("seed %llu lost: %s for %s was offered %u times, held %u, bounced %u, delivered never",
				 (unsigned long long)s->seed, e->label, e->rcpt, e->offered, e->held,
				 e->bounced);
	}
	struct storm_counters c;
	storm_counters(s->storm, &c);
	if (c.memory_bytes > (uint64_t)s->setup.policy.memory_bytes)
		fail_msg("memory %llu is above the cap %lld", (unsigned long long)c.memory_bytes,
			 (long long)s->setup.policy.memory_bytes);
	storm_free(s->storm);
	forget_records(s);
	mem_free(s->records);
	mem_free(s->book);
	mem_free(s->index);
	mem_free(s->pending);
	mem_free(s->held);
	mem_free(s->to_release);
	mem_free(s);
}

static void take_over(struct scene *s, const struct handing *h, const struct answer *a)
{
	if (a->passed == 0 || s->options.is_blind || h->is_mta_deaf || h->is_mta_dying)
		return;
	s->pending = grow(s->pending, s->pending_count, &s->pending_cap, sizeof *s->pending);
	struct pending *p = &s->pending[s->pending_count++];
	p->due_ms = s->now_ms + (s->options.lag_ms ? s->options.lag_ms : 200);
	memcpy(p->queue_id, a->queue_id, sizeof p->queue_id);
}

static void keep_books(struct scene *s, const char *label, const struct handing *h,
		       const struct verdict *v, struct answer *a)
{
	bool is_taken = !h->is_mta_deaf && !h->is_mta_dying;
	bool is_stored = !h->is_hold_failing;
	for (size_t i = 0; i < a->rcpt_count; i++) {
		struct entry *e = book_get(s, label, h->rcpts[i]);
		snprintf(a->rcpts[i], sizeof a->rcpts[i], "%s", h->rcpts[i]);
		if (a->deeds[i] < DEED_DEFER) {
			e->offered += is_taken;
			e->delivered += is_taken;
			a->passed++;
			continue;
		}
		a->withheld++;
		if (a->deeds[i] == DEED_DEFER)
			continue; /* its sender has it still */
		e->offered += is_stored;
		if (!is_stored)
			continue;
		s->held = grow(s->held, s->held_count, &s->held_cap, sizeof *s->held);
		struct held *held = &s->held[s->held_count++];
		held->is_released = false;
		memcpy(held->pair, v->rcpts[i].pair, 12);
		memcpy(held->incident, v->incident, sizeof held->incident);
		/* What nobody has had yet is never put away for good. */
		assert_true(!v->rcpts[i].is_first || a->deeds[i] == DEED_HOLD);
		held->entry = (unsigned)(e - s->book);
		e->held++;
	}
}

static void check_words(const struct verdict *v)
{
	assert_non_null(v->rule);
	if (v->harshest > DEED_PASS)
		assert_true(v->reason[0] != '\0');
	assert_true(memchr(v->reason, '\0', sizeof v->reason) != NULL);
	for (const char *p = v->reason; *p; p++)
		assert_true((unsigned char)*p >= 0x20);
}

static void fill_envelope(const struct handing *h, const char *queue_id, struct slice *rcpts,
			  struct envelope *e)
{
	while (h->rcpts[e->rcpt_count]) {
		rcpts[e->rcpt_count] = slice_from_str(h->rcpts[e->rcpt_count]);
		e->rcpt_count++;
	}
	e->rcpts = rcpts;
	e->mail_from = h->is_null_sender ? SLICE("") : SLICE("author@author.example");
	e->queue_id = slice_from_str(queue_id);
	if (h->is_mailbox)
		return;
	assert_true(ip_parse(slice_from_str(h->ip ? h->ip : "192.0.2.25"), &e->client_ip));
	e->client_name = slice_from_str(h->name ? h->name : h->ip ? NULL : "mail.author.example");
	e->helo = slice_from_str(h->helo ? h->helo : h->name ? h->name : "mail.author.example");
	e->auth_user = slice_from_str(h->auth);
	e->is_submission = h->is_submission;
}

static void copy_answer(struct scene *s, const struct facts *facts, const struct verdict *v,
			struct answer *a)
{
	struct buf stamp;
	a->deed = v->harshest;
	a->tier = v->tier;
	a->cls = v->cls;
	a->txn = v->txn;
	snprintf(a->rule, sizeof a->rule, "%s", v->rule);
	memcpy(a->reason, v->reason, sizeof a->reason);
	memcpy(a->incident, v->incident, sizeof a->incident);
	for (size_t i = 0; i < a->rcpt_count; i++)
		a->deeds[i] = v->rcpts[i].deed;
	buf_init(&stamp, 1024);
	if (storm_stamp(s->storm, facts, v->txn, s->now_ms, &stamp))
		snprintf(a->stamp, sizeof a->stamp, "%s", buf_str(&stamp));
	buf_free(&stamp);
}

struct answer scene_send_text(struct scene *s, const char *label, const char *text, size_t len,
			      const struct handing *h)
{
	struct answer a = { 0 };
	struct arena arena;
	struct slice rcpts[SCENE_RCPTS_MAX];
	struct envelope envelope = { 0 };
	struct verdict verdict;
	confirm_due(s);
	snprintf(a.label, sizeof a.label, "%s", label);
	snprintf(a.queue_id, sizeof a.queue_id, "Q%X%X", s->incarnation, ++s->sends);
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	fill_envelope(h, a.queue_id, rcpts, &envelope);
	struct facts_builder *builder = facts_begin(&arena, &s->facts_setup);
	assert_non_null(builder);
	facts_raw(builder, slice_make(text, len));
	const struct facts *facts = facts_end(builder, &envelope, s->now_ms);
	storm_judge(s->storm, facts, s->now_ms, &arena, &verdict);
	assert_int_equal(verdict.rcpt_count, envelope.rcpt_count);
	check_words(&verdict);
	a.rcpt_count = verdict.rcpt_count;
	copy_answer(s, facts, &verdict, &a);
	keep_books(s, label, h, &verdict, &a);
	take_over(s, h, &a);
	if (s->options.may_log_loudly)
		printf("# %lld %s %s %s %s: %s\n", (long long)(s->now_ms - SCENE_START_MS) / 1000, label,
		       tier_name(a.tier), deed_name(a.deed), a.rule, a.reason);
	arena_free(&arena);
	return a;
}

struct answer scene_send(struct scene *s, const struct letter *l, const struct handing *h)
{
	static char text[TEXT_BYTES];
	size_t len = letter_text(l, text, sizeof text);
	return scene_send_text(s, l->label, text, len, h);
}

void scene_bounce(struct scene *s, const struct answer *a, const char *rcpt)
{
	struct entry *e = book_get(s, a->label, rcpt);
	e->delivered--;
	if (s->options.may_log_loudly)
		printf("# %lld %s bounce %s for %s\n", (long long)(s->now_ms - SCENE_START_MS) / 1000,
		       a->label, a->queue_id, rcpt);
	e->bounced++;
	storm_bounced(s->storm, slice_from_str(a->queue_id), slice_from_str(rcpt), s->now_ms);
	carry_out_releases(s);
}

void letter_date(struct letter *l, int64_t when_ms)
{
	time_t when = (time_t)(when_ms / 1000);
	struct tm tm;
	gmtime_r(&when, &tm);
	strftime(l->date, sizeof l->date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
}

void letter_renew(const struct scene *s, struct letter *l, const char *at_host)
{
	static unsigned serial;
	snprintf(l->message_id, sizeof l->message_id, "<%u.%lld@%s>", ++serial,
		 (long long)s->now_ms / 1000, at_host);
	letter_date(l, s->now_ms);
}

void letter_write(const struct scene *s, struct letter *l, const char *label, const char *from,
		  const char *to, const char *subject, const char *body)
{
	*l = (struct letter){ .head = "" };
	snprintf(l->label, sizeof l->label, "%s", label);
	snprintf(l->from, sizeof l->from, "%s", from);
	snprintf(l->to, sizeof l->to, "%s", to);
	snprintf(l->subject, sizeof l->subject, "%s", subject);
	snprintf(l->body, sizeof l->body, "%s", body);
	letter_renew(s, l, "author.example");
}

void letter_add(struct letter *l, const char *format, ...)
{
	size_t len = strlen(l->extra);
	va_list args;
	va_start(args, format);
	int n = vsnprintf(l->extra + len, sizeof l->extra - len, format, args);
	va_end(args);
	assert_true(n > 0 && len + (size_t)n + 3 < sizeof l->extra);
	strcat(l->extra, "\r\n");
}

void letter_trace(struct letter *l, const char *format, ...)
{
	char line[2048];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line - 2, format, args);
	va_end(args);
	assert_true(n > 0 && n < (int)sizeof line - 2);
	strcat(line, "\r\n");
	size_t len = strlen(line), old = strlen(l->head);
	if (old + len >= sizeof l->head)
		old = sizeof l->head - len - 1;
	memmove(l->head + len, l->head, old);
	memcpy(l->head, line, len);
	l->head[len + old] = '\0';
}

size_t letter_text(const struct letter *l, char *out, size_t out_bytes)
{
	int n = snprintf(out, out_bytes, "%sFrom: %s\r\nTo: %s\r\n%s%s%sSubject: %s\r\n%s%s%s%s%s%s%s\r\n%s",
			 l->head, l->from, l->to, l->cc[0] ? "Cc: " : "", l->cc, l->cc[0] ? "\r\n" : "",
			 l->subject, l->date[0] ? "Date: " : "", l->date, l->date[0] ? "\r\n" : "",
			 l->message_id[0] ? "Message-ID: " : "", l->message_id,
			 l->message_id[0] ? "\r\n" : "", l->extra, l->body);
	assert_true(n > 0 && (size_t)n < out_bytes);
	return (size_t)n;
}

static void received_date(int64_t when_ms, char out[64])
{
	struct letter l;
	letter_date(&l, when_ms);
	memcpy(out, l.date, 64);
}

void letter_arrived(const struct scene *s, struct letter *l, const struct answer *a,
		    const struct handing *h)
{
	char date[64];
	received_date(s->now_ms, date);
	if (a->stamp[0])
		letter_trace(l, "X-Quell-Trace: %s", a->stamp);
	letter_trace(l, "Received: from %s (%s [%s])\r\n\tby %s (Postfix) with ESMTP id %s;\r\n\t%s",
		     h->helo ? h->helo : h->name ? h->name : "mail.author.example",
		     h->name ? h->name : "mail.author.example", h->ip ? h->ip : "192.0.2.25",
		     s->our_hosts[0], a->queue_id, date);
}

/* Microsoft's time: 100 ns since 1601. */
static uint64_t filetime(int64_t when_ms)
{
	return ((uint64_t)when_ms + UINT64_C(11644473600000)) * 10000;
}

/* In place: the connector's own mailbox gets the prefix. */
static void add_prefix(const struct connector *c, struct letter *l)
{
	char own[256], marked[512], out[2 * LETTER_FIELD_BYTES];
	snprintf(own, sizeof own, "%s@%s", c->user, c->domain);
	snprintf(marked, sizeof marked, "mspop3connector.%s", own);
	char *at = strstr(l->to, own);
	if (at && (at == l->to || at[-1] != '.')) {
		snprintf(out, sizeof out, "%.*s%s%s", (int)(at - l->to), l->to, marked,
			 at + strlen(own));
		snprintf(l->to, sizeof l->to, "%.4000s", out);
	} else if (!at) {
		size_t len = strlen(l->to);
		snprintf(l->to + len, sizeof l->to - len, ", \"IMB Recipient 1\" <%s>", marked);
	}
}

void connector_pass(const struct scene *s, const struct connector *c, struct letter *l)
{
	static unsigned serial;
	char date[64];
	int64_t here_ms = s->now_ms + c->clock_ms;
	uint64_t ft = filetime(here_ms);
	if (!c->is_keeping) {
		/* All Received lines go; unknown fields, our stamp too, stay. */
		char kept[LETTER_HEAD_BYTES] = "";
		for (char *line = l->head; *line;) {
			char *end = line;
			do
				end = strstr(end, "\r\n") + 2;
			while (*end == ' ' || *end == '\t');
			if (strncmp(line, "Received:", 9) != 0)
				strncat(kept, line, (size_t)(end - line));
			line = end;
		}
		memcpy(l->head, kept, sizeof l->head);
		snprintf(l->message_id, sizeof l->message_id, "<%04x%08x$%08x$%08x@%s>",
			 serial++ & 0xffff, (unsigned)(ft >> 32), (unsigned)ft, c->lan_ip,
			 c->internal ? c->internal : c->domain);
		letter_date(l, here_ms);
	}
	if (!c->is_without_marks)
		add_prefix(c, l);
	if (!c->is_without_hop && !strstr(l->extra, "X-OriginalArrivalTime")) {
		uint64_t arrival = filetime(here_ms + 60);
		letter_add(l, "X-OriginalArrivalTime: 06 Dec 2005 09:31:12.0593 (UTC) FILETIME=[%08X:%08X]",
			   (unsigned)arrival, (unsigned)(arrival >> 32));
	}
	received_date(here_ms, date);
	if (!c->is_without_hop)
		letter_trace(l, "Received: from mail pickup service by %s with Microsoft SMTPSVC;\r\n\t %s",
			     c->domain, date);
}

void connector_relay(const struct scene *s, const struct connector *c, const char *relay,
		     struct letter *l)
{
	static unsigned serial;
	char date[64];
	received_date(s->now_ms, date);
	letter_trace(l, "Received: from %s (%s [%s])\r\n\tby %s with ESMTP id R%u;\r\n\t%s", c->domain,
		     c->name ? c->name : "unknown", c->ip, relay, ++serial, date);
}

struct handing connector_hands(const struct connector *c, const char *rcpt)
{
	return (struct handing){ .ip = c->ip, .name = c->name, .helo = c->domain, .rcpts = { rcpt } };
}

static const char *folder_if_there(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? path : NULL;
}

const char *scene_shared(void)
{
	static char beside[4096];
	const char *source = getenv("QUELL_SOURCE"), *named = folder_if_there(getenv("QUELL_SHARED"));
	snprintf(beside, sizeof beside, "%s/../shared", source ? source : ".");
	return named ? named : folder_if_there(beside);
}

const char *scene_sets(void)
{
	static char home[4096];
	const char *named = folder_if_there(getenv("QUELL_DATA"));
	snprintf(home, sizeof home, "%s/.cache/quell-data", getenv("HOME") ? getenv("HOME") : "");
	return named ? named : folder_if_there(home);
}

struct slice scene_file(const char *folder, const char *name)
{
	char path[8192];
	struct stat st;
	snprintf(path, sizeof path, "%s%s%s", folder, name[0] ? "/" : "", name);
	FILE *file = fopen(path, "rb");
	if (!file)
		return slice_make(NULL, 0);
	assert_int_equal(fstat(fileno(file), &st), 0);
	char *bytes = mem_must_alloc((size_t)st.st_size + 1);
	size_t got = fread(bytes, 1, (size_t)st.st_size, file);
	fclose(file);
	return slice_make(bytes, got);
}

void expect_deed(const struct answer *a, enum deed deed, const char *where)
{
	if (a->deed != deed)
		fail_msg("%s: %s (%s, %s: %s), wanted %s", where, deed_name(a->deed),
			 tier_name(a->tier), a->rule, a->reason, deed_name(deed));
}

void expect_tier(const struct answer *a, enum tier tier, const char *where)
{
	if (a->tier != tier)
		fail_msg("%s: tier %s (%s: %s), wanted %s", where, tier_name(a->tier), a->rule,
			 a->reason, tier_name(tier));
}
