/* SPDX-License-Identifier: Apache-2.0
 *
 * replay: what Quell would have done with old mail. With --json each decision is
 * written as it falls, so that a mailbox of any size needs no memory; as text the first
 * few of each storm are kept.
 */
#include "flow/replay.h"
#include "desk/desk.h"
#include "desk/json.h"
#include "desk/mailboxes.h"
#include "desk/report.h"
#include "desk/replay_text.h"

#include "base/mem.h"

struct replay_job {
	struct desk *desk;
	struct json_stream json;
	bool is_in_incidents; /* of the JSON: the decisions are over */
	struct replay_notes *notes; /* as text; NULL with --json */
};

static json_t *decision_json(const struct replay_decision *decision)
{
	json_t *o = json_object();
	json_put(o, "file", json_word(decision->file));
	json_put_number(o, "offset", decision->offset);
	json_put(o, "time", json_time(decision->time_ms));
	json_put(o, "recipient", json_text(decision->recipient));
	json_put(o, "message_id", json_text(decision->message_id));
	json_put(o, "verdict", json_string(deed_name(decision->deed)));
	json_put(o, "tier", json_word(decision->tier));
	json_put(o, "rule", json_word(decision->rule));
	json_put(o, "reason", json_word(decision->reason));
	json_put(o, "incident", json_word_or_null(decision->incident));
	return o;
}

static void on_decision(void *ctx, const struct replay_decision *decision)
{
	struct replay_job *job = ctx;
	if (job->notes)
		replay_note_decision(job->notes, decision);
	else
		json_item(&job->json, decision_json(decision));
}

static void begin_incidents(struct replay_job *job)
{
	if (job->is_in_incidents)
		return;
	json_list_end(&job->json);
	json_list(&job->json, "incidents");
	job->is_in_incidents = true;
}

static void on_incident(void *ctx, const struct incident *incident)
{
	struct replay_job *job = ctx;
	if (job->notes) {
		replay_note_incident(job->notes, incident);
		return;
	}
	begin_incidents(job);
	json_item(&job->json, json_incident(incident, NULL));
}

/* An error in the middle still leaves whole JSON: it is then a member. */
static void end_json(struct replay_job *job, const struct replay_counts *counts, const char *error,
		     uint64_t troubles)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = { { "messages", counts->messages },
			{ "unparsable", counts->unparsable },
			{ "passed", counts->passed },
			{ "tagged", counts->tagged },
			{ "deferred", counts->deferred },
			{ "held", counts->held },
			{ "suppressed", counts->suppressed },
			{ "lost", counts->lost },
			{ "unreadable", troubles } };
	begin_incidents(job);
	json_list_end(&job->json);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		json_member(&job->json, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	json_member(&job->json, "first_seen", json_time(counts->first_ms));
	json_member(&job->json, "last_seen", json_time(counts->last_ms));
	json_member(&job->json, "our_hosts_guessed", json_boolean(counts->is_guessed));
	if (error)
		json_member(&job->json, "error", json_word(error));
	json_end(&job->json);
}

static void run_setup(const struct mailboxes *boxes, struct replay_job *job, struct replay_setup *setup)
{
	const struct desk_settings *s = &boxes->settings;
	*setup = (struct replay_setup){ .source = &boxes->source,
					.facts = mailboxes_facts(boxes),
					.is_guard = s->is_guard,
					.has_confirmation = s->has_confirmation,
					.relays = boxes->relays,
					.relay_count = boxes->relay_count,
					.on_decision = on_decision,
					.on_incident = on_incident,
					.ctx = job };
	if (s->policy)
		setup->policy = *s->policy;
	else
		storm_policy_default(&setup->policy);
}

static enum exit_status replay_boxes(struct replay_job *job, const struct desk_args *args,
				     struct mailboxes *boxes)
{
	struct desk *desk = job->desk;
	struct error error = { .status = EXIT_FINE };
	struct replay_setup setup;
	struct replay_counts counts = { 0 };
	bool is_mixed = args->want_json && desk->columns > 0; /* the bar would stand in the JSON */
	enum exit_status status = mailboxes_open(boxes, desk, args, args->policy, !is_mixed);
	if (status != EXIT_FINE)
		return status;
	run_setup(boxes, job, &setup);
	setup.progress = progress_show;
	setup.progress_ctx = &boxes->progress;
	if (!job->notes) {
		json_begin(&job->json, desk->out, desk->host->version);
		json_list(&job->json, "decisions");
	}
	bool is_done = replay_run(&setup, &counts, &error);
	uint64_t files = mailboxes_files(boxes), troubles = mailboxes_close(boxes);
	if (!job->notes)
		end_json(job, &counts, is_done ? NULL : error.text, troubles);
	else if (is_done)
		replay_tell(desk, job->notes, &counts, files, setup.is_guard);
	if (!is_done)
		return mailboxes_fail(desk, &error);
	mailboxes_tell_troubles(desk, troubles);
	return counts.messages == 0 && troubles > 0 ? EXIT_BAD_INPUT : EXIT_FINE;
}

enum exit_status desk_replay(struct desk *desk, const struct desk_args *args)
{
	struct replay_job job = { .desk = desk };
	struct mailboxes *boxes = mem_alloc(sizeof *boxes);
	job.notes = args->want_json ? NULL : replay_notes_new();
	bool has_memory = boxes && (job.notes || args->want_json);
	enum exit_status status =
		has_memory ? replay_boxes(&job, args, boxes) : desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	replay_notes_free(job.notes);
	mem_free(boxes);
	return status;
}
