/* SPDX-License-Identifier: Apache-2.0
 *
 * report_svg: the propagation graph as a picture, and several of them as one file.
 *
 * Roles are told by a word in each box, by the form of the box and by colour, in this
 * order of trust: a print in grey or an eye that takes red for green loses nothing.
 * No script, no reference to anything outside, no id: several pictures may stand in one
 * page.
 */
#include "desk/report.h"
#include "desk/report_layout.h"
#include "desk/report_pens.h"

#include "base/mem.h"
#include "desk/text.h"

#include <inttypes.h>
#include <math.h>

enum { HEAD = 14, NAME_COLUMNS = 19, LABEL_COLUMNS = 21, LETTER_WIDTH = 7, LEGEND_HEIGHT = 30 };

const char report_svg_style[] =
	".q{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1d2530}"
	".q text{unicode-bidi:isolate}"
	".q-bg{fill:#fff}.q-h{font-size:17px;font-weight:600}.q-s{font-size:12px;fill:#4c5765}"
	".q-b{fill:#f4f6f8;stroke:#6b7785;stroke-width:1.3}"
	".q-head{font-weight:600}.q-n{font-size:12px;font-weight:600}.q-r{font-size:10.5px;font-weight:700;"
	"letter-spacing:.05em}"
	".q-c{font-size:11px;fill:#4c5765}"
	".q-guilty{fill:#fde7e3;stroke:#b3261e;stroke-width:2.6}.q-t-guilty{fill:#9c1c15}"
	".q-suspect{fill:#fff3d6;stroke:#8a5a00;stroke-width:2;stroke-dasharray:6 3}.q-t-suspect{fill:#744b00}"
	".q-entry{fill:#e3effc;stroke:#0b5cad;stroke-width:1.8}.q-t-entry{fill:#0a4f95}"
	".q-forwarder{fill:#efe9fb;stroke:#6b4fa0;stroke-width:1.6}.q-t-forwarder{fill:#5a3f90}"
	".q-ours{fill:#e0f3ee;stroke:#00695c;stroke-width:2}.q-t-ours{fill:#005a4f}"
	".q-more{stroke-dasharray:1.5 3}"
	".q-l{fill:none;stroke:#8a95a3;stroke-linecap:round;opacity:.85}.q-a{fill:#8a95a3}"
	".q-l-guilty{stroke:#b3261e}.q-a-guilty{fill:#b3261e}"
	".q-l-back{stroke-dasharray:8 4;stroke-linecap:butt}"
	".q-x{font-size:12.5px;font-weight:700;fill:#9c1c15;stroke:#fff;stroke-width:4px;paint-order:stroke;"
	"stroke-linejoin:round}"
	".q-axis{stroke:#6b7785;fill:none}.q-grid{stroke:#dde2e8;fill:none}"
	".q-first{fill:#4f9fd8}.q-surplus{fill:#b3261e}"
	"@media (prefers-color-scheme:dark){"
	".q{fill:#e6eaf0}.q-bg{fill:#14181d}.q-s,.q-c{fill:#a9b4c2}"
	".q-b{fill:#222932;stroke:#8f9bab}"
	".q-guilty{fill:#47191a;stroke:#ff8a80}.q-t-guilty,.q-x{fill:#ff9f96}"
	".q-suspect{fill:#3b2e10;stroke:#f0b849}.q-t-suspect{fill:#f4c566}"
	".q-entry{fill:#152d47;stroke:#7ab8f5}.q-t-entry{fill:#93c6f8}"
	".q-forwarder{fill:#2c2442;stroke:#b79df0}.q-t-forwarder{fill:#c6b2f4}"
	".q-ours{fill:#0f3530;stroke:#5fcdbb}.q-t-ours{fill:#7fdccc}"
	".q-l{stroke:#768394}.q-a{fill:#768394}.q-l-guilty{stroke:#ff8a80}.q-a-guilty{fill:#ff8a80}"
	".q-x{stroke:#14181d}.q-axis{stroke:#8f9bab}.q-grid{stroke:#303945}"
	".q-first{fill:#7ab8f5}.q-surplus{fill:#ff6f61}}"
	"@media print{.q{fill:#000}.q-bg{fill:#fff}}";

/* --- boxes ---------------------------------------------------------------- */

enum form { FORM_PLAIN, FORM_ROUND, FORM_PILL, FORM_CUT, FORM_ARROW, FORM_DOUBLE };

