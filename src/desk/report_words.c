/* SPDX-License-Identifier: Apache-2.0
 *
 * report_words: names, numbers and classes of an incident in words for people.
 */
#include "desk/report.h"

#include "base/clock.h"
#include "desk/text.h"
#include "storm/culprit.h"

#include <inttypes.h>
#include <math.h>

static unsigned at_most(unsigned value, unsigned max)
{
	return value < max ? value : max;
}

unsigned report_party_count(const struct trace_incident *trace)
{
	return at_most(trace->incident.party_count, INCIDENT_PARTIES_MAX);
}

unsigned report_host_count(const struct trace_incident *trace)
{
	return at_most(trace->host_count, TRACE_HOSTS_MAX);
}

const struct party *report_party(const struct trace_incident *trace, unsigned i)
{
	return i < report_party_count(trace) ? &trace->incident.parties[i] : NULL;
}

unsigned report_role_count(const struct trace_incident *trace, enum party_role role)
{
	unsigned count = 0;
	for (unsigned i = 0; i < report_party_count(trace); i++)
		count += trace->incident.parties[i].role == role;
	return count;
}

unsigned report_guilty_count(const struct survey *survey)
{
	unsigned count = 0;
	for (size_t i = 0; i < survey->incident_count; i++)
		count += report_role_count(survey->incidents[i], PARTY_GUILTY);
	return count;
}

static const struct {
	enum storm_class cls;
	const char *title, *words;
} classes[] = {
	{ STORM_LOOP, "Mail loop", "servers hand one mail round in a ring" },
	{ STORM_DUPLICATE, "Duplicate flood", "servers send the same mail again and again to the same people" },
	{ STORM_REPLY_ALL, "Reply-all storm", "people answer to everybody, and everybody gets every answer" },
	{ STORM_PING_PONG, "Ping-pong", "two automatic answerers answer each other" },
	{ STORM_BOUNCE, "Bounce storm", "reports of failed delivery breed more of their kind" },
	{ STORM_RATE, "Too much mail at once", "one source sends far more than it ever did" },
};

static size_t class_row(enum storm_class cls)
{
	size_t i = 0;
	while (i < sizeof classes / sizeof classes[0] && classes[i].cls != cls)
		i++;
	return i;
}

const char *report_class_title(enum storm_class cls)
{
	size_t row = class_row(cls);
	return row < sizeof classes / sizeof classes[0] ? classes[row].title : "Storm";
}

const char *report_class_words(enum storm_class cls)
{
	size_t row = class_row(cls);
	return row < sizeof classes / sizeof classes[0] ? classes[row].words : "mail that breeds mail";
}

const char *report_role_words(enum storm_class cls, enum party_role role)
{
	switch (role) {
	case PARTY_GUILTY: return cls == STORM_LOOP ? "sends the mail into the ring again" : "makes the copies";
	case PARTY_SUSPECT: return "some signs point to it, not enough to name it as guilty";
	case PARTY_FORWARDER: return "gives one copy on for each it gets, as its owner wishes; not to blame";
	case PARTY_ENTRY: break;
	}
	return "handed surplus to us; what is behind it is not known";
}

const char *report_party_name(const struct party *party, char out[REPORT_WORDS_BYTES])
{
	char address[IP_TEXT_BYTES];
	if (party->host[0])
		snprintf(out, REPORT_WORDS_BYTES, "%s", party->host);
	else
		snprintf(out, REPORT_WORDS_BYTES, "%s",
			 party->address_count ? ip_text(party->addresses[0], address) : "?");
	return out;
}

const char *report_party_domain(const struct party *party, char out[REPORT_WORDS_BYTES])
{
	bool is_claim = party->domain[0] &&
			!culprit_is_same_org(slice_from_str(party->host), slice_from_str(party->domain));
	snprintf(out, REPORT_WORDS_BYTES, "%s%s", party->domain, is_claim ? " (claim)" : "");
	return out;
}

const char *report_party_addresses(const struct party *party, char out[REPORT_WORDS_BYTES])
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < party->address_count && i < PARTY_ADDRESSES_MAX; i++) {
		char address[IP_TEXT_BYTES];
		len += (size_t)snprintf(out + len, REPORT_WORDS_BYTES - len, "%s%s", i ? ", " : "",
					ip_text(party->addresses[i], address));
	}
	return out;
}

/* Two units at most: nobody wants the seconds of days. */
const char *report_span(int64_t span_ms, char out[REPORT_WORDS_BYTES])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = { { CLOCK_DAY_MS, "d" },
		      { CLOCK_HOUR_MS, "h" },
		      { CLOCK_MINUTE_MS, "min" },
		      { CLOCK_SECOND_MS, "s" } };
	int64_t rest = span_ms > 0 ? span_ms : 0;
	size_t i = 0;
	while (i < 3 && rest < units[i].ms)
		i++;
	int64_t more = i < 3 ? rest % units[i].ms / units[i + 1].ms : 0;
	if (more > 0)
		snprintf(out, REPORT_WORDS_BYTES, "%" PRId64 " %s %" PRId64 " %s", rest / units[i].ms,
			 units[i].name, more, units[i + 1].name);
	else
		snprintf(out, REPORT_WORDS_BYTES, "%" PRId64 " %s", rest / units[i].ms, units[i].name);
	return out;
}

