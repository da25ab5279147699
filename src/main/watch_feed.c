/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_feed: see watch_feed.h.
 *
 * Rotated logs come in any order (a shell sorts mail.log before mail.log.1), and logs of
 * several servers tell of the same hours: so the log whose next line is the oldest goes on,
 * until it is a second ahead of the next oldest.
 */
#include "main/watch_feed.h"

#include "base/crew.h"
#include "base/mem.h"
#include "door/ahead.h"
#include "door/journal.h"

#include <stdio.h>

enum { FEED_THREADS_MAX = 8, FEED_SLACK_MS = 1000, FEED_PROGRESS_LINES = 16 * 1024, FEED_CURSOR_BYTES = 1024 };

struct feed {
	struct feeds *owner;
	const char *name;
	int source;
	struct lines *lines;     /* NULL: read to its end, or a journal */
	struct ahead *ahead;     /* reads them; NULL: this thread does */
	struct slice line;       /* the next one; not given yet */
	struct maillog_event event; /* of it */
	bool has_line, is_cut;
	int64_t next_ms;         /* its time; INT64_MIN: not known */
	struct logs_position position;
	bool is_journal, can_follow;
	struct buf cursor;       /* in the journal */
	struct logs *logs;
	struct journal *journal;
};

struct feeds {
	struct feeds_setup setup;
	struct feed feeds[WATCH_SOURCES_MAX];
	size_t count;
	uint64_t done_bytes, all_bytes; /* of those read to their end; of all */
	unsigned lines_to_progress;
};

static void feed_tell(const struct feed *feed, const char *what)
{
	char text[1024];
	snprintf(text, sizeof text, "%s: %s", feed->name, what);
	feed->owner->setup.tell(feed->owner->setup.ctx, text);
}

/* The unit of "journal:UNIT"; "" of "journal"; NULL: no journal. */
static const char *journal_unit(const char *name)
{
	if (strncmp(name, "journal", 7) != 0 || (name[7] != '\0' && name[7] != ':'))
		return NULL;
	return name[7] ? name + 8 : "";
}

/* ---- what is there ---- */

static void feed_end(struct feed *feed)
{
	struct feeds *f = feed->owner;
	uint64_t done, all;
	ahead_free(feed->ahead);
	feed->ahead = NULL;
	if (lines_trouble(feed->lines)) {
		char what[300];
		snprintf(what, sizeof what, "%s; what came before is read", lines_trouble(feed->lines));
		feed_tell(feed, what);
	}
	lines_progress(feed->lines, &done, &all);
	f->done_bytes += done;
	feed->can_follow = f->setup.will_follow && lines_position(feed->lines, &feed->position);
	lines_close(feed->lines);
	feed->lines = NULL;
}

static void feeds_show_progress(struct feeds *f, const struct feed *feed)
{
	uint64_t done, all;
	f->lines_to_progress = FEED_PROGRESS_LINES;
	if (!f->setup.progress)
		return;
	if (feed->ahead)
		done = ahead_done(feed->ahead);
	else
		lines_progress(feed->lines, &done, &all);
	f->setup.progress(f->setup.ctx, f->done_bytes + done, f->all_bytes);
}

static bool feed_next(struct feed *feed)
{
	if (feed->ahead)
		return ahead_next(feed->ahead, &feed->line, &feed->is_cut, &feed->event);
	if (!lines_next(feed->lines, &feed->line))
		return false;
	feed->is_cut = lines_is_cut(feed->lines);
	maillog_reader_line(watch_reader(feed->owner->setup.watch, feed->source), feed->line, &feed->event);
	return true;
}

/* Gives lines up to limit_ms. */
static void feed_run(struct feed *feed, int64_t limit_ms)
{
	struct feeds *f = feed->owner;
	struct watch *watch = f->setup.watch;
	while (!*f->setup.stop) {
		if (!feed->has_line && !feed_next(feed)) {
			feed_end(feed);
			return;
		}
		feed->has_line = !watch_event_until(watch, feed->source, feed->line, &feed->event, feed->is_cut,
						    limit_ms, &feed->next_ms);
		if (feed->has_line)
			return;
		if (f->lines_to_progress-- == 0)
			feeds_show_progress(f, feed);
	}
}

/* The one with the oldest next line; *limit_ms_out: how far it may go. */
static struct feed *feeds_next(struct feeds *f, int64_t *limit_ms_out)
{
	struct feed *first = NULL;
	int64_t second_ms = INT64_MAX;
	for (size_t i = 0; i < f->count; i++) {
		struct feed *feed = &f->feeds[i];
		if (!feed->lines)
			continue;
		if (!first || feed->next_ms < first->next_ms) {
			second_ms = first ? first->next_ms : second_ms;
			first = feed;
		} else if (feed->next_ms < second_ms) {
			second_ms = feed->next_ms;
		}
	}
	*limit_ms_out = second_ms < INT64_MAX - FEED_SLACK_MS ? second_ms + FEED_SLACK_MS : INT64_MAX;
	return first;
}

