/* SPDX-License-Identifier: Apache-2.0
 *
 * dial: a non-blocking connect that ends in one call.
 *
 * A connect that fails or succeeds at once is reported by the loop all the same,
 * so that a caller never sees its callback before dial_start has returned.
 */
#include "net/dial.h"

#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

struct dial {
	struct event *event;
	int fd, sys_errno;
	bool is_settled; /* the outcome was known at once */
	dial_fn *fn;
	void *ctx;
};

static int dial_socket(const struct net_addr *addr)
{
	int one = 1;
	int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !net_addr_is_unix(addr))
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static int dial_outcome(int fd)
{
	int sys_errno = 0;
	socklen_t len = sizeof sys_errno;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys_errno, &len) != 0)
		return errno;
	return sys_errno;
}

/* Closes the socket unless it is handed on. */
static void dial_free(struct dial *d)
{
	if (d->event)
		event_free(d->event);
	if (d->fd >= 0)
		close(d->fd);
	mem_free(d);
}

static void on_outcome(evutil_socket_t fd, short what, void *ctx)
{
	struct dial *d = ctx;
	dial_fn *fn = d->fn;
	void *fn_ctx = d->ctx;
	int sys_errno = d->sys_errno;
	if (!d->is_settled)
		sys_errno = what & EV_TIMEOUT ? ETIMEDOUT : dial_outcome(fd);
	int connected = sys_errno == 0 ? d->fd : -1;
	if (connected >= 0)
		d->fd = -1;
	/* The event must leave the loop before the callee adds its own for this fd. */
	dial_free(d);
	fn(fn_ctx, connected, sys_errno);
}

static bool dial_watch(struct dial *d, struct loop *l, int64_t timeout_ms)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	d->event = event_new(loop_base(l), d->is_settled ? -1 : d->fd, d->is_settled ? 0 : EV_WRITE,
			     on_outcome, d);
	if (!d->event)
		return false;
	if (!d->is_settled)
		return event_add(d->event, timeout_ms > 0 ? &tv : NULL) == 0;
	const struct timeval at_once = { 0, 0 };
	return event_add(d->event, &at_once) == 0;
}

struct dial *dial_start(struct loop *l, const struct net_addr *addr, int64_t timeout_ms, dial_fn *fn,
			void *ctx)
{
	struct dial *d = mem_alloc(sizeof *d);
	if (!d)
		return NULL;
	*d = (struct dial){ .fd = dial_socket(addr), .fn = fn, .ctx = ctx };
	bool is_connected = d->fd >= 0 && connect(d->fd, &addr->any, addr->len) == 0;
	d->is_settled = is_connected || errno != EINPROGRESS;
	d->sys_errno = is_connected ? 0 : errno;
	if (!dial_watch(d, l, timeout_ms)) {
		dial_free(d);
		return NULL;
	}
	return d;
}

void dial_cancel(struct dial **d)
{
	if (*d)
		dial_free(*d);
	*d = NULL;
}

static int dial_wait(int fd, int64_t timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n = poll(&p, 1, timeout_ms > 0 && timeout_ms < INT32_MAX ? (int)timeout_ms : -1);
	if (n < 0)
		return errno;
	return n == 0 ? ETIMEDOUT : dial_outcome(fd);
}

int dial_now(const struct net_addr *addr, int64_t timeout_ms, struct error *e)
{
	char text[NET_ADDR_TEXT_BYTES];
	int fd = dial_socket(addr);
	int sys_errno = fd < 0 ? errno : 0;
	if (fd >= 0 && connect(fd, &addr->any, addr->len) != 0)
		sys_errno = errno == EINPROGRESS ? dial_wait(fd, timeout_ms) : errno;
	if (sys_errno == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	error_set(e, EXIT_UNAVAILABLE, "cannot connect to %s: %s", net_addr_text(addr, text),
		  strerror(sys_errno));
	return -1;
}
