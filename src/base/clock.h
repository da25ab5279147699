/* SPDX-License-Identifier: Apache-2.0
 *
 * clock: the one place that reads the time.
 *
 * Time is milliseconds since 1970 UTC in an int64_t, passed as a value to
 * everything that needs it; the pure rooms never call clock_now_ms (checked).
 */
#ifndef QUELL_BASE_CLOCK_H
#define QUELL_BASE_CLOCK_H

#include <stdint.h>

enum {
	CLOCK_SECOND_MS = 1000,
	CLOCK_MINUTE_MS = 60 * 1000,
	CLOCK_HOUR_MS = 60 * 60 * 1000,
	CLOCK_DAY_MS = 24 * 60 * 60 * 1000,
};

/* Wall clock. */
int64_t clock_now_ms(void);
/* For measuring spans; never goes back; unrelated to the wall clock. */
int64_t clock_mono_us(void);

/* RFC 3339 in UTC with seconds ("2005-12-06T09:20:03Z"); out holds >= 32 bytes. */
const char *clock_rfc3339(int64_t when_ms, char *out, unsigned long out_bytes);

/* RFC 5322 3.3 in UTC ("Tue, 06 Dec 2005 09:20:03 +0000"), whatever the locale;
 * out holds >= 40 bytes. */
const char *clock_rfc5322(int64_t when_ms, char *out, unsigned long out_bytes);

#endif
