/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3_play.h"

/* ---- whole talks ---- */

static void the_talk_of_rfc_1939_section_10_is_led(void **state)
{
	(void)state;
	static const struct row rows[] = {
		GREETING,
		{ "user mrose", "USER mrose\r\n", "+OK mrose is a real hoopy frood\r\n", "USER=ok" },
		{ "pass secret", "PASS secret\r\n", "+OK mrose's maildrop has 2 messages (320 octets)\r\n", "PASS=ok" },
		{ "stat", "STAT\r\n", "+OK 2 320\r\n", "STAT=ok 2/320" },
		{ "list", "LIST\r\n", "+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n",
		  "LIST=ok 1:120 2:200 LIST." },
		{ "uidl", "UIDL\r\n", "+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n2 QhdPYR:00WBw1Ph7x7\r\n.\r\n",
		  "UIDL=ok 1:'whqtswO00WBw418f9t5JxYwZ' 2:'QhdPYR:00WBw1Ph7x7' UIDL." },
		{ "retr 1", "RETR 1\r\n", "+OK 120 octets\r\nSubject: one\r\n\r\n..dot\r\n.\r\n",
		  "RETR1=ok {Subject: one\r\n\r\n.dot\r\n} RETR1." },
		{ "dele 1", "DELE 1\r\n", "+OK message 1 deleted\r\n", "DELE1=ok" },
		{ "retr 2;top 2", "RETR 2\r\nTOP 2 10\r\n", "+OK 200 octets\r\nx\r\n.\r\n+OK\r\n.\r\n",
		  "RETR2=ok {x\r\n} RETR2. TOP2=ok TOP2." },
		{ "retr 3", "RETR 3\r\n", "-ERR no such message\r\n", "RETR3=err" },
		{ "noop", "NOOP\r\n", "+OK\r\n", "NOOP=ok" },
		{ "quit", "QUIT\r\n", "+OK dewey POP3 server signing off (maildrop empty)\r\n", "CLOSED=ok" },
		{ "", "", "+OK more\r\n", "" },
		{ "", "", NULL, "" },
	};
	TALK(rows);
}

static void many_commands_may_be_open_and_are_answered_in_order(void **state)
{
	(void)state;
	static const struct row rows[] = {
		GREETING,
		{ "user a b;pass  c d;stat;uidl;list", "USER a b\r\nPASS  c d\r\nSTAT\r\nUIDL\r\nLIST\r\n",
		  "+OK\r\n+OK\r\n+OK 1 9\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 9\r\n.\r\n",
		  "USER=ok PASS=ok STAT=ok 1/9 UIDL=ok 1:'a' UIDL. LIST=ok 1:9 LIST." },
		{ "retr 1;dele 1;retr 2;quit", "RETR 1\r\nDELE 1\r\nRETR 2\r\nQUIT\r\n",
		  "+OK\r\na\r\n.\r\n-ERR no\r\n-ERR gone\r\n-ERR kept\r\n",
		  "RETR1=ok {a\r\n} RETR1. DELE1=err RETR2=err CLOSED=err" },
	};
	TALK(rows);
}

