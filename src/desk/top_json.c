/* SPDX-License-Identifier: Apache-2.0
 *
 * top_json: the answer to the order "top", written by the daemon and read by quell top.
 * One table of rows serves both ways, so that they cannot differ.
 */
#include "desk/json.h"
#include "desk/top.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#define AT(member) offsetof(struct top_numbers, member)

static const struct number_row {
	const char *group, *name; /* group NULL: of the object itself */
	size_t at;                /* of a uint64_t */
} numbers_rows[] = {
	{ NULL, "uptime_s", AT(uptime_s) },
	{ NULL, "mails", AT(mails) },
	{ NULL, "breakers_open", AT(breakers_open) },
	{ NULL, "incidents_live", AT(incidents_live) },
	{ "hold", "copies", AT(hold_copies) },
	{ "hold", "bytes", AT(hold_bytes) },
	{ "release", "jobs", AT(release_jobs) },
	{ "release", "sent", AT(release_sent) },
	{ "fetch", "waiting", AT(waiting) },       /* the last group: of a connector only */
	{ "fetch", "delivered", AT(delivered) },
	{ "fetch", "quarantine", AT(quarantine) },
};
enum { NUMBER_COUNT = sizeof numbers_rows / sizeof numbers_rows[0], FETCH_COUNT = 3 };

static const char *const deed_words[DEED_COUNT] = { "passed", "tagged", "deferred", "held", "suppressed" };

static const struct {
	const char *name;
	size_t at;
} incident_counts[] = {
	{ "copies", offsetof(struct top_incident, copies) },
	{ "surplus", offsetof(struct top_incident, surplus) },
	{ "held", offsetof(struct top_incident, held) },
	{ "suppressed", offsetof(struct top_incident, suppressed) },
	{ "deferred", offsetof(struct top_incident, deferred) },
};
enum { INCIDENT_COUNT_COUNT = sizeof incident_counts / sizeof incident_counts[0] };

static const struct {
	const char *name;
	size_t at, bytes;
} incident_texts[] = {
	{ "id", offsetof(struct top_incident, id), INCIDENT_ID_BYTES },
	{ "class", offsetof(struct top_incident, cls), TOP_WORD_BYTES },
	{ "state", offsetof(struct top_incident, state), TOP_WORD_BYTES },
	{ "from", offsetof(struct top_incident, from), TOP_TEXT_BYTES },
	{ "subject", offsetof(struct top_incident, subject), TOP_TEXT_BYTES },
};
enum { INCIDENT_TEXT_COUNT = sizeof incident_texts / sizeof incident_texts[0] };

