/* SPDX-License-Identifier: Apache-2.0
 *
 * report_html: one page that can be sent: nothing in it runs, and nothing is fetched.
 * It reads from the top: what, how many, who, what to do; then the pictures, then what
 * it rests on. Well-formed XML besides, so that tools can read it.
 */
#include "desk/report.h"
#include "desk/report_style.h"

#include "desk/text.h"

static void tag(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "<%s>", name);
	mark_str(out, text);
	buf_addf(out, "</%s>", name);
}

/* A row of a list of facts; nothing for an empty value. */
static void fact(struct buf *out, const char *name, const char *value)
{
	if (!value[0])
		return;
	buf_addf(out, "<div><dt>%s</dt><dd><bdi>", name);
	mark_str(out, value);
	buf_add_str(out, "</bdi></dd></div>\n");
}

/* --- tables of servers ----------------------------------------------------- */

enum column {
	COLUMN_SERVER,
	COLUMN_DOMAIN,
	COLUMN_COPIES,
	COLUMN_BLAME,
	COLUMN_SURE,
	COLUMN_PERIOD,
	COLUMN_FACTOR,
	COLUMN_COUNT
};

static const struct {
	const char *title;
	bool is_number, is_guilt; /* guilt: nothing to say of entries and forwarders */
} columns[] = {
	[COLUMN_SERVER] = { "Server", false, false },
	[COLUMN_DOMAIN] = { "Organisation, product", false, false },
	[COLUMN_COPIES] = { "Copies", true, false },
	[COLUMN_BLAME] = { "Blamed", true, true },
	[COLUMN_SURE] = { "How sure", true, true },
	[COLUMN_PERIOD] = { "Sends", false, false },
	[COLUMN_FACTOR] = { "Made of each", true, true },
};

static const char *cell_text(const struct trace_incident *trace, unsigned i, enum column column,
			     char out[REPORT_WORDS_BYTES])
{
	const struct party *party = &trace->incident.parties[i];
	char number[TEXT_NUMBER_BYTES];
	switch (column) {
	case COLUMN_SERVER: return report_party_name(party, out);
	case COLUMN_DOMAIN: return report_party_domain(party, out);
	case COLUMN_COPIES:
		snprintf(out, REPORT_WORDS_BYTES, "%s", text_number(party->copies, number));
		return out;
	case COLUMN_BLAME:
		snprintf(out, REPORT_WORDS_BYTES, "%s", text_number(party->blame, number));
		return out;
	case COLUMN_SURE: return report_percent(party->confidence, out);
	case COLUMN_PERIOD: return report_period(party->period_ms, out);
	case COLUMN_FACTOR: return report_factor(trace->parties[i].amplification, "\xc3\x97", out);
	case COLUMN_COUNT: break;
	}
	return "";
}

/* Columns that say nothing in any row are left out. */
static bool has_column(const struct trace_incident *trace, enum party_role role, enum column column)
{
	char text[REPORT_WORDS_BYTES];
	if (columns[column].is_guilt && role != PARTY_GUILTY && role != PARTY_SUSPECT)
		return false;
	for (unsigned i = 0; i < report_party_count(trace); i++)
		if (trace->incident.parties[i].role == role && cell_text(trace, i, column, text)[0])
			return true;
	return false;
}

/* A second line of a cell; nothing for an empty text. */
static void quiet_line(struct buf *out, const char *text)
{
	if (!text[0])
		return;
	buf_add_str(out, "<span class=\"quiet second\"><bdi>");
	mark_str(out, text);
	buf_add_str(out, "</bdi></span>");
}

static void server_cell(struct buf *out, const struct party *party)
{
	char name[REPORT_WORDS_BYTES], addresses[REPORT_WORDS_BYTES];
	buf_add_str(out, "<th scope=\"row\"><bdi>");
	mark_str(out, report_party_name(party, name));
	buf_add_str(out, "</bdi>");
	report_party_addresses(party, addresses);
	quiet_line(out, strcmp(addresses, name) != 0 ? addresses : "");
	buf_add_str(out, "</th>");
}

