/* SPDX-License-Identifier: Apache-2.0
 *
 * lex: see lex.h. Every loop moves forward by at least one byte.
 */
#include "mail/lex.h"

static bool lex_is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

struct text lex_unfold(struct arena *arena, struct slice value)
{
	value = slice_trim(value);
	char *to = value.len > 0 ? arena_alloc(arena, value.len) : NULL;
	if (!to)
		return (struct text){ NULL, 0 };
	bool is_plain = !memchr(value.ptr, '\n', value.len) && !memchr(value.ptr, '\r', value.len) &&
			!memchr(value.ptr, '\0', value.len);
	if (is_plain) {
		memcpy(to, value.ptr, value.len);
		return (struct text){ to, value.len };
	}
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (!lex_is_line_end(c)) {
			to[len++] = c ? c : ' ';
			continue;
		}
		while (i + 1 < value.len && lex_is_line_end(value.ptr[i + 1]))
			i++;
		if (i + 1 < value.len && !ascii_is_blank(value.ptr[i + 1]))
			to[len++] = ' ';
	}
	return (struct text){ to, len };
}

size_t lex_comment_end(struct slice s, size_t pos)
{
	size_t depth = 0;
	for (; pos < s.len; pos++) {
		char c = s.ptr[pos];
		if (c == '\\')
			pos++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return pos + 1;
	}
	return s.len;
}

size_t lex_quoted_end(struct slice s, size_t pos)
{
	for (pos++; pos < s.len; pos++) {
		if (s.ptr[pos] == '\\')
			pos++;
		else if (s.ptr[pos] == '"')
			return pos + 1;
	}
	return s.len;
}

size_t lex_skip_cfws(struct slice s, size_t pos)
{
	while (pos < s.len) {
		if (ascii_is_space(s.ptr[pos]))
			pos++;
		else if (s.ptr[pos] == '(')
			pos = lex_comment_end(s, pos);
		else
			break;
	}
	return pos;
}

size_t lex_unquote(struct slice quoted, char *to)
{
	size_t len = 0;
	for (size_t i = 0; i < quoted.len; i++) {
		char c = quoted.ptr[i];
		if (c == '"')
			continue;
		if (c == '\\' && i + 1 < quoted.len)
			c = quoted.ptr[++i];
		to[len++] = c;
	}
	return len;
}

void lex_lower(char *ptr, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ptr[i] = ascii_lower(ptr[i]);
}

struct slice lex_message_id(struct slice value, struct slice *rest_out)
{
	struct slice none = { NULL, 0 };
	struct slice rest = none, id = none;
	size_t open = slice_find_byte(value, 0, '<');
	size_t close = slice_find_byte(value, open, '>');
	if (open < value.len) {
		id = slice_trim(slice_between(value, open + 1, close));
		rest = slice_from(value, close + 1);
	} else {
		struct slice word = slice_trim(value);
		size_t i = 0;
		while (i < word.len && !ascii_is_space(word.ptr[i]))
			i++;
		if (i == word.len && memchr(word.ptr ? word.ptr : "", '@', word.len))
			id = word;
	}
	if (rest_out)
		*rest_out = rest;
	return id;
}
