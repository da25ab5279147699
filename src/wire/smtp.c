/* SPDX-License-Identifier: Apache-2.0
 *
 * smtp: the client's side of the talk as a table of states.
 *
 * smtp_next pulls: it reads one whole reply from what was fed and hands it to the
 * row of the current state, until an event comes out. A command is only said when
 * no unread byte of the server is left (smtp_say); so a server that speaks before
 * it is asked is found out and cannot answer a question that was not put yet.
 */
#include "wire/smtp.h"

#include "base/mem.h"

enum {
	SMTP_HELO_BYTES_MAX = 255,
	SMTP_IN_BYTES_MAX = 256 * 1024, /* unread replies: those to 1,000 pipelined RCPTs */
	SMTP_BODY_ROOM_MIN = 1024,
};

enum smtp_state {
	AT_GREETING, AT_EHLO, AT_HELO, AT_READY, AT_MAIL, AT_RCPT, AT_REFUSED, AT_DATA, AT_BODY,
	AT_FINAL,
	AT_DATA_FOR_NONE, /* DATA was said ahead and nobody was taken: its reply */
	AT_LONE_DOT,      /* it was 354 all the same: the reply to the dot */
	AT_RESET, AT_QUIT, AT_END,
};

struct smtp_kept_reply {
	int code;
	char enhanced[12];
	char text[SMTP_REPLY_TEXT_BYTES];
	size_t text_len;
	size_t lines;
};

struct smtp_rcpt {
	struct slice path; /* in paths */
	bool is_accepted, is_done;
};

struct smtp {
	enum smtp_kind kind;
	enum smtp_state state;
	char helo[SMTP_HELO_BYTES_MAX + 1];
	struct buf in, out, paths;
	size_t in_pos;                   /* read up to here */
	struct smtp_kept_reply reply;    /* being read, or just read */
	struct smtp_kept_reply verdict;  /* the one that open recipients get */
	struct smtp_rcpt *rcpts;
	size_t rcpt_count, rcpt_next, accepted_count;
	size_t done_next;
	bool want_no_dsn, is_probe;      /* of the mail under way */
	bool is_data_said;               /* DATA left with MAIL and RCPT, in one group */
	bool is_end_said;                /* of it; no last word on all recipients yet */
	bool is_finishing;               /* DONE is being handed out to all open recipients */
	enum smtp_state after_finish;    /* AT_READY, AT_RESET or AT_END */
	unsigned can;
	uint64_t size_max;
	bool is_line_start, has_cr;      /* of the body */
	bool is_eof;
	const char *broken;              /* why; told as FAILED at the next smtp_next */
};

bool smtp_is_taken(const struct smtp_reply *reply)
{
	return reply->code / 100 == 2;
}

bool smtp_is_temporary(const struct smtp_reply *reply)
{
	return reply->code / 100 == 4;
}

static bool smtp_break(struct smtp *s, const char *why)
{
	if (!s->broken)
		s->broken = why;
	return false;
}

/* ---- commands ---- */

static void smtp_say(struct smtp *s, enum smtp_state then)
{
	if (s->in_pos < s->in.len)
		smtp_break(s, "the server spoke before it was asked");
	if (s->out.is_over)
		smtp_break(s, "no memory for a command");
	s->state = then;
}

static void smtp_say_line(struct smtp *s, const char *verb, struct slice rest, enum smtp_state then)
{
	buf_addf(&s->out, "%s%.*s\r\n", verb, SLICE_ARG(rest));
	smtp_say(s, then);
}

static void smtp_add_rcpt(struct smtp *s, const struct smtp_rcpt *rcpt)
{
	bool want_notify = s->want_no_dsn && (s->can & SMTP_CAN_DSN);
	buf_addf(&s->out, "RCPT TO:<%.*s>%s\r\n", SLICE_ARG(rcpt->path), want_notify ? " NOTIFY=NEVER" : "");
}

/* ---- replies ---- */

