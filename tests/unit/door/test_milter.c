/* SPDX-License-Identifier: Apache-2.0
 *
 * The milter door against a fake MTA on a unix socket, byte for byte.
 */
#include "../unit.h"

#include "base/log.h"
#include "door/milter.h"
#include "net/dial.h"
#include "store/hold.h"
#include "wire/milter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct flow *flow;
	struct milter_door *door;
	struct net_addr addr;
	int fd;               /* of the fake MTA */
	struct buf out, in;   /* to and from the door */
	uint32_t steps;       /* that the fake MTA offers */
	struct error error;
};

static void spin(struct fixture *f, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		loop_run_once(f->loop, 1);
		store_poll(f->store);
	}
}

static void mta_connect(struct fixture *f)
{
	f->fd = dial_now(&f->addr, 1000, &f->error);
	assert_true(f->fd >= 0);
	spin(f, 2);
}

/* Sends what is in out, step bytes at a time. */
static void mta_send(struct fixture *f, size_t step)
{
	for (size_t at = 0; at < f->out.len; at += step) {
		size_t n = f->out.len - at < step ? f->out.len - at : step;
		/* A door that closed the session is a result, not a fault of the test. */
		if (write(f->fd, f->out.ptr + at, n) < 0)
			assert_true(errno == EPIPE || errno == ECONNRESET);
		spin(f, 1);
	}
	buf_reset(&f->out);
	spin(f, 20);
}

