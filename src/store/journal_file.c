/* SPDX-License-Identifier: Apache-2.0
 *
 * journal_file: the writer's side of the journal.
 *
 * One write a flush, one fdatasync a second or at once when it is urgent. A write
 * that failed half-way is cut off again, so that the blocks behind it stay readable;
 * what it held is forgotten (counted) and a snapshot is asked for, which makes the
 * files whole again. With no snapshot succeeding the journal stops growing at
 * STORE_JOURNAL_FULL_TIMES x journal_bytes_max.
 */
#include "store/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"

#include <errno.h>
#include <unistd.h>

void journal_file_sync(struct store *store, bool is_urgent)
{
	int64_t now_us = clock_mono_us();
	if (!store->journal_is_dirty || store->journal_fd < 0)
		return;
	if (!is_urgent && now_us - store->journal_synced_us < STORE_SYNC_US)
		return;
	if (disk_sync_data(store->journal_fd))
		store->journal_is_dirty = false;
	store->journal_synced_us = now_us;
}

void journal_file_close(struct store *store)
{
	if (store->journal_fd < 0)
		return;
	journal_file_sync(store, true);
	close(store->journal_fd);
	store->journal_fd = -1;
}

void journal_file_take(struct store *store, struct journal_file_job *job)
{
	journal_file_close(store);
	store->journal_fd = job->fd;
	store->journal_generation = job->generation;
	store->journal_file_bytes = job->bytes;
	store->journal_is_dirty = store->journal_is_broken = false;
	/* Its name must outlive the power too. */
	disk_sync(store->dir_fd);
}

static void journal_file_lost(struct store *store, const char *why)
{
	pthread_mutex_lock(&store->lock);
	store->health.writes_failed++;
	store->wants_snapshot = true;
	bool is_first = store->health.journal_lost++ == 0;
	pthread_mutex_unlock(&store->lock);
	if (is_first)
		log_error("journal-write-failed", "why=\"%s\" "
			  "consequence=\"after a restart some copies will not be known as surplus\"", why);
}

static bool journal_file_is_over(struct store *store, uint64_t more)
{
	int64_t max = store->writer_limits.journal_bytes_max;
	pthread_mutex_lock(&store->lock);
	bool is_over = max > 0 && store->journal_bytes > (uint64_t)max * STORE_JOURNAL_FULL_TIMES;
	if (!is_over)
		store->journal_bytes += more;
	pthread_mutex_unlock(&store->lock);
	return is_over;
}

void journal_file_append(struct store *store, struct journal_job *job)
{
	struct slice blocks = buf_slice(&job->blocks);
	if (store->journal_fd < 0 || store->journal_is_broken)
		return journal_file_lost(store, "no journal is open");
	if (journal_file_is_over(store, blocks.len))
		return journal_file_lost(store, "the journal is at its ceiling and no snapshot succeeds");
	if (disk_write(store->journal_fd, blocks)) {
		store->journal_file_bytes += blocks.len;
		store->journal_is_dirty = true;
		return;
	}
	const char *why = strerror(errno);
	store->journal_is_broken = !disk_cut(store->journal_fd, store->journal_file_bytes);
	journal_file_lost(store, why);
}
