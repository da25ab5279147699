/* SPDX-License-Identifier: Apache-2.0
 *
 * report_text: what a survey found, for one who sits at a terminal and has a minute.
 *
 * Tables hold the short things and may be cut to the terminal; all that one needs whole
 * (names, addresses, evidence, what to do) stands below them in lines that are wrapped.
 * The chart is plain ASCII: it must also look right in a mail and in a log.
 */
#include "desk/report.h"

#include "desk/table.h"
#include "desk/text.h"

#include <inttypes.h>

enum {
	TEXT_INCIDENTS_MAX = 10, /* told in full; the others are rows of a table */
	TEXT_EVIDENCE_MAX = 3, /* lines for one server */
	CHART_ROWS = 5,
	CHART_LEFT = 12, /* columns of its numbers */
};

static void heading(struct desk *desk, const char *text)
{
	fputs(desk_colour(desk, DESK_BOLD), desk->out);
	desk_wrap(desk, 2, "%s", text);
	fputs(desk_colour(desk, DESK_PLAIN), desk->out);
}

/* --- copies over time ------------------------------------------------------ */

struct chart {
	unsigned count, bins; /* bars, and the bins in them */
	uint64_t copies[TRACE_BINS], surplus[TRACE_BINS], most;
};

/* As many bars as there is room for: neighbours are added up. */
static void chart_make(const struct trace_incident *trace, size_t columns, struct chart *chart)
{
	unsigned used = TRACE_BINS, room = columns == 0 || columns > TRACE_BINS + CHART_LEFT ? TRACE_BINS
					   : columns > CHART_LEFT + 8 ? (unsigned)columns - CHART_LEFT - 1
								      : 8;
	*chart = (struct chart){ .most = 1 };
	while (used > 1 && trace->bins[used - 1].copies == 0)
		used--;
	unsigned each = (used + room - 1) / room;
	for (unsigned i = 0; i < used; i++) {
		uint32_t surplus = trace->bins[i].surplus, copies = trace->bins[i].copies;
		chart->copies[i / each] += copies;
		chart->surplus[i / each] += surplus < copies ? surplus : copies;
	}
	chart->count = (used + each - 1) / each;
	chart->bins = used;
	for (unsigned i = 0; i < chart->count; i++)
		chart->most = chart->copies[i] > chart->most ? chart->copies[i] : chart->most;
}

/* The lowest row shows whatever is not nothing. */
static char chart_mark(const struct chart *chart, unsigned bar, unsigned row)
{
	double level = (double)chart->most * row / CHART_ROWS;
	uint64_t copies = chart->copies[bar], first = copies - chart->surplus[bar];
	if ((double)copies <= level)
		return ' ';
	return (double)first > level ? 'o' : '#';
}

static void chart_print(struct desk *desk, const struct trace_incident *trace)
{
	struct chart chart;
	char number[TEXT_NUMBER_BYTES], from[TEXT_TIME_BYTES], span[REPORT_WORDS_BYTES];
	if (!report_has_times(trace))
		return;
	chart_make(trace, desk->columns, &chart);
	desk_wrap(desk, 2, "  Copies over %s from %s (# surplus, o first copies)",
		  report_span(trace->bin_ms * chart.bins, span), text_time(trace->bins_from_ms, from));
	for (unsigned row = CHART_ROWS; row-- > 0;) {
		char bars[TRACE_BINS + 1];
		unsigned len = 0;
		for (unsigned i = 0; i < chart.count; i++) {
			bars[i] = chart_mark(&chart, i, row);
			len = bars[i] != ' ' ? i + 1 : len;
		}
		bars[len] = '\0';
		fprintf(desk->out, "%*s |%s\n", CHART_LEFT - 2,
			row == CHART_ROWS - 1 ? text_number(chart.most, number) : "", bars);
	}
	fprintf(desk->out, "%*s +", CHART_LEFT - 2, "0");
	for (unsigned i = 0; i < chart.count; i++)
		fputc('-', desk->out);
	fputs("\n\n", desk->out);
}

/* --- the servers ----------------------------------------------------------- */

/* SERVER is always there; of the others those that say something. */
enum column {
	COLUMN_SERVER,
	COLUMN_ADDRESS,
	COLUMN_DOMAIN,
	COLUMN_COPIES,
	COLUMN_BLAMED,
	COLUMN_SURE,
	COLUMN_SENDS,
	COLUMN_MAKES,
	COLUMN_PRODUCT,
	COLUMN_COUNT
};

