/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person decides: adopt, release, drop. A release goes to a mailbox of the map of
 * the mail's account, to no other, and a second copy of a mail to nobody.
 */
#include "../unit.h"

#include "base/hash.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "fetch/inner.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t key[HASH_KEY_BYTES] = "the key of the stamps";
static const char *const map_items[] = { "anna@firm.example = anna", "info@firm.example = office" };

struct stage {
	char dir[64];
	int dir_fd;
	struct loop *loop;
	struct fetch_settings settings;
	struct account_entry accounts[2];
	struct fetch *fetch;
	struct buf text;
	struct error error;
};

static void stage_open(struct stage *s)
{
	struct fetch_setup setup = {
		.loop = s->loop, .dir = s->dir, .dir_fd = s->dir_fd, .settings = &s->settings, .accounts = s->accounts,
		.account_count = 2, .deliver_kind = SMTP_LMTP, .host_name = "quell.firm.example", .stamp_key = key,
		.mode = FETCH_RUN,
	};
	char nobody[128];
	snprintf(nobody, sizeof nobody, "unix:%s/nobody", s->dir);
	assert_true(net_addr_parse(slice_from_str(nobody), &setup.deliver, &s->error));
	s->fetch = fetch_open(&setup, &s->error);
	if (!s->fetch)
		fail_msg("%s", s->error.text);
}

static void account_take(struct account_entry *entry, const char *label, const char *mailbox)
{
	*entry = (struct account_entry){ .label = label };
	entry->settings = (struct account_settings){
		.host = "localhost", .tls = "none", .ca_file = "", .pin = "", .user = label, .password = "x",
				.auth = "auto",
		.token_url = "", .mailbox = mailbox, .envelope_header = mailbox[0] ? "" : "X-Original-To",
		.delete_when = "never", .is_paused = true,
	};
	if (!mailbox[0]) {
		entry->settings.map.items = map_items;
		entry->settings.map.count = 2;
	}
}

static void stage_start(struct stage *s)
{
	*s = (struct stage){ .dir = "/tmp/quell-decide-XXXXXX" };
	assert_non_null(mkdtemp(s->dir));
	s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->loop = loop_new(&s->error);
	assert_non_null(s->loop);
	s->settings = (struct fetch_settings){
		.links_max = 2, .deliver_timeout_ms = 1000, .keep_trying_ms = 86400000, .bare_newline = "fix",
		.in_doubt = "quarantine", .every_ms = 300000, .accounts_max = 4, .per_host_max = 2,
				.remember_ms = 86400000,
	};
	account_take(&s->accounts[0], "firm", "");
	account_take(&s->accounts[1], "own", "chief");
	buf_init(&s->text, 4096);
	stage_open(s);
}

static void stage_end(struct stage *s)
{
	static const char *const names[] = { "fetch.db", "fetch.db-wal", "fetch.db-shm", "accounts.known" };
	fetch_close(&s->fetch);
	loop_free(s->loop);
	buf_free(&s->text);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlinkat(s->dir_fd, names[i], 0);
	unlinkat(s->dir_fd, "spool", AT_REMOVEDIR);
	close(s->dir_fd);
	assert_int_equal(rmdir(s->dir), 0);
}

static int64_t put(struct stage *s, const char *account, unsigned print, enum ledger_state state, const char *mailbox)
{
	static unsigned count;
	struct ledger *ledger = fetch_ledger(s->fetch);
	struct ledger_row row = { .state = state, .fetched_ms = 1000, .due_ms = INT64_MAX, .place = { 1, 0, 5 } };
	int64_t id = 0;
	snprintf(row.account, sizeof row.account, "%s", account);
	snprintf(row.key, sizeof row.key, "%u", count++);
	snprintf(row.mailbox, sizeof row.mailbox, "%s", mailbox);
	snprintf(row.why, sizeof row.why, "a reason");
	memcpy(row.print, &print, sizeof print);
	row.tries = 3;
	row.settled_ms = 7;
	assert_true(ledger_begin(ledger));
	assert_int_equal(ledger_add(ledger, &row, &id), LEDGER_ADDED);
	assert_true(ledger_commit(ledger));
	return id;
}

static struct ledger_row row_of(struct stage *s, int64_t id)
{
	struct ledger_row row;
	assert_true(ledger_find(fetch_ledger(s->fetch), id, &row));
	return row;
}

