/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_json: a walk over one line of JSON. Whatever is not JSON, or nested deeper than
 * MAILLOG_JSON_DEPTH_MAX, is bad at that place; nothing is guessed.
 */
#include "wire/maillog_json.h"

#include "wire/maillog_inside.h"

/* ---- blanks and words ---- */

static void pass_blanks(struct maillog_json *j)
{
	while (j->c < j->e && ascii_is_space(*j->c))
		j->c++;
}

static bool pass_byte(struct maillog_json *j, char byte)
{
	pass_blanks(j);
	if (j->c == j->e || *j->c != byte)
		return false;
	j->c++;
	return true;
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a backslash: how many bytes the escape has; 0 when it is none. */
static size_t escape_bytes(const char *c, const char *e)
{
	if (c == e || *c == '\0' || !strchr("\"\\/bfnrtu", *c))
		return 0;
	if (*c != 'u')
		return 1;
	for (size_t i = 1; i <= 4; i++)
		if ((size_t)(e - c) <= i || hex_value(c[i]) < 0)
			return 0;
	return 5;
}

/* c stands behind the opening quote, and then behind the closing one. */
static bool pass_string(struct maillog_json *j, struct maillog_json_value *value_out)
{
	const char *from = j->c, *c = from;
	bool has_escapes = false;
	for (; c < j->e && *c != '"'; c++) {
		if ((unsigned char)*c < 0x20)
			return false;
		if (*c != '\\')
			continue;
		size_t n = escape_bytes(c + 1, j->e);
		if (n == 0)
			return false;
		c += n;
		has_escapes = true;
	}
	if (c >= j->e)
		return false;
	*value_out = (struct maillog_json_value){ JSON_STRING, maillog_span(from, c), has_escapes };
	j->c = c + 1;
	return true;
}

static size_t digits_at(const char *c, const char *e)
{
	size_t n = 0;
	while (c + n < e && ascii_is_digit(c[n]))
		n++;
	return n;
}

static bool pass_number(struct maillog_json *j)
{
	const char *c = j->c + (*j->c == '-');
	size_t n = digits_at(c, j->e);
	if (n == 0 || (n > 1 && *c == '0'))
		return false;
	c += n;
	if (c < j->e && *c == '.') {
		n = digits_at(c + 1, j->e);
		if (n == 0)
			return false;
		c += n + 1;
	}
	if (c < j->e && (*c == 'e' || *c == 'E')) {
		c++;
		c += c < j->e && (*c == '+' || *c == '-');
		n = digits_at(c, j->e);
		if (n == 0)
			return false;
		c += n;
	}
	j->c = c;
	return true;
}

static bool pass_word(struct maillog_json *j)
{
	static const struct slice words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };
	struct slice rest = maillog_span(j->c, j->e);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (maillog_starts(rest, words[i])) {
			j->c += words[i].len;
			return true;
		}
	}
	return false;
}

/* ---- values ---- */

static bool pass_scalar(struct maillog_json *j, struct maillog_json_value *value_out)
{
	const char *from = j->c;
	if (j->c == j->e)
		return false;
	if (*j->c == '"') {
		j->c++;
		return pass_string(j, value_out);
	}
	bool is_number = *j->c == '-' || ascii_is_digit(*j->c);
	if (!(is_number ? pass_number(j) : pass_word(j)))
		return false;
	enum maillog_json_type type = is_number ? JSON_NUMBER : JSON_WORD;
	*value_out = (struct maillog_json_value){ type, maillog_span(from, j->c), false };
	return true;
}

/* "key :" inside an object. */
static bool pass_key(struct maillog_json *j, struct slice *key_out)
{
	struct maillog_json_value key;
	if (!pass_byte(j, '"') || !pass_string(j, &key) || !pass_byte(j, ':'))
		return false;
	*key_out = key.raw;
	return true;
}

/* An array or object, c on its opening bracket: without recursion, one bit a level says
 * which of the two it is. */
static bool pass_nested(struct maillog_json *j)
{
	uint64_t objects = 0; /* bit 0: the innermost level */
	unsigned depth = 0;
	struct maillog_json_value value;
	struct slice key;
	bool may_close = false, wants_comma = false;
	do {
		pass_blanks(j);
		char c = j->c < j->e ? *j->c : '\0';
		char close = objects & 1 ? '}' : ']';
		if (depth > 0 && c == close && (may_close || wants_comma)) {
			j->c++;
			depth--;
			objects >>= 1;
			wants_comma = true;
			may_close = false;
			continue;
		}
		if (wants_comma) {
			if (c != ',')
				return false;
			j->c++;
		}
		if (depth > 0 && objects & 1 && !pass_key(j, &key))
			return false;
		pass_blanks(j);
		c = j->c < j->e ? *j->c : '\0';
		if (c == '[' || c == '{') {
			if (++depth > MAILLOG_JSON_DEPTH_MAX)
				return false;
			objects = objects << 1 | (c == '{');
			j->c++;
			may_close = true;
			wants_comma = false;
		} else {
			if (!pass_scalar(j, &value))
				return false;
			may_close = false;
			wants_comma = true;
		}
	} while (depth > 0);
	return true;
}

