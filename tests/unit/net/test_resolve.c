/* SPDX-License-Identifier: Apache-2.0
 *
 * Names against a fake name server in the same loop: a UDP socket on loopback, named in
 * a resolv.conf of our own. The first label of a name says what it answers.
 */
#include "../unit.h"

#include "base/mem.h"
#include "net/resolve.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG_MS = 20000 };

struct fixture {
	char dir[64], resolv_conf[96], hosts[96];
	struct loop *loop;
	int server;
	struct event *event;
	int asked;
	/* The answer. */
	bool is_told;
	size_t count;
	char addrs[RESOLVE_MAX][NET_ADDR_TEXT_BYTES];
	char why[512];
};

/* ---- the name server ---- */

static size_t add_record(uint8_t *to, int type, int last)
{
	/* A pointer to the question's name, type, class, time to live, length. */
	const uint8_t head[] = { 0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60, 0, type == 1 ? 4 : 16 };
	const uint8_t four[4] = { 192, 0, 2, (uint8_t)last };
	uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	six[15] = (uint8_t)last;
	memcpy(to, head, sizeof head);
	memcpy(to + sizeof head, type == 1 ? four : six, type == 1 ? 4 : 16);
	return sizeof head + (type == 1 ? 4 : 16);
}

/* "both" has two of each, "four" only IPv4, "many" ten of each, "slow" no answer, "broken"
 * SERVFAIL, "empty" a name without addresses; others do not exist. */
static void on_question(evutil_socket_t fd, short what, void *ctx)
{
	struct fixture *f = ctx;
	uint8_t m[2048];
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	ssize_t n = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &from_len);
	(void)what;
	assert_true(n > 17);
	f->asked++;
	struct slice label = slice_make(m + 13, m[12]);
	int type = m[n - 3], records = 0;
	bool is_both = slice_equal_nocase(label, SLICE("both")), is_many = slice_equal_nocase(label, SLICE("many"));
	bool is_four = slice_equal_nocase(label, SLICE("four")), is_empty = slice_equal_nocase(label, SLICE("empty"));
	if (slice_equal_nocase(label, SLICE("slow")))
		return;
	if (is_both || is_many || (is_four && type == 1))
		records = is_many ? 10 : 2;
	m[2] = 0x81;
	m[3] = slice_equal_nocase(label, SLICE("broken"))         ? 0x82
	       : is_both || is_many || is_four || is_empty ? 0x80 : 0x83;
	m[7] = (uint8_t)records;
	m[9] = m[11] = 0;
	size_t len = (size_t)n;
	for (int i = 1; i <= records; i++)
		len += add_record(m + len, type, i);
	sendto(fd, m, len, 0, (struct sockaddr *)&from, from_len);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	char text[128];
	*state = f;
	strcpy(f->dir, "/tmp/quell-resolve-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->resolv_conf, sizeof f->resolv_conf, "%s/resolv.conf", f->dir);
	snprintf(f->hosts, sizeof f->hosts, "%s/hosts", f->dir);
	f->loop = loop_new(NULL);
	f->server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->server, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(f->server, (struct sockaddr *)&in, &len), 0);
	f->event = event_new(loop_base(f->loop), f->server, EV_READ | EV_PERSIST, on_question, f);
	event_add(f->event, NULL);
	snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\noptions timeout:1\n", ntohs(in.sin_port));
	write_file(f->resolv_conf, text);
	write_file(f->hosts, "192.0.2.77 inhosts.example other\n2001:db8::77 inhosts.example\n");
	assert_true(resolve_set_files(f->loop, f->resolv_conf, f->hosts));
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	event_free(f->event);
	loop_free(f->loop);
	close(f->server);
	unlink(f->resolv_conf);
	unlink(f->hosts);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void on_resolved(void *ctx, const struct net_addr *addrs, size_t count, const char *why)
{
	struct fixture *f = ctx;
	assert_false(f->is_told);
	f->is_told = true;
	f->count = count;
	for (size_t i = 0; i < count; i++)
		net_addr_text(&addrs[i], f->addrs[i]);
	snprintf(f->why, sizeof f->why, "%s", why ? why : "");
	assert_int_equal(count == 0, why != NULL);
}