/* By enum trace_role. */
static const struct role_row {
	enum trace_role role;
	enum form form;
	const char *class, *label;
} roles[] = {
	{ TRACE_RELAY, FORM_PLAIN, "relay", "relay" },
	{ TRACE_AUTHOR, FORM_PILL, "author", "author, innocent" },
	{ TRACE_OURS, FORM_DOUBLE, "ours", "ours" },
	{ TRACE_FORWARDER, FORM_ROUND, "forwarder", "forwarder" },
	{ TRACE_ENTRY, FORM_ARROW, "entry", "entry" },
	{ TRACE_SUSPECT, FORM_CUT, "suspect", "suspect" },
	{ TRACE_GUILTY, FORM_CUT, "guilty", "guilty" },
	{ TRACE_MORE, FORM_ROUND, "more", "more hosts" },
};

static const struct role_row *role_of(enum trace_role role)
{
	return &roles[(unsigned)role < sizeof roles / sizeof roles[0] ? (unsigned)role : 0];
}

static void box_form(struct buf *out, const struct role_row *row, double x, double y, double w, double h)
{
	double cut = h / 5;
	if (row->form == FORM_CUT) {
		buf_addf(out,
			 "<path class=\"q-b q-%s\" d=\"M%.1f %.1fH%.1fL%.1f %.1fV%.1fL%.1f %.1fH%.1fL%.1f "
			 "%.1fV%.1fZ\"/>",
			 row->class, x + cut, y, x + w - cut, x + w, y + cut, y + h - cut, x + w - cut, y + h,
			 x + cut, x, y + h - cut, y + cut);
		return;
	}
	if (row->form == FORM_ARROW) {
		buf_addf(out, "<path class=\"q-b q-%s\" d=\"M%.1f %.1fH%.1fL%.1f %.1fL%.1f %.1fH%.1fZ\"/>",
			 row->class, x, y, x + w - cut, x + w, y + h / 2, x + w - cut, y + h, x);
		return;
	}
	double radius = row->form == FORM_PILL ? h / 2 : row->form == FORM_ROUND ? h / 4 : 2;
	buf_addf(out,
		 "<rect class=\"q-b q-%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.1f\"/>",
		 row->class, x, y, w, h, radius);
	if (row->form == FORM_DOUBLE)
		buf_addf(out, "<path class=\"q-b q-%s\" d=\"M%.1f %.1fv%.1f\"/>", row->class, x + w - 6, y, h);
}

static void box_title(struct buf *out, const struct trace_host *host, const struct party *party)
{
	char text[REPORT_WORDS_BYTES];
	buf_add_str(out, "<title>");
	mark_str(out, host->name);
	buf_addf(out, " (%s)%s: %s", trace_role_name(host->role),
		 host->is_claim ? ", a name it only claims" : "",
		 report_count(host->passages, "passage", "passages", text));
	if (party && party->role != PARTY_ENTRY)
		buf_addf(out, ", blamed %u times", party->blame);
	buf_addf(out, ", first %s</title>",
		 host->first_ms ? report_utc(host->first_ms, text) : "at an unknown time");
}

/* An element of its own, so that a name of wide letters is cut off at the box. */
static void box_texts(struct buf *out, const struct trace_host *host, double x, double y)
{
	const struct role_row *row = role_of(host->role);
	char text[REPORT_WORDS_BYTES], number[TEXT_NUMBER_BYTES];
	double middle = LAYOUT_BOX_WIDTH / 2.0;
	buf_addf(out,
		 "<svg x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\"><text class=\"q-r q-t-%s\" x=\"%.1f\" "
		 "y=\"15\" "
		 "text-anchor=\"middle\">",
		 x, y, (int)LAYOUT_BOX_WIDTH, (int)LAYOUT_BOX_HEIGHT, row->class, middle);
	for (const char *c = row->label; *c; c++)
		buf_add_byte(out, ascii_is_alpha(*c) ? (char)(*c - 32) : *c);
	buf_addf(out, "</text><text class=\"q-n\" x=\"%.1f\" y=\"30\" text-anchor=\"middle\">", middle);
	mark_cut(out, host->name[0] ? host->name : "?",
		 NAME_COLUMNS - (row->form == FORM_PILL ? 2 : row->form == FORM_CUT));
	snprintf(text, sizeof text, "%s %s%s", text_number(host->passages, number),
		 host->passages == 1 ? "mail" : "mails", host->is_claim ? " \xc2\xb7 a claim" : "");
	buf_addf(out, "</text><text class=\"q-c\" x=\"%.1f\" y=\"44\" text-anchor=\"middle\">", middle);
	mark_cut(out, text, LABEL_COLUMNS);
	buf_add_str(out, "</text></svg>");
}

