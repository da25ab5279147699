/* SPDX-License-Identifier: Apache-2.0
 *
 * settings_accounts: the sections that repeat, one for each mailbox of quell fetch.
 *
 * The rows are those of fetch/account.h; each account has its own struct and its own
 * lines in the arena. Whether an account makes sense fetch itself says; here its words
 * get their line, and an inline password its permission.
 */
#include "main/settings_in.h"

#include "fetch/secret.h"

#include <stdio.h>
#include <sys/stat.h>

/* Twice the room: what was there is copied, and the old one stays in the arena. */
static bool accounts_grow(struct settings *s)
{
	size_t room = s->account_room ? 2 * s->account_room : 4, rows = account_setting_row_count;
	struct account_entry *accounts = arena_alloc(&s->arena, room * sizeof *accounts);
	struct settings_line *lines = arena_alloc(&s->arena, room * rows * sizeof *lines);
	bool *has_errors = arena_alloc(&s->arena, room * sizeof *has_errors);
	if (!accounts || !lines || !has_errors)
		return false;
	if (s->account_count > 0) {
		memcpy(accounts, s->accounts, s->account_count * sizeof *accounts);
		memcpy(lines, s->account_lines, s->account_count * rows * sizeof *lines);
		memcpy(has_errors, s->account_has_errors, s->account_count * sizeof *has_errors);
	}
	s->accounts = accounts;
	s->account_lines = lines;
	s->account_has_errors = has_errors;
	s->account_room = room;
	return true;
}

bool settings_add_account(struct settings *s, struct slice label, unsigned line)
{
	char name[SETTINGS_NAME_BYTES];
	char *copy = arena_alloc(&s->arena, label.len + 1);
	if (!copy || (s->account_count == s->account_room && !accounts_grow(s)))
		return false;
	if (label.len > 0)
		memcpy(copy, label.ptr, label.len);
	s->accounts[s->account_count] = (struct account_entry){ .label = copy, .line = line };
	struct setting_section section = settings_account_section(s, s->account_count, name);
	if (!settings_default_section(s, &section))
		return false;
	s->account_count++;
	return true;
}

struct setting_section settings_account_section(const struct settings *s, size_t account,
						char name[SETTINGS_NAME_BYTES])
{
	snprintf(name, SETTINGS_NAME_BYTES, "accounts.%s", s->accounts[account].label);
	return (struct setting_section){ .name = name, .rows = account_setting_rows,
					 .row_count = account_setting_row_count,
					 .values = &s->accounts[account].settings };
}

struct settings_line *settings_account_line(const struct settings *s, size_t account, size_t row)
{
	return &s->account_lines[account * account_setting_row_count + row];
}

/* ---- the checks ---- */

struct accounts_teller {
	struct settings *settings;
	struct settings_report *report;
};

static size_t accounts_find_row(const struct setting_row *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return i;
	return count;
}

static unsigned accounts_fetch_line(const struct settings *s, const char *setting)
{
	size_t row = accounts_find_row(fetch_setting_rows, fetch_setting_row_count, setting);
	for (size_t i = 0; i < s->section_count && row < fetch_setting_row_count; i++)
		if (s->sections[i].rows == fetch_setting_rows)
			return s->lines[i][row];
	return 0;
}

/* Of the item, else of the setting, else of the account. */
static unsigned accounts_line(const struct settings *s, const struct account_entry *account, const char *setting,
			      size_t item)
{
	size_t row = accounts_find_row(account_setting_rows, account_setting_row_count, setting);
	const struct setting_row *r = &account_setting_rows[row];
	if (row == account_setting_row_count)
		return account->line;
	const struct settings_line *line = settings_account_line(s, (size_t)(account - s->accounts), row);
	if (r->type == SETTING_LIST && line->items) {
		const struct setting_list *list =
			(const void *)((const char *)&account->settings + r->offset);
		if (item < list->count)
			return line->items[item];
	}
	return line->line ? line->line : account->line;
}