static void wait_for(struct fixture *f)
{
	for (int i = 0; i < 3000 && !f->is_told; i++)
		loop_run_once(f->loop, 10);
	assert_true(f->is_told);
}

static void ask(struct fixture *f, const char *host)
{
	f->is_told = false;
	assert_non_null(resolve_start(f->loop, host, 110, LONG_MS, on_resolved, f));
	assert_false(f->is_told); /* never from within */
	wait_for(f);
}

static void expect(struct fixture *f, const char *host, size_t count, const char *const *addrs, const char *why)
{
	ask(f, host);
	if (f->count != count || strcmp(f->why, why) != 0)
		fail_msg("%s: %zu addresses, \"%s\"; wanted \"%s\"", host, f->count, f->why, why);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(f->addrs[i], addrs[i]);
}
#define ADDRS(...) (const char *const[]){ __VA_ARGS__ }

static void literals_and_localhost_need_no_server(void **state)
{
	struct fixture *f = *state;
	unlink(f->resolv_conf);
	unlink(f->hosts);
	expect(f, "192.0.2.5", 1, ADDRS("192.0.2.5:110"), "");
	expect(f, "2001:db8::5", 1, ADDRS("[2001:db8::5]:110"), "");
	expect(f, "[2001:db8::5]", 1, ADDRS("[2001:db8::5]:110"), "");
	expect(f, "localhost", 2, ADDRS("[::1]:110", "127.0.0.1:110"), "");
	expect(f, "LocalHost.", 2, ADDRS("[::1]:110", "127.0.0.1:110"), "");
	assert_int_equal(f->asked, 0);
}

static void the_hosts_file_counts(void **state)
{
	struct fixture *f = *state;
	expect(f, "inhosts.example", 2, ADDRS("[2001:db8::77]:110", "192.0.2.77:110"), "");
	expect(f, "other", 1, ADDRS("192.0.2.77:110"), "");
	assert_int_equal(f->asked, 0);
}

static void addresses_of_a_server_come_in_turn(void **state)
{
	struct fixture *f = *state;
	expect(f, "both.example", 4,
	       ADDRS("[2001:db8::1]:110", "192.0.2.1:110", "[2001:db8::2]:110", "192.0.2.2:110"), "");
	expect(f, "four.example.", 2, ADDRS("192.0.2.1:110", "192.0.2.2:110"), "");
	ask(f, "many.example");
	assert_int_equal(f->count, RESOLVE_MAX);
	assert_string_equal(f->addrs[RESOLVE_MAX - 1], "192.0.2.4:110");
}

static void a_name_without_addresses_is_told_in_words(void **state)
{
	struct fixture *f = *state;
	expect(f, "pop.example.org", 0, NULL, "no such host pop.example.org");
	expect(f, "empty.example", 0, NULL, "the name server gives no address for empty.example");
	expect(f, "broken.example", 0, NULL, "the name server gives no address for broken.example");
}

static void what_is_no_name_is_never_asked(void **state)
{
	struct fixture *f = *state;
	static const char *const hosts[] = {
		"", ".", "a..b", ".a", "a b", "a\nb", "pop.example.org/x", "a@b", "\xc3\xa9.example",
		"a23456789012345678901234567890123456789012345678901234567890abcd.example", "[::1", "::g",
	};
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		ask(f, hosts[i]);
		if (f->count != 0 || !strstr(f->why, "is no host name"))
			fail_msg("%s: %s", hosts[i], f->why);
	}
	char endless[400];
	memset(endless, 'a', sizeof endless);
	for (size_t i = 20; i < sizeof endless; i += 20)
		endless[i] = '.';
	endless[sizeof endless - 1] = '\0';
	ask(f, endless);
	assert_non_null(strstr(f->why, "is no host name"));
	assert_int_equal(f->asked, 0);
}

