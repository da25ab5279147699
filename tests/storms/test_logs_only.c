/* SPDX-License-Identifier: Apache-2.0
 *
 * Storms of which only a log tells: the same incidents by the same names as inline, and
 * nothing done about them.
 */
#include "../unit/unit.h"

#include "storm/storm.h"

#include <stdio.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static uint64_t acted;
static struct incident newest;
static unsigned told, rate_alarms;

static void on_incident(void *ctx, const struct incident *incident, bool is_change)
{
	(void)ctx;
	newest = *incident;
	told += is_change;
}

static void on_release(void *ctx, const uint8_t pair[12], const char *why)
{
	(void)ctx;
	(void)pair;
	(void)why;
	acted++;
}

static void on_drip(void *ctx, const char *incident_id, unsigned per_minute)
{
	(void)ctx;
	(void)incident_id;
	(void)per_minute;
	acted++;
}

static void on_rate(void *ctx, const struct rate_alarm *alarm)
{
	(void)ctx;
	rate_alarms += !alarm->is_over;
}

static struct storm *watcher(void)
{
	struct error error = { .text = "" };
	struct storm_setup setup = { .is_guard = true, .has_confirmation = true,
				     .effects = { NULL, NULL, on_incident, on_release, on_drip, on_rate } };
	assert_true(hash_start());
	storm_policy_default(&setup.policy);
	setup.policy.memory_bytes = 16 * 1024 * 1024;
	memset(setup.site_key, 5, sizeof setup.site_key);
	acted = told = rate_alarms = 0;
	newest = (struct incident){ .cls = STORM_NONE };
	struct storm *storm = storm_new(&setup, &error);
	assert_non_null(storm);
	return storm;
}

struct line {
	const char *id, *from, *subject, *in_reply_to, *client;
	unsigned size, rcpt_total;
	const char *rcpts[4];
};

static void observe(struct storm *storm, const struct line *l, int64_t now_ms)
{
	struct slice rcpts[4];
	struct facts f = { .message_id = slice_from_str(l->id), .subject = slice_from_str(l->subject),
			   .in_reply_to = slice_from_str(l->in_reply_to), .time_ms = now_ms };
	f.thread_root = f.in_reply_to.len ? f.in_reply_to : f.message_id;
	f.envelope.mail_from = slice_from_str(l->from);
	f.envelope.client_name = slice_from_str(l->client);
	ip_parse(SLICE("192.0.2.9"), &f.envelope.client_ip);
	if (!l->from[0])
		f.auto_marks = AUTO_NULL_SENDER;
	for (size_t i = 0; i < 4 && l->rcpts[i]; i++)
		rcpts[f.envelope.rcpt_count++] = slice_from_str(l->rcpts[i]);
	f.envelope.rcpts = rcpts;
	const struct observed seen = { .source = SLICE("mx1"), .size_bytes = l->size, .rcpt_total = l->rcpt_total };
	storm_observe(storm, &f, &seen, now_ms);
	storm_tick(storm, now_ms);
}

static void the_same_message_id_again_and_again_is_a_flood_with_its_server_named(void **state)
{
	(void)state;
	struct storm *storm = watcher();
	for (unsigned i = 0; i < 30; i++) {
		char rcpt[32];
		snprintf(rcpt, sizeof rcpt, "anna%u@ours.example", i % 3);
		observe(storm, &(struct line){ .id = "1@author.example", .from = "author@author.example", .subject = "",
					       .client = "mail.faulty.example", .size = 5000 + i, .rcpts = { rcpt } },
			1000000000000 + i * MINUTE);
	}
	assert_int_equal(newest.cls, STORM_DUPLICATE);
	assert_int_equal(newest.state, BREAKER_OPEN);
	assert_in_range(newest.surplus, 14, 27);
	assert_string_equal(newest.message_ids[0], "1@author.example");
	assert_true(newest.party_count >= 1);
	assert_string_equal(newest.parties[0].host, "mail.faulty.example");
	assert_int_equal(acted, 0);
	storm_free(storm);
}

static void another_mail_with_the_same_id_or_two_servers_on_the_way_are_no_flood(void **state)
{
	(void)state;
	struct storm *storm = watcher();
	for (unsigned i = 0; i < 40; i++) /* a device with one id for all */
		observe(storm, &(struct line){ .id = "0@device", .from = "device@plant.example", .subject = "",
					       .client = "plant.example", .size = 1000 + 100 * i,
							.rcpts = { "a@ours.example" } },
			1000000000000 + i * MINUTE);
	assert_int_equal(newest.cls, STORM_NONE);
	storm_free(storm);
}

