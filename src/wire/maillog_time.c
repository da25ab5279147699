/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_time: the times of log lines as Unix ms. Pure; what cannot be a time is none.
 *
 * Forms: "Dec  6 09:20:03", also with a year or a fraction; "2005-12-06T09:20:03.1+01:00"
 * with a blank for T and before the zone, or without a zone; "1133860803.123".
 */
#include "wire/maillog.h"

enum { DAY_MS = 86400000, YEARS_BACK = 8 /* to the leap day before the last */ };

static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	/* Years begin in March, so that the leap day is the last one. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool has_day(int64_t year, int64_t month, int64_t day)
{
	static const int64_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* A fixed number of digits at *pos, which is moved behind them; -1 when they are not there. */
static int64_t take_digits(struct slice s, size_t *pos, size_t digits)
{
	int64_t value = 0;
	if (*pos + digits > s.len)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		char c = s.ptr[*pos + i];
		if (!ascii_is_digit(c))
			return -1;
		value = value * 10 + (c - '0');
	}
	*pos += digits;
	return value;
}

static bool take_byte(struct slice s, size_t *pos, char c)
{
	if (*pos >= s.len || s.ptr[*pos] != c)
		return false;
	(*pos)++;
	return true;
}

/* ".123" or ",5", any number of digits, as ms; nothing is 0. */
static int64_t take_fraction_ms(struct slice s, size_t *pos)
{
	int64_t ms = 0, scale = 100;
	if (!take_byte(s, pos, '.') && !take_byte(s, pos, ','))
		return 0;
	for (; *pos < s.len && ascii_is_digit(s.ptr[*pos]); (*pos)++, scale /= 10)
		ms += (s.ptr[*pos] - '0') * scale;
	return ms;
}

/* "09:20:03.1" */
static bool take_clock(struct slice s, size_t *pos, int64_t *ms_out)
{
	int64_t h = take_digits(s, pos, 2);
	bool is_clock = take_byte(s, pos, ':');
	int64_t min = take_digits(s, pos, 2);
	is_clock = take_byte(s, pos, ':') && is_clock;
	int64_t sec = take_digits(s, pos, 2);
	if (!is_clock || h < 0 || h > 23 || min < 0 || min > 59 || sec < 0 || sec > 60)
		return false;
	*ms_out = ((h * 60 + min) * 60 + sec) * 1000 + take_fraction_ms(s, pos);
	return true;
}

/* "Z", "+01", "+0100", "+01:00", a blank in front, or nothing; it must be the end. */
static bool take_zone(struct slice s, size_t pos, int zone_offset_s, int64_t *offset_ms_out)
{
	*offset_ms_out = (int64_t)zone_offset_s * 1000;
	if (pos == s.len)
		return true;
	take_byte(s, &pos, ' ');
	if (take_byte(s, &pos, 'Z') || take_byte(s, &pos, 'z')) {
		*offset_ms_out = 0;
		return pos == s.len;
	}
	bool is_west = take_byte(s, &pos, '-');
	if (!is_west && !take_byte(s, &pos, '+'))
		return false;
	int64_t h = take_digits(s, &pos, 2), min = 0;
	if (pos < s.len) {
		take_byte(s, &pos, ':');
		min = take_digits(s, &pos, 2);
	}
	if (h < 0 || h > 23 || min < 0 || min > 59)
		return false;
	*offset_ms_out = (h * 60 + min) * 60000 * (is_west ? -1 : 1);
	return pos == s.len;
}

static bool rfc_time_ms(struct slice s, int zone_offset_s, int64_t *time_ms_out)
{
	size_t pos = 0;
	int64_t of_day_ms, zone_ms;
	int64_t year = take_digits(s, &pos, 4);
	bool is_date = take_byte(s, &pos, '-');
	int64_t month = take_digits(s, &pos, 2);
	is_date = take_byte(s, &pos, '-') && is_date;
	int64_t day = take_digits(s, &pos, 2);
	is_date = (take_byte(s, &pos, 'T') || take_byte(s, &pos, 't') || take_byte(s, &pos, ' ')) && is_date;
	if (!is_date || year < 0 || !has_day(year, month, day) || !take_clock(s, &pos, &of_day_ms) ||
	    !take_zone(s, pos, zone_offset_s, &zone_ms))
		return false;
	*time_ms_out = days_since_1970(year, month, day) * DAY_MS + of_day_ms - zone_ms;
	return true;
}

