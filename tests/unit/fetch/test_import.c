/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "fetch/import.h"
#include "main/settings.h"

typedef bool import_fn(struct slice text, const char *name, struct buf *settings_out, struct buf *warnings_out,
		       struct import_count *count_out);

static struct buf made, warnings;
static struct import_count count;
static struct settings_report report;

static int make_bufs(void **state)
{
	(void)state;
	buf_init(&made, SETTINGS_FILE_BYTES_MAX);
	buf_init(&warnings, SETTINGS_FILE_BYTES_MAX);
	return 0;
}

static int drop_bufs(void **state)
{
	(void)state;
	buf_free(&made);
	buf_free(&warnings);
	return 0;
}

static void import(import_fn *fn, const char *text)
{
	buf_reset(&made);
	buf_reset(&warnings);
	assert_true(fn(slice_from_str(text), "rc", &made, &warnings, &count));
	assert_null(strstr(buf_str(&made), "geheim"));
	assert_null(strstr(buf_str(&warnings), "geheim"));
}

/* What quell config check makes of it. */
static struct settings *import_checked(import_fn *fn, const char *text)
{
	import(fn, text);
	struct settings *s = settings_read(buf_slice(&made), "made", &report);
	if (!s)
		fail_msg("%s\n%s", report.messages[0].text, buf_str(&made));
	assert_int_equal(s->account_count, count.accounts);
	return s;
}

static void assert_warned(const char *text)
{
	if (!strstr(buf_str(&warnings), text))
		fail_msg("no warning \"%s\" in\n%s", text, buf_str(&warnings));
}

/* ---- fetchmail ---- */

static void a_single_account_of_fetchmail_becomes_settings_that_pass_the_check(void **state)
{
	(void)state;
	struct settings *s = import_checked(
		import_fetchmailrc,
		"# comment with poll and 'quote\n"
		"set daemon 600\nset no bouncemail\n"
		"poll pop.isp.example with proto POP3, port 995:\n"
		"\tuser 'anna@isp.example' there with password \"gehe\\\"geheim\" is anna here\n"
		"\toptions ssl sslcertck keep lmtp smtphost /run/dovecot/lmtp sslcertfile /etc/ca.pem\n");
	const struct account_settings *a = &s->accounts[0].settings;
	assert_int_equal(count.accounts, 1);
	assert_int_equal(count.unread, 0);
	assert_string_equal(s->accounts[0].label, "anna-isp.example");
	assert_string_equal(a->host, "pop.isp.example");
	assert_int_equal(a->port, 995);
	assert_string_equal(a->tls, "implicit");
	assert_string_equal(a->ca_file, "/etc/ca.pem");
	assert_string_equal(a->user, "anna@isp.example");
	assert_string_equal(a->mailbox, "anna");
	assert_string_equal(a->delete_when, "never");
	assert_string_equal(a->password_file, "/etc/quell/anna-isp.example.password");
	assert_string_equal(s->fetch.deliver, "lmtp:unix:/run/dovecot/lmtp");
	assert_int_equal(s->fetch.every_ms, 600000);
	assert_string_equal(buf_str(&warnings), "rc:5: a password stood in this file; quell reads it from a file of "
			"its own; "
						"see password_file\n");
	settings_free(s);
}

