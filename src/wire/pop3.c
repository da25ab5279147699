/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3: the talk, as a queue of open commands.
 *
 * The command at the queue's head says what the server's next bytes are: a status
 * line, rows, or a mail. Each command notes how much had been fed when it was given:
 * an answer that began before was not an answer to it (smuggled in, or one too many),
 * and the talk ends. pop3_next pulls, until an event comes out or the bytes are used
 * up. Lines lie in the caller's bytes; only one cut by the end of a feed is kept.
 */
#include "wire/pop3_inside.h"

#include "base/mem.h"
#include "wire/base64.h"

enum { POP3_CAPA_ROWS_MAX = 1000 };

static struct pop3_asked *pop3_head(struct pop3 *p)
{
	return p->open > 0 ? &p->asked[p->first] : NULL;
}

static void pop3_done(struct pop3 *p)
{
	p->first = (p->first + 1) % POP3_OPEN_MAX;
	p->open--;
	p->reading = READING_STATUS;
}

static bool pop3_break(struct pop3 *p, const char *why)
{
	if (!p->broken)
		p->broken = why;
	return false;
}

static void forget_caps(struct pop3 *p)
{
	p->caps = (struct pop3_caps){ .expire_days = -1 };
}

void pop3_wipe_sent(struct pop3 *p)
{
	if (p->out.ptr && p->out.len < p->out_high)
		explicit_bzero(p->out.ptr + p->out.len, p->out_high - p->out.len);
	p->out_high = p->out.len;
}

/* ---- lines ---- */

static size_t line_max(struct pop3 *p)
{
	return p->open > 0 && pop3_head(p)->command == POP3_AUTH ? POP3_CHALLENGE_BYTES_MAX :
								    POP3_LINE_BYTES_MAX;
}

static bool line_keep(struct pop3 *p, struct slice part)
{
	if (part.len > 0)
		memcpy(p->line + p->line_len, part.ptr, part.len);
	p->line_len += part.len;
	p->unread = slice_from(p->unread, part.len);
	return false;
}

/* One whole line without its CRLF. False: not there yet, or broken. */
static bool line_take(struct pop3 *p, struct slice *line_out)
{
	size_t end = slice_find_byte(p->unread, 0, '\n');
	if (p->line_len + end > line_max(p))
		return pop3_break(p, "the server's line is too long");
	struct slice part = slice_first(p->unread, end);
	if (end == p->unread.len)
		return line_keep(p, part);
	if (p->line_len > 0) {
		line_keep(p, part);
		part = slice_make(p->line, p->line_len);
		p->is_line_used = true;
		end = 0; /* line_keep went up to the LF */
	}
	p->unread = slice_from(p->unread, end + 1);
	if (part.len == 0 || part.ptr[part.len - 1] != '\r')
		return pop3_break(p, "the server's line does not end with CRLF");
	*line_out = slice_first(part, part.len - 1);
	return true;
}

/* Splits a status line and keeps its text; false when it is none. */
static bool reply_take(struct pop3 *p, struct slice line, bool is_login)
{
	p->has_reply = pop3_read_status(line, &p->reply);
	if (!p->has_reply)
		return false;
	if (p->reply.text.len > 0)
		memcpy(p->text, p->reply.text.ptr, p->reply.text.len);
	p->reply.text.ptr = p->text;
	p->reply.code = p->reply.is_ok ? POP3_CODE_NONE : pop3_read_code(p->reply.text, is_login);
	return true;
}

/* ---- answers: each is called with a status line read into p->reply; true: *ev is filled ---- */

static bool pop3_event(struct pop3 *p, struct pop3_event *ev, enum pop3_event_kind kind)
{
	const struct pop3_asked *head = pop3_head(p);
	ev->kind = kind;
	if (head) {
		ev->command = head->command;
		ev->number = head->number;
	}
	if (p->has_reply)
		ev->reply = p->reply;
	return true;
}

static bool on_final(struct pop3 *p, struct pop3_event *ev)
{
	pop3_event(p, ev, POP3_REPLY);
	pop3_done(p);
	return true;
}

static bool on_greeting(struct pop3 *p, struct pop3_event *ev)
{
	p->is_refused = !p->reply.is_ok;
	return on_final(p, ev);
}

static bool on_capa(struct pop3 *p, struct pop3_event *ev)
{
	forget_caps(p);
	if (!p->reply.is_ok)
		return on_final(p, ev);
	p->reading = READING_ROWS;
	p->rows = 0;
	return false;
}

static bool on_stls(struct pop3 *p, struct pop3_event *ev)
{
	if (!p->reply.is_ok)
		return on_final(p, ev);
	if (p->unread.len > 0)
		return pop3_break(p, "the server sent plain bytes behind its word to begin TLS");
	forget_caps(p);
	pop3_event(p, ev, POP3_TLS);
	pop3_done(p);
	return true;
}

static bool on_auth(struct pop3 *p, struct pop3_event *ev)
{
	bool is_believed = p->is_first_word_said && sasl_is_proven(p->sasl);
	p->sasl = NULL;
	if (p->reply.is_ok && !is_believed)
		return pop3_break(p, "the server says we are in, but proved nothing");
	return on_final(p, ev);
}

