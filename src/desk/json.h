/* SPDX-License-Identifier: Apache-2.0
 *
 * json: answers for programs.
 *
 * Texts from outside become valid UTF-8 (what is not is replaced by U+FFFD), and
 * everything beyond ASCII is written as \uNNNN, so that even raw on a terminal
 * an answer does no harm. Lists are written item by item, so a hold with a
 * million rows needs no memory for them.
 */
#ifndef QUELL_DESK_JSON_H
#define QUELL_DESK_JSON_H

#include "base/slice.h"
#include "storm/incident.h"
#include "trace/trace.h"

#include <jansson.h>
#include <stdio.h>

/* A new reference; an empty string without memory. */
json_t *json_text(struct slice s);
json_t *json_word(const char *str);
/* null for "". */
json_t *json_word_or_null(const char *str);
/* RFC 3339 in UTC; null for 0. */
json_t *json_time(int64_t when_ms);

/* {"id": ..., "class": ..., ...}, a new reference (NULL without memory). trace: what
 * the tracer knows of it, NULL when it did not look; incident is then its own. With it
 * comes what only a trace knows, without it what only the daemon does (the state of
 * the breaker, what was withheld). */
json_t *json_incident(const struct incident *incident, const struct trace_incident *trace);
/* Adds the graph, the copies over time and the rest to the incident's object. */
void json_trace_members(json_t *object, const struct trace_incident *trace);
/* What the tracer knows of one party, into its object. */
void json_trace_party(json_t *object, const struct trace_party *party);
/* Sets a member; takes over value. Names are our own. */
void json_put(json_t *object, const char *name, json_t *value);
void json_put_number(json_t *object, const char *name, uint64_t value);

/* One object in one line at a time: `{"quell": VERSION`, members, lists, `}`. */
struct json_stream {
	FILE *out;
	bool is_in_list, has_item;
};
void json_begin(struct json_stream *j, FILE *out, const char *version);
/* Takes over value; NULL is written as null. */
void json_member(struct json_stream *j, const char *name, json_t *value);
void json_list(struct json_stream *j, const char *name);
void json_item(struct json_stream *j, json_t *value);
/* Ends a list that is open, then the object. */
void json_list_end(struct json_stream *j);
void json_end(struct json_stream *j);

#endif
