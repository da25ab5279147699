/* SPDX-License-Identifier: Apache-2.0
 *
 * msid: see msid.h. Fixed shape, fixed positions.
 */
#include "mail/msid.h"

#include "mail/date.h"

static const int64_t msid_earliest_ms = INT64_C(315532800000);  /* 1980 */
static const int64_t msid_latest_ms = INT64_C(4102444800000);   /* 2100 */

struct ms_id msid_parse(struct slice id)
{
	struct ms_id ms = { .is_present = false };
	uint64_t sequence = 0, high = 0, low = 0, lan = 0;
	size_t at = slice_find_byte(id, 0, '@');

	if (at != 30 || id.ptr[12] != '$' || id.ptr[21] != '$' ||
	    !slice_to_hex64(slice_between(id, 0, 4), &sequence) ||
	    !slice_to_hex64(slice_between(id, 4, 12), &high) ||
	    !slice_to_hex64(slice_between(id, 13, 21), &low) ||
	    !slice_to_hex64(slice_between(id, 22, 30), &lan))
		return ms;
	ms.minted_ms = date_from_filetime(high << 32 | low);
	if (ms.minted_ms < msid_earliest_ms || ms.minted_ms > msid_latest_ms)
		return (struct ms_id){ .is_present = false };
	ms.is_present = true;
	ms.host = slice_from(id, at + 1);
	ms.lan_ip.bytes[10] = ms.lan_ip.bytes[11] = 0xff;
	for (int i = 0; i < 4; i++)
		ms.lan_ip.bytes[12 + i] = (uint8_t)(lan >> (8 * i));
	return ms;
}

int64_t msid_original_arrival(struct slice value)
{
	uint64_t high = 0, low = 0;
	struct slice key = SLICE("FILETIME=[");
	size_t pos = slice_find_nocase(value, 0, key) + key.len;
	size_t colon = slice_find_byte(value, pos, ':');
	size_t end = slice_find_byte(value, colon, ']');

	if (!slice_to_hex64(slice_between(value, pos, colon), &low) || low > UINT32_MAX ||
	    !slice_to_hex64(slice_between(value, colon + 1, end), &high) || high > UINT32_MAX)
		return 0;
	int64_t ms = date_from_filetime(high << 32 | low);
	return ms < msid_earliest_ms || ms > msid_latest_ms ? 0 : ms;
}
