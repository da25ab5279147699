/* SPDX-License-Identifier: Apache-2.0
 *
 * milter: sessions of the milter protocol, each with one mail at a time.
 *
 * A session is the MTA's connection (peer, HELO, login); a mail is what lies
 * between MAIL and the end of its body, and is begun anew for each. The MTA is
 * asked to send without waiting for replies, so a usual mail costs one wake-up
 * and one reply. Idle intakes are kept for the next session: Postfix opens a
 * connection for every SMTP session.
 */
#include "door/milter.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream.h"
#include "wire/milter.h"

enum {
	MILTER_OUT_BYTES_MAX = 1024 * 1024,
	MILTER_NAME_BYTES_MAX = 512,       /* of a host name, HELO or login that is kept */
	MILTER_RCPTS_MAX = 100000,         /* of one mail; one more closes the session */
	MILTER_SPARE_INTAKES_MAX = 32,
};

struct milter_door {
	struct loop *loop;
	struct flow *flow;
	struct listen *listen;
	struct milter_door_setup setup;
	struct list sessions;
	size_t session_count;
	struct intake *spare[MILTER_SPARE_INTAKES_MAX];
	size_t spare_count;
	struct log_throttle throttle;
};

/* What the MTA says of one mail's envelope; lives in the intake's arena. */
struct mail {
	struct slice from, queue_id, auth_user;
	struct slice *rcpts, *spelled; /* without and with <>, same order */
	size_t rcpt_count, rcpt_cap;
	bool is_begun, is_waiting;
};

struct session {
	struct list link;
	struct milter_door *door;
	struct stream *stream;
	struct intake *intake;
	struct milter_grant grant;
	bool is_negotiated;
	struct arena arena;        /* of the connection */
	struct slice client_name, helo;
	struct ip client_ip;
	struct mail mail;
};

/* --- life of a session -------------------------------------------------- */

static struct intake *door_take_intake(struct milter_door *door, bool may_drop)
{
	/* Spares are made with may_drop; the rare MTA without it gets its own. */
	if (may_drop && door->spare_count > 0)
		return door->spare[--door->spare_count];
	return intake_new(door->flow, may_drop);
}

static void door_give_intake(struct milter_door *door, struct intake *intake, bool may_drop)
{
	if (intake && may_drop && door->spare_count < MILTER_SPARE_INTAKES_MAX) {
		intake_begin(intake);
		door->spare[door->spare_count++] = intake;
		return;
	}
	intake_free(intake);
}

static void session_free(struct session *s)
{
	struct milter_door *door = s->door;
	door_give_intake(door, s->intake, (s->grant.actions & MILTER_MAY_DELRCPT) != 0);
	arena_free(&s->arena);
	list_remove(&s->link);
	door->session_count--;
	mem_free(s);
}

/* Ends the connection; answers already written still leave. */
static void session_end(struct session *s)
{
	stream_finish(&s->stream);
	session_free(s);
}

static void session_complain(struct session *s, const char *what, const char *why)
{
	unsigned dropped;
	char client[LOG_QUOTE_BYTES];
	if (!log_may(&s->door->throttle, loop_now_ms(s->door->loop), &dropped))
		return;
	log_warn("milter", "trouble=%s why=\"%s\" client=%s unsaid=%u", what, why,
		 log_quote(s->client_name, client, sizeof client), dropped);
}

/* --- the mail's envelope -------------------------------------------------- */

