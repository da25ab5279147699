/* SPDX-License-Identifier: Apache-2.0
 *
 * fixture: see fixture.h.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE INT64_C(60000)
#define BEGIN INT64_C(1133860803000) /* 2005-12-06 09:20:03 UTC */

#define SET(field, ...) snprintf(field, sizeof field, __VA_ARGS__)

static struct trace_incident *incident_new(enum storm_class cls, const char *id, const char *from,
					   const char *subject)
{
	struct trace_incident *trace = calloc(1, sizeof *trace);
	struct incident *incident = &trace->incident;
	incident->cls = cls;
	incident->first_ms = BEGIN;
	SET(incident->id, "%s", id);
	SET(incident->from, "%s", from);
	SET(incident->subject, "%s", subject);
	return trace;
}

static struct party *party_add(struct trace_incident *trace, enum party_role role, const char *host,
			       const char *address)
{
	struct party *party = &trace->incident.parties[trace->incident.party_count++];
	party->role = role;
	SET(party->host, "%s", host);
	if (address)
		ip_parse(slice_from_str(address), &party->addresses[party->address_count++]);
	party->first_ms = BEGIN + MINUTE;
	party->last_ms = BEGIN + 90 * MINUTE;
	return party;
}

static unsigned host_add(struct trace_incident *trace, enum trace_role role, unsigned layer, const char *name,
			 uint64_t passages, unsigned party)
{
	struct trace_host *host = &trace->hosts[trace->host_count];
	*host = (struct trace_host){ .role = role,
				     .layer = layer,
				     .passages = passages,
				     .party = party,
				     .first_ms = BEGIN + layer * MINUTE };
	SET(host->name, "%s", name);
	return trace->host_count++;
}

static void edge_add(struct trace_incident *trace, unsigned from, unsigned to, uint64_t passages,
		     uint64_t surplus, double amplification)
{
	bool is_back = trace->hosts[to].layer <= trace->hosts[from].layer;
	trace->edges[trace->edge_count++] = (struct trace_edge){ .from = from,
								 .to = to,
								 .passages = passages,
								 .surplus = surplus,
								 .amplification = amplification,
								 .is_back = is_back };
}

static void sample_add(struct trace_incident *trace, unsigned party, const char *place, const char *recipient,
		       const char *const *hops, unsigned count)
{
	struct trace_sample *sample = &trace->samples[trace->sample_count++];
	sample->party = party;
	sample->time_ms = BEGIN + 11 * MINUTE;
	sample->hop_count = count;
	SET(sample->place, "%s", place);
	SET(sample->recipient, "%s", recipient);
	for (unsigned i = 0; i < count; i++)
		SET(sample->hops[i], "%s", hops[i]);
}

static void innocent_add(struct trace_incident *trace, const char *address, const char *why)
{
	struct trace_innocent *innocent = &trace->innocents[trace->innocent_count++];
	SET(innocent->address, "%s", address);
	SET(innocent->why, "%s", why);
}

static const struct firm {
	const char *host, *domain, *address, *claim;
	unsigned copies, blame;
	double confidence, amplification;
	int64_t period_s;
} firms[] = {
	{ "quayside.example", "quayside.example", "198.51.100.23", "connector mailbox post@quayside.example",
	  141, 29, 1.0, 26, 875 },
	{ "mail.harbourlaw.example", "harbourlaw.example", "198.51.100.7",
	  "connector mailbox reception@harbourlaw.example", 118, 16, 1.0, 26, 900 },
	{ "198.51.100.88", "wharf.example", "198.51.100.88", "Message-ID host wharf.local, 192.168.16.2", 76, 8,
	  .998, 26, 905 },
	{ "firm4.example", "firm4.example", "203.0.113.61", "connector mailbox a@firm4.example", 49, 4, .997,
	  26, 0 },
	{ "dsl-7.isp.example", "liffeylaw.example", "203.0.113.7", "calls itself server01.liffeylaw.local", 21,
	  2, .95, 0, 1800 },
};

