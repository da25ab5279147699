/* SPDX-License-Identifier: Apache-2.0
 *
 * lex: the small change of header grammar (RFC 5322 3.2): comments, quoted
 * strings, folding. Shared by the readers of addresses, dates, Received lines
 * and content types. Pure; no recursion (a million "(" cost a counter); linear.
 */
#ifndef QUELL_MAIL_LEX_H
#define QUELL_MAIL_LEX_H

#include "base/arena.h"
#include "base/slice.h"

/* Text that its reader may change in place (lower case, unquoting): a field's
 * own copy in the mail's arena. */
struct text {
	char *ptr;
	size_t len;
};

static inline struct slice text_slice(struct text t)
{
	return slice_make(t.ptr, t.len);
}

/* A copy of a field body on one line: line ends before white space vanish, any
 * other CR, LF or NUL becomes a blank; trimmed. Empty when the arena is full. */
struct text lex_unfold(struct arena *arena, struct slice value);

/* s.ptr[pos] is '(': the position after the matching ')'; s.len if none. */
size_t lex_comment_end(struct slice s, size_t pos);
/* s.ptr[pos] is '"': the position after the closing one; s.len if none. */
size_t lex_quoted_end(struct slice s, size_t pos);
/* The first position at or after pos that is neither white space nor comment. */
size_t lex_skip_cfws(struct slice s, size_t pos);

/* What a quoted string says (quotes and backslashes gone), written to to, which
 * may be where quoted lies. Returns the bytes written, never more than quoted. */
size_t lex_unquote(struct slice quoted, char *to);

/* ASCII lower case, in place. */
void lex_lower(char *ptr, size_t len);

/* The first msg-id of a field body, without <>: what stands in the first angle
 * brackets, or a lone word with an @. Empty when there is none. rest_out (may be
 * NULL) is what follows it. */
struct slice lex_message_id(struct slice value, struct slice *rest_out);

#endif
