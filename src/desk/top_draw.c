/* SPDX-License-Identifier: Apache-2.0
 *
 * top_draw: from numbers to lines of a given size. Pure.
 *
 * From above: a title, the counters as many on a line as fit, the incidents, the rates
 * of one kind (of several side by side where there is room), and what the keys do. When
 * lines are few, rates and incidents share what is left; incidents can be scrolled.
 */
#include "desk/top_pen.h"

#include "desk/text.h"

#include <stdio.h>

enum {
	WIDE_COLUMNS = 100,      /* from here on two blanks between columns */
	FIELD_GAP = 3,
	HELP_BYTES = 8 * 1024,
};

/* --- counters ------------------------------------------------------------------------ */

/* As many on a line as fit, on at most so many lines. Only counted when page is NULL. */
static size_t draw_fields(struct page *page, size_t columns, const struct top_field *fields, size_t count,
			  size_t lines_max)
{
	struct pen pen = { .columns = columns };
	size_t lines = 0;
	for (size_t i = 0; i < count; i++) {
		size_t width = text_columns(slice_from_str(fields[i].text));
		bool is_new = lines == 0 || pen.used + FIELD_GAP + width > columns;
		if (is_new && (lines == lines_max || (page && page_is_full(page))))
			return lines;
		lines += is_new;
		if (is_new)
			pen = page ? page_line(page) : (struct pen){ .columns = columns };
		if (!page) {
			pen.used += width + (is_new ? 0 : FIELD_GAP);
			continue;
		}
		pen_blanks(&pen, is_new ? 0 : FIELD_GAP);
		pen_text(&pen, fields[i].look, fields[i].text);
	}
	return lines;
}

static size_t trouble_fields(const struct top_state *state, struct top_field out[2])
{
	char span[TOP_WORD_BYTES];
	if (!state->trouble.text[0])
		return 0;
	out[0].look = out[1].look = TOP_ALARM;
	if (!state->has_numbers) {
		snprintf(out[0].text, TOP_FIELD_BYTES, "No answer from the daemon.");
		snprintf(out[1].text, TOP_FIELD_BYTES, "Trying again.");
		return 2;
	}
	snprintf(out[0].text, TOP_FIELD_BYTES, "No answer from the daemon.");
	snprintf(out[1].text, TOP_FIELD_BYTES, "Numbers are %s old; trying again.", top_span_text(state->age_ms, span));
	return 2;
}

static void draw_title(struct page *page, const struct top_state *state)
{
	const struct top_numbers *n = &state->numbers;
	char left[128], right[64], time[TEXT_TIME_BYTES] = "";
	struct pen pen = page_line(page);
	if (state->has_numbers)
		text_time(n->time_ms, time);
	char *zone = strlen(time) > 19 ? time + 19 : NULL; /* "2005-12-06 10:20:03 CET": the hour alone */
	if (zone)
		*zone = '\0';
	snprintf(right, sizeof right, "%s%s ", state->is_paused ? "PAUSED  " : "", zone ? time + 11 : "");
	snprintf(left, sizeof left, " quell top%s%s%s%s%s", n->mode[0] ? "  " : "",
		 n->is_connector ? "connector, " : "", n->mode, n->confirm[0] ? ", confirm " : "", n->confirm);
	size_t width = text_columns(slice_from_str(right));
	pen_cell(&pen, TOP_REVERSE, left, page->columns > width ? page->columns - width : 0, false, false);
	pen_look(&pen, TOP_REVERSE);
	pen_blanks(&pen, page->columns > pen.used + width ? page->columns - pen.used - width : 0);
	pen_cell(&pen, TOP_REVERSE, right, width, false, false);
}

/* --- incidents ------------------------------------------------------------------------ */

enum incident_column { IN_ID, IN_STATE, IN_CLASS, IN_COPIES, IN_SURPLUS, IN_WITHHELD, IN_DEFERRED, IN_AGO, IN_FROM,
		       IN_SUBJECT, IN_COUNT };

