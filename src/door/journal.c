/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: entries to lines, by the clock of a timer.
 */
#include "door/journal.h"

#include "base/log.h"
#include "base/mem.h"

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

static void journal_hand_out(struct journal *j)
{
	buf_reset(&j->text);
	/* The time is not used: confirmations count from when they are seen. The
	 * fields are copied one by one, each get_data ends the life of the last. */
	buf_add_str(&j->text, "1970-01-01T00:00:00+00:00 journal ");
	buf_add(&j->text, slice_first(journal_field(j, "SYSLOG_IDENTIFIER"), 256));
	buf_add_str(&j->text, "[0]: ");
	buf_add(&j->text, slice_first(journal_field(j, "MESSAGE"), JOURNAL_LINE_BYTES_MAX - 512));
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

struct journal *journal_open(struct loop *l, const char *dir, struct slice cursor,
			     void (*line)(void *ctx, struct slice line), void *ctx, struct error *e)
{
	struct journal *j = mem_alloc(sizeof *j);
	if (!j)
		return NULL;
	j->line = line;
	j->ctx = ctx;
	buf_init(&j->text, JOURNAL_LINE_BYTES_MAX);
	int result = journal_open_handle(&j->handle, dir);
	if (result >= 0)
		result = sd_journal_add_match(j->handle, JOURNAL_MATCH, 0);
	/* Only asking for the descriptor makes the library watch the folder: without it a
	 * rotated journal would be the last that is seen. */
	if (result >= 0)
		result = sd_journal_get_fd(j->handle);
	if (result >= 0 && journal_seek(j, cursor))
		j->timer = loop_timer_start(l, 0, JOURNAL_LOOK_MS, journal_look, j);
	if (!j->timer) {
		error_set(e, EXIT_UNAVAILABLE, "the systemd journal cannot be read: %s",
			  result < 0 ? strerror(-result) : "no position in it");
		journal_close(&j);
	}
	return j;
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
