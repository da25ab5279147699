/* SPDX-License-Identifier: Apache-2.0
 *
 * http: libcurl's easy interface, with everything off that could surprise.
 */
#include "net/http.h"

#include "net/addr.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>

struct post_run {
	const struct http_post *post;
	struct http_answer *answer;
	bool is_over;                 /* the answer was larger than its room */
};

static bool http_fail(char why[HTTP_WHY_BYTES], const char *text)
{
	snprintf(why, HTTP_WHY_BYTES, "%s", text);
	return false;
}

static void http_start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *ctx)
{
	struct post_run *run = ctx;
	const struct http_post *post = run->post;
	size_t len = size * count, room = post->answer_bytes_max - run->answer->len;
	run->is_over = run->is_over || len > room;
	if (run->is_over && !post->may_cut)
		return 0;
	if (len < room)
		room = len;
	if (room > 0)
		memcpy(post->answer + run->answer->len, bytes, room);
	run->answer->len += room;
	return len;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct post_run *run = ctx;
	(void)a, (void)b, (void)c, (void)d;
	return run->post->must_end && atomic_load(run->post->must_end);
}

static bool http_set_options(CURL *curl, struct post_run *run, struct curl_slist *headers, char *why)
{
	const struct http_post *p = run->post;
	CURLcode bad = CURLE_OK;
#define OPTION(name, value) bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_##name, value)
	OPTION(PROTOCOLS_STR, p->may_be_plain ? "https,http" : "https");
	OPTION(URL, p->url);
	OPTION(FOLLOWLOCATION, 0L);
	OPTION(NOSIGNAL, 1L);
	OPTION(NETRC, (long)CURL_NETRC_IGNORED);
	OPTION(SSL_VERIFYPEER, 1L);
	OPTION(SSL_VERIFYHOST, 2L);
	OPTION(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	OPTION(CONNECTTIMEOUT_MS, (long)p->connect_ms);
	OPTION(TIMEOUT_MS, (long)p->all_ms);
	OPTION(POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
	OPTION(POSTFIELDS, p->body.len ? p->body.ptr : ""); /* not copied */
	OPTION(HTTPHEADER, headers);
	OPTION(WRITEFUNCTION, on_answer);
	OPTION(WRITEDATA, run);
	OPTION(NOPROGRESS, 0L);
	OPTION(XFERINFOFUNCTION, on_progress);
	OPTION(XFERINFODATA, run);
	if (p->may_be_plain) /* the loopback of this machine, not that of a proxy */
		OPTION(NOPROXY, "localhost,127.0.0.0/8,::1");
	if (p->ca_file)
		OPTION(CAINFO, p->ca_file);
#undef OPTION
	return bad == CURLE_OK || http_fail(why, curl_easy_strerror(bad));
}

static struct curl_slist *http_headers(const struct http_post *p)
{
	struct curl_slist *list = NULL;
	for (size_t i = 0; i < p->header_count; i++) {
		struct curl_slist *longer = curl_slist_append(list, p->headers[i]);
		if (!longer) {
			curl_slist_free_all(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

bool http_post(const struct http_post *post, struct http_answer *answer_out, char why_out[HTTP_WHY_BYTES])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct post_run run = { .post = post, .answer = answer_out };
	*answer_out = (struct http_answer){ 0 };
	pthread_once(&once, http_start_curl);
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = http_headers(post);
	bool is_fine = curl && (headers || post->header_count == 0);
	is_fine = is_fine ? http_set_options(curl, &run, headers, why_out) : http_fail(why_out, "no memory");
	if (is_fine) {
		CURLcode got = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer_out->status);
		if (run.is_over && !post->may_cut) {
			snprintf(why_out, HTTP_WHY_BYTES, "the answer is larger than %zu KiB",
				 post->answer_bytes_max / 1024);
			is_fine = false;
		} else if (got != CURLE_OK) {
			is_fine = http_fail(why_out, curl_easy_strerror(got));
		}
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return is_fine;
}

static bool http_is_loopback(const char *host)
{
	struct net_addr addr;
	char text[280];
	/* Curl writes IPv6 with its brackets, and itself never asks anybody where localhost is. */
	if (host[0] != '[' && !ascii_is_digit(host[0]) && strcmp(host, "localhost") != 0)
		return false;
	snprintf(text, sizeof text, "%s:1", host);
	return strlen(host) < 256 && net_addr_parse(slice_from_str(text), &addr, NULL) && net_addr_is_local(&addr);
}

bool http_is_safe(const char *url, char why_out[HTTP_WHY_BYTES])
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL;
	bool is_fine = false;
	if (!u)
		return http_fail(why_out, "no memory");
	if (curl_url_set(u, CURLUPART_URL, url, 0) || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0))
		http_fail(why_out, "it is no URL such as https://HOST/PATH");
	else if (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && http_is_loopback(host)))
		is_fine = true;
	else if (strcmp(scheme, "http") == 0)
		http_fail(why_out, "http:// is only for this machine itself; elsewhere it must be https://");
	else
		http_fail(why_out, "it must begin with https://");
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
	return is_fine;
}
