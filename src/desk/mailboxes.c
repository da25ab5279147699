/* SPDX-License-Identifier: Apache-2.0
 *
 * mailboxes: see mailboxes.h.
 */
#include "desk/mailboxes.h"

#include "base/mem.h"
#include "desk/text.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- the source, with files counted ---------------------------------------- */

struct counted {
	struct mailboxes *boxes;
	source_mail_fn *fn;
	void *ctx;
};

static bool count_mail(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	struct counted *counted = ctx;
	uint32_t *highest = &counted->boxes->files[worker % SOURCE_WORKERS_MAX];
	*highest = place->file >= *highest ? place->file + 1 : *highest;
	return counted->fn(counted->ctx, worker, place, header);
}

static bool boxes_look_over(void *ctx, source_mail_fn *fn, void *fn_ctx)
{
	struct mailboxes *boxes = ctx;
	struct counted counted = { boxes, fn, fn_ctx };
	return boxes->opened.look_over(boxes->opened.ctx, count_mail, &counted);
}

static bool boxes_read(void *ctx, unsigned worker, const struct source_place *place, source_bytes_fn *fn,
		       void *fn_ctx)
{
	struct mailboxes *boxes = ctx;
	return boxes->opened.read(boxes->opened.ctx, worker, place, fn, fn_ctx);
}

static const char *boxes_file_name(void *ctx, uint32_t file)
{
	struct mailboxes *boxes = ctx;
	return boxes->opened.file_name(boxes->opened.ctx, file);
}

static const char *boxes_mailbox_name(void *ctx, uint32_t file)
{
	struct mailboxes *boxes = ctx;
	return boxes->opened.mailbox_name(boxes->opened.ctx, file);
}

static void boxes_progress(void *ctx, uint64_t *done_out, uint64_t *all_out)
{
	struct mailboxes *boxes = ctx;
	boxes->opened.progress(boxes->opened.ctx, done_out, all_out);
}

uint64_t mailboxes_files(const struct mailboxes *boxes)
{
	uint32_t highest = 0;
	for (size_t i = 0; i < SOURCE_WORKERS_MAX; i++)
		highest = boxes->files[i] > highest ? boxes->files[i] : highest;
	return highest;
}

/* --- opening and closing --------------------------------------------------- */

/* The settings' hosts, then those of the command line. NULL without memory. */
static const char **join(const char *const *settings, size_t count, const struct desk_list *list,
			 size_t *count_out)
{
	const char **all = mem_alloc_array(count + list->count + 1, sizeof *all);
	*count_out = 0;
	for (size_t i = 0; all && i < count; i++)
		all[(*count_out)++] = settings[i];
	for (size_t i = 0; all && i < list->count; i++)
		all[(*count_out)++] = list->items[i];
	return all;
}

static void boxes_free(struct mailboxes *boxes)
{
	mem_free(boxes->our);
	mem_free(boxes->relays);
	boxes->our = boxes->relays = NULL;
}

static bool read_settings(struct mailboxes *boxes, const struct desk_args *args, const char *file)
{
	struct desk *desk = boxes->desk;
	if (!desk->host->settings(desk->host->ctx, file ? file : desk->file, desk->err, &boxes->settings))
		return false;
	const struct desk_settings *s = &boxes->settings;
	boxes->our = join(s->our_hosts, s->our_host_count, &args->our, &boxes->our_count);
	boxes->relays = join(s->relays, s->relay_count, &args->relays, &boxes->relay_count);
	return true;
}

enum exit_status mailboxes_open(struct mailboxes *boxes, struct desk *desk, const struct desk_args *args,
				const char *file, bool want_progress)
{
	const struct desk_host *host = desk->host;
	*boxes = (struct mailboxes){ .desk = desk };
	if (!host->open_source || !host->close_source)
		return desk_fail(desk, EXIT_UNAVAILABLE, "this program cannot read mailboxes");
	if (!read_settings(boxes, args, file))
		return EXIT_BAD_INPUT;
	if (!boxes->our || !boxes->relays) {
		boxes_free(boxes);
		return desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	}
	if (!host->open_source(host->ctx, args->words, args->word_count, 0, desk->err, &boxes->opened)) {
		boxes_free(boxes);
		return EXIT_BAD_INPUT;
	}
	boxes->source = (struct source){ .ctx = boxes,
					 .worker_count = boxes->opened.worker_count,
					 .look_over = boxes_look_over,
					 .read = boxes_read,
					 .file_name = boxes_file_name,
					 .mailbox_name = boxes_mailbox_name,
					 .progress = boxes_progress };
	progress_begin(&boxes->progress, desk->err, want_progress ? progress_columns(desk->err) : 0);
	return EXIT_FINE;
}

uint64_t mailboxes_close(struct mailboxes *boxes)
{
	const struct desk_host *host = boxes->desk->host;
	progress_end(&boxes->progress);
	uint64_t troubles = host->close_source(host->ctx, &boxes->opened);
	boxes_free(boxes);
	return troubles;
}

struct facts_setup mailboxes_facts(const struct mailboxes *boxes)
{
	const struct desk_settings *s = &boxes->settings;
	return (struct facts_setup){ .our_hosts = boxes->our,
				     .our_host_count = boxes->our_count,
				     .own_nets = s->own_nets,
				     .own_net_count = s->own_net_count,
				     .authserv_id = slice_from_str(s->authserv_id) };
}

void mailboxes_tell_troubles(struct desk *desk, uint64_t troubles)
{
	char number[TEXT_NUMBER_BYTES];
	if (troubles > 0)
		fprintf(desk->err, "quell %s: %s %s could not be read as %s should\n", desk->command->name,
			text_number(troubles, number), troubles == 1 ? "file or mail" : "files or mails",
			troubles == 1 ? "it" : "they");
}

enum exit_status mailboxes_fail(struct desk *desk, const struct error *error)
{
	enum exit_status status = error->status ? error->status : EXIT_TRY_AGAIN;
	return desk_fail(desk, status, "%s", error->text[0] ? error->text : "no memory");
}
