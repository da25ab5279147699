/* SPDX-License-Identifier: Apache-2.0
 *
 * program: spawned and waited for in a thread of its own (an errand).
 *
 * The thread feeds and reads in turn, as poll says, so that a program that answers before
 * it has read all does not stand still with us. How it ended counts, not what it printed.
 */
#include "net/program.h"

#include "base/mem.h"
#include "net/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROGRAM_WAIT_MS = 1000, PROGRAM_REAP_STEP_MS = 10 };

struct program {
	struct errand *errand;
	int stop_fd;              /* rung to end the thread */
	program_fn *fn;
	void *ctx;
	int64_t timeout_ms;
	char **argv;              /* our copy, NULL at its end; owns the words and the input */
	const char *input;
	size_t input_len;
	char *answer;
	size_t answer_bytes_max;
	/* The thread's, until the errand is done. */
	int64_t until_ms;
	int in_fd, out_fd;        /* our ends; -1: closed */
	size_t input_given;
	struct program_end end;
	char why[256];
};

static int64_t program_mono_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Room for words where nothing was said yet; false. */
static bool program_fail(struct program *p, const char *what, const char *why)
{
	if (!p->why[0])
		snprintf(p->why, sizeof p->why, "%.100s: %s%s", p->argv[0], what, why);
	return false;
}

static void program_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The program's own process: its files and signals as a fresh one's. */
static int program_exec(struct program *p, int in_fd, int out_fd, pid_t *pid_out)
{
	char path[256], home[256];
	snprintf(path, sizeof path, "PATH=/usr/local/bin:/usr/bin:/bin");
	snprintf(home, sizeof home, "HOME=%.200s", getenv("HOME") ? getenv("HOME") : "/");
	char lang[] = "LANG=C", *environment[] = { path, home, lang, NULL };
	sigset_t none, all;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	if (in_fd >= 0)
		posix_spawn_file_actions_adddup2(&files, in_fd, 0);
	else
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out_fd, 1);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int trouble = posix_spawn(pid_out, p->argv[0], &files, &attributes, p->argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return trouble;
}

/* Starts the program; in_fd and out_fd are then our ends. */
static bool program_spawn(struct program *p, pid_t *pid_out)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, trouble = 0;
	if (pipe2(out, O_CLOEXEC) != 0 || (p->input_len > 0 && pipe2(in, O_CLOEXEC) != 0))
		trouble = errno;
	else
		trouble = program_exec(p, in[0], out[1], pid_out);
	program_close(&in[0]);
	program_close(&out[1]);
	p->in_fd = in[1];
	p->out_fd = out[0];
	if (p->in_fd >= 0)
		fcntl(p->in_fd, F_SETFL, O_NONBLOCK);
	if (p->out_fd >= 0)
		fcntl(p->out_fd, F_SETFL, O_NONBLOCK);
	return trouble == 0 || program_fail(p, "", strerror(trouble));
}

/* Waits until one of the pipes (or nobody) has something; false at the deadline or when it
 * is to stop. */
static bool program_wait(struct program *p, bool is_talking, int most_ms)
{
	struct pollfd fds[3] = {
		{ .fd = p->stop_fd, .events = POLLIN },
		{ .fd = is_talking ? p->out_fd : -1, .events = POLLIN },
		{ .fd = is_talking ? p->in_fd : -1, .events = POLLOUT },
	};
	int64_t left_ms = p->until_ms - program_mono_ms();
	if (left_ms <= 0)
		return program_fail(p, "gave no answer in time", "");
	if (left_ms > most_ms)
		left_ms = most_ms;
	if (poll(fds, 3, (int)left_ms) < 0 && errno != EINTR)
		return program_fail(p, "", strerror(errno));
	return !fds[0].revents || program_fail(p, "was stopped", "");
}

/* As much of the input as it takes now. One that does not want it is no trouble (EPIPE). */
static void program_give(struct program *p)
{
	while (p->in_fd >= 0) {
		ssize_t gone = write(p->in_fd, p->input + p->input_given, p->input_len - p->input_given);
		if (gone < 0 && errno == EINTR)
			continue;
		if (gone < 0 && errno == EAGAIN)
			return;
		if (gone >= 0)
			p->input_given += (size_t)gone;
		if (gone < 0 || p->input_given == p->input_len)
			program_close(&p->in_fd);
	}
}

