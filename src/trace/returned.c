/* SPDX-License-Identifier: Apache-2.0
 *
 * returned: a bounce's lines. Phrases are those of real servers: Postfix, Sendmail,
 * Exim, Exchange, Domino, qmail, and the enhanced status code.
 */
#include "trace/returned.h"

#include "base/log.h"
#include "mail/received.h"
#include "trace/inner.h"

#include <stdio.h>

static const char *const loop_words[] = {
	"5.4.6", "5.4.14", "too many hops", "hop count exceeded", "maximum hop count", "mail loop",
	"routing loop", "mail forwarding loop", "loops back to myself", "too many received headers",
	"hopcount exceeded", "looping", "possible loop",
};

/* The host stands behind these. */
static const char *const host_words[] = { "transferring to ", "server <", "host ", "remote server ",
					  "while talking to ", "refused by ", "relay=" };

void returned_begin(struct returned *returned)
{
	*returned = (struct returned){ 0 };
}

static bool is_host_byte(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '.' || c == '-' ||
	       c == ':';
}

/* A name with a dot, or an address, at the start of s. */
static struct slice host_at(struct slice s)
{
	size_t len = 0;
	while (s.len > 0 && (s.ptr[0] == '[' || s.ptr[0] == '<' || s.ptr[0] == '"'))
		s = slice_from(s, 1);
	while (len < s.len && is_host_byte(s.ptr[len]))
		len++;
	while (len > 0 && !ascii_is_digit(s.ptr[len - 1]) && (s.ptr[len - 1] == '.' || s.ptr[len - 1] == ':'))
		len--;
	struct slice host = slice_first(s, len);
	return memchr(host.ptr ? host.ptr : "", '.', host.len) ? host : slice_make(NULL, 0);
}

static void keep_name(char out[RETURNED_NAME_BYTES], struct slice name)
{
	char quoted[RETURNED_NAME_BYTES];
	if (out[0] == '\0' && name.len > 0)
		memcpy(out, log_quote(name, quoted, sizeof quoted), sizeof quoted);
}

static struct slice behind(struct slice s, const char *words)
{
	const char *at = memmem(s.ptr, s.len, words, strlen(words));
	return at ? slice_from(s, (size_t)(at - s.ptr) + strlen(words)) : slice_make(NULL, 0);
}

static bool tells_of_loop(struct slice text)
{
	for (size_t i = 0; i < sizeof loop_words / sizeof loop_words[0]; i++)
		if (memmem(text.ptr, text.len, loop_words[i], strlen(loop_words[i])))
			return true;
	return false;
}

/* The end of a paragraph: does it tell of a loop, and of which host? */
static void take_paragraph(struct returned *r)
{
	struct slice text = slice_make(r->paragraph, r->paragraph_len);
	r->paragraph_len = 0;
	if (r->is_loop || text.len == 0 || !tells_of_loop(text))
		return;
	r->is_loop = true;
	keep_name(r->words, slice_trim(text));
	for (size_t i = 0; i < sizeof host_words / sizeof host_words[0]; i++)
		keep_name(r->host, host_at(behind(text, host_words[i])));
}

/* What the bounce says in words, joined to one line. */
static void take_words(struct returned *r, struct slice line)
{
	if (r->is_loop)
		return;
	if (line.len == 0) {
		take_paragraph(r);
		return;
	}
	line = slice_first(line, RETURNED_PARAGRAPH_BYTES - 1 - r->paragraph_len);
	for (size_t i = 0; i < line.len; i++)
		r->paragraph[r->paragraph_len++] = ascii_lower(line.ptr[i]);
	if (r->paragraph_len < RETURNED_PARAGRAPH_BYTES - 1)
		r->paragraph[r->paragraph_len++] = ' ';
	else
		take_paragraph(r);
}

static void take_field_line(struct returned *r, struct slice line, bool is_first)
{
	char *field = r->hops[is_first ? r->hop_count : r->hop_count - 1];
	size_t used = strlen(field), room = RETURNED_FIELD_BYTES - 1 - used;
	r->hop_count += is_first;
	line = slice_first(slice_trim(line), room > 0 ? room - 1 : 0);
	if (line.len == 0 || memchr(line.ptr, '\0', line.len))
		return;
	field[used++] = ' ';
	memcpy(field + used, line.ptr, line.len);
	field[used + line.len] = '\0';
}

