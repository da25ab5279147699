/* SPDX-License-Identifier: Apache-2.0
 *
 * json: an incident as DESIGN 5 describes it, and the stream around it. What only
 * the tracer can know stands in json_trace.
 */
#include "desk/json.h"

#include "base/buf.h"
#include "base/clock.h"
#include "desk/text.h"
#include "storm/culprit.h"

enum { JSON_TEXT_BYTES_MAX = 256 * 1024 };

json_t *json_text(struct slice s)
{
	struct buf clean;
	buf_init(&clean, JSON_TEXT_BYTES_MAX);
	for (size_t pos = 0; pos < s.len;) {
		size_t at = pos;
		if (text_next(s, &pos) >= 0)
			buf_add(&clean, slice_between(s, at, pos));
		else
			buf_add_str(&clean, "\xef\xbf\xbd");
	}
	json_t *text = json_stringn(clean.ptr ? clean.ptr : "", clean.len);
	buf_free(&clean);
	return text ? text : json_string("");
}

json_t *json_word(const char *str)
{
	return json_text(slice_from_str(str));
}

json_t *json_word_or_null(const char *str)
{
	return str[0] ? json_word(str) : json_null();
}

json_t *json_time(int64_t when_ms)
{
	char text[32];
	return when_ms ? json_string(clock_rfc3339(when_ms, text, sizeof text)) : json_null();
}

void json_put(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

void json_put_number(json_t *object, const char *name, uint64_t value)
{
	json_put(object, name, json_integer((json_int_t)value));
}

/* The cure for the one product that the storm room can recognise. */
static const struct {
	const char *from, *name;
} products[] = {
	{ "SBS 2003", "KB835734" },
	{ "SBS 2003", "KB886208" },
	{ "Business Server 2003", "KB835734" },
	{ "Business Server 2003", "KB886208" },
};

static json_t *party_advisories(const struct party *party)
{
	json_t *list = json_array();
	struct slice product = slice_from_str(party->product);
	for (size_t i = 0; i < sizeof products / sizeof products[0]; i++)
		if (slice_find_nocase(product, 0, slice_from_str(products[i].from)) < product.len)
			json_array_append_new(list, json_string(products[i].name));
	return list;
}

static json_t *party_json(const struct party *party, const struct trace_party *traced)
{
	char address[IP_TEXT_BYTES];
	json_t *o = json_object(), *addresses = json_array(), *claims = json_array(), *evidence = json_array();
	for (unsigned i = 0; i < party->address_count && i < PARTY_ADDRESSES_MAX; i++)
		json_array_append_new(addresses, json_string(ip_text(party->addresses[i], address)));
	for (unsigned i = 0; i < party->claim_count && i < PARTY_CLAIMS_MAX; i++)
		json_array_append_new(claims, json_word(party->claims[i]));
	for (unsigned i = 0; i < party->evidence_count && i < PARTY_EVIDENCE_MAX; i++)
		json_array_append_new(evidence, json_word(party->evidence[i]));
	json_put(o, "host", json_word(party->host));
	json_put(o, "addresses", addresses);
	json_put(o, "domain", json_word_or_null(party->domain));
	json_put(o, "domain_is_claim", json_boolean(party->domain[0] && !culprit_is_same_org(
		slice_from_str(party->host), slice_from_str(party->domain))));
	json_put(o, "claims", claims);
	json_put(o, "confidence", json_real(party->confidence));
	json_put_number(o, "blame", party->blame);
	json_put(o, "amplification", json_null());
	json_put(o, "period_s", party->period_ms > 0 ? json_real((double)party->period_ms / 1000) : json_null());
	json_put(o, "product", json_word_or_null(party->product));
	json_put(o, "advisories", party_advisories(party));
	json_put_number(o, "copies", party->copies);
	json_put_number(o, "surplus", party->surplus);
	json_put(o, "first_seen", json_time(party->first_ms));
	json_put(o, "last_seen", json_time(party->last_ms));
	json_put(o, "evidence", evidence);
	if (traced)
		json_trace_party(o, traced);
	return o;
}

static json_t *parties_json(const struct incident *incident, const struct trace_incident *trace,
			    enum party_role role)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < incident->party_count && i < INCIDENT_PARTIES_MAX; i++)
		if (incident->parties[i].role == role)
			json_array_append_new(list, party_json(&incident->parties[i],
							       trace ? &trace->parties[i] : NULL));
	return list;
}

