/* SPDX-License-Identifier: Apache-2.0
 *
 * holder: a batch of mails onto the disk.
 *
 * All temporary files of a batch are written first and their write-back is begun;
 * then all are synced, then all renamed, then each folder is synced once: in this
 * order the first sync pays for most (ext4: half the time of sync and rename in
 * turn). Only then come the rows. The mail file is durable and complete in itself,
 * the row may lag behind it (synchronous=NORMAL): a row lost with the power is made
 * again from the file at the next start. A mail that is not wholly there at the end
 * leaves no file behind.
 */
#include "store/inside.h"

#include "base/log.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { TEMP_NAME_BYTES = BODY_FILE_BYTES + 8 };

static void holder_fail(struct hold_job *job, int error)
{
	if (job->result == STORE_DONE)
		job->result = disk_is_full_errno(error) ? STORE_FULL : STORE_FAILED;
}

static void temp_name(char out[TEMP_NAME_BYTES], const char *name)
{
	snprintf(out, TEMP_NAME_BYTES, "tmp.%s", name);
}

static struct body_source holder_source(const struct hold_job *job)
{
	struct slice memory = buf_slice(&job->body);
	return (struct body_source){ memory, job->body_fd, job->held.body_bytes };
}

/* Is there room for one more mail of this batch? What is staged counts. */
static bool holder_has_room(const struct store *store, const struct batch *batch,
			    const struct hold_job *job, uint64_t more_bytes)
{
	const struct store_limits *limits = &store->writer_limits;
	uint64_t free_min = limits->free_bytes_min > 0 ? (uint64_t)limits->free_bytes_min : 0;
	uint64_t staged = batch->staged_bytes + more_bytes;
	int64_t bytes = store->hold_bytes + (int64_t)staged;
	int64_t copies = store->hold_copies + batch->staged_copies + (int64_t)job->held.rcpt_count;
	return bytes <= limits->hold_bytes_max && copies <= limits->hold_copies_max &&
	       batch->free_bytes >= staged && batch->free_bytes - staged >= free_min;
}

