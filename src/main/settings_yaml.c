/* SPDX-License-Identifier: Apache-2.0
 *
 * settings_yaml: the settings file from libyaml's events into the rows' structs.
 *
 * Read on events rather than with libcyaml: libcyaml forgets the lines once it has
 * loaded, and our own checks of ranges, spelling and sense must name them; it also
 * cannot be told the rows of other rooms at run time. Values are taken as they
 * are written: YAML's own idea of 010 or "no" never comes into play.
 *
 * A trouble inside one setting is told and the next one is read; what breaks the
 * YAML itself ends the reading, for nothing behind it can be trusted.
 */
#include "main/settings_in.h"

#include "base/mem.h"
#include "desk/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum {
	YAML_ERRORS_MAX = 100,
	YAML_DEPTH_MAX = 8,
	YAML_ITEMS_MAX = 256, /* where the row says nothing */
	YAML_VALUE_BYTES_MAX = 4096,
	YAML_SHOWN_BYTES = 80,
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event, is_over;
	struct settings *settings;
	struct settings_report *report;
	struct slice yaml;
	unsigned section_lines[SETTINGS_SECTIONS_MAX], accounts_line;
	/* The account that is being read; its name is "" when none is. */
	struct setting_section account;
	char account_name[SETTINGS_NAME_BYTES];
	/* Of the list that is being read. */
	struct slice *items;
	unsigned *item_lines;
	size_t item_room;
};

/* A place in the file: a row of a section, or an unknown name. */
struct place {
	const struct setting_section *section;
	const struct setting_row *row;
	unsigned *line;
	struct settings_line *kept; /* of an account's setting, else NULL */
	char name[SETTINGS_NAME_BYTES];
};

#define reader_tell(r, line, ...) settings_tell((r)->report, false, (r)->settings->file, (line), __VA_ARGS__)

static unsigned reader_line(const struct reader *r)
{
	return (unsigned)r->event.start_mark.line + 1;
}

/* Does this line (from 1) hold a tab in front of its first other character? */
static bool reader_has_tab(const struct reader *r, size_t line)
{
	struct slice rest = r->yaml, part = { 0 };
	for (size_t i = 0; i < line; i++)
		if (!slice_next(&rest, '\n', &part))
			return false;
	for (size_t i = 0; i < part.len && ascii_is_blank(part.ptr[i]); i++)
		if (part.ptr[i] == '\t')
			return true;
	return false;
}

static void reader_tell_broken(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	size_t line = p->problem_mark.line + 1;
	const char *problem = p->problem ? p->problem : "not readable";
	if (p->error == YAML_MEMORY_ERROR)
		reader_tell(r, 0, "no memory");
	else if (p->error == YAML_READER_ERROR)
		reader_tell(r, 0, "not a text file: %s at byte %zu; expected UTF-8", problem, p->problem_offset);
	else if (reader_has_tab(r, line))
		reader_tell(r, (unsigned)line, "not valid YAML: a tab; expected blanks to indent with");
	else if (p->context && p->context_mark.line != p->problem_mark.line)
		reader_tell(r, (unsigned)line, "not valid YAML: %s, %s that begins on line %zu", problem, p->context,
			    p->context_mark.line + 1);
	else
		reader_tell(r, (unsigned)line, "not valid YAML: %s", problem);
}

/* What a settings file needs none of, and what bombs are made of. */
static void reader_refuse_tricks(struct reader *r)
{
	const yaml_event_t *e = &r->event;
	const yaml_char_t *anchor = NULL, *tag = NULL;
	if (e->type == YAML_SCALAR_EVENT)
		anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
	else if (e->type == YAML_SEQUENCE_START_EVENT)
		anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
	else if (e->type == YAML_MAPPING_START_EVENT)
		anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
	if (!anchor && !tag && e->type != YAML_ALIAS_EVENT)
		return;
	const char *what = tag ? "a tag (!)" : anchor ? "an anchor (&)" : "an alias (*)";
	reader_tell(r, reader_line(r), "%s is not accepted; expected plain values, or text in quotes", what);
	r->is_over = true;
}

