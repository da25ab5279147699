/* SPDX-License-Identifier: Apache-2.0
 *
 * Release against a fake relay on a unix socket: the relay is a script of
 * answers to DATA's end; what it was given is kept.
 */
#include "../unit.h"
#include "relay.h"

#include "act/release.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct release *release;
	struct relay relay;
	struct error error;
};

static void on_held(void *ctx, enum store_result result, const char *hold_id)
{
	assert_int_equal(result, STORE_DONE);
	snprintf(ctx, HOLD_ID_BYTES, "%s", hold_id);
}

/* Holds one mail and waits until it is on disk. */
static void hold_one(struct fixture *f, const char *rcpt, const char *subject, uint8_t tag, char id_out[HOLD_ID_BYTES])
{
	struct spool spool;
	struct hold_rcpt to = { .address = slice_from_str(rcpt), .deed = DEED_HOLD };
	memset(to.pair, tag, sizeof to.pair);
	struct hold_mail mail = {
		.time_ms = clock_now_ms(),
		.incident = "DTEST",
		.mail_from = SLICE("author@example.org"),
		.rcpts = &to,
		.rcpt_count = 1,
		.rule = "pair",
		.reason = "a test",
	};
	spool_init(&spool, store_dir_fd(f->store), 4096, 1 << 20);
	spool_header(&spool, SLICE("Subject"), slice_from_str(subject));
	spool_body(&spool, SLICE("one\r\n.dot\r\n"));
	id_out[0] = '\0';
	store_hold(f->store, &mail, &spool, on_held, id_out);
	for (int i = 0; i < 500 && !id_out[0]; i++) {
		usleep(10000);
		store_poll(f->store);
	}
	assert_true(id_out[0]);
	spool_free(&spool);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct net_addr addr;
	struct store_limits limits;
	char path[128];
	*state = f;
	strcpy(f->dir, "/tmp/quell-release-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->loop = loop_new(&f->error);
	assert_non_null(f->loop);
	store_limits_default(&limits);
	limits.free_bytes_min = 0;
	f->store = store_open(f->dir, &limits, &f->error);
	assert_non_null(f->store);
	snprintf(path, sizeof path, "unix:%s/relay.sock", f->dir);
	assert_true(net_addr_parse(slice_from_str(path), &addr, &f->error));
	f->relay.loop = f->loop;
	buf_init(&f->relay.in, 1 << 20);
	f->relay.listen = listen_open(f->loop, &addr, NULL, relay_on_peer, &f->relay, &f->error);
	assert_non_null(f->relay.listen);
	const struct release_setup release = {
		.store = f->store,
		.loop = f->loop,
		.relay = addr,
		.kind = SMTP_SMTP,
		.host_name = "guard.example",
		.timeout_ms = 2000,
		.per_minute = 0,
	};
	f->release = release_new(&release, &f->error);
	assert_non_null(f->release);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	release_free(&f->release);
	stream_close(&f->relay.stream);
	listen_close(&f->relay.listen);
	buf_free(&f->relay.in);
	for (size_t i = 0; i < f->relay.mail_count; i++)
		free(f->relay.mails[i]);
	store_close(f->store);
	loop_free(f->loop);
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void run_until(struct fixture *f, size_t mails, uint64_t settled, int64_t at_most_ms)
{
	struct release_status status;
	int64_t end_ms = clock_mono_us() / 1000 + at_most_ms;
	do {
		loop_run_once(f->loop, 20);
		store_poll(f->store);
		release_status(f->release, &status);
		if (f->relay.mail_count >= mails && status.sent + status.refused >= settled)
			return;
	} while (clock_mono_us() / 1000 < end_ms);
}

static void a_released_mail_arrives_whole_with_its_token_and_our_trace(void **state)
{
	struct fixture *f = *state;
	char id[HOLD_ID_BYTES];
	hold_one(f, "anna@example.net", " Hello", 1, id);
	assert_true(release_hold(f->release, id, &f->error));
	run_until(f, 1, 1, 5000);
	assert_int_equal(f->relay.mail_count, 1);
	const char *mail = f->relay.mails[0];
	assert_ptr_equal(strstr(mail, "X-Quell-Release: "), mail);
	assert_non_null(strstr(mail, "Received: by guard.example (Quell hold) id "));
	assert_non_null(strstr(mail, "Subject: Hello\n\none\n..dot\n"));
	/* Once the relay has it, the token is worth nothing. */
	assert_false(release_expects(f->release, slice_make(mail + 17, 32)));
}

static void an_incident_is_released_row_by_row_at_the_pace_asked_for(void **state)
{
	struct fixture *f = *state;
	char id[HOLD_ID_BYTES];
	for (uint8_t i = 0; i < 4; i++)
		hold_one(f, "anna@example.net", " x", i, id);
	assert_true(release_incident(f->release, "DTEST", 120, &f->error)); /* one in 500 ms */
	run_until(f, 4, 4, 8000);
	assert_int_equal(f->relay.mail_count, 4);
	for (size_t i = 1; i < 4; i++)
		assert_true(f->relay.mail_ms[i] - f->relay.mail_ms[i - 1] >= 400);
	run_until(f, 5, 5, 700);
	assert_int_equal(f->relay.mail_count, 4);
}

static void a_row_the_relay_puts_off_or_drops_is_tried_again_until_it_is_taken(void **state)
{
	struct fixture *f = *state;
	char id[HOLD_ID_BYTES];
	f->relay.answers[0] = "451 4.3.0 later";
	f->relay.answers[1] = "drop";
	f->relay.answer_count = 2;
	hold_one(f, "anna@example.net", " x", 1, id);
	assert_true(release_hold(f->release, id, &f->error));
	run_until(f, 3, 1, 15000);
	assert_int_equal(f->relay.mail_count, 3);
	struct release_status status;
	release_status(f->release, &status);
	assert_int_equal(status.sent, 1);
	assert_int_equal(status.put_off, 2);
}

static void a_row_the_relay_refuses_is_kept_and_does_not_stop_the_others(void **state)
{
	struct fixture *f = *state;
	char refused[HOLD_ID_BYTES], other[HOLD_ID_BYTES];
	struct hold_row row;
	hold_one(f, "nobody@example.net", " x", 1, refused);
	hold_one(f, "anna@example.net", " x", 2, other);
	assert_true(release_incident(f->release, "DTEST", 0, &f->error));
	run_until(f, 1, 2, 5000);
	assert_int_equal(f->relay.mail_count, 1);
	const struct hold_query by_incident = { .incident = "DTEST" }, by_id = { .hold_id = refused };
	assert_int_equal(store_hold_next(f->store, &by_incident, &row, 1), 0);
	assert_int_equal(store_hold_next(f->store, &by_id, &row, 1), 1);
	assert_int_equal(row.state, HOLD_REFUSED);
}

static void for_a_pair_only_the_newest_copy_is_released_and_once(void **state)
{
	struct fixture *f = *state;
	char id[HOLD_ID_BYTES];
	uint8_t pair[12];
	memset(pair, 7, sizeof pair);
	hold_one(f, "anna@example.net", " old", 7, id);
	usleep(5000);
	hold_one(f, "anna@example.net", " new", 7, id);
	release_pair(f->release, pair, "bounced");
	run_until(f, 2, 2, 1500);
	assert_int_equal(f->relay.mail_count, 1);
	assert_non_null(strstr(f->relay.mails[0], "Subject: new"));
}

static void a_job_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	char id[HOLD_ID_BYTES];
	hold_one(f, "anna@example.net", " x", 1, id);
	assert_true(release_hold(f->release, id, &f->error));
	const struct release_setup again = {
		.store = f->store, .loop = f->loop, .relay = *listen_addr(f->relay.listen),
		.kind = SMTP_SMTP, .host_name = "guard.example", .timeout_ms = 2000,
	};
	release_free(&f->release);
	f->release = release_new(&again, &f->error);
	run_until(f, 1, 1, 5000);
	assert_int_equal(f->relay.mail_count, 1);
}

int main(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	hash_start();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_released_mail_arrives_whole_with_its_token_and_our_trace),
		TEST(an_incident_is_released_row_by_row_at_the_pace_asked_for),
		TEST(a_row_the_relay_puts_off_or_drops_is_tried_again_until_it_is_taken),
		TEST(a_row_the_relay_refuses_is_kept_and_does_not_stop_the_others),
		TEST(for_a_pair_only_the_newest_copy_is_released_and_once),
		TEST(a_job_survives_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
