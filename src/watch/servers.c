/* SPDX-License-Identifier: Apache-2.0
 *
 * servers: see servers.h.
 */
#include "watch/servers.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

/* Times without a year are read as the nearest to the server's clock, half a year either
 * way: so the year changes with January, and a log may be silent for months. */
#define HALF_YEAR_MS (182LL * CLOCK_DAY_MS)

struct watch_server *servers_get(struct watch_servers *s, struct slice name)
{
	uint64_t hash = hash_mix(0, name);
	size_t at = hash % (2 * WATCH_SERVERS_MAX);
	struct watch_server *server;
	name = slice_first(name, WATCH_SERVER_NAME_BYTES);
	while ((server = s->slots[at])) {
		if (server->hash == hash && slice_equal(server->name, name))
			return server;
		at = (at + 1) % (2 * WATCH_SERVERS_MAX);
	}
	server = s->count < WATCH_SERVERS_MAX ? mem_alloc(sizeof *server) : NULL;
	if (!server)
		return NULL;
	server->hash = hash;
	if (name.len > 0)
		memcpy(server->name_bytes, name.ptr, name.len);
	server->name = slice_make(server->name_bytes, name.len);
	s->slots[at] = server;
	s->count++;
	return server;
}

void servers_free(struct watch_servers *s)
{
	for (size_t i = 0; i < 2 * WATCH_SERVERS_MAX; i++)
		mem_free(s->slots[i]);
}

/* The clock of a traditional time, "Dec  6 09:20:03"; -1: let the grammar judge it. */
static int64_t clock_of(const char *text)
{
	int64_t parts[3];
	for (int i = 0; i < 3; i++) {
		unsigned tens = (unsigned char)text[7 + 3 * i] - '0', ones = (unsigned char)text[8 + 3 * i] - '0';
		if (tens > 5 || ones > 9)
			return -1;
		parts[i] = (int64_t)(tens * 10 + ones);
	}
	return parts[0] > 23 ? -1 : ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * CLOCK_SECOND_MS;
}

/* The same day as the newest line's: only the clock is read. A new year begins with another day. */
static bool server_time_of_day(struct watch_server *server, struct slice text, int64_t *time_ms_out)
{
	enum { TRADITIONAL = 15, DAY = 7 };
	if (text.len != TRADITIONAL || server->text_len != TRADITIONAL || memcmp(text.ptr, server->text, DAY) != 0 ||
	    text.ptr[9] != ':' || text.ptr[12] != ':')
		return false;
	int64_t clock_ms = clock_of(text.ptr), newest_ms = clock_of(server->text);
	if (clock_ms < 0 || newest_ms < 0)
		return false;
	server->line_ms = *time_ms_out = server->line_ms - newest_ms + clock_ms;
	memcpy(server->text + DAY, text.ptr + DAY, TRADITIONAL - DAY);
	return true;
}

bool server_time(struct watch_server *server, struct slice text, int64_t hint_ms, int zone_offset_s,
		 int64_t *time_ms_out)
{
	*time_ms_out = server->now_ms;
	if (text.len == 0)
		return false;
	if (text.len == server->text_len && memcmp(text.ptr, server->text, text.len) == 0) {
		*time_ms_out = server->line_ms;
		return true;
	}
	if (server_time_of_day(server, text, time_ms_out))
		return true;
	int64_t time_ms, hint = server->now_ms ? server->now_ms + HALF_YEAR_MS : hint_ms;
	if (!maillog_time(text, hint, zone_offset_s, &time_ms))
		return false;
	server->text_len = text.len <= WATCH_TIME_BYTES ? text.len : 0;
	memcpy(server->text, text.ptr, server->text_len);
	server->line_ms = *time_ms_out = time_ms;
	return true;
}

bool server_advance(struct watch_server *server, int64_t time_ms)
{
	int64_t ahead_ms = time_ms - server->now_ms, leap_ms = server->leap_ms;
	if (ahead_ms == 0)
		return false;
	server->leap_ms = 0;
	if (ahead_ms <= 0)
		return server->now_ms != 0 && ahead_ms < -WATCH_BACKWARDS_MS;
	bool is_leap = server->now_ms != 0 && ahead_ms > CLOCK_DAY_MS;
	if (is_leap && (leap_ms == 0 || time_ms < leap_ms - CLOCK_DAY_MS || time_ms > leap_ms + CLOCK_DAY_MS))
		server->leap_ms = time_ms;
	else
		server->now_ms = time_ms;
	return false;
}
