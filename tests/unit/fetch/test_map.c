/* SPDX-License-Identifier: Apache-2.0
 *
 * The closed map (R1): an address is in it or it has no mailbox; there is nothing between.
 */
#include "../unit.h"

#include "base/mem.h"
#include "fetch/map.h"

#include <stdlib.h>

static struct map *map_of(const char *mailbox, const char *const *items, size_t count)
{
	struct account_settings settings = { .mailbox = mailbox };
	settings.map.items = items;
	settings.map.count = count;
	struct map *map = map_new(&settings);
	assert_non_null(map);
	return map;
}

static const char *name_of(const struct mailbox *mailbox)
{
	return mailbox ? mailbox_name(mailbox) : "(none)";
}

static const char *const firm[] = {
	"Info@Firm.Example = office", "anna@firm.example = Anna", "anna.b@firm.example = Anna@mail.firm.example",
	"a=b@firm.example = odd=box", "zoe@firm.example = zoe",
};
enum { FIRM = sizeof firm / sizeof firm[0] };

static void an_address_is_found_whole_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *address, *mailbox;
	} rows[] = {
		{ "info@firm.example", "office" }, { "INFO@FIRM.EXAMPLE", "office" }, { "anna@firm.example", "Anna" },
		{ "anna.b@firm.example", "Anna@mail.firm.example" }, { "a=b@firm.example", "odd=box" },
		{ "zoe@firm.example", "zoe" },
		{ "", "(none)" }, { "info", "(none)" }, { "@firm.example", "(none)" }, { "firm.example", "(none)" },
		{ "info@firm.example.", "(none)" }, { "info@firm.exampl", "(none)" }, { "nfo@firm.example", "(none)" },
		{ " info@firm.example", "(none)" }, { "<info@firm.example>", "(none)" },
		{ "info@sub.firm.example", "(none)" }, { "info+x@firm.example", "(none)" },
		{ "*@firm.example", "(none)" },
		{ "nobody@firm.example", "(none)" }, { "office", "(none)" }, { "anna@evil.example", "(none)" },
		{ "zzz@zzz.example", "(none)" }, { "aaa", "(none)" },
	};
	struct map *map = map_of("", firm, FIRM);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(name_of(map_find(map, slice_from_str(rows[i].address))), rows[i].mailbox);
	assert_null(map_find(map, SLICE("info@firm.example\0")));
	assert_null(map_find(map, SLICE("info@firm.example\0x")));
	assert_null(map_owner(map));
	map_free(&map);
	assert_null(map);
	map_free(&map);
}

static void a_name_is_one_of_the_map_or_no_mailbox(void **state)
{
	(void)state;
	struct map *map = map_of("", firm, FIRM);
	assert_string_equal(name_of(map_find_name(map, SLICE("ANNA"))), "Anna");
	assert_string_equal(name_of(map_find_name(map, SLICE("office"))), "office");
	assert_string_equal(name_of(map_find_name(map, SLICE("odd=box"))), "odd=box");
	static const char *const none[] = { "", "info@firm.example", "Anna ", "Ann", "Anna@mail.firm.example.evil",
			"*" };
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_null(map_find_name(map, slice_from_str(none[i])));
	map_free(&map);
}

static void an_owner_has_all_of_it_and_no_address_besides(void **state)
{
	(void)state;
	/* Refused by accounts_check; were both there, the owner alone would count. */
	struct map *map = map_of("anna", firm, FIRM);
	assert_string_equal(name_of(map_owner(map)), "anna");
	assert_string_equal(name_of(map_find_name(map, SLICE("Anna"))), "anna");
	assert_null(map_find_name(map, SLICE("office")));
	assert_null(map_find_name(map, SLICE("")));
	assert_null(map_find(map, SLICE("info@firm.example")));
	map_free(&map);
}

static void an_empty_map_has_nobody(void **state)
{
	(void)state;
	static const char *const broken[] = { "no sign", "a@b=c", "" };
	struct map *map = map_of("", NULL, 0);
	assert_null(map_owner(map));
	assert_null(map_find(map, SLICE("a@b")));
	assert_null(map_find_name(map, SLICE("a")));
	map_free(&map);
	map = map_of("", broken, 3);
	assert_null(map_find(map, SLICE("a@b")));
	assert_null(map_find_name(map, SLICE("c")));
	assert_null(map_find(map, SLICE("")));
	map_free(&map);
}

static void any_length_of_address_is_looked_up_safely(void **state)
{
	(void)state;
	char long_address[2000];
	struct map *map = map_of("", firm, FIRM);
	memset(long_address, 'a', sizeof long_address);
	for (size_t n = 0; n <= sizeof long_address; n++)
		assert_null(map_find(map, slice_make(long_address, n)));
	map_free(&map);
}

static void the_largest_map_is_found_whole(void **state)
{
	(void)state;
	static char texts[FETCH_MAP_MAX][64];
	static const char *items[FETCH_MAP_MAX];
	char address[64], name[64];
	for (unsigned i = 0; i < FETCH_MAP_MAX; i++) {
		snprintf(texts[i], sizeof texts[i], "User%u@firm.example = box%u", i * 7919 % FETCH_MAP_MAX,
			 i * 7919 % FETCH_MAP_MAX);
		items[i] = texts[i];
	}
	struct map *map = map_of("", items, FETCH_MAP_MAX);
	memset(texts, 'x', sizeof texts); /* it has copies */
	for (unsigned i = 0; i < FETCH_MAP_MAX; i++) {
		snprintf(address, sizeof address, "user%u@firm.example", i);
		snprintf(name, sizeof name, "box%u", i);
		assert_string_equal(name_of(map_find(map, slice_from_str(address))), name);
	}
	assert_null(map_find(map, SLICE("user5000@firm.example")));
	map_free(&map);
}

static void no_memory_is_no_map(void **state)
{
	(void)state;
	struct account_settings settings = { .mailbox = "" };
	settings.map.items = firm;
	settings.map.count = FIRM;
	struct map *map = NULL;
	long n = 0;
	do {
		mem_fail_after = n;
		map = map_new(&settings);
	} while (!map && n++ < 20);
	mem_fail_after = -1;
	assert_true(n >= 2);
	assert_string_equal(name_of(map_find(map, SLICE("zoe@firm.example"))), "zoe");
	map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_found_whole_or_not_at_all),
		cmocka_unit_test(a_name_is_one_of_the_map_or_no_mailbox),
		cmocka_unit_test(an_owner_has_all_of_it_and_no_address_besides),
		cmocka_unit_test(an_empty_map_has_nobody),
		cmocka_unit_test(any_length_of_address_is_looked_up_safely),
		cmocka_unit_test(the_largest_map_is_found_whole),
		cmocka_unit_test(no_memory_is_no_map),
	};
	return cmocka_run_group_tests_name("fetch map", tests, NULL, NULL);
}
