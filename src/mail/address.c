/* SPDX-License-Identifier: Apache-2.0
 *
 * address: one pass that gathers words into a phrase, written over the text
 * already read (a phrase is never longer than what it was gathered from).
 */
#include "mail/address.h"

enum { ADDRESS_NO_AT = -1 };

struct phrase {
	char *text;
	size_t len;
	ptrdiff_t at;        /* where the last @ outside quotes stands */
	bool want_blank;     /* white space was passed since the last byte */
	bool has_quoted;
	struct slice comment; /* a comment that ends the phrase: an old-style name */
};

static void phrase_begin(struct phrase *p, char *text)
{
	*p = (struct phrase){ .text = text, .at = ADDRESS_NO_AT };
}

static void phrase_add(struct phrase *p, char c)
{
	bool is_near_at = c == '@' || (p->len > 0 && (ptrdiff_t)p->len == p->at + 1);
	bool is_near_dot = p->at != ADDRESS_NO_AT && (c == '.' || p->text[p->len - 1] == '.');
	if (p->want_blank && p->len > 0 && !is_near_at && !is_near_dot)
		p->text[p->len++] = ' ';
	p->want_blank = false;
	p->comment.len = 0;
	p->text[p->len++] = c;
}

static void phrase_add_quoted(struct phrase *p, struct address_reader *r)
{
	struct slice rest = slice_make(r->at, (size_t)(r->end - r->at));
	struct slice quoted = slice_first(rest, lex_quoted_end(rest, 0));
	r->at += quoted.len;
	p->has_quoted = true;
	if (quoted.len <= 2)
		return;
	/* The first byte through phrase_add, for the blank before it. */
	size_t skip = quoted.ptr[1] == '\\' && quoted.len > 3 ? 2 : 1;
	phrase_add(p, quoted.ptr[skip]);
	p->len += lex_unquote(slice_from(quoted, skip + 1), p->text + p->len);
}

static void phrase_skip_comment(struct phrase *p, struct address_reader *r)
{
	struct slice rest = slice_make(r->at, (size_t)(r->end - r->at));
	size_t end = lex_comment_end(rest, 0);
	if (p->len > 0)
		p->comment = slice_trim(slice_between(rest, 1, end - (rest.ptr[end - 1] == ')')));
	p->want_blank = true;
	r->at += end;
}

static void phrase_add_literal(struct phrase *p, struct address_reader *r)
{
	for (; r->at < r->end && *r->at != ']' && *r->at != '>'; r->at++)
		phrase_add(p, *r->at);
	if (r->at < r->end && *r->at == ']')
		phrase_add(p, *r->at++);
}

/* Takes one token that is no separator. */
static void phrase_take(struct phrase *p, struct address_reader *r)
{
	char c = *r->at;
	if (ascii_is_space(c)) {
		p->want_blank = true;
		r->at++;
	} else if (c == '"') {
		phrase_add_quoted(p, r);
	} else if (c == '(') {
		phrase_skip_comment(p, r);
	} else if (c == '[') {
		phrase_add_literal(p, r);
	} else if (c == '@') {
		phrase_add(p, c);
		p->at = (ptrdiff_t)p->len - 1;
		r->at++;
	} else {
		r->at += c == '\\' && r->end - r->at > 1;
		phrase_add(p, *r->at++);
	}
}

/* Splits at the @ and drops what cannot belong to an address. */
static struct address phrase_address(struct phrase *p)
{
	struct address a = { .local = slice_make(p->text, p->len) };
	struct slice whole = a.local;
	if (p->at == ADDRESS_NO_AT)
		return a;
	size_t at = (size_t)p->at;
	a.local = slice_trim(slice_first(whole, at));
	struct slice domain = slice_trim(slice_from(whole, at + 1));
	domain = slice_first(domain, slice_find_byte(domain, 0, ' '));
	while (domain.len > 0 && domain.ptr[domain.len - 1] == '.')
		domain.len--;
	lex_lower(p->text + at + 1, p->len - at - 1);
	a.domain = domain;
	return a;
}

/* "Some Name user@host": the words before the last blank are a name. */
static void address_split_name(struct address *a, const struct phrase *p)
{
	if (p->has_quoted || a->domain.len == 0)
		return;
	for (size_t i = a->local.len; i > 0; i--)
		if (a->local.ptr[i - 1] == ' ') {
			a->display = slice_trim(slice_first(a->local, i - 1));
			a->local = slice_from(a->local, i);
			return;
		}
}

static struct address address_bare(struct phrase *p)
{
	struct address a = phrase_address(p);
	address_split_name(&a, p);
	if (p->comment.len > 0)
		a.display = p->comment;
	return a;
}

/* r->at stands at '<'. */
static struct address address_angle(struct address_reader *r, struct slice display)
{
	struct phrase p;
	bool is_route;

	while (r->at < r->end && (*r->at == '<' || ascii_is_space(*r->at)))
		r->at++;
	is_route = r->at < r->end && *r->at == '@';
	phrase_begin(&p, r->at);
	while (r->at < r->end && *r->at != '>' && *r->at != '<') {
		if (is_route && *r->at == ':') { /* RFC 5322 4.4: the route is dropped */
			is_route = false;
			phrase_begin(&p, ++r->at);
		} else if (*r->at == ',' && !is_route) {
			break; /* the > is missing */
		} else {
			phrase_take(&p, r);
		}
	}
	while (r->at < r->end && *r->at == '>')
		r->at++;
	struct address a = phrase_address(&p);
	a.display = display;
	return a;
}

void address_begin(struct address_reader *r, struct text text)
{
	r->at = text.ptr;
	r->end = text.ptr ? text.ptr + text.len : NULL;
}

bool address_next(struct address_reader *r, struct address *address_out)
{
	struct phrase p;
	phrase_begin(&p, r->at);
	while (r->at < r->end) {
		char c = *r->at;
		if (c == '<') {
			*address_out = address_angle(r, slice_make(p.text, p.len));
			return true;
		}
		bool is_end = c == ',' || c == ';' || (c == ':' && p.at != ADDRESS_NO_AT);
		if (is_end || c == ':') {
			r->at++;
			if (is_end && p.len > 0)
				break;
			phrase_begin(&p, r->at); /* a group's name, or nothing */
		} else {
			if (p.len == 0 && !p.want_blank)
				p.text = r->at;
			phrase_take(&p, r);
		}
	}
	if (p.len == 0)
		return false;
	*address_out = address_bare(&p);
	return true;
}

struct address address_split(struct text text)
{
	struct address a = { .local = text_slice(text) };
	for (size_t i = text.len; i > 0; i--)
		if (text.ptr[i - 1] == '@') {
			lex_lower(text.ptr + i, text.len - i);
			a.local = slice_make(text.ptr, i - 1);
			a.domain = slice_make(text.ptr + i, text.len - i);
			break;
		}
	return a;
}