static void table_row(struct buf *out, const struct trace_incident *trace, unsigned i,
		      const bool has[COLUMN_COUNT])
{
	char text[REPORT_WORDS_BYTES];
	buf_add_str(out, "<tr>");
	server_cell(out, &trace->incident.parties[i]);
	for (unsigned c = COLUMN_DOMAIN; c < COLUMN_COUNT; c++) {
		if (!has[c])
			continue;
		const char *value = cell_text(trace, i, (enum column)c, text);
		buf_addf(out, "<td data-label=\"%s\"%s><span><bdi>", columns[c].title,
			 columns[c].is_number ? " class=\"number\""
			 : c == COLUMN_DOMAIN ? " class=\"name\""
					      : " class=\"short\"");
		mark_str(out, value[0] ? value : "\xe2\x80\x93");
		buf_add_str(out, "</bdi>");
		if (c == COLUMN_DOMAIN)
			quiet_line(out, trace->incident.parties[i].product);
		buf_add_str(out, "</span></td>");
	}
	buf_add_str(out, "</tr>\n");
}

static void table_of_servers(struct buf *out, const struct trace_incident *trace, enum party_role role,
			     const char *caption)
{
	bool has[COLUMN_COUNT];
	if (report_role_count(trace, role) == 0)
		return;
	buf_addf(out, "<div class=\"table\"><table class=\"servers\"><caption>%s: %s</caption>\n<thead><tr>",
		 caption, report_role_words(trace->incident.cls, role));
	for (unsigned c = 0; c < COLUMN_COUNT; c++) {
		has[c] = c == COLUMN_SERVER || has_column(trace, role, (enum column)c);
		if (has[c])
			buf_addf(out, "<th scope=\"col\"%s>%s</th>",
				 columns[c].is_number ? " class=\"number\"" : "", columns[c].title);
	}
	buf_add_str(out, "</tr></thead>\n<tbody>\n");
	for (unsigned i = 0; i < report_party_count(trace); i++)
		if (trace->incident.parties[i].role == role)
			table_row(out, trace, i, has);
	buf_add_str(out, "</tbody></table></div>\n");
}

static void table_of_innocents(struct buf *out, const struct trace_incident *trace)
{
	if (trace->innocent_count == 0)
		return;
	buf_add_str(out, "<div class=\"table\"><table class=\"servers\"><caption>Innocent: do not block, do "
			 "not blame</caption>\n<thead><tr><th scope=\"col\">Who</th><th "
			 "scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
	for (unsigned i = 0; i < trace->innocent_count && i < TRACE_INNOCENT_MAX; i++) {
		buf_add_str(out, "<tr><th scope=\"row\"><bdi>");
		mark_str(out, trace->innocents[i].address);
		buf_add_str(out, "</bdi></th><td data-label=\"Why\" class=\"name\"><bdi>");
		mark_str(out, trace->innocents[i].why);
		buf_add_str(out, "</bdi></td></tr>\n");
	}
	buf_add_str(out, "</tbody></table></div>\n");
}

/* --- evidence ------------------------------------------------------------- */

static void evidence_words(struct buf *out, const struct trace_incident *trace)
{
	char name[REPORT_WORDS_BYTES];
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		const struct party *party = &trace->incident.parties[i];
		bool is_told = (party->role == PARTY_GUILTY || party->role == PARTY_SUSPECT) &&
			       party->evidence_count + party->claim_count > 0;
		if (!is_told)
			continue;
		buf_add_str(out, "<h4><bdi>");
		mark_str(out, report_party_name(party, name));
		buf_add_str(out, "</bdi></h4>\n<ul>\n");
		for (unsigned k = 0; k < party->evidence_count && k < PARTY_EVIDENCE_MAX; k++)
			tag(out, "li", party->evidence[k]);
		for (unsigned k = 0; k < party->claim_count && k < PARTY_CLAIMS_MAX; k++) {
			buf_add_str(out, "<li class=\"quiet\">it says of itself (a claim): <bdi>");
			mark_str(out, party->claims[k]);
			buf_add_str(out, "</bdi></li>");
		}
		buf_add_str(out, "</ul>\n");
	}
}

