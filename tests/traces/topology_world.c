/* SPDX-License-Identifier: Apache-2.0
 *
 * topology_world: who lives in the world of a plan, under which names and addresses.
 * Every number is drawn whatever the plan says, so that two plans with one seed
 * differ only in what they say.
 */
#include "topology_inner.h"

#include <stdio.h>
#include <strings.h>

static const char *const words[] = { "harbour", "quayside", "wharf",	"liffey",  "castle", "bridge",
				     "mercer",	"dolphin",  "granby",	"bachelor", "ormond", "usher",
				     "thomas",	"francis",  "christ",	"wood" };
enum { WORDS = sizeof words / sizeof words[0] };

static void make_domain(char out[POST_NAME_BYTES], unsigned index)
{
	snprintf(out, POST_NAME_BYTES, "%s%s%u.example", words[index % WORDS], index / WORDS ? "law" : "",
		 index / WORDS);
}

static void settle_clock(struct topology *t, int host)
{
	static const int zones[] = { 0, 60, -300, 120 };
	struct post_host *h = &t->post.hosts[host];
	int64_t off = post_draw_between(&t->post, -10 * POST_MINUTE_MS, 10 * POST_MINUTE_MS);
	int zone = zones[post_draw(&t->post, 4)];
	bool is_zoneless = post_draw(&t->post, 3) == 0;
	bool is_ours = host == t->mx || (t->plan.is_isp && (host == t->isp_in || host == t->isp_mbx));
	if (is_ours)
		return;
	h->clock_ms = t->plan.are_clocks_right ? 0 : off;
	h->zone_min = zone;
	h->is_zoneless = t->plan.are_zones_missing && is_zoneless;
}

static void settle_big_hosts(struct topology *t)
{
	struct post *p = &t->post;
	t->author = post_add_host(p, "mail.publisher.example", NULL, NULL, "192.0.2.25");
	t->isp_in = post_add_host(p, "isp-in.isp.example", NULL, NULL, "198.51.100.1");
	t->isp_mbx = post_add_host(p, "isp-mbx.isp.example", NULL, NULL, "198.51.100.2");
	t->isp_out = post_add_host(p, "isp-out.isp.example", NULL, NULL, "198.51.100.3");
	t->mx = post_add_host(p, "mx.ours.example", NULL, NULL, "192.0.2.200");
	snprintf(p->from, sizeof p->from, "offers@publisher.example");
	snprintf(p->list, sizeof p->list, "customers@publisher.example");
	p->to = t->plan.to;
}

/* Names as they are in the world: the server's own is often not the one that its
 * address resolves to, and Windows' servers like .local. */
static void settle_firm(struct topology *t, unsigned index)
{
	struct post *p = &t->post;
	struct topology_firm *f = &t->firm[index];
	char domain[POST_NAME_BYTES], name[POST_NAME_BYTES + 16], ptr[POST_NAME_BYTES + 16], ip[20];
	make_domain(domain, index);
	unsigned name_draw = post_draw(p, 5), ptr_draw = post_draw(p, 3);
	bool is_local = name_draw == 0 && !t->plan.firm[index].is_hopless;
	snprintf(name, sizeof name, is_local ? "srv.%s.local" : name_draw < 3 ? "mail.%s" : "%s",
		 is_local ? words[index % WORDS] : domain);
	snprintf(ptr, sizeof ptr, "mail.%s", domain);
	if (ptr_draw == 1)
		snprintf(ptr, sizeof ptr, "dsl-%u.isp.example", index + 10);
	snprintf(ip, sizeof ip, "203.0.113.%u", index + 10);
	f->member = post_add_member(p, "reception", domain);
	f->host = f->mask = post_add_host(p, name, NULL, ptr_draw == 2 ? "" : ptr, ip);
	f->forged_top = POST_NONE;
	snprintf(f->id_host, sizeof f->id_host, post_draw(p, 2) ? "%s.local" : "%s.example",
		 words[index % WORDS]);
	f->has_constant_forgery = post_draw(p, 2);
	f->is_forged_pickup = post_draw(p, 2);
}

