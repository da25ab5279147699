/* SPDX-License-Identifier: Apache-2.0
 *
 * parties: from one sighting after another to roles and confidence.
 */
#include "storm/parties.h"

#include "base/clock.h"
#include "base/log.h"

#include <math.h>
#include <stdio.h>

static const double PRIOR_LOGIT = -2.94443897916644; /* of .05 */
static const double DECISIVE_LOGIT = 2.94443897916644; /* agreeing marks: a witness of .95 */
static const double GUILTY_CONFIDENCE = .90;

enum { GUILTY_BLAME = 2, FAN_REINJECTOR = 3 };

/* What has been said of a party, so that it is said once. */
enum evidence_kind {
	EVIDENCE_PEER = 1,
	EVIDENCE_ATTESTED = 2,
	EVIDENCE_PICKUP = 4,
	EVIDENCE_PREFIX = 8,
	EVIDENCE_MINTED = 16,
	EVIDENCE_FAN = 32,
	EVIDENCE_AUDIENCE = 64,
};

static void copy_name(char out[INCIDENT_TEXT_BYTES], struct slice name)
{
	char quoted[INCIDENT_TEXT_BYTES];
	memcpy(out, log_quote(name, quoted, sizeof quoted), sizeof quoted);
}

/* What the party goes by: its attested name, else the address itself. What it calls
 * itself never becomes its name (promise 5), that stands among the claims. */
static void name_party(struct party *p, struct slice attested, struct ip ip)
{
	char text[IP_TEXT_BYTES];
	if (p->host[0] != '\0')
		return;
	copy_name(p->host, attested.len > 0 ? attested : slice_from_str(ip_text(ip, text)));
}

static bool has_address(const struct party *p, struct ip ip)
{
	for (unsigned i = 0; i < p->address_count; i++)
		if (ip_equal(p->addresses[i], ip))
			return true;
	return false;
}

static void add_address(struct party *p, struct ip ip)
{
	if (ip_is_unknown(ip) || has_address(p, ip) || p->address_count == PARTY_ADDRESSES_MAX)
		return;
	p->addresses[p->address_count++] = ip;
}