/* A body that an earlier mail of the batch brought, or -1. */
static int staged_find(const struct batch *batch, const char *name)
{
	for (size_t i = 0; i < batch->body_count; i++)
		if (!batch->bodies[i].is_failed && strcmp(batch->bodies[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* The body is there already: known to the index and, with its size, to the folder. */
static bool holder_has_body(struct store *store, const char *name, uint64_t *disk_bytes_out)
{
	char file[BODY_FILE_BYTES];
	int64_t bytes = -1;
	if (!store->db.sql || !db_number(&store->db, DB_BODY_SIZE, name, -1, &bytes) || bytes < 0)
		return false;
	body_file_name(name, file);
	int fd = disk_open(store->bodies_fd, file, O_RDONLY | O_NONBLOCK);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (fd >= 0)
		close(fd);
	*disk_bytes_out = (uint64_t)bytes;
	return size > 0 && disk_rounded((uint64_t)size) == (uint64_t)bytes;
}

static bool staged_write(struct store *store, struct staged_body *body, const struct hold_job *job)
{
	char file[BODY_FILE_BYTES], temp[TEMP_NAME_BYTES];
	struct body_source source = holder_source(job);
	uint64_t bytes = 0;
	body_file_name(body->name, file);
	temp_name(temp, file);
	body->fd = disk_open(store->bodies_fd, temp, O_WRONLY | O_CREAT | O_TRUNC);
	if (body->fd < 0 || !body_pack(store->packer, &source, body->fd, &bytes))
		return false;
	body->disk_bytes = disk_rounded(bytes);
	return true;
}

static void staged_drop(struct store *store, struct staged_body *body)
{
	char file[BODY_FILE_BYTES], temp[TEMP_NAME_BYTES];
	body_file_name(body->name, file);
	temp_name(temp, file);
	if (body->fd >= 0)
		close(body->fd);
	body->fd = -1;
	disk_unlink(store->bodies_fd, body->is_named ? file : temp);
	body->is_failed = true;
}

static bool holder_stage_body(struct store *store, struct batch *batch, struct hold_job *job)
{
	struct body_source source = holder_source(job);
	job->body_slot = -1;
	errno = ENOMEM;
	if (!body_name(&source, job->held.body))
		return false;
	if (source.bytes == 0 || (job->body_slot = staged_find(batch, job->held.body)) >= 0 ||
	    holder_has_body(store, job->held.body, &job->body_disk_bytes))
		return true;
	job->body_slot = (int)batch->body_count;
	struct staged_body *body = &batch->bodies[batch->body_count++];
	*body = (struct staged_body){ .fd = -1 };
	memcpy(body->name, job->held.body, sizeof body->name);
	bool is_written = staged_write(store, body, job);
	if (is_written && holder_has_room(store, batch, job, body->disk_bytes)) {
		batch->staged_bytes += body->disk_bytes;
		return true;
	}
	int error = is_written ? ENOSPC : errno;
	staged_drop(store, body);
	errno = error;
	return false;
}

static bool holder_stage_mail(struct store *store, struct batch *batch, struct hold_job *job)
{
	char temp[TEMP_NAME_BYTES];
	buf_reset(&store->text);
	buf_reset(&store->packed);
	errno = ENOMEM;
	if (!held_encode(&job->held, buf_slice(&job->head), &store->text) ||
	    !held_pack(buf_slice(&store->text), &store->packed))
		return false;
	job->disk_bytes = disk_rounded(store->packed.len);
	errno = ENOSPC;
	if (!holder_has_room(store, batch, job, job->disk_bytes))
		return false;
	temp_name(temp, job->held.id);
	job->mail_fd = disk_open(store->mails_fd, temp, O_WRONLY | O_CREAT | O_EXCL);
	return job->mail_fd >= 0 && disk_write(job->mail_fd, buf_slice(&store->packed));
}

static void holder_stage_one(struct store *store, struct batch *batch, struct hold_job *job)
{
	job->result = STORE_DONE;
	job->mail_fd = job->body_slot = -1;
	if (!store->db.sql || !store->packer || !holder_has_room(store, batch, job, 0)) {
		holder_fail(job, store->db.sql && store->packer ? ENOSPC : EIO);
		return;
	}
	if (!holder_stage_body(store, batch, job) || !holder_stage_mail(store, batch, job)) {
		holder_fail(job, errno);
		return;
	}
	batch->staged_bytes += job->disk_bytes;
	batch->staged_copies += (int64_t)job->held.rcpt_count;
}

/* Lets the disk begin with all files before anybody waits for one. */
static void holder_begin_writeback(const struct batch *batch)
{
	for (size_t i = 0; i < batch->body_count; i++)
		if (batch->bodies[i].fd >= 0)
			sync_file_range(batch->bodies[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	for (size_t i = 0; i < batch->hold_count; i++)
		if (batch->holds[i]->mail_fd >= 0)
			sync_file_range(batch->holds[i]->mail_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* Waits for one file; closes it. errno on failure. */
static bool holder_sync_file(int *fd)
{
	bool is_synced = disk_sync(*fd);
	int error = errno;
	close(*fd);
	*fd = -1;
	errno = error;
	return is_synced;
}

static void holder_sync_files(struct store *store, struct batch *batch)
{
	for (size_t i = 0; i < batch->body_count; i++) {
		struct staged_body *body = &batch->bodies[i];
		if (body->is_failed || holder_sync_file(&body->fd))
			continue;
		body->error = errno;
		staged_drop(store, body);
	}
	for (size_t i = 0; i < batch->hold_count; i++) {
		struct hold_job *job = batch->holds[i];
		if (job->result == STORE_DONE && !holder_sync_file(&job->mail_fd))
			holder_fail(job, errno);
	}
}

static bool holder_rename(int dir_fd, const char *name)
{
	char temp[TEMP_NAME_BYTES];
	temp_name(temp, name);
	return disk_rename(dir_fd, temp, dir_fd, name);
}

/* All the new bodies, or those that could be, get their names; then the folder. */
static bool holder_rename_bodies(struct store *store, struct batch *batch)
{
	char file[BODY_FILE_BYTES];
	bool has_new = false;
	for (size_t i = 0; i < batch->body_count; i++) {
		struct staged_body *body = &batch->bodies[i];
		if (body->is_failed)
			continue;
		body_file_name(body->name, file);
		body->is_named = holder_rename(store->bodies_fd, file);
		body->error = errno;
		if (!body->is_named)
			staged_drop(store, body);
		has_new |= body->is_named;
	}
	return !has_new || disk_sync(store->bodies_fd);
}

static void holder_name_bodies(struct store *store, struct batch *batch)
{
	bool is_synced = holder_rename_bodies(store, batch);
	int error = errno;
	for (size_t i = 0; i < batch->body_count && !is_synced; i++) {
		if (batch->bodies[i].is_failed)
			continue;
		batch->bodies[i].error = error;
		staged_drop(store, &batch->bodies[i]);
	}
	for (size_t i = 0; i < batch->hold_count; i++) {
		struct hold_job *job = batch->holds[i];
		if (job->body_slot >= 0 && batch->bodies[job->body_slot].is_failed)
			holder_fail(job, batch->bodies[job->body_slot].error);
	}
}

static void holder_name_mails(struct store *store, struct batch *batch)
{
	bool has_new = false;
	for (size_t i = 0; i < batch->hold_count; i++) {
		struct hold_job *job = batch->holds[i];
		if (job->result != STORE_DONE)
			continue;
		job->is_named = holder_rename(store->mails_fd, job->held.id);
		if (!job->is_named)
			holder_fail(job, errno);
		has_new |= job->is_named;
	}
	if (!has_new || disk_sync(store->mails_fd))
		return;
	int error = errno;
	for (size_t i = 0; i < batch->hold_count; i++)
		holder_fail(batch->holds[i], error);
}

void holder_stage(struct store *store, struct batch *batch)
{
	if (batch->hold_count == 0)
		return;
	batch->free_bytes = disk_free_bytes(store->dir_fd);
	batch->staged_bytes = 0;
	batch->staged_copies = 0;
	for (size_t i = 0; i < batch->hold_count; i++)
		holder_stage_one(store, batch, batch->holds[i]);
	holder_begin_writeback(batch);
	holder_sync_files(store, batch);
	holder_name_bodies(store, batch);
	holder_name_mails(store, batch);
}

bool holder_index(struct store *store, const struct held *h, uint64_t disk_bytes,
		  uint64_t body_disk_bytes)
{
	struct db *db = &store->db;
	struct slice instance = slice_make(h->instance, sizeof h->instance);
	int64_t bytes = (int64_t)(h->header_bytes + 2 + h->body_bytes);
	if (!db_run(db, DB_MAIL_ADD, "zizzzzzzzbzii", h->id, h->time_ms, h->incident, h->queue_id,
		    h->mail_from, h->client, h->helo, h->rule, h->reason, instance, h->body, bytes,
		    (int64_t)disk_bytes))
		return false;
	for (size_t i = 0; i < h->rcpt_count; i++) {
		struct slice pair = slice_make(h->rcpts[i].pair, sizeof h->rcpts[i].pair);
		if (!db_run(db, DB_HOLD_ADD, "zzbziiii", h->id, h->rcpts[i].address, pair, h->incident,
			    h->time_ms, (int64_t)(h->rcpts[i].is_first ? HELD_DEED_FIRST : h->rcpts[i].deed),
					store->life, h->time_ms))
			return false;
	}
	if (strcmp(h->body, "-") != 0) {
		int64_t known = -1;
		if (!db_number(db, DB_BODY_SIZE, h->body, -1, &known) ||
		    !db_run(db, DB_BODY_REF, "zi", h->body, (int64_t)body_disk_bytes))
			return false;
		store->pending_bytes += known < 0 ? (int64_t)body_disk_bytes : 0;
	}
	store->pending_bytes += (int64_t)disk_bytes;
	store->pending_copies += (int64_t)h->rcpt_count;
	return true;
}

bool holder_add(struct store *store, struct hold_job *job)
{
	if (job->result != STORE_DONE)
		return true;
	if (job->body_slot >= 0)
		job->body_disk_bytes = store->batch.bodies[job->body_slot].disk_bytes;
	return holder_index(store, &job->held, job->disk_bytes, job->body_disk_bytes);
}

static void holder_undo(struct store *store, struct hold_job *job)
{
	char temp[TEMP_NAME_BYTES];
	temp_name(temp, job->held.id);
	if (job->mail_fd >= 0)
		close(job->mail_fd);
	job->mail_fd = -1;
	if (job->held.id[0])
		disk_unlink(store->mails_fd, job->is_named ? job->held.id : temp);
}

/* New bodies that no mail of the batch needs in the end. */
static void holder_drop_bodies(struct store *store, struct batch *batch)
{
	for (size_t i = 0; i < batch->body_count; i++) {
		bool is_needed = false;
		for (size_t j = 0; j < batch->hold_count; j++)
			is_needed |= batch->holds[j]->result == STORE_DONE &&
				     batch->holds[j]->body_slot == (int)i;
		if (!is_needed && !batch->bodies[i].is_failed)
			staged_drop(store, &batch->bodies[i]);
	}
}

static void holder_tell_health(struct store *store, const struct batch *batch)
{
	pthread_mutex_lock(&store->lock);
	struct store_health *h = &store->health;
	for (size_t i = 0; i < batch->hold_count; i++) {
		enum store_result result = batch->holds[i]->result;
		if (result == STORE_FULL && !h->is_full)
			h->full_since_ms = store->now_ms;
		h->writes_failed += result == STORE_FAILED;
		h->is_full = result == STORE_FULL || (result == STORE_FAILED && h->is_full);
	}
	pthread_mutex_unlock(&store->lock);
}

void holder_settle(struct store *store, struct batch *batch, bool is_committed)
{
	bool has_failed = false;
	for (size_t i = 0; i < batch->hold_count; i++) {
		struct hold_job *job = batch->holds[i];
		if (!is_committed && job->result == STORE_DONE)
			job->result = store->db.is_full ? STORE_FULL : STORE_FAILED;
		if (job->result != STORE_DONE) {
			holder_undo(store, job);
			has_failed = true;
		}
	}
	if (!has_failed)
		return holder_tell_health(store, batch);
	holder_drop_bodies(store, batch);
	disk_sync(store->mails_fd); /* best effort: a file that comes back is re-indexed, harmlessly */
	log_warn("hold-refused", "why=\"%s\"", store->db.is_full ? "database full" : "no room, or a write failed");
	holder_tell_health(store, batch);
}
