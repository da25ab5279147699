/* SPDX-License-Identifier: Apache-2.0
 *
 * watch_command: see watch_command.h. The engine behind it only observes: the defaults of
 * the policy, no settings, no state on disk.
 */
#include "main/watch_command.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "desk/progress.h"
#include "desk/text.h"
#include "desk/watch_report.h"
#include "main/watch_feed.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { WATCH_TABLE_BYTES = 64 * 1024 * 1024, WATCH_STORM_BYTES = 16 * 1024 * 1024 };

struct watching {
	struct desk *desk;
	const struct desk_args *args;
	struct storm *storm;
	struct watch *watch;
	struct feeds *feeds;
	struct watch_news *news;
	struct json_stream json;
	struct progress progress;
	uint64_t facts, facts_left_out;
	bool is_live;            /* what happens is said as it happens */
};

static volatile sig_atomic_t is_stopped;

static void on_signal(int signal_number)
{
	(void)signal_number;
	is_stopped = 1;
}

static void watching_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* ---- what the rooms tell ---- */

static void on_incident(void *ctx, const struct incident *incident, bool is_change)
{
	struct watching *o = ctx;
	watch_news_incident(o->news, incident);
	if (!o->is_live || !is_change || !watch_news_is_storm(incident))
		return;
	progress_end(&o->progress);
	watch_text_incident(o->desk, incident);
}

static void on_rate(void *ctx, const struct rate_alarm *alarm)
{
	struct watching *o = ctx;
	watch_news_rate(o->news, alarm);
	if (!o->is_live)
		return;
	progress_end(&o->progress);
	watch_text_rate(o->desk, alarm);
}

static void on_release(void *ctx, const uint8_t pair[12], const char *why)
{
	(void)ctx;
	(void)pair;
	(void)why; /* nothing is held here */
}

static void on_mail(void *ctx, const struct watch_mail *mail)
{
	struct watching *o = ctx;
	if (o->facts == WATCH_FACTS_MAX) {
		o->facts_left_out++;
		return;
	}
	o->facts++;
	json_item(&o->json, watch_json_mail(mail));
}

static void on_trouble(void *ctx, const char *text)
{
	struct watching *o = ctx;
	progress_end(&o->progress);
	desk_fail(o->desk, EXIT_UNAVAILABLE, "%s", text);
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
	struct watching *o = ctx;
	progress_show(&o->progress, "looking over", done_bytes, all_bytes);
}

/* ---- beginning ---- */

/* Of times that name no zone: this machine's, now. */
static int local_offset_s(void)
{
	time_t now = (time_t)(clock_now_ms() / 1000);
	struct tm tm;
	return localtime_r(&now, &tm) ? (int)tm.tm_gmtoff : 0;
}

static bool watching_begin(struct watching *o, struct error *error)
{
	struct storm_setup *setup = mem_alloc(sizeof *setup);
	o->news = mem_alloc(sizeof *o->news);
	if (!setup || !o->news) {
		mem_free(setup);
		return error_set(error, EXIT_TRY_AGAIN, "no memory");
	}
	storm_policy_default(&setup->policy);
	setup->policy.memory_bytes = WATCH_STORM_BYTES;
	hash_random(setup->site_key, sizeof setup->site_key);
	hash_random(setup->stamp_key, sizeof setup->stamp_key);
	hash_random(&setup->seed, sizeof setup->seed);
	setup->effects = (struct storm_effects){ .ctx = o, .incident = on_incident, .release = on_release,
						 .rate = on_rate };
	o->storm = storm_new(setup, error);
	mem_free(setup);
	const struct watch_setup watch = { .storm = o->storm,
					   .bytes = WATCH_TABLE_BYTES,
					   .zone_offset_s = local_offset_s(),
					   .now_ms = clock_now_ms(),
					   .mail = o->args->want_facts ? on_mail : NULL,
					   .ctx = o };
	o->watch = o->storm ? watch_new(&watch, error) : NULL;
	if (!o->watch)
		return false;
	const struct feeds_setup feeds = { .names = o->args->words,
					   .count = o->args->word_count,
					   .will_follow = !o->args->want_once,
					   .watch = o->watch,
					   .stop = &is_stopped,
					   .tell = on_trouble,
					   .progress = o->progress.columns > 0 ? on_progress : NULL,
					   .ctx = o };
	o->feeds = feeds_open(&feeds, error);
	return o->feeds != NULL;
}

