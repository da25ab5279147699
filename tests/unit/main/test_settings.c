/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "main/settings.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct settings_report report;

static struct settings *read_text(const char *yaml)
{
	return settings_read(slice_from_str(yaml), "q.yaml", &report);
}

/* A text that is refused, and the messages, a line each. */
struct bad {
	const char *yaml, *messages;
};

static void assert_refused(const struct bad *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf all;
		buf_init(&all, 64 * 1024);
		if (read_text(bad[i].yaml))
			fail_msg("taken: %s", bad[i].yaml);
		for (size_t k = 0; k < report.count; k++)
			buf_addf(&all, "%s\n", report.messages[k].text);
		assert_string_equal(buf_str(&all), bad[i].messages);
		buf_free(&all);
	}
}

#define ASSERT_REFUSED(table) assert_refused(table, sizeof(table) / sizeof((table)[0]))

static void a_wrong_name_is_told_with_its_line_and_the_right_one(void **state)
{
	static const struct bad bad[] = {
		{ "stat: /x\n", "q.yaml:1: stat: unknown setting; did you mean state?\n" },
		{ "mode: guard\n\nmiltre: {}\n", "q.yaml:3: miltre: unknown setting; did you mean milter?\n" },
		{ "hold:\n  deadlien: 5s\n",
		  "q.yaml:2: hold.deadlien: unknown setting; did you mean hold.deadline?\n" },
		{ "deadline: 5s\n", "q.yaml:1: deadline: unknown setting; did you mean hold.deadline?\n" },
		{ "hold: {relay: x}\n", "q.yaml:1: hold.relay: unknown setting; did you mean release.relay?\n" },
		{ "Mode: guard\n", "q.yaml:1: Mode: unknown setting; did you mean mode?\n" },
		{ "frobnicate: {a: [b, {c: d}]}\nmode: x\n",
		  "q.yaml:1: frobnicate: unknown setting; expected one of those in quell.yaml(5)\n"
		  "q.yaml:2: mode: x is not understood; expected one of observe, guard\n" },
		{ "\"\\e[31m\": 1\n",
		  "q.yaml:1: \"\\x1b[31m\": unknown setting; expected one of those in quell.yaml(5)\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void a_wrong_value_is_told_with_what_was_expected(void **state)
{
	static const struct bad bad[] = {
		{ "state: var\n",
		  "q.yaml:1: state: var is not understood; expected an absolute path, beginning with /\n" },
		{ "state:\nmode: guard\n",
		  "q.yaml:1: state: no value; expected one value, or no such line at all for the default\n" },
		{ "state: ~\n",
		  "q.yaml:1: state: no value; expected one value, or no such line at all for the default\n" },
		{ "state: [/a, /b]\n", "q.yaml:1: state: a list; expected one value\n" },
		{ "state: {a: b}\n", "q.yaml:1: state: a section; expected one value\n" },
		{ "our_hosts: {a: b}\n", "q.yaml:1: our_hosts: a section; expected a list\n" },
		{ "our_hosts: [a, [b]]\n",
		  "q.yaml:1: our_hosts: a list or section in a list; expected a list of texts\n" },
		{ "our_hosts: [\"a b\"]\n",
		  "q.yaml:1: our_hosts: \"a b\" is not understood; expected a host name such as "
					    "mx.example.org, or an address\n" },
		{ "own_networks: 300.1.2.3/8\n", "q.yaml:1: own_networks: 300.1.2.3/8 is not understood; expected a "
						 "network such as 192.0.2.0/24, or an address\n" },
		{ "milter: {max_sessions: 010}\n",
		  "q.yaml:1: milter.max_sessions: 010 is not understood; expected a whole "
						   "number without leading zeros, from 1 to 60000\n" },
		{ "milter: {max_sessions: 0}\n",
		  "q.yaml:1: milter.max_sessions: 0 is not understood; expected a whole "
						 "number without leading zeros, from 1 to 60000\n" },
		{ "milter: {stamp: maybe}\n",
		  "q.yaml:1: milter.stamp: maybe is not understood; expected true or false\n" },
		{ "milter: {listen: 8891}\n",
		  "q.yaml:1: milter.listen: 8891 is not understood; expected unix:/path or "
					      "inet:PORT@ADDRESS, such as inet:8891@127.0.0.1\n" },
		{ "milter: {socket_mode: 0999}\n",
		  "q.yaml:1: milter.socket_mode: 0999 is not understood; expected octal "
						   "permissions such as 0660, read and write for the owner\n" },
		{ "hold: {deadline: 5}\n",
		  "q.yaml:1: hold.deadline: 5 is not understood; expected a time such as 500ms, "
					   "30s, 15m, 6h or 3d, from 100ms to 5m\n" },
		{ "hold: {mail_bytes_max: 10MB}\n",
		  "q.yaml:1: hold.mail_bytes_max: 10MB is not understood; expected a size "
						    "such as 4096, 64KiB, 256MiB or 1GiB, from 64KiB to 4GiB\n" },
		{ "confirm: log\n",
		  "q.yaml:1: confirm: log is not understood; expected log:/path/of/the/mail.log, journal "
				    "or none\n" },
		{ "release: {relay: \"127.0.0.1:25\"}\n",
		  "q.yaml:1: release.relay: 127.0.0.1:25 is not understood; expected smtp://HOST:PORT, "
		  "lmtp://HOST:PORT or lmtp:unix:/path\n" },
		{ "release: smtp\n",
		  "q.yaml:1: release: a value; expected a section of indented \"name: value\" lines\n" },
		{ "state: \"/a\\nb\"\n",
		  "q.yaml:1: state: holds a character that cannot be shown; expected printable text\n" },
		{ "state: \"/a\\u202eb\"\n",
		  "q.yaml:1: state: holds a character that cannot be shown; expected printable text\n" },
		{ "state: \"/a\\0b\"\n",
		  "q.yaml:1: state: holds a character that cannot be shown; expected printable text\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void what_is_set_twice_is_told_with_both_lines(void **state)
{
	static const struct bad bad[] = {
		{ "mode: guard\nstate: /x\nmode: observe\n",
		  "q.yaml:3: mode: set twice; expected it once, line 1 sets it too\n" },
		{ "hold: {deadline: 5s}\nlog: {level: info}\nhold:\n  defer_for: 1h\n",
		  "q.yaml:3: hold: set twice; expected one section, line 1 begins it too\n" },
		{ "hold:\n  deadline: 5s\n  deadline: 6s\n",
		  "q.yaml:3: hold.deadline: set twice; expected it once, line 2 sets it too\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void broken_yaml_is_told_with_its_line_and_why(void **state)
{
	static const struct bad bad[] = {
		{ "mode: guard\nhold:\n\tdeadline: 5s\n",
		  "q.yaml:3: not valid YAML: a tab; expected blanks to indent with\n" },
		{ "mode: \"guard\n",
		  "q.yaml:2: not valid YAML: found unexpected end of stream, while scanning a quoted "
				     "scalar that begins on line 1\n" },
		{ "our_hosts: [a, b\nmode: guard\n",
		  "q.yaml:1: our_hosts: \"b mode\" is not understood; expected a host name such as "
		  "mx.example.org, or an address\n"
		  "q.yaml:2: not valid YAML: did not find expected ',' or ']', while parsing a flow "
		  "sequence that begins on line 1\n" },
		{ "- a\n- b\n", "q.yaml:1: no settings; expected \"name: value\" lines\n" },
		{ "just words\n", "q.yaml:1: no settings; expected \"name: value\" lines\n" },
		{ "mode: guard\n---\nmode: observe\n", "q.yaml:2: a second document (---); expected one\n" },
		{ "[a]: b\n", "q.yaml:1: a list or section as a name; expected \"name: value\"\n" },
		{ "mode: guard\nstate: \xff\xfe\n",
		  "q.yaml: not a text file: invalid leading UTF-8 octet at byte 19; expected UTF-8\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void anchors_aliases_tags_and_depth_are_refused_at_once(void **state)
{
	static const struct bad bad[] = {
		{ "our_hosts: &a [x]\nrelays: *a\n",
		  "q.yaml:1: an anchor (&) is not accepted; expected plain values, or text in quotes\n" },
		{ "relays: !!seq [x]\n",
		  "q.yaml:1: a tag (!) is not accepted; expected plain values, or text in quotes\n" },
		{ "x: [[[[[[[[[[[[1]]]]]]]]]]]]\n",
		  "q.yaml:1: x: unknown setting; expected one of those in quell.yaml(5)\n"
		  "q.yaml:1: nested too deep; expected at most 8 levels\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void at_most_twenty_messages_are_kept_and_all_are_counted(void **state)
{
	(void)state;
	struct buf yaml;
	buf_init(&yaml, 64 * 1024);
	for (int i = 0; i < 50; i++)
		buf_addf(&yaml, "unknown_%d: 1\n", i);
	assert_null(settings_read(buf_slice(&yaml), "q.yaml", &report));
	assert_int_equal(report.count, SETTINGS_MESSAGES_MAX);
	assert_int_equal(report.errors, 50);
	assert_int_equal(report.messages[19].line, 20);
	buf_free(&yaml);
}

static void a_bomb_of_a_file_ends_soon_and_in_words(void **state)
{
	(void)state;
	static const char *const pieces[] = { "[", "{a: ", "- ", "? ", "a:\n", "\"", "&a ", "x: y\n",
					    "our_hosts: [a," };
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct buf yaml;
		buf_init(&yaml, SETTINGS_FILE_BYTES_MAX);
		while (buf_add_str(&yaml, pieces[i]))
			;
		yaml.is_over = false;
		assert_null(settings_read(buf_slice(&yaml), "q.yaml", &report));
		assert_true(report.errors > 0);
		buf_free(&yaml);
	}
	char *much = mem_alloc(SETTINGS_FILE_BYTES_MAX + 1);
	memset(much, '\n', SETTINGS_FILE_BYTES_MAX + 1);
	assert_null(settings_read(slice_make(much, SETTINGS_FILE_BYTES_MAX + 1), "q.yaml", &report));
	assert_string_equal(report.messages[0].text, "q.yaml: larger than 1 MiB; expected a settings file");
	mem_free(much);
}

static void assert_same(const struct settings *a, const struct settings *b, bool is_same)
{
	struct buf changed, fixed;
	buf_init(&changed, 16 * 1024);
	buf_init(&fixed, 16 * 1024);
	settings_compare(a, b, &changed, &fixed);
	if (is_same && changed.len + fixed.len > 0)
		fail_msg("differ in %s %s", buf_str(&changed), buf_str(&fixed));
	assert_true(is_same || changed.len + fixed.len > 0);
	buf_free(&changed);
	buf_free(&fixed);
}

static void the_sample_is_valid_complete_and_gives_the_defaults(void **state)
{
	(void)state;
	struct buf sample;
	buf_init(&sample, 256 * 1024);
	assert_true(settings_sample(&sample));
	struct settings *defaults = read_text(""), *s = settings_read(buf_slice(&sample), "sample", &report);
	assert_non_null(defaults);
	if (!s)
		fail_msg("%s", report.messages[0].text);
	assert_same(defaults, s, true);
	for (size_t i = 0; i < s->section_count; i++)
		for (size_t j = 0; j < s->sections[i].row_count; j++)
			assert_true(s->lines[i][j] > 0 || s->sections[i].rows[j].is_secret);
	settings_free(s);
	settings_free(defaults);
	buf_free(&sample);
}

static void what_show_prints_is_read_back_as_the_same_settings(void **state)
{
	(void)state;
	static const char yaml[] = "mode: observe\nour_hosts: [mx1.example.org, mx2.example.org]\n"
				   "confirm: log:/var/log/mail.log\n"
				   "milter: {listen: [\"inet:8891@127.0.0.1\", \"unix:/run/q\"], stamp: off,\n"
				   "  timeout: 90m}\n"
				   "hold:\n  mail_bytes_max: 1MiB\nrelease: {relay: \"lmtp:unix:/run/x\", rate: 5}\n"
				   "log: {level: debug}\n";
	struct settings *s = read_text(yaml), *again;
	struct buf shown;
	assert_non_null(s);
	buf_init(&shown, 64 * 1024);
	assert_true(settings_show(s, &shown));
	assert_non_null(strstr(buf_str(&shown), "mode: observe  # q.yaml:1\n"));
	assert_non_null(strstr(buf_str(&shown), "  timeout: 90m  # q.yaml:5\n"));
	assert_non_null(strstr(buf_str(&shown), "  throttle: 60  # default\n"));
	again = settings_read(buf_slice(&shown), "shown", &report);
	assert_non_null(again);
	assert_same(s, again, true);
	settings_free(again);
	settings_free(s);
	buf_free(&shown);
}

static void texts_are_understood(void **state)
{
	(void)state;
	struct settings *s = read_text("");
	assert_true(s->is.is_guard);
	assert_int_equal(s->is.confirm, CONFIRM_NONE);
	assert_string_equal(s->is.control_socket, "/var/lib/quell/control.sock");
	assert_int_equal(s->is.own_net_count, 2);
	assert_int_equal(s->is.milter_socket_mode, 0660);
	assert_string_equal(s->is.relay.address, "127.0.0.1:25");
	assert_int_equal(s->top.our_hosts.count, 0);
	assert_int_equal(s->hold.deadline_ms, 5000);
	settings_free(s);
	s = read_text("mode: observe\nconfirm: log:/l\nstate: /s/\n"
		      "own_networks: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.1]\n"
		      "our_hosts: mx.example.org\nlog: {level: warn}\n"
		      "milter: {socket_mode: 600}\nrelease: {relay: \"lmtp://[::1]:24\"}\n");
	assert_non_null(s);
	assert_false(s->is.is_guard);
	assert_int_equal(s->is.confirm, CONFIRM_LOG);
	assert_string_equal(s->is.confirm_log, "/l");
	assert_string_equal(s->is.control_socket, "/s/control.sock");
	assert_int_equal(s->is.own_net_count, 3);
	assert_int_equal(s->is.milter_socket_mode, 0600);
	assert_int_equal(s->is.log_level, LOG_LEVEL_WARN);
	assert_true(s->is.relay.is_lmtp);
	assert_string_equal(s->is.relay.host, "::1");
	assert_int_equal(s->is.relay.port, 24);
	assert_string_equal(s->is.relay.address, "[::1]:24");
	assert_string_equal(s->top.our_hosts.items[0], "mx.example.org");
	settings_free(s);
}

static void relays_are_read_in_all_their_forms_and_no_other(void **state)
{
	static const struct {
		const char *text, *address;
	} cases[] = {
		{ "smtp://mx.example.org", "mx.example.org:25" }, { "smtp://127.0.0.1:2525", "127.0.0.1:2525" },
		{ "smtp://[2001:db8::1]", "[2001:db8::1]:25" },   { "lmtp:unix:/run/x", "unix:/run/x" },
		{ "lmtp://h", NULL },      { "smtp://", NULL },    { "smtp://h:", NULL },   { "smtp://h:0", NULL },
		{ "smtp://h:65536", NULL }, { "smtp://[::1", NULL }, { "smtp://a b", NULL }, { "http://x", NULL },
		{ "smtp:unix:/", NULL },   { "smtp", NULL },       { "smtp://h/path", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char yaml[128];
		snprintf(yaml, sizeof yaml, "release: {relay: \"%s\"}\n", cases[i].text);
		struct settings *s = read_text(yaml);
		if (!s != !cases[i].address)
			fail_msg("%s was %s", cases[i].text, s ? "taken" : "refused");
		if (s)
			assert_string_equal(s->is.relay.address, cases[i].address);
		settings_free(s);
	}
}

static void a_reload_tells_what_it_can_change_and_what_needs_a_restart(void **state)
{
	(void)state;
	struct buf changed, fixed;
	struct settings *a = read_text("state: /a\nour_hosts: [x]\n");
	struct settings *b = read_text("state: /b\nour_hosts: [x, y]\nhold: {deadline: 6s}\nmilter: {listen: []}\n");
	buf_init(&changed, 1024);
	buf_init(&fixed, 1024);
	settings_compare(a, b, &changed, &fixed);
	assert_string_equal(buf_str(&changed), "our_hosts, hold.deadline");
	assert_string_equal(buf_str(&fixed), "state, milter.listen");
	buf_free(&changed);
	buf_free(&fixed);
	settings_free(a);
	settings_free(b);
}

#define LOGIN "host: pop.isp.example, user: u, password_file: /p"

static void accounts_are_read_each_with_its_own_values_and_lines(void **state)
{
	(void)state;
	struct settings *s = read_text("fetch: {deliver: \"smtp://[::1]:2525\", every: 2m}\n"
				       "accounts:\n"
				       "  one:\n"
				       "    host: pop.isp.example\n"
				       "    user: anna\n"
				       "    password_file: /p\n"
				       "    mailbox: anna\n"
				       "    delete: after-days\n"
				       "  2: {" LOGIN ", envelope_header: X-Original-To, map: {a@b.example: c, "
				       "d@b.example: e@f.example}}\n"
				       "  three: {host: h3, user: u, password_file: /p3, envelope_header: "
				       "Delivered-To, map: [\"a@b.example = c\"]}\n");
	if (!s)
		fail_msg("%s", report.messages[0].text);
	assert_int_equal(s->account_count, 3);
	assert_string_equal(s->accounts[0].label, "one");
	assert_int_equal(s->accounts[0].line, 3);
	assert_string_equal(s->accounts[0].settings.user, "anna");
	assert_string_equal(s->accounts[0].settings.tls, "implicit");
	assert_string_equal(s->accounts[0].settings.delete_when, "after-days");
	assert_int_equal(s->accounts[0].settings.delete_after_ms, INT64_C(14) * 24 * 3600 * 1000);
	assert_int_equal(s->accounts[0].settings.map.count, 0);
	assert_string_equal(s->accounts[1].label, "2");
	assert_int_equal(s->accounts[1].settings.map.count, 2);
	assert_string_equal(s->accounts[1].settings.map.items[0], "a@b.example = c");
	assert_string_equal(s->accounts[1].settings.map.items[1], "d@b.example = e@f.example");
	assert_string_equal(s->accounts[2].settings.map.items[0], "a@b.example = c");
	assert_string_equal(s->accounts[2].settings.password_file, "/p3");
	assert_false(s->is.fetch_deliver.is_lmtp);
	assert_string_equal(s->is.fetch_deliver.address, "[::1]:2525");
	assert_string_equal(s->is.fetch_state, "/var/lib/quell/fetch");
	assert_int_equal(s->fetch.every_ms, 120000);
	settings_free(s);
	s = read_text("fetch: {state: /f}\naccounts:\n");
	assert_int_equal(s->account_count, 0);
	assert_string_equal(s->is.fetch_state, "/f");
	assert_true(s->is.fetch_deliver.is_lmtp);
	assert_string_equal(s->is.fetch_deliver.path, "/run/dovecot/lmtp");
	settings_free(s);
}

static void what_is_wrong_with_an_account_is_told_with_its_line(void **state)
{
	static const struct bad bad[] = {
		{ "acounts:\n  a: {}\n", "q.yaml:1: acounts: unknown setting; did you mean accounts?\n" },
		{ "accounts: x\n", "q.yaml:1: accounts: a value; expected a section of indented labels, each with its "
				   "settings indented below it\n" },
		{ "accounts:\n  a: x\n",
		  "q.yaml:2: accounts.a: a value; expected a section of indented \"name: value\" lines\n" },
		{ "accounts:\n  a b: {}\n", "q.yaml:2: accounts.\"a b\": no label; expected 1 to 32 letters, "
				"digits, \"-\", "
					     "\"_\" and \".\"\n" },
		{ "accounts:\n  [a]: {}\n", "q.yaml:2: accounts: a list or section as a label; expected a word\n" },
		{ "accounts:\n  a:\n    hots: x\n",
		  "q.yaml:3: accounts.a.hots: unknown setting; did you mean accounts.a.host?\n" },
		{ "mailbox: x\n", "q.yaml:1: mailbox: unknown setting; did you mean accounts.LABEL.mailbox?\n" },
		{ "accounts:\n  a:\n    links: 3\n",
		  "q.yaml:3: accounts.a.links: unknown setting; did you mean fetch.links?\n" },
		{ "accounts:\n  a: {" LOGIN ", mailbox: m}\n  a: {}\n",
		  "q.yaml:3: accounts.a: set twice; expected one account of that label, line 2 begins it too\n" },
		{ "accounts:\n  a: {" LOGIN ", mailbox: m}\nmode: guard\naccounts:\n  b: {}\n",
		  "q.yaml:4: accounts: set twice; expected one section, line 1 begins it too\n" },
		{ "accounts:\n  a:\n    host: pop\n    host: pup\n    tls: off\n",
		  "q.yaml:4: accounts.a.host: set twice; expected it once, line 3 sets it too\n"
		  "q.yaml:5: accounts.a.tls: off is not understood; expected one of implicit, starttls-required, "
		  "none\n" },
		{ "accounts:\n  a: {" LOGIN "}\n", "q.yaml:2: accounts.a: nobody is to get its mail; expected "
				"mailbox, or "
						    "envelope_header and map\n" },
		{ "accounts:\n  a:\n    {" LOGIN ",\n    mailbox: m,\n    tls: none}\n",
		  "q.yaml:5: accounts.a.tls: none would show the password to everybody between here and "
		  "pop.isp.example; "
		  "expected implicit or starttls-required\n" },
		{ "accounts:\n  a:\n    {" LOGIN ",\n    envelope_header: X-O,\n    map: {\n    a@b: c,\n    d: e}}\n",
		  "q.yaml:7: accounts.a.map: \"d = e\": the address is not understood; expected one such as "
		  "info@firm.example\n" },
		{ "accounts:\n  a:\n    {" LOGIN ",\n    envelope_header: X-O,\n    map: [\n    a@b = c,\n    a@b = "
				"e]}\n",
		  "q.yaml:7: accounts.a.map: a@b stands here twice; expected one mailbox for each address\n" },
		{ "accounts:\n  a:\n    {" LOGIN ", envelope_header: X-O,\n    map: {\n    a@b: [c],\n    d@b: ,\n"
		  "    [x]: y}}\n",
		  "q.yaml:5: accounts.a.map: a line without its two parts; expected \"key: value\"\n"
		  "q.yaml:6: accounts.a.map: a line without its two parts; expected \"key: value\"\n"
		  "q.yaml:7: accounts.a.map: a line without its two parts; expected \"key: value\"\n" },
		{ "fetch:\n  in_doubt: search\n", "q.yaml:2: fetch.in_doubt: search has no in_doubt_search; "
				"expected a program "
						   "that looks for the mail\n" },
		{ "fetch:\n  every: 10s\n", "q.yaml:2: fetch.every: 10s is not understood; expected a time such as "
				"500ms, 30s, "
					     "15m, 6h or 3d, from 1m to 7d\n" },
		{ "fetch:\n  deliver: localhost\n", "q.yaml:2: fetch.deliver: localhost is not understood; expected "
						     "smtp://HOST:PORT, lmtp://HOST:PORT or lmtp:unix:/path\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void an_alert_that_could_reach_nobody_is_refused_and_its_webhook_never_shown(void **state)
{
	static const struct bad bad[] = {
		{ "alert:\n  webhook: http://chat.example/KEY\n",
		  "q.yaml:2: alert.webhook: the value cannot be used: http:// is only for this machine itself; "
		  "elsewhere it must be https://\n" },
		{ "alert: {webhook: ftp://KEY}\n",
		  "q.yaml:1: alert.webhook: the value cannot be used: it must begin with https://\n" },
		{ "alert: {mail_to: \"a@b, c@d\", mail_relay: \"smtp://r\"}\n",
		  "q.yaml:1: alert.mail_to: \"a@b, c@d\" is not understood; expected one plain address such as "
		  "postmaster@example.org\n" },
		{ "alert: {mail_to: a@b, mail_relay: relay}\n",
		  "q.yaml:1: alert.mail_relay: relay is not understood; expected smtp://HOST:PORT, lmtp://HOST:PORT or "
		  "lmtp:unix:/path\n" },
		{ "alert:\n  mail_to: a@b\n", "q.yaml:2: alert.mail_to: no use without alert.mail_relay\n" },
		{ "alert: {mail_from_name: \"a\\r\\nBcc: x@y\"}\n",
		  "q.yaml:1: alert.mail_from_name: holds a character that cannot be shown; expected printable text\n" },
		{ "alert:\n  command: [notify, x]\n",
		  "q.yaml:2: alert.command: it begins with the program's absolute path\n" },
	};
	(void)state;
	ASSERT_REFUSED(bad);
}

static void hazard_42_a_password_stands_only_in_a_closed_file_and_is_never_shown(void **state)
{
	(void)state;
	static const char yaml[] = "accounts:\n  a: {host: h, user: u, mailbox: m,\n    password: geheim}\n";
	char folder[] = "/tmp/quell-main-XXXXXX", path[64], wanted[512];
	struct buf shown;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/q.yaml", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	chmod(path, 0644);
	assert_null(settings_load(path, &report));
	snprintf(wanted, sizeof wanted, "%s:3: accounts.a.password: a password may not stand in this file (%s: "
			"others may read "
					"or write it; mend: chmod 600 %s), or use password_file", path, path, path);
	assert_string_equal(report.messages[0].text, wanted);
	chmod(path, 0600);
	struct settings *s = settings_load(path, &report);
	assert_non_null(s);
	assert_string_equal(s->accounts[0].settings.password, "geheim");
	buf_init(&shown, 64 * 1024);
	assert_true(settings_show(s, &shown));
	assert_null(strstr(buf_str(&shown), "geheim"));
	assert_non_null(strstr(buf_str(&shown), "    password: ********  # "));
	settings_free(s);
	buf_free(&shown);
	unlink(path);
	rmdir(folder);
	assert_null(read_text(yaml)); /* no file at all */
	for (size_t i = 0; i < report.count; i++)
		assert_null(strstr(report.messages[i].text, "geheim"));
}

static void accounts_are_shown_and_read_back_as_the_same(void **state)
{
	(void)state;
	struct settings *again, *s = read_text("accounts:\n  a:\n    {" LOGIN ", envelope_header: X-O,\n"
					       "    map: {a@b: c, \"x'y@b\": z}}\n"
					       "  -9: {host: \"::1\", tls: none, user: \"a \\\"b\", mailbox: m, "
					       "password_command: [/bin/x, \"a, b\"]}\n");
	struct buf shown;
	if (!s)
		fail_msg("%s", report.messages[0].text);
	buf_init(&shown, 64 * 1024);
	assert_true(settings_show(s, &shown));
	assert_non_null(strstr(buf_str(&shown), "\naccounts:\n  a:  # q.yaml:2\n    host: pop.isp.example  # "
			"q.yaml:3\n"));
	assert_non_null(strstr(buf_str(&shown), "    map: [\"a@b = c\", \"x'y@b = z\"]  # q.yaml:4\n"));
	assert_non_null(strstr(buf_str(&shown), "    password: \"\"  # default\n"));
	again = settings_read(buf_slice(&shown), "shown", &report);
	if (!again)
		fail_msg("%s", report.messages[0].text);
	assert_same(s, again, true);
	settings_free(again);
	settings_free(s);
	buf_free(&shown);
}

static void a_reload_tells_which_accounts_came_went_and_changed(void **state)
{
	(void)state;
	struct buf changed, fixed;
	struct settings *a = read_text("accounts:\n  a: {" LOGIN ", mailbox: m}\n  b: {" LOGIN ", user: x, mailbox: "
			"m}\n");
	assert_null(a); /* set twice */
	a = read_text("accounts:\n  a: {" LOGIN ", mailbox: m}\n  b: {" LOGIN "x, port: 1, mailbox: m}\n");
	assert_null(a); /* one box twice */
	a = read_text("accounts:\n  a: {" LOGIN ", mailbox: m}\n  b: {host: h, user: u, password_file: /x, mailbox: "
			"m}\n");
	struct settings *b = read_text("fetch: {state: /x, links: 2}\naccounts:\n  c: {" LOGIN ", mailbox: m}\n"
				       "  b: {host: h, user: u, password_file: /x, mailbox: n, every: 1h}\n");
	assert_non_null(a);
	assert_non_null(b);
	buf_init(&changed, 1024);
	buf_init(&fixed, 1024);
	settings_compare(a, b, &changed, &fixed);
	assert_string_equal(buf_str(&changed), "fetch.links, accounts.a, accounts.b.mailbox, accounts.b.every, "
			"accounts.c");
	assert_string_equal(buf_str(&fixed), "fetch.state");
	buf_free(&changed);
	buf_free(&fixed);
	settings_free(a);
	settings_free(b);
}

static void the_example_account_of_the_sample_would_do(void **state)
{
	(void)state;
	struct buf sample, open;
	buf_init(&sample, 256 * 1024);
	buf_init(&open, 256 * 1024);
	assert_true(settings_sample(&sample));
	const char *begin = strstr(buf_str(&sample), "\n#accounts:\n");
	assert_non_null(begin);
	struct slice rest = slice_from_str(begin + 1), line;
	while (slice_next(&rest, '\n', &line)) {
		buf_add(&open, slice_from(line, 1));
		buf_add_byte(&open, '\n');
	}
	struct settings *s = settings_read(buf_slice(&open), "open", &report);
	if (!s)
		fail_msg("%s", report.messages[0].text);
	assert_int_equal(s->account_count, 1);
	for (size_t i = 0; i < account_setting_row_count; i++)
		assert_true(s->account_lines[i].line > 0 || account_setting_rows[i].is_secret);
	settings_free(s);
	buf_free(&sample);
	buf_free(&open);
}

static void as_many_accounts_and_addresses_as_promised_are_taken(void **state)
{
	(void)state;
	struct buf yaml;
	buf_init(&yaml, SETTINGS_FILE_BYTES_MAX);
	buf_add_str(&yaml, "accounts:\n");
	for (int i = 0; i < FETCH_ACCOUNTS_MAX; i++)
		buf_addf(&yaml, "  a%d: {host: h, user: u%d, password_file: /p, mailbox: m%d}\n", i, i, i);
	struct settings *s = settings_read(buf_slice(&yaml), "q.yaml", &report);
	assert_non_null(s);
	assert_int_equal(s->account_count, FETCH_ACCOUNTS_MAX);
	assert_string_equal(s->accounts[777].settings.user, "u777");
	settings_free(s);
	buf_add_str(&yaml, "  more: {}\n");
	assert_null(settings_read(buf_slice(&yaml), "q.yaml", &report));
	assert_string_equal(report.messages[0].text, "q.yaml:1002: accounts: too many; expected at most 1000");
	for (int more = 0; more < 2; more++) {
		buf_reset(&yaml);
		buf_add_str(&yaml, "accounts:\n  a:\n    host: h\n    user: u\n    password_file: /p\n    "
				"envelope_header: X-O\n"
				   "    map:\n");
		for (int i = 0; i < FETCH_MAP_MAX + more; i++)
			buf_addf(&yaml, "      a%d@firm.example: m%d\n", i, i);
		s = settings_read(buf_slice(&yaml), "q.yaml", &report);
		assert_int_equal(s == NULL, more);
		if (s)
			assert_string_equal(s->accounts[0].settings.map.items[4999], "a4999@firm.example = m4999");
		else
			assert_string_equal(report.messages[0].text,
					    "q.yaml:8: accounts.a.map: too long a list; expected at most 5000 items");
		settings_free(s);
	}
	buf_free(&yaml);
}

static void no_file_is_fine_but_a_named_one_must_be_there_and_be_a_file(void **state)
{
	(void)state;
	char folder[] = "/tmp/quell-main-XXXXXX", path[64], wanted[128];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/q.yaml", folder);
	assert_null(settings_load(path, &report));
	snprintf(wanted, sizeof wanted, "%s: cannot be read: No such file or directory", path);
	assert_string_equal(report.messages[0].text, wanted);
	assert_null(settings_load(folder, &report));
	snprintf(wanted, sizeof wanted, "%s: cannot be read: Is a directory", folder);
	assert_string_equal(report.messages[0].text, wanted);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(settings_load(path, &report)); /* and does not wait for a writer */
	unlink(path);
	FILE *f = fopen(path, "w");
	fputs("mode: observe\n", f);
	fclose(f);
	struct settings *s = settings_load(path, &report);
	assert_non_null(s);
	assert_string_equal(s->top.mode, "observe");
	assert_string_equal(s->file, path);
	settings_free(s);
	unlink(path);
	rmdir(folder);
}

static void no_memory_is_told_and_nothing_is_leaked(void **state)
{
	(void)state;
	size_t refused = 0;
	for (long n = 0; n < 40; n++) {
		mem_fail_after = n;
		struct settings *s = read_text("our_hosts: [a, b]\nrelease: {relay: \"smtp://h\"}\n"
					"accounts: {a: {host: h, user: u, password_file: /p, envelope_header: X-O, "
					       "map: {a@b: c}}}\n");
		mem_fail_after = -1;
		refused += s == NULL;
		assert_true(s || report.errors > 0);
		settings_free(s);
	}
	assert_true(refused > 0 && refused < 40);
}

static void the_manual_names_every_setting_with_its_help(void **state)
{
	(void)state;
	struct buf manual;
	buf_init(&manual, 256 * 1024);
	assert_true(settings_manual(&manual));
	struct settings *s = read_text("");
	for (size_t i = 0; i < s->section_count; i++) {
		for (size_t j = 0; j < s->sections[i].row_count; j++) {
			const struct setting_row *row = &s->sections[i].rows[j];
			char name[128] = "\n*";
			size_t n = 2;
			for (const char *c = row->name; *c && n + 8 < sizeof name; c++) {
				if (*c == '_')
					name[n++] = '\\';
				name[n++] = *c;
			}
			snprintf(name + n, sizeof name - n, "*\n");
			if (!strstr(buf_str(&manual), name))
				fail_msg("the manual has no %s", row->name);
			assert_true(strlen(row->help) > 10);
		}
	}
	const char *accounts = strstr(buf_str(&manual), "# SECTION ACCOUNTS\n");
	assert_non_null(accounts);
	assert_non_null(strstr(accounts, "\n*envelope\\_header*\n"));
	assert_non_null(strstr(accounts, "\n*paused*\n"));
	settings_free(s);
	buf_free(&manual);
}

static void warnings_are_given_for_what_is_hardly_meant(void **state)
{
	(void)state;
	struct settings *s = read_text("state: /nonexistent/quell\nmode: observe\nmilter: {listen: []}\n");
	settings_warn(s, &report);
	assert_int_equal(report.errors, 0);
	assert_int_equal(report.warnings, 5);
	static const char *const begins[] = { "q.yaml: confirm: none", "q.yaml: our_hosts: empty",
					      "q.yaml: milter.listen: empty", "q.yaml: mode: observe",
					      "q.yaml: state: /nonexistent/quell does not exist" };
	for (size_t i = 0; i < 5; i++)
		if (strncmp(report.messages[i].text, begins[i], strlen(begins[i])) != 0)
			fail_msg("%s", report.messages[i].text);
	settings_free(s);
	s = read_text("confirm: log:/nonexistent/log\nour_hosts: [x]\n");
	settings_warn(s, &report);
	assert_string_equal(report.messages[0].text,
			    "q.yaml: confirm: /nonexistent/log cannot be read by this user");
	settings_free(s);
	s = read_text("our_hosts: [x]\nfetch: {in_doubt: resend}\naccounts:\n"
		      "  a: {host: h, user: u, mailbox: m, delete: never,\n    password_file: /etc/passwd}\n");
	assert_non_null(s);
	settings_warn(s, &report);
	bool is_told[3] = { false };
	for (size_t i = 0; i < report.count; i++) {
		const char *text = report.messages[i].text;
		is_told[0] |= strncmp(text, "q.yaml:2: fetch.in_doubt: resend", 32) == 0;
		is_told[1] |= strncmp(text, "q.yaml:4: accounts.a.delete: never", 34) == 0;
		is_told[2] |= strcmp(text, "q.yaml:5: accounts.a.password_file: others may read or write /etc/passwd; "
					   "quell fetch will refuse it; mend: chmod 600 /etc/passwd") == 0;
	}
	assert_true(is_told[0] && is_told[1] && is_told[2]);
	settings_free(s);
	s = read_text("alert: {webhook: \"https://x\", webhook_secret_file: /etc/passwd, command: [/etc/passwd],\n"
		      "  mail_relay: \"smtp://127.0.0.1:25\"}\n");
	assert_non_null(s);
	settings_warn(s, &report);
	is_told[0] = is_told[1] = is_told[2] = false;
	for (size_t i = 0; i < report.count; i++) {
		const char *text = report.messages[i].text;
		is_told[0] |= strstr(text, "alert.webhook_secret_file: /etc/passwd: others may read") != NULL;
		is_told[1] |= strstr(text, "alert.command: /etc/passwd cannot be run") != NULL;
		is_told[2] |= strstr(text, "alert.mail_relay: the same server as release.relay") != NULL;
	}
	assert_true(is_told[0] && is_told[1] && is_told[2]);
	settings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_name_is_told_with_its_line_and_the_right_one),
		cmocka_unit_test(a_wrong_value_is_told_with_what_was_expected),
		cmocka_unit_test(an_alert_that_could_reach_nobody_is_refused_and_its_webhook_never_shown),
		cmocka_unit_test(what_is_set_twice_is_told_with_both_lines),
		cmocka_unit_test(broken_yaml_is_told_with_its_line_and_why),
		cmocka_unit_test(anchors_aliases_tags_and_depth_are_refused_at_once),
		cmocka_unit_test(at_most_twenty_messages_are_kept_and_all_are_counted),
		cmocka_unit_test(a_bomb_of_a_file_ends_soon_and_in_words),
		cmocka_unit_test(the_sample_is_valid_complete_and_gives_the_defaults),
		cmocka_unit_test(what_show_prints_is_read_back_as_the_same_settings),
		cmocka_unit_test(texts_are_understood),
		cmocka_unit_test(relays_are_read_in_all_their_forms_and_no_other),
		cmocka_unit_test(a_reload_tells_what_it_can_change_and_what_needs_a_restart),
		cmocka_unit_test(accounts_are_read_each_with_its_own_values_and_lines),
		cmocka_unit_test(what_is_wrong_with_an_account_is_told_with_its_line),
		cmocka_unit_test(hazard_42_a_password_stands_only_in_a_closed_file_and_is_never_shown),
		cmocka_unit_test(accounts_are_shown_and_read_back_as_the_same),
		cmocka_unit_test(a_reload_tells_which_accounts_came_went_and_changed),
		cmocka_unit_test(the_example_account_of_the_sample_would_do),
		cmocka_unit_test(as_many_accounts_and_addresses_as_promised_are_taken),
		cmocka_unit_test(no_file_is_fine_but_a_named_one_must_be_there_and_be_a_file),
		cmocka_unit_test(no_memory_is_told_and_nothing_is_leaked),
		cmocka_unit_test(the_manual_names_every_setting_with_its_help),
		cmocka_unit_test(warnings_are_given_for_what_is_hardly_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
