/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/clock.h"
#include "base/mem.h"
#include "storm/breaker.h"
#include "storm/policy.h"
#include "storm/record.h"
#include "storm/stamp.h"

static const uint8_t key[HASH_KEY_BYTES] = { 4 }, other_key[HASH_KEY_BYTES] = { 5 };

static void write_stamp(struct buf *out)
{
	struct stamp stamp = { .nonce = UINT64_C(0x00c0ffee12345678), .time_s = 1133860800,
			       .content = { 1, 2, 3, 4, 5, 0xff } };
	assert_true(hash_start());
	buf_init(out, 1024);
	assert_true(stamp_write(key, &stamp, out));
}

static void a_stamp_reads_back_as_written_and_folded(void **state)
{
	(void)state;
	struct buf text, folded;
	struct stamp got;
	write_stamp(&text);
	assert_true(stamp_read(key, buf_slice(&text), &got));
	assert_true(got.nonce == UINT64_C(0x00c0ffee12345678) && got.time_s == 1133860800);
	assert_int_equal(got.content[5], 0xff);
	buf_init(&folded, 2048);
	for (size_t i = 0; i < text.len; i++) {
		buf_add_byte(&folded, text.ptr[i]);
		if (text.ptr[i] == ';')
			buf_add_str(&folded, "\r\n\t");
	}
	assert_true(stamp_read(key, buf_slice(&folded), &got));
	buf_free(&text);
	buf_free(&folded);
}

static void a_stamp_that_was_changed_anywhere_is_none(void **state)
{
	(void)state;
	struct buf text;
	struct stamp got;
	write_stamp(&text);
	for (size_t i = 0; i < text.len; i++) {
		char old = text.ptr[i];
		if (old == ' ' || old == ';')
			continue;
		for (unsigned bit = 0; bit < 5; bit++) {
			text.ptr[i] = (char)(old ^ (1 << bit));
			assert_false(stamp_read(key, buf_slice(&text), &got));
		}
		text.ptr[i] = old;
	}
	for (size_t len = 0; len < text.len; len++)
		assert_false(stamp_read(key, slice_first(buf_slice(&text), len), &got));
	assert_false(stamp_read(other_key, buf_slice(&text), &got));
	buf_add_str(&text, "; x=1");
	assert_false(stamp_read(key, buf_slice(&text), &got));
	buf_free(&text);
}

static struct storm_policy policy(void)
{
	struct storm_policy p;
	storm_policy_default(&p);
	return p;
}

enum { NOW = 1133860800, HOUR_S = 3600 };

static void a_fuse_measures_the_median_gap_and_not_the_wave(void **state)
{
	(void)state;
	struct fuse f = { .state = BREAKER_CLOSED };
	assert_true(fuse_note_surplus(&f, NOW));
	assert_int_equal(f.state, BREAKER_SUSPECT);
	assert_int_equal(fuse_period_s(&f), 0);
	for (unsigned wave = 1; wave <= 5; wave++)
		for (unsigned i = 0; i < 26; i++)
			assert_false(fuse_note_surplus(&f, NOW + wave * 900 + i));
	assert_in_range(fuse_period_s(&f), 870, 900);
	fuse_note_surplus(&f, NOW + 100000); /* one long pause does not change it */
	assert_in_range(fuse_period_s(&f), 870, 900);
	fuse_note_surplus(&f, NOW); /* nor does a clock that steps back */
	assert_int_equal(f.last_s, NOW + 100000);
}

static void a_fuse_recovers_by_time_alone(void **state)
{
	(void)state;
	struct storm_policy p = policy();
	struct fuse f = { .state = BREAKER_CLOSED };
	fuse_note_surplus(&f, NOW);
	fuse_note_surplus(&f, NOW + 900);
	fuse_set(&f, BREAKER_OPEN, NOW + 900);
	assert_false(fuse_settle(&f, &p, NOW + 900 + 6 * HOUR_S - 1));
	assert_true(fuse_settle(&f, &p, NOW + 900 + 6 * HOUR_S));
	assert_int_equal(f.state, BREAKER_HALF_OPEN);
	assert_false(fuse_settle(&f, &p, NOW + 900 + 6 * HOUR_S + 3 * 900 - 1));
	assert_true(fuse_settle(&f, &p, NOW + 900 + 6 * HOUR_S + 3 * 900));
	assert_int_equal(f.state, BREAKER_CLOSED);
	assert_false(fuse_settle(&f, &p, NOW + 100 * HOUR_S));
}