static void capa_is_learned_when_it_is_whole(void **state)
{
	(void)state;
	/* RFC 2449 5, with what servers of today add */
	static const struct row rows[] = {
		GREETING,
		{ "capa", "CAPA\r\n",
		  "+OK Capability list follows\r\nTOP\r\nUSER\r\nSASL CRAM-MD5 plain SCRAM-SHA-256 XOAUTH2\r\nUIDL\r\n"
		  "RESP-CODES\r\nAUTH-RESP-CODE\r\nLOGIN-DELAY 900 USER\r\nPIPELINING\r\n"
		  "EXPIRE 60 USER\r\nUTF8 USER\r\n"
		  "X-ODD thing\r\nIMPLEMENTATION Shlemazle-Plotz\tv302\r\n.\r\n", "CAPA=ok" },
	};
	struct play play = play_new();
	assert_false(pop3_caps(play.p)->is_known);
	assert_int_equal(pop3_caps(play.p)->expire_days, -1);
	for (size_t i = 0; i < 2; i++)
		play_row(&play, &rows[i], i, 0, 1);
	const struct pop3_caps *caps = pop3_caps(play.p);
	assert_true(caps->is_known);
	assert_int_equal(caps->can, POP3_CAN_TOP | POP3_CAN_USER | POP3_CAN_UIDL | POP3_CAN_RESP_CODES |
				    POP3_CAN_AUTH_RESP_CODE | POP3_CAN_PIPELINING | POP3_CAN_UTF8);
	assert_int_equal(caps->mechanisms, 1 << SASL_PLAIN | 1 << SASL_SCRAM_SHA_256 | 1 << SASL_XOAUTH2);
	assert_int_equal(caps->login_delay_ms, 900000);
	assert_int_equal(caps->expire_days, 60);
	assert_true(caps->is_expire_said);
	assert_string_equal(caps->implementation, "Shlemazle-Plotz?v302");
	/* The next CAPA replaces all of it. */
	give(&play, "capa");
	feed(&play, SLICE("+OK\r\nSTLS\r\nEXPIRE NEVER\r\nEXPIRE\r\nLOGIN-DELAY soon\r\n.\r\n"));
	assert_int_equal(caps->can, POP3_CAN_STLS);
	assert_int_equal(caps->mechanisms, 0);
	assert_int_equal(caps->login_delay_ms, 0);
	assert_int_equal(caps->expire_days, -1);
	assert_true(caps->is_expire_said);
	assert_string_equal(caps->implementation, "");
	give(&play, "capa");
	feed(&play, SLICE("+OK\r\nEXPIRE 99999999999999999999\r\nEXPIRE 18446744073709551615\r\nLOGIN-DELAY "
			  "18446744073709551615\r\n.\r\n"));
	assert_int_equal(caps->expire_days, 1000000);
	assert_true(caps->login_delay_ms > 0);
	give(&play, "capa");
	feed(&play, SLICE("-ERR what?\r\n"));
	assert_false(caps->is_known);
	assert_int_equal(caps->can, 0);
	assert_int_equal(caps->expire_days, -1);
	assert_slice(buf_slice(&play.events), "CAPA=ok CAPA=ok CAPA=err");
	play_free(&play);
}

static void a_long_implementation_is_cut(void **state)
{
	(void)state;
	struct play play = play_new();
	struct buf b;
	buf_init(&b, 1024);
	buf_add_str(&b, "+OK\r\n+OK\r\nIMPLEMENTATION ");
	for (int i = 0; i < 300; i++)
		buf_add_byte(&b, 'v');
	buf_add_str(&b, "\r\n.\r\n");
	feed(&play, slice_first(buf_slice(&b), 5));
	give(&play, "capa");
	feed(&play, slice_from(buf_slice(&b), 5));
	assert_int_equal(strlen(pop3_caps(play.p)->implementation), 127);
	buf_free(&b);
	play_free(&play);
}

/* ---- TLS ---- */

static void stls_begins_tls_and_forgets_what_was_said_before(void **state)
{
	(void)state;
	static const struct row rows[] = {
		GREETING,
		{ "capa", "CAPA\r\n", "+OK\r\nSTLS\r\n.\r\n", "CAPA=ok" },
		{ "stls", "STLS\r\n", "+OK Begin TLS negotiation\r\n", "TLS" },
		{ "capa", "CAPA\r\n", "+OK\r\nUSER\r\n.\r\n", "CAPA=ok" },
		{ "stls", "STLS\r\n", "-ERR already\r\n", "STLS=err" },
		{ "stat", "STAT\r\n", "+OK 0 0\r\n", "STAT=ok 0/0" },
	};
	TALK(rows);
	struct play play = play_new();
	for (size_t i = 0; i < 3; i++)
		play_row(&play, &rows[i], i, 0, 1);
	assert_false(pop3_caps(play.p)->is_known);
	assert_int_equal(pop3_caps(play.p)->can, 0);
	play_free(&play);
}