static bool pass_value(struct maillog_json *j, struct maillog_json_value *value_out)
{
	pass_blanks(j);
	const char *from = j->c;
	char c = from < j->e ? *from : '\0';
	if (c != '[' && c != '{')
		return pass_scalar(j, value_out);
	if (!pass_nested(j))
		return false;
	enum maillog_json_type type = c == '[' ? JSON_ARRAY : JSON_OBJECT;
	*value_out = (struct maillog_json_value){ type, maillog_span(from, j->c), false };
	return true;
}

/* ---- the walk ---- */

static void begin(struct maillog_json *j, struct slice text, char open)
{
	*j = (struct maillog_json){ text.ptr, text.len > 0 ? text.ptr + text.len : text.ptr, false, false };
	j->is_bad = !pass_byte(j, open);
}

void maillog_json_begin(struct maillog_json *j, struct slice line)
{
	begin(j, line, '{');
}

void maillog_json_begin_array(struct maillog_json *j, struct slice array)
{
	begin(j, array, '[');
}

/* Before a member or element: false at the closing bracket, or when it is bad. */
static bool has_next(struct maillog_json *j, char close)
{
	if (j->is_bad)
		return false;
	bool is_first = !j->is_begun;
	j->is_begun = true;
	if (pass_byte(j, close)) {
		pass_blanks(j);
		j->is_bad = j->c != j->e;
		return false;
	}
	j->is_bad = !is_first && !pass_byte(j, ',');
	return !j->is_bad;
}

bool maillog_json_member(struct maillog_json *j, struct slice *key_out, struct maillog_json_value *value_out)
{
	if (!has_next(j, '}'))
		return false;
	j->is_bad = !pass_key(j, key_out) || !pass_value(j, value_out);
	return !j->is_bad;
}

bool maillog_json_element(struct maillog_json *j, struct maillog_json_value *value_out)
{
	if (!has_next(j, ']'))
		return false;
	j->is_bad = !pass_value(j, value_out);
	return !j->is_bad;
}

/* ---- text ---- */

static uint32_t hex4(const char *c)
{
	uint32_t code = 0;
	for (size_t i = 0; i < 4; i++)
		code = code << 4 | (uint32_t)hex_value(c[i]);
	return code;
}

/* The character of "uXXXX" at *c (which the walk has checked), with the low surrogate that
 * may follow; *c stands behind it then. */
static uint32_t take_code(const char **c, const char *e)
{
	uint32_t code = hex4(*c + 1);
	*c += 5;
	if (code < 0xD800 || code > 0xDFFF)
		return code;
	if (code < 0xDC00 && e - *c >= 6 && (*c)[0] == '\\' && (*c)[1] == 'u') {
		uint32_t low = hex4(*c + 2);
		if (low >= 0xDC00 && low <= 0xDFFF) {
			*c += 6;
			return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		}
	}
	return 0xFFFD;
}

static size_t put_utf8(uint32_t code, char *to)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = { 0, 0xC0, 0xE0, 0xF0 };
	to[0] = (char)(lead[more] | code >> (6 * more));
	for (size_t i = 1; i <= more; i++)
		to[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3F));
	return more + 1;
}

/* One character of a string at *c; its bytes. */
static size_t take_char(const char **c, const char *e, char *to)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	if (**c != '\\') {
		to[0] = *(*c)++;
		return 1;
	}
	++*c;
	if (**c == 'u')
		return put_utf8(take_code(c, e), to);
	to[0] = bytes[strchr(names, *(*c)++) - names];
	return 1;
}

/* n without the last character, which may be cut. */
static size_t whole_chars(const char *text, size_t n)
{
	while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80)
		n--;
	return n > 0 ? n - 1 : 0;
}

struct slice maillog_json_text(struct maillog_reader *reader, const struct maillog_json_value *value)
{
	if (value->type != JSON_STRING && value->type != JSON_NUMBER)
		return slice_make(NULL, 0);
	if (!value->has_escapes)
		return value->raw;
	char *to = reader->scratch + reader->scratch_used, one[4];
	size_t room = sizeof reader->scratch - reader->scratch_used, n = 0;
	const char *c = value->raw.ptr, *e = c + value->raw.len;
	while (c < e) {
		size_t bytes = take_char(&c, e, one);
		if (n + bytes > room) {
			n = whole_chars(to, n);
			break;
		}
		memcpy(to + n, one, bytes);
		n += bytes;
	}
	reader->scratch_used += (unsigned)n;
	return slice_make(to, n);
}
