/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve: evdns behind one call, with a time limit of our own.
 *
 * One evdns base per loop, made at the first name that needs it and made anew when
 * resolv.conf or the hosts file changed while nothing was asked. evdns answers some
 * questions from within the asking and others after they were cancelled; so its answer
 * goes to a question of its own that outlives the struct resolve, and a timer of the
 * loop tells the owner what was known at once.
 */
#include "net/resolve.h"

#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	RESOLVE_HOST_BYTES = 256,
	RESOLVE_LABEL_BYTES_MAX = 63,
	RESOLVE_WHY_BYTES = 400,
	RESOLVE_TIMEOUT_MS = 30 * 1000, /* when the caller names none */
};

/* What a file was when it was read. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec changed;
};

struct resolver {
	struct loop *loop;
	struct evdns_base *dns;       /* NULL: not made yet */
	bool has_server;              /* resolv.conf names one */
	char *resolv_conf, *hosts;    /* paths */
	struct file_mark marks[2];
	struct list questions;        /* of struct question: asked, not answered */
};

/* One call of evdns. */
struct question {
	struct list link;
	struct resolve *owner;        /* NULL: nobody wants the answer any more */
	struct evdns_getaddrinfo_request *request;
};

struct resolve {
	struct resolver *resolver;
	struct loop_timer *timer;
	struct question *question;    /* NULL: none, or answered */
	char host[RESOLVE_HOST_BYTES];
	uint16_t port;
	int64_t timeout_ms;
	bool is_starting;             /* resolve_start is on the stack */
	bool is_known;
	struct net_addr addrs[RESOLVE_MAX];
	size_t count;
	char why[RESOLVE_WHY_BYTES];
	resolve_fn *fn;
	void *ctx;
};

/* evdns answers it all the same, later. */
static void question_leave(struct resolve *r)
{
	if (!r->question)
		return;
	r->question->owner = NULL;
	evdns_getaddrinfo_cancel(r->question->request);
	r->question = NULL;
}

/* ---- the resolver of a loop ---- */

