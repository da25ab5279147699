/* SPDX-License-Identifier: Apache-2.0
 *
 * replay_text: see replay_text.h.
 *
 * Decisions come before the incidents they belong to, so they are kept by the id of
 * the incident; the first to come get the room.
 */
#include "desk/replay_text.h"

#include "base/mem.h"
#include "desk/report.h"
#include "desk/table.h"
#include "desk/text.h"

enum { NOTE_BYTES = 160 };

struct note {
	int64_t time_ms;
	uint64_t offset;
	enum deed deed;
	char file[NOTE_BYTES], recipient[NOTE_BYTES], rule[40], reason[REASON_BYTES];
};

struct note_group {
	char id[INCIDENT_ID_BYTES]; /* "": decisions of no storm */
	struct note notes[NOTES_DECISIONS_MAX];
	unsigned note_count;
	uint64_t deeds[DEED_COUNT]; /* pairs */
	bool is_told; /* the incident below has come */
	enum storm_class cls;
	char from[INCIDENT_TEXT_BYTES], subject[INCIDENT_TEXT_BYTES], guilty[INCIDENT_TEXT_BYTES];
	unsigned guilty_count;
	uint64_t copies, surplus;
	unsigned rank; /* of the incidents, as they came */
};

struct replay_notes {
	struct note_group groups[NOTES_INCIDENTS_MAX];
	unsigned group_count, incident_count;
	uint64_t groups_forgotten; /* incidents that found no room */
};

struct replay_notes *replay_notes_new(void)
{
	return mem_alloc(sizeof(struct replay_notes));
}

void replay_notes_free(struct replay_notes *notes)
{
	mem_free(notes);
}

static struct note_group *group_of(struct replay_notes *notes, const char *id)
{
	for (unsigned i = 0; i < notes->group_count; i++)
		if (strcmp(notes->groups[i].id, id) == 0)
			return &notes->groups[i];
	if (notes->group_count == NOTES_INCIDENTS_MAX)
		return NULL;
	struct note_group *group = &notes->groups[notes->group_count++];
	snprintf(group->id, sizeof group->id, "%s", id);
	return group;
}

void replay_note_decision(struct replay_notes *notes, const struct replay_decision *decision)
{
	struct note_group *group = group_of(notes, decision->incident);
	if (!group)
		return;
	if ((unsigned)decision->deed < DEED_COUNT)
		group->deeds[decision->deed]++;
	if (group->note_count == NOTES_DECISIONS_MAX)
		return;
	struct note *note = &group->notes[group->note_count++];
	*note = (struct note){ .time_ms = decision->time_ms,
			       .offset = decision->offset,
			       .deed = decision->deed };
	snprintf(note->file, sizeof note->file, "%s", decision->file);
	snprintf(note->recipient, sizeof note->recipient, "%.*s", SLICE_ARG(decision->recipient));
	snprintf(note->rule, sizeof note->rule, "%s", decision->rule);
	snprintf(note->reason, sizeof note->reason, "%s", decision->reason);
}

void replay_note_incident(struct replay_notes *notes, const struct incident *incident)
{
	struct note_group *group = group_of(notes, incident->id);
	notes->incident_count++;
	if (!group) {
		notes->groups_forgotten++;
		return;
	}
	group->is_told = true;
	group->rank = notes->incident_count;
	group->cls = incident->cls;
	group->copies = incident->copies;
	group->surplus = incident->surplus;
	snprintf(group->from, sizeof group->from, "%s", incident->from);
	snprintf(group->subject, sizeof group->subject, "%s", incident->subject);
	for (unsigned i = 0; i < incident->party_count && i < INCIDENT_PARTIES_MAX; i++) {
		char name[REPORT_WORDS_BYTES];
		if (incident->parties[i].role == PARTY_GUILTY && group->guilty_count++ == 0)
			snprintf(group->guilty, sizeof group->guilty, "%.120s",
				 report_party_name(&incident->parties[i], name));
	}
}

/* --- telling --------------------------------------------------------------- */

static void tell_counts(struct desk *desk, const struct replay_counts *counts)
{
	static const struct table_column columns[] = { { "WOULD HAVE BEEN", 0, 0, false },
						       { "MAILS", 0, 0, true },
						       { "MEANING", 12, 1, false } };
	const struct {
		const char *name, *meaning;
		uint64_t value;
	} rows[] = {
		{ "passed", "delivered as they are", counts->passed },
		{ "tagged", "delivered, marked as surplus or suspect", counts->tagged },
		{ "deferred", "told to come again later", counts->deferred },
		{ "held", "surplus, kept to be released by a person", counts->held },
		{ "suppressed", "proven surplus, kept all the same", counts->suppressed },
		{ "lost", "of which nobody got a copy: must be 0", counts->lost },
	};
	struct table table;
	char number[TEXT_NUMBER_BYTES];
	table_begin(&table, desk->out, columns, sizeof columns / sizeof columns[0], desk->columns,
		    desk->want_colour);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		table_cell(&table, slice_from_str(rows[i].name));
		table_cell(&table, slice_from_str(text_number(rows[i].value, number)));
		table_cell(&table, slice_from_str(rows[i].meaning));
	}
	table_end(&table);
}

