/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "fetch/token.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a server with one canned answer ---- */

static struct {
	int fd;
	uint16_t port;
	SSL_CTX *tls;
	pthread_t thread;
	atomic_uint answered;
	atomic_bool is_silent;
	char answer[200 * 1024];
	size_t answer_len;
	char asked[64 * 1024];
} server;

static char folder[] = "/tmp/quell-token-XXXXXX", ca_file[128], refresh_file[128], client_file[128], url[128];

static void set_answer(const char *status, const char *headers, const char *body)
{
	server.answer_len = (size_t)snprintf(server.answer, sizeof server.answer,
					"HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n"
					     "Connection: close\r\n\r\n%s", status, headers, strlen(body), body);
}

/* Reads head and body of one request. */
static void read_request(SSL *tls)
{
	size_t used = 0;
	for (;;) {
		int got = SSL_read(tls, server.asked + used, (int)(sizeof server.asked - 1 - used));
		if (got <= 0)
			return;
		used += (size_t)got;
		server.asked[used] = '\0';
		const char *length = strstr(server.asked, "Content-Length: "), *body = strstr(server.asked, "\r\n\r\n");
		if (length && body && used >= (size_t)(body + 4 - server.asked) + strtoul(length + 16, NULL, 10))
			return;
	}
}

static void *serve(void *ctx)
{
	(void)ctx;
	for (;;) {
		int fd = accept(server.fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		SSL *tls = SSL_new(server.tls);
		SSL_set_fd(tls, fd);
		if (SSL_accept(tls) == 1) {
			read_request(tls);
			while (atomic_load(&server.is_silent))
				usleep(1000);
			SSL_write(tls, server.answer, (int)server.answer_len);
			atomic_fetch_add(&server.answered, 1);
			SSL_shutdown(tls);
		}
		SSL_free(tls);
		close(fd);
		ERR_clear_error();
	}
}

static void make_certificate(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
			-1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	char name[] = "IP:127.0.0.1", is_ca[] = "critical,CA:TRUE";
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
	X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, is_ca);
	X509_add_ext(x, names, -1);
	X509_add_ext(x, ca, -1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	FILE *f = fopen(ca_file, "w");
	assert_non_null(f);
	PEM_write_X509(f, x);
	fclose(f);
	server.tls = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(server.tls, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server.tls, key), 1);
	X509_EXTENSION_free(names);
	X509_EXTENSION_free(ca);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int start_server(void **state)
{
	(void)state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return -1;
	snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
	snprintf(refresh_file, sizeof refresh_file, "%s/refresh", folder);
	snprintf(client_file, sizeof client_file, "%s/client", folder);
	make_certificate();
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(server.fd, 16) != 0 ||
	    getsockname(server.fd, (struct sockaddr *)&at, &len) != 0)
		return -1;
	server.port = ntohs(at.sin_port);
	snprintf(url, sizeof url, "https://127.0.0.1:%u/token", server.port);
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("ALL_PROXY");
	unsetenv("all_proxy");
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
	(void)state;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	SSL_CTX_free(server.tls);
	unlink(ca_file);
	unlink(refresh_file);
	unlink(client_file);
	return rmdir(folder);
}

/* ---- one who asks ---- */

struct asker {
	struct loop *loop;
	struct account_settings settings;
	struct token *token;
	unsigned calls;
	char secret[256], why[256];
};

static void hear(void *ctx, struct secret *secret, const char *why)
{
	struct asker *a = ctx;
	a->calls++;
	snprintf(a->secret, sizeof a->secret, "%.*s", SLICE_ARG(secret_bytes(secret)));
	snprintf(a->why, sizeof a->why, "%s", secret ? "" : why);
	secret_free(&secret);
}

static void write_file(const char *path, const char *text)
{
	unlink(path);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
}