static bool release(struct stage *s, int64_t id, const char *mailbox)
{
	s->error = (struct error){ 0 };
	buf_reset(&s->text);
	return fetch_release(s->fetch, id, mailbox, &s->text, &s->error);
}

static void a_release_goes_to_a_mailbox_of_the_map_and_to_nothing_else(void **state)
{
	(void)state;
	static const char *const refused[] = { "bert", "anna@firm.example", "x@evil.example", "*", "root", " anna",
					       "anna,office", "chief", "-anna" };
	struct stage s;
	stage_start(&s);
	int64_t id = put(&s, "firm", 1, LEDGER_QUARANTINE, "");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(release(&s, id, refused[i]));
		assert_int_equal(s.error.status, EXIT_BAD_INPUT);
		assert_non_null(strstr(s.error.text, "is no mailbox of the account firm"));
		assert_int_equal(row_of(&s, id).state, LEDGER_QUARANTINE);
		assert_string_equal(row_of(&s, id).mailbox, "");
	}
	assert_false(release(&s, id, NULL));
	assert_non_null(strstr(s.error.text, "--to"));
	assert_false(release(&s, id, ""));
	assert_true(release(&s, id, "ANNA"));
	struct ledger_row row = row_of(&s, id);
	assert_int_equal(row.state, LEDGER_WAITING);
	assert_string_equal(row.mailbox, "anna"); /* as the map writes it */
	assert_string_equal(row.why, "");
	assert_int_equal(row.tries, 0);
	assert_int_equal(row.settled_ms, 0);
	assert_true(row.due_ms < INT64_MAX);
	assert_non_null(strstr(buf_str(&s.text), "goes to anna"));
	stage_end(&s);
}

static void a_mail_with_a_mailbox_is_released_without_a_word_and_an_owners_only_to_him(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	int64_t known = put(&s, "firm", 1, LEDGER_QUARANTINE, "office");
	int64_t moved = put(&s, "firm", 2, LEDGER_QUARANTINE, "bert");
	int64_t own = put(&s, "own", 3, LEDGER_QUARANTINE, "chief");
	int64_t gone = put(&s, "left", 4, LEDGER_QUARANTINE, "anna");
	assert_true(release(&s, known, NULL));
	assert_string_equal(row_of(&s, known).mailbox, "office");
	/* Its mailbox is no longer in the map: what the ledger says makes no recipient. */
	assert_false(release(&s, moved, NULL));
	assert_true(release(&s, moved, "office"));
	assert_false(release(&s, own, "anna"));
	assert_true(release(&s, own, NULL));
	/* Its account is gone from the settings. */
	assert_false(release(&s, gone, "anna"));
	assert_false(release(&s, gone, NULL));
	assert_int_equal(row_of(&s, gone).state, LEDGER_QUARANTINE);
	stage_end(&s);
}

static void only_mail_in_quarantine_is_decided_on(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	for (unsigned i = 0; i < LEDGER_STATE_COUNT; i++) {
		if (i == LEDGER_QUARANTINE)
			continue;
		int64_t id = put(&s, "firm", 100 + i, (enum ledger_state)i, i == LEDGER_TWIN ? "" : "anna");
		struct ledger_row before = row_of(&s, id);
		assert_false(release(&s, id, "anna"));
		assert_non_null(strstr(s.error.text, "not in quarantine"));
		assert_false(fetch_drop(s.fetch, id, &s.text, &s.error));
		struct ledger_row after = row_of(&s, id);
		assert_int_equal(after.state, before.state);
		assert_string_equal(after.why, before.why);
	}
	assert_false(release(&s, 999999, "anna"));
	assert_non_null(strstr(s.error.text, "999999"));
	assert_false(release(&s, -1, "anna"));
	assert_false(fetch_drop(s.fetch, 0, &s.text, &s.error));
	stage_end(&s);
}

static void a_second_copy_is_not_released_to_the_mailbox_that_has_it(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	put(&s, "firm", 5, LEDGER_DONE, "anna");
	int64_t copy = put(&s, "firm", 5, LEDGER_QUARANTINE, "");
	assert_false(release(&s, copy, "anna"));
	assert_int_equal(s.error.status, EXIT_BAD_INPUT);
	assert_non_null(strstr(s.error.text, "came for anna before"));
	assert_int_equal(row_of(&s, copy).state, LEDGER_QUARANTINE);
	assert_true(release(&s, copy, "office"));
	/* Two copies, both released: one of them only. */
	int64_t first = put(&s, "firm", 6, LEDGER_QUARANTINE, ""), second = put(&s, "firm", 6, LEDGER_QUARANTINE, "");
	assert_true(release(&s, first, "anna"));
	assert_false(release(&s, second, "anna"));
	assert_true(fetch_drop(s.fetch, second, &s.text, &s.error));
	stage_end(&s);
}

