/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fetch/account.h"

static struct buf told;

static void tell(void *ctx, const struct account_entry *account, const char *setting, size_t item, const char *text)
{
	assert_ptr_equal(ctx, &told);
	buf_addf(&told, "%s/%s/%zu: %s\n", account ? account->label : "-", setting, item, text);
}

static int make_buf(void **state)
{
	(void)state;
	buf_init(&told, 1024 * 1024);
	return 0;
}

static int drop_buf(void **state)
{
	(void)state;
	buf_free(&told);
	return 0;
}

/* Texts of rows that are none of ours stay "", as the reader leaves them. */
static void default_values(const struct setting_row *rows, size_t count, void *values)
{
	char why[256];
	for (size_t i = 0; i < count; i++) {
		if (rows[i].type == SETTING_LIST)
			assert_string_equal(rows[i].default_text, "[]");
		else
			assert_true(setting_parse(&rows[i], rows[i].default_text, values, why, sizeof why));
	}
}

static struct fetch_settings fetch_defaults(void)
{
	struct fetch_settings f = { .state = "" };
	default_values(fetch_setting_rows, fetch_setting_row_count, &f);
	return f;
}

/* One that is fine. */
static struct account_entry good_account(const char *label, const char *user)
{
	struct account_entry a = { .label = label };
	default_values(account_setting_rows, account_setting_row_count, &a.settings);
	a.settings.host = "pop.isp.example";
	a.settings.user = user;
	a.settings.password_file = "/p";
	a.settings.mailbox = "anna@firm.example";
	return a;
}

static bool check(const struct account_entry *accounts, size_t count)
{
	struct fetch_settings f = fetch_defaults();
	buf_reset(&told);
	return accounts_check(&f, accounts, count, tell, &told);
}

/* name=value, name=value ...: into the account; a list has ";" between its items. */
static void change(struct account_entry *a, char *changes, const char *items[16])
{
	size_t used = 0;
	for (char *part; (part = strsep(&changes, "|"));) {
		char *name = strsep(&part, ":"), why[256];
		size_t i = 0;
		while (i < account_setting_row_count && strcmp(account_setting_rows[i].name, name) != 0)
			i++;
		if (i == account_setting_row_count)
			fail_msg("no row %s", name);
		const struct setting_row *row = &account_setting_rows[i];
		if (row->type != SETTING_LIST) {
			if (!setting_parse(row, part, &a->settings, why, sizeof why))
				fail_msg("%s: %s", name, why);
			continue;
		}
		struct setting_list *list = (void *)((char *)&a->settings + row->offset);
		list->items = &items[used];
		for (char *item; (item = strsep(&part, ";")) && used < 16; list->count++)
			items[used++] = item;
	}
}

