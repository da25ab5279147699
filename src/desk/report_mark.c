/* SPDX-License-Identifier: Apache-2.0
 *
 * report_mark: the one place for each medium where outside text becomes part of a
 * document. All of it goes through text_safe first, so that control bytes, direction
 * marks and what cannot be seen never reach a document either; what is then left to do
 * is the medium's own quoting.
 */
#include "desk/report.h"

#include "desk/text.h"

enum { MARK_BYTES_MAX = 256 * 1024 };

static void mark_safe(struct buf *out, struct slice safe)
{
	size_t from = 0;
	for (size_t i = 0; i < safe.len; i++) {
		char c = safe.ptr[i];
		const char *word = c == '&'    ? "&amp;"
				   : c == '<'  ? "&lt;"
				   : c == '>'  ? "&gt;"
				   : c == '"'  ? "&quot;"
				   : c == '\'' ? "&#39;"
					       : NULL;
		if (!word)
			continue;
		buf_add(out, slice_between(safe, from, i));
		buf_add_str(out, word);
		from = i + 1;
	}
	buf_add(out, slice_from(safe, from));
}

void mark_text(struct buf *out, struct slice text)
{
	struct buf safe;
	buf_init(&safe, MARK_BYTES_MAX);
	text_safe(&safe, text);
	mark_safe(out, buf_slice(&safe));
	buf_free(&safe);
}

void mark_str(struct buf *out, const char *text)
{
	mark_text(out, slice_from_str(text));
}

void mark_cut(struct buf *out, const char *text, size_t columns)
{
	struct buf safe, cut;
	buf_init(&safe, MARK_BYTES_MAX);
	buf_init(&cut, MARK_BYTES_MAX);
	text_safe(&safe, slice_from_str(text));
	text_cut(&cut, buf_slice(&safe), columns);
	mark_safe(out, buf_slice(&cut));
	buf_free(&safe);
	buf_free(&cut);
}

/* A backslash is doubled: in a label "\N" and "\G" would be names, "\l" a line. */
void dot_text(struct buf *out, const char *text)
{
	struct buf safe;
	buf_init(&safe, MARK_BYTES_MAX);
	text_safe(&safe, slice_from_str(text));
	struct slice s = buf_slice(&safe);
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, s.ptr[i]);
	}
	buf_free(&safe);
}