static const struct {
	const char *title;
	size_t columns;      /* the least, for those that grow */
	unsigned importance; /* 0: always there; the highest goes first */
	bool is_right;
} incident_columns[IN_COUNT] = {
	[IN_ID] = { "INCIDENT", 13, 0, false },     [IN_STATE] = { "STATE", 9, 0, false },
	[IN_CLASS] = { "CLASS", 9, 5, false },      [IN_COPIES] = { "COPIES", 7, 3, true },
	[IN_SURPLUS] = { "SURPLUS", 7, 1, true },   [IN_WITHHELD] = { "WITHHELD", 8, 2, true },
	[IN_DEFERRED] = { "DEFERRED", 8, 6, true }, [IN_AGO] = { "LAST", 6, 4, true },
	[IN_FROM] = { "FROM", 16, 7, false },       [IN_SUBJECT] = { "SUBJECT", 8, 0, false },
};
enum { FROM_COLUMNS_MAX = 34 };

static size_t gap_of(size_t columns)
{
	return columns >= WIDE_COLUMNS ? 2 : 1;
}

static size_t widths_sum(const size_t *widths, size_t gap)
{
	size_t sum = 0;
	for (size_t i = 0; i < IN_COUNT; i++)
		if (widths[i])
			sum += widths[i] + (sum ? gap : 0);
	return sum;
}

/* 0: left out. What is left over goes to the subject, and some of it to the sender. */
static void incident_widths(size_t columns, size_t widths[IN_COUNT])
{
	size_t gap = gap_of(columns);
	for (size_t i = 0; i < IN_COUNT; i++)
		widths[i] = incident_columns[i].columns;
	while (widths_sum(widths, gap) > columns) {
		size_t least = IN_COUNT;
		for (size_t i = 0; i < IN_COUNT; i++)
			if (widths[i] && incident_columns[i].importance > 0 &&
			    (least == IN_COUNT ||
			     incident_columns[i].importance > incident_columns[least].importance))
				least = i;
		if (least == IN_COUNT)
			return;
		widths[least] = 0;
	}
	size_t rest = columns - widths_sum(widths, gap), from = widths[IN_FROM] ? rest / 2 : 0;
	from = from < FROM_COLUMNS_MAX - incident_columns[IN_FROM].columns
		       ? from : FROM_COLUMNS_MAX - incident_columns[IN_FROM].columns;
	widths[IN_FROM] += widths[IN_FROM] ? from : 0;
	widths[IN_SUBJECT] += rest - (widths[IN_FROM] ? from : 0);
}

static enum top_look state_look(const char *state)
{
	if (strcmp(state, breaker_name(BREAKER_OPEN)) == 0)
		return TOP_ALARM;
	return strcmp(state, breaker_name(BREAKER_CLOSED)) == 0 ? TOP_PLAIN : TOP_WARN;
}

static const char *count_text(uint64_t count, char out[TOP_WORD_BYTES])
{
	return top_rate_text((double)count, out);
}

static void draw_incident(struct page *page, const size_t *widths, const struct top_incident *in, int64_t now_ms)
{
	char numbers[4][TOP_WORD_BYTES], ago[TOP_WORD_BYTES], cls[TOP_WORD_BYTES];
	const char *const texts[IN_COUNT] = {
		[IN_ID] = in->id,
		[IN_STATE] = in->state,
		[IN_CLASS] = top_class_text(in->cls, cls),
		[IN_COPIES] = count_text(in->copies, numbers[0]),
		[IN_SURPLUS] = count_text(in->surplus, numbers[1]),
		[IN_WITHHELD] = count_text(in->held + in->suppressed, numbers[2]),
		[IN_DEFERRED] = count_text(in->deferred, numbers[3]),
		[IN_AGO] = in->last_ms ? top_span_text(now_ms - in->last_ms, ago) : "-",
		[IN_FROM] = in->from[0] ? in->from : "-",
		[IN_SUBJECT] = in->subject[0] ? in->subject : "-",
	};
	struct pen pen = page_line(page);
	for (size_t i = 0; i < IN_COUNT; i++)
		if (widths[i]) {
			pen_blanks(&pen, pen.used ? gap_of(page->columns) : 0);
			pen_cell(&pen, i == IN_STATE ? state_look(in->state) : TOP_PLAIN, texts[i], widths[i],
				 incident_columns[i].is_right, i < IN_SUBJECT);
		}
}

static void draw_incident_titles(struct page *page, const size_t *widths)
{
	struct pen pen = page_line(page);
	for (size_t i = 0; i < IN_COUNT; i++)
		if (widths[i]) {
			pen_blanks(&pen, pen.used ? gap_of(page->columns) : 0);
			pen_cell(&pen, TOP_BOLD, incident_columns[i].title, widths[i], incident_columns[i].is_right,
				 i < IN_SUBJECT);
		}
}

