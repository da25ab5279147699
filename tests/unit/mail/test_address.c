/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailbox lists: what people and machines write into To, Cc and From.
 */
#include "unit.h"

#include "mail/address.h"

struct wanted {
	const char *text;
	const char *addresses; /* "local|domain|display" joined by "; " */
};

static const struct wanted rows[] = {
	{ "ann@example.org", "ann|example.org|" },
	{ "Ann Dev <ann@EXAMPLE.Org>", "ann|example.org|Ann Dev" },
	{ "\"Dev, Ann\" <ann+tag@example.org>, bob@x.example", "ann+tag|example.org|Dev, Ann; bob|x.example|" },
	{ "\"a \\\"quoted\\\" b\" <a@b.c>", "a|b.c|a \"quoted\" b" },
	{ "\"odd local\"@example.org", "odd local|example.org|" },
	{ "ann@example.org (Ann Dev)", "ann|example.org|Ann Dev" },
	{ "ann(a)@(b)example(c).org", "ann|example.org|" },
	{ "<@relay.example,@b.example:ann@example.org>", "ann|example.org|" },
	{ "Friends: ann@example.org, Bob <bob@x.example>; carol@y.example",
	  "ann|example.org|; bob|x.example|Bob; carol|y.example|" },
	{ "undisclosed-recipients:;", "" },
	{ "unlisted-recipients:; (no To-header on input)", "" },
	{ "unlisted-recipients: ; (no To-header on input)", "" },
	{ "<unlisted-recipients:>, <no To-header on input>, \"IMB Recipient 1\" <m.d@l.fr>",
	  "unlisted-recipients:||; no To-header on input||; m.d|l.fr|IMB Recipient 1" },
	{ "", "" },
	{ " , ,; ,", "" },
	{ "root", "root||" },
	{ "<>", "||" },
	{ "<<ann@example.org>>", "ann|example.org|" },
	{ "<ann@example.org, bob@x.example", "ann|example.org|; bob|x.example|" },
	{ "Ann Dev ann@example.org", "ann|example.org|Ann Dev" },
	{ "ann@[192.0.2.1], bob@[IPv6:2001:db8::1]", "ann|[192.0.2.1]|; bob|[ipv6:2001:db8::1]|" },
	{ "mailto:ann@example.org", "ann|example.org|" },
	{ "a@b@c.example", "a@b|c.example|" },
	{ "ann @ example.org", "ann|example.org|" },
	{ "ann@example.org.", "ann|example.org|" },
	{ "'Ann' <ann@example.org>", "ann|example.org|'Ann'" },
	{ "((((unclosed", "" },
	{ "\"unclosed <a@b.c>", "unclosed <a@b.c>||" },
	{ "x\\", "x\\||" },
};

static void put(char *out, size_t room, const struct address *a)
{
	size_t len = strlen(out);
	snprintf(out + len, room - len, "%s%.*s|%.*s|%.*s", len ? "; " : "", SLICE_ARG(a->local),
		 SLICE_ARG(a->domain), SLICE_ARG(a->display));
}

static void lists_are_read_as_people_mean_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char copy[512], out[1024] = "";
		struct address_reader r;
		struct address a;
		snprintf(copy, sizeof copy, "%s", rows[i].text);
		address_begin(&r, (struct text){ copy, strlen(copy) });
		while (address_next(&r, &a))
			put(out, sizeof out, &a);
		if (strcmp(out, rows[i].addresses) != 0)
			fail_msg("%s: got \"%s\", wanted \"%s\"", rows[i].text, out, rows[i].addresses);
	}
}

static void no_prefix_of_a_list_reads_past_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t len = 0; len <= strlen(rows[i].text); len++) {
			char *copy = test_malloc(len + 1); /* cmocka guards both ends */
			struct address_reader r;
			struct address a;
			size_t count = 0;
			memcpy(copy, rows[i].text, len);
			address_begin(&r, (struct text){ copy, len });
			while (address_next(&r, &a)) {
				count++;
				assert_true(a.local.len + a.domain.len + a.display.len <= len);
			}
			assert_true(count <= len + 1);
			test_free(copy);
		}
}

static void an_envelope_address_is_split_at_its_last_at(void **state)
{
	char text[] = "a@b@Example.ORG", bare[] = "root";
	(void)state;
	struct address a = address_split((struct text){ text, strlen(text) });
	assert_slice(a.local, "a@b");
	assert_slice(a.domain, "example.org");
	a = address_split((struct text){ bare, 4 });
	assert_slice(a.local, "root");
	assert_int_equal(a.domain.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_as_people_mean_them),
		cmocka_unit_test(no_prefix_of_a_list_reads_past_its_end),
		cmocka_unit_test(an_envelope_address_is_split_at_its_last_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