static void a_multidrop_of_fetchmail_becomes_a_closed_map(void **state)
{
	(void)state;
	struct settings *s = import_checked(
		import_fetchmailrc,
		"defaults proto pop3 user defaulted ssl\n"
		"poll mail.isp.example envelope 'X-Original-To' localdomains firm.example firm.test qvirtual \"\"\n"
		" user firm pass geheim to info=anna, bob x@old.example = robert * here\n");
	const struct account_settings *a = &s->accounts[0].settings;
	static const char *const map[] = {
		"info@firm.example = anna", "info@firm.test = anna", "bob@firm.example = bob",
		"bob@firm.test = bob",      "x@old.example = robert",
	};
	assert_string_equal(a->envelope_header, "X-Original-To");
	assert_string_equal(a->mailbox, "");
	assert_string_equal(a->tls, "implicit");
	assert_string_equal(a->delete_when, "after-delivery");
	assert_int_equal(a->map.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(a->map.items[i], map[i]);
	assert_warned("rc:3: \"*\": any name was taken as a local one");
	assert_warned("rc:2: localdomains: any name in these domains, and in all below them");
	assert_string_equal(s->fetch.deliver, "smtp://127.0.0.1:25");
	settings_free(s);
}

static void the_other_forms_of_the_language_are_read_too(void **state)
{
	(void)state;
	struct settings *s = import_checked(import_fetchmailrc,
					    "poll 127.0.0.1 proto pop3 no ssl user 'zoe' here is 'remote' there\n"
					"skip pop.b.example via pop.c.example protocol pop3 username b is b here ssl "
					    "username c is c here nossl\n"
					    "server pop.d.example service pop3s interval 3 user d is d here\n");
	assert_int_equal(count.accounts, 4);
	assert_int_equal(count.unread, 0);
	assert_string_equal(s->accounts[0].settings.user, "remote");
	assert_string_equal(s->accounts[0].settings.mailbox, "zoe");
	assert_string_equal(s->accounts[0].settings.tls, "none");
	assert_true(s->accounts[1].settings.is_paused);
	assert_string_equal(s->accounts[1].settings.host, "pop.c.example");
	assert_string_equal(s->accounts[1].settings.tls, "implicit");
	assert_string_equal(s->accounts[2].settings.user, "c");
	assert_string_equal(s->accounts[2].settings.tls, "starttls-required");
	assert_int_equal(s->accounts[3].settings.port, 995);
	assert_string_equal(s->accounts[3].settings.tls, "implicit");
	settings_free(s);
}

static void every_hazard_of_fetchmail_is_warned_of(void **state)
{
#define POLL(options) "poll pop.isp.example proto pop3 user u is m here " options "\n"
	static const struct {
		const char *text, *warning;
	} cases[] = {
		{ POLL("mda \"/usr/sbin/sendmail -t -i\""), "one that reads recipients from To and Cc sends the "
				"mail around" },
		{ POLL("mda 'qmail-inject'"), "one that reads recipients from To and Cc sends the mail around" },
		{ POLL("mda '/usr/bin/procmail'"), "rc:1: mda: a program was run for each mail; quell runs none" },
		{ POLL("no sslcertck"), "no sslcertck: anybody could pose as the server" },
		{ POLL("nosslcertck"), "no sslcertck: anybody could pose as the server" },
		{ POLL(""), "no ssl: TLS was tried, and left off" },
		{ POLL("sslproto ''"), "no TLS: password and mail could be read" },
		{ POLL(""), "bouncemail was on unless switched off" },
		{ "set bouncemail\n" POLL(""), "rc:1: set bouncemail: strangers got error mails" },
		{ "set postmaster x\n" POLL(""), "rc:1: set postmaster: mail without a known recipient" },
		{ "set invisible\n" POLL(""), "rc:1: set invisible: no Received field was written" },
		{ "set idfile /tmp/x\n" POLL(""), "quell fetch adopt ACCOUNT --mark-seen" },
		{ "set daemon 10\n" POLL(""), "more than once a minute" },
		{ POLL("dropdelivered"), "Delivered-To was removed" },
		{ POLL("fetchall keep"), "all mail came again at each poll" },
		{ POLL("flush"), "old mail was deleted unseen" },
		{ POLL("antispam 550"), "mail refused with these codes was deleted" },
		{ POLL("sslfingerprint 'A:B'"), "an MD5 of the certificate can be forged" },
		{ POLL("preconnect 'x'"), "a command was run around each poll" },
		{ POLL("limit 100000"), "fetch.mail_bytes_max" },
		{ POLL("smtphost a.example,b.example"), "quell fetch delivers to one server" },
		{ POLL(""), "by SMTP that may trust this machine and relay" },
		{ "poll p proto pop3 user u is a b here\n", "recipients were guessed from Received, To and Cc" },
		{ "poll p no envelope user u is a b here\n", "recipients were guessed from Received, To and Cc" },
		{ "poll p envelope To: user u is a b here\n", "envelope To; the sender writes it" },
		{ "poll p envelope Received user u is a b here\n", "envelope Received; any server on the way" },
		{ "poll p envelope 1 X-O user u is a b here\n", "not the topmost header was taken" },
		{ "poll p qvirtual 'x-' user u is a b here\n", "the addresses in map begin with it" },
		{ "poll p aka q user u is a here\n", "quell guesses none" },
		{ "poll p proto imap user u is a here\n", "protocol imap; quell speaks only POP3" },
		{ "poll p proto apop user u is a here\n", "APOP gives away" },
		{ "poll p proto sdps user u is a here\n", "SDPS told the recipients" },
		{ "poll p auth ntlm user u is a here\n", "this way to log in is not in quell" },
		{ "poll p user u is a here\npoll p user u is b here\n", "rc:2: user u of this server stands here "
				"twice" },
		{ "poll p proto pop3\n", "rc:1: a server without a user" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		import(import_fetchmailrc, cases[i].text);
		assert_warned(cases[i].warning);
		assert_true(count.warnings > 0);
		for (const char *c = buf_str(&warnings); c && *c; c = strchr(c, '\n') + 1)
			assert_memory_equal(c, "rc:", 3);
	}
}

static void words_that_are_not_understood_are_counted_but_never_repeated(void **state)
{
	(void)state;
	import(import_fetchmailrc, "poll p proto pop3 user u pasword geheim is m here ssl\n"
				   "  user v password ok 'geheim' is n here ssl\nfoo\nset frob geheim\n");
	assert_int_equal(count.accounts, 2);
	assert_int_equal(count.unread, 6);
	assert_warned("rc:1: a word is not understood and was passed over\n");
	assert_warned("rc:4: what was to be set is not understood");
	import(import_fetchmailrc, "poll p user u is \"m\nkeep\n");
	assert_warned("a text without its closing quote");
	assert_null(strstr(buf_str(&made), "OPEN: mailbox")); /* the text was taken to the end of its line */
}

static void what_the_old_file_does_not_tell_is_left_open_and_said(void **state)
{
	(void)state;
	import(import_fetchmailrc, "poll p user u is a b=c@d here ssl\npoll q user v is \"x y\" here ssl\n");
	assert_non_null(strstr(buf_str(&made), "    # OPEN: envelope_header: "));
	assert_non_null(strstr(buf_str(&made), "    # OPEN: map: the whole address of a, whose mailbox is a\n"));
	assert_non_null(strstr(buf_str(&made), "    # OPEN: mailbox: "));
	assert_null(settings_read(buf_slice(&made), "made", &report));
	import(import_fetchmailrc, "poll \"p\x01\" user \"u\xff\" is m here ssl\n");
	assert_non_null(strstr(buf_str(&made), "    # OPEN: host: "));
	assert_non_null(strstr(buf_str(&made), "    # OPEN: user: "));
}

/* ---- getmail ---- */

static void a_single_account_of_getmail_becomes_settings_that_pass_the_check(void **state)
{
	(void)state;
	struct settings *s = import_checked(import_getmailrc,
				"# comment\n[retriever]\ntype = SimplePOP3SSLRetriever\nserver = pop.isp.example\n"
					    "username: anna\npassword = geheim\nca_certs = /etc/ca.pem\nport = 10995\n"
					    "[destination]\ntype = Maildir\npath = /var/vmail/anna/\n"
					    "[options]\ndelete_after = 30\nmax_message_size = 5000000\n"
					    "max_messages_per_session = 100\nverbose = 1\n");
	const struct account_settings *a = &s->accounts[0].settings;
	assert_int_equal(count.unread, 0);
	assert_string_equal(a->host, "pop.isp.example");
	assert_int_equal(a->port, 10995);
	assert_string_equal(a->tls, "implicit");
	assert_string_equal(a->ca_file, "/etc/ca.pem");
	assert_string_equal(a->mailbox, "anna");
	assert_string_equal(a->delete_when, "after-days");
	assert_int_equal(a->delete_after_ms, INT64_C(30) * 24 * 3600 * 1000);
	assert_int_equal(s->fetch.mail_bytes_max, 5000000);
	assert_int_equal(s->fetch.session_mails_max, 100);
	assert_warned("rc:6: a password stood in this file");
	assert_warned("rc:10: Maildir: getmail wrote into the mail folder itself");
	settings_free(s);
}

static void a_multidrop_of_getmail_becomes_a_closed_map(void **state)
{
	(void)state;
	struct settings *s = import_checked(import_getmailrc,
					    "[retriever]\ntype = MultidropPOP3SSLRetriever\nserver = pop.isp.example\n"
					    "username = firm\nenvelope_recipient = delivered-to:1\n"
					    "password_command = (\"/usr/bin/pass\", 'show', \"x\")\n"
					    "[destination]\ntype = MultiSorter\ndefault = [root]\nlocals = (\n"
					    "  ('anna@firm\\.example', '[anna]'),\n"
					    "  (\"^bob@firm\\\\.example$\", \"/var/mail/bob\"),\n"
					    "  ('.*@firm.example', '[anna]'),\n  )\n"
				"[anna]\ntype = MDA_lmtp\nhost = /run/dovecot/lmtp\noverride = anna@local.example\n"
					    "[options]\ndelete = true\nto_oldmail_on_each_mail = true\n");
	const struct account_settings *a = &s->accounts[0].settings;
	assert_string_equal(a->envelope_header, "delivered-to");
	assert_int_equal(a->map.count, 2);
	assert_string_equal(a->map.items[0], "anna@firm.example = anna@local.example");
	assert_string_equal(a->map.items[1], "bob@firm.example = bob");
	assert_int_equal(a->password_command.count, 3);
	assert_string_equal(a->password_command.items[0], "/usr/bin/pass");
	assert_string_equal(a->delete_when, "after-delivery");
	assert_string_equal(s->fetch.deliver, "lmtp:unix:/run/dovecot/lmtp");
	assert_warned("matches more than one address; quell knows no patterns");
	assert_warned("default: mail for unknown recipients went to one mailbox");
	settings_free(s);
}

static void every_hazard_of_getmail_is_warned_of(void **state)
{
#define HEAD "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = p\nusername = u\n"
#define MULTI "[retriever]\ntype = MultidropPOP3SSLRetriever\nserver = p\nusername = u\n"
#define TAIL "[destination]\ntype = Mboxrd\npath = /var/mail/u\n"
	static const struct {
		const char *text, *warning;
	} cases[] = {
		{ HEAD TAIL, "without ca_certs the certificate was not checked" },
		{ HEAD TAIL, "after a crash all came again" },
		{ HEAD TAIL, "Mboxrd: getmail wrote into the mail folder itself" },
		{ "[retriever]\ntype = SimplePOP3Retriever\nserver = p\nusername = u\n" TAIL, "no TLS: password and "
				"mail" },
		{ HEAD "use_apop = true\n" TAIL, "APOP gives away" },
		{ HEAD "strip_delivered_to = true\n" TAIL, "Delivered-To was removed" },
		{ HEAD "ssl_fingerprints = x\n" TAIL, "quell pins its key" },
		{ HEAD TAIL "[options]\nread_all = true\n", "all mail came again at each run" },
		{ HEAD TAIL "[options]\nreceived = false\n", "no Received field was written" },
		{ HEAD TAIL "[filter-1]\ntype = Filter_external\n", "rc:9: a filter program was run" },
		{ HEAD TAIL "[options]\ndelete_bigger_than = 5\n", "large mail was deleted first" },
		{ HEAD "[destination]\ntype = MDA_external\npath = /x/sendmail\n", "sends the mail around the world" },
		{ HEAD "[destination]\ntype = MDA_external\npath = /x/y\narguments = ('-t',)\n", "around the world" },
		{ HEAD "[destination]\ntype = MDA_external\npath = /x/procmail\n", "quell runs none" },
		{ HEAD "[destination]\ntype = MultiDestination\ndestinations = ('[a]', '[b]')\n", "copied to 2 "
				"places" },
		{ HEAD "[destination]\ntype = MultiGuesser\n", "MultiGuesser: recipients were guessed from To, Cc" },
		{ MULTI "envelope_recipient = to:1\n" TAIL, "envelope_recipient to; the sender writes it" },
		{ MULTI "envelope_recipient = x-o:2\n" TAIL, "not the topmost header was taken" },
		{ "[retriever]\ntype = SimpleIMAPRetriever\n", "SimpleIMAPRetriever; quell speaks only POP3" },
		{ "[retriever]\ntype = MultidropSDPSRetriever\n" TAIL, "SDPS told the recipients" },
		{ "nothing\n", "a file without [retriever] and its type" },
		{ HEAD "frob = geheim\n" TAIL, "rc:5: a setting is not understood" },
		{ HEAD "port = geheim\n" TAIL, "rc:5: a number is not understood" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		import(import_getmailrc, cases[i].text);
		assert_warned(cases[i].warning);
	}
}

static void oauth_of_getmail_is_left_open(void **state)
{
	(void)state;
	import(import_getmailrc, HEAD "use_xoauth2 = true\n" TAIL);
	assert_non_null(strstr(buf_str(&made), "    auth: xoauth2\n    # OPEN: token_command or token_url: "));
	struct settings *s = import_checked(import_getmailrc, HEAD "use_xoauth2 = true\npassword_command = "
			"('/bin/t', 'x')\n" TAIL);
	assert_int_equal(s->accounts[0].settings.token_command.count, 2);
	settings_free(s);
}

/* ---- both ---- */

static void a_file_cut_off_anywhere_is_read_as_far_as_it_goes(void **state)
{
	static const char fetchmailrc[] = "set daemon 300\npoll p.example envelope X-O localdomains d.example proto "
			"pop3\n"
					  " user \"u\\\"v\" password 'geheim' is a=b c * here ssl mda \"x\" # end\n";
	static const char getmailrc[] = MULTI "password: geheim\nenvelope_recipient = x-o:1\n[destination]\ntype = "
			"MultiSorter\n"
					      "locals = (('a@d\\.example', '[b]'),)\n[b]\ntype = Maildir\nuser = b\n";
	(void)state;
	for (size_t i = 0; i < sizeof fetchmailrc; i++) {
		char text[512];
		snprintf(text, sizeof text, "%.*s", (int)i, fetchmailrc);
		import(import_fetchmailrc, text);
	}
	for (size_t i = 0; i < sizeof getmailrc; i++) {
		char text[512];
		snprintf(text, sizeof text, "%.*s", (int)i, getmailrc);
		import(import_getmailrc, text);
	}
}

static void without_memory_it_says_so_and_leaks_nothing(void **state)
{
	(void)state;
	unsigned refused = 0;
	for (long n = 0; n < 12; n++) {
		buf_free(&made);
		buf_free(&warnings);
		make_bufs(NULL);
		mem_fail_after = n;
		bool is_fine = n % 2 ? import_fetchmailrc(SLICE("poll p user u is m here ssl\n"), "rc", &made,
				&warnings, &count)
				     : import_getmailrc(SLICE(HEAD TAIL), "rc", &made, &warnings, &count);
		mem_fail_after = -1;
		refused += !is_fine;
	}
	assert_true(refused > 2 && refused < 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_account_of_fetchmail_becomes_settings_that_pass_the_check),
		cmocka_unit_test(a_multidrop_of_fetchmail_becomes_a_closed_map),
		cmocka_unit_test(the_other_forms_of_the_language_are_read_too),
		cmocka_unit_test(every_hazard_of_fetchmail_is_warned_of),
		cmocka_unit_test(words_that_are_not_understood_are_counted_but_never_repeated),
		cmocka_unit_test(what_the_old_file_does_not_tell_is_left_open_and_said),
		cmocka_unit_test(a_single_account_of_getmail_becomes_settings_that_pass_the_check),
		cmocka_unit_test(a_multidrop_of_getmail_becomes_a_closed_map),
		cmocka_unit_test(every_hazard_of_getmail_is_warned_of),
		cmocka_unit_test(oauth_of_getmail_is_left_open),
		cmocka_unit_test(a_file_cut_off_anywhere_is_read_as_far_as_it_goes),
		cmocka_unit_test(without_memory_it_says_so_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, make_bufs, drop_bufs);
}
