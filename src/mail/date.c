/* SPDX-License-Identifier: Apache-2.0
 *
 * date: a date is read as a bag of tokens (numbers, words, h:m:s, a zone), which
 * fits every order seen in the wild better than a grammar would.
 */
#include "mail/date.h"

#include "mail/lex.h"

enum { DATE_TEXT_BYTES_MAX = 256, DATE_NUMBERS_MAX = 3 };

struct date_parts {
	unsigned numbers[DATE_NUMBERS_MAX];
	size_t number_count;
	int month;             /* 1-12, 0 unknown */
	bool is_year_first;    /* a number of four digits came first */
	bool has_time, has_zone;
	unsigned hour, minute, second, ms;
	int zone_minutes;
};

static const struct {
	struct slice name;
	int minutes;
} date_zones[] = {
	{ { "UT", 2 }, 0 }, { { "UTC", 3 }, 0 }, { { "GMT", 3 }, 0 },
	{ { "Z", 1 }, 0 }, { { "WET", 3 }, 0 }, { { "EST", 3 }, -300 },
	{ { "EDT", 3 }, -240 }, { { "CST", 3 }, -360 }, { { "CDT", 3 }, -300 },
	{ { "MST", 3 }, -420 }, { { "MDT", 3 }, -360 }, { { "PST", 3 }, -480 },
	{ { "PDT", 3 }, -420 }, { { "BST", 3 }, 60 }, { { "CET", 3 }, 60 },
	{ { "CEST", 4 }, 120 }, { { "MET", 3 }, 60 }, { { "MEST", 4 }, 120 },
	{ { "EET", 3 }, 120 }, { { "EEST", 4 }, 180 }, { { "MSK", 3 }, 180 },
	{ { "JST", 3 }, 540 },
};

