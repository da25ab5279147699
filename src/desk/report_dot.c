/* SPDX-License-Identifier: Apache-2.0
 *
 * report_dot: the graph for Graphviz users: one digraph, a cluster for each incident.
 * Render with "dot -Tsvg".
 */
#include "desk/report.h"

#include "desk/text.h"

#include <inttypes.h>

static const struct {
	enum trace_role role;
	const char *shape, *fill, *line;
} looks[] = {
	{ TRACE_RELAY, "box", "#f4f6f8", "#6b7785" },
	{ TRACE_AUTHOR, "ellipse", "#f4f6f8", "#6b7785" },
	{ TRACE_OURS, "box3d", "#e0f3ee", "#00695c" },
	{ TRACE_FORWARDER, "hexagon", "#efe9fb", "#6b4fa0" },
	{ TRACE_ENTRY, "cds", "#e3effc", "#0b5cad" },
	{ TRACE_SUSPECT, "octagon", "#fff3d6", "#8a5a00" },
	{ TRACE_GUILTY, "doubleoctagon", "#fde7e3", "#b3261e" },
	{ TRACE_MORE, "note", "#f4f6f8", "#6b7785" },
};

static void dot_node(struct buf *out, const struct trace_incident *trace, size_t cluster, unsigned i)
{
	const struct trace_host *host = &trace->hosts[i];
	unsigned look = (unsigned)host->role < sizeof looks / sizeof looks[0] ? (unsigned)host->role : 0;
	buf_addf(out, "\t\tn%zu_%u [label=\"%s\\n", cluster, i, trace_role_name(host->role));
	dot_text(out, host->name);
	buf_addf(out, "\\n%" PRIu64 " mails%s\", shape=%s, fillcolor=\"%s\", color=\"%s\"];\n", host->passages,
		 host->is_claim ? ", name claimed" : "", looks[look].shape, looks[look].fill, looks[look].line);
}

static void dot_edge(struct buf *out, const struct trace_incident *trace, size_t cluster,
		     const struct trace_edge *edge)
{
	char factor[REPORT_WORDS_BYTES];
	bool is_guilty = trace->hosts[edge->from].role == TRACE_GUILTY;
	report_factor(edge->amplification, "x", factor);
	buf_addf(out, "\t\tn%zu_%u -> n%zu_%u [label=\"%" PRIu64 "%s%s\"%s%s];\n", cluster, edge->from, cluster,
		 edge->to, edge->passages, factor[0] ? ", " : "", factor,
		 is_guilty ? ", color=\"#b3261e\", penwidth=2" : "",
		 edge->is_back ? ", style=dashed, constraint=false" : "");
}

static void dot_incident(struct buf *out, const struct trace_incident *trace, size_t cluster)
{
	unsigned hosts = report_host_count(trace);
	buf_addf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=\"%s ", cluster,
		 report_class_title(trace->incident.cls));
	dot_text(out, trace->incident.id);
	buf_add_str(out, ": ");
	dot_text(out, trace->incident.subject);
	buf_add_str(out, "\";\n");
	for (unsigned i = 0; i < hosts; i++)
		dot_node(out, trace, cluster, i);
	for (unsigned i = 0; i < trace->edge_count && i < TRACE_EDGES_MAX; i++)
		if (trace->edges[i].from < hosts && trace->edges[i].to < hosts)
			dot_edge(out, trace, cluster, &trace->edges[i]);
	buf_add_str(out, "\t}\n");
}

bool report_dot(const struct report *report, struct buf *out)
{
	const struct survey *survey = report->survey;
	buf_add_str(out, "digraph storms {\n\trankdir=LR;\n\tnode [style=filled, fontname=\"sans-serif\"];\n"
			 "\tedge [fontname=\"sans-serif\", color=\"#6b7785\"];\n");
	for (size_t i = 0; i < survey->incident_count && i < REPORT_PICTURES_MAX; i++)
		dot_incident(out, survey->incidents[i], i);
	if (survey->incident_count > REPORT_PICTURES_MAX)
		buf_addf(out, "\tmore [label=\"and %zu more incidents\", shape=note];\n",
			 survey->incident_count - REPORT_PICTURES_MAX);
	buf_add_str(out, "}\n");
	return !out->is_over;
}
