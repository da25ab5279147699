/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_reply: the enhanced status and the queue id in a server's answer. Pure, and
 * linear in its length; what has not the shape is not there.
 */
#include "wire/maillog_reply.h"

enum { STATUS_PART_DIGITS_MAX = 3, ID_BYTES_MIN = 5, ID_BYTES_MAX = 64 };

static size_t digits_at(struct slice s, size_t pos)
{
	size_t n = 0;
	while (pos + n < s.len && n <= STATUS_PART_DIGITS_MAX && ascii_is_digit(s.ptr[pos + n]))
		n++;
	return n;
}

/* Length of "d.d.d" at pos, each further part of one to three digits; 0 when it is not one. */
static size_t status_at(struct slice s, size_t pos)
{
	if (s.len - pos < 5 || !strchr("245", s.ptr[pos]) || s.ptr[pos] == '\0' || s.ptr[pos + 1] != '.')
		return 0;
	size_t subject = digits_at(s, pos + 2);
	size_t dot = pos + 2 + subject;
	if (subject == 0 || subject > STATUS_PART_DIGITS_MAX || dot >= s.len || s.ptr[dot] != '.')
		return 0;
	size_t detail = digits_at(s, dot + 1), end = dot + 1 + detail;
	if (detail == 0 || detail > STATUS_PART_DIGITS_MAX || (end < s.len && s.ptr[end] == '.'))
		return 0; /* four parts are an address */
	return end - pos;
}

static bool is_word_byte(char c)
{
	return ascii_is_digit(c) || ascii_is_alpha(c) || c == '.';
}

struct slice maillog_reply_dsn(struct slice answer)
{
	size_t dot = slice_find_byte(answer, 1, '.');
	for (; dot < answer.len; dot = slice_find_byte(answer, dot + 1, '.')) {
		size_t n = status_at(answer, dot - 1);
		if (n > 0 && (dot < 2 || !is_word_byte(answer.ptr[dot - 2])))
			return slice_between(answer, dot - 1, dot - 1 + n);
	}
	return slice_make(NULL, 0);
}

static bool is_id_byte(char c)
{
	return ascii_is_digit(c) || ascii_is_alpha(c) || c == '-';
}

static size_t id_length(struct slice s)
{
	size_t n = 0;
	while (n < s.len && is_id_byte(s.ptr[n]))
		n++;
	return n;
}

static struct slice id_at(struct slice rest)
{
	size_t n = id_length(rest);
	bool is_id = n >= ID_BYTES_MIN && n <= ID_BYTES_MAX && rest.ptr[0] != '-';
	return is_id ? slice_first(rest, n) : slice_make(NULL, 0);
}

/* Sendmail's and OpenSMTPD's stands in front of their words, and ends in a number of theirs. */
static struct slice id_before(struct slice answer, size_t end)
{
	size_t begin = end, digits = 0;
	while (begin > 0 && answer.ptr[begin - 1] != ' ')
		digits += ascii_is_digit(answer.ptr[--begin]);
	struct slice id = id_at(slice_between(answer, begin, end));
	return id.len == end - begin && digits > 0 ? id : slice_make(NULL, 0);
}

struct slice maillog_reply_session(struct slice session)
{
	size_t digits = 0, end = session.len;
	while (end > 0 && ascii_is_digit(session.ptr[end - 1])) {
		end--;
		digits++;
	}
	bool has_rcpt = digits > 0 && end > 2 && session.ptr[end - 1] == 'R' && session.ptr[end - 2] == ':';
	return has_rcpt ? slice_first(session, end - 2) : session;
}

/* "<recipient> SESSION Saved"; Dovecot's letters are those of base 64. */
static struct slice session_before(struct slice answer, size_t end)
{
	size_t begin = end;
	while (begin > 0 && (is_id_byte(answer.ptr[begin - 1]) || memchr("+/:=", answer.ptr[begin - 1], 4)))
		begin--;
	bool is_one = begin > 1 && answer.ptr[begin - 1] == ' ' && answer.ptr[begin - 2] == '>' &&
		      end - begin >= ID_BYTES_MIN && end - begin <= ID_BYTES_MAX;
	return is_one ? maillog_reply_session(slice_between(answer, begin, end)) : slice_make(NULL, 0);
}

/* Each is looked for by its rarest byte: nearly every line of a log that tells of a
 * delivery comes by here. */
struct slice maillog_reply_id(struct slice answer)
{
	static const struct {
		struct slice word;
		size_t at;       /* of that byte in it */
		bool is_behind;  /* the id stands in front of the word */
	} rows[] = {
		{ { "queued as ", 10 }, 0, false }, { { "id=", 3 }, 2, false },
		{ { "InternalId=", 11 }, 10, false }, { { " Message accepted", 17 }, 1, true },
		{ { "forwarded as ", 13 }, 2, false },
	};
	if (slice_ends_nocase(answer, SLICE(" Saved")))
		return session_before(answer, answer.len - SLICE(" Saved").len);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice word = rows[i].word;
		size_t at = slice_find_byte(answer, 0, word.ptr[rows[i].at]);
		for (; at < answer.len; at = slice_find_byte(answer, at + 1, word.ptr[rows[i].at])) {
			size_t begin = at - rows[i].at;
			bool is_word = at >= rows[i].at &&
				       slice_equal(slice_between(answer, begin, begin + word.len), word) &&
				       (rows[i].is_behind || begin == 0 || !is_id_byte(answer.ptr[begin - 1]));
			struct slice id = !is_word            ? slice_make(NULL, 0)
					  : rows[i].is_behind ? id_before(answer, begin)
							      : id_at(slice_from(answer, begin + word.len));
			if (id.len > 0)
				return id;
		}
	}
	return slice_make(NULL, 0);
}