static void sample(struct buf *out, const struct trace_incident *trace, const struct trace_sample *s)
{
	char name[REPORT_WORDS_BYTES], when[REPORT_WORDS_BYTES];
	const struct party *party = report_party(trace, s->party);
	buf_add_str(out, "<figure class=\"sample\"><figcaption>");
	if (party) {
		buf_add_str(out, "A copy that speaks against <bdi>");
		mark_str(out, report_party_name(party, name));
		buf_add_str(out, "</bdi>");
	} else {
		buf_add_str(out, trace->incident.cls == STORM_LOOP ? "The way of the mail" : "The first copy");
	}
	buf_addf(out, ", reached us %s", report_utc(s->time_ms, when));
	buf_add_str(out, s->recipient[0] ? " for <bdi>" : "");
	mark_str(out, s->recipient);
	buf_add_str(out, s->recipient[0] ? "</bdi>" : "");
	buf_add_str(out, "<br/><span class=\"quiet\"><bdi>");
	mark_str(out, s->place);
	buf_add_str(out, "</bdi>; Received, newest first</span></figcaption><ol>\n");
	for (unsigned i = 0; i < s->hop_count && i < TRACE_SAMPLE_HOPS; i++)
		tag(out, "li", s->hops[i]);
	buf_add_str(out, "</ol></figure>\n");
}

static void evidence(struct buf *out, const struct trace_incident *trace)
{
	buf_add_str(out, "<h3>What this rests on</h3>\n");
	evidence_words(out, trace);
	if (trace->is_cut)
		buf_add_str(out, "<p class=\"note\">There were too many ways to keep them all: the numbers are "
				 "right, the picture does not show every server.</p>\n");
	if (trace->sample_count > 0)
		buf_add_str(out, "<h4>Header lines</h4>\n");
	for (unsigned i = 0; i < trace->sample_count && i < TRACE_SAMPLES_MAX; i++)
		sample(out, trace, &trace->samples[i]);
	if (trace->incident.message_id_count > 0)
		buf_add_str(out, "<h4>Message-IDs seen (the first ones)</h4>\n<ul class=\"ids\">\n");
	for (unsigned i = 0; i < trace->incident.message_id_count && i < INCIDENT_IDS_MAX; i++)
		tag(out, "li", trace->incident.message_ids[i]);
	if (trace->incident.message_id_count > 0)
		buf_add_str(out, "</ul>\n");
}

/* --- one incident ---------------------------------------------------------- */

static void advice_item(void *ctx, const char *line)
{
	tag(ctx, "li", line);
	buf_add_byte(ctx, '\n');
}

static void facts_list(struct buf *out, const struct trace_incident *trace)
{
	const struct incident *incident = &trace->incident;
	char text[REPORT_WORDS_BYTES];
	bool is_moment = incident->last_ms <= incident->first_ms;
	buf_add_str(out, "<dl class=\"facts\">\n");
	fact(out, "Subject", incident->subject[0] ? incident->subject : "(none)");
	fact(out, "Visible author, not to blame", incident->from[0] ? incident->from : "(none)");
	fact(out, "How many", report_amount(trace, text));
	fact(out, "How fast", report_rate(trace, text));
	fact(out, is_moment ? "Seen" : "First seen", report_utc(incident->first_ms, text));
	fact(out, "Last seen", is_moment ? "" : report_utc(incident->last_ms, text));
	fact(out, "How long", is_moment ? "" : report_span(incident->last_ms - incident->first_ms, text));
	buf_add_str(out, "</dl>\n");
}

static bool has_factor(const struct trace_incident *trace)
{
	for (unsigned i = 0; i < trace->edge_count && i < TRACE_EDGES_MAX; i++)
		if (trace->edges[i].amplification > 0)
			return true;
	return false;
}

