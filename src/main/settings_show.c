/* SPDX-License-Identifier: Apache-2.0
 *
 * settings_show: the rows as a sample file, as settings in force, and as a
 * manual page. All three walk the same rows, so none can miss a setting.
 */
#include "main/settings_in.h"

#include <stdio.h>

enum { SHOW_COLUMNS = 78, SHOW_VALUE_BYTES = 4 * 1024 * 1024 };

struct section_help {
	const char *name, *help;
};

static const struct section_help section_helps[] = {
	{ "", "What Quell is at large." },
	{ "milter", "The door for mail servers that speak the milter protocol: Postfix, Sendmail." },
	{ "hold", "Where surplus copies are kept, how many, how long, and what gives way when it is full." },
	{ "policy", "When copies are surplus and a storm is a storm. The defaults let ordinary mail through." },
	{ "release", "How held mail is given back." },
	{ "control", "How the quell command reaches the daemon." },
	{ "log", "What quelld says about itself." },
	{ "alert", "Who is told of a storm, and how often. Nothing is set by itself; the log always tells." },
	{ "fetch", "How quell fetch collects mail from POP3 boxes and hands it to the local server." },
	{ "accounts", "The boxes that quell fetch collects: one section for each, named by a label of your choice "
			"(up to "
		      "32 letters, digits, \"-\", \"_\", \".\"). What was collected is remembered under the label, so "
		      "do not change it." },
};

static const char *show_section_help(const char *name)
{
	for (size_t i = 0; i < sizeof section_helps / sizeof section_helps[0]; i++)
		if (strcmp(section_helps[i].name, name) == 0)
			return section_helps[i].help;
	return "";
}

/* "1 to 1000 messages; a reload is not enough" and the like. */
static void show_rule(const struct setting_row *row, struct buf *out)
{
	char number[32];
	struct setting_row as = *row;
	as.offset = 0;
	as.is_secret = false;
	switch (row->type) {
	case SETTING_BOOL:
		buf_add_str(out, "true or false");
		break;
	case SETTING_CHOICE:
		for (const char *c = row->choices; *c; c++)
			buf_add_str(out, *c == '|' ? " or " : (char[]){ *c, '\0' });
		break;
	case SETTING_LIST:
		buf_add_str(out, row->may_map ? "list, or \"key: value\" lines" : "list");
		break;
	case SETTING_PATH:
		buf_add_str(out, "absolute path");
		break;
	case SETTING_TEXT:
		buf_add_str(out, "text");
		break;
	default:
		if (row->min == 0 && row->max == 0)
			break;
		setting_print(&as, &row->min, number, sizeof number);
		buf_addf(out, "%s to ", number);
		setting_print(&as, &row->max, number, sizeof number);
		buf_add_str(out, number);
	}
	if (row->unit)
		buf_addf(out, "%s%s", out->len ? " " : "", row->unit);
	if (!row->is_reloadable)
		buf_addf(out, "%sneeds a restart", out->len ? "; " : "");
}

/* text as lines that begin with lead, broken at blanks. */
static void show_folded(struct buf *out, const char *lead, struct slice text)
{
	struct slice word;
	size_t column = 0;
	while (slice_next(&text, ' ', &word)) {
		if (column == 0 || column + 1 + word.len > SHOW_COLUMNS) {
			buf_addf(out, "%s%s ", column ? "\n" : "", lead);
			column = strlen(lead) + 1;
		} else {
			buf_add_byte(out, ' ');
			column++;
		}
		buf_add(out, word);
		column += word.len;
	}
	buf_add_byte(out, '\n');
}

static bool show_begins_section(const struct settings *s, size_t i)
{
	return i == 0 || strcmp(s->sections[i].name, s->sections[i - 1].name) != 0;
}

/* A setting with what it does before it; value NULL: no line for it, only its name. */
static void sample_line(const char *indent, const struct setting_row *row, const char *value, struct buf *out)
{
	char lead[16];
	struct buf rule;
	snprintf(lead, sizeof lead, "%s#", indent);
	buf_init(&rule, SETTINGS_MESSAGE_BYTES);
	show_rule(row, &rule);
	show_folded(out, lead, slice_from_str(row->help));
	show_folded(out, lead, slice_from_str(buf_str(&rule)));
	buf_free(&rule);
	if (value)
		buf_addf(out, "%s%s: %s\n\n", indent, row->name, value);
	else
		buf_addf(out, "%s# %s:\n\n", indent, row->name);
}

