/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates as found in Date, Received and FILETIME.
 */
#include "unit.h"

#include "mail/date.h"

static void dates_of_every_kind_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "Mon, 18 Jul 2005 21:00:26 +0200", 1121713226000 },
		{ "Mon, 18 Jul 2005 20:00:16 +0100 (BST)", 1121713216000 },
		{ "18 Jul 2005 19:00:26 GMT", 1121713226000 },
		{ "Mon,  18   jul 05 19:00:26 UT", 1121713226000 },
		{ "Mon, 18 Jul 105 19:00:26 Z", 1121713226000 },
		{ "Mon, 18 Jul 2005 15:00:26 EDT", 1121713226000 },
		{ "Mon, 18 Jul 2005 12:00:26 PDT", 1121713226000 },
		{ "Mon, 18 Jul 2005 19:00 +0000", 1121713200000 },
		{ "Mon Jul 18 19:00:26 2005", 1121713226000 },
		{ "Mon (day) 18 (of) Jul (in) 2005 (at) 19:00:26 (zone) +0000", 1121713226000 },
		{ "18-Jul-2005 19:00:26 +0000", 1121713226000 },
		{ "2005-07-18T19:00:26Z", 1121713226000 },
		{ "2005-07-18 21:00:26.250 +02:00", 1121713226250 },
		{ "18 Jul 2005 19:00:26.0078 (UTC) FILETIME=[F50BE7E0:01C58BCA]", 1121713226078 },
		{ "Mon, 18 Jul 2005 07:00:26 PM +0000", 1121713226000 },
		{ "Mon, 18 Jul 2005 12:00:26 AM +0000", 1121644826000 },
		{ "Mon, 18 Jul 2005 21:00:26 GMT+0200", 1121713226000 },
		{ "Sun, 31 Dec 1995 23:59:60 A", 820454399000 }, /* leap; military zones are UTC */
		{ "Sun, 6 Nov 94 08:49:37 GMT", 784111777000 },
		{ "Thu, 1 Jan 1970 00:00:00 +0000", 0 },
		{ "Thu, 29 Feb 2024 12:00:00 -0000", 1709208000000 },
		{ "Mon, 18 Jul 2005 21:00:26 +9999", 1121720426000 }, /* no such zone */
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms = 0;
		if (!date_parse(slice_from_str(rows[i].text), &ms) || ms != rows[i].ms)
			fail_msg("%s: got %lld, wanted %lld", rows[i].text, (long long)ms,
				 (long long)rows[i].ms);
	}
}

static void what_is_no_date_gives_false_and_zero(void **state)
{
	static const char *const rows[] = { "", "yesterday", "18 Jul 2005", "19:00:26", "Jul 19:00:26",
		"0 Jul 2005 10:00", "32 Jul 2005 10:00", "18 Jul 2005 25:00", "18 Jul 2005 10:60",
		"18 Jul 99999 10:00", "((((((", "18 Foo 2005 10:00", "+0200", "18 Jul 2005 10:" };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms = 1;
		if (date_parse(slice_from_str(rows[i]), &ms))
			fail_msg("%s was read as %lld", rows[i], (long long)ms);
		assert_int_equal(ms, 0);
	}
}

static void filetime_and_unix_time_turn_into_each_other(void **state)
{
	(void)state;
	assert_int_equal(date_from_filetime(0x01c58bcaf50976e0), 1121713226062);
	assert_int_equal(date_from_filetime(0), -11644473600000);
	assert_int_equal(date_to_filetime(0), 116444736000000000);
	assert_int_equal(date_to_filetime(-11644473600001), 0);
	for (int64_t ms = -5000000000; ms < 2000000000000; ms += 123456789123)
		assert_int_equal(date_from_filetime(date_to_filetime(ms)), ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_of_every_kind_are_read),
		cmocka_unit_test(what_is_no_date_gives_false_and_zero),
		cmocka_unit_test(filetime_and_unix_time_turn_into_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