static void dublin_parties(struct trace_incident *trace)
{
	for (unsigned i = 0; i < 5; i++) {
		const struct firm *firm = &firms[i];
		struct party *party = party_add(trace, PARTY_GUILTY, firm->host, firm->address);
		SET(party->domain, "%s", firm->domain);
		SET(party->claims[party->claim_count++], "%s", firm->claim);
		SET(party->product, "Microsoft Small Business Server 2003 POP3 connector");
		SET(party->evidence[party->evidence_count++],
		    "%u copies left it that were already delivered; isp-out.isp.example wrote its address %s",
		    firm->blame, firm->address);
		SET(party->evidence[party->evidence_count++], "a pickup line of %s stands in the chain, %s",
		    firm->domain, "below the relay that attests it");
		if (i % 2 == 0)
			SET(party->evidence[party->evidence_count++], "To names mspop3connector: the mail was "
								      "fetched by POP3 there");
		party->copies = party->surplus = firm->copies;
		party->blame = firm->blame;
		party->confidence = firm->confidence;
		party->period_ms = firm->period_s * 1000;
		trace->parties[i] = (struct trace_party){ .intake = firm->blame,
							  .offspring = 2,
							  .fan = 26,
							  .amplification = firm->amplification,
							  .has_clock = i == 0,
							  .clock_ms = 178000 };
	}
	struct party *entry = party_add(trace, PARTY_ENTRY, "isp-out.isp.example", "192.0.2.10");
	entry->copies = entry->surplus = 405;
	party_add(trace, PARTY_FORWARDER, "alumni.example.edu", "192.0.2.77")->copies = 7;
}

static void dublin_graph(struct trace_incident *trace)
{
	unsigned author = host_add(trace, TRACE_AUTHOR, 0, "mail.lexpress-pub.example", 1, UINT_MAX);
	unsigned in = host_add(trace, TRACE_RELAY, 1, "isp-in.isp.example", 1, UINT_MAX);
	unsigned box = host_add(trace, TRACE_RELAY, 2, "isp-mbx.isp.example", 63, UINT_MAX);
	unsigned out, ours, alumni, guilty[5];
	for (unsigned i = 0; i < 5; i++) {
		guilty[i] = host_add(trace, TRACE_GUILTY, 3, firms[i].host, firms[i].copies, i);
		trace->hosts[guilty[i]].is_claim = i == 4;
	}
	out = host_add(trace, TRACE_ENTRY, 4, "isp-out.isp.example", 405, 5);
	alumni = host_add(trace, TRACE_FORWARDER, 4, "alumni.example.edu", 7, 6);
	ours = host_add(trace, TRACE_OURS, 5, "mx.victim.example", 413, UINT_MAX);
	edge_add(trace, author, in, 1, 0, 0);
	edge_add(trace, in, box, 5, 0, 0);
	edge_add(trace, in, ours, 1, 0, 0);
	for (unsigned i = 0; i < 5; i++) {
		edge_add(trace, box, guilty[i], firms[i].blame + 1, 0, 0);
		edge_add(trace, guilty[i], out, firms[i].copies, firms[i].copies - 1, firms[i].amplification);
	}
	edge_add(trace, guilty[1], alumni, 7, 7, 0);
	edge_add(trace, alumni, ours, 7, 7, 0);
	edge_add(trace, out, ours, 405, 398, 0);
	edge_add(trace, out, box, 58, 58, 0);
}

struct trace_incident *fixture_dublin(void)
{
	static const char *const first[] = {
		"from isp-in.isp.example (isp-in.isp.example [192.0.2.9]) by mx.victim.example; 2005-12-06 "
		"09:20:06",
		"from mail.lexpress-pub.example (mail.lexpress-pub.example [192.0.2.25]) by "
		"isp-in.isp.example; 2005-12-06 09:20:03",
	};
	static const char *const copy[] = {
		"from isp-out.isp.example (isp-out.isp.example [192.0.2.10]) by mx.victim.example; 2005-12-06 "
		"09:31:19",
		"from quayside.example (dsl-23.isp.example [198.51.100.23]) by isp-out.isp.example; 2005-12-06 "
		"09:31:15",
		"from mail pickup service by quayside.example; 2005-12-06 09:34:12",
	};
	struct trace_incident *trace =
		incident_new(STORM_DUPLICATE, "D3k7q0v8x2mzpw", "offers@lexpress-pub.example",
			     "Conveyancing Handbook 2006 - early order price");
	struct incident *incident = &trace->incident;
	incident->last_ms = BEGIN + 104 * MINUTE;
	incident->copies = 413;
	incident->pairs = 413;
	incident->surplus = 405;
	incident->recipients = 8;
	trace->worst_pair = 55;
	incident->message_id_count = 3;
	SET(incident->message_ids[0], "001a01c5fa46$3b0f2c10$1e01a8c0@lexpress-pub.example");
	SET(incident->message_ids[1], "000001c5fa47$d2a1f3c0$0210a8c0@harbourlaw.local");
	SET(incident->message_ids[2], "000201c5fa49$11b0c7a0$0300a8c0@quayside.local");
	dublin_parties(trace);
	dublin_graph(trace);
	trace->bins_from_ms = BEGIN;
	trace->bin_ms = 105 * MINUTE / TRACE_BINS;
	for (unsigned i = 0; i < TRACE_BINS; i++) {
		trace->bins[i].copies = i == 0 ? 8 : i % 9 < 6 ? (i * i) / 90 + i % 4 : 0;
		trace->bins[i].surplus = i == 0 ? 0 : trace->bins[i].copies;
	}
	sample_add(trace, UINT_MAX, "victim.mbox:0", "anna@victim.example", first, 2);
	sample_add(trace, 0, "victim.mbox:48213", "anna@victim.example", copy, 3);
	innocent_add(trace, "offers@lexpress-pub.example",
		     "visible author; wrote it once, every copy came from elsewhere");
	innocent_add(trace, "isp-mbx.isp.example", "passed each mail on once");
	innocent_add(trace, "alumni.example.edu", "forwards one copy for each it gets, as its owner wishes");
	return trace;
}