static struct slice mail_strip(struct slice spelled)
{
	struct slice s = slice_trim(spelled);
	if (s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>')
		s = slice_between(s, 1, s.len - 1);
	return s;
}

static bool mail_grow(struct mail *m, struct arena *arena)
{
	size_t cap = m->rcpt_cap ? m->rcpt_cap * 2 : 8;
	struct slice *rcpts = arena_alloc(arena, cap * sizeof *rcpts);
	struct slice *spelled = arena_alloc(arena, cap * sizeof *spelled);
	if (!rcpts || !spelled)
		return false;
	if (m->rcpt_count > 0) {
		memcpy(rcpts, m->rcpts, m->rcpt_count * sizeof *rcpts);
		memcpy(spelled, m->spelled, m->rcpt_count * sizeof *spelled);
	}
	m->rcpts = rcpts;
	m->spelled = spelled;
	m->rcpt_cap = cap;
	return true;
}

static bool mail_add_rcpt(struct mail *m, struct arena *arena, struct slice spelled)
{
	if (m->rcpt_count >= MILTER_RCPTS_MAX)
		return false;
	if (m->rcpt_count == m->rcpt_cap && !mail_grow(m, arena))
		return false;
	struct slice kept = arena_copy(arena, spelled);
	if (kept.len != spelled.len)
		return false;
	m->spelled[m->rcpt_count] = kept;
	m->rcpts[m->rcpt_count++] = mail_strip(kept);
	return true;
}

static void mail_begin(struct session *s)
{
	intake_begin(s->intake);
	s->mail = (struct mail){ .is_begun = true };
}

static void mail_drop(struct session *s)
{
	intake_begin(s->intake);
	s->mail = (struct mail){ .is_begun = false };
}

/* --- the answer at the end of a mail -------------------------------------- */

static void session_put_header(struct session *s, const struct answer_header *header)
{
	struct buf *out = stream_out(s->stream);
	struct slice value = header->value;
	if (s->grant.steps & MILTER_LEADING_SPACE) {
		char *spaced = arena_alloc(intake_arena(s->intake), value.len + 1);
		if (!spaced)
			return;
		spaced[0] = ' ';
		memcpy(spaced + 1, value.ptr, value.len);
		value = slice_make(spaced, value.len + 1);
	}
	if (!milter_put_insheader(out, 0, slice_from_str(header->name), value))
		session_complain(s, "header", "the answer has no room for it");
}

static void session_put_drops(struct session *s, const struct answer *answer)
{
	struct buf *out = stream_out(s->stream);
	size_t at = 0;
	/* Both lists are in the order of the envelope, and the dropped slices point
	 * into it: one pass finds how the MTA spelled them. */
	for (size_t i = 0; i < answer->dropped_count; i++) {
		while (at < s->mail.rcpt_count && s->mail.rcpts[at].ptr != answer->dropped[i].ptr)
			at++;
		if (at < s->mail.rcpt_count)
			milter_put_delrcpt(out, s->mail.spelled[at]);
	}
}

static void session_answer(void *ctx, const struct answer *answer)
{
	struct session *s = ctx;
	struct buf *out = stream_out(s->stream);
	s->mail.is_waiting = false;
	if (answer->kind == ANSWER_DISCARD) {
		milter_put_answer(out, MILTER_DISCARD);
	} else if (answer->kind == ANSWER_DEFER) {
		milter_put_replycode(out, SLICE("451"), SLICE("4.7.1"), slice_from_str(answer->text));
	} else {
		for (size_t i = 0; i < answer->header_count && (s->grant.actions & MILTER_MAY_ADDHDRS); i++)
			session_put_header(s, &answer->headers[i]);
		session_put_drops(s, answer);
		milter_put_answer(out, MILTER_ACCEPT);
	}
	stream_wrote(s->stream);
	s->mail.is_begun = false;
}

/* --- commands: false ends the session -------------------------------------- */

static bool on_optneg(struct session *s, const struct milter_event *e)
{
	static const struct milter_macro_list lists[] = {
		{ MILTER_AT_CONNECT, "j" },
		{ MILTER_AT_HELO, "j" },
		{ MILTER_AT_MAIL, "i {auth_authen}" },
		{ MILTER_AT_RCPT, "i" },
		{ MILTER_AT_DATA, "i" },
		{ MILTER_AT_EOM, "i" },
	};
	static const struct milter_wish wish = {
		.actions_liked = MILTER_MAY_ADDHDRS | MILTER_MAY_DELRCPT | MILTER_MAY_SETSYMLIST,
		.steps_liked = MILTER_NO_UNKNOWN | MILTER_NO_DATA | MILTER_NR_CONNECT | MILTER_NR_HELO |
			       MILTER_NR_MAIL | MILTER_NR_RCPT | MILTER_NR_DATA | MILTER_NR_HEADER |
			       MILTER_NR_EOH | MILTER_NR_BODY | MILTER_LEADING_SPACE,
		.lists = lists,
		.list_count = sizeof lists / sizeof lists[0],
	};
	if (s->is_negotiated) {
		session_complain(s, "protocol", "OPTNEG a second time");
		return false;
	}
	enum milter_trouble trouble = milter_negotiate(&e->offer, &wish, &s->grant, stream_out(s->stream));
	if (trouble != MILTER_FINE) {
		session_complain(s, "negotiation", milter_trouble_text(trouble));
		return false;
	}
	stream_wrote(s->stream);
	s->intake = door_take_intake(s->door, (s->grant.actions & MILTER_MAY_DELRCPT) != 0);
	s->is_negotiated = s->intake != NULL;
	return s->is_negotiated;
}

static struct slice session_keep(struct session *s, struct slice text)
{
	return arena_copy(&s->arena, slice_first(text, MILTER_NAME_BYTES_MAX));
}

/* Postfix says "unknown", Sendmail "[192.0.2.1]", for a client without a name that
 * leads back to its address: that is no name, and must not become one. */
static struct slice session_attested_name(struct slice host)
{
	bool is_none = slice_equal_nocase(host, SLICE("unknown")) || (host.len > 0 && host.ptr[0] == '[');
	return is_none ? slice_make(NULL, 0) : host;
}

static bool on_connect(struct session *s, const struct milter_event *e)
{
	arena_reset(&s->arena);
	s->helo = slice_make(NULL, 0);
	s->client_name = session_keep(s, session_attested_name(e->connect.host));
	if (!ip_parse(e->connect.addr, &s->client_ip))
		s->client_ip = (struct ip){ { 0 } };
	return true;
}

static bool on_helo(struct session *s, const struct milter_event *e)
{
	/* HELO may come again and again in one session: the first is kept. */
	if (s->helo.len == 0)
		s->helo = session_keep(s, e->text);
	return true;
}

static bool on_macro(struct session *s, const struct milter_event *e)
{
	struct slice value;
	if (!s->mail.is_begun || s->mail.is_waiting) {
		/* Macros of MAIL come before MAIL itself. */
		if (e->macros.cmd != MILTER_MAIL || s->mail.is_waiting)
			return true;
		mail_begin(s);
	}
	struct arena *arena = intake_arena(s->intake);
	if (milter_macro_find(&e->macros, SLICE("i"), &value))
		s->mail.queue_id = arena_copy(arena, slice_first(value, MILTER_NAME_BYTES_MAX));
	if (milter_macro_find(&e->macros, SLICE("auth_authen"), &value))
		s->mail.auth_user = arena_copy(arena, slice_first(value, MILTER_NAME_BYTES_MAX));
	return true;
}

static bool on_mail(struct session *s, const struct milter_event *e)
{
	if (!s->mail.is_begun)
		mail_begin(s);
	s->mail.from = mail_strip(arena_copy(intake_arena(s->intake), e->envelope.addr));
	return true;
}

static bool on_rcpt(struct session *s, const struct milter_event *e)
{
	if (!s->mail.is_begun || !mail_add_rcpt(&s->mail, intake_arena(s->intake), e->envelope.addr)) {
		session_complain(s, "protocol", "RCPT outside a mail, or too many of them");
		return false;
	}
	return true;
}

static bool on_header(struct session *s, const struct milter_event *e)
{
	if (s->mail.is_begun)
		intake_header(s->intake, e->header.name, e->header.value);
	return s->mail.is_begun;
}

static bool on_body(struct session *s, const struct milter_event *e)
{
	if (s->mail.is_begun)
		intake_body(s->intake, e->data);
	return s->mail.is_begun;
}

static bool on_eom(struct session *s, const struct milter_event *e)
{
	if (!s->mail.is_begun)
		return false;
	if (e->data.len > 0)
		intake_body(s->intake, e->data);
	struct envelope envelope = {
		.mail_from = s->mail.from,
		.rcpts = s->mail.rcpts,
		.rcpt_count = s->mail.rcpt_count,
		.client_ip = s->client_ip,
		.client_name = s->client_name,
		.helo = s->helo,
		.auth_user = s->mail.auth_user,
		.queue_id = s->mail.queue_id,
		.is_submission = s->mail.auth_user.len > 0,
	};
	s->mail.is_waiting = true;
	intake_end(s->intake, &envelope, loop_now_ms(s->door->loop), session_answer, s);
	return true;
}

static bool on_abort(struct session *s, const struct milter_event *e)
{
	(void)e;
	mail_drop(s);
	return true;
}

static bool on_nothing(struct session *s, const struct milter_event *e)
{
	(void)s;
	(void)e;
	return true;
}

/* The MTA keeps the connection and begins a new client (Sendmail). */
static bool on_quit_nc(struct session *s, const struct milter_event *e)
{
	(void)e;
	mail_drop(s);
	arena_reset(&s->arena);
	s->client_name = s->helo = slice_make(NULL, 0);
	s->client_ip = (struct ip){ { 0 } };
	return true;
}

static bool on_quit(struct session *s, const struct milter_event *e)
{
	(void)s;
	(void)e;
	return false;
}

static const struct command {
	char cmd;
	bool is_allowed_waiting; /* while the answer to EOM is awaited */
	bool is_answered;        /* run answers by itself, now or later */
	bool (*run)(struct session *s, const struct milter_event *e);
} commands[] = {
	{ MILTER_OPTNEG, false, true, on_optneg },
	{ MILTER_MACRO, true, false, on_macro },
	{ MILTER_CONNECT, false, false, on_connect },
	{ MILTER_HELO, false, false, on_helo },
	{ MILTER_MAIL, false, false, on_mail },
	{ MILTER_RCPT, false, false, on_rcpt },
	{ MILTER_DATA, false, false, on_nothing },
	{ MILTER_HEADER, false, false, on_header },
	{ MILTER_EOH, false, false, on_nothing },
	{ MILTER_BODY, false, false, on_body },
	{ MILTER_EOM, false, true, on_eom },
	{ MILTER_ABORT, true, false, on_abort },
	{ MILTER_UNKNOWN, false, false, on_nothing },
	{ MILTER_QUIT, true, false, on_quit },
	{ MILTER_QUIT_NC, true, false, on_quit_nc },
};

static bool session_run(struct session *s, const struct milter_packet *packet)
{
	struct milter_event event;
	enum milter_trouble trouble = milter_decode(packet, &event);
	if (trouble != MILTER_FINE) {
		session_complain(s, milter_cmd_name(packet->cmd), milter_trouble_text(trouble));
		return false;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		const struct command *c = &commands[i];
		if (c->cmd != packet->cmd)
			continue;
		bool is_early = !s->is_negotiated && c->cmd != MILTER_OPTNEG && c->cmd != MILTER_QUIT;
		if (is_early || (s->mail.is_waiting && !c->is_allowed_waiting)) {
			session_complain(s, milter_cmd_name(c->cmd), "not at this point of the talk");
			return false;
		}
		if (!c->run(s, &event))
			return false;
		if (!c->is_answered && milter_wants_reply(&s->grant, c->cmd)) {
			milter_put_answer(stream_out(s->stream), MILTER_CONTINUE);
			stream_wrote(s->stream);
		}
		return true;
	}
	return false;
}

/* --- the stream ------------------------------------------------------------ */

static size_t session_on_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct session *s = ctx;
	struct slice rest = bytes;
	struct milter_packet packet;
	enum milter_trouble trouble;
	(void)stream;
	for (;;) {
		enum milter_take take = milter_take(&rest, MILTER_PACKET_BYTES_MAX, &packet, &trouble);
		if (take == MILTER_MORE)
			return bytes.len - rest.len;
		if (take == MILTER_BROKEN)
			session_complain(s, "frame", milter_trouble_text(trouble));
		if (take == MILTER_BROKEN || !session_run(s, &packet)) {
			session_end(s);
			return bytes.len;
		}
	}
}

