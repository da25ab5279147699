/* SPDX-License-Identifier: Apache-2.0
 *
 * listen: bind, listen, accept one peer a wake-up.
 *
 * One accept a wake-up and no second one that would only say EAGAIN: the event is
 * level-triggered, so a further peer wakes the loop again. One descriptor is kept
 * in reserve to turn peers away when the process has run out of them.
 */
#include "net/listen.h"

#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 511, LISTEN_MODE = 0660 };

struct listen {
	struct event *event;
	int fd, reserve_fd;
	listen_fn *fn;
	void *ctx;
	struct net_addr addr;
	bool has_file;     /* the socket file is ours to remove */
	dev_t file_device;
	ino_t file_inode;
	uint64_t turned_away;
};

static int listen_open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: closing a peer at once lets it fall back to its default. */
static void listen_turn_away(struct listen *n)
{
	if (n->reserve_fd >= 0)
		close(n->reserve_fd);
	int fd = accept4(n->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	n->reserve_fd = listen_open_reserve();
	n->turned_away++;
}

static void on_peer(evutil_socket_t listen_fd, short what, void *ctx)
{
	struct listen *n = ctx;
	struct net_addr peer = { .len = sizeof peer.storage };
	(void)what;
	int fd = accept4(listen_fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			listen_turn_away(n);
		return; /* any other: the peer has gone again */
	}
	if (peer.any.sa_family == AF_INET || peer.any.sa_family == AF_INET6) {
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	}
	n->fn(n->ctx, fd, &peer);
}

static bool listen_watch(struct listen *n, struct loop *l, struct error *e)
{
	n->reserve_fd = listen_open_reserve();
	n->event = event_new(loop_base(l), n->fd, EV_READ | EV_PERSIST, on_peer, n);
	if (n->event && event_add(n->event, NULL) == 0)
		return true;
	return error_set(e, EXIT_TRY_AGAIN, "no memory to listen");
}

static struct listen *listen_new(int fd, listen_fn *fn, void *ctx)
{
	struct listen *n = mem_alloc(sizeof *n);
	if (!n)
		return NULL;
	n->fd = fd;
	n->reserve_fd = -1;
	n->fn = fn;
	n->ctx = ctx;
	return n;
}

/* ---- the socket file ---- */

static bool listen_is_answered(const struct net_addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true; /* not known: better leave it alone */
	bool is_answered = connect(fd, &addr->any, addr->len) == 0 || errno != ECONNREFUSED;
	close(fd);
	return is_answered;
}

/* Makes way for bind; only a dead socket file is removed. */
static bool listen_clear_path(const struct net_addr *addr, struct error *e)
{
	struct stat st;
	const char *path = addr->un.sun_path;
	if (lstat(path, &st) != 0)
		return true; /* bind says what is wrong, if anything is */
	if (!S_ISSOCK(st.st_mode))
		return error_set(e, EXIT_UNAVAILABLE, "%s exists and is no socket; remove it first", path);
	if (listen_is_answered(addr))
		return error_set(e, EXIT_UNAVAILABLE, "%s: another process listens there already", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set(e, EXIT_UNAVAILABLE, "%s: cannot remove the old socket: %s", path,
				 strerror(errno));
	return true;
}

static bool listen_dress_file(struct listen *n, const struct listen_setup *setup, struct error *e)
{
	struct stat st;
	const char *path = n->addr.un.sun_path;
	mode_t mode = setup->mode ? (mode_t)setup->mode : LISTEN_MODE;
	if (lstat(path, &st) == 0) {
		n->has_file = true;
		n->file_device = st.st_dev;
		n->file_inode = st.st_ino;
	}
	bool want_owner = setup->owner != (uid_t)-1 || setup->group != (gid_t)-1;
	if ((want_owner && lchown(path, setup->owner, setup->group) != 0) || chmod(path, mode) != 0)
		return error_set(e, EXIT_UNAVAILABLE, "%s: cannot set its owner or mode: %s", path,
				 strerror(errno));
	return true;
}

static bool listen_bind(struct listen *n, const struct listen_setup *setup, struct error *e)
{
	char text[NET_ADDR_TEXT_BYTES];
	bool is_unix = net_addr_is_unix(&n->addr);
	if (is_unix && !listen_clear_path(&n->addr, e))
		return false;
	/* Closed to all until its mode is set; umask is the process's, so keep it short. */
	mode_t old_mask = umask(0177);
	int result = bind(n->fd, &n->addr.any, n->addr.len);
	int bind_errno = errno;
	umask(old_mask);
	if (result != 0)
		return error_set(e, EXIT_UNAVAILABLE, "cannot listen on %s: %s",
				 net_addr_text(&n->addr, text), strerror(bind_errno));
	if (is_unix && !listen_dress_file(n, setup, e))
		return false;
	if (listen(n->fd, setup->backlog > 0 ? setup->backlog : LISTEN_BACKLOG) != 0)
		return error_set(e, EXIT_UNAVAILABLE, "cannot listen on %s: %s",
				 net_addr_text(&n->addr, text), strerror(errno));
	if (!is_unix) {
		n->addr.len = sizeof n->addr.storage;
		getsockname(n->fd, &n->addr.any, &n->addr.len);
	}
	return true;
}

static int listen_socket(const struct net_addr *addr)
{
	int one = 1;
	int fd = socket(addr->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!net_addr_is_unix(addr))
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (addr->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	return fd;
}

struct listen *listen_open(struct loop *l, const struct net_addr *addr, const struct listen_setup *setup,
			   listen_fn *fn, void *ctx, struct error *e)
{
	const struct listen_setup defaults = LISTEN_SETUP_DEFAULT;
	char text[NET_ADDR_TEXT_BYTES];
	int fd = listen_socket(addr);
	if (fd < 0) {
		error_set(e, EXIT_UNAVAILABLE, "cannot listen on %s: %s", net_addr_text(addr, text),
			  strerror(errno));
		return NULL;
	}
	struct listen *n = listen_new(fd, fn, ctx);
	if (!n) {
		close(fd);
		error_set(e, EXIT_TRY_AGAIN, "no memory to listen");
		return NULL;
	}
	n->addr = *addr;
	if (!listen_bind(n, setup ? setup : &defaults, e) || !listen_watch(n, l, e))
		listen_close(&n);
	return n;
}

struct listen *listen_adopt(struct loop *l, int fd, listen_fn *fn, void *ctx, struct error *e)
{
	int is_listening = 0;
	socklen_t len = sizeof is_listening;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || !is_listening ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		error_set(e, EXIT_UNAVAILABLE, "descriptor %d is no listening socket", fd);
		return NULL;
	}
	struct listen *n = listen_new(fd, fn, ctx);
	if (!n) {
		error_set(e, EXIT_TRY_AGAIN, "no memory to listen");
		return NULL;
	}
	n->addr.len = sizeof n->addr.storage;
	getsockname(fd, &n->addr.any, &n->addr.len);
	if (!listen_watch(n, l, e))
		listen_close(&n);
	return n;
}

const struct net_addr *listen_addr(const struct listen *n)
{
	return &n->addr;
}

uint64_t listen_turned_away(const struct listen *n)
{
	return n->turned_away;
}

void listen_close(struct listen **listener)
{
	struct listen *n = *listener;
	struct stat st;
	if (!n)
		return;
	if (n->event)
		event_free(n->event);
	close(n->fd);
	if (n->reserve_fd >= 0)
		close(n->reserve_fd);
	/* A successor may have put its own file there. */
	if (n->has_file && lstat(n->addr.un.sun_path, &st) == 0 && st.st_dev == n->file_device &&
	    st.st_ino == n->file_inode)
		unlink(n->addr.un.sun_path);
	mem_free(n);
	*listener = NULL;
}