static bool on_stat(struct pop3 *p, struct pop3_event *ev)
{
	if (p->reply.is_ok && !pop3_read_stat(p->reply.text, ev))
		return pop3_break(p, "the answer to STAT is out of its form");
	struct pop3_event stat = *ev;
	on_final(p, ev);
	ev->number = stat.number;
	return true;
}

static bool on_rows(struct pop3 *p, struct pop3_event *ev)
{
	if (!p->reply.is_ok)
		return on_final(p, ev);
	p->reading = READING_ROWS;
	p->rows = 0;
	return pop3_event(p, ev, POP3_REPLY);
}

static bool on_mail(struct pop3 *p, struct pop3_event *ev)
{
	if (!p->reply.is_ok)
		return on_final(p, ev);
	p->reading = READING_MAIL;
	p->mail = MAIL_AT_START;
	return pop3_event(p, ev, POP3_REPLY);
}

static bool on_quit(struct pop3 *p, struct pop3_event *ev)
{
	p->is_over = true;
	return pop3_event(p, ev, POP3_CLOSED);
}

static const struct {
	const char *name;
	bool (*answer)(struct pop3 *p, struct pop3_event *ev);
	bool is_login; /* "locked" in its -ERR means another session */
	bool is_last;  /* nothing may be given behind it while it is open */
} rows[] = {
	[POP3_CONNECT] = { "greeting", on_greeting, true, true },
	[POP3_CAPA] = { "CAPA", on_capa, false, false },
	[POP3_STLS] = { "STLS", on_stls, false, true },
	[POP3_USER] = { "USER", on_final, true, false },
	[POP3_PASS] = { "PASS", on_final, true, false },
	[POP3_AUTH] = { "AUTH", on_auth, true, true },
	[POP3_STAT] = { "STAT", on_stat, false, false },
	[POP3_LIST] = { "LIST", on_rows, false, false },
	[POP3_UIDL] = { "UIDL", on_rows, false, false },
	[POP3_TOP] = { "TOP", on_mail, false, false },
	[POP3_RETR] = { "RETR", on_mail, false, false },
	[POP3_DELE] = { "DELE", on_final, false, false },
	[POP3_RSET] = { "RSET", on_final, false, false },
	[POP3_NOOP] = { "NOOP", on_final, false, false },
	[POP3_QUIT] = { "QUIT", on_quit, false, true },
};

const char *pop3_command_name(enum pop3_command command)
{
	return (unsigned)command < sizeof rows / sizeof rows[0] ? rows[command].name : "?";
}

bool pop3_is_last(enum pop3_command command)
{
	return rows[command].is_last;
}

/* ---- the server's challenges ---- */

/* Secrets go from sasl's memory straight into out. */
static bool say_word(struct pop3 *p, struct slice word)
{
	size_t room = p->out.cap_max - p->out.len;
	if (room < base64_len(word.len) + 2 || !base64_add(&p->out, word) || !buf_add_str(&p->out, "\r\n"))
		return pop3_break(p, "no room for our word in AUTH");
	p->out_high = p->out.len;
	p->asked[p->first].given_at = p->fed;
	return true;
}

/* Always false: no event comes of it. */
static bool on_challenge(struct pop3 *p, struct slice text)
{
	struct slice answer;
	const char *why = NULL;
	size_t n;
	if (!base64_read(text, p->challenge, sizeof p->challenge, &n))
		return pop3_break(p, "the server's challenge is no base64, or too long");
	if (!p->is_first_word_said) {
		if (n > 0)
			return pop3_break(p, "the server's challenge comes before our first word");
		p->is_first_word_said = true;
		say_word(p, sasl_first(p->sasl));
		return false;
	}
	if (!sasl_step(p->sasl, slice_make(p->challenge, n), &answer, &why))
		return pop3_break(p, why);
	say_word(p, answer);
	return false;
}

static bool is_challenge(struct slice line)
{
	return line.len > 0 && line.ptr[0] == '+' && (line.len == 1 || line.ptr[1] == ' ');
}

/* ---- reading, by what the head awaits; true when *ev was filled ---- */

/* A line for its words alone, where the talk breaks anyway. */
static bool on_unasked(struct pop3 *p)
{
	size_t end = slice_find_byte(p->unread, 0, '\n');
	if (p->line_len == 0 && end > 0 && end < p->unread.len && p->unread.ptr[end - 1] == '\r')
		reply_take(p, slice_first(p->unread, end - 1), true);
	return pop3_break(p, "the server spoke before it was asked");
}

static bool read_status(struct pop3 *p, struct pop3_event *ev)
{
	struct slice line;
	const struct pop3_asked *head = pop3_head(p);
	p->has_reply = false;
	if (!head || (p->line_len == 0 && p->fed - p->unread.len < head->given_at))
		return on_unasked(p);
	if (!line_take(p, &line))
		return false;
	if (head->command == POP3_AUTH && is_challenge(line))
		return on_challenge(p, slice_trim(slice_from(line, 1)));
	if (!reply_take(p, line, rows[head->command].is_login))
		return pop3_break(p, "the server's answer is neither +OK nor -ERR");
	return rows[head->command].answer(p, ev);
}

