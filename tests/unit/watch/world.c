/* SPDX-License-Identifier: Apache-2.0
 *
 * world: see world.h.
 */
#include "world.h"

static const char *status_word(enum watch_status status)
{
	static const char *const words[] = { "open", "sent", "deferred", "bounced", "expired" };
	return words[status];
}

static void on_mail(void *ctx, const struct watch_mail *mail)
{
	struct world *w = ctx;
	w->mails++;
	w->dovecots += mail->format == MAILLOG_DOVECOT;
	w->last = *mail;
	w->first_ms = mail->first_ms;
	w->last_ms = mail->last_ms;
	snprintf(w->server, sizeof w->server, "%.*s", SLICE_ARG(mail->server));
	snprintf(w->message_id, sizeof w->message_id, "%.*s", SLICE_ARG(mail->message_id));
	snprintf(w->client, sizeof w->client, "%.*s", SLICE_ARG(mail->client_name));
	if (w->told.len > 16 * 1024)
		return;
	buf_addf(&w->told, "%.*s %.*s>", SLICE_ARG(mail->queue_id), SLICE_ARG(mail->from));
	for (size_t i = 0; i < mail->rcpt_count; i++)
		buf_addf(&w->told, "%s%.*s=%s", i ? "," : "", SLICE_ARG(mail->rcpts[i].address),
			 status_word(mail->rcpts[i].status));
	buf_add_byte(&w->told, '\n');
}

static void on_incident(void *ctx, const struct incident *incident, bool is_change)
{
	(void)ctx;
	(void)incident;
	(void)is_change;
}

static void on_release(void *ctx, const uint8_t pair[12], const char *why)
{
	(void)ctx;
	(void)pair;
	(void)why;
}

static struct storm *world_storm(void)
{
	struct storm_setup setup = { .seed = 1, .effects = { .incident = on_incident, .release = on_release } };
	struct error error;
	storm_policy_default(&setup.policy);
	setup.policy.memory_bytes = 16 * 1024 * 1024;
	return storm_new(&setup, &error);
}

void world_begin(struct world *w, size_t bytes, bool want_storm)
{
	struct error error = { .text = "" };
	*w = (struct world){ .storm = want_storm ? world_storm() : NULL };
	buf_init(&w->told, 32 * 1024);
	const struct watch_setup setup = { .storm = w->storm, .bytes = bytes, .now_ms = TEST_NOW_MS,
					   .mail = on_mail, .ctx = w };
	w->watch = watch_new(&setup, &error);
	assert_non_null(w->watch);
	assert_true(!want_storm || w->storm);
	w->source = watch_source(w->watch, "mail.log", 0);
	assert_int_equal(w->source, 0);
}

void world_end(struct world *w)
{
	watch_free(w->watch);
	if (w->storm)
		storm_free(w->storm);
	buf_free(&w->told);
}

void world_lines(struct world *w, const char *lines)
{
	struct slice rest = slice_from_str(lines), line;
	while (slice_next(&rest, '\n', &line))
		if (line.len > 0)
			watch_line(w->watch, w->source, line, false);
}

void world_linef(struct world *w, const char *format, ...)
{
	char line[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	watch_line(w->watch, w->source, slice_from_str(line), false);
}

struct watch_counts world_counts(const struct world *w)
{
	struct watch_counts counts;
	watch_counts(w->watch, &counts);
	return counts;
}

struct watch_source_counts world_source(const struct world *w, int source)
{
	struct watch_source_counts counts;
	watch_source_counts(w->watch, source, &counts);
	return counts;
}

void world_expect(struct world *w, const char *told)
{
	assert_string_equal(buf_str(&w->told), told);
	buf_reset(&w->told);
}
