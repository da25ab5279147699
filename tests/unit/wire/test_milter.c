/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/milter.h"

#define BYTES(lit) slice_make((lit), sizeof(lit) - 1)

static enum milter_trouble decode(char cmd, struct slice payload, struct milter_event *ev)
{
	/* A copy of the exact size, so that a sanitizer sees any read past the end. */
	char *copy = payload.len > 0 ? mem_must_alloc(payload.len) : NULL;
	if (copy)
		memcpy(copy, payload.ptr, payload.len);
	struct milter_packet p = { cmd, slice_make(copy, payload.len) };
	enum milter_trouble trouble = milter_decode(&p, ev);
	if (trouble == MILTER_FINE && cmd == MILTER_MACRO) {
		struct slice rest = ev->macros.pairs, name, value;
		while (milter_macro_next(&rest, &name, &value))
			;
	}
	mem_free(copy);
	return trouble;
}

static void every_command_is_decoded_into_its_fields(void **state)
{
	(void)state;
	struct milter_event ev;
	struct milter_packet p = { MILTER_CONNECT, BYTES("mail.example.org\0004\x9c\x40" "192.0.2.10\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.connect.host, "mail.example.org");
	assert_int_equal(ev.connect.family, '4');
	assert_int_equal(ev.connect.port, 40000);
	assert_slice(ev.connect.addr, "192.0.2.10");

	p = (struct milter_packet){ MILTER_CONNECT, BYTES("x\0006\0\x19IPv6:2001:db8::1\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_int_equal(ev.connect.port, 25);
	assert_slice(ev.connect.addr, "2001:db8::1");

	p = (struct milter_packet){ MILTER_CONNECT, BYTES("localhost\0U") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.connect.host, "localhost");
	assert_slice(ev.connect.addr, "");

	p = (struct milter_packet){ MILTER_MAIL, BYTES("<a@example.org>\0SIZE=100\0BODY=8BITMIME\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.envelope.addr, "<a@example.org>");
	struct slice arg;
	assert_true(milter_text_next(&ev.envelope.args, &arg));
	assert_slice(arg, "SIZE=100");
	assert_true(milter_text_next(&ev.envelope.args, &arg));
	assert_slice(arg, "BODY=8BITMIME");
	assert_false(milter_text_next(&ev.envelope.args, &arg));

	p = (struct milter_packet){ MILTER_HEADER, BYTES("Subject\0 two\n\tlines\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.header.name, "Subject");
	assert_slice(ev.header.value, " two\n\tlines");

	p = (struct milter_packet){ MILTER_HEADER, BYTES("X-Empty\0\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.header.value, "");

	p = (struct milter_packet){ MILTER_HELO, BYTES("there\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.text, "there");

	p = (struct milter_packet){ MILTER_BODY, BYTES("a\0b") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_int_equal(ev.data.len, 3);

	p = (struct milter_packet){ MILTER_EOM, BYTES("last") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_slice(ev.data, "last");
}

static void macros_are_found_with_and_without_braces(void **state)
{
	(void)state;
	struct milter_event ev;
	struct milter_packet p = { MILTER_MACRO,
				   BYTES("Mi\0004ABC\0{auth_authen}\0user\0{i2}\0\0") };
	assert_int_equal(milter_decode(&p, &ev), MILTER_FINE);
	assert_int_equal(ev.macros.cmd, MILTER_MAIL);
	struct slice value;
	assert_true(milter_macro_find(&ev.macros, SLICE("i"), &value));
	assert_slice(value, "4ABC");
	assert_true(milter_macro_find(&ev.macros, SLICE("auth_authen"), &value));
	assert_slice(value, "user");
	assert_true(milter_macro_find(&ev.macros, SLICE("i2"), &value));
	assert_slice(value, "");
	assert_false(milter_macro_find(&ev.macros, SLICE("auth"), &value));
}

static void a_broken_payload_names_its_trouble(void **state)
{
	(void)state;
	static const struct {
		char cmd;
		struct slice payload;
		enum milter_trouble trouble;
	} rows[] = {
		{ 'Z', { "", 0 }, MILTER_UNKNOWN_COMMAND },
		{ MILTER_OPTNEG, { "\0\0\0\6\0\0\1\xff\0\0\0", 11 }, MILTER_TOO_SHORT },
		{ MILTER_CONNECT, { "", 0 }, MILTER_TOO_SHORT },
		{ MILTER_CONNECT, { "host", 4 }, MILTER_NO_NUL },
		{ MILTER_CONNECT, { "host\0", 5 }, MILTER_TOO_SHORT },
		{ MILTER_CONNECT, { "host\0X", 6 }, MILTER_BAD_FAMILY },
		{ MILTER_CONNECT, { "host\0004\0", 7 }, MILTER_TOO_SHORT },
		{ MILTER_CONNECT, { "host\0004\0\0", 8 }, MILTER_TOO_SHORT },
		{ MILTER_CONNECT, { "host\0004\0\0a", 9 }, MILTER_NO_NUL },
		{ MILTER_CONNECT, { "host\0004\0\0a\0b", 11 }, MILTER_TOO_MUCH },
		{ MILTER_HELO, { "", 0 }, MILTER_TOO_SHORT },
		{ MILTER_HELO, { "a\0b\0", 4 }, MILTER_TOO_MUCH },
		{ MILTER_MAIL, { "<>\0SIZE=1", 9 }, MILTER_NO_NUL },
		{ MILTER_HEADER, { "Name\0value", 10 }, MILTER_NO_NUL },
		{ MILTER_HEADER, { "Name\0", 5 }, MILTER_TOO_SHORT },
		{ MILTER_HEADER, { "Name\0v\0w\0", 9 }, MILTER_TOO_MUCH },
		{ MILTER_MACRO, { "", 0 }, MILTER_TOO_SHORT },
		{ MILTER_MACRO, { "Zi\0a\0", 5 }, MILTER_BAD_STAGE },
		{ MILTER_MACRO, { "Mi\0", 3 }, MILTER_ODD_MACRO },
		{ MILTER_MACRO, { "Mi\0a", 4 }, MILTER_NO_NUL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct milter_event ev;
		enum milter_trouble got = decode(rows[i].cmd, rows[i].payload, &ev);
		if (got != rows[i].trouble)
			fail_msg("row %zu (%s): %s, wanted %s", i, milter_cmd_name(rows[i].cmd),
				 milter_trouble_text(got), milter_trouble_text(rows[i].trouble));
	}
}

static void any_payload_cut_at_any_length_is_read_within_its_bounds(void **state)
{
	(void)state;
	static const struct slice payloads[] = {
		{ "\0\0\0\6\0\0\1\xff\0\x1f\xff\xff", 12 },
		{ "host.example.org\0006\0\x19IPv6:2001:db8::1\0", 36 },
		{ "M{auth_authen}\0user\0i\0004ABCDEF\0", 30 },
		{ "<a@example.org>\0SIZE=1\0", 23 },
	};
	static const char cmds[] = "ABCDEHKLMNOQRTUZ";
	struct milter_event ev;
	for (size_t p = 0; p < sizeof payloads / sizeof payloads[0]; p++)
		for (size_t len = 0; len <= payloads[p].len; len++)
			for (const char *cmd = cmds; *cmd; cmd++) {
				enum milter_trouble t = decode(*cmd, slice_first(payloads[p], len), &ev);
				assert_true(t < MILTER_TROUBLE_COUNT);
				assert_true(strlen(milter_trouble_text(t)) > 3);
				if (*cmd == 'Z')
					assert_int_equal(t, MILTER_UNKNOWN_COMMAND);
				if (*cmd == MILTER_OPTNEG)
					assert_int_equal(t, len < 12 ? MILTER_TOO_SHORT : MILTER_FINE);
				if (*cmd == MILTER_BODY || *cmd == MILTER_EOM)
					assert_int_equal(ev.data.len, len);
			}
}

/* A whole talk as an MTA sends it. */
static void build_talk(struct buf *b)
{
	const struct milter_offer offer = { 6, 0x1ff, 0x1fffff };
	const struct milter_pair macros[] = { { SLICE("i"), SLICE("4ABCDEF") } };
	const struct milter_connect connect = { SLICE("mx.example.org"), '4', 25, SLICE("192.0.2.1") };
	const struct slice args[] = { SLICE("SIZE=5") };
	milter_send_offer(b, &offer);
	milter_send_connect(b, &connect);
	milter_send_text(b, MILTER_HELO, SLICE("mx.example.org"));
	milter_send_macros(b, MILTER_MAIL, macros, 1);
	milter_send_envelope(b, MILTER_MAIL, SLICE("<a@example.org>"), args, 1);
	milter_send_envelope(b, MILTER_RCPT, SLICE("<b@example.com>"), NULL, 0);
	milter_send(b, MILTER_DATA, SLICE(""));
	milter_send_header(b, SLICE("Subject"), SLICE("hello"));
	milter_send(b, MILTER_EOH, SLICE(""));
	milter_send(b, MILTER_BODY, SLICE("text\r\n"));
	milter_send(b, MILTER_EOM, SLICE(""));
	milter_send_text(b, MILTER_UNKNOWN, SLICE("XYZZY"));
	milter_send(b, MILTER_ABORT, SLICE(""));
	milter_send(b, MILTER_QUIT_NC, SLICE(""));
	milter_send(b, MILTER_QUIT, SLICE(""));
	assert_false(b->is_over);
}

static void note_event(struct buf *log, const struct milter_packet *p)
{
	struct milter_event ev;
	assert_int_equal(milter_decode(p, &ev), MILTER_FINE);
	buf_addf(log, "%s/%zu ", milter_cmd_name(ev.cmd), p->payload.len);
}

static void a_talk_fed_in_pieces_of_any_size_gives_the_same_packets(void **state)
{
	(void)state;
	struct buf talk, whole, log, fed;
	buf_init(&talk, 65536);
	buf_init(&whole, 65536);
	buf_init(&log, 65536);
	buf_init(&fed, 65536);
	build_talk(&talk);
	for (size_t step = talk.len; step >= 1; step = step > 32 ? 32 : step - 1) {
		struct milter_packet p;
		enum milter_trouble trouble;
		buf_reset(&log);
		buf_reset(&fed);
		for (size_t pos = 0; pos < talk.len; pos += step) {
			buf_add(&fed, slice_between(buf_slice(&talk), pos, pos + step));
			struct slice rest = buf_slice(&fed);
			while (milter_take(&rest, MILTER_PACKET_BYTES_MAX, &p, &trouble) == MILTER_GOT)
				note_event(&log, &p);
			assert_int_equal(trouble, MILTER_FINE);
			buf_consume(&fed, fed.len - rest.len);
		}
		assert_int_equal(fed.len, 0);
		if (step == talk.len)
			buf_add(&whole, buf_slice(&log));
		assert_string_equal(buf_str(&log), buf_str(&whole));
	}
	assert_string_equal(buf_str(&whole),
			    "OPTNEG/12 CONNECT/28 HELO/15 MACRO/11 MAIL/23 RCPT/16 DATA/0 HEADER/14 "
			    "EOH/0 BODY/6 EOM/0 UNKNOWN/6 ABORT/0 QUIT_NC/0 QUIT/0 ");
	buf_free(&talk);
	buf_free(&whole);
	buf_free(&log);
	buf_free(&fed);
}

static void a_length_of_zero_or_above_the_ceiling_breaks_the_session(void **state)
{
	(void)state;
	struct milter_packet p;
	enum milter_trouble trouble;
	struct slice zero = BYTES("\0\0\0\0Q");
	assert_int_equal(milter_take(&zero, 100, &p, &trouble), MILTER_BROKEN);
	assert_int_equal(trouble, MILTER_EMPTY_PACKET);
	struct slice large = BYTES("\0\0\0\x65");
	assert_int_equal(milter_take(&large, 100, &p, &trouble), MILTER_BROKEN);
	assert_int_equal(trouble, MILTER_TOO_LONG);
	struct slice huge = BYTES("\xff\xff\xff\xff" "B");
	assert_int_equal(milter_take(&huge, MILTER_PACKET_BYTES_MAX, &p, &trouble), MILTER_BROKEN);
	struct slice fits = BYTES("\0\0\0\x64");
	assert_int_equal(milter_take(&fits, 100, &p, &trouble), MILTER_MORE);
	assert_int_equal(fits.len, 4);
}

static const struct milter_macro_list lists[] = {
	{ MILTER_AT_CONNECT, "j {daemon_name}" }, { MILTER_AT_EOM, "i" },
};

static void negotiation_grants_what_is_both_offered_and_wished(void **state)
{
	(void)state;
	const struct milter_offer offer = { 6, 0x1ff, MILTER_STEPS_ALL };
	const struct milter_wish wish = {
		.actions_needed = MILTER_MAY_ADDHDRS, .actions_liked = MILTER_MAY_DELRCPT,
		.steps_liked = MILTER_NR_HEADER | MILTER_NR_CONNECT | MILTER_NO_UNKNOWN | MILTER_DATA_1M,
		.lists = lists, .list_count = 2,
	};
	struct milter_grant grant;
	struct buf b;
	buf_init(&b, 4096);
	assert_int_equal(milter_negotiate(&offer, &wish, &grant, &b), MILTER_FINE);
	assert_int_equal(grant.version, 6);
	assert_int_equal(grant.actions, MILTER_MAY_ADDHDRS | MILTER_MAY_DELRCPT | MILTER_MAY_SETSYMLIST);
	assert_int_equal(grant.steps, MILTER_NR_HEADER | MILTER_NR_CONNECT | MILTER_NO_UNKNOWN);
	assert_int_equal(grant.data_bytes_max, MILTER_CHUNK_BYTES);
	static const char wanted[] = "\0\0\0\x27O\0\0\0\6\0\0\1\x09\0\0\x11\x80"
				     "\0\0\0\0j {daemon_name}\0\0\0\0\5i";
	assert_int_equal(b.len, sizeof wanted);
	assert_memory_equal(b.ptr, wanted, sizeof wanted);

	struct slice bytes = buf_slice(&b);
	struct milter_packet p;
	enum milter_trouble trouble;
	struct milter_reply reply;
	assert_int_equal(milter_take(&bytes, 4096, &p, &trouble), MILTER_GOT);
	assert_int_equal(milter_decode_reply(&p, &reply), MILTER_FINE);
	assert_int_equal(reply.offer.version, 6);
	uint32_t stage;
	struct slice names;
	assert_true(milter_list_next(&reply.lists, &stage, &names));
	assert_int_equal(stage, MILTER_AT_CONNECT);
	assert_slice(names, "j {daemon_name}");
	assert_true(milter_list_next(&reply.lists, &stage, &names));
	assert_slice(names, "i");
	assert_false(milter_list_next(&reply.lists, &stage, &names));
	buf_free(&b);
}

static void an_old_server_is_served_with_a_reply_for_every_step(void **state)
{
	(void)state;
	const struct milter_offer offer = { 2, 0x3f, 0x7f };
	const struct milter_wish wish = { .actions_needed = MILTER_MAY_ADDHDRS,
					  .steps_liked = MILTER_NR_HEADER | MILTER_NR_BODY,
					  .lists = lists, .list_count = 2 };
	struct milter_grant grant;
	struct buf b;
	buf_init(&b, 4096);
	assert_int_equal(milter_negotiate(&offer, &wish, &grant, &b), MILTER_FINE);
	assert_int_equal(grant.version, 2);
	assert_int_equal(grant.steps, 0);
	assert_int_equal(b.len, 17);
	static const struct {
		char cmd;
		bool wants;
	} rows[] = { { 'O', true }, { 'C', true }, { 'H', true }, { 'M', true }, { 'R', true },
		     { 'L', true }, { 'N', true }, { 'B', true }, { 'E', true }, { 'T', true },
		     { 'U', true }, { 'D', false }, { 'A', false }, { 'Q', false }, { 'K', false },
		     { 'z', false } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(milter_wants_reply(&grant, rows[i].cmd), rows[i].wants);
	buf_free(&b);
}

static void a_step_without_reply_awaits_none(void **state)
{
	(void)state;
	static const struct {
		char cmd;
		uint32_t step;
	} rows[] = { { 'C', MILTER_NR_CONNECT }, { 'H', MILTER_NR_HELO }, { 'M', MILTER_NR_MAIL },
		     { 'R', MILTER_NR_RCPT }, { 'T', MILTER_NR_DATA }, { 'U', MILTER_NR_UNKNOWN },
		     { 'N', MILTER_NR_EOH }, { 'B', MILTER_NR_BODY }, { 'L', MILTER_NR_HEADER } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct milter_grant grant = { .steps = rows[i].step };
		for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++)
			assert_int_equal(milter_wants_reply(&grant, rows[j].cmd), i != j);
		assert_true(milter_wants_reply(&grant, MILTER_EOM));
	}
}

static void what_cannot_be_agreed_is_refused_with_its_reason(void **state)
{
	(void)state;
	static const struct {
		struct milter_offer offer;
		enum milter_trouble trouble;
	} rows[] = {
		{ { 1, 0x1ff, MILTER_STEPS_ALL }, MILTER_OLD_VERSION },
		{ { 0, 0x1ff, MILTER_STEPS_ALL }, MILTER_OLD_VERSION },
		{ { 6, 0x1fe, MILTER_STEPS_ALL }, MILTER_LACKS_ACTION },
		{ { 6, 0x1ff, 0x7f }, MILTER_LACKS_STEP },
		{ { 7, 0xffffffff, 0xffffffff }, MILTER_FINE },
	};
	const struct milter_wish wish = { .actions_needed = 1, .steps_needed = MILTER_CAN_SKIP,
					  .steps_liked = MILTER_DATA_1M | MILTER_DATA_256K };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct milter_grant grant;
		struct buf b;
		buf_init(&b, 4096);
		assert_int_equal(milter_negotiate(&rows[i].offer, &wish, &grant, &b), rows[i].trouble);
		assert_int_equal(b.len, rows[i].trouble ? 0 : 17);
		if (!rows[i].trouble) {
			assert_int_equal(grant.version, 6);
			assert_int_equal(grant.steps, MILTER_CAN_SKIP | MILTER_DATA_1M);
			assert_int_equal(grant.data_bytes_max, 1024 * 1024 - 1);
		}
		buf_free(&b);
	}
	struct milter_grant grant;
	struct buf small;
	buf_init(&small, 16);
	assert_int_equal(milter_negotiate(&rows[4].offer, &wish, &grant, &small), MILTER_NO_ROOM);
	assert_int_equal(small.len, 0);
	buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_decoded_into_its_fields),
		cmocka_unit_test(macros_are_found_with_and_without_braces),
		cmocka_unit_test(a_broken_payload_names_its_trouble),
		cmocka_unit_test(any_payload_cut_at_any_length_is_read_within_its_bounds),
		cmocka_unit_test(a_talk_fed_in_pieces_of_any_size_gives_the_same_packets),
		cmocka_unit_test(a_length_of_zero_or_above_the_ceiling_breaks_the_session),
		cmocka_unit_test(negotiation_grants_what_is_both_offered_and_wished),
		cmocka_unit_test(an_old_server_is_served_with_a_reply_for_every_step),
		cmocka_unit_test(a_step_without_reply_awaits_none),
		cmocka_unit_test(what_cannot_be_agreed_is_refused_with_its_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
