/* SPDX-License-Identifier: Apache-2.0
 *
 * received: the field is cut into words, comments and the date after the last
 * ";". A word that is a keyword (from, by, via, with, id, for) opens a clause;
 * its first word is the value, comments add to it. That covers every dialect
 * seen; only the comment after from needs to know them (HELO, EHLO, helo=, IDENT,
 * name[ip], [ip]:port).
 */
#include "mail/received.h"

#include "mail/date.h"
#include "mail/lex.h"

enum { RECEIVED_BYTES_MAX = 4096 };

enum clause {
	CLAUSE_NONE,
	CLAUSE_FROM,
	CLAUSE_BY,
	CLAUSE_VIA,
	CLAUSE_WITH,
	CLAUSE_ID,
	CLAUSE_FOR,
	CLAUSE_COUNT
};

static const struct slice clause_names[CLAUSE_COUNT] = {
	[CLAUSE_FROM] = { "from", 4 }, [CLAUSE_BY] = { "by", 2 }, [CLAUSE_VIA] = { "via", 3 },
	[CLAUSE_WITH] = { "with", 4 }, [CLAUSE_ID] = { "id", 2 }, [CLAUSE_FOR] = { "for", 3 },
};

struct received {
	struct text text;
	struct hop *hop;
	enum clause clause;
	size_t words;              /* of the clause so far */
	size_t value_end;          /* of the last clause's value: a date without ";" follows */
	size_t with_from, with_to; /* the words of with */
	struct slice from_words;   /* from its first to its last word */
	bool seen[CLAUSE_COUNT];
	bool is_from_word_attested; /* the helo is in the comment, so the word is the PTR */
	bool is_local;             /* "invoked by", "from userid" */
	struct ip literal_ip;      /* from [1.2.3.4] */
};

static enum clause received_keyword(struct slice word)
{
	for (enum clause c = CLAUSE_FROM; c < CLAUSE_COUNT; c++)
		if (word.len == clause_names[c].len && slice_equal_nocase(word, clause_names[c]))
			return c;
	return CLAUSE_NONE;
}

static struct slice received_strip(struct slice word, char open, char close)
{
	if (word.len >= 2 && word.ptr[0] == open) {
		word = slice_from(word, 1);
		word = slice_first(word, slice_find_byte(word, 0, close));
	}
	return word;
}

/* A host name: lower case, without brackets, final dots and a port. */
static struct slice received_host(struct received *r, struct slice word)
{
	word = received_strip(received_strip(word, '?', '?'), '[', ']'); /* ?192.0.2.1? */
	while (word.len > 0 && (word.ptr[word.len - 1] == '.' || word.ptr[word.len - 1] == ','))
		word.len--;
	if (word.len > 0)
		lex_lower(r->text.ptr + (word.ptr - r->text.ptr), word.len);
	return word;
}

static bool received_is_name(struct slice word)
{
	struct ip ip;
	return word.len > 0 && memchr(word.ptr, '.', word.len) && !memchr(word.ptr, '=', word.len) &&
	       !memchr(word.ptr, '/', word.len) && !ip_parse(word, &ip);
}

/* One word of the comment after from. key: the word before it. */
static void received_comment_word(struct received *r, struct slice key, struct slice word)
{
	struct hop *hop = r->hop;
	struct ip ip;
	const char *user_end = memrchr(word.ptr, '@', word.len);

	if (slice_starts_nocase(word, SLICE("helo=")) && word.len > 5) {
		hop->from_helo = received_host(r, slice_from(word, 5));
		r->is_from_word_attested = true;
		return;
	}
	if (slice_equal_nocase(key, SLICE("HELO")) || slice_equal_nocase(key, SLICE("EHLO")) ||
	    slice_equal_nocase(key, SLICE("helo="))) { /* helo=[192.0.2.1] comes apart at "[" */
		hop->from_helo = received_host(r, word);
		r->is_from_word_attested = true;
		return;
	}
	if (user_end)
		word = slice_from(word, (size_t)(user_end - word.ptr) + 1);
	if (ip_parse(word, &ip)) {
		if (ip_is_unknown(hop->from_ip))
			hop->from_ip = ip;
	} else if (hop->from_name.len == 0 && received_is_name(word) && key.len == 0) {
		hop->from_name = received_host(r, word);
	}
}

static bool received_is_comment_separator(char c)
{
	switch (c) {
	case '(': case ')': case '[': case ']': case '"': case '<': case '>': case ',': case ';': case '\0':
		return true;
	default:
		return ascii_is_space(c);
	}
}

/* Words of the comment(s) after from: the first may be the PTR name. */
static void received_from_comment(struct received *r, struct slice comment)
{
	struct slice key = { NULL, 0 };
	for (size_t pos = 0; pos < comment.len;) {
		size_t start = pos;
		while (pos < comment.len && !received_is_comment_separator(comment.ptr[pos]))
			pos++;
		if (pos > start) {
			struct slice word = slice_between(comment, start, pos);
			received_comment_word(r, key, word);
			key = word;
		} else {
			pos++;
		}
	}
}

static void received_comment(struct received *r, struct slice comment)
{
	if (r->clause == CLAUSE_FROM)
		received_from_comment(r, comment);
	/* Postfix "(Postfix, from userid 0)", qmail "(qmail 1 invoked by uid 0)" */
	if (slice_find_nocase(comment, 0, SLICE("from userid")) < comment.len ||
	    slice_find_nocase(comment, 0, SLICE("invoked ")) < comment.len)
		r->is_local = true;
}

