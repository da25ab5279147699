/* SPDX-License-Identifier: Apache-2.0
 *
 * date: RFC 5322 3.3 and 4.3 dates, and what real mail writes instead: missing
 * day names and seconds, zone names, comments, two-digit years, asctime order,
 * dashes, fractions, AM/PM. Pure: a date without a zone is read as UTC.
 */
#ifndef QUELL_MAIL_DATE_H
#define QUELL_MAIL_DATE_H

#include "base/slice.h"

/* Unix ms. False (and 0) when no day, month, year and time can be found. Years
 * 1900 to 9999; a leap second counts as the second before. */
bool date_parse(struct slice text, int64_t *ms_out);

/* FILETIME: 100-ns ticks since 1601-01-01. Before 1970 gives a negative time. */
int64_t date_from_filetime(uint64_t filetime);
/* Times before 1601 give 0. */
uint64_t date_to_filetime(int64_t ms);

#endif
