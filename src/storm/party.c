/* SPDX-License-Identifier: Apache-2.0
 *
 * party: names, claims and evidence in words, each said once; witnesses.
 */
#include "storm/party.h"

#include "base/clock.h"
#include "base/log.h"

#include <math.h>
#include <stdio.h>

static const double PRIOR_LOGIT = -2.94443897916644; /* of .05 */
static const double DECISIVE_LOGIT = 2.94443897916644; /* agreeing marks: a witness of .95 */
static const double GUILTY_CONFIDENCE = .90;

enum { GUILTY_BLAME = 2, MINTED_APART_MS = 6000 /* whole seconds against milliseconds */ };

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

void party_copy_name(char out[INCIDENT_TEXT_BYTES], struct slice name)
{
	char quoted[INCIDENT_TEXT_BYTES];
	memcpy(out, log_quote(name, quoted, sizeof quoted), sizeof quoted);
}

void party_name(struct party *p, struct slice attested, struct ip ip)
{
	char text[IP_TEXT_BYTES];
	if (p->host[0] != '\0')
		return;
	party_copy_name(p->host, attested.len > 0 ? attested : slice_from_str(ip_text(ip, text)));
}

bool party_has_address(const struct party *p, struct ip ip)
{
	for (unsigned i = 0; i < p->address_count; i++)
		if (ip_equal(p->addresses[i], ip))
			return true;
	return false;
}

