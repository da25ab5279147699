/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: bytes that nobody else may see, from a file or a program.
 *
 * They are read straight into memory that sodium locks, guards and zeroes. A program is
 * waited for in a thread of its own, so that the loop never waits; its words are read
 * to their end, for one that fails afterwards gave no secret. Whatever goes wrong is
 * said without the secret.
 */
#include "fetch/secret.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct secret {
	char *bytes; /* of sodium; SECRET_BYTES_MAX */
	size_t len;
};

static struct secret *secret_new(void)
{
	if (sodium_init() < 0)
		return NULL;
	struct secret *s = mem_alloc(sizeof *s);
	if (s)
		s->bytes = sodium_malloc(SECRET_BYTES_MAX);
	if (s && !s->bytes) {
		mem_free(s);
		s = NULL;
	}
	return s;
}

struct secret *secret_copy(struct slice bytes)
{
	struct secret *s = bytes.len <= SECRET_BYTES_MAX ? secret_new() : NULL;
	if (s && bytes.len > 0)
		memcpy(s->bytes, bytes.ptr, bytes.len);
	if (s)
		s->len = bytes.len;
	return s;
}

struct slice secret_bytes(const struct secret *s)
{
	return s ? slice_make(s->bytes, s->len) : SLICE("");
}

void secret_free(struct secret **s)
{
	if (!*s)
		return;
	sodium_free((*s)->bytes); /* zeroes */
	mem_free(*s);
	*s = NULL;
}

/* ---- files ---- */

static bool secret_is_closed(const char *path, const struct stat *info, struct error *e)
{
	if (!S_ISREG(info->st_mode))
		return error_set(e, EXIT_BAD_INPUT, "%s: not a plain file", path);
	if (info->st_uid != geteuid() && info->st_uid != 0)
		return error_set(e, EXIT_BAD_INPUT, "%s: belongs to another user (%u); mend: chown %u %s", path,
				 (unsigned)info->st_uid, (unsigned)geteuid(), path);
	if (info->st_mode & 077)
		return error_set(e, EXIT_BAD_INPUT, "%s: others may read or write it; mend: chmod 600 %s", path, path);
	return true;
}

bool secret_may_stand_in(const char *settings_file, struct error *e)
{
	struct stat info;
	if (stat(settings_file, &info) != 0)
		return error_set(e, EXIT_BAD_INPUT, "%s: %s", settings_file, strerror(errno));
	return secret_is_closed(settings_file, &info, e);
}

/* Reads to the end, or to the end of the room. -1: errno says why. */
static ssize_t secret_slurp(int fd, char *to, size_t room)
{
	size_t used = 0;
	while (used < room) {
		ssize_t got = read(fd, to + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

/* Keeps the first line of what was read; false and why when it cannot be a secret. */
static bool secret_first_line(struct secret *s, size_t len, const char **why_out)
{
	struct slice all = slice_make(s->bytes, len);
	s->len = slice_find_byte(all, 0, '\n');
	*why_out = s->len == SECRET_BYTES_MAX ? "its first line is too long" : NULL;
	if (s->len > 0 && s->bytes[s->len - 1] == '\r')
		s->len--;
	if (s->len == 0)
		*why_out = "its first line is empty";
	else if (memchr(s->bytes, '\0', s->len))
		*why_out = "its first line holds a NUL byte";
	sodium_memzero(s->bytes + s->len, SECRET_BYTES_MAX - s->len);
	return !*why_out;
}

static struct secret *secret_read_fd(int fd, const char *name, struct error *e)
{
	const char *why = "no memory";
	struct secret *s = secret_new();
	ssize_t got = s ? secret_slurp(fd, s->bytes, SECRET_BYTES_MAX) : 0;
	if (got < 0)
		why = strerror(errno);
	if (s && got >= 0 && secret_first_line(s, (size_t)got, &why))
		return s;
	error_set(e, s ? EXIT_BAD_INPUT : EXIT_TRY_AGAIN, "%s: %s", name, why);
	secret_free(&s);
	return NULL;
}

static struct secret *secret_read_path(const char *path, const char *name, bool is_ours, struct error *e)
{
	struct stat info;
	struct secret *s = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &info) != 0)
		error_set(e, EXIT_BAD_INPUT, "%s: %s", name, strerror(errno));
	else if (is_ours ? secret_is_closed(path, &info, e)
			 : S_ISREG(info.st_mode) || error_set(e, EXIT_BAD_INPUT, "%s: not a plain file", name))
		s = secret_read_fd(fd, name, e);
	if (fd >= 0)
		close(fd);
	return s;
}

struct secret *secret_read_file(const char *path, struct error *e)
{
	static const char prefix[] = "credential:";
	if (strncmp(path, prefix, sizeof prefix - 1) != 0)
		return secret_read_path(path, path, true, e);
	const char *name = path + sizeof prefix - 1, *folder = getenv("CREDENTIALS_DIRECTORY");
	char whole[4096];
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/')) {
		error_set(e, EXIT_BAD_INPUT, "%s: not the name of a credential", path);
		return NULL;
	}
	if (!folder || (size_t)snprintf(whole, sizeof whole, "%s/%s", folder, name) >= sizeof whole) {
		error_set(e, EXIT_BAD_INPUT, "%s: systemd handed over no credentials; mend: "
				"LoadCredential=%s:FILE", path,
			  name);
		return NULL;
	}
	return secret_read_path(whole, path, false, e);
}

