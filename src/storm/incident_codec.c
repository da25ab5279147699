/* SPDX-License-Identifier: Apache-2.0
 *
 * incident_codec: an incident as bytes for the store: a version, then every
 * field in turn, little-endian, texts with their length. Reading is strict:
 * another version, a count past its ceiling, a byte too few or too many, and the
 * whole is refused. One walk does both ways, so they cannot drift apart.
 */
#include "storm/incident.h"

enum { CODEC_VERSION = 1 };

struct walk {
	struct buf *out;  /* writing when set */
	struct slice in;
	bool is_bad;
};

static void walk_bytes(struct walk *w, void *field, size_t n)
{
	if (w->out) {
		w->is_bad |= !buf_add(w->out, slice_make(field, n));
	} else if (w->in.len < n) {
		w->is_bad = true;
	} else if (n > 0) {
		memcpy(field, w->in.ptr, n);
		w->in = slice_from(w->in, n);
	}
}

static uint64_t walk_int(struct walk *w, uint64_t value)
{
	uint8_t bytes[8] = { 0 };
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	walk_bytes(w, bytes, sizeof bytes);
	value = 0;
	for (int i = 0; i < 8; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

/* A number that does not fit its field is refused too. */
#define WALK(w, field)                                                                             \
	do {                                                                                       \
		uint64_t value_ = walk_int((w), (uint64_t)(field));                                \
		(field) = (__typeof__(field))value_;                                               \
		(w)->is_bad |= (uint64_t)(field) != value_;                                        \
	} while (0)

/* A count or an enum that must not pass its ceiling. */
static unsigned walk_count(struct walk *w, unsigned value, unsigned max)
{
	uint64_t got = walk_int(w, value);
	if (got <= max)
		return (unsigned)got;
	w->is_bad = true;
	return 0;
}

static void walk_text(struct walk *w, char *text, size_t size)
{
	size_t len = w->out ? strnlen(text, size - 1) : 0;
	len = walk_count(w, (unsigned)len, (unsigned)size - 1);
	walk_bytes(w, text, len);
	text[len] = '\0';
	if (!w->out && memchr(text, '\0', len))
		w->is_bad = true;
}

static void walk_double(struct walk *w, double *value)
{
	uint64_t bits;
	memcpy(&bits, value, sizeof bits);
	WALK(w, bits);
	memcpy(value, &bits, sizeof bits);
	if (!(*value >= 0 && *value <= 1))
		w->is_bad = true;
}

static void walk_party(struct walk *w, struct party *p)
{
	p->role = walk_count(w, p->role, PARTY_GUILTY);
	walk_text(w, p->host, sizeof p->host);
	walk_text(w, p->domain, sizeof p->domain);
	p->address_count = walk_count(w, p->address_count, PARTY_ADDRESSES_MAX);
	for (unsigned i = 0; i < p->address_count; i++)
		walk_bytes(w, p->addresses[i].bytes, sizeof p->addresses[i].bytes);
	p->claim_count = walk_count(w, p->claim_count, PARTY_CLAIMS_MAX);
	for (unsigned i = 0; i < p->claim_count; i++)
		walk_text(w, p->claims[i], sizeof p->claims[i]);
	walk_text(w, p->product, sizeof p->product);
	p->evidence_count = walk_count(w, p->evidence_count, PARTY_EVIDENCE_MAX);
	for (unsigned i = 0; i < p->evidence_count; i++)
		walk_text(w, p->evidence[i], sizeof p->evidence[i]);
	WALK(w, p->surplus);
	WALK(w, p->copies);
	WALK(w, p->blame);
	walk_double(w, &p->confidence);
	WALK(w, p->first_ms);
	WALK(w, p->last_ms);
	WALK(w, p->period_ms);
}

static void walk_counters(struct walk *w, struct incident *inc)
{
	WALK(w, inc->first_ms);
	WALK(w, inc->last_ms);
	WALK(w, inc->opened_ms);
	WALK(w, inc->closed_ms);
	WALK(w, inc->copies);
	WALK(w, inc->pairs);
	WALK(w, inc->surplus);
	WALK(w, inc->passed);
	WALK(w, inc->held);
	WALK(w, inc->suppressed);
	WALK(w, inc->deferred);
	WALK(w, inc->recipients);
	WALK(w, inc->t1);
	WALK(w, inc->t2);
	WALK(w, inc->t3);
	WALK(w, inc->parties_forgotten);
}

static void walk_incident(struct walk *w, struct incident *inc)
{
	uint8_t version = CODEC_VERSION;
	walk_bytes(w, &version, 1);
	if (version != CODEC_VERSION)
		w->is_bad = true;
	walk_text(w, inc->id, sizeof inc->id);
	inc->cls = walk_count(w, inc->cls, STORM_RATE);
	inc->state = walk_count(w, inc->state, BREAKER_HALF_OPEN);
	walk_bytes(w, inc->content_public, sizeof inc->content_public);
	walk_text(w, inc->from, sizeof inc->from);
	walk_text(w, inc->subject, sizeof inc->subject);
	walk_text(w, inc->opener, sizeof inc->opener);
	walk_counters(w, inc);
	inc->message_id_count = walk_count(w, inc->message_id_count, INCIDENT_IDS_MAX);
	for (unsigned i = 0; i < inc->message_id_count; i++)
		walk_text(w, inc->message_ids[i], sizeof inc->message_ids[i]);
	inc->party_count = walk_count(w, inc->party_count, INCIDENT_PARTIES_MAX);
	for (unsigned i = 0; i < inc->party_count && !w->is_bad; i++)
		walk_party(w, &inc->parties[i]);
}

bool incident_encode(const struct incident *incident, struct buf *out)
{
	struct incident copy = *incident;
	struct walk w = { .out = out };
	walk_incident(&w, &copy);
	return !w.is_bad;
}

bool incident_decode(struct slice bytes, struct incident *incident_out)
{
	struct walk w = { .in = bytes };
	*incident_out = (struct incident){ 0 };
	walk_incident(&w, incident_out);
	return !w.is_bad && w.in.len == 0;
}
