/* SPDX-License-Identifier: Apache-2.0
 *
 * slice: bytes that belong to somebody else.
 *
 * All bytes from outside (mail, logs, peers) travel as slices: a pointer and a
 * length, never a C string, because hostile bytes hold NULs and miss their end.
 * A slice owns nothing; it lives as long as the memory it points into.
 * ptr may be NULL when len is 0, and only then.
 */
#ifndef QUELL_BASE_SLICE_H
#define QUELL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *ptr;
	size_t len;
};

/* A slice over a string literal. */
#define SLICE(lit) ((struct slice){ (lit), sizeof(lit) - 1 })
/* For printf("%.*s", SLICE_ARG(s)); the length is cut at INT_MAX. */
#define SLICE_ARG(s) ((int)((s).len > INT32_MAX ? INT32_MAX : (s).len)), ((s).ptr ? (s).ptr : "")

static inline struct slice slice_make(const void *ptr, size_t len)
{
	return (struct slice){ ptr, len };
}

/* Over a NUL-terminated string; NULL gives the empty slice. */
struct slice slice_from_str(const char *str);

/* The rest of s from position pos; empty when pos is past the end. */
struct slice slice_from(struct slice s, size_t pos);
/* The first n bytes of s, or all of it. */
struct slice slice_first(struct slice s, size_t n);
/* The bytes [from, to) of s; both are cut to its length. */
struct slice slice_between(struct slice s, size_t from, size_t to);

bool slice_equal(struct slice a, struct slice b);
/* ASCII case-insensitive, independent of the locale. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* Position of the first byte c at or after from; s.len when there is none. */
size_t slice_find_byte(struct slice s, size_t from, char c);
/* Position of needle at or after from, ASCII case-insensitive; s.len if none. */
size_t slice_find_nocase(struct slice s, size_t from, struct slice needle);

/* Without blanks, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice s);

/* Takes the bytes up to the next sep off *s (sep is skipped, not returned). The
 * last part is what remains. False when *s was already used up. */
bool slice_next(struct slice *s, char sep, struct slice *part_out);

/* Decimal digits only, no sign, no blanks, at least one; false on overflow. */
bool slice_to_u64(struct slice s, uint64_t *value_out);
/* Hexadecimal digits only, 1 to 16 of them. */
bool slice_to_hex64(struct slice s, uint64_t *value_out);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline bool ascii_is_blank(char c) { return c == ' ' || c == '\t'; }
static inline bool ascii_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static inline bool ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_alpha(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

#endif
