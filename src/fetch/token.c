/* SPDX-License-Identifier: Apache-2.0
 *
 * token: an access token from a program, or from the provider over https.
 *
 * The request (net/http.h) runs in a thread and shares nothing with the loop's until it
 * rang. An answer past 64 KiB is refused. Neither body is ever logged; of a refusal only
 * its error word is said, letters and "_".
 *
 * A new refresh token that cannot be written is kept in memory and complained of: the
 * old one may be dead already.
 */
#include "fetch/token.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TOKEN_ANSWER_BYTES_MAX = 64 * 1024,
	TOKEN_FORM_BYTES_MAX = 128 * 1024, /* two secrets and three texts, percent-encoded */
	TOKEN_CONNECT_MS = 10 * 1000,
	TOKEN_ALL_MS = 30 * 1000,
	TOKEN_DEFAULT_LIFE_MS = 5 * 60 * 1000,
};

struct token {
	struct loop *loop;
	const struct account_settings *settings;
	char *ca_file;               /* NULL: the system's */
	struct loop_waker *waker;
	secret_fn *fn;               /* NULL: nobody waits */
	void *ctx;
	struct secret *access;       /* the last one, good until good_until_ms */
	int64_t asked_ms, good_until_ms;
	bool was_refused;            /* since one was last taken */
	bool is_open;                /* a request is under way */
	struct secret_run *run;
	pthread_t thread;
	bool is_thread;
	atomic_bool must_end;
	/* The thread's, until it rang. */
	struct secret *fresh;        /* the access token */
	struct secret *refresh;      /* one that is newer than the file's, or NULL */
	int64_t life_ms;
	char why[256];
};

/* ---- the request: in the thread ---- */

static bool token_fail(struct token *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool token_fail(struct token *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (!t->why[0])
		vsnprintf(t->why, sizeof t->why, format, args);
	va_end(args);
	return false;
}

/* Fixed memory that is zeroed when freed. */
struct token_text {
	char *ptr;
	size_t len, room;
	bool is_over;
};

static void text_add(struct token_text *x, struct slice s)
{
	x->is_over = x->is_over || s.len > x->room - x->len;
	if (x->is_over || s.len == 0)
		return;
	memcpy(x->ptr + x->len, s.ptr, s.len);
	x->len += s.len;
}

/* application/x-www-form-urlencoded; an empty value is left out. */
static void text_add_field(struct token_text *x, const char *name, struct slice value)
{
	static const char hex[] = "0123456789ABCDEF";
	if (value.len == 0)
		return;
	if (x->len > 0)
		text_add(x, SLICE("&"));
	text_add(x, slice_from_str(name));
	text_add(x, SLICE("="));
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i], coded[3] = { '%', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 15] };
		bool is_plain = ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_';
		text_add(x, is_plain ? slice_make(&c, 1) : slice_make(coded, 3));
	}
}

static bool token_write_form(struct token *t, struct token_text *form)
{
	const struct account_settings *s = t->settings;
	struct error e = { .text = "" };
	struct secret *client = NULL, *refresh = NULL;
	bool has_refresh = s->refresh_token_file[0] != '\0', is_fine = true;
	if (s->client_secret_file[0])
		is_fine = (client = secret_read_file(s->client_secret_file, &e)) != NULL;
	if (is_fine && has_refresh && !t->refresh)
		is_fine = (refresh = secret_read_file(s->refresh_token_file, &e)) != NULL;
	text_add_field(form, "grant_type",
		       has_refresh ? SLICE("refresh_token") : SLICE("client_credentials"));
	text_add_field(form, "client_id", slice_from_str(s->client_id));
	text_add_field(form, "client_secret", secret_bytes(client));
	if (has_refresh)
		text_add_field(form, "refresh_token", secret_bytes(t->refresh ? t->refresh : refresh));
	text_add_field(form, "scope", slice_from_str(s->scope));
	secret_free(&client);
	secret_free(&refresh);
	if (!is_fine)
		return token_fail(t, "%.200s", e.text);
	return !form->is_over || token_fail(t, "the secrets are too long");
}

static bool token_post(struct token *t, const struct token_text *form, struct token_text *answer, long *status_out)
{
	static const char *const headers[] = { "Accept: application/json" };
	const struct http_post post = {
		.url = t->settings->token_url,
		.ca_file = t->ca_file,
		.headers = headers,
		.header_count = sizeof headers / sizeof headers[0],
		.body = slice_make(form->ptr, form->len),
		.answer = answer->ptr,
		.answer_bytes_max = answer->room,
		.connect_ms = TOKEN_CONNECT_MS,
		.all_ms = TOKEN_ALL_MS,
		.must_end = &t->must_end,
	};
	struct http_answer got;
	char why[HTTP_WHY_BYTES] = "";
	bool is_fine = http_post(&post, &got, why);
	answer->len = got.len;
	*status_out = got.status;
	return is_fine || token_fail(t, "token_url: %s", why);
}

