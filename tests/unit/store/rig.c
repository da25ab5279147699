/* SPDX-License-Identifier: Apache-2.0
 *
 * rig: see rig.h.
 */
#include "rig.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RIG_TIME_MS = 1133860803, WAIT_MS = 10 * 1000, FILE_BYTES_MAX = 64 * 1024 * 1024 };

static void rig_die(const char *what)
{
	fprintf(stderr, "rig: %s: %s\n", what, strerror(errno));
	abort();
}

void rig_start(struct rig *rig)
{
	const char *base = getenv("TMPDIR");
	*rig = (struct rig){ .now_ms = (int64_t)RIG_TIME_MS * 1000 };
	snprintf(rig->dir, sizeof rig->dir, "%s/quell-store-XXXXXX", base && base[0] ? base : P_tmpdir);
	if (!hash_start() || !mkdtemp(rig->dir))
		rig_die("mkdtemp");
	log_setup(getenv("RIG_LOG") ? LOG_LEVEL_DEBUG : (enum log_level)0, false);
	store_limits_default(&rig->limits);
	rig->limits.free_bytes_min = 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void rig_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void rig_end(struct rig *rig)
{
	rig_close(rig);
	rig_remove(rig->dir);
}

bool rig_try_open(struct rig *rig)
{
	rig->error = (struct error){ 0 };
	rig->store = store_open(rig->dir, &rig->limits, &rig->error);
	return rig->store != NULL;
}

void rig_open(struct rig *rig)
{
	if (!rig_try_open(rig))
		rig_die(rig->error.text);
	store_flush(rig->store, rig->now_ms);
}

void rig_close(struct rig *rig)
{
	store_close(rig->store);
	rig->store = NULL;
}

void rig_reopen(struct rig *rig)
{
	rig_close(rig);
	rig_open(rig);
}

static void on_done(void *ctx, enum store_result result, const char *hold_id)
{
	struct rig_answer *answer = ctx;
	if (answer->is_answered)
		rig_die("a hold was answered twice");
	answer->is_answered = true;
	answer->result = result;
	snprintf(answer->id, sizeof answer->id, "%s", hold_id);
}

static const char *mail_header(const struct rig_mail *mail)
{
	return mail->header ? mail->header : "Subject: test\nFrom: a@example.org";
}

static void fill_spool(struct spool *spool, const struct rig_mail *mail)
{
	struct slice rest = slice_from_str(mail_header(mail)), line;
	while (slice_next(&rest, '\n', &line)) {
		size_t colon = slice_find_byte(line, 0, ':');
		spool_header(spool, slice_first(line, colon), slice_from(line, colon + 2));
	}
	spool_body(spool, mail->body);
}

static size_t fill_rcpts(const struct rig_mail *mail, struct hold_rcpt *rcpts, char (*addresses)[64], size_t max)
{
	size_t count = mail->rcpt_count ? mail->rcpt_count : 1;
	count = count > max ? max : count;
	for (size_t i = 0; i < count; i++) {
		const char *rcpt = mail->rcpt ? mail->rcpt : "r@example.net";
		rcpts[i] = (struct hold_rcpt){ slice_from_str(rcpt), { 0 },
					       mail->deed == DEED_SUPPRESS ? DEED_SUPPRESS : DEED_HOLD,
					       mail->is_first };
		if (mail->rcpt_count) {
			snprintf(addresses[i], 64, "%zu-%s", i, rcpt);
			rcpts[i].address = slice_from_str(addresses[i]);
		}
		unsigned pair = mail->pair + (unsigned)i;
		memcpy(rcpts[i].pair, &pair, sizeof pair);
	}
	return count;
}

void rig_send(struct rig *rig, const struct rig_mail *mail, struct rig_answer *answer)
{
	enum { RCPTS_MAX = 64, MEMORY_BYTES = 32 * 1024 };
	struct hold_rcpt rcpts[RCPTS_MAX];
	char addresses[RCPTS_MAX][64];
	struct spool spool;
	*answer = (struct rig_answer){ 0 };
	spool_init(&spool, store_dir_fd(rig->store), MEMORY_BYTES, FILE_BYTES_MAX);
	fill_spool(&spool, mail);
	struct hold_mail hold = {
		.time_ms = mail->time_ms ? mail->time_ms : ++rig->now_ms,
		.incident = mail->incident ? mail->incident : "DTEST",
		.queue_id = slice_from_str(mail->queue_id ? mail->queue_id : "4XYZ"),
		.mail_from = SLICE("sender@example.org"), .client = SLICE("mx.example.org [192.0.2.1]"),
		.helo = SLICE("mx.example.org"), .rcpts = rcpts,
		.rule = "pair", .reason = mail->reason ? mail->reason : "4 copies in 1 h",
		.instance = { 1, 2, 3 },
	};
	hold.rcpt_count = fill_rcpts(mail, rcpts, addresses, RCPTS_MAX);
	store_hold(rig->store, &hold, &spool, on_done, answer);
	spool_free(&spool);
}

void rig_wait(struct rig *rig, const struct rig_answer *answers, size_t count)
{
	int64_t until_us = clock_mono_us() + (int64_t)WAIT_MS * 1000 * 6;
	for (size_t i = 0; i < count;) {
		struct pollfd poll_fd = { store_event_fd(rig->store), POLLIN, 0 };
		if (answers[i].is_answered) {
			i++;
			continue;
		}
		if (poll(&poll_fd, 1, 100) > 0)
			store_poll(rig->store);
		if (clock_mono_us() > until_us)
			rig_die("a hold was not answered within a minute");
	}
}

enum store_result rig_hold(struct rig *rig, const struct rig_mail *mail, char id_out[HOLD_ID_BYTES])
{
	struct rig_answer answer;
	rig_send(rig, mail, &answer);
	rig_wait(rig, &answer, 1);
	if (id_out)
		memcpy(id_out, answer.id, sizeof answer.id);
	return answer.result;
}

static void want_mail(const struct rig_mail *mail, struct buf *out)
{
	struct slice rest = slice_from_str(mail_header(mail)), line;
	while (slice_next(&rest, '\n', &line)) {
		buf_add(out, line);
		buf_add_str(out, "\r\n");
	}
	buf_add_str(out, "\r\n");
	buf_add(out, mail->body);
}

bool rig_loads(struct rig *rig, const char *id, const struct rig_mail *mail)
{
	struct buf got, want;
	buf_init(&got, FILE_BYTES_MAX);
	buf_init(&want, FILE_BYTES_MAX);
	want_mail(mail, &want);
	rig->error = (struct error){ 0 };
	bool is_loaded = store_hold_load(rig->store, id, &got, &rig->error) &&
			 slice_equal(buf_slice(&got), buf_slice(&want));
	buf_free(&got);
	buf_free(&want);
	return is_loaded;
}

static bool count_row(void *ctx, const struct hold_row *row)
{
	(void)row;
	++*(size_t *)ctx;
	return true;
}

size_t rig_rows(struct rig *rig, const char *incident, int state)
{
	size_t count = 0;
	struct error error = { 0 };
	struct store_reader *reader = store_reader_open(rig->dir, &error);
	if (!reader || !store_read_holds(reader, incident, state, 0, count_row, &count, &error))
		rig_die(error.text);
	store_reader_close(reader);
	return count;
}

bool rig_until(struct rig *rig, bool (*fn)(struct rig *rig))
{
	int64_t until_us = clock_mono_us() + (int64_t)WAIT_MS * 1000;
	while (clock_mono_us() < until_us) {
		if (fn(rig))
			return true;
		usleep(5000);
	}
	return false;
}

void rig_path(const struct rig *rig, const char *name, char out[RIG_PATH_BYTES])
{
	if (snprintf(out, RIG_PATH_BYTES, "%s/%s", rig->dir, name) >= RIG_PATH_BYTES)
		rig_die("path too long");
}

static size_t walk_files(const struct rig *rig, const char *folder, const char *prefix, char *first)
{
	char path[RIG_PATH_BYTES];
	size_t count = 0;
	rig_path(rig, folder, path);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (count++ == 0 && first)
			snprintf(first, RIG_PATH_BYTES, "%s/%s", folder, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return count;
}

size_t rig_files(const struct rig *rig, const char *folder, const char *prefix)
{
	return walk_files(rig, folder, prefix, NULL);
}

bool rig_first_file(const struct rig *rig, const char *folder, const char *prefix, char name_out[RIG_PATH_BYTES])
{
	return walk_files(rig, folder, prefix, name_out) > 0;
}

void rig_write(const struct rig *rig, const char *name, struct slice bytes)
{
	char path[RIG_PATH_BYTES];
	rig_path(rig, name, path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || !disk_write(fd, bytes))
		rig_die(path);
	close(fd);
}

bool rig_read(const struct rig *rig, const char *name, struct buf *out)
{
	char path[RIG_PATH_BYTES];
	rig_path(rig, name, path);
	return disk_read_file(AT_FDCWD, path, out);
}

static const char *copy_from, *copy_to;

static int copy_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	char to[RIG_PATH_BYTES * 2];
	struct buf bytes;
	(void)st;
	(void)ftw;
	snprintf(to, sizeof to, "%s%s", copy_to, path + strlen(copy_from));
	if (flag == FTW_D)
		return mkdir(to, 0700) == 0 || errno == EEXIST ? 0 : -1;
	buf_init(&bytes, FILE_BYTES_MAX);
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool is_copied = fd >= 0 && disk_read_file(AT_FDCWD, path, &bytes) && disk_write(fd, buf_slice(&bytes));
	if (fd >= 0)
		close(fd);
	buf_free(&bytes);
	return is_copied ? 0 : -1;
}

void rig_copy(const char *from, const char *to)
{
	copy_from = from;
	copy_to = to;
	if (nftw(from, copy_one, 16, FTW_PHYS) != 0)
		rig_die("copy");
}