static void assert_file(const char *path, const char *text)
{
	char got[256] = "";
	struct stat info;
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(got, 1, sizeof got - 1, f);
	fclose(f);
	got[n] = '\0';
	assert_string_equal(got, text);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void begin(struct asker *a, const char *authorities)
{
	*a = (struct asker){ .loop = loop_new(NULL) };
	a->settings = (struct account_settings){ .token_url = url, .client_id = "my app", .client_secret_file = "",
						 .refresh_token_file = refresh_file, .scope = "https://mail/" };
	write_file(refresh_file, "r+1\n");
	write_file(client_file, "c&s\n");
	a->token = token_new(a->loop, &a->settings, authorities);
	assert_non_null(a->token);
	atomic_store(&server.answered, 0);
	atomic_store(&server.is_silent, false);
	server.asked[0] = '\0';
}

static void end(struct asker *a)
{
	token_free(&a->token);
	assert_null(a->token);
	loop_free(a->loop);
}

static void ask(struct asker *a, int64_t now_ms)
{
	unsigned before = a->calls;
	assert_true(token_get(a->token, now_ms, hear, a));
	assert_int_equal(a->calls, before); /* never from within */
	assert_false(token_get(a->token, now_ms, hear, a));
	while (a->calls == before)
		loop_run_once(a->loop, -1);
	assert_int_equal(a->calls, before + 1);
}

static void a_token_is_refreshed_and_kept_for_four_fifths_of_its_life(void **state)
{
	(void)state;
	struct asker a;
	begin(&a, ca_file);
	set_answer("200 OK", "", "{\"access_token\":\"at-1\",\"expires_in\":1000,\"token_type\":\"Bearer\"}");
	ask(&a, 5000);
	assert_string_equal(a.why, "");
	assert_string_equal(a.secret, "at-1");
	assert_non_null(strstr(server.asked, "POST /token HTTP/1.1\r\n"));
	assert_non_null(strstr(server.asked, "\r\n\r\ngrant_type=refresh_token&client_id=my%20app&refresh_token=r%2B1&"
					     "scope=https%3A%2F%2Fmail%2F"));
	assert_file(refresh_file, "r+1\n");
	set_answer("200 OK", "", "{\"access_token\":\"at-2\",\"expires_in\":\"1000\"}");
	ask(&a, 5000 + 800 * 1000 - 1);
	assert_string_equal(a.secret, "at-1");
	assert_int_equal(atomic_load(&server.answered), 1);
	ask(&a, 5000 + 800 * 1000);
	assert_string_equal(a.secret, "at-2");
	set_answer("200 OK", "", "{\"access_token\":\"at-3\"}");
	ask(&a, 10000 * 1000);
	assert_string_equal(a.secret, "at-3");
	ask(&a, 10000 * 1000 + 5 * 60 * 1000 - 1);
	assert_int_equal(atomic_load(&server.answered), 3);
	ask(&a, 10000 * 1000 + 5 * 60 * 1000);
	assert_int_equal(atomic_load(&server.answered), 4);
	end(&a);
}

static void a_new_refresh_token_replaces_the_one_in_the_file(void **state)
{
	(void)state;
	struct asker a;
	begin(&a, ca_file);
	a.settings.client_secret_file = client_file;
	set_answer("200 OK", "", "{\"access_token\":\"at\",\"refresh_token\":\"r-2\",\"expires_in\":1}");
	ask(&a, 0);
	assert_string_equal(a.secret, "at");
	assert_non_null(strstr(server.asked, "&client_secret=c%26s&"));
	assert_file(refresh_file, "r-2\n");
	ask(&a, 1000);
	assert_non_null(strstr(server.asked, "&refresh_token=r-2"));
	/* Where it cannot be written it is used all the same: the old one may be dead. */
	char beside[160];
	snprintf(beside, sizeof beside, "%s.new", refresh_file);
	assert_int_equal(mkdir(beside, 0700), 0);
	set_answer("200 OK", "", "{\"access_token\":\"at\",\"refresh_token\":\"r-3\",\"expires_in\":1}");
	ask(&a, 2000);
	assert_file(refresh_file, "r-2\n");
	ask(&a, 3000);
	assert_non_null(strstr(server.asked, "&refresh_token=r-3"));
	rmdir(beside);
	end(&a);
}

static void without_a_refresh_token_the_application_asks_for_itself(void **state)
{
	(void)state;
	struct asker a;
	begin(&a, ca_file);
	a.settings.refresh_token_file = "";
	a.settings.client_secret_file = client_file;
	set_answer("200 OK", "", "{\"access_token\":\"at\",\"expires_in\":3600}");
	ask(&a, 0);
	assert_string_equal(a.secret, "at");
	assert_non_null(strstr(server.asked,
			"grant_type=client_credentials&client_id=my%20app&client_secret=c%26s&scope="));
	end(&a);
}

static void a_bad_answer_is_one_line_without_what_it_held(void **state)
{
	static char large[100 * 1024];
	static const struct {
		const char *status, *body, *why;
	} cases[] = {
		{ "400 Bad Request", "{\"error\":\"invalid_grant\",\"error_description\":\"hush\"}",
		  "token_url: refused with status 400 (invalid_grant)" },
		{ "401 No", "{\"error\":\"\\u001b[31mhush 1\"}", "token_url: refused with status 401 (mhush)" },
		{ "500 No", "hush", "token_url: refused with status 500" },
		{ "302 Found", "", "token_url: refused with status 302" },
		{ "200 OK", "hush", "token_url: the answer is not JSON" },
		{ "200 OK", "[]", "token_url: the answer is not JSON" },
		{ "200 OK", "{\"access_token\":7}", "token_url: the answer holds no access token" },
		{ "200 OK", "{\"access_token\":\"hush\\r\\nx\"}",
		  "token_url: the access token holds bytes that none may have" },
		{ "200 OK", large, "token_url: the answer is larger than 64 KiB" },
	};
	(void)state;
	memset(large, ' ', sizeof large - 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct asker a;
		begin(&a, ca_file);
		set_answer(cases[i].status, "Location: http://127.0.0.1:1/\r\n", cases[i].body);
		ask(&a, 0);
		assert_string_equal(a.secret, "");
		assert_string_equal(a.why, cases[i].why);
		end(&a);
	}
}

static void nothing_is_sent_to_whom_the_authorities_do_not_know_or_in_the_clear(void **state)
{
	(void)state;
	struct asker a;
	char other[128], plain[128];
	begin(&a, NULL);
	ask(&a, 0);
	assert_non_null(strstr(a.why, "certificate"));
	assert_string_equal(server.asked, "");
	end(&a);
	begin(&a, ca_file);
	snprintf(other, sizeof other, "https://localhost:%u/token", server.port); /* not in the certificate */
	a.settings.token_url = other;
	ask(&a, 0);
	assert_string_equal(a.secret, "");
	assert_string_equal(server.asked, "");
	snprintf(plain, sizeof plain, "http://127.0.0.1:%u/token", server.port);
	a.settings.token_url = plain;
	ask(&a, 0);
	assert_string_equal(a.why, "token_url: Unsupported protocol");
	end(&a);
}

static void a_secret_file_that_others_may_read_is_not_used(void **state)
{
	(void)state;
	struct asker a;
	begin(&a, ca_file);
	chmod(refresh_file, 0644);
	ask(&a, 0);
	assert_non_null(strstr(a.why, "mend: chmod 600 "));
	assert_string_equal(server.asked, "");
	end(&a);
}

static void a_program_gives_a_token_for_five_minutes(void **state)
{
	(void)state;
	struct asker a;
	char count[160], script[512];
	begin(&a, NULL);
	snprintf(count, sizeof count, "%s/count", folder);
	snprintf(script, sizeof script, "echo x >>%s; wc -l <%s", count, count);
	const char *const argv[] = { "/bin/sh", "-c", script }, *const fails[] = { "/bin/false" };
	a.settings.token_command = (struct setting_list){ argv, 3 };
	ask(&a, 0);
	assert_string_equal(a.secret, "1");
	ask(&a, 5 * 60 * 1000 - 1);
	assert_string_equal(a.secret, "1");
	ask(&a, 5 * 60 * 1000);
	assert_string_equal(a.secret, "2");
	a.settings.token_command = (struct setting_list){ fails, 1 };
	ask(&a, 10 * 60 * 1000);
	assert_string_equal(a.secret, "");
	assert_string_equal(a.why, "token_command: /bin/false: ended with status 1");
	unlink(count);
	end(&a);
}

static void a_refused_token_is_fetched_anew_once(void **state)
{
	(void)state;
	struct asker a;
	begin(&a, ca_file);
	set_answer("200 OK", "", "{\"access_token\":\"at-1\",\"expires_in\":1000}");
	ask(&a, 0);
	set_answer("200 OK", "", "{\"access_token\":\"at-2\",\"expires_in\":1000}");
	assert_true(token_refused(a.token));
	ask(&a, 1);
	assert_string_equal(a.secret, "at-2");
	assert_false(token_refused(a.token));
	ask(&a, 2);
	token_taken(a.token);
	assert_true(token_refused(a.token));
	assert_int_equal(atomic_load(&server.answered), 3);
	end(&a);
}

static void who_cancelled_hears_nothing_and_the_answer_is_kept(void **state)
{
	(void)state;
	struct asker a;
	begin(&a, ca_file);
	set_answer("200 OK", "", "{\"access_token\":\"at\",\"expires_in\":1000}");
	atomic_store(&server.is_silent, true);
	assert_true(token_get(a.token, 0, hear, &a));
	token_cancel(a.token);
	loop_run_once(a.loop, 0);
	assert_true(token_get(a.token, 0, hear, &a)); /* takes over the request that is open */
	atomic_store(&server.is_silent, false);
	while (a.calls == 0)
		loop_run_once(a.loop, -1);
	assert_string_equal(a.secret, "at");
	assert_int_equal(atomic_load(&server.answered), 1);
	end(&a);
	begin(&a, ca_file); /* and one who goes away does not wait for the server */
	atomic_store(&server.is_silent, true);
	assert_true(token_get(a.token, 0, hear, &a));
	end(&a);
	assert_int_equal(a.calls, 0);
	atomic_store(&server.is_silent, false);
}

static void without_memory_it_says_so_and_leaks_nothing(void **state)
{
	(void)state;
	struct asker a;
	unsigned refused = 0;
	const char *const argv[] = { "/bin/echo", "x" };
	begin(&a, ca_file);
	for (long n = 0; n < 6; n++) {
		mem_fail_after = n;
		struct token *t = token_new(a.loop, &a.settings, ca_file);
		mem_fail_after = -1;
		refused += t == NULL;
		token_free(&t);
	}
	assert_true(refused > 0 && refused < 6);
	a.settings.token_command = (struct setting_list){ argv, 2 };
	mem_fail_after = 0;
	assert_true(token_get(a.token, 0, hear, &a));
	mem_fail_after = -1;
	assert_int_equal(a.calls, 0);
	while (a.calls == 0)
		loop_run_once(a.loop, -1);
	assert_string_equal(a.why, "no memory");
	ask(&a, 0);
	assert_string_equal(a.secret, "x");
	end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_refreshed_and_kept_for_four_fifths_of_its_life),
		cmocka_unit_test(a_new_refresh_token_replaces_the_one_in_the_file),
		cmocka_unit_test(without_a_refresh_token_the_application_asks_for_itself),
		cmocka_unit_test(a_bad_answer_is_one_line_without_what_it_held),
		cmocka_unit_test(nothing_is_sent_to_whom_the_authorities_do_not_know_or_in_the_clear),
		cmocka_unit_test(a_secret_file_that_others_may_read_is_not_used),
		cmocka_unit_test(a_program_gives_a_token_for_five_minutes),
		cmocka_unit_test(a_refused_token_is_fetched_anew_once),
		cmocka_unit_test(who_cancelled_hears_nothing_and_the_answer_is_kept),
		cmocka_unit_test(without_memory_it_says_so_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
