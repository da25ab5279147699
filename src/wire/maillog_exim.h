/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_exim: what the files of Exim's grammar share; nobody else includes it.
 * maillog_exim.re reads the line, maillog_exim_words.c knows its words, and
 * maillog_exim_outcome.c what became of a recipient.
 */
#ifndef QUELL_WIRE_MAILLOG_EXIM_H
#define QUELL_WIRE_MAILLOG_EXIM_H

#include "wire/maillog_inside.h"

/* Nothing may be added to NULL, not even 0. */
static inline const char *exim_begin(struct slice s)
{
	return s.ptr ? s.ptr : "";
}

static inline const char *exim_end(struct slice s)
{
	return exim_begin(s) + s.len;
}

static inline bool exim_is_key(struct slice word, char key)
{
	return word.len >= 2 && word.ptr[0] == key && word.ptr[1] == '=';
}

static inline struct slice exim_value(struct slice word)
{
	return slice_from(word, slice_find_byte(word, 0, '=') + 1);
}

static inline struct slice exim_unquote(struct slice s)
{
	return maillog_unwrap(s, '"', '"');
}

static inline void exim_set_from(struct maillog_event *ev, struct slice from)
{
	ev->from = maillog_unwrap(from, '<', '>');
	ev->has_from = true;
}

/* ---- maillog_exim_words.c ---- */

/* Up to the next blank that is not in quotes; blanks before it are passed over. */
struct slice exim_take_word(struct slice *rest);

struct exim_host {
	struct slice client; /* "name [address]", or "[address]" when HELO stands between them */
	struct slice relay;  /* as written, with the port */
	struct slice helo;
};

/* "name (helo) [address]:port" off the start of *rest, each part where it is there. */
void exim_take_host(struct slice *rest, struct exim_host *host_out);
/* The host behind "H=", which word (just taken off *rest) begins with. */
void exim_take_host_value(struct slice word, struct slice *rest, struct exim_host *host_out);
/* "1d2h3m4s", "0.053s" as ms; -1 when it is not that. */
int64_t exim_duration_ms(struct slice s);
/* Of "plain:user" or "plain:user:sender". */
struct slice exim_user(struct slice auth);

/* ---- maillog_exim_outcome.c ---- */

/* rest: behind the flag. kind is set where the line is whole; OTHER gives the fields alone. */
void exim_read_delivery(struct slice rest, enum maillog_kind kind, struct maillog_event *ev);

#endif
