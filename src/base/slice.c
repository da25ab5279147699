/* SPDX-License-Identifier: Apache-2.0
 *
 * slice: comparing, cutting and reading bytes that belong to somebody else.
 * Pure; never allocates; every position is checked against the length.
 */
#include "base/slice.h"

struct slice slice_from_str(const char *str)
{
	return str ? slice_make(str, strlen(str)) : slice_make(NULL, 0);
}

struct slice slice_from(struct slice s, size_t pos)
{
	return pos >= s.len ? slice_make(NULL, 0) : slice_make(s.ptr + pos, s.len - pos);
}

struct slice slice_first(struct slice s, size_t n)
{
	return slice_make(s.ptr, n < s.len ? n : s.len);
}

struct slice slice_between(struct slice s, size_t from, size_t to)
{
	return from >= to ? slice_make(NULL, 0) : slice_from(slice_first(s, to), from);
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_equal_nocase(slice_first(s, prefix.len), prefix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	       slice_equal_nocase(slice_from(s, s.len - suffix.len), suffix);
}

size_t slice_find_byte(struct slice s, size_t from, char c)
{
	if (from >= s.len)
		return s.len;
	const char *hit = memchr(s.ptr + from, c, s.len - from);
	return hit ? (size_t)(hit - s.ptr) : s.len;
}

size_t slice_find_nocase(struct slice s, size_t from, struct slice needle)
{
	if (needle.len == 0 || needle.len > s.len)
		return needle.len == 0 && from <= s.len ? from : s.len;
	char first = ascii_lower(needle.ptr[0]);
	for (size_t i = from; i + needle.len <= s.len; i++)
		if (ascii_lower(s.ptr[i]) == first &&
		    slice_equal_nocase(slice_make(s.ptr + i, needle.len), needle))
			return i;
	return s.len;
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && ascii_is_space(s.ptr[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && ascii_is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool slice_next(struct slice *s, char sep, struct slice *part_out)
{
	if (s->len == 0)
		return false;
	size_t end = slice_find_byte(*s, 0, sep);
	*part_out = slice_first(*s, end);
	*s = slice_from(*s, end + 1);
	return true;
}

bool slice_to_u64(struct slice s, uint64_t *value_out)
{
	uint64_t value = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.ptr[i]))
			return false;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*value_out = value;
	return true;
}

static int hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool slice_to_hex64(struct slice s, uint64_t *value_out)
{
	uint64_t value = 0;
	if (s.len == 0 || s.len > 16)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.ptr[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*value_out = value;
	return true;
}
