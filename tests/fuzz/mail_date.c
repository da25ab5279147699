/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes a date: false and 0, or a time between the years 1900 and 9999 (and a
 * day's worth of zone).
 */
#include "mail/date.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t first_ms = INT64_C(-2209075200000), last_ms = INT64_C(253402387200000);
	int64_t ms = 1;
	bool is_date = date_parse(slice_make(size ? data : NULL, size), &ms);
	if ((!is_date && ms != 0) || ms < first_ms - 86400000 || ms > last_ms + 86400000)
		abort();
	if (date_to_filetime(ms) > 0 && date_from_filetime(date_to_filetime(ms)) != ms)
		abort();
	return 0;
}