/* "5.7.1" in front of text, of the class of code (RFC 2034 4); its length, or 0. */
static size_t enhanced_len(struct slice text, int code)
{
	size_t n = 0, dots = 0, digits = 0;
	for (; n < text.len && !ascii_is_blank(text.ptr[n]); n++) {
		if (text.ptr[n] == '.' && digits > 0) {
			dots++;
			digits = 0;
		} else if (!ascii_is_digit(text.ptr[n]) || ++digits > 3) {
			return 0;
		}
	}
	bool is_good = dots == 2 && digits > 0 && text.ptr[1] == '.' && text.ptr[0] - '0' == code / 100;
	return is_good && n < sizeof ((struct smtp_reply *)0)->enhanced ? n : 0;
}

static void reply_add_text(struct smtp_kept_reply *r, struct slice text)
{
	size_t n = enhanced_len(text, r->code);
	if (n > 0) {
		memcpy(r->enhanced, text.ptr, n);
		r->enhanced[n] = '\0';
		text = slice_from(text, n);
	}
	text = slice_trim(text);
	if (r->text_len > 0 && r->text_len < sizeof r->text)
		r->text[r->text_len++] = ' ';
	text = slice_first(text, sizeof r->text - r->text_len);
	if (text.len > 0)
		memcpy(r->text + r->text_len, text.ptr, text.len);
	r->text_len += text.len;
}

static void smtp_learn_keyword(struct smtp *s, struct slice line)
{
	static const struct {
		struct slice word;
		unsigned can;
	} rows[] = {
		{ { "PIPELINING", 10 }, SMTP_CAN_PIPELINING }, { { "8BITMIME", 8 }, SMTP_CAN_8BITMIME },
		{ { "SIZE", 4 }, SMTP_CAN_SIZE }, { { "SMTPUTF8", 8 }, SMTP_CAN_SMTPUTF8 },
		{ { "ENHANCEDSTATUSCODES", 19 }, SMTP_CAN_ENHANCED }, { { "DSN", 3 }, SMTP_CAN_DSN },
	};
	struct slice word = { NULL, 0 }, rest = line;
	slice_next(&rest, ' ', &word);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (slice_equal_nocase(word, rows[i].word))
			s->can |= rows[i].can;
	if (slice_equal_nocase(word, SLICE("SIZE")))
		slice_to_u64(slice_trim(rest), &s->size_max);
}

