/* SPDX-License-Identifier: Apache-2.0
 *
 * report: from emitters, counters and tables to struct trace_incident.
 */
#include "trace/inner.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { PERIOD_GAP_MIN_MS = 60 * 1000, EVIDENCE_BRANCHES = 1 << 8 };

const char *trace_role_name(enum trace_role role)
{
	static const char *const names[] = {
		[TRACE_RELAY] = "relay", [TRACE_AUTHOR] = "author", [TRACE_OURS] = "ours",
		[TRACE_FORWARDER] = "forwarder", [TRACE_ENTRY] = "entry", [TRACE_SUSPECT] = "suspect",
		[TRACE_GUILTY] = "guilty", [TRACE_MORE] = "more",
	};
	return names[role];
}

static void sample_hop(const struct hop *hop, char out[TRACE_HOP_TEXT_BYTES])
{
	char from[LOG_QUOTE_BYTES], name[LOG_QUOTE_BYTES], by[LOG_QUOTE_BYTES], ip[IP_TEXT_BYTES];
	static const char *const kinds[] = { [HOP_SMTP] = "", [HOP_PICKUP] = "mail pickup service ",
					     [HOP_POP3] = "fetched ", [HOP_LOCAL] = "local " };
	bool has_ip = !ip_is_unknown(hop->from_ip);
	log_quote(slice_first(hop->from_helo, 48), from, sizeof from);
	log_quote(slice_first(hop->from_name, 48), name, sizeof name);
	log_quote(slice_first(hop->by, 48), by, sizeof by);
	if (hop_has_from(hop))
		snprintf(out, TRACE_HOP_TEXT_BYTES, "from %.60s (%.60s%s[%s]) by %.60s", from, name,
			 name[0] ? " " : "", has_ip ? ip_text(hop->from_ip, ip) : "?", by);
	else
		snprintf(out, TRACE_HOP_TEXT_BYTES, "%sby %.60s", kinds[hop->kind], by);
}