/* ---- the answer: still in the thread ---- */

/* Beside, synced, renamed: at no time is there no token. */
static bool token_replace_file(const char *path, struct slice bytes)
{
	char beside[4096];
	if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside)
		return errno = ENAMETOOLONG, false;
	if (unlink(beside) != 0 && errno != ENOENT)
		return false;
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool is_fine = write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len && write(fd, "\n", 1) == 1 &&
			fsync(fd) == 0;
	is_fine = close(fd) == 0 && is_fine;
	if (is_fine && rename(beside, path) == 0)
		return true;
	int kept = errno;
	unlink(beside);
	errno = kept;
	return false;
}

static void token_sync_folder(const char *path)
{
	char folder[4096];
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path) + 1, path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

static void token_keep_refresh(struct token *t, struct slice fresh)
{
	const char *path = t->settings->refresh_token_file;
	if (fresh.len == 0 || path[0] == '\0' || fresh.len >= SECRET_BYTES_MAX)
		return;
	secret_free(&t->refresh);
	if (token_replace_file(path, fresh)) {
		token_sync_folder(path);
		return;
	}
	log_error("token", "state=unsaved file=%s trouble=\"%s\" mend=\"let quell fetch write this folder, else the "
			   "account has to be authorized again after a restart\"", path, strerror(errno));
	t->refresh = secret_copy(fresh);
}

/* The text of a member, which is zeroed by token_forget when it was read. */
static struct slice token_member(const json_t *answer, const char *name)
{
	const json_t *member = json_object_get(answer, name);
	return json_is_string(member) ? slice_make(json_string_value(member), json_string_length(member)) : SLICE("");
}

static void token_forget(const json_t *answer, const char *name)
{
	struct slice text = token_member(answer, name);
	if (text.len > 0)
		sodium_memzero((void *)(uintptr_t)text.ptr, text.len);
}

/* "400 (invalid_grant)": nothing else of the answer is shown. */
static bool token_say_refusal(struct token *t, const json_t *answer, long status)
{
	char word[48];
	size_t n = 0;
	struct slice said = token_member(answer, "error");
	for (size_t i = 0; i < said.len && n + 1 < sizeof word; i++)
		if (ascii_is_alpha(said.ptr[i]) || said.ptr[i] == '_')
			word[n++] = said.ptr[i];
	word[n] = '\0';
	if (t->refresh) /* perhaps a person put a new one into the file */
		secret_free(&t->refresh);
	return n ? token_fail(t, "token_url: refused with status %ld (%s)", status, word)
		 : token_fail(t, "token_url: refused with status %ld", status);
}

static bool token_take_answer(struct token *t, const json_t *answer, long status)
{
	struct slice access = token_member(answer, "access_token");
	if (status != 200)
		return token_say_refusal(t, answer, status);
	if (access.len == 0 || access.len >= SECRET_BYTES_MAX)
		return token_fail(t, "token_url: the answer holds no access token");
	for (size_t i = 0; i < access.len; i++)
		if (access.ptr[i] <= ' ' || access.ptr[i] > '~')
			return token_fail(t, "token_url: the access token holds bytes that none may have");
	const json_t *life = json_object_get(answer, "expires_in");
	struct slice words = token_member(answer, "expires_in"); /* some write it as a text */
	uint64_t seconds = json_is_integer(life) && json_integer_value(life) > 0 ?
			(uint64_t)json_integer_value(life) : 0;
	if (seconds == 0 && !slice_to_u64(words, &seconds))
		seconds = 0;
	if (seconds > 366 * 24 * 3600)
		seconds = 366 * 24 * 3600;
	t->life_ms = seconds ? (int64_t)seconds * 1000 * 8 / 10 : TOKEN_DEFAULT_LIFE_MS;
	token_keep_refresh(t, token_member(answer, "refresh_token"));
	t->fresh = secret_copy(access);
	return t->fresh || token_fail(t, "no memory");
}

