/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead: see ahead.h.
 *
 * An event is some 600 bytes, nearly all of them empty; between two processors each line of
 * cache counts. So a batch holds the texts, one after the other, and beside them rows: what
 * an event says in numbers, and the places of the texts that it has.
 */
#include "door/ahead.h"

#include "base/mem.h"

#include <pthread.h>
#include <stddef.h>

/* The texts of an event, each at its number (see fields_of). */
static const uint16_t fields[] = {
	offsetof(struct maillog_event, time),      offsetof(struct maillog_event, host),
	offsetof(struct maillog_event, program),   offsetof(struct maillog_event, service),
	offsetof(struct maillog_event, queue_id),  offsetof(struct maillog_event, other_id),
	offsetof(struct maillog_event, from),      offsetof(struct maillog_event, rcpt),
	offsetof(struct maillog_event, orig_rcpt), offsetof(struct maillog_event, message_id),
	offsetof(struct maillog_event, dsn),       offsetof(struct maillog_event, relay),
	offsetof(struct maillog_event, client),    offsetof(struct maillog_event, sasl_user),
	offsetof(struct maillog_event, text),      offsetof(struct maillog_event, helo),
	offsetof(struct maillog_event, subject),   offsetof(struct maillog_event, in_reply_to),
	offsetof(struct maillog_event, rcpts),     offsetof(struct maillog_event, notice_of),
	offsetof(struct maillog_event, client_host),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0], BATCHES = 2 };

struct place {
	uint32_t at, len;
};

struct row {
	struct place line;
	uint32_t fields;         /* a bit for each text that is not empty */
	uint8_t kind, format;
	bool is_cut, has_from, has_delays;
	char rcpts_separator;
	uint64_t size_bytes, nrcpt;
};

/* The greatest row: behind it its delays, then its places. */
enum {
	ROW_BYTES_MAX = sizeof(struct row) + 5 * sizeof(int64_t) + FIELD_COUNT * sizeof(struct place),
	ROWS_BYTES = AHEAD_TEXT_BYTES,
};

struct batch {
	char *text, *rows;
	size_t text_cap, text_len, rows_len;
	size_t read;             /* of rows, by who takes them */
	uint64_t done_bytes;
	bool is_full, is_last;   /* is_full: it is the taker's */
};

struct ahead {
	struct lines *lines;
	struct maillog_reader *reader;
	struct batch batches[BATCHES];
	unsigned taking;         /* the batch that the taker has, or waits for */
	bool has_batch, is_closed;
	uint64_t done_bytes;
	pthread_mutex_t lock;    /* of is_full and is_closed */
	pthread_cond_t change;
	pthread_t thread;
};

/* ---- the thread's side ---- */

static struct slice *field_of(struct maillog_event *event, unsigned i)
{
	return (struct slice *)(void *)((char *)event + fields[i]);
}

static size_t add_bytes(struct batch *b, const void *bytes, size_t n)
{
	memcpy(b->rows + b->rows_len, bytes, n);
	b->rows_len += n;
	return n;
}

/* Where a text of the line lies; one that had to be unescaped is put behind the line. */
static struct place place_of(struct batch *b, struct place line, struct slice s)
{
	size_t at = (size_t)(s.ptr - b->text);
	if ((uintptr_t)s.ptr < (uintptr_t)b->text || at > line.at + line.len) {
		at = b->text_len;
		memcpy(b->text + at, s.ptr, s.len);
		b->text_len += s.len;
	}
	return (struct place){ (uint32_t)at, (uint32_t)s.len };
}

static bool event_has_delays(const struct maillog_event *ev)
{
	bool has = ev->delay_ms >= 0;
	for (int i = 0; i < 4; i++)
		has |= ev->delays_ms[i] >= 0;
	return has;
}

/* What the watch (watch/watch.h) asks of an event; the rest need not travel. */
static uint32_t fields_of(struct maillog_event *ev)
{
	enum { TIME_AND_HOST = 3, WHO = 4 + 8, TEXT = 1 << 14 };
	uint32_t all = 0;
	if (ev->kind == MAILLOG_OTHER)
		all = ev->format == MAILLOG_UNKNOWN ? TIME_AND_HOST : TIME_AND_HOST | WHO;
	else if ((ev->kind != MAILLOG_CONNECT && ev->kind != MAILLOG_DISCONNECT && ev->kind != MAILLOG_LOGIN) ||
		 ev->other_id.len > 0)
		all = ~(uint32_t)(WHO | TEXT);
	else
		all = TIME_AND_HOST;
	uint32_t has = 0;
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		has |= (uint32_t)(field_of(ev, i)->len > 0) << i;
	return all & has;
}

static void batch_add(struct batch *b, struct place line, struct maillog_event *ev, bool is_cut)
{
	struct row row = { .line = line, .kind = (uint8_t)ev->kind, .format = (uint8_t)ev->format,
			   .is_cut = is_cut, .has_from = ev->has_from, .has_delays = event_has_delays(ev),
			   .rcpts_separator = ev->rcpts_separator, .size_bytes = ev->size_bytes,
			   .nrcpt = ev->nrcpt };
	row.fields = fields_of(ev);
	add_bytes(b, &row, sizeof row);
	if (row.has_delays) {
		add_bytes(b, &ev->delay_ms, sizeof ev->delay_ms);
		add_bytes(b, ev->delays_ms, sizeof ev->delays_ms);
	}
	for (uint32_t left = row.fields; left; left &= left - 1) {
		struct place place = place_of(b, line, *field_of(ev, (unsigned)__builtin_ctz(left)));
		add_bytes(b, &place, sizeof place);
	}
}

/* Room for a line and what may have to be unescaped of it. A line that is longer than all
 * the room gets more of it when it is alone; without memory it is cut. */
