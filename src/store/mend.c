/* SPDX-License-Identifier: Apache-2.0
 *
 * mend: makes folder and index agree again, after a crash or a lost database.
 *
 * Walks hold/mails (temporary files go, mails without a row get one, mails whose
 * rows have ended go), then hold/bodies (what no mail needs goes), then the rows
 * (those whose file is missing are marked as lost). In small steps between the
 * writer's batches, so that a hold of a million files delays nobody; the first
 * steps run within store_open. What cannot be read is moved to hold/damaged for a
 * person to look at, and while anything lies there no body is thought an orphan.
 */
#include "store/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEND_STEP_FILES = 256, MEND_STEP_US = 20 * 1000 };

static DIR *mend_open_dir(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

static bool mend_is_empty(int dir_fd)
{
	DIR *dir = mend_open_dir(dir_fd);
	const struct dirent *entry = NULL;
	while (dir && (entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	if (dir)
		closedir(dir);
	return dir && !entry;
}

static void mend_enter(struct store *store, enum mend_phase phase)
{
	struct mend *m = &store->mend;
	if (m->dir)
		closedir(m->dir);
	m->dir = NULL;
	m->phase = phase;
	if (phase == MEND_MAILS || phase == MEND_BODIES)
		m->dir = mend_open_dir(phase == MEND_MAILS ? store->mails_fd : store->bodies_fd);
	if (phase == MEND_DONE && (m->added | m->removed | m->damaged | m->lost))
		log_warn("hold-mended", "indexed=%llu removed=%llu damaged=%llu lost=%llu",
			 (unsigned long long)m->added, (unsigned long long)m->removed,
			 (unsigned long long)m->damaged, (unsigned long long)m->lost);
}

void mend_begin(struct store *store)
{
	DIR *dir = store->mend.dir;
	store->mend = (struct mend){ .dir = dir, .is_whole = mend_is_empty(store->damaged_fd) };
	int64_t number = 0;
	store->hold_bytes = store->hold_copies = store->expired = 0;
	store->pending_bytes = store->pending_copies = 0;
	if (db_number(&store->db, DB_NUMBER_GET, "hold_bytes", 0, &number))
		store->hold_bytes = number;
	if (db_number(&store->db, DB_NUMBER_GET, "hold_copies", 0, &number))
		store->hold_copies = number;
	if (db_number(&store->db, DB_NUMBER_GET, "expired", 0, &number))
		store->expired = number;
	/* Rows left RELEASING by an earlier life are told from ours by its number. */
	if (db_number(&store->db, DB_NUMBER_GET, "life", 0, &number))
		store->life = number + 1;
	db_run(&store->db, DB_NUMBER_SET, "zi", "life", store->life);
	mend_enter(store, MEND_MAILS);
}

static void mend_remove(struct store *store, int dir_fd, const char *name)
{
	if (disk_unlink(dir_fd, name))
		store->mend.removed++;
}

static void mend_set_aside(struct store *store, const char *name, const char *why)
{
	char quoted[LOG_QUOTE_BYTES];
	log_error("hold-damaged", "file=%s why=\"%s\" moved_to=hold/damaged",
		  log_quote(slice_from_str(name), quoted, sizeof quoted), why);
	store->mend.damaged++;
	store->mend.is_whole = false;
	disk_rename(store->mails_fd, name, store->damaged_fd, name);
}

/* The size on disk of a body, or -1. */
static int64_t mend_body_bytes(struct store *store, const char *body)
{
	char file[BODY_FILE_BYTES];
	struct stat st;
	if (strcmp(body, "-") == 0)
		return 0;
	body_file_name(body, file);
	if (fstatat(store->bodies_fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return -1;
	return (int64_t)disk_rounded((uint64_t)st.st_size);
}

/* Reads a mail file; false: error says why. The caller frees held. */
static bool mend_read(struct store *store, const char *name, struct held *held, struct error *error)
{
	struct slice header;
	buf_reset(&store->packed);
	buf_reset(&store->text);
	if (!disk_read_file(store->mails_fd, name, &store->packed))
		return error_set(error, errno == ENOMEM ? EXIT_UNAVAILABLE : EXIT_BAD_INPUT, "%s",
				 strerror(errno));
	if (!held_unpack(buf_slice(&store->packed), &store->text, error) ||
	    !held_decode(buf_slice(&store->text), held, &header, error))
		return false;
	if (strcmp(held->id, name) == 0)
		return true;
	held_free(held);
	return error_set(error, EXIT_BAD_INPUT, "it is not the mail its name says");
}

/* A mail file that the index does not know. False: the database failed. */
static bool mend_stray(struct store *store, const char *name)
{
	struct held held;
	struct error error = { 0 };
	if (!mend_read(store, name, &held, &error)) {
		if (error.status == EXIT_UNAVAILABLE)
			store->mend.is_whole = false; /* not its fault: next time */
		else
			mend_set_aside(store, name, error.text);
		return true;
	}
	int64_t body_bytes = mend_body_bytes(store, held.body);
	bool is_good = true;
	if (body_bytes < 0)
		mend_set_aside(store, name, "its body is not there");
	else
		is_good = holder_index(store, &held, disk_rounded(store->packed.len), (uint64_t)body_bytes);
	store->mend.added += body_bytes >= 0 && is_good;
	held_free(&held);
	return is_good;
}

static bool mend_mail(struct store *store, const char *name)
{
	int64_t is_whole = -1;
	if (strncmp(name, "tmp.", 4) == 0) {
		mend_remove(store, store->mails_fd, name);
		return true;
	}
	if (!held_id_is_valid(name))
		return true; /* not ours */
	if (!db_number(&store->db, DB_MAIL_WHOLE, name, -1, &is_whole))
		return false;
	if (is_whole == 0)
		mend_remove(store, store->mails_fd, name);
	return is_whole >= 0 || mend_stray(store, name);
}

static bool mend_body(struct store *store, const char *name)
{
	char body[BODY_NAME_BYTES];
	size_t len = strlen(name);
	int64_t bytes = -1;
	if (strncmp(name, "tmp.", 4) == 0) {
		mend_remove(store, store->bodies_fd, name);
		return true;
	}
	if (len != BODY_FILE_BYTES - 1 || strcmp(name + BODY_NAME_BYTES - 1, ".zst") != 0)
		return true;
	held_text(body, sizeof body, slice_make(name, BODY_NAME_BYTES - 1));
	if (!held_body_is_valid(body) || !db_number(&store->db, DB_BODY_SIZE, body, -1, &bytes))
		return bytes != -1 || !store->db.is_corrupt;
	if (bytes < 0 && store->mend.is_whole)
		mend_remove(store, store->bodies_fd, name);
	return true;
}

/* A few entries of the open folder. */
static bool mend_files(struct store *store, bool (*look)(struct store *store, const char *name))
{
	struct mend *m = &store->mend;
	int64_t until_us = clock_mono_us() + MEND_STEP_US;
	for (int i = 0; i < MEND_STEP_FILES && clock_mono_us() < until_us; i++) {
		const struct dirent *entry = m->dir ? readdir(m->dir) : NULL;
		if (!entry) {
			m->is_whole &= m->dir != NULL;
			mend_enter(store, m->phase + 1);
			return true;
		}
		if (entry->d_name[0] != '.' && !look(store, entry->d_name))
			return false;
	}
	return true;
}

static bool mend_lost(struct store *store, const char *id)
{
	struct db *db = &store->db;
	if (!db_run(db, DB_HOLD_LOST, "iz", store->writer_now_ms, id))
		return false;
	store->pending_copies -= db_changes(db);
	store->mend.lost++;
	log_error("hold-lost", "id=%s why=\"its file is not there\"", id);
	return retain_settle_mail(store, id);
}

/* A few rows whose files ought to be there. */
static bool mend_rows(struct store *store)
{
	struct mend *m = &store->mend;
	struct db *db = &store->db;
	char ids[MEND_STEP_FILES][HOLD_ID_BYTES];
	size_t count = 0;
	sqlite3_stmt *stmt = db_query(db, DB_MAIL_NEXT_WHOLE, "zi", m->after, (int64_t)MEND_STEP_FILES);
	while (count < MEND_STEP_FILES && db_step(db, stmt))
		held_text(ids[count++], HOLD_ID_BYTES, db_column(stmt, 0));
	db_done(stmt);
	for (size_t i = 0; i < count; i++) {
		bool is_gone = faccessat(store->mails_fd, ids[i], F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
			       errno == ENOENT;
		if (is_gone && !mend_lost(store, ids[i]))
			return false;
	}
	if (count == 0)
		mend_enter(store, MEND_DONE);
	else
		memcpy(m->after, ids[count - 1], HOLD_ID_BYTES);
	return !db->is_corrupt;
}

bool mend_step(struct store *store)
{
	struct mend *m = &store->mend;
	bool is_good = false;
	if (m->phase == MEND_DONE || store->db.is_corrupt)
		return false;
	store->pending_bytes = store->pending_copies = 0;
	if (db_begin(&store->db, m->phase == MEND_ROWS)) {
		if (m->phase == MEND_MAILS)
			is_good = mend_files(store, mend_mail);
		else if (m->phase == MEND_BODIES)
			is_good = mend_files(store, mend_body);
		else
			is_good = mend_rows(store);
	}
	if (is_good && retain_commit(store)) {
		retain_unlink(store);
		return m->phase != MEND_DONE;
	}
	/* Files already removed or set aside stay so; their rows are met again. */
	retain_rollback(store);
	log_warn("mend-stopped", "why=\"%s\"", sqlite3_errmsg(store->db.sql));
	m->is_whole = false;
	mend_enter(store, MEND_DONE);
	return false;
}