static void what_is_dangerous_or_senseless_is_refused_with_the_mend(void **state)
{
	static const struct {
		const char *changes, *begins; /* NULL: fine */
	} cases[] = {
		{ "port:110", NULL },
		{ "host:", "a//0: host is missing" },
		{ "host:pop isp", "a/host/0: \"pop isp\" is not understood" },
		{ "user:", "a//0: user is missing" },
		{ "tls:none", "a/tls/0: none would show the password to everybody between here and pop.isp.example" },
		{ "tls:none|host:127.0.0.1", NULL },
		{ "tls:none|host:localhost", NULL },
		{ "tls:none|host:127.0.0.1.evil.example", "a/tls/0: none would show" },
		{ "tls:none|host:192.0.2.1", "a/tls/0: none would show" },
		{ "tls:starttls-required", NULL },
		{ "tls:none|host:localhost|ca_file:/c", "a/ca_file/0: has no use" },
		{ "pin:0123", "a/pin/0: not understood" },
		{ "pin:sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL },
		{ "every:30s", "a/every/0: too often" },
		{ "every:60s", NULL },
		{ "password_file:", "a//0: no secret to log in with; expected password_file" },
		{ "password_command:/usr/bin/pass;x", "a/password_command/0: stands beside password_file" },
		{ "password:x", "a/password_file/0: stands beside password" },
		{ "password_file:rel", "a/password_file/0: rel is not understood" },
		{ "password_file:credential:isp", NULL },
		{ "password_file:credential:../x", "a/password_file/0: credential:../x is not understood" },
		{ "password_file:|password_command:pass", "a/password_command/0: no shell runs it" },
		{ "password_file:|password_command:/usr/bin/pass show", "a/password_command/0: no shell runs it" },
		{ "auth:xoauth2", "a/auth/0: xoauth2 does not go with password_file; expected token_command" },
		{ "password_file:|token_command:/t|auth:plain", "a/auth/0: plain does not go with token_command" },
		{ "password_file:|token_command:/t|auth:xoauth2", NULL },
		{ "password_file:|token_command:/t", NULL },
		{ "client_id:x", "a/client_id/0: has no use without token_url" },
		{ "password_file:|token_url:https://t/|client_id:c|refresh_token_file:/r", NULL },
		{ "password_file:|token_url:https://t/|client_id:c|client_secret_file:/r", NULL },
		{ "password_file:|token_url:https://t/|client_id:c", "a/token_url/0: has nothing to show" },
		{ "password_file:|token_url:https://t/|refresh_token_file:/r", "a/token_url/0: client_id is missing" },
		{ "password_file:|token_url:http://t/xxx|client_id:c|refresh_token_file:/r",
		  "a/token_url/0: secrets go there" },
		{ "mailbox:", "a//0: nobody is to get its mail" },
		{ "mailbox:anna", NULL },
		{ "mailbox:an na", "a/mailbox/0: \"an na\" is not understood" },
		{ "mailbox:anna>", "a/mailbox/0: " },
		{ "mailbox:*", "a/mailbox/0: " },
		{ "mailbox:@firm.example", "a/mailbox/0: " },
		{ "envelope_header:Delivered-To", "a/envelope_header/0: stands beside mailbox" },
		{ "map:a@b = c", "a/map/0: has no use without envelope_header" },
		{ "isp_hosts:mx.isp.example", "a/isp_hosts/0: has no use without envelope_header" },
		{ "mailbox:|envelope_header:Delivered-To", "a//0: map is missing" },
		{ "mailbox:|envelope_header:Delivered-To|map:a@b.example = c", NULL },
		{ "mailbox:|envelope_header:Delivered-To|map:a=x@b.example = c@d|isp_hosts:mx", NULL },
		{ "mailbox:|envelope_header:Delivered-To|map:a@b = c|isp_hosts:mx;m x", "a/isp_hosts/1: \"m x\"" },
		{ "mailbox:|envelope_header:De livered|map:a@b = c", "a/envelope_header/0: \"De livered\" is not" },
		{ "mailbox:|envelope_header:X-O|map:a@b = c;a@b", "a/map/1: a@b is not understood; expected "
				"\"address" },
		{ "mailbox:|envelope_header:X-O|map:*@b = c", "a/map/0: \"*@b = c\": a wildcard" },
		{ "mailbox:|envelope_header:X-O|map:@b = c", "a/map/0: \"@b = c\": a wildcard" },
		{ "mailbox:|envelope_header:X-O|map:b = c", "a/map/0: \"b = c\": the address is not understood" },
		{ "mailbox:|envelope_header:X-O|map:a@b@c = c", "a/map/0: \"a@b@c = c\": the address is not" },
		{ "mailbox:|envelope_header:X-O|map:a@b = c d", "a/map/0: \"a@b = c d\": the mailbox is not" },
		{ "mailbox:|envelope_header:X-O|map:a@b = c;x@y = z;A@B = d", "a/map/2: A@B stands here twice" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char changes[256];
		const char *items[16];
		struct account_entry a = good_account("a", "u");
		snprintf(changes, sizeof changes, "%s", cases[i].changes);
		change(&a, changes, items);
		bool is_fine = check(&a, 1);
		if (is_fine != !cases[i].begins)
			fail_msg("%s: %s", cases[i].changes, is_fine ? "taken" : buf_str(&told));
		if (cases[i].begins && strncmp(buf_str(&told), cases[i].begins, strlen(cases[i].begins)) != 0)
			fail_msg("%s: told %s", cases[i].changes, buf_str(&told));
		if (!is_fine && slice_find_byte(buf_slice(&told), 0, '\n') + 1 != told.len)
			fail_msg("%s: told more than one thing: %s", cases[i].changes, buf_str(&told));
	}
}

static void a_header_that_senders_write_never_names_the_recipient(void **state)
{
	static const char *const refused[] = { "To", "to", "CC", "Bcc", "From", "Sender", "Reply-To", "Received",
					       "Resent-To", "resent-anything", "Return-Path", "Apparently-To",
					       "X-Quell-Fetch", "", "To:", "X Y" };
	static const char *const fine[] = { "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To",
			"X-Rcpt-To",
					    "X-RCPT-TO", "X-Delivered-To", "X_To", "Tom" };
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_false(account_header_is_fine(slice_from_str(refused[i])));
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
		assert_true(account_header_is_fine(slice_from_str(fine[i])));
	char changes[] = "mailbox:|envelope_header:Cc|map:a@b = c";
	const char *items[16];
	struct account_entry a = good_account("a", "u");
	change(&a, changes, items);
	assert_false(check(&a, 1));
	assert_non_null(strstr(buf_str(&told), "Cc is refused: the sender writes it"));
	assert_non_null(strstr(buf_str(&told), "December 2005"));
	assert_non_null(strstr(buf_str(&told), "X-Original-To"));
}

static void one_box_is_not_collected_twice(void **state)
{
	(void)state;
	struct account_entry two[] = { good_account("a", "u"), good_account("b", "u") };
	assert_false(check(two, 2));
	assert_string_equal(buf_str(&told),
			    "b//0: has the host and user of account a, and one box must not be collected twice\n");
	two[1].settings.host = "POP.isp.example";
	assert_false(check(two, 2));
	two[1].settings.user = "U"; /* another user, to some servers */
	assert_true(check(two, 2));
	two[1].label = "a";
	assert_false(check(two, 2));
	two[1].label = "a b";
	assert_false(check(two, 2));
	assert_non_null(strstr(buf_str(&told), "expected a label of 1 to 32"));
}

static void a_search_for_mail_in_doubt_needs_its_program(void **state)
{
	(void)state;
	static const char *const argv[] = { "/usr/bin/x", "%u" }, *const bare[] = { "x" };
	struct fetch_settings f = fetch_defaults();
	buf_reset(&told);
	f.in_doubt = "search";
	assert_false(accounts_check(&f, NULL, 0, tell, &told));
	assert_string_equal(buf_str(&told),
			    "-/in_doubt/0: search has no in_doubt_search; expected a program that looks for the "
			    "mail\n");
	f.in_doubt_search = (struct setting_list){ argv, 2 };
	assert_true(accounts_check(&f, NULL, 0, tell, &told));
	f.in_doubt_search = (struct setting_list){ bare, 1 };
	assert_false(accounts_check(&f, NULL, 0, tell, &told));
}

static void labels_and_map_lines_are_taken_apart(void **state)
{
	(void)state;
	struct slice address, mailbox;
	assert_true(account_map_parts(SLICE("a=b@x.example = c@d"), &address, &mailbox));
	assert_slice(address, "a=b@x.example");
	assert_slice(mailbox, "c@d");
	assert_false(account_map_parts(SLICE("a=b"), &address, &mailbox));
	assert_false(account_map_parts(SLICE(""), &address, &mailbox));
	assert_true(account_label_is_fine(SLICE("firm-1_a.b")));
	assert_true(account_label_is_fine(SLICE("12345678901234567890123456789012")));
	assert_false(account_label_is_fine(SLICE("123456789012345678901234567890123")));
	assert_false(account_label_is_fine(SLICE("")));
	assert_false(account_label_is_fine(SLICE("a/b")));
}

static void without_memory_the_check_refuses(void **state)
{
	(void)state;
	struct account_entry a = good_account("a", "u");
	mem_fail_after = 0;
	bool is_fine = check(&a, 1);
	mem_fail_after = -1;
	assert_false(is_fine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_dangerous_or_senseless_is_refused_with_the_mend),
		cmocka_unit_test(a_header_that_senders_write_never_names_the_recipient),
		cmocka_unit_test(one_box_is_not_collected_twice),
		cmocka_unit_test(a_search_for_mail_in_doubt_needs_its_program),
		cmocka_unit_test(labels_and_map_lines_are_taken_apart),
		cmocka_unit_test(without_memory_the_check_refuses),
	};
	return cmocka_run_group_tests(tests, make_buf, drop_buf);
}