static void feed_line(void *ctx, struct slice line)
{
	struct feed *feed = ctx;
	watch_line(feed->owner->setup.watch, feed->source, line, false);
}

static void feed_read_journal(struct feed *feed)
{
	struct error error = { .text = "" };
	struct feeds *f = feed->owner;
	feed->can_follow = journal_read_all(NULL, journal_unit(feed->name), f->setup.stop, feed_line, feed,
					&feed->cursor, &error);
	if (!feed->can_follow)
		feed_tell(feed, error.text);
}

/* Of files alone: a thread that waits for a pipe could not be ended. */
static void feed_read_ahead(struct feed *feed)
{
	if (feed->lines && lines_written_ms(feed->lines) != 0)
		feed->ahead = ahead_new(feed->lines, watch_reader(feed->owner->setup.watch, feed->source));
}

void feeds_read(struct feeds *f)
{
	struct feed *feed;
	int64_t limit_ms;
	bool has_threads = f->count <= FEED_THREADS_MAX && crew_cores() > 1;
	for (size_t i = 0; i < f->count && has_threads; i++)
		feed_read_ahead(&f->feeds[i]);
	/* First each up to its first line that has a time. */
	for (size_t i = 0; i < f->count; i++)
		if (f->feeds[i].lines)
			feed_run(&f->feeds[i], f->count > 1 ? INT64_MIN : INT64_MAX);
	while (!*f->setup.stop && (feed = feeds_next(f, &limit_ms)))
		feed_run(feed, limit_ms);
	for (size_t i = 0; i < f->count && !*f->setup.stop; i++)
		if (f->feeds[i].is_journal)
			feed_read_journal(&f->feeds[i]);
}

/* ---- what is added ---- */

bool feeds_follow(struct feeds *f, struct loop *loop)
{
	static const struct logs_calls calls = { feed_line, NULL };
	struct error error = { .text = "" };
	bool is_any = false;
	for (size_t i = 0; i < f->count; i++) {
		struct feed *feed = &f->feeds[i];
		if (!feed->can_follow)
			continue;
		if (feed->is_journal)
			feed->journal = journal_open_unit(loop, NULL, journal_unit(feed->name),
							  buf_slice(&feed->cursor), feed_line, feed, &error);
		else
			feed->logs = logs_open(loop, feed->name, LOGS_FROM_POSITION, &feed->position, &calls, feed);
		if (!feed->logs && !feed->journal)
			feed_tell(feed, error.text[0] ? error.text : "no memory to follow it");
		is_any |= feed->logs || feed->journal;
	}
	return is_any;
}

/* ---- beginning and end ---- */

static bool feeds_add(struct feeds *f, const char *name, struct error *error)
{
	struct feed *feed = &f->feeds[f->count];
	uint64_t done, all = 0;
	*feed = (struct feed){ .owner = f, .name = name, .next_ms = INT64_MIN,
			       .is_journal = journal_unit(name) != NULL };
	buf_init(&feed->cursor, FEED_CURSOR_BYTES);
	if (!feed->is_journal)
		feed->lines = lines_open(name, f->setup.will_follow, f->setup.stop, error);
	if (!feed->is_journal && !feed->lines)
		return false;
	feed->source = watch_source(f->setup.watch, name, feed->lines ? lines_written_ms(feed->lines) : 0);
	if (feed->source < 0) {
		lines_close(feed->lines);
		return error_set(error, EXIT_USAGE, "%s: too many logs, %d at most", name, (int)WATCH_SOURCES_MAX);
	}
	if (feed->lines)
		lines_progress(feed->lines, &done, &all);
	f->all_bytes += all;
	f->count++;
	return true;
}

struct feeds *feeds_open(const struct feeds_setup *setup, struct error *error)
{
	struct feeds *f = mem_alloc(sizeof *f);
	if (!f) {
		error_set(error, EXIT_TRY_AGAIN, "no memory");
		return NULL;
	}
	f->setup = *setup;
	for (size_t i = 0; i < setup->count; i++) {
		struct error trouble = { .text = "" };
		if (f->count < WATCH_SOURCES_MAX && feeds_add(f, setup->names[i], &trouble))
			continue;
		if (f->count == WATCH_SOURCES_MAX)
			error_set(&trouble, EXIT_USAGE, "%s: too many logs, %d at most", setup->names[i],
				  (int)WATCH_SOURCES_MAX);
		setup->tell(setup->ctx, trouble.text);
		error_set(error, trouble.status, "nothing can be read");
	}
	if (f->count > 0)
		return f;
	feeds_close(f);
	return NULL;
}

void feeds_close(struct feeds *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++) {
		ahead_free(f->feeds[i].ahead);
		lines_close(f->feeds[i].lines);
		logs_close(&f->feeds[i].logs);
		journal_close(&f->feeds[i].journal);
		buf_free(&f->feeds[i].cursor);
	}
	mem_free(f);
}