static void settle_forwarder(struct topology *t, unsigned index)
{
	struct post *p = &t->post;
	char domain[POST_NAME_BYTES], name[POST_NAME_BYTES + 16], ip[20];
	snprintf(domain, sizeof domain, "office%u.example", index);
	snprintf(name, sizeof name, "mx.%s", domain);
	snprintf(ip, sizeof ip, "192.0.2.%u", 100 + index);
	t->forwarder_member[index] = post_add_member(p, "partner", domain);
	t->forwarder[index] = post_add_host(p, name, NULL, NULL, ip);
}

static void settle_members(struct topology *t)
{
	struct post *p = &t->post;
	char text[POST_NAME_BYTES];
	for (unsigned i = 0; i < t->plan.others; i++) {
		make_domain(text, TOPOLOGY_FIRMS_MAX + i);
		post_add_member(p, "post", text);
	}
	t->our_member = p->member_count;
	for (unsigned i = 0; i < t->plan.ours; i++) {
		snprintf(text, sizeof text, "user%u", i);
		post_add_member(p, text, "ours.example");
	}
}

/* Hosts to lie about: members' when there are any, mostly. */
static void settle_innocents(struct topology *t)
{
	struct post *p = &t->post;
	bool are_members = post_draw(p, 4) > 0 && t->plan.others >= TOPOLOGY_INNOCENTS;
	for (unsigned i = 0; i < TOPOLOGY_INNOCENTS; i++) {
		char domain[POST_NAME_BYTES], name[POST_NAME_BYTES + 16], ip[20];
		snprintf(domain, sizeof domain, "bystander%u.example", i);
		if (are_members || (i == 0 && t->plan.others > 0))
			make_domain(domain, TOPOLOGY_FIRMS_MAX + i);
		snprintf(name, sizeof name, "mail.%s", domain);
		snprintf(ip, sizeof ip, "192.0.2.%u", 50 + i);
		t->innocent[i] = post_add_host(p, name, NULL, NULL, ip);
	}
}

/* The framing firm calls itself by the framed name towards others too, or not. */
static void settle_frame(struct topology *t, unsigned index)
{
	struct post *p = &t->post;
	struct topology_firm *f = &t->firm[index];
	bool does_helo_lie = post_draw(p, 2);
	f->framed = t->innocent[0];
	struct post_host own = p->hosts[f->host];
	if (t->plan.firm[index].is_framing && does_helo_lie)
		f->mask = post_add_host(p, own.name, p->hosts[f->framed].name, own.ptr, own.ip);
}

void topology_settle(struct topology *t)
{
	settle_big_hosts(t);
	for (unsigned i = 0; i < t->plan.firms; i++)
		settle_firm(t, i);
	for (unsigned i = 0; i < t->plan.forwarders; i++)
		settle_forwarder(t, i);
	settle_members(t);
	settle_innocents(t);
	for (unsigned i = 0; i < t->plan.firms; i++)
		settle_frame(t, i);
	for (int i = 0; i < t->post.host_count; i++)
		settle_clock(t, i);
}

unsigned topology_visible(const struct topology *t, unsigned count)
{
	unsigned firms = 0;
	for (unsigned i = 0; i < count && i < t->copy_count; i++)
		if (t->copies[i].emitter != POST_NONE)
			firms |= 1u << t->copies[i].emitter;
	return firms;
}

int topology_firm_at(const struct topology *t, const char *ip)
{
	for (unsigned i = 0; i < t->plan.firms; i++)
		if (strcmp(t->post.hosts[t->firm[i].host].ip, ip) == 0)
			return (int)i;
	return POST_NONE;
}

static bool is_firms_host(const struct topology *t, int host)
{
	for (unsigned i = 0; i < t->plan.firms; i++)
		if (t->firm[i].host == host || t->firm[i].mask == host)
			return true;
	return false;
}

bool topology_is_innocent_name(const struct topology *t, const char *name)
{
	const struct post *p = &t->post;
	for (int i = 0; i < p->host_count; i++)
		if (!is_firms_host(t, i) && strcasecmp(p->hosts[i].name, name) == 0)
			return true;
	for (int i = (int)t->plan.firms; i < p->member_count; i++)
		if (strcasecmp(p->members[i].domain, name) == 0)
			return true;
	return strcasecmp(name, "publisher.example") == 0;
}
