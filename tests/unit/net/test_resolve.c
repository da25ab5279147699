/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "net/resolve.h"

struct answer {
	struct loop *l;
	int calls;
	size_t count;
	char first[NET_ADDR_TEXT_BYTES], second[NET_ADDR_TEXT_BYTES], why[512];
};

static void on_answer(void *ctx, const struct net_addr *addrs, size_t count, const char *why)
{
	struct answer *a = ctx;
	a->calls++;
	a->count = count;
	if (count > 0)
		net_addr_text(&addrs[0], a->first);
	if (count > 1)
		net_addr_text(&addrs[1], a->second);
	snprintf(a->why, sizeof a->why, "%s", why ? why : "");
	loop_stop(a->l);
}

static void ask(struct answer *a, const char *host, int64_t timeout_ms)
{
	*a = (struct answer){ .l = a->l };
	assert_non_null(resolve_start(a->l, host, 995, timeout_ms, on_answer, a));
	assert_int_equal(a->calls, 0); /* never from within */
	loop_run(a->l);
	assert_int_equal(a->calls, 1);
}

static void literals_need_no_server(void **state)
{
	static const struct {
		const char *host, *address;
	} cases[] = {
		{ "192.0.2.7", "192.0.2.7:995" },
		{ "2001:db8::7", "[2001:db8::7]:995" },
		{ "[2001:db8::7]", "[2001:db8::7]:995" },
	};
	(void)state;
	struct answer a = { .l = loop_new(NULL) };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ask(&a, cases[i].host, 1000);
		assert_int_equal(a.count, 1);
		assert_string_equal(a.first, cases[i].address);
	}
	assert_null(loop_resolver(a.l)); /* nothing of evdns was made */
	loop_free(a.l);
}

static void localhost_has_both_families_in_turn(void **state)
{
	(void)state;
	struct answer a = { .l = loop_new(NULL) };
	ask(&a, "LocalHost", 1000);
	assert_int_equal(a.count, 2);
	assert_string_equal(a.first, "[::1]:995");
	assert_string_equal(a.second, "127.0.0.1:995");
	assert_null(loop_resolver(a.l));
	loop_free(a.l);
}

static void a_host_that_is_not_found_is_told_in_words(void **state)
{
	(void)state;
	struct answer a = { .l = loop_new(NULL) };
	ask(&a, "nowhere.invalid", 300);
	assert_int_equal(a.count, 0);
	assert_non_null(strstr(a.why, "nowhere.invalid"));
	/* The loop's resolver is made once. */
	void *resolver = loop_resolver(a.l);
	assert_non_null(resolver);
	ask(&a, "elsewhere.invalid", 300);
	assert_non_null(strstr(a.why, "elsewhere.invalid"));
	assert_ptr_equal(loop_resolver(a.l), resolver);
	loop_free(a.l);
}

static void what_can_be_no_name_is_refused_in_words(void **state)
{
	(void)state;
	char host[400];
	struct answer a = { .l = loop_new(NULL) };
	memset(host, 'x', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	ask(&a, host, 1000);
	assert_int_equal(a.count, 0);
	assert_non_null(strstr(a.why, "is no host name"));
	ask(&a, "", 1000);
	assert_int_equal(a.count, 0);
	assert_non_null(strstr(a.why, "is no host name"));
	host[200] = '\0'; /* one label longer than DNS can carry */
	ask(&a, host, 300);
	assert_int_equal(a.count, 0);
	assert_non_null(strstr(a.why, "cannot be looked up"));
	loop_free(a.l);
}

static void a_cancelled_question_is_never_answered(void **state)
{
	static const char *const hosts[] = { "192.0.2.7", "localhost", "nowhere.invalid" };
	(void)state;
	struct answer a = { .l = loop_new(NULL) };
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		struct resolve *r = resolve_start(a.l, hosts[i], 25, 50, on_answer, &a);
		resolve_cancel(&r);
		assert_null(r);
		resolve_cancel(&r);
		loop_run_once(a.l, 100);
	}
	/* One is still with evdns when the loop is freed. */
	struct resolve *last = resolve_start(a.l, "later.invalid", 25, 5000, on_answer, &a);
	resolve_cancel(&last);
	assert_int_equal(a.calls, 0);
	loop_free(a.l);
}

static void want_of_memory_is_told_or_gives_null(void **state)
{
	(void)state;
	for (long n = 0; n < 5; n++) {
		struct answer a = { .l = loop_new(NULL) };
		mem_fail_after = n;
		struct resolve *r = resolve_start(a.l, "nowhere.invalid", 25, 200, on_answer, &a);
		mem_fail_after = -1;
		if (r)
			loop_run(a.l);
		assert_int_equal(a.calls, r ? 1 : 0);
		assert_int_equal(a.count, 0);
		if (n == 2 || n == 3) /* request and timer are there, the rest is not */
			assert_non_null(strstr(a.why, "no memory"));
		loop_free(a.l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_need_no_server),
		cmocka_unit_test(localhost_has_both_families_in_turn),
		cmocka_unit_test(a_host_that_is_not_found_is_told_in_words),
		cmocka_unit_test(what_can_be_no_name_is_refused_in_words),
		cmocka_unit_test(a_cancelled_question_is_never_answered),
		cmocka_unit_test(want_of_memory_is_told_or_gives_null),
	};
	return cmocka_run_group_tests_name("net resolve", tests, NULL, NULL);
}
