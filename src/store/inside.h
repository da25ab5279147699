/* SPDX-License-Identifier: Apache-2.0
 *
 * inside: what the files of this room share and nobody else sees.
 *
 * Two threads. The loop thread makes jobs and puts them into the queue; the writer
 * thread takes all that wait, works them off as one batch and hands those with a
 * done function back. Fields are grouped by who may touch them; what both touch is
 * behind store->lock, which is never held across a system call that can block.
 */
#ifndef QUELL_STORE_INSIDE_H
#define QUELL_STORE_INSIDE_H

#include "store/body.h"
#include "store/db.h"
#include "store/hold.h"
#include "store/journal.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sys/types.h>

enum {
	STORE_JOBS_MAX = 20000,
	STORE_JOB_BYTES_MAX = 64 * 1024 * 1024,
	STORE_BATCH_HOLDS = 100,           /* mails of one commit; two descriptors each */
	STORE_BATCH_JOBS = 4000,
	STORE_JOURNAL_WAITING_MAX = 8 * 1024 * 1024,
	STORE_JOURNAL_FULL_TIMES = 8,      /* x journal_bytes_max without a snapshot: no more */
	STORE_PAIR_WHOLE = 3,              /* newest whole copies of a pair, past copies_full */
	STORE_INCIDENTS_MAX = 10000,
	STORE_NOTE_BYTES_MAX = 64 * 1024,
	STORE_GONE_MAX = 512,              /* files unlinked after one commit */
	STORE_SYNC_US = 1000 * 1000,       /* the journal's power-loss window */
	STORE_SNAPSHOT_AGAIN_MS = 30 * 1000,
	STORE_SNAPSHOT_TIMEOUT_US = 300 * 1000 * 1000,
	STORE_MEND_AT_START_US = 300 * 1000,
};

enum job_kind { JOB_HOLD, JOB_DECISION, JOB_INCIDENT, JOB_COUNTERS, JOB_NOTE, JOB_JOURNAL,
		JOB_JOURNAL_FILE, JOB_CALL };

struct job {
	struct job *next;
	enum job_kind kind;
	size_t bytes; /* counted against STORE_JOB_BYTES_MAX */
};

/* One body file of a batch. */
struct staged_body {
	char name[BODY_NAME_BYTES];
	int fd;
	uint64_t disk_bytes;
	bool is_named, is_failed;
	int error;               /* why is_failed */
};

struct hold_job {
	struct job job;
	struct held held;
	struct buf head, body;
	int body_fd;
	store_done_fn *done;
	void *ctx;
	enum store_result result;
	/* The writer's: where the mail stands within its batch. */
	int mail_fd;
	int body_slot;           /* in batch->bodies; -1: stored before, or none */
	bool is_named;
	uint64_t disk_bytes, body_disk_bytes;
};

/* Numbers and texts of the small jobs; the texts lie behind the struct. */
struct text_job {
	struct job job;
	int64_t numbers[4];
	struct slice texts[9];
	char bytes[];
};

struct journal_job {
	struct job job;
	struct buf blocks;
	bool is_urgent;
};

/* From here on the journal goes into this file. */
struct journal_file_job {
	struct job job;
	int fd;
	uint64_t generation, bytes;
};

/* A function for the writer thread within its transaction, and somebody who waits. */
struct call_job {
	struct job job;
	bool (*fn)(struct store *store, void *arg);
	void *arg;
	bool is_ok, is_done;
};

/* Files to unlink once the transaction that gave them up is committed. */
struct gone {
	char name[BODY_FILE_BYTES];
	bool is_body;
};

struct batch {
	struct job *jobs;                 /* in order */
	struct hold_job *holds[STORE_BATCH_HOLDS];
	size_t hold_count;
	struct staged_body bodies[STORE_BATCH_HOLDS];
	size_t body_count;
	uint64_t free_bytes;              /* on the disk, when the batch began */
	uint64_t staged_bytes;
	int64_t staged_copies;
	bool want_durable;                /* a mark or a job of release is among them */
};

struct snapshot_run {
	pid_t pid;                        /* 0: none */
	uint64_t generation;
	int64_t started_us;
};

enum mend_phase { MEND_MAILS, MEND_BODIES, MEND_ROWS, MEND_DONE };
struct mend {
	enum mend_phase phase;
	DIR *dir;
	char after[HOLD_ID_BYTES];
	bool is_whole;                    /* every mail file was seen: orphans may go */
	uint64_t added, removed, damaged, lost;
};

