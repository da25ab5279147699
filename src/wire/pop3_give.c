/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3_give: the commands of the POP3 client, each whole in the out buffer or not at all.
 *
 * What may be given when is decided in one place, may_give. Arguments are looked at
 * before: no byte of them can end a line.
 */
#include "wire/pop3_inside.h"

#include "wire/base64.h"

#include <stdio.h>

enum { POP3_AUTH_LINE_BYTES_MAX = 255 }; /* RFC 5034 4, CRLF included */

static bool may_give(const struct pop3 *p, enum pop3_command command, size_t line_bytes)
{
	const struct pop3_asked *last = &p->asked[(p->first + p->open + POP3_OPEN_MAX - 1) % POP3_OPEN_MAX];
	bool is_alone = command == POP3_STLS || command == POP3_AUTH;
	return !p->is_over && !p->broken && !p->is_eof && (!p->is_refused || command == POP3_QUIT) &&
	       p->open < POP3_OPEN_MAX && (p->open == 0 || (!is_alone && !pop3_is_last(last->command))) &&
	       !p->out.is_over && p->out.cap_max - p->out.len >= line_bytes;
}

static void note_given(struct pop3 *p, enum pop3_command command, uint32_t number)
{
	p->asked[(p->first + p->open++) % POP3_OPEN_MAX] =
		(struct pop3_asked){ .command = command, .number = number, .given_at = p->fed };
}

/* "COMMAND", "COMMAND argument": whole, or not at all. */
static bool give(struct pop3 *p, enum pop3_command command, struct slice argument, uint32_t number)
{
	struct slice name = slice_from_str(pop3_command_name(command));
	pop3_wipe_sent(p);
	if (!may_give(p, command, name.len + 1 + argument.len + 2))
		return false;
	buf_add(&p->out, name);
	if (argument.len > 0)
		buf_add_byte(&p->out, ' ');
	buf_add(&p->out, argument);
	buf_add_str(&p->out, "\r\n");
	p->out_high = p->out.len;
	note_given(p, command, number);
	return true;
}

static bool give_bare(struct pop3 *p, enum pop3_command command)
{
	return give(p, command, slice_make(NULL, 0), 0);
}

static bool give_text(struct pop3 *p, enum pop3_command command, struct slice argument)
{
	if (argument.len == 0 || argument.len > POP3_ARGUMENT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < argument.len; i++)
		if ((unsigned char)argument.ptr[i] < ' ' || argument.ptr[i] == 0x7f)
			return false;
	return give(p, command, argument, 0);
}

static bool give_number(struct pop3 *p, enum pop3_command command, uint32_t number)
{
	char digits[16];
	int n = snprintf(digits, sizeof digits, "%u", (unsigned)number);
	return number > 0 && give(p, command, slice_make(digits, (size_t)n), number);
}

bool pop3_capa(struct pop3 *p)
{
	return give_bare(p, POP3_CAPA);
}

bool pop3_stls(struct pop3 *p)
{
	return give_bare(p, POP3_STLS);
}

bool pop3_user(struct pop3 *p, struct slice user)
{
	return give_text(p, POP3_USER, user);
}

bool pop3_pass(struct pop3 *p, struct slice password)
{
	return give_text(p, POP3_PASS, password);
}

bool pop3_auth(struct pop3 *p, struct sasl *sasl, bool want_initial)
{
	struct slice name = slice_from_str(sasl_mechanism_name(sasl_mechanism(sasl))), first = { NULL, 0 };
	if (want_initial)
		first = sasl_first(sasl);
	size_t line_bytes = strlen("AUTH ") + name.len + 1 + base64_len(first.len) + 2;
	if (line_bytes > POP3_AUTH_LINE_BYTES_MAX)
		first.len = 0;
	if (p->out.cap_max - p->out.len < POP3_AUTH_LINE_BYTES_MAX || !give(p, POP3_AUTH, name, 0))
		return false;
	p->sasl = sasl;
	p->is_first_word_said = first.len > 0;
	if (first.len > 0) {
		p->out.len -= 2;
		buf_add_byte(&p->out, ' ');
		base64_add(&p->out, first);
		buf_add_str(&p->out, "\r\n");
		p->out_high = p->out.len;
	}
	return true;
}

bool pop3_stat(struct pop3 *p)
{
	return give_bare(p, POP3_STAT);
}

bool pop3_list(struct pop3 *p)
{
	return give_bare(p, POP3_LIST);
}

bool pop3_uidl(struct pop3 *p)
{
	return give_bare(p, POP3_UIDL);
}

bool pop3_top(struct pop3 *p, uint32_t number, uint32_t body_lines)
{
	char words[32];
	int n = snprintf(words, sizeof words, "%u %u", (unsigned)number, (unsigned)body_lines);
	return number > 0 && give(p, POP3_TOP, slice_make(words, (size_t)n), number);
}

bool pop3_retr(struct pop3 *p, uint32_t number)
{
	return give_number(p, POP3_RETR, number);
}

bool pop3_dele(struct pop3 *p, uint32_t number)
{
	return give_number(p, POP3_DELE, number);
}

bool pop3_noop(struct pop3 *p)
{
	return give_bare(p, POP3_NOOP);
}

bool pop3_quit(struct pop3 *p)
{
	return give_bare(p, POP3_QUIT);
}