static void sample_row(const struct setting_section *section, const struct setting_row *row, struct buf *out)
{
	char value[SETTINGS_MESSAGE_BYTES];
	setting_print(row, section->values, value, sizeof value);
	sample_line(section->name[0] ? "  " : "", row, row->is_secret ? NULL : value, out);
}

/* An account has no sensible default; this one is commented out, and would do. */
static const struct {
	const char *name, *value;
} example_values[] = {
	{ "host", "pop.isp.example" },
	{ "user", "anna" },
	{ "password_file", "/etc/quell/anna.password" },
	{ "mailbox", "anna@firm.example" },
};

static bool sample_account(struct settings *s, struct buf *out)
{
	char name[SETTINGS_NAME_BYTES], value[SETTINGS_MESSAGE_BYTES];
	if (!settings_add_account(s, SLICE("example"), 0))
		return false;
	struct setting_section section = settings_account_section(s, 0, name);
	show_folded(out, "#", slice_from_str(show_section_help("accounts")));
	buf_add_str(out, "#accounts:\n#  example:\n");
	for (size_t i = 0; i < section.row_count; i++) {
		const struct setting_row *row = &section.rows[i];
		setting_print(row, section.values, value, sizeof value);
		for (size_t j = 0; j < sizeof example_values / sizeof example_values[0]; j++)
			if (strcmp(row->name, example_values[j].name) == 0)
				snprintf(value, sizeof value, "%s", example_values[j].value);
		sample_line("#    ", row, row->is_secret ? NULL : value, out);
	}
	return true;
}

bool settings_sample(struct buf *out)
{
	struct settings *s = settings_new("");
	if (!s)
		return false;
	buf_add_str(out, "# Settings of Quell, " SETTINGS_FILE ". Every line is the default: keep only what you\n"
			 "# change. Times: 500ms 30s 15m 6h 3d. Sizes: 64KiB 256MiB 1GiB.\n"
			 "# Check with \"quell config check\"; see quell.yaml(5).\n\n");
	for (size_t i = 0; i < s->section_count; i++) {
		const struct setting_section *section = &s->sections[i];
		if (section->name[0] && show_begins_section(s, i)) {
			show_folded(out, "#", slice_from_str(show_section_help(section->name)));
			buf_addf(out, "%s:\n", section->name);
		}
		for (size_t j = 0; j < section->row_count; j++)
			sample_row(section, &section->rows[j], out);
	}
	bool is_fine = sample_account(s, out);
	settings_free(s);
	return is_fine && !out->is_over;
}

/* A setting in force, and where it comes from. text: room for its value. */
static void show_setting(const struct settings *s, const char *indent, const struct setting_section *section,
		size_t row,
			 unsigned line, char *text, struct buf *out)
{
	setting_print(&section->rows[row], section->values, text, SHOW_VALUE_BYTES);
	if (section->rows[row].is_secret && line == 0)
		memcpy(text, "\"\"", 3); /* there is none to hide */
	buf_addf(out, "%s%s: %s  # ", indent, section->rows[row].name, text);
	if (line)
		buf_addf(out, "%s:%u\n", s->file, line);
	else
		buf_add_str(out, "default\n");
}

static void show_accounts(const struct settings *s, char *text, struct buf *out)
{
	char name[SETTINGS_NAME_BYTES];
	if (s->account_count > 0)
		buf_add_str(out, "accounts:\n");
	for (size_t i = 0; i < s->account_count; i++) {
		struct setting_section section = settings_account_section(s, i, name);
		bool is_word = ascii_is_alpha(s->accounts[i].label[0]);
		buf_addf(out, is_word ? "  %s:  # %s:%u\n" : "  \"%s\":  # %s:%u\n", s->accounts[i].label, s->file,
			 s->accounts[i].line);
		for (size_t j = 0; j < section.row_count; j++)
			show_setting(s, "    ", &section, j, settings_account_line(s, i, j)->line, text, out);
	}
}

bool settings_show(const struct settings *s, struct buf *out)
{
	struct buf value;
	buf_init(&value, SHOW_VALUE_BYTES);
	char *text = buf_reserve(&value, SHOW_VALUE_BYTES);
	for (size_t i = 0; text && i < s->section_count; i++) {
		const struct setting_section *section = &s->sections[i];
		if (section->name[0] && show_begins_section(s, i))
			buf_addf(out, "%s:\n", section->name);
		for (size_t j = 0; j < section->row_count; j++)
			show_setting(s, section->name[0] ? "  " : "", section, j, s->lines[i][j], text, out);
	}
	if (text)
		show_accounts(s, text, out);
	buf_free(&value);
	return text && !out->is_over;
}

