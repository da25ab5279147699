/* SPDX-License-Identifier: Apache-2.0
 *
 * Random schedules of what can go wrong with the connector: killed at any word, either
 * server killed at any word, replies lost with the mail stored or not, QUIT unanswered,
 * a full disk below the spool and below SQLite. Each schedule is a few lives that end
 * badly and then lives without faults until nothing moves any more. After it:
 *
 *   nothing is lost: each mail is delivered, or lies in the box, or in quarantine;
 *   nothing comes twice: at most one acceptance for each (mail, mailbox);
 *   nobody outside the map is ever named, and no mail reaches a wrong mailbox;
 *   with a search to settle doubts, every mail of the map is delivered, once.
 *
 * FETCH_SCHEDULES sets their number, FETCH_SEED the first seed. A life that ends badly shows
 * what the connector said in it.
 */
#include "../unit/unit.h"

#include "base/hash.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "fetch_world.h"
#include "store/disk.h"
#include "vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SCHEDULES = 500, LIVES_BAD_MAX = 5, LIVES_GOOD_MAX = 6, LIFE_MS = 30 * 1000 };

struct schedule {
	unsigned seed;
	struct world world;
	char dir[200];
	char password[220], search[400];
	const char *search_argv[4], *map[WORLD_MAILBOXES], *isp[1];
	const char *delete_when;
	bool want_search;
	int disk_op;              /* 0: none; 1: the spool's layer; 2: below SQLite */
	long disk_after;
};

static unsigned below(struct schedule *s, unsigned n)
{
	s->seed = s->seed * 1103515245u + 12345u;
	return (s->seed >> 16) % n;
}

static void make_mail(struct schedule *s, size_t i)
{
	static const char *const others[] = { "boss@outside.example", "list@lists.example", "anna@firm.example" };
	struct world_mail *m = &s->world.mails[i];
	unsigned kind = below(s, 12);
	char envelope[100] = "";
	m->mailbox = (int)below(s, WORLD_MAILBOXES);
	if (kind == 0)
		m->mailbox = -1; /* no envelope header at all */
	else if (kind == 1) {
		m->mailbox = -1;
		snprintf(envelope, sizeof envelope, "X-Original-To: outsider@elsewhere.example\r\n");
	} else
		snprintf(envelope, sizeof envelope, "X-Original-To: %s\r\n", world_mailboxes[m->mailbox]);
	m->len = (size_t)snprintf(m->text, sizeof m->text,
		"Return-Path: <sender%zu@outside.example>\r\n%s"
		"Received: from a.example by mx.isp.example for <%s>; Tue, 6 Dec 2005 09:20:03 +0000\r\n"
		"X-Original-To: outsider@elsewhere.example\r\n"
		"To: %s, friend@outside.example\r\nCc: %s\r\nBcc: hidden@outside.example\r\nX-Test-Mail: %zu\r\n"
		"Subject: mail %zu\r\n\r\n.\r\n..a line of dots\r\nFor schedule %u\r\n",
		i, envelope, others[below(s, 3)], others[below(s, 3)], others[below(s, 3)], i, i, s->seed);
	for (unsigned k = below(s, 30); k > 0; k--)
		m->len += (size_t)snprintf(m->text + m->len, sizeof m->text - m->len, "line %u of the body\r\n", k);
	snprintf(m->uidl, sizeof m->uidl, "u%zu-%u", i, below(s, 1000));
	m->is_in_box = true;
}