/* ---- programs ---- */

struct secret_run {
	struct loop_waker *waker;
	pthread_t thread;
	bool is_started, was_told, may_say_nothing;
	int stop_fd;          /* rung to end the thread */
	secret_fn *fn;
	void *ctx;
	int64_t timeout_ms;
	char **argv;          /* our copy, NULL at its end */
	size_t argc;
	/* The thread's, until it rang. */
	struct secret *secret;
	char why[256];
};

static int64_t run_mono_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Room for words where nothing was said yet; false. */
static bool run_fail(struct secret_run *r, const char *what, const char *why)
{
	if (!r->why[0])
		snprintf(r->why, sizeof r->why, "%.100s: %s%s", r->argv[0], what, why);
	return false;
}

/* Starts the program with its words going to *fd_out. */
static bool run_spawn(struct secret_run *r, pid_t *pid_out, int *fd_out)
{
	char path[256], home[256];
	snprintf(path, sizeof path, "PATH=/usr/local/bin:/usr/bin:/bin");
	snprintf(home, sizeof home, "HOME=%.200s", getenv("HOME") ? getenv("HOME") : "/");
	char lang[] = "LANG=C", *environment[] = { path, home, lang, NULL };
	int ends[2];
	sigset_t none, all;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return run_fail(r, "", strerror(errno));
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, ends[1], 1);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int trouble = posix_spawn(pid_out, r->argv[0], &files, &attributes, r->argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	*fd_out = ends[0];
	if (trouble)
		close(ends[0]);
	return trouble == 0 || run_fail(r, "", strerror(trouble));
}

