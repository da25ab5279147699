/* SPDX-License-Identifier: Apache-2.0
 *
 * culprit: walking down one chain of Received lines.
 */
#include "storm/culprit.h"

static const double TRUST_RELAY = .95, TRUST_LEARNT = .8, TRUST_UNKNOWN = .5, TRUST_BREAK = .3, TRUST_LEAST = .45;

/* How many whole labels both names end with, up to two. */
static unsigned common_labels(struct slice a, struct slice b)
{
	unsigned labels = 0;
	while (labels < 2 && a.len > 0 && b.len > 0 &&
	       ascii_lower(a.ptr[a.len - 1]) == ascii_lower(b.ptr[b.len - 1])) {
		labels += a.ptr[a.len - 1] == '.';
		a.len--;
		b.len--;
	}
	bool is_end = (a.len == 0 || a.ptr[a.len - 1] == '.') && (b.len == 0 || b.ptr[b.len - 1] == '.');
	return labels + (labels < 2 && is_end && (a.len == 0 || b.len == 0));
}

bool culprit_is_same_org(struct slice a, struct slice b)
{
	if (a.len == 0 || b.len == 0)
		return false;
	if (a.len == b.len && slice_equal_nocase(a, b))
		return true;
	return common_labels(a, b) >= 2 && slice_equal_nocase(domain_org(a), domain_org(b));
}

void peer_of(const struct facts *facts, struct peer *peer_out)
{
	bool is_hop = facts->peer_hop < facts->hop_count;
	const struct hop *hop = is_hop ? &facts->hops[facts->peer_hop] : NULL;
	bool is_from_hop = hop && ip_equal(hop->from_ip, facts->peer_ip);
	*peer_out = (struct peer){ .ip = facts->peer_ip };
	peer_out->name = is_from_hop ? hop->from_name : facts->envelope.client_name;
	peer_out->helo = is_from_hop ? hop->from_helo : facts->envelope.helo;
	peer_out->org = domain_org(peer_out->name);
}

bool culprit_has_marker(const struct facts *facts)
{
	return facts->reinject_marks & (REINJECT_POP3_PREFIX | REINJECT_IMB_RECIPIENT);
}

const char *culprit_product(const struct facts *facts)
{
	return culprit_has_marker(facts) ? "Microsoft Small Business Server 2003 POP3 connector" : "";
}

bool culprit_is_in_audience(const struct facts *facts, struct slice host)
{
	for (size_t i = 0; host.len > 0 && i < facts->audience_count; i++)
		if (culprit_is_same_org(facts->audience[i].domain, host))
			return true;
	return false;
}

static bool is_recipient_org(const struct facts *facts, struct slice host)
{
	for (size_t i = 0; i < facts->envelope.rcpt_count && i < 8; i++) {
		struct slice rcpt = facts->envelope.rcpts[i];
		size_t at = rcpt.len;
		while (at > 0 && rcpt.ptr[at - 1] != '@')
			at--;
		if (at > 0 && culprit_is_same_org(slice_from(rcpt, at), host))
			return true;
	}
	return false;
}

/* May a host of this organisation be suspected for being in the audience? Not
 * the author's, not the list's, not a recipient's of this very transaction. */
static bool is_audience_host(const struct facts *facts, struct slice host)
{
	if (host.len == 0 || host.ptr[0] == '[')
		return false;
	return culprit_is_in_audience(facts, host) && !culprit_is_same_org(host, facts->from.domain) &&
	       !culprit_is_same_org(host, facts->list_id) && !is_recipient_org(facts, host);
}

static bool is_among(const char *const *hosts, size_t count, struct slice host)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal_nocase(host, slice_from_str(hosts[i])))
			return true;
	return false;
}

static double trust_in(const struct vouched *vouched, struct slice host)
{
	if (is_among(vouched->relays, vouched->relay_count, host))
		return TRUST_RELAY;
	return is_among(vouched->learnt, vouched->learnt_count, host) ? TRUST_LEARNT : TRUST_UNKNOWN;
}

/* Was this hop written by the party that the hop above speaks of? One that names no
 * host, or nobody, cannot be told apart and passes. */
static bool is_joined(const struct hop *hop, const struct handover *above, bool is_above_local)
{
	bool is_unknown_peer = ip_is_unknown(above->ip) && above->name.len == 0 &&
			       above->helo.len == 0;
	return hop->by.len == 0 || is_above_local || is_unknown_peer ||
	       culprit_is_same_org(above->name, hop->by) || culprit_is_same_org(above->helo, hop->by);
}

/* How much of the trust in the hop above remains at this hop. */
static double trust_factor(const struct hop *hop, bool is_hop_joined, const struct vouched *vouched)
{
	if (hop->by.len == 0)
		return 1; /* a local step that names no host; it attests nothing either */
	double trust = trust_in(vouched, hop->by);
	return is_hop_joined ? trust : trust * TRUST_BREAK;
}

static bool is_connector_host(const struct facts *facts, struct slice host)
{
	return culprit_is_same_org(facts->connector.domain, host);
}

/* Did the writer of this hop fetch the mail and send it again? */
static bool is_fetch_hop(const struct facts *facts, const struct hop *hop)
{
	if (hop->by.len == 0)
		return false;
	if (is_connector_host(facts, hop->by))
		return true;
	return (hop->kind == HOP_PICKUP || hop->kind == HOP_POP3) &&
	       (facts->reinject_marks & REINJECT_PICKUP_FOREIGN) &&
	       !culprit_is_same_org(hop->by, facts->from.domain);
}