void sample_fill(struct trace_sample *s, const struct facts *f, struct slice recipient, const char *place)
{
	*s = (struct trace_sample){ .time_ms = f->time_ms };
	party_copy_name(s->place, slice_from_str(place));
	party_copy_name(s->recipient, recipient);
	while (s->hop_count < TRACE_SAMPLE_HOPS && s->hop_count < f->hop_count) {
		sample_hop(&f->hops[s->hop_count], s->hops[s->hop_count]);
		s->hop_count++;
	}
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Median gap of its own stamps: how wrong its clock is does not matter. 0: too few. */
static int64_t emitter_period(const struct emitter *e)
{
	int64_t times[STAMPS_MAX], gaps[STAMPS_MAX];
	unsigned count = 0;
	memcpy(times, e->stamps_ms, e->stamp_count * sizeof times[0]);
	qsort(times, e->stamp_count, sizeof times[0], by_value);
	for (unsigned i = 1; i < e->stamp_count; i++)
		if (times[i] - times[i - 1] >= PERIOD_GAP_MIN_MS)
			gaps[count++] = times[i] - times[i - 1];
	qsort(gaps, count, sizeof gaps[0], by_value);
	return count >= 2 ? gaps[count / 2] : 0;
}

/* Guilty first, then suspects, forwarders, entries; the most blamed first. */
static unsigned emitter_rank(const struct emitter *e)
{
	static const unsigned ranks[] = { [PARTY_ENTRY] = 3, [PARTY_SUSPECT] = 1, [PARTY_GUILTY] = 0,
					  [PARTY_FORWARDER] = 2 };
	return ranks[e->party.role];
}

static int by_rank(const void *a, const void *b)
{
	const struct emitter *x = *(struct emitter *const *)a, *y = *(struct emitter *const *)b;
	if (emitter_rank(x) != emitter_rank(y))
		return emitter_rank(x) < emitter_rank(y) ? -1 : 1;
	if (x->party.blame != y->party.blame)
		return x->party.blame > y->party.blame ? -1 : 1;
	if (x->surplus_copies != y->surplus_copies)
		return x->surplus_copies > y->surplus_copies ? -1 : 1;
	return x < y ? -1 : x > y;
}

static bool is_reported(const struct emitter *e)
{
	return !e->is_ours && (e->blame > 0 || e->surplus_copies > 0);
}

static void report_party(struct emitter *e, struct party *party, struct trace_party *more)
{
	int64_t period_ms = emitter_period(e);
	if (e->party.host[0] == '\0')
		party_name(&e->party, (struct slice){ NULL, 0 }, e->ip);
	if (e->blame > 0)
		party_add_evidence(&e->party, &e->track, EVIDENCE_BRANCHES,
				   "%u branches of the mail's way begin at it that should not be there", e->blame);
	*party = e->party;
	party->copies = e->copies > e->surplus_copies ? e->copies : e->surplus_copies;
	party->surplus = e->blame > e->surplus_copies ? e->blame : e->surplus_copies;
	party->period_ms = period_ms ? period_ms : party->period_ms;
	*more = (struct trace_party){
		.intake = e->intake, .offspring = e->offspring, .fan = e->track.fan,
		.amplification = e->intake ? (double)e->blame / e->intake : 0,
		.has_clock = e->has_clock, .clock_ms = e->clock_ms,
	};
}

static void report_parties(struct trace *trace, struct trace_incident *out)
{
	struct emitter *order[EMITTERS_MAX];
	unsigned count = 0;
	for (unsigned i = 0; i < trace->emitter_count; i++)
		if (is_reported(&trace->emitters[i]))
			order[count++] = &trace->emitters[i];
	qsort(order, count, sizeof order[0], by_rank);
	for (unsigned i = 0; i < count && i < INCIDENT_PARTIES_MAX; i++)
		report_party(order[i], &out->incident.parties[i], &out->parties[i]);
	out->incident.party_count = count < INCIDENT_PARTIES_MAX ? count : INCIDENT_PARTIES_MAX;
	out->incident.parties_forgotten = count - out->incident.party_count;
}

static unsigned party_of_ip(const struct trace_incident *out, struct ip ip)
{
	for (unsigned i = 0; i < out->incident.party_count; i++)
		if (party_has_address(&out->incident.parties[i], ip))
			return i;
	return UINT_MAX;
}

static void report_samples(const struct trace *trace, struct trace_incident *out)
{
	for (unsigned i = 0; i < trace->sample_count; i++) {
		const struct sample_note *note = &trace->samples[i];
		struct trace_sample *s = &out->samples[out->sample_count++];
		*s = note->sample;
		s->party = note->emitter == EMITTER_NONE ? UINT_MAX
							 : party_of_ip(out, trace->emitters[note->emitter].ip);
	}
}

void innocent_add(struct trace_incident *out, const char *address, const char *why)
{
	if (out->innocent_count == TRACE_INNOCENT_MAX || address[0] == '\0')
		return;
	struct trace_innocent *innocent = &out->innocents[out->innocent_count++];
	snprintf(innocent->address, sizeof innocent->address, "%s", address);
	snprintf(innocent->why, sizeof innocent->why, "%s", why);
}

static void report_innocents(struct trace_incident *out)
{
	innocent_add(out, out->incident.from, "visible sender; the copies came from elsewhere");
	for (unsigned i = 0; i < out->host_count; i++) {
		const struct trace_host *host = &out->hosts[i];
		if (host->role == TRACE_AUTHOR)
			innocent_add(out, host->name, "the mail began there, and was sent once");
		else if (host->role == TRACE_RELAY && !host->is_claim)
			innocent_add(out, host->name, "passed each mail on once");
	}
	for (unsigned i = 0; i < out->incident.party_count; i++)
		if (out->incident.parties[i].role == PARTY_FORWARDER)
			innocent_add(out, out->incident.parties[i].host,
				     "forwards: one copy on for each it gets, by its owner's wish");
}

void report_fill(struct trace *trace, struct trace_incident *out)
{
	*out = (struct trace_incident){ .incident = trace->track.pub };
	struct incident *inc = &out->incident;
	inc->recipients = trace->track.pub.recipients;
	snprintf(inc->opener, sizeof inc->opener, "%llu surplus copies, at most %llu copies for one recipient",
		 (unsigned long long)inc->surplus, (unsigned long long)trace->worst_pair);
	report_parties(trace, out);
	graph_finish(trace, out);
	report_samples(trace, out);
	report_innocents(out);
	ring_find(trace, out);
	out->bins_from_ms = trace->bins_from_ms;
	out->bin_ms = trace->bin_ms;
	memcpy(out->bins, trace->bins, sizeof out->bins);
	out->repeats = trace->repeats;
	out->worst_pair = trace->worst_pair;
	out->is_cut = trace->is_cut;
}