static void remove_tree(const char *dir)
{
	char path[600];
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (unlink(path) != 0)
			remove_tree(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static void schedule_begin(struct schedule *s, unsigned seed)
{
	static const char *const whens[] = { "after-spool", "after-delivery", "never" };
	const char *top = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	*s = (struct schedule){ .seed = seed * 2654435761u + 1 };
	snprintf(s->dir, sizeof s->dir, "%s/quell-model-XXXXXX", top);
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->password, sizeof s->password, "%s/password", s->dir);
	int fd = open(s->password, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	assert_true(world_start(&s->world, s->dir));
	s->world.has_pipelining = below(s, 2);
	s->world.has_uidl = below(s, 5) != 0;
	s->delete_when = s->world.has_uidl ? whens[below(s, 3)] : "after-spool";
	s->want_search = below(s, 2);
	snprintf(s->search, sizeof s->search, "/%%i/p");
	s->search_argv[0] = "/bin/sed";
	s->search_argv[1] = "-n";
	s->search_argv[2] = s->search;
	s->search_argv[3] = s->world.stored_path;
	s->map[0] = "anna@firm.example = anna@firm.example";
	s->map[1] = "ben@firm.example = ben@firm.example";
	s->map[2] = "cleo@firm.example = cleo@firm.example";
	s->world.mail_count = 3 + below(s, 15);
	for (size_t i = 0; i < s->world.mail_count; i++)
		make_mail(s, i);
}

/* --- one life, in a child ----------------------------------------------------------- */

static void on_idle(void *ctx)
{
	loop_stop(ctx);
}

/* What this life says goes to a file, which is shown when it ends badly. */
static void live_log(const struct schedule *s)
{
	char path[220];
	snprintf(path, sizeof path, "%s/log", s->dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, 2) < 0)
		_exit(3);
	log_setup(LOG_LEVEL_DEBUG, false);
}

static void live(struct schedule *s)
{
	static const uint8_t key[HASH_KEY_BYTES] = "a key for the stamps of a test";
	const struct fetch_settings settings = {
		.links_max = 3, .deliver_timeout_ms = 20000, .keep_trying_ms = 86400000, .bare_newline = "fix",
		.in_doubt = s->want_search ? "search" : "quarantine", .in_doubt_search = { s->search_argv, 4 },
		.every_ms = 60000, .accounts_max = 4, .per_host_max = 2, .mail_bytes_max = 1 << 20,
		.spool_bytes_max = 1 << 30, .free_bytes_min = 0, .session_mails_max = 5, .burst_min = 1000,
		.burst_factor = 10, .same_max = 1000, .first_max = 1000, .remember_ms = INT64_C(86400000) * 400,
	};
	struct account_entry account = { .label = "office", .settings = {
		.host = "127.0.0.1", .port = s->world.pop_port, .tls = "none", .ca_file = "", .pin = "",
		.user = "office",
		.password = "", .password_file = s->password, .auth = "user", .token_url = "", .client_id = "",
		.client_secret_file = "", .refresh_token_file = "", .scope = "", .mailbox = "",
		.envelope_header = "X-Original-To", .map = { s->map, WORLD_MAILBOXES },
		.delete_when = s->delete_when } };
	struct error error = { .text = "" };
	struct fetch_setup setup = {
		.loop = loop_new(&error), .dir = s->dir, .dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY),
		.settings = &settings, .accounts = &account, .account_count = 1, .deliver_kind = SMTP_LMTP,
		.host_name = "mx.firm.example", .stamp_key = key, .mode = FETCH_ONCE, .on_idle = on_idle,
	};
	char addr[40];
	snprintf(addr, sizeof addr, "127.0.0.1:%u", s->world.lmtp_port);
	live_log(s);
	vfs_register();
	if (s->disk_op == 1) {
		atomic_store(&disk_fault.is_lasting, true);
		atomic_store(&disk_fault.fail_after, s->disk_after);
	} else if (s->disk_op == 2) {
		vfs_arm(DISK_WRITE, s->disk_after, ENOSPC, true);
	}
	setup.ctx = setup.loop;
	if (!setup.loop || !net_addr_parse(slice_from_str(addr), &setup.deliver, &error))
		_exit(3);
	struct fetch *fetch = fetch_open(&setup, &error);
	if (!fetch)
		_exit(s->disk_op ? 0 : 4);
	loop_run(setup.loop);
	fetch_close(&fetch);
	_exit(0);
}

static void show_log(const struct schedule *s)
{
	char path[220], line[1000];
	snprintf(path, sizeof path, "%s/log", s->dir);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		print_message("# %s", line);
	if (f)
		fclose(f);
}

static void one_life(struct schedule *s, const struct world_faults *faults)
{
	world_begin_life(&s->world, faults);
	pid_t child = fork();
	if (child == 0)
		live(s);
	int status = world_serve(&s->world, child, LIFE_MS);
	bool is_killed = WIFSIGNALED(status) && faults->kill_client > 0;
	if (status == -1 || (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) && !is_killed)) {
		show_log(s);
		fail_msg("schedule %s: a life %s, wait status %#x", s->dir,
			 status == -1 ? "did not end" : "ended badly", (unsigned)status);
	}
}

static struct world_faults some_faults(struct schedule *s)
{
	struct world_faults f = { .is_stored = below(s, 2), .is_quit_done = below(s, 2) };
	unsigned count = 1 + below(s, 2);
	s->disk_op = 0;
	while (count-- > 0) {
		switch (below(s, 7)) {
		case 0:
			f.kill_client = 1 + below(s, 120);
			break;
		case 1:
			f.cut_pop = 1 + below(s, 40);
			break;
		case 2:
			f.cut_lmtp = 1 + below(s, 60);
			break;
		case 3:
			f.lose_reply = 1 + below(s, 8);
			break;
		case 4:
			f.lose_quit = true;
			break;
		case 5:
			f.refuse = 1 + below(s, 6);
			break;
		default:
			s->disk_op = 1 + (int)below(s, 2);
			s->disk_after = (long)below(s, s->disk_op == 1 ? 12 : 60);
		}
	}
	return f;
}

/* --- after it ------------------------------------------------------------------------- */

struct kept {
	struct schedule *s;
	bool is_in_quarantine[WORLD_MAILS_MAX], is_waiting[WORLD_MAILS_MAX];
	struct segments *segments;
	unsigned in_doubt;
};