static int64_t month_of(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (int64_t i = 0; i < 12; i++)
		if (name[2] == names[3 * i + 2] && name[1] == names[3 * i + 1] && name[0] == names[3 * i])
			return i + 1;
	return 0;
}

/* The newest year that has this day and does not lie more than a day after now. */
static bool guess_year(int64_t month, int64_t day, int64_t rest_ms, int64_t now_ms, int64_t *time_ms_out)
{
	/* A little early or late at the turn of the year: the loop begins one year later. */
	int64_t year = 1970 + now_ms / DAY_MS * 400 / 146097;
	for (int64_t guess = year + 1; guess >= year - YEARS_BACK; guess--) {
		*time_ms_out = days_since_1970(guess, month, day) * DAY_MS + rest_ms;
		if (*time_ms_out <= now_ms + DAY_MS && has_day(guess, month, day))
			return true;
	}
	return false;
}

/* "Dec  6 09:20:03", as most lines have it: every digit at its place. */
static bool is_plain(const char *c)
{
	static const unsigned char digits[] = { 5, 7, 8, 10, 11, 13, 14 };
	bool is_so = c[3] == ' ' && c[6] == ' ' && c[9] == ':' && c[12] == ':' && (c[4] == ' ' || ascii_is_digit(c[4]));
	for (size_t i = 0; i < sizeof digits; i++)
		is_so &= ascii_is_digit(c[digits[i]]);
	return is_so;
}

static int64_t two_at(const char *c)
{
	return (c[0] == ' ' ? 0 : c[0] - '0') * 10 + c[1] - '0';
}

static bool plain_time_ms(const char *c, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out)
{
	int64_t month = month_of(c), day = two_at(c + 4), h = two_at(c + 7), min = two_at(c + 10), sec = two_at(c + 13);
	if (month == 0 || day < 1 || h > 23 || min > 59 || sec > 60)
		return false;
	return guess_year(month, day, ((h * 60 + min) * 60 + sec - zone_offset_s) * 1000, now_ms, time_ms_out);
}

static bool syslog_time_ms(struct slice s, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out)
{
	size_t pos = 3, after_year;
	int64_t of_day_ms, month = month_of(s.ptr), year = -1;
	while (take_byte(s, &pos, ' '))
		;
	size_t digits = pos + 1 < s.len && ascii_is_digit(s.ptr[pos + 1]) ? 2 : 1;
	int64_t day = take_digits(s, &pos, digits);
	if (month == 0 || day < 1 || !take_byte(s, &pos, ' '))
		return false;
	after_year = pos;
	if (take_digits(s, &after_year, 4) >= 0 && take_byte(s, &after_year, ' ')) {
		year = take_digits(s, &pos, 4);
		pos = after_year;
	}
	if (!take_clock(s, &pos, &of_day_ms) || pos != s.len)
		return false;
	of_day_ms -= (int64_t)zone_offset_s * 1000;
	if (year < 0)
		return guess_year(month, day, of_day_ms, now_ms, time_ms_out);
	*time_ms_out = days_since_1970(year, month, day) * DAY_MS + of_day_ms;
	return has_day(year, month, day);
}

/* "1133860803.123" */
static bool epoch_time_ms(struct slice s, int64_t *time_ms_out)
{
	enum { EPOCH_DIGITS_MAX = 12 };
	size_t digits = 0, pos = 0;
	while (digits < s.len && ascii_is_digit(s.ptr[digits]))
		digits++;
	if (digits > EPOCH_DIGITS_MAX)
		return false;
	*time_ms_out = take_digits(s, &pos, digits) * 1000;
	*time_ms_out += take_fraction_ms(s, &pos);
	return pos == s.len;
}

bool maillog_time(struct slice time, int64_t now_ms, int zone_offset_s, int64_t *time_ms_out)
{
	if (time.len < 8)
		return false;
	if (time.len == 15 && is_plain(time.ptr))
		return plain_time_ms(time.ptr, now_ms, zone_offset_s, time_ms_out);
	if (!ascii_is_digit(time.ptr[0]))
		return syslog_time_ms(time, now_ms, zone_offset_s, time_ms_out);
	if (time.ptr[4] == '-')
		return rfc_time_ms(time, zone_offset_s, time_ms_out);
	return epoch_time_ms(time, time_ms_out);
}