struct trace_incident *fixture_loop(void)
{
	static const char *const round[] = {
		"from b.example.net (b.example.net [203.0.113.9]) by mx.a.example.org; 2005-12-06 09:50:00",
		"from mx.a.example.org (mx.a.example.org [192.0.2.40]) by b.example.net; 2005-12-06 09:49:30",
		"from b.example.net (b.example.net [203.0.113.9]) by mx.a.example.org; 2005-12-06 09:49:00",
	};
	struct trace_incident *trace =
		incident_new(STORM_LOOP, "Lq1w2e3r4t5y6u", "clerk@c.example.com", "Holiday list");
	struct incident *incident = &trace->incident;
	incident->last_ms = BEGIN + 25 * MINUTE;
	incident->copies = incident->pairs = 24;
	incident->surplus = 23;
	incident->recipients = 1;
	trace->worst_pair = 24;
	struct party *suspect = party_add(trace, PARTY_SUSPECT, "b.example.net", "203.0.113.9");
	SET(suspect->domain, "example.net");
	SET(suspect->evidence[suspect->evidence_count++], "the mail came back from it 23 times after it had "
							  "been handed to it");
	suspect->copies = suspect->surplus = 23;
	suspect->blame = 1;
	suspect->confidence = .84;
	suspect->period_ms = 60000;
	party_add(trace, PARTY_ENTRY, "b.example.net", "203.0.113.9")->copies = 24;
	unsigned author = host_add(trace, TRACE_AUTHOR, 0, "smtp.c.example.com", 1, UINT_MAX);
	unsigned a = host_add(trace, TRACE_OURS, 1, "mx.a.example.org", 24, UINT_MAX);
	unsigned b = host_add(trace, TRACE_SUSPECT, 2, "b.example.net", 24, 0);
	edge_add(trace, author, a, 1, 0, 0);
	edge_add(trace, a, b, 24, 23, 0);
	edge_add(trace, b, a, 23, 23, 0);
	trace->cycle[0] = a;
	trace->cycle[1] = b;
	trace->cycle_count = 2;
	trace->bins_from_ms = BEGIN;
	trace->bin_ms = MINUTE;
	for (unsigned i = 0; i < 25; i++)
		trace->bins[i] = (struct trace_bin){ .copies = i ? 1 : 1, .surplus = i > 0 };
	sample_add(trace, 0, "archive/loop.eml:0", "clerk@a.example.org", round, 3);
	innocent_add(trace, "clerk@c.example.com", "visible author; wrote it once");
	return trace;
}

#define W32 "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
static const char long_word[] = W32 W32 W32 W32;

static const char *const evils[] = {
	"<script>alert(1)</script>",
	"\x1b]0;owned\x07\x1b[2J\xc2\x9b"
	"31m",
	"\xe2\x80\xae"
	"txt.exe\xe2\x81\xa6 \xe2\x80\x8b\xef\xbb\xbf",
	"\" onload=\"alert(1)\" x='&amp;]]>-->",
	long_word,
	"\r\nGuilty: nobody\r\n\t\\N\\l\\",
	"\xff\xfe\xc0\xaf\xed\xa0\x80",
	"\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97",
	"</title><style>*{display:none}</style>",
	"javascript:alert(1)//%s%n%d",
};

static const char *evil(unsigned i)
{
	return evils[i % (sizeof evils / sizeof evils[0])];
}

