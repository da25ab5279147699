/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_flow: see fake_flow.h.
 */
#include "fake_flow.h"

#include "fake.h"
#include "fixture.h"

#include <stdlib.h>

struct fake_flow fake_flow;

static bool look_over(void *ctx, source_mail_fn *fn, void *fn_ctx)
{
	(void)ctx;
	for (uint32_t i = 0; i < 3; i++)
		if (!fn(fn_ctx, 0, &(struct source_place){ .file = i }, SLICE("Subject: x\n\n")))
			return false;
	return true;
}

static bool open_source(void *ctx, char *const *paths, size_t count, unsigned threads, FILE *err,
			struct source *source_out)
{
	(void)ctx;
	(void)threads;
	fake_flow.path_count = count;
	if (fake_flow.is_shut)
		fprintf(err, "%s: no such file\n", paths[0]);
	else
		fake_flow.opened++;
	*source_out = (struct source){ .worker_count = 1, .look_over = look_over };
	return !fake_flow.is_shut;
}

static uint64_t close_source(void *ctx, struct source *source)
{
	(void)ctx;
	(void)source;
	fake_flow.closed++;
	return fake_flow.troubles;
}

void fake_flow_host(struct desk_host *host)
{
	host->open_source = open_source;
	host->close_source = close_source;
}

static void join(char *out, size_t out_bytes, const char *const *items, size_t count)
{
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < count && len < out_bytes; i++)
		len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", i ? " " : "", items[i]);
}

static bool any_mail(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	(void)ctx;
	(void)worker;
	(void)place;
	return header.len > 0;
}

static void note_setup(const struct source *source, const struct facts_setup *facts, const char *const *relays,
		       size_t relay_count)
{
	join(fake_flow.our, sizeof fake_flow.our, facts->our_hosts, facts->our_host_count);
	join(fake_flow.relays, sizeof fake_flow.relays, relays, relay_count);
	source->look_over(source->ctx, any_mail, NULL);
}

struct survey *survey_run(const struct survey_setup *setup, struct error *error)
{
	note_setup(setup->source, &setup->facts, setup->relays, setup->relay_count);
	if (setup->progress)
		setup->progress(setup->progress_ctx, "looking over", 1, 2);
	if (fake_flow.trouble)
		error_set(error, EXIT_TRY_AGAIN, "%s", fake_flow.trouble);
	if (fake_flow.trouble)
		return NULL;
	struct survey *survey = fixture_survey_of(fake_flow.found ? fake_flow.found : "");
	survey->messages = fake_flow.is_empty ? 0 : survey->messages;
	return survey;
}

void survey_free(struct survey *survey)
{
	fixture_free(survey);
}

static void decide(const struct replay_setup *setup, size_t i)
{
	static const char evil[] = "\x1b[2J\"<b>\xe2\x80\xae\r\nforged: line";
	const char *text = fake_flow.is_hostile ? evil : "anna@victim.example";
	struct replay_decision decision = {
		.file = fake_flow.is_hostile ? evil : "victim.mbox",
		.offset = i * 5000,
		.time_ms = 1133860803000,
		.recipient = slice_from_str(text),
		.message_id = slice_from_str(text),
		.deed = i % 3 ? DEED_HOLD : DEED_TAG,
		.tier = "T2",
		.rule = "pair",
		.incident = i % 2 ? "DABCDEFGHIJKL" : "",
		.reason =
			fake_flow.is_hostile ? evil : "4 copies within an hour were taken over, 3 are allowed",
	};
	setup->on_decision(setup->ctx, &decision);
}

bool replay_run(const struct replay_setup *setup, struct replay_counts *counts_out, struct error *error)
{
	static struct incident incident;
	size_t count = fake_flow.decision_count;
	note_setup(setup->source, &setup->facts, setup->relays, setup->relay_count);
	fake_flow.is_guard = setup->is_guard;
	fake_flow.pair_hour_max = setup->policy.pair_hour_max;
	*counts_out =
		(struct replay_counts){ .messages = fake_flow.is_empty ? 0 : 8737, .passed = 8737 - count };
	for (size_t i = 0; i < count; i++) {
		decide(setup, i);
		counts_out->tagged += i % 3 == 0;
		counts_out->held += i % 3 != 0;
	}
	if (fake_flow.trouble)
		return error_set(error, EXIT_TRY_AGAIN, "%s", fake_flow.trouble);
	fake_incident(&incident, fake_flow.is_hostile ? "\x1b[2J\xe2\x80\xae\r\nforged: line"
						      : "offers@lexpress-pub.example");
	if (count > 0)
		setup->on_incident(setup->ctx, &incident);
	return true;
}