static const struct table_column server_columns[COLUMN_COUNT] = {
	[COLUMN_SERVER] = { "SERVER", 12, 0, false },	[COLUMN_ADDRESS] = { "ADDRESS", 0, 5, false },
	[COLUMN_DOMAIN] = { "ORGANISATION", 12, 6, false }, [COLUMN_COPIES] = { "COPIES", 10, 0, true },
	[COLUMN_BLAMED] = { "BLAMED", 0, 4, true },	[COLUMN_SURE] = { "SURE", 0, 0, true },
	[COLUMN_SENDS] = { "SENDS", 0, 2, false },	[COLUMN_MAKES] = { "MAKES", 0, 3, true },
	[COLUMN_PRODUCT] = { "PRODUCT", 10, 7, false },
};

static const char *cell_text(const struct trace_incident *trace, unsigned i, unsigned column,
			     char out[REPORT_WORDS_BYTES])
{
	const struct party *party = &trace->incident.parties[i];
	char text[IP_TEXT_BYTES + TEXT_NUMBER_BYTES];
	switch ((enum column)column) {
	case COLUMN_SERVER: return report_party_name(party, out);
	case COLUMN_ADDRESS: return party->address_count ? ip_text(party->addresses[0], out) : "";
	case COLUMN_DOMAIN: return report_party_domain(party, out);
	case COLUMN_COPIES: snprintf(out, REPORT_WORDS_BYTES, "%s", text_number(party->copies, text)); return out;
	case COLUMN_BLAMED: snprintf(out, REPORT_WORDS_BYTES, "%s", text_number(party->blame, text)); return out;
	case COLUMN_SURE: return report_percent(party->confidence, out);
	case COLUMN_SENDS: return report_period(party->period_ms, out);
	case COLUMN_MAKES: return report_factor(trace->parties[i].amplification, "x", out);
	case COLUMN_PRODUCT: return party->product;
	case COLUMN_COUNT: break;
	}
	return "";
}

static bool has_column(const struct trace_incident *trace, enum party_role role, unsigned column)
{
	char text[REPORT_WORDS_BYTES];
	for (unsigned i = 0; i < report_party_count(trace); i++)
		if (trace->incident.parties[i].role == role && cell_text(trace, i, column, text)[0])
			return true;
	return false;
}

static void table_servers(struct desk *desk, const struct trace_incident *trace, enum party_role role,
			  const char *title)
{
	struct table table;
	struct table_column columns[COLUMN_COUNT];
	unsigned which[COLUMN_COUNT], count = 0;
	char text[TEXT_SAFE_BYTES];
	if (report_role_count(trace, role) == 0)
		return;
	snprintf(text, sizeof text, "%s: %s", title, report_role_words(trace->incident.cls, role));
	heading(desk, text);
	for (unsigned c = 0; c < COLUMN_COUNT; c++) {
		if (c != COLUMN_SERVER && !has_column(trace, role, c))
			continue;
		columns[count] = server_columns[c];
		which[count++] = c;
	}
	table_begin(&table, desk->out, columns, count, desk->columns, desk->want_colour);
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		for (unsigned c = 0; trace->incident.parties[i].role == role && c < count; c++) {
			const char *cell = cell_text(trace, i, which[c], text);
			table_cell(&table, slice_from_str(cell[0] ? cell : "-"));
		}
	}
	table_end(&table);
	fputc('\n', desk->out);
}

static void list_parties(struct desk *desk, const struct trace_incident *trace, enum party_role role,
			 const char *title)
{
	char text[TEXT_SAFE_BYTES], name[REPORT_WORDS_BYTES], addresses[REPORT_WORDS_BYTES],
		count[REPORT_WORDS_BYTES];
	if (report_role_count(trace, role) == 0)
		return;
	snprintf(text, sizeof text, "%s: %s", title, report_role_words(trace->incident.cls, role));
	heading(desk, text);
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		const struct party *party = &trace->incident.parties[i];
		if (party->role != role)
			continue;
		text_safe_str(report_party_name(party, name), text);
		report_party_addresses(party, addresses);
		bool has_more = addresses[0] && strcmp(addresses, name) != 0;
		desk_wrap(desk, 2, "  %s%s%s%s, %s", text, has_more ? " (" : "", has_more ? addresses : "",
			  has_more ? ")" : "", report_count(party->copies, "copy", "copies", count));
	}
	fputc('\n', desk->out);
}

static void list_innocents(struct desk *desk, const struct trace_incident *trace)
{
	char who[TEXT_SAFE_BYTES], why[TEXT_SAFE_BYTES];
	if (trace->innocent_count == 0)
		return;
	heading(desk, "Innocent: do not block, do not blame");
	for (unsigned i = 0; i < trace->innocent_count && i < TRACE_INNOCENT_MAX; i++)
		desk_wrap(desk, 2, "  %s: %s", text_safe_str(trace->innocents[i].address, who),
			  text_safe_str(trace->innocents[i].why, why));
	fputc('\n', desk->out);
}