static void watching_end(struct watching *o)
{
	feeds_close(o->feeds);
	watch_free(o->watch);
	if (o->storm)
		storm_free(o->storm);
	if (o->news)
		watch_news_free(o->news);
	mem_free(o->news);
}

/* ---- going on ---- */

static void on_stop(void *ctx)
{
	is_stopped = 1;
	loop_stop(ctx);
}

static void watching_follow(struct watching *o)
{
	struct error error = { .text = "" };
	struct loop *loop = loop_new(&error);
	bool is_ready = loop && loop_signal(loop, SIGINT, on_stop, loop) && loop_signal(loop, SIGTERM, on_stop, loop);
	if (!is_ready)
		desk_fail(o->desk, EXIT_UNAVAILABLE, "%s", error.text[0] ? error.text : "no memory to follow them");
	else if (!is_stopped && feeds_follow(o->feeds, loop))
		loop_run(loop);
	feeds_close(o->feeds); /* it lives in the loop */
	o->feeds = NULL;
	loop_free(loop);
}

/* ---- the end ---- */

/* A file in which no line was a mail server's, nor had a time. */
static bool watching_has_no_log(struct watching *o)
{
	struct watch_counts counts;
	struct watch_source_counts source;
	bool is_any = false;
	watch_counts(o->watch, &counts);
	for (size_t i = 0; i < counts.source_count; i++) {
		watch_source_counts(o->watch, (int)i, &source);
		bool is_log = source.lines == 0 || source.format != MAILLOG_UNKNOWN || source.last_ms != 0;
		if (!is_log)
			desk_fail(o->desk, EXIT_BAD_INPUT, "%s: this is no log: none of its lines has a time or a "
				  "format that Quell knows", source.name);
		is_any |= !is_log;
	}
	return is_any;
}

static enum exit_status watching_report(struct watching *o)
{
	const struct watch_report report = { o->watch, o->storm, o->news };
	watch_end(o->watch);
	if (o->args->want_json) {
		if (o->args->want_facts) {
			json_list_end(&o->json);
			json_member(&o->json, "facts_left_out", json_integer((json_int_t)o->facts_left_out));
		}
		watch_json_report(&o->json, &report);
		json_end(&o->json);
	} else {
		watch_text_report(o->desk, &report);
	}
	bool has_no_log = watching_has_no_log(o);
	return o->news->id_count > 0 ? EXIT_FOUND : has_no_log ? EXIT_BAD_INPUT : EXIT_FINE;
}

static enum exit_status watch_command_run(struct desk *desk, const struct desk_args *args)
{
	struct watching o = { .desk = desk, .args = args, .is_live = !args->want_once && !args->want_json };
	struct error error = { .text = "" };
	if (args->want_facts && !args->want_json)
		return desk_fail(desk, EXIT_USAGE, "--facts needs --json");
	log_setup(LOG_LEVEL_WARN, false);
	progress_begin(&o.progress, desk->err, progress_columns(desk->err));
	watching_signals();
	if (!watching_begin(&o, &error)) {
		watching_end(&o);
		return desk_fail(desk, error.status ? error.status : EXIT_UNAVAILABLE, "%s", error.text);
	}
	if (args->want_json)
		json_begin(&o.json, desk->out, desk->host->version);
	if (args->want_facts)
		json_list(&o.json, "facts");
	feeds_read(o.feeds);
	progress_end(&o.progress);
	if (!args->want_once && !is_stopped)
		watching_follow(&o);
	enum exit_status status = watching_report(&o);
	watching_end(&o);
	return status;
}

const struct desk_command watch_command = {
	.name = "watch",
	.usage = "[--json [--facts]] [--once] LOG...",
	.summary = "read and follow mail logs, and tell of storms",
	.manual = "quell-watch(1)",
	.options = DESK_JSON | DESK_WATCH,
	.words_min = 1,
	.words_max = WATCH_SOURCES_MAX,
	.fn = watch_command_run,
};
