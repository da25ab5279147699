/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "net/addr.h"

static void every_spelling_gives_its_address(void **state)
{
	(void)state;
	static const struct {
		const char *text, *printed; /* printed NULL: refused */
	} rows[] = {
		{ "unix:/run/quell/milter.sock", "unix:/run/quell/milter.sock" },
		{ "local:/x", "unix:/x" }, { "/x/y", "unix:/x/y" },
		{ "inet:8891@127.0.0.1", "127.0.0.1:8891" }, { "inet:8891", "127.0.0.1:8891" },
		{ "inet:127.0.0.1:8891", "127.0.0.1:8891" }, { "inet:8891@localhost", "127.0.0.1:8891" },
		{ "inet:localhost:8891", "127.0.0.1:8891" }, { "inet:8891@*", "0.0.0.0:8891" },
		{ "inet6:8891@::1", "[::1]:8891" }, { "inet6:8891@[::1]", "[::1]:8891" },
		{ "inet6:8891@localhost", "[::1]:8891" }, { "inet6:8891", "[::1]:8891" },
		{ "inet6:[2001:db8::1]:25", "[2001:db8::1]:25" }, { "[2001:db8::1]:25", "[2001:db8::1]:25" },
		{ "192.0.2.1:25", "192.0.2.1:25" }, { "localhost:25", "127.0.0.1:25" },
		{ "127.0.0.1:0", "127.0.0.1:0" }, { "INET:25@127.0.0.1", "127.0.0.1:25" },
		{ "", NULL }, { "unix:", NULL }, { "unix:relative", NULL }, { "127.0.0.1", NULL },
		{ "127.0.0.1:", NULL }, { "127.0.0.1:65536", NULL }, { "127.0.0.1:-1", NULL },
		{ "127.0.0.1:25x", NULL }, { "inet:8891@::1", NULL }, { "inet6:8891@127.0.0.1", NULL },
		{ "mx.example.org:25", NULL }, { "inet:8891@mx.example.org", NULL }, { "25", NULL },
		{ "inet:", NULL }, { "300.0.0.1:25", NULL }, { "[::1]", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct net_addr addr;
		struct error e = { .text = "" };
		char text[NET_ADDR_TEXT_BYTES];
		bool is_read = net_addr_parse(slice_from_str(rows[i].text), &addr, &e);
		if (is_read != (rows[i].printed != NULL))
			fail_msg("\"%s\": %s", rows[i].text, is_read ? net_addr_text(&addr, text) : e.text);
		if (is_read)
			assert_string_equal(net_addr_text(&addr, text), rows[i].printed);
		else
			assert_true(strlen(e.text) > 20);
	}
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	(void)state;
	char path[200];
	struct net_addr addr;
	memset(path, 'x', sizeof path);
	path[0] = '/';
	assert_true(net_addr_parse(slice_make(path, 107), &addr, NULL));
	assert_false(net_addr_parse(slice_make(path, 108), &addr, NULL));
	assert_false(net_addr_parse(slice_make("/a\0b", 4), &addr, NULL));
}

static void local_addresses_are_told_from_others(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_local;
	} rows[] = { { "/x", true }, { "127.9.9.9:1", true }, { "[::1]:1", true },
		     { "192.0.2.1:1", false }, { "[2001:db8::1]:1", false }, { "inet:1@*", false } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct net_addr addr;
		assert_true(net_addr_parse(slice_from_str(rows[i].text), &addr, NULL));
		assert_int_equal(net_addr_is_local(&addr), rows[i].is_local);
	}
}

static void a_lookup_takes_literals_too_and_names_its_trouble(void **state)
{
	(void)state;
	struct net_addr addr;
	struct error e = { .text = "" };
	char text[NET_ADDR_TEXT_BYTES];
	assert_true(net_addr_lookup(SLICE("127.0.0.1:25"), &addr, &e));
	assert_string_equal(net_addr_text(&addr, text), "127.0.0.1:25");
	assert_false(net_addr_lookup(SLICE("no-such-host.invalid:25"), &addr, &e));
	assert_non_null(strstr(e.text, "no-such-host.invalid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_gives_its_address),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
		cmocka_unit_test(local_addresses_are_told_from_others),
		cmocka_unit_test(a_lookup_takes_literals_too_and_names_its_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