/* The name, and in parentheses what else tells which server it is. */
static void evidence_head(struct desk *desk, const struct party *party)
{
	char text[TEXT_SAFE_BYTES], product[TEXT_SAFE_BYTES], name[REPORT_WORDS_BYTES],
		addresses[REPORT_WORDS_BYTES];
	report_party_addresses(party, addresses);
	report_party_name(party, name);
	if (strcmp(name, addresses) == 0)
		addresses[0] = '\0';
	desk_wrap(desk, 2, "  %s%s%s%s%s%s", text_safe_str(name, text), addresses[0] ? " (" : "", addresses,
		  addresses[0] ? ")" : "", party->product[0] ? ", " : "",
		  text_safe_str(party->product, product));
}

static void list_evidence(struct desk *desk, const struct trace_incident *trace)
{
	char text[TEXT_SAFE_BYTES];
	if (report_role_count(trace, PARTY_GUILTY) == 0)
		return;
	heading(desk, "Evidence");
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		const struct party *party = &trace->incident.parties[i];
		if (party->role != PARTY_GUILTY)
			continue;
		evidence_head(desk, party);
		for (unsigned k = 0; k < party->evidence_count && k < TEXT_EVIDENCE_MAX; k++)
			desk_wrap(desk, 2, "    - %s", text_safe_str(party->evidence[k], text));
		for (unsigned k = 0; k < party->claim_count && k < 1; k++)
			desk_wrap(desk, 2, "    - says of itself (a claim): %s",
				  text_safe_str(party->claims[k], text));
	}
	fputc('\n', desk->out);
}

/* --- one incident ---------------------------------------------------------- */

struct advice_list {
	struct desk *desk;
	unsigned number;
};

static void advice_line(void *ctx, const char *line)
{
	struct advice_list *list = ctx;
	desk_wrap(list->desk, 3, "  %u. %s", ++list->number, line);
}

static void incident_head(struct desk *desk, const struct trace_incident *trace)
{
	const struct incident *incident = &trace->incident;
	char text[TEXT_SAFE_BYTES], amount[REPORT_WORDS_BYTES], rate[REPORT_WORDS_BYTES], span[REPORT_WORDS_BYTES];
	char first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];
	snprintf(text, sizeof text, "%s %s: %s", report_class_title(incident->cls), incident->id,
		 report_class_words(incident->cls));
	heading(desk, text);
	desk_wrap(desk, 10, "  Subject   %s",
		  text_safe_str(incident->subject[0] ? incident->subject : "(none)", text));
	desk_wrap(desk, 10, "  From      %s (the visible author, who is not blamed)",
		  text_safe_str(incident->from[0] ? incident->from : "-", text));
	bool is_moment = incident->last_ms == incident->first_ms;
	desk_wrap(desk, 10, "  When      %s%s%s%s%s", text_time(incident->first_ms, first), is_moment ? "" : " to ",
		  is_moment ? "" : text_time(incident->last_ms, last), is_moment ? "" : ", ",
		  is_moment ? "" : report_span(incident->last_ms - incident->first_ms, span));
	report_rate(trace, rate);
	desk_wrap(desk, 10, "  How many  %s%s%s", report_amount(trace, amount), rate[0] ? "; " : "", rate);
	fputc('\n', desk->out);
	chart_print(desk, trace);
}

static void incident_full(struct desk *desk, const struct trace_incident *trace)
{
	struct advice_list advice = { .desk = desk };
	incident_head(desk, trace);
	table_servers(desk, trace, PARTY_GUILTY, "Guilty");
	heading(desk, "What to do next");
	report_advice(trace, advice_line, &advice);
	fputc('\n', desk->out);
	table_servers(desk, trace, PARTY_SUSPECT, "Suspects");
	list_parties(desk, trace, PARTY_ENTRY, "Entries");
	list_parties(desk, trace, PARTY_FORWARDER, "Forwarders");
	list_innocents(desk, trace);
	list_evidence(desk, trace);
	if (trace->incident.parties_forgotten > 0)
		desk_wrap(desk, 2, "%u more servers with fewer copies are not shown.",
			  trace->incident.parties_forgotten);
	if (trace->is_cut)
		desk_wrap(desk, 2,
			  "There were too many ways to keep them all: the numbers are right, but servers may "
			  "be missing.");
}

/* --- all of it ------------------------------------------------------------- */

