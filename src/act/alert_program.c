/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_program: the JSON on a program's standard input. It must end with status 0.
 */
#include "act/alert_inner.h"

#include "base/mem.h"
#include "net/program.h"

enum { COMMAND_TIMEOUT_MS = 60 * 1000 };

struct command {
	struct alert_way *way;
	struct program *program;
};

static bool command_is_wanted(const struct alert_settings *s)
{
	return s->command.count > 0;
}

static void command_on_end(void *ctx, const struct program_end *end)
{
	struct command *c = ctx;
	alert_told(c->way, end->is_fine, end->why);
}

static void command_end(void *deed)
{
	struct command *c = deed;
	program_stop(&c->program);
	mem_free(c);
}

static void *command_begin(struct alert_way *way, const struct alert_notice *notice)
{
	const struct setting_list *argv = &way->alert->settings->command;
	const struct program_setup setup = {
		.loop = way->alert->setup.loop, .argv = argv->items, .argc = argv->count,
		.input = buf_slice(&notice->json), .timeout_ms = COMMAND_TIMEOUT_MS,
	};
	struct command *c = mem_alloc(sizeof *c);
	if (!c)
		return NULL;
	c->way = way;
	c->program = program_start(&setup, command_on_end, c);
	if (c->program)
		return c;
	command_end(c);
	return NULL;
}

const struct alert_kind alert_program_kind = { "command", command_is_wanted, command_begin, command_end };