static json_t *message_json(const struct incident *incident)
{
	json_t *o = json_object(), *ids = json_array();
	for (unsigned i = 0; i < incident->message_id_count && i < INCIDENT_IDS_MAX; i++)
		json_array_append_new(ids, json_word(incident->message_ids[i]));
	json_put(o, "from", json_word(incident->from));
	json_put(o, "subject", json_word(incident->subject));
	json_put(o, "message_ids", ids);
	return o;
}

static json_t *innocent_json(const struct incident *incident)
{
	json_t *list = json_array(), *o;
	if (!incident->from[0])
		return list;
	o = json_object();
	json_put(o, "address", json_word(incident->from));
	json_put(o, "why", json_string("visible sender; copies came from the servers above"));
	json_array_append_new(list, o);
	return list;
}

/* What the breaker let pass or withheld, and why. */
static void put_deeds(json_t *o, const struct incident *incident)
{
	json_put_number(o, "passed", incident->passed);
	json_put_number(o, "held", incident->held);
	json_put_number(o, "suppressed", incident->suppressed);
	json_put_number(o, "deferred", incident->deferred);
	json_put(o, "reason", json_word(incident->opener));
}

static void put_story(json_t *o, const struct incident *incident)
{
	struct buf words;
	buf_init(&words, JSON_TEXT_BYTES_MAX);
	if (incident_explain(incident, &words))
		json_put(o, "text", json_text(buf_slice(&words)));
	buf_free(&words);
}

static void put_head(json_t *o, const struct incident *incident, bool has_breaker)
{
	json_put(o, "id", json_word(incident->id));
	json_put(o, "class", json_word(storm_class_name(incident->cls)));
	if (has_breaker)
		json_put(o, "state", json_word(breaker_name(incident->state)));
	json_put(o, "first_seen", json_time(incident->first_ms));
	json_put(o, "last_seen", json_time(incident->last_ms));
	if (has_breaker) {
		json_put(o, "opened", json_time(incident->opened_ms));
		json_put(o, "closed", json_time(incident->closed_ms));
	}
	json_put_number(o, "copies", incident->copies);
	json_put_number(o, "surplus", incident->surplus);
	json_put_number(o, "recipients", incident->recipients);
}

json_t *json_incident(const struct incident *incident, const struct trace_incident *trace)
{
	json_t *o = json_object();
	put_head(o, incident, trace == NULL);
	if (!trace)
		put_deeds(o, incident);
	json_put(o, "message", message_json(incident));
	json_put(o, "guilty", parties_json(incident, trace, PARTY_GUILTY));
	json_put(o, "suspects", parties_json(incident, trace, PARTY_SUSPECT));
	json_put(o, "entries", parties_json(incident, trace, PARTY_ENTRY));
	json_put(o, "forwarders", parties_json(incident, trace, PARTY_FORWARDER));
	json_put(o, "innocent", innocent_json(incident));
	if (trace)
		json_trace_members(o, trace);
	else
		put_story(o, incident);
	return o;
}

static void stream_value(struct json_stream *j, json_t *value)
{
	size_t flags = JSON_ENSURE_ASCII | JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6);
	if (!value || json_dumpf(value, j->out, flags) != 0)
		fputs("null", j->out);
	json_decref(value);
}

void json_begin(struct json_stream *j, FILE *out, const char *version)
{
	*j = (struct json_stream){ .out = out };
	fputs("{\"quell\":", out);
	stream_value(j, json_word(version));
}

/* Names are our own words: plain ASCII without quotes. */
void json_member(struct json_stream *j, const char *name, json_t *value)
{
	fprintf(j->out, ",\n\"%s\":", name);
	stream_value(j, value);
}

void json_list(struct json_stream *j, const char *name)
{
	fprintf(j->out, ",\n\"%s\":[", name);
	j->is_in_list = true;
	j->has_item = false;
}

void json_item(struct json_stream *j, json_t *value)
{
	fputs(j->has_item ? ",\n" : "\n", j->out);
	j->has_item = true;
	stream_value(j, value);
}

void json_list_end(struct json_stream *j)
{
	if (j->is_in_list)
		fputs("]", j->out);
	j->is_in_list = false;
}

void json_end(struct json_stream *j)
{
	json_list_end(j);
	fputs("}\n", j->out);
}
