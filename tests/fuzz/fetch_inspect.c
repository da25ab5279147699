/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes what the connector takes from a header: whatever it holds, the address and the
 * return path are bytes that stand in it in one piece, plain ones, and of fit length.
 */
#include "fetch/account.h"
#include "fetch/inspect.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[HASH_KEY_BYTES] = "the key of the stamps";
static const char *const hosts[] = { "mx.isp.example", "pop.isp.example" };

static bool stands_in(struct slice header, const char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0; len > 0 && len <= header.len && i <= header.len - len; i++)
		if (memcmp(header.ptr + i, text, len) == 0)
			return true;
	return len == 0;
}

static bool is_harmless(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f || strchr("<>\"\\,;:()[]", *text))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inspect_setup setup = { .envelope_header = "X-Original-To", .our_host = "quell.firm.example",
				       .isp_hosts = { .items = hosts, .count = 2 }, .stamp_key = key };
	struct slice header = slice_make(size ? data : NULL, size);
	struct digest digest;
	struct inspection i, owner;
	digest_init(&digest, NULL, LEDGER_PRINT_BYTES);
	inspect_header(&setup, header, &digest, &i);
	if (!stands_in(header, i.address) || !stands_in(header, i.return_path))
		abort();
	if (!is_harmless(i.address) || !is_harmless(i.return_path))
		abort();
	if ((i.envelope == ENVELOPE_ONE) != account_address_is_fine(slice_from_str(i.address)))
		abort();
	if (i.is_stamped || i.received < i.received_ours || i.received > size)
		abort(); /* nobody guesses a stamp */
	setup.envelope_header = "";
	digest_init(&digest, NULL, LEDGER_PRINT_BYTES);
	inspect_header(&setup, header, &digest, &owner);
	if (owner.envelope != ENVELOPE_NONE || owner.address[0] || memcmp(owner.top, i.top, sizeof i.top) != 0)
		abort();
	return 0;
}