struct store {
	/* Fixed after store_open. */
	char dir[PATH_MAX];
	int dir_fd, lock_fd, mails_fd, bodies_fd, damaged_fd, event_fd;
	pthread_t writer;
	bool has_writer;

	pthread_mutex_t lock;
	pthread_cond_t wake, answered;
	/* Behind the lock. */
	struct job *first, **last, *done_first, **done_last;
	size_t job_count, job_bytes;
	bool is_closing;
	bool is_nudged;                   /* the writer has something to look after */
	struct store_limits limits;
	struct store_health health;
	struct snapshot_run snapshot;
	int64_t now_ms;                   /* the newest time we were told */
	int64_t snapshot_last_ms, snapshot_again_ms;
	bool wants_snapshot;
	uint64_t generation;              /* of the journal in use */
	uint64_t journal_bytes;           /* in files since the last good snapshot */
	struct buf spare;                 /* a journal buffer to use again */
	unsigned db_epoch;                /* counts databases: 1, and one more per db_replace */

	/* The loop thread's. */
	struct journal_out out;
	bool out_is_urgent, is_replayed;
	struct store_reader *view;
	unsigned view_epoch;

	/* The writer thread's (and store_open's before it starts). */
	struct db db;
	struct store_limits writer_limits;
	int64_t writer_now_ms;
	struct body_packer *packer;
	struct buf text, packed;          /* scratch */
	struct batch batch;
	struct gone gone[STORE_GONE_MAX];
	size_t gone_count;
	int64_t hold_bytes, hold_copies;  /* as committed; in numbers too */
	int64_t pending_bytes, pending_copies; /* change by the open transaction */
	int64_t life;
	int64_t expired;                  /* held rows given up for age, ever */
	int64_t retained_us, reopened_us;
	unsigned decisions_since_trim;
	int journal_fd;
	uint64_t journal_generation, journal_file_bytes;
	bool journal_is_dirty, journal_is_broken;
	int64_t journal_synced_us;
	struct mend mend;
};

/* queue.c: either thread. */
bool queue_put(struct store *store, struct job *job, bool may_overflow);
/* Runs fn in the writer thread within a transaction that is durable when this
 * returns true. False too when fn says so or the commit failed. */
bool queue_call(struct store *store, bool (*fn)(struct store *store, void *arg), void *arg);
void queue_job_free(struct job *job);
void queue_saw_time(struct store *store, int64_t now_ms);

/* writer.c */
bool writer_start(struct store *store, struct error *error);
void writer_stop(struct store *store);

/* holder.c: the holds of a batch. Stages (files named, folders synced), then adds
 * the rows, then settles each job's result. */
void holder_stage(struct store *store, struct batch *batch);
bool holder_add(struct store *store, struct hold_job *job);
void holder_settle(struct store *store, struct batch *batch, bool is_committed);
/* The rows of one mail, state kept; also used for strays. */
bool holder_index(struct store *store, const struct held *held, uint64_t disk_bytes,
		  uint64_t body_disk_bytes);

/* retain.c: what leaves the hold. All within the open transaction but retain_unlink. */
bool retain_settle_mail(struct store *store, const char *mail);
void retain_unlink(struct store *store);          /* after the commit */
void retain_trim(struct store *store, struct batch *batch);
void retain_now_and_then(struct store *store);
bool retain_commit(struct store *store);          /* numbers and COMMIT */
void retain_rollback(struct store *store);

/* mend.c: one bounded step; false when there is nothing (more) to do. */
void mend_begin(struct store *store);
bool mend_step(struct store *store);

/* journal_file.c: the writer's side of the journal. */
void journal_file_take(struct store *store, struct journal_file_job *job);
void journal_file_append(struct store *store, struct journal_job *job);
void journal_file_sync(struct store *store, bool is_urgent);
void journal_file_close(struct store *store);

/* generations.c */
void generation_name(char out[40], enum journal_kind kind, uint64_t generation);
/* Ascending; owned by the caller (mem_free). False: the folder cannot be read. */
struct generations {
	uint64_t *logs, *snapshots;
	size_t log_count, snapshot_count;
};
bool generations_list(int dir_fd, struct generations *g_out);
void generations_free(struct generations *g);
/* Deletes snapshots and journals below generation. */
void generations_drop(int dir_fd, uint64_t generation);

/* snapshot.c: looks after the child; the writer calls it. True while one runs. */
bool snapshot_reap(struct store *store);
void snapshot_kill(struct store *store);

/* release.c: the loop thread's read-only view, opened when first needed. */
struct store_reader *store_view(struct store *store);

#endif