static size_t batch_room(struct batch *b, size_t line_len)
{
	size_t needed = b->text_len + line_len + MAILLOG_SCRATCH_BYTES;
	if (needed > b->text_cap && b->text_len == 0) {
		char *grown = mem_resize(b->text, needed);
		if (!grown)
			return b->text_cap - MAILLOG_SCRATCH_BYTES;
		b->text = grown;
		b->text_cap = needed;
	}
	return needed <= b->text_cap && b->rows_len + ROW_BYTES_MAX <= ROWS_BYTES ? line_len : SIZE_MAX;
}

/* Lines until it is full; *line: one that found no room in the batch before. */
static void batch_fill(struct ahead *a, struct batch *b, struct slice *line)
{
	struct maillog_event event;
	uint64_t all;
	b->text_len = b->rows_len = b->read = 0;
	while (line->ptr || lines_next(a->lines, line)) {
		size_t len = batch_room(b, line->len);
		if (len == SIZE_MAX)
			break;
		struct place place = { (uint32_t)b->text_len, (uint32_t)len };
		if (len > 0)
			memcpy(b->text + b->text_len, line->ptr, len);
		b->text_len += len;
		maillog_reader_line(a->reader, slice_make(b->text + place.at, len), &event);
		batch_add(b, place, &event, lines_is_cut(a->lines) || len < line->len);
		line->ptr = NULL;
	}
	b->is_last = !line->ptr;
	lines_progress(a->lines, &b->done_bytes, &all);
}

static void *ahead_run(void *ctx)
{
	struct ahead *a = ctx;
	struct slice line = { NULL, 0 };
	for (unsigned i = 0;; i = (i + 1) % BATCHES) {
		struct batch *b = &a->batches[i];
		pthread_mutex_lock(&a->lock);
		while (b->is_full && !a->is_closed)
			pthread_cond_wait(&a->change, &a->lock);
		bool is_closed = a->is_closed;
		pthread_mutex_unlock(&a->lock);
		if (is_closed)
			return NULL;
		batch_fill(a, b, &line);
		bool is_last = b->is_last;
		pthread_mutex_lock(&a->lock);
		b->is_full = true;
		pthread_cond_signal(&a->change);
		pthread_mutex_unlock(&a->lock);
		if (is_last)
			return NULL;
	}
}

/* ---- the taker's side ---- */

/* The next batch that has rows; NULL at the end. */
static struct batch *ahead_batch(struct ahead *a)
{
	struct batch *b = &a->batches[a->taking];
	while (!a->has_batch || b->read == b->rows_len) {
		if (a->has_batch && b->is_last)
			return NULL;
		pthread_mutex_lock(&a->lock);
		if (a->has_batch) {
			b->is_full = false;
			pthread_cond_signal(&a->change);
			a->taking = (a->taking + 1) % BATCHES;
			b = &a->batches[a->taking];
		}
		while (!b->is_full)
			pthread_cond_wait(&a->change, &a->lock);
		pthread_mutex_unlock(&a->lock);
		a->has_batch = true;
		a->done_bytes = b->done_bytes;
	}
	return b;
}

static void take_bytes(struct batch *b, void *out, size_t n)
{
	memcpy(out, b->rows + b->read, n);
	b->read += n;
}

bool ahead_next(struct ahead *a, struct slice *line_out, bool *is_cut_out, struct maillog_event *event_out)
{
	struct batch *b = ahead_batch(a);
	struct row row;
	if (!b)
		return false;
	take_bytes(b, &row, sizeof row);
	*line_out = slice_make(b->text + row.line.at, row.line.len);
	*is_cut_out = row.is_cut;
	*event_out = (struct maillog_event){ .kind = row.kind, .format = row.format, .has_from = row.has_from,
					     .rcpts_separator = row.rcpts_separator,
					     .size_bytes = row.size_bytes, .nrcpt = row.nrcpt, .delay_ms = -1,
					     .delays_ms = { -1, -1, -1, -1 } };
	if (row.has_delays) {
		take_bytes(b, &event_out->delay_ms, sizeof event_out->delay_ms);
		take_bytes(b, event_out->delays_ms, sizeof event_out->delays_ms);
	}
	for (uint32_t left = row.fields; left; left &= left - 1) {
		struct place place;
		take_bytes(b, &place, sizeof place);
		*field_of(event_out, (unsigned)__builtin_ctz(left)) = slice_make(b->text + place.at, place.len);
	}
	return true;
}

uint64_t ahead_done(const struct ahead *a)
{
	return a->done_bytes;
}

/* ---- beginning and end ---- */

static void ahead_clear(struct ahead *a)
{
	for (unsigned i = 0; i < BATCHES; i++) {
		mem_free(a->batches[i].text);
		mem_free(a->batches[i].rows);
	}
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->change);
	mem_free(a);
}

struct ahead *ahead_new(struct lines *lines, struct maillog_reader *reader)
{
	struct ahead *a = mem_alloc(sizeof *a);
	bool is_fine = true;
	if (!a)
		return NULL;
	a->lines = lines;
	a->reader = reader;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->change, NULL);
	for (unsigned i = 0; i < BATCHES; i++) {
		struct batch *b = &a->batches[i];
		b->text_cap = AHEAD_TEXT_BYTES + MAILLOG_SCRATCH_BYTES;
		b->text = mem_alloc(b->text_cap);
		b->rows = mem_alloc(ROWS_BYTES);
		is_fine &= b->text && b->rows;
	}
	if (is_fine && pthread_create(&a->thread, NULL, ahead_run, a) == 0)
		return a;
	ahead_clear(a);
	return NULL;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->is_closed = true;
	pthread_cond_signal(&a->change);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	ahead_clear(a);
}
