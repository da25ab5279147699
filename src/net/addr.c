/* SPDX-License-Identifier: Apache-2.0
 *
 * addr: texts to socket addresses and back.
 *
 * The text is cut into {family, host, port} first and read by one function, so
 * that every spelling obeys the same checks. Nothing is looked up unless the
 * caller asked for that.
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

struct place {
	int family; /* AF_UNSPEC: either */
	struct slice host, port;
};

static bool addr_refuse(struct slice text, struct error *e)
{
	return error_set(e, EXIT_USAGE,
			 "\"%.*s\" is no address; expected unix:/path, inet:PORT@HOST, "
			 "inet6:PORT@HOST or HOST:PORT with a literal host or localhost",
			 SLICE_ARG(text));
}

static bool addr_set_unix(struct slice path, struct net_addr *out, struct error *e)
{
	*out = (struct net_addr){ .len = sizeof out->un };
	if (path.len == 0 || path.ptr[0] != '/' || slice_find_byte(path, 0, '\0') < path.len)
		return error_set(e, EXIT_USAGE, "\"%.*s\": the path of a unix socket must be absolute",
				 SLICE_ARG(path));
	if (path.len >= sizeof out->un.sun_path)
		return error_set(e, EXIT_USAGE, "\"%.*s\": the path of a unix socket has at most %zu bytes",
				 SLICE_ARG(path), sizeof out->un.sun_path - 1);
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path, path.ptr, path.len);
	return true;
}

static bool addr_port(struct slice text, uint16_t *port_out)
{
	uint64_t port;
	if (!slice_to_u64(text, &port) || port > UINT16_MAX || text.len > 5)
		return false;
	*port_out = (uint16_t)port;
	return true;
}

static bool addr_set_literal(const char *host, int family, uint16_t port, struct net_addr *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->storage;
	*out = (struct net_addr){ 0 };
	if (family != AF_INET6 && inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		out->len = sizeof *in;
		return true;
	}
	*out = (struct net_addr){ 0 };
	if (family != AF_INET && inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		out->len = sizeof *in6;
		return true;
	}
	return false;
}

static bool addr_ask_resolver(const char *host, int family, uint16_t port, struct net_addr *out,
			      struct error *e)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM }, *found = NULL;
	char port_text[8];
	snprintf(port_text, sizeof port_text, "%u", port);
	int trouble = getaddrinfo(host, port_text, &hints, &found);
	if (trouble != 0 || !found || found->ai_addrlen > sizeof out->storage) {
		error_set(e, EXIT_UNAVAILABLE, "%s: %s", host, gai_strerror(trouble));
		if (found)
			freeaddrinfo(found);
		return false;
	}
	*out = (struct net_addr){ .len = found->ai_addrlen };
	memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

static const char *addr_well_known(struct slice host, int family)
{
	if (host.len == 0 || slice_equal_nocase(host, SLICE("localhost")))
		return family == AF_INET6 ? "::1" : "127.0.0.1";
	if (slice_equal(host, SLICE("*")))
		return family == AF_INET6 ? "::" : "0.0.0.0";
	return NULL;
}

static bool addr_set_place(struct place place, bool may_ask, struct net_addr *out, struct error *e)
{
	char host[256];
	uint16_t port;
	if (place.host.len > 2 && place.host.ptr[0] == '[' && place.host.ptr[place.host.len - 1] == ']')
		place.host = slice_between(place.host, 1, place.host.len - 1);
	if (!addr_port(place.port, &port) || place.host.len >= sizeof host ||
	    slice_find_byte(place.host, 0, '\0') < place.host.len)
		return false;
	const char *known = addr_well_known(place.host, place.family);
	snprintf(host, sizeof host, "%.*s", SLICE_ARG(place.host));
	if (addr_set_literal(known ? known : host, place.family, port, out))
		return true;
	return may_ask && addr_ask_resolver(host, place.family, port, out, e);
}

/* "PORT@HOST", "PORT", "HOST:PORT"; a colon in brackets is none. */
static struct place addr_split(struct slice text, int family, bool may_lack_host)
{
	size_t at = slice_find_byte(text, 0, '@');
	size_t colon = text.len;
	if (at < text.len)
		return (struct place){ family, slice_from(text, at + 1), slice_first(text, at) };
	for (size_t i = text.len; i > 0 && text.ptr[i - 1] != ']'; i--) {
		if (text.ptr[i - 1] == ':') {
			colon = i - 1;
			break;
		}
	}
	if (colon < text.len)
		return (struct place){ family, slice_first(text, colon), slice_from(text, colon + 1) };
	if (may_lack_host)
		return (struct place){ family, slice_make(NULL, 0), text };
	return (struct place){ family, text, slice_make(NULL, 0) };
}

static bool addr_read(struct slice text, bool may_ask, struct net_addr *out, struct error *e)
{
	static const struct {
		struct slice prefix;
		int family;
	} rows[] = {
		{ { "unix:", 5 }, AF_UNIX }, { { "local:", 6 }, AF_UNIX },
		{ { "inet:", 5 }, AF_INET }, { { "inet6:", 6 }, AF_INET6 },
	};
	if (text.len > 0 && text.ptr[0] == '/')
		return addr_set_unix(text, out, e);
	struct error asked = { .text = "" };
	struct place place = addr_split(text, AF_UNSPEC, false);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!slice_starts_nocase(text, rows[i].prefix))
			continue;
		struct slice rest = slice_from(text, rows[i].prefix.len);
		if (rows[i].family == AF_UNIX)
			return addr_set_unix(rest, out, e);
		place = addr_split(rest, rows[i].family, true);
		break;
	}
	if (place.port.len > 0 && addr_set_place(place, may_ask, out, &asked))
		return true;
	if (asked.text[0])
		return error_set(e, asked.status, "%s", asked.text);
	return addr_refuse(text, e);
}

bool net_addr_parse(struct slice text, struct net_addr *addr_out, struct error *e)
{
	return addr_read(text, false, addr_out, e);
}

bool net_addr_lookup(struct slice text, struct net_addr *addr_out, struct error *e)
{
	return addr_read(text, true, addr_out, e);
}

const char *net_addr_text(const struct net_addr *addr, char out[NET_ADDR_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in *in = (const struct sockaddr_in *)&addr->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->storage;
	switch (addr->any.sa_family) {
	case AF_UNIX:
		snprintf(out, NET_ADDR_TEXT_BYTES, "unix:%.*s", (int)sizeof addr->un.sun_path,
			 addr->un.sun_path);
		break;
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		snprintf(out, NET_ADDR_TEXT_BYTES, "%s:%u", host, ntohs(in->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
		snprintf(out, NET_ADDR_TEXT_BYTES, "[%s]:%u", host, ntohs(in6->sin6_port));
		break;
	default:
		snprintf(out, NET_ADDR_TEXT_BYTES, "unknown");
		break;
	}
	return out;
}

bool net_addr_is_unix(const struct net_addr *addr)
{
	return addr->any.sa_family == AF_UNIX;
}

bool net_addr_is_local(const struct net_addr *addr)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&addr->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->storage;
	if (addr->any.sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	if (addr->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return net_addr_is_unix(addr);
}
