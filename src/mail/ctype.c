/* SPDX-License-Identifier: Apache-2.0
 *
 * ctype: reads leniently, as mail readers do: an unquoted value goes on to the
 * next ";" or blank even if RFC 2045 wants it quoted (boundary=----=_Next).
 */
#include "mail/ctype.h"

#include "mail/lex.h"

static bool ctype_is_token_byte(char c)
{
	return (unsigned char)c > 32 && c != 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct slice ctype_token(struct slice s, size_t *pos)
{
	*pos = lex_skip_cfws(s, *pos);
	size_t start = *pos;
	while (*pos < s.len && ctype_is_token_byte(s.ptr[*pos]))
		(*pos)++;
	return slice_between(s, start, *pos);
}

static size_t ctype_copy_lower(char *to, struct slice s)
{
	s = slice_first(s, CTYPE_TOKEN_BYTES);
	if (s.len > 0)
		memcpy(to, s.ptr, s.len);
	lex_lower(to, s.len);
	return s.len;
}

void ctype_set(struct ctype *t, struct slice type, struct slice subtype)
{
	t->type_len = ctype_copy_lower(t->type, type);
	t->subtype_len = ctype_copy_lower(t->subtype, subtype);
	t->boundary_len = 0;
}

bool ctype_is(const struct ctype *t, struct slice type)
{
	return slice_equal(ctype_type(t), type);
}

static size_t ctype_percent_decode(struct slice s, char *to)
{
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t value = 0;
		if (s.ptr[i] == '%' && slice_to_hex64(slice_between(s, i + 1, i + 3), &value)) {
			to[len++] = (char)value;
			i += 2;
		} else {
			to[len++] = s.ptr[i];
		}
	}
	return len;
}

/* Adds a piece of the boundary; one that does not fit spoils it all. */
static void ctype_add_boundary(struct ctype *t, struct slice value, bool is_quoted,
			       bool is_percent, bool *is_spoilt)
{
	if (value.len > CTYPE_BOUNDARY_BYTES - t->boundary_len) {
		*is_spoilt = true;
		return;
	}
	char *to = t->boundary + t->boundary_len;
	if (is_quoted) {
		t->boundary_len += lex_unquote(value, to);
	} else if (is_percent) {
		size_t mark = slice_find_byte(value, 0, '\'');
		size_t second = slice_find_byte(value, mark + 1, '\'');
		if (second < value.len && t->boundary_len == 0)
			value = slice_from(value, second + 1);
		t->boundary_len += ctype_percent_decode(value, to);
	} else if (value.len > 0) {
		memcpy(to, value.ptr, value.len);
		t->boundary_len += value.len;
	}
}

static struct slice ctype_value(struct slice s, size_t *pos, bool *is_quoted)
{
	*pos = lex_skip_cfws(s, *pos);
	size_t start = *pos;
	*is_quoted = start < s.len && s.ptr[start] == '"';
	if (*is_quoted) {
		*pos = lex_quoted_end(s, start);
		return slice_between(s, start, *pos);
	}
	while (*pos < s.len && s.ptr[*pos] != ';' && !ascii_is_space(s.ptr[*pos]))
		(*pos)++;
	return slice_between(s, start, *pos);
}

/* A quoted boundary may be folded: the line ends are not part of it. */
static void ctype_unfold_boundary(struct ctype *t)
{
	size_t len = 0;
	for (size_t i = 0; i < t->boundary_len; i++)
		if (t->boundary[i] != '\r' && t->boundary[i] != '\n')
			t->boundary[len++] = t->boundary[i];
	t->boundary_len = len;
}

static void ctype_parse_parameters(struct slice s, size_t pos, struct ctype *t)
{
	bool is_spoilt = false, has_plain = false;
	while (pos < s.len) {
		bool is_quoted = false;
		pos = slice_find_byte(s, pos, ';');
		pos += pos < s.len;
		struct slice name = ctype_token(s, &pos);
		pos = lex_skip_cfws(s, pos);
		if (pos >= s.len || s.ptr[pos] != '=')
			continue;
		pos++;
		struct slice value = ctype_value(s, &pos, &is_quoted);
		if (has_plain || !slice_starts_nocase(name, SLICE("boundary")))
			continue;
		bool is_whole = name.len == 8;
		if (!is_whole && name.ptr[8] != '*')
			continue;
		if (is_whole)
			t->boundary_len = 0;
		has_plain = is_whole;
		ctype_add_boundary(t, value, is_quoted, name.ptr[name.len - 1] == '*', &is_spoilt);
	}
	if (is_spoilt)
		t->boundary_len = 0;
	ctype_unfold_boundary(t);
}

bool ctype_parse(struct slice value, struct ctype *ctype_out)
{
	size_t pos = 0;
	struct slice type = ctype_token(value, &pos);
	pos = lex_skip_cfws(value, pos);
	bool is_right = pos < value.len && value.ptr[pos] == '/';
	pos++;
	struct slice subtype = is_right ? ctype_token(value, &pos) : slice_make(NULL, 0);
	if (subtype.len == 0) {
		ctype_set(ctype_out, SLICE("text"), SLICE("plain"));
		return false;
	}
	ctype_set(ctype_out, type, subtype);
	ctype_parse_parameters(value, pos, ctype_out);
	return true;
}