static bool reader_next(struct reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	r->has_event = false;
	if (r->is_over || r->report->errors >= YAML_ERRORS_MAX) /* that is no settings file */
		return false;
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		reader_tell_broken(r);
		r->is_over = true;
		return false;
	}
	r->has_event = true;
	reader_refuse_tricks(r);
	return !r->is_over;
}

/* Passes over the rest of the value that the current event begins. */
static void reader_skip(struct reader *r)
{
	int depth = 0;
	do {
		yaml_event_type_t type = r->event.type;
		if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
			depth++;
		else if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
			depth--;
		if (depth > YAML_DEPTH_MAX) {
			reader_tell(r, reader_line(r), "nested too deep; expected at most %d levels", YAML_DEPTH_MAX);
			r->is_over = true;
		}
	} while (depth > 0 && reader_next(r));
}

static struct slice reader_scalar(const struct reader *r)
{
	return slice_make(r->event.data.scalar.value, r->event.data.scalar.length);
}

/* "name:" with nothing behind it, or YAML's words for nothing. */
static bool reader_is_nothing(const struct reader *r)
{
	struct slice s = reader_scalar(r);
	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (s.len == 0 || slice_equal(s, SLICE("~")) || slice_equal_nocase(s, SLICE("null")));
}

/* Distance of two short words: letters added, left out, changed or swapped. */
static unsigned word_distance(struct slice a, struct slice b)
{
	enum { WORD_BYTES_MAX = 40 };
	unsigned d[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
	if (a.len > WORD_BYTES_MAX || b.len > WORD_BYTES_MAX)
		return WORD_BYTES_MAX;
	for (size_t i = 0; i <= a.len; i++) {
		for (size_t j = 0; j <= b.len; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			unsigned best = d[i - 1][j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
			best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
			best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
			bool is_swap = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
			d[i][j] = is_swap && d[i - 2][j - 2] + 1 < best ? d[i - 2][j - 2] + 1 : best;
		}
	}
	return d[a.len][b.len];
}

struct guess {
	struct slice key;
	unsigned distance;
	char name[SETTINGS_NAME_BYTES];
};

static void guess_try(struct guess *guess, const char *candidate, const char *section, unsigned handicap)
{
	unsigned distance = word_distance(guess->key, slice_from_str(candidate)) + handicap;
	if (distance >= guess->distance)
		return;
	guess->distance = distance;
	snprintf(guess->name, sizeof guess->name, "%s%s%s", section, section[0] ? "." : "", candidate);
}

/* The nearest known name, in this section first; "" when none is near. */
static void reader_guess(const struct reader *r, const char *section, struct guess *guess)
{
	const struct settings *s = r->settings;
	guess->distance = guess->key.len > 4 ? 3 : 2;
	for (size_t i = 0; i < s->section_count; i++) {
		const struct setting_section *t = &s->sections[i];
		bool is_here = strcmp(t->name, section) == 0;
		if (section[0] == '\0' && !is_here)
			guess_try(guess, t->name, "", 0);
		for (size_t j = 0; j < t->row_count; j++)
			if (is_here || slice_equal(guess->key, slice_from_str(t->rows[j].name)))
				guess_try(guess, t->rows[j].name, t->name, is_here ? 0 : 1);
	}
	if (section[0] == '\0')
		guess_try(guess, "accounts", "", 0);
	bool is_account = r->account.values != NULL;
	for (size_t j = 0; j < account_setting_row_count; j++) {
		const char *name = account_setting_rows[j].name;
		if (is_account || slice_equal(guess->key, slice_from_str(name)))
			guess_try(guess, name, is_account ? section : "accounts.LABEL", is_account ? 0 : 1);
	}
}

static void reader_tell_unknown(struct reader *r, const char *section, struct slice key, unsigned line)
{
	char shown[YAML_SHOWN_BYTES];
	struct guess guess = { .key = key };
	reader_guess(r, section, &guess);
	log_quote(key, shown, sizeof shown);
	const char *dot = section[0] ? "." : "";
	if (guess.name[0])
		reader_tell(r, line, "%s%s%s: unknown setting; did you mean %s?", section, dot, shown, guess.name);
	else
		reader_tell(r, line, "%s%s%s: unknown setting; expected one of those in quell.yaml(5)", section, dot,
			    shown);
}

static bool reader_find_in_account(struct reader *r, struct slice key, struct place *place_out)
{
	struct settings *s = r->settings;
	for (size_t j = 0; j < r->account.row_count; j++) {
		if (!slice_equal(key, slice_from_str(r->account.rows[j].name)))
			continue;
		place_out->section = &r->account;
		place_out->row = &r->account.rows[j];
		place_out->kept = settings_account_line(s, s->account_count - 1, j);
		place_out->line = &place_out->kept->line;
		settings_name(&r->account, place_out->row, place_out->name);
		return true;
	}
	return false;
}

static bool reader_find(struct reader *r, const char *section, struct slice key, struct place *place_out)
{
	struct settings *s = r->settings;
	if (r->account.values)
		return reader_find_in_account(r, key, place_out);
	for (size_t i = 0; i < s->section_count; i++) {
		const struct setting_section *t = &s->sections[i];
		if (strcmp(t->name, section) != 0)
			continue;
		for (size_t j = 0; j < t->row_count; j++) {
			if (!slice_equal(key, slice_from_str(t->rows[j].name)))
				continue;
			place_out->section = t;
			place_out->row = &t->rows[j];
			place_out->line = &s->lines[i][j];
			place_out->kept = NULL;
			settings_name(t, place_out->row, place_out->name);
			return true;
		}
	}
	return false;
}

/* A text that may be taken as a value; NULL when it may not, and that is told. */
static const char *reader_text(struct reader *r, const struct place *place)
{
	struct slice s = reader_scalar(r);
	if (s.len > YAML_VALUE_BYTES_MAX) {
		reader_tell(r, reader_line(r), "%s: too long; expected at most %d bytes", place->name,
			    YAML_VALUE_BYTES_MAX);
		return NULL;
	}
	for (size_t i = 0; i < s.len;) {
		if (text_is_harmless(text_next(s, &i)))
			continue;
		reader_tell(r, reader_line(r), "%s: holds a character that cannot be shown; expected printable text",
			    place->name);
		return NULL;
	}
	char *text = arena_alloc(&r->settings->arena, s.len + 1);
	if (!text)
		reader_tell(r, reader_line(r), "%s: no memory for so many values", place->name);
	else if (s.len > 0)
		memcpy(text, s.ptr, s.len);
	return text;
}

/* "key: value" as "key = value"; the current event is the key. NULL: that was told. */
static const char *reader_pair(struct reader *r, const struct place *place)
{
	bool is_key = r->event.type == YAML_SCALAR_EVENT;
	const char *key = is_key ? reader_text(r, place) : NULL;
	if (!is_key)
		reader_skip(r);
	if (!reader_next(r))
		return NULL;
	if (!is_key || r->event.type != YAML_SCALAR_EVENT || reader_is_nothing(r)) {
		reader_tell(r, reader_line(r), "%s: a line without its two parts; expected \"key: value\"",
				place->name);
		reader_skip(r);
		return NULL;
	}
	const char *value = reader_text(r, place);
	if (!key || !value)
		return NULL;
	size_t room = strlen(key) + strlen(value) + 4;
	char *pair = arena_alloc(&r->settings->arena, room);
	if (pair)
		snprintf(pair, room, "%s = %s", key, value);
	else
		reader_tell(r, reader_line(r), "%s: no memory for so many values", place->name);
	return pair;
}

static bool reader_make_room(struct reader *r, size_t count)
{
	if (count < r->item_room)
		return true;
	size_t room = r->item_room ? 2 * r->item_room : 64;
	struct slice *items = mem_resize(r->items, room * sizeof *items);
	r->items = items ? items : r->items;
	unsigned *lines = items ? mem_resize(r->item_lines, room * sizeof *lines) : NULL;
	r->item_lines = lines ? lines : r->item_lines;
	r->item_room = lines ? room : r->item_room;
	return lines != NULL;
}

static void reader_keep_items(struct reader *r, const struct place *place, size_t count, unsigned line)
{
	unsigned *lines = place->kept ? arena_alloc(&r->settings->arena, (count + 1) * sizeof *lines) : NULL;
	if (lines && count > 0)
		memcpy(lines, r->item_lines, count * sizeof *lines);
	if (place->kept)
		place->kept->items = lines;
	if ((place->kept && !lines) ||
	    !settings_take_list(r->settings, place->row, place->section->values, r->items, count))
		reader_tell(r, line, "%s: no memory for so many values", place->name);
}

/* One item of a list, or pair of a mapping, that the current event begins. */
static const char *reader_item(struct reader *r, const struct place *place, bool is_map)
{
	if (is_map)
		return reader_pair(r, place);
	if (r->event.type == YAML_SCALAR_EVENT)
		return reader_text(r, place);
	reader_tell(r, reader_line(r), "%s: a list or section in a list; expected a list of texts", place->name);
	reader_skip(r);
	return NULL;
}

static void reader_take_items(struct reader *r, const struct place *place)
{
	size_t count = 0, most = place->row->max > 0 ? (size_t)place->row->max : YAML_ITEMS_MAX;
	bool is_one = r->event.type == YAML_SCALAR_EVENT; /* "name: x" is short for a list of one */
	bool is_map = r->event.type == YAML_MAPPING_START_EVENT;
	unsigned line = reader_line(r);
	while (is_one || (reader_next(r) && r->event.type != YAML_SEQUENCE_END_EVENT &&
			  r->event.type != YAML_MAPPING_END_EVENT)) {
		unsigned item_line = reader_line(r);
		if (count == most || !reader_make_room(r, count)) {
			reader_tell(r, line, "%s: too long a list; expected at most %zu items", place->name, most);
			r->is_over = true;
			return;
		}
		const char *text = reader_item(r, place, is_map);
		if (text) {
			r->items[count] = slice_from_str(text);
			r->item_lines[count++] = item_line;
		}
		if (is_one)
			break;
	}
	reader_keep_items(r, place, count, line);
}

static void reader_take_scalar(struct reader *r, const struct place *place)
{
	char why[192], shown[YAML_SHOWN_BYTES];
	const char *text = reader_text(r, place);
	if (!text || setting_parse(place->row, text, place->section->values, why, sizeof why))
		return;
	if (place->row->is_secret)
		snprintf(shown, sizeof shown, "the value");
	else
		log_quote(slice_from_str(text), shown, sizeof shown);
	reader_tell(r, reader_line(r), "%s: %s is not understood; expected %s", place->name, shown, why);
}

static const char *reader_wanted(const struct setting_row *row)
{
	return row->type != SETTING_LIST ? "one value" : row->may_map ? "a list or \"key: value\" lines" : "a list";
}

static void reader_take(struct reader *r, const struct place *place)
{
	bool is_list = place->row->type == SETTING_LIST;
	unsigned line = reader_line(r);
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		if (reader_is_nothing(r))
			reader_tell(r, line, "%s: no value; expected %s, or no such line at all for the default",
				    place->name, reader_wanted(place->row));
		else if (is_list)
			reader_take_items(r, place);
		else
			reader_take_scalar(r, place);
		return;
	case YAML_SEQUENCE_START_EVENT:
		if (is_list) {
			reader_take_items(r, place);
			return;
		}
		reader_tell(r, line, "%s: a list; expected %s", place->name, reader_wanted(place->row));
		break;
	case YAML_MAPPING_START_EVENT:
		if (place->row->may_map) {
			reader_take_items(r, place);
			return;
		}
		/* fall through */
	default:
		reader_tell(r, line, "%s: a section; expected %s", place->name, reader_wanted(place->row));
		break;
	}
	reader_skip(r);
}

static void reader_setting(struct reader *r, const char *section, struct slice key, unsigned line)
{
	struct place place;
	if (!reader_find(r, section, key, &place)) {
		reader_tell_unknown(r, section, key, line);
		if (reader_next(r))
			reader_skip(r);
		return;
	}
	if (*place.line) {
		reader_tell(r, line, "%s: set twice; expected it once, line %u sets it too", place.name, *place.line);
		if (reader_next(r))
			reader_skip(r);
		return;
	}
	*place.line = line;
	if (reader_next(r))
		reader_take(r, &place);
}

/* The section of that name, and where its line is kept; NULL when there is none. */
static const char *reader_section(struct reader *r, struct slice key, unsigned **line_out)
{
	for (size_t i = 0; i < r->settings->section_count; i++) {
		const char *name = r->settings->sections[i].name;
		if (name[0] == '\0' || !slice_equal(key, slice_from_str(name)))
			continue;
		*line_out = &r->section_lines[i];
		return name;
	}
	return NULL;
}

static void reader_mapping(struct reader *r, const char *section);

/* What stands behind the name of a section. */
static void reader_inner(struct reader *r, const char *section, unsigned *seen, unsigned line)
{
	if (*seen)
		reader_tell(r, line, "%s: set twice; expected one section, line %u begins it too", section, *seen);
	bool is_again = *seen != 0;
	*seen = line;
	if (!reader_next(r))
		return;
	if (r->event.type == YAML_MAPPING_START_EVENT && !is_again) {
		reader_mapping(r, section);
		return;
	}
	bool is_empty = r->event.type == YAML_SCALAR_EVENT && reader_is_nothing(r);
	if (!is_again && !is_empty)
		reader_tell(r, line, "%s: a value; expected a section of indented \"name: value\" lines", section);
	reader_skip(r);
}

/* The label is the current event, and fine. */
static void reader_account(struct reader *r, struct slice label, unsigned line)
{
	struct settings *s = r->settings;
	size_t errors = r->report->errors, account = s->account_count;
	if (!settings_add_account(s, label, line)) {
		reader_tell(r, line, "accounts: no memory for so many accounts");
		r->is_over = true;
		return;
	}
	r->account = settings_account_section(s, account, r->account_name);
	if (!reader_next(r)) {
		s->account_has_errors[account] = true;
	} else if (r->event.type == YAML_MAPPING_START_EVENT) {
		reader_mapping(r, r->account_name);
	} else {
		reader_tell(r, line, "%s: a value; expected a section of indented \"name: value\" lines",
			    r->account_name);
		reader_skip(r);
	}
	s->account_has_errors[account] |= r->report->errors > errors;
	r->account = (struct setting_section){ .name = "" };
}

/* May this label begin an account? If not, that was told. */
static bool reader_may_begin(struct reader *r, struct slice label, unsigned line)
{
	char shown[YAML_SHOWN_BYTES];
	const struct settings *s = r->settings;
	log_quote(label, shown, sizeof shown);
	if (!account_label_is_fine(label)) {
		reader_tell(r, line, "accounts.%s: no label; expected 1 to %d letters, digits, \"-\", \"_\" and \".\"",
			    shown, FETCH_LABEL_BYTES_MAX);
		return false;
	}
	for (size_t i = 0; i < s->account_count; i++) {
		if (!slice_equal(label, slice_from_str(s->accounts[i].label)))
			continue;
		reader_tell(r, line, "accounts.%s: set twice; expected one account of that label, line %u begins it "
				"too",
			    shown, s->accounts[i].line);
		return false;
	}
	if (s->account_count == FETCH_ACCOUNTS_MAX) {
		reader_tell(r, line, "accounts: too many; expected at most %d", FETCH_ACCOUNTS_MAX);
		r->is_over = true;
	}
	return !r->is_over;
}

/* What stands behind "accounts": labels, and behind each a section. */
static void reader_accounts(struct reader *r, unsigned line)
{
	bool is_first = r->accounts_line == 0;
	if (!is_first)
		reader_tell(r, line, "accounts: set twice; expected one section, line %u begins it too",
				r->accounts_line);
	r->accounts_line = line;
	if (!reader_next(r))
		return;
	if (!is_first || r->event.type != YAML_MAPPING_START_EVENT) {
		if (is_first && (r->event.type != YAML_SCALAR_EVENT || !reader_is_nothing(r)))
			reader_tell(r, line, "accounts: a value; expected a section of indented labels, each with its "
					     "settings indented below it");
		reader_skip(r);
		return;
	}
	while (reader_next(r) && r->event.type != YAML_MAPPING_END_EVENT) {
		unsigned label_line = reader_line(r);
		bool is_label = r->event.type == YAML_SCALAR_EVENT;
		if (is_label && reader_may_begin(r, reader_scalar(r), label_line)) {
			reader_account(r, reader_scalar(r), label_line);
			continue;
		}
		if (!is_label) {
			reader_tell(r, label_line, "accounts: a list or section as a label; expected a word");
			reader_skip(r);
		}
		if (reader_next(r))
			reader_skip(r);
	}
}

static void reader_mapping(struct reader *r, const char *section)
{
	while (reader_next(r) && r->event.type != YAML_MAPPING_END_EVENT) {
		unsigned line = reader_line(r), *seen;
		char key[SETTINGS_NAME_BYTES];
		if (r->event.type != YAML_SCALAR_EVENT) {
			reader_tell(r, line, "a list or section as a name; expected \"name: value\"");
			reader_skip(r);
			if (reader_next(r))
				reader_skip(r);
			continue;
		}
		struct slice name = slice_first(reader_scalar(r), sizeof key);
		memcpy(key, name.ptr, name.len);
		name.ptr = key;
		if (section[0] == '\0' && slice_equal(name, SLICE("accounts"))) {
			reader_accounts(r, line);
			continue;
		}
		const char *inner = section[0] == '\0' ? reader_section(r, name, &seen) : NULL;
		if (inner)
			reader_inner(r, inner, seen, line);
		else
			reader_setting(r, section, name, line);
	}
}

static void reader_document(struct reader *r)
{
	if (r->event.type == YAML_MAPPING_START_EVENT) {
		reader_mapping(r, "");
	} else if (r->event.type != YAML_SCALAR_EVENT || !reader_is_nothing(r)) {
		reader_tell(r, reader_line(r), "no settings; expected \"name: value\" lines");
		reader_skip(r);
	}
}

void settings_read_yaml(struct settings *settings, struct slice yaml, struct settings_report *report)
{
	struct reader r = { .settings = settings, .report = report, .yaml = yaml, .account.name = "" };
	unsigned documents = 0;
	if (!yaml_parser_initialize(&r.parser)) {
		settings_tell(report, false, settings->file, 0, "no memory");
		return;
	}
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(yaml.ptr ? yaml.ptr : ""), yaml.len);
	while (reader_next(&r) && r.event.type != YAML_STREAM_END_EVENT) {
		if (r.event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (documents++ > 0) {
			reader_tell(&r, reader_line(&r), "a second document (---); expected one");
			break;
		}
		if (reader_next(&r))
			reader_document(&r);
	}
	if (r.has_event)
		yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	mem_free(r.items);
	mem_free(r.item_lines);
}