static int date_month(struct slice word)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	if (word.len < 3)
		return 0;
	for (int i = 0; i < 12; i++)
		if (slice_equal_nocase(slice_first(word, 3), slice_make(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

/* Days since 1970-01-01 of a proleptic Gregorian date. */
static int64_t date_days(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static size_t date_read_number(struct slice s, size_t pos, unsigned *value_out, size_t *digits_out)
{
	uint64_t value = 0;
	size_t start = pos;
	while (pos < s.len && ascii_is_digit(s.ptr[pos])) {
		value = value > 1000000 ? value : value * 10 + (uint64_t)(s.ptr[pos] - '0');
		pos++;
	}
	*value_out = (unsigned)value;
	*digits_out = pos - start;
	return pos;
}

/* pos stands at the ':' (or '.') after the hour. */
static size_t date_read_time(struct slice s, size_t pos, unsigned hour, struct date_parts *d)
{
	size_t digits = 0;
	d->hour = hour;
	d->has_time = true;
	pos = date_read_number(s, pos + 1, &d->minute, &digits);
	if (pos + 1 < s.len && s.ptr[pos] == ':' && ascii_is_digit(s.ptr[pos + 1]))
		pos = date_read_number(s, pos + 1, &d->second, &digits);
	if (pos + 1 < s.len && s.ptr[pos] == '.' && ascii_is_digit(s.ptr[pos + 1])) {
		unsigned scale = 100;
		/* IIS writes a fourth digit in front of the milliseconds: ".0078" is 78 ms. */
		size_t end = date_read_number(s, pos + 1, &d->ms, &digits);
		if (digits != 4) {
			d->ms = 0;
			for (size_t i = pos + 1; i < end; i++, scale /= 10)
				d->ms += (unsigned)(s.ptr[i] - '0') * scale;
		}
		d->ms %= 1000;
		pos = end;
	}
	return pos;
}

static size_t date_read_zone_digits(struct slice s, size_t pos, struct date_parts *d)
{
	unsigned value = 0, more = 0;
	size_t digits = 0;
	int sign = s.ptr[pos] == '-' ? -1 : 1;

	pos = date_read_number(s, pos + 1, &value, &digits);
	if (digits <= 2 && pos + 1 < s.len && s.ptr[pos] == ':') {
		pos = date_read_number(s, pos + 1, &more, &digits);
		value = value * 100 + more;
	} else if (digits <= 2) {
		value *= 100;
	}
	if (value <= 2359 && value % 100 < 60) {
		d->zone_minutes = sign * (int)(value / 100 * 60 + value % 100);
		d->has_zone = true;
	}
	return pos;
}

static void date_take_word(struct slice word, struct date_parts *d)
{
	int month = date_month(word);
	if (month && !d->month) {
		d->month = month;
	} else if (d->has_time && slice_equal_nocase(word, SLICE("PM")) && d->hour < 12) {
		d->hour += 12;
	} else if (d->has_time && slice_equal_nocase(word, SLICE("AM")) && d->hour == 12) {
		d->hour = 0;
	} else if (d->has_time && !d->has_zone) {
		for (size_t i = 0; i < sizeof date_zones / sizeof date_zones[0]; i++)
			if (slice_equal_nocase(word, date_zones[i].name)) {
				d->zone_minutes = date_zones[i].minutes;
				d->has_zone = true;
			}
	}
}

static size_t date_take_number(struct slice s, size_t pos, struct date_parts *d)
{
	unsigned value = 0;
	size_t digits = 0;
	pos = date_read_number(s, pos, &value, &digits);
	if (!d->has_time && digits <= 2 && pos + 1 < s.len && s.ptr[pos] == ':' &&
	    ascii_is_digit(s.ptr[pos + 1]))
		return date_read_time(s, pos, value, d);
	if (d->number_count < DATE_NUMBERS_MAX) {
		d->is_year_first |= d->number_count == 0 && digits == 4;
		d->numbers[d->number_count++] = value;
	}
	return pos;
}

static size_t date_take_token(struct slice s, size_t pos, struct date_parts *d)
{
	char c = s.ptr[pos];
	if (ascii_is_digit(c))
		return date_take_number(s, pos, d);
	if ((c == '+' || c == '-') && d->has_time && pos + 1 < s.len &&
	    ascii_is_digit(s.ptr[pos + 1]))
		return date_read_zone_digits(s, pos, d);
	if (!ascii_is_alpha(c))
		return pos + 1;
	size_t start = pos;
	while (pos < s.len && ascii_is_alpha(s.ptr[pos]))
		pos++;
	/* The T of an ISO date is no military zone. */
	date_take_word(slice_between(s, start, pos), d);
	return pos;
}

static bool date_order(const struct date_parts *d, int64_t *year, int *month, int *day)
{
	unsigned y, m, dd;
	if (d->is_year_first && d->number_count == 3 && !d->month) { /* 2005-07-18 */
		y = d->numbers[0], m = d->numbers[1], dd = d->numbers[2];
	} else if (d->month && d->number_count >= 2) {
		m = (unsigned)d->month;
		dd = d->numbers[d->is_year_first ? 1 : 0];
		y = d->numbers[d->is_year_first ? 0 : 1];
	} else {
		return false;
	}
	if (y < 50)
		y += 2000;
	else if (y < 1000)
		y += 1900;
	*year = y, *month = (int)m, *day = (int)dd;
	return y >= 1900 && y <= 9999 && m >= 1 && m <= 12 && dd >= 1 && dd <= 31;
}

bool date_parse(struct slice text, int64_t *ms_out)
{
	struct date_parts d = { .month = 0 };
	int64_t year = 0;
	int month = 0, day = 0;

	*ms_out = 0;
	text = slice_first(text, DATE_TEXT_BYTES_MAX);
	for (size_t pos = 0; pos < text.len;)
		pos = text.ptr[pos] == '(' ? lex_comment_end(text, pos)
					   : date_take_token(text, pos, &d);
	if (!d.has_time || !date_order(&d, &year, &month, &day) || d.hour > 24 || d.minute > 59 ||
	    d.second > 60)
		return false;
	if (d.second == 60)
		d.second = 59;
	int64_t seconds = date_days(year, month, day) * 86400 + d.hour * 3600 +
			  ((int64_t)d.minute - d.zone_minutes) * 60 + d.second;
	*ms_out = seconds * 1000 + d.ms;
	return true;
}

/* Milliseconds between 1601 and 1970. */
static const int64_t date_filetime_epoch_ms = INT64_C(11644473600000);

int64_t date_from_filetime(uint64_t filetime)
{
	return (int64_t)(filetime / 10000) - date_filetime_epoch_ms;
}

uint64_t date_to_filetime(int64_t ms)
{
	return ms < -date_filetime_epoch_ms ? 0 : (uint64_t)(ms + date_filetime_epoch_ms) * 10000;
}