static void bytes_behind_the_word_to_begin_tls_end_the_talk(void **state)
{
	(void)state;
	static const char *const behind[] = { "\r", "+", "+OK\r\n", "\x16\x03\x01" };
	for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
		struct play play = play_new();
		struct buf b;
		buf_init(&b, 256);
		buf_addf(&b, "+OK begin\r\n%s", behind[i]);
		feed(&play, SLICE("+OK\r\n"));
		give(&play, "stls");
		feed(&play, buf_slice(&b));
		assert_slice(buf_slice(&play.events),
			     "greeting=ok FAILED(the server sent plain bytes behind its word to begin TLS)");
		buf_free(&b);
		play_free(&play);
	}
}

/* ---- AUTH ---- */

static void plain_is_said_with_the_command_or_when_asked(void **state)
{
	(void)state;
	static const struct row rows[] = {
		GREETING,
		{ "auth+ plain", "AUTH PLAIN AHVzZXIAcGVuY2ls\r\n", "-ERR [AUTH] no\r\n", "AUTH=err:AUTH" },
		{ "auth plain", "AUTH PLAIN\r\n", "+ \r\n", "" },
		{ "", "AHVzZXIAcGVuY2ls\r\n", "+OK in\r\n", "AUTH=ok" },
		{ "stat", "STAT\r\n", "+OK 1 1\r\n", "STAT=ok 1/1" },
	};
	TALK(rows);
}

/* RFC 7677 3 in the clothes of RFC 5034. */
static const struct row scram_rows[] = {
	GREETING,
	{ "auth+ scram-sha-256", "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n",
	  "+ cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29Fc1VFamI2"
	  "Z1E9PSxpPTQwOTY=\r\n", "" },
	{ "", "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpV"
	  "aE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ==\r\n",
	  "+ dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ==\r\n", "" },
	{ "", "\r\n", "+OK Maildrop locked and ready\r\n", "AUTH=ok" },
};

static void scram_is_led_to_its_end(void **state)
{
	(void)state;
	TALK(scram_rows);
}

static void a_scram_server_that_proves_nothing_ends_the_talk(void **state)
{
	(void)state;
	static const struct { size_t rows; const char *server; const char *event; } ends[] = {
		{ 2, "+OK in\r\n", "FAILED(the server says we are in, but proved nothing)" },
		{ 3, "+OK in\r\n", "FAILED(the server says we are in, but proved nothing)" },
		{ 3, "+ dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBPQ==\r\n",
		  "FAILED(the server does not know the password it is asked about)" },
		{ 3, "-ERR [AUTH] wrong\r\n", "AUTH=err:AUTH" },
		{ 4, "+ \r\n", "FAILED(the server goes on after its last SCRAM message)" },
	};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct play play = play_new();
		for (size_t k = 0; k < ends[i].rows; k++) {
			struct row row = scram_rows[k];
			if (k + 1 == ends[i].rows) {
				row.server = ends[i].server;
				row.events = ends[i].event;
			}
			play_row(&play, &row, k, 0, SIZE_MAX / 2);
		}
		play_free(&play);
	}
}

