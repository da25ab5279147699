/* SPDX-License-Identifier: Apache-2.0
 *
 * addr: where to listen or to dial, from its text.
 *
 * Accepted: "unix:/path", "local:/path", "/path", "inet:PORT@HOST", "inet:PORT"
 * (loopback), "inet:HOST:PORT" (as Postfix writes it), "inet6:PORT@HOST",
 * "HOST:PORT", "[v6]:PORT". HOST is a literal address, "localhost" (127.0.0.1, or
 * ::1 for inet6) or "*" (any, for listening). Names are refused here: looking
 * them up blocks, see net_addr_lookup.
 */
#ifndef QUELL_NET_ADDR_H
#define QUELL_NET_ADDR_H

#include "base/error.h"
#include "base/slice.h"

#include <sys/socket.h>
#include <sys/un.h>

struct net_addr {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
	socklen_t len;
};

/* False and *e (what was expected) when the text is none of the above. */
bool net_addr_parse(struct slice text, struct net_addr *addr_out, struct error *e);
/* The same, and HOST may be a name: asks the system's resolver and BLOCKS. Only for
 * start-up and command-line tools. */
bool net_addr_lookup(struct slice text, struct net_addr *addr_out, struct error *e);

enum { NET_ADDR_TEXT_BYTES = 128 };
/* "unix:/path", "192.0.2.1:25", "[2001:db8::1]:25"; returns out. */
const char *net_addr_text(const struct net_addr *addr, char out[NET_ADDR_TEXT_BYTES]);

bool net_addr_is_unix(const struct net_addr *addr);
/* A unix socket, 127.0.0.0/8 or ::1. */
bool net_addr_is_local(const struct net_addr *addr);

#endif