static void accounts_tell(void *ctx, const struct account_entry *account, const char *setting, size_t item,
			  const char *text)
{
	struct accounts_teller *t = ctx;
	struct settings *s = t->settings;
	if (!account) {
		settings_tell(t->report, false, s->file, accounts_fetch_line(s, setting), "fetch%s%s: %s",
			      setting[0] ? "." : "", setting, text);
		return;
	}
	if (setting[0] == '\0' && s->account_has_errors[account - s->accounts])
		return; /* what is missing may stand in the line that was not understood */
	settings_tell(t->report, false, s->file, accounts_line(s, account, setting, item), "accounts.%s%s%s: %s",
		      account->label, setting[0] ? "." : "", setting, text);
}

void settings_check_accounts(struct settings *s, struct settings_report *report)
{
	struct accounts_teller teller = { .settings = s, .report = report };
	struct error e = { .text = "" };
	accounts_check(&s->fetch, s->accounts, s->account_count, accounts_tell, &teller);
	for (size_t i = 0; i < s->account_count; i++) {
		char text[SETTINGS_MESSAGE_BYTES + 64];
		if (s->accounts[i].settings.password[0] == '\0' || secret_may_stand_in(s->file, &e))
			continue;
		snprintf(text, sizeof text, "a password may not stand in this file (%s), or use password_file",
			 e.text);
		accounts_tell(&teller, &s->accounts[i], "password", 0, text);
	}
}

/* That others may read it can be seen whoever asks; whether quell fetch may cannot. */
static void accounts_warn_file(const struct settings *s, const struct account_entry *account, const char *setting,
			       const char *path, const char *file, struct settings_report *report)
{
	struct stat info;
	if (path[0] == '/' && stat(path, &info) == 0 && (info.st_mode & 077))
		settings_tell(report, true, file, accounts_line(s, account, setting, 0),
			      "accounts.%s.%s: others may read or write %s; quell fetch will refuse it; mend: chmod "
			      "600 %s",
			      account->label, setting, path, path);
}

void settings_warn_accounts(const struct settings *s, const char *file, struct settings_report *report)
{
	for (size_t i = 0; i < s->account_count; i++) {
		const struct account_entry *a = &s->accounts[i];
		if (strcmp(a->settings.delete_when, "never") == 0)
			settings_tell(report, true, file, accounts_line(s, a, "delete", 0),
				      "accounts.%s.delete: never, so the box at the provider grows until it is full",
				      a->label);
		accounts_warn_file(s, a, "password_file", a->settings.password_file, file, report);
		accounts_warn_file(s, a, "client_secret_file", a->settings.client_secret_file, file, report);
		accounts_warn_file(s, a, "refresh_token_file", a->settings.refresh_token_file, file, report);
	}
	if (s->account_count > 0 && strcmp(s->fetch.in_doubt, "resend") == 0)
		settings_tell(report, true, file, accounts_fetch_line(s, "in_doubt"),
			      "fetch.in_doubt: resend, so a mail may come twice when the local server breaks off");
}

/* ---- a reload ---- */

static size_t accounts_find(const struct settings *s, const char *label)
{
	size_t i = 0;
	while (i < s->account_count && strcmp(s->accounts[i].label, label) != 0)
		i++;
	return i;
}

void settings_compare_accounts(const struct settings *now, const struct settings *fresh, struct buf *changed_out,
			       struct buf *fixed_out)
{
	char name[SETTINGS_NAME_BYTES];
	for (size_t i = 0; i < now->account_count; i++) {
		size_t at = accounts_find(fresh, now->accounts[i].label);
		struct setting_section section = settings_account_section(now, i, name);
		if (at < fresh->account_count)
			settings_compare_section(&section, &fresh->accounts[at].settings, changed_out, fixed_out);
		else
			buf_addf(changed_out, "%s%s", changed_out->len ? ", " : "", name);
	}
	for (size_t i = 0; i < fresh->account_count; i++)
		if (accounts_find(now, fresh->accounts[i].label) == now->account_count)
			buf_addf(changed_out, "%saccounts.%s", changed_out->len ? ", " : "", fresh->accounts[i].label);
}
