/* SPDX-License-Identifier: Apache-2.0
 *
 * incidents: the storms that the store remembers, as a list and one by one.
 */
#include "base/mem.h"
#include "desk/desk.h"
#include "desk/json.h"
#include "desk/table.h"
#include "desk/text.h"
#include "store/hold.h"

enum { INCIDENT_WORDS_BYTES = 256 * 1024 };

/* The numbers of DESIGN 5, in its order; what the store keeps besides is left out. */
static const char *const counter_names[] = { "mails", "passed", "tagged", "deferred", "held", "suppressed" };
enum { COUNTER_COUNT = sizeof counter_names / sizeof counter_names[0] };

static bool on_counter(void *ctx, const char *name, uint64_t value)
{
	uint64_t *values = ctx;
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		if (strcmp(name, counter_names[i]) == 0)
			values[i] = value;
	return true;
}

static json_t *counters_json(const uint64_t *values)
{
	json_t *o = json_object();
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		json_object_set_new(o, counter_names[i], json_integer((json_int_t)values[i]));
	return o;
}

static bool on_incident_json(void *ctx, const struct incident *incident)
{
	json_item(ctx, json_incident(incident, NULL));
	return true;
}

/* An error in the middle still leaves whole JSON: it is then a member. */
static enum exit_status incidents_json(struct desk *desk, struct store_reader *reader, const uint64_t *values,
				       uint64_t limit)
{
	struct json_stream j;
	struct error error = { .status = EXIT_FINE };
	json_begin(&j, desk->out, desk->host->version);
	json_member(&j, "counters", counters_json(values));
	json_list(&j, "incidents");
	bool is_read = !reader || store_read_incidents(reader, limit, on_incident_json, &j, &error);
	json_list_end(&j);
	if (!is_read)
		json_member(&j, "error", json_word(error.text));
	json_end(&j);
	return is_read ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
}

static const struct table_column incident_columns[] = {
	{ "ID", 0, 0, false },           { "STATE", 0, 0, false },     { "CLASS", 0, 3, false },
	{ "COPIES", 0, 0, true },        { "SURPLUS", 0, 4, true },    { "WITHHELD", 0, 0, true },
	{ "LAST SEEN", 0, 2, false },    { "GUILTY", 12, 1, false },   { "FROM", 10, 5, false },
	{ "SUBJECT", 8, 0, false },
};

static const struct party *first_guilty(const struct incident *incident, unsigned *count_out)
{
	const struct party *found = NULL;
	*count_out = 0;
	for (unsigned i = 0; i < incident->party_count && i < INCIDENT_PARTIES_MAX; i++) {
		if (incident->parties[i].role != PARTY_GUILTY)
			continue;
		found = found ? found : &incident->parties[i];
		*count_out += 1;
	}
	return found;
}

static bool on_incident_row(void *ctx, const struct incident *incident)
{
	struct table *t = ctx;
	char number[TEXT_NUMBER_BYTES], when[TEXT_TIME_BYTES];
	unsigned guilty;
	const struct party *party = first_guilty(incident, &guilty);
	table_cell(t, slice_from_str(incident->id));
	table_cell(t, slice_from_str(breaker_name(incident->state)));
	table_cell(t, slice_from_str(storm_class_name(incident->cls)));
	table_cell(t, slice_from_str(text_number(incident->copies, number)));
	table_cell(t, slice_from_str(text_number(incident->surplus, number)));
	table_cell(t, slice_from_str(text_number(incident->held + incident->suppressed, number)));
	table_cell(t, slice_from_str(text_time(incident->last_ms, when)));
	if (guilty > 1)
		table_cellf(t, "%s +%u", party->host, guilty - 1);
	else
		table_cell(t, slice_from_str(party ? party->host : "-"));
	table_cell(t, slice_from_str(incident->from[0] ? incident->from : "-"));
	table_cell(t, slice_from_str(incident->subject[0] ? incident->subject : "-"));
	return true;
}

struct seen {
	struct table *table;
	bool is_any;
};

static bool on_incident_seen(void *ctx, const struct incident *incident)
{
	struct seen *seen = ctx;
	seen->is_any = true;
	return on_incident_row(seen->table, incident);
}

