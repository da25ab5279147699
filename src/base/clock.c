/* SPDX-License-Identifier: Apache-2.0
 *
 * clock: reads the time, and writes it as RFC 3339.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

int64_t clock_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* False for a year that four digits cannot write. */
static bool clock_split(int64_t when_ms, struct tm *tm_out)
{
	/* Floor, so that times before 1970 keep their second. */
	time_t seconds = (time_t)(when_ms / 1000 - (when_ms % 1000 < 0));
	return gmtime_r(&seconds, tm_out) && tm_out->tm_year >= -1900 && tm_out->tm_year < 10000 - 1900;
}

const char *clock_rfc3339(int64_t when_ms, char *out, unsigned long out_bytes)
{
	struct tm tm;
	if (!clock_split(when_ms, &tm) || strftime(out, out_bytes, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, out_bytes, "invalid-time");
	return out;
}

const char *clock_rfc5322(int64_t when_ms, char *out, unsigned long out_bytes)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;
	if (!clock_split(when_ms, &tm))
		clock_split(0, &tm);
	snprintf(out, out_bytes, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
		 months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return out;
}
