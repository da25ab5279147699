/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: the state of an earlier life, read back at start.
 *
 * Newest snapshot first, then the journals from its number on. A damaged snapshot
 * gives what it has up to the damage (each record of it is a fact in itself); a
 * damaged journal ends the replay there, because what follows was written in the
 * knowledge of what is missing. Both only make Quell forget, which costs surplus
 * copies and no mail. The journal then goes on: in the last file when that is
 * whole or could be cut, else in a new one.
 */
#include "store/inside.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct replay {
	struct store *store;
	journal_apply_fn *apply;
	void *ctx;
	uint64_t applied, skipped, journal_bytes;
	uint64_t last, last_bytes;   /* the journal to go on with, and its good bytes */
	bool has_last;               /* else a new one is begun at last */
	bool is_damaged;
};

static void replay_warn(struct replay *r, const char *name, const struct journal_in *in, uint64_t size)
{
	uint64_t lost = size > in->good_bytes ? size - in->good_bytes : 0;
	log_warn("journal-damaged", "file=%s good_bytes=%llu ignored_bytes=%llu records=%llu%s", name,
		 (unsigned long long)in->good_bytes, (unsigned long long)lost,
		 (unsigned long long)(in->applied + in->refused), in->is_unread ? " why=unreadable" : "");
	r->is_damaged = true;
	r->skipped++;
}

/* Reads one file; false: it is not whole. */
static bool replay_file(struct replay *r, enum journal_kind kind, uint64_t generation,
			struct journal_in *in_out)
{
	char name[40];
	struct stat st = { 0 };
	*in_out = (struct journal_in){ .generation = generation, .apply = r->apply, .ctx = r->ctx };
	generation_name(name, kind, generation);
	int fd = disk_open(r->store->dir_fd, name, O_RDONLY | O_NONBLOCK);
	bool is_file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	in_out->is_unread = !is_file;
	bool is_whole = is_file && journal_read_fd(in_out, kind, fd);
	if (fd >= 0)
		close(fd);
	r->applied += in_out->applied;
	r->skipped += in_out->refused;
	if (is_whole && kind == JOURNAL_SNAPSHOT)
		is_whole = in_out->has_end;
	if (!is_whole)
		replay_warn(r, name, in_out, st.st_size > 0 ? (uint64_t)st.st_size : 0);
	return is_whole;
}

/* Journals behind a damaged one: they may not be read later either. */
static void replay_drop_rest(struct replay *r, const struct generations *g, size_t from)
{
	char name[40];
	for (size_t i = from; i < g->log_count; i++) {
		generation_name(name, JOURNAL_LOG, g->logs[i]);
		log_warn("journal-ignored", "file=%s why=\"one before it is damaged\"", name);
		disk_unlink(r->store->dir_fd, name);
		r->skipped++;
	}
}

/* Not even its beginning is ours: out of the way, for a person to look at. */
static void replay_set_aside(struct replay *r, uint64_t generation)
{
	char name[40];
	generation_name(name, JOURNAL_LOG, generation);
	disk_rename(r->store->dir_fd, name, r->store->dir_fd, "journal.damaged");
}

static void replay_logs(struct replay *r, const struct generations *g, uint64_t from)
{
	struct journal_in in;
	for (size_t i = 0; i < g->log_count; i++) {
		if (g->logs[i] < from)
			continue;
		bool is_whole = replay_file(r, JOURNAL_LOG, g->logs[i], &in);
		r->last = g->logs[i];
		r->last_bytes = in.good_bytes;
		r->has_last = in.good_bytes > 0 && !in.is_unread;
		r->journal_bytes += in.good_bytes;
		if (is_whole)
			continue;
		if (in.is_unread)
			r->last = g->logs[g->log_count - 1] + 1;
		else
			replay_drop_rest(r, g, i + 1);
		if (!in.is_unread && !r->has_last)
			replay_set_aside(r, r->last);
		return;
	}
}

static void replay_all(struct replay *r)
{
	struct generations g;
	struct journal_in in;
	if (!generations_list(r->store->dir_fd, &g)) {
		log_warn("journal-unread", "why=\"%s\"", strerror(errno));
		r->is_damaged = true;
		r->last = 0;
		return;
	}
	uint64_t from = g.snapshot_count > 0 ? g.snapshots[g.snapshot_count - 1] : 0;
	r->last = from;
	if (g.snapshot_count > 0)
		replay_file(r, JOURNAL_SNAPSHOT, from, &in);
	replay_logs(r, &g, from);
	generations_free(&g);
}

static int replay_begin_log(struct replay *r, const char *name)
{
	int fd = disk_open(r->store->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd >= 0 && disk_write(fd, journal_magic(JOURNAL_LOG)))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The file that the journal goes on in; -1 when none can be had. */
static int replay_open_log(struct replay *r)
{
	char name[40];
	generation_name(name, JOURNAL_LOG, r->last);
	if (r->has_last) {
		int fd = disk_open(r->store->dir_fd, name, O_WRONLY);
		if (fd >= 0 && disk_cut(fd, r->last_bytes))
			return fd;
		if (fd >= 0)
			close(fd);
		r->last++;
		generation_name(name, JOURNAL_LOG, r->last);
	}
	r->last_bytes = JOURNAL_HEAD_BYTES;
	return replay_begin_log(r, name);
}

static void replay_hand_over(struct replay *r)
{
	struct store *store = r->store;
	struct journal_file_job *job = mem_alloc(sizeof *job);
	int fd = job ? replay_open_log(r) : -1;
	if (fd >= 0) {
		*job = (struct journal_file_job){ { .kind = JOB_JOURNAL_FILE }, fd, r->last, r->last_bytes };
		if (queue_put(store, &job->job, true))
			job = NULL;
		else
			close(fd);
	}
	mem_free(job);
	store->out.generation = r->last;
	pthread_mutex_lock(&store->lock);
	store->generation = r->last;
	store->journal_bytes = r->journal_bytes;
	store->wants_snapshot |= r->is_damaged || fd < 0;
	pthread_mutex_unlock(&store->lock);
}

void store_replay(struct store *store, bool (*apply)(void *ctx, struct slice record), void *ctx,
		  uint64_t *applied_out, uint64_t *skipped_out)
{
	struct replay r = { .store = store, .apply = apply, .ctx = ctx };
	if (!store->is_replayed) {
		store->is_replayed = true;
		replay_all(&r);
		replay_hand_over(&r);
	}
	if (applied_out)
		*applied_out = r.applied;
	if (skipped_out)
		*skipped_out = r.skipped;
}
