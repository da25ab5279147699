/* SPDX-License-Identifier: Apache-2.0
 *
 * listen: waits for peers on a unix or TCP socket.
 *
 * A unix socket file left behind by a dead process is removed, one that somebody
 * listens on is not, and a file that is no socket never. The socket file is never
 * open wider than its mode, not even for a moment. When file descriptors run out,
 * a waiting peer is accepted and closed at once, so that it falls back to its
 * default instead of hanging (promise 3).
 */
#ifndef QUELL_NET_LISTEN_H
#define QUELL_NET_LISTEN_H

#include "net/addr.h"
#include "net/loop.h"

#include <sys/types.h>

struct listen;

/* fd is non-blocking and close-on-exec, and belongs to the callee. peer lives
 * during the call. */
typedef void listen_fn(void *ctx, int fd, const struct net_addr *peer);

struct listen_setup {
	unsigned mode;   /* of a unix socket file; 0: 0660 */
	uid_t owner;     /* of a unix socket file; (uid_t)-1: as it is */
	gid_t group;     /* the same */
	int backlog;     /* 0: 511 */
};
#define LISTEN_SETUP_DEFAULT ((struct listen_setup){ 0, (uid_t)-1, (gid_t)-1, 0 })

/* setup may be NULL for the defaults. NULL and *e on trouble. */
struct listen *listen_open(struct loop *l, const struct net_addr *addr, const struct listen_setup *setup,
			   listen_fn *fn, void *ctx, struct error *e);
/* Takes over a socket that listens already (handed over by systemd). */
struct listen *listen_adopt(struct loop *l, int fd, listen_fn *fn, void *ctx, struct error *e);
/* The address as bound: with port 0 asked for, the port given. */
const struct net_addr *listen_addr(const struct listen *n);
/* Peers turned away because file descriptors ran out. */
uint64_t listen_turned_away(const struct listen *n);
/* Stops and removes its unix socket file if that is still its own. NULL is welcome;
 * sets the pointer to NULL. Not from within listen_fn. */
void listen_close(struct listen **n);

#endif
