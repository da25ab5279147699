/* SPDX-License-Identifier: Apache-2.0
 *
 * print: see print.h for what is hashed and why. The canonical text is written
 * to a small buffer so that the hash sees large pieces.
 */
#include "mail/print.h"

void print_begin(struct print *p, const struct address *from, const struct address *reply_to,
		 struct slice subject, struct slice in_reply_to)
{
	const char version = PRINT_VERSION;
	p->body_bytes = 0;
	p->leaf_count = 0;
	digest_init(&p->whole, NULL, DIGEST_BYTES);
	digest_add(&p->whole, slice_make(&version, 1));
	digest_add_field(&p->whole, from->local);
	digest_add_field(&p->whole, from->domain);
	digest_add_field(&p->whole, reply_to->local);
	digest_add_field(&p->whole, reply_to->domain);
	digest_add_field(&p->whole, subject);
	digest_add_field(&p->whole, in_reply_to);
}

static void print_add(struct print *p, struct slice s)
{
	p->piece_bytes += s.len;
	digest_add(&p->piece, s);
}

static void print_text_flush(struct print *p)
{
	print_add(p, slice_make(p->text.out, p->text.out_len));
	p->text.out_len = 0;
}

static void print_text_byte(struct print *p, char c)
{
	if (p->text.out_len == PRINT_OUT_BYTES)
		print_text_flush(p);
	p->text.out[p->text.out_len++] = c;
}

/* What was held back before a visible byte. */
static void print_text_release(struct print *p)
{
	for (; p->text.line_ends > 0; p->text.line_ends--)
		print_text_byte(p, '\n');
	if (p->text.has_blank)
		print_text_byte(p, ' ');
	p->text.has_blank = false;
	if (p->text.has_cr)
		print_text_byte(p, '\r');
	p->text.has_cr = false;
}

static inline bool print_is_visible(char c)
{
	return (unsigned char)c > ' ' || (c != ' ' && c != '\n' && c != '\t' && c != '\r');
}

/* Copies the visible bytes at pos, and lone blanks between such; returns the
 * position after them. */
static size_t print_text_word(struct print *p, struct slice s, size_t pos)
{
	print_text_release(p);
	while (pos < s.len) {
		size_t room = PRINT_OUT_BYTES - p->text.out_len;
		size_t end = s.len - pos < room ? s.len : pos + room;
		char *to = p->text.out + p->text.out_len;
		size_t i = pos;
		for (; i < end; i++) {
			char c = s.ptr[i];
			if (!print_is_visible(c) &&
			    (c != ' ' || i + 1 == end || !print_is_visible(s.ptr[i + 1])))
				break;
			*to++ = c;
		}
		p->text.out_len += i - pos;
		pos = i;
		if (i < end)
			break;
		if (p->text.out_len == PRINT_OUT_BYTES)
			print_text_flush(p);
	}
	return pos;
}

static void print_text(struct print *p, struct slice s)
{
	struct print_text *t = &p->text;
	for (size_t i = 0; i < s.len;) {
		char c = s.ptr[i];
		if (c == '\n') {
			t->line_ends++;
			t->has_blank = t->has_cr = false;
			i++;
		} else if (t->has_cr) {
			print_text_release(p); /* a CR alone stays */
		} else if (c == '\r') {
			t->has_cr = true;
			i++;
		} else if (c == ' ' || c == '\t') {
			t->has_blank = true;
			i++;
		} else {
			i = print_text_word(p, s, i);
		}
	}
}

/* CRLF to LF, nothing else. */
static void print_lines(struct print *p, struct slice s)
{
	if (p->text.has_cr && s.len > 0 && s.ptr[0] != '\n')
		print_add(p, SLICE("\r"));
	if (s.len > 0)
		p->text.has_cr = false;
	while (s.len > 0) {
		size_t cr = slice_find_byte(s, 0, '\r');
		print_add(p, slice_first(s, cr));
		if (cr < s.len && cr + 1 == s.len)
			p->text.has_cr = true;
		else if (cr < s.len && s.ptr[cr + 1] != '\n')
			print_add(p, SLICE("\r"));
		s = slice_from(s, cr + 1);
	}
}

void print_on_begin(void *print, const struct mime_part *part)
{
	static const char *const majors[] = { [MIME_MESSAGE] = "message", [MIME_DEBRIS] = "debris" };
	struct print *p = print;
	struct slice major = part->kind == MIME_LEAF ? ctype_type(part->ctype)
						     : slice_from_str(majors[part->kind]);
	p->kind = part->kind;
	p->major_len = major.len;
	memcpy(p->major, major.ptr, major.len);
	p->is_text = part->kind != MIME_LEAF || slice_equal(major, SLICE("text"));
	p->is_exact = part->encoding != ENCODING_PLAIN && part->encoding != ENCODING_QUOTED;
	p->piece_bytes = 0;
	p->text.line_ends = p->text.out_len = 0;
	p->text.has_blank = p->text.has_cr = false;
	digest_init(&p->piece, NULL, DIGEST_SHORT_BYTES);
}

void print_on_bytes(void *print, struct slice decoded)
{
	struct print *p = print;
	if (p->is_text)
		print_text(p, decoded);
	else if (p->is_exact)
		print_add(p, decoded);
	else
		print_lines(p, decoded);
}

void print_on_end(void *print, bool is_void)
{
	struct print *p = print;
	uint8_t digest[DIGEST_SHORT_BYTES];
	if (is_void)
		return;
	if (p->text.has_cr)
		print_text_release(p);
	if (p->is_text || p->text.out_len > 0)
		print_text_flush(p);
	if (p->kind == MIME_LEAF)
		p->leaf_count++;
	else if (p->piece_bytes == 0)
		return;
	p->body_bytes += p->piece_bytes;
	digest_end(&p->piece, digest);
	digest_add_field(&p->whole, slice_make(p->major, p->major_len));
	digest_add_field(&p->whole, slice_make(digest, sizeof digest));
}

void print_end(struct print *p, const uint8_t *key, struct facts *facts)
{
	struct digest d;
	digest_end(&p->whole, facts->content_public);
	digest_init(&d, key, DIGEST_SHORT_BYTES);
	digest_add(&d, slice_make(facts->content_public, DIGEST_BYTES));
	digest_end(&d, facts->content);
	digest_init(&d, key, DIGEST_SHORT_BYTES);
	digest_add_field(&d, slice_make(facts->content, DIGEST_SHORT_BYTES));
	digest_add_field(&d, facts->list_id);
	digest_add_field(&d, facts->resent_message_id);
	digest_end(&d, facts->instance);
}