static void a_slow_storm_needs_longer_to_be_over(void **state)
{
	(void)state;
	struct storm_policy p = policy();
	struct fuse f = { .state = BREAKER_CLOSED };
	for (unsigned i = 0; i < 6; i++)
		fuse_note_surplus(&f, NOW + i * 3 * HOUR_S);
	fuse_set(&f, BREAKER_OPEN, NOW + 15 * HOUR_S);
	assert_false(fuse_settle(&f, &p, NOW + 26 * HOUR_S));
	assert_true(fuse_settle(&f, &p, NOW + 27 * HOUR_S));
	assert_int_equal(f.state, BREAKER_HALF_OPEN);
	assert_true(fuse_settle(&f, &p, NOW + 200 * HOUR_S)); /* and after a leap it is closed */
	assert_int_equal(f.state, BREAKER_CLOSED);
}

static void half_open_lets_one_copy_a_period_pass(void **state)
{
	(void)state;
	struct fuse f = { .gaps_s = { 900, 900, 900 } };
	assert_false(fuse_take_probe(&f, NOW));
	fuse_set(&f, BREAKER_HALF_OPEN, NOW);
	assert_true(fuse_take_probe(&f, NOW));
	assert_false(fuse_take_probe(&f, NOW + 899));
	assert_true(fuse_take_probe(&f, NOW + 900));
}

static void suspicion_ends_after_a_day(void **state)
{
	(void)state;
	struct storm_policy p = policy();
	struct fuse f = { .state = BREAKER_CLOSED };
	fuse_note_surplus(&f, NOW);
	assert_false(fuse_settle(&f, &p, NOW + 23 * HOUR_S));
	assert_true(fuse_settle(&f, &p, NOW + 24 * HOUR_S));
	assert_int_equal(f.state, BREAKER_CLOSED);
}

static void incident_ids_are_stable_and_name_their_class(void **state)
{
	(void)state;
	uint8_t content[DIGEST_BYTES] = { 0 };
	char id[INCIDENT_ID_BYTES], again[INCIDENT_ID_BYTES];
	incident_id(STORM_DUPLICATE, content, id);
	assert_string_equal(id, "D000000000000");
	memset(content, 0xff, sizeof content);
	incident_id(STORM_LOOP, content, id);
	assert_string_equal(id, "Lzzzzzzzzzzzz");
	content[0] = 0x7f;
	incident_id(STORM_RATE, content, again);
	assert_string_equal(again, "Rfzzzzzzzzzzz");
	content[31] = 0; /* beyond the sixty bits */
	incident_id(STORM_LOOP, content, again);
	assert_int_equal(strlen(again), 13);
}

static void fill_text(char *text, size_t size, const char *what)
{
	snprintf(text, size, "%s", what);
}