static void what_is_dropped_stays_dropped(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	int64_t id = put(&s, "firm", 1, LEDGER_QUARANTINE, "anna");
	assert_true(fetch_drop(s.fetch, id, &s.text, &s.error));
	assert_non_null(strstr(buf_str(&s.text), "is dropped"));
	struct ledger_row row = row_of(&s, id);
	assert_int_equal(row.state, LEDGER_DROPPED);
	assert_true(row.settled_ms > 7);
	assert_false(release(&s, id, "anna"));
	fetch_close(&s.fetch);
	stage_open(&s);
	assert_int_equal(row_of(&s, id).state, LEDGER_DROPPED);
	stage_end(&s);
}

static void adopting_lets_a_stopped_account_go_on_as_it_was_told(void **state)
{
	(void)state;
	struct stage s;
	struct ledger_account account;
	stage_start(&s);
	struct ledger *ledger = fetch_ledger(s.fetch);
	for (int deliver = 0; deliver < 2; deliver++) {
		assert_true(ledger_account(ledger, "firm", &account));
		account.polls = 5;
		snprintf(account.stopped, sizeof account.stopped, "a burst");
		assert_true(ledger_begin(ledger) && ledger_set_account(ledger, &account) && ledger_commit(ledger));
		buf_reset(&s.text);
		assert_true(fetch_adopt(ledger, "firm", deliver, &s.text, &s.error));
		assert_non_null(strstr(buf_str(&s.text), deliver ? "delivered" : "seen"));
		assert_true(ledger_account(ledger, "firm", &account));
		assert_string_equal(account.stopped, "");
		assert_string_equal(account.order, deliver ? "deliver" : "mark-seen");
		assert_int_equal(account.polls, 5);
	}
	fetch_wake(s.fetch);
	stage_end(&s);
}

static void a_ledger_that_cannot_be_written_decides_nothing(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	struct ledger *ledger = fetch_ledger(s.fetch);
	int64_t id = put(&s, "firm", 1, LEDGER_QUARANTINE, "anna");
	/* Somebody's transaction is open: none can begin. */
	assert_true(ledger_begin(ledger));
	assert_false(release(&s, id, NULL));
	assert_int_equal(s.error.status, EXIT_UNAVAILABLE);
	assert_true(ledger_begin(ledger));
	assert_false(fetch_adopt(ledger, "firm", true, &s.text, &s.error));
	assert_int_equal(row_of(&s, id).state, LEDGER_QUARANTINE);
	assert_true(release(&s, id, NULL));
	stage_end(&s);
}

static void what_was_released_waits_while_the_local_server_is_away(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	int64_t id = put(&s, "firm", 1, LEDGER_QUARANTINE, "anna");
	assert_true(release(&s, id, NULL));
	for (int i = 0; i < 50 && !fetch_local_trouble(s.fetch)[0]; i++)
		loop_run_once(s.loop, 100);
	assert_true(fetch_local_trouble(s.fetch)[0] != '\0');
	struct ledger_row row = row_of(&s, id);
	assert_int_equal(row.state, LEDGER_WAITING);
	assert_int_equal(row.tries, 0);
	stage_end(&s);
}

