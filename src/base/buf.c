/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: a growing buffer with a ceiling.
 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>

enum { BUF_FIRST_BYTES = 256 };

void buf_init(struct buf *b, size_t cap_max)
{
	*b = (struct buf){ .cap_max = cap_max };
}

void buf_free(struct buf *b)
{
	mem_free(b->ptr);
	*b = (struct buf){ .cap_max = b->cap_max };
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->is_over = false;
}

static bool buf_grow(struct buf *b, size_t need)
{
	if (need <= b->cap)
		return true;
	if (need > b->cap_max)
		return false;
	size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
	while (cap < need)
		cap *= 2;
	if (cap > b->cap_max)
		cap = b->cap_max;
	char *ptr = mem_resize(b->ptr, cap);
	if (!ptr)
		return false;
	b->ptr = ptr;
	b->cap = cap;
	return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (b->is_over || n > SIZE_MAX - b->len || !buf_grow(b, b->len + n)) {
		b->is_over = true;
		return NULL;
	}
	return b->ptr + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	b->len += n;
}

bool buf_add(struct buf *b, struct slice s)
{
	if (s.len == 0)
		return !b->is_over;
	char *to = buf_reserve(b, s.len);
	if (!to)
		return false;
	memcpy(to, s.ptr, s.len);
	b->len += s.len;
	return true;
}

bool buf_add_byte(struct buf *b, char c)
{
	return buf_add(b, slice_make(&c, 1));
}

bool buf_add_str(struct buf *b, const char *str)
{
	return buf_add(b, slice_from_str(str));
}

bool buf_addv(struct buf *b, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
	if (!to) {
		b->is_over = true;
		return false;
	}
	vsnprintf(to, (size_t)n + 1, format, args);
	b->len += (size_t)n;
	return true;
}

bool buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	bool is_added = buf_addv(b, format, args);
	va_end(args);
	return is_added;
}

bool buf_add_u32be(struct buf *b, uint32_t value)
{
	char bytes[4] = { (char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value };
	return buf_add(b, slice_make(bytes, sizeof bytes));
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->ptr, b->ptr + n, b->len - n);
	b->len -= n;
}

const char *buf_str(struct buf *b)
{
	if (!buf_grow(b, b->len + 1))
		return "";
	b->ptr[b->len] = '\0';
	return b->ptr;
}
