/* SPDX-License-Identifier: Apache-2.0
 *
 * trace: from mailboxes to the servers behind a storm, as text, JSON, pictures or a page.
 */
#include "desk/desk.h"
#include "desk/mailboxes.h"
#include "desk/report.h"
#include "desk/report_file.h"

#include "base/mem.h"

enum { OUTPUT_COUNT = 3 };

/* A file to write, and what writes it. */
struct output {
	const char *option, *path;
	bool (*draw)(const struct report *report, struct buf *out);
	struct report_file file;
};

static bool is_out(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static void outputs_drop(struct output outputs[OUTPUT_COUNT])
{
	for (size_t i = 0; i < OUTPUT_COUNT; i++)
		report_file_drop(&outputs[i].file);
}

/* Before the long work, so that nobody waits for a report that cannot be written. */
static enum exit_status outputs_open(struct desk *desk, const struct desk_args *args,
				     struct output outputs[OUTPUT_COUNT])
{
	unsigned to_out = args->want_json;
	for (size_t i = 0; i < OUTPUT_COUNT; i++)
		to_out += is_out(outputs[i].path);
	if (to_out > 1)
		return desk_fail(desk, EXIT_USAGE,
				 "only one of --json, --html -, --svg - and --dot - can go to standard output");
	for (size_t i = 0; i < OUTPUT_COUNT; i++) {
		struct error error = { .status = EXIT_FINE };
		if (report_file_open(&outputs[i].file, outputs[i].path, desk->out, &error))
			continue;
		outputs_drop(outputs);
		return desk_fail(desk, error.status, "--%s: %s", outputs[i].option, error.text);
	}
	return EXIT_FINE;
}

static enum exit_status output_write(struct desk *desk, struct output *output, const struct report *report)
{
	struct error error = { .status = EXIT_FINE };
	struct buf page;
	enum exit_status status = EXIT_FINE;
	if (!output->path)
		return EXIT_FINE;
	buf_init(&page, REPORT_BYTES_MAX);
	if (!output->draw(report, &page))
		status = desk_fail(desk, EXIT_TRY_AGAIN, "--%s: no memory for it", output->option);
	else if (!report_file_end(&output->file, buf_slice(&page), &error))
		status = desk_fail(desk, error.status, "--%s: %s", output->option, error.text);
	buf_free(&page);
	return status;
}

static enum exit_status tell(struct desk *desk, const struct desk_args *args,
			     struct output outputs[OUTPUT_COUNT], const struct report *report)
{
	enum exit_status status = report_guilty_count(report->survey) > 0 ? EXIT_FOUND : EXIT_FINE;
	bool is_out_taken = false;
	for (size_t i = 0; i < OUTPUT_COUNT; i++)
		is_out_taken = is_out_taken || is_out(outputs[i].path);
	if (args->want_json)
		report_json(desk->out, report);
	else if (!is_out_taken)
		report_text(desk, report);
	for (size_t i = 0; i < OUTPUT_COUNT; i++) {
		enum exit_status written = output_write(desk, &outputs[i], report);
		status = written != EXIT_FINE ? written : status;
	}
	mailboxes_tell_troubles(desk, report->troubles);
	if (report->survey->messages == 0 && report->troubles > 0)
		return EXIT_BAD_INPUT;
	return status;
}

static enum exit_status trace_boxes(struct desk *desk, const struct desk_args *args,
				    struct output outputs[OUTPUT_COUNT], struct mailboxes *boxes)
{
	struct error error = { .status = EXIT_FINE };
	enum exit_status status = mailboxes_open(boxes, desk, args, NULL, true);
	if (status != EXIT_FINE)
		return status;
	const struct survey_setup setup = { .source = &boxes->source,
					    .facts = mailboxes_facts(boxes),
					    .relays = boxes->relays,
					    .relay_count = boxes->relay_count,
					    .progress = progress_show,
					    .progress_ctx = &boxes->progress };
	struct survey *survey = survey_run(&setup, &error);
	struct report report = { .version = desk->host->version,
				 .survey = survey,
				 .files = mailboxes_files(boxes) };
	report.troubles = mailboxes_close(boxes);
	if (!survey)
		return mailboxes_fail(desk, &error);
	status = tell(desk, args, outputs, &report);
	survey_free(survey);
	return status;
}

enum exit_status desk_trace(struct desk *desk, const struct desk_args *args)
{
	struct output outputs[OUTPUT_COUNT] = { { .option = "html", .path = args->html, .draw = report_html },
						{ .option = "svg", .path = args->svg, .draw = report_svg },
						{ .option = "dot", .path = args->dot, .draw = report_dot } };
	enum exit_status status = outputs_open(desk, args, outputs);
	if (status != EXIT_FINE)
		return status;
	struct mailboxes *boxes = mem_alloc(sizeof *boxes);
	status = boxes ? trace_boxes(desk, args, outputs, boxes) : desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	mem_free(boxes);
	outputs_drop(outputs);
	return status;
}
