/* SPDX-License-Identifier: Apache-2.0
 *
 * setting: one value from its text and back, after its row.
 *
 * Numbers are read by hand: YAML would take 010 for eight, and people would not.
 * Pure, but for the text that it points into.
 */
#include "base/setting.h"

#include "base/slice.h"

#include <inttypes.h>
#include <stdio.h>

struct setting_unit {
	const char *name;
	int64_t factor;
};

static const struct setting_unit span_units[] = {
	{ "d", 24 * 60 * 60 * 1000 }, { "h", 60 * 60 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "ms", 1 },
};
static const struct setting_unit byte_units[] = {
	{ "TiB", INT64_C(1) << 40 }, { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 },
};
#define UNITS(table) (table), sizeof(table) / sizeof((table)[0])

static void *setting_field(const struct setting_row *row, void *values)
{
	return (char *)values + row->offset;
}

static const void *setting_const_field(const struct setting_row *row, const void *values)
{
	return (const char *)values + row->offset;
}

static bool setting_number(struct slice text, int64_t *value_out)
{
	bool is_negative = text.len > 0 && text.ptr[0] == '-';
	struct slice digits = slice_from(text, is_negative ? 1 : 0);
	uint64_t value;
	if (digits.len > 1 && digits.ptr[0] == '0')
		return false; /* 010: ten or eight? */
	if (!slice_to_u64(digits, &value) || value > INT64_MAX)
		return false;
	*value_out = is_negative ? -(int64_t)value : (int64_t)value;
	return true;
}

/* A number that the units' longest matching name follows. "0" needs none. */
static bool setting_measure(struct slice text, const struct setting_unit *units, size_t count, int64_t *value_out)
{
	size_t digits = 0;
	while (digits < text.len && ascii_is_digit(text.ptr[digits]))
		digits++;
	struct slice unit = slice_from(text, digits);
	int64_t number;
	if (!setting_number(slice_first(text, digits), &number))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!slice_equal(unit, slice_from_str(units[i].name)) && !(number == 0 && unit.len == 0))
			continue;
		return !__builtin_mul_overflow(number, units[i].factor, value_out);
	}
	return false;
}

static void setting_print_number(const struct setting_row *row, int64_t value, char *out, size_t out_bytes)
{
	const struct setting_unit *units = row->type == SETTING_SPAN ? span_units : byte_units;
	size_t count = sizeof span_units / sizeof span_units[0];
	_Static_assert(sizeof span_units == sizeof byte_units, "one count for both tables");
	if (row->type == SETTING_INT) {
		snprintf(out, out_bytes, "%" PRId64, value);
		return;
	}
	if (value == 0) {
		snprintf(out, out_bytes, row->type == SETTING_SPAN ? "0s" : "0");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (value % units[i].factor != 0)
			continue;
		snprintf(out, out_bytes, "%" PRId64 "%s", value / units[i].factor, units[i].name);
		return;
	}
}

static bool setting_take_number(const struct setting_row *row, struct slice text, void *values,
				char *why, size_t why_bytes)
{
	static const char *const wanted[] = {
		[SETTING_INT] = "a whole number without leading zeros",
		[SETTING_SPAN] = "a time such as 500ms, 30s, 15m, 6h or 3d",
		[SETTING_BYTES] = "a size such as 4096, 64KiB, 256MiB or 1GiB",
	};
	int64_t value;
	bool is_read = row->type == SETTING_INT    ? setting_number(text, &value)
		       : row->type == SETTING_SPAN ? setting_measure(text, UNITS(span_units), &value)
						   : setting_measure(text, UNITS(byte_units), &value);
	bool has_range = row->min != 0 || row->max != 0;
	if (!is_read || (has_range && (value < row->min || value > row->max))) {
		char low[32], high[32];
		setting_print_number(row, row->min, low, sizeof low);
		setting_print_number(row, row->max, high, sizeof high);
		if (has_range)
			snprintf(why, why_bytes, "%s, from %s to %s", wanted[row->type], low, high);
		else
			snprintf(why, why_bytes, "%s", wanted[row->type]);
		return false;
	}
	*(int64_t *)setting_field(row, values) = value;
	return true;
}

static bool setting_take_bool(const struct setting_row *row, struct slice text, void *values,
			      char *why, size_t why_bytes)
{
	static const char *const words[] = { "false", "no", "off", "true", "yes", "on" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (!slice_equal_nocase(text, slice_from_str(words[i])))
			continue;
		*(bool *)setting_field(row, values) = i >= 3;
		return true;
	}
	snprintf(why, why_bytes, "true or false");
	return false;
}

