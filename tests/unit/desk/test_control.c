/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "desk/control.h"
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What the daemon was told to do, in words. */
static char heard[256];

static bool on_release_incident(void *ctx, const char *incident, int64_t per_minute, struct buf *text,
				struct error *error)
{
	(void)ctx;
	snprintf(heard, sizeof heard, "release incident %s at %lld", incident, (long long)per_minute);
	if (strcmp(incident, "DNONE") == 0)
		return error_set(error, EXIT_BAD_INPUT, "no such incident");
	return buf_add_str(text, "12 copies are being released.");
}

static bool on_release_hold(void *ctx, const char *hold_id, struct buf *text, struct error *error)
{
	(void)ctx;
	(void)text;
	(void)error;
	snprintf(heard, sizeof heard, "release hold %s", hold_id);
	return true;
}

static void on_status(void *ctx, struct control_status *status)
{
	(void)ctx;
	control_status_number(status, "mails", 12);
	control_status_text(status, "gate", "holding");
}

static bool on_force(void *ctx, const char *incident, bool want_open, struct buf *text, struct error *error)
{
	(void)ctx;
	(void)text;
	(void)error;
	snprintf(heard, sizeof heard, "force %s %s", incident, want_open ? "open" : "close");
	return true;
}

static bool on_reload(void *ctx, struct buf *text, struct error *error)
{
	(void)ctx;
	(void)text;
	snprintf(heard, sizeof heard, "reload");
	return error_set(error, EXIT_BAD_INPUT, "quell.yaml:3: bad \x1b");
}

static const struct control_calls calls = { NULL,      on_release_incident, on_release_hold,
					    on_status, on_force,            on_reload };