/* One read; what has no room is forgotten. False at the end, or on trouble (said). */
static bool program_take(struct program *p)
{
	char surplus[512];
	size_t room = p->answer_bytes_max - p->end.answer_len;
	ssize_t got = read(p->out_fd, room ? p->answer + p->end.answer_len : surplus, room ? room : sizeof surplus);
	if (got > 0 && room)
		p->end.answer_len += (size_t)got;
	else if (got > 0)
		explicit_bzero(surplus, sizeof surplus);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return got > 0 || (got < 0 && program_fail(p, "", strerror(errno)));
}

/* Until it closes its output. */
static bool program_talk(struct program *p)
{
	for (;;) {
		program_give(p);
		if (!program_take(p))
			break;
		if (!program_wait(p, true, PROGRAM_WAIT_MS))
			return false;
	}
	program_close(&p->in_fd);
	return !p->why[0];
}

/* Did it end well? It is gone when this returns. */
static bool program_reap(struct program *p, pid_t pid, bool is_fine)
{
	int status = 0;
	siginfo_t ended = { .si_pid = 0 };
	while (is_fine && waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
		is_fine = program_wait(p, false, PROGRAM_REAP_STEP_MS);
	kill(-pid, SIGKILL); /* and what it left behind; the number is still its own */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return program_fail(p, "its end was not seen: ", strerror(errno));
	char number[16];
	if (is_fine && WIFSIGNALED(status)) {
		snprintf(number, sizeof number, "%d", WTERMSIG(status));
		return program_fail(p, "was ended by signal ", number);
	}
	if (is_fine && WEXITSTATUS(status) != 0) {
		snprintf(number, sizeof number, "%d", WEXITSTATUS(status));
		return program_fail(p, "ended with status ", number);
	}
	return is_fine;
}

static void program_work(void *ctx)
{
	struct program *p = ctx;
	pid_t pid;
	p->until_ms = program_mono_ms() + p->timeout_ms;
	bool is_fine = program_spawn(p, &pid);
	if (is_fine) {
		is_fine = program_talk(p);
		is_fine = program_reap(p, pid, is_fine);
	}
	program_close(&p->in_fd);
	program_close(&p->out_fd);
	p->end.is_fine = is_fine;
}

static void program_done(void *ctx)
{
	struct program *p = ctx;
	p->fn(p->ctx, &p->end); /* may free p */
}

/* Pointers, words and input in one block. */
static bool program_copy(struct program *p, const struct program_setup *setup)
{
	size_t pointers = (setup->argc + 1) * sizeof *p->argv, bytes = pointers + setup->input.len;
	for (size_t i = 0; i < setup->argc; i++)
		bytes += strlen(setup->argv[i]) + 1;
	p->argv = setup->argc > 0 ? mem_alloc(bytes) : NULL;
	if (!p->argv)
		return false;
	char *to = (char *)p->argv + pointers;
	for (size_t i = 0; i < setup->argc; i++) {
		p->argv[i] = to;
		size_t len = strlen(setup->argv[i]) + 1;
		memcpy(to, setup->argv[i], len);
		to += len;
	}
	p->input_len = setup->input.len;
	if (p->input_len > 0)
		memcpy(to, setup->input.ptr, p->input_len);
	p->input = to;
	return true;
}

struct program *program_start(const struct program_setup *setup, program_fn *fn, void *ctx)
{
	struct program *p = mem_alloc(sizeof *p);
	if (!p)
		return NULL;
	p->fn = fn;
	p->ctx = ctx;
	p->timeout_ms = setup->timeout_ms;
	p->answer = setup->answer;
	p->answer_bytes_max = setup->answer ? setup->answer_bytes_max : 0;
	p->in_fd = p->out_fd = -1;
	p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->stop_fd >= 0 && program_copy(p, setup)) {
		p->end.name = p->argv[0];
		p->end.why = p->why;
		p->errand = errand_start(setup->loop, program_work, program_done, p);
	}
	if (!p->errand)
		program_stop(&p);
	return p;
}

void program_stop(struct program **program)
{
	struct program *p = *program;
	const uint64_t one = 1;
	*program = NULL;
	if (!p)
		return;
	if (p->stop_fd >= 0)
		/* It cannot fail: the counter of an eventfd that is rung once is not full. */
		(void)!write(p->stop_fd, &one, sizeof one);
	errand_end(&p->errand);
	if (p->stop_fd >= 0)
		close(p->stop_fd);
	mem_free(p->argv);
	mem_free(p);
}
