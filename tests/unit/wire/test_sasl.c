/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "wire/base64.h"
#include "wire/sasl.h"

/* Compares a slice with a literal that may hold NULs. */
#define assert_bytes(slice_value, lit)                                          \
	do {                                                                    \
		struct slice bytes_ = (slice_value);                            \
		assert_int_equal(bytes_.len, sizeof(lit) - 1);                  \
		assert_memory_equal(bytes_.ptr, lit, sizeof(lit) - 1);          \
	} while (0)

static struct sasl_setup setup_of(enum sasl_mechanism mechanism)
{
	return (struct sasl_setup){ .mechanism = mechanism, .user = SLICE("user"), .secret = SLICE("pencil"),
				    .host = SLICE("mail.example.com"), .port = 995 };
}

/* The nonce of RFC 7677 3: "rOprNGfwEbeRWgbNEkqO" is 15 bytes. */
static struct sasl *scram_new(void)
{
	struct sasl_setup setup = setup_of(SASL_SCRAM_SHA_256);
	size_t n;
	assert_true(base64_read(SLICE("rOprNGfwEbeRWgbNEkqO"), setup.nonce, sizeof setup.nonce, &n));
	setup.nonce_bytes = (uint8_t)n;
	struct sasl *s = sasl_new(&setup);
	assert_non_null(s);
	return s;
}

#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
static const char server_first[] = "r=" NONCE ",s=" SALT ",i=4096";
static const char client_final[] = "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char server_final[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

/* One challenge in memory of its exact size, which is gone when the answer is looked at. */
static bool step(struct sasl *s, const char *challenge, struct slice *answer_out, const char **why_out)
{
	size_t n = strlen(challenge);
	char *copy = n > 0 ? mem_must_alloc(n) : NULL;
	if (copy)
		memcpy(copy, challenge, n);
	*why_out = NULL;
	bool is_fine = sasl_step(s, slice_make(copy, n), answer_out, why_out);
	mem_free(copy);
	return is_fine;
}

static void scram_speaks_the_example_of_rfc_7677(void **state)
{
	(void)state;
	struct sasl *s = scram_new();
	struct slice answer;
	const char *why;
	for (int i = 0; i < 2; i++) /* asking twice changes nothing */
		assert_slice(sasl_first(s), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
	assert_false(sasl_is_proven(s));
	assert_true(step(s, server_first, &answer, &why));
	assert_slice(answer, client_final);
	assert_false(sasl_is_proven(s));
	assert_true(step(s, server_final, &answer, &why));
	assert_int_equal(answer.len, 0);
	assert_true(sasl_is_proven(s));
	assert_false(step(s, "", &answer, &why));
	assert_non_null(why);
	sasl_free(&s);
	assert_null(s);
}

static void scram_takes_extensions_that_need_not_be_known(void **state)
{
	(void)state;
	struct sasl *s = scram_new();
	struct slice answer;
	const char *why;
	sasl_first(s);
	assert_true(step(s, "r=" NONCE ",s=" SALT ",i=4096,x=1,y=two", &answer, &why));
	assert_int_equal(answer.len, strlen(client_final)); /* another proof: the words are signed */
	assert_false(slice_equal(answer, slice_from_str(client_final)));
	sasl_free(&s);
}

static void scram_refuses_a_first_message_that_breaks_the_rules(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"", "r=", ",", "hello", "r=" NONCE, "r=" NONCE ",s=" SALT, "s=" SALT ",r=" NONCE ",i=4096",
		"m=ext,r=" NONCE ",s=" SALT ",i=4096", "r=" NONCE ",s=" SALT ",i=4096,bad",
		"r=" NONCE ",s=,i=4096", "r=" NONCE ",s=*,i=4096", "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096",
		"r=" NONCE ",s=" SALT ",i=", "r=" NONCE ",s=" SALT ",i=4095", "r=" NONCE ",s=" SALT ",i=1",
		"r=" NONCE ",s=" SALT ",i=0", "r=" NONCE ",s=" SALT ",i=-1", "r=" NONCE ",s=" SALT ",i=1000001",
		"r=" NONCE ",s=" SALT ",i=99999999999999999999", "r=" NONCE ",s=" SALT ",i=4096x",
		"r=rOprNGfwEbeRWgbNEkqO,s=" SALT ",i=4096", "r=rOprNGfwEbeRWgbNEkqX123,s=" SALT ",i=4096",
		"r=other,s=" SALT ",i=4096", "r=rOprNGfwEbeRWgbNEkqO \x01,s=" SALT ",i=4096", "e=unknown-user",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl *s = scram_new();
		struct slice answer;
		const char *why;
		sasl_first(s);
		if (step(s, rows[i], &answer, &why) || !why || answer.len != 0 || sasl_is_proven(s))
			fail_msg("row %zu: \"%s\" was taken", i, rows[i]);
		sasl_free(&s);
	}
}

