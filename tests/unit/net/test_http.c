/* SPDX-License-Identifier: Apache-2.0
 *
 * Which URLs a secret may go to; what a POST says is tried by the token's tests and by
 * the real ones, against servers.
 */
#include "../unit.h"

#include "net/addr.h"
#include "net/http.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void only_https_and_this_machine_are_safe(void **state)
{
	static const struct {
		const char *url;
		const char *why; /* part of it; NULL: safe */
	} cases[] = {
		{ "https://chat.example/hooks/abc", NULL },
		{ "HTTPS://chat.example:8443", NULL },
		{ "https://[2001:db8::1]/x", NULL },
		{ "http://127.0.0.1:8080/x", NULL },
		{ "http://localhost/x", NULL },
		{ "http://[::1]:8080/x", NULL },
		{ "http://127.8.9.10/", NULL },
		{ "http://chat.example/", "only for this machine" },
		{ "http://127.0.0.1@chat.example/", "only for this machine" },
		{ "http://127.0.0.1.chat.example/", "only for this machine" },
		{ "http://localhost.example/", "only for this machine" },
		{ "http://[::ffff:192.0.2.1]/", "only for this machine" },
		{ "http://192.0.2.1/", "only for this machine" },
		{ "http://0.0.0.0/", "only for this machine" },
		{ "http://inet/", "only for this machine" },
		{ "http://unix/", "only for this machine" },
		{ "ftp://127.0.0.1/", "must begin with https://" },
		{ "file:///etc/passwd", "it" },
		{ "127.0.0.1/hook", "no URL" },
		{ "https://", "no URL" },
		{ "https://a b/", "no URL" },
		{ "", "no URL" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char why[HTTP_WHY_BYTES] = "";
		bool is_safe = http_is_safe(cases[i].url, why);
		if (is_safe != !cases[i].why || (cases[i].why && !strstr(why, cases[i].why)))
			fail_msg("%s: \"%s\"", cases[i].url, why);
	}
}

static void nothing_is_sent_in_the_clear_unless_that_was_allowed(void **state)
{
	(void)state;
	atomic_bool must_end = false;
	struct http_answer answer;
	char why[HTTP_WHY_BYTES] = "";
	struct http_post post = {
		.url = "http://127.0.0.1:9/", .body = SLICE("x"), .connect_ms = 1000, .all_ms = 2000,
		.must_end = &must_end,
	};
	assert_false(http_post(&post, &answer, why));
	assert_non_null(strstr(why, "rotocol"));
	assert_int_equal(answer.status, 0);
}

static void one_that_is_to_end_does_not_wait_for_a_silent_server(void **state)
{
	(void)state;
	struct net_addr addr;
	socklen_t len = sizeof addr.storage;
	atomic_bool must_end = true;
	struct http_answer answer;
	char why[HTTP_WHY_BYTES] = "", url[64];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(net_addr_parse(SLICE("127.0.0.1:1"), &addr, NULL));
	((struct sockaddr_in *)&addr.storage)->sin_port = 0;
	assert_int_equal(bind(fd, &addr.any, addr.len), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, &addr.any, &len), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(((struct sockaddr_in *)&addr.storage)->sin_port));
	struct http_post post = {
		.url = url, .may_be_plain = true, .body = SLICE("x"), .connect_ms = 60000, .all_ms = 600000,
		.must_end = &must_end,
	};
	assert_false(http_post(&post, &answer, why));
	assert_non_null(strstr(why, "abort"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_https_and_this_machine_are_safe),
		cmocka_unit_test(nothing_is_sent_in_the_clear_unless_that_was_allowed),
		cmocka_unit_test(one_that_is_to_end_does_not_wait_for_a_silent_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