static bool on_rows_end(struct pop3 *p, struct pop3_event *ev)
{
	bool is_capa = pop3_head(p)->command == POP3_CAPA;
	p->caps.is_known |= is_capa;
	pop3_event(p, ev, is_capa ? POP3_REPLY : POP3_ROWS_END);
	pop3_done(p);
	return true;
}

static bool on_cap(struct pop3 *p, struct slice line)
{
	if (line.len == 0)
		return pop3_break(p, "the answer to CAPA has an empty row");
	if (++p->rows > POP3_CAPA_ROWS_MAX)
		return pop3_break(p, "the answer to CAPA has too many rows");
	pop3_learn_cap(&p->caps, line);
	return false;
}

static bool read_rows(struct pop3 *p, struct pop3_event *ev)
{
	struct slice line;
	if (!line_take(p, &line))
		return false;
	if (slice_equal(line, SLICE(".")))
		return on_rows_end(p, ev);
	if (pop3_head(p)->command == POP3_CAPA)
		return on_cap(p, line);
	if (++p->rows > POP3_ROWS_MAX)
		return pop3_break(p, "the listing has too many rows");
	pop3_event(p, ev, POP3_ROW);
	if (!pop3_read_row(line, ev))
		return pop3_break(p, "a row of the listing is out of its form");
	return true;
}

static bool read_mail(struct pop3 *p, struct pop3_event *ev)
{
	struct slice bytes;
	enum pop3_cut cut = pop3_cut_mail(&p->mail, &p->unread, &bytes);
	if (cut == POP3_CUT_MORE)
		return false;
	pop3_event(p, ev, cut == POP3_CUT_END ? POP3_MAIL_END : POP3_MAIL_BYTES);
	if (cut == POP3_CUT_BYTES)
		ev->bytes = bytes;
	else
		pop3_done(p);
	return true;
}

/* ---- events ---- */

static bool pop3_fail(struct pop3 *p, struct pop3_event *ev)
{
	*ev = (struct pop3_event){ .kind = POP3_NONE };
	pop3_event(p, ev, POP3_FAILED);
	ev->why = p->broken;
	p->is_over = true;
	p->unread = slice_make(NULL, 0);
	buf_reset(&p->out);
	pop3_wipe_sent(p);
	return true;
}

/* The server is gone, and all it said was read. */
static bool on_end(struct pop3 *p, struct pop3_event *ev)
{
	const struct pop3_asked *head = pop3_head(p);
	p->has_reply = false;
	if (head && head->command == POP3_QUIT)
		return on_quit(p, ev);
	return pop3_break(p, "the server closed the link");
}

/* One step; true when *ev was filled. */
static bool pop3_step(struct pop3 *p, struct pop3_event *ev)
{
	static bool (*const read[])(struct pop3 *, struct pop3_event *) = {
		[READING_STATUS] = read_status, [READING_ROWS] = read_rows, [READING_MAIL] = read_mail,
	};
	if (p->is_line_used)
		p->line_len = 0;
	p->is_line_used = false;
	return read[p->reading](p, ev);
}

void pop3_next(struct pop3 *p, struct pop3_event *event_out)
{
	*event_out = (struct pop3_event){ .kind = POP3_NONE };
	pop3_wipe_sent(p);
	while (!p->is_over && !p->broken && p->unread.len > 0)
		if (pop3_step(p, event_out))
			return;
	if (p->is_over || (!p->broken && !p->is_eof))
		return;
	if (p->broken || !on_end(p, event_out))
		pop3_fail(p, event_out);
}

/* ---- the caller's side ---- */

struct pop3 *pop3_new(void)
{
	struct pop3 *p = mem_alloc(sizeof *p);
	if (!p)
		return NULL;
	buf_init(&p->out, POP3_OUT_BYTES_MAX);
	if (!buf_reserve(&p->out, POP3_OUT_BYTES_MAX)) {
		pop3_free(&p);
		return NULL;
	}
	forget_caps(p);
	p->asked[0] = (struct pop3_asked){ .command = POP3_CONNECT };
	p->open = 1;
	return p;
}

void pop3_free(struct pop3 **p)
{
	if (!*p)
		return;
	if ((*p)->out.ptr)
		explicit_bzero((*p)->out.ptr, (*p)->out.cap);
	buf_free(&(*p)->out);
	mem_free(*p);
	*p = NULL;
}

void pop3_feed(struct pop3 *p, struct slice bytes)
{
	pop3_wipe_sent(p);
	if (p->unread.len > 0)
		pop3_break(p, "bytes were fed before the last ones were read");
	p->unread = bytes;
	p->fed += bytes.len;
}

void pop3_feed_end(struct pop3 *p)
{
	pop3_wipe_sent(p);
	p->is_eof = true;
}

struct buf *pop3_out(struct pop3 *p)
{
	pop3_wipe_sent(p);
	return &p->out;
}

size_t pop3_open(const struct pop3 *p)
{
	return p->open;
}

const struct pop3_caps *pop3_caps(const struct pop3 *p)
{
	return &p->caps;
}
