/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve: evdns behind one call and one answer.
 *
 * Every answer goes through the request's own timer: a name that needs no server is
 * answered by running it at once, a server's answer brings it forward, and where none
 * comes in time it says so. So there is one way out, never from within resolve_start.
 * The loop keeps one evdns base, made at the first name that needs it; a bad
 * /etc/resolv.conf is no trouble until a name cannot be found, and is named then.
 */
#include "net/resolve.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>

enum { RESOLVE_WHY_BYTES = 400, RESOLVE_HOST_BYTES = 256, RESOLVE_DEFAULT_MS = 30 * 1000, RESOLVE_CLEAN_ROUNDS = 8 };

/* One of a loop, for its whole life. */
struct resolver {
	struct event_base *base;
	struct evdns_base *dns;
	const char *note; /* what is wrong with resolv.conf; "" if nothing */
};

/* evdns answers a cancelled question too, later: so what it holds outlives the owner. */
struct question {
	struct resolve *owner; /* NULL: nobody wants to know any more */
	struct evdns_getaddrinfo_request *request;
};

struct resolve {
	struct loop_timer *timer;
	struct question *question;
	bool is_answered;
	uint16_t port;
	int64_t timeout_ms;
	size_t count;
	struct net_addr addrs[RESOLVE_MAX];
	const char *note;
	char host[RESOLVE_HOST_BYTES], why[RESOLVE_WHY_BYTES];
	resolve_fn *fn;
	void *ctx;
};

/* ---- the loop's resolver ---- */

static void resolver_free(void *ctx)
{
	struct resolver *v = ctx;
	if (v->dns)
		evdns_base_free(v->dns, 1);
	/* The answers to what was still asked are given, and freed, by the loop only. */
	for (int i = 0; i < RESOLVE_CLEAN_ROUNDS; i++)
		event_base_loop(v->base, EVLOOP_NONBLOCK);
	mem_free(v);
}

static const char *resolver_note(int trouble)
{
	static const char *const notes[] = {
		[0] = "",
		[1] = "; /etc/resolv.conf cannot be opened",
		[2] = "; /etc/resolv.conf cannot be read",
		[3] = "; /etc/resolv.conf is too large",
		[4] = "; no memory for /etc/resolv.conf",
		[5] = "; /etc/resolv.conf ends too early",
		[6] = "; /etc/resolv.conf names no server",
	};
	return trouble >= 0 && trouble <= 6 ? notes[trouble] : "; /etc/resolv.conf is of no use";
}