static void take_line(struct returned *r)
{
	struct slice line = slice_make(r->line, r->line_len);
	r->line_len = 0;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (!r->is_body) {
		r->is_body = line.len == 0;
		return;
	}
	bool goes_on = line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
	if (r->is_in_field && goes_on) {
		take_field_line(r, line, false);
		return;
	}
	r->is_in_field = slice_starts_nocase(line, SLICE("Received:")) && r->hop_count < RETURNED_HOPS_MAX;
	if (r->is_in_field) {
		take_field_line(r, slice_from(line, 9), true);
		return;
	}
	if (slice_starts_nocase(line, SLICE("Remote-MTA:")))
		keep_name(r->remote, host_at(slice_trim(slice_from(line, slice_find_byte(line, 0, ';') + 1))));
	take_words(r, slice_trim(line));
}

void returned_feed(struct returned *r, struct slice bytes)
{
	while (bytes.len > 0 && r->bytes < RETURNED_BYTES_MAX) {
		size_t end = slice_find_byte(bytes, 0, '\n');
		struct slice piece = slice_first(bytes, end);
		struct slice kept = slice_first(piece, RETURNED_LINE_BYTES - r->line_len);
		memcpy(r->line + r->line_len, kept.ptr, kept.len);
		r->line_len += kept.len;
		if (end < bytes.len)
			take_line(r);
		r->bytes += r->is_body ? end + 1 : 0;
		bytes = slice_from(bytes, end + 1);
	}
}

static void suspect(struct trace_incident *out, const char *host, const char *evidence)
{
	struct incident *inc = &out->incident;
	struct party_track t = { .boost = 0 };
	if (host[0] == '\0' || inc->party_count == INCIDENT_PARTIES_MAX)
		return;
	for (unsigned i = 0; i < inc->party_count; i++)
		if (strcmp(inc->parties[i].host, host) == 0)
			return;
	struct party *p = &inc->parties[inc->party_count++];
	*p = (struct party){ .role = PARTY_SUSPECT, .copies = 1, .blame = 1 };
	snprintf(p->host, sizeof p->host, "%s", host);
	struct ip ip;
	if (ip_parse(slice_from_str(host), &ip))
		party_add_address(p, ip);
	party_add_evidence(p, &t, 1 << 8, "%s", evidence);
}

/* The hosts that wrote the lines of the mail that came back, newest first. */
static void suspects_of_lines(struct returned *r, struct trace_incident *out)
{
	struct arena arena;
	struct hop hop;
	char host[INCIDENT_TEXT_BYTES];
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	for (unsigned i = 0; i < r->hop_count; i++) {
		if (!received_parse(&arena, slice_from_str(r->hops[i]), &hop) || hop.by.len == 0)
			continue;
		party_copy_name(host, hop.by);
		suspect(out, host, "its line stands in the mail that the bounce brought back");
	}
	arena_free(&arena);
}

bool returned_loop(struct returned *r, const struct trace_setup *setup, const struct facts *facts,
		   struct slice recipient, const char *place, struct trace_incident *out)
{
	(void)setup;
	if (r->line_len > 0)
		take_line(r);
	take_paragraph(r);
	if (!r->is_loop)
		return false;
	*out = (struct trace_incident){ .worst_pair = 1 };
	struct incident *inc = &out->incident;
	incident_describe(inc, facts);
	inc->cls = STORM_LOOP;
	inc->copies = inc->pairs = inc->recipients = 1;
	inc->first_ms = inc->last_ms = facts->time_ms;
	const char *host = r->host[0] ? r->host : r->remote;
	incident_topic(STORM_LOOP, host[0] ? slice_from_str(host) : facts->subject, SLICE("told by a bounce"),
			 inc->content_public);
	incident_id(STORM_LOOP, inc->content_public, inc->id);
	snprintf(inc->opener, sizeof inc->opener, "a bounce reports a loop: %.120s", r->words);
	suspect(out, host, "a bounce says that it counted too many hops there");
	suspects_of_lines(r, out);
	sample_fill(&out->samples[out->sample_count++], facts, recipient, place);
	out->samples[0].party = UINT_MAX;
	return true;
}
