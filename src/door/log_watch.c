/* SPDX-License-Identifier: Apache-2.0
 *
 * log_watch: a follower for each log, one table of mails for all.
 */
#include "door/log_watch.h"

#include "base/mem.h"
#include "door/journal.h"
#include "door/logs.h"
#include "watch/watch.h"

#include <time.h>

struct followed {
	struct log_watch *owner;
	int source;
	struct logs *logs;          /* one of the two */
	struct journal *journal;
};

struct log_watch {
	struct loop *loop;
	struct watch *watch;
	struct followed *followed;
	size_t count;
};

static void on_line(void *ctx, struct slice line)
{
	struct followed *f = ctx;
	watch_line(f->owner->watch, f->source, line, false);
}

static bool followed_open(struct followed *f, const char *path, struct error *error)
{
	static const struct logs_calls calls = { on_line, NULL };
	struct loop *loop = f->owner->loop;
	f->source = watch_source(f->owner->watch, path, loop_now_ms(loop));
	if (f->source < 0)
		return error_set(error, EXIT_USAGE, "watch.logs: more than %d logs, or no memory for them",
				 WATCH_SOURCES_MAX);
	if (strcmp(path, "journal") == 0)
		f->journal = journal_open(loop, NULL, slice_make(NULL, 0), on_line, f, error);
	else if (!(f->logs = logs_open(loop, path, LOGS_FROM_END, NULL, &calls, f)))
		error_set(error, EXIT_UNAVAILABLE, "no memory to follow %s", path);
	return f->journal || f->logs;
}

struct log_watch *log_watch_open(struct loop *loop, struct flow *flow, const char *const *paths, size_t count,
				 size_t table_bytes, struct error *error)
{
	struct log_watch *w = mem_alloc(sizeof *w);
	time_t now = (time_t)(loop_now_ms(loop) / 1000);
	struct tm local = { .tm_gmtoff = 0 };
	localtime_r(&now, &local);
	struct watch_setup setup = { .storm = flow_engine(flow), .bytes = table_bytes,
				     .zone_offset_s = (int)local.tm_gmtoff, .now_ms = loop_now_ms(loop) };
	if (w) {
		w->loop = loop;
		w->followed = mem_alloc_array(count + 1, sizeof *w->followed);
		w->watch = watch_new(&setup, error);
	}
	if (!w || !w->followed || !w->watch) {
		log_watch_close(&w);
		error_set(error, EXIT_UNAVAILABLE, "no memory to watch logs");
		return NULL;
	}
	for (; w->count < count; w->count++) {
		struct followed *f = &w->followed[w->count];
		f->owner = w;
		if (followed_open(f, paths[w->count], error))
			continue;
		log_watch_close(&w);
		return NULL;
	}
	return w;
}

void log_watch_close(struct log_watch **log_watch)
{
	struct log_watch *w = *log_watch;
	*log_watch = NULL;
	if (!w)
		return;
	for (size_t i = 0; i < w->count; i++) {
		logs_close(&w->followed[i].logs);
		journal_close(&w->followed[i].journal);
	}
	watch_free(w->watch);
	mem_free(w->followed);
	mem_free(w);
}

void log_watch_counts(const struct log_watch *w, struct log_watch_counts *counts_out)
{
	struct watch_counts counts;
	watch_counts(w->watch, &counts);
	*counts_out = (struct log_watch_counts){ .lines = counts.lines, .mails = counts.mails };
}