static bool kept_row(void *ctx, const struct ledger_row *row)
{
	struct kept *k = ctx;
	char text[WORLD_TEXT_BYTES + 1] = "";
	/* A mail in quarantine is not only a row: its bytes are there. */
	ssize_t n = segment_read(k->segments, &row->place, 0, text, WORLD_TEXT_BYTES);
	const char *at = n > 0 ? strstr(text, "\r\nX-Test-Mail: ") : NULL;
	unsigned long number = at ? strtoul(at + 15, NULL, 10) : WORLD_MAILS_MAX;
	assert_true(number < k->s->world.mail_count);
	assert_int_equal((size_t)n, k->s->world.mails[number].len);
	assert_memory_equal(text, k->s->world.mails[number].text, (size_t)n);
	if (row->state == LEDGER_QUARANTINE)
		k->is_in_quarantine[number] = true;
	else
		k->is_waiting[number] = true;
	k->in_doubt += strncmp(row->why, "in doubt", 8) == 0;
	return true;
}

static unsigned mail_accepted(const struct world_mail *m)
{
	unsigned count = 0;
	for (size_t i = 0; i < WORLD_MAILBOXES; i++)
		count += m->accepted[i];
	return count;
}

static void look_after(struct schedule *s, unsigned seed, unsigned *doubts_io)
{
	struct kept k = { .s = s };
	struct error error = { .text = "" };
	struct ledger *ledger = ledger_open(s->dir, &error);
	int dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY);
	k.segments = segments_open(dir_fd, &error);
	assert_non_null(ledger);
	assert_non_null(k.segments);
	assert_true(ledger_each_in_state(ledger, LEDGER_QUARANTINE, kept_row, &k));
	assert_true(ledger_each_in_state(ledger, LEDGER_WAITING, kept_row, &k));
	if (s->world.was_outsider_named || s->world.was_wrong_mailbox || s->world.was_mangled)
		fail_msg("seed %u: outsider %d, wrong mailbox %d, mangled %d", seed, s->world.was_outsider_named,
			 s->world.was_wrong_mailbox, s->world.was_mangled);
	for (size_t i = 0; i < s->world.mail_count; i++) {
		const struct world_mail *m = &s->world.mails[i];
		unsigned accepted = mail_accepted(m);
		bool is_kept = k.is_in_quarantine[i] || k.is_waiting[i];
		if (accepted > 1)
			fail_msg("seed %u: mail %zu was accepted %u times", seed, i, accepted);
		if (accepted == 0 && !is_kept && !m->is_in_box)
			fail_msg("seed %u: mail %zu is lost", seed, i);
		if (m->mailbox < 0 && accepted > 0)
			fail_msg("seed %u: mail %zu is nobody's and was delivered", seed, i);
		if (m->mailbox >= 0 && s->want_search && accepted != 1 && !k.is_waiting[i] && !m->is_in_box)
			fail_msg("seed %u: mail %zu was not delivered", seed, i);
	}
	*doubts_io += k.in_doubt;
	segments_close(k.segments);
	ledger_close(ledger);
	close(dir_fd);
}

static bool has_settled(struct schedule *s)
{
	for (size_t i = 0; i < s->world.mail_count; i++)
		if (s->world.mails[i].is_in_box && strcmp(s->delete_when, "never") != 0 &&
		    s->world.mails[i].mailbox >= 0)
			return false;
	return true;
}

static void random_schedules_lose_nothing_repeat_nothing_and_name_nobody(void **state)
{
	static struct schedule s;
	const char *want = getenv("FETCH_SCHEDULES"), *first = getenv("FETCH_SEED");
	unsigned count = want ? (unsigned)atoi(want) : SCHEDULES, from = first ? (unsigned)atoi(first) : 1;
	unsigned lives = 0, doubts = 0, delivered = 0;
	const struct world_faults none = { 0 };
	(void)state;
	for (unsigned seed = from; seed < from + count; seed++) {
		schedule_begin(&s, seed);
		for (unsigned i = 1 + below(&s, LIVES_BAD_MAX); i > 0; i--, lives++) {
			const struct world_faults faults = some_faults(&s);
			one_life(&s, &faults);
		}
		s.disk_op = 0;
		one_life(&s, &none);
		for (unsigned i = 0; i < LIVES_GOOD_MAX && !has_settled(&s); i++, lives++)
			one_life(&s, &none);
		look_after(&s, seed, &doubts);
		for (size_t i = 0; i < s.world.mail_count; i++)
			delivered += mail_accepted(&s.world.mails[i]);
		world_end(&s.world);
		remove_tree(s.dir);
	}
	print_message("# %u schedules, %u lives, %u mails delivered, %u in doubt\n", count, lives, delivered, doubts);
	assert_true(delivered > count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_schedules_lose_nothing_repeat_nothing_and_name_nobody),
	};
	if (!hash_start())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