/* Cut between characters, so that what was good UTF-8 stays so. */
static void copy_text(char *out, size_t out_bytes, const char *text)
{
	size_t len = strlen(text), cut = len < out_bytes ? len : out_bytes - 1;
	while (cut < len && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--;
	memcpy(out, text, cut);
	out[cut] = '\0';
}

bool top_add_incident(struct top_numbers *numbers, const struct incident *incident)
{
	if (numbers->incident_count == TOP_INCIDENTS_MAX)
		return false;
	struct top_incident *to = &numbers->incidents[numbers->incident_count++];
	*to = (struct top_incident){ .copies = incident->copies, .surplus = incident->surplus,
				     .held = incident->held, .suppressed = incident->suppressed,
				     .deferred = incident->deferred, .last_ms = incident->last_ms };
	copy_text(to->id, sizeof to->id, incident->id);
	copy_text(to->cls, sizeof to->cls, storm_class_name(incident->cls));
	copy_text(to->state, sizeof to->state, breaker_name(incident->state));
	copy_text(to->from, sizeof to->from, incident->from);
	copy_text(to->subject, sizeof to->subject, incident->subject);
	return true;
}

static uint64_t *number_at(struct top_numbers *numbers, size_t row)
{
	return (uint64_t *)((char *)numbers + numbers_rows[row].at);
}

static json_t *group_of(json_t *object, const char *name)
{
	json_t *group = name ? json_object_get(object, name) : object;
	if (group)
		return group;
	json_put(object, name, json_object());
	return json_object_get(object, name);
}

static json_t *encode_incident(const struct top_incident *incident)
{
	json_t *o = json_object();
	for (size_t i = 0; i < INCIDENT_TEXT_COUNT; i++)
		json_put(o, incident_texts[i].name, json_word((const char *)incident + incident_texts[i].at));
	for (size_t i = 0; i < INCIDENT_COUNT_COUNT; i++)
		json_put_number(o, incident_counts[i].name,
				*(const uint64_t *)((const char *)incident + incident_counts[i].at));
	json_put(o, "last_seen", json_time(incident->last_ms));
	return o;
}

static json_t *encode_rates(const struct top_rates *rates)
{
	json_t *list = json_array();
	for (size_t i = 0; i < rates->count && i < TOP_RATES_MAX; i++) {
		const struct rate_row *row = &rates->rows[i];
		json_t *o = json_object();
		json_put(o, "name", json_word(row->name));
		json_put(o, "per_hour", json_real(row->per_hour));
		json_put(o, "usual_per_hour", row->usual_per_hour < 0 ? json_null() : json_real(row->usual_per_hour));
		json_put(o, "is_alarm", json_boolean(row->is_alarm));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *top_encode(const struct top_numbers *numbers)
{
	json_t *o = json_object(), *deeds = json_object(), *incidents = json_array(), *rates = json_object();
	json_put(o, "time", json_time(numbers->time_ms));
	json_put(o, "mode", json_word(numbers->mode));
	json_put(o, "confirm", json_word(numbers->confirm));
	for (size_t i = 0; i < NUMBER_COUNT - (numbers->is_connector ? 0 : FETCH_COUNT); i++)
		json_put_number(group_of(o, numbers_rows[i].group), numbers_rows[i].name,
				*(const uint64_t *)((const char *)numbers + numbers_rows[i].at));
	json_put(group_of(o, "release"), "relay_away", json_boolean(numbers->is_relay_away));
	for (size_t i = 0; i < DEED_COUNT; i++)
		json_put(deeds, deed_words[i], json_real(numbers->per_second[i]));
	json_put(o, "per_second", deeds);
	for (size_t i = 0; i < numbers->incident_count && i < TOP_INCIDENTS_MAX; i++)
		json_array_append_new(incidents, encode_incident(&numbers->incidents[i]));
	json_put(o, "incidents", incidents);
	for (size_t i = 0; i < RATE_KIND_COUNT; i++)
		json_put(rates, rate_kind_name((enum rate_kind)i), encode_rates(&numbers->rates[i]));
	json_put(o, "rates", rates);
	return o;
}

/* --- and back -------------------------------------------------------------------- */

static void take_text(const json_t *object, const char *name, char *out, size_t out_bytes)
{
	const char *text = json_string_value(json_object_get(object, name));
	copy_text(out, out_bytes, text ? text : "");
}

static uint64_t take_count(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));
	return value > 0 ? (uint64_t)value : 0;
}

/* if_none: also for what is no number or not finite. */
static double take_real(const json_t *object, const char *name, double if_none)
{
	const json_t *value = json_object_get(object, name);
	double number = json_is_number(value) ? json_number_value(value) : if_none;
	return isfinite(number) && number >= 0 ? number : if_none;
}

static int64_t take_time(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	struct tm when = { .tm_mday = 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &when) : NULL;
	return end && !*end ? (int64_t)timegm(&when) * 1000 : 0;
}

static void decode_incident(const json_t *object, struct top_incident *out)
{
	for (size_t i = 0; i < INCIDENT_TEXT_COUNT; i++)
		take_text(object, incident_texts[i].name, (char *)out + incident_texts[i].at, incident_texts[i].bytes);
	for (size_t i = 0; i < INCIDENT_COUNT_COUNT; i++)
		*(uint64_t *)((char *)out + incident_counts[i].at) = take_count(object, incident_counts[i].name);
	out->last_ms = take_time(object, "last_seen");
}

static void decode_rates(const json_t *list, struct top_rates *out)
{
	size_t count = json_array_size(list);
	out->count = count < TOP_RATES_MAX ? count : TOP_RATES_MAX;
	for (size_t i = 0; i < out->count; i++) {
		const json_t *o = json_array_get(list, i);
		struct rate_row *row = &out->rows[i];
		take_text(o, "name", row->name, sizeof row->name);
		row->per_hour = take_real(o, "per_hour", 0);
		row->usual_per_hour = take_real(o, "usual_per_hour", -1);
		row->is_alarm = json_is_true(json_object_get(o, "is_alarm"));
	}
}

void top_decode(const json_t *object, struct top_numbers *numbers_out)
{
	*numbers_out = (struct top_numbers){ .time_ms = take_time(object, "time") };
	take_text(object, "mode", numbers_out->mode, sizeof numbers_out->mode);
	take_text(object, "confirm", numbers_out->confirm, sizeof numbers_out->confirm);
	for (size_t i = 0; i < NUMBER_COUNT; i++) {
		const char *group = numbers_rows[i].group;
		*number_at(numbers_out, i) =
			take_count(group ? json_object_get(object, group) : object, numbers_rows[i].name);
	}
	numbers_out->is_connector = json_is_object(json_object_get(object, "fetch"));
	numbers_out->is_relay_away =
		json_is_true(json_object_get(json_object_get(object, "release"), "relay_away"));
	for (size_t i = 0; i < DEED_COUNT; i++)
		numbers_out->per_second[i] =
			take_real(json_object_get(object, "per_second"), deed_words[i], 0);
	const json_t *incidents = json_object_get(object, "incidents"), *rates = json_object_get(object, "rates");
	size_t count = json_array_size(incidents);
	numbers_out->incident_count = count < TOP_INCIDENTS_MAX ? count : TOP_INCIDENTS_MAX;
	for (size_t i = 0; i < numbers_out->incident_count; i++)
		decode_incident(json_array_get(incidents, i), &numbers_out->incidents[i]);
	for (size_t i = 0; i < RATE_KIND_COUNT; i++)
		decode_rates(json_object_get(rates, rate_kind_name((enum rate_kind)i)), &numbers_out->rates[i]);
}