/* A measured gap is never exact: whole minutes are enough from three on. What is longer
 * than a thousand days is no period. */
const char *report_period(int64_t period_ms, char out[REPORT_WORDS_BYTES])
{
	char span[REPORT_WORDS_BYTES];
	out[0] = '\0';
	if (period_ms <= 0 || period_ms > INT64_C(1000) * CLOCK_DAY_MS)
		return out;
	int64_t unit = period_ms >= 3 * CLOCK_HOUR_MS	  ? 5 * CLOCK_MINUTE_MS
		       : period_ms >= 3 * CLOCK_MINUTE_MS ? CLOCK_MINUTE_MS
							  : CLOCK_SECOND_MS;
	int64_t rounded = (period_ms + unit / 2) / unit * unit;
	snprintf(out, REPORT_WORDS_BYTES, "every %.60s",
		 rounded ? report_span(rounded, span) : "second or less");
	return out;
}

const char *report_factor(double factor, const char *sign, char out[REPORT_WORDS_BYTES])
{
	out[0] = '\0';
	if (isfinite(factor) && factor > 0 && factor < 1e9)
		snprintf(out, REPORT_WORDS_BYTES, factor < 9.95 ? "%s%.1f" : "%s%.0f", sign, factor);
	return out;
}

const char *report_percent(double share, char out[REPORT_WORDS_BYTES])
{
	double percent = isfinite(share) && share > 0 ? 100 * share : 0;
	out[0] = '\0';
	if (percent <= 0)
		return out;
	if (percent >= 99.5)
		snprintf(out, REPORT_WORDS_BYTES, "> 99 %%");
	else
		snprintf(out, REPORT_WORDS_BYTES, "%.0f %%", percent);
	return out;
}

const char *report_rate(const struct trace_incident *trace, char out[REPORT_WORDS_BYTES])
{
	const struct incident *incident = &trace->incident;
	char number[TEXT_NUMBER_BYTES];
	int64_t span = incident->last_ms - incident->first_ms;
	out[0] = '\0';
	if (span < CLOCK_MINUTE_MS || incident->first_ms == 0)
		return out;
	double per_hour = (double)incident->copies * CLOCK_HOUR_MS / (double)span;
	bool is_slow = per_hour < 3;
	double rate = is_slow ? per_hour * 24 : per_hour;
	if (rate >= 1)
		snprintf(out, REPORT_WORDS_BYTES, "%s copies %s", text_number((uint64_t)(rate + 0.5), number),
			 is_slow ? "a day" : "an hour");
	return out;
}

/* In a loop seen in one mail's chain, surplus are its returns. */
static const char *loop_amount(const struct trace_incident *trace, char out[REPORT_WORDS_BYTES])
{
	char people[REPORT_WORDS_BYTES], times[REPORT_WORDS_BYTES];
	const struct incident *incident = &trace->incident;
	report_count(incident->recipients, "person", "people", people);
	if (incident->surplus == 0)
		snprintf(out, REPORT_WORDS_BYTES, "one mail for %.100s", people);
	else
		snprintf(out, REPORT_WORDS_BYTES, "one mail for %.100s; it came back %.100s", people,
			 report_count(incident->surplus, "time", "times", times));
	return out;
}

const char *report_amount(const struct trace_incident *trace, char out[REPORT_WORDS_BYTES])
{
	char copies[REPORT_WORDS_BYTES], people[REPORT_WORDS_BYTES], number[TEXT_NUMBER_BYTES], most[TEXT_NUMBER_BYTES];
	const struct incident *incident = &trace->incident;
	if (incident->cls == STORM_LOOP && incident->copies <= 1)
		return loop_amount(trace, out);
	int len = snprintf(out, REPORT_WORDS_BYTES, "%.100s for %.100s, %s of the deliveries surplus",
			   report_count(incident->copies, "copy", "copies", copies),
			   report_count(incident->recipients, "person", "people", people),
			   text_number(incident->surplus, number));
	if (incident->recipients > 1)
		snprintf(out + len, REPORT_WORDS_BYTES - (size_t)len, "; at most %s for one of them",
			 text_number(trace->worst_pair, most));
	return out;
}

const char *report_count(uint64_t count, const char *one, const char *many, char out[REPORT_WORDS_BYTES])
{
	char number[TEXT_NUMBER_BYTES];
	snprintf(out, REPORT_WORDS_BYTES, "%s %.100s", text_number(count, number), count == 1 ? one : many);
	return out;
}

const char *report_utc(int64_t when_ms, char out[REPORT_WORDS_BYTES])
{
	char text[40];
	snprintf(out, REPORT_WORDS_BYTES, "-");
	if (when_ms == 0)
		return out;
	clock_rfc3339(when_ms, text, sizeof text);
	if (strlen(text) == 20) /* of years with four digits */
		snprintf(out, REPORT_WORDS_BYTES, "%.10s %.8s UTC", text, text + 11);
	else
		snprintf(out, REPORT_WORDS_BYTES, "%s", text);
	return out;
}
