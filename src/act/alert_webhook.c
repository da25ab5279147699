/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_webhook: the JSON by POST, in a thread (net/http.h). Any 2yz counts as told; what
 * the answer says beside that is not looked at. The secret is read anew each time, so that
 * it can be changed without a reload.
 */
#include "act/alert_inner.h"

#include "base/mem.h"
#include "base/secret.h"
#include "net/errand.h"
#include "net/http.h"

#include <stdio.h>

enum { WEBHOOK_CONNECT_MS = 10 * 1000, WEBHOOK_ALL_MS = 30 * 1000 };

struct webhook {
	struct alert_way *way;
	struct errand *errand;
	char *url, *secret_file, *ca_file;
	struct buf json;
	atomic_bool must_end;
	/* The thread's, until the errand is done. */
	bool is_fine;
	char why[512];
};

static bool webhook_is_wanted(const struct alert_settings *s)
{
	return s->webhook[0] != '\0';
}

static bool webhook_fail(struct webhook *w, const char *why)
{
	snprintf(w->why, sizeof w->why, "%s", why);
	return false;
}

/* "Authorization: Bearer ..." in locked memory; NULL and why. */
static struct secret *webhook_bearer(struct webhook *w)
{
	static const char head[] = "Authorization: Bearer ";
	struct error error = { .text = "no memory" };
	struct secret *key = secret_read_file(w->secret_file, &error), *line = key ? secret_new() : NULL;
	struct slice bytes = secret_bytes(key);
	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.ptr[i] < ' ' || bytes.ptr[i] > '~')
			secret_free(&line); /* it would begin another header field */
	if (line && bytes.len + sizeof head <= SECRET_BYTES_MAX) {
		memcpy(secret_room(line), head, sizeof head - 1);
		memcpy(secret_room(line) + sizeof head - 1, bytes.ptr, bytes.len);
		secret_room(line)[sizeof head - 1 + bytes.len] = '\0';
	} else {
		secret_free(&line);
		webhook_fail(w, key ? "the first line of webhook_secret_file is no bearer token" : error.text);
	}
	secret_free(&key);
	return line;
}

static bool webhook_post(struct webhook *w, const char *bearer)
{
	const char *const headers[] = { "Content-Type: application/json", "Accept: */*", "User-Agent: quell",
					"Expect:", bearer };
	const struct http_post post = {
		.url = w->url, .may_be_plain = true, .ca_file = w->ca_file[0] ? w->ca_file : NULL, .headers = headers,
		.header_count = sizeof headers / sizeof headers[0] - (bearer ? 0 : 1), .body = buf_slice(&w->json),
		.may_cut = true, .connect_ms = WEBHOOK_CONNECT_MS, .all_ms = WEBHOOK_ALL_MS, .must_end = &w->must_end,
	};
	struct http_answer answer;
	char why[HTTP_WHY_BYTES] = "";
	/* Asked again, though the settings were: http:// would be sent to whatever host. */
	if (!http_is_safe(w->url, why) || !http_post(&post, &answer, why))
		return webhook_fail(w, why);
	if (answer.status >= 200 && answer.status < 300)
		return true;
	snprintf(w->why, sizeof w->why, "answered with status %ld", answer.status);
	return false;
}

static void webhook_work(void *ctx)
{
	struct webhook *w = ctx;
	struct secret *bearer = NULL;
	if (w->secret_file[0] && !(bearer = webhook_bearer(w)))
		return;
	w->is_fine = webhook_post(w, bearer ? secret_room(bearer) : NULL);
	secret_free(&bearer);
}

static void webhook_done(void *ctx)
{
	struct webhook *w = ctx;
	alert_told(w->way, w->is_fine, w->why);
}

static void webhook_end(void *deed)
{
	struct webhook *w = deed;
	atomic_store(&w->must_end, true);
	errand_end(&w->errand);
	buf_free(&w->json);
	mem_free(w->url);
	mem_free(w->secret_file);
	mem_free(w->ca_file);
	mem_free(w);
}

static void *webhook_begin(struct alert_way *way, const struct alert_notice *notice)
{
	const struct alert_settings *s = way->alert->settings;
	struct webhook *w = mem_alloc(sizeof *w);
	if (!w)
		return NULL;
	w->way = way;
	w->url = mem_copy_str(s->webhook, strlen(s->webhook));
	w->secret_file = mem_copy_str(s->webhook_secret_file, strlen(s->webhook_secret_file));
	w->ca_file = mem_copy_str(s->webhook_ca_file, strlen(s->webhook_ca_file));
	buf_init(&w->json, notice->json.len + 1);
	if (w->url && w->secret_file && w->ca_file && buf_add(&w->json, buf_slice(&notice->json)))
		w->errand = errand_start(way->alert->setup.loop, webhook_work, webhook_done, w);
	if (w->errand)
		return w;
	webhook_end(w);
	return NULL;
}

const struct alert_kind alert_webhook_kind = { "webhook", webhook_is_wanted, webhook_begin, webhook_end };
