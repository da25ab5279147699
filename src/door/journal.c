/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: entries to lines, by the clock of a timer.
 */
#include "door/journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-journal.h>

/* Mail's syslog facility number (RFC 5424 6.2.1). */
#define JOURNAL_MATCH "SYSLOG_FACILITY=2"
#define JOURNAL_CURSOR_BYTES_MAX 1024

struct journal {
	sd_journal *handle;
	struct loop_timer *timer;
	void (*line)(void *ctx, struct slice line);
	void *ctx;
	struct buf text;
	bool has_entry;
};

/* The value of one field of the present entry; empty when it has none. */
static struct slice journal_field(struct journal *j, const char *name)
{
	const void *data;
	size_t len, skip = strlen(name) + 1;
	if (sd_journal_get_data(j->handle, name, &data, &len) < 0 || len < skip)
		return slice_make(NULL, 0);
	return slice_make((const char *)data + skip, len - skip);
}

/* The first field of the two that the entry has. */
static struct slice journal_either(struct journal *j, const char *name, const char *other)
{
	struct slice value = journal_field(j, name);
	return slice_first(value.len > 0 ? value : journal_field(j, other), 256);
}

/* "2005-12-06T09:20:03.123Z": the entry's own time. */
static void journal_add_time(struct journal *j)
{
	enum { SECONDS_BYTES = 19 };
	char when[32];
	uint64_t time_us = 0;
	sd_journal_get_realtime_usec(j->handle, &time_us);
	clock_rfc3339((int64_t)(time_us / 1000), when, sizeof when);
	buf_addf(&j->text, "%.*s.%03uZ ", (int)SECONDS_BYTES, when, (unsigned)(time_us / 1000 % 1000));
}

/* "time host identifier[pid]: text". The fields are copied one by one, each get_data ends
 * the life of the last. */
static void journal_hand_out(struct journal *j)
{
	buf_reset(&j->text);
	journal_add_time(j);
	struct slice host = slice_first(journal_field(j, "_HOSTNAME"), 256);
	buf_add(&j->text, host.len > 0 ? host : SLICE("journal"));
	buf_add_byte(&j->text, ' ');
	struct slice program = journal_either(j, "SYSLOG_IDENTIFIER", "_COMM");
	buf_add(&j->text, program.len > 0 ? program : SLICE("unknown"));
	struct slice pid = journal_either(j, "SYSLOG_PID", "_PID");
	if (pid.len > 0)
		buf_addf(&j->text, "[%.*s]", SLICE_ARG(pid));
	buf_add_str(&j->text, ": ");
	buf_add(&j->text, slice_first(journal_field(j, "MESSAGE"), JOURNAL_LINE_BYTES_MAX - 2048));
	if (!j->text.is_over)
		j->line(j->ctx, buf_slice(&j->text));
}

static void journal_look(void *ctx)
{
	struct journal *j = ctx;
	if (sd_journal_process(j->handle) < 0)
		return;
	for (int i = 0; i < JOURNAL_ENTRIES_MAX && sd_journal_next(j->handle) > 0; i++) {
		j->has_entry = true;
		journal_hand_out(j);
	}
}

static bool journal_seek(struct journal *j, struct slice cursor)
{
	char text[JOURNAL_CURSOR_BYTES_MAX + 1];
	if (cursor.len > 0 && cursor.len < sizeof text) {
		memcpy(text, cursor.ptr, cursor.len);
		text[cursor.len] = '\0';
		/* seek_cursor points before the entry; next steps onto it, and the look
		 * begins behind it. An unknown cursor is an error of seek. */
		if (sd_journal_seek_cursor(j->handle, text) == 0)
			return sd_journal_next(j->handle) >= 0;
		log_warn("journal", "trouble=\"the saved position is unknown, going on from the end\"");
	}
	if (sd_journal_seek_tail(j->handle) < 0)
		return false;
	/* After seek_tail, one step back is needed for next to see new entries. */
	return sd_journal_previous(j->handle) >= 0;
}

static int journal_open_handle(sd_journal **handle_out, const char *dir)
{
	return dir ? sd_journal_open_directory(handle_out, dir, 0)
		   : sd_journal_open(handle_out, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
}

static int journal_match(sd_journal *handle, const char *unit)
{
	char match[256];
	if (unit[0] == '\0')
		return sd_journal_add_match(handle, JOURNAL_MATCH, 0);
	/* As systemctl takes it: a name without its kind is a service. */
	snprintf(match, sizeof match, "_SYSTEMD_UNIT=%s%s", unit, strchr(unit, '.') ? "" : ".service");
	return sd_journal_add_match(handle, match, 0);
}

static struct journal *journal_new(const char *dir, const char *unit, void (*line)(void *ctx, struct slice line),
				   void *ctx, struct error *e)
{
	struct journal *j = mem_alloc(sizeof *j);
	if (!j) {
		error_set(e, EXIT_TRY_AGAIN, "no memory");
		return NULL;
	}
	j->line = line;
	j->ctx = ctx;
	buf_init(&j->text, JOURNAL_LINE_BYTES_MAX);
	int result = journal_open_handle(&j->handle, dir);
	if (result >= 0)
		result = journal_match(j->handle, unit);
	/* Only asking for the descriptor makes the library watch the folder: without it a
	 * rotated journal would be the last that is seen. */
	if (result >= 0)
		result = sd_journal_get_fd(j->handle);
	if (result >= 0)
		return j;
	error_set(e, EXIT_UNAVAILABLE, "the systemd journal cannot be read: %s", strerror(-result));
	journal_close(&j);
	return NULL;
}

struct journal *journal_open_unit(struct loop *l, const char *dir, const char *unit, struct slice cursor,
				  void (*line)(void *ctx, struct slice line), void *ctx, struct error *e)
{
	struct journal *j = journal_new(dir, unit, line, ctx, e);
	if (!j)
		return NULL;
	if (journal_seek(j, cursor))
		j->timer = loop_timer_start(l, 0, JOURNAL_LOOK_MS, journal_look, j);
	if (!j->timer) {
		error_set(e, EXIT_UNAVAILABLE, "the systemd journal cannot be read: no position in it");
		journal_close(&j);
	}
	return j;
}

struct journal *journal_open(struct loop *l, const char *dir, struct slice cursor,
			     void (*line)(void *ctx, struct slice line), void *ctx, struct error *e)
{
	return journal_open_unit(l, dir, "", cursor, line, ctx, e);
}

bool journal_read_all(const char *dir, const char *unit, const volatile int *stop,
		  void (*line)(void *ctx, struct slice line), void *ctx, struct buf *cursor_out, struct error *e)
{
	struct journal *j = journal_new(dir, unit, line, ctx, e);
	if (!j)
		return false;
	sd_journal_seek_head(j->handle);
	while (!(stop && *stop) && sd_journal_next(j->handle) > 0) {
		j->has_entry = true;
		journal_hand_out(j);
	}
	if (cursor_out)
		journal_cursor(j, cursor_out);
	journal_close(&j);
	return true;
}

void journal_close(struct journal **journal)
{
	struct journal *j = *journal;
	*journal = NULL;
	if (!j)
		return;
	loop_timer_stop(&j->timer);
	sd_journal_close(j->handle);
	buf_free(&j->text);
	mem_free(j);
}

void journal_cursor(struct journal *j, struct buf *out)
{
	char *cursor = NULL;
	buf_reset(out);
	if (!j->has_entry || sd_journal_get_cursor(j->handle, &cursor) < 0)
		return;
	buf_add_str(out, cursor);
	free(cursor);
}