/* One line of a reply. *is_last_out: the reply is whole. */
static bool smtp_read_line(struct smtp *s, struct slice line, bool *is_last_out)
{
	struct smtp_kept_reply *r = &s->reply;
	uint64_t code;
	if (line.len < 3 || !slice_to_u64(slice_first(line, 3), &code) || code < 200 || code > 599 ||
	    (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-'))
		return smtp_break(s, "the server's reply is no SMTP reply");
	if (r->lines == 0)
		r->code = (int)code;
	if ((int)code != r->code)
		return smtp_break(s, "the codes of one reply differ");
	if (++r->lines > SMTP_REPLY_LINES_MAX)
		return smtp_break(s, "the server's reply has too many lines");
	struct slice text = slice_from(line, 4);
	if (s->state == AT_EHLO && r->lines > 1)
		smtp_learn_keyword(s, slice_trim(text));
	reply_add_text(r, text);
	*is_last_out = line.len == 3 || line.ptr[3] == ' ';
	return true;
}

static bool is_asked(const struct smtp *s)
{
	return s->state != AT_READY && s->state != AT_BODY && s->state != AT_END;
}

/* Without a question only 421 may come (RFC 5321 3.8); judged as early as possible. */
static bool smtp_may_speak(struct smtp *s, struct slice unread)
{
	struct slice wanted = slice_first(SLICE("421"), unread.len);
	if (is_asked(s) || slice_equal(slice_first(unread, 3), wanted))
		return true;
	return smtp_break(s, "the server spoke before it was asked");
}

/* Reads up to the end of one reply; false: not there yet, or broken. */
static bool smtp_read_reply(struct smtp *s)
{
	bool is_last = false;
	if (s->reply.lines == 0 || s->state == AT_END)
		s->reply = (struct smtp_kept_reply){ 0 };
	while (!is_last) {
		struct slice unread = slice_from(buf_slice(&s->in), s->in_pos);
		size_t end = slice_find_byte(unread, 0, '\n');
		if (unread.len > 0 && s->reply.lines == 0 && !smtp_may_speak(s, unread))
			return false;
		if (end > SMTP_LINE_BYTES_MAX)
			return smtp_break(s, "the server's line is too long");
		if (end == unread.len)
			return false;
		struct slice line = slice_first(unread, end);
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		s->in_pos += end + 1;
		if (!smtp_read_line(s, line, &is_last))
			return false;
	}
	return true;
}

static struct smtp_reply reply_view(const struct smtp_kept_reply *r)
{
	struct smtp_reply view = { .code = r->code, .text = slice_make(r->text, r->text_len) };
	memcpy(view.enhanced, r->enhanced, sizeof view.enhanced);
	return view;
}

/* ---- what a reply means, by state; true when *ev was filled ---- */

/* All open recipients get verdict, one DONE at a time. */
static bool smtp_finish(struct smtp *s, const struct smtp_kept_reply *verdict, enum smtp_state then)
{
	s->verdict = *verdict;
	s->is_finishing = true;
	s->done_next = 0;
	s->after_finish = then;
	return false;
}

static bool smtp_event(struct smtp_event *ev, enum smtp_event_kind kind, const struct smtp_kept_reply *r)
{
	ev->kind = kind;
	if (r)
		ev->reply = reply_view(r);
	return true;
}

static bool smtp_done(struct smtp *s, size_t rcpt, const struct smtp_kept_reply *r, struct smtp_event *ev)
{
	s->rcpts[rcpt].is_done = true;
	ev->rcpt = rcpt;
	return smtp_event(ev, SMTP_DONE, r);
}

static bool on_greeting(struct smtp *s, struct smtp_event *ev)
{
	(void)ev;
	if (s->reply.code / 100 != 2)
		return smtp_break(s, "the server refuses the connection");
	smtp_say_line(s, s->kind == SMTP_LMTP ? "LHLO " : "EHLO ", slice_from_str(s->helo), AT_EHLO);
	return false;
}

static bool on_ehlo(struct smtp *s, struct smtp_event *ev)
{
	if (s->reply.code / 100 == 2) {
		s->state = AT_READY;
		return smtp_event(ev, SMTP_READY, &s->reply);
	}
	if (s->state == AT_HELO || s->kind == SMTP_LMTP || s->reply.code / 100 != 5)
		return smtp_break(s, "the server refuses our greeting");
	s->can = 0;
	s->size_max = 0;
	smtp_say_line(s, "HELO ", slice_from_str(s->helo), AT_HELO);
	return false;
}

static void smtp_ask_rcpt(struct smtp *s)
{
	if (!(s->can & SMTP_CAN_PIPELINING)) {
		smtp_add_rcpt(s, &s->rcpts[s->rcpt_next]);
		smtp_say(s, AT_RCPT);
	}
	s->state = AT_RCPT;
}

static bool on_mail(struct smtp *s, struct smtp_event *ev)
{
	(void)ev;
	s->rcpt_next = 0;
	if (s->reply.code / 100 == 2) {
		smtp_ask_rcpt(s);
		return false;
	}
	if (!(s->can & SMTP_CAN_PIPELINING))
		return smtp_finish(s, &s->reply, AT_READY);
	/* The RCPTs are on their way: their replies must be heard out first. */
	s->verdict = s->reply;
	s->state = AT_REFUSED;
	return false;
}

static bool on_refused(struct smtp *s, struct smtp_event *ev)
{
	(void)ev;
	s->accepted_count += s->reply.code / 100 == 2;
	if (++s->rcpt_next < s->rcpt_count)
		return false;
	if (s->is_data_said) {
		s->state = AT_DATA_FOR_NONE;
		return false;
	}
	/* RSET: whether a transaction is open depends on the server. */
	struct smtp_kept_reply verdict = s->verdict;
	return smtp_finish(s, &verdict, AT_RESET);
}

static bool on_rcpt(struct smtp *s, struct smtp_event *ev)
{
	size_t at = s->rcpt_next++;
	bool is_accepted = s->reply.code / 100 == 2;
	s->rcpts[at].is_accepted = is_accepted;
	s->accepted_count += is_accepted;
	if (s->rcpt_next < s->rcpt_count)
		smtp_ask_rcpt(s);
	else if (s->is_probe)
		smtp_finish(s, &s->reply, AT_RESET);
	else if (s->is_data_said)
		s->state = s->accepted_count > 0 ? AT_DATA : AT_DATA_FOR_NONE;
	else if (s->accepted_count > 0)
		smtp_say_line(s, "DATA", slice_make(NULL, 0), AT_DATA);
	else
		smtp_finish(s, &s->reply, AT_RESET);
	return is_accepted && !s->is_probe ? false : smtp_done(s, at, &s->reply, ev);
}

static bool on_data(struct smtp *s, struct smtp_event *ev)
{
	if (s->reply.code / 100 == 2)
		return smtp_break(s, "the server took DATA without the mail");
	if (s->reply.code != 354)
		return smtp_finish(s, &s->reply, AT_RESET);
	s->state = AT_BODY;
	s->is_line_start = true;
	s->has_cr = false;
	return smtp_event(ev, SMTP_BODY, &s->reply);
}

/* DATA was on its way when the last recipient was refused (RFC 2920 3.1). Mostly it is refused
 * too. A server that says 354 gets the lone dot: a mail for nobody; but only where nobody
 * was taken by any reply, or that dot would be an empty mail for somebody. In LMTP 354 may not
 * come here (RFC 2033 4.2), and how many replies a dot would have is unknown. */
static bool on_data_for_none(struct smtp *s, struct smtp_event *ev)
{
	(void)ev;
	struct smtp_kept_reply verdict = s->verdict;
	if (s->reply.code / 100 > 3)
		return smtp_finish(s, &verdict, AT_RESET);
	if (s->reply.code != 354 || s->kind == SMTP_LMTP || s->accepted_count > 0) {
		smtp_finish(s, &verdict, AT_RESET);
		return smtp_break(s, "the server wants a mail it refused");
	}
	buf_add_str(&s->out, ".\r\n");
	smtp_say(s, AT_LONE_DOT);
	return false;
}

/* Whatever it says: it is the end of that mail, which nobody was to get. */
static bool on_lone_dot(struct smtp *s, struct smtp_event *ev)
{
	(void)ev;
	struct smtp_kept_reply verdict = s->verdict;
	if (s->reply.code / 100 == 3)
		return smtp_break(s, "the server asks for more after the mail's end");
	return smtp_finish(s, &verdict, AT_READY);
}

/* SMTP: one word for all. LMTP: one for each accepted recipient, in order. */
static bool on_final(struct smtp *s, struct smtp_event *ev)
{
	if (s->reply.code / 100 == 3)
		return smtp_break(s, "the server asks for more after the mail's end");
	if (s->kind == SMTP_SMTP)
		return smtp_finish(s, &s->reply, AT_READY);
	while (s->rcpt_next < s->rcpt_count && !s->rcpts[s->rcpt_next].is_accepted)
		s->rcpt_next++;
	size_t at = s->rcpt_next++;
	if (--s->accepted_count == 0)
		smtp_finish(s, &s->reply, AT_READY);
	return smtp_done(s, at, &s->reply, ev);
}

static bool on_reset(struct smtp *s, struct smtp_event *ev)
{
	if (s->reply.code / 100 != 2)
		return smtp_break(s, "the server refuses RSET");
	s->state = AT_READY;
	return smtp_event(ev, SMTP_MAIL_END, NULL);
}

static bool on_quit(struct smtp *s, struct smtp_event *ev)
{
	s->state = AT_END;
	return smtp_event(ev, SMTP_CLOSED, &s->reply);
}

static bool on_unasked(struct smtp *s, struct smtp_event *ev)
{
	(void)ev;
	return smtp_break(s, "the server spoke before it was asked");
}

typedef bool reply_fn(struct smtp *s, struct smtp_event *ev);
static reply_fn *const reply_fns[] = {
	[AT_GREETING] = on_greeting, [AT_EHLO] = on_ehlo, [AT_HELO] = on_ehlo, [AT_READY] = on_unasked,
	[AT_MAIL] = on_mail, [AT_RCPT] = on_rcpt, [AT_REFUSED] = on_refused, [AT_DATA] = on_data,
	[AT_BODY] = on_unasked, [AT_FINAL] = on_final, [AT_DATA_FOR_NONE] = on_data_for_none,
	[AT_LONE_DOT] = on_lone_dot, [AT_RESET] = on_reset, [AT_QUIT] = on_quit, [AT_END] = on_unasked,
};

/* ---- events ---- */

static void smtp_forget_mail(struct smtp *s)
{
	mem_free(s->rcpts);
	s->rcpts = NULL;
	s->rcpt_count = s->rcpt_next = s->accepted_count = 0;
	s->is_end_said = s->is_data_said = false;
	buf_reset(&s->paths);
}

static bool smtp_go_on_finishing(struct smtp *s, struct smtp_event *ev)
{
	while (s->done_next < s->rcpt_count && s->rcpts[s->done_next].is_done)
		s->done_next++;
	if (s->done_next < s->rcpt_count)
		return smtp_done(s, s->done_next, &s->verdict, ev);
	s->is_finishing = false;
	smtp_forget_mail(s);
	if (s->broken)
		return false;
	if (s->after_finish == AT_RESET) {
		smtp_say_line(s, "RSET", slice_make(NULL, 0), AT_RESET);
		return false;
	}
	s->state = s->after_finish;
	return smtp_event(ev, s->state == AT_END ? SMTP_CLOSED : SMTP_MAIL_END,
			  s->state == AT_END ? &s->verdict : NULL);
}

static bool smtp_fail(struct smtp *s, struct smtp_event *ev)
{
	s->state = AT_END;
	s->is_finishing = false;
	ev->why = s->broken;
	return smtp_event(ev, SMTP_FAILED, &s->reply);
}

/* One step; true when *ev was filled. *is_idle_out: nothing more can be done now. */
static bool smtp_step(struct smtp *s, struct smtp_event *ev, bool *is_idle_out)
{
	/* A word that was heard counts, even where the talk broke right behind it. */
	if (s->is_finishing)
		return smtp_go_on_finishing(s, ev);
	if (s->broken)
		return smtp_fail(s, ev);
	if (!smtp_read_reply(s)) {
		if (!s->broken && s->is_eof && s->state != AT_QUIT)
			smtp_break(s, "the server closed the connection");
		*is_idle_out = !s->broken;
		if (s->is_eof && s->state == AT_QUIT)
			return on_quit(s, ev);
		return false;
	}
	s->reply.lines = 0; /* whole: the next line begins a new one */
	if (s->reply.code == 421 && s->state != AT_QUIT)
		return smtp_finish(s, &s->reply, AT_END);
	return reply_fns[s->state](s, ev);
}

void smtp_next(struct smtp *s, struct smtp_event *event_out)
{
	bool is_idle = false;
	*event_out = (struct smtp_event){ .kind = SMTP_NONE };
	while (s->state != AT_END && !is_idle)
		if (smtp_step(s, event_out, &is_idle))
			return;
}

/* ---- the caller's side ---- */

static bool is_plain_word(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
			return false;
	return s.len > 0 && s.len <= SMTP_HELO_BYTES_MAX;
}

bool smtp_is_path(struct slice s)
{
	bool is_quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c < ' ' || c == 0x7f)
			return false;
		if (c == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && c == '\\' && i + 1 < s.len && s.ptr[i + 1] >= ' ')
			i++;
		else if (!is_quoted && (c == ' ' || c == '<' || c == '>'))
			return false;
	}
	return !is_quoted && s.len <= SMTP_PATH_BYTES_MAX;
}

