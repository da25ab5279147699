/* SPDX-License-Identifier: Apache-2.0
 *
 * report_json: the whole survey as one object (DESIGN 5).
 */
#include "desk/json.h"
#include "desk/report.h"

static json_t *hosts_json(const char hosts[][SURVEY_HOST_BYTES], unsigned count, unsigned count_max)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < count && i < count_max; i++)
		json_array_append_new(list, json_word(hosts[i]));
	return list;
}

static void member_number(struct json_stream *j, const char *name, uint64_t value)
{
	json_member(j, name, json_integer((json_int_t)value));
}

void report_json(FILE *out, const struct report *report)
{
	const struct survey *survey = report->survey;
	struct json_stream j;
	json_begin(&j, out, report->version);
	member_number(&j, "messages", survey->messages);
	member_number(&j, "unparsable", survey->unparsable);
	member_number(&j, "files", report->files);
	member_number(&j, "bytes", survey->bytes);
	member_number(&j, "unreadable", report->troubles);
	json_member(&j, "first_seen", json_time(survey->first_ms));
	json_member(&j, "last_seen", json_time(survey->last_ms));
	member_number(&j, "ordinary_copies", survey->ordinary_copies);
	json_member(&j, "our_hosts", hosts_json(survey->our_hosts, survey->our_host_count,
						SURVEY_OUR_HOSTS_MAX));
	json_member(&j, "our_hosts_guessed", json_boolean(survey->is_guessed));
	json_member(&j, "relays_learnt", hosts_json(survey->learnt, survey->learnt_count, SURVEY_LEARNT_MAX));
	json_list(&j, "incidents");
	for (size_t i = 0; i < survey->incident_count; i++)
		json_item(&j, json_incident(&survey->incidents[i]->incident, survey->incidents[i]));
	json_list_end(&j);
	member_number(&j, "more_incidents", survey->incidents_forgotten);
	json_end(&j);
}