static void draw_box(struct buf *out, const struct trace_incident *trace, const struct layout *l, unsigned i,
		     double top)
{
	const struct trace_host *host = &trace->hosts[i];
	double x = layout_x(l, l->items[i].column), y = top + l->items[i].y - LAYOUT_BOX_HEIGHT / 2.0;
	buf_add_str(out, "<g>");
	box_title(out, host, report_party(trace, host->party));
	box_form(out, role_of(host->role), x, y, LAYOUT_BOX_WIDTH, LAYOUT_BOX_HEIGHT);
	box_texts(out, host, x, y);
	buf_add_str(out, "</g>\n");
}

/* --- lines ---------------------------------------------------------------- */

static double line_width(const struct trace_incident *trace, const struct trace_edge *edge)
{
	uint64_t most = 1;
	for (unsigned i = 0; i < trace->edge_count && i < TRACE_EDGES_MAX; i++)
		most = trace->edges[i].passages > most ? trace->edges[i].passages : most;
	return 1.2 + 4.8 * sqrt((double)edge->passages / (double)most);
}

static bool is_guilty_line(const struct trace_incident *trace, const struct trace_edge *edge)
{
	return trace->hosts[edge->from].role == TRACE_GUILTY;
}

static void line_begin(struct buf *out, const struct trace_incident *trace, const struct trace_edge *edge)
{
	char text[REPORT_WORDS_BYTES];
	buf_add_str(out, "<g><title>");
	mark_str(out, trace->hosts[edge->from].name);
	buf_add_str(out, " to ");
	mark_str(out, trace->hosts[edge->to].name);
	buf_addf(out, ": %s", report_count(edge->passages, "mail", "mails", text));
	buf_addf(out, ", %" PRIu64 " of them surplus", edge->surplus);
	if (report_factor(edge->amplification, "", text)[0])
		buf_addf(out, ", %s made of each that came in", text);
	buf_addf(out, "</title><path class=\"q-l%s%s\" stroke-width=\"%.1f\" d=\"",
		 is_guilty_line(trace, edge) ? " q-l-guilty" : "", edge->is_back ? " q-l-back" : "",
		 line_width(trace, edge));
}

/* The head of the arrow, and the factor beside the tail of a line that a guilty server
 * sends. */
static void line_end(struct buf *out, const struct trace_incident *trace, const struct trace_edge *edge,
		     double to_x, double to_y)
{
	double size = 5 + line_width(trace, edge) * 0.9;
	buf_addf(out, "\"/><path class=\"q-a%s\" d=\"M%.1f %.1fl%.1f %.1fv%.1fz\"/></g>\n",
		 is_guilty_line(trace, edge) ? " q-a-guilty" : "", to_x, to_y, -size, -size / 2, size);
}

static void draw_forward(struct buf *out, const struct trace_incident *trace, const struct layout *l,
			 unsigned i, double top)
{
	const struct trace_edge *edge = &trace->edges[i];
	const struct layout_line *line = &l->lines[i];
	double x = layout_x(l, l->items[edge->from].column) + LAYOUT_BOX_WIDTH, y = top + line->from_y;
	double end_x = layout_x(l, l->items[edge->to].column);
	line_begin(out, trace, edge);
	buf_addf(out, "M%.1f %.1f", x, y);
	for (unsigned k = 0; k < line->route_count; k++) {
		const struct layout_item *way = &l->items[line->route[k]];
		double way_x = layout_x(l, way->column), way_y = top + way->y, bend = (way_x - x) / 2;
		buf_addf(out, "C%.1f %.1f %.1f %.1f %.1f %.1fH%.1f", x + bend, y, way_x - bend, way_y, way_x,
			 way_y, way_x + LAYOUT_BOX_WIDTH);
		x = way_x + LAYOUT_BOX_WIDTH;
		y = way_y;
	}
	double bend = (end_x - x) / 2;
	buf_addf(out, "C%.1f %.1f %.1f %.1f %.1f %.1f", x + bend, y, end_x - 7 - bend, top + line->to_y,
		 end_x - 7, top + line->to_y);
	line_end(out, trace, edge, end_x, top + line->to_y);
}