struct smtp *smtp_new(enum smtp_kind kind, struct slice helo)
{
	struct smtp *s = is_plain_word(helo) ? mem_alloc(sizeof *s) : NULL;
	if (!s)
		return NULL;
	s->kind = kind;
	memcpy(s->helo, helo.ptr, helo.len);
	buf_init(&s->in, SMTP_IN_BYTES_MAX);
	buf_init(&s->out, SMTP_OUT_BYTES_MAX);
	buf_init(&s->paths, (size_t)SMTP_RCPTS_MAX * SMTP_PATH_BYTES_MAX);
	return s;
}

void smtp_free(struct smtp **s)
{
	if (!*s)
		return;
	smtp_forget_mail(*s);
	buf_free(&(*s)->in);
	buf_free(&(*s)->out);
	buf_free(&(*s)->paths);
	mem_free(*s);
	*s = NULL;
}

void smtp_feed(struct smtp *s, struct slice bytes)
{
	buf_consume(&s->in, s->in_pos);
	s->in_pos = 0;
	if (!buf_add(&s->in, bytes))
		smtp_break(s, "the server says more than fits");
}

void smtp_feed_end(struct smtp *s)
{
	s->is_eof = true;
}

struct buf *smtp_out(struct smtp *s)
{
	return &s->out;
}

