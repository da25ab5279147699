/* SPDX-License-Identifier: Apache-2.0
 *
 * buf: a growing buffer that names its ceiling at birth.
 *
 * A buf never grows past cap_max. An append that would is refused whole, sets
 * is_over, and every later append is refused too: the writer checks once at the
 * end. Owner: whoever called buf_init; freed with buf_free.
 */
#ifndef QUELL_BASE_BUF_H
#define QUELL_BASE_BUF_H

#include "base/slice.h"

#include <stdarg.h>

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t cap_max;
	bool is_over; /* an append was refused: ceiling or no memory */
};

void buf_init(struct buf *b, size_t cap_max);
void buf_free(struct buf *b);
/* Empty again; keeps the memory; clears is_over. */
void buf_reset(struct buf *b);

bool buf_add(struct buf *b, struct slice s);
bool buf_add_byte(struct buf *b, char c);
bool buf_add_str(struct buf *b, const char *str);
bool buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_addv(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Big-endian, as milter and most wires want it. */
bool buf_add_u32be(struct buf *b, uint32_t value);

/* Room for n more bytes; where to write them, or NULL. Then buf_commit. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* Drops the first n bytes and moves the rest to the front. */
void buf_consume(struct buf *b, size_t n);

static inline struct slice buf_slice(const struct buf *b)
{
	return slice_make(b->ptr, b->len);
}
/* NUL-terminated view (the NUL is not counted); "" when empty or over. */
const char *buf_str(struct buf *b);

#endif
