/* SPDX-License-Identifier: Apache-2.0
 *
 * patterns: the records are sorted by what they may have in common (thread, pair of
 * addresses, target), then by time, and each run is looked at through a moving window.
 */
#include "flow/patterns.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
	REPLY_AUDIENCE_MIN = 100,
	REPLY_AUTHORS_MIN = 5,
	PING_ALTERNATIONS_MIN = 4,    /* with a machine on one side at least */
	BOUNCES_MIN = 50,
	BOUNCES_TIMES_USUAL = 10,
	ANSWERS_MIN = 8,              /* of different programs, to one address within a minute */
	AUTHORS_MAX = 64,             /* told apart in one window */
};
static const int64_t REPLY_WINDOW_MS = 30 * 60 * 1000, HOUR_MS = 60 * 60 * 1000, MINUTE_MS = 60 * 1000;

/* Which records, and what they must have in common. */
struct pattern_row {
	enum storm_class cls;
	uint32_t mails_min;                              /* fewer are never one */
	uint64_t (*key)(const struct index_record *r); /* 0: not of this kind */
	void (*judge)(struct index *index, const uint32_t *run, uint32_t count,
		      struct pattern *pattern);        /* sets pattern->count when it is one */
};

static uint64_t reply_key(const struct index_record *r)
{
	bool is_reply = (r->flags & INDEX_REPLY) && !(r->flags & INDEX_LIST);
	return is_reply && r->audience >= REPLY_AUDIENCE_MIN ? r->thread_key : 0;
}

static uint64_t pair_key(const struct index_record *r)
{
	bool is_pair = r->from_key && r->to_key && r->from_key != r->to_key && r->audience == 1 &&
		       !(r->flags & INDEX_LIST);
	return is_pair ? (r->from_key ^ r->to_key) + r->thread_key : 0;
}

static uint64_t bounce_key(const struct index_record *r)
{
	return r->flags & INDEX_REPORT ? r->to_key : 0;
}

static uint64_t answer_key(const struct index_record *r)
{
	return r->flags & INDEX_ANSWER ? r->to_key : 0;
}

/* The first of the run that lies in the window which ends with run[end]. */
static uint32_t window_start(const struct index *index, const uint32_t *run, uint32_t start, uint32_t end,
			     int64_t window_ms)
{
	while (index_at(index, run[end])->time_ms - index_at(index, run[start])->time_ms > window_ms)
		start++;
	return start;
}

static uint32_t distinct_authors(const struct index *index, const uint32_t *run, uint32_t count)
{
	uint64_t seen[AUTHORS_MAX];
	uint32_t authors = 0;
	for (uint32_t i = 0; i < count && authors < AUTHORS_MAX; i++) {
		uint64_t author = index_at(index, run[i])->from_key;
		uint32_t k = 0;
		while (k < authors && seen[k] != author)
			k++;
		if (k == authors)
			seen[authors++] = author;
	}
	return authors;
}

/* The window with the most authors. */
static void judge_authors(struct index *index, const uint32_t *run, uint32_t count, int64_t window_ms,
			  struct pattern *p)
{
	for (uint32_t end = 0, start = 0; end < count; end++) {
		start = window_start(index, run, start, end, window_ms);
		uint32_t authors = distinct_authors(index, run + start, end - start + 1);
		if (authors >= p->authors) {
			p->authors = authors;
			p->worst_count = end - start + 1;
			p->worst_ms = index_at(index, run[start])->time_ms;
		}
	}
}

static void judge_replies(struct index *index, const uint32_t *run, uint32_t count, struct pattern *p)
{
	judge_authors(index, run, count, REPLY_WINDOW_MS, p);
	p->count = p->authors >= REPLY_AUTHORS_MIN ? count : 0;
}

static void judge_answers(struct index *index, const uint32_t *run, uint32_t count, struct pattern *p)
{
	judge_authors(index, run, count, MINUTE_MS, p);
	p->count = p->authors >= ANSWERS_MIN ? count : 0;
}

