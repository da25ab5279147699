/* SPDX-License-Identifier: Apache-2.0
 *
 * explain: one decision or a few: the verdict, the rule, the numbers, the storm.
 */
#include "base/mem.h"
#include "desk/desk.h"
#include "desk/json.h"
#include "desk/text.h"
#include "store/hold.h"

#include <inttypes.h>

enum { EXPLAIN_MAX = 1000 };

struct explain {
	struct desk *desk;
	struct store_reader *reader;
	struct json_stream json;
	bool want_json;
	uint64_t count;
	char incident[INCIDENT_ID_BYTES]; /* the first that a decision names */
};

static json_t *decision_json(const struct decision_row *row)
{
	json_t *o = json_object();
	json_object_set_new(o, "id", json_integer((json_int_t)row->id));
	json_object_set_new(o, "time", json_time(row->time_ms));
	json_object_set_new(o, "queue_id", json_word(row->queue_id));
	json_object_set_new(o, "message_id", json_word(row->message_id));
	json_object_set_new(o, "from", json_word(row->mail_from));
	json_object_set_new(o, "recipient", json_word(row->rcpt));
	json_object_set_new(o, "client", json_word(row->client));
	json_object_set_new(o, "verdict", json_word(row->deed));
	json_object_set_new(o, "tier", json_word(row->tier));
	json_object_set_new(o, "rule", json_word(row->rule));
	json_object_set_new(o, "reason", json_word(row->reason));
	json_object_set_new(o, "incident", json_word_or_null(row->incident));
	return o;
}

/* "  name  value", folded; nothing for an empty value. */
static void print_fact(struct desk *desk, const char *name, const char *value)
{
	struct buf line, folded;
	if (!value[0])
		return;
	buf_init(&line, 8 * 1024);
	buf_init(&folded, 64 * 1024);
	buf_addf(&line, "  %-10s %s", name, "");
	for (const char *c = value; *c; c++)
		buf_add_byte(&line, *c == '\n' ? ' ' : *c); /* one line; the rest is text_fold's */
	text_fold(&folded, buf_slice(&line), desk->columns, 11);
	fputs(buf_str(&folded), desk->out);
	buf_free(&line);
	buf_free(&folded);
}

static void print_decision(struct desk *desk, const struct decision_row *row)
{
	char when[TEXT_TIME_BYTES], text[160];
	fprintf(desk->out, "%sDecision %" PRId64 "%s, %s\n", desk_colour(desk, DESK_BOLD), row->id,
		desk_colour(desk, DESK_PLAIN), text_time(row->time_ms, when));
	print_fact(desk, "queue id", row->queue_id);
	print_fact(desk, "Message-ID", row->message_id);
	print_fact(desk, "from", row->mail_from[0] ? row->mail_from : "<> (the null sender)");
	print_fact(desk, "recipient", row->rcpt);
	print_fact(desk, "client", row->client);
	snprintf(text, sizeof text, "%s (rule %s, tier %s)", row->deed, row->rule, row->tier);
	print_fact(desk, "verdict", text);
	print_fact(desk, "because", row->reason);
	print_fact(desk, "incident", row->incident);
	fputc('\n', desk->out);
}

static bool on_decision(void *ctx, const struct decision_row *row)
{
	struct explain *explain = ctx;
	explain->count++;
	if (!explain->incident[0])
		snprintf(explain->incident, sizeof explain->incident, "%s", row->incident);
	if (explain->want_json)
		json_item(&explain->json, decision_json(row));
	else
		print_decision(explain->desk, row);
	return true;
}

static json_t *incident_reference(const struct incident *incident)
{
	json_t *o = json_object();
	json_object_set_new(o, "id", json_word(incident->id));
	json_object_set_new(o, "class", json_word(storm_class_name(incident->cls)));
	json_object_set_new(o, "state", json_word(breaker_name(incident->state)));
	json_object_set_new(o, "copies", json_integer((json_int_t)incident->copies));
	json_object_set_new(o, "surplus", json_integer((json_int_t)incident->surplus));
	json_object_set_new(o, "reason", json_word(incident->opener));
	return o;
}

static void explain_incident(struct explain *explain)
{
	struct desk *desk = explain->desk;
	struct incident *incident = mem_alloc(sizeof *incident);
	char copies[TEXT_NUMBER_BYTES], surplus[TEXT_NUMBER_BYTES];
	bool is_found = false;
	if (incident && explain->incident[0])
		store_read_incident(explain->reader, explain->incident, incident, &is_found, NULL);
	if (explain->want_json)
		json_member(&explain->json, "incident", is_found ? incident_reference(incident) : json_null());
	else if (is_found)
		desk_say(desk, "Incident %s: %s, %s; %s copies, %s surplus.\nquell incident %s tells all.",
			 incident->id, storm_class_name(incident->cls), breaker_name(incident->state),
			 text_number(incident->copies, copies), text_number(incident->surplus, surplus), incident->id);
	mem_free(incident);
}

enum exit_status desk_explain(struct desk *desk, const struct desk_args *args)
{
	struct explain explain = { .desk = desk, .want_json = args->want_json };
	struct error error = { .status = EXIT_FINE };
	const char *id = args->words[0];
	enum exit_status status = desk_open(desk, &explain.reader);
	if (status != EXIT_FINE)
		return status;
	if (explain.want_json) {
		json_begin(&explain.json, desk->out, desk->host->version);
		json_member(&explain.json, "id", json_word(id));
		json_list(&explain.json, "decisions");
	}
	bool is_read = !explain.reader ||
		       store_read_decisions(explain.reader, id, EXPLAIN_MAX, on_decision, &explain, &error);
	if (explain.want_json)
		json_list_end(&explain.json);
	if (is_read && (explain.count > 0 || explain.want_json))
		explain_incident(&explain);
	if (explain.want_json && !is_read)
		json_member(&explain.json, "error", json_word(error.text));
	if (explain.want_json)
		json_end(&explain.json);
	if (explain.reader)
		store_reader_close(explain.reader);
	if (!is_read)
		return desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
	return explain.count ? EXIT_FINE
			     : desk_fail(desk, EXIT_BAD_INPUT,
					 "nothing is known of \"%s\": mail that simply passed leaves no decision, and "
					 "the oldest decisions are forgotten", id);
}
