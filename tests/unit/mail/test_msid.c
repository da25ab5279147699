/* SPDX-License-Identifier: Apache-2.0
 *
 * Message-IDs of the Microsoft shape, and X-OriginalArrivalTime.
 */
#include "unit.h"

#include "mail/msid.h"

static void an_id_tells_when_and_where_it_was_minted(void **state)
{
	char text[IP_TEXT_BYTES];
	(void)state;
	struct ms_id ms = msid_parse(SLICE("000001c58bca$f50976e0$0300a8c0@intra.lexbox.org"));
	assert_true(ms.is_present);
	assert_int_equal(ms.minted_ms, 1121713226062);
	assert_string_equal(ip_text(ms.lan_ip, text), "192.168.0.3");
	assert_slice(ms.host, "intra.lexbox.org");
	ms = msid_parse(SLICE("000001C675DD$42268240$0B64A8C0@mehnertedv.local"));
	assert_string_equal(ip_text(ms.lan_ip, text), "192.168.100.11");
}

static void other_ids_are_not_taken_for_one(void **state)
{
	static const char *const rows[] = { "", "@", "446B4294.7080800@bootc.net",
		"000001c58bca$f50976e0$0300a8c@h", "000001c58bca$f50976e0$0300a8c00@h",
		"000001c58bca-f50976e0$0300a8c0@h", "00000zc58bca$f50976e0$0300a8c0@h",
		"000000000000$00000000$00000000@h", "0000ffffffff$ffffffff$00000000@h" };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_false(msid_parse(slice_from_str(rows[i])).is_present);
}

static void the_arrival_time_is_low_word_first(void **state)
{
	(void)state;
	assert_int_equal(msid_original_arrival(SLICE("18 Jul 2005 19:00:26.0078 (UTC) "
						     "FILETIME=[F50BE7E0:01C58BCA]")), 1121713226078);
	assert_int_equal(msid_original_arrival(SLICE("18 Jul 2005 19:00:26.0078 (UTC)")), 0);
	assert_int_equal(msid_original_arrival(SLICE("FILETIME=[")), 0);
	assert_int_equal(msid_original_arrival(SLICE("FILETIME=[F50BE7E0:01C58BCA0]")), 0);
	assert_int_equal(msid_original_arrival(SLICE("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_tells_when_and_where_it_was_minted),
		cmocka_unit_test(other_ids_are_not_taken_for_one),
		cmocka_unit_test(the_arrival_time_is_low_word_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