static struct resolver *resolver_of(struct loop *l)
{
	struct resolver *v = loop_resolver(l);
	if (v)
		return v;
	v = mem_alloc(sizeof *v);
	if (!v)
		return NULL;
	v->base = loop_base(l);
	/* Not EVDNS_BASE_INITIALIZE_NAMESERVERS: that gives no base at all where the file
	 * is missing, and does not say why. */
	v->dns = evdns_base_new(v->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!v->dns) {
		mem_free(v);
		return NULL;
	}
	v->note = resolver_note(evdns_base_resolv_conf_parse(v->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf"));
	loop_set_resolver(l, v, resolver_free);
	return v;
}

/* ---- addresses ---- */

static bool resolve_add(struct resolve *r, const struct sockaddr *addr, socklen_t len)
{
	struct net_addr *to = &r->addrs[r->count];
	if (r->count == RESOLVE_MAX || len > sizeof to->storage)
		return false;
	*to = (struct net_addr){ .len = len };
	memcpy(&to->storage, addr, len);
	if (addr->sa_family == AF_INET6)
		((struct sockaddr_in6 *)&to->storage)->sin6_port = htons(r->port);
	else
		((struct sockaddr_in *)&to->storage)->sin_port = htons(r->port);
	r->count++;
	return true;
}

static bool resolve_add_literal(struct resolve *r, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return resolve_add(r, (const struct sockaddr *)&in, sizeof in);
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		return resolve_add(r, (const struct sockaddr *)&in6, sizeof in6);
	return false;
}

static bool resolve_needs_nobody(struct resolve *r)
{
	if (slice_equal_nocase(slice_from_str(r->host), SLICE("localhost")))
		return resolve_add_literal(r, "::1") && resolve_add_literal(r, "127.0.0.1");
	return resolve_add_literal(r, r->host);
}

static const struct evutil_addrinfo *next_of(const struct evutil_addrinfo *at, int family)
{
	while (at && at->ai_family != family)
		at = at->ai_next;
	return at;
}

/* IPv6 first, then in turn; one family's rest when the other's are used up. */
static void resolve_add_in_turn(struct resolve *r, const struct evutil_addrinfo *found)
{
	static const int families[] = { AF_INET6, AF_INET };
	const struct evutil_addrinfo *at[] = { next_of(found, AF_INET6), next_of(found, AF_INET) };
	for (size_t turn = 0; at[0] || at[1]; turn = !turn) {
		if (!at[turn])
			continue;
		if (!resolve_add(r, at[turn]->ai_addr, (socklen_t)at[turn]->ai_addrlen))
			return;
		at[turn] = next_of(at[turn]->ai_next, families[turn]);
	}
}

/* ---- one question ---- */

static void resolve_answer(struct resolve *r)
{
	r->is_answered = true;
	loop_timer_again(r->timer, 0);
}

static void on_found(int trouble, struct evutil_addrinfo *found, void *ctx)
{
	struct question *q = ctx;
	struct resolve *r = q->owner;
	mem_free(q);
	if (r) {
		r->question = NULL;
		if (trouble == 0)
			resolve_add_in_turn(r, found);
		if (r->count == 0 && (trouble == 0 || trouble == EVUTIL_EAI_NONAME || trouble == EVUTIL_EAI_NODATA))
			snprintf(r->why, sizeof r->why, "no such host %s%s", r->host, r->note);
		else if (r->count == 0)
			snprintf(r->why, sizeof r->why, "%s cannot be looked up: %s%s", r->host,
				 evutil_gai_strerror(trouble), r->note);
		resolve_answer(r);
	}
	if (found)
		evutil_freeaddrinfo(found);
}

static void resolve_ask(struct resolve *r, struct loop *l)
{
	const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
					       .ai_protocol = IPPROTO_TCP };
	struct resolver *v = resolver_of(l);
	struct question *q = v ? mem_alloc(sizeof *q) : NULL;
	if (!q) {
		snprintf(r->why, sizeof r->why, "%s cannot be looked up: no memory", r->host);
		resolve_answer(r);
		return;
	}
	r->note = v->note;
	r->question = q;
	q->owner = r;
	struct evdns_getaddrinfo_request *request = evdns_getaddrinfo(v->dns, r->host, NULL, &hints, on_found, q);
	/* NULL: it was answered on the spot and q is gone. */
	if (request && r->question)
		r->question->request = request;
}

/* evdns still gives its answer; to nobody. */
static void resolve_forget(struct resolve *r)
{
	if (!r->question)
		return;
	r->question->owner = NULL;
	if (r->question->request)
		evdns_getaddrinfo_cancel(r->question->request);
	r->question = NULL;
}

static void on_time(void *ctx)
{
	struct resolve *r = ctx;
	if (!r->is_answered) {
		resolve_forget(r);
		snprintf(r->why, sizeof r->why, "%s cannot be looked up: no answer within %lld s%s", r->host,
			 (long long)(r->timeout_ms + 999) / 1000, r->note);
	}
	loop_timer_stop(&r->timer);
	r->fn(r->ctx, r->addrs, r->count, r->why);
	mem_free(r);
}

struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, int64_t timeout_ms,
			      resolve_fn *fn, void *ctx)
{
	struct resolve *r = mem_alloc(sizeof *r);
	if (!r)
		return NULL;
	r->port = port;
	r->note = "";
	r->timeout_ms = timeout_ms > 0 ? timeout_ms : RESOLVE_DEFAULT_MS;
	r->fn = fn;
	r->ctx = ctx;
	r->timer = loop_timer_start(l, r->timeout_ms, 0, on_time, r);
	if (!r->timer) {
		mem_free(r);
		return NULL;
	}
	struct slice name = slice_from_str(host);
	if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
		name = slice_between(name, 1, name.len - 1);
	snprintf(r->host, sizeof r->host, "%.*s", SLICE_ARG(name));
	if (name.len == 0 || name.len >= sizeof r->host) {
		snprintf(r->why, sizeof r->why, "\"%.60s\" is no host name", r->host);
		resolve_answer(r);
	} else if (resolve_needs_nobody(r)) {
		resolve_answer(r);
	} else {
		resolve_ask(r, l);
	}
	return r;
}

void resolve_cancel(struct resolve **r)
{
	if (!*r)
		return;
	resolve_forget(*r);
	loop_timer_stop(&(*r)->timer);
	mem_free(*r);
	*r = NULL;
}
