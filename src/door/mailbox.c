/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: see mailbox.h; the parts are named in mailbox_inside.h.
 */
#include "door/mailbox.h"

#include "base/crew.h"
#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <unistd.h>

enum { MAILBOX_WINDOW_BYTES = 256 * 1024 }; /* to begin with; measured: a MiB is no faster */

static void mailbox_progress(void *ctx, uint64_t *done_out, uint64_t *all_out)
{
	struct mailbox *m = ctx;
	uint64_t files = atomic_load(&m->seen_files), bytes = atomic_load(&m->seen_bytes);
	*done_out = atomic_load(&m->done_bytes);
	*all_out = bytes;
	if (files > 0 && files < m->file_count)
		*all_out += bytes / files * (m->file_count - files);
	if (*all_out < *done_out)
		*all_out = *done_out;
}

static bool mailbox_init_worker(struct mailbox_worker *w, unsigned number)
{
	w->number = number;
	w->dir_fd = w->range.fd = w->again.fd = w->spool_fd = -1;
	buf_init(&w->header, SOURCE_HEADER_BYTES_MAX);
	w->piece = mem_alloc(MBOX_LINE_BYTES_MAX + MAILBOX_PIECE_BYTES);
	return window_init(&w->window, MAILBOX_WINDOW_BYTES) && w->piece;
}

static void mailbox_free_worker(struct mailbox_worker *w)
{
	const int fds[] = { w->dir_fd, w->range.fd, w->again.fd, w->spool_fd };
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_free(&w->header);
	mem_free(w->window.ptr);
	mem_free(w->piece);
}

static bool mailbox_init_workers(struct mailbox *m, unsigned threads)
{
	unsigned count = threads == 0 ? crew_cores() : threads;
	bool is_fine = true;
	if (count > SOURCE_WORKERS_MAX)
		count = SOURCE_WORKERS_MAX;
	m->workers = mem_alloc_array(count, sizeof *m->workers);
	m->worker_count = m->workers ? count : 0;
	for (unsigned i = 0; i < m->worker_count; i++)
		is_fine = mailbox_init_worker(&m->workers[i], i) && is_fine;
	return is_fine && m->workers;
}

bool mailbox_tune(struct mailbox *m, size_t window_bytes, uint64_t unpack_bytes_max)
{
	bool is_fine = true;
	m->unpack_bytes_max = unpack_bytes_max;
	for (unsigned i = 0; i < m->worker_count; i++)
		is_fine = window_init(&m->workers[i].window, window_bytes) && is_fine;
	return is_fine;
}

struct mailbox *mailbox_open(char *const *paths, size_t count, unsigned threads, mailbox_tell_fn *tell,
			     void *tell_ctx, struct error *error)
{
	struct mailbox *m = mem_alloc(sizeof *m);
	size_t opened = 0;
	if (!m) {
		error_set(error, EXIT_UNAVAILABLE, "no memory");
		return NULL;
	}
	m->tell = tell;
	m->tell_ctx = tell_ctx;
	m->unpack_bytes_max = MAILBOX_UNPACK_BYTES_MAX;
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->tell_lock, NULL);
	buf_init(&m->names, MAILBOX_NAME_BYTES_MAX);
	bool is_fine = mailbox_init_workers(m, threads);
	for (size_t i = 0; is_fine && i < count; i++)
		opened += mailbox_list_path(m, paths[i]);
	if (is_fine && opened > 0)
		return m;
	if (is_fine)
		error_set(error, EXIT_BAD_INPUT, "none of the mailboxes can be opened");
	else
		error_set(error, EXIT_UNAVAILABLE, "no memory");
	mailbox_close(m);
	return NULL;
}

void mailbox_source(struct mailbox *m, struct source *source_out)
{
	*source_out = (struct source){
		.ctx = m,
		.worker_count = m->worker_count,
		.look_over = mailbox_look_over,
		.read = mailbox_read,
		.file_name = mailbox_file_name,
		.mailbox_name = mailbox_owner,
		.progress = mailbox_progress,
	};
}

uint64_t mailbox_troubles(const struct mailbox *m)
{
	return m->troubles;
}

static void mailbox_free_texts(char **texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++)
		mem_free(texts[i]);
	mem_free(texts);
}

void mailbox_close(struct mailbox *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->worker_count; i++)
		mailbox_free_worker(&m->workers[i]);
	for (size_t i = 0; i < m->folder_count; i++)
		mem_free(m->folders[i].mailbox);
	mailbox_free_texts(m->shown, m->file_count);
	mailbox_free_texts(m->owners, m->file_count);
	mem_free(m->workers);
	mem_free(m->folders);
	mem_free(m->files);
	mem_free(m->spooled);
	mem_free(m->big);
	buf_free(&m->names);
	pthread_mutex_destroy(&m->lock);
	pthread_mutex_destroy(&m->tell_lock);
	mem_free(m);
}