static void without_a_name_server_that_is_said_at_once(void **state)
{
	struct fixture *f = *state;
	static const char *const confs[] = { NULL, "", "nonsense \x01\xff\nnameserver\nnameserver x.y\noptions\n" };
	for (size_t i = 0; i < sizeof confs / sizeof confs[0]; i++) {
		char want[256];
		unlink(f->resolv_conf);
		if (confs[i])
			write_file(f->resolv_conf, confs[i]);
		snprintf(want, sizeof want, "both.example cannot be looked up: %s names no name server",
			 f->resolv_conf);
		expect(f, "both.example", 0, NULL, want);
		/* The hosts file still counts. */
		expect(f, "other", 1, ADDRS("192.0.2.77:110"), "");
	}
	assert_int_equal(f->asked, 0);
}

static void changed_files_are_read_again(void **state)
{
	struct fixture *f = *state;
	expect(f, "new.example", 0, NULL, "no such host new.example");
	write_file(f->hosts, "192.0.2.99 new.example\n# longer than before, so that it is another file for sure\n");
	expect(f, "new.example", 1, ADDRS("192.0.2.99:110"), "");
}

static void a_slow_name_holds_up_no_other_and_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct fixture slow = { 0 };
	assert_non_null(resolve_start(f->loop, "slow.example", 110, 600, on_resolved, &slow));
	while (f->asked == 0)
		loop_run_once(f->loop, 10);
	expect(f, "four.example", 2, ADDRS("192.0.2.1:110", "192.0.2.2:110"), "");
	for (int i = 0; i < 3000 && !slow.is_told; i++)
		loop_run_once(f->loop, 10);
	assert_true(slow.is_told);
	assert_int_equal(slow.count, 0);
	assert_string_equal(slow.why, "the name server did not answer in 1 s for slow.example");
}

static void a_cancelled_question_is_not_answered(void **state)
{
	struct fixture *f = *state;
	static const char *const hosts[] = { "slow.example", "four.example", "192.0.2.1", "other", "a b" };
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		struct fixture none = { 0 };
		struct resolve *r = resolve_start(f->loop, hosts[i], 110, LONG_MS, on_resolved, &none);
		assert_non_null(r);
		if (i == 1)
			loop_run_once(f->loop, 10);
		if (!none.is_told)
			resolve_cancel(&r);
		for (int k = 0; k < 5; k++)
			loop_run_once(f->loop, 5);
		assert_true(i == 1 || !none.is_told);
	}
	/* One that is still out when the loop goes (teardown) leaks nothing. */
	struct resolve *r = resolve_start(f->loop, "slow.example", 110, LONG_MS, on_resolved, f);
	resolve_cancel(&r);
	assert_null(r);
	resolve_cancel(&r);
}

static void want_of_memory_is_told_or_refused(void **state)
{
	struct fixture *f = *state;
	int refused = 0, told = 0;
	for (long n = 0; n < 8; n++) {
		f->is_told = false;
		mem_fail_after = n;
		struct resolve *r = resolve_start(f->loop, "four.example", 110, LONG_MS, on_resolved, f);
		mem_fail_after = -1;
		refused += r == NULL;
		if (r)
			wait_for(f);
		told += r && f->count == 0;
	}
	assert_true(refused > 0);
	assert_true(told > 0);
	assert_int_equal(f->count, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(literals_and_localhost_need_no_server),
		TEST(the_hosts_file_counts),
		TEST(addresses_of_a_server_come_in_turn),
		TEST(a_name_without_addresses_is_told_in_words),
		TEST(what_is_no_name_is_never_asked),
		TEST(without_a_name_server_that_is_said_at_once),
		TEST(changed_files_are_read_again),
		TEST(a_slow_name_holds_up_no_other_and_is_given_up),
		TEST(a_cancelled_question_is_not_answered),
		TEST(want_of_memory_is_told_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
