/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/hash.h"

static void assert_hex(const uint8_t digest[SHA256_BYTES], const char *hex)
{
	char got[2 * SHA256_BYTES + 1];
	hash_to_hex(digest, SHA256_BYTES, got);
	assert_string_equal(got, hex);
}

static void sha256_gives_the_digests_of_fips_180_4(void **state)
{
	(void)state;
	uint8_t digest[SHA256_BYTES];
	hash_sha256(slice_make(NULL, 0), digest);
	assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256(SLICE("abc"), digest);
	assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231: a short key, "Jefe", and one longer than a block. */
static void hmac_sha256_gives_the_values_of_rfc_4231(void **state)
{
	(void)state;
	uint8_t digest[SHA256_BYTES];
	char key[131];
	memset(key, 0x0b, 20);
	hash_hmac_sha256(slice_make(key, 20), SLICE("Hi There"), digest);
	assert_hex(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hash_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), digest);
	assert_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	hash_hmac_sha256(slice_make(key, sizeof key), SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
			 digest);
	assert_hex(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_from_pieces_is_the_same_and_forgets_its_key(void **state)
{
	(void)state;
	uint8_t whole[SHA256_BYTES], pieces[SHA256_BYTES];
	struct hmac h, again;
	hash_hmac_sha256(SLICE("key"), SLICE("one,two"), whole);
	hmac_init(&h, SLICE("key"));
	again = h;
	hmac_add(&h, SLICE("one"));
	hmac_add(&h, slice_make(NULL, 0));
	hmac_add(&h, SLICE(",two"));
	hmac_end(&h, pieces);
	assert_memory_equal(whole, pieces, sizeof whole);
	static const struct hmac zero;
	assert_memory_equal(&h, &zero, sizeof h);
	hmac_add(&again, SLICE("one,two"));
	hmac_end(&again, pieces);
	assert_memory_equal(whole, pieces, sizeof whole);
}

int main(void)
{
	assert_true(hash_start());
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_digests_of_fips_180_4),
		cmocka_unit_test(hmac_sha256_gives_the_values_of_rfc_4231),
		cmocka_unit_test(hmac_from_pieces_is_the_same_and_forgets_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