static void draw_incidents_head(struct page *page, const struct top_state *state, size_t first, size_t rows)
{
	const struct top_numbers *n = &state->numbers;
	struct top_field fields[2] = { { TOP_PLAIN, "" } };
	char number[TEXT_NUMBER_BYTES];
	struct pen pen = page_line(page);
	snprintf(fields[0].text, TOP_FIELD_BYTES, "%s not closed", text_number(n->incidents_live, number));
	if (n->incident_count == 0)
		snprintf(fields[0].text, TOP_FIELD_BYTES, "none");
	else if (n->incidents_live == 0)
		snprintf(fields[0].text, TOP_FIELD_BYTES, "all closed; the last");
	if (rows > 0 && rows < n->incident_count)
		snprintf(fields[1].text, TOP_FIELD_BYTES, " (%zu to %zu of %zu)", first + 1, first + rows,
			 n->incident_count);
	pen_text(&pen, TOP_BOLD, "Incidents: ");
	pen_text(&pen, n->breakers_open ? TOP_ALARM : TOP_PLAIN, fields[0].text);
	pen_text(&pen, TOP_PLAIN, fields[1].text);
}

/* --- the whole page --------------------------------------------------------------------------- */

static const char *const help_lines[] = {
	"q          end",
	"Tab        rates of the next kind first; Shift-Tab: back",
	"Up, Down   one incident on or back; also k and j",
	"PgUp, PgDn a screen of incidents",
	"p          pause: the numbers stay as they are",
	"?          this help; again: back",
	"",
	"AN HOUR is what goes on now, USUAL what is usual at this hour of the week, once known.",
	"! marks what is far more than usual: it is told, never acted upon.",
	"quell incident ID tells all about an incident, quell release ID hands on what is held.",
};

static void draw_wrapped(struct page *page, enum top_look look, const char *text, size_t hang)
{
	struct buf wrapped;
	struct slice rest, line;
	buf_init(&wrapped, HELP_BYTES);
	text_wrap(&wrapped, slice_from_str(text), page->columns, hang);
	rest = buf_slice(&wrapped);
	while (slice_next(&rest, '\n', &line) && !page_is_full(page) && (line.len > 0 || rest.len > 0)) {
		struct pen pen = page_line(page);
		pen_look(&pen, look);
		pen_add(&pen, line);
	}
	buf_free(&wrapped);
}

static void draw_help(struct page *page)
{
	for (size_t i = 0; i < sizeof help_lines / sizeof help_lines[0] && !page_is_full(page); i++)
		if (help_lines[i][0])
			draw_wrapped(page, TOP_PLAIN, help_lines[i], page->columns >= 60 ? 11 : 2);
		else
			page->at++;
}

static void draw_keys(struct page *page, const struct top_state *state)
{
	static const struct top_field fields[] = {
		{ TOP_PLAIN, "q end" },        { TOP_PLAIN, "? help" }, { TOP_PLAIN, "p pause" },
		{ TOP_PLAIN, "Tab rates" },    { TOP_PLAIN, "arrows, PgUp, PgDn: incidents" },
	};
	static const struct top_field back[] = { { TOP_PLAIN, "? back" }, { TOP_PLAIN, "q end" } };
	if (state->want_help)
		draw_fields(page, page->columns, back, 2, 1);
	else
		draw_fields(page, page->columns, fields, sizeof fields / sizeof fields[0], 1);
}

/* How the lines below the counters are shared out. */
struct layout {
	size_t head, incidents, rates, first;
	bool has_gap; /* an empty line above each table */
};

/* On a low terminal the tables come first. */
static size_t field_lines(size_t lines)
{
	return lines / 3 > 0 ? lines / 3 : 1;
}