static bool has_high_byte(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] >= 0x80)
			return true;
	return false;
}

static bool is_mail_sayable(const struct smtp_mail *mail, bool *is_utf8_out)
{
	*is_utf8_out = has_high_byte(mail->from);
	if (mail->rcpt_count == 0 || mail->rcpt_count > SMTP_RCPTS_MAX || !smtp_is_path(mail->from))
		return false;
	for (size_t i = 0; i < mail->rcpt_count; i++) {
		if (mail->rcpts[i].len == 0 || !smtp_is_path(mail->rcpts[i]))
			return false;
		*is_utf8_out |= has_high_byte(mail->rcpts[i]);
	}
	return true;
}

/* Paths are copied into one buffer that is large enough from the start, so that the
 * slices into it stay good. */
static bool smtp_copy_rcpts(struct smtp *s, const struct smtp_mail *mail)
{
	size_t bytes = 0;
	for (size_t i = 0; i < mail->rcpt_count; i++)
		bytes += mail->rcpts[i].len;
	s->rcpts = mem_alloc_array(mail->rcpt_count, sizeof *s->rcpts);
	char *to = s->rcpts ? buf_reserve(&s->paths, bytes) : NULL;
	if (!to) {
		smtp_forget_mail(s);
		return false;
	}
	for (size_t i = 0; i < mail->rcpt_count; i++) {
		memcpy(to, mail->rcpts[i].ptr, mail->rcpts[i].len);
		s->rcpts[i].path = slice_make(to, mail->rcpts[i].len);
		to += mail->rcpts[i].len;
	}
	s->rcpt_count = mail->rcpt_count;
	return true;
}