static void hostile_party(struct trace_incident *trace, unsigned i)
{
	struct party *party = party_add(trace, (enum party_role)(i % 4), i == 7 ? "" : evil(i),
					i % 3 ? "2001:db8::dead:beef" : NULL);
	SET(party->domain, "%s", evil(i + 1));
	SET(party->product, "%s", evil(i + 2));
	party->claim_count = PARTY_CLAIMS_MAX;
	party->evidence_count = PARTY_EVIDENCE_MAX;
	for (unsigned k = 0; k < PARTY_CLAIMS_MAX; k++)
		SET(party->claims[k], "%s", evil(i + k));
	for (unsigned k = 0; k < PARTY_EVIDENCE_MAX; k++)
		SET(party->evidence[k], "%s %s", evil(i + k), evil(i + k + 3));
	party->copies = party->surplus = UINT64_MAX >> (4 * i);
	party->blame = UINT_MAX;
	party->confidence = i == 2 ? -1 : 1e300;
	party->period_ms = i % 2 ? INT64_MAX : 1;
	trace->parties[i].amplification = i == 6 ? 1.0 / 3 : 1e12;
}

struct trace_incident *fixture_hostile(void)
{
	struct trace_incident *trace = incident_new(STORM_DUPLICATE, "D\"><b>", evil(1), evil(0));
	struct incident *incident = &trace->incident;
	incident->last_ms = BEGIN + 5000 * 24 * 60 * MINUTE;
	incident->copies = UINT64_MAX;
	incident->surplus = UINT64_MAX;
	incident->recipients = UINT_MAX;
	incident->message_id_count = INCIDENT_IDS_MAX;
	incident->parties_forgotten = 7;
	trace->worst_pair = UINT64_MAX;
	trace->is_cut = true;
	for (unsigned i = 0; i < INCIDENT_IDS_MAX; i++)
		SET(incident->message_ids[i], "%s", evil(i));
	for (unsigned i = 0; i < INCIDENT_PARTIES_MAX; i++)
		hostile_party(trace, i);
	for (unsigned i = 0; i < TRACE_HOSTS_MAX; i++) {
		host_add(trace, (enum trace_role)(i % 8), i == 40 ? UINT_MAX : i / 6, evil(i), i * i,
			 i < 16 ? i : UINT_MAX);
		trace->hosts[i].is_claim = i % 2;
	}
	for (unsigned i = 0; i < TRACE_EDGES_MAX; i++)
		edge_add(trace, i * 7 % TRACE_HOSTS_MAX, (i * 5 + i / 10 + 6) % TRACE_HOSTS_MAX, i * 3, i,
			 i % 3 ? 0 : 12.5);
	trace->edges[9].to = 4711; /* nonsense is not drawn */
	for (unsigned i = 0; i < TRACE_CYCLE_MAX; i++)
		trace->cycle[i] = i;
	trace->cycle_count = TRACE_CYCLE_MAX;
	trace->bins_from_ms = BEGIN;
	trace->bin_ms = 84 * 24 * 60 * MINUTE;
	for (unsigned i = 0; i < TRACE_BINS; i++)
		trace->bins[i] = (struct trace_bin){ .copies = UINT32_MAX - i * 1000, .surplus = UINT32_MAX };
	for (unsigned i = 0; i < TRACE_SAMPLES_MAX; i++)
		sample_add(trace, i ? i : UINT_MAX, evil(i), evil(i + 1), evils, 10);
	for (unsigned i = 0; i < TRACE_INNOCENT_MAX; i++)
		innocent_add(trace, evil(i), evil(i + 4));
	return trace;
}

struct survey *fixture_survey(struct trace_incident **incidents, size_t count)
{
	struct survey *survey = calloc(1, sizeof *survey);
	survey->incidents = calloc(count + 1, sizeof *survey->incidents);
	survey->incident_count = count;
	for (size_t i = 0; i < count; i++)
		survey->incidents[i] = incidents[i];
	survey->messages = 8737;
	survey->bytes = UINT64_C(41) << 20;
	survey->first_ms = BEGIN - 3 * 24 * 60 * MINUTE;
	survey->last_ms = BEGIN + 24 * 60 * MINUTE;
	survey->ordinary_copies = 12;
	return survey;
}

struct survey *fixture_survey_of(const char *letters)
{
	struct trace_incident *incidents[16];
	size_t count = strlen(letters);
	for (size_t i = 0; i < count; i++)
		incidents[i] = letters[i] == 'D'   ? fixture_dublin()
			       : letters[i] == 'L' ? fixture_loop()
						   : fixture_hostile();
	struct survey *survey = fixture_survey(incidents, count);
	if (!strchr(letters, 'H'))
		return survey;
	survey->is_guessed = true;
	survey->our_host_count = 10;
	survey->unparsable = 1;
	survey->incidents_forgotten = 3;
	for (unsigned i = 0; i < 10; i++)
		snprintf(survey->our_hosts[i], SURVEY_HOST_BYTES, "%s", evil(i));
	return survey;
}

void fixture_free(struct survey *survey)
{
	for (size_t i = 0; i < survey->incident_count; i++)
		free(survey->incidents[i]);
	free(survey->incidents);
	free(survey);
}
