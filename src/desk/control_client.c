/* SPDX-License-Identifier: Apache-2.0
 *
 * control_client: one order to the daemon, and its answer, with a time limit.
 */
#include "desk/control.h"

#include "net/dial.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void client_limit(int fd, int64_t timeout_ms)
{
	struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static bool client_send(int fd, const char *line)
{
	struct buf out;
	size_t sent = 0;
	buf_init(&out, CONTROL_LINE_BYTES + 1);
	bool is_fine = buf_add_str(&out, line) && buf_add_byte(&out, '\n');
	while (is_fine && sent < out.len) {
		ssize_t n = send(fd, out.ptr + sent, out.len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			is_fine = false;
		sent += n > 0 ? (size_t)n : 0;
	}
	buf_free(&out);
	return is_fine;
}

static bool client_receive(int fd, struct buf *out)
{
	size_t end;
	while ((end = slice_find_byte(buf_slice(out), 0, '\n')) == out->len) {
		char *to = buf_reserve(out, 1024);
		if (!to)
			return false;
		ssize_t n = recv(fd, to, 1024, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf_commit(out, (size_t)n);
	}
	out->len = end;
	return true;
}

bool control_ask(const char *path, const char *line, int64_t timeout_ms, struct buf *answer_out,
		 struct error *error)
{
	struct net_addr addr;
	struct error why = { .status = EXIT_FINE };
	int fd = -1;
	if (net_addr_parse(slice_from_str(path), &addr, &why))
		fd = dial_now(&addr, timeout_ms, &why);
	if (fd < 0)
		return error_set(error, EXIT_UNAVAILABLE,
				 "the daemon does not answer at %s (%s). Is quelld running (systemctl status "
				 "quelld), with these settings (-c), and may this user talk to it?",
				 path, why.text);
	client_limit(fd, timeout_ms);
	/* Even when sending fails: a daemon that turns somebody away says why first. */
	bool is_sent = client_send(fd, line);
	bool is_answered = client_receive(fd, answer_out);
	close(fd);
	return is_answered || error_set(error, EXIT_UNAVAILABLE, "the daemon at %s %s", path,
					is_sent ? "took the order but did not answer in time"
						: "hung up before it took the order");
}