static void smtp_say_mail(struct smtp *s, const struct smtp_mail *mail, bool is_utf8)
{
	buf_addf(&s->out, "MAIL FROM:<%.*s>", SLICE_ARG(mail->from));
	if (mail->size_bytes > 0 && (s->can & SMTP_CAN_SIZE))
		buf_addf(&s->out, " SIZE=%llu", (unsigned long long)mail->size_bytes);
	if (mail->is_8bit && (s->can & SMTP_CAN_8BITMIME))
		buf_add_str(&s->out, " BODY=8BITMIME");
	if (is_utf8 && (s->can & SMTP_CAN_SMTPUTF8))
		buf_add_str(&s->out, " SMTPUTF8");
	buf_add_str(&s->out, "\r\n");
	if (!(s->can & SMTP_CAN_PIPELINING))
		return;
	for (size_t i = 0; i < s->rcpt_count; i++)
		smtp_add_rcpt(s, &s->rcpts[i]);
	s->is_data_said = !s->is_probe;
	if (s->is_data_said)
		buf_add_str(&s->out, "DATA\r\n");
}

bool smtp_mail(struct smtp *s, const struct smtp_mail *mail)
{
	bool is_utf8;
	size_t before = s->out.len;
	if (s->state != AT_READY || s->broken || s->is_finishing || s->out.is_over ||
	    !is_mail_sayable(mail, &is_utf8) || !smtp_copy_rcpts(s, mail))
		return false;
	s->want_no_dsn = mail->want_no_dsn;
	s->is_probe = mail->is_probe;
	smtp_say_mail(s, mail, is_utf8);
	if (s->out.is_over) {
		/* Half a command is none: it is taken back. */
		s->out.len = before;
		s->out.is_over = false;
		smtp_forget_mail(s);
		return false;
	}
	smtp_say(s, AT_MAIL);
	return true;
}