/* Waits until fd (or nobody: -1) has something; false at the deadline or when it is to stop. */
static bool run_wait(struct secret_run *r, int fd, int64_t until_ms, int most_ms)
{
	struct pollfd fds[2] = { { .fd = r->stop_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	int64_t left_ms = until_ms - run_mono_ms();
	if (left_ms <= 0)
		return run_fail(r, "gave no answer in time", "");
	if (left_ms > most_ms)
		left_ms = most_ms;
	if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
		return run_fail(r, "", strerror(errno));
	return !fds[0].revents || run_fail(r, "was stopped", "");
}

/* All that it prints; what has no room is read and forgotten. */
static bool run_read(struct secret_run *r, int fd, int64_t until_ms, size_t *len_out)
{
	enum { SLICE_MS = 1000 };
	char surplus[512];
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (*len_out = 0;;) {
		size_t room = SECRET_BYTES_MAX - *len_out;
		ssize_t got = read(fd, room ? r->secret->bytes + *len_out : surplus, room ? room : sizeof surplus);
		if (got == 0)
			break;
		if (got > 0 && room)
			*len_out += (size_t)got;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return run_fail(r, "", strerror(errno));
		if (!run_wait(r, fd, until_ms, SLICE_MS))
			return false;
	}
	sodium_memzero(surplus, sizeof surplus);
	return true;
}

/* Did it end well? It is gone when this returns. */
static bool run_reap(struct secret_run *r, pid_t pid, bool is_fine, int64_t until_ms)
{
	enum { STEP_MS = 10 };
	int status = 0;
	siginfo_t ended = { .si_pid = 0 };
	while (is_fine && waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
		is_fine = run_wait(r, -1, until_ms, STEP_MS);
	kill(-pid, SIGKILL); /* and what it left behind; the number is still its own */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return run_fail(r, "its end was not seen: ", strerror(errno));
	char number[16];
	if (is_fine && WIFSIGNALED(status)) {
		snprintf(number, sizeof number, "%d", WTERMSIG(status));
		return run_fail(r, "was ended by signal ", number);
	}
	if (is_fine && WEXITSTATUS(status) != 0) {
		snprintf(number, sizeof number, "%d", WEXITSTATUS(status));
		return run_fail(r, "ended with status ", number);
	}
	return is_fine;
}

static void *run_thread(void *ctx)
{
	struct secret_run *r = ctx;
	int64_t until_ms = run_mono_ms() + r->timeout_ms;
	pid_t pid;
	int fd;
	size_t len = 0;
	const char *why = NULL;
	bool is_fine = run_spawn(r, &pid, &fd);
	if (is_fine) {
		is_fine = run_read(r, fd, until_ms, &len);
		close(fd);
		is_fine = run_reap(r, pid, is_fine, until_ms);
	}
	bool is_silent = len == 0 && r->may_say_nothing;
	if (is_fine && !is_silent && !secret_first_line(r->secret, len, &why))
		is_fine = run_fail(r, "of what it printed, ", why);
	if (!is_fine)
		secret_free(&r->secret);
	loop_waker_ring(r->waker);
	return NULL;
}

static void run_join(struct secret_run *r)
{
	if (r->is_started)
		pthread_join(r->thread, NULL);
	r->is_started = false;
}

static void run_ended(void *ctx)
{
	struct secret_run *r = ctx;
	struct secret *secret = r->secret;
	run_join(r);
	if (r->was_told)
		return;
	r->was_told = true;
	r->secret = NULL;
	r->fn(r->ctx, secret, r->why); /* may free r */
}

static bool run_copy_argv(struct secret_run *r, const char *const *argv, size_t argc)
{
	r->argv = mem_alloc_array(argc + 1, sizeof *r->argv);
	for (; r->argv && r->argc < argc; r->argc++)
		if (!(r->argv[r->argc] = mem_copy_str(argv[r->argc], strlen(argv[r->argc]))))
			return false;
	return r->argv && argc > 0;
}

/* Signals are for the loop's thread. */
static bool run_start(struct secret_run *r)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r->is_started = pthread_create(&r->thread, NULL, run_thread, r) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r->is_started;
}

static struct secret_run *secret_run_new(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
					 bool may_say_nothing, secret_fn *fn, void *ctx)
{
	struct secret_run *r = mem_alloc(sizeof *r);
	if (!r)
		return NULL;
	r->fn = fn;
	r->ctx = ctx;
	r->timeout_ms = timeout_ms;
	r->may_say_nothing = may_say_nothing;
	r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->waker = loop_waker_new(l, run_ended, r);
	r->secret = secret_new();
	if (r->stop_fd < 0 || !r->waker || !r->secret || !run_copy_argv(r, argv, argc) || !run_start(r))
		secret_run_cancel(&r);
	return r;
}

struct secret_run *secret_run(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
			      secret_fn *fn, void *ctx)
{
	return secret_run_new(l, argv, argc, timeout_ms, false, fn, ctx);
}

struct secret_run *secret_run_any(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
				  secret_fn *fn, void *ctx)
{
	return secret_run_new(l, argv, argc, timeout_ms, true, fn, ctx);
}

void secret_run_cancel(struct secret_run **run)
{
	struct secret_run *r = *run;
	const uint64_t one = 1;
	*run = NULL;
	if (!r)
		return;
	if (r->stop_fd >= 0 && write(r->stop_fd, &one, sizeof one) < 0)
		r->was_told = true; /* full: it was rung already */
	run_join(r);
	loop_waker_free(&r->waker);
	if (r->stop_fd >= 0)
		close(r->stop_fd);
	secret_free(&r->secret);
	for (size_t i = 0; i < r->argc; i++)
		mem_free(r->argv[i]);
	mem_free(r->argv);
	mem_free(r);
}
