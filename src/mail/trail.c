/* SPDX-License-Identifier: Apache-2.0
 *
 * trail: what the Received lines mean together: where the mail came in to us
 * (peer), how often it has been here (own visits), and whether a machine of a
 * third party put it back into the stream (R2).
 *
 * Only a chain from the top is worth anything: a hop is attested as inner when
 * the hop above it, itself ours or inner, saw it come from loopback, a private
 * address or one of our networks. Below the border all is claimed.
 */
#include "mail/builder.h"

static bool trail_is_own_name(const struct facts_setup *setup, struct slice name)
{
	for (size_t i = 0; name.len > 0 && i < setup->our_host_count; i++)
		if (slice_equal_nocase(name, slice_from_str(setup->our_hosts[i])))
			return true;
	return false;
}

static bool trail_is_own_ip(const struct facts_setup *setup, struct ip ip)
{
	for (size_t i = 0; i < setup->own_net_count; i++)
		if (ip_net_holds(setup->own_nets[i], ip))
			return true;
	return false;
}

static bool trail_is_own(const struct facts_setup *setup, const struct hop *hop)
{
	struct ip ip;
	return trail_is_own_name(setup, hop->by) ||
	       (ip_parse(hop->by, &ip) && trail_is_own_ip(setup, ip));
}

static bool trail_is_inner_ip(const struct facts_setup *setup, struct ip ip)
{
	return !ip_is_unknown(ip) && (ip_is_private(ip) || trail_is_own_ip(setup, ip));
}

/* The hop above saw this one's writer inside our walls. */
static bool trail_came_from_inside(const struct facts_setup *setup, const struct hop *upper)
{
	return trail_is_inner_ip(setup, upper->from_ip) ||
	       trail_is_own_name(setup, upper->from_name) ||
	       (ip_is_unknown(upper->from_ip) && trail_is_own_name(setup, upper->from_helo));
}

/* The lowest hop of the unbroken run of own and inner hops that begins at start;
 * hop_count when there is no such hop. */
static size_t trail_border(const struct facts_builder *b, size_t start, bool is_start_inner)
{
	const struct facts *f = &b->facts;
	size_t lowest = f->hop_count;
	bool is_inner = is_start_inner;
	for (size_t i = start; i < f->hop_count; i++) {
		bool is_own = trail_is_own(b->setup, &f->hops[i]);
		if (!is_own && !is_inner)
			break;
		lowest = i;
		is_inner = trail_came_from_inside(b->setup, &f->hops[i]);
		if (!is_inner && !ip_is_unknown(f->hops[i].from_ip))
			break;
	}
	return lowest;
}

static void trail_find_peer(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	const struct envelope *e = &f->envelope;
	bool is_client_known = !ip_is_unknown(e->client_ip);
	bool is_client_inner = trail_is_inner_ip(b->setup, e->client_ip);
	size_t start = 0;

	f->peer_ip = e->client_ip;
	f->peer_name = e->client_name.len > 0 ? e->client_name : e->helo;
	f->peer_hop = f->hop_count;
	if (is_client_known && !is_client_inner)
		return; /* whatever the header says, this is who brought it */
	while (!is_client_known && start < f->hop_count && !trail_is_own(b->setup, &f->hops[start]))
		start++;
	f->peer_hop = trail_border(b, start, is_client_inner);
	if (f->peer_hop < f->hop_count) {
		const struct hop *hop = &f->hops[f->peer_hop];
		f->peer_ip = hop->from_ip;
		f->peer_name = hop->from_name.len > 0 ? hop->from_name : hop->from_helo;
	}
}

static void trail_count_visits(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	bool is_visiting = false;
	for (size_t i = 0; i < f->hop_count; i++) {
		if (trail_is_own(b->setup, &f->hops[i])) {
			f->own_visits += !is_visiting;
			is_visiting = true;
		} else {
			is_visiting = is_visiting && trail_came_from_inside(b->setup, &f->hops[i - 1]);
		}
	}
}

