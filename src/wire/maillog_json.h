/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_json: the members of one JSON object on one line (RFC 8259), as logs have them.
 * Strict, linear, no memory of its own: a value that needs no unescaping is a slice of the
 * line, others are unescaped into the reader's memory when they are asked for. Not a
 * general parser: the library that the other rooms use takes ten times as long a line.
 */
#ifndef QUELL_WIRE_MAILLOG_JSON_H
#define QUELL_WIRE_MAILLOG_JSON_H

#include "wire/maillog.h"

enum { MAILLOG_JSON_DEPTH_MAX = 32 };

enum maillog_json_type { JSON_STRING, JSON_NUMBER, JSON_WORD, JSON_ARRAY, JSON_OBJECT };

struct maillog_json_value {
	enum maillog_json_type type;
	struct slice raw; /* as written: a string without its quotes, the others whole */
	bool has_escapes; /* of a string */
};

/* A walk over the members of an object, or the elements of an array. */
struct maillog_json {
	const char *c, *e;
	bool is_begun, is_bad;
};

/* line: the whole object, blanks around it allowed. */
void maillog_json_begin(struct maillog_json *j, struct slice line);
/* array: a value's raw text; the walk is over its elements. */
void maillog_json_begin_array(struct maillog_json *j, struct slice array);

/* The next member; false at the end (nothing but blanks behind it) or at the first fault:
 * then is_bad. Keys are as written: one with escapes is none that anybody asks for. */
bool maillog_json_member(struct maillog_json *j, struct slice *key_out, struct maillog_json_value *value_out);
bool maillog_json_element(struct maillog_json *j, struct maillog_json_value *value_out);

/* The text of a string, or the digits of a number, or empty (null, true, arrays). Cut at
 * a character where the reader's memory is full. A lone surrogate becomes U+FFFD. */
struct slice maillog_json_text(struct maillog_reader *reader, const struct maillog_json_value *value);

#endif
