/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3_mail: a mail's bytes out of what RETR and TOP send, without copying.
 *
 * Only the bytes around a line's start need a state; between them the search for LF
 * goes at the speed of memchr. What may belong to the terminator is held back as a
 * state, not as bytes: a dropped dot is never given, and the one byte that can turn
 * out to be the mail's after all is a CR, which lies in static memory.
 */
#include "wire/pop3_inside.h"

static struct slice take(struct slice *unread, size_t n)
{
	struct slice taken = slice_first(*unread, n);
	*unread = slice_from(*unread, n);
	return taken;
}

/* How many bytes to give: all, or up to the CRLF that a dot follows. */
static size_t cut_run(enum pop3_mail_state *state, struct slice unread)
{
	bool has_cr = *state == MAIL_AT_CR;
	for (size_t pos = 0; pos < unread.len;) {
		size_t lf = slice_find_byte(unread, pos, '\n');
		if (lf == unread.len)
			break;
		pos = lf + 1;
		bool is_crlf = lf > 0 ? unread.ptr[lf - 1] == '\r' : has_cr;
		if (is_crlf && (pos == unread.len || unread.ptr[pos] == '.')) {
			*state = MAIL_AT_START;
			return pos;
		}
	}
	*state = unread.ptr[unread.len - 1] == '\r' ? MAIL_AT_CR : MAIL_IN_LINE;
	return unread.len;
}

enum pop3_cut pop3_cut_mail(enum pop3_mail_state *state, struct slice *unread, struct slice *bytes_out)
{
	while (unread->len > 0) {
		char next = unread->ptr[0];
		if (*state == MAIL_AT_START && next == '.') {
			take(unread, 1);
			*state = MAIL_AT_DOT;
		} else if (*state == MAIL_AT_DOT && next == '\r') {
			take(unread, 1);
			*state = MAIL_AT_DOT_CR;
		} else if (*state == MAIL_AT_DOT_CR && next == '\n') {
			take(unread, 1);
			return POP3_CUT_END;
		} else if (*state == MAIL_AT_DOT_CR) {
			*state = MAIL_IN_LINE; /* no LF is next: the CR may be forgotten */
			*bytes_out = SLICE("\r");
			return POP3_CUT_BYTES;
		} else {
			size_t n = cut_run(state, *unread);
			*bytes_out = take(unread, n);
			return POP3_CUT_BYTES;
		}
	}
	return POP3_CUT_MORE;
}