static void picture(struct buf *out, struct slice svg, const char *caption, const char *more)
{
	if (svg.len == 0)
		return;
	buf_add_str(out, "<figure class=\"picture\"><div class=\"wide\">");
	buf_add(out, svg);
	buf_addf(out, "</div><figcaption>%s%s</figcaption></figure>\n", caption, more);
}

static void pictures(struct buf *out, const struct trace_incident *trace)
{
	struct buf graph, time;
	buf_init(&graph, REPORT_BYTES_MAX);
	buf_init(&time, REPORT_BYTES_MAX);
	double width = report_graph_svg(trace, &graph);
	report_time_svg(trace, width, &time);
	if (graph.len + time.len > 0)
		buf_add_str(out, "<h3>How it spread</h3>\n");
	picture(out, buf_slice(&graph),
		"From where the mail began, on the left, to our mailbox on the right. A line is as thick as "
		"much mail went over it.",
		has_factor(trace) ? " \xc3\x97 at a guilty server: what it made of each copy that came in."
				  : "");
	picture(out, buf_slice(&time), "Copies as they reached us. Times are UTC.", "");
	out->is_over = out->is_over || graph.is_over || time.is_over;
	buf_free(&graph);
	buf_free(&time);
}

static void others(struct buf *out, const struct trace_incident *trace)
{
	unsigned forgotten = trace->incident.parties_forgotten;
	unsigned count =
		report_party_count(trace) - report_role_count(trace, PARTY_GUILTY) + trace->innocent_count;
	if (count + forgotten == 0)
		return;
	buf_add_str(out, "<h3>Who else</h3>\n");
	table_of_servers(out, trace, PARTY_SUSPECT, "Suspects");
	table_of_servers(out, trace, PARTY_ENTRY, "Entries");
	table_of_servers(out, trace, PARTY_FORWARDER, "Forwarders");
	table_of_innocents(out, trace);
	if (forgotten > 0)
		buf_addf(out, "<p class=\"note\">%u more servers with fewer copies are not shown.</p>\n",
			 forgotten);
}

static void incident_section(struct buf *out, const struct trace_incident *trace, size_t number)
{
	const struct incident *incident = &trace->incident;
	buf_addf(out, "<section class=\"incident\" id=\"i%zu\">\n<h2>%s <small>", number,
		 report_class_title(incident->cls));
	mark_str(out, incident->id);
	buf_addf(out, "</small></h2>\n<p>Here %s.</p>\n", report_class_words(incident->cls));
	facts_list(out, trace);
	buf_add_str(out, "<h3>Who</h3>\n");
	if (report_role_count(trace, PARTY_GUILTY) == 0)
		buf_add_str(out, "<p class=\"note\">No server can be named as guilty with enough "
				 "certainty.</p>\n");
	table_of_servers(out, trace, PARTY_GUILTY, "Guilty");
	buf_add_str(out, "<h3>What to do next</h3>\n<ol class=\"advice\">\n");
	report_advice(trace, advice_item, out);
	buf_add_str(out, "</ol>\n");
	pictures(out, trace);
	others(out, trace);
	evidence(out, trace);
	buf_add_str(out, "</section>\n");
}

/* --- the page --------------------------------------------------------------- */

static void summary_hosts(struct buf *out, const char hosts[][SURVEY_HOST_BYTES], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		buf_add_str(out, i ? ", <bdi>" : "<bdi>");
		mark_str(out, hosts[i]);
		buf_add_str(out, "</bdi>");
	}
}

static void summary_guess(struct buf *out, const struct survey *survey)
{
	if (!survey->is_guessed)
		return;
	buf_add_str(out, "<p class=\"note\"><strong>Which servers are ours was guessed</strong> from the "
			 "topmost Received lines: ");
	summary_hosts(out, survey->our_hosts, survey->our_host_count);
	buf_add_str(out, survey->our_host_count ? "" : "none was found");
	buf_add_str(out, ". If that is wrong, say which they are with <span class=\"whole\">--our HOST</span> "
			 "and trace again.</p>\n");
}