static __attribute__((format(printf, 2, 3))) void add_claim(struct party *p, const char *format, ...)
{
	char text[INCIDENT_TEXT_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (p->claim_count == PARTY_CLAIMS_MAX)
		return;
	for (unsigned i = 0; i < p->claim_count; i++)
		if (strcmp(p->claims[i], text) == 0)
			return;
	memcpy(p->claims[p->claim_count++], text, sizeof text);
}

static __attribute__((format(printf, 4, 5))) void
add_evidence(struct party *p, struct party_track *t, enum evidence_kind kind, const char *format, ...)
{
	if ((t->evidence_kinds & kind) || p->evidence_count == PARTY_EVIDENCE_MAX)
		return;
	t->evidence_kinds |= kind;
	va_list args;
	va_start(args, format);
	vsnprintf(p->evidence[p->evidence_count++], sizeof p->evidence[0], format, args);
	va_end(args);
}

/* By attested address, else (decisive names only) by organisation. */
static struct party *find_party(struct incident *inc, struct ip ip, const char *domain)
{
	for (unsigned i = 0; i < inc->party_count; i++) {
		struct party *p = &inc->parties[i];
		if (!ip_is_unknown(ip) && has_address(p, ip))
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
	uint32_t now_s = (uint32_t)(s->now_ms / CLOCK_SECOND_MS);
	p->copies++;
	p->surplus += s->surplus;
	p->last_ms = s->now_ms;
	fuse_note_surplus(&t->fuse, now_s);
	p->period_ms = (int64_t)fuse_period_s(&t->fuse) * CLOCK_SECOND_MS;
}

static struct party *note_entry(struct track *track, const struct sighting *s)
{
	char ip[IP_TEXT_BYTES];
	struct party *p = find_party(&track->pub, s->peer->ip, "");
	if (!p && ip_is_unknown(s->peer->ip) && s->peer->name.len == 0)
		return NULL;
	if (!p)
		p = new_party(track, s->now_ms);
	struct party_track *t = &track->parties[p - track->pub.parties];
	add_address(p, s->peer->ip);
	name_party(p, s->peer->name, s->peer->ip);
	add_evidence(p, t, EVIDENCE_PEER, "handed the copy to us from %s",
		     ip_is_unknown(s->peer->ip) ? "an unknown address" : ip_text(s->peer->ip, ip));
	return p;
}

static void note_claims(struct party *p, struct party_track *t, const struct sighting *s)
{
	const struct facts *f = s->facts;
	char a[LOG_QUOTE_BYTES], b[LOG_QUOTE_BYTES], lan[IP_TEXT_BYTES];
	if (f->connector.domain.len > 0) {
		add_claim(p, "connector mailbox %.60s@%.60s",
			  log_quote(slice_first(f->connector.user, 56), a, sizeof a),
			  log_quote(slice_first(f->connector.domain, 56), b, sizeof b));
		add_evidence(p, t, EVIDENCE_PREFIX,
			     "the connector's prefix stands in %s: mspop3connector.%.56s@%.56s",
			     f->connector.is_in_to ? "To" : "To or Cc",
			     log_quote(slice_first(f->connector.user, 50), a, sizeof a),
			     log_quote(slice_first(f->connector.domain, 50), b, sizeof b));
	}
	if (f->ms_id.is_present && (f->reinject_marks & REINJECT_MSID_MINTED)) {
		add_claim(p, "LAN address %s", ip_text(f->ms_id.lan_ip, lan));
		add_claim(p, "internal name %.100s", log_quote(slice_first(f->ms_id.host, 90), a, sizeof a));
		add_evidence(p, t, EVIDENCE_MINTED,
			     "its Message-ID was minted when it was handed in, on %s at %.90s", lan,
			     log_quote(slice_first(f->ms_id.host, 80), a, sizeof a));
	}
	if (s->culprit->helo.len > 0)
		add_claim(p, "HELO %.110s", log_quote(slice_first(s->culprit->helo, 100), a, sizeof a));
	if (s->culprit->hop_host.len > 0 && s->culprit->is_pickup)
		add_claim(p, "own hop %.100s", log_quote(slice_first(s->culprit->hop_host, 90), a, sizeof a));
}

static void note_marks(struct party *p, struct party_track *t, const struct sighting *s)
{
	const struct culprit *c = s->culprit;
	char a[LOG_QUOTE_BYTES], ip[IP_TEXT_BYTES];
	add_evidence(p, t, EVIDENCE_ATTESTED, "%.100s wrote down that it came from %s",
		     c->attested_by.len ? log_quote(slice_first(c->attested_by, 90), a, sizeof a)
					: "our own server", ip_text(c->ip, ip));
	if (c->is_pickup)
		add_evidence(p, t, EVIDENCE_PICKUP, "a pickup line names %.100s, which is not the author's",
			     log_quote(slice_first(c->hop_host, 90), a, sizeof a));
	else if (c->kind == CULPRIT_AUDIENCE)
		add_evidence(p, t, EVIDENCE_AUDIENCE, "its domain is one of those the mail was sent to");
	if (s->surplus >= FAN_REINJECTOR)
		add_evidence(p, t, EVIDENCE_FAN, "one copy went to %u recipients that had the mail",
			     s->surplus);
	note_claims(p, t, s);
}

static void note_witness(struct party_track *t, const struct sighting *s)
{
	struct witness *w = NULL;
	for (unsigned i = 0; i < TRACK_WITNESSES && !w; i++)
		if (t->witnesses[i].copies == 0 || t->witnesses[i].peer == s->peer_hash)
			w = &t->witnesses[i];
	if (!w)
		return; /* more witnesses would only make it surer */
	w->peer = s->peer_hash;
	w->copies++;
	if (s->culprit->credibility > w->credibility)
		w->credibility = s->culprit->credibility;
}

static double confidence_of(const struct party_track *t)
{
	double logit = PRIOR_LOGIT + t->boost;
	for (unsigned i = 0; i < TRACK_WITNESSES && t->witnesses[i].copies; i++) {
		double c = t->witnesses[i].credibility;
		c = c > .99 ? .99 : c;
		logit += log(c / (1 - c)) * (1 + log2(t->witnesses[i].copies));
	}
	return 1 / (1 + exp(-logit));
}

/* The party of this culprit, with all that is known of it written down. */
static struct party *note_culprit_party(struct track *track, const struct sighting *s)
{
	const struct culprit *c = s->culprit;
	char domain[INCIDENT_TEXT_BYTES] = "";
	if (c->domain.len > 0)
		copy_name(domain, c->domain);
	struct party *p = find_party(&track->pub, c->ip, c->is_decisive ? domain : "");
	if (!p)
		p = new_party(track, s->now_ms);
	struct party_track *t = &track->parties[p - track->pub.parties];
	/* As our peer it has been counted as the entry already. */
	if (!has_address(p, s->peer->ip))
		count_copy(p, t, s);
	add_address(p, c->ip);
	name_party(p, c->host, c->ip);
	if (p->domain[0] == '\0')
		memcpy(p->domain, domain, sizeof domain);
	if (p->product[0] == '\0')
		snprintf(p->product, sizeof p->product, "%s", culprit_product(s->facts));
	note_marks(p, t, s);
	return p;
}

static bool is_guilty(const struct party *p, const struct party_track *t)
{
	return t->is_reinjector && p->address_count > 0 && p->blame >= GUILTY_BLAME &&
	       p->confidence >= GUILTY_CONFIDENCE;
}

static void note_culprit(struct track *track, const struct sighting *s)
{
	const struct culprit *c = s->culprit;
	struct party *p = note_culprit_party(track, s);
	struct party_track *t = &track->parties[p - track->pub.parties];
	note_witness(t, s);
	p->blame += c->is_decisive ? 2 : 1;
	if (c->is_decisive && t->boost < DECISIVE_LOGIT)
		t->boost = DECISIVE_LOGIT;
	if (s->surplus > t->fan)
		t->fan = s->surplus;
	t->is_reinjector |= c->is_decisive || c->is_pickup || t->fan >= FAN_REINJECTOR ||
			    (c->kind == CULPRIT_FETCH && culprit_has_marker(s->facts));
	p->confidence = confidence_of(t);
	p->role = is_guilty(p, t) ? PARTY_GUILTY : PARTY_SUSPECT;
}

void parties_note(struct track *track, const struct sighting *sighting)
{
	struct party *entry = note_entry(track, sighting);
	if (entry)
		count_copy(entry, &track->parties[entry - track->pub.parties], sighting);
	if (sighting->culprit->kind != CULPRIT_NONE)
		note_culprit(track, sighting);
}

void party_track_restore(struct party_track *t, const struct party *party)
{
	/* As if one witness had said it: the same confidence, and never less again. */
	double c = party->confidence < .05 ? .05 : party->confidence > .999 ? .999 : party->confidence;
	*t = (struct party_track){ .is_reinjector = party->role == PARTY_GUILTY };
	t->boost = party->role == PARTY_ENTRY ? 0 : log(c / (1 - c)) - PRIOR_LOGIT;
}
