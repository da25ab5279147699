/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3_words: what stands in one line of a POP3 server.
 */
#include "wire/pop3_inside.h"

enum { SECONDS_MAX = 366 * 86400, DAYS_MAX = 1000000 };

/* Takes the next word off *rest, and the blanks behind it. */
static struct slice take_word(struct slice *rest)
{
	size_t n = 0, next;
	while (n < rest->len && !ascii_is_blank(rest->ptr[n]))
		n++;
	for (next = n; next < rest->len && ascii_is_blank(rest->ptr[next]);)
		next++;
	struct slice word = slice_first(*rest, n);
	*rest = slice_from(*rest, next);
	return word;
}

bool pop3_read_status(struct slice line, struct pop3_reply *reply_out)
{
	struct slice rest = line, word = take_word(&rest);
	bool is_ok = slice_equal_nocase(word, SLICE("+OK"));
	*reply_out = (struct pop3_reply){ .is_ok = is_ok, .text = slice_first(slice_trim(rest), POP3_TEXT_BYTES) };
	return is_ok || slice_equal_nocase(word, SLICE("-ERR"));
}

/* ---- response codes ---- */

/* Codes have levels: "SYS/TEMP/DISK" is a SYS/TEMP (RFC 2449 8). */
static bool is_code(struct slice code, struct slice wanted)
{
	return slice_starts_nocase(code, wanted) && (code.len == wanted.len || code.ptr[wanted.len] == '/');
}

static enum pop3_code read_bracket(struct slice code)
{
	static const struct {
		struct slice word;
		enum pop3_code code;
	} rows[] = {
		{ { "IN-USE", 6 }, POP3_CODE_IN_USE }, { { "LOGIN-DELAY", 11 }, POP3_CODE_LOGIN_DELAY },
		{ { "SYS/TEMP", 8 }, POP3_CODE_SYS_TEMP }, { { "SYS/PERM", 8 }, POP3_CODE_SYS_PERM },
		{ { "AUTH", 4 }, POP3_CODE_AUTH },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (is_code(code, rows[i].word))
			return rows[i].code;
	return POP3_CODE_OTHER;
}

/* Whole words only: "blocked" is no lock. */
static bool has_words(struct slice text, struct slice words)
{
	for (size_t at = 0; (at = slice_find_nocase(text, at, words)) < text.len; at++) {
		size_t end = at + words.len;
		if ((at == 0 || !ascii_is_alpha(text.ptr[at - 1])) &&
		    (end == text.len || !ascii_is_alpha(text.ptr[end])))
			return true;
	}
	return false;
}

enum pop3_code pop3_read_code(struct slice text, bool is_login)
{
	static const struct slice words[] = { { "locked", 6 }, { "lock", 4 }, { "in use", 6 }, { "already", 7 } };
	if (text.len > 0 && text.ptr[0] == '[') {
		size_t end = slice_find_byte(text, 0, ']');
		if (end < text.len)
			return read_bracket(slice_between(text, 1, end));
	}
	for (size_t i = 0; is_login && i < sizeof words / sizeof words[0]; i++)
		if (has_words(text, words[i]))
			return POP3_CODE_IN_USE;
	return POP3_CODE_NONE;
}

/* ---- numbers and rows ---- */

bool pop3_read_stat(struct slice text, struct pop3_event *event_out)
{
	uint64_t count;
	if (!slice_to_u64(take_word(&text), &count) || count > UINT32_MAX ||
	    !slice_to_u64(take_word(&text), &event_out->size_bytes))
		return false;
	event_out->number = (uint32_t)count;
	return true;
}

bool pop3_read_row(struct slice line, struct pop3_event *event_out)
{
	uint64_t number;
	if (!slice_to_u64(take_word(&line), &number) || number == 0 || number > UINT32_MAX)
		return false;
	event_out->number = (uint32_t)number;
	if (event_out->command == POP3_LIST)
		return slice_to_u64(take_word(&line), &event_out->size_bytes);
	event_out->uidl = slice_trim(line);
	return event_out->uidl.len > 0 && event_out->uidl.len <= POP3_UIDL_BYTES_MAX;
}

/* ---- CAPA ---- */

static void learn_login_delay(struct pop3_caps *caps, struct slice rest)
{
	uint64_t seconds;
	if (slice_to_u64(take_word(&rest), &seconds))
		caps->login_delay_ms = (int64_t)(seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * 1000;
}

static void learn_expire(struct pop3_caps *caps, struct slice rest)
{
	uint64_t days;
	struct slice word = take_word(&rest);
	if (slice_equal_nocase(word, SLICE("NEVER"))) {
		caps->is_expire_said = true;
		caps->expire_days = -1;
	} else if (slice_to_u64(word, &days)) {
		caps->is_expire_said = true;
		caps->expire_days = (int64_t)(days < DAYS_MAX ? days : DAYS_MAX);
	}
}

static void learn_sasl(struct pop3_caps *caps, struct slice rest)
{
	enum sasl_mechanism mechanism;
	while (rest.len > 0)
		if (sasl_mechanism_find(take_word(&rest), &mechanism))
			caps->mechanisms |= 1u << mechanism;
}

static void learn_implementation(struct pop3_caps *caps, struct slice rest)
{
	rest = slice_first(slice_trim(rest), sizeof caps->implementation - 1);
	for (size_t i = 0; i < rest.len; i++)
		caps->implementation[i] = rest.ptr[i] >= ' ' && rest.ptr[i] < 0x7f ? rest.ptr[i] : '?';
	caps->implementation[rest.len] = '\0';
}

void pop3_learn_cap(struct pop3_caps *caps, struct slice line)
{
	static const struct {
		struct slice word;
		unsigned can;
		void (*learn)(struct pop3_caps *caps, struct slice rest);
	} rows[] = {
		{ { "TOP", 3 }, POP3_CAN_TOP, NULL }, { { "USER", 4 }, POP3_CAN_USER, NULL },
		{ { "UIDL", 4 }, POP3_CAN_UIDL, NULL }, { { "STLS", 4 }, POP3_CAN_STLS, NULL },
		{ { "PIPELINING", 10 }, POP3_CAN_PIPELINING, NULL },
		{ { "RESP-CODES", 10 }, POP3_CAN_RESP_CODES, NULL },
		{ { "AUTH-RESP-CODE", 14 }, POP3_CAN_AUTH_RESP_CODE, NULL },
		{ { "UTF8", 4 }, POP3_CAN_UTF8, NULL }, { { "SASL", 4 }, 0, learn_sasl },
		{ { "LOGIN-DELAY", 11 }, 0, learn_login_delay }, { { "EXPIRE", 6 }, 0, learn_expire },
		{ { "IMPLEMENTATION", 14 }, 0, learn_implementation },
	};
	struct slice rest = line, word = take_word(&rest);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!slice_equal_nocase(word, rows[i].word))
			continue;
		caps->can |= rows[i].can;
		if (rows[i].learn)
			rows[i].learn(caps, rest);
	}
}