static struct incident *hostile_incident(void)
{
	struct incident *inc = mem_must_alloc(sizeof *inc);
	memset(inc->content_public, 0x5a, sizeof inc->content_public);
	inc->cls = STORM_DUPLICATE;
	inc->state = BREAKER_OPEN;
	incident_id(inc->cls, inc->content_public, inc->id);
	fill_text(inc->from, sizeof inc->from, "a\x1b[31m@b\r\nX: y");
	fill_text(inc->subject, sizeof inc->subject, "\x1b]0;title\a subject \xff\xfe with a very long word "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	fill_text(inc->opener, sizeof inc->opener, "copy 4 for anna@ours.example: 3 copies (limit 3)");
	inc->copies = 120;
	inc->recipients = 1;
	inc->message_id_count = 1;
	fill_text(inc->message_ids[0], INCIDENT_TEXT_BYTES, "1\x1b@x");
	inc->party_count = 2;
	struct party *p = &inc->parties[0];
	p->role = PARTY_ENTRY;
	fill_text(p->host, sizeof p->host, "relay.example");
	p = &inc->parties[1];
	p->role = PARTY_GUILTY;
	fill_text(p->host, sizeof p->host, "dsl-7.isp.example");
	fill_text(p->domain, sizeof p->domain, "harbourlaw.example");
	fill_text(p->product, sizeof p->product, "Microsoft Small Business Server 2003 POP3 connector");
	p->address_count = 1;
	assert_true(ip_parse(SLICE("203.0.113.40"), &p->addresses[0]));
	p->claim_count = PARTY_CLAIMS_MAX;
	for (unsigned i = 0; i < PARTY_CLAIMS_MAX; i++)
		fill_text(p->claims[i], INCIDENT_TEXT_BYTES, "LAN address 192.168.0.3 \x1b");
	p->evidence_count = 1;
	fill_text(p->evidence[0], sizeof p->evidence[0], "a pickup line names harbourlaw.example");
	p->confidence = .987;
	p->blame = 12;
	p->period_ms = 900000;
	return inc;
}

static void an_incident_is_told_in_harmless_lines_with_the_guilty_first(void **state)
{
	(void)state;
	struct incident *inc = hostile_incident();
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_true(incident_explain(inc, &out));
	const char *text = buf_str(&out);
	size_t column = 0;
	for (const char *p = text; *p; p++) {
		column = *p == '\n' ? 0 : column + 1;
		if (column > 78 || ((unsigned char)*p < 0x20 && *p != '\n') || (unsigned char)*p >= 0x7f)
			fail_msg("column %zu, byte %02x in: %s", column, (unsigned char)*p, text);
	}
	assert_non_null(strstr(text, "Incident D"));
	assert_non_null(strstr(text, "duplicate-flood, open"));
	assert_non_null(strstr(text, "203.0.113.40"));
	assert_non_null(strstr(text, "confidence 0.987"));
	assert_non_null(strstr(text, "says of itself: LAN address 192.168.0.3"));
	assert_true(strstr(text, "makes the copies") < strstr(text, "handed copies to us"));
	buf_free(&out);
	buf_init(&out, 100);
	assert_false(incident_explain(inc, &out));
	buf_free(&out);
	mem_free(inc);
}

static void an_incident_reads_back_and_anything_else_is_refused(void **state)
{
	(void)state;
	struct incident *inc = hostile_incident(), *got = mem_must_alloc(sizeof *got);
	struct buf out, again;
	buf_init(&out, 1 << 20);
	buf_init(&again, 1 << 20);
	assert_true(incident_encode(inc, &out));
	assert_true(incident_decode(buf_slice(&out), got));
	assert_memory_equal(got, inc, sizeof *inc);
	for (size_t len = 0; len < out.len; len++)
		assert_false(incident_decode(slice_first(buf_slice(&out), len), got));
	for (size_t i = 0; i < out.len; i++) { /* spoilt: refused, or itself again */
		out.ptr[i] = (char)~out.ptr[i];
		buf_reset(&again);
		if (incident_decode(buf_slice(&out), got)) {
			assert_true(got->party_count <= INCIDENT_PARTIES_MAX);
			assert_true(incident_encode(got, &again));
			assert_true(slice_equal(buf_slice(&again), buf_slice(&out)));
		}
		out.ptr[i] = (char)~out.ptr[i];
	}
	buf_add_byte(&out, 'x');
	assert_false(incident_decode(buf_slice(&out), got));
	buf_free(&out);
	buf_init(&out, 64);
	assert_false(incident_encode(inc, &out));
	buf_free(&out);
	buf_free(&again);
	mem_free(inc);
	mem_free(got);
}

static void every_kind_of_record_reads_back(void **state)
{
	(void)state;
	struct record_out r;
	struct instance inst = { .key = { 1 }, .nonces = { 2, 3 }, .first_s = 4, .last_s = 5, .proofs = 6,
				 .bins = { 7 }, .emitters = { 8 }, .sightings = 9 },
			inst_got;
	struct emitter e = { .key = 10, .out_weak = 11, .handed = 12 }, e_got;
	struct record_force f = { .content = { 13 }, .cls = 2, .state = 1, .is_on = true }, f_got;
	struct pair_slot slot = { 14, 15 }, slot_got;
	uint8_t pair[PAIR_BYTES] = { 16 }, pair_got[PAIR_BYTES];
	unsigned set, clear;
	int64_t when;
	inst.fuse = (struct fuse){ .last_s = 17, .gaps_s = { 18 }, .gap_at = 4, .state = BREAKER_OPEN };
	record_put_instance(&r, &inst);
	assert_int_equal(record_kind_of(record_slice(&r)), RECORD_INSTANCE);
	assert_true(record_get_instance(record_slice(&r), &inst_got));
	assert_memory_equal(&inst_got, &inst, sizeof inst);
	record_put_emitter(&r, &e);
	assert_true(record_get_emitter(record_slice(&r), &e_got));
	assert_memory_equal(&e_got, &e, sizeof e);
	record_put_force(&r, &f);
	assert_true(record_get_force(record_slice(&r), &f_got));
	assert_int_equal(f_got.is_on, true);
	record_put_clock(&r, INT64_C(1133860800000));
	assert_true(record_get_clock(record_slice(&r), &when) && when == INT64_C(1133860800000));
	record_put_mark(&r, pair, 4, 2);
	assert_true(record_get_pair(record_slice(&r), pair_got, &set, &clear, &when));
	assert_true(set == 4 && clear == 2 && when == 0);
	record_put_release(&r, pair, 77);
	assert_true(record_get_pair(record_slice(&r), pair_got, &set, &clear, &when));
	assert_true(when == 77 && memcmp(pair, pair_got, PAIR_BYTES) == 0);
	record_begin_slots(&r);
	record_add_slot(&r, slot);
	assert_true(record_get_slot(record_slice(&r), 0, &slot_got));
	assert_memory_equal(&slot_got, &slot, sizeof slot);
	assert_false(record_get_slot(record_slice(&r), 1, &slot_got));
	assert_int_equal(record_kind_of(SLICE("\x01\x63")), 0);
	assert_int_equal(record_kind_of(SLICE("\x07\x01")), 0);
}

static void the_defaults_are_those_of_the_rows_and_within_them(void **state)
{
	(void)state;
	struct storm_policy p = policy(), parsed = { 0 };
	char why[256];
	assert_true(policy_check(&p, NULL));
	for (size_t i = 0; i < storm_policy_row_count; i++) {
		if (!setting_parse(&storm_policy_rows[i], storm_policy_rows[i].default_text, &parsed, why,
				   sizeof why))
			fail_msg("%s: %s", storm_policy_rows[i].name, why);
		assert_non_null(storm_policy_rows[i].help);
	}
	assert_memory_equal(&parsed, &p, sizeof p);
	assert_int_equal(storm_policy_row_count * sizeof(int64_t), sizeof p);
}

static void names_are_stable_and_nonsense_has_one_too(void **state)
{
	(void)state;
	assert_string_equal(deed_name(DEED_SUPPRESS), "suppress");
	assert_string_equal(deed_name(DEED_COUNT), "?");
	assert_string_equal(storm_class_name(STORM_RATE), "rate");
	assert_string_equal(storm_class_name(STORM_DUPLICATE), "duplicate-flood");
	assert_string_equal(tier_name(TIER_T3), "T3");
	assert_string_equal(breaker_name(BREAKER_HALF_OPEN), "half-open");
	assert_string_equal(breaker_name((enum breaker)9), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stamp_reads_back_as_written_and_folded),
		cmocka_unit_test(a_stamp_that_was_changed_anywhere_is_none),
		cmocka_unit_test(a_fuse_measures_the_median_gap_and_not_the_wave),
		cmocka_unit_test(a_fuse_recovers_by_time_alone),
		cmocka_unit_test(a_slow_storm_needs_longer_to_be_over),
		cmocka_unit_test(half_open_lets_one_copy_a_period_pass),
		cmocka_unit_test(suspicion_ends_after_a_day),
		cmocka_unit_test(incident_ids_are_stable_and_name_their_class),
		cmocka_unit_test(an_incident_is_told_in_harmless_lines_with_the_guilty_first),
		cmocka_unit_test(an_incident_reads_back_and_anything_else_is_refused),
		cmocka_unit_test(every_kind_of_record_reads_back),
		cmocka_unit_test(the_defaults_are_those_of_the_rows_and_within_them),
		cmocka_unit_test(names_are_stable_and_nonsense_has_one_too),
	};
	return cmocka_run_group_tests_name("storm words", tests, NULL, NULL);
}