static void oauth_servers_complain_and_are_answered(void **state)
{
	(void)state;
	static const struct row rows[] = {
		GREETING,
		{ "auth xoauth2", "AUTH XOAUTH2\r\n", "+\r\n", "" },
		{ "", "dXNlcj11c2VyAWF1dGg9QmVhcmVyIHBlbmNpbAEB\r\n", "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n", "" },
		{ "", "\r\n", "-ERR Authentication failure: unknown user name or bad password.\r\n", "AUTH=err" },
		{ "auth+ oauthbearer",
		  "AUTH OAUTHBEARER bixhPXVzZXIsAWhvc3Q9aAFwb3J0PTEBYXV0aD1CZWFyZXIgcGVuY2lsAQE=\r\n",
		  "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n", "" },
		{ "", "AQ==\r\n", "-ERR [AUTH] no\r\n", "AUTH=err:AUTH" },
		{ "auth xoauth2", "AUTH XOAUTH2\r\n", "+ \r\n", "" },
		{ "", "dXNlcj11c2VyAWF1dGg9QmVhcmVyIHBlbmNpbAEB\r\n", "+OK User successfully logged on.\r\n",
		  "AUTH=ok" },
	};
	TALK(rows);
	struct play play = play_new();
	for (size_t i = 0; i < 4; i++)
		play_row(&play, &rows[i], i, 0, SIZE_MAX / 2);
	assert_slice(sasl_complaint(play.sasl), "{\"status\":\"401\"}");
	play_free(&play);
}

static void a_first_word_too_long_for_the_command_goes_apart(void **state)
{
	(void)state;
	static char token[4096];
	memset(token, 't', sizeof token);
	/* "AUTH PLAIN " and CRLF are 13 bytes, so 242 of base64: 240 = 180 bytes, 3 of them not the token. */
	static const struct { size_t token; bool is_together; } rows[] = {
		{ 177, true }, { 178, false }, { 4096, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct play play = play_new();
		struct sasl_setup setup = { .mechanism = SASL_PLAIN, .user = SLICE("u"),
					    .secret = slice_make(token, rows[i].token) };
		play.sasl = sasl_new(&setup);
		feed(&play, SLICE("+OK\r\n"));
		assert_true(pop3_auth(play.p, play.sasl, true));
		assert_int_equal(pop3_out(play.p)->len, rows[i].is_together ? 253 : 12);
		buf_consume(pop3_out(play.p), SIZE_MAX);
		if (!rows[i].is_together) {
			feed(&play, SLICE("+ \r\n"));
			assert_int_equal(pop3_out(play.p)->len, base64_len(3 + rows[i].token) + 2);
		}
		feed(&play, SLICE("+OK\r\n"));
		assert_slice(buf_slice(&play.events), "greeting=ok AUTH=ok");
		play_free(&play);
	}
}

static void a_server_that_does_not_wait_for_the_word_is_not_believed(void **state)
{
	(void)state;
	static char token[500];
	memset(token, 't', sizeof token);
	struct sasl_setup setup = { .mechanism = SASL_PLAIN, .user = SLICE("u"), .secret = SLICE("s") };
	for (int is_long = 0; is_long < 2; is_long++) {
		struct play play = play_new();
		if (is_long)
			setup.secret = slice_make(token, sizeof token);
		play.sasl = sasl_new(&setup);
		feed(&play, SLICE("+OK\r\n"));
		assert_true(pop3_auth(play.p, play.sasl, is_long));
		feed(&play, SLICE("+OK in\r\n"));
		assert_slice(buf_slice(&play.events),
			     "greeting=ok FAILED(the server says we are in, but proved nothing)");
		play_free(&play);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_talk_of_rfc_1939_section_10_is_led),
		cmocka_unit_test(many_commands_may_be_open_and_are_answered_in_order),
		cmocka_unit_test(capa_is_learned_when_it_is_whole),
		cmocka_unit_test(a_long_implementation_is_cut),
		cmocka_unit_test(stls_begins_tls_and_forgets_what_was_said_before),
		cmocka_unit_test(bytes_behind_the_word_to_begin_tls_end_the_talk),
		cmocka_unit_test(plain_is_said_with_the_command_or_when_asked),
		cmocka_unit_test(scram_is_led_to_its_end),
		cmocka_unit_test(a_scram_server_that_proves_nothing_ends_the_talk),
		cmocka_unit_test(oauth_servers_complain_and_are_answered),
		cmocka_unit_test(a_first_word_too_long_for_the_command_goes_apart),
		cmocka_unit_test(a_server_that_does_not_wait_for_the_word_is_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