/* scdoc reads _ and * as marks, and \ before any of them as itself. */
static void manual_text(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\#<>[]|~`", *text))
			buf_add_byte(out, '\\');
		buf_add_byte(out, *text);
	}
}

static void manual_row(const struct setting_section *section, const struct setting_row *row, struct buf *out)
{
	char value[SETTINGS_MESSAGE_BYTES];
	struct buf rule;
	buf_init(&rule, SETTINGS_MESSAGE_BYTES);
	show_rule(row, &rule);
	setting_print(row, section->values, value, sizeof value);
	buf_add_byte(out, '*');
	manual_text(out, row->name);
	buf_add_str(out, "*\n\t");
	manual_text(out, row->help);
	buf_add_str(out, "\n\n\t");
	manual_text(out, buf_str(&rule));
	buf_add_str(out, rule.len ? ". Default: " : "Default: ");
	manual_text(out, row->is_secret || !row->default_text[0] ? "none" : value);
	buf_add_str(out, ".\n\n");
	buf_free(&rule);
}

static bool manual_accounts(struct settings *s, struct buf *out)
{
	char name[SETTINGS_NAME_BYTES];
	if (!settings_add_account(s, SLICE("LABEL"), 0))
		return false;
	struct setting_section section = settings_account_section(s, 0, name);
	buf_add_str(out, "# SECTION ACCOUNTS\n\n");
	manual_text(out, show_section_help("accounts"));
	buf_add_str(out, "\n\n");
	for (size_t i = 0; i < section.row_count; i++)
		manual_row(&section, &section.rows[i], out);
	return true;
}

static const char manual_head[] =
	"quell.yaml(5)\n\n"
	"# NAME\n\nquell.yaml - settings of Quell\n\n"
	"# DESCRIPTION\n\n"
	"Quell reads one file, " SETTINGS_FILE ", or the one named with *-c*. It needs none: every setting has "
	"a default. The file is YAML: \"name: value\" lines, those of a section indented with blanks. Anchors, "
	"aliases and tags are not accepted. An unknown name, a wrong value or one set twice is an error that "
	"names the line; with an error in the file *quelld* does not start, and does not reload.\n\n"
	"Times are written as 500ms, 30s, 15m, 6h or 3d, sizes as 4096, 64KiB, 256MiB or 1GiB; numbers have no "
	"leading zeros. A list is written [a, b], or as lines that begin with \"- \"; one text stands for a list "
	"of one.\n\n"
	"*quell config sample* prints a complete file, *quell config check* checks one, and *quell config show* "
	"prints what is in force and where each value comes from. *quelld* reads the file again on SIGHUP; "
	"settings that need a restart keep their old value until then, and that is logged.\n\n";
static const char manual_tail[] =
	"# EXAMPLE\n\n```\n"
	"our_hosts: [mx.example.org]\n"
	"confirm: log:/var/log/mail.log\n"
	"milter:\n"
	"  listen: \"unix:/run/quell/milter.sock\"\n"
	"hold:\n"
	"  deadline: 5s\n"
	"accounts:\n"
	"  example:\n"
	"    host: pop.isp.example\n"
	"    user: anna\n"
	"    password_file: /etc/quell/anna.password\n"
	"    mailbox: anna@firm.example\n"
	"```\n\n"
	"# SEE ALSO\n\n*quell*(1), *quell-config*(1), *quell-fetch*(1), *quelld*(8)\n";

bool settings_manual(struct buf *out)
{
	struct settings *s = settings_new("");
	if (!s)
		return false;
	buf_add_str(out, manual_head);
	for (size_t i = 0; i < s->section_count; i++) {
		const struct setting_section *section = &s->sections[i];
		if (show_begins_section(s, i)) {
			buf_add_str(out, section->name[0] ? "# SECTION " : "# AT THE TOP");
			for (const char *c = section->name; *c; c++)
				buf_add_byte(out, (char)(*c - ('a' - 'A')));
			buf_add_str(out, "\n\n");
			manual_text(out, show_section_help(section->name));
			buf_add_str(out, "\n\n");
		}
		for (size_t j = 0; j < section->row_count; j++)
			manual_row(section, &section->rows[j], out);
	}
	bool is_fine = manual_accounts(s, out);
	buf_add_str(out, manual_tail);
	settings_free(s);
	return is_fine && !out->is_over;
}
