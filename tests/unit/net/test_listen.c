/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "net/dial.h"
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct meeting {
	int accepted, dialled, dial_errno, dial_calls;
	struct net_addr peer;
};

static void on_peer(void *ctx, int fd, const struct net_addr *peer)
{
	struct meeting *m = ctx;
	m->accepted = fd;
	m->peer = *peer;
}

static void on_dialled(void *ctx, int fd, int sys_errno)
{
	struct meeting *m = ctx;
	m->dialled = fd;
	m->dial_errno = sys_errno;
	m->dial_calls++;
}

static char folder[64];

static struct net_addr addr_of(const char *text)
{
	struct net_addr addr;
	struct error e;
	assert_true(net_addr_parse(slice_from_str(text), &addr, &e));
	return addr;
}

static struct net_addr socket_in_folder(const char *name)
{
	char text[128];
	snprintf(text, sizeof text, "unix:%s/%s", folder, name);
	return addr_of(text);
}

static void meet(struct loop *l, const struct net_addr *addr)
{
	struct meeting m = { -1, -1, 0, 0, { .len = 0 } };
	char got[8];
	struct error e = { .text = "" };
	struct listen *n = listen_open(l, addr, NULL, on_peer, &m, &e);
	if (!n)
		fail_msg("%s", e.text);
	assert_non_null(dial_start(l, listen_addr(n), 1000, on_dialled, &m));
	assert_int_equal(m.dial_calls, 0);
	for (int i = 0; i < 20 && (m.accepted < 0 || m.dialled < 0); i++)
		loop_run_once(l, 100);
	assert_int_equal(m.dial_calls, 1);
	assert_int_equal(m.dial_errno, 0);
	assert_int_equal(write(m.dialled, "hello", 5), 5);
	assert_int_equal(read(m.accepted, got, sizeof got), 5);
	assert_true(fcntl(m.accepted, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(m.accepted, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(m.peer.any.sa_family, addr->any.sa_family);
	close(m.dialled);
	close(m.accepted);
	listen_close(&n);
	assert_null(n);
}

static void two_sides_meet_on_unix_and_tcp_sockets(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr file = socket_in_folder("s"), tcp = addr_of("127.0.0.1:0");
	meet(l, &file);
	assert_int_equal(access(file.un.sun_path, F_OK), -1); /* removed */
	meet(l, &tcp);
	loop_free(l);
}

static void a_socket_file_gets_its_mode_and_is_never_wider(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr addr = socket_in_folder("mode");
	struct stat st;
	struct listen_setup setup = LISTEN_SETUP_DEFAULT;
	mode_t old_mask = umask(0);
	struct listen *n = listen_open(l, &addr, &setup, on_peer, NULL, NULL);
	assert_int_equal(lstat(addr.un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(umask(0), 0); /* as it was */
	listen_close(&n);
	setup.mode = 0600;
	setup.owner = getuid();
	setup.group = getgid();
	n = listen_open(l, &addr, &setup, on_peer, NULL, NULL);
	assert_int_equal(lstat(addr.un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	listen_close(&n);
	umask(old_mask);
	loop_free(l);
}

static void a_dead_socket_file_is_replaced_and_a_living_one_is_not(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr addr = socket_in_folder("stale");
	struct error e = { .text = "" };
	/* Bound and closed without unlink: what a killed process leaves behind. */
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, &addr.any, addr.len), 0);
	close(dead);
	assert_int_equal(access(addr.un.sun_path, F_OK), 0);
	struct listen *n = listen_open(l, &addr, NULL, on_peer, NULL, &e);
	assert_non_null(n);
	assert_null(listen_open(l, &addr, NULL, on_peer, NULL, &e));
	assert_non_null(strstr(e.text, "another process listens"));
	assert_int_equal(access(addr.un.sun_path, F_OK), 0);
	listen_close(&n);

	int file = open(addr.un.sun_path, O_CREAT | O_WRONLY, 0600);
	close(file);
	e.text[0] = '\0';
	assert_null(listen_open(l, &addr, NULL, on_peer, NULL, &e));
	assert_non_null(strstr(e.text, "no socket"));
	assert_int_equal(unlink(addr.un.sun_path), 0); /* still there */
	loop_free(l);
}

static void the_socket_file_of_a_successor_is_left_alone(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr addr = socket_in_folder("next");
	struct listen *old = listen_open(l, &addr, NULL, on_peer, NULL, NULL);
	char aside[160];
	snprintf(aside, sizeof aside, "%s.old", addr.un.sun_path);
	assert_int_equal(rename(addr.un.sun_path, aside), 0);
	struct listen *new = listen_open(l, &addr, NULL, on_peer, NULL, NULL);
	assert_non_null(new);
	listen_close(&old);
	assert_int_equal(access(addr.un.sun_path, F_OK), 0);
	listen_close(&new);
	assert_int_equal(access(addr.un.sun_path, F_OK), -1);
	unlink(aside);
	loop_free(l);
}

static void without_descriptors_a_peer_is_turned_away_instead_of_hanging(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr addr = socket_in_folder("full");
	struct meeting m = { -1, -1, 0, 0, { .len = 0 } };
	struct rlimit limit, tight;
	char got[4];
	struct listen *n = listen_open(l, &addr, NULL, on_peer, &m, NULL);
	int fd = dial_now(&addr, 1000, NULL);
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	loop_run_once(l, 1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(m.accepted, -1);
	assert_int_equal(listen_turned_away(n), 1);
	assert_int_equal(read(fd, got, sizeof got), 0);
	close(fd);
	listen_close(&n);
	loop_free(l);
}

static void a_listening_descriptor_can_be_handed_over(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr addr = addr_of("127.0.0.1:0");
	struct meeting m = { -1, -1, 0, 0, { .len = 0 } };
	struct error e = { .text = "" };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, &addr.any, addr.len), 0);
	assert_null(listen_adopt(l, fd, on_peer, &m, &e));
	assert_non_null(strstr(e.text, "no listening socket"));
	assert_int_equal(listen(fd, 5), 0);
	struct listen *n = listen_adopt(l, fd, on_peer, &m, &e);
	assert_non_null(n);
	int peer = dial_now(listen_addr(n), 1000, NULL);
	assert_true(peer >= 0);
	assert_int_equal(fcntl(peer, F_GETFL) & O_NONBLOCK, 0);
	loop_run_once(l, 1000);
	assert_true(m.accepted >= 0);
	close(peer);
	close(m.accepted);
	listen_close(&n);
	loop_free(l);
}

static void a_dial_that_fails_says_why_and_never_within_its_start(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr missing = socket_in_folder("nobody");
	struct meeting m = { -1, -1, 0, 0, { .len = 0 } };
	struct error e = { .text = "" };
	assert_non_null(dial_start(l, &missing, 1000, on_dialled, &m));
	assert_int_equal(m.dial_calls, 0);
	loop_run_once(l, 1000);
	assert_int_equal(m.dial_calls, 1);
	assert_int_equal(m.dialled, -1);
	assert_int_equal(m.dial_errno, ENOENT);
	assert_int_equal(dial_now(&missing, 1000, &e), -1);
	assert_non_null(strstr(e.text, "nobody"));

	/* A TCP port that nobody listens on: bound, not listening. */
	struct net_addr tcp = addr_of("127.0.0.1:0");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, &tcp.any, tcp.len), 0);
	getsockname(fd, &tcp.any, &tcp.len);
	dial_start(l, &tcp, 1000, on_dialled, &m);
	for (int i = 0; i < 10 && m.dial_calls < 2; i++)
		loop_run_once(l, 100);
	assert_int_equal(m.dial_errno, ECONNREFUSED);
	close(fd);
	loop_free(l);
}

static void a_dial_can_run_out_of_time_or_be_cancelled(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct meeting m = { -1, -1, 0, 0, { .len = 0 } };
	/* A listener with a full backlog: the third-way handshake never ends. */
	struct net_addr tcp = addr_of("127.0.0.1:0");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, &tcp.any, tcp.len), 0);
	getsockname(fd, &tcp.any, &tcp.len);
	assert_int_equal(listen(fd, 0), 0);
	int fillers[4];
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fillers[i], &tcp.any, tcp.len);
	}
	dial_start(l, &tcp, 50, on_dialled, &m);
	for (int i = 0; i < 20 && m.dial_calls == 0; i++)
		loop_run_once(l, 50);
	assert_int_equal(m.dial_calls, 1);
	assert_int_equal(m.dial_errno, ETIMEDOUT);
	struct dial *d = dial_start(l, &tcp, 20, on_dialled, &m);
	dial_cancel(&d);
	assert_null(d);
	loop_run_once(l, 60);
	assert_int_equal(m.dial_calls, 1);
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(fd);
	loop_free(l);
}

