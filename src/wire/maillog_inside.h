/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_inside: what the grammars of maillog share; nobody else includes it.
 * maillog.re reads the prefix and knows the servers; one file a server reads the rest.
 *
 * A grammar gets an event that holds nothing but the prefix (time, host, program,
 * service), or nothing at all where the server writes its own files. It returns whether
 * the line is its server's, also when it holds no fact (kind OTHER); then the format is
 * set by the caller. False leaves the event as it was, but for slices within the line.
 */
#ifndef QUELL_WIRE_MAILLOG_INSIDE_H
#define QUELL_WIRE_MAILLOG_INSIDE_H

#include "wire/maillog.h"

static inline struct slice maillog_span(const char *from, const char *to)
{
	return slice_make(from, (size_t)(to - from));
}

/* The rest of s from pos. Never without a pointer, unlike slice_from, so that an automaton
 * may always count from it. */
static inline struct slice maillog_from(struct slice s, size_t pos)
{
	size_t cut = pos < s.len ? pos : s.len;
	return cut > 0 ? slice_make(s.ptr + cut, s.len - cut) : s;
}

static inline bool maillog_starts(struct slice s, struct slice word)
{
	return s.len >= word.len && (word.len == 0 || memcmp(s.ptr, word.ptr, word.len) == 0);
}

/* Passes over word at the start of *rest; false (and nothing done) when it is not there. */
static inline bool maillog_skip(struct slice *rest, struct slice word)
{
	if (!maillog_starts(*rest, word))
		return false;
	*rest = maillog_from(*rest, word.len);
	return true;
}

/* "<a>" without its two ends; anything else as it is. */
static inline struct slice maillog_unwrap(struct slice s, char open, char close)
{
	if (s.len >= 2 && s.ptr[0] == open && s.ptr[s.len - 1] == close)
		return slice_make(s.ptr + 1, s.len - 2);
	return s;
}

/* ---- maillog_words.c ---- */

/* "<path>" off *rest; a quoted local part may hold brackets. False (nothing done) when
 * there is none. */
bool maillog_take_path(struct slice *rest, struct slice *path_out);
/* The same, or a bare word up to a comma or blank. */
bool maillog_take_address(struct slice *rest, struct slice *address_out);
/* The bytes up to the next separator (or the end), which is passed over too. */
struct slice maillog_take_until(struct slice *rest, char separator);
/* Up to " " or "," or the end; neither is passed over. */
struct slice maillog_take_value(struct slice *rest);
/* "12" or "0.053" seconds off *rest, as ms; -1 when there is no number. */
int64_t maillog_take_seconds(struct slice *rest);
/* Where word begins for the last time; text.len when it is not there. */
size_t maillog_find_last(struct slice text, struct slice word);
/* Copies into the reader's memory; an empty slice when it is full. reader may not be NULL. */
struct slice maillog_keep(struct maillog_reader *reader, struct slice s);

/* ---- maillog_export.c ---- */

/* Whether the line belongs to an exported journal. Its record's end gives the line that
 * syslog would have written, in the reader's memory; else *line_out is empty. */
bool maillog_export(struct maillog_reader *reader, struct slice line, struct slice *line_out);

/* ---- one function a server ---- */

/* text: behind the prefix. */
bool maillog_postfix(struct slice text, struct maillog_event *ev);
bool maillog_sendmail(struct slice text, struct maillog_event *ev);
bool maillog_opensmtpd(struct slice text, struct maillog_event *ev);
bool maillog_dovecot(struct slice text, struct maillog_event *ev);
/* line: a whole line of mainlog (ev->time is empty), or behind syslog's prefix (ev->time
 * is set; the text may repeat its own time in front). */
bool maillog_exim(struct slice line, struct maillog_event *ev);

/* Whole lines of files that name their columns. Offered: every line while the reader
 * knows no format yet; later those that begin with '#' (or a byte order mark), and all
 * lines while reader->column_count > 0 (separator ',' to exchange, else to zeek_tsv);
 * to zeek_json those that begin with '{'. The header line sets columns, column_count
 * and separator, and returns true (kind OTHER). ev->format is set by the caller. */
bool maillog_exchange(struct maillog_reader *reader, struct slice line, struct maillog_event *ev);
bool maillog_zeek_tsv(struct maillog_reader *reader, struct slice line, struct maillog_event *ev);
bool maillog_zeek_json(struct maillog_reader *reader, struct slice line, struct maillog_event *ev);

#endif