static void print_counters(struct desk *desk, const uint64_t *values)
{
	char number[TEXT_NUMBER_BYTES];
	struct buf line;
	buf_init(&line, 1024);
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		buf_addf(&line, "%s%s %s", i ? ", " : "", text_number(values[i], number), counter_names[i]);
	desk_say(desk, "%s\n\n", buf_str(&line));
	buf_free(&line);
}

static enum exit_status incidents_text(struct desk *desk, struct store_reader *reader, const uint64_t *values,
				       uint64_t limit)
{
	struct table table;
	struct seen seen = { .table = &table };
	struct error error = { .status = EXIT_FINE };
	if (!reader) {
		fputs("No incident: Quell has stored nothing yet.\n", desk->out);
		return EXIT_FINE;
	}
	print_counters(desk, values);
	table_begin(&table, desk->out, incident_columns, sizeof incident_columns / sizeof incident_columns[0],
		    desk->columns, desk->want_colour);
	bool is_read = store_read_incidents(reader, limit, on_incident_seen, &seen, &error);
	if (seen.is_any || !is_read)
		table_end(&table);
	else
		buf_free(&table.cells);
	if (!is_read)
		return desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
	fputs(seen.is_any ? "\nquell incident ID tells all about one.\n" : "No incident.\n", desk->out);
	return EXIT_FINE;
}

enum exit_status desk_incidents(struct desk *desk, const struct desk_args *args)
{
	struct store_reader *reader;
	uint64_t values[COUNTER_COUNT] = { 0 };
	struct error error = { .status = EXIT_FINE };
	enum exit_status status = desk_open(desk, &reader);
	if (status != EXIT_FINE)
		return status;
	if (reader && !store_read_counters(reader, on_counter, values, &error)) {
		store_reader_close(reader);
		return desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
	}
	status = args->want_json ? incidents_json(desk, reader, values, args->limit)
				 : incidents_text(desk, reader, values, args->limit);
	if (reader)
		store_reader_close(reader);
	return status;
}

/* The first line of the explanation is its heading. */
static void incident_text(struct desk *desk, const struct incident *incident)
{
	struct buf words, folded;
	struct slice rest, heading = { 0 };
	char number[TEXT_NUMBER_BYTES], first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];
	buf_init(&words, INCIDENT_WORDS_BYTES);
	buf_init(&folded, 2 * INCIDENT_WORDS_BYTES);
	incident_explain(incident, &words);
	text_fold(&folded, buf_slice(&words), desk->columns, 2);
	rest = buf_slice(&folded);
	slice_next(&rest, '\n', &heading);
	fprintf(desk->out, "%s%.*s%s\n%.*s\n", desk_colour(desk, DESK_BOLD), SLICE_ARG(heading),
		desk_colour(desk, DESK_PLAIN), SLICE_ARG(rest));
	desk_say(desk, "By the local clock: first %s, last %s.", text_time(incident->first_ms, first),
		 text_time(incident->last_ms, last));
	if (incident->held > 0)
		desk_say(desk, "%s held: quell held %s shows them, quell release %s hands them on.",
			 text_number(incident->held, number), incident->id, incident->id);
	buf_free(&words);
	buf_free(&folded);
}

static void incident_json(struct desk *desk, const struct incident *incident)
{
	json_t *o = json_incident(incident, NULL);
	json_object_set_new(o, "quell", json_word(desk->host->version));
	json_dumpf(o, desk->out, JSON_ENSURE_ASCII | JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', desk->out);
	json_decref(o);
}

enum exit_status desk_incident(struct desk *desk, const struct desk_args *args)
{
	struct store_reader *reader;
	struct error error = { .status = EXIT_FINE };
	bool is_found = false;
	enum exit_status status = desk_open(desk, &reader);
	if (status != EXIT_FINE)
		return status;
	struct incident *incident = mem_alloc(sizeof *incident);
	if (!incident)
		status = desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	else if (reader && !store_read_incident(reader, args->words[0], incident, &is_found, &error))
		status = desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
	else if (!is_found)
		status = desk_fail(desk, EXIT_BAD_INPUT, "no incident \"%s\"; quell incidents lists them",
				   args->words[0]);
	else if (args->want_json)
		incident_json(desk, incident);
	else
		incident_text(desk, incident);
	mem_free(incident);
	if (reader)
		store_reader_close(reader);
	return status;
}