static void received_from_word(struct received *r, struct slice word)
{
	struct hop *hop = r->hop;
	if (r->words == 0) {
		struct slice inner = received_strip(word, '[', ']');
		r->from_words = word;
		if (ip_parse(inner, &r->literal_ip))
			hop->from_helo = inner;
		else
			hop->from_helo = received_host(r, word);
		return;
	}
	r->from_words.len = (size_t)(word.ptr + word.len - r->from_words.ptr);
	/* fetchmail, comcast: from name [1.2.3.4] without parentheses */
	if (word.ptr[0] == '[' && ip_is_unknown(hop->from_ip))
		ip_parse(received_strip(word, '[', ']'), &hop->from_ip);
}

static void received_word(struct received *r, struct slice word)
{
	struct hop *hop = r->hop;
	size_t at = (size_t)(word.ptr - r->text.ptr);
	switch (r->clause) {
	case CLAUSE_FROM:
		received_from_word(r, word);
		break;
	case CLAUSE_BY:
		if (r->words == 0)
			hop->by = received_host(r, word);
		break;
	case CLAUSE_WITH:
		r->with_from = r->words == 0 ? at : r->with_from;
		r->with_to = at + word.len;
		break;
	case CLAUSE_ID:
		if (r->words == 0)
			hop->id = received_strip(word, '<', '>');
		break;
	case CLAUSE_FOR:
		if (r->words == 0)
			hop->for_addr = received_strip(word, '<', '>');
		break;
	case CLAUSE_NONE:
	case CLAUSE_VIA:
	case CLAUSE_COUNT:
		break;
	}
	if (r->words++ == 0)
		r->value_end = at + word.len;
}

/* The end of a word: a quoted string or angle brackets hold blanks. */
static size_t received_word_end(struct slice s, size_t pos)
{
	if (s.ptr[pos] == '"')
		return lex_quoted_end(s, pos);
	if (s.ptr[pos] == '<') {
		size_t end = slice_find_byte(s, pos, '>');
		return end < s.len ? end + 1 : s.len;
	}
	bool is_literal = s.ptr[pos] == '[';
	size_t start = pos;
	while (pos < s.len && !ascii_is_space(s.ptr[pos]) && s.ptr[pos] != '(' && s.ptr[pos] != ';' &&
	       !(s.ptr[pos] == '[' && pos > start && !is_literal))
		pos++;
	return pos;
}

static void received_walk(struct received *r)
{
	struct slice s = text_slice(r->text);
	size_t date_from = s.len;
	for (size_t pos = 0; pos < s.len;) {
		char c = s.ptr[pos];
		size_t end = pos + 1;
		if (c == '(') {
			end = lex_comment_end(s, pos);
			received_comment(r, slice_between(s, pos + 1, end - (s.ptr[end - 1] == ')')));
		} else if (c == ';') {
			date_from = end;
			r->clause = CLAUSE_NONE;
		} else if (!ascii_is_space(c)) {
			end = received_word_end(s, pos);
			struct slice word = slice_between(s, pos, end);
			enum clause next = received_keyword(word);
			if (next != CLAUSE_NONE && !r->seen[next]) {
				r->clause = next;
				r->seen[next] = true;
				r->words = 0;
			} else if (r->clause != CLAUSE_NONE) {
				received_word(r, word);
			}
		}
		pos = end > pos ? end : pos + 1;
	}
	date_parse(slice_from(s, date_from < s.len ? date_from : r->value_end), &r->hop->time_ms);
}

static enum hop_kind received_kind(const struct received *r)
{
	const struct hop *hop = r->hop;
	if (slice_starts_nocase(r->from_words, SLICE("mail pickup service")))
		return HOP_PICKUP;
	if (slice_starts_nocase(hop->with, SLICE("POP")) ||
	    slice_starts_nocase(hop->with, SLICE("IMAP")))
		return HOP_POP3;
	if (hop->from_helo.len == 0 || r->is_local || slice_equal_nocase(hop->with, SLICE("local")))
		return HOP_LOCAL;
	return HOP_SMTP;
}

/* Which word is the name the peer gave, which the name by looked up. */
static void received_settle_from(struct received *r)
{
	struct hop *hop = r->hop;
	struct slice word = r->from_words;
	if (hop->kind == HOP_PICKUP) {
		hop->from_helo = hop->from_name = slice_make(NULL, 0);
		return;
	}
	if (r->is_from_word_attested) {
		struct slice first = slice_first(word, slice_find_byte(word, 0, ' '));
		first = received_host(r, first);
		hop->from_name = received_is_name(first) ? first : hop->from_name;
	}
	/* What servers write for a client without a name that leads back to it. */
	if (slice_equal(hop->from_helo, SLICE("unknown")))
		hop->from_helo.len = 0;
	if (slice_equal(hop->from_name, SLICE("unknown")))
		hop->from_name.len = 0;
	if (ip_is_unknown(hop->from_ip))
		hop->from_ip = r->literal_ip;
}

bool received_parse(struct arena *arena, struct slice value, struct hop *hop_out)
{
	struct received r = { .hop = hop_out };
	*hop_out = (struct hop){ .kind = HOP_LOCAL };
	r.text = lex_unfold(arena, slice_first(value, RECEIVED_BYTES_MAX));
	if (r.text.len == 0)
		return false;
	received_walk(&r);
	hop_out->with = slice_between(text_slice(r.text), r.with_from, r.with_to);
	hop_out->kind = received_kind(&r);
	received_settle_from(&r);
	return hop_out->by.len > 0 || hop_out->from_helo.len > 0 || hop_out->from_name.len > 0 ||
	       !ip_is_unknown(hop_out->from_ip);
}