/* Out to the right, down, along a lane below all boxes, up, and in from the left. */
static void draw_below(struct buf *out, const struct trace_incident *trace, const struct layout *l, unsigned i,
		       double top)
{
	enum { RADIUS = 9 };
	const struct trace_edge *edge = &trace->edges[i];
	const struct layout_line *line = &l->lines[i];
	double out_by = 12 + 2.5 * (line->lane % 4), r = RADIUS;
	double x = layout_x(l, l->items[edge->from].column) + LAYOUT_BOX_WIDTH, y = top + line->from_y;
	double end_x = layout_x(l, l->items[edge->to].column), end_y = top + line->to_y;
	double lane_y = top + l->boxes_height + (line->lane + 1) * (double)LAYOUT_LANE + 6;
	line_begin(out, trace, edge);
	buf_addf(out, "M%.1f %.1fH%.1fq%.1f 0 %.1f %.1fV%.1fq0 %.1f %.1f %.1fH%.1f", x, y, x + out_by - r, r, r,
		 r, lane_y - r, r, -r, r, end_x - out_by - 6 + r);
	buf_addf(out, "q%.1f 0 %.1f %.1fV%.1fq0 %.1f %.1f %.1fH%.1f", -r, -r, -r, end_y + r, -r, r, -r,
		 end_x - 7);
	line_end(out, trace, edge, end_x, end_y);
}

/* One line of each guilty server tells its factor: the thickest. */
static bool tells_factor(const struct trace_incident *trace, unsigned i)
{
	const struct trace_edge *edge = &trace->edges[i];
	if (!is_guilty_line(trace, edge))
		return false;
	for (unsigned k = 0; k < trace->edge_count && k < TRACE_EDGES_MAX; k++) {
		const struct trace_edge *other = &trace->edges[k];
		bool is_rival =
			other->from == edge->from && other->amplification > 0 && layout_has_edge(trace, k);
		if (is_rival &&
		    (other->passages > edge->passages || (other->passages == edge->passages && k < i)))
			return false;
	}
	return true;
}

static void draw_factor(struct buf *out, const struct trace_incident *trace, const struct layout *l, unsigned i,
			double top)
{
	char text[REPORT_WORDS_BYTES];
	const struct trace_edge *edge = &trace->edges[i];
	double x = layout_x(l, l->items[edge->from].column) + LAYOUT_BOX_WIDTH;
	if (!tells_factor(trace, i) || !report_factor(edge->amplification, "\xc3\x97", text)[0])
		return;
	double y = top + l->lines[i].from_y; /* on the side that the line does not bend to */
	buf_addf(out, "<text class=\"q-x\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 5,
		 l->lines[i].to_y < l->lines[i].from_y - 2 ? y + 16 : y - 7, text);
}

/* --- the picture ---------------------------------------------------------- */

static void draw_legend(struct buf *out, const struct trace_incident *trace, const struct layout *l, double y)
{
	double x = l->left;
	for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
		bool is_used = false;
		for (unsigned i = 0; i < report_host_count(trace); i++)
			is_used = is_used || role_of(trace->hosts[i].role) == &roles[r];
		if (!is_used)
			continue;
		box_form(out, &roles[r], x, y - 11, 22, 14);
		buf_addf(out, "<text class=\"q-s\" x=\"%.1f\" y=\"%.1f\">%s</text>", x + 28, y, roles[r].label);
		x += 52 + LETTER_WIDTH * (double)strlen(roles[r].label);
	}
	buf_add_str(out, "\n");
}

static void graph_description(struct buf *out, const struct trace_incident *trace)
{
	char text[REPORT_WORDS_BYTES], name[REPORT_WORDS_BYTES];
	unsigned named = 0;
	buf_addf(out, "<desc>From the author on the left to our mailbox on the right: %s",
		 report_count(report_host_count(trace), "server", "servers", text));
	buf_addf(out, ", %s guilty",
		 report_count(report_role_count(trace, PARTY_GUILTY), "of them", "of them", text));
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		if (trace->incident.parties[i].role != PARTY_GUILTY)
			continue;
		buf_add_str(out, named++ ? ", " : ": ");
		mark_str(out, report_party_name(&trace->incident.parties[i], name));
	}
	buf_add_str(out, ".</desc>");
}

static void graph_body(const struct trace_incident *trace, const struct layout *l, struct buf *out)
{
	for (int guilty = 0; guilty < 2; guilty++) /* on top of the others */
		for (unsigned i = 0; i < l->line_count; i++)
			if (layout_has_edge(trace, i) &&
			    is_guilty_line(trace, &trace->edges[i]) == (guilty == 1)) {
				if (l->lines[i].is_below)
					draw_below(out, trace, l, i, HEAD);
				else
					draw_forward(out, trace, l, i, HEAD);
			}
	for (unsigned i = 0; i < l->host_count; i++)
		draw_box(out, trace, l, i, HEAD);
	for (unsigned i = 0; i < l->line_count; i++)
		if (layout_has_edge(trace, i))
			draw_factor(out, trace, l, i, HEAD);
}