static void without_memory_nothing_is_left_open(void **state)
{
	(void)state;
	struct loop *l = loop_new(NULL);
	struct net_addr addr = socket_in_folder("memory");
	struct error e = { .text = "" };
	int before = dup(0);
	close(before);
	mem_fail_after = 0;
	assert_null(listen_open(l, &addr, NULL, on_peer, NULL, &e));
	assert_null(dial_start(l, &addr, 10, on_dialled, NULL));
	mem_fail_after = -1;
	int after = dup(0);
	close(after);
	assert_int_equal(before, after);
	assert_true(strlen(e.text) > 5);
	loop_free(l);
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/quell-listen-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder); /* fails when a test left something behind */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sides_meet_on_unix_and_tcp_sockets),
		cmocka_unit_test(a_socket_file_gets_its_mode_and_is_never_wider),
		cmocka_unit_test(a_dead_socket_file_is_replaced_and_a_living_one_is_not),
		cmocka_unit_test(the_socket_file_of_a_successor_is_left_alone),
		cmocka_unit_test(without_descriptors_a_peer_is_turned_away_instead_of_hanging),
		cmocka_unit_test(a_listening_descriptor_can_be_handed_over),
		cmocka_unit_test(a_dial_that_fails_says_why_and_never_within_its_start),
		cmocka_unit_test(a_dial_can_run_out_of_time_or_be_cancelled),
		cmocka_unit_test(without_memory_nothing_is_left_open),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
