/* SPDX-License-Identifier: Apache-2.0
 *
 * held: what is in the hold, one row a recipient.
 */
#include "base/clock.h"
#include "desk/desk.h"
#include "desk/json.h"
#include "desk/table.h"
#include "desk/text.h"
#include "store/hold.h"

static const char *hold_state_name(enum hold_state state)
{
	static const char *const names[] = {
		[HOLD_KEPT] = "kept",       [HOLD_RELEASING] = "releasing", [HOLD_RELEASED] = "released",
		[HOLD_EXPIRED] = "expired", [HOLD_COUNTED] = "counted",     [HOLD_REFUSED] = "refused",
	};
	size_t i = (size_t)state;
	return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}

struct held_list {
	struct desk *desk;
	struct json_stream json;
	struct table table;
	bool want_json;
	uint64_t rows, bytes;
};

static json_t *held_json(const struct hold_row *row)
{
	json_t *o = json_object();
	json_object_set_new(o, "id", json_word(row->id));
	json_object_set_new(o, "incident", json_word_or_null(row->incident));
	json_object_set_new(o, "recipient", json_word(row->rcpt));
	json_object_set_new(o, "from", json_word(row->mail_from));
	json_object_set_new(o, "queue_id", json_word(row->queue_id));
	json_object_set_new(o, "verdict", json_word(deed_name(row->deed)));
	json_object_set_new(o, "rule", json_word(row->rule));
	json_object_set_new(o, "reason", json_word(row->reason));
	json_object_set_new(o, "time", json_time(row->time_ms));
	json_object_set_new(o, "bytes", json_integer((json_int_t)row->bytes));
	json_object_set_new(o, "state", json_word(hold_state_name(row->state)));
	return o;
}

static const struct table_column held_columns[] = {
	{ "ID", 0, 0, false },         { "TIME", 10, 3, false },   { "STATE", 0, 1, false },
	{ "RECIPIENT", 12, 0, false }, { "FROM", 10, 4, false },   { "SIZE", 0, 6, true },
	{ "VERDICT", 0, 5, false },    { "INCIDENT", 0, 2, false }, { "WHY", 16, 7, false },
};
enum { HELD_COLUMNS = sizeof held_columns / sizeof held_columns[0] };

static void held_cells(struct table *t, const struct hold_row *row)
{
	char text[TEXT_TIME_BYTES], size[TEXT_NUMBER_BYTES];
	table_cell(t, slice_from_str(row->id));
	table_cell(t, slice_from_str(text_time(row->time_ms, text)));
	table_cell(t, slice_from_str(hold_state_name(row->state)));
	table_cell(t, slice_from_str(row->rcpt));
	table_cell(t, slice_from_str(row->mail_from[0] ? row->mail_from : "<>"));
	table_cell(t, slice_from_str(text_size(row->bytes, size)));
	table_cell(t, slice_from_str(deed_name(row->deed)));
	table_cell(t, slice_from_str(row->incident[0] ? row->incident : "-"));
	table_cell(t, slice_from_str(row->reason));
}

static bool on_row(void *ctx, const struct hold_row *row)
{
	struct held_list *held = ctx;
	held->rows++;
	held->bytes += row->bytes;
	if (held->want_json)
		json_item(&held->json, held_json(row));
	else
		held_cells(&held->table, row);
	return !ferror(held->desk->out);
}

static void held_begin(struct held_list *held)
{
	struct desk *desk = held->desk;
	if (held->want_json) {
		json_begin(&held->json, desk->out, desk->host->version);
		json_list(&held->json, "held");
	} else {
		table_begin(&held->table, desk->out, held_columns, HELD_COLUMNS, desk->columns, desk->want_colour);
	}
}

static void held_end(struct held_list *held, const char *trouble)
{
	FILE *out = held->desk->out;
	char rows[TEXT_NUMBER_BYTES], size[TEXT_NUMBER_BYTES];
	if (held->want_json) {
		json_list_end(&held->json);
		json_member(&held->json, "total", json_integer((json_int_t)held->rows));
		if (trouble)
			json_member(&held->json, "error", json_word(trouble));
		json_end(&held->json);
		return;
	}
	if (held->rows == 0) {
		buf_free(&held->table.cells);
		fputs(trouble ? "" : "Nothing is held.\n", out);
		return;
	}
	table_end(&held->table);
	desk_say(held->desk, "\n%s, %s. quell release ID hands mail on.", text_number(held->rows, rows),
		 text_size(held->bytes, size));
}

enum exit_status desk_held(struct desk *desk, const struct desk_args *args)
{
	struct held_list held = { .desk = desk, .want_json = args->want_json };
	struct store_reader *reader;
	struct error error = { .status = EXIT_FINE };
	const char *incident = args->word_count ? args->words[0] : NULL;
	enum exit_status status = desk_open(desk, &reader);
	if (status != EXIT_FINE)
		return status;
	held_begin(&held);
	bool is_read = !reader || store_read_holds(reader, incident, -1, args->limit, on_row, &held, &error);
	held_end(&held, is_read ? NULL : error.text);
	if (reader)
		store_reader_close(reader);
	return is_read ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
}