static void body_add_line(struct smtp *s, struct slice run, bool has_lf)
{
	if (s->is_line_start && run.len > 0 && run.ptr[0] == '.')
		buf_add_byte(&s->out, '.');
	buf_add(&s->out, run);
	if (run.len > 0)
		s->has_cr = run.ptr[run.len - 1] == '\r';
	if (has_lf)
		buf_add_str(&s->out, s->has_cr ? "\n" : "\r\n");
	if (has_lf)
		s->has_cr = false;
	if (run.len > 0 || has_lf)
		s->is_line_start = has_lf;
}

size_t smtp_body(struct smtp *s, struct slice bytes)
{
	size_t room = s->out.cap_max - s->out.len;
	if (s->state != AT_BODY || s->broken || room < SMTP_BODY_ROOM_MIN)
		return 0;
	/* At worst every byte becomes two. */
	bytes = slice_first(bytes, room / 2 - 8);
	for (size_t pos = 0; pos < bytes.len;) {
		size_t end = slice_find_byte(bytes, pos, '\n');
		body_add_line(s, slice_between(bytes, pos, end), end < bytes.len);
		pos = end + 1;
	}
	if (!s->out.is_over)
		return bytes.len;
	smtp_break(s, "no memory for the mail");
	return 0;
}

bool smtp_body_end(struct smtp *s)
{
	if (s->state != AT_BODY || s->broken || s->out.cap_max - s->out.len < 8)
		return false;
	/* A word before the end (421 it may be): the end is not said any more. */
	if (s->in_pos < s->in.len)
		return smtp_break(s, "the server spoke before it was asked");
	if (!s->is_line_start)
		buf_add_str(&s->out, s->has_cr ? "\n" : "\r\n");
	buf_add_str(&s->out, ".\r\n");
	if (s->out.is_over)
		return smtp_break(s, "no memory for the mail");
	s->is_end_said = true;
	s->rcpt_next = 0;
	smtp_say(s, AT_FINAL);
	return true;
}

void smtp_quit(struct smtp *s)
{
	if (s->state == AT_READY && !s->broken)
		smtp_say_line(s, "QUIT", slice_make(NULL, 0), AT_QUIT);
}

bool smtp_is_awaiting_word(const struct smtp *s)
{
	return s->is_end_said;
}

unsigned smtp_can(const struct smtp *s)
{
	return s->can;
}

uint64_t smtp_size_max(const struct smtp *s)
{
	return s->size_max;
}
