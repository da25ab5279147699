/* SPDX-License-Identifier: Apache-2.0
 *
 * spool: first into memory, then into a file without a name.
 */
#include "store/spool.h"

#include "store/disk.h"

#include <unistd.h>

void spool_init(struct spool *s, int dir_fd, size_t memory_bytes, uint64_t body_bytes_max)
{
	*s = (struct spool){ .body_fd = -1, .dir_fd = dir_fd, .body_bytes_max = body_bytes_max };
	buf_init(&s->head, SPOOL_HEAD_BYTES_MAX);
	buf_init(&s->body, memory_bytes);
}

static void spool_close_file(struct spool *s)
{
	if (s->body_fd >= 0)
		close(s->body_fd);
	s->body_fd = -1;
	s->body_bytes = 0;
}

void spool_free(struct spool *s)
{
	spool_close_file(s);
	buf_free(&s->head);
	buf_free(&s->body);
	s->is_broken = false;
}

void spool_reset(struct spool *s)
{
	spool_close_file(s);
	buf_reset(&s->head);
	buf_reset(&s->body);
	s->is_broken = false;
}

static void spool_break(struct spool *s)
{
	spool_free(s);
	s->is_broken = true;
}

/* One line of a folded value. A line that would not read as a continuation gets a
 * blank before it: otherwise a value could smuggle in a field, or end the header. */
static void spool_value_line(struct spool *s, struct slice line, bool is_first)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (!is_first && line.len == 0)
		return;
	if (!is_first)
		buf_add(&s->head, SLICE("\r\n"));
	if (line.len > 0 && !ascii_is_blank(line.ptr[0]))
		buf_add_byte(&s->head, ' ');
	buf_add(&s->head, line);
}

void spool_header(struct spool *s, struct slice name, struct slice value)
{
	struct slice line;
	bool is_first = true;
	if (s->is_broken)
		return;
	buf_add(&s->head, name);
	buf_add_byte(&s->head, ':');
	while (slice_next(&value, '\n', &line)) {
		spool_value_line(s, line, is_first);
		is_first = false;
	}
	if (!buf_add(&s->head, SLICE("\r\n")))
		spool_break(s);
}

/* What does not fit in memory goes to the file; false: it cannot be kept. */
static bool spool_body_to_file(struct spool *s, struct slice chunk)
{
	if (s->body_fd < 0)
		s->body_fd = disk_open_unnamed(s->dir_fd);
	return s->body_fd >= 0 && disk_write(s->body_fd, chunk);
}

void spool_body(struct spool *s, struct slice chunk)
{
	if (s->is_broken || chunk.len == 0)
		return;
	if (chunk.len > s->body_bytes_max - s->body_bytes) {
		spool_break(s);
		return;
	}
	size_t room = s->body_fd < 0 ? s->body.cap_max - s->body.len : 0;
	struct slice first = slice_first(chunk, room);
	struct slice rest = slice_from(chunk, first.len);
	if (!buf_add(&s->body, first) || (rest.len > 0 && !spool_body_to_file(s, rest))) {
		spool_break(s);
		return;
	}
	s->body_bytes += chunk.len;
}
