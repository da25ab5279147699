/* SPDX-License-Identifier: Apache-2.0
 *
 * config: shows what the rows and the file say. Changes nothing.
 */
#include "main/config.h"

#include "base/mem.h"
#include "desk/text.h"
#include "main/settings.h"

enum { CONFIG_TEXT_BYTES = 8 * 1024 * 1024 };

void config_print_report(FILE *out, const struct settings_report *report)
{
	struct buf safe;
	buf_init(&safe, 8 * SETTINGS_MESSAGE_BYTES);
	for (size_t i = 0; i < report->count; i++) {
		buf_reset(&safe);
		text_safe(&safe, slice_from_str(report->messages[i].text));
		fprintf(out, "%s%s\n", report->messages[i].is_warning ? "warning: " : "", buf_str(&safe));
	}
	size_t all = report->errors + report->warnings;
	if (all > report->count)
		fprintf(out, "and %zu more\n", all - report->count);
	buf_free(&safe);
}

static enum exit_status config_check(struct desk *desk, struct settings_report *report)
{
	struct settings *s = settings_load(desk->file, report);
	if (!s) {
		config_print_report(desk->err, report);
		return EXIT_BAD_INPUT;
	}
	settings_warn(s, report);
	config_print_report(desk->err, report);
	fprintf(desk->out, "%s: fine\n", s->file[0] ? s->file : "no settings file, all defaults");
	settings_free(s);
	return EXIT_FINE;
}

static enum exit_status config_show(struct desk *desk, struct settings_report *report)
{
	struct buf text;
	struct settings *s = settings_load(desk->file, report);
	if (!s) {
		config_print_report(desk->err, report);
		return EXIT_BAD_INPUT;
	}
	buf_init(&text, CONFIG_TEXT_BYTES);
	bool is_shown = settings_show(s, &text);
	fputs(buf_str(&text), desk->out);
	buf_free(&text);
	settings_free(s);
	return is_shown ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "no memory");
}

static enum exit_status config_sample(struct desk *desk, bool want_manual)
{
	struct buf text;
	buf_init(&text, CONFIG_TEXT_BYTES);
	bool is_made = want_manual ? settings_manual(&text) : settings_sample(&text);
	fputs(buf_str(&text), desk->out);
	buf_free(&text);
	return is_made ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "no memory");
}

static enum exit_status config_run(struct desk *desk, const struct desk_args *args)
{
	const char *word = args->words[0];
	bool is_sample = strcmp(word, "sample") == 0;
	if (args->want_manual && !is_sample)
		return desk_fail(desk, EXIT_USAGE, "--man goes with sample");
	if (is_sample)
		return config_sample(desk, args->want_manual);
	bool is_check = strcmp(word, "check") == 0;
	if (!is_check && strcmp(word, "show") != 0)
		return desk_fail(desk, EXIT_USAGE, "\"%s\" is not check, show or sample", word);
	struct settings_report *report = mem_alloc(sizeof *report);
	if (!report)
		return desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	enum exit_status status = is_check ? config_check(desk, report) : config_show(desk, report);
	mem_free(report);
	return status;
}

const struct desk_command config_command = {
	.name = "config",
	.usage = "check|show|sample [-c FILE] [--man]",
	.summary = "check the settings, show those in force, or print a sample file",
	.manual = "quell-config(1), quell.yaml(5)",
	.options = DESK_MANUAL,
	.words_min = 1,
	.words_max = 1,
	.fn = config_run,
};

static void config_lend(const struct settings *s, struct desk_settings *out)
{
	*out = (struct desk_settings){
		.state = s->top.state,
		.control_socket = s->is.control_socket,
		.fetch_state = s->is.fetch_state,
		.fetch_control = s->is.fetch_control,
		.per_minute = s->release.per_minute,
		.our_hosts = s->top.our_hosts.items,
		.our_host_count = s->top.our_hosts.count,
		.own_nets = s->is.own_nets,
		.own_net_count = s->is.own_net_count,
		.relays = s->top.relays.items,
		.relay_count = s->top.relays.count,
		.authserv_id = s->top.authserv_id,
		.policy = &s->policy,
		.is_guard = s->is.is_guard,
		.has_confirmation = s->is.confirm != CONFIRM_NONE,
	};
}

bool config_host_settings(void *ctx, const char *file, FILE *err, struct desk_settings *settings_out)
{
	struct config_host *host = ctx;
	struct settings_report *report = mem_alloc(sizeof *report);
	if (!report)
		return false;
	if (!host->settings)
		host->settings = settings_load(file, report);
	if (!host->settings)
		config_print_report(err, report);
	else
		config_lend(host->settings, settings_out);
	mem_free(report);
	return host->settings != NULL;
}

void config_host_free(struct config_host *host)
{
	settings_free(host->settings);
	host->settings = NULL;
}
