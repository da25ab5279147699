/* SPDX-License-Identifier: Apache-2.0
 *
 * IP addresses and networks as texts.
 */
#include "unit.h"

#include "mail/facts.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;
	if (!ip_parse(slice_from_str(text), &ip))
		fail_msg("\"%s\" was refused", text);
	return ip;
}

static void texts_of_both_families_are_read_and_written(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "IPv6:2001:db8::1", "2001:db8::1" },
		{ "ipv6:::ffff:82.235.130.100", "82.235.130.100" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "fe80::1%eth0", "fe80::1" },
	};
	char text[IP_TEXT_BYTES];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(ip_text(ip_of(rows[i][0]), text), rows[i][1]);
	assert_string_equal(ip_text((struct ip){ { 0 } }, text), "unknown");
}

static void what_is_no_address_is_refused_and_unknown(void **state)
{
	static const char *const rows[] = { "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "::g",
		"1.2.3.4 ", "[1.2.3.4]", "mail.example.com", "IPv6:", ":::",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };
	struct ip ip;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(ip_parse(slice_from_str(rows[i]), &ip));
		assert_true(ip_is_unknown(ip));
	}
	assert_false(ip_parse(slice_make("1.2.3.4\0", 8), &ip));
}

static void private_and_loopback_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		bool is_private, is_loopback;
	} rows[] = {
		{ "10.1.2.3", true, false },    { "172.16.0.1", true, false },
		{ "172.32.0.1", false, false }, { "192.168.255.1", true, false },
		{ "192.169.0.1", false, false }, { "127.9.9.9", true, true },
		{ "169.254.1.1", true, false }, { "8.8.8.8", false, false },
		{ "::1", true, true },          { "fd00::1", true, false },
		{ "fe80::1", true, false },     { "2001:db8::1", false, false },
		{ "::ffff:10.0.0.1", true, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(ip_is_private(ip_of(rows[i].text)), rows[i].is_private);
		assert_int_equal(ip_is_loopback(ip_of(rows[i].text)), rows[i].is_loopback);
	}
}

static void a_network_holds_what_it_should(void **state)
{
	static const struct {
		const char *net, *ip;
		bool holds;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true }, { "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.128/25", "192.0.2.127", false }, { "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false }, { "0.0.0.0/0", "9.9.9.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false }, { "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false }, { "::/0", "1.2.3.4", true },
	};
	struct ip_net net;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(ip_net_parse(slice_from_str(rows[i].net), &net));
		assert_int_equal(ip_net_holds(net, ip_of(rows[i].ip)), rows[i].holds);
	}
	assert_false(ip_net_parse(SLICE("192.0.2.0/33"), &net));
	assert_false(ip_net_parse(SLICE("192.0.2.0/"), &net));
	assert_false(ip_net_parse(SLICE("192.0.2/24"), &net));
}

static void the_organisation_is_the_registrable_domain(void **state)
{
	static const char *const rows[][2] = {
		{ "mail.example.com", "example.com" }, { "example.com", "example.com" },
		{ "a.b.example.co.uk", "example.co.uk" }, { "mx.firm.ie", "firm.ie" },
		{ "srv.firm.local", "firm.local" }, { "localhost", "localhost" },
		{ "co.uk", "co.uk" }, { "mail.example.com.", "example.com" }, { "", "" },
		{ "192.0.2.1", "192.0.2.1" }, { "[192.0.2.1]", "[192.0.2.1]" },
		{ "intra.lexbox.org", "lexbox.org" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_slice(domain_org(slice_from_str(rows[i][0])), rows[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_both_families_are_read_and_written),
		cmocka_unit_test(what_is_no_address_is_refused_and_unknown),
		cmocka_unit_test(private_and_loopback_are_told_apart),
		cmocka_unit_test(a_network_holds_what_it_should),
		cmocka_unit_test(the_organisation_is_the_registrable_domain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