/* The commands of all replies that have come, in order; "-" when the door closed. */
static void mta_replies(struct fixture *f, char *letters, size_t max)
{
	char bytes[4096];
	size_t n = 0;
	ssize_t got;
	buf_reset(&f->in);
	while ((got = recv(f->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		buf_add(&f->in, slice_make(bytes, (size_t)got));
	struct slice rest = buf_slice(&f->in);
	struct milter_packet packet;
	enum milter_trouble trouble;
	while (n + 2 < max && milter_take(&rest, MILTER_PACKET_BYTES_MAX, &packet, &trouble) == MILTER_GOT)
		letters[n++] = packet.cmd;
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		letters[n++] = '-';
	letters[n] = '\0';
}

static void expect(struct fixture *f, const char *wanted)
{
	char letters[64];
	mta_replies(f, letters, sizeof letters);
	assert_string_equal(letters, wanted);
}

static void say_offer(struct fixture *f)
{
	const struct milter_offer offer = { 6, MILTER_MAY_ALL, f->steps };
	milter_send_offer(&f->out, &offer);
}

static void say_connect(struct fixture *f)
{
	const struct milter_connect connect = { SLICE("client.example"), '4', 4000, SLICE("192.0.2.9") };
	milter_send_connect(&f->out, &connect);
	milter_send_text(&f->out, MILTER_HELO, SLICE("client.example"));
}

static void say_mail(struct fixture *f, const char *queue_id, bool has_data)
{
	const struct milter_pair id = { SLICE("i"), slice_from_str(queue_id) };
	milter_send_envelope(&f->out, MILTER_MAIL, SLICE("<author@example.org>"), NULL, 0);
	milter_send_envelope(&f->out, MILTER_RCPT, SLICE("<anna@example.net>"), NULL, 0);
	if (has_data)
		milter_send(&f->out, MILTER_DATA, SLICE(""));
	milter_send_header(&f->out, SLICE("From"), SLICE(" author@example.org"));
	milter_send_header(&f->out, SLICE("Date"), SLICE(" Tue, 6 Dec 2005 11:59:00 +0000"));
	milter_send_header(&f->out, SLICE("Message-ID"), SLICE(" <1@example.org>"));
	milter_send_header(&f->out, SLICE("Subject"), SLICE(" Storm"));
	milter_send(&f->out, MILTER_EOH, SLICE(""));
	milter_send(&f->out, MILTER_BODY, SLICE("A text of more than sixteen bytes.\r\n"));
	milter_send_macros(&f->out, MILTER_EOM, &id, 1);
	milter_send(&f->out, MILTER_EOM, SLICE(""));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct store_limits limits;
	char listen[128];
	*state = f;
	f->fd = -1;
	f->steps = MILTER_STEPS_ALL;
	buf_init(&f->out, 1 << 22);
	buf_init(&f->in, 1 << 22);
	strcpy(f->dir, "/tmp/quell-door-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_limits_default(&limits);
	limits.free_bytes_min = 0;
	f->store = store_open(f->dir, &limits, &f->error);
	assert_non_null(f->store);
	struct flow_setup flow = {
		.store = f->store, .is_guard = true, .has_confirmation = true, .want_stamp = true,
		.want_tag = true, .gate = { 5000, 60000 }, .body_bytes_max = 1 << 20,
	};
	storm_policy_default(&flow.policy);
	flow.policy.memory_bytes = 32 << 20;
	f->flow = flow_new(&flow, &f->error);
	assert_non_null(f->flow);
	f->loop = loop_new(&f->error);
	snprintf(listen, sizeof listen, "unix:%s/milter.sock", f->dir);
	assert_true(net_addr_parse(slice_from_str(listen), &f->addr, &f->error));
	const struct milter_door_setup door = {
		.listen = listen, .socket = LISTEN_SETUP_DEFAULT, .idle_ms = 60000, .sessions_max = 3,
	};
	f->door = milter_door_open(f->loop, f->flow, &door, &f->error);
	assert_non_null(f->door);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	if (f->fd >= 0)
		close(f->fd);
	milter_door_close(&f->door);
	store_close(f->store);
	flow_free(f->flow);
	loop_free(f->loop);
	buf_free(&f->out);
	buf_free(&f->in);
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void a_mail_costs_one_reply_and_the_negotiation_one(void **state)
{
	struct fixture *f = *state;
	mta_connect(f);
	say_offer(f);
	mta_send(f, 4096);
	expect(f, "O");
	say_connect(f);
	say_mail(f, "A1", false);
	mta_send(f, 65536);
	expect(f, "ia");
	say_mail(f, "A2", false);
	mta_send(f, 65536);
	expect(f, "ia");
	milter_send(&f->out, MILTER_QUIT, SLICE(""));
	mta_send(f, 16);
	expect(f, "-");
	assert_int_equal(milter_door_sessions(f->door), 0);
}

static void the_same_bytes_one_by_one_give_the_same_replies(void **state)
{
	struct fixture *f = *state;
	mta_connect(f);
	say_offer(f);
	say_connect(f);
	say_mail(f, "A1", false);
	mta_send(f, 1);
	expect(f, "Oia");
}

static void an_mta_that_waits_for_every_step_gets_a_reply_to_every_step(void **state)
{
	struct fixture *f = *state;
	f->steps = 0; /* version 6 without any no-reply step */
	mta_connect(f);
	say_offer(f);
	say_connect(f);
	say_mail(f, "A1", true);
	mta_send(f, 65536);
	/* connect helo mail rcpt data 4 headers eoh body; then the stamp and the end */
	expect(f, "Occccccccccc" "ia");
}

static void surplus_ends_in_discard_and_the_session_goes_on(void **state)
{
	struct fixture *f = *state;
	char id[8], letters[16];
	mta_connect(f);
	say_offer(f);
	say_connect(f);
	mta_send(f, 65536);
	expect(f, "O");
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof id, "S%d", i);
		say_mail(f, id, false);
		mta_send(f, 65536);
		for (int wait = 0; wait < 100; wait++) {
			mta_replies(f, letters, sizeof letters);
			if (letters[0])
				break;
			usleep(2000);
			spin(f, 1);
		}
		if (strcmp(letters, "d") == 0)
			return;
		assert_int_equal(letters[strlen(letters) - 1], 'a');
		flow_queued(f->flow, slice_from_str(id), loop_now_ms(f->loop));
	}
	fail_msg("eight confirmed copies passed");
}

static bool on_incident(void *ctx, const struct incident *incident)
{
	snprintf(ctx, INCIDENT_TEXT_BYTES, "%s", incident->party_count ? incident->parties[0].host : "");
	return false;
}

static void a_client_without_a_name_goes_by_its_address(void **state)
{
	static const char *const nameless[] = { "unknown", "[192.0.2.9]" };
	struct fixture *f = *state;
	char host[INCIDENT_TEXT_BYTES] = "", id[8], letters[16];
	struct error error = { .text = "" };
	mta_connect(f);
	say_offer(f);
	for (int i = 0; i < 6; i++) {
		const struct milter_connect connect = { slice_from_str(nameless[i % 2]), '4', 4000,
							SLICE("192.0.2.9") };
		milter_send_connect(&f->out, &connect);
		snprintf(id, sizeof id, "N%d", i);
		say_mail(f, id, false);
		mta_send(f, 65536);
		usleep(20000);
		spin(f, 20);
		mta_replies(f, letters, sizeof letters);
		flow_queued(f->flow, slice_from_str(id), loop_now_ms(f->loop));
	}
	flow_stop(f->flow, loop_now_ms(f->loop));
	for (int i = 0; i < 200 && !host[0]; i++) {
		usleep(10000);
		struct store_reader *reader = store_reader_open(f->dir, &error);
		assert_non_null(reader);
		store_read_incidents(reader, 1, on_incident, host, &error);
		store_reader_close(reader);
	}
	assert_string_equal(host, "192.0.2.9");
}

static void a_mail_that_is_aborted_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	mta_connect(f);
	say_offer(f);
	say_connect(f);
	milter_send_envelope(&f->out, MILTER_MAIL, SLICE("<a@example.org>"), NULL, 0);
	milter_send_envelope(&f->out, MILTER_RCPT, SLICE("<b@example.net>"), NULL, 0);
	milter_send(&f->out, MILTER_ABORT, SLICE(""));
	say_mail(f, "A1", false);
	mta_send(f, 65536);
	expect(f, "Oia");
}

static void what_breaks_the_protocol_closes_the_session_only(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
	} cases[] = {
		{ "no negotiation", "\0\0\0\1M", 5 },
		{ "length zero", "\0\0\0\0", 4 },
		{ "length of 4 GiB", "\xff\xff\xff\xffO", 5 },
		{ "unknown command", "\0\0\0\1z", 5 },
		{ "offer too short", "\0\0\0\2O\6", 6 },
		{ "http", "GET / HTTP/1.1\r\n\r\n", 18 },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		mta_connect(f);
		buf_add(&f->out, slice_make(cases[i].bytes, cases[i].len));
		mta_send(f, 64);
		expect(f, "-");
		close(f->fd);
	}
	mta_connect(f);
	say_offer(f);
	/* A recipient outside a mail, and the end of no mail. */
	milter_send_envelope(&f->out, MILTER_RCPT, SLICE("<b@example.net>"), NULL, 0);
	mta_send(f, 64);
	expect(f, "O-");
	close(f->fd);
	mta_connect(f);
	say_offer(f);
	say_connect(f);
	say_mail(f, "A1", false);
	mta_send(f, 65536);
	expect(f, "Oia");
}

static void a_session_too_many_is_closed_and_the_others_live(void **state)
{
	struct fixture *f = *state;
	int first[3];
	for (int i = 0; i < 3; i++) {
		mta_connect(f);
		first[i] = f->fd;
	}
	mta_connect(f);
	spin(f, 5);
	expect(f, "-");
	close(f->fd);
	f->fd = first[0];
	say_offer(f);
	mta_send(f, 64);
	expect(f, "O");
	close(first[1]);
	close(first[2]);
}

int main(void)
{
	log_setup((enum log_level)0, false);
	hash_start();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_mail_costs_one_reply_and_the_negotiation_one),
		TEST(the_same_bytes_one_by_one_give_the_same_replies),
		TEST(an_mta_that_waits_for_every_step_gets_a_reply_to_every_step),
		TEST(surplus_ends_in_discard_and_the_session_goes_on),
		TEST(a_client_without_a_name_goes_by_its_address),
		TEST(a_mail_that_is_aborted_leaves_nothing_behind),
		TEST(what_breaks_the_protocol_closes_the_session_only),
		TEST(a_session_too_many_is_closed_and_the_others_live),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