/* A mail found SENDING at the start, and a search: what it prints, and how it was asked. */
static void a_doubt_is_settled_by_a_search_for_this_very_mail_or_by_a_person(void **state)
{
	(void)state;
	static char too_long[600];
	memset(too_long, 'x', sizeof too_long - 1);
	static const struct {
		const char *argv[4];
		enum ledger_state end;
		const char *why;
	} rows[] = {
		{ { "/bin/echo", "found" }, LEDGER_DONE, "" },
		{ { "/bin/true" }, LEDGER_WAITING, "does not have it" },
		{ { "/bin/false" }, LEDGER_QUARANTINE, "failed" },
		{ { "/nonexistent/program" }, LEDGER_QUARANTINE, "" },
		{ { "/usr/bin/test", "<%u>%%%x%", "=", "<anna>%%%x%" }, LEDGER_WAITING, "does not have it" },
		{ { "/usr/bin/test", "%u%u", "=", "annaanna" }, LEDGER_WAITING, "does not have it" },
		{ { "/usr/bin/test", "%i", "=", "anna" }, LEDGER_QUARANTINE, "failed" },
		/* Cut, they would be alike: it is not asked at all. */
		{ { "/usr/bin/test", too_long, "=", too_long }, LEDGER_QUARANTINE, "cannot be started" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stage s;
		struct ledger_row row;
		stage_start(&s);
		int64_t id = put(&s, "firm", 1, LEDGER_SENDING, "anna");
		fetch_close(&s.fetch);
		s.settings.in_doubt = "search";
		s.settings.in_doubt_search.items = rows[i].argv;
		while (s.settings.in_doubt_search.count < 4 && rows[i].argv[s.settings.in_doubt_search.count])
			s.settings.in_doubt_search.count++;
		stage_open(&s);
		for (int k = 0; k < 100 && (row = row_of(&s, id)).state == LEDGER_SENDING; k++)
			loop_run_once(s.loop, 100);
		if (row.state != rows[i].end || !strstr(row.why, rows[i].why))
			fail_msg("row %zu: %s, %s", i, ledger_state_name(row.state), row.why);
		stage_end(&s);
	}
}

static void known_write(struct stage *s, const char *text)
{
	int fd = openat(s->dir_fd, "accounts.known", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void an_account_is_known_from_its_first_poll_and_in_doubt(void **state)
{
	(void)state;
	struct stage s;
	stage_start(&s);
	assert_false(fetch_was_known(s.fetch, "firm"));
	assert_true(fetch_make_known(s.fetch, "firm") && fetch_make_known(s.fetch, "firm"));
	assert_true(fetch_was_known(s.fetch, "firm"));
	assert_false(fetch_was_known(s.fetch, "fir") || fetch_was_known(s.fetch, "firm2"));
	assert_false(fetch_was_known(s.fetch, ""));
	/* A disk that was full: half a line. */
	disk_fault.fail_after = 1;
	disk_fault.ops = DISK_OPEN | DISK_WRITE;
	assert_false(fetch_make_known(s.fetch, "second"));
	assert_int_equal(errno, ENOSPC);
	assert_false(fetch_was_known(s.fetch, "second"));
	assert_true(fetch_make_known(s.fetch, "second") && fetch_make_known(s.fetch, "third"));
	assert_true(fetch_was_known(s.fetch, "firm") && fetch_was_known(s.fetch, "second"));
	assert_true(fetch_was_known(s.fetch, "third"));
	known_write(&s, "torn");
	assert_true(fetch_make_known(s.fetch, "firm"));
	assert_true(fetch_was_known(s.fetch, "firm") && fetch_was_known(s.fetch, "torn"));
	/* No file that can be read: no proof that it is new. */
	unlinkat(s.dir_fd, "accounts.known", 0);
	assert_int_equal(mkdirat(s.dir_fd, "accounts.known", 0700), 0);
	assert_true(fetch_was_known(s.fetch, "new"));
	assert_false(fetch_make_known(s.fetch, "new"));
	unlinkat(s.dir_fd, "accounts.known", AT_REMOVEDIR);
	disk_fault.ops = DISK_ANY;
	stage_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_release_goes_to_a_mailbox_of_the_map_and_to_nothing_else),
		cmocka_unit_test(a_mail_with_a_mailbox_is_released_without_a_word_and_an_owners_only_to_him),
		cmocka_unit_test(only_mail_in_quarantine_is_decided_on),
		cmocka_unit_test(a_second_copy_is_not_released_to_the_mailbox_that_has_it),
		cmocka_unit_test(what_is_dropped_stays_dropped),
		cmocka_unit_test(adopting_lets_a_stopped_account_go_on_as_it_was_told),
		cmocka_unit_test(a_ledger_that_cannot_be_written_decides_nothing),
		cmocka_unit_test(what_was_released_waits_while_the_local_server_is_away),
		cmocka_unit_test(a_doubt_is_settled_by_a_search_for_this_very_mail_or_by_a_person),
		cmocka_unit_test(an_account_is_known_from_its_first_poll_and_in_doubt),
	};
	return hash_start() ? cmocka_run_group_tests_name("fetch decide", tests, NULL, NULL) : 1;
}