static void scram_believes_only_a_server_that_signs(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"", "v=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9", "v=!",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,bad", "x=1", server_first,
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl *s = scram_new();
		struct slice answer;
		const char *why;
		sasl_first(s);
		assert_true(step(s, server_first, &answer, &why));
		if (step(s, rows[i], &answer, &why) || !why || sasl_is_proven(s))
			fail_msg("row %zu: \"%s\" was believed", i, rows[i]);
		sasl_free(&s);
	}
}

static void a_scram_server_that_says_no_is_heard_and_not_believed(void **state)
{
	(void)state;
	struct sasl *s = scram_new();
	struct slice answer;
	const char *why;
	sasl_first(s);
	assert_true(step(s, server_first, &answer, &why));
	assert_true(step(s, "e=invalid-proof\x01", &answer, &why));
	assert_int_equal(answer.len, 0);
	assert_slice(sasl_complaint(s), "invalid-proof?");
	assert_false(sasl_is_proven(s));
	assert_false(step(s, server_final, &answer, &why));
	sasl_free(&s);
}

static void scram_bounds_nonce_and_salt(void **state)
{
	(void)state;
	static const struct { size_t nonce, salt; bool is_fine; } rows[] = {
		{ 1024, 1364, true }, { 1025, 4, false }, { 1024, 1368, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl *s = scram_new();
		struct slice answer;
		const char *why = NULL;
		struct buf b;
		buf_init(&b, 8192);
		buf_add_str(&b, "r=rOprNGfwEbeRWgbNEkqO");
		while (b.len < 2 + rows[i].nonce)
			buf_add_byte(&b, 'n');
		buf_add_str(&b, ",s=");
		for (size_t n = 0; n < rows[i].salt; n++)
			buf_add_byte(&b, 'A');
		buf_add_str(&b, ",i=4096");
		sasl_first(s);
		assert_int_equal(sasl_step(s, buf_slice(&b), &answer, &why), rows[i].is_fine);
		assert_true(rows[i].is_fine == (why == NULL));
		assert_int_equal(answer.len, rows[i].is_fine ? 9 + 1024 + 3 + 44 : 0);
		buf_free(&b);
		sasl_free(&s);
	}
}

static void a_challenge_past_its_limit_is_refused(void **state)
{
	(void)state;
	static char long_one[SASL_CHALLENGE_BYTES_MAX + 1];
	memset(long_one, 'x', sizeof long_one);
	for (size_t over = 0; over < 2; over++) {
		struct sasl_setup setup = setup_of(SASL_XOAUTH2);
		struct sasl *s = sasl_new(&setup);
		struct slice answer;
		const char *why = NULL;
		sasl_first(s);
		assert_int_equal(sasl_step(s, slice_make(long_one, SASL_CHALLENGE_BYTES_MAX + over), &answer, &why),
				 over == 0);
		assert_int_equal(sasl_complaint(s).len, over == 0 ? SASL_COMPLAINT_BYTES : 0);
		sasl_free(&s);
	}
}

static void names_are_escaped_where_the_grammar_wants_it(void **state)
{
	(void)state;
	struct sasl_setup setup = setup_of(SASL_SCRAM_SHA_256);
	setup.user = SLICE("a=b,c\xc3\xa4");
	struct sasl *s = sasl_new(&setup);
	assert_slice(sasl_first(s), "n,,n=a=3Db=2Cc\xc3\xa4,r=AAAAAAAAAAAAAAAAAAAAAAAA");
	sasl_free(&s);
	setup.mechanism = SASL_OAUTHBEARER;
	s = sasl_new(&setup);
	assert_slice(sasl_first(s), "n,a=a=3Db=2Cc\xc3\xa4,\001host=mail.example.com\001port=995"
				    "\001auth=Bearer pencil\001\001");
	sasl_free(&s);
	setup.mechanism = SASL_PLAIN;
	s = sasl_new(&setup);
	assert_bytes(sasl_first(s), "\0a=b,c\xc3\xa4\0pencil");
	sasl_free(&s);
}

static void plain_says_one_word_and_no_more(void **state)
{
	(void)state;
	struct sasl_setup setup = setup_of(SASL_PLAIN);
	struct sasl *s = sasl_new(&setup);
	struct slice answer;
	const char *why;
	assert_false(step(s, "", &answer, &why)); /* before the first word */
	assert_false(sasl_is_proven(s));
	assert_bytes(sasl_first(s), "\0user\0pencil");
	assert_true(sasl_is_proven(s));
	assert_false(step(s, "", &answer, &why));
	assert_non_null(why);
	sasl_free(&s);
}

/* The words of the vendors' documentation, and of RFC 7628 4.1. */
static void oauth_mechanisms_say_their_first_word(void **state)
{
	(void)state;
	struct sasl_setup setup = { .mechanism = SASL_XOAUTH2, .user = SLICE("someuser@example.com"),
				    .secret = SLICE("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") };
	struct sasl *s = sasl_new(&setup);
	struct buf b;
	buf_init(&b, 1024);
	assert_true(base64_add(&b, sasl_first(s)));
	assert_slice(buf_slice(&b), "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52"
				    "YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==");
	sasl_free(&s);
	buf_reset(&b);
	setup = (struct sasl_setup){ .mechanism = SASL_OAUTHBEARER, .user = SLICE("user@example.com"),
				     .secret = SLICE("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
				     .host = SLICE("server.example.com"), .port = 143 };
	s = sasl_new(&setup);
	assert_true(base64_add(&b, sasl_first(s)));
	assert_slice(buf_slice(&b), "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9"
				    "QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
	sasl_free(&s);
	buf_free(&b);
	setup.port = 0;
	s = sasl_new(&setup);
	assert_true(slice_find_nocase(sasl_first(s), 0, SLICE("port=")) == sasl_first(s).len);
	sasl_free(&s);
}

static void an_oauth_complaint_is_kept_and_answered_once(void **state)
{
	(void)state;
	static const struct { enum sasl_mechanism mechanism; const char *answer; } rows[] = {
		{ SASL_XOAUTH2, "" }, { SASL_OAUTHBEARER, "\001" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl_setup setup = setup_of(rows[i].mechanism);
		struct sasl *s = sasl_new(&setup);
		struct slice answer;
		const char *why;
		sasl_first(s);
		assert_true(sasl_is_proven(s));
		assert_int_equal(sasl_complaint(s).len, 0);
		assert_true(step(s, "{\"status\":\"401\",\n\"schemes\":\"b\xe4\"}", &answer, &why));
		assert_slice(answer, rows[i].answer);
		assert_slice(sasl_complaint(s), "{\"status\":\"401\",?\"schemes\":\"b?\"}");
		assert_false(sasl_is_proven(s));
		assert_false(step(s, "{}", &answer, &why));
		assert_non_null(why);
		sasl_free(&s);
		/* One without words is a complaint too. */
		s = sasl_new(&setup);
		sasl_first(s);
		assert_true(step(s, "", &answer, &why));
		assert_false(sasl_is_proven(s));
		sasl_free(&s);
	}
}

static void arguments_out_of_their_limits_are_refused(void **state)
{
	(void)state;
	static char big[SASL_ARGUMENT_BYTES_MAX + 1];
	memset(big, 'x', sizeof big);
	const struct slice full = slice_make(big, SASL_ARGUMENT_BYTES_MAX), over = slice_make(big, sizeof big);
	const struct slice fine = SLICE("u"), none = { NULL, 0 }, nul = slice_make("a\0b", 3), ctl = SLICE("a\001b");
	const struct { enum sasl_mechanism mechanism; struct slice user, secret, host; bool is_fine; } rows[] = {
		{ SASL_PLAIN, fine, fine, none, true }, { SASL_PLAIN, none, fine, none, false },
		{ SASL_PLAIN, fine, none, none, false }, { SASL_PLAIN, full, full, none, true },
		{ SASL_PLAIN, over, fine, none, false }, { SASL_PLAIN, fine, over, none, false },
		{ SASL_PLAIN, nul, fine, none, false }, { SASL_PLAIN, fine, nul, none, false },
		{ SASL_PLAIN, fine, ctl, none, true }, { SASL_XOAUTH2, ctl, fine, none, false },
		{ SASL_XOAUTH2, fine, ctl, none, false }, { SASL_XOAUTH2, fine, full, none, true },
		{ SASL_OAUTHBEARER, fine, fine, none, false }, { SASL_OAUTHBEARER, fine, fine, ctl, false },
		{ SASL_OAUTHBEARER, fine, fine, full, false }, { SASL_OAUTHBEARER, full, full, fine, true },
		{ SASL_MECHANISM_COUNT, fine, fine, fine, false }, { SASL_SCRAM_SHA_256, full, full, none, true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sasl_setup setup = { .mechanism = rows[i].mechanism, .user = rows[i].user,
					    .secret = rows[i].secret, .host = rows[i].host };
		struct sasl *s = sasl_new(&setup);
		if ((s != NULL) != rows[i].is_fine)
			fail_msg("row %zu", i);
		if (s)
			assert_true(sasl_first(s).len > 0);
		sasl_free(&s);
	}
	struct sasl_setup setup = setup_of(SASL_PLAIN);
	setup.nonce_bytes = sizeof setup.nonce + 1;
	assert_null(sasl_new(&setup));
}

/* Every byte escaped, everything as long as it may be: the words still fit. */
static void the_longest_words_fit(void **state)
{
	(void)state;
	static char commas[SASL_ARGUMENT_BYTES_MAX];
	memset(commas, ',', sizeof commas);
	const struct slice full = slice_make(commas, sizeof commas);
	struct sasl_setup setup = { .mechanism = SASL_OAUTHBEARER, .user = full, .secret = full,
				    .host = slice_make(commas, 255), .port = 65535 };
	struct sasl *s = sasl_new(&setup);
	assert_int_equal(sasl_first(s).len, 4 + 3 * 4096 + 7 + 255 + 11 + 14 - 1 + 4096 + 2);
	sasl_free(&s);
	setup.mechanism = SASL_SCRAM_SHA_256;
	s = sasl_new(&setup);
	assert_int_equal(sasl_first(s).len, 5 + 3 * 4096 + 3 + 24);
	struct slice answer;
	const char *why;
	assert_true(step(s, "r=AAAAAAAAAAAAAAAAAAAAAAAAserver,s=" SALT ",i=4096", &answer, &why));
	assert_int_equal(answer.len, 9 + 30 + 3 + 44);
	sasl_free(&s);
}

static void without_memory_there_is_no_exchange(void **state)
{
	(void)state;
	struct sasl_setup setup = setup_of(SASL_OAUTHBEARER);
	struct sasl *s = NULL;
	long n = 0;
	for (; !s; n++) {
		mem_fail_after = n;
		s = sasl_new(&setup);
		mem_fail_after = -1;
	}
	assert_int_equal(n, 4); /* three allocations, and all of them at birth */
	mem_fail_after = 0;
	assert_true(sasl_first(s).len > 0);
	mem_fail_after = -1;
	sasl_free(&s);
	sasl_free(&s);
}

static void names_are_found_in_any_case(void **state)
{
	(void)state;
	enum sasl_mechanism m;
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		assert_true(sasl_mechanism_find(slice_from_str(sasl_mechanism_name((enum sasl_mechanism)i)), &m));
		assert_int_equal(m, i);
	}
	assert_true(sasl_mechanism_find(SLICE("scram-sha-256"), &m));
	assert_int_equal(m, SASL_SCRAM_SHA_256);
	static const char *const strangers[] = { "", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "LOGIN", "CRAM-MD5", "NTLM" };
	for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
		assert_false(sasl_mechanism_find(slice_from_str(strangers[i]), &m));
	struct sasl_setup setup = setup_of(SASL_XOAUTH2);
	struct sasl *s = sasl_new(&setup);
	assert_int_equal(sasl_mechanism(s), SASL_XOAUTH2);
	sasl_free(&s);
}

/* ---- base64 ---- */

static void base64_gives_the_values_of_rfc_4648_and_takes_them_back(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" }, { "\xfb\xef\xbe", "++++" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf b;
		uint8_t out[16];
		size_t n = 99;
		buf_init(&b, 64);
		assert_true(base64_add(&b, slice_from_str(rows[i][0])));
		assert_slice(buf_slice(&b), rows[i][1]);
		assert_int_equal(b.len, base64_len(strlen(rows[i][0])));
		assert_true(base64_read(slice_from_str(rows[i][1]), out, sizeof out, &n));
		assert_slice(slice_make(out, n), rows[i][0]);
		if (n > 0)
			assert_false(base64_read(slice_from_str(rows[i][1]), out, n - 1, &n));
		buf_free(&b);
	}
}

static void base64_takes_nothing_that_encoding_would_not_give(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm8=Zm8=", "Zm 9",
		"Zm9v\n", " Zm9v", "Zm9v ", "Zm-v", "Zm_v", "Zm=v", "Z=9v", "Zm9v*", "Zg==\r\n", "\xc3\xa4\xc3\xa4",
	};
	uint8_t out[64];
	size_t n;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (base64_read(slice_from_str(rows[i]), out, sizeof out, &n))
			fail_msg("\"%s\" was taken", rows[i]);
	assert_false(base64_read(slice_make("Zm\0v", 4), out, sizeof out, &n));
}

static void base64_that_does_not_fit_adds_nothing(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 7);
	assert_true(base64_add(&b, SLICE("foo")));
	assert_false(base64_add(&b, SLICE("foo")));
	assert_slice(buf_slice(&b), "Zm9v");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram_speaks_the_example_of_rfc_7677),
		cmocka_unit_test(scram_takes_extensions_that_need_not_be_known),
		cmocka_unit_test(scram_refuses_a_first_message_that_breaks_the_rules),
		cmocka_unit_test(scram_believes_only_a_server_that_signs),
		cmocka_unit_test(a_scram_server_that_says_no_is_heard_and_not_believed),
		cmocka_unit_test(scram_bounds_nonce_and_salt),
		cmocka_unit_test(a_challenge_past_its_limit_is_refused),
		cmocka_unit_test(names_are_escaped_where_the_grammar_wants_it),
		cmocka_unit_test(plain_says_one_word_and_no_more),
		cmocka_unit_test(oauth_mechanisms_say_their_first_word),
		cmocka_unit_test(an_oauth_complaint_is_kept_and_answered_once),
		cmocka_unit_test(arguments_out_of_their_limits_are_refused),
		cmocka_unit_test(the_longest_words_fit),
		cmocka_unit_test(without_memory_there_is_no_exchange),
		cmocka_unit_test(names_are_found_in_any_case),
		cmocka_unit_test(base64_gives_the_values_of_rfc_4648_and_takes_them_back),
		cmocka_unit_test(base64_takes_nothing_that_encoding_would_not_give),
		cmocka_unit_test(base64_that_does_not_fit_adds_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