static void summary_learnt(struct buf *out, const struct survey *survey)
{
	if (survey->learnt_count == 0)
		return;
	buf_add_str(out, "<p class=\"note\">These relays are believed, since they have handed us so much mail of so "
			 "many people for so long: ");
	summary_hosts(out, survey->learnt, survey->learnt_count);
	buf_add_str(out, ".</p>\n");
}

static void summary_list(struct buf *out, const struct survey *survey)
{
	char guilty[REPORT_WORDS_BYTES], copies[REPORT_WORDS_BYTES];
	if (survey->incident_count < 2)
		return;
	buf_add_str(out, "<ol class=\"incidents\">\n");
	for (size_t i = 0; i < survey->incident_count && i < REPORT_PAGES_MAX; i++) {
		const struct trace_incident *trace = survey->incidents[i];
		buf_addf(out, "<li><a href=\"#i%zu\">%s</a>: <bdi>", i,
			 report_class_title(trace->incident.cls));
		mark_str(out, trace->incident.subject[0] ? trace->incident.subject : "(no subject)");
		buf_addf(out, "</bdi>, %s, %s</li>\n",
			 report_count(report_role_count(trace, PARTY_GUILTY), "guilty server", "guilty servers",
				      guilty),
			 report_count(trace->incident.copies, "copy", "copies", copies));
	}
	buf_add_str(out, "</ol>\n");
}

static void summary(struct buf *out, const struct report *report)
{
	const struct survey *survey = report->survey;
	char text[REPORT_WORDS_BYTES], number[TEXT_NUMBER_BYTES];
	buf_addf(out, "<p class=\"lead\"><strong>%s</strong>",
		 report_count(survey->incident_count + survey->incidents_forgotten, "storm", "storms", text));
	buf_addf(out, ", <strong>%s</strong> found in ",
		 report_count(report_guilty_count(survey), "guilty server", "guilty servers", text));
	buf_add_str(out, report_count(survey->messages, "mail", "mails", text));
	if (report->files)
		buf_addf(out, " of %s", report_count(report->files, "file", "files", text));
	if (survey->first_ms) {
		buf_addf(out, ", from %s", report_utc(survey->first_ms, text));
		buf_addf(out, " to %s", report_utc(survey->last_ms, text));
	}
	buf_add_str(out, ".</p>\n");
	if (report->troubles)
		buf_addf(out, "<p class=\"note\">%s files or mails could not be read as they should.</p>\n",
			 text_number(report->troubles, number));
	summary_guess(out, survey);
	summary_learnt(out, survey);
	summary_list(out, survey);
}

bool report_html(const struct report *report, struct buf *out)
{
	const struct survey *survey = report->survey;
	buf_add_str(out, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
			 "<meta charset=\"utf-8\"/>\n<meta http-equiv=\"Content-Security-Policy\" "
			 "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
			 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
			 "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>Mail storm "
			 "report</title>\n");
	buf_addf(out, "<style>%s%s</style>\n</head>\n<body>\n<header>\n<h1>Mail storm report</h1>\n",
		 report_page_style, report_svg_style);
	summary(out, report);
	buf_add_str(out, "</header>\n<main>\n");
	for (size_t i = 0; i < survey->incident_count && i < REPORT_PAGES_MAX; i++)
		incident_section(out, survey->incidents[i], i);
	size_t all = survey->incident_count + survey->incidents_forgotten;
	if (all > REPORT_PAGES_MAX)
		buf_addf(out,
			 "<p class=\"note\">And %zu more storms with fewer copies; quell trace --json tells of "
			 "%zu.</p>\n",
			 all - REPORT_PAGES_MAX, survey->incident_count);
	buf_add_str(out, "</main>\n<footer><p>A server is guilty here only when others attest what it did; "
			 "what only stands in a mail is called a claim. The visible author of a mail is never "
			 "blamed. Made by quell ");
	mark_str(out, report->version);
	buf_add_str(out, ".</p></footer>\n</body>\n</html>\n");
	return !out->is_over;
}