static struct layout layout_of(const struct top_state *state, size_t columns, size_t lines)
{
	struct top_field fields[TOP_FIELDS_MAX], trouble[2];
	struct layout l = { .head = 1 };
	l.head += draw_fields(NULL, columns, trouble, trouble_fields(state, trouble), 2);
	l.head += draw_fields(NULL, columns, fields, top_fields(&state->numbers, fields), field_lines(lines));
	size_t count = state->numbers.incident_count, want_rates = top_rate_rows(state, columns, 0);
	size_t fixed = l.head + 1 + 2 + 1; /* keys, titles of incidents (two) and rates */
	l.has_gap = lines >= fixed + 2 + 10;
	fixed += l.has_gap ? 2 : 0;
	size_t room = lines > fixed ? lines - fixed : 0, half = room / 2;
	l.rates = want_rates < half || count == 0 ? want_rates : half;
	l.rates = l.rates < room ? l.rates : room;
	l.incidents = count < room - l.rates ? count : room - l.rates;
	if (l.rates < want_rates) /* what incidents do not need */
		l.rates = want_rates < room - l.incidents ? want_rates : room - l.incidents;
	size_t last = count - l.incidents;
	l.first = state->scroll < last ? state->scroll : last;
	return l;
}

static void draw_body(struct page *page, const struct top_state *state, const struct layout *l)
{
	const struct top_numbers *n = &state->numbers;
	size_t widths[IN_COUNT];
	incident_widths(page->columns, widths);
	page->at += l->has_gap;
	if (page_is_full(page))
		return;
	draw_incidents_head(page, state, l->first, l->incidents);
	if (l->incidents > 0 && !page_is_full(page))
		draw_incident_titles(page, widths);
	for (size_t i = 0; i < l->incidents && !page_is_full(page); i++)
		draw_incident(page, widths, &n->incidents[l->first + i], n->time_ms);
	page->at += l->has_gap;
	top_draw_rates(page, state, l->rates);
}

static size_t columns_of(size_t columns)
{
	return columns < TOP_COLUMNS_MIN ? TOP_COLUMNS_MIN : columns > TOP_COLUMNS_MAX ? TOP_COLUMNS_MAX : columns;
}

void top_lines(const struct top_state *state, size_t columns, size_t lines, struct top_line *lines_out)
{
	struct top_field fields[TOP_FIELDS_MAX], trouble[2];
	lines = lines < TOP_LINES_MAX ? lines : TOP_LINES_MAX;
	columns = columns_of(columns);
	for (size_t i = 0; i < lines; i++) {
		lines_out[i].len = lines_out[i].mark_count = 0;
		lines_out[i].text[0] = '\0';
	}
	if (lines == 0)
		return;
	/* The last line is for the keys. */
	struct page page = { .lines = lines_out, .count = lines > 1 ? lines - 1 : 1, .columns = columns };
	struct layout l = layout_of(state, columns, lines);
	draw_title(&page, state);
	draw_fields(&page, columns, trouble, trouble_fields(state, trouble), 2);
	if (!state->has_numbers && state->trouble.text[0])
		draw_wrapped(&page, TOP_PLAIN, state->trouble.text, 0);
	if (state->want_help) {
		page.at++;
		draw_help(&page);
	} else if (state->has_numbers) {
		draw_fields(&page, columns, fields, top_fields(&state->numbers, fields), field_lines(lines));
		draw_body(&page, state, &l);
	}
	page.at = lines - 1;
	page.count = lines;
	if (lines > 1)
		draw_keys(&page, state);
}

bool top_press(struct top_state *state, enum top_key key, size_t columns, size_t lines)
{
	struct layout l = layout_of(state, columns_of(columns), lines);
	size_t last = state->numbers.incident_count - l.incidents, page = l.incidents > 1 ? l.incidents - 1 : 1;
	size_t at = l.first;
	switch (key) {
	case TOP_KEY_UP: at -= at > 0; break;
	case TOP_KEY_DOWN: at++; break;
	case TOP_KEY_PAGE_UP: at -= at < page ? at : page; break;
	case TOP_KEY_PAGE_DOWN: at += page; break;
	case TOP_KEY_KIND: state->kind = (state->kind + 1) % RATE_KIND_COUNT; break;
	case TOP_KEY_KIND_BACK: state->kind = (state->kind + RATE_KIND_COUNT - 1) % RATE_KIND_COUNT; break;
	case TOP_KEY_PAUSE: state->is_paused = !state->is_paused; break;
	case TOP_KEY_HELP: state->want_help = !state->want_help; break;
	case TOP_KEY_QUIT: return false;
	case TOP_KEY_NONE: break;
	}
	state->scroll = at < last ? at : last;
	return true;
}