static void session_on_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct session *s = ctx;
	(void)stream;
	(void)sys_errno;
	if (end != STREAM_EOF || s->mail.is_begun)
		session_complain(s, "stream", stream_end_text(end));
	stream_close(&s->stream);
	session_free(s);
}

static const struct stream_calls session_calls = { session_on_data, session_on_end, NULL };

static void door_on_peer(void *ctx, int fd, const struct net_addr *peer)
{
	struct milter_door *door = ctx;
	struct session *s = NULL;
	(void)peer;
	const struct stream_setup setup = {
		.in_bytes_max = MILTER_PACKET_BYTES_MAX + 4,
		.out_bytes_max = MILTER_OUT_BYTES_MAX,
		.idle_ms = door->setup.idle_ms,
	};
	if (door->session_count < door->setup.sessions_max)
		s = mem_alloc(sizeof *s);
	struct stream *stream = stream_open(door->loop, fd, &setup, &session_calls, s);
	if (!s || !stream) {
		unsigned dropped;
		if (log_may(&door->throttle, loop_now_ms(door->loop), &dropped))
			log_warn("milter", "trouble=sessions now=%zu max=%zu unsaid=%u",
				 door->session_count, door->setup.sessions_max, dropped);
		stream_close(&stream);
		mem_free(s);
		return;
	}
	s->door = door;
	s->stream = stream;
	arena_init(&s->arena, 4 * MILTER_NAME_BYTES_MAX);
	list_add(&door->sessions, &s->link);
	door->session_count++;
}