static void orders_are_understood_and_others_refused(void **state)
{
	static const struct {
		const char *line, *heard, *answer;
	} cases[] = {
		{ "release incident DABC rate 30", "release incident DABC at 30",
		  "{\"ok\":true,\"text\":\"12 copies are being released.\"}\n" },
		{ "  release  incident DABC\r", "release incident DABC at -1", NULL },
		{ "release incident DABC rate 0", "release incident DABC at 0", NULL },
		{ "release hold H12", "release hold H12", "{\"ok\":true,\"text\":\"\"}\n" },
		{ "release incident DNONE", "release incident DNONE at -1",
		  "{\"ok\":false,\"exit\":65,\"error\":\"no such incident\"}\n" },
		{ "force DABC open", "force DABC open", NULL },
		{ "force DABC close", "force DABC close", NULL },
		{ "status", "", "{\"status\":{\"mails\":12,\"gate\":\"holding\"},\"ok\":true,\"text\":\"\"}\n" },
		{ "reload", "reload", "{\"ok\":false,\"exit\":65,\"error\":\"quell.yaml:3: bad \\u001B\"}\n" },
		{ "release incident ../x", "", "{\"ok\":false,\"exit\":65,\"error\":\"no such id\"}\n" },
		{ "release hold '", "", "{\"ok\":false,\"exit\":65,\"error\":\"no such id\"}\n" },
		{ "release incident D rate -1", "",
		  "{\"ok\":false,\"exit\":2,\"error\":\"not a rate; expected rate N, N from 0 to 1000000\"}\n" },
		{ "release incident", "",
		  "{\"ok\":false,\"exit\":2,\"error\":\"not an order; expected release, status, top, force, reload "
		  "or fetch\"}\n" },
		{ "force DABC maybe", "",
		  "{\"ok\":false,\"exit\":2,\"error\":\"expected force INCIDENT open or close\"}\n" },
		{ "", "", NULL },
		{ "status now", "", NULL },
		{ "a b c d e f g h", "", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf answer;
		heard[0] = '\0';
		buf_init(&answer, CONTROL_ANSWER_BYTES);
		control_answer(&calls, slice_from_str(cases[i].line), &answer);
		assert_string_equal(heard, cases[i].heard);
		if (cases[i].answer)
			assert_string_equal(buf_str(&answer), cases[i].answer);
		json_t *o = json_loadb(answer.ptr, answer.len, 0, NULL);
		assert_true(json_is_object(o));
		json_decref(o);
		buf_free(&answer);
	}
}

struct server {
	struct loop *loop;
	struct control *control;
};

static void serve(struct server *s, gid_t group)
{
	struct error error = { .status = EXIT_FINE };
	s->loop = loop_new(&error);
	s->control = control_open(s->loop, fake_settings.control_socket, group, &calls, &error);
	if (!s->control)
		fail_msg("%s", error.text);
}

static void serve_end(struct server *s)
{
	control_close(&s->control);
	control_close(&s->control);
	loop_free(s->loop);
}

static int client(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", fake_settings.control_socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	return fd;
}

/* Turns the loop until something can be read or the peer hung up. */
static ssize_t receive(struct server *s, int fd, char *out, size_t bytes)
{
	for (int i = 0; i < 200; i++) {
		loop_run_once(s->loop, 10);
		ssize_t n = recv(fd, out, bytes - 1, 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		out[n > 0 ? n : 0] = '\0';
		return n;
	}
	fail_msg("no answer");
	return -1;
}

static void a_line_split_at_every_byte_is_one_order(void **state)
{
	(void)state;
	struct server s;
	char out[256];
	static const char line[] = "release hold H1\n";
	serve(&s, (gid_t)-1);
	int fd = client();
	heard[0] = '\0';
	for (size_t i = 0; i + 1 < sizeof line; i++) {
		assert_string_equal(heard, "");
		assert_int_equal(send(fd, line + i, 1, 0), 1);
		loop_run_once(s.loop, 20);
		loop_run_once(s.loop, 0);
	}
	assert_true(receive(&s, fd, out, sizeof out) > 0);
	assert_string_equal(out, "{\"ok\":true,\"text\":\"\"}\n");
	assert_string_equal(heard, "release hold H1");
	close(fd);
	serve_end(&s);
}

static void two_orders_in_one_packet_get_two_answers(void **state)
{
	(void)state;
	struct server s;
	char out[512];
	serve(&s, (gid_t)-1);
	int fd = client();
	assert_int_equal(send(fd, "release hold H1\nforce D1 open\nstat", 34, 0), 34);
	shutdown(fd, SHUT_WR);
	assert_true(receive(&s, fd, out, sizeof out) > 0);
	assert_string_equal(out, "{\"ok\":true,\"text\":\"\"}\n{\"ok\":true,\"text\":\"\"}\n");
	assert_int_equal(receive(&s, fd, out, sizeof out), 0);
	close(fd);
	serve_end(&s);
}

static void a_line_without_end_is_told_off_and_cut(void **state)
{
	(void)state;
	struct server s;
	char junk[CONTROL_LINE_BYTES * 3], out[256];
	memset(junk, 'x', sizeof junk);
	serve(&s, (gid_t)-1);
	int fd = client();
	assert_int_equal(send(fd, junk, sizeof junk, 0), (int)sizeof junk);
	assert_true(receive(&s, fd, out, sizeof out) > 0);
	assert_string_equal(out, "{\"ok\":false,\"exit\":65,\"error\":\"too long a line\"}\n");
	assert_true(receive(&s, fd, out, sizeof out) <= 0);
	close(fd);
	serve_end(&s);
}

static void only_so_many_may_talk_at_a_time(void **state)
{
	(void)state;
	struct server s;
	int fds[CONTROL_CLIENTS_MAX];
	char out[256];
	serve(&s, (gid_t)-1);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = client();
		loop_run_once(s.loop, 20);
	}
	int late = client();
	assert_true(receive(&s, late, out, sizeof out) > 0);
	assert_string_equal(out, "{\"ok\":false,\"exit\":75,\"error\":\"too many talk to the daemon; try again\"}\n");
	close(late);
	close(fds[0]);
	loop_run_once(s.loop, 20);
	late = client();
	assert_true(send(late, "status\n", 7, 0) == 7);
	assert_true(receive(&s, late, out, sizeof out) > 0);
	assert_non_null(strstr(out, "\"ok\":true"));
	close(late);
	for (size_t i = 1; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	serve_end(&s);
}

static void the_socket_is_open_for_its_owner_only_unless_a_group_is_named(void **state)
{
	(void)state;
	struct server s;
	struct stat info;
	serve(&s, (gid_t)-1);
	assert_int_equal(stat(fake_settings.control_socket, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	serve_end(&s);
	assert_int_equal(stat(fake_settings.control_socket, &info), -1);
	serve(&s, getegid());
	assert_int_equal(stat(fake_settings.control_socket, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0660);
	serve_end(&s);
}

static void *run_loop(void *ctx)
{
	struct server *s = ctx;
	loop_run(s->loop);
	return NULL;
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void quell_release_gives_the_order_and_shows_the_answer(void **state)
{
	static const struct {
		const char *words, *heard, *out, *err;
		enum exit_status status;
	} cases[] = {
		{ "release DABC", "release incident DABC at -1", "12 copies are being released.\n", "", EXIT_FINE },
		{ "release DABC --rate 30/min", "release incident DABC at 30", "12 copies are being released.\n", "",
		  EXIT_FINE },
		{ "release H12", "release hold H12", "Being released.\n", "", EXIT_FINE },
		{ "release DNONE", "release incident DNONE at -1", "", "quell release: no such incident\n",
		  EXIT_BAD_INPUT },
		{ "release DABC --json", "release incident DABC at -1",
		  "{\"ok\":true,\"text\":\"12 copies are being released.\",\"quell\":\"9.9.9\"}\n", "", EXIT_FINE },
	};
	(void)state;
	struct server s;
	pthread_t thread;
	serve(&s, (gid_t)-1);
	struct loop_waker *waker = loop_waker_new(s.loop, stop_loop, s.loop);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, &s), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fake_run run = fake_run(0, false, cases[i].words);
		assert_string_equal(run.err, cases[i].err);
		assert_string_equal(run.out, cases[i].out);
		assert_string_equal(heard, cases[i].heard);
		assert_int_equal(run.status, cases[i].status);
		fake_run_free(&run);
	}
	loop_waker_ring(waker);
	pthread_join(thread, NULL);
	loop_waker_free(&waker);
	serve_end(&s);
}

static void without_a_daemon_release_says_what_to_look_at(void **state)
{
	(void)state;
	struct fake_run run = fake_run(0, false, "release DABC");
	assert_int_equal(run.status, EXIT_UNAVAILABLE);
	assert_non_null(strstr(run.err, "systemctl status quelld"));
	assert_non_null(strstr(run.err, fake_settings.control_socket));
	assert_string_equal(run.out, "");
	fake_run_free(&run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	const struct CMUnitTest tests[] = {
		TEST(orders_are_understood_and_others_refused),
		TEST(a_line_split_at_every_byte_is_one_order),
		TEST(two_orders_in_one_packet_get_two_answers),
		TEST(a_line_without_end_is_told_off_and_cut),
		TEST(only_so_many_may_talk_at_a_time),
		TEST(the_socket_is_open_for_its_owner_only_unless_a_group_is_named),
		TEST(quell_release_gives_the_order_and_shows_the_answer),
		TEST(without_a_daemon_release_says_what_to_look_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
