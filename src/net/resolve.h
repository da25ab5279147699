/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve: a host name to its addresses, without holding up the loop (evdns).
 *
 * A literal address or "localhost" needs no server and is answered too by the call,
 * never from within resolve_start. The hosts file counts. IPv6 and IPv4 addresses
 * come in turn (RFC 8305 4), at most RESOLVE_MAX.
 */
#ifndef QUELL_NET_RESOLVE_H
#define QUELL_NET_RESOLVE_H

#include "net/addr.h"
#include "net/loop.h"

enum { RESOLVE_MAX = 8 };

struct resolve;
/* count 0: why says so in words ("no such host pop.example.org"); addrs live for the
 * call only. The struct resolve is gone when this is called; once. */
typedef void resolve_fn(void *ctx, const struct net_addr *addrs, size_t count, const char *why);

/* port in host order. NULL without memory (then fn is never called). */
struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, int64_t timeout_ms,
			      resolve_fn *fn, void *ctx);
/* fn is not called. Sets the pointer to NULL; NULL is welcome. */
void resolve_cancel(struct resolve **r);

/* Other files than /etc/resolv.conf and /etc/hosts, for this loop; before its first
 * resolve_start. Both are read again when they change. False without memory. */
bool resolve_set_files(struct loop *l, const char *resolv_conf, const char *hosts);

#endif