static void bounces_that_flood_one_address_have_the_name_they_have_inline(void **state)
{
	(void)state;
	struct storm *storm = watcher();
	uint8_t digest[DIGEST_BYTES];
	char id[INCIDENT_ID_BYTES], mail[32];
	for (unsigned i = 0; i < 200; i++) {
		snprintf(mail, sizeof mail, "b%u@far.example", i);
		observe(storm, &(struct line){ .id = mail, .from = "", .subject = "", .client = "mx.far.example",
				.size = 3000,
					       .rcpts = { "victim@OURS.example" } }, 1000000000000 + i * 5000);
	}
	incident_topic(STORM_BOUNCE, SLICE("victim@ours.example"), SLICE(""), digest);
	incident_id(STORM_BOUNCE, digest, id);
	assert_string_equal(newest.id, id);
	assert_int_equal(newest.state, BREAKER_OPEN);
	assert_int_equal(acted, 0);
	storm_free(storm);
}

static void replies_to_all_are_counted_by_their_recipients(void **state)
{
	(void)state;
	struct storm *storm = watcher();
	uint8_t digest[DIGEST_BYTES];
	char id[INCIDENT_ID_BYTES], mail[32], from[32];
	observe(storm, &(struct line){ .id = "root@nhs.example", .from = "user@nhs.example", .subject = "test",
			.client = "x",
				       .size = 900, .rcpt_total = 2500, .rcpts = { "a@nhs.example", "b@nhs.example" } },
		1000000000000);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(mail, sizeof mail, "r%u@nhs.example", i);
		snprintf(from, sizeof from, "p%u@nhs.example", i);
		observe(storm, &(struct line){ .id = mail, .from = from, .subject = "Re: test",
				.in_reply_to = "root@nhs.example",
					       .client = "x", .size = 900, .rcpt_total = 2500,
					       .rcpts = { "a@nhs.example", "b@nhs.example" } },
			1000000000000 + (i + 1) * MINUTE);
	}
	incident_topic(STORM_REPLY_ALL, SLICE("root@nhs.example"), SLICE(""), digest);
	incident_id(STORM_REPLY_ALL, digest, id);
	assert_string_equal(newest.id, id);
	assert_int_equal(newest.state, BREAKER_OPEN);
	storm_free(storm);
}

static void two_addresses_that_answer_each_other_within_seconds_are_seen(void **state)
{
	(void)state;
	struct storm *storm = watcher();
	char mail[32];
	for (unsigned i = 0; i < 40; i++) {
		bool is_a = i & 1;
		snprintf(mail, sizeof mail, "m%u@x", i);
		observe(storm, &(struct line){ .id = mail, .from = is_a ? "desk@firm.example" : "help@ours.example",
				.subject = "",
					       .client = "x", .size = is_a ? 2010 + i % 7 : 4400 + i % 9,
					       .rcpts = { is_a ? "help@ours.example" : "desk@firm.example" } },
			1000000000000 + i * 4000);
	}
	assert_int_equal(newest.cls, STORM_PING_PONG);
	assert_int_equal(newest.state, BREAKER_OPEN);
	assert_int_equal(acted, 0);
	storm_free(storm);
}

static void ordinary_traffic_of_a_day_says_nothing(void **state)
{
	(void)state;
	struct storm *storm = watcher();
	unsigned seed = 7;
	for (unsigned i = 0; i < 20000; i++) {
		char mail[32], from[32], to[32];
		seed = seed * 1103515245u + 12345u;
		snprintf(mail, sizeof mail, "m%u@x", i);
		snprintf(from, sizeof from, "u%u@two.example", (seed >> 16) % 300);
		snprintf(to, sizeof to, "v%u@ours.example", (seed >> 8) % 200);
		observe(storm, &(struct line){ .id = mail, .from = i % 20 ? from : "", .subject = "",
				.client = "mx.two.example",
					       .size = 900 + (seed >> 12) % 40000, .rcpts = { to } },
			1000000000000 + (int64_t)i * 4000);
	}
	assert_int_equal(newest.cls, STORM_NONE);
	assert_int_equal(rate_alarms, 0);
	storm_free(storm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_message_id_again_and_again_is_a_flood_with_its_server_named),
		cmocka_unit_test(another_mail_with_the_same_id_or_two_servers_on_the_way_are_no_flood),
		cmocka_unit_test(bounces_that_flood_one_address_have_the_name_they_have_inline),
		cmocka_unit_test(replies_to_all_are_counted_by_their_recipients),
		cmocka_unit_test(two_addresses_that_answer_each_other_within_seconds_are_seen),
		cmocka_unit_test(ordinary_traffic_of_a_day_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
