/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_exim_words: the words of Exim's main log: quotes, hosts, durations. Pure, and
 * linear in the line's length.
 */
#include "wire/maillog_exim.h"

static const int64_t DURATION_MS_MAX = INT64_MAX / 1000000;

/* Behind the closing quote of the string whose opening quote c stands on, or just behind
 * that one when there is no end: then it was no string. */
static const char *pass_quoted(const char *c, const char *e)
{
	for (const char *q = c + 1; q < e; q++) {
		if (*q == '"')
			return q + 1;
		if (*q == '\\')
			q++;
	}
	return c + 1;
}

/* Up to the next blank that is not in quotes. A quote opens a string where a value or an
 * address begins, not in the middle of a word (U=a"b). */
struct slice exim_take_word(struct slice *rest)
{
	const char *c = exim_begin(*rest), *e = exim_end(*rest);
	while (c < e && *c == ' ')
		c++;
	const char *from = c;
	for (char before = '='; c < e && *c != ' '; before = c[-1])
		c = *c == '"' && memchr("=<:,", before, 4) ? pass_quoted(c, e) : c + 1;
	*rest = maillog_span(c, e);
	return maillog_span(from, c);
}

/* "name (helo) [address]:port" off the start of *rest, each part where it is there. A helo
 * may be "[192.0.2.1]" too: it never becomes part of client. */
void exim_take_host(struct slice *rest, struct exim_host *host_out)
{
	const char *from = exim_begin(*rest), *c = from, *e = exim_end(*rest);
	*host_out = (struct exim_host){ .helo = { NULL, 0 } };
	if (c < e && *c != '(' && *c != '[')
		while (c < e && *c != ' ')
			c++;
	const char *end = c;
	host_out->client = maillog_span(from, c);
	c += c < e && *c == ' ';
	if (c < e && *c == '(') {
		struct slice inside = maillog_span(c + 1, e);
		size_t close = slice_find_nocase(inside, 0, SLICE(") ["));
		if (close == inside.len)
			close = slice_find_byte(inside, 0, ')');
		host_out->helo = slice_first(inside, close);
		c = end = close < inside.len ? inside.ptr + close + 1 : e;
		c += c < e && *c == ' ';
	}
	const char *bracket = c < e && *c == '[' ? memchr(c, ']', (size_t)(e - c)) : NULL;
	if (bracket) {
		end = bracket + 1;
		host_out->client = maillog_span(host_out->helo.ptr ? c : from, end);
	}
	if (bracket && e - end >= 2 && end[0] == ':' && end[1] != ' ')
		for (end++; end < e && (ascii_is_digit(*end) || ascii_is_alpha(*end) || *end == '_');)
			end++;
	host_out->relay = maillog_span(from, end);
	*rest = maillog_span(end, e);
}

/* The host behind "H=", which word (just taken off *rest) begins with. */
void exim_take_host_value(struct slice word, struct slice *rest, struct exim_host *host_out)
{
	*rest = maillog_span(word.ptr + 2, rest->len > 0 ? exim_end(*rest) : exim_end(word));
	exim_take_host(rest, host_out);
}

/* "1d2h3m4s", "0.053s"; -1 when it is not that. */
int64_t exim_duration_ms(struct slice s)
{
	static const char units[] = "wdhms";
	static const int64_t seconds[] = { 604800, 86400, 3600, 60, 1 };
	int64_t sum = 0;
	while (s.len > 0) {
		int64_t ms = maillog_take_seconds(&s);
		const char *unit = s.len > 0 ? memchr(units, s.ptr[0], sizeof seconds / sizeof seconds[0]) : NULL;
		if (ms < 0 || ms > DURATION_MS_MAX || sum > DURATION_MS_MAX || !unit)
			return -1;
		sum += ms * seconds[unit - units];
		s = slice_from(s, 1);
	}
	return sum;
}

/* "plain:user" or "plain:user:sender". */
struct slice exim_user(struct slice auth)
{
	struct slice user = slice_from(auth, slice_find_byte(auth, 0, ':') + 1);
	return slice_first(user, slice_find_byte(user, 0, ':'));
}
