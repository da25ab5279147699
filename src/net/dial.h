/* SPDX-License-Identifier: Apache-2.0
 *
 * dial: connects to a peer, with a time limit.
 *
 * To literal addresses only (addr.h); no name is looked up here. The call that
 * ends a dial comes exactly once, never from within dial_start, and frees it.
 */
#ifndef QUELL_NET_DIAL_H
#define QUELL_NET_DIAL_H

#include "net/addr.h"
#include "net/loop.h"

struct dial;

/* fd: connected, non-blocking, close-on-exec, the callee's; or -1 and sys_errno
 * (ETIMEDOUT after timeout_ms). The struct dial is gone when this is called. */
typedef void dial_fn(void *ctx, int fd, int sys_errno);

/* NULL without memory (then fn is never called). */
struct dial *dial_start(struct loop *l, const struct net_addr *addr, int64_t timeout_ms, dial_fn *fn,
			void *ctx);
/* Gives up: fn is not called. Sets the pointer to NULL; NULL is welcome. */
void dial_cancel(struct dial **d);

/* For command-line tools: waits. A blocking fd, or -1 and *e. */
int dial_now(const struct net_addr *addr, int64_t timeout_ms, struct error *e);

#endif