double report_graph_svg(const struct trace_incident *trace, struct buf *out)
{
	if (report_host_count(trace) == 0)
		return LAYOUT_WIDTH_MIN;
	struct layout *l = mem_alloc(sizeof *l);
	if (!l) {
		out->is_over = true;
		return LAYOUT_WIDTH_MIN;
	}
	layout_make(trace, l);
	double height = HEAD + l->height + LEGEND_HEIGHT + 8;
	pens_begin(out, l->width, height, "Who sent the mail to whom");
	graph_description(out, trace);
	buf_addf(out, "<rect class=\"q-bg\" width=\"%.0f\" height=\"%.0f\"/>\n", l->width, height);
	graph_body(trace, l, out);
	draw_legend(out, trace, l, HEAD + l->height + LEGEND_HEIGHT - 4);
	buf_add_str(out, "</svg>\n");
	double width = l->width;
	mem_free(l);
	return width;
}

/* --- several, as a file ---------------------------------------------------- */

/* What pens_begin wrote: where the next picture begins below this one. */
static void stack(struct buf *out, struct buf *piece, double *y, double *width)
{
	double w = 0, h = 0;
	struct slice s = buf_slice(piece);
	if (!pens_size(s, &w, &h))
		return;
	buf_addf(out, "<svg y=\"%.0f\" width=\"%.0f\" height=\"%.0f\">\n", *y, w, h);
	buf_add(out, s);
	buf_add_str(out, "</svg>\n");
	*y += h;
	*width = w > *width ? w : *width;
	buf_reset(piece);
}

static void stack_head(struct buf *out, const struct trace_incident *trace, double *y)
{
	char guilty[REPORT_WORDS_BYTES], copies[REPORT_WORDS_BYTES];
	const struct incident *incident = &trace->incident;
	buf_addf(out, "<text class=\"q-h\" x=\"26\" y=\"%.0f\">%s: ", *y + 32,
		 report_class_title(incident->cls));
	mark_cut(out, incident->subject[0] ? incident->subject : "(no subject)", 70);
	buf_addf(out, "</text><text class=\"q-s\" x=\"26\" y=\"%.0f\">", *y + 52);
	mark_str(out, incident->id);
	buf_addf(
		out, ", %s, %s</text>\n",
		report_count(report_role_count(trace, PARTY_GUILTY), "guilty server", "guilty servers", guilty),
		report_count(incident->copies, "copy", "copies", copies));
	*y += 66;
	if (report_host_count(trace) == 0)
		buf_addf(out,
			 "<text class=\"q-s\" x=\"26\" y=\"%.0f\">These mails do not tell its way.</text>\n",
			 *y += 10);
}

bool report_svg(const struct report *report, struct buf *out)
{
	const struct survey *survey = report->survey;
	struct buf body, piece;
	double y = 0, width = LAYOUT_WIDTH_MIN;
	buf_init(&body, REPORT_BYTES_MAX);
	buf_init(&piece, REPORT_BYTES_MAX);
	for (size_t i = 0; i < survey->incident_count && i < REPORT_PICTURES_MAX; i++) {
		stack_head(&body, survey->incidents[i], &y);
		double graph_width = report_graph_svg(survey->incidents[i], &piece);
		stack(&body, &piece, &y, &width);
		report_time_svg(survey->incidents[i], graph_width, &piece);
		stack(&body, &piece, &y, &width);
	}
	if (survey->incident_count == 0)
		buf_addf(&body, "<text class=\"q-h\" x=\"26\" y=\"%.0f\">No storm was found.</text>\n",
			 y += 40);
	if (survey->incident_count > REPORT_PICTURES_MAX)
		buf_addf(&body, "<text class=\"q-s\" x=\"26\" y=\"%.0f\">and %zu more incidents</text>\n",
			 y += 20, survey->incident_count - REPORT_PICTURES_MAX);
	pens_begin(out, width, y + 16, "Mail storms found by quell trace");
	buf_addf(out, "<style>%s</style>\n<rect class=\"q-bg\" width=\"%.0f\" height=\"%.0f\"/>\n",
		 report_svg_style, width, y + 16);
	buf_add(out, buf_slice(&body));
	buf_add_str(out, "</svg>\n");
	out->is_over = out->is_over || body.is_over || piece.is_over;
	buf_free(&body);
	buf_free(&piece);
	return !out->is_over;
}