static void *token_thread(void *ctx)
{
	struct token *t = ctx;
	struct token_text form = { .ptr = sodium_malloc(TOKEN_FORM_BYTES_MAX), .room = TOKEN_FORM_BYTES_MAX };
	struct token_text answer = { .ptr = sodium_malloc(TOKEN_ANSWER_BYTES_MAX), .room = TOKEN_ANSWER_BYTES_MAX };
	long status = 0;
	if (!form.ptr || !answer.ptr) {
		token_fail(t, "no memory");
	} else if (token_write_form(t, &form) && token_post(t, &form, &answer, &status)) {
		json_t *parsed = json_loadb(answer.ptr, answer.len, JSON_REJECT_DUPLICATES, NULL);
		if (status == 200 && !json_is_object(parsed))
			token_fail(t, "token_url: the answer is not JSON");
		else
			token_take_answer(t, parsed, status);
		token_forget(parsed, "access_token");
		token_forget(parsed, "refresh_token");
		json_decref(parsed);
	}
	sodium_free(form.ptr);
	sodium_free(answer.ptr);
	loop_waker_ring(t->waker);
	return NULL;
}

/* ---- the loop's side ---- */

static void token_end(struct token *t)
{
	if (t->is_thread)
		pthread_join(t->thread, NULL);
	t->is_thread = false;
	secret_run_cancel(&t->run);
	t->is_open = false;
}

/* Keeps what came, and tells who waits. */
static void token_settle(struct token *t)
{
	if (t->fresh) {
		secret_free(&t->access);
		t->access = t->fresh;
		t->fresh = NULL;
		t->good_until_ms = t->asked_ms + t->life_ms;
	}
	secret_fn *fn = t->fn;
	t->fn = NULL;
	if (!fn)
		return;
	struct secret *copy = t->why[0] || !t->access ? NULL : secret_copy(secret_bytes(t->access));
	fn(t->ctx, copy, copy ? NULL : t->why[0] ? t->why : "no memory"); /* may free t */
}

static void on_rung(void *ctx)
{
	struct token *t = ctx;
	if (!t->is_open)
		return;
	token_end(t);
	token_settle(t);
}

static void on_program(void *ctx, struct secret *secret, const char *why)
{
	struct token *t = ctx;
	t->life_ms = TOKEN_DEFAULT_LIFE_MS;
	t->fresh = secret;
	if (!secret)
		token_fail(t, "token_command: %.200s", why);
	token_end(t);
	token_settle(t);
}

struct token *token_new(struct loop *l, const struct account_settings *settings, const char *ca_file)
{
	if (sodium_init() < 0)
		return NULL;
	struct token *t = mem_alloc(sizeof *t);
	if (!t)
		return NULL;
	t->loop = l;
	t->settings = settings;
	t->waker = loop_waker_new(l, on_rung, t);
	t->ca_file = ca_file ? mem_copy_str(ca_file, strlen(ca_file)) : NULL;
	if (!t->waker || (ca_file && !t->ca_file))
		token_free(&t);
	return t;
}

void token_free(struct token **token)
{
	struct token *t = *token;
	*token = NULL;
	if (!t)
		return;
	atomic_store(&t->must_end, true);
	token_end(t);
	loop_waker_free(&t->waker);
	secret_free(&t->access);
	secret_free(&t->fresh);
	secret_free(&t->refresh);
	mem_free(t->ca_file);
	mem_free(t);
}

static void token_ask(struct token *t)
{
	const struct setting_list *argv = &t->settings->token_command;
	if (argv->count > 0) {
		t->run = secret_run(t->loop, argv->items, argv->count, TOKEN_ALL_MS, on_program, t);
		if (t->run)
			return;
	} else {
		sigset_t all, before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		t->is_thread = pthread_create(&t->thread, NULL, token_thread, t) == 0;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (t->is_thread)
			return;
	}
	token_fail(t, "no memory");
	loop_waker_ring(t->waker);
}

bool token_get(struct token *t, int64_t now_ms, secret_fn *fn, void *ctx)
{
	if (t->fn)
		return false;
	t->fn = fn;
	t->ctx = ctx;
	if (t->is_open) /* of one that was cancelled: its answer is as good */
		return true;
	t->is_open = true;
	t->why[0] = '\0';
	t->asked_ms = now_ms;
	if (t->access && now_ms < t->good_until_ms)
		loop_waker_ring(t->waker);
	else
		token_ask(t);
	return true;
}

void token_cancel(struct token *t)
{
	t->fn = NULL;
}

bool token_refused(struct token *t)
{
	bool may_help = !t->was_refused;
	t->was_refused = true;
	secret_free(&t->access);
	return may_help;
}

void token_taken(struct token *t)
{
	t->was_refused = false;
}
