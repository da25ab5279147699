/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_words: the small pieces that all grammars of maillog are made of. Pure; what
 * is not there takes nothing off the text.
 */
#include "wire/maillog_inside.h"

enum { SECONDS_DIGITS_MAX = 12 };

/* Behind a quoted string that begins at c; NULL when it has no end. */
static const char *pass_quoted(const char *c, const char *e)
{
	for (c++; c < e; c++) {
		if (*c == '"')
			return c + 1;
		if (*c == '\\')
			c++;
	}
	return NULL;
}

bool maillog_take_path(struct slice *rest, struct slice *path_out)
{
	if (rest->len == 0 || rest->ptr[0] != '<')
		return false;
	const char *c = rest->ptr, *e = c + rest->len;
	for (c++; c < e && *c != '>'; c++) {
		if (*c == '<' || *c == '\0')
			return false;
		if (*c == '"') {
			c = pass_quoted(c, e);
			if (!c)
				return false;
			c--;
		}
	}
	if (c >= e)
		return false;
	*path_out = maillog_span(rest->ptr + 1, c);
	*rest = maillog_span(c + 1, e);
	return true;
}

bool maillog_take_address(struct slice *rest, struct slice *address_out)
{
	if (maillog_take_path(rest, address_out))
		return true;
	size_t n = 0;
	while (n < rest->len && !strchr("<>, ", rest->ptr[n]))
		n++;
	if (n == 0)
		return false;
	*address_out = slice_first(*rest, n);
	*rest = maillog_from(*rest, n);
	return true;
}

struct slice maillog_take_until(struct slice *rest, char separator)
{
	struct slice all = *rest;
	const char *hit = all.len > 0 ? memchr(all.ptr, separator, all.len) : NULL;
	if (!hit) {
		*rest = maillog_from(all, all.len);
		return all;
	}
	*rest = maillog_span(hit + 1, all.ptr + all.len);
	return maillog_span(all.ptr, hit);
}

struct slice maillog_take_value(struct slice *rest)
{
	struct slice all = *rest;
	size_t n = 0;
	while (n < all.len && all.ptr[n] != ',' && all.ptr[n] != ' ')
		n++;
	*rest = maillog_from(all, n);
	return slice_make(all.ptr, n);
}

int64_t maillog_take_seconds(struct slice *rest)
{
	struct slice s = *rest;
	int64_t ms = 0, scale = 100;
	size_t n = 0;
	for (; n < s.len && ascii_is_digit(s.ptr[n]) && n <= SECONDS_DIGITS_MAX; n++)
		ms = ms * 10 + (s.ptr[n] - '0');
	if (n == 0 || n > SECONDS_DIGITS_MAX)
		return -1;
	ms *= 1000;
	if (n < s.len && s.ptr[n] == '.')
		for (n++; n < s.len && ascii_is_digit(s.ptr[n]); n++, scale /= 10)
			ms += (s.ptr[n] - '0') * scale;
	*rest = maillog_from(s, n);
	return ms;
}

size_t maillog_find_last(struct slice text, struct slice word)
{
	size_t last = text.len;
	const char *hit;
	for (struct slice rest = text; rest.len > 0; rest = maillog_from(text, last + 1)) {
		hit = memmem(rest.ptr, rest.len, word.ptr, word.len);
		if (!hit)
			break;
		last = (size_t)(hit - text.ptr);
	}
	return last;
}

struct slice maillog_keep(struct maillog_reader *reader, struct slice s)
{
	if (s.len > sizeof reader->scratch - reader->scratch_used || s.len == 0)
		return slice_make(NULL, 0);
	char *to = reader->scratch + reader->scratch_used;
	memcpy(to, s.ptr, s.len);
	reader->scratch_used += (unsigned)s.len;
	return slice_make(to, s.len);
}