void party_add_address(struct party *p, struct ip ip)
{
	if (ip_is_unknown(ip) || party_has_address(p, ip) || p->address_count == PARTY_ADDRESSES_MAX)
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

void party_add_evidence(struct party *p, struct party_track *t, unsigned kind, const char *format, ...)
{
	if ((t->evidence_kinds & kind) || p->evidence_count == PARTY_EVIDENCE_MAX)
		return;
	t->evidence_kinds |= kind;
	va_list args;
	va_start(args, format);
	vsnprintf(p->evidence[p->evidence_count++], sizeof p->evidence[0], format, args);
	va_end(args);
}

void party_note_time(struct party *p, struct party_track *t, int64_t when_ms)
{
	fuse_note_surplus(&t->fuse, (uint32_t)(when_ms / CLOCK_SECOND_MS));
	p->period_ms = (int64_t)fuse_period_s(&t->fuse) * CLOCK_SECOND_MS;
}

void party_note_peer(struct party *p, struct party_track *t, const struct peer *peer)
{
	char ip[IP_TEXT_BYTES];
	party_add_evidence(p, t, EVIDENCE_PEER, "handed the copy to us from %s",
			   ip_is_unknown(peer->ip) ? "an unknown address" : ip_text(peer->ip, ip));
}

/* Is the connector whose prefix the copy bears this culprit's? Prefixes of those it came
 * from before stand there too. */
static bool is_own_prefix(const struct facts *f, const struct culprit *c)
{
	struct slice domain = f->connector.domain;
	return domain.len > 0 && (culprit_is_same_org(domain, c->host) || culprit_is_same_org(domain, c->helo) ||
				  culprit_is_same_org(domain, c->hop_host));
}

/* Did the culprit mint the Message-ID? One that keeps ids carries another's: its own line
 * was then written at another time. Where it left no line, its prefix has to speak. */
static bool is_own_id(const struct facts *f, const struct culprit *c)
{
	if (!f->ms_id.is_present || !(f->reinject_marks & REINJECT_MSID_MINTED))
		return false;
	int64_t apart_ms = f->ms_id.minted_ms - c->hop_ms;
	if (c->hop_ms)
		return apart_ms > -MINTED_APART_MS && apart_ms < MINTED_APART_MS;
	return is_own_prefix(f, c);
}

static void note_claims(struct party *p, struct party_track *t, const struct facts *f,
			const struct culprit *c)
{
	char a[LOG_QUOTE_BYTES], b[LOG_QUOTE_BYTES], lan[IP_TEXT_BYTES];
	if (is_own_prefix(f, c)) {
		add_claim(p, "connector mailbox %.60s@%.60s",
			  log_quote(slice_first(f->connector.user, 56), a, sizeof a),
			  log_quote(slice_first(f->connector.domain, 56), b, sizeof b));
		party_add_evidence(p, t, EVIDENCE_PREFIX,
				   "the connector's prefix stands in %s: mspop3connector.%.56s@%.56s",
				   f->connector.is_in_to ? "To" : "To or Cc",
				   log_quote(slice_first(f->connector.user, 50), a, sizeof a),
				   log_quote(slice_first(f->connector.domain, 50), b, sizeof b));
	}
	if (is_own_id(f, c)) {
		add_claim(p, "LAN address %s", ip_text(f->ms_id.lan_ip, lan));
		add_claim(p, "internal name %.100s", log_quote(slice_first(f->ms_id.host, 90), a, sizeof a));
		party_add_evidence(p, t, EVIDENCE_MINTED,
				   "its Message-ID was minted when it was handed in, on %s at %.90s", lan,
				   log_quote(slice_first(f->ms_id.host, 80), a, sizeof a));
	}
}

static void note_culprit_claims(struct party *p, const struct culprit *c)
{
	char a[LOG_QUOTE_BYTES];
	if (c->helo.len > 0)
		add_claim(p, "HELO %.110s", log_quote(slice_first(c->helo, 100), a, sizeof a));
	if (c->hop_host.len > 0 && c->is_pickup)
		add_claim(p, "own hop %.100s", log_quote(slice_first(c->hop_host, 90), a, sizeof a));
}

static void note_marks(struct party *p, struct party_track *t, const struct culprit *c,
		       unsigned surplus)
{
	char a[LOG_QUOTE_BYTES], ip[IP_TEXT_BYTES];
	party_add_evidence(p, t, EVIDENCE_ATTESTED, "%.100s wrote down that it came from %s",
		     c->attested_by.len ? log_quote(slice_first(c->attested_by, 90), a, sizeof a)
					: "our own server", ip_text(c->ip, ip));
	if (c->is_pickup)
		party_add_evidence(p, t, EVIDENCE_PICKUP, "a pickup line names %.100s, which is not the author's",
			     log_quote(slice_first(c->hop_host, 90), a, sizeof a));
	else if (c->kind == CULPRIT_AUDIENCE)
		party_add_evidence(p, t, EVIDENCE_AUDIENCE, "its domain is one of those the mail was sent to");
	if (surplus >= PARTY_FAN_MIN)
		party_add_evidence(p, t, EVIDENCE_FAN, "one copy went to %u recipients that had the mail",
			     surplus);
}

void party_note_culprit(struct party *p, struct party_track *t, const struct facts *facts,
			const struct culprit *culprit, unsigned surplus)
{
	party_add_address(p, culprit->ip);
	party_name(p, culprit->host, culprit->ip);
	if (p->domain[0] == '\0' && culprit->domain.len > 0)
		party_copy_name(p->domain, culprit->domain);
	if (p->product[0] == '\0')
		snprintf(p->product, sizeof p->product, "%s",
			 is_own_prefix(facts, culprit) ? culprit_product(facts) : "");
	note_marks(p, t, culprit, surplus);
	note_claims(p, t, facts, culprit);
	note_culprit_claims(p, culprit);
	if (culprit->is_decisive && t->boost < DECISIVE_LOGIT)
		t->boost = DECISIVE_LOGIT;
}

void party_note_witness(struct party_track *t, uint64_t peer, double credibility)
{
	struct witness *w = NULL;
	for (unsigned i = 0; i < PARTY_WITNESSES && !w; i++)
		if (t->witnesses[i].copies == 0 || t->witnesses[i].peer == peer)
			w = &t->witnesses[i];
	if (!w)
		return;
	w->peer = peer;
	w->copies++;
	if (credibility > w->credibility)
		w->credibility = credibility;
}

double party_confidence(const struct party_track *t)
{
	double logit = PRIOR_LOGIT + t->boost;
	for (unsigned i = 0; i < PARTY_WITNESSES && t->witnesses[i].copies; i++) {
		double c = t->witnesses[i].credibility;
		c = c > .99 ? .99 : c;
		logit += log(c / (1 - c)) * (1 + log2(t->witnesses[i].copies));
	}
	return 1 / (1 + exp(-logit));
}

bool party_is_guilty(const struct party *p, const struct party_track *t)
{
	return t->is_reinjector && p->address_count > 0 && p->blame >= GUILTY_BLAME &&
	       p->confidence >= GUILTY_CONFIDENCE;
}

void party_track_restore(struct party_track *t, const struct party *party)
{
	/* As if one witness had said it: the same confidence, and never less again. */
	double c = party->confidence < .05 ? .05 : party->confidence > .999 ? .999 : party->confidence;
	*t = (struct party_track){ .is_reinjector = party->role == PARTY_GUILTY };
	t->boost = party->role == PARTY_ENTRY ? 0 : log(c / (1 - c)) - PRIOR_LOGIT;
}
