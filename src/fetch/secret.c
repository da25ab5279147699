/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: the first line that a program prints, straight into locked memory. A program
 * that fails afterwards gave no secret.
 */
#include "fetch/secret.h"

#include "base/mem.h"
#include "net/program.h"

#include <stdio.h>

struct secret_run {
	struct program *program;
	struct secret *secret;
	bool may_say_nothing;
	secret_fn *fn;
	void *ctx;
	char why[256];
};

static void run_ended(void *ctx, const struct program_end *end)
{
	struct secret_run *r = ctx;
	struct secret *secret = r->secret;
	const char *why = NULL;
	bool is_fine = end->is_fine, is_silent = end->answer_len == 0 && r->may_say_nothing;
	snprintf(r->why, sizeof r->why, "%s", end->why);
	if (is_fine && !is_silent && !secret_first_line(secret, end->answer_len, &why)) {
		snprintf(r->why, sizeof r->why, "%.100s: of what it printed, %s", end->name, why);
		is_fine = false;
	}
	r->secret = NULL;
	if (!is_fine)
		secret_free(&secret);
	r->fn(r->ctx, secret, r->why); /* may free r */
}

static struct secret_run *secret_run_new(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
					 bool may_say_nothing, secret_fn *fn, void *ctx)
{
	struct secret_run *r = mem_alloc(sizeof *r);
	if (!r)
		return NULL;
	r->fn = fn;
	r->ctx = ctx;
	r->may_say_nothing = may_say_nothing;
	r->secret = secret_new();
	if (r->secret) {
		const struct program_setup setup = {
			.loop = l, .argv = argv, .argc = argc, .timeout_ms = timeout_ms,
			.answer = secret_room(r->secret), .answer_bytes_max = SECRET_BYTES_MAX,
		};
		r->program = program_start(&setup, run_ended, r);
	}
	if (!r->program)
		secret_run_cancel(&r);
	return r;
}

struct secret_run *secret_run(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
			      secret_fn *fn, void *ctx)
{
	return secret_run_new(l, argv, argc, timeout_ms, false, fn, ctx);
}

struct secret_run *secret_run_any(struct loop *l, const char *const *argv, size_t argc, int64_t timeout_ms,
				  secret_fn *fn, void *ctx)
{
	return secret_run_new(l, argv, argc, timeout_ms, true, fn, ctx);
}

void secret_run_cancel(struct secret_run **run)
{
	struct secret_run *r = *run;
	*run = NULL;
	if (!r)
		return;
	program_stop(&r->program);
	secret_free(&r->secret);
	mem_free(r);
}
