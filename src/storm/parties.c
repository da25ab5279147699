/* SPDX-License-Identifier: Apache-2.0
 *
 * parties: from one sighting after another to roles and confidence.
 */
#include "storm/parties.h"

/* By attested address, else (decisive names only) by organisation. */
static struct party *find_party(struct incident *inc, struct ip ip, const char *domain)
{
	for (unsigned i = 0; i < inc->party_count; i++) {
		struct party *p = &inc->parties[i];
		if (!ip_is_unknown(ip) && party_has_address(p, ip))
			return p;
		if (domain[0] != '\0' && strcmp(p->domain, domain) == 0)
			return p;
	}
	return NULL;
}

/* A new place; beyond the ceiling the one with the least blame, then the fewest
 * copies gives way. */
static struct party *new_party(struct track *track, int64_t now_ms)
{
	struct incident *inc = &track->pub;
	struct party *p = &inc->parties[0];
	if (inc->party_count < INCIDENT_PARTIES_MAX) {
		p = &inc->parties[inc->party_count++];
	} else {
		for (unsigned i = 1; i < inc->party_count; i++) {
			const struct party *q = &inc->parties[i];
			if (q->blame < p->blame || (q->blame == p->blame && q->copies < p->copies))
				p = &inc->parties[i];
		}
		inc->parties_forgotten++;
	}
	*p = (struct party){ .role = PARTY_ENTRY, .first_ms = now_ms };
	track->parties[p - inc->parties] = (struct party_track){ 0 };
	return p;
}

static void count_copy(struct party *p, struct party_track *t, const struct sighting *s)
{
	p->copies++;
	p->surplus += s->surplus;
	p->last_ms = s->now_ms;
	party_note_time(p, t, s->now_ms);
}

static struct party *note_entry(struct track *track, const struct sighting *s)
{
	struct party *p = find_party(&track->pub, s->peer->ip, "");
	if (!p && ip_is_unknown(s->peer->ip) && s->peer->name.len == 0)
		return NULL;
	if (!p)
		p = new_party(track, s->now_ms);
	struct party_track *t = &track->parties[p - track->pub.parties];
	party_add_address(p, s->peer->ip);
	party_name(p, s->peer->name, s->peer->ip);
	party_note_peer(p, t, s->peer);
	return p;
}

/* The party of this culprit, with all that is known of it written down. */
static struct party *note_culprit_party(struct track *track, const struct sighting *s)
{
	const struct culprit *c = s->culprit;
	char domain[INCIDENT_TEXT_BYTES] = "";
	if (c->domain.len > 0)
		party_copy_name(domain, c->domain);
	struct party *p = find_party(&track->pub, c->ip, c->is_decisive ? domain : "");
	if (!p)
		p = new_party(track, s->now_ms);
	struct party_track *t = &track->parties[p - track->pub.parties];
	/* As our peer it has been counted as the entry already. */
	if (!party_has_address(p, s->peer->ip))
		count_copy(p, t, s);
	party_note_culprit(p, t, s->facts, c, s->surplus);
	return p;
}

static void note_culprit(struct track *track, const struct sighting *s)
{
	const struct culprit *c = s->culprit;
	struct party *p = note_culprit_party(track, s);
	struct party_track *t = &track->parties[p - track->pub.parties];
	party_note_witness(t, s->peer_hash, c->credibility);
	p->blame += c->is_decisive ? 2 : 1;
	if (s->surplus > t->fan && !c->is_conduit) /* a relay's copies fan out by another's doing */
		t->fan = s->surplus;
	t->is_reinjector |= c->is_decisive || c->is_pickup || t->fan >= PARTY_FAN_MIN ||
			    (c->kind == CULPRIT_FETCH && culprit_has_marker(s->facts));
	p->confidence = party_confidence(t);
	p->role = party_is_guilty(p, t) ? PARTY_GUILTY : PARTY_SUSPECT;
}

void parties_note(struct track *track, const struct sighting *sighting)
{
	struct party *entry = note_entry(track, sighting);
	if (entry)
		count_copy(entry, &track->parties[entry - track->pub.parties], sighting);
	if (sighting->culprit->kind != CULPRIT_NONE)
		note_culprit(track, sighting);
}
