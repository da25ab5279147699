/* SPDX-License-Identifier: Apache-2.0
 *
 * release: the daemon's side of store/hold.h.
 *
 * Reading goes through a read-only connection of the loop thread, so that it never
 * waits for the writer; changes are calls into the writer's next transaction, which
 * is durable (synchronous=FULL) because a release must never be forgotten half-way.
 */
#include "store/inside.h"

#include "store/disk.h"
#include "store/view.h"

#include <errno.h>
#include <string.h>

struct store_reader *store_view(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	unsigned epoch = store->db_epoch;
	pthread_mutex_unlock(&store->lock);
	if (store->view && store->view_epoch == epoch)
		return store->view;
	store_reader_close(store->view);
	store->view = store_reader_open(store->dir, NULL);
	store->view_epoch = epoch;
	return store->view;
}

size_t store_hold_next(struct store *store, const struct hold_query *query, struct hold_row *rows_out,
		       size_t max)
{
	struct store_reader *view = store_view(store);
	return view ? view_next(view, query, store->life, rows_out, max) : 0;
}

static bool load_mail_file(struct store *store, const char *hold_id, struct buf *text, struct error *error)
{
	struct buf file;
	if (!held_id_is_valid(hold_id))
		return error_set(error, EXIT_USAGE, "this is not the id of a held mail");
	buf_init(&file, HELD_TEXT_BYTES_MAX);
	bool is_read = disk_read_file(store->mails_fd, hold_id, &file) ||
		       error_set(error, EXIT_UNAVAILABLE, "hold/mails/%s: %s", hold_id, strerror(errno));
	is_read = is_read && held_unpack(buf_slice(&file), text, error);
	buf_free(&file);
	return is_read;
}

bool store_hold_load(struct store *store, const char *hold_id, struct buf *mail_out, struct error *error)
{
	struct buf text;
	struct held held;
	struct slice header;
	size_t start = mail_out->len;
	buf_init(&text, HELD_TEXT_BYTES_MAX + 1);
	bool is_loaded = load_mail_file(store, hold_id, &text, error) &&
			 held_decode(buf_slice(&text), &held, &header, error);
	if (is_loaded) {
		if (strcmp(held.id, hold_id) != 0)
			is_loaded = error_set(error, EXIT_BAD_INPUT, "hold/mails/%s holds another mail", hold_id);
		else if (!buf_add(mail_out, header) || !buf_add_str(mail_out, "\r\n"))
			is_loaded = error_set(error, EXIT_UNAVAILABLE, "the mail is larger than there is room for");
		else
			is_loaded = body_load(store->bodies_fd, held.body, held.body_bytes, mail_out, error);
		held_free(&held);
	}
	buf_free(&text);
	if (!is_loaded)
		mail_out->len = start;
	return is_loaded;
}

struct mark {
	const char *hold_id, *rcpt;
	enum hold_state state;
	int64_t now_ms;
};

static bool mark_is_so(struct store *store, const struct mark *m)
{
	sqlite3_stmt *stmt = db_query(&store->db, DB_HOLD_IS_SO, "zzi", m->hold_id, m->rcpt, (int64_t)m->state);
	bool is_so = db_step(&store->db, stmt);
	db_done(stmt);
	return is_so;
}

static bool mark_run(struct store *store, void *arg)
{
	const struct mark *m = arg;
	if (!db_run(&store->db, DB_HOLD_MARK, "iiizz", (int64_t)m->state, store->life, m->now_ms,
		    m->hold_id, m->rcpt))
		return false;
	int64_t changed = db_changes(&store->db);
	if (changed == 0)
		return mark_is_so(store, m);
	if (m->state < HOLD_RELEASED)
		return true;
	store->pending_copies -= changed;
	return retain_settle_mail(store, m->hold_id);
}

bool store_hold_mark(struct store *store, const char *hold_id, const char *rcpt, enum hold_state state,
		     int64_t now_ms)
{
	struct mark mark = { hold_id, rcpt, state, now_ms };
	return queue_call(store, mark_run, &mark);
}

static bool job_set_run(struct store *store, void *arg)
{
	const struct release_job *job = arg;
	return db_run(&store->db, DB_JOB_SET, "ziiiii", job->what, (int64_t)job->is_incident,
		      (int64_t)job->per_minute, job->asked_ms, (int64_t)job->done, (int64_t)job->failed);
}

static bool job_drop_run(struct store *store, void *arg)
{
	const struct release_job *job = arg;
	return db_run(&store->db, DB_JOB_DROP, "z", job->what);
}

bool store_job_add(struct store *store, const struct release_job *job)
{
	struct release_job copy = *job;
	return queue_call(store, job_set_run, &copy);
}

bool store_job_update(struct store *store, const struct release_job *job, bool is_finished)
{
	struct release_job copy = *job;
	return queue_call(store, is_finished ? job_drop_run : job_set_run, &copy);
}

size_t store_job_list(struct store *store, struct release_job *jobs_out, size_t max)
{
	struct store_reader *view = store_view(store);
	return view ? view_jobs(view, jobs_out, max) : 0;
}
