/* SPDX-License-Identifier: Apache-2.0
 *
 * report: what a survey found, for people: on the terminal, as pictures, as one page
 * that can be sent. And for programs.
 *
 * The same survey gives the same bytes: a report holds no time of its making. What
 * strangers wrote goes through text_safe, and besides through the one escaper of its
 * medium: mark_text for HTML and SVG, dot_text for Graphviz, json_word for JSON.
 * Pictures and pages are written into a buf with a ceiling, so that whoever serves them
 * over HTTP can use them too. On the terminal times are local; where a report may
 * travel (HTML, SVG, JSON) they are UTC.
 */
#ifndef QUELL_DESK_REPORT_H
#define QUELL_DESK_REPORT_H

#include "base/buf.h"
#include "desk/desk.h"
#include "flow/survey.h"
#include "trace/trace.h"

enum {
	REPORT_BYTES_MAX = 48 * 1024 * 1024, /* of a page; past it is_over says so */
	REPORT_PICTURES_MAX = 10,            /* incidents in one SVG or DOT */
	REPORT_PAGES_MAX = 40,               /* incidents told in full in one HTML or text */
};

struct report {
	const char *version;
	const struct survey *survey;
	uint64_t files;    /* in which mail was found; 0: not known */
	uint64_t troubles; /* files or mails that could not be read as they should */
};

void report_text(struct desk *desk, const struct report *report);
void report_json(FILE *out, const struct report *report);
/* False when out is over. */
bool report_svg(const struct report *report, struct buf *out);
bool report_dot(const struct report *report, struct buf *out);
bool report_html(const struct report *report, struct buf *out);

/* --- pieces, one incident each (report_svg) ----------------------------- */

/* Nothing when no server is known. A whole <svg> element with title and description; its classes are those of
 * report_svg_style, which the page must hold once. Returns its width. */
double report_graph_svg(const struct trace_incident *trace, struct buf *out);
/* Copies over time; nothing when no times are known. width: that of the graph, at least
 * 900, so that letters have one size in both. */
void report_time_svg(const struct trace_incident *trace, double width, struct buf *out);
bool report_has_times(const struct trace_incident *trace);
/* CSS, light and dark; without <style>. */
extern const char report_svg_style[];

/* --- escapers ------------------------------------------------------------ */

/* Any bytes as text or attribute value (in double or single quotes) of HTML and XML. */
void mark_text(struct buf *out, struct slice text);
void mark_str(struct buf *out, const char *text);
/* The same, cut to columns. */
void mark_cut(struct buf *out, const char *text, size_t columns);
/* Any bytes as what stands between the quotes of a DOT string. */
void dot_text(struct buf *out, const char *text);

/* --- what is said of an incident, in words (report_words) --------------- */

/* party i, or NULL for UINT_MAX and other nonsense. */
const struct party *report_party(const struct trace_incident *trace, unsigned i);
unsigned report_party_count(const struct trace_incident *trace);
unsigned report_host_count(const struct trace_incident *trace);
/* Parties of this role. */
unsigned report_role_count(const struct trace_incident *trace, enum party_role role);
unsigned report_guilty_count(const struct survey *survey);

/* "Duplicate flood" and what that is, in half a sentence. */
const char *report_class_title(enum storm_class cls);
const char *report_class_words(enum storm_class cls);
/* What a role means to a reader: "makes the copies"; in a loop nobody makes any. */
const char *report_role_words(enum storm_class cls, enum party_role role);

enum { REPORT_WORDS_BYTES = 400 };
/* Attested name, else address, else "?". Not made safe. Returns out. */
const char *report_party_name(const struct party *party, char out[REPORT_WORDS_BYTES]);
/* "firm.example", or "firm.example (claim)" when no attested name confirms it; "". */
const char *report_party_domain(const struct party *party, char out[REPORT_WORDS_BYTES]);
/* All attested addresses; "". */
const char *report_party_addresses(const struct party *party, char out[REPORT_WORDS_BYTES]);
/* "every 15 min"; "" when unknown. */
const char *report_period(int64_t period_ms, char out[REPORT_WORDS_BYTES]);
/* "2 h 5 min", "40 s". */
const char *report_span(int64_t span_ms, char out[REPORT_WORDS_BYTES]);
/* "x26", "x1.4"; "" for 0: unknown. sign: "x" or U+00D7. */
const char *report_factor(double factor, const char *sign, char out[REPORT_WORDS_BYTES]);
/* "97 %"; never "100 %": no trace is that sure; "" for 0: unknown. */
const char *report_percent(double share, char out[REPORT_WORDS_BYTES]);
/* "412 copies an hour"; "" when there is no span. */
const char *report_rate(const struct trace_incident *trace, char out[REPORT_WORDS_BYTES]);
/* How many copies for whom, or how often one mail came back. */
const char *report_amount(const struct trace_incident *trace, char out[REPORT_WORDS_BYTES]);
/* "1 mail", "1,234 mails". */
const char *report_count(uint64_t count, const char *one, const char *many, char out[REPORT_WORDS_BYTES]);
/* "2005-12-06 09:20:03 UTC"; "-" for 0. */
const char *report_utc(int64_t when_ms, char out[REPORT_WORDS_BYTES]);

typedef void report_line_fn(void *ctx, const char *line);
/* What to do next, by class and product, most urgent first: a sentence or a few a line,
 * what strangers wrote made safe. */
void report_advice(const struct trace_incident *trace, report_line_fn *fn, void *ctx);

#endif