struct milter_door *milter_door_open(struct loop *loop, struct flow *flow,
				     const struct milter_door_setup *setup, struct error *error)
{
	struct net_addr addr;
	if (!net_addr_parse(slice_from_str(setup->listen), &addr, error))
		return NULL;
	struct milter_door *door = mem_alloc(sizeof *door);
	if (!door) {
		error_set(error, EXIT_UNAVAILABLE, "no memory for the milter door");
		return NULL;
	}
	door->loop = loop;
	door->flow = flow;
	door->setup = *setup;
	door->throttle = (struct log_throttle){ .burst = 10, .window_ms = 60 * 1000 };
	list_init(&door->sessions);
	door->listen = listen_open(loop, &addr, &setup->socket, door_on_peer, door, error);
	if (!door->listen) {
		mem_free(door);
		return NULL;
	}
	return door;
}

void milter_door_close(struct milter_door **door_in)
{
	struct milter_door *door = *door_in;
	*door_in = NULL;
	if (!door)
		return;
	listen_close(&door->listen);
	while (!list_is_empty(&door->sessions)) {
		struct session *s = LIST_OWNER(door->sessions.next, struct session, link);
		stream_close(&s->stream);
		session_free(s);
	}
	while (door->spare_count > 0)
		intake_free(door->spare[--door->spare_count]);
	mem_free(door);
}

size_t milter_door_sessions(const struct milter_door *door)
{
	return door->session_count;
}