static void settle_names(const struct facts *facts, const struct handover *from, struct culprit *c)
{
	struct slice claim = c->hop_host.len ? c->hop_host : facts->connector.domain;
	bool has_prefix = facts->connector.domain.len > 0;
	bool does_prefix_agree = has_prefix && culprit_is_same_org(facts->connector.domain, claim);
	bool is_name_confirmed = culprit_is_same_org(from->name, claim) ||
				 culprit_is_in_audience(facts, from->name);
	if (is_name_confirmed)
		c->domain = domain_org(from->name);
	else if (does_prefix_agree && culprit_is_same_org(from->helo, claim))
		c->domain = domain_org(claim);
	unsigned second = facts->reinject_marks & (REINJECT_PICKUP_FOREIGN | REINJECT_MSID_MINTED);
	c->is_decisive = culprit_has_marker(facts) && second && c->kind == CULPRIT_FETCH &&
			 c->domain.len > 0 && culprit_is_same_org(c->domain, facts->connector.domain);
}

void culprit_of_step(const struct facts *facts, const struct culprit_step *step,
		     struct culprit *culprit_out)
{
	*culprit_out = (struct culprit){
		.kind = step->kind,
		.ip = step->from.ip,
		.host = step->from.name,
		.helo = step->from.helo,
		.attested_by = step->from.written_by,
		.hop_host = step->hop_host,
		.credibility = step->from.trust,
		.is_pickup = step->is_pickup,
		.hop_ms = step->hop_ms,
		.is_conduit = step->is_conduit,
	};
	settle_names(facts, &step->from, culprit_out);
}

bool culprit_is_believed(const struct handover *from)
{
	return from->trust >= TRUST_LEAST && !ip_is_unknown(from->ip);
}

/* The hop at the trust boundary or the connection itself hands over to hop k;
 * moves to the handover that hop k attests. */
static void step_down(const struct hop *hop, struct handover *from, double trust)
{
	if (hop_has_from(hop)) {
		*from = (struct handover){ hop->from_ip, hop->from_name, hop->from_helo, hop->by,
					   trust };
		return;
	}
	from->trust = trust < from->trust ? from->trust : trust;
}

/* What the names of the handover and the hop below it (NULL: none) make of the party. */
static void step_judge(const struct facts *facts, const struct hop *hop, struct culprit_step *step)
{
	const struct handover *from = &step->from;
	bool is_connector = is_connector_host(facts, from->name) || is_connector_host(facts, from->helo);
	bool is_fetch = hop && is_fetch_hop(facts, hop);
	step->hop_host = from->helo;
	if (!culprit_is_believed(from))
		return;
	if (is_connector || is_fetch) {
		step->kind = CULPRIT_FETCH;
		step->hop_host = is_fetch ? hop->by : from->helo;
		step->is_pickup = hop && hop->kind != HOP_SMTP;
		step->hop_ms = step->is_pickup ? hop->time_ms : 0;
	} else if (is_audience_host(facts, from->name) || is_audience_host(facts, from->helo)) {
		step->kind = CULPRIT_AUDIENCE;
	}
}

/* A host of the audience whose own line tells that the mail came to it by SMTP from
 * somebody else gives mail on, as the smart host of an ISP that has a subscriber in To
 * does, or somebody's forward. What fetches and sends again has no such line. The
 * attested name of a subscriber is of his ISP's domain: what he calls himself tells
 * whether the line is his, and addresses tell whether it came from another. */
static bool is_conduit(const struct culprit_step *step, const struct hop *own)
{
	struct slice self = step->from.helo.len > 0 ? step->from.helo : step->from.name;
	return step->kind == CULPRIT_AUDIENCE && step->is_joined && culprit_is_same_org(self, own->by) &&
	       hop_has_from(own) && !ip_is_private(own->from_ip) && !ip_equal(own->from_ip, step->from.ip);
}

size_t culprit_walk(const struct facts *facts, const struct vouched *vouched, struct culprit_step *steps,
		    size_t *first_out)
{
	struct peer peer;
	peer_of(facts, &peer);
	struct handover from = { peer.ip, peer.name, peer.helo, { NULL, 0 }, 1 };
	size_t first = facts->peer_hop < facts->hop_count ? facts->peer_hop + 1 : 0, count = 0;
	double trust = 1;
	for (size_t k = first; k <= facts->hop_count; k++) {
		const struct hop *hop = k < facts->hop_count ? &facts->hops[k] : NULL;
		struct culprit_step *step = &steps[count++];
		*step = (struct culprit_step){ .from = from };
		step_judge(facts, hop, step);
		if (!hop)
			break;
		step->is_joined = is_joined(hop, &from, k > first && !hop_has_from(&facts->hops[k - 1]));
		step->is_conduit = is_conduit(step, hop);
		trust *= trust_factor(hop, step->is_joined, vouched);
		step_down(hop, &from, trust);
	}
	*first_out = first;
	return count;
}

unsigned culprit_rank(const struct culprit_step *step)
{
	if (step->kind == CULPRIT_AUDIENCE)
		return step->is_conduit ? 1 : 2;
	return step->kind == CULPRIT_FETCH ? 3 : 0;
}

void culprit_find(const struct facts *facts, const struct vouched *vouched, struct culprit *culprit_out)
{
	struct culprit_step steps[CULPRIT_STEPS_MAX];
	const struct culprit_step *found = NULL;
	unsigned found_rank = 0;
	size_t first, count = culprit_walk(facts, vouched, steps, &first);
	for (size_t i = 0; i < count; i++) {
		unsigned rank = culprit_rank(&steps[i]);
		if (rank > found_rank) {
			found = &steps[i];
			found_rank = rank;
		}
	}
	*culprit_out = (struct culprit){ 0 };
	if (found)
		culprit_of_step(facts, found, culprit_out);
}