static const struct table_column more_columns[] = {
	{ "ID", 0, 3, false },	   { "CLASS", 0, 2, false }, { "COPIES", 10, 0, true },
	{ "SURPLUS", 0, 1, true }, { "GUILTY", 0, 0, true }, { "SUBJECT", 8, 0, false },
};

static void list_more(struct desk *desk, const struct survey *survey)
{
	struct table table;
	char number[TEXT_NUMBER_BYTES];
	if (survey->incident_count <= TEXT_INCIDENTS_MAX)
		return;
	heading(desk, "More storms, smaller ones (--json and --html tell all of them)");
	table_begin(&table, desk->out, more_columns, sizeof more_columns / sizeof more_columns[0],
		    desk->columns, desk->want_colour);
	for (size_t i = TEXT_INCIDENTS_MAX; i < survey->incident_count; i++) {
		const struct trace_incident *trace = survey->incidents[i];
		table_cell(&table, slice_from_str(trace->incident.id));
		table_cell(&table, slice_from_str(storm_class_name(trace->incident.cls)));
		table_cell(&table, slice_from_str(text_number(trace->incident.copies, number)));
		table_cell(&table, slice_from_str(text_number(trace->incident.surplus, number)));
		table_cellf(&table, "%u", report_role_count(trace, PARTY_GUILTY));
		table_cell(&table, slice_from_str(trace->incident.subject[0] ? trace->incident.subject : "-"));
	}
	table_end(&table);
}

static void list_hosts(struct buf *out, const char hosts[][SURVEY_HOST_BYTES], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		buf_add_str(out, i ? ", " : "");
		text_safe(out, slice_from_str(hosts[i]));
	}
}

static void say_learnt(struct desk *desk, const struct survey *survey)
{
	struct buf hosts;
	if (survey->learnt_count == 0)
		return;
	buf_init(&hosts, 16 * 1024);
	list_hosts(&hosts, survey->learnt, survey->learnt_count);
	desk_wrap(desk, 2,
		  "Note: these relays are believed, since they have handed us so much mail of so many "
		  "people for so long: %s.",
		  buf_str(&hosts));
	buf_free(&hosts);
}

static void say_guess(struct desk *desk, const struct survey *survey)
{
	struct buf hosts;
	if (!survey->is_guessed)
		return;
	buf_init(&hosts, 16 * 1024);
	list_hosts(&hosts, survey->our_hosts, survey->our_host_count);
	if (hosts.len)
		desk_wrap(desk, 2,
			  "Note: which servers are ours was guessed from the topmost Received lines: %s. If "
			  "that is wrong, say which they are with --our HOST.",
			  buf_str(&hosts));
	else
		desk_wrap(desk, 2,
			  "Note: no server could be told to be ours, so no Received line is proof. Say which "
			  "are ours with --our HOST.");
	buf_free(&hosts);
}

static void say_head(struct desk *desk, const struct report *report)
{
	const struct survey *survey = report->survey;
	char mails[REPORT_WORDS_BYTES], files[REPORT_WORDS_BYTES], storms[REPORT_WORDS_BYTES],
		guilty[REPORT_WORDS_BYTES];
	char first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];
	report_count(report->files, "file", "files", files);
	desk_wrap(desk, 2, "%s%s%s%s%s%s%s: %s, %s.", report_count(survey->messages, "mail", "mails", mails),
		  report->files ? " in " : "", report->files ? files : "", survey->first_ms ? ", " : "",
		  survey->first_ms ? text_time(survey->first_ms, first) : "", survey->first_ms ? " to " : "",
		  survey->first_ms ? text_time(survey->last_ms, last) : "",
		  report_count(survey->incident_count + survey->incidents_forgotten, "storm", "storms", storms),
		  report_count(report_guilty_count(survey), "guilty server", "guilty servers", guilty));
	if (survey->unparsable)
		desk_wrap(desk, 2, "%s with no header line that can be read.",
			  report_count(survey->unparsable, "mail", "mails", mails));
	if (survey->incident_count == 0)
		return;
	say_guess(desk, survey);
	say_learnt(desk, survey);
}

void report_text(struct desk *desk, const struct report *report)
{
	const struct survey *survey = report->survey;
	say_head(desk, report);
	for (size_t i = 0; i < survey->incident_count && i < TEXT_INCIDENTS_MAX; i++) {
		fputc('\n', desk->out);
		incident_full(desk, survey->incidents[i]);
	}
	list_more(desk, survey);
	if (survey->incidents_forgotten > 0)
		desk_wrap(desk, 2, "And %" PRIu64 " storms more, with fewer surplus copies than these.",
			  survey->incidents_forgotten);
}