static struct file_mark file_mark(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return (struct file_mark){ 0 };
	return (struct file_mark){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
}

static bool is_same_mark(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void resolver_close_dns(struct resolver *v)
{
	if (v->dns)
		evdns_base_free(v->dns, 0);
	v->dns = NULL;
}

/* With the loop. Questions nobody waits for may still be out: evdns gives them back in a
 * round of their own. */
static void resolver_drop(void *ctx)
{
	struct resolver *v = ctx;
	for (struct list *n = v->questions.next; n != &v->questions; n = n->next) {
		struct question *q = LIST_OWNER(n, struct question, link);
		if (q->owner)
			question_leave(q->owner);
	}
	if (!list_is_empty(&v->questions))
		event_base_loop(loop_base(v->loop), EVLOOP_NONBLOCK);
	resolver_close_dns(v);
	mem_free(v->resolv_conf);
	mem_free(v->hosts);
	mem_free(v);
}

static struct resolver *resolver_new(struct loop *l, const char *resolv_conf, const char *hosts)
{
	struct resolver *v = mem_alloc(sizeof *v);
	if (!v)
		return NULL;
	v->loop = l;
	list_init(&v->questions);
	v->resolv_conf = mem_copy_str(resolv_conf, strlen(resolv_conf));
	v->hosts = mem_copy_str(hosts, strlen(hosts));
	if (v->resolv_conf && v->hosts)
		return v;
	resolver_drop(v);
	return NULL;
}

bool resolve_set_files(struct loop *l, const char *resolv_conf, const char *hosts)
{
	struct resolver *v = resolver_new(l, resolv_conf, hosts);
	if (!v)
		return false;
	if (loop_resolver(l))
		resolver_drop(loop_resolver(l));
	loop_set_resolver(l, v, resolver_drop);
	return true;
}

static struct resolver *resolver_of(struct loop *l)
{
	if (!loop_resolver(l) && !resolve_set_files(l, "/etc/resolv.conf", "/etc/hosts"))
		return NULL;
	return loop_resolver(l);
}

static void on_dns_log(int is_warning, const char *text)
{
	char quoted[LOG_QUOTE_BYTES];
	(void)is_warning;
	log_debug("resolve", "note=%s", log_quote(slice_from_str(text), quoted, sizeof quoted));
}

/* Ready to be asked. A missing file is no trouble yet: a name may stand in the other. */
static bool resolver_open_dns(struct resolver *v)
{
	struct file_mark marks[2] = { file_mark(v->resolv_conf), file_mark(v->hosts) };
	bool is_old = !is_same_mark(&marks[0], &v->marks[0]) || !is_same_mark(&marks[1], &v->marks[1]);
	if (v->dns && is_old && list_is_empty(&v->questions))
		resolver_close_dns(v);
	if (v->dns)
		return true;
	memcpy(v->marks, marks, sizeof v->marks);
	evdns_set_log_fn(on_dns_log);
	v->dns = evdns_base_new(loop_base(v->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!v->dns)
		return false;
	/* Where the file names no server, evdns would ask 127.0.0.1 and wait: that is told by its
	 * result, and rather said to a person. */
	v->has_server = v->marks[0].inode != 0 &&
			evdns_base_resolv_conf_parse(v->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE,
						     v->resolv_conf) == 0;
	evdns_base_load_hosts(v->dns, v->marks[1].inode != 0 ? v->hosts : NULL);
	return true;
}

/* ---- what is known ---- */

static void resolve_add(struct resolve *r, int family, const void *address)
{
	struct net_addr *a = &r->addrs[r->count];
	struct sockaddr_in *in = (struct sockaddr_in *)&a->storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->storage;
	if (r->count == RESOLVE_MAX)
		return;
	r->count++;
	*a = (struct net_addr){ .len = family == AF_INET ? sizeof *in : sizeof *in6 };
	a->any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		in->sin_port = htons(r->port);
		memcpy(&in->sin_addr, address, sizeof in->sin_addr);
	} else {
		in6->sin6_port = htons(r->port);
		memcpy(&in6->sin6_addr, address, sizeof in6->sin6_addr);
	}
}

static bool resolve_literal(struct resolve *r)
{
	unsigned char address[16];
	int family = strchr(r->host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, r->host, address) != 1)
		return false;
	resolve_add(r, family, address);
	return true;
}

/* RFC 6761 6.3: never asked of a server. */
static bool resolve_localhost(struct resolve *r)
{
	const struct in_addr four = { htonl(INADDR_LOOPBACK) };
	if (!slice_equal_nocase(slice_from_str(r->host), SLICE("localhost")))
		return false;
	resolve_add(r, AF_INET6, &in6addr_loopback);
	resolve_add(r, AF_INET, &four);
	return true;
}

/* Letters, digits, "-" and "_" in labels of 1 to 63 bytes (RFC 1123 2.1). */
static bool is_host_name(const char *host)
{
	size_t label = 0;
	for (const char *p = host; *p; p++) {
		if (*p == '.' ? label == 0 : !ascii_is_alpha(*p) && !ascii_is_digit(*p) && *p != '-' && *p != '_')
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > RESOLVE_LABEL_BYTES_MAX)
			return false;
	}
	return label > 0;
}

/* The next of this family from *at on. */
static const struct evutil_addrinfo *next_of(const struct evutil_addrinfo *at, int family)
{
	while (at && at->ai_family != family)
		at = at->ai_next;
	return at;
}

static void resolve_take(struct resolve *r, const struct evutil_addrinfo *found)
{
	const struct evutil_addrinfo *six = next_of(found, AF_INET6), *four = next_of(found, AF_INET);
	while ((six || four) && r->count < RESOLVE_MAX) {
		if (six) {
			const struct sockaddr_in6 *in6 = (const void *)six->ai_addr;
			resolve_add(r, AF_INET6, &in6->sin6_addr);
			six = next_of(six->ai_next, AF_INET6);
		}
		if (four) {
			const struct sockaddr_in *in = (const void *)four->ai_addr;
			resolve_add(r, AF_INET, &in->sin_addr);
			four = next_of(four->ai_next, AF_INET);
		}
	}
}