static void judge_ping(struct index *index, const uint32_t *run, uint32_t count, struct pattern *p)
{
	uint32_t turns = 0, automatic = 0;
	for (uint32_t end = 1, start = 0; end < count; end++) {
		uint32_t first = window_start(index, run, start, end, HOUR_MS);
		for (; start < first; start++) { /* what leaves the window takes its turn along */
			turns -= index_at(index, run[start])->from_key != index_at(index, run[start + 1])->from_key;
			automatic -= (index_at(index, run[start])->flags & INDEX_AUTOMATIC) != 0;
		}
		turns += index_at(index, run[end])->from_key != index_at(index, run[end - 1])->from_key;
		automatic += (index_at(index, run[end])->flags & INDEX_AUTOMATIC) != 0;
		/* a, b, a are two turns and one alternation */
		if (turns >= 2 * PING_ALTERNATIONS_MIN && 2 * automatic >= turns / 2 && turns / 2 > p->alternations) {
			p->alternations = turns / 2;
			p->worst_count = end - start + 1;
			p->worst_ms = index_at(index, run[start])->time_ms;
		}
	}
	p->count = p->alternations > 0 ? count : 0;
}

static void judge_bounces(struct index *index, const uint32_t *run, uint32_t count, struct pattern *p)
{
	for (uint32_t end = 0, start = 0; end < count; end++) {
		start = window_start(index, run, start, end, HOUR_MS);
		if (end - start + 1 > p->worst_count) {
			p->worst_count = end - start + 1;
			p->worst_ms = index_at(index, run[start])->time_ms;
		}
	}
	int64_t span_ms = index_at(index, run[count - 1])->time_ms - index_at(index, run[0])->time_ms;
	double hours = (double)span_ms / (double)HOUR_MS - 1;
	double usual = hours > 1 ? (count - p->worst_count) / hours : 0;
	bool is_storm = p->worst_count >= BOUNCES_MIN && p->worst_count >= BOUNCES_TIMES_USUAL * usual;
	p->count = is_storm ? count : 0;
}

static const struct pattern_row pattern_rows[] = {
	{ STORM_REPLY_ALL, REPLY_AUTHORS_MIN, reply_key, judge_replies },
	{ STORM_PING_PONG, 2 * PING_ALTERNATIONS_MIN + 1, pair_key, judge_ping },
	{ STORM_BOUNCE, BOUNCES_MIN, bounce_key, judge_bounces },
	{ STORM_BOUNCE, ANSWERS_MIN, answer_key, judge_answers },
};

struct run_order {
	const struct index *index;
	const struct pattern_row *row;
};

static int run_order(const void *a, const void *b, void *ctx)
{
	const struct run_order *by = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct index_record *p = index_at(by->index, x), *q = index_at(by->index, y);
	uint64_t kp = by->row->key(p), kq = by->row->key(q);
	if (kp != kq)
		return kp < kq ? -1 : 1;
	if (p->time_ms != q->time_ms)
		return p->time_ms < q->time_ms ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Only records whose key comes often enough have to be put in order. */
static uint32_t choose(struct index *index, const struct pattern_row *row, uint32_t *order, struct tally *tally)
{
	uint32_t count = 0, kept = 0;
	tally_clear(tally);
	for (uint32_t i = 0; i < index->mails; i++) {
		const struct index_record *r = index_at(index, i);
		uint64_t key = r->time_ms > 0 ? row->key(r) : 0;
		if (key)
			++*tally_at(tally, key);
		if (key)
			order[count++] = i;
	}
	for (uint32_t i = 0; i < count; i++)
		if (*tally_at(tally, row->key(index_at(index, order[i]))) >= row->mails_min)
			order[kept++] = order[i];
	count = kept;
	struct run_order by = { index, row };
	qsort_r(order, count, sizeof *order, run_order, &by);
	return count;
}

void patterns_find(struct index *index, uint32_t *order, struct tally *tally,
		   void (*found)(void *ctx, const struct pattern *pattern), void *ctx)
{
	for (size_t k = 0; k < sizeof pattern_rows / sizeof pattern_rows[0]; k++) {
		const struct pattern_row *row = &pattern_rows[k];
		uint32_t count = choose(index, row, order, tally);
		for (uint32_t i = 0, end; i < count; i = end) {
			struct pattern p = { .cls = row->cls, .order = order + i };
			uint64_t key = row->key(index_at(index, order[i]));
			for (end = i + 1; end < count && row->key(index_at(index, order[end])) == key; end++)
				;
			row->judge(index, order + i, end - i, &p);
			if (p.count > 0)
				found(ctx, &p);
		}
	}
}