static void tell_notes(struct desk *desk, const struct note_group *group)
{
	char recipient[TEXT_SAFE_BYTES], file[TEXT_SAFE_BYTES], reason[TEXT_SAFE_BYTES], when[TEXT_TIME_BYTES],
		number[TEXT_NUMBER_BYTES];
	uint64_t all = 0;
	for (unsigned i = 0; i < DEED_COUNT; i++)
		all += group->deeds[i];
	for (unsigned i = 0; i < group->note_count; i++) {
		const struct note *note = &group->notes[i];
		desk_wrap(desk, 2, "  %s  %s, for %s: %s (rule %s; %s, byte %llu)",
			  text_time(note->time_ms, when), deed_name(note->deed),
			  text_safe_str(note->recipient, recipient), text_safe_str(note->reason, reason),
			  note->rule, text_safe_str(note->file, file), (unsigned long long)note->offset);
	}
	if (all > group->note_count)
		desk_wrap(desk, 2, "  and %s more; --json tells all of them",
			  text_number(all - group->note_count, number));
}

static void tell_group(struct desk *desk, const struct note_group *group)
{
	char text[TEXT_SAFE_BYTES], name[TEXT_SAFE_BYTES], a[REPORT_WORDS_BYTES], b[REPORT_WORDS_BYTES];
	fputc('\n', desk->out);
	fputs(desk_colour(desk, DESK_BOLD), desk->out);
	if (group->is_told)
		desk_wrap(desk, 2, "%s %s: %s", report_class_title(group->cls), group->id,
			  text_safe_str(group->subject[0] ? group->subject : "(no subject)", text));
	else
		desk_wrap(desk, 2, "%s%s", group->id[0] ? "Storm " : "Of no storm", group->id);
	fputs(desk_colour(desk, DESK_PLAIN), desk->out);
	if (group->is_told)
		desk_wrap(desk, 2, "  %s, %s surplus; withheld %llu, tagged %llu",
			  report_count(group->copies, "copy", "copies", a),
			  report_count(group->surplus, "delivery", "deliveries", b),
			  (unsigned long long)(group->deeds[DEED_DEFER] + group->deeds[DEED_HOLD] +
					       group->deeds[DEED_SUPPRESS]),
			  (unsigned long long)group->deeds[DEED_TAG]);
	if (group->guilty_count > 1)
		desk_wrap(desk, 2, "  guilty: %s and %u more", text_safe_str(group->guilty, name),
			  group->guilty_count - 1);
	else if (group->guilty_count == 1)
		desk_wrap(desk, 2, "  guilty: %s", text_safe_str(group->guilty, name));
	tell_notes(desk, group);
}

/* The last sentence is for one who wonders whether to let Quell into his mail. */
static void tell_end(struct desk *desk, const struct replay_notes *notes, const struct replay_counts *counts,
		     bool is_guard)
{
	char number[TEXT_NUMBER_BYTES], all[TEXT_NUMBER_BYTES];
	uint64_t withheld = counts->held + counts->suppressed + counts->deferred;
	uint64_t pairs = counts->passed + counts->tagged + withheld;
	fputc('\n', desk->out);
	if (notes->groups_forgotten > 0)
		desk_wrap(desk, 0, "%s more storms are only counted here; --json tells all of them.",
			  text_number(notes->groups_forgotten, number));
	if (counts->is_guessed)
		desk_wrap(desk, 0,
			  "Which servers are ours was guessed from the topmost Received lines; --our HOST says "
			  "it.");
	if (counts->lost > 0)
		desk_wrap(desk, 0,
			  "%s mails would have reached nobody: that is a fault of Quell, please report it.",
			  text_number(counts->lost, number));
	if (!is_guard)
		desk_wrap(desk, 0,
			  "Played in mode observe, which withholds nothing: --policy with a file that says "
			  "mode: guard shows what it would withhold.");
	desk_wrap(desk, 0, "%s of %s mails would have been held%s", text_number(withheld, number),
		  text_number(pairs, all),
		  withheld == 0	      ? ". Everything would have gone its way."
		  : counts->lost == 0 ? "; each of them is a surplus copy of one that was delivered."
				      : ".");
}

void replay_tell(struct desk *desk, const struct replay_notes *notes, const struct replay_counts *counts,
		 uint64_t files, bool is_guard)
{
	char mails[REPORT_WORDS_BYTES], in[REPORT_WORDS_BYTES], storms[REPORT_WORDS_BYTES];
	char first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];
	desk_wrap(desk, 2, "%s%s%s%s%s%s%s: %s. Nothing was touched.",
		  report_count(counts->messages, "mail", "mails", mails), files ? " in " : "",
		  files ? report_count(files, "file", "files", in) : "", counts->first_ms ? ", " : "",
		  counts->first_ms ? text_time(counts->first_ms, first) : "", counts->first_ms ? " to " : "",
		  counts->first_ms ? text_time(counts->last_ms, last) : "",
		  report_count(notes->incident_count, "storm", "storms", storms));
	fputc('\n', desk->out);
	tell_counts(desk, counts);
	for (unsigned rank = 1; rank <= notes->incident_count; rank++)
		for (unsigned i = 0; i < notes->group_count; i++)
			if (notes->groups[i].rank == rank)
				tell_group(desk, &notes->groups[i]);
	for (unsigned i = 0; i < notes->group_count; i++)
		if (!notes->groups[i].is_told)
			tell_group(desk, &notes->groups[i]);
	tell_end(desk, notes, counts, is_guard);
}