static void resolve_explain(struct resolve *r, int trouble)
{
	switch (trouble) {
	case EVUTIL_EAI_NONAME:
	case EVUTIL_EAI_NODATA:
		snprintf(r->why, sizeof r->why, "no such host %s", r->host);
		break;
	case EVUTIL_EAI_AGAIN:
	case EVUTIL_EAI_FAIL:
		snprintf(r->why, sizeof r->why, "the name server gives no address for %s", r->host);
		break;
	default:
		snprintf(r->why, sizeof r->why, "%s cannot be looked up: %s", r->host,
			 evutil_gai_strerror(trouble));
		break;
	}
}

/* ---- the call ---- */

void resolve_cancel(struct resolve **r)
{
	if (!*r)
		return;
	question_leave(*r);
	loop_timer_stop(&(*r)->timer);
	mem_free(*r);
	*r = NULL;
}

static void resolve_tell(struct resolve *r)
{
	struct resolve copy = *r;
	resolve_cancel(&r);
	copy.fn(copy.ctx, copy.addrs, copy.count, copy.count > 0 ? NULL : copy.why);
}

static void on_resolve_timer(void *ctx)
{
	struct resolve *r = ctx;
	if (!r->is_known)
		snprintf(r->why, sizeof r->why, "the name server did not answer in %lld s for %s",
			 (long long)(r->timeout_ms + 999) / 1000, r->host);
	resolve_tell(r);
}

static void on_answer(int trouble, struct evutil_addrinfo *found, void *ctx)
{
	struct question *q = ctx;
	struct resolve *r = q->owner;
	list_remove(&q->link);
	mem_free(q);
	if (r) {
		r->question = NULL;
		r->is_known = true;
		resolve_take(r, found);
		if (r->count == 0)
			resolve_explain(r, trouble ? trouble : EVUTIL_EAI_NODATA);
	}
	if (found)
		evutil_freeaddrinfo(found);
	if (r && !r->is_starting)
		resolve_tell(r);
}

static void resolve_ask(struct resolve *r)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
					 .ai_protocol = IPPROTO_TCP };
	struct question *q = mem_alloc(sizeof *q);
	if (!q || !resolver_open_dns(r->resolver)) {
		mem_free(q);
		r->is_known = true;
		snprintf(r->why, sizeof r->why, "no memory for looking up %s", r->host);
		return;
	}
	q->owner = r;
	r->question = q;
	list_add(&r->resolver->questions, &q->link);
	struct evdns_getaddrinfo_request *request =
		evdns_getaddrinfo(r->resolver->dns, r->host, NULL, &hints, on_answer, q);
	/* NULL: answered from within, and q is gone. */
	if (request)
		q->request = request;
	/* Only the hosts file could answer. */
	if (r->count == 0 && !r->resolver->has_server) {
		question_leave(r);
		r->is_known = true;
		snprintf(r->why, sizeof r->why, "%s cannot be looked up: %s names no name server", r->host,
			 r->resolver->resolv_conf);
	}
}

static void resolve_find(struct resolve *r, const char *host)
{
	size_t n = strlen(host);
	/* The root's dot; and a literal may stand in brackets. */
	if (n > 1 && host[n - 1] == '.')
		n--;
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	snprintf(r->host, sizeof r->host, "%.*s", (int)n, host);
	r->is_known = true;
	if (resolve_literal(r) || resolve_localhost(r))
		return;
	if (n >= sizeof r->host || !is_host_name(r->host)) {
		char quoted[RESOLVE_WHY_BYTES / 2];
		snprintf(r->why, sizeof r->why, "%s is no host name",
			 log_quote(slice_make(host, n), quoted, sizeof quoted));
		return;
	}
	r->is_known = false;
	resolve_ask(r);
}

struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, int64_t timeout_ms,
			      resolve_fn *fn, void *ctx)
{
	struct resolver *v = resolver_of(l);
	struct resolve *r = v ? mem_alloc(sizeof *r) : NULL;
	if (!r)
		return NULL;
	r->resolver = v;
	r->port = port;
	r->timeout_ms = timeout_ms > 0 ? timeout_ms : RESOLVE_TIMEOUT_MS;
	r->fn = fn;
	r->ctx = ctx;
	r->timer = loop_timer_start(l, r->timeout_ms, 0, on_resolve_timer, r);
	if (!r->timer) {
		mem_free(r);
		return NULL;
	}
	r->is_starting = true;
	resolve_find(r, host);
	r->is_starting = false;
	if (r->is_known)
		loop_timer_again(r->timer, 0);
	return r;
}
