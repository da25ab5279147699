/* SPDX-License-Identifier: Apache-2.0
 *
 * servers: whose lines these are, and what time it is there. Private to watch.
 *
 * A server is a host name in a log, else a source's own name. Each has its own clock: the
 * newest time of its lines, which never goes back. A time more than a day ahead of it is
 * believed only when the next line of the server says so too: one broken line must not
 * make every open mail look old. Past WATCH_SERVERS_MAX names, all further ones are one
 * server, the source.
 */
#ifndef QUELL_WATCH_SERVERS_H
#define QUELL_WATCH_SERVERS_H

#include "watch/watch.h"

enum {
	WATCH_SERVERS_MAX = 1024,
	WATCH_SERVER_NAME_BYTES = 256,
	WATCH_TIME_BYTES = 40,
	WATCH_BACKWARDS_MS = 60 * 1000,
};

struct watch_server {
	uint64_t hash;
	struct slice name;
	char name_bytes[WATCH_SERVER_NAME_BYTES];
	int64_t now_ms;          /* 0: none yet */
	int64_t leap_ms;         /* a time too far ahead, not believed yet; 0: none */
	int64_t line_ms;         /* of the newest line, as written */
	char text[WATCH_TIME_BYTES]; /* of it; servers write the same second again and again */
	size_t text_len;
};

struct watch_servers {
	struct watch_server *slots[2 * WATCH_SERVERS_MAX];
	size_t count;
};

/* NULL: too many, or no memory. */
struct watch_server *servers_get(struct watch_servers *s, struct slice name);
void servers_free(struct watch_servers *s);
/* Reads a line's time as this server's; hint_ms is used where it has no clock yet. False when it
 * cannot be read: then it is the server's newest. */
bool server_time(struct watch_server *server, struct slice text, int64_t hint_ms, int zone_offset_s,
		 int64_t *time_ms_out);
/* Sets the clock by a line's time; true when that lies more than a minute before it. */
bool server_advance(struct watch_server *server, int64_t time_ms);

#endif