static bool trail_is_qualified(struct slice name)
{
	return name.len > 0 && memchr(name.ptr, '.', name.len);
}

/* These write "mail pickup service" in all their ordinary mail. */
static bool trail_is_innocent_org(struct slice org)
{
	static const char *const innocent[] = { "hotmail.com", "msn.com", "phx.gbl" };
	for (size_t i = 0; i < sizeof innocent / sizeof innocent[0]; i++)
		if (slice_equal_nocase(org, slice_from_str(innocent[i])))
			return true;
	return false;
}

/* Does none of the names that go with the hop belong to From's organisation? The
 * hop above is asked too, because inner names (srv.firm.local) say little. */
static bool trail_is_foreign(const struct facts_builder *b, size_t i)
{
	const struct facts *f = &b->facts;
	struct slice from_org = domain_org(f->from.domain);
	struct slice names[] = {
		f->hops[i].by,
		i > 0 ? f->hops[i - 1].from_name : f->envelope.client_name,
		i > 0 ? f->hops[i - 1].from_helo : f->envelope.helo,
	};
	bool has_name = false;
	if (from_org.len == 0 || trail_is_own(b->setup, &f->hops[i]))
		return false;
	for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
		struct slice org = domain_org(names[n]);
		if (!trail_is_qualified(names[n]))
			continue;
		has_name = true;
		if (slice_equal_nocase(org, from_org) || trail_is_innocent_org(org))
			return false;
	}
	return has_name;
}

/* Is the hop of a kind that puts mail back into the stream? A POP3 or local hop
 * from which the mail went nowhere (was_sent_on: to another network) only shows
 * how this mailbox was filled; at the bottom a local hop is where mail is born,
 * and lists make local hops all day. */
static bool trail_is_reinjection(const struct facts *f, size_t i, bool was_sent_on)
{
	switch (f->hops[i].kind) {
	case HOP_PICKUP:
		return true;
	case HOP_POP3:
		return was_sent_on;
	case HOP_LOCAL:
		return was_sent_on && i + 1 < f->hop_count && !(f->auto_marks & AUTO_LIST) &&
		       f->hops[i].by.len > 0;
	case HOP_SMTP:
		break;
	}
	return false;
}

static void trail_find_pickup(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	bool was_sent_on = !ip_is_unknown(f->envelope.client_ip) &&
			   !trail_is_inner_ip(b->setup, f->envelope.client_ip);
	f->pickup_hop = f->hop_count;
	for (size_t i = 0; i < f->hop_count; i++) {
		if (f->hops[i].kind == HOP_PICKUP) {
			f->pickup_hop = i;
			f->pickup_host = f->hops[i].by;
		}
		if (trail_is_reinjection(f, i, was_sent_on) && trail_is_foreign(b, i))
			f->reinject_marks |= REINJECT_PICKUP_FOREIGN;
		was_sent_on |= !ip_is_unknown(f->hops[i].from_ip) &&
			       !trail_is_inner_ip(b->setup, f->hops[i].from_ip);
	}
}

static bool trail_is_pickup_of(const struct facts *f, struct slice domain)
{
	for (size_t i = 0; i < f->hop_count; i++)
		if (f->hops[i].kind == HOP_PICKUP)
			return slice_equal_nocase(domain_org(f->hops[i].by), domain_org(domain));
	return false;
}

/* Several connectors leave several addresses; the one that the newest pickup hop
 * agrees with made this copy, else the first in To, else the first. */
static void trail_choose_connector(struct facts_builder *b)
{
	int best = -1;
	for (size_t i = 0; i < b->connector_count; i++) {
		const struct connector_claim *claim = &b->connectors[i];
		bool is_maker = claim->is_in_to && trail_is_pickup_of(&b->facts, claim->domain);
		int score = claim->is_in_to + is_maker;
		if (score <= best)
			continue;
		best = score;
		b->facts.connector = *claim;
	}
}

void trail_settle(struct facts_builder *b)
{
	trail_find_peer(b);
	trail_count_visits(b);
	trail_find_pickup(b);
	trail_choose_connector(b);
}
