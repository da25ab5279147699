/* SPDX-License-Identifier: Apache-2.0
 *
 * json_trace: what only the tracer knows of an incident. Nodes are numbered as they
 * stand in the list; edges, the cycle and samples name them by these numbers.
 */
#include "desk/json.h"

#include "desk/report.h"

/* 0 is "not known". */
static json_t *factor(double value)
{
	return value > 0 ? json_real(value) : json_null();
}

void json_trace_party(json_t *object, const struct trace_party *party)
{
	json_put(object, "amplification", factor(party->amplification));
	json_put_number(object, "intake", party->intake);
	json_put_number(object, "offspring", party->offspring);
	json_put_number(object, "fan", party->fan);
	json_put(object, "clock_ahead_s",
		 party->has_clock ? json_real((double)party->clock_ms / 1000) : json_null());
}

static json_t *node_json(const struct trace_incident *trace, unsigned i)
{
	const struct trace_host *host = &trace->hosts[i];
	const struct party *party = report_party(trace, host->party);
	json_t *o = json_object();
	json_put_number(o, "id", i);
	json_put(o, "name", json_word(host->name));
	json_put(o, "name_is_claim", json_boolean(host->is_claim));
	json_put(o, "role", json_word(trace_role_name(host->role)));
	json_put(o, "host", party ? json_word(party->host) : json_null());
	json_put_number(o, "layer", host->layer);
	json_put_number(o, "passages", host->passages);
	json_put(o, "first_seen", json_time(host->first_ms));
	return o;
}

static json_t *edge_json(const struct trace_edge *edge)
{
	json_t *o = json_object();
	json_put_number(o, "from", edge->from);
	json_put_number(o, "to", edge->to);
	json_put_number(o, "passages", edge->passages);
	json_put_number(o, "surplus", edge->surplus);
	json_put(o, "amplification", factor(edge->amplification));
	json_put(o, "is_back", json_boolean(edge->is_back));
	return o;
}

static json_t *graph_json(const struct trace_incident *trace)
{
	json_t *o = json_object(), *nodes = json_array(), *edges = json_array(), *cycle = json_array();
	for (unsigned i = 0; i < report_host_count(trace); i++)
		json_array_append_new(nodes, node_json(trace, i));
	for (unsigned i = 0; i < trace->edge_count && i < TRACE_EDGES_MAX; i++)
		json_array_append_new(edges, edge_json(&trace->edges[i]));
	for (unsigned i = 0; i < trace->cycle_count && i < TRACE_CYCLE_MAX; i++)
		json_array_append_new(cycle, json_integer(trace->cycle[i]));
	json_put(o, "nodes", nodes);
	json_put(o, "edges", edges);
	json_put(o, "cycle", cycle);
	json_put(o, "is_whole", json_boolean(!trace->is_cut));
	return o;
}

static json_t *bins_json(const struct trace_incident *trace)
{
	json_t *o, *copies = json_array(), *surplus = json_array();
	if (trace->bin_ms <= 0) {
		json_decref(copies);
		json_decref(surplus);
		return json_null();
	}
	for (unsigned i = 0; i < TRACE_BINS; i++) {
		json_array_append_new(copies, json_integer(trace->bins[i].copies));
		json_array_append_new(surplus, json_integer(trace->bins[i].surplus));
	}
	o = json_object();
	json_put(o, "from", json_time(trace->bins_from_ms));
	json_put(o, "width_s", json_real((double)trace->bin_ms / 1000));
	json_put(o, "copies", copies);
	json_put(o, "surplus", surplus);
	return o;
}

static json_t *sample_json(const struct trace_incident *trace, const struct trace_sample *sample)
{
	const struct party *party = report_party(trace, sample->party);
	json_t *o = json_object(), *hops = json_array();
	for (unsigned i = 0; i < sample->hop_count && i < TRACE_SAMPLE_HOPS; i++)
		json_array_append_new(hops, json_word(sample->hops[i]));
	json_put(o, "place", json_word(sample->place));
	json_put(o, "recipient", json_word(sample->recipient));
	json_put(o, "time", json_time(sample->time_ms));
	json_put(o, "against", party ? json_word(party->host) : json_null());
	json_put(o, "received", hops);
	return o;
}

static json_t *innocents_json(const struct trace_incident *trace)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < trace->innocent_count && i < TRACE_INNOCENT_MAX; i++) {
		json_t *o = json_object();
		json_put(o, "address", json_word(trace->innocents[i].address));
		json_put(o, "why", json_word(trace->innocents[i].why));
		json_array_append_new(list, o);
	}
	return list;
}

void json_trace_members(json_t *object, const struct trace_incident *trace)
{
	json_t *samples = json_array();
	for (unsigned i = 0; i < trace->sample_count && i < TRACE_SAMPLES_MAX; i++)
		json_array_append_new(samples, sample_json(trace, &trace->samples[i]));
	if (trace->innocent_count > 0)
		json_put(object, "innocent", innocents_json(trace));
	json_put_number(object, "worst_pair", trace->worst_pair);
	json_put_number(object, "repeats", trace->repeats);
	json_put_number(object, "more_servers", trace->incident.parties_forgotten);
	json_put(object, "graph", graph_json(trace));
	json_put(object, "copies_over_time", bins_json(trace));
	json_put(object, "samples", samples);
}