/* "one of a, b" is written from "a|b". */
static bool setting_take_choice(const struct setting_row *row, const char *text, void *values,
				char *why, size_t why_bytes)
{
	struct slice choices = slice_from_str(row->choices), word;
	size_t used = (size_t)snprintf(why, why_bytes, "one of");
	const char *comma = " ";
	while (slice_next(&choices, '|', &word)) {
		if (slice_equal(word, slice_from_str(text))) {
			*(const char **)setting_field(row, values) = text;
			if (why_bytes > 0)
				why[0] = '\0';
			return true;
		}
		if (used < why_bytes)
			used += (size_t)snprintf(why + used, why_bytes - used, "%s%.*s", comma, SLICE_ARG(word));
		comma = ", ";
	}
	return false;
}

static bool setting_take_path(const struct setting_row *row, const char *text, void *values,
			      char *why, size_t why_bytes)
{
	bool may_be_empty = row->default_text && row->default_text[0] == '\0';
	if (text[0] != '/' && !(text[0] == '\0' && may_be_empty)) {
		snprintf(why, why_bytes, "an absolute path, beginning with /");
		return false;
	}
	*(const char **)setting_field(row, values) = text;
	return true;
}

bool setting_parse(const struct setting_row *row, const char *text, void *values, char *why, size_t why_bytes)
{
	switch (row->type) {
	case SETTING_BOOL:
		return setting_take_bool(row, slice_from_str(text), values, why, why_bytes);
	case SETTING_INT:
	case SETTING_SPAN:
	case SETTING_BYTES:
		return setting_take_number(row, slice_from_str(text), values, why, why_bytes);
	case SETTING_CHOICE:
		return setting_take_choice(row, text, values, why, why_bytes);
	case SETTING_PATH:
		return setting_take_path(row, text, values, why, why_bytes);
	case SETTING_TEXT:
		*(const char **)setting_field(row, values) = text;
		return true;
	case SETTING_LIST:
		break;
	}
	snprintf(why, why_bytes, "a list");
	return false;
}

/* Would YAML read it back as this very text, without quotes? Stricter than need be. */
static bool setting_is_plain(struct slice text)
{
	if (text.len == 0 || text.ptr[text.len - 1] == ':')
		return false;
	if (!ascii_is_alpha(text.ptr[0]) && text.ptr[0] != '/')
		return false;
	if (slice_equal_nocase(text, SLICE("null"))) /* YAML's word for nothing */
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !strchr("_./@+-:", c))
			return false;
		if (c == '\0')
			return false;
	}
	return true;
}

static size_t setting_print_text(struct slice text, char *out, size_t out_bytes)
{
	if (setting_is_plain(text))
		return (size_t)snprintf(out, out_bytes, "%.*s", SLICE_ARG(text));
	size_t n = 0;
	out[n++] = '"';
	/* Six bytes stay free: one escape, the closing quote, the NUL. */
	for (size_t i = 0; i < text.len && n + 6 < out_bytes; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < ' ' || c == 0x7f) {
			n += (size_t)snprintf(out + n, out_bytes - n, "\\x%02x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n++] = '"';
	out[n] = '\0';
	return n;
}

static void setting_print_list(const struct setting_list *list, char *out, size_t out_bytes)
{
	size_t n = (size_t)snprintf(out, out_bytes, "[");
	for (size_t i = 0; i < list->count && n + 16 < out_bytes; i++) {
		n += (size_t)snprintf(out + n, out_bytes - n, "%s", i ? ", " : "");
		size_t more = setting_print_text(slice_from_str(list->items[i]), out + n, out_bytes - n);
		n = more < out_bytes - n ? n + more : out_bytes - 1;
	}
	if (n + 1 < out_bytes)
		snprintf(out + n, out_bytes - n, "]");
}

void setting_print(const struct setting_row *row, const void *values, char *out, size_t out_bytes)
{
	const void *field = setting_const_field(row, values);
	if (row->is_secret) {
		snprintf(out, out_bytes, "********");
		return;
	}
	if (out_bytes < 8)
		return;
	switch (row->type) {
	case SETTING_BOOL:
		snprintf(out, out_bytes, "%s", *(const bool *)field ? "true" : "false");
		break;
	case SETTING_INT:
	case SETTING_SPAN:
	case SETTING_BYTES:
		setting_print_number(row, *(const int64_t *)field, out, out_bytes);
		break;
	case SETTING_TEXT:
	case SETTING_PATH:
	case SETTING_CHOICE:
		setting_print_text(slice_from_str(*(const char *const *)field), out, out_bytes);
		break;
	case SETTING_LIST:
		setting_print_list(field, out, out_bytes);
		break;
	}
}
